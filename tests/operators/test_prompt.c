/* Prompts: patterns that are filled, and texts taken out of replies. */
#include "operators/vectors.h"

#include "operators/prompt.h"

static void check_unfence(const char *reply, const char *want)
{
    struct pawl_str got = pawl_prompt_unfence(pawl_str_of(reply));
    if (pawl_str_is(got, want)) return;
    fail_msg("from \"%s\": \"" PAWL_STR_FMT "\", want \"%s\"", reply, PAWL_STR_ARG(got), want);
}

static void test_unfence(void **state)
{
    (void)state;
    check_unfence("Here:\n```text\nNew rule A\n```\nbye", "New rule A");
    check_unfence("```\nline1\n```inner```\nline2\n```", "line1\n```inner```\nline2");
    check_unfence("no fence at all", "no fence at all");
    check_unfence("```one line```", "one line");
    check_unfence("Cut off:\n```markdown\nfirst\nsecond", "first\nsecond");
    check_unfence("the opening is lost\n```", "the opening is lost");
    check_unfence("```", "");
    check_unfence("``````", "");
    check_unfence("`````", "");
    check_unfence("````", "");
    check_unfence("  \n", "");
    check_unfence("", "");
}

static void test_unfence_vectors(void **state)
{
    (void)state;
    json_t *file = vectors_load();
    if (file == NULL) skip();
    const json_t *vector = vectors_find(file, "gepa.parse_fenced_text");
    const json_t *cases = vectors_cases(vector), *expect = json_object_get(vector, "expect");
    for (size_t i = 0; i < json_array_size(cases); i++)
        check_unfence(json_string_value(json_array_get(cases, i)),
                      json_string_value(json_array_get(expect, i)));
    json_decref(file);
}

/* Marks inside what is filled in are text, and so are those that nobody fills. */
static void test_pattern(void **state)
{
    (void)state;
    const struct pawl_prompt_mark *marks =
        PAWL_MARKS({"current", PAWL_STR("{{examples}}")}, {"examples", PAWL_STR("{{current}}")});
    struct pawl_buf out = PAWL_BUF(1000);
    pawl_prompt_fill(PAWL_STR("{{current}}|{{examples}}|{{other}}{{current"), marks, &out);
    assert_string_equal(out.data, "{{examples}}|{{current}}|{{other}}{{current");
    pawl_buf_reset(&out);
    assert_false(out.overflowed);
    pawl_prompt_fill(PAWL_STR("{{a}} and {{b}}"), PAWL_MARKS({"a", PAWL_STR("")}, {"b", {NULL, 0}}),
                     &out);
    assert_true(out.overflowed); /* a part that was too long is not nothing */
    pawl_buf_release(&out);
}

static void test_json_as_lines(void **state)
{
    (void)state;
    json_t *value = json_pack("{s:s, s:[i,i]}", "question", "Is it?", "numbers", 1, 2);
    struct pawl_buf out = PAWL_BUF(1000);
    pawl_prompt_add_json(&out, "Input", value);
    pawl_prompt_add_json(&out, "None", NULL);
    assert_string_equal(out.data, "Input:\n- question: Is it?\n- numbers: [1,2]\nNone:\n\n");
    pawl_buf_release(&out);
    json_decref(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unfence),
        cmocka_unit_test(test_unfence_vectors),
        cmocka_unit_test(test_pattern),
        cmocka_unit_test(test_json_as_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
