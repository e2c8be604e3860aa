/* What every backend owes; configuration and its errors; recordings; money under concurrency. */
#include "base/clock.h"
#include "lm/backend.h"
#include "lm/request.h"
#include "lm_fixture.h"

#include <pthread.h>

static const char echo[] = "function complete(r) if r.messages[1].content == 'gone' then\n"
                           "return {error = 'missing: gone'} end\n"
                           "return r.messages[1].content .. '!' .. random(r) end";
static const char one_script[] = "{\"m\":{\"backend\":\"script\",\"file\":\"m.lua\"}}";

/* --- the contract of a backend, over all that are registered ---------------------------------- */

static void test_every_table_is_whole(void **unused)
{
    (void)unused;
    for (size_t i = 0; pawl_lm_backends[i]; i++) {
        const struct pawl_lm_backend *b = pawl_lm_backends[i];
        assert_int_equal(b->api, PAWL_LM_BACKEND_API);
        assert_non_null(b->name);
        assert_non_null(b->summary);
        assert_non_null(b->options);
        assert_true(b->options_bytes > 0);
        assert_true(b->open && b->close && b->identity && b->ask);
        for (size_t k = 0; k < i; k++) assert_string_not_equal(b->name, pawl_lm_backends[k]->name);
        for (const struct pawl_option *o = b->options; o->name; o++) assert_non_null(o->help);
    }
    json_t *described = pawl_lm_describe();
    for (size_t i = 0; pawl_lm_backends[i]; i++) {
        const json_t *one = json_object_get(described, pawl_lm_backends[i]->name);
        assert_true(json_array_size(json_object_get(one, "options")) > 0);
    }
    json_decref(described);
}

static void test_every_backend_refuses_an_unknown_option(void **unused)
{
    (void)unused;
    for (size_t i = 0; pawl_lm_backends[i]; i++) {
        struct pawl_lm *lm;
        struct pawl_error err = {0};
        const char *models = pawl_arena_printf(
            &arena, "{\"m\":{\"backend\":\"%s\",\"no_such_option\":1}}", pawl_lm_backends[i]->name);
        assert_int_equal(open_lm((struct pawl_lm_settings){0}, models, NULL, &lm, &err),
                         PAWL_ECONFIG);
        assert_string_equal(err.field, "models.m.no_such_option");
    }
}

/* The backends that answer here without a network or weights, as {backend, ...options}. */
static struct pawl_lm *open_local(size_t i)
{
    static const char *const models[] = {
        one_script,
        "{\"m\":{\"backend\":\"replay\",\"file\":\"tape.jsonl\",\"mode\":\"record\",\"of\":\"s\"},"
        "\"s\":{\"backend\":\"script\",\"file\":\"m.lua\"}}",
    };
    struct pawl_lm *lm;
    struct pawl_error err = {0};
    write_text("m.lua", echo);
    if (open_lm((struct pawl_lm_settings){.seed = 3}, models[i], "{\"task\":\"m\"}", &lm, &err) !=
        PAWL_OK)
        fail_msg("%s", err.message);
    return lm;
}

