/* The request "improve": a run is made or found again, runs, and reports. */
#include "improve/engine_internal.h"

#include "base/clock.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Everything that one improve request needs; lives as long as it. */
struct improve {
    struct pawl_engine *engine;
    struct pawl_arena arena;
    const json_t *run; /* as the front described it */
    const char *id;
    const struct pawl_operator *operator;
    void *options;
    struct pawl_cases train, dev;
    struct pawl_artifact *start;
    struct pawl_inherited *inherited;
    size_t n_inherited;
    struct pawl_journal *journal;
};

/* --- the header ------------------------------------------------------------------------------------ */

static json_t *identity_of(const struct improve *improve)
{
    static const char *const from_run[] = {"seed",         "budget",      "dev_check",
                                           "started_from", "forked_from", "texts"};
    json_t *identity =
        json_pack("{s:s, s:s, s:i, s:i}", "run", improve->id, "operator", improve->operator->name,
                  "version", improve->operator->version, "api", improve->operator->api);
    for (size_t i = 0; i < sizeof from_run / sizeof *from_run; i++) {
        json_t *value = json_object_get(improve->run, from_run[i]);
        pawl_json_set(identity, from_run[i], value != NULL ? json_incref(value) : json_null());
    }
    pawl_json_set(
        identity, "options",
        pawl_options_json(pawl_options_or_none(improve->operator->options), improve->options));
    pawl_json_set(identity, "surroundings", pawl_engine_surroundings(improve->engine));
    return identity;
}

static json_t *inherited_json(const struct improve *improve)
{
    json_t *list = json_array();
    for (size_t i = 0; i < improve->n_inherited; i++) {
        const struct pawl_inherited *old = &improve->inherited[i];
        json_t *item =
            json_pack("{s:s, s:b}", "artifact", old->artifact->hex, "nominated", old->nominated);
        pawl_json_set(item, "dev_mean",
                      isnan(old->dev_mean) ? json_null() : json_real(old->dev_mean));
        json_array_append_new(list, item);
    }
    return list;
}

/* Which member of the identity differs; NULL: none. */
static const char *difference(const json_t *then, const json_t *now)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)now, key, value)
    {
        char *a = pawl_json_text(value);
        const json_t *old = json_object_get(then, key);
        char *b = old != NULL ? pawl_json_text(old) : NULL;
        bool differs = b == NULL || strcmp(a, b) != 0;
        free(a);
        free(b);
        if (differs) return key;
    }
    return NULL;
}

static enum pawl_status check_identity(const struct improve *improve, struct pawl_error *err)
{
    json_t *now = identity_of(improve);
    const json_t *then = json_object_get(pawl_journal_header(improve->journal), "identity");
    const char *key = difference(then, now);
    if (key != NULL) {
        pawl_fail(err, PAWL_EDIVERGED,
                  "The run %s was started with another \"%s\" and cannot be resumed with this one.",
                  improve->id, key);
        pawl_hint(err,
                  "`pawl improve --fork %s` starts a new run with its candidates and paid "
                  "answers.",
                  improve->id);
    }
    json_decref(now);
    return key == NULL ? PAWL_OK : PAWL_EDIVERGED;
}

/* --- candidates of another run ---------------------------------------------------------------------- */

static enum pawl_status inherit_one(struct improve *improve, const json_t *item,
                                    struct pawl_error *err)
{
    struct pawl_artifact *artifact;
    const char *hex = pawl_json_get_text(item, "artifact", "");
    enum pawl_status status =
        pawl_artifact_get(improve->engine->store, &improve->arena, hex, &artifact, err);
    if (status == PAWL_ENOTFOUND) return PAWL_OK; /* lost in a crash: nothing to inherit */
    PAWL_TRY(status);
    improve->inherited[improve->n_inherited++] =
        (struct pawl_inherited){.artifact = artifact,
                                .dev_mean = pawl_json_get_real(item, "dev_mean", NAN),
                                .nominated = pawl_json_get_bool(item, "nominated", false)};
    return PAWL_OK;
}

