/* gate.guards of pawl.yaml: what is read, and what is refused with its line and field. */
#include "improve/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static enum pawl_status parse(const char *guards, struct pawl_config *config,
                              struct pawl_arena *arena, struct pawl_error *err)
{
    char yaml[1000];
    struct pawl_yaml_places *places = NULL;
    snprintf(yaml, sizeof yaml,
             "name: x\nprogram: {signature: \"a -> b\"}\ndata: {file: c.jsonl}\n"
             "metric: exact_match\ngate:\n  alpha: 0.05\n  guards:%s\n",
             guards);
    enum pawl_status status =
        pawl_config_parse(pawl_str_of(yaml), "pawl.yaml", arena, config, &places, err);
    pawl_yaml_places_free(places);
    return status;
}

static void guards_are_read(void **state)
{
    (void)state;
    struct pawl_arena arena = {0};
    struct pawl_config config;
    struct pawl_error err = {0};
    assert_int_equal(parse(" [{metric: tokens, margin: 0.2}, {metric: score, margin: 0.02},\n"
                           "    {metric: failed, zero_tolerance: true}]",
                           &config, &arena, &err),
                     PAWL_OK);
    const struct pawl_guard_rule *rules = config.gate.guard_rules;
    assert_int_equal(config.gate.n_guards, 3);
    assert_int_equal(rules[0].measure, PAWL_MEASURE_TOKENS);
    assert_true(rules[0].margin == 0.2 && !rules[0].zero_tolerance);
    assert_int_equal(rules[1].measure, PAWL_MEASURE_SCORE);
    assert_true(rules[1].margin == 0.02);
    assert_int_equal(rules[2].measure, PAWL_MEASURE_FAILED);
    assert_true(rules[2].zero_tolerance && rules[2].margin == 0);
    pawl_config_release(&config);
    assert_int_equal(parse(" []", &config, &arena, &err), PAWL_OK);
    assert_int_equal(config.gate.n_guards, 0);
    pawl_config_release(&config);
    pawl_arena_release(&arena);
}

static void what_cannot_be_guarded_is_refused(void **state)
{
    (void)state;
    const struct {
        const char *guards, *field;
        int line;
    } rows[] = {
        {" tokens", "gate.guards", 7},
        {"\n    - tokens", "gate.guards.0", 8},
        {"\n    - {metric: tokens, margin: 0.2}\n    - {metric: words, margin: 0.2}",
         "gate.guards.1.metric", 9},
        {"\n    - {margin: 0.2}", "gate.guards.0.metric", 8},
        {"\n    - {metric: tokens}", "gate.guards.0.margin", 8},
        {"\n    - {metric: tokens, margin: 0}", "gate.guards.0.margin", 8},
        {"\n    - {metric: tokens, margin: -1}", "gate.guards.0.margin", 8},
        {"\n    - {metric: score, margin: 2}", "gate.guards.0.margin", 8},
        {"\n    - {metric: tokens, marign: 0.2}", "gate.guards.0.marign", 8},
        {"\n    - {metric: cost, zero_tolerance: true}", "gate.guards.0.zero_tolerance", 8},
        {"\n    - {metric: score, zero_tolerance: true, margin: 0.1}", "gate.guards.0.margin", 8},
        {"\n    - {metric: tokens, margin: 0.2}\n    - {metric: tokens, margin: 0.3}",
         "gate.guards.1.metric", 9},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct pawl_arena arena = {0};
        struct pawl_config config;
        struct pawl_error err = {0};
        assert_int_equal(parse(rows[i].guards, &config, &arena, &err), PAWL_ECONFIG);
        assert_string_equal(err.field, rows[i].field);
        assert_int_equal(err.line, rows[i].line);
        assert_true(strlen(err.message) > 10 && strlen(err.hint) > 10);
        pawl_arena_release(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guards_are_read),
        cmocka_unit_test(what_cannot_be_guarded_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
