/*
 * What the engine tells of work under way: calls done of how many, tokens, money, and the time that
 * is left at the pace of the last half minute. Ticks come from any thread, ten a second at most; the
 * first and the last of an evaluation always. They leave in the order of what they count: who learned
 * of an older count and comes late says nothing, or the bar would end at 59 of 60.
 */
#include "improve/engine_internal.h"

#include "base/clock.h"

#include <math.h>

enum { TELL_EVERY_US = 100000 };

void pawl_engine_start_pace(struct pawl_engine *engine)
{
    pthread_mutex_lock(&engine->lock);
    engine->pace = (struct pawl_pace){0};
    engine->told_us = 0;
    engine->n_shown = 0;
    atomic_store(&engine->n_since_told, 0);
    engine->spent_before = (struct pawl_usage){0};
    if (engine->lm != NULL) pawl_lm_spent(engine->lm, &engine->spent_before);
    pthread_mutex_unlock(&engine->lock);
}

static bool may_tell(struct pawl_engine *engine)
{
    int64_t now_us = pawl_clock_monotonic_us();
    pthread_mutex_lock(&engine->lock);
    bool may = engine->told_us == 0 || now_us - engine->told_us >= TELL_EVERY_US;
    if (may) engine->told_us = now_us;
    pthread_mutex_unlock(&engine->lock);
    return may;
}

/* What the models were asked since the work began, answers from our cache aside. */
static struct pawl_usage spent(const struct pawl_engine *engine)
{
    struct pawl_usage now = {0};
    const struct pawl_usage *before = &engine->spent_before;
    pawl_lm_spent(engine->lm, &now);
    return (struct pawl_usage){.prompt_tokens = now.prompt_tokens - before->prompt_tokens,
                               .completion_tokens =
                                   now.completion_tokens - before->completion_tokens,
                               .cached_tokens = now.cached_tokens - before->cached_tokens,
                               .cost_microusd = now.cost_microusd - before->cost_microusd};
}

/* Takes tick: the phase and what is special to it. n_total -1: no limit. `telling` is held. */
static void tell(struct pawl_engine *engine, json_t *tick, int64_t n_done, int64_t n_total)
{
    struct pawl_usage usage = spent(engine);
    pthread_mutex_lock(&engine->lock);
    engine->n_shown = n_done;
    struct pawl_pace *pace = &engine->pace;
    pawl_pace_see(pace, pawl_clock_monotonic_us(), n_done,
                  usage.prompt_tokens + usage.completion_tokens);
    double eta_s = pawl_pace_eta_s(pace, n_total);
    pawl_json_set(tick, "evaluations", json_integer((json_int_t)n_done));
    pawl_json_set(tick, "budget", n_total >= 0 ? json_integer((json_int_t)n_total) : json_null());
    pawl_json_set(tick, "tokens", pawl_tokens_json(&usage));
    pawl_json_set(tick, "tokens_per_s", json_real(pawl_pace_tokens_per_s(pace)));
    pawl_json_set(tick, "elapsed_s", json_real(pawl_pace_elapsed_s(pace)));
    pawl_json_set(tick, "eta_s", isnan(eta_s) ? json_null() : json_real(eta_s));
    if (json_object_get(tick, "usd") == NULL)
        pawl_json_set(tick, "usd", json_real((double)usage.cost_microusd / 1e6));
    pthread_mutex_unlock(&engine->lock);
    (void)!pawl_engine_send(engine, "progress", tick, NULL);
}

/* --- a run --------------------------------------------------------------------------------------- */

/* A run counts evaluations when a step ends; meanwhile we count those of the steps under way. */
static void tell_run(struct pawl_engine *engine)
{
    pthread_mutex_lock(&engine->telling);
    pthread_mutex_lock(&engine->lock);
    struct pawl_run_progress run = engine->run_told;
    int64_t n = run.evaluations + atomic_load(&engine->n_since_told);
    if (run.budget >= 0 && n > run.budget) n = run.budget;
    if (n < engine->n_shown) n = engine->n_shown;
    pthread_mutex_unlock(&engine->lock);
    json_t *tick = json_pack("{s:s, s:I, s:f}", "phase", "improve", "candidates",
                             (json_int_t)run.n_candidates, "usd", run.usd);
    pawl_json_set(tick, "best_dev", isnan(run.best) ? json_null() : json_real(run.best));
    tell(engine, tick, n, run.budget);
    pthread_mutex_unlock(&engine->telling);
}

void pawl_engine_tell_run(void *context, const struct pawl_run_progress *progress)
{
    struct pawl_engine *engine = context;
    pthread_mutex_lock(&engine->lock);
    engine->run_told = *progress;
    atomic_store(&engine->n_since_told, 0);
    pthread_mutex_unlock(&engine->lock);
    if (may_tell(engine)) tell_run(engine);
}

/* --- an evaluation ------------------------------------------------------------------------------- */

void pawl_engine_tell_evaluated(void *context, size_t n_done, size_t n_total)
{
    struct pawl_engine *engine = context;
    int64_t n_all = engine->n_done_before + (int64_t)n_done;
    (void)n_total;
    if (engine->n_planned == 0) {
        atomic_fetch_add(&engine->n_since_told, 1);
        if (may_tell(engine)) tell_run(engine);
        return;
    }
    if (n_all < engine->n_planned && !may_tell(engine)) return;
    pthread_mutex_lock(&engine->telling);
    if (n_all >= engine->n_shown)
        tell(engine, json_pack("{s:s}", "phase", "evaluate"), n_all, engine->n_planned);
    pthread_mutex_unlock(&engine->telling);
}
