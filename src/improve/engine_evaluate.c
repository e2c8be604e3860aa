/* Requests that score an artifact on visible cases, or answer inputs with it. */
#include "improve/engine_internal.h"

#include "base/clock.h"
#include "evaluate/pass.h"
#include "gate/guard.h"
#include "gate/intervals.h"
#include "gate/paired.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { PIECE_ITEMS = 512, ANSWER_THREADS_MAX = 64 };
#define CONFIDENCE 0.95

/* --- the summary ---------------------------------------------------------------------------------- */

struct tally {
    size_t n_cases, n_failed, n_missing, n_evaluations, n_scored;
    double *means;                       /* of each case that has a score, in order */
    const struct pawl_case **cases;      /* each such case */
    struct pawl_behaviour *behaviour;    /* of sample 0 of each case */
    const char *reason;                  /* of the first failure, if it is in the first piece */
    double (*measured)[PAWL_N_MEASURES]; /* of each case, NAN where it is missing; or NULL */
    json_t *named;                       /* {name: [sum, how many answers have it]}; or NULL */
    struct pawl_passes passes;           /* of a metric that says yes or no */
    struct pawl_usage usage;
};

/* The means over the samples that have a score: what a guard compares. */
static void measure_case(const struct pawl_result *results, size_t n_samples,
                         double measured[PAWL_N_MEASURES])
{
    double sums[PAWL_N_MEASURES] = {0}, n = 0;
    for (size_t k = 0; k < n_samples; k++) {
        const struct pawl_result *result = &results[k];
        if (result->status == PAWL_OUTCOME_MISSING) continue;
        sums[PAWL_MEASURE_SCORE] += result->score;
        sums[PAWL_MEASURE_FAILED] += result->status == PAWL_OUTCOME_FAILED;
        sums[PAWL_MEASURE_TOKENS] += (double)result->tokens;
        sums[PAWL_MEASURE_SECONDS] += (double)result->latency_us / 1e6;
        sums[PAWL_MEASURE_COST] += (double)result->cost_microusd / 1e6;
        n++;
    }
    for (int m = 0; m < PAWL_N_MEASURES; m++) measured[m] = n > 0 ? sums[m] / n : NAN;
}

enum { TALLY_NAMES_MAX = 64 /* a metric may make names up */ };

static void tally_named(struct tally *tally, const struct pawl_result *result)
{
    for (size_t i = 0; i < result->n_named; i++) {
        const char *name = result->named[i].name;
        if (tally->named == NULL) tally->named = json_object();
        const json_t *old = json_object_get(tally->named, name);
        if (old == NULL && json_object_size(tally->named) == TALLY_NAMES_MAX) continue;
        double sum = json_number_value(json_array_get(old, 0)) + result->named[i].score;
        json_int_t n = json_integer_value(json_array_get(old, 1)) + 1;
        pawl_json_set(tally->named, name, json_pack("[f, I]", sum, n));
    }
}

/* {name: {"mean", "n"}}, of the answers that have it. */
static json_t *named_means(const struct tally *tally)
{
    json_t *means = json_object(), *entry;
    const char *name;
    json_object_foreach(tally->named, name, entry)
    {
        double sum = json_number_value(json_array_get(entry, 0));
        json_int_t n = json_integer_value(json_array_get(entry, 1));
        pawl_json_set(means, name, json_pack("{s:f, s:I}", "mean", sum / (double)n, "n", n));
    }
    return means;
}

static void tally_case(struct tally *tally, const struct pawl_case *item,
                       const struct pawl_result *results, size_t n_samples)
{
    double sum = 0;
    size_t n = 0, n_passed = 0;
    for (size_t k = 0; k < n_samples; k++) {
        tally->n_evaluations++;
        if (results[k].status == PAWL_OUTCOME_FAILED) tally->n_failed++;
        if (results[k].status == PAWL_OUTCOME_MISSING) {
            tally->n_missing++;
            continue;
        }
        tally_named(tally, &results[k]);
        sum += results[k].score;
        n_passed += results[k].score == 1;
        n++;
    }
    pawl_passes_add(&tally->passes, n, n_passed);
    if (tally->measured != NULL) measure_case(results, n_samples, tally->measured[tally->n_cases]);
    tally->behaviour[tally->n_cases++] = pawl_behaviour_of(&results[0]);
    if (n == 0) return;
    double mean = sum / (double)n;
    tally->means[tally->n_scored] = mean;
    tally->cases[tally->n_scored++] = item;
}

