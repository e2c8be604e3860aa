/*
 * Reflexion: the model answers, sees what is visible of its answer, says in words what went wrong, keeps that
 * as a lesson, and answers again with the lessons before it; until the evidence is content, at most max_trials
 * times. The best answer is taken, the first of equals.
 *
 *     strategy: reflexion
 *     max_trials: 3, memory: 3        # the latest lessons that it is shown
 *     check: |                        # as of best_of_n; it may say what is wrong
 *       function check(call)
 *         local n = #call.output.summary
 *         return n <= 200 or {score = 200 / n, feedback = "It has " .. n .. " letters, more than 200."}
 *       end
 *
 * Without a check the model first writes a test of its own, from the input alone. The published code asks the
 * hidden tests, or the gold answer, whether to try again: nothing here can.
 *
 * Calls: max_trials answers, a reflection between two, and the test. A reflection that is refused is no
 * lesson, and the next trial has the evidence alone.
 */
#include "program/trial.h"

enum { TEST, REFLECT, RETRY };

static const struct pawl_strategy_text texts[] = {
    {"test",
     "Before you answer, write a test that tells a right answer to this from a wrong one. Test "
     "only what you are sure of from the task itself; do not write the answer into it."},
    {"reflect", "Say in a few sentences why that attempt failed, and what you will do differently. "
                "Name the mistake itself; do not give the answer now."},
    {"retry", "Answer again from the beginning. Do not repeat what failed."},
    {NULL, NULL}};

static enum pawl_status reflect(struct pawl_strategy_call *call, const struct pawl_trial *trial,
                                struct pawl_str *lesson, struct pawl_outcome *outcome,
                                struct pawl_error *err)
{
    struct pawl_lm_reply reply;
    struct pawl_buf text = PAWL_BUF(4 << 20);
    pawl_trial_write(trial, &text);
    pawl_buf_add_str(&text, call->instance->texts[REFLECT]);
    struct pawl_str turn = pawl_arena_copy(call->arena, pawl_buf_str(&text));
    const struct pawl_call_ask ask = {.part = call->module->text_names[REFLECT]};
    pawl_buf_release(&text);
    PAWL_TRY(pawl_call_ask_after(call, &ask, "user", turn, &reply, err));
    if (reply.status == PAWL_REPLY_MISSING) return pawl_call_unanswered(&reply, outcome);
    if (reply.status == PAWL_REPLY_OK) *lesson = reply.text;
    return PAWL_OK;
}

static enum pawl_status run(struct pawl_strategy_call *call, struct pawl_outcome *outcome,
                            struct pawl_error *err)
{
    static const struct pawl_trials how = {.test = TEST, .retry = RETRY, .reflect = reflect};
    return pawl_trials_run(call, &how, outcome, err);
}

static const char *const takes[] = {"memory", NULL};

const struct pawl_strategy pawl_strategy_reflexion = {
    .api = PAWL_STRATEGY_API,
    .name = "reflexion",
    .summary =
        "answers, says what went wrong by visible evidence, and tries again with its lessons",
    .paper = "Shinn et al. 2023, arXiv:2303.11366",
    .script = "check",
    .rounds = "max_trials",
    .n_rounds = 3,
    .min_tokens = 512,
    .texts = texts,
    .takes = takes,
    .run = run,
};
