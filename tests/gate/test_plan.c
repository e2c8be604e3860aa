/*
 * The planner against published figures. Those were simulated; ours are exact (sequential, fixed)
 * or simulated here with a fixed seed (grid), so the bounds are those of the simulations.
 */
#include "check.h"

#include "gate/plan.h"

#include "base/hash.h"

static struct pawl_arena arena;

static double power(enum pawl_gate_look look, double threshold, size_t n, double psi, double gain)
{
    struct pawl_plan plan = {look, 1 / threshold, n, psi};
    double out = pawl_plan_power(&plan, gain, &arena);
    pawl_arena_reset(&arena);
    return out;
}

static double smallest(enum pawl_gate_look look, double threshold, size_t n, double psi)
{
    struct pawl_plan plan = {look, 1 / threshold, n, psi};
    double out = pawl_plan_smallest_gain(&plan, 0.8, &arena);
    pawl_arena_reset(&arena);
    return out;
}

/* All sequences of n cases, the slow way: wins and losses carry their chances, a promotion ends. */
static double power_by_hand(const struct pawl_sign *counts, size_t left, double threshold,
                            double psi, double gain)
{
    if (exp(pawl_sign_log_e(counts)) >= threshold) return 1;
    if (left == 0) return 0;
    struct pawl_sign win = *counts, loss = *counts;
    pawl_sign_step(&win, 1);
    pawl_sign_step(&loss, -1);
    return (psi + gain) / 2 * power_by_hand(&win, left - 1, threshold, psi, gain) +
           (psi - gain) / 2 * power_by_hand(&loss, left - 1, threshold, psi, gain) +
           (1 - psi) * power_by_hand(counts, left - 1, threshold, psi, gain);
}

static void test_walk_is_exact(void **state)
{
    (void)state;
    struct pawl_sign none = {0};
    for (size_t n = 1; n <= 11; n++) {
        double want = power_by_hand(&none, n, 5, 0.6, 0.3);
        check_near(power(PAWL_LOOK_SEQUENTIAL, 5, n, 0.6, 0.3), want, 1e-12);
    }
    /* a gain as large as the discordance never loses; one above it raises the discordance */
    check_near(power(PAWL_LOOK_SEQUENTIAL, 5, 9, 0.4, 0.4), power_by_hand(&none, 9, 5, 0.4, 0.4),
               1e-12);
    check_near(power(PAWL_LOOK_SEQUENTIAL, 5, 9, 0.1, 0.4), power_by_hand(&none, 9, 5, 0.4, 0.4),
               1e-12);
}

/* The real size of the gate at E >= 20 is .018 to .033, below its level as it must be. */
static void test_real_size(void **state)
{
    (void)state;
    check_near(power(PAWL_LOOK_SEQUENTIAL, 20, 200, 0.2, 0), 0.022, 0.004);
    check_near(power(PAWL_LOOK_SEQUENTIAL, 20, 500, 0.2, 0), 0.026, 0.005);
    check_near(power(PAWL_LOOK_SEQUENTIAL, 20, 1000, 0.2, 0), 0.033, 0.005);
    check_near(power(PAWL_LOOK_FIXED, 20, 500, 0.2, 0), 0.040, 0.006);
    assert_true(power(PAWL_LOOK_SEQUENTIAL, 20, 20000, 0.2, 0) <= 0.05);
}

static void test_published_power(void **state)
{
    (void)state;
    const enum pawl_gate_look s = PAWL_LOOK_SEQUENTIAL, f = PAWL_LOOK_FIXED;
    check_near(power(s, 20, 200, 0.2, 0.10), 0.771, 0.015);
    check_near(power(s, 20, 500, 0.2, 0.05), 0.490, 0.015);
    check_near(power(f, 20, 200, 0.2, 0.10), 0.928, 0.015);
    check_near(power(f, 20, 500, 0.2, 0.05), 0.770, 0.015);
    check_near(power(s, 32.9, 300, 0.45, 0.15), 0.857, 0.02);
    check_near(power(s, 20, 300, 0.45, 0.15), 0.90, 0.02);
    check_near(power(s, 32.9, 300, 0.25, 0.15), 0.996, 0.01);
    check_near(power(s, 32.9, 450, 0.25, 0.05), 0.29, 0.03);
    check_near(power(s, 32.9, 700, 0.25, 0.05), 0.44, 0.03);
    check_near(power(s, 32.9, 1000, 0.25, 0.05), 0.62, 0.03);
    check_near(power(s, 20, 60, 0.2, 0.08), 0.145, 0.03);
}

