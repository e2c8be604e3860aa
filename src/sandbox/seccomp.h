/*
 * seccomp.h - the system calls that an untrusted process has no business with.
 *
 * A deny-list in raw BPF, built on the stack of whoever installs it. Calls are refused with an
 * error, so that a program which only probes goes on; a foreign architecture (32-bit calls on a
 * 64-bit kernel) ends the process. Leaving the process group is refused too: that is what lets
 * one kill reach every descendant.
 */
#ifndef PAWL_SANDBOX_SECCOMP_H
#define PAWL_SANDBOX_SECCOMP_H

#include "base/str.h"

#include <stdbool.h>

/* True where this build knows the machine's system calls. */
bool pawl_seccomp_is_known(void);
/* Bind the calling thread. Async-signal-safe; no_new_privs must be set. False with errno. */
bool pawl_seccomp_enforce(bool network);
/* A second filter for a run, which adds to the first: one process of one thread that starts no program,
 * signals nobody and changes no file. As the kernel reads it, in hexadecimal, for a process that is not
 * ours in C; empty where the machine's calls are not known. */
void pawl_seccomp_run_hex(struct pawl_buf *hex);

#endif
