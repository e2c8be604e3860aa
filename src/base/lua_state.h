/*
 * lua_state.h - Lua 5.4 that other people wrote, run with limits and without a memory.
 *
 * A script is a text that defines a global function, its entry. It is loaded once into each of a
 * few states; a call takes a state nobody else uses, runs the entry, and puts the state back.
 * Compiled into the worker only: the front runs no Lua.
 *
 * Invariants
 *   1. A call leaves nothing behind. Globals and every table that the script made while loading are
 *      read-only afterwards; a call that assigns a global assigns in an environment of its own, and
 *      the script's file-level locals start each call with the values they had after loading.
 *   2. A call is bounded: memory_bytes per state, `instructions` per call. Reaching a bound, or any
 *      error in the script, is an answer (false and a sentence), never a C error.
 *   3. A call depends on its arguments alone: no clock, files, processes, chance or addresses;
 *      pairs() goes through keys in order (numbers, then strings, then booleans).
 *   4. What is left of Lua: base without load, require, rawset and the like, string, table, math
 *      without random, utf8. print() is ignored. A finalizer (__gc) cannot be set.
 * What runs in C counts too: a step of a pattern match (lua_pattern.h), a byte that is copied, an
 * element that a table function moves.
 *
 * A call may wait: one of `functions` notes what it wants and ends in pawl_lua_wait, the script stops
 * there, and `serve` does what was wanted on the caller's own stack, be it for minutes. So what a
 * script asks for never runs on top of Lua, and may itself run Lua.
 *
 *     struct pawl_lua_script script = {.name = "m.lua", .source = text, .entry = "complete",
 *                                      .limits = PAWL_LUA_LIMITS};
 *     PAWL_TRY(pawl_lua_open(&script, &lua, err));
 *     struct pawl_lua_call call = {.push = push_request, .take = take_reply, .context = &mine};
 *     if (!pawl_lua_call(lua, &call)) say(call.reason);
 */
#ifndef PAWL_BASE_LUA_STATE_H
#define PAWL_BASE_LUA_STATE_H

#include "base/error.h"
#include "base/str.h"

#include <lauxlib.h>
#include <lua.h>
#include <stdint.h>

struct pawl_lua_limits {
    size_t memory_bytes;  /* of one state, everything included */
    int64_t instructions; /* of one call, and of loading */
};
#define PAWL_LUA_LIMITS ((struct pawl_lua_limits){64u << 20, 20000000})

struct pawl_lua_script {
    const char *name; /* shown in messages; usually the file */
    struct pawl_str source;
    const char *entry;         /* the global function that is called */
    const luaL_Reg *functions; /* further globals, ends in {NULL, NULL}; may be NULL */
    struct pawl_lua_limits limits;
};

/* A script and its states. Calls come from any thread, many at a time. */
struct pawl_lua;

/* Load `script` once, to see that it works. Fails PAWL_ECONFIG with file and line, also when the
 * entry is missing. Copies what it keeps, except `functions`. */
PAWL_MUST_CHECK enum pawl_status pawl_lua_open(const struct pawl_lua_script *script,
                                               struct pawl_lua **lua, struct pawl_error *err);
void pawl_lua_close(struct pawl_lua *lua); /* no call may be under way; NULL is allowed */

struct pawl_lua_call {
    /* Push the arguments, give their number. May raise Lua errors. */
    int (*push)(lua_State *L, void *context);
    /* Read the one result, at the top of the stack. May raise Lua errors; copies what it keeps. */
    void (*take)(lua_State *L, void *context);
    void *context;
    /* Do what the script waits for, outside of Lua. False ends the call: no pcall of the script's sees
     * it, and `reason` is empty. NULL: this call cannot wait. */
    bool (*serve)(void *context);
    char reason[256]; /* out: a sentence when the call failed; may hold any bytes of the script's */
};
/* Call the entry. False when the script failed or reached a limit. Needs 512 KiB of C stack. */
PAWL_MUST_CHECK bool pawl_lua_call(struct pawl_lua *lua, struct pawl_lua_call *call);

/* For `functions`: the context of the call under way, NULL while the script loads. */
void *pawl_lua_context(lua_State *L);
/* For `functions`: `return pawl_lua_wait(L, go_on)` lets `serve` run; then go_on(L, ...) gives what the
 * function gives, and may raise errors. A Lua error where the script cannot stop: while it loads, and in
 * what table.sort, string.gsub or a metamethod calls. */
int pawl_lua_wait(lua_State *L, lua_KFunction go_on);

#endif
