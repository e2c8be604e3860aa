/*
 * confirm: what the gate promoted, asked once more of the vault tier's fresh cases.
 *
 *     stable         the gain is there on cases that chose nothing
 *     unconfirmed    nothing speaks against it, and too little for it: it stays in force
 *     harm           it is worse: what it replaced is in force again, in the same record
 *
 * A record `confirm` is {"statement","signature","rolled_back"}, the statement signed by the vault (vault.h). No
 * operator hears of it: it is asked when a run has ended, and is no step of any.
 *
 * Invariants
 *   1. Whether it rolls back is decided inside the transaction that records it: it does exactly when the
 *      answer is harm and the candidate is in force.
 *   2. Both artifacts are whole before anything is asked, so there is always something to go back to.
 *   3. Each confirmation is recorded once, however often it is asked for.
 */
#include "improve/front_confirm.h"

#include "improve/protocol.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

/* --- what the ledger knows --------------------------------------------------------------------------- */

struct known {
    int64_t attempt; /* the promotion's */
    int64_t newest;  /* confirmation that is recorded */
    json_t *body;    /* of the newest about this attempt */
};

static enum pawl_status take_record(void *context, int64_t seq, const char *kind,
                                    struct pawl_str text, const char *hash, struct pawl_error *err)
{
    struct known *known = context;
    json_t *record;
    (void)seq, (void)hash;
    if (strcmp(kind, "confirm") != 0) return PAWL_OK;
    PAWL_TRY(pawl_json_parse(text, text.len, &record, err));
    json_t *body = json_object_get(record, "body");
    const json_t *statement = json_object_get(body, "statement");
    int64_t number = pawl_json_get_int(statement, "confirmation", 0);
    if (number > known->newest) known->newest = number;
    if (pawl_json_get_int(statement, "attempt", 0) == known->attempt) {
        json_decref(known->body);
        known->body = json_incref(body);
    }
    json_decref(record);
    return PAWL_OK;
}

static enum pawl_status look_up(struct pawl_project *project, int64_t attempt, struct known *known,
                                struct pawl_error *err)
{
    *known = (struct known){.attempt = attempt};
    enum pawl_status status = pawl_store_ledger_each(project->store, take_record, known, err);
    if (status != PAWL_OK) {
        json_decref(known->body);
        known->body = NULL;
    }
    return status;
}

enum pawl_status pawl_front_confirmation_of(struct pawl_project *project, int64_t attempt,
                                            json_t **body, struct pawl_error *err)
{
    struct known known;
    PAWL_TRY(look_up(project, attempt, &known, err));
    *body = known.body;
    return PAWL_OK;
}

static bool is_promotion(void *context, const json_t *body)
{
    const json_t *statement = json_object_get(body, "statement");
    return strcmp(pawl_json_get_text(statement, "candidate", ""), context) == 0 &&
           strcmp(pawl_json_get_text(statement, "verdict", ""), "promote") == 0;
}

static enum pawl_status find_promotion(struct pawl_project *project, char *hex, json_t **statement,
                                       struct pawl_error *err)
{
    json_t *body;
    PAWL_TRY(pawl_ledger_find_verdict(project->store, is_promotion, hex, &body, err));
    if (body == NULL) {
        pawl_fail(err, PAWL_EUSAGE, "The gate has not promoted the artifact %.12s.", hex);
        pawl_hint(err,
                  "What a person put in force was certified by nobody; `pawl gate %.12s` asks.",
                  hex);
        return PAWL_EUSAGE;
    }
    *statement = json_incref(json_object_get(body, "statement"));
    json_decref(body);
    return PAWL_OK;
}

/* --- asking ---------------------------------------------------------------------------------------------- */

/* Wall time of an evaluation, as it was measured on visible cases. */
static enum pawl_status pace_of(struct pawl_project *project, int64_t *pace_us,
                                struct pawl_error *err)
{
    enum { UNKNOWN_US = 1000, MAX_US = 600 * 1000 * 1000 };
    json_t *pace;
    PAWL_TRY(pawl_store_meta_get(project->store, "pace", &pace, err));
    double us = pawl_json_get_real(pace, "us_per_evaluation", NAN);
    json_decref(pace);
    *pace_us = us >= 0 && us <= MAX_US ? (int64_t)ceil(us) : UNKNOWN_US;
    return PAWL_OK;
}

