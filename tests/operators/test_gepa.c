/*
 * GEPA over a host in memory. The source file is included, so that its parts can be asked one by
 * one; its host is the fake one.
 */
#include "operators/vectors.h"
#include "support/fake_host.h"

#include "operators/gepa_front.c"
#include "operators/gepa_reflect.c"
#include "operators/op_gepa.c"

/* --- a task -------------------------------------------------------------------------------------- */

/* The instruction is a text of rule letters; case i is answered when rule 'a' + i % rules is there.
 * The reflecting model adds the rule of the first failed task that it is shown. */
struct task {
    unsigned rules;
    bool missing_train, missing_dev;
    size_t n_shown_tasks, n_shown_judgements;
};

static bool has_rule(const struct pawl_host *host, uint32_t candidate, unsigned rule)
{
    struct pawl_str text = host->candidates[candidate].texts[0];
    return memchr(text.ptr, 'a' + (int)rule, text.len) != NULL;
}

static void answer(struct pawl_host *host, const struct fake_question *question,
                   struct pawl_host_result *result)
{
    const struct task *task = host->context;
    bool is_train = question->tier == PAWL_HOST_TRAIN;
    unsigned rule = question->train_or_dev_case % task->rules;
    result->missing = is_train ? task->missing_train : task->missing_dev;
    if (result->missing) return;
    result->score = has_rule(host, question->candidate, rule);
    result->failed = false;
    result->output = fake_host_json(host, "{'answer':'something'}");
    result->feedback = result->score > 0 ? "right" : "wrong";
}

static void add_failed_rule(struct pawl_host *host, const struct pawl_host_prompt *prompt,
                            struct pawl_host_reply *reply, struct pawl_arena *step)
{
    struct task *task = host->context;
    char rule = 'a';
    for (const char *at = prompt->user.ptr; (at = strstr(at, "- letter: ")) != NULL; at++) {
        task->n_shown_tasks++;
        if (strstr(at, "Judgement") != NULL) task->n_shown_judgements++;
        const char *score = strstr(at, "Score: ");
        if (score != NULL && score[7] == '0') rule = at[10];
    }
    const char *current = strstr(prompt->user.ptr, "```\n") + 4;
    int length = (int)(strstr(current, "\n```") - current);
    reply->text = pawl_str_of(
        pawl_arena_printf(step, "Here it is:\n```\n%.*s%c\n```", length, current, rule));
}

static void set_task(struct pawl_host *host, struct task *task, size_t n_train, size_t n_dev)
{
    fake_host_add_component(host, "instruction", "instruction", "z");
    fake_host_add_component(host, "demos", "demos", "[]");
    fake_host_set_train(host, n_train);
    for (size_t i = 0; i < n_train; i++) {
        const char *input = pawl_arena_printf(&host->arena, "{'letter':'%c'}",
                                              (char)('a' + (int)(i % task->rules)));
        fake_host_set_case(host, i, input, "{'answer':'x'}");
    }
    host->n_dev = n_dev;
    host->answer = answer;
    host->reply = add_failed_rule;
    host->context = task;
}

/* --- its parts ----------------------------------------------------------------------------------- */

static bool accepts(const char *rule, size_t n, const double *parent, const double *child)
{
    struct gepa_options options = {.minibatch = (int64_t)n, .accept = rule};
    struct gepa g = {.opt = &options};
    struct pawl_host_result before[8] = {{0}}, after[8] = {{0}};
    for (size_t i = 0; i < n; i++) {
        before[i] = (struct pawl_host_result){.missing = isnan(parent[i]), .score = parent[i]};
        after[i] = (struct pawl_host_result){.missing = isnan(child[i]), .score = child[i]};
    }
    double gain;
    return is_accepted(&g, before, after, &gain);
}

static void test_acceptance(void **state)
{
    (void)state;
    assert_false(accepts("strict", 3, (double[]){1, 0, 0}, (double[]){0, 1, 0}));
    assert_true(accepts("equal", 3, (double[]){1, 0, 0}, (double[]){0, 1, 0}));
    assert_true(accepts("strict", 3, (double[]){1, 0, 0}, (double[]){1, 1, 0}));
    assert_true(accepts("strict", 3, (double[]){0.5, 0.5, 0}, (double[]){1, 0, 0.1}));
    /* A lost case is left out of both sums. */
    assert_false(accepts("strict", 2, (double[]){NAN, 1}, (double[]){1, 1}));
    assert_true(accepts("strict", 2, (double[]){1, 0}, (double[]){NAN, 1}));
    assert_false(accepts("equal", 2, (double[]){NAN, NAN}, (double[]){1, 1}));
}

