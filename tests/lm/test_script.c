/* The scripted model: what it sees, what it may answer, that it is deterministic and forgets. */
#include "base/clock.h"
#include "lm_fixture.h"

#include <pthread.h>

static struct pawl_lm_reply answer_of(const char *source)
{
    struct pawl_lm *lm = open_script(source);
    struct pawl_lm_reply reply = must_ask(lm, request_of("hello"));
    pawl_lm_close(lm);
    return reply;
}

static void test_sees_the_whole_request(void **unused)
{
    (void)unused;
    struct pawl_lm *lm = open_script(
        "function complete(r)\n"
        "  local s = {}\n"
        "  for i, m in ipairs(r.messages) do s[i] = m.role .. '=' .. m.content end\n"
        "  return table.concat(s, ';') .. ' ' .. r.role .. ' ' .. r.model .. ' ' .. r.max_tokens "
        "..\n"
        "    ' ' .. r.temperature .. ' ' .. r.seed .. ' ' .. r.sample .. ' ' .. r.top_p ..\n"
        "    ' ' .. table.concat(r.choices, '|') .. ' ' .. table.concat(r.stops, '|')\n"
        "end");
    struct pawl_message messages[] = {{"system", PAWL_STR("be brief")}, {"user", PAWL_STR("hi")}};
    struct pawl_str choices[] = {PAWL_STR("yes"), PAWL_STR("no")}, stops[] = {PAWL_STR("###")};
    struct pawl_lm_request r = {.role = PAWL_ROLE_JUDGE,
                                .messages = messages,
                                .n_messages = 2,
                                .choices = choices,
                                .n_choices = 2,
                                .stops = stops,
                                .n_stops = 1,
                                .max_tokens = 9,
                                .temperature = 0.5,
                                .top_p = 0.25,
                                .seed = 42,
                                .sample = 3};
    struct pawl_lm_reply reply = must_ask(lm, r);
    assert_text(&reply, "system=be brief;user=hi judge m 9 0.5 42 3 0.25 yes|no ###");
    pawl_lm_close(lm);
}

static void test_answers(void **unused)
{
    (void)unused;
    struct pawl_lm_reply reply = answer_of("function complete(r) return 'abcdefghi' end");
    assert_text(&reply, "abcdefghi");
    assert_int_equal(reply.usage.prompt_tokens, 2); /* 5 bytes */
    assert_int_equal(reply.usage.completion_tokens, 3);
    assert_int_equal(reply.usage.n_requests, 1);
    assert_int_equal(reply.usage.n_cached, 0);

    reply = answer_of("function complete(r) return {text = 'x', prompt_tokens = 11,\n"
                      "completion_tokens = 22, truncated = true} end");
    assert_text(&reply, "x");
    assert_int_equal(reply.usage.prompt_tokens, 11);
    assert_int_equal(reply.usage.completion_tokens, 22);
    assert_true(reply.truncated);

    reply = answer_of("function complete(r) return '' end");
    assert_text(&reply, "");
    reply = answer_of("function complete(r) return 17 end");
    assert_text(&reply, "17");
    reply = answer_of("function complete(r) return 'a\\0b\\xff' end");
    assert_text(&reply, "a\xEF\xBF\xBD"
                        "b\xEF\xBF\xBD");
}

