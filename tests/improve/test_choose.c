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
    check((struct pawl_improve_facts){false, true, 100, 3000}, "gepa", "command");
    check((struct pawl_improve_facts){false, false, 100, 10}, "gepa", "command");
    check((struct pawl_improve_facts){true, true, 100, 3000}, "mipro", "100 cases of dev");
}

static void test_by_models(void **state)
{
    (void)state;
    check((struct pawl_improve_facts){true, false, 100, 3000}, "bootstrap", "roles: reflect");
}

static void test_by_budget(void **state)
{
    (void)state;
    check((struct pawl_improve_facts){true, true, 100, 799}, "gepa", "799 evaluations");
    check((struct pawl_improve_facts){true, true, 100, 800}, "mipro", "budget");
    check((struct pawl_improve_facts){true, true, 100, -1}, "mipro", "budget");
    check((struct pawl_improve_facts){true, true, 999999999999, 999999999999}, "gepa",
          "999999999999");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_program),
        cmocka_unit_test(test_by_models),
        cmocka_unit_test(test_by_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
