#include "program/signature_call.h"
#include "program/answer.h"
#include "program/render.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>

void pawl_call_say(struct pawl_strategy_call *call, const char *role, struct pawl_str content)
{
    PAWL_ASSERT(call->n_messages < call->instance->n_shared + PAWL_TURNS_MAX);
    call->messages[call->n_messages++] = (struct pawl_message){role, content};
}

static bool wants_logprobs(const struct pawl_strategy_call *call)
{
    return call->trace && call->how->flags & PAWL_RUN_LOGPROBS;
}

static void add_trace(struct pawl_strategy_call *call, const char *part,
                      const struct pawl_lm_request *request, const struct pawl_lm_reply *reply)
{
    json_t *messages = json_array();
    for (size_t i = 0; i < request->n_messages; i++) {
        json_t *message = json_object();
        pawl_json_set(message, "role", json_string(request->messages[i].role));
        pawl_json_set(message, "content", pawl_json_string(request->messages[i].content));
        json_array_append_new(messages, message);
    }
    struct pawl_str text = reply->text.ptr ? reply->text : PAWL_STR("");
    json_t *step = json_object();
    pawl_json_set(step, "module", json_string(part ? part : call->module->name));
    pawl_json_set(step, "messages", messages);
    pawl_json_set(step, "reply", pawl_json_string(text));
    pawl_json_set(step, "input", json_incref((json_t *)(uintptr_t)call->input));
    if (part && reply->status == PAWL_REPLY_OK)
        pawl_json_set(step, "output", json_pack("{s:o}", "text", pawl_json_string(text)));
    if (reply->choice_logprobs && request->n_choices > 0 && wants_logprobs(call)) {
        json_t *list = json_array();
        for (size_t i = 0; i < request->n_choices; i++) {
            double value = reply->choice_logprobs[i];
            json_array_append_new(list, isfinite(value) ? json_real(value) : json_null());
        }
        pawl_json_set(step, "choice_logprobs", list);
    }
    json_array_append_new(call->trace, step);
}

static void set_stops(const struct pawl_strategy_call *call, const struct pawl_call_ask *ask,
                      struct pawl_lm_request *request)
{
    const struct pawl_module *module = call->module;
    request->stops = module->stops;
    request->n_stops = module->n_stops;
    if (ask->n_stops == 0) return;
    struct pawl_str *all = PAWL_NEW_N(call->arena, struct pawl_str, module->n_stops + ask->n_stops);
    if (module->n_stops) memcpy(all, module->stops, module->n_stops * sizeof *all);
    memcpy(all + module->n_stops, ask->stops, ask->n_stops * sizeof *all);
    request->stops = all;
    request->n_stops += ask->n_stops;
}

static void make_request(const struct pawl_strategy_call *call, const struct pawl_call_ask *ask,
                         struct pawl_lm_request *request)
{
    const struct pawl_module *module = call->module;
    double temperature = module->temperature >= 0 ? module->temperature : ask->temperature;
    if (call->how->temperature > 0) temperature = call->how->temperature;
    uint32_t sample = call->how->sample;
    if (ask->of > 0) sample = sample * (uint32_t)ask->of + (uint32_t)ask->nth;
    *request =
        (struct pawl_lm_request){.role = module->role,
                                 .messages = ask->messages ? ask->messages : call->messages,
                                 .n_messages = ask->messages ? ask->n_messages : call->n_messages,
                                 .n_shared = call->instance->n_shared,
                                 .max_tokens = module->max_tokens,
                                 .temperature = temperature,
                                 .top_p = module->top_p,
                                 .sample = sample};
    /* A greedy answer depends on the prompt alone: equal prompts are equal requests. */
    if (temperature > 0) request->seed = pawl_sampling_seed(module->seed, call->case_id, sample);
    if (ask->choices) {
        request->choices = ask->choices->choices;
        request->n_choices = ask->choices->n_choices;
        /* A calibration shifts all of them before it compares. */
        request->best_only = !wants_logprobs(call) && !call->instance->offsets;
    }
    set_stops(call, ask, request);
}

enum pawl_status pawl_call_ask_all(struct pawl_strategy_call *call,
                                   const struct pawl_call_ask *asks, size_t n,
                                   struct pawl_lm_reply *replies, struct pawl_error *err)
{
    struct pawl_lm_request *requests = PAWL_NEW_N(call->arena, struct pawl_lm_request, n);
    for (size_t i = 0; i < n; i++) {
        make_request(call, &asks[i], &requests[i]);
        replies[i] = (struct pawl_lm_reply){0};
    }
    PAWL_TRY(pawl_lm_ask(call->module->lm, call->arena, requests, n, replies, err));
    for (size_t i = 0; i < n; i++) {
        pawl_usage_add(call->usage, &replies[i].usage);
        if (call->trace) add_trace(call, asks[i].part, &requests[i], &replies[i]);
    }
    call->n_asked += n;
    return PAWL_OK;
}

enum pawl_status pawl_call_ask(struct pawl_strategy_call *call, const struct pawl_call_ask *ask,
                               struct pawl_lm_reply *reply, struct pawl_error *err)
{
    return pawl_call_ask_all(call, ask, 1, reply, err);
}

enum pawl_status pawl_call_ask_after(struct pawl_strategy_call *call,
                                     const struct pawl_call_ask *ask, const char *role,
                                     struct pawl_str content, struct pawl_lm_reply *reply,
                                     struct pawl_error *err)
{
    struct pawl_message *last = &call->messages[call->n_messages - 1], before = *last;
    size_t n_before = call->n_messages;
    if (n_before > call->instance->n_shared && strcmp(last->role, role) == 0) {
        struct pawl_buf text = PAWL_BUF(PAWL_PROMPT_MAX);
        pawl_buf_add_str(&text, before.content);
        pawl_buf_add(&text, "\n\n");
        pawl_buf_add_str(&text, content);
        last->content = pawl_arena_copy(call->arena, pawl_buf_str(&text));
        pawl_buf_release(&text);
    } else {
        pawl_call_say(call, role, content);
    }
    enum pawl_status status = pawl_call_ask(call, ask, reply, err);
    call->n_messages = n_before;
    *last = before;
    return status;
}

