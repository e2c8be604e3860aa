/* plan and compare: statistics that need no model. */
#include "improve/front.h"

#include "gate/levels.h"
#include "gate/plan.h"
#include "improve/scores.h"

#include <math.h>
#include <string.h>

/* --- plan ------------------------------------------------------------------------------------- */

struct plan_options {
    double discordance;
    bool force;
};
static const struct pawl_option plan_options[] = {
    PAWL_OPT_REAL(struct plan_options, discordance, "0.2", 0.01, 1,
                  "share of cases on which candidate and incumbent differ"),
    PAWL_OPT_BOOL(struct plan_options, force, "false",
                  "show the plan although a guard blocks what is equal"),
    {0}};

/* What one attempt will take, from what was measured on visible cases; null while unknown. */
static enum pawl_status cost_of_attempt(struct pawl_call *call, int64_t evaluations,
                                        struct pawl_error *err)
{
    json_t *pace;
    PAWL_TRY(pawl_store_meta_get(call->project->store, "pace", &pace, err));
    double us = pawl_json_get_real(pace, "us_per_evaluation", NAN);
    double usd = pawl_json_get_real(pace, "usd_per_evaluation", NAN);
    json_decref(pace);
    pawl_json_set(call->result, "evaluations", json_integer(evaluations));
    pawl_json_set(call->result, "usd",
                  isnan(usd) ? json_null() : json_real(usd * (double)evaluations));
    pawl_json_set(call->result, "minutes",
                  isnan(us) ? json_null() : json_real(us * (double)evaluations / 60e6));
    return PAWL_OK;
}

static void power_table(struct pawl_call *call, const struct pawl_prospect *prospect)
{
    static const struct {
        const char *name;
        double gain;
    } rows[] = {{"0.05", 0.05}, {"0.08", 0.08}, {"0.10", 0.10}, {"0.15", 0.15}, {"0.20", 0.20}};
    json_t *power = json_object();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double p = pawl_front_power(call, prospect, rows[i].gain);
        pawl_json_set(power, rows[i].name, json_real(pawl_front_rounded(p)));
    }
    pawl_json_set(call->result, "power", power);
}

/* Before the figures of a gain, which no guard lets through if it stops what is equal. */
static enum pawl_status plan_guards(struct pawl_call *call, const struct plan_options *options,
                                    struct pawl_error *err)
{
    json_t *vault;
    PAWL_TRY(pawl_front_freeze_guards(call, err));
    PAWL_TRY(pawl_front_vault_status(call, &vault, err));
    enum pawl_status status =
        pawl_front_plan_guards(call, vault, options->discordance, options->force, err);
    json_decref(vault);
    return status;
}

/* Under the policy fresh: what each attempt that the sealed cases give could certify, if all before it are `no`. */
static void plan_draws(struct pawl_call *call, const json_t *vault,
                       const struct pawl_prospect *prospect)
{
    const json_t *draws = json_object_get(vault, "draws");
    json_t *ahead, *level;
    size_t i;
    if (draws == NULL) return;
    ahead = json_array();
    json_array_foreach(json_object_get(draws, "levels"), i, level)
    {
        struct pawl_prospect then = *prospect;
        then.plan.level = json_number_value(level);
        double gain = pawl_front_smallest_gain(call, &then);
        json_array_append_new(
            ahead, json_pack("{s:f, s:o}", "threshold", pawl_front_rounded(1 / then.plan.level),
                             "smallest_certifiable_gain",
                             isnan(gain) ? json_null() : json_real(pawl_front_rounded(gain))));
    }
    pawl_json_set(call->result, "draws",
                  json_pack("{s:O, s:O, s:o}", "clusters", json_object_get(draws, "clusters"),
                            "left", json_object_get(draws, "left"), "attempts", ahead));
}

