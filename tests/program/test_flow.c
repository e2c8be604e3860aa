#include "program/program_fixture.h"

#include "code/collection.h"

#define SECTION(more)                                                                              \
    "{'flow': 'flow.lua', 'signature': 'text -> label: good | bad', " more "'modules': {"          \
    "'extract': {'signature': 'text, part: number -> facts', 'instruction': {'text': "             \
    "'Extract.'}},"                                                                                \
    "'judge': {'signature': 'facts -> label: good | bad', 'role': 'judge', 'strategy': 'cot', "    \
    "'instruction': {'text': 'Judge.'}}}}"

/* `extract` gives the text in capitals, `judge` looks for NOT; some texts go wrong. */
static const char model[] =
    "function complete(r)\n"
    "  local system, last = r.messages[1].content, r.messages[#r.messages].content\n"
    "  if last:find('cannot be read', 1, true) then return '' end\n"
    "  if system:find('Extract', 1, true) then\n"
    "    local text = last:match('text: ([^\\n]*)')\n"
    "    if text == 'mute' then return '' end\n"
    "    if text == 'down' then return {error = 'missing: later'} end\n"
    "    return text:upper() .. last:match('part: (%d+)')\n"
    "  end\n"
    "  return 'reasoning: as I read.\\nlabel: ' .. (last:find('NOT') and 'bad' or 'good')\n"
    "end";

static const struct pawl_run_options traced = {.flags = PAWL_RUN_TRACE};

static void flow_open(struct bench *b, const char *section, const char *source, bool sealed)
{
    bench_folder(b);
    write_file(b->folder, "flow.lua", source);
    bench_model(b, model);
    bench_program(b, section, sealed);
}

/* One flow, one case. */
static void expect_flow(const char *section, const char *source, const char *input,
                        const char *want)
{
    struct bench b;
    flow_open(&b, section, source, false);
    expect_run(&b, NULL, input, want);
    bench_close(&b);
}

#define LOOP                                                                                       \
    "function flow(input)\n"                                                                       \
    "  local facts = ''\n"                                                                         \
    "  for part = 1, 3 do\n"                                                                       \
    "    facts = ask('extract', {text = input.text, part = part}).facts\n"                         \
    "    if facts:find('2') then break end\n"                                                      \
    "  end\n"                                                                                      \
    "  local judged = ask('judge', facts)\n"                                                       \
    "  assert(judged.reasoning == 'as I read.')\n"                                                 \
    "  return judged\n"                                                                            \
    "end\n"

static void test_a_loop_asks_as_often_as_it_likes(void **state)
{
    (void)state;
    struct bench b;
    flow_open(&b, SECTION(""), LOOP, false);
    expect_run(&b, NULL, "'fine'", "{'label': 'good'}");
    expect_run(&b, NULL, "{'text': 'not fine'}", "{'label': 'bad'}");
    struct pawl_outcome outcome = run_one(&b, NULL, "'not so'", traced);
    assert_int_equal(outcome.usage.n_requests, 3);
    assert_int_equal(json_array_size(outcome.trace), 3);
    const json_t *second = json_array_get(outcome.trace, 1);
    const json_t *third = json_array_get(outcome.trace, 2);
    assert_string_equal(pawl_json_get_text(second, "module", ""), "extract");
    expect_json(json_object_get(second, "input"), "{'text': 'not so', 'part': 2}");
    expect_json(json_object_get(second, "output"), "{'facts': 'NOT SO2'}");
    assert_string_equal(pawl_json_get_text(third, "module", ""), "judge");
    json_t *own = json_of("{'label': 'bad'}");
    struct pawl_hash behaviour = pawl_hash_json(own);
    assert_true(pawl_hash_eq(&outcome.behaviour, &behaviour));
    json_decref(own);
    pawl_outcome_release(&outcome);
    assert_int_equal(pawl_program_roles(b.program), 1u << PAWL_ROLE_TASK | 1u << PAWL_ROLE_JUDGE);
    bench_close(&b);
}

