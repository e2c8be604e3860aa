/*
 * Sealing: draw the key, have every cluster placed in a tier, and shut the door; adding to it later.
 *
 * Invariants
 *   1. Nothing is written before everything has been checked.
 *   2. A case never moves: adding places new clusters by the same key and shares.
 *   3. The largest gate cluster is fixed at seal; what would exceed it later is refused.
 */
#include "improve/vault.h"

#include "base/clock.h"
#include "io/file.h"

#include <sodium.h>

/* --- figures -------------------------------------------------------------------------------------- */

void pawl_vault_set_count(const struct pawl_vault_set *set, struct pawl_vault_figures *figures)
{
    json_t *sizes = json_object();
    *figures = (struct pawl_vault_figures){0};
    for (size_t i = 0; i < set->cases.n; i++) {
        enum pawl_tier tier = set->tiers[i];
        const char *cluster = set->cases.items[i].cluster;
        if (tier == PAWL_TIER_TRAP) continue;
        int64_t size = pawl_json_get_int(sizes, cluster, 0) + 1;
        pawl_json_set(sizes, cluster, json_integer(size));
        figures->cases[tier]++;
        if (size == 1) figures->clusters[tier]++;
        if (tier == PAWL_TIER_GATE && size > figures->largest_gate) figures->largest_gate = size;
    }
    json_decref(sizes);
}

static json_t *by_tier(const int64_t values[PAWL_N_TIERS])
{
    json_t *out = json_object();
    for (int tier = 0; tier < PAWL_N_TIERS; tier++)
        pawl_json_set(out, pawl_tier_name((enum pawl_tier)tier), json_integer(values[tier]));
    return out;
}

static enum pawl_status check_figures(const struct pawl_vault_figures *figures,
                                      struct pawl_error *err)
{
    if (figures->cases[PAWL_TIER_TRAIN] == 0 || figures->cases[PAWL_TIER_DEV] == 0) {
        pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "data", "The %s tier would be empty.",
                     figures->cases[PAWL_TIER_TRAIN] == 0 ? "train" : "dev");
        pawl_hint(err, "Add cases, or give that tier a larger share with data.tiers.");
        return PAWL_ECONFIG;
    }
    if (figures->clusters[PAWL_TIER_GATE] >= PAWL_VAULT_CLUSTERS_MIN) return PAWL_OK;
    pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "data",
                 "The gate tier would have %lld clusters of cases; nothing can be certified with "
                 "fewer than %d.",
                 (long long)figures->clusters[PAWL_TIER_GATE], PAWL_VAULT_CLUSTERS_MIN);
    pawl_hint(err, "Add cases, give gate a larger share with data.tiers, or check the clusters.");
    return PAWL_ECONFIG;
}

static size_t evidence_bytes(size_t n_cases, size_t width)
{
    size_t bytes = 1024;
    while (bytes < 64 + n_cases * width * sizeof(double)) bytes *= 2;
    return bytes;
}

void pawl_vault_set_figures(struct pawl_vault *vault, const struct pawl_vault_set *set,
                            const struct pawl_vault_figures *figures)
{
    int64_t width = pawl_json_get_int(vault->state, "evidence_width", PAWL_VAULT_WIDTH);
    pawl_json_set(vault->state, "tiers", by_tier(figures->cases));
    pawl_json_set(vault->state, "clusters", by_tier(figures->clusters));
    pawl_json_set(vault->state, "evidence_bytes",
                  json_integer((json_int_t)evidence_bytes(set->cases.n, (size_t)width)));
    pawl_json_set(vault->state, "commitment", pawl_vault_set_commitment(vault, set));
    json_t *traps = pawl_vault_traps_figures(vault, set);
    if (traps != NULL) pawl_json_set(vault->state, "traps", traps);
}

static json_t *new_state(struct pawl_vault *vault, const struct pawl_vault_set *set,
                         const struct pawl_vault_figures *figures,
                         const double shares[PAWL_N_TIERS], size_t set_aside)
{
    vault->state = json_pack(
        "{s:i, s:I, s:i, s:[ffff], s:I, s:I, s:I, s:b, s:n, s:[]}", "version", 0, "created_ms",
        (json_int_t)pawl_clock_now_ms(), "last_ms", 0, "shares", shares[PAWL_TIER_TRAIN],
        shares[PAWL_TIER_DEV], shares[PAWL_TIER_GATE], shares[PAWL_TIER_VAULT], "largest_cluster",
        (json_int_t)figures->largest_gate, "sealed_n", (json_int_t)set->cases.n, "max_attempts",
        (json_int_t)vault->worker->config.gate.max_attempts, "epoch_open", 1, "rule", "attempts");
    pawl_json_set(vault->state, "max_per_cluster",
                  json_integer(vault->worker->config.data.max_per_cluster));
    pawl_json_set(vault->state, "set_aside", json_integer((json_int_t)set_aside));
    pawl_vault_set_figures(vault, set, figures);
    return vault->state;
}

