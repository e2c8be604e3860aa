/*
 * Freezing. Lua has no read-only tables, so each table that survives loading is replaced, wherever
 * it is reachable from, by a proxy: an empty table whose metatable answers reads from the real one
 * and refuses writes. The walk keeps its own list of work: a script's tables may be deeper than the
 * C stack.
 *
 * Registry: [&frozen_of] = {real table = proxy, proxy = itself, function seen = true}
 * Metatable of a proxy: [&real_of] = the real table
 */
#include "base/lua_private.h"

#include "base/arena.h"

#include <stdlib.h>

static const char frozen_of, real_of;

struct walk {
    lua_State *L;
    int seen;   /* stack index of the table behind frozen_of */
    int todo;   /* of {table or function, ...} */
    int locals; /* of {function, value, ...}, and the identities already in it */
    lua_Integer n_todo;
    void *environment; /* identity of the chunk's _ENV, which each call replaces */
};

bool pawl_lua_push_real(lua_State *L, int index)
{
    index = lua_absindex(L, index);
    if (lua_getmetatable(L, index)) {
        if (lua_rawgetp(L, -1, &real_of) == LUA_TTABLE) {
            lua_remove(L, -2);
            return true;
        }
        lua_pop(L, 2);
    }
    lua_pushvalue(L, index);
    return false;
}

void pawl_lua_to_frozen(lua_State *L)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &frozen_of) != LUA_TTABLE) { /* still loading */
        lua_pop(L, 1);
        return;
    }
    lua_pushvalue(L, -2);
    lua_rawget(L, -2);
    lua_remove(L, -2);
    lua_remove(L, lua_istable(L, -1) ? -2 : -1);
}

static int refuse_write(lua_State *L)
{
    return luaL_error(L, "what a script makes while loading is read-only afterwards");
}

int pawl_lua_frozen_len(lua_State *L)
{
    pawl_lua_push_real(L, 1);
    lua_len(L, -1);
    return 1;
}

/* For a real table with an __index of its own; upvalues: the real table, the frozen __index. */
static int frozen_index(lua_State *L)
{
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
    lua_pushvalue(L, lua_upvalueindex(2));
    if (lua_isfunction(L, -1)) {
        lua_pushvalue(L, 1);
        lua_pushvalue(L, 2);
        lua_call(L, 2, 1);
    } else {
        lua_pushvalue(L, 2);
        lua_gettable(L, -2);
    }
    return 1;
}

static void add_todo(struct walk *walk, int index)
{
    lua_pushvalue(walk->L, index);
    lua_rawseti(walk->L, walk->todo, ++walk->n_todo);
}

static bool was_seen(struct walk *walk, int index)
{
    lua_pushvalue(walk->L, index);
    bool seen = lua_rawget(walk->L, walk->seen) != LUA_TNIL;
    lua_pop(walk->L, 1);
    return seen;
}

/* An iterator (string.gmatch, pairs) kept in a global would move on from call to call. */
static void refuse_iterator(lua_State *L, int index)
{
    if (!pawl_lua_library_owns(L, index) && lua_getupvalue(L, index, 1))
        luaL_error(L, "an iterator made while loading cannot be kept for later");
}

/* Replace the value at the top by its frozen form. */
static void freeze_value(struct walk *walk)
{
    lua_State *L = walk->L;
    int value = lua_gettop(L);
    if (lua_isfunction(L, value)) {
        if (was_seen(walk, value)) return;
        if (lua_iscfunction(L, value)) refuse_iterator(L, value);
        lua_pushvalue(L, value);
        lua_pushboolean(L, 1);
        lua_rawset(L, walk->seen);
        add_todo(walk, value);
    } else if (lua_istable(L, value)) {
        if (!was_seen(walk, value)) {
            lua_newtable(L); /* the proxy; frozen, it is itself */
            lua_pushvalue(L, -1);
            lua_pushvalue(L, -1);
            lua_rawset(L, walk->seen);
            lua_pushvalue(L, value);
            lua_insert(L, -2);
            lua_rawset(L, walk->seen);
            add_todo(walk, value);
        }
        lua_rawget(L, walk->seen);
    } else if (lua_type(L, value) >= LUA_TUSERDATA) {
        luaL_error(L, "a %s cannot be kept for later", luaL_typename(L, value));
    }
}

