/* The stage: a project in a folder of its own, and the command started on it as anybody would. */
#include "improve/redteam.h"

#include "artifact/artifact.h"
#include "base/clock.h"
#include "base/random.h"
#include "improve/front.h"
#include "io/file.h"
#include "io/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    CALL_MS = 120000,
    GRACE_MS = 5000,
    REMAINS_MS = 1000, /* processes of an attack are gone by then */
    LOOK_MS = 20,
    RESULT_MAX = 64 << 20,
    FILE_MAX = 64 << 20,
    WORDS_MAX = 60,
    CASES_MAX = 100000,
    SECRET_BYTES = 12,
    DESCRIPTORS = 16
};

/* --- files ------------------------------------------------------------------------------------------ */

static const char *below(struct pawl_stage *stage, const char *path)
{
    return pawl_path_join(&stage->arena, stage->top, path);
}

const char *pawl_stage_fill(struct pawl_stage *stage, const char *text)
{
    const struct {
        const char *mark, *value;
    } marks[] = {{"@DIR@", stage->dir},
                 {"@DATA@", below(stage, "data")},
                 {"@PYTHON@", stage->python != NULL ? stage->python : "/usr/bin/python3"},
                 {"@SECRET@", stage->secret},
                 {"@CANDIDATE@", stage->candidate}};
    struct pawl_buf out = PAWL_BUF(FILE_MAX);
    while (*text != '\0') {
        size_t used = 1;
        const char *value = NULL;
        for (size_t i = 0; *text == '@' && i < sizeof marks / sizeof *marks; i++) {
            if (!pawl_str_starts(pawl_str_of(text), marks[i].mark)) continue;
            used = strlen(marks[i].mark);
            value = marks[i].value;
        }
        if (value != NULL)
            pawl_buf_add(&out, value);
        else
            pawl_buf_add_bytes(&out, text, 1);
        text += used;
    }
    const char *filled = pawl_arena_copy(&stage->arena, pawl_buf_str(&out)).ptr;
    pawl_buf_release(&out);
    return filled != NULL ? filled : "";
}

static enum pawl_status write_file(const char *path, struct pawl_str text, struct pawl_error *err)
{
    char *folder = pawl_xstrdup(path);
    *strrchr(folder, '/') = '\0';
    enum pawl_status status = pawl_dir_make(folder, 0755, err);
    free(folder);
    if (status == PAWL_OK) status = pawl_file_write_atomic(path, text, 0644, err);
    return status;
}

/* "Is 12 even?", whose answer needs no model. Each tier has numbers of its own. */
static enum pawl_status write_tier(struct pawl_stage *stage, const char *dir, const char *tier,
                                   int64_t start, int64_t n, struct pawl_error *err)
{
    bool sealed = strcmp(tier, "gate") == 0;
    struct pawl_buf out = PAWL_BUF(FILE_MAX);
    for (int64_t i = start; i < start + n; i++)
        pawl_buf_printf(&out,
                        "{\"id\":\"q%lld\",\"input\":{\"question\":\"Is %lld %s?\"},\"target\":"
                        "{\"answer\":\"%s\"},\"metadata\":{\"note\":\"%s\"}}\n",
                        (long long)i, (long long)i, sealed ? stage->noun : "even",
                        i % 2 == 0 ? "yes" : "no", sealed ? stage->secret : "");
    const char *path = pawl_arena_printf(&stage->arena, "%s/data/%s.jsonl", dir, tier);
    enum pawl_status status = write_file(path, pawl_buf_str(&out), err);
    pawl_buf_release(&out);
    return status;
}

enum pawl_status pawl_stage_write(struct pawl_stage *stage, const char *dir, const json_t *files,
                                  const json_t *cases, struct pawl_error *err)
{
    static const struct {
        const char *name;
        int64_t start;
    } tiers[] = {{"train", 0}, {"dev", 100000}, {"gate", 200000}};
    const char *name;
    json_t *text;
    for (size_t i = 0; cases != NULL && i < 3; i++) {
        int64_t n = pawl_json_get_int(cases, tiers[i].name, 10);
        PAWL_ASSERT(n > 0 && n < CASES_MAX); /* our own page */
        PAWL_TRY(write_tier(stage, dir, tiers[i].name, tiers[i].start, n, err));
    }
    json_object_foreach((json_t *)files, name, text)
    {
        const char *filled = pawl_stage_fill(stage, json_string_value(text));
        PAWL_TRY(write_file(pawl_path_join(&stage->arena, dir, name), pawl_str_of(filled), err));
    }
    return PAWL_OK;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info, (void)kind, (void)where;
    return remove(path);
}

