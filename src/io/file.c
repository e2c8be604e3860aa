#include "io/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE_BYTES = 1 << 16 };

/* A system call on `path` failed: the sentence, and for the usual causes what to do. */
static enum pawl_status fail_on(const char *doing, const char *path, int errnum,
                                struct pawl_error *err)
{
    enum pawl_status status = errnum == ENOENT ? PAWL_ENOTFOUND : PAWL_EWORLD;
    pawl_fail_errno(err, status, errnum, "Could not %s %s", doing, path);
    if (errnum == ENOSPC || errnum == EDQUOT)
        pawl_hint(err, "Free some space on that disk, then run the same command again.");
    else if (errnum == EACCES || errnum == EPERM)
        pawl_hint(err, "Give this user the right to do so, or work in another folder.");
    return status;
}

/* read(2) until `n_bytes` or the end of the file. Gives the number of bytes, or -1. */
static ssize_t read_up_to(int fd, char *bytes, size_t n_bytes)
{
    size_t got = 0;
    while (got < n_bytes) {
        ssize_t n = read(fd, bytes + got, n_bytes - got);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -1;
        if (n == 0) break;
        got += (size_t)n;
    }
    return (ssize_t)got;
}

/* A regular file, so that reading it ends. */
static enum pawl_status look_at(int fd, const char *path, struct stat *st, struct pawl_error *err)
{
    if (fstat(fd, st) != 0) return fail_on("look at", path, errno, err);
    if (S_ISREG(st->st_mode)) return PAWL_OK;
    return pawl_fail(err, PAWL_EWORLD, "%s is not a regular file.", path);
}

static enum pawl_status read_open(int fd, const char *path, size_t limit_bytes,
                                  struct pawl_arena *arena, struct pawl_str *out,
                                  struct pawl_error *err)
{
    struct stat st;
    PAWL_TRY(look_at(fd, path, &st, err));
    size_t size_bytes = (size_t)st.st_size;
    if (size_bytes > limit_bytes)
        return pawl_fail(err, PAWL_ETOOBIG, "%s has %zu bytes, more than the %zu allowed.", path,
                         size_bytes, limit_bytes);
    char *bytes = pawl_arena_alloc(arena, size_bytes + 1, 1);
    ssize_t n = read_up_to(fd, bytes, size_bytes);
    if (n < 0) return fail_on("read", path, errno, err);
    *out = (struct pawl_str){bytes, (size_t)n};
    return PAWL_OK;
}

