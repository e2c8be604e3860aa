#include "program/project_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

const char *pawl_project_path(struct pawl_arena *arena, const char *project_dir, const char *path)
{
    if (path[0] == '/' || !project_dir) return pawl_arena_strdup(arena, path);
    return pawl_arena_printf(arena, "%s/%s", project_dir, path);
}

static enum pawl_status refuse(struct pawl_error *err, const char *field, const char *path,
                               const char *why)
{
    pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, field, "The file \"%s\" %s.", path, why);
    pawl_hint(err, "Paths start at the project's folder.");
    return PAWL_ECONFIG;
}

static bool read_all(int fd, char *out, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t got = read(fd, out + at, n - at);
        if (got == 0 || (got < 0 && errno != EINTR)) return false;
        if (got > 0) at += (size_t)got;
    }
    return true;
}

enum pawl_status pawl_project_file(const char *project_dir, const char *path, const char *field,
                                   size_t limit_bytes, struct pawl_arena *arena,
                                   struct pawl_str *text, struct pawl_error *err)
{
    const char *full = pawl_project_path(arena, project_dir, path);
    int fd = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return refuse(err, field, path, errno == ENOENT ? "is not there" : "may not be read");
    }
    struct stat info;
    const char *why = NULL;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        why = "is not a regular file";
    } else if ((uint64_t)info.st_size > limit_bytes) {
        why = pawl_arena_printf(arena, "is larger than %zu bytes", limit_bytes);
    } else {
        size_t n = (size_t)info.st_size;
        char *bytes = PAWL_NEW_N(arena, char, n + 1);
        *text = (struct pawl_str){bytes, n};
        if (!read_all(fd, bytes, n)) why = "changed while it was read";
    }
    close(fd);
    return why ? refuse(err, field, path, why) : PAWL_OK;
}

bool pawl_project_file_hash(const char *path, struct pawl_hash *hash)
{
    char bytes[64 << 10];
    struct pawl_hasher hasher;
    FILE *file = fopen(path, "rbe");
    if (!file) return false;
    pawl_hasher_init(&hasher);
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, file)) > 0;)
        pawl_hasher_add(&hasher, bytes, n);
    bool whole = !ferror(file);
    fclose(file);
    *hash = pawl_hasher_final(&hasher);
    return whole;
}
