/*
 * The openai backend against a server that misbehaves. The prompt says how: the server answers by
 * the last user message. A key is set throughout, and must turn up in nothing that comes back.
 */
#include "base/clock.h"
#include "lm_fixture.h"
#include "lm/openai_wire.h"
#include "store/store.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#define KEY "sk-test-0123456789abcdef"

/* --- the server ------------------------------------------------------------------------------- */

enum { REQUEST_MAX = 1 << 16 };
static struct {
    int fd, port;
    atomic_int n_requests, n_inside, most_inside;
    atomic_bool saw_key;
    pthread_mutex_t lock;
    char last_body[REQUEST_MAX];
} server = {.lock = PTHREAD_MUTEX_INITIALIZER};

static const char completion[] =
    "{\"choices\":[{\"message\":{\"content\":\"%s\"},\"finish_reason\":\"%s\"}],"
    "\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":3,"
    "\"prompt_tokens_details\":{\"cached_tokens\":4}}}";

static void respond(int fd, int status, const char *headers, const char *body, size_t len)
{
    char head[512];
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 %d X\r\nContent-Length: %zu\r\nConnection: close\r\n%s\r\n", status,
                     len, headers);
    (void)!send(fd, head, (size_t)n, MSG_NOSIGNAL);
    while (len > 0) {
        ssize_t sent = send(fd, body, len, MSG_NOSIGNAL);
        if (sent <= 0) return;
        body += sent;
        len -= (size_t)sent;
    }
}

static void respond_text(int fd, int status, const char *headers, const char *body)
{
    respond(fd, status, headers, body, strlen(body));
}

static void respond_completion(int fd, const char *text, const char *end)
{
    char body[512];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(body, sizeof body, completion, text, end);
#pragma GCC diagnostic pop
    respond_text(fd, 200, "", body);
}

static void respond_big(int fd)
{
    size_t len = 10 << 20;
    char *body = malloc(len);
    memset(body, 'x', len);
    respond(fd, 200, "", body, len);
    free(body);
}

/* Work for 20 ms, and note how many requests are worked on at a time. */
static void be_inside(void)
{
    int inside = atomic_fetch_add(&server.n_inside, 1) + 1, most = server.most_inside;
    while (inside > most && !atomic_compare_exchange_weak(&server.most_inside, &most, inside)) {}
    usleep(20 * 1000);
    atomic_fetch_sub(&server.n_inside, 1);
}

