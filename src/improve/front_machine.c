/* doctor and model: what this machine has. */
#include "improve/front.h"

#include "improve/protocol.h"
#include "io/file.h"
#include "io/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct pawl_option no_options[] = {{0}};

enum { SIDECAR_MAX = 1 << 20 };

static const char *models_dir(struct pawl_arena *arena)
{
    const char *named = getenv("PAWL_MODELS");
    if (named != NULL && named[0] != '\0') return pawl_arena_strdup(arena, named);
    const char *data = pawl_path_user(arena, "XDG_DATA_HOME", ".local/share");
    return pawl_path_join(arena, data != NULL ? data : "/var/lib", "pawl/models");
}

/* The sidecar NAME.json beside NAME.gguf says what the file is; without one only size is known. */
static json_t *describe_model(struct pawl_arena *arena, const char *dir, const char *name)
{
    struct stat info;
    struct pawl_str text;
    json_t *model = NULL;
    const char *path = pawl_path_join(arena, dir, pawl_arena_printf(arena, "%s.gguf", name));
    const char *sidecar = pawl_path_join(arena, dir, pawl_arena_printf(arena, "%s.json", name));
    if (stat(path, &info) != 0) return NULL;
    if (pawl_file_read(sidecar, SIDECAR_MAX, arena, &text, NULL) != PAWL_OK ||
        pawl_json_parse(text, SIDECAR_MAX, &model, NULL) != PAWL_OK)
        model = json_object();
    pawl_json_set(model, "name", json_string(name));
    pawl_json_set(model, "path", json_string(path));
    pawl_json_set(model, "size", json_integer(info.st_size));
    return model;
}

static json_t *list_models(struct pawl_arena *arena)
{
    const char *dir = models_dir(arena);
    json_t *models = json_array();
    DIR *folder = opendir(dir);
    struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        size_t len = strlen(entry->d_name);
        if (len <= 5 || strcmp(entry->d_name + len - 5, ".gguf") != 0) continue;
        char *name = pawl_arena_printf(arena, "%.*s", (int)(len - 5), entry->d_name);
        json_t *model = describe_model(arena, dir, name);
        if (model != NULL) json_array_append_new(models, model);
    }
    if (folder != NULL) closedir(folder);
    return models;
}

/* --- model ------------------------------------------------------------------------------------- */

struct model_options {
    const char *action, *name, *from;
};
static const struct pawl_option model_options[] = {
    {"action", PAWL_OPTION_CHOICE, offsetof(struct model_options, action), "list", 0, 0,
     "pull|list|show|rm|path", "what to do", false},
    PAWL_OPT_TEXT(struct model_options, name, NULL, "the model's name"),
    PAWL_OPT_TEXT(struct model_options, from, NULL, "pull: a .gguf file of your own to copy in"),
    {0}};

/* A name is one path component, so that it cannot leave the models folder. */
static enum pawl_status check_name(const char *name, struct pawl_error *err)
{
    if (name != NULL && name[0] != '\0' && name[0] != '.' && strchr(name, '/') == NULL)
        return PAWL_OK;
    pawl_fail(err, PAWL_EUSAGE, "A model's name is needed, without slashes.");
    pawl_hint(err, "`pawl model list` shows those that are here; smollm2-135m can be pulled.");
    return PAWL_EUSAGE;
}

