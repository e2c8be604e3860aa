/* A call that waits for what it asks, and Lua values as JSON. */
#include "base/lua_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* double(n) waits, and is answered outside of Lua; n < 0 is wrong, 13 ends the call. */
struct waiting {
    lua_Integer asked, answer;
    int n_asked;
    json_t *taken;
    const char *fault;
};

static int go_on(lua_State *L, int status, lua_KContext context)
{
    (void)context;
    struct waiting *w = pawl_lua_context(L);
    assert_int_equal(status, LUA_YIELD);
    if (w->answer < 0) return luaL_error(L, "below zero");
    lua_pushinteger(L, w->answer);
    return 1;
}

static int lua_double(lua_State *L)
{
    struct waiting *w = pawl_lua_context(L);
    if (!w) return luaL_error(L, "not while loading");
    w->asked = luaL_checkinteger(L, 1);
    return pawl_lua_wait(L, go_on);
}

static bool serve(void *context)
{
    struct waiting *w = context;
    w->n_asked++;
    w->answer = 2 * w->asked;
    return w->asked != 13;
}

static int push_nothing(lua_State *L, void *context)
{
    (void)L, (void)context;
    return 0;
}

static void take_json(lua_State *L, void *context)
{
    struct waiting *w = context;
    w->fault = NULL;
    w->taken = pawl_lua_take_json(L, -1, &w->fault);
}

static const luaL_Reg functions[] = {{"double", lua_double}, {NULL, NULL}};

static struct pawl_lua *open_script(const char *source)
{
    struct pawl_lua *lua;
    struct pawl_error err = {0};
    struct pawl_lua_script script = {.name = "t.lua",
                                     .source = pawl_str_of(source),
                                     .entry = "main",
                                     .functions = functions,
                                     .limits = {8u << 20, 2000000}};
    if (pawl_lua_open(&script, &lua, &err) != PAWL_OK) fail_msg("%s", err.message);
    return lua;
}

/* Run main() and expect this JSON, or a part of the failure after an exclamation mark; "" is a call that
 * was ended. */
static struct waiting expect(struct pawl_lua *lua, const char *want)
{
    struct waiting w = {0};
    struct pawl_lua_call call = {
        .push = push_nothing, .take = take_json, .serve = serve, .context = &w};
    bool ran = pawl_lua_call(lua, &call);
    if (want[0] == '!' || want[0] == '\0') {
        assert_false(ran);
        if (want[0] == '\0')
            assert_string_equal(call.reason, "");
        else if (!strstr(call.reason, want + 1))
            fail_msg("%s", call.reason);
    } else if (want[0] == '?') {
        assert_true(ran);
        assert_null(w.taken);
        if (!strstr(w.fault, want + 1)) fail_msg("%s", w.fault);
    } else {
        if (!ran || !w.taken) fail_msg("%s", ran ? w.fault : call.reason);
        char *text = pawl_json_text(w.taken);
        assert_string_equal(text, want);
        free(text);
    }
    json_decref(w.taken);
    return w;
}

static void expect_once(const char *source, const char *want)
{
    struct pawl_lua *lua = open_script(source);
    expect(lua, want);
    expect(lua, want); /* nothing was left behind */
    pawl_lua_close(lua);
}

static void test_waits_wherever_lua_may_stop(void **unused)
{
    (void)unused;
    expect_once("function main() return double(double(5)) end", "20");
    expect_once("local function f(n) return n == 0 and 1 or double(f(n - 1)) end\n"
                "function main() return f(10) end",
                "1024");
    expect_once("function main() local t = {} for i, x in ipairs({1, 2}) do t[i] = double(x) end\n"
                "for k, v in pairs({a = 3}) do t[3] = double(v) end return t end",
                "[2,4,6]");
    expect_once("function main() local ok, why = pcall(double, -1) return {ok, why} end",
                "[false,\"below zero\"]");
    expect_once("function main()\n return double(-1) end", "!t.lua:2: below zero");
    expect_once("local n = 0 function main() n = n + double(1) return n end", "2");
    expect_once("x = 1 function main() x = double(x) return x end", "2");
}