/* The cluster of each scored case, numbered in order of appearance; gives how many there are. Done
 * once at the end, so that a long evaluation holds no names. A quadratic search would show at 10^6
 * cases. */
static size_t number_clusters(const struct tally *tally, size_t *cluster)
{
    json_t *numbers = json_object();
    for (size_t i = 0; i < tally->n_scored; i++) {
        const char *name = tally->cases[i]->cluster;
        json_t *known = json_object_get(numbers, name);
        cluster[i] = known != NULL ? (size_t)json_integer_value(known) : json_object_size(numbers);
        if (known == NULL) json_object_set_new(numbers, name, json_integer((json_int_t)cluster[i]));
    }
    size_t n_clusters = json_object_size(numbers);
    json_decref(numbers);
    return n_clusters;
}

static struct pawl_interval interval(const struct tally *tally, uint64_t seed)
{
    struct pawl_arena arena = {0};
    size_t *cluster = PAWL_NEW_N(&arena, size_t, tally->n_scored);
    size_t n_clusters = number_clusters(tally, cluster);
    struct pawl_interval ci =
        pawl_score_interval(tally->means, cluster, tally->n_scored, n_clusters, CONFIDENCE, seed);
    pawl_arena_release(&arena);
    return ci;
}

/* Where every case failed there is one reason for it most often, and a mean of 0 says nothing. */
static json_t *reason_of_all(const struct tally *tally)
{
    bool all = tally->n_failed > 0 && tally->n_failed + tally->n_missing == tally->n_evaluations;
    return all && tally->reason != NULL ? pawl_json_string(pawl_str_of(tally->reason))
                                        : json_null();
}

static void add_summary(json_t *done, const struct tally *tally, uint64_t seed)
{
    double mean = tally->n_scored > 0 ? pawl_mean(tally->means, tally->n_scored) : 0;
    struct pawl_interval ci = interval(tally, seed);
    pawl_json_set(done, "n", json_integer((json_int_t)tally->n_cases));
    pawl_json_set(done, "mean", json_real(mean));
    pawl_json_set(done, "ci95", json_pack("[f, f]", ci.lo, ci.hi));
    if (tally->named != NULL) pawl_json_set(done, "scores", named_means(tally));
    pawl_json_set(done, "failed", json_integer((json_int_t)tally->n_failed));
    pawl_json_set(done, "missing", json_integer((json_int_t)tally->n_missing));
    pawl_json_set(done, "reason", reason_of_all(tally));
    pawl_json_set(done, "evaluations", json_integer((json_int_t)tally->n_evaluations));
    pawl_json_set(done, "tokens", pawl_tokens_json(&tally->usage));
    pawl_json_set(done, "usd", json_real((double)tally->usage.cost_microusd / 1e6));
    pawl_json_set(done, "cached", json_integer((json_int_t)tally->usage.n_cached));
}

/* {measure: [value of each case, or null]} */
static json_t *measured_json(const struct tally *tally)
{
    json_t *out = json_object();
    for (int m = 0; m < PAWL_N_MEASURES; m++) {
        json_t *values = json_array();
        for (size_t i = 0; i < tally->n_cases; i++) {
            double value = tally->measured[i][m];
            json_array_append_new(values, isnan(value) ? json_null() : json_real(value));
        }
        pawl_json_set(out, pawl_measure_name((enum pawl_measure)m), values);
    }
    return out;
}

