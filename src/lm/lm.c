/* Models and roles: what is configured, checked and loaded. How a model is asked is in ask.c. */
#include "lm/lm.h"

#include "base/hash.h"
#include "io/file.h"
#include "io/http.h"
#include "lm/model.h"
#include "lm/model_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- names ------------------------------------------------------------------------------------ */

static const char *const role_names[PAWL_N_ROLES] = {
    [PAWL_ROLE_TASK] = "task", [PAWL_ROLE_REFLECT] = "reflect", [PAWL_ROLE_JUDGE] = "judge"};

const char *pawl_role_name(enum pawl_role role)
{
    PAWL_ASSERT(role < PAWL_N_ROLES);
    return role_names[role];
}

bool pawl_role_from_name(struct pawl_str name, enum pawl_role *role)
{
    for (size_t i = 0; i < PAWL_N_ROLES; i++)
        if (pawl_str_is(name, role_names[i])) {
            *role = (enum pawl_role)i;
            return true;
        }
    return false;
}

static const struct pawl_lm_backend *find_backend(const char *name)
{
    for (size_t i = 0; pawl_lm_backends[i]; i++)
        if (strcmp(pawl_lm_backends[i]->name, name) == 0) return pawl_lm_backends[i];
    return NULL;
}

static struct pawl_lm_model *find_model(const struct pawl_lm *lm, const char *name)
{
    for (size_t i = 0; i < lm->n_models; i++)
        if (strcmp(lm->models[i].name, name) == 0) return &lm->models[i];
    return NULL;
}

/* A wrong word with the nearest right one, or all of them. */
static enum pawl_status fail_word(struct pawl_error *err, const char *field, const char *what,
                                  const char *word, const char *const *known, size_t n)
{
    const char *nearest = word ? pawl_nearest_word(word, known, n) : NULL;
    pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, field,
                 word ? "There is no %s \"%.80s\"." : "The name of a %s is missing.", what, word);
    struct pawl_buf all = PAWL_BUF(200);
    for (size_t i = 0; i < n; i++) pawl_buf_printf(&all, "%s%s", i > 0 ? ", " : "", known[i]);
    if (nearest)
        pawl_hint(err, "Did you mean %s?", nearest);
    else
        pawl_hint(err, "Known: %s.", all.len > 0 ? all.data : "none");
    pawl_buf_release(&all);
    return PAWL_ECONFIG;
}

static enum pawl_status fail_backend(struct pawl_error *err, const char *field, const char *word)
{
    const char *known[64];
    size_t n = 0;
    for (; pawl_lm_backends[n] && n < 64; n++) known[n] = pawl_lm_backends[n]->name;
    return fail_word(err, field, "backend", word, known, n);
}

/* --- configuration ---------------------------------------------------------------------------- */

static struct pawl_lm_open context_of(struct pawl_lm *lm, const struct pawl_lm_model *model)
{
    return (struct pawl_lm_open){.model = model->name,
                                 .project_dir = lm->project_dir,
                                 .seed = lm->seed,
                                 .sealed = lm->sealed,
                                 .lm = lm};
}

static int64_t read_concurrency(const struct pawl_lm_model *model)
{
    for (const struct pawl_option *o = model->backend->options; o && o->name; o++)
        if (strcmp(o->name, "concurrency") == 0)
            return *(const int64_t *)(const void *)((const char *)model->options + o->offset);
    return 0;
}

static enum pawl_status configure_model(struct pawl_lm *lm, struct pawl_lm_model *model,
                                        const json_t *object, struct pawl_error *err)
{
    const char *field = pawl_arena_printf(&lm->arena, "models.%s", model->name);
    if (!json_is_object(object)) {
        pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, field, "%s must be a map.", field);
        pawl_hint(err, "E.g. {backend: llama, model: smollm2-135m}.");
        return PAWL_ECONFIG;
    }
    const char *name = pawl_json_get_text(object, "backend", NULL);
    const struct pawl_lm_backend *backend = name ? find_backend(name) : NULL;
    if (!backend)
        return fail_backend(err, pawl_arena_printf(&lm->arena, "%s.backend", field), name);
    PAWL_ASSERT(backend->api == PAWL_LM_BACKEND_API);
    model->given = json_deep_copy(object);
    if (!model->given) abort();
    json_object_del(model->given, "backend");
    model->options = pawl_arena_alloc(&lm->arena, 1, backend->options_bytes);
    PAWL_TRY(
        pawl_options_read(backend->options, model->given, field, &lm->arena, model->options, err));
    model->backend = backend;
    model->concurrency = read_concurrency(model);
    return PAWL_OK;
}

