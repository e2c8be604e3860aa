/*
 * The end of a run: who is offered to the gate.
 *
 * Attempts are scarce and dev has been looked at by the operator, so the best three that it named and
 * the seed are scored on dev-check, which it never saw; the winner is offered if it beats the seed.
 * Without dev-check the best on dev is offered.
 */
#include "improve/host_internal.h"

#include <math.h>
#include <stdlib.h>

/* --- the order of candidates ------------------------------------------------------------------------ */

struct finalist {
    uint32_t candidate;
    double dev_mean, check_mean;
    size_t bytes;
    const char *path;
};

/* Better score first; ties go to the shorter text, then to the earlier one. */
static int compare_by(double a, double b, const struct finalist *x, const struct finalist *y)
{
    if (a != b) return a > b ? -1 : 1;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? -1 : 1;
    if (pawl_path_before(x->path, y->path)) return -1;
    return pawl_path_before(y->path, x->path) ? 1 : 0;
}

static int by_dev(const void *a, const void *b)
{
    const struct finalist *x = a, *y = b;
    return compare_by(x->dev_mean, y->dev_mean, x, y);
}

static int by_check(const void *a, const void *b)
{
    const struct finalist *x = a, *y = b;
    return compare_by(x->check_mean, y->check_mean, x, y);
}

static struct finalist finalist_of(struct pawl_run *run, uint32_t candidate)
{
    struct finalist finalist = {.candidate = candidate,
                                .dev_mean = pawl_run_dev_mean(run, candidate, NULL),
                                .bytes = pawl_artifact_bytes(pawl_run_artifact(run, candidate)),
                                .path = run->candidates[candidate].path};
    if (isnan(finalist.dev_mean)) finalist.dev_mean = -1;
    return finalist;
}

/* The named candidates, best on visible dev first, after the seed. */
static size_t list_finalists(struct pawl_run *run, struct finalist **list)
{
    size_t n = 0;
    *list = pawl_xcalloc(run->n_candidates, sizeof **list);
    (*list)[n++] = finalist_of(run, 0);
    for (uint32_t i = 1; i < run->n_candidates; i++)
        if (run->candidates[i].nominated) (*list)[n++] = finalist_of(run, i);
    qsort(*list + 1, n - 1, sizeof **list, by_dev);
    return n;
}

/* --- the choice --------------------------------------------------------------------------------------- */

int64_t pawl_finalists_cost(size_t n_check)
{
    return (PAWL_FINALISTS + 1) * (int64_t)n_check;
}

/* Means over the cases that have a score from everybody, so that a missing one favours nobody. */
static void take_means(const struct pawl_run *run, const struct pawl_host_result *results,
                       struct finalist *list, size_t n)
{
    size_t n_scored = 0;
    for (size_t i = 0; i < n; i++) list[i].check_mean = 0;
    for (size_t k = 0; k < run->n_check; k++) {
        bool missing = false;
        for (size_t i = 0; i < n; i++) missing = missing || results[i * run->n_check + k].missing;
        if (missing) continue;
        n_scored++;
        for (size_t i = 0; i < n; i++) list[i].check_mean += results[i * run->n_check + k].score;
    }
    for (size_t i = 0; i < n && n_scored > 0; i++) list[i].check_mean /= (double)n_scored;
}

static enum pawl_status score_on_check(struct pawl_host *end, struct finalist *list, size_t n,
                                       struct pawl_error *err)
{
    struct pawl_run *run = end->run;
    struct pawl_arena arena = {0};
    struct pawl_host_evaluation batch[PAWL_FINALISTS + 1];
    uint32_t *cases = PAWL_NEW_N(&arena, uint32_t, run->n_check);
    struct pawl_host_result *results =
        PAWL_NEW_N(&arena, struct pawl_host_result, n * run->n_check);
    for (uint32_t k = 0; k < run->n_check; k++) cases[k] = k;
    for (size_t i = 0; i < n; i++)
        batch[i] = (struct pawl_host_evaluation){.candidate = list[i].candidate,
                                                 .tier = (enum pawl_host_tier)PAWL_TIER_CHECK_CASES,
                                                 .cases = cases,
                                                 .n_cases = run->n_check,
                                                 .results = results + i * run->n_check};
    enum pawl_status status = pawl_host_evaluate_cases(end, &arena, batch, n, err);
    if (status == PAWL_OK) take_means(run, results, list, n);
    pawl_arena_release(&arena);
    return status;
}

