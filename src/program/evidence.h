/*
 * evidence.h - what can be seen of an answer without the target: the verdict of a check, or of an environment
 * (environment.h) in which the answer is the action.
 *
 * The check is Lua: the project's owner wrote it (`check` in pawl.yaml), or else the model itself wrote it
 * for this case, from the input alone and before there was an answer. Either runs in the restricted state.
 *
 * Invariants
 *   1. A check is called with the case's input and the answer. It has no target, and a target has no way
 *      to here: a struct pawl_strategy_call holds none.
 *   2. An owner's check that fails, or an input that is no task of the environment, fails the case: it is a mistake in the project. A model's test that
 *      cannot be read, or that fails, says nothing: the answer stands, as without a test.
 *
 *     struct pawl_evidence evidence;
 *     PAWL_TRY(pawl_evidence_open(call, TEXT_TEST, &evidence, outcome, err));
 *     fault = pawl_evidence_rate(call, &evidence, answer, &score, &feedback);
 *     pawl_evidence_close(&evidence);
 */
#ifndef PAWL_PROGRAM_EVIDENCE_H
#define PAWL_PROGRAM_EVIDENCE_H

#include "program/signature_call.h"

enum { PAWL_FEEDBACK_BYTES = 4000 };

struct pawl_evidence {
    const struct pawl_environment_kind *environment; /* NULL: there is none */
    struct pawl_lua *check;                          /* NULL: there is none */
    bool is_own; /* the model wrote it: it ends with the evidence */
};
/* The owner's check or environment, or the test that the model writes when it is asked by the strategy's text number `text`
 * (one request). A lost reply makes the outcome MISSING; look at it before you go on. */
PAWL_MUST_CHECK enum pawl_status pawl_evidence_open(struct pawl_strategy_call *call, size_t text,
                                                    struct pawl_evidence *evidence,
                                                    struct pawl_outcome *outcome,
                                                    struct pawl_error *err);
static inline bool pawl_evidence_exists(const struct pawl_evidence *evidence)
{
    return evidence->check || evidence->environment;
}
/* The owner's check or environment alone; nothing to close. */
struct pawl_evidence pawl_evidence_of_owner(const struct pawl_strategy_call *call);
void pawl_evidence_close(struct pawl_evidence *evidence);
/* How good an answer is: 1 or more is good enough, also where there is no check. *feedback says what is
 * visible of it, at most PAWL_FEEDBACK_BYTES in the call's arena; it may be empty. NULL, or why the owner's
 * check cannot say. */
const char *pawl_evidence_rate(const struct pawl_strategy_call *call,
                               const struct pawl_evidence *evidence, json_t *answer, double *score,
                               struct pawl_str *feedback);

#endif
