/*
 * Rotation: the gate's cases retire to dev with all that was asked of them, and fresh ones are sealed.
 *
 * Fresh are the new clusters of a file or, without one, the vault tier: a reserve of which no attempt
 * was ever asked and which no audit opens. What confirmations have used of it (vault_confirm.c) retires with the
 * gate's.
 *
 * Invariants
 *   1. A case that anybody has seen, a copy of it in other spelling, and what shares a cluster with one
 *      never enters the new gate.
 *   2. It is one change of the store: before it the old epoch stands whole, after it the new one.
 *   3. Attempts are numbered over the vault's life. Levels and wear begin anew, for cases that gave no
 *      answer yet; nothing that was spent comes back, and a second rotation finds nothing fresh.
 *      Under the policy fresh a draw retires after each attempt (vault_draw.c), and they go on.
 *   4. Fresh cases that can certify nothing are refused before anything is written.
 */
#include "improve/vault.h"

#include "gate/plan.h"
#include "gate/plan_clusters.h"

#include <math.h>
#include <sodium.h>

struct rotation {
    struct pawl_vault *vault;
    struct pawl_vault_set set, file;
    const char *reason;
    size_t added, refused, retired;
    size_t spent;     /* cases of the vault tier that a confirmation used */
    int64_t drawn;    /* the attempt whose draw retires; 0: the whole gate does */
    json_t *previous; /* commitment */
};

/* --- fresh from a file ------------------------------------------------------------------------------ */

/* What a new case must not be like: ids, clusters and words of all that came before. */
struct seen {
    json_t *ids, *clusters, *words;
};

static enum pawl_status words_of(const struct pawl_vault *vault, const struct pawl_case *item,
                                 char hex[PAWL_HASH_HEX], struct pawl_error *err)
{
    struct pawl_hash hash;
    PAWL_TRY(pawl_vault_fingerprint(vault, item, &hash, err));
    pawl_hash_hex(&hash, hex);
    return PAWL_OK;
}

static enum pawl_status see(const struct pawl_vault *vault, struct seen *seen,
                            const struct pawl_cases *cases, struct pawl_error *err)
{
    for (size_t i = 0; i < cases->n; i++) {
        char hex[PAWL_HASH_HEX];
        const struct pawl_case *item = &cases->items[i];
        PAWL_TRY(words_of(vault, item, hex, err));
        pawl_json_set(seen->ids, item->id, json_integer((json_int_t)i));
        pawl_json_set(seen->clusters, item->cluster, json_true());
        pawl_json_set(seen->words, hex, json_string(item->cluster));
    }
    return PAWL_OK;
}

/* One case that was seen spoils its whole cluster; so does one whose words another new cluster has. */
static enum pawl_status find_spoilt(struct rotation *rotation, struct seen *seen, json_t *spoilt,
                                    struct pawl_error *err)
{
    for (size_t i = 0; i < rotation->file.cases.n; i++) {
        char hex[PAWL_HASH_HEX];
        const struct pawl_case *item = &rotation->file.cases.items[i];
        PAWL_TRY(words_of(rotation->vault, item, hex, err));
        const char *twin = pawl_json_get_text(seen->words, hex, NULL);
        if (json_object_get(seen->ids, item->id) != NULL ||
            json_object_get(seen->clusters, item->cluster) != NULL ||
            (twin != NULL && strcmp(twin, item->cluster) != 0))
            pawl_json_set(spoilt, item->cluster, json_true());
        if (twin == NULL) pawl_json_set(seen->words, hex, json_string(item->cluster));
    }
    return PAWL_OK;
}

static void drop_spoilt(struct pawl_vault_set *file, const json_t *spoilt)
{
    size_t kept = 0;
    for (size_t i = 0; i < file->cases.n; i++) {
        if (json_object_get(spoilt, file->cases.items[i].cluster) != NULL) continue;
        file->cases.items[kept] = file->cases.items[i];
        file->tiers[kept++] = file->tiers[i];
    }
    file->cases.n = kept;
}