static enum pawl_status configure_models(struct pawl_lm *lm, const json_t *models,
                                         struct pawl_error *err)
{
    if (models && !json_is_object(models)) {
        pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "models", "models must be a map of names.");
        pawl_hint(err, "E.g. models: {small: {backend: llama, model: smollm2-135m}}.");
        return PAWL_ECONFIG;
    }
    size_t n = json_object_size(models);
    lm->models = PAWL_NEW_N(&lm->arena, struct pawl_lm_model, n + 1);
    const char *name;
    json_t *object;
    json_object_foreach((json_t *)(uintptr_t)models, name, object)
    {
        struct pawl_lm_model *model = &lm->models[lm->n_models++];
        model->name = pawl_arena_strdup(&lm->arena, name);
        pthread_mutex_init(&model->load_lock, NULL);
        pthread_mutex_init(&model->slot_lock, NULL);
        pthread_cond_init(&model->slot_free, NULL);
        PAWL_TRY(configure_model(lm, model, object, err));
    }
    return PAWL_OK;
}

static enum pawl_status fail_model(const struct pawl_lm *lm, const char *field, const char *word,
                                   struct pawl_error *err)
{
    const char *known[64];
    size_t n = 0;
    for (; n < lm->n_models && n < 64; n++) known[n] = lm->models[n].name;
    return fail_word(err, field, "model", word, known, n);
}

/* A role that is not named is played by task's model, task by the only model. */
static enum pawl_status configure_roles(struct pawl_lm *lm, const json_t *roles,
                                        struct pawl_error *err)
{
    if (roles && !json_is_object(roles))
        return pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "roles",
                            "roles must be a map of task, reflect and judge to models.");
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)roles, name, value)
    {
        const char *field = pawl_arena_printf(&lm->arena, "roles.%s", name);
        enum pawl_role role;
        if (!pawl_role_from_name(pawl_str_of(name), &role))
            return fail_word(err, field, "role", name, role_names, PAWL_N_ROLES);
        const char *model = json_string_value(value);
        lm->roles[role] = model ? find_model(lm, model) : NULL;
        if (!lm->roles[role]) return fail_model(lm, field, model, err);
    }
    if (!lm->roles[PAWL_ROLE_TASK] && lm->n_models == 1) lm->roles[PAWL_ROLE_TASK] = lm->models;
    if (!lm->roles[PAWL_ROLE_TASK] && lm->n_models > 1) {
        pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "roles.task",
                     "There are %zu models, and none is named for the role task.", lm->n_models);
        pawl_hint(err, "E.g. roles: {task: %s}.", lm->models[0].name);
        return PAWL_ECONFIG;
    }
    for (size_t i = 0; i < PAWL_N_ROLES; i++)
        if (!lm->roles[i]) lm->roles[i] = lm->roles[PAWL_ROLE_TASK];
    return PAWL_OK;
}

/* A field that a backend names is its own option. */
static enum pawl_status check_model(struct pawl_lm *lm, struct pawl_lm_model *model,
                                    struct pawl_error *err)
{
    if (!model->backend->check) return PAWL_OK;
    struct pawl_lm_open context = context_of(lm, model);
    struct pawl_error local = {0};
    if (!err) err = &local;
    enum pawl_status status = model->backend->check(&context, model->options, err);
    if (status != PAWL_OK) {
        char option[sizeof err->field];
        memcpy(option, err->field, sizeof option);
        snprintf(err->field, sizeof err->field, "models.%.60s%s%.50s", model->name,
                 option[0] ? "." : "", option);
    }
    return status;
}

enum pawl_status pawl_lm_open(const struct pawl_lm_settings *settings, struct pawl_lm **out,
                              struct pawl_error *err)
{
    pawl_crypto_init();
    struct pawl_lm *lm = pawl_xcalloc(1, sizeof *lm);
    pthread_mutex_init(&lm->http_lock, NULL);
    lm->project_dir =
        pawl_arena_strdup(&lm->arena, settings->project_dir ? settings->project_dir : ".");
    lm->cache = settings->cache;
    lm->metered = settings->purse != NULL;
    if (lm->metered) lm->purse = *settings->purse;
    lm->seed = settings->seed;
    lm->sealed = settings->sealed;
    PAWL_ASSERT(!(lm->sealed && lm->cache));

