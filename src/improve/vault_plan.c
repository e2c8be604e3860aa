/* The rule of the next attempt, and what the vault tells anybody. */
#include "improve/vault.h"

#include "gate/plan.h"
#include "gate/wear.h"

#include <sodium.h>
#include <stdlib.h>

static const double WEAR_BETA = 0.05;

/* --- look and policy ------------------------------------------------------------------------------ */

static int64_t sum_of(const json_t *by_tier)
{
    int64_t sum = 0;
    for (int tier = 0; tier < PAWL_N_TIERS; tier++)
        sum += pawl_json_get_int(by_tier, pawl_tier_name((enum pawl_tier)tier), 0);
    return sum;
}

/* Whether pawl.yaml itself names a policy; the default does not count as a wish. */
static bool policy_is_explicit(const struct pawl_config *config)
{
    return json_object_get(json_object_get(config->json, "gate"), "policy") != NULL;
}

/* What `auto` means. Cases added later may cross the bound; the rule that was fixed stays. */
static const char *automatic_look(const struct pawl_vault *vault)
{
    const json_t *rule = json_object_get(vault->state, "rule");
    int64_t n_cases = sum_of(json_object_get(vault->state, "tiers")) -
                      pawl_json_get_int(vault->state, "retired", 0);
    return pawl_json_get_text(rule, "look",
                              n_cases < PAWL_VAULT_SEQUENTIAL_FROM ? "fixed" : "sequential");
}

static enum pawl_status resolve(const struct pawl_vault *vault, const char **look,
                                const char **policy, struct pawl_error *err)
{
    const struct pawl_config *config = &vault->worker->config;
    bool per_decision = strcmp(config->gate.policy, "per-decision") == 0;
    bool automatic = strcmp(config->gate.look, "auto") == 0;
    bool draws = strcmp(config->gate.policy, PAWL_POLICY_FRESH) == 0; /* nobody falls into it */
    *look = !automatic ? config->gate.look : draws ? "sequential" : automatic_look(vault);
    bool fixed = strcmp(*look, "fixed") == 0;
    *policy = fixed && !per_decision ? "spending" : config->gate.policy;
    if (!fixed || automatic || per_decision || !policy_is_explicit(config)) return PAWL_OK;
    pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "gate.policy",
                 "The policy \"%s\" needs a sequential look: one planned look gives a p-value, and "
                 "this policy asks for an e-value.",
                 config->gate.policy);
    pawl_hint(err, "Use `look: auto`, or leave `policy` out: a planned look then spends alpha over "
                   "all attempts.");
    return PAWL_ECONFIG;
}

/* Who could change a guard between two attempts could open it for the second. */
static enum pawl_status check_guards(const struct pawl_vault *vault, const json_t *fixed,
                                     struct pawl_error *err)
{
    json_t *configured = pawl_vault_guards_configured(vault), *none = json_array();
    char *now = pawl_json_text(configured), *then = pawl_json_text(fixed != NULL ? fixed : none);
    enum pawl_status status = PAWL_OK;
    if (strcmp(now, then) != 0) {
        status = pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "gate.guards",
                              "The sealed set's first attempt fixed its guards: %.400s.", then);
        pawl_hint(err, "Put gate.guards back; other guards need fresh cases (`pawl rotate`).");
    }
    free(now);
    free(then);
    json_decref(configured);
    json_decref(none);
    return status;
}

