/* What is made of logits: scores of choices, the next token, the end of an answer. No model. */
#include "lm_fixture.h"

#ifdef PAWL_HAVE_LLAMA
#include "base/random.h"
#include "lm/llama_sample.h"
#include "lm/llama_score.h"

#include <math.h>

enum { VOCAB = 8, END = 7 };

/* A language without memory: token t has the probability t + 1 of 36, whatever went before. */
static const float *logits_of_counts(void)
{
    static float logits[VOCAB];
    for (int i = 0; i < VOCAB; i++) logits[i] = logf((float)(i + 1)) + 5;
    return logits;
}

static double p(int token)
{
    return log((token + 1) / 36.0);
}

/* Build, feed every row that the choices ask for, finish. */
static struct pawl_llama_choices score(const llama_token (*tokens)[4], const size_t *n_tokens,
                                       size_t n, enum pawl_llama_scoring scoring)
{
    struct pawl_llama_choice *choice = PAWL_NEW_N(&arena, struct pawl_llama_choice, n);
    for (size_t i = 0; i < n; i++)
        choice[i] = (struct pawl_llama_choice){.tokens = tokens[i], .n_tokens = n_tokens[i]};
    struct pawl_llama_choices choices;
    pawl_llama_choices_build(&choices, &arena, choice, n, END, scoring);
    pawl_llama_choices_add(&choices, PAWL_LLAMA_ROOT, logits_of_counts(), VOCAB);
    for (size_t i = 0; i < choices.n_nodes; i++)
        pawl_llama_choices_add(&choices, i, logits_of_counts(), VOCAB);
    return choices;
}

static void assert_near(double a, double b)
{
    if (fabs(a - b) > 1e-5) fail_msg("%g is not %g", a, b);
}

static void test_one_token_choices_need_no_decode(void **unused)
{
    (void)unused;
    static const llama_token tokens[][4] = {{2}, {5}};
    struct pawl_llama_choices c = score(tokens, (size_t[]){1, 1}, 2, PAWL_LLAMA_SUM);
    assert_int_equal(c.n_nodes, 0);
    assert_near(c.score[0], p(2));
    assert_near(c.score[1], p(5));
    assert_int_equal(pawl_llama_choices_finish(&c), 1);
}

static void test_longer_choices_share_their_nodes(void **unused)
{
    (void)unused;
    static const llama_token tokens[][4] = {{1, 2}, {1, 2, 3}, {1, 2, 4, 5}, {6}};
    struct pawl_llama_choices c = score(tokens, (size_t[]){2, 3, 4, 1}, 4, PAWL_LLAMA_SUM);
    assert_int_equal(c.n_nodes, 3); /* 1, 2 and 4 serve them all */
    assert_int_equal(c.height, 3);
    assert_near(c.score[0], p(1) + p(2) + p(END)); /* it begins another: its end counts */
    assert_near(c.score[1], p(1) + p(2) + p(3));
    assert_near(c.score[2], p(1) + p(2) + p(4) + p(5));
    assert_near(c.score[3], p(6));
}

static void test_nodes_lie_in_the_order_of_a_walk(void **unused)
{
    (void)unused;
    /* Not in order, with branches at every depth: 1 (2 (3, 4), 5 (6)), 3 (1). */
    static const llama_token tokens[][4] = {{1, 5, 6, 0}, {3, 1, 1}, {1, 2, 4, 0},
                                            {1, 2, 3, 0}, {3, 0},    {1, 2, 3, 1}};
    struct pawl_llama_choices c = score(tokens, (size_t[]){4, 3, 4, 4, 2, 4}, 6, PAWL_LLAMA_SUM);
    static const llama_token walk[] = {1, 2, 3, 4, 5, 6, 3, 1};
    static const size_t parents[] = {PAWL_LLAMA_ROOT, 0, 1, 1, 0, 4, PAWL_LLAMA_ROOT, 6};
    static const size_t ends[] = {6, 4, 3, 4, 6, 6, 8, 8};
    assert_int_equal(c.n_nodes, 8);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(c.nodes[i].token, walk[i]);
        assert_int_equal(c.nodes[i].parent, parents[i]);
        assert_int_equal(c.nodes[i].end, ends[i]);
        assert_int_equal(c.nodes[i].depth,
                         parents[i] == PAWL_LLAMA_ROOT ? 0 : c.nodes[parents[i]].depth + 1);
    }
    assert_near(c.score[0], p(1) + p(5) + p(6) + p(0));
    assert_near(c.score[1], 2 * p(1) + p(3));
    assert_near(c.score[4], p(3) + p(0));
    assert_near(c.score[5], 2 * p(1) + p(2) + p(3));
}

