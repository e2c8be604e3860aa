/* Case files: what is understood, what is refused and where it says so, where clusters land. */
#include "program/program_fixture.h"

#include "evaluate/cases.h"

static char folder[] = "/tmp/pawl-cases-XXXXXX";
static struct pawl_arena arena;

static const char *file_of(const char *name, const char *text)
{
    static char path[200];
    write_file(folder, name, text);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static struct pawl_cases good(const char *name, const char *text, const char *columns)
{
    struct pawl_cases cases;
    struct pawl_error err = {0};
    json_t *mapping = columns ? json_of(columns) : NULL;
    if (pawl_cases_read(file_of(name, text), mapping, &arena, &cases, &err) != PAWL_OK)
        fail_msg("line %d: %s", err.line, err.message);
    json_decref(mapping);
    return cases;
}

static void bad(const char *name, const char *text, const char *columns, int line,
                const char *field, const char *what)
{
    struct pawl_cases cases;
    struct pawl_error err = {0};
    json_t *mapping = columns ? json_of(columns) : NULL;
    const char *path = file_of(name, text);
    enum pawl_status status = pawl_cases_read(path, mapping, &arena, &cases, &err);
    json_decref(mapping);
    assert_int_equal(status, PAWL_ECONFIG);
    if (!strstr(err.message, what)) fail_msg("\"%s\": %s", text, err.message);
    assert_int_equal(err.line, line);
    assert_string_equal(err.field, field);
    assert_string_equal(err.file, path);
    assert_true(err.hint[0] != '\0');
    assert_int_equal(cases.n, 0); /* whole or not at all */
}

static void expect_case(const struct pawl_case *item, const char *want)
{
    json_t *json = pawl_case_json(item, NULL);
    expect_json(json, want);
    json_decref(json);
}

static void test_json_lines(void **state)
{
    (void)state;
    struct pawl_cases cases =
        good("a.jsonl",
             "{\"id\": 1, \"input\": \"x\", \"target\": \"y\", \"cluster\": \"k\", \"level\": 3}\n"
             "\r\n"
             "{\"id\": \"b\", \"input\": {\"q\": 1}, \"target\": {\"a\": [2]}, \"files\": [\"f\"]}",
             NULL);
    assert_int_equal(cases.n, 2);
    expect_case(&cases.items[0], "{'id': '1', 'cluster': 'k', 'input': 'x', 'target': 'y', "
                                 "'metadata': {'level': 3}}");
    expect_case(&cases.items[1], "{'id': 'b', 'cluster': 'b', 'input': {'q': 1}, 'target': "
                                 "{'a': [2]}, 'metadata': {'files': ['f']}}");
    assert_int_equal(cases.items[1].line, 3);
    pawl_cases_release(&cases);
}

/* What is recorded wraps it a few times, and is read again. */
static void test_cases_are_not_nested_for_ever(void **state)
{
    (void)state;
    char text[200];
    for (int levels = 31; levels <= 33; levels++) {
        static const char open[] = "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
                          close[] = "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]";
        snprintf(text, sizeof text, "{\"target\": 1, \"input\": {\"x\": %.*s%.*s}}\n", levels - 1,
                 open, levels - 1, close);
        if (levels <= 32) {
            struct pawl_cases cases = good("a.jsonl", text, NULL);
            assert_int_equal(cases.n, 1);
            pawl_cases_release(&cases);
        } else {
            bad("a.jsonl", text, NULL, 1, "", "nested more than 32");
        }
    }
}

static void test_ids_are_made_of_content(void **state)
{
    (void)state;
    struct pawl_cases a = good("a.jsonl",
                               "{\"input\": \"x\", \"target\": \"y\"}\n"
                               "{\"input\": \"z\", \"target\": \"y\"}\n",
                               NULL);
    struct pawl_cases b = good("b.jsonl",
                               "{\"input\": \"z\", \"target\": \"y\"}\n"
                               "{\"input\": \"x\", \"target\": \"y\"}\n",
                               NULL);
    assert_string_equal(a.items[0].id, b.items[1].id);
    assert_string_equal(a.items[1].id, b.items[0].id);
    pawl_cases_release(&a);
    pawl_cases_release(&b);
}

static void test_inspect_samples(void **state)
{
    (void)state;
    struct pawl_cases cases = good(
        "a.json",
        "[{\"input\": [{\"role\": \"user\", \"content\": \"hi\"}], \"target\": [\"a\", \"b\"], "
        "\"id\": 7, \"metadata\": {\"k\": 1}}, {\"input\": \"which?\", \"choices\": [\"p\", "
        "\"q\"], \"target\": \"A\", \"id\": 8}]",
        NULL);
    expect_case(&cases.items[0],
                "{'id': '7', 'cluster': '7', 'input': {'messages': [{'role': 'user', 'content': "
                "'hi'}]}, 'target': ['a', 'b'], 'metadata': {'k': 1}}");
    expect_case(&cases.items[1], "{'id': '8', 'cluster': '8', 'input': {'input': 'which?', "
                                 "'choices': ['p', 'q']}, 'target': 'A'}");
    pawl_cases_release(&cases);
}

static void test_promptfoo_tests(void **state)
{
    (void)state;
    struct pawl_cases cases = good("a.yaml",
                                   "tests:\n"
                                   "  - vars: {city: Paris}\n"
                                   "    assert: [{type: contains, value: x}, {type: equals, value: "
                                   "France}]\n",
                                   NULL);
    expect_json(cases.items[0].input, "{'city': 'Paris'}");
    expect_json(cases.items[0].target, "'France'");
    pawl_cases_release(&cases);
    cases =
        good("b.csv", "city,__expected,__metadata:x\nParis,equals: France,1\nRome,Italy,2\n", NULL);
    assert_int_equal(cases.n, 2);
    expect_json(cases.items[0].input, "{'city': 'Paris'}");
    expect_json(cases.items[0].target, "'France'");
    expect_json(cases.items[1].target, "'Italy'");
    pawl_cases_release(&cases);
    bad("c.yaml", "- vars: {city: Paris}\n  assert: [{type: llm-rubric, value: x}]\n", NULL, 0,
        "target", "Case 1");
}

static void test_csv(void **state)
{
    (void)state;
    struct pawl_cases cases = good("a.csv",
                                   "\xEF\xBB\xBFid,text,label,site\r\n"
                                   "1,\"a \"\"quoted\"\", and\r\ntwo lines\",pos,k\r\n"
                                   "2,plain,neg,k\r\n",
                                   "{'input': {'review': 'text'}, 'target': 'label', 'id': 'id', "
                                   "'cluster': 'site'}");
    assert_int_equal(cases.n, 2);
    assert_string_equal(cases.items[0].cluster, "k");
    assert_string_equal(pawl_json_get_text(cases.items[0].input, "review", ""),
                        "a \"quoted\", and\r\ntwo lines");
    assert_int_equal(cases.items[1].line, 4);
    pawl_cases_release(&cases);
    cases = good("b.tsv", "input\ttarget\na, b\tc", NULL);
    expect_json(cases.items[0].input, "'a, b'");
    pawl_cases_release(&cases);
}

static void test_wrong_csv(void **state)
{
    (void)state;
    bad("a.csv", "text,label\nx,y\n", NULL, 1, "data.columns.input", "no column \"input\"");
    bad("a.csv", "text,label\nx,y\n", "{'input': 'txt', 'target': 'label'}", 1,
        "data.columns.input", "text, label");
    bad("a.csv", "text,label\nx,y\n", "{'inputs': 'text'}", 0, "data.columns.inputs", "inputs");
    bad("a.csv", "input,target\nx,y,z\n", NULL, 2, "", "3 fields");
    bad("a.csv", "input,target\n\"x,y\n\n", NULL, 2, "", "never closed");
    bad("a.csv", "input,target\n\"x\"z,y\n", NULL, 2, "", "after a closing quote");
    bad("a.csv", "input,target\nx,\n", NULL, 2, "target", "empty");
    bad("a.csv", "input,target\n", NULL, 0, "", "no case");
}

static void test_wrong_lines(void **state)
{
    (void)state;
    static const char fine[] = "{\"id\": \"a\", \"input\": \"x\", \"target\": \"y\"}\n";
    char text[400];
    bad("a.jsonl", "", NULL, 0, "", "empty");
    bad("a.jsonl", " \n\n", NULL, 0, "", "empty");
    snprintf(text, sizeof text, "%s{\"id\": \"b\"", fine);
    bad("a.jsonl", text, NULL, 2, "", "");
    snprintf(text, sizeof text, "%s[1]", fine);
    bad("a.jsonl", text, NULL, 2, "", "not an object");
    snprintf(text, sizeof text, "%s{\"id\": \"b\", \"target\": \"y\"}", fine);
    bad("a.jsonl", text, NULL, 2, "input", "no input");
    snprintf(text, sizeof text, "%s{\"id\": \"b\", \"input\": \"z\", \"tagret\": \"y\"}", fine);
    bad("a.jsonl", text, NULL, 2, "target", "tagret");
    snprintf(text, sizeof text, "%s{\"id\": \"b\", \"input\": 3, \"target\": \"y\"}", fine);
    bad("a.jsonl", text, NULL, 2, "input", "neither");
    snprintf(text, sizeof text, "%s{\"id\": \"b\", \"input\": [1], \"target\": \"y\"}", fine);
    bad("a.jsonl", text, NULL, 2, "input", "messages");
    snprintf(text, sizeof text, "%s{\"id\": [], \"input\": \"z\", \"target\": \"y\"}", fine);
    bad("a.jsonl", text, NULL, 2, "id", "id");
    snprintf(text, sizeof text, "%s\n{\"id\": \"b\", \"input\": \"\xff\", \"target\": \"y\"}",
             fine);
    bad("a.jsonl", text, NULL, 3, "", pawl_arena_printf(&arena, "byte %zu", strcspn(text, "\xff")));
    snprintf(text, sizeof text, "%s{\"id\": \"a\", \"input\": \"z\", \"target\": \"y\"}", fine);
    bad("a.jsonl", text, NULL, 2, "id", "lines 1 and 2");
    snprintf(text, sizeof text, "%s{\"id\": \"b\", \"input\": \"x\", \"target\": \"n\"}", fine);
    bad("a.jsonl", text, NULL, 2, "input", "different clusters: lines 1 and 2");
    struct pawl_cases other =
        good("a.jsonl", fine, "{'input': 'x'}"); /* of a table, which it is not */
    pawl_cases_release(&other);
}

static void test_equal_inputs_may_share_a_cluster(void **state)
{
    (void)state;
    struct pawl_cases cases =
        good("a.jsonl",
             "{\"id\": 1, \"input\": \"x\", \"target\": \"y\", \"cluster\": \"k\"}\n"
             "{\"id\": 2, \"input\": \"x\", \"target\": \"n\", \"cluster\": \"k\"}\n",
             NULL);
    assert_int_equal(cases.n, 2);
    pawl_cases_release(&cases);
}

static void test_over_long_line(void **state)
{
    (void)state;
    size_t n = PAWL_CASE_BYTES_MAX + 100;
    char *text = malloc(n + 1);
    memset(text, 'x', n);
    text[n] = '\0';
    bad("a.jsonl", text, NULL, 1, "", "larger than");
    free(text);
}

static void test_json_round_trip(void **state)
{
    (void)state;
    static const char list_text[] =
        "[{'id': 'a', 'cluster': 'k', 'input': {'messages': [{'role': 'user', 'content': 'x'}]}, "
        "'target': {'y': 1}, 'metadata': {'m': 2}, 'check': true}]";
    json_t *list = json_of(list_text), *back = json_array();
    struct pawl_cases cases;
    assert_int_equal(pawl_cases_from_json(list, &arena, &cases, NULL), PAWL_OK);
    assert_true(cases.items[0].check);
    json_array_append_new(back, pawl_case_json(&cases.items[0], NULL));
    expect_json(back, list_text);
    pawl_cases_release(&cases);
    json_decref(list);
    json_decref(back);
}

static void test_tiers_are_keyed_and_stable(void **state)
{
    (void)state;
    const double shares[PAWL_N_TIERS] = {0.2, 0.2, 0.6, 0};
    unsigned char key[32] = {1}, other[32] = {2};
    int count[PAWL_N_TIERS] = {0}, n_check = 0, moved = 0;
    for (int i = 0; i < 10000; i++) {
        char cluster[20];
        snprintf(cluster, sizeof cluster, "c%d", i);
        enum pawl_tier tier = pawl_tier_of(key, cluster, shares);
        assert_int_equal(tier, pawl_tier_of(key, cluster, shares));
        count[tier]++;
        moved += tier != pawl_tier_of(other, cluster, shares);
        n_check += tier == PAWL_TIER_DEV && pawl_tier_is_check(key, cluster);
    }
    assert_in_range(count[PAWL_TIER_TRAIN], 1850, 2150);
    assert_in_range(count[PAWL_TIER_DEV], 1850, 2150);
    assert_in_range(count[PAWL_TIER_GATE], 5800, 6200);
    assert_int_equal(count[PAWL_TIER_VAULT], 0);
    assert_in_range(n_check, 580, 760); /* a third of dev, independent of the tier */
    assert_true(moved > 4000);          /* another key, another split */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_lines),
        cmocka_unit_test(test_cases_are_not_nested_for_ever),
        cmocka_unit_test(test_ids_are_made_of_content),
        cmocka_unit_test(test_inspect_samples),
        cmocka_unit_test(test_promptfoo_tests),
        cmocka_unit_test(test_csv),
        cmocka_unit_test(test_wrong_csv),
        cmocka_unit_test(test_wrong_lines),
        cmocka_unit_test(test_equal_inputs_may_share_a_cluster),
        cmocka_unit_test(test_over_long_line),
        cmocka_unit_test(test_json_round_trip),
        cmocka_unit_test(test_tiers_are_keyed_and_stable),
    };
    pawl_crypto_init();
    if (!mkdtemp(folder)) return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    pawl_arena_release(&arena);
    return system(command) != 0 || failed;
}
