/* yaml.h: a strict subset, and errors that name line and column. */
#include "base/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void assert_reads(const char *yaml, const char *json)
{
    json_t *value;
    struct pawl_yaml_places *places;
    struct pawl_error err;
    if (pawl_yaml_parse(pawl_str_of(yaml), "t.yaml", &value, &places, &err) != PAWL_OK)
        fail_msg("%s: %s", yaml, err.message);
    char *text = pawl_json_text(value);
    assert_string_equal(text, json);
    free(text);
    json_decref(value);
    pawl_yaml_places_free(places);
}

static void assert_refused(struct pawl_str yaml, int line, int column, const char *field,
                           const char *word)
{
    json_t *value;
    struct pawl_yaml_places *places;
    struct pawl_error err;
    assert_int_equal(pawl_yaml_parse(yaml, "t.yaml", &value, &places, &err), PAWL_ECONFIG);
    assert_null(value);
    assert_null(places);
    assert_string_equal(err.file, "t.yaml");
    assert_int_equal(err.line, line);
    assert_int_equal(err.column, column);
    assert_string_equal(err.field, field);
    if (!strstr(err.message, word)) fail_msg("\"%s\" does not say %s", err.message, word);
    assert_true(err.hint[0]);
    assert_int_equal(pawl_yaml_parse(yaml, NULL, &value, &places, NULL), PAWL_ECONFIG);
}

static void scalars_follow_the_core_schema(void **state)
{
    (void)state;
    assert_reads("[no, yes, on, off, y, NO]", "[\"no\",\"yes\",\"on\",\"off\",\"y\",\"NO\"]");
    assert_reads("[true, True, FALSE, 'true', \"false\"]", "[true,true,false,\"true\",\"false\"]");
    assert_reads("[~, null, Null, 'null', ]", "[null,null,null,\"null\"]");
    assert_reads("[1, -7, +3, 007, 0x1F, 0o17, '1']", "[1,-7,3,7,31,15,\"1\"]");
    assert_reads("[1.5, .5, 2., 1e3, -1.25E-2]", "[1.5,0.5,2,1000,-0.0125]");
    assert_reads("[1.2.3, 12:30, 1_000, 0x, 1e, '.', -, 2020-01-01]",
                 "[\"1.2.3\",\"12:30\",\"1_000\",\"0x\",\"1e\",\".\",\"-\",\"2020-01-01\"]");
    assert_reads("a:\nb: |\n  x\n  y\nno: >-\n  p\n  q\n",
                 "{\"a\":null,\"b\":\"x\\ny\\n\",\"no\":\"p q\"}");
}

static void a_project_file_reads(void **state)
{
    (void)state;
    assert_reads("name: review   # a comment\n"
                 "program: {signature: \"review -> sentiment: positive | negative\"}\n"
                 "gate:\n"
                 "  guards:\n"
                 "  - {metric: tokens, margin: 0.2}\n",
                 "{\"gate\":{\"guards\":[{\"margin\":0.2,\"metric\":\"tokens\"}]},"
                 "\"name\":\"review\","
                 "\"program\":{\"signature\":\"review -> sentiment: positive | negative\"}}");
}

static void what_is_ambiguous_is_refused_with_its_place(void **state)
{
    (void)state;
    assert_refused(PAWL_STR("a: 1\nb:\n  c: 1\n  c: 2\n"), 4, 3, "b.c", "twice");
    assert_refused(PAWL_STR("a:\n\tb: 1\n"), 2, 1, "", "tab");
    assert_refused(PAWL_STR("a: &x 1\nb: 2\n"), 1, 4, "a", "Anchors");
    assert_refused(PAWL_STR("a: 1\nb: [*x]\n"), 2, 5, "b.0", "Anchors");
    assert_refused(PAWL_STR("a: !!str 1\n"), 1, 4, "a", "Tags");
    assert_refused(PAWL_STR("a: !x [1]\n"), 1, 4, "a", "Tags");
    assert_refused(PAWL_STR("[1]: 2\n"), 1, 1, "", "key");
    assert_refused(PAWL_STR("? {a: 1}\n: 2\n"), 1, 3, "", "key");
    assert_refused(PAWL_STR("'': 2\n"), 1, 1, "", "key");
    assert_refused(PAWL_STR("a: 1\n---\nb: 2\n"), 2, 1, "", "more than one");
    assert_refused(PAWL_STR("x: .inf\n"), 1, 4, "x", "Infinity");
    assert_refused(PAWL_STR("x: -.INF\n"), 1, 4, "x", "Infinity");
    assert_refused(PAWL_STR("x: 99999999999999999999\n"), 1, 4, "x", "too large");
    assert_refused(PAWL_STR("x: 1e999\n"), 1, 4, "x", "too large");
}

