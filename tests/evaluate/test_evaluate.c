/* Batches on a pool of threads: order, status, what is kept, the 2 % rule, stopping. */
#include "program/program_fixture.h"

#include "base/clock.h"
#include "evaluate/evaluate.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

enum { N = 200 };

/* Answers its input; "missing", "failed" and "slow" are what they say. */
static const char script[] = "function complete(r)\n"
                             "  local t = r.messages[#r.messages].content\n"
                             "  if t == 'missing' then return {error = 'missing: overloaded'} end\n"
                             "  if t == 'failed' then return {error = 'refused'} end\n"
                             "  if t == 'slow' then return {text = t, delay_ms = 50} end\n"
                             "  return t\n"
                             "end";

struct rig {
    struct bench b;
    struct pawl_evaluator *evaluator;
    struct pawl_evaluator_settings settings;
    struct pawl_cases cases;
    struct pawl_evaluation_item items[N];
    struct pawl_result results[N];
};
static atomic_size_t n_progress, n_by_others;
static pthread_t caller;

static void count_progress(void *context, size_t n_done, size_t n_total)
{
    (void)context;
    if (!pthread_equal(pthread_self(), caller)) atomic_fetch_add(&n_by_others, 1);
    assert_true(n_done <= n_total);
    atomic_fetch_add(&n_progress, 1);
}

/* Case i answers "i" and wants "i", but every seventh wants something else. */
static void rig_open(struct rig *rig, int threads, int n_missing)
{
    *rig = (struct rig){.settings = {.threads = threads, .progress = count_progress}};
    bench_open(&rig->b, "{'signature': 'q -> a'}", script);
    json_t *list = json_array(), *section = json_of("'exact_match'");
    for (int i = 0; i < N; i++) {
        char id[20], input[40], target[40];
        snprintf(id, sizeof id, "c%d", i);
        snprintf(target, sizeof target, i % 7 ? "%d" : "not %d", i);
        snprintf(input, sizeof input, i < n_missing ? "missing" : i == N - 1 ? "failed" : "%d", i);
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "id", id, "input", input,
                                              "target", target, "cluster", "one"));
    }
    struct pawl_error err = {0};
    if (pawl_cases_from_json(list, &rig->b.arena, &rig->cases, &err) != PAWL_OK ||
        pawl_metric_open(section, NULL, &rig->settings.metric, &err) != PAWL_OK ||
        pawl_evaluator_open(&rig->settings, rig->b.program, &rig->evaluator, &err) != PAWL_OK)
        fail_msg("%s", err.message);
    for (size_t i = 0; i < N; i++)
        rig->items[i] = (struct pawl_evaluation_item){.instance = rig->b.instance,
                                                      .item = &rig->cases.items[i]};
    json_decref(list);
    json_decref(section);
}

static void rig_close(struct rig *rig)
{
    pawl_evaluator_close(rig->evaluator);
    pawl_metric_close(rig->settings.metric);
    pawl_cases_release(&rig->cases);
    bench_close(&rig->b);
}

static void check_results(const struct rig *rig)
{
    for (int i = 0; i < N - 1; i++) {
        assert_int_equal(rig->results[i].status, PAWL_OUTCOME_DONE);
        assert_true(rig->results[i].score == (i % 7 ? 1 : 0));
    }
    assert_int_equal(rig->results[N - 1].status, PAWL_OUTCOME_FAILED);
    assert_true(rig->results[N - 1].score == 0);
}

static void test_results_are_in_order(void **state)
{
    (void)state;
    static struct rig rig;
    struct pawl_usage usage = {0};
    struct pawl_batch *batch;
    rig_open(&rig, 8, 0);
    n_progress = 0;
    assert_int_equal(
        pawl_evaluator_run(rig.evaluator, rig.items, N, 0, rig.results, &usage, &batch, NULL),
        PAWL_OK);
    check_results(&rig);
    assert_null(batch); /* nothing was asked to be kept */
    assert_null(rig.results[0].output);
    assert_int_equal(usage.n_requests, N);
    assert_int_equal(n_progress, N);
    rig_close(&rig);
}

static void test_what_is_kept(void **state)
{
    (void)state;
    static struct rig rig;
    struct pawl_usage usage = {0};
    struct pawl_batch *batch;
    rig_open(&rig, 4, 0);
    assert_int_equal(pawl_evaluator_run(rig.evaluator, rig.items, N, PAWL_EVALUATE_OUTPUT,
                                        rig.results, &usage, &batch, NULL),
                     PAWL_OK);
    expect_json(rig.results[8].output, "{'a': '8'}");
    assert_string_equal(rig.results[8].feedback, "Correct.");
    assert_string_equal(rig.results[7].feedback, "Expected a \"not 7\", got \"7\".");
    assert_null(rig.results[8].trace);
    assert_non_null(strstr(rig.results[N - 1].reason, "refused"));
    pawl_batch_free(batch);
    assert_int_equal(pawl_evaluator_run(rig.evaluator, rig.items, 1, PAWL_EVALUATE_TRACE,
                                        rig.results, &usage, &batch, NULL),
                     PAWL_OK);
    assert_int_equal(json_array_size(rig.results[0].trace), 1);
    pawl_batch_free(batch);
    rig_close(&rig);
}

