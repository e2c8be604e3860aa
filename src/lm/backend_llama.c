/*
 * The embedded model: libllama in this process. llama_weights.c makes the file ready, llama_prompt.c
 * spells messages, llama_engine.c answers on one thread; here they meet the table of backend.h.
 */
#include "lm/backend.h"

#include "base/clock.h"
#include "io/file.h"
#include "lm/llama_engine.h"
#include "lm/llama_kept.h"
#include "lm/llama_prompt.h"
#include "lm/llama_room.h"
#include "lm/llama_schema.h"
#include "lm/llama_tune.h"
#include "lm/llama_weights.h"
#include "lm/model_file.h"

#include <stdlib.h>

enum { CHOICES_MAX = 1024, TRIAL_TOKENS = 2048 };

struct options {
    const char *model, *weights, *scoring, *speculation, *adapter;
    double adapter_scale;
    int64_t context, threads, batch, ubatch;
};
static const struct pawl_option options[] = {
    {"model", PAWL_OPTION_TEXT, offsetof(struct options, model), NULL, 0, 0, NULL,
     "name in the models folder, or path of a .gguf file", true},
    PAWL_OPT_CHOICE(struct options, weights, "auto", "auto|fast|packaged|f32|f16|bf16|q8_0|q4_0",
                    "form of the weights in memory: auto measures and takes the faster of packaged "
                    "and f32, which round nothing; fast takes the fastest of all, which may round"),
    PAWL_OPT_CHOICE(
        struct options, scoring, "sum", "sum|mean|first|held",
        "log-probability of a choice: of all its tokens, their mean, up to the token that tells it "
        "from the others, or as decoding held to the list draws it (cheapest with many choices)"),
    PAWL_OPT_CHOICE(struct options, speculation, "auto", "auto|off",
                    "greedy answers that copy: auto guesses tokens where that was measured to pay; "
                    "answers are the same"),
    PAWL_OPT_TEXT(struct options, adapter, NULL,
                  "a LoRA adapter (.gguf) for the model, put on whenever it is asked"),
    PAWL_OPT_REAL(struct options, adapter_scale, "1", -100, 100, "how strongly it works; 0: not"),
    PAWL_OPT_INT(struct options, context, "8192", 512, 1048576,
                 "tokens of all requests at work together"),
    PAWL_OPT_INT(struct options, threads, "0", 0, 1024,
                 "threads that compute; 0: what `pawl doctor --tune` kept, else one per core"),
    PAWL_OPT_INT(struct options, batch, "0", 0, PAWL_LLAMA_BATCH,
                 "tokens of one decode, at least 256; 0: what `pawl doctor --tune` kept, else 512"),
    PAWL_OPT_INT(
        struct options, ubatch, "0", 0, PAWL_LLAMA_BATCH,
        "tokens that libllama computes at once, at least 256; 0: what `pawl doctor --tune` "
        "kept, else as many as batch"),
    {0}};

struct llama {
    struct pawl_arena arena; /* of the texts */
    const char *identity;
    struct pawl_lm_adapter own; /* of pawl.yaml; path NULL: none */
    const struct pawl_llama_set *own_set;
    struct pawl_llama_weights weights;
    struct pawl_llama_pace pace;
    struct llama_model *model;
    struct pawl_llama_engine *engine;
    struct pawl_llama_speller speller;
    enum pawl_llama_scoring scoring;
    llama_token end_of_turn;
};

static enum pawl_status check(const struct pawl_lm_open *context, const void *values,
                              struct pawl_error *err)
{
    const struct options *o = values;
    struct pawl_arena arena = {0};
    const char *path;
    enum pawl_status status = pawl_model_find(&arena, o->model, context->project_dir, &path, err);
    if (status == PAWL_OK && o->adapter &&
        !pawl_path_exists(pawl_path_join(&arena, context->project_dir, o->adapter)))
        status = pawl_fail_at(err, PAWL_ENOTFOUND, NULL, 0, "adapter",
                              "There is no adapter file %s.", o->adapter);
    pawl_arena_release(&arena);
    return status;
}

static size_t at_least(int64_t wanted, size_t least)
{
    return (size_t)wanted < least ? least : (size_t)wanted;
}

