/* The strategies that work before they answer: react and program_of_thought. */
#include "program/program_fixture.h"

#include "program/action.h"

static const struct pawl_run_options traced = {.flags = PAWL_RUN_TRACE};

#define REACT                                                                                      \
    "'signature': 'question -> answer', 'instruction': {'text': 'Solve it.'}, 'strategy': "        \
    "'react', 'tools': {'calc': 'calculator'}"

/* A case is what the model says in its steps, parted by |; at the end it answers with the last observation,
 * and whether it was told that there are no more steps. */
static const char model[] =
    "function complete(r)\n"
    "  local first, last = r.messages[2].content, r.messages[#r.messages].content\n"
    "  local system = r.messages[1].content\n"
    "  assert(system:find('Solve it.', 1, true) and system:find('- calc(expression', 1, true))\n"
    "  if first:find('lost', 1, true) and #r.messages > 2 then return {error = 'missing: later'} "
    "end\n"
    "  if last:find('Give the answer now', 1, true) then\n"
    "    local seen, whole = '', ''\n"
    "    for i = 4, #r.messages, 2 do\n"
    "      local text = r.messages[i].content\n"
    "      whole = whole .. (text:match('^%(.-%)') or '')\n"
    "      seen = text:match('observation: ([^\\n]*)') or seen\n"
    "    end\n"
    "    return whole .. seen .. (last:find('no more steps') and ' (late)' or '')\n"
    "  end\n"
    "  local steps = {}\n"
    "  for step in (first .. '|'):gmatch('([^|]*)|') do steps[#steps + 1] = step end\n"
    "  local n = tonumber(last:match('^%(The first (%d+)') or 0) + #r.messages // 2\n"
    "  return (steps[n] or steps[#steps]):gsub(';', '\\n')\n"
    "end";

#define FINISH "next_thought: done;next_tool_name: finish;next_tool_args: {}"

static void expect_react(struct bench *b, const char *steps, const char *want)
{
    json_t *input = json_pack("{s:o}", "question", pawl_json_string(pawl_str_of(steps)));
    struct pawl_error err = {0};
    struct pawl_outcome outcome;
    const struct pawl_program_case item = {"case-1", input};
    assert_int_equal(pawl_program_run(b->instance, &b->arena, &item, &traced, &outcome, &err),
                     PAWL_OK);
    if (outcome.status != PAWL_OUTCOME_DONE) fail_msg("reason: %s", outcome.reason);
    const char *answer = pawl_json_get_text(outcome.output, "answer", "");
    if (!strstr(answer, want)) fail_msg("%s instead of %s", answer, want);
    const json_t *last = json_array_get(outcome.trace, json_array_size(outcome.trace) - 1);
    assert_true(json_equal(json_object_get(last, "output"), outcome.output));
    json_decref(input);
    pawl_outcome_release(&outcome);
}
#define CALC(args) "next_thought: I compute.;next_tool_name: calc;next_tool_args: " args

static void test_tools_are_used_and_seen(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, "{" REACT "}", model);
    expect_react(&b, CALC("{\"expression\": \"6*7\"}") "|" FINISH, "42");
    expect_react(&b, CALC("{\"expression\": \"6*7\"}") "|" CALC("\"42/4\"") "|" FINISH, "10.5");
    expect_react(&b, CALC("2+2") "|" FINISH, "4");
    expect_react(&b, CALC("{\"expression\": \"2+\"}") "|" FINISH, "Error: A number is missing.");
    expect_react(&b, CALC("{}") "|" FINISH, "Error: The tool \"calc\" needs the argument");
    expect_react(&b, "I do not know.|" FINISH, "Error: That step cannot be read.");
    expect_react(&b, CALC("{\"expression\": \"1\"};Observation: 99;next_thought: x") "|" FINISH,
                 "1");
    expect_react(&b, CALC("5"), "5 (late)"); /* it never finishes: six steps, then an answer */
    struct pawl_outcome outcome =
        run_one(&b, NULL, "'next_tool_name: calc;next_tool_args: 1|lost'", traced);
    assert_int_equal(outcome.status, PAWL_OUTCOME_MISSING);
    assert_int_equal(outcome.usage.n_requests, 2);
    pawl_outcome_release(&outcome);
    bench_close(&b);
}