static enum pawl_status keep_fresh(struct rotation *rotation, struct pawl_error *err)
{
    struct seen seen = {json_object(), json_object(), json_object()};
    json_t *spoilt = json_object();
    enum pawl_status status = see(rotation->vault, &seen, &rotation->set.cases, err);
    if (status == PAWL_OK) status = find_spoilt(rotation, &seen, spoilt, err);
    if (status == PAWL_OK) drop_spoilt(&rotation->file, spoilt);
    json_decref(seen.ids);
    json_decref(seen.clusters);
    json_decref(seen.words);
    json_decref(spoilt);
    return status;
}

static void append_file(struct rotation *rotation)
{
    struct pawl_vault_set *set = &rotation->set, *file = &rotation->file;
    pawl_vault_set_grow(rotation->vault, set, file->cases.n);
    for (size_t i = 0; i < file->cases.n; i++) {
        set->cases.items[set->cases.n] = file->cases.items[i];
        set->tiers[set->cases.n++] = PAWL_TIER_GATE;
    }
}

/* Traps outlive a gate: they are in no score, and nobody is shown them. */
static enum pawl_status refuse_traps(const struct pawl_vault_set *file, struct pawl_error *err)
{
    for (size_t i = 0; i < file->cases.n; i++) {
        if (!pawl_vault_is_trap(&file->cases.items[i])) continue;
        pawl_fail(err, PAWL_ECONFIG, "The case \"%s\" is a trap, and no case of a fresh gate.",
                  file->cases.items[i].id);
        pawl_hint(err, "`pawl data add FILE` adds traps; those there are stay sealed.");
        return PAWL_ECONFIG;
    }
    return PAWL_OK;
}

static enum pawl_status draw_from_file(struct rotation *rotation, const char *path,
                                       struct pawl_error *err)
{
    struct pawl_vault *vault = rotation->vault;
    int64_t limit = pawl_json_get_int(vault->state, "max_per_cluster", 0);
    rotation->file.must_fit = true;
    PAWL_TRY(pawl_vault_set_read(vault, path, PAWL_TIER_GATE, &rotation->file, err));
    PAWL_TRY(pawl_cases_check(&rotation->file.cases, path, err));
    PAWL_TRY(refuse_traps(&rotation->file, err));
    size_t offered = rotation->file.cases.n;
    PAWL_TRY(keep_fresh(rotation, err));
    pawl_vault_set_aside(vault, &rotation->file, (size_t)limit);
    rotation->added = rotation->file.cases.n;
    rotation->refused = offered - rotation->added;
    if (rotation->added == 0) {
        pawl_fail(
            err, PAWL_EUSAGE,
            "No cluster of %s is new: its cases, or others of their clusters, have been seen.",
            path);
        pawl_hint(err,
                  "A case that was ever in this project cannot be sealed again; bring others.");
        return PAWL_EUSAGE;
    }
    size_t before = rotation->set.cases.n;
    append_file(rotation);
    return pawl_vault_canaries_check(vault, &rotation->set, before, NULL, err);
}

/* --- fresh from the reserve ------------------------------------------------------------------------- */

static enum pawl_status draw_reserve(struct rotation *rotation, struct pawl_error *err)
{
    struct pawl_vault_set *set = &rotation->set;
    size_t drawn = 0;
    bool sealed = pawl_vault_reserve_is_sealed(rotation->vault);
    for (size_t i = 0; sealed && i < set->cases.n; i++) {
        if (set->tiers[i] != PAWL_TIER_VAULT) continue;
        set->tiers[i] = PAWL_TIER_GATE;
        drawn++;
    }
    if (drawn > 0) return PAWL_OK;
    pawl_fail(err, PAWL_EUSAGE,
              sealed ? "There are no fresh cases: this project keeps no vault tier in reserve."
                     : "There are no fresh cases: the vault tier may have been seen, too.");
    pawl_hint(err, "`pawl rotate --data FILE --reason TEXT` seals new cases.");
    return PAWL_EUSAGE;
}