enum pawl_status pawl_call_unanswered(const struct pawl_lm_reply *reply,
                                      struct pawl_outcome *outcome)
{
    bool missing = reply->status == PAWL_REPLY_MISSING;
    return pawl_outcome_fail(outcome, missing ? PAWL_OUTCOME_MISSING : PAWL_OUTCOME_FAILED,
                             reply->reason);
}

/* The choice that the text is, letter by letter. */
static bool find_choice(const struct pawl_field *held, struct pawl_str text,
                        struct pawl_str *choice)
{
    for (size_t i = 0; i < held->n_choices; i++) {
        if (!pawl_str_eq(held->choices[i], text)) continue;
        *choice = held->choices[i];
        return true;
    }
    return false;
}

bool pawl_call_best_choice(const struct pawl_strategy_call *call, const struct pawl_lm_reply *reply,
                           struct pawl_str *choice)
{
    const struct pawl_field *held = call->module->held;
    if (!held) return false;
    if (!reply->choice_logprobs) return find_choice(held, reply->text, choice);
    const double *offsets = call->instance->offsets;
    double best = -INFINITY;
    size_t found = held->n_choices;
    for (size_t i = 0; i < held->n_choices; i++) {
        double score = reply->choice_logprobs[i] + (offsets ? offsets[i] : 0);
        if (!(score > best)) continue;
        best = score;
        found = i;
    }
    if (found == held->n_choices) return false;
    *choice = held->choices[found];
    return true;
}

static json_t *own_outputs(const struct pawl_module *module, const json_t *output)
{
    json_t *own = json_object();
    for (size_t i = 0; i < module->n_own; i++) {
        json_t *value = json_object_get(output, module->own[i].name);
        if (value) pawl_json_set(own, module->own[i].name, json_incref(value));
    }
    return own;
}

char *pawl_module_vote(const struct pawl_module *module, const json_t *answer,
                       struct pawl_arena *arena)
{
    json_t *own = own_outputs(module, answer);
    char *text = pawl_json_text(own), *vote = pawl_arena_strdup(arena, text);
    for (char *c = vote; *c != '\0'; c++) *c = (char)tolower((unsigned char)*c);
    free(text);
    json_decref(own);
    return vote;
}

/* The signature's own fields alone: two ways of reasoning to one answer behave equally. */
static struct pawl_hash behaviour_of(const struct pawl_module *module, const json_t *output)
{
    if (json_object_size(output) == module->n_own) return pawl_hash_json(output);
    json_t *own = own_outputs(module, output);
    struct pawl_hash hash = pawl_hash_json(own);
    json_decref(own);
    return hash;
}

enum pawl_status pawl_call_done_at(const struct pawl_strategy_call *call, json_t *output,
                                   size_t n_after, struct pawl_outcome *outcome)
{
    outcome->status = PAWL_OUTCOME_DONE;
    outcome->output = output;
    outcome->behaviour = behaviour_of(call->module, output);
    size_t n_steps = json_array_size(call->trace);
    if (n_steps > n_after)
        pawl_json_set(json_array_get(call->trace, n_steps - 1 - n_after), "output",
                      json_incref(output));
    return PAWL_OK;
}

enum pawl_status pawl_call_done(const struct pawl_strategy_call *call, json_t *output,
                                struct pawl_outcome *outcome)
{
    return pawl_call_done_at(call, output, 0, outcome);
}

static void say_fault(struct pawl_strategy_call *call, struct pawl_str reply, const char *fault)
{
    const struct pawl_signature *signature = &call->module->signature;
    struct pawl_buf text = PAWL_BUF(64 << 10);
    pawl_buf_printf(&text, "That answer cannot be read. %s\n", fault);
    pawl_render_form(signature->outputs, signature->n_outputs, &text);
    pawl_call_say(call, "assistant", reply);
    pawl_call_say(call, "user", pawl_arena_copy(call->arena, pawl_buf_str(&text)));
    pawl_buf_release(&text);
}

enum pawl_status pawl_call_answer(struct pawl_strategy_call *call, const struct pawl_field *held,
                                  struct pawl_outcome *outcome, struct pawl_error *err)
{
    const struct pawl_signature *signature = &call->module->signature;
    const struct pawl_call_ask ask = {.choices = held};
    struct pawl_lm_reply reply;
    const char *fault = NULL;
    for (int round = 0; round < (call->module->repair ? 2 : 1); round++) {
        PAWL_TRY(pawl_call_ask(call, &ask, &reply, err));
        if (reply.status != PAWL_REPLY_OK) return pawl_call_unanswered(&reply, outcome);
        struct pawl_str choice;
        json_t *output = NULL;
        if (held && pawl_call_best_choice(call, &reply, &choice)) {
            output = json_object();
            pawl_json_set(output, held->name, pawl_json_string(choice));
        } else {
            output = pawl_answer_parse(reply.text, signature->outputs, signature->n_outputs,
                                       call->arena, &fault);
        }
        if (output) return pawl_call_done(call, output, outcome);
        if (round == 0) say_fault(call, reply.text, fault);
    }
    if (reply.truncated)
        fault = pawl_arena_printf(call->arena, "%s It was cut off at %d tokens.", fault,
                                  call->module->max_tokens);
    return pawl_outcome_fail(outcome, PAWL_OUTCOME_FAILED, fault);
}
