/* LATS: the tree by known values, and the search by a scripted model. */
#include "program/program_fixture.h"

#include "program/tree.h"

#include <math.h>

/*
 * Sample k (from 0) of an answer after the number x is x + k, and after the case itself the case's word k, or k
 * where it has none. What the model thinks of x is x of 10. "!" is refused, "?" is lost.
 */
static const char model[] =
    "local function say(word)\n"
    "  if word == '!' then return {error = 'failed: refused'} end\n"
    "  if word == '?' then return {error = 'missing: later'} end\n"
    "  return word\n"
    "end\n"
    "function complete(r)\n"
    "  local m = r.messages\n"
    "  for i = 2, #m do assert(m[i].role == (i % 2 == 0 and 'user' or 'assistant')) end\n"
    "  local last, question = m[#m].content, m[2].content\n"
    "  local before = #m > 2 and m[#m - 1].content or ''\n"
    "  local x = tonumber(before) or 0\n"
    "  if last:find('what is wrong with that answer', 1, true) then\n"
    "    return say(question:match('lesson (%S)') or 'more than ' .. before) end\n"
    "  if last:find('Judge that answer', 1, true) then\n"
    "    return say(question:match('opinion (%S)') or 'It is 10 of 10.\\nscore: ' .. x) end\n"
    "  assert(r.temperature == 1)\n"
    "  local k = r.sample\n"
    "  if #m == 2 then\n"
    "    local i = 0\n"
    "    for word in question:gmatch('%S+') do if i == k then return say(word) end i = i + 1 end\n"
    "  end\n"
    "  return tostring(x + k)\n"
    "end";

#define CHECK                                                                                      \
    "function check(call) assert(call.target == nil) local x = tonumber(call.output.answer) "      \
    "  return x >= 7 or {score = x / 10, feedback = x .. [[ is too little.]]} end"
#define SECTION "'signature': 'question -> answer', 'strategy': 'lats', 'samples': 3"

static const struct pawl_run_options traced = {.flags = PAWL_RUN_TRACE};

/* How often each part asked: answers, opinions, lessons. */
static void expect_calls(const json_t *trace, size_t answers, size_t opinions, size_t lessons)
{
    size_t n[3] = {0};
    for (size_t i = 0; i < json_array_size(trace); i++) {
        const char *part = json_string_value(json_object_get(json_array_get(trace, i), "module"));
        n[strcmp(part, "value") == 0 ? 1 : strcmp(part, "reflect") == 0 ? 2 : 0]++;
    }
    assert_int_equal(n[0], answers);
    assert_int_equal(n[1], opinions);
    assert_int_equal(n[2], lessons);
}

static const json_t *node_of(const json_t *trace, int id)
{
    for (size_t i = 0; i < json_array_size(trace); i++) {
        const json_t *node = json_object_get(json_array_get(trace, i), "node");
        if (node && json_integer_value(json_object_get(node, "id")) == id) return node;
    }
    return NULL;
}

/* --- the tree ---------------------------------------------------------------------------------------- */

static void test_bounds_and_means(void **state)
{
    (void)state;
    assert_true(fabs(pawl_tree_uct(0.6, 3, 10, 1) - 1.476087) < 1e-6);
    assert_true(isinf(pawl_tree_uct(0, 0, 10, 1)));
    struct pawl_arena arena = {0};
    struct pawl_tree tree;
    uint32_t leaf;
    pawl_tree_init(&tree, &arena, 8, 1);
    assert_true(pawl_tree_pick(&tree, &leaf));
    assert_int_equal(leaf, 0);
    assert_false(pawl_tree_pick(&tree, &leaf)); /* picked once */
    uint32_t a = pawl_tree_add(&tree, 0), b = pawl_tree_add(&tree, 0);
    pawl_tree_back_up(&tree, a, 0.2);
    pawl_tree_back_up(&tree, b, 0.8);
    pawl_tree_return(&tree, 0);
    assert_int_equal(tree.nodes[0].visits, 2);
    assert_true(fabs(tree.nodes[0].value - 0.5) < 1e-12);
    assert_true(pawl_tree_pick(&tree, &leaf));
    assert_int_equal(leaf, b);
    assert_true(pawl_tree_pick(&tree, &leaf)); /* elsewhere, while b is out */
    assert_int_equal(leaf, a);
    uint32_t c = pawl_tree_add(&tree, b);
    pawl_tree_back_up(&tree, c, 0);
    assert_true(fabs(tree.nodes[b].value - 0.4) < 1e-12);
    pawl_tree_return(&tree, b);
    pawl_tree_return(&tree, a);
    assert_true(tree.nodes[0].pending == 0 && tree.nodes[b].pending == 0);
    assert_true(pawl_tree_pick(&tree, &leaf)); /* a has no children and is done */
    assert_int_equal(leaf, c);
    pawl_tree_return(&tree, c);
    assert_false(pawl_tree_pick(&tree, &leaf));
    pawl_arena_release(&arena);
}

