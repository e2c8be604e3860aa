/*
 * Bootstrap over a host in memory. The source files that ask the host are included, so that they
 * ask the fake one.
 */
#include "operators/vectors.h"
#include "support/fake_host.h"

#include "operators/bootstrap_calibrate.c"
#include "operators/bootstrap_teacher.c"
#include "operators/op_bootstrap.c"
#include "operators/race.c"

/* --- a task -------------------------------------------------------------------------------------- */

/*
 * A model that sees how good a review is (its "quality", a number around 0 made of its number), but
 * leans by an amount that depends on the demonstrations it is shown. Positive reviews are those of
 * quality above 0; a calibration offset is added to the log-probability of its choice.
 */
struct task {
    double positive_share; /* of the train cases */
    bool no_logprobs, missing_train, missing_dev, never_good, raw_lacks_reasoning;
    size_t n_asked[400]; /* traced questions by train case */
    uint32_t highest_sample;
};
enum { N_TRAIN = 120, N_DEV = 50 };

static double quality(const char *tier, size_t i)
{
    char text[32];
    snprintf(text, sizeof text, "%s %zu", tier, i);
    return 4 * pawl_random_of(PAWL_STR("quality"), pawl_str_of(text)) - 2;
}

static bool is_positive(const struct task *task, size_t i)
{
    return quality("train", i) > 2 - 4 * task->positive_share;
}

static struct pawl_str text_of(const struct pawl_host *host, uint32_t candidate, size_t component)
{
    return host->candidates[candidate].texts[component];
}

/* Every review is a text of its own, so a demonstration of it can be found by searching. */
static bool shows(const struct pawl_host *host, uint32_t candidate, size_t i)
{
    struct pawl_str demos = text_of(host, candidate, 0);
    char review[32];
    int n = snprintf(review, sizeof review, "\"review %zu.\"", i);
    return memmem(demos.ptr, demos.len, review, (size_t)n) != NULL;
}

static double offset_of(struct pawl_host *host, uint32_t candidate, const char *choice)
{
    json_t *offsets;
    assert_int_equal(pawl_json_parse(text_of(host, candidate, 1), 4096, &offsets, NULL), PAWL_OK);
    double offset = pawl_json_get_real(offsets, choice, 0);
    json_decref(offsets);
    return offset;
}

/* Log-probabilities of positive and negative with a given margin. */
static double log_share(double margin)
{
    return -log1p(exp(-margin));
}

static void answer_train(struct pawl_host *host, const struct fake_question *question,
                         const char *choice, double margin, struct pawl_host_result *result)
{
    struct task *task = host->context;
    uint32_t i = question->train_or_dev_case;
    assert_true(question->trace);
    /* The law against leaks: nobody is asked about a case whose answer is on show. */
    assert_false(shows(host, question->candidate, i));
    assert_true(question->sample == 0 ? question->temperature == 0 : question->temperature == 1);
    if (question->sample > task->highest_sample) task->highest_sample = question->sample;
    task->n_asked[i]++;
    result->missing = task->missing_train;
    if (result->missing) return;
    bool is_right = (strcmp(choice, "positive") == 0) == is_positive(task, i);
    result->score = is_right && !task->never_good;
    char text[200];
    snprintf(text, sizeof text, "{'sentiment':'%s','reasoning':'thought'}", choice);
    result->output = fake_host_json(host, text);
    if (task->no_logprobs || !question->logprobs) return;
    snprintf(text, sizeof text, "[{'messages':[],'reply':'','choice_logprobs':[%.9f,%.9f]}]",
             log_share(margin), log_share(-margin));
    result->trace = fake_host_json(host, text);
}

static void answer(struct pawl_host *host, const struct fake_question *question,
                   struct pawl_host_result *result)
{
    const struct task *task = host->context;
    uint32_t i = question->train_or_dev_case;
    bool is_train = question->tier == PAWL_HOST_TRAIN;
    double lean = 3 * pawl_random_of(PAWL_STR("lean"), text_of(host, question->candidate, 0)) - 1.5;
    double margin = quality(is_train ? "train" : "dev", i) + lean;
    double shift = offset_of(host, question->candidate, "positive") -
                   offset_of(host, question->candidate, "negative");
    const char *choice = margin + shift > 0 ? "positive" : "negative";
    if (is_train) {
        answer_train(host, question, choice, margin, result);
        return;
    }
    result->missing = task->missing_dev;
    if (!result->missing)
        result->score = (strcmp(choice, "positive") == 0) == (quality("dev", i) > 0);
}

