#include "io/process.h"

#include "io/deadline.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FDS_MAX = 16, CHILD_FD_MAX = 63 };

/*
 * Invariant: before the child's table is built, every descriptor to be passed has a copy above
 * CHILD_FD_MAX. So no dup2 can overwrite one that is still to be copied, and closefrom ends them.
 */
static int copy_above(const struct pawl_process *spec, int copies[FDS_MAX])
{
    for (size_t i = 0; i < spec->n_fds; i++) {
        copies[i] = fcntl(spec->fds[i].ours, F_DUPFD_CLOEXEC, CHILD_FD_MAX + 1);
        if (copies[i] >= 0) continue;
        int errnum = errno;
        while (i-- > 0) close(copies[i]);
        return errnum;
    }
    return 0;
}

static bool is_listed(const struct pawl_process *spec, int child)
{
    for (size_t i = 0; i < spec->n_fds; i++)
        if (spec->fds[i].child == child) return true;
    return false;
}

/* What the child does to its descriptors before the program starts. Gives an errno. */
static int plan_descriptors(const struct pawl_process *spec, const int copies[FDS_MAX],
                            posix_spawn_file_actions_t *plan)
{
    int errnum = 0;
    for (size_t i = 0; i < spec->n_fds && errnum == 0; i++)
        errnum = posix_spawn_file_actions_adddup2(plan, copies[i], spec->fds[i].child);
    for (int fd = 0; fd <= 2 && errnum == 0; fd++)
        if (!is_listed(spec, fd))
            errnum = posix_spawn_file_actions_addopen(plan, fd, "/dev/null", O_RDWR, 0);
    for (int fd = 3; fd <= CHILD_FD_MAX && errnum == 0; fd++)
        if (!is_listed(spec, fd)) errnum = posix_spawn_file_actions_addclose(plan, fd);
    if (errnum == 0) errnum = posix_spawn_file_actions_addclosefrom_np(plan, CHILD_FD_MAX + 1);
    if (errnum == 0 && spec->cwd) errnum = posix_spawn_file_actions_addchdir_np(plan, spec->cwd);
    return errnum;
}

/* A child starts with no signal blocked or ignored, in a group of its own: Ctrl-C on the terminal
 * reaches us alone, and we tell the child. */
static int plan_signals(posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int errnum = posix_spawnattr_setsigmask(attributes, &none);
    if (errnum == 0) errnum = posix_spawnattr_setsigdefault(attributes, &all);
    if (errnum == 0) errnum = posix_spawnattr_setpgroup(attributes, 0);
    if (errnum == 0)
        errnum = posix_spawnattr_setflags(
            attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    return errnum;
}

static int spawn(const struct pawl_process *spec, const int copies[FDS_MAX], pid_t *pid)
{
    posix_spawn_file_actions_t plan;
    posix_spawnattr_t attributes;
    int errnum = posix_spawn_file_actions_init(&plan);
    if (errnum != 0) return errnum;
    errnum = posix_spawnattr_init(&attributes);
    if (errnum == 0) {
        errnum = plan_descriptors(spec, copies, &plan);
        if (errnum == 0) errnum = plan_signals(&attributes);
        /* posix_spawn takes char *const[] for historical reasons and changes nothing. */
        if (errnum == 0)
            errnum = posix_spawn(pid, spec->path, &plan, &attributes, (char *const *)spec->argv,
                                 (char *const *)spec->env);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&plan);
    return errnum;
}

enum pawl_status pawl_process_start(const struct pawl_process *spec, pid_t *pid,
                                    struct pawl_error *err)
{
    PAWL_ASSERT(spec->n_fds <= FDS_MAX);
    for (size_t i = 0; i < spec->n_fds; i++)
        PAWL_ASSERT(spec->fds[i].child >= 0 && spec->fds[i].child <= CHILD_FD_MAX);
    int copies[FDS_MAX];
    int errnum = copy_above(spec, copies);
    if (errnum == 0) {
        errnum = spawn(spec, copies, pid);
        for (size_t i = 0; i < spec->n_fds; i++) close(copies[i]);
    }
    if (errnum == 0) return PAWL_OK;
    return pawl_fail_errno(err, PAWL_EWORLD, errnum, "Could not start the program %s", spec->path);
}

/* True when the child has ended, and is reaped, before the deadline. */
static bool wait_for_end(pid_t pid, struct pawl_deadline deadline, int *exit_status)
{
    for (int pause_ms = 1;; pause_ms = pause_ms < 16 ? pause_ms * 2 : 16) {
        int left_ms = pawl_deadline_left_ms(deadline);
        pid_t got = waitpid(pid, exit_status, left_ms < 0 ? 0 : WNOHANG);
        if (got == pid) return true;
        if (got < 0 && errno != EINTR) PAWL_BUG("waitpid(%d): %s", (int)pid, strerror(errno));
        if (left_ms == 0) return false;
        if (left_ms > 0 && pause_ms > left_ms) pause_ms = left_ms;
        nanosleep(&(struct timespec){.tv_nsec = (long)pause_ms * 1000000}, NULL);
    }
}

void pawl_process_end(pid_t pid, int timeout_ms, int grace_ms, int *exit_status)
{
    int status;
    if (!wait_for_end(pid, pawl_deadline_in(timeout_ms), &status)) {
        kill(pid, SIGTERM);
        if (!wait_for_end(pid, pawl_deadline_in(grace_ms), &status)) {
            kill(pid, SIGKILL);
            wait_for_end(pid, pawl_deadline_in(-1), &status);
        }
    }
    if (exit_status) *exit_status = status;
}

enum pawl_status pawl_socket_pair(int fds[2], struct pawl_error *err)
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0) return PAWL_OK;
    return pawl_fail_errno(err, PAWL_EWORLD, errno, "Could not make a pair of sockets");
}
