/* option.h: one table gives parsing, defaults, help and the recorded values. */
#include "base/option.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct settings {
    int64_t minibatch;
    double rate;
    bool merge;
    const char *model;
    const char *front;
    json_t *extra;
};
static const struct pawl_option table[] = {
    PAWL_OPT_INT(struct settings, minibatch, "3", 1, 1000, "cases per reflection"),
    PAWL_OPT_REAL(struct settings, rate, "0.5", 0, 1, "share of accepted steps"),
    PAWL_OPT_BOOL(struct settings, merge, "on", "try to merge two candidates"),
    PAWL_OPT_TEXT(struct settings, model, NULL, "model to ask"),
    PAWL_OPT_CHOICE(struct settings, front, "instance", "instance|objective", "what a front keeps"),
    PAWL_OPT_JSON(struct settings, extra, "anything"),
    {0}};

static enum pawl_status read_text(const char *text, struct settings *out, struct pawl_arena *arena,
                                  struct pawl_error *err)
{
    json_t *object;
    assert_int_equal(pawl_json_parse(pawl_str_of(text), 1000, &object, NULL), PAWL_OK);
    enum pawl_status status = pawl_options_read(table, object, "improve.gepa", arena, out, err);
    if (status == PAWL_OK && out->extra) json_incref(out->extra);
    json_decref(object);
    return status;
}

static void defaults_come_from_the_table(void **state)
{
    (void)state;
    struct pawl_arena arena = {0};
    struct settings s;
    memset(&s, 0xFF, sizeof s);
    assert_int_equal(pawl_options_read(table, NULL, NULL, &arena, &s, NULL), PAWL_OK);
    assert_int_equal(s.minibatch, 3);
    assert_true(s.rate == 0.5);
    assert_true(s.merge);
    assert_null(s.model);
    assert_string_equal(s.front, "instance");
    assert_null(s.extra);
    pawl_arena_release(&arena);
}

static void values_come_from_json_or_text(void **state)
{
    (void)state;
    struct pawl_arena arena = {0};
    struct settings s;
    assert_int_equal(read_text("{\"minibatch\":7,\"rate\":1,\"merge\":false,\"model\":\"m\","
                               "\"front\":\"objective\",\"extra\":[1]}",
                               &s, &arena, NULL),
                     PAWL_OK);
    assert_int_equal(s.minibatch, 7);
    assert_true(s.rate == 1.0);
    assert_false(s.merge);
    assert_string_equal(s.model, "m");
    assert_string_equal(s.front, "objective");
    assert_int_equal(json_array_size(s.extra), 1);
    json_decref(s.extra);
    assert_int_equal(
        read_text("{\"minibatch\":\"1e2\",\"rate\":\".25\",\"merge\":\"no\"}", &s, &arena, NULL),
        PAWL_OK);
    assert_int_equal(s.minibatch, 100);
    assert_true(s.rate == 0.25);
    assert_false(s.merge);
    assert_int_equal(read_text("{\"minibatch\":5.0}", &s, &arena, NULL), PAWL_OK);
    assert_int_equal(s.minibatch, 5);
    pawl_arena_release(&arena);
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *json, *field, *says, *hint;
    } refused[] = {
        {"{\"minibatch\":0}", "improve.gepa.minibatch", "from 1 to 1000", "cases per"},
        {"{\"minibatch\":1001}", "improve.gepa.minibatch", "1001", "cases per"},
        {"{\"minibatch\":2.5}", "improve.gepa.minibatch", "whole", ""},
        {"{\"minibatch\":\"7x\"}", "improve.gepa.minibatch", "7x", ""},
        {"{\"minibatch\":\"\"}", "improve.gepa.minibatch", "whole", ""},
        {"{\"minibatch\":null}", "improve.gepa.minibatch", "null", ""},
        {"{\"minibatch\":\"99999999999999999999\"}", "improve.gepa.minibatch", "whole", ""},
        {"{\"rate\":\"nan\"}", "improve.gepa.rate", "number", ""},
        {"{\"rate\":\"0x1\"}", "improve.gepa.rate", "number", ""},
        {"{\"rate\":1.01}", "improve.gepa.rate", "from 0 to 1", ""},
        {"{\"merge\":1}", "improve.gepa.merge", "true or false", ""},
        {"{\"merge\":\"maybe\"}", "improve.gepa.merge", "maybe", ""},
        {"{\"model\":4}", "improve.gepa.model", "a text", ""},
        {"{\"front\":\"instanse\"}", "improve.gepa.front", "instance|objective", "mean instance"},
        {"{\"front\":\"\"}", "improve.gepa.front", "one of", ""},
        {"{\"front\":3}", "improve.gepa.front", "one of", ""},
        {"{\"minibach\":3}", "improve.gepa.minibach", "no option", "mean minibatch"},
        {"{\"zzz\":3}", "improve.gepa.zzz", "no option", "minibatch, rate, merge"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct pawl_arena arena = {0};
        struct settings s;
        struct pawl_error err;
        assert_int_equal(read_text(refused[i].json, &s, &arena, &err), PAWL_ECONFIG);
        assert_string_equal(err.field, refused[i].field);
        if (!strstr(err.message, refused[i].says) || !strstr(err.hint, refused[i].hint))
            fail_msg("%s: %s (%s)", refused[i].json, err.message, err.hint);
        pawl_arena_release(&arena);
    }
    struct pawl_arena arena = {0};
    struct settings s;
    json_t *list = json_array();
    assert_int_equal(pawl_options_read(table, list, "", &arena, &s, NULL), PAWL_ECONFIG);
    json_decref(list);
    pawl_arena_release(&arena);
}