/* What pawl.yaml says of the pace; 0: nothing. */
static struct pawl_llama_pace fixed_pace(const struct options *o)
{
    struct pawl_llama_pace fixed = {.n_threads = (int)o->threads};
    if (o->batch) fixed.batch_tokens = at_least(o->batch, PAWL_LLAMA_BATCH_MIN);
    if (o->ubatch) fixed.ubatch_tokens = at_least(o->ubatch, PAWL_LLAMA_UBATCH_MIN);
    return fixed;
}

static void close_model(void *state)
{
    struct llama *llama = state;
    pawl_llama_engine_close(llama->engine);
    llama_model_free(llama->model);
    pawl_llama_weights_release(&llama->weights);
    pawl_arena_release(&llama->arena);
    free(llama);
}

static enum pawl_status specify(const struct pawl_lm_open *context, const struct options *o,
                                struct pawl_arena *arena, struct pawl_llama_weights_spec *spec,
                                struct pawl_error *err)
{
    *spec = (struct pawl_llama_weights_spec){
        .form = o->weights,
        /* What all of it takes is looked at before it is made, not by a child that is killed. */
        .context_tokens = o->context < TRIAL_TOKENS ? (size_t)o->context : TRIAL_TOKENS,
        .sealed = context->sealed};
    PAWL_TRY(pawl_model_find(arena, o->model, context->project_dir, &spec->path, err));
    PAWL_TRY(pawl_model_hash(spec->path, !context->sealed, &spec->hash, err));
    struct pawl_llama_pace fixed = fixed_pace(o);
    json_t *entry = pawl_llama_kept_get(&spec->hash);
    spec->pace = pawl_llama_pace_in_use(&fixed, entry);
    json_decref(entry);
    return PAWL_OK;
}

/* own->path stays NULL without one. */
static enum pawl_status name_adapter(const struct pawl_lm_open *context, const struct options *o,
                                     struct pawl_arena *arena, struct pawl_lm_adapter *own,
                                     struct pawl_error *err)
{
    *own = (struct pawl_lm_adapter){.path = NULL};
    if (!o->adapter) return PAWL_OK;
    return pawl_lm_adapter_at(context->lm, arena, o->adapter, o->adapter_scale, own, err);
}

static const char *identity_of(const struct pawl_llama_weights_spec *spec, const char *form,
                               const struct pawl_lm_adapter *own, struct pawl_arena *arena)
{
    char hex[PAWL_HASH_HEX];
    pawl_hash_hex(&spec->hash, hex);
    bool packaged = strcmp(form, "packaged") == 0;
    const char *base =
        pawl_arena_printf(arena, "file:%s%s%s", hex, packaged ? "" : ":", packaged ? "" : form);
    if (!own->path || own->scale == 0) return base;
    pawl_hash_hex(&own->hash, hex);
    return pawl_arena_printf(arena, "%s+lora:%s*%.9g", base, hex, own->scale);
}

static const char *identify(const struct pawl_lm_open *context, const void *values,
                            struct pawl_arena *arena)
{
    struct pawl_llama_weights_spec spec;
    struct pawl_lm_adapter own;
    if (specify(context, values, arena, &spec, NULL) != PAWL_OK ||
        name_adapter(context, values, arena, &own, NULL) != PAWL_OK)
        return NULL;
    const char *form = pawl_llama_weights_form(&spec);
    return form ? identity_of(&spec, form, &own, arena) : NULL;
}

static enum pawl_status open_weights(struct llama *llama, const struct pawl_lm_open *context,
                                     const struct options *o, struct pawl_error *err)
{
    struct pawl_llama_weights_spec spec;
    PAWL_TRY(specify(context, o, &llama->arena, &spec, err));
    PAWL_TRY(name_adapter(context, o, &llama->arena, &llama->own, err));
    PAWL_TRY(pawl_llama_weights_open(&spec, &llama->weights, err));
    llama->pace = spec.pace;
    llama->identity = identity_of(&spec, llama->weights.form, &llama->own, &llama->arena);
    llama->own_set =
        pawl_llama_set_of(&llama->arena, &llama->own, llama->own.path != NULL, NULL, 0);
    return PAWL_OK;
}

