/* Vectors of texts without a model: what lm.h promises, the scripted vectors, the cache. */
#include "lm/backend.h"
#include "lm_fixture.h"
#include "store/store.h"

#include <math.h>

static const char no_answers[] = "function complete(r) return '' end";

static struct pawl_lm_vectors must_embed(struct pawl_lm *lm, const struct pawl_str *texts, size_t n)
{
    struct pawl_lm_vectors vectors;
    struct pawl_error err = {0};
    if (pawl_lm_embed(lm, &arena, PAWL_ROLE_TASK, texts, n, &vectors, &err) != PAWL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(vectors.n, n);
    return vectors;
}

static double dot(const struct pawl_lm_vectors *v, size_t a, size_t b)
{
    double sum = 0;
    for (size_t i = 0; i < v->dimension; i++)
        sum += (double)v->values[a * v->dimension + i] * (double)v->values[b * v->dimension + i];
    return sum;
}

static void expect_failure(struct pawl_lm *lm, struct pawl_str text, enum pawl_status status,
                           const char *part)
{
    struct pawl_lm_vectors vectors;
    struct pawl_error err = {0};
    struct pawl_str texts[] = {PAWL_STR("good"), text};
    assert_int_equal(pawl_lm_embed(lm, &arena, PAWL_ROLE_TASK, texts, 2, &vectors, &err), status);
    if (!strstr(err.message, part)) fail_msg("\"%s\" lacks \"%s\"", err.message, part);
}

static void test_scripted_vectors_are_of_length_1_and_depend_on_the_text_alone(void **unused)
{
    (void)unused;
    struct pawl_lm *lm = open_script(no_answers);
    static const struct pawl_str texts[] = {{"the cat sat on the mat", 22},
                                            {"The cat, sat on: THE MAT!", 25},
                                            {"...", 3},
                                            {"\xff\xfe", 2},
                                            {"the cat sat on the mat", 22}};
    struct pawl_lm_vectors a = must_embed(lm, texts, 5);
    for (size_t i = 0; i < 5; i++) assert_true(fabs(dot(&a, i, i) - 1) < 1e-6);
    assert_true(dot(&a, 0, 1) > 1 - 1e-6); /* words, not bytes */
    assert_true(fabs(dot(&a, 0, 2)) < 0.5);
    size_t row_bytes = a.dimension * sizeof *a.values;
    assert_memory_equal(a.values, a.values + 4 * a.dimension, row_bytes);
    pawl_lm_close(lm);
    lm = must_open((struct pawl_lm_settings){.seed = 8}, /* another seed, another model's name */
                   "{\"other\":{\"backend\":\"script\",\"file\":\"m.lua\"}}");
    struct pawl_lm_vectors b = must_embed(lm, texts, 5);
    assert_memory_equal(a.values, b.values, 5 * row_bytes);
    pawl_lm_close(lm);
}

static void test_scripted_vectors_are_near_where_words_are_shared(void **unused)
{
    (void)unused;
    struct pawl_lm *lm = open_script(no_answers);
    static const struct pawl_str texts[] = {{"answer briefly and cite the source", 34},
                                            {"answer briefly and cite a source", 32},
                                            {"source the cite and briefly answer", 34},
                                            {"bees make honey in summer fields", 32}};
    struct pawl_lm_vectors v = must_embed(lm, texts, 4);
    assert_true(dot(&v, 0, 1) > 0.5);
    assert_true(dot(&v, 0, 1) > dot(&v, 0, 3) + 0.3);
    assert_true(dot(&v, 0, 2) < 0.95); /* the order counts: every two words in a row are hashed */
    assert_true(dot(&v, 0, 2) > dot(&v, 0, 3));
    pawl_lm_close(lm);
}

static void test_what_has_no_vector_is_refused(void **unused)
{
    (void)unused;
    struct pawl_lm *lm = open_script(no_answers);
    expect_failure(lm, PAWL_STR(""), PAWL_EUSAGE, "Text 2 is empty");
    size_t n_words = 100000;
    char *text = pawl_arena_alloc(&arena, 5 * n_words, 1);
    for (size_t i = 0; i < n_words; i++) memcpy(text + 5 * i, "word ", 5);
    expect_failure(lm, (struct pawl_str){text, 5 * n_words}, PAWL_ETOOBIG,
                   "begins \"word word word word word word word word\" has 100000 words; the model "
                   "reads 8192");
    char *huge = pawl_arena_alloc(&arena, PAWL_PROMPT_MAX + 2, 1);
    memset(huge, 'x', PAWL_PROMPT_MAX + 1);
    expect_failure(lm, (struct pawl_str){huge, PAWL_PROMPT_MAX + 1}, PAWL_ETOOBIG, "16 MiB");
    struct pawl_lm_vectors none;
    assert_int_equal(pawl_lm_embed(lm, &arena, PAWL_ROLE_TASK, NULL, 0, &none, NULL), PAWL_OK);
    pawl_lm_cancel(lm);
    expect_failure(lm, PAWL_STR("late"), PAWL_EPAUSED, "stopped");
    pawl_lm_close(lm);
}

static void test_a_backend_without_vectors_names_those_with(void **unused)
{
    (void)unused;
    struct pawl_lm *lm;
    write_text("tape.jsonl", "");
    assert_int_equal(open_lm((struct pawl_lm_settings){0},
                             "{\"tape\":{\"backend\":\"replay\",\"file\":\"tape.jsonl\"}}", NULL,
                             &lm, NULL),
                     PAWL_OK);
    struct pawl_lm_vectors vectors;
    struct pawl_str text = PAWL_STR("a");
    struct pawl_error err = {0};
    assert_int_equal(pawl_lm_embed(lm, &arena, PAWL_ROLE_JUDGE, &text, 1, &vectors, &err),
                     PAWL_ECONFIG);
    assert_non_null(strstr(err.message, "tape has no vectors: its backend is replay"));
    assert_non_null(strstr(err.hint, "script"));
    assert_null(strstr(err.hint, "replay"));
    pawl_lm_close(lm);
}

static void test_every_backend_has_both_slots_or_none(void **unused)
{
    (void)unused;
    for (size_t i = 0; pawl_lm_backends[i]; i++)
        assert_int_equal(pawl_lm_backends[i]->dimension != NULL,
                         pawl_lm_backends[i]->embed != NULL);
}

int main(void)
{
    pawl_crypto_init();
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_scripted_vectors_are_of_length_1_and_depend_on_the_text_alone),
        TEST(test_scripted_vectors_are_near_where_words_are_shared),
        TEST(test_what_has_no_vector_is_refused),
        TEST(test_a_backend_without_vectors_names_those_with),
        TEST(test_every_backend_has_both_slots_or_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