static enum pawl_status run_plan(struct pawl_call *call, const void *values, struct pawl_error *err)
{
    const struct plan_options *options = values;
    json_t *vault;
    PAWL_TRY(plan_guards(call, options, err));
    PAWL_TRY(pawl_front_vault_status(call, &vault, err));
    struct pawl_prospect prospect;
    enum pawl_status status =
        pawl_front_prospect(call, vault, options->discordance, &prospect, err);
    if (status != PAWL_OK) {
        json_decref(vault);
        return status;
    }
    const char *look = pawl_json_get_text(vault, "look", "sequential");
    const struct pawl_plan plan = prospect.plan;
    uint64_t wins = pawl_plan_smallest_wins(plan.look, plan.level);
    int64_t cases = pawl_json_get_int(vault, "gate_cases", 0);
    json_t *result = call->result;
    pawl_json_set(result, "gate_cases", json_integer(cases));
    pawl_json_set(result, "gate_clusters", json_integer((json_int_t)plan.n));
    pawl_json_set(result, "look", json_string(look));
    pawl_json_set(result, "discordance", json_real(options->discordance));
    pawl_front_certifiable(call, &prospect);
    power_table(call, &prospect);
    pawl_json_set(result, "next_threshold", json_real(pawl_front_rounded(1 / plan.level)));
    pawl_json_set(result, "next_attempt_needs", json_sprintf("%llu:0", (unsigned long long)wins));
    pawl_json_set(result, "attempts", json_incref(json_object_get(vault, "attempts")));
    pawl_json_set(result, "attempts_left", json_incref(json_object_get(vault, "attempts_left")));
    pawl_json_set(result, "wear", json_incref(json_object_get(vault, "wear")));
    plan_draws(call, vault, &prospect);
    int64_t arms = pawl_json_get_int(result, "arms", 2);
    json_t *traps = json_object_get(vault, "traps"); /* both arms, whatever anchor there is */
    int64_t n_traps =
        pawl_json_get_int(traps, "impossible", 0) + 2 * pawl_json_get_int(traps, "pairs", 0);
    pawl_json_set(result, "traps", json_incref(traps));
    int64_t evaluations = (arms * cases + 2 * n_traps) * call->project->config.gate.samples;
    json_decref(vault);
    PAWL_TRY(pawl_front_timing_channel(call, err));
    return cost_of_attempt(call, evaluations, err);
}

const struct pawl_verb pawl_verb_plan = {
    .name = "plan",
    .summary = "what gain the sealed cases can certify, before anything is spent",
    .positional = "",
    .example = "pawl plan --discordance 0.2",
    .needs_project = true,
    .needs_store = true,
    .options = plan_options,
    .options_bytes = sizeof(struct plan_options),
    .run = run_plan,
};

/* --- compare ---------------------------------------------------------------------------------- */

struct compare_options {
    json_t *scores;
    double alpha;
    const char *cluster;
};
static const struct pawl_option compare_options[] = {
    {"scores", PAWL_OPTION_JSON, offsetof(struct compare_options, scores), NULL, 0, 0, NULL,
     "two per-case files, old and new: {\"id\",\"score\"} a line, and \"sample\" where a case "
     "has several",
     true},
    PAWL_OPT_REAL(struct compare_options, alpha, "0.05", 1e-9, 0.5, "level of the one comparison"),
    PAWL_OPT_TEXT(
        struct compare_options, cluster, NULL,
        "the field that names a case's cluster (\"cluster\" in the rows of eval --per-case)"),
    {0}};

/* The line of a case, or 0. */
static int line_of(const struct pawl_scores *scores, struct pawl_str id)
{
    for (size_t i = 0; i < scores->n; i++)
        if (pawl_str_eq(scores->items[i].id, id)) return scores->lines[i];
    return 0;
}

/* The statistics name a case that is in one file only; a person wants the line. */
static void locate(const struct pawl_scores *a, const struct pawl_scores *b, struct pawl_error *err)
{
    if (err == NULL || err->field[0] == '\0') return;
    int line_a = line_of(a, pawl_str_of(err->field)), line_b = line_of(b, pawl_str_of(err->field));
    if ((line_a == 0) == (line_b == 0)) return;
    snprintf(err->file, sizeof err->file, "%s", line_a > 0 ? a->file : b->file);
    err->line = line_a > 0 ? line_a : line_b;
    pawl_hint(err, "Both files score the same cases.");
}

static enum pawl_status run_compare(struct pawl_call *call, const void *values,
                                    struct pawl_error *err)
{
    const struct compare_options *options = values;
    struct pawl_scores a, b;
    struct pawl_compare compared;
    const char *file_a = json_string_value(json_array_get(options->scores, 0));
    const char *file_b = json_string_value(json_array_get(options->scores, 1));
    if (json_array_size(options->scores) != 2 || file_a == NULL || file_b == NULL) {
        pawl_fail(err, PAWL_EUSAGE, "compare takes two per-case files, the old scores first.");
        pawl_hint(err, "For example: pawl compare --scores old.jsonl new.jsonl");
        return PAWL_EUSAGE;
    }
    PAWL_TRY(pawl_scores_read(file_a, options->cluster, &call->arena, &a, err));
    PAWL_TRY(pawl_scores_read(file_b, options->cluster, &call->arena, &b, err));
    struct pawl_compare_plan plan = {.alpha = options->alpha, .seed = 1};
    enum pawl_status status =
        pawl_compare(a.items, a.n, b.items, b.n, &plan, &call->arena, &compared, err);
    if (status != PAWL_OK) {
        locate(&a, &b, err);
        return status;
    }
    json_t *json = pawl_compare_json(&compared);
    json_object_update(call->result, json);
    json_decref(json);
    return PAWL_OK;
}

const struct pawl_verb pawl_verb_compare = {
    .name = "compare",
    .summary = "one planned comparison of two tools' per-case scores; not a gate",
    .positional = "",
    .example = "pawl compare --scores old.jsonl new.jsonl --cluster user",
    .options = compare_options,
    .options_bytes = sizeof(struct compare_options),
    .run = run_compare,
};
