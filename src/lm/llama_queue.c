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

static bool has_turn(const struct pawl_llama_queue *queue, const struct pawl_llama_job *job)
{
    static const struct pawl_hash base = {{0}};
    return pawl_hash_eq(job->set ? &job->set->key : &base, &queue->set);
}

/* The first of a line that is (or is not) of the set whose turn it is, or NULL. */
static struct pawl_llama_job *first_of(const struct pawl_llama_queue *queue, size_t role, bool turn)
{
    struct pawl_llama_job *job = queue->roles[role].first;
    while (job && has_turn(queue, job) != turn) job = job->next;
    return job;
}

/* With the lock held. */
static void put(struct pawl_llama_queue *queue, struct pawl_llama_job *job, size_t *n_open)
{
    struct pawl_llama_line *line = job->vector ? &queue->vectors : &queue->roles[job->role];
    job->n_open = n_open;
    job->next = NULL;
    job->number = queue->n_put++;
    if (!job->vector && !has_turn(queue, job)) queue->n_others++;
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

/* With the lock held. */
static bool turn_is_over(const struct pawl_llama_queue *queue)
{
    return queue->n_others > 0 && queue->n_let_in >= PAWL_LLAMA_TURN;
}

/* With the lock held. */
static void begin_turn(struct pawl_llama_queue *queue, const struct pawl_llama_job *job)
{
    queue->set = job->set ? job->set->key : (struct pawl_hash){{0}};
    queue->n_let_in = queue->n_others = 0;
    for (size_t role = 0; role < PAWL_N_ROLES; role++)
        for (job = queue->roles[role].first; job; job = job->next)
            queue->n_others += !has_turn(queue, job);
}

const struct pawl_llama_job *pawl_llama_queue_next_turn(struct pawl_llama_queue *queue)
{
    const struct pawl_llama_job *next = NULL;
    bool is_wanted = false;
    pthread_mutex_lock(&queue->lock);
    for (size_t role = 0; role < PAWL_N_ROLES; role++) {
        const struct pawl_llama_job *job = first_of(queue, role, false);
        if (job && (!next || job->number < next->number)) next = job;
        is_wanted = is_wanted || first_of(queue, role, true);
    }
    if (next && is_wanted && !turn_is_over(queue)) next = NULL;
    if (next) begin_turn(queue, next);
    pthread_mutex_unlock(&queue->lock);
    return next;
}

struct pawl_llama_job *pawl_llama_queue_peek(struct pawl_llama_queue *queue,
                                             const size_t slots_held[PAWL_N_ROLES])
{
    struct pawl_llama_job *job = NULL;
    pthread_mutex_lock(&queue->lock);
    bool closed = queue->cancelled || turn_is_over(queue);
    for (size_t i = 0; i < PAWL_N_ROLES && !job && !closed; i++) {
        size_t role = (queue->next_role + i) % PAWL_N_ROLES;
        if (may_have_a_slot(queue, role, slots_held[role])) job = first_of(queue, role, true);
    }
    pthread_mutex_unlock(&queue->lock);
    return job;
}

/* With the lock held. */
static void take_out(struct pawl_llama_queue *queue, struct pawl_llama_line *line,
                     const struct pawl_llama_job *job)
{
    struct pawl_llama_job **at = &line->first, *before = NULL;
    while (*at != job) {
        before = *at;
        at = &before->next;
    }
    *at = job->next;
    if (!job->next) line->last = before;
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
    take_out(queue, &queue->vectors, queue->vectors.first);
    pthread_mutex_unlock(&queue->lock);
}

void pawl_llama_queue_pop(struct pawl_llama_queue *queue, const struct pawl_llama_job *job)
{
    pthread_mutex_lock(&queue->lock);
    take_out(queue, &queue->roles[job->role], job);
    queue->n_let_in = queue->n_others > 0 ? queue->n_let_in + 1 : 0;
    queue->next_role = (job->role + 1) % PAWL_N_ROLES;
    pthread_mutex_unlock(&queue->lock);
}

size_t pawl_llama_queue_look(struct pawl_llama_queue *queue, enum pawl_role role,
                             const struct pawl_llama_job **jobs, size_t room)
{
    size_t n = 0;
    pthread_mutex_lock(&queue->lock);
    const struct pawl_llama_job *job = queue->roles[role].first;
    for (; job && n < room; job = job->next)
        if (has_turn(queue, job)) jobs[n++] = job;
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
    queue->n_others = 0;
    queue->n_waiting = 0;
    pthread_cond_broadcast(&queue->answered);
    pthread_mutex_unlock(&queue->lock);
}
