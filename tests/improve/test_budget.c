/* Evaluations, money and time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "improve/budget.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void test_a_pool_grants_no_more_than_it_has(void **state)
{
    struct pawl_pool pool;
    (void)state;
    pawl_pool_init(&pool, 10);
    assert_true(pawl_pool_reserve(&pool, 7));
    assert_false(pawl_pool_reserve(&pool, 4));
    assert_true(pawl_pool_reserve(&pool, 3));
    assert_false(pawl_pool_reserve(&pool, 1));
    pawl_pool_refund(&pool, 3);
    assert_int_equal(pawl_pool_left(&pool), 3);
    pawl_pool_release(&pool);
}

static void test_a_pool_without_a_limit(void **state)
{
    struct pawl_pool pool;
    (void)state;
    pawl_pool_init(&pool, -1);
    assert_true(pawl_pool_reserve(&pool, 1000000000000));
    pawl_pool_release(&pool);
}

/* While some branches repeat their records, others may already work: what is recorded counts from
 * the start. */
static void test_a_shared_pool_counts_what_is_not_repeated_yet(void **state)
{
    struct pawl_pool pool;
    (void)state;
    pawl_pool_init(&pool, 100);
    pawl_pool_repeat(&pool, 20);
    pawl_pool_set_shared(&pool, 70);
    assert_int_equal(pawl_pool_left(&pool), 80);
    assert_int_equal(pawl_pool_left_now(&pool), 30);
    assert_false(pawl_pool_reserve(&pool, 31));
    assert_true(pawl_pool_reserve(&pool, 30));
    pawl_pool_repeat(&pool, 50);
    assert_int_equal(pawl_pool_left(&pool), 0);
    assert_false(pawl_pool_reserve(&pool, 1));
    pawl_pool_release(&pool);
}

static void test_shares_add_up_and_come_back(void **state)
{
    struct pawl_pool pool, share[3];
    int64_t sum = 0;
    (void)state;
    pawl_pool_init(&pool, 11);
    assert_true(pawl_pool_reserve(&pool, 1));
    for (size_t i = 0; i < 3; i++) {
        pawl_pool_init_share(&share[i], &pool, i, 3);
        sum += share[i].limit;
    }
    assert_int_equal(sum, 10);
    assert_int_equal(share[0].limit, 4);
    assert_true(pawl_pool_reserve(&share[0], 4));
    assert_false(pawl_pool_reserve(&share[1], 4));
    for (size_t i = 0; i < 3; i++) pawl_pool_join(&pool, &share[i]);
    assert_int_equal(pawl_pool_left(&pool), 6);
    pawl_pool_release(&pool);
}

/* --- money ----------------------------------------------------------------------------------------- */

static char dir[128], path[160];

static int make_journal(void **state)
{
    struct pawl_journal *journal;
    struct pawl_error err;
    const char *tmp = getenv("TMPDIR");
    snprintf(dir, sizeof dir, "%s/pawl-budget-XXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/journal", dir);
    json_t *header = json_object();
    assert_int_equal(pawl_journal_create(path, header, NULL, &journal, &err), PAWL_OK);
    json_decref(header);
    *state = journal;
    return 0;
}

static int remove_journal(void **state)
{
    pawl_journal_close(*state);
    unlink(path);
    return rmdir(dir);
}

static void reopen(void **state)
{
    struct pawl_journal *journal;
    struct pawl_error err;
    pawl_journal_close(*state);
    assert_int_equal(pawl_journal_open(path, NULL, &journal, &err), PAWL_OK);
    *state = journal;
}

static void test_money_is_reserved_before_it_is_spent(void **state)
{
    struct pawl_money money;
    struct pawl_error err = {0};
    pawl_money_init(&money, *state, 0.01);
    assert_int_equal(pawl_money_reserve(&money, 6000, &err), PAWL_OK);
    assert_int_equal(pawl_money_reserve(&money, 10001, &err), PAWL_EBUDGET);
    assert_non_null(strstr(err.message, "0.004"));
    pawl_money_settle(&money, 6000, 1000);
    assert_int_equal(pawl_money_reserve(&money, 9000, &err), PAWL_OK);
    pawl_money_settle(&money, 9000, 9000);
    assert_int_equal(pawl_money_reserve(&money, 1, &err), PAWL_EBUDGET);
    pawl_money_release(&money);
}

struct spender {
    struct pawl_money *money;
    atomic_int *n_paid;
    bool overran;
};

