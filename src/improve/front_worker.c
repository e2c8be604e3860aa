/* Starting pawl-worker in a role, and talking to it. */
#include "improve/front.h"

#include "improve/protocol.h"
#include "improve/vault_user.h"
#include "io/file.h"
#include "io/process.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Real time between looks at the cancel flag while a worker is busy. */
enum { TICK_MS = 50, END_GRACE_MS = 2000 };

/* The folder of the running program, or NULL. */
static const char *own_folder(struct pawl_arena *arena)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0) return NULL;
    self[n] = '\0';
    char *slash = strrchr(self, '/');
    if (slash != NULL) *slash = '\0';
    return pawl_arena_strdup(arena, self);
}

enum pawl_status pawl_front_helper(struct pawl_arena *arena, const char *name, const char **path,
                                   struct pawl_error *err)
{
    const char *self = own_folder(arena);
    const char *const folders[] = {
        getenv("PAWL_EXEC_PATH"), self,
        self != NULL ? pawl_path_join(arena, self, PAWL_LIBEXEC_FROM_BIN) : NULL, PAWL_LIBEXECDIR};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        if (folders[i] == NULL) continue;
        *path = pawl_path_join(arena, folders[i], name);
        if (pawl_path_exists(*path)) return PAWL_OK;
    }
    pawl_fail(err, PAWL_EWORLD, "The helper program %s was not found.", name);
    pawl_hint(err, "Install pawl completely, or name the folder of its helpers in PAWL_EXEC_PATH.");
    return PAWL_EWORLD;
}

/* What every worker may know. Keys of models are added for those that ask models. */
static const char *const shared_variables[] = {"PATH",          "HOME",           "TMPDIR",
                                               "LANG",          "LC_ALL",         "PAWL_MODELS",
                                               "XDG_DATA_HOME", "XDG_CACHE_HOME", "ASAN_OPTIONS",
                                               "UBSAN_OPTIONS", "LSAN_OPTIONS"};
static const char *const network_variables[] = {
    "OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "PAWL_LM_URL",  "http_proxy",    "https_proxy",
    "no_proxy",        "SSL_CERT_FILE",      "SSL_CERT_DIR", "CURL_CA_BUNDLE"};

static void add_variable(struct pawl_arena *arena, const char **env, size_t *n, const char *name)
{
    const char *value = getenv(name);
    if (value != NULL) env[(*n)++] = pawl_arena_printf(arena, "%s=%s", name, value);
}

/* Where a provider's key is when key_env does not say. */
static const char *usual_key(const char *backend)
{
    if (strcmp(backend, "openai") == 0) return "OPENAI_API_KEY";
    if (strcmp(backend, "anthropic") == 0) return "ANTHROPIC_API_KEY";
    return NULL;
}

static const char *const *worker_environment(struct pawl_project *project, const char *role,
                                             struct pawl_arena *arena)
{
    size_t n = 0;
    size_t n_shared = sizeof shared_variables / sizeof *shared_variables;
    size_t n_network = sizeof network_variables / sizeof *network_variables;
    const json_t *models = project != NULL ? project->config.models : NULL;
    size_t n_models = json_object_size(models);
    const char **env = PAWL_NEW_N(arena, const char *, n_shared + n_network + n_models + 1);
    for (size_t i = 0; i < n_shared; i++) add_variable(arena, env, &n, shared_variables[i]);
    if (strcmp(role, PAWL_ROLE_VAULT_NAME) == 0) return env;
    for (size_t i = 0; i < n_network; i++) add_variable(arena, env, &n, network_variables[i]);
    const char *name;
    json_t *model;
    json_object_foreach((json_t *)models, name, model)
    {
        const char *key_env = pawl_json_get_text(model, "key_env", NULL);
        if (key_env == NULL) key_env = usual_key(pawl_json_get_text(model, "backend", ""));
        if (key_env != NULL) add_variable(arena, env, &n, key_env);
    }
    return env;
}

