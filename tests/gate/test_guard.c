/* Guards: what a case says, exact levels by enumeration, both arms, drift, and the chance of an equal. */
#include "check.h"

#include "gate/guard_plan.h"
#include "gate/paired.h"
#include "gate/special.h"

#include <string.h>

static const struct pawl_guard_rule tokens = {
    .measure = PAWL_MEASURE_TOKENS, .margin = 0.2, .cap = 400};

static struct pawl_guards guards_of(const struct pawl_guard_rule *rules, size_t n, size_t n_planned,
                                    enum pawl_gate_look look, enum pawl_guard_anchor anchor,
                                    double level, size_t largest)
{
    struct pawl_guards guards;
    struct pawl_guards_plan plan = {.rules = rules,
                                    .n = n,
                                    .look = look,
                                    .anchor = anchor,
                                    .level = level,
                                    .largest_cluster = largest,
                                    .n_planned = n_planned};
    assert_int_equal(pawl_guards_init(&guards, &plan, NULL), PAWL_OK);
    return guards;
}

static struct pawl_guard_case case_of(enum pawl_measure measure, double incumbent, double candidate,
                                      double anchor)
{
    struct pawl_guard_case item = {0};
    item.values[PAWL_ARM_INCUMBENT][measure] = incumbent;
    item.values[PAWL_ARM_CANDIDATE][measure] = candidate;
    item.values[PAWL_ARM_ANCHOR][measure] = anchor;
    return item;
}

/* --- what a case says ----------------------------------------------------------------------- */

static void test_excess_by_hand(void **state)
{
    (void)state;
    check_near(pawl_guard_excess(&tokens, 100, 120), 0, 1e-15); /* just as much as allowed */
    check_near(pawl_guard_excess(&tokens, 100, 100), 20.0 / 480, 1e-15);
    check_near(pawl_guard_excess(&tokens, 100, 0), 120.0 / 480, 1e-15);
    check_near(pawl_guard_excess(&tokens, 100, 1e12), (120.0 - 400) / 480, 1e-15);
    check_near(pawl_guard_excess(&tokens, 1e12, 1e12), 80.0 / 480, 1e-15);
    check_near(pawl_guard_excess(&tokens, 0, 1e12), -1 / 1.2, 1e-15); /* the worst */
    check_near(pawl_guard_excess(&tokens, 1e12, 0), 1, 1e-15);        /* and the best */
    struct pawl_guard_rule score = {.measure = PAWL_MEASURE_SCORE, .margin = 0.1};
    struct pawl_guard_rule failed = {.measure = PAWL_MEASURE_FAILED, .margin = 0.1};
    check_near(pawl_guard_excess(&score, 0.5, 0.4), 0, 1e-15);
    check_near(pawl_guard_excess(&score, 0.5, 0.6), 0.2, 1e-15);
    check_near(pawl_guard_excess(&failed, 0.5, 0.6), 0, 1e-15);
    check_near(pawl_guard_excess(&failed, 1, 0), 1.1, 1e-15);
}

static void expect_refused(struct pawl_guard_rule rule, const char *field)
{
    struct pawl_error err = {0};
    assert_int_equal(pawl_guard_rule_check(&rule, &err), PAWL_ECONFIG);
    assert_string_equal(err.field, field);
}

