/*
 * MIPROv2 over a host in memory. The source files that ask the host are included, so that they ask the
 * fake one.
 */
#include "operators/vectors.h"
#include "support/fake_host.h"

#include "operators/bootstrap_teacher.c"
#include "operators/roster.c"
#include "operators/mipro_demos.c"
#include "operators/mipro_propose.c"
#include "operators/op_mipro.c"

/* --- a task -------------------------------------------------------------------------------------- */

/*
 * A case has a difficulty, a number in [0,1) made of its own; it is answered rightly when the program's
 * skill is above. Skill is 0.4, more with an instruction that holds the word "care" (0.2), and more
 * with demonstrations that the program thought of itself (0.02 each).
 */
enum { N_TRAIN = 60, N_DEV = 100, N_CANDIDATES_MAX = 256 };
struct task {
    size_t n_modules; /* 0: as 1, and the program names none */
    bool missing, never_good, useless, same_reply;
    size_t n_asked[N_TRAIN];                   /* of the teacher */
    bool seen_on_dev[N_CANDIDATES_MAX][N_DEV]; /* to see that nothing is paid for twice */
    size_t n_observe, n_summarise, n_describe_program, n_describe_module, n_propose, n_care;
    size_t n_with_demos, n_with_tip; /* proposals */
};

static double difficulty(const char *tier, size_t i)
{
    char text[32];
    snprintf(text, sizeof text, "%s %zu", tier, i);
    return pawl_random_of(PAWL_STR("difficulty"), pawl_str_of(text));
}

static size_t count_words(struct pawl_str text, const char *word)
{
    size_t n = 0, len = strlen(word);
    const char *end = text.ptr + text.len, *at = text.ptr;
    while ((at = memmem(at, (size_t)(end - at), word, len)) != NULL) {
        n++;
        at += len;
    }
    return n;
}

static double skill_of(const struct pawl_host *host, uint32_t candidate)
{
    double skill = 0.4;
    for (size_t i = 0; i < host->n_components; i++) {
        struct pawl_str text = host->candidates[candidate].texts[i];
        skill += count_words(text, "care") > 0 ? 0.2 : 0;
        skill += 0.02 * (double)count_words(text, "thought");
    }
    return skill;
}

/* Every question is a text of its own, so a demonstration of it can be found by searching. */
static bool shows(const struct pawl_host *host, uint32_t candidate, size_t i)
{
    char question[32];
    snprintf(question, sizeof question, "\"question %zu.\"", i);
    for (size_t k = 0; k < host->n_components; k++)
        if (count_words(host->candidates[candidate].texts[k], question) > 0) return true;
    return false;
}

static const char *trace_of(struct pawl_host *host, size_t n_modules, size_t i)
{
    if (n_modules < 2) return "[]";
    return pawl_arena_printf(
        &host->arena,
        "[{'module':'find','input':{'question':'question %zu.'},'output':{'fact':'early'}},"
        "{'module':'find','input':{'question':'question %zu.'},'output':{'fact':'thought fact'}},"
        "{'module':'tell','reply':'no answer came of it'},"
        "{'module':'tell','input':{'fact':'fact %zu'},'output':{'answer':'thought'}}]",
        i, i, i);
}

static void answer(struct pawl_host *host, const struct fake_question *question,
                   struct pawl_host_result *result)
{
    struct task *task = host->context;
    uint32_t i = question->train_or_dev_case, candidate = question->candidate;
    bool is_train = question->tier == PAWL_HOST_TRAIN;
    result->missing = task->missing;
    if (is_train) {
        assert_true(question->trace && question->sample == 0 && question->temperature == 0);
        assert_false(shows(host, candidate, i)); /* the law against leaks */
        task->n_asked[i]++;
        result->output = fake_host_json(host, "{'answer':'thought'}");
        result->trace = fake_host_json(host, trace_of(host, task->n_modules, i));
    } else {
        assert_true(candidate < N_CANDIDATES_MAX && i < N_DEV);
        assert_false(task->seen_on_dev[candidate][i]);
        task->seen_on_dev[candidate][i] = true;
    }
    result->score = difficulty(is_train ? "train" : "dev", i) < skill_of(host, candidate);
    if (is_train && task->never_good) result->score = 0;
}

