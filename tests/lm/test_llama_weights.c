/*
 * Files of the embedded model: refused with the reason, written out once, named without being loaded. Needs
 * the default model (scripts/fetch-model); without it the tests are skipped, loudly.
 */
#include "llama_fixture.h"

#ifdef PAWL_HAVE_LLAMA
#include "base/random.h"
#include "io/file.h"
#include "lm/llama_kept.h"
#include "store/store.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>

static int open_shared(void **unused)
{
    if (use_folders(unused) != 0) return -1;
    shared_lm = open_model(F32_SETTINGS);
    return 0;
}

/* --- files ------------------------------------------------------------------------------------- */

static void expect_refusal(const char *path, const char *part)
{
    struct pawl_lm *lm;
    struct pawl_error err = {0};
    const char *models =
        pawl_arena_printf(&arena, "{\"m\":{\"backend\":\"llama\",\"model\":\"%s\"}}", path);
    enum pawl_status status = open_lm((struct pawl_lm_settings){0}, models, NULL, &lm, &err);
    if (status == PAWL_OK) {
        const char *identity;
        status = pawl_lm_identity(lm, PAWL_ROLE_TASK, &identity, &err);
        pawl_lm_close(lm);
    }
    assert_int_not_equal(status, PAWL_OK);
    if (!strstr(err.message, part)) fail_msg("\"%s\" lacks \"%s\"", err.message, part);
}

static void test_a_broken_file_is_refused_with_the_reason(void **unused)
{
    (void)unused;
    write_text("garbage.gguf", "This is no model at all, only some text that is long enough.");
    expect_refusal(path_of("garbage.gguf"), "cannot");
    write_text("empty.gguf", "");
    expect_refusal(path_of("empty.gguf"), "cannot");
    expect_refusal(path_of("none.gguf"), "no model file");
    /* The beginning of the real one: its tensors point past the end. */
    FILE *from = fopen(model_path, "r"), *to = fopen(path_of("cut.gguf"), "w");
    char *bytes = pawl_arena_alloc(&arena, 1, 4 << 20);
    assert_int_equal(fread(bytes, 1, 4 << 20, from), 4 << 20);
    assert_int_equal(fwrite(bytes, 1, 4 << 20, to), 4 << 20);
    fclose(to);
    expect_refusal(path_of("cut.gguf"), "cannot be used");
    /* And with its first numbers changed, wherever that leads. */
    struct pawl_random random;
    pawl_random_init(&random, 3);
    for (int i = 0; i < 8; i++) {
        bytes[8 + pawl_random_below(&random, 400)] ^= (char)(1 + pawl_random_below(&random, 255));
        to = fopen(path_of("bent.gguf"), "w");
        assert_int_equal(fwrite(bytes, 1, 4 << 20, to), 4 << 20);
        fclose(to);
        expect_refusal(path_of("bent.gguf"), "cannot be used");
    }
    fclose(from);
}

static const char *identity_with(const char *weights, bool sealed)
{
    struct pawl_lm *lm =
        open_model_with((struct pawl_lm_settings){.sealed = sealed},
                        pawl_arena_printf(&arena, "\"weights\":\"%s\",\"threads\":1", weights));
    const char *identity;
    struct pawl_error err = {0};
    if (pawl_lm_identity(lm, PAWL_ROLE_TASK, &identity, &err) != PAWL_OK)
        fail_msg("%s", err.message);
    identity = pawl_arena_strdup(&arena, identity);
    struct pawl_lm_reply reply = must_ask(lm, choose("What a good day!", labels, 2));
    assert_int_equal(reply.status, PAWL_REPLY_OK);
    pawl_lm_close(lm);
    return identity;
}

static bool is_mapped(const char *file)
{
    char line[4400];
    bool found = false;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (!found && fgets(line, sizeof line, maps)) found = strstr(line, file) != NULL;
    fclose(maps);
    return found;
}

static void test_the_sealed_side_maps_what_was_written_out(void **unused)
{
    (void)unused; /* open_shared wrote it */
    struct pawl_hash hash;
    char hex[PAWL_HASH_HEX];
    assert_int_equal(pawl_model_hash(model_path, false, &hash, NULL), PAWL_OK);
    pawl_hash_hex(&hash, hex);
    const char *file = pawl_arena_printf(&arena, "%s/pawl/weights/%s-f32.gguf", cache_dir, hex);
    pawl_lm_close(shared_lm);
    assert_false(is_mapped(file));
    shared_lm = open_model_with((struct pawl_lm_settings){.sealed = true}, F32_SETTINGS);
    struct pawl_lm_reply reply = must_ask(shared_lm, choose("What a good day!", labels, 2));
    assert_int_equal(reply.status, PAWL_REPLY_OK);
    assert_true(is_mapped(file));
}

