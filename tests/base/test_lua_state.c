/* Lua that other people wrote: what it may do, what it may not, and that it forgets. */
#include "base/lua_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static char answer[512];

static int push_text(lua_State *L, void *context)
{
    lua_pushstring(L, context);
    return 1;
}

static void take_text(lua_State *L, void *context)
{
    (void)context;
    const char *text = lua_tostring(L, -1);
    snprintf(answer, sizeof answer, "%s", text ? text : luaL_typename(L, -1));
}

static struct pawl_lua_script script_of(const char *source)
{
    return (struct pawl_lua_script){.name = "t.lua",
                                    .source = pawl_str_of(source),
                                    .entry = "main",
                                    .limits = {8u << 20, 2000000}};
}

static struct pawl_lua *open_script(const char *source)
{
    struct pawl_lua_script script = script_of(source);
    struct pawl_lua *lua;
    struct pawl_error err = {0};
    if (pawl_lua_open(&script, &lua, &err) != PAWL_OK) fail_msg("%s", err.message);
    return lua;
}

/* The entry's answer, or its failure after an exclamation mark. */
static const char *call(struct pawl_lua *lua, const char *argument)
{
    struct pawl_lua_call c = {
        .push = push_text, .take = take_text, .context = (void *)(uintptr_t)argument};
    if (!pawl_lua_call(lua, &c)) snprintf(answer, sizeof answer, "!%s", c.reason);
    return answer;
}

/* The answer of the second of two equal calls: a script with a memory would give itself away. */
static const char *second(const char *source)
{
    struct pawl_lua *lua = open_script(source);
    char first[sizeof answer];
    snprintf(first, sizeof first, "%s", call(lua, "x"));
    call(lua, "x");
    assert_string_equal(first, answer);
    pawl_lua_close(lua);
    return answer;
}

static void assert_fails(const char *source, const char *part)
{
    const char *text = second(source);
    if (text[0] != '!' || !strstr(text, part)) fail_msg("\"%s\" lacks \"%s\"", text, part);
}

static void assert_load_fails(const char *source, int line, const char *part)
{
    struct pawl_lua_script script = script_of(source);
    struct pawl_lua *lua;
    struct pawl_error err = {0};
    assert_int_equal(pawl_lua_open(&script, &lua, &err), PAWL_ECONFIG);
    assert_string_equal(err.file, "t.lua");
    if (err.line != line || !strstr(err.message, part))
        fail_msg("\"%s\" in line %d is not \"%s\" in line %d", err.message, err.line, part, line);
}

static void test_answers(void **unused)
{
    (void)unused;
    assert_string_equal(second("function main(s) return s .. string.rep('y', 2, ',') end"), "xy,y");
    assert_string_equal(second("local t = {3, 1, 2}\n"
                               "function main() local c = {table.unpack(t)} table.sort(c)\n"
                               "return table.concat(c) .. #t .. table.concat(t) end"),
                        "1233312");
    assert_string_equal(second("function main() print('ignored') return math.max(1, 2) end"), "2");
    assert_string_equal(second("function main() return ('%d'):format(7) .. utf8.char(228) end"),
                        "7\xc3\xa4");
}

static void test_forgets(void **unused)
{
    (void)unused;
    assert_string_equal(second("function main() n = (n or 0) + 1 return n end"), "1");
    assert_string_equal(second("n = 5 function main() n = n + 1 return n end"), "6");
    assert_string_equal(second("local n = 0 function main() n = n + 1 return n end"), "1");
    assert_string_equal(second("local n = 0 local function up() n = n + 1 end\n"
                               "function main() up() up() return n end"),
                        "2");
    assert_string_equal(second("local t = {} function main() t = {t} return #t end"), "1");
    assert_string_equal(second("function helper() return 1 end\n"
                               "function main() local was = helper()\n"
                               "helper = function() return 2 end return was .. helper() end"),
                        "12");
}

