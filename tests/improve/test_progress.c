/* What the engine tells of its work leaves in the order of what it counts, whichever thread is late. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "improve/engine_internal.h"
#include "io/process.h"

static struct pawl_channel *front;
static struct pawl_worker worker;
static struct pawl_engine engine;

static int set_up(void **unused)
{
    (void)unused;
    int pair[2];
    struct pawl_error err = {0};
    if (pawl_socket_pair(pair, &err) != PAWL_OK) return -1;
    front = pawl_channel_open(pair[0]);
    worker = (struct pawl_worker){.front = pawl_channel_open(pair[1])};
    engine = (struct pawl_engine){.worker = &worker};
    pthread_mutex_init(&engine.telling, NULL);
    pthread_mutex_init(&engine.lock, NULL);
    struct pawl_lm_settings settings = {.models = NULL};
    return pawl_lm_open(&settings, &engine.lm, &err) == PAWL_OK ? 0 : -1;
}

static int tear_down(void **unused)
{
    (void)unused;
    pawl_lm_close(engine.lm);
    pawl_channel_close(worker.front);
    pawl_channel_close(front);
    pthread_mutex_destroy(&engine.lock);
    pthread_mutex_destroy(&engine.telling);
    return 0;
}

/* The count of the next tick; -1: none came. */
static json_int_t next_count(void)
{
    json_t *message = NULL;
    struct pawl_error err = {0};
    assert_int_equal(pawl_channel_receive(front, 50, &message, &err), PAWL_OK);
    json_int_t n = -1;
    if (message)
        n = json_integer_value(
            json_object_get(json_object_get(message, "progress"), "evaluations"));
    json_decref(message);
    return n;
}

static void test_a_late_thread_does_not_turn_the_bar_back(void **unused)
{
    (void)unused;
    pawl_engine_start_pace(&engine);
    engine.n_planned = 60;
    pawl_engine_tell_evaluated(&engine, 60, 60); /* the last one is always told ... */
    assert_int_equal(next_count(), 60);
    engine.told_us = 0; /* ... and here comes who was next to last */
    pawl_engine_tell_evaluated(&engine, 59, 60);
    assert_int_equal(next_count(), -1);
}

static void test_an_evaluation_begins_at_nothing_again(void **unused)
{
    (void)unused;
    engine.n_planned = 60;
    pawl_engine_start_pace(&engine);
    pawl_engine_tell_evaluated(&engine, 60, 60);
    assert_int_equal(next_count(), 60);
    pawl_engine_start_pace(&engine);
    pawl_engine_tell_evaluated(&engine, 0, 60);
    assert_int_equal(next_count(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_late_thread_does_not_turn_the_bar_back, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_an_evaluation_begins_at_nothing_again, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