    enum pawl_status status = configure_models(lm, settings->models, err);
    if (status == PAWL_OK) status = configure_roles(lm, settings->roles, err);
    for (size_t i = 0; status == PAWL_OK && i < lm->n_models; i++)
        status = check_model(lm, &lm->models[i], err);
    if (status != PAWL_OK) {
        pawl_lm_close(lm);
        return status;
    }
    *out = lm;
    return PAWL_OK;
}

enum pawl_status pawl_lm_check(const struct pawl_lm_settings *settings, struct pawl_error *err)
{
    struct pawl_lm *lm;
    PAWL_TRY(pawl_lm_open(settings, &lm, err));
    pawl_lm_close(lm);
    return PAWL_OK;
}

static enum pawl_status tune_models(struct pawl_lm *lm, const char *only, bool measure,
                                    json_t *tuned, struct pawl_error *err)
{
    if (only && !find_model(lm, only)) return fail_model(lm, "models", only, err);
    for (size_t i = 0; i < lm->n_models; i++) {
        struct pawl_lm_model *model = &lm->models[i];
        if (!model->backend->tune || (only && strcmp(only, model->name) != 0)) continue;
        struct pawl_lm_open context = context_of(lm, model);
        json_t *kept;
        PAWL_TRY(model->backend->tune(&context, model->options, measure, &kept, err));
        pawl_json_set(tuned, model->name, kept);
    }
    return PAWL_OK;
}

enum pawl_status pawl_lm_tune(const struct pawl_lm_settings *settings, const char *model,
                              bool measure, json_t **tuned, struct pawl_error *err)
{
    struct pawl_lm *lm;
    PAWL_TRY(pawl_lm_open(settings, &lm, err));
    *tuned = json_object();
    enum pawl_status status = tune_models(lm, model, measure, *tuned, err);
    if (status != PAWL_OK) json_decref(*tuned);
    pawl_lm_close(lm);
    return status;
}

/* First the models that may stand in front of others, i.e. in any order: nobody asks any more. */
void pawl_lm_close(struct pawl_lm *lm)
{
    if (!lm) return;
    for (size_t i = 0; i < lm->n_models; i++) {
        struct pawl_lm_model *model = &lm->models[i];
        void *state = atomic_load(&model->state);
        if (state) model->backend->close(state);
        free(atomic_load(&model->identity));
        json_decref(model->given);
        pthread_cond_destroy(&model->slot_free);
        pthread_mutex_destroy(&model->slot_lock);
        pthread_mutex_destroy(&model->load_lock);
    }
    pawl_http_close(lm->http);
    pthread_mutex_destroy(&lm->http_lock);
    pawl_arena_release(&lm->arena);
    free(lm);
}

/* --- loading and questions about a model ------------------------------------------------------ */

enum pawl_status pawl_lm_fail_canceled(struct pawl_error *err)
{
    return pawl_fail(err, PAWL_EPAUSED, "Asking models was stopped on request.");
}

/* Under load_lock: open, and be what was named. */
static enum pawl_status open_state(struct pawl_lm *lm, struct pawl_lm_model *model, void **state,
                                   struct pawl_error *err)
{
    struct pawl_lm_open context = context_of(lm, model);
    PAWL_TRY(model->backend->open(&context, model->options, state, err));
    PAWL_ASSERT(*state);
    const char *named = atomic_load(&model->identity);
    const char *identity = model->backend->identity(*state);
    if (!named) {
        atomic_store(&model->identity, pawl_xstrdup(identity));
    } else if (strcmp(named, identity) != 0) {
        pawl_fail(err, PAWL_EWORLD, "The model %s was named %.110s and loads as %.110s.",
                  model->name, named, identity);
        pawl_hint(err, "Its file or what was written out of it changed meanwhile: run again.");
        model->backend->close(*state);
        *state = NULL;
        return PAWL_EWORLD;
    }
    return PAWL_OK;
}