static json_t *hello(struct pawl_project *project, const char *role, json_t *read,
                     struct pawl_arena *arena)
{
    json_t *body = json_object();
    if (project == NULL) return json_pack("{s:o}", "hello", body);
    pawl_json_set(body, "config", json_incref(project->config.json));
    pawl_json_set(body, "project_dir", json_string(project->dir));
    pawl_json_set(body, "store_dir",
                  json_string(pawl_path_join(arena, project->dir, ".pawl/store")));
    pawl_json_set(body, "read", read != NULL ? json_incref(read) : json_array());
    pawl_json_set(body, "deny", pawl_front_case_files(project));
    pawl_json_set(body, "test_seed",
                  project->test_mode ? json_integer((json_int_t)project->test_seed) : json_null());
    if (strcmp(role, PAWL_ROLE_VAULT_NAME) == 0) {
        pawl_json_set(body, "sealed_dir", json_string(pawl_front_sealed_dir(project, arena)));
        pawl_json_set(body, "vault_home", json_string(pawl_front_vault_home(project, arena)));
        pawl_json_set(body, "vault_uid", json_integer(pawl_vault_user_of(project)));
    }
    return json_pack("{s:o}", "hello", body);
}

/* Such a process has no stderr: a library that complains must not print a sealed case to the terminal. */
static bool sees_sealed_cases(const char *role)
{
    return strcmp(role, PAWL_ROLE_VAULT_NAME) == 0 || strcmp(role, PAWL_ROLE_SEALED_NAME) == 0;
}

static enum pawl_status spawn(struct pawl_project *project, const char *role, int channel_fd,
                              struct pawl_front_fds given, struct pawl_arena *arena, pid_t *pid,
                              struct pawl_error *err)
{
    const char *path;
    PAWL_TRY(pawl_front_helper(arena, "pawl-worker", &path, err));
    const char *argv[] = {"pawl-worker", role, NULL};
    struct pawl_process_fd fds[4] = {{channel_fd, PAWL_FD_FRONT}};
    size_t n = 1;
    if (given.peer > 0) fds[n++] = (struct pawl_process_fd){given.peer, PAWL_FD_PEER};
    if (given.judge > 0) fds[n++] = (struct pawl_process_fd){given.judge, PAWL_FD_JUDGE};
    if (!sees_sealed_cases(role)) fds[n++] = (struct pawl_process_fd){STDERR_FILENO, STDERR_FILENO};
    struct pawl_process spec = {.path = path,
                                .argv = argv,
                                .env = worker_environment(project, role, arena),
                                .cwd = project != NULL ? project->dir : "/",
                                .fds = fds,
                                .n_fds = n};
    return pawl_process_start(&spec, pid, err);
}

enum pawl_status pawl_front_start(struct pawl_project *project, const char *role,
                                  struct pawl_front_fds fds, json_t *read,
                                  struct pawl_front_worker *worker, struct pawl_error *err)
{
    int pair[2];
    struct pawl_arena arena = {0};
    *worker = (struct pawl_front_worker){.pid = -1};
    PAWL_TRY(pawl_socket_pair(pair, err));
    enum pawl_status status = spawn(project, role, pair[1], fds, &arena, &worker->pid, err);
    close(pair[1]);
    if (status != PAWL_OK) {
        close(pair[0]);
    } else {
        worker->channel = pawl_channel_open(pair[0]);
        json_t *message = hello(project, role, read, &arena);
        status = pawl_channel_send(worker->channel, message, err);
        json_decref(message);
        if (status != PAWL_OK) pawl_front_end(worker);
    }
    pawl_arena_release(&arena);
    return status;
}

void pawl_front_end(struct pawl_front_worker *worker)
{
    int exit_status;
    if (worker->channel != NULL) pawl_channel_close(worker->channel);
    if (worker->pid > 0) pawl_process_end(worker->pid, END_GRACE_MS, END_GRACE_MS, &exit_status);
    *worker = (struct pawl_front_worker){.pid = -1};
}

