/*
 * Many requests at the embedded model at once: shared beginnings, turns, and an end to waiting. Needs the
 * default model (scripts/fetch-model); without it the tests are skipped, loudly.
 */
#include "llama_fixture.h"

#ifdef PAWL_HAVE_LLAMA
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>

static int open_shared(void **unused)
{
    if (use_folders(unused) != 0) return -1;
    shared_lm = open_model(F32_SETTINGS);
    return 0;
}

/* --- shared beginnings ------------------------------------------------------------------------- */

static struct pawl_lm_request with_long_system(const char *question, size_t n_shared)
{
    struct pawl_buf text = PAWL_BUF(1 << 16);
    for (int i = 0; i < 40; i++) pawl_buf_printf(&text, "Rule %d: be brief and honest. ", i);
    struct pawl_message *messages = PAWL_NEW_N(&arena, struct pawl_message, 2);
    messages[0] = (struct pawl_message){"system", pawl_arena_copy(&arena, pawl_buf_str(&text))};
    messages[1] = (struct pawl_message){"user", pawl_str_of(question)};
    pawl_buf_release(&text);
    return (struct pawl_lm_request){.messages = messages,
                                    .n_messages = 2,
                                    .n_shared = n_shared,
                                    .choices = labels,
                                    .n_choices = 2,
                                    .max_tokens = 1};
}

static void test_a_shared_beginning_is_computed_once(void **unused)
{
    (void)unused;
    struct pawl_lm *lm = open_model(F32_SETTINGS);
    enum { N = 6 };
    struct pawl_lm_request requests[N];
    struct pawl_lm_reply hinted[N], found[N];
    for (size_t i = 0; i < N; i++) requests[i] = with_long_system(topics[i], 1);
    ask_all(lm, requests, N, hinted);
    for (size_t i = 0; i < N; i++) {
        assert_true(hinted[i].usage.cached_tokens > 200);
        assert_true(hinted[i].usage.prompt_tokens - hinted[i].usage.cached_tokens < 40);
    }
    pawl_lm_close(lm);
    lm = open_model(F32_SETTINGS); /* nobody says what is shared */
    for (size_t i = 0; i < N; i++) requests[i].n_shared = 0;
    ask_all(lm, requests, N, found);
    for (size_t i = 0; i < N; i++) {
        assert_true(found[i].usage.cached_tokens > 200);
        assert_int_equal(found[i].usage.prompt_tokens, hinted[i].usage.prompt_tokens);
        for (size_t k = 0; k < 2; k++)
            assert_true(fabs(found[i].choice_logprobs[k] - hinted[i].choice_logprobs[k]) < 0.01);
    }
    pawl_lm_close(lm);
}

static void test_samples_of_one_prompt_read_it_once(void **unused)
{
    (void)unused;
    enum { N = 8 };
    struct pawl_lm_request requests[N];
    struct pawl_lm_reply replies[N];
    for (int i = 0; i < N; i++) {
        requests[i] = with_long_system("rain", 0);
        requests[i].n_choices = 0;
        requests[i].max_tokens = 2;
        requests[i].temperature = 1;
        requests[i].sample = i;
    }
    ask_all(shared_lm, requests, N, replies);
    for (int i = 0; i < N; i++)
        assert_int_equal(replies[i].usage.cached_tokens, replies[i].usage.prompt_tokens - 1);
}

static void test_more_than_the_cells_hold_is_answered_in_turn(void **unused)
{
    (void)unused;
    struct pawl_lm *lm = open_model(F32_SETTINGS ",\"context\":512");
    enum { N = 12 };
    struct pawl_lm_request requests[N];
    struct pawl_lm_reply replies[N];
    for (size_t i = 0; i < N; i++) {
        struct pawl_buf text = PAWL_BUF(1 << 16);
        for (size_t k = 0; k < 60 + 3 * i; k++)
            pawl_buf_printf(&text, "%s ", topics[(i + k * (i + 1)) % N_TOPICS]);
        const char *prompt = pawl_arena_strdup(&arena, text.data);
        pawl_buf_release(&text);
        requests[i] = i % 3 ? ask_for(prompt, 8 + 20 * (int)i) : choose(prompt, labels, 2);
    }
    ask_all(lm, requests, N, replies);
    pawl_lm_close(lm);
}

struct asker {
    size_t topic;
    size_t good;
};

