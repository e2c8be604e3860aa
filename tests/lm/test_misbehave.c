/*
 * A server that misbehaves in every way at once (support/lm_server.h): each request ends as an answer
 * or as a failure with its reason, in bounded time, and the purse is never overrun.
 */
#include "base/clock.h"
#include "lm_fixture.h"
#include "support/lm_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

static struct lm_server *server;
#define IMPATIENT ",\"timeout_ms\":1300,\"retries\":2"

static const struct {
    const char *prompt;
    enum pawl_reply_status status;
    const char *part; /* of the answer or the reason */
} cases[] = {
    {"fine", PAWL_REPLY_OK, "yes"},
    {"wait a little", PAWL_REPLY_OK, "wait a little"},
    {"utf8", PAWL_REPLY_OK, "a\xEF\xBF\xBD\xEF\xBF\xBDz"},
    {"passing", PAWL_REPLY_OK, "at last"},
    {"storm", PAWL_REPLY_MISSING, "429: slow down"},
    {"mute", PAWL_REPLY_MISSING, "429: slow down"},
    {"past", PAWL_REPLY_MISSING, "429: slow down"},
    {"absurd", PAWL_REPLY_MISSING, "429: never"},
    {"500", PAWL_REPLY_MISSING, "500: oops"},
    {"529", PAWL_REPLY_MISSING, "529: Overloaded"},
    {"half", PAWL_REPLY_MISSING, ""},
    {"short", PAWL_REPLY_MISSING, ""},
    {"chunks", PAWL_REPLY_MISSING, ""},
    {"drip", PAWL_REPLY_MISSING, "no whole answer in 1.3 seconds"},
    {"slow", PAWL_REPLY_MISSING, "no whole answer in 1.3 seconds"},
    {"json", PAWL_REPLY_MISSING, "not a completion"},
    {"shape", PAWL_REPLY_MISSING, "not a completion"},
    {"none", PAWL_REPLY_MISSING, "not a completion"},
    {"nothing", PAWL_REPLY_MISSING, "not a completion"},
    {"error", PAWL_REPLY_MISSING, "upstream is busy"},
    {"page", PAWL_REPLY_MISSING, "web page"},
    {"302", PAWL_REPLY_MISSING, "302"},
    {"400", PAWL_REPLY_FAILED, "400: bad"},
    {"big", PAWL_REPLY_FAILED, "over 8 MiB"},
    {"refuse", PAWL_REPLY_FAILED, "refuse"},
};
enum { N = sizeof cases / sizeof *cases };

/* Money as the engine keeps it: what is set aside and what is spent never exceed the limit. */
struct money {
    pthread_mutex_t lock;
    int64_t limit, reserved, spent, most;
};

static enum pawl_status reserve(void *context, int64_t microusd, struct pawl_error *err)
{
    struct money *money = context;
    enum pawl_status status = PAWL_OK;
    pthread_mutex_lock(&money->lock);
    if (money->reserved + money->spent + microusd > money->limit)
        status = pawl_fail(err, PAWL_EBUDGET, "No money.");
    else
        money->reserved += microusd;
    if (money->reserved + money->spent > money->most) money->most = money->reserved + money->spent;
    pthread_mutex_unlock(&money->lock);
    return status;
}

static void settle(void *context, int64_t reserved, int64_t spent)
{
    struct money *money = context;
    pthread_mutex_lock(&money->lock);
    money->reserved -= reserved;
    money->spent += spent;
    pthread_mutex_unlock(&money->lock);
}

static struct pawl_lm *open_at(const char *scheme, int port, const char *backend,
                               const char *options, const struct pawl_lm_purse *purse)
{
    return must_open(
        (struct pawl_lm_settings){.seed = 1, .purse = purse},
        pawl_arena_printf(&arena,
                          "{\"m\":{\"backend\":\"%s\",\"model\":\"tiny\","
                          "\"base_url\":\"%s://127.0.0.1:%d/v1\",\"key_env\":\"PAWL_TEST_KEY\","
                          "\"price_prompt\":10,\"price_completion\":100%s}}",
                          backend, scheme, port, options));
}

/* Where the server is asked: itself, or over TLS a proxy in front of it that speaks HTTP/2. */
static int proxy_port; /* 0: none */

static struct pawl_lm *open_model(const char *backend, const char *options,
                                  const struct pawl_lm_purse *purse)
{
    return open_at(proxy_port ? "https" : "http", proxy_port ? proxy_port : server->port, backend,
                   options, purse);
}

