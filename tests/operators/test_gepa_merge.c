/* GEPA's crossover over a pool in memory: whom it may join, what the child has of whom, on which cases it
 * is tried. */
#include "operators/vectors.h"

#include "operators/gepa_merge.h"

#include <string.h>

enum { MEMBERS_MAX = 16, COMPONENTS_MAX = 3 };

/* Texts of the members; equal pointers are not needed for equal texts. */
struct pool {
    const char *texts[MEMBERS_MAX][COMPONENTS_MAX];
    struct pawl_merger merger;
    struct pawl_arena arena;
    struct pawl_random random;
};

static bool same(const void *context, uint32_t a, uint32_t b, size_t component)
{
    const struct pool *pool = context;
    return strcmp(pool->texts[a][component], pool->texts[b][component]) == 0;
}

static void pool_open(struct pool *pool, size_t n_components, size_t n_dev)
{
    *pool = (struct pool){0};
    pool->merger = (struct pawl_merger){.arena = &pool->arena,
                                        .n_components = n_components,
                                        .same = same,
                                        .context = pool,
                                        .n_dev = n_dev};
    pawl_random_init(&pool->random, 7);
}

/* Scores that are `mean` everywhere. */
static uint32_t join(struct pool *pool, uint32_t first, uint32_t second, double mean, const char *a,
                     const char *b, const char *c)
{
    double scores[64];
    const char *texts[COMPONENTS_MAX] = {a, b, c};
    uint32_t member = pool->merger.n_members;
    for (size_t i = 0; i < pool->merger.n_dev; i++) scores[i] = mean;
    memcpy(pool->texts[member], texts, sizeof texts);
    pawl_merge_join(&pool->merger, first, second, mean, scores);
    return member;
}

static bool propose(struct pool *pool, const uint32_t *worthy, size_t n, struct pawl_merge *merge)
{
    return pawl_merge_propose(&pool->merger, worthy, n, &pool->random, merge);
}

static void test_takes_what_each_has_changed(void **state)
{
    (void)state;
    struct pool pool;
    struct pawl_merge merge;
    pool_open(&pool, 3, 8);
    join(&pool, PAWL_MERGE_NONE, PAWL_MERGE_NONE, 0.4, "a", "b", "c");
    uint32_t two[] = {join(&pool, 0, PAWL_MERGE_NONE, 0.6, "a1", "b", "c"),
                      join(&pool, 0, PAWL_MERGE_NONE, 0.5, "a", "b1", "c2")};
    assert_true(propose(&pool, two, 2, &merge));
    assert_int_equal(merge.first, 1);
    assert_int_equal(merge.second, 2);
    assert_int_equal(merge.ancestor, 0);
    assert_false(merge.from_second[0]);
    assert_true(merge.from_second[1] && merge.from_second[2]);
    /* The same two with the same ancestor are proposed once. */
    assert_false(propose(&pool, two, 2, &merge));
    pawl_arena_release(&pool.arena);
}

static void test_the_better_one_where_both_changed(void **state)
{
    (void)state;
    struct pool pool;
    struct pawl_merge merge;
    pool_open(&pool, 2, 8);
    join(&pool, PAWL_MERGE_NONE, PAWL_MERGE_NONE, 0.4, "a", "b", "");
    uint32_t two[] = {join(&pool, 0, PAWL_MERGE_NONE, 0.5, "a1", "b1", ""),
                      join(&pool, 0, PAWL_MERGE_NONE, 0.6, "a2", "b", "")};
    assert_true(propose(&pool, two, 2, &merge));
    assert_true(merge.from_second[0]);
    assert_false(merge.from_second[1]);
    pawl_arena_release(&pool.arena);
}

/* Of equally good ones it is a coin: over many pools it falls both ways. */
static void test_a_coin_between_equals(void **state)
{
    (void)state;
    size_t second = 0;
    for (uint64_t seed = 0; seed < 64; seed++) {
        struct pool pool;
        struct pawl_merge merge;
        pool_open(&pool, 2, 8);
        pawl_random_init(&pool.random, seed);
        join(&pool, PAWL_MERGE_NONE, PAWL_MERGE_NONE, 0.4, "a", "b", "");
        uint32_t two[] = {join(&pool, 0, PAWL_MERGE_NONE, 0.5, "a1", "b1", ""),
                          join(&pool, 0, PAWL_MERGE_NONE, 0.5, "a2", "b", "")};
        assert_true(propose(&pool, two, 2, &merge));
        second += merge.from_second[0];
        pawl_arena_release(&pool.arena);
    }
    assert_in_range(second, 16, 48);
}

