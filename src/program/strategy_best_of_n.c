/*
 * Best of n: answers are drawn at random, one after the other, until one is good enough; else the best of
 * them is taken, the first of equals. How good one is must be visible without the target: by a check of
 * the project's owner, or without one by whether its fields can be read.
 *
 *     strategy: best_of_n, samples: 3                  # temperature: 1, if it is not set
 *     check: |              # true or 1 is good enough, a number below is how good
 *       function check(call) return #call.output.summary <= #call.input.text / 4 end
 */
#include "program/answer.h"
#include "program/script.h"
#include "program/signature_call.h"

#define TEMPERATURE 1.0

/* NULL, or why it cannot be said. */
static const char *rate(const struct pawl_strategy_call *call, json_t *answer, double *score)
{
    *score = 1;
    if (!call->module->script) return NULL;
    json_t *argument = json_object();
    pawl_json_set(argument, "input", json_incref((json_t *)(uintptr_t)call->input));
    pawl_json_set(argument, "output", json_incref(answer));
    const char *fault = pawl_script_number(call->module->script, argument, call->arena, score);
    json_decref(argument);
    return fault;
}

struct best {
    json_t *answer; /* NULL: none could be read */
    double score;
    int nth, n_asked;
    const char *fault; /* of the last that could not be read */
};

static enum pawl_status draw(struct pawl_strategy_call *call, struct best *best,
                             struct pawl_outcome *outcome, struct pawl_error *err)
{
    const struct pawl_signature *s = &call->module->signature;
    const struct pawl_call_ask ask = {
        .temperature = TEMPERATURE, .nth = best->n_asked++, .of = call->module->n_samples};
    struct pawl_lm_reply reply;
    double score;
    PAWL_TRY(pawl_call_ask(call, &ask, &reply, err));
    if (reply.status == PAWL_REPLY_MISSING) return pawl_call_unanswered(&reply, outcome);
    json_t *answer = NULL;
    if (reply.status == PAWL_REPLY_OK)
        answer = pawl_answer_parse(reply.text, s->outputs, s->n_outputs, call->arena, &best->fault);
    else
        best->fault = reply.reason;
    if (!answer) return PAWL_OK;
    const char *fault = rate(call, answer, &score);
    if (fault) {
        json_decref(answer);
        return pawl_outcome_fail(outcome, PAWL_OUTCOME_FAILED, fault);
    }
    if (best->answer && score <= best->score) {
        json_decref(answer);
        return PAWL_OK;
    }
    json_decref(best->answer);
    best->answer = answer;
    best->score = score;
    best->nth = ask.nth;
    return PAWL_OK;
}

static enum pawl_status run(struct pawl_strategy_call *call, struct pawl_outcome *outcome,
                            struct pawl_error *err)
{
    struct best best = {0};
    enum pawl_status status = PAWL_OK;
    outcome->status = PAWL_OUTCOME_DONE;
    while (status == PAWL_OK && outcome->status == PAWL_OUTCOME_DONE &&
           best.n_asked < call->module->n_samples && !(best.answer && best.score >= 1))
        status = draw(call, &best, outcome, err);
    if (status == PAWL_OK && outcome->status == PAWL_OUTCOME_DONE) {
        if (best.answer)
            return pawl_call_done_at(call, best.answer, (size_t)(best.n_asked - 1 - best.nth),
                                     outcome);
        return pawl_outcome_fail(outcome, PAWL_OUTCOME_FAILED, best.fault);
    }
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
