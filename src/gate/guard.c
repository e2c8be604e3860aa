#include "gate/guard.h"

#include "gate/intervals.h"
#include "gate/trigger.h"

#include <math.h>
#include <string.h>

/* S falls by this much with each promotion, and rises by the share of the margin that it used. */
static const double drift_slack = 0.5, drift_limit = 1;

/* --- measures ----------------------------------------------------------------------------- */

static const struct {
    const char *name;
    bool is_cost, more_is_better;
} measures[PAWL_N_MEASURES] = {
    [PAWL_MEASURE_SCORE] = {"score", false, true},
    [PAWL_MEASURE_FAILED] = {"failed", false, false},
    [PAWL_MEASURE_TOKENS] = {"tokens", true, false},
    [PAWL_MEASURE_SECONDS] = {"seconds", true, false},
    [PAWL_MEASURE_COST] = {"cost", true, false},
};

const char *pawl_measure_name(enum pawl_measure measure)
{
    return measures[measure].name;
}

enum pawl_measure pawl_measure_find(const char *name)
{
    int measure = 0;
    while (measure < PAWL_N_MEASURES && strcmp(measures[measure].name, name) != 0) measure++;
    return (enum pawl_measure)measure;
}

bool pawl_measure_is_cost(enum pawl_measure measure)
{
    return measures[measure].is_cost;
}

/* --- rules -------------------------------------------------------------------------------- */

static enum pawl_status check_zero_tolerance(const struct pawl_guard_rule *rule,
                                             struct pawl_error *err)
{
    if (pawl_measure_is_cost(rule->measure)) {
        pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "zero_tolerance",
                     "A guard on %s cannot have zero tolerance: nearly every candidate differs a "
                     "little on some case.",
                     pawl_measure_name(rule->measure));
        pawl_hint(err, "Give it a margin, for example `margin: 0.2`.");
        return PAWL_ECONFIG;
    }
    if (rule->margin == 0) return PAWL_OK;
    pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "margin",
                 "A guard with zero tolerance has no margin: no case may become worse.");
    pawl_hint(err, "Leave out either `margin` or `zero_tolerance`.");
    return PAWL_ECONFIG;
}

enum pawl_status pawl_guard_rule_check(const struct pawl_guard_rule *rule, struct pawl_error *err)
{
    if (rule->measure >= PAWL_N_MEASURES)
        return pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "metric", "A guard is on one of %s.",
                            PAWL_MEASURE_NAMES);
    if (rule->zero_tolerance) return check_zero_tolerance(rule, err);
    bool is_cost = pawl_measure_is_cost(rule->measure);
    bool fits = is_cost ? rule->margin <= PAWL_GUARD_MARGIN_MAX : rule->margin < 1;
    if (rule->margin > 0 && fits) return PAWL_OK;
    const char *name = pawl_measure_name(rule->measure);
    if (is_cost) {
        pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "margin",
                     "The margin of a guard on %s is above 0 and at most %g.", name,
                     PAWL_GUARD_MARGIN_MAX);
        pawl_hint(err, "It is a share: `margin: 0.2` lets %s grow by less than a fifth.", name);
    } else {
        pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "margin",
                     "The margin of a guard on %s is above 0 and below 1.", name);
        pawl_hint(err, "It is a part of 1: `margin: 0.05` is five points; `zero_tolerance: true` "
                       "allows none.");
    }
    return PAWL_ECONFIG;
}

json_t *pawl_guard_rule_json(const struct pawl_guard_rule *rule)
{
    json_t *out = json_object();
    pawl_json_set(out, "metric", json_string(pawl_measure_name(rule->measure)));
    if (rule->zero_tolerance)
        pawl_json_set(out, "zero_tolerance", json_true());
    else
        pawl_json_set(out, "margin", json_real(rule->margin));
    if (rule->cap > 0) pawl_json_set(out, "cap", json_real(rule->cap));
    return out;
}

bool pawl_guard_rule_read(const json_t *object, struct pawl_guard_rule *rule)
{
    *rule = (struct pawl_guard_rule){
        .measure = pawl_measure_find(pawl_json_get_text(object, "metric", "")),
        .zero_tolerance = pawl_json_get_bool(object, "zero_tolerance", false),
        .margin = pawl_json_get_real(object, "margin", 0),
        .cap = pawl_json_get_real(object, "cap", 0)};
    return pawl_guard_rule_check(rule, NULL) == PAWL_OK;
}

/* --- the start ---------------------------------------------------------------------------- */