/* Under load_lock: open for everybody, or keep the reason for those who wait. */
static enum pawl_status load_locked(struct pawl_lm *lm, struct pawl_lm_model *model, void **state,
                                    struct pawl_error *err)
{
    struct pawl_error failure = {0};
    enum pawl_status status = open_state(lm, model, state, &failure);
    if (status != PAWL_OK) {
        failure.status = status;
        model->failure = failure;
        atomic_fetch_add(&model->n_failures, 1);
        if (err) *err = failure;
        return status;
    }
    atomic_store(&model->state, *state);
    /* pawl_lm_cancel either saw the state or set the flag before. */
    if (atomic_load(&lm->canceled) && model->backend->cancel) model->backend->cancel(*state);
    return PAWL_OK;
}

enum pawl_status pawl_lm_load(struct pawl_lm *lm, struct pawl_lm_model *model, void **state,
                              struct pawl_error *err)
{
    *state = atomic_load(&model->state);
    if (*state) return PAWL_OK;
    unsigned n_failures = atomic_load(&model->n_failures);
    pthread_mutex_lock(&model->load_lock);
    enum pawl_status status = PAWL_OK;
    *state = atomic_load(&model->state);
    if (!*state && atomic_load(&model->n_failures) != n_failures) { /* while this thread waited */
        status = model->failure.status;
        if (err) *err = model->failure;
    } else if (!*state) {
        status = load_locked(lm, model, state, err);
    }
    pthread_mutex_unlock(&model->load_lock);
    return status;
}

static void name_unloaded(struct pawl_lm *lm, struct pawl_lm_model *model)
{
    struct pawl_arena arena = {0};
    pthread_mutex_lock(&model->load_lock);
    if (!atomic_load(&model->identity)) {
        struct pawl_lm_open context = context_of(lm, model);
        const char *identity = model->backend->identify(&context, model->options, &arena);
        if (identity) atomic_store(&model->identity, pawl_xstrdup(identity));
    }
    pthread_mutex_unlock(&model->load_lock);
    pawl_arena_release(&arena);
}

enum pawl_status pawl_lm_name(struct pawl_lm *lm, struct pawl_lm_model *model,
                              const char **identity, struct pawl_error *err)
{
    void *state;
    *identity = atomic_load(&model->identity);
    if (!*identity && lm->cache && model->backend->identify) name_unloaded(lm, model);
    if (!atomic_load(&model->identity)) PAWL_TRY(pawl_lm_load(lm, model, &state, err));
    *identity = atomic_load(&model->identity);
    return PAWL_OK;
}

void pawl_lm_cancel(struct pawl_lm *lm)
{
    atomic_store(&lm->canceled, true);
    for (size_t i = 0; i < lm->n_models; i++) {
        struct pawl_lm_model *model = &lm->models[i];
        void *state = atomic_load(&model->state);
        if (state && model->backend->cancel) model->backend->cancel(state);
        pthread_mutex_lock(&model->slot_lock);
        pthread_cond_broadcast(&model->slot_free);
        pthread_mutex_unlock(&model->slot_lock);
    }
}

enum pawl_status pawl_lm_http(struct pawl_lm *lm, struct pawl_http **http, struct pawl_error *err)
{
    enum pawl_status status = PAWL_OK;
    pthread_mutex_lock(&lm->http_lock);
    if (!lm->http) status = pawl_http_open(&lm->http, err);
    *http = lm->http;
    pthread_mutex_unlock(&lm->http_lock);
    return status;
}

static enum pawl_status role_model(struct pawl_lm *lm, enum pawl_role role,
                                   struct pawl_lm_model **model, struct pawl_error *err)
{
    PAWL_ASSERT(role < PAWL_N_ROLES);
    *model = lm->roles[role];
    if (*model) return PAWL_OK;
    pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "models", "A model is asked, and none is configured.");
    pawl_hint(err, "Add one, e.g. models: {small: {backend: llama, model: smollm2-135m}}.");
    return PAWL_ECONFIG;
}

static void meter(struct pawl_lm_meter *meter, const struct pawl_usage *usage)
{
    if (usage->n_cached > 0) return;
    atomic_fetch_add(&meter->prompt_tokens, usage->prompt_tokens);
    atomic_fetch_add(&meter->completion_tokens, usage->completion_tokens);
    atomic_fetch_add(&meter->cached_tokens, usage->cached_tokens);
    atomic_fetch_add(&meter->cost_microusd, usage->cost_microusd);
    atomic_fetch_add(&meter->n_requests, usage->n_requests);
}

