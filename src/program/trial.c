#include "program/trial.h"
#include "program/answer.h"
#include "program/render.h"

enum { TURN_BYTES_MAX = 4 << 20 };

const char *pawl_trial_read(const struct pawl_strategy_call *call,
                            const struct pawl_evidence *evidence, const struct pawl_lm_reply *reply,
                            size_t nth, struct pawl_trial *trial)
{
    const struct pawl_signature *s = &call->module->signature;
    const char *fault = reply->reason;
    *trial = (struct pawl_trial){
        .nth = nth, .said = reply->text, .judged = pawl_evidence_exists(evidence)};
    if (reply->status == PAWL_REPLY_OK)
        trial->answer =
            pawl_answer_parse(reply->text, s->outputs, s->n_outputs, call->arena, &fault);
    if (!trial->answer) {
        trial->feedback = pawl_str_of(fault);
        return NULL;
    }
    fault = pawl_evidence_rate(call, evidence, trial->answer, &trial->score, &trial->feedback);
    if (!fault) return NULL;
    json_decref(trial->answer);
    trial->answer = NULL;
    return fault;
}

void pawl_trial_keep_best(struct pawl_trial *best, struct pawl_trial *trial)
{
    bool better = trial->answer && (!best->answer || trial->score > best->score);
    /* Without an answer the last one says why. */
    if (better || !best->answer) {
        json_decref(best->answer);
        *best = *trial;
    } else {
        json_decref(trial->answer);
    }
    trial->answer = NULL;
}

enum pawl_status pawl_trial_finish(const struct pawl_strategy_call *call, struct pawl_trial *best,
                                   struct pawl_outcome *outcome)
{
    json_t *answer = best->answer;
    best->answer = NULL;
    if (answer) return pawl_call_done_at(call, answer, call->n_asked - 1 - best->nth, outcome);
    return pawl_outcome_fail(
        outcome, PAWL_OUTCOME_FAILED,
        pawl_arena_printf(call->arena, PAWL_STR_FMT, PAWL_STR_ARG(best->feedback)));
}

void pawl_trial_write(const struct pawl_trial *trial, struct pawl_buf *out)
{
    const char *verdict =
        trial->judged ? "That answer is not good enough. " : "That answer may be wrong. ";
    pawl_buf_add(out, trial->answer ? verdict : "That answer cannot be read. ");
    pawl_buf_add_str(out, trial->feedback);
    pawl_buf_add(out, "\n");
}

struct pawl_str pawl_trial_retry(const struct pawl_strategy_call *call, size_t text,
                                 const struct pawl_trial *trial, const struct pawl_lessons *lessons)
{
    const struct pawl_signature *s = &call->module->signature;
    struct pawl_buf turn = PAWL_BUF(TURN_BYTES_MAX);
    pawl_trial_write(trial, &turn);
    if (lessons->n > 0) pawl_buf_add(&turn, "\nLessons of earlier attempts:\n");
    pawl_lessons_write(lessons, &turn);
    pawl_buf_add(&turn, "\n");
    pawl_buf_add_str(&turn, call->instance->texts[text]);
    pawl_buf_add(&turn, "\n");
    pawl_render_form(s->outputs, s->n_outputs, &turn);
    struct pawl_str copy = pawl_arena_copy(call->arena, pawl_buf_str(&turn));
    pawl_buf_release(&turn);
    return copy;
}

/* --- one after the other ---------------------------------------------------------------------------- */

struct course {
    const struct pawl_trials *how;
    struct pawl_evidence evidence;
    struct pawl_lessons lessons;
    struct pawl_trial best;
    size_t n_before; /* messages of the conversation before the first trial */
    bool ended;
};

/* The last answer and what to learn from it are the end of the next conversation. */
static enum pawl_status learn(struct pawl_strategy_call *call, struct course *course,
                              const struct pawl_trial *trial, struct pawl_outcome *outcome,
                              struct pawl_error *err)
{
    struct pawl_str lesson = PAWL_STR("");
    call->n_messages = course->n_before;
    pawl_call_say(call, "assistant", trial->said.len > 0 ? trial->said : PAWL_STR("(nothing)"));
    PAWL_TRY(course->how->reflect(call, trial, &lesson, outcome, err));
    pawl_lessons_add(&course->lessons, lesson);
    pawl_call_say(call, "user",
                  pawl_trial_retry(call, course->how->retry, trial, &course->lessons));
    return PAWL_OK;
}

static enum pawl_status try_once(struct pawl_strategy_call *call, struct course *course,
                                 bool is_last, struct pawl_outcome *outcome, struct pawl_error *err)
{
    struct pawl_lm_reply reply;
    struct pawl_trial trial;
    PAWL_TRY(pawl_call_ask(call, &(struct pawl_call_ask){0}, &reply, err));
    if (reply.status == PAWL_REPLY_MISSING) return pawl_call_unanswered(&reply, outcome);
    const char *fault = pawl_trial_read(call, &course->evidence, &reply, call->n_asked - 1, &trial);
    if (fault) return pawl_outcome_fail(outcome, PAWL_OUTCOME_FAILED, fault);
    course->ended = is_last || pawl_trial_is_good(&trial);
    enum pawl_status status = PAWL_OK;
    if (!course->ended) status = learn(call, course, &trial, outcome, err);
    pawl_trial_keep_best(&course->best, &trial);
    return status;
}

enum pawl_status pawl_trials_run(struct pawl_strategy_call *call, const struct pawl_trials *how,
                                 struct pawl_outcome *outcome, struct pawl_error *err)
{
    struct course course = {
        .how = how, .n_before = call->n_messages, .lessons.keep = (size_t)call->module->memory};
    outcome->status = PAWL_OUTCOME_DONE;
    enum pawl_status status = pawl_evidence_open(call, how->test, &course.evidence, outcome, err);
    for (int i = 0; status == PAWL_OK && outcome->status == PAWL_OUTCOME_DONE && !course.ended; i++)
        status = try_once(call, &course, i + 1 == call->module->n_rounds, outcome, err);
    pawl_evidence_close(&course.evidence);
    if (status == PAWL_OK && outcome->status == PAWL_OUTCOME_DONE)
        return pawl_trial_finish(call, &course.best, outcome);
    json_decref(course.best.answer);
    return status;
}
