/*
 * lua_private.h - what the lua_*.c files share.
 */
#ifndef PAWL_BASE_LUA_PRIVATE_H
#define PAWL_BASE_LUA_PRIVATE_H

#include "base/lua_state.h"

/* One interpreter; reached from Lua by lua_getextraspace. */
struct pawl_lua_state {
    lua_State *L;
    lua_State *running; /* L, or the thread of a call that may wait */
    size_t used_bytes, limit_bytes;
    size_t largest_bytes,
        largest_loaded_bytes; /* block asked for: so far in this call, by loading */
    int64_t instructions_left;
    void *context;
    int entry, chunk, environment_meta; /* registry references */
    int locals;                         /* {function, value, function, value, ...} */
    int *local_indices;                 /* upvalue index of each pair in `locals` */
    int n_locals;
    struct pawl_lua_state *next; /* in the pool */
};
struct pawl_lua_state *pawl_lua_self(lua_State *L);
/* Count work done in C; raises an error when the call is out of instructions. */
void pawl_lua_spend(lua_State *L, size_t n);
/* Count a walk through a table: every slot is looked at, the empty ones too, and no table has more
 * slots than the largest block had room for. */
void pawl_lua_spend_walk(lua_State *L, size_t n_entries);

/* Open the restricted libraries into the table at the top of the stack (the globals). */
void pawl_lua_library_open(lua_State *L);
/* Put find, match, gmatch and gsub into the table at the top. */
void pawl_lua_match_open(lua_State *L);
/* True for the library's own functions that are closures; they keep no state. */
bool pawl_lua_library_owns(lua_State *L, int index);

/*
 * Make everything reachable from the globals (at the top) read-only, and note the file-level
 * locals. A frozen table is an empty proxy whose metatable holds the real one where no script can
 * see it. Raises an error for what cannot be frozen.
 */
void pawl_lua_freeze(lua_State *L);
/* If the value at `index` is a frozen table push the real one, else push the value itself. */
bool pawl_lua_push_real(lua_State *L, int index);
/* Replace the table at the top by its frozen proxy if it has one. */
void pawl_lua_to_frozen(lua_State *L);
/* The __len of a frozen table that had none of its own. */
int pawl_lua_frozen_len(lua_State *L);

#endif
