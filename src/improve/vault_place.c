/*
 * What is to be sealed: the cases of the files, and the tier of every cluster.
 *
 * Invariants
 *   1. A cluster is in one tier. Which one follows from the key, the cluster's name and the shares,
 *      or from the file it is in where there is one per tier.
 *   2. Nothing is written here.
 */
#include "improve/vault.h"

#include "base/option.h"
#include "evaluate/cases_fit.h"
#include "gate/plan.h"
#include "io/file.h"

#include <math.h>

/* --- reading -------------------------------------------------------------------------------------- */

static const char *path_of(struct pawl_vault *vault, const char *file)
{
    return pawl_path_join(&vault->arena, vault->worker->project_dir, file);
}

/* The metric is opened only where it says something about targets; a command has no fields. */
static enum pawl_status check_fit(const struct pawl_worker *worker, const struct pawl_cases *cases,
                                  const char *path, struct pawl_error *err)
{
    const struct pawl_config *config = &worker->config;
    const struct pawl_program_settings settings = {.program = config->program,
                                                   .project_dir = worker->project_dir};
    struct pawl_program *program;
    struct pawl_metric *metric = NULL;
    if (json_object_get(config->program, "command") != NULL) return PAWL_OK;
    PAWL_TRY(pawl_program_open(&settings, &program, err));
    enum pawl_status status = PAWL_OK;
    if (pawl_metric_is_by_field(config->metric))
        status = pawl_metric_open(config->metric, worker->project_dir, &metric, err);
    if (status == PAWL_OK) status = pawl_cases_fit(cases, path, program, metric, err);
    pawl_metric_close(metric);
    pawl_program_close(program);
    return status;
}

void pawl_vault_set_grow(struct pawl_vault *vault, struct pawl_vault_set *set, size_t n)
{
    struct pawl_case *items = PAWL_NEW_N(&vault->arena, struct pawl_case, set->cases.n + n);
    enum pawl_tier *tiers = PAWL_NEW_N(&vault->arena, enum pawl_tier, set->cases.n + n);
    if (set->cases.n > 0) {
        memcpy(items, set->cases.items, set->cases.n * sizeof *items);
        memcpy(tiers, set->tiers, set->cases.n * sizeof *tiers);
    }
    set->cases.items = items;
    set->tiers = tiers;
}

enum pawl_status pawl_vault_set_read(struct pawl_vault *vault, const char *file,
                                     enum pawl_tier tier, struct pawl_vault_set *set,
                                     struct pawl_error *err)
{
    struct pawl_cases read;
    if (file == NULL) return PAWL_OK;
    const char *path = path_of(vault, file);
    PAWL_TRY(pawl_cases_read(path, vault->worker->config.data.columns, &vault->arena, &read, err));
    enum pawl_status status = set->must_fit ? check_fit(vault->worker, &read, path, err) : PAWL_OK;
    if (status != PAWL_OK) {
        pawl_cases_release(&read);
        return status;
    }
    pawl_vault_set_grow(vault, set, read.n);
    for (size_t i = 0; i < read.n; i++) {
        set->cases.items[set->cases.n] = read.items[i];
        set->tiers[set->cases.n++] = tier;
    }
    if (set->cases.keep == NULL) set->cases.keep = json_array();
    if (read.keep != NULL) json_array_append(set->cases.keep, read.keep);
    pawl_cases_release(&read);
    return PAWL_OK;
}

enum pawl_status pawl_vault_set_read_configured(struct pawl_vault *vault,
                                                struct pawl_vault_set *set, struct pawl_error *err)
{
    const struct pawl_config_data *data = &vault->worker->config.data;
    PAWL_TRY(pawl_vault_set_read(vault, data->file, PAWL_TIER_TRAIN, set, err));
    PAWL_TRY(pawl_vault_set_read(vault, data->train, PAWL_TIER_TRAIN, set, err));
    PAWL_TRY(pawl_vault_set_read(vault, data->dev, PAWL_TIER_DEV, set, err));
    PAWL_TRY(pawl_vault_set_read(vault, data->gate, PAWL_TIER_GATE, set, err));
    PAWL_TRY(pawl_vault_set_read(vault, data->vault, PAWL_TIER_VAULT, set, err));
    const char *named = data->file != NULL ? data->file : data->gate;
    return pawl_cases_check(&set->cases, path_of(vault, named), err);
}

