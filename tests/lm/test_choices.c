/* Probabilities of choices among themselves, with and without what the model prefers anyway. */
#include "lm/choices.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void expect(const double *logprobs, const double *prior, const double *expected)
{
    double p[3], sum = 0;
    pawl_choice_probabilities(logprobs, prior, 3, p);
    for (size_t i = 0; i < 3; i++) {
        sum += p[i];
        if (fabs(p[i] - expected[i]) > 1e-12) fail_msg("%zu: %g is not %g", i, p[i], expected[i]);
    }
    assert_true(fabs(sum - 1) < 1e-12);
}

static void test_they_sum_to_one(void **unused)
{
    (void)unused;
    const double logprobs[] = {log(0.02), log(0.01), log(0.01)};
    expect(logprobs, NULL, (const double[]){0.5, 0.25, 0.25});
    const double far[] = {-5000, -5000 + log(2), -INFINITY}; /* exp of these is 0 */
    expect(far, NULL, (const double[]){1 / 3.0, 2 / 3.0, 0});
}

static void test_a_prior_takes_out_what_is_preferred_anyway(void **unused)
{
    (void)unused;
    const double logprobs[] = {log(0.6), log(0.2), log(0.2)};
    const double prior[] = {log(0.6), log(0.1), log(0.2)};
    expect(logprobs, prior, (const double[]){0.25, 0.5, 0.25});
}

static void test_the_impossible_is_survived(void **unused)
{
    (void)unused;
    const double none[] = {-INFINITY, -INFINITY, -INFINITY};
    expect(none, NULL, (const double[]){1 / 3.0, 1 / 3.0, 1 / 3.0});
    const double logprobs[] = {log(0.5), log(0.5), -INFINITY};
    const double prior[] = {0, -INFINITY, -INFINITY};
    expect(logprobs, prior, (const double[]){0.5, 0.5, 0});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_they_sum_to_one),
        cmocka_unit_test(test_a_prior_takes_out_what_is_preferred_anyway),
        cmocka_unit_test(test_the_impossible_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