/* A larger draw could be wished for when it is known that the last one was too small. */
static enum pawl_status check_draw_size(const struct pawl_vault *vault, struct pawl_error *err)
{
    int64_t wished = vault->worker->config.gate.draw, draw = pawl_vault_draw(vault);
    if (draw > 0 && draw < PAWL_VAULT_CLUSTERS_MIN) {
        pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "gate.draw",
                     "A draw of %lld clusters can certify nothing; an attempt needs %d.",
                     (long long)draw, PAWL_VAULT_CLUSTERS_MIN);
        pawl_hint(err, "Leave gate.draw out, or draw more: `pawl plan` says what that certifies.");
        return PAWL_ECONFIG;
    }
    if (wished == 0 || wished == draw) return PAWL_OK;
    if (draw == 0)
        return pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "gate.draw",
                            "Only the policy fresh draws cases for each attempt; leave gate.draw "
                            "out, or set gate.policy to fresh.");
    pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "gate.draw",
                 "The sealed set's first attempt fixed its draws at %lld clusters.",
                 (long long)draw);
    pawl_hint(err, "Put gate.draw back; other draws need fresh cases (`pawl rotate --data FILE`).");
    return PAWL_ECONFIG;
}

/* The first attempt fixed the rule; levels of different rules do not add up to one guarantee. */
static enum pawl_status check_rule(const struct pawl_vault *vault, const char *look,
                                   const char *policy, struct pawl_error *err)
{
    const json_t *rule = json_object_get(vault->state, "rule");
    double alpha = vault->worker->config.gate.alpha;
    if (!json_is_object(rule)) return PAWL_OK;
    PAWL_TRY(check_guards(vault, json_object_get(rule, "guards"), err));
    if (pawl_json_get_real(rule, "alpha", 0) == alpha &&
        strcmp(pawl_json_get_text(rule, "look", ""), look) == 0 &&
        strcmp(pawl_json_get_text(rule, "policy", ""), policy) == 0)
        return PAWL_OK;
    pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "gate",
                 "The sealed set's first attempt fixed its rule: alpha %g, policy %s, look %s.",
                 pawl_json_get_real(rule, "alpha", 0), pawl_json_get_text(rule, "policy", ""),
                 pawl_json_get_text(rule, "look", ""));
    pawl_hint(err,
              "Put gate.alpha, gate.policy and gate.look back; another rule needs fresh cases.");
    return PAWL_ECONFIG;
}

/* --- level ---------------------------------------------------------------------------------------- */

static bool is_promotion(const struct pawl_vault *vault, int64_t attempt)
{
    return strcmp(pawl_vault_verdict(vault, attempt), "promote") == 0;
}

/* Of this sealed set, with room for the attempts that are left. */
static struct pawl_history history_of(struct pawl_vault *vault)
{
    int64_t before = pawl_vault_since(vault);
    size_t n = (size_t)(pawl_vault_attempts(vault) - before);
    size_t room = n + (size_t)pawl_vault_attempts_left(vault) + 1;
    bool *promoted = PAWL_NEW_N(&vault->arena, bool, room);
    for (size_t i = 0; i < n; i++) promoted[i] = is_promotion(vault, before + (int64_t)i + 1);
    return (struct pawl_history){promoted, n};
}

enum pawl_status pawl_vault_plan_next(struct pawl_vault *vault, struct pawl_vault_plan *plan,
                                      struct pawl_error *err)
{
    const char *look, *policy;
    PAWL_TRY(resolve(vault, &look, &policy, err));
    PAWL_TRY(check_rule(vault, look, policy, err));
    PAWL_TRY(check_draw_size(vault, err));
    struct pawl_history history = history_of(vault);
    plan->policy = pawl_policy_find(policy);
    PAWL_ASSERT(plan->policy != NULL);
    plan->look = strcmp(look, "fixed") == 0 ? PAWL_LOOK_FIXED : PAWL_LOOK_SEQUENTIAL;
    plan->alpha = vault->worker->config.gate.alpha;
    plan->level = pawl_policy_level(plan->policy, &pawl_series_front, plan->alpha, &history);
    plan->draw = pawl_vault_draw(vault);
    /* Cases that no attempt has asked have told nothing. */
    plan->log_histories = plan->draw > 0 ? 0 : pawl_history_log_count(&history, PAWL_VAULT_POINTS);
    return PAWL_OK;
}

