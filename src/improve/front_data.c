/* data add: new cases for a sealed project. */
#include "improve/front.h"

#include "improve/protocol.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct data_options {
    const char *action, *file;
};
static const struct pawl_option data_options[] = {
    {"action", PAWL_OPTION_CHOICE, offsetof(struct data_options, action), NULL, 0, 0, "add",
     "what to do", true},
    {"file", PAWL_OPTION_TEXT, offsetof(struct data_options, file), NULL, 0, 0, NULL,
     "a file of new cases", true},
    {0}};

/* The tiers as the ledger has them: its newest record that tells sizes. New reference. */
static enum pawl_status recorded_tiers(struct pawl_project *project, json_t **tiers,
                                       struct pawl_error *err)
{
    json_t *records, *record;
    size_t i;
    *tiers = json_object();
    PAWL_TRY(pawl_ledger_records(project->store, &records, err));
    json_array_foreach(records, i, record)
    {
        const char *kind = pawl_json_get_text(record, "kind", "");
        const json_t *says = json_object_get(record, "body");
        if (strcmp(kind, "rotate") == 0)
            says = json_object_get(says, "statement");
        else if (strcmp(kind, "seal") != 0 && strcmp(kind, "data") != 0)
            continue;
        json_decref(*tiers);
        *tiers = json_incref(json_object_get(says, "tiers"));
    }
    json_decref(records);
    return PAWL_OK;
}

/* What the ledger does not know yet; nothing when a killed call came as far as this. */
static enum pawl_status record_added(struct pawl_project *project, const json_t *done,
                                     struct pawl_error *err)
{
    json_t *recorded, *tiers = json_object_get(done, "tiers");
    PAWL_TRY(recorded_tiers(project, &recorded, err));
    int64_t added = pawl_front_total(tiers) - pawl_front_total(recorded);
    json_decref(recorded);
    if (added == 0) return PAWL_OK;
    json_t *body = json_pack("{s:I, s:O, s:O}", "added", (json_int_t)added, "tiers", tiers,
                             "commitment", json_object_get(done, "commitment"));
    struct pawl_ledger_entry entry = {.kind = "data", .body = body};
    enum pawl_status status = pawl_ledger_append(project, &entry, err);
    json_decref(body);
    return status;
}

static enum pawl_status store_all_cases(struct pawl_call *call, struct pawl_error *err)
{
    json_t *sealed;
    PAWL_TRY(
        pawl_front_ask(call, PAWL_ROLE_VAULT_NAME, json_pack("{s:s}", "op", "seal"), &sealed, err));
    enum pawl_status status = pawl_front_store_cases(call->project, sealed, err);
    json_decref(sealed);
    return status;
}

/*
 * The vault has placed the cases; now the store, the ledger and last `meta seal` follow it. A call
 * that was killed on the way left the later ones behind: then more is missing than was added now,
 * and everything is taken from the vault again.
 */
enum pawl_status pawl_front_follow_data(struct pawl_call *call, const json_t *done,
                                        struct pawl_error *err)
{
    struct pawl_project *project = call->project;
    json_t *seal;
    PAWL_TRY(pawl_front_seal(project, &seal, err));
    int64_t behind = pawl_front_total(json_object_get(done, "tiers")) -
                     pawl_front_total(json_object_get(seal, "tiers"));
    enum pawl_status status = behind == pawl_json_get_int(done, "added", 0)
                                  ? pawl_front_store_cases(project, done, err)
                                  : store_all_cases(call, err);
    if (status == PAWL_OK) status = record_added(project, done, err);
    json_t *traps = json_object_get(done, "traps");
    if (traps != NULL) pawl_json_set(seal, "traps", json_incref(traps));
    if (status == PAWL_OK && (behind > 0 || traps != NULL)) {
        pawl_json_set(seal, "tiers", json_incref(json_object_get(done, "tiers")));
        pawl_json_set(seal, "commitment", json_incref(json_object_get(done, "commitment")));
        status = pawl_store_meta_put(project->store, "seal", seal, err);
    }
    json_decref(seal);
    return status;
}

static enum pawl_status add_file(struct pawl_call *call, const char *path, struct pawl_error *err)
{
    json_t *done;
    bool found;
    PAWL_TRY(pawl_front_catch_up(call, &found, err));
    PAWL_TRY(pawl_front_ask_about(call, "add", path, &done, err));
    enum pawl_status status = pawl_front_follow_data(call, done, err);
    if (status == PAWL_OK) status = pawl_front_note_case_file(call, path, err);
    static const char *const shown[] = {"added", "refused", "tiers"};
    for (size_t i = 0; i < 3; i++)
        pawl_json_set(call->result, shown[i], json_incref(json_object_get(done, shown[i])));
    json_t *traps = json_object_get(done, "traps");
    pawl_json_set(call->result, "traps", traps != NULL ? json_incref(traps) : json_null());
    json_decref(done);
    return status;
}

/* What the vault is told is JSON, so a name must be Unicode; links may lead to one that is not. */
static enum pawl_status check_name(const char *path, struct pawl_error *err)
{
    if (pawl_utf8_is_valid(pawl_str_of(path), NULL)) return PAWL_OK;
    pawl_fail(err, PAWL_EUSAGE, "The name of the file %s is not UTF-8.", path);
    pawl_hint(err, "Rename it, or copy it to another folder.");
    return PAWL_EUSAGE;
}

/* A path on the command line starts where the user is, one in pawl.yaml at the project. */
enum pawl_status pawl_front_case_path(const char *file, char **path, struct pawl_error *err)
{
    *path = realpath(file, NULL);
    if (*path == NULL) {
        pawl_fail(err, PAWL_EUSAGE, "The file \"%s\" is not there.", file);
        pawl_hint(err, "Paths of a command start at the folder where it is called.");
        return PAWL_EUSAGE;
    }
    enum pawl_status status = check_name(*path, err);
    if (status != PAWL_OK) free(*path);
    return status;
}

static enum pawl_status run_data(struct pawl_call *call, const void *values, struct pawl_error *err)
{
    const struct data_options *options = values;
    char *path;
    int lock;
    PAWL_TRY(pawl_front_case_path(options->file, &path, err));
    enum pawl_status status =
        pawl_front_lock(call, call->project->dir, PAWL_FRONT_MAKERS, -1, &lock, err);
    if (status == PAWL_OK) {
        status = add_file(call, path, err);
        close(lock);
    }
    free(path);
    return status;
}

const struct pawl_verb pawl_verb_data = {
    .name = "data",
    .summary = "add: append new cases to a sealed project; no case ever moves",
    .positional = "action file",
    .example = "pawl data add new-cases.jsonl",
    .needs_project = true,
    .needs_store = true,
    .options = data_options,
    .options_bytes = sizeof(struct data_options),
    .run = run_data,
};