static bool asks(const struct pawl_host_prompt *prompt, const char *words)
{
    return count_words(prompt->user, words) > 0;
}

static void reply_proposal(struct task *task, const struct pawl_host *host,
                           const struct pawl_host_prompt *prompt, struct pawl_host_reply *reply,
                           struct pawl_arena *step)
{
    size_t n = ++task->n_propose;
    assert_true(asks(prompt, "the summary of it") && asks(prompt, "the purpose of it"));
    assert_true(asks(prompt, "the description of it"));
    task->n_with_demos += asks(prompt, "\"thought");
    for (size_t i = 0; mipro_tips[i] != NULL; i++) {
        const struct pawl_operator_text *text = host->operator->texts;
        while (strcmp(text->name, mipro_tips[i]) != 0) text++;
        task->n_with_tip += asks(prompt, text->text);
    }
    const char *care = n % 2 == 0 ? " with care" : "";
    task->n_care += n % 2 == 0;
    if (task->same_reply) n = 0;
    reply->text = pawl_str_of(
        pawl_arena_printf(step, "Here:\n```\nIdea %zu%s\n```", n, task->same_reply ? "" : care));
}

static void reply(struct pawl_host *host, const struct pawl_host_prompt *prompt,
                  struct pawl_host_reply *reply, struct pawl_arena *step)
{
    struct task *task = host->context;
    assert_string_equal(prompt->role, "reflect");
    assert_int_equal(count_words(prompt->user, "{{"), 0); /* every mark is filled */
    if (task->useless) {
        reply->failed = host->n_prompts % 3 == 0;
        if (host->n_prompts % 3 == 1) reply->text = PAWL_STR("``````");
        if (host->n_prompts % 3 == 2) {
            char *text = pawl_arena_alloc(step, 20000, 1);
            memset(text, 'x', 20000);
            reply->text = (struct pawl_str){text, 20000};
        }
        return;
    }
    if (asks(prompt, "Write a new instruction")) {
        reply_proposal(task, host, prompt, reply, step);
    } else if (asks(prompt, "you observe") || asks(prompt, "was observed")) {
        reply->text = task->n_observe++ < 2 ? PAWL_STR("It is long.") : PAWL_STR("COMPLETE");
    } else if (asks(prompt, "Summarise")) {
        assert_int_equal(count_words(prompt->user, "It is long."), 2);
        task->n_summarise++;
        reply->text = PAWL_STR("the summary of it");
    } else if (asks(prompt, "what this module has to do")) {
        task->n_describe_module++;
        reply->text = PAWL_STR("the purpose of it");
    } else {
        task->n_describe_program++;
        reply->text = PAWL_STR("the description of it");
    }
}

static void set_program(struct pawl_host *host, const struct task *task)
{
    if (task->n_modules >= 2) {
        host->fields = fake_host_json(
            host, "{'inputs':['question'],'outputs':[{'name':'answer'}],'modules':["
                  "{'name':'find','inputs':['question'],'outputs':['fact'],'instruction':"
                  "'find.instruction','demos':'find.demos'},"
                  "{'name':'tell','inputs':['fact'],'outputs':['answer'],'instruction':"
                  "'tell.instruction','demos':'tell.demos','calibration':'tell.calibration'}]}");
        fake_host_add_component(host, "find.instruction", "instruction", "Find.");
        fake_host_add_component(host, "find.demos", "demos", "[]");
        fake_host_add_component(host, "tell.instruction", "instruction", "Tell.");
        fake_host_add_component(host, "tell.demos", "demos", "[]");
        fake_host_add_component(host, "tell.calibration", "calibration", "{\"a\":1}");
        return;
    }
    host->fields =
        fake_host_json(host, "{'inputs':['question'],'extra':[],'outputs':[{'name':'answer'}]}");
    fake_host_add_component(host, "instruction", "instruction", "Say it.");
    fake_host_add_component(host, "demos", "demos", "[]");
    fake_host_add_component(host, "calibration", "calibration", "{\"a\":1}");
}

