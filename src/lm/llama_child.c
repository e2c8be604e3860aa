#include "lm/llama_child.h"

#include <errno.h>
#include <fcntl.h>
#include <ggml.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A fork can catch a lock that another thread held, and then its child waits for ever: one that is late is
 * given up early once, and the next may take its time. */
enum { FIRST_LIMIT_S = 60, LIMIT_S = 600, REASON_BYTES = 400 };

/* What the child tells, in one write: a pipe takes so much whole. */
struct verdict {
    bool ok;
    char reason[REASON_BYTES];
    _Alignas(max_align_t) unsigned char answer[PAWL_LLAMA_CHILD_ANSWER_MAX];
};

/* ---- In the child: nothing here may outlive it ------------------------------------------------ */

static int report_fd = -1; /* the child's copy only: ggml's abort hook has no argument */

bool pawl_llama_is_child(void)
{
    return report_fd >= 0;
}

static _Noreturn void tell(const struct verdict *verdict)
{
    ssize_t n = write(report_fd, verdict, sizeof *verdict);
    _exit(n == (ssize_t)sizeof *verdict ? 0 : 1);
}

_Noreturn void pawl_llama_child_refuse(const char *what, const char *detail)
{
    struct verdict verdict = {.ok = false};
    snprintf(verdict.reason, sizeof verdict.reason, "%s%s%s", what, *detail ? ": " : "", detail);
    tell(&verdict);
}

static void on_ggml_abort(const char *message)
{
    pawl_llama_child_refuse("libllama aborted", message);
}

static _Noreturn void work(const struct pawl_llama_child *child, int fd)
{
    struct verdict verdict = {.ok = true};
    setenv("GGML_NO_BACKTRACE", "1", 1);
    report_fd = fd;
    ggml_set_abort_callback(on_ggml_abort);
    child->work(child->task, verdict.answer);
    tell(&verdict);
}

/* ---- In this process -------------------------------------------------------------------------- */

static bool read_verdict(int fd, int limit_s, struct verdict *verdict)
{
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    int n;
    do n = poll(&waiting, 1, limit_s * 1000);
    while (n < 0 && errno == EINTR);
    if (n <= 0) {
        snprintf(verdict->reason, sizeof verdict->reason, "it did not run within %d seconds",
                 limit_s);
        return false;
    }
    ssize_t got;
    do got = read(fd, verdict, sizeof *verdict);
    while (got < 0 && errno == EINTR);
    verdict->reason[REASON_BYTES - 1] = 0;
    if (got == (ssize_t)sizeof *verdict) return true;
    verdict->ok = false;
    verdict->reason[0] = 0;
    return false;
}

static void say_how_it_died(int status, struct verdict *verdict)
{
    if (!WIFSIGNALED(status)) {
        snprintf(verdict->reason, sizeof verdict->reason, "libllama ended without an answer");
        return;
    }
    int sig = WTERMSIG(status);
    snprintf(verdict->reason, sizeof verdict->reason, "libllama died of %s%s", strsignal(sig),
             sig == SIGILL ? " (built for another CPU: run scripts/build-llama again)" : "");
}

static enum pawl_status run_once(const struct pawl_llama_child *child, int limit_s, bool *late,
                                 struct pawl_error *err)
{
    *late = false;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return pawl_fail_errno(err, PAWL_EWORLD, errno, "Cannot make a pipe");
    pid_t pid = fork();
    if (pid == 0) work(child, ends[1]);
    int errnum = errno;
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return pawl_fail_errno(err, PAWL_EWORLD, errnum, "Cannot fork to try out the model");
    }
    struct verdict verdict = {0};
    bool answered = read_verdict(ends[0], limit_s, &verdict);
    close(ends[0]);
    *late = !answered && verdict.reason[0];
    if (*late) kill(pid, SIGKILL);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    if (!answered && !verdict.reason[0]) say_how_it_died(status, &verdict);
    if (!verdict.ok)
        return pawl_fail(err, PAWL_ECONFIG, "The model %s cannot be used: %s.", child->model,
                         verdict.reason);
    memcpy(child->answer, verdict.answer, child->answer_bytes);
    return PAWL_OK;
}

enum pawl_status pawl_llama_child_run(const struct pawl_llama_child *child, struct pawl_error *err)
{
    if (child->answer_bytes > PAWL_LLAMA_CHILD_ANSWER_MAX) PAWL_BUG("an answer of a child is long");
    bool late;
    enum pawl_status status = run_once(child, FIRST_LIMIT_S, &late, err);
    return late ? run_once(child, LIMIT_S, &late, err) : status;
}