static void test_rules_that_cannot_be_tested(void **state)
{
    (void)state;
    expect_refused((struct pawl_guard_rule){.measure = PAWL_MEASURE_TOKENS}, "margin");
    expect_refused((struct pawl_guard_rule){.measure = PAWL_MEASURE_TOKENS, .margin = 10.5},
                   "margin");
    expect_refused((struct pawl_guard_rule){.measure = PAWL_MEASURE_SCORE, .margin = 1}, "margin");
    expect_refused((struct pawl_guard_rule){.measure = PAWL_MEASURE_SCORE, .margin = NAN},
                   "margin");
    expect_refused((struct pawl_guard_rule){.measure = PAWL_MEASURE_COST, .zero_tolerance = true},
                   "zero_tolerance");
    expect_refused((struct pawl_guard_rule){.measure = PAWL_MEASURE_FAILED,
                                            .margin = 0.1,
                                            .zero_tolerance = true},
                   "margin");
    expect_refused((struct pawl_guard_rule){.measure = PAWL_N_MEASURES, .margin = 0.1}, "metric");

    struct pawl_guard_rule twice[] = {tokens, tokens};
    struct pawl_guards guards;
    struct pawl_guards_plan plan = {
        .rules = twice, .n = 2, .level = 0.05, .largest_cluster = 1, .n_planned = 10};
    assert_int_equal(pawl_guards_init(&guards, &plan, NULL), PAWL_ECONFIG);
    plan.n = 1;
    assert_int_equal(pawl_guards_init(&guards, &plan, NULL), PAWL_OK);
    twice[0].cap = 0; /* the incumbent costs nothing */
    assert_int_equal(pawl_guards_init(&guards, &plan, NULL), PAWL_ECONFIG);
}

static void test_rules_are_told_and_read(void **state)
{
    (void)state;
    const struct pawl_guard_rule rules[] = {
        tokens,
        {.measure = PAWL_MEASURE_SCORE, .margin = 0.02},
        {.measure = PAWL_MEASURE_FAILED, .zero_tolerance = true}};
    for (size_t i = 0; i < 3; i++) {
        struct pawl_guard_rule read;
        json_t *told = pawl_guard_rule_json(&rules[i]);
        assert_true(pawl_guard_rule_read(told, &read));
        assert_int_equal(read.measure, rules[i].measure);
        assert_true(read.margin == rules[i].margin && read.cap == rules[i].cap);
        assert_int_equal(read.zero_tolerance, rules[i].zero_tolerance);
        json_decref(told);
    }
}

/* --- levels, enumerated --------------------------------------------------------------------- */

struct outcome {
    double weight;
    size_t n_cases;
    double incumbent[2], candidate[2];
};

static void walk(struct pawl_guards guards, const struct outcome *outcomes, size_t n, size_t left,
                 double weight, double *mean, double *passed)
{
    if (left == 0) {
        *mean += weight * exp(guards.items[0].tests[0].log_e);
        *passed += weight * pawl_guards_pass(&guards);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const struct outcome *o = &outcomes[i];
        struct pawl_guards next = guards;
        struct pawl_guard_case cases[2];
        for (size_t k = 0; k < o->n_cases; k++)
            cases[k] = case_of(guards.items[0].rule.measure, o->incumbent[k], o->candidate[k], 0);
        pawl_guards_observe(&next, cases, o->n_cases);
        walk(next, outcomes, n, left - 1, weight * o->weight, mean, passed);
    }
}

/* Two clusters of unequal size, weighed so that the case-weighted excess is 0: E has mean 1, and half of
 * all evidence that reaches 2 would be too much. */
static void check_fair(const struct pawl_guard_rule *rule, struct outcome *outcomes, size_t depth)
{
    double sums[2] = {0, 0}, mean = 0, passed = 0;
    for (size_t i = 0; i < 2; i++)
        for (size_t k = 0; k < outcomes[i].n_cases; k++)
            sums[i] += pawl_guard_excess(rule, outcomes[i].incumbent[k], outcomes[i].candidate[k]);
    assert_true(sums[0] > 0 && sums[1] < 0);
    outcomes[0].weight = sums[1] / (sums[1] - sums[0]);
    outcomes[1].weight = 1 - outcomes[0].weight;
    struct pawl_guards guards =
        guards_of(rule, 1, depth, PAWL_LOOK_SEQUENTIAL, PAWL_ANCHOR_IS_INCUMBENT, 0.5, 2);
    walk(guards, outcomes, 2, depth, 1, &mean, &passed);
    check_near(mean, 1, 1e-12);
    assert_true(passed > 0 && passed <= 0.5);
}

