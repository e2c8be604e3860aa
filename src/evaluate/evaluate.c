/*
 * evaluate.c - whoever brings a batch works on it, and a pool of threads helps, item by item.
 *
 * Threads mostly wait for a model, so there are as many as it can answer at once, the one that
 * brought the batch included; each has an arena that is reset after every case, so memory does not
 * grow with the number of cases. Several threads may evaluate at once (branches of an operator):
 * their batches share the pool.
 *
 * Waking a thread costs more than a scripted case. So help is called at once only if the batch
 * before took long, and else when this one does; each helper calls the next one while items are
 * left. Who was wrong about that loses the time of one case.
 */
#include "evaluate/evaluate.h"

#include "base/clock.h"
#include "evaluate/questions.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS_MAX = 256, STACK_BYTES = 1 << 20 /* a Lua call wants half of it */ };
enum { ALONE_US = 200 /* a few times what it takes to wake somebody */ };
enum { MISSING_ALWAYS_ALLOWED = 2, MISSING_PER_CENT = 2 };
enum { REASON_BYTES_MAX = 320 /* in a message, beside its own words */ };

struct pawl_batch {
    int n_arenas;
    struct pawl_arena arenas[THREADS_MAX]; /* texts kept by each thread */
    json_t *keep;                          /* outputs and traces */
    pthread_mutex_t lock;                  /* of keep */
};

/* One call of pawl_evaluator_run. */
struct job {
    const struct pawl_evaluation_item *items;
    struct pawl_result *results;
    size_t n;
    unsigned flags;
    struct pawl_batch *batch; /* NULL: keep nothing */
    atomic_size_t next, n_done;
    atomic_bool stopped, called; /* called: helpers, or there is nothing to help with */
    int64_t started_us;

    struct job *after; /* below: under the evaluator's lock */
    int n_helpers;     /* of the pool that look at it */
    struct pawl_usage usage;
    enum pawl_status status; /* of the first item that could not be run */
    struct pawl_error error;
    size_t lost; /* the first item without an answer, and why */
    char lost_why[REASON_BYTES_MAX];
};

struct pawl_evaluator {
    struct pawl_evaluator_settings settings;
    struct pawl_program *program;
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    struct job *jobs; /* with items left, oldest first */
    bool closing;
    atomic_bool canceled;
    atomic_bool was_slow; /* the batch before */
    pthread_t threads[THREADS_MAX];
    int n_threads;
};
struct worker {
    struct pawl_evaluator *evaluator;
    int index;
};

/* --- one item ------------------------------------------------------------------------------------------ */

static const char *keep_text(struct job *job, int worker, const char *text)
{
    return text ? pawl_arena_strdup(&job->batch->arenas[worker], text) : NULL;
}

static const json_t *keep_json(struct job *job, json_t *value)
{
    if (!value) return NULL;
    pthread_mutex_lock(&job->batch->lock);
    json_array_append(job->batch->keep, value);
    pthread_mutex_unlock(&job->batch->lock);
    return value;
}

static void keep_named(struct job *job, int worker, const struct pawl_metric_result *judged,
                       struct pawl_result *result)
{
    if (!job->batch || !(job->flags & PAWL_EVALUATE_NAMED) || judged->n_named == 0) return;
    struct pawl_named_score *named =
        PAWL_NEW_N(&job->batch->arenas[worker], struct pawl_named_score, judged->n_named);
    for (size_t i = 0; i < judged->n_named; i++)
        named[i] = (struct pawl_named_score){keep_text(job, worker, judged->named[i].name),
                                             judged->named[i].score};
    result->named = named;
    result->n_named = judged->n_named;
}

json_t *pawl_result_named_json(const struct pawl_result *result)
{
    json_t *named = result->n_named > 0 ? json_object() : NULL;
    for (size_t i = 0; i < result->n_named; i++)
        pawl_json_set(named, result->named[i].name, json_real(result->named[i].score));
    return named;
}

/* What the judge costs is in `usage` alone: a candidate's own tokens, time and cost are its program's. */
static enum pawl_status score_call(const struct pawl_evaluator_settings *settings,
                                   struct pawl_arena *arena, struct pawl_metric_call *call,
                                   struct pawl_metric_result *judged, struct pawl_usage *usage,
                                   bool *missing, struct pawl_error *err)
{
    struct pawl_metric_question questions[PAWL_METRIC_QUESTIONS_MAX];
    struct pawl_metric_reply replies[PAWL_METRIC_QUESTIONS_MAX];
    size_t n = pawl_metric_questions(settings->metric, arena, call, questions);
    *missing = false;
    if (n > 0)
        PAWL_TRY(
            pawl_questions_ask(settings->lm, arena, questions, n, replies, usage, missing, err));
    if (*missing) return PAWL_OK;
    call->replies = replies;
    return pawl_metric_score(settings->metric, arena, call, judged, err);
}