static enum pawl_status inherit(struct improve *improve, const json_t *list, struct pawl_error *err)
{
    size_t i;
    const json_t *item;
    improve->inherited =
        PAWL_NEW_N(&improve->arena, struct pawl_inherited, json_array_size(list) + 1);
    json_array_foreach(list, i, item) PAWL_TRY(inherit_one(improve, item, err));
    return PAWL_OK;
}

/* --- settings of the run ------------------------------------------------------------------------------- */

static struct pawl_run_settings run_settings(struct improve *improve)
{
    struct pawl_engine *engine = improve->engine;
    const json_t *budget = json_object_get(improve->run, "budget");
    return (struct pawl_run_settings){
        .id = improve->id,
        .seed = (uint64_t)pawl_json_get_int(improve->run, "seed", 0),
        .lm_seed = engine->worker->config.seed,
        .operator= improve->operator,
        .options = improve->options,
        .texts = json_object_get(improve->run, "texts"),
        .budget = {.evaluations = pawl_json_get_int(budget, "evaluations", -1),
                   .usd = pawl_json_get_real(budget, "usd", -1),
                   .minutes = pawl_json_get_real(budget, "minutes", -1)},
        .dev_check = pawl_json_get_bool(improve->run, "dev_check", true),
        .force = pawl_json_get_bool(improve->run, "force", false),
        .start = improve->start,
        .inherited = improve->inherited,
        .n_inherited = improve->n_inherited,
        .store = engine->store,
        .journal = improve->journal,
        .program = engine->program,
        .evaluator = engine->evaluator,
        .lm = engine->lm,
        .train = &improve->train,
        .dev = &improve->dev,
    };
}

/* A table of prices that lacks the model was refused when the models were opened. */
static bool has_price(const json_t *model)
{
    if (json_object_get(model, "prices")) return true;
    return pawl_json_get_real(model, "price_prompt", -1) >= 0 &&
           pawl_json_get_real(model, "price_completion", -1) >= 0;
}

/* Without a price there is no usd budget. Only a model in our own process costs nothing. */
static enum pawl_status check_prices(struct improve *improve, struct pawl_error *err)
{
    const char *name;
    json_t *model;
    json_object_foreach((json_t *)improve->engine->worker->config.models, name, model)
    {
        bool is_free = strcmp(pawl_json_get_text(model, "backend", ""), "llama") == 0;
        if (is_free || has_price(model)) continue;
        char *field = pawl_arena_printf(&improve->arena, "models.%s.price_prompt", name);
        pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, field,
                     "The model %s has no price, so a budget in usd could not be kept.", name);
        pawl_hint(err, "Give it price_prompt and price_completion, or prices: FILE, or drop usd.");
        return PAWL_ECONFIG;
    }
    return PAWL_OK;
}

/* What can be known to be wrong is said before anything is written; then the front records the run. */
static enum pawl_status begin(struct improve *improve, struct pawl_error *err)
{
    json_t *answer;
    struct pawl_run_settings settings = run_settings(improve);
    if (settings.budget.usd >= 0) PAWL_TRY(check_prices(improve, err));
    PAWL_TRY(pawl_run_check(&settings, err));
    json_t *said = json_pack("{s:i}", "version", improve->operator->version);
    PAWL_TRY(pawl_engine_send(improve->engine, "begin", said, err));
    PAWL_TRY(pawl_engine_wait(improve->engine, &answer, err));
    json_decref(answer);
    return PAWL_OK;
}

/* --- the journal ------------------------------------------------------------------------------------- */

/* Cases may be added between two sessions; a run goes on with those that it began with. */
static void keep_cases(struct improve *improve)
{
    const json_t *header = pawl_journal_header(improve->journal);
    size_t n_train = (size_t)pawl_json_get_int(header, "n_train", 0);
    size_t n_dev = (size_t)pawl_json_get_int(header, "n_dev", 0);
    if (improve->train.n > n_train) improve->train.n = n_train;
    if (improve->dev.n > n_dev) improve->dev.n = n_dev;
}