static void test_acceptance_vectors(void **state)
{
    (void)state;
    json_t *file = vectors_load();
    if (file == NULL) skip();
    const json_t *vector = vectors_find(file, "gepa.minibatch.accept_strict");
    const json_t *cases = vectors_cases(vector), *expect = json_object_get(vector, "expect");
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *item = json_array_get(cases, i);
        double parent[8], child[8];
        size_t n = json_array_size(json_object_get(item, "parent"));
        for (size_t k = 0; k < n; k++) {
            parent[k] = json_number_value(json_array_get(json_object_get(item, "parent"), k));
            child[k] = json_number_value(json_array_get(json_object_get(item, "child"), k));
        }
        assert_int_equal(accepts("strict", n, parent, child),
                         json_is_true(json_array_get(expect, i)));
    }
    json_decref(file);
}

/* Draw the minibatches of iterations 0..i and say where the last one lay. */
static void check_geometry(size_t i, size_t n_train, size_t b, size_t padded, size_t epoch,
                           size_t start)
{
    struct pawl_host host;
    struct gepa_options options = {.minibatch = (int64_t)b};
    struct gepa g = {.host = &host, .opt = &options};
    size_t n_epochs = 0, at = 0;
    fake_host_init(&host, &pawl_op_gepa, i);
    host.n_train = n_train;
    g.order = PAWL_NEW_N(&host.arena, uint32_t, n_train + b);
    g.use_count = PAWL_NEW_N(&host.arena, size_t, n_train);
    for (size_t k = 0; k <= i; k++) {
        at = (size_t)(next_minibatch(&g) - g.order);
        n_epochs += at == 0;
    }
    assert_int_equal(g.n_order, padded);
    assert_int_equal(n_epochs - 1, epoch);
    assert_int_equal(at, start);
    size_t least = g.use_count[0], most = g.use_count[0];
    for (size_t k = 0; k < n_train; k++) {
        if (g.use_count[k] < least) least = g.use_count[k];
        if (g.use_count[k] > most) most = g.use_count[k];
    }
    assert_true(most - least <= 1 + epoch); /* padding is spread */
    pawl_arena_release(&g.step);
    fake_host_release(&host);
}

static void test_minibatches(void **state)
{
    (void)state;
    check_geometry(0, 7, 3, 9, 0, 0);
    check_geometry(2, 7, 3, 9, 0, 6);
    check_geometry(3, 7, 3, 9, 1, 0);
    check_geometry(3, 9, 3, 9, 1, 0);
    check_geometry(1, 2, 3, 3, 1, 0);
    check_geometry(66, 200, 3, 201, 0, 198);
    check_geometry(1, 1, 7, 7, 1, 0);
}

static void test_minibatch_vectors(void **state)
{
    (void)state;
    json_t *file = vectors_load();
    if (file == NULL) skip();
    const json_t *vector = vectors_find(file, "gepa.epoch_sampler.geometry");
    const json_t *cases = vectors_cases(vector), *expect = json_object_get(vector, "expect");
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *in = json_array_get(cases, i), *want = json_array_get(expect, i);
        check_geometry(
            (size_t)pawl_json_get_int(in, "i", -1), (size_t)pawl_json_get_int(in, "train", -1),
            (size_t)pawl_json_get_int(in, "b", -1), (size_t)pawl_json_get_int(want, "padded", -1),
            (size_t)pawl_json_get_int(want, "epoch", -1),
            (size_t)pawl_json_get_int(want, "start", -1));
    }
    json_decref(file);
}

/* --- whole runs ------------------------------------------------------------------------------------- */