static void test_many_are_asked_side_by_side_and_told_in_order(void **state)
{
    (void)state;
    struct bench b;
    flow_open(&b, SECTION(""),
              "function flow(input)\n"
              "  local list = {}\n"
              "  for i = 1, 30 do list[i] = {text = input.text, part = i} end\n"
              "  local all = ask_all('extract', list)\n"
              "  assert(#all == 30 and #ask_all('extract', {}) == 0)\n"
              "  for i, one in ipairs(all) do assert(one.facts == 'X' .. i) end\n"
              "  local judged = ask_all('judge', {'NOT', 'yes'})\n"
              "  return judged[1]\n"
              "end\n",
              false);
    struct pawl_outcome outcome = run_one(&b, NULL, "'x'", traced);
    if (outcome.status != PAWL_OUTCOME_DONE) fail_msg("%s", outcome.reason);
    expect_json(outcome.output, "{'label': 'bad'}");
    assert_int_equal(outcome.usage.n_requests, 32);
    for (size_t i = 0; i < 30; i++) {
        const json_t *input = json_object_get(json_array_get(outcome.trace, i), "input");
        assert_int_equal(pawl_json_get_int(input, "part", 0), (int64_t)i + 1);
    }
    pawl_outcome_release(&outcome);
    bench_close(&b);
}

static void test_what_fails_is_a_failed_case_with_its_line(void **state)
{
    (void)state;
    expect_flow(SECTION(""), LOOP, "'mute'", "!flow.lua:4: The module \"extract\": ");
    expect_flow(SECTION(""), "function flow(input)\n\n  error('too long') end", "'x'",
                "!The flow failed: flow.lua:3: too long");
    expect_flow(SECTION(""), "function flow(input) return ask('j' .. 'udge', {fact = 1}) end",
                "'x'", "!did you mean \"facts\"?");
    expect_flow(SECTION(""), "function flow(input) return ask('j' .. 'udge', {}) end", "'x'",
                "!wants the input \"facts\"");
    expect_flow(SECTION(""), "function flow(input) return ask('gudge' .. '', {}) end", "'x'",
                "!There is no module \"gudge\": did you mean \"judge\"?");
    expect_flow(SECTION(""), "function flow(input) return ask('judge', {facts = flow}) end", "'x'",
                "!what is asked cannot be used");
    expect_flow(SECTION(""), "function flow(input) return ask_all('jud' .. 'ge', {'a', 3, {}}) end",
                "'x'", "!Question 3: The module \"judge\" wants");
    expect_flow(SECTION(""), "function flow(input) return search('do' .. 'cs', 'x') end", "'x'",
                "!There is no collection \"docs\"; there are: none.");
    expect_flow(SECTION(""), "function flow(input) while true do end end", "'x'",
                "!too many instructions");
    expect_flow(SECTION(""), LOOP, "{'txt': 'x'}", "!lacks an input field");
}

/* A flow may live with a module that fails, but not with a world that does. */
static void test_what_may_be_caught(void **state)
{
    (void)state;
    static const char catches[] =
        "function flow(input)\n"
        "  local ok, why = pcall(ask, 'extract', {text = input.text, part = 1})\n"
        "  return ok and 'good' or why:find('extract', 1, true) and 'bad' or 'neither'\n"
        "end\n";
    struct bench b;
    flow_open(&b, SECTION(""), catches, false);
    expect_run(&b, NULL, "'fine'", "{'label': 'good'}");
    expect_run(&b, NULL, "'mute'", "{'label': 'bad'}");
    struct pawl_outcome outcome = run_one(&b, NULL, "'down'", (struct pawl_run_options){0});
    assert_int_equal(outcome.status, PAWL_OUTCOME_MISSING);
    assert_non_null(strstr(outcome.reason, "extract"));
    pawl_outcome_release(&outcome);
    bench_close(&b);
}

