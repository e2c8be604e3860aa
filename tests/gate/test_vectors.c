/*
 * Every vector of the reference file that is about statistics, to its tolerance. The file is not
 * part of this repository: it is looked for under $PAWL_SHARED, then under ../shared beside the
 * source folder, then upwards from the current folder. Without it this test says SKIPPED; the
 * vectors that matter most are also written out in test_known.c.
 */
#include "check.h"

#include "gate/eprocess.h"
#include "gate/intervals.h"
#include "gate/levels.h"
#include "gate/multiple.h"
#include "gate/paired.h"
#include "gate/plan.h"
#include "gate/trigger.h"
#include "gate/wear.h"

#include "base/hash.h"
#include "base/json.h"

#include <string.h>
#include <unistd.h>

/* One vector; a checker reads `in` and compares with `want`. */
struct vector {
    const char *id;
    json_t *in, *want;
    double tolerance;
    json_t *tolerances; /* when the tolerance is an object */
    struct pawl_arena *arena;
};

static double num(const json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    if (json_is_null(value)) return NAN;
    assert_true(json_is_number(value));
    return json_number_value(value);
}

static uint64_t count(const json_t *object, const char *key)
{
    return (uint64_t)num(object, key);
}

static double *reals(const struct vector *v, const json_t *array, size_t *n)
{
    *n = json_array_size(array);
    double *out = PAWL_NEW_N(v->arena, double, *n + 1);
    for (size_t i = 0; i < *n; i++) {
        const json_t *item = json_array_get(array, i);
        out[i] = json_is_null(item) ? -INFINITY : json_number_value(item);
    }
    return out;
}

static void expect(const struct vector *v, const char *key, double got)
{
    double want = num(v->want, key);
    if (isnan(want)) {
        assert_true(isnan(got));
        return;
    }
    if (fabs(got - want) <= v->tolerance) return;
    fail_msg("%s: %s is %.17g, want %.17g (tolerance %g)", v->id, key, got, want, v->tolerance);
}

static void expect_bool(const struct vector *v, const char *key, bool got)
{
    if (json_is_true(json_object_get(v->want, key)) != got) fail_msg("%s: %s", v->id, key);
}

static void expect_array(const struct vector *v, const char *key, const double *got, size_t n_got)
{
    size_t n;
    double *want = reals(v, json_object_get(v->want, key), &n);
    /* Long paths are written as [first, last]. */
    bool ends_only = n == 2 && n_got > 20;
    assert_true(ends_only || n == n_got);
    for (size_t i = 0; i < n; i++) {
        double value = ends_only && i == 1 ? got[n_got - 1] : got[i];
        if (value == want[i] || fabs(value - want[i]) <= v->tolerance) continue;
        fail_msg("%s: %s[%zu] is %.17g, want %.17g", v->id, key, i, value, want[i]);
    }
}

/* --- paired tests and intervals ----------------------------------------------------------- */

static void check_mcnemar(const struct vector *v)
{
    struct pawl_mcnemar m = pawl_mcnemar(count(v->in, "wins"), count(v->in, "losses"));
    expect(v, "p_two_sided", m.p_two_sided);
    expect(v, "p_greater", m.p_greater);
    expect(v, "midp_greater", m.midp_greater);
}

static void check_wilson(const struct vector *v)
{
    struct pawl_interval ci = pawl_wilson(count(v->in, "k"), count(v->in, "n"), num(v->in, "conf"));
    expect(v, "lo", ci.lo);
    expect(v, "hi", ci.hi);
}

static void check_clopper_pearson(const struct vector *v)
{
    struct pawl_interval ci =
        pawl_clopper_pearson(count(v->in, "k"), count(v->in, "n"), num(v->in, "conf"));
    expect(v, "lo", ci.lo);
    expect(v, "hi", ci.hi);
}

static void check_signflip(const struct vector *v)
{
    size_t n;
    double *d = reals(v, json_object_get(v->in, "diffs"), &n);
    struct pawl_random random;
    pawl_random_init(&random, 1);
    struct pawl_signflip s = pawl_signflip(d, n, &random, v->arena);
    assert_int_equal(s.flips, 0);
    expect(v, "mean", s.mean);
    expect(v, "p_greater", s.p_greater);
    expect(v, "p_two_sided", s.p_two_sided);
}

