/*
 * Answers written by guessing, on the real model: the same ones, in fewer decodes where they copy. The
 * engine is asked directly, as only it says how many decodes there were. Needs the default model
 * (scripts/fetch-model); without it the tests are skipped, loudly.
 */
#include "llama_fixture.h"

#ifdef PAWL_HAVE_LLAMA
#include "lm/llama_cells.h"
#include "lm/llama_engine.h"
#include "lm/llama_gain.h"
#include "lm/llama_lookup.h"
#include "lm/llama_prompt.h"
#include "lm/llama_weights.h"

enum { CONTEXT = 2048 };
static const struct pawl_llama_pace pace = {1, 256, 256};
static struct pawl_llama_weights weights;
static struct llama_model *model;
static const struct llama_vocab *vocab;

static int load(void **unused)
{
    if (use_folders(unused) != 0) return -1;
    struct pawl_llama_weights_spec spec = {
        .path = model_path, .form = "f32", .context_tokens = 512, .pace = pace};
    struct pawl_error err = {0};
    if (pawl_model_hash(model_path, true, &spec.hash, &err) != PAWL_OK ||
        pawl_llama_weights_open(&spec, &weights, &err) != PAWL_OK) {
        fputs(err.message, stderr);
        return -1;
    }
    model = pawl_llama_load(weights.path);
    vocab = model ? llama_model_get_vocab(model) : NULL;
    return model ? 0 : -1;
}

static int unload(void **unused)
{
    llama_model_free(model);
    pawl_llama_weights_release(&weights);
    return close_shared(unused);
}

static struct pawl_llama_engine *open_engine(bool speculate, size_t context_tokens)
{
    struct pawl_llama_engine_settings settings = {.model = model,
                                                  .context_tokens = context_tokens,
                                                  .text_tokens = 512,
                                                  .pace = pace,
                                                  .speculate = speculate};
    struct pawl_llama_engine *engine;
    struct pawl_error err = {0};
    if (pawl_llama_engine_open(&settings, &engine, &err) != PAWL_OK) fail_msg("%s", err.message);
    return engine;
}

/* ---- Questions ---------------------------------------------------------------------------------- */

static struct pawl_llama_job job_of(const char *prompt, size_t max_tokens)
{
    struct pawl_llama_job job = {.max_tokens = max_tokens, .text = PAWL_BUF(PAWL_REPLY_MAX)};
    job.n_prompt = pawl_llama_spell(vocab, &arena, pawl_str_of(prompt), &job.prompt);
    return job;
}

static void run(struct pawl_llama_engine *engine, struct pawl_llama_job *jobs, size_t n)
{
    struct pawl_error err = {0};
    if (pawl_llama_engine_run(engine, jobs, n, &err) != PAWL_OK) fail_msg("%s", err.message);
    for (size_t i = 0; i < n; i++)
        if (jobs[i].failure) fail_msg("%s", jobs[i].failure);
}

static void begin_again(struct pawl_llama_job *job)
{
    pawl_buf_release(&job->text);
    job->text = PAWL_BUF(PAWL_REPLY_MAX);
    job->n_completion = 0;
    job->truncated = false;
}

/* The answer, in the test's arena; the job may run again. */
static const char *answer(struct pawl_llama_engine *engine, struct pawl_llama_job *job)
{
    run(engine, job, 1);
    const char *text = pawl_arena_strdup(&arena, job->text.len ? job->text.data : "");
    begin_again(job);
    return text;
}

/* A list twice and its beginning again: any model goes on with it. */
static const char *to_be_copied(size_t i)
{
    struct pawl_buf list = PAWL_BUF(1 << 12);
    for (size_t k = 0; k < N_TOPICS / 2; k++)
        pawl_buf_printf(&list, "%s costs %zu coins and %s costs %zu.\n",
                        topics[(k * 5 + i) % N_TOPICS], 10 + (7 * k + 3 * i) % 80,
                        topics[(k * 7 + i + 3) % N_TOPICS], 10 + (11 * k + i) % 80);
    const char *prompt =
        pawl_arena_printf(&arena, "%s\n%s\n%.30s", list.data, list.data, list.data);
    pawl_buf_release(&list);
    return prompt;
}