static void test_expectation_is_one(void **state)
{
    (void)state;
    struct outcome costs[] = {{0, 1, {300}, {100}}, {0, 2, {100, 50}, {5000, 60}}};
    check_fair(&tokens, costs, 12);
    struct pawl_guard_rule score = {.measure = PAWL_MEASURE_SCORE, .margin = 0.1};
    struct outcome scores[] = {{0, 2, {1, 0.5}, {1, 0.75}}, {0, 1, {1}, {0.25}}};
    check_fair(&score, scores, 12);
    struct pawl_guard_rule failed = {.measure = PAWL_MEASURE_FAILED, .margin = 0.3};
    struct outcome failures[] = {{0, 1, {0}, {0}}, {0, 2, {0, 0}, {1, 0}}};
    check_fair(&failed, failures, 12);
}

/* n cases of one planned look, of which the candidate fails some; its excess on each. */
static bool planned_look_passes(size_t n, size_t fails, double *d)
{
    struct pawl_guard_rule score = {.measure = PAWL_MEASURE_SCORE, .margin = 0.1};
    struct pawl_guards guards =
        guards_of(&score, 1, n, PAWL_LOOK_FIXED, PAWL_ANCHOR_IS_INCUMBENT, 0.05, 1);
    for (size_t i = 0; i < n; i++) {
        struct pawl_guard_case item = case_of(PAWL_MEASURE_SCORE, 1, i >= fails, 0);
        d[i] = pawl_guard_excess(&score, 1, i >= fails);
        pawl_guards_observe(&guards, &item, 1);
    }
    return pawl_guards_pass(&guards);
}

static bool flips_pass(const double *d, size_t n)
{
    struct pawl_random random;
    struct pawl_arena arena = {0};
    pawl_random_init(&random, 1);
    bool passes = pawl_signflip(d, n, &random, &arena).p_greater <= 0.05;
    pawl_arena_release(&arena);
    return passes;
}

/* The candidate fails every tenth case and the margin is .1: on the null. All numbers of failures in one
 * planned look, with their chances: the guard keeps its level, and flips of signs let the candidate pass
 * in more than a third of the attempts of ten cases. */
static void test_a_planned_look_keeps_its_level(void **state)
{
    (void)state;
    static const size_t sizes[] = {10, 70};
    double by_guard[2] = {0, 0}, by_flips = 0, d[70];
    for (size_t k = 0; k < 2; k++)
        for (size_t fails = 0; fails <= sizes[k]; fails++) {
            double chance = pawl_binomial_pmf(fails, sizes[k], 0.1);
            by_guard[k] += chance * planned_look_passes(sizes[k], fails, d);
            if (k == 0) by_flips += chance * flips_pass(d, sizes[k]);
        }
    assert_true(by_guard[0] <= 0.05);
    assert_true(by_guard[1] > 0.0005 && by_guard[1] <= 0.05);
    assert_true(by_flips > 0.34);
}

/* --- the answer ----------------------------------------------------------------------------- */

static void observe_many(struct pawl_guards *guards, struct pawl_guard_case item, size_t n)
{
    for (size_t i = 0; i < n; i++) pawl_guards_observe(guards, &item, 1);
}

static void test_both_arms_are_needed(void **state)
{
    (void)state;
    const struct {
        double incumbent, candidate, anchor;
        bool passes;
    } rows[] = {{100, 100, 100, true},  /* equal to both */
                {100, 100, 60, false},  /* the anchor took much less */
                {60, 100, 100, false},  /* the incumbent did */
                {100, 110, 100, true}}; /* within the margin */
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct pawl_guards guards =
            guards_of(&tokens, 1, 400, PAWL_LOOK_SEQUENTIAL, PAWL_ANCHOR_APART, 0.05, 1);
        observe_many(
            &guards,
            case_of(PAWL_MEASURE_TOKENS, rows[i].incumbent, rows[i].candidate, rows[i].anchor),
            400);
        assert_int_equal(pawl_guards_pass(&guards), rows[i].passes);
    }
    struct pawl_guard_rule both[] = {tokens, {.measure = PAWL_MEASURE_SCORE, .margin = 0.1}};
    struct pawl_guards guards =
        guards_of(both, 2, 400, PAWL_LOOK_SEQUENTIAL, PAWL_ANCHOR_IS_INCUMBENT, 0.05, 1);
    struct pawl_guard_case item = case_of(PAWL_MEASURE_TOKENS, 100, 100, 0);
    item.values[PAWL_ARM_INCUMBENT][PAWL_MEASURE_SCORE] = 1; /* and 0 of the candidate */
    observe_many(&guards, item, 400);
    assert_true(pawl_guard_passes(&guards, 0));
    assert_false(pawl_guard_passes(&guards, 1));
    assert_false(pawl_guards_pass(&guards));
}

