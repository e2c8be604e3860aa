/*
 * The openai backend against a server that misbehaves (support/lm_server.h). A key is set throughout,
 * and must turn up in nothing that comes back.
 */
#include "base/clock.h"
#include "lm/openai_wire.h"
#include "lm_fixture.h"
#include "store/store.h"
#include "support/lm_server.h"

#include <pthread.h>

#define KEY LM_SERVER_KEY

static struct lm_server *server;

/* --- asking it -------------------------------------------------------------------------------- */

static const char *models_of(const char *options)
{
    return pawl_arena_printf(
        &arena,
        "{\"m\":{\"backend\":\"openai\",\"model\":\"tiny\","
        "\"base_url\":\"http://127.0.0.1:%d/v1/\",\"key_env\":\"PAWL_TEST_KEY\""
        "%s}}",
        server->port, options);
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
    assert_int_equal(reply.usage.reasoning_tokens, 2); /* paid as part of the completion */
    assert_int_equal(reply.usage.cost_microusd, 8 * 10 + 4 * 1 + 3 * 100);
    pthread_mutex_lock(&server->lock);
    assert_non_null(strstr(server->last_head, "\r\nAuthorization: Bearer " KEY));
    json_t *body = json_of(server->last_body);
    pthread_mutex_unlock(&server->lock);
    assert_int_equal(json_object_size(body), 8);
    assert_string_equal(pawl_json_get_text(body, "model", ""), "tiny");
    assert_int_equal(pawl_json_get_int(body, "max_tokens", 0), 64);
    assert_int_equal(pawl_json_get_int(body, "n", 0), 1);
    assert_string_equal(json_string_value(json_array_get(json_object_get(body, "stop"), 0)), "END");
    json_decref(body);
    const char *identity;
    assert_int_equal(pawl_lm_identity(lm, PAWL_ROLE_TASK, &identity, NULL), PAWL_OK);
    assert_string_equal(identity,
                        pawl_arena_printf(&arena, "openai:127.0.0.1:%d/v1/tiny", server->port));
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
    assert_int_equal(reply.usage.prompt_tokens, 2); /* a negative count is none */
    assert_int_equal(reply.usage.cached_tokens, 2);
    assert_int_equal(reply.usage.completion_tokens, 1);
    reply = ask(",\"price_prompt\":1,\"price_completion\":1", "null");
    assert_int_equal(reply.usage.cost_microusd, 4 + 32 + 64); /* uncounted: the worst */
    reply = ask(",\"price_prompt\":1,\"price_completion\":1", "free");
    assert_int_equal(reply.usage.cost_microusd, 4 + 32 + 64); /* nothing is free */
    reply = ask(",\"price_prompt\":1,\"price_completion\":1", "less");
    assert_int_equal(reply.usage.cost_microusd, 4 + 32 + 64);
}

static void test_the_candidates_fault(void **unused)
{
    (void)unused;
    struct pawl_lm_reply reply = ask("", "400");
    assert_reason(&reply, PAWL_REPLY_FAILED, "400: bad  key ****");
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
        {"500", "500: oops", 4},          {"storm", "429: slow down", 4},
        {"529", "529: Overloaded", 4},    {"error", "upstream is busy", 4},
        {"page", "is base_url right", 4}, {"half", "", 4},
        {"json", "not a completion", 4},  {"shape", "not a completion", 4},
        {"none", "not a completion", 4},  {"302", "302", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int before = server->n_requests;
        struct pawl_lm_reply reply = ask(",\"retries\":3", cases[i].prompt);
        assert_reason(&reply, PAWL_REPLY_MISSING, cases[i].part);
        assert_int_equal(server->n_requests - before, cases[i].n_requests);
        assert_int_equal(reply.usage.cost_microusd, 0);
    }
    struct pawl_lm_reply reply = ask(",\"retries\":0,\"timeout_ms\":100", "slow");
    assert_reason(&reply, PAWL_REPLY_MISSING, "");
}

