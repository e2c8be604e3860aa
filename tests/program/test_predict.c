/* A signature as a conversation: what the model is shown, and what its answers become. */
#include "program_fixture.h"

#include "lm/lm.h"

/* Around the room lm's: see PawlTests.cmake. Answers as a backend does that saves work by best_only. */
static bool last_best_only;
enum pawl_status __real_pawl_lm_ask(struct pawl_lm *lm, struct pawl_arena *arena,
                                    const struct pawl_lm_request *requests, size_t n,
                                    struct pawl_lm_reply *replies, struct pawl_error *err);
enum pawl_status __wrap_pawl_lm_ask(struct pawl_lm *lm, struct pawl_arena *arena,
                                    const struct pawl_lm_request *requests, size_t n,
                                    struct pawl_lm_reply *replies, struct pawl_error *err);
enum pawl_status __wrap_pawl_lm_ask(struct pawl_lm *lm, struct pawl_arena *arena,
                                    const struct pawl_lm_request *requests, size_t n,
                                    struct pawl_lm_reply *replies, struct pawl_error *err)
{
    enum pawl_status status = __real_pawl_lm_ask(lm, arena, requests, n, replies, err);
    last_best_only = requests[n - 1].best_only;
    for (size_t i = 0; i < n; i++) {
        const double *logprobs = replies[i].choice_logprobs;
        if (!requests[i].best_only || !logprobs) continue;
        size_t best = 0;
        for (size_t k = 1; k < requests[i].n_choices; k++)
            if (logprobs[k] > logprobs[best]) best = k;
        replies[i].text = requests[i].choices[best];
        replies[i].choice_logprobs = NULL;
    }
    return status;
}

#define SENTIMENT "'signature': 'review -> sentiment: positive | negative'"

/* Shows what it was asked, turn by turn. */
static const char echo[] =
    "function complete(r)\n"
    "  local t = {}\n"
    "  for i, m in ipairs(r.messages) do t[i] = m.role .. '=' .. m.content end\n"
    "  return table.concat(t, '|')\n"
    "end";

static void test_what_the_model_sees(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, "{'signature': 'question -> answer', 'instruction': {'text': 'Be brief.'}}",
               echo);
    expect_run(&b, NULL, "'Why?'", "{'answer': 'system=Be brief.|user=Why?'}");
    expect_run(&b, NULL, "{'question': 'Why?'}", "{'answer': 'system=Be brief.|user=Why?'}");
    struct pawl_instance *shown =
        prepare_edit(&b, "demos", "[{\"question\": \"1?\", \"answer\": \"2\"}]");
    expect_run(&b, shown, "'Why?'", "{'answer': 'system=Be brief.|user=1?|assistant=2|user=Why?'}");
    pawl_program_release(shown);
    /* A conversation is its turns. */
    expect_run(&b, NULL,
               "{'messages': [{'role': 'user', 'content': 'a'}, {'role': 'assistant', 'content': "
               "'b'}, {'role': 'user', 'content': 'c'}]}",
               "{'answer': 'system=Be brief.|user=a|assistant=b|user=c'}");
    expect_run(&b, NULL, "{'query': 'Why?'}", "!lacks an input field");
    bench_close(&b);
}

static void test_several_fields_are_lines(void **state)
{
    (void)state;
    struct bench b;
    bench_open(
        &b,
        "{'signature': 'text, lang -> short, stars: number', 'instruction': {'text': 'Go.'},"
        " 'fields': {'lang': 'a language', 'stars': '1 to 5'}}",
        "function complete(r)\n"
        "  local user = r.messages[#r.messages].content\n"
        "  assert(user == 'text: hello\\nlang: en', user)\n"
        "  assert(r.messages[1].content == 'Go.\\n\\nlang: a language\\n\\nAnswer with these '\n"
        "    .. 'lines, in this order:\\nshort: text\\nstars: a number (1 to 5)',\n"
        "    r.messages[1].content)\n"
        "  return 'short: hi\\nstars: 4'\n"
        "end");
    expect_run(&b, NULL, "{'lang': 'en', 'text': 'hello'}", "{'short': 'hi', 'stars': 4}");
    bench_close(&b);
}

