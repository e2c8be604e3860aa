/*
 * Adapters on the embedded model, and two models side by side. The adapters are made here, of numbers
 * that nobody trained. Needs the default model (scripts/fetch-model); without it the tests are
 * skipped, loudly.
 */
#include "llama_fixture.h"

#ifdef PAWL_HAVE_LLAMA
#include "base/random.h"
#include "lm/request.h"

#include <ggml.h>
#include <gguf.h>
#include <math.h>
#include <pthread.h>
#include <sys/stat.h>

#define SETTINGS F32_SETTINGS ",\"context\":1024"

/* ---- Adapters --------------------------------------------------------------------------------- */

struct recipe {
    const char *architecture, *tensor;
    int64_t n_in; /* 576 fits the model */
    float b;      /* how large the numbers of B are; 0: the adapter changes nothing */
};
#define FITS(size) ((struct recipe){"llama", "blk.3.attn_q.weight", 576, size})

static struct ggml_tensor *filled(struct ggml_context *tensors, const char *name, int64_t n0,
                                  int64_t n1, float size)
{
    struct pawl_random random;
    pawl_random_init(&random, 9);
    struct ggml_tensor *tensor = ggml_new_tensor_2d(tensors, GGML_TYPE_F32, n0, n1);
    float *data = tensor->data;
    for (int64_t i = 0; i < n0 * n1; i++) data[i] = size * (float)(pawl_random_unit(&random) - 0.5);
    ggml_set_name(tensor, name);
    return tensor;
}

static void make_adapter(const char *name, struct recipe recipe)
{
    enum { RANK = 4, N_OUT = 576 };
    struct ggml_init_params params = {.mem_size = 1 << 20};
    struct ggml_context *tensors = ggml_init(params);
    struct gguf_context *file = gguf_init_empty();
    gguf_set_val_str(file, "general.type", "adapter");
    gguf_set_val_str(file, "general.architecture", recipe.architecture);
    gguf_set_val_str(file, "adapter.type", "lora");
    gguf_set_val_f32(file, "adapter.lora.alpha", 8);
    const char *a = pawl_arena_printf(&arena, "%s.lora_a", recipe.tensor);
    const char *b = pawl_arena_printf(&arena, "%s.lora_b", recipe.tensor);
    gguf_add_tensor(file, filled(tensors, a, recipe.n_in, RANK, 1));
    gguf_add_tensor(file, filled(tensors, b, RANK, N_OUT, recipe.b));
    assert_true(gguf_write_to_file(file, path_of(name), false));
    gguf_free(file);
    ggml_free(tensors);
}

static struct pawl_lm_adapter adapter_at(const char *name, double scale)
{
    struct pawl_lm_adapter adapter;
    struct pawl_error err = {0};
    if (pawl_lm_adapter_at(shared_lm, &arena, path_of(name), scale, &adapter, &err) != PAWL_OK)
        fail_msg("%s", err.message);
    return adapter;
}

static int open_shared(void **unused)
{
    if (use_folders(unused) != 0) return -1;
    make_adapter("zero.gguf", FITS(0));
    make_adapter("one.gguf", FITS(2));
    make_adapter("two.gguf", FITS(-3));
    shared_lm = open_model(SETTINGS);
    return 0;
}

/* ---- Questions -------------------------------------------------------------------------------- */

static struct pawl_lm_request choose_with(const char *prompt,
                                          const struct pawl_lm_adapter *adapters, size_t n)
{
    struct pawl_lm_request request = choose(prompt, labels, 2);
    request.adapters = adapters;
    request.n_adapters = n;
    return request;
}

static double score(struct pawl_lm *lm, const struct pawl_lm_adapter *adapters, size_t n)
{
    struct pawl_lm_reply reply = must_ask(lm, choose_with("Sentiment: a fine day.", adapters, n));
    if (reply.status != PAWL_REPLY_OK) fail_msg("%s", reply.reason);
    return reply.choice_logprobs[0];
}

static double score_with(const char *name, double scale)
{
    struct pawl_lm_adapter adapter = adapter_at(name, scale);
    return score(shared_lm, &adapter, 1);
}

