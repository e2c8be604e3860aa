/* How much better, on what both have answered. */
#include "operators/gain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

static void test_gain(void **state)
{
    (void)state;
    const double half[] = {0.5, 0.5}, more[] = {1, 0.1}, less[] = {0.9, 0}, lost[] = {NAN, 1},
                 none[] = {NAN, NAN};
    assert_true(pawl_gain(half, half, 2) == 0);
    assert_true(fabs(pawl_gain(more, half, 2) - 0.05) < 1e-12);
    assert_true(fabs(pawl_gain(less, half, 2) + 0.05) < 1e-12);
    assert_true(pawl_gain(lost, half, 2) == 0.5);
    assert_true(pawl_gain(half, lost, 2) == -0.5);
    assert_true(isnan(pawl_gain(half, none, 2)));
    assert_true(isnan(pawl_gain(half, half, 0)));
}

/* Sums made in another order are no gain. */
static void test_rounding_is_no_gain(void **state)
{
    (void)state;
    const double a[] = {0.1, 0.2, 0.3}, b[] = {0.3, 0.2, 0.1};
    assert_true(pawl_gain(a, b, 3) == 0);
    assert_true(pawl_gain(b, a, 3) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_gain),
                                       cmocka_unit_test(test_rounding_is_no_gain)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
