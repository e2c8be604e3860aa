/*
 * lua_json.h - a JSON value as a Lua value and back: lists become tables from 1, null becomes nil.
 */
#ifndef PAWL_BASE_LUA_JSON_H
#define PAWL_BASE_LUA_JSON_H

#include "base/json.h"
#include "base/lua_state.h"

/* Leaves it on top of the stack. Raises a Lua error where the value is nested too deeply. */
void pawl_lua_push_json(lua_State *L, const json_t *value);

enum {
    PAWL_LUA_JSON_BYTES_MAX = 4 << 20,
    PAWL_LUA_JSON_ITEMS_MAX = 100000,
    PAWL_LUA_JSON_DEPTH = 32
};
/*
 * The other way: the value at `index` as JSON, a new reference, or NULL and why not. A table whose keys are
 * 1 to n is a list, the empty one too; one whose keys are texts a map. Numbers are finite, text that is no
 * UTF-8 is repaired. Asks no metamethod, raises no error, and comes to an end whatever refers to itself.
 */
json_t *pawl_lua_take_json(lua_State *L, int index, const char **fault);

#endif