void pawl_lm_spent(struct pawl_lm *lm, struct pawl_usage *usage)
{
    const struct pawl_usage spent = {.prompt_tokens = atomic_load(&lm->meter.prompt_tokens),
                                     .completion_tokens = atomic_load(&lm->meter.completion_tokens),
                                     .cached_tokens = atomic_load(&lm->meter.cached_tokens),
                                     .cost_microusd = atomic_load(&lm->meter.cost_microusd),
                                     .n_requests = atomic_load(&lm->meter.n_requests)};
    pawl_usage_add(usage, &spent);
}

json_t *pawl_lm_work(const struct pawl_lm *lm)
{
    json_t *all = json_object();
    for (size_t i = 0; i < lm->n_models; i++) {
        const struct pawl_lm_model *model = &lm->models[i];
        void *state = atomic_load(&model->state);
        if (state && model->backend->work)
            pawl_json_set(all, model->name, model->backend->work(state));
    }
    return all;
}

enum pawl_status pawl_lm_ask(struct pawl_lm *lm, struct pawl_arena *arena,
                             const struct pawl_lm_request *requests, size_t n,
                             struct pawl_lm_reply *replies, struct pawl_error *err)
{
    for (size_t i = 0, end; i < n; i = end) { /* neighbours of one model together */
        struct pawl_lm_model *model;
        PAWL_TRY(role_model(lm, requests[i].role, &model, err));
        for (end = i + 1; end < n && lm->roles[requests[end].role] == model;) end++;
        PAWL_TRY(pawl_lm_model_ask(lm, model, arena, requests + i, end - i, replies + i, err));
        for (size_t k = i; k < end; k++) meter(&lm->meter, &replies[k].usage);
    }
    return PAWL_OK;
}

enum pawl_status pawl_lm_adapter_at(const struct pawl_lm *lm, struct pawl_arena *arena,
                                    const char *path, double scale, struct pawl_lm_adapter *adapter,
                                    struct pawl_error *err)
{
    *adapter = (struct pawl_lm_adapter){.scale = scale};
    adapter->path = pawl_arena_strdup(arena, pawl_path_join(arena, lm->project_dir, path));
    return pawl_model_hash(adapter->path, !lm->sealed, &adapter->hash, err);
}

enum pawl_status pawl_lm_embed(struct pawl_lm *lm, struct pawl_arena *arena, enum pawl_role role,
                               const struct pawl_str *texts, size_t n,
                               struct pawl_lm_vectors *vectors, struct pawl_error *err)
{
    struct pawl_lm_model *model;
    PAWL_TRY(role_model(lm, role, &model, err));
    return pawl_lm_model_embed(lm, model, arena, texts, n, vectors, err);
}

int pawl_lm_parallel(struct pawl_lm *lm, enum pawl_role role)
{
    struct pawl_lm_model *model;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (role_model(lm, role, &model, NULL) == PAWL_OK && model->backend->parallel)
        return model->backend->parallel(model->options);
    return cores > 0 ? (int)cores : 1;
}

static bool can(struct pawl_lm *lm, enum pawl_role role, unsigned flag)
{
    struct pawl_lm_model *model;
    return role_model(lm, role, &model, NULL) == PAWL_OK && (model->backend->flags & flag);
}

bool pawl_lm_scores_choices(struct pawl_lm *lm, enum pawl_role role)
{
    return can(lm, role, PAWL_BACKEND_CHOICES);
}

bool pawl_lm_holds_schemas(struct pawl_lm *lm, enum pawl_role role)
{
    return can(lm, role, PAWL_BACKEND_SCHEMAS);
}

enum pawl_status pawl_lm_identity(struct pawl_lm *lm, enum pawl_role role, const char **identity,
                                  struct pawl_error *err)
{
    struct pawl_lm_model *model;
    PAWL_TRY(role_model(lm, role, &model, err));
    return pawl_lm_name(lm, model, identity, err);
}

int64_t pawl_lm_worst_cost(struct pawl_lm *lm, const struct pawl_lm_request *request)
{
    struct pawl_lm_model *model;
    void *state;
    if (role_model(lm, request->role, &model, NULL) != PAWL_OK || !model->backend->worst_cost ||
        pawl_lm_load(lm, model, &state, NULL) != PAWL_OK)
        return -1;
    return model->backend->worst_cost(state, request);
}

