/* model: the GGUF files in the models folder. */
#include "improve/front.h"

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

enum { SIDECAR_MAX = 1 << 20, PULL_WRONG_HASH = 4 /* an exit code of fetch-model */ };

/* As pawl_models_dir of lm/model_file.h, which the library that people link with does not hold. */
static const char *models_dir(struct pawl_arena *arena)
{
    const char *named = getenv("PAWL_MODELS");
    if (named != NULL && named[0] != '\0') return pawl_arena_strdup(arena, named);
    const char *data = pawl_path_user(arena, "XDG_DATA_HOME", ".local/share");
    return pawl_path_join(arena, data != NULL ? data : "/var/lib", "pawl/models");
}

/* NAME.gguf, and NAME.json beside it. */
static const char *model_file(struct pawl_arena *arena, const char *name, const char *suffix)
{
    return pawl_path_join(arena, models_dir(arena),
                          pawl_arena_printf(arena, "%s.%s", name, suffix));
}

/* What the sidecar NAME.json says; an empty object when there is none that can be read. */
static json_t *read_sidecar(struct pawl_arena *arena, const char *name)
{
    struct pawl_str text;
    json_t *said = NULL;
    if (pawl_file_read(model_file(arena, name, "json"), SIDECAR_MAX, arena, &text, NULL) ==
            PAWL_OK &&
        pawl_json_parse(text, SIDECAR_MAX, &said, NULL) == PAWL_OK && json_is_object(said))
        return said;
    json_decref(said);
    return json_object();
}

/* NULL: it is not here. */
static json_t *describe_model(struct pawl_arena *arena, const char *name)
{
    struct stat info;
    const char *path = model_file(arena, name, "gguf");
    if (stat(path, &info) != 0) return NULL;
    json_t *model = read_sidecar(arena, name);
    pawl_json_set(model, "name", json_string(name));
    pawl_json_set(model, "path", pawl_json_string(pawl_str_of(path)));
    pawl_json_set(model, "size", json_integer(info.st_size));
    return model;
}

/* A name that is not UTF-8 could not be written in pawl.yaml. */
static int is_gguf(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    return len > 5 && strcmp(entry->d_name + len - 5, ".gguf") == 0 &&
           pawl_utf8_is_valid(pawl_str_of(entry->d_name), NULL);
}

json_t *pawl_front_models(struct pawl_arena *arena)
{
    json_t *models = json_array();
    struct dirent **entries = NULL;
    int n = scandir(models_dir(arena), &entries, is_gguf, alphasort);
    for (int i = 0; i < n; i++) {
        size_t len = strlen(entries[i]->d_name) - 5;
        json_t *model =
            describe_model(arena, pawl_arena_printf(arena, "%.*s", (int)len, entries[i]->d_name));
        if (model != NULL) json_array_append_new(models, model);
        free(entries[i]);
    }
    free(entries);
    return models;
}

/* A name is one path component, so that it cannot leave the models folder. */
static enum pawl_status check_name(const char *name, struct pawl_error *err)
{
    if (name != NULL && name[0] != '\0' && name[0] != '.' && strchr(name, '/') == NULL)
        return PAWL_OK;
    pawl_fail(err, PAWL_EUSAGE, "A model's name is needed, without slashes.");
    pawl_hint(err,
              "`pawl model list` shows those that are here, `pawl model pull --help` an example.");
    return PAWL_EUSAGE;
}

/* --- pull -------------------------------------------------------------------------------------- */

enum { LIST_MAX = 4096, NAMES_MAX = 64 };

/* scripts/fetch-model, with its standard output at `out`. Its complaints are for the terminal. */
static enum pawl_status run_script(const char *argument, int out, struct pawl_arena *arena,
                                   pid_t *pid, struct pawl_error *err)
{
    const char *script;
    PAWL_TRY(pawl_front_helper(arena, "fetch-model", &script, err));
    const char *argv[] = {script, argument, NULL};
    struct pawl_process_fd fds[] = {{out, STDOUT_FILENO}, {STDERR_FILENO, STDERR_FILENO}};
    struct pawl_process spec = {
        .path = script, .argv = argv, .env = (const char *const *)environ, .fds = fds, .n_fds = 2};
    return pawl_process_start(&spec, pid, err);
}