/* --- placing -------------------------------------------------------------------------------------- */

/* Which tier each cluster is in: {cluster: tier}. Fails when one is in two. New reference. */
static enum pawl_status map_clusters(const struct pawl_vault_set *set, json_t **map,
                                     struct pawl_error *err)
{
    *map = json_object();
    for (size_t i = 0; i < set->cases.n; i++) {
        const char *cluster = set->cases.items[i].cluster;
        if (set->tiers[i] == PAWL_TIER_TRAP) continue;
        int64_t there = pawl_json_get_int(*map, cluster, set->tiers[i]);
        if (there != (int64_t)set->tiers[i]) {
            pawl_fail(err, PAWL_ECONFIG,
                      "The cluster \"%s\" is in the files of two tiers, %s and %s.", cluster,
                      pawl_tier_name((enum pawl_tier)there), pawl_tier_name(set->tiers[i]));
            pawl_hint(err,
                      "Cases that belong together must be in one tier; move them to one file.");
            json_decref(*map);
            return PAWL_ECONFIG;
        }
        pawl_json_set(*map, cluster, json_integer(there));
    }
    return PAWL_OK;
}

/* A vault tier only where it would confirm a gain of 8 points with power .8 (psi .2). */
static double default_vault_share(struct pawl_vault *vault, size_t n_clusters)
{
    enum { PER_TIER = 10 };
    size_t n = n_clusters / PER_TIER;
    struct pawl_plan plan = {.look = PAWL_LOOK_SEQUENTIAL,
                             .level = 0.05,
                             .n = n < PAWL_PLAN_MAX ? n : PAWL_PLAN_MAX,
                             .discordance = 0.2};
    return n > 0 && pawl_plan_power(&plan, 0.08, &vault->arena) >= 0.8 ? 1.0 / PER_TIER : 0;
}

struct shares {
    double train, dev, gate, vault;
};
static const struct pawl_option share_options[] = {
    PAWL_OPT_REAL(struct shares, train, "0", 0, 1, "share of cases that operators see"),
    PAWL_OPT_REAL(struct shares, dev, "0", 0, 1, "share of cases that score candidates"),
    PAWL_OPT_REAL(struct shares, gate, "0", 0, 1, "share of sealed cases"),
    PAWL_OPT_REAL(struct shares, vault, "0", 0, 1, "share of sealed cases kept for confirmation"),
    {0}};

static enum pawl_status choose_shares(struct pawl_vault *vault, const struct pawl_vault_set *set,
                                      size_t n_clusters, double out[PAWL_N_TIERS],
                                      struct pawl_error *err)
{
    const json_t *given = vault->worker->config.data.tiers;
    struct shares shares = {0.15, 0.20, 0.65, 0};
    if (set->cases.n >= PAWL_VAULT_SEQUENTIAL_FROM) {
        double kept = default_vault_share(vault, n_clusters);
        shares = (struct shares){0.2, 0.2, 0.6 - kept, kept};
    }
    if (given != NULL) {
        PAWL_TRY(
            pawl_options_read(share_options, given, "data.tiers", &vault->arena, &shares, err));
        double sum = shares.train + shares.dev + shares.gate + shares.vault;
        if (fabs(sum - 1) > 1e-6) {
            pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "data.tiers",
                         "The shares of the tiers sum to %g, not to 1.", sum);
            pawl_hint(err, "E.g. {train: 0.2, dev: 0.2, gate: 0.6}.");
            return PAWL_ECONFIG;
        }
    }
    out[PAWL_TIER_TRAIN] = shares.train;
    out[PAWL_TIER_DEV] = shares.dev;
    out[PAWL_TIER_GATE] = shares.gate;
    out[PAWL_TIER_VAULT] = shares.vault;
    return PAWL_OK;
}