/* A leaf that is out counts as one that found nothing: with much exploration the next pick is its cousin. */
static void test_virtual_loss(void **state)
{
    (void)state;
    struct pawl_arena arena = {0};
    struct pawl_tree tree;
    uint32_t leaf, one, two;
    pawl_tree_init(&tree, &arena, 16, 0.1);
    assert_true(pawl_tree_pick(&tree, &leaf));
    uint32_t a = pawl_tree_add(&tree, 0), b = pawl_tree_add(&tree, 0);
    pawl_tree_back_up(&tree, a, 0.6);
    pawl_tree_back_up(&tree, b, 0.5);
    pawl_tree_return(&tree, 0);
    assert_true(pawl_tree_pick(&tree, &leaf) && leaf == a);
    for (int i = 0; i < 3; i++) pawl_tree_back_up(&tree, pawl_tree_add(&tree, a), 0.6);
    pawl_tree_return(&tree, a);
    /* Below a there are three leaves, and a is the better one: but after one of them is out it is b's turn. */
    assert_true(pawl_tree_pick(&tree, &one) && tree.nodes[one].parent == a);
    tree.nodes[a].pending = 2;
    assert_true(pawl_tree_pick(&tree, &two));
    assert_int_equal(two, b);
    pawl_arena_release(&arena);
}

/* --- the search ---------------------------------------------------------------------------------------- */

static void test_climbs_to_what_the_check_wants(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b,
               "{" SECTION ", 'lambda': 0, 'at_once': 1, 'exploration': 0, 'check': '" CHECK "'}",
               model);
    /* 0 1 2, then 2 3 4 after 2, then 4 5 6 after 4, then 6 7 8 after 6. */
    struct pawl_outcome outcome = run_one(&b, NULL, "'0'", traced);
    expect_json(outcome.output, "{'answer': '7'}");
    expect_calls(outcome.trace, 12, 0, 3);
    assert_int_equal(outcome.usage.n_requests, 15);
    assert_int_equal(json_integer_value(json_object_get(node_of(outcome.trace, 6), "parent")), 3);
    assert_int_equal(json_integer_value(json_object_get(node_of(outcome.trace, 11), "depth")), 4);
    expect_json(json_object_get(node_of(outcome.trace, 11), "answer"), "{'answer': '7'}");
    /* What was wrong, and the lesson, stand before the last answers; those of other paths too. */
    const json_t *said = json_object_get(json_array_get(outcome.trace, 14), "messages");
    char *text = pawl_json_text(said);
    assert_non_null(strstr(text, "6 is too little."));
    assert_non_null(strstr(text, "- more than 2\\n- more than 4\\n- more than 6"));
    free(text);
    pawl_outcome_release(&outcome);
    outcome = run_one(&b, NULL, "'1 9 8'", traced); /* the first that is good, and no more */
    expect_json(outcome.output, "{'answer': '9'}");
    expect_calls(outcome.trace, 3, 0, 0);
    pawl_outcome_release(&outcome);
    bench_close(&b);
}