static void test_looks(void **state)
{
    (void)state;
    struct pawl_guard_case good = case_of(PAWL_MEASURE_TOKENS, 100, 50, 0);
    struct pawl_guard_case bad = case_of(PAWL_MEASURE_TOKENS, 100, 900, 0);
    for (int look = PAWL_LOOK_SEQUENTIAL; look <= PAWL_LOOK_FIXED; look++) {
        struct pawl_guards guards = guards_of(&tokens, 1, 100, (enum pawl_gate_look)look,
                                              PAWL_ANCHOR_IS_INCUMBENT, 0.05, 1);
        assert_false(pawl_guards_pass(&guards));
        observe_many(&guards, good, 95);
        double most = guards.items[0].tests[0].max_log_e;
        assert_int_equal(pawl_guards_pass(&guards), look == PAWL_LOOK_SEQUENTIAL);
        observe_many(&guards, bad, 5);
        assert_true(guards.items[0].tests[0].log_e < most);
        assert_true(guards.items[0].tests[0].max_log_e == most); /* once passed it stays passed */
        assert_true(pawl_guards_pass(&guards));
    }
    struct pawl_guards none = {0};
    assert_true(pawl_guards_pass(&none));
}

static void test_missing_cases_say_nothing(void **state)
{
    (void)state;
    struct pawl_guards guards =
        guards_of(&tokens, 1, 50, PAWL_LOOK_SEQUENTIAL, PAWL_ANCHOR_APART, 0.05, 1);
    struct pawl_guard_case item = case_of(PAWL_MEASURE_TOKENS, 100, 1, 100);
    item.missing = true;
    observe_many(&guards, item, 50);
    for (size_t k = 0; k < 2; k++) check_near(guards.items[0].tests[k].max_log_e, 0, 1e-12);
    check_near(pawl_guard_used(&guards, 0), 0, 0);
    assert_false(pawl_guards_pass(&guards));
}

static void test_zero_tolerance(void **state)
{
    (void)state;
    struct pawl_guard_rule rule = {.measure = PAWL_MEASURE_FAILED, .zero_tolerance = true};
    struct pawl_guard_case clean = case_of(PAWL_MEASURE_FAILED, 0, 0, 0);
    struct pawl_guard_case mended = case_of(PAWL_MEASURE_FAILED, 1, 0, 1);
    struct pawl_guard_case fresh = case_of(PAWL_MEASURE_FAILED, 0, 1, 1);
    struct pawl_guards guards =
        guards_of(&rule, 1, 59, PAWL_LOOK_SEQUENTIAL, PAWL_ANCHOR_APART, 0.05, 1);
    observe_many(&guards, clean, 40);
    observe_many(&guards, mended, 18);
    assert_false(pawl_guards_pass(&guards)); /* one case is still to come */
    struct pawl_guards other = guards;
    observe_many(&guards, clean, 1);
    assert_true(pawl_guards_pass(&guards));
    observe_many(&other, fresh, 1); /* against the incumbent alone, and that is enough */
    assert_false(pawl_guards_pass(&other));
    json_t *evidence = pawl_guards_evidence_json(&guards);
    const json_t *guard = json_array_get(json_object_get(evidence, "guards"), 0);
    check_near(pawl_json_get_real(guard, "clean_bound", 0), 0.049507609888227, 1e-12);
    json_decref(evidence);
}

/* --- drift ----------------------------------------------------------------------------------- */