/* What to do with the n-th request for this prompt is in the prompt. */
static void misbehave(int fd, const char *prompt, int n)
{
    if (strcmp(prompt, "fine") == 0)
        respond_completion(fd, "yes", "stop");
    else if (strcmp(prompt, "storm") == 0) /* 429 for ever */
        respond_text(fd, 429, "Retry-After: 7\r\n", "{\"error\":{\"message\":\"slow down\"}}");
    else if (strcmp(prompt, "passing") == 0 && n < 3)
        respond_text(fd, n == 1 ? 503 : 429, "Retry-After: 2\r\n", "busy");
    else if (strcmp(prompt, "passing") == 0)
        respond_completion(fd, "at last", "stop");
    else if (strcmp(prompt, "500") == 0)
        respond_text(fd, 500, "", "oops");
    else if (strcmp(prompt, "half") == 0)
        (void)!send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"cho", 46, MSG_NOSIGNAL);
    else if (strcmp(prompt, "json") == 0)
        respond_text(fd, 200, "", "{\"choices\":[");
    else if (strcmp(prompt, "shape") == 0)
        respond_text(fd, 200, "", "{\"choices\":[{\"message\":{\"content\":[1]}}]}");
    else if (strcmp(prompt, "none") == 0)
        respond_text(fd, 200, "", "{\"choices\":[]}");
    else if (strcmp(prompt, "utf8") == 0)
        respond_completion(fd, "a\xff\xc3z", "stop");
    else if (strcmp(prompt, "empty") == 0)
        respond_completion(fd, "", "length");
    else if (strcmp(prompt, "filter") == 0)
        respond_completion(fd, "", "content_filter");
    else if (strcmp(prompt, "null") == 0)
        respond_text(fd, 200, "", "{\"choices\":[{\"message\":{\"content\":null}}]}");
    else if (strcmp(prompt, "refuse") == 0)
        respond_text(fd, 200, "",
                     "{\"choices\":[{\"message\":{\"content\":null,\"refusal\":\"I will not\"}}]}");
    else if (strcmp(prompt, "usage") == 0)
        respond_text(fd, 200, "",
                     "{\"choices\":[{\"message\":{\"content\":\"x\"}}],\"usage\":"
                     "{\"prompt_tokens\":-5,\"completion_tokens\":99999999999,"
                     "\"prompt_tokens_details\":{\"cached_tokens\":7}}}");
    else if (strcmp(prompt, "big") == 0)
        respond_big(fd);
    else if (strcmp(prompt, "400") == 0)
        respond_text(fd, 400, "", "{\"error\":{\"message\":\"bad\\n key " KEY " given\"}}");
    else if (strcmp(prompt, "404") == 0)
        respond_text(fd, 404, "", "{\"error\":\"no such model\"}");
    else if (strcmp(prompt, "302") == 0)
        respond_text(fd, 302, "Location: http://localhost:1/\r\n", "");
    else if (strcmp(prompt, "401") == 0)
        respond_text(fd, 401, "", "{\"error\":{\"message\":\"wrong key " KEY "\"}}");
    else if (strcmp(prompt, "echo") == 0)
        respond_completion(fd, "your key is " KEY "!", "stop");
    else if (strcmp(prompt, "slow") == 0)
        usleep(1500 * 1000);
    else { /* "wait ..." */
        be_inside();
        respond_completion(fd, prompt, "stop");
    }
}

static bool read_request(int fd, char *text, size_t room)
{
    size_t len = 0;
    for (;;) {
        ssize_t n = recv(fd, text + len, room - 1 - len, 0);
        if (n <= 0) return false;
        len += (size_t)n;
        text[len] = '\0';
        const char *end = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "content-length:");
        if (end && length && strlen(end + 4) >= (size_t)atoi(length + 15)) return true;
    }
}

static void *serve_one(void *argument)
{
    int fd = (int)(intptr_t)argument;
    static atomic_int n_passing;
    char *text = malloc(REQUEST_MAX);
    if (read_request(fd, text, REQUEST_MAX)) {
        atomic_fetch_add(&server.n_requests, 1);
        if (strstr(text, "Authorization: Bearer " KEY)) atomic_store(&server.saw_key, true);
        const char *body = strstr(text, "\r\n\r\n") + 4;
        pthread_mutex_lock(&server.lock);
        snprintf(server.last_body, sizeof server.last_body, "%s", body);
        pthread_mutex_unlock(&server.lock);
        json_t *request = json_loads(body, 0, NULL);
        const json_t *message = json_array_get(json_object_get(request, "messages"), 0);
        const char *prompt = json_string_value(json_object_get(message, "content"));
        int n = prompt && strcmp(prompt, "passing") == 0 ? atomic_fetch_add(&n_passing, 1) + 1 : 0;
        misbehave(fd, prompt ? prompt : "500", n);
        json_decref(request);
    }
    shutdown(fd, SHUT_WR);
    char rest[256];
    while (recv(fd, rest, sizeof rest, 0) > 0) {}
    close(fd);
    free(text);
    return NULL;
}

static void *serve(void *unused)
{
    (void)unused;
    for (;;) {
        int fd = accept(server.fd, NULL, NULL);
        if (fd < 0) return NULL;
        pthread_t thread;
        if (pthread_create(&thread, NULL, serve_one, (void *)(intptr_t)fd) == 0)
            pthread_detach(thread);
    }
}

static void start_server(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    server.fd = socket(AF_INET, SOCK_STREAM, 0);
    pthread_t thread;
    if (bind(server.fd, (struct sockaddr *)&address, len) != 0 || listen(server.fd, 64) != 0 ||
        getsockname(server.fd, (struct sockaddr *)&address, &len) != 0 ||
        pthread_create(&thread, NULL, serve, NULL) != 0)
        abort();
    server.port = ntohs(address.sin_port);
    pthread_detach(thread);
}

