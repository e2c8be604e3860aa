/*
 * approval.h - people between the gate's `promote` and the pointer.
 *
 *     verdict promote ──► waits ──► approve, approve ──► in force     (the last one flips, in one transaction)
 *                           ├─────► reject                            (one is enough)
 *                           ├─────► nobody until until_ms             (silence rejects)
 *                           └─────► the incumbent moved               (another question by now)
 *
 * How much approval a change asks for is its layer, the highest of its operator's card and of what it
 * changes (card.h): L0 texts, L1 weights, L3 tools, code and memory; L4 is never put in force. L0 to L2
 * want one person, L3 two; `approval.from` in pawl.yaml says from which layer on anybody is asked.
 *
 * The verdict that waits carries, beside the vault's statement,
 *
 *     "approval":{"changes":["text"],"layer":"L0","needed":2,
 *                 "policy":{"expires_hours":72,"from":"L0","keys":{name:public key},"people":2}}
 *
 * and a record `approve` or `reject` is {"promoted":bool,"signature":HEX,"statement":{...}} with
 *
 *     {"attempt":K,"candidate","evidence_root","incumbent","kind":"approve"|"reject","policy":SHA-256 of
 *      the policy,"public_key","reason","schema":1,"until_ms":ts of the verdict + expires_hours}
 *
 * signed (Ed25519 over its canonical form) with a key that the policy names.
 *
 * What expired, or was superseded, may be asked about once more while the incumbent that it was certified
 * against is in force: a record `ask`, {"attempt","candidate","incumbent"}. The question is the first one to
 * the letter (people, number, policy, and what the gate promised) and waits as long again. What people
 * rejected stays rejected.
 *
 * Invariants
 *   1. All of it follows from the records: the fold below is what `ledger verify`, approve, reject and
 *      status use, and tools/pawl-verify does the same with its own code.
 *   2. A statement is good for one attempt, incumbent, policy, evidence and key. Anything else in it,
 *      or once more, is refused.
 *   3. The approval that completes the number flips the incumbent in its own record.
 *   4. Whatever moves the incumbent ends every promotion that waits.
 *
 *     struct pawl_approvals all = {0};
 *     for each record: if ((why = pawl_approvals_fold(&all, kind, body, ts_ms)) != NULL) ...
 *     struct pawl_approval *waiting = pawl_approvals_find(&all, candidate);
 *     pawl_approvals_release(&all);
 */
#ifndef PAWL_IMPROVE_APPROVAL_H
#define PAWL_IMPROVE_APPROVAL_H

#include "artifact/artifact.h"
#include "base/json.h"
#include "improve/config.h"

enum pawl_approval_state {
    PAWL_APPROVAL_WAITS,
    PAWL_APPROVAL_GRANTED,
    PAWL_APPROVAL_REJECTED,
    PAWL_APPROVAL_EXPIRED,    /* a matter of the clock: pawl_approval_state_at, never in the fold */
    PAWL_APPROVAL_SUPERSEDED, /* the incumbent moved, or its candidate was judged again */
};

/* A promotion that waits for people, or did. */
struct pawl_approval {
    json_t *body; /* of the verdict's record */
    int64_t attempt, needed, until_ms;
    char policy[PAWL_HASH_HEX]; /* its hash */
    json_t *by;                 /* public keys of those who approved, in order */
    json_t *words;              /* [{"kind","name","reason","ts"}] */
    enum pawl_approval_state state;
};
struct pawl_approvals {
    struct pawl_approval *items; /* in the order of their verdicts */
    size_t n, room;
};

/* Take the next record. Gives NULL, or why it may not be there; nothing is taken then. */
const char *pawl_approvals_fold(struct pawl_approvals *all, const char *kind, const json_t *body,
                                int64_t ts_ms);
void pawl_approvals_release(struct pawl_approvals *all);
/* The newest of this candidate, or of this attempt; NULL: there is none. Borrowed until the next fold. */
struct pawl_approval *pawl_approvals_find(const struct pawl_approvals *all, const char *candidate);
struct pawl_approval *pawl_approvals_of_attempt(const struct pawl_approvals *all, int64_t attempt);
enum pawl_approval_state pawl_approval_state_at(const struct pawl_approval *approval,
                                                int64_t now_ms);
const char *pawl_approval_state_name(enum pawl_approval_state state); /* "waits", "granted", ... */
/* Name of the key in the policy that was asked; NULL: it may not. */
const char *pawl_approval_name(const struct pawl_approval *approval, const char *public_hex);
/* Of the verdict that waits: "candidate", "incumbent", ... */
const char *pawl_approval_text(const struct pawl_approval *approval, const char *field);
/* For people: {artifact,incumbent,attempt,layer,changes,needed,approved_by:[name],until_ms}. New
 * reference. */
json_t *pawl_approval_json(const struct pawl_approval *approval);

/* What is to be signed; kind "approve" or "reject". New reference. */
json_t *pawl_approval_statement(const struct pawl_approval *approval, const char *kind,
                                const char *reason, const char *public_hex);
/* The policy of pawl.yaml as a verdict carries it. New reference. */
json_t *pawl_approval_policy(const struct pawl_config_approval *config);

/* --- what a change asks for ------------------------------------------------------------------------ */

/* The layer, 0 to 4, of going from one artifact to another; the kinds of change are added to `changes`, a
 * list. card_level: of the operator that made it, -1 when nobody is known. */
int pawl_approval_layer(const struct pawl_artifact *from, const struct pawl_artifact *to,
                        int card_level, json_t *changes);
/* How many people a layer wants under this policy (0: nobody). */
int64_t pawl_approval_people(const json_t *policy, int layer);

#endif
