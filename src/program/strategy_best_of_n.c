/*
 * Best of n: answers are drawn at random, one after the other, until one is good enough; else the best of
 * them is taken, the first of equals. How good one is must be visible without the target: by a check of
 * the project's owner, or without one by whether its fields can be read.
 *
 *     strategy: best_of_n, samples: 3                  # temperature: 1, if it is not set
 *     check: |              # true or 1 is good enough, a number below is how good
 *       function check(call) return #call.output.summary <= #call.input.text / 4 end
 */
#include "program/trial.h"

#define TEMPERATURE 1.0

static enum pawl_status draw(struct pawl_strategy_call *call, int nth, struct pawl_trial *best,
                             struct pawl_outcome *outcome, struct pawl_error *err)
{
    const struct pawl_evidence evidence = pawl_evidence_of_owner(call);
    const struct pawl_call_ask ask = {
        .temperature = TEMPERATURE, .nth = nth, .of = call->module->n_samples};
    struct pawl_lm_reply reply;
    struct pawl_trial trial;
    PAWL_TRY(pawl_call_ask(call, &ask, &reply, err));
    if (reply.status == PAWL_REPLY_MISSING) return pawl_call_unanswered(&reply, outcome);
    const char *fault = pawl_trial_read(call, &evidence, &reply, call->n_asked - 1, &trial);
    if (fault) return pawl_outcome_fail(outcome, PAWL_OUTCOME_FAILED, fault);
    pawl_trial_keep_best(best, &trial);
    return PAWL_OK;
}

static enum pawl_status run(struct pawl_strategy_call *call, struct pawl_outcome *outcome,
                            struct pawl_error *err)
{
    struct pawl_trial best = {0};
    enum pawl_status status = PAWL_OK;
    outcome->status = PAWL_OUTCOME_DONE;
    for (int i = 0; status == PAWL_OK && outcome->status == PAWL_OUTCOME_DONE &&
                    i < call->module->n_samples && !pawl_trial_is_good(&best);
         i++)
        status = draw(call, i, &best, outcome, err);
    if (status == PAWL_OK && outcome->status == PAWL_OUTCOME_DONE)
        return pawl_trial_finish(call, &best, outcome);
    json_decref(best.answer);
    return status;
}

const struct pawl_strategy pawl_strategy_best_of_n = {
    .api = PAWL_STRATEGY_API,
    .name = "best_of_n",
    .summary = "answers up to n times at random, until a check that sees no target is content",
    .n_samples = 3,
    .script = "check",
    .run = run,
};