/* scripts/fetch-model stands beside pawl-worker. It checks the file's hash. */
static enum pawl_status fetch_model(const char *name, struct pawl_arena *arena,
                                    struct pawl_error *err)
{
    char self[4096];
    const char *script = PAWL_LIBEXECDIR "/fetch-model";
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n > 0) {
        self[n] = '\0';
        *strrchr(self, '/') = '\0';
        const char *beside = pawl_path_join(arena, self, "fetch-model");
        if (pawl_path_exists(beside)) script = beside;
    }
    const char *argv[] = {script, name, NULL};
    struct pawl_process_fd fds[] = {{STDERR_FILENO, STDOUT_FILENO}, {STDERR_FILENO, STDERR_FILENO}};
    struct pawl_process spec = {
        .path = script, .argv = argv, .env = (const char *const *)environ, .fds = fds, .n_fds = 2};
    pid_t pid;
    int exit_status = 0;
    PAWL_TRY(pawl_process_start(&spec, &pid, err));
    while (waitpid(pid, &exit_status, 0) < 0 && errno == EINTR) continue;
    if (WIFEXITED(exit_status) && WEXITSTATUS(exit_status) == 0) return PAWL_OK;
    pawl_fail(err, PAWL_EWORLD, "The model %s could not be fetched.", name);
    pawl_hint(err,
              "See the messages above; a .gguf file of your own: pawl model pull NAME --from FILE");
    return PAWL_EWORLD;
}

static enum pawl_status copy_file(const char *from, const char *to, struct pawl_hasher *hasher,
                                  struct pawl_error *err)
{
    char buffer[1 << 16];
    ssize_t n;
    int in = open(from, O_RDONLY | O_CLOEXEC);
    if (in < 0) return pawl_fail_errno(err, PAWL_ENOTFOUND, errno, "%s cannot be opened", from);
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    enum pawl_status status =
        out < 0 ? pawl_fail_errno(err, PAWL_EWORLD, errno, "%s cannot be made", to) : PAWL_OK;
    while (status == PAWL_OK && (n = read(in, buffer, sizeof buffer)) > 0) {
        pawl_hasher_add(hasher, buffer, (size_t)n);
        status = pawl_fd_write(out, buffer, (size_t)n, to, err);
    }
    if (out >= 0 && close(out) != 0 && status == PAWL_OK)
        status = pawl_fail_errno(err, PAWL_EWORLD, errno, "%s cannot be written", to);
    close(in);
    return status;
}

static enum pawl_status import_model(const char *name, const char *from, struct pawl_arena *arena,
                                     struct pawl_error *err)
{
    const char *dir = models_dir(arena);
    struct pawl_hasher hasher;
    char hex[PAWL_HASH_HEX];
    PAWL_TRY(pawl_dir_make(dir, 0755, err));
    const char *path = pawl_path_join(arena, dir, pawl_arena_printf(arena, "%s.gguf", name));
    const char *part = pawl_arena_printf(arena, "%s.part", path);
    pawl_hasher_init(&hasher);
    enum pawl_status status = copy_file(from, part, &hasher, err);
    if (status == PAWL_OK && rename(part, path) != 0)
        status = pawl_fail_errno(err, PAWL_EWORLD, errno, "%s cannot be made", path);
    if (status != PAWL_OK) {
        unlink(part);
        return status;
    }
    struct pawl_hash hash = pawl_hasher_final(&hasher);
    pawl_hash_hex(&hash, hex);
    json_t *sidecar = json_pack("{s:s, s:s, s:s}", "name", name, "sha256", hex, "licence",
                                "not known: imported from a file");
    char *text = pawl_json_text(sidecar);
    json_decref(sidecar);
    const char *file = pawl_path_join(arena, dir, pawl_arena_printf(arena, "%s.json", name));
    status = pawl_file_write_atomic(file, pawl_str_of(text), 0644, err);
    free(text);
    return status;
}

static enum pawl_status remove_model(struct pawl_arena *arena, const char *name,
                                     struct pawl_error *err)
{
    const char *dir = models_dir(arena);
    const char *path = pawl_path_join(arena, dir, pawl_arena_printf(arena, "%s.gguf", name));
    if (unlink(path) != 0)
        return pawl_fail_errno(err, PAWL_ENOTFOUND, errno, "The model %s cannot be removed", name);
    unlink(pawl_path_join(arena, dir, pawl_arena_printf(arena, "%s.json", name)));
    return PAWL_OK;
}

