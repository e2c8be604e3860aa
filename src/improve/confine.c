#include "improve/confine.h"

#include "improve/protocol.h"
#include "io/file.h"
#include "lm/model_file.h"
#include "sandbox/landlock.h"
#include "sandbox/launch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { DEPTH_MAX = 32, STALE_S = 5 };

/* Programs, libraries, names of hosts and certificates, what a runtime asks about the machine. */
static const char *const system_paths[] = {
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/gai.conf",
    "/etc/group",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/pki",
    "/etc/protocols",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/ssl",
    "/proc/self",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/dev/null",
    "/dev/zero",
    "/dev/random",
    "/dev/urandom",
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
};

/* --- lists of paths -------------------------------------------------------------------------------- */

struct paths {
    struct pawl_arena *arena;
    const char **items; /* NULL-terminated */
    size_t n;
};

static void start_list(struct paths *paths, struct pawl_arena *arena)
{
    *paths = (struct paths){.arena = arena};
    paths->items = PAWL_NEW_N(arena, const char *, PAWL_CONFINE_PATHS_MAX + 1);
}

static enum pawl_status add(struct paths *paths, const char *path, struct pawl_error *err)
{
    if (paths->n == PAWL_CONFINE_PATHS_MAX) {
        pawl_fail(err, PAWL_ETOOBIG, "More than %d files lie beside the sealed case files.",
                  PAWL_CONFINE_PATHS_MAX);
        pawl_hint(err, "Move the case files to a folder of their own.");
        return PAWL_ETOOBIG;
    }
    paths->items[paths->n++] = pawl_arena_strdup(paths->arena, path);
    return PAWL_OK;
}

static void deny(struct paths *denied, const char *path)
{
    char real[PATH_MAX];
    if (path == NULL || realpath(path, real) == NULL || denied->n == PAWL_CONFINE_PATHS_MAX) return;
    denied->items[denied->n++] = pawl_arena_strdup(denied->arena, real);
}

static bool is_denied(const struct paths *denied, const char *real)
{
    for (size_t i = 0; i < denied->n; i++)
        if (pawl_path_is_at_or_below(real, denied->items[i])) return true;
    return false;
}

static bool holds_denied(const struct paths *denied, const char *real)
{
    for (size_t i = 0; i < denied->n; i++)
        if (pawl_path_is_at_or_below(denied->items[i], real)) return true;
    return false;
}

/* --- granting what is not denied ------------------------------------------------------------------- */

/* `top` is the folder where a walk began. */
static enum pawl_status grant_below(struct paths *read, const struct paths *denied, const char *top,
                                    const char *path, int depth, struct pawl_error *err);

static enum pawl_status grant_entries(struct paths *read, const struct paths *denied,
                                      const char *top, const char *folder, int depth,
                                      struct pawl_error *err)
{
    struct dirent *entry;
    enum pawl_status status = PAWL_OK;
    DIR *dir = opendir(folder);
    if (dir == NULL) return PAWL_OK;
    while (status == PAWL_OK && (entry = readdir(dir)) != NULL) {
        char path[PATH_MAX];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        int n = snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (n > 0 && (size_t)n < sizeof path)
            status = grant_below(read, denied, top, path, depth + 1, err);
    }
    closedir(dir);
    return status;
}

/* A link is judged by what it points to, and one that leads out of the walk grants nothing: who sends
 * us a project must not choose which of our files it reads. One to a folder that holds something
 * denied is not followed: it may lead back up. */
static enum pawl_status grant_below(struct paths *read, const struct paths *denied, const char *top,
                                    const char *path, int depth, struct pawl_error *err)
{
    char real[PATH_MAX];
    struct stat info;
    if (realpath(path, real) == NULL || is_denied(denied, real)) return PAWL_OK;
    if (!pawl_path_is_at_or_below(real, top)) return PAWL_OK;
    if (!holds_denied(denied, real)) return add(read, real, err);
    if (depth > DEPTH_MAX || lstat(path, &info) != 0 || !S_ISDIR(info.st_mode)) return PAWL_OK;
    return grant_entries(read, denied, top, real, depth, err);
}

static enum pawl_status grant(struct paths *read, const struct paths *denied, const char *path,
                              struct pawl_error *err)
{
    char real[PATH_MAX];
    if (path == NULL || realpath(path, real) == NULL) return PAWL_OK;
    return grant_below(read, denied, real, real, 0, err);
}