static void test_what_was_used_of_the_margin(void **state)
{
    (void)state;
    struct pawl_guards guards =
        guards_of(&tokens, 1, 10, PAWL_LOOK_SEQUENTIAL, PAWL_ANCHOR_APART, 0.05, 1);
    observe_many(&guards, case_of(PAWL_MEASURE_TOKENS, 500, 110, 100), 10);
    check_near(pawl_guard_used(&guards, 0), 0.5, 1e-12); /* a tenth more, of a fifth */
    guards = guards_of(&tokens, 1, 10, PAWL_LOOK_SEQUENTIAL, PAWL_ANCHOR_IS_CANDIDATE, 0.05, 1);
    observe_many(&guards, case_of(PAWL_MEASURE_TOKENS, 50, 110, 0), 10);
    check_near(pawl_guard_used(&guards, 0), 0, 0);
    struct pawl_guard_rule score = {.measure = PAWL_MEASURE_SCORE, .margin = 0.02};
    guards = guards_of(&score, 1, 10, PAWL_LOOK_SEQUENTIAL, PAWL_ANCHOR_IS_INCUMBENT, 0.05, 1);
    observe_many(&guards, case_of(PAWL_MEASURE_SCORE, 0.50, 0.49, 0), 10);
    check_near(pawl_guard_used(&guards, 0), 0.5, 1e-12);
}

/* A third of the margin each time, always within it: the fourth is stopped, and what is as good as the
 * anchor is never. */
static void test_small_losses_add_up(void **state)
{
    (void)state;
    double s = 0;
    int n = 0;
    while (n < 50 && !pawl_guard_drift_alarms(pawl_guard_drift(s, (n + 1) * 0.3)))
        s = pawl_guard_drift(s, ++n * 0.3);
    assert_int_equal(n, 3);
    assert_false(pawl_guard_drift_alarms(pawl_guard_drift(s, 0)));
    struct pawl_guard_rule score = {.measure = PAWL_MEASURE_SCORE, .margin = 0.1};
    double before = 0.9;
    struct pawl_guards guards;
    struct pawl_guards_plan plan = {.rules = &score,
                                    .drift = &before,
                                    .n = 1,
                                    .look = PAWL_LOOK_SEQUENTIAL,
                                    .level = 0.05,
                                    .largest_cluster = 1,
                                    .n_planned = 2000};
    assert_int_equal(pawl_guards_init(&guards, &plan, NULL), PAWL_OK);
    struct pawl_guards other = guards;
    observe_many(&guards, case_of(PAWL_MEASURE_SCORE, 1, 0.93, 0), 2000); /* S = .9 + .7 - .5 */
    assert_true(guards.items[0].tests[0].max_log_e > -log(0.05));
    assert_false(pawl_guards_pass(&guards));
    observe_many(&other, case_of(PAWL_MEASURE_SCORE, 1, 0.95, 0), 2000); /* .9 + .5 - .5 */
    assert_true(pawl_guards_pass(&other));
}

/* --- 50 successive edits --------------------------------------------------------------------- */

enum { EDIT_CLUSTERS = 500 };
static const struct pawl_guard_rule two_points = {.measure = PAWL_MEASURE_SCORE, .margin = 0.02};

static double noise(struct pawl_random *random)
{
    return 0.16 * (pawl_random_unit(random) - 0.5); /* standard deviation .046 in each arm */
}

/* One attempt on fresh cases: points lost so far by incumbent and candidate. Gives what is used. */
static bool edit_passes(double incumbent, double candidate, bool anchored, double drift,
                        struct pawl_random *random, double *used)
{
    struct pawl_guards guards;
    struct pawl_guards_plan plan = {.rules = &two_points,
                                    .drift = &drift,
                                    .n = 1,
                                    .look = PAWL_LOOK_SEQUENTIAL,
                                    .anchor =
                                        anchored ? PAWL_ANCHOR_APART : PAWL_ANCHOR_IS_INCUMBENT,
                                    .level = 0.05,
                                    .largest_cluster = 1,
                                    .n_planned = EDIT_CLUSTERS};
    assert_int_equal(pawl_guards_init(&guards, &plan, NULL), PAWL_OK);
    for (size_t i = 0; i < EDIT_CLUSTERS && !pawl_guards_pass(&guards); i++) {
        struct pawl_guard_case item = case_of(PAWL_MEASURE_SCORE, 0.8 - incumbent + noise(random),
                                              0.8 - candidate + noise(random), 0.8 + noise(random));
        pawl_guards_observe(&guards, &item, 1);
    }
    *used = pawl_guard_used(&guards, 0);
    return pawl_guards_pass(&guards);
}

