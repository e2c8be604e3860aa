/* Fronts and their pruning: the reference's examples, and its restarting algorithm as an oracle. */
#include "operators/vectors.h"

#include "base/hash.h"
#include "operators/pareto.h"

enum { CANDIDATES_MAX = 24, CASES_MAX = 80 };

struct table {
    size_t n_candidates, n_cases;
    double scores[CANDIDATES_MAX][CASES_MAX], means[CANDIDATES_MAX];
};

static void add_all(const struct table *table, struct pawl_pareto *pareto, struct pawl_arena *arena)
{
    pawl_pareto_init(pareto, table->n_cases, arena);
    for (size_t i = 0; i < table->n_candidates; i++)
        assert_int_equal(pawl_pareto_add(pareto, table->scores[i], table->means[i]), i);
}

static bool survives(struct pawl_pareto *pareto, uint32_t candidate)
{
    size_t n;
    const uint32_t *survivors = pawl_pareto_survivors(pareto, &n);
    for (size_t i = 0; i < n; i++)
        if (survivors[i] == candidate) return true;
    return false;
}

/* --- examples of the reference -------------------------------------------------------------------- */

/* Rows are candidates; a weight of 0 means that the candidate is pruned. */
static void check_example(const struct table *table, const size_t *weights)
{
    struct pawl_arena arena = {0};
    struct pawl_pareto pareto;
    add_all(table, &pareto, &arena);
    for (uint32_t i = 0; i < table->n_candidates; i++) {
        assert_int_equal(survives(&pareto, i), weights[i] > 0);
        if (weights[i] > 0) assert_int_equal(pawl_pareto_weight(&pareto, i), weights[i]);
    }
    pawl_arena_release(&arena);
}

static void test_worked_example(void **state)
{
    (void)state;
    const struct table table = {
        .n_candidates = 4,
        .n_cases = 4,
        .scores = {{1, 0, 0, 0.5}, {0, 1, 0.2, 0.5}, {1, 1, 0, 0}, {0, 0, 1, 0.1}},
        .means = {0.375, 0.425, 0.5, 0.275}};
    check_example(&table, (size_t[]){0, 2, 2, 1});
}