static enum pawl_llama_scoring scoring_of(const char *name)
{
    static const char *const names[] = {[PAWL_LLAMA_SUM] = "sum",
                                        [PAWL_LLAMA_MEAN] = "mean",
                                        [PAWL_LLAMA_FIRST] = "first",
                                        [PAWL_LLAMA_HELD] = "held"};
    for (int i = PAWL_LLAMA_SUM; i <= PAWL_LLAMA_HELD; i++)
        if (strcmp(name, names[i]) == 0) return (enum pawl_llama_scoring)i;
    PAWL_BUG("an option that is not in its list");
}

static enum pawl_status start_engine(struct llama *llama, const struct options *o,
                                     struct pawl_error *err)
{
    llama->model = pawl_llama_load(llama->weights.path);
    if (!llama->model)
        return pawl_fail(err, PAWL_EWORLD, "Cannot load the model %s: %s.", llama->weights.path,
                         pawl_llama_last_error());
    PAWL_TRY(pawl_llama_room_check(llama->model, (size_t)o->context, pawl_llama_room_left(), err));
    const struct llama_vocab *vocab = llama_model_get_vocab(llama->model);
    size_t trained = (size_t)llama_model_n_ctx_train(llama->model), wanted = (size_t)o->context;
    llama->speller = (struct pawl_llama_speller){
        .vocab = vocab,
        .template = llama_model_chat_template(llama->model, NULL),
        .limit_tokens = wanted < trained ? wanted : trained,
    };
    llama->scoring = scoring_of(o->scoring);
    llama->end_of_turn = pawl_llama_end_of_turn(&llama->speller);
    struct pawl_llama_engine_settings settings = {
        .model = llama->model,
        .context_tokens = wanted,
        .own = llama->own_set,
        .text_tokens = llama->speller.limit_tokens,
        .pace = llama->pace,
        .speculate = strcmp(o->speculation, "auto") == 0,
    };
    return pawl_llama_engine_open(&settings, &llama->engine, err);
}

static enum pawl_status open_model(const struct pawl_lm_open *context, const void *values,
                                   void **model, struct pawl_error *err)
{
    struct llama *llama = pawl_xcalloc(1, sizeof *llama);
    llama->weights.memory_fd = -1;
    enum pawl_status status = open_weights(llama, context, values, err);
    if (status == PAWL_OK) status = start_engine(llama, values, err);
    if (status != PAWL_OK)
        close_model(llama);
    else
        *model = llama;
    return status;
}

static const char *identity(void *state)
{
    return ((struct llama *)state)->identity;
}

/* ---- Questions to jobs ------------------------------------------------------------------------ */

/* Gives NULL, or a sentence that says why the choices cannot be scored. */
static const char *make_choices(const struct llama *llama, struct pawl_arena *arena,
                                const struct pawl_lm_request *request, struct pawl_llama_job *job)
{
    if (request->n_choices > CHOICES_MAX)
        return pawl_arena_printf(arena, "The request has %zu choices, more than %d.",
                                 request->n_choices, CHOICES_MAX);
    struct pawl_llama_choice *choice =
        PAWL_NEW_N(arena, struct pawl_llama_choice, request->n_choices);
    for (size_t i = 0; i < request->n_choices; i++)
        choice[i].n_tokens =
            pawl_llama_spell(llama->speller.vocab, arena, request->choices[i], &choice[i].tokens);
    job->choices = PAWL_NEW(arena, struct pawl_llama_choices);
    pawl_llama_choices_build(job->choices, arena, choice, request->n_choices, llama->end_of_turn,
                             llama->scoring);
    job->choices->best_only = request->best_only;
    if (job->choices->height > PAWL_LLAMA_HEIGHT_MAX)
        return pawl_arena_printf(arena, "A choice has more than %d tokens.", PAWL_LLAMA_HEIGHT_MAX);
    return NULL;
}

/* The grammar of the last request's schema: requests that share one come together. */
struct held {
    const json_t *schema;
    struct pawl_llama_hold *hold; /* NULL: refused */
    const char *refusal;
};

