/* Requests that ask no model: what is here, is it right, and what a project starts from. */
#include "improve/engine_internal.h"

#include "program/strategy.h"
#include "sandbox/sandbox.h"

const struct pawl_operator *pawl_operator_find(const char *name, struct pawl_error *err)
{
    const char *names[256];
    size_t n = 0;
    for (; pawl_operators[n] != NULL && n < sizeof names / sizeof *names; n++) {
        if (strcmp(pawl_operators[n]->name, name) == 0) return pawl_operators[n];
        names[n] = pawl_operators[n]->name;
    }
    const char *nearest = pawl_nearest_word(name, names, n);
    pawl_fail_at(err, PAWL_ENOTFOUND, NULL, 0, "improve.operator", "There is no operator \"%s\".",
                 name);
    if (nearest != NULL)
        pawl_hint(err, "Did you mean %s?", nearest);
    else
        pawl_hint(err, "`pawl improve --help` lists the operators.");
    return NULL;
}

const struct pawl_option *pawl_options_or_none(const struct pawl_option *table)
{
    static const struct pawl_option none[] = {{0}};
    return table != NULL ? table : none;
}

/* --- describe ------------------------------------------------------------------------------------ */

static json_t *operator_json(const struct pawl_operator *operator)
{
    json_t *roles = json_array(), *texts = json_object();
    for (size_t i = 0; operator->roles != NULL && operator->roles[i] != NULL; i++)
        json_array_append_new(roles, json_string(operator->roles[i]));
    const struct pawl_operator_text *text = operator->texts;
    for (; text != NULL && text->name != NULL; text++)
        pawl_json_set(texts, text->name, json_string(text->help));
    json_t *object = json_pack("{s:s, s:i, s:s, s:s, s:s, s:o, s:o}", "name", operator->name,
                               "version", operator->version, "summary", operator->summary, "paper",
                               operator->paper != NULL ? operator->paper : "", "risks",
                               operator->risks != NULL ? operator->risks : "", "roles", roles,
                               "texts", texts);
    pawl_json_set(object, "options",
                  pawl_options_describe(pawl_options_or_none(operator->options)));
    return object;
}

static json_t *metrics_json(void)
{
    json_t *all = json_object();
    for (size_t i = 0; pawl_metrics[i] != NULL; i++) {
        json_t *one = json_pack("{s:s}", "summary", pawl_metrics[i]->summary);
        pawl_json_set(one, "options",
                      pawl_options_describe(pawl_options_or_none(pawl_metrics[i]->options)));
        pawl_json_set(all, pawl_metrics[i]->name, one);
    }
    return all;
}

static json_t *strategies_json(void)
{
    json_t *all = json_object();
    for (size_t i = 0; pawl_strategies[i] != NULL; i++)
        pawl_json_set(all, pawl_strategies[i]->name, json_string(pawl_strategies[i]->summary));
    return all;
}

static json_t *tables_json(void)
{
    json_t *operators = json_array(), *all = json_object();
    for (size_t i = 0; pawl_operators[i] != NULL; i++)
        json_array_append_new(operators, operator_json(pawl_operators[i]));
    pawl_json_set(all, "operators", operators);
    pawl_json_set(all, "backends", pawl_lm_describe());
    pawl_json_set(all, "metrics", metrics_json());
    pawl_json_set(all, "strategies", strategies_json());
    pawl_json_set(all, "sandbox", pawl_sandbox_describe());
    return all;
}

enum pawl_status pawl_engine_describe(struct pawl_engine *engine, json_t **done,
                                      struct pawl_error *err)
{
    (void)engine;
    (void)err;
    *done = tables_json();
    return PAWL_OK;
}

/* Every request is the one that there is. */
int pawl_tables_main(struct pawl_worker *worker)
{
    json_t *request;
    while (pawl_channel_receive(worker->front, -1, &request, NULL) == PAWL_OK) {
        json_t *message = json_pack("{s:o}", "done", tables_json());
        enum pawl_status status = pawl_channel_send(worker->front, message, NULL);
        json_decref(message);
        json_decref(request);
        if (status != PAWL_OK) break;
    }
    return 0;
}

/* --- the machine ---------------------------------------------------------------------------------- */

enum pawl_status pawl_engine_tune(struct pawl_engine *engine, const json_t *request, json_t **done,
                                  struct pawl_error *err)
{
    const struct pawl_worker *worker = engine->worker;
    struct pawl_lm_settings lm = {.models = worker->config.models,
                                  .roles = worker->config.roles,
                                  .project_dir = worker->project_dir};
    json_t *tuned;
    PAWL_TRY(pawl_lm_tune(&lm, pawl_json_get_text(request, "model", NULL),
                          pawl_json_get_bool(request, "measure", false), &tuned, err));
    *done = json_pack("{s:o}", "tuning", tuned);
    return PAWL_OK;
}

/* --- validate, seed and fields --------------------------------------------------------------------------- */

static enum pawl_status check_names(const char *names, struct pawl_error *err)
{
    struct pawl_arena arena = {0};
    struct pawl_str rest = pawl_str_of(names), part;
    enum pawl_status status = PAWL_OK;
    for (int n = 1; status == PAWL_OK && pawl_str_split(&rest, ',', &part); n++) {
        if (n > PAWL_CHAIN_MAX) {
            status = pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "improve",
                                  "A chain has %d operators at most.", PAWL_CHAIN_MAX);
            break;
        }
        const char *name = pawl_arena_copy(&arena, pawl_str_trim(part)).ptr;
        if (strcmp(name, PAWL_OPERATOR_AUTO) != 0 && pawl_operator_find(name, err) == NULL)
            status = PAWL_ENOTFOUND;
    }
    pawl_arena_release(&arena);
    return status;
}

