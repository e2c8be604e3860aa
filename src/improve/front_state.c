/* The states of candidates: the table, and the walk over the ledger that applies it. */
#include "improve/state.h"

#include "improve/approval.h"

#include <string.h>

#define EACH(list, i, item) json_array_foreach((json_t *)(uintptr_t)(list), i, item)

/* --- the table ------------------------------------------------------------------------------------ */

static const char *const names[PAWL_N_STATES] = {
    [PAWL_STATE_NONE] = "none",
    [PAWL_STATE_PROPOSED] = "proposed",
    [PAWL_STATE_SCREENED] = "screened",
    [PAWL_STATE_GATED] = "gated",
    [PAWL_STATE_APPROVED] = "approved",
    [PAWL_STATE_SHADOW] = "shadow",
    [PAWL_STATE_CANARY] = "canary",
    [PAWL_STATE_STABLE] = "stable",
    [PAWL_STATE_UNCONFIRMED] = "unconfirmed",
    [PAWL_STATE_ROLLED_BACK] = "rolled_back",
    [PAWL_STATE_RETIRED] = "retired",
};

#define ROW(state, event, next)                                                                    \
    {                                                                                              \
        PAWL_STATE_##state, PAWL_EVENT_##event, PAWL_STATE_##next                                  \
    }
static const struct {
    enum pawl_state state;
    enum pawl_state_event event;
    enum pawl_state next;
} rows[] = {
    ROW(NONE, PROPOSE, PROPOSED),
    ROW(PROPOSED, OFFER, SCREENED),
    ROW(SCREENED, PROMOTE, GATED),
    ROW(SCREENED, NO, RETIRED),
    ROW(GATED, APPROVE, APPROVED),
    ROW(GATED, REFUSE, RETIRED),
    ROW(APPROVED, TO_SHADOW, SHADOW),
    ROW(SHADOW, TO_CANARY, CANARY),
    ROW(CANARY, CONFIRM, STABLE),
    ROW(CANARY, SETTLE, UNCONFIRMED),
    ROW(CANARY, TO_STABLE, STABLE),
    ROW(SHADOW, CONFIRM, SHADOW),
    ROW(SHADOW, SETTLE, SHADOW),
    /* Where there is no traffic. */
    ROW(APPROVED, CONFIRM, STABLE),
    ROW(APPROVED, SETTLE, UNCONFIRMED),
    /* Out of force. */
    ROW(APPROVED, REPLACE, RETIRED),
    ROW(SHADOW, REPLACE, RETIRED),
    ROW(CANARY, REPLACE, RETIRED),
    ROW(STABLE, REPLACE, RETIRED),
    ROW(UNCONFIRMED, REPLACE, RETIRED),
    ROW(APPROVED, ROLL_BACK, ROLLED_BACK),
    ROW(SHADOW, ROLL_BACK, ROLLED_BACK),
    ROW(CANARY, ROLL_BACK, ROLLED_BACK),
    ROW(STABLE, ROLL_BACK, ROLLED_BACK),
    ROW(UNCONFIRMED, ROLL_BACK, ROLLED_BACK),
    /* Asked again: of another incumbent, or of a fresh sealed set. */
    ROW(RETIRED, OFFER, SCREENED),
    ROW(ROLLED_BACK, OFFER, SCREENED),
    /* People are asked again; the gate's answer stands. */
    ROW(RETIRED, ASK, GATED),
    ROW(ROLLED_BACK, ASK, GATED),
    /* A person answers for it. */
    ROW(PROPOSED, BY_HAND, APPROVED),
    ROW(SCREENED, BY_HAND, APPROVED),
    ROW(RETIRED, BY_HAND, APPROVED),
    ROW(ROLLED_BACK, BY_HAND, APPROVED),
};
#undef ROW
enum { N_ROWS = sizeof rows / sizeof *rows };

const char *pawl_state_name(enum pawl_state state)
{
    return names[state];
}

bool pawl_state_next(enum pawl_state state, enum pawl_state_event event, enum pawl_state *next)
{
    for (size_t i = 0; i < N_ROWS; i++) {
        if (rows[i].state != state || rows[i].event != event) continue;
        *next = rows[i].next;
        return true;
    }
    return false;
}

/* --- the walk --------------------------------------------------------------------------------------- */

struct walk {
    const char *candidate; /* whose state is asked */
    enum pawl_state state;
    bool in_force;
    struct pawl_approvals approvals;
    bool refused; /* an event had no row */
};

static void apply(struct walk *walk, enum pawl_state_event event)
{
    if (!pawl_state_next(walk->state, event, &walk->state)) walk->refused = true;
}

/* Another one, or ours, is in force from now on. */
static void put_in_force(struct walk *walk, const char *artifact, enum pawl_state_event out,
                         enum pawl_state_event in)
{
    bool is_ours = strcmp(artifact, walk->candidate) == 0;
    if (walk->in_force && !is_ours) apply(walk, out);
    if (is_ours && !walk->in_force) apply(walk, in);
    walk->in_force = is_ours;
}

/* Refuse ours if it waited and does so no longer, for whatever reason but its approval. */
static void end_waiting(struct walk *walk, int64_t now_ms)
{
    const struct pawl_approval *ours = pawl_approvals_find(&walk->approvals, walk->candidate);
    if (ours == NULL || walk->state != PAWL_STATE_GATED) return;
    enum pawl_approval_state state = pawl_approval_state_at(ours, now_ms);
    if (state != PAWL_APPROVAL_WAITS && state != PAWL_APPROVAL_GRANTED)
        apply(walk, PAWL_EVENT_REFUSE);
}