static void *ask_some(void *argument)
{
    struct asker *asker = argument;
    struct pawl_arena mine = {0};
    for (size_t i = 0; i < 4; i++) {
        struct pawl_message message = {"user", pawl_str_of(topics[(asker->topic + i) % N_TOPICS])};
        struct pawl_lm_request request = {.messages = &message, .n_messages = 1, .max_tokens = 6};
        if (i % 2) request.choices = labels;
        if (i % 2) request.n_choices = 2;
        struct pawl_lm_reply reply;
        if (pawl_lm_ask(shared_lm, &mine, &request, 1, &reply, NULL) == PAWL_OK)
            asker->good += reply.status == PAWL_REPLY_OK && reply.text.len > 0;
    }
    pawl_arena_release(&mine);
    return NULL;
}

static void test_many_threads_ask_at_once(void **unused)
{
    (void)unused;
    enum { N = 16 };
    pthread_t threads[N];
    struct asker askers[N];
    for (size_t i = 0; i < N; i++) {
        askers[i] = (struct asker){.topic = i};
        assert_int_equal(pthread_create(&threads[i], NULL, ask_some, &askers[i]), 0);
    }
    for (size_t i = 0; i < N; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(askers[i].good, 4);
    }
}

struct writer {
    atomic_bool done;
    bool good;
};

/* As many long answers as there are slots. */
static void *write_long_answers(void *argument)
{
    struct writer *writer = argument;
    enum { N = 63 };
    struct pawl_arena mine = {0};
    struct pawl_lm_request requests[N];
    struct pawl_lm_reply replies[N];
    for (size_t i = 0; i < N; i++) {
        struct pawl_message *message = PAWL_NEW(&mine, struct pawl_message);
        *message = (struct pawl_message){
            "user", pawl_str_of(pawl_arena_printf(&mine, "Count to %zu thousand.", i + 2))};
        requests[i] = (struct pawl_lm_request){
            .role = PAWL_ROLE_REFLECT, .messages = message, .n_messages = 1, .max_tokens = 30};
    }
    writer->good = pawl_lm_ask(shared_lm, &mine, requests, N, replies, NULL) == PAWL_OK;
    atomic_store(&writer->done, true);
    pawl_arena_release(&mine);
    return NULL;
}

static void test_long_answers_of_one_role_do_not_starve_another(void **unused)
{
    (void)unused;
    struct writer writer = {.good = false};
    pthread_t thread;
    must_ask(shared_lm, choose("Is it day?", labels, 2)); /* the role is known, and keeps slots */
    assert_int_equal(pthread_create(&thread, NULL, write_long_answers, &writer), 0);
    usleep(100 * 1000);
    for (size_t i = 0; i < 3; i++) {
        struct pawl_lm_reply reply = must_ask(shared_lm, choose(about(topics[i]), labels, 2));
        assert_int_equal(reply.status, PAWL_REPLY_OK);
        assert_false(atomic_load(&writer.done));
    }
    pthread_join(thread, NULL);
    assert_true(writer.good);
}

static void *ask_for_ever(void *argument)
{
    struct pawl_lm *lm = argument;
    struct pawl_arena mine = {0};
    struct pawl_message message = {"user", {"Count to ten thousand.", 22}};
    struct pawl_lm_request request = {.messages = &message, .n_messages = 1, .max_tokens = 6000};
    static const struct pawl_str never = {"\x01\x02", 2};
    request.stops = &never;
    request.n_stops = 1;
    enum pawl_status status = PAWL_OK;
    struct pawl_lm_reply reply;
    for (int i = 0; i < 50 && status == PAWL_OK; i++)
        status = pawl_lm_ask(lm, &mine, &request, 1, &reply, NULL);
    pawl_arena_release(&mine);
    return (void *)(intptr_t)status;
}

static void test_cancel_ends_waiting(void **unused)
{
    (void)unused;
    struct pawl_lm *lm = open_model(F32_SETTINGS);
    struct pawl_lm_reply warm = must_ask(lm, ask_for("hello", 1));
    assert_int_equal(warm.status, PAWL_REPLY_OK);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, ask_for_ever, lm), 0);
    usleep(200 * 1000);
    pawl_lm_cancel(lm);
    void *status;
    pthread_join(thread, &status);
    assert_int_equal((enum pawl_status)(intptr_t)status, PAWL_EPAUSED);
    pawl_lm_close(lm);
}

int main(void)
{
    if (!find_default_model()) return 0;
    const struct CMUnitTest tests[] = {
        SHARED_TEST(test_a_shared_beginning_is_computed_once),
        SHARED_TEST(test_samples_of_one_prompt_read_it_once),
        SHARED_TEST(test_more_than_the_cells_hold_is_answered_in_turn),
        SHARED_TEST(test_many_threads_ask_at_once),
        SHARED_TEST(test_long_answers_of_one_role_do_not_starve_another),
        SHARED_TEST(test_cancel_ends_waiting),
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
