/*
 * landlock.h - which files, ports and processes a process may touch, by the kernel's Landlock.
 *
 * Raw system calls: the constants are the kernel's own and do not depend on the headers installed.
 * A rule set is made before the fork and enforced after it, so a child does nothing that could fail
 * for want of memory.
 */
#ifndef PAWL_SANDBOX_LANDLOCK_H
#define PAWL_SANDBOX_LANDLOCK_H

#include "sandbox/sandbox.h"

/* The version that the running kernel offers; 0: none. */
int pawl_landlock_abi(void);

struct pawl_landlock_spec {
    struct pawl_sandbox_paths paths;
    const char *const *more_read; /* NULL-terminated or NULL: as paths.read */
    bool execute;                 /* what may be read or written may also be executed */
    bool network;                 /* TCP allowed */
    bool devices;                 /* ioctl on devices allowed */
};
/* Gives *ruleset, a descriptor (close-on-exec), or -1 on a kernel without Landlock. */
PAWL_MUST_CHECK enum pawl_status pawl_landlock_make(const struct pawl_landlock_spec *spec,
                                                    int *ruleset, struct pawl_error *err);
/* Bind the calling thread. Async-signal-safe; no_new_privs must be set. False with errno. */
bool pawl_landlock_enforce(int ruleset);

#endif
