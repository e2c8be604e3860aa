/* Models answer in many shapes; the table says what each is read as, or why not. */
#include "program/answer.h"
#include "program/number.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static struct pawl_arena arena;

static const struct row {
    const char *signature, *reply, *want; /* canonical JSON; or, after "!", a part of the fault */
} rows[] = {
    /* choices: alone, in a sentence, in any case, in quotes; not inside another word */
    {"a -> s: positive | negative", "positive", "{\"s\":\"positive\"}"},
    {"a -> s: positive | negative", " **Negative**. ", "{\"s\":\"negative\"}"},
    {"a -> s: positive | negative", "Sentiment is POSITIVE, I think", "{\"s\":\"positive\"}"},
    {"a -> s: positive | negative", "s: negative", "{\"s\":\"negative\"}"},
    {"a -> s: positive | negative", "- **S:** \"negative\"", "{\"s\":\"negative\"}"},
    {"a -> s: positive | negative", "{\"S\": \"Negative\"}", "{\"s\":\"negative\"}"},
    {"a -> s: positive | negative", "```json\n{\"s\": \"positive\"}\n```", "{\"s\":\"positive\"}"},
    {"a -> s: positive | negative", "nonpositive", "!none of: positive, negative"},
    {"a -> s: positive | negative", "", "!empty"},
    {"a -> s: bad | very bad", "It is very bad.", "{\"s\":\"very bad\"}"},
    {"a -> s: \xc3\xa9t\xc3\xa9 | hiver", "C'est l'\xc3\xa9t\xc3\xa9!",
     "{\"s\":\"\xc3\xa9t\xc3\xa9\"}"},
    /* numbers: the last one, with separators */
    {"a -> n: number", "42", "{\"n\":42}"},
    {"a -> n: number", "3 + 4 = 1,234.50 dollars.", "{\"n\":1234.5}"},
    {"a -> n: number", "about -3e2", "{\"n\":-300}"},
    {"a -> n: number", "{\"n\": 7}", "{\"n\":7}"},
    {"a -> n: number", "none", "!holds no number"},
    {"a -> n: number", "1e999", "!holds no number"},
    /* booleans, lists, objects, texts */
    {"a -> b: boolean", "Yes.", "{\"b\":true}"},
    {"a -> b: boolean", "{\"b\": false}", "{\"b\":false}"},
    {"a -> b: boolean", "maybe", "!holds no boolean"},
    {"a -> l: list", "[\"x\", 2]", "{\"l\":[\"x\",2]}"},
    {"a -> l: list", "1. one\n2) two\n- three", "{\"l\":[\"one\",\"two\",\"three\"]}"},
    {"a -> l: list", "one, two", "{\"l\":[\"one\",\"two\"]}"},
    {"a -> o: object", "Here: {\"x\": {\"y\": \"}\"}} done", "{\"o\":{\"x\":{\"y\":\"}\"}}}"},
    {"a -> o: object", "{\"x\": ", "!holds no object"},
    /* what is nested too deeply to be recorded is the candidate's fault, not the record's */
    {"a -> l: list", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
     "!too deeply"},
    {"a -> t", "  any text: with a colon  ", "{\"t\":\"any text: with a colon\"}"},
    {"a -> t", "t: the text", "{\"t\":\"the text\"}"},
    {"a -> t", "I said {braces} here", "{\"t\":\"I said {braces} here\"}"},
    /* several fields: lines in any order, a value may run over lines */
    {"a -> x, n: number", "x: one\ntwo\nn: 3", "{\"n\":3,\"x\":\"one\\ntwo\"}"},
    {"a -> x, n: number", "n: 3\nx: one", "{\"n\":3,\"x\":\"one\"}"},
    {"a -> x, n: number", "I think so.\n**n**: 3", "{\"n\":3,\"x\":\"I think so.\"}"},
    {"a -> x, n: number", "{\"x\": \"one\", \"n\": \"3\"}", "{\"n\":3,\"x\":\"one\"}"},
    {"a -> x, n: number", "x: one", "!no field \"n\""},
    {"a -> x, n: number", "{\"x\": \"one\", \"n\": null}", "!holds no number"},
};

static void check_row(const struct row *row)
{
    struct pawl_signature s;
    struct pawl_error err = {0};
    const char *fault = NULL;
    if (pawl_signature_parse(pawl_str_of(row->signature), &arena, &s, &err) != PAWL_OK)
        fail_msg("%s", err.message);
    json_t *answer =
        pawl_answer_parse(pawl_str_of(row->reply), s.outputs, s.n_outputs, &arena, &fault);
    if (row->want[0] == '!') {
        if (answer) fail_msg("\"%s\" was read", row->reply);
        if (!strstr(fault, row->want + 1)) fail_msg("\"%s\": %s", row->reply, fault);
        return;
    }
    if (!answer) fail_msg("\"%s\": %s", row->reply, fault);
    char *text = pawl_json_text(answer);
    assert_string_equal(text, row->want);
    free(text);
    json_decref(answer);
}

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) check_row(&rows[i]);
}

static void test_long_hostile_text_is_read_quickly(void **state)
{
    (void)state;
    size_t n = 4 << 20;
    char *text = malloc(n + 1);
    memset(text, '{', n);
    text[n] = '\0';
    struct pawl_signature s;
    const char *fault;
    assert_int_equal(pawl_signature_parse(PAWL_STR("a -> s: x | y, n: number"), &arena, &s, NULL),
                     PAWL_OK);
    assert_null(pawl_answer_parse((struct pawl_str){text, n}, s.outputs, 2, &arena, &fault));
    memset(text, '\n', n);
    assert_null(pawl_answer_parse((struct pawl_str){text, n}, s.outputs, 2, &arena, &fault));
    memset(text, '9', n);
    assert_null(pawl_answer_parse((struct pawl_str){text, n}, s.outputs, 2, &arena, &fault));
    free(text);
}

static void test_last_number(void **state)
{
    (void)state;
    assert_float_equal(pawl_last_number(PAWL_STR("x3 is 12 %")), 12, 0);
    assert_float_equal(pawl_last_number(PAWL_STR("2-1")), 1, 0); /* a minus, not a sign */
    assert_float_equal(pawl_last_number(PAWL_STR("(-1)")), -1, 0);
    assert_float_equal(pawl_last_number(PAWL_STR("1,000,000")), 1e6, 0);
    assert_float_equal(pawl_last_number(PAWL_STR("1, 2, 3")), 3, 0);
    assert_float_equal(pawl_last_number(PAWL_STR("is .5")), 0.5, 0);
    assert_float_equal(pawl_last_number(PAWL_STR("It is 7.")), 7, 0);
    assert_true(isnan(pawl_last_number(PAWL_STR("a1b"))));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_long_hostile_text_is_read_quickly),
        cmocka_unit_test(test_last_number),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pawl_arena_release(&arena);
    return failed;
}
