/*
 * Stochastic ascent over a host in memory. The source files that ask the host are included, so that
 * they ask the fake one.
 */
#include "operators/vectors.h"
#include "support/fake_host.h"

#include "operators/prompt.c"
#include "operators/op_simba.c"

/* --- a task -------------------------------------------------------------------------------------- */

/*
 * Case i is of the kind 'A' + i % kinds. A program answers it when its instruction has that letter or
 * its demonstrations show one of the kind; sampled answers are right by luck too. The reflecting model
 * gives the letter of the task that it is shown as its advice.
 */
struct task {
    unsigned kinds;
    double luck; /* of a sampled answer */
    bool missing_train, missing_dev, plain_dev;
    const char *advice; /* instead of the letter */
    size_t n_rules, n_batches_of_rules, last_batch;
    const char *prompts[64];
    uint32_t highest_sample;
};

static bool knows(const struct pawl_host *host, uint32_t candidate, char kind)
{
    for (size_t i = 0; i < host->n_components; i++) {
        struct pawl_str text = host->candidates[candidate].texts[i];
        if (memchr(text.ptr, kind, text.len) != NULL) return true;
    }
    return false;
}

static void answer(struct pawl_host *host, const struct fake_question *question,
                   struct pawl_host_result *result)
{
    struct task *task = host->context;
    bool is_train = question->tier == PAWL_HOST_TRAIN;
    char label[64], kind = (char)('A' + (int)(question->train_or_dev_case % task->kinds));
    result->missing = is_train ? task->missing_train : task->missing_dev;
    if (result->missing) return;
    snprintf(label, sizeof label, "%u %u", question->train_or_dev_case, question->sample);
    bool lucky =
        question->sample > 0 && pawl_random_of(PAWL_STR("luck"), pawl_str_of(label)) < task->luck;
    if (question->sample > task->highest_sample) task->highest_sample = question->sample;
    result->score = knows(host, question->candidate, kind) || lucky;
    if (!is_train && task->plain_dev) result->score = 0.5;
    result->output = fake_host_json(
        host, pawl_arena_printf(&host->arena, "{'answer':'%s'}", result->score > 0 ? "yes" : "no"));
    result->feedback = result->score > 0 ? "right" : "wrong, Wanted";
}

static void reply(struct pawl_host *host, const struct pawl_host_prompt *prompt,
                  struct pawl_host_reply *out, struct pawl_arena *step)
{
    struct task *task = host->context;
    const char *at = strstr(prompt->user.ptr, "<TASK>\n- kind: ");
    assert_non_null(at);
    assert_string_equal(prompt->role, "reflect");
    if (task->n_rules < 64)
        task->prompts[task->n_rules] = pawl_arena_copy(&host->arena, prompt->user).ptr;
    task->n_rules++;
    task->n_batches_of_rules += task->last_batch != host->n_steps;
    task->last_batch = host->n_steps;
    out->text = pawl_str_of(task->advice != NULL
                                ? task->advice
                                : pawl_arena_printf(step, "So: <ADVICE>\n%c\n</ADVICE>.", at[15]));
}

static void set_task(struct pawl_host *host, struct task *task, size_t n_train, size_t n_dev)
{
    fake_host_add_component(host, "instruction", "instruction", "z");
    fake_host_add_component(host, "demos", "demos", "[]");
    host->fields = fake_host_json(host, "{'inputs':['kind'],'outputs':[{'name':'answer'}]}");
    fake_host_set_train(host, n_train);
    for (size_t i = 0; i < n_train; i++) {
        const char *input =
            pawl_arena_printf(&host->arena, "{'kind':'%c'}", (char)('A' + (int)(i % task->kinds)));
        fake_host_set_case(host, i, input, "{'answer':'yes'}");
    }
    host->n_dev = n_dev;
    host->answer = answer;
    host->reply = reply;
    host->context = task;
}

static enum pawl_status run_on(struct pawl_host *host, struct task *task, const char *options)
{
    struct pawl_error err = {0};
    fake_host_init(host, &pawl_op_simba, 7);
    set_task(host, task, 64, 24);
    host->budget = 20000;
    return fake_host_run(host, options, &err);
}