static void test_old_steps_are_left_out(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, "{" REACT ", 'max_steps': 32, 'max_trajectory': 1000}", model);
    expect_react(&b, CALC("{\"expression\": \"1+1\"}"), "steps are left out.)2 (late)");
    bench_close(&b);
}

/* Choices are held in the end, demonstrations are examples in the system turn. */
static void test_answers_have_their_types(void **state)
{
    (void)state;
    struct bench b;
    bench_open(
        &b,
        "{'signature': 'question -> answer: yes | no', 'strategy': 'react', 'max_steps': 1,"
        "'tools': {'calc': 'calculator'}, 'instruction': {'text': 'Solve it.'}}",
        "function complete(r)\n"
        "  if #r.messages == 2 then return 'next_thought: x\\nnext_tool_name: finish' end\n"
        "  assert(#r.messages == 4 and r.choices[1] == 'yes')\n"
        "  return r.messages[1].content:find('An example:\\nodd?\\n', 1, true) and 'yes' or 'no'\n"
        "end");
    expect_run(&b, NULL, "'even?'", "{'answer': 'no'}");
    struct pawl_instance *shown =
        prepare_edit(&b, "demos", "[{\"question\": \"odd?\", \"answer\": \"no\"}]");
    expect_run(&b, shown, "'even?'", "{'answer': 'yes'}");
    pawl_program_release(shown);
    bench_close(&b);
}

static void test_a_module_of_a_pipeline(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b,
               "{'tools': {'calc': 'calculator', 'sum': 'calculator'}, 'modules': {"
               "'work': {'signature': 'question -> number: number', 'strategy': 'react', 'tools': "
               "['sum']},"
               "'say': {'signature': 'number -> answer'}}}",
               "function complete(r)\n"
               "  if not r.messages[1].content:find('- sum(', 1, true) then\n"
               "    return 'It is ' .. r.messages[2].content\n"
               "  end\n"
               "  assert(not r.messages[1].content:find('calc(', 1, true))\n"
               "  if #r.messages == 2 then\n"
               "    return '{\"next_thought\": \"t\", \"next_tool_name\": \"sum\", "
               "\"next_tool_args\": {\"expression\": \"' .. r.messages[2].content .. '\"}}'\n"
               "  end\n"
               "  if #r.messages == 4 then return 'next_thought: x\\nnext_tool_name: finish' end\n"
               "  return r.messages[4].content:match('observation: (%d+)')\n"
               "end");
    expect_run(&b, NULL, "'40+2'", "{'answer': 'It is 42'}");
    bench_close(&b);
}

/* --- program of thought ---------------------------------------------------------------------------- */

#define THOUGHT                                                                                    \
    "'signature': 'question -> answer', 'strategy': 'program_of_thought', 'instruction': "         \
    "{'text': 'Solve it.'}"

/* A case is the programs that the model writes, parted by |; it answers with what the last one gives. */
static const char programmer[] =
    "function complete(r)\n"
    "  local first, last = r.messages[2].content, r.messages[#r.messages].content\n"
    "  assert(r.messages[1].content:find('input.question', 1, true))\n"
    "  local given = last:match('^The program gives:\\n(.*)\\n\\nGive')\n"
    "  if given then return given .. ' after ' .. (#r.messages - 2) // 2 end\n"
    "  local programs = {}\n"
    "  for text in (first .. '|'):gmatch('([^|]*)|') do programs[#programs + 1] = text end\n"
    "  return 'I write\\n```lua\\n' .. programs[#r.messages // 2] .. '\\n```\\nas asked.'\n"
    "end";