/* --- answers -------------------------------------------------------------------------------------- */

static json_t *seal_answer(struct pawl_vault *vault, const struct pawl_vault_set *set)
{
    struct pawl_signer signer;
    pawl_signer_init(&signer, vault->keys.sign);
    const json_t *state = vault->state;
    json_t *out = json_pack(
        "{s:O, s:O, s:O, s:O, s:s, s:s, s:s}", "tiers", json_object_get(state, "tiers"), "clusters",
        json_object_get(state, "clusters"), "commitment", json_object_get(state, "commitment"),
        "largest_cluster", json_object_get(state, "largest_cluster"), "public_key",
        signer.public_hex, "vault", vault->id, "custody", pawl_vault_custody_said(vault));
    json_t *set_aside = json_object_get(state, "set_aside");
    if (set_aside != NULL) pawl_json_set(out, "set_aside", json_incref(set_aside));
    json_t *spent_before = json_object_get(state, "spent_before");
    if (spent_before != NULL) pawl_json_set(out, "spent_before", json_incref(spent_before));
    json_t *traps = json_object_get(state, "traps");
    if (traps != NULL) pawl_json_set(out, "traps", json_incref(traps));
    pawl_json_set(out, "train", pawl_vault_set_tier(set, PAWL_TIER_TRAIN, 0));
    pawl_json_set(out, "dev", pawl_vault_set_tier(set, PAWL_TIER_DEV, 0));
    sodium_memzero(&signer, sizeof signer);
    return out;
}

/* --- the first time ---------------------------------------------------------------------------------- */

static json_t *case_at(const struct pawl_vault_set *set, size_t i)
{
    return pawl_case_json(&set->cases.items[i], pawl_tier_name(set->tiers[i]));
}

void pawl_vault_set_list(struct pawl_vault_set *set, size_t from)
{
    if (set->list == NULL) set->list = json_array();
    for (size_t i = from; i < set->cases.n; i++) json_array_append_new(set->list, case_at(set, i));
}

/* All that can be wrong with the files is found here. */
static enum pawl_status prepare_new(struct pawl_vault *vault, struct pawl_vault_set *set,
                                    const json_t *seed, struct pawl_error *err)
{
    double shares[PAWL_N_TIERS];
    struct pawl_vault_figures figures;
    set->must_fit = true;
    PAWL_TRY(pawl_vault_set_read_configured(vault, set, err));
    PAWL_TRY(pawl_vault_set_place(vault, set, shares, err));
    PAWL_TRY(pawl_vault_canaries_check(vault, set, 0, seed, err));
    size_t set_aside =
        pawl_vault_set_aside(vault, set, (size_t)vault->worker->config.data.max_per_cluster);
    pawl_vault_set_count(set, &figures);
    PAWL_TRY(check_figures(&figures, err));
    pawl_vault_set_list(set, 0);
    new_state(vault, set, &figures, shares, set_aside);
    return PAWL_OK;
}

static enum pawl_status create_new(struct pawl_vault *vault, struct pawl_vault_set *set,
                                   const unsigned char master[32], json_t **done,
                                   struct pawl_error *err)
{
    struct pawl_vault_write *writes;
    size_t n = pawl_vault_set_writes(vault, set, &writes);
    PAWL_TRY(pawl_vault_past_note(vault, set, err));
    PAWL_TRY(pawl_vault_create(vault, master, writes, n, err));
    *done = seal_answer(vault, set);
    return PAWL_OK;
}

/* `really` false: up to what would be written. */
static enum pawl_status seal_first(struct pawl_worker *worker, const json_t *request, bool really,
                                   json_t **done, struct pawl_error *err)
{
    struct pawl_vault vault = {.worker = worker, .busy_fd = -1, .read_fd = -1};
    struct pawl_vault_set set = {0};
    unsigned char master[32];
    pawl_vault_key_draw(worker->vault_home, master, vault.id);
    vault.home = pawl_path_join(&vault.arena, worker->vault_home, vault.id);
    pawl_vault_keys_derive(master, &vault.keys);
    bool again = pawl_json_get_bool(request, "again", false);
    enum pawl_status status = prepare_new(&vault, &set, json_object_get(request, "seed"), err);
    if (status == PAWL_OK) status = pawl_vault_past_look(&vault, &set, again, err);
    if (status == PAWL_OK && really) status = create_new(&vault, &set, master, done, err);
    sodium_memzero(master, sizeof master);
    pawl_vault_set_release(&set);
    pawl_vault_release(&vault);
    return status;
}