static double best_named(const struct pawl_host *host)
{
    double best = 0;
    for (uint32_t i = 0; i < host->n_candidates; i++)
        if (host->candidates[i].nominated) best = fmax(best, host->candidates[i].mean);
    return best;
}

/* --- its parts -------------------------------------------------------------------------------------- */

static void check_advice(const char *reply_text, const char *want)
{
    struct pawl_str got = find_advice(pawl_str_of(reply_text));
    if (!pawl_str_is(got, want))
        fail_msg("from \"%s\": \"" PAWL_STR_FMT "\"", reply_text, PAWL_STR_ARG(got));
}

static void test_where_advice_stands(void **state)
{
    (void)state;
    check_advice("Well. <ADVICE>\nbe good\n</ADVICE> bye", "be good");
    check_advice("<ADVICE>cut off", "cut off");
    check_advice(" be good ", "be good");
    check_advice("<ADVICE></ADVICE>", "");
    check_advice("", "");
}

static void test_the_case_that_teaches_most(void **state)
{
    (void)state;
    struct bucket wide = {.spread = 1, .best = 1, .lead = 0.2},
                  lead = {.spread = 1, .best = 1, .lead = 0.5},
                  high = {.spread = 0, .best = 1, .lead = 0},
                  low = {.spread = 0, .best = 0, .lead = 0};
    assert_true(teaches_more(&wide, &high));
    assert_true(teaches_more(&lead, &wide));
    assert_true(teaches_more(&high, &low));
    assert_false(teaches_more(&low, &high));
    assert_false(teaches_more(&low, &low));
}

static void test_what_a_case_can_teach(void **state)
{
    (void)state;
    json_t *output = json_object();
    struct shot good = {.result = {.score = 1, .output = output}},
                broken = {.result = {.score = 1, .failed = true}};
    const struct shot *shots[] = {&good}, *broken_shots[] = {&broken};
    struct bucket bucket = {.shots = shots, .n = 1, .best = 1, .spread = 1};
    assert_true(can_show(&bucket, 0.5));
    assert_false(can_show(&bucket, 1)); /* no better than the worst tenth */
    assert_true(can_tell(&bucket, 0.5, 0.9));
    assert_false(can_tell(&bucket, 0.5, 0)); /* the worst is as good as the best tenth */
    bucket.shots = broken_shots;
    assert_false(can_show(&bucket, 0.5));
    bucket.spread = 0;
    assert_false(can_tell(&bucket, 0.5, 2)); /* nothing to contrast */
    json_decref(output);
}

/* --- whole runs --------------------------------------------------------------------------------------- */

static void test_learns_the_kinds(void **state)
{
    static const char *const options[] = {"{}", "{'max_demos':0}"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct task task = {.kinds = 4, .luck = 0.4};
        struct pawl_host host;
        assert_int_equal(run_on(&host, &task, options[i]), PAWL_OK);
        assert_true(best_named(&host) >= 0.75);
        assert_true(host.used <= host.budget);
        assert_true(task.n_rules > 0);
        for (uint32_t k = 1; i == 1 && k < host.n_candidates; k++)
            assert_true(pawl_str_is(host.candidates[k].texts[1], "[]"));
        fake_host_release(&host);
    }
}

/* One batch of answers, one of rules, one of new programs; then the winner on dev. */
static void test_what_a_step_asks(void **state)
{
    (void)state;
    struct task task = {.kinds = 8, .luck = 0.4};
    struct pawl_host host;
    assert_int_equal(run_on(&host, &task, "{'max_steps':1}"), PAWL_OK);
    size_t n_new = host.n_candidates - 1;
    assert_in_range(n_new, 2, 7);
    assert_int_equal(host.n_questions[PAWL_HOST_TRAIN], 32 * 6 + 32 * n_new);
    assert_int_equal(task.n_batches_of_rules, 1);
    assert_in_range(task.n_rules, 1, 7);
    assert_int_equal(task.highest_sample, 6);
    assert_int_equal(host.n_questions[PAWL_HOST_DEV], 2 * 24);
    assert_non_null(
        strstr(task.prompts[0], "<BETTER>\nAnswer:\n- answer: yes\nScore: 1.00\nright\n"));
    assert_non_null(
        strstr(task.prompts[0], "<WORSE>\nAnswer:\n- answer: no\nScore: 0.00\nwrong, Wanted\n"));
    assert_non_null(strstr(task.prompts[0], "an assistant, which makes answer from kind"));
    fake_host_release(&host);
}

