/*
 * lua_text.h - a Lua function that takes one value and gives a text: a tool, or a program that a model
 * wrote; and the code in what a model wrote.
 */
#ifndef PAWL_PROGRAM_LUA_TEXT_H
#define PAWL_PROGRAM_LUA_TEXT_H

#include "base/arena.h"
#include "base/lua_json.h"

enum { PAWL_LUA_TEXT_MAX = 1 << 20 };

/* Call the entry of `lua` with `argument`. What it gives is a text, a number, a boolean, or a table, which is
 * shown as JSON. False when it failed or gave something else: then *text is a sentence about it. Valid UTF-8, in `arena`. */
bool pawl_lua_text(struct pawl_lua *lua, const json_t *argument, struct pawl_arena *arena,
                   struct pawl_str *text);

/* The code in a model's reply: its first block between fences, or all of it. Borrowed from `reply`. */
struct pawl_str pawl_lua_code_of(struct pawl_str reply);

#endif
