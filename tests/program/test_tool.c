/* Tools by themselves: opened from pawl.yaml, called as a model calls them. */
#include "program/program_fixture.h"

#include "code/collection.h"
#include "program/calculate.h"
#include "program/tool.h"

static void expect_sum(const char *expression, const char *want)
{
    char answer[PAWL_CALCULATE_BYTES];
    bool good = pawl_calculate(pawl_str_of(expression), answer);
    if (want[0] == '!' ? good || !strstr(answer, want + 1) : !good || strcmp(answer, want) != 0)
        fail_msg("%s: %s instead of %s", expression, answer, want);
}

static void test_arithmetic(void **state)
{
    (void)state;
    expect_sum("0.1 + 0.2", "0.3");
    expect_sum("2 * (3 + 4) =", "14");
    expect_sum("-2^2", "-4");
    expect_sum("2^3^2", "512");
    expect_sum("2**-2", "0.25");
    expect_sum("1/3", "0.333333333333333 (1/3)");
    expect_sum("1/3 * 3", "1");
    expect_sum("1,234.5 - 1,000", "234.5");
    expect_sum("max(1,234, 5)", "234");
    expect_sum("200 * 15%", "30");
    expect_sum("17 % 5 - -17 % 5", "-1");
    expect_sum("20!/18!", "380");
    expect_sum("sqrt(2.25)", "1.5");
    expect_sum("sqrt(2)", "about 1.4142135623731");
    expect_sum("round(2.345, 2) + round(-2.5)", "-0.65");
    expect_sum("floor(-1.5) + ceil(1.2) + abs(-3)", "3");
    expect_sum("log(8, 2) + ln(e) - log10(10)", "about 3");
    expect_sum("1e3 * 2.5E-1", "250");
    expect_sum("6 \xc3\x97 7 \xc3\xb7 2 \xe2\x88\x92 1", "20");
    expect_sum("2^62", "4611686018427387904");
    expect_sum("2^64", "about 1.84467440737096e+19");
    expect_sum("1/0", "!divides by zero");
    expect_sum("5 % 0", "!divides by zero");
    expect_sum("sqrt(-1)", "!no number");
    expect_sum("10^10^10", "!too large");
    expect_sum("", "!A number is missing");
    expect_sum("2 3", "!operator");
    expect_sum("2 (3)", "!operator");
    expect_sum("(1 + 2", "!not closed");
    expect_sum("os.exit(1)", "!no words");
    expect_sum("frob(1)", "!no such function");
    expect_sum("171!", "!factorial");
    char deep[300];
    memset(deep, '(', 299);
    deep[299] = '\0';
    expect_sum(deep, "!too deeply");
}

/* --- through the interface ------------------------------------------------------------------------- */

struct kit {
    struct bench bench;
    json_t *section;
    struct pawl_tools tools;
    struct pawl_error err;
    enum pawl_status status;
};

static void kit_open(struct kit *kit, const char *wanted, const char *declared)
{
    json_t *known = declared ? json_of(declared) : NULL;
    kit->section = json_of(wanted);
    kit->err = (struct pawl_error){0};
    const struct pawl_program_settings settings = {.project_dir = kit->bench.folder};
    kit->status =
        pawl_tools_open(kit->section, known, &settings, &kit->bench.arena, &kit->tools, &kit->err);
    json_decref(known);
}

static void kit_close(struct kit *kit)
{
    pawl_tools_close(&kit->tools);
    json_decref(kit->section);
}

/* "!" begins what a failed call says; "~" what is somewhere in a text. */
static void expect_call(struct kit *kit, const char *tool, const char *args, const char *want)
{
    struct pawl_tool_result result = {.failed = true};
    struct pawl_error err = {0};
    json_t *given = json_of(args);
    size_t i = pawl_tools_find(&kit->tools, pawl_str_of(tool));
    assert_true(i < kit->tools.n);
    assert_int_equal(pawl_tool_call(&kit->tools.list[i], given, &kit->bench.arena, &result, &err),
                     PAWL_OK);
    json_decref(given);
    char *text = strndup(result.text.ptr, result.text.len);
    assert_true(result.text.len <= kit->tools.list[i].max_bytes);
    if (result.failed != (want[0] == '!')) fail_msg("%s: %s", tool, text);
    if (want[0] == '!' || want[0] == '~' ? !strstr(text, want + 1) : strcmp(text, want) != 0)
        fail_msg("%s gives: %s", tool, text);
    free(text);
}

