/*
 * The sealed side: runs two or three artifacts on one sealed case at a time and forgets.
 *
 * It knows no target, score, key or verdict. It has no store and no cache, writes no file, and is
 * never the process that an operator's requests go through. Where a model judges, a second process of
 * this role asks it: that one is sent targets, and no artifact.
 *
 * Invariants
 *   1. One thread receives; a pool of threads runs cases and sends each answer when it is done.
 *   2. Arms change only while nothing is under way.
 *   3. Whatever the world does to a case is `missing`; what the candidate does is `failed`.
 *   4. A process runs artifacts or grades; once it has been told to do one it refuses the other.
 */
#include "improve/worker.h"

#include "evaluate/questions.h"
#include "program/program.h"
#include "sandbox/sandbox.h"

#include <pthread.h>
#include <stdlib.h>

enum { ARMS_MAX = 3, THREADS_MAX = 256, QUEUE_MAX = 4096, STACK_BYTES = 1 << 20 };

struct sealed {
    struct pawl_worker *worker;
    struct pawl_lm *lm;
    struct pawl_program *program;
    struct pawl_instance *arms[ARMS_MAX];
    json_t *sandbox; /* what our confinement is worth on this machine */
    int n_threads;
    pthread_t threads[THREADS_MAX];

    pthread_mutex_t lock; /* of everything below */
    pthread_cond_t work, idle;
    json_t *queue[QUEUE_MAX]; /* a ring of case messages */
    size_t first, n_queued;
    int n_busy;
    bool stopping, broken; /* broken: an answer could not be sent */
    bool grades;           /* asks the judge, and runs no artifact */
};

/* --- one case -------------------------------------------------------------------------------------- */

static const char *status_word(enum pawl_outcome_status status)
{
    switch (status) {
    case PAWL_OUTCOME_DONE:
        return "done";
    case PAWL_OUTCOME_FAILED:
        return "failed";
    case PAWL_OUTCOME_MISSING:
        break;
    }
    return "missing";
}

static json_t *measurements_of(const struct pawl_usage *usage)
{
    return json_pack("{s:{s:I, s:I, s:I}, s:I, s:I}", "tokens", "prompt",
                     (json_int_t)usage->prompt_tokens, "completion",
                     (json_int_t)usage->completion_tokens, "cached",
                     (json_int_t)usage->cached_tokens, "microusd", (json_int_t)usage->cost_microusd,
                     "latency_us", (json_int_t)usage->latency_us);
}

static json_t *answer_of(const json_t *item, const struct pawl_outcome *outcome)
{
    json_t *answer =
        json_pack("{s:O, s:O, s:O, s:s}", "n", json_object_get(item, "n"), "arm",
                  json_object_get(item, "arm"), "sample", json_object_get(item, "sample"), "status",
                  status_word(outcome->status));
    bool done = outcome->status == PAWL_OUTCOME_DONE && outcome->output != NULL;
    pawl_json_set(answer, "output", done ? json_incref(outcome->output) : json_null());
    pawl_json_set(answer, "measurements", measurements_of(&outcome->usage));
    return answer;
}

/* Takes the answer. */
static void send_answer(struct sealed *sealed, json_t *answer)
{
    if (pawl_channel_send(sealed->worker->peer, answer, NULL) != PAWL_OK) {
        pthread_mutex_lock(&sealed->lock);
        sealed->broken = true;
        pthread_mutex_unlock(&sealed->lock);
    }
    json_decref(answer);
}

static void run_case(struct sealed *sealed, struct pawl_arena *arena, const json_t *item)
{
    struct pawl_outcome outcome = {0};
    struct pawl_program_case given = {.id = pawl_json_get_text(item, "id", ""),
                                      .input = json_object_get(item, "input")};
    struct pawl_run_options how = {.sample = (uint32_t)pawl_json_get_int(item, "sample", 0)};
    struct pawl_instance *arm = sealed->arms[pawl_json_get_int(item, "arm", 0)];
    if (pawl_program_run(arm, arena, &given, &how, &outcome, NULL) != PAWL_OK)
        outcome.status = PAWL_OUTCOME_MISSING;
    json_t *answer = answer_of(item, &outcome);
    pawl_outcome_release(&outcome);
    send_answer(sealed, answer);
}

