#include "base/lua_state.h"

#include "base/arena.h"
#include "base/lua_private.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOOK_EVERY = 1000, LARGE_BYTES = 4096, BYTES_PER_INSTRUCTION = 64 };
enum { WALKED_BYTES_PER_INSTRUCTION = 256 };

struct pawl_lua {
    struct pawl_lua_script script;
    char *name, *source, *entry; /* owned copies of the script's */
    pthread_mutex_t lock;
    struct pawl_lua_state *idle;
};

/* --- limits ----------------------------------------------------------------------------------- */

static void on_count(lua_State *L, lua_Debug *debug);

/* Copying is work that no instruction counts: one of them may join two texts of many megabytes. What
 * is copied is allocated first, so it is charged here; small pieces are an instruction's own. */
static void charge_copy(struct pawl_lua_state *state, size_t n_bytes)
{
    if (n_bytes < LARGE_BYTES) return;
    state->instructions_left -= (int64_t)(n_bytes / BYTES_PER_INSTRUCTION);
    if (state->instructions_left <= 0 && state->running)
        lua_sethook(state->running, on_count, LUA_MASKCOUNT, 1);
}

static void *allocate(void *context, void *old, size_t old_bytes, size_t new_bytes)
{
    struct pawl_lua_state *state = context;
    size_t held = old ? old_bytes : 0; /* without `old`, Lua passes a type tag as the size */
    if (new_bytes > held && new_bytes - held > state->limit_bytes - state->used_bytes) return NULL;
    void *p = NULL;
    if (new_bytes == 0)
        free(old);
    else if (!(p = realloc(old, new_bytes)))
        return NULL;
    state->used_bytes += new_bytes - held;
    if (new_bytes > state->largest_bytes) state->largest_bytes = new_bytes;
    charge_copy(state, new_bytes);
    return p;
}

struct pawl_lua_state *pawl_lua_self(lua_State *L)
{
    struct pawl_lua_state *state;
    memcpy(&state, lua_getextraspace(L), sizeof state);
    return state;
}

void *pawl_lua_context(lua_State *L)
{
    return pawl_lua_self(L)->context;
}

static int out_of_instructions(lua_State *L)
{
    pawl_lua_self(L)->instructions_left = 0;
    lua_sethook(L, on_count, LUA_MASKCOUNT, 1);
    luaL_where(L, 0);
    lua_pushliteral(L, "too many instructions");
    lua_concat(L, 2);
    return lua_error(L);
}

/* After the limit the hook comes at every instruction, so that no pcall in the script gets far. */
static void on_count(lua_State *L, lua_Debug *debug)
{
    (void)debug;
    struct pawl_lua_state *state = pawl_lua_self(L);
    state->instructions_left -= HOOK_EVERY;
    if (state->instructions_left <= 0) out_of_instructions(L);
}

void pawl_lua_spend(lua_State *L, size_t n)
{
    struct pawl_lua_state *state = pawl_lua_self(L);
    if (state->instructions_left <= 0 || (uint64_t)state->instructions_left <= n)
        out_of_instructions(L);
    state->instructions_left -= (int64_t)n;
}

void pawl_lua_spend_walk(lua_State *L, size_t n_entries)
{
    pawl_lua_spend(L, n_entries + pawl_lua_self(L)->largest_bytes / WALKED_BYTES_PER_INSTRUCTION);
}

static void start_limits(struct pawl_lua_state *state, const struct pawl_lua_limits *limits)
{
    state->instructions_left = limits->instructions;
    state->largest_bytes = state->largest_loaded_bytes;
    lua_sethook(state->L, on_count, LUA_MASKCOUNT, HOOK_EVERY);
}

/* --- loading ---------------------------------------------------------------------------------- */

