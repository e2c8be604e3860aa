/* Multi-agent reflexion: who is asked in which order, what each sees, how often, and what a silent critic costs. */
#include "program/program_fixture.h"

/* "good" is the second answer. A critic says its own name; one that the case names is refused ("!name") or lost
 * ("?name"). */
static const char model[] =
    "function complete(r)\n"
    "  local m = r.messages\n"
    "  for i = 2, #m do assert(m[i].role == (i % 2 == 0 and 'user' or 'assistant')) end\n"
    "  local last, question = m[#m].content, m[2].content\n"
    "  local function say(name, text)\n"
    "    if question:find('!' .. name, 1, true) or question == 'all refused' and name ~= 'answer' "
    "then\n"
    "      return {error = 'failed: refused'} end\n"
    "    if question:find('?' .. name, 1, true) then return {error = 'missing: later'} end\n"
    "    return text\n"
    "  end\n"
    "  local critic = last:match('You are a critic of that answer, the (%a+)')\n"
    "  if critic then\n"
    "    local debates = last:find('The critics say', 1, true)\n"
    "    return say(critic, critic .. (debates and ' answers' or ' objects')) end\n"
    "  if last:find('Make one lesson', 1, true) then return say('judge', 'LESSON') end\n"
    "  return #m == 2 and 'bad' or 'good'\n"
    "end";

#define CHECK   "'check': 'function check(call) return call.output.answer == [[good]] end'"
#define SECTION "'signature': 'question -> answer', 'strategy': 'mar', " CHECK

static const struct pawl_run_options traced = {.flags = PAWL_RUN_TRACE};

static void test_critics_debate_and_a_judge_decides(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, "{" SECTION "}", model);
    assert_int_equal(b.seed->n_components, 8);
    struct pawl_outcome outcome = run_one(&b, NULL, "'q'", traced);
    expect_json(outcome.output, "{'answer': 'good'}");
    expect_order(outcome.trace, "answer critique critique critique critique "
                                "debate debate debate debate judge answer");
    /* Nobody sees the others at first; then all but itself; the judge sees what was said last. */
    for (size_t i = 1; i <= 4; i++) assert_null(strstr(last_turn(outcome.trace, i), "objects"));
    assert_non_null(strstr(last_turn(outcome.trace, 5), "- sceptic: sceptic objects"));
    assert_null(strstr(last_turn(outcome.trace, 5), "verifier objects"));
    assert_non_null(strstr(last_turn(outcome.trace, 9), "- verifier: verifier answers"));
    assert_null(strstr(last_turn(outcome.trace, 9), "objects"));
    assert_non_null(strstr(last_turn(outcome.trace, 10), "- LESSON\n"));
    pawl_outcome_release(&outcome);
    bench_close(&b);
}

static void test_calls_are_bounded(void **state)
{
    (void)state;
    struct bench b;
    static const struct {
        const char *section;
        int n;
    } rows[] = {
        {"{" SECTION ", 'debate': 0, 'max_trials': 1}", 1},
        {"{" SECTION ", 'debate': 0}", 1 + 4 + 1 + 1},
        {"{" SECTION ", 'debate': 3}", 1 + 4 * 4 + 1 + 1},
        {"{'signature': 'question -> answer', 'strategy': 'mar', 'max_trials': 4, 'check': "
         "'function check() return 0 end'}",
         4 + 3 * (4 * 2 + 1)},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bench_open(&b, rows[i].section, model);
        struct pawl_outcome outcome = run_one(&b, NULL, "'q'", traced);
        assert_int_equal(outcome.usage.n_requests, rows[i].n);
        pawl_outcome_release(&outcome);
        bench_close(&b);
    }
}

static void test_a_call_that_fails(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, "{" SECTION "}", model);
    /* A silent critic is left out; the others go on, and it may still answer them. */
    struct pawl_outcome outcome = run_one(&b, NULL, "'!sceptic'", traced);
    expect_json(outcome.output, "{'answer': 'good'}");
    assert_null(strstr(last_turn(outcome.trace, 9), "sceptic"));
    pawl_outcome_release(&outcome);
    outcome = run_one(&b, NULL, "'!judge'", traced);
    expect_json(outcome.output, "{'answer': 'good'}");
    assert_null(strstr(last_turn(outcome.trace, 10), "Lessons"));
    pawl_outcome_release(&outcome);
    outcome = run_one(&b, NULL, "'all refused'", traced); /* no debate, and nothing to judge */
    expect_order(outcome.trace, "answer critique critique critique critique answer");
    pawl_outcome_release(&outcome);
    static const char *const lost[] = {"'?logician'", "'?judge'"};
    for (size_t i = 0; i < 2; i++) {
        outcome = run_one(&b, NULL, lost[i], traced);
        assert_int_equal(outcome.status, PAWL_OUTCOME_MISSING);
        pawl_outcome_release(&outcome);
    }
    bench_close(&b);
}

static void test_personas_are_a_component(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, "{" SECTION ", 'debate': 1}", model);
    struct pawl_instance *other =
        prepare_edit(&b, "personas", "\n  cook: tastes\n\nfarmer: weighs\n");
    struct pawl_outcome outcome = run_one(&b, other, "'q'", traced);
    expect_order(outcome.trace, "answer critique critique debate debate judge answer");
    assert_non_null(strstr(last_turn(outcome.trace, 1), "the cook: tastes"));
    pawl_outcome_release(&outcome);
    pawl_program_release(other);
    other = prepare_edit(&b, "personas", "cook: tastes");
    outcome = run_one(&b, other, "'q'", traced); /* alone there is no debate */
    expect_order(outcome.trace, "answer critique judge answer");
    pawl_outcome_release(&outcome);
    pawl_program_release(other);
    other = prepare_edit(&b, "personas", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n");
    outcome = run_one(&b, other, "'q'", traced); /* eight at most */
    assert_int_equal(outcome.usage.n_requests, 1 + 2 * 8 + 1 + 1);
    pawl_outcome_release(&outcome);
    pawl_program_release(other);
    other = prepare_edit(&b, "personas", " ");
    expect_run(&b, other, "'q'", "{'answer': 'good'}");
    pawl_program_release(other);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_critics_debate_and_a_judge_decides),
        cmocka_unit_test(test_calls_are_bounded),
        cmocka_unit_test(test_a_call_that_fails),
        cmocka_unit_test(test_personas_are_a_component),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
