/*
 * sandbox.h - confine ourselves, and run untrusted commands with limits.
 *
 * Landlock (files; TCP where the kernel has it; signals and abstract sockets where it has them),
 * seccomp, no_new_privs and rlimits; as root also another uid. None of it needs a privilege. What
 * the kernel does not offer is reported, never silently skipped.
 *
 * Invariants
 *   1. pawl_confine_self is called before the process has a second thread (Landlock binds the
 *      calling thread and those it starts later) and cannot be undone.
 *   2. A child sees only the paths, descriptors and environment that its spec lists, and ends with
 *      its whole process group when it is stopped, late, or over a limit.
 *   3. Every line read from a child has a maximum; a child can never block or kill its parent.
 */
#ifndef PAWL_SANDBOX_SANDBOX_H
#define PAWL_SANDBOX_SANDBOX_H

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"

#include <stdint.h>
#include <sys/types.h>

struct pawl_sandbox_paths {
    const char *const *read;  /* files or folders, NULL-terminated; a missing one is skipped */
    const char *const *write; /* folders, NULL-terminated */
};
struct pawl_confinement {
    struct pawl_sandbox_paths paths;
    bool network;  /* TCP allowed */
    bool children; /* may start sandboxed children (needs execve) */
};
/* Restrict the calling process for good. Fails PAWL_EWORLD only when a feature that the kernel has
 * does not work; a kernel without Landlock succeeds and pawl_sandbox_describe says so. */
PAWL_MUST_CHECK enum pawl_status pawl_confine_self(const struct pawl_confinement *what,
                                                   struct pawl_error *err);
/* No core dumps, no ptrace by others of our uid, keys kept out of swap where allowed. */
void pawl_harden_self(void);
/* {level:"S2"|"S1"|"S0", landlock_abi, seccomp, uid_drop, tested:{...}, notes:[...]}; the level is
 * proved by a self-test in a forked child, not by version numbers. New reference. */
json_t *pawl_sandbox_describe(void);

struct pawl_sandbox_limits {
    int64_t cpu_s, memory_bytes, file_bytes, processes, line_bytes;
};
struct pawl_sandbox_limits pawl_sandbox_default_limits(void);

struct pawl_command {
    const char *const *argv; /* NULL-terminated; argv[0] looked up in PATH */
    const char *const *env;  /* NULL-terminated, complete */
    const char *cwd;
    struct pawl_sandbox_paths paths;
    bool network;
    int input; /* above 0: a descriptor that is its stdin, instead of a pipe; stays the caller's */
    struct pawl_sandbox_limits limits;
};
/*
 * A command that speaks one line at a time on its stdin and stdout. stderr is bounded and kept for
 * error texts. Beside what the spec lists it may read and execute the system's programs and
 * libraries (/usr and the like) and those beside argv[0]; it sees no /proc. Where we are root, it
 * is another user, and its write folders are given to that user.
 *
 * One thread may write while another reads; a timeout counts real time, also on a virtual clock.
 */
struct pawl_child;
PAWL_MUST_CHECK enum pawl_status pawl_child_start(const struct pawl_command *command,
                                                  struct pawl_child **child,
                                                  struct pawl_error *err);
/* Write one line (the newline is added). False when the child no longer reads within timeout_ms. */
bool pawl_child_write(struct pawl_child *child, struct pawl_str line, int64_t timeout_ms);
enum pawl_child_read { PAWL_CHILD_LINE, PAWL_CHILD_LATE, PAWL_CHILD_ENDED, PAWL_CHILD_TOO_LONG };
/* The next line, without its newline, borrowed until the next read. */
enum pawl_child_read pawl_child_read(struct pawl_child *child, int64_t timeout_ms,
                                     struct pawl_str *line);
/* How it ended or what it last wrote to stderr, for a failed case's reason. Borrowed. */
const char *pawl_child_complaint(struct pawl_child *child);
void pawl_child_stop(struct pawl_child *child); /* kill the whole group, free */

#endif
