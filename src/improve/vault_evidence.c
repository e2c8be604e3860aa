/*
 * Evidence: the scores of an attempt, kept in the vault, committed to by its statement, shown only
 * in the audit view.
 */
#include "improve/vault.h"

#include <math.h>
#include <stdlib.h>

/* --- rows ------------------------------------------------------------------------------------------ */

/* A 64-bit count, then the values as the machine writes doubles: the store never leaves it; then those
 * of the traps to the end. */
struct pawl_str pawl_vault_scores_pack(struct pawl_vault *vault,
                                       const struct pawl_vault_scores *scores)
{
    uint64_t n = scores->n;
    size_t values_bytes = scores->n * scores->width * sizeof *scores->values;
    size_t traps_bytes = scores->n_traps * PAWL_VAULT_WIDTH * sizeof *scores->traps;
    char *out = pawl_arena_alloc(&vault->arena, sizeof n + values_bytes + traps_bytes, 1);
    memcpy(out, &n, sizeof n);
    if (values_bytes > 0) memcpy(out + sizeof n, scores->values, values_bytes);
    if (traps_bytes > 0) memcpy(out + sizeof n + values_bytes, scores->traps, traps_bytes);
    return (struct pawl_str){out, sizeof n + values_bytes + traps_bytes};
}

static enum pawl_status unpack(struct pawl_vault *vault, struct pawl_str text, size_t width,
                               struct pawl_vault_scores *scores, struct pawl_error *err)
{
    uint64_t n = 0;
    if (text.len >= sizeof n) memcpy(&n, text.ptr, sizeof n);
    size_t values_bytes = text.len - sizeof n;
    if (text.len < sizeof n || n > values_bytes / (width * sizeof(double)))
        return pawl_fail(err, PAWL_EINTEGRITY, "The evidence of an attempt is damaged.");
    scores->n = (size_t)n;
    scores->width = width;
    scores->values = PAWL_NEW_N(&vault->arena, double, width * scores->n + 1);
    memcpy(scores->values, text.ptr + sizeof n, width * scores->n * sizeof(double));
    size_t rest = values_bytes - width * scores->n * sizeof(double);
    scores->n_traps = rest / (PAWL_VAULT_WIDTH * sizeof(double));
    scores->traps = PAWL_NEW_N(&vault->arena, double, PAWL_VAULT_WIDTH * scores->n_traps + 1);
    memcpy(scores->traps, text.ptr + text.len - rest,
           PAWL_VAULT_WIDTH * scores->n_traps * sizeof(double));
    return PAWL_OK;
}

/* --- recomputing ------------------------------------------------------------------------------------ */

/* The limit that was in force when it was asked. */
static int64_t largest_cluster(const struct pawl_vault *vault, int64_t attempt)
{
    size_t ended = (size_t)pawl_vault_epoch_of(vault, attempt) - 1;
    const json_t *epoch = json_array_get(json_object_get(vault->state, "epochs"), ended);
    return pawl_json_get_int(epoch != NULL ? epoch : vault->state, "largest_cluster", 1);
}

struct pawl_gate_plan pawl_vault_gate_plan(const struct pawl_vault *vault, const json_t *row)
{
    uint64_t seed = 0;
    char name[64];
    snprintf(name, sizeof name, "flips %lld", (long long)pawl_json_get_int(row, "attempt", 0));
    struct pawl_hash hash = pawl_hash_keyed(vault->keys.order, pawl_str_of(name));
    for (int i = 0; i < 8; i++) seed = seed << 8 | hash.bytes[i];
    bool fixed = strcmp(pawl_json_get_text(row, "look", ""), "fixed") == 0;
    return (struct pawl_gate_plan){
        .look = fixed ? PAWL_LOOK_FIXED : PAWL_LOOK_SEQUENTIAL,
        .level = pawl_json_get_real(row, "level", 0),
        .pass_fail = pawl_json_get_bool(row, "binary", false),
        .samples = (size_t)pawl_json_get_int(row, "samples", 1),
        .largest_cluster = (size_t)largest_cluster(vault, pawl_json_get_int(row, "attempt", 0)),
        .n_planned = (size_t)pawl_json_get_int(row, "clusters", 0),
        .m0 = 0,
        .seed = seed};
}