/* No request will do better: the run stops, and says what to change. */
static void test_a_wrong_place(void **unused)
{
    (void)unused;
    static const struct {
        const char *base_url, *model, *message, *hint;
    } cases[] = {
        {"", "tine", "has no model \"tine\"", "Did you mean tiny"},
        {"", "gpt-x", "has no model \"gpt-x\"", "It has: tiny, other."},
        {"/v2", "tiny", "no chat API at http://127.0.0.1", "base_url"},
        {"/v1/completions/", "tiny", "a web page", "base_url"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pawl_lm *lm =
            must_open((struct pawl_lm_settings){0},
                      pawl_arena_printf(&arena,
                                        "{\"m\":{\"backend\":\"openai\",\"model\":\"%s\","
                                        "\"base_url\":\"http://127.0.0.1:%d%s\"}}",
                                        cases[i].model, server->port, cases[i].base_url));
        struct pawl_lm_request r = request_of("404");
        struct pawl_lm_reply reply;
        struct pawl_error err = {0};
        assert_int_equal(pawl_lm_ask(lm, &arena, &r, 1, &reply, &err), PAWL_EWORLD);
        if (!strstr(err.message, cases[i].message)) fail_msg("%s", err.message);
        if (!strstr(err.hint, cases[i].hint)) fail_msg("%s", err.hint);
        pawl_lm_close(lm);
    }
}

/* With or without /v1 and slashes; from the environment when there is none. */
static void test_where_the_api_begins(void **unused)
{
    (void)unused;
    static const char *const ways[] = {"", "/", "/v1", "/v1//", "/v1/chat/completions"};
    const char *place = pawl_arena_printf(&arena, "http://127.0.0.1:%d", server->port);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct pawl_lm *lm =
            must_open((struct pawl_lm_settings){0},
                      pawl_arena_printf(&arena,
                                        "{\"m\":{\"backend\":\"openai\",\"model\":\"tiny\","
                                        "\"base_url\":\"%s%s\"}}",
                                        place, ways[i]));
        struct pawl_lm_reply reply = must_ask(lm, request_of("fine"));
        assert_text(&reply, "yes");
        pawl_lm_close(lm);
    }
    static const char *const variables[] = {"OPENAI_BASE_URL", "PAWL_LM_URL"};
    setenv("OPENAI_BASE_URL", "http://127.0.0.1:1", 1);
    for (size_t i = 2; i-- > 0;) { /* PAWL_LM_URL comes first */
        setenv(variables[i], place, 1);
        struct pawl_lm *lm = must_open((struct pawl_lm_settings){0},
                                       "{\"m\":{\"backend\":\"openai\",\"model\":\"tiny\"}}");
        struct pawl_lm_reply reply = must_ask(lm, request_of("fine"));
        assert_text(&reply, "yes");
        pawl_lm_close(lm);
        unsetenv(variables[i]);
    }
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
    int64_t waited_ms = pawl_clock_now_ms() - start_ms; /* twice Retry-After: 1 */
    assert_true(waited_ms >= 2000 && waited_ms < 8000);
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
    server->most_inside = 0;
    assert_int_equal(pawl_lm_ask(lm, &arena, requests, 20, replies, NULL), PAWL_OK);
    for (int i = 0; i < 20; i++)
        assert_text(&replies[i], pawl_arena_printf(&arena, "wait %d", i)); /* in order */
    assert_in_range(server->most_inside, 1, 3);
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
        int before = server->n_requests;
        assert_int_equal(pawl_lm_ask(lm, &arena, requests, 5, replies, NULL), PAWL_OK);
        /* Equal requests are asked once; only answers are kept. */
        assert_int_equal(server->n_requests - before, round == 0 ? 4 : 2);
        assert_text(&replies[0], "yes");
        assert_text(&replies[2], "yes");
        assert_int_equal(replies[1].status, PAWL_REPLY_MISSING);
        assert_int_equal(replies[3].status, PAWL_REPLY_FAILED);
        assert_int_equal(replies[0].usage.n_cached, round);
        assert_int_equal(replies[2].usage.n_cached, 1);
        assert_int_equal(replies[0].usage.prompt_tokens, 12);
        assert_int_equal(replies[0].usage.cost_microusd, 12 * 10 + 3 * 100);
        requests[0].sample = 1; /* another sample is another request */
        before = server->n_requests;
        assert_int_equal(pawl_lm_ask(lm, &arena, requests, 1, replies, NULL), PAWL_OK);
        assert_int_equal(server->n_requests - before, 1 - round);
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
    int before = server->n_requests;
    struct pawl_lm_reply reply = must_ask(lm, request_of("fine"));
    assert_text(&reply, "yes");
    struct pawl_lm_request other = request_of("echo");
    assert_int_equal(pawl_lm_ask(lm, &arena, &other, 1, &reply, NULL), PAWL_EBUDGET);
    assert_int_equal(server->n_requests, before);
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
        server->port);
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
    server = lm_server_start();
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_good_answer),
        TEST(test_the_body),
        TEST(test_odd_answers),
        TEST(test_the_candidates_fault),
        TEST(test_the_worlds_fault),
        TEST(test_a_wrong_place),
        TEST(test_where_the_api_begins),
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