static void test_questions_come_to_an_end(void **state)
{
    (void)state;
    static const char endless[] = "function flow(input)\n"
                                  "  while true do pcall(ask, 'judge', 'x') end\n"
                                  "end\n";
    struct bench b;
    flow_open(&b, SECTION(""), endless, false);
    struct pawl_outcome outcome = run_one(&b, NULL, "'x'", (struct pawl_run_options){0});
    assert_int_equal(outcome.status, PAWL_OUTCOME_FAILED);
    assert_non_null(strstr(outcome.reason, "more than 50 questions"));
    assert_int_equal(outcome.usage.n_requests, 50);
    pawl_outcome_release(&outcome);
    bench_close(&b);
    expect_flow(SECTION("'max_asks': 3, "), LOOP, "'x'", "{'label': 'good'}");
    expect_flow(SECTION("'max_asks': 2, "), LOOP, "'x'", "!more than 2 questions");
    expect_flow(SECTION("'max_asks': 2, "),
                "function flow(input) return ask_all('judge', {'a', 'b', 'c'})[1] end", "'x'",
                "!more than 2 questions");
}

#define GIVES(type, value, want)                                                                   \
    expect_flow("{'flow': 'flow.lua', 'signature': 'text -> " type "', 'modules': {"               \
                "'m': {'signature': 'a -> b'}}}",                                                  \
                "function flow(input) return " value " end", "'x'", want)

static void test_what_flows_give_is_of_its_type(void **state)
{
    (void)state;
    GIVES("y", "'t'", "{'y': 't'}");
    GIVES("y", "{y = 12, z = 3}", "{'y': '12'}");
    GIVES("y", "nil", "!The flow gave no \"y\"");
    GIVES("y", "{z = 1}", "!The flow gave no \"y\"");
    GIVES("y", "{y = {1}}", "!a \"y\" that is no text");
    GIVES("y: number", "2.5", "{'y': 2.5}");
    GIVES("y: number", "'about 7'", "{'y': 7}");
    GIVES("y: number", "'none'", "!a \"y\" that is no number");
    GIVES("y: number", "0/0", "!not finite");
    GIVES("y: boolean", "false", "{'y': false}");
    GIVES("y: list", "{}", "{'y': []}");
    GIVES("y: list", "{y = {1, 'a'}}", "{'y': [1, 'a']}");
    GIVES("y: object", "{}", "{'y': {}}");
    GIVES("y: object", "{a = 1}", "{'y': {'a': 1}}");
    GIVES("y: object", "{y = {a = 1}}", "{'y': {'a': 1}}");
    GIVES("y: a | b", "'B'", "{'y': 'b'}");
    GIVES("y: 1 | 2", "2", "{'y': '2'}");
    GIVES("y: a | b", "'c'", "!a \"y\" that is no");
    GIVES("y, z: number", "{y = 'a', z = 1}", "{'y': 'a', 'z': 1}");
    GIVES("y, z: number", "{y = 'a'}", "!The flow gave no \"z\"");
    GIVES("y, z: number", "'a'", "!The flow gave no \"y\"");
    GIVES("y", "flow", "!what flow(input) gives cannot be used");
    GIVES("y", "('x'):rep(5 << 20)", "!over 4 MiB");
    expect_flow("{'flow': 'flow.lua', 'signature': 'text, n: number -> y', 'modules': {"
                "'m': {'signature': 'a -> b'}}}",
                "function flow(input) return input.text .. input.n end", "{'text': 'x', 'n': 3}",
                "{'y': 'x3'}");
}