static void test_weights_are_written_out_once_or_kept_in_memory(void **unused)
{
    (void)unused;
    setenv("XDG_CACHE_HOME", path_of("cache"), 1);
    struct pawl_hash hash;
    char hex[PAWL_HASH_HEX];
    assert_int_equal(pawl_model_hash(model_path, false, &hash, NULL), PAWL_OK);
    pawl_hash_hex(&hash, hex);
    const char *f32 = pawl_arena_printf(&arena, "file:%s:f32", hex);
    assert_string_equal(identity_with("auto", true), f32); /* sealed: nothing on disk */
    assert_false(pawl_path_exists(path_of("cache")));
    assert_string_equal(identity_with("packaged", false),
                        pawl_arena_printf(&arena, "file:%s", hex));
    assert_string_equal(identity_with("f32", false), f32);
    const char *file = path_of(pawl_arena_printf(&arena, "cache/pawl/weights/%s-f32.gguf", hex));
    struct stat first, second;
    assert_int_equal(stat(file, &first), 0);
    assert_string_equal(identity_with("f32", false), f32);
    assert_int_equal(stat(file, &second), 0);
    assert_int_equal(first.st_ino, second.st_ino);
    assert_int_equal(truncate(file, 1 << 20), 0); /* a broken one is written again */
    assert_string_equal(identity_with("f32", false), f32);
    assert_int_equal(stat(file, &second), 0);
    assert_int_equal(first.st_size, second.st_size);
    setenv("XDG_CACHE_HOME", cache_dir, 1);
}

/* --- named without being loaded ----------------------------------------------------------------- */

static const char *hash_of(const char *path)
{
    struct pawl_hash hash;
    char hex[PAWL_HASH_HEX];
    assert_int_equal(pawl_model_hash(path, true, &hash, NULL), PAWL_OK);
    pawl_hash_hex(&hash, hex);
    return pawl_arena_strdup(&arena, hex);
}

static struct pawl_lm *open_cached(struct pawl_store *store, const char *path)
{
    return must_open(
        (struct pawl_lm_settings){.cache = store},
        pawl_arena_printf(&arena, "{\"m\":{\"backend\":\"llama\",\"model\":\"%s\",\"threads\":1}}",
                          path));
}

/* As if `auto` had been measured with one thread. */
static void keep_choice(const char *path, const char *form)
{
    struct pawl_hash hash;
    assert_int_equal(pawl_model_hash(path, true, &hash, NULL), PAWL_OK);
    int lock = pawl_llama_kept_lock();
    assert_true(lock >= 0);
    json_t *entry = pawl_llama_kept_get(&hash);
    pawl_json_set(entry, "weights",
                  json_pack("{s:{s:s, s:i}}", "1", "auto", form, "parameters", 1));
    assert_true(pawl_llama_kept_put(entry));
    json_decref(entry);
    pawl_llama_kept_unlock(lock);
}

static void expect_identity(struct pawl_lm *lm, const char *expected)
{
    const char *identity;
    struct pawl_error err = {0};
    if (pawl_lm_identity(lm, PAWL_ROLE_TASK, &identity, &err) != PAWL_OK)
        fail_msg("%s", err.message);
    assert_string_equal(identity, expected);
}

/* Naming, and answers that the cache has, load nothing; the first other question does. */
static void test_a_model_is_loaded_when_the_cache_has_no_answer(void **unused)
{
    (void)unused;
    struct pawl_store *store;
    assert_int_equal(pawl_store_open(path_of("store"), true, &store, NULL), PAWL_OK);
    setenv("XDG_CACHE_HOME", path_of("cache"), 1);
    const char *weights =
        path_of(pawl_arena_printf(&arena, "cache/pawl/weights/%s-f32.gguf", hash_of(model_path)));
    const char *name = pawl_arena_printf(&arena, "file:%s:f32", hash_of(model_path));
    struct pawl_lm_request known = choose("What a good day!", labels, 2);

    keep_choice(model_path, "f32");
    struct pawl_lm *lm = open_cached(store, model_path);
    assert_true(pawl_lm_parallel(lm, PAWL_ROLE_TASK) > 1);
    expect_identity(lm, name);
    assert_false(is_mapped(weights));
    struct pawl_lm_reply first = must_ask(lm, known);
    pawl_lm_close(lm);
    assert_int_equal(pawl_store_flush(store, NULL), PAWL_OK);

    lm = open_cached(store, model_path);
    expect_identity(lm, name);
    struct pawl_lm_reply again = must_ask(lm, known);
    assert_int_equal(again.usage.n_cached, 1);
    assert_text(&again, first.text.ptr);
    assert_false(is_mapped(weights));
    struct pawl_lm_reply other = must_ask(lm, choose("What a bad day!", labels, 2));
    assert_int_equal(other.status, PAWL_REPLY_OK);
    assert_int_equal(other.usage.n_cached, 0);
    assert_true(is_mapped(weights));
    expect_identity(lm, name);
    pawl_lm_close(lm);
    pawl_store_close(store);
    setenv("XDG_CACHE_HOME", cache_dir, 1);
}