/* Gives NULL, or a sentence that says why the answer cannot be held to the schema. */
static const char *make_hold(const struct llama *llama, struct pawl_arena *arena,
                             const json_t *schema, struct held *held, struct pawl_llama_job *job)
{
    if (held->schema != schema) {
        struct pawl_error err = {0};
        struct pawl_buf gbnf = PAWL_BUF(PAWL_LLAMA_GRAMMAR_MAX);
        pawl_llama_hold_free(held->hold);
        *held = (struct held){.schema = schema};
        if (pawl_llama_schema_grammar(schema, &gbnf, &err) == PAWL_OK)
            held->hold = pawl_llama_hold_new(llama->speller.vocab, gbnf.data);
        else
            held->refusal = pawl_arena_strdup(arena, err.message);
        pawl_buf_release(&gbnf);
    }
    if (!held->hold)
        return held->refusal ? held->refusal : "libllama does not take the schema's grammar.";
    job->hold = pawl_llama_hold_copy(held->hold);
    return NULL;
}

/* Gives NULL, or a sentence that says why the request cannot be answered. */
static const char *make_job(const struct llama *llama, struct pawl_arena *arena,
                            const struct pawl_lm_request *request, struct pawl_llama_shared *shared,
                            struct held *held, struct pawl_llama_job *job)
{
    if (request->n_choices == 0 && request->max_tokens < 1)
        return "The request allows no token of answer.";
    struct pawl_llama_prompt prompt;
    pawl_llama_prompt_make(&llama->speller, arena, request, shared, &prompt);
    if (prompt.refusal) return prompt.refusal;
    if (request->n_adapters >= PAWL_LLAMA_ADAPTERS_MAX)
        return pawl_arena_printf(arena, "The request names %zu adapters; %d work together.",
                                 request->n_adapters, PAWL_LLAMA_ADAPTERS_MAX - 1);
    *job = (struct pawl_llama_job){
        .role = request->role,
        .prompt = prompt.tokens,
        .n_prompt = prompt.n_tokens,
        .set = pawl_llama_set_of(arena, &llama->own, llama->own.path != NULL, request->adapters,
                                 request->n_adapters),
        .n_shared = prompt.n_shared,
        .sampling = {.temperature = request->temperature, .top_p = request->top_p},
        .stops = request->stops,
        .n_stops = request->n_stops,
        .max_tokens = request->n_choices ? 0 : (size_t)request->max_tokens,
        .text = PAWL_BUF(PAWL_REPLY_MAX),
    };
    struct pawl_random seeded;
    pawl_random_init(&seeded, request->seed);
    struct pawl_str label = {(const char *)&request->sample, sizeof request->sample};
    job->sampling.random = pawl_random_split(&seeded, label);
    if (request->n_choices) {
        const char *refusal = make_choices(llama, arena, request, job);
        if (refusal) return refusal;
    }
    size_t n_answer = job->choices ? job->choices->height : job->max_tokens;
    if (job->n_prompt + n_answer > llama->speller.limit_tokens)
        return pawl_arena_printf(arena,
                                 "The prompt has %zu tokens and the answer may have %zu; the model "
                                 "reads %zu together.",
                                 job->n_prompt, n_answer, llama->speller.limit_tokens);
    return request->schema && !job->choices ? make_hold(llama, arena, request->schema, held, job)
                                            : NULL;
}

static void take_text(struct pawl_arena *arena, const struct pawl_lm_request *request,
                      struct pawl_llama_job *job, struct pawl_lm_reply *reply)
{
    if (job->choices) {
        size_t best = pawl_llama_choices_finish(job->choices);
        reply->text = pawl_arena_copy(arena, request->choices[best]);
        if (!job->choices->best_only) reply->choice_logprobs = job->choices->score;
        reply->usage.completion_tokens = (int64_t)job->choices->choice[best].n_tokens;
        return;
    }
    struct pawl_buf repaired = PAWL_BUF(3 * (size_t)PAWL_REPLY_MAX);
    pawl_utf8_repair(pawl_buf_str(&job->text), &repaired);
    struct pawl_str text = pawl_buf_str(&repaired);
    reply->text = pawl_arena_copy(arena, text);
    reply->truncated = job->truncated;
    reply->usage.completion_tokens = (int64_t)job->n_completion;
    pawl_buf_release(&repaired);
}

