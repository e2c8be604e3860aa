/* Requests are answered, or end for a reason that is said; connections are used again. */
#include "io/http.h"

#include "io/http_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>
#include <time.h>

static struct http_server *server;
static struct pawl_http *http;
static struct pawl_arena arena;

enum { LIMIT_BYTES = 1 << 20, CONNECTIONS = 32 };

static int open_both(void **state)
{
    (void)state;
    setenv("no_proxy", "*", 1); /* whatever the machine's settings are */
    server = server_open();
    struct pawl_error err;
    return pawl_http_open(&http, &err) == PAWL_OK ? 0 : -1;
}

static int close_both(void **state)
{
    (void)state;
    pawl_http_close(http);
    server_close(server);
    pawl_arena_release(&arena);
    return 0;
}

static struct pawl_http_request request_of(const char *path)
{
    return (struct pawl_http_request){
        .url = pawl_arena_printf(&arena, "http://127.0.0.1:%d%s", server->port, path),
        .timeout_ms = 10000,
        .in_flight_max = CONNECTIONS,
        .limit_bytes = LIMIT_BYTES};
}

static struct pawl_http_reply perform(struct pawl_http_request request)
{
    struct pawl_http_reply reply;
    pawl_http_all(http, &arena, &request, 1, &reply);
    return reply;
}

static struct pawl_http_reply get(const char *path)
{
    return perform(request_of(path));
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void test_get_and_post(void **state)
{
    (void)state;
    struct pawl_http_reply reply = get("/echo");
    assert_int_equal(reply.outcome, PAWL_HTTP_ANSWERED);
    assert_int_equal(reply.status, 200);
    assert_int_equal(reply.retry_after_ms, -1);
    assert_true(pawl_str_is(reply.body, "get"));

    struct pawl_http_request request = request_of("/echo");
    request.body = PAWL_STR("a\0b");
    assert_true(pawl_str_eq(perform(request).body, PAWL_STR("a\0b")));
    char large[30000]; /* over the size at which curl would ask "100-continue" first */
    memset(large, 'x', sizeof large);
    request.body = (struct pawl_str){large, sizeof large};
    assert_int_equal(perform(request).body.len, sizeof large);

    const char *const headers[] = {"X-Test: a value", NULL};
    request = request_of("/echo");
    request.headers = headers;
    assert_true(pawl_str_is(perform(request).body, "a value"));
}

static void test_a_connection_is_used_again(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) assert_int_equal(get("/echo").outcome, PAWL_HTTP_ANSWERED);
    assert_int_equal(server->n_requests, 20);
    assert_int_equal(server->n_connections, 1);
}

static void test_a_batch_keeps_its_order_and_the_limit_of_connections(void **state)
{
    (void)state;
    enum { N = 200 };
    struct pawl_http_request requests[N];
    struct pawl_http_reply replies[N];
    for (int i = 0; i < N; i++) {
        requests[i] = request_of(i % 10 == 0 ? "/wait" : "/echo");
        requests[i].body = pawl_str_of(pawl_arena_printf(&arena, "body %d", i));
    }
    pawl_http_all(http, &arena, requests, N, replies);
    for (int i = 0; i < N; i++) {
        assert_int_equal(replies[i].outcome, PAWL_HTTP_ANSWERED);
        assert_true(i % 10 == 0 ? pawl_str_is(replies[i].body, "waited")
                                : pawl_str_eq(replies[i].body, requests[i].body));
    }
    assert_int_equal(server->n_requests, N);
    assert_in_range(server->n_connections, 1, CONNECTIONS);
}

static void *ask_alone(void *context)
{
    (void)context;
    struct pawl_arena own = {0};
    struct pawl_http_request request = {
        .timeout_ms = 30000, .limit_bytes = LIMIT_BYTES, .in_flight_max = CONNECTIONS};
    struct pawl_http_reply reply;
    request.url = pawl_arena_printf(&own, "http://127.0.0.1:%d/wait", server->port);
    pawl_http_all(http, &own, &request, 1, &reply);
    bool well = reply.outcome == PAWL_HTTP_ANSWERED && pawl_str_is(reply.body, "waited");
    pawl_arena_release(&own);
    return well ? NULL : "not answered";
}

static void test_two_hundred_callers_at_once(void **state)
{
    (void)state;
    enum { N = 200 };
    pthread_t threads[N];
    for (int i = 0; i < N; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_alone, NULL), 0);
    for (int i = 0; i < N; i++) {
        void *result;
        pthread_join(threads[i], &result);
        if (result) fail_msg("%s", (const char *)result);
    }
    assert_int_equal(server->n_requests, N);
    assert_in_range(server->n_connections, 1, CONNECTIONS);
}

static void test_a_timeout_counts_the_whole_answer(void **state)
{
    (void)state;
    const char *const paths[] = {"/hang", "/drip"};
    for (int i = 0; i < 2; i++) {
        struct pawl_http_request request = request_of(paths[i]);
        request.timeout_ms = 200;
        int64_t start_ms = now_ms();
        struct pawl_http_reply reply = perform(request);
        assert_int_equal(reply.outcome, PAWL_HTTP_TIMED_OUT);
        assert_in_range(now_ms() - start_ms, 150, 5000);
        assert_non_null(strstr(reply.reason, "0.2 seconds"));
        assert_int_equal(reply.body.len, 0);
    }
    assert_int_equal(get("/echo").outcome, PAWL_HTTP_ANSWERED);
}