/* --- asking it -------------------------------------------------------------------------------- */

static const char *models_of(const char *options)
{
    return pawl_arena_printf(
        &arena,
        "{\"m\":{\"backend\":\"openai\",\"model\":\"tiny\","
        "\"base_url\":\"http://127.0.0.1:%d/v1/\",\"key_env\":\"PAWL_TEST_KEY\""
        "%s}}",
        server.port, options);
}

static struct pawl_lm *open_openai(const char *options)
{
    return must_open((struct pawl_lm_settings){.seed = 1}, models_of(options));
}

static void assert_no_key(const char *text)
{
    if (text) assert_null(strstr(text, KEY));
}

static struct pawl_lm_reply ask(const char *options, const char *prompt)
{
    struct pawl_lm *lm = open_openai(options);
    struct pawl_lm_reply reply = must_ask(lm, request_of(prompt));
    assert_no_key(reply.text.ptr);
    assert_no_key(reply.reason);
    pawl_lm_close(lm);
    return reply;
}

static void test_a_good_answer(void **unused)
{
    (void)unused;
    struct pawl_lm *lm = open_openai(",\"price_prompt\":10,\"price_completion\":100,"
                                     "\"price_cached\":1");
    struct pawl_str stop = PAWL_STR("END");
    struct pawl_lm_request r = request_of("fine");
    r.stops = &stop, r.n_stops = 1, r.temperature = 0.5, r.top_p = 0.9;
    struct pawl_lm_reply reply = must_ask(lm, r);
    assert_text(&reply, "yes");
    assert_false(reply.truncated);
    assert_int_equal(reply.usage.prompt_tokens, 12);
    assert_int_equal(reply.usage.completion_tokens, 3);
    assert_int_equal(reply.usage.cached_tokens, 4);
    assert_int_equal(reply.usage.cost_microusd, 8 * 10 + 4 * 1 + 3 * 100);
    assert_true(server.saw_key);
    pthread_mutex_lock(&server.lock);
    json_t *body = json_of(server.last_body);
    pthread_mutex_unlock(&server.lock);
    assert_int_equal(json_object_size(body), 8);
    assert_string_equal(pawl_json_get_text(body, "model", ""), "tiny");
    assert_int_equal(pawl_json_get_int(body, "max_tokens", 0), 64);
    assert_int_equal(pawl_json_get_int(body, "n", 0), 1);
    assert_string_equal(json_string_value(json_array_get(json_object_get(body, "stop"), 0)), "END");
    json_decref(body);
    const char *identity;
    assert_int_equal(pawl_lm_identity(lm, PAWL_ROLE_TASK, &identity, NULL), PAWL_OK);
    assert_string_equal(identity,
                        pawl_arena_printf(&arena, "openai:127.0.0.1:%d/v1/tiny", server.port));
    assert_int_equal(pawl_lm_parallel(lm, PAWL_ROLE_TASK), 16);
    assert_false(pawl_lm_scores_choices(lm, PAWL_ROLE_TASK));
    pawl_lm_close(lm);
}

static void test_the_body(void **unused)
{
    (void)unused;
    struct pawl_lm_request r = request_of("\"hi\"\xff");
    r.seed = 7;
    struct pawl_buf out = PAWL_BUF(1 << 12);
    pawl_openai_write(&(struct pawl_openai_style){.model = "o3", .reasoning = true}, &r, &out);
    assert_string_equal(out.data, "{\"max_completion_tokens\":64,\"messages\":[{\"content\":"
                                  "\"\\\"hi\\\"\xEF\xBF\xBD\",\"role\":\"user\"}],"
                                  "\"model\":\"o3\",\"n\":1}");
    pawl_buf_reset(&out);
    pawl_openai_write(&(struct pawl_openai_style){.model = "m", .send_seed = true}, &r, &out);
    assert_non_null(strstr(out.data, "\"seed\":7,\"temperature\":0}"));
    r.sample = 1; /* another sample draws other numbers */
    pawl_buf_reset(&out);
    pawl_openai_write(&(struct pawl_openai_style){.model = "m", .send_seed = true}, &r, &out);
    assert_null(strstr(out.data, "\"seed\":7,"));
    pawl_buf_release(&out);
}

