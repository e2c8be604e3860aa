/*
 * Guards before an attempt: what incumbent and anchor take on dev, what is frozen of it with the
 * sealed set, and the chance that an equal candidate passes.
 *
 * Invariant: nothing sealed is looked at. What the plan says of the gate's cases it says of as many
 * that are like those of dev.
 */
#include "improve/front.h"

#include "gate/guard_plan.h"
#include "improve/protocol.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MEASURED "measured" /* in the store's meta: {artifact: {"context", "values"}} */

/* --- on dev ----------------------------------------------------------------------------------------- */

/* What was measured holds for these dev cases and what a run's scores depend on: program with the content
 * of its tools and collections, metric, models. The engine says what that is; the front opens no program. */
static enum pawl_status context_of(struct pawl_call *call, char hex[PAWL_HASH_HEX],
                                   struct pawl_error *err)
{
    json_t *seal, *context;
    PAWL_TRY(pawl_front_ask(call, PAWL_ROLE_ENGINE_NAME, json_pack("{s:s}", "op", "context"),
                            &context, err));
    enum pawl_status status = pawl_front_seal(call->project, &seal, err);
    if (status == PAWL_OK) {
        json_t *dev = json_object_get(json_object_get(seal, "tiers"), "dev");
        pawl_json_set(context, "dev", dev != NULL ? json_incref(dev) : json_null());
        pawl_json_set(context, "samples", json_integer(call->project->config.gate.samples));
        struct pawl_hash hash = pawl_hash_json(context);
        pawl_hash_hex(&hash, hex);
        json_decref(seal);
    }
    json_decref(context);
    return status;
}

static enum pawl_status measure(struct pawl_call *call, const char *hex, json_t **values,
                                struct pawl_error *err)
{
    struct pawl_artifact *artifact;
    json_t *done;
    PAWL_TRY(pawl_artifact_get(call->project->store, &call->arena, hex, &artifact, err));
    json_t *request = json_pack("{s:s, s:s, s:b, s:I}", "op", "evaluate", "tier", "dev", "measured",
                                1, "samples", (json_int_t)call->project->config.gate.samples);
    pawl_json_set(request, "artifact", pawl_artifact_json(artifact));
    PAWL_TRY(pawl_front_ask(call, PAWL_ROLE_ENGINE_NAME, request, &done, err));
    *values = json_incref(json_object_get(done, "measured"));
    json_decref(done);
    return PAWL_OK;
}

/* Only what is or was in force is kept: an entry for each artifact that was measured under the context
 * of now. */
static enum pawl_status remember(struct pawl_call *call, json_t *known, const char *hex,
                                 const char *context, json_t *values, struct pawl_error *err)
{
    const char *other;
    json_t *entry, *kept = json_object();
    json_object_foreach(known, other, entry)
    {
        if (strcmp(pawl_json_get_text(entry, "context", ""), context) == 0)
            pawl_json_set(kept, other, json_incref(entry));
    }
    pawl_json_set(kept, hex, json_pack("{s:s, s:O}", "context", context, "values", values));
    enum pawl_status status = pawl_store_meta_put(call->project->store, MEASURED, kept, err);
    json_decref(kept);
    return status;
}

/* {measure: [value or null of each dev case]}; measured once. New reference. */
static enum pawl_status values_of(struct pawl_call *call, const char *hex, const char *context,
                                  json_t **values, struct pawl_error *err)
{
    json_t *known;
    PAWL_TRY(pawl_store_meta_get(call->project->store, MEASURED, &known, err));
    const json_t *entry = json_object_get(known, hex);
    enum pawl_status status = PAWL_OK;
    if (strcmp(pawl_json_get_text(entry, "context", ""), context) == 0) {
        *values = json_incref(json_object_get(entry, "values"));
    } else {
        status = measure(call, hex, values, err);
        if (status == PAWL_OK) status = remember(call, known, hex, context, *values, err);
    }
    json_decref(known);
    return status;
}