static void test_learns_the_rules(void **state)
{
    (void)state;
    struct task task = {.rules = 6};
    struct pawl_host host;
    struct pawl_error err = {0};
    double best = 0;
    fake_host_init(&host, &pawl_op_gepa, 7);
    set_task(&host, &task, 30, 60);
    host.budget = 3000;
    assert_int_equal(fake_host_run(&host, "{}", &err), PAWL_OK);
    for (uint32_t i = 0; i < host.n_candidates; i++) {
        if (host.candidates[i].nominated && host.candidates[i].mean > best)
            best = host.candidates[i].mean;
        assert_true(pawl_str_is(host.candidates[i].texts[1], "[]")); /* demos are not prose */
    }
    assert_true(best == 1);
    assert_true(host.used <= host.budget);
    assert_true(task.n_shown_judgements > 0);
    fake_host_release(&host);
}

static void test_judgements_can_be_withheld(void **state)
{
    (void)state;
    struct task task = {.rules = 3};
    struct pawl_host host;
    struct pawl_error err = {0};
    fake_host_init(&host, &pawl_op_gepa, 7);
    set_task(&host, &task, 9, 9);
    host.budget = 300;
    assert_int_equal(fake_host_run(&host, "{'show_target':false}", &err), PAWL_OK);
    assert_true(task.n_shown_tasks > 0);
    assert_int_equal(task.n_shown_judgements, 0);
    fake_host_release(&host);
}

/* Every child is worse, or every child is better than all before. */
struct ladder {
    bool accept;
};

static void answer_ladder(struct pawl_host *host, const struct fake_question *question,
                          struct pawl_host_result *result)
{
    const struct ladder *ladder = host->context;
    result->score = ladder->accept ? (double)question->candidate / 1e5 : question->candidate == 0;
    if (!ladder->accept) result->score /= 2;
    result->output = fake_host_json(host, "{'answer':'x'}");
}

static void reply_new(struct pawl_host *host, const struct pawl_host_prompt *prompt,
                      struct pawl_host_reply *reply, struct pawl_arena *step)
{
    (void)prompt;
    reply->text = pawl_str_of(pawl_arena_printf(step, "text %zu", host->n_prompts));
}

/* Gives the number of iterations. */
static size_t climb(int64_t budget, size_t n_dev, bool accept)
{
    struct task task = {.rules = 1};
    struct ladder ladder = {accept};
    struct pawl_host host;
    struct pawl_error err = {0};
    fake_host_init(&host, &pawl_op_gepa, 1);
    set_task(&host, &task, 12, n_dev);
    host.answer = answer_ladder;
    host.reply = reply_new;
    host.context = &ladder;
    host.budget = budget;
    enum pawl_status status = fake_host_run(&host, "{}", &err);
    bool one_fits = budget >= 2 * (int64_t)n_dev + 2 * 3; /* start, then two minibatches and dev */
    assert_int_equal(status, one_fits ? PAWL_OK : PAWL_EBUDGET);
    assert_true(host.used <= budget);
    size_t iterations = host.n_prompts;
    fake_host_release(&host);
    return iterations;
}

/* An iteration starts only when its worst case fits; the published code starts a few more. */
static size_t iterations_allowed(int64_t budget, int64_t n_dev, int64_t b, bool accept)
{
    int64_t cost = accept ? 2 * b + n_dev : 2 * b, left = budget - n_dev - (2 * b + n_dev);
    return left < 0 ? 0 : (size_t)(left / cost + 1);
}

static void test_iterations_for_budget(void **state)
{
    (void)state;
    assert_int_equal(climb(2000, 50, false), 316); /* published: 325 */
    assert_int_equal(climb(2000, 50, true), 34);   /* published: 35, using 2010 */
    assert_int_equal(climb(207, 200, false), 0);   /* published: 406 of 207 */
    json_t *file = vectors_load();
    if (file == NULL) skip();
    const json_t *vector = vectors_find(file, "gepa.iterations_for_budget");
    const json_t *cases = vectors_cases(vector), *expect = json_object_get(vector, "expect");
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *item = json_array_get(cases, i);
        int64_t budget = pawl_json_get_int(item, "budget", 0);
        bool accept = strcmp(pawl_json_get_text(item, "mode", ""), "accept") == 0;
        if (budget > 6000) continue; /* the rule is the same, the fake is slow */
        size_t got = climb(budget, 50, accept);
        assert_int_equal(got, iterations_allowed(budget, 50, 3, accept));
        assert_true((json_int_t)got <= json_integer_value(json_array_get(expect, i)));
    }
    json_decref(file);
}