/* The source is a component: what a candidate holds is what runs, also when that is nonsense. */
static void test_the_source_is_of_the_artifact(void **state)
{
    (void)state;
    struct bench b;
    flow_open(&b, SECTION(""), LOOP, false);
    const struct pawl_component *source = pawl_artifact_find(b.seed, "flow");
    assert_non_null(source);
    assert_string_equal(source->role, "flow");
    assert_non_null(pawl_artifact_find(b.seed, "judge.calibration"));
    write_file(b.folder, "flow.lua", "function flow(input) return 'bad' end");
    expect_run(&b, NULL, "'fine'", "{'label': 'good'}");
    struct pawl_instance *other = prepare_edit(&b, "flow", "function flow(input) return 'bad' end");
    expect_run(&b, other, "'fine'", "{'label': 'bad'}");
    pawl_program_release(other);
    other = prepare_edit(&b, "flow", "\nfunction flow(input) return ask('jutge') end");
    expect_run(&b, other, "'fine'", "!flow.lua:2: There is no module \"jutge\"");
    pawl_program_release(other);
    other = prepare_edit(&b, "flow", "function flow(input");
    expect_run(&b, other, "'fine'", "!flow.lua:1: The script cannot be loaded");
    pawl_program_release(other);
    other =
        prepare_edit(&b, "extract.demos", "[{\"text\": \"a\", \"part\": 1, \"facts\": \"NOT\"}]");
    expect_run(&b, other, "'fine'", "{'label': 'good'}");
    pawl_program_release(other);
    bench_close(&b);

    flow_open(&b, SECTION("'edit': true, "), LOOP, false);
    assert_string_equal(pawl_artifact_find(b.seed, "flow")->role, "source");
    bench_close(&b);
}

static void test_nothing_is_remembered(void **state)
{
    (void)state;
    static const char counts[] = "local n, seen = 0, {}\n"
                                 "function flow(input)\n"
                                 "  n = n + 1\n"
                                 "  pcall(function() seen[n] = true end)\n"
                                 "  return n == 1 and not next(seen) and 'good' or 'bad'\n"
                                 "end\n";
    for (int sealed = 0; sealed < 2; sealed++) {
        struct bench b;
        flow_open(&b, SECTION(""), counts, sealed);
        for (int i = 0; i < 3; i++) expect_run(&b, NULL, "'x'", "{'label': 'good'}");
        bench_close(&b);
    }
}

static void make_collection(const char *folder)
{
    static const char *const texts[] = {"The kettle boils at noon.", "A red bicycle.",
                                        "Tea needs a kettle and patience."};
    char path[200], id[16];
    struct pawl_error err = {0};
    struct pawl_collection_builder *builder;
    snprintf(path, sizeof path, "%s/docs.db", folder);
    assert_int_equal(pawl_collection_begin(path, NULL, 0, &builder, &err), PAWL_OK);
    for (size_t i = 0; i < 3; i++) {
        snprintf(id, sizeof id, "p%zu", i);
        const struct pawl_passage passage = {pawl_str_of(id), PAWL_STR("Title"),
                                             pawl_str_of(texts[i])};
        assert_int_equal(pawl_collection_add(builder, &passage, NULL, &err), PAWL_OK);
    }
    assert_int_equal(pawl_collection_finish(builder, &err), PAWL_OK);
}

static void test_collections_are_searched(void **state)
{
    (void)state;
    struct bench b;
    bench_folder(&b);
    make_collection(b.folder);
    write_file(
        b.folder, "flow.lua",
        "function flow(input)\n"
        "  local found = search('docs', input.text, 2)\n"
        "  assert(#found <= 2 and #search('docs', 'nothing of it') == 0)\n"
        "  local ids = {}\n"
        "  for i, p in ipairs(found) do assert(p.title == 'Title' and p.text) ids[i] = p.id end\n"
        "  table.sort(ids)\n"
        "  return table.concat(ids, ' ')\n"
        "end\n");
    bench_model(&b, model);
    bench_program(&b,
                  "{'flow': 'flow.lua', 'signature': 'text -> ids', 'collections': {'docs': "
                  "'docs.db'}, 'modules': {'m': {'signature': 'a -> b'}}, 'max_asks': 2}",
                  false);
    expect_run(&b, NULL, "'kettle'", "{'ids': 'p0 p2'}");
    expect_run(&b, NULL, "'bicycle'", "{'ids': 'p1'}");
    struct pawl_instance *other = prepare_edit(
        &b, "flow", "function flow(input) while true do search('docs', 'kettle') end end");
    expect_run(&b, other, "'x'", "!more than 2 questions");
    pawl_program_release(other);
    other = prepare_edit(&b, "flow", "function flow(input) search('docs', 'x', 0) end");
    expect_run(&b, other, "'x'", "!1 to 100 passages");
    pawl_program_release(other);
    bench_close(&b);
}

