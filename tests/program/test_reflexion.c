/* Reflexion: the order of its calls, their bound, what it remembers, and what it does when a call fails. */
#include "program/program_fixture.h"

#include "program/lessons.h"

/*
 * A case is "answers; lessons; test": answer k of the words is given in trial k, lesson k after it. "!" is
 * refused, "?" is lost, "-" cannot be read. Roles take turns, and the first is the system's.
 */
static const char model[] =
    "local function nth(list, k) local i = 0 for w in list:gmatch('%S+') do i = i + 1 "
    "  if i == k then return w end end return '-' end\n"
    "local function say(word)\n"
    "  if word == '!' then return {error = 'failed: refused'} end\n"
    "  if word == '?' then return {error = 'missing: later'} end\n"
    "  if word == '-' then return '' end\n"
    "  return word\n"
    "end\n"
    "function complete(r)\n"
    "  local m = r.messages\n"
    "  for i = 2, #m do assert(m[i].role == (i % 2 == 0 and 'user' or 'assistant')) end\n"
    "  local answers, lessons, test = m[2].content:match('^([^;]*);([^;]*);([^;\\n]*)')\n"
    "  local last = m[#m].content\n"
    "  if last:find('write a test', 1, true) then\n"
    "    if test:find('%w') and not test:find('[!?]') then\n"
    "      return '```lua\\nfunction check(call) ' .. test .. ' end\\n```' end\n"
    "    return say(test:match('%S+') or 'none')\n"
    "  end\n"
    "  if last:find('a few sentences', 1, true) then\n"
    "    return say(nth(lessons, tonumber(last:match('It is number (%d+)')) or 1))\n"
    "  end\n"
    "  local k = #m == 2 and 1 or (tonumber(last:match('It is number (%d+)')) or 0) + 1\n"
    "  return say(nth(answers, k))\n"
    "end";

/* 'good' is good; aN is number N and its score is N / 10. */
#define CHECK                                                                                      \
    "function check(call) assert(call.target == nil) "                                             \
    "  local a = call.output.answer if a == [[good]] then return true end "                        \
    "  if a == [[boom]] then error([[broken]]) end "                                               \
    "  local n = tonumber(a:match([[%d+]])) or 9 "                                                 \
    "  return {score = n / 10, feedback = [[It is number ]] .. n .. [[.]]} end"
#define SECTION "'signature': 'question -> answer', 'strategy': 'reflexion'"
#define CHECKED "{" SECTION ", 'max_trials': 4, 'check': '" CHECK "'}"

static const struct pawl_run_options traced = {.flags = PAWL_RUN_TRACE};

static void test_tries_until_the_check_is_content(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, CHECKED, model);
    struct pawl_outcome outcome = run_one(&b, NULL, "'a1 a2 good a4; l1 l2 l3;'", traced);
    expect_json(outcome.output, "{'answer': 'good'}");
    expect_order(outcome.trace, "answer reflect answer reflect answer");
    assert_int_equal(outcome.usage.n_requests, 5);
    assert_non_null(strstr(last_turn(outcome.trace, 1), "It is number 1."));
    assert_non_null(strstr(last_turn(outcome.trace, 4), "- l1\n- l2\n"));
    assert_null(strstr(last_turn(outcome.trace, 2), "l2"));
    expect_json(json_object_get(json_array_get(outcome.trace, 4), "output"), "{'answer': 'good'}");
    expect_json(json_object_get(json_array_get(outcome.trace, 1), "output"), "{'text': 'l1'}");
    assert_null(json_object_get(json_array_get(outcome.trace, 0), "output"));
    pawl_outcome_release(&outcome);
    outcome = run_one(&b, NULL, "'good; ;'", traced); /* at once: one call */
    expect_order(outcome.trace, "answer");
    pawl_outcome_release(&outcome);
    bench_close(&b);
}

static void test_calls_are_bounded_and_the_best_is_taken(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, CHECKED, model);
    struct pawl_outcome outcome = run_one(&b, NULL, "'a1 a2 a3 a4 a5; l1 l2 l3 l4;'", traced);
    expect_json(outcome.output, "{'answer': 'a4'}");
    expect_order(outcome.trace, "answer reflect answer reflect answer reflect answer");
    pawl_outcome_release(&outcome);
    bench_close(&b);
    /* Of equals the first; what cannot be read is a failed trial; a broken check is the project's. */
    bench_open(&b,
               "{" SECTION ", 'max_trials': 2, 'check': 'function check(call) "
               "return call.output.answer == [[good]] end'}",
               model);
    expect_run(&b, NULL, "'x y; l;'", "{'answer': 'x'}");
    expect_run(&b, NULL, "'- -; l;'", "!The answer is empty");
    bench_close(&b);
    bench_open(&b, CHECKED, model);
    expect_run(&b, NULL, "'boom; l;'", "!broken");
    bench_close(&b);
}

