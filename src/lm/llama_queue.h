/*
 * llama_queue.h - requests that wait for the engine, and those who wait for answers.
 *
 * All that the asking threads and the engine's thread share is here, under one lock.
 *
 * Invariants
 *   1. Within a role it is first come, first served; the roles take turns.
 *   2. Each role that ever asked has a few slots that the others leave free.
 *   3. Jobs that want a vector stand in a line of their own, whatever their role.
 *   4. One set of adapters has its turn at a time. While requests of another set wait, at most
 *      PAWL_LLAMA_TURN more of the current one are let in. Its turn ends when no more may be, or none waits,
 *      and none is at work; the next has the set of the request that waits longest. Every turn lets in
 *      the request it was begun for, so nobody waits for more turns than requests came before him, and
 *      the one that goes on.
 *   5. A job that was put belongs to the engine until it is announced, or sent home.
 */
#ifndef PAWL_LM_LLAMA_QUEUE_H
#define PAWL_LM_LLAMA_QUEUE_H

#include "lm/llama_engine.h"

#include <pthread.h>

enum { PAWL_LLAMA_TURN = 128 };

struct pawl_llama_queue {
    pthread_mutex_t lock;
    pthread_cond_t work, answered;
    struct pawl_llama_line {
        struct pawl_llama_job *first, *last;
        bool ever_used;
    } roles[PAWL_N_ROLES], vectors;
    size_t n_waiting;
    size_t next_role;     /* whose turn it is */
    struct pawl_hash set; /* of adapters, whose turn it is; zero: the base */
    size_t n_others;      /* that wait, of other sets */
    size_t n_let_in;      /* in this turn, since others wait */
    uint64_t n_put;       /* so far */
    bool closing, cancelled;
};
void pawl_llama_queue_init(struct pawl_llama_queue *queue);
void pawl_llama_queue_release(struct pawl_llama_queue *queue);

/* For those who ask: put all, wait for all. Fails PAWL_EPAUSED once cancelled. */
PAWL_MUST_CHECK enum pawl_status pawl_llama_queue_ask(struct pawl_llama_queue *queue,
                                                      struct pawl_llama_job *jobs, size_t n,
                                                      struct pawl_error *err);
void pawl_llama_queue_cancel(struct pawl_llama_queue *queue);
void pawl_llama_queue_close(struct pawl_llama_queue *queue);

/* For the engine's thread. Wait until there is something to do; a busy one does not wait. */
enum pawl_llama_call { PAWL_LLAMA_WORK, PAWL_LLAMA_SEND_HOME, PAWL_LLAMA_CLOSE };
enum pawl_llama_call pawl_llama_queue_wait(struct pawl_llama_queue *queue, bool busy);
/* When nothing is at work: begin another set's turn if it is time. Gives the request that waits longest
 * for it, which stays in the queue, or NULL when the turn goes on. */
const struct pawl_llama_job *pawl_llama_queue_next_turn(struct pawl_llama_queue *queue);
/* The first request of the role whose turn it is, of those that may have one more slot, and of the set
 * whose turn it is; or NULL. */
struct pawl_llama_job *pawl_llama_queue_peek(struct pawl_llama_queue *queue,
                                             const size_t slots_held[PAWL_N_ROLES]);
/* Take out what peek gave. */
void pawl_llama_queue_pop(struct pawl_llama_queue *queue, const struct pawl_llama_job *job);
/* The first requests of a role, of the set whose turn it is; they stay until this thread takes them out.
 * Gives how many. */
size_t pawl_llama_queue_look(struct pawl_llama_queue *queue, enum pawl_role role,
                             const struct pawl_llama_job **jobs, size_t room);
/* The first job that wants a vector, or NULL; taken out by pop_vector. */
struct pawl_llama_job *pawl_llama_queue_peek_vector(struct pawl_llama_queue *queue);
void pawl_llama_queue_pop_vector(struct pawl_llama_queue *queue);
/* A job is done. */
void pawl_llama_queue_announce(struct pawl_llama_queue *queue, struct pawl_llama_job *job);
/* After a cancel: nobody waits any more; ask says why. */
void pawl_llama_queue_send_home(struct pawl_llama_queue *queue);

#endif