static enum pawl_status score(struct pawl_evaluator *evaluator, struct pawl_arena *arena,
                              const struct pawl_case *item, const struct pawl_outcome *outcome,
                              struct pawl_metric_result *judged, struct pawl_usage *usage,
                              bool *missing, struct pawl_error *err)
{
    json_t *target = pawl_program_target_object(evaluator->program, item->target);
    struct pawl_metric_call call = {.id = item->id,
                                    .input = item->input,
                                    .target = target ? target : item->target,
                                    .output = outcome->output,
                                    .metadata = item->metadata};
    enum pawl_status status =
        score_call(&evaluator->settings, arena, &call, judged, usage, missing, err);
    json_decref(target);
    return status;
}

/* Of the first case, not of the first to come back: a message is equal each time. */
static void note_lost(struct pawl_evaluator *evaluator, struct job *job, size_t index,
                      const char *reason)
{
    pthread_mutex_lock(&evaluator->lock);
    if (job->lost_why[0] == '\0' || index < job->lost) {
        job->lost = index;
        snprintf(job->lost_why, sizeof job->lost_why, "%s", reason);
    }
    pthread_mutex_unlock(&evaluator->lock);
}

/* There is an answer, and the world kept the judge from grading it. */
static void lose_score(struct pawl_evaluator *evaluator, struct job *job, size_t index)
{
    job->results[index].status = PAWL_OUTCOME_MISSING;
    note_lost(evaluator, job, index, "The judge could not be asked.");
}

static enum pawl_status evaluate_item(struct pawl_evaluator *evaluator, struct job *job,
                                      size_t index, int worker, struct pawl_arena *arena,
                                      struct pawl_usage *usage, struct pawl_error *err)
{
    const struct pawl_evaluation_item *item = &job->items[index];
    struct pawl_result *result = &job->results[index];
    const struct pawl_program_case shown = {item->item->id, item->item->input};
    const struct pawl_run_options how = {
        .sample = item->sample,
        .temperature = item->temperature,
        .flags = (job->flags & PAWL_EVALUATE_TRACE ? (unsigned)PAWL_RUN_TRACE : 0) |
                 (job->flags & PAWL_EVALUATE_LOGPROBS ? (unsigned)PAWL_RUN_LOGPROBS : 0)};
    struct pawl_outcome outcome;
    struct pawl_metric_result judged = {0};
    enum pawl_status status = pawl_program_run(item->instance, arena, &shown, &how, &outcome, err);
    pawl_usage_add(usage, &outcome.usage); /* also of one that failed after it had paid */
    PAWL_TRY(status);
    *result = (struct pawl_result){.status = outcome.status,
                                   .behaviour = outcome.behaviour,
                                   .tokens = outcome.usage.prompt_tokens +
                                             outcome.usage.completion_tokens,
                                   .latency_us = outcome.usage.latency_us,
                                   .cost_microusd = outcome.usage.cost_microusd};
    result->score = outcome.status == PAWL_OUTCOME_FAILED ? 0 : NAN;
    if (outcome.status == PAWL_OUTCOME_MISSING && outcome.reason)
        note_lost(evaluator, job, index, outcome.reason);
    if (outcome.status == PAWL_OUTCOME_DONE && evaluator->settings.metric) {
        bool missing = false;
        status = score(evaluator, arena, item->item, &outcome, &judged, usage, &missing, err);
        if (missing)
            lose_score(evaluator, job, index);
        else if (status == PAWL_OK)
            result->score = judged.score;
        if (judged.failed) result->status = PAWL_OUTCOME_FAILED;
        keep_named(job, worker, &judged, result);
    }
    if (job->batch && job->flags & (PAWL_EVALUATE_OUTPUT | PAWL_EVALUATE_TRACE)) {
        bool failed = outcome.status == PAWL_OUTCOME_FAILED;
        result->output = keep_json(job, outcome.output);
        result->trace = keep_json(job, outcome.trace);
        result->feedback = keep_text(job, worker, failed ? outcome.reason : judged.feedback);
        result->reason = keep_text(job, worker, outcome.reason);
    }
    pawl_outcome_release(&outcome);
    return status;
}

/* --- the pool --------------------------------------------------------------------------------------------- */

static void note_failure(struct pawl_evaluator *evaluator, struct job *job, enum pawl_status status,
                         const struct pawl_error *error)
{
    atomic_store(&job->stopped, true);
    pthread_mutex_lock(&evaluator->lock);
    if (job->status == PAWL_OK) {
        job->status = status;
        job->error = *error;
    }
    pthread_mutex_unlock(&evaluator->lock);
}