static void test_a_world_that_fails_too_often(void **state)
{
    (void)state;
    static struct rig rig;
    struct pawl_usage usage = {0};
    struct pawl_error err = {0};
    rig_open(&rig, 4, 4); /* 4 of 200 are 2 % */
    assert_int_equal(
        pawl_evaluator_run(rig.evaluator, rig.items, N, 0, rig.results, &usage, NULL, &err),
        PAWL_OK);
    assert_int_equal(rig.results[3].status, PAWL_OUTCOME_MISSING);
    assert_true(isnan(rig.results[3].score));
    rig_close(&rig);
    rig_open(&rig, 4, 5);
    assert_int_equal(
        pawl_evaluator_run(rig.evaluator, rig.items, N, 0, rig.results, &usage, NULL, &err),
        PAWL_EWORLD);
    assert_non_null(strstr(err.message, "5 of 200"));
    assert_true(rig.results[8].score == 1); /* finished results are kept */
    rig_close(&rig);
}

static void test_no_metric_no_score(void **state)
{
    (void)state;
    static struct rig rig;
    struct pawl_usage usage = {0};
    struct pawl_evaluator *bare;
    rig_open(&rig, 2, 0);
    assert_int_equal(pawl_evaluator_open(&(struct pawl_evaluator_settings){.threads = 2},
                                         rig.b.program, &bare, NULL),
                     PAWL_OK);
    assert_int_equal(pawl_evaluator_run(bare, rig.items, 10, 0, rig.results, &usage, NULL, NULL),
                     PAWL_OK);
    assert_int_equal(rig.results[1].status, PAWL_OUTCOME_DONE);
    assert_true(isnan(rig.results[1].score));
    pawl_evaluator_close(bare);
    rig_close(&rig);
}

static void *evaluate_too(void *context)
{
    struct rig *rig = context;
    static _Thread_local struct pawl_result results[N];
    struct pawl_usage usage = {0};
    for (int i = 0; i < 5; i++)
        if (pawl_evaluator_run(rig->evaluator, rig->items, N, 0, results, &usage, NULL, NULL) !=
                PAWL_OK ||
            results[8].score != 1)
            return "wrong";
    return NULL;
}

static void test_several_batches_at_once(void **state)
{
    (void)state;
    static struct rig rig;
    pthread_t threads[4];
    rig_open(&rig, 3, 0);
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, evaluate_too, &rig);
    for (int i = 0; i < 4; i++) {
        void *answer;
        pthread_join(threads[i], &answer);
        assert_null(answer);
    }
    rig_close(&rig);
}

static void run_items(struct rig *rig, const struct pawl_evaluation_item *items, size_t n)
{
    struct pawl_usage usage = {0};
    caller = pthread_self();
    n_by_others = 0;
    assert_int_equal(
        pawl_evaluator_run(rig->evaluator, items, n, 0, rig->results, &usage, NULL, NULL), PAWL_OK);
}

/* Who brings a batch is one of the threads that it asked for. */
static void test_one_thread_is_the_callers(void **state)
{
    (void)state;
    static struct rig rig;
    rig_open(&rig, 1, 0);
    run_items(&rig, rig.items, N);
    assert_int_equal(n_by_others, 0);
    rig_close(&rig);
}

/* Nobody needs to be woken for a few fast cases; for slow ones that come after them helpers are. */
static void test_help_is_called_when_it_is_slow(void **state)
{
    (void)state;
    static struct rig rig;
    rig_open(&rig, 4, 0);
    struct pawl_case slow = rig.cases.items[8];
    json_t *input = json_string("slow");
    slow.input = input;
    struct pawl_evaluation_item items[4];
    for (int i = 0; i < 4; i++)
        items[i] = (struct pawl_evaluation_item){.instance = rig.b.instance, .item = &slow};
    int n_fast = 0; /* in a row; a busy machine may make any batch a slow one */
    for (int n_tries = 0; n_fast < 2; n_tries++) {
        if (n_tries == 10000) skip();
        int64_t start_us = pawl_clock_monotonic_us();
        run_items(&rig, rig.items, 2);
        bool is_fast = pawl_clock_monotonic_us() - start_us < 200;
        if (is_fast && n_fast > 0) assert_int_equal(n_by_others, 0);
        n_fast = is_fast ? n_fast + 1 : 0;
    }
    usleep(50000); /* who was called for a slow batch sleeps again */
    run_items(&rig, items, 4);
    assert_in_range(n_by_others, 1, 3);
    json_decref(input);
    rig_close(&rig);
}

static void test_no_items(void **state)
{
    (void)state;
    static struct rig rig;
    struct pawl_usage usage = {0};
    rig_open(&rig, 2, 0);
    assert_int_equal(pawl_evaluator_run(rig.evaluator, NULL, 0, 0, NULL, &usage, NULL, NULL),
                     PAWL_OK);
    rig_close(&rig);
}

static void test_stopped(void **state)
{
    (void)state;
    static struct rig rig;
    struct pawl_usage usage = {0};
    rig_open(&rig, 2, 0);
    pawl_evaluator_cancel(rig.evaluator);
    assert_int_equal(
        pawl_evaluator_run(rig.evaluator, rig.items, N, 0, rig.results, &usage, NULL, NULL),
        PAWL_EPAUSED);
    assert_int_equal(rig.results[0].status, PAWL_OUTCOME_MISSING);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results_are_in_order),
        cmocka_unit_test(test_what_is_kept),
        cmocka_unit_test(test_a_world_that_fails_too_often),
        cmocka_unit_test(test_no_metric_no_score),
        cmocka_unit_test(test_several_batches_at_once),
        cmocka_unit_test(test_one_thread_is_the_callers),
        cmocka_unit_test(test_help_is_called_when_it_is_slow),
        cmocka_unit_test(test_no_items),
        cmocka_unit_test(test_stopped),
    };
    pawl_crypto_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