static void test_retry_after(void **state)
{
    (void)state;
    const struct {
        const char *path;
        int64_t least_ms, most_ms;
    } cases[] = {
        {"/retry/7", 7000, 7000},
        {"/retry/0", 0, 0},
        {"/retry/99999999999999999999", -1, -1},
        {"/retry/-5", -1, -1},
        {"/retry/soon", -1, -1},
        {"/retry/", -1, -1},
        {"/retry/Sun,_06_Nov_1994_08:49:37_GMT", 0, 0}, /* long ago */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pawl_http_reply reply = get(cases[i].path);
        assert_int_equal(reply.outcome, PAWL_HTTP_ANSWERED);
        assert_int_equal(reply.status, 429);
        assert_true(pawl_str_is(reply.body, "slow down"));
        if (reply.retry_after_ms < cases[i].least_ms || reply.retry_after_ms > cases[i].most_ms)
            fail_msg("%s: %ld ms", cases[i].path, (long)reply.retry_after_ms);
    }
    char path[64];
    time_t soon = time(NULL) + 60;
    strftime(path, sizeof path, "/retry/%a,_%d_%b_%Y_%H:%M:%S_GMT", gmtime(&soon));
    int64_t after_ms = get(path).retry_after_ms;
    assert_true(after_ms > 55000 && after_ms <= 60000);
}

static void test_what_breaks_is_broken_and_says_why(void **state)
{
    (void)state;
    const char *const paths[] = {"/drop", "/half", "/bad"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct pawl_http_reply reply = get(paths[i]);
        assert_int_equal(reply.outcome, PAWL_HTTP_BROKEN);
        assert_true(strlen(reply.reason) > 10);
        assert_int_equal(reply.body.len, 0);
    }
    const char *const urls[] = {
        "http://127.0.0.1:1/",   "ftp://127.0.0.1/", "file:///etc/passwd", "nonsense://x", "",
        "http://127.0.0.1:1/a b"};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct pawl_http_request request = request_of("");
        request.url = urls[i];
        assert_int_equal(perform(request).outcome, PAWL_HTTP_UNSENT);
    }
    assert_int_equal(get("/echo").outcome, PAWL_HTTP_ANSWERED);
}

static void test_a_body_over_the_limit_ends_the_transfer(void **state)
{
    (void)state;
    struct pawl_http_reply reply = get("/big");
    assert_int_equal(reply.outcome, PAWL_HTTP_TOO_BIG);
    assert_non_null(strstr(reply.reason, "1048576"));
    assert_int_equal(reply.body.len, 0);
    struct pawl_http_request request = request_of("/big");
    request.limit_bytes = 10 << 20;
    assert_int_equal(perform(request).body.len, 10 << 20); /* at the limit it is whole */
}

static void test_a_redirect_is_an_answer_and_is_not_followed(void **state)
{
    (void)state;
    struct pawl_http_reply reply = get("/redirect");
    assert_int_equal(reply.outcome, PAWL_HTTP_ANSWERED);
    assert_int_equal(reply.status, 302);
    assert_int_equal(server->n_requests, 1);
}

static void test_a_key_with_a_line_break_is_refused_and_not_shown(void **state)
{
    (void)state;
    const char *const headers[] = {"Authorization: Bearer sk-secret\n", NULL};
    struct pawl_http_request request = request_of("/echo");
    request.headers = headers;
    struct pawl_http_reply reply = perform(request);
    assert_int_equal(reply.outcome, PAWL_HTTP_UNSENT);
    assert_non_null(strstr(reply.reason, "line break"));
    assert_null(strstr(reply.reason, "secret"));
    assert_int_equal(server->n_connections, 0);
}

static void *cancel_soon(void *context)
{
    (void)context;
    usleep(100000);
    pawl_http_cancel(http);
    return NULL;
}

static void test_cancel_from_another_thread(void **state)
{
    (void)state;
    enum { N = 2 * CONNECTIONS }; /* half of them run, half wait for their turn */
    struct pawl_http_request requests[N];
    struct pawl_http_reply replies[N];
    for (int i = 0; i < N; i++) requests[i] = request_of("/hang");
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, NULL), 0);
    int64_t start_ms = now_ms();
    pawl_http_all(http, &arena, requests, N, replies);
    assert_in_range(now_ms() - start_ms, 50, 5000);
    for (int i = 0; i < N; i++) assert_int_equal(replies[i].outcome, PAWL_HTTP_CANCELED);
    assert_int_equal(get("/echo").outcome, PAWL_HTTP_CANCELED); /* and every later one */
    pthread_join(thread, NULL);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, open_both, close_both)
    const struct CMUnitTest tests[] = {
        TEST(test_get_and_post),
        TEST(test_a_connection_is_used_again),
        TEST(test_a_batch_keeps_its_order_and_the_limit_of_connections),
        TEST(test_two_hundred_callers_at_once),
        TEST(test_a_timeout_counts_the_whole_answer),
        TEST(test_retry_after),
        TEST(test_what_breaks_is_broken_and_says_why),
        TEST(test_a_body_over_the_limit_ends_the_transfer),
        TEST(test_a_redirect_is_an_answer_and_is_not_followed),
        TEST(test_a_key_with_a_line_break_is_refused_and_not_shown),
        TEST(test_cancel_from_another_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