/* A helper that is busy looks for jobs before it sleeps, so one signal for each is enough. */
static void call_help(struct pawl_evaluator *evaluator, struct job *job)
{
    bool has_items = atomic_load(&job->next) < job->n;
    if (has_items) pthread_cond_signal(&evaluator->work);
    atomic_store(&job->called, true);
}

static bool is_slow(const struct job *job)
{
    return pawl_clock_monotonic_us() - job->started_us > ALONE_US;
}

/* Take items until there are none. `worker` is a helper's index, or n_threads for who brought it. */
static void work_on(struct pawl_evaluator *evaluator, struct job *job, int worker,
                    struct pawl_arena *arena, struct pawl_usage *usage)
{
    size_t index;
    while (!atomic_load(&job->stopped) && !atomic_load(&evaluator->canceled) &&
           (index = atomic_fetch_add(&job->next, 1)) < job->n) {
        struct pawl_error error = {0};
        enum pawl_status status =
            evaluate_item(evaluator, job, index, worker, arena, usage, &error);
        pawl_arena_reset(arena);
        if (status != PAWL_OK) {
            note_failure(evaluator, job, status, &error);
            return;
        }
        if (!atomic_load(&job->called) && is_slow(job)) call_help(evaluator, job);
        size_t n_done = atomic_fetch_add(&job->n_done, 1) + 1;
        if (evaluator->settings.progress)
            evaluator->settings.progress(evaluator->settings.context, n_done, job->n);
    }
}

/* Under the lock. */
static void take_off(struct pawl_evaluator *evaluator, const struct job *job)
{
    struct job **link = &evaluator->jobs;
    while (*link && *link != job) link = &(*link)->after;
    if (*link) *link = job->after;
}

static void *help(void *context)
{
    struct worker worker = *(struct worker *)context;
    struct pawl_evaluator *evaluator = worker.evaluator;
    struct pawl_arena arena = {0};
    free(context);
    pthread_mutex_lock(&evaluator->lock);
    for (;;) {
        while (!evaluator->jobs && !evaluator->closing)
            pthread_cond_wait(&evaluator->work, &evaluator->lock);
        struct job *job = evaluator->jobs;
        if (!job) break;
        struct pawl_usage usage = {0};
        job->n_helpers++;
        call_help(evaluator, job);
        pthread_mutex_unlock(&evaluator->lock);
        work_on(evaluator, job, worker.index, &arena, &usage);
        pthread_mutex_lock(&evaluator->lock);
        take_off(evaluator, job); /* it has no item left that anybody should take */
        pawl_usage_add(&job->usage, &usage);
        if (--job->n_helpers == 0) pthread_cond_broadcast(&evaluator->done);
    }
    pthread_mutex_unlock(&evaluator->lock);
    pawl_arena_release(&arena);
    return NULL;
}

/* No signal is delivered to them: Ctrl-C belongs to whoever can pause the run. */
static int start_threads(struct pawl_evaluator *evaluator, int n)
{
    sigset_t all, before;
    pthread_attr_t attributes;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    for (; evaluator->n_threads < n; evaluator->n_threads++) {
        struct worker *worker = pawl_xmalloc(sizeof *worker);
        *worker = (struct worker){evaluator, evaluator->n_threads};
        if (pthread_create(&evaluator->threads[evaluator->n_threads], &attributes, help, worker) ==
            0)
            continue;
        free(worker);
        break;
    }
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return evaluator->n_threads;
}

enum pawl_status pawl_evaluator_open(const struct pawl_evaluator_settings *settings,
                                     struct pawl_program *program,
                                     struct pawl_evaluator **evaluator, struct pawl_error *err)
{
    struct pawl_evaluator *e = pawl_xcalloc(1, sizeof *e);
    e->settings = *settings;
    e->program = program;
    atomic_store(&e->was_slow, true);
    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->work, NULL);
    pthread_cond_init(&e->done, NULL);
    int n = settings->threads > 0 ? settings->threads : pawl_program_parallel(program);
    int n_helpers = n > THREADS_MAX ? THREADS_MAX - 1 : n - 1;
    if (n_helpers > 0 && start_threads(e, n_helpers) == 0) {
        pawl_evaluator_close(e);
        return pawl_fail(err, PAWL_EWORLD, "No thread for evaluating could be started.");
    }
    *evaluator = e;
    return PAWL_OK;
}

