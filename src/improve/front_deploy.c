/*
 * How far what is in force has come with those who use it: shadow (beside the one before, unseen), canary (for a share
 * of them), stable (for all). pawl serves nobody itself: a person, or his deployment, says so, and the ledger keeps it:
 *
 *     deploy: {"artifact","state":"shadow"|"canary"|"stable","reason"}
 *
 * Invariants
 *   1. Only what is in force has come any way, and only as the table of states allows (state.h): a step that is left
 *      out is refused, and nothing is recorded.
 *   2. The record is decided inside its transaction, so nothing takes the artifact out of force meanwhile.
 */
#include "improve/front.h"

#include "improve/state.h"

#include <string.h>
#include <unistd.h>

struct step {
    struct pawl_project *project;
    const char *hex, *reason;
    enum pawl_state to;
    enum pawl_state_event event;
    json_t *body;
};

static enum pawl_status refuse(const struct step *step, enum pawl_state from,
                               struct pawl_error *err)
{
    enum pawl_state next;
    const char *possible = pawl_state_next(from, PAWL_EVENT_TO_SHADOW, &next)   ? "shadow"
                           : pawl_state_next(from, PAWL_EVENT_TO_CANARY, &next) ? "canary"
                           : pawl_state_next(from, PAWL_EVENT_TO_STABLE, &next) ? "stable"
                                                                                : NULL;
    pawl_fail(err, PAWL_EUSAGE, "From %s the artifact %.12s cannot go to %s.",
              pawl_state_name(from), step->hex, pawl_state_name(step->to));
    if (possible != NULL)
        pawl_hint(err, "The next step is --to %s.", possible);
    else
        pawl_hint(err, "`pawl status` shows where it stands; its way ends there.");
    return PAWL_EUSAGE;
}

static enum pawl_status decide(void *context, int64_t now_ms, struct pawl_ledger_entry *entry,
                               struct pawl_error *err)
{
    struct step *step = context;
    char incumbent[PAWL_HASH_HEX];
    json_t *records;
    enum pawl_state from, next;
    PAWL_TRY(pawl_front_pointer(step->project, "incumbent", incumbent, err));
    if (strcmp(incumbent, step->hex) != 0) {
        pawl_fail(err, PAWL_EUSAGE, "%.12s is not in force, so nobody can be using it.", step->hex);
        pawl_hint(err, "`pawl promote %.12s --reason TEXT` puts it in force, without the gate.",
                  step->hex);
        return PAWL_EUSAGE;
    }
    PAWL_TRY(pawl_ledger_records(step->project->store, &records, err));
    enum pawl_status status = pawl_state_of(records, now_ms, step->hex, &from, err);
    json_decref(records);
    PAWL_TRY(status);
    if (!pawl_state_next(from, step->event, &next)) return refuse(step, from, err);
    step->body = json_pack("{s:s, s:s, s:s}", "artifact", step->hex, "state",
                           pawl_state_name(step->to), "reason", step->reason);
    *entry = (struct pawl_ledger_entry){.kind = "deploy", .body = step->body, .n_flips = 1};
    entry->flips[0].pointer = "incumbent";
    entry->flips[0].expect = entry->flips[0].to = step->hex;
    return PAWL_OK;
}

enum pawl_status pawl_front_deploy(struct pawl_call *call, const char *hex, const char *to,
                                   const char *reason, struct pawl_error *err)
{
    struct step step = {.project = call->project,
                        .hex = hex,
                        .reason = reason,
                        .to = PAWL_STATE_STABLE,
                        .event = PAWL_EVENT_TO_STABLE};
    if (strcmp(to, "shadow") == 0) step.to = PAWL_STATE_SHADOW, step.event = PAWL_EVENT_TO_SHADOW;
    if (strcmp(to, "canary") == 0) step.to = PAWL_STATE_CANARY, step.event = PAWL_EVENT_TO_CANARY;
    enum pawl_status status = pawl_ledger_append_decided(call->project, decide, &step, err);
    json_decref(step.body);
    PAWL_TRY(status);
    pawl_json_set(call->result, "incumbent", json_string(hex));
    pawl_json_set(call->result, "state", json_string(to));
    return PAWL_OK;
}