static void open_host(struct pawl_host *host, struct task *task, uint64_t seed)
{
    fake_host_init(host, &pawl_op_mipro, seed);
    set_program(host, task);
    fake_host_set_train(host, N_TRAIN);
    for (size_t i = 0; i < N_TRAIN; i++)
        fake_host_set_case(host, i,
                           pawl_arena_printf(&host->arena, "{'question':'question %zu.'}", i),
                           "{'answer':'given'}");
    host->n_dev = N_DEV;
    host->answer = answer;
    host->reply = reply;
    host->context = task;
}

static void run_task(struct pawl_host *host, struct task *task, uint64_t seed, const char *options)
{
    struct pawl_error err = {0};
    open_host(host, task, seed);
    enum pawl_status status = fake_host_run(host, options, &err);
    if (status != PAWL_OK) fail_msg("%s", err.message);
}

/* --- reading what was made ---------------------------------------------------------------------------- */

static size_t count_seen(const struct task *task, uint32_t candidate)
{
    size_t n = 0;
    for (size_t i = 0; i < N_DEV; i++) n += task->seen_on_dev[candidate][i];
    return n;
}

static double dev_mean(const struct pawl_host *host, uint32_t candidate)
{
    size_t n = 0;
    for (size_t i = 0; i < N_DEV; i++) n += difficulty("dev", i) < skill_of(host, candidate);
    return (double)n / N_DEV;
}

static size_t index_of(const struct pawl_host *host, const char *component)
{
    for (size_t i = 0; i < host->n_components; i++)
        if (strcmp(host->components[i].name, component) == 0) return i;
    fail_msg("no %s", component);
    return 0;
}

static size_t count_different(const struct pawl_host *host, const char *component)
{
    size_t k = index_of(host, component), n = 0;
    for (uint32_t i = 0; i < host->n_candidates; i++) {
        bool is_new = true;
        for (uint32_t j = 0; j < i; j++)
            is_new =
                is_new && !pawl_str_eq(host->candidates[i].texts[k], host->candidates[j].texts[k]);
        n += is_new;
    }
    return n;
}

/* --- its numbers ------------------------------------------------------------------------------------------ */

static void test_number_of_trials(void **state)
{
    (void)state;
    assert_int_equal(n_trials_of(6, 2), 10);
    assert_int_equal(n_trials_of(12, 2), 18);
    assert_int_equal(n_trials_of(18, 4), 33);
    assert_int_equal(n_trials_of(6, 1), 9);
    json_t *file = vectors_load();
    if (file == NULL) skip();
    const json_t *vector = vectors_find(file, "mipro.num_trials");
    const json_t *cases = vectors_cases(vector), *expect = json_object_get(vector, "expect");
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *item = json_array_get(cases, i);
        size_t v = (size_t)pawl_json_get_int(item, "predictors", 0);
        if (pawl_json_get_bool(item, "optimise_demos", false)) v *= 2;
        assert_int_equal(n_trials_of((size_t)pawl_json_get_int(item, "n", 0), v),
                         json_integer_value(json_array_get(expect, i)));
    }
    json_decref(file);
}

static void test_who_is_scored_in_full(void **state)
{
    (void)state;
    struct combination tried[] = {{.trial_sum = 0.5, .n_trials = 1, .is_full = true},
                                  {.trial_sum = 0.6 + 0.7, .n_trials = 2},
                                  {.trial_sum = 0.66, .n_trials = 1},
                                  {.trial_sum = 0.9, .n_trials = 1, .is_full = true},
                                  {.n_trials = 0},
                                  {.trial_sum = 0.66, .n_trials = 1}};
    assert_ptr_equal(most_promising(tried, 6), &tried[2]);
    assert_null(most_promising(tried, 1));
    json_t *file = vectors_load();
    if (file == NULL) skip();
    const json_t *vector = vectors_find(file, "mipro.full_eval_choice");
    const json_t *input = json_object_get(vector, "input");
    const json_t *means = json_object_get(input, "minibatch_scores");
    const char *key, *names[8];
    json_t *scores, *done;
    struct combination given[8] = {0};
    size_t n = 0, k;
    json_object_foreach((json_t *)means, key, scores)
    {
        names[n] = key;
        given[n].n_trials = json_array_size(scores);
        for (size_t i = 0; i < given[n].n_trials; i++)
            given[n].trial_sum += json_number_value(json_array_get(scores, i));
        json_array_foreach(json_object_get(input, "fully_evaluated"), k, done)
        {
            given[n].is_full |= strcmp(json_string_value(done), key) == 0;
        }
        n++;
    }
    const struct combination *chosen = most_promising(given, n);
    assert_non_null(chosen);
    assert_string_equal(names[chosen - given],
                        pawl_json_get_text(json_object_get(vector, "expect"), "choice", ""));
    json_decref(file);
}

