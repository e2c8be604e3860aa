/*
 * trial.h - an attempt at a case that is judged by what is visible, and what follows from a failed one.
 *
 * A trial is a reply, the answer in it, and how good the evidence says it is (evidence.h). The best trial
 * is the answer in the end: the highest score, of equals the first.
 *
 *     struct pawl_trial trial, best = {0};
 *     fault = pawl_trial_read(call, &evidence, &reply, call->n_asked - 1, &trial);
 *     pawl_trial_keep_best(&best, &trial);
 *     return pawl_trial_finish(call, &best, outcome);
 */
#ifndef PAWL_PROGRAM_TRIAL_H
#define PAWL_PROGRAM_TRIAL_H

#include "program/evidence.h"
#include "program/lessons.h"

struct pawl_trial {
    json_t *answer; /* NULL: none could be read; then `feedback` says why */
    double score;   /* 0 without an answer */
    bool judged;    /* a check said so */
    struct pawl_str said, feedback;
    size_t nth; /* which request of the call it was */
};
/* Of a reply that is not MISSING. NULL, or why the owner's check cannot judge: then there is no answer. */
const char *pawl_trial_read(const struct pawl_strategy_call *call,
                            const struct pawl_evidence *evidence, const struct pawl_lm_reply *reply,
                            size_t nth, struct pawl_trial *trial);
static inline bool pawl_trial_is_good(const struct pawl_trial *trial)
{
    return trial->answer && trial->score >= 1;
}
/* Takes what `trial` holds: into *best, or away. */
void pawl_trial_keep_best(struct pawl_trial *best, struct pawl_trial *trial);
/* The outcome: its answer, or FAILED with its feedback. Takes what it holds. */
enum pawl_status pawl_trial_finish(const struct pawl_strategy_call *call, struct pawl_trial *best,
                                   struct pawl_outcome *outcome);
/* "That answer ..." and what is wrong with it, for the model. */
void pawl_trial_write(const struct pawl_trial *trial, struct pawl_buf *out);

/*
 * Trials one after the other, at most the module's n_rounds, until one is good. Before each but the first
 * `reflect` writes a lesson, and the model is shown its last answer, what is wrong with it, and the lessons
 * that are kept, in a turn that begins with the strategy's text `retry`.
 *
 * `reflect` says its lesson after the conversation it finds, and leaves the conversation as it was. An empty
 * lesson is none. It may set a MISSING outcome, which ends the case.
 */
struct pawl_trials {
    size_t test, retry; /* numbers of the strategy's texts */
    enum pawl_status (*reflect)(struct pawl_strategy_call *call, const struct pawl_trial *trial,
                                struct pawl_str *lesson, struct pawl_outcome *outcome,
                                struct pawl_error *err);
};
PAWL_MUST_CHECK enum pawl_status pawl_trials_run(struct pawl_strategy_call *call,
                                                 const struct pawl_trials *how,
                                                 struct pawl_outcome *outcome,
                                                 struct pawl_error *err);
/* The retrying turn: the text, what is wrong, the lessons, the form of the answer. In the call's arena. */
struct pawl_str pawl_trial_retry(const struct pawl_strategy_call *call, size_t text,
                                 const struct pawl_trial *trial,
                                 const struct pawl_lessons *lessons);

#endif
