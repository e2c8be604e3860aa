/*
 * Key values, written out, so that the core is tested wherever the reference file is missing.
 * Sources: scipy and statsmodels (special functions, tests), exact integers (sign mixture).
 */
#include "check.h"

#include "gate/eprocess.h"
#include "gate/intervals.h"
#include "gate/multiple.h"
#include "gate/paired.h"
#include "gate/special.h"
#include "gate/trigger.h"

#include "base/hash.h"

static double sign_log_e(uint64_t wins, uint64_t losses)
{
    return pawl_sign_log_e(&(struct pawl_sign){.wins = wins, .losses = losses});
}

static void test_special_functions(void **state)
{
    (void)state;
    check_near(pawl_normal_quantile(0.975), 1.959963984540054, 1e-14);
    check_near(pawl_normal_quantile(1e-10), -6.361340902404056, 1e-13);
    check_near(pawl_normal_cdf(-8), 6.220960574271786e-16, 1e-28);
    check_near(pawl_student_quantile(0.975, 9), 2.2621571627982049, 1e-12);
    check_near(pawl_student_quantile(0.6, 1), 0.3249196962329063, 1e-12);
    check_near(pawl_student_cdf(-2, 5), 0.05096973941492917, 1e-13);
    check_near(pawl_beta_cdf(0.3, 2, 5), 0.579825, 1e-13);
    check_near(pawl_beta_quantile(0.579825, 2, 5), 0.3, 1e-13);
    check_near(pawl_binomial_half_upper(9, 10), 11.0 / 1024, 1e-16);
    check_near(pawl_log_sum((double[]){-1000, -1000}, 2), -1000 + M_LN2, 1e-12);
    assert_true(pawl_log_sum(NULL, 0) == -INFINITY);
}

/* Exact integers end at 60; both ways of summing must meet there and far in the tail. */
static void test_binomial_tails_meet(void **state)
{
    (void)state;
    for (uint64_t n = 55; n <= 70; n++)
        for (uint64_t k = 0; k <= n; k++) {
            double upper = pawl_binomial_half_upper(k, n);
            double lower = pawl_binomial_half_upper(n - k + 1, n);
            check_near(upper + lower, 1, 1e-13);
            /* Pascal: P(B_n >= k) = (P(B_{n-1} >= k) + P(B_{n-1} >= k-1)) / 2 */
            double half = (pawl_binomial_half_upper(k, n - 1) +
                           (k ? pawl_binomial_half_upper(k - 1, n - 1) : 1)) /
                          2;
            assert_true(fabs(upper / half - 1) < 1e-12);
        }
}

static void test_sign_mixture(void **state)
{
    (void)state;
    check_near(sign_log_e(0, 0), 0, 0);
    check_near(sign_log_e(1, 0), log(3.0 / 2), 1e-15);
    check_near(sign_log_e(6, 0), log(127.0 / 7), 1e-14);
    check_near(sign_log_e(7, 0), log(255.0 / 8), 1e-14);
    check_near(sign_log_e(0, 7), log(1.0 / 8), 1e-14);
    check_near(sign_log_e(10, 1), log(4083.0 / 132), 1e-14); /* sum_{k<=10} C(12,k) = 4083 */
    /* Larger than any double: 2^5001 / 5001. */
    check_near(sign_log_e(5000, 0), 5001 * M_LN2 - log(5001), 1e-9);
    /* Closed form with lgamma, an independent way: w = l, P(Bin(2w+1, 1/2) <= w) = 1/2. */
    check_near(sign_log_e(1000, 1000),
               2001 * M_LN2 + 2 * pawl_log_gamma(1001) - pawl_log_gamma(2002) + log(0.5), 1e-9);
}

static void test_grid_mixture(void **state)
{
    (void)state;
    struct pawl_grid grid;
    pawl_grid_init(&grid, 0);
    for (int i = 0; i < 7; i++) pawl_grid_step(&grid, 1);
    check_near(pawl_grid_log_e(&grid), 3.431472253581295, 1e-9);
    pawl_grid_init(&grid, -0.05);
    for (int i = 0; i < 100; i++) pawl_grid_step(&grid, 0);
    check_near(pawl_grid_log_e(&grid), 3.4632935992325837, 1e-9);
    assert_true(pawl_betting_step(0, 0, 0.5, 2) == -INFINITY);
    assert_true(pawl_betting_step(-INFINITY, 1, 0.5, 2) == -INFINITY);
}