static void expect_refused(struct kit *kit, const char *wanted, const char *field,
                           const char *sentence)
{
    kit_open(kit, wanted, "{'calc': 'calculator'}");
    assert_int_equal(kit->status, PAWL_ECONFIG);
    assert_string_equal(kit->err.field, field);
    if (!strstr(kit->err.message, sentence)) fail_msg("%s", kit->err.message);
    assert_true(kit->err.hint[0]);
    kit_close(kit);
}

static void make_collection(struct bench *b)
{
    char path[200];
    struct pawl_collection_builder *builder;
    struct pawl_error err = {0};
    static const struct pawl_passage passages[] = {
        {{"a", 1}, {"Returns", 7}, {"Send it back within 30 days.", 28}},
        {{"b", 1}, {"", 0}, {"We take cards.", 14}},
    };
    snprintf(path, sizeof path, "%s/docs.db", b->folder);
    assert_int_equal(pawl_collection_begin(path, NULL, 0, &builder, &err), PAWL_OK);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pawl_collection_add(builder, &passages[i], NULL, &err), PAWL_OK);
    assert_int_equal(pawl_collection_finish(builder, &err), PAWL_OK);
}

static void test_every_kind(void **state)
{
    (void)state;
    struct kit kit;
    bench_folder(&kit.bench);
    make_collection(&kit.bench);
    write_file(kit.bench.folder, "clock.lua",
               "local n = 0\n"
               "function tool(args)\n"
               "  n = n + 1\n"
               "  if args.city == 'Atlantis' then error('no such city', 0) end\n"
               "  if args.city == 'list' then return {1, {a = args.city}} end\n"
               "  if args.city == 'nil' then return end\n"
               "  if args.city == 'long' then return ('\\u{e9}'):rep(500) end\n"
               "  while args.city == 'never' do end\n"
               "  return args.city .. ' ' .. n\n"
               "end\n");
    write_file(
        kit.bench.folder, "tool.sh",
        "read -r line\n"
        "case $line in *boom*) exit 3 ;; *slow*) sleep 9 ;; *odd*) echo odd ;;\n"
        "*sorry*) echo '{\"error\": \"sorry\"}' ;; *) echo '{\"text\": \"done\"}' ;; esac\n");
    kit_open(
        &kit,
        "{'calc': 'calculator', 'docs': {'search': 'docs.db', 'k': 1, 'description': 'the book'},"
        "'clock': {'lua': 'clock.lua', 'arguments': {'city': 'its name'}, 'max_bytes': 100},"
        "'run': {'command': ['sh', 'tool.sh'], 'timeout_ms': 300}}",
        NULL);
    if (kit.status != PAWL_OK) fail_msg("%s: %s", kit.err.field, kit.err.message);
    expect_call(&kit, "calc", "{'expression': '2 + 2'}", "4");
    expect_call(&kit, "calc", "'2 + 3'", "5"); /* the only argument, bare */
    expect_call(&kit, "calc", "{'expression': 7}", "7");
    expect_call(&kit, "calc", "{'sum': '2'}", "!needs the argument \"expression\"");
    expect_call(&kit, "calc", "{'expression': []}", "!no text");
    expect_call(&kit, "docs", "{'query': 'send back'}",
                "[1] Returns: Send it back within 30 days.");
    expect_call(&kit, "docs", "{'query': 'zebra'}", "~Nothing was found");
    expect_call(&kit, "docs", "{'query': ''}", "!no text");
    expect_call(&kit, "clock", "{'city': 'Rome'}", "Rome 1");
    expect_call(&kit, "clock", "{'city': 'Rome'}", "Rome 1"); /* it remembers nothing */
    expect_call(&kit, "clock", "{'city': 'Atlantis'}", "!no such city");
    expect_call(&kit, "clock", "{'city': 'list'}", "[1,{\"a\":\"list\"}]");
    expect_call(&kit, "clock", "{'city': 'nil'}", "!it gives a nil");
    expect_call(&kit, "clock", "{'city': 'long'}", "~(cut)");
    expect_call(&kit, "clock", "{'city': 'never'}", "!instructions");
    expect_call(&kit, "run", "{}", "done");
    expect_call(&kit, "run", "{'x': 'sorry'}", "!sorry");
    expect_call(&kit, "run", "{'x': 'boom'}", "!ended without an answer");
    expect_call(&kit, "run", "{'x': 'odd'}", "!not JSON");
    expect_call(&kit, "run", "{'x': 'slow'}", "!in time");

    struct pawl_buf text = PAWL_BUF(4096);
    pawl_tools_describe(&kit.tools, &text);
    assert_non_null(strstr(text.data, "- clock(city: its name): a function of this project\n"));
    assert_non_null(strstr(text.data, "- docs(query: words to look for): the book\n"));
    pawl_buf_release(&text);

    json_t *before = pawl_tools_identity(&kit.tools);
    assert_int_equal(json_object_size(before), 3);
    write_file(kit.bench.folder, "tool.sh", "echo");
    json_t *after = pawl_tools_identity(&kit.tools);
    assert_true(json_equal(json_object_get(before, "clock"), json_object_get(after, "clock")));
    assert_false(json_equal(json_object_get(before, "run"), json_object_get(after, "run")));
    json_decref(before);
    json_decref(after);
    kit_close(&kit);
    bench_close(&kit.bench);
}