/* --- again ------------------------------------------------------------------------------------------ */

/* What is sealed, for deciding about a case of a file. */
struct known {
    json_t *ids, *clusters, *contents, *sizes; /* by id, cluster, content, gate cluster */
    json_t *limited;                           /* clusters that are or were sealed */
    double shares[PAWL_N_TIERS];
    int64_t largest;
};

static void content_hex(const struct pawl_case *item, char hex[PAWL_HASH_HEX])
{
    pawl_hash_hex(&item->content, hex);
}

static void know(struct known *known, const struct pawl_vault_set *set, size_t i)
{
    char hex[PAWL_HASH_HEX];
    const struct pawl_case *item = &set->cases.items[i];
    content_hex(item, hex);
    pawl_json_set(known->ids, item->id, json_integer((json_int_t)i));
    if (set->tiers[i] == PAWL_TIER_TRAP) return; /* it draws nothing after it */
    pawl_json_set(known->clusters, item->cluster, json_integer(set->tiers[i]));
    pawl_json_set(known->contents, hex, json_string(item->cluster));
    pawl_json_set(known->sizes, item->cluster,
                  json_integer(pawl_json_get_int(known->sizes, item->cluster, 0) + 1));
    if (set->tiers[i] == PAWL_TIER_GATE || set->tiers[i] == PAWL_TIER_VAULT)
        pawl_json_set(known->limited, item->cluster, json_true());
}

/* A cluster that has retired to dev was limited while it was sealed. */
static void know_past(struct known *known, const struct pawl_vault_set *set)
{
    size_t e, i;
    json_t *sealed, *at;
    const char *tier;
    json_t *list;
    json_array_foreach(set->past, e, sealed) json_object_foreach(sealed, tier, list)
        json_array_foreach(list, i, at) pawl_json_set(
            known->limited, set->cases.items[json_integer_value(at)].cluster, json_true());
}

static struct known known_of(const struct pawl_vault *vault, const struct pawl_vault_set *set)
{
    struct known known = {.ids = json_object(),
                          .clusters = json_object(),
                          .contents = json_object(),
                          .sizes = json_object(),
                          .limited = json_object(),
                          .largest = pawl_json_get_int(vault->state, "largest_cluster", 1)};
    const json_t *shares = json_object_get(vault->state, "shares");
    for (size_t tier = 0; tier < PAWL_N_TIERS; tier++)
        known.shares[tier] = json_number_value(json_array_get(shares, tier));
    for (size_t i = 0; i < set->cases.n; i++) know(&known, set, i);
    know_past(&known, set);
    return known;
}

static void known_release(struct known *known)
{
    json_decref(known->ids);
    json_decref(known->clusters);
    json_decref(known->contents);
    json_decref(known->sizes);
    json_decref(known->limited);
}

static bool same_case(const struct pawl_case *a, const struct pawl_case *b)
{
    return pawl_hash_eq(&a->content, &b->content) && strcmp(a->cluster, b->cluster) == 0;
}

/* A case that the limit on its cluster left out. */
static bool was_set_aside(const struct pawl_vault *vault, const struct known *known,
                          const struct pawl_case *item)
{
    int64_t limit = pawl_json_get_int(vault->state, "max_per_cluster", 0);
    return limit > 0 && json_object_get(known->limited, item->cluster) != NULL &&
           pawl_json_get_int(known->sizes, item->cluster, 0) >= limit;
}

/* The files must still hold what was sealed, and nothing that the vault does not know. */
static enum pawl_status compare_files(const struct pawl_vault *vault,
                                      const struct pawl_vault_set *set,
                                      const struct pawl_vault_set *files, struct pawl_error *err)
{
    int64_t sealed_n = pawl_json_get_int(vault->state, "sealed_n", 0);
    int64_t unknown = 0, kept = 0;
    struct known known = known_of(vault, set);
    for (size_t i = 0; i < files->cases.n; i++) {
        const struct pawl_case *item = &files->cases.items[i];
        int64_t at = pawl_json_get_int(known.ids, item->id, -1);
        if (at < 0 && was_set_aside(vault, &known, item)) continue;
        if (at < 0 || !same_case(item, &set->cases.items[at]))
            unknown++;
        else if (at < sealed_n)
            kept++;
    }
    known_release(&known);
    if (unknown == 0 && kept == sealed_n) return PAWL_OK;
    pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "data",
                 "The case files changed after they were sealed: %lld cases are new or different, "
                 "%lld are gone.",
                 (long long)unknown, (long long)(sealed_n - kept));
    pawl_hint(err, "`pawl data add FILE` adds new cases; a sealed case cannot be changed or taken "
                   "back, so restore the rest.");
    return PAWL_ECONFIG;
}

