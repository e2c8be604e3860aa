/*
 * What the tests of the embedded model share: the default model or a loud skip, a folder for weights
 * that are written out, and one model that is open for all tests of a program.
 *
 * One thread: the runner runs several tests at a time. F32: its sums differ in the last digits where a batch
 * is put together in another way; those of 4-bit weights differ in the first. Written out once for all
 * programs of a build, in $PAWL_TEST_CACHE where the runner names one; tests of the writing itself set a
 * cache of their own.
 *
 *     static int open_shared(void **unused)
 *     {
 *         if (use_folders(unused) != 0) return -1;
 *         shared_lm = open_model(F32_SETTINGS);
 *         return 0;
 *     }
 *     int main(void)
 *     {
 *         if (!find_default_model()) return 0;
 *         ... cmocka_run_group_tests(tests, open_shared, close_shared);
 */
#ifndef TESTS_LM_LLAMA_FIXTURE_H
#define TESTS_LM_LLAMA_FIXTURE_H

#include "lm_fixture.h"

#ifdef PAWL_HAVE_LLAMA
#include "lm/model_file.h"

#define F32_SETTINGS "\"weights\":\"f32\",\"threads\":1"

static char model_path[4096];
static char cache_dir[512];       /* of weights: XDG_CACHE_HOME unless a test sets another */
static char program_dir[512];     /* of this program, as long as it runs */
static struct pawl_lm *shared_lm; /* what most tests ask */

/* False, with a line that says so, where the tests are to be skipped. */
static inline bool find_default_model(void)
{
    pawl_crypto_init();
    struct pawl_arena call = {0};
    const char *path;
    bool found = pawl_model_find(&call, "smollm2-135m", "/", &path, NULL) == PAWL_OK;
    if (found)
        snprintf(model_path, sizeof model_path, "%s", path);
    else
        fputs("SKIPPED: the default model is not here; run scripts/fetch-model\n", stderr);
    pawl_arena_release(&call);
    return found;
}

/* The default model's entry in pawl.yaml. */
static inline const char *model_entry(const char *settings)
{
    return pawl_arena_printf(&arena, "{\"backend\":\"llama\",\"model\":\"%s\",%s}", model_path,
                             settings);
}

static inline struct pawl_lm *open_model_with(struct pawl_lm_settings lm, const char *settings)
{
    return must_open(lm, pawl_arena_printf(&arena, "{\"m\":%s}", model_entry(settings)));
}

static inline struct pawl_lm *open_model(const char *settings)
{
    return open_model_with((struct pawl_lm_settings){0}, settings);
}

static inline int use_folders(void **unused)
{
    if (set_up(unused) != 0) return -1;
    const char *shared = getenv("PAWL_TEST_CACHE");
    snprintf(program_dir, sizeof program_dir, "%s", dir);
    snprintf(cache_dir, sizeof cache_dir, "%s", shared ? shared : dir);
    return setenv("XDG_CACHE_HOME", cache_dir, 1);
}

static inline int close_shared(void **unused)
{
    pawl_lm_close(shared_lm);
    snprintf(dir, sizeof dir, "%s", program_dir);
    return tear_down(unused);
}

/* After each test that has no folder of its own. */
static inline int forget(void **unused)
{
    (void)unused;
    pawl_arena_release(&arena);
    return 0;
}
#define SHARED_TEST(name) cmocka_unit_test_teardown(name, forget)
#define OWN_TEST(name)    cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* ---- Questions ---------------------------------------------------------------------------------- */

static const char *const topics[] = {"rain",  "bread", "trains", "bees", "salt",  "maps",
                                     "glass", "owls",  "tea",    "snow", "ropes", "paint"};
enum { N_TOPICS = sizeof topics / sizeof *topics };
static const struct pawl_str labels[] = {{"positive", 8}, {"negative", 8}};

static inline const char *about(const char *topic)
{
    return pawl_arena_printf(&arena, "Write one sentence about %s.", topic);
}

static inline struct pawl_lm_request ask_for(const char *prompt, int max_tokens)
{
    struct pawl_lm_request request = request_of(prompt);
    request.max_tokens = max_tokens;
    return request;
}

static inline struct pawl_lm_request choose(const char *prompt, const struct pawl_str *choices,
                                            size_t n)
{
    struct pawl_lm_request request = request_of(prompt);
    request.choices = choices;
    request.n_choices = n;
    return request;
}

static inline void ask_all(struct pawl_lm *lm, const struct pawl_lm_request *requests, size_t n,
                           struct pawl_lm_reply *replies)
{
    struct pawl_error err = {0};
    if (pawl_lm_ask(lm, &arena, requests, n, replies, &err) != PAWL_OK) fail_msg("%s", err.message);
    for (size_t i = 0; i < n; i++)
        if (replies[i].status != PAWL_REPLY_OK) fail_msg("%s", replies[i].reason);
}
#endif

#endif
