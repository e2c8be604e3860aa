/*
 * The Lua that is left: everything here answers from its arguments alone and comes to an end.
 * Functions of the standard libraries that could loop in C without end, read an address, reach the
 * file system or write behind a read-only table are missing or replaced.
 */
#include "base/lua_private.h"

#include <lualib.h>
#include <stdlib.h>
#include <string.h>

/* --- pairs in order --------------------------------------------------------------------------- */

enum key_rank { KEY_NUMBER, KEY_STRING, KEY_BOOLEAN, KEY_OTHER };
struct key {
    enum key_rank rank;
    lua_Number number; /* of a number; of a boolean 0 or 1; otherwise 0 */
    const char *text;
    size_t len;
    int at; /* in the table of keys, from 1; keeps the sort stable */
};

static int compare_keys(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    if (x->rank != y->rank) return x->rank < y->rank ? -1 : 1;
    if (x->number < y->number) return -1;
    if (x->number > y->number) return 1;
    if (x->rank == KEY_STRING) {
        int order = memcmp(x->text, y->text, x->len < y->len ? x->len : y->len);
        if (order != 0) return order;
        if (x->len != y->len) return x->len < y->len ? -1 : 1;
    }
    return x->at - y->at;
}

static struct key key_at(lua_State *L, int index, int at)
{
    struct key key = {.rank = KEY_OTHER, .at = at};
    switch (lua_type(L, index)) {
    case LUA_TNUMBER:
        key.rank = KEY_NUMBER;
        key.number = lua_tonumber(L, index);
        break;
    case LUA_TSTRING:
        key.rank = KEY_STRING;
        key.text = lua_tolstring(L, index, &key.len);
        break;
    case LUA_TBOOLEAN:
        key.rank = KEY_BOOLEAN;
        key.number = lua_toboolean(L, index);
        break;
    }
    return key;
}

/* Upvalues: the real table, its keys, their order, the position. */
static int pairs_step(lua_State *L)
{
    const struct key *order = lua_touserdata(L, lua_upvalueindex(3));
    size_t n = lua_rawlen(L, lua_upvalueindex(3)) / sizeof *order;
    size_t i = (size_t)lua_tointeger(L, lua_upvalueindex(4));
    for (; i < n; i++) {
        lua_rawgeti(L, lua_upvalueindex(2), order[i].at);
        lua_pushvalue(L, -1);
        if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) { /* not removed on the way */
            lua_pushinteger(L, (lua_Integer)i + 1);
            lua_replace(L, lua_upvalueindex(4));
            return 2;
        }
        lua_pop(L, 2);
    }
    return 0;
}

static int lib_pairs(lua_State *L)
{
    luaL_checkany(L, 1);
    pawl_lua_push_real(L, 1);
    if (luaL_getmetafield(L, -1, "__pairs") != LUA_TNIL) {
        lua_pushvalue(L, 1);
        lua_call(L, 1, 3);
        return 3;
    }
    luaL_checktype(L, -1, LUA_TTABLE);
    int real = lua_gettop(L);
    int n = 0;
    for (lua_pushnil(L); lua_next(L, real); lua_pop(L, 1)) n++;
    pawl_lua_spend_walk(L, (size_t)n);

    lua_createtable(L, n, 0);
    struct key *order = lua_newuserdatauv(L, (size_t)n * sizeof *order, 0);
    int at = 0;
    for (lua_pushnil(L); lua_next(L, real);) {
        lua_pop(L, 1);
        lua_pushvalue(L, -1);
        lua_rawseti(L, real + 1, at + 1);
        order[at] = key_at(L, -1, at + 1);
        at++;
    }
    if (n > 1) qsort(order, (size_t)n, sizeof *order, compare_keys);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, pairs_step, 4);
    return 1;
}

/* next(t) asks whether a table is empty; going on from a key is what pairs is for. */
static int lib_next(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    if (!lua_isnoneornil(L, 2)) return luaL_error(L, "next() takes no key here: use pairs()");
    lua_settop(L, 1);
    lib_pairs(L);
    lua_call(L, 0, LUA_MULTRET);
    if (lua_gettop(L) == 1 || lua_isnil(L, 2)) {
        lua_pushnil(L);
        return 1;
    }
    return lua_gettop(L) - 1;
}

/* --- replaced functions ----------------------------------------------------------------------- */

static int lib_print(lua_State *L)
{
    (void)L;
    return 0;
}

/* No addresses: a table is "table". */
static int lib_tostring(lua_State *L)
{
    luaL_checkany(L, 1);
    int type = lua_type(L, 1);
    bool named = luaL_getmetafield(L, 1, "__tostring") != LUA_TNIL;
    if (!named && (type == LUA_TTABLE || type == LUA_TFUNCTION || type == LUA_TUSERDATA))
        lua_pushstring(L, lua_typename(L, type));
    else
        luaL_tolstring(L, 1, NULL);
    return 1;
}

static bool has_raw(lua_State *L, int table, const char *key)
{
    lua_pushstring(L, key);
    bool has = lua_rawget(L, table) != LUA_TNIL;
    lua_pop(L, 1);
    return has;
}