static enum pawl_status request_of(struct pawl_call *call, const json_t *promotion,
                                   int64_t recorded, json_t **request, struct pawl_error *err)
{
    static const char *const both[] = {"candidate", "incumbent"};
    int64_t pace_us;
    PAWL_TRY(pace_of(call->project, &pace_us, err));
    json_t *out = json_pack("{s:s, s:O, s:I, s:I}", "op", "confirm", "attempt",
                            json_object_get(promotion, "attempt"), "pace_us", (json_int_t)pace_us,
                            "recorded", (json_int_t)recorded);
    for (size_t i = 0; i < 2; i++) {
        struct pawl_artifact *whole;
        enum pawl_status status =
            pawl_artifact_get(call->project->store, &call->arena,
                              pawl_json_get_text(promotion, both[i], ""), &whole, err);
        if (status != PAWL_OK) {
            json_decref(out);
            return status;
        }
        pawl_json_set(out, both[i], pawl_artifact_json(whole));
    }
    *request = out;
    return PAWL_OK;
}

/* Takes the request. The answer is about this promotion, signed by this project's vault. */
static enum pawl_status ask_vault(struct pawl_call *call, const json_t *promotion, json_t *request,
                                  json_t **done, struct pawl_error *err)
{
    struct pawl_front_sealed side;
    enum pawl_status status = pawl_front_start_sealed(call->project, &side, err);
    if (status != PAWL_OK) {
        json_decref(request);
        return status;
    }
    json_t *begins = json_pack("{s:s, s:s}", "phase", "confirm", "say",
                               "Asking the vault tier's fresh cases ...");
    pawl_front_progress(call, begins);
    json_decref(begins);
    status = pawl_front_request(call, &side.vault, request, NULL, NULL, done, err);
    pawl_front_end_sealed(&side);
    PAWL_TRY(status);
    const json_t *statement = json_object_get(*done, "statement");
    status = pawl_front_check_signed(call->project, *done, "confirmation", err);
    if (status == PAWL_OK &&
        !json_equal(json_object_get(statement, "attempt"), json_object_get(promotion, "attempt")))
        status = pawl_fail(err, PAWL_EINTEGRITY, "The confirmation answers another question.");
    if (status != PAWL_OK) json_decref(*done);
    return status;
}

/* --- recording ------------------------------------------------------------------------------------------- */

struct recording {
    struct pawl_project *project;
    const json_t *done;
    json_t *body;
    char from[PAWL_HASH_HEX], to[PAWL_HASH_HEX];
};

static enum pawl_status decide(void *context, int64_t now_ms, struct pawl_ledger_entry *entry,
                               struct pawl_error *err)
{
    struct recording *r = context;
    const json_t *statement = json_object_get(r->done, "statement");
    char incumbent[PAWL_HASH_HEX];
    (void)now_ms;
    PAWL_TRY(pawl_front_pointer(r->project, "incumbent", incumbent, err));
    snprintf(r->from, sizeof r->from, "%s", pawl_json_get_text(statement, "candidate", ""));
    snprintf(r->to, sizeof r->to, "%s", pawl_json_get_text(statement, "incumbent", ""));
    bool harm = strcmp(pawl_json_get_text(statement, "answer", ""), "harm") == 0;
    bool rolls = harm && strcmp(incumbent, r->from) == 0;
    r->body = json_pack("{s:O, s:O, s:b}", "statement", statement, "signature",
                        json_object_get(r->done, "signature"), "rolled_back", rolls);
    *entry = (struct pawl_ledger_entry){.kind = "confirm", .body = r->body};
    if (rolls) {
        entry->flips[0].pointer = "incumbent";
        entry->flips[0].expect = r->from;
        entry->flips[0].to = r->to;
        entry->n_flips = 1;
    }
    return PAWL_OK;
}

/* --- the whole --------------------------------------------------------------------------------------------- */

/* Only what is in force is worth the cases that a confirmation uses up. */
static enum pawl_status check_in_force(struct pawl_call *call, const char *hex,
                                       struct pawl_error *err)
{
    char incumbent[PAWL_HASH_HEX];
    json_t *providers;
    PAWL_TRY(pawl_front_pointer(call->project, "incumbent", incumbent, err));
    if (strcmp(incumbent, hex) != 0) {
        pawl_fail(err, PAWL_EUSAGE, "%.12s is not in force, so there is nothing to confirm.", hex);
        pawl_hint(err, "A confirmation uses up fresh cases; it is asked about what is in force.");
        return PAWL_EUSAGE;
    }
    PAWL_TRY(pawl_front_check_providers(call, &providers, err));
    json_decref(providers);
    return PAWL_OK;
}