static enum pawl_status model_json(struct pawl_engine *engine, json_t **model,
                                   struct pawl_error *err)
{
    /* The model that answers; "one, other" where a pipeline's modules ask several. */
    struct pawl_arena arena = {0};
    const char *names[PAWL_N_ROLES], *all = NULL;
    unsigned roles = pawl_program_roles(engine->program);
    enum pawl_status status = PAWL_OK;
    bool has_models = json_object_size(engine->worker->config.models) > 0;
    for (int role = 0; has_models && role < PAWL_N_ROLES && status == PAWL_OK; role++) {
        names[role] = "";
        if (!(roles & 1u << role)) continue;
        status = pawl_lm_identity(engine->lm, (enum pawl_role)role, &names[role], err);
        bool is_new = status == PAWL_OK;
        for (int k = 0; is_new && k < role; k++) is_new = strcmp(names[k], names[role]) != 0;
        if (is_new)
            all = pawl_arena_printf(&arena, "%s%s%s", all ? all : "", all ? ", " : "", names[role]);
    }
    *model = status == PAWL_OK && all != NULL ? json_string(all) : json_null();
    pawl_arena_release(&arena);
    return status;
}

/* --- evaluate ---------------------------------------------------------------------------------------- */

struct evaluation {
    struct pawl_engine *engine;
    struct pawl_arena *arena;
    struct pawl_cases cases;
    const struct pawl_artifact *artifact;
    struct pawl_instance *instance;
    size_t n_samples;
    bool per_case;
    bool whole_dev; /* the behaviour on all of dev names a candidate */
    struct tally tally;
};

static const char *comment_on(const struct pawl_result *result)
{
    return result->feedback != NULL ? result->feedback : result->reason;
}

static enum pawl_status send_row(struct evaluation *evaluation, const struct pawl_case *item,
                                 uint32_t sample, const struct pawl_result *result,
                                 struct pawl_error *err)
{
    static const char *const words[] = {"scored", "failed", "missing"};
    bool missing = result->status == PAWL_OUTCOME_MISSING;
    const char *feedback = comment_on(result);
    json_t *row = json_pack("{s:s, s:s, s:i, s:s}", "id", item->id, "cluster", item->cluster,
                            "sample", (int)sample, "status", words[result->status]);
    pawl_json_set(row, "score", missing ? json_null() : json_real(result->score));
    pawl_json_set(row, "output",
                  result->output != NULL ? json_incref((json_t *)result->output) : json_null());
    json_t *named = pawl_result_named_json(result);
    if (named != NULL) pawl_json_set(row, "scores", named);
    pawl_json_set(row, "feedback",
                  feedback != NULL ? pawl_json_string(pawl_str_of(feedback)) : json_null());
    return pawl_engine_send(evaluation->engine, "row", row, err);
}

static void note_reason(struct evaluation *evaluation, const struct pawl_result *results, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *reason = comment_on(&results[i]);
        if (results[i].status != PAWL_OUTCOME_FAILED || reason == NULL) continue;
        evaluation->tally.reason = pawl_arena_strdup(evaluation->arena, reason);
        return;
    }
}

/* Cases [first, first + n) with all their samples: a piece is what is in memory at once. */
static enum pawl_status evaluate_piece(struct evaluation *evaluation, size_t first, size_t n,
                                       struct pawl_evaluation_item *items,
                                       struct pawl_result *results, struct pawl_error *err)
{
    size_t n_samples = evaluation->n_samples;
    struct pawl_batch *batch = NULL;
    bool keep = evaluation->per_case || first == 0;
    for (size_t i = 0; i < n * n_samples; i++)
        items[i] =
            (struct pawl_evaluation_item){.instance = evaluation->instance,
                                          .item = &evaluation->cases.items[first + i / n_samples],
                                          .sample = (uint32_t)(i % n_samples)};
    evaluation->engine->n_done_before = (int64_t)(first * n_samples);
    enum pawl_status status =
        pawl_evaluator_run(evaluation->engine->evaluator, items, n * n_samples,
                           PAWL_EVALUATE_NAMED | (keep ? (unsigned)PAWL_EVALUATE_OUTPUT : 0),
                           results, &evaluation->tally.usage, &batch, err);
    if (status == PAWL_OK && first == 0) note_reason(evaluation, results, n * n_samples);
    for (size_t i = 0; status == PAWL_OK && i < n; i++) {
        const struct pawl_case *item = &evaluation->cases.items[first + i];
        tally_case(&evaluation->tally, item, &results[i * n_samples], n_samples);
        for (size_t k = 0; evaluation->per_case && status == PAWL_OK && k < n_samples; k++)
            status = send_row(evaluation, item, (uint32_t)k, &results[i * n_samples + k], err);
    }
    pawl_batch_free(batch);
    return status;
}

