#include "sandbox/zygote.h"
#include "sandbox/seccomp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

enum { START_MS = 30000, STOP_MS = 2000, LISTEN_S = 10, PROCESSES = 256 };

struct pawl_zygote {
    struct pawl_child *child;
    int control; /* each message is a run */
};

static enum pawl_status not_ready(struct pawl_zygote *z, enum pawl_child_read got,
                                  struct pawl_str line, struct pawl_error *err)
{
    if (got == PAWL_CHILD_LINE)
        pawl_fail(err, PAWL_EWORLD, "Python cannot run tests here: " PAWL_STR_FMT ".",
                  PAWL_STR_ARG(line));
    else
        pawl_fail(err, PAWL_EWORLD, "The Python interpreter for tests did not start. %s",
                  pawl_child_complaint(z->child));
    pawl_hint(err, "Install python3 (3.9 or newer, with its standard library) of the system.");
    return PAWL_EWORLD;
}

/* -I would ignore the hash seed, on which the order of sets depends, and so some verdicts: -s and a
 * complete environment isolate as well. */
static enum pawl_status start_child(struct pawl_zygote *z, int control, int64_t memory_bytes,
                                    struct pawl_error *err)
{
    static const char *const env[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8",
                                      "PYTHONHASHSEED=0", NULL};
    char number[16];
    struct pawl_buf filter = PAWL_BUF(1 << 16);
    pawl_seccomp_run_hex(&filter);
    snprintf(number, sizeof number, "%ld", (long)SYS_seccomp);
    const char *const argv[] = {"python3",        "-s",        "-S",   "-B", "-c",
                                pawl_zygote_text, filter.data, number, NULL};
    struct pawl_command command = {.argv = argv,
                                   .env = env,
                                   .cwd = "/",
                                   .input = control,
                                   .limits = pawl_sandbox_default_limits()};
    command.limits.memory_bytes = memory_bytes;
    command.limits.processes = PROCESSES;
    command.limits.file_bytes = 0;
    command.limits.line_bytes = 4096;
    enum pawl_status status = pawl_child_start(&command, &z->child, err);
    pawl_buf_release(&filter);
    return status;
}

enum pawl_status pawl_zygote_start(int64_t memory_bytes, struct pawl_zygote **zygote,
                                   struct pawl_error *err)
{
    int ends[2];
    struct pawl_str line = PAWL_STR("");
    if (!pawl_seccomp_is_known())
        return pawl_fail(err, PAWL_EWORLD,
                         "On this machine no seccomp filter is known, so no code can be tested.");
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return pawl_fail_errno(err, PAWL_EWORLD, errno, "No socket for Python could be made");
    struct timeval patience = {.tv_sec = LISTEN_S};
    setsockopt(ends[0], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    struct pawl_zygote *z = pawl_xcalloc(1, sizeof *z);
    z->control = ends[0];
    enum pawl_status status = start_child(z, ends[1], memory_bytes, err);
    close(ends[1]);
    if (status == PAWL_OK) {
        enum pawl_child_read got = pawl_child_read(z->child, START_MS, &line);
        if (got != PAWL_CHILD_LINE || !pawl_str_is(line, "ready"))
            status = not_ready(z, got, line, err);
    }
    if (status == PAWL_OK)
        *zygote = z;
    else
        pawl_zygote_stop(z);
    return status;
}

bool pawl_send_descriptors(int socket, const void *bytes, size_t n_bytes, const int *fds, int n)
{
    struct iovec part = {(void *)(uintptr_t)bytes, n_bytes};
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(PAWL_ZYGOTE_THEIRS_MAX * sizeof(int))];
    } control = {0};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.room,
                             .msg_controllen = CMSG_SPACE((size_t)n * sizeof(int))};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
    memcpy(CMSG_DATA(header), fds, (size_t)n * sizeof(int));
    ssize_t sent;
    do sent = sendmsg(socket, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)n_bytes;
}

bool pawl_zygote_fork(struct pawl_zygote *zygote, enum pawl_zygote_role role, int64_t cpu_s,
                      const int *theirs, int n)
{
    char text[64];
    int length = snprintf(text, sizeof text, "%c %lld", (char)role, (long long)cpu_s);
    return pawl_send_descriptors(zygote->control, text, (size_t)length, theirs, n);
}

const char *pawl_zygote_complaint(struct pawl_zygote *zygote)
{
    return pawl_child_complaint(zygote->child);
}

void pawl_zygote_stop(struct pawl_zygote *zygote)
{
    struct pawl_str line;
    if (!zygote) return;
    close(zygote->control);
    /* It ends its runs and then itself: nobody is left for another process to wait for. */
    if (zygote->child) pawl_child_read(zygote->child, STOP_MS, &line);
    pawl_child_stop(zygote->child);
    free(zygote);
}