static void test_an_adapter_changes_answers_by_its_scale(void **unused)
{
    (void)unused;
    double base = score(shared_lm, NULL, 0);
    assert_true(fabs(score_with("zero.gguf", 1) - base) < 1e-4);
    assert_true(score_with("one.gguf", 0) == base);
    double one = score_with("one.gguf", 1), half = score_with("one.gguf", 0.5);
    assert_true(fabs(one - base) > 0.01);
    assert_true(fabs(half - one) > 0.001 && fabs(half - base) > 0.001);
    assert_true(fabs(score_with("two.gguf", 1) - one) > 0.01);
    assert_true(score(shared_lm, NULL, 0) == base); /* taken off again */
    struct pawl_lm_adapter twice[] = {adapter_at("one.gguf", 0.5), adapter_at("one.gguf", 0.5)};
    assert_true(fabs(score(shared_lm, twice, 2) - one) < 1e-4);
}

static void test_requests_of_many_sets_are_answered_as_if_alone(void **unused)
{
    (void)unused;
    enum { N = 12 };
    struct pawl_lm_adapter one = adapter_at("one.gguf", 1), two = adapter_at("two.gguf", 1);
    const struct pawl_lm_adapter *sets[] = {NULL, &one, &two};
    struct pawl_buf rules = PAWL_BUF(1 << 16); /* a beginning that they share, and no cells of it */
    for (int i = 0; i < 6; i++) pawl_buf_printf(&rules, "Rule %d: be brief and honest. ", i);
    struct pawl_lm_request requests[N];
    struct pawl_lm_reply together[N], alone[3];
    for (size_t i = 0; i < N; i++) {
        const char *prompt = pawl_arena_printf(&arena, "%sItem %zu.", rules.data, i / 3);
        requests[i] = choose_with(prompt, sets[i % 3], i % 3 > 0);
        requests[i].role = i % 2 ? PAWL_ROLE_JUDGE : PAWL_ROLE_TASK;
    }
    pawl_buf_release(&rules);
    assert_int_equal(pawl_lm_ask(shared_lm, &arena, requests, N, together, NULL), PAWL_OK);
    for (size_t i = 0; i < 3; i++) {
        struct pawl_lm *lm = open_model(SETTINGS);
        alone[i] = must_ask(lm, requests[i]);
        pawl_lm_close(lm);
        for (size_t k = 0; k < 2; k++) /* kernels of other shapes round otherwise: .007 was seen */
            assert_true(fabs(alone[i].choice_logprobs[k] - together[i].choice_logprobs[k]) < 0.03);
    }
    assert_true(fabs(alone[0].choice_logprobs[0] - alone[1].choice_logprobs[0]) > 0.1);
    assert_true(fabs(alone[1].choice_logprobs[0] - alone[2].choice_logprobs[0]) > 0.1);
}

static void test_a_key_holds_hash_and_scale(void **unused)
{
    (void)unused;
    struct pawl_lm_adapter one = adapter_at("one.gguf", 1), weak = adapter_at("one.gguf", 0.5),
                           two = adapter_at("two.gguf", 1), moved = one;
    moved.path = "/elsewhere.gguf";
    const struct pawl_lm_adapter *sets[] = {NULL, &one, &weak, &two};
    struct pawl_hash keys[4];
    for (size_t i = 0; i < 4; i++) {
        struct pawl_lm_request request = choose_with("a", sets[i], i > 0);
        keys[i] = pawl_lm_request_key("m", &request);
        for (size_t k = 0; k < i; k++) assert_false(pawl_hash_eq(&keys[i], &keys[k]));
    }
    struct pawl_lm_request request = choose_with("a", &moved, 1);
    struct pawl_hash same = pawl_lm_request_key("m", &request);
    assert_true(pawl_hash_eq(&same, &keys[1]));
    struct pawl_buf text = PAWL_BUF(1 << 16), canonical = PAWL_BUF(1 << 16);
    pawl_lm_request_write(&request, &text);
    json_t *value = json_of(text.data);
    pawl_json_write(value, &canonical);
    assert_string_equal(text.data, canonical.data);
    json_decref(value);
    pawl_buf_release(&text);
    pawl_buf_release(&canonical);
}

