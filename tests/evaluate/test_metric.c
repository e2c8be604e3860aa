/* What each metric calls right; and that a metric which misbehaves is a failed case, never a wait. */
#include "program/program_fixture.h"

#include "base/hash.h"
#include "evaluate/metric.h"

static char folder[] = "/tmp/pawl-metric-XXXXXX";
static struct pawl_arena arena;

static struct pawl_metric *open_metric(const char *section)
{
    struct pawl_metric *metric;
    struct pawl_error err = {0};
    json_t *json = json_of(section);
    if (pawl_metric_open(json, folder, &metric, &err) != PAWL_OK) fail_msg("%s", err.message);
    json_decref(json);
    return metric;
}

static struct pawl_metric_result score_of(struct pawl_metric *metric, const char *target,
                                          const char *output)
{
    struct pawl_metric_result result;
    struct pawl_error err = {0};
    json_t *t = json_of(target), *o = json_of(output), *input = json_of("'q'");
    const struct pawl_metric_call call = {.id = "c", .input = input, .target = t, .output = o};
    if (pawl_metric_score(metric, &arena, &call, &result, &err) != PAWL_OK)
        fail_msg("%s", err.message);
    json_decref(t);
    json_decref(o);
    json_decref(input);
    return result;
}

static const struct row {
    const char *metric, *target, *output;
    double score;
} rows[] = {
    {"'exact_match'", "'Yes'", "{'a': ' yes '}", 1},
    {"'exact_match'", "'yes'", "{'a': 'yes!'}", 0},
    {"{'name': 'exact_match', 'normalise': true}", "'the yes'", "{'a': 'Yes!'}", 1},
    {"{'name': 'exact_match', 'ignore_case': false}", "'Yes'", "{'a': 'yes'}", 0},
    {"'exact_match'", "{'a': 'x', 'b': 2}", "{'a': 'X', 'b': 2, 'reasoning': 'r'}", 1},
    {"'exact_match'", "{'a': 'x', 'b': 2}", "{'a': 'x', 'b': 3}", 0},
    {"'exact_match'", "{'a': 'x'}", "{'b': 'x'}", 0},
    {"'exact_match'", "'x'", "{'reasoning': 'x', 's': 'y'}", 0}, /* reasons are no answer */
    {"'exact_match'", "'y'", "{'reasoning': 'x', 's': 'y'}", 1},
    {"'exact_match'", "['x', 'y']", "{'a': 'y'}", 1}, /* any of several */
    {"'exact_match'", "{'l': [1, 2]}", "{'l': [1, 2]}", 1},
    {"'exact_match'", "true", "{'a': 'true'}", 1},
    {"'contains'", "'paris'", "{'a': 'It is Paris.'}", 1},
    {"'contains'", "'rome'", "{'a': 'It is Paris.'}", 0},
    {"'token_f1'", "'the cat sat'", "{'a': 'A cat sat down'}", 0.8},
    {"'token_f1'", "'the'", "{'a': 'an'}", 1}, /* nothing is left of either */
    {"'token_f1'", "'cat'", "{'a': ''}", 0},
    {"'token_f1'", "{'x': 'cat', 'y': 'dog'}", "{'x': 'cat', 'y': 'cow'}", 0.5},
    {"'numeric'", "'1,000'", "{'a': 'The answer is 1000.'}", 1},
    {"'numeric'", "3", "{'a': 3.0000001}", 1},
    {"'numeric'", "3", "{'a': 'none'}", 0},
    {"{'name': 'numeric', 'tolerance': 0.5}", "3", "{'a': 3.4}", 1},
    {"{'name': 'numeric', 'relative': 0.01}", "1000", "{'a': 1009}", 1},
    {"{'name': 'numeric', 'relative': 0.01}", "1000", "{'a': 1011}", 0},
    {"{'name': 'regex', 'pattern': '^(yes|no)$'}", "'x'", "{'a': 'no'}", 1},
    {"{'name': 'regex', 'pattern': '^(yes|no)$'}", "'x'", "{'a': 'no way'}", 0},
    {"'regex'", "'^[0-9]+$'", "{'a': '42'}", 1},
};

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct pawl_metric *metric = open_metric(rows[i].metric);
        struct pawl_metric_result result = score_of(metric, rows[i].target, rows[i].output);
        if (result.failed || result.score < rows[i].score - 1e-9 ||
            result.score > rows[i].score + 1e-9)
            fail_msg("%s %s %s: %g", rows[i].metric, rows[i].target, rows[i].output, result.score);
        if (pawl_metric_is_binary(metric)) assert_true(result.score == 0 || result.score == 1);
        assert_non_null(result.feedback);
        pawl_metric_close(metric);
    }
}

static void test_feedback_says_what_was_expected_and_what_came(void **state)
{
    (void)state;
    struct pawl_metric *metric = open_metric("'exact_match'");
    struct pawl_metric_result result = score_of(metric, "{'s': 'good'}", "{'s': 'bad'}");
    assert_string_equal(result.feedback, "Expected s \"good\", got \"bad\".");
    result = score_of(metric, "{'s': 'good'}", "{'t': 'bad'}");
    assert_string_equal(result.feedback, "Expected s \"good\", but there is no such field.");
    pawl_metric_close(metric);
}

