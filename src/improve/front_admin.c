/* What a person decides: promote, rollback; and what anybody may check: ledger, certificate. */
#include "improve/front.h"
#include "improve/front_confirm.h"

#include "improve/protocol.h"
#include "improve/quarantine.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- promote and rollback ---------------------------------------------------------------------- */

struct move {
    struct pawl_project *project;
    const struct pawl_ledger_entry *entry;
    const char *to;
};

/* In the transaction: a quarantine that came since it was asked for holds it back. */
static enum pawl_status decide_move(void *context, int64_t now_ms, struct pawl_ledger_entry *entry,
                                    struct pawl_error *err)
{
    const struct move *move = context;
    (void)now_ms;
    *entry = *move->entry;
    return pawl_quarantine_admit(move->project->store, move->to, err);
}

/* Move the incumbent by a person's word; the record says so. */
static enum pawl_status move_now(struct pawl_call *call, const char *kind, const char *to,
                                 const char *reason, struct pawl_error *err)
{
    char previous[PAWL_HASH_HEX];
    struct pawl_artifact *artifact; /* it must be whole before it is put in force */
    PAWL_TRY(pawl_front_pointer(call->project, "incumbent", previous, err));
    PAWL_TRY(pawl_artifact_get(call->project->store, &call->arena, to, &artifact, err));
    if (strcmp(previous, to) == 0)
        return pawl_fail(err, PAWL_EUSAGE, "This artifact is the incumbent already.");
    PAWL_TRY(pawl_approval_admit_by_hand(call, previous, to, err));
    json_t *body = json_pack("{s:s, s:s, s:s, s:b}", "incumbent", to, "previous", previous,
                             "reason", reason, "gated", 0);
    struct pawl_ledger_entry entry = {.kind = kind, .body = body, .n_flips = 1};
    entry.flips[0].pointer = "incumbent";
    entry.flips[0].expect = previous;
    entry.flips[0].to = to;
    struct move move = {.project = call->project, .entry = &entry, .to = to};
    enum pawl_status status = pawl_ledger_append_decided(call->project, decide_move, &move, err);
    json_decref(body);
    pawl_json_set(call->result, "incumbent", json_string(to));
    pawl_json_set(call->result, "previous", json_string(previous));
    return status;
}

/* A move during an attempt would waste it: its question is about what was in force. A rollback is not
 * made to wait, whatever it costs: what is in force does harm. */
static enum pawl_status move_incumbent(struct pawl_call *call, const char *kind, const char *to,
                                       const char *reason, int64_t wait_ms, struct pawl_error *err)
{
    int lock;
    const char *sealed = pawl_front_sealed_dir(call->project, &call->arena);
    PAWL_TRY(pawl_front_lock(call, sealed, PAWL_FRONT_ASKERS, wait_ms, &lock, err));
    enum pawl_status status = move_now(call, kind, to, reason, err);
    close(lock);
    return status;
}

struct promote_options {
    const char *id, *reason, *to;
    int64_t wait; /* minutes */
};
static const struct pawl_option promote_options[] = {
    {"id", PAWL_OPTION_TEXT, offsetof(struct promote_options, id), NULL, 0, 0, NULL,
     "what to put in force: an id, anchor, seed or RUN/best", true},
    {"reason", PAWL_OPTION_TEXT, offsetof(struct promote_options, reason), NULL, 0, 0, NULL,
     "why; it is recorded", true},
    PAWL_OPT_CHOICE(struct promote_options, to, "force", "force|shadow|canary|stable",
                    "force: put it in force; else say how far your own rollout of what is in force "
                    "has come"),
    PAWL_FRONT_WAIT_OPTION(struct promote_options),
    {0}};