/* --- whole runs --------------------------------------------------------------------------------------------- */

static void test_a_light_run(void **state)
{
    (void)state;
    struct task task = {0};
    struct pawl_host host;
    run_task(&host, &task, 1, "{}");
    assert_int_equal(task.n_observe, 6); /* all of the cases, ten at a time */
    assert_int_equal(task.n_summarise, 1);
    assert_int_equal(task.n_describe_program, 1);
    assert_int_equal(task.n_describe_module, 1);
    assert_int_equal(task.n_propose, 2); /* and the start's: three instructions */
    assert_int_equal(task.n_with_demos, 2);
    assert_in_range(count_different(&host, "instruction"), 2, 3);
    assert_in_range(count_different(&host, "demos"), 3, 6);
    for (size_t i = 0; i < N_TRAIN; i++) assert_true(task.n_asked[i] <= 1);
    /* Ten trials, on minibatches of 35; two of them, and the start, in full. */
    size_t n_full = 0, n_tried = 0;
    for (uint32_t i = 0; i < host.n_candidates; i++) {
        size_t n_seen = count_seen(&task, i);
        assert_true(n_seen == 0 || n_seen >= 35);
        n_full += n_seen == N_DEV;
        n_tried += n_seen > 0;
        bool is_better = n_seen == N_DEV && dev_mean(&host, i) > dev_mean(&host, 0);
        assert_int_equal(host.candidates[i].nominated, is_better);
    }
    assert_in_range(n_full, 3, 4); /* a combination tried several times may become full so */
    assert_in_range(n_tried, 5, 11);
    assert_in_range(host.n_questions[PAWL_HOST_DEV], 3 * N_DEV, N_DEV + 10 * 35 + 2 * 65);
    assert_false(host.noted_short);
    fake_host_release(&host);
}

static void test_finds_what_is_good(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct task task = {0};
        struct pawl_host host;
        double best = 0;
        run_task(&host, &task, seed, "{'auto':'medium'}");
        for (uint32_t i = 0; i < host.n_candidates; i++)
            if (host.candidates[i].nominated && skill_of(&host, i) > best)
                best = skill_of(&host, i);
        assert_true(best >= 0.4 + 0.2 + 3 * 0.02); /* of 0.68 at most */
        fake_host_release(&host);
    }
}

static void test_small_dev_is_scored_whole(void **state)
{
    (void)state;
    struct task task = {0};
    struct pawl_host host;
    struct pawl_error err = {0};
    open_host(&host, &task, 1);
    host.n_dev = 50;
    assert_int_equal(fake_host_run(&host, "{}", &err), PAWL_OK);
    assert_int_equal(host.n_questions[PAWL_HOST_DEV], 11 * 50); /* no combination twice */
    fake_host_release(&host);
}

/* No more dev cases than asked for, by chance, and for everybody the same. */
static void test_part_of_dev(void **state)
{
    (void)state;
    struct task task = {0};
    struct pawl_host host;
    size_t n_first = 0;
    run_task(&host, &task, 1, "{'max_dev_cases':40,'trials':4}");
    assert_int_equal(count_seen(&task, 0), 40);
    for (size_t i = 0; i < 40; i++) n_first += task.seen_on_dev[0][i];
    assert_true(n_first < 40);
    for (uint32_t c = 1; c < host.n_candidates; c++)
        for (size_t i = 0; i < N_DEV; i++)
            assert_true(task.seen_on_dev[0][i] || !task.seen_on_dev[c][i]);
    fake_host_release(&host);
}