static void test_errors_are_replies(void **unused)
{
    (void)unused;
    static const struct {
        const char *body;
        enum pawl_reply_status status;
        const char *part;
    } cases[] = {
        {"return {error = 'missing'}", PAWL_REPLY_MISSING, "missing"},
        {"return {error = 'missing: 429'}", PAWL_REPLY_MISSING, "429"},
        {"return {error = 'failed'}", PAWL_REPLY_FAILED, "failed"},
        {"return {error = 'too long'}", PAWL_REPLY_FAILED, "too long"},
        {"return {error = {kind = 'missing', text = 'gone'}}", PAWL_REPLY_MISSING, "gone"},
        {"return {error = {kind = 'failed', text = 'bad'}}", PAWL_REPLY_FAILED, "bad"},
        {"return {error = {}}", PAWL_REPLY_FAILED, "failed"},
        {"return {error = true}", PAWL_REPLY_FAILED, "failed"},
        {"return nil", PAWL_REPLY_FAILED, "not a nil"},
        {"return true", PAWL_REPLY_FAILED, "not a boolean"},
        {"return {}", PAWL_REPLY_FAILED, "without a text"},
        {"return {text = {}}", PAWL_REPLY_FAILED, "without a text"},
        {"return {text = 'x', choice_logprobs = {-1}}", PAWL_REPLY_FAILED, "choice_logprobs"},
        {"error('boom')", PAWL_REPLY_FAILED, "m.lua:1: boom"},
        {"error({})", PAWL_REPLY_FAILED, "without a message"},
        {"error('\\xff\\n\\0')", PAWL_REPLY_FAILED, "\xEF\xBF\xBD"},
        {"return r.nothing.here", PAWL_REPLY_FAILED, "index"},
        {"while true do end", PAWL_REPLY_FAILED, "too many instructions"},
        {"return ('x'):rep(1 << 40)", PAWL_REPLY_FAILED, "not enough memory"},
        {"return ('x'):rep(10 << 20)", PAWL_REPLY_FAILED, "over 4 MiB"},
        {"return setmetatable({}, {__index = function() while true do end end})", PAWL_REPLY_FAILED,
         "too many instructions"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pawl_lm_reply reply =
            answer_of(pawl_arena_printf(&arena, "function complete(r) %s end", cases[i].body));
        assert_reason(&reply, cases[i].status, cases[i].part);
        assert_true(pawl_utf8_is_valid(pawl_str_of(reply.reason), NULL));
    }
}

static void test_nothing_leaks_between_requests(void **unused)
{
    (void)unused;
    struct pawl_lm *lm = open_script("local n, kept = 0, {}\n"
                                     "function complete(r)\n"
                                     "  n = n + 1 total = (total or 0) + 1\n"
                                     "  local ok = pcall(function() kept[#kept + 1] = n end)\n"
                                     "  return n .. total .. #kept .. tostring(ok)\n"
                                     "end");
    for (int i = 0; i < 5; i++) {
        struct pawl_lm_reply reply = must_ask(lm, request_of("x"));
        assert_text(&reply, "110false");
    }
    pawl_lm_close(lm);
}

/* --- random(request) -------------------------------------------------------------------------- */

static const char draws[] =
    "function complete(r) return string.format('%.17g %.17g', random(r), random(r, 'b')) end";

static const char *draw(uint64_t seed, const char *name, struct pawl_lm_request request)
{
    write_text("m.lua", draws);
    struct pawl_lm *lm = must_open(
        (struct pawl_lm_settings){.seed = seed},
        pawl_arena_printf(&arena, "{\"%s\":{\"backend\":\"script\",\"file\":\"m.lua\"}}", name));
    struct pawl_lm_reply reply = must_ask(lm, request);
    pawl_lm_close(lm);
    assert_int_equal(reply.status, PAWL_REPLY_OK);
    return reply.text.ptr;
}

static void test_random_depends_on_request_and_seed_alone(void **unused)
{
    (void)unused;
    struct pawl_lm_request r = request_of("a");
    const char *first = draw(1, "m", r);
    assert_string_equal(first, draw(1, "m", r));
    double x, y;
    assert_int_equal(sscanf(first, "%lf %lf", &x, &y), 2);
    assert_true(x >= 0 && x < 1 && y >= 0 && y < 1 && x != y);

    assert_string_not_equal(first, draw(2, "m", r));
    assert_string_not_equal(first, draw(1, "other", r));
    assert_string_not_equal(first, draw(1, "m", request_of("b")));
    r.sample = 1;
    assert_string_not_equal(first, draw(1, "m", r));
    r.sample = 0;
    r.role = PAWL_ROLE_REFLECT;
    assert_string_not_equal(first, draw(1, "m", r));
    r.role = PAWL_ROLE_TASK;
    r.n_shared = 1; /* a hint, not part of the request */
    assert_string_equal(first, draw(1, "m", r));
    struct pawl_str choice = PAWL_STR("yes");
    r.choices = &choice, r.n_choices = 1;
    const char *chosen = draw(1, "m", r);
    r.best_only = true; /* saves a script no work, so it is none of its business */
    assert_string_equal(chosen, draw(1, "m", r));
}

static void test_random_is_uniform(void **unused)
{
    (void)unused;
    struct pawl_lm *lm = open_script("function complete(r) return tostring(random(r)) end");
    int in_bin[10] = {0};
    for (int i = 0; i < 5000; i++) {
        struct pawl_lm_request r = request_of("x");
        r.sample = i;
        in_bin[(int)(10 * atof(must_ask(lm, r).text.ptr))]++;
    }
    for (int i = 0; i < 10; i++) assert_in_range(in_bin[i], 400, 600); /* 4.7 standard deviations */
    pawl_lm_close(lm);
}

/* The same everywhere and for ever: recorded runs depend on it. */
static void test_random_is_pinned(void **unused)
{
    (void)unused;
    assert_string_equal(draw(1, "m", request_of("a")), "0.8007572559242675 0.34357244250065377");
}

/* --- threads, time, batches ------------------------------------------------------------------- */

static void *ask_many(void *lm)
{
    struct pawl_arena mine = {0};
    for (int i = 0; i < 300; i++) {
        char prompt[16];
        snprintf(prompt, sizeof prompt, "%d", i);
        struct pawl_message message = {"user", pawl_str_of(prompt)};
        struct pawl_lm_request r = {.messages = &message, .n_messages = 1, .max_tokens = 1};
        struct pawl_lm_reply reply;
        struct pawl_error err;
        if (pawl_lm_ask(lm, &mine, &r, 1, &reply, &err) != PAWL_OK) return lm;
        if (reply.status != PAWL_REPLY_OK || atoi(reply.text.ptr) != 2 * i) return lm;
        pawl_arena_reset(&mine);
    }
    pawl_arena_release(&mine);
    return NULL;
}

static void test_many_threads(void **unused)
{
    (void)unused;
    struct pawl_lm *lm = open_script("local two = 2\n"
                                     "function complete(r) local n = two two = 5\n"
                                     "return tostring(n * r.messages[1].content // 1 | 0) end");
    pthread_t threads[8];
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_many, lm), 0);
    for (size_t i = 0; i < 8; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
    pawl_lm_close(lm);
}

