#include "gate/decide.h"

#include "gate/paired.h"

#include "base/random.h"

#include <math.h>

const char *pawl_gate_look_name(enum pawl_gate_look look)
{
    return look == PAWL_LOOK_SEQUENTIAL ? "sequential" : "fixed";
}

const char *pawl_gate_unit_name(enum pawl_gate_unit unit)
{
    return unit == PAWL_UNIT_SIGN ? "sign" : "grid";
}

enum pawl_gate_unit pawl_gate_unit_of(const struct pawl_gate_plan *plan)
{
    bool single = plan->samples == 1 && plan->largest_cluster == 1;
    return plan->pass_fail && single && plan->m0 == 0 ? PAWL_UNIT_SIGN : PAWL_UNIT_GRID;
}

static enum pawl_status check_plan(const struct pawl_gate_plan *plan, struct pawl_error *err)
{
    if (!(plan->level > 0 && plan->level < 1))
        return pawl_fail(err, PAWL_ECONFIG, "The gate's level is %g, not between 0 and 1.",
                         plan->level);
    if (!(plan->m0 > -1 && plan->m0 < 1))
        return pawl_fail(err, PAWL_ECONFIG, "The gate's margin is %g, not between -1 and 1.",
                         plan->m0);
    if (plan->n_planned == 0 || plan->n_planned > PAWL_GATE_CLUSTERS_MAX)
        return pawl_fail(err, PAWL_ECONFIG, "The gate is planned for %zu clusters, not 1 to %d.",
                         plan->n_planned, (int)PAWL_GATE_CLUSTERS_MAX);
    if (plan->samples == 0 || plan->largest_cluster == 0)
        return pawl_fail(err, PAWL_ECONFIG,
                         "The gate needs at least one sample per case and one case per cluster.");
    return PAWL_OK;
}

enum pawl_status pawl_gate_init(struct pawl_gate *gate, const struct pawl_gate_plan *plan,
                                struct pawl_arena *arena, struct pawl_error *err)
{
    PAWL_TRY(check_plan(plan, err));
    *gate = (struct pawl_gate){.plan = *plan, .unit = pawl_gate_unit_of(plan), .p = 1};
    pawl_grid_init(&gate->grid, plan->m0);
    if (plan->look == PAWL_LOOK_FIXED) {
        gate->log_e = gate->max_log_e = gate->p = NAN;
        if (gate->unit == PAWL_UNIT_GRID) {
            gate->arena = arena;
            gate->excess = PAWL_NEW_N(arena, double, plan->n_planned);
        }
    }
    return PAWL_OK;
}

/* --- one observation ---------------------------------------------------------------------- */

static enum pawl_status check_score(const struct pawl_gate *gate, double score,
                                    struct pawl_error *err)
{
    if (!(score >= 0 && score <= 1))
        return pawl_fail(err, PAWL_ECONFIG, "A score is %g; scores lie between 0 and 1.", score);
    if (gate->unit == PAWL_UNIT_SIGN && score != 0 && score != 1) {
        pawl_fail(err, PAWL_ECONFIG, "A score is %g, but the metric was sealed as pass/fail.",
                  score);
        pawl_hint(err, "Declare the metric as graded and seal the set again.");
        return PAWL_ECONFIG;
    }
    return PAWL_OK;
}

static enum pawl_status check_cluster(const struct pawl_gate *gate, const double *candidate,
                                      const double *incumbent, size_t n_cases,
                                      struct pawl_error *err)
{
    if (n_cases == 0 || n_cases > gate->plan.largest_cluster)
        return pawl_fail(err, PAWL_ECONFIG, "A cluster has %zu cases; sealed sizes are 1 to %zu.",
                         n_cases, gate->plan.largest_cluster);
    for (size_t i = 0; i < n_cases; i++) {
        PAWL_TRY(check_score(gate, candidate[i], err));
        PAWL_TRY(check_score(gate, incumbent[i], err));
    }
    return PAWL_OK;
}

/* What the cluster says about the null, as one number in [-(1+m0), 1-m0]. */
static double cluster_excess(const struct pawl_gate *gate, const double *candidate,
                             const double *incumbent, size_t n_cases)
{
    double sum = 0;
    for (size_t i = 0; i < n_cases; i++) sum += candidate[i] - incumbent[i] - gate->plan.m0;
    return sum / (double)gate->plan.largest_cluster;
}