static enum pawl_status run_promote(struct pawl_call *call, const void *values,
                                    struct pawl_error *err)
{
    const struct promote_options *options = values;
    char hex[PAWL_HASH_HEX];
    PAWL_TRY(pawl_front_find(call->project, options->id, hex, err));
    if (strcmp(options->to, "force") != 0)
        return pawl_front_deploy(call, hex, options->to, options->reason, err);
    PAWL_TRY(move_incumbent(call, "promotion", hex, options->reason, options->wait * 60000, err));
    pawl_json_set(call->result, "gated", json_false());
    return PAWL_OK;
}

const struct pawl_verb pawl_verb_promote = {
    .name = "promote",
    .summary = "put an artifact in force without the gate; recorded as ungated",
    .positional = "id",
    .example = "pawl promote last/best --reason 'hotfix reviewed by two people'",
    .needs_project = true,
    .needs_store = true,
    .options = promote_options,
    .options_bytes = sizeof(struct promote_options),
    .run = run_promote,
};

struct rollback_options {
    const char *to, *reason;
};
static const struct pawl_option rollback_options[] = {
    PAWL_OPT_TEXT(struct rollback_options, to, NULL, "an id (default: the incumbent before this)"),
    {"reason", PAWL_OPTION_TEXT, offsetof(struct rollback_options, reason), NULL, 0, 0, NULL,
     "why; it is recorded", true},
    {0}};

/* The incumbent that the newest change replaced. */
static enum pawl_status previous_incumbent(struct pawl_project *project, char hex[PAWL_HASH_HEX],
                                           struct pawl_error *err)
{
    json_t *records, *record;
    size_t i;
    hex[0] = '\0';
    PAWL_TRY(pawl_ledger_records(project->store, &records, err));
    json_array_foreach(records, i, record)
    {
        const json_t *body = json_object_get(record, "body");
        const json_t *statement = json_object_get(body, "statement");
        const char *previous = pawl_json_get_text(body, "previous", NULL);
        if (pawl_json_get_bool(body, "promoted", false))
            previous = pawl_json_get_text(statement, "incumbent", NULL);
        if (previous != NULL) snprintf(hex, PAWL_HASH_HEX, "%s", previous);
    }
    json_decref(records);
    if (hex[0] != '\0') return PAWL_OK;
    pawl_fail(err, PAWL_EUSAGE, "Nothing was promoted yet, so there is nothing to roll back.");
    pawl_hint(err, "`pawl status` shows what is in force.");
    return PAWL_EUSAGE;
}

static enum pawl_status run_rollback(struct pawl_call *call, const void *values,
                                     struct pawl_error *err)
{
    const struct rollback_options *options = values;
    char hex[PAWL_HASH_HEX];
    if (options->to != NULL)
        PAWL_TRY(pawl_front_find(call->project, options->to, hex, err));
    else
        PAWL_TRY(previous_incumbent(call->project, hex, err));
    return move_now(call, "rollback", hex, options->reason, err);
}

const struct pawl_verb pawl_verb_rollback = {
    .name = "rollback",
    .summary = "put an earlier artifact in force again; no attempt is given back",
    .positional = "",
    .example = "pawl rollback --reason 'complaints since noon'",
    .needs_project = true,
    .needs_store = true,
    .options = rollback_options,
    .options_bytes = sizeof(struct rollback_options),
    .run = run_rollback,
};

/* --- ledger --------------------------------------------------------------------------------------- */

struct ledger_options {
    const char *action, *file;
};
static const struct pawl_option ledger_options[] = {
    {"action", PAWL_OPTION_CHOICE, offsetof(struct ledger_options, action), "verify", 0, 0,
     "verify|export|prove|consistency|checkpoint", "what to do", false},
    PAWL_OPT_TEXT(
        struct ledger_options, file, NULL,
        "where export or checkpoint writes; prove: the number of a record; consistency: how many "
        "records an earlier checkpoint had"),
    {0}};