static void test_delay_moves_the_virtual_clock(void **unused)
{
    (void)unused;
    struct pawl_lm *lm = open_script(
        "function complete(r) return {text = 'x', delay_ms = 1000 * #r.messages[1].content} end");
    struct pawl_lm_request requests[] = {request_of("abc"), request_of("a")};
    struct pawl_lm_reply replies[2];
    int64_t start_ms = pawl_clock_now_ms();
    assert_int_equal(pawl_lm_ask(lm, &arena, requests, 2, replies, NULL), PAWL_OK);
    assert_int_equal(pawl_clock_now_ms() - start_ms, 3000); /* a batch waits together */
    assert_int_equal(replies[0].usage.latency_us, 3000000);
    assert_int_equal(replies[1].usage.latency_us, 1000000);
    pawl_lm_close(lm);
}

static void test_prices(void **unused)
{
    (void)unused;
    write_text("m.lua", "function complete(r) return {text = 'x', prompt_tokens = 100,\n"
                        "completion_tokens = 10} end");
    struct pawl_lm *lm =
        must_open((struct pawl_lm_settings){0},
                  "{\"m\":{\"backend\":\"script\",\"file\":\"m.lua\",\"price_prompt\":2.5,"
                  "\"price_completion\":10}}");
    struct pawl_lm_request r = request_of("12345678");
    assert_int_equal(pawl_lm_worst_cost(lm, &r), 100 + 640); /* 8 bytes + 2 * 16 tokens; 64 */
    assert_int_equal(must_ask(lm, r).usage.cost_microusd, 250 + 100);
    pawl_lm_close(lm);
    lm = open_script("function complete(r) return 'x' end");
    assert_int_equal(pawl_lm_worst_cost(lm, &r), -1);
    assert_int_equal(must_ask(lm, r).usage.cost_microusd, 0);
    pawl_lm_close(lm);
}

int main(void)
{
    pawl_clock_fix(1000000);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sees_the_whole_request, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_errors_are_replies, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_leaks_between_requests, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_random_depends_on_request_and_seed_alone, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_random_is_uniform, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_random_is_pinned, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_threads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_delay_moves_the_virtual_clock, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_prices, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