static void test_a_demonstration_is_the_best_answer(void **state)
{
    (void)state;
    struct task task = {.kinds = 8, .luck = 0.4};
    struct pawl_host host;
    size_t n_with_demos = 0;
    assert_int_equal(run_on(&host, &task, "{'max_steps':1}"), PAWL_OK);
    for (uint32_t i = 1; i < host.n_candidates; i++) {
        struct pawl_str rules = host.candidates[i].texts[0], demos = host.candidates[i].texts[1];
        bool by_rule = !pawl_str_is(rules, "z"), by_demo = !pawl_str_is(demos, "[]");
        assert_true(by_rule != by_demo);
        n_with_demos += by_demo;
        if (by_demo) assert_true(pawl_str_starts(demos, "[{\"answer\":\"yes\",\"kind\":\""));
        if (by_rule) assert_true(rules.len == 4 && memcmp(rules.ptr, "z\n\n", 3) == 0);
    }
    assert_true(n_with_demos > 0);
    fake_host_release(&host);
}

static void test_answers_that_agree_teach_nothing(void **state)
{
    (void)state;
    struct task task = {.kinds = 4, .luck = 0};
    struct pawl_host host;
    assert_int_equal(run_on(&host, &task, "{'max_steps':2}"), PAWL_OK);
    assert_int_equal(host.n_candidates, 1);
    assert_int_equal(task.n_rules, 0);
    assert_int_equal(host.n_nominated, 0);
    fake_host_release(&host);
}

static void test_on_a_plain_nothing_is_named(void **state)
{
    (void)state;
    struct task task = {.kinds = 4, .luck = 0.4, .plain_dev = true};
    struct pawl_host host;
    assert_int_equal(run_on(&host, &task, "{}"), PAWL_OK);
    assert_true(host.n_candidates > 10);
    assert_int_equal(host.n_nominated, 0);
    fake_host_release(&host);
}

static void test_winners_are_evenly_spaced(void **state)
{
    (void)state;
    struct task task = {.kinds = 26, .luck = 0.4};
    struct pawl_host host;
    assert_int_equal(run_on(&host, &task, "{'finalists':3}"), PAWL_OK);
    assert_int_equal(host.n_questions[PAWL_HOST_DEV], (1 + 3) * 24);
    fake_host_release(&host);
    assert_int_equal(run_on(&host, &task, "{'finalists':64,'max_steps':3}"), PAWL_OK);
    assert_int_equal(host.n_questions[PAWL_HOST_DEV], (1 + 3) * 24);
    fake_host_release(&host);
}

static void test_judgements_can_be_withheld(void **state)
{
    (void)state;
    struct task task = {.kinds = 4, .luck = 0.4};
    struct pawl_host host;
    assert_int_equal(run_on(&host, &task, "{'show_target':false,'max_steps':3}"), PAWL_OK);
    assert_true(task.n_rules > 0);
    for (size_t i = 0; i < 64 && i < task.n_rules; i++)
        assert_null(strstr(task.prompts[i], "Wanted"));
    fake_host_release(&host);
}

/* Empty and over-long advice makes no program by rule. */
static void test_useless_advice(void **state)
{
    (void)state;
    char *huge = pawl_xmalloc(20001);
    memset(huge, 'h', 20000);
    huge[20000] = '\0';
    for (int i = 0; i < 2; i++) {
        struct task task = {
            .kinds = 4, .luck = 0.4, .advice = i == 0 ? "<ADVICE> </ADVICE>" : huge};
        struct pawl_host host;
        assert_int_equal(run_on(&host, &task, "{'max_demos':0}"), PAWL_OK);
        assert_true(task.n_rules > 0);
        assert_int_equal(host.n_candidates, 1);
        fake_host_release(&host);
    }
    free(huge);
}

