/*
 * Somebody's own cases, before they are scored: they must hold no sealed case.
 *
 * The vault is asked once per file and sealed set; its answer is a record of the ledger,
 * {"file":sha256,"overlap":bool}, which answers for the same bytes from then on. `--burn` goes past a
 * refusal at the price of the sealed set: the record `burn` is written, the vault ends the epoch, and
 * only then is anything scored.
 *
 * What this stops: a score on sealed cases by accident or out of convenience, and by anything that
 * pawl starts (none of it can read the vault's folder or the store). What it does not stop: a person
 * who has the cases and changes their wording, or scores them without pawl.
 */
#include "improve/front.h"

#include "improve/protocol.h"
#include "io/file.h"

#include <stdlib.h>
#include <string.h>

/* The configured files are known by name: no question is spent on them. */
static enum pawl_status refuse_configured(struct pawl_project *project, const char *path,
                                          struct pawl_error *err)
{
    size_t i;
    json_t *item, *files = pawl_front_case_files(project);
    bool sealed = false;
    json_array_foreach(files, i, item)
    {
        char *own = realpath(json_string_value(item), NULL);
        sealed = sealed || (own != NULL && strcmp(own, path) == 0);
        free(own);
    }
    json_decref(files);
    if (!sealed) return PAWL_OK;
    pawl_fail(err, PAWL_EUSAGE, "%s holds this project's sealed cases.", path);
    pawl_hint(err, "Score a visible tier with --tier dev, or use cases that are not in it.");
    return PAWL_EUSAGE;
}

/* --- what the ledger knows -------------------------------------------------------------------------- */

struct known {
    bool asked, overlap; /* this file, of the sealed set as it is now */
    bool ended;          /* the set was to be burned: there is nothing left to protect */
};

static void note(struct known *known, const json_t *record, const char *hex)
{
    const char *kind = pawl_json_get_text(record, "kind", "");
    const json_t *body = json_object_get(record, "body");
    static const char *const changes[] = {"seal", "data", "audit", "rotate"};
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
        if (strcmp(kind, changes[i]) == 0) known->asked = false;
    if (strcmp(kind, "burn") == 0) known->ended = true;
    if (strcmp(kind, "rotate") == 0) known->ended = false;
    if (strcmp(kind, "overlap") != 0 || strcmp(pawl_json_get_text(body, "file", ""), hex) != 0)
        return;
    known->asked = true;
    known->overlap = pawl_json_get_bool(body, "overlap", true);
}

static enum pawl_status recall(struct pawl_project *project, const char *hex, struct known *known,
                               struct pawl_error *err)
{
    json_t *records, *record;
    size_t i;
    *known = (struct known){0};
    PAWL_TRY(pawl_ledger_records(project->store, &records, err));
    json_array_foreach(records, i, record) note(known, record, hex);
    json_decref(records);
    return PAWL_OK;
}

static enum pawl_status append(struct pawl_call *call, const char *kind, json_t *body,
                               struct pawl_error *err)
{
    struct pawl_ledger_entry entry = {.kind = kind, .body = body};
    enum pawl_status status = pawl_ledger_append(call->project, &entry, err);
    json_decref(body);
    return status;
}

/* --- asking and burning ----------------------------------------------------------------------------- */

static enum pawl_status ask(struct pawl_call *call, const char *path, const char *hex,
                            bool *overlap, struct pawl_error *err)
{
    json_t *done;
    PAWL_TRY(pawl_front_ask_about(call, "overlap", path, &done, err));
    *overlap = pawl_json_get_bool(done, "overlap", true);
    bool same = strcmp(pawl_json_get_text(done, "file", ""), hex) == 0;
    json_decref(done);
    if (!same) return pawl_fail(err, PAWL_EUSAGE, "%s changed while it was read.", path);
    return append(call, "overlap", json_pack("{s:s, s:b}", "file", hex, "overlap", *overlap), err);
}

/* Does nothing when the epoch has ended. */
static enum pawl_status end_epoch(struct pawl_call *call, struct pawl_error *err)
{
    json_t *done;
    PAWL_TRY(
        pawl_front_ask(call, PAWL_ROLE_VAULT_NAME, json_pack("{s:s}", "op", "burn"), &done, err));
    json_decref(done);
    return PAWL_OK;
}

static enum pawl_status burn_set(struct pawl_call *call, const char *hex, struct pawl_error *err)
{
    PAWL_TRY(append(call, "burn", json_pack("{s:s}", "file", hex), err));
    PAWL_TRY(end_epoch(call, err));
    pawl_json_set(call->result, "burned", json_true());
    return PAWL_OK;
}

static enum pawl_status admit(struct pawl_call *call, const char *path, bool burn,
                              struct pawl_error *err)
{
    struct pawl_hash hash;
    struct known known;
    char hex[PAWL_HASH_HEX];
    PAWL_TRY(refuse_configured(call->project, path, err));
    PAWL_TRY(pawl_file_hash(path, &hash, err));
    pawl_hash_hex(&hash, hex);
    PAWL_TRY(recall(call->project, hex, &known, err));
    /* The record comes first: a call that failed after it left the epoch open. */
    if (known.ended) return end_epoch(call, err);
    if (!known.asked) PAWL_TRY(ask(call, path, hex, &known.overlap, err));
    if (!known.overlap) return PAWL_OK;
    if (burn) return burn_set(call, hex, err);
    pawl_fail(err, PAWL_EUSAGE, "%s holds sealed cases of this project.", path);
    pawl_hint(err, "Which ones is not told. Use cases that are not sealed, or add --burn: that is "
                   "recorded, and the gate takes no more attempts on this sealed set.");
    return PAWL_EUSAGE;
}

enum pawl_status pawl_front_admit_cases(struct pawl_call *call, const char *path, bool burn,
                                        struct pawl_error *err)
{
    char *real = realpath(path, NULL);
    if (real == NULL)
        return pawl_fail(err, PAWL_ENOTFOUND, "The case file %s cannot be opened.", path);
    enum pawl_status status = admit(call, real, burn, err);
    free(real);
    return status;
}