static void test_fields_tell_of_the_flow(void **state)
{
    (void)state;
    struct bench b;
    flow_open(&b, SECTION(""), LOOP, false);
    json_t *fields = pawl_program_fields(b.program);
    expect_json(json_object_get(fields, "inputs"), "['text']");
    expect_json(json_object_get(fields, "outputs"),
                "[{'name': 'label', 'type': 'choices', 'choices': ['good', 'bad']}]");
    expect_json(json_object_get(fields, "flow"), "true");
    assert_int_equal(json_array_size(json_object_get(fields, "modules")), 2);
    json_decref(fields);
    bench_close(&b);
}

/* --- what can be seen before it runs ------------------------------------------------------------- */

static void check_source(const char *source, int line, const char *message)
{
    char folder[] = "/tmp/pawl-flow-XXXXXX", command[64];
    struct pawl_error err = {0};
    assert_non_null(mkdtemp(folder));
    write_file(folder, "flow.lua", source);
    json_t *section = json_of(SECTION(""));
    const struct pawl_program_settings settings = {.program = section, .project_dir = folder};
    enum pawl_status status = pawl_program_check(&settings, &err);
    if (!message && status != PAWL_OK) fail_msg("%s: %s", source, err.message);
    if (message) {
        assert_int_equal(status, PAWL_ECONFIG);
        if (!strstr(err.message, message)) fail_msg("%s", err.message);
        assert_string_equal(err.file, "flow.lua");
        assert_int_equal(err.line, line);
        assert_true(err.hint[0]);
    }
    json_decref(section);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    assert_int_equal(system(command), 0);
}

static void test_names_are_checked_before_it_runs(void **state)
{
    (void)state;
    check_source("function flow(i)\nreturn ask('jugde', {facts = 1}) end", 2,
                 "no module \"jugde\": did you mean \"judge\"?");
    check_source("function flow(i)\n\nreturn ask_all(\"other\", {}) end", 3,
                 "there are: extract, judge.");
    check_source("function flow(i) return ask('judge', {\nfact = 1}) end", 2,
                 "has no input \"fact\": did you mean \"facts\"?");
    check_source("function flow(i) return ask('extract', {text = i.text}) end", 1,
                 "wants the input \"part\" as well");
    check_source("function flow(i) return ask_all('extract', {{text = 1, part = 2},\n"
                 "{txt = 1, part = 3}})[1] end",
                 2, "no input \"txt\"");
    check_source("function flow(i) return ask('judge', {facts = f(1, {a = 2})}).lable end", 1,
                 "no output \"lable\": did you mean \"label\"?");
    check_source("function flow(i) return search([[docs]], 'x') end", 1, "no collection \"docs\"");
    check_source("function flow(i) ask('judge', {}) return 1 end", 1, "wants the input \"facts\"");
    check_source("function flow(i) retrun 1 end", 1, "cannot be loaded");
    check_source("function f(i) return 1 end", 0, "flow()");
    check_source("ask('judge', 'x') function flow(i) end", 1, "while the flow loads");
}

