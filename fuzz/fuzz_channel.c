/* What another process of ours may write into a channel. After an f every line becomes a frame with the
 * right length; otherwise the bytes go as they are. A message that arrives is the same when it is sent
 * on; an error in it is one here too. */
#include "fuzz.h"

#include "io/channel.h"

#include <sys/socket.h>
#include <unistd.h>

enum { SENT_MAX = 60 << 10 }; /* fits into a socket: nobody reads while we write */

static void frame_lines(struct pawl_str text, struct pawl_buf *out)
{
    struct pawl_str line;
    while (pawl_str_split(&text, '\n', &line)) {
        const char header[] = {(char)line.len, (char)(line.len >> 8), 0, 0};
        pawl_buf_add_bytes(out, header, sizeof header);
        pawl_buf_add_str(out, line);
    }
}

/* Gives the reading end of a socket into which all of `text` was written. */
static int socket_with(struct pawl_str text)
{
    int ends[2];
    PAWL_ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    PAWL_ASSERT(text.len == 0 ||
                send(ends[0], text.ptr, text.len, MSG_NOSIGNAL) == (ssize_t)text.len);
    close(ends[0]);
    return ends[1];
}

static void check_echo(const json_t *message)
{
    int ends[2];
    json_t *again;
    PAWL_ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    struct pawl_channel *from = pawl_channel_open(ends[0]), *to = pawl_channel_open(ends[1]);
    struct pawl_error err = {0};
    PAWL_ASSERT(pawl_channel_send(from, message, &err) == PAWL_OK);
    PAWL_ASSERT(pawl_channel_receive(to, 0, &again, &err) == PAWL_OK && again);
    char *first = pawl_json_text(message), *second = pawl_json_text(again);
    PAWL_ASSERT(strcmp(first, second) == 0);
    free(first);
    free(second);
    json_decref(again);
    pawl_channel_close(from);
    pawl_channel_close(to);
}

static void check_error(const json_t *message)
{
    struct pawl_error err = {0};
    if (pawl_error_from_json(message, &err) == PAWL_OK) {
        PAWL_ASSERT(!json_object_get(message, "error"));
        return;
    }
    PAWL_ASSERT(err.status != PAWL_OK && err.line >= 0 && err.column >= 0);
    json_decref(pawl_error_json(&err));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct pawl_buf frames = PAWL_BUF(SENT_MAX);
    struct pawl_str text = {(const char *)bytes, n_bytes};
    if (pawl_str_starts(text, "f"))
        frame_lines((struct pawl_str){text.ptr + 1, text.len - 1}, &frames);
    else
        pawl_buf_add_str(&frames, text);
    struct pawl_channel *channel = pawl_channel_open(socket_with(pawl_buf_str(&frames)));
    struct pawl_error err = {0};
    json_t *message;
    while (pawl_channel_receive(channel, 0, &message, &err) == PAWL_OK) {
        PAWL_ASSERT(message); /* the other end is closed: there is nothing to wait for */
        check_echo(message);
        check_error(message);
        json_decref(message);
    }
    PAWL_ASSERT(!message && err.message[0]);
    pawl_channel_close(channel);
    pawl_buf_release(&frames);
    return 0;
}
