/*
 * The gate, enumerated: every possible sealed set of a few clusters goes through the production
 * path (pawl_gate_observe), and the evidence must have expectation exactly 1 under the null. This
 * finds errors of level that no simulation can see.
 */
#include "check.h"

#include "gate/decide.h"

#include <string.h>

/* One cluster that the world may produce, and how likely it is. */
struct outcome {
    double weight;
    size_t n_cases;
    double candidate[3], incumbent[3];
};

/* A walk over all sequences of outcomes. `visit` sees each prefix, and must not be NULL. */
struct walk {
    const struct outcome *outcomes;
    size_t n_outcomes, depth;
    void (*visit)(struct walk *, const struct pawl_gate *, const struct pawl_gate *before);
    long double mean;    /* of E where the walk ends: at full depth, or where the gate stops */
    long double promote; /* P(promote) */
    void *data;
};

static void walk_from(struct walk *walk, const struct pawl_gate *gate, size_t left, double weight)
{
    if (left == 0 || gate->state != PAWL_GATE_OPEN) {
        walk->mean += (long double)weight * expl((long double)gate->log_e);
        walk->promote += (long double)weight * pawl_gate_promotes(gate);
        return;
    }
    for (size_t i = 0; i < walk->n_outcomes; i++) {
        const struct outcome *o = &walk->outcomes[i];
        struct pawl_gate next = *gate;
        assert_int_equal(pawl_gate_observe(&next, o->candidate, o->incumbent, o->n_cases, NULL),
                         PAWL_OK);
        if (walk->visit) walk->visit(walk, &next, gate);
        walk_from(walk, &next, left - 1, weight * o->weight);
    }
}

static void walk_all(struct walk *walk, struct pawl_gate_plan plan)
{
    struct pawl_gate gate;
    plan.n_planned = walk->depth;
    assert_int_equal(pawl_gate_init(&gate, &plan, NULL, NULL), PAWL_OK);
    walk_from(walk, &gate, walk->depth, 1);
}

static const struct outcome pass_fail[] = {
    {1.0 / 3, 1, {1}, {0}}, {1.0 / 3, 1, {0}, {1}}, {1.0 / 3, 1, {1}, {1}}};
enum { NEVER = 1000000000 }; /* a threshold that nothing here can reach */

/* --- the sign mixture, in integers -------------------------------------------------------- */

/* (n+1) C(n,w) divides lcm(1..13) for n <= 12, so that 360360 E is an integer. */
enum { COMMON = 360360 };

static int64_t choose(int64_t n, int64_t k)
{
    int64_t c = 1;
    for (int64_t i = 1; i <= k; i++) c = c * (n - k + i) / i;
    return c;
}

/* 360360 E(w,l) = 360360 sum_{k<=w} C(n+1,k) / ((n+1) C(n,w)). */
static int64_t exact_e(int64_t w, int64_t l)
{
    int64_t n = w + l, sum = 0, divisor = (n + 1) * choose(n, w);
    for (int64_t k = 0; k <= w; k++) sum += choose(n + 1, k);
    assert_int_equal(COMMON % divisor, 0);
    return sum * (COMMON / divisor);
}

struct exact {
    int64_t table[13][13];
    int64_t sum[13]; /* of 360360 E over all paths of a length */
    int64_t threshold;
};

static void visit_exact(struct walk *walk, const struct pawl_gate *gate,
                        const struct pawl_gate *before)
{
    struct exact *exact = walk->data;
    int64_t e = exact->table[gate->sign.wins][gate->sign.losses];
    exact->sum[gate->n_clusters] += e;
    if (fabs(exp(gate->log_e) - (double)e / COMMON) > 1e-9)
        fail_msg("E(%zu,%zu)", (size_t)gate->sign.wins, (size_t)gate->sign.losses);
    assert_int_equal(pawl_gate_promotes(gate), e >= exact->threshold * COMMON);
    if (gate->sign.ties > before->sign.ties) assert_true(gate->log_e == before->log_e);
}

static void exact_init(struct exact *exact, int64_t threshold)
{
    memset(exact, 0, sizeof *exact);
    exact->threshold = threshold;
    for (int64_t w = 0; w <= 12; w++)
        for (int64_t l = 0; w + l <= 12; l++) exact->table[w][l] = exact_e(w, l);
}

/* All 3^12 sequences of win, loss and tie. */
static void test_sign_expectation_is_one(void **state)
{
    (void)state;
    static struct exact exact;
    exact_init(&exact, NEVER);
    struct walk walk = {pass_fail, 3, 12, visit_exact, 0, 0, &exact};
    walk_all(&walk,
             (struct pawl_gate_plan){
                 .level = 1.0 / NEVER, .pass_fail = true, .samples = 1, .largest_cluster = 1});
    int64_t paths = 1;
    for (size_t n = 1; n <= 12; n++) {
        paths *= 3;
        assert_int_equal(exact.sum[n], paths * COMMON); /* E[E_n] = 1, in integers */
    }
    check_near((double)walk.mean, 1, 1e-12);
}

/* Stopping at the threshold changes nothing: E[E_tau] = 1, and so P(promote) <= level. */
static void test_sign_optional_stopping(void **state)
{
    (void)state;
    static struct exact exact;
    exact_init(&exact, 20);
    struct walk walk = {pass_fail, 3, 12, visit_exact, 0, 0, &exact};
    walk_all(&walk, (struct pawl_gate_plan){
                        .level = 0.05, .pass_fail = true, .samples = 1, .largest_cluster = 1});
    check_near((double)walk.mean, 1, 1e-12);
    assert_true(walk.promote > 0 && walk.promote <= 0.05L);
}

/* --- the grid mixture --------------------------------------------------------------------- */

