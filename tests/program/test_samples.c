/* The strategies that ask several times: self_consistency and best_of_n. */
#include "program/program_fixture.h"

/* Sample k of a case "a b c ..." is answered with its word k; "=" before it leaves out the reasons, "-"
 * cannot be read, "~" has reasons alone, "?" is lost. */
static const char model[] =
    "function complete(r)\n"
    "  assert(r.temperature == 0.7 or r.temperature == 1 or r.temperature == 0.25)\n"
    "  local k = 0\n"
    "  for word in r.messages[#r.messages].content:gmatch('%S+') do\n"
    "    if k == r.sample then\n"
    "      if word == '-' then return '' end\n"
    "      if word == '?' then return {error = 'missing: later'} end\n"
    "      if word:sub(1, 1) == '=' then return 'answer: ' .. word:sub(2) end\n"
    "      if word == '~' then return 'reasoning: I think about b and' end\n"
    "      return 'reasoning: r' .. k .. '\\nanswer: ' .. word\n"
    "    end\n"
    "    k = k + 1\n"
    "  end\n"
    "  error('there is no sample ' .. r.sample)\n"
    "end";

#define VOTE "'signature': 'question -> answer', 'strategy': 'self_consistency'"
#define BEST "'signature': 'question -> answer', 'strategy': 'best_of_n'"

static const struct pawl_run_options traced = {.flags = PAWL_RUN_TRACE};

/* The section with the Lua of one option, on one line and with ' for ". */
static void open_with(struct bench *b, const char *section, const char *option, const char *lua)
{
    char text[2000];
    snprintf(text, sizeof text, "{%s, '%s': '%s'}", section, option, lua);
    bench_open(b, text, model);
}

static void test_most_votes_win(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, "{" VOTE "}", model);
    expect_run(&b, NULL, "'5 Four six four 7'", "{'answer': 'Four', 'reasoning': 'r1'}");
    expect_run(&b, NULL, "'a b b a c'", "{'answer': 'a', 'reasoning': 'r0'}");
    expect_run(&b, NULL, "'- a - b b'", "{'answer': 'b', 'reasoning': 'r3'}");
    expect_run(&b, NULL, "'a =b =b c d'", "{'answer': 'b', 'reasoning': ''}");
    expect_run(&b, NULL, "'~ a ~ ~ ~'", "{'answer': 'a', 'reasoning': 'r1'}");
    expect_run(&b, NULL, "'- - - - -'", "!The answer is empty");
    struct pawl_outcome outcome = run_one(&b, NULL, "'a a a a ?'", traced);
    assert_int_equal(outcome.status, PAWL_OUTCOME_MISSING); /* four of five are not the strategy */
    pawl_outcome_release(&outcome);
    bench_close(&b);
}

static void test_the_trace_says_which_answer_it_was(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, "{" VOTE ", 'samples': 4, 'temperature': 0.25}", model);
    struct pawl_outcome outcome = run_one(&b, NULL, "'a - b b'", traced);
    assert_int_equal(outcome.usage.n_requests, 4);
    assert_int_equal(json_array_size(outcome.trace), 4);
    for (size_t i = 0; i < 4; i++) {
        const json_t *output = json_object_get(json_array_get(outcome.trace, i), "output");
        if (i == 2)
            expect_json(output, "{'answer': 'b', 'reasoning': 'r2'}");
        else
            assert_null(output);
    }
    json_t *own = json_of("{'answer': 'b'}");
    struct pawl_hash behaviour = pawl_hash_json(own);
    assert_true(pawl_hash_eq(&outcome.behaviour, &behaviour));
    json_decref(own);
    pawl_outcome_release(&outcome);
    /* Another sample of the whole is four samples more. */
    outcome = run_one(&b, NULL, "'0 1 2 3 a - c c'", (struct pawl_run_options){.sample = 1});
    expect_json(outcome.output, "{'answer': 'c', 'reasoning': 'r6'}");
    pawl_outcome_release(&outcome);
    bench_close(&b);
}

/* A temperature that is written is meant, 0 too: samples may still differ, by another wording or model. */
static void test_a_temperature_of_none_is_kept(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, "{" VOTE ", 'samples': 2, 'temperature': 0}",
               "function complete(r) return 'reasoning: r\\nanswer: t' .. r.temperature end");
    expect_run(&b, NULL, "'a'", "{'answer': 't0.0', 'reasoning': 'r'}");
    bench_close(&b);
    bench_open(&b, "{" VOTE ", 'samples': 2}",
               "function complete(r) return 'reasoning: r\\nanswer: t' .. r.temperature end");
    expect_run(&b, NULL, "'a'", "{'answer': 't0.7', 'reasoning': 'r'}");
    bench_close(&b);
}

static void test_the_owner_may_choose(void **state)
{
    (void)state;
    struct bench b;
    open_with(&b, VOTE ", 'samples': 3", "reduce",
              "function reduce(call) "
              "  if call.input.question == [[a a a]] then return 9 end "
              "  if call.input.question == [[b b b]] then error([[no idea]]) end "
              "  local longest = 1 "
              "  for i, answer in ipairs(call.answers) do "
              "    if #answer.answer > #call.answers[longest].answer then longest = i end "
              "  end "
              "  return longest "
              "end");
    expect_run(&b, NULL, "'- x long'", "{'answer': 'long', 'reasoning': 'r2'}");
    expect_run(&b, NULL, "'a a a'", "!no number of an answer");
    expect_run(&b, NULL, "'b b b'", "!no idea");
    bench_close(&b);
}

