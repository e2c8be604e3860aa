#include "program/evidence.h"
#include "program/lessons.h"
#include "program/lua_text.h"
#include "program/script.h"

/* What a test has to look like is ours to say, and no component: it is how we read it. */
static struct pawl_str form_of_test(const struct pawl_strategy_call *call, size_t number)
{
    const struct pawl_module *module = call->module;
    struct pawl_buf text = PAWL_BUF(4 << 20);
    pawl_buf_add_str(&text, pawl_str_trim(call->instance->texts[number]));
    pawl_buf_add(&text, "\n\nWrite it as a Lua 5.4 function check(call). It may read");
    for (size_t i = 0; i < module->signature.n_inputs; i++)
        pawl_buf_printf(&text, "%s call.input.%s", i ? "," : "", module->signature.inputs[i].name);
    pawl_buf_add(&text, " and the answer's");
    for (size_t i = 0; i < module->n_own; i++)
        pawl_buf_printf(&text, "%s call.output.%s", i ? "," : "", module->own[i].name);
    pawl_buf_add(
        &text, ", may use string, table, math and utf8, and returns true, or else "
               "{score = share of what is right, feedback = \"what is wrong\"}. Write the function "
               "alone:\n```lua\nfunction check(call)\n  return true\nend\n```");
    struct pawl_str copy = pawl_arena_copy(call->arena, pawl_buf_str(&text));
    pawl_buf_release(&text);
    return copy;
}

struct pawl_evidence pawl_evidence_of_owner(const struct pawl_strategy_call *call)
{
    return (struct pawl_evidence){.check = call->module->script,
                                  .environment = call->module->environment};
}

enum pawl_status pawl_evidence_open(struct pawl_strategy_call *call, size_t text,
                                    struct pawl_evidence *evidence, struct pawl_outcome *outcome,
                                    struct pawl_error *err)
{
    struct pawl_lm_reply reply;
    struct pawl_error why = {0};
    *evidence = pawl_evidence_of_owner(call);
    if (pawl_evidence_exists(evidence)) return PAWL_OK;
    const struct pawl_call_ask ask = {.part = call->module->text_names[text]};
    PAWL_TRY(pawl_call_ask_after(call, &ask, "user", form_of_test(call, text), &reply, err));
    if (reply.status == PAWL_REPLY_MISSING) return pawl_call_unanswered(&reply, outcome);
    if (reply.status != PAWL_REPLY_OK) return PAWL_OK;
    const struct pawl_lua_script script = {.name = "test",
                                           .source = pawl_lua_code_of(reply.text),
                                           .entry = "check",
                                           .limits = PAWL_LUA_LIMITS};
    evidence->is_own = pawl_lua_open(&script, &evidence->check, &why) == PAWL_OK;
    if (!evidence->is_own) evidence->check = NULL;
    return PAWL_OK;
}

void pawl_evidence_close(struct pawl_evidence *evidence)
{
    if (evidence->is_own) pawl_lua_close(evidence->check);
    *evidence = (struct pawl_evidence){0};
}

const char *pawl_evidence_rate(const struct pawl_strategy_call *call,
                               const struct pawl_evidence *evidence, json_t *answer, double *score,
                               struct pawl_str *feedback)
{
    *score = 1;
    *feedback = PAWL_STR("");
    if (evidence->environment)
        return pawl_environment_judge(evidence->environment, call->input, answer,
                                      call->module->own[call->module->n_own - 1].name, call->arena,
                                      score, feedback);
    if (!evidence->check) return NULL;
    json_t *argument = json_object();
    pawl_json_set(argument, "input", json_incref((json_t *)(uintptr_t)call->input));
    pawl_json_set(argument, "output", json_incref(answer));
    const char *fault = pawl_script_check(evidence->check, argument, call->arena, score, feedback);
    json_decref(argument);
    *feedback = pawl_text_cut(*feedback, PAWL_FEEDBACK_BYTES);
    if (!fault || !evidence->is_own) return fault;
    *score = 1;
    *feedback = PAWL_STR("");
    return NULL;
}
