/* What every registered operator owes its host; a new operator is tested here by being registered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/run_rig.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

enum { BUDGET = 4 * RIG_CHECK + 160 };

static struct rig rig;

static int open_rig(void **state)
{
    (void)state;
    rig_open(&rig);
    rig_set_lessons(&rig);
    rig.budget = BUDGET;
    return 0;
}

static int close_rig(void **state)
{
    (void)state;
    rig_close(&rig);
    return 0;
}

static void expect_equal(const struct pawl_operator *operator, size_t k,
                         const struct rig_summary *whole, const struct rig_summary *resumed)
{
    if (resumed->status != whole->status || resumed->result.state != whole->result.state)
        fail_msg("%s stopped after step %zu: %s", operator->name, k, resumed->error.message);
    assert_string_equal(resumed->candidates, whole->candidates);
    assert_string_equal(resumed->journal, whole->journal);
    assert_string_equal(resumed->result.best, whole->result.best);
    assert_string_equal(resumed->result.offered, whole->result.offered);
    assert_int_equal(resumed->result.evaluations, whole->result.evaluations);
    assert_true(whole->result.usage.prompt_tokens > 0);
    assert_int_equal(resumed->result.usage.prompt_tokens, whole->result.usage.prompt_tokens);
    assert_int_equal(resumed->result.usage.completion_tokens,
                     whole->result.usage.completion_tokens);
}

static void check_resume_at_every_step(const struct pawl_operator *operator)
{
    struct rig_summary whole = rig_run(&rig, "whole", operator);
    if (whole.status != PAWL_OK) fail_msg("%s: %s", operator->name, whole.error.message);
    for (size_t k = 1; k < whole.n_steps; k++) {
        rig.stop_after_steps = k;
        struct rig_summary part = rig_run(&rig, "part", operator);
        assert_int_equal(part.status, PAWL_EPAUSED);
        assert_int_equal(part.n_steps, k);
        rig.stop_after_steps = 0;
        struct rig_summary resumed = rig_run(&rig, "part", operator);
        expect_equal(operator, k, &whole, &resumed);
        rig_summary_release(&part);
        rig_summary_release(&resumed);
        rig_remove(&rig, "part");
    }
    rig_summary_release(&whole);
    rig_remove(&rig, "whole");
}

static void test_a_resumed_run_equals_an_uninterrupted_one(void **state)
{
    (void)state;
    for (size_t i = 0; pawl_operators[i] != NULL; i++)
        check_resume_at_every_step(pawl_operators[i]);
}

static void test_a_resumed_run_of_a_pipeline_equals_an_uninterrupted_one(void **state)
{
    (void)state;
    rig_set_pipeline(&rig);
    assert_int_equal(rig.start->n_components, 7);
    for (size_t i = 0; pawl_operators[i] != NULL; i++)
        check_resume_at_every_step(pawl_operators[i]);
}

/* Equal seeds, equal runs: an operator has no other source of chance. */
static void test_equal_seeds_give_equal_runs(void **state)
{
    (void)state;
    for (size_t i = 0; pawl_operators[i] != NULL; i++) {
        rig.seed = 5;
        struct rig_summary a = rig_run(&rig, "a", pawl_operators[i]);
        struct rig_summary b = rig_run(&rig, "b", pawl_operators[i]);
        expect_equal(pawl_operators[i], 0, &a, &b);
        rig_summary_release(&a);
        rig_summary_release(&b);
        rig_remove(&rig, "a");
        rig_remove(&rig, "b");
    }
}

/* Ways of an operator that its defaults do not go on so few cases. */
static const struct {
    const char *name, *options;
} other_ways[] = {
    {"mipro", "{\"minibatch\":\"on\",\"minibatch_size\":3,\"full_eval_every\":2,\"trials\":12}"},
};