/* When every combination was scored in full the search ends. */
static void test_ends_when_nothing_is_left(void **state)
{
    (void)state;
    struct task task = {.never_good = true};
    struct pawl_host host;
    run_task(&host, &task, 1, "{'minibatch':'off','candidates':2,'max_labeled':0,'trials':500}");
    assert_int_equal(host.n_questions[PAWL_HOST_DEV], N_DEV); /* one instruction, nothing to show */
    fake_host_release(&host);
    task = (struct task){.never_good = true};
    run_task(&host, &task, 1, "{'minibatch':'off','candidates':4,'max_labeled':0,'trials':500}");
    assert_int_equal(host.n_questions[PAWL_HOST_DEV], 2 * N_DEV);
    fake_host_release(&host);
}

static void test_tips_and_summaries(void **state)
{
    (void)state;
    struct task task = {0};
    struct pawl_host host;
    run_task(&host, &task, 1, "{'candidates':80,'trials':1}");
    assert_int_equal(task.n_propose, 39);
    assert_in_range(task.n_with_tip, 39 * 5 / 6 - 12, 38);
    fake_host_release(&host);
    /* Five looks that bring nothing new are enough. */
    task = (struct task){0};
    run_task(&host, &task, 1, "{'view_batch':2,'trials':1}");
    assert_int_equal(task.n_observe, 2 + 5);
    fake_host_release(&host);
}

static void test_calibration_goes_with_its_demonstrations(void **state)
{
    (void)state;
    struct task task = {0};
    struct pawl_host host;
    size_t n_kept = 0, n_gone = 0;
    run_task(&host, &task, 1, "{'minibatch':'off','candidates':4,'trials':100}");
    for (uint32_t i = 1; i < host.n_candidates; i++) {
        bool same_demos = pawl_str_is(host.candidates[i].texts[1], "[]");
        bool kept = pawl_str_is(host.candidates[i].texts[2], "{\"a\":1}");
        if (count_seen(&task, i) == 0) continue;
        assert_int_equal(kept, same_demos);
        n_kept += kept;
        n_gone += !kept;
    }
    assert_true(n_kept > 0 && n_gone > 0);
    fake_host_release(&host);
}

static void test_start_with_demonstrations(void **state)
{
    (void)state;
    struct task task = {0};
    struct pawl_host host;
    struct pawl_error err = {0};
    size_t n_kept = 0, n_empty = 0;
    open_host(&host, &task, 1);
    host.candidates[0].texts[1] = PAWL_STR("[{\"question\":\"question 3.\",\"answer\":\"given\"}]");
    assert_int_equal(fake_host_run(&host, "{'minibatch':'off','candidates':4,'trials':100}", &err),
                     PAWL_OK);
    for (uint32_t i = 1; i < host.n_candidates; i++) {
        struct pawl_str demos = host.candidates[i].texts[1];
        if (count_seen(&task, i) == 0) continue;
        n_kept += pawl_str_eq(demos, host.candidates[0].texts[1]);
        n_empty += pawl_str_is(demos, "[]");
    }
    assert_true(n_kept > 0 && n_empty > 0); /* both are sets to choose from */
    fake_host_release(&host);
}

/* Both maxima 0: no demonstrations are shown, but proposals are grounded in them all the same. */
static void test_instructions_alone(void **state)
{
    (void)state;
    struct task task = {0};
    struct pawl_host host;
    run_task(&host, &task, 1, "{'max_bootstrapped':0,'max_labeled':0}");
    assert_int_equal(count_different(&host, "demos"), 1);
    assert_int_equal(task.n_propose, 5);
    assert_int_equal(task.n_with_demos, 5);
    fake_host_release(&host);
}