/* It fits its own demonstrations: with the same ones it stays. */
static void test_a_calibration_goes_with_its_demonstrations(void **state)
{
    (void)state;
    struct task task = {.kinds = 4, .luck = 0.4};
    struct pawl_host host;
    struct pawl_error err = {0};
    fake_host_init(&host, &pawl_op_simba, 7);
    set_task(&host, &task, 64, 24);
    fake_host_add_component(&host, "calibration", "calibration", "{\"yes\":1}");
    assert_int_equal(fake_host_run(&host, "{'max_steps':1}", &err), PAWL_OK);
    assert_true(host.n_candidates > 1);
    size_t n_gone = 0;
    for (uint32_t i = 1; i < host.n_candidates; i++) {
        bool same = pawl_str_eq(host.candidates[i].texts[1], host.candidates[0].texts[1]);
        assert_true(pawl_str_is(host.candidates[i].texts[2], same ? "{\"yes\":1}" : "{}"));
        n_gone += !same;
    }
    assert_in_range(n_gone, 1, host.n_candidates - 2);
    fake_host_release(&host);
}

/* --- several modules ------------------------------------------------------------------------------------ */

static void answer_by_two(struct pawl_host *host, const struct fake_question *question,
                          struct pawl_host_result *result)
{
    answer(host, question, result);
    if (question->tier == PAWL_HOST_DEV) return;
    const struct task *task = host->context;
    result->trace = fake_host_json(
        host,
        pawl_arena_printf(&host->arena,
                          "[{'module':'first','input':{'kind':'%c'},'output':{'facts':'f'}},"
                          "{'module':'second','input':{'facts':'f'},'output':{'answer':'%s'}}]",
                          'A' + (int)(question->train_or_dev_case % task->kinds),
                          result->score > 0 ? "yes" : "no"));
}

static void test_two_modules(void **state)
{
    (void)state;
    struct task task = {.kinds = 26, .luck = 0.4};
    struct pawl_host host;
    struct pawl_error err = {0};
    size_t n_demos = 0, n_rules = 0;
    fake_host_init(&host, &pawl_op_simba, 7);
    set_task(&host, &task, 64, 24);
    fake_host_add_component(&host, "second.instruction", "instruction", "y");
    fake_host_add_component(&host, "second.demos", "demos", "[]");
    host.fields = fake_host_json(
        &host, "{'inputs':['kind'],'outputs':[{'name':'answer'}],'modules':["
               "{'name':'first','inputs':['kind'],'outputs':['facts'],'instruction':'instruction',"
               "'demos':'demos'},{'name':'second','inputs':['facts'],'outputs':['answer'],"
               "'instruction':'second.instruction','demos':'second.demos'}]}");
    host.answer = answer_by_two;
    assert_int_equal(fake_host_run(&host, "{'max_steps':1}", &err), PAWL_OK);
    for (uint32_t i = 1; i < host.n_candidates; i++) {
        const struct pawl_str *texts = host.candidates[i].texts;
        bool by_demo = !pawl_str_is(texts[1], "[]");
        n_demos += by_demo;
        n_rules += !by_demo;
        if (by_demo) {
            assert_true(pawl_str_starts(texts[1], "[{\"facts\":\"f\",\"kind\":"));
            assert_true(pawl_str_is(texts[3], "[{\"answer\":\"yes\",\"facts\":\"f\"}]"));
        } else {
            assert_true(texts[0].len == 4 && texts[2].len == 4); /* a rule for each */
        }
    }
    assert_true(n_demos > 0 && n_rules > 0);
    assert_true(task.n_rules % 2 == 0 && task.n_rules >= 2 * n_rules); /* some come out alike */
    assert_int_equal(task.n_batches_of_rules, 1);
    assert_non_null(strstr(task.prompts[0], "The part is first, which makes facts from kind"));
    assert_non_null(strstr(task.prompts[1], "The part is second, which makes answer from facts"));
    assert_non_null(
        strstr(task.prompts[1], "second got:\n- facts: f\nand made of it:\n- answer: yes\n"));
    fake_host_release(&host);
}