/* The global table stays below; the chunk runs with it as environment, then it is frozen. */
static int load_script(lua_State *L)
{
    const struct pawl_lua *lua = lua_touserdata(L, 1);
    const struct pawl_lua_script *script = &lua->script;
    struct pawl_lua_state *state = pawl_lua_self(L);
    lua_pushglobaltable(L);
    pawl_lua_library_open(L);
    if (script->functions) luaL_setfuncs(L, script->functions, 0);

    char label[256];
    snprintf(label, sizeof label, "@%s", lua->name);
    if (luaL_loadbufferx(L, script->source.ptr, script->source.len, label, "t") != LUA_OK)
        return lua_error(L);
    lua_pushvalue(L, -1);
    state->chunk = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_call(L, 0, 0);

    if (lua_getfield(L, -1, lua->entry) != LUA_TFUNCTION)
        return luaL_error(L, "The script defines no function %s().", lua->entry);
    state->entry = luaL_ref(L, LUA_REGISTRYINDEX);
    pawl_lua_freeze(L);

    lua_createtable(L, 0, 2);
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    state->environment_meta = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

static void state_free(struct pawl_lua_state *state)
{
    if (!state) return;
    if (state->L) lua_close(state->L);
    free(state->local_indices);
    free(state);
}

/* Lua says "name:12: message" where it knows the line; anything that is not text has no message. */
static void take_error(lua_State *L, char *out, size_t room)
{
    size_t len = 0;
    const char *text =
        lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &len) : "an error without a message";
    snprintf(out, room, "%s", text);
}

static struct pawl_lua_state *state_new(const struct pawl_lua *lua, char *reason, size_t room)
{
    struct pawl_lua_state *state = pawl_xcalloc(1, sizeof *state);
    state->limit_bytes = lua->script.limits.memory_bytes;
    state->L = lua_newstate(allocate, state);
    if (!state->L) {
        snprintf(reason, room, "not enough memory");
        state_free(state);
        return NULL;
    }
    state->running = state->L;
    memcpy(lua_getextraspace(state->L), &state, sizeof state);
    start_limits(state, &lua->script.limits);
    lua_pushcfunction(state->L, load_script);
    lua_pushlightuserdata(state->L, (void *)(uintptr_t)lua);
    if (lua_pcall(state->L, 1, 0, 0) != LUA_OK) {
        take_error(state->L, reason, room);
        state_free(state);
        return NULL;
    }
    lua_settop(state->L, 0);
    state->largest_loaded_bytes = state->largest_bytes;
    return state;
}

static enum pawl_status fail_load(const struct pawl_lua *lua, const char *reason,
                                  struct pawl_error *err)
{
    int line = 0;
    size_t n = strlen(lua->name);
    const char *message = reason;
    if (strncmp(reason, lua->name, n) == 0 && reason[n] == ':') {
        char *end;
        line = (int)strtol(reason + n + 1, &end, 10);
        if (*end == ':' && end[1] == ' ') message = end + 2;
    }
    enum pawl_status status = pawl_fail_at(err, PAWL_ECONFIG, lua->name, line, NULL,
                                           "The script cannot be loaded: %s", message);
    pawl_hint(err, "It is Lua 5.4 with base, string, table, math and utf8; it must define %s().",
              lua->entry);
    return status;
}

enum pawl_status pawl_lua_open(const struct pawl_lua_script *script, struct pawl_lua **out,
                               struct pawl_error *err)
{
    struct pawl_lua *lua = pawl_xcalloc(1, sizeof *lua);
    lua->script = *script;
    lua->name = pawl_xstrdup(script->name);
    lua->entry = pawl_xstrdup(script->entry);
    lua->source = pawl_xmalloc(script->source.len + 1);
    if (script->source.len > 0) memcpy(lua->source, script->source.ptr, script->source.len);
    lua->script.source.ptr = lua->source;
    pthread_mutex_init(&lua->lock, NULL);

    char reason[256];
    lua->idle = state_new(lua, reason, sizeof reason);
    if (!lua->idle) {
        enum pawl_status status = fail_load(lua, reason, err);
        pawl_lua_close(lua);
        return status;
    }
    *out = lua;
    return PAWL_OK;
}

void pawl_lua_close(struct pawl_lua *lua)
{
    if (!lua) return;
    while (lua->idle) {
        struct pawl_lua_state *state = lua->idle;
        lua->idle = state->next;
        state_free(state);
    }
    pthread_mutex_destroy(&lua->lock);
    free(lua->source);
    free(lua->entry);
    free(lua->name);
    free(lua);
}

/* --- calling ---------------------------------------------------------------------------------- */

static struct pawl_lua_state *checkout(struct pawl_lua *lua, char *reason, size_t room)
{
    pthread_mutex_lock(&lua->lock);
    struct pawl_lua_state *state = lua->idle;
    if (state) lua->idle = state->next;
    pthread_mutex_unlock(&lua->lock);
    return state ? state : state_new(lua, reason, room);
}