static void test_programs_run_and_are_repaired(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, "{" THOUGHT "}", programmer);
    expect_run(&b, NULL, "'return 6 * 7'", "{'answer': '42 after 1'}");
    expect_run(&b, NULL, "'6 * 7'", "{'answer': '42 after 1'}"); /* as small models do */
    expect_run(&b, NULL, "'return #input.question'", "{'answer': '22 after 1'}");
    expect_run(&b, NULL, "'retrun 1|return 2'", "{'answer': '2 after 2'}");
    expect_run(&b, NULL, "'x = 1|error(5)|return true'", "{'answer': 'true after 3'}");
    expect_run(&b, NULL, "'while true do end|os.exit()|return print'",
               "!failed 3 times, at last: it gives a function");
    expect_run(&b, NULL, "'|local x = io|return nil'", "!failed 3 times");
    expect_run(&b, NULL, "'return (1|return string.rep([[x]], 5000)|return 3'",
               "{'answer': '3 after 3'}");
    struct pawl_outcome outcome = run_one(&b, NULL, "'return 1 +|return 1 + 1'", traced);
    const json_t *second = json_object_get(json_array_get(outcome.trace, 1), "messages");
    const char *told = pawl_json_get_text(json_array_get(second, 3), "content", "");
    assert_non_null(strstr(told, "The program failed. line 2:"));
    assert_int_equal(json_array_size(outcome.trace), 3);
    pawl_outcome_release(&outcome);
    bench_close(&b);
    bench_open(&b, "{" THOUGHT ", 'max_repairs': 0}", programmer);
    expect_run(&b, NULL, "'error()|return 1'", "!failed 1 times");
    bench_close(&b);
}

/* --- the section ------------------------------------------------------------------------------------- */

static void expect_refused(struct bench *b, const char *section, const char *field)
{
    struct pawl_error err = {0};
    json_t *json = json_of(section);
    const struct pawl_program_settings settings = {.program = json, .project_dir = b->folder};
    assert_int_equal(pawl_program_check(&settings, &err), PAWL_ECONFIG);
    assert_string_equal(err.field, field);
    assert_true(err.hint[0]);
    json_decref(json);
}

static void test_sections_that_are_refused(void **state)
{
    (void)state;
    struct bench b;
    bench_folder(&b);
    expect_refused(&b, "{'signature': 'a -> b', 'strategy': 'react'}", "program.tools");
    expect_refused(&b, "{'signature': 'a -> b', 'tools': {'c': 'calculator'}}", "program.tools");
    expect_refused(&b, "{'signature': 'a -> b', 'strategy': 'cot', 'max_steps': 2}",
                   "program.max_steps");
    expect_refused(&b, "{" REACT ", 'max_repairs': 2}", "program.max_repairs");
    expect_refused(&b, "{" REACT ", 'max_steps': 33}", "program.max_steps");
    expect_refused(&b,
                   "{'modules': {'m': {'signature': 'a -> b', 'strategy': 'react', 'tools': "
                   "{'w': {'search': 'w.db'}}}}}",
                   "program.modules.m.tools.w");
    expect_refused(
        &b, "{'modules': {'m': {'signature': 'a -> b', 'strategy': 'react', 'tools': ['w']}}}",
        "program.modules.m.tools");
    bench_close(&b);
}

static void test_a_program_is_what_its_tools_are_made_of(void **state)
{
    (void)state;
    struct bench b;
    bench_folder(&b);
    write_file(b.folder, "t.lua", "function tool() return 1 end");
    json_t *plain = json_of("{'signature': 'a -> b'}");
    json_t *with =
        json_of("{'modules': {'m': {'signature': 'a -> b', 'strategy': 'react', 'tools': {'t': "
                "{'lua': 't.lua'}}}}}");
    json_t *same, *before, *after;
    const struct pawl_program_settings of_plain = {.program = plain, .project_dir = b.folder};
    const struct pawl_program_settings of_with = {.program = with, .project_dir = b.folder};
    assert_int_equal(pawl_program_identity(&of_plain, &same, NULL), PAWL_OK);
    assert_true(json_equal(same, plain));
    assert_int_equal(pawl_program_identity(&of_with, &before, NULL), PAWL_OK);
    write_file(b.folder, "t.lua", "function tool() return 2 end");
    assert_int_equal(pawl_program_identity(&of_with, &after, NULL), PAWL_OK);
    assert_true(json_equal(json_object_get(after, "section"), with));
    assert_false(json_equal(before, after));
    json_decref(plain);
    json_decref(with);
    json_decref(same);
    json_decref(before);
    json_decref(after);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tools_are_used_and_seen),
        cmocka_unit_test(test_old_steps_are_left_out),
        cmocka_unit_test(test_answers_have_their_types),
        cmocka_unit_test(test_a_module_of_a_pipeline),
        cmocka_unit_test(test_programs_run_and_are_repaired),
        cmocka_unit_test(test_sections_that_are_refused),
        cmocka_unit_test(test_a_program_is_what_its_tools_are_made_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