static void test_a_call_that_fails(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, CHECKED, model);
    /* A refused lesson is none, and the trial goes on; a refused answer is a failed trial. */
    struct pawl_outcome outcome = run_one(&b, NULL, "'a1 good; !;'", traced);
    expect_json(outcome.output, "{'answer': 'good'}");
    assert_null(strstr(last_turn(outcome.trace, 2), "Lessons"));
    pawl_outcome_release(&outcome);
    expect_run(&b, NULL, "'! ! ! !; l;'", "!refused");
    /* What the world lost is no answer of this strategy. */
    static const char *const lost[] = {"'?; l;'", "'a1 ?; l;'", "'a1 good; ?;'"};
    for (size_t i = 0; i < 3; i++) {
        outcome = run_one(&b, NULL, lost[i], traced);
        assert_int_equal(outcome.status, PAWL_OUTCOME_MISSING);
        assert_null(outcome.output);
        pawl_outcome_release(&outcome);
    }
    bench_close(&b);
}

static void test_without_a_check_the_model_tests_itself(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, "{" SECTION "}", model);
    struct pawl_outcome outcome = run_one(&b, NULL,
                                          "'a1 a2 a3; l1 l2; return call.output.answer == [[a2]] "
                                          "or {score = 0, feedback = [[It is number 1]]}'",
                                          traced);
    expect_json(outcome.output, "{'answer': 'a2'}");
    expect_order(outcome.trace, "test answer reflect answer");
    pawl_outcome_release(&outcome);
    /* A test that is no Lua, fails, or is refused says nothing: the first answer stands. */
    static const char *const useless[] = {"'a1 a2; l; no lua at all'", "'a1 a2; l; error([[x]])'",
                                          "'a1 a2; l; !'", "'a1 a2; l; while true do end'"};
    for (size_t i = 0; i < 4; i++) {
        outcome = run_one(&b, NULL, useless[i], traced);
        expect_json(outcome.output, "{'answer': 'a1'}");
        expect_order(outcome.trace, "test answer");
        pawl_outcome_release(&outcome);
    }
    outcome = run_one(&b, NULL, "'a1; l; ?'", traced);
    assert_int_equal(outcome.status, PAWL_OUTCOME_MISSING);
    pawl_outcome_release(&outcome);
    bench_close(&b);
}

static void test_its_texts_are_components(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, CHECKED, model);
    assert_int_equal(b.seed->n_components, 5);
    static const char *const names[] = {"reflect", "retry", "test"};
    for (size_t i = 0; i < 3; i++) {
        const struct pawl_component *text = pawl_artifact_find(b.seed, names[i]);
        assert_non_null(text);
        assert_string_equal(text->role, "instruction");
    }
    struct pawl_instance *other = prepare_edit(&b, "reflect", "In a few sentences: LOOK HERE.");
    struct pawl_outcome outcome = run_one(&b, other, "'a1 good; l1;'", traced);
    assert_non_null(strstr(last_turn(outcome.trace, 1), "LOOK HERE"));
    pawl_outcome_release(&outcome);
    pawl_program_release(other);
    bench_close(&b);
    /* In a pipeline they have the module's name. */
    bench_open(&b, "{'modules': {'m': {" SECTION "}}}", model);
    assert_non_null(pawl_artifact_find(b.seed, "m.retry"));
    bench_close(&b);
}