static enum pawl_status run_ledger(struct pawl_call *call, const void *values,
                                   struct pawl_error *err)
{
    const struct ledger_options *options = values;
    struct pawl_ledger_report report;
    const char *action = options->action;
    if (strcmp(action, "export") == 0)
        PAWL_TRY(pawl_ledger_export(call->project, options->file, err));
    PAWL_TRY(pawl_ledger_verify(call->project->store, &report, err));
    bool ok = report.first_bad < 0;
    pawl_json_set(call->result, "ok", json_boolean(ok));
    pawl_json_set(call->result, "records", json_integer(report.records));
    pawl_json_set(call->result, "root", json_string(report.root));
    pawl_json_set(call->result, "first_bad", ok ? json_null() : json_integer(report.first_bad));
    if (ok && strcmp(action, "prove") == 0) return pawl_ledger_prove(call, options->file, err);
    if (ok && strcmp(action, "consistency") == 0)
        return pawl_ledger_consistency(call, options->file, err);
    if (ok && strcmp(action, "checkpoint") == 0)
        return pawl_ledger_checkpoint(call, options->file, err);
    if (ok) return PAWL_OK;
    pawl_fail(err, PAWL_EINTEGRITY, "The ledger is damaged at record %lld: %s.",
              (long long)report.first_bad, report.reason);
    pawl_hint(err, "Restore .pawl/store from a backup; nothing after that record can be trusted.");
    return PAWL_EINTEGRITY;
}

const struct pawl_verb pawl_verb_ledger = {
    .name = "ledger",
    .summary = "verify, export, prove or sign the record of what was decided",
    .positional = "action file",
    .example = "pawl ledger verify",
    .needs_project = true,
    .needs_store = true,
    .options = ledger_options,
    .options_bytes = sizeof(struct ledger_options),
    .run = run_ledger,
};

/* --- certificate ----------------------------------------------------------------------------------- */

struct certificate_options {
    const char *id, *html;
    bool audit;
};
static const struct pawl_option certificate_options[] = {
    PAWL_OPT_TEXT(struct certificate_options, id, "incumbent", "the promoted artifact"),
    PAWL_OPT_BOOL(struct certificate_options, audit, "false",
                  "open the evidence; recorded, and ends the life of the sealed set"),
    PAWL_OPT_TEXT(struct certificate_options, html, NULL,
                  "also write it as one page that checks itself in the reader's browser; it shows "
                  "the texts of candidate and incumbent"),
    {0}};

static bool is_promotion_of(void *context, const json_t *body)
{
    bool waits =
        json_object_get(body, "approval") != NULL; /* and its certificate is there to be read */
    return (waits || pawl_json_get_bool(body, "promoted", false)) &&
           strcmp(pawl_json_get_text(json_object_get(body, "statement"), "candidate", ""),
                  context) == 0;
}

/* What became of the promotion since: "in_force", "replaced", or that it "waits" for people, or was
 * "rejected", or "expired" or was "superseded" while it waited. */
static enum pawl_status add_standing(struct pawl_call *call, const char *hex, int64_t attempt,
                                     struct pawl_error *err)
{
    char incumbent[PAWL_HASH_HEX];
    bool asked;
    enum pawl_approval_state state = PAWL_APPROVAL_GRANTED;
    PAWL_TRY(pawl_front_pointer(call->project, "incumbent", incumbent, err));
    PAWL_TRY(pawl_approval_state_of(call->project, attempt, &asked, &state, err));
    bool in_force = strcmp(incumbent, hex) == 0;
    bool took = state == PAWL_APPROVAL_GRANTED;
    pawl_json_set(call->result, "standing",
                  json_string(in_force ? "in_force"
                              : took   ? "replaced"
                                       : pawl_approval_state_name(state)));
    return PAWL_OK;
}

/* What fresh cases said of it, as recorded: {"statement","signature","rolled_back"}. */
static enum pawl_status add_confirmation(struct pawl_call *call, int64_t attempt,
                                         struct pawl_error *err)
{
    json_t *body;
    PAWL_TRY(pawl_front_confirmation_of(call->project, attempt, &body, err));
    if (body != NULL) pawl_json_set(call->result, "confirmation", body);
    return PAWL_OK;
}