static void test_a_resumed_run_on_minibatches_equals_an_uninterrupted_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof other_ways / sizeof *other_ways; i++) {
        json_t *options = json_loads(other_ways[i].options, 0, NULL);
        assert_non_null(options);
        rig.options = options;
        size_t k = 0;
        while (strcmp(pawl_operators[k]->name, other_ways[i].name) != 0) k++;
        check_resume_at_every_step(pawl_operators[k]);
        rig.options = NULL;
        json_decref(options);
    }
}

static void test_budgets_are_kept(void **state)
{
    struct pawl_random random;
    (void)state;
    pawl_random_init(&random, 3);
    for (size_t i = 0; pawl_operators[i] != NULL; i++) {
        for (int n = 0; n < 25; n++) {
            rig.budget = 4 * RIG_CHECK + 1 + (int64_t)pawl_random_below(&random, 300);
            rig.seed = (uint64_t)n;
            atomic_store(&rig.n_evaluated, 0);
            struct rig_summary summary = rig_run(&rig, "run", pawl_operators[i]);
            bool refused = summary.status == PAWL_EBUDGET && rig.budget < 4 * RIG_CHECK + 50;
            if (summary.status != PAWL_OK && !refused)
                fail_msg("%s with %lld evaluations: %s", pawl_operators[i]->name,
                         (long long)rig.budget, summary.error.message);
            assert_in_range(atomic_load(&rig.n_evaluated), 0, refused ? 0 : rig.budget);
            rig_summary_release(&summary);
            rig_remove(&rig, "run");
        }
    }
}

/* A model that answers with what no operator wishes for. */
static const char hostile_script[] =
    "function complete(request)\n"
    "  local n = math.floor(random(request) * 6)\n"
    "  if n == 0 then return '' end\n"
    "  if n == 1 then return string.rep('x', 100000) end\n"
    "  if n == 2 then return '```' end\n"
    "  if n == 3 then return '{\"q\": [1, {\"a\": null}]}' end\n"
    "  if n == 4 then return 'a\\255\\254b\\0c' end\n"
    "  return {error = {kind = 'failed', text = 'the prompt is too long'}}\n"
    "end\n";

static void test_a_hostile_model_does_no_harm(void **state)
{
    (void)state;
    rig_set_script(&rig, hostile_script);
    rig.force = true;
    for (size_t i = 0; pawl_operators[i] != NULL; i++) {
        struct rig_summary summary = rig_run(&rig, "run", pawl_operators[i]);
        if (summary.status != PAWL_OK)
            fail_msg("%s: %s", pawl_operators[i]->name, summary.error.message);
        rig_summary_release(&summary);
        rig_remove(&rig, "run");
    }
}

static void test_the_table_is_whole(void **state)
{
    (void)state;
    assert_non_null(pawl_operators[0]);
    for (size_t i = 0; pawl_operators[i] != NULL; i++) {
        const struct pawl_operator *operator= pawl_operators[i];
        assert_int_equal(operator->api, PAWL_OPERATOR_API);
        assert_true(operator->version >= 1);
        for (const char *c = operator->name; *c != '\0'; c++)
            assert_true(islower((unsigned char)*c) || isdigit((unsigned char)*c) || *c == '_');
        assert_non_null(operator->summary);
        assert_non_null(operator->paper);
        assert_non_null(operator->risks);
        const struct pawl_operator_text *text = operator->texts;
        for (; text != NULL && text->name != NULL; text++) assert_true(text->text[0] != '\0');
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(operator->name, pawl_operators[j]->name);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_rig, close_rig)
    const struct CMUnitTest tests[] = {
        TEST(test_the_table_is_whole),
        TEST(test_a_resumed_run_equals_an_uninterrupted_one),
        TEST(test_a_resumed_run_of_a_pipeline_equals_an_uninterrupted_one),
        TEST(test_equal_seeds_give_equal_runs),
        TEST(test_budgets_are_kept),
        TEST(test_a_hostile_model_does_no_harm),
        TEST(test_a_resumed_run_on_minibatches_equals_an_uninterrupted_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