static enum pawl_status confirm_now(struct pawl_call *call, const char *hex,
                                    const json_t *promotion, json_t **body, struct pawl_error *err)
{
    struct known known;
    json_t *request, *done;
    PAWL_TRY(pawl_front_catch_up_locked(call, err));
    PAWL_TRY(look_up(call->project, pawl_json_get_int(promotion, "attempt", 0), &known, err));
    if (known.body != NULL) {
        *body = known.body;
        return PAWL_OK;
    }
    PAWL_TRY(check_in_force(call, hex, err));
    PAWL_TRY(request_of(call, promotion, known.newest, &request, err));
    PAWL_TRY(ask_vault(call, promotion, request, &done, err));
    struct recording recording = {.project = call->project, .done = done};
    enum pawl_status status = pawl_ledger_append_decided(call->project, decide, &recording, err);
    json_decref(done);
    if (status == PAWL_OK) *body = json_incref(recording.body);
    json_decref(recording.body);
    return status;
}

enum pawl_status pawl_front_confirm(struct pawl_call *call, const char *hex, int64_t wait_ms,
                                    json_t **body, struct pawl_error *err)
{
    json_t *promotion;
    int lock;
    char candidate[PAWL_HASH_HEX];
    snprintf(candidate, sizeof candidate, "%s", hex);
    PAWL_TRY(find_promotion(call->project, candidate, &promotion, err));
    enum pawl_status status =
        pawl_front_lock(call, pawl_front_sealed_dir(call->project, &call->arena), PAWL_FRONT_ASKERS,
                        wait_ms, &lock, err);
    if (status == PAWL_OK) {
        status = confirm_now(call, candidate, promotion, body, err);
        close(lock);
    }
    json_decref(promotion);
    return status;
}

json_t *pawl_front_confirmation_json(const json_t *body)
{
    static const char *const shown[] = {"confirmation", "attempt", "candidate", "incumbent",
                                        "answer",       "level",   "clusters",  "n_planned"};
    const json_t *statement = json_object_get(body, "statement");
    json_t *out = json_object();
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
        pawl_json_set(out, shown[i], json_incref(json_object_get(statement, shown[i])));
    pawl_json_set(out, "rolled_back", json_incref(json_object_get(body, "rolled_back")));
    return out;
}

/* --- the verb ------------------------------------------------------------------------------------------------ */

struct confirm_options {
    const char *id;
    int64_t wait; /* minutes */
};
static const struct pawl_option confirm_options[] = {
    PAWL_OPT_TEXT(struct confirm_options, id, "incumbent", "what the gate promoted"),
    PAWL_FRONT_WAIT_OPTION(struct confirm_options),
    {0}};

static enum pawl_status run_confirm(struct pawl_call *call, const void *values,
                                    struct pawl_error *err)
{
    const struct confirm_options *options = values;
    char hex[PAWL_HASH_HEX], incumbent[PAWL_HASH_HEX];
    json_t *body;
    PAWL_TRY(pawl_front_find(call->project, options->id, hex, err));
    PAWL_TRY(pawl_front_confirm(call, hex, options->wait * 60000, &body, err));
    json_t *said = pawl_front_confirmation_json(body);
    bool harm = strcmp(pawl_json_get_text(said, "answer", ""), "harm") == 0;
    json_decref(body);
    pawl_json_set(call->result, "artifact", json_string(hex));
    pawl_json_set(said, "baseline", json_incref(json_object_get(said, "incumbent")));
    json_object_update(call->result, said);
    json_decref(said);
    PAWL_TRY(pawl_front_pointer(call->project, "incumbent", incumbent, err));
    pawl_json_set(call->result, "incumbent", json_string(incumbent));
    return harm ? PAWL_ENOTPROMOTED : PAWL_OK;
}

const struct pawl_verb pawl_verb_confirm = {
    .name = "confirm",
    .summary = "test what was promoted on fresh cases; what does harm is rolled back",
    .positional = "id",
    .example = "pawl confirm",
    .needs_project = true,
    .needs_store = true,
    .options = confirm_options,
    .options_bytes = sizeof(struct confirm_options),
    .run = run_confirm,
};