/* The engine winds down and answers; the others are given up by our caller, who ends them. */
static enum pawl_status pause_worker(struct pawl_front_worker *worker, bool can_pause,
                                     struct pawl_error *err)
{
    if (worker->pausing) return PAWL_OK;
    if (!can_pause) return pawl_fail(err, PAWL_EPAUSED, "Stopped on request.");
    json_t *pause = json_pack("{s:b}", "pause", 1);
    enum pawl_status status = pawl_channel_send(worker->channel, pause, err);
    json_decref(pause);
    worker->pausing = status == PAWL_OK;
    return status;
}

static enum pawl_status take_message(struct pawl_call *call, struct pawl_front_worker *worker,
                                     const json_t *message, pawl_front_handler handler,
                                     void *context, json_t **done, struct pawl_error *err)
{
    json_t *answer = json_object_get(message, "done");
    if (answer != NULL) {
        *done = json_incref(answer);
        return PAWL_OK;
    }
    if (json_object_get(message, "error") != NULL) return pawl_error_from_json(message, err);
    if (json_object_get(message, "progress") != NULL) {
        pawl_front_progress(call, json_object_get(message, "progress"));
        return PAWL_OK;
    }
    if (handler == NULL) return pawl_fail(err, PAWL_EWORLD, "A worker said something unexpected.");
    return handler(context, worker, message, err);
}

enum pawl_status pawl_front_request(struct pawl_call *call, struct pawl_front_worker *worker,
                                    json_t *request, pawl_front_handler handler, void *context,
                                    json_t **done, struct pawl_error *err)
{
    *done = NULL;
    bool can_pause = pawl_str_is(pawl_json_get_str(request, "op"), "improve") ||
                     pawl_str_is(pawl_json_get_str(request, "op"), "evaluate");
    enum pawl_status status = pawl_channel_send(worker->channel, request, err);
    json_decref(request);
    while (status == PAWL_OK && *done == NULL) {
        json_t *message = NULL;
        if (call->project != NULL && call->project->canceled)
            PAWL_TRY(pause_worker(worker, can_pause, err));
        status = pawl_channel_receive(worker->channel, TICK_MS, &message, err);
        if (message == NULL) continue;
        status = take_message(call, worker, message, handler, context, done, err);
        json_decref(message);
    }
    if (status != PAWL_OK && err != NULL && err->field[0] != '\0' && err->file[0] == '\0')
        return pawl_front_locate(call->project, status, err);
    return status;
}

static enum pawl_status ask_once(struct pawl_call *call, const char *role, json_t *read,
                                 json_t *request, json_t **done, struct pawl_error *err)
{
    struct pawl_front_worker worker;
    bool bare = strcmp(role, PAWL_ROLE_TABLES_NAME) == 0;
    enum pawl_status status = pawl_front_start(bare ? NULL : call->project, role,
                                               (struct pawl_front_fds){0}, read, &worker, err);
    if (status != PAWL_OK) {
        json_decref(request);
        return status;
    }
    status = pawl_front_request(call, &worker, request, NULL, NULL, done, err);
    pawl_front_end(&worker);
    return status;
}

enum pawl_status pawl_front_ask(struct pawl_call *call, const char *role, json_t *request,
                                json_t **done, struct pawl_error *err)
{
    return ask_once(call, role, NULL, request, done, err);
}

enum pawl_status pawl_front_ask_reading(struct pawl_call *call, const char *path, json_t *request,
                                        json_t **done, struct pawl_error *err)
{
    json_t *read = path != NULL ? json_pack("[s]", path) : NULL;
    enum pawl_status status = ask_once(call, PAWL_ROLE_VAULT_NAME, read, request, done, err);
    json_decref(read);
    return status;
}

enum pawl_status pawl_front_ask_about(struct pawl_call *call, const char *op, const char *path,
                                      json_t **done, struct pawl_error *err)
{
    return pawl_front_ask_reading(call, path, json_pack("{s:s, s:s}", "op", op, "file", path), done,
                                  err);
}