static void check_paired_t(const struct vector *v)
{
    size_t n;
    double *d = reals(v, json_object_get(v->in, "diffs"), &n);
    struct pawl_paired_t t = pawl_paired_t(d, n, num(v->in, "conf"));
    expect(v, "mean", t.mean);
    expect(v, "se", t.se);
    expect(v, "t", t.t);
    expect(v, "df", t.df);
    expect(v, "p_greater", t.p_greater);
    expect(v, "p_two_sided", t.p_two_sided);
    expect(v, "lo", t.lo);
    expect(v, "hi", t.hi);
    expect_bool(v, "degenerate", t.degenerate);
}

static void check_clustered(const struct vector *v)
{
    size_t n, n_labels;
    double *x = reals(v, json_object_get(v->in, "scores"), &n);
    double *labels = reals(v, json_object_get(v->in, "clusters"), &n_labels);
    size_t *cluster = PAWL_NEW_N(v->arena, size_t, n);
    for (size_t i = 0; i < n; i++) cluster[i] = (size_t)labels[i];
    struct pawl_clustered c =
        pawl_clustered(x, cluster, n, count(v->want, "n_clusters"), 0.95, v->arena);
    expect(v, "mean", c.mean);
    expect(v, "se_clustered", c.se);
    expect(v, "se_clustered_G_corrected", c.se_corrected);
    expect(v, "se_naive", c.se_naive);
    assert_true(isnan(c.lo)); /* all of these have fewer than 10 clusters */
}

static void check_interval(const struct vector *v, const char *key, struct pawl_interval got,
                           double step)
{
    json_t *want = json_object_get(v->want, key);
    double tolerance = fmax(num(v->tolerances, "ci_abs"), step + 1e-12);
    check_near(got.lo, num(want, "lo"), tolerance);
    check_near(got.hi, num(want, "hi"), tolerance);
}

/* Means of whole numbers lie 1/n apart, and an end whose quantile is close to a jump may fall on
 * either side of it: P(mean* < 0) is .0248 in the second vector, whose percentile end is at .025. */
static double step_of_means(const double *d, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (d[i] != nearbyint(d[i])) return 0;
    return 1 / (double)n;
}

static void check_bootstrap(const struct vector *v)
{
    size_t n;
    double *d = reals(v, json_object_get(v->in, "diffs"), &n);
    struct pawl_random random;
    pawl_random_init(&random, 7);
    struct pawl_bootstrap b = pawl_bootstrap_mean(d, n, num(v->in, "conf"),
                                                  count(v->in, "min_resamples"), &random, v->arena);
    check_interval(v, "percentile", b.percentile, step_of_means(d, n));
    check_interval(v, "bca", b.bca, step_of_means(d, n));
    check_near(b.acceleration, num(v->want, "acceleration"), num(v->tolerances, "acceleration"));
}

static void check_noninferiority(const struct vector *v)
{
    size_t n;
    double *d = reals(v, json_object_get(v->in, "diffs"), &n);
    struct pawl_noninferiority r =
        pawl_noninferiority_t(d, n, num(v->in, "margin"), num(v->in, "alpha"));
    expect(v, "lower_bound", r.lower_bound);
    expect_bool(v, "noninferior", r.noninferior);
}

static void check_hoeffding(const struct vector *v)
{
    expect(v, "lower",
           pawl_hoeffding_lower(num(v->in, "mean"), count(v->in, "n"), num(v->in, "alpha"),
                                num(v->in, "range")));
}

static void check_asymptotic_cs(const struct vector *v)
{
    struct pawl_asymptotic_cs cs = pawl_asymptotic_cs(num(v->in, "mean"), num(v->in, "var"),
                                                      count(v->in, "n"), num(v->in, "alpha"));
    expect(v, "rho", cs.rho);
    expect(v, "margin", cs.margin);
    expect(v, "lo", cs.ci.lo);
    expect(v, "hi", cs.ci.hi);
}

static void check_zero_failures(const struct vector *v)
{
    expect(v, "upper", pawl_zero_failures_upper(count(v->in, "n"), num(v->in, "conf")));
}

/* --- e-processes -------------------------------------------------------------------------- */