static void test_best_mean_without_a_front_is_never_drawn(void **state)
{
    (void)state;
    const struct table table = {.n_candidates = 4,
                                .n_cases = 3,
                                .scores = {{0.9, 0.9, 0.9}, {1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
                                .means = {0.9, 1 / 3.0, 1 / 3.0, 1 / 3.0}};
    check_example(&table, (size_t[]){0, 1, 1, 1});
}

static void check_vector(const json_t *vector)
{
    struct table table = {0};
    size_t weights[CANDIDATES_MAX] = {0};
    const json_t *input = json_object_get(vector, "input");
    const json_t *rows = json_object_get(input, "scores_candidate_by_case");
    const json_t *means = json_object_get(input, "means");
    const char *key;
    json_t *weight;
    table.n_candidates = json_array_size(rows);
    table.n_cases = json_array_size(json_array_get(rows, 0));
    for (size_t i = 0; i < table.n_candidates; i++) {
        table.means[i] = json_number_value(json_array_get(means, i));
        for (size_t c = 0; c < table.n_cases; c++)
            table.scores[i][c] = json_number_value(json_array_get(json_array_get(rows, i), c));
    }
    json_object_foreach(json_object_get(json_object_get(vector, "expect"), "weight"), key, weight)
    {
        weights[atoi(key)] = (size_t)json_integer_value(weight);
    }
    check_example(&table, weights);
}

static void test_vectors(void **state)
{
    (void)state;
    json_t *file = vectors_load();
    if (file == NULL) skip();
    check_vector(vectors_find(file, "gepa.pareto_prune.basic"));
    check_vector(vectors_find(file, "gepa.pareto_prune.one_dominates"));
    check_vector(vectors_find(file, "gepa.pareto_prune.restart_order"));
    check_vector(vectors_find(file, "gepa.pareto_prune.high_mean_not_in_front"));
    json_decref(file);
}

/* --- the restarting algorithm, as published ---------------------------------------------------------- */

struct oracle {
    bool in_front[CANDIDATES_MAX][CASES_MAX], occurs[CANDIDATES_MAX], removed[CANDIDATES_MAX];
    size_t order[CANDIDATES_MAX];
};

static void find_fronts(const struct table *table, struct oracle *oracle)
{
    for (size_t c = 0; c < table->n_cases; c++) {
        double best = -INFINITY;
        for (size_t i = 0; i < table->n_candidates; i++)
            if (table->scores[i][c] > best) best = table->scores[i][c]; /* false for NAN */
        for (size_t i = 0; i < table->n_candidates; i++) {
            oracle->in_front[i][c] = table->scores[i][c] == best;
            oracle->occurs[i] |= oracle->in_front[i][c];
        }
    }
}

static void order_by_mean(const struct table *table, struct oracle *oracle)
{
    for (size_t i = 0; i < table->n_candidates; i++) {
        size_t at = i;
        for (; at > 0 && table->means[oracle->order[at - 1]] > table->means[i]; at--)
            oracle->order[at] = oracle->order[at - 1];
        oracle->order[at] = i;
    }
}

static bool is_needed(const struct table *table, const struct oracle *oracle, size_t y)
{
    for (size_t c = 0; c < table->n_cases; c++) {
        bool covered = !oracle->in_front[y][c];
        for (size_t i = 0; i < table->n_candidates && !covered; i++)
            covered = i != y && oracle->in_front[i][c] && !oracle->removed[i];
        if (!covered) return true;
    }
    return false;
}

static void prune(const struct table *table, struct oracle *oracle)
{
    for (bool again = true; again;) {
        again = false;
        for (size_t k = 0; k < table->n_candidates && !again; k++) {
            size_t y = oracle->order[k];
            if (!oracle->occurs[y] || oracle->removed[y] || is_needed(table, oracle, y)) continue;
            oracle->removed[y] = again = true;
        }
    }
}

static void make_table(struct pawl_random *random, struct table *table)
{
    *table = (struct table){.n_candidates = 1 + pawl_random_below(random, CANDIDATES_MAX),
                            .n_cases = 1 + pawl_random_below(random, CASES_MAX)};
    uint64_t levels = 1 + pawl_random_below(random, 6), missing = pawl_random_below(random, 4);
    for (size_t i = 0; i < table->n_candidates; i++) {
        size_t n = 0;
        for (size_t c = 0; c < table->n_cases; c++) {
            bool is_missing = pawl_random_below(random, 10) < missing;
            double score = (double)pawl_random_below(random, levels + 1) / (double)levels;
            table->scores[i][c] = is_missing ? NAN : score;
            if (is_missing) continue;
            table->means[i] += score;
            n++;
        }
        table->means[i] = n > 0 ? table->means[i] / (double)n : 0;
    }
}

static void test_equals_the_restarting_algorithm(void **state)
{
    (void)state;
    struct pawl_random random;
    pawl_crypto_init();
    pawl_random_init(&random, 1);
    for (int round = 0; round < 2000; round++) {
        struct table table;
        struct oracle oracle = {0};
        struct pawl_arena arena = {0};
        struct pawl_pareto pareto;
        make_table(&random, &table);
        find_fronts(&table, &oracle);
        order_by_mean(&table, &oracle);
        prune(&table, &oracle);
        add_all(&table, &pareto, &arena);
        for (uint32_t i = 0; i < table.n_candidates; i++) {
            size_t weight = 0;
            for (size_t c = 0; c < table.n_cases; c++) weight += oracle.in_front[i][c];
            assert_int_equal(pawl_pareto_weight(&pareto, i), weight);
            assert_int_equal(survives(&pareto, i), oracle.occurs[i] && !oracle.removed[i]);
        }
        pawl_arena_release(&arena);
    }
}

/* Fronts are kept up to date: asking in between changes nothing. */
static void test_asking_after_every_addition(void **state)
{
    (void)state;
    struct pawl_random random;
    pawl_crypto_init();
    pawl_random_init(&random, 2);
    for (int round = 0; round < 100; round++) {
        struct table table;
        struct pawl_arena arena = {0};
        struct pawl_pareto asked, unasked;
        size_t n_asked, n_unasked;
        make_table(&random, &table);
        add_all(&table, &unasked, &arena);
        pawl_pareto_init(&asked, table.n_cases, &arena);
        for (size_t i = 0; i < table.n_candidates; i++) {
            pawl_pareto_add(&asked, table.scores[i], table.means[i]);
            pawl_pareto_survivors(&asked, &n_asked);
        }
        const uint32_t *a = pawl_pareto_survivors(&asked, &n_asked);
        const uint32_t *b = pawl_pareto_survivors(&unasked, &n_unasked);
        assert_int_equal(n_asked, n_unasked);
        assert_memory_equal(a, b, n_asked * sizeof *a);
        pawl_arena_release(&arena);
    }
}

/* Cases that come later are as if they had been there, with nobody of before having a score on them. */
static void test_widening(void **state)
{
    (void)state;
    struct pawl_random random;
    pawl_crypto_init();
    pawl_random_init(&random, 4);
    for (int round = 0; round < 500; round++) {
        struct table table;
        struct pawl_arena arena = {0};
        struct pawl_pareto wide, grown;
        make_table(&random, &table);
        size_t before = (size_t)pawl_random_below(&random, table.n_cases + 1);
        size_t from = (size_t)pawl_random_below(&random, table.n_candidates);
        for (size_t i = 0; i < from; i++)
            for (size_t c = before; c < table.n_cases; c++) table.scores[i][c] = NAN;
        add_all(&table, &wide, &arena);
        pawl_pareto_init(&grown, before, &arena);
        for (size_t i = 0; i < table.n_candidates; i++) {
            if (i == from) pawl_pareto_widen(&grown, table.n_cases);
            pawl_pareto_add(&grown, table.scores[i], table.means[i]);
        }
        for (uint32_t i = 0; i < table.n_candidates; i++) {
            assert_int_equal(pawl_pareto_weight(&grown, i), pawl_pareto_weight(&wide, i));
            assert_int_equal(survives(&grown, i), survives(&wide, i));
        }
        pawl_arena_release(&arena);
    }
}

/* --- drawing ---------------------------------------------------------------------------------------- */

static void test_draws_in_proportion_to_fronts(void **state)
{
    (void)state;
    enum { DRAWS = 50000 };
    const struct table table = {
        .n_candidates = 4,
        .n_cases = 4,
        .scores = {{1, 0, 0, 0.5}, {0, 1, 0.2, 0.5}, {1, 1, 0, 0}, {0, 0, 1, 0.1}},
        .means = {0.375, 0.425, 0.5, 0.275}};
    const double want[] = {0, 0.4, 0.4, 0.2};
    size_t drawn[4] = {0};
    struct pawl_arena arena = {0};
    struct pawl_pareto pareto;
    struct pawl_random random;
    pawl_crypto_init();
    pawl_random_init(&random, 3);
    add_all(&table, &pareto, &arena);
    for (int i = 0; i < DRAWS; i++) drawn[pawl_pareto_draw(&pareto, &random)]++;
    for (int i = 0; i < 4; i++)
        assert_true(fabs((double)drawn[i] / DRAWS - want[i]) < 0.01); /* 4.5 standard errors */
    pawl_arena_release(&arena);
}

/* Among all it is the same draw; among some, their fronts alone count; among those in no front, none. */
static void test_draws_among_a_few(void **state)
{
    (void)state;
    enum { DRAWS = 20000 };
    const struct table table = {
        .n_candidates = 4,
        .n_cases = 4,
        .scores = {{1, 0, 0, .5}, {0, 1, .2, .5}, {1, 1, 0, 0}, {0, 0, 1, .1}},
        .means = {.375, .425, .5, .275}};
    const struct {
        uint32_t members[4];
        size_t n;
        double want[4];
    } among[] = {{{3, 2, 1, 0}, 4, {0, .4, .4, .2}},
                 {{0, 3}, 2, {2. / 3, 0, 0, 1. / 3}},
                 {{1, 2}, 2, {0, .5, .5, 0}}};
    struct pawl_arena arena = {0};
    struct pawl_pareto pareto;
    struct pawl_random random;
    uint32_t which;
    pawl_crypto_init();
    pawl_random_init(&random, 9);
    add_all(&table, &pareto, &arena);
    for (size_t k = 0; k < sizeof among / sizeof *among; k++) {
        double drawn[4] = {0};
        for (int i = 0; i < DRAWS; i++) {
            assert_true(
                pawl_pareto_draw_among(&pareto, among[k].members, among[k].n, &random, &which));
            drawn[which] += 1.0 / DRAWS;
        }
        for (int i = 0; i < 4; i++) assert_true(fabs(drawn[i] - among[k].want[i]) < 0.016);
    }
    double nothing[] = {0, 0, 0, 0};
    uint32_t last = pawl_pareto_add(&pareto, nothing, 0);
    assert_false(pawl_pareto_draw_among(&pareto, &last, 1, &random, &which));
    assert_false(pawl_pareto_draw_among(&pareto, NULL, 0, &random, &which));
    pawl_arena_release(&arena);
}

static void test_nobody_scored(void **state)
{
    (void)state;
    const struct table missing = {
        .n_candidates = 2, .n_cases = 2, .scores = {{NAN, NAN}, {NAN, NAN}}, .means = {NAN, NAN}};
    struct pawl_arena arena = {0};
    struct pawl_pareto pareto;
    struct pawl_random random;
    size_t n;
    pawl_crypto_init();
    pawl_random_init(&random, 4);
    add_all(&missing, &pareto, &arena);
    pawl_pareto_survivors(&pareto, &n);
    assert_int_equal(n, 0);
    assert_int_equal(pawl_pareto_draw(&pareto, &random), 0);
    pawl_pareto_init(&pareto, 0, &arena);
    pawl_pareto_add(&pareto, NULL, NAN);
    assert_int_equal(pawl_pareto_draw(&pareto, &random), 0);
    pawl_arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_worked_example),
        cmocka_unit_test(test_best_mean_without_a_front_is_never_drawn),
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_equals_the_restarting_algorithm),
        cmocka_unit_test(test_asking_after_every_addition),
        cmocka_unit_test(test_widening),
        cmocka_unit_test(test_draws_in_proportion_to_fronts),
        cmocka_unit_test(test_draws_among_a_few),
        cmocka_unit_test(test_nobody_scored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