static void set_task(struct pawl_host *host, struct task *task, size_t n_train, size_t n_dev)
{
    if (task->positive_share == 0) task->positive_share = 0.5;
    host->fields = fake_host_json(
        host, "{'modules':[{'name':'','inputs':['review'],'extra':['reasoning'],'outputs':[{'name':"
              "'sentiment','type':'choices','choices':['positive','negative']}],'instruction':"
              "'instruction','demos':'demos','calibration':'calibration'}]}");
    fake_host_add_component(host, "demos", "demos", "[]");
    fake_host_add_component(host, "calibration", "calibration", "{}");
    fake_host_add_component(host, "instruction", "instruction", "Say it.");
    fake_host_set_train(host, n_train);
    for (size_t i = 0; i < n_train; i++) {
        const char *reasoning = task->raw_lacks_reasoning ? "" : ",'reasoning':'given'";
        const char *label = is_positive(task, i) ? "positive" : "negative";
        fake_host_set_case(
            host, i, pawl_arena_printf(&host->arena, "{'review':'review %zu.'}", i),
            pawl_arena_printf(&host->arena, "{'sentiment':'%s'%s}", label, reasoning));
    }
    host->n_dev = n_dev;
    host->answer = answer;
    host->context = task;
}

/* --- reading what was made --------------------------------------------------------------------------- */

struct counts {
    size_t demos, given, thought, positive, negative;
};

static struct counts count_demos(struct pawl_host *host, uint32_t candidate)
{
    struct counts counts = {0};
    json_t *list;
    assert_int_equal(pawl_json_parse(text_of(host, candidate, 0), 1 << 20, &list, NULL), PAWL_OK);
    counts.demos = json_array_size(list);
    for (size_t i = 0; i < counts.demos; i++) {
        const json_t *demo = json_array_get(list, i);
        const char *reasoning = pawl_json_get_text(demo, "reasoning", "");
        const char *sentiment = pawl_json_get_text(demo, "sentiment", "");
        assert_int_equal(json_object_size(demo), 3);
        size_t number = (size_t)atoi(pawl_json_get_text(demo, "review", "review x") + 7);
        /* Right by the metric, whoever said it. */
        assert_int_equal(is_positive(host->context, number), strcmp(sentiment, "positive") == 0);
        counts.given += strcmp(reasoning, "given") == 0;
        counts.thought += strcmp(reasoning, "thought") == 0;
        counts.positive += strcmp(sentiment, "positive") == 0;
        counts.negative += strcmp(sentiment, "negative") == 0;
    }
    json_decref(list);
    return counts;
}

static size_t count_scored(const struct pawl_host *host)
{
    size_t n = 0;
    for (uint32_t i = 0; i < host->n_candidates; i++) n += host->candidates[i].scored;
    return n;
}

static void run_task_on(struct pawl_host *host, struct task *task, uint64_t seed, size_t n_dev,
                        const char *options)
{
    struct pawl_error err = {0};
    fake_host_init(host, &pawl_op_bootstrap, seed);
    set_task(host, task, N_TRAIN, n_dev);
    assert_int_equal(fake_host_run(host, options, &err), PAWL_OK);
}

static void run_task(struct pawl_host *host, struct task *task, uint64_t seed, const char *options)
{
    run_task_on(host, task, seed, N_DEV, options);
}

/* --- the rule of success ------------------------------------------------------------------------------ */

static bool is_good(double score, double threshold)
{
    json_t *output = json_object();
    struct pawl_teacher teacher = {.threshold = threshold};
    struct pawl_host_result result = {.score = score, .output = output};
    bool good = pawl_teacher_is_good(&teacher, &result);
    result.missing = true;
    assert_false(pawl_teacher_is_good(&teacher, &result));
    result.missing = false, result.failed = true;
    assert_false(pawl_teacher_is_good(&teacher, &result));
    result.failed = false, result.output = NULL;
    assert_false(pawl_teacher_is_good(&teacher, &result));
    json_decref(output);
    return good;
}

static void test_success_rule(void **state)
{
    (void)state;
    assert_false(is_good(0, -1));
    assert_true(is_good(0.3, -1));
    assert_false(is_good(0.3, 0.5));
    assert_true(is_good(0.5, 0.5));
    assert_false(is_good(-1, 0)); /* 0 is a threshold */
    assert_true(is_good(0, 0));
    json_t *file = vectors_load();
    if (file == NULL) skip();
    const json_t *vector = vectors_find(file, "bootstrap.success_rule");
    const json_t *cases = vectors_cases(vector);
    const json_t *expect = json_object_get(json_object_get(vector, "expect"), "pawl");
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *item = json_array_get(cases, i);
        if (!pawl_json_get_bool(item, "metric", true)) continue; /* we always have one */
        assert_int_equal(is_good(json_number_value(json_object_get(item, "score")),
                                 pawl_json_get_real(item, "threshold", -1)),
                         json_is_true(json_array_get(expect, i)));
    }
    json_decref(file);
}

/* --- sets ----------------------------------------------------------------------------------------------- */

