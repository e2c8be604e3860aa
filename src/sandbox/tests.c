/*
 * tests.c - one test: a new process for the solution, a judge for the tests, a socket between the two.
 *
 * A judge serves one test after the other and is given up when it does not answer. Everything waits in
 * one place, pump(), with one deadline.
 */
#include "sandbox/tests.h"
#include "sandbox/find.h"
#include "sandbox/zygote.h"

#include "base/clock.h"
#include "base/json.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PARALLEL_MAX = 32, VERDICT_BYTES_MAX = 64 << 10, END_MS = 1000, JUDGED_MAX = 1000 };

struct judge {
    int life, socket; /* 0: there is none */
    int n_judged;
};
/* One interpreter with those who use it now, and its idle judges. */
struct shared {
    struct pawl_zygote *zygote;
    int users, n_idle;
    struct judge idle[PARALLEL_MAX];
};
struct pawl_tester {
    struct pawl_tester_limits limits;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct shared *shared; /* NULL: none yet, or the last one broke */
    int running;
};

enum pawl_status pawl_tester_open(const struct pawl_tester_limits *limits,
                                  struct pawl_tester **tester, struct pawl_error *err)
{
    struct pawl_arena call = {0};
    const char *path;
    enum pawl_status status = pawl_find_program(&call, "python3", &path, err);
    pawl_arena_release(&call);
    if (status != PAWL_OK) return status;
    struct pawl_tester *t = pawl_xcalloc(1, sizeof *t);
    t->limits = *limits;
    if (t->limits.timeout_ms <= 0) t->limits.timeout_ms = 10000;
    if (t->limits.memory_bytes <= 0) t->limits.memory_bytes = INT64_C(512) << 20;
    if (t->limits.parallel <= 0) t->limits.parallel = (int)sysconf(_SC_NPROCESSORS_ONLN);
    if (t->limits.parallel < 1) t->limits.parallel = 1;
    if (t->limits.parallel > PARALLEL_MAX) t->limits.parallel = PARALLEL_MAX;
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->changed, NULL);
    *tester = t;
    return PAWL_OK;
}

/* --- the interpreter that all share ------------------------------------------------------------------ */

static void close_judge(struct judge *judge)
{
    if (judge->socket > 0) close(judge->socket);
    if (judge->life > 0) close(judge->life); /* which ends it */
    *judge = (struct judge){0};
}

static void leave(struct shared *shared, int n_uses)
{
    shared->users -= n_uses;
    if (shared->users > 0) return;
    while (shared->n_idle > 0) close_judge(&shared->idle[--shared->n_idle]);
    pawl_zygote_stop(shared->zygote);
    free(shared);
}

static enum pawl_status enter(struct pawl_tester *t, struct shared **shared, struct judge *judge,
                              struct pawl_error *err)
{
    enum pawl_status status = PAWL_OK;
    pthread_mutex_lock(&t->lock);
    while (t->running == t->limits.parallel) pthread_cond_wait(&t->changed, &t->lock);
    if (!t->shared) {
        struct pawl_zygote *zygote;
        status = pawl_zygote_start(t->limits.memory_bytes, &zygote, err);
        if (status == PAWL_OK) {
            t->shared = pawl_xcalloc(1, sizeof *t->shared);
            t->shared->zygote = zygote;
            t->shared->users = 1; /* the tester itself */
        }
    }
    if (status == PAWL_OK) {
        t->running++;
        t->shared->users++;
        *shared = t->shared;
        *judge = t->shared->n_idle > 0 ? t->shared->idle[--t->shared->n_idle] : (struct judge){0};
    }
    pthread_mutex_unlock(&t->lock);
    return status;
}