static void test_choices_are_held_and_calibrated(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, "{" SENTIMENT "}",
               "function complete(r)\n"
               "  assert(r.choices[1] == 'positive' and r.choices[2] == 'negative')\n"
               "  return {text = '?', choice_logprobs = {-1.0, -1.5}}\n"
               "end");
    expect_run(&b, NULL, "'x'", "{'sentiment': 'positive'}");
    struct pawl_instance *shifted = prepare_edit(&b, "calibration", "{\"negative\": 0.6}");
    expect_run(&b, shifted, "'x'", "{'sentiment': 'negative'}");
    pawl_program_release(shifted);
    shifted = prepare_edit(&b, "calibration", "{\"neutral\": 0.6}");
    expect_run(&b, shifted, "'x'", "!calibration names something");
    pawl_program_release(shifted);
    bench_close(&b);
}

static void test_logprobs_are_asked_for_where_somebody_reads_them(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, "{" SENTIMENT "}",
               "function complete(r) return {text = '?', choice_logprobs = {-2, -1}} end");
    expect_run(&b, NULL, "'x'", "{'sentiment': 'negative'}");
    assert_true(last_best_only);
    struct pawl_outcome outcome =
        run_one(&b, NULL, "'x'", (struct pawl_run_options){.flags = PAWL_RUN_TRACE});
    assert_true(last_best_only);
    assert_null(json_object_get(json_array_get(outcome.trace, 0), "choice_logprobs"));
    pawl_outcome_release(&outcome);
    outcome = run_one(&b, NULL, "'x'",
                      (struct pawl_run_options){.flags = PAWL_RUN_TRACE | PAWL_RUN_LOGPROBS});
    assert_false(last_best_only);
    expect_json(json_object_get(json_array_get(outcome.trace, 0), "choice_logprobs"), "[-2, -1]");
    pawl_outcome_release(&outcome);
    struct pawl_instance *shifted = prepare_edit(&b, "calibration", "{\"positive\": 1.5}");
    expect_run(&b, shifted, "'x'", "{'sentiment': 'positive'}");
    assert_false(last_best_only);
    pawl_program_release(shifted);
    bench_close(&b);
    bench_open(&b, "{'signature': 'question -> answer'}", echo);
    expect_run(&b, NULL, "'Why?'", "{'answer': 'system=Given question, give answer.|user=Why?'}");
    assert_false(last_best_only); /* there is nothing to choose */
    bench_close(&b);
}

static void test_text_is_read_where_nothing_is_scored(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, "{" SENTIMENT "}", "function complete(r) return 'Negative, clearly.' end");
    expect_run(&b, NULL, "'x'", "{'sentiment': 'negative'}");
    bench_close(&b);
}

static void test_an_unreadable_answer_is_asked_for_once_more(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, "{" SENTIMENT "}",
               "function complete(r)\n"
               "  if #r.messages == 2 then return 'dunno' end\n"
               "  assert(r.messages[3].content == 'dunno')\n"
               "  assert(r.messages[4].content:find('none of: positive, negative'))\n"
               "  return r.messages[2].content == 'x' and 'positive' or 'still not'\n"
               "end");
    expect_run(&b, NULL, "'x'", "{'sentiment': 'positive'}");
    expect_run(&b, NULL, "'y'", "!none of: positive, negative");
    struct pawl_outcome outcome =
        run_one(&b, NULL, "'y'", (struct pawl_run_options){.flags = PAWL_RUN_TRACE});
    assert_int_equal(outcome.usage.n_requests, 2);
    assert_int_equal(json_array_size(outcome.trace), 2);
    const json_t *first = json_array_get(outcome.trace, 0);
    assert_string_equal(pawl_json_get_text(first, "reply", ""), "dunno");
    assert_string_equal(pawl_json_get_text(first, "module", "none"), "");
    expect_json(json_object_get(first, "input"), "{'review': 'y'}");
    assert_null(json_object_get(json_array_get(outcome.trace, 1), "output")); /* nor was it read */
    pawl_outcome_release(&outcome);
    outcome = run_one(&b, NULL, "'x'", (struct pawl_run_options){.flags = PAWL_RUN_TRACE});
    assert_null(json_object_get(json_array_get(outcome.trace, 0), "output"));
    expect_json(json_object_get(json_array_get(outcome.trace, 1), "output"),
                "{'sentiment': 'positive'}");
    pawl_outcome_release(&outcome);
    bench_close(&b);
}