static void test_local_backends_keep_the_contract(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < 2; i++) {
        struct pawl_lm *lm = open_local(i);
        assert_int_equal(pawl_lm_ask(lm, &arena, NULL, 0, NULL, NULL), PAWL_OK);
        struct pawl_lm_request requests[] = {request_of("a"), request_of("b"), request_of("a")};
        struct pawl_lm_reply replies[3];
        assert_int_equal(pawl_lm_ask(lm, &arena, requests, 3, replies, NULL), PAWL_OK);
        assert_text(&replies[2], replies[0].text.ptr);
        assert_true(pawl_str_starts(replies[1].text, "b!"));
        struct pawl_lm_reply again = must_ask(lm, request_of("b"));
        assert_text(&again, replies[1].text.ptr);
        const char *identity;
        assert_int_equal(pawl_lm_identity(lm, PAWL_ROLE_TASK, &identity, NULL), PAWL_OK);
        assert_true(strlen(identity) > 0);
        assert_true(pawl_lm_parallel(lm, PAWL_ROLE_TASK) >= 1);

        struct pawl_lm_request long_request = request_of("x");
        char *prompt = pawl_arena_alloc(&arena, PAWL_PROMPT_MAX + 2, 1);
        memset(prompt, 'x', PAWL_PROMPT_MAX + 1);
        ((struct pawl_message *)(uintptr_t)long_request.messages)->content =
            (struct pawl_str){prompt, PAWL_PROMPT_MAX + 1};
        struct pawl_lm_reply refused = must_ask(lm, long_request);
        assert_reason(&refused, PAWL_REPLY_FAILED, "over 16 MiB");

        pawl_lm_cancel(lm);
        assert_int_equal(pawl_lm_ask(lm, &arena, requests, 1, replies, NULL), PAWL_EPAUSED);
        pawl_lm_close(lm);
    }
}

/* --- configuration ---------------------------------------------------------------------------- */

static void test_configuration_errors(void **unused)
{
    (void)unused;
    static const struct {
        const char *models, *roles, *field, *message, *hint;
    } cases[] = {
        {"{\"m\":{\"backend\":\"scirpt\"}}", NULL, "models.m.backend", "scirpt", "script"},
        {"{\"m\":{\"file\":\"m.lua\"}}", NULL, "models.m.backend", "missing", "script"},
        {"{\"m\":7}", NULL, "models.m", "map", "backend"},
        {"[]", NULL, "models", "map", "backend"},
        {"{\"m\":{\"backend\":\"script\"}}", NULL, "models.m.file", "file", ""},
        {"{\"m\":{\"backend\":\"script\",\"flie\":\"m.lua\"}}", NULL, "models.m.flie", "", "file"},
        {"{\"m\":{\"backend\":\"script\",\"file\":\"none.lua\"}}", NULL, "models.m.file",
         "none.lua", ""},
        {"{\"m\":{\"backend\":\"script\",\"file\":\"bad.lua\"}}", NULL, "models.m.file", "near",
         "complete()"},
        {one_script, "{\"tsak\":\"m\"}", "roles.tsak", "tsak", "task"},
        {one_script, "{\"task\":\"n\"}", "roles.task", "model \"n\"", "m"},
        {one_script, "{\"task\":7}", "roles.task", "missing", "m"},
        {one_script, "[]", "roles", "map", ""},
        {"{\"a\":{\"backend\":\"script\",\"file\":\"m.lua\"},"
         "\"b\":{\"backend\":\"script\",\"file\":\"m.lua\"}}",
         NULL, "roles.task", "2 models", "task:"},
        {"{\"m\":{\"backend\":\"replay\",\"file\":\"none.jsonl\"}}", NULL, "models.m.file",
         "no recording", "record"},
        {"{\"m\":{\"backend\":\"replay\",\"file\":\"t.jsonl\",\"mode\":\"record\"}}", NULL,
         "models.m.of", "needs the name", "another model"},
        {"{\"m\":{\"backend\":\"replay\",\"file\":\"t.jsonl\",\"mode\":\"record\",\"of\":\"m\"}}",
         NULL, "models.m.of", "can be recorded", "another model"},
        {"{\"m\":{\"backend\":\"openai\",\"model\":\"x\",\"base_url\":\"https://k:secret@h/v1\"}}",
         NULL, "models.m.base_url", "without", "key_env"},
        {"{\"m\":{\"backend\":\"openai\",\"model\":\"x\",\"base_url\":\"ftp://h\"}}", NULL,
         "models.m.base_url", "http", ""},
        {"{\"m\":{\"backend\":\"openai\",\"model\":\"x\",\"retries\":99}}", NULL,
         "models.m.retries", "20", ""},
    };
    write_text("m.lua", echo);
    write_text("bad.lua", "function complete(");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pawl_lm *lm;
        struct pawl_error err = {0};
        enum pawl_status status =
            open_lm((struct pawl_lm_settings){0}, cases[i].models, cases[i].roles, &lm, &err);
        if (status == PAWL_OK || strcmp(err.field, cases[i].field) != 0 ||
            !strstr(err.message, cases[i].message) || !strstr(err.hint, cases[i].hint) ||
            strstr(err.message, "secret") || strstr(err.hint, "secret"))
            fail_msg("case %zu: %d %s: %s (%s)", i, (int)status, err.field, err.message, err.hint);
    }
}

