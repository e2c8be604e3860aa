#include "program/lua_text.h"

struct question {
    const json_t *argument;
    struct pawl_buf text;
};

static int push_argument(lua_State *L, void *context)
{
    pawl_lua_push_json(L, ((struct question *)context)->argument);
    return 1;
}

/* As JSON. */
static void take_table(lua_State *L, struct question *question)
{
    const char *fault;
    json_t *value = pawl_lua_take_json(L, -1, &fault);
    if (!value) luaL_error(L, "it gives a table that cannot be shown: %s", fault);
    pawl_json_write(value, &question->text);
    json_decref(value);
}

static void take_text(lua_State *L, void *context)
{
    struct question *question = context;
    struct pawl_str text;
    int type = lua_type(L, -1);
    if (type == LUA_TTABLE) {
        take_table(L, question);
        return;
    }
    if (type != LUA_TSTRING && type != LUA_TNUMBER && type != LUA_TBOOLEAN)
        luaL_error(L, "it gives a %s: it has to return one text, number, boolean or table",
                   luaL_typename(L, -1));
    if (type == LUA_TBOOLEAN)
        text = pawl_str_of(lua_toboolean(L, -1) ? "true" : "false");
    else
        text.ptr = lua_tolstring(L, -1, &text.len);
    if (text.len > PAWL_LUA_TEXT_MAX) luaL_error(L, "it gives more than 1 MiB");
    pawl_utf8_repair(text, &question->text);
}

bool pawl_lua_text(struct pawl_lua *lua, const json_t *argument, struct pawl_arena *arena,
                   struct pawl_str *text)
{
    struct question question = {argument, PAWL_BUF(4 * PAWL_LUA_TEXT_MAX)};
    struct pawl_lua_call call = {.push = push_argument, .take = take_text, .context = &question};
    bool good = pawl_lua_call(lua, &call);
    if (!good) {
        pawl_buf_reset(&question.text);
        pawl_utf8_repair(pawl_str_of(call.reason), &question.text);
    }
    *text = pawl_arena_copy(arena, pawl_buf_str(&question.text));
    pawl_buf_release(&question.text);
    return good;
}

struct pawl_str pawl_lua_code_of(struct pawl_str reply)
{
    const char *open = reply.len ? memmem(reply.ptr, reply.len, "```", 3) : NULL;
    if (!open) return pawl_str_trim(reply);
    struct pawl_str rest = {open + 3, reply.len - (size_t)(open + 3 - reply.ptr)}, line;
    if (memchr(rest.ptr, '\n', rest.len)) (void)pawl_str_split(&rest, '\n', &line);
    const char *close = rest.len ? memmem(rest.ptr, rest.len, "```", 3) : NULL;
    if (close) rest.len = (size_t)(close - rest.ptr);
    return pawl_str_trim(rest);
}