static void check_reply(size_t i, const struct pawl_lm_reply *reply)
{
    const char *text = reply->status == PAWL_REPLY_OK ? reply->text.ptr : reply->reason;
    if (reply->status != cases[i].status || !text || !strstr(text, cases[i].part))
        fail_msg("%s: status %d, \"%s\"", cases[i].prompt, reply->status, text ? text : "");
    assert_null(strstr(text, LM_SERVER_KEY));
}

/* All at once, so that those who behave suffer with the others. */
static void test_every_case_ends(void **unused)
{
    (void)unused;
    static const char *const backends[] = {"openai", "anthropic"};
    for (int b = 0; b < 2; b++) {
        struct money money = {.lock = PTHREAD_MUTEX_INITIALIZER, .limit = INT64_MAX / 2};
        const struct pawl_lm_purse purse = {reserve, settle, &money};
        struct pawl_lm *lm = open_model(backends[b], IMPATIENT ",\"concurrency\":64", &purse);
        struct pawl_lm_request requests[N];
        struct pawl_lm_reply replies[N];
        int64_t sum = 0;
        server->n_passing = 0;
        for (size_t i = 0; i < N; i++) requests[i] = request_of(cases[i].prompt);
        assert_int_equal(pawl_lm_ask(lm, &arena, requests, N, replies, NULL), PAWL_OK);
        for (size_t i = 0; i < N; i++) check_reply(i, &replies[i]);
        for (size_t i = 0; i < N; i++) sum += replies[i].usage.cost_microusd;
        assert_int_equal(money.reserved, 0);
        assert_int_equal(money.spent, sum); /* what the replies say is what was paid */
        pawl_lm_close(lm);
    }
}

