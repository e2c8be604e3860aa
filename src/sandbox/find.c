#include "sandbox/find.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const system_paths[] = {"/usr",
                                           "/bin",
                                           "/sbin",
                                           "/lib",
                                           "/lib32",
                                           "/lib64",
                                           "/etc/ld.so.cache",
                                           "/etc/alternatives",
                                           "/etc/localtime",
                                           "/dev/zero",
                                           "/dev/random",
                                           "/dev/urandom"};
static const char *const network_paths[] = {
    "/etc/resolv.conf", "/etc/hosts",           "/etc/nsswitch.conf",  "/etc/gai.conf",
    "/etc/ssl",         "/etc/ca-certificates", "/run/systemd/resolve"};
enum { N_SYSTEM = sizeof system_paths / sizeof *system_paths };
enum { N_NETWORK = sizeof network_paths / sizeof *network_paths };
enum { N_OWN_MAX = 10 };

static bool is_program(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode) && access(path, X_OK) == 0;
}

static bool is_script(const char *path)
{
    char start[2] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t n = read(fd, start, sizeof start);
    close(fd);
    return n == 2 && start[0] == '#' && start[1] == '!';
}

static enum pawl_status not_found(const char *name, bool saw_shim, struct pawl_error *err)
{
    if (saw_shim) {
        pawl_fail(err, PAWL_ENOTFOUND, "\"%s\" is a wrapper script here, not the interpreter.",
                  name);
        pawl_hint(err, "Name the interpreter itself, e.g. /usr/bin/python3.");
    } else {
        pawl_fail(err, PAWL_ENOTFOUND, "There is no program \"%s\".", name);
        pawl_hint(err, "Install it, or write its path.");
    }
    return PAWL_ENOTFOUND;
}

enum pawl_status pawl_find_program(struct pawl_arena *arena, const char *name, const char **path,
                                   struct pawl_error *err)
{
    if (strchr(name, '/')) {
        *path = pawl_arena_strdup(arena, name);
        return is_program(name) ? PAWL_OK : not_found(name, false, err);
    }
    bool python = strncmp(name, "python", 6) == 0, saw_shim = false;
    const char *places = getenv("PATH"), *hidden = NULL;
    struct pawl_str rest = pawl_str_of(places && *places ? places : "/usr/local/bin:/usr/bin:/bin");
    struct pawl_str place;
    while (pawl_str_split(&rest, ':', &place)) {
        if (place.len == 0 || place.ptr[0] != '/') continue; /* never the current folder */
        char *found = pawl_arena_printf(arena, PAWL_STR_FMT "/%s", PAWL_STR_ARG(place), name);
        if (!is_program(found)) continue;
        if (python && is_script(found)) {
            saw_shim = true;
            continue;
        }
        if (python && pawl_hidden_program(arena, found)) {
            if (!hidden)
                hidden = found; /* whether it is a wrapper cannot be seen: better another */
            continue;
        }
        *path = found;
        return PAWL_OK;
    }
    if (hidden) {
        *path = hidden;
        return PAWL_OK;
    }
    return not_found(name, saw_shim, err);
}

/* Landlock refuses to open a file, and says nothing about its modes. */
const char *pawl_hidden_program(struct pawl_arena *arena, const char *path)
{
    char real[PATH_MAX];
    if (!realpath(path, real) || access(real, R_OK | X_OK) != 0) return NULL;
    int fd = open(real, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) close(fd);
    return fd < 0 ? pawl_arena_strdup(arena, real) : NULL;
}

/* The file and, for PREFIX/bin/NAME, the libraries of PREFIX. */
static size_t add_own_paths(struct pawl_arena *arena, const char *program, const char **paths)
{
    size_t n = 0;
    paths[n++] = program;
    const char *slash = strrchr(program, '/');
    if (!slash || slash - program < 4 || strncmp(slash - 4, "/bin", 4) != 0) return n;
    int prefix = (int)(slash - 4 - program);
    if (prefix == 0) return n;
    static const char *const parts[] = {"lib", "lib64", "pyvenv.cfg"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        paths[n++] = pawl_arena_printf(arena, "%.*s/%s", prefix, program, parts[i]);
    return n;
}

const char *const *pawl_runtime_paths(struct pawl_arena *arena, const char *program, bool network)
{
    const char **paths = PAWL_NEW_N(arena, const char *, N_SYSTEM + N_NETWORK + N_OWN_MAX + 1);
    size_t n = 0;
    for (size_t i = 0; i < N_SYSTEM; i++) paths[n++] = system_paths[i];
    for (size_t i = 0; network && i < N_NETWORK; i++) paths[n++] = network_paths[i];
    n += add_own_paths(arena, program, paths + n);
    char real[PATH_MAX];
    if (realpath(program, real)) add_own_paths(arena, pawl_arena_strdup(arena, real), paths + n);
    return paths;
}