/* Whether any configured file is still there; init advises to move them out of the project. */
static bool any_file_is_there(struct pawl_vault *vault)
{
    const struct pawl_config_data *data = &vault->worker->config.data;
    const char *files[] = {data->file, data->train, data->dev, data->gate, data->vault};
    const char *dir = vault->worker->project_dir;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (files[i] != NULL && pawl_path_exists(pawl_path_join(&vault->arena, dir, files[i])))
            return true;
    return false;
}

static enum pawl_status seal_again(struct pawl_worker *worker, json_t **done,
                                   struct pawl_error *err)
{
    struct pawl_vault vault;
    struct pawl_vault_set set = {0}, files = {0};
    enum pawl_status status = pawl_vault_open(worker, PAWL_VAULT_READ, &vault, err);
    if (status == PAWL_OK) status = pawl_vault_set_load(&vault, &set, err);
    if (status == PAWL_OK && any_file_is_there(&vault)) {
        status = pawl_vault_set_read_configured(&vault, &files, err);
        if (status == PAWL_OK) status = compare_files(&vault, &set, &files, err);
    }
    if (status == PAWL_OK) *done = seal_answer(&vault, &set);
    pawl_vault_set_release(&files);
    pawl_vault_set_release(&set);
    pawl_vault_release(&vault);
    return status;
}

enum pawl_status pawl_vault_visible(struct pawl_worker *worker, json_t **done,
                                    struct pawl_error *err)
{
    struct pawl_vault vault;
    struct pawl_vault_set set = {0};
    enum pawl_status status = pawl_vault_open(worker, PAWL_VAULT_READ, &vault, err);
    if (status == PAWL_OK) status = pawl_vault_set_load(&vault, &set, err);
    if (status == PAWL_OK) *done = seal_answer(&vault, &set);
    pawl_vault_set_release(&set);
    pawl_vault_release(&vault);
    return status;
}

enum pawl_status pawl_vault_seal(struct pawl_worker *worker, const json_t *request, json_t **done,
                                 struct pawl_error *err)
{
    return pawl_vault_is_sealed(worker) ? seal_again(worker, done, err)
                                        : seal_first(worker, request, true, done, err);
}

enum pawl_status pawl_vault_check(struct pawl_worker *worker, const json_t *request, json_t **done,
                                  struct pawl_error *err)
{
    struct pawl_vault vault;
    if (!pawl_vault_is_sealed(worker)) {
        PAWL_TRY(seal_first(worker, request, false, NULL, err));
        *done = json_pack("{s:b, s:[]}", "sealed", 0, "fixed");
        return PAWL_OK;
    }
    enum pawl_status status = pawl_vault_open(worker, PAWL_VAULT_READ, &vault, err);
    if (status == PAWL_OK)
        *done = json_pack("{s:b, s:o}", "sealed", 1, "fixed", pawl_vault_fixed(&vault));
    pawl_vault_release(&vault);
    return status;
}

/* --- adding ------------------------------------------------------------------------------------------ */

/* A case that is known, a copy of one elsewhere, or one too many for its sealed cluster stays out. */
static bool is_welcome(const struct known *known, const struct pawl_case *item, enum pawl_tier tier)
{
    char hex[PAWL_HASH_HEX];
    content_hex(item, hex);
    const char *twin = pawl_json_get_text(known->contents, hex, NULL);
    if (json_object_get(known->ids, item->id) != NULL) return false;
    if (twin != NULL && strcmp(twin, item->cluster) != 0) return false;
    return tier != PAWL_TIER_GATE ||
           pawl_json_get_int(known->sizes, item->cluster, 0) < known->largest;
}