void pawl_evaluator_close(struct pawl_evaluator *evaluator)
{
    if (!evaluator) return;
    pthread_mutex_lock(&evaluator->lock);
    evaluator->closing = true;
    pthread_cond_broadcast(&evaluator->work);
    pthread_mutex_unlock(&evaluator->lock);
    for (int i = 0; i < evaluator->n_threads; i++) pthread_join(evaluator->threads[i], NULL);
    pthread_mutex_destroy(&evaluator->lock);
    pthread_cond_destroy(&evaluator->work);
    pthread_cond_destroy(&evaluator->done);
    free(evaluator);
}

void pawl_evaluator_cancel(struct pawl_evaluator *evaluator)
{
    atomic_store(&evaluator->canceled, true);
}

/* --- a batch ------------------------------------------------------------------------------------------------ */

static struct pawl_batch *new_batch(int n_arenas)
{
    struct pawl_batch *batch = pawl_xcalloc(1, sizeof *batch);
    batch->n_arenas = n_arenas;
    batch->keep = json_array();
    pthread_mutex_init(&batch->lock, NULL);
    return batch;
}

void pawl_batch_free(struct pawl_batch *batch)
{
    if (!batch) return;
    for (int i = 0; i < batch->n_arenas; i++) pawl_arena_release(&batch->arenas[i]);
    pthread_mutex_destroy(&batch->lock);
    json_decref(batch->keep);
    free(batch);
}

/* Put the job last, work on it too, wait until nobody looks at it. */
static void run_job(struct pawl_evaluator *evaluator, struct job *job)
{
    struct pawl_arena arena = {0};
    struct pawl_usage usage = {0};
    pthread_mutex_lock(&evaluator->lock);
    struct job **link = &evaluator->jobs;
    while (*link) link = &(*link)->after;
    *link = job;
    pthread_mutex_unlock(&evaluator->lock);
    if (job->n > 1 && atomic_load(&evaluator->was_slow)) call_help(evaluator, job);
    work_on(evaluator, job, evaluator->n_threads, &arena, &usage);
    pawl_arena_release(&arena);
    pthread_mutex_lock(&evaluator->lock);
    take_off(evaluator, job);
    pawl_usage_add(&job->usage, &usage);
    while (job->n_helpers > 0) pthread_cond_wait(&evaluator->done, &evaluator->lock);
    pthread_mutex_unlock(&evaluator->lock);
    if (job->n > 1) atomic_store(&evaluator->was_slow, is_slow(job));
}

static enum pawl_status verdict_on(const struct pawl_evaluator *evaluator, const struct job *job,
                                   struct pawl_error *err)
{
    if (job->status != PAWL_OK) {
        if (err) *err = job->error;
        return job->status;
    }
    if (atomic_load(&evaluator->canceled))
        return pawl_fail(err, PAWL_EPAUSED, "The evaluation was stopped.");
    size_t n_missing = 0;
    for (size_t i = 0; i < job->n; i++) n_missing += job->results[i].status == PAWL_OUTCOME_MISSING;
    if (n_missing <= MISSING_ALWAYS_ALLOWED || n_missing * 100 <= job->n * MISSING_PER_CENT)
        return PAWL_OK;
    pawl_fail(err, PAWL_EWORLD, "%zu of %zu cases got no answer from the world%s%s", n_missing,
              job->n, job->lost_why[0] != '\0' ? ": " : ".", job->lost_why);
    pawl_hint(err, "See whether the model is up, and its rate limit.");
    return PAWL_EWORLD;
}

enum pawl_status pawl_evaluator_run(struct pawl_evaluator *evaluator,
                                    const struct pawl_evaluation_item *items, size_t n,
                                    unsigned flags, struct pawl_result *results,
                                    struct pawl_usage *usage, struct pawl_batch **batch,
                                    struct pawl_error *err)
{
    const struct pawl_metric *metric = evaluator->settings.metric;
    if (!metric || !pawl_metric_may_name(metric)) flags &= ~(unsigned)PAWL_EVALUATE_NAMED;
    bool keep =
        batch && (flags & (PAWL_EVALUATE_OUTPUT | PAWL_EVALUATE_TRACE | PAWL_EVALUATE_NAMED));
    struct job job = {
        .items = items, .results = results, .n = n, .started_us = pawl_clock_monotonic_us()};
    if (batch) *batch = NULL;
    if (keep) {
        job.flags = flags;
        job.batch = new_batch(evaluator->n_threads + 1);
        *batch = job.batch;
    }
    for (size_t i = 0; i < n; i++)
        results[i] = (struct pawl_result){.status = PAWL_OUTCOME_MISSING, .score = NAN};
    if (n > 0) run_job(evaluator, &job);
    pawl_usage_add(usage, &job.usage);
    return verdict_on(evaluator, &job, err);
}