static void refuse(const char *section, const char *field, const char *what)
{
    struct pawl_metric *metric;
    struct pawl_error err = {0};
    json_t *json = json_of(section);
    assert_int_equal(pawl_metric_open(json, folder, &metric, &err), PAWL_ECONFIG);
    if (!strstr(err.message, what) && !strstr(err.hint, what))
        fail_msg("%s %s", err.message, err.hint);
    if (field) assert_string_equal(err.field, field);
    json_decref(json);
}

static void test_wrong_sections(void **state)
{
    (void)state;
    refuse("'exact_mach'", "metric", "exact_match");
    refuse("{}", "metric", "names none");
    refuse("{'name': 'numeric', 'tolerance': -1}", "metric.tolerance", "tolerance");
    refuse("{'name': 'regex', 'pattern': '('}", "metric.pattern", "POSIX");
    refuse("{'name': 'regex', 'pattern': '(a)\\\\1'}", "metric.pattern", "back-references");
    refuse("{'lua': 'none.lua'}", "metric.lua", "none.lua");
    refuse("{'command': []}", "metric.command", "list");
    write_file(folder, "bad.lua", "function score(call) return 1 ");
    refuse("{'lua': 'bad.lua'}", NULL, "");
    write_file(folder, "none.lua", "function judge(call) return 1 end");
    refuse("{'lua': 'none.lua'}", NULL, "score");
}

static void test_lua(void **state)
{
    (void)state;
    write_file(
        folder, "m.lua",
        "n = 0\n"
        "function score(call)\n"
        "  n = n + 1\n"
        "  local a = call.output.a\n"
        "  if a == 'boom' then error('no opinion') end\n"
        "  if a == 'nil' then return nil end\n"
        "  if a == 'much' then return 3 end\n"
        "  if a == 'loop' then while true do end end\n"
        "  if a == 'count' then return {score = n == 1 and 1 or 0, feedback = 'n=' .. n} end\n"
        "  return a == call.target[1].x\n"
        "end\n");
    struct pawl_metric *metric = open_metric("{'lua': 'm.lua'}");
    assert_true(score_of(metric, "[{'x': 'y'}]", "{'a': 'y'}").score == 1);
    assert_true(score_of(metric, "[{'x': 'y'}]", "{'a': 'z'}").score == 0);
    for (int i = 0; i < 3; i++) { /* a call leaves nothing behind */
        struct pawl_metric_result result = score_of(metric, "1", "{'a': 'count'}");
        assert_true(result.score == 1);
        assert_string_equal(result.feedback, "n=1");
    }
    static const char *const wrong[][2] = {{"{'a': 'boom'}", "no opinion"},
                                           {"{'a': 'nil'}", "neither a number"},
                                           {"{'a': 'much'}", "outside 0 to 1"},
                                           {"{'a': 'loop'}", "metric failed"}};
    for (size_t i = 0; i < 4; i++) {
        struct pawl_metric_result result = score_of(metric, "1", wrong[i][0]);
        assert_true(result.failed && result.score == 0);
        if (!strstr(result.feedback, wrong[i][1])) fail_msg("%s", result.feedback);
    }
    pawl_metric_close(metric);
}

static void expect_named(const struct pawl_metric_result *result, const char *expected)
{
    char text[200] = "";
    if (result->failed) fail_msg("%s", result->feedback);
    for (size_t i = 0; i < result->n_named; i++) {
        size_t n = strlen(text);
        snprintf(text + n, sizeof text - n, "%s=%g ", result->named[i].name,
                 result->named[i].score);
    }
    assert_string_equal(text, expected);
}

static void expect_wrong(struct pawl_metric *metric, const char *output, const char *why)
{
    struct pawl_metric_result result = score_of(metric, "1", output);
    assert_true(result.failed && result.score == 0 && result.n_named == 0);
    if (!strstr(result.feedback, why)) fail_msg("%s", result.feedback);
}

/* Of a metric in Lua, or of a command: both get `a`, and answer {score = 0.5, scores = ...}. */
static void check_named(struct pawl_metric *metric)
{
    struct pawl_metric_result result = score_of(metric, "1", "{'a': 'two'}");
    assert_true(result.score == 0.5);
    expect_named(&result, "content=0.25 form=1 ");
    result = score_of(metric, "1", "{'a': 'none'}");
    expect_named(&result, "");
    expect_wrong(metric, "{'a': 'much'}", "not from 0 to 1");
    expect_wrong(metric, "{'a': 'text'}", "no number");
    expect_wrong(metric, "{'a': 'long'}", "1 to 64 bytes");
    expect_wrong(metric, "{'a': 'many'}", "more than 16");
    expect_wrong(metric, "{'a': 'flat'}", "scores that are no");
    result = score_of(metric, "1", "{'a': 'two'}"); /* nothing is left behind */
    expect_named(&result, "content=0.25 form=1 ");
}

