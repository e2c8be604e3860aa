/*
 * Guards in the vault: what is frozen for them, what an attempt registers, what has drifted.
 *
 *   state.caps      {measure: 4 x the incumbent's dev median}: frozen when the set is sealed, or when
 *                   the first guard is written before its first attempt; until the next rotation
 *   state.rule      names the guards, too: fixed by the first attempt
 *   state.drift     {"anchor", "candidate", "incumbent", "lost": {measure: S}, "before": {measure: S}}: of the
 *                   last promotion; changes with one alone; outlives a rotation, and a measure in it the
 *                   guard on it. S belongs to what is in force: where people turned that promotion away, or
 *                   took it back, the incumbent is again the one before, and so are its losses
 *   row.guards      of an attempt: {"anchor", "level", "rules", "drift"}, before its first sealed case
 *
 * Evidence under guards holds all measures of three arms for each case, so that its size follows
 * from whether there are guards and from nothing else.
 */
#include "improve/vault.h"

#include <math.h>

/* --- rules ---------------------------------------------------------------------------------------- */

json_t *pawl_vault_guards_configured(const struct pawl_vault *vault)
{
    const struct pawl_config_gate *gate = &vault->worker->config.gate;
    json_t *out = json_array();
    for (size_t i = 0; i < gate->n_guards; i++)
        json_array_append_new(out, pawl_guard_rule_json(&gate->guard_rules[i]));
    return out;
}

/* The configured rules with their frozen caps. New reference. */
static json_t *rules_with_caps(const struct pawl_vault *vault)
{
    const struct pawl_config_gate *gate = &vault->worker->config.gate;
    const json_t *caps = json_object_get(vault->state, "caps");
    json_t *out = json_array();
    for (size_t i = 0; i < gate->n_guards; i++) {
        struct pawl_guard_rule rule = gate->guard_rules[i];
        rule.cap = pawl_json_get_real(caps, pawl_measure_name(rule.measure), 0);
        json_array_append_new(out, pawl_guard_rule_json(&rule));
    }
    return out;
}

/* --- freezing ------------------------------------------------------------------------------------- */

static json_t *caps_of(const json_t *medians)
{
    json_t *caps = json_object();
    for (int m = 0; m < PAWL_N_MEASURES; m++) {
        const char *name = pawl_measure_name((enum pawl_measure)m);
        double median = pawl_json_get_real(medians, name, 0);
        if (!pawl_measure_is_cost((enum pawl_measure)m)) continue;
        if (!(median > 0 && median < 1e15)) median = 0; /* a guard on it is refused */
        pawl_json_set(caps, name, json_real(PAWL_GUARD_CAP_MEDIANS * median));
    }
    return caps;
}

/* Wider evidence rows for the attempts to come. */
static enum pawl_status commit_caps(struct pawl_vault *vault, const struct pawl_vault_set *set,
                                    struct pawl_error *err)
{
    struct pawl_vault_figures figures;
    int64_t used = pawl_vault_attempts(vault);
    int64_t most = pawl_vault_last(vault);
    struct pawl_vault_write *writes =
        PAWL_NEW_N(&vault->arena, struct pawl_vault_write, (size_t)(most - used) + 1);
    size_t n = 0;
    pawl_json_set(vault->state, "evidence_width", json_integer(PAWL_VAULT_WIDTH_GUARDED));
    pawl_vault_set_count(set, &figures);
    pawl_vault_set_figures(vault, set, &figures);
    for (int64_t k = used + 1; k <= most; k++)
        writes[n++] = (struct pawl_vault_write){PAWL_VAULT_ROW_EVIDENCE, (uint64_t)k, PAWL_STR("")};
    return pawl_vault_commit(vault, writes, n, err);
}

static enum pawl_status freeze(struct pawl_vault *vault, const json_t *medians,
                               struct pawl_error *err)
{
    struct pawl_vault_set set;
    if (json_object_get(vault->state, "caps") != NULL) return PAWL_OK;
    if (pawl_vault_attempts(vault) > pawl_vault_since(vault)) {
        pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "gate.guards",
                     "The sealed set's first attempt fixed its rule, which has no guards.");
        pawl_hint(err, "Take the guards out again; `pawl rotate` starts a set that can have them.");
        return PAWL_ECONFIG;
    }
    enum pawl_status status = pawl_vault_set_load(vault, &set, err);
    if (status == PAWL_OK) {
        pawl_json_set(vault->state, "caps", caps_of(medians));
        status = commit_caps(vault, &set, err);
    }
    pawl_vault_set_release(&set);
    return status;
}

enum pawl_status pawl_vault_freeze(struct pawl_worker *worker, const json_t *request, json_t **done,
                                   struct pawl_error *err)
{
    struct pawl_vault vault;
    enum pawl_status status = pawl_vault_open(worker, PAWL_VAULT_CHANGE, &vault, err);
    if (status == PAWL_OK) status = freeze(&vault, json_object_get(request, "medians"), err);
    if (status == PAWL_OK) *done = json_pack("{s:O}", "caps", json_object_get(vault.state, "caps"));
    pawl_vault_release(&vault);
    return status;
}