/* E as it is written in the header: the mean over g of the products, in long double. */
struct direct {
    long double wealth[12][PAWL_GRID_SIZE]; /* by number of clusters */
};

static void visit_direct(struct walk *walk, const struct pawl_gate *gate,
                         const struct pawl_gate *before)
{
    struct direct *direct = walk->data;
    /* The cluster's excess is what the first gambler's wealth changed by. */
    double stake = pawl_grid_stake(gate->plan.m0, 0);
    double excess = expm1(gate->grid.log_wealth[0] - before->grid.log_wealth[0]) / stake;
    long double mean = 0;
    for (size_t g = 0; g < PAWL_GRID_SIZE; g++) {
        long double wealth = before->n_clusters ? direct->wealth[before->n_clusters - 1][g] : 1;
        wealth *= 1 + (long double)pawl_grid_stake(gate->plan.m0, g) * (long double)excess;
        direct->wealth[gate->n_clusters - 1][g] = wealth;
        mean += wealth / PAWL_GRID_SIZE;
    }
    assert_int_equal(gate->unit, PAWL_UNIT_GRID);
    check_near(gate->log_e, (double)logl(mean), 1e-9);
}

static void check_grid_is_fair(const struct outcome *outcomes, size_t n, size_t depth,
                               struct pawl_gate_plan plan)
{
    static struct direct direct;
    struct walk walk = {outcomes, n, depth, visit_direct, 0, 0, &direct};
    plan.level = 1.0 / NEVER;
    walk_all(&walk, plan);
    check_near((double)walk.mean, 1, 1e-12);

    struct walk stopped = {outcomes, n, depth, NULL, 0, 0, NULL};
    plan.level = 0.5;
    walk_all(&stopped, plan);
    check_near((double)stopped.mean, 1, 1e-12);
    assert_true(stopped.promote <= 0.5L);
}

/* Every mean of K samples in both arms, when each sample passes with chance 1/2. */
static void test_sample_means(void **state)
{
    (void)state;
    for (size_t samples = 2; samples <= 3; samples++) {
        struct outcome outcomes[16] = {0};
        size_t n = 0;
        for (size_t c = 0; c <= samples; c++)
            for (size_t b = 0; b <= samples; b++, n++) {
                int64_t k = (int64_t)samples;
                outcomes[n].weight = ldexp((double)(choose(k, (int64_t)c) * choose(k, (int64_t)b)),
                                           -2 * (int)samples);
                outcomes[n].n_cases = 1;
                outcomes[n].candidate[0] = (double)c / (double)samples;
                outcomes[n].incumbent[0] = (double)b / (double)samples;
            }
        check_grid_is_fair(
            outcomes, n, samples == 2 ? 4 : 3,
            (struct pawl_gate_plan){.pass_fail = true, .samples = samples, .largest_cluster = 1});
    }
}

/* Clusters of one to three cases, every case win, loss or tie: 39 outcomes. */
static void test_unequal_clusters(void **state)
{
    (void)state;
    struct outcome outcomes[39] = {0};
    size_t n = 0;
    for (size_t size = 1, patterns = 3; size <= 3; size++, patterns *= 3)
        for (size_t pattern = 0; pattern < patterns; pattern++, n++) {
            outcomes[n].weight = 1.0 / 3 / (double)patterns;
            outcomes[n].n_cases = size;
            for (size_t i = 0, digits = pattern; i < size; i++, digits /= 3) {
                outcomes[n].candidate[i] = digits % 3 == 1;
                outcomes[n].incumbent[i] = digits % 3 == 2;
            }
        }
    check_grid_is_fair(
        outcomes, n, 2,
        (struct pawl_gate_plan){.pass_fail = true, .samples = 1, .largest_cluster = 3});
}

/*
 * The candidate wins three times of four on small clusters, and loses whole clusters of three one
 * time of four: over cases it gains nothing. A gate that weighs clusters equally, or counts the
 * cases of a cluster one by one, or goes by signs, sees evidence here.
 */
static const struct outcome lopsided[] = {{0.75, 1, {1}, {0}}, {0.25, 3, {0}, {1, 1, 1}}};

static void test_case_weighted_mean(void **state)
{
    (void)state;
    check_grid_is_fair(
        lopsided, 2, 10,
        (struct pawl_gate_plan){.pass_fail = true, .samples = 1, .largest_cluster = 3});
}

/* A margin is owed per case: with m0 = -0.25 a candidate that loses a quarter is on the null. */
static void test_margin_with_unequal_clusters(void **state)
{
    (void)state;
    const struct outcome outcomes[] = {{0.375, 1, {0.75}, {0}},
                                       {0.5, 1, {0}, {0.75}},
                                       {0.125, 3, {0, 0.25, 0}, {0.25, 0.25, 0.875}}};
    double excess = 0; /* of the case-weighted mean over m0 = -0.25, made 0 by the last case */
    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < outcomes[i].n_cases; j++)
            excess +=
                outcomes[i].weight * (outcomes[i].candidate[j] - outcomes[i].incumbent[j] + 0.25);
    struct outcome fair[3];
    memcpy(fair, outcomes, sizeof fair);
    fair[0].candidate[0] -= excess / fair[0].weight;
    assert_true(fair[0].candidate[0] >= 0 && fair[0].candidate[0] <= 1);
    check_grid_is_fair(fair, 3, 6,
                       (struct pawl_gate_plan){.samples = 4, .largest_cluster = 3, .m0 = -0.25});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sign_expectation_is_one),
        cmocka_unit_test(test_sign_optional_stopping),
        cmocka_unit_test(test_sample_means),
        cmocka_unit_test(test_unequal_clusters),
        cmocka_unit_test(test_case_weighted_mean),
        cmocka_unit_test(test_margin_with_unequal_clusters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