/* ---- Files that are not good ------------------------------------------------------------------ */

static void expect_refusal(const char *name, enum pawl_reply_status status, const char *part)
{
    struct pawl_lm_adapter adapter = adapter_at(name, 1);
    struct pawl_lm_reply reply = must_ask(shared_lm, choose_with("Good?", &adapter, 1));
    assert_reason(&reply, status, part);
}

static void test_a_bad_file_fails_its_requests_and_no_others(void **unused)
{
    (void)unused;
    double base = score(shared_lm, NULL, 0);
    write_text("garbage.gguf", "This is no adapter at all, only some text that is long enough.");
    expect_refusal("garbage.gguf", PAWL_REPLY_FAILED, "garbage.gguf cannot be used");
    make_adapter("foreign.gguf", (struct recipe){"qwen2", "blk.3.attn_q.weight", 576, 1});
    expect_refusal("foreign.gguf", PAWL_REPLY_FAILED, "arch mismatch");
    make_adapter("narrow.gguf", (struct recipe){"llama", "blk.3.attn_q.weight", 512, 1});
    expect_refusal("narrow.gguf", PAWL_REPLY_FAILED, "incorrect shape");
    make_adapter("lost.gguf", (struct recipe){"llama", "blk.99.attn_q.weight", 576, 1});
    expect_refusal("lost.gguf", PAWL_REPLY_FAILED, "does not exist in base model");
    make_adapter("nan.gguf", FITS((float)NAN));
    expect_refusal("nan.gguf", PAWL_REPLY_FAILED, "not a number");
    make_adapter("cut.gguf", FITS(1));
    assert_int_equal(truncate(path_of("cut.gguf"), 9000), 0);
    expect_refusal("cut.gguf", PAWL_REPLY_FAILED, "cannot be used");
    struct pawl_lm_adapter changed = adapter_at("one.gguf", 1);
    changed.path = path_of("two.gguf");
    changed.hash.bytes[0] ^= 1;
    struct pawl_lm_reply reply = must_ask(shared_lm, choose_with("Good?", &changed, 1));
    assert_reason(&reply, PAWL_REPLY_MISSING, "another file by now");
    changed.path = path_of("none.gguf");
    reply = must_ask(shared_lm, choose_with("Good?", &changed, 1));
    assert_int_equal(reply.status, PAWL_REPLY_MISSING);
    assert_true(score(shared_lm, NULL, 0) == base);
}

static void test_more_adapters_than_stay_loaded_come_and_go(void **unused)
{
    (void)unused;
    enum { N = 18 };
    double first = 0;
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < (round ? 1 : N); i++) {
            const char *name = pawl_arena_printf(&arena, "many-%zu.gguf", i);
            if (round == 0) make_adapter(name, FITS(0.5F + (float)i));
            double it = score_with(name, 1);
            if (i > 0) continue;
            if (round == 0) first = it;
            assert_true(fabs(first - it) < 1e-6);
        }
}

/* ---- From pawl.yaml --------------------------------------------------------------------------- */

static const char *identity_of(struct pawl_lm *lm)
{
    const char *identity;
    struct pawl_error err = {0};
    if (pawl_lm_identity(lm, PAWL_ROLE_TASK, &identity, &err) != PAWL_OK)
        fail_msg("%s", err.message);
    return pawl_arena_strdup(&arena, identity);
}

