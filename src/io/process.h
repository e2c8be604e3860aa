/*
 * process.h - starting and ending child processes.
 *
 * posix_spawn with an explicit list of descriptors: the child gets these and nothing else, no
 * signal blocked or ignored, and a process group of its own, so that Ctrl-C reaches us alone. Used
 * for pawl's own helper; untrusted children are started by the sandbox room.
 */
#ifndef PAWL_IO_PROCESS_H
#define PAWL_IO_PROCESS_H

#include "base/error.h"

#include <sys/types.h>

struct pawl_process_fd {
    int ours;  /* descriptor here */
    int child; /* its number in the child, at most 63 */
};
struct pawl_process {
    const char *path;        /* program file */
    const char *const *argv; /* NULL-terminated */
    const char *const *env;  /* NULL-terminated, complete */
    const char *cwd;         /* NULL: ours */
    const struct pawl_process_fd *fds;
    size_t n_fds; /* at most 16; 0, 1, 2 not listed are /dev/null */
};
PAWL_MUST_CHECK enum pawl_status pawl_process_start(const struct pawl_process *spec, pid_t *pid,
                                                    struct pawl_error *err);
/* Wait up to timeout_ms for the end (-1: no limit; real time); then SIGTERM, after grace_ms
 * SIGKILL. Reaps the child; *exit_status (may be NULL) as of waitpid. */
void pawl_process_end(pid_t pid, int timeout_ms, int grace_ms, int *exit_status);
/* A connected AF_UNIX stream pair, both ends close-on-exec. */
PAWL_MUST_CHECK enum pawl_status pawl_socket_pair(int fds[2], struct pawl_error *err);

#endif
