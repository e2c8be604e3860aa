/*
 * Self-consistency: several chains of thought, drawn at random, and the answer that most of them give; of
 * equally many the first one's. What cannot be read has no vote.
 *
 *     strategy: self_consistency, samples: 5           # temperature: 0.7, if it is not set
 *     reduce: |             # instead of the vote: the number of one of call.answers
 *       function reduce(call) return #call.answers end
 */
#include "program/answer.h"
#include "program/script.h"
#include "program/signature_call.h"

#include <strings.h>

#define TEMPERATURE 0.7

static const char *const extra_outputs[] = {"reasoning", NULL};

struct answers {
    json_t *read[PAWL_SAMPLES_MAX]; /* in order; those that could be read */
    size_t nth[PAWL_SAMPLES_MAX];   /* which sample each of them was */
    size_t n;
};

static size_t most_votes(const struct pawl_strategy_call *call, const struct answers *answers)
{
    char *votes[PAWL_SAMPLES_MAX];
    size_t best = 0, most = 0;
    for (size_t i = 0; i < answers->n; i++)
        votes[i] = pawl_module_vote(call->module, answers->read[i], call->arena);
    for (size_t i = 0; i < answers->n; i++) {
        size_t n = 0;
        for (size_t k = 0; k < answers->n; k++) n += strcmp(votes[i], votes[k]) == 0;
        if (n > most) {
            most = n;
            best = i;
        }
    }
    return best;
}

/* The owner's choice. NULL, or why there is none. */
static const char *reduce(const struct pawl_strategy_call *call, const struct answers *answers,
                          size_t *chosen)
{
    double number;
    json_t *argument = json_object(), *list = json_array();
    for (size_t i = 0; i < answers->n; i++) json_array_append(list, answers->read[i]);
    pawl_json_set(argument, "input", json_incref((json_t *)(uintptr_t)call->input));
    pawl_json_set(argument, "answers", list);
    const char *fault = pawl_script_number(call->module->script, argument, call->arena, &number);
    json_decref(argument);
    if (fault) return fault;
    if (!(number >= 1 && number <= (double)answers->n))
        return "The project's reduce gave no number of an answer.";
    *chosen = (size_t)number - 1;
    return NULL;
}

static enum pawl_status choose(const struct pawl_strategy_call *call, const struct answers *answers,
                               struct pawl_outcome *outcome)
{
    size_t chosen = 0;
    const char *fault = NULL;
    if (call->module->script)
        fault = reduce(call, answers, &chosen);
    else
        chosen = most_votes(call, answers);
    if (fault) return pawl_outcome_fail(outcome, PAWL_OUTCOME_FAILED, fault);
    size_t n_after = (size_t)call->module->n_samples - 1 - answers->nth[chosen];
    return pawl_call_done_at(call, json_incref(answers->read[chosen]), n_after, outcome);
}

/* Whether the reply begins to give reasons, which then are no answer. */
static bool gives_reasons(struct pawl_str text)
{
    struct pawl_str start = pawl_str_trim(text);
    size_t n = strlen(extra_outputs[0]);
    return start.len > n && strncasecmp(start.ptr, extra_outputs[0], n) == 0 && start.ptr[n] == ':';
}

/* An answer without its reasons has a vote, too: small models often leave them out. Reasons without an answer
 * have none. */
static json_t *read_answer(const struct pawl_strategy_call *call, const struct pawl_lm_reply *reply,
                           const char **fault)
{
    const struct pawl_module *module = call->module;
    const struct pawl_signature *s = &module->signature;
    json_t *answer = pawl_answer_parse(reply->text, s->outputs, s->n_outputs, call->arena, fault);
    if (answer || reply->truncated || gives_reasons(reply->text)) return answer;
    answer = pawl_answer_parse(reply->text, module->own, module->n_own, call->arena, fault);
    if (answer) pawl_json_set(answer, extra_outputs[0], json_string(""));
    return answer;
}

/* Fewer samples than asked for would be another strategy: one that the world lost loses the case. */
static enum pawl_status run(struct pawl_strategy_call *call, struct pawl_outcome *outcome,
                            struct pawl_error *err)
{
    struct pawl_call_ask asks[PAWL_SAMPLES_MAX] = {{0}};
    struct pawl_lm_reply replies[PAWL_SAMPLES_MAX];
    struct answers answers = {.n = 0};
    const char *fault = NULL;
    int n = call->module->n_samples;
    for (int i = 0; i < n; i++)
        asks[i] = (struct pawl_call_ask){.temperature = TEMPERATURE, .nth = i, .of = n};
    PAWL_TRY(pawl_call_ask_all(call, asks, (size_t)n, replies, err));
    for (int i = 0; i < n; i++)
        if (replies[i].status == PAWL_REPLY_MISSING)
            return pawl_call_unanswered(&replies[i], outcome);
    for (int i = 0; i < n; i++) {
        json_t *answer = NULL;
        if (replies[i].status == PAWL_REPLY_OK)
            answer = read_answer(call, &replies[i], &fault);
        else
            fault = replies[i].reason;
        if (!answer) continue;
        answers.nth[answers.n] = (size_t)i;
        answers.read[answers.n++] = answer;
    }
    enum pawl_status status = answers.n > 0
                                  ? choose(call, &answers, outcome)
                                  : pawl_outcome_fail(outcome, PAWL_OUTCOME_FAILED, fault);
    for (size_t i = 0; i < answers.n; i++) json_decref(answers.read[i]);
    return status;
}

const struct pawl_strategy pawl_strategy_self_consistency = {
    .api = PAWL_STRATEGY_API,
    .name = "self_consistency",
    .summary = "reasons several times at random, and takes the answer that comes most often",
    .paper = "Wang et al. 2022, arXiv:2203.11171",
    .extra_outputs = extra_outputs,
    .n_samples = 5,
    .script = "reduce",
    .run = run,
};