/* Feed a fresh gate, and fresh guards, what the attempt saw. */
static enum pawl_status replay(struct pawl_vault *vault, const json_t *row,
                               const struct pawl_vault_order *order,
                               const struct pawl_vault_scores *scores, struct pawl_gate *gate,
                               struct pawl_guards *guards, struct pawl_error *err)
{
    struct pawl_gate_plan plan = pawl_vault_gate_plan(vault, row);
    struct pawl_guard_case *cases =
        PAWL_NEW_N(&vault->arena, struct pawl_guard_case, plan.largest_cluster);
    struct pawl_arena scratch = {0};
    PAWL_TRY(pawl_gate_init(gate, &plan, &vault->arena, err));
    PAWL_TRY(pawl_vault_guards_init(vault, row, guards, err));
    enum pawl_status status = PAWL_OK;
    size_t from = 0;
    for (size_t g = 0; g < order->n_clusters && order->ends[g] <= scores->n; g++) {
        size_t n = order->ends[g] - from;
        if (status != PAWL_OK || n > plan.largest_cluster || pawl_vault_promotes(gate, guards))
            break;
        for (size_t i = 0; i < n; i++) pawl_vault_scores_case(scores, from + i, &cases[i]);
        status = pawl_vault_judge(gate, guards, cases, n, &scratch, err);
        pawl_arena_reset(&scratch);
        from = order->ends[g];
    }
    pawl_arena_release(&scratch);
    return status;
}

static json_t *score_json(double score)
{
    return isnan(score) ? json_null() : json_real(score);
}

/* The measures of each arm that was run: [incumbent, candidate, anchor], each in order of
 * enum pawl_measure; null for a missing case. */
static json_t *measured_json(const struct pawl_guard_case *item, size_t n_arms)
{
    if (item->missing) return json_null();
    json_t *out = json_array();
    for (size_t arm = 0; arm < n_arms; arm++) {
        json_t *values = json_array();
        for (size_t m = 0; m < PAWL_N_MEASURES; m++)
            json_array_append_new(values, json_real(item->values[arm][m]));
        json_array_append_new(out, values);
    }
    return out;
}

json_t *pawl_vault_evidence_cases(const struct pawl_vault_set *set,
                                  const struct pawl_vault_order *order,
                                  const struct pawl_vault_scores *scores, const json_t *row)
{
    json_t *out = json_array();
    for (size_t i = 0; i < scores->n && i < order->n; i++) {
        const struct pawl_case *item = &set->cases.items[order->items[i]];
        struct pawl_guard_case seen;
        pawl_vault_scores_case(scores, i, &seen);
        json_t *entry = json_pack("{s:s, s:s}", "id", item->id, "cluster", item->cluster);
        pawl_json_set(entry, "incumbent",
                      score_json(seen.values[PAWL_ARM_INCUMBENT][PAWL_MEASURE_SCORE]));
        pawl_json_set(entry, "candidate",
                      score_json(seen.values[PAWL_ARM_CANDIDATE][PAWL_MEASURE_SCORE]));
        if (pawl_vault_is_guarded(row))
            pawl_json_set(entry, "measured", measured_json(&seen, pawl_vault_arms(row)));
        json_array_append_new(out, entry);
    }
    return out;
}

