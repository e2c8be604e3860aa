/* Messages arrive whole, in order, from any thread; a broken or hostile peer is an error. */
#include "io/channel.h"
#include "base/arena.h"
#include "io/process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A channel and the raw other end of it. */
struct pair {
    struct pawl_channel *channel;
    int raw;
};

static struct pair open_pair(void)
{
    int fds[2];
    struct pawl_error err;
    assert_int_equal(pawl_socket_pair(fds, &err), PAWL_OK);
    return (struct pair){pawl_channel_open(fds[0]), fds[1]};
}

static void close_pair(struct pair *pair)
{
    pawl_channel_close(pair->channel);
    if (pair->raw >= 0) close(pair->raw);
}

/* A frame as it is on the wire. Gives its length. */
static size_t frame(const char *text, unsigned char *out)
{
    size_t len = strlen(text);
    for (int i = 0; i < 4; i++) out[i] = (unsigned char)(len >> 8 * i);
    memcpy(out + 4, text, len);
    return len + 4;
}

static void test_a_message_on_the_wire(void **state)
{
    (void)state;
    struct pair pair = open_pair();
    struct pawl_error err;
    json_t *message = json_pack("{s:i,s:[s]}", "b", 1, "a", "x");
    assert_int_equal(pawl_channel_send(pair.channel, message, &err), PAWL_OK);
    json_decref(message);
    unsigned char expected[64], got[64];
    size_t len = frame("{\"a\":[\"x\"],\"b\":1}", expected);
    assert_int_equal(read(pair.raw, got, sizeof got), len);
    assert_memory_equal(got, expected, len);
    close_pair(&pair);
}

static void test_a_frame_may_come_in_pieces(void **state)
{
    (void)state;
    struct pair pair = open_pair();
    struct pawl_error err;
    unsigned char bytes[64];
    size_t len = frame("{\"n\":42}", bytes);
    json_t *message;
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(pawl_channel_receive(pair.channel, 0, &message, &err), PAWL_OK);
        assert_null(message); /* not whole yet: the time is over, nothing is lost */
        assert_int_equal(write(pair.raw, bytes + i, 1), 1);
    }
    assert_int_equal(pawl_channel_receive(pair.channel, 1000, &message, &err), PAWL_OK);
    assert_int_equal(pawl_json_get_int(message, "n", 0), 42);
    json_decref(message);
    close_pair(&pair);
}

static void test_poll_sees_every_message_that_waits(void **state)
{
    (void)state;
    struct pair pair = open_pair();
    struct pawl_error err;
    unsigned char bytes[64];
    size_t len = frame("1", bytes);
    len += frame("2", bytes + len);
    assert_int_equal(write(pair.raw, bytes, len), len);
    struct pollfd wait = {.fd = pawl_channel_fd(pair.channel), .events = POLLIN};
    for (int i = 1; i <= 2; i++) {
        assert_int_equal(poll(&wait, 1, 0), 1);
        json_t *message;
        assert_int_equal(pawl_channel_receive(pair.channel, 0, &message, &err), PAWL_OK);
        assert_int_equal(json_integer_value(message), i);
        json_decref(message);
    }
    assert_int_equal(poll(&wait, 1, 0), 0);
    close_pair(&pair);
}

static void test_an_oversized_frame_is_refused_at_its_header(void **state)
{
    (void)state;
    struct pair pair = open_pair();
    struct pawl_error err;
    json_t *message;
    assert_int_equal(write(pair.raw, "\xff\xff\xff\xff", 4), 4);
    assert_int_equal(pawl_channel_receive(pair.channel, 1000, &message, &err), PAWL_ETOOBIG);
    assert_null(message);
    /* and stays refused: what follows cannot be told apart from the body */
    assert_int_equal(write(pair.raw, "\1\0\0\0001", 5), 5);
    assert_int_equal(pawl_channel_receive(pair.channel, 1000, &message, &err), PAWL_ETOOBIG);
    close_pair(&pair);
}

static void test_a_broken_message_is_an_error(void **state)
{
    (void)state;
    const char *const broken[] = {"", "{", "{\"a\":1,\"a\":2}", "\xff", "1 2"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        struct pair pair = open_pair();
        struct pawl_error err;
        unsigned char bytes[64];
        size_t len = frame(broken[i], bytes);
        assert_int_equal(write(pair.raw, bytes, len), len);
        json_t *message;
        assert_int_equal(pawl_channel_receive(pair.channel, 1000, &message, &err), PAWL_EWORLD);
        close_pair(&pair);
    }
}

static void test_a_closed_peer_is_an_error_and_no_signal(void **state)
{
    (void)state;
    struct pair pair = open_pair();
    struct pawl_error err;
    assert_int_equal(write(pair.raw, "\5\0\0\0{", 5), 5);
    close(pair.raw);
    pair.raw = -1;
    json_t *message;
    assert_int_equal(pawl_channel_receive(pair.channel, -1, &message, &err), PAWL_EWORLD);
    assert_non_null(strstr(err.message, "middle"));
    json_t *one = json_integer(1);
    assert_int_equal(pawl_channel_send(pair.channel, one, &err), PAWL_EWORLD);
    assert_non_null(strstr(err.message, "closed"));
    json_decref(one);
    close_pair(&pair);
}

/* ---- many senders, one receiver ---- */

enum { N_SENDERS = 4, N_MESSAGES = 200, PADDING = 3000 };

struct sender {
    struct pawl_channel *channel;
    int number;
};