/* --- retiring --------------------------------------------------------------------------------------- */

/* What is sealed now, by index: from it old evidence is recomputed when it opens. New reference. */
static json_t *sealed_now(const struct pawl_vault_set *set)
{
    json_t *gate = json_array(), *reserve = json_array();
    for (size_t i = 0; i < set->cases.n; i++) {
        if (set->tiers[i] == PAWL_TIER_GATE)
            json_array_append_new(gate, json_integer((json_int_t)i));
        if (set->tiers[i] == PAWL_TIER_VAULT)
            json_array_append_new(reserve, json_integer((json_int_t)i));
    }
    return json_pack("{s:o, s:o}", "gate", gate, "vault", reserve);
}

/* What the attempt was asked of, of the gate that there was. */
static enum pawl_status retire_drawn(struct rotation *rotation, struct pawl_error *err)
{
    struct pawl_vault *vault = rotation->vault;
    struct pawl_vault_order order;
    struct pawl_str text;
    json_t *row;
    PAWL_TRY(pawl_vault_read(vault, PAWL_VAULT_ROW_ATTEMPT, (uint64_t)rotation->drawn, &text, err));
    PAWL_TRY(pawl_json_parse(text, text.len, &row, err));
    pawl_vault_order_of(vault, &rotation->set, row, &order);
    json_decref(row);
    for (size_t i = 0; i < order.n; i++) rotation->set.tiers[order.items[i]] = PAWL_TIER_DEV;
    rotation->retired = order.n;
    return PAWL_OK;
}

/* Before anything leaves the log, whose entries are counted. */
static void remember_sealed(struct rotation *rotation)
{
    struct pawl_vault_set *set = &rotation->set;
    if (set->past == NULL) set->past = json_array();
    json_array_append_new(set->past, sealed_now(set));
    rotation->spent = pawl_vault_set_retire_spent(
        set, (size_t)pawl_json_get_int(rotation->vault->state, "confirmed", 0));
}

static void retire_gate(struct rotation *rotation)
{
    struct pawl_vault_set *set = &rotation->set;
    for (size_t i = 0; i < set->cases.n; i++) {
        if (set->tiers[i] != PAWL_TIER_GATE) continue;
        set->tiers[i] = PAWL_TIER_DEV;
        rotation->retired++;
    }
}

/* The list follows the tiers. What moves keeps its text to the letter, since old leaves are hashed of it. */
static void move_in_list(struct rotation *rotation, size_t before)
{
    struct pawl_vault_set *set = &rotation->set;
    pawl_vault_set_mark_check(rotation->vault, set, 0);
    for (size_t i = 0; i < before; i++) {
        json_t *item = json_array_get(set->list, i);
        const char *tier = pawl_tier_name(set->tiers[i]);
        if (strcmp(pawl_json_get_text(item, "tier", ""), tier) == 0) continue;
        pawl_json_set(item, "tier", json_string(tier));
        if (set->cases.items[i].check) pawl_json_set(item, "check", json_true());
    }
    pawl_vault_set_list(set, before);
}

/* --- the new epoch ---------------------------------------------------------------------------------- */

/* What a sealed set begins anew, and its draws share. */
static void begin_set(struct rotation *rotation, const struct pawl_vault_figures *figures)
{
    const struct pawl_worker *worker = rotation->vault->worker;
    json_t *state = rotation->vault->state;
    json_object_del(state, "since");
    pawl_json_set(state, "largest_cluster", json_integer(figures->largest_gate));
    pawl_json_set(state, "max_attempts", json_integer(worker->config.gate.max_attempts));
    pawl_json_set(state, "epoch_open", json_true());
    json_object_del(state, "ended");
    pawl_json_set(state, "rule", json_null());
    json_object_del(state, "caps"); /* to be frozen anew, of the incumbent that there is now */
    pawl_json_set(state, "overlaps", json_integer(0));
}

