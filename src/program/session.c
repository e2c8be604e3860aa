#include "program/session.h"

#include "base/clock.h"
#include "program/folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { LINE_BYTES_MAX = 4 << 20, SLICE_MS = 50, BACKLOG_MAX = 64 };

struct pawl_session *pawl_session_new(struct pawl_child *child, char *folder, int parallel)
{
    struct pawl_session *s = pawl_xcalloc(1, sizeof *s);
    *s = (struct pawl_session){
        .child = child, .folder = folder, .references = 1, .parallel = parallel};
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->writing, NULL);
    pthread_cond_init(&s->changed, NULL);
    return s;
}

void pawl_session_keep(struct pawl_session *session)
{
    pthread_mutex_lock(&session->lock);
    session->references++;
    pthread_mutex_unlock(&session->lock);
}

void pawl_session_drop(struct pawl_session *session)
{
    if (!session) return;
    pthread_mutex_lock(&session->lock);
    bool last = --session->references == 0;
    pthread_mutex_unlock(&session->lock);
    if (!last) return;
    pawl_child_stop(session->child);
    pawl_folder_remove(session->folder);
    pthread_mutex_destroy(&session->lock);
    pthread_mutex_destroy(&session->writing);
    pthread_cond_destroy(&session->changed);
    free(session);
}

bool pawl_session_is_open(struct pawl_session *session)
{
    pthread_mutex_lock(&session->lock);
    bool open = !session->closed && !session->dead;
    pthread_mutex_unlock(&session->lock);
    return open;
}

void pawl_session_close(struct pawl_session *session)
{
    pthread_mutex_lock(&session->lock);
    session->closed = true;
    pthread_cond_broadcast(&session->changed);
    pthread_mutex_unlock(&session->lock);
}

/* Under the lock. */
static void wait_a_slice(struct pawl_session *s)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += SLICE_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_cond_timedwait(&s->changed, &s->lock, &until);
}

/* Under the lock. The first reason stays. */
static void die(struct pawl_session *s, const char *why)
{
    if (s->dead) return;
    s->dead = true;
    snprintf(s->why, sizeof s->why, "%s %s", why, pawl_child_complaint(s->child));
    pthread_cond_broadcast(&s->changed);
}

/* Under the lock. */
static struct pawl_session_waiter *find_waiter(struct pawl_session *s, const char *id)
{
    struct pawl_session_waiter *w = s->waiters;
    while (w && strcmp(w->id, id) != 0) w = w->next;
    return w;
}

bool pawl_session_enter(struct pawl_session *session, struct pawl_session_waiter *waiter,
                        const char *id)
{
    *waiter = (struct pawl_session_waiter){.id = id, .lines = json_array()};
    pthread_mutex_lock(&session->lock);
    while (!session->closed && !session->dead &&
           (session->n_waiters >= session->parallel || find_waiter(session, id)))
        pthread_cond_wait(&session->changed, &session->lock);
    bool open = !session->closed && !session->dead;
    if (open) {
        waiter->next = session->waiters;
        session->waiters = waiter;
        session->n_waiters++;
    }
    pthread_mutex_unlock(&session->lock);
    if (!open) json_decref(waiter->lines);
    return open;
}

void pawl_session_leave(struct pawl_session *session, struct pawl_session_waiter *waiter)
{
    pthread_mutex_lock(&session->lock);
    struct pawl_session_waiter **link = &session->waiters;
    while (*link != waiter) link = &(*link)->next;
    *link = waiter->next;
    session->n_waiters--;
    pthread_cond_broadcast(&session->changed);
    pthread_mutex_unlock(&session->lock);
    json_decref(waiter->lines);
}

bool pawl_session_write(struct pawl_session *session, const json_t *line, int64_t timeout_ms)
{
    char *text = pawl_json_text(line);
    pthread_mutex_lock(&session->writing);
    bool ok = pawl_child_write(session->child, pawl_str_of(text), timeout_ms);
    pthread_mutex_unlock(&session->writing);
    free(text);
    if (ok) return true;
    pthread_mutex_lock(&session->lock);
    die(session, "The command does not read its input.");
    pthread_mutex_unlock(&session->lock);
    return false;
}

/* Under the lock. A line for a case that is gone (it was late) is passed over. */
static void hand_out(struct pawl_session *s, json_t *line)
{
    const char *id = json_string_value(json_object_get(line, "id"));
    struct pawl_session_waiter *waiter = id ? find_waiter(s, id) : NULL;
    if (!id) {
        die(s, "The command wrote a line without an id.");
    } else if (waiter && json_array_size(waiter->lines) >= BACKLOG_MAX) {
        die(s, "The command floods one case with lines.");
    } else if (waiter) {
        json_array_append(waiter->lines, line);
        pthread_cond_broadcast(&s->changed);
    }
}

/* Read one line for everybody. Called and left with the lock, without it while waiting. */
static void read_for_all(struct pawl_session *s, int64_t timeout_ms)
{
    struct pawl_str text;
    json_t *line = NULL;
    s->reading = true;
    pthread_mutex_unlock(&s->lock);
    enum pawl_child_read got = pawl_child_read(s->child, timeout_ms, &text);
    bool parsed =
        got == PAWL_CHILD_LINE && pawl_json_parse(text, LINE_BYTES_MAX, &line, NULL) == PAWL_OK;
    pthread_mutex_lock(&s->lock);
    s->reading = false;
    if (parsed) hand_out(s, line);
    if (got == PAWL_CHILD_LINE && !parsed) die(s, "The command wrote a line that is not JSON.");
    if (got == PAWL_CHILD_ENDED) die(s, "The command ended.");
    if (got == PAWL_CHILD_TOO_LONG) die(s, "The command wrote an over-long line.");
    pthread_cond_broadcast(&s->changed);
    json_decref(line);
}

json_t *pawl_session_read(struct pawl_session *session, struct pawl_session_waiter *waiter,
                          int64_t timeout_ms, bool *late)
{
    int64_t deadline_ms = pawl_clock_real_ms() + timeout_ms;
    json_t *line = NULL;
    *late = false;
    pthread_mutex_lock(&session->lock);
    while (json_array_size(waiter->lines) == 0 && !session->dead && !*late) {
        int64_t left = deadline_ms - pawl_clock_real_ms();
        if (left <= 0) {
            *late = true;
        } else if (session->reading) {
            wait_a_slice(session);
        } else {
            read_for_all(session, left < SLICE_MS ? left : SLICE_MS);
        }
    }
    if (json_array_size(waiter->lines) > 0) {
        *late = false;
        line = json_incref(json_array_get(waiter->lines, 0));
        json_array_remove(waiter->lines, 0);
    }
    pthread_mutex_unlock(&session->lock);
    return line;
}
