/* error.h, pawl/status.h: what a caller sees when something went wrong. */
#include "base/error.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void a_failure_fills_the_error_and_gives_back_its_status(void **state)
{
    (void)state;
    struct pawl_error err;
    assert_int_equal(pawl_fail(&err, PAWL_ETOOBIG, "%d is too many.", 7), PAWL_ETOOBIG);
    assert_int_equal(err.status, PAWL_ETOOBIG);
    assert_string_equal(err.message, "7 is too many.");
    assert_string_equal(err.hint, "");
    pawl_hint(&err, "Take %d.", 3);
    assert_string_equal(err.hint, "Take 3.");
}

static void a_null_error_is_allowed(void **state)
{
    (void)state;
    assert_int_equal(pawl_fail(NULL, PAWL_EWORLD, "x"), PAWL_EWORLD);
    assert_int_equal(pawl_fail_at(NULL, PAWL_ECONFIG, "f", 1, "a", "x"), PAWL_ECONFIG);
    assert_int_equal(pawl_fail_errno(NULL, PAWL_EWORLD, ENOENT, "x"), PAWL_EWORLD);
    pawl_hint(NULL, "x");
}

static void a_place_is_kept(void **state)
{
    (void)state;
    struct pawl_error err;
    pawl_fail_at(&err, PAWL_ECONFIG, "cases.jsonl", 12, "input", "It is empty.");
    assert_string_equal(err.file, "cases.jsonl");
    assert_string_equal(err.field, "input");
    assert_int_equal(err.line, 12);
    assert_int_equal(err.column, 0);
}

static void a_system_error_says_why(void **state)
{
    (void)state;
    struct pawl_error err;
    pawl_fail_errno(&err, PAWL_EWORLD, ENOENT, "The file x cannot be opened");
    assert_string_equal(err.message, "The file x cannot be opened: No such file or directory");
}

static void an_error_can_be_wrapped_in_itself(void **state)
{
    (void)state;
    struct pawl_error err;
    pawl_fail_at(&err, PAWL_ECONFIG, "f", 3, "a.b", "It is wrong.");
    pawl_fail_at(&err, err.status, err.file, err.line, err.field, "Case 4: %s", err.message);
    assert_string_equal(err.message, "Case 4: It is wrong.");
    assert_string_equal(err.file, "f");
    assert_string_equal(err.field, "a.b");
}

static void a_message_that_is_too_long_shows_that_it_is_cut(void **state)
{
    (void)state;
    struct pawl_error err;
    char text[2000];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    pawl_fail(&err, PAWL_EUSAGE, "%s", text);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    assert_string_equal(err.message + sizeof err.message - 5, "x...");
    pawl_fail_errno(&err, PAWL_EWORLD, ENOENT, "%s", text);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
}

static void every_status_has_a_word_and_an_exit_code(void **state)
{
    (void)state;
    assert_string_equal(pawl_status_name(PAWL_OK), "ok");
    assert_int_equal(pawl_status_exit_code(PAWL_OK), 0);
    assert_string_equal(pawl_status_name(PAWL_ENOTFOUND), "not_found");
    assert_int_equal(pawl_status_exit_code(PAWL_ENOTPROMOTED), 1);
    assert_int_equal(pawl_status_exit_code(PAWL_ECONFIG), 2);
    assert_int_equal(pawl_status_exit_code(PAWL_EBUDGET), 3);
    assert_int_equal(pawl_status_exit_code(PAWL_EINTEGRITY), 4);
    assert_int_equal(pawl_status_exit_code(PAWL_EUNDECIDED), 5);
    assert_int_equal(pawl_status_exit_code(PAWL_EWORLD), 6);
    assert_int_equal(pawl_status_exit_code(PAWL_EPAUSED), 130);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_fills_the_error_and_gives_back_its_status),
        cmocka_unit_test(a_null_error_is_allowed),
        cmocka_unit_test(a_place_is_kept),
        cmocka_unit_test(a_system_error_says_why),
        cmocka_unit_test(an_error_can_be_wrapped_in_itself),
        cmocka_unit_test(a_message_that_is_too_long_shows_that_it_is_cut),
        cmocka_unit_test(every_status_has_a_word_and_an_exit_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