static enum pawl_status evaluate_all(struct evaluation *evaluation, struct pawl_error *err)
{
    size_t n_cases = evaluation->cases.n, n_samples = evaluation->n_samples;
    size_t piece = PIECE_ITEMS / n_samples > 0 ? PIECE_ITEMS / n_samples : 1;
    enum pawl_status status = PAWL_OK;
    struct pawl_evaluation_item *items = pawl_xcalloc(piece * n_samples, sizeof *items);
    struct pawl_result *results = pawl_xcalloc(piece * n_samples, sizeof *results);
    pawl_engine_start_pace(evaluation->engine);
    evaluation->engine->n_done_before = 0;
    evaluation->engine->n_planned = (int64_t)(n_cases * n_samples);
    pawl_engine_tell_evaluated(evaluation->engine, 0, 0); /* a model may take its time to load */
    for (size_t first = 0; status == PAWL_OK && first < n_cases; first += piece) {
        size_t n = n_cases - first < piece ? n_cases - first : piece;
        status = evaluate_piece(evaluation, first, n, items, results, err);
    }
    evaluation->engine->n_planned = 0;
    free(items);
    free(results);
    return status;
}

static enum pawl_status summarise(struct evaluation *evaluation, int64_t wall_us, double cpu_s,
                                  json_t **done, struct pawl_error *err)
{
    struct pawl_engine *engine = evaluation->engine;
    const struct tally *tally = &evaluation->tally;
    struct pawl_hash behaviour = evaluation->artifact->id;
    char hex[PAWL_HASH_HEX];
    json_t *model;
    PAWL_TRY(model_json(engine, &model, err));
    if (evaluation->whole_dev)
        pawl_behaviour_hash(&evaluation->cases, tally->behaviour, &behaviour);
    pawl_hash_hex(&behaviour, hex);
    int64_t n = tally->n_evaluations > 0 ? (int64_t)tally->n_evaluations : 1;
    *done =
        json_pack("{s:s, s:o, s:f, s:f, s:I, s:s, s:o}", "metric", pawl_metric_name(engine->metric),
                  "model", model, "wall_s", (double)wall_us / 1e6, "cpu_s", cpu_s, "pace_us",
                  (json_int_t)(wall_us / n > 0 ? wall_us / n : 1), "behaviour", hex, "work",
                  pawl_lm_work(engine->lm));
    add_summary(*done, tally, engine->worker->config.seed);
    if (pawl_metric_is_binary(engine->metric) && evaluation->n_samples > 1)
        pawl_json_set(*done, "pass_at", pawl_passes_json(&tally->passes));
    if (tally->measured != NULL) pawl_json_set(*done, "measured", measured_json(tally));
    return PAWL_OK;
}

static enum pawl_status read_cases(struct evaluation *evaluation, const json_t *request,
                                   struct pawl_arena *arena, struct pawl_error *err)
{
    struct pawl_engine *engine = evaluation->engine;
    const char *file = pawl_json_get_text(request, "file", NULL);
    const char *tier = pawl_json_get_text(request, "tier", "dev");
    int64_t limit = pawl_json_get_int(request, "limit", 0);
    int64_t from = pawl_json_get_int(request, "from", 0);
    if (from < 0 || from > INT32_MAX || limit > INT32_MAX)
        return pawl_fail(err, PAWL_EUSAGE, "The cases are counted from 0 to %d.", INT32_MAX);
    if (strcmp(tier, "train") != 0 && strcmp(tier, "dev") != 0)
        return pawl_fail(err, PAWL_EUSAGE, "The tier %s is not a visible one.", tier);
    if (file == NULL) {
        evaluation->whole_dev = limit <= 0 && from == 0 && strcmp(tier, "dev") == 0;
        PAWL_TRY(pawl_engine_cases(engine, tier, limit > 0 ? (size_t)(from + limit) : 0, arena,
                                   &evaluation->cases, err));
        if (from > (int64_t)evaluation->cases.n) from = (int64_t)evaluation->cases.n;
        evaluation->cases.items += from;
        evaluation->cases.n -= (size_t)from;
        return PAWL_OK;
    }
    PAWL_TRY(
        pawl_cases_read(file, engine->worker->config.data.columns, arena, &evaluation->cases, err));
    if (limit > 0 && evaluation->cases.n > (size_t)limit) evaluation->cases.n = (size_t)limit;
    return PAWL_OK;
}

