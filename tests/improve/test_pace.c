/* The pace of work: rates of the last half minute, and what is left. */
#include "improve/pace.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { SECOND = 1000000 };

static void nothing_is_told_before_something_was_done(void **state)
{
    struct pawl_pace pace = {0};
    (void)state;
    pawl_pace_see(&pace, 5 * SECOND, 0, 0);
    assert_true(isnan(pawl_pace_eta_s(&pace, 100)));
    pawl_pace_see(&pace, 9 * SECOND, 0, 0);
    assert_true(isnan(pawl_pace_eta_s(&pace, 100)));
    assert_float_equal(pawl_pace_tokens_per_s(&pace), 0, 0);
    assert_float_equal(pawl_pace_elapsed_s(&pace), 4, 1e-9);
}

static void a_steady_pace(void **state)
{
    struct pawl_pace pace = {0};
    (void)state;
    for (int i = 0; i <= 100; i++) /* ten readings a second, 4 done and 50 tokens in each */
        pawl_pace_see(&pace, i * SECOND / 10, 4 * i, 50 * i);
    assert_float_equal(pawl_pace_tokens_per_s(&pace), 500, 1e-9);
    assert_float_equal(pawl_pace_eta_s(&pace, 1000), 600 / 40.0, 1e-9);
    assert_float_equal(pawl_pace_eta_s(&pace, 400), 0, 0);
    assert_true(isnan(pawl_pace_eta_s(&pace, -1)));
}

/* 1,000 from a journal in the first second, then one a second. */
static void a_fast_start_is_forgotten(void **state)
{
    struct pawl_pace pace = {0};
    (void)state;
    pawl_pace_see(&pace, 0, 0, 0);
    for (int i = 0; i <= 60; i++) pawl_pace_see(&pace, (1 + i) * SECOND, 1000 + i, 10 * i);
    assert_float_equal(pawl_pace_eta_s(&pace, 1160), 100, 1e-9);
    assert_float_equal(pawl_pace_tokens_per_s(&pace), 10, 1e-9);
    assert_float_equal(pawl_pace_elapsed_s(&pace), 61, 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_told_before_something_was_done),
        cmocka_unit_test(a_steady_pace),
        cmocka_unit_test(a_fast_start_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