/* The names that the script knows: it alone holds their pins. */
static enum pawl_status read_known(struct pawl_arena *arena, char *list, struct pawl_error *err)
{
    int pair[2];
    pid_t pid;
    size_t len = 0;
    ssize_t n;
    PAWL_TRY(pawl_socket_pair(pair, err));
    enum pawl_status status = run_script("--list", pair[1], arena, &pid, err);
    close(pair[1]);
    while (status == PAWL_OK && len < LIST_MAX - 1) {
        n = read(pair[0], list + len, LIST_MAX - 1 - len);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        len += (size_t)n;
    }
    close(pair[0]);
    list[len] = '\0';
    if (status == PAWL_OK) pawl_process_end(pid, -1, 0, NULL);
    return status;
}

/* What can be pulled, and whether a name is among it. */
struct known {
    const char *all;  /* "a, b", or "none" */
    const char *near; /* NULL: nothing is like the name */
    bool holds;
};

static enum pawl_status find_known(const char *name, struct pawl_arena *arena, struct known *known,
                                   struct pawl_error *err)
{
    char list[LIST_MAX];
    const char *names[NAMES_MAX];
    size_t n = 0;
    struct pawl_buf all = PAWL_BUF(LIST_MAX);
    *known = (struct known){0};
    PAWL_TRY(read_known(arena, list, err));
    struct pawl_str rest = pawl_str_of(list), line;
    while (n < NAMES_MAX && pawl_str_split(&rest, '\n', &line)) {
        if (line.len == 0) continue;
        names[n] = pawl_arena_copy(arena, line).ptr;
        known->holds = known->holds || strcmp(names[n], name) == 0;
        pawl_buf_printf(&all, "%s%s", n > 0 ? ", " : "", names[n]);
        n++;
    }
    known->near = pawl_nearest_word(name, names, n);
    known->all = n > 0 ? pawl_arena_copy(arena, pawl_buf_str(&all)).ptr : "none";
    pawl_buf_release(&all);
    return PAWL_OK;
}

static enum pawl_status check_known(const char *name, struct pawl_arena *arena,
                                    struct pawl_error *err)
{
    struct known known;
    PAWL_TRY(find_known(name, arena, &known, err));
    if (known.holds) return PAWL_OK;
    pawl_fail(err, PAWL_EUSAGE, "There is no model called \"%s\" to pull.", name);
    pawl_hint(err, "%s%s%sKnown: %s. Any other GGUF file: pawl model pull NAME --from FILE",
              known.near != NULL ? "Did you mean " : "", known.near != NULL ? known.near : "",
              known.near != NULL ? "? " : "", known.all);
    return PAWL_EUSAGE;
}

static enum pawl_status fetch_model(const char *name, struct pawl_arena *arena,
                                    struct pawl_error *err)
{
    pid_t pid;
    int exit_status = 0;
    PAWL_TRY(check_known(name, arena, err));
    PAWL_TRY(run_script(name, STDERR_FILENO, arena, &pid, err));
    pawl_process_end(pid, -1, 0, &exit_status);
    if (WIFEXITED(exit_status) && WEXITSTATUS(exit_status) == 0) return PAWL_OK;
    if (WIFEXITED(exit_status) && WEXITSTATUS(exit_status) == PULL_WRONG_HASH) {
        pawl_fail(err, PAWL_EINTEGRITY, "What was fetched is not the model %s: its hash differs.",
                  name);
        pawl_hint(err, "Nothing was kept. Does pip ask an index that you trust? `pip config list`");
        return PAWL_EINTEGRITY;
    }
    pawl_fail(err, PAWL_EWORLD, "The model %s could not be fetched; see the messages above.", name);
    pawl_hint(err,
              "Check the network and `pip config list`, then try again. Or: pawl model pull %s "
              "--from FILE.gguf",
              name);
    return PAWL_EWORLD;
}

/* So that another file is refused here and not when it is first asked. */
static enum pawl_status check_gguf(const char *from, struct pawl_error *err)
{
    char magic[4] = "";
    int fd = open(from, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        pawl_fail_errno(err, PAWL_ENOTFOUND, errno, "%s cannot be opened", from);
        pawl_hint(err, "Paths of a command start at the folder where it is called.");
        return PAWL_ENOTFOUND;
    }
    ssize_t n = read(fd, magic, sizeof magic);
    close(fd);
    if (n == sizeof magic && memcmp(magic, "GGUF", sizeof magic) == 0) return PAWL_OK;
    pawl_fail(err, PAWL_ECONFIG, "%s is not a GGUF file.", from);
    pawl_hint(err, "llama.cpp's convert_hf_to_gguf.py makes one of other formats.");
    return PAWL_ECONFIG;
}