/* --- an attempt ----------------------------------------------------------------------------------- */

/* {measure: S} of what is in force when an attempt asks against this anchor; what was pinned anew starts
 * from nothing. An incumbent that no promotion made (a person did) has at least lost what was lost
 * before. New reference. */
static json_t *lost_by(const struct pawl_vault *vault, const char *anchor, const char *incumbent)
{
    const json_t *drift = json_object_get(vault->state, "drift");
    if (strcmp(pawl_json_get_text(drift, "anchor", ""), anchor) != 0) return json_object();
    bool again = strcmp(pawl_json_get_text(drift, "incumbent", ""), incumbent) == 0;
    json_t *lost = json_copy(json_object_get(drift, again ? "before" : "lost"));
    return lost != NULL ? lost : json_object();
}

/* S of each configured guard. New reference. */
static json_t *drift_of(const struct pawl_vault *vault, const char *anchor, const char *incumbent)
{
    const struct pawl_config_gate *gate = &vault->worker->config.gate;
    json_t *lost = lost_by(vault, anchor, incumbent), *out = json_array();
    for (size_t i = 0; i < gate->n_guards; i++) {
        const char *name = pawl_measure_name(gate->guard_rules[i].measure);
        json_array_append_new(out, json_real(pawl_json_get_real(lost, name, 0)));
    }
    json_decref(lost);
    return out;
}

enum pawl_status pawl_vault_guards_register(struct pawl_vault_asked *asked, const char *anchor,
                                            struct pawl_error *err)
{
    struct pawl_vault *vault = asked->vault;
    struct pawl_guards guards;
    if (vault->worker->config.gate.n_guards == 0) return PAWL_OK;
    if (json_object_get(vault->state, "caps") == NULL) {
        pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "gate.guards",
                     "The guards have not been measured for this sealed set.");
        pawl_hint(err, "`pawl plan` measures the incumbent on dev and says what the guards let "
                       "pass; then ask again.");
        return PAWL_ECONFIG;
    }
    pawl_json_set(
        asked->row, "guards",
        json_pack("{s:s, s:f, s:o, s:o}", "anchor", anchor, "level",
                  vault->worker->config.gate.alpha, "rules", rules_with_caps(vault), "drift",
                  drift_of(vault, anchor, pawl_json_get_text(asked->row, "incumbent", ""))));
    return pawl_vault_guards_init(vault, asked->row, &guards, err);
}

bool pawl_vault_is_guarded(const json_t *row)
{
    return json_object_get(row, "guards") != NULL;
}

enum pawl_guard_anchor pawl_vault_anchor(const json_t *row)
{
    const char *anchor = pawl_json_get_text(json_object_get(row, "guards"), "anchor", "");
    if (strcmp(anchor, pawl_json_get_text(row, "incumbent", "")) == 0)
        return PAWL_ANCHOR_IS_INCUMBENT;
    if (strcmp(anchor, pawl_json_get_text(row, "candidate", "")) == 0)
        return PAWL_ANCHOR_IS_CANDIDATE;
    return PAWL_ANCHOR_APART;
}

size_t pawl_vault_arms(const json_t *row)
{
    return pawl_vault_is_guarded(row) && pawl_vault_anchor(row) == PAWL_ANCHOR_APART ? 3 : 2;
}

size_t pawl_vault_width(const json_t *row)
{
    return pawl_vault_is_guarded(row) ? PAWL_VAULT_WIDTH_GUARDED : PAWL_VAULT_WIDTH;
}

enum pawl_status pawl_vault_guards_init(const struct pawl_vault *vault, const json_t *row,
                                        struct pawl_guards *guards, struct pawl_error *err)
{
    const json_t *said = json_object_get(row, "guards"), *list = json_object_get(said, "rules");
    struct pawl_guard_rule rules[PAWL_GUARDS_MAX];
    double drift[PAWL_GUARDS_MAX];
    struct pawl_gate_plan gate = pawl_vault_gate_plan(vault, row);
    size_t n = json_array_size(list);
    *guards = (struct pawl_guards){0};
    if (said == NULL) return PAWL_OK;
    for (size_t i = 0; i < n; i++) {
        if (i == PAWL_GUARDS_MAX || !pawl_guard_rule_read(json_array_get(list, i), &rules[i]))
            return pawl_fail(err, PAWL_EINTEGRITY, "The guards of an attempt are damaged.");
        drift[i] = json_number_value(json_array_get(json_object_get(said, "drift"), i));
    }
    struct pawl_guards_plan plan = {.rules = rules,
                                    .drift = drift,
                                    .n = n,
                                    .look = gate.look,
                                    .anchor = pawl_vault_anchor(row),
                                    .level = pawl_json_get_real(said, "level", 0),
                                    .largest_cluster = gate.largest_cluster,
                                    .n_planned = gate.n_planned};
    return pawl_guards_init(guards, &plan, err);
}