static void test_odd_answers(void **unused)
{
    (void)unused;
    struct pawl_lm_reply reply = ask("", "empty");
    assert_text(&reply, "");
    assert_true(reply.truncated);
    reply = ask("", "null");
    assert_text(&reply, "");
    assert_int_equal(reply.usage.prompt_tokens, 1); /* nothing was counted: an estimate */
    reply = ask("", "utf8");
    assert_text(&reply, "a\xEF\xBF\xBD\xEF\xBF\xBDz");
    reply = ask("", "usage");
    assert_int_equal(reply.usage.prompt_tokens, 0);
    assert_int_equal(reply.usage.cached_tokens, 0);
    assert_int_equal(reply.usage.completion_tokens, 1000000000);
    reply = ask(",\"price_prompt\":1,\"price_completion\":1", "null");
    assert_int_equal(reply.usage.cost_microusd, 4 + 32 + 64); /* uncounted: the worst */
}

static void test_the_candidates_fault(void **unused)
{
    (void)unused;
    struct pawl_lm_reply reply = ask("", "400");
    assert_reason(&reply, PAWL_REPLY_FAILED, "400: bad  key ****");
    reply = ask("", "404");
    assert_reason(&reply, PAWL_REPLY_FAILED, "no such model");
    reply = ask("", "big");
    assert_reason(&reply, PAWL_REPLY_FAILED, "over 8 MiB");
    reply = ask("", "refuse");
    assert_reason(&reply, PAWL_REPLY_FAILED, "I will not");
    reply = ask("", "filter");
    assert_reason(&reply, PAWL_REPLY_FAILED, "content filter");
}

