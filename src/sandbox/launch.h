/*
 * launch.h - from a specification to a confined process: find the program, make the rule set, fork,
 * give everything up, exec.
 *
 * All forks come from one thread that lives as long as the process: the kernel ends a child with
 * the *thread* that made it (PR_SET_PDEATHSIG), so that children die with us and not earlier. That
 * thread is the only mutable state that this room shares.
 */
#ifndef PAWL_SANDBOX_LAUNCH_H
#define PAWL_SANDBOX_LAUNCH_H

#include "sandbox/sandbox.h"

struct pawl_launched {
    pid_t pid;               /* also the id of its process group */
    int in, out, complaints; /* our ends of its stdin, stdout and stderr; not blocking */
};
PAWL_MUST_CHECK enum pawl_status pawl_launch(const struct pawl_command *command,
                                             struct pawl_launched *launched,
                                             struct pawl_error *err);

/* The steps that a child takes, for the self-test too. Async-signal-safe; false with errno. */
bool pawl_drop_uid(uid_t uid, bool keep_reading); /* as another user: 0 does nothing */
uid_t pawl_sandbox_uid(void);                     /* for the next child; 0 where we are not root */

#endif