static enum pawl_status import_model(const char *name, const char *from, struct pawl_arena *arena,
                                     struct pawl_error *err)
{
    struct pawl_hash hash;
    char hex[PAWL_HASH_HEX];
    PAWL_TRY(check_gguf(from, err));
    PAWL_TRY(pawl_dir_make(models_dir(arena), 0755, err));
    PAWL_TRY(pawl_file_copy(from, model_file(arena, name, "gguf"), 0644, &hash, err));
    pawl_hash_hex(&hash, hex);
    json_t *sidecar = json_pack("{s:s, s:s, s:s}", "name", name, "sha256", hex, "licence",
                                "not known: imported from a file");
    char *text = pawl_json_text(sidecar);
    json_decref(sidecar);
    enum pawl_status status =
        pawl_file_write_atomic(model_file(arena, name, "json"), pawl_str_of(text), 0644, err);
    free(text);
    return status;
}

/* --- the verb ---------------------------------------------------------------------------------- */

struct model_options {
    const char *action, *name, *from;
};
static const struct pawl_option model_options[] = {
    {"action", PAWL_OPTION_CHOICE, offsetof(struct model_options, action), "list", 0, 0,
     "pull|list|show|rm|path", "what to do", false},
    PAWL_OPT_TEXT(struct model_options, name, NULL, "the model's name; list needs none"),
    PAWL_OPT_TEXT(struct model_options, from, NULL, "pull: a .gguf file of your own to copy in"),
    {0}};

static enum pawl_status remove_model(struct pawl_arena *arena, const char *name,
                                     struct pawl_error *err)
{
    if (unlink(model_file(arena, name, "gguf")) != 0)
        return pawl_fail_errno(err, PAWL_EWORLD, errno, "The model %s cannot be removed", name);
    unlink(model_file(arena, name, "json"));
    return PAWL_OK;
}

/* Pulling is advised where it would work; else what is here, and what could be pulled, is named. */
static enum pawl_status fail_absent(const char *name, struct pawl_arena *arena,
                                    struct pawl_error *err)
{
    struct known known;
    pawl_fail(err, PAWL_ENOTFOUND, "The model %s is not here.", name);
    enum pawl_status status = find_known(name, arena, &known, NULL);
    if (status == PAWL_OK && known.holds) {
        pawl_hint(err, "Fetch it with: pawl model pull %s", name);
        return PAWL_ENOTFOUND;
    }
    json_t *models = pawl_front_models(arena), *model;
    struct pawl_buf here = PAWL_BUF(LIST_MAX);
    size_t i;
    json_array_foreach(models, i, model)
        pawl_buf_printf(&here, "%s%s", i > 0 ? ", " : "", pawl_json_get_text(model, "name", ""));
    pawl_hint(err, "Here: %s. To pull: %s. Any other GGUF file: pawl model pull NAME --from FILE",
              here.len > 0 ? here.data : "none", status == PAWL_OK ? known.all : "not known");
    pawl_buf_release(&here);
    json_decref(models);
    return PAWL_ENOTFOUND;
}

static enum pawl_status run_model(struct pawl_call *call, const void *values,
                                  struct pawl_error *err)
{
    const struct model_options *options = values;
    struct pawl_arena *arena = &call->arena;
    if (strcmp(options->action, "list") == 0) {
        pawl_json_set(call->result, "models", pawl_front_models(arena));
        return PAWL_OK;
    }
    PAWL_TRY(check_name(options->name, err));
    if (strcmp(options->action, "pull") == 0)
        PAWL_TRY(options->from != NULL ? import_model(options->name, options->from, arena, err)
                                       : fetch_model(options->name, arena, err));
    json_t *model = describe_model(arena, options->name);
    if (model == NULL) return fail_absent(options->name, arena, err);
    json_object_update(call->result, model);
    pawl_json_set(call->result, "action", json_string(options->action));
    json_decref(model);
    if (strcmp(options->action, "rm") == 0) return remove_model(arena, options->name, err);
    return PAWL_OK;
}

const struct pawl_verb pawl_verb_model = {
    .name = "model",
    .summary = "pull, list, show or remove local models",
    .positional = "action name",
    .example = "pawl model pull smollm2-135m",
    .options = model_options,
    .options_bytes = sizeof(struct model_options),
    .run = run_model,
};