static void test_read_only(void **unused)
{
    (void)unused;
    static const char *const writes[] = {
        "t = {} function main() t.x = 1 end",
        "local t = {} function main() t[#t + 1] = 1 end",
        "local t = {a = {b = {}}} function main() t.a.b.c = 1 end",
        "local t = {} function main() table.insert(t, 1) end",
        "function main() string.x = 1 end",
        "function main() math.pi = 3 end",
        "local env = _ENV function main() env.x = 1 end",
        "local C = {} C.__index = C function main() C.x = 1 end",
        "local C = {} C.__index = C\n"
        "function main() getmetatable(setmetatable({}, C)).x = 1 end",
        "local C = {} C.__index = C\n"
        "function main() getmetatable(setmetatable({}, C)).__index.x = 1 end",
        "local t = setmetatable({}, {__index = function(self, k) self[k] = 1 return 1 end})\n"
        "function main() return t.x end",
        "local m = {__newindex = function(t, k, v) end} local t = setmetatable({}, m)\n"
        "function main() t.x = 1 end",
        "t = {1} function main() for k, v in pairs({t}) do v[1] = 2 end end",
    };
    for (size_t i = 0; i < sizeof writes / sizeof *writes; i++)
        assert_fails(writes[i], "read-only");
    assert_fails("t = {} function main() setmetatable(t, {}) end", "cannot be changed");
    assert_fails("function main() setmetatable(_ENV, nil) end", "cannot be changed");
    assert_fails("function main() getmetatable('').__index.x = 1 end", "index a boolean");
    assert_fails("function main() getmetatable(_ENV).__index.x = 1 end", "index a boolean");
}

static void test_frozen_tables_still_work(void **unused)
{
    (void)unused;
    assert_string_equal(second("local C = {} C.__index = C\n"
                               "function C.new(n) return setmetatable({n = n}, C) end\n"
                               "function C:twice() return 2 * self.n end\n"
                               "local kept = C.new(4)\n"
                               "function main() local c = C.new(3) c.n = c.n + 1\n"
                               "return c:twice() + kept:twice() end"),
                        "16");
    assert_string_equal(
        second("local v = setmetatable({}, {__call = function(_, x) return x + 1 end,\n"
               "__len = function() return 9 end, __tostring = function() return 'v' end})\n"
               "function main() return v(1) .. #v .. tostring(v) end"),
        "29v");
    assert_string_equal(second("local t = {10, 20, x = 1}\n"
                               "function main() local s = ''\n"
                               "for i, v in ipairs(t) do s = s .. i .. v end\n"
                               "for k, v in pairs(t) do s = s .. k .. v end\n"
                               "return s .. (next(t) or 'empty') .. (next({}) or 'empty') end"),
                        "1102201102"
                        "20x11empty");
    assert_string_equal(second("local loop = {} loop.self = loop\n"
                               "function main() return tostring(loop.self.self == loop) end"),
                        "true");
}

static void test_pairs_has_an_order(void **unused)
{
    (void)unused;
    assert_string_equal(
        second("function main() local t, s = {}, ''\n"
               "for w in ('pear fig apple kiwi date'):gmatch('%a+') do t[w] = #w end\n"
               "t[2.5] = 1 t[1] = 1 t[-7] = 1 t[true] = 1 t[false] = 1\n"
               "for k in pairs(t) do s = s .. tostring(k) .. ' ' end return s end"),
        "-7 1 2.5 apple date fig kiwi pear false true ");
    assert_string_equal(second("function main() local t, s = {a = 1, b = 2, c = 3}, ''\n"
                               "for k in pairs(t) do t.b = nil s = s .. k end return s end"),
                        "ac");
}

static void test_no_way_out(void **unused)
{
    (void)unused;
    static const char *const names[] = {
        "load",    "loadfile",       "dofile", "require", "io", "os",        "debug",
        "package", "collectgarbage", "rawset", "rawget",  "_G", "coroutine", "xpcall"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char source[128];
        snprintf(source, sizeof source, "function main() return type(%s) end", names[i]);
        assert_string_equal(second(source), "nil");
    }
    assert_string_equal(second("function main() return type(math.random) .. type(string.dump) end"),
                        "nilnil");
    assert_string_equal(second("function main() return tostring({}) .. tostring(main) end"),
                        "tablefunction");
    assert_fails("function main() setmetatable({}, {__gc = main}) end", "__gc");
}

/* What Lua 5.4.4 was patched for, and what comes near it: an answer or a failure, the same twice. */
static void test_old_faults_of_lua(void **unused)
{
    (void)unused;
    second("function main() local _ENV <const> = {} return tostring(x) end");
    second("function main() local _ENV <const> = 'text' return x, y, z end");
    second("function main() local _ENV <const> = 7 x = 1 return (function() return x end)() end");
    second("local function f() return pcall(f) or error(f) end function main() return f() end");
    second("local function f() local ok, e = pcall(f) error(e .. 'x') end\n"
           "function main() return f() end");
    second(
        "function main() local t = setmetatable({}, {__index = function(t, k) return t[k] end})\n"
        "return t.x end");
    second("function main() local t = setmetatable({}, {__close = function() error('again') end})\n"
           "local a <close> = t local b <close> = t error('first') end");
    second("function main() local t <close> = setmetatable({}, {__close = function()\n"
           "local function deep() return 1 + deep() end deep() end}) return 1 end");
    second("function main() return select(-1, table.unpack({}, 1, 100000)) end");
}

