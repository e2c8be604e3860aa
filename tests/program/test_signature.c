/* One line says what goes in and out; a wrong line says where and what to do. */
#include "program/signature.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct pawl_arena arena;

static struct pawl_signature good(const char *text)
{
    struct pawl_signature signature;
    struct pawl_error err = {0};
    if (pawl_signature_parse(pawl_str_of(text), &arena, &signature, &err) != PAWL_OK)
        fail_msg("%s: %s", text, err.message);
    return signature;
}

static void bad(const char *text, const char *column, const char *what)
{
    struct pawl_signature signature;
    struct pawl_error err = {0};
    assert_int_equal(pawl_signature_parse(pawl_str_of(text), &arena, &signature, &err),
                     PAWL_ECONFIG);
    if (!strstr(err.message, column) || !strstr(err.message, what))
        fail_msg("\"%s\": %s", text, err.message);
    assert_true(err.hint[0] != '\0');
    assert_string_equal(err.field, "signature");
}

static void test_plain(void **state)
{
    (void)state;
    struct pawl_signature s = good("question -> answer");
    assert_int_equal(s.n_inputs, 1);
    assert_string_equal(s.inputs[0].name, "question");
    assert_int_equal(s.outputs[0].type, PAWL_FIELD_TEXT);
}

static void test_types_and_choices(void **state)
{
    (void)state;
    struct pawl_signature s = good("  review , stars:number->sentiment : positive | very negative, "
                                   "sure: boolean, why: list, extra: object");
    assert_int_equal(s.n_inputs, 2);
    assert_int_equal(s.inputs[1].type, PAWL_FIELD_NUMBER);
    assert_int_equal(s.n_outputs, 4);
    assert_int_equal(s.outputs[0].type, PAWL_FIELD_CHOICES);
    assert_int_equal(s.outputs[0].n_choices, 2);
    assert_true(pawl_str_is(s.outputs[0].choices[1], "very negative"));
    assert_int_equal(s.outputs[1].type, PAWL_FIELD_BOOLEAN);
    assert_int_equal(s.outputs[2].type, PAWL_FIELD_LIST);
    assert_int_equal(s.outputs[3].type, PAWL_FIELD_OBJECT);
}

static void test_errors_say_where(void **state)
{
    (void)state;
    bad("", "column 1", "name");
    bad("question", "column 9", "->");
    bad("question -> ", "column 13", "name");
    bad("-> answer", "column 1", "name");
    bad("a -> b: nmber", "column 9", "nmber");
    bad("a -> b: x |", "column 12", "empty");
    bad("a -> b: x | X", "column", "twice");
    bad("a -> b c", "column 8", "does not belong");
    bad("a, A -> b", "column 1", "twice");
    bad("a -> a", "column 1", "twice");
    bad("a -> b:", "column 8", "type");
    bad("1a -> b", "column 1", "name");
    bad("a -> b\xff", "column 1", "UTF-8");
}

static void test_near_type_is_suggested(void **state)
{
    (void)state;
    struct pawl_signature signature;
    struct pawl_error err = {0};
    assert_int_equal(pawl_signature_parse(PAWL_STR("a -> b: nubmer"), &arena, &signature, &err),
                     PAWL_ECONFIG);
    assert_non_null(strstr(err.hint, "\"number\""));
}

static void test_descriptions(void **state)
{
    (void)state;
    struct pawl_signature s = good("a -> b");
    struct pawl_error err = {0};
    json_t *fields = json_pack("{s:s}", "b", "the answer");
    assert_int_equal(pawl_signature_describe(&s, fields, &arena, &err), PAWL_OK);
    assert_string_equal(s.outputs[0].description, "the answer");
    json_decref(fields);
    fields = json_pack("{s:s}", "c", "what?");
    assert_int_equal(pawl_signature_describe(&s, fields, &arena, &err), PAWL_ECONFIG);
    assert_string_equal(err.field, "fields.c");
    json_decref(fields);
}

static void test_a_strategy_may_not_hide_a_field(void **state)
{
    (void)state;
    static const char *const extra[] = {"reasoning", NULL};
    struct pawl_signature s = good("a -> b"), clash = good("a -> reasoning");
    struct pawl_error err = {0};
    assert_int_equal(pawl_signature_extend(&s, extra, &arena, &err), PAWL_OK);
    assert_string_equal(s.outputs[0].name, "reasoning");
    assert_int_equal(s.n_outputs, 2);
    assert_int_equal(pawl_signature_extend(&clash, extra, &arena, &err), PAWL_ECONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_types_and_choices),
        cmocka_unit_test(test_errors_say_where),
        cmocka_unit_test(test_near_type_is_suggested),
        cmocka_unit_test(test_descriptions),
        cmocka_unit_test(test_a_strategy_may_not_hide_a_field),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pawl_arena_release(&arena);
    return failed;
}
