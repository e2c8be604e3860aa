/*
 * child.c - talking to a child by lines, without ever depending on its goodwill.
 *
 * All pipe ends here are non-blocking and waited for with poll. stderr is read whenever anything
 * is; stdout is read by the reader, and by the writer as long as nobody reads, so that a child that
 * writes before it reads cannot stall us both.
 */
#include "sandbox/launch.h"

#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READ_CHUNK = 64 << 10, TAIL_BYTES = 2048 };

struct pawl_child {
    struct pawl_launched process;
    size_t line_max;
    struct pawl_buf line; /* the reader's: what it was last given */

    pthread_mutex_t lock; /* of all below */
    bool reading;
    bool out_ended, complaints_ended;
    char *inbox; /* bytes of stdout not yet given out */
    size_t inbox_len, inbox_room;
    char tail[TAIL_BYTES + 1]; /* the end of stderr */
    size_t tail_len;
    char complaint[TAIL_BYTES + 200];
};

struct pawl_sandbox_limits pawl_sandbox_default_limits(void)
{
    return (struct pawl_sandbox_limits){.cpu_s = 3600,
                                        .memory_bytes = INT64_C(2) << 30,
                                        .file_bytes = INT64_C(64) << 20,
                                        .processes = 64,
                                        .line_bytes = INT64_C(4) << 20};
}

enum pawl_status pawl_child_start(const struct pawl_command *command, struct pawl_child **child,
                                  struct pawl_error *err)
{
    struct pawl_launched process;
    PAWL_TRY(pawl_launch(command, &process, err));
    struct pawl_child *c = pawl_xcalloc(1, sizeof *c);
    c->process = process;
    c->line_max = (size_t)command->limits.line_bytes;
    c->line = PAWL_BUF(c->line_max + 1);
    pthread_mutex_init(&c->lock, NULL);
    *child = c;
    return PAWL_OK;
}

static void keep_tail(struct pawl_child *c, const char *bytes, size_t n)
{
    if (n > TAIL_BYTES) {
        bytes += n - TAIL_BYTES;
        n = TAIL_BYTES;
    }
    size_t kept = c->tail_len + n > TAIL_BYTES ? TAIL_BYTES - n : c->tail_len;
    memmove(c->tail, c->tail + c->tail_len - kept, kept);
    memcpy(c->tail + kept, bytes, n);
    c->tail_len = kept + n;
    c->tail[c->tail_len] = '\0';
}

/* Under the lock. */
static void drain_complaints(struct pawl_child *c)
{
    char chunk[4096];
    for (int i = 0; i < 16 && !c->complaints_ended; i++) {
        ssize_t n = read(c->process.complaints, chunk, sizeof chunk);
        if (n > 0) keep_tail(c, chunk, (size_t)n);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) c->complaints_ended = true;
        if (n < 0) return;
    }
}

/* Under the lock. Takes one chunk of stdout, as long as no more than a line waits. */
static void drain_out(struct pawl_child *c)
{
    if (c->out_ended || c->inbox_len > c->line_max) return;
    if (c->inbox_room - c->inbox_len < READ_CHUNK) {
        c->inbox_room = c->inbox_len * 2 + READ_CHUNK;
        c->inbox = pawl_xrealloc(c->inbox, c->inbox_room);
    }
    ssize_t n = read(c->process.out, c->inbox + c->inbox_len, READ_CHUNK);
    if (n > 0) c->inbox_len += (size_t)n;
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) c->out_ended = true;
}

/* Wait for one of our pipes, at most until the deadline; take what came. False when it is late. */
static bool wait_and_drain(struct pawl_child *c, bool write, int64_t deadline_ms)
{
    int64_t left = deadline_ms - pawl_clock_real_ms();
    if (left <= 0) return false;
    pthread_mutex_lock(&c->lock);
    bool take_out = (!write || !c->reading) && !c->out_ended && c->inbox_len <= c->line_max;
    struct pollfd fds[3] = {
        {.fd = write ? c->process.in : -1, .events = POLLOUT},
        {.fd = take_out ? c->process.out : -1, .events = POLLIN},
        {.fd = c->complaints_ended ? -1 : c->process.complaints, .events = POLLIN}};
    pthread_mutex_unlock(&c->lock);
    /* A slice: who reads may change while we wait. */
    if (poll(fds, 3, left < 100 ? (int)left : 100) <= 0) return true;
    pthread_mutex_lock(&c->lock);
    if (fds[2].revents) drain_complaints(c);
    if (fds[1].revents && (!write || !c->reading)) drain_out(c);
    pthread_mutex_unlock(&c->lock);
    return true;
}

static bool write_all(struct pawl_child *c, const char *bytes, size_t n, int64_t deadline_ms)
{
    while (n > 0) {
        ssize_t done = write(c->process.in, bytes, n);
        if (done > 0) {
            bytes += done;
            n -= (size_t)done;
        } else if (errno != EAGAIN && errno != EINTR) {
            return false;
        } else if (!wait_and_drain(c, true, deadline_ms)) {
            return false;
        }
    }
    return true;
}

