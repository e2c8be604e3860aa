/*
 * Two embedded models side by side, and what memory says to it. Needs the default model
 * (scripts/fetch-model); without it the tests are skipped, loudly.
 */
#include "llama_fixture.h"

#ifdef PAWL_HAVE_LLAMA
#include "lm/llama_room.h"
#include "lm/llama_weights.h"

#include <pthread.h>

#define SETTINGS F32_SETTINGS ",\"context\":512"

/* "exact" answers the task, "small" judges. */
static int open_shared(void **unused)
{
    if (use_folders(unused) != 0) return -1;
    struct pawl_error err = {0};
    const char *exact = model_entry(SETTINGS),
               *small = model_entry("\"weights\":\"packaged\",\"threads\":1,\"context\":512");
    const char *models = pawl_arena_printf(&arena, "{\"exact\":%s,\"small\":%s}", exact, small);
    enum pawl_status status = open_lm((struct pawl_lm_settings){0}, models,
                                      "{\"task\":\"exact\",\"judge\":\"small\"}", &shared_lm, &err);
    if (status != PAWL_OK) fputs(err.message, stderr);
    return status == PAWL_OK ? 0 : -1;
}

static struct pawl_lm_request ask_about(enum pawl_role role, size_t i)
{
    static const struct pawl_str verdicts[] = {{"good", 4}, {"bad", 3}};
    struct pawl_lm_request request = choose(topics[i], verdicts, 2);
    request.role = role;
    return request;
}

enum { N = 3 };
struct asker {
    enum pawl_role role;
    struct pawl_lm_request requests[N];
    struct pawl_lm_reply replies[N];
    struct pawl_arena arena;
};

static void *ask_in_turn(void *argument)
{
    struct asker *asker = argument;
    for (size_t i = 0; i < N; i++)
        if (pawl_lm_ask(shared_lm, &asker->arena, &asker->requests[i], 1, &asker->replies[i],
                        NULL) != PAWL_OK)
            asker->replies[i] = (struct pawl_lm_reply){.status = PAWL_REPLY_MISSING};
    return NULL;
}

static void test_both_answer_while_both_are_asked(void **unused)
{
    (void)unused;
    struct asker askers[2] = {{.role = PAWL_ROLE_TASK}, {.role = PAWL_ROLE_JUDGE}};
    pthread_t threads[2];
    for (size_t a = 0; a < 2; a++)
        for (size_t i = 0; i < N; i++) askers[a].requests[i] = ask_about(askers[a].role, i);
    for (size_t a = 0; a < 2; a++)
        assert_int_equal(pthread_create(&threads[a], NULL, ask_in_turn, &askers[a]), 0);
    for (size_t a = 0; a < 2; a++) pthread_join(threads[a], NULL);
    for (size_t i = 0; i < N; i++) {
        for (size_t a = 0; a < 2; a++) assert_int_equal(askers[a].replies[i].status, PAWL_REPLY_OK);
        /* Two forms of the same weights: near, and not the same model. */
        double exact = askers[0].replies[i].choice_logprobs[0];
        double small = askers[1].replies[i].choice_logprobs[0];
        assert_true(exact != small);
        assert_true(exact - small < 2 && small - exact < 2);
    }
    const char *a, *b;
    assert_int_equal(pawl_lm_identity(shared_lm, PAWL_ROLE_TASK, &a, NULL), PAWL_OK);
    assert_int_equal(pawl_lm_identity(shared_lm, PAWL_ROLE_JUDGE, &b, NULL), PAWL_OK);
    assert_string_not_equal(a, b);
    for (size_t i = 0; i < 2; i++) pawl_arena_release(&askers[i].arena);
}

/* Bytes of this process that no file holds. */
static long own_bytes(void)
{
    long pages[3] = {0};
    FILE *file = fopen("/proc/self/statm", "r");
    assert_int_equal(fscanf(file, "%ld %ld %ld", &pages[0], &pages[1], &pages[2]), 3);
    fclose(file);
    return (pages[1] - pages[2]) * sysconf(_SC_PAGESIZE);
}

static void test_equal_weights_lie_in_memory_once(void **unused)
{
    (void)unused;
    struct pawl_lm_reply first = must_ask(shared_lm, ask_about(PAWL_ROLE_TASK, 0));
    long before = own_bytes();
    struct pawl_lm *second = open_model(SETTINGS);
    struct pawl_lm_reply again = must_ask(second, ask_about(PAWL_ROLE_TASK, 0));
    assert_true(first.choice_logprobs[0] - again.choice_logprobs[0] < 1e-3);
#ifndef __SANITIZE_THREAD__ /* whose own memory grows with what is touched */
    assert_true(own_bytes() - before < 400L << 20); /* the weights are 540 MB */
#else
    (void)before;
#endif
    pawl_lm_close(second);
}

static void test_what_memory_does_not_hold_is_refused(void **unused)
{
    (void)unused;
    pawl_llama_start();
    struct llama_model_params params = llama_model_default_params();
    struct llama_model *model = llama_model_load_from_file(model_path, params);
    assert_non_null(model);
    uint64_t one = pawl_llama_room_of(model, 100000), left = pawl_llama_room_left();
    assert_true(left > 0);
    /* 30 layers of 3 heads of 64 numbers, keys and values, 2 bytes each. */
    assert_true(one > UINT64_C(100000) * 30 * 3 * 64 * 2 * 2);
    assert_true(one < UINT64_C(100000) * 30 * 3 * 64 * 2 * 2 + (UINT64_C(200) << 20));
    struct pawl_error err = {0};
    assert_int_equal(pawl_llama_room_check(model, 100000, one, NULL), PAWL_OK);
    assert_int_equal(pawl_llama_room_check(model, 100000, one - 1, &err), PAWL_EWORLD);
    assert_non_null(strstr(err.message, "context of 100000 tokens takes 2."));
    assert_non_null(strstr(err.hint, "smaller `context`"));
    llama_model_free(model);
}

static void test_a_model_too_large_beside_others_is_refused_before_it_is_made(void **unused)
{
    (void)unused;
    uint64_t left = pawl_llama_room_left();
    if (left > UINT64_C(24000000000)) { /* 1048576 tokens would fit, and be made */
        print_message("there is memory for everything here\n");
        return;
    }
    struct pawl_lm *large =
        open_model("\"weights\":\"packaged\",\"threads\":1,\"context\":1048576");
    struct pawl_lm_request request = ask_about(PAWL_ROLE_TASK, 0);
    struct pawl_lm_reply reply;
    struct pawl_error err = {0};
    assert_int_equal(pawl_lm_ask(large, &arena, &request, 1, &reply, &err), PAWL_EWORLD);
    assert_non_null(strstr(err.message, "beside what is open this machine has"));
    pawl_lm_close(large);
}

int main(void)
{
    if (!find_default_model()) return 0;
    const struct CMUnitTest tests[] = {
        SHARED_TEST(test_both_answer_while_both_are_asked),
        SHARED_TEST(test_equal_weights_lie_in_memory_once),
        SHARED_TEST(test_what_memory_does_not_hold_is_refused),
        SHARED_TEST(test_a_model_too_large_beside_others_is_refused_before_it_is_made),
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