enum pawl_status pawl_vault_evidence(struct pawl_vault *vault, const struct pawl_vault_set *set,
                                     const json_t *row, const struct pawl_vault_scores *scores,
                                     json_t **evidence, struct pawl_error *err)
{
    struct pawl_vault_order order;
    struct pawl_gate gate;
    struct pawl_guards guards;
    pawl_vault_order_of(vault, set, row, &order);
    PAWL_TRY(replay(vault, row, &order, scores, &gate, &guards, err));
    *evidence = json_pack(
        "{s:I, s:O, s:O}", "attempt", (json_int_t)pawl_json_get_int(row, "attempt", 0), "candidate",
        json_object_get(row, "candidate"), "incumbent", json_object_get(row, "incumbent"));
    pawl_json_set(*evidence, "cases", pawl_vault_evidence_cases(set, &order, scores, row));
    pawl_json_set(*evidence, "gate", pawl_gate_evidence_json(&gate));
    if (pawl_vault_is_guarded(row))
        pawl_json_set(*evidence, "guards", pawl_guards_evidence_json(&guards));
    json_t *traps = pawl_vault_traps_evidence(vault, set, row, scores);
    if (traps != NULL) pawl_json_set(*evidence, "traps", traps);
    return PAWL_OK;
}

static struct pawl_hash salt_of(const struct pawl_vault *vault, int64_t attempt)
{
    char name[64];
    snprintf(name, sizeof name, "evidence %lld", (long long)attempt);
    return pawl_hash_keyed(vault->keys.salt, pawl_str_of(name));
}

void pawl_vault_evidence_root(struct pawl_vault *vault, int64_t attempt, const json_t *evidence,
                              char hex[PAWL_HASH_HEX])
{
    struct pawl_hash salt = salt_of(vault, attempt);
    struct pawl_hasher hasher;
    char *text = pawl_json_text(evidence);
    pawl_hasher_init(&hasher);
    pawl_hasher_add(&hasher, salt.bytes, sizeof salt.bytes);
    pawl_hasher_add(&hasher, text, strlen(text));
    free(text);
    struct pawl_hash root = pawl_hasher_final(&hasher);
    pawl_hash_hex(&root, hex);
}

/* --- the audit view ------------------------------------------------------------------------------------ */

/* {attempt, verdict, why, points, salt, evidence}: with the salt anybody checks evidence_root. */
static enum pawl_status audit_one(struct pawl_vault *vault, const struct pawl_vault_set *set,
                                  int64_t k, json_t *out, struct pawl_error *err)
{
    struct pawl_str text, about;
    struct pawl_vault_scores scores;
    json_t *row, *evidence = NULL;
    char salt[PAWL_HASH_HEX];
    PAWL_TRY(pawl_vault_read(vault, PAWL_VAULT_ROW_EVIDENCE, (uint64_t)k, &text, err));
    PAWL_TRY(pawl_vault_read(vault, PAWL_VAULT_ROW_ATTEMPT, (uint64_t)k, &about, err));
    PAWL_TRY(pawl_json_parse(about, about.len, &row, err));
    enum pawl_status status = unpack(vault, text, pawl_vault_width(row), &scores, err);
    if (status == PAWL_OK) status = pawl_vault_evidence(vault, set, row, &scores, &evidence, err);
    if (status == PAWL_OK) {
        struct pawl_hash hash = salt_of(vault, k);
        pawl_hash_hex(&hash, salt);
        json_t *why = json_object_get(row, "why");
        json_array_append_new(out, json_pack("{s:I, s:s, s:O*, s:O, s:s, s:o}", "attempt",
                                             (json_int_t)k, "verdict", pawl_vault_verdict(vault, k),
                                             "why", why, "points", json_object_get(row, "points"),
                                             "salt", salt, "evidence", evidence));
    }
    json_decref(row);
    return status;
}

/* A message has a maximum; the salts and names come on top of the cases. */
enum { SEALED_SHOWN_MAX = PAWL_CHANNEL_MAX / 4 };

static json_t *sealed_json(struct pawl_vault *vault, const struct pawl_vault_set *set)
{
    bool fits = pawl_json_get_int(vault->state, "case_bytes", 0) <= SEALED_SHOWN_MAX;
    return fits ? pawl_vault_set_opening(vault, set) : json_null();
}

