/* What each program was worth, and drawing one by that. */
#include "operators/vectors.h"

#include "base/hash.h"
#include "operators/simba_pool.h"

static void check_softmax(const double *means, size_t n, double temperature, const double *want)
{
    double got[8];
    pawl_simba_softmax(means, n, temperature, got);
    for (size_t i = 0; i < n; i++)
        if (!(fabs(got[i] - want[i]) < 1e-9))
            fail_msg("%zu: %.10f, want %.10f", i, got[i], want[i]);
}

static void test_softmax(void **state)
{
    (void)state;
    check_softmax((double[]){0.5, 0.6, 0.4}, 3, 0.2,
                  (double[]){0.307195886, 0.506480391, 0.186323723});
    check_softmax((double[]){1000, 0}, 2, 0.001, (double[]){1, 0}); /* no overflow */
    check_softmax((double[]){0.3}, 1, 0.2, (double[]){1});
    json_t *file = vectors_load();
    if (file == NULL) skip();
    const json_t *vector = vectors_find(file, "simba.program_softmax");
    const json_t *in = json_object_get(vector, "input");
    const json_t *scores = json_object_get(in, "mean_scores"), *expect;
    expect = json_object_get(vector, "expect");
    double means[8], want[8];
    size_t n = json_array_size(scores);
    assert_in_range(n, 1, 8);
    for (size_t i = 0; i < n; i++) {
        means[i] = json_number_value(json_array_get(scores, i));
        want[i] = json_number_value(json_array_get(expect, i));
    }
    check_softmax(means, n, pawl_json_get_real(in, "temperature", 0), want);
    json_decref(file);
}

/* A pool of one member per mean, each with one score. */
static struct pawl_simba_pool pool_of(const double *means, size_t n, struct pawl_arena *arena)
{
    struct pawl_simba_pool pool = {.arena = arena};
    for (size_t i = 0; i < n; i++) {
        bool is_new;
        size_t member = pawl_simba_pool_add(&pool, (uint32_t)(10 * i), &is_new);
        assert_true(is_new);
        pool.members[member].sum = means[i];
        pool.members[member].n = 1;
    }
    return pool;
}

static void check_top(const double *means, size_t n, size_t k, const size_t *want, size_t n_want)
{
    struct pawl_arena arena = {0};
    struct pawl_simba_pool pool = pool_of(means, n, &arena);
    struct pawl_simba_draw draw = pawl_simba_draw_of(&pool, k, 0.2, &arena);
    double sum = 0;
    assert_int_equal(draw.n, n_want);
    for (size_t i = 0; i < n_want; i++) {
        assert_int_equal(draw.members[i], want[i]);
        sum += draw.probability[i];
    }
    assert_true(fabs(sum - 1) < 1e-12);
    pawl_arena_release(&arena);
}

static void test_the_best_and_the_start(void **state)
{
    (void)state;
    check_top((double[]){0.5}, 1, 3, (size_t[]){0}, 1);
    check_top((double[]){0.5, 0.9, 0.7}, 3, 3, (size_t[]){1, 2, 0}, 3);
    check_top((double[]){0.1, 0.9, 0.7, 0.8}, 4, 2, (size_t[]){1, 0}, 2); /* in place of the last */
    check_top((double[]){0.5, 0.5, 0.5}, 3, 2, (size_t[]){0, 1}, 2);      /* the older of equals */
    check_top((double[]){0.1, 0.9, 0.7}, 3, 1, (size_t[]){0}, 1);
}

static void test_a_member_is_found_again(void **state)
{
    (void)state;
    struct pawl_arena arena = {0};
    struct pawl_simba_pool pool = {.arena = &arena};
    bool is_new;
    for (uint32_t i = 0; i < 200; i++) {
        assert_int_equal(pawl_simba_pool_add(&pool, 1000 - i, &is_new), i);
        assert_true(is_new);
    }
    assert_int_equal(pawl_simba_pool_add(&pool, 990, &is_new), 10);
    assert_false(is_new);
    assert_int_equal(pool.n, 200);
    assert_true(pawl_simba_pool_mean(&pool, 3) == 0); /* without scores */
    pawl_arena_release(&arena);
}

static void test_draws_follow_the_probabilities(void **state)
{
    enum { N = 20000 };
    (void)state;
    struct pawl_arena arena = {0};
    struct pawl_random random;
    pawl_random_init(&random, 4);
    struct pawl_simba_pool pool = pool_of((double[]){0.5, 0.6, 0.4}, 3, &arena);
    struct pawl_simba_draw draw = pawl_simba_draw_of(&pool, 3, 0.2, &arena);
    double count[3] = {0};
    for (int i = 0; i < N; i++) count[pawl_simba_draw(&draw, &random)]++;
    for (size_t i = 0; i < 3; i++) {
        double p = draw.probability[i], error = sqrt(p * (1 - p) / N);
        assert_true(fabs(count[draw.members[i]] / N - p) < 4 * error);
    }
    pawl_arena_release(&arena);
}

static void test_quantiles(void **state)
{
    (void)state;
    const double x[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, two[] = {0, 1};
    assert_true(fabs(pawl_simba_quantile(x, 11, 0.1) - 1) < 1e-12);
    assert_true(fabs(pawl_simba_quantile(x, 11, 0.9) - 9) < 1e-12);
    assert_true(fabs(pawl_simba_quantile(two, 2, 0.9) - 0.9) < 1e-12);
    assert_true(pawl_simba_quantile(x, 11, 1) == 10);
    assert_true(pawl_simba_quantile(two, 1, 0.9) == 0);
}

static void test_poisson(void **state)
{
    enum { N = 20000 };
    (void)state;
    struct pawl_random random;
    pawl_random_init(&random, 4);
    for (double mean = 0; mean < 3; mean += 0.75) {
        double sum = 0, squares = 0;
        for (int i = 0; i < N; i++) {
            double x = (double)pawl_simba_poisson(&random, mean);
            sum += x;
            squares += x * x;
        }
        double got = sum / N, variance = squares / N - got * got;
        assert_true(fabs(got - mean) <= 4 * sqrt(mean / N)); /* 0 exactly for 0 */
        assert_true(fabs(variance - mean) <= 0.15 * mean);
    }
}

int main(void)
{
    pawl_crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_softmax),
        cmocka_unit_test(test_the_best_and_the_start),
        cmocka_unit_test(test_a_member_is_found_again),
        cmocka_unit_test(test_draws_follow_the_probabilities),
        cmocka_unit_test(test_quantiles),
        cmocka_unit_test(test_poisson),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
