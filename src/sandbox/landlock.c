#include "sandbox/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The numbers are the same on every architecture. */
enum { CALL_CREATE = 444, CALL_ADD_RULE = 445, CALL_RESTRICT = 446 };
enum { CREATE_VERSION = 1, RULE_PATH_BENEATH = 1 };

#define FS_EXECUTE          (1ULL << 0)
#define FS_WRITE_FILE       (1ULL << 1)
#define FS_READ_FILE        (1ULL << 2)
#define FS_READ_DIR         (1ULL << 3)
#define FS_ALL_V1           ((1ULL << 13) - 1)
#define FS_REFER            (1ULL << 13) /* version 2 */
#define FS_TRUNCATE         (1ULL << 14) /* version 3 */
#define FS_IOCTL_DEV        (1ULL << 15) /* version 5 */
#define FS_ON_FILES         (FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)
#define NET_BIND_TCP        (1ULL << 0) /* version 4 */
#define NET_CONNECT         (1ULL << 1)
#define SCOPE_ABSTRACT_UNIX (1ULL << 0) /* version 6 */
#define SCOPE_SIGNAL        (1ULL << 1)

struct ruleset_attr {
    uint64_t handled_fs, handled_net, scoped;
};
struct path_rule {
    uint64_t allowed;
    int32_t parent_fd;
} __attribute__((packed));

int pawl_landlock_abi(void)
{
    long abi = syscall(CALL_CREATE, NULL, (size_t)0, CREATE_VERSION);
    return abi > 0 ? (int)abi : 0;
}

static struct ruleset_attr handled_by(int abi, const struct pawl_landlock_spec *spec)
{
    struct ruleset_attr attr = {.handled_fs = FS_ALL_V1};
    if (abi >= 2) attr.handled_fs |= FS_REFER;
    if (abi >= 3) attr.handled_fs |= FS_TRUNCATE;
    if (abi >= 4 && !spec->network) attr.handled_net = NET_BIND_TCP | NET_CONNECT;
    if (abi >= 5 && !spec->devices) attr.handled_fs |= FS_IOCTL_DEV;
    if (abi >= 6) attr.scoped = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL;
    return attr;
}

/* Older kernels refuse a structure that is longer than theirs. */
static size_t attr_size(int abi)
{
    return abi >= 6 ? sizeof(struct ruleset_attr) : abi >= 4 ? 16 : 8;
}

static enum pawl_status allow_path(int ruleset, const char *path, uint64_t rights,
                                   struct pawl_error *err)
{
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0) return PAWL_OK; /* what does not exist, or may not be seen, needs no right */
    struct stat info;
    bool is_dir = fstat(fd, &info) == 0 && S_ISDIR(info.st_mode);
    struct path_rule rule = {.allowed = is_dir ? rights : rights & FS_ON_FILES, .parent_fd = fd};
    long failed = syscall(CALL_ADD_RULE, ruleset, RULE_PATH_BENEATH, &rule, 0);
    int cause = errno;
    close(fd);
    if (failed == 0) return PAWL_OK;
    return pawl_fail_errno(err, PAWL_EWORLD, cause, "Landlock refused a rule for \"%s\"", path);
}

static enum pawl_status allow_paths(int ruleset, const char *const *paths, uint64_t rights,
                                    struct pawl_error *err)
{
    for (; paths && *paths; paths++) PAWL_TRY(allow_path(ruleset, *paths, rights, err));
    return PAWL_OK;
}

enum pawl_status pawl_landlock_make(const struct pawl_landlock_spec *spec, int *ruleset,
                                    struct pawl_error *err)
{
    *ruleset = -1;
    int abi = pawl_landlock_abi();
    if (abi == 0) return PAWL_OK;
    struct ruleset_attr attr = handled_by(abi, spec);
    int fd = (int)syscall(CALL_CREATE, &attr, attr_size(abi), 0);
    if (fd < 0) {
        return pawl_fail_errno(err, PAWL_EWORLD, errno,
                               "The kernel has Landlock version %d but makes no rule set", abi);
    }
    uint64_t execute = spec->execute ? FS_EXECUTE : 0;
    uint64_t read = FS_READ_FILE | FS_READ_DIR | execute;
    uint64_t write = (attr.handled_fs & ~(FS_EXECUTE | FS_IOCTL_DEV)) | execute;
    enum pawl_status status = allow_paths(fd, spec->paths.read, read, err);
    if (status == PAWL_OK) status = allow_paths(fd, spec->more_read, read, err);
    if (status == PAWL_OK) status = allow_paths(fd, spec->paths.write, write, err);
    if (status == PAWL_OK) status = allow_path(fd, "/dev/null", FS_READ_FILE | FS_WRITE_FILE, err);
    if (status != PAWL_OK) {
        close(fd);
        return status;
    }
    *ruleset = fd;
    return PAWL_OK;
}

bool pawl_landlock_enforce(int ruleset)
{
    return ruleset < 0 || syscall(CALL_RESTRICT, ruleset, 0) == 0;
}