/* What may have been billed without an answer is paid at its worst, and once per try. */
static void test_tries_that_may_be_billed(void **unused)
{
    (void)unused;
    static const struct {
        const char *prompt;
        int n_paid;
    } rows[] = {{"drip", 3}, {"half", 3}, {"json", 3},  {"nothing", 3}, {"big", 1}, {"storm", 0},
                {"mute", 0}, {"500", 0},  {"error", 0}, {"page", 0},    {"400", 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct money money = {.lock = PTHREAD_MUTEX_INITIALIZER, .limit = INT64_MAX / 2};
        const struct pawl_lm_purse purse = {reserve, settle, &money};
        struct pawl_lm *lm = open_model("openai", IMPATIENT, &purse);
        const struct pawl_lm_request r = request_of(rows[i].prompt);
        int64_t worst = pawl_lm_worst_cost(lm, &r);
        must_ask(lm, r);
        assert_true(worst > 0);
        if (money.spent != rows[i].n_paid * worst)
            fail_msg("%s: %ld", rows[i].prompt, (long)money.spent);
        assert_int_equal(money.reserved, 0);
        pawl_lm_close(lm);
    }
}

/* With little money the tries end early; never is more set aside and spent than there is. */
static void test_a_small_budget_is_never_overrun(void **unused)
{
    (void)unused;
    struct pawl_lm *free_lm = open_model("openai", IMPATIENT, NULL);
    const struct pawl_lm_request one = request_of("drip");
    int64_t worst = pawl_lm_worst_cost(free_lm, &one);
    pawl_lm_close(free_lm);
    for (int n_worst = 1; n_worst < 4; n_worst++) {
        struct money money = {.lock = PTHREAD_MUTEX_INITIALIZER, .limit = n_worst * worst};
        const struct pawl_lm_purse purse = {reserve, settle, &money};
        struct pawl_lm *lm = open_model("openai", IMPATIENT, &purse);
        int before = server->n_requests;
        struct pawl_lm_reply reply = must_ask(lm, one);
        assert_reason(&reply, PAWL_REPLY_MISSING, "no whole answer");
        assert_int_equal(server->n_requests - before, n_worst);
        assert_true(money.most <= money.limit);
        assert_int_equal(money.spent, n_worst * worst);
        assert_int_equal(money.reserved, 0);
        assert_int_equal(reply.usage.cost_microusd, n_worst * worst);
        pawl_lm_close(lm);
    }
}

/* A straggler is asked a second time; both are paid, and both were set aside. */
static void test_a_hedge(void **unused)
{
    (void)unused;
    struct money money = {.lock = PTHREAD_MUTEX_INITIALIZER, .limit = INT64_MAX / 2};
    const struct pawl_lm_purse purse = {reserve, settle, &money};
    struct pawl_lm *lm = open_model("openai", ",\"timeout_ms\":4000,\"hedge_ms\":100", &purse);
    struct pawl_lm *plain = open_model("openai", IMPATIENT, NULL);
    const struct pawl_lm_request straggler = request_of("twice");
    int64_t worst = pawl_lm_worst_cost(plain, &straggler);
    assert_int_equal(pawl_lm_worst_cost(lm, &straggler), 2 * worst);
    server->n_twice = 0;
    struct pawl_lm_reply reply = must_ask(lm, straggler);
    assert_text(&reply, "quick");
    assert_int_equal(reply.usage.cost_microusd, worst + 12 * 10 + 3 * 100);
    assert_in_range(reply.usage.latency_us, 100 * 1000, 1400 * 1000);
    assert_int_equal(money.most, 2 * worst);
    assert_int_equal(money.spent, reply.usage.cost_microusd);
    int before = server->n_requests;
    reply = must_ask(lm, request_of("fine")); /* no straggler, no second request */
    assert_int_equal(reply.usage.cost_microusd, 12 * 10 + 3 * 100);
    assert_int_equal(server->n_requests - before, 1);
    pawl_lm_close(plain);
    pawl_lm_close(lm);
}

/* A server that takes four at a time and refuses the others: all are answered, few are refused. */
static void test_a_storm_settles(void **unused)
{
    (void)unused;
    enum { MANY = 200 };
    struct pawl_lm *lm = open_model("openai", ",\"concurrency\":100,\"retries\":20", NULL);
    struct pawl_lm_request requests[MANY];
    struct pawl_lm_reply replies[MANY];
    for (int i = 0; i < MANY; i++)
        requests[i] = request_of(pawl_arena_printf(&arena, "wait %d", i));
    server->takes = 4;
    server->n_refused = 0;
    assert_int_equal(pawl_lm_ask(lm, &arena, requests, MANY, replies, NULL), PAWL_OK);
    server->takes = 0;
    for (int i = 0; i < MANY; i++)
        assert_text(&replies[i], pawl_arena_printf(&arena, "wait %d", i));
    assert_in_range(server->n_refused, 1, MANY);
    pawl_lm_close(lm);
}

/* Two models at one host share its places. */
static void test_models_of_a_host_share_its_budget(void **unused)
{
    (void)unused;
    struct pawl_lm *lm;
    const char *model = pawl_arena_printf(&arena,
                                          "{\"backend\":\"openai\",\"model\":\"tiny\","
                                          "\"base_url\":\"http://127.0.0.1:%d\","
                                          "\"concurrency\":8,\"host_concurrency\":3}",
                                          server->port);
    if (open_lm((struct pawl_lm_settings){0},
                pawl_arena_printf(&arena, "{\"a\":%s,\"b\":%s}", model, model),
                "{\"task\":\"a\",\"judge\":\"b\"}", &lm, NULL) != PAWL_OK)
        fail();
    struct pawl_lm_request requests[16];
    struct pawl_lm_reply replies[16];
    for (int i = 0; i < 16; i++) {
        requests[i] = request_of(pawl_arena_printf(&arena, "wait %d", i));
        requests[i].role = i < 8 ? PAWL_ROLE_TASK : PAWL_ROLE_JUDGE;
    }
    server->most_inside = 0;
    assert_int_equal(pawl_lm_ask(lm, &arena, requests, 16, replies, NULL), PAWL_OK);
    assert_in_range(server->most_inside, 1, 3);
    pawl_lm_close(lm);
}

/* --- TLS -------------------------------------------------------------------------------------- */

static void test_plain_text_where_tls_should_be(void **unused)
{
    (void)unused;
    struct pawl_lm *lm = open_at("https", server->port, "openai", IMPATIENT, NULL);
    struct pawl_lm_reply reply = must_ask(lm, request_of("fine"));
    assert_reason(&reply, PAWL_REPLY_MISSING, "");
    assert_int_equal(reply.usage.cost_microusd, 0); /* nothing of it was sent */
    pawl_lm_close(lm);
}

/* Key and certificate, of our own making, in the files k and c; false where there is no openssl. */
static bool make_certificate(void)
{
    return system(pawl_arena_printf(
               &arena,
               "exec 2>/dev/null; command -v openssl >/dev/null || exit 1;"
               "openssl req -x509 -newkey rsa:2048 -nodes -keyout '%s/k' -out '%s/c' -days 1 "
               "-subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1",
               dir, dir)) == 0;
}

/* A server of a shell's command, which ends with the test. */
static pid_t start_command(const char *command)
{
    pid_t pid = fork();
    if (pid != 0) return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* also when the test fails */
    execl("/bin/sh", "sh", "-c",
          pawl_arena_printf(&arena, "exec %s >/dev/null 2>&1 </dev/null", command), (char *)NULL);
    _exit(1);
}

static pid_t start_self_signed(int port)
{
    if (!make_certificate()) return -1;
    return start_command(pawl_arena_printf(
        &arena, "openssl s_server -quiet -www -accept 127.0.0.1:%d -key '%s/k' -cert '%s/c'", port,
        dir, dir));
}

static void test_a_certificate_that_nobody_vouches_for(void **unused)
{
    (void)unused;
    int port = 20000 + (int)(getpid() % 20000);
    pid_t pid = start_self_signed(port);
    if (pid < 0) skip();
    struct pawl_lm_reply reply = {0};
    for (int i = 0; i < 100 && (!reply.reason || strstr(reply.reason, "connect to")); i++) {
        usleep(50 * 1000);
        struct pawl_lm *lm =
            open_at("https", port, "openai", ",\"retries\":0,\"timeout_ms\":4000", NULL);
        reply = must_ask(lm, request_of("fine"));
        pawl_lm_close(lm);
    }
    assert_reason(&reply, PAWL_REPLY_MISSING, "certificate");
    /* With its certificate named it is spoken to: s_server answers a POST with a web page or none. */
    setenv("CURL_CA_BUNDLE", path_of("c"), 1);
    struct pawl_lm *lm =
        open_at("https", port, "openai", ",\"retries\":0,\"timeout_ms\":4000", NULL);
    reply = must_ask(lm, request_of("fine"));
    pawl_lm_close(lm);
    unsetenv("CURL_CA_BUNDLE");
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    if (strstr(reply.reason, "certificate")) fail_msg("%s", reply.reason);
}

/* --- HTTP/2 ----------------------------------------------------------------------------------- */

static pid_t proxy;

static bool is_listening(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool listens = connect(fd, (struct sockaddr *)&at, sizeof at) == 0;
    close(fd);
    return listens;
}

/* nghttpx in front of the server that misbehaves: HTTP/2 over TLS to us, HTTP/1.1 to it. Where it
 * breaks off an answer, the proxy resets the stream. */
static bool start_proxy(void)
{
    static int n_ports;
    if (system("command -v nghttpx >/dev/null 2>&1") != 0 || !make_certificate()) {
        fputs("SKIPPED: HTTP/2 wants nghttpx (Debian: nghttp2-proxy) and openssl\n", stderr);
        return false;
    }
    proxy_port = 21000 + (int)(getpid() % 19000) + n_ports++;
    proxy = start_command(pawl_arena_printf(
        &arena,
        "nghttpx --conf=/dev/null --single-process --no-ocsp --log-level=FATAL "
        "--frontend='127.0.0.1,%d' --backend='127.0.0.1,%d' --accesslog-file='%s/log' "
        "--accesslog-format='$alpn $remote_port $status' '%s/k' '%s/c'",
        proxy_port, server->port, dir, dir, dir));
    for (int i = 0; i < 200 && !is_listening(proxy_port); i++) usleep(20 * 1000);
    assert_true(is_listening(proxy_port));
    setenv("CURL_CA_BUNDLE", path_of("c"), 1);
    return true;
}

static void stop_proxy(void)
{
    kill(proxy, SIGKILL);
    waitpid(proxy, NULL, 0);
    proxy_port = 0;
    unsetenv("CURL_CA_BUNDLE");
}

/* How many requests the proxy had, all over HTTP/2, and by how many connections. */
static void read_log(int *n_requests, int *n_connections)
{
    enum { MANY = 64 };
    int ports[MANY];
    char *line = (char *)(uintptr_t)read_text("log"), *rest = NULL;
    *n_requests = *n_connections = 0;
    for (line = strtok_r(line, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        int port, known = 0;
        if (sscanf(line, "h2 %d", &port) != 1) fail_msg("not HTTP/2: %s", line);
        while (known < *n_connections && ports[known] != port) known++;
        if (known == *n_connections && known < MANY) ports[(*n_connections)++] = port;
        ++*n_requests;
    }
}

static void test_http2_requests_share_a_connection(void **unused)
{
    (void)unused;
    enum { MANY = 90 };
    struct pawl_lm_request requests[MANY];
    struct pawl_lm_reply replies[MANY];
    if (!start_proxy()) skip();
    struct pawl_lm *lm = open_model("openai", ",\"concurrency\":64", NULL);
    for (int i = 0; i < MANY; i++)
        requests[i] = request_of(pawl_arena_printf(&arena, "wait %d", i));
    server->most_inside = 0;
    for (int round = 0; round < 2; round++) {
        assert_int_equal(pawl_lm_ask(lm, &arena, requests, MANY, replies, NULL), PAWL_OK);
        for (int i = 0; i < MANY; i++)
            assert_text(&replies[i], pawl_arena_printf(&arena, "wait %d", i));
    }
    pawl_lm_close(lm);
    stop_proxy();
    int n_requests, n_connections;
    read_log(&n_requests, &n_connections);
    assert_int_equal(n_requests, 2 * MANY);
    assert_int_equal(n_connections, 1);
    assert_true(server->most_inside > 4); /* at the same time */
}

static void test_http2_cases_end_as_those_of_http1(void **state)
{
    if (!start_proxy()) skip();
    test_every_case_ends(state);
    test_tries_that_may_be_billed(state);
    stop_proxy();
    int n_requests, n_connections;
    read_log(&n_requests, &n_connections);
    assert_true(n_requests > 2 * N);
    assert_true(n_connections < 64);
}

static void test_http2_a_storm_settles(void **state)
{
    if (!start_proxy()) skip();
    test_a_storm_settles(state);
    stop_proxy();
}

static int n_awaited; /* requests of the server */

static void *kill_when_all_are_asked(void *unused)
{
    for (int i = 0; i < 500 && server->n_requests < n_awaited; i++) usleep(10 * 1000);
    kill(proxy, SIGKILL);
    return unused;
}

/* The connection of all goes down in the middle: each of them was lost, may be billed, and says so. */
static void test_http2_a_lost_connection(void **unused)
{
    (void)unused;
    enum { MANY = 8 };
    struct pawl_lm_request requests[MANY];
    struct pawl_lm_reply replies[MANY];
    pthread_t killer;
    if (!start_proxy()) skip();
    struct money money = {.lock = PTHREAD_MUTEX_INITIALIZER, .limit = INT64_MAX / 2};
    const struct pawl_lm_purse purse = {reserve, settle, &money};
    struct pawl_lm *lm =
        open_model("openai", ",\"timeout_ms\":20000,\"retries\":0,\"concurrency\":8", &purse);
    for (int i = 0; i < MANY; i++) requests[i] = request_of("slow");
    for (int i = 0; i < MANY; i++) requests[i].sample = i; /* none equals another */
    n_awaited = server->n_requests + MANY;
    int64_t worst = pawl_lm_worst_cost(lm, requests);
    assert_int_equal(pthread_create(&killer, NULL, kill_when_all_are_asked, NULL), 0);
    assert_int_equal(pawl_lm_ask(lm, &arena, requests, MANY, replies, NULL), PAWL_OK);
    pthread_join(killer, NULL);
    for (int i = 0; i < MANY; i++) {
        assert_reason(&replies[i], PAWL_REPLY_MISSING, "");
        assert_int_equal(replies[i].usage.cost_microusd, worst);
    }
    assert_int_equal(money.spent, MANY * worst);
    pawl_lm_close(lm);
    stop_proxy();
}

int main(void)
{
    pawl_clock_fix(1000000);
    alarm(280); /* a hang fails */
    setenv("PAWL_TEST_KEY", LM_SERVER_KEY, 1);
    setenv("no_proxy", "*", 1);
    server = lm_server_start();
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_every_case_ends),
        TEST(test_tries_that_may_be_billed),
        TEST(test_a_small_budget_is_never_overrun),
        TEST(test_a_hedge),
        TEST(test_a_storm_settles),
        TEST(test_models_of_a_host_share_its_budget),
        TEST(test_plain_text_where_tls_should_be),
        TEST(test_a_certificate_that_nobody_vouches_for),
        TEST(test_http2_requests_share_a_connection),
        TEST(test_http2_cases_end_as_those_of_http1),
        TEST(test_http2_a_storm_settles),
        TEST(test_http2_a_lost_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
