/*
 * Does a candidate's text hold what stands in sealed cases only?
 *
 * The owner gives a case a canary of its own: {"id", "input", "target", "canary": TEXT}, a GUID as a rule,
 * in no other case. It is a part of the case's metadata, which no program sees. Whoever has it opened what
 * was sealed. Cases of train and dev may have one, too; only those of sealed ones are looked for.
 *
 * Invariants
 *   1. One bit leaves. It tells nothing to who does not know the canary, which nobody guesses: one shorter
 *      than PAWL_CANARY_BYTES_MIN is none.
 *   2. A candidate is bytes that are searched, nothing else.
 */
#include "improve/vault.h"

#include "artifact/artifact.h"

#include <string.h>

enum { PAWL_CANARY_BYTES_MIN = 16 };

static bool holds(const struct pawl_artifact *candidate, struct pawl_str canary)
{
    for (size_t i = 0; i < candidate->n_components; i++) {
        struct pawl_str text = candidate->components[i].text;
        if (memmem(text.ptr, text.len, canary.ptr, canary.len) != NULL) return true;
    }
    return false;
}

static struct pawl_str canary_of(const struct pawl_case *item)
{
    const json_t *canary = json_object_get(item->metadata, "canary");
    return json_is_string(canary)
               ? (struct pawl_str){json_string_value(canary), json_string_length(canary)}
               : (struct pawl_str){"", 0};
}

static enum pawl_status look(struct pawl_vault *vault, const json_t *request, bool *found,
                             struct pawl_error *err)
{
    struct pawl_artifact *candidate;
    struct pawl_vault_set set;
    *found = false;
    PAWL_TRY(pawl_artifact_from_json(&vault->arena, json_object_get(request, "candidate"),
                                     &candidate, err));
    enum pawl_status status = pawl_vault_set_load(vault, &set, err);
    for (size_t i = 0; status == PAWL_OK && i < set.cases.n; i++) {
        struct pawl_str canary = canary_of(&set.cases.items[i]);
        if (canary.len < PAWL_CANARY_BYTES_MIN || !pawl_vault_hides(vault, set.tiers[i])) continue;
        if (holds(candidate, canary)) *found = true;
    }
    pawl_vault_set_release(&set);
    return status;
}

enum pawl_status pawl_vault_canaries(struct pawl_worker *worker, const json_t *request,
                                     json_t **done, struct pawl_error *err)
{
    struct pawl_vault vault;
    bool found;
    enum pawl_status status = pawl_vault_open(worker, PAWL_VAULT_READ, &vault, err);
    if (status == PAWL_OK) status = look(&vault, request, &found, err);
    if (status == PAWL_OK) *done = json_pack("{s:b}", "found", found);
    pawl_vault_release(&vault);
    return status;
}
