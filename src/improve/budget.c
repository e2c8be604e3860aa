#include "improve/budget.h"

#include "base/clock.h"

#include <math.h>

/* --- evaluations ----------------------------------------------------------------------------- */

void pawl_pool_init(struct pawl_pool *pool, int64_t limit)
{
    *pool = (struct pawl_pool){.limit = limit < 0 ? PAWL_POOL_UNLIMITED : limit, .recorded = -1};
    pthread_mutex_init(&pool->lock, NULL);
}

void pawl_pool_release(struct pawl_pool *pool)
{
    pthread_mutex_destroy(&pool->lock);
}

static int64_t granted(const struct pawl_pool *pool)
{
    return pool->recorded < 0 ? pool->used : pool->recorded + pool->fresh;
}

static void add(struct pawl_pool *pool, int64_t used, int64_t fresh)
{
    pthread_mutex_lock(&pool->lock);
    pool->used += used;
    pool->fresh += fresh;
    pthread_mutex_unlock(&pool->lock);
}

bool pawl_pool_reserve(struct pawl_pool *pool, int64_t n)
{
    pthread_mutex_lock(&pool->lock);
    bool fits = n <= pool->limit - granted(pool);
    if (fits) {
        pool->used += n;
        pool->fresh += n;
    }
    pthread_mutex_unlock(&pool->lock);
    return fits;
}

void pawl_pool_refund(struct pawl_pool *pool, int64_t n)
{
    add(pool, -n, -n);
}

void pawl_pool_repeat(struct pawl_pool *pool, int64_t n)
{
    add(pool, n, 0);
}

bool pawl_pool_is_shared(struct pawl_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    bool shared = pool->recorded >= 0;
    pthread_mutex_unlock(&pool->lock);
    return shared;
}

void pawl_pool_set_shared(struct pawl_pool *pool, int64_t recorded)
{
    pthread_mutex_lock(&pool->lock);
    if (pool->recorded < 0) pool->recorded = recorded;
    pthread_mutex_unlock(&pool->lock);
}

int64_t pawl_pool_left(struct pawl_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    int64_t left = pool->limit - pool->used;
    pthread_mutex_unlock(&pool->lock);
    return left;
}

int64_t pawl_pool_left_now(struct pawl_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    int64_t left = pool->limit - granted(pool);
    pthread_mutex_unlock(&pool->lock);
    return left;
}

void pawl_pool_init_share(struct pawl_pool *share, struct pawl_pool *pool, size_t i, size_t n)
{
    int64_t left = pawl_pool_left(pool);
    int64_t rest = left % (int64_t)n;
    pawl_pool_init(share, left / (int64_t)n + ((int64_t)i < rest ? 1 : 0));
}

void pawl_pool_join(struct pawl_pool *pool, struct pawl_pool *share)
{
    add(pool, share->used, share->fresh);
    pawl_pool_release(share);
}

/* --- money ----------------------------------------------------------------------------------- */

void pawl_money_init(struct pawl_money *money, struct pawl_journal *journal, double limit_usd)
{
    struct pawl_journal_totals totals = pawl_journal_totals(journal);
    *money = (struct pawl_money){
        .journal = journal,
        .limit_microusd = limit_usd < 0 ? -1 : (int64_t)floor(limit_usd * 1e6),
        .lost_microusd = totals.reserved_microusd - totals.settled_microusd,
        .spent_microusd = totals.spent_microusd,
    };
    pthread_mutex_init(&money->lock, NULL);
    pthread_cond_init(&money->settled, NULL);
}

void pawl_money_release(struct pawl_money *money)
{
    pthread_cond_destroy(&money->settled);
    pthread_mutex_destroy(&money->lock);
}

/* Lock held. What is left beside all that is open. */
static int64_t left_locked(const struct pawl_money *money)
{
    return money->limit_microusd - money->held_microusd - money->lost_microusd -
           money->spent_microusd;
}

enum pawl_status pawl_money_reserve(void *context, int64_t microusd, struct pawl_error *err)
{
    struct pawl_money *money = context;
    if (money->limit_microusd < 0 || microusd <= 0) return PAWL_OK;
    pthread_mutex_lock(&money->lock);
    while (money->open_microusd > 0 && microusd <= left_locked(money) &&
           microusd > left_locked(money) - money->open_microusd)
        pthread_cond_wait(&money->settled, &money->lock);
    int64_t left = left_locked(money) - money->open_microusd;
    bool fits = microusd <= left;
    if (fits) money->open_microusd += microusd;
    pthread_mutex_unlock(&money->lock);
    if (!fits) {
        pawl_fail(err, PAWL_EBUDGET,
                  "A request may cost %.6f usd; %.6f usd of the budget are left.",
                  (double)microusd / 1e6, (double)(left > 0 ? left : 0) / 1e6);
        pawl_hint(err, "Give more with --budget usd=X, or send smaller prompts.");
        return PAWL_EBUDGET;
    }
    enum pawl_status status = pawl_journal_money(money->journal, microusd, -1, err);
    if (status != PAWL_OK) {
        pthread_mutex_lock(&money->lock);
        money->open_microusd -= microusd;
        pthread_cond_broadcast(&money->settled);
        pthread_mutex_unlock(&money->lock);
    }
    return status;
}

/* A line that cannot be written leaves the reservation open in the journal: it counts in full. */
void pawl_money_settle(void *context, int64_t reserved_microusd, int64_t spent_microusd)
{
    struct pawl_money *money = context;
    int64_t closed = money->limit_microusd < 0 ? 0 : reserved_microusd;
    if (closed <= 0 && spent_microusd <= 0) return;
    pthread_mutex_lock(&money->lock);
    money->open_microusd -= closed;
    money->spent_microusd += spent_microusd;
    pthread_cond_broadcast(&money->settled);
    pthread_mutex_unlock(&money->lock);
    struct pawl_error ignored;
    if (pawl_journal_money(money->journal, closed, spent_microusd, &ignored) != PAWL_OK) return;
}

void pawl_money_hold(struct pawl_money *money, int64_t microusd)
{
    pthread_mutex_lock(&money->lock);
    money->held_microusd = microusd;
    pthread_mutex_unlock(&money->lock);
}

double pawl_money_usd(struct pawl_money *money)
{
    pthread_mutex_lock(&money->lock);
    int64_t microusd = money->spent_microusd + money->open_microusd + money->lost_microusd;
    pthread_mutex_unlock(&money->lock);
    return (double)microusd / 1e6;
}

/* --- time ------------------------------------------------------------------------------------ */

void pawl_deadline_init(struct pawl_deadline *deadline, double minutes, int64_t before_ms)
{
    *deadline = (struct pawl_deadline){
        .limit_ms = minutes < 0 ? -1 : (int64_t)(minutes * 60000),
        .before_ms = before_ms,
        .started_us = pawl_clock_monotonic_us(),
    };
}

int64_t pawl_deadline_elapsed_ms(const struct pawl_deadline *deadline)
{
    if (deadline->limit_ms < 0) return -1;
    return deadline->before_ms + (pawl_clock_monotonic_us() - deadline->started_us) / 1000;
}