static bool proposes(double mean_a, double mean_i, double mean_j, const char *const texts[3][2])
{
    struct pool pool;
    struct pawl_merge merge;
    pool_open(&pool, 2, 8);
    join(&pool, PAWL_MERGE_NONE, PAWL_MERGE_NONE, mean_a, texts[0][0], texts[0][1], "");
    uint32_t two[] = {join(&pool, 0, PAWL_MERGE_NONE, mean_i, texts[1][0], texts[1][1], ""),
                      join(&pool, 0, PAWL_MERGE_NONE, mean_j, texts[2][0], texts[2][1], "")};
    bool proposed = propose(&pool, two, 2, &merge);
    pawl_arena_release(&pool.arena);
    return proposed;
}

static void test_who_may_be_joined(void **state)
{
    (void)state;
    const char *const apart[3][2] = {{"a", "b"}, {"a1", "b"}, {"a", "b1"}};
    const char *const clash[3][2] = {{"a", "b"}, {"a1", "b"}, {"a2", "b"}};
    const char *const equal[3][2] = {{"a", "b"}, {"a1", "b1"}, {"a1", "b"}};
    assert_true(proposes(0.4, 0.5, 0.6, apart));
    assert_false(proposes(0.4, 0.5, 0.6, clash));
    assert_false(proposes(0.55, 0.5, 0.6, apart)); /* the ancestor is better than one of them */
    assert_true(proposes(0.5, 0.5, 0.5, equal));
    assert_true(proposes(0, 0, 0, apart)); /* where nobody has a mean to draw by */
}

static void test_no_ancestor_and_no_relation(void **state)
{
    (void)state;
    struct pool pool;
    struct pawl_merge merge;
    pool_open(&pool, 2, 8);
    join(&pool, PAWL_MERGE_NONE, PAWL_MERGE_NONE, 0.4, "a", "b", "");
    uint32_t line[] = {join(&pool, 0, PAWL_MERGE_NONE, 0.5, "a1", "b", ""), 0};
    line[1] = join(&pool, line[0], PAWL_MERGE_NONE, 0.6, "a1", "b1", "");
    assert_false(propose(&pool, line, 2, &merge)); /* one is the other's ancestor */
    uint32_t strangers[] = {line[1],
                            join(&pool, PAWL_MERGE_NONE, PAWL_MERGE_NONE, 0.6, "a", "b1", "")};
    assert_false(propose(&pool, strangers, 2, &merge));
    assert_false(propose(&pool, strangers, 1, &merge));
    /* Far relations count, through either parent. */
    uint32_t far = join(&pool, strangers[1], line[0], 0.7, "a1", "b2", "");
    uint32_t cousin = join(&pool, 0, PAWL_MERGE_NONE, 0.7, "a", "b3", "");
    uint32_t two[] = {far, cousin};
    assert_true(propose(&pool, two, 2, &merge));
    assert_int_equal(merge.ancestor, 0);
    pawl_arena_release(&pool.arena);
}

/* Two members whose scores on the cases are given; they join a common ancestor of score 0. */
static void pair(struct pool *pool, const double *first, const double *second, size_t n)
{
    pool_open(pool, 2, n);
    join(pool, PAWL_MERGE_NONE, PAWL_MERGE_NONE, 0, "a", "b", "");
    const char *texts[2][COMPONENTS_MAX] = {{"a1", "b", ""}, {"a", "b1", ""}};
    for (size_t i = 0; i < 2; i++) memcpy(pool->texts[1 + i], texts[i], sizeof texts[i]);
    pawl_merge_join(&pool->merger, 0, PAWL_MERGE_NONE, 0.5, first);
    pawl_merge_join(&pool->merger, 0, PAWL_MERGE_NONE, 0.5, second);
}

static void test_cases_of_every_kind(void **state)
{
    (void)state;
    const double first[] = {1, 1, 1, 1, 1, 0, 0, 0, 0.5, 0.5, 0.5, 1},
                 second[] = {0, 0, 0, 0, 0, 1, 1, 1, 0.5, 0.5, 0.5, NAN};
    for (uint64_t seed = 0; seed < 32; seed++) {
        struct pool pool;
        struct pawl_merge merge;
        uint32_t cases[PAWL_MERGE_CASES], two[] = {1, 2};
        size_t n[3] = {0};
        double sums[2] = {0};
        pair(&pool, first, second, 12);
        pawl_random_init(&pool.random, seed);
        assert_true(propose(&pool, two, 2, &merge));
        pawl_merge_cases(&pool.merger, &merge, &pool.random, cases);
        for (size_t i = 0; i < PAWL_MERGE_CASES; i++) {
            assert_in_range(cases[i], 0, 10); /* one that both have answered */
            for (size_t j = 0; j < i; j++) assert_int_not_equal(cases[i], cases[j]);
            n[cases[i] < 5 ? 0 : cases[i] < 8 ? 1 : 2]++;
            sums[0] += first[cases[i]];
            sums[1] += second[cases[i]];
        }
        for (size_t s = 0; s < 3; s++) assert_in_range(n[s], 1, 2);
        double bar = pawl_merge_bar(&pool.merger, &merge, cases);
        assert_true(bar == (sums[0] > sums[1] ? sums[0] : sums[1]));
        pawl_arena_release(&pool.arena);
    }
}

