#include "base/lua_json.h"

#include "base/lua_private.h"

#include <math.h>

/* Depth is bounded by the JSON reader. */
void pawl_lua_push_json(lua_State *L, const json_t *value)
{
    const char *key;
    size_t i;
    json_t *item;
    luaL_checkstack(L, 4, "the value is nested too deeply");
    switch (json_typeof(value)) {
    case JSON_STRING:
        lua_pushlstring(L, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        lua_pushinteger(L, (lua_Integer)json_integer_value(value));
        break;
    case JSON_REAL:
        lua_pushnumber(L, json_real_value(value));
        break;
    case JSON_TRUE:
        lua_pushboolean(L, 1);
        break;
    case JSON_FALSE:
        lua_pushboolean(L, 0);
        break;
    case JSON_NULL:
        lua_pushnil(L);
        break;
    case JSON_ARRAY:
        lua_createtable(L, (int)json_array_size(value), 0);
        json_array_foreach((json_t *)(uintptr_t)value, i, item)
        {
            pawl_lua_push_json(L, item);
            lua_rawseti(L, -2, (lua_Integer)i + 1);
        }
        break;
    case JSON_OBJECT:
        lua_createtable(L, 0, (int)json_object_size(value));
        json_object_foreach((json_t *)(uintptr_t)value, key, item)
        {
            pawl_lua_push_json(L, item);
            lua_setfield(L, -2, key);
        }
        break;
    }
}

/* --- back ------------------------------------------------------------------------------------- */

struct taking {
    lua_State *L;
    size_t n_items, n_bytes;
    const char *fault;
};

static json_t *take_value(struct taking *t, int index, int depth);

static json_t *refuse(struct taking *t, const char *fault)
{
    if (!t->fault) t->fault = fault;
    return NULL;
}

static json_t *take_text(struct taking *t, int index)
{
    struct pawl_str text;
    text.ptr = lua_tolstring(t->L, index, &text.len);
    t->n_bytes += text.len;
    if (t->n_bytes > PAWL_LUA_JSON_BYTES_MAX) return refuse(t, "it is over 4 MiB");
    return pawl_json_string(text);
}

static json_t *take_number(struct taking *t, int index)
{
    if (lua_isinteger(t->L, index)) return json_integer(lua_tointeger(t->L, index));
    double number = lua_tonumber(t->L, index);
    return isfinite(number) ? json_real(number) : refuse(t, "a number in it is not finite");
}

/* Whether the keys of the table at the top are 1 to *n; of the empty one they are. */
static bool is_list(lua_State *L, size_t *n)
{
    size_t n_keys = 0;
    bool only_numbers = true;
    *n = lua_rawlen(L, -1);
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        n_keys++;
        only_numbers = only_numbers && lua_isinteger(L, -2) && lua_tointeger(L, -2) >= 1 &&
                       (size_t)lua_tointeger(L, -2) <= *n;
    }
    return only_numbers && n_keys == *n;
}

static json_t *take_list(struct taking *t, size_t n, int depth)
{
    json_t *list = json_array();
    for (size_t i = 1; i <= n && !t->fault; i++) {
        lua_rawgeti(t->L, -1, (lua_Integer)i);
        json_t *item = take_value(t, -1, depth + 1);
        if (item) json_array_append_new(list, item);
        lua_pop(t->L, 1);
    }
    return list;
}

static json_t *take_map(struct taking *t, int depth)
{
    json_t *map = json_object();
    lua_pushnil(t->L);
    while (!t->fault && lua_next(t->L, -2)) {
        struct pawl_str key = {NULL, 0};
        if (lua_type(t->L, -2) == LUA_TSTRING) key.ptr = lua_tolstring(t->L, -2, &key.len);
        if (!key.ptr)
            refuse(t, "a table in it is neither a list nor a map by text");
        else if (!pawl_utf8_is_valid(key, NULL) || memchr(key.ptr, '\0', key.len))
            refuse(t, "a key in it is no text in UTF-8");
        t->n_bytes += key.len;
        json_t *item = t->fault ? NULL : take_value(t, -1, depth + 1);
        if (item) pawl_json_set(map, key.ptr, item);
        lua_pop(t->L, 1);
    }
    return map;
}

static json_t *take_table(struct taking *t, int index, int depth)
{
    size_t n;
    if (depth >= PAWL_LUA_JSON_DEPTH || !lua_checkstack(t->L, 8))
        return refuse(t, "it is nested too deeply");
    int top = lua_gettop(t->L);
    pawl_lua_push_real(t->L, index);
    json_t *value = is_list(t->L, &n) ? take_list(t, n, depth) : take_map(t, depth);
    lua_settop(t->L, top);
    if (!t->fault) return value;
    json_decref(value);
    return NULL;
}

static json_t *take_value(struct taking *t, int index, int depth)
{
    if (++t->n_items > PAWL_LUA_JSON_ITEMS_MAX) return refuse(t, "it has over 100000 values");
    switch (lua_type(t->L, index)) {
    case LUA_TNIL:
        return json_null();
    case LUA_TBOOLEAN:
        return json_boolean(lua_toboolean(t->L, index));
    case LUA_TNUMBER:
        return take_number(t, index);
    case LUA_TSTRING:
        return take_text(t, index);
    case LUA_TTABLE:
        return take_table(t, index, depth);
    }
    return refuse(t, "it is, or holds, what is no text, number, boolean or table");
}

json_t *pawl_lua_take_json(lua_State *L, int index, const char **fault)
{
    struct taking t = {.L = L};
    json_t *value = NULL;
    if (lua_checkstack(L, 8))
        value = take_value(&t, lua_absindex(L, index), 0);
    else
        refuse(&t, "not enough memory");
    if (t.fault) *fault = t.fault;
    return value;
}