static void test_paired(void **state)
{
    (void)state;
    struct pawl_arena arena = {0};
    struct pawl_random random;
    pawl_crypto_init();
    pawl_random_init(&random, 1);
    assert_true(pawl_mcnemar(0, 0).p_greater == 1 && pawl_mcnemar(0, 0).p_two_sided == 1);
    check_near(pawl_mcnemar(18, 6).p_greater, 0.011327922344207764, 1e-15);

    double d[] = {0.31, 0.12, -0.07, 0.44, 0.05, -0.21, 0.18, 0.09, 0.27, -0.02, 0.16, 0.11};
    struct pawl_signflip flip = pawl_signflip(d, 12, &random, &arena);
    check_near(flip.p_greater, 0.0205078125, 1e-15);
    check_near(pawl_paired_t(d, 12, 0.9).p_greater, 0.018922620291481437, 1e-10);

    double zeros[] = {0, 0, 0, 0, 0};
    assert_true(pawl_signflip(zeros, 5, &random, &arena).p_greater == 1);
    assert_true(pawl_paired_t(zeros, 5, 0.95).degenerate);
    assert_false(pawl_noninferiority_t(zeros, 5, 0.05, 0.05).noninferior);
    pawl_arena_release(&arena);
}

/* Random flips must agree with full enumeration, here with one and the same set of 20 and with the
 * same set made longer than 20 by two differences that are too small to matter. */
static void test_random_flips_agree(void **state)
{
    (void)state;
    struct pawl_arena arena = {0};
    struct pawl_random random;
    pawl_random_init(&random, 3);
    double d[22];
    for (size_t i = 0; i < 20; i++) d[i] = pawl_random_unit(&random) - 0.35;
    d[20] = 1e-9;
    d[21] = -2e-9;
    struct pawl_signflip exact = pawl_signflip(d, 20, &random, &arena);
    struct pawl_signflip drawn = pawl_signflip(d, 22, &random, &arena);
    assert_int_equal(exact.flips, 0);
    assert_int_equal(drawn.flips, PAWL_SIGNFLIP_FLIPS);
    check_near(drawn.p_greater, exact.p_greater, 0.005);
    check_near(drawn.p_two_sided, exact.p_two_sided, 0.005);
    pawl_arena_release(&arena);
}

/* Ten clusters get an interval, nine get none. */
static void test_few_clusters_are_refused(void **state)
{
    (void)state;
    struct pawl_arena arena = {0};
    double x[20];
    size_t cluster[20];
    for (size_t i = 0; i < 20; i++) {
        x[i] = (double)(i * i % 7) / 7;
        cluster[i] = i / 2;
    }
    struct pawl_clustered ten = pawl_clustered(x, cluster, 20, 10, 0.95, &arena);
    struct pawl_clustered nine = pawl_clustered(x, cluster, 18, 9, 0.95, &arena);
    assert_true(ten.lo < ten.mean && ten.mean < ten.hi);
    assert_true(isnan(nine.lo) && isnan(nine.hi));
    pawl_arena_release(&arena);
}

static void test_intervals(void **state)
{
    (void)state;
    check_near(pawl_wilson(0, 10, 0.95).hi, 0.2775327998628892, 1e-12);
    assert_true(pawl_wilson(0, 10, 0.95).lo == 0 && pawl_wilson(10, 10, 0.95).hi == 1);
    assert_true(pawl_wilson(0, 0, 0.95).lo == 0 && pawl_wilson(0, 0, 0.95).hi == 1);
    check_near(pawl_clopper_pearson(0, 10, 0.95).hi, 0.3084971078187607, 1e-12);
    check_near(pawl_zero_failures_upper(59, 0.95), 0.0495, 1e-4);
    struct pawl_arena arena = {0};
    struct pawl_random random;
    pawl_random_init(&random, 1);
    double equal[] = {0.25, 0.25, 0.25};
    struct pawl_bootstrap b = pawl_bootstrap_mean(equal, 3, 0.95, 100, &random, &arena);
    assert_true(b.bca_undefined && b.bca.lo == 0.25 && b.bca.hi == 0.25);
    pawl_arena_release(&arena);
}