/* --- one opinion ------------------------------------------------------------------------------------ */

static void ask_judge(struct sealed *sealed, struct pawl_arena *arena, const json_t *item)
{
    struct pawl_metric_question questions[PAWL_METRIC_QUESTIONS_MAX];
    struct pawl_metric_reply replies[PAWL_METRIC_QUESTIONS_MAX];
    struct pawl_usage usage = {0};
    size_t n;
    bool missing = true;
    if (!pawl_questions_read(json_object_get(item, "questions"), arena, questions, &n) ||
        pawl_questions_ask(sealed->lm, arena, questions, n, replies, &usage, &missing, NULL) !=
            PAWL_OK)
        missing = true;
    send_answer(sealed,
                json_pack("{s:O, s:O, s:O, s:o}", "n", json_object_get(item, "n"), "arm",
                          json_object_get(item, "arm"), "sample", json_object_get(item, "sample"),
                          "replies", missing ? json_null() : pawl_replies_json(replies, n)));
}

/* --- the pool --------------------------------------------------------------------------------------- */

/* The next case, or NULL when the pool ends. */
static json_t *take_case(struct sealed *sealed)
{
    json_t *item = NULL;
    pthread_mutex_lock(&sealed->lock);
    while (sealed->n_queued == 0 && !sealed->stopping)
        pthread_cond_wait(&sealed->work, &sealed->lock);
    if (!sealed->stopping) {
        item = sealed->queue[sealed->first];
        sealed->first = (sealed->first + 1) % QUEUE_MAX;
        sealed->n_queued--;
        sealed->n_busy++;
    }
    pthread_mutex_unlock(&sealed->lock);
    return item;
}

static void *serve_cases(void *context)
{
    struct sealed *sealed = context;
    struct pawl_arena arena = {0};
    json_t *item;
    while ((item = take_case(sealed)) != NULL) {
        if (sealed->grades)
            ask_judge(sealed, &arena, item);
        else
            run_case(sealed, &arena, item);
        json_decref(item);
        pawl_arena_reset(&arena);
        pthread_mutex_lock(&sealed->lock);
        if (--sealed->n_busy == 0) pthread_cond_broadcast(&sealed->idle);
        pthread_mutex_unlock(&sealed->lock);
    }
    pawl_arena_release(&arena);
    return NULL;
}

static enum pawl_status start_pool(struct sealed *sealed, int wanted, struct pawl_error *err)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    int errnum = 0;
    while (sealed->n_threads < wanted && errnum == 0) {
        errnum =
            pthread_create(&sealed->threads[sealed->n_threads], &attributes, serve_cases, sealed);
        if (errnum == 0) sealed->n_threads++;
    }
    pthread_attr_destroy(&attributes);
    if (sealed->n_threads > 0) return PAWL_OK;
    return pawl_fail_errno(err, PAWL_EWORLD, errnum, "Could not start a thread");
}

static void wait_idle(struct sealed *sealed)
{
    pthread_mutex_lock(&sealed->lock);
    while (sealed->n_busy > 0 || sealed->n_queued > 0)
        pthread_cond_wait(&sealed->idle, &sealed->lock);
    pthread_mutex_unlock(&sealed->lock);
}

static void stop_pool(struct sealed *sealed)
{
    pthread_mutex_lock(&sealed->lock);
    sealed->stopping = true;
    pthread_cond_broadcast(&sealed->work);
    pthread_mutex_unlock(&sealed->lock);
    if (sealed->lm != NULL) pawl_lm_cancel(sealed->lm);
    for (int i = 0; i < sealed->n_threads; i++) pthread_join(sealed->threads[i], NULL);
    for (; sealed->n_queued > 0; sealed->n_queued--) {
        json_decref(sealed->queue[sealed->first]);
        sealed->first = (sealed->first + 1) % QUEUE_MAX;
    }
}