static void test_the_worlds_fault(void **unused)
{
    (void)unused;
    static const struct {
        const char *prompt, *part;
        int n_requests;
    } cases[] = {
        {"500", "500: oops", 4},
        {"storm", "429: slow down", 4},
        {"half", "", 4},
        {"json", "not a completion", 4},
        {"shape", "not a completion", 4},
        {"none", "not a completion", 4},
        {"302", "302", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int before = server.n_requests;
        struct pawl_lm_reply reply = ask(",\"retries\":3", cases[i].prompt);
        assert_reason(&reply, PAWL_REPLY_MISSING, cases[i].part);
        assert_int_equal(server.n_requests - before, cases[i].n_requests);
        assert_int_equal(reply.usage.cost_microusd, 0);
    }
    struct pawl_lm_reply reply = ask(",\"retries\":0,\"timeout_ms\":100", "slow");
    assert_reason(&reply, PAWL_REPLY_MISSING, "");
}

static void test_nobody_is_there(void **unused)
{
    (void)unused;
    struct pawl_lm *lm =
        must_open((struct pawl_lm_settings){0},
                  "{\"m\":{\"backend\":\"openai\",\"model\":\"tiny\",\"retries\":1,"
                  "\"base_url\":\"http://127.0.0.1:1/v1\"}}");
    struct pawl_lm_reply reply = must_ask(lm, request_of("fine"));
    assert_reason(&reply, PAWL_REPLY_MISSING, "");
    pawl_lm_close(lm);
}

static void test_trouble_passes(void **unused)
{
    (void)unused;
    int64_t start_ms = pawl_clock_now_ms();
    struct pawl_lm_reply reply = ask("", "passing");
    assert_text(&reply, "at last");
    int64_t waited_ms = pawl_clock_now_ms() - start_ms; /* twice Retry-After: 2 */
    assert_true(waited_ms >= 4000 && waited_ms < 8000);
}

static void test_a_refused_key(void **unused)
{
    (void)unused;
    struct pawl_lm *lm = open_openai("");
    struct pawl_lm_request r = request_of("401");
    struct pawl_lm_reply reply;
    struct pawl_error err = {0};
    assert_int_equal(pawl_lm_ask(lm, &arena, &r, 1, &reply, &err), PAWL_EWORLD);
    assert_non_null(strstr(err.hint, "PAWL_TEST_KEY"));
    assert_no_key(err.message);
    assert_no_key(err.hint);
    pawl_lm_close(lm);

    static const char *const bad[] = {NULL, "", "short", "with space in it", "line\nbreak-in-it"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (bad[i])
            setenv("PAWL_TEST_KEY", bad[i], 1);
        else
            unsetenv("PAWL_TEST_KEY");
        lm = open_openai("");
        assert_int_equal(pawl_lm_ask(lm, &arena, &r, 1, &reply, &err), PAWL_EWORLD);
        assert_non_null(strstr(err.message, "PAWL_TEST_KEY"));
        if (bad[i] && *bad[i]) assert_null(strstr(err.message, bad[i]));
        pawl_lm_close(lm);
    }
    setenv("PAWL_TEST_KEY", KEY, 1);
}

static void test_concurrency_is_a_bound(void **unused)
{
    (void)unused;
    struct pawl_lm *lm = open_openai(",\"concurrency\":3");
    struct pawl_lm_request requests[20];
    struct pawl_lm_reply replies[20];
    for (int i = 0; i < 20; i++) requests[i] = request_of(pawl_arena_printf(&arena, "wait %d", i));
    server.most_inside = 0;
    assert_int_equal(pawl_lm_ask(lm, &arena, requests, 20, replies, NULL), PAWL_OK);
    for (int i = 0; i < 20; i++)
        assert_text(&replies[i], pawl_arena_printf(&arena, "wait %d", i)); /* in order */
    assert_in_range(server.most_inside, 1, 3);
    pawl_lm_close(lm);
}

static void *cancel_soon(void *lm)
{
    usleep(100 * 1000);
    pawl_lm_cancel(lm);
    return NULL;
}

static void test_cancel_ends_waiting(void **unused)
{
    (void)unused;
    struct pawl_lm *lm = open_openai(",\"concurrency\":1");
    struct pawl_lm_request requests[] = {request_of("slow"), request_of("fine")};
    struct pawl_lm_reply replies[2];
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, lm), 0);
    assert_int_equal(pawl_lm_ask(lm, &arena, requests, 2, replies, NULL), PAWL_EPAUSED);
    assert_int_equal(pawl_lm_ask(lm, &arena, requests + 1, 1, replies, NULL), PAWL_EPAUSED);
    pthread_join(thread, NULL);
    pawl_lm_close(lm);
}

/* --- the cache -------------------------------------------------------------------------------- */

static void test_the_cache(void **unused)
{
    (void)unused;
    struct pawl_store *store;
    struct pawl_error err = {0};
    if (pawl_store_open(path_of("store"), true, &store, &err) != PAWL_OK)
        fail_msg("%s", err.message);
    for (int round = 0; round < 2; round++) {
        struct pawl_lm *lm =
            must_open((struct pawl_lm_settings){.cache = store},
                      models_of(",\"retries\":0,\"price_prompt\":10,\"price_completion\":100"));
        struct pawl_lm_request requests[] = {request_of("fine"), request_of("500"),
                                             request_of("fine"), request_of("400"),
                                             request_of("echo")};
        struct pawl_lm_reply replies[5];
        int before = server.n_requests;
        assert_int_equal(pawl_lm_ask(lm, &arena, requests, 5, replies, NULL), PAWL_OK);
        /* Equal requests are asked once; only answers are kept. */
        assert_int_equal(server.n_requests - before, round == 0 ? 4 : 2);
        assert_text(&replies[0], "yes");
        assert_text(&replies[2], "yes");
        assert_int_equal(replies[1].status, PAWL_REPLY_MISSING);
        assert_int_equal(replies[3].status, PAWL_REPLY_FAILED);
        assert_int_equal(replies[0].usage.n_cached, round);
        assert_int_equal(replies[2].usage.n_cached, 1);
        assert_int_equal(replies[0].usage.prompt_tokens, 12);
        assert_int_equal(replies[0].usage.cost_microusd, 12 * 10 + 3 * 100);
        requests[0].sample = 1; /* another sample is another request */
        before = server.n_requests;
        assert_int_equal(pawl_lm_ask(lm, &arena, requests, 1, replies, NULL), PAWL_OK);
        assert_int_equal(server.n_requests - before, 1 - round);
        pawl_lm_close(lm);
        if (pawl_store_flush(store, &err) != PAWL_OK) fail_msg("%s", err.message);
    }
    pawl_store_close(store);
}

