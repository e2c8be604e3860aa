/*
 * rotate: a fresh sealed set; the retired one goes to dev and its evidence opens.
 *
 * The vault makes the change, whole or not at all, and signs what it did. Ledger, store and last `meta
 * seal` follow it. A call that was killed on the way leaves them behind, and whoever comes next (rotate,
 * data add, an attempt) takes them along first: the record always stands before what rests on it.
 */
#include "improve/front.h"

#include "improve/protocol.h"
#include "improve/statement.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- following the vault ---------------------------------------------------------------------------- */

static enum pawl_status seal_epoch(struct pawl_project *project, int64_t *epoch,
                                   struct pawl_error *err)
{
    json_t *seal;
    PAWL_TRY(pawl_front_seal(project, &seal, err));
    *epoch = pawl_json_get_int(seal, "epoch", 1);
    json_decref(seal);
    return PAWL_OK;
}

/* {"epoch"}, the vault's, and what began the given one. */
static enum pawl_status ask_rotation(struct pawl_call *call, int64_t epoch, json_t **done,
                                     struct pawl_error *err)
{
    struct pawl_ledger_epoch known;
    PAWL_TRY(pawl_ledger_epoch(call->project->store, &known, err));
    return pawl_front_ask(call, PAWL_ROLE_VAULT_NAME,
                          json_pack("{s:s, s:I, s:I}", "op", "rotation", "epoch", (json_int_t)epoch,
                                    "known", (json_int_t)known.number),
                          done, err);
}

static enum pawl_status record(struct pawl_project *project, const json_t *done,
                               struct pawl_error *err)
{
    PAWL_TRY(pawl_front_check_signed(project, done, "rotation", err));
    json_t *body = json_pack("{s:O, s:O}", "statement", json_object_get(done, "statement"),
                             "signature", json_object_get(done, "signature"));
    struct pawl_ledger_entry entry = {.kind = "rotate", .body = body};
    enum pawl_status status = pawl_ledger_append(project, &entry, err);
    json_decref(body);
    return status;
}

/* Rotations that the ledger has not, oldest first. */
static enum pawl_status record_missing(struct pawl_call *call, int64_t epoch,
                                       struct pawl_error *err)
{
    struct pawl_ledger_epoch known;
    PAWL_TRY(pawl_ledger_epoch(call->project->store, &known, err));
    for (int64_t e = known.number + 1; e <= epoch; e++) {
        json_t *done;
        PAWL_TRY(ask_rotation(call, e, &done, err));
        enum pawl_status status = record(call->project, done, err);
        json_decref(done);
        PAWL_TRY(status);
    }
    return PAWL_OK;
}

static enum pawl_status note_seal(struct pawl_project *project, const json_t *visible,
                                  int64_t epoch, struct pawl_error *err)
{
    static const char *const kept[] = {"tiers", "clusters", "commitment", "largest_cluster"};
    json_t *seal;
    PAWL_TRY(pawl_front_seal(project, &seal, err));
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        pawl_json_set(seal, kept[i], json_incref(json_object_get(visible, kept[i])));
    pawl_json_set(seal, "epoch", json_integer(epoch));
    enum pawl_status status = pawl_store_meta_put(project->store, "seal", seal, err);
    json_decref(seal);
    return status;
}

static enum pawl_status ask_visible(struct pawl_call *call, json_t **visible,
                                    struct pawl_error *err)
{
    return pawl_front_ask(call, PAWL_ROLE_VAULT_NAME, json_pack("{s:s}", "op", "visible"), visible,
                          err);
}

static enum pawl_status follow(struct pawl_call *call, int64_t epoch, struct pawl_error *err)
{
    json_t *visible;
    PAWL_TRY(record_missing(call, epoch, err));
    PAWL_TRY(ask_visible(call, &visible, err));
    enum pawl_status status = pawl_front_store_cases(call->project, visible, err);
    if (status == PAWL_OK) status = note_seal(call->project, visible, epoch, err);
    json_decref(visible);
    return status;
}

enum pawl_status pawl_front_catch_up(struct pawl_call *call, bool *found, struct pawl_error *err)
{
    json_t *done;
    int64_t epoch;
    PAWL_TRY(seal_epoch(call->project, &epoch, err));
    PAWL_TRY(ask_rotation(call, 0, &done, err));
    int64_t now = pawl_json_get_int(done, "epoch", 1);
    json_decref(done);
    *found = now > epoch;
    return *found ? follow(call, now, err) : PAWL_OK;
}

enum pawl_status pawl_front_catch_up_locked(struct pawl_call *call, struct pawl_error *err)
{
    json_t *done;
    int64_t epoch;
    int lock;
    bool found;
    PAWL_TRY(seal_epoch(call->project, &epoch, err));
    PAWL_TRY(ask_rotation(call, 0, &done, err));
    bool behind = pawl_json_get_int(done, "epoch", 1) > epoch;
    json_decref(done);
    if (!behind) return PAWL_OK;
    PAWL_TRY(pawl_front_lock(call, call->project->dir, PAWL_FRONT_MAKERS, -1, &lock, err));
    enum pawl_status status = pawl_front_catch_up(call, &found, err);
    close(lock);
    return status;
}