static void test_roles(void **unused)
{
    (void)unused;
    write_text("a.lua", "function complete(r) return 'a ' .. r.role end");
    write_text("b.lua", "function complete(r) return 'b ' .. r.role end");
    struct pawl_lm *lm;
    assert_int_equal(open_lm((struct pawl_lm_settings){0},
                             "{\"a\":{\"backend\":\"script\",\"file\":\"a.lua\"},"
                             "\"b\":{\"backend\":\"script\",\"file\":\"b.lua\"}}",
                             "{\"task\":\"a\",\"judge\":\"b\"}", &lm, NULL),
                     PAWL_OK);
    struct pawl_lm_request requests[] = {request_of("x"), request_of("x"), request_of("x")};
    requests[1].role = PAWL_ROLE_JUDGE;
    requests[2].role = PAWL_ROLE_REFLECT;
    struct pawl_lm_reply replies[3];
    assert_int_equal(pawl_lm_ask(lm, &arena, requests, 3, replies, NULL), PAWL_OK);
    assert_text(&replies[0], "a task");
    assert_text(&replies[1], "b judge");
    assert_text(&replies[2], "a reflect");
    pawl_lm_close(lm);

    assert_int_equal(open_lm((struct pawl_lm_settings){0}, "{}", NULL, &lm, NULL), PAWL_OK);
    struct pawl_error err;
    assert_int_equal(pawl_lm_ask(lm, &arena, requests, 1, replies, &err), PAWL_ECONFIG);
    pawl_lm_close(lm);
}