static enum pawl_status refuse(void *context, int64_t microusd, struct pawl_error *err)
{
    (void)context;
    (void)microusd;
    return pawl_fail(err, PAWL_EBUDGET, "No money.");
}

static void settle(void *context, int64_t reserved, int64_t spent)
{
    (void)context;
    (void)reserved;
    (void)spent;
    fail_msg("nothing was reserved");
}

static void test_nothing_is_sent_without_money_but_the_cache_answers(void **unused)
{
    (void)unused;
    struct pawl_store *store;
    if (pawl_store_open(path_of("store"), true, &store, NULL) != PAWL_OK) fail();
    const char *models = models_of(",\"price_prompt\":10,\"price_completion\":100");
    struct pawl_lm *lm = must_open((struct pawl_lm_settings){.cache = store}, models);
    must_ask(lm, request_of("fine"));
    pawl_lm_close(lm);
    if (pawl_store_flush(store, NULL) != PAWL_OK) fail();

    struct pawl_lm_purse purse = {refuse, settle, NULL};
    lm = must_open((struct pawl_lm_settings){.cache = store, .purse = &purse}, models);
    int before = server.n_requests;
    struct pawl_lm_reply reply = must_ask(lm, request_of("fine"));
    assert_text(&reply, "yes");
    struct pawl_lm_request other = request_of("echo");
    assert_int_equal(pawl_lm_ask(lm, &arena, &other, 1, &reply, NULL), PAWL_EBUDGET);
    assert_int_equal(server.n_requests, before);
    pawl_lm_close(lm);
    pawl_store_close(store);
}

/* No file that was written while asking holds the key, though the server echoes it. */
static void test_the_key_reaches_no_file(void **unused)
{
    (void)unused;
    struct pawl_store *store;
    if (pawl_store_open(path_of("store"), true, &store, NULL) != PAWL_OK) fail();
    const char *models = pawl_arena_printf(
        &arena,
        "{\"live\":{\"backend\":\"openai\",\"model\":\"tiny\",\"base_url\":\"http://127.0.0.1:%d/"
        "v1\","
        "\"key_env\":\"PAWL_TEST_KEY\"},\"tape\":{\"backend\":\"replay\",\"mode\":\"record\","
        "\"of\":\"live\",\"file\":\"tape.jsonl\"}}",
        server.port);
    struct pawl_lm *lm;
    if (open_lm((struct pawl_lm_settings){.cache = store}, models, "{\"task\":\"tape\"}", &lm,
                NULL) != PAWL_OK)
        fail();
    struct pawl_lm_reply reply = must_ask(lm, request_of("echo"));
    assert_text(&reply, "your key is ************************!");
    must_ask(lm, request_of("400"));
    pawl_lm_close(lm);
    pawl_store_close(store);
    assert_non_null(strstr(read_text("tape.jsonl"), "your key is ****"));
    assert_int_not_equal(system(pawl_arena_printf(&arena, "grep -rqs '%s' '%s'", KEY, dir)), 0);
}

int main(void)
{
    pawl_clock_fix(1000000);
    setenv("PAWL_TEST_KEY", KEY, 1);
    unsetenv("http_proxy");
    start_server();
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_good_answer),
        TEST(test_the_body),
        TEST(test_odd_answers),
        TEST(test_the_candidates_fault),
        TEST(test_the_worlds_fault),
        TEST(test_nobody_is_there),
        TEST(test_trouble_passes),
        TEST(test_a_refused_key),
        TEST(test_concurrency_is_a_bound),
        TEST(test_cancel_ends_waiting),
        TEST(test_the_cache),
        TEST(test_nothing_is_sent_without_money_but_the_cache_answers),
        TEST(test_the_key_reaches_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