static void test_memory_is_bounded(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, "{" SECTION ", 'max_trials': 6, 'memory': 2, 'check': '" CHECK "'}", model);
    struct pawl_outcome outcome = run_one(&b, NULL, "'a1 a2 a3 a4 a5 a6; l1 l2 l3 l4 l5;'", traced);
    assert_non_null(strstr(last_turn(outcome.trace, 10), "- l4\n- l5\n"));
    assert_null(strstr(last_turn(outcome.trace, 10), "l3"));
    pawl_outcome_release(&outcome);
    bench_close(&b);

    struct pawl_lessons lessons = {.keep = 2};
    static char longer[3 * PAWL_LESSON_BYTES];
    for (size_t i = 0; i + 2 < sizeof longer; i += 3) memcpy(longer + i, "\xe2\x82\xac", 3);
    pawl_lessons_add(&lessons, (struct pawl_str){longer, sizeof longer});
    assert_true(lessons.list[0].len <= PAWL_LESSON_BYTES);
    assert_true(pawl_utf8_is_valid(lessons.list[0], NULL));
    pawl_lessons_add(&lessons, PAWL_STR(" \n "));
    assert_int_equal(lessons.n, 1);
    pawl_lessons_add(&lessons, PAWL_STR("b"));
    pawl_lessons_add(&lessons, lessons.list[0]); /* again: the latest, and once */
    assert_int_equal(lessons.n, 2);
    assert_true(pawl_str_is(lessons.list[0], "b"));
    pawl_lessons_add(&lessons, PAWL_STR("c"));
    assert_true(pawl_str_is(lessons.list[1], "c") && lessons.list[0].len > 1);
    lessons = (struct pawl_lessons){.keep = 0};
    pawl_lessons_add(&lessons, PAWL_STR("a"));
    assert_int_equal(lessons.n, 0);
}

/* Lessons of other cases: a component of its own, shown below the instruction, and read as anybody's text. */
static void test_what_is_remembered_across_cases(void **state)
{
    (void)state;
    static const char echo[] = "function complete(r) return r.messages[1].content end";
    struct bench b;
    bench_open(&b, "{'signature': 'q -> a', 'instruction': {'text': 'Do it.'}, 'lessons': true}",
               echo);
    const struct pawl_component *lessons = pawl_artifact_find(b.seed, "lessons");
    assert_non_null(lessons);
    assert_string_equal(lessons->role, "memory");
    struct pawl_outcome outcome = run_one(&b, NULL, "'x'", traced);
    assert_null(strstr(json_string_value(json_object_get(outcome.output, "a")), "Lessons"));
    pawl_outcome_release(&outcome);
    struct pawl_instance *other = prepare_edit(
        &b, "lessons",
        "[{\"text\":\"Be brief.\",\"from\":\"c1\",\"ttl\":3},{\"text\":\"Be kind.\"}]");
    outcome = run_one(&b, other, "'x'", traced);
    const char *said = json_string_value(json_object_get(outcome.output, "a"));
    assert_non_null(strstr(said, "Do it.\n\nLessons of earlier tasks:\n- Be brief.\n- Be kind."));
    assert_null(strstr(said, "c1"));
    pawl_outcome_release(&outcome);
    pawl_program_release(other);
    static const char *const odd[][2] = {{"no", "!no JSON"},
                                         {"{}", "!not a list"},
                                         {"[{}]", "!no text"},
                                         {"[{\"text\":7}]", "!no text"}};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        other = prepare_edit(&b, "lessons", odd[i][0]);
        expect_run(&b, other, "'x'", odd[i][1]);
        pawl_program_release(other);
    }
    bench_close(&b);
}

static void test_section_errors(void **state)
{
    (void)state;
    static const struct {
        const char *section, *field;
    } rows[] = {
        {"{'signature': 'a -> b', 'memory': 2}", "program.memory"},
        {"{'signature': 'a -> b', 'strategy': 'cot', 'max_trials': 2}", "program.max_trials"},
        {"{'signature': 'a -> b', 'strategy': 'reflexion', 'samples': 2}", "program.samples"},
        {"{'signature': 'a -> b', 'strategy': 'reflexion', 'memory': 17}", "program.memory"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct pawl_error err = {0};
        json_t *section = json_of(rows[i].section);
        const struct pawl_program_settings settings = {.program = section, .project_dir = "/tmp"};
        assert_int_equal(pawl_program_check(&settings, &err), PAWL_ECONFIG);
        assert_string_equal(err.field, rows[i].field);
        json_decref(section);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tries_until_the_check_is_content),
        cmocka_unit_test(test_calls_are_bounded_and_the_best_is_taken),
        cmocka_unit_test(test_a_call_that_fails),
        cmocka_unit_test(test_without_a_check_the_model_tests_itself),
        cmocka_unit_test(test_its_texts_are_components),
        cmocka_unit_test(test_memory_is_bounded),
        cmocka_unit_test(test_what_is_remembered_across_cases),
        cmocka_unit_test(test_section_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