static enum pawl_status check_plan(const struct pawl_guards_plan *plan, struct pawl_error *err)
{
    if (plan->n > PAWL_GUARDS_MAX)
        return pawl_fail(err, PAWL_ECONFIG, "There are %zu guards, more than %d.", plan->n,
                         PAWL_GUARDS_MAX);
    if (!(plan->level > 0 && plan->level < 1))
        return pawl_fail(err, PAWL_ECONFIG, "The guards' level is %g, not between 0 and 1.",
                         plan->level);
    if (plan->n_planned == 0 || plan->n_planned > PAWL_GATE_CLUSTERS_MAX ||
        plan->largest_cluster == 0)
        return pawl_fail(err, PAWL_ECONFIG,
                         "The guards are planned for %zu clusters of at most %zu cases.",
                         plan->n_planned, plan->largest_cluster);
    return PAWL_OK;
}

static enum pawl_status check_rule(const struct pawl_guards_plan *plan, size_t i,
                                   struct pawl_error *err)
{
    const struct pawl_guard_rule *rule = &plan->rules[i];
    PAWL_TRY(pawl_guard_rule_check(rule, err));
    const char *name = pawl_measure_name(rule->measure);
    for (size_t k = 0; k < i; k++)
        if (plan->rules[k].measure == rule->measure)
            return pawl_fail(err, PAWL_ECONFIG, "There are two guards on %s.", name);
    if (!pawl_measure_is_cost(rule->measure) || (rule->cap > 0 && isfinite(rule->cap)))
        return PAWL_OK;
    pawl_fail(err, PAWL_ECONFIG,
              "A guard on %s needs what the incumbent takes on dev, and that is nothing.", name);
    pawl_hint(err, "Remove the guard; a model without a price, for example, has no cost.");
    return PAWL_ECONFIG;
}

static struct pawl_guard guard_of(const struct pawl_guards_plan *plan, size_t i)
{
    struct pawl_guard guard = {.rule = plan->rules[i],
                               .drift_before = plan->drift != NULL ? plan->drift[i] : 0};
    double m0 = pawl_measure_is_cost(guard.rule.measure) ? 0 : -guard.rule.margin;
    for (size_t k = 0; k < 2; k++) pawl_grid_init(&guard.tests[k].grid, m0);
    return guard;
}

enum pawl_status pawl_guards_init(struct pawl_guards *guards, const struct pawl_guards_plan *plan,
                                  struct pawl_error *err)
{
    PAWL_TRY(check_plan(plan, err));
    *guards = (struct pawl_guards){.look = plan->look,
                                   .anchor = plan->anchor,
                                   .level = plan->level,
                                   .largest_cluster = plan->largest_cluster,
                                   .n_planned = plan->n_planned,
                                   .n = plan->n,
                                   .n_tests = plan->anchor == PAWL_ANCHOR_APART ? 2 : 1};
    for (size_t i = 0; i < plan->n; i++) {
        PAWL_TRY(check_rule(plan, i, err));
        guards->items[i] = guard_of(plan, i);
    }
    return PAWL_OK;
}

/* --- one observation ---------------------------------------------------------------------- */

double pawl_guard_excess(const struct pawl_guard_rule *rule, double b, double c)
{
    if (!pawl_measure_is_cost(rule->measure))
        return (measures[rule->measure].more_is_better ? c - b : b - c) + rule->margin;
    double most = 1 + rule->margin;
    return (most * fmin(b, rule->cap) - fmin(c, rule->cap)) / (most * rule->cap);
}

static bool is_worse(const struct pawl_guard_rule *rule, double b, double c)
{
    return measures[rule->measure].more_is_better ? c < b : c > b;
}

static void test_cluster(const struct pawl_guards *guards, const struct pawl_guard_rule *rule,
                         struct pawl_guard_test *test, enum pawl_guard_arm arm,
                         const struct pawl_guard_case *cases, size_t n_cases)
{
    double sum = 0;
    for (size_t i = 0; i < n_cases; i++) {
        if (cases[i].missing) continue;
        double b = cases[i].values[arm][rule->measure];
        double c = cases[i].values[PAWL_ARM_CANDIDATE][rule->measure];
        sum += pawl_guard_excess(rule, b, c);
        test->worse += is_worse(rule, b, c);
    }
    pawl_grid_step_excess(&test->grid, sum / (double)guards->largest_cluster);
    test->log_e = pawl_grid_log_e(&test->grid);
    test->max_log_e = fmax(test->max_log_e, test->log_e);
}

/* What was lost against the anchor, and of how much: of a cost its capped sum, else of all cases. */
static void add_loss(struct pawl_guard *guard, enum pawl_guard_arm anchor,
                     const struct pawl_guard_case *item)
{
    const struct pawl_guard_rule *rule = &guard->rule;
    double b = item->values[anchor][rule->measure];
    double c = item->values[PAWL_ARM_CANDIDATE][rule->measure];
    bool is_cost = pawl_measure_is_cost(rule->measure);
    if (is_cost) {
        b = fmin(b, rule->cap);
        c = fmin(c, rule->cap);
    }
    guard->lost += measures[rule->measure].more_is_better ? b - c : c - b;
    guard->base += is_cost ? b : 1;
}