/* A broken interpreter serves nobody again; the next test starts another. */
static void exit_from(struct pawl_tester *t, struct shared *shared, struct judge *judge,
                      bool broken)
{
    pthread_mutex_lock(&t->lock);
    if (judge->socket > 0 && !broken && judge->n_judged < JUDGED_MAX)
        shared->idle[shared->n_idle++] = *judge;
    else
        close_judge(judge);
    t->running--;
    bool drop = broken && t->shared == shared;
    if (drop) t->shared = NULL;
    leave(shared, drop ? 2 : 1);
    pthread_cond_signal(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

void pawl_tester_close(struct pawl_tester *tester)
{
    if (!tester) return;
    if (tester->shared) leave(tester->shared, 1);
    pthread_mutex_destroy(&tester->lock);
    pthread_cond_destroy(&tester->changed);
    free(tester);
}

/* --- one test ------------------------------------------------------------------------------------------ */

struct job {
    int life, text;           /* the solution's; -1: closed */
    struct judge *judge;      /* socket 0: it is gone */
    struct pawl_str solution; /* what is still to be written to each */
    struct pawl_str tests;
    struct pawl_buf verdict; /* what the judge wrote: 8 bytes of length, and a text */
    bool told;               /* it is whole */
};

static void close_socket(int *fd)
{
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

/* Gives our end, not blocking, and theirs; two blocking ones where both are theirs. */
static bool open_pair(int *ours, int *theirs, bool block)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return false;
    if (!block) fcntl(ends[0], F_SETFL, O_NONBLOCK);
    *ours = ends[0];
    *theirs = ends[1];
    return true;
}

static bool start_judge(struct pawl_zygote *zygote, struct judge *judge)
{
    int theirs[2] = {-1, -1};
    bool good = open_pair(&judge->life, &theirs[0], false) &&
                open_pair(&judge->socket, &theirs[1], false) &&
                pawl_zygote_fork(zygote, PAWL_ZYGOTE_JUDGE, 0, theirs, 2);
    for (int i = 0; i < 2; i++) close_socket(&theirs[i]);
    if (!good) close_judge(judge);
    return good;
}

/* A solution's process, and the other end of its peer in the hands of the judge. */
static bool start_solution(struct pawl_tester *t, struct pawl_zygote *zygote, struct job *job)
{
    int theirs[3] = {-1, -1, -1}, peer = -1;
    uint64_t bytes = htole64(job->tests.len);
    bool good = open_pair(&job->life, &theirs[0], false) &&
                open_pair(&job->text, &theirs[1], false) && open_pair(&peer, &theirs[2], true) &&
                pawl_zygote_fork(zygote, PAWL_ZYGOTE_SOLUTION, t->limits.timeout_ms / 1000 + 1,
                                 theirs, 3) &&
                pawl_send_descriptors(job->judge->socket, &bytes, sizeof bytes, &peer, 1);
    for (int i = 0; i < 3; i++) close_socket(&theirs[i]);
    close_socket(&peer);
    return good;
}

/* True when all is written, or nobody reads it any more. */
static bool write_some(int fd, struct pawl_str *rest)
{
    ssize_t n = send(fd, rest->ptr, rest->len, MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    size_t done = n < 0 ? rest->len : (size_t)n;
    rest->ptr += done;
    rest->len -= done;
    return rest->len == 0;
}

static void lose_judge(struct job *job)
{
    close_judge(job->judge);
    job->told = true;
}

static void read_verdict(struct job *job)
{
    char chunk[4096];
    uint64_t bytes;
    ssize_t n = recv(job->judge->socket, chunk, sizeof chunk, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
        lose_judge(job);
        return;
    }
    pawl_buf_add_bytes(&job->verdict, chunk, (size_t)n);
    if (job->verdict.len < sizeof bytes) return;
    memcpy(&bytes, job->verdict.data, sizeof bytes);
    bytes = le64toh(bytes);
    if (bytes > VERDICT_BYTES_MAX || job->verdict.overflowed)
        lose_judge(job);
    else
        job->told = job->verdict.len >= bytes + sizeof bytes;
}

/* Until there is a verdict, or no time. */
static void pump(struct job *job, int64_t deadline_ms)
{
    int64_t left;
    while (!job->told && (left = deadline_ms - pawl_clock_real_ms()) > 0) {
        struct pollfd fds[2] = {
            {.fd = job->text, .events = POLLOUT},
            {.fd = job->judge->socket, .events = job->tests.len > 0 ? POLLOUT | POLLIN : POLLIN}};
        if (poll(fds, 2, (int)left) <= 0) continue;
        if (fds[0].revents && write_some(job->text, &job->solution)) close_socket(&job->text);
        if (fds[1].revents & POLLOUT) write_some(job->judge->socket, &job->tests);
        if (fds[1].revents & ~POLLOUT) read_verdict(job);
    }
}

/* Kill it and wait until it is gone. False when the interpreter does not say so. */
static bool end_solution(struct job *job)
{
    unsigned char status[PAWL_ZYGOTE_STATUS_BYTES];
    close_socket(&job->text);
    shutdown(job->life, SHUT_WR);
    struct pollfd life = {.fd = job->life, .events = POLLIN};
    int64_t deadline_ms = pawl_clock_real_ms() + END_MS, left;
    while ((left = deadline_ms - pawl_clock_real_ms()) > 0)
        if (poll(&life, 1, (int)left) > 0) break;
    bool gone = recv(job->life, status, sizeof status, MSG_DONTWAIT) == sizeof status;
    close_socket(&job->life);
    return gone;
}

static const char *const end_names[] = {"passed", "wrong",    "raised", "ended",
                                        "late",   "nonsense", "unfit"};

/* The judge is ours, but it handles values of a stranger. */
static void read_words(struct job *job, bool late, struct pawl_verdict *verdict,
                       struct pawl_arena *arena, const char **text)
{
    json_t *words;
    struct pawl_str told = pawl_buf_str(&job->verdict);
    *verdict = (struct pawl_verdict){.end = late ? PAWL_TESTS_LATE : PAWL_TESTS_ENDED};
    if (job->judge->socket == 0 || told.len < sizeof(uint64_t)) return;
    told = (struct pawl_str){told.ptr + sizeof(uint64_t), told.len - sizeof(uint64_t)};
    if (pawl_json_parse(told, VERDICT_BYTES_MAX, &words, NULL) != PAWL_OK) return;
    struct pawl_str end = pawl_json_get_str(words, "end");
    for (unsigned i = 0; !late && i < sizeof end_names / sizeof *end_names; i++)
        if (pawl_str_is(end, end_names[i])) verdict->end = (enum pawl_tests_end)i;
    verdict->asserts = pawl_json_get_int(words, "asserts", 0);
    verdict->failed_at = pawl_json_get_int(words, "at", 0);
    struct pawl_str raised = pawl_json_get_str(words, "raised");
    if (!late && raised.ptr && raised.len < sizeof verdict->raised &&
        !pawl_str_is(raised, "SolutionError"))
        memcpy(verdict->raised, raised.ptr, raised.len);
    if (text) *text = pawl_arena_strdup(arena, pawl_json_get_text(words, "text", ""));
    json_decref(words);
}

static void write_specs(const struct pawl_solution *solution, struct pawl_str tests,
                        struct pawl_buf specs[2])
{
    json_t *sources = json_array();
    for (int i = 0; i < PAWL_SOLUTION_SOURCES_MAX && solution->sources[i].len > 0; i++)
        json_array_append_new(sources, pawl_json_string(solution->sources[i]));
    json_t *first = json_object(), *second = json_object();
    pawl_json_set(first, "sources", sources);
    pawl_json_set(second, "tests", pawl_json_string(tests));
    pawl_json_set(second, "entry_point", pawl_json_string(solution->entry_point));
    pawl_json_write(first, &specs[0]);
    pawl_json_write(second, &specs[1]);
    json_decref(first);
    json_decref(second);
}

/* A solution that is late is ended first: then the judge has something to say about it, and stays. */
static enum pawl_status run_job(struct pawl_tester *t, struct pawl_zygote *zygote, struct job *job,
                                bool *late, bool *broken, struct pawl_error *err)
{
    bool started = (job->judge->socket > 0 || start_judge(zygote, job->judge)) &&
                   start_solution(t, zygote, job);
    job->judge->n_judged++;
    if (started) pump(job, pawl_clock_real_ms() + t->limits.timeout_ms);
    *late = !job->told;
    bool gone = end_solution(job);
    if (gone && *late) pump(job, pawl_clock_real_ms() + END_MS);
    if (!job->told) lose_judge(job);
    if (started && gone) return PAWL_OK;
    *broken = true;
    pawl_fail(err, PAWL_EWORLD, "The Python interpreter for tests gave up. %s",
              pawl_zygote_complaint(zygote));
    pawl_hint(err, "Is there memory and room for more processes?");
    return PAWL_EWORLD;
}

static enum pawl_status run(struct pawl_tester *t, const struct pawl_solution *solution,
                            struct pawl_str tests, struct pawl_verdict *verdict,
                            struct pawl_arena *arena, const char **text, struct pawl_error *err)
{
    size_t bytes = tests.len;
    for (int i = 0; i < PAWL_SOLUTION_SOURCES_MAX; i++) bytes += solution->sources[i].len;
    if (bytes > PAWL_TESTS_BYTES_MAX)
        return pawl_fail(err, PAWL_ETOOBIG, "A solution and its tests have more than %d bytes.",
                         PAWL_TESTS_BYTES_MAX);
    struct shared *shared;
    struct judge judge;
    PAWL_TRY(enter(t, &shared, &judge, err));
    struct pawl_buf specs[2] = {PAWL_BUF(PAWL_TESTS_BYTES_MAX * 7),
                                PAWL_BUF(PAWL_TESTS_BYTES_MAX * 7)};
    write_specs(solution, tests, specs);
    struct job job = {
        .life = -1, .text = -1, .judge = &judge, .verdict = PAWL_BUF(VERDICT_BYTES_MAX + 8192)};
    job.solution = pawl_buf_str(&specs[0]);
    job.tests = pawl_buf_str(&specs[1]);
    bool late, broken = false;
    enum pawl_status status = run_job(t, shared->zygote, &job, &late, &broken, err);
    if (status == PAWL_OK) read_words(&job, late, verdict, arena, text);
    exit_from(t, shared, &judge, broken);
    pawl_buf_release(&job.verdict);
    for (int i = 0; i < 2; i++) pawl_buf_release(&specs[i]);
    return status;
}

enum pawl_status pawl_tests_run_hidden(struct pawl_tester *tester,
                                       const struct pawl_solution *solution,
                                       struct pawl_hidden_tests tests, struct pawl_verdict *verdict,
                                       struct pawl_error *err)
{
    return run(tester, solution, tests.text, verdict, NULL, NULL, err);
}

enum pawl_status pawl_tests_run_visible(struct pawl_tester *tester,
                                        const struct pawl_solution *solution,
                                        struct pawl_visible_tests tests, struct pawl_arena *arena,
                                        struct pawl_verdict *verdict, const char **text,
                                        struct pawl_error *err)
{
    *text = "";
    return run(tester, solution, tests.text, verdict, arena, text, err);
}

const char *pawl_verdict_sentence(const struct pawl_verdict *verdict, struct pawl_arena *arena)
{
    const char *place = "";
    if (verdict->failed_at > 0)
        place = pawl_arena_printf(arena, " at assertion %lld of %lld",
                                  (long long)verdict->failed_at, (long long)verdict->asserts);
    switch (verdict->end) {
    case PAWL_TESTS_PASSED:
        return "All tests passed.";
    case PAWL_TESTS_WRONG:
        return pawl_arena_printf(arena, "The solution gave a wrong value%s.", place);
    case PAWL_TESTS_RAISED:
        return pawl_arena_printf(arena, "The solution raised %s%s.",
                                 verdict->raised[0] ? verdict->raised : "an exception of its own",
                                 place);
    case PAWL_TESTS_ENDED:
        return pawl_arena_printf(arena,
                                 "The solution's process ended%s: it left, crashed, or "
                                 "reached its limits.",
                                 place);
    case PAWL_TESTS_LATE:
        return "The solution was not done in time.";
    case PAWL_TESTS_NONSENSE:
        return pawl_arena_printf(arena, "The solution gave no plain data%s.", place);
    case PAWL_TESTS_UNFIT:
        return "These tests cannot be judged: they hand over or assert nothing that can cross "
               "between "
               "two processes.";
    }
    PAWL_BUG("a new way of ending");
}