static void a_required_option_must_be_given(void **state)
{
    (void)state;
    static const struct pawl_option required[] = {
        {.name = "file", .type = PAWL_OPTION_TEXT, .help = "where it is", .required = true}, {0}};
    const char *file;
    struct pawl_arena arena = {0};
    struct pawl_error err;
    assert_int_equal(pawl_options_read(required, NULL, "data", &arena, &file, &err), PAWL_ECONFIG);
    assert_string_equal(err.message, "data.file is missing.");
    pawl_arena_release(&arena);
}

static void the_values_in_force_can_be_recorded_and_read_again(void **state)
{
    (void)state;
    struct pawl_arena arena = {0};
    struct settings s;
    assert_int_equal(pawl_options_read(table, NULL, NULL, &arena, &s, NULL), PAWL_OK);
    s.model = "m";
    s.extra = json_true();
    json_t *object = pawl_options_json(table, &s);
    char *text = pawl_json_text(object);
    assert_string_equal(text, "{\"extra\":true,\"front\":\"instance\",\"merge\":true,"
                              "\"minibatch\":3,\"model\":\"m\",\"rate\":0.5}");
    struct settings again;
    assert_int_equal(pawl_options_read(table, object, NULL, &arena, &again, NULL), PAWL_OK);
    assert_string_equal(again.model, "m");
    free(text);
    json_decref(object);
    pawl_arena_release(&arena);
}

static void help_has_a_line_for_each_option(void **state)
{
    (void)state;
    struct pawl_buf out = PAWL_BUF(10000);
    pawl_options_help(table, &out);
    assert_non_null(strstr(out.data, "  minibatch            a whole number from 1 to 1000 "
                                     "(default 3): cases per reflection\n"));
    assert_non_null(strstr(out.data, "one of instance|objective (default instance)"));
    int lines = 0;
    for (const char *p = out.data; *p; p++) lines += *p == '\n';
    assert_int_equal(lines, 6);
    pawl_buf_release(&out);
    json_t *described = pawl_options_describe(table);
    assert_int_equal(json_array_size(described), 6);
    assert_string_equal(pawl_json_get_text(json_array_get(described, 1), "type", ""), "real");
    json_decref(described);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_come_from_the_table),
        cmocka_unit_test(values_come_from_json_or_text),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(a_required_option_must_be_given),
        cmocka_unit_test(the_values_in_force_can_be_recorded_and_read_again),
        cmocka_unit_test(help_has_a_line_for_each_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