/* --- loading ---------------------------------------------------------------------------------------- */

static enum pawl_status open_models(struct sealed *sealed, struct pawl_error *err)
{
    const struct pawl_worker *worker = sealed->worker;
    const struct pawl_config *config = &worker->config;
    struct pawl_lm_settings models = {.models = config->models,
                                      .roles = config->roles,
                                      .project_dir = worker->project_dir,
                                      .seed = config->seed,
                                      .sealed = true};
    return sealed->lm == NULL ? pawl_lm_open(&models, &sealed->lm, err) : PAWL_OK;
}

static enum pawl_status open_program(struct sealed *sealed, struct pawl_error *err)
{
    const struct pawl_worker *worker = sealed->worker;
    const struct pawl_config *config = &worker->config;
    struct pawl_program_settings settings = {.program = config->program,
                                             .project_dir = worker->project_dir,
                                             .seed = config->seed,
                                             .sealed = true};
    if (sealed->program != NULL) return PAWL_OK;
    PAWL_TRY(open_models(sealed, err));
    settings.lm = sealed->lm;
    return pawl_program_open(&settings, &sealed->program, err);
}

static void release_arms(struct sealed *sealed)
{
    for (int i = 0; i < ARMS_MAX; i++) {
        if (sealed->arms[i] != NULL) pawl_program_release(sealed->arms[i]);
        sealed->arms[i] = NULL;
    }
}

static enum pawl_status prepare_arms(struct sealed *sealed, const json_t *arms,
                                     struct pawl_error *err)
{
    struct pawl_arena arena = {0};
    enum pawl_status status = PAWL_OK;
    release_arms(sealed);
    for (size_t i = 0; i < json_array_size(arms) && i < ARMS_MAX && status == PAWL_OK; i++) {
        struct pawl_artifact *artifact;
        status = pawl_artifact_from_json(&arena, json_array_get(arms, i), &artifact, err);
        if (status == PAWL_OK)
            status = pawl_program_prepare(sealed->program, artifact, 0, &sealed->arms[i], err);
    }
    pawl_arena_release(&arena);
    return status;
}

/* The models that answer, {role: identity}. */
static enum pawl_status identify(struct sealed *sealed, unsigned roles, json_t **models,
                                 struct pawl_error *err)
{
    *models = json_object();
    if (json_object_size(sealed->worker->config.models) == 0) return PAWL_OK;
    for (int role = 0; role < PAWL_N_ROLES; role++) {
        const char *identity;
        if (!(roles & 1u << role)) continue;
        PAWL_TRY(pawl_lm_identity(sealed->lm, (enum pawl_role)role, &identity, err));
        pawl_json_set(*models, pawl_role_name((enum pawl_role)role),
                      pawl_json_string(pawl_str_of(identity)));
    }
    return PAWL_OK;
}

static int useful_threads(const struct sealed *sealed)
{
    int64_t wanted = sealed->worker->config.concurrency;
    int parallel = sealed->grades ? pawl_lm_parallel(sealed->lm, PAWL_ROLE_JUDGE)
                                  : pawl_program_parallel(sealed->program);
    if (wanted > 0 && wanted < parallel) parallel = (int)wanted;
    if (parallel > THREADS_MAX) parallel = THREADS_MAX;
    return parallel > 0 ? parallel : 1;
}