static enum pawl_status start_journal(struct improve *improve, const char *path,
                                      struct pawl_error *err)
{
    PAWL_TRY(begin(improve, err));
    const char *old = pawl_json_get_text(improve->run, "forked_from", NULL);
    if (old != NULL) {
        json_t *candidates;
        PAWL_TRY(pawl_store_candidates(improve->engine->store, old, &candidates, err));
        enum pawl_status status = inherit(improve, candidates, err);
        json_decref(candidates);
        PAWL_TRY(status);
    }
    json_t *header = json_pack("{s:o, s:o, s:I, s:I}", "identity", identity_of(improve),
                               "inherited", inherited_json(improve), "n_train",
                               (json_int_t)improve->train.n, "n_dev", (json_int_t)improve->dev.n);
    enum pawl_status status =
        pawl_journal_create(path, header, improve->engine->store, &improve->journal, err);
    json_decref(header);
    return status;
}

static enum pawl_status open_journal(struct improve *improve, struct pawl_error *err)
{
    struct pawl_error why = {0};
    const char *path = pawl_arena_printf(&improve->arena, "%s/runs/%s/journal",
                                         improve->engine->worker->store_dir, improve->id);
    enum pawl_status status =
        pawl_journal_open(path, improve->engine->store, &improve->journal, &why);
    if (status == PAWL_ENOTFOUND) return start_journal(improve, path, err);
    if (status != PAWL_OK) {
        *err = why;
        return status;
    }
    PAWL_TRY(check_identity(improve, err));
    keep_cases(improve);
    return inherit(improve, json_object_get(pawl_journal_header(improve->journal), "inherited"),
                   err);
}

/* --- the request ------------------------------------------------------------------------------------------------ */

static enum pawl_status read_operator(struct improve *improve, struct pawl_error *err)
{
    improve->operator= pawl_operator_find(pawl_json_get_text(improve->run, "operator", ""), err);
    if (improve->operator== NULL) return PAWL_ENOTFOUND;
    improve->options = pawl_arena_alloc(&improve->arena, 1, improve->operator->options_bytes + 1);
    return pawl_options_read(pawl_options_or_none(improve->operator->options),
                             json_object_get(improve->run, "options"), "improve.options",
                             &improve->arena, improve->options, err);
}

static enum pawl_status prepare(struct improve *improve, struct pawl_error *err)
{
    struct pawl_engine *engine = improve->engine;
    const char *from = pawl_json_get_text(improve->run, "started_from", "");
    improve->id = pawl_json_get_text(improve->run, "id", NULL);
    if (improve->id == NULL || strchr(improve->id, '/') != NULL)
        return pawl_fail(err, PAWL_EUSAGE, "The run has no proper id.");
    PAWL_TRY(read_operator(improve, err));
    PAWL_TRY(pawl_engine_cases(engine, "train", 0, &improve->arena, &improve->train, err));
    PAWL_TRY(pawl_engine_cases(engine, "dev", 0, &improve->arena, &improve->dev, err));
    PAWL_TRY(pawl_artifact_get(engine->store, &improve->arena, from, &improve->start, err));
    return open_journal(improve, err);
}

/* --- talking to the front -------------------------------------------------------------------------------- */

static enum pawl_status offer(void *context, const struct pawl_offer_call *call, bool *promoted,
                              struct pawl_error *err)
{
    struct pawl_engine *engine = context;
    json_t *answer;
    json_t *question = json_pack("{s:s, s:s, s:I}", "candidate", call->candidate, "behaviour",
                                 call->behaviour, "pace_us", (json_int_t)call->pace_us);
    PAWL_TRY(pawl_engine_send(engine, "offer", question, err));
    PAWL_TRY(pawl_engine_wait(engine, &answer, err));
    *promoted = pawl_json_get_bool(json_object_get(answer, "answer"), "promoted", false);
    json_decref(answer);
    return PAWL_OK;
}

static void say(void *context, const char *text)
{
    json_t *tick = json_pack("{s:s}", "phase", "improve");
    pawl_json_set(tick, "say", pawl_json_string(pawl_str_of(text)));
    (void)!pawl_engine_send(context, "progress", tick, NULL);
}

/* --- the report --------------------------------------------------------------------------------------------- */

static json_t *real_or_null(double value)
{
    return isnan(value) ? json_null() : json_real(value);
}

