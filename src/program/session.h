/*
 * session.h - one child process that runs one candidate, shared by many threads.
 *
 * Threads write their cases; whoever waits and finds nobody reading reads for all, and hands each
 * line to the thread whose case it names. Nobody waits past a deadline.
 *
 * Invariants
 *   1. A session that is `closed` takes no new case (one of its cases was late) but serves those
 *      under way; one that is `dead` (the child ended, or wrote nonsense) fails them all.
 *   2. The child and its folder end with the last reference.
 */
#ifndef PAWL_PROGRAM_SESSION_H
#define PAWL_PROGRAM_SESSION_H

#include "base/json.h"
#include "sandbox/sandbox.h"

#include <pthread.h>

struct pawl_session_waiter;
struct pawl_session {
    struct pawl_child *child;
    char *folder;
    pthread_mutex_t lock, writing;
    pthread_cond_t changed;
    int references, parallel, n_waiters;
    bool reading, closed, dead;
    char why[512]; /* when dead */
    struct pawl_session_waiter *waiters;
};
/* A case under way; lives on its thread's stack. */
struct pawl_session_waiter {
    const char *id;
    json_t *lines; /* that came for it and were not taken yet */
    struct pawl_session_waiter *next;
};

/* Owns child and folder. Starts with one reference. */
struct pawl_session *pawl_session_new(struct pawl_child *child, char *folder, int parallel);
void pawl_session_keep(struct pawl_session *session);
void pawl_session_drop(struct pawl_session *session);
bool pawl_session_is_open(struct pawl_session *session);
void pawl_session_close(struct pawl_session *session);

/* Wait for room among the cases under way. False when the session closed meanwhile. */
bool pawl_session_enter(struct pawl_session *session, struct pawl_session_waiter *waiter,
                        const char *id);
void pawl_session_leave(struct pawl_session *session, struct pawl_session_waiter *waiter);
/* False when the child did not take the line in time: then the session is dead. */
bool pawl_session_write(struct pawl_session *session, const json_t *line, int64_t timeout_ms);
/* The next line for this case (new reference), or NULL: dead (*late false) or late. */
json_t *pawl_session_read(struct pawl_session *session, struct pawl_session_waiter *waiter,
                          int64_t timeout_ms, bool *late);

#endif