static void test_budget_is_never_overrun(void **state)
{
    (void)state;
    struct pawl_random random;
    pawl_crypto_init();
    pawl_random_init(&random, 5);
    for (int i = 0; i < 200; i++)
        climb((int64_t)pawl_random_below(&random, 400), pawl_random_below(&random, 60),
              pawl_random_below(&random, 2) == 1);
}

/* On pure noise .4335 of the worthless children pass the minibatch (those of parents that were not
 * perfect); it is why the gate exists. */
static void answer_noise(struct pawl_host *host, const struct fake_question *question,
                         struct pawl_host_result *result)
{
    char text[96];
    snprintf(text, sizeof text, "%u %u %d", question->candidate, question->train_or_dev_case,
             (int)question->tier);
    result->score = pawl_random_of(PAWL_STR("noise"), pawl_str_of(text)) < 0.6;
    result->output = fake_host_json(host, "{'answer':'x'}");
}

static void test_noise_passes_as_published(void **state)
{
    (void)state;
    struct task task = {.rules = 1};
    struct pawl_host host;
    struct pawl_error err = {0};
    fake_host_init(&host, &pawl_op_gepa, 11);
    set_task(&host, &task, 3000, 1);
    host.answer = answer_noise;
    host.reply = reply_new;
    host.budget = 30000;
    assert_int_equal(fake_host_run(&host, "{'parent':'best','max_iterations':4000}", &err),
                     PAWL_OK);
    double rate = (double)host.n_nominated / (double)host.n_prompts;
    assert_true(host.n_prompts > 2500);
    assert_true(fabs(rate - 0.4335) < 0.04); /* 4 standard errors */
    fake_host_release(&host);
}

static struct pawl_hash digest_of_run(uint64_t seed)
{
    struct task task = {.rules = 5};
    struct pawl_host host;
    struct pawl_error err = {0};
    fake_host_init(&host, &pawl_op_gepa, seed);
    set_task(&host, &task, 20, 20);
    host.budget = 400;
    assert_int_equal(fake_host_run(&host, "{}", &err), PAWL_OK);
    struct pawl_hash digest = fake_host_digest(&host);
    fake_host_release(&host);
    return digest;
}

static void test_equal_seeds_equal_runs(void **state)
{
    (void)state;
    struct pawl_hash a = digest_of_run(1), b = digest_of_run(1), c = digest_of_run(2);
    assert_true(pawl_hash_eq(&a, &b));
    assert_false(pawl_hash_eq(&a, &c));
}

/* Whatever step fails: the same status comes back, and nothing is asked for afterwards. */
static void test_stops_at_once(void **state)
{
    (void)state;
    for (size_t step = 1; step < 40; step++) {
        struct task task = {.rules = 5};
        struct pawl_host host;
        struct pawl_error err = {0};
        fake_host_init(&host, &pawl_op_gepa, 3);
        set_task(&host, &task, 20, 20);
        host.budget = 2000;
        host.fail_after = step;
        host.fail_with = PAWL_EPAUSED;
        assert_int_equal(fake_host_run(&host, "{}", &err), PAWL_EPAUSED);
        assert_int_equal(host.n_after_failure, 0);
        fake_host_release(&host);
    }
}

/* --- bad worlds --------------------------------------------------------------------------------------- */

static void reply_badly(struct pawl_host *host, const struct pawl_host_prompt *prompt,
                        struct pawl_host_reply *reply, struct pawl_arena *step)
{
    static const char *const texts[] = {"", "```", "   ", "z", "```\nz\n```"};
    (void)prompt;
    size_t k = host->n_prompts % 7;
    if (k < 5) {
        reply->text = pawl_str_of(texts[k]);
    } else if (k == 5) {
        reply->failed = true;
    } else {
        char *huge = pawl_arena_alloc(step, 1, 20000);
        memset(huge, 'h', 19999);
        reply->text = (struct pawl_str){huge, 19999};
    }
}

/* Empty, over-long and unchanged texts: nothing is drafted that would be scored. */
static void test_useless_replies(void **state)
{
    (void)state;
    struct task task = {.rules = 2};
    struct pawl_host host;
    struct pawl_error err = {0};
    fake_host_init(&host, &pawl_op_gepa, 3);
    set_task(&host, &task, 10, 10);
    host.reply = reply_badly;
    host.budget = 500;
    assert_int_equal(fake_host_run(&host, "{}", &err), PAWL_OK);
    assert_int_equal(host.n_candidates, 1);
    assert_int_equal(host.n_nominated, 0);
    assert_int_equal(host.n_questions[PAWL_HOST_DEV], 10);
    assert_int_equal(host.n_questions[PAWL_HOST_TRAIN], 3 * host.n_prompts); /* parents only */
    fake_host_release(&host);
}

