/* Any Lua script, with small limits: it loads or says why not, and it has no memory: two calls of main()
 * end alike. */
#include "fuzz.h"

#include "base/lua_state.h"

#include <stdio.h>

static int push_text(lua_State *L, void *context)
{
    (void)context;
    lua_pushliteral(L, "Pear, fig; 12 plums (or 13)");
    return 1;
}

static void take_text(lua_State *L, void *context)
{
    size_t len = 0;
    const char *text = lua_tolstring(L, -1, &len);
    snprintf(context, 256, "%s %.200s", luaL_typename(L, -1), text ? text : "");
}

static void call_main(struct pawl_lua *lua, char answer[256])
{
    struct pawl_lua_call call = {.push = push_text, .take = take_text, .context = answer};
    if (!pawl_lua_call(lua, &call)) snprintf(answer, 256, "%s", call.reason);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct pawl_lua *lua;
    struct pawl_error err = {0};
    struct pawl_lua_script script = {.name = "fuzz.lua",
                                     .source = {(const char *)bytes, n_bytes},
                                     .entry = "main",
                                     .limits = {1 << 20, 100000}};
    if (pawl_lua_open(&script, &lua, &err) != PAWL_OK) {
        PAWL_ASSERT(err.status == PAWL_ECONFIG && err.message[0] && err.hint[0]);
        return 0;
    }
    char first[256], second[256];
    call_main(lua, first);
    call_main(lua, second);
    /* How deep memory reaches depends on what the collector has not taken back yet. */
    if (!strstr(first, "memory") && !strstr(second, "memory"))
        PAWL_ASSERT(strcmp(first, second) == 0);
    pawl_lua_close(lua);
    return 0;
}
