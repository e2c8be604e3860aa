/*
 * Does somebody's case file hold sealed cases? And what becomes of the set when it is scored anyway.
 *
 * Scores on sealed cases are what nobody may see, so `eval --cases` asks here first. Inputs are
 * compared by fingerprint: HMAC of all their texts, in lower case, white space collapsed, whatever
 * fields they are in. Another spelling is found, another wording is not.
 *
 * Invariants
 *   1. One bit leaves for the whole file, never which case or how many.
 *   2. Every question is counted, durably, before it is answered. After PAWL_VAULT_OVERLAPS_MAX files
 *      that did overlap no new file is answered: bisecting a file to find what is sealed ends there.
 *   3. Burning ends the epoch before anything is scored.
 */
#include "improve/vault.h"

#include "io/file.h"

#include <stdlib.h>

/* --- fingerprints ----------------------------------------------------------------------------------- */

enum { TEXT_MAX = 4 * PAWL_CASE_BYTES_MAX };

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Words in lower case (ASCII), one space between them, and a mark where the text ends. */
static void add_text(struct pawl_str text, struct pawl_buf *out)
{
    bool gap = false;
    text = pawl_str_trim(text);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (is_space(c)) {
            gap = true;
            continue;
        }
        if (gap) pawl_buf_add(out, " ");
        gap = false;
        if (c >= 'A' && c <= 'Z') c = (char)(c - 'A' + 'a');
        pawl_buf_add_bytes(out, &c, 1);
    }
    pawl_buf_add(out, "\n");
}

static void add_value(const json_t *value, struct pawl_buf *out)
{
    const char *key;
    json_t *member;
    size_t i;
    if (json_is_string(value)) {
        add_text((struct pawl_str){json_string_value(value), json_string_length(value)}, out);
    } else if (json_is_object(value)) {
        json_object_foreach((json_t *)value, key, member) add_value(member, out);
    } else if (json_is_array(value)) {
        json_array_foreach((json_t *)value, i, member) add_value(member, out);
    } else {
        pawl_json_write(value, out);
        pawl_buf_add(out, "\n");
    }
}

/* Members in canonical order: read back from the canonical text, they come as they are sorted. */
enum pawl_status pawl_vault_fingerprint(const struct pawl_vault *vault,
                                        const struct pawl_case *item, struct pawl_hash *out,
                                        struct pawl_error *err)
{
    json_t *sorted;
    char *text = pawl_json_text(item->input);
    enum pawl_status status = pawl_json_parse(pawl_str_of(text), TEXT_MAX, &sorted, err);
    free(text);
    PAWL_TRY(status);
    struct pawl_buf words = PAWL_BUF(TEXT_MAX);
    pawl_buf_add(&words, "overlap ");
    add_value(sorted, &words);
    *out = pawl_hash_keyed(vault->keys.check, pawl_buf_str(&words));
    pawl_buf_release(&words);
    json_decref(sorted);
    return PAWL_OK;
}

static int compare_hashes(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct pawl_hash));
}

bool pawl_vault_hides(const struct pawl_vault *vault, enum pawl_tier tier)
{
    return (tier == PAWL_TIER_GATE && pawl_vault_gate_is_sealed(vault)) ||
           ((tier == PAWL_TIER_VAULT || tier == PAWL_TIER_TRAP) &&
            pawl_vault_reserve_is_sealed(vault));
}

/* Of every sealed case, sorted. */
static enum pawl_status sealed_fingerprints(struct pawl_vault *vault,
                                            const struct pawl_vault_set *set,
                                            struct pawl_hash **out, size_t *n,
                                            struct pawl_error *err)
{
    *n = 0;
    *out = PAWL_NEW_N(&vault->arena, struct pawl_hash, set->cases.n + 1);
    for (size_t i = 0; i < set->cases.n; i++) {
        if (!pawl_vault_hides(vault, set->tiers[i])) continue;
        PAWL_TRY(pawl_vault_fingerprint(vault, &set->cases.items[i], &(*out)[(*n)++], err));
    }
    qsort(*out, *n, sizeof **out, compare_hashes);
    return PAWL_OK;
}