/* Finalizers run outside every limit, weak tables show when memory is collected. */
static int lib_setmetatable(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    int type = lua_type(L, 2);
    luaL_argexpected(L, type == LUA_TNIL || type == LUA_TTABLE, 2, "nil or table");
    if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
        return luaL_error(L, "the metatable of this table cannot be changed");
    lua_settop(L, 2);
    pawl_lua_push_real(L, 2);
    if (type == LUA_TTABLE && (has_raw(L, 3, "__gc") || has_raw(L, 3, "__mode")))
        return luaL_error(L, "__gc and __mode are not available");
    lua_setmetatable(L, 1);
    lua_settop(L, 1);
    return 1;
}

static int lib_getmetatable(lua_State *L)
{
    luaL_checkany(L, 1);
    if (!lua_getmetatable(L, 1)) {
        lua_pushnil(L);
        return 1;
    }
    if (luaL_getmetafield(L, 1, "__metatable") == LUA_TNIL) pawl_lua_to_frozen(L);
    return 1;
}

static int lib_rep(lua_State *L)
{
    size_t len, separator_len;
    const char *text = luaL_checklstring(L, 1, &len);
    lua_Integer n = luaL_checkinteger(L, 2);
    const char *separator = luaL_optlstring(L, 3, "", &separator_len);
    size_t each = len + separator_len;
    if (n <= 0 || each == 0) {
        lua_pushliteral(L, "");
        return 1;
    }
    if ((uint64_t)n > pawl_lua_self(L)->limit_bytes / each)
        return luaL_error(L, "not enough memory");
    luaL_Buffer buffer;
    luaL_buffinit(L, &buffer);
    for (lua_Integer i = 0; i < n; i++) {
        luaL_addlstring(&buffer, text, len);
        if (i + 1 < n) luaL_addlstring(&buffer, separator, separator_len);
    }
    luaL_pushresult(&buffer);
    return 1;
}

/*
 * Guards a function of the table library. A __len of the script's could send it counting to 2^63,
 * and its loops in C are work that the instruction hook does not see.
 * Upvalues: the function; the number of arguments from which on its work is linear.
 */
static int lib_table_function(lua_State *L)
{
    if (lua_istable(L, 1)) {
        int n_arguments = lua_gettop(L);
        if (luaL_getmetafield(L, 1, "__len") != LUA_TNIL &&
            lua_tocfunction(L, -1) != pawl_lua_frozen_len)
            return luaL_error(L, "table functions want a table without __len");
        pawl_lua_push_real(L, 1);
        if (n_arguments >= lua_tointeger(L, lua_upvalueindex(2)))
            pawl_lua_spend(L, lua_rawlen(L, -1) / 8);
        lua_settop(L, n_arguments);
    }
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

bool pawl_lua_library_owns(lua_State *L, int index)
{
    return lua_tocfunction(L, index) == lib_table_function;
}

/* --- what is opened --------------------------------------------------------------------------- */

static void remove_fields(lua_State *L, const char *const *names)
{
    for (; *names; names++) {
        lua_pushnil(L);
        lua_setfield(L, -2, *names);
    }
}

static void open_table_library(lua_State *L)
{
    static const struct {
        const char *name;
        int linear_from;
    } guarded[] = {{"insert", 3}, {"remove", 2}, {"concat", 1}, {"sort", 1}, {"unpack", 1}};
    luaL_requiref(L, LUA_TABLIBNAME, luaopen_table, 1);
    remove_fields(L, (const char *const[]){"move", NULL});
    for (size_t i = 0; i < sizeof guarded / sizeof *guarded; i++) {
        lua_getfield(L, -1, guarded[i].name);
        lua_pushinteger(L, guarded[i].linear_from);
        lua_pushcclosure(L, lib_table_function, 2);
        lua_setfield(L, -2, guarded[i].name);
    }
    lua_pop(L, 1);
}

static void open_string_library(lua_State *L)
{
    luaL_requiref(L, LUA_STRLIBNAME, luaopen_string, 1);
    remove_fields(L, (const char *const[]){"dump", NULL});
    lua_pushcfunction(L, lib_rep);
    lua_setfield(L, -2, "rep");
    pawl_lua_match_open(L);
    /* getmetatable("").__index must not lead to the real string table. */
    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 3);
}

void pawl_lua_library_open(lua_State *L)
{
    static const luaL_Reg replaced[] = {{"pairs", lib_pairs},
                                        {"next", lib_next},
                                        {"print", lib_print},
                                        {"tostring", lib_tostring},
                                        {"setmetatable", lib_setmetatable},
                                        {"getmetatable", lib_getmetatable},
                                        {NULL, NULL}};
    luaL_requiref(L, LUA_GNAME, luaopen_base, 1);
    lua_pop(L, 1);
    /* xpcall: a message handler called from the instruction hook would run without the hook. */
    remove_fields(L, (const char *const[]){"load", "loadfile", "dofile", "collectgarbage", "rawset",
                                           "rawget", "rawlen", "xpcall", "warn", LUA_GNAME, NULL});
    luaL_setfuncs(L, replaced, 0);
    open_table_library(L);
    open_string_library(L);
    luaL_requiref(L, LUA_MATHLIBNAME, luaopen_math, 1);
    remove_fields(L, (const char *const[]){"random", "randomseed", NULL});
    lua_pop(L, 1);
    luaL_requiref(L, LUA_UTF8LIBNAME, luaopen_utf8, 1);
    lua_pop(L, 1);
}