static void test_limits(void **unused)
{
    (void)unused;
    static const char *const endless[] = {
        "function main() while true do end end",
        "function main() while true do pcall(function() while true do end end) end end",
        "function main() repeat local ok = pcall(error) until false end",
        "local function f() return f() end function main() return f() end",
        "function main() setmetatable({}, {__index = error})[1] = 1 while true do end end",
        /* The slots of a table that was emptied are still looked at. */
        "function main() local t = {} for i = 1, 50000 do t['k' .. i] = 1 end\n"
        "for i = 1, 50000 do t['k' .. i] = nil end for i = 1, 100000 do next(t) end end",
    };
    for (size_t i = 0; i < sizeof endless / sizeof *endless; i++)
        assert_fails(endless[i], "too many instructions");

    static const char *const huge[] = {
        "local function f() return 1 + f() end function main() return f() end",
        "function main() return ('x'):rep(1 << 40) end",
        "function main() return #('x'):rep(1 << 62, 'yy') end",
        "function main() local s = 'x' while true do s = s .. s end end",
        "function main() local t = {} while true do t[#t + 1] = {} end end",
        "function main() local t = {} for i = 1, 1e9 do t[i] = i end end",
        "function main() return string.format('%s%s', ('x'):rep(6 << 20), ('x'):rep(6 << 20)) end",
    };
    for (size_t i = 0; i < sizeof huge / sizeof *huge; i++)
        assert_fails(huge[i], "not enough memory");

    assert_string_equal(second("function main() return #(''):rep(1 << 62) end"), "0");
    assert_fails("function main() table.insert(setmetatable({}, {__len = function()\n"
                 "return 1 << 60 end}), 1, 0) end",
                 "without __len");
    assert_fails("function main() local t = {} for i = 1, 2000 do t[i] = i end\n"
                 "while true do table.insert(t, 1, 0) table.remove(t, 1) end end",
                 "too many instructions");
}

/* After any failure the same state answers as before. */
static void test_recovers(void **unused)
{
    (void)unused;
    struct pawl_lua *lua = open_script("local n = 0\n"
                                       "function main(s) n = n + 1\n"
                                       "if s == 'loop' then while true do end end\n"
                                       "if s == 'big' then return ('x'):rep(1 << 40) end\n"
                                       "if s == 'throw' then error({1}) end\n"
                                       "return s .. n end");
    for (int i = 0; i < 3; i++) {
        assert_string_equal(call(lua, "fine"), "fine1");
        assert_non_null(strstr(call(lua, "loop"), "too many"));
        assert_string_equal(call(lua, "fine"), "fine1");
        assert_non_null(strstr(call(lua, "big"), "not enough memory"));
        assert_string_equal(call(lua, "throw"), "!an error without a message");
    }
    pawl_lua_close(lua);
}

static void test_loading_errors(void **unused)
{
    (void)unused;
    assert_load_fails("x = 1\nfunction main( end", 2, "expected near");
    assert_load_fails("x = 1\n\nerror('no')", 3, "no");
    assert_load_fails("function other() end", 0, "main()");
    assert_load_fails("main = 7", 0, "main()");
    assert_load_fails("while true do end", 1, "too many instructions");
    assert_load_fails("s = ('x'):rep(1 << 30) function main() end", 1, "not enough memory");
    assert_load_fails("next_word = ('a b'):gmatch('%a') function main() end", 0, "iterator");
    assert_load_fails("local w = ('a b'):gmatch('%a') function main() w() end", 0, "iterator");
    assert_load_fails("t = {} t[{}] = 1 function main() end", 0, "tables as keys");
    assert_load_fails("\x1bLua binary", 0, "binary");
    assert_load_fails("", 0, "main()");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_forgets),
        cmocka_unit_test(test_read_only),
        cmocka_unit_test(test_frozen_tables_still_work),
        cmocka_unit_test(test_pairs_has_an_order),
        cmocka_unit_test(test_no_way_out),
        cmocka_unit_test(test_old_faults_of_lua),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_recovers),
        cmocka_unit_test(test_loading_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