static void test_a_lost_world(void **state)
{
    (void)state;
    for (int which = 0; which < 3; which++) {
        struct task task = {.rules = 2, .missing_train = which != 1, .missing_dev = which != 0};
        struct pawl_host host;
        struct pawl_error err = {0};
        fake_host_init(&host, &pawl_op_gepa, 3);
        set_task(&host, &task, 10, 10);
        host.budget = 300;
        assert_int_equal(fake_host_run(&host, "{}", &err), PAWL_OK);
        if (task.missing_train) assert_int_equal(host.n_prompts, 0); /* nothing to reflect on */
        fake_host_release(&host);
    }
}

static void test_refuses_what_it_cannot_improve(void **state)
{
    (void)state;
    struct task task = {.rules = 2};
    struct pawl_host host;
    struct pawl_error err = {0};
    fake_host_init(&host, &pawl_op_gepa, 3);
    set_task(&host, &task, 0, 10);
    assert_int_equal(fake_host_run(&host, "{}", &err), PAWL_ECONFIG);
    assert_non_null(strstr(err.message, "train"));
    fake_host_release(&host);

    fake_host_init(&host, &pawl_op_gepa, 3);
    fake_host_add_component(&host, "demos", "demos", "[]");
    fake_host_set_train(&host, 1);
    assert_int_equal(fake_host_run(&host, "{}", &err), PAWL_ECONFIG);
    assert_non_null(strstr(err.message, "rewrites texts"));
    fake_host_release(&host);
}

/* --- several components --------------------------------------------------------------------------------- */

static void run_two_components(const char *options, size_t *n_first, size_t *n_second)
{
    struct ladder ladder = {true};
    struct pawl_host host;
    struct pawl_error err = {0};
    fake_host_init(&host, &pawl_op_gepa, 3);
    fake_host_add_component(&host, "one", "instruction", "z");
    fake_host_add_component(&host, "two", "source", "z");
    fake_host_set_train(&host, 6);
    for (size_t i = 0; i < 6; i++) fake_host_set_case(&host, i, "{'q':'1'}", "{'a':'1'}");
    host.n_dev = 4;
    host.answer = answer_ladder;
    host.reply = reply_new;
    host.context = &ladder;
    assert_int_equal(fake_host_run(&host, options, &err), PAWL_OK);
    *n_first = *n_second = 0;
    for (uint32_t i = 1; i < host.n_candidates; i++) {
        const struct fake_candidate *before = &host.candidates[i - 1], *now = &host.candidates[i];
        *n_first += !pawl_str_eq(before->texts[0], now->texts[0]);
        *n_second += !pawl_str_eq(before->texts[1], now->texts[1]);
    }
    fake_host_release(&host);
}

static void test_components_in_turn_or_all(void **state)
{
    (void)state;
    size_t one, two;
    run_two_components("{'max_iterations':10,'parent':'best'}", &one, &two);
    assert_int_equal(one, 5);
    assert_int_equal(two, 5);
    run_two_components("{'max_iterations':10,'parent':'best','component':'all'}", &one, &two);
    assert_int_equal(one, 10);
    assert_int_equal(two, 10);
}

/* --- several children, other parents, merging ------------------------------------------------------------ */

/* Two texts; a case is answered when the rule of its number is in the text of its kind: even ones need the
 * first text, odd ones the second. A change of one text does the other's cases a little harm. */
struct halves {
    unsigned rules;
};

static void answer_half(struct pawl_host *host, const struct fake_question *question,
                        struct pawl_host_result *result)
{
    const struct halves *halves = host->context;
    unsigned i = question->train_or_dev_case;
    const struct pawl_str *texts = host->candidates[question->candidate].texts;
    int rule = 'a' + (int)(i / 2 % halves->rules);
    bool has_rule = memchr(texts[i % 2].ptr, rule, texts[i % 2].len) != NULL;
    result->score = has_rule ? 1 : texts[1 - i % 2].len > 1 ? 0.4 : 0.5;
    result->output = fake_host_json(host, "{'answer':'something'}");
    result->feedback = has_rule ? "right" : "wrong";
}