int64_t pawl_vault_attempts_left(const struct pawl_vault *vault)
{
    int64_t sealed = pawl_json_get_int(vault->state, "max_attempts", 0);
    int64_t configured = vault->worker->config.gate.max_attempts;
    int64_t used = pawl_vault_attempts(vault) - pawl_vault_since(vault);
    int64_t left = (sealed < configured ? sealed : configured) - used;
    int64_t draws = pawl_vault_draws_left(vault);
    if (draws < left) left = draws;
    return left > 0 ? left : 0;
}

int64_t pawl_vault_promotions_left(const struct pawl_vault *vault)
{
    int64_t left = vault->worker->config.gate.max_promotions;
    for (int64_t k = pawl_vault_since(vault) + 1; k <= pawl_vault_attempts(vault); k++)
        left -= is_promotion(vault, k);
    return left > 0 ? left : 0;
}

/* --- status ---------------------------------------------------------------------------------------- */

static void put_plan(const struct pawl_vault_plan *plan, json_t *out)
{
    pawl_json_set(out, "alpha", json_real(plan->alpha));
    pawl_json_set(out, "level", json_real(plan->level));
    pawl_json_set(out, "next_threshold", json_real(1 / plan->level));
    pawl_json_set(out, "policy", json_string(plan->policy->name));
    pawl_json_set(out, "guarantee", json_string(plan->policy->guarantee));
    pawl_json_set(out, "not_guaranteed", json_string(plan->policy->not_guarantee));
    pawl_json_set(out, "look", json_string(pawl_gate_look_name(plan->look)));
    pawl_json_set(out, "log_histories", json_real(plan->log_histories));
}

/* What the next attempt is asked of. */
static int64_t clusters_asked(const struct pawl_vault *vault, const struct pawl_vault_plan *plan)
{
    int64_t clusters = pawl_json_get_int(json_object_get(vault->state, "clusters"), "gate", 0);
    return plan->draw > 0 && plan->draw < clusters ? plan->draw : clusters;
}

/* How many of the attempts that are left could still promote, all answers until then being `no`: a
 * level that every cluster's win does not reach is none. */
static int64_t passable_left(struct pawl_vault *vault, const struct pawl_vault_plan *plan,
                             int64_t left)
{
    struct pawl_history history = history_of(vault);
    int64_t clusters = clusters_asked(vault, plan);
    for (int64_t k = 0; k < left; k++, history.n++) {
        double level = pawl_policy_level(plan->policy, &pawl_series_front, plan->alpha, &history);
        uint64_t wins = pawl_plan_smallest_wins(plan->look, level);
        if (wins == 0 || wins > (uint64_t)clusters) return k;
    }
    return left;
}

/* {attempts_left, passable_left, promotions, promotions_left, next_threshold, eps}: no mean difference
 * on the set is off by more than eps, whatever was asked, but for one time in twenty. */
static json_t *wear_of(struct pawl_vault *vault, const struct pawl_vault_plan *plan, int64_t left)
{
    struct pawl_history history = history_of(vault);
    uint64_t promotions = pawl_history_promotions(&history);
    struct pawl_wear wear =
        pawl_wear_histories((size_t)clusters_asked(vault, plan), plan->draw > 0 ? 0 : history.n,
                            plan->draw > 0 ? 0 : promotions, PAWL_VAULT_POINTS, WEAR_BETA);
    return json_pack("{s:I, s:I, s:I, s:I, s:f, s:f}", "attempts_left", (json_int_t)left,
                     "passable_left", (json_int_t)passable_left(vault, plan, left), "promotions",
                     (json_int_t)promotions, "promotions_left",
                     (json_int_t)pawl_vault_promotions_left(vault), "next_threshold",
                     1 / plan->level, "eps", wear.eps);
}