static void remove_folder(const char *path)
{
    nftw(path, remove_entry, DESCRIPTORS, FTW_DEPTH | FTW_PHYS);
}

/* --- making and removing --------------------------------------------------------------------------- */

static const char *find_python(void)
{
    static const char *const places[] = {"/usr/bin/python3", "/usr/local/bin/python3"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (access(places[i], X_OK) == 0) return places[i];
    return NULL;
}

enum pawl_status pawl_stage_find(struct pawl_stage *stage, struct pawl_error *err)
{
    *stage = (struct pawl_stage){
        .top = "", .noun = "even", .python = find_python(), .secret = "pawl-canary-of-nobody"};
    enum pawl_status status = pawl_front_helper(&stage->arena, "pawl", &stage->pawl, err);
    if (status != PAWL_OK)
        pawl_hint(err, "Attacks are made with the command itself; name its folder in "
                       "PAWL_EXEC_PATH.");
    stage->pawl = status == PAWL_OK ? pawl_xstrdup(stage->pawl) : NULL;
    pawl_arena_reset(&stage->arena);
    return status;
}

/* Children may be another user's, who must come as far as the project: what keeps them from its files
 * is then the sandbox alone, and not a mode that a project of the user's might not have. */
static enum pawl_status make_top(struct pawl_stage *stage, struct pawl_error *err)
{
    static const char *const folders[] = {"project", "data", "cache", "tmp"};
    const char *base = getenv("TMPDIR");
    char *top = pawl_arena_printf(&stage->arena, "%s/pawl-redteam.XXXXXX",
                                  base != NULL && base[0] == '/' ? base : "/tmp");
    if (mkdtemp(top) == NULL || chmod(top, 0755) != 0)
        return pawl_fail_errno(err, PAWL_EWORLD, errno, "The temporary folder %s cannot be made",
                               top);
    stage->top = top;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        PAWL_TRY(pawl_dir_make(below(stage, folders[i]), 0755, err));
    stage->dir = below(stage, "project");
    return PAWL_OK;
}

enum pawl_status pawl_stage_open(struct pawl_stage *stage, const json_t *files, const json_t *cases,
                                 struct pawl_error *err)
{
    unsigned char bytes[SECRET_BYTES];
    pawl_secret_bytes(bytes, sizeof bytes);
    strcpy(stage->secret, "pawl-canary-");
    pawl_hex(bytes, sizeof bytes, stage->secret + strlen(stage->secret));
    stage->candidate[0] = '\0';
    PAWL_TRY(make_top(stage, err));
    return pawl_stage_write(stage, stage->dir, files, cases, err);
}

void pawl_stage_close(struct pawl_stage *stage)
{
    if (stage->top[0] != '\0') remove_folder(stage->top);
    stage->top = "";
    stage->noun = "even";
    stage->real_time = false;
    pawl_arena_release(&stage->arena);
}

/* --- the command ------------------------------------------------------------------------------------ */

/* Complete: what is not here is not there for the attack either. The key is bait. */
static const char *const *environment(struct pawl_stage *stage)
{
    static const char *const kept[] = {"PATH",         "LANG",          "PAWL_EXEC_PATH",
                                       "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS",
                                       "TSAN_OPTIONS"};
    enum { N_KEPT = sizeof kept / sizeof *kept, N_OWN = 8 };
    const char **env = PAWL_NEW_N(&stage->arena, const char *, N_KEPT + N_OWN);
    struct pawl_arena *arena = &stage->arena;
    size_t n = 0;
    for (size_t i = 0; i < N_KEPT; i++)
        if (getenv(kept[i]) != NULL)
            env[n++] = pawl_arena_printf(arena, "%s=%s", kept[i], getenv(kept[i]));
    env[n++] = pawl_arena_printf(arena, "HOME=%s", stage->top);
    env[n++] = pawl_arena_printf(arena, "TMPDIR=%s", below(stage, "tmp"));
    env[n++] = pawl_arena_printf(arena, "XDG_DATA_HOME=%s", below(stage, "data"));
    env[n++] = pawl_arena_printf(arena, "XDG_CACHE_HOME=%s", below(stage, "cache"));
    env[n++] = pawl_arena_printf(arena, "OPENAI_API_KEY=%s", stage->secret);
    if (!stage->real_time) env[n++] = "PAWL_TEST_SEED=1";
    return env;
}

static enum pawl_status start(struct pawl_stage *stage, const json_t *words, int out, int errors,
                              pid_t *pid, struct pawl_error *err)
{
    const char **argv = PAWL_NEW_N(&stage->arena, const char *, WORDS_MAX + 8);
    size_t i, n = 0;
    json_t *word;
    argv[n++] = "pawl";
    PAWL_ASSERT(json_array_size(words) <= WORDS_MAX);
    json_array_foreach((json_t *)words, i, word) argv[n++] =
        pawl_stage_fill(stage, json_string_value(word));
    argv[n++] = "--json";
    argv[n++] = "-C";
    argv[n++] = stage->dir;
    struct pawl_process_fd fds[] = {{out, STDOUT_FILENO}, {errors, STDERR_FILENO}};
    struct pawl_process spec = {.path = stage->pawl,
                                .argv = argv,
                                .env = environment(stage),
                                .cwd = stage->top,
                                .fds = fds,
                                .n_fds = 2};
    return pawl_process_start(&spec, pid, err);
}

/* An object, or none: a command that was killed may have written half of one. */
static json_t *read_result(struct pawl_stage *stage, const char *path)
{
    struct pawl_str text;
    json_t *result = NULL;
    if (pawl_file_read(path, RESULT_MAX, &stage->arena, &text, NULL) != PAWL_OK) return NULL;
    if (pawl_json_parse(text, RESULT_MAX, &result, NULL) != PAWL_OK) return NULL;
    return result;
}

enum pawl_status pawl_stage_run(struct pawl_stage *stage, const json_t *words, int *code,
                                json_t **result, struct pawl_error *err)
{
    const char *out_path = below(stage, "out"), *errors_path = below(stage, "errors");
    int out = open(out_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int errors = open(errors_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    enum pawl_status status = PAWL_OK;
    pid_t pid;
    int ended = 0;
    *code = -1;
    *result = NULL;
    if (out < 0 || errors < 0)
        status = pawl_fail_errno(err, PAWL_EWORLD, errno, "%s cannot be written", out_path);
    if (status == PAWL_OK) status = start(stage, words, out, errors, &pid, err);
    if (out >= 0) close(out);
    if (errors >= 0) close(errors);
    PAWL_TRY(status);
    pawl_process_end(pid, CALL_MS, GRACE_MS, &ended);
    if (WIFEXITED(ended)) *code = WEXITSTATUS(ended);
    *result = read_result(stage, out_path);
    return PAWL_OK;
}

/* --- what an attacker does to the project ------------------------------------------------------------ */

enum { EDITS_MAX = 8 };

static enum pawl_status make_draft(struct pawl_stage *stage, struct pawl_store *store,
                                   const json_t *texts, struct pawl_error *err)
{
    char seed[PAWL_HASH_HEX];
    struct pawl_artifact *base, *draft;
    struct pawl_edit edits[EDITS_MAX];
    size_t n = 0;
    const char *name;
    json_t *text;
    json_object_foreach((json_t *)texts, name, text)
    {
        PAWL_ASSERT(n < EDITS_MAX);
        const char *filled = pawl_stage_fill(stage, json_string_value(text));
        edits[n++] = (struct pawl_edit){name, pawl_str_of(filled)};
    }
    PAWL_TRY(pawl_store_pointer_get(store, "seed", seed, err));
    PAWL_TRY(pawl_artifact_get(store, &stage->arena, seed, &base, err));
    PAWL_TRY(pawl_artifact_apply(&stage->arena, base, edits, n, &draft, err));
    snprintf(stage->candidate, sizeof stage->candidate, "%s", draft->hex);
    return pawl_artifact_put(store, draft, err);
}

enum pawl_status pawl_stage_draft(struct pawl_stage *stage, const json_t *texts,
                                  struct pawl_error *err)
{
    struct pawl_store *store;
    const char *dir = pawl_path_join(&stage->arena, stage->dir, ".pawl/store");
    PAWL_TRY(pawl_store_open(dir, false, &store, err));
    enum pawl_status status = make_draft(stage, store, texts, err);
    pawl_store_close(store);
    return status;
}

enum pawl_status pawl_stage_change(struct pawl_stage *stage, const char *file, const char *find,
                                   const char *put, struct pawl_error *err)
{
    struct pawl_str text;
    const char *path = pawl_path_join(&stage->arena, stage->dir, file), *at, *end;
    size_t len = strlen(find), n = 0;
    PAWL_TRY(pawl_file_read(path, FILE_MAX, &stage->arena, &text, err));
    struct pawl_buf out = PAWL_BUF(FILE_MAX);
    for (at = text.ptr, end = text.ptr + text.len; at < end; n++) {
        const char *next = memmem(at, (size_t)(end - at), find, len);
        pawl_buf_add_bytes(&out, at, (size_t)((next != NULL ? next : end) - at));
        if (next == NULL) break;
        pawl_buf_add(&out, put);
        at = next + len;
    }
    enum pawl_status status =
        n > 0 ? write_file(path, pawl_buf_str(&out), err)
              : pawl_fail(err, PAWL_ENOTFOUND, "\"%s\" does not stand in %s.", find, file);
    pawl_buf_release(&out);
    return status;
}

/* --- what is seen from outside ------------------------------------------------------------------------ */

static void list_folder(struct pawl_stage *stage, const char *folder, const char *shown,
                        json_t *listing)
{
    DIR *entries = opendir(folder);
    for (struct dirent *entry; entries != NULL && (entry = readdir(entries)) != NULL;) {
        struct stat info;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        const char *path = pawl_path_join(&stage->arena, folder, entry->d_name);
        const char *name = pawl_arena_printf(&stage->arena, "%s/%s", shown, entry->d_name);
        if (lstat(path, &info) != 0) continue;
        if (S_ISDIR(info.st_mode))
            list_folder(stage, path, name, listing);
        else
            pawl_json_set(listing, name, json_integer((json_int_t)info.st_size));
    }
    if (entries != NULL) closedir(entries);
}

json_t *pawl_stage_listing(struct pawl_stage *stage)
{
    json_t *listing = json_object();
    list_folder(stage, pawl_path_join(&stage->arena, stage->dir, ".pawl"), "", listing);
    return listing;
}

static bool names_stage(const char *pid, const char *top)
{
    char path[64], line[4096];
    snprintf(path, sizeof path, "/proc/%.20s/cmdline", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t n = read(fd, line, sizeof line);
    close(fd);
    return n > 0 && memmem(line, (size_t)n, top, strlen(top)) != NULL;
}

/* A process whose command line names the stage, as those of every attack do; "" when there is none. */
static const char *find_process(struct pawl_stage *stage)
{
    const char *found = "";
    DIR *processes = opendir("/proc");
    for (struct dirent *entry; processes != NULL && (entry = readdir(processes)) != NULL;) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
        if ((pid_t)strtol(entry->d_name, NULL, 10) == getpid()) continue;
        if (names_stage(entry->d_name, stage->top))
            found = pawl_arena_strdup(&stage->arena, entry->d_name);
    }
    if (processes != NULL) closedir(processes);
    return found;
}

/* A worker's own folder is empty, and swept by a later one (confine.c). */
static bool is_workers(struct pawl_stage *stage, const char *name)
{
    static const char *const roles[] = {"pawl-engine-", "pawl-vault-", "pawl-sealed-"};
    const char *path = pawl_path_join(&stage->arena, below(stage, "tmp"), name);
    bool ours = false;
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        ours = ours || strncmp(name, roles[i], strlen(roles[i])) == 0;
    return ours && rmdir(path) == 0;
}

static const char *find_litter(struct pawl_stage *stage)
{
    const char *found = "";
    DIR *folder = opendir(below(stage, "tmp"));
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            !is_workers(stage, entry->d_name))
            found = pawl_arena_strdup(&stage->arena, entry->d_name);
    if (folder != NULL) closedir(folder);
    return found;
}

const char *pawl_stage_remains(struct pawl_stage *stage)
{
    const char *process = find_process(stage), *litter;
    for (int waited = 0; process[0] != '\0' && waited < REMAINS_MS; waited += LOOK_MS) {
        pawl_clock_sleep_ms(LOOK_MS);
        process = find_process(stage);
    }
    if (process[0] != '\0')
        return pawl_arena_printf(&stage->arena, "its process %s outlived it by a second", process);
    litter = find_litter(stage);
    return litter[0] == '\0'
               ? NULL
               : pawl_arena_printf(&stage->arena, "it left %s in the temporary folder", litter);
}