/* The text with the rule of the first failed task; of another kind's task it learns nothing. */
static void reply_half(struct pawl_host *host, const struct pawl_host_prompt *prompt,
                       struct pawl_host_reply *reply, struct pawl_arena *step)
{
    (void)host;
    const char *current = strstr(prompt->user.ptr, "```\n") + 4;
    int length = (int)(strstr(current, "\n```") - current);
    char kind = *current == 'X' ? 'x' : 'y', rule = '.';
    for (const char *at = prompt->user.ptr; (at = strstr(at, "- letter: ")) != NULL; at++) {
        const char *score = strstr(at, "Score: ");
        if (score[7] == '0' && at[10] == kind) rule = at[11];
    }
    reply->text = pawl_str_of(pawl_arena_printf(step, "```\n%.*s%c\n```", length, current, rule));
}

static void set_halves(struct pawl_host *host, struct halves *halves, uint64_t seed)
{
    fake_host_init(host, &pawl_op_gepa, seed);
    fake_host_add_component(host, "one", "instruction", "X");
    fake_host_add_component(host, "two", "instruction", "Y");
    fake_host_set_train(host, 24);
    for (size_t i = 0; i < 24; i++) {
        const char *input = pawl_arena_printf(&host->arena, "{'letter':'%c%c'}", i % 2 ? 'y' : 'x',
                                              (char)('a' + (int)(i / 2 % halves->rules)));
        fake_host_set_case(host, i, input, "{'answer':'x'}");
    }
    host->n_dev = 24;
    host->budget = 2500;
    host->answer = answer_half;
    host->reply = reply_half;
    host->context = halves;
}

static double best_of(const struct pawl_host *host)
{
    double best = 0;
    for (uint32_t i = 0; i < host->n_candidates; i++)
        if (host->candidates[i].nominated && host->candidates[i].mean > best)
            best = host->candidates[i].mean;
    return best;
}

static void run_halves(const char *options, double *best, size_t *n_joined, int64_t *used)
{
    *best = 0;
    *n_joined = 0;
    *used = 0;
    for (uint64_t seed = 0; seed < 8; seed++) {
        struct halves halves = {.rules = 3};
        struct pawl_host host;
        struct pawl_error err = {0};
        set_halves(&host, &halves, seed);
        if (fake_host_run(&host, options, &err) != PAWL_OK)
            fail_msg("%s: %s", options, err.message);
        assert_true(host.used <= host.budget);
        *best += best_of(&host) / 8;
        *n_joined += host.n_joined;
        *used += host.used;
        fake_host_release(&host);
    }
}

static void test_merging(void **state)
{
    (void)state;
    double best;
    size_t n_joined;
    int64_t used;
    run_halves("{}", &best, &n_joined, &used);
    assert_int_equal(n_joined, 0);
    run_halves("{'merge':true}", &best, &n_joined, &used);
    assert_true(n_joined >= 8); /* one a run, at least in the mean */
    assert_true(best > 0.9);
    run_halves("{'merge':true,'max_merges':0}", &best, &n_joined, &used);
    assert_int_equal(n_joined, 0);
}

/* The merged child has, of each text, the one that was changed since the ancestor. */
static void test_a_merge_has_both_gains(void **state)
{
    (void)state;
    struct halves halves = {.rules = 1};
    struct pawl_host host;
    struct pawl_error err = {0};
    for (uint64_t seed = 0; seed < 50; seed++) {
        set_halves(&host, &halves, seed);
        host.budget = 400;
        assert_int_equal(fake_host_run(&host, "{'merge':true}", &err), PAWL_OK);
        if (host.n_joined > 0) {
            const struct fake_candidate *last = &host.candidates[host.last_joined];
            assert_true(pawl_str_is(last->texts[0], "Xa") && pawl_str_is(last->texts[1], "Ya"));
            assert_true(last->mean == 1 && last->nominated);
            fake_host_release(&host);
            return;
        }
        fake_host_release(&host);
    }
    fail_msg("no run has merged");
}

