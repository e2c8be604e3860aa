/* The Game of 24 as an episode, as what a strategy learns from, and as what a metric says. */
#include "program/program_fixture.h"

#include "evaluate/metric.h"
#include "program/environment.h"

static struct pawl_arena arena;

/* Actions one after the other, as "a; b; c"; what came of the last, and the score (-1: not over). */
static void expect_game(const char *numbers, const char *actions, const char *want, double score)
{
    const struct pawl_environment_kind *kind;
    struct pawl_str rest = pawl_str_of(actions), action, said = {NULL, 0};
    void *episode;
    double got;
    json_t *input = json_string(numbers);
    assert_int_equal(pawl_environment_find("game24", &kind, NULL), PAWL_OK);
    const char *fault = kind->reset(input, &arena, &episode);
    if (fault) fail_msg("%s: %s", numbers, fault);
    while (pawl_str_split(&rest, ';', &action)) said = kind->act(episode, action, &arena);
    if (!pawl_str_starts(said, want))
        fail_msg("%s: %s gives " PAWL_STR_FMT, numbers, actions, PAWL_STR_ARG(said));
    if (!kind->score(episode, &got)) got = -1;
    assert_true(got == score);
    json_decref(input);
}

static void test_games(void **state)
{
    (void)state;
    expect_game("4 9 10 13", "(10 - 4) * (13 - 9)", "Numbers left: 24. It is 24.", 1);
    expect_game("4 9 10 13", "(10 - 4) * (13 - 9) = 24", "Numbers left: 24. It is 24.", 1);
    expect_game("4 9 10 13", "10 - 4; 13-9; 6*4", "Numbers left: 24. It is 24.", 1);
    expect_game("4 9 10 13", "10 - 4 = 6", "Numbers left: 9 13 6", -1);
    expect_game("4 9 10 13", "4 + 9 + 10 + 13", "Numbers left: 36. It is not 24.", 0);
    /* Exact: 8 / (3 - 8 / 3) is 24, and so it is step by step. */
    expect_game("3 3 8 8", "8 / (3 - 8 / 3)", "Numbers left: 24. It is 24.", 1);
    expect_game("3 3 8 8", "8/3; 3 - 8/3; 8 / 1/3", "Numbers left: 24. It is 24.", 1);
    expect_game("3 3 8 8", "8/3", "Numbers left: 3 8 8/3", -1);
    expect_game("1 5 5 5", "5 * (5 - 1/5)", "Numbers left: 24. It is 24.", 1);
    expect_game("3 2", "2 - 3", "Numbers left: -1. It is not 24.", 0);
}

static void test_what_cannot_be_done_changes_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *action, *why;
    } rows[] = {
        {"4 + 5", "It uses a number that is not left"},
        {"4 + 4", "It uses a number that is not left"},
        {"10 / (13 - 9 - 4)", "It divides by zero."},
        {"(10 - 4", "A bracket is not closed."},
        {"10 - 4)", "It is no expression"},
        {"I think 10 - 4", "It is no expression"},
        {"10 ** 4", "It is no expression"},
        {" ", "It is no expression"},
        {"=", "It is no expression"},
        {"10", "It has to use two numbers"},
        {"-10", "It has to use two numbers"},
        {"99999999999999999999", "A number is too large."},
        {"((((((((((((((((((((((((((((((((((((((((((((10))))", "It is nested too deeply."},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char actions[600];
        expect_game("4 9 10 13", rows[i].action, rows[i].why, -1);
        snprintf(actions, sizeof actions, "%s;(10 - 4) * (13 - 9)", rows[i].action);
        expect_game("4 9 10 13", actions, "Numbers left: 24. It is 24.", 1);
    }
    expect_game("4 9 10 13", "4 + 9 + 10 + 13; 1 + 1", "The game is over.", 0);
    static const char *const odd[] = {
        "'4'", "'4 x'", "''", "7", "{}", "'1 2 3 4 5 6 7 8 9'", "'4 -9'", "'1 9999999999'"};
    const struct pawl_environment_kind *kind = pawl_environments[0];
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        json_t *input = json_of(odd[i]);
        void *episode;
        assert_non_null(kind->reset(input, &arena, &episode));
        json_decref(input);
    }
}

/* Reads what came of its last answer, and does better. */
static const char model[] =
    "function complete(r)\n"
    "  local last = r.messages[#r.messages].content\n"
    "  if last:find('a few sentences', 1, true) then return 'Look at the sum.' end\n"
    "  if last:find('It is not 24', 1, true) then return '(10 - 4) * (13 - 9)' end\n"
    "  return '4 + 9 + 10 + 13'\n"
    "end";

static void test_a_strategy_learns_from_it(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b,
               "{'signature': 'numbers -> answer', 'strategy': 'reflexion', 'environment': "
               "'game24'}",
               model);
    struct pawl_outcome outcome =
        run_one(&b, NULL, "'4 9 10 13'", (struct pawl_run_options){.flags = PAWL_RUN_TRACE});
    expect_json(outcome.output, "{'answer': '(10 - 4) * (13 - 9)'}");
    assert_int_equal(outcome.usage.n_requests, 3); /* no test of its own: there is evidence */
    pawl_outcome_release(&outcome);
    expect_run(&b, NULL, "'no numbers'", "!whole numbers");
    bench_close(&b);
    static const char *const refused[] = {
        "{'signature': 'a -> b', 'strategy': 'cot', 'environment': 'game24'}",
        "{'signature': 'a -> b', 'strategy': 'reflexion', 'environment': 'game42'}",
        "{'signature': 'a -> b', 'strategy': 'lats', 'environment': 'game24', 'check': 'function "
        "check() return 1 end'}"};
    for (size_t i = 0; i < 3; i++) {
        struct pawl_error err = {0};
        json_t *section = json_of(refused[i]);
        const struct pawl_program_settings settings = {.program = section, .project_dir = "/tmp"};
        assert_int_equal(pawl_program_check(&settings, &err), PAWL_ECONFIG);
        assert_string_equal(err.field, "program.environment");
        json_decref(section);
    }
}

static void test_a_metric_says_the_same(void **state)
{
    (void)state;
    struct pawl_metric *metric;
    struct pawl_error err = {0};
    json_t *section = json_of("{'name': 'environment', 'task': 'game24'}");
    if (pawl_metric_open(section, NULL, &metric, &err) != PAWL_OK) fail_msg("%s", err.message);
    static const struct {
        const char *output;
        double score;
    } rows[] = {{"{'answer': '(10 - 4) * (13 - 9) = 24'}", 1},
                {"{'answer': '10 + 13 + 9 + 4'}", 0},
                {"{'answer': '10 + 13'}", 0}, /* not over */
                {"{'answer': '24'}", 0},
                {"{'answer': 24}", 0}};
    json_t *input = json_of("{'numbers': '4 9 10 13'}"), *target = json_of("'24'");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *output = json_of(rows[i].output);
        const struct pawl_metric_call call = {
            .id = "c", .input = input, .target = target, .output = output};
        struct pawl_metric_result result = {0};
        assert_int_equal(pawl_metric_score(metric, &arena, &call, &result, &err), PAWL_OK);
        assert_false(result.failed);
        assert_true(result.score == rows[i].score);
        json_decref(output);
    }
    pawl_metric_close(metric);
    json_decref(section);
    json_decref(input);
    json_decref(target);
}

static int release(void **state)
{
    (void)state;
    pawl_arena_release(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_games),
        cmocka_unit_test(test_what_cannot_be_done_changes_nothing),
        cmocka_unit_test(test_a_strategy_learns_from_it),
        cmocka_unit_test(test_a_metric_says_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, release);
}