/* {clusters, left, levels}: draws to come, and the levels of the first ones if each answer is `no`. */
static json_t *draws_of(struct pawl_vault *vault, const struct pawl_vault_plan *plan, int64_t left)
{
    enum { LEVELS_MAX = 12 };
    struct pawl_history history = history_of(vault);
    json_t *levels = json_array();
    for (int64_t k = 0; k < left && k < LEVELS_MAX; k++, history.n++)
        json_array_append_new(levels, json_real(pawl_policy_level(plan->policy, &pawl_series_front,
                                                                  plan->alpha, &history)));
    return json_pack("{s:I, s:I, s:o}", "clusters", (json_int_t)plan->draw, "left",
                     (json_int_t)left, "levels", levels);
}

static json_t *public_figures(struct pawl_vault *vault, const struct pawl_vault_plan *plan)
{
    const json_t *state = vault->state;
    struct pawl_signer signer;
    struct pawl_history history = history_of(vault);
    bool open = pawl_json_get_bool(state, "epoch_open", true);
    bool worn = pawl_vault_promotions_left(vault) == 0;
    int64_t left = open && !worn ? pawl_vault_attempts_left(vault) : 0;
    pawl_signer_init(&signer, vault->keys.sign);
    json_t *out =
        json_pack("{s:I, s:I, s:I, s:O, s:O, s:O, s:O, s:O, s:s, s:s, s:s}", "attempts",
                  (json_int_t)history.n, "promotions",
                  (json_int_t)pawl_history_promotions(&history), "attempts_left", (json_int_t)left,
                  "largest_cluster", json_object_get(state, "largest_cluster"), "epoch_open",
                  json_object_get(state, "epoch_open"), "commitment",
                  json_object_get(state, "commitment"), "tiers", json_object_get(state, "tiers"),
                  "clusters", json_object_get(state, "clusters"), "vault", vault->id, "public_key",
                  signer.public_hex, "custody", pawl_vault_custody_said(vault));
    int64_t cases = pawl_json_get_int(json_object_get(state, "tiers"), "gate", 0);
    int64_t whole = pawl_json_get_int(json_object_get(state, "clusters"), "gate", 0);
    int64_t clusters = clusters_asked(vault, plan);
    if (clusters < whole) cases = (cases * clusters + whole - 1) / whole; /* about */
    if (plan->draw > 0) pawl_json_set(out, "draws", draws_of(vault, plan, left));
    pawl_json_set(out, "gate_cases", json_integer(cases));
    pawl_json_set(out, "gate_clusters", json_integer(clusters));
    pawl_json_set(out, "planned", json_integer(cases));
    pawl_json_set(out, "samples", json_integer(vault->worker->config.gate.samples));
    pawl_json_set(out, "max_attempts",
                  json_integer((json_int_t)history.n + pawl_vault_attempts_left(vault)));
    pawl_json_set(out, "attempts_ever", json_integer(pawl_vault_attempts(vault)));
    pawl_json_set(out, "epoch", json_integer(pawl_vault_epoch(vault)));
    pawl_json_set(out, "wear", wear_of(vault, plan, left));
    pawl_json_set(out, "fixed", pawl_vault_fixed(vault));
    json_t *traps = json_object_get(state, "traps");
    pawl_json_set(out, "traps", traps != NULL ? json_incref(traps) : json_null());
    json_t *caps = json_object_get(state, "caps");
    pawl_json_set(out, "caps", caps != NULL ? json_incref(caps) : json_null());
    sodium_memzero(&signer, sizeof signer);
    return out;
}

enum pawl_status pawl_vault_status(struct pawl_worker *worker, json_t **done,
                                   struct pawl_error *err)
{
    struct pawl_vault vault;
    struct pawl_vault_plan plan;
    enum pawl_status status = pawl_vault_open(worker, PAWL_VAULT_READ, &vault, err);
    if (status == PAWL_OK) status = pawl_vault_plan_next(&vault, &plan, err);
    if (status == PAWL_OK) {
        *done = public_figures(&vault, &plan);
        put_plan(&plan, *done);
    }
    pawl_vault_release(&vault);
    return status;
}