static void test_what_is_no_tool(void **state)
{
    (void)state;
    struct kit kit;
    bench_folder(&kit.bench);
    write_file(kit.bench.folder, "bad.lua", "function tool(args\n");
    write_file(kit.bench.folder, "not.db", "not a collection");
    expect_refused(&kit, "{}", "tools", "1 to 16");
    expect_refused(&kit, "'calculator'", "tools", "1 to 16");
    expect_refused(&kit, "{'finish': 'calculator'}", "tools.finish", "finish");
    expect_refused(&kit, "{'a b': 'calculator'}", "tools.a b", "a-z");
    expect_refused(&kit, "{'x': 'browser'}", "tools.x", "none of calculator");
    expect_refused(&kit, "{'x': 'search'}", "tools.x", "none of calculator");
    expect_refused(&kit, "{'x': {'search': 'absent.db'}}", "tools.x", "cannot be opened");
    expect_refused(&kit, "{'x': {'search': 'not.db'}}", "tools.x", "cannot be opened");
    expect_refused(&kit, "{'x': {'search': 'not.db', 'kk': 1}}", "tools.x.kk", "kk");
    expect_refused(&kit, "{'x': {'lua': 'absent.lua'}}", "tools.x", "is not there");
    expect_refused(&kit, "{'x': {'lua': 'bad.lua'}}", "tools.x", "bad.lua");
    expect_refused(&kit, "{'x': {'command': []}}", "tools.x", "1 to 64");
    expect_refused(&kit, "{'x': {'calculator': null, 'arguments': {'a': 'b'}}}", "tools.x",
                   "its own arguments");
    expect_refused(&kit, "{'x': {'lua': 'bad.lua', 'arguments': {'a': 1}}}", "tools.x",
                   "what it means");
    expect_refused(&kit, "['calc', 'wiki']", "tools", "\"wiki\" is not declared");
    kit_open(&kit, "['calc']", "{'calc': 'calculator', 'x': 'browser'}");
    assert_int_equal(kit.status, PAWL_OK);
    kit_close(&kit);
    bench_close(&kit.bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arithmetic),
        cmocka_unit_test(test_every_kind),
        cmocka_unit_test(test_what_is_no_tool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