/* The only module of a flow is asked something else than the case: that is what its demonstrations show. */
static void answer_by_flow(struct pawl_host *host, const struct fake_question *question,
                           struct pawl_host_result *result)
{
    answer(host, question, result);
    if (question->tier == PAWL_HOST_DEV) return;
    result->trace =
        fake_host_json(host, "[{'module':'part','input':{'piece':'p'},'output':{'facts':'f'}}]");
}

static void test_the_only_module_of_a_flow(void **state)
{
    (void)state;
    struct task task = {.kinds = 26, .luck = 0.4};
    struct pawl_host host;
    struct pawl_error err = {0};
    size_t n_demos = 0;
    fake_host_init(&host, &pawl_op_simba, 7);
    set_task(&host, &task, 64, 24);
    host.fields = fake_host_json(
        &host, "{'flow':true,'inputs':['kind'],'outputs':[{'name':'answer'}],'modules':["
               "{'name':'part','inputs':['piece'],'outputs':['facts'],'instruction':'instruction',"
               "'demos':'demos'}]}");
    host.answer = answer_by_flow;
    assert_int_equal(fake_host_run(&host, "{'max_steps':1}", &err), PAWL_OK);
    for (uint32_t i = 1; i < host.n_candidates; i++) {
        struct pawl_str demos = host.candidates[i].texts[1];
        if (pawl_str_is(demos, "[]")) continue;
        assert_true(pawl_str_is(demos, "[{\"facts\":\"f\",\"piece\":\"p\"}]"));
        n_demos++;
    }
    assert_true(n_demos > 0);
    fake_host_release(&host);
}

/* --- budgets and bad worlds -------------------------------------------------------------------------------- */

static void test_budget_is_never_overrun(void **state)
{
    (void)state;
    struct pawl_random random;
    pawl_crypto_init();
    pawl_random_init(&random, 5);
    for (int i = 0; i < 200; i++) {
        struct task task = {.kinds = 9, .luck = 0.4};
        struct pawl_host host;
        struct pawl_error err = {0};
        size_t n_dev = 1 + pawl_random_below(&random, 40);
        fake_host_init(&host, &pawl_op_simba, (uint64_t)i);
        set_task(&host, &task, 20, n_dev);
        host.budget = (int64_t)(n_dev + pawl_random_below(&random, 600));
        bool one_fits = host.budget >= 2 * (int64_t)n_dev + 13;
        assert_int_equal(fake_host_run(&host, "{}", &err), one_fits ? PAWL_OK : PAWL_EBUDGET);
        assert_true(host.used <= host.budget);
        /* Whoever won something was looked at on dev. */
        if (host.n_candidates > 1) assert_true(host.n_questions[PAWL_HOST_DEV] >= 2 * n_dev);
        fake_host_release(&host);
    }
}

/* What is left at the end is kept for the winners, and not spent on steps with ever fewer cases. */
static void test_winners_keep_their_dev(void **state)
{
    (void)state;
    struct task task = {.kinds = 26, .luck = 0.4};
    struct pawl_host host;
    struct pawl_error err = {0};
    fake_host_init(&host, &pawl_op_simba, 7);
    set_task(&host, &task, 64, 24);
    host.budget = 1000;
    assert_int_equal(fake_host_run(&host, "{'max_steps':0,'minibatch':8,'finalists':30}", &err),
                     PAWL_OK);
    size_t n_steps = task.highest_sample / 6;
    assert_in_range(n_steps, 5, 9); /* 24 + n * (104 + 24) at most */
    assert_int_equal(host.n_questions[PAWL_HOST_DEV], 24 * (1 + n_steps));
    fake_host_release(&host);
}