static enum pawl_status evaluate_in(struct pawl_arena *arena, struct evaluation *evaluation,
                                    const json_t *request, json_t **done, struct pawl_error *err)
{
    struct pawl_engine *engine = evaluation->engine;
    struct pawl_artifact *artifact;
    PAWL_TRY(pawl_artifact_from_json(arena, json_object_get(request, "artifact"), &artifact, err));
    evaluation->artifact = artifact;
    PAWL_TRY(read_cases(evaluation, request, arena, err));
    if (evaluation->cases.n == 0) return pawl_fail(err, PAWL_EUSAGE, "There is no case to score.");
    struct tally *tally = &evaluation->tally;
    tally->means = PAWL_NEW_N(arena, double, evaluation->cases.n);
    tally->cases = PAWL_NEW_N(arena, const struct pawl_case *, evaluation->cases.n);
    tally->behaviour = PAWL_NEW_N(arena, struct pawl_behaviour, evaluation->cases.n);
    if (pawl_json_get_bool(request, "measured", false))
        tally->measured = pawl_arena_alloc(arena, evaluation->cases.n, sizeof *tally->measured);
    PAWL_TRY(pawl_program_prepare(engine->program, artifact, 0, &evaluation->instance, err));
    int64_t started_us = pawl_clock_monotonic_us();
    double started_cpu_s = pawl_clock_cpu_s();
    PAWL_TRY(evaluate_all(evaluation, err));
    return summarise(evaluation, pawl_clock_monotonic_us() - started_us,
                     pawl_clock_cpu_s() - started_cpu_s, done, err);
}

enum pawl_status pawl_engine_evaluate(struct pawl_engine *engine, const json_t *request,
                                      json_t **done, struct pawl_error *err)
{
    struct pawl_arena arena = {0};
    int64_t samples = pawl_json_get_int(request, "samples", 1);
    if (samples < 1 || samples > 1000)
        return pawl_fail(err, PAWL_EUSAGE, "The number of samples is not in 1..1000.");
    PAWL_TRY(pawl_engine_open(engine, true, err));
    struct evaluation evaluation = {.engine = engine,
                                    .arena = &arena,
                                    .n_samples = (size_t)samples,
                                    .per_case = pawl_json_get_bool(request, "per_case", false)};
    enum pawl_status status = evaluate_in(&arena, &evaluation, request, done, err);
    if (evaluation.instance != NULL) pawl_program_release(evaluation.instance);
    json_decref(evaluation.tally.named);
    pawl_cases_release(&evaluation.cases);
    pawl_arena_release(&arena);
    return status;
}

/* --- run: answer inputs -------------------------------------------------------------------------------- */

struct answers {
    struct pawl_instance *instance;
    const json_t *inputs;
    bool trace; /* of every request, with what was said */
    json_t **outputs;
    size_t n;
    atomic_size_t next;
    pthread_mutex_t lock;
    enum pawl_status status; /* the first failure; under lock */
    struct pawl_error *err;
};