/* The seed stays unless somebody is strictly better. Gives 0 for the seed. */
static enum pawl_status choose(struct pawl_host *end, struct finalist *list, size_t n,
                               uint32_t *winner, struct pawl_error *err)
{
    *winner = 0;
    if (n == 1) return PAWL_OK;
    if (end->run->n_check == 0) {
        if (list[1].dev_mean > list[0].dev_mean) *winner = list[1].candidate;
        return PAWL_OK;
    }
    if (n > PAWL_FINALISTS + 1) n = PAWL_FINALISTS + 1;
    PAWL_TRY(score_on_check(end, list, n, err));
    qsort(list + 1, n - 1, sizeof *list, by_check);
    if (list[1].check_mean > list[0].check_mean) *winner = list[1].candidate;
    return PAWL_OK;
}

/* --- the offer ---------------------------------------------------------------------------------------- */

/* Where not every answer on dev is known, a candidate behaves like nobody but itself. */
static void behaviour_hex(struct pawl_run *run, uint32_t candidate, char hex[PAWL_HASH_HEX])
{
    struct pawl_hash hash;
    const struct pawl_candidate *c = &run->candidates[candidate];
    pthread_mutex_lock(&run->lock);
    bool known =
        c->behaviour != NULL && pawl_behaviour_hash(run->settings.dev, c->behaviour, &hash);
    pthread_mutex_unlock(&run->lock);
    pawl_hash_hex(known ? &hash : &c->id, hex);
}

static int64_t pace_us(struct pawl_run *run)
{
    int64_t n = atomic_load(&run->n_evaluations), us = atomic_load(&run->evaluate_us);
    return n > 0 && us > n ? us / n : 1;
}

/* Everything that led to the question is on the disk before it is asked. */
static enum pawl_status ask_gate(struct pawl_run *run, uint32_t candidate, bool *promoted,
                                 struct pawl_error *err)
{
    char behaviour[PAWL_HASH_HEX];
    const struct pawl_artifact *artifact = pawl_run_artifact(run, candidate);
    behaviour_hex(run, candidate, behaviour);
    if (run->settings.store != NULL) {
        PAWL_TRY(pawl_artifact_put(run->settings.store, artifact, err));
        PAWL_TRY(pawl_store_flush(run->settings.store, err));
    }
    PAWL_TRY(pawl_journal_sync(run->settings.journal, err));
    struct pawl_offer_call call = {artifact->hex, behaviour, pace_us(run)};
    return run->settings.offer(run->settings.context, &call, promoted, err);
}

enum pawl_status pawl_host_offer(struct pawl_host *host, uint32_t candidate, bool *promoted,
                                 struct pawl_error *err)
{
    struct pawl_run *run = host->run;
    struct pawl_hasher args;
    struct pawl_host_step step;
    pawl_args_begin(&args, "offer");
    pawl_args_int(&args, candidate);
    PAWL_TRY(pawl_host_begin(host, "offer", &args, &step, err));
    *promoted = step.found.number == 1;
    enum pawl_status status = PAWL_OK;
    if (!step.is_recorded) {
        *promoted = false;
        if (run->settings.offer != NULL) status = ask_gate(run, candidate, promoted, err);
        step.record.number = *promoted ? 1 : 0;
        if (status == PAWL_OK) status = pawl_host_record(host, &step, err);
    }
    pawl_host_end(&step);
    return pawl_run_fail(run, status, err);
}

enum pawl_status pawl_finalists(struct pawl_host *end, struct pawl_run_result *result,
                                struct pawl_error *err)
{
    struct pawl_run *run = end->run;
    struct finalist *list;
    uint32_t winner;
    size_t n = list_finalists(run, &list);
    enum pawl_status status = choose(end, list, n, &winner, err);
    free(list);
    PAWL_TRY(status);
    const struct pawl_artifact *artifact = pawl_run_artifact(run, winner);
    memcpy(result->best, artifact->hex, PAWL_HASH_HEX);
    if (winner == 0) return PAWL_OK;
    memcpy(result->offered, artifact->hex, PAWL_HASH_HEX);
    return pawl_host_offer(end, winner, &result->promoted, err);
}