/* The unshuffled set: the full number of answers, and targets up to max_labeled. */
static void check_fill(int64_t max_bootstrapped, int64_t max_labeled, size_t want_given)
{
    struct task task = {0};
    struct pawl_host host;
    char options[200];
    snprintf(options, sizeof options,
             "{'candidates':0,'calibrate':'off','max_bootstrapped':%d,'max_labeled':%d}",
             (int)max_bootstrapped, (int)max_labeled);
    run_task(&host, &task, 1, options);
    struct counts counts = count_demos(&host, host.n_candidates - 1);
    assert_int_equal(counts.thought, max_bootstrapped);
    assert_int_equal(counts.given, want_given);
    fake_host_release(&host);
}

static void test_labelled_fill(void **state)
{
    (void)state;
    check_fill(4, 16, 12);
    check_fill(4, 4, 0);
    check_fill(4, 2, 0);
    check_fill(4, 0, 0);
    json_t *file = vectors_load();
    if (file == NULL) skip();
    const json_t *vector = vectors_find(file, "bootstrap.labelled_fill");
    const json_t *cases = vectors_cases(vector), *expect = json_object_get(vector, "expect");
    for (size_t i = 0; i < json_array_size(cases); i++)
        check_fill(pawl_json_get_int(json_array_get(cases, i), "n_augmented", -1),
                   pawl_json_get_int(json_array_get(cases, i), "max_labeled", -1),
                   (size_t)json_integer_value(json_array_get(expect, i)));
    json_decref(file);
}

static void test_candidates_are_19(void **state)
{
    (void)state;
    struct task task = {0};
    struct pawl_host host;
    run_task(&host, &task, 1, "{'calibrate':'off'}");
    assert_int_equal(host.n_candidates, 19);
    assert_int_equal(count_scored(&host), 19);
    assert_int_equal(host.n_questions[PAWL_HOST_DEV], 19 * N_DEV);
    for (uint32_t i = 1; i < host.n_candidates; i++) {
        struct counts counts = count_demos(&host, i);
        assert_int_equal(counts.demos, 16);
        assert_true(counts.thought <= 4);
        assert_true(i == 1 ? counts.thought == 0 : counts.thought >= 1);
    }
    assert_int_equal(count_demos(&host, 2).thought, 4);
    /* A case is asked about once, however many sets want it. */
    for (size_t i = 0; i < N_TRAIN; i++) assert_true(task.n_asked[i] <= 1);
    fake_host_release(&host);
    json_t *file = vectors_load();
    if (file == NULL) skip();
    const json_t *expect = json_object_get(vectors_find(file, "bootstrap_rs.candidates"), "expect");
    assert_int_equal(pawl_json_get_int(expect, "candidates", 0), 19);
    assert_int_equal(pawl_json_get_int(expect, "first_seed", 0), EMPTY_SET);
    json_decref(file);
}

static void test_balance(void **state)
{
    (void)state;
    struct task task = {.positive_share = 0.85};
    struct pawl_host host;
    run_task(&host, &task, 1, "{'candidates':0,'calibrate':'off'}");
    struct counts even = count_demos(&host, 1);
    assert_int_equal(even.positive, 8);
    assert_int_equal(even.negative, 8);
    fake_host_release(&host);
    run_task(&host, &task, 1, "{'candidates':0,'calibrate':'off','balance':'off'}");
    assert_true(count_demos(&host, 1).positive >= 11);
    fake_host_release(&host);
}

static void test_later_rounds_ask_again(void **state)
{
    (void)state;
    struct task task = {.never_good = true};
    struct pawl_host host;
    run_task(&host, &task, 1, "{'candidates':2,'calibrate':'off','max_rounds':3}");
    assert_int_equal(task.highest_sample, 2);
    for (size_t i = 0; i < N_TRAIN; i++) {
        bool shown = shows(&host, 1, i);
        assert_int_equal(task.n_asked[i], shown ? 0 : 3);
    }
    for (uint32_t i = 1; i < host.n_candidates; i++)
        assert_int_equal(count_demos(&host, i).thought, 0);
    fake_host_release(&host);
}

/* A set holds a case once, and its text is JSON whatever has to be left out. */
static void test_a_set_has_limits(void **state)
{
    (void)state;
    enum { N = 5, BYTES = 300 << 10 };
    struct pawl_arena arena = {0};
    struct pawl_demo demos[N];
    struct pawl_demo_set set = pawl_demo_set_new(N, N, &arena);
    json_t *list;
    char *text = pawl_arena_alloc(&arena, 1, BYTES);
    memset(text, '1', BYTES);
    for (uint32_t i = 0; i < N; i++) {
        demos[i] = (struct pawl_demo){.text = {text, i == 4 ? 1 : BYTES}, .train_case = i};
        pawl_demo_set_add(&set, &demos[i]);
        pawl_demo_set_add(&set, &demos[i]);
    }
    assert_int_equal(set.n, N);
    text[0] = text[BYTES - 1] = '"';
    demos[4].text = PAWL_STR("{}");
    struct pawl_str whole = pawl_demo_set_text(&set, &arena);
    assert_true(whole.len <= PAWL_DEMO_SET_BYTES_MAX);
    assert_int_equal(pawl_json_parse(whole, whole.len, &list, NULL), PAWL_OK);
    assert_int_equal(json_array_size(list), 4); /* three of 300 KiB and the last */
    json_decref(list);
    pawl_arena_release(&arena);
}

