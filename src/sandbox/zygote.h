/*
 * zygote.h - a Python interpreter that is started once and forks for every run.
 *
 * Starting Python costs ten times what isolating it costs. So one interpreter is started as any other
 * child (another user, Landlock, seccomp, limits: sandbox.h), loads what programs commonly import, and
 * forks. What it forks inherits all of these walls and adds its own before it reads its text: one process
 * of one thread that can start nothing, signal nobody, write to no file, and dies with its parent.
 *
 * Invariants
 *   1. No text of anybody enters the zygote itself, so a run finds in its memory nothing of another.
 *   2. A run ends when the caller closes its life, and the zygote's own end ends all runs.
 *   3. A run has the descriptors that the caller chose, and can make nothing that outlives it.
 *
 *     struct pawl_zygote *zygote;
 *     PAWL_TRY(pawl_zygote_start(INT64_C(512) << 20, &zygote, err));
 *     const int theirs[] = {life, text, peer};
 *     if (!pawl_zygote_fork(zygote, PAWL_ZYGOTE_SOLUTION, 10, theirs, 3)) ...
 *     pawl_zygote_stop(zygote);
 *
 * tests.h is what it is for. The interpreter's side is python/zygote.py.
 */
#ifndef PAWL_SANDBOX_ZYGOTE_H
#define PAWL_SANDBOX_ZYGOTE_H

#include "sandbox/sandbox.h"

struct pawl_zygote;
/* memory_bytes bounds it and every run. Fails PAWL_EWORLD, or PAWL_ENOTFOUND without a python3. */
PAWL_MUST_CHECK enum pawl_status
pawl_zygote_start(int64_t memory_bytes, struct pawl_zygote **zygote, struct pawl_error *err);
enum pawl_zygote_role {
    PAWL_ZYGOTE_SOLUTION = 'S', /* life, text, peer */
    PAWL_ZYGOTE_JUDGE = 'J'     /* life, socket of requests */
};
enum { PAWL_ZYGOTE_THEIRS_MAX = 3, PAWL_ZYGOTE_STATUS_BYTES = 4 };
/* Hand over the other ends of `n` sockets; the caller closes its copies. Many threads at once. False when
 * the zygote has ended or does not listen. When the process is gone its life gives its wait status. */
bool pawl_zygote_fork(struct pawl_zygote *zygote, enum pawl_zygote_role role, int64_t cpu_s,
                      const int *theirs, int n);
/* Send bytes and descriptors as one message. False with errno. */
bool pawl_send_descriptors(int socket, const void *bytes, size_t n_bytes, const int *fds, int n);
/* What it last said, for an error's text. Borrowed. */
const char *pawl_zygote_complaint(struct pawl_zygote *zygote);
void pawl_zygote_stop(struct pawl_zygote *zygote); /* with every run */

extern const char pawl_zygote_text[]; /* made from python/zygote.py */

#endif