static void test_mean_and_first_count_other_tokens(void **unused)
{
    (void)unused;
    static const llama_token tokens[][4] = {{1, 2, 3}, {1, 4, 5}, {6}};
    struct pawl_llama_choices c = score(tokens, (size_t[]){3, 3, 1}, 3, PAWL_LLAMA_FIRST);
    assert_near(c.score[0], p(1) + p(2));
    assert_near(c.score[1], p(1) + p(4));
    assert_near(c.score[2], p(6));
    assert_int_equal(c.height, 1);
    c = score(tokens, (size_t[]){3, 3, 1}, 3, PAWL_LLAMA_MEAN);
    pawl_llama_choices_finish(&c);
    assert_near(c.score[0], (p(1) + p(2) + p(3)) / 3);
    assert_near(c.score[2], p(6));
}

/* Each token against those that a choice goes on with, so that all choices together have probability 1;
 * the same token of two choices counts once, and a token without alternative costs nothing. */
static void test_held_shares_out_what_the_list_allows(void **unused)
{
    (void)unused;
    static const llama_token tokens[][4] = {{1, 2, 3}, {1, 2, 5}, {6}};
    struct pawl_llama_choices c = score(tokens, (size_t[]){3, 3, 1}, 3, PAWL_LLAMA_HELD);
    double first = log(exp(p(1)) + exp(p(6))), third = log(exp(p(3)) + exp(p(5)));
    assert_near(c.score[0], p(1) - first + p(3) - third);
    assert_near(c.score[1], p(1) - first + p(5) - third);
    assert_near(c.score[2], p(6) - first);
    assert_near(exp(c.score[0]) + exp(c.score[1]) + exp(c.score[2]), 1);
}

static void test_equal_and_empty_choices_are_scored(void **unused)
{
    (void)unused;
    static const llama_token tokens[][4] = {{3}, {3}, {0}};
    struct pawl_llama_choices c = score(tokens, (size_t[]){1, 1, 0}, 3, PAWL_LLAMA_SUM);
    assert_near(c.score[0], c.score[1]);
    assert_near(c.score[2], p(END));
    assert_int_equal(pawl_llama_choices_finish(&c), 2);
}

/* --- the best choice alone -------------------------------------------------------------------- */

enum { CHOICES_MAX = 40, TOKENS_MAX = 6 };

struct world {
    uint64_t seed;
    double heat;    /* of the logits after each node: the colder, the more peaked */
    bool has_ties;  /* logits are whole numbers */
    bool has_holes; /* some tokens are impossible, and some logits no numbers */
};

static void logits_after(const struct world *world, size_t node, float logits[VOCAB])
{
    struct pawl_random all, here;
    struct pawl_str label = {(const char *)&node, sizeof node};
    pawl_random_init(&all, world->seed);
    here = pawl_random_split(&all, label);
    for (int i = 0; i < VOCAB; i++) {
        double value = 4 * pawl_random_unit(&here) - 2;
        logits[i] = (float)((world->has_ties ? round(value) : value) / world->heat);
        uint64_t hole = pawl_random_below(&here, 20);
        if (world->has_holes && hole < 2) logits[i] = hole ? -INFINITY : NAN;
    }
}

static void draw_choices(const struct world *world, struct pawl_llama_choices *choices,
                         enum pawl_llama_scoring scoring)
{
    struct pawl_random random;
    pawl_random_init(&random, world->seed);
    size_t n = 1 + pawl_random_below(&random, CHOICES_MAX);
    uint64_t n_kinds = 2 + pawl_random_below(&random, END - 2); /* few: a narrow trie */
    struct pawl_llama_choice *choice = PAWL_NEW_N(&arena, struct pawl_llama_choice, n);
    for (size_t i = 0; i < n; i++) {
        llama_token *tokens = PAWL_NEW_N(&arena, llama_token, TOKENS_MAX);
        for (size_t k = 0; k < TOKENS_MAX; k++)
            tokens[k] = (llama_token)pawl_random_below(&random, n_kinds);
        choice[i].tokens = tokens;
        choice[i].n_tokens = pawl_random_below(&random, TOKENS_MAX + 1);
    }
    pawl_llama_choices_build(choices, &arena, choice, n, END, scoring);
}