/* Every case of the file is looked up, so that the time does not tell where the first one lies. */
static enum pawl_status look_up(struct pawl_vault *vault, const struct pawl_cases *file,
                                bool *found, struct pawl_error *err)
{
    struct pawl_vault_set set;
    struct pawl_hash *sealed, own;
    size_t n;
    *found = false;
    enum pawl_status status = pawl_vault_set_load(vault, &set, err);
    if (status == PAWL_OK) status = sealed_fingerprints(vault, &set, &sealed, &n, err);
    for (size_t i = 0; i < file->n && status == PAWL_OK; i++) {
        status = pawl_vault_fingerprint(vault, &file->items[i], &own, err);
        if (status == PAWL_OK && bsearch(&own, sealed, n, sizeof own, compare_hashes) != NULL)
            *found = true;
    }
    pawl_vault_set_release(&set);
    return status;
}

/* --- the question ----------------------------------------------------------------------------------- */

static void add_one_to(json_t *state, const char *key)
{
    pawl_json_set(state, key, json_integer(pawl_json_get_int(state, key, 0) + 1));
}

static enum pawl_status check_questions(const struct pawl_vault *vault, struct pawl_error *err)
{
    if (pawl_json_get_int(vault->state, "overlaps", 0) < PAWL_VAULT_OVERLAPS_MAX) return PAWL_OK;
    pawl_fail(err, PAWL_EUSAGE,
              "%d case files with sealed cases were offered for scoring: the vault says of no new "
              "file whether it holds any.",
              PAWL_VAULT_OVERLAPS_MAX);
    pawl_hint(err, "Files that were found clean before can be scored again; others need fresh "
                   "sealed cases.");
    return PAWL_EUSAGE;
}

static enum pawl_status answer(struct pawl_vault *vault, const char *file, json_t **done,
                               struct pawl_error *err)
{
    struct pawl_cases cases;
    struct pawl_hash hash;
    char hex[PAWL_HASH_HEX];
    bool found;
    PAWL_TRY(check_questions(vault, err));
    PAWL_TRY(pawl_file_hash(file, &hash, err));
    PAWL_TRY(pawl_cases_read(file, vault->worker->config.data.columns, &vault->arena, &cases, err));
    enum pawl_status status = look_up(vault, &cases, &found, err);
    pawl_cases_release(&cases);
    PAWL_TRY(status);
    add_one_to(vault->state, "overlaps_asked");
    if (found) add_one_to(vault->state, "overlaps");
    PAWL_TRY(pawl_vault_commit(vault, NULL, 0, err));
    pawl_hash_hex(&hash, hex);
    *done = json_pack("{s:b, s:s, s:O}", "overlap", found, "file", hex, "asked",
                      json_object_get(vault->state, "overlaps_asked"));
    return PAWL_OK;
}

enum pawl_status pawl_vault_overlap(struct pawl_worker *worker, const char *file, json_t **done,
                                    struct pawl_error *err)
{
    struct pawl_vault vault;
    enum pawl_status status = pawl_vault_open(worker, PAWL_VAULT_CHANGE, &vault, err);
    if (status == PAWL_OK) status = answer(&vault, file, done, err);
    pawl_vault_release(&vault);
    return status;
}

enum pawl_status pawl_vault_burn(struct pawl_worker *worker, json_t **done, struct pawl_error *err)
{
    struct pawl_vault vault;
    enum pawl_status status = pawl_vault_open(worker, PAWL_VAULT_CHANGE, &vault, err);
    if (status == PAWL_OK) status = pawl_vault_end_epoch(&vault, "burn", err);
    if (status == PAWL_OK) *done = json_object();
    pawl_vault_release(&vault);
    return status;
}
