/*
 * Asking people once more about a promotion that nobody answered in time, or that another change of the
 * incumbent overtook (approval.h).
 *
 * Invariants
 *   1. What the gate promised stays as it was: no attempt, no new statement, the same question to the same
 *      people.
 *   2. Only a change of what is in force is asked about; the record holds the pointer where it is.
 */
#include "improve/approval.h"
#include "improve/front.h"

#include <string.h>

struct ask {
    struct pawl_call *call;
    const json_t *statement; /* of the verdict */
    json_t *body;
    char incumbent[PAWL_HASH_HEX];
};

static enum pawl_status refuse(enum pawl_approval_state state, const char *candidate,
                               struct pawl_error *err)
{
    pawl_fail(err, PAWL_EUSAGE, "The promotion of %.12s cannot be asked about again: it %s.",
              candidate,
              state == PAWL_APPROVAL_WAITS     ? "waits still"
              : state == PAWL_APPROVAL_GRANTED ? "has all its approvals"
                                               : "was rejected");
    pawl_hint(err, "`pawl lineage %.12s` shows who said what.", candidate);
    return PAWL_EUSAGE;
}

/* Whatever the fold would refuse, as a sentence that says what to do. */
static enum pawl_status check(struct ask *ask, const struct pawl_approval *approval, int64_t now_ms,
                              struct pawl_error *err)
{
    const char *candidate = pawl_json_get_text(ask->statement, "candidate", "");
    char policy[PAWL_HASH_HEX];
    if (approval == NULL) {
        pawl_fail(err, PAWL_EUSAGE, "Nobody was asked to approve the promotion of %.12s.",
                  candidate);
        pawl_hint(err, "`pawl promote %.12s --reason TEXT` puts it in force again.", candidate);
        return PAWL_EUSAGE;
    }
    enum pawl_approval_state state = pawl_approval_state_at(approval, now_ms);
    if (state != PAWL_APPROVAL_EXPIRED && state != PAWL_APPROVAL_SUPERSEDED)
        return refuse(state, candidate, err);
    PAWL_TRY(pawl_front_pointer(ask->call->project, "incumbent", ask->incumbent, err));
    if (strcmp(ask->incumbent, pawl_approval_text(approval, "incumbent")) != 0) {
        pawl_fail(err, PAWL_ENOTPROMOTED,
                  "%.12s was certified against %.12s, and %.12s is in force.", candidate,
                  pawl_approval_text(approval, "incumbent"), ask->incumbent);
        pawl_hint(err, "`pawl gate %.12s` asks the gate about it anew, for one attempt.",
                  candidate);
        return PAWL_ENOTPROMOTED;
    }
    pawl_approval_policy_now(ask->call->project, policy);
    if (strcmp(policy, approval->policy) == 0) return PAWL_OK;
    pawl_fail(err, PAWL_EINTEGRITY,
              "The approval policy of pawl.yaml is not the one under which the gate was asked.");
    pawl_hint(err,
              "Put `approval:` back as it was: a question is asked again to the letter, or not.");
    return PAWL_EINTEGRITY;
}

static enum pawl_status decide(void *context, int64_t now_ms, struct pawl_ledger_entry *entry,
                               struct pawl_error *err)
{
    struct ask *ask = context;
    struct pawl_approvals all;
    int64_t attempt = pawl_json_get_int(ask->statement, "attempt", 0);
    PAWL_TRY(pawl_approvals_read(ask->call->project, &all, NULL, err));
    enum pawl_status status = check(ask, pawl_approvals_of_attempt(&all, attempt), now_ms, err);
    if (status == PAWL_OK) {
        ask->body =
            json_pack("{s:I, s:O, s:s}", "attempt", (json_int_t)attempt, "candidate",
                      json_object_get(ask->statement, "candidate"), "incumbent", ask->incumbent);
        *entry = (struct pawl_ledger_entry){.kind = "ask", .body = ask->body, .n_flips = 1};
        entry->flips[0].pointer = "incumbent";
        entry->flips[0].expect = entry->flips[0].to = ask->incumbent;
        const char *why = pawl_approvals_fold(&all, "ask", ask->body, now_ms);
        if (why != NULL) PAWL_BUG("a question that the ledger refuses: %s", why);
    }
    pawl_approvals_release(&all);
    return status;
}

enum pawl_status pawl_approval_ask_again(struct pawl_call *call, const json_t *statement,
                                         struct pawl_error *err)
{
    struct ask ask = {.call = call, .statement = statement};
    enum pawl_status status = pawl_ledger_append_decided(call->project, decide, &ask, err);
    json_decref(ask.body);
    return status;
}