static void test_the_first_that_is_good_enough(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, "{" BEST "}", model);
    struct pawl_outcome outcome = run_one(&b, NULL, "'- x y'", traced);
    expect_json(outcome.output, "{'answer': 'x'}"); /* the first that can be read */
    assert_int_equal(outcome.usage.n_requests, 2);
    pawl_outcome_release(&outcome);
    expect_run(&b, NULL, "'- - -'", "!The answer is empty");
    bench_close(&b);

    open_with(&b, BEST, "check",
              "function check(call) "
              "  assert(call.target == nil and call.input.question) "
              "  if call.output.answer == [[boom]] then error([[broken]]) end "
              "  return call.output.answer == [[good]] or #call.output.answer / 10 "
              "end");
    outcome = run_one(&b, NULL, "'bad good better'", traced);
    expect_json(outcome.output, "{'answer': 'good'}");
    assert_int_equal(json_array_size(outcome.trace), 2);
    pawl_outcome_release(&outcome);
    outcome = run_one(&b, NULL, "'a bcd e'", traced);
    expect_json(outcome.output, "{'answer': 'bcd'}"); /* none is: the best */
    assert_null(json_object_get(json_array_get(outcome.trace, 2), "output"));
    expect_json(json_object_get(json_array_get(outcome.trace, 1), "output"), "{'answer': 'bcd'}");
    pawl_outcome_release(&outcome);
    expect_run(&b, NULL, "'ab cd e'", "{'answer': 'ab'}");
    expect_run(&b, NULL, "'boom a b'", "!broken");
    outcome = run_one(&b, NULL, "'a ? b'", traced);
    assert_int_equal(outcome.status, PAWL_OUTCOME_MISSING);
    pawl_outcome_release(&outcome);
    bench_close(&b);
}

/* Choices are read from the text: there is nothing to hold or to calibrate. */
static void test_samples_are_not_held(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b,
               "{'signature': 'question -> answer: yes | no', 'strategy': 'self_consistency', "
               "'samples': 3}",
               model);
    assert_int_equal(b.seed->n_components, 2);
    expect_run(&b, NULL, "'Yes no NO'", "{'answer': 'no', 'reasoning': 'r1'}");
    bench_close(&b);
}

static void test_section_errors(void **state)
{
    (void)state;
    static const struct {
        const char *section, *field, *message;
    } rows[] = {
        {"{'signature': 'a -> b', 'samples': 3}", "program.samples", "predict"},
        {"{'signature': 'a -> b', 'strategy': 'cot', 'check': 'x.lua'}", "program.check", "cot"},
        {"{'signature': 'a -> b', 'strategy': 'best_of_n', 'reduce': 'x.lua'}", "program.reduce",
         "best_of_n"},
        {"{'signature': 'a -> b', 'strategy': 'best_of_n', 'check': 'check.lua'}", "program.check",
         "cannot be used"},
        {"{'modules': {'m': {'signature': 'a -> b', 'samples': 2}}}", "program.modules.m.samples",
         "predict"},
        {"{'signature': 'a -> b', 'strategy': 'best_of_n', 'samples': 65}", "program.samples",
         "64"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct pawl_error err = {0};
        json_t *section = json_of(rows[i].section);
        const struct pawl_program_settings settings = {.program = section, .project_dir = "/tmp"};
        assert_int_equal(pawl_program_check(&settings, &err), PAWL_ECONFIG);
        assert_string_equal(err.field, rows[i].field);
        if (!strstr(err.message, rows[i].message)) fail_msg("%zu: %s", i, err.message);
        json_decref(section);
    }
}

/* A pipeline that cannot be opened closes the scripts of the modules that could (seen by the sanitizer). */
static void test_scripts_are_closed(void **state)
{
    (void)state;
    struct bench b;
    struct pawl_error err = {0};
    bench_folder(&b);
    json_t *section =
        json_of("{'modules': {'a': {'signature': 'x -> y', 'strategy': 'best_of_n', "
                "'check': 'function check() return 1 end'}, 'b': {'signature': 'y -> y'}}}");
    const struct pawl_program_settings settings = {.program = section, .project_dir = b.folder};
    assert_int_equal(pawl_program_check(&settings, &err), PAWL_ECONFIG);
    assert_string_equal(err.field, "program.modules.b.signature");
    json_decref(section);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_most_votes_win),
        cmocka_unit_test(test_the_trace_says_which_answer_it_was),
        cmocka_unit_test(test_a_temperature_of_none_is_kept),
        cmocka_unit_test(test_the_owner_may_choose),
        cmocka_unit_test(test_the_first_that_is_good_enough),
        cmocka_unit_test(test_samples_are_not_held),
        cmocka_unit_test(test_section_errors),
        cmocka_unit_test(test_scripts_are_closed),
    };
    pawl_crypto_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
