/* Which operator `--operator auto` takes, and that it says why. */
#include "improve/front_improve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

static void check(struct pawl_improve_facts facts, const char *operator, const char * because)
{
    struct pawl_improve_choice choice = pawl_improve_choose(&facts);
    assert_string_equal(choice.operator, operator);
    if (strstr(choice.because, because) == NULL) fail_msg("%s", choice.because);
    assert_true(strlen(choice.because) < sizeof choice.because - 1); /* it is a whole sentence */
}

static void test_by_program(void **state)
{
    (void)state;
    check((struct pawl_improve_facts){.has_writer = true, .n_dev = 100, .evaluations = 3000},
          "gepa", "command");
    check((struct pawl_improve_facts){.n_dev = 100, .evaluations = 10}, "gepa", "command");
    check(
        (struct pawl_improve_facts){
            .shows_demos = true, .has_writer = true, .n_dev = 100, .evaluations = 3000},
        "mipro", "100 cases of dev");
}

static void test_by_models(void **state)
{
    (void)state;
    check((struct pawl_improve_facts){.shows_demos = true, .n_dev = 100, .evaluations = 3000},
          "bootstrap", "roles: reflect");
}

static void test_by_data(void **state)
{
    (void)state;
    struct pawl_improve_facts facts = {
        .shows_demos = true, .has_writer = true, .n_dev = 19, .evaluations = 3000};
    check(facts, "textgrad", "19 cases of dev");
    facts.n_dev = 20;
    check(facts, "mipro", "20 cases of dev");
}

/* A step of simba is dear: with too little for some of them the program's samples decide nothing. */
static void test_by_samples(void **state)
{
    (void)state;
    struct pawl_improve_facts facts = {.shows_demos = true,
                                       .has_writer = true,
                                       .samples = true,
                                       .n_dev = 100,
                                       .evaluations = 2164};
    check(facts, "simba", "differ");
    facts.evaluations = -1;
    check(facts, "simba", "differ");
    facts.evaluations = 2163;
    check(facts, "mipro", "budget");
    facts.has_writer = false;
    check(facts, "bootstrap", "roles: reflect");
}

static void test_by_budget(void **state)
{
    (void)state;
    check(
        (struct pawl_improve_facts){
            .shows_demos = true, .has_writer = true, .n_dev = 100, .evaluations = 799},
        "gepa", "799 evaluations");
    check(
        (struct pawl_improve_facts){
            .shows_demos = true, .has_writer = true, .n_dev = 100, .evaluations = 800},
        "mipro", "budget");
    check(
        (struct pawl_improve_facts){
            .shows_demos = true, .has_writer = true, .n_dev = 100, .evaluations = -1},
        "mipro", "budget");
    check((struct pawl_improve_facts){.shows_demos = true,
                                      .has_writer = true,
                                      .n_dev = 999999999999,
                                      .evaluations = 999999999999},
          "gepa", "999999999999");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_program), cmocka_unit_test(test_by_models),
        cmocka_unit_test(test_by_data),    cmocka_unit_test(test_by_samples),
        cmocka_unit_test(test_by_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