static void test_repair_can_be_off(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, "{" SENTIMENT ", 'repair': false}", "function complete(r) return 'dunno' end");
    struct pawl_outcome outcome = run_one(&b, NULL, "'y'", (struct pawl_run_options){0});
    assert_int_equal(outcome.status, PAWL_OUTCOME_FAILED);
    assert_int_equal(outcome.usage.n_requests, 1);
    pawl_outcome_release(&outcome);
    bench_close(&b);
}

static void test_bad_components_fail_every_case_with_the_reason(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, "{" SENTIMENT "}", "function complete(r) return 'positive' end");
    static const struct {
        const char *component, *text, *reason;
    } rows[] = {
        {"demos", "nonsense", "!\"demos\" is no JSON"},
        {"demos", "{}", "!not a list"},
        {"demos", "[{\"review\": \"x\"}]", "!Demonstration 1 has no field \"sentiment\""},
        {"demos", "[3]", "!Demonstration 1"},
        {"calibration", "[1]", "!not a map"},
        {"calibration", "{\"positive\": \"much\"}", "!no number"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct pawl_instance *instance = prepare_edit(&b, rows[i].component, rows[i].text);
        expect_run(&b, instance, "'x'", rows[i].reason);
        pawl_program_release(instance);
    }
    bench_close(&b);
}

static void test_worlds_fault_and_candidates_fault_differ(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, "{'signature': 'q -> a'}",
               "function complete(r)\n"
               "  return {error = r.messages[#r.messages].content}\n"
               "end");
    struct pawl_outcome outcome =
        run_one(&b, NULL, "'missing: overloaded'", (struct pawl_run_options){0});
    assert_int_equal(outcome.status, PAWL_OUTCOME_MISSING);
    pawl_outcome_release(&outcome);
    outcome = run_one(&b, NULL, "'prompt too long'", (struct pawl_run_options){0});
    assert_int_equal(outcome.status, PAWL_OUTCOME_FAILED);
    assert_non_null(strstr(outcome.reason, "too long"));
    pawl_outcome_release(&outcome);
    bench_close(&b);
}

static void test_sampling(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, "{'signature': 'q -> a'}",
               "function complete(r)\n"
               "  return string.format('%s %s %s', r.seed, r.sample, r.temperature)\n"
               "end");
    expect_run(&b, NULL, "'x'", "{'a': '0 0 0.0'}"); /* greedy: the prompt alone decides */
    struct pawl_run_options how = {.sample = 2, .temperature = 0.5};
    struct pawl_outcome first = run_one(&b, NULL, "'x'", how),
                        again = run_one(&b, NULL, "'x'", how);
    how.sample = 3;
    struct pawl_outcome other = run_one(&b, NULL, "'x'", how);
    assert_non_null(strstr(pawl_json_get_text(first.output, "a", ""), " 2 0.5"));
    assert_true(pawl_hash_eq(&first.behaviour, &again.behaviour));
    assert_false(pawl_hash_eq(&first.behaviour, &other.behaviour));
    pawl_outcome_release(&first);
    pawl_outcome_release(&again);
    pawl_outcome_release(&other);
    bench_close(&b);
}

static void test_cot(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, "{" SENTIMENT ", 'strategy': 'cot'}",
               "function complete(r)\n"
               "  assert(r.messages[1].content:find('reasoning: step by step', 1, true))\n"
               "  return 'Reasoning: it broke.\\nSentiment: Negative'\n"
               "end");
    expect_run(&b, NULL, "'x'", "{'reasoning': 'it broke.', 'sentiment': 'negative'}");
    struct pawl_outcome cot = run_one(&b, NULL, "'x'", (struct pawl_run_options){0});
    json_t *fields = pawl_program_fields(b.program), *own = json_of("{'sentiment': 'negative'}");
    struct pawl_hash behaviour = pawl_hash_json(own);
    assert_true(pawl_hash_eq(&cot.behaviour, &behaviour)); /* reasons do not count */
    expect_json(fields,
                "{'inputs': ['review'], 'outputs': [{'name': 'sentiment', 'type': "
                "'choices', 'choices': ['positive', 'negative']}], 'extra': ['reasoning'], "
                "'modules': [{'name': '', 'inputs': ['review'], 'outputs': [{'name': "
                "'sentiment', 'type': 'choices', 'choices': ['positive', 'negative']}], 'extra': "
                "['reasoning'], 'instruction': 'instruction', 'demos': 'demos', 'calibration': "
                "'calibration'}]}");
    json_decref(fields);
    json_decref(own);
    pawl_outcome_release(&cot);
    bench_close(&b);
}

