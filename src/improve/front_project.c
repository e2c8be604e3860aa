/* The project handle: opening, closing, and what several verbs need of it. */
#include "improve/front.h"

#include "base/clock.h"
#include "base/random.h"
#include "improve/protocol.h"
#include "improve/statement.h"
#include "improve/vault_user.h"
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { CONFIG_BYTES_MAX = 1 << 20 };

const char *pawl_version(void)
{
    return PAWL_VERSION;
}

void pawl_free(void *p)
{
    free(p);
}

static enum pawl_status read_config(struct pawl_project *project, struct pawl_error *err)
{
    struct pawl_str yaml;
    enum pawl_status status =
        pawl_file_read(project->config_path, CONFIG_BYTES_MAX, &project->arena, &yaml, err);
    if (status == PAWL_ENOTFOUND)
        pawl_hint(err, "`pawl init --template scripted` (or sentiment) writes one here; -C names "
                       "another folder.");
    PAWL_TRY(status);
    return pawl_config_parse(yaml, project->config_path, &project->arena, &project->config,
                             &project->places, err);
}

enum pawl_status pawl_project_reread(struct pawl_project *project, struct pawl_error *err)
{
    pawl_config_release(&project->config);
    pawl_yaml_places_free(project->places);
    project->places = NULL;
    return read_config(project, err);
}

/* A virtual clock and fixed secrets, for tests: only where no real model could be fooled by them. */
static enum pawl_status read_test_mode(struct pawl_project *project, struct pawl_error *err)
{
    const char *text = getenv("PAWL_TEST_SEED");
    if (text == NULL) return PAWL_OK;
    char *end;
    errno = 0;
    project->test_seed = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0')
        return pawl_fail(err, PAWL_EUSAGE, "PAWL_TEST_SEED is not a whole number.");
    if (!pawl_config_all_scripted(&project->config)) {
        pawl_fail(err, PAWL_EUSAGE,
                  "PAWL_TEST_SEED fixes clock and secrets, and this project has real models.");
        pawl_hint(err, "Unset PAWL_TEST_SEED; it is for projects whose models are all scripted.");
        return PAWL_EUSAGE;
    }
    project->test_mode = true;
    return PAWL_OK;
}

/* Messages to the workers are JSON, and so are records: what they name must be Unicode. */
static enum pawl_status check_path(const char *path, struct pawl_error *err)
{
    if (pawl_utf8_is_valid(pawl_str_of(path), NULL)) return PAWL_OK;
    pawl_fail(err, PAWL_EUSAGE, "The name of the folder %s is not UTF-8.", path);
    pawl_hint(err, "Rename it, or work in another one.");
    return PAWL_EUSAGE;
}

static enum pawl_status fail_folder(const char *dir, int errnum, struct pawl_error *err)
{
    pawl_fail_errno(err, PAWL_ENOTFOUND, errnum, "The project folder %s cannot be opened", dir);
    if (errnum == ENOENT)
        pawl_hint(err, "Make the folder, then `pawl init --template sentiment` in it.");
    else if (errnum == EACCES)
        pawl_hint(err, "It belongs to somebody else: ask for the right to read it.");
    return PAWL_ENOTFOUND;
}

enum pawl_status pawl_project_open(const char *dir, const char *config_file,
                                   struct pawl_project **out, struct pawl_error *err)
{
    char absolute[PATH_MAX];
    *out = NULL;
    pawl_crypto_init();
    if (realpath(dir, absolute) == NULL) return fail_folder(dir, errno, err);
    PAWL_TRY(check_path(absolute, err));
    struct pawl_project *project = pawl_xcalloc(1, sizeof *project);
    project->dir = pawl_arena_strdup(&project->arena, absolute);
    project->config_path = pawl_path_join(&project->arena, project->dir,
                                          config_file != NULL ? config_file : "pawl.yaml");
    enum pawl_status status = check_path(pawl_front_vault_home(project, &project->arena), err);
    if (status == PAWL_OK) status = read_config(project, err);
    if (status == PAWL_OK) status = read_test_mode(project, err);
    if (status != PAWL_OK) {
        pawl_project_close(project);
        return status;
    }
    *out = project;
    return PAWL_OK;
}

