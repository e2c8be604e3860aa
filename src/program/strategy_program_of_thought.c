/*
 * Program of thought: the model writes a Lua program that computes what is needed, the program runs in the
 * sandboxed state, and the model is asked for the outputs with what it gave. A program that fails is shown
 * its error, at most max_repairs times.
 *
 *     strategy: program_of_thought, max_repairs: 2
 */
#include "program/lua_text.h"
#include "program/render.h"
#include "program/signature_call.h"

enum { SOURCE_BYTES_MAX = 256 << 10, RESULT_BYTES_MAX = 4000 };

static void render(const struct pawl_module *module, struct pawl_str instruction,
                   struct pawl_buf *out)
{
    const struct pawl_signature *s = &module->signature;
    pawl_render_task(s, instruction, out);
    pawl_buf_add(out, "\n\nFirst write a Lua 5.4 program that computes");
    for (size_t i = 0; i < module->n_own; i++)
        pawl_buf_printf(out, "%s %s", i ? "," : "", module->own[i].name);
    pawl_buf_add(out, ". It may read");
    for (size_t i = 0; i < s->n_inputs; i++)
        pawl_buf_printf(out, "%s input.%s", i ? "," : "", s->inputs[i].name);
    pawl_buf_add(out,
                 ", may use string, table, math and utf8, and ends in `return` with one text or "
                 "number. Write the program alone:\n```lua\nlocal x = 6 * 7\nreturn x\n```");
}

/* Load it as the body of solve(input); NULL and what is wrong, in `why`. */
static struct pawl_lua *load(struct pawl_str code, const char *before, struct pawl_error *why)
{
    struct pawl_buf source = PAWL_BUF(SOURCE_BYTES_MAX);
    struct pawl_lua *lua = NULL;
    /* On one line with its first, so that line numbers are its own. */
    pawl_buf_printf(&source, "function solve(input) %s", before);
    pawl_buf_add_str(&source, code);
    pawl_buf_add(&source, "\nend\n");
    const struct pawl_lua_script script = {.name = "program",
                                           .source = pawl_buf_str(&source),
                                           .entry = "solve",
                                           .limits = PAWL_LUA_LIMITS};
    if (source.overflowed)
        pawl_fail(why, PAWL_ETOOBIG, "It is longer than 256 KiB.");
    else if (pawl_lua_open(&script, &lua, why) != PAWL_OK)
        lua = NULL;
    pawl_buf_release(&source);
    return lua;
}

/* Its result, or false and what is wrong with it. A bare expression is its own result, as where Lua is
 * typed in by hand: small models forget `return`. */
static bool run_code(const struct pawl_strategy_call *call, struct pawl_str code,
                     struct pawl_str *text)
{
    struct pawl_error why = {0}, other = {0};
    struct pawl_lua *lua = load(code, "", &why);
    if (!lua) lua = load(code, "return ", &other);
    if (!lua) {
        struct pawl_buf sentence = PAWL_BUF(16 << 10);
        pawl_utf8_repair(pawl_str_of(why.message), &sentence);
        *text = pawl_str_of(pawl_arena_printf(call->arena, "line %d: %s", why.line,
                                              sentence.data ? sentence.data : ""));
        pawl_buf_release(&sentence);
        return false;
    }
    bool good = pawl_lua_text(lua, call->input, call->arena, text);
    pawl_lua_close(lua);
    if (!good || text->len <= RESULT_BYTES_MAX) return good;
    *text = PAWL_STR("It gives more than 4000 bytes.");
    return false;
}

static void say_failure(struct pawl_strategy_call *call, struct pawl_str reply,
                        struct pawl_str fault)
{
    pawl_call_say(call, "assistant", reply);
    pawl_call_say(call, "user",
                  pawl_str_of(pawl_arena_printf(call->arena,
                                                "The program failed. " PAWL_STR_FMT
                                                "\nWrite the whole program again.",
                                                PAWL_STR_ARG(fault))));
}

static void say_result(struct pawl_strategy_call *call, struct pawl_str reply,
                       struct pawl_str result)
{
    const struct pawl_signature *s = &call->module->signature;
    struct pawl_buf text = PAWL_BUF(64 << 10);
    pawl_buf_add(&text, "The program gives:\n");
    pawl_buf_add_str(&text, result);
    pawl_buf_add(&text, "\n\nGive the answer now. ");
    pawl_render_form(s->outputs, s->n_outputs, &text);
    pawl_call_say(call, "assistant", reply);
    pawl_call_say(call, "user", pawl_arena_copy(call->arena, pawl_buf_str(&text)));
    pawl_buf_release(&text);
}

static enum pawl_status run(struct pawl_strategy_call *call, struct pawl_outcome *outcome,
                            struct pawl_error *err)
{
    struct pawl_str text = {NULL, 0};
    struct pawl_lm_reply reply;
    int n_tries = 1 + call->module->n_rounds;
    for (int i = 0; i < n_tries; i++) {
        PAWL_TRY(pawl_call_ask(call, &(struct pawl_call_ask){0}, &reply, err));
        if (reply.status != PAWL_REPLY_OK) return pawl_call_unanswered(&reply, outcome);
        if (run_code(call, pawl_lua_code_of(reply.text), &text)) {
            say_result(call, reply.text, text);
            return pawl_call_answer(call, call->module->held, outcome, err);
        }
        if (i + 1 < n_tries) say_failure(call, reply.text, text);
    }
    return pawl_outcome_fail(
        outcome, PAWL_OUTCOME_FAILED,
        pawl_arena_printf(call->arena,
                          "The model's program failed %d times, at last: " PAWL_STR_FMT, n_tries,
                          PAWL_STR_ARG(text)));
}

const struct pawl_strategy pawl_strategy_program_of_thought = {
    .api = PAWL_STRATEGY_API,
    .name = "program_of_thought",
    .summary = "writes a program that computes the answer, runs it, then answers",
    .paper = "Chen et al. 2022, arXiv:2211.12588",
    .rounds = "max_repairs",
    .n_rounds = 2,
    .min_tokens = 512,
    .render = render,
    .run = run,
};