static void begin_epoch(struct rotation *rotation)
{
    struct pawl_vault *vault = rotation->vault;
    json_t *state = vault->state;
    struct pawl_vault_figures figures;
    int64_t attempts = pawl_vault_attempts(vault);
    int64_t retired =
        pawl_json_get_int(state, "retired", 0) + (int64_t)(rotation->retired + rotation->spent);
    rotation->previous = json_incref(json_object_get(state, "commitment"));
    pawl_vault_interrupt(vault);
    if (json_object_get(state, "epochs") == NULL) pawl_json_set(state, "epochs", json_array());
    json_array_append_new(json_object_get(state, "epochs"),
                          json_pack("{s:I, s:O, s:i}", "last", (json_int_t)attempts,
                                    "largest_cluster", json_object_get(state, "largest_cluster"),
                                    "version", 0));
    pawl_vault_set_count(&rotation->set, &figures);
    if (rotation->drawn > 0) pawl_json_set(state, "since", json_integer(pawl_vault_since(vault)));
    pawl_json_set(state, "epoch", json_integer(pawl_vault_epoch(vault) + 1));
    pawl_json_set(state, "before", json_integer(attempts));
    pawl_json_set(state, "retired", json_integer(retired));
    json_object_del(state, "confirmed"); /* what confirmations used is in dev now */
    if (rotation->drawn == 0) begin_set(rotation, &figures);
    pawl_vault_set_figures(vault, &rotation->set, &figures);
}

/* The least gain that the first attempt would certify with power .8 where candidate and incumbent differ
 * on a fifth of the cases; NAN: none. */
static enum pawl_status certifiable(struct rotation *rotation, size_t *n, double *gain,
                                    struct pawl_error *err)
{
    static const double power = 0.8, discordance = 0.2;
    struct pawl_vault *vault = rotation->vault;
    struct pawl_vault_plan next;
    PAWL_TRY(pawl_vault_plan_next(vault, &next, err));
    const size_t *sizes = pawl_vault_asked_sizes(vault, &rotation->set, n);
    struct pawl_plan plan = {.look = next.look,
                             .level = next.level,
                             .n = *n < PAWL_PLAN_MAX ? *n : PAWL_PLAN_MAX,
                             .discordance = discordance};
    bool weighs = next.look == PAWL_LOOK_SEQUENTIAL && *n > 0 && sizes[0] > 1;
    *gain = weighs ? pawl_plan_clusters_smallest_gain(&plan, sizes, power, &vault->arena)
                   : pawl_plan_smallest_gain(&plan, power, &vault->arena);
    return PAWL_OK;
}

static enum pawl_status check_size(struct rotation *rotation, struct pawl_error *err)
{
    size_t n;
    double gain;
    PAWL_TRY(certifiable(rotation, &n, &gain, err));
    if (n >= PAWL_VAULT_CLUSTERS_MIN && !isnan(gain)) return PAWL_OK;
    pawl_fail(err, PAWL_ECONFIG,
              "The new gate would have %zu clusters of cases, which can certify no gain at all.",
              n);
    pawl_hint(err, "Nothing was changed. Bring more fresh cases: `pawl rotate --data FILE`.");
    return PAWL_ECONFIG;
}

/* --- the statement ---------------------------------------------------------------------------------- */