static void test_two_modules(void **state)
{
    (void)state;
    struct task task = {.n_modules = 2};
    struct pawl_host host;
    run_task(&host, &task, 1, "{'auto':'medium'}");
    assert_int_equal(task.n_describe_module, 2);
    assert_int_equal(task.n_propose, 2 * 5);
    assert_in_range(count_different(&host, "find.instruction"), 3, 6);
    assert_in_range(count_different(&host, "tell.instruction"), 3, 6);
    assert_in_range(count_different(&host, "find.demos"), 3, 12);
    assert_in_range(count_different(&host, "tell.demos"), 3, 12);
    size_t n_early = 0, n_late = 0;
    for (uint32_t i = 0; i < host.n_candidates; i++) {
        /* A target says nothing of either module's own fields: all of it comes from traces. */
        assert_int_equal(count_words(host.candidates[i].texts[1], "given"), 0);
        assert_int_equal(count_words(host.candidates[i].texts[3], "given"), 0);
        assert_int_equal(count_words(host.candidates[i].texts[3], "question"), 0);
        n_early += count_words(host.candidates[i].texts[1], "early");
        n_late += count_words(host.candidates[i].texts[1], "thought fact");
    }
    assert_true(n_early > 0 &&
                n_late > 0); /* one of the calls of a case, the last as often as not */
    fake_host_release(&host);
}

/* A command program: texts that are instructions, and nothing else. */
static void test_texts_alone(void **state)
{
    (void)state;
    struct task task = {0};
    struct pawl_host host;
    struct pawl_error err = {0};
    open_host(&host, &task, 1);
    host.fields = fake_host_json(&host, "{'inputs':[],'outputs':[],'extra':[]}");
    host.n_components = 0;
    fake_host_add_component(&host, "planner", "source", "Plan.");
    fake_host_add_component(&host, "writer", "source", "Write.");
    assert_int_equal(fake_host_run(&host, "{}", &err), PAWL_OK);
    assert_int_equal(task.n_propose, 2 * 2);
    assert_int_equal(host.n_questions[PAWL_HOST_TRAIN], 0); /* no answer could be shown */
    assert_in_range(count_different(&host, "planner"), 2, 3);
    assert_in_range(count_different(&host, "writer"), 2, 3);
    fake_host_release(&host);
}

/* --- replies and worlds that are of no use ------------------------------------------------------------------- */

static void test_useless_replies(void **state)
{
    (void)state;
    struct task task = {.useless = true};
    struct pawl_host host;
    run_task(&host, &task, 1, "{}");
    assert_int_equal(count_different(&host, "instruction"), 1);
    assert_true(count_different(&host, "demos") > 2);
    fake_host_release(&host);
    task = (struct task){.same_reply = true};
    run_task(&host, &task, 1, "{'auto':'heavy'}");
    assert_int_equal(count_different(&host, "instruction"), 2);
    fake_host_release(&host);
}

static void test_a_lost_world(void **state)
{
    (void)state;
    struct task task = {.missing = true};
    struct pawl_host host;
    run_task(&host, &task, 1, "{}");
    assert_int_equal(host.n_nominated, 0);
    fake_host_release(&host);
}

static void test_refuses_what_it_cannot_improve(void **state)
{
    (void)state;
    struct task task = {0};
    struct pawl_host host;
    struct pawl_error err = {0};
    open_host(&host, &task, 1);
    host.n_components = 0;
    assert_int_equal(fake_host_run(&host, "{}", &err), PAWL_ECONFIG);
    fake_host_release(&host);
    open_host(&host, &task, 1);
    host.n_train = 0;
    assert_int_equal(fake_host_run(&host, "{}", &err), PAWL_ECONFIG);
    assert_non_null(strstr(err.hint, "data add"));
    fake_host_release(&host);
}

/* --- limits, seeds, failures ------------------------------------------------------------------------------------ */