static struct pawl_llama_work difference(struct pawl_llama_work now, struct pawl_llama_work before)
{
    return (struct pawl_llama_work){.decodes = now.decodes - before.decodes,
                                    .tokens = now.tokens - before.tokens,
                                    .guessed = now.guessed - before.guessed,
                                    .right = now.right - before.right};
}

/* ---- Tests -------------------------------------------------------------------------------------- */

static void test_answers_are_the_same_and_copies_take_fewer_decodes(void **unused)
{
    (void)unused;
    enum { COPIES = 2, OTHERS = 2, N = COPIES + OTHERS, TOKENS = 24 };
    struct pawl_llama_engine *plain = open_engine(false, CONTEXT),
                             *quick = open_engine(true, CONTEXT);
    size_t n_equal = 0;
    for (size_t i = 0; i < N; i++) {
        struct pawl_llama_job job = job_of(i < COPIES ? to_be_copied(i) : about(topics[i]), TOKENS);
        struct pawl_llama_work before[] = {pawl_llama_engine_work(plain),
                                           pawl_llama_engine_work(quick)};
        const char *a = answer(plain, &job), *b = answer(quick, &job);
        n_equal += strcmp(a, b) == 0;
        if (i >= COPIES) continue;
        struct pawl_llama_work slow = difference(pawl_llama_engine_work(plain), before[0]);
        struct pawl_llama_work fast = difference(pawl_llama_engine_work(quick), before[1]);
        assert_int_equal(slow.guessed, 0);
        assert_int_equal(slow.tokens, slow.decodes);
        assert_int_equal(slow.tokens, TOKENS - 1); /* the first one comes of the prompt */
        assert_int_equal(fast.tokens, slow.tokens);
        assert_int_equal(fast.tokens, fast.decodes + fast.right);
        if (2 * fast.decodes >= slow.decodes)
            fail_msg("%d decodes in place of %d: %s", (int)fast.decodes, (int)slow.decodes, b);
    }
    assert_true(pawl_llama_engine_work(quick).saved_us > 0);
    /* A near tie may fall to the other side, as in other company. */
    if (n_equal < N - 1) fail_msg("only %zu of %d answers agree", n_equal, (int)N);
    pawl_llama_engine_close(plain);
    pawl_llama_engine_close(quick);
}

static void test_together_they_are_what_they_are_alone(void **unused)
{
    (void)unused;
    enum { N = 6 };
    struct pawl_llama_engine *engines[] = {open_engine(false, CONTEXT), open_engine(true, CONTEXT)};
    struct pawl_llama_job jobs[2][N];
    size_t n_equal = 0;
    for (size_t e = 0; e < 2; e++) {
        for (size_t i = 0; i < N; i++) {
            jobs[e][i] = job_of(i % 2 ? to_be_copied(i) : about(topics[i]), 6 + 3 * i);
            jobs[e][i].role = i % 3 ? PAWL_ROLE_TASK : PAWL_ROLE_JUDGE;
        }
        run(engines[e], jobs[e], N);
    }
    for (size_t i = 0; i < N; i++) {
        assert_true(jobs[1][i].n_completion <= jobs[1][i].max_tokens);
        n_equal += pawl_str_eq(pawl_buf_str(&jobs[0][i].text), pawl_buf_str(&jobs[1][i].text)) &&
                   jobs[0][i].n_completion == jobs[1][i].n_completion &&
                   jobs[0][i].truncated == jobs[1][i].truncated;
        for (size_t e = 0; e < 2; e++) pawl_buf_release(&jobs[e][i].text);
    }
    if (n_equal < N - 1) fail_msg("only %zu of %d answers agree", n_equal, (int)N);
    assert_true(pawl_llama_engine_work(engines[1]).right > 0);
    for (size_t e = 0; e < 2; e++) pawl_llama_engine_close(engines[e]);
}