static void take_reply(struct pawl_arena *arena, const struct pawl_lm_request *request,
                       struct pawl_llama_job *job, int64_t asked_us, struct pawl_lm_reply *reply)
{
    reply->usage = (struct pawl_usage){
        .prompt_tokens = (int64_t)job->n_prompt,
        .cached_tokens = (int64_t)job->n_cached,
        .latency_us = job->done_us - asked_us,
        .n_requests = 1,
    };
    if (job->refused != PAWL_REPLY_OK) {
        reply->status = job->refused;
        reply->reason = pawl_arena_copy(arena, pawl_buf_str(&job->text)).ptr;
    } else if (job->failure) {
        reply->status = PAWL_REPLY_MISSING;
        reply->reason = job->failure;
    } else {
        reply->status = PAWL_REPLY_OK;
        take_text(arena, request, job, reply);
    }
}

static enum pawl_status ask(void *state, struct pawl_arena *arena,
                            const struct pawl_lm_request *requests, size_t n,
                            struct pawl_lm_reply *replies, struct pawl_error *err)
{
    struct llama *llama = state;
    struct pawl_llama_job *jobs = PAWL_NEW_N(arena, struct pawl_llama_job, n);
    size_t *request_of = PAWL_NEW_N(arena, size_t, n);
    struct pawl_llama_shared shared = {0};
    struct held held = {0};
    size_t n_jobs = 0;
    int64_t asked_us = pawl_clock_monotonic_us();
    for (size_t i = 0; i < n; i++) {
        replies[i] = (struct pawl_lm_reply){.status = PAWL_REPLY_FAILED, .usage.n_requests = 1};
        replies[i].reason = make_job(llama, arena, &requests[i], &shared, &held, &jobs[n_jobs]);
        if (!replies[i].reason) request_of[n_jobs++] = i;
    }
    enum pawl_status status = pawl_llama_engine_run(llama->engine, jobs, n_jobs, err);
    for (size_t j = 0; j < n_jobs; j++) {
        size_t i = request_of[j];
        if (status == PAWL_OK) take_reply(arena, &requests[i], &jobs[j], asked_us, &replies[i]);
        pawl_buf_release(&jobs[j].text);
        pawl_llama_hold_free(jobs[j].hold);
    }
    pawl_llama_hold_free(held.hold);
    return status;
}

/* ---- Vectors ---------------------------------------------------------------------------------- */

static size_t dimension(void *state)
{
    return (size_t)llama_model_n_embd_out(((struct llama *)state)->model);
}

/* Nothing that a text says becomes a control token. */
static enum pawl_status spell_text(const struct llama *llama, struct pawl_arena *arena,
                                   struct pawl_str text, struct pawl_llama_job *job,
                                   struct pawl_error *err)
{
    size_t limit = llama->speller.limit_tokens;
    /* A token is never that long on average: such a text is not spelled to be counted. */
    size_t at_least = text.len / PAWL_LLAMA_TOKEN_BYTES_MAX;
    if (at_least <= limit)
        job->n_prompt = pawl_llama_spell(llama->speller.vocab, arena, text, &job->prompt);
    if (at_least > limit || job->n_prompt > limit)
        return pawl_lm_fail_long_text(text, at_least > limit ? at_least : job->n_prompt, limit,
                                      at_least > limit ? "tokens or more" : "tokens", err);
    return job->n_prompt ? PAWL_OK
                         : pawl_fail(err, PAWL_EUSAGE, "A text of no token has no vector.");
}

static enum pawl_status embed(void *state, const struct pawl_str *texts, size_t n, float *rows,
                              struct pawl_error *err)
{
    struct llama *llama = state;
    struct pawl_arena arena = {0};
    struct pawl_llama_job *jobs = PAWL_NEW_N(&arena, struct pawl_llama_job, n);
    enum pawl_status status = PAWL_OK;
    for (size_t i = 0; i < n && status == PAWL_OK; i++) {
        jobs[i].vector = rows + i * dimension(llama);
        status = spell_text(llama, &arena, texts[i], &jobs[i], err);
    }
    if (status == PAWL_OK) status = pawl_llama_engine_run(llama->engine, jobs, n, err);
    for (size_t i = 0; i < n && status == PAWL_OK; i++)
        if (jobs[i].failure) status = pawl_fail(err, PAWL_EWORLD, "%s", jobs[i].failure);
    pawl_arena_release(&arena);
    return status;
}

