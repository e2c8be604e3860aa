/*
 * No strategy sees what is hidden: 100 cases whose targets and metadata are marked, every strategy of the
 * registry with and without its script, a model that looks for the mark in every prompt, and a look at every
 * trace, which holds what was said, what was answered, and with it every lesson.
 */
#include "program/program_fixture.h"

#include "evaluate/evaluate.h"
#include "program/strategy.h"

enum { N = 100 };
#define MARK "HIDDENTEST"

/* Says MARK-FOUND when it sees the mark; else something that each part can use, and that no check likes. */
static const char model[] =
    "function complete(r)\n"
    "  for _, m in ipairs(r.messages) do\n"
    "    if m.content:find('HIDDENTEST', 1, true) then return 'MARK-FOUND' end\n"
    "  end\n"
    "  local last = r.messages[#r.messages].content\n"
    "  if last:find('function check', 1, true) then\n"
    "    return 'function check(call) local all = [[]] ' ..\n"
    "      'for k, v in pairs(call) do for a, b in pairs(v) do all = all .. a .. tostring(b) end "
    "end ' ..\n"
    "      'return {score = 0, feedback = all} end'\n"
    "  end\n"
    "  if last:find('score:', 1, true) then return 'score: 3' end\n"
    "  if r.messages[1].content:find('Lua 5.4 program', 1, true) and #r.messages < 4 then\n"
    "    return '```lua\\nreturn input.question\\n```'\n"
    "  end\n"
    "  if r.messages[1].content:find('next_tool_name', 1, true) and #r.messages < 6 then\n"
    "    return 'next_thought: t\\nnext_tool_name: calc\\nnext_tool_args: {\"expression\": \"1 + "
    "1\"}'\n"
    "  end\n"
    "  return 'reasoning: r' .. r.sample .. '\\nanswer: a' .. r.sample .. '-' .. #r.messages\n"
    "end";

/* Everything that it is given, as feedback: what a check knows, the model is told. */
#define CHECK                                                                                      \
    "function check(call) local all = [[]] for k, v in pairs(call) do all = all .. k "             \
    "for a, b in pairs(v) do all = all .. a .. tostring(b) end end "                               \
    "return {score = 0, feedback = all} end"
#define REDUCE                                                                                     \
    "function reduce(call) for k in pairs(call) do assert(k ~= [[target]]) end return 1 end"

static json_t *section_of(const struct pawl_strategy *strategy, bool with_script)
{
    json_t *section = json_of("{'signature': 'question -> answer'}");
    pawl_json_set(section, "strategy", json_string(strategy->name));
    if (strategy->takes_tools) pawl_json_set(section, "tools", json_of("{'calc': 'calculator'}"));
    if (strategy->script && with_script)
        pawl_json_set(section, strategy->script,
                      json_string(strcmp(strategy->script, "reduce") == 0 ? REDUCE : CHECK));
    return section;
}

/* The mark is in the target and in the metadata; with `leak` also where a program sees it. */
static void make_cases(struct bench *b, bool leak, struct pawl_cases *cases)
{
    struct pawl_error err = {0};
    json_t *list = json_array();
    for (int i = 0; i < N; i++) {
        char id[20], input[60], target[60];
        snprintf(id, sizeof id, "c%d", i);
        snprintf(input, sizeof input, "%s number %d", leak ? MARK : "question", i);
        snprintf(target, sizeof target, MARK "-%d", i);
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:{s:s}}", "id", id, "input", input,
                                              "target", target, "metadata", "tests",
                                              "assert f(1) == '" MARK "'"));
    }
    if (pawl_cases_from_json(list, &b->arena, cases, &err) != PAWL_OK) fail_msg("%s", err.message);
    json_decref(list);
}

/* How many of the results, with all that was said for them, hold the mark. *parts gathers who asked. */
static size_t count_marked(const struct pawl_result *results, json_t *parts)
{
    size_t n = 0;
    for (size_t i = 0; i < N; i++) {
        size_t k;
        json_t *step;
        assert_true(json_array_size(results[i].trace) > 0);
        json_array_foreach((json_t *)(uintptr_t)results[i].trace, k, step)
            pawl_json_set(parts, json_string_value(json_object_get(step, "module")), json_true());
        char *trace = pawl_json_text(results[i].trace);
        char *output = results[i].output ? pawl_json_text(results[i].output) : strdup("");
        n += strstr(trace, MARK) || strstr(trace, "MARK-FOUND") || strstr(output, MARK) ||
             strstr(output, "MARK-FOUND");
        free(trace);
        free(output);
    }
    return n;
}

static size_t run_strategy(const struct pawl_strategy *strategy, bool with_script, bool leak,
                           json_t *parts)
{
    struct bench b;
    struct pawl_cases cases;
    struct pawl_error err = {0};
    struct pawl_usage usage = {0};
    struct pawl_evaluator_settings settings = {.threads = 4};
    struct pawl_evaluator *evaluator;
    struct pawl_evaluation_item items[N];
    struct pawl_result results[N];
    struct pawl_batch *batch;
    json_t *section = section_of(strategy, with_script), *metric = json_of("'exact_match'");
    char *text = pawl_json_text(section);
    bench_open(&b, text, model);
    make_cases(&b, leak, &cases);
    if (pawl_metric_open(metric, NULL, &settings.metric, &err) != PAWL_OK ||
        pawl_evaluator_open(&settings, b.program, &evaluator, &err) != PAWL_OK)
        fail_msg("%s", err.message);
    for (size_t i = 0; i < N; i++)
        items[i] = (struct pawl_evaluation_item){.instance = b.instance, .item = &cases.items[i]};
    if (pawl_evaluator_run(evaluator, items, N, PAWL_EVALUATE_OUTPUT | PAWL_EVALUATE_TRACE, results,
                           &usage, &batch, &err) != PAWL_OK)
        fail_msg("%s: %s", strategy->name, err.message);
    size_t n = count_marked(results, parts);
    pawl_batch_free(batch);
    pawl_evaluator_close(evaluator);
    pawl_metric_close(settings.metric);
    pawl_cases_release(&cases);
    bench_close(&b);
    json_decref(section);
    json_decref(metric);
    free(text);
    return n;
}

static void test_no_strategy_sees_what_is_hidden(void **state)
{
    (void)state;
    size_t n = 0;
    for (; pawl_strategies[n]; n++) {
        const struct pawl_strategy *strategy = pawl_strategies[n];
        json_t *parts = json_object();
        if (run_strategy(strategy, false, false, parts) > 0 ||
            run_strategy(strategy, true, false, parts) > 0)
            fail_msg("%s saw a target", strategy->name);
        /* Every text of it was said: what was looked at is all of it. Two stand in the prompts of others. */
        for (size_t i = 0; strategy->texts && strategy->texts[i].name; i++)
            if (strcmp(strategy->texts[i].name, "retry") != 0 &&
                strcmp(strategy->texts[i].name, "personas") != 0 &&
                !json_object_get(parts, strategy->texts[i].name))
                fail_msg("%s never used its text %s", strategy->name, strategy->texts[i].name);
        json_decref(parts);
    }
    assert_true(n >= 8);
}

/* The look finds a mark where there is one. */
static void test_a_leak_would_be_seen(void **state)
{
    (void)state;
    for (size_t i = 0; pawl_strategies[i]; i++) {
        json_t *parts = json_object();
        assert_int_equal(run_strategy(pawl_strategies[i], true, true, parts), N);
        json_decref(parts);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_strategy_sees_what_is_hidden),
        cmocka_unit_test(test_a_leak_would_be_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