static void checkin(struct pawl_lua *lua, struct pawl_lua_state *state)
{
    pthread_mutex_lock(&lua->lock);
    state->next = lua->idle;
    lua->idle = state;
    pthread_mutex_unlock(&lua->lock);
}

static void reset_locals(lua_State *L, const struct pawl_lua_state *state)
{
    if (state->n_locals == 0) return;
    lua_rawgeti(L, LUA_REGISTRYINDEX, state->locals);
    for (int i = 0; i < state->n_locals; i++) {
        lua_rawgeti(L, -1, 2 * i + 1);
        lua_rawgeti(L, -2, 2 * i + 2);
        lua_setupvalue(L, -2, state->local_indices[i]);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

/* Every function of the script shares the chunk's _ENV, so one assignment gives all a fresh one. */
static void new_environment(lua_State *L, const struct pawl_lua_state *state)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, state->chunk);
    lua_createtable(L, 0, 0);
    lua_rawgeti(L, LUA_REGISTRYINDEX, state->environment_meta);
    lua_setmetatable(L, -2);
    lua_setupvalue(L, -2, 1);
    lua_pop(L, 1);
}

static int finish_call(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    struct pawl_lua_call *call = (struct pawl_lua_call *)context;
    call->take(L, call->context);
    return 0;
}

static int run_call(lua_State *L)
{
    struct pawl_lua_call *call = lua_touserdata(L, 1);
    const struct pawl_lua_state *state = pawl_lua_self(L);
    reset_locals(L, state);
    new_environment(L, state);
    lua_rawgeti(L, LUA_REGISTRYINDEX, state->entry);
    int n_arguments = call->push(L, call->context);
    lua_callk(L, n_arguments, 1, (lua_KContext)call, finish_call);
    return finish_call(L, LUA_OK, (lua_KContext)call);
}

int pawl_lua_wait(lua_State *L, lua_KFunction go_on)
{
    if (!lua_isyieldable(L))
        return luaL_error(L,
                          "nothing can be asked here: not while loading, nor in what table.sort, "
                          "string.gsub or a metamethod calls");
    return lua_yieldk(L, 0, 0, go_on);
}

static int new_thread(lua_State *L)
{
    lua_newthread(L);
    return 1;
}

/* On a thread of its own, which stops where it waits. It has the hook of L, and dies with L's stack. */
static bool call_in_pieces(struct pawl_lua_state *state, struct pawl_lua_call *call)
{
    lua_State *L = state->L, *thread = NULL;
    int n_results = 0, status;
    lua_pushcfunction(L, new_thread);
    if ((status = lua_pcall(L, 0, 1, 0)) == LUA_OK) {
        thread = lua_tothread(L, -1);
        state->running = thread;
        lua_pushcfunction(thread, run_call);
        lua_pushlightuserdata(thread, call);
        status = lua_resume(thread, L, 1, &n_results);
    }
    while (status == LUA_YIELD && call->serve(call->context)) {
        lua_pop(thread, n_results);
        status = lua_resume(thread, L, 0, &n_results);
    }
    call->reason[0] = '\0';
    if (status != LUA_OK && status != LUA_YIELD)
        take_error(thread ? thread : L, call->reason, sizeof call->reason);
    state->running = L;
    return status == LUA_OK;
}

static bool call_at_once(struct pawl_lua_state *state, struct pawl_lua_call *call)
{
    lua_pushcfunction(state->L, run_call);
    lua_pushlightuserdata(state->L, call);
    bool ok = lua_pcall(state->L, 1, 0, 0) == LUA_OK;
    if (!ok) take_error(state->L, call->reason, sizeof call->reason);
    return ok;
}

bool pawl_lua_call(struct pawl_lua *lua, struct pawl_lua_call *call)
{
    struct pawl_lua_state *state = checkout(lua, call->reason, sizeof call->reason);
    if (!state) return false;
    state->context = call->context;
    start_limits(state, &lua->script.limits);
    bool ok = call->serve ? call_in_pieces(state, call) : call_at_once(state, call);
    lua_settop(state->L, 0);
    state->context = NULL;
    checkin(lua, state);
    return ok;
}