static void take_verdict(struct walk *walk, const json_t *body)
{
    const json_t *statement = json_object_get(body, "statement");
    const char *judged = pawl_json_get_text(statement, "candidate", "");
    bool promotes = strcmp(pawl_json_get_text(statement, "verdict", ""), "promote") == 0;
    /* A verdict that comes after a person has put it in force changes nothing. */
    if (strcmp(judged, walk->candidate) == 0 && !walk->in_force) {
        if (walk->state == PAWL_STATE_GATED) apply(walk, PAWL_EVENT_REFUSE); /* judged again */
        apply(walk, PAWL_EVENT_OFFER);
        apply(walk, promotes ? PAWL_EVENT_PROMOTE : PAWL_EVENT_NO);
    }
    if (pawl_json_get_bool(body, "promoted", false))
        put_in_force(walk, judged, PAWL_EVENT_REPLACE, PAWL_EVENT_APPROVE);
}

/* It says something of what is in force, or takes it out. */
static void take_confirmation(struct walk *walk, const json_t *body)
{
    const json_t *statement = json_object_get(body, "statement");
    const char *answer = pawl_json_get_text(statement, "answer", "");
    bool is_ours = strcmp(pawl_json_get_text(statement, "candidate", ""), walk->candidate) == 0;
    if (pawl_json_get_bool(body, "rolled_back", false))
        put_in_force(walk, pawl_json_get_text(statement, "incumbent", ""), PAWL_EVENT_ROLL_BACK,
                     PAWL_EVENT_BY_HAND);
    else if (is_ours && walk->in_force)
        apply(walk, strcmp(answer, "stable") == 0 ? PAWL_EVENT_CONFIRM : PAWL_EVENT_SETTLE);
}

/* A person's word on what is in force: another's is not ours, and ours that is not in force is a lie. */
static void take_deploy(struct walk *walk, const json_t *body)
{
    const char *to = pawl_json_get_text(body, "state", "");
    if (strcmp(pawl_json_get_text(body, "artifact", ""), walk->candidate) != 0) return;
    if (!walk->in_force) walk->refused = true;
    apply(walk, strcmp(to, "shadow") == 0   ? PAWL_EVENT_TO_SHADOW
                : strcmp(to, "canary") == 0 ? PAWL_EVENT_TO_CANARY
                                            : PAWL_EVENT_TO_STABLE);
}

static void take_record(struct walk *walk, const char *kind, const json_t *body)
{
    const char *to = pawl_json_get_text(body, "incumbent", "");
    if (strcmp(kind, "seal") == 0)
        put_in_force(walk, pawl_json_get_text(body, "seed", ""), PAWL_EVENT_REPLACE,
                     PAWL_EVENT_BY_HAND);
    if (strcmp(kind, "verdict") == 0) take_verdict(walk, body);
    if (strcmp(kind, "ask") == 0 &&
        strcmp(pawl_json_get_text(body, "candidate", ""), walk->candidate) == 0)
        apply(walk, PAWL_EVENT_ASK);
    if (strcmp(kind, "approve") == 0 && pawl_json_get_bool(body, "promoted", false))
        put_in_force(walk, pawl_json_get_text(json_object_get(body, "statement"), "candidate", ""),
                     PAWL_EVENT_REPLACE, PAWL_EVENT_APPROVE);
    if (strcmp(kind, "confirm") == 0) take_confirmation(walk, body);
    if (strcmp(kind, "deploy") == 0) take_deploy(walk, body);
    if (strcmp(kind, "promotion") == 0)
        put_in_force(walk, to, PAWL_EVENT_REPLACE, PAWL_EVENT_BY_HAND);
    if (strcmp(kind, "rollback") == 0)
        put_in_force(walk, to, PAWL_EVENT_ROLL_BACK, PAWL_EVENT_BY_HAND);
}

static enum pawl_status fail_record(const json_t *record, const char *why, struct pawl_error *err)
{
    pawl_fail(err, PAWL_EINTEGRITY,
              "Record %lld of the ledger moves a candidate where it cannot "
              "go: %s.",
              (long long)pawl_json_get_int(record, "seq", -1), why);
    pawl_hint(err, "See `pawl ledger verify`.");
    return PAWL_EINTEGRITY;
}

enum pawl_status pawl_state_of(const json_t *records, int64_t now_ms, const char *candidate,
                               enum pawl_state *state, struct pawl_error *err)
{
    struct walk walk = {.candidate = candidate, .state = PAWL_STATE_NONE};
    enum pawl_status status = PAWL_OK;
    size_t i;
    json_t *record;
    apply(&walk, PAWL_EVENT_PROPOSE);
    EACH(records, i, record)
    {
        const char *kind = pawl_json_get_text(record, "kind", "");
        const json_t *body = json_object_get(record, "body");
        int64_t ts_ms = pawl_json_get_int(record, "ts", 0);
        end_waiting(&walk, ts_ms);
        const char *why = pawl_approvals_fold(&walk.approvals, kind, body, ts_ms);
        end_waiting(&walk, ts_ms);
        if (why == NULL) take_record(&walk, kind, body);
        if (walk.refused) why = "the table of states has no such row";
        if (why == NULL) continue;
        status = fail_record(record, why, err);
        break;
    }
    end_waiting(&walk, now_ms);
    pawl_approvals_release(&walk.approvals);
    *state = walk.state;
    return status;
}
