/* clock.h: real time passes by itself, virtual time only when somebody sleeps. */
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>
#include <cmocka.h>

static void real_time_passes(void **state)
{
    (void)state;
    assert_false(pawl_clock_is_virtual());
    int64_t now_ms = pawl_clock_now_ms(), start_us = pawl_clock_monotonic_us();
    pawl_clock_sleep_ms(20);
    assert_true(pawl_clock_monotonic_us() - start_us >= 20000);
    assert_true(pawl_clock_now_ms() > now_ms);
    assert_true(now_ms / 1000 - (int64_t)time(NULL) <= 1);
    double cpu_s = pawl_clock_cpu_s();
    for (volatile int i = 0; i < 10000000; i = i + 1)
        ;
    assert_true(pawl_clock_cpu_s() > cpu_s);
}

static void virtual_time_moves_by_sleeping(void **state)
{
    (void)state;
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    pawl_clock_fix(1700000000000);
    assert_true(pawl_clock_is_virtual());
    assert_true(pawl_clock_now_ms() == 1700000000000);
    int64_t start_us = pawl_clock_monotonic_us();
    pawl_clock_sleep_ms(3600000);
    pawl_clock_sleep_ms(-5);
    assert_true(pawl_clock_now_ms() == 1700003600000);
    assert_true(pawl_clock_monotonic_us() - start_us == 3600000000);
    clock_gettime(CLOCK_MONOTONIC, &after);
    assert_true(after.tv_sec - before.tv_sec < 60);
}

/* Other processes, sockets and disks do not live on a virtual clock. */
static void real_time_is_never_virtual(void **state)
{
    (void)state;
    pawl_clock_fix(0);
    int64_t before = pawl_clock_real_ms();
    pawl_clock_sleep_ms(INT64_C(1000) * 3600 * 24);
    int64_t passed = pawl_clock_real_ms() - before;
    assert_true(pawl_clock_monotonic_us() >= INT64_C(1000000) * 3600 * 24);
    assert_in_range(passed, 0, 600000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_time_passes),
        cmocka_unit_test(virtual_time_moves_by_sleeping),
        cmocka_unit_test(real_time_is_never_virtual),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