void pawl_project_close(struct pawl_project *project)
{
    if (project == NULL) return;
    if (project->store != NULL) pawl_store_close(project->store);
    pawl_config_release(&project->config);
    pawl_yaml_places_free(project->places);
    pawl_arena_release(&project->arena);
    free(project);
}

void pawl_cancel(struct pawl_project *project)
{
    project->canceled = 1;
}

enum pawl_status pawl_front_store(struct pawl_project *project, bool create, struct pawl_error *err)
{
    if (project->store != NULL) return PAWL_OK;
    const char *dir = pawl_path_join(&project->arena, project->dir, ".pawl/store");
    return pawl_store_open(dir, create, &project->store, err);
}

/* --- one at a time --------------------------------------------------------------------------- */

enum { LOCK_LOOK_MS = 50, LOCK_SAY_MS = 1000 };

static void say_waiting(struct pawl_call *call, const char *who)
{
    json_t *message = json_pack("{s:s, s:s}", "phase", "waiting", "say",
                                pawl_arena_printf(&call->arena, "Another %s; waiting ...", who));
    pawl_front_progress(call, message);
    json_decref(message);
}

/* Before init has opened the project there is nothing that could be told to stop. */
static bool is_canceled(const struct pawl_call *call)
{
    return call->project != NULL && call->project->canceled;
}

static enum pawl_status fail_waiting(const char *who, int64_t limit_ms, struct pawl_error *err)
{
    pawl_fail(err, PAWL_EWORLD, "Another %s, for longer than the %lld minutes to wait.", who,
              (long long)(limit_ms / 60000));
    pawl_hint(err, "Run the command again when the other one has ended, or give more --wait.");
    return PAWL_EWORLD;
}

enum pawl_status pawl_front_lock(struct pawl_call *call, const char *dir, const char *who,
                                 int64_t limit_ms, int *fd, struct pawl_error *err)
{
    bool said = false;
    int64_t started_ms = pawl_clock_real_ms();
    *fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*fd < 0) return fail_folder(dir, errno, err);
    while (flock(*fd, LOCK_EX | LOCK_NB) != 0) {
        int errnum = errno;
        int64_t waited_ms = pawl_clock_real_ms() - started_ms;
        bool late = limit_ms >= 0 && waited_ms >= limit_ms;
        if (errnum == EWOULDBLOCK && !is_canceled(call) && !late) {
            if (!said && waited_ms >= LOCK_SAY_MS) {
                say_waiting(call, who);
                said = true;
            }
            pawl_clock_sleep_ms(LOCK_LOOK_MS);
            continue;
        }
        close(*fd);
        if (is_canceled(call)) return pawl_fail(err, PAWL_EPAUSED, "Stopped on request.");
        if (errnum == EWOULDBLOCK) return fail_waiting(who, limit_ms, err);
        return pawl_fail_errno(err, PAWL_EWORLD, errnum, "%s cannot be locked", dir);
    }
    return PAWL_OK;
}

char *pawl_front_sealed_dir(struct pawl_project *project, struct pawl_arena *arena)
{
    return pawl_path_join(arena, project->dir, ".pawl/sealed");
}

char *pawl_front_vault_home(const struct pawl_project *project, struct pawl_arena *arena)
{
    if (pawl_vault_user_of(project) != 0) return pawl_path_join(arena, PAWL_VAULT_STATE, "vaults");
    const char *data = pawl_path_user(arena, "XDG_DATA_HOME", ".local/share");
    return pawl_path_join(arena, data != NULL ? data : "/var/lib", "pawl/vaults");
}