static void bad_text_is_refused(void **state)
{
    (void)state;
    assert_refused(PAWL_STR(""), 1, 1, "", "empty");
    assert_refused(PAWL_STR("# only a comment\n"), 2, 1, "", "empty");
    assert_refused((struct pawl_str){0}, 1, 1, "", "empty");
    assert_refused(PAWL_STR("a: [1, 2\nb: 3\n"), 2, 2, "", "not valid");
    assert_refused(PAWL_STR("a: \"x\n"), 2, 1, "", "not valid");
    assert_refused(PAWL_STR("a: 1\nb: \xFF\n"), 2, 1, "", "UTF-8");
    assert_refused(PAWL_STR("a: 1\nb: \"x\\0y\"\n"), 2, 4, "b", "U+0000");
    assert_refused(PAWL_STR("\"a\\0b\": 1\n"), 1, 1, "", "key");
    assert_refused(PAWL_STR("a: 1\n b: 2\n"), 2, 3, "", "not valid");
}

static void depth_and_size_have_limits(void **state)
{
    (void)state;
    char deep[65];
    memset(deep, '[', sizeof deep);
    json_t *value;
    struct pawl_yaml_places *places;
    struct pawl_error err;
    assert_int_equal(
        pawl_yaml_parse((struct pawl_str){deep, sizeof deep}, "t", &value, &places, &err),
        PAWL_ECONFIG);
    assert_non_null(strstr(err.message, "64 levels"));

    size_t len = (1 << 20) + 1;
    char *large = malloc(len);
    memset(large, '[', len);
    assert_int_equal(pawl_yaml_parse((struct pawl_str){large, len}, "t", &value, &places, &err),
                     PAWL_ETOOBIG);
    assert_int_equal(pawl_yaml_parse((struct pawl_str){large, len - 1}, "t", &value, &places, &err),
                     PAWL_ECONFIG);
    free(large);
}

static void a_field_is_located(void **state)
{
    (void)state;
    static const struct {
        const char *field;
        int line, column;
    } places_of[] = {
        {"name", 1, 1},
        {"models.gpt-5.1.backend", 4, 5},
        {"models.gpt-5.1.nothing", 3, 3}, /* the nearest known parent */
        {"models.gpt-5", 2, 1},
        {"list.1.x", 7, 5},
        {"list.0", 6, 5},
        {"nowhere", 1, 1},
        {"", 1, 1},
        {"nam", 1, 1},
    };
    json_t *value;
    struct pawl_yaml_places *places;
    struct pawl_error err = {0};
    struct pawl_str yaml = PAWL_STR("name: x\n"
                                    "models:\n"
                                    "  gpt-5.1:\n"
                                    "    backend: y\n"
                                    "list:\n"
                                    "  - 1\n"
                                    "  - x: 2\n");
    assert_int_equal(pawl_yaml_parse(yaml, "t.yaml", &value, &places, &err), PAWL_OK);
    for (size_t i = 0; i < sizeof places_of / sizeof *places_of; i++) {
        pawl_fail_at(&err, PAWL_ECONFIG, NULL, 0, places_of[i].field, "x");
        pawl_yaml_locate(places, &err);
        assert_string_equal(err.file, "t.yaml");
        assert_int_equal(err.line, places_of[i].line);
        assert_int_equal(err.column, places_of[i].column);
    }
    pawl_yaml_locate(NULL, &err);
    pawl_yaml_locate(places, NULL);
    json_decref(value);
    pawl_yaml_places_free(places);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_follow_the_core_schema),
        cmocka_unit_test(a_project_file_reads),
        cmocka_unit_test(what_is_ambiguous_is_refused_with_its_place),
        cmocka_unit_test(bad_text_is_refused),
        cmocka_unit_test(depth_and_size_have_limits),
        cmocka_unit_test(a_field_is_located),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
