#include "io/channel.h"

#include "io/deadline.h"

#include "base/arena.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEADER_BYTES = 4, FIRST_CAPACITY = 64 << 10 };

struct pawl_channel {
    int fd;
    pthread_mutex_t sending; /* a frame is sent whole before the next one starts */

    /* The message that is arriving. Only the receiving thread touches this. Nothing is read past
     * its end, so poll(2) on fd always tells whether more is waiting. */
    unsigned char header[HEADER_BYTES];
    size_t got_bytes; /* of header and body together */
    char *body;
    size_t capacity;
};

struct pawl_channel *pawl_channel_open(int fd)
{
    struct pawl_channel *channel = pawl_xcalloc(1, sizeof *channel);
    channel->fd = fd;
    pthread_mutex_init(&channel->sending, NULL);
    return channel;
}

void pawl_channel_close(struct pawl_channel *channel)
{
    if (!channel) return;
    close(channel->fd);
    pthread_mutex_destroy(&channel->sending);
    free(channel->body);
    free(channel);
}

int pawl_channel_fd(const struct pawl_channel *channel)
{
    return channel->fd;
}

bool pawl_channel_maker(const struct pawl_channel *channel, uid_t *uid)
{
    struct ucred maker;
    socklen_t size = sizeof maker;
    if (getsockopt(channel->fd, SOL_SOCKET, SO_PEERCRED, &maker, &size) != 0) return false;
    *uid = maker.uid;
    return true;
}

static enum pawl_status fail_closed(struct pawl_error *err)
{
    return pawl_fail(err, PAWL_EWORLD, "The other process has closed the channel.");
}

static enum pawl_status fail_socket(int errnum, const char *doing, struct pawl_error *err)
{
    if (errnum == EPIPE || errnum == ECONNRESET) return fail_closed(err);
    return pawl_fail_errno(err, PAWL_EWORLD, errnum, "Could not %s another process", doing);
}

/* The caller holds channel->sending. */
static enum pawl_status send_frame(struct pawl_channel *channel, const char *frame, size_t len,
                                   struct pawl_error *err)
{
    while (len > 0) {
        ssize_t n = send(channel->fd, frame, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            int errnum = errno;
            shutdown(channel->fd, SHUT_WR); /* nothing may follow a torn frame */
            return fail_socket(errnum, "send to", err);
        }
        frame += n;
        len -= (size_t)n;
    }
    return PAWL_OK;
}

enum pawl_status pawl_channel_send(struct pawl_channel *channel, const json_t *message,
                                   struct pawl_error *err)
{
    struct pawl_buf frame = PAWL_BUF((size_t)HEADER_BYTES + PAWL_CHANNEL_MAX);
    pawl_buf_add_bytes(&frame, "\0\0\0\0", HEADER_BYTES);
    pawl_json_write(message, &frame);
    if (frame.overflowed) {
        pawl_buf_release(&frame);
        return pawl_fail(err, PAWL_ETOOBIG, "A message to another process is over %d MiB.",
                         PAWL_CHANNEL_MAX >> 20);
    }
    size_t len = frame.len - HEADER_BYTES;
    for (int i = 0; i < HEADER_BYTES; i++) frame.data[i] = (char)(unsigned char)(len >> 8 * i);
    pthread_mutex_lock(&channel->sending);
    enum pawl_status status = send_frame(channel, frame.data, frame.len, err);
    pthread_mutex_unlock(&channel->sending);
    pawl_buf_release(&frame);
    return status;
}

/* The length that a whole header announces. */
static size_t announced_bytes(const struct pawl_channel *channel)
{
    size_t len = 0;
    for (int i = 0; i < HEADER_BYTES; i++) len |= (size_t)channel->header[i] << 8 * i;
    return len;
}

/* Make room for more of a body of `len` bytes. Memory grows with what has arrived, not with what
 * was announced: four bytes cannot make us reserve 256 MiB. */