/* Targets that lack a field of the strategy are no demonstrations; the teacher's answers are. */
static void test_targets_without_reasoning(void **state)
{
    (void)state;
    struct task task = {.raw_lacks_reasoning = true};
    struct pawl_host host;
    run_task(&host, &task, 1, "{'candidates':3,'calibrate':'off'}");
    assert_true(host.n_candidates >= 3);
    for (uint32_t i = 1; i < host.n_candidates; i++) {
        assert_int_equal(count_demos(&host, i).given, 0);
        assert_true(count_demos(&host, i).thought >= 1);
    }
    fake_host_release(&host);
}

/* --- racing --------------------------------------------------------------------------------------------- */

/* Of the best three that were scored in full, how many the race did not name. */
static size_t n_lost(const struct pawl_host *full, const struct pawl_host *raced)
{
    size_t n = 0;
    for (uint32_t i = 0; i < full->n_candidates; i++) {
        size_t n_before = 0; /* a tie is won by the earlier one */
        for (uint32_t k = 0; k < full->n_candidates; k++)
            n_before += full->candidates[k].nominated &&
                        (full->candidates[k].mean > full->candidates[i].mean ||
                         (full->candidates[k].mean == full->candidates[i].mean && k < i));
        n += full->candidates[i].nominated && n_before < 3 && !raced->candidates[i].nominated;
    }
    return n;
}

static void test_a_race_saves_evaluations_and_keeps_the_best(void **state)
{
    (void)state;
    size_t n_full = 0, n_raced = 0, lost = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct task tasks[2] = {0};
        struct pawl_host full, raced;
        run_task_on(&full, &tasks[0], seed, 300, "{'candidates':16}");
        run_task_on(&raced, &tasks[1], seed, 300, "{'candidates':16,'race':'on'}");
        assert_int_equal(full.n_candidates, raced.n_candidates);
        lost += n_lost(&full, &raced);
        n_full += full.n_questions[PAWL_HOST_DEV];
        n_raced += raced.n_questions[PAWL_HOST_DEV];
        fake_host_release(&full);
        fake_host_release(&raced);
    }
    assert_true(n_raced < n_full * 9 / 10);
    assert_true(lost <= 6); /* of 60, at an error of 0.05 */
}

/* --- calibration ----------------------------------------------------------------------------------------- */

static void test_offsets_move_the_threshold_to_the_median(void **state)
{
    (void)state;
    const double margins[] = {3, -1, 2.5, 0.5, 7};
    double logprobs[10], offsets[2];
    for (size_t i = 0; i < 5; i++) {
        logprobs[2 * i] = log_share(margins[i]);
        logprobs[2 * i + 1] = log_share(-margins[i]);
    }
    pawl_calibrate_offsets(logprobs, 5, 2, offsets);
    assert_true(fabs(offsets[1] - offsets[0] - 2.5) < 1e-12);
    assert_true(fabs(offsets[0] + offsets[1]) < 1e-12);
}

static void test_offsets_of_three_choices(void **state)
{
    (void)state;
    double logprobs[] = {-1, -2, -6, -1, -3, -2, -5, -5, -5, -2, -4, -3}, offsets[3];
    /* Centred: 2 1 -3, 1 -1 0, 0 0 0, 1 -1 0; medians of an even number lie between two. */
    pawl_calibrate_offsets(logprobs, 4, 3, offsets);
    assert_true(offsets[0] == -1 && offsets[1] == 0.5 && offsets[2] == 0);
}

static void check_read(const char *text, bool want)
{
    json_error_t error;
    double logprobs[2] = {0};
    json_t *trace = json_loads(text, 0, &error);
    assert_non_null(trace);
    assert_int_equal(pawl_calibrate_read(trace, "", 2, logprobs), want);
    if (want) assert_true(logprobs[0] == -1 && logprobs[1] == -2);
    json_decref(trace);
}

static void test_reading_traces(void **state)
{
    (void)state;
    double logprobs[2];
    check_read("[{\"reply\":\"x\"},{\"choice_logprobs\":[-1,-2]}]", true);
    check_read("[{\"choice_logprobs\":[-1,-2]},{\"reply\":\"retry\"}]", true);
    check_read("[{\"choice_logprobs\":[-9,-9]},{\"choice_logprobs\":[-1,-2]}]", true);
    check_read("[{\"choice_logprobs\":[-1,null]}]", false);
    check_read("[{\"choice_logprobs\":[-1]}]", false);
    check_read("[{\"choice_logprobs\":[-1,-2,-3]}]", false);
    check_read("[{\"choice_logprobs\":{\"a\":1}}]", false);
    check_read("[1,\"x\",null]", false);
    check_read("{}", false);
    check_read("[{\"choice_logprobs\":[-1,-2]},{\"module\":\"b\",\"choice_logprobs\":[-3,-4]}]",
               true); /* another module's are not looked at */
    assert_false(pawl_calibrate_read(NULL, "", 2, logprobs));
}