static void *send_many(void *context)
{
    struct sender *sender = context;
    char padding[PADDING + 1];
    memset(padding, 'a' + sender->number, PADDING);
    padding[PADDING] = '\0';
    for (int i = 0; i < N_MESSAGES; i++) {
        json_t *message = json_pack("{s:i,s:i,s:s}", "from", sender->number, "i", i, "p", padding);
        if (pawl_channel_send(sender->channel, message, NULL) != PAWL_OK) return "failed";
        json_decref(message);
    }
    return NULL;
}

static void test_concurrent_senders_never_mix_frames(void **state)
{
    (void)state;
    struct pair pair = open_pair();
    struct pawl_channel *receiver = pawl_channel_open(pair.raw);
    pthread_t threads[N_SENDERS];
    struct sender senders[N_SENDERS];
    for (int i = 0; i < N_SENDERS; i++) {
        senders[i] = (struct sender){pair.channel, i};
        assert_int_equal(pthread_create(&threads[i], NULL, send_many, &senders[i]), 0);
    }
    int next[N_SENDERS] = {0};
    for (int i = 0; i < N_SENDERS * N_MESSAGES; i++) {
        json_t *message;
        struct pawl_error err;
        assert_int_equal(pawl_channel_receive(receiver, 10000, &message, &err), PAWL_OK);
        assert_non_null(message);
        int from = (int)pawl_json_get_int(message, "from", -1);
        assert_in_range(from, 0, N_SENDERS - 1);
        assert_int_equal(pawl_json_get_int(message, "i", -1), next[from]++);
        struct pawl_str padding = pawl_json_get_str(message, "p");
        assert_int_equal(padding.len, PADDING);
        assert_int_equal(padding.ptr[PADDING - 1], 'a' + from);
        json_decref(message);
    }
    for (int i = 0; i < N_SENDERS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        assert_null(result);
    }
    pawl_channel_close(receiver);
    pair.raw = -1;
    close_pair(&pair);
}

static void *send_large(void *context)
{
    struct sender *sender = context;
    char *text = pawl_xmalloc(20 << 20);
    memset(text, 'x', 20 << 20);
    json_t *message = json_stringn(text, 20 << 20);
    free(text);
    enum pawl_status status = pawl_channel_send(sender->channel, message, NULL);
    json_decref(message);
    return status == PAWL_OK ? NULL : "failed";
}

static void test_a_large_message(void **state)
{
    (void)state;
    struct pair pair = open_pair();
    struct pawl_channel *receiver = pawl_channel_open(pair.raw);
    struct sender sender = {pair.channel, 0};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, send_large, &sender), 0);
    json_t *message;
    struct pawl_error err;
    assert_int_equal(pawl_channel_receive(receiver, 30000, &message, &err), PAWL_OK);
    assert_int_equal(json_string_length(message), 20 << 20);
    json_decref(message);
    void *result;
    pthread_join(thread, &result);
    assert_null(result);
    pawl_channel_close(receiver);
    pair.raw = -1;
    close_pair(&pair);
}

/* ---- errors as messages ---- */

static void test_an_error_survives_the_journey(void **state)
{
    (void)state;
    struct pawl_error sent = {0}, got = {0};
    pawl_fail_at(&sent, PAWL_EBUDGET, "pawl.yaml", 7, "improve.budget", "Too \"little\" money.");
    pawl_hint(&sent, "Ask for more.");
    sent.column = 3;
    json_t *message = pawl_error_json(&sent);
    assert_int_equal(pawl_error_from_json(message, &got), PAWL_EBUDGET);
    assert_memory_equal(&sent.status, &got.status, sizeof sent.status);
    assert_string_equal(got.message, sent.message);
    assert_string_equal(got.hint, sent.hint);
    assert_string_equal(got.file, "pawl.yaml");
    assert_string_equal(got.field, "improve.budget");
    assert_int_equal(got.line, 7);
    assert_int_equal(got.column, 3);
    assert_int_equal(pawl_error_from_json(message, NULL), PAWL_EBUDGET);
    json_decref(message);
}

static void test_what_is_and_what_is_not_an_error(void **state)
{
    (void)state;
    const struct {
        const char *text;
        enum pawl_status status;
    } cases[] = {
        {"{\"ok\":true}", PAWL_OK},
        {"{\"error\":{\"code\":\"paused\"}}", PAWL_EPAUSED},
        {"{\"error\":{\"code\":\"from the future\"}}", PAWL_EWORLD},
        {"{\"error\":{\"code\":\"ok\",\"line\":-5}}", PAWL_EWORLD}, /* an error is never "ok" */
        {"{\"error\":\"text\"}", PAWL_EWORLD},
        {"[1]", PAWL_OK},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *message;
        struct pawl_error err;
        assert_int_equal(pawl_json_parse(pawl_str_of(cases[i].text), 1000, &message, &err),
                         PAWL_OK);
        assert_int_equal(pawl_error_from_json(message, &err), cases[i].status);
        json_decref(message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_message_on_the_wire),
        cmocka_unit_test(test_a_frame_may_come_in_pieces),
        cmocka_unit_test(test_poll_sees_every_message_that_waits),
        cmocka_unit_test(test_an_oversized_frame_is_refused_at_its_header),
        cmocka_unit_test(test_a_broken_message_is_an_error),
        cmocka_unit_test(test_a_closed_peer_is_an_error_and_no_signal),
        cmocka_unit_test(test_concurrent_senders_never_mix_frames),
        cmocka_unit_test(test_a_large_message),
        cmocka_unit_test(test_an_error_survives_the_journey),
        cmocka_unit_test(test_what_is_and_what_is_not_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
