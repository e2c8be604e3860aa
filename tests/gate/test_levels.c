/* The levels of attempts over the life of a sealed set, and how much the set has told. */
#include "check.h"

#include "gate/levels.h"
#include "gate/wear.h"

#include <string.h>

static double level(const char *policy, const struct pawl_series *series, const char *answers)
{
    bool bits[64];
    size_t n = strlen(answers);
    assert_true(n <= 64);
    for (size_t i = 0; i < n; i++) bits[i] = answers[i] == 'P';
    return pawl_policy_level(pawl_policy_find(policy), series, 0.05,
                             &(struct pawl_history){bits, n});
}

/* The thresholds that the design names: 25, then 164. */
static void test_elond_thresholds(void **state)
{
    (void)state;
    check_near(1 / level("e-lond", &pawl_series_front, ""), 25, 1e-12);
    check_near(1 / level("e-lond", &pawl_series_front, "n"), 100 * M_PI * M_PI / 6, 1e-12);
    check_near(1 / level("e-lond", &pawl_series_front, "P"), 50 * M_PI * M_PI / 6, 1e-12);
    check_near(1 / level("e-lond", &pawl_series_quadratic, ""), 20 * M_PI * M_PI / 6, 1e-12);
    double earlier = 1;
    char answers[32] = "";
    for (size_t k = 0; k < 30; k++) {
        double now = level("e-lond", &pawl_series_front, answers);
        assert_true(now < earlier);
        earlier = now;
        answers[k] = 'n';
    }
}

static void test_strict_by_hand(void **state)
{
    (void)state;
    double g1 = 0.8, g2 = 0.2 * 6 / (M_PI * M_PI), g3 = g2 / 4;
    check_near(level("strict", &pawl_series_front, ""), 0.05 / 2 * g1, 1e-15);
    check_near(level("strict", &pawl_series_front, "nn"), 0.05 / 2 * g3, 1e-15);
    /* a promotion at the second attempt (gap 2), then one `no`, so this is the second since */
    check_near(level("strict", &pawl_series_front, "nPn"), 0.05 / 4 * g2 * g2, 1e-15);
    check_near(level("strict", &pawl_series_front, "PnnP"), 0.05 / 8 * g1 * g3 * g1, 1e-15);
}

/* `fresh` asks other cases at the same levels; what differs is what it may promise. */
static void test_fresh_has_the_levels_of_elond(void **state)
{
    (void)state;
    static const char *const answers[] = {"", "n", "P", "nPnnPn"};
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
        check_near(level(PAWL_POLICY_FRESH, &pawl_series_front, answers[i]),
                   level("e-lond", &pawl_series_front, answers[i]), 0);
    assert_non_null(strstr(pawl_policy_find(PAWL_POLICY_FRESH)->guarantee, "however"));
}

/* What makes `strict` hold for every way of choosing candidates: over all histories there are, the
 * levels together are at most alpha. Every history of up to 12 answers. */
static void test_strict_spends_at_most_alpha(void **state)
{
    (void)state;
    const struct pawl_policy *strict = pawl_policy_find("strict");
    double spent = 0, elond = 0;
    for (size_t n = 0; n <= 12; n++)
        for (size_t history = 0; history < (size_t)1 << n; history++) {
            bool bits[12];
            for (size_t i = 0; i < n; i++) bits[i] = history >> i & 1;
            struct pawl_history h = {bits, n};
            spent += pawl_policy_level(strict, &pawl_series_front, 0.05, &h);
            elond += pawl_policy_level(pawl_policy_find("e-lond"), &pawl_series_front, 0.05, &h);
        }
    assert_true(spent <= 0.05 && spent > 0.045);
    assert_true(elond > 1); /* e-LOND makes no such promise, and says so */
}

static void test_series_sum_to_one(void **state)
{
    (void)state;
    const struct pawl_series *all[] = {&pawl_series_front, &pawl_series_quadratic,
                                       &pawl_series_harmonic};
    for (size_t s = 0; s < 3; s++) {
        double sum = 0;
        for (uint64_t t = 1; t <= 100000; t++) sum += all[s]->weight(t);
        assert_true(sum <= 1 && sum > 0.9999);
    }
    check_near(level("spending", &pawl_series_harmonic, "nPn"), 0.05 / 20, 1e-15);
    check_near(level("per-decision", &pawl_series_front, "nPnPPP"), 0.05, 0);
}

static void test_every_policy_says_what_it_promises(void **state)
{
    (void)state;
    size_t n = 0;
    for (const struct pawl_policy *p; (p = pawl_policy_at(n)) != NULL; n++) {
        assert_true(strlen(p->guarantee) > 40 && strlen(p->not_guarantee) > 40);
        assert_ptr_equal(pawl_policy_find(p->name), p);
        double first = level(p->name, &pawl_series_front, "");
        assert_true(first > 0 && first <= 0.05);
    }
    assert_int_equal(n, 5);
    assert_null(pawl_policy_find("fdr"));
    assert_non_null(strstr(pawl_policy_find("per-decision")->not_guarantee, "not a run-level"));
}

/* Count by hand: histories of t answers with at most r promotions, each at one of T points. */
static double histories_by_hand(unsigned t, unsigned r, unsigned points)
{
    double n = 0;
    for (unsigned bits = 0; bits < 1u << t; bits++) {
        unsigned promotions = (unsigned)__builtin_popcount(bits);
        if (promotions <= r) n += pow(points, promotions);
    }
    return n;
}

static void test_histories(void **state)
{
    (void)state;
    for (unsigned t = 0; t <= 8; t++)
        for (unsigned r = 0; r <= 4; r++)
            check_near(exp(pawl_wear_log_histories_at(t, r, 4)), histories_by_hand(t, r, 4), 1e-9);
    double sum = 0;
    for (unsigned t = 0; t < 6; t++) sum += histories_by_hand(t, 2, 4);
    struct pawl_wear wear = pawl_wear_histories(300, 6, 2, 4, 0.05);
    check_near(wear.log_transcripts, log(sum), 1e-12);
    check_near(wear.eps, sqrt(2 * log(2 * sum / 0.05) / 300), 1e-12);
    assert_true(wear.eps > pawl_wear_transcripts(300, 6, 2, 0.05).eps - 0.05);
    check_near(pawl_wear_histories(300, 0, 2, 4, 0.05).eps, 0, 0); /* fresh: nothing was told */

    bool none[5] = {false}, one[5] = {false, true};
    check_near(pawl_history_log_count(&(struct pawl_history){none, 5}, 4), 0, 0);
    check_near(pawl_history_log_count(&(struct pawl_history){one, 5}, 4), log(1 + 5 * 4), 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elond_thresholds),
        cmocka_unit_test(test_strict_by_hand),
        cmocka_unit_test(test_fresh_has_the_levels_of_elond),
        cmocka_unit_test(test_strict_spends_at_most_alpha),
        cmocka_unit_test(test_series_sum_to_one),
        cmocka_unit_test(test_every_policy_says_what_it_promises),
        cmocka_unit_test(test_histories),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