/* A write to a pipe that nobody reads raises SIGPIPE in this thread: held back and taken away. */
static void without_sigpipe(sigset_t *before)
{
    sigset_t pipe_signal;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, before);
}

static void with_sigpipe(const sigset_t *before)
{
    sigset_t pipe_signal;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    if (!sigismember(before, SIGPIPE)) {
        struct timespec now = {0, 0};
        while (sigtimedwait(&pipe_signal, NULL, &now) > 0) {}
    }
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

bool pawl_child_write(struct pawl_child *child, struct pawl_str line, int64_t timeout_ms)
{
    int64_t deadline_ms = pawl_clock_real_ms() + timeout_ms;
    sigset_t before;
    without_sigpipe(&before);
    bool ok =
        write_all(child, line.ptr, line.len, deadline_ms) && write_all(child, "\n", 1, deadline_ms);
    with_sigpipe(&before);
    return ok;
}

/* Under the lock. Move the first whole line from the inbox to c->line. */
static enum pawl_child_read take_line(struct pawl_child *c, struct pawl_str *line)
{
    const char *end = c->inbox_len ? memchr(c->inbox, '\n', c->inbox_len) : NULL;
    size_t len = end ? (size_t)(end - c->inbox) : c->inbox_len;
    if (len > c->line_max) return PAWL_CHILD_TOO_LONG;
    if (!end) return c->out_ended ? PAWL_CHILD_ENDED : PAWL_CHILD_LATE;
    pawl_buf_reset(&c->line);
    pawl_buf_add_bytes(&c->line, c->inbox, len);
    c->inbox_len -= len + 1;
    memmove(c->inbox, end + 1, c->inbox_len);
    *line = pawl_buf_str(&c->line);
    if (!line->ptr) *line = PAWL_STR("");
    return PAWL_CHILD_LINE;
}

enum pawl_child_read pawl_child_read(struct pawl_child *child, int64_t timeout_ms,
                                     struct pawl_str *line)
{
    int64_t deadline_ms = pawl_clock_real_ms() + timeout_ms;
    bool in_time = true;
    for (;;) {
        pthread_mutex_lock(&child->lock);
        child->reading = true;
        enum pawl_child_read got = take_line(child, line);
        if (got != PAWL_CHILD_LATE || !in_time) child->reading = false;
        pthread_mutex_unlock(&child->lock);
        if (got != PAWL_CHILD_LATE || !in_time) return got;
        in_time = wait_and_drain(child, false, deadline_ms);
    }
}

/* Its end, left unreaped: the number stays its own, and its group's, until we are done. */
static bool has_ended(const struct pawl_child *c, siginfo_t *ended, int flags)
{
    ended->si_pid = 0;
    int failed;
    do failed = waitid(P_PID, (id_t)c->process.pid, ended, WEXITED | WNOWAIT | flags);
    while (failed != 0 && errno == EINTR);
    return failed == 0 && ended->si_pid == c->process.pid;
}

/* stdout closes a moment before the process is gone. */
static bool has_ended_soon(const struct pawl_child *c, siginfo_t *ended)
{
    for (int i = 0; i < 20; i++) {
        if (has_ended(c, ended, WNOHANG)) return true;
        poll(NULL, 0, 5);
    }
    return false;
}

const char *pawl_child_complaint(struct pawl_child *child)
{
    siginfo_t ended;
    char how[96] = "It is still running";
    pthread_mutex_lock(&child->lock);
    bool out_ended = child->out_ended;
    pthread_mutex_unlock(&child->lock);
    if (out_ended ? has_ended_soon(child, &ended) : has_ended(child, &ended, WNOHANG)) {
        if (ended.si_code == CLD_EXITED)
            snprintf(how, sizeof how, "It ended with status %d", ended.si_status);
        else
            snprintf(how, sizeof how, "It was ended by signal %d (%s)", ended.si_status,
                     strsignal(ended.si_status));
    }
    pthread_mutex_lock(&child->lock);
    drain_complaints(child);
    struct pawl_buf tail = PAWL_BUF(3 * TAIL_BYTES + 1);
    pawl_utf8_repair(pawl_str_trim((struct pawl_str){child->tail, child->tail_len}), &tail);
    snprintf(child->complaint, sizeof child->complaint, tail.len ? "%s; it last said: %s" : "%s.",
             how, tail.len ? tail.data : "");
    pawl_buf_release(&tail);
    pthread_mutex_unlock(&child->lock);
    return child->complaint;
}

void pawl_child_stop(struct pawl_child *child)
{
    if (!child) return;
    siginfo_t ended;
    kill(-child->process.pid, SIGKILL);
    has_ended(child, &ended, 0);
    kill(-child->process.pid, SIGKILL); /* whoever was being born */
    waitpid(child->process.pid, NULL, 0);
    close(child->process.in);
    close(child->process.out);
    close(child->process.complaints);
    pthread_mutex_destroy(&child->lock);
    pawl_buf_release(&child->line);
    free(child->inbox);
    free(child);
}