static void test_limits_and_stops_hold_within_a_guess(void **unused)
{
    (void)unused;
    struct pawl_llama_job job = job_of(to_be_copied(1), 40);
    /* No cell more than prompt and answer take. */
    struct pawl_llama_engine *engine = open_engine(true, job.n_prompt + job.max_tokens);
    const char *whole = answer(engine, &job);
    for (size_t n = 1; n <= 12; n += n < 4 ? 1 : 4) {
        struct pawl_llama_work before = pawl_llama_engine_work(engine);
        job.max_tokens = n;
        run(engine, &job, 1);
        assert_int_equal(job.n_completion, n);
        assert_true(job.truncated);
        assert_memory_equal(job.text.data, whole, job.text.len);
        struct pawl_llama_work work = difference(pawl_llama_engine_work(engine), before);
        assert_int_equal(work.tokens, n - 1);
        assert_true(work.guessed + work.decodes <= (int64_t)(n - 1)); /* none that is of no use */
        begin_again(&job);
    }
    job.max_tokens = 40;
    struct pawl_str stop = {whole + 20, 4};
    job.stops = &stop;
    job.n_stops = 1;
    const char *cut = answer(engine, &job);
    assert_true(strlen(cut) <= 20);
    assert_memory_equal(cut, whole, strlen(cut));
    pawl_llama_engine_close(engine);
}

/* Digits, each of them another one than a look at those before suggests. A digit is a token. */
static const char *unforeseen(size_t n)
{
    llama_token seen[256], guess;
    char *digits = pawl_arena_alloc(&arena, 1, n + 1);
    assert_true(n <= 256);
    for (size_t i = 0; i < n; i++) {
        bool foreseen = pawl_llama_lookup_find(seen, i, &guess, 1) == 1;
        seen[i] = (llama_token)(i * i % 3);
        if (foreseen && seen[i] == guess) seen[i] = (guess + 1) % 3;
        digits[i] = (char)('0' + seen[i]);
    }
    return digits;
}

/* A grammar that allows one text holds the answer to it. */
static void test_guesses_that_are_wrong_are_given_up(void **unused)
{
    (void)unused;
    enum { DIGITS = 64 }; /* both answers are over before the pause is */
    const char *forced = unforeseen(DIGITS);
    struct pawl_llama_hold *hold =
        pawl_llama_hold_new(vocab, pawl_arena_printf(&arena, "root ::= \"%s\"\n", forced));
    assert_non_null(hold);
    struct pawl_llama_engine *engine = open_engine(true, CONTEXT);
    for (int round = 0; round < 2; round++) {
        struct pawl_llama_work before = pawl_llama_engine_work(engine);
        struct pawl_llama_job job = job_of("Digits:", 2 * DIGITS);
        job.hold = pawl_llama_hold_copy(hold);
        assert_string_equal(answer(engine, &job), forced);
        pawl_llama_hold_free(job.hold);
        struct pawl_llama_work work = difference(pawl_llama_engine_work(engine), before);
        assert_int_equal(work.right, 0);
        assert_int_equal(work.decodes, DIGITS);
        if (round == 0)
            assert_in_range(work.guessed, PAWL_LLAMA_TRIAL, 4 * PAWL_LLAMA_TRIAL);
        else
            assert_int_equal(work.guessed, 0);
    }
    assert_true(pawl_llama_engine_work(engine).saved_us < 0);
    pawl_llama_hold_free(hold);
    pawl_llama_engine_close(engine);
}

static void test_only_greedy_answers_are_guessed(void **unused)
{
    (void)unused;
    struct pawl_llama_engine *engine = open_engine(true, CONTEXT);
    struct pawl_llama_job job = job_of(to_be_copied(2), 12);
    job.sampling = (struct pawl_llama_sampling){.temperature = 0.5};
    pawl_random_init(&job.sampling.random, 3);
    (void)answer(engine, &job);
    assert_int_equal(pawl_llama_engine_work(engine).guessed, 0);
    pawl_llama_engine_close(engine);
}

