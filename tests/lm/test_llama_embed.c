/*
 * Vectors of the embedded model. Needs the default model (scripts/fetch-model); without it the tests
 * are skipped, loudly.
 */
#include "llama_fixture.h"

#ifdef PAWL_HAVE_LLAMA
#include "store/store.h"

#include <math.h>
#include <pthread.h>
#include <sqlite3.h>

#define SETTINGS F32_SETTINGS ",\"context\":512"

static int open_shared(void **unused)
{
    if (use_folders(unused) != 0) return -1;
    shared_lm = open_model(SETTINGS);
    return 0;
}

static struct pawl_lm_vectors must_embed(struct pawl_lm *lm, const struct pawl_str *texts, size_t n)
{
    struct pawl_lm_vectors vectors;
    struct pawl_error err = {0};
    if (pawl_lm_embed(lm, &arena, PAWL_ROLE_TASK, texts, n, &vectors, &err) != PAWL_OK)
        fail_msg("%s", err.message);
    return vectors;
}

static double dot(const float *a, const float *b, size_t dimension)
{
    double sum = 0;
    for (size_t i = 0; i < dimension; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

static const float *row(const struct pawl_lm_vectors *v, size_t i)
{
    return v->values + i * v->dimension;
}

/* By threes: a text, a paraphrase, something else. */
static const char *const triples[] = {
    "The train to Berlin was two hours late because of heavy snow.",
    "Because of heavy snow the train to Berlin arrived two hours late.",
    "Whisk three eggs with sugar until the mixture is pale and thick.",
    "This film was wonderful; I loved every minute of it.",
    "I enjoyed the whole movie, it was a wonderful film.",
    "The committee approved a budget for repairing the town's bridges.",
    "How do I reset the password of my account?",
    "I forgot my account password, how can I reset it?",
    "Penguins live in the southern hemisphere and cannot fly."};
enum { N_TEXTS = sizeof triples / sizeof *triples };

static void test_a_paraphrase_is_nearer_than_something_else(void **unused)
{
    (void)unused;
    struct pawl_str texts[N_TEXTS];
    for (size_t i = 0; i < N_TEXTS; i++) texts[i] = pawl_str_of(triples[i]);
    struct pawl_lm_vectors v = must_embed(shared_lm, texts, N_TEXTS);
    for (size_t i = 0; i < N_TEXTS; i += 3) {
        double near = dot(row(&v, i), row(&v, i + 1), v.dimension);
        double far = dot(row(&v, i), row(&v, i + 2), v.dimension);
        if (near <= far) fail_msg("text %zu: %g is not over %g", i, near, far);
        assert_true(fabs(dot(row(&v, i), row(&v, i), v.dimension) - 1) < 1e-6);
    }
}

static void test_together_and_one_by_one_agree(void **unused)
{
    (void)unused;
    enum { N = 36, LONG = 4 }; /* more than are at work at a time, one longer than a batch */
    struct pawl_buf repeated = PAWL_BUF(1 << 16);
    for (size_t i = 0; i < 15; i++) pawl_buf_add(&repeated, triples[i % N_TEXTS]);
    struct pawl_str texts[N];
    for (size_t i = 0; i < N; i++)
        texts[i] = pawl_str_of(pawl_arena_printf(&arena, "%zu %.*s", i, 8, triples[i % N_TEXTS]));
    texts[LONG] = pawl_str_of(repeated.data);
    texts[N - 1] = texts[0];
    struct pawl_lm_vectors together = must_embed(shared_lm, texts, N);
    for (size_t i = 0; i < N; i += LONG) {
        struct pawl_lm_vectors alone = must_embed(shared_lm, &texts[i], 1);
        for (size_t k = 0; k < alone.dimension; k++)
            if (fabs((double)alone.values[k] - (double)row(&together, i)[k]) > 1e-3)
                fail_msg("text %zu differs at %zu", i, k);
    }
    struct pawl_lm_vectors once = must_embed(shared_lm, texts, 1);
    struct pawl_lm_vectors again = must_embed(shared_lm, texts, 1);
    assert_memory_equal(once.values, again.values, once.dimension * sizeof(float));
    for (size_t k = 0; k < together.dimension; k++) /* equal texts of one batch */
        assert_true(fabs((double)row(&together, 0)[k] - (double)row(&together, N - 1)[k]) < 1e-3);
    pawl_buf_release(&repeated);
}

static void test_a_text_over_the_context_is_refused(void **unused)
{
    (void)unused;
    struct pawl_lm_vectors vectors;
    struct pawl_error err = {0};
    size_t n_words = 100000;
    char *text = pawl_arena_alloc(&arena, 5 * n_words, 1);
    for (size_t i = 0; i < n_words; i++) memcpy(text + 5 * i, "word ", 5);
    struct pawl_str texts[] = {PAWL_STR("short"), {text, 5 * n_words}};
    assert_int_equal(pawl_lm_embed(shared_lm, &arena, PAWL_ROLE_TASK, texts, 2, &vectors, &err),
                     PAWL_ETOOBIG);
    assert_non_null(strstr(err.message, "the model reads 512"));
    texts[1].len = 5 * 900; /* this one is counted */
    assert_int_equal(pawl_lm_embed(shared_lm, &arena, PAWL_ROLE_TASK, texts, 2, &vectors, &err),
                     PAWL_ETOOBIG);
    assert_non_null(strstr(err.message, "tokens; the model reads 512"));
    texts[1].len = 5 * 400;
    must_embed(shared_lm, texts, 2);
}

struct asker {
    bool vectors;
    size_t good;
};

static void *ask_some(void *argument)
{
    struct asker *asker = argument;
    struct pawl_arena mine = {0};
    for (size_t i = 0; i < 3; i++) {
        struct pawl_message message = {"user", pawl_str_of(triples[i])};
        struct pawl_lm_request request = {.messages = &message, .n_messages = 1, .max_tokens = 6};
        struct pawl_lm_reply reply;
        struct pawl_lm_vectors vectors;
        if (asker->vectors)
            asker->good += pawl_lm_embed(shared_lm, &mine, PAWL_ROLE_TASK, &message.content, 1,
                                         &vectors, NULL) == PAWL_OK;
        else
            asker->good += pawl_lm_ask(shared_lm, &mine, &request, 1, &reply, NULL) == PAWL_OK &&
                           reply.status == PAWL_REPLY_OK;
    }
    pawl_arena_release(&mine);
    return NULL;
}

static void test_answers_and_vectors_are_computed_side_by_side(void **unused)
{
    (void)unused;
    struct pawl_str text = pawl_str_of(triples[0]);
    struct pawl_lm_vectors before = must_embed(shared_lm, &text, 1);
    struct pawl_message message = {"user", text};
    struct pawl_lm_request request = {.messages = &message, .n_messages = 1, .max_tokens = 6};
    struct pawl_lm_reply first = must_ask(shared_lm, request);
    enum { N = 4 };
    pthread_t threads[N];
    struct asker askers[N];
    for (size_t i = 0; i < N; i++) {
        askers[i] = (struct asker){.vectors = i % 2};
        assert_int_equal(pthread_create(&threads[i], NULL, ask_some, &askers[i]), 0);
    }
    for (size_t i = 0; i < N; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(askers[i].good, 3);
    }
    struct pawl_lm_vectors after = must_embed(shared_lm, &text, 1);
    assert_memory_equal(before.values, after.values, before.dimension * sizeof(float));
    struct pawl_lm_reply last = must_ask(shared_lm, request);
    assert_true(pawl_str_eq(first.text, last.text));
}

static struct pawl_store *open_store(void)
{
    struct pawl_store *store;
    struct pawl_error err = {0};
    if (pawl_store_open(path_of("store"), true, &store, &err) != PAWL_OK)
        fail_msg("%s", err.message);
    return store;
}

static void test_vectors_are_cached(void **unused)
{
    (void)unused;
    struct pawl_str texts[] = {pawl_str_of(triples[0]), pawl_str_of(triples[2])};
    struct pawl_store *store = open_store();
    struct pawl_lm *lm = open_model_with((struct pawl_lm_settings){.cache = store}, SETTINGS);
    struct pawl_lm_vectors fresh = must_embed(lm, texts, 1);
    pawl_lm_close(lm);
    pawl_store_close(store);

    sqlite3 *database; /* what is kept becomes something that no model would say */
    assert_int_equal(sqlite3_open(path_of("store/pawl.db"), &database), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(database, "UPDATE answer SET body = zeroblob(length(body))", NULL, NULL, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_changes(database), 1);
    sqlite3_close(database);

    store = open_store();
    lm = open_model_with((struct pawl_lm_settings){.cache = store}, SETTINGS);
    struct pawl_lm_vectors both = must_embed(lm, texts, 2);
    assert_int_equal(both.dimension, fresh.dimension);
    assert_true(dot(row(&both, 0), row(&both, 0), both.dimension) == 0);
    assert_true(fabs(dot(row(&both, 1), row(&both, 1), both.dimension) - 1) < 1e-6);
    pawl_lm_close(lm);
    pawl_store_close(store);
}

int main(void)
{
    if (!find_default_model()) return 0;
    const struct CMUnitTest tests[] = {
        SHARED_TEST(test_a_paraphrase_is_nearer_than_something_else),
        SHARED_TEST(test_together_and_one_by_one_agree),
        SHARED_TEST(test_a_text_over_the_context_is_refused),
        SHARED_TEST(test_answers_and_vectors_are_computed_side_by_side),
        SHARED_TEST(test_vectors_are_cached),
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