/* What could be right is not refused. */
static void test_nothing_right_is_refused(void **state)
{
    (void)state;
    check_source(
        "-- ask('no', {})\n--[[ ask('no') ]]\nfunction flow(i) return [==[ask('no')]==] end", 0,
        NULL);
    check_source("function flow(i) return \"ask('no', {})\" end", 0, NULL);
    check_source("function flow(i) local m = 'judge' return ask(m, {x = 1}) end", 0, NULL);
    check_source("function flow(i) return ask('j' .. 'no', {x = 1}) end", 0, NULL);
    check_source("function flow(i) return ask('judge', {['facts'] = 1}).label end", 0, NULL);
    check_source("function flow(i) return ask('judge', {facts = (function() local a = 1, 2\n"
                 "b = 3 return a end)()}).reasoning end",
                 0, NULL);
    check_source("local function ask(m, t) return m end function flow(i) return ask('no', {}) end",
                 0, NULL);
    check_source("local t = {} function t.ask(m) return m end\n"
                 "function flow(i) return t.ask('no', {}) end",
                 0, NULL);
    check_source("function flow(i) return ask('judge', {facts = i.a == 1 and {b = 2}; }) end", 0,
                 NULL);
    check_source("function flow(i) return ask('\\106udge', {x = 1}) end", 0, NULL);
    check_source("function flow(i) return ask_all('judge', {'a', {facts = 1}, i.x}) end", 0, NULL);
    check_source("function flow(i) return ask('judge', i.text).label .. 'x' end", 0, NULL);
    check_source("function flow(i) local s = 'it\\'s' return ask('judge', s) end", 0, NULL);
}

