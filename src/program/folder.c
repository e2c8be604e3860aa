#include "program/folder.h"
#include "base/arena.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_BYTES_MAX = 200, DEPTH_MAX = 64 };

enum pawl_status pawl_folder_make(char **path, struct pawl_error *err)
{
    const char *base = getenv("TMPDIR");
    char text[512];
    snprintf(text, sizeof text, "%s/pawl-XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(text)) {
        pawl_fail_errno(err, PAWL_EWORLD, errno, "No temporary folder \"%s\" could be made", text);
        pawl_hint(err, "Set TMPDIR to a folder that may be written.");
        return PAWL_EWORLD;
    }
    *path = pawl_xstrdup(text);
    return PAWL_OK;
}

bool pawl_folder_name_is_safe(const char *name)
{
    if (name[0] == '/' || name[0] == '\0' || strlen(name) > NAME_BYTES_MAX) return false;
    struct pawl_str rest = pawl_str_of(name), part;
    while (pawl_str_split(&rest, '/', &part))
        if (part.len == 0 || pawl_str_is(part, ".") || pawl_str_is(part, "..")) return false;
    return name[strlen(name) - 1] != '/';
}

static bool write_all(int fd, struct pawl_str text)
{
    while (text.len > 0) {
        ssize_t n = write(fd, text.ptr, text.len);
        if (n < 0 && errno != EINTR) return false;
        if (n > 0) text = (struct pawl_str){text.ptr + n, text.len - (size_t)n};
    }
    return true;
}

enum pawl_status pawl_folder_write(const char *folder, const char *name, struct pawl_str text,
                                   struct pawl_error *err)
{
    PAWL_ASSERT(pawl_folder_name_is_safe(name));
    char path[1024];
    size_t start = strlen(folder) + 1;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    for (char *slash = strchr(path + start, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0755) == 0) chmod(path, 0755); /* the child may be another user */
        *slash = '/';
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    bool ok = fd >= 0 && write_all(fd, text) && fchmod(fd, 0644) == 0;
    int cause = errno;
    if (fd >= 0) close(fd);
    if (ok) return PAWL_OK;
    return pawl_fail_errno(err, PAWL_EWORLD, cause, "The file \"%s\" could not be written", path);
}

static void empty_folder(int parent, const char *name, int depth)
{
    /* Where this fails for another reason, only what may not be read stays behind. */
    if (fchmodat(parent, name, 0700, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT) return;
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir) {
        if (fd >= 0) close(fd);
        return;
    }
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        if (unlinkat(fd, entry->d_name, 0) == 0 || depth == DEPTH_MAX) continue;
        struct stat info;
        if (fstatat(fd, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(info.st_mode))
            continue;
        empty_folder(fd, entry->d_name, depth + 1);
        unlinkat(fd, entry->d_name, AT_REMOVEDIR);
    }
    closedir(dir);
}

void pawl_folder_remove(char *path)
{
    if (!path) return;
    empty_folder(AT_FDCWD, path, 0);
    rmdir(path);
    free(path);
}