static void test_all_scripted(void **unused)
{
    (void)unused;
    static const struct {
        const char *models;
        bool scripted;
    } cases[] = {{one_script, true},
                 {"{}", false},
                 {"{\"a\":{\"backend\":\"script\"},\"b\":{\"backend\":\"openai\"}}", false},
                 {"{\"a\":{\"backend\":\"script\"},\"b\":{\"backend\":\"replay\"}}", true},
                 {"{\"a\":7}", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *models = json_of(cases[i].models);
        struct pawl_lm_settings settings = {.models = models};
        assert_int_equal(pawl_lm_all_scripted(&settings), cases[i].scripted);
        json_decref(models);
    }
}

/* --- keys ------------------------------------------------------------------------------------- */

static void test_every_field_changes_the_key(void **unused)
{
    (void)unused;
    struct pawl_str yes = PAWL_STR("yes"), end = PAWL_STR("end");
    struct pawl_lm_request base = request_of("a"), r[12];
    for (size_t i = 0; i < 12; i++) r[i] = base;
    struct pawl_message system = {"system", PAWL_STR("a")};
    r[1].role = PAWL_ROLE_JUDGE;
    r[2].messages = &system;
    r[3] = request_of("b");
    r[4].choices = &yes, r[4].n_choices = 1;
    r[5].stops = &end, r[5].n_stops = 1;
    r[6].max_tokens = 65;
    r[7].temperature = 0.1;
    r[8].top_p = 0.9;
    r[9].seed = 1;
    r[10].sample = 1;
    r[11] = r[4], r[11].best_only = true;
    struct pawl_hash keys[13];
    for (size_t i = 0; i < 12; i++) keys[i] = pawl_lm_request_key("m", &r[i]);
    keys[12] = pawl_lm_request_key("other", &base);
    for (size_t i = 0; i < 13; i++)
        for (size_t k = 0; k < i; k++) assert_false(pawl_hash_eq(&keys[i], &keys[k]));
    base.n_shared = 1;     /* a hint */
    base.best_only = true; /* there is nothing to choose */
    struct pawl_hash same = pawl_lm_request_key("m", &base);
    assert_true(pawl_hash_eq(&same, &keys[0]));
}

static void test_a_request_is_canonical_json(void **unused)
{
    (void)unused;
    struct pawl_lm_request r = request_of("\"\n\xff");
    struct pawl_str yes = PAWL_STR("yes");
    r.choices = &yes, r.n_choices = 1, r.seed = UINT64_MAX, r.temperature = 0.7;
    r.best_only = true;
    struct pawl_buf text = PAWL_BUF(1 << 16), canonical = PAWL_BUF(1 << 16);
    pawl_lm_request_write(&r, &text);
    json_t *value = json_of(text.data);
    pawl_json_write(value, &canonical);
    assert_string_equal(text.data, canonical.data);
    struct pawl_hash key = pawl_lm_request_key(NULL, &r), hash = pawl_hash_json(value);
    assert_true(pawl_hash_eq(&key, &hash));
    json_decref(value);
    pawl_buf_release(&text);
    pawl_buf_release(&canonical);
}

/* --- recordings ------------------------------------------------------------------------------- */

static const char tape[] = "{\"t\":{\"backend\":\"replay\",\"file\":\"tape.jsonl\"}}";

static void test_a_recording_replays(void **unused)
{
    (void)unused;
    struct pawl_lm *lm = open_local(1);
    struct pawl_str choices[] = {PAWL_STR("yes")};
    struct pawl_lm_request chosen = request_of("pick");
    chosen.choices = choices, chosen.n_choices = 1, chosen.best_only = true;
    struct pawl_lm_reply a = must_ask(lm, request_of("a")), b = must_ask(lm, chosen);
    struct pawl_lm_reply gone = must_ask(lm, request_of("gone"));
    assert_reason(&gone, PAWL_REPLY_MISSING, "gone");
    pawl_lm_close(lm);

    unlink(path_of("m.lua")); /* nobody is asked any more */
    lm = must_open((struct pawl_lm_settings){0}, tape);
    struct pawl_lm_reply a2 = must_ask(lm, request_of("a")), b2 = must_ask(lm, chosen);
    assert_text(&a2, a.text.ptr);
    assert_text(&b2, b.text.ptr);
    chosen.best_only = !chosen.best_only; /* a recording has all, and serves both */
    b2 = must_ask(lm, chosen);
    assert_text(&b2, b.text.ptr);
    assert_int_equal(a2.usage.prompt_tokens, a.usage.prompt_tokens);

    struct pawl_lm_request other = request_of("a");
    other.temperature = 0.5;
    struct pawl_lm_reply reply;
    struct pawl_error err = {0};
    assert_int_equal(pawl_lm_ask(lm, &arena, &other, 1, &reply, &err), PAWL_ENOTFOUND);
    assert_non_null(strstr(err.hint, "temperature"));
    assert_non_null(strstr(err.hint, "\"a\""));
    struct pawl_lm_request missing = request_of("gone"); /* not an answer, so not recorded */
    assert_int_equal(pawl_lm_ask(lm, &arena, &missing, 1, &reply, &err), PAWL_ENOTFOUND);
    pawl_lm_close(lm);
}

static void test_recording_goes_on_after_a_crash(void **unused)
{
    (void)unused;
    struct pawl_lm *lm = open_local(1);
    must_ask(lm, request_of("a"));
    pawl_lm_close(lm);
    const char *whole = read_text("tape.jsonl");
    write_text("tape.jsonl", pawl_arena_printf(&arena, "%s{\"key\":\"12", whole));
    lm = open_local(1);
    must_ask(lm, request_of("a"));
    must_ask(lm, request_of("b"));
    pawl_lm_close(lm);
    lm = must_open((struct pawl_lm_settings){0}, tape);
    must_ask(lm, request_of("a"));
    must_ask(lm, request_of("b"));
    pawl_lm_close(lm);
}

static void test_a_broken_recording_is_refused(void **unused)
{
    (void)unused;
    struct pawl_lm *lm = open_local(1);
    must_ask(lm, request_of("a"));
    pawl_lm_close(lm);
    char *forged = pawl_arena_strdup(&arena, read_text("tape.jsonl"));
    *strstr(forged, "\"content\":\"a\"") = ' ';
    static const char *const broken[] = {"{}\n", "[]\n", "\n\n{\"key\":1}\n", "\xff\n",
                                         "{\"key\":"};
    for (size_t i = 0; i <= sizeof broken / sizeof *broken; i++) {
        bool last = i == sizeof broken / sizeof *broken;
        write_text("tape.jsonl", last ? forged : broken[i]);
        lm = must_open((struct pawl_lm_settings){0}, tape);
        struct pawl_lm_request r = request_of("a");
        struct pawl_lm_reply reply;
        struct pawl_error err = {0};
        assert_int_not_equal(pawl_lm_ask(lm, &arena, &r, 1, &reply, &err), PAWL_OK);
        assert_non_null(strstr(err.file, "tape.jsonl"));
        assert_int_equal(err.line, i == 2 ? 3 : 1);
        pawl_lm_close(lm);
    }
    char *changed = pawl_arena_strdup(&arena, forged);
    memcpy(strstr(changed, " content\":\"a\""), "\"content\":\"z\"", 13);
    write_text("tape.jsonl", changed);
    lm = must_open((struct pawl_lm_settings){0}, tape);
    struct pawl_lm_request r = request_of("a");
    struct pawl_lm_reply reply;
    assert_int_equal(pawl_lm_ask(lm, &arena, &r, 1, &reply, NULL), PAWL_EINTEGRITY);
    pawl_lm_close(lm);
}

static void test_the_sealed_side_records_nothing(void **unused)
{
    (void)unused;
    write_text("m.lua", echo);
    struct pawl_lm *lm;
    struct pawl_error err = {0};
    assert_int_equal(
        open_lm((struct pawl_lm_settings){.sealed = true},
                "{\"m\":{\"backend\":\"replay\",\"file\":\"tape.jsonl\",\"mode\":\"record\","
                "\"of\":\"s\"},\"s\":{\"backend\":\"script\",\"file\":\"m.lua\"}}",
                "{\"task\":\"m\"}", &lm, &err),
        PAWL_ECONFIG);
    assert_string_equal(err.field, "models.m.mode");
    assert_int_not_equal(access(path_of("tape.jsonl"), F_OK), 0);
}

/* --- money ------------------------------------------------------------------------------------ */

struct purse {
    pthread_mutex_t lock;
    int64_t limit, reserved, spent, worst; /* worst: the most of reserved + spent at any time */
};

static enum pawl_status purse_reserve(void *context, int64_t microusd, struct pawl_error *err)
{
    struct purse *purse = context;
    pthread_mutex_lock(&purse->lock);
    bool fits = purse->reserved + purse->spent + microusd <= purse->limit;
    if (fits) purse->reserved += microusd;
    if (purse->reserved + purse->spent > purse->worst)
        purse->worst = purse->reserved + purse->spent;
    pthread_mutex_unlock(&purse->lock);
    return fits ? PAWL_OK : pawl_fail(err, PAWL_EBUDGET, "The budget is used up.");
}

static void purse_settle(void *context, int64_t reserved, int64_t spent)
{
    struct purse *purse = context;
    pthread_mutex_lock(&purse->lock);
    assert_true(spent >= 0 && spent <= reserved);
    purse->reserved -= reserved;
    purse->spent += spent;
    pthread_mutex_unlock(&purse->lock);
}

struct spender {
    struct pawl_lm *lm;
    int number;
    int64_t cost;
    bool wrong;
};

static void *spend(void *context)
{
    struct spender *me = context;
    struct pawl_arena mine = {0};
    for (int i = 0; i < 10; i++) {
        struct pawl_message message = {"user", PAWL_STR("some prompt")};
        struct pawl_lm_request r[3];
        struct pawl_lm_reply replies[3];
        for (int k = 0; k < 3; k++)
            r[k] = (struct pawl_lm_request){.messages = &message,
                                            .n_messages = 1,
                                            .max_tokens = 20,
                                            .sample = 1000 * me->number + 3 * i + k};
        enum pawl_status status = pawl_lm_ask(me->lm, &mine, r, 3, replies, NULL);
        if (status != PAWL_OK && status != PAWL_EBUDGET) me->wrong = true;
        for (int k = 0; k < 3 && status == PAWL_OK; k++) me->cost += replies[k].usage.cost_microusd;
    }
    pawl_arena_release(&mine);
    return NULL;
}

static void test_the_purse_is_never_overdrawn(void **unused)
{
    (void)unused;
    write_text("m.lua", "function complete(r) local x = random(r)\n"
                        "if x < 0.1 then return {error = 'missing'} end\n"
                        "return {text = 'x', prompt_tokens = math.floor(40 * x),\n"
                        "completion_tokens = math.floor(20 * random(r, 'c'))} end");
    uint64_t state = 12345;
    for (int round = 0; round < 200; round++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        struct purse purse = {.lock = PTHREAD_MUTEX_INITIALIZER, .limit = (int64_t)(state >> 52)};
        struct pawl_lm_purse door = {purse_reserve, purse_settle, &purse};
        struct pawl_lm *lm =
            must_open((struct pawl_lm_settings){.purse = &door, .seed = (uint64_t)round},
                      "{\"m\":{\"backend\":\"script\",\"file\":\"m.lua\",\"concurrency\":2,"
                      "\"price_prompt\":1.5,\"price_completion\":6}}");
        struct spender spenders[4];
        pthread_t threads[4];
        for (int i = 0; i < 4; i++) {
            spenders[i] = (struct spender){.lm = lm, .number = i};
            assert_int_equal(pthread_create(&threads[i], NULL, spend, &spenders[i]), 0);
        }
        int64_t cost = 0;
        for (int i = 0; i < 4; i++) {
            pthread_join(threads[i], NULL);
            assert_false(spenders[i].wrong);
            cost += spenders[i].cost;
        }
        assert_int_equal(purse.reserved, 0);
        assert_int_equal(purse.spent, cost);
        assert_true(purse.worst <= purse.limit);
        pawl_lm_close(lm);
    }
}

static void test_without_a_price_nothing_is_reserved(void **unused)
{
    (void)unused;
    struct purse purse = {.lock = PTHREAD_MUTEX_INITIALIZER, .limit = 0};
    struct pawl_lm_purse door = {purse_reserve, purse_settle, &purse};
    write_text("m.lua", echo);
    struct pawl_lm *lm = must_open((struct pawl_lm_settings){.purse = &door}, one_script);
    assert_int_equal(must_ask(lm, request_of("a")).status, PAWL_REPLY_OK);
    assert_int_equal(purse.spent, 0);
    pawl_lm_close(lm);
}

int main(void)
{
    pawl_clock_fix(1000000);
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_every_table_is_whole),
        TEST(test_every_backend_refuses_an_unknown_option),
        TEST(test_local_backends_keep_the_contract),
        TEST(test_configuration_errors),
        TEST(test_roles),
        TEST(test_all_scripted),
        TEST(test_every_field_changes_the_key),
        TEST(test_a_request_is_canonical_json),
        TEST(test_a_recording_replays),
        TEST(test_recording_goes_on_after_a_crash),
        TEST(test_a_broken_recording_is_refused),
        TEST(test_the_sealed_side_records_nothing),
        TEST(test_the_purse_is_never_overdrawn),
        TEST(test_without_a_price_nothing_is_reserved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