static void test_stops_nowhere_else(void **unused)
{
    (void)unused;
    expect_once("function main() table.sort({2, 1}, function(a, b) return double(a) < b end) end",
                "!nothing can be asked here");
    expect_once("function main() return (('a'):gsub('a', function() return double(1) end)) end",
                "!nothing can be asked here");
    struct pawl_lua *lua;
    struct pawl_error err = {0};
    struct pawl_lua_script script = {.name = "t.lua",
                                     .source = PAWL_STR("x = double(1) function main() end"),
                                     .entry = "main",
                                     .functions = functions,
                                     .limits = PAWL_LUA_LIMITS};
    assert_int_equal(pawl_lua_open(&script, &lua, &err), PAWL_ECONFIG);
}

/* Not even pcall goes on after `serve` has ended the call; and the state is as good as before. */
static void test_serve_ends_the_call(void **unused)
{
    (void)unused;
    struct pawl_lua *lua =
        open_script("function main() for i = 1, 100 do pcall(double, i) end return 1 end");
    for (int i = 0; i < 3; i++) assert_int_equal(expect(lua, "").n_asked, 13);
    pawl_lua_close(lua);
}

/* The limits are those of the whole call, before and after it waited. */
static void test_limits_hold_while_it_waits(void **unused)
{
    (void)unused;
    expect_once("function main() double(1) while true do end end", "!too many instructions");
    expect_once("function main() double(1)\n"
                "while true do pcall(function() while true do end end) end end",
                "!too many instructions");
    expect_once("function main() for i = 14, 1e9 do double(i) end end", "!too many instructions");
    expect_once("function main() double(1) return ('x'):rep(1 << 40) end", "!not enough memory");
    expect_once("function main() double(1) local s = ('x'):rep(1 << 21)\n"
                "while true do local t = s .. 'y' end end",
                "!too many instructions");
}

static void test_values(void **unused)
{
    (void)unused;
    expect_once("function main() return {a = {1, 2.5, 'x', true}, b = {}} end",
                "{\"a\":[1,2.5,\"x\",true],\"b\":[]}");
    expect_once("function main() end", "null");
    expect_once("t = {a = {1}} function main() return t end", "{\"a\":[1]}"); /* frozen */
    expect_once("function main() return setmetatable({1}, {__index = function() error('x') end,\n"
                "__len = function() return 1 << 60 end}) end",
                "[1]");
    expect_once("function main() return 'a\\xFFb' end", "\"a\xEF\xBF\xBD"
                                                        "b\"");
    expect_once("function main() return {1, nil, 3} end", "?neither a list nor a map");
    expect_once("function main() return {1, a = 2} end", "?neither a list nor a map");
    expect_once("function main() return {[1.5] = 2} end", "?neither a list nor a map");
    expect_once("function main() return {['a\\xFF'] = 2} end", "?no text in UTF-8");
    expect_once("function main() return {['a\\0b'] = 2} end", "?no text in UTF-8");
    expect_once("function main() return 0/0 end", "?not finite");
    expect_once("function main() return {{math.huge}} end", "?not finite");
    expect_once("function main() return {main} end", "?no text, number");
    expect_once("function main() local t = {} t.t = t return t end", "?nested too deeply");
    expect_once("function main() local t = {1} for i = 1, 30 do t = {t, t} end return t end",
                "?over 100000 values");
    expect_once("function main() local s = ('x'):rep(1 << 20) return {s, s, s, s, s} end",
                "?over 4 MiB");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waits_wherever_lua_may_stop),
        cmocka_unit_test(test_stops_nowhere_else),
        cmocka_unit_test(test_serve_ends_the_call),
        cmocka_unit_test(test_limits_hold_while_it_waits),
        cmocka_unit_test(test_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