static void test_calibrated_sets_stand_for_their_twins(void **state)
{
    (void)state;
    struct task task = {0};
    struct pawl_host host;
    double start, best = 0;
    run_task(&host, &task, 1, "{'candidates':4}");
    start = host.candidates[0].mean;
    for (uint32_t i = 1; i < host.n_candidates; i++) {
        const struct fake_candidate *candidate = &host.candidates[i];
        bool is_plain = pawl_str_is(candidate->texts[1], "{}");
        assert_int_equal(candidate->scored, !is_plain);
        assert_int_equal(candidate->nominated, candidate->scored && candidate->mean > start);
        if (candidate->scored && candidate->mean > best) best = candidate->mean;
        /* On all cases the offsets undo the lean, up to the error of a median of 60. */
        if (is_plain) continue;
        double lean = 3 * pawl_random_of(PAWL_STR("lean"), candidate->texts[0]) - 1.5;
        double shift = offset_of(&host, i, "positive") - offset_of(&host, i, "negative");
        assert_true(fabs(shift + lean) < 1);
    }
    assert_int_equal(count_scored(&host), 1 + 1 + 6); /* start, empty calibrated, six sets */
    assert_true(best > 0.85);
    fake_host_release(&host);
}

static void test_auto_without_logprobs_is_off(void **state)
{
    (void)state;
    struct task task = {.no_logprobs = true};
    struct pawl_host host;
    struct pawl_error err = {0};
    run_task(&host, &task, 1, "{'candidates':1}");
    for (uint32_t i = 0; i < host.n_candidates; i++)
        assert_true(pawl_str_is(text_of(&host, i, 1), "{}"));
    assert_int_equal(count_scored(&host), 4);
    fake_host_release(&host);
    fake_host_init(&host, &pawl_op_bootstrap, 1);
    set_task(&host, &task, N_TRAIN, N_DEV);
    assert_int_equal(fake_host_run(&host, "{'calibrate':'on'}", &err), PAWL_ECONFIG);
    assert_string_equal(err.field, "calibrate");
    fake_host_release(&host);
}

/* Where the budget holds no calibrated candidate, it goes into plain ones. */
static void test_a_small_budget_is_not_spent_on_calibration(void **state)
{
    (void)state;
    struct task task = {0};
    struct pawl_host host;
    struct pawl_error err = {0};
    fake_host_init(&host, &pawl_op_bootstrap, 1);
    set_task(&host, &task, N_TRAIN, N_DEV);
    host.budget = 2 * N_DEV + PROBES;
    assert_int_equal(fake_host_run(&host, "{'candidates':1}", &err), PAWL_OK);
    assert_int_equal(count_scored(&host), 2);
    for (uint32_t i = 0; i < host.n_candidates; i++)
        assert_true(pawl_str_is(text_of(&host, i, 1), "{}"));
    fake_host_release(&host);
}

/* Who insists needs more, and with that gets one. */
static void test_the_smallest_budget_holds_a_calibrated_set(void **state)
{
    (void)state;
    enum { CASES = 40 };
    const struct bootstrap_options on = {.calibrate = "on", .calibration_cases = CASES},
                                   automatic = {.calibrate = "auto", .calibration_cases = CASES};
    int64_t least = pawl_op_bootstrap.smallest(&on, N_TRAIN, N_DEV);
    assert_int_equal(pawl_op_bootstrap.smallest(&automatic, N_TRAIN, N_DEV), 2 * N_DEV);
    for (int64_t budget = least - 1; budget <= least; budget++) {
        struct task task = {0};
        struct pawl_host host;
        struct pawl_error err = {0};
        fake_host_init(&host, &pawl_op_bootstrap, 1);
        set_task(&host, &task, N_TRAIN, N_DEV);
        host.budget = budget;
        enum pawl_status status =
            fake_host_run(&host, "{'candidates':1,'calibrate':'on','calibration_cases':40}", &err);
        assert_int_equal(status, budget == least ? PAWL_OK : PAWL_EBUDGET);
        assert_int_equal(count_scored(&host), budget == least ? 2 : 1);
        fake_host_release(&host);
    }
}

/* --- a start that was improved before ----------------------------------------------------------------------- */