static enum pawl_status run_model(struct pawl_call *call, const void *values,
                                  struct pawl_error *err)
{
    const struct model_options *options = values;
    struct pawl_arena *arena = &call->arena;
    if (strcmp(options->action, "list") == 0) {
        pawl_json_set(call->result, "models", list_models(arena));
        return PAWL_OK;
    }
    PAWL_TRY(check_name(options->name, err));
    if (strcmp(options->action, "pull") == 0)
        PAWL_TRY(options->from != NULL ? import_model(options->name, options->from, arena, err)
                                       : fetch_model(options->name, arena, err));
    json_t *model = describe_model(arena, models_dir(arena), options->name);
    if (model == NULL) {
        pawl_fail(err, PAWL_ENOTFOUND, "The model %s is not here.", options->name);
        pawl_hint(err, "Fetch it with: pawl model pull %s", options->name);
        return PAWL_ENOTFOUND;
    }
    json_object_update(call->result, model);
    json_decref(model);
    if (strcmp(options->action, "rm") == 0) return remove_model(arena, options->name, err);
    return PAWL_OK;
}

const struct pawl_verb pawl_verb_model = {
    .name = "model",
    .summary = "pull, list, show, remove local models",
    .positional = "action name",
    .example = "pawl model pull smollm2-135m",
    .options = model_options,
    .options_bytes = sizeof(struct model_options),
    .run = run_model,
};

/* --- doctor -------------------------------------------------------------------------------------- */

static void add_problem(json_t *problems, const char *what, const char *remedy)
{
    json_array_append_new(problems, json_pack("{s:s, s:s}", "problem", what, "remedy", remedy));
}

/* The kernel keeps the engine from the configured case files; it cannot know of other copies. */
static void find_problems(struct pawl_call *call, const json_t *described, json_t *problems)
{
    const char *level = pawl_json_get_text(json_object_get(described, "sandbox"), "level", "S0");
    size_t i;
    json_t *file;
    if (strcmp(level, "S2") < 0)
        add_problem(problems, "The kernel does not confine the engine (no Landlock or seccomp).",
                    "Use a kernel with Landlock (5.13 or newer); certificates name the level.");
    json_t *files = pawl_front_case_files(call->project);
    json_array_foreach(files, i, file)
    {
        if (!pawl_path_exists(json_string_value(file))) continue;
        char *what =
            pawl_arena_printf(&call->arena, "%s holds sealed cases and lies inside the project.",
                              json_string_value(file));
        add_problem(problems, what,
                    "Move it out after init; until then only the kernel keeps the engine from it.");
    }
    json_decref(files);
}

static enum pawl_status run_doctor(struct pawl_call *call, const void *values,
                                   struct pawl_error *err)
{
    json_t *described, *problems = json_array();
    (void)values;
    pawl_json_set(call->result, "version", json_string(PAWL_VERSION));
    pawl_json_set(call->result, "models", list_models(&call->arena));
    pawl_json_set(call->result, "threads", json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
    pawl_json_set(call->result, "problems", problems);
    PAWL_TRY(pawl_front_ask(call, PAWL_ROLE_ENGINE_NAME, json_pack("{s:s}", "op", "describe"),
                            &described, err));
    const json_t *sandbox = json_object_get(described, "sandbox");
    pawl_json_set(call->result, "sandbox_level",
                  json_string(pawl_json_get_text(sandbox, "level", "S0")));
    pawl_json_set(call->result, "gpu", json_string("none"));
    find_problems(call, described, problems);
    json_object_update_missing(call->result, described);
    json_decref(described);
    json_t *seal = NULL;
    if (pawl_front_store(call->project, false, NULL) == PAWL_OK)
        PAWL_TRY(pawl_store_meta_get(call->project->store, "seal", &seal, err));
    pawl_json_set(call->result, "custody",
                  json_string(pawl_json_get_text(seal, "custody", "nothing is sealed yet")));
    json_decref(seal);
    return PAWL_OK;
}

const struct pawl_verb pawl_verb_doctor = {
    .name = "doctor",
    .summary = "what works here, and what should be mended",
    .positional = "",
    .example = "pawl doctor",
    .needs_project = true,
    .options = no_options,
    .run = run_doctor,
};
