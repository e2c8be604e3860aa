/* Confirmation: what it answers, that the order of cases says nothing, and how often it is wrong. */
#include "check.h"

#include "gate/confirm.h"

#include "base/random.h"

#include <math.h>
#include <string.h>

static struct pawl_gate_plan plan_of(size_t n, size_t largest, double level)
{
    return (struct pawl_gate_plan){.level = level,
                                   .pass_fail = true,
                                   .samples = 1,
                                   .largest_cluster = largest,
                                   .n_planned = n};
}

static struct pawl_confirm confirm_of(struct pawl_gate_plan plan)
{
    struct pawl_confirm confirm;
    assert_int_equal(pawl_confirm_init(&confirm, &plan, NULL), PAWL_OK);
    return confirm;
}

static void feed(struct pawl_confirm *confirm, double candidate, double incumbent)
{
    assert_int_equal(pawl_confirm_observe(confirm, &candidate, &incumbent, 1, NULL), PAWL_OK);
}

/* w wins, l losses, the rest ties. */
static enum pawl_confirm_answer answer(size_t w, size_t l, size_t n, double level)
{
    struct pawl_confirm confirm = confirm_of(plan_of(n, 1, level));
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(pawl_confirm_answer_of(&confirm), PAWL_CONFIRM_UNCONFIRMED);
        feed(&confirm, i < w ? 1 : 0, i >= w && i < w + l ? 1 : 0);
    }
    return pawl_confirm_answer_of(&confirm);
}

static void levels_sum_to_alpha(void **state)
{
    (void)state;
    double sum = 0;
    assert_true(pawl_confirm_level(0.05, 1) == 0.025);
    assert_true(fabs(pawl_confirm_level(0.05, 3) - 0.05 / 12) < 1e-15);
    for (uint64_t k = 1; k <= 100000; k++) sum += pawl_confirm_level(0.05, k);
    assert_true(sum < 0.05 && sum > 0.0499);
}

/* At 1/40: 2^(w+1) / (w+1) of so many wins alone reaches 40 at eight of them (512/9). */
static void three_answers(void **state)
{
    (void)state;
    assert_int_equal(answer(7, 0, 30, 0.025), PAWL_CONFIRM_UNCONFIRMED); /* 32 */
    assert_int_equal(answer(8, 0, 30, 0.025), PAWL_CONFIRM_STABLE);      /* 57 */
    assert_int_equal(answer(0, 8, 30, 0.025), PAWL_CONFIRM_HARM);
    assert_int_equal(answer(0, 7, 30, 0.025), PAWL_CONFIRM_UNCONFIRMED);
    assert_int_equal(answer(9, 9, 30, 0.025), PAWL_CONFIRM_UNCONFIRMED);
    assert_false(pawl_confirm_can_answer(0.025, 7));
    assert_true(pawl_confirm_can_answer(0.025, 8));
    assert_string_equal(pawl_confirm_answer_name(PAWL_CONFIRM_HARM), "harm");
}

/* The same cases in any order, and turned round, give the same two numbers. */
static void order_says_nothing(void **state)
{
    (void)state;
    double one[12] = {0.2, 1, 0.5, 0, 0.25, 0.75, 1, 1, 0, 0.5, 0.4, 0.6};
    double two[12] = {0.1, 0, 0.5, 1, 0.75, 0.25, 1, 0, 0, 0.25, 0.4, 0.1};
    struct pawl_gate_plan plan = plan_of(6, 2, 0.025);
    plan.pass_fail = false;
    struct pawl_confirm forth = confirm_of(plan), back = confirm_of(plan),
                        turned = confirm_of(plan);
    assert_int_equal(forth.unit, PAWL_UNIT_GRID);
    for (int g = 0; g < 6; g++) {
        assert_int_equal(pawl_confirm_observe(&forth, one + 2 * g, two + 2 * g, 2, NULL), PAWL_OK);
        assert_int_equal(pawl_confirm_observe(&turned, two + 2 * g, one + 2 * g, 2, NULL), PAWL_OK);
    }
    for (int g = 5; g >= 0; g--)
        assert_int_equal(pawl_confirm_observe(&back, one + 2 * g, two + 2 * g, 2, NULL), PAWL_OK);
    assert_true(fabs(pawl_confirm_log_gain(&forth) - pawl_confirm_log_gain(&back)) < 1e-12);
    assert_true(fabs(pawl_confirm_log_gain(&forth) - pawl_confirm_log_harm(&turned)) < 1e-12);
    assert_true(pawl_confirm_log_gain(&forth) > 0 && pawl_confirm_log_harm(&forth) < 0);
}

static void what_is_not_planned_is_refused(void **state)
{
    (void)state;
    double one[3] = {1, 1, 1}, half[1] = {0.5};
    struct pawl_confirm confirm = confirm_of(plan_of(1, 1, 0.025));
    assert_int_equal(pawl_confirm_observe(&confirm, one, one, 2, NULL), PAWL_ECONFIG);
    assert_int_equal(pawl_confirm_observe(&confirm, one, one, 0, NULL), PAWL_ECONFIG);
    assert_int_equal(pawl_confirm_observe(&confirm, half, one, 1, NULL), PAWL_ECONFIG);
    assert_int_equal(confirm.n_clusters, 0);
    feed(&confirm, 1, 1);
    assert_int_equal(pawl_confirm_observe(&confirm, one, one, 1, NULL), PAWL_ECONFIG);
    struct pawl_gate_plan none = plan_of(0, 1, 0.025);
    assert_int_equal(pawl_confirm_init(&confirm, &none, NULL), PAWL_ECONFIG);
}

/* Of 4,000 equal candidates at most the level is called stable, and at most it rolled back; of candidates
 * that are worse by 15 points most are found out. */
static void errors_are_rare(void **state)
{
    (void)state;
    enum { RUNS = 4000, N = 200 };
    struct pawl_random random;
    size_t counts[2][3] = {{0}};
    pawl_random_init(&random, 11);
    for (int worse = 0; worse < 2; worse++) {
        for (int run = 0; run < RUNS; run++) {
            struct pawl_confirm confirm = confirm_of(plan_of(N, 1, 0.025));
            for (int i = 0; i < N; i++) {
                double u = pawl_random_unit(&random), win = worse ? 0.05 : 0.1;
                feed(&confirm, u < win, u >= win && u < (worse ? 0.25 : 0.2));
            }
            counts[worse][pawl_confirm_answer_of(&confirm)]++;
        }
    }
    assert_true(counts[0][PAWL_CONFIRM_STABLE] < 0.025 * RUNS);
    assert_true(counts[0][PAWL_CONFIRM_HARM] < 0.025 * RUNS);
    assert_true(counts[0][PAWL_CONFIRM_STABLE] + counts[0][PAWL_CONFIRM_HARM] > 0);
    assert_true(counts[1][PAWL_CONFIRM_HARM] > 0.9 * RUNS);
    assert_int_equal(counts[1][PAWL_CONFIRM_STABLE], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_sum_to_alpha), cmocka_unit_test(three_answers),
        cmocka_unit_test(order_says_nothing),  cmocka_unit_test(what_is_not_planned_is_refused),
        cmocka_unit_test(errors_are_rare),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