/* How many of 50 edits, each a point worse than what is in force, go through. */
static int edits_that_pass(bool anchored, struct pawl_random *random)
{
    int promoted = 0;
    double drift = 0, used;
    for (int i = 0; i < 50; i++) {
        double incumbent = 0.01 * promoted;
        if (!edit_passes(incumbent, incumbent + 0.01, anchored, drift, random, &used)) continue;
        if (anchored) drift = pawl_guard_drift(drift, used);
        promoted++;
    }
    return promoted;
}

static void test_fifty_edits_each_a_point_worse(void **state)
{
    (void)state;
    struct pawl_random random;
    pawl_random_init(&random, 50);
    int equal = 0, creeping = 0;
    double used;
    for (int i = 0; i < 100; i++) equal += edit_passes(0, 0, true, 0, &random, &used);
    assert_true(equal >= 80);
    for (int run = 0; run < 8; run++) assert_true(edits_that_pass(true, &random) <= 2);
    for (int run = 0; run < 5; run++) creeping += edits_that_pass(false, &random);
    assert_true(creeping > 5 * 10); /* without the anchor they go on for ever */
}

/* --- the chance of an equal ------------------------------------------------------------------- */

enum { DEV = 200 };

static struct pawl_guards_plan plan_for(const struct pawl_guard_rule *rule, size_t n)
{
    return (struct pawl_guards_plan){.rules = rule,
                                     .n = 1,
                                     .look = PAWL_LOOK_SEQUENTIAL,
                                     .level = 0.05,
                                     .largest_cluster = 1,
                                     .n_planned = n};
}

/* Published for pass/fail, 300 cases, a fifth of them discordant: .08 at 2 points, .32 at 5. */
static void test_an_equal_is_nearly_always_blocked(void **state)
{
    (void)state;
    static double values[DEV][PAWL_N_MEASURES];
    for (size_t i = 0; i < DEV; i++) values[i][PAWL_MEASURE_SCORE] = (double)(i % 2);
    struct pawl_guard_sample dev = {.n = DEV, .incumbent = values};
    const double margins[] = {0.02, 0.05}, published[] = {0.08, 0.32};
    for (size_t i = 0; i < 2; i++) {
        struct pawl_guard_rule rule = {.measure = PAWL_MEASURE_SCORE, .margin = margins[i]};
        struct pawl_guards_plan plan = plan_for(&rule, 300);
        /* Of the cases whose answer is another one's, half have another score. */
        check_near(pawl_guards_chance(&plan, NULL, &dev, 0.4), published[i], 0.06);
    }
}

static void test_the_margin_that_works(void **state)
{
    (void)state;
    static double values[DEV][PAWL_N_MEASURES], anchor[DEV][PAWL_N_MEASURES];
    for (size_t i = 0; i < DEV; i++) {
        values[i][PAWL_MEASURE_TOKENS] = 60 + (double)(i % 80); /* median about 100 */
        anchor[i][PAWL_MEASURE_TOKENS] = values[i][PAWL_MEASURE_TOKENS] / 1.1;
    }
    struct pawl_guard_sample dev = {.n = DEV, .incumbent = values, .anchor = anchor};
    struct pawl_guard_rule rule = tokens;
    struct pawl_guards_plan plan = plan_for(&rule, 65);
    assert_true(pawl_guard_chance(&plan, 0, NULL, &dev, 0.2) < PAWL_GUARD_CHANCE_MIN);
    double works = pawl_guard_margin(&plan, 0, NULL, &dev, 0.2);
    rule.margin = works;
    assert_true(works > 0.2);
    assert_true(pawl_guard_chance(&plan, 0, NULL, &dev, 0.2) >= PAWL_GUARD_CHANCE_MIN);
    rule.margin = works - 0.01;
    assert_true(pawl_guard_chance(&plan, 0, NULL, &dev, 0.2) < PAWL_GUARD_CHANCE_MIN);

    /* The same candidate has less room when the incumbent has used half of it. */
    plan.anchor = PAWL_ANCHOR_APART;
    assert_true(pawl_guard_margin(&plan, 0, NULL, &dev, 0.2) > works + 0.05);
    /* More cases, less margin; clusters that weigh little cost power. */
    plan.anchor = PAWL_ANCHOR_IS_INCUMBENT;
    plan.n_planned = 195;
    assert_true(pawl_guard_margin(&plan, 0, NULL, &dev, 0.2) < works / 2);
    size_t sizes[65] = {20};
    for (size_t i = 1; i < 65; i++) sizes[i] = 1;
    plan.n_planned = 65;
    plan.largest_cluster = 20;
    assert_true(isnan(pawl_guard_margin(&plan, 0, sizes, &dev, 0.2)));
}

