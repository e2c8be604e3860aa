#include "program/script.h"

#include <math.h>

struct question {
    const json_t *argument;
    double *number;
    struct pawl_buf feedback;
};
enum { FEEDBACK_BYTES_MAX = 64 << 10 };

enum pawl_status pawl_script_open(const char *source, const char *entry, struct pawl_lua **script,
                                  struct pawl_error *err)
{
    struct pawl_error why = {0};
    const struct pawl_lua_script settings = {
        .name = entry, .source = pawl_str_of(source), .entry = entry, .limits = PAWL_LUA_LIMITS};
    if (pawl_lua_open(&settings, script, &why) == PAWL_OK) return PAWL_OK;
    pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, entry, "The Lua of \"%s\" cannot be used: %.300s",
                 entry, why.message);
    pawl_hint(err, "Write `%s: \"function %s(call) return ... end\"`.", entry, entry);
    return PAWL_ECONFIG;
}

static int push_argument(lua_State *L, void *context)
{
    pawl_lua_push_json(L, ((struct question *)context)->argument);
    return 1;
}

static double number_at_top(lua_State *L)
{
    double value = NAN;
    if (lua_type(L, -1) == LUA_TBOOLEAN) value = lua_toboolean(L, -1);
    if (lua_type(L, -1) == LUA_TNUMBER) value = lua_tonumber(L, -1);
    return value;
}

static void take_number(lua_State *L, void *context)
{
    double *number = ((struct question *)context)->number;
    *number = number_at_top(L);
    if (!isfinite(*number)) luaL_error(L, "it gave neither a number nor true or false");
}

static void take_check(lua_State *L, void *context)
{
    struct question *question = context;
    if (lua_type(L, -1) != LUA_TTABLE) {
        take_number(L, context);
        return;
    }
    struct pawl_str said = {NULL, 0};
    lua_pushliteral(L, "score");
    lua_rawget(L, -2);
    *question->number = number_at_top(L);
    lua_pop(L, 1);
    lua_pushliteral(L, "feedback");
    lua_rawget(L, -2);
    if (lua_type(L, -1) == LUA_TSTRING) said.ptr = lua_tolstring(L, -1, &said.len);
    if (said.len > FEEDBACK_BYTES_MAX / 4) luaL_error(L, "its feedback is longer than 16 KiB");
    if (said.ptr) pawl_utf8_repair(said, &question->feedback);
    lua_pop(L, 1);
    if (!isfinite(*question->number)) luaL_error(L, "it gave a table without a number \"score\"");
}

const char *pawl_script_fault(const char *who, const char *reason, struct pawl_arena *arena)
{
    struct pawl_buf text = PAWL_BUF(64 << 10);
    pawl_utf8_repair(pawl_str_of(reason), &text);
    const char *copy = pawl_arena_printf(arena, "%s failed: %s", who, text.data ? text.data : "");
    pawl_buf_release(&text);
    return copy;
}

const char *pawl_script_number(struct pawl_lua *script, const json_t *argument,
                               struct pawl_arena *arena, double *number)
{
    struct question question = {.argument = argument, .number = number};
    struct pawl_lua_call call = {.push = push_argument, .take = take_number, .context = &question};
    if (pawl_lua_call(script, &call)) return NULL;
    return pawl_script_fault("The project's script", call.reason, arena);
}

const char *pawl_script_check(struct pawl_lua *script, const json_t *argument,
                              struct pawl_arena *arena, double *number, struct pawl_str *feedback)
{
    struct question question = {
        .argument = argument, .number = number, .feedback = PAWL_BUF(FEEDBACK_BYTES_MAX)};
    struct pawl_lua_call call = {.push = push_argument, .take = take_check, .context = &question};
    bool good = pawl_lua_call(script, &call);
    *feedback = pawl_arena_copy(arena, pawl_buf_str(&question.feedback));
    pawl_buf_release(&question.feedback);
    return good ? NULL : pawl_script_fault("The project's script", call.reason, arena);
}