static void test_section_errors(void **state)
{
    (void)state;
    static const struct {
        const char *section, *field, *message, *hint;
    } rows[] = {
        {"{'flow': 'none.lua', 'signature': 'a -> b', 'modules': {'m': {'signature': 'a -> b'}}}",
         "program.flow", "none.lua", "folder"},
        {"{'flow': 'none.lua', 'modules': {'m': {'signature': 'a -> b'}}}", "program.signature",
         "signature", ""},
        {"{'flow': 'none.lua', 'signature': 'a -> ', 'modules': {'m': {'signature': 'a -> b'}}}",
         "program.signature", "column", ""},
        {"{'flow': 'none.lua', 'signature': 'a -> b'}", "program.modules", "no map of 1 to 16",
         "extract"},
        {"{'flow': 'none.lua', 'signature': 'a -> b', 'modules': {'m': {'signature': 'a'}}}",
         "program.modules.m.signature", "", ""},
        {"{'flow': 'none.lua', 'signature': 'a -> b', 'modules': {'m': {'signature': 'a -> b'}}, "
         "'collections': {'docs': 'none.db'}}",
         "program.collections.docs", "cannot be opened", "pawl index"},
        {"{'flow': 'none.lua', 'signature': 'a -> b', 'modules': {'m': {'signature': 'a -> b'}}, "
         "'collections': ['docs.db']}",
         "program.collections", "no map", "collections: {"},
        {"{'flow': 'none.lua', 'signature': 'a -> b', 'modules': {'m': {'signature': 'a -> b'}}, "
         "'max_asks': 0}",
         "program.max_asks", "", ""},
        {"{'flow': 'none.lua', 'signature': 'a -> b', 'modules': {'m': {'signature': 'a -> b'}}, "
         "'colections': {}}",
         "program.colections", "", "collections"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct pawl_error err = {0};
        json_t *section = json_of(rows[i].section);
        const struct pawl_program_settings settings = {.program = section, .project_dir = "/tmp"};
        assert_int_equal(pawl_program_check(&settings, &err), PAWL_ECONFIG);
        assert_string_equal(err.field, rows[i].field);
        if (!strstr(err.message, rows[i].message)) fail_msg("%zu: %s", i, err.message);
        if (!strstr(err.hint, rows[i].hint)) fail_msg("%zu: %s", i, err.hint);
        json_decref(section);
    }
}

/* --- tools ------------------------------------------------------------------------------------------ */

#define TOOLS                                                                                      \
    SECTION("'tools': {'calc': 'calculator', 'twice': {'lua': 'twice.lua', 'arguments': {'n': "    \
            "'a number'}}}, 'max_asks': 4, ")

static void test_tools_are_called(void **state)
{
    (void)state;
    struct bench b;
    bench_folder(&b);
    write_file(b.folder, "twice.lua", "function tool(args) return 2 * args.n end");
    write_file(
        b.folder, "flow.lua",
        "function flow(input)\n"
        "  if input.text == 'many' then for i = 1, 9 do tool('calc', '1') end end\n"
        "  local ok, why = pcall(tool, 'calc', {expression = '1 / 0'})\n"
        "  assert(not ok and why:find('divides by zero'), why)\n"
        "  ok, why = pcall(tool, 'twice')\n"
        "  assert(not ok and why:find('needs the argument'), why)\n"
        "  local name = input.text\n"
        "  if name == 'other' then tool(name) end\n"
        "  return tool('twice', {n = 2}) .. tool('calc', '0.1 + 0.2') == '40.3' and 'good' or "
        "'bad'\n"
        "end\n");
    bench_model(&b, model);
    bench_program(&b, TOOLS, false);
    expect_run(&b, NULL, "'x'", "{'label': 'good'}");
    expect_run(&b, NULL, "'other'", "!There is no tool \"other\"; there are: calc, twice.");
    expect_run(&b, NULL, "'many'", "!more than 4 questions");
    bench_close(&b);
}

static void test_tools_are_checked_and_part_of_the_program(void **state)
{
    (void)state;
    struct bench b;
    struct pawl_error err = {0};
    bench_folder(&b);
    json_t *section = json_of(TOOLS), *before, *after;
    const struct pawl_program_settings settings = {.program = section, .project_dir = b.folder};
    write_file(b.folder, "twice.lua", "function tool(args) return 2 end");
    write_file(b.folder, "flow.lua", "function flow(input)\n  return tool('clac', '1')\nend\n");
    assert_int_equal(pawl_program_check(&settings, &err), PAWL_ECONFIG);
    assert_int_equal(err.line, 2);
    assert_non_null(strstr(err.message, "did you mean \"calc\""));
    write_file(b.folder, "flow.lua", "function flow(input) return 'good' end\n");
    assert_int_equal(pawl_program_identity(&settings, &before, NULL), PAWL_OK);
    write_file(b.folder, "twice.lua", "function tool(args) return 3 end");
    assert_int_equal(pawl_program_identity(&settings, &after, NULL), PAWL_OK);
    assert_false(json_equal(before, after));
    remove(pawl_arena_printf(&b.arena, "%s/twice.lua", b.folder));
    assert_int_equal(pawl_program_check(&settings, &err), PAWL_ECONFIG);
    assert_string_equal(err.field, "program.tools.twice");
    json_decref(before);
    json_decref(after);
    json_decref(section);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_loop_asks_as_often_as_it_likes),
        cmocka_unit_test(test_many_are_asked_side_by_side_and_told_in_order),
        cmocka_unit_test(test_what_fails_is_a_failed_case_with_its_line),
        cmocka_unit_test(test_what_may_be_caught),
        cmocka_unit_test(test_questions_come_to_an_end),
        cmocka_unit_test(test_what_flows_give_is_of_its_type),
        cmocka_unit_test(test_the_source_is_of_the_artifact),
        cmocka_unit_test(test_nothing_is_remembered),
        cmocka_unit_test(test_collections_are_searched),
        cmocka_unit_test(test_fields_tell_of_the_flow),
        cmocka_unit_test(test_names_are_checked_before_it_runs),
        cmocka_unit_test(test_nothing_right_is_refused),
        cmocka_unit_test(test_section_errors),
        cmocka_unit_test(test_tools_are_called),
        cmocka_unit_test(test_tools_are_checked_and_part_of_the_program),
    };
    pawl_crypto_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