/* Scores of which every one is alike are no reason to be sure of the mean. */
static void test_score_interval(void **state)
{
    (void)state;
    const double fail[12] = {0}, third[12] = {1. / 3, 1. / 3, 1. / 3, 1. / 3, 1. / 3, 1. / 3,
                                              1. / 3, 1. / 3, 1. / 3, 1. / 3, 1. / 3, 1. / 3};
    const double mixed[12] = {0, 1, 0.5, 1, 1, 0.25, 1, 1, 1, 0.75, 1, 1}, one = 1;
    size_t own[12], shared[12];
    for (size_t i = 0; i < 12; i++) own[i] = i, shared[i] = i / 2;

    /* Zeros and ones: Wilson, whichever metric gave them. */
    struct pawl_interval ci = pawl_score_interval(fail, own, 12, 12, 0.95, 1);
    check_near(ci.lo, 0, 0);
    check_near(ci.hi, pawl_wilson(0, 12, 0.95).hi, 1e-15);
    check_near(pawl_score_interval(&one, own, 1, 1, 0.95, 1).lo, pawl_wilson(1, 1, 0.95).lo, 1e-15);
    /* Six clusters that all failed: another outcome has a share of at most 1 - 0.05^(1/6). */
    ci = pawl_score_interval(fail, shared, 12, 6, 0.95, 1);
    check_near(ci.lo, 0, 0);
    check_near(ci.hi, 1 - pow(0.05, 1. / 6), 1e-12);
    ci = pawl_score_interval(third, own, 12, 12, 0.95, 1);
    double others = 1 - pow(0.05, 1. / 12);
    check_near(ci.lo, 1. / 3 - others / 3, 1e-12);
    check_near(ci.hi, 1. / 3 + others * 2 / 3, 1e-12);
    ci = pawl_score_interval(mixed, own, 12, 12, 0.95, 1);
    assert_true(0 < ci.lo && ci.lo < pawl_mean(mixed, 12) && pawl_mean(mixed, 12) < ci.hi &&
                ci.hi <= 1);
    ci = pawl_score_interval(NULL, NULL, 0, 0, 0.95, 1);
    assert_true(ci.lo == 0 && ci.hi == 1);
    /* Differences, within [-1, 1]. */
    ci = pawl_mean_of_equal(0, 20, 0.95, -1, 1);
    check_near(ci.hi, 1 - pow(0.05, 1. / 20), 1e-12);
    check_near(ci.lo, -ci.hi, 1e-15);
}

static void test_multiple(void **state)
{
    (void)state;
    struct pawl_arena arena = {0};
    double p[] = {0.01, 0.04, 0.03, 0.005}, out[4];
    pawl_holm(p, 4, out, &arena);
    check_near(out[1], 0.06, 1e-15);
    pawl_bh(p, 4, out, &arena);
    check_near(out[0], 0.02, 1e-15);
    bool rejected[4];
    assert_int_equal(pawl_ebh((double[]){79, 41, 30, 21}, 4, 0.1, rejected, &arena), 4);
    assert_int_equal(pawl_ebh((double[]){39, 19, 13, 9}, 4, 0.1, rejected, &arena), 0);
    pawl_holm(p, 0, out, &arena);
    pawl_arena_release(&arena);
}

static void test_trigger(void **state)
{
    (void)state;
    pawl_crypto_init();
    check_near(pawl_canary_fraction(PAWL_STR("exp-1"), PAWL_STR("user-42")), 0.781615004885652,
               1e-15);
    check_near(pawl_cusum_step(1.1, 0, 0.8, 0.1), 1.8, 1e-15);
    check_near(pawl_cusum_step(0, 1, 0.8, 0.1), 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_special_functions),
        cmocka_unit_test(test_binomial_tails_meet),
        cmocka_unit_test(test_sign_mixture),
        cmocka_unit_test(test_grid_mixture),
        cmocka_unit_test(test_paired),
        cmocka_unit_test(test_random_flips_agree),
        cmocka_unit_test(test_few_clusters_are_refused),
        cmocka_unit_test(test_intervals),
        cmocka_unit_test(test_score_interval),
        cmocka_unit_test(test_multiple),
        cmocka_unit_test(test_trigger),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