/* --- freezing --------------------------------------------------------------------------------------- */

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of the cases that have one; 0 where none has. */
static double median_of(struct pawl_arena *arena, const json_t *values)
{
    size_t i, n = 0;
    json_t *value;
    double *sorted = PAWL_NEW_N(arena, double, json_array_size(values) + 1);
    json_array_foreach((json_t *)values, i, value) if (json_is_number(value)) sorted[n++] =
        json_number_value(value);
    if (n == 0) return 0;
    qsort(sorted, n, sizeof *sorted, ascending);
    return (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
}

static enum pawl_status freeze(struct pawl_call *call, json_t **caps, struct pawl_error *err)
{
    char incumbent[PAWL_HASH_HEX], context[PAWL_HASH_HEX];
    json_t *values, *done, *medians = json_object();
    PAWL_TRY(pawl_front_pointer(call->project, "incumbent", incumbent, err));
    PAWL_TRY(context_of(call, context, err));
    PAWL_TRY(values_of(call, incumbent, context, &values, err));
    for (int m = 0; m < PAWL_N_MEASURES; m++) {
        const char *name = pawl_measure_name((enum pawl_measure)m);
        pawl_json_set(medians, name,
                      json_real(median_of(&call->arena, json_object_get(values, name))));
    }
    json_decref(values);
    PAWL_TRY(pawl_front_ask(call, PAWL_ROLE_VAULT_NAME,
                            json_pack("{s:s, s:o}", "op", "freeze", "medians", medians), &done,
                            err));
    *caps = json_incref(json_object_get(done, "caps"));
    json_decref(done);
    return PAWL_OK;
}

/* The configured rules with their caps; one on a cost of nothing is refused. */
static enum pawl_status rules_of(struct pawl_call *call, const json_t *caps,
                                 struct pawl_guard_rule rules[PAWL_GUARDS_MAX],
                                 struct pawl_error *err)
{
    const struct pawl_config_gate *gate = &call->project->config.gate;
    for (size_t i = 0; i < gate->n_guards; i++) {
        rules[i] = gate->guard_rules[i];
        const char *name = pawl_measure_name(rules[i].measure);
        rules[i].cap = pawl_json_get_real(caps, name, 0);
        if (!pawl_measure_is_cost(rules[i].measure) || rules[i].cap > 0) continue;
        pawl_fail_at(err, PAWL_ECONFIG, NULL, 0,
                     pawl_arena_printf(&call->arena, "gate.guards.%zu.metric", i),
                     "A guard on %s: on dev half of the cases or more take none of it.", name);
        pawl_hint(err, "Remove the guard; a model without a price, for example, has no cost.");
        return pawl_front_locate(call->project, PAWL_ECONFIG, err);
    }
    return PAWL_OK;
}

enum pawl_status pawl_front_freeze_guards(struct pawl_call *call, struct pawl_error *err)
{
    struct pawl_guard_rule rules[PAWL_GUARDS_MAX];
    json_t *vault, *caps;
    if (call->project->config.gate.n_guards == 0) return PAWL_OK;
    PAWL_TRY(pawl_front_vault_status(call, &vault, err));
    caps = json_incref(json_object_get(vault, "caps"));
    json_decref(vault);
    enum pawl_status status = json_is_object(caps) ? PAWL_OK : freeze(call, &caps, err);
    if (status == PAWL_OK) status = rules_of(call, caps, rules, err);
    json_decref(caps);
    return status;
}

/* --- the chance of an equal ------------------------------------------------------------------------- */

static double at(const json_t *values, enum pawl_measure measure, size_t i)
{
    const json_t *value = json_array_get(json_object_get(values, pawl_measure_name(measure)), i);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

/* Side by side; a case that either of them has no value for is left out. */
static void pair_up(struct pawl_call *call, const json_t *incumbent, const json_t *anchor,
                    struct pawl_guard_sample *dev)
{
    size_t most = json_array_size(json_object_get(incumbent, "score"));
    double(*ours)[PAWL_N_MEASURES] = pawl_arena_alloc(&call->arena, most + 1, sizeof *ours);
    double(*theirs)[PAWL_N_MEASURES] = pawl_arena_alloc(&call->arena, most + 1, sizeof *theirs);
    size_t n = 0;
    for (size_t i = 0; i < most; i++) {
        if (isnan(at(incumbent, PAWL_MEASURE_SCORE, i)) || isnan(at(anchor, PAWL_MEASURE_SCORE, i)))
            continue;
        for (int m = 0; m < PAWL_N_MEASURES; m++) {
            ours[n][m] = at(incumbent, (enum pawl_measure)m, i);
            theirs[n][m] = at(anchor, (enum pawl_measure)m, i);
        }
        n++;
    }
    *dev = (struct pawl_guard_sample){.n = n, .incumbent = ours, .anchor = theirs};
}

static enum pawl_status sample_dev(struct pawl_call *call, const char *incumbent,
                                   const char *anchor, struct pawl_guard_sample *dev,
                                   struct pawl_error *err)
{
    json_t *ours, *theirs;
    char context[PAWL_HASH_HEX];
    PAWL_TRY(context_of(call, context, err));
    PAWL_TRY(values_of(call, incumbent, context, &ours, err));
    enum pawl_status status = values_of(call, anchor, context, &theirs, err);
    if (status == PAWL_OK) {
        pair_up(call, ours, theirs, dev);
        json_decref(theirs);
    }
    json_decref(ours);
    if (status == PAWL_OK && dev->n == 0)
        return pawl_fail(err, PAWL_EWORLD, "No dev case could be measured for the guards.");
    return status;
}

static enum pawl_status refuse(struct pawl_call *call, size_t i, double chance, double works,
                               struct pawl_error *err)
{
    const struct pawl_guard_rule *rule = &call->project->config.gate.guard_rules[i];
    const char *name = pawl_measure_name(rule->measure);
    const char *field = rule->zero_tolerance ? "zero_tolerance" : "margin";
    pawl_fail_at(err, PAWL_ECONFIG, NULL, 0,
                 pawl_arena_printf(&call->arena, "gate.guards.%zu.%s", i, field),
                 "The guard on %s lets a candidate that is equal to the incumbent pass with "
                 "probability %.2f; below %.1f it blocks gains, too.",
                 name, chance, PAWL_GUARD_CHANCE_MIN);
    if (isnan(works))
        pawl_hint(err,
                  "No margin works with so few gate cases: remove the guard, add cases, or see "
                  "the plan all the same with --force.");
    else
        pawl_hint(err,
                  "Write `margin: %g`%s, add gate cases, or see the plan all the same with "
                  "--force.",
                  works, rule->zero_tolerance ? " in its place" : "");
    return pawl_front_locate(call->project, PAWL_ECONFIG, err);
}

static json_t *guard_json(const struct pawl_guard_rule *rule, double chance, double works)
{
    json_t *out = pawl_guard_rule_json(rule);
    pawl_json_set(out, "chance", json_real(pawl_front_rounded(chance)));
    pawl_json_set(out, "margin_that_works", isnan(works) ? json_null() : json_real(works));
    return out;
}

/* Each guard by itself, then all of them. */
static enum pawl_status say_chances(struct pawl_call *call, const struct pawl_guards_plan *plan,
                                    const size_t *sizes, const struct pawl_guard_sample *dev,
                                    double discordance, bool force, struct pawl_error *err)
{
    json_t *list = json_array();
    enum pawl_status status = PAWL_OK;
    for (size_t i = 0; i < plan->n; i++) {
        double chance = pawl_guard_chance(plan, i, sizes, dev, discordance);
        bool low = chance < PAWL_GUARD_CHANCE_MIN;
        double works = low ? pawl_guard_margin(plan, i, sizes, dev, discordance) : NAN;
        json_array_append_new(list, guard_json(&plan->rules[i], chance, works));
        if (low && !force && status == PAWL_OK) status = refuse(call, i, chance, works, err);
    }
    double all = pawl_guards_chance(plan, sizes, dev, discordance);
    pawl_json_set(call->result, "guards",
                  json_pack("{s:f, s:f, s:f, s:o}", "level", plan->level, "chance",
                            pawl_front_rounded(all), "discordance", discordance, "guards", list));
    return status;
}

enum pawl_status pawl_front_plan_guards(struct pawl_call *call, const json_t *vault,
                                        double discordance, bool force, struct pawl_error *err)
{
    const struct pawl_config_gate *gate = &call->project->config.gate;
    struct pawl_guard_rule rules[PAWL_GUARDS_MAX];
    struct pawl_guard_sample dev;
    char incumbent[PAWL_HASH_HEX], anchor[PAWL_HASH_HEX];
    size_t *sizes = NULL;
    PAWL_TRY(pawl_front_pointer(call->project, "incumbent", incumbent, err));
    PAWL_TRY(pawl_front_pointer(call->project, "anchor", anchor, err));
    bool apart = gate->n_guards > 0 && strcmp(incumbent, anchor) != 0;
    pawl_json_set(call->result, "arms", json_integer(apart ? 3 : 2));
    if (gate->n_guards == 0) return PAWL_OK;
    PAWL_TRY(rules_of(call, json_object_get(vault, "caps"), rules, err));
    PAWL_TRY(sample_dev(call, incumbent, anchor, &dev, err));
    bool fixed = strcmp(pawl_json_get_text(vault, "look", ""), "fixed") == 0;
    struct pawl_guards_plan plan = {
        .rules = rules,
        .n = gate->n_guards,
        .look = fixed ? PAWL_LOOK_FIXED : PAWL_LOOK_SEQUENTIAL,
        .anchor = apart ? PAWL_ANCHOR_APART : PAWL_ANCHOR_IS_INCUMBENT,
        .level = gate->alpha,
        .largest_cluster = (size_t)pawl_json_get_int(vault, "largest_cluster", 1),
        .n_planned = (size_t)pawl_json_get_int(vault, "gate_clusters", 1)};
    if (plan.n_planned > PAWL_PLAN_MAX) plan.n_planned = PAWL_PLAN_MAX;
    if (plan.largest_cluster > 1) PAWL_TRY(pawl_front_sizes(call, plan.n_planned, &sizes, err));
    return say_chances(call, &plan, sizes, &dev, discordance, force, err);
}