static json_t *report(const struct pawl_run_result *result, double wall_s)
{
    static const char *const states[] = {"finished", "budget", "paused"};
    static const char *const ends[] = {"no_candidate", "no_nominee", "no_better", "offered"};
    bool paused = result->state == PAWL_RUN_PAUSED;
    json_t *done =
        json_pack("{s:s, s:s, s:b, s:I, s:I, s:I, s:f, s:f, s:o}", "state", states[result->state],
                  "best", result->best, "promoted", result->promoted, "candidates",
                  (json_int_t)result->n_candidates, "resumed_steps",
                  (json_int_t)result->resumed_steps, "evaluations", (json_int_t)result->evaluations,
                  "usd", result->usd, "wall_s", wall_s, "tokens", pawl_tokens_json(&result->usage));
    pawl_json_set(done, "ended", paused ? json_null() : json_string(ends[result->end]));
    pawl_json_set(done, "offered",
                  result->offered[0] != '\0' ? json_string(result->offered) : json_null());
    pawl_json_set(done, "short_of",
                  result->short_of != NULL ? json_string(result->short_of) : json_null());
    pawl_json_set(done, "dev",
                  json_pack("{s:o, s:o}", "seed", real_or_null(result->dev_seed), "best",
                            real_or_null(result->dev_best)));
    return done;
}

/* A pause, and a world that failed, are ends to come back from; the latter is told with its reason. */
static enum pawl_status end_of(struct pawl_engine *engine, enum pawl_status status,
                               const struct pawl_run_result *result, double wall_s, json_t **done,
                               struct pawl_error *err)
{
    bool resumable = status == PAWL_EPAUSED || status == PAWL_EWORLD;
    if (status != PAWL_OK && !resumable) return status;
    *done = report(result, wall_s);
    pthread_mutex_lock(&engine->lock);
    bool asked_for = engine->pausing || engine->closed;
    pthread_mutex_unlock(&engine->lock);
    if (status == PAWL_OK || (status == PAWL_EPAUSED && asked_for)) return PAWL_OK;
    err->status = PAWL_EWORLD;
    json_t *reason = pawl_error_json(err);
    json_object_update(*done, reason);
    json_decref(reason);
    return PAWL_OK;
}

static enum pawl_status go(struct improve *improve, json_t **done, struct pawl_error *err)
{
    struct pawl_engine *engine = improve->engine;
    struct pawl_run_settings settings = run_settings(improve);
    struct pawl_run_result result;
    struct pawl_run *run;
    settings.offer = offer;
    settings.progress = pawl_engine_tell_run;
    settings.say = say;
    settings.context = engine;
    PAWL_TRY(pawl_run_open(&settings, &run, err));
    int64_t started_us = pawl_clock_monotonic_us();
    pawl_engine_start_pace(engine);
    pawl_engine_tell_run(
        engine, &(struct pawl_run_progress){.budget = settings.budget.evaluations, .best = NAN});
    pawl_engine_set_run(engine, run);
    enum pawl_status status = pawl_run_go(run, &result, err);
    pawl_engine_set_run(engine, NULL);
    pawl_run_close(run);
    double wall_s = (double)(pawl_clock_monotonic_us() - started_us) / 1e6;
    struct pawl_error lost;
    enum pawl_status flushed = pawl_store_flush(engine->store, &lost);
    if (status == PAWL_OK && flushed != PAWL_OK) {
        *err = lost;
        status = flushed;
    }
    return end_of(engine, status, &result, wall_s, done, err);
}

enum pawl_status pawl_engine_improve(struct pawl_engine *engine, const json_t *request,
                                     json_t **done, struct pawl_error *err)
{
    struct improve improve = {.engine = engine, .run = json_object_get(request, "run")};
    PAWL_TRY(pawl_engine_open(engine, true, err));
    enum pawl_status status = prepare(&improve, err);
    if (status == PAWL_OK) status = go(&improve, done, err);
    pawl_journal_close(improve.journal);
    pawl_cases_release(&improve.train);
    pawl_cases_release(&improve.dev);
    pawl_arena_release(&improve.arena);
    return status;
}
