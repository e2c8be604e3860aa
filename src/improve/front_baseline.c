/*
 * The baseline: what answers when what is in force is missing or damaged.
 *
 * Whoever uses the program gets an answer as long as there is something that was trusted once and is still: the
 * newest that was in force before, is whole, and is held by no quarantine. Everything that ever was in force stays
 * in the store, and the seed was the first. What was taken out of force for harm came before what replaced it, so
 * it is not the newest. An artifact that was asked for by name has no substitute.
 */
#include "improve/front.h"

#include "improve/quarantine.h"

#include <string.h>

/* What came into force with this record; NULL: nothing did. */
static const char *put_in_force(const json_t *record)
{
    const json_t *body = json_object_get(record, "body");
    const json_t *statement = json_object_get(body, "statement");
    if (pawl_json_get_bool(body, "promoted", false))
        return pawl_json_get_text(statement, "candidate", NULL);
    if (pawl_json_get_bool(body, "rolled_back", false))
        return pawl_json_get_text(statement, "incumbent", NULL);
    return pawl_json_get_text(body, "incumbent", pawl_json_get_text(body, "seed", NULL));
}

/* NULL: it cannot be used. In the call's arena. */
static struct pawl_artifact *usable(struct pawl_call *call, const char *hex)
{
    struct pawl_artifact *artifact;
    json_t *held;
    if (pawl_quarantine_find(call->project->store, hex, &held, NULL) != PAWL_OK) return NULL;
    bool is_held = held != NULL;
    json_decref(held);
    if (is_held) return NULL;
    return pawl_artifact_get(call->project->store, &call->arena, hex, &artifact, NULL) == PAWL_OK
               ? artifact
               : NULL;
}

static enum pawl_status find_baseline(struct pawl_call *call, const char *damaged,
                                      struct pawl_artifact **artifact, struct pawl_error *err)
{
    json_t *records;
    *artifact = NULL;
    PAWL_TRY(pawl_ledger_records(call->project->store, &records, err));
    for (size_t i = json_array_size(records); i > 0 && *artifact == NULL; i--) {
        const char *hex = put_in_force(json_array_get(records, i - 1));
        if (hex != NULL && strcmp(hex, damaged) != 0) *artifact = usable(call, hex);
    }
    json_decref(records);
    return PAWL_OK;
}

static void tell(struct pawl_call *call, const char *damaged, const char *why, const char *instead)
{
    const char *say = pawl_arena_printf(
        &call->arena,
        "! %.12s, which is in force, cannot be used (%s) %.12s answers instead. Then: "
        "pawl rollback --to %.12s --reason TEXT",
        damaged, why, instead, instead);
    json_t *message = json_pack("{s:s, s:s}", "phase", "fallback", "say", say);
    pawl_front_progress(call, message);
    json_decref(message);
    pawl_json_set(call->result, "fallback",
                  json_pack("{s:s, s:s}", "in_force", damaged, "reason", why));
}

enum pawl_status pawl_front_load_in_force(struct pawl_call *call, const char *id,
                                          char hex[PAWL_HASH_HEX], struct pawl_artifact **artifact,
                                          struct pawl_error *err)
{
    struct pawl_error why = {0};
    PAWL_TRY(pawl_front_find(call->project, id, hex, err));
    enum pawl_status status =
        pawl_artifact_get(call->project->store, &call->arena, hex, artifact, &why);
    if (status == PAWL_OK) return PAWL_OK;
    bool damaged = status == PAWL_EINTEGRITY || status == PAWL_ENOTFOUND;
    *artifact = NULL;
    if (damaged && strcmp(id, "incumbent") == 0) PAWL_TRY(find_baseline(call, hex, artifact, err));
    if (*artifact == NULL) {
        *err = why;
        return status;
    }
    tell(call, hex, why.message, (*artifact)->hex);
    snprintf(hex, PAWL_HASH_HEX, "%s", (*artifact)->hex);
    return PAWL_OK;
}