/* Requests that may cost 4000 and cost 100, until one is refused. */
static void *spend(void *context)
{
    struct spender *spender = context;
    struct pawl_error err;
    while (pawl_money_reserve(spender->money, 4000, &err) == PAWL_OK) {
        if (pawl_money_usd(spender->money) > 0.01) spender->overran = true;
        atomic_fetch_add(spender->n_paid, 1);
        pawl_money_settle(spender->money, 4000, 100);
    }
    return NULL;
}

/* As many requests are paid as if they came one by one: 61, after which 3900 are left. */
static void test_reservations_of_others_are_waited_for(void **state)
{
    enum { N = 8 };
    pthread_t threads[N];
    struct spender spenders[N];
    struct pawl_money money;
    atomic_int n_paid = 0;
    pawl_money_init(&money, *state, 0.01);
    for (int i = 0; i < N; i++) {
        spenders[i] = (struct spender){.money = &money, .n_paid = &n_paid};
        pthread_create(&threads[i], NULL, spend, &spenders[i]);
    }
    for (int i = 0; i < N; i++) {
        pthread_join(threads[i], NULL);
        assert_false(spenders[i].overran);
    }
    assert_int_equal(n_paid, 61);
    pawl_money_release(&money);
}

static void test_a_crash_charges_open_reservations_in_full(void **state)
{
    struct pawl_money money;
    struct pawl_error err = {0};
    pawl_money_init(&money, *state, 0.01);
    assert_int_equal(pawl_money_reserve(&money, 6000, &err), PAWL_OK);
    pawl_money_release(&money);
    reopen(state);
    pawl_money_init(&money, *state, 0.01);
    assert_true(pawl_money_usd(&money) == 0.006);
    assert_int_equal(pawl_money_reserve(&money, 4001, &err), PAWL_EBUDGET);
    assert_int_equal(pawl_money_reserve(&money, 4000, &err), PAWL_OK);
    pawl_money_settle(&money, 4000, 10);
    pawl_money_release(&money);
    reopen(state);
    pawl_money_init(&money, *state, 0.01);
    assert_int_equal(pawl_money_reserve(&money, 3991, &err), PAWL_EBUDGET);
    assert_int_equal(pawl_money_reserve(&money, 3990, &err), PAWL_OK);
    pawl_money_release(&money);
}

static void test_money_held_back_is_for_the_end(void **state)
{
    struct pawl_money money;
    struct pawl_error err = {0};
    pawl_money_init(&money, *state, 0.01);
    pawl_money_hold(&money, 2000);
    assert_int_equal(pawl_money_reserve(&money, 8001, &err), PAWL_EBUDGET);
    pawl_money_hold(&money, 0);
    assert_int_equal(pawl_money_reserve(&money, 8001, &err), PAWL_OK);
    pawl_money_release(&money);
}

static void test_without_a_limit_spending_is_still_known(void **state)
{
    struct pawl_money money;
    struct pawl_error err = {0};
    pawl_money_init(&money, *state, -1);
    assert_int_equal(pawl_money_reserve(&money, 1000000000, &err), PAWL_OK);
    pawl_money_settle(&money, 1000000000, 250000);
    pawl_money_release(&money);
    reopen(state);
    pawl_money_init(&money, *state, -1);
    assert_true(pawl_money_usd(&money) == 0.25);
    pawl_money_release(&money);
}

/* --- time -------------------------------------------------------------------------------------------- */

static void test_time_of_earlier_sessions_counts(void **state)
{
    struct pawl_deadline deadline;
    (void)state;
    pawl_clock_fix(1000);
    pawl_deadline_init(&deadline, -1, 5000);
    assert_int_equal(pawl_deadline_elapsed_ms(&deadline), -1);
    pawl_deadline_init(&deadline, 1, 5000);
    pawl_clock_sleep_ms(250);
    assert_int_equal(pawl_deadline_elapsed_ms(&deadline), 5250);
    assert_int_equal(deadline.limit_ms, 60000);
}

int main(void)
{
#define WITH_JOURNAL(name) cmocka_unit_test_setup_teardown(name, make_journal, remove_journal)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_pool_grants_no_more_than_it_has),
        cmocka_unit_test(test_a_pool_without_a_limit),
        cmocka_unit_test(test_a_shared_pool_counts_what_is_not_repeated_yet),
        cmocka_unit_test(test_shares_add_up_and_come_back),
        WITH_JOURNAL(test_money_is_reserved_before_it_is_spent),
        WITH_JOURNAL(test_reservations_of_others_are_waited_for),
        WITH_JOURNAL(test_a_crash_charges_open_reservations_in_full),
        WITH_JOURNAL(test_money_held_back_is_for_the_end),
        WITH_JOURNAL(test_without_a_limit_spending_is_still_known),
        cmocka_unit_test(test_time_of_earlier_sessions_counts),
    };
    pawl_crypto_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