static struct pawl_hash digest_of_run(uint64_t seed)
{
    struct task task = {.kinds = 5, .luck = 0.4};
    struct pawl_host host;
    struct pawl_error err = {0};
    fake_host_init(&host, &pawl_op_simba, seed);
    set_task(&host, &task, 40, 20);
    host.budget = 2000;
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

static void test_stops_at_once(void **state)
{
    (void)state;
    for (size_t step = 1; step < 40; step++) {
        struct task task = {.kinds = 26, .luck = 0.4};
        struct pawl_host host;
        struct pawl_error err = {0};
        fake_host_init(&host, &pawl_op_simba, 3);
        set_task(&host, &task, 64, 20);
        host.fail_after = step;
        host.fail_with = PAWL_EPAUSED;
        assert_int_equal(fake_host_run(&host, "{}", &err), PAWL_EPAUSED);
        assert_int_equal(host.n_after_failure, 0);
        fake_host_release(&host);
    }
}

/* Money or time may end at any step: from the first winner on, something is named. */
static void test_names_what_it_found(void **state)
{
    (void)state;
    bool has_named = false;
    for (size_t step = 2; step < 40; step++) {
        struct task task = {.kinds = 26, .luck = 0.4};
        struct pawl_host host;
        struct pawl_error err = {0};
        fake_host_init(&host, &pawl_op_simba, 3);
        set_task(&host, &task, 64, 20);
        host.fail_after = step;
        host.fail_with = PAWL_EBUDGET;
        assert_int_equal(fake_host_run(&host, "{}", &err), PAWL_EBUDGET);
        assert_non_null(strstr(err.message, "The test stops here"));
        if (has_named) assert_true(host.n_nominated > 0);
        has_named = has_named || host.n_nominated > 0;
        if (host.n_nominated > 0) assert_true(step > 3);
        fake_host_release(&host);
    }
    assert_true(has_named);
}

static void test_a_lost_world(void **state)
{
    (void)state;
    for (int which = 0; which < 3; which++) {
        struct task task = {
            .kinds = 4, .luck = 0.4, .missing_train = which != 1, .missing_dev = which != 0};
        struct pawl_host host;
        assert_int_equal(run_on(&host, &task, "{}"), PAWL_OK);
        if (task.missing_train) assert_int_equal(host.n_candidates, 1);
        assert_int_equal(host.n_nominated, 0);
        fake_host_release(&host);
    }
}

static void test_refuses_what_it_cannot_improve(void **state)
{
    (void)state;
    struct task task = {.kinds = 2};
    struct pawl_host host;
    struct pawl_error err = {0};
    fake_host_init(&host, &pawl_op_simba, 3);
    set_task(&host, &task, 0, 10);
    assert_int_equal(fake_host_run(&host, "{}", &err), PAWL_ECONFIG);
    assert_non_null(strstr(err.message, "train"));
    fake_host_release(&host);

    fake_host_init(&host, &pawl_op_simba, 3);
    fake_host_add_component(&host, "source", "source", "x");
    fake_host_set_train(&host, 1);
    assert_int_equal(fake_host_run(&host, "{}", &err), PAWL_ECONFIG);
    assert_non_null(strstr(err.message, "neither"));
    fake_host_release(&host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_where_advice_stands),
        cmocka_unit_test(test_the_case_that_teaches_most),
        cmocka_unit_test(test_what_a_case_can_teach),
        cmocka_unit_test(test_learns_the_kinds),
        cmocka_unit_test(test_what_a_step_asks),
        cmocka_unit_test(test_a_demonstration_is_the_best_answer),
        cmocka_unit_test(test_answers_that_agree_teach_nothing),
        cmocka_unit_test(test_on_a_plain_nothing_is_named),
        cmocka_unit_test(test_winners_are_evenly_spaced),
        cmocka_unit_test(test_judgements_can_be_withheld),
        cmocka_unit_test(test_useless_advice),
        cmocka_unit_test(test_a_calibration_goes_with_its_demonstrations),
        cmocka_unit_test(test_two_modules),
        cmocka_unit_test(test_the_only_module_of_a_flow),
        cmocka_unit_test(test_budget_is_never_overrun),
        cmocka_unit_test(test_winners_keep_their_dev),
        cmocka_unit_test(test_equal_seeds_equal_runs),
        cmocka_unit_test(test_stops_at_once),
        cmocka_unit_test(test_names_what_it_found),
        cmocka_unit_test(test_a_lost_world),
        cmocka_unit_test(test_refuses_what_it_cannot_improve),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