/* Several, or one that is chosen when a run begins. */
static enum pawl_status check_unsettled(const struct pawl_config *config, struct pawl_error *err)
{
    PAWL_TRY(check_names(config->improve.operator_name, err));
    if (json_object_size(config->improve.options) == 0 &&
        json_object_size(config->improve.texts) == 0)
        return PAWL_OK;
    pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "improve",
                 "Settings and texts are one operator's, and \"%s\" is not one.",
                 config->improve.operator_name);
    pawl_hint(err, "Leave them out, or name one operator.");
    return PAWL_ECONFIG;
}

static enum pawl_status check_operator(const struct pawl_config *config, struct pawl_error *err)
{
    struct pawl_arena arena = {0};
    if (strcmp(config->improve.operator_name, PAWL_OPERATOR_AUTO) == 0 ||
        strchr(config->improve.operator_name, ',') != NULL)
        return check_unsettled(config, err);
    const struct pawl_operator *operator= pawl_operator_find(config->improve.operator_name, err);
    if (operator== NULL) return PAWL_ENOTFOUND;
    void *values = pawl_arena_alloc(&arena, 1, operator->options_bytes + 1);
    enum pawl_status status =
        pawl_options_read(pawl_options_or_none(operator->options), config->improve.options,
                          "improve.options", &arena, values, err);
    pawl_arena_release(&arena);
    return status;
}

enum pawl_status pawl_engine_validate(struct pawl_engine *engine, json_t **done,
                                      struct pawl_error *err)
{
    const struct pawl_worker *worker = engine->worker;
    const struct pawl_config *config = &worker->config;
    struct pawl_metric *metric;
    struct pawl_lm_settings lm = {
        .models = config->models, .roles = config->roles, .project_dir = worker->project_dir};
    struct pawl_program_settings program = {.program = config->program,
                                            .project_dir = worker->project_dir};
    PAWL_TRY(pawl_lm_check(&lm, err));
    PAWL_TRY(pawl_program_check(&program, err));
    PAWL_TRY(pawl_metric_open(config->metric, worker->project_dir, &metric, err));
    pawl_metric_close(metric);
    PAWL_TRY(check_operator(config, err));
    json_t *providers;
    PAWL_TRY(pawl_lm_providers(&lm, &providers, err));
    struct pawl_lm *models;
    enum pawl_status status = pawl_lm_open(&lm, &models, err);
    if (status == PAWL_OK) {
        *done = json_pack("{s:O, s:o}", "providers", providers, "served_here",
                          pawl_lm_served_here(models));
        pawl_lm_close(models);
    }
    json_decref(providers);
    return status;
}

json_t *pawl_engine_surroundings(const struct pawl_engine *engine)
{
    const struct pawl_config *config = &engine->worker->config;
    const struct pawl_program_settings settings = {.program = config->program,
                                                   .project_dir = engine->worker->project_dir};
    json_t *program; /* which is open already, so that this does not fail */
    struct pawl_hash metric;
    char hex[PAWL_HASH_HEX];
    pawl_metric_identity(engine->metric, &metric);
    pawl_hash_hex(&metric, hex);
    json_t *object = json_pack("{s:s, s:I}", "metric", hex, "seed", (json_int_t)config->seed);
    if (pawl_program_identity(&settings, &program, NULL) != PAWL_OK)
        program = json_incref((json_t *)config->program);
    pawl_json_set(object, "program", program);
    if (config->models != NULL)
        pawl_json_set(object, "models", json_incref((json_t *)config->models));
    if (config->roles != NULL) pawl_json_set(object, "roles", json_incref((json_t *)config->roles));
    return object;
}

enum pawl_status pawl_engine_context(struct pawl_engine *engine, json_t **done,
                                     struct pawl_error *err)
{
    PAWL_TRY(pawl_engine_open(engine, false, err));
    *done = json_pack("{s:o}", "surroundings", pawl_engine_surroundings(engine));
    return PAWL_OK;
}

enum pawl_status pawl_engine_seed(struct pawl_engine *engine, json_t **done, struct pawl_error *err)
{
    struct pawl_arena arena = {0};
    struct pawl_artifact *seed;
    PAWL_TRY(pawl_engine_open(engine, false, err));
    enum pawl_status status = pawl_program_seed(engine->program, &arena, &seed, err);
    if (status == PAWL_OK) *done = json_pack("{s:o}", "artifact", pawl_artifact_json(seed));
    pawl_arena_release(&arena);
    return status;
}

enum pawl_status pawl_engine_fields(struct pawl_engine *engine, json_t **done,
                                    struct pawl_error *err)
{
    PAWL_TRY(pawl_engine_open(engine, false, err));
    *done = pawl_program_fields(engine->program);
    return PAWL_OK;
}

enum pawl_status pawl_engine_messages(struct pawl_engine *engine, const json_t *request,
                                      json_t **done, struct pawl_error *err)
{
    struct pawl_arena arena = {0};
    struct pawl_artifact *artifact;
    struct pawl_instance *instance = NULL;
    json_t *modules;
    PAWL_TRY(pawl_engine_open(engine, false, err));
    enum pawl_status status =
        pawl_artifact_from_json(&arena, json_object_get(request, "artifact"), &artifact, err);
    if (status == PAWL_OK)
        status = pawl_program_prepare(engine->program, artifact, 0, &instance, err);
    if (status == PAWL_OK) status = pawl_program_messages(instance, &modules, err);
    if (status == PAWL_OK) *done = json_pack("{s:o}", "modules", modules);
    pawl_program_release(instance);
    pawl_arena_release(&arena);
    return status;
}