static void test_a_model_wears_the_adapter_of_its_entry(void **unused)
{
    (void)unused;
    double one = score_with("one.gguf", 1);
    const char *base = identity_of(shared_lm);
    struct pawl_lm *lm = open_model(SETTINGS ",\"adapter\":\"one.gguf\"");
    char hex[PAWL_HASH_HEX];
    struct pawl_lm_adapter adapter = adapter_at("one.gguf", 1);
    pawl_hash_hex(&adapter.hash, hex);
    assert_string_equal(identity_of(lm), pawl_arena_printf(&arena, "%s+lora:%s*1", base, hex));
    assert_true(fabs(score(lm, NULL, 0) - one) < 1e-4);
    adapter.scale = -1; /* a request's adapters come on top */
    assert_true(fabs(score(lm, &adapter, 1) - score(shared_lm, NULL, 0)) < 1e-4);
    struct pawl_str text = PAWL_STR("The train was late.");
    struct pawl_lm_vectors plain, worn;
    assert_int_equal(pawl_lm_embed(shared_lm, &arena, PAWL_ROLE_TASK, &text, 1, &plain, NULL),
                     PAWL_OK);
    assert_int_equal(pawl_lm_embed(lm, &arena, PAWL_ROLE_TASK, &text, 1, &worn, NULL), PAWL_OK);
    assert_memory_not_equal(plain.values, worn.values, plain.dimension * sizeof(float));
    pawl_lm_close(lm);

    lm = open_model(SETTINGS ",\"adapter\":\"one.gguf\",\"adapter_scale\":0");
    assert_string_equal(identity_of(lm), base);
    pawl_lm_close(lm);
}

static void test_a_models_own_adapter_is_refused_when_it_opens(void **unused)
{
    (void)unused;
    struct pawl_lm *lm;
    struct pawl_error err = {0};
    const char *models =
        pawl_arena_printf(&arena, "{\"m\":%s}", model_entry(SETTINGS ",\"adapter\":\"none.gguf\""));
    assert_int_equal(open_lm((struct pawl_lm_settings){0}, models, NULL, &lm, &err),
                     PAWL_ENOTFOUND);
    assert_string_equal(err.field, "models.m.adapter");
    make_adapter("narrow.gguf", (struct recipe){"llama", "blk.3.attn_q.weight", 512, 1});
    lm = open_model(SETTINGS ",\"adapter\":\"narrow.gguf\"");
    struct pawl_lm_request request = choose_with("Good?", NULL, 0);
    struct pawl_lm_reply reply;
    assert_int_equal(pawl_lm_ask(lm, &arena, &request, 1, &reply, &err), PAWL_ECONFIG);
    assert_non_null(strstr(err.message, "incorrect shape"));
    pawl_lm_close(lm);
}

static void test_a_backend_without_adapters_says_so(void **unused)
{
    (void)unused;
    struct pawl_lm *lm =
        must_open((struct pawl_lm_settings){0}, "{\"m\":{\"backend\":\"openai\",\"model\":\"x\","
                                                "\"base_url\":\"http://localhost:1\"}}");
    struct pawl_lm_adapter adapter = adapter_at("one.gguf", 1);
    struct pawl_lm_request request = choose_with("Good?", &adapter, 1);
    struct pawl_lm_reply reply;
    struct pawl_error err = {0};
    assert_int_equal(pawl_lm_ask(lm, &arena, &request, 1, &reply, &err), PAWL_ECONFIG);
    assert_non_null(strstr(err.message, "takes no adapters: its backend is openai"));
    pawl_lm_close(lm);
}

int main(void)
{
    if (!find_default_model()) return 0;
    const struct CMUnitTest tests[] = {
        SHARED_TEST(test_an_adapter_changes_answers_by_its_scale),
        SHARED_TEST(test_requests_of_many_sets_are_answered_as_if_alone),
        SHARED_TEST(test_a_key_holds_hash_and_scale),
        SHARED_TEST(test_a_bad_file_fails_its_requests_and_no_others),
        SHARED_TEST(test_more_adapters_than_stay_loaded_come_and_go),
        SHARED_TEST(test_a_model_wears_the_adapter_of_its_entry),
        SHARED_TEST(test_a_models_own_adapter_is_refused_when_it_opens),
        SHARED_TEST(test_a_backend_without_adapters_says_so),
    };
    return cmocka_run_group_tests(tests, open_shared, close_shared);
}
#else
int main(void)
{
    fputs("SKIPPED: pawl was built without libllama\n", stderr);
    return 0;
}
#endif