static void test_budget_is_never_overrun(void **state)
{
    (void)state;
    struct pawl_random random;
    pawl_crypto_init();
    pawl_random_init(&random, 5);
    for (uint64_t i = 0; i < 200; i++) {
        struct task task = {.n_modules = 1 + pawl_random_below(&random, 2)};
        struct pawl_host host;
        struct pawl_error err = {0};
        struct mipro_options options = {.preset = "light"};
        open_host(&host, &task, i);
        host.n_dev = 1 + pawl_random_below(&random, N_DEV);
        host.budget =
            smallest(&options, N_TRAIN, host.n_dev) + (int64_t)pawl_random_below(&random, 600);
        const char *settings = pawl_arena_printf(
            &host.arena, "{'minibatch':'%s','minibatch_size':%d,'full_eval_every':%d}",
            i % 2 == 0 ? "on" : "auto", 1 + (int)pawl_random_below(&random, 40),
            1 + (int)pawl_random_below(&random, 7));
        enum pawl_status status = fake_host_run(&host, settings, &err);
        if (status != PAWL_OK) fail_msg("%s", err.message);
        assert_true(host.used <= host.budget);
        assert_true(host.n_questions[PAWL_HOST_DEV] >= 2 * host.n_dev);
        fake_host_release(&host);
    }
}

static struct pawl_hash digest_of_run(uint64_t seed)
{
    struct task task = {0};
    struct pawl_host host;
    run_task(&host, &task, seed, "{}");
    struct pawl_hash digest = fake_host_digest(&host);
    fake_host_release(&host);
    return digest;
}

static void test_equal_seeds_equal_runs(void **state)
{
    (void)state;
    struct pawl_hash a = digest_of_run(1), b = digest_of_run(1), c = digest_of_run(0);
    assert_true(pawl_hash_eq(&a, &b));
    assert_false(pawl_hash_eq(&a, &c));
}

/* Whatever step fails: the same status comes back, and nothing is asked for afterwards. */
static void test_stops_at_once(void **state)
{
    (void)state;
    struct task task = {0};
    struct pawl_host host;
    run_task(&host, &task, 3, "{}");
    size_t n_steps = host.n_steps;
    fake_host_release(&host);
    for (size_t step = 1; step < n_steps; step++) {
        struct pawl_error err = {0};
        task = (struct task){0};
        open_host(&host, &task, 3);
        host.fail_after = step;
        host.fail_with = PAWL_EPAUSED;
        assert_int_equal(fake_host_run(&host, "{}", &err), PAWL_EPAUSED);
        assert_int_equal(host.n_after_failure, 0);
        fake_host_release(&host);
    }
}

/* Money or time may end at any step: from the first trial on, something is named. */
static void test_names_what_it_found(void **state)
{
    (void)state;
    struct task task = {0};
    struct pawl_host host;
    run_task(&host, &task, 3, "{}");
    size_t n_steps = host.n_steps;
    bool has_named = false;
    fake_host_release(&host);
    for (size_t step = 2; step < n_steps; step++) {
        struct pawl_error err = {0};
        task = (struct task){0};
        open_host(&host, &task, 3);
        host.fail_after = step;
        host.fail_with = PAWL_EBUDGET;
        if (fake_host_run(&host, "{}", &err) == PAWL_OK) step = n_steps; /* the rest is free */
        if (has_named) assert_true(host.n_nominated > 0);
        has_named = has_named || host.n_nominated > 0;
        fake_host_release(&host);
    }
    assert_true(has_named);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_number_of_trials),
        cmocka_unit_test(test_who_is_scored_in_full),
        cmocka_unit_test(test_a_light_run),
        cmocka_unit_test(test_finds_what_is_good),
        cmocka_unit_test(test_small_dev_is_scored_whole),
        cmocka_unit_test(test_part_of_dev),
        cmocka_unit_test(test_ends_when_nothing_is_left),
        cmocka_unit_test(test_tips_and_summaries),
        cmocka_unit_test(test_calibration_goes_with_its_demonstrations),
        cmocka_unit_test(test_start_with_demonstrations),
        cmocka_unit_test(test_instructions_alone),
        cmocka_unit_test(test_two_modules),
        cmocka_unit_test(test_texts_alone),
        cmocka_unit_test(test_useless_replies),
        cmocka_unit_test(test_a_lost_world),
        cmocka_unit_test(test_refuses_what_it_cannot_improve),
        cmocka_unit_test(test_budget_is_never_overrun),
        cmocka_unit_test(test_equal_seeds_equal_runs),
        cmocka_unit_test(test_stops_at_once),
        cmocka_unit_test(test_names_what_it_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