/* The shares that files per tier amount to, for clusters that come later. */
static void observed_shares(const struct pawl_vault_set *set, double out[PAWL_N_TIERS])
{
    size_t n = 0;
    for (int tier = 0; tier < PAWL_N_TIERS; tier++) out[tier] = 0;
    for (size_t i = 0; i < set->cases.n; i++) n += set->tiers[i] != PAWL_TIER_TRAP;
    for (size_t i = 0; i < set->cases.n; i++)
        if (set->tiers[i] != PAWL_TIER_TRAP) out[set->tiers[i]] += 1 / (double)n;
}

void pawl_vault_set_mark_check(const struct pawl_vault *vault, struct pawl_vault_set *set,
                               size_t from)
{
    for (size_t i = from; i < set->cases.n; i++)
        set->cases.items[i].check =
            set->tiers[i] == PAWL_TIER_DEV &&
            pawl_tier_is_check(vault->keys.check, set->cases.items[i].cluster);
}

enum pawl_status pawl_vault_set_place(struct pawl_vault *vault, struct pawl_vault_set *set,
                                      double shares[PAWL_N_TIERS], struct pawl_error *err)
{
    json_t *clusters;
    PAWL_TRY(pawl_vault_traps_place(vault, set, err));
    PAWL_TRY(map_clusters(set, &clusters, err));
    size_t n_clusters = json_object_size(clusters);
    json_decref(clusters);
    if (vault->worker->config.data.file == NULL) {
        observed_shares(set, shares);
    } else {
        PAWL_TRY(choose_shares(vault, set, n_clusters, shares, err));
        for (size_t i = 0; i < set->cases.n; i++)
            if (set->tiers[i] != PAWL_TIER_TRAP)
                set->tiers[i] =
                    pawl_tier_of(vault->keys.split, set->cases.items[i].cluster, shares);
    }
    pawl_vault_set_mark_check(vault, set, 0);
    return PAWL_OK;
}

/* --- what sealing fixed --------------------------------------------------------------------------- */

static json_t *sealed_shares(const struct pawl_vault *vault)
{
    const json_t *list = json_object_get(vault->state, "shares");
    json_t *shares = json_object();
    for (size_t tier = 0; tier < PAWL_N_TIERS; tier++) {
        double share = json_number_value(json_array_get(list, tier));
        if (share > 0)
            pawl_json_set(shares, pawl_tier_name((enum pawl_tier)tier), json_real(share));
    }
    return shares;
}

static bool same_shares(const json_t *a, const json_t *b)
{
    for (int tier = 0; tier < PAWL_N_TIERS; tier++) {
        const char *name = pawl_tier_name((enum pawl_tier)tier);
        if (fabs(pawl_json_get_real(a, name, 0) - pawl_json_get_real(b, name, 0)) > 1e-9)
            return false;
    }
    return true;
}

/* Takes both references. */
static void add_fixed(json_t *list, const char *field, json_t *sealed, json_t *configured,
                      const char *effect)
{
    json_array_append_new(list, json_pack("{s:s, s:o, s:o, s:s}", "field", field, "sealed", sealed,
                                          "configured", configured, "effect", effect));
}

json_t *pawl_vault_fixed(const struct pawl_vault *vault)
{
    const struct pawl_config *config = &vault->worker->config;
    int64_t limit = pawl_json_get_int(vault->state, "max_per_cluster", 0);
    int64_t attempts = pawl_json_get_int(vault->state, "max_attempts", 0);
    json_t *list = json_array(), *shares = sealed_shares(vault);
    if (config->data.tiers != NULL && !same_shares(shares, config->data.tiers))
        add_fixed(list, "data.tiers", json_incref(shares),
                  json_incref((json_t *)(uintptr_t)config->data.tiers),
                  "every case stays in its tier, and new ones are placed by the sealed shares");
    if (limit != config->data.max_per_cluster)
        add_fixed(list, "data.max_per_cluster", json_integer(limit),
                  json_integer(config->data.max_per_cluster),
                  "no sealed case is left out, and none that was is taken in");
    if (attempts < config->gate.max_attempts) /* fewer are heeded */
        add_fixed(list, "gate.max_attempts", json_integer(attempts),
                  json_integer(config->gate.max_attempts),
                  "the sealed set takes no more attempts than it was sealed for");
    json_decref(shares);
    return list;
}