static enum pawl_status answer_one(struct answers *answers, size_t i, struct pawl_error *err)
{
    struct pawl_arena arena = {0};
    struct pawl_outcome outcome = {0};
    struct pawl_run_options how = {.flags = answers->trace ? (unsigned)PAWL_RUN_TRACE : 0};
    const char *id = pawl_arena_printf(&arena, "input-%zu", i);
    struct pawl_program_case item = {id, json_array_get(answers->inputs, i)};
    int64_t started_us = pawl_clock_monotonic_us();
    enum pawl_status status =
        pawl_program_run(answers->instance, &arena, &item, &how, &outcome, err);
    if (status == PAWL_OK) {
        bool done = outcome.status == PAWL_OUTCOME_DONE;
        json_t *reason = done || outcome.reason == NULL
                             ? json_null()
                             : pawl_json_string(pawl_str_of(outcome.reason));
        answers->outputs[i] =
            json_pack("{s:O, s:o, s:o, s:f}", "output", done ? outcome.output : json_null(),
                      "reason", reason, "tokens", pawl_tokens_json(&outcome.usage), "wall_s",
                      (double)(pawl_clock_monotonic_us() - started_us) / 1e6);
        if (outcome.trace != NULL)
            pawl_json_set(answers->outputs[i], "trace", json_incref(outcome.trace));
        pawl_outcome_release(&outcome);
    }
    pawl_arena_release(&arena);
    return status;
}

static void *answer_many(void *context)
{
    struct answers *answers = context;
    for (size_t i; (i = atomic_fetch_add(&answers->next, 1)) < answers->n;) {
        struct pawl_error err = {0};
        enum pawl_status status = answer_one(answers, i, &err);
        if (status == PAWL_OK) continue;
        pthread_mutex_lock(&answers->lock);
        if (answers->status == PAWL_OK) *answers->err = err;
        if (answers->status == PAWL_OK) answers->status = status;
        pthread_mutex_unlock(&answers->lock);
        break;
    }
    return NULL;
}

static void answer_all(struct answers *answers, size_t n_threads)
{
    pthread_t threads[ANSWER_THREADS_MAX];
    size_t n_started = 0;
    if (n_threads > ANSWER_THREADS_MAX) n_threads = ANSWER_THREADS_MAX;
    while (n_started + 1 < n_threads && n_started + 1 < answers->n &&
           pthread_create(&threads[n_started], NULL, answer_many, answers) == 0)
        n_started++;
    answer_many(answers);
    for (size_t i = 0; i < n_started; i++) pthread_join(threads[i], NULL);
}

static enum pawl_status answer_with(struct pawl_engine *engine, const json_t *inputs, bool trace,
                                    struct pawl_instance *instance, json_t **done,
                                    struct pawl_error *err)
{
    struct answers answers = {.instance = instance,
                              .inputs = inputs,
                              .trace = trace,
                              .n = json_array_size(inputs),
                              .err = err};
    json_t *outputs = json_array(), *model = NULL;
    answers.outputs = pawl_xcalloc(answers.n + 1, sizeof(json_t *));
    pthread_mutex_init(&answers.lock, NULL);
    answer_all(&answers, (size_t)pawl_program_parallel(engine->program));
    pthread_mutex_destroy(&answers.lock);
    enum pawl_status status = answers.status;
    for (size_t i = 0; i < answers.n; i++)
        if (answers.outputs[i] != NULL) json_array_append_new(outputs, answers.outputs[i]);
    free(answers.outputs);
    if (status == PAWL_OK) status = model_json(engine, &model, err);
    if (status == PAWL_OK)
        *done = json_pack("{s:o, s:o}", "outputs", outputs, "model", model);
    else
        json_decref(outputs);
    return status;
}

enum pawl_status pawl_engine_answer(struct pawl_engine *engine, const json_t *request,
                                    json_t **done, struct pawl_error *err)
{
    struct pawl_arena arena = {0};
    struct pawl_artifact *artifact;
    struct pawl_instance *instance = NULL;
    PAWL_TRY(pawl_engine_open(engine, false, err));
    enum pawl_status status =
        pawl_artifact_from_json(&arena, json_object_get(request, "artifact"), &artifact, err);
    if (status == PAWL_OK)
        status = pawl_program_prepare(engine->program, artifact, 0, &instance, err);
    if (status == PAWL_OK)
        status = answer_with(engine, json_object_get(request, "inputs"),
                             json_is_true(json_object_get(request, "trace")), instance, done, err);
    if (instance != NULL) pawl_program_release(instance);
    pawl_arena_release(&arena);
    return status;
}