bool pawl_lm_all_scripted(const struct pawl_lm_settings *settings)
{
    const char *name;
    json_t *object;
    json_object_foreach((json_t *)(uintptr_t)settings->models, name, object)
    {
        const struct pawl_lm_backend *backend =
            find_backend(pawl_json_get_text(object, "backend", ""));
        if (!backend || !(backend->flags & PAWL_BACKEND_SCRIPTED)) return false;
    }
    return json_object_size(settings->models) > 0;
}

/* --- who is sent prompts ---------------------------------------------------------------------- */

static const char *provider_of(const struct pawl_lm_model *model, struct pawl_arena *arena)
{
    const struct pawl_lm_backend *backend = model->backend;
    if (backend->provider) return backend->provider(model->options, arena);
    return backend->flags & PAWL_BACKEND_NETWORK ? backend->name : NULL;
}

static json_t *providers_of(const struct pawl_lm *lm)
{
    struct pawl_arena arena = {0};
    json_t *roles = json_object(), *list = json_array();
    for (size_t i = 0; i < PAWL_N_ROLES; i++) {
        const char *provider = lm->roles[i] ? provider_of(lm->roles[i], &arena) : NULL;
        if (!provider) continue;
        json_t *played = json_object_get(roles, provider);
        if (!played) {
            played = json_array();
            json_array_append_new(list,
                                  json_pack("{s:s, s:O}", "provider", provider, "roles", played));
            pawl_json_set(roles, provider, played);
        }
        json_array_append_new(played, json_string(role_names[i]));
    }
    json_decref(roles);
    pawl_arena_release(&arena);
    return list;
}

json_t *pawl_lm_served_here(const struct pawl_lm *lm)
{
    struct pawl_arena arena = {0};
    json_t *list = json_array();
    for (size_t i = 0; i < PAWL_N_ROLES; i++) {
        const struct pawl_lm_model *model = i != PAWL_ROLE_REFLECT ? lm->roles[i] : NULL;
        if (model && model->backend->flags & PAWL_BACKEND_NETWORK && !provider_of(model, &arena))
            json_array_append_new(list, json_string(role_names[i]));
    }
    pawl_arena_release(&arena);
    return list;
}

enum pawl_status pawl_lm_providers(const struct pawl_lm_settings *settings, json_t **providers,
                                   struct pawl_error *err)
{
    struct pawl_lm *lm;
    PAWL_TRY(pawl_lm_open(settings, &lm, err));
    *providers = providers_of(lm);
    pawl_lm_close(lm);
    return PAWL_OK;
}

json_t *pawl_lm_describe(void)
{
    json_t *all = json_object();
    for (size_t i = 0; pawl_lm_backends[i]; i++) {
        const struct pawl_lm_backend *backend = pawl_lm_backends[i];
        json_t *one = json_object();
        pawl_json_set(one, "summary", pawl_json_string(pawl_str_of(backend->summary)));
        pawl_json_set(one, "options", pawl_options_describe(backend->options));
        pawl_json_set(all, backend->name, one);
    }
    return all;
}

/* --- for backends that stand in front of another model ---------------------------------------- */

const struct pawl_lm_backend *pawl_lm_find_backend(const struct pawl_lm *lm, const char *name)
{
    const struct pawl_lm_model *model = find_model(lm, name);
    return model ? model->backend : NULL;
}

enum pawl_status pawl_lm_ask_model(struct pawl_lm *lm, const char *name, struct pawl_arena *arena,
                                   const struct pawl_lm_request *requests, size_t n,
                                   struct pawl_lm_reply *replies, struct pawl_error *err)
{
    struct pawl_lm_model *model = find_model(lm, name);
    PAWL_ASSERT(model);
    return pawl_lm_model_ask(lm, model, arena, requests, n, replies, err);
}

enum pawl_status pawl_lm_model_identity(struct pawl_lm *lm, const char *name, const char **identity,
                                        struct pawl_error *err)
{
    struct pawl_lm_model *model = find_model(lm, name);
    PAWL_ASSERT(model);
    return pawl_lm_name(lm, model, identity, err);
}