static enum pawl_status audit_range(struct pawl_vault *vault, int64_t from, int64_t to, json_t *out,
                                    json_t **sealed, struct pawl_error *err)
{
    struct pawl_vault_set set;
    enum pawl_status status = pawl_vault_set_load(vault, &set, err);
    if (status == PAWL_OK) pawl_vault_set_look_at(vault, &set, pawl_vault_epoch_of(vault, from));
    if (status == PAWL_OK) *sealed = sealed_json(vault, &set);
    for (int64_t k = from; k <= to && status == PAWL_OK; k++)
        status = audit_one(vault, &set, k, out, err);
    pawl_vault_set_release(&set);
    return status;
}

void pawl_vault_interrupt(struct pawl_vault *vault)
{
    json_t *last = json_array_get(json_object_get(vault->state, "attempts"),
                                  (size_t)pawl_vault_attempts(vault) - 1);
    if (last != NULL && strcmp(pawl_json_get_text(last, "verdict", ""), "open") == 0)
        pawl_json_set(last, "verdict", json_string("interrupted"));
}

/* Burning goes further than an audit, which leaves the vault tier sealed. */
enum pawl_status pawl_vault_end_epoch(struct pawl_vault *vault, const char *why,
                                      struct pawl_error *err)
{
    bool open = pawl_vault_gate_is_sealed(vault);
    bool burns = strcmp(why, "burn") == 0 && pawl_vault_reserve_is_sealed(vault);
    if (!open && !burns) return PAWL_OK;
    pawl_vault_interrupt(vault);
    pawl_json_set(vault->state, "epoch_open", json_false());
    pawl_json_set(vault->state, "ended", json_string(why));
    return pawl_vault_commit(vault, NULL, 0, err);
}

/* {"evidence","sealed"} of the attempts of one epoch. */
static enum pawl_status show(struct pawl_vault *vault, int64_t from, int64_t to, json_t **done,
                             struct pawl_error *err)
{
    json_t *out = json_array(), *sealed = NULL;
    enum pawl_status status = audit_range(vault, from, to, out, &sealed, err);
    if (status == PAWL_OK) *done = json_pack("{s:O, s:O}", "evidence", out, "sealed", sealed);
    json_decref(sealed);
    json_decref(out);
    return status;
}

static enum pawl_status check_opened(const struct pawl_vault *vault, int64_t k,
                                     struct pawl_error *err)
{
    if (k >= 1 && k <= pawl_vault_before(vault)) return PAWL_OK;
    pawl_fail(err, PAWL_EUSAGE, "The evidence of attempt %lld is sealed.", (long long)k);
    pawl_hint(err, "It opens in the audit view, or when its sealed set is rotated.");
    return PAWL_EUSAGE;
}

enum pawl_status pawl_vault_opening(struct pawl_worker *worker, const json_t *request,
                                    json_t **done, struct pawl_error *err)
{
    struct pawl_vault vault;
    int64_t k = pawl_json_get_int(request, "attempt", 0);
    enum pawl_status status = pawl_vault_open(worker, PAWL_VAULT_READ, &vault, err);
    if (status == PAWL_OK) status = check_opened(&vault, k, err);
    if (status == PAWL_OK) status = show(&vault, k, k, done, err);
    pawl_vault_release(&vault);
    return status;
}

/* The epoch is over before anything is shown. */
enum pawl_status pawl_vault_audit(struct pawl_worker *worker, const json_t *attempt, json_t **done,
                                  struct pawl_error *err)
{
    struct pawl_vault vault;
    enum pawl_status status = pawl_vault_open(worker, PAWL_VAULT_CHANGE, &vault, err);
    if (status == PAWL_OK) {
        int64_t n = pawl_vault_attempts(&vault), k = json_integer_value(attempt);
        int64_t first = pawl_vault_before(&vault) + 1;
        bool one = json_is_integer(attempt);
        if (one && (k < first || k > n))
            status = pawl_fail(err, PAWL_ENOTFOUND,
                               "There is no attempt %lld of this sealed set; there were %lld.",
                               (long long)k, (long long)(n + 1 - first));
        if (status == PAWL_OK) status = pawl_vault_end_epoch(&vault, "audit", err);
        if (status == PAWL_OK) status = show(&vault, one ? k : first, one ? k : n, done, err);
    }
    pawl_vault_release(&vault);
    return status;
}
