/* How many requests a host is given: more while it answers, fewer when it refuses, none when told. */
#include "io/http_pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static const int64_t MS = 1000, S = 1000 * 1000;
static int64_t now_us;

/* As many requests as may start, each of which takes latency_us and ends as `answer`. */
static int one_round(struct pawl_http_pace *pace, enum pawl_pace_answer answer, int64_t latency_us,
                     int64_t retry_after_ms)
{
    int n = 0;
    int64_t started_us = now_us;
    for (; pawl_http_pace_may_start(pace, now_us); n++) pawl_http_pace_start(pace, now_us);
    now_us += latency_us;
    for (int i = 0; i < n; i++)
        pawl_http_pace_end(pace, answer, started_us, retry_after_ms, now_us);
    return n;
}

static void test_it_doubles_to_the_ceiling(void **unused)
{
    (void)unused;
    struct pawl_http_pace pace;
    static const int expected[] = {16, 32, 64, 100, 100};
    pawl_http_pace_init(&pace, 100);
    for (int i = 0; i < 5; i++)
        assert_int_equal(one_round(&pace, PAWL_PACE_GOOD, 10 * MS, -1), expected[i]);
    pawl_http_pace_allow(&pace, 50); /* another model with less does not narrow it */
    assert_int_equal(pace.ceiling, 100);
}

static void test_a_round_of_refusals_is_one_cut(void **unused)
{
    (void)unused;
    struct pawl_http_pace pace;
    static const int expected[] = {64, 32, 16, 8, 4, 2, 1, 1};
    pawl_http_pace_init(&pace, 64);
    while (pace.window < 64) one_round(&pace, PAWL_PACE_GOOD, 10 * MS, -1);
    for (int i = 0; i < 8; i++)
        assert_int_equal(one_round(&pace, PAWL_PACE_TOO_MUCH, 10 * MS, -1), expected[i]);
    for (int i = 0; i < 8; i++) one_round(&pace, PAWL_PACE_GOOD, 10 * MS, -1);
    assert_in_range((int)pace.window, 5, 9); /* and then nearly one more per round */
}

/* A host that takes 20 at a time and refuses the others: the window stays near 20. */
static void test_it_settles_where_the_host_does(void **unused)
{
    (void)unused;
    enum { TAKES = 20, ROUNDS = 200 };
    struct pawl_http_pace pace;
    int n_refused = 0, n_sent = 0;
    pawl_http_pace_init(&pace, 1000);
    for (int round = 0; round < ROUNDS; round++) {
        int n = 0;
        int64_t started_us = now_us;
        for (; pawl_http_pace_may_start(&pace, now_us); n++) pawl_http_pace_start(&pace, now_us);
        now_us += 10 * MS;
        for (int i = 0; i < n; i++)
            pawl_http_pace_end(&pace, i < TAKES ? PAWL_PACE_GOOD : PAWL_PACE_TOO_MUCH, started_us,
                               -1, now_us);
        n_sent += n;
        n_refused += n > TAKES ? n - TAKES : 0;
        if (round > 5) assert_in_range(n, TAKES / 2, TAKES + 2);
    }
    assert_true(n_sent >= ROUNDS * TAKES * 7 / 10);
    assert_true(n_refused * 20 < n_sent);
}

static void test_retry_after_closes_the_host(void **unused)
{
    (void)unused;
    struct pawl_http_pace pace;
    pawl_http_pace_init(&pace, 8);
    one_round(&pace, PAWL_PACE_TOO_MUCH, MS, 7000);
    assert_false(pawl_http_pace_may_start(&pace, now_us + 6999 * MS));
    assert_int_equal(pawl_http_pace_opens_us(&pace, now_us), now_us + 7 * S);
    now_us += 7 * S;
    assert_int_equal(one_round(&pace, PAWL_PACE_TOO_MUCH, MS, INT64_C(99999999999)), 4);
    now_us += PAWL_PACE_CLOSED_MAX_MS * MS; /* an absurd one counts a minute */
    assert_int_equal(one_round(&pace, PAWL_PACE_GOOD, MS, -1), 2);
    assert_int_equal(pawl_http_pace_opens_us(&pace, now_us), INT64_MAX);
}

static void test_a_sudden_rise_of_latency_narrows(void **unused)
{
    (void)unused;
    struct pawl_http_pace pace;
    pawl_http_pace_init(&pace, 16);
    for (int i = 0; i < 10; i++) one_round(&pace, PAWL_PACE_GOOD, MS, -1);
    one_round(&pace, PAWL_PACE_GOOD, 50 * MS, -1); /* so fast that it means nothing */
    assert_int_equal((int)pace.window, 16);
    for (int i = 0; i < 100; i++) one_round(&pace, PAWL_PACE_GOOD, 500 * MS, -1);
    assert_int_equal((int)pace.window, 16); /* it got used to it, and grew back */
    one_round(&pace, PAWL_PACE_GOOD, 1500 * MS, -1);
    assert_int_equal((int)pace.window, 12);
}

static void test_a_dead_host_is_probed(void **unused)
{
    (void)unused;
    struct pawl_http_pace pace;
    int rounds = 0;
    pawl_http_pace_init(&pace, 16);
    for (; !pawl_http_pace_is_dead(&pace, now_us); rounds++) {
        assert_true(one_round(&pace, PAWL_PACE_BAD, 30 * S, -1) > 0);
        assert_true(rounds < 20);
    }
    assert_in_range(rounds, 10, 12); /* five minutes after the first bad answer */
    now_us += PAWL_PACE_PROBE_MS * MS;
    assert_int_equal(one_round(&pace, PAWL_PACE_BAD, MS, -1), 1); /* a probe */
    assert_false(pawl_http_pace_may_start(&pace, now_us));
    now_us += PAWL_PACE_PROBE_MS * MS;
    assert_int_equal(one_round(&pace, PAWL_PACE_GOOD, MS, -1), 1);
    assert_false(pawl_http_pace_is_dead(&pace, now_us));
    assert_true(one_round(&pace, PAWL_PACE_GOOD, MS, -1) > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_doubles_to_the_ceiling),
        cmocka_unit_test(test_a_round_of_refusals_is_one_cut),
        cmocka_unit_test(test_it_settles_where_the_host_does),
        cmocka_unit_test(test_retry_after_closes_the_host),
        cmocka_unit_test(test_a_sudden_rise_of_latency_narrows),
        cmocka_unit_test(test_a_dead_host_is_probed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