/* What was wrong leaves the cache, and what was right stays in it. */
static void test_cells_are_what_they_were(void **unused)
{
    (void)unused;
    struct llama_context *context =
        llama_init_from_model(model, pawl_llama_context_params(512, &pace));
    assert_non_null(context);
    llama_memory_t memory = llama_get_memory(context);
    struct pawl_llama_cells *cells = pawl_llama_cells_new(context, 512, 256);
    struct pawl_llama_job job = job_of("One two three four five six", 8);
    struct pawl_llama_lease lease;
    assert_true(pawl_llama_cells_can_cut(model));
    assert_true(pawl_llama_cells_lease(cells, job.prompt, job.n_prompt, 8, &lease));
    struct llama_batch batch = llama_batch_init(256, 0, 1);
    for (size_t i = 0; i < job.n_prompt; i++)
        pawl_llama_batch_add(&batch, job.prompt[i], i, lease.seq, true);
    assert_int_equal(llama_decode(context, batch), 0);
    float once = llama_get_logits_ith(context, batch.n_tokens - 1)[7];
    size_t n = job.n_prompt - 1;
    for (int round = 0; round < 2; round++) { /* a wrong guess, and the right token in its place */
        pawl_llama_cells_cut(cells, &lease, n);
        assert_int_equal(llama_memory_seq_pos_max(memory, lease.seq), n - 1);
        batch.n_tokens = 0;
        for (size_t i = 0; i < (round ? 1 : 4); i++)
            pawl_llama_batch_add(&batch, job.prompt[round ? n : i], n + i, lease.seq, true);
        assert_int_equal(llama_decode(context, batch), 0);
    }
    float again = llama_get_logits_ith(context, 0)[7];
    assert_true(once - again < 1e-2F && again - once < 1e-2F);
    llama_seq_id seq = lease.seq;
    pawl_llama_cells_return(cells, &lease);
    assert_int_equal(llama_memory_seq_pos_max(memory, seq), -1);
    llama_batch_free(batch);
    pawl_llama_cells_free(cells);
    llama_free(context);
}

static void test_pawl_yaml_turns_it_off(void **unused)
{
    (void)unused;
    struct pawl_lm *lm;
    struct pawl_error err = {0};
    const char *models = pawl_arena_printf(&arena, "{\"m\":%s}",
                                           model_entry(F32_SETTINGS ",\"speculation\":\"never\""));
    assert_int_equal(open_lm((struct pawl_lm_settings){0}, models, NULL, &lm, &err), PAWL_ECONFIG);
    static const char *const settings[] = {"off", "auto"};
    json_t *schema = json_of("{\"enum\":[\"rain costs ten coins and bread costs twenty\"]}");
    for (size_t i = 0; i < 2; i++) {
        lm = open_model(
            pawl_arena_printf(&arena, F32_SETTINGS ",\"speculation\":\"%s\"", settings[i]));
        json_t *work = pawl_lm_work(lm);
        assert_int_equal(json_object_size(work), 0); /* nothing is loaded */
        json_decref(work);
        struct pawl_lm_request request =
            ask_for("Say: \"rain costs ten coins and bread costs twenty\"", 24);
        request.schema = schema;
        struct pawl_lm_reply reply = must_ask(lm, request);
        assert_text(&reply, "\"rain costs ten coins and bread costs twenty\"");
        work = pawl_lm_work(lm);
        const json_t *of_m = json_object_get(work, "m");
        assert_true(pawl_json_get_int(of_m, "decodes", 0) > 0);
        assert_int_equal(pawl_json_get_int(of_m, "guessed", -1) > 0, i);
        json_decref(work);
        pawl_lm_close(lm);
    }
    json_decref(schema);
}

int main(void)
{
    if (!find_default_model()) return 0;
    const struct CMUnitTest tests[] = {
        SHARED_TEST(test_answers_are_the_same_and_copies_take_fewer_decodes),
        SHARED_TEST(test_together_they_are_what_they_are_alone),
        SHARED_TEST(test_limits_and_stops_hold_within_a_guess),
        SHARED_TEST(test_guesses_that_are_wrong_are_given_up),
        SHARED_TEST(test_only_greedy_answers_are_guessed),
        SHARED_TEST(test_cells_are_what_they_were),
        SHARED_TEST(test_pawl_yaml_turns_it_off),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
#else
int main(void)
{
    fputs("SKIPPED: pawl was built without libllama\n", stderr);
    return 0;
}
#endif