static void test_start_with_demonstrations(void **state)
{
    (void)state;
    struct task task = {0};
    struct pawl_host host;
    struct pawl_error err = {0};
    fake_host_init(&host, &pawl_op_bootstrap, 1);
    set_task(&host, &task, N_TRAIN, N_DEV);
    host.candidates[0].texts[0] = PAWL_STR("[{\"review\":\"old\",\"sentiment\":\"positive\"}]");
    host.candidates[0].texts[1] = PAWL_STR("{\"negative\":1,\"positive\":-1}");
    assert_int_equal(fake_host_run(&host, "{'candidates':1,'calibrate':'off'}", &err), PAWL_OK);
    assert_int_equal(host.n_candidates, 5); /* the start, and the empty set beside the others */
    assert_true(pawl_str_is(text_of(&host, 1, 0), "[]"));
    for (uint32_t i = 1; i < host.n_candidates; i++)
        assert_true(pawl_str_is(text_of(&host, i, 1), "{}")); /* old offsets fit old sets only */
    fake_host_release(&host);
}

/* --- limits, seeds, failures ----------------------------------------------------------------------------------- */

static void run_limited(struct pawl_random *random)
{
    struct task task = {.never_good = pawl_random_below(random, 4) == 0,
                        .no_logprobs = pawl_random_below(random, 3) == 0};
    struct pawl_host host;
    struct pawl_error err = {0};
    char options[300];
    snprintf(options, sizeof options,
             "{'candidates':%d,'max_rounds':%d,'max_bootstrapped':%d,'max_labeled':%d,"
             "'calibration_cases':%d}",
             (int)pawl_random_below(random, 6), 1 + (int)pawl_random_below(random, 3),
             (int)pawl_random_below(random, 6), (int)pawl_random_below(random, 20),
             1 + (int)pawl_random_below(random, 100));
    fake_host_init(&host, &pawl_op_bootstrap, pawl_random_u64(random));
    set_task(&host, &task, 1 + pawl_random_below(random, 60), pawl_random_below(random, 30));
    host.budget = (int64_t)pawl_random_below(random, 500);
    bool too_small = host.budget < (int64_t)host.n_dev + PROBES;
    enum pawl_status status = fake_host_run(&host, options, &err);
    bool tried = false;
    for (uint32_t i = 1; i < host.n_candidates; i++) tried = tried || host.candidates[i].scored;
    bool no_room = host.noted_short && !tried; /* for any set: that is said, not passed over */
    assert_true(status == PAWL_OK || (status == PAWL_EBUDGET && (too_small || no_room)));
    assert_true(host.used <= host.budget);
    /* What was paid for is scored: no set is abandoned half way. */
    for (uint32_t i = 1; i < host.n_candidates; i++)
        assert_true(host.candidates[i].scored || i + 1 < host.n_candidates);
    fake_host_release(&host);
}

static void test_budget_is_never_overrun(void **state)
{
    (void)state;
    struct pawl_random random;
    pawl_crypto_init();
    pawl_random_init(&random, 5);
    for (int i = 0; i < 200; i++) run_limited(&random);
}