static void test_named_scores(void **state)
{
    (void)state;
    write_file(folder, "named.lua",
               "local ways = {two = {form = 1, content = 0.25}, much = {form = 2},\n"
               "  text = {form = 'good'}, long = {[('x'):rep(65)] = 1}, many = {}, flat = 1,\n"
               "  nameless = {1}}\n"
               "for i = 1, 17 do ways.many['n' .. i] = 1 end\n"
               "function score(call) return {score = 0.5, scores = ways[call.output.a]} end\n");
    struct pawl_metric *metric = open_metric("{'lua': 'named.lua'}");
    check_named(metric);
    expect_wrong(metric, "{'a': 'nameless'}", "scores that are no");
    pawl_metric_close(metric);
    write_file(folder, "named.py",
               "import json, sys\n"
               "ways = {'two': {'form': 1, 'content': 0.25}, 'much': {'form': 2},\n"
               "  'text': {'form': 'good'}, 'long': {'x' * 65: 1}, 'flat': 1, 'none': None,\n"
               "  'many': {'n%d' % i: 1 for i in range(17)}}\n"
               "for line in sys.stdin:\n"
               "  m = json.loads(line)\n"
               "  print(json.dumps({'id': m['id'], 'score': 0.5,\n"
               "                    'scores': ways[m['output']['a']]}), flush=True)\n");
    metric = open_metric("{'command': ['python3', 'named.py'], 'parallel': 1}");
    check_named(metric);
    pawl_metric_close(metric);
}

static void test_identity_changes_with_the_rule(void **state)
{
    (void)state;
    struct pawl_hash a, b, c, d, e;
    struct pawl_metric *metric = open_metric("'exact_match'");
    pawl_metric_identity(metric, &a);
    pawl_metric_close(metric);
    metric = open_metric("{'name': 'exact_match', 'ignore_case': true}");
    pawl_metric_identity(metric, &b);
    pawl_metric_close(metric);
    metric = open_metric("{'name': 'exact_match', 'ignore_case': false}");
    pawl_metric_identity(metric, &c);
    pawl_metric_close(metric);
    write_file(folder, "i.lua", "function score(call) return 1 end");
    metric = open_metric("{'lua': 'i.lua'}");
    pawl_metric_identity(metric, &d);
    pawl_metric_close(metric);
    write_file(folder, "i.lua", "function score(call) return 0 end");
    metric = open_metric("{'lua': 'i.lua'}");
    pawl_metric_identity(metric, &e);
    pawl_metric_close(metric);
    assert_true(pawl_hash_eq(&a, &b)); /* a default, written out */
    assert_false(pawl_hash_eq(&a, &c));
    assert_false(pawl_hash_eq(&d, &e));
}

static void test_command(void **state)
{
    (void)state;
    write_file(folder, "judge.py",
               "import json, sys, time\n"
               "def say(x): sys.stdout.write(json.dumps(x) + '\\n'); sys.stdout.flush()\n"
               "for line in sys.stdin:\n"
               "  m = json.loads(line); a = m['output']['a']\n"
               "  if a == 'exit': print('gone', file=sys.stderr); sys.exit(1)\n"
               "  elif a == 'sleep': time.sleep(60)\n"
               "  elif a == 'garbage': print('hm'); sys.stdout.flush()\n"
               "  elif a == 'other': say({'id': 'x', 'score': 1})\n"
               "  elif a == 'much': say({'id': m['id'], 'score': 2})\n"
               "  elif a == 'nan': say({'id': m['id'], 'score': float('nan')})\n"
               "  else: say({'id': m['id'], 'score': 0.25, 'feedback': 'so ' + m['target']})\n");
    struct pawl_metric *metric =
        open_metric("{'command': ['python3', 'judge.py'], 'timeout_ms': 6000, 'parallel': 1}");
    static const char *const wrong[][2] = {
        {"{'a': 'exit'}", "gone"},        {"{'a': 'sleep'}", "in time"},
        {"{'a': 'garbage'}", "not JSON"}, {"{'a': 'other'}", "another case"},
        {"{'a': 'much'}", "0 to 1"},      {"{'a': 'nan'}", "not JSON"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct pawl_metric_result result = score_of(metric, "'t'", wrong[i][0]);
        assert_true(result.failed && result.score == 0);
        if (!strstr(result.feedback, wrong[i][1])) fail_msg("%s", result.feedback);
        result = score_of(metric, "'t'", "{'a': 'fine'}"); /* by a new child */
        assert_false(result.failed);
        assert_true(result.score == 0.25);
        assert_string_equal(result.feedback, "so t");
    }
    pawl_metric_close(metric);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_feedback_says_what_was_expected_and_what_came),
        cmocka_unit_test(test_wrong_sections),
        cmocka_unit_test(test_lua),
        cmocka_unit_test(test_named_scores),
        cmocka_unit_test(test_identity_changes_with_the_rule),
        cmocka_unit_test(test_command),
    };
    pawl_crypto_init();
    if (!mkdtemp(folder)) return 1;
    chmod(folder, 0755);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    pawl_arena_release(&arena);
    return system(command) != 0 || failed;
}