json_t *pawl_front_case_files(struct pawl_project *project)
{
    const struct pawl_config_data *data = &project->config.data;
    const char *files[] = {data->file, data->train, data->dev, data->gate, data->vault};
    json_t *list = json_array();
    struct pawl_arena arena = {0};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (files[i] == NULL) continue;
        json_array_append_new(list, json_string(pawl_path_join(&arena, project->dir, files[i])));
    }
    pawl_arena_release(&arena);
    return list;
}

enum pawl_status pawl_front_seal(struct pawl_project *project, json_t **seal,
                                 struct pawl_error *err)
{
    PAWL_TRY(pawl_store_meta_get(project->store, "seal", seal, err));
    if (*seal != NULL) return PAWL_OK;
    pawl_fail(err, PAWL_ENOTFOUND, "The cases of this project are not sealed yet.");
    pawl_hint(err, "Run `pawl init`.");
    return PAWL_ENOTFOUND;
}

enum pawl_status pawl_front_pointer(struct pawl_project *project, const char *name,
                                    char hex[PAWL_HASH_HEX], struct pawl_error *err)
{
    PAWL_TRY(pawl_store_pointer_get(project->store, name, hex, err));
    if (hex[0] != '\0') return PAWL_OK;
    pawl_fail(err, PAWL_ENOTFOUND, "This project has no %s yet.", name);
    pawl_hint(err, "Run `pawl init`.");
    return PAWL_ENOTFOUND;
}

/* RUN/best: the candidate that a run ended with. */
static enum pawl_status find_best_of_run(struct pawl_project *project, const char *id,
                                         size_t run_len, char hex[PAWL_HASH_HEX],
                                         struct pawl_error *err)
{
    char run[PAWL_HASH_HEX];
    json_t *body = NULL;
    struct pawl_arena arena = {0};
    char *prefix = pawl_arena_printf(&arena, "%.*s", (int)run_len, id);
    enum pawl_status status = pawl_store_run_find(project->store, prefix, run, err);
    if (status == PAWL_OK) status = pawl_store_run_get(project->store, run, &body, err);
    if (status == PAWL_OK) {
        const char *best = pawl_json_get_text(json_object_get(body, "result"), "best", NULL);
        if (best == NULL)
            status = pawl_fail(err, PAWL_ENOTFOUND, "The run %s has no best candidate yet.", run);
        else
            snprintf(hex, PAWL_HASH_HEX, "%s", best);
    }
    json_decref(body);
    pawl_arena_release(&arena);
    return status;
}

enum pawl_status pawl_front_find(struct pawl_project *project, const char *id,
                                 char hex[PAWL_HASH_HEX], struct pawl_error *err)
{
    const char *slash = strchr(id, '/');
    if (slash != NULL && strcmp(slash, "/best") == 0)
        return find_best_of_run(project, id, (size_t)(slash - id), hex, err);
    return pawl_store_artifact_find(project->store, id, hex, err);
}

enum pawl_status pawl_front_locate(struct pawl_project *project, enum pawl_status status,
                                   struct pawl_error *err)
{
    if (project != NULL && err != NULL) pawl_yaml_locate(project->places, err);
    return status;
}

int64_t pawl_front_now_ms(struct pawl_project *project, const struct pawl_ledger_head *head)
{
    if (!project->test_mode) return pawl_clock_now_ms();
    return head->seq < 0 ? PAWL_TEST_EPOCH_MS : head->ts_ms + 1000;
}

enum pawl_status pawl_front_check_signed(struct pawl_project *project, const json_t *done,
                                         const char *what, struct pawl_error *err)
{
    json_t *seal;
    const json_t *statement = json_object_get(done, "statement");
    PAWL_TRY(pawl_front_seal(project, &seal, err));
    bool own_key = strcmp(pawl_json_get_text(statement, "public_key", ""),
                          pawl_json_get_text(seal, "public_key", "-")) == 0;
    json_decref(seal);
    if (!own_key)
        return pawl_fail(err, PAWL_EINTEGRITY, "The %s is signed by another vault.", what);
    return pawl_statement_verify(statement, pawl_json_get_text(done, "signature", ""), err);
}
