/*
 * A metric that the owner wrote in Lua:
 *
 *     function score(call)        -- call: id, input, target, output {field = value}, metadata
 *         if call.output.answer == call.target.answer then return 1 end
 *         return {score = 0, feedback = "expected " .. call.target.answer,
 *                 scores = {form = 1, content = 0}}     -- named ones, if there are several aspects
 *     end
 *
 * Lists become tables from 1, null becomes nil. What a script may do: base/lua_state.h.
 */
#include "base/hash.h"
#include "base/lua_json.h"
#include "evaluate/metric.h"
#include "program/project_file.h"
#include "program/script.h"

#include <stdlib.h>

enum { SCRIPT_BYTES_MAX = 1 << 20 };

struct options {
    const char *lua;
};
static const struct pawl_option options_table[] = {{"lua", PAWL_OPTION_TEXT,
                                                    offsetof(struct options, lua), NULL, 0, 0, NULL,
                                                    "the file that defines score(call)", true},
                                                   {0}};

struct lua_metric {
    struct pawl_lua *lua;
    struct pawl_hash content;
};
struct lua_score {
    const struct pawl_metric_call *call;
    struct pawl_arena *arena;
    struct pawl_metric_result *result;
};

static void set_member(lua_State *L, const char *name, const json_t *value)
{
    if (!value) return;
    pawl_lua_push_json(L, value);
    lua_setfield(L, -2, name);
}

static int push_call(lua_State *L, void *context)
{
    const struct pawl_metric_call *call = ((struct lua_score *)context)->call;
    lua_createtable(L, 0, 5);
    lua_pushstring(L, call->id);
    lua_setfield(L, -2, "id");
    set_member(L, "input", call->input);
    set_member(L, "target", call->target);
    set_member(L, "output", call->output);
    set_member(L, "metadata", call->metadata);
    return 1;
}

/* The number at the top of the stack, true and false being 1 and 0. */
static bool read_number(lua_State *L, double *number)
{
    int type = lua_type(L, -1);
    if (type == LUA_TBOOLEAN) *number = lua_toboolean(L, -1);
    if (type == LUA_TNUMBER) *number = lua_tonumber(L, -1);
    return type == LUA_TBOOLEAN || type == LUA_TNUMBER;
}

static void take_feedback(lua_State *L, struct lua_score *score)
{
    size_t n;
    lua_getfield(L, -1, "feedback");
    const char *text = lua_tolstring(L, -1, &n);
    if (text) {
        struct pawl_buf repaired = PAWL_BUF(64 << 10);
        pawl_utf8_repair((struct pawl_str){text, n < 8192 ? n : 8192}, &repaired);
        score->result->feedback = pawl_arena_copy(score->arena, pawl_buf_str(&repaired)).ptr;
        pawl_buf_release(&repaired);
    }
    lua_pop(L, 1);
}

static void take_named(lua_State *L, struct lua_score *score)
{
    const char *wrong = NULL;
    lua_getfield(L, -1, "scores");
    json_t *named = pawl_lua_take_json(L, -1, &wrong);
    if (named) wrong = pawl_metric_take_named(score->result, score->arena, named);
    json_decref(named);
    if (!named || wrong) luaL_error(L, "score(call): scores: %s", wrong);
    lua_pop(L, 1);
}

static void take_score(lua_State *L, void *context)
{
    struct lua_score *score = context;
    if (lua_type(L, -1) == LUA_TTABLE) {
        take_feedback(L, score);
        take_named(L, score);
        lua_getfield(L, -1, "score");
    }
    if (!read_number(L, &score->result->score))
        luaL_error(L, "score(call) gave neither a number nor {score = ..., feedback = ...}");
}

static enum pawl_status open_lua(const void *options, const char *project_dir, void **state,
                                 struct pawl_error *err)
{
    const struct options *o = options;
    struct pawl_arena file = {0};
    struct pawl_str text;
    struct pawl_lua *lua = NULL;
    enum pawl_status status =
        pawl_project_file(project_dir, o->lua, "metric.lua", SCRIPT_BYTES_MAX, &file, &text, err);
    if (status == PAWL_OK) {
        const struct pawl_lua_script script = {
            .name = o->lua, .source = text, .entry = "score", .limits = PAWL_LUA_LIMITS};
        status = pawl_lua_open(&script, &lua, err);
    }
    if (status == PAWL_OK) {
        struct lua_metric *metric = pawl_xcalloc(1, sizeof *metric);
        *metric = (struct lua_metric){lua, pawl_hash_str(text)};
        *state = metric;
    }
    pawl_arena_release(&file);
    return status;
}

static void close_lua(void *state)
{
    struct lua_metric *metric = state;
    pawl_lua_close(metric->lua);
    free(metric);
}

static json_t *identity(void *state)
{
    char hex[PAWL_HASH_HEX];
    pawl_hash_hex(&((struct lua_metric *)state)->content, hex);
    return json_string(hex);
}

static enum pawl_status score(void *state, const void *options, struct pawl_arena *arena,
                              const struct pawl_metric_call *call,
                              struct pawl_metric_result *result, struct pawl_error *err)
{
    (void)options, (void)err;
    struct lua_metric *metric = state;
    struct lua_score score = {call, arena, result};
    struct pawl_lua_call run = {.push = push_call, .take = take_score, .context = &score};
    if (pawl_lua_call(metric->lua, &run)) return PAWL_OK;
    *result = (struct pawl_metric_result){
        .failed = true, .feedback = pawl_script_fault("The metric", run.reason, arena)};
    return PAWL_OK;
}

const struct pawl_metric_kind pawl_metric_lua = {
    .api = PAWL_METRIC_API,
    .name = "lua",
    .summary = "a function score(call) in Lua",
    .flags = PAWL_METRIC_NAMED,
    .options = options_table,
    .options_bytes = sizeof(struct options),
    .open = open_lua,
    .close = close_lua,
    .identity = identity,
    .score = score,
};