/* As the engine does, with `n_branches` in a batch; PAWL_BUG sees to it that none is added twice. */
static size_t search(const struct world *world, struct pawl_llama_choices *choices,
                     size_t n_branches)
{
    float logits[VOCAB];
    logits_after(world, PAWL_LLAMA_ROOT, logits);
    pawl_llama_choices_add(choices, PAWL_LLAMA_ROOT, logits, VOCAB);
    struct pawl_llama_branch branch, batch[CHOICES_MAX];
    for (;;) {
        size_t n = 0;
        for (size_t i = 0; i < choices->n_nodes; i++) choices->nodes[i].entry = -1;
        while (n < n_branches && pawl_llama_choices_next(choices, &branch)) {
            for (size_t at = branch.last;; at = choices->nodes[at].parent) {
                assert_int_equal(choices->nodes[at].entry, -1);
                choices->nodes[at].entry = 0;
                if (at == branch.first) break;
            }
            batch[n++] = branch;
        }
        if (n == 0) return pawl_llama_choices_finish(choices);
        for (size_t i = 0; i < n; i++)
            for (size_t node = batch[i].first; node <= batch[i].last; node++) {
                logits_after(world, node, logits);
                pawl_llama_choices_add(choices, node, logits, VOCAB);
            }
    }
}

/* Both searches; adds to the number of nodes that each of them needed. */
static void compare_searches(const struct world *world, enum pawl_llama_scoring scoring,
                             size_t n_branches, size_t *n_all, size_t *n_best)
{
    struct pawl_llama_choices all, best;
    draw_choices(world, &all, scoring);
    draw_choices(world, &best, scoring);
    best.best_only = true;
    size_t wanted = search(world, &all, n_branches), found = search(world, &best, n_branches);
    assert_int_equal(all.n_added, all.n_nodes);
    for (size_t i = 0; i < all.n_choices; i++) {
        assert_false(all.score[i] > all.score[wanted]);
        assert_false(i < wanted && all.score[i] == all.score[wanted]);
    }
    if (found != wanted || best.score[found] != all.score[wanted])
        fail_msg("seed %llu: choice %zu with %g is not %zu with %g",
                 (unsigned long long)world->seed, found, best.score[found], wanted,
                 all.score[wanted]);
    assert_true(best.n_added <= all.n_added);
    *n_all += all.n_added;
    *n_best += best.n_added;
}

static void test_the_best_choice_alone_is_that_of_all(void **unused)
{
    (void)unused;
    size_t n_all = 0, n_best = 0;
    for (uint64_t seed = 0; seed < 3000; seed++) {
        const struct world world = {.seed = seed,
                                    .heat = seed % 5 ? 0.2 * (double)(seed % 5) : 2,
                                    .has_ties = seed % 2,
                                    .has_holes = seed % 7 == 0};
        for (int scoring = PAWL_LLAMA_SUM; scoring <= PAWL_LLAMA_HELD; scoring++)
            compare_searches(&world, (enum pawl_llama_scoring)scoring, 1 + seed % 9, &n_all,
                             &n_best);
        pawl_arena_release(&arena);
    }
    assert_true(n_best < n_all);
}

static void test_where_one_choice_stands_out_little_is_decoded(void **unused)
{
    (void)unused;
    static const double least_saving[] = {
        [PAWL_LLAMA_SUM] = 5, [PAWL_LLAMA_MEAN] = 2, [PAWL_LLAMA_FIRST] = 5, [PAWL_LLAMA_HELD] = 5};
    for (int scoring = PAWL_LLAMA_SUM; scoring <= PAWL_LLAMA_HELD; scoring++) {
        size_t n_all = 0, n_best = 0;
        for (uint64_t seed = 0; seed < 300; seed++) {
            const struct world world = {.seed = seed, .heat = 0.05};
            compare_searches(&world, (enum pawl_llama_scoring)scoring, 1, &n_all, &n_best);
            pawl_arena_release(&arena);
        }
        if ((double)n_best * least_saving[scoring] > (double)n_all)
            fail_msg("scoring %d: %zu of %zu nodes", scoring, n_best, n_all);
    }
}

/* The tokens of one way that cannot part are one branch; nothing below the best is decoded. */
static void test_a_branch_goes_on_while_there_is_one_way(void **unused)
{
    (void)unused;
    static const llama_token tokens[][4] = {{6, 1, 2, 3}, {6, 1, 2, 4}, {0, 1, 2, 3}, {5, 0}};
    struct pawl_llama_choice choice[4];
    for (size_t i = 0; i < 4; i++)
        choice[i] = (struct pawl_llama_choice){.tokens = tokens[i], .n_tokens = i < 3 ? 4 : 1};
    struct pawl_llama_choices c;
    struct pawl_llama_branch branch;
    pawl_llama_choices_build(&c, &arena, choice, 4, END, PAWL_LLAMA_SUM);
    c.best_only = true;
    for (size_t i = 0; i < c.n_nodes; i++) c.nodes[i].entry = -1;
    pawl_llama_choices_add(&c, PAWL_LLAMA_ROOT, logits_of_counts(), VOCAB);
    assert_true(pawl_llama_choices_next(&c, &branch));
    assert_int_equal(c.nodes[branch.first].token, 6);
    assert_int_equal(branch.last, branch.first + 2);
    for (size_t node = branch.first; node <= branch.last; node++)
        pawl_llama_choices_add(&c, node, logits_of_counts(), VOCAB);
    assert_false(pawl_llama_choices_next(&c, &branch)); /* 0 is less than 5 already */
    assert_int_equal(c.n_added, 3);
    assert_int_equal(pawl_llama_choices_finish(&c), 3);
    assert_near(c.score[3], p(5));
}

