/* The engine process: requests from the front, one at a time, until the front goes away. */
#include "improve/engine_internal.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { END_GRACE_S = 5 };

/* --- instruments ------------------------------------------------------------------------------- */

/* The purse of lm is the engine's; it passes on to the run that is under way. */
static enum pawl_status reserve(void *context, int64_t microusd, struct pawl_error *err)
{
    struct pawl_engine *engine = context;
    struct pawl_lm_purse purse = engine->purse;
    return purse.reserve != NULL ? purse.reserve(purse.context, microusd, err) : PAWL_OK;
}

static void settle(void *context, int64_t reserved_microusd, int64_t spent_microusd)
{
    struct pawl_engine *engine = context;
    struct pawl_lm_purse purse = engine->purse;
    if (purse.settle != NULL) purse.settle(purse.context, reserved_microusd, spent_microusd);
}

static enum pawl_status open_models(struct pawl_engine *engine, struct pawl_error *err)
{
    const struct pawl_worker *worker = engine->worker;
    const struct pawl_config *config = &worker->config;
    struct pawl_lm_purse purse = {reserve, settle, engine};
    struct pawl_lm_settings lm = {.models = config->models,
                                  .roles = config->roles,
                                  .project_dir = worker->project_dir,
                                  .cache = engine->store,
                                  .seed = config->seed,
                                  .purse = &purse};
    PAWL_TRY(pawl_lm_open(&lm, &engine->lm, err));
    struct pawl_program_settings program = {.program = config->program,
                                            .project_dir = worker->project_dir,
                                            .lm = engine->lm,
                                            .seed = config->seed};
    PAWL_TRY(pawl_program_open(&program, &engine->program, err));
    PAWL_TRY(pawl_metric_open(config->metric, worker->project_dir, &engine->metric, err));
    struct pawl_evaluator_settings evaluator = {.metric = engine->metric,
                                                .lm = engine->lm,
                                                .threads = (int)config->concurrency,
                                                .progress = pawl_engine_tell_evaluated,
                                                .context = engine};
    return pawl_evaluator_open(&evaluator, engine->program, &engine->evaluator, err);
}

/* A cancelled instrument stays so; after a pause all are closed and opened again. */
static void close_instruments(struct pawl_engine *engine)
{
    pthread_mutex_lock(&engine->lock);
    struct pawl_lm *lm = engine->lm;
    struct pawl_evaluator *evaluator = engine->evaluator;
    engine->lm = NULL;
    engine->evaluator = NULL;
    pthread_mutex_unlock(&engine->lock);
    if (evaluator != NULL) pawl_evaluator_close(evaluator);
    if (engine->metric != NULL) pawl_metric_close(engine->metric);
    if (engine->program != NULL) pawl_program_close(engine->program);
    if (lm != NULL) pawl_lm_close(lm);
    if (engine->store != NULL) pawl_store_close(engine->store);
    engine->metric = NULL;
    engine->program = NULL;
    engine->store = NULL;
}

/* Lock held. */
static void cancel_work(struct pawl_engine *engine)
{
    if (engine->run != NULL) pawl_run_cancel(engine->run);
    if (engine->evaluator != NULL) pawl_evaluator_cancel(engine->evaluator);
    if (engine->lm != NULL) pawl_lm_cancel(engine->lm);
}

enum pawl_status pawl_engine_open(struct pawl_engine *engine, bool stored, struct pawl_error *err)
{
    if (engine->store == NULL) {
        struct pawl_error why = {0};
        enum pawl_status status =
            pawl_store_open(engine->worker->store_dir, false, &engine->store, &why);
        if (status != PAWL_OK && (stored || status != PAWL_ENOTFOUND)) {
            *err = why;
            return status;
        }
    }
    if (engine->evaluator != NULL) return PAWL_OK;
    enum pawl_status status = open_models(engine, err);
    if (status != PAWL_OK) close_instruments(engine);
    pthread_mutex_lock(&engine->lock);
    if (engine->pausing || engine->closed) cancel_work(engine);
    pthread_mutex_unlock(&engine->lock);
    return status;
}

void pawl_engine_set_run(struct pawl_engine *engine, struct pawl_run *run)
{
    pthread_mutex_lock(&engine->lock);
    engine->run = run;
    engine->purse = run != NULL ? pawl_run_purse(run) : (struct pawl_lm_purse){0};
    if (run != NULL && (engine->pausing || engine->closed)) pawl_run_cancel(run);
    pthread_mutex_unlock(&engine->lock);
}

enum pawl_status pawl_engine_cases(struct pawl_engine *engine, const char *tier, size_t limit,
                                   struct pawl_arena *arena, struct pawl_cases *cases,
                                   struct pawl_error *err)
{
    json_t *list;
    PAWL_TRY(pawl_store_cases_get(engine->store, tier, &list, err));
    enum pawl_status status = pawl_cases_from_json(list, arena, cases, err);
    json_decref(list);
    if (status == PAWL_OK && limit > 0 && cases->n > limit) cases->n = limit;
    return status;
}

json_t *pawl_tokens_json(const struct pawl_usage *usage)
{
    return json_pack("{s:I, s:I, s:I}", "prompt", (json_int_t)usage->prompt_tokens, "completion",
                     (json_int_t)usage->completion_tokens, "cached",
                     (json_int_t)usage->cached_tokens);
}

/* --- the channel -------------------------------------------------------------------------------- */

enum pawl_status pawl_engine_send(struct pawl_engine *engine, const char *key, json_t *value,
                                  struct pawl_error *err)
{
    json_t *message = json_object();
    pawl_json_set(message, key, value);
    enum pawl_status status = pawl_channel_send(engine->worker->front, message, err);
    json_decref(message);
    return status;
}