static enum pawl_status load(struct sealed *sealed, const json_t *wanted, json_t **ready,
                             struct pawl_error *err)
{
    json_t *models;
    bool grades = json_is_true(json_object_get(wanted, "judge"));
    if (sealed->n_threads > 0 && grades != sealed->grades)
        return pawl_fail(err, PAWL_EUSAGE, "A sealed side runs artifacts or judges, not both.");
    sealed->grades = grades;
    wait_idle(sealed);
    PAWL_TRY(grades ? open_models(sealed, err) : open_program(sealed, err));
    PAWL_TRY(prepare_arms(sealed, json_object_get(wanted, "arms"), err));
    unsigned roles = grades ? 1u << PAWL_ROLE_JUDGE : pawl_program_roles(sealed->program);
    enum pawl_status status = identify(sealed, roles, &models, err);
    if (status == PAWL_OK) status = start_pool(sealed, useful_threads(sealed), err);
    if (status == PAWL_OK)
        *ready = json_pack("{s:{s:i, s:O, s:O}}", "ready", "parallel", sealed->n_threads, "models",
                           models, "confinement", json_object_get(sealed->sandbox, "level"));
    if (status == PAWL_OK)
        pawl_json_set(json_object_get(*ready, "ready"), "served_here",
                      pawl_lm_served_here(sealed->lm));
    json_decref(models);
    return status;
}

/* --- messages --------------------------------------------------------------------------------------- */

static enum pawl_status take_load(struct sealed *sealed, const json_t *request,
                                  struct pawl_error *err)
{
    struct pawl_error why = {0};
    json_t *reply = NULL;
    if (load(sealed, request, &reply, &why) != PAWL_OK) reply = pawl_error_json(&why);
    enum pawl_status status = pawl_channel_send(sealed->worker->peer, reply, err);
    json_decref(reply);
    return status;
}

static enum pawl_status take_item(struct sealed *sealed, json_t *item, struct pawl_error *err)
{
    int64_t arm = pawl_json_get_int(item, "arm", -1);
    enum pawl_status status = PAWL_OK;
    if (!sealed->grades && (arm < 0 || arm >= ARMS_MAX || sealed->arms[arm] == NULL))
        return pawl_fail(err, PAWL_EUSAGE, "A case came for an arm that is not loaded.");
    pthread_mutex_lock(&sealed->lock);
    if (sealed->broken || sealed->n_queued == QUEUE_MAX) {
        status = pawl_fail(err, PAWL_EWORLD, "The vault sends more than it reads.");
    } else {
        sealed->queue[(sealed->first + sealed->n_queued++) % QUEUE_MAX] = json_incref(item);
        pthread_cond_signal(&sealed->work);
    }
    pthread_mutex_unlock(&sealed->lock);
    return status;
}

static enum pawl_status take_message(struct sealed *sealed, const json_t *message,
                                     struct pawl_error *err)
{
    json_t *item = json_object_get(message, sealed->grades ? "judge" : "case");
    if (item != NULL) return take_item(sealed, item, err);
    const json_t *request = json_object_get(message, "load");
    if (request != NULL) return take_load(sealed, request, err);
    return pawl_fail(err, PAWL_EUSAGE, "The sealed side does not know this message.");
}

int pawl_sealed_main(struct pawl_worker *worker)
{
    struct sealed *sealed = pawl_xcalloc(1, sizeof *sealed);
    json_t *message;
    sealed->worker = worker;
    sealed->sandbox = pawl_sandbox_describe(); /* forks: before there are threads */
    pthread_mutex_init(&sealed->lock, NULL);
    pthread_cond_init(&sealed->work, NULL);
    pthread_cond_init(&sealed->idle, NULL);
    while (worker->peer != NULL &&
           pawl_channel_receive(worker->peer, -1, &message, NULL) == PAWL_OK) {
        enum pawl_status status = take_message(sealed, message, NULL);
        json_decref(message);
        if (status != PAWL_OK) break;
    }
    stop_pool(sealed);
    release_arms(sealed);
    if (sealed->program != NULL) pawl_program_close(sealed->program);
    if (sealed->lm != NULL) pawl_lm_close(sealed->lm);
    pthread_cond_destroy(&sealed->idle);
    pthread_cond_destroy(&sealed->work);
    pthread_mutex_destroy(&sealed->lock);
    json_decref(sealed->sandbox);
    free(sealed);
    return 0;
}