static void test_greedy_takes_the_likeliest(void **unused)
{
    (void)unused;
    struct pawl_llama_urn *urn = pawl_llama_urn_new(VOCAB);
    struct pawl_llama_sampling greedy = {.temperature = 0};
    assert_int_equal(pawl_llama_pick(urn, &greedy, logits_of_counts()), 7);
    static const float equal[VOCAB] = {0, 3, 3, 1};
    assert_int_equal(pawl_llama_pick(urn, &greedy, equal), 1);
    static const float broken[VOCAB] = {NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
    struct pawl_llama_sampling warm = {.temperature = 1};
    assert_in_range(pawl_llama_pick(urn, &warm, broken), 0, VOCAB - 1);
    pawl_llama_urn_free(urn);
}

static void count_draws(double temperature, double top_p, int n, int counts[VOCAB])
{
    struct pawl_llama_urn *urn = pawl_llama_urn_new(VOCAB);
    struct pawl_llama_sampling sampling = {.temperature = temperature, .top_p = top_p};
    pawl_random_init(&sampling.random, 1);
    memset(counts, 0, VOCAB * sizeof *counts);
    for (int i = 0; i < n; i++) counts[pawl_llama_pick(urn, &sampling, logits_of_counts())]++;
    pawl_llama_urn_free(urn);
}

static void test_samples_follow_the_probabilities(void **unused)
{
    (void)unused;
    enum { N = 36000 };
    int counts[VOCAB];
    count_draws(1, 0, N, counts);
    for (int i = 0; i < VOCAB; i++) /* five standard deviations */
        assert_true(fabs(counts[i] - N * (i + 1) / 36.0) < 5 * sqrt(N * (i + 1) / 36.0));
    count_draws(0.5, 1, N, counts); /* squares: 64 of 204 */
    assert_true(fabs(counts[7] - N * 64 / 204.0) < 5 * sqrt(N * 64 / 204.0));
    count_draws(1, 0.4, N, counts); /* 8 + 7 of 36 are enough */
    assert_int_equal(counts[7] + counts[6], N);
    assert_true(fabs(counts[7] - N * 8 / 15.0) < 5 * sqrt(N * 8 / 15.0));
    count_draws(1e-9, 0.9, 100, counts);
    assert_int_equal(counts[7], 100);
}

static void test_a_stop_is_found_across_pieces(void **unused)
{
    (void)unused;
    static const struct pawl_str stops[] = {{"END", 3}, {"\n\n", 2}, {"", 0}};
    struct pawl_str text = pawl_str_of("answer E");
    assert_int_equal(pawl_llama_find_stop(text, 2, stops, 3), text.len);
    text = pawl_str_of("answer END");
    assert_int_equal(pawl_llama_find_stop(text, 2, stops, 3), 7);
    text = pawl_str_of("a\n\nEND");
    assert_int_equal(pawl_llama_find_stop(text, 6, stops, 3), 1);
    assert_int_equal(pawl_llama_find_stop(text, 6, stops, 0), text.len);
    assert_int_equal(pawl_llama_find_stop((struct pawl_str){"", 0}, 0, stops, 3), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_token_choices_need_no_decode, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_longer_choices_share_their_nodes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nodes_lie_in_the_order_of_a_walk, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_mean_and_first_count_other_tokens, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_held_shares_out_what_the_list_allows, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_equal_and_empty_choices_are_scored, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_best_choice_alone_is_that_of_all, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_where_one_choice_stands_out_little_is_decoded, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_branch_goes_on_while_there_is_one_way, set_up,
                                        tear_down),
        cmocka_unit_test(test_greedy_takes_the_likeliest),
        cmocka_unit_test(test_samples_follow_the_probabilities),
        cmocka_unit_test(test_a_stop_is_found_across_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void)
{
    fputs("SKIPPED: pawl was built without libllama\n", stderr);
    return 0;
}
#endif