static void check_sign(const struct vector *v)
{
    struct pawl_sign sign = {.wins = count(v->in, "wins"), .losses = count(v->in, "losses")};
    double log_e = pawl_sign_log_e(&sign);
    expect(v, "log_e", log_e);
    expect_bool(v, "promote_at_alpha_0_05", log_e >= log(20));
}

static void check_sign_path(const struct vector *v)
{
    size_t n, stop = 0;
    double *outcomes = reals(v, json_object_get(v->in, "outcomes"), &n);
    double *path = PAWL_NEW_N(v->arena, double, n), high = 0;
    struct pawl_sign sign = {0};
    for (size_t i = 0; i < n; i++) {
        pawl_sign_step(&sign, (int)outcomes[i]);
        path[i] = pawl_sign_log_e(&sign);
        high = fmax(high, path[i]);
        if (stop == 0 && path[i] >= -log(num(v->in, "alpha"))) stop = i + 1;
    }
    expect_array(v, "log_e_path", path, n);
    expect(v, "max_log_e", high);
    expect(v, "stop_index_1based", (double)stop);
    expect(v, "p_anytime", fmin(1, exp(-high)));
}

static void check_grid(const struct vector *v)
{
    size_t n;
    double *d = reals(v, json_object_get(v->in, "diffs"), &n);
    assert_int_equal(count(v->in, "G"), PAWL_GRID_SIZE);
    double *path = PAWL_NEW_N(v->arena, double, n), high = -INFINITY;
    struct pawl_grid grid;
    pawl_grid_init(&grid, num(v->in, "m0"));
    for (size_t i = 0; i < n; i++) {
        pawl_grid_step(&grid, d[i]);
        path[i] = pawl_grid_log_e(&grid);
        high = fmax(high, path[i]);
    }
    expect_array(v, "log_e_path", path, n);
    expect(v, "final_log_e", path[n - 1]);
    expect(v, "max_log_e", high);
}

static void check_betting(const struct vector *v)
{
    size_t n;
    double *x = reals(v, json_object_get(v->in, "x"), &n), wealth = 0;
    double *path = PAWL_NEW_N(v->arena, double, n);
    for (size_t i = 0; i < n; i++)
        path[i] = wealth = pawl_betting_step(wealth, x[i], num(v->in, "m"), num(v->in, "lam"));
    expect_array(v, "log_wealth_path", path, n);
}

/* --- planner ------------------------------------------------------------------------------ */

static void check_n(const struct vector *v, double n)
{
    expect(v, "n_real", n);
    assert_int_equal((uint64_t)ceil(n), count(v->want, "n"));
}

static void check_miller(const struct vector *v)
{
    struct pawl_miller noise = {num(v->in, "omega2"), num(v->in, "sigmaA2"), num(v->in, "sigmaB2"),
                                num(v->in, "K")};
    check_n(v, pawl_plan_miller_n(&noise, num(v->in, "mde"), num(v->in, "alpha_two_sided"),
                                  num(v->in, "power")));
}

static void check_connor(const struct vector *v)
{
    check_n(v, pawl_plan_connor_n(num(v->in, "discordant"), num(v->in, "diff"),
                                  num(v->in, "alpha_one_sided"), num(v->in, "power")));
}

static void check_power_t(const struct vector *v)
{
    check_n(v, pawl_plan_paired_t_n(num(v->in, "d"), num(v->in, "alpha_one_sided"),
                                    num(v->in, "power")));
}

static void check_power_mcnemar(const struct vector *v)
{
    struct pawl_plan plan = {PAWL_LOOK_FIXED, num(v->in, "alpha_one_sided"), count(v->in, "n"),
                             num(v->in, "discordant")};
    expect(v, "power", pawl_plan_power(&plan, num(v->in, "diff"), v->arena));
}

/* Ours is exact, the vectors are simulated to 10 percent. The median run stops where half have. */
static void check_n80(const struct vector *v)
{
    struct pawl_plan plan = {PAWL_LOOK_SEQUENTIAL, num(v->in, "alpha"), 0,
                             num(v->in, "discordant")};
    double gain = num(v->in, "diff"), power = num(v->in, "power");
    double n80 = (double)pawl_plan_units(&plan, gain, power, v->arena);
    check_near(n80 / num(v->want, "n80"), 1, num(v->tolerances, "n80_rel"));
    double median = (double)pawl_plan_units(&plan, gain, 0.5, v->arena);
    check_near(median / num(v->want, "median_stop"), 1, num(v->tolerances, "median_rel"));
    double fixed = pawl_plan_connor_n(plan.discordance, gain, plan.level, power);
    assert_int_equal((uint64_t)ceil(fixed), count(v->want, "mcnemar_fixed_n"));
}