/* Equal answers on every case: nothing is drawn, and the chance is 0 or 1. */
static void test_no_noise_no_chance(void **state)
{
    (void)state;
    static double values[DEV][PAWL_N_MEASURES];
    for (size_t i = 0; i < DEV; i++) values[i][PAWL_MEASURE_TOKENS] = 100;
    struct pawl_guard_sample dev = {.n = DEV, .incumbent = values};
    struct pawl_guards_plan plan = plan_for(&tokens, 1);
    struct pawl_guards guards;
    size_t least = 0;
    assert_int_equal(
        pawl_guards_init(
            &guards,
            &(struct pawl_guards_plan){
                .rules = &tokens, .n = 1, .level = 0.05, .largest_cluster = 1, .n_planned = 1000},
            NULL),
        PAWL_OK);
    for (; !pawl_guards_pass(&guards); least++)
        observe_many(&guards, case_of(PAWL_MEASURE_TOKENS, 100, 100, 0), 1);
    assert_in_range(least, 80, 200); /* ln 20 and the price of the mixture, at 1/24 a case */
    plan.n_planned = least - 1;
    check_near(pawl_guards_chance(&plan, NULL, &dev, 0), 0, 0);
    plan.n_planned = least;
    check_near(pawl_guards_chance(&plan, NULL, &dev, 0), 1, 0);
}

/* Equal answers take other times each time. */
static void test_time_is_never_twice_the_same(void **state)
{
    (void)state;
    static double values[DEV][PAWL_N_MEASURES];
    for (size_t i = 0; i < DEV; i++)
        values[i][PAWL_MEASURE_TOKENS] = values[i][PAWL_MEASURE_SECONDS] = 1 + 2 * (double)(i % 2);
    struct pawl_guard_sample dev = {.n = DEV, .incumbent = values};
    struct pawl_guard_rule rule = {.measure = PAWL_MEASURE_TOKENS, .margin = 0.05, .cap = 8};
    struct pawl_guards_plan plan = plan_for(&rule, 600);
    check_near(pawl_guards_chance(&plan, NULL, &dev, 0), 1, 0);
    rule.measure = PAWL_MEASURE_SECONDS;
    assert_true(pawl_guards_chance(&plan, NULL, &dev, 0) < 0.9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_excess_by_hand),
        cmocka_unit_test(test_rules_that_cannot_be_tested),
        cmocka_unit_test(test_rules_are_told_and_read),
        cmocka_unit_test(test_expectation_is_one),
        cmocka_unit_test(test_a_planned_look_keeps_its_level),
        cmocka_unit_test(test_both_arms_are_needed),
        cmocka_unit_test(test_looks),
        cmocka_unit_test(test_missing_cases_say_nothing),
        cmocka_unit_test(test_zero_tolerance),
        cmocka_unit_test(test_what_was_used_of_the_margin),
        cmocka_unit_test(test_small_losses_add_up),
        cmocka_unit_test(test_fifty_edits_each_a_point_worse),
        cmocka_unit_test(test_an_equal_is_nearly_always_blocked),
        cmocka_unit_test(test_the_margin_that_works),
        cmocka_unit_test(test_no_noise_no_chance),
        cmocka_unit_test(test_time_is_never_twice_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