static enum pawl_status add_one(struct pawl_vault *vault, struct known *known,
                                struct pawl_vault_set *set, const struct pawl_case *item,
                                struct pawl_error *err)
{
    int64_t at = pawl_json_get_int(known->ids, item->id, -1);
    if (at >= 0 && !same_case(item, &set->cases.items[at])) {
        pawl_fail(err, PAWL_ECONFIG, "The case \"%s\" is known with other content.", item->id);
        pawl_hint(err, "A case never changes; give the new one another id.");
        return PAWL_ECONFIG;
    }
    int64_t there = pawl_json_get_int(known->clusters, item->cluster, -1);
    enum pawl_tier tier = pawl_vault_is_trap(item) ? PAWL_TIER_TRAP
                          : there >= 0
                              ? (enum pawl_tier)there
                              : pawl_tier_of(vault->keys.split, item->cluster, known->shares);
    if (!is_welcome(known, item, tier)) return PAWL_OK;
    set->cases.items[set->cases.n] = *item;
    set->tiers[set->cases.n++] = tier;
    know(known, set, set->cases.n - 1);
    return PAWL_OK;
}

/* The case list, and wider evidence rows for the attempts to come. */
static enum pawl_status commit_added(struct pawl_vault *vault, const struct pawl_vault_set *set,
                                     struct pawl_error *err)
{
    struct pawl_vault_figures figures;
    struct pawl_vault_write *lists;
    pawl_vault_set_count(set, &figures);
    pawl_vault_set_figures(vault, set, &figures);
    size_t n = pawl_vault_set_writes(vault, set, &lists);
    int64_t used = pawl_vault_attempts(vault);
    int64_t most = pawl_vault_last(vault);
    struct pawl_vault_write *writes =
        PAWL_NEW_N(&vault->arena, struct pawl_vault_write, n + (size_t)(most - used) + 1);
    memcpy(writes, lists, n * sizeof *writes);
    for (int64_t k = used + 1; k <= most; k++)
        writes[n++] = (struct pawl_vault_write){PAWL_VAULT_ROW_EVIDENCE, (uint64_t)k, PAWL_STR("")};
    return pawl_vault_commit(vault, writes, n, err);
}

static enum pawl_status add_file(struct pawl_vault *vault, const char *file,
                                 struct pawl_vault_set *set, struct pawl_vault_set *fresh,
                                 json_t **done, struct pawl_error *err)
{
    PAWL_TRY(pawl_vault_set_load(vault, set, err));
    fresh->must_fit = true;
    PAWL_TRY(pawl_vault_set_read(vault, file, PAWL_TIER_TRAIN, fresh, err));
    PAWL_TRY(pawl_cases_check(&fresh->cases, file, err));
    size_t before = set->cases.n;
    struct known known = known_of(vault, set);
    pawl_vault_set_grow(vault, set, fresh->cases.n);
    enum pawl_status status = PAWL_OK;
    for (size_t i = 0; i < fresh->cases.n && status == PAWL_OK; i++)
        status = add_one(vault, &known, set, &fresh->cases.items[i], err);
    known_release(&known);
    PAWL_TRY(status);
    PAWL_TRY(pawl_vault_traps_check(set, err));
    PAWL_TRY(pawl_vault_canaries_check(vault, set, before, NULL, err));
    pawl_vault_set_mark_check(vault, set, before);
    pawl_vault_set_list(set, before);
    size_t added = set->cases.n - before;
    if (added > 0) PAWL_TRY(pawl_vault_past_note(vault, set, err));
    if (added > 0) PAWL_TRY(commit_added(vault, set, err));
    size_t traps = 0; /* in no tier */
    for (size_t i = before; i < set->cases.n; i++) traps += set->tiers[i] == PAWL_TIER_TRAP;
    *done = json_pack("{s:I, s:I, s:O, s:O}", "added", (json_int_t)(added - traps), "refused",
                      (json_int_t)(fresh->cases.n - added), "tiers",
                      json_object_get(vault->state, "tiers"), "commitment",
                      json_object_get(vault->state, "commitment"));
    json_t *figures = json_object_get(vault->state, "traps");
    if (figures != NULL) pawl_json_set(*done, "traps", json_incref(figures));
    pawl_json_set(*done, "train", pawl_vault_set_tier(set, PAWL_TIER_TRAIN, before));
    pawl_json_set(*done, "dev", pawl_vault_set_tier(set, PAWL_TIER_DEV, before));
    return PAWL_OK;
}

enum pawl_status pawl_vault_add(struct pawl_worker *worker, const char *file, json_t **done,
                                struct pawl_error *err)
{
    struct pawl_vault vault;
    struct pawl_vault_set set = {0}, fresh = {0};
    enum pawl_status status = pawl_vault_open(worker, PAWL_VAULT_CHANGE, &vault, err);
    if (status == PAWL_OK) status = add_file(&vault, file, &set, &fresh, done, err);
    pawl_vault_set_release(&set);
    pawl_vault_set_release(&fresh);
    pawl_vault_release(&vault);
    return status;
}
