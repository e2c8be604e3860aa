#include "gate/confirm.h"

#include "gate/levels.h"
#include "gate/plan.h"

#include <math.h>

const char *pawl_confirm_answer_name(enum pawl_confirm_answer answer)
{
    static const char *const names[] = {[PAWL_CONFIRM_UNCONFIRMED] = "unconfirmed",
                                        [PAWL_CONFIRM_STABLE] = "stable",
                                        [PAWL_CONFIRM_HARM] = "harm"};
    return names[answer];
}

double pawl_confirm_level(double alpha, uint64_t k)
{
    return alpha * pawl_series_harmonic.weight(k);
}

bool pawl_confirm_can_answer(double level, size_t n_clusters)
{
    uint64_t wins = pawl_plan_smallest_wins(PAWL_LOOK_SEQUENTIAL, level);
    return wins > 0 && wins <= n_clusters;
}

enum pawl_status pawl_confirm_init(struct pawl_confirm *confirm, const struct pawl_gate_plan *plan,
                                   struct pawl_error *err)
{
    struct pawl_gate checked;
    PAWL_ASSERT(plan->look == PAWL_LOOK_SEQUENTIAL && plan->m0 == 0);
    PAWL_TRY(pawl_gate_init(&checked, plan, NULL, err));
    *confirm = (struct pawl_confirm){.plan = *plan, .unit = checked.unit};
    pawl_grid_init(&confirm->gain, 0);
    pawl_grid_init(&confirm->harm, 0);
    return PAWL_OK;
}

static bool is_score(double score, enum pawl_gate_unit unit)
{
    return unit == PAWL_UNIT_SIGN ? score == 0 || score == 1 : score >= 0 && score <= 1;
}

enum pawl_status pawl_confirm_observe(struct pawl_confirm *confirm, const double *candidate,
                                      const double *incumbent, size_t n_cases,
                                      struct pawl_error *err)
{
    double sum = 0;
    if (n_cases == 0 || n_cases > confirm->plan.largest_cluster ||
        confirm->n_clusters == confirm->plan.n_planned)
        return pawl_fail(err, PAWL_ECONFIG,
                         "A cluster of %zu cases is not in the plan of the confirmation.", n_cases);
    for (size_t i = 0; i < n_cases; i++) {
        if (!is_score(candidate[i], confirm->unit) || !is_score(incumbent[i], confirm->unit))
            return pawl_fail(err, PAWL_ECONFIG, "A score of the confirmation is none.");
        sum += candidate[i] - incumbent[i];
    }
    confirm->n_clusters++;
    confirm->n_cases += n_cases;
    pawl_sign_step(&confirm->sign, sum > 0 ? 1 : sum < 0 ? -1 : 0);
    if (confirm->unit == PAWL_UNIT_SIGN) return PAWL_OK;
    double d = sum / (double)confirm->plan.largest_cluster;
    pawl_grid_step(&confirm->gain, d);
    pawl_grid_step(&confirm->harm, -d);
    return PAWL_OK;
}

double pawl_confirm_log_gain(const struct pawl_confirm *confirm)
{
    return confirm->unit == PAWL_UNIT_SIGN ? pawl_sign_log_e(&confirm->sign)
                                           : pawl_grid_log_e(&confirm->gain);
}

double pawl_confirm_log_harm(const struct pawl_confirm *confirm)
{
    struct pawl_sign turned = {.wins = confirm->sign.losses, .losses = confirm->sign.wins};
    return confirm->unit == PAWL_UNIT_SIGN ? pawl_sign_log_e(&turned)
                                           : pawl_grid_log_e(&confirm->harm);
}

enum pawl_confirm_answer pawl_confirm_answer_of(const struct pawl_confirm *confirm)
{
    double threshold = -log(confirm->plan.level);
    if (confirm->n_clusters < confirm->plan.n_planned) return PAWL_CONFIRM_UNCONFIRMED;
    if (pawl_confirm_log_harm(confirm) >= threshold) return PAWL_CONFIRM_HARM;
    if (pawl_confirm_log_gain(confirm) >= threshold) return PAWL_CONFIRM_STABLE;
    return PAWL_CONFIRM_UNCONFIRMED;
}

json_t *pawl_confirm_evidence_json(const struct pawl_confirm *confirm)
{
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:f, s:f}", "answer",
                     pawl_confirm_answer_name(pawl_confirm_answer_of(confirm)), "n_clusters",
                     (json_int_t)confirm->n_clusters, "n_cases", (json_int_t)confirm->n_cases,
                     "wins", (json_int_t)confirm->sign.wins, "losses",
                     (json_int_t)confirm->sign.losses, "ties", (json_int_t)confirm->sign.ties,
                     "log_gain", pawl_confirm_log_gain(confirm), "log_harm",
                     pawl_confirm_log_harm(confirm));
}