static enum pawl_status grant_list(struct paths *read, const struct paths *denied,
                                   const json_t *list, struct pawl_error *err)
{
    size_t i;
    const json_t *item;
    json_array_foreach(list, i, item)
    {
        PAWL_TRY(grant(read, denied, json_string_value(item), err));
    }
    return PAWL_OK;
}

static enum pawl_status grant_system(struct paths *read, struct pawl_error *err)
{
    for (size_t i = 0; i < sizeof system_paths / sizeof *system_paths; i++)
        PAWL_TRY(add(read, system_paths[i], err));
    return PAWL_OK;
}

static enum pawl_status grant_models(struct paths *read, const struct paths *denied,
                                     struct pawl_error *err)
{
    const char *dir;
    if (pawl_models_dir(read->arena, &dir, NULL) != PAWL_OK) return PAWL_OK;
    return grant(read, denied, dir, err);
}

/* --- folders to write ---------------------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *place)
{
    (void)info;
    (void)type;
    (void)place;
    remove(path);
    return 0;
}

/* Remove a private folder that no living process holds. The lock is held for a process's life. */
static void sweep_one(const char *path)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return;
    bool stale = fstat(fd, &info) == 0 && info.st_uid == geteuid() &&
                 info.st_mtime + STALE_S < time(NULL) && flock(fd, LOCK_EX | LOCK_NB) == 0;
    if (stale) nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    close(fd);
}

static void sweep(const char *parent, const char *prefix)
{
    struct dirent *entry;
    DIR *dir = opendir(parent);
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        char path[PATH_MAX];
        if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0) continue;
        int n = snprintf(path, sizeof path, "%s/%s", parent, entry->d_name);
        if (n > 0 && (size_t)n < sizeof path) sweep_one(path);
    }
    if (dir != NULL) closedir(dir);
}

/* A confined process cannot remove its own folder from a parent that it may not write; so each
 * start sweeps what ended processes left. */
static enum pawl_status add_private_temp(struct paths *write, const char *role,
                                         struct pawl_error *err)
{
    const char *parent = getenv("TMPDIR");
    if (parent == NULL || parent[0] == '\0') parent = "/tmp";
    const char *prefix = pawl_arena_printf(write->arena, "pawl-%s-", role);
    char *path = pawl_arena_printf(write->arena, "%s/%sXXXXXX", parent, prefix);
    sweep(parent, prefix);
    if (mkdtemp(path) == NULL)
        return pawl_fail_errno(err, PAWL_EWORLD, errno, "Could not make a folder in %s", parent);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* kept open: it holds the lock */
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) != 0 || setenv("TMPDIR", path, 1) != 0)
        return pawl_fail_errno(err, PAWL_EWORLD, errno, "Could not take the folder %s", path);
    return add(write, path, err);
}

/* Weights that the engine wrote out in another form are mapped by the sealed side, too. */
static enum pawl_status grant_weights(struct paths *read, const struct paths *denied,
                                      struct pawl_error *err)
{
    const char *dir = pawl_model_cache_dir(read->arena);
    return grant(read, denied, dir, err);
}

static enum pawl_status add_cache(struct paths *write, struct pawl_error *err)
{
    char *cache = pawl_path_user(write->arena, "XDG_CACHE_HOME", ".cache");
    if (cache == NULL) return PAWL_OK;
    cache = pawl_path_join(write->arena, cache, "pawl");
    if (pawl_dir_make(cache, 0700, NULL) != PAWL_OK) return PAWL_OK; /* then there is no cache */
    return add(write, cache, err);
}

/* The vault makes its folder itself, when it seals; until then the nearest one above it is its. */
static enum pawl_status add_sealed(const struct pawl_worker *worker, struct paths *write,
                                   struct pawl_error *err)
{
    char *path = pawl_arena_strdup(write->arena, worker->sealed_dir);
    while (!pawl_path_exists(path) && strlen(path) > strlen(worker->project_dir)) {
        char *slash = strrchr(path, '/');
        if (slash == NULL || slash == path) break;
        *slash = '\0';
    }
    PAWL_TRY(add(write, path, err));
    enum pawl_status status = pawl_dir_make(worker->vault_home, 0700, err);
    if (status != PAWL_OK) {
        pawl_hint(err, "The keys of sealed cases are kept in the user's data folder: set HOME, or "
                       "XDG_DATA_HOME, to a folder that pawl may write.");
        return status;
    }
    return add(write, worker->vault_home, err);
}