static pthread_barrier_t all_here;

static void *ask_broken(void *lm)
{
    struct pawl_arena call = {0};
    struct pawl_error err = {0};
    struct pawl_lm_reply reply;
    struct pawl_message message = {"user", PAWL_STR("hello")};
    struct pawl_lm_request request = {.messages = &message, .n_messages = 1, .max_tokens = 1};
    pthread_barrier_wait(&all_here);
    bool refused = pawl_lm_ask(lm, &call, &request, 1, &reply, &err) == PAWL_ECONFIG &&
                   strstr(err.message, "cannot be used");
    pawl_arena_release(&call);
    return refused ? lm : NULL;
}

static long faults_of_children(void)
{
    struct rusage used;
    getrusage(RUSAGE_CHILDREN, &used);
    return used.ru_minflt;
}

/* A broken model is tried out once for all who wait for it, not by each in turn. */
static void test_a_load_fails_for_all_who_wait(void **unused)
{
    (void)unused;
    enum { MANY = 32 };
    pthread_t threads[MANY];
    long faults[2];
    write_text("garbage.gguf", "This is no model at all, only some text that is long enough.");
    for (unsigned round = 0; round < 2; round++) { /* one thread, then many */
        unsigned n = round ? MANY : 1;
        struct pawl_lm *lm =
            must_open((struct pawl_lm_settings){0},
                      pawl_arena_printf(&arena, "{\"m\":{\"backend\":\"llama\",\"model\":\"%s\"}}",
                                        path_of("garbage.gguf")));
        pthread_barrier_init(&all_here, NULL, n);
        faults[round] = -faults_of_children();
        for (unsigned i = 0; i < n; i++) pthread_create(&threads[i], NULL, ask_broken, lm);
        for (unsigned i = 0; i < n; i++) {
            void *refused;
            pthread_join(threads[i], &refused);
            assert_non_null(refused);
        }
        faults[round] += faults_of_children();
        pthread_barrier_destroy(&all_here);
        pawl_lm_close(lm);
    }
    assert_true(faults[0] > 0);
    assert_true(faults[1] < faults[0] * MANY / 2);
}

/* What is named and does not run fails at the first question, with the reason; a form once chosen
 * stays, and a note that says nothing is made anew. */
static void test_what_was_named_is_what_is_loaded(void **unused)
{
    (void)unused;
    struct pawl_store *store;
    struct pawl_lm_reply reply;
    struct pawl_error err = {0};
    assert_int_equal(pawl_store_open(path_of("store"), true, &store, NULL), PAWL_OK);
    setenv("XDG_CACHE_HOME", path_of("cache"), 1);
    write_text("garbage.gguf", "This is no model at all, only some text that is long enough.");
    keep_choice(path_of("garbage.gguf"), "f32");
    struct pawl_lm *lm = open_cached(store, path_of("garbage.gguf"));
    expect_identity(lm, pawl_arena_printf(&arena, "file:%s:f32", hash_of(path_of("garbage.gguf"))));
    struct pawl_lm_request request = request_of("hello");
    assert_int_equal(pawl_lm_ask(lm, &arena, &request, 1, &reply, &err), PAWL_ECONFIG);
    assert_non_null(strstr(err.message, "cannot be used: libllama cannot load it"));
    pawl_lm_close(lm);

    const char *packaged = pawl_arena_printf(&arena, "file:%s", hash_of(model_path));
    keep_choice(model_path, "packaged");
    assert_string_equal(identity_with("auto", false), packaged);
    assert_string_equal(identity_with("auto", true), packaged);
    lm = open_cached(store, model_path);
    expect_identity(lm, packaged);
    /* Meanwhile somebody changes the choice. */
    keep_choice(model_path, "f32");
    assert_int_equal(pawl_lm_ask(lm, &arena, &request, 1, &reply, &err), PAWL_EWORLD);
    assert_non_null(strstr(err.message, "was named"));
    expect_identity(lm, packaged);
    pawl_lm_close(lm);
    keep_choice(model_path, "f64"); /* is none: measured anew */
    assert_null(strstr(identity_with("auto", false), "f64"));
    pawl_store_close(store);
    setenv("XDG_CACHE_HOME", cache_dir, 1);
}

int main(void)
{
    if (!find_default_model()) return 0;
    const struct CMUnitTest tests[] = {
        OWN_TEST(test_a_broken_file_is_refused_with_the_reason),
        SHARED_TEST(test_the_sealed_side_maps_what_was_written_out),
        OWN_TEST(test_weights_are_written_out_once_or_kept_in_memory),
        OWN_TEST(test_a_model_is_loaded_when_the_cache_has_no_answer),
        OWN_TEST(test_what_was_named_is_what_is_loaded),
        OWN_TEST(test_a_load_fails_for_all_who_wait),
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
