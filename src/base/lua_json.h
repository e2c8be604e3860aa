/*
 * lua_json.h - a JSON value as a Lua value: lists become tables from 1, null becomes nil.
 */
#ifndef PAWL_BASE_LUA_JSON_H
#define PAWL_BASE_LUA_JSON_H

#include "base/json.h"
#include "base/lua_state.h"

/* Leaves it on top of the stack. Raises a Lua error where the value is nested too deeply. */
void pawl_lua_push_json(lua_State *L, const json_t *value);

#endif