enum pawl_status pawl_file_read(const char *path, size_t limit_bytes, struct pawl_arena *arena,
                                struct pawl_str *out, struct pawl_error *err)
{
    /* O_NONBLOCK: opening a fifo that nobody writes must not hang; regular files ignore it. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) return fail_on("open", path, errno, err);
    enum pawl_status status = read_open(fd, path, limit_bytes, arena, out, err);
    close(fd);
    return status;
}

enum pawl_status pawl_fd_write(int fd, const void *bytes, size_t n_bytes, const char *what,
                               struct pawl_error *err)
{
    const char *next = bytes;
    while (n_bytes > 0) {
        ssize_t n = write(fd, next, n_bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail_on("write", what, errno, err);
        next += n;
        n_bytes -= (size_t)n;
    }
    return PAWL_OK;
}

/* The folder that holds `path`, in `folder`. */
static void folder_of(const char *path, char folder[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        strcpy(folder, ".");
    else
        snprintf(folder, PATH_MAX, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}

static int open_dir(const char *path)
{
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* fsync what is open, and close it. */
static enum pawl_status sync_and_close(int fd, const char *doing, const char *path,
                                       struct pawl_error *err)
{
    int errnum = fsync(fd) == 0 ? 0 : errno;
    close(fd);
    return errnum == 0 ? PAWL_OK : fail_on(doing, path, errnum, err);
}

enum pawl_status pawl_dir_sync(const char *path, struct pawl_error *err)
{
    int fd = open_dir(path);
    if (fd < 0) return fail_on("open the folder", path, errno, err);
    return sync_and_close(fd, "write the folder", path, err);
}

/* A rename is on disk once its folder is. */
static enum pawl_status sync_folder_of(const char *path, struct pawl_error *err)
{
    char folder[PATH_MAX];
    folder_of(path, folder);
    return pawl_dir_sync(folder, err);
}

/* So is a new folder. But one may be made where nothing can be listed (by its mode, or for a process
 * that Landlock confines): such a parent cannot be opened, and is left to the kernel. */
static enum pawl_status sync_parent_of(const char *dir, struct pawl_error *err)
{
    char parent[PATH_MAX];
    folder_of(dir, parent);
    int fd = open_dir(parent);
    if (fd < 0 && (errno == EACCES || errno == EPERM)) return PAWL_OK;
    if (fd < 0) return fail_on("open the folder", parent, errno, err);
    return sync_and_close(fd, "write the folder", parent, err);
}

/* What a new file is filled from. */
struct source {
    struct pawl_str content; /* ptr NULL: the open file `in` instead */
    int in;
    const char *from;
    struct pawl_hasher *hasher;
};

/* Read `in` to its end into the hash, and into `out` unless that is -1. */
static enum pawl_status pump(const struct source *source, int out, const char *to,
                             struct pawl_error *err)
{
    char piece[PIECE_BYTES];
    for (;;) {
        ssize_t n = read(source->in, piece, sizeof piece);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail_on("read", source->from, errno, err);
        if (n == 0) return PAWL_OK;
        pawl_hasher_add(source->hasher, piece, (size_t)n);
        if (out >= 0) PAWL_TRY(pawl_fd_write(out, piece, (size_t)n, to, err));
    }
}

/* What a file that is there already means. */
enum existing { REPLACE, REFUSE };

/* Where the file system cannot refuse by itself, of two at the same moment both succeed. */
static bool take_place(const char *temporary, const char *path, enum existing existing)
{
    if (existing == REPLACE) return rename(temporary, path) == 0;
    if (renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE) == 0) return true;
    if (errno != EINVAL && errno != ENOSYS) return false;
    if (!pawl_path_exists(path)) return rename(temporary, path) == 0;
    errno = EEXIST;
    return false;
}

static enum pawl_status fill_and_rename(int fd, const char *temporary, const char *path,
                                        const struct source *source, mode_t mode,
                                        enum existing existing, struct pawl_error *err)
{
    if (source->content.ptr != NULL)
        PAWL_TRY(pawl_fd_write(fd, source->content.ptr, source->content.len, path, err));
    else
        PAWL_TRY(pump(source, fd, path, err));
    if (fchmod(fd, mode) != 0 || fsync(fd) != 0) return fail_on("write", path, errno, err);
    if (!take_place(temporary, path, existing))
        return fail_on(existing == REPLACE ? "replace" : "make", path, errno, err);
    return PAWL_OK;
}

/* A name that nobody gives a file of his own, because leftovers are removed by it. */
static const char temporary_mark[] = ".pawl-";
enum { TEMPORARY_RANDOM = 6 };

static enum pawl_status write_whole(const char *path, const struct source *source, mode_t mode,
                                    enum existing existing, struct pawl_error *err)
{
    char temporary[PATH_MAX];
    int n = snprintf(temporary, sizeof temporary, "%s%sXXXXXX", path, temporary_mark);
    if (n < 0 || (size_t)n >= sizeof temporary) return fail_on("write", path, ENAMETOOLONG, err);
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0) return fail_on("make a file beside", path, errno, err);
    enum pawl_status status = fill_and_rename(fd, temporary, path, source, mode, existing, err);
    close(fd);
    if (status != PAWL_OK) {
        unlink(temporary);
        return status;
    }
    return sync_folder_of(path, err);
}

static bool is_temporary_of(const char *base, const char *name)
{
    size_t len = strlen(base), mark = sizeof temporary_mark - 1;
    return strncmp(name, base, len) == 0 && strncmp(name + len, temporary_mark, mark) == 0 &&
           strlen(name + len + mark) == TEMPORARY_RANDOM;
}

void pawl_file_sweep(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    folder_of(path, folder);
    DIR *dir = opendir(folder);
    if (dir == NULL) return; /* no folder, nothing left in it */
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (is_temporary_of(slash != NULL ? slash + 1 : path, entry->d_name))
            unlinkat(dirfd(dir), entry->d_name, 0);
    }
    closedir(dir);
}

enum pawl_status pawl_file_write_atomic(const char *path, struct pawl_str content, mode_t mode,
                                        struct pawl_error *err)
{
    struct source source = {.content = content.ptr != NULL ? content : PAWL_STR("")};
    return write_whole(path, &source, mode, REPLACE, err);
}

enum pawl_status pawl_file_write_new(const char *path, struct pawl_str content, mode_t mode,
                                     struct pawl_error *err)
{
    struct source source = {.content = content.ptr != NULL ? content : PAWL_STR("")};
    return write_whole(path, &source, mode, REFUSE, err);
}

enum pawl_status pawl_file_publish(const char *from, const char *to, struct pawl_error *err)
{
    int fd = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return fail_on("open", from, errno, err);
    PAWL_TRY(sync_and_close(fd, "write", from, err));
    if (rename(from, to) != 0) return fail_on("replace", to, errno, err);
    return sync_folder_of(to, err);
}

/* `to` NULL: hash only. */
static enum pawl_status read_through(const char *from, const char *to, mode_t mode,
                                     struct pawl_hash *hash, struct pawl_error *err)
{
    struct pawl_hasher hasher;
    pawl_hasher_init(&hasher);
    struct source source = {.from = from, .hasher = &hasher};
    source.in = open(from, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (source.in < 0) return fail_on("open", from, errno, err);
    struct stat st;
    enum pawl_status status = look_at(source.in, from, &st, err);
    if (status == PAWL_OK)
        status = to != NULL ? write_whole(to, &source, mode, REPLACE, err)
                            : pump(&source, -1, NULL, err);
    close(source.in);
    *hash = pawl_hasher_final(&hasher);
    return status;
}

enum pawl_status pawl_file_hash(const char *path, struct pawl_hash *hash, struct pawl_error *err)
{
    return read_through(path, NULL, 0, hash, err);
}

enum pawl_status pawl_file_copy(const char *from, const char *to, mode_t mode,
                                struct pawl_hash *hash, struct pawl_error *err)
{
    return read_through(from, to, mode, hash, err);
}

static enum pawl_status make_one(const char *path, mode_t mode, struct pawl_error *err)
{
    if (mkdir(path, mode) == 0) return sync_parent_of(path, err);
    int errnum = errno;
    struct stat st;
    if (stat(path, &st) == 0) { /* there already, whatever mkdir said about making it */
        if (S_ISDIR(st.st_mode)) return PAWL_OK;
        errnum = ENOTDIR;
    }
    return fail_on("make the folder", path, errnum, err);
}

enum pawl_status pawl_dir_make(const char *path, mode_t mode, struct pawl_error *err)
{
    char prefix[PATH_MAX];
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof prefix)
        return fail_on("make the folder", path, len == 0 ? EINVAL : ENAMETOOLONG, err);
    memcpy(prefix, path, len + 1);
    for (char *slash = strchr(prefix + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        PAWL_TRY(make_one(prefix, mode, err));
        *slash = '/';
    }
    return make_one(prefix, mode, err);
}

bool pawl_path_exists(const char *path)
{
    struct stat info; /* access() asks for the real user without his capabilities */
    return stat(path, &info) == 0;
}

char *pawl_path_join(struct pawl_arena *arena, const char *base, const char *path)
{
    if (path[0] == '/') return pawl_arena_strdup(arena, path);
    size_t len = strlen(base);
    const char *slash = len > 0 && base[len - 1] == '/' ? "" : "/";
    return pawl_arena_printf(arena, "%s%s%s", base, slash, path);
}

bool pawl_path_is_at_or_below(const char *path, const char *folder)
{
    size_t n = strlen(folder);
    if (strncmp(path, folder, n) != 0) return false;
    return path[n] == '\0' || path[n] == '/' || (n > 0 && folder[n - 1] == '/');
}

char *pawl_path_user(struct pawl_arena *arena, const char *name, const char *fallback)
{
    /* The XDG rules: a relative path in these variables counts as not set. */
    const char *value = getenv(name);
    if (value && value[0] == '/') return pawl_arena_strdup(arena, value);
    const char *home = getenv("HOME");
    if (!home || home[0] != '/') return NULL;
    return pawl_path_join(arena, home, fallback);
}
