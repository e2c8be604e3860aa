/* Anthropic's messages: what is sent, what is read, what is paid. */
#include "base/clock.h"
#include "lm/anthropic_wire.h"
#include "lm_fixture.h"
#include "support/lm_server.h"

static struct lm_server *server;

static struct pawl_lm *open_anthropic(const char *options)
{
    return must_open((struct pawl_lm_settings){.seed = 1},
                     pawl_arena_printf(&arena,
                                       "{\"m\":{\"backend\":\"anthropic\",\"model\":\"tiny\","
                                       "\"base_url\":\"http://127.0.0.1:%d\","
                                       "\"key_env\":\"PAWL_TEST_KEY\"%s}}",
                                       server->port, options));
}

static struct pawl_lm_reply ask(const char *options, const char *prompt)
{
    struct pawl_lm *lm = open_anthropic(options);
    struct pawl_lm_reply reply = must_ask(lm, request_of(prompt));
    if (reply.reason) assert_null(strstr(reply.reason, LM_SERVER_KEY));
    pawl_lm_close(lm);
    return reply;
}

static void test_a_good_answer(void **unused)
{
    (void)unused;
    struct pawl_lm *lm = open_anthropic(",\"price_prompt\":10,\"price_completion\":100,"
                                        "\"price_cached\":1,\"price_cache_write\":20");
    struct pawl_lm_reply reply = must_ask(lm, request_of("fine"));
    assert_text(&reply, "yes"); /* the thinking is not part of it */
    assert_int_equal(reply.usage.prompt_tokens, 12);
    assert_int_equal(reply.usage.cached_tokens, 4);
    assert_int_equal(reply.usage.completion_tokens, 3);
    assert_int_equal(reply.usage.cost_microusd, 6 * 10 + 4 * 1 + 2 * 20 + 3 * 100);
    pthread_mutex_lock(&server->lock);
    assert_non_null(strstr(server->last_head, "POST /v1/messages "));
    assert_non_null(strstr(server->last_head, "\r\nx-api-key: " LM_SERVER_KEY));
    assert_non_null(strstr(server->last_head, "\r\nanthropic-version: 2023-06-01"));
    assert_null(strstr(server->last_head, "Authorization"));
    pthread_mutex_unlock(&server->lock);
    const char *identity;
    assert_int_equal(pawl_lm_identity(lm, PAWL_ROLE_TASK, &identity, NULL), PAWL_OK);
    assert_string_equal(identity,
                        pawl_arena_printf(&arena, "anthropic:127.0.0.1:%d/v1/tiny", server->port));
    pawl_lm_close(lm);
}

static void test_the_body(void **unused)
{
    (void)unused;
    const struct pawl_message messages[] = {{"system", PAWL_STR("Be brief.")},
                                            {"user", PAWL_STR("1?")},
                                            {"assistant", PAWL_STR("2")},
                                            {"system", PAWL_STR("Be kind.")},
                                            {"user", PAWL_STR("3?")}};
    const struct pawl_str stop = PAWL_STR("END");
    const struct pawl_lm_request r = {.messages = messages,
                                      .n_messages = 5,
                                      .stops = &stop,
                                      .n_stops = 1,
                                      .max_tokens = 64,
                                      .temperature = 1.5};
    struct pawl_anthropic_style style = {.model = "tiny", .send_sampling = true};
    struct pawl_buf out = PAWL_BUF(1 << 12);
    pawl_anthropic_write(&style, &r, &out);
    assert_string_equal(out.data,
                        "{\"max_tokens\":64,\"messages\":[{\"content\":\"1?\",\"role\":\"user\"},"
                        "{\"content\":\"2\",\"role\":\"assistant\"},"
                        "{\"content\":\"3?\",\"role\":\"user\"}],\"model\":\"tiny\","
                        "\"stop_sequences\":[\"END\"],\"system\":\"Be brief.\\n\\nBe kind.\","
                        "\"temperature\":1}");
    style.send_sampling = false;
    pawl_buf_reset(&out);
    pawl_anthropic_write(&style, &r, &out);
    assert_null(strstr(out.data, "temperature"));
    pawl_buf_release(&out);
}

static void test_other_answers(void **unused)
{
    (void)unused;
    struct pawl_lm_reply reply = ask("", "empty");
    assert_text(&reply, "");
    assert_true(reply.truncated);
    reply = ask("", "refuse");
    assert_reason(&reply, PAWL_REPLY_FAILED, "refused");
    reply = ask("", "400");
    assert_reason(&reply, PAWL_REPLY_FAILED, "400: bad");
    int before = server->n_requests;
    reply = ask(",\"retries\":2", "529"); /* overloaded is asked again */
    assert_reason(&reply, PAWL_REPLY_MISSING, "529: Overloaded");
    assert_int_equal(server->n_requests - before, 3);
    reply = ask(",\"retries\":1", "shape");
    assert_reason(&reply, PAWL_REPLY_MISSING, "not a completion");
    reply = ask("", "utf8");
    assert_text(&reply, "a\xEF\xBF\xBD\xEF\xBF\xBDz");
}

static void test_errors_that_stop(void **unused)
{
    (void)unused;
    static const char *const prompts[] = {"401", "404"};
    for (int i = 0; i < 2; i++) {
        struct pawl_lm *lm = open_anthropic("");
        struct pawl_lm_request r = request_of(prompts[i]);
        struct pawl_lm_reply reply;
        struct pawl_error err = {0};
        assert_int_equal(pawl_lm_ask(lm, &arena, &r, 1, &reply, &err), PAWL_EWORLD);
        assert_null(strstr(err.message, LM_SERVER_KEY));
        pawl_lm_close(lm);
    }
}

int main(void)
{
    pawl_clock_fix(1000000);
    setenv("PAWL_TEST_KEY", LM_SERVER_KEY, 1);
    unsetenv("http_proxy");
    server = lm_server_start();
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_good_answer),
        TEST(test_the_body),
        TEST(test_other_answers),
        TEST(test_errors_that_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
