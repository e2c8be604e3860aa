#include "base/lua_json.h"

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