static void make_room(struct pawl_channel *channel, size_t len)
{
    size_t have = channel->got_bytes - HEADER_BYTES;
    if (channel->capacity > have) return;
    size_t capacity = have * 2 > FIRST_CAPACITY ? have * 2 : FIRST_CAPACITY;
    channel->capacity = capacity < len ? capacity : len;
    channel->body = pawl_xrealloc(channel->body, channel->capacity);
}

/* Where the next bytes of the message belong, and how many fit there. 0: the message is whole. */
static size_t next_room(struct pawl_channel *channel, void **room)
{
    if (channel->got_bytes < HEADER_BYTES) {
        *room = channel->header + channel->got_bytes;
        return HEADER_BYTES - channel->got_bytes;
    }
    size_t len = announced_bytes(channel);
    size_t have = channel->got_bytes - HEADER_BYTES;
    if (have == len) return 0;
    make_room(channel, len);
    *room = channel->body + have;
    return (channel->capacity < len ? channel->capacity : len) - have;
}

static enum pawl_status check_header(const struct pawl_channel *channel, struct pawl_error *err)
{
    if (channel->got_bytes < HEADER_BYTES || announced_bytes(channel) <= PAWL_CHANNEL_MAX)
        return PAWL_OK;
    return pawl_fail(err, PAWL_ETOOBIG,
                     "Another process announced a message of %zu bytes, more than %d MiB.",
                     announced_bytes(channel), PAWL_CHANNEL_MAX >> 20);
}

/* Wait until there is something to read. *ready false: the time is over. */
static enum pawl_status wait_readable(const struct pawl_channel *channel,
                                      struct pawl_deadline deadline, bool *ready,
                                      struct pawl_error *err)
{
    struct pollfd wait = {.fd = channel->fd, .events = POLLIN};
    int n;
    do {
        n = poll(&wait, 1, pawl_deadline_left_ms(deadline));
    } while (n < 0 && errno == EINTR);
    if (n < 0) return fail_socket(errno, "wait for", err);
    *ready = n > 0;
    return PAWL_OK;
}

static enum pawl_status read_some(struct pawl_channel *channel, void *room, size_t n_bytes,
                                  struct pawl_error *err)
{
    ssize_t n = recv(channel->fd, room, n_bytes, MSG_DONTWAIT);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return PAWL_OK;
    if (n < 0) return fail_socket(errno, "receive from", err);
    if (n == 0 && channel->got_bytes > 0)
        return pawl_fail(err, PAWL_EWORLD, "The other process stopped in the middle of a message.");
    if (n == 0) return fail_closed(err);
    channel->got_bytes += (size_t)n;
    return PAWL_OK;
}

/* The message is whole: parse it and be ready for the next one. */
static enum pawl_status finish(struct pawl_channel *channel, json_t **message,
                               struct pawl_error *err)
{
    struct pawl_str text = {channel->body, channel->got_bytes - HEADER_BYTES};
    struct pawl_error why;
    enum pawl_status status = pawl_json_parse(text, PAWL_CHANNEL_MAX, message, &why);
    channel->got_bytes = 0;
    if (channel->capacity > FIRST_CAPACITY) { /* one large message must not hold memory for ever */
        free(channel->body);
        channel->body = NULL;
        channel->capacity = 0;
    }
    if (status == PAWL_OK) return PAWL_OK;
    return pawl_fail(err, PAWL_EWORLD, "Another process sent a broken message: %s", why.message);
}

enum pawl_status pawl_channel_receive(struct pawl_channel *channel, int timeout_ms,
                                      json_t **message, struct pawl_error *err)
{
    struct pawl_deadline deadline = pawl_deadline_in(timeout_ms);
    *message = NULL;
    for (;;) {
        PAWL_TRY(check_header(channel, err));
        void *room;
        size_t n_bytes = next_room(channel, &room);
        if (n_bytes == 0) return finish(channel, message, err);
        bool ready = false;
        PAWL_TRY(wait_readable(channel, deadline, &ready, err));
        if (!ready) return PAWL_OK;
        PAWL_TRY(read_some(channel, room, n_bytes, err));
    }
}
