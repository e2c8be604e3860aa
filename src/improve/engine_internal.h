/*
 * engine_internal.h - the engine process: what the files of its requests share.
 *
 * Two threads speak to the front. The main one serves a request at a time. The control thread alone
 * reads the channel: it queues requests, hands over answers to offers, and on a pause or when the
 * front is gone makes the work under way stop.
 */
#ifndef PAWL_IMPROVE_ENGINE_INTERNAL_H
#define PAWL_IMPROVE_ENGINE_INTERNAL_H

#include "improve/engine.h"
#include "improve/pace.h"
#include "improve/worker.h"

#include <pthread.h>
#include <stdatomic.h>

struct pawl_engine {
    struct pawl_worker *worker;
    struct pawl_store *store; /* NULL: the project is not initialised */
    struct pawl_lm *lm;
    struct pawl_program *program;
    struct pawl_metric *metric;
    struct pawl_evaluator *evaluator;

    pthread_mutex_t telling; /* from choosing a tick's count to sending it; taken before lock */
    pthread_mutex_t lock;    /* guards all below, and closing what can be cancelled */
    pthread_cond_t changed;
    json_t *request, *answer; /* NULL: none waits */
    bool pausing, closed, is_serving;
    struct pawl_run *run;              /* under way, or NULL */
    struct pawl_lm_purse purse;        /* of the run; without one money is not limited */
    int64_t told_us;                   /* when progress was last told; 0: not yet */
    struct pawl_pace pace;             /* of the work under way */
    struct pawl_usage spent_before;    /* when it began */
    struct pawl_run_progress run_told; /* what the run said last */
    atomic_int_fast64_t n_since_told;  /* evaluations since then */
    int64_t n_shown;                   /* the count of the last tick; never goes back */
    int64_t n_done_before, n_planned;  /* of an evaluation in pieces */
};

/* Open models, program, metric and evaluator if they are not open; `stored` demands the store. */
enum pawl_status pawl_engine_open(struct pawl_engine *engine, bool stored, struct pawl_error *err);
enum pawl_status pawl_engine_send(struct pawl_engine *engine, const char *key, json_t *value,
                                  struct pawl_error *err); /* takes value */

/* Progress (engine_progress.c): work begins; then its ticks, from any thread. The evaluator's count
 * in an evaluation, whose n_planned is set, and in a run. */
void pawl_engine_start_pace(struct pawl_engine *engine);
void pawl_engine_tell_evaluated(void *engine, size_t n_done, size_t n_total);
void pawl_engine_tell_run(void *engine, const struct pawl_run_progress *progress);

void pawl_engine_set_run(struct pawl_engine *engine, struct pawl_run *run);
/* Wait for the front's answer to an offer (new reference). */
enum pawl_status pawl_engine_wait(struct pawl_engine *engine, json_t **answer,
                                  struct pawl_error *err);
json_t *pawl_tokens_json(const struct pawl_usage *usage);
/* train or dev of the store, at most `limit` (0: all). pawl_cases_release. */
enum pawl_status pawl_engine_cases(struct pawl_engine *engine, const char *tier, size_t limit,
                                   struct pawl_arena *arena, struct pawl_cases *cases,
                                   struct pawl_error *err);
/* What answers depend on besides the candidates: program with the content of its files, metric, models, roles,
 * seed. Another one makes scores stale. Of an open engine. New reference. */
json_t *pawl_engine_surroundings(const struct pawl_engine *engine);
/* A table that may be NULL as one that is not. */
const struct pawl_option *pawl_options_or_none(const struct pawl_option *table);
const struct pawl_operator *pawl_operator_find(const char *name, struct pawl_error *err);

/* The requests. Each gives *done (new reference). */
enum pawl_status pawl_engine_validate(struct pawl_engine *engine, json_t **done,
                                      struct pawl_error *err);
enum pawl_status pawl_engine_describe(struct pawl_engine *engine, json_t **done,
                                      struct pawl_error *err);
enum pawl_status pawl_engine_context(struct pawl_engine *engine, json_t **done,
                                     struct pawl_error *err);
enum pawl_status pawl_engine_tune(struct pawl_engine *engine, const json_t *request, json_t **done,
                                  struct pawl_error *err);
enum pawl_status pawl_engine_seed(struct pawl_engine *engine, json_t **done,
                                  struct pawl_error *err);
enum pawl_status pawl_engine_fields(struct pawl_engine *engine, json_t **done,
                                    struct pawl_error *err);
enum pawl_status pawl_engine_messages(struct pawl_engine *engine, const json_t *request,
                                      json_t **done, struct pawl_error *err);
enum pawl_status pawl_engine_embed(struct pawl_engine *engine, const json_t *request, json_t **done,
                                   struct pawl_error *err);
enum pawl_status pawl_engine_judge(struct pawl_engine *engine, json_t **done,
                                   struct pawl_error *err);
enum pawl_status pawl_engine_answer(struct pawl_engine *engine, const json_t *request,
                                    json_t **done, struct pawl_error *err);
enum pawl_status pawl_engine_evaluate(struct pawl_engine *engine, const json_t *request,
                                      json_t **done, struct pawl_error *err);
enum pawl_status pawl_engine_improve(struct pawl_engine *engine, const json_t *request,
                                     json_t **done, struct pawl_error *err);

#endif
