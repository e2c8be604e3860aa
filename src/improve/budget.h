/*
 * budget.h - three limits of a run: evaluations, money, time.
 *
 * Evaluations are logical: a cached answer costs the same as a fresh one, so an operator decides the
 * same whatever is in the cache. Each branch of pawl_host_parallel gets an equal share of what is
 * left, and gives back what it did not use; so whether it is refused depends on nothing that runs
 * beside it. Submitted branches, whose order is an answer of the world anyway, draw on one pool;
 * what they read and what they are refused is recorded.
 *
 * Invariants
 *   1. Charges are reserved before work and never exceed the limit, also when some branches are
 *      being repeated from the journal while others already go on: a pool that is drawn on by
 *      several at once counts everything recorded below it from the start.
 *   2. Money is reserved durably. A reservation without an end (a crash) counts in full, for ever.
 *      Who does not find enough waits while requests of others are open, whose reservations are
 *      mostly far above what they will cost; so a small budget is spent with fewer at a time.
 *   3. Time is read once per step, and the reading is recorded with the step.
 */
#ifndef PAWL_IMPROVE_BUDGET_H
#define PAWL_IMPROVE_BUDGET_H

#include "base/error.h"
#include "improve/journal.h"

#include <pthread.h>
#include <stdint.h>

#define PAWL_POOL_UNLIMITED (INT64_MAX / 4)

/* Evaluations. Thread-safe. */
struct pawl_pool {
    pthread_mutex_t lock;
    int64_t limit;
    int64_t used;     /* by the steps seen so far, repeated or fresh */
    int64_t fresh;    /* of these, by fresh ones */
    int64_t recorded; /* by all steps in the journal at open; -1 while nobody shares the pool */
};
void pawl_pool_init(struct pawl_pool *pool, int64_t limit); /* a negative limit: none */
void pawl_pool_release(struct pawl_pool *pool);
bool pawl_pool_reserve(struct pawl_pool *pool, int64_t n);
void pawl_pool_refund(struct pawl_pool *pool, int64_t n); /* the work did not happen */
void pawl_pool_repeat(struct pawl_pool *pool, int64_t n); /* a recorded charge is seen again */
bool pawl_pool_is_shared(struct pawl_pool *pool);
void pawl_pool_set_shared(struct pawl_pool *pool, int64_t recorded); /* from now on */
/* By the steps seen so far: the same in every repetition. */
int64_t pawl_pool_left(struct pawl_pool *pool);
/* By all that was ever charged: what a shared pool would grant at this moment. */
int64_t pawl_pool_left_now(struct pawl_pool *pool);
/* Branch i of n gets an equal share of what is left; join gives back what it did not use. */
void pawl_pool_init_share(struct pawl_pool *share, struct pawl_pool *pool, size_t i, size_t n);
void pawl_pool_join(struct pawl_pool *pool, struct pawl_pool *share);

/* Money. reserve and settle are the purse of lm.h; `context` is the struct. */
struct pawl_money {
    pthread_mutex_t lock;
    pthread_cond_t settled;
    struct pawl_journal *journal;
    int64_t limit_microusd; /* -1: none */
    int64_t held_microusd;  /* kept back for the end of the run */
    int64_t open_microusd;  /* reserved, not settled */
    int64_t lost_microusd;  /* reserved, and never to be settled: an earlier session crashed */
    int64_t spent_microusd;
};
void pawl_money_init(struct pawl_money *money, struct pawl_journal *journal, double limit_usd);
void pawl_money_release(struct pawl_money *money);
/* Blocks while the amount would fit if all that is open cost nothing. */
enum pawl_status pawl_money_reserve(void *context, int64_t microusd, struct pawl_error *err);
void pawl_money_settle(void *context, int64_t reserved_microusd, int64_t spent_microusd);
void pawl_money_hold(struct pawl_money *money, int64_t microusd);
double pawl_money_usd(struct pawl_money *money); /* spent, and what a crash left open */

/* Time. */
struct pawl_deadline {
    int64_t limit_ms;  /* -1: none */
    int64_t before_ms; /* used by earlier sessions */
    int64_t started_us;
};
void pawl_deadline_init(struct pawl_deadline *deadline, double minutes, int64_t before_ms);
int64_t pawl_deadline_elapsed_ms(const struct pawl_deadline *deadline); /* -1 without a limit */

#endif
