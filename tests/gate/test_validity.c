/*
 * False promotions, counted by simulation through the production path, beside the shortcuts that
 * the gate refuses: each of those must be seen to break the level, or this test tests nothing.
 */
#include "check.h"

#include "gate/decide.h"

#include "base/hash.h"
#include "base/random.h"

static struct pawl_gate gate_of(struct pawl_gate_plan plan)
{
    struct pawl_gate gate;
    assert_int_equal(pawl_gate_init(&gate, &plan, NULL, NULL), PAWL_OK);
    return gate;
}

static void feed(struct pawl_gate *gate, const double *candidate, const double *incumbent, size_t n)
{
    if (gate->state != PAWL_GATE_OPEN) return;
    assert_int_equal(pawl_gate_observe(gate, candidate, incumbent, n, NULL), PAWL_OK);
}

static struct pawl_random stream(uint64_t seed)
{
    struct pawl_random random;
    pawl_crypto_init();
    pawl_random_init(&random, seed);
    return random;
}

/* -1, 0 or 1: equal chances of winning and losing, psi together. */
static int null_difference(struct pawl_random *random, double psi)
{
    double u = pawl_random_unit(random);
    return u < psi / 2 ? 1 : u < psi ? -1 : 0;
}

/* Ville: P(sup E >= 20) <= .05; about .033 at 1000 cases with psi = .2. A tie changes nothing
 * (test_exact.c), so only the discordant cases are fed. */
static void test_ville(void **state)
{
    (void)state;
    enum { RUNS = 20000, CASES = 1000 };
    struct pawl_random random = stream(1);
    int promoted = 0;
    for (int run = 0; run < RUNS; run++) {
        struct pawl_gate gate = gate_of((struct pawl_gate_plan){.level = 0.05,
                                                                .pass_fail = true,
                                                                .samples = 1,
                                                                .largest_cluster = 1,
                                                                .n_planned = CASES});
        for (int i = 0; i < CASES && gate.state == PAWL_GATE_OPEN; i++) {
            int d = null_difference(&random, 0.2);
            if (d) feed(&gate, &(double){d > 0}, &(double){d < 0}, 1);
        }
        promoted += pawl_gate_promotes(&gate);
    }
    double rate = (double)promoted / RUNS;
    print_message("P(sup E >= 20) = %.4f\n", rate);
    assert_true(rate <= 0.05);
    check_near(rate, 0.033, 0.005);
}

/* How often the rule and its shortcut promote when nothing is gained. */
struct rates {
    double right, wrong;
};

/* Clusters of ten cases that win, lose or tie together. Shortcut: ten cases, ten observations. */
static struct rates rates_of_clusters(size_t runs)
{
    struct pawl_random random = stream(2);
    struct rates rates = {0, 0};
    const double ones[10] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, zeros[10] = {0};
    struct pawl_gate_plan plan = {.level = 0.05, .pass_fail = true, .samples = 1, .n_planned = 300};
    for (size_t run = 0; run < runs; run++) {
        plan.largest_cluster = 10;
        struct pawl_gate right = gate_of(plan);
        plan.largest_cluster = 1;
        struct pawl_gate wrong = gate_of(plan);
        for (int g = 0; g < 30; g++) {
            int d = null_difference(&random, 0.2);
            const double *c = d > 0 ? ones : zeros, *b = d < 0 ? ones : zeros;
            feed(&right, c, b, 10);
            for (int i = 0; i < 10; i++) feed(&wrong, c + i, b + i, 1);
        }
        rates.right += pawl_gate_promotes(&right);
        rates.wrong += pawl_gate_promotes(&wrong);
    }
    return (struct rates){rates.right / (double)runs, rates.wrong / (double)runs};
}

/* Cases on which one arm is the better one by chance, asked five times. Shortcut: five cases. */
static struct rates rates_of_samples(size_t runs)
{
    enum { K = 5, CASES = 100 };
    struct pawl_random random = stream(3);
    struct rates rates = {0, 0};
    struct pawl_gate_plan plan = {.level = 0.05, .pass_fail = true, .largest_cluster = 1};
    for (size_t run = 0; run < runs; run++) {
        plan.samples = K, plan.n_planned = CASES;
        struct pawl_gate right = gate_of(plan);
        plan.samples = 1, plan.n_planned = K * CASES;
        struct pawl_gate wrong = gate_of(plan);
        for (int i = 0; i < CASES; i++) {
            double gain = 0.4 * null_difference(&random, 0.5), c_mean = 0, b_mean = 0;
            for (int k = 0; k < K; k++) {
                double c = pawl_random_unit(&random) < 0.5 + gain;
                double b = pawl_random_unit(&random) < 0.5 - gain;
                feed(&wrong, &c, &b, 1);
                c_mean += c / K;
                b_mean += b / K;
            }
            feed(&right, &(double){fmin(1, c_mean)}, &(double){fmin(1, b_mean)}, 1);
        }
        rates.right += pawl_gate_promotes(&right);
        rates.wrong += pawl_gate_promotes(&wrong);
    }
    return (struct rates){rates.right / (double)runs, rates.wrong / (double)runs};
}

/* Wins on clusters of one case, losses on clusters of five: worse by 13 points over cases.
 * Shortcut: the mean of each cluster counts alike. */
static struct rates rates_of_sizes(size_t runs)
{
    struct pawl_random random = stream(4);
    struct rates rates = {0, 0};
    const double ones[5] = {1, 1, 1, 1, 1}, zeros[5] = {0};
    struct pawl_gate_plan plan = {.level = 0.05, .pass_fail = true, .samples = 1, .n_planned = 200};
    for (size_t run = 0; run < runs; run++) {
        plan.largest_cluster = 5;
        struct pawl_gate right = gate_of(plan);
        plan.pass_fail = false, plan.largest_cluster = 1;
        struct pawl_gate wrong = gate_of(plan);
        plan.pass_fail = true;
        for (int g = 0; g < 200; g++) {
            double u = pawl_random_unit(&random);
            size_t size = u < 0.5 ? 1 : 5;
            bool wins = u<0.25, loses = u> 0.87;
            const double *c = wins ? ones : zeros, *b = loses ? ones : zeros;
            feed(&right, c, b, size);
            feed(&wrong, c, b, 1); /* all cases of a cluster are alike: its mean is the first */
        }
        rates.right += pawl_gate_promotes(&right);
        rates.wrong += pawl_gate_promotes(&wrong);
    }
    return (struct rates){rates.right / (double)runs, rates.wrong / (double)runs};
}

static void test_shortcuts_break_the_level(void **state)
{
    (void)state;
    const struct {
        const char *what;
        struct rates rates;
    } all[] = {{"clusters ignored", rates_of_clusters(2000)},
               {"samples counted as cases", rates_of_samples(1000)},
               {"clusters weighed alike", rates_of_sizes(500)}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        print_message("%-24s %.3f, the gate %.3f\n", all[i].what, all[i].rates.wrong,
                      all[i].rates.right);
        assert_true(all[i].rates.right <= 0.05);
        assert_true(all[i].rates.wrong > 0.07);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ville),
        cmocka_unit_test(test_shortcuts_break_the_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
