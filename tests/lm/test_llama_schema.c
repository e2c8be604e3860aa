/* JSON schemas as grammars: what is written, and what is refused by name. No model. */
#include "lm_fixture.h"

#ifdef PAWL_HAVE_LLAMA
#include "lm/llama_schema.h"

/* The first rule's expression. */
static const char *root_of(const char *schema)
{
    struct pawl_buf gbnf = PAWL_BUF(PAWL_LLAMA_GRAMMAR_MAX);
    struct pawl_error err = {0};
    json_t *value = json_of(schema);
    if (pawl_llama_schema_grammar(value, &gbnf, &err) != PAWL_OK) fail_msg("%s", err.message);
    json_decref(value);
    char *root = pawl_arena_strdup(&arena, gbnf.data + strlen("root ::= "));
    *strchr(root, '\n') = 0;
    pawl_buf_release(&gbnf);
    return root;
}

static void expect_refusal(const char *schema, const char *part, const char *field)
{
    struct pawl_buf gbnf = PAWL_BUF(PAWL_LLAMA_GRAMMAR_MAX);
    struct pawl_error err = {0};
    json_t *value = json_of(schema);
    assert_int_equal(pawl_llama_schema_grammar(value, &gbnf, &err), PAWL_ECONFIG);
    json_decref(value);
    pawl_buf_release(&gbnf);
    if (!strstr(err.message, part)) fail_msg("\"%s\" lacks \"%s\"", err.message, part);
    assert_string_equal(err.field, field);
}

static void test_leaves_are_rules(void **unused)
{
    (void)unused;
    assert_string_equal(root_of("{\"type\":\"integer\",\"title\":\"age\"}"), "(integer)");
    assert_string_equal(root_of("{\"type\":[\"number\",\"null\"]}"), "(number | null)");
    assert_string_equal(root_of("{\"type\":\"string\"}"), "(\"\\\"\" char{0,} \"\\\"\")");
    assert_string_equal(root_of("{\"type\":\"string\",\"minLength\":1,\"maxLength\":9}"),
                        "(\"\\\"\" char{1,9} \"\\\"\")");
}

static void test_constants_are_their_json(void **unused)
{
    (void)unused;
    assert_string_equal(
        root_of("{\"enum\":[\"a\\\"b\",\"\xc3\xa9\",7,true,null]}"),
        "(\"\\\"a\\\\\\\"b\\\"\" | \"\\\"\xc3\xa9\\\"\" | \"7\" | \"true\" | \"null\")");
    assert_string_equal(root_of("{\"const\":\"x\",\"type\":\"string\"}"), "(\"\\\"x\\\"\")");
}

static void test_objects_have_their_properties_in_order(void **unused)
{
    (void)unused;
    assert_string_equal(
        root_of("{\"type\":\"object\",\"properties\":{\"b\":{\"type\":\"null\"},"
                "\"a\":{\"type\":\"boolean\"}},\"required\":[\"a\",\"b\"]}"),
        "(\"{\" \"\\\"b\\\"\" colon (null) comma \"\\\"a\\\"\" colon (boolean) \"}\")");
}

static void test_arrays_have_their_bounds(void **unused)
{
    (void)unused;
    static const char *const cases[][2] = {
        {"", "(\"[\" ((null) (comma (null)){0,})? \"]\")"},
        {",\"minItems\":2", "(\"[\" ((null) (comma (null)){1,}) \"]\")"},
        {",\"maxItems\":3", "(\"[\" ((null) (comma (null)){0,2})? \"]\")"},
        {",\"minItems\":1,\"maxItems\":1", "(\"[\" ((null)) \"]\")"},
        {",\"maxItems\":0", "(\"[\" \"]\")"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(
            root_of(pawl_arena_printf(
                &arena, "{\"type\":\"array\",\"items\":{\"type\":\"null\"}%s}", cases[i][0])),
            cases[i][1]);
}

static void test_what_cannot_be_held_is_refused_by_name(void **unused)
{
    (void)unused;
    expect_refusal("{\"type\":\"string\",\"pattern\":\"a+\"}", "\"pattern\"", "schema");
    expect_refusal("{\"type\":\"integer\",\"minimum\":3}", "\"minimum\"", "schema");
    expect_refusal("{\"$ref\":\"#/x\"}", "type", "schema");
    expect_refusal("{\"type\":\"date\"}", "\"date\"", "schema");
    expect_refusal("{\"type\":\"array\"}", "items", "schema");
    expect_refusal("{\"enum\":[]}", "enum", "schema");
    expect_refusal("{\"enum\":[1.5]}", "constant", "schema");
    expect_refusal("{\"enum\":[1],\"type\":\"string\"}", "another type", "schema");
    expect_refusal("{\"type\":\"string\",\"minLength\":5,\"maxLength\":2}", "maxLength", "schema");
    expect_refusal("{\"type\":\"string\",\"maxLength\":100000}", "maxLength", "schema");
    expect_refusal(
        "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"null\"}},\"required\":[]}", "\"a\"",
        "schema");
    expect_refusal("{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"array\",\"items\":"
                   "{\"type\":\"string\",\"format\":\"uuid\"}}}}",
                   "\"format\"", "schema.a.[]");
}

static void test_a_schema_has_limits(void **unused)
{
    (void)unused;
    struct pawl_buf deep = PAWL_BUF(1 << 16), wide = PAWL_BUF(1 << 20);
    for (int i = 0; i < 20; i++) pawl_buf_add(&deep, "{\"type\":\"array\",\"items\":");
    pawl_buf_add(&deep, "{\"type\":\"null\"}");
    for (int i = 0; i < 20; i++) pawl_buf_add(&deep, "}");
    struct pawl_error err = {0};
    struct pawl_buf gbnf = PAWL_BUF(PAWL_LLAMA_GRAMMAR_MAX);
    json_t *value = json_of(deep.data);
    assert_int_equal(pawl_llama_schema_grammar(value, &gbnf, &err), PAWL_ECONFIG);
    assert_non_null(strstr(err.message, "deep"));
    json_decref(value);
    pawl_buf_reset(&gbnf);
    pawl_buf_add(&wide, "{\"enum\":[0");
    for (int i = 0; i < 20000; i++) pawl_buf_printf(&wide, ",%d", i);
    pawl_buf_add(&wide, "]}");
    value = json_of(wide.data);
    assert_int_equal(pawl_llama_schema_grammar(value, &gbnf, &err), PAWL_ECONFIG);
    assert_non_null(strstr(err.message, "large"));
    json_decref(value);
    pawl_buf_release(&gbnf);
    pawl_buf_release(&deep);
    pawl_buf_release(&wide);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_leaves_are_rules, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_constants_are_their_json, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_objects_have_their_properties_in_order, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_arrays_have_their_bounds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_held_is_refused_by_name, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_schema_has_limits, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void)
{
    fputs("SKIPPED: pawl was built without libllama\n", stderr);
    return 0;
}
#endif