/* --- many hypotheses, many attempts ------------------------------------------------------- */

static void check_holm(const struct vector *v)
{
    size_t n;
    double *p = reals(v, json_object_get(v->in, "p"), &n), *out = PAWL_NEW_N(v->arena, double, n);
    pawl_holm(p, n, out, v->arena);
    expect_array(v, "adjusted", out, n);
}

static void check_bh(const struct vector *v)
{
    size_t n;
    double *p = reals(v, json_object_get(v->in, "p"), &n), *out = PAWL_NEW_N(v->arena, double, n);
    pawl_bh(p, n, out, v->arena);
    expect_array(v, "adjusted", out, n);
}

static void check_ebh(const struct vector *v)
{
    size_t n, k = 0;
    double *e = reals(v, json_object_get(v->in, "e"), &n);
    bool *rejected = PAWL_NEW_N(v->arena, bool, n);
    double *indices = PAWL_NEW_N(v->arena, double, n);
    pawl_ebh(e, n, num(v->in, "alpha"), rejected, v->arena);
    for (size_t i = 0; i < n; i++)
        if (rejected[i]) indices[k++] = (double)i;
    expect_array(v, "reject_indices", indices, k);
}

static void check_spending(const struct vector *v)
{
    size_t n = count(v->in, "rounds");
    bool *bits = PAWL_NEW_N(v->arena, bool, n);
    double *levels = PAWL_NEW_N(v->arena, double, n);
    for (size_t i = 0; i < n; i++)
        levels[i] = pawl_policy_level(pawl_policy_find("spending"), &pawl_series_quadratic,
                                      num(v->in, "alpha"), &(struct pawl_history){bits, i});
    expect_array(v, "alpha_j", levels, n);
}

static void check_elond(const struct vector *v)
{
    size_t n;
    double *e = reals(v, json_object_get(v->in, "e"), &n);
    json_t *reject = json_object_get(v->want, "reject");
    bool *bits = PAWL_NEW_N(v->arena, bool, n);
    double *levels = PAWL_NEW_N(v->arena, double, n);
    for (size_t i = 0; i < n; i++) {
        levels[i] = pawl_policy_level(pawl_policy_find("e-lond"), &pawl_series_quadratic,
                                      num(v->in, "alpha"), &(struct pawl_history){bits, i});
        bits[i] = e[i] >= 1 / levels[i];
        assert_int_equal(bits[i], json_is_true(json_array_get(reject, i)));
    }
    expect_array(v, "alpha_t", levels, n);
}

static void check_transcripts(const struct vector *v)
{
    struct pawl_wear wear =
        pawl_wear_transcripts(count(v->in, "n"), count(v->in, "attempts"),
                              count(v->in, "max_promotions"), num(v->in, "beta"));
    expect(v, "log_transcripts", wear.log_transcripts);
    expect(v, "eps", wear.eps);
}

static void check_ladder(const struct vector *v)
{
    size_t n;
    double *scores = reals(v, json_object_get(v->in, "scores"), &n), shown = -INFINITY;
    for (size_t i = 0; i < n; i++)
        scores[i] = shown = pawl_ladder_step(shown, scores[i], num(v->in, "eta"));
    expect_array(v, "reported", scores, n);
}

static void check_cusum(const struct vector *v)
{
    size_t n, alarm = 0;
    double *x = reals(v, json_object_get(v->in, "x"), &n), s = 0;
    for (size_t i = 0; i < n; i++) {
        x[i] = s = pawl_cusum_step(s, x[i], num(v->in, "mu0"), num(v->in, "k"));
        if (alarm == 0 && s >= num(v->in, "h")) alarm = i + 1;
    }
    expect_array(v, "path", x, n);
    expect(v, "alarm_index_1based", alarm ? (double)alarm : NAN);
}

