/* The metric code_tests: which text of an answer is the code, which of a target are the tests; and that all
 * reference solutions of two published sets pass and broken ones fail. */
#include "program/program_fixture.h"

#include "evaluate/metric.h"
#include "evaluate/pass.h"

static struct pawl_arena arena;
static struct pawl_metric *metric;

static int open_metric(void **state)
{
    (void)state;
    struct pawl_error err = {0};
    json_t *section = json_of("{'name': 'code_tests', 'timeout_ms': 5000}");
    if (pawl_metric_open(section, "/", &metric, &err) != PAWL_OK) fail_msg("%s", err.message);
    json_decref(section);
    return 0;
}

static int close_metric(void **state)
{
    (void)state;
    pawl_metric_close(metric);
    pawl_arena_release(&arena);
    return 0;
}

static struct pawl_metric_result score(const json_t *input, const json_t *target, json_t *output)
{
    struct pawl_metric_result result;
    struct pawl_error err = {0};
    const struct pawl_metric_call call = {
        .id = "c", .input = input, .target = target, .output = output};
    if (pawl_metric_score(metric, &arena, &call, &result, &err) != PAWL_OK)
        fail_msg("%s", err.message);
    json_decref(output);
    return result;
}

static const char prompted[] = "{'entry_point': 'f', 'prompt': 'import math\\ndef f(a):\\n    "
                               "\\\"\\\"\\\"One more.\\\"\\\"\\\"\\n'}";

static void test_finds_the_code_and_the_tests(void **state)
{
    (void)state;
    static const struct row {
        const char *input, *target, *answer;
        double score;
    } rows[] = {
        {"{'entry_point': 'f'}", "'assert f(1) == 2'", "def f(a): return a + 1", 1},
        {"{'entry_point': 'f'}", "{'tests': 'assert f(1) == 2'}", "def f(a): return a", 0},
        {"{'entry_point': 'f'}", "{'test': 'def check(candidate):\\n  assert candidate(1) == 2'}",
         "def f(a): return a + 1", 1},
        {"{'prompt': 'Write f.'}", "{'test_list': ['assert f(1) == 2', 'assert f(2) == 3']}",
         "def f(a): return a + 1", 1},
        {"{'prompt': 'Write f.'}", "{'test_list': ['assert f(1) == 2', 'assert f(2) == 3']}",
         "def f(a): return 2", 0},
        {"{'entry_point': 'f'}", "'assert f(1) == 2'",
         "Sure!\n```python\nx = 5\n```\nand\n```python\ndef f(a): return a + 1\n```\nDone.", 1},
        {"{'entry_point': 'f'}", "'assert f(1) == 2'", "```\ndef f(a): return a + 1", 1},
        {"{'entry_point': 'f'}", "'assert f(1) == 2'", "I cannot.", 0},
        {prompted, "'assert f(1) == 2'", "    return math.floor(a) + 1", 1}, /* it goes on */
        {prompted, "'assert f(1) == 2'", "return math.floor(a) + 1", 1},     /* trimmed */
        {prompted, "'assert f(1) == 2'", "if a:\n        return 2\n    return 0",
         1}, /* its start, too */
        {prompted, "'assert f(1) == 2'", "def f(a):\n    return math.floor(a) + 1", 1},
        {prompted, "'assert f(1) == 2'", "", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *input = json_of(rows[i].input), *target = json_of(rows[i].target);
        struct pawl_metric_result got =
            score(input, target, json_pack("{s:s,s:s}", "code", rows[i].answer, "reasoning", "r"));
        if (got.failed || got.score != rows[i].score)
            fail_msg("row %zu: \"%s\": %g %s", i, rows[i].answer, got.score, got.feedback);
        json_decref(input);
        json_decref(target);
    }
}

static void test_says_when_it_cannot_judge(void **state)
{
    (void)state;
    json_t *input = json_of("{'entry_point': 'f'}"), *none = json_of("{'answer': 'x'}"),
           *unfit = json_of("'assert f(lambda: 1)'");
    assert_true(score(input, none, json_pack("{s:s}", "a", "def f(a): return 1")).failed);
    struct pawl_metric_result got =
        score(input, unfit, json_pack("{s:s}", "a", "def f(a): return 1"));
    assert_true(got.failed);
    assert_non_null(strstr(got.feedback, "cannot be judged"));
    json_decref(input);
    json_decref(none);
    json_decref(unfit);
}

/* Feedback is shown to operators on train: nothing of a hidden test, and nothing that a solution says. */
static void test_feedback_holds_nothing_of_the_tests(void **state)
{
    (void)state;
    static const char *const answers[] = {"def f(a): return a",
                                          "def f(a): raise ValueError(a)",
                                          "def f(a): raise type(a, (Exception,), {})",
                                          "def f(a):\n    import os\n    os._exit(0)",
                                          "def f(a): return open",
                                          "def f(a): print(a)"};
    json_t *input = json_of("{'entry_point': 'f'}"),
           *target = json_of("'assert f(\\'SEALED\\') == \\'GOLD\\''");
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct pawl_metric_result got = score(input, target, json_pack("{s:s}", "a", answers[i]));
        assert_int_equal(got.score, 0);
        assert_null(strstr(got.feedback, "SEALED"));
        assert_null(strstr(got.feedback, "GOLD"));
    }
    json_decref(input);
    json_decref(target);
}

/* Against the definition: the share of all subsets of k answers that hold one which passed. */
static void test_pass_at_k(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= 10; n++)
        for (unsigned c = 0; c <= n; c++)
            for (unsigned k = 1; k <= n; k++) {
                unsigned all = 0, with = 0;
                for (unsigned subset = 0; subset < 1u << n; subset++) {
                    if ((unsigned)__builtin_popcount(subset) != k) continue;
                    all++;
                    with += (subset & ((1u << c) - 1)) != 0;
                }
                double exact = (double)with / all, got = pawl_pass_at_k(n, c, k);
                assert_true(got > exact - 1e-12 && got < exact + 1e-12);
            }
    struct pawl_passes passes = {0};
    pawl_passes_add(&passes, 5, 0);
    pawl_passes_add(&passes, 5, 1);
    pawl_passes_add(&passes, 1, 1); /* says nothing about 2 */
    json_t *means = pawl_passes_json(&passes);
    char *text = pawl_json_text(means);
    json_decref(means);
    assert_string_equal(text, "{\"1\":0.39999999999999997,\"2\":0.2,\"5\":0.5}");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds_the_code_and_the_tests),
        cmocka_unit_test(test_says_when_it_cannot_judge),
        cmocka_unit_test(test_pass_at_k),
        cmocka_unit_test(test_feedback_holds_nothing_of_the_tests),
    };
    return cmocka_run_group_tests(tests, open_metric, close_metric);
}
