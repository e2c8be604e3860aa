/* Chain of thought on a model that scores choices: the reasoning is free text, and the choices are scored
 * after it. */
#include "program_fixture.h"

#include "lm/lm.h"

/* Instead of the room lm's: see PawlTests.cmake. */
bool __wrap_pawl_lm_scores_choices(struct pawl_lm *lm, enum pawl_role role);
bool __wrap_pawl_lm_scores_choices(struct pawl_lm *lm, enum pawl_role role)
{
    (void)lm;
    return role == PAWL_ROLE_TASK;
}

#define COT "{'signature': 'review -> sentiment: positive | negative', 'strategy': 'cot'}"

/* Reasons, and is asked to choose with the reasoning as its own turn. */
static const char model[] =
    "function complete(r)\n"
    "  if not r.choices then\n"
    "    assert(#r.messages == 2 and r.stops[1] == '\\nsentiment:')\n"
    "    assert(r.messages[1].content:find('reasoning: step by step', 1, true))\n"
    "    if r.messages[2].content == 'silent' then return '' end\n"
    "    if r.messages[2].content == 'down' then return {error = 'missing: later'} end\n"
    "    if r.messages[2].content == 'eager' then\n"
    "      return 'Reasoning: it broke.\\n Sentiment: Positive'\n"
    "    end\n"
    "    return 'Reasoning: it broke.'\n"
    "  end\n"
    "  assert(r.choices[1] == 'positive' and r.choices[2] == 'negative' and #r.messages == 4)\n"
    "  local said, asked = r.messages[3], r.messages[4]\n"
    "  assert(said.role == 'assistant' and asked.role == 'user')\n"
    "  assert(asked.content == 'sentiment:')\n"
    "  if r.messages[2].content == 'unscored' then return 'Positive.' end\n"
    "  if said.content == 'reasoning: it broke.' then\n"
    "    return {text = 'negative', choice_logprobs = {-1.5, -0.5}}\n"
    "  end\n"
    "  assert(said.content == 'reasoning: ')\n"
    "  return {text = 'positive', choice_logprobs = {-0.5, -1.5}}\n"
    "end";

static void test_reasons_then_chooses(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, COT, model);
    expect_run(&b, NULL, "'x'", "{'reasoning': 'it broke.', 'sentiment': 'negative'}");
    /* What it says after the stop is not part of it. */
    expect_run(&b, NULL, "'eager'", "{'reasoning': 'it broke.', 'sentiment': 'negative'}");
    expect_run(&b, NULL, "'silent'", "{'reasoning': '', 'sentiment': 'positive'}");
    /* An answer without scores is read. */
    expect_run(&b, NULL, "'unscored'", "{'reasoning': 'it broke.', 'sentiment': 'positive'}");
    bench_close(&b);
}

static void test_what_is_recorded(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, COT, model);
    struct pawl_outcome outcome = run_one(
        &b, NULL, "'x'", (struct pawl_run_options){.flags = PAWL_RUN_TRACE | PAWL_RUN_LOGPROBS});
    assert_int_equal(outcome.usage.n_requests, 2);
    assert_int_equal(json_array_size(outcome.trace), 2);
    assert_null(json_object_get(json_array_get(outcome.trace, 0), "choice_logprobs"));
    expect_json(json_object_get(json_array_get(outcome.trace, 1), "choice_logprobs"),
                "[-1.5, -0.5]");
    expect_json(json_object_get(json_array_get(outcome.trace, 1), "output"),
                "{'reasoning': 'it broke.', 'sentiment': 'negative'}");
    json_t *own = json_of("{'sentiment': 'negative'}");
    struct pawl_hash behaviour = pawl_hash_json(own);
    assert_true(pawl_hash_eq(&outcome.behaviour, &behaviour));
    json_decref(own);
    pawl_outcome_release(&outcome);
    outcome = run_one(&b, NULL, "'down'", (struct pawl_run_options){0});
    assert_int_equal(outcome.status, PAWL_OUTCOME_MISSING);
    pawl_outcome_release(&outcome);
    bench_close(&b);
}

static void test_calibration_counts(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, COT, model);
    struct pawl_instance *shifted = prepare_edit(&b, "calibration", "{\"positive\": 1.5}");
    expect_run(&b, shifted, "'x'", "{'reasoning': 'it broke.', 'sentiment': 'positive'}");
    pawl_program_release(shifted);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reasons_then_chooses),
        cmocka_unit_test(test_what_is_recorded),
        cmocka_unit_test(test_calibration_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