static struct pawl_hash digest_of_run(uint64_t seed)
{
    struct task task = {0};
    struct pawl_host host;
    run_task(&host, &task, seed, "{'candidates':4}");
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

/* A set does not depend on how many come after it. */
static void test_more_candidates_begin_with_the_same(void **state)
{
    (void)state;
    struct task task = {0}, again = {0};
    struct pawl_host few, many;
    run_task(&few, &task, 9, "{'candidates':2}");
    run_task(&many, &again, 9, "{'candidates':5}");
    assert_true(few.n_candidates < many.n_candidates);
    for (uint32_t i = 0; i < few.n_candidates; i++)
        for (size_t k = 0; k < 2; k++)
            assert_true(pawl_str_eq(text_of(&few, i, k), text_of(&many, i, k)));
    fake_host_release(&few);
    fake_host_release(&many);
}

static void test_stops_at_once(void **state)
{
    (void)state;
    for (size_t step = 1; step < 30; step++) {
        struct task task = {0};
        struct pawl_host host;
        struct pawl_error err = {0};
        fake_host_init(&host, &pawl_op_bootstrap, 3);
        set_task(&host, &task, N_TRAIN, N_DEV);
        host.fail_after = step;
        host.fail_with = PAWL_EPAUSED;
        assert_int_equal(fake_host_run(&host, "{}", &err), PAWL_EPAUSED);
        assert_int_equal(host.n_after_failure, 0);
        fake_host_release(&host);
    }
}

/* --- bad worlds ------------------------------------------------------------------------------------------------- */

static void test_a_lost_world(void **state)
{
    (void)state;
    struct task no_train = {.missing_train = true}, no_dev = {.missing_dev = true};
    struct pawl_host host;
    run_task(&host, &no_train, 1, "{'candidates':2}");
    for (uint32_t i = 1; i < host.n_candidates; i++)
        assert_int_equal(count_demos(&host, i).thought, 0);
    fake_host_release(&host);
    run_task(&host, &no_dev, 1, "{'candidates':2}");
    assert_int_equal(host.n_nominated, 0);
    fake_host_release(&host);
}

static void test_strange_cases(void **state)
{
    (void)state;
    struct task task = {.no_logprobs = true};
    struct pawl_host host;
    struct pawl_error err = {0};
    fake_host_init(&host, &pawl_op_bootstrap, 1);
    set_task(&host, &task, 8, 4);
    fake_host_set_case(&host, 0, "['no','object']", "['no object']");
    fake_host_set_case(&host, 1, "{}", "{'sentiment':'positive','reasoning':'given'}");
    fake_host_set_case(&host, 2, "{'review':null}", "{'sentiment':null,'reasoning':null}");
    host.train[3].target = NULL;
    char *huge = malloc((2 << 20) + 1);
    memset(huge, 'h', 2 << 20);
    huge[2 << 20] = '\0';
    json_t *input = json_pack("{s:s}", "review", huge);
    json_array_append_new(host.kept, input);
    host.train[4].input = input;
    free(huge);
    assert_int_equal(fake_host_run(&host, "{'candidates':3}", &err), PAWL_OK);
    for (uint32_t i = 1; i < host.n_candidates; i++) {
        assert_true(count_demos(&host, i).demos >= 1);
        assert_true(text_of(&host, i, 0).len <= PAWL_DEMO_SET_BYTES_MAX);
    }
    fake_host_release(&host);
}

static void test_refuses_what_it_cannot_improve(void **state)
{
    (void)state;
    struct task task = {0};
    struct pawl_host host;
    struct pawl_error err = {0};
    fake_host_init(&host, &pawl_op_bootstrap, 3);
    set_task(&host, &task, 0, 10);
    assert_int_equal(fake_host_run(&host, "{}", &err), PAWL_ECONFIG);
    assert_non_null(strstr(err.message, "train"));
    fake_host_release(&host);

    fake_host_init(&host, &pawl_op_bootstrap, 3);
    fake_host_add_component(&host, "source", "source", "x");
    fake_host_set_train(&host, 1);
    assert_int_equal(fake_host_run(&host, "{}", &err), PAWL_ECONFIG);
    assert_non_null(strstr(err.message, "demonstrations"));
    fake_host_release(&host);
}

/* --- pipelines --------------------------------------------------------------------------------------------- */

/*
 * A program of two modules: `find` reads a review and gives its tone, `judge` takes the tone and gives
 * the sentiment. Case i is answered well when i is even, but for every third, where the answer of
 * `judge` cannot be read.
 */
enum { FIND_DEMOS, JUDGE_DEMOS };

static void answer_pipeline(struct pawl_host *host, const struct fake_question *question,
                            struct pawl_host_result *result)
{
    uint32_t i = question->train_or_dev_case;
    bool is_read = i % 3 != 0;
    char text[400];
    result->score = is_read && i % 2 == 0;
    if (question->tier == PAWL_HOST_DEV) return;
    for (size_t k = 0; k < 2; k++) {
        char shown[32];
        int n = snprintf(shown, sizeof shown, "review %u.", i);
        struct pawl_str demos = text_of(host, question->candidate, k);
        assert_null(memmem(demos.ptr, demos.len, shown, (size_t)n));
    }
    result->failed = !is_read;
    if (is_read) result->output = fake_host_json(host, "{'sentiment':'positive'}");
    snprintf(text, sizeof text,
             "[{'module':'find','reply':'?','input':{'review':'review %u.'}},"
             "{'module':'find','reply':'x','input':{'review':'review %u.'},'output':{'tone':'t%u'}}"
             ",{'module':'judge','input':{'tone':'t%u'}%s%u%s}]",
             i, i, i, i, is_read ? ",'output':{'reasoning':'r" : ",'reply':'", i,
             is_read ? "','sentiment':'positive'}" : "'");
    result->trace = fake_host_json(host, text);
}

static void set_pipeline(struct pawl_host *host, size_t n_train)
{
    host->fields = fake_host_json(
        host, "{'inputs':['review'],'outputs':[{'name':'sentiment','type':'choices','choices':"
              "['positive','negative']}],'extra':[],'modules':["
              "{'name':'find','inputs':['review'],'outputs':[{'name':'tone','type':'text'}],"
              "'extra':[],'instruction':'find.instruction','demos':'find.demos'},"
              "{'name':'judge','inputs':['tone'],'outputs':[{'name':'sentiment','type':'choices',"
              "'choices':['positive','negative']}],'extra':['reasoning'],'instruction':"
              "'judge.instruction','demos':'judge.demos','calibration':'judge.calibration'}]}");
    fake_host_add_component(host, "find.demos", "demos", "[]");
    fake_host_add_component(host, "judge.demos", "demos", "[]");
    fake_host_add_component(host, "judge.calibration", "calibration", "{}");
    fake_host_set_train(host, n_train);
    for (size_t i = 0; i < n_train; i++)
        fake_host_set_case(host, i, pawl_arena_printf(&host->arena, "{'review':'review %zu.'}", i),
                           "{'sentiment':'positive'}");
    host->n_dev = 4;
    host->answer = answer_pipeline;
}

static void expect_demos(const struct pawl_host *host, uint32_t candidate, size_t component,
                         size_t n, const char *fields)
{
    json_t *list;
    assert_int_equal(pawl_json_parse(text_of(host, candidate, component), 1 << 20, &list, NULL),
                     PAWL_OK);
    assert_int_equal(json_array_size(list), n);
    for (size_t i = 0; i < n; i++) {
        char *text = pawl_json_text(json_array_get(list, i));
        for (char *c = text; *c != '\0'; c++)
            if (*c >= '0' && *c <= '9') *c = '#';
        if (strstr(fields, text) == NULL) fail_msg("%s", text);
        free(text);
    }
    json_decref(list);
}

/* What a module gave on the way to a good answer is its demonstration; targets lack its fields. */
static void test_every_module_of_a_pipeline_learns(void **state)
{
    (void)state;
    struct pawl_host host;
    struct pawl_error err = {0};
    fake_host_init(&host, &pawl_op_bootstrap, 1);
    set_pipeline(&host, 30);
    assert_int_equal(fake_host_run(&host, "{'candidates':3,'calibrate':'off'}", &err), PAWL_OK);
    assert_in_range(host.n_candidates, 3, 5); /* small sets may be equal */
    for (uint32_t i = 1; i < host.n_candidates; i++) {
        json_t *list;
        assert_int_equal(pawl_json_parse(text_of(&host, i, FIND_DEMOS), 1 << 20, &list, NULL),
                         PAWL_OK);
        size_t n = json_array_size(list);
        json_decref(list);
        assert_in_range(n, 1, 4);
        if (i == 1) assert_int_equal(n, 4);
        expect_demos(&host, i, FIND_DEMOS, n,
                     "{\"review\":\"review #.\",\"tone\":\"t#\"} "
                     "{\"review\":\"review ##.\",\"tone\":\"t##\"}");
        expect_demos(&host, i, JUDGE_DEMOS, n,
                     "{\"reasoning\":\"r#\",\"sentiment\":\"positive\",\"tone\":\"t#\"} "
                     "{\"reasoning\":\"r##\",\"sentiment\":\"positive\",\"tone\":\"t##\"}");
    }
    fake_host_release(&host);
}

/* A target that has a module's fields is a demonstration of it, and its case is not asked about. */
static void test_targets_of_a_module(void **state)
{
    (void)state;
    struct pawl_host host;
    struct pawl_error err = {0};
    fake_host_init(&host, &pawl_op_bootstrap, 1);
    set_pipeline(&host, 30);
    for (size_t i = 0; i < 30; i += 2) {
        const char *target = pawl_arena_printf(&host.arena, "{'tone':'g%zu'}", i);
        host.train[i].target = fake_host_json(&host, target);
    }
    assert_int_equal(fake_host_run(&host, "{'candidates':0,'calibrate':'off'}", &err), PAWL_OK);
    assert_int_equal(host.n_candidates, 3); /* the start, the labelled and the unshuffled set */
    expect_demos(&host, 1, FIND_DEMOS, 7,   /* a quarter of the cases each, so that half are left */
                 "{\"review\":\"review #.\",\"tone\":\"g#\"} "
                 "{\"review\":\"review ##.\",\"tone\":\"g##\"}");
    expect_demos(&host, 1, JUDGE_DEMOS, 0, "");
    fake_host_release(&host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_success_rule),
        cmocka_unit_test(test_labelled_fill),
        cmocka_unit_test(test_candidates_are_19),
        cmocka_unit_test(test_balance),
        cmocka_unit_test(test_later_rounds_ask_again),
        cmocka_unit_test(test_a_set_has_limits),
        cmocka_unit_test(test_targets_without_reasoning),
        cmocka_unit_test(test_a_race_saves_evaluations_and_keeps_the_best),
        cmocka_unit_test(test_offsets_move_the_threshold_to_the_median),
        cmocka_unit_test(test_offsets_of_three_choices),
        cmocka_unit_test(test_reading_traces),
        cmocka_unit_test(test_calibrated_sets_stand_for_their_twins),
        cmocka_unit_test(test_a_small_budget_is_not_spent_on_calibration),
        cmocka_unit_test(test_the_smallest_budget_holds_a_calibrated_set),
        cmocka_unit_test(test_auto_without_logprobs_is_off),
        cmocka_unit_test(test_start_with_demonstrations),
        cmocka_unit_test(test_budget_is_never_overrun),
        cmocka_unit_test(test_equal_seeds_equal_runs),
        cmocka_unit_test(test_more_candidates_begin_with_the_same),
        cmocka_unit_test(test_stops_at_once),
        cmocka_unit_test(test_a_lost_world),
        cmocka_unit_test(test_strange_cases),
        cmocka_unit_test(test_refuses_what_it_cannot_improve),
        cmocka_unit_test(test_every_module_of_a_pipeline_learns),
        cmocka_unit_test(test_targets_of_a_module),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