/* Smallest gain in points at 80 % power, between psi = .2 and .3; a point of slack. */
static void test_published_smallest_gains(void **state)
{
    (void)state;
    static const struct {
        size_t n;
        double e33[2], e20[2], fixed[2];
    } table[] = {
        {39, {26, 28}, {23, 27}, {19, 23}},
        {65, {18, 23}, {17, 21}, {15, 18}},
        {130, {14, 17}, {13, 16}, {11, 13}},
    };
    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < 2; j++) {
            double psi = j ? 0.3 : 0.2;
            size_t n = table[i].n;
            check_near(smallest(PAWL_LOOK_SEQUENTIAL, 32.9, n, psi), table[i].e33[j] / 100, 0.011);
            check_near(smallest(PAWL_LOOK_SEQUENTIAL, 20, n, psi), table[i].e20[j] / 100, 0.011);
            check_near(smallest(PAWL_LOOK_FIXED, 20, n, psi), table[i].fixed[j] / 100, 0.011);
        }
    check_near(smallest(PAWL_LOOK_SEQUENTIAL, 20, 60, 0.2), 0.18, 0.01);
    check_near(smallest(PAWL_LOOK_SEQUENTIAL, 20, 60, 0.3), 0.22, 0.01);
    check_near(smallest(PAWL_LOOK_SEQUENTIAL, 20, 100, 0.2), 0.14, 0.01);
    check_near(smallest(PAWL_LOOK_SEQUENTIAL, 20, 200, 0.2), 0.11, 0.01);
}

static void test_edges(void **state)
{
    (void)state;
    assert_true(isnan(smallest(PAWL_LOOK_SEQUENTIAL, 25, 5, 0.2))); /* 5:0 is not enough */
    assert_true(isnan(smallest(PAWL_LOOK_SEQUENTIAL, 25, 0, 0.2)));
    check_near(power(PAWL_LOOK_SEQUENTIAL, 25, 0, 0.2, 0.1), 0, 0);
    check_near(power(PAWL_LOOK_SEQUENTIAL, 25, 100, 0, 0), 0, 0);
    check_near(power(PAWL_LOOK_SEQUENTIAL, 25, 100, 1, 1), 1, 1e-12);
    /* more cases than the planner walks: planned as its maximum */
    check_near(power(PAWL_LOOK_SEQUENTIAL, 25, SIZE_MAX, 0.2, 0.02), 1, 1e-6);
    struct pawl_plan hopeless = {PAWL_LOOK_SEQUENTIAL, 0.05, 0, 0.2};
    assert_int_equal(pawl_plan_units(&hopeless, 0, 0.8, &arena), 0);
    pawl_arena_reset(&arena);
}

static void test_next_threshold(void **state)
{
    (void)state;
    assert_int_equal(pawl_plan_smallest_wins(PAWL_LOOK_SEQUENTIAL, 0.05), 7);
    assert_int_equal(pawl_plan_smallest_wins(PAWL_LOOK_SEQUENTIAL, 0.04), 7);
    assert_int_equal(pawl_plan_smallest_wins(PAWL_LOOK_SEQUENTIAL, 1 / 32.9), 8);
    assert_int_equal(pawl_plan_smallest_wins(PAWL_LOOK_SEQUENTIAL, 1 / 164.5), 10);
    assert_int_equal(pawl_plan_smallest_wins(PAWL_LOOK_FIXED, 0.05), 5);
    assert_int_equal(pawl_plan_smallest_wins(PAWL_LOOK_SEQUENTIAL, 1e-5), 21);
}

/* Guards block nearly everything: an unchanged candidate passes with .08 at a margin of 2 points. */
static void test_guards_are_weak(void **state)
{
    (void)state;
    pawl_crypto_init();
    struct pawl_random random;
    pawl_random_init(&random, 11);
    struct pawl_plan plan = {PAWL_LOOK_SEQUENTIAL, 0.05, 300, 0.2};
    check_near(pawl_plan_grid_power(&plan, 0, -0.02, 4000, &random), 0.08, 0.02);
    check_near(pawl_plan_grid_power(&plan, 0, -0.05, 4000, &random), 0.32, 0.03);
    assert_true(pawl_plan_grid_power(&plan, -0.05, -0.05, 4000, &random) <= 0.05);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_walk_is_exact),   cmocka_unit_test(test_real_size),
        cmocka_unit_test(test_published_power), cmocka_unit_test(test_published_smallest_gains),
        cmocka_unit_test(test_edges),           cmocka_unit_test(test_next_threshold),
        cmocka_unit_test(test_guards_are_weak),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pawl_arena_release(&arena);
    return failed;
}