/* {"statement","signature"}. New reference. */
static json_t *signed_statement(const struct rotation *rotation)
{
    const struct pawl_vault *vault = rotation->vault;
    const json_t *state = vault->state;
    struct pawl_signer signer;
    char signature[PAWL_SIGNATURE_HEX];
    pawl_signer_init(&signer, vault->keys.sign);
    json_t *statement =
        json_pack("{s:i, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I}", "schema", PAWL_STATEMENT_SCHEMA,
                  "kind", "rotation", "vault", vault->id, "public_key", signer.public_hex, "reason",
                  rotation->reason, "epoch", (json_int_t)pawl_vault_epoch(vault), "attempts",
                  (json_int_t)pawl_vault_before(vault), "retired", (json_int_t)rotation->retired,
                  "added", (json_int_t)rotation->added);
    if (rotation->spent > 0)
        pawl_json_set(statement, "spent", json_integer((json_int_t)rotation->spent));
    if (rotation->drawn > 0) pawl_json_set(statement, "drawn", json_integer(rotation->drawn));
    pawl_json_set(statement, "previous", json_incref(rotation->previous));
    pawl_json_set(statement, "commitment", json_incref(json_object_get(state, "commitment")));
    pawl_json_set(statement, "tiers", json_incref(json_object_get(state, "tiers")));
    pawl_json_set(statement, "gate_clusters",
                  json_incref(json_object_get(json_object_get(state, "clusters"), "gate")));
    pawl_json_set(statement, "largest_cluster",
                  json_incref(json_object_get(state, "largest_cluster")));
    pawl_statement_sign(&signer, statement, signature);
    sodium_memzero(&signer, sizeof signer);
    return json_pack("{s:o, s:s}", "statement", statement, "signature", signature);
}

/* --- the change ------------------------------------------------------------------------------------- */

/* Cases, statement, and rows for the new epoch's attempts in their full size. */
static enum pawl_status commit(struct rotation *rotation, const json_t *said,
                               struct pawl_error *err)
{
    struct pawl_vault *vault = rotation->vault;
    struct pawl_vault_write *lists;
    size_t n = pawl_vault_set_writes(vault, &rotation->set, &lists);
    int64_t first = pawl_vault_before(vault) + 1;
    int64_t last = rotation->drawn > 0 ? first - 1 : pawl_vault_last(vault); /* or they are there */
    struct pawl_vault_write *writes =
        PAWL_NEW_N(&vault->arena, struct pawl_vault_write, n + 1 + 2 * (size_t)(last - first + 1));
    char *text = pawl_json_text(said);
    memcpy(writes, lists, n * sizeof *writes);
    writes[n++] = (struct pawl_vault_write){PAWL_VAULT_ROW_ROTATION,
                                            (uint64_t)pawl_vault_epoch(vault), pawl_str_of(text)};
    for (int64_t k = first; k <= last; k++) {
        writes[n++] = (struct pawl_vault_write){PAWL_VAULT_ROW_ATTEMPT, (uint64_t)k, PAWL_STR("")};
        writes[n++] = (struct pawl_vault_write){PAWL_VAULT_ROW_EVIDENCE, (uint64_t)k, PAWL_STR("")};
    }
    enum pawl_status status = pawl_vault_commit(vault, writes, n, err);
    free(text);
    return status;
}

static enum pawl_status rotate(struct rotation *rotation, const char *file, json_t **done,
                               struct pawl_error *err)
{
    struct pawl_vault *vault = rotation->vault;
    struct pawl_vault_set *set = &rotation->set;
    PAWL_TRY(pawl_vault_set_load(vault, set, err));
    size_t before = set->cases.n;
    remember_sealed(rotation);
    retire_gate(rotation);
    PAWL_TRY(file != NULL ? draw_from_file(rotation, file, err) : draw_reserve(rotation, err));
    move_in_list(rotation, before);
    begin_epoch(rotation);
    PAWL_TRY(check_size(rotation, err));
    PAWL_TRY(pawl_vault_past_note(vault, set, err));
    json_t *said = signed_statement(rotation);
    enum pawl_status status = commit(rotation, said, err);
    if (status == PAWL_OK) {
        pawl_json_set(said, "added", json_integer((json_int_t)rotation->added));
        pawl_json_set(said, "refused", json_integer((json_int_t)rotation->refused));
        *done = json_incref(said);
    }
    json_decref(said);
    return status;
}

static enum pawl_status rotate_drawn(struct rotation *rotation, struct pawl_error *err)
{
    struct pawl_vault_set *set = &rotation->set;
    PAWL_TRY(pawl_vault_set_load(rotation->vault, set, err));
    remember_sealed(rotation);
    PAWL_TRY(retire_drawn(rotation, err));
    move_in_list(rotation, set->cases.n);
    begin_epoch(rotation);
    json_t *said = signed_statement(rotation);
    enum pawl_status status = commit(rotation, said, err);
    json_decref(said);
    return status;
}

