#include "lm/llama_queue.h"

#include "base/clock.h"

enum { SLOTS_KEPT = 8 }; /* for each other role that ever asked */

void pawl_llama_queue_init(struct pawl_llama_queue *queue)
{
    *queue = (struct pawl_llama_queue){.n_waiting = 0};
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->work, NULL);
    pthread_cond_init(&queue->answered, NULL);
}

void pawl_llama_queue_release(struct pawl_llama_queue *queue)
{
    pthread_cond_destroy(&queue->answered);
    pthread_cond_destroy(&queue->work);
    pthread_mutex_destroy(&queue->lock);
}

/* --- those who ask ---------------------------------------------------------------------------- */

/* With the lock held. */
static void put(struct pawl_llama_queue *queue, struct pawl_llama_job *job, size_t *n_open)
{
    struct pawl_llama_line *line = job->vector ? &queue->vectors : &queue->roles[job->role];
    job->n_open = n_open;
    job->next = NULL;
    if (line->last)
        line->last->next = job;
    else
        line->first = job;
    line->last = job;
    line->ever_used = true;
    queue->n_waiting++;
}

enum pawl_status pawl_llama_queue_ask(struct pawl_llama_queue *queue, struct pawl_llama_job *jobs,
                                      size_t n, struct pawl_error *err)
{
    size_t n_open = n;
    pthread_mutex_lock(&queue->lock);
    bool cancelled = queue->cancelled;
    for (size_t i = 0; i < n && !cancelled; i++) put(queue, &jobs[i], &n_open);
    pthread_cond_signal(&queue->work);
    while (!cancelled && n_open > 0) pthread_cond_wait(&queue->answered, &queue->lock);
    cancelled = queue->cancelled;
    pthread_mutex_unlock(&queue->lock);
    return cancelled ? pawl_fail(err, PAWL_EPAUSED, "The model was told to stop.") : PAWL_OK;
}

static void call(struct pawl_llama_queue *queue, bool *what)
{
    pthread_mutex_lock(&queue->lock);
    *what = true;
    pthread_cond_signal(&queue->work);
    pthread_mutex_unlock(&queue->lock);
}

void pawl_llama_queue_cancel(struct pawl_llama_queue *queue)
{
    call(queue, &queue->cancelled);
}

void pawl_llama_queue_close(struct pawl_llama_queue *queue)
{
    call(queue, &queue->closing);
}

/* --- the engine's thread ---------------------------------------------------------------------- */

enum pawl_llama_call pawl_llama_queue_wait(struct pawl_llama_queue *queue, bool busy)
{
    pthread_mutex_lock(&queue->lock);
    while (!busy && !queue->n_waiting && !queue->closing)
        pthread_cond_wait(&queue->work, &queue->lock);
    enum pawl_llama_call what = queue->closing     ? PAWL_LLAMA_CLOSE
                                : queue->cancelled ? PAWL_LLAMA_SEND_HOME
                                                   : PAWL_LLAMA_WORK;
    pthread_mutex_unlock(&queue->lock);
    return what;
}

/* With the lock held. */
static bool may_have_a_slot(const struct pawl_llama_queue *queue, size_t role, size_t n_held)
{
    size_t n_allowed = PAWL_LLAMA_SLOTS;
    for (size_t other = 0; other < PAWL_N_ROLES; other++)
        if (other != role && queue->roles[other].ever_used) n_allowed -= SLOTS_KEPT;
    return n_held < n_allowed;
}

struct pawl_llama_job *pawl_llama_queue_peek(struct pawl_llama_queue *queue,
                                             const size_t slots_held[PAWL_N_ROLES])
{
    struct pawl_llama_job *job = NULL;
    pthread_mutex_lock(&queue->lock);
    for (size_t i = 0; i < PAWL_N_ROLES && !job && !queue->cancelled; i++) {
        size_t role = (queue->next_role + i) % PAWL_N_ROLES;
        if (may_have_a_slot(queue, role, slots_held[role])) job = queue->roles[role].first;
    }
    pthread_mutex_unlock(&queue->lock);
    return job;
}

/* With the lock held. */
static void pop_first(struct pawl_llama_queue *queue, struct pawl_llama_line *line)
{
    line->first = line->first->next;
    if (!line->first) line->last = NULL;
    queue->n_waiting--;
}

struct pawl_llama_job *pawl_llama_queue_peek_vector(struct pawl_llama_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    struct pawl_llama_job *job = queue->cancelled ? NULL : queue->vectors.first;
    pthread_mutex_unlock(&queue->lock);
    return job;
}

void pawl_llama_queue_pop_vector(struct pawl_llama_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    pop_first(queue, &queue->vectors);
    pthread_mutex_unlock(&queue->lock);
}

void pawl_llama_queue_pop(struct pawl_llama_queue *queue, const struct pawl_llama_job *job)
{
    pthread_mutex_lock(&queue->lock);
    pop_first(queue, &queue->roles[job->role]);
    queue->next_role = (job->role + 1) % PAWL_N_ROLES;
    pthread_mutex_unlock(&queue->lock);
}

size_t pawl_llama_queue_look(struct pawl_llama_queue *queue, enum pawl_role role,
                             const struct pawl_llama_job **jobs, size_t room)
{
    size_t n = 0;
    pthread_mutex_lock(&queue->lock);
    const struct pawl_llama_job *job = queue->roles[role].first;
    for (; job && n < room; job = job->next) jobs[n++] = job;
    pthread_mutex_unlock(&queue->lock);
    return n;
}

void pawl_llama_queue_announce(struct pawl_llama_queue *queue, struct pawl_llama_job *job)
{
    job->done_us = pawl_clock_monotonic_us();
    pthread_mutex_lock(&queue->lock);
    if (--*job->n_open == 0) pthread_cond_broadcast(&queue->answered);
    pthread_mutex_unlock(&queue->lock);
}

/* With the lock held. */
static void empty(struct pawl_llama_line *line)
{
    for (struct pawl_llama_job *job = line->first; job; job = job->next) --*job->n_open;
    line->first = line->last = NULL;
}

void pawl_llama_queue_send_home(struct pawl_llama_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    for (size_t role = 0; role < PAWL_N_ROLES; role++) empty(&queue->roles[role]);
    empty(&queue->vectors);
    queue->n_waiting = 0;
    pthread_cond_broadcast(&queue->answered);
    pthread_mutex_unlock(&queue->lock);
}
