/* What a rewritten text must keep to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "operators/textgrad_rules.h"

#include <stdlib.h>

static enum pawl_status read_rules(const char *text, struct pawl_arena *arena,
                                   struct pawl_textgrad_rules *rules, struct pawl_error *err)
{
    json_t *given = NULL;
    if (text != NULL) {
        assert_int_equal(pawl_json_parse(pawl_str_of(text), 1 << 16, &given, NULL), PAWL_OK);
    }
    enum pawl_status status = pawl_textgrad_rules_read(given, 1000, arena, rules, err);
    json_decref(given);
    return status;
}

static void check_rule(const char *rule, const char *text, bool want)
{
    static const struct pawl_str seen[] = {{"The quick brown fox jumps over the lazy dog.", 44},
                                           {NULL, 0}};
    struct pawl_arena arena = {0};
    struct pawl_textgrad_rules rules;
    struct pawl_error err = {0};
    if (read_rules(rule, &arena, &rules, &err) != PAWL_OK) fail_msg("%s", err.message);
    assert_int_equal(rules.n, 2);
    if (pawl_textgrad_rule_holds(&rules.items[1], pawl_str_of(text), seen, 2) != want)
        fail_msg("%s on \"%s\": should %shold", rule, text, want ? "" : "not ");
    pawl_arena_release(&arena);
}

static void test_rules(void **state)
{
    (void)state;
    check_rule("[{\"max_words\":3}]", " one two\nthree ", true);
    check_rule("[{\"max_words\":3}]", "one two three four", false);
    check_rule("[{\"min_words\":2}]", "one", false);
    check_rule("[{\"min_words\":2}]", "one two", true);
    check_rule("[{\"min_words\":0}]", "", true);
    check_rule("[{\"max_bytes\":4}]", "12345", false);
    check_rule("[{\"max_bytes\":4}]", "1234", true);
    check_rule("[{\"contains\":\"{input}\"}]", "use {input} here", true);
    check_rule("[{\"contains\":\"{input}\"}]", "use {Input} here", false);
    check_rule("[{\"lacks\":\"JSON\"}]", "as JSON", false);
    check_rule("[{\"lacks\":\"JSON\"}]", "", true);
    check_rule("[{\"copies_at_most\":3}]", "see the Quick, \"brown\" fox run", false);
    check_rule("[{\"copies_at_most\":4}]", "see the Quick, \"brown\" fox run", true);
    check_rule("[{\"copies_at_most\":0}]", "nothing alike", true);
    check_rule("[{\"copies_at_most\":0}]", "a dog", false);
}

static void test_copied_words(void **state)
{
    (void)state;
    struct pawl_str text = PAWL_STR("a b c a b c d"), from = PAWL_STR("x c d e a b c");
    assert_int_equal(pawl_textgrad_copied_words(text, from, 100), 3);
    assert_int_equal(pawl_textgrad_copied_words(text, from, 2), 2); /* enough */
    assert_int_equal(pawl_textgrad_copied_words(text, PAWL_STR(""), 100), 0);
    assert_int_equal(pawl_textgrad_copied_words(PAWL_STR("  "), from, 100), 0);
    assert_int_equal(pawl_textgrad_copied_words(text, text, 100), 7);
}

static void test_what_can_be_written(void **state)
{
    (void)state;
    struct pawl_arena arena = {0};
    struct pawl_textgrad_rules rules;
    struct pawl_error err = {0};
    assert_int_equal(read_rules(NULL, &arena, &rules, &err), PAWL_OK);
    assert_int_equal(rules.n, 1); /* the length that always holds */
    assert_true(pawl_str_is(rules.items[0].says, "It is at most 1000 bytes long."));
    assert_int_equal(read_rules("[\" Is polite. \",{\"max_words\":7}]", &arena, &rules, &err),
                     PAWL_OK);
    assert_int_equal(rules.n, 3);
    assert_int_equal(rules.items[1].kind, PAWL_RULE_JUDGED);
    assert_true(pawl_str_is(rules.items[1].says, "Is polite."));
    assert_true(pawl_str_is(rules.items[2].says, "It has at most 7 words."));
    /* From the command line: one rule in words, or the list as JSON. */
    assert_int_equal(read_rules("\"Is polite.\"", &arena, &rules, &err), PAWL_OK);
    assert_int_equal(rules.items[1].kind, PAWL_RULE_JUDGED);
    assert_int_equal(read_rules("\"[{\\\"lacks\\\":\\\"%s\\\"}]\"", &arena, &rules, &err), PAWL_OK);
    assert_int_equal(rules.items[1].kind, PAWL_RULE_LACKS);
    assert_true(pawl_str_is(rules.items[1].says, "It does not contain: %s"));
    pawl_arena_release(&arena);
}

static void test_what_cannot(void **state)
{
    static const char *const wrong[] = {"7",
                                        "{}",
                                        "\"[{\"",
                                        "[{\"max_word\":3}]",
                                        "[{\"max_words\":-1}]",
                                        "[7]",
                                        "[{\"max_words\":\"many\"}]",
                                        "[{\"contains\":\"\"}]",
                                        "[\"  \"]",
                                        "[{\"max_words\":1,\"lacks\":\"x\"}]"};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct pawl_arena arena = {0};
        struct pawl_textgrad_rules rules;
        struct pawl_error err = {0};
        if (read_rules(wrong[i], &arena, &rules, &err) != PAWL_ECONFIG)
            fail_msg("%s was accepted", wrong[i]);
        assert_string_equal(err.field, "constraints");
        assert_true(err.hint[0] != '\0');
        pawl_arena_release(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_copied_words),
        cmocka_unit_test(test_what_can_be_written),
        cmocka_unit_test(test_what_cannot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
