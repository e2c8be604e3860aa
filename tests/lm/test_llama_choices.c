/*
 * Choices of the embedded model: all scored, or the best one found. Needs the default model
 * (scripts/fetch-model); without it the tests are skipped, loudly.
 */
#include "llama_fixture.h"

#ifdef PAWL_HAVE_LLAMA
#include "store/store.h"

#include <math.h>

static int open_shared(void **unused)
{
    if (use_folders(unused) != 0) return -1;
    shared_lm = open_model(F32_SETTINGS);
    return 0;
}

static void test_choices_are_scored(void **unused)
{
    (void)unused;
    static const struct pawl_message messages[] = {
        {"system", {"Classify the sentiment. Answer positive or negative.", 52}},
        {"user", {"I love it, the best I ever had!", 31}}};
    struct pawl_lm_request request = {
        .messages = messages, .n_messages = 2, .choices = labels, .n_choices = 2, .max_tokens = 1};
    struct pawl_lm_reply reply = must_ask(shared_lm, request);
    assert_text(&reply, "positive");
    assert_true(reply.choice_logprobs[0] > reply.choice_logprobs[1]);
    assert_true(reply.choice_logprobs[0] <= 0);
    assert_false(reply.truncated);
    assert_true(pawl_lm_scores_choices(shared_lm, PAWL_ROLE_TASK));
}

static void test_a_choice_scores_the_same_in_any_company(void **unused)
{
    (void)unused;
    static const struct pawl_str two[] = {{"a heavy summer storm", 20}, {"positive", 8}};
    static const struct pawl_str four[] = {
        {"negative", 8}, {"a heavy summer", 14}, {"a heavy summer storm", 20}, {"a dog", 5}};
    struct pawl_lm_reply a = must_ask(shared_lm, choose("What comes after heat?", two, 2));
    struct pawl_lm_reply b = must_ask(shared_lm, choose("What comes after heat?", four, 4));
    assert_true(fabs(a.choice_logprobs[0] - b.choice_logprobs[2]) < 0.01);
    /* Complete answers exclude each other: their probabilities sum to less than one. */
    double sum = 0;
    for (size_t i = 0; i < 4; i++) sum += exp(b.choice_logprobs[i]);
    assert_true(sum < 1);
    assert_true(b.choice_logprobs[2] < -1);
}

static void test_choices_alone_and_in_a_batch_agree(void **unused)
{
    (void)unused;
    enum { N = 12 };
    struct pawl_lm_request requests[N];
    struct pawl_lm_reply together[N];
    for (size_t i = 0; i < N; i++)
        requests[i] = choose(pawl_arena_printf(&arena, "Sentiment of item %zu: %s.", i, topics[i]),
                             labels, 2);
    ask_all(shared_lm, requests, N, together);
    for (size_t i = 0; i < N; i++) {
        struct pawl_lm_reply alone = must_ask(shared_lm, requests[i]);
        for (size_t k = 0; k < 2; k++)
            assert_true(fabs(alone.choice_logprobs[k] - together[i].choice_logprobs[k]) < 0.01);
    }
}

static void test_hundreds_of_choices_take_turns(void **unused)
{
    (void)unused;
    enum { N = 150 };
    struct pawl_str choices[N];
    for (size_t i = 0; i < N; i++)
        choices[i] =
            pawl_str_of(pawl_arena_printf(&arena, "%s number %zu of many", topics[i % 12], i));
    struct pawl_lm_reply reply = must_ask(shared_lm, choose("Pick one.", choices, N));
    assert_int_equal(reply.status, PAWL_REPLY_OK);
    for (size_t i = 0; i < N; i++) assert_true(reply.choice_logprobs[i] < 0);
}

static void test_the_best_choice_alone_is_the_best_of_all(void **unused)
{
    (void)unused;
    enum { N = 6, N_CHOICES = 60 };
    struct pawl_str choices[N_CHOICES];
    for (size_t i = 0; i < N_CHOICES; i++)
        choices[i] = pawl_str_of(pawl_arena_printf(&arena, "%s_%s", topics[i % N_TOPICS],
                                                   topics[(i / N_TOPICS + i + 5) % N_TOPICS]));
    struct pawl_lm_request requests[N];
    struct pawl_lm_reply all[N], best[N];
    for (size_t i = 0; i < N; i++) requests[i] = choose(about(topics[i]), choices, N_CHOICES);
    ask_all(shared_lm, requests, N, all);
    for (size_t i = 0; i < N; i++) requests[i].best_only = true;
    ask_all(shared_lm, requests, N - 1,
            best); /* some together, one alone: it looks further ahead */
    best[N - 1] = must_ask(shared_lm, requests[N - 1]);
    for (size_t i = 0; i < N; i++) {
        size_t at = 0;
        while (!pawl_str_eq(choices[at], best[i].text)) at++;
        for (size_t k = 0; k < N_CHOICES; k++) /* a near tie may fall to the other side */
            assert_true(all[i].choice_logprobs[k] < all[i].choice_logprobs[at] + 0.01);
        assert_null(best[i].choice_logprobs);
        assert_int_equal(best[i].usage.prompt_tokens, all[i].usage.prompt_tokens);
    }
}

static void test_a_kept_answer_with_all_serves_one_that_wants_the_best(void **unused)
{
    (void)unused;
    struct pawl_store *store;
    struct pawl_error err = {0};
    if (pawl_store_open(path_of("store"), true, &store, &err) != PAWL_OK)
        fail_msg("%s", err.message);
    struct pawl_lm *lm = open_model_with((struct pawl_lm_settings){.cache = store}, F32_SETTINGS);
    struct pawl_lm_request all = choose("Is rain wet?", labels, 2), best = all, other = all;
    best.best_only = other.best_only = true;
    other.sample = 1;
    struct pawl_lm_reply kept = must_ask(lm, all);
    must_ask(lm, other);
    if (pawl_store_flush(store, &err) != PAWL_OK) fail_msg("%s", err.message);
    struct pawl_lm_reply reply = must_ask(lm, best);
    assert_int_equal(reply.usage.n_cached, 1);
    assert_true(pawl_str_eq(reply.text, kept.text));
    assert_true(reply.choice_logprobs[1] == kept.choice_logprobs[1]);
    assert_int_equal(must_ask(lm, other).usage.n_cached, 1);
    other.best_only = false; /* the other way round it is not enough */
    reply = must_ask(lm, other);
    assert_int_equal(reply.usage.n_cached, 0);
    assert_non_null(reply.choice_logprobs);
    pawl_lm_close(lm);
    pawl_store_close(store);
}

int main(void)
{
    if (!find_default_model()) return 0;
    const struct CMUnitTest tests[] = {
        SHARED_TEST(test_choices_are_scored),
        SHARED_TEST(test_a_choice_scores_the_same_in_any_company),
        SHARED_TEST(test_choices_alone_and_in_a_batch_agree),
        SHARED_TEST(test_hundreds_of_choices_take_turns),
        SHARED_TEST(test_the_best_choice_alone_is_the_best_of_all),
        OWN_TEST(test_a_kept_answer_with_all_serves_one_that_wants_the_best),
    };
    return cmocka_run_group_tests(tests, open_shared, close_shared);
}
#else
int main(void)
{
    fputs("SKIPPED: pawl was built without libllama\n", stderr);
    return 0;
}
#endif