/* Lock held; takes the message. */
static void take_message(struct pawl_engine *engine, json_t *message)
{
    json_t **slot = NULL;
    if (json_object_get(message, "op") != NULL)
        slot = &engine->request;
    else if (json_object_get(message, "pause") == NULL)
        slot = &engine->answer;
    if (slot == NULL) {
        engine->pausing = engine->is_serving || engine->request != NULL;
        if (engine->pausing) cancel_work(engine);
        json_decref(message);
        return;
    }
    json_decref(*slot);
    *slot = message;
}

/* When the front is gone, so are we; work that does not stop by itself is left to the journal. */
static void *control(void *context)
{
    struct pawl_engine *engine = context;
    json_t *message;
    while (pawl_channel_receive(engine->worker->front, -1, &message, NULL) == PAWL_OK) {
        pthread_mutex_lock(&engine->lock);
        take_message(engine, message);
        pthread_cond_broadcast(&engine->changed);
        pthread_mutex_unlock(&engine->lock);
    }
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += END_GRACE_S;
    pthread_mutex_lock(&engine->lock);
    engine->closed = true;
    cancel_work(engine);
    pthread_cond_broadcast(&engine->changed);
    while (engine->is_serving)
        if (pthread_cond_timedwait(&engine->changed, &engine->lock, &until) != 0) _exit(1);
    pthread_mutex_unlock(&engine->lock);
    return NULL;
}

enum pawl_status pawl_engine_wait(struct pawl_engine *engine, json_t **answer,
                                  struct pawl_error *err)
{
    pthread_mutex_lock(&engine->lock);
    while (engine->answer == NULL && !engine->closed)
        pthread_cond_wait(&engine->changed, &engine->lock);
    *answer = engine->answer;
    engine->answer = NULL;
    pthread_mutex_unlock(&engine->lock);
    if (*answer == NULL) return pawl_fail(err, PAWL_EPAUSED, "The front went away.");
    if (json_object_get(*answer, "error") == NULL) return PAWL_OK;
    enum pawl_status status = pawl_error_from_json(*answer, err);
    json_decref(*answer);
    return status;
}

static json_t *next_request(struct pawl_engine *engine)
{
    pthread_mutex_lock(&engine->lock);
    while (engine->request == NULL && !engine->closed)
        pthread_cond_wait(&engine->changed, &engine->lock);
    json_t *request = engine->request;
    engine->request = NULL;
    engine->is_serving = request != NULL;
    pthread_mutex_unlock(&engine->lock);
    return request;
}

/* --- serving ------------------------------------------------------------------------------------- */

static enum pawl_status serve(struct pawl_engine *engine, const json_t *request, json_t **done,
                              struct pawl_error *err)
{
    struct pawl_str op = pawl_json_get_str(request, "op");
    if (pawl_str_is(op, "validate")) return pawl_engine_validate(engine, done, err);
    if (pawl_str_is(op, "describe")) return pawl_engine_describe(engine, done, err);
    if (pawl_str_is(op, "context")) return pawl_engine_context(engine, done, err);
    if (pawl_str_is(op, "tune")) return pawl_engine_tune(engine, request, done, err);
    if (pawl_str_is(op, "seed")) return pawl_engine_seed(engine, done, err);
    if (pawl_str_is(op, "fields")) return pawl_engine_fields(engine, done, err);
    if (pawl_str_is(op, "messages")) return pawl_engine_messages(engine, request, done, err);
    if (pawl_str_is(op, "embed")) return pawl_engine_embed(engine, request, done, err);
    if (pawl_str_is(op, "judge")) return pawl_engine_judge(engine, done, err);
    if (pawl_str_is(op, "run")) return pawl_engine_answer(engine, request, done, err);
    if (pawl_str_is(op, "evaluate")) return pawl_engine_evaluate(engine, request, done, err);
    if (pawl_str_is(op, "improve")) return pawl_engine_improve(engine, request, done, err);
    return pawl_fail(err, PAWL_EUSAGE, "The engine knows no request \"%.*s\".", (int)op.len,
                     op.ptr != NULL ? op.ptr : "");
}

static void reply(struct pawl_engine *engine, const json_t *request)
{
    struct pawl_error err = {0};
    json_t *done = NULL, *message;
    enum pawl_status status = serve(engine, request, &done, &err);
    if (status == PAWL_OK) {
        message = json_object();
        pawl_json_set(message, "done", done);
    } else {
        err.status = status;
        message = pawl_error_json(&err);
    }
    pthread_mutex_lock(&engine->lock);
    bool was_paused = engine->pausing;
    engine->pausing = false;
    engine->is_serving = false;
    pthread_cond_broadcast(&engine->changed);
    pthread_mutex_unlock(&engine->lock);
    if (was_paused) close_instruments(engine);
    (void)!pawl_channel_send(engine->worker->front, message, NULL);
    json_decref(message);
}

int pawl_engine_main(struct pawl_worker *worker)
{
    pthread_t thread;
    json_t *request;
    struct pawl_engine engine = {.worker = worker};
    pthread_mutex_init(&engine.telling, NULL);
    pthread_mutex_init(&engine.lock, NULL);
    pthread_cond_init(&engine.changed, NULL);
    if (pthread_create(&thread, NULL, control, &engine) != 0)
        PAWL_BUG("no thread could be started");
    while ((request = next_request(&engine)) != NULL) {
        reply(&engine, request);
        json_decref(request);
    }
    pthread_join(thread, NULL);
    close_instruments(&engine);
    json_decref(engine.answer);
    pthread_mutex_destroy(&engine.lock);
    pthread_mutex_destroy(&engine.telling);
    pthread_cond_destroy(&engine.changed);
    return 0;
}