static void check_canary(const struct vector *v)
{
    expect(
        v, "fraction",
        pawl_canary_fraction(pawl_json_get_str(v->in, "salt"), pawl_json_get_str(v->in, "unit")));
}

/* --- the file ----------------------------------------------------------------------------- */

static const struct {
    const char *kind;
    size_t n; /* vectors of this kind in the file */
    void (*check)(const struct vector *);
} kinds[] = {
    {"mcnemar_exact", 12, check_mcnemar},
    {"wilson", 10, check_wilson},
    {"clopper_pearson", 10, check_clopper_pearson},
    {"signflip_exact", 8, check_signflip},
    {"paired_t", 5, check_paired_t},
    {"clustered_se", 4, check_clustered},
    {"bootstrap_mean", 3, check_bootstrap},
    {"eprocess_sign_mixture", 14, check_sign},
    {"eprocess_path", 1, check_sign_path},
    {"eprocess_bounded_grid", 7, check_grid},
    {"betting_fixed", 3, check_betting},
    {"power_miller", 4, check_miller},
    {"power_mcnemar_connor", 5, check_connor},
    {"power_mcnemar_exact", 3, check_power_mcnemar},
    {"power_paired_t", 2, check_power_t},
    {"egate_n80", 19, check_n80},
    {"rule_of_zero_failures", 5, check_zero_failures},
    {"holm", 3, check_holm},
    {"bh", 3, check_bh},
    {"alpha_spend_quadratic", 1, check_spending},
    {"e_lond", 3, check_elond},
    {"e_bh", 2, check_ebh},
    {"ladder", 2, check_ladder},
    {"asymptotic_cs", 2, check_asymptotic_cs},
    {"noninferiority_t", 2, check_noninferiority},
    {"hoeffding_lower", 2, check_hoeffding},
    {"transcript_bound", 5, check_transcripts},
    {"cusum_trigger", 2, check_cusum},
    {"canary_bucket", 3, check_canary},
};

static json_t *load_under(const char *folder)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/reference/vectors/gate_vectors.json", folder);
    return json_load_file(path, 0, NULL);
}

static json_t *load_vectors(void)
{
    const char *shared = getenv("PAWL_SHARED"), *source = getenv("PAWL_SOURCE_DIR");
    json_t *found = shared ? load_under(shared) : NULL;
    char folder[2048];
    if (!found && source) {
        snprintf(folder, sizeof folder, "%s/../shared", source);
        found = load_under(folder);
    }
    char up[256] = "shared";
    for (int depth = 0; !found && depth < 8; depth++) {
        found = load_under(up);
        memmove(up + 3, up, strlen(up) + 1);
        memcpy(up, "../", 3);
    }
    return found;
}

static size_t run_kind(json_t *vectors, size_t k, struct pawl_arena *arena)
{
    size_t i, n = 0;
    json_t *item;
    json_array_foreach(vectors, i, item)
    {
        if (strcmp(pawl_json_get_text(item, "kind", ""), kinds[k].kind) != 0) continue;
        json_t *tolerance = json_object_get(item, "tol");
        struct vector v = {
            .id = pawl_json_get_text(item, "id", "?"),
            .in = json_object_get(item, "input"),
            .want = json_object_get(item, "expect"),
            .tolerance = json_is_number(tolerance) ? json_number_value(tolerance) : 0,
            .tolerances = tolerance,
            .arena = arena,
        };
        kinds[k].check(&v);
        pawl_arena_reset(arena);
        n++;
    }
    return n;
}

static void test_every_vector(void **state)
{
    (void)state;
    json_t *file = load_vectors();
    if (!file) {
        print_message("SKIPPED: gate_vectors.json was not found (set PAWL_SHARED to the folder "
                      "that holds reference/vectors); only the built-in vectors are tested.\n");
        skip();
    }
    pawl_crypto_init();
    struct pawl_arena arena = {0};
    size_t total = 0;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        size_t n = run_kind(json_object_get(file, "vectors"), k, &arena);
        if (n < kinds[k].n) fail_msg("only %zu vectors of kind %s", n, kinds[k].kind);
        total += n;
    }
    print_message("%zu vectors of %zu kinds agree\n", total, sizeof kinds / sizeof *kinds);
    pawl_arena_release(&arena);
    json_decref(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_vector)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
