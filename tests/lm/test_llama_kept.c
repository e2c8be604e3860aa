/*
 * What is measured of the embedded model is kept, chosen alike by all, and never harmful. The parts
 * about the file need no model; the others want the default one (scripts/fetch-model) and are skipped
 * without it, loudly.
 */
#include "lm_fixture.h"

#ifdef PAWL_HAVE_LLAMA
#include "io/file.h"
#include "lm/llama_engine.h"
#include "lm/llama_kept.h"
#include "lm/llama_weights.h"
#include "lm/model_file.h"

#include <gguf.h>
#include <math.h>
#include <sys/stat.h>

static char model_path[4096];
static struct pawl_hash model;

static int set_up_cache(void **unused)
{
    if (set_up(unused) != 0) return -1;
    return setenv("XDG_CACHE_HOME", path_of("cache"), 1);
}

static const char *file_of_kept(void)
{
    return path_of("cache/pawl/weights/machine.json");
}

static void damage(const char *text)
{
    FILE *file = fopen(file_of_kept(), "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* --- the file ------------------------------------------------------------------------------------ */

static void put_threads(const struct pawl_hash *of, int threads)
{
    int lock = pawl_llama_kept_lock();
    assert_true(lock >= 0);
    json_t *entry = pawl_llama_kept_get(of);
    pawl_json_set(entry, "threads", json_integer(threads));
    assert_true(pawl_llama_kept_put(entry));
    json_decref(entry);
    pawl_llama_kept_unlock(lock);
}

static int64_t threads_kept(const struct pawl_hash *of)
{
    json_t *entry = pawl_llama_kept_get(of);
    int64_t threads = pawl_json_get_int(entry, "threads", -1);
    json_decref(entry);
    return threads;
}

static void test_entries_are_kept_by_model(void **unused)
{
    (void)unused;
    struct pawl_hash one = pawl_hash_str(pawl_str_of("one")),
                     two = pawl_hash_str(pawl_str_of("two"));
    assert_int_equal(threads_kept(&one), -1);
    put_threads(&one, 3);
    put_threads(&two, 5);
    put_threads(&one, 4);
    assert_int_equal(threads_kept(&one), 4);
    assert_int_equal(threads_kept(&two), 5);
}

static void test_a_damaged_file_counts_as_none_and_is_replaced(void **unused)
{
    (void)unused;
    struct pawl_hash one = pawl_hash_str(pawl_str_of("one"));
    static const char *const damaged[] = {"",
                                          "{",
                                          "no JSON",
                                          "[]",
                                          "{\"version\":2,\"entries\":{}}",
                                          "{\"version\":1,\"entries\":[1]}",
                                          "{\"version\":1}"};
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        put_threads(&one, 3);
        damage(damaged[i]);
        assert_int_equal(threads_kept(&one), -1);
        put_threads(&one, 6);
        assert_int_equal(threads_kept(&one), 6);
    }
}

static void test_another_cpu_or_build_knows_nothing(void **unused)
{
    (void)unused;
    struct pawl_hash one = pawl_hash_str(pawl_str_of("one"));
    static const char *const parts[] = {"cpu", "llama"};
    for (size_t i = 0; i < 2; i++) {
        json_t *entry = pawl_llama_kept_get(&one);
        pawl_json_set(entry, "threads", json_integer(7));
        pawl_json_set(entry, parts[i], json_string("another"));
        assert_true(pawl_llama_kept_put(entry));
        json_decref(entry);
        assert_int_equal(threads_kept(&one), -1);
    }
}

static void test_only_sound_numbers_are_taken(void **unused)
{
    (void)unused;
    struct pawl_llama_pace pace = {2, 512, 512};
    json_t *entry = json_of("{\"threads\":0,\"batch\":64,\"ubatch\":1000000}");
    pawl_llama_kept_pace(entry, &pace);
    assert_int_equal(pace.n_threads, 2);
    assert_int_equal(pace.batch_tokens, 512);
    assert_int_equal(pace.ubatch_tokens, 512);
    json_decref(entry);
    entry = json_of("{\"threads\":8,\"batch\":256,\"ubatch\":256}");
    pawl_llama_kept_pace(entry, &pace);
    assert_int_equal(pace.n_threads, 8);
    assert_int_equal(pace.batch_tokens, 256);
    assert_int_equal(pace.ubatch_tokens, 256);
    json_decref(entry);
}

static void test_a_tenth_is_clearly_faster_and_less_is_noise(void **unused)
{
    (void)unused;
    struct pawl_llama_speed kept = {200, 100}, near = {212, 106}, far = {230, 115};
    assert_false(pawl_llama_is_clearly_faster(&near, &kept));
    assert_true(pawl_llama_is_clearly_faster(&far, &kept));
    assert_false(pawl_llama_is_clearly_faster(&kept, &kept));
}

/* --- the choice ------------------------------------------------------------------------------------ */

static struct pawl_llama_weights_spec spec_of(const char *weights, bool sealed)
{
    return (struct pawl_llama_weights_spec){.path = model_path,
                                            .hash = model,
                                            .form = weights,
                                            .context_tokens = 512,
                                            .pace = {1, PAWL_LLAMA_BATCH, PAWL_LLAMA_BATCH},
                                            .sealed = sealed};
}

/* What the engine or the sealed side makes of `weights`. */
static const char *form_opened(const char *wanted, bool sealed)
{
    struct pawl_llama_weights_spec spec = spec_of(wanted, sealed);
    struct pawl_llama_weights weights;
    struct pawl_error err = {0};
    if (pawl_llama_weights_open(&spec, &weights, &err) != PAWL_OK) fail_msg("%s", err.message);
    const char *form = pawl_arena_strdup(&arena, weights.form);
    pawl_llama_weights_release(&weights);
    return form;
}

/* What both would take of what is kept; "packaged" where they would not. */
static const char *form_obeyed(const char *wanted)
{
    struct pawl_llama_weights_spec spec = spec_of(wanted, true);
    json_t *entry = pawl_llama_kept_get(&model);
    const char *form = pawl_llama_weights_kept(&spec, entry);
    json_decref(entry);
    return form ? form : "packaged";
}

/* weights.1 of the model's entry; borrowed from *entry. */
static const json_t *kept_weights(json_t **entry)
{
    *entry = pawl_llama_kept_get(&model);
    return json_object_get(json_object_get(*entry, "weights"), "1");
}

static void keep_form(const char *wanted, const char *form)
{
    json_t *entry;
    json_t *kept = (json_t *)(uintptr_t)kept_weights(&entry);
    assert_non_null(kept);
    pawl_json_set(kept, wanted, json_string(form));
    assert_true(pawl_llama_kept_put(entry));
    json_decref(entry);
}

static const char *form_kept(const char *wanted)
{
    json_t *entry;
    const char *form = pawl_json_get_text(kept_weights(&entry), wanted, "none");
    form = pawl_arena_strdup(&arena, form);
    json_decref(entry);
    return form;
}

static double case_seconds_of(const json_t *measured, const char *form)
{
    const json_t *speed = json_object_get(measured, form);
    assert_non_null(speed);
    struct pawl_llama_speed numbers = {pawl_json_get_real(speed, "prompt_tokens_per_s", 0),
                                       pawl_json_get_real(speed, "answer_tokens_per_s", 0)};
    assert_true(numbers.prompt > 0 && numbers.answer > 0);
    return pawl_llama_case_seconds(&numbers);
}

/* The model is quantised, so the rule's choice is f32. */
static void test_auto_measures_once_keeps_and_is_obeyed_by_all(void **unused)
{
    (void)unused;
    assert_string_equal(form_opened("auto", true),
                        "f32"); /* nothing kept, nothing may be written */
    assert_false(pawl_path_exists(path_of("cache")));
    const char *form = form_opened("auto", false);
    assert_string_equal(form_kept("auto"), form);
    assert_string_equal(form_kept("fast"), "none");

    json_t *entry;
    const json_t *measured = json_object_get(kept_weights(&entry), "measured");
    assert_int_equal(json_object_size(measured), 2); /* no form that rounds */
    double packaged = case_seconds_of(measured, "packaged"), f32 = case_seconds_of(measured, "f32");
    assert_string_equal(form, packaged < 0.9 * f32 ? "packaged" : "f32");
    json_decref(entry);

    struct stat first, second;
    assert_int_equal(stat(file_of_kept(), &first), 0);
    static const char *const lossless[] = {"packaged", "f32"};
    for (size_t i = 0; i < 2; i++) { /* whatever was kept, engine and sealed side take it */
        keep_form("auto", lossless[i]);
        assert_int_equal(stat(file_of_kept(), &first), 0);
        assert_string_equal(form_opened("auto", false), lossless[i]);
        assert_string_equal(form_opened("auto", true), lossless[i]);
        assert_int_equal(stat(file_of_kept(), &second), 0);
        assert_int_equal(first.st_ino, second.st_ino); /* nobody measured again */
    }
    static const char *const refused[] = {"q4_0", "q8_0", "f16", "bf16", "no such form", "auto"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) { /* whoever wrote that */
        keep_form("auto", refused[i]);
        assert_string_equal(form_obeyed("auto"), "packaged");
    }
    assert_string_equal(form_opened("auto", true), "f32"); /* the rule, as nothing may be written */
    assert_string_equal(form_kept("auto"), "auto");
}

static void test_a_choice_is_part_of_the_identity(void **unused)
{
    (void)unused;
    json_t *entry = pawl_llama_kept_get(&model);
    pawl_json_set(entry, "weights",
                  json_of("{\"1\":{\"parameters\":1000,\"auto\":\"packaged\",\"fast\":\"q4_0\"}}"));
    int lock = pawl_llama_kept_lock();
    assert_true(pawl_llama_kept_put(entry));
    pawl_llama_kept_unlock(lock);
    json_decref(entry);
    for (int sealed = 0; sealed < 2; sealed++) {
        struct pawl_lm *lm =
            must_open((struct pawl_lm_settings){.sealed = sealed},
                      pawl_arena_printf(&arena,
                                        "{\"m\":{\"backend\":\"llama\",\"model\":\"%s\","
                                        "\"weights\":\"fast\",\"threads\":1}}",
                                        model_path));
        const char *identity;
        char hex[PAWL_HASH_HEX];
        struct pawl_error err = {0};
        if (pawl_lm_identity(lm, PAWL_ROLE_TASK, &identity, &err) != PAWL_OK)
            fail_msg("%s", err.message);
        pawl_hash_hex(&model, hex);
        assert_string_equal(identity, pawl_arena_printf(&arena, "file:%s:q4_0", hex));
        pawl_lm_close(lm);
    }
}

static void test_fast_measures_all_and_says_what_it_measured(void **unused)
{
    (void)unused;
    const char *form = form_opened("fast", false);
    assert_string_equal(form_kept("fast"), form);
    json_t *entry;
    const json_t *measured = json_object_get(kept_weights(&entry), "measured");
    static const char *const forms[] = {"packaged", "f32", "f16", "bf16", "q8_0", "q4_0"};
    double chosen = case_seconds_of(measured, form);
    for (size_t i = 0; i < 6; i++) {
        assert_true(chosen <= case_seconds_of(measured, forms[i]) / 0.89);
        const char *file = form_kept("auto");
        char hex[PAWL_HASH_HEX];
        pawl_hash_hex(&model, hex);
        bool is_there = pawl_path_exists(
            path_of(pawl_arena_printf(&arena, "cache/pawl/weights/%s-%s.gguf", hex, forms[i])));
        bool wanted = strcmp(forms[i], form) == 0 || strcmp(forms[i], file) == 0;
        assert_int_equal(is_there, wanted && i > 0); /* what was made to be measured is gone */
    }
    json_decref(entry);
    assert_string_equal(form_opened("fast", true), form);
}

static void test_where_nothing_can_be_kept_the_rule_holds(void **unused)
{
    (void)unused;
    write_text("cache", "no folder");
    assert_string_equal(form_opened("auto", false), "f32");
    assert_string_equal(form_opened("fast", true), "f32");
}

/* --- the machine ----------------------------------------------------------------------------------- */

static json_t *tuning(const char *settings, bool measure)
{
    json_t *models = json_of(pawl_arena_printf(
               &arena, "{\"m\":{\"backend\":\"llama\",\"model\":\"%s\"%s}}", model_path, settings)),
           *tuned;
    struct pawl_lm_settings lm = {.models = models, .project_dir = dir};
    struct pawl_error err = {0};
    if (pawl_lm_tune(&lm, NULL, measure, &tuned, &err) != PAWL_OK) fail_msg("%s", err.message);
    json_decref(models);
    json_t *one = json_incref(json_object_get(tuned, "m"));
    json_decref(tuned);
    return one;
}

static int64_t in_use(const json_t *tuned, const char *what)
{
    return pawl_json_get_int(json_object_get(tuned, "in_use"), what, -1);
}

static void test_tuning_measures_keeps_and_is_used(void **unused)
{
    (void)unused;
    json_t *before = tuning("", false);
    assert_null(json_object_get(before, "weights"));
    assert_int_equal(in_use(before, "batch"), PAWL_LLAMA_BATCH);
    json_t *tuned = tuning("", true);
    static const char *const quantities[] = {"threads", "batch", "ubatch"};
    for (size_t i = 0; i < 3; i++) {
        const json_t *measured = json_object_get(json_object_get(tuned, "measured"), quantities[i]);
        const char *value;
        json_t *unread;
        assert_true(json_object_size(measured) > 0);
        json_object_foreach((json_t *)(uintptr_t)measured, value, unread)
            assert_true(case_seconds_of(measured, value) > 0);
        assert_int_equal(in_use(tuned, quantities[i]), pawl_json_get_int(tuned, quantities[i], -2));
    }
    const char *threads = pawl_arena_printf(&arena, "%d", (int)in_use(tuned, "threads"));
    const json_t *weights = json_object_get(json_object_get(tuned, "weights"), threads);
    assert_string_equal(pawl_json_get_text(weights, "auto", ""),
                        pawl_json_get_text(json_object_get(tuned, "in_use"), "weights", "none"));
    json_t *shown = tuning("", false);
    assert_true(json_equal(tuned, shown));
    json_t *set = tuning(",\"threads\":7,\"batch\":256,\"ubatch\":256,\"weights\":\"q8_0\"", false);
    assert_int_equal(in_use(set, "threads"), 7); /* pawl.yaml decides */
    assert_int_equal(in_use(set, "batch"), 256);
    assert_int_equal(in_use(set, "ubatch"), 256);
    json_decref(set);
    json_decref(shown);
    json_decref(tuned);
    json_decref(before);
}

static void test_small_batches_answer_alike(void **unused)
{
    (void)unused;
    static const char *const settings[] = {"", ",\"batch\":256,\"ubatch\":256"};
    static const struct pawl_str choices[] = {{"positive", 8}, {"negative", 8}, {"no idea", 7}};
    double scores[2][3];
    for (size_t i = 0; i < 2; i++) {
        struct pawl_lm *lm = must_open(
            (struct pawl_lm_settings){0},
            pawl_arena_printf(&arena,
                              "{\"m\":{\"backend\":\"llama\",\"model\":\"%s\",\"weights\":\"f32\","
                              "\"threads\":1%s}}",
                              model_path, settings[i]));
        struct pawl_buf text = PAWL_BUF(1 << 16);
        for (int k = 0; k < 60; k++) pawl_buf_printf(&text, "Rule %d: be brief. ", k);
        struct pawl_lm_request request = request_of(pawl_arena_strdup(&arena, text.data));
        request.choices = choices;
        request.n_choices = 3;
        pawl_buf_release(&text);
        struct pawl_lm_reply reply = must_ask(lm, request);
        assert_int_equal(reply.status, PAWL_REPLY_OK);
        assert_true(reply.usage.prompt_tokens > 256); /* more than two small batches */
        for (size_t k = 0; k < 3; k++) scores[i][k] = reply.choice_logprobs[k];
        pawl_lm_close(lm);
    }
    for (size_t k = 0; k < 3; k++) assert_true(fabs(scores[0][k] - scores[1][k]) < 0.01);
}

/* The default model with its first block alone: nothing sensible, and thirty times as fast. */
static bool cut(const char *whole, const char *to)
{
    struct ggml_context *tensors = NULL;
    struct gguf_context *from =
        gguf_init_from_file(whole, (struct gguf_init_params){.ctx = &tensors});
    if (!from) return false;
    struct gguf_context *less = gguf_init_empty();
    gguf_set_kv(less, from);
    gguf_set_val_u32(less, "llama.block_count", 1);
    for (int64_t i = 0; i < gguf_get_n_tensors(from); i++) {
        const char *name = gguf_get_tensor_name(from, i);
        if (strncmp(name, "blk.", 4) != 0 || strncmp(name, "blk.0.", 6) == 0)
            gguf_add_tensor(less, ggml_get_tensor(tensors, name));
    }
    bool written = gguf_write_to_file(less, to, false);
    gguf_free(less);
    gguf_free(from);
    ggml_free(tensors);
    return written;
}

static bool find_default_model(void)
{
    struct pawl_arena call = {0};
    const char *whole, *tmp = getenv("TMPDIR");
    bool found = pawl_model_find(&call, "smollm2-135m", "/", &whole, NULL) == PAWL_OK;
    snprintf(model_path, sizeof model_path, "%s/pawl-cut-%d.gguf", tmp ? tmp : "/tmp", getpid());
    found = found && cut(whole, model_path) &&
            pawl_model_hash(model_path, false, &model, NULL) == PAWL_OK;
    pawl_arena_release(&call);
    return found;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_cache, tear_down)

int main(void)
{
    pawl_crypto_init();
    const struct CMUnitTest of_the_file[] = {
        TEST(test_entries_are_kept_by_model),
        TEST(test_a_damaged_file_counts_as_none_and_is_replaced),
        TEST(test_another_cpu_or_build_knows_nothing),
        TEST(test_only_sound_numbers_are_taken),
        TEST(test_a_tenth_is_clearly_faster_and_less_is_noise),
    };
    const struct CMUnitTest of_the_choice[] = {
        TEST(test_a_choice_is_part_of_the_identity),
        TEST(test_auto_measures_once_keeps_and_is_obeyed_by_all),
        TEST(test_fast_measures_all_and_says_what_it_measured),
        TEST(test_where_nothing_can_be_kept_the_rule_holds),
        TEST(test_small_batches_answer_alike),
        TEST(test_tuning_measures_keeps_and_is_used),
    };
    int failed = cmocka_run_group_tests(of_the_file, NULL, NULL);
    if (find_default_model())
        failed += cmocka_run_group_tests(of_the_choice, NULL, NULL);
    else
        fputs("SKIPPED: the default model is not here; run scripts/fetch-model\n", stderr);
    unlink(model_path);
    return failed;
}
#else
int main(void)
{
    fputs("SKIPPED: pawl was built without libllama\n", stderr);
    return 0;
}
#endif