static void cancel(void *state)
{
    pawl_llama_engine_cancel(((struct llama *)state)->engine);
}

static json_t *work(void *state)
{
    struct pawl_llama_work work = pawl_llama_engine_work(((struct llama *)state)->engine);
    return json_pack("{s:I, s:I, s:I, s:I, s:f, s:I, s:I, s:I}", "decodes",
                     (json_int_t)work.decodes, "tokens", (json_int_t)work.tokens, "guessed",
                     (json_int_t)work.guessed, "right", (json_int_t)work.right, "saved_s",
                     (double)work.saved_us / 1e6, "batches", (json_int_t)work.batches, "computed",
                     (json_int_t)work.computed, "rows", (json_int_t)work.rows);
}

static int parallel(const void *values)
{
    (void)values;
    return PAWL_LLAMA_SLOTS;
}

/* ---- The machine ------------------------------------------------------------------------------ */

static enum pawl_status measure_anew(const struct pawl_llama_weights_spec *spec,
                                     const struct options *o, struct pawl_error *err)
{
    struct pawl_llama_pace fixed = fixed_pace(o);
    int lock = pawl_llama_kept_lock();
    json_t *entry = pawl_llama_kept_get(&spec->hash);
    enum pawl_status status = PAWL_OK;
    if (lock >= 0 && pawl_llama_kept_put(entry)) {
        status = pawl_llama_tune(spec, &fixed, entry, err);
        if (status == PAWL_OK) (void)pawl_llama_kept_put(entry);
    } else {
        status = pawl_fail(err, PAWL_EWORLD,
                           "What is measured cannot be kept: the cache folder "
                           "cannot be written.");
        pawl_hint(err, "Set XDG_CACHE_HOME, or HOME, to a folder that pawl may write.");
    }
    json_decref(entry);
    pawl_llama_kept_unlock(lock);
    return status;
}

static enum pawl_status tune(const struct pawl_lm_open *context, const void *values, bool measure,
                             json_t **kept, struct pawl_error *err)
{
    const struct options *o = values;
    struct pawl_arena arena = {0};
    struct pawl_llama_weights_spec spec;
    enum pawl_status status = specify(context, o, &arena, &spec, err);
    if (status == PAWL_OK && measure) {
        status = measure_anew(&spec, o, err);
        if (status == PAWL_OK) status = specify(context, o, &arena, &spec, err);
    }
    if (status == PAWL_OK) {
        *kept = pawl_llama_kept_get(&spec.hash);
        const char *form = pawl_llama_weights_form(&spec);
        json_t *in_use = json_pack("{s:i, s:I, s:I, s:s, s:s}", "threads", spec.pace.n_threads,
                                   "batch", (json_int_t)spec.pace.batch_tokens, "ubatch",
                                   (json_int_t)spec.pace.ubatch_tokens, "weights",
                                   form ? form : spec.form, "speculation", o->speculation);
        pawl_json_set(*kept, "in_use", in_use);
    }
    pawl_arena_release(&arena);
    return status;
}

const struct pawl_lm_backend pawl_backend_llama = {
    .api = PAWL_LM_BACKEND_API,
    .name = "llama",
    .summary = "a model file on this machine, run by libllama in this process",
    .flags = PAWL_BACKEND_CACHED | PAWL_BACKEND_CHOICES | PAWL_BACKEND_SCHEMAS |
             PAWL_BACKEND_BEST_ONLY | PAWL_BACKEND_ADAPTERS,
    .options = options,
    .options_bytes = sizeof(struct options),
    .check = check,
    .open = open_model,
    .close = close_model,
    .identity = identity,
    .identify = identify,
    .ask = ask,
    .dimension = dimension,
    .embed = embed,
    .cancel = cancel,
    .parallel = parallel,
    .work = work,
    .tune = tune,
};