/* --- the plan ------------------------------------------------------------------------------------------ */

static void list_denied(const struct pawl_worker *worker, struct paths *denied)
{
    size_t i;
    const json_t *item;
    json_array_foreach(worker->deny, i, item) deny(denied, json_string_value(item));
    deny(denied, pawl_path_join(denied->arena, worker->project_dir, ".pawl"));
    deny(denied, worker->sealed_dir);
    deny(denied, worker->vault_home);
}

bool pawl_confine_is_local(const json_t *model)
{
    struct pawl_str backend = pawl_json_get_str(model, "backend");
    return pawl_str_is(backend, "script") || pawl_str_is(backend, "replay") ||
           pawl_str_is(backend, "llama");
}

/* Only models that lie elsewhere, and programs that were given it, need the network. */
static bool needs_network(const struct pawl_config *config)
{
    const char *name;
    json_t *model;
    if (pawl_json_get_bool(config->program, "network", false)) return true;
    json_object_foreach((json_t *)config->models, name, model)
    {
        if (!pawl_confine_is_local(model)) return true;
    }
    return false;
}

enum pawl_status pawl_confine_plan(const struct pawl_worker *worker, const char *role,
                                   struct pawl_arena *arena, struct pawl_confinement *plan,
                                   struct pawl_error *err)
{
    struct paths read, write, denied;
    bool vault = strcmp(role, PAWL_ROLE_VAULT_NAME) == 0;
    start_list(&read, arena);
    start_list(&write, arena);
    start_list(&denied, arena);
    if (!vault) list_denied(worker, &denied);
    PAWL_TRY(grant_system(&read, err));
    PAWL_TRY(grant_models(&read, &denied, err));
    if (!vault) PAWL_TRY(grant_weights(&read, &denied, err));
    PAWL_TRY(grant(&read, &denied, worker->project_dir, err));
    PAWL_TRY(grant_list(&read, &denied, worker->read, err));
    PAWL_TRY(add_private_temp(&write, role, err));
    if (strcmp(role, PAWL_ROLE_ENGINE_NAME) == 0) {
        PAWL_TRY(add(&write, worker->store_dir, err));
        PAWL_TRY(add_cache(&write, err));
    }
    if (vault) PAWL_TRY(add_sealed(worker, &write, err));
    *plan = (struct pawl_confinement){.paths = {.read = read.items, .write = write.items},
                                      .network = !vault && needs_network(&worker->config),
                                      .children = true};
    return PAWL_OK;
}

/* Before anything is opened. What the project's folders hold stays readable as far as Landlock lets it, which comes
 * next: they may lie below root's own. */
static enum pawl_status become(uid_t uid, struct pawl_error *err)
{
    struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
    if (uid == 0) return PAWL_OK;
    setrlimit(RLIMIT_MEMLOCK, &all); /* while we may: what this user can lock is little */
    if (geteuid() == 0 && pawl_drop_uid(uid, pawl_landlock_abi() > 0) && setuid(0) != 0)
        return PAWL_OK;
    pawl_fail(err, PAWL_EWORLD, "The vault could not become the user %u.", (unsigned)uid);
    pawl_hint(err, "`pawl doctor` says who keeps the vault; `pawl doctor --uninstall-vault` ends "
                   "that where nothing is sealed with it.");
    return PAWL_EWORLD;
}

enum pawl_status pawl_confine_role(const struct pawl_worker *worker, const char *role,
                                   struct pawl_error *err)
{
    struct pawl_arena arena = {0};
    struct pawl_confinement plan;
    enum pawl_status status = become(worker->vault_uid, err);
    if (status == PAWL_OK) status = pawl_confine_plan(worker, role, &arena, &plan, err);
    if (status == PAWL_OK) status = pawl_confine_self(&plan, err);
    if (status == PAWL_OK && strcmp(role, PAWL_ROLE_VAULT_NAME) == 0) pawl_harden_self();
    pawl_arena_release(&arena);
    return status;
}
