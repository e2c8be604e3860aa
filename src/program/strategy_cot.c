/*
 * Chain of thought: the model reasons first, then answers. Where the answer is one of some choices
 * and the model can score them, it reasons freely and the choices are scored after that.
 */
#include "program/signature_call.h"
#include "program/answer.h"

#include <strings.h>

#define REASONING "reasoning"

static const char *const extra_outputs[] = {REASONING, NULL};

static struct pawl_str without_label(struct pawl_str text)
{
    static const struct pawl_str label = {REASONING ":", sizeof REASONING};
    text = pawl_str_trim(text);
    if (text.len >= label.len && strncasecmp(text.ptr, label.ptr, label.len) == 0)
        text = (struct pawl_str){text.ptr + label.len, text.len - label.len};
    return pawl_str_trim(text);
}

/* A model that pays no heed to the stop goes on with its answer: that is no reasoning, and would
 * decide the choice. */
static struct pawl_str before_answer(struct pawl_str text, const char *field)
{
    struct pawl_str rest = text, line;
    size_t n = strlen(field);
    while (pawl_str_split(&rest, '\n', &line)) {
        struct pawl_str trimmed = pawl_str_trim(line);
        if (trimmed.len > n && strncasecmp(trimmed.ptr, field, n) == 0 && trimmed.ptr[n] == ':')
            return (struct pawl_str){text.ptr, (size_t)(line.ptr - text.ptr)};
    }
    return text;
}

static enum pawl_status reason_then_choose(struct pawl_strategy_call *call,
                                           struct pawl_outcome *outcome, struct pawl_error *err)
{
    const struct pawl_field *held = call->module->held;
    struct pawl_str stop = pawl_str_of(pawl_arena_printf(call->arena, "\n%s:", held->name));
    struct pawl_lm_reply thoughts, reply;
    PAWL_TRY(
        pawl_call_ask(call, &(struct pawl_call_ask){.stops = &stop, .n_stops = 1}, &thoughts, err));
    if (thoughts.status != PAWL_REPLY_OK) return pawl_call_unanswered(&thoughts, outcome);
    struct pawl_str reasoning = without_label(before_answer(thoughts.text, held->name));
    pawl_call_say(call, "assistant",
                  pawl_str_of(pawl_arena_printf(call->arena, REASONING ": " PAWL_STR_FMT,
                                                PAWL_STR_ARG(reasoning))));
    pawl_call_say(call, "user", pawl_str_of(pawl_arena_printf(call->arena, "%s:", held->name)));
    PAWL_TRY(pawl_call_ask(call, &(struct pawl_call_ask){.choices = held}, &reply, err));
    if (reply.status != PAWL_REPLY_OK) return pawl_call_unanswered(&reply, outcome);
    struct pawl_str choice;
    json_t *output = NULL;
    const char *fault = NULL;
    if (pawl_call_best_choice(call, &reply, &choice)) {
        output = json_object();
        pawl_json_set(output, held->name, pawl_json_string(choice));
    } else {
        output = pawl_answer_parse(reply.text, held, 1, call->arena, &fault);
    }
    if (!output) return pawl_outcome_fail(outcome, PAWL_OUTCOME_FAILED, fault);
    pawl_json_set(output, REASONING, pawl_json_string(reasoning));
    return pawl_call_done(call, output, outcome);
}

static enum pawl_status run(struct pawl_strategy_call *call, struct pawl_outcome *outcome,
                            struct pawl_error *err)
{
    if (call->module->held && pawl_lm_scores_choices(call->module->lm, call->module->role))
        return reason_then_choose(call, outcome, err);
    return pawl_call_answer(call, NULL, outcome, err);
}

const struct pawl_strategy pawl_strategy_cot = {
    .api = PAWL_STRATEGY_API,
    .name = "cot",
    .summary = "reasons step by step, then answers",
    .paper = "Wei et al. 2022, arXiv:2201.11903; Kojima et al. 2022, arXiv:2205.11916",
    .extra_outputs = extra_outputs,
    .run = run,
};