/* Several children cost one step of each kind, not several. */
static void test_several_proposals(void **state)
{
    (void)state;
    static const char *const options[] = {"{'proposals':4,'max_iterations':3}",
                                          "{'proposals':4,'max_iterations':3,'parents':'one'}",
                                          "{'proposals':4,'max_iterations':3,'keep':'best'}"};
    size_t n_nominated[3];
    for (size_t i = 0; i < 3; i++) {
        struct halves halves = {.rules = 6};
        struct pawl_host host;
        struct pawl_error err = {0};
        set_halves(&host, &halves, 5);
        assert_int_equal(fake_host_run(&host, options[i], &err), PAWL_OK);
        n_nominated[i] = host.n_nominated;
        assert_true(host.n_prompts > 3 && host.n_prompts <= 12);
        assert_true(host.used <= 24 + 3 * 4 * (3 + 3 + 24));
        fake_host_release(&host);
    }
    assert_true(n_nominated[0] > 3);  /* more than one an iteration */
    assert_true(n_nominated[2] <= 3); /* only the best of an iteration */
}

static void test_one_parent_for_all(void **state)
{
    (void)state;
    struct halves halves = {.rules = 6};
    struct pawl_host host;
    struct gepa_options opt = {.minibatch = 3, .parent = "pareto", .parents = "one"};
    struct gepa g = {.host = &host, .opt = &opt};
    struct attempt attempts[8];
    double scores[4];
    set_halves(&host, &halves, 5);
    g.order = PAWL_NEW_N(&host.arena, uint32_t, 24 + 3);
    g.use_count = PAWL_NEW_N(&host.arena, size_t, 24);
    pawl_pareto_init(&g.fronts.pareto, 4, &host.arena);
    for (size_t k = 0; k < 4; k++) { /* each is the best of one case */
        for (size_t c = 0; c < 4; c++) scores[c] = c == k;
        pawl_pareto_add(&g.fronts.pareto, scores, 0.25);
    }
    bool differ = false;
    for (int round = 0; round < 20; round++) {
        opt.parents = "one";
        plan_attempts(&g, attempts, 8);
        for (size_t i = 1; i < 8; i++) assert_int_equal(attempts[i].member, attempts[0].member);
        for (size_t i = 0; i < 8; i++) /* slices of one order, whatever epoch begins meanwhile */
            for (size_t k = 0; k < 3; k++) assert_in_range(attempts[i].cases[k], 0, 23);
        opt.parents = "each";
        plan_attempts(&g, attempts, 8);
        for (size_t i = 1; i < 8; i++) differ |= attempts[i].member != attempts[0].member;
    }
    assert_true(differ);
    pawl_arena_release(&g.step);
    fake_host_release(&host);
}

static void test_other_parents(void **state)
{
    (void)state;
    static const char *const options[] = {"{'parent':'best'}", "{'parent':'epsilon'}",
                                          "{'parent':'epsilon','epsilon':1}", "{'parent':'top_k'}",
                                          "{'parent':'top_k','top_k':1}"};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        double best;
        size_t n_joined;
        int64_t used;
        run_halves(options[i], &best, &n_joined, &used);
        assert_true(best > 0.6);
    }
}

static void test_the_top(void **state)
{
    (void)state;
    struct pawl_arena arena = {0};
    struct gepa_options opt = {.top_k = 3};
    struct gepa g = {.opt = &opt};
    const double means[] = {0.2, 0.5, 0.1, 0.5, 0.4, 0.5};
    uint32_t top[3];
    pawl_pareto_init(&g.fronts.pareto, 1, &arena);
    for (size_t i = 0; i < 6; i++) {
        pawl_pareto_add(&g.fronts.pareto, (double[]){means[i]}, means[i]);
        size_t n = find_top(&g, top);
        assert_int_equal(n, i < 2 ? i + 1 : 3);
        for (size_t k = 1; k < n; k++) assert_true(means[top[k - 1]] >= means[top[k]]);
    }
    assert_int_equal(top[0], 1);
    assert_int_equal(top[1], 3);
    assert_int_equal(top[2], 5);
    pawl_arena_release(&arena);
}

/* --- pipelines --------------------------------------------------------------------------------------------- */

