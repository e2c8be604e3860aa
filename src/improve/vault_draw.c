/*
 * The policy fresh: every attempt draws clusters of the gate that none has asked before.
 *
 *     gate, in keyed order    | draw 1 | draw 2 | draw 3 | ...... | rest |
 *     attempt k is asked of the first draw that is left; after its answer those cases are in dev
 *
 * A draw that retires begins an epoch, as a rotation does (vault_rotate.c): the commitment to what was
 * sealed until then stays, and what was asked opens against it, while the draws to come are leaves only.
 * Levels and the limits on attempts and promotions go on over all draws of one sealed set: they count from
 * `since`, where a reused set counts from `before`.
 *
 * Invariants
 *   1. A cluster is asked by one attempt at most. Which ones an attempt asks follows from the key and
 *      from how many were asked before: nobody chooses it.
 *   2. A draw is spent when its attempt is registered. It retires before the next one is drawn, also
 *      when the attempt was cut short or the world failed.
 *   3. The size of a draw is fixed by the first attempt. Fewer clusters than that are asked nothing.
 */
#include "improve/vault.h"

enum { DRAWS = 4 }; /* of a gate whose draws nobody sized */

bool pawl_vault_draws(const struct pawl_vault *vault)
{
    const char *configured = vault->worker->config.gate.policy;
    const json_t *rule = json_object_get(vault->state, "rule");
    return strcmp(pawl_json_get_text(rule, "policy", configured), PAWL_POLICY_FRESH) == 0;
}

static int64_t clusters_left(const struct pawl_vault *vault)
{
    return pawl_json_get_int(json_object_get(vault->state, "clusters"), "gate", 0);
}

int64_t pawl_vault_draw(const struct pawl_vault *vault)
{
    if (!pawl_vault_draws(vault)) return 0;
    int64_t wished = vault->worker->config.gate.draw;
    int64_t fixed = pawl_json_get_int(json_object_get(vault->state, "rule"), "draw", 0);
    if (fixed > 0) return fixed;
    if (wished > 0) return wished;
    int64_t share = clusters_left(vault) / DRAWS;
    return share > PAWL_VAULT_CLUSTERS_MIN ? share : PAWL_VAULT_CLUSTERS_MIN;
}

bool pawl_vault_draw_is_spent(const struct pawl_vault *vault)
{
    return pawl_vault_draws(vault) && pawl_vault_attempts(vault) > pawl_vault_before(vault);
}

int64_t pawl_vault_draws_left(const struct pawl_vault *vault)
{
    if (!pawl_vault_draws(vault)) return INT64_MAX;
    int64_t left = clusters_left(vault) / pawl_vault_draw(vault);
    return pawl_vault_draw_is_spent(vault) && left > 0 ? left - 1 : left;
}

/* The first n clusters of what was ordered. */
static void cut(struct pawl_vault_order *order, size_t n)
{
    if (n >= order->n_clusters) return;
    order->n_clusters = n;
    order->n = n > 0 ? order->ends[n - 1] : 0;
}

void pawl_vault_order_draw(struct pawl_vault *vault, const struct pawl_vault_set *set,
                           size_t log_size, int64_t draw, struct pawl_vault_order *order)
{
    pawl_vault_order_make(vault, set, log_size, order);
    if (draw > 0) cut(order, (size_t)draw);
}

void pawl_vault_order_of(struct pawl_vault *vault, const struct pawl_vault_set *set,
                         const json_t *row, struct pawl_vault_order *order)
{
    int64_t log_size = pawl_json_get_int(row, "log_size", 0);
    pawl_vault_order_draw(vault, set, (size_t)log_size, pawl_json_get_int(row, "clusters", 0),
                          order);
}

enum pawl_status pawl_vault_check_draw(const struct pawl_vault *vault, struct pawl_error *err)
{
    int64_t draw = pawl_vault_draw(vault);
    if (!pawl_vault_draws(vault) || pawl_vault_draws_left(vault) > 0) return PAWL_OK;
    bool spent = pawl_vault_draw_is_spent(vault);
    pawl_fail(err, PAWL_EBUDGET,
              "The fresh cases are used up: an attempt draws %lld clusters (gate.draw), and %lld "
              "are left that none was asked of.",
              (long long)draw, (long long)(clusters_left(vault) - (spent ? draw : 0)));
    pawl_hint(err, "Used cases are in dev now; `pawl rotate --data FILE` seals new ones.");
    return PAWL_EBUDGET;
}