static enum pawl_status show_evidence(struct pawl_call *call, const char *op, int64_t attempt,
                                      struct pawl_error *err)
{
    json_t *done;
    json_t *request = json_pack("{s:s, s:I}", "op", op, "attempt", (json_int_t)attempt);
    PAWL_TRY(pawl_front_ask(call, PAWL_ROLE_VAULT_NAME, request, &done, err));
    pawl_json_set(call->result, "evidence", json_incref(json_object_get(done, "evidence")));
    pawl_json_set(call->result, "sealed", json_incref(json_object_get(done, "sealed")));
    pawl_json_set(call->result, "evidence_state", json_string("opened"));
    json_decref(done);
    return PAWL_OK;
}

/* The record is written before the evidence is shown, so that nobody looks unseen. */
static enum pawl_status open_evidence(struct pawl_call *call, int64_t attempt,
                                      struct pawl_error *err)
{
    json_t *body = json_pack("{s:I}", "attempt", (json_int_t)attempt);
    struct pawl_ledger_entry entry = {.kind = "audit", .body = body};
    enum pawl_status status = pawl_ledger_append(call->project, &entry, err);
    json_decref(body);
    PAWL_TRY(status);
    return show_evidence(call, "audit", attempt, err);
}

static enum pawl_status run_certificate(struct pawl_call *call, const void *values,
                                        struct pawl_error *err)
{
    const struct certificate_options *options = values;
    char hex[PAWL_HASH_HEX];
    struct pawl_ledger_epoch epoch;
    json_t *body;
    if (options->html != NULL) PAWL_TRY(pawl_front_check_output(call->project, options->html, err));
    PAWL_TRY(pawl_front_find(call->project, options->id, hex, err));
    PAWL_TRY(pawl_ledger_epoch(call->project->store, &epoch, err));
    PAWL_TRY(pawl_ledger_find_verdict(call->project->store, is_promotion_of, hex, &body, err));
    if (body == NULL) {
        pawl_fail(err, PAWL_ENOTFOUND, "The gate has not promoted the artifact %.12s.", hex);
        pawl_hint(err, "`pawl lineage %.12s` shows what is known of it.", hex);
        return PAWL_ENOTFOUND;
    }
    const json_t *statement = json_object_get(body, "statement");
    json_object_update(call->result, (json_t *)statement);
    static const char *const beside[] = {"signature", "providers", "case_copies", "approval"};
    for (size_t i = 0; i < sizeof beside / sizeof *beside; i++) {
        json_t *value = json_object_get(body, beside[i]);
        if (value != NULL) pawl_json_set(call->result, beside[i], json_incref(value));
    }
    pawl_json_set(call->result, "evidence_state", json_string("committed"));
    int64_t attempt = pawl_json_get_int(statement, "attempt", 0);
    enum pawl_status status = add_standing(call, hex, attempt, err);
    if (status == PAWL_OK) status = add_confirmation(call, attempt, err);
    if (status == PAWL_OK &&
        attempt <= epoch.before) /* its sealed set is retired: the evidence is open */
        status = show_evidence(call, "opening", attempt, err);
    else if (status == PAWL_OK && options->audit)
        status = open_evidence(call, attempt, err);
    if (status == PAWL_OK && options->html != NULL)
        status = pawl_certificate_page(call, statement, options->html, err);
    json_decref(body);
    return status;
}

const struct pawl_verb pawl_verb_certificate = {
    .name = "certificate",
    .summary = "what a promotion rests on: rule, attempt, commitments, signature",
    .positional = "id",
    .example = "pawl certificate incumbent",
    .needs_project = true,
    .needs_store = true,
    .options = certificate_options,
    .options_bytes = sizeof(struct certificate_options),
    .run = run_certificate,
};