/* Two modules; the answer of the first cannot be read in case 0, so the second is not asked there. */
static void answer_pipeline(struct pawl_host *host, const struct fake_question *question,
                            struct pawl_host_result *result)
{
    uint32_t i = question->train_or_dev_case;
    char text[400];
    result->score = 0.25 * question->candidate / (1 + question->candidate);
    result->failed = i == 0;
    result->output = i == 0 ? NULL : fake_host_json(host, "{'label':'whole'}");
    result->feedback = "The label was good.";
    snprintf(text, sizeof text,
             i == 0 ? "[{'module':'one','input':{'q':'first in %u'},'reply':'garbled'}]"
                    : "[{'module':'one','input':{'q':'first in %u'},'output':{'fact':'first out'}},"
                      "{'module':'two','input':{'fact':'second in'},'output':{'label':'good'}}]",
             i);
    result->trace = fake_host_json(host, text);
}

static void reply_to_module(struct pawl_host *host, const struct pawl_host_prompt *prompt,
                            struct pawl_host_reply *reply, struct pawl_arena *step)
{
    size_t *n_asked = host->context; /* by module */
    const char *user = prompt->user.ptr;
    bool is_first = strstr(user, "instruction one") != NULL;
    (void)step;
    n_asked[is_first ? 0 : 1]++;
    assert_null(strstr(user, "whole")); /* the program's answer is the judgement's to tell */
    assert_non_null(strstr(user, "Judgement: The label was good."));
    if (is_first) {
        assert_non_null(strstr(user, "- q: first in 0"));
        assert_non_null(strstr(user, "Answer, which could not be read:\n\"garbled\""));
        assert_non_null(strstr(user, "- fact: first out"));
        assert_null(strstr(user, "second in"));
        assert_non_null(strstr(user, "## Task 3"));
        reply->text = PAWL_STR("instruction one, better");
    } else {
        assert_non_null(strstr(user, "- fact: second in"));
        assert_non_null(strstr(user, "- label: good"));
        assert_null(strstr(user, "first"));
        assert_null(strstr(user, "## Task 3"));
        reply->text = PAWL_STR("instruction two, better");
    }
}

static void test_a_module_is_shown_what_it_did(void **state)
{
    (void)state;
    struct pawl_host host;
    struct pawl_error err = {0};
    size_t n_asked[2] = {0};
    fake_host_init(&host, &pawl_op_gepa, 3);
    fake_host_add_component(&host, "one.instruction", "instruction", "instruction one");
    fake_host_add_component(&host, "two.demos", "demos", "[]");
    fake_host_add_component(&host, "two.instruction", "instruction", "instruction two");
    fake_host_set_train(&host, 3);
    for (size_t i = 0; i < 3; i++) fake_host_set_case(&host, i, "{'q':'1'}", "{'label':'bad'}");
    host.n_dev = 2;
    host.answer = answer_pipeline;
    host.reply = reply_to_module;
    host.context = n_asked;
    assert_int_equal(fake_host_run(&host, "{'max_iterations':6,'parent':'best'}", &err), PAWL_OK);
    assert_int_equal(n_asked[0], 3);
    assert_int_equal(n_asked[1], 3);
    assert_true(host.n_candidates >= 3); /* both texts were rewritten */
    fake_host_release(&host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_acceptance),
        cmocka_unit_test(test_acceptance_vectors),
        cmocka_unit_test(test_minibatches),
        cmocka_unit_test(test_minibatch_vectors),
        cmocka_unit_test(test_learns_the_rules),
        cmocka_unit_test(test_judgements_can_be_withheld),
        cmocka_unit_test(test_iterations_for_budget),
        cmocka_unit_test(test_budget_is_never_overrun),
        cmocka_unit_test(test_noise_passes_as_published),
        cmocka_unit_test(test_equal_seeds_equal_runs),
        cmocka_unit_test(test_stops_at_once),
        cmocka_unit_test(test_useless_replies),
        cmocka_unit_test(test_a_lost_world),
        cmocka_unit_test(test_refuses_what_it_cannot_improve),
        cmocka_unit_test(test_merging),
        cmocka_unit_test(test_a_merge_has_both_gains),
        cmocka_unit_test(test_several_proposals),
        cmocka_unit_test(test_one_parent_for_all),
        cmocka_unit_test(test_other_parents),
        cmocka_unit_test(test_the_top),
        cmocka_unit_test(test_a_module_is_shown_what_it_did),
        cmocka_unit_test(test_components_in_turn_or_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