/* Give the proxy of the table at `real` its metatable: its own metamethods, ours over them. */
static void make_proxy(struct walk *walk, int real)
{
    lua_State *L = walk->L;
    lua_newtable(L);
    int meta = lua_gettop(L);
    bool own_index = false;
    if (lua_getmetatable(L, real)) {
        int own = lua_gettop(L);
        for (lua_pushnil(L); lua_next(L, own);) {
            freeze_value(walk);
            lua_pushvalue(L, -2);
            lua_insert(L, -2);
            lua_rawset(L, meta);
        }
        lua_pop(L, 1);
        lua_pushliteral(L, "__index");
        own_index = lua_rawget(L, meta) != LUA_TNIL;
        lua_pop(L, 1);
    }
    lua_pushvalue(L, real);
    if (own_index) {
        lua_pushliteral(L, "__index");
        lua_rawget(L, meta);
        lua_pushcclosure(L, frozen_index, 2);
    }
    lua_setfield(L, meta, "__index");
    lua_pushcfunction(L, refuse_write);
    lua_setfield(L, meta, "__newindex");
    if (lua_getfield(L, meta, "__len") == LUA_TNIL) {
        lua_pushcfunction(L, pawl_lua_frozen_len);
        lua_setfield(L, meta, "__len");
    }
    lua_pop(L, 1);
    lua_pushboolean(L, 0);
    lua_setfield(L, meta, "__metatable");
    lua_pushvalue(L, real);
    lua_rawsetp(L, meta, &real_of);

    lua_pushvalue(L, real);
    lua_rawget(L, walk->seen);
    lua_insert(L, -2);
    lua_setmetatable(L, -2);
    lua_pop(L, 1);
}

static void freeze_fields(struct walk *walk, int real)
{
    lua_State *L = walk->L;
    for (lua_pushnil(L); lua_next(L, real);) {
        if (lua_type(L, -2) == LUA_TTABLE)
            luaL_error(L, "a table with tables as keys cannot be kept for later");
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        freeze_value(walk);
        lua_rawset(L, real);
    }
}

/* A file-level local is shared by the functions that name it, but has one identity. */
static void note_local(struct walk *walk, int function, int index, int *capacity)
{
    lua_State *L = walk->L;
    struct pawl_lua_state *state = pawl_lua_self(L);
    void *identity = lua_upvalueid(L, function, index);
    bool known = lua_rawgetp(L, walk->locals, identity) != LUA_TNIL;
    lua_pop(L, 1);
    if (known) return;
    lua_pushboolean(L, 1);
    lua_rawsetp(L, walk->locals, identity);

    if (state->n_locals == *capacity) {
        *capacity = *capacity * 2 + 16;
        state->local_indices =
            pawl_xrealloc(state->local_indices, (size_t)*capacity * sizeof *state->local_indices);
    }
    state->local_indices[state->n_locals] = index;
    lua_pushvalue(L, function);
    lua_rawseti(L, walk->locals, 2 * state->n_locals + 1);
    lua_pushvalue(L, -1); /* the frozen value */
    lua_rawseti(L, walk->locals, 2 * state->n_locals + 2);
    state->n_locals++;
}

static void freeze_locals(struct walk *walk, int function, int *capacity)
{
    lua_State *L = walk->L;
    for (int i = 1; lua_getupvalue(L, function, i); i++) {
        if (lua_upvalueid(L, function, i) != walk->environment) {
            freeze_value(walk);
            note_local(walk, function, i, capacity);
            lua_setupvalue(L, function, i);
        } else {
            lua_pop(L, 1);
        }
    }
}

void pawl_lua_freeze(lua_State *L)
{
    struct pawl_lua_state *state = pawl_lua_self(L);
    struct walk walk = {.L = L};
    int globals = lua_gettop(L), capacity = 0;
    lua_newtable(L);
    walk.seen = lua_gettop(L);
    lua_newtable(L);
    walk.todo = lua_gettop(L);
    lua_newtable(L);
    walk.locals = lua_gettop(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, state->chunk);
    walk.environment = lua_upvalueid(L, -1, 1);
    lua_pop(L, 1);

    lua_pushvalue(L, globals);
    freeze_value(&walk);
    lua_pop(L, 1);
    for (lua_Integer i = 1; i <= walk.n_todo; i++) {
        lua_rawgeti(L, walk.todo, i);
        int item = lua_gettop(L);
        if (lua_istable(L, item)) {
            freeze_fields(&walk, item);
            make_proxy(&walk, item);
        } else if (!lua_iscfunction(L, item)) {
            freeze_locals(&walk, item, &capacity);
        }
        lua_settop(L, item - 1);
    }
    lua_pushvalue(L, walk.seen);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &frozen_of);
    lua_pushvalue(L, walk.locals);
    state->locals = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_settop(L, globals);
}