/* --- the verb --------------------------------------------------------------------------------------- */

struct rotate_options {
    const char *reason, *data;
};
static const struct pawl_option rotate_options[] = {
    {"reason", PAWL_OPTION_TEXT, offsetof(struct rotate_options, reason), NULL, 0, 0, NULL,
     "why; it is recorded", true},
    PAWL_OPT_TEXT(struct rotate_options, data, NULL,
                  "a file of new cases, which become the gate (default: the vault tier does)"),
    {0}};

/* Cases that a killed `data add` left out of the ledger come first. */
static enum pawl_status follow_data(struct pawl_call *call, struct pawl_error *err)
{
    json_t *visible;
    PAWL_TRY(ask_visible(call, &visible, err));
    enum pawl_status status = pawl_front_follow_data(call, visible, err);
    json_decref(visible);
    return status;
}

static enum pawl_status ask_vault(struct pawl_call *call, const char *path, const char *reason,
                                  struct pawl_error *err)
{
    json_t *done;
    json_t *request = json_pack("{s:s, s:s}", "op", "rotate", "reason", reason);
    if (path != NULL) pawl_json_set(request, "file", json_string(path));
    PAWL_TRY(pawl_front_ask_reading(call, path, request, &done, err));
    static const char *const shown[] = {"added", "refused"};
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
        pawl_json_set(call->result, shown[i], json_incref(json_object_get(done, shown[i])));
    int64_t epoch = pawl_json_get_int(json_object_get(done, "statement"), "epoch", 0);
    json_decref(done);
    return follow(call, epoch, err);
}

/* A rotation that was cut short is completed, and is what this call did. */
static enum pawl_status rotate_locked(struct pawl_call *call, const char *path, const char *reason,
                                      struct pawl_error *err)
{
    bool found;
    PAWL_TRY(pawl_front_catch_up(call, &found, err));
    pawl_json_set(call->result, "completed", json_boolean(found));
    if (!found) {
        PAWL_TRY(follow_data(call, err));
        PAWL_TRY(ask_vault(call, path, reason, err));
    }
    return path != NULL ? pawl_front_note_case_file(call, path, err) : PAWL_OK;
}

static enum pawl_status fill_result(struct pawl_call *call, struct pawl_error *err)
{
    json_t *done, *vault;
    struct pawl_prospect prospect;
    PAWL_TRY(ask_rotation(call, 0, &done, err));
    int64_t epoch = pawl_json_get_int(done, "epoch", 1);
    json_decref(done);
    PAWL_TRY(ask_rotation(call, epoch, &done, err));
    const json_t *statement = json_object_get(done, "statement");
    const json_t *tiers = json_object_get(statement, "tiers");
    json_t *result = call->result;
    pawl_json_set(result, "epoch", json_integer(epoch));
    pawl_json_set(result, "retired", json_incref(json_object_get(statement, "retired")));
    pawl_json_set(result, "gate", json_incref(json_object_get(tiers, "gate")));
    pawl_json_set(result, "dev", json_incref(json_object_get(tiers, "dev")));
    pawl_json_set(result, "commitment", json_incref(json_object_get(statement, "commitment")));
    json_decref(done);
    PAWL_TRY(pawl_front_freeze_guards(call, err));
    PAWL_TRY(pawl_front_vault_status(call, &vault, err));
    enum pawl_status status = pawl_front_prospect(call, vault, 0.2, &prospect, err);
    if (status == PAWL_OK) pawl_front_certifiable(call, &prospect);
    json_decref(vault);
    return status;
}

static enum pawl_status run_rotate(struct pawl_call *call, const void *values,
                                   struct pawl_error *err)
{
    const struct rotate_options *options = values;
    char *path = NULL;
    int lock;
    if (options->data != NULL) PAWL_TRY(pawl_front_case_path(options->data, &path, err));
    enum pawl_status status =
        pawl_front_lock(call, call->project->dir, PAWL_FRONT_MAKERS, -1, &lock, err);
    if (status == PAWL_OK) {
        status = rotate_locked(call, path, options->reason, err);
        close(lock);
    }
    free(path);
    return status == PAWL_OK ? fill_result(call, err) : status;
}

const struct pawl_verb pawl_verb_rotate = {
    .name = "rotate",
    .summary = "seal fresh cases for the gate; the worn set opens and goes to dev",
    .positional = "",
    .example = "pawl rotate --data fresh-cases.jsonl --reason 'the set is worn'",
    .needs_project = true,
    .needs_store = true,
    .options = rotate_options,
    .options_bytes = sizeof(struct rotate_options),
    .run = run_rotate,
};