static void observe_sequential(struct pawl_gate *gate, double excess)
{
    if (gate->unit == PAWL_UNIT_SIGN) {
        gate->log_e = pawl_sign_log_e(&gate->sign);
    } else {
        pawl_grid_step_excess(&gate->grid, excess);
        gate->log_e = pawl_grid_log_e(&gate->grid);
    }
    gate->max_log_e = fmax(gate->max_log_e, gate->log_e);
    gate->p = fmin(1, exp(-gate->max_log_e));
    if (gate->log_e >= log(pawl_gate_threshold(gate)))
        gate->state = PAWL_GATE_PROMOTE;
    else if (gate->n_clusters == gate->plan.n_planned)
        gate->state = PAWL_GATE_EXHAUSTED;
}

static double fixed_p(const struct pawl_gate *gate)
{
    if (gate->unit == PAWL_UNIT_SIGN)
        return pawl_mcnemar(gate->sign.wins, gate->sign.losses).p_greater;
    struct pawl_random random;
    pawl_random_init(&random, gate->plan.seed);
    return pawl_signflip(gate->excess, gate->plan.n_planned, &random, gate->arena).p_greater;
}

static void observe_fixed(struct pawl_gate *gate, double excess)
{
    if (gate->excess) gate->excess[gate->n_clusters - 1] = excess;
    if (gate->n_clusters < gate->plan.n_planned) return;
    gate->p = fixed_p(gate);
    gate->state = gate->p <= gate->plan.level ? PAWL_GATE_PROMOTE : PAWL_GATE_EXHAUSTED;
}

enum pawl_status pawl_gate_observe(struct pawl_gate *gate, const double *candidate,
                                   const double *incumbent, size_t n_cases, struct pawl_error *err)
{
    PAWL_ASSERT(gate->state == PAWL_GATE_OPEN);
    PAWL_TRY(check_cluster(gate, candidate, incumbent, n_cases, err));
    double excess = cluster_excess(gate, candidate, incumbent, n_cases);
    gate->n_clusters++;
    gate->n_cases += n_cases;
    pawl_sign_step(&gate->sign, (excess > 0) - (excess < 0));
    if (gate->plan.look == PAWL_LOOK_SEQUENTIAL)
        observe_sequential(gate, excess);
    else
        observe_fixed(gate, excess);
    return PAWL_OK;
}

/* --- the answer --------------------------------------------------------------------------- */

bool pawl_gate_promotes(const struct pawl_gate *gate)
{
    return gate->state == PAWL_GATE_PROMOTE;
}

double pawl_gate_threshold(const struct pawl_gate *gate)
{
    return 1 / gate->plan.level;
}

static void set_count(json_t *object, const char *key, uint64_t count)
{
    pawl_json_set(object, key, json_integer((json_int_t)count));
}

/* What is not known yet is left out. */
static void set_real(json_t *object, const char *key, double value)
{
    if (isfinite(value)) pawl_json_set(object, key, json_real(value));
}

json_t *pawl_gate_evidence_json(const struct pawl_gate *gate)
{
    static const char *const state_names[] = {"open", "promote", "exhausted"};
    json_t *out = json_object();
    pawl_json_set(out, "verdict", json_string(pawl_gate_promotes(gate) ? "promote" : "no"));
    pawl_json_set(out, "state", json_string(state_names[gate->state]));
    pawl_json_set(out, "look", json_string(pawl_gate_look_name(gate->plan.look)));
    pawl_json_set(out, "unit", json_string(pawl_gate_unit_name(gate->unit)));
    set_real(out, "level", gate->plan.level);
    set_real(out, "threshold", pawl_gate_threshold(gate));
    set_real(out, "m0", gate->plan.m0);
    set_count(out, "samples", gate->plan.samples);
    set_count(out, "largest_cluster", gate->plan.largest_cluster);
    set_count(out, "n_planned", gate->plan.n_planned);
    set_count(out, "n_clusters", gate->n_clusters);
    set_count(out, "n_cases", gate->n_cases);
    set_count(out, "wins", gate->sign.wins);
    set_count(out, "losses", gate->sign.losses);
    set_count(out, "ties", gate->sign.ties);
    set_real(out, "log_e", gate->log_e);
    set_real(out, "max_log_e", gate->max_log_e);
    set_real(out, "p", gate->p);
    if (pawl_gate_promotes(gate)) set_count(out, "stopped_at", gate->n_clusters);
    return out;
}
