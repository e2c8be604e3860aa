/* What clusters of unequal size cost: agrees with the exact plan where there are none, sees that one
 * large cluster takes the power of all, and finds the cap that gives it back. */
#include "gate/plan_clusters.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { N = 200 };
static struct pawl_arena arena;
static const struct pawl_plan plan = {
    .look = PAWL_LOOK_SEQUENTIAL, .level = 0.04, .n = N, .discordance = 0.2};

static size_t *sizes_of(size_t most, size_t first)
{
    size_t *sizes = PAWL_NEW_N(&arena, size_t, N);
    for (size_t i = 0; i < N; i++) sizes[i] = 1 + i % most;
    sizes[0] = first;
    return sizes;
}

static void test_without_clusters_it_is_the_plan_of_the_grid(void **state)
{
    (void)state;
    struct pawl_random random;
    pawl_random_init(&random, 3);
    const size_t *sizes = sizes_of(1, 1);
    for (double gain = 0; gain < 0.2; gain += 0.06) {
        double simulated = pawl_plan_clusters_power(&plan, sizes, gain, &arena);
        double expected = pawl_plan_grid_power(&plan, gain, 0, 3000, &random);
        assert_true(fabs(simulated - expected) < 0.05); /* three standard errors */
    }
    /* Under no gain it promotes no more often than the level. */
    assert_true(pawl_plan_clusters_power(&plan, sizes, 0, &arena) <= 0.06);
}

static void test_one_large_cluster_costs_power_and_a_cap_gives_it_back(void **state)
{
    (void)state;
    const size_t *even = sizes_of(8, 8), *one = sizes_of(8, 46);
    double gain_even = pawl_plan_clusters_smallest_gain(&plan, even, 0.8, &arena);
    double gain_one = pawl_plan_clusters_smallest_gain(&plan, one, 0.8, &arena);
    assert_true(gain_one > 1.5 * gain_even);
    double best;
    size_t cap = pawl_plan_clusters_best_cap(&plan, one, 0.8, &best, &arena);
    assert_in_range(cap, 1, 12);
    const size_t *capped = pawl_plan_clusters_capped(one, N, cap, &arena);
    for (size_t i = 0; i < N; i++) assert_true(capped[i] <= cap && capped[i] <= one[i]);
    double gain_capped = pawl_plan_clusters_smallest_gain(&plan, capped, 0.8, &arena);
    assert_true(gain_capped == best && best < gain_one / 1.5);
}

static void test_nothing_is_advised_where_nothing_is_won(void **state)
{
    (void)state;
    double gain;
    assert_int_equal(pawl_plan_clusters_best_cap(&plan, sizes_of(1, 1), 0.8, &gain, &arena), 1);
    assert_true(gain == pawl_plan_clusters_smallest_gain(&plan, sizes_of(1, 1), 0.8, &arena));
    struct pawl_plan few = plan;
    few.n = 3; /* no gain can be certified at all */
    assert_true(isnan(pawl_plan_clusters_smallest_gain(&few, sizes_of(1, 1), 0.8, &arena)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_clusters_it_is_the_plan_of_the_grid),
        cmocka_unit_test(test_one_large_cluster_costs_power_and_a_cap_gives_it_back),
        cmocka_unit_test(test_nothing_is_advised_where_nothing_is_won),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pawl_arena_release(&arena);
    return failed;
}