static void test_too_few_cases_in_common(void **state)
{
    (void)state;
    const double first[] = {1, 1, 1, 1, NAN, 0}, second[] = {0, 0, 0, 0, 1, NAN};
    struct pool pool;
    struct pawl_merge merge;
    const uint32_t two[] = {1, 2};
    pair(&pool, first, second, 6);
    assert_false(propose(&pool, two, 2, &merge));
    pawl_arena_release(&pool.arena);
}

/* One kind of case alone gives all five. */
static void test_cases_of_one_kind(void **state)
{
    (void)state;
    const double first[] = {1, 1, 1, 1, 1, 1, 1}, second[] = {0, 0, 0, 0, 0, 0, 0};
    struct pool pool;
    struct pawl_merge merge;
    uint32_t cases[PAWL_MERGE_CASES], seen = 0;
    const uint32_t two[] = {1, 2};
    pair(&pool, first, second, 7);
    assert_true(propose(&pool, two, 2, &merge));
    pawl_merge_cases(&pool.merger, &merge, &pool.random, cases);
    for (size_t i = 0; i < PAWL_MERGE_CASES; i++) seen |= 1u << cases[i];
    assert_int_equal(__builtin_popcount(seen), PAWL_MERGE_CASES);
    pawl_arena_release(&pool.arena);
}

/* --- the reference's vectors ------------------------------------------------------------------------- */

static const char *text_at(const json_t *entry, const char *who, size_t component)
{
    return json_string_value(json_array_get(json_object_get(entry, who), component));
}

static uint32_t join_entry(struct pool *pool, const json_t *entry, const char *who, uint32_t parent,
                           double mean)
{
    return join(pool, parent, PAWL_MERGE_NONE, mean, text_at(entry, who, 0), text_at(entry, who, 1),
                text_at(entry, who, 2));
}

static bool propose_entry(struct pool *pool, const json_t *entry, double mean_a,
                          struct pawl_merge *merge)
{
    uint32_t two[2];
    size_t n = json_array_size(json_object_get(entry, "i"));
    pool_open(pool, n, 8);
    join_entry(pool, entry, "ancestor", PAWL_MERGE_NONE, mean_a);
    two[0] = join_entry(pool, entry, "i", 0, pawl_json_get_real(entry, "mean_i", 0));
    two[1] = join_entry(pool, entry, "j", 0, pawl_json_get_real(entry, "mean_j", 0));
    return propose(pool, two, 2, merge);
}

static void check_components(const json_t *entry, const json_t *wanted)
{
    struct pool pool;
    struct pawl_merge merge;
    assert_true(propose_entry(&pool, entry, 0.4, &merge));
    for (size_t c = 0; c < json_array_size(wanted); c++) {
        const char *want = json_string_value(json_array_get(wanted, c));
        if (strcmp(want, "coin") == 0) continue;
        assert_string_equal(text_at(entry, merge.from_second[c] ? "j" : "i", c), want);
    }
    pawl_arena_release(&pool.arena);
}

static void test_vectors(void **state)
{
    (void)state;
    json_t *file = vectors_load();
    if (file == NULL) return;
    const json_t *vector = vectors_find(file, "gepa.merge.components");
    const json_t *cases = json_object_get(json_object_get(vector, "input"), "cases");
    for (size_t i = 0; i < json_array_size(cases); i++)
        check_components(json_array_get(cases, i),
                         json_array_get(json_object_get(vector, "expect"), i));
    vector = vectors_find(file, "gepa.merge.ancestor_eligible");
    cases = json_object_get(json_object_get(vector, "input"), "cases");
    for (size_t i = 0; i < json_array_size(cases); i++) {
        struct pool pool;
        struct pawl_merge merge;
        const json_t *entry = json_array_get(cases, i);
        bool want = json_is_true(json_array_get(json_object_get(vector, "expect"), i));
        assert_int_equal(
            propose_entry(&pool, entry, pawl_json_get_real(entry, "mean_a", 0), &merge), want);
        pawl_arena_release(&pool.arena);
    }
    vector = vectors_find(file, "gepa.merge.test_set_size");
    assert_int_equal(pawl_json_get_int(json_object_get(vector, "expect"), "cases", 0),
                     PAWL_MERGE_CASES);
    json_decref(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_takes_what_each_has_changed),
        cmocka_unit_test(test_the_better_one_where_both_changed),
        cmocka_unit_test(test_a_coin_between_equals),
        cmocka_unit_test(test_who_may_be_joined),
        cmocka_unit_test(test_no_ancestor_and_no_relation),
        cmocka_unit_test(test_cases_of_every_kind),
        cmocka_unit_test(test_too_few_cases_in_common),
        cmocka_unit_test(test_cases_of_one_kind),
        cmocka_unit_test(test_vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
