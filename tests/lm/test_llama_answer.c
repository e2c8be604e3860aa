/* What is made of logits: scores of choices, the next token, the end of an answer. No model. */
#include "lm_fixture.h"

#ifdef PAWL_HAVE_LLAMA
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

static void test_equal_and_empty_choices_are_scored(void **unused)
{
    (void)unused;
    static const llama_token tokens[][4] = {{3}, {3}, {0}};
    struct pawl_llama_choices c = score(tokens, (size_t[]){1, 1, 0}, 3, PAWL_LLAMA_SUM);
    assert_near(c.score[0], c.score[1]);
    assert_near(c.score[2], p(END));
    assert_int_equal(pawl_llama_choices_finish(&c), 2);
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
        cmocka_unit_test_setup_teardown(test_equal_and_empty_choices_are_scored, set_up, tear_down),
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