static void test_calls_and_depth_are_bounded(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b,
               "{" SECTION ", 'max_expansions': 4, 'at_once': 2, 'check': 'function check(call) "
               "return tonumber(call.output.answer) / 1000 end'}",
               model);
    struct pawl_outcome outcome = run_one(&b, NULL, "'0'", traced);
    expect_calls(outcome.trace, 12, 12, 3); /* the root, two leaves, and one: three have lessons */
    assert_int_equal(outcome.status, PAWL_OUTCOME_DONE);
    pawl_outcome_release(&outcome);
    bench_close(&b);
    /* Below the root nothing: there is no leaf to go on from. */
    bench_open(&b, "{" SECTION ", 'depth': 1, 'lambda': 0, 'check': '" CHECK "'}", model);
    outcome = run_one(&b, NULL, "'3 5 4'", traced);
    expect_json(outcome.output, "{'answer': '5'}"); /* the best, not the last */
    expect_calls(outcome.trace, 3, 0, 0);
    pawl_outcome_release(&outcome);
    bench_close(&b);
    /* Failed answers at the depth are lessons for the leaves that are left. */
    bench_open(&b,
               "{" SECTION ", 'depth': 2, 'lambda': 0, 'at_once': 1, 'memory': 2, 'check': '" CHECK
               "'}",
               model);
    outcome = run_one(&b, NULL, "'0 1 2'", traced);
    expect_calls(outcome.trace, 12, 0, 3 + 2 + 2);
    pawl_outcome_release(&outcome);
    bench_close(&b);
}

static void test_opinion_and_agreement(void **state)
{
    (void)state;
    struct bench b;
    /* Alone the opinion, read from its own line: "10 of 10" in the text is none. */
    bench_open(&b, "{" SECTION ", 'depth': 1, 'lambda': 1}", model);
    struct pawl_outcome outcome = run_one(&b, NULL, "'3 8 5'", traced);
    expect_json(outcome.output, "{'answer': '8'}");
    expect_calls(outcome.trace, 3, 3, 0);
    assert_true(fabs(json_real_value(json_object_get(node_of(outcome.trace, 2), "value")) - 0.8) <
                1e-12);
    pawl_outcome_release(&outcome);
    /* An opinion that cannot be read, or is refused, has no part: then it is agreement. */
    static const char *const none[] = {"'3 5 5 opinion x'", "'3 5 5 opinion !'"};
    for (size_t i = 0; i < 2; i++) expect_run(&b, NULL, none[i], "{'answer': '5'}");
    bench_close(&b);
    /* Alone the agreement; answers that a sibling gave are votes and no nodes. */
    bench_open(&b, "{" SECTION ", 'depth': 1, 'lambda': 0}", model);
    outcome = run_one(&b, NULL, "'9 2 2'", traced);
    expect_json(outcome.output, "{'answer': '2'}");
    assert_null(node_of(outcome.trace, 3));
    pawl_outcome_release(&outcome);
    bench_close(&b);
}

static void test_a_call_that_fails(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, "{" SECTION ", 'at_once': 1, 'exploration': 0, 'check': '" CHECK "'}", model);
    expect_run(&b, NULL, "'! 6 !'", "{'answer': '7'}"); /* a refused answer is a dead end */
    expect_run(&b, NULL, "'! ! !'", "!refused");
    expect_run(&b, NULL, "'1 6 2 lesson !'", "{'answer': '7'}"); /* no lesson */
    static const char *const lost[] = {"'1 ? 2'", "'1 2 3 opinion ?'", "'1 2 3 lesson ?'"};
    for (size_t i = 0; i < 3; i++) {
        struct pawl_outcome outcome = run_one(&b, NULL, lost[i], traced);
        assert_int_equal(outcome.status, PAWL_OUTCOME_MISSING);
        pawl_outcome_release(&outcome);
    }
    expect_run(&b, NULL, "'1 x 2'", "!script"); /* x is no number: the owner's check fails */
    bench_close(&b);
}

static void test_its_texts_are_components(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, "{" SECTION ", 'depth': 1, 'lambda': 1}", model);
    assert_int_equal(b.seed->n_components, 5);
    struct pawl_instance *other = prepare_edit(&b, "value", "Judge that answer by LOOKING.");
    struct pawl_outcome outcome = run_one(&b, other, "'1 2 3'", traced);
    char *text = pawl_json_text(json_array_get(outcome.trace, 3));
    assert_non_null(strstr(text, "LOOKING"));
    free(text);
    pawl_outcome_release(&outcome);
    pawl_program_release(other);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bounds_and_means),
        cmocka_unit_test(test_virtual_loss),
        cmocka_unit_test(test_climbs_to_what_the_check_wants),
        cmocka_unit_test(test_calls_and_depth_are_bounded),
        cmocka_unit_test(test_opinion_and_agreement),
        cmocka_unit_test(test_a_call_that_fails),
        cmocka_unit_test(test_its_texts_are_components),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