static void test_targets_and_inputs_by_field(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, "{" SENTIMENT "}", "function complete(r) return 'positive' end");
    json_t *plain = json_of("'positive'"), *whole = json_of("{'sentiment': 'positive', 'x': 1}"),
           *other = json_of("{'label': 'positive'}");
    json_t *a = pawl_program_target_object(b.program, plain);
    json_t *c = pawl_program_target_object(b.program, whole);
    expect_json(a, "{'sentiment': 'positive'}");
    expect_json(c, "{'sentiment': 'positive'}");
    assert_null(pawl_program_target_object(b.program, other));
    assert_null(pawl_program_input_object(b.program, other));
    json_decref(a);
    json_decref(c);
    json_decref(plain);
    json_decref(whole);
    json_decref(other);
    bench_close(&b);
}

static void test_section_errors(void **state)
{
    (void)state;
    static const struct {
        const char *section, *field, *message;
    } rows[] = {
        {"{}", "program.signature", "signature"},
        {"{'signature': 'a ->'}", "program.signature", "column 5"},
        {"{'signature': 'a -> b', 'strategy': 'predictt'}", "program.strategy", "predictt"},
        {"{'signature': 'a -> b', 'instruction': 'none.md'}", "program.instruction", "none.md"},
        {"{'signature': 'a -> b', 'instruction': 3}", "program.instruction", "neither"},
        {"{'signature': 'a -> b', 'fields': {'c': 'x'}}", "program.fields.c", "no field"},
        {"{'signature': 'a -> b', 'stop': [3]}", "program.stop", "stop"},
        {"{'signature': 'a -> b', 'instructions': 'x'}", "program.instructions", "instructions"},
        {"{'signature': 'a -> reasoning', 'strategy': 'cot'}", "program.signature", "twice"},
        {"{'command': 'main.py'}", "program.command", "list"},
        {"{'command': ['x'], 'components': {'a': '../x'}}", "program.components.a", "below"},
        {"{'command': ['x'], 'read': ['/etc']}", "program.read", "below"},
        {"{'command': ['x']}", "program.components", "no components"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct pawl_error err = {0};
        json_t *section = json_of(rows[i].section);
        const struct pawl_program_settings settings = {.program = section, .project_dir = "/tmp"};
        assert_int_equal(pawl_program_check(&settings, &err), PAWL_ECONFIG);
        assert_string_equal(err.field, rows[i].field);
        if (!strstr(err.message, rows[i].message)) fail_msg("%s", err.message);
        assert_true(err.hint[0] != '\0');
        json_decref(section);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_the_model_sees),
        cmocka_unit_test(test_several_fields_are_lines),
        cmocka_unit_test(test_choices_are_held_and_calibrated),
        cmocka_unit_test(test_logprobs_are_asked_for_where_somebody_reads_them),
        cmocka_unit_test(test_text_is_read_where_nothing_is_scored),
        cmocka_unit_test(test_an_unreadable_answer_is_asked_for_once_more),
        cmocka_unit_test(test_repair_can_be_off),
        cmocka_unit_test(test_bad_components_fail_every_case_with_the_reason),
        cmocka_unit_test(test_worlds_fault_and_candidates_fault_differ),
        cmocka_unit_test(test_sampling),
        cmocka_unit_test(test_cot),
        cmocka_unit_test(test_targets_and_inputs_by_field),
        cmocka_unit_test(test_section_errors),
    };
    pawl_crypto_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