enum pawl_status pawl_vault_retire_draw(struct pawl_vault *vault, struct pawl_error *err)
{
    bool measured_again =
        strcmp(pawl_vault_verdict(vault, pawl_vault_attempts(vault)), "open") == 0;
    if (!pawl_vault_draw_is_spent(vault) || measured_again) return PAWL_OK;
    if (!pawl_vault_gate_is_sealed(vault))
        return PAWL_OK; /* a rotation retires all that was seen */
    struct rotation rotation = {
        .vault = vault,
        .reason = "the cases that an attempt has drawn serve no other one",
        .drawn = pawl_vault_attempts(vault),
    };
    enum pawl_status status = rotate_drawn(&rotation, err);
    pawl_vault_set_release(&rotation.set);
    json_decref(rotation.previous);
    return status;
}

static enum pawl_status check_reason(const char *reason, struct pawl_error *err)
{
    if (reason[0] != '\0' && strlen(reason) <= PAWL_VAULT_REASON_MAX) return PAWL_OK;
    return pawl_fail(err, PAWL_EUSAGE, "A rotation has a reason of 1 to %d bytes.",
                     PAWL_VAULT_REASON_MAX);
}

enum pawl_status pawl_vault_rotate(struct pawl_worker *worker, const json_t *request, json_t **done,
                                   struct pawl_error *err)
{
    struct pawl_vault vault;
    struct rotation rotation = {.vault = &vault,
                                .reason = pawl_json_get_text(request, "reason", "")};
    PAWL_TRY(check_reason(rotation.reason, err));
    enum pawl_status status = pawl_vault_open(worker, PAWL_VAULT_CHANGE, &vault, err);
    if (status == PAWL_OK)
        status = rotate(&rotation, pawl_json_get_text(request, "file", NULL), done, err);
    pawl_vault_set_release(&rotation.file);
    pawl_vault_set_release(&rotation.set);
    json_decref(rotation.previous);
    pawl_vault_release(&vault);
    return status;
}

/* --- what began an epoch ---------------------------------------------------------------------------- */

static enum pawl_status check_known(const struct pawl_vault *vault, int64_t known,
                                    struct pawl_error *err)
{
    if (known <= pawl_vault_epoch(vault)) return PAWL_OK;
    pawl_fail(
        err, PAWL_EINTEGRITY,
        "The ledger records rotation to epoch %lld, and the vault is in epoch %lld: the vault "
        "and its counter were put back.",
        (long long)known, (long long)pawl_vault_epoch(vault));
    pawl_hint(err, "What was retired has been seen. Restore the newest .pawl/sealed/vault.db and "
                   "counter, or start over with fresh cases.");
    return PAWL_EINTEGRITY;
}

static enum pawl_status read_rotation(struct pawl_vault *vault, int64_t epoch, json_t **done,
                                      struct pawl_error *err)
{
    struct pawl_str text = PAWL_STR("{}");
    if (epoch > 1 && epoch <= pawl_vault_epoch(vault))
        PAWL_TRY(pawl_vault_read(vault, PAWL_VAULT_ROW_ROTATION, (uint64_t)epoch, &text, err));
    PAWL_TRY(pawl_json_parse(text, text.len, done, err));
    pawl_json_set(*done, "epoch", json_integer(pawl_vault_epoch(vault)));
    return PAWL_OK;
}

enum pawl_status pawl_vault_rotation(struct pawl_worker *worker, const json_t *request,
                                     json_t **done, struct pawl_error *err)
{
    struct pawl_vault vault;
    enum pawl_status status = pawl_vault_open(worker, PAWL_VAULT_READ, &vault, err);
    if (status == PAWL_OK)
        status = check_known(&vault, pawl_json_get_int(request, "known", 0), err);
    if (status == PAWL_OK)
        status = read_rotation(&vault, pawl_json_get_int(request, "epoch", 0), done, err);
    pawl_vault_release(&vault);
    return status;
}