static void observe_guard(const struct pawl_guards *guards, struct pawl_guard *guard,
                          const struct pawl_guard_case *cases, size_t n_cases)
{
    static const enum pawl_guard_arm arms[] = {PAWL_ARM_INCUMBENT, PAWL_ARM_ANCHOR};
    static const enum pawl_guard_arm anchors[] = {[PAWL_ANCHOR_IS_INCUMBENT] = PAWL_ARM_INCUMBENT,
                                                  [PAWL_ANCHOR_IS_CANDIDATE] = PAWL_ARM_CANDIDATE,
                                                  [PAWL_ANCHOR_APART] = PAWL_ARM_ANCHOR};
    for (size_t k = 0; k < guards->n_tests; k++)
        test_cluster(guards, &guard->rule, &guard->tests[k], arms[k], cases, n_cases);
    for (size_t i = 0; i < n_cases; i++)
        if (!cases[i].missing) add_loss(guard, anchors[guards->anchor], &cases[i]);
}

void pawl_guards_observe(struct pawl_guards *guards, const struct pawl_guard_case *cases,
                         size_t n_cases)
{
    PAWL_ASSERT(n_cases > 0 && n_cases <= guards->largest_cluster);
    PAWL_ASSERT(guards->n_clusters < guards->n_planned);
    for (size_t i = 0; i < guards->n; i++) observe_guard(guards, &guards->items[i], cases, n_cases);
    guards->n_clusters++;
    guards->n_cases += n_cases;
}

/* --- the answer --------------------------------------------------------------------------- */

static bool test_passes(const struct pawl_guards *guards, const struct pawl_guard *guard, size_t k)
{
    const struct pawl_guard_test *test = &guard->tests[k];
    if (guard->rule.zero_tolerance)
        return test->worse == 0 && guards->n_clusters == guards->n_planned;
    return test->max_log_e >= -log(guards->level);
}

double pawl_guard_used(const struct pawl_guards *guards, size_t i)
{
    const struct pawl_guard *guard = &guards->items[i];
    if (guard->rule.zero_tolerance || guard->base == 0) return 0;
    return guard->lost / (guard->base * guard->rule.margin);
}

double pawl_guard_drift(double before, double used)
{
    return pawl_cusum_step(before, -used, 0, drift_slack);
}

bool pawl_guard_drift_alarms(double drift)
{
    return drift >= drift_limit;
}

static double drift_after(const struct pawl_guards *guards, size_t i)
{
    return pawl_guard_drift(guards->items[i].drift_before, pawl_guard_used(guards, i));
}

bool pawl_guard_passes(const struct pawl_guards *guards, size_t i)
{
    bool early = guards->n_clusters < guards->n_planned;
    if (guards->look == PAWL_LOOK_FIXED && early) return false;
    for (size_t k = 0; k < guards->n_tests; k++)
        if (!test_passes(guards, &guards->items[i], k)) return false;
    return !pawl_guard_drift_alarms(drift_after(guards, i));
}

bool pawl_guards_pass(const struct pawl_guards *guards)
{
    for (size_t i = 0; i < guards->n; i++)
        if (!pawl_guard_passes(guards, i)) return false;
    return true;
}

/* --- evidence ----------------------------------------------------------------------------- */

static json_t *test_json(const struct pawl_guard_test *test, const char *arm)
{
    return json_pack("{s:s, s:f, s:f, s:I}", "arm", arm, "log_e", test->log_e, "max_log_e",
                     test->max_log_e, "worse", (json_int_t)test->worse);
}

static json_t *guard_json(const struct pawl_guards *guards, size_t i)
{
    static const char *const arms[] = {"incumbent", "anchor"};
    const struct pawl_guard *guard = &guards->items[i];
    json_t *out = pawl_guard_rule_json(&guard->rule), *against = json_array();
    for (size_t k = 0; k < guards->n_tests; k++)
        json_array_append_new(against, test_json(&guard->tests[k], arms[k]));
    pawl_json_set(out, "against", against);
    pawl_json_set(out, "passes", json_boolean(pawl_guard_passes(guards, i)));
    pawl_json_set(out, "used", json_real(pawl_guard_used(guards, i)));
    pawl_json_set(out, "drift_before", json_real(guard->drift_before));
    pawl_json_set(out, "drift_after", json_real(drift_after(guards, i)));
    if (guard->rule.zero_tolerance && pawl_guard_passes(guards, i))
        pawl_json_set(out, "clean_bound",
                      json_real(pawl_zero_failures_upper(guards->n_cases, 1 - guards->level)));
    return out;
}

json_t *pawl_guards_evidence_json(const struct pawl_guards *guards)
{
    json_t *list = json_array();
    for (size_t i = 0; i < guards->n; i++) json_array_append_new(list, guard_json(guards, i));
    return json_pack("{s:b, s:o}", "pass", pawl_guards_pass(guards), "guards", list);
}