/* --- what becomes known --------------------------------------------------------------------------- */

json_t *pawl_vault_guards_said(const json_t *row)
{
    const json_t *guards = json_object_get(row, "guards");
    if (guards == NULL) return NULL;
    return json_pack("{s:O, s:O, s:O, s:s}", "anchor", json_object_get(guards, "anchor"), "level",
                     json_object_get(guards, "level"), "rules", json_object_get(guards, "rules"),
                     "guarantee",
                     "A candidate that is worse than the incumbent or the anchor by the margin of "
                     "any guard passes with probability at most this level, in each attempt; the "
                     "attempts' levels add up. Small losses of several promotions are added up, "
                     "too, and withhold one when they exceed the margin.");
}

void pawl_vault_guards_promoted(struct pawl_vault *vault, const json_t *row,
                                const struct pawl_guards *guards)
{
    if (!pawl_vault_is_guarded(row)) return;
    const char *anchor = pawl_json_get_text(json_object_get(row, "guards"), "anchor", "");
    json_t *before = lost_by(vault, anchor, pawl_json_get_text(row, "incumbent", ""));
    json_t *lost = json_copy(before);
    for (size_t i = 0; i < guards->n; i++) {
        const struct pawl_guard *guard = &guards->items[i];
        double after = pawl_guard_drift(guard->drift_before, pawl_guard_used(guards, i));
        pawl_json_set(lost, pawl_measure_name(guard->rule.measure), json_real(after));
    }
    json_t *drift = json_pack("{s:s, s:O, s:O, s:o, s:o}", "anchor", anchor, "candidate",
                              json_object_get(row, "candidate"), "incumbent",
                              json_object_get(row, "incumbent"), "lost", lost, "before", before);
    pawl_json_set(vault->state, "drift", drift);
}

/* --- a case --------------------------------------------------------------------------------------- */

_Static_assert(sizeof((struct pawl_guard_case *)0)->values ==
                   PAWL_VAULT_WIDTH_GUARDED * sizeof(double),
               "a guarded case of the evidence is what the guards observe");

void pawl_vault_scores_case(const struct pawl_vault_scores *scores, size_t i,
                            struct pawl_guard_case *out)
{
    const double *values = &scores->values[i * scores->width];
    *out = (struct pawl_guard_case){0};
    if (scores->width == PAWL_VAULT_WIDTH) {
        out->values[PAWL_ARM_INCUMBENT][PAWL_MEASURE_SCORE] = values[0];
        out->values[PAWL_ARM_CANDIDATE][PAWL_MEASURE_SCORE] = values[1];
    } else {
        memcpy(out->values, values, sizeof out->values);
    }
    out->missing = isnan(out->values[PAWL_ARM_INCUMBENT][PAWL_MEASURE_SCORE]);
}

void pawl_vault_scores_put(struct pawl_vault_scores *scores, size_t i,
                           const struct pawl_guard_case *item)
{
    double *values = &scores->values[i * scores->width];
    if (scores->width == PAWL_VAULT_WIDTH) {
        values[0] = item->values[PAWL_ARM_INCUMBENT][PAWL_MEASURE_SCORE];
        values[1] = item->values[PAWL_ARM_CANDIDATE][PAWL_MEASURE_SCORE];
    } else {
        memcpy(values, item->values, sizeof item->values);
    }
    if (item->missing)
        for (size_t k = 0; k < scores->width; k++) values[k] = NAN;
}

enum pawl_status pawl_vault_judge(struct pawl_gate *gate, struct pawl_guards *guards,
                                  const struct pawl_guard_case *cases, size_t n,
                                  struct pawl_arena *arena, struct pawl_error *err)
{
    double *incumbent = PAWL_NEW_N(arena, double, n), *candidate = PAWL_NEW_N(arena, double, n);
    for (size_t i = 0; i < n; i++) { /* a missing case is a tie */
        if (cases[i].missing) continue;
        incumbent[i] = cases[i].values[PAWL_ARM_INCUMBENT][PAWL_MEASURE_SCORE];
        candidate[i] = cases[i].values[PAWL_ARM_CANDIDATE][PAWL_MEASURE_SCORE];
    }
    if (gate->state == PAWL_GATE_OPEN)
        PAWL_TRY(pawl_gate_observe(gate, candidate, incumbent, n, err));
    if (guards->n > 0) pawl_guards_observe(guards, cases, n);
    return PAWL_OK;
}

bool pawl_vault_promotes(const struct pawl_gate *gate, const struct pawl_guards *guards)
{
    return pawl_gate_promotes(gate) && pawl_guards_pass(guards);
}
