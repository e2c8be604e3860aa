/*
 * state.h - where a candidate stands, as one table: state, event, next state; anything else is refused.
 *
 *     proposed ─► screened ─► gated ─► approved ─► shadow ─► canary ─► stable, or unconfirmed
 *                    │          │          └────────┴─────────┴──────────┴──► rolled back, or retired
 *                    └──────────┴──► retired
 *
 * The state of a candidate is stored nowhere: it follows from the ledger's records, of which each is an
 * event or several. A candidate that no record names is proposed. `approved` means in force: all
 * approvals are there, or none were wanted (the gate's `promote` is then both), or a person decided by
 * hand. A confirmation on the vault tier (front_confirm.c) makes it stable, or unconfirmed, or rolls it
 * back; it needs no traffic, and comes from approved as well. What is shadow stays so when it is confirmed: its
 * way is not over. pawl serves nobody yet, so shadow, canary and the stable that follows them are what a person
 * says of his own traffic: `pawl promote --to`, records of kind `deploy` (front_deploy.c).
 *
 * Invariants
 *   1. In force is one of approved, shadow, canary, stable, unconfirmed, and exactly one candidate is.
 *   2. Only what a table's row allows happens: a ledger that says otherwise is PAWL_EINTEGRITY.
 *
 *     enum pawl_state state;
 *     PAWL_TRY(pawl_state_of(records, now_ms, candidate, &state, err));
 *     printf("%s\n", pawl_state_name(state));
 */
#ifndef PAWL_IMPROVE_STATE_H
#define PAWL_IMPROVE_STATE_H

#include "base/error.h"
#include "base/json.h"

#include <stdbool.h>
#include <stdint.h>

enum pawl_state {
    PAWL_STATE_NONE,
    PAWL_STATE_PROPOSED,
    PAWL_STATE_SCREENED,
    PAWL_STATE_GATED, /* certified by the gate; waits for people */
    PAWL_STATE_APPROVED,
    PAWL_STATE_SHADOW,
    PAWL_STATE_CANARY,
    PAWL_STATE_STABLE,
    PAWL_STATE_UNCONFIRMED, /* as stable, but that nothing fresh speaks for it */
    PAWL_STATE_ROLLED_BACK,
    PAWL_STATE_RETIRED,
    PAWL_N_STATES
};
enum pawl_state_event {
    PAWL_EVENT_PROPOSE, /* an operator drafted it */
    PAWL_EVENT_OFFER,   /* it was chosen to be put before the gate */
    PAWL_EVENT_PROMOTE, /* the gate said so */
    PAWL_EVENT_NO,
    PAWL_EVENT_APPROVE,   /* by all that were wanted, be it none */
    PAWL_EVENT_REFUSE,    /* rejected, expired or superseded */
    PAWL_EVENT_ASK,       /* people once more, who had not said no */
    PAWL_EVENT_TO_SHADOW, /* beside the one in force, unseen */
    PAWL_EVENT_TO_CANARY, /* for a share of the traffic */
    PAWL_EVENT_TO_STABLE, /* for all of it, by a person's word */
    PAWL_EVENT_CONFIRM,   /* fresh cases say that it is better */
    PAWL_EVENT_SETTLE,    /* they do not say that it is worse */
    PAWL_EVENT_REPLACE,   /* another one took its place */
    PAWL_EVENT_ROLL_BACK, /* it was taken out of force */
    PAWL_EVENT_BY_HAND,   /* a person put it in force, for the first time or again */
    PAWL_N_EVENTS
};
const char *pawl_state_name(enum pawl_state state); /* "rolled_back" */

/* *next after the event; false: the table has no such row, and *next is left as it was. */
bool pawl_state_next(enum pawl_state state, enum pawl_state_event event, enum pawl_state *next);

/* Of one candidate by the records (as pawl_ledger_records gives them) at the time `now_ms`. */
PAWL_MUST_CHECK enum pawl_status pawl_state_of(const json_t *records, int64_t now_ms,
                                               const char *candidate, enum pawl_state *state,
                                               struct pawl_error *err);

#endif
