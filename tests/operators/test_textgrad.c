/*
 * TextGrad over a host in memory, with models whose feedback is exact. The source files that ask the
 * host are included, so that they ask the fake one.
 */
#include "operators/vectors.h"
#include "support/fake_host.h"

#include "operators/prompt.c"
#include "operators/op_textgrad.c"
#include "operators/textgrad_ask.c"
#include "operators/textgrad_backward.c"
#include "operators/textgrad_write.c"

/* --- a task -------------------------------------------------------------------------------------- */

enum kind { LOSS, ROOT, CHAIN, UPDATE, CHECK, N_KINDS };

/*
 * An instruction is a text of rule letters; case i asks for the letter 'a' + i % rules and is answered
 * when the instruction has it. The models pass the missing letter on, one from the other: the judge
 * says "lacks:X", the criticism of the answer "answer:X", that of the text "add:X", and the rewriting
 * adds every X it is told to add. So a letter arrives only by the whole path.
 */
struct task {
    unsigned rules;
    bool missing_train, missing_dev;
    const char *(*write)(struct pawl_host *host, const char *prompt, struct pawl_arena *step);
    const double *means; /* of candidates on dev, instead of the rules */
    const char *verdict; /* of the judge on constraints */

    size_t n[N_KINDS];
    struct {
        enum kind kind;
        size_t batch; /* the host's step that asked */
        const char *text;
    } log[4096];
    size_t n_log;
};

static bool has_rule(const struct pawl_host *host, uint32_t candidate, size_t component,
                     unsigned rule)
{
    struct pawl_str text = host->candidates[candidate].texts[component];
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
    result->score = has_rule(host, question->candidate, 0, rule);
    if (!is_train && task->means != NULL) result->score = task->means[question->candidate];
    result->output = fake_host_json(host, "{'answer':'something'}");
    result->feedback = result->score > 0 ? "right" : "wrong, Wanted";
}

static enum kind kind_of(const char *prompt)
{
    if (strstr(prompt, "You judge the answer") != NULL) return LOSS;
    if (strstr(prompt, "It was evaluated like this") != NULL) return ROOT;
    if (strstr(prompt, "The output got this feedback") != NULL) return CHAIN;
    if (strstr(prompt, "You rewrite one text") != NULL) return UPDATE;
    assert_non_null(strstr(prompt, "Does this hold"));
    return CHECK;
}

/* The letter after the last `mark`; '-' when there is none. */
static char letter_after(const char *prompt, const char *mark)
{
    char letter = '-';
    for (const char *at = prompt; (at = strstr(at, mark)) != NULL;) {
        at += strlen(mark);
        letter = *at;
    }
    return letter;
}

static struct pawl_str value_in(const char *prompt)
{
    const char *start = strstr(prompt, "<VARIABLE>\n") + 11;
    return (struct pawl_str){start, (size_t)(strstr(start, "\n</VARIABLE>") - start)};
}

/* The current text, and every letter that is to be added and is not there. */
static const char *write_rules(struct pawl_host *host, const char *prompt, struct pawl_arena *step)
{
    char *text = pawl_arena_printf(step, PAWL_STR_FMT "%100s", PAWL_STR_ARG(value_in(prompt)), "");
    (void)host;
    size_t n = value_in(prompt).len;
    for (const char *at = prompt; (at = strstr(at, "add:")) != NULL; at += 4) {
        if (at[4] == '-' || memchr(text, at[4], n) != NULL) continue;
        text[n++] = at[4];
    }
    text[n] = '\0';
    return pawl_arena_printf(step,
                             "Between <IMPROVED_VARIABLE> tags, then:\n<IMPROVED_VARIABLE>\n%s\n"
                             "</IMPROVED_VARIABLE> Bye.",
                             text);
}

static void reply(struct pawl_host *host, const struct pawl_host_prompt *prompt,
                  struct pawl_host_reply *out, struct pawl_arena *step)
{
    struct task *task = host->context;
    const char *text = prompt->user.ptr, *said = NULL;
    enum kind kind = kind_of(text);
    task->n[kind]++;
    assert_true(task->n_log < 4096);
    task->log[task->n_log].kind = kind;
    task->log[task->n_log].batch = host->n_steps;
    task->log[task->n_log++].text = pawl_arena_copy(&host->arena, prompt->user).ptr;
    assert_string_equal(prompt->role, kind == LOSS || kind == CHECK ? "judge" : "reflect");
    bool wrong = strstr(text, "Score: 0") != NULL;
    if (kind == LOSS)
        said = pawl_arena_printf(step, "lacks:%c", wrong ? letter_after(text, "letter: ") : '-');
    if (kind == ROOT) said = pawl_arena_printf(step, "answer:%c", letter_after(text, "lacks:"));
    if (kind == CHAIN) said = pawl_arena_printf(step, "add:%c", letter_after(text, "answer:"));
    if (kind == UPDATE)
        said = task->write != NULL ? task->write(host, text, step) : write_rules(host, text, step);
    if (kind == CHECK) said = task->verdict;
    out->text = pawl_str_of(said);
}

static void set_cases(struct pawl_host *host, unsigned rules, size_t n_train, size_t n_dev)
{
    fake_host_set_train(host, n_train);
    for (size_t i = 0; i < n_train; i++) {
        const char *input =
            pawl_arena_printf(&host->arena, "{'letter':'%c'}", (char)('a' + (int)(i % rules)));
        fake_host_set_case(host, i, input, "{'answer':'x'}");
    }
    host->n_dev = n_dev;
}

static void set_task(struct pawl_host *host, struct task *task, size_t n_train, size_t n_dev)
{
    fake_host_add_component(host, "instruction", "instruction", "Z");
    fake_host_add_component(host, "demos", "demos", "[]");
    host->fields = fake_host_json(host, "{'inputs':['letter'],'outputs':[{'name':'answer'}]}");
    set_cases(host, task->rules, n_train, n_dev);
    host->answer = answer;
    host->reply = reply;
    host->context = task;
}

/* Run on the task; the host stays open. */
static enum pawl_status run_on(struct pawl_host *host, struct task *task, const char *options)
{
    struct pawl_error err = {0};
    fake_host_init(host, &pawl_op_textgrad, 7);
    set_task(host, task, 30, 12);
    host->budget = 3000;
    return fake_host_run(host, options, &err);
}

/* The k-th prompt of a kind, from 0; NULL: there are fewer. */
static const char *prompt_of(const struct task *task, enum kind kind, size_t k)
{
    for (size_t i = 0; i < task->n_log; i++) {
        if (task->log[i].kind == kind && k-- == 0) return task->log[i].text;
    }
    return NULL;
}

static size_t count(const char *text, const char *part)
{
    size_t n = 0;
    for (; (text = strstr(text, part)) != NULL; text += strlen(part)) n++;
    return n;
}

static const struct fake_candidate *last_candidate(const struct pawl_host *host)
{
    return &host->candidates[host->n_candidates - 1];
}

/* --- its parts ----------------------------------------------------------------------------------- */

static void check_improved(const char *reply_text, const char *want)
{
    struct pawl_str got = find_improved(pawl_str_of(reply_text));
    if (want == NULL ? got.ptr == NULL : pawl_str_is(got, want)) return;
    fail_msg("from \"%s\": \"" PAWL_STR_FMT "\"", reply_text, PAWL_STR_ARG(got));
}

static void test_where_the_new_text_stands(void **state)
{
    (void)state;
    check_improved("<IMPROVED_VARIABLE>a b</IMPROVED_VARIABLE>", "a b");
    check_improved("I use <IMPROVED_VARIABLE> tags.\n<IMPROVED_VARIABLE>\na\n</IMPROVED_VARIABLE>",
                   "a");
    check_improved("<IMPROVED_VARIABLE>old</IMPROVED_VARIABLE> no: "
                   "<IMPROVED_VARIABLE>new</IMPROVED_VARIABLE>",
                   "new");
    check_improved("<IMPROVED_VARIABLE>cut off", NULL);
    check_improved("lost</IMPROVED_VARIABLE>", NULL);
    check_improved("<IMPROVED_VARIABLE> \n</IMPROVED_VARIABLE>", NULL);
    check_improved("Here:\n```text\na\n```\nbye", "a");
    check_improved("```a```", "a");
    check_improved("```\ncut off", NULL);
    check_improved("````", NULL);
    check_improved("no text at all", NULL);
    check_improved("", NULL);
}

/* --- the path ---------------------------------------------------------------------------------------- */

/* 4B+1 requests, the last 3B+1 of them in four batches, in this order. */
static void check_step(size_t batch, size_t wanted)
{
    static const enum kind order[] = {LOSS, ROOT, CHAIN, UPDATE};
    struct task *task = calloc(1, sizeof *task);
    struct pawl_host host;
    char options[80];
    task->rules = 26;
    snprintf(options, sizeof options, "{'batch':%zu,'epochs':1,'epoch_steps':1}", batch);
    assert_int_equal(run_on(&host, task, options), PAWL_OK);
    assert_int_equal(host.n_questions[PAWL_HOST_TRAIN] + host.n_prompts, wanted);
    assert_int_equal(host.n_questions[PAWL_HOST_TRAIN], batch);
    for (size_t i = 0; i < task->n_log; i++) {
        size_t at = i / batch;
        assert_int_equal(task->log[i].kind, order[at]);
        assert_int_equal(task->log[i].batch,
                         task->log[0].batch + at); /* one call of the host each */
    }
    fake_host_release(&host);
    free(task);
}

static void test_calls_of_a_step(void **state)
{
    (void)state;
    check_step(1, 5);
    check_step(3, 13);
    check_step(8, 33);
    json_t *file = vectors_load();
    if (file == NULL) skip();
    const json_t *vector = vectors_find(file, "textgrad.calls_per_step");
    const json_t *batches = json_object_get(json_object_get(vector, "input"), "batch");
    for (size_t i = 0; i < json_array_size(batches); i++)
        check_step(
            (size_t)json_integer_value(json_array_get(batches, i)),
            (size_t)json_integer_value(json_array_get(json_object_get(vector, "expect"), i)));
    json_decref(file);
}

static void test_a_metric_needs_no_judge(void **state)
{
    (void)state;
    struct task *task = calloc(1, sizeof *task);
    struct pawl_host host;
    task->rules = 26;
    assert_int_equal(run_on(&host, task, "{'loss':'metric','epochs':1,'epoch_steps':1}"), PAWL_OK);
    assert_int_equal(task->n[LOSS], 0);
    assert_int_equal(host.n_prompts, 2 * 3 + 1);
    assert_non_null(
        strstr(prompt_of(task, ROOT, 0), "<EVALUATION>\nScore: 0.00 of 1\nwrong, Wanted\n"));
    fake_host_release(&host);
    free(task);
}

/* After one step the text has exactly the letters of the batch, in the order of its cases. */
static void test_feedback_arrives(void **state)
{
    (void)state;
    struct task *task = calloc(1, sizeof *task);
    struct pawl_host host;
    char want[8] = "Z";
    task->rules = 30;
    assert_int_equal(run_on(&host, task, "{'epochs':1,'epoch_steps':1}"), PAWL_OK);
    for (size_t i = 0; i < 3; i++) {
        want[i + 1] = letter_after(prompt_of(task, LOSS, i), "letter: ");
        char feedback[16];
        snprintf(feedback, sizeof feedback, "add:%c", want[i + 1]);
        assert_int_equal(count(prompt_of(task, UPDATE, 0), feedback), 1); /* once, not doubled */
    }
    assert_int_equal(host.n_candidates, 2);
    assert_true(pawl_str_is(host.candidates[1].texts[0], want));
    assert_true(pawl_str_is(host.candidates[1].texts[1], "[]")); /* demos are not prose */
    fake_host_release(&host);
    free(task);
}

static void test_learns_the_rules(void **state)
{
    (void)state;
    struct task *task = calloc(1, sizeof *task);
    struct pawl_host host;
    task->rules = 12;
    assert_int_equal(run_on(&host, task, "{'epochs':2,'epoch_steps':0}"), PAWL_OK);
    assert_true(last_candidate(&host)->nominated && last_candidate(&host)->mean == 1);
    assert_int_equal(task->n[UPDATE], 20); /* two epochs of 30 cases by three */
    assert_true(host.used <= host.budget);
    fake_host_release(&host);
    free(task);
}

/* A text of 40 words is shown as a whole wherever it is shown. */
static void test_the_whole_text_is_shown(void **state)
{
    (void)state;
    struct task *task = calloc(1, sizeof *task);
    struct pawl_host host;
    struct pawl_error err = {0};
    struct pawl_buf words = PAWL_BUF(1000);
    for (int i = 0; i < 40; i++) pawl_buf_printf(&words, "%sW%d", i > 0 ? " " : "", i);
    json_t *file = vectors_load();
    if (file != NULL) {
        const json_t *vector = vectors_find(file, "textgrad.short_value_defect");
        pawl_buf_reset(&words);
        pawl_buf_add(&words,
                     pawl_json_get_text(json_object_get(vector, "expect"), "pawl_must_show", ""));
        json_decref(file);
    }
    task->rules = 3;
    fake_host_init(&host, &pawl_op_textgrad, 7);
    set_task(&host, task, 9, 3);
    host.candidates[0].texts[0] = pawl_buf_str(&words);
    assert_int_equal(fake_host_run(&host, "{'epochs':1,'epoch_steps':1}", &err), PAWL_OK);
    assert_true(words.len > 100);
    assert_non_null(strstr(prompt_of(task, CHAIN, 0), words.data));
    assert_non_null(strstr(prompt_of(task, UPDATE, 0), words.data));
    fake_host_release(&host);
    pawl_buf_release(&words);
    free(task);
}

static void test_judgements_can_be_withheld(void **state)
{
    (void)state;
    for (int shown = 0; shown < 2; shown++) {
        struct task *task = calloc(1, sizeof *task);
        struct pawl_host host;
        size_t n = 0;
        task->rules = 5;
        assert_int_equal(run_on(&host, task, shown ? "{}" : "{'show_target':false}"), PAWL_OK);
        for (size_t i = 0; i < task->n_log; i++) n += count(task->log[i].text, "Wanted");
        assert_true(shown ? n > 0 : n == 0);
        fake_host_release(&host);
        free(task);
    }
}

/* --- several modules ---------------------------------------------------------------------------------- */

/* Two modules; only the first one's text decides, so its letters must come back through the second. */
static void answer_by_two(struct pawl_host *host, const struct fake_question *question,
                          struct pawl_host_result *result)
{
    const struct task *task = host->context;
    unsigned rule = question->train_or_dev_case % task->rules;
    result->score = has_rule(host, question->candidate, 0, rule);
    result->output = fake_host_json(host, "{'answer':'something'}");
    if (question->tier == PAWL_HOST_DEV) return;
    result->trace = fake_host_json(
        host,
        pawl_arena_printf(&host->arena,
                          "[{'module':'first','input':{'letter':'%c'},'output':{'facts':'F%c'}},"
                          "{'module':'second','input':{'letter':'%c','facts':'F%c'},'reply':'x'}]",
                          'a' + (int)rule, 'a' + (int)rule, 'a' + (int)rule, 'a' + (int)rule));
}

/* What is handed on gets "answer:X" again, so that the text above it can get "add:X". */
static void reply_to_two(struct pawl_host *host, const struct pawl_host_prompt *prompt,
                         struct pawl_host_reply *out, struct pawl_arena *step)
{
    reply(host, prompt, out, step);
    if (strstr(prompt->user.ptr, "what first hands to second") == NULL) return;
    out->text = pawl_str_of(
        pawl_arena_printf(step, "answer:%c", letter_after(prompt->user.ptr, "answer:")));
}

static void test_two_modules(void **state)
{
    (void)state;
    struct task *task = calloc(1, sizeof *task);
    struct pawl_host host;
    struct pawl_error err = {0};
    task->rules = 30;
    fake_host_init(&host, &pawl_op_textgrad, 7);
    fake_host_add_component(&host, "first.instruction", "instruction", "Z");
    fake_host_add_component(&host, "second.instruction", "instruction", "Y");
    fake_host_add_component(&host, "flow", "flow", "return 1"); /* no module's: left alone */
    host.fields = fake_host_json(
        &host, "{'inputs':['letter'],'outputs':[{'name':'answer'}],'modules':["
               "{'name':'first','inputs':['letter'],'outputs':['facts'],'instruction':'first."
               "instruction'},"
               "{'name':'second','inputs':['letter','facts'],'outputs':[{'name':'answer'}],"
               "'instruction':'second.instruction'}]}");
    set_cases(&host, task->rules, 30, 12);
    host.answer = answer_by_two;
    host.reply = reply_to_two;
    host.context = task;
    assert_int_equal(fake_host_run(&host, "{'epochs':1,'epoch_steps':1}", &err), PAWL_OK);
    /* judge; answers; second's text and what it was handed; first's text; both texts anew */
    assert_int_equal(host.n_prompts, 3 + 3 + 6 + 3 + 2);
    assert_int_equal(task->n_log, host.n_prompts);
    static const size_t ends[] = {3, 6, 12, 15, 17};
    for (size_t i = 0, layer = 0; i < task->n_log; i++) {
        layer += i == ends[layer];
        assert_int_equal(task->log[i].batch, task->log[0].batch + layer);
    }
    const char *handed = prompt_of(task, CHAIN, 1); /* of each case the text, then the value */
    assert_non_null(strstr(handed, "what first hands to second"));
    assert_non_null(strstr(handed, "<VARIABLE>\n- facts: F")); /* no other field of the input */
    const char *above = prompt_of(task, CHAIN, 6);
    assert_non_null(strstr(above, "the instruction of first, which makes facts from letter"));
    assert_non_null(strstr(above, "<OUTPUT>\n- facts: F"));
    char want[8] = "Z";
    for (size_t i = 0; i < 3; i++) want[i + 1] = letter_after(prompt_of(task, LOSS, i), "letter: ");
    assert_true(pawl_str_is(last_candidate(&host)->texts[0], want));
    assert_true(pawl_str_is(last_candidate(&host)->texts[2], "return 1"));
    fake_host_release(&host);
    free(task);
}

/* --- dev decides ---------------------------------------------------------------------------------------- */

static const char *write_new(struct pawl_host *host, const char *prompt, struct pawl_arena *step)
{
    (void)prompt;
    return pawl_arena_printf(step, "<IMPROVED_VARIABLE>version %u</IMPROVED_VARIABLE>",
                             host->n_candidates);
}

/* means: of the start and of the version of each step; kept: what each step leaves in force. */
static void check_revert(size_t n, const double *means, const double *kept)
{
    struct task *task = calloc(1, sizeof *task);
    struct pawl_host host;
    task->rules = 30;
    task->write = write_new;
    task->means = means;
    assert_int_equal(run_on(&host, task, "{'epochs':2,'epoch_steps':3,'momentum':1}"), PAWL_OK);
    assert_true(task->n[UPDATE] >= n + 1);
    uint32_t in_force = 0;
    for (size_t i = 0; i < n; i++) {
        if (!(means[i + 1] < means[in_force])) in_force = (uint32_t)i + 1;
        assert_true(fabs(means[in_force] - kept[i]) < 1e-12);
        struct pawl_str shown = value_in(prompt_of(task, UPDATE, i + 1)); /* by the next step */
        assert_true(pawl_str_eq(shown, host.candidates[in_force].texts[0]));
        assert_int_equal(host.candidates[i + 1].nominated,
                         in_force == i + 1 && means[i + 1] > means[0]);
    }
    fake_host_release(&host);
    free(task);
}

static void test_a_worse_step_is_taken_back(void **state)
{
    (void)state;
    check_revert(4, (double[]){0.5, 0.55, 0.53, 0.55, 0.6, 0, 0},
                 (double[]){0.55, 0.55, 0.55, 0.6});
    check_revert(3, (double[]){0.5, 0.4, 0.5, 0.3, 0, 0, 0}, (double[]){0.5, 0.5, 0.5});
    json_t *file = vectors_load();
    if (file == NULL) skip();
    const json_t *vector = vectors_find(file, "textgrad.validation_revert");
    const json_t *in = json_object_get(vector, "input");
    const json_t *val = json_object_get(in, "val_after_each_step");
    const json_t *want = json_object_get(json_object_get(vector, "expect"), "kept_after_each_step");
    double means[8] = {pawl_json_get_real(in, "start", 0)}, kept[8] = {0};
    for (size_t i = 0; i < json_array_size(val); i++) {
        means[i + 1] = json_number_value(json_array_get(val, i));
        kept[i] = json_number_value(json_array_get(want, i));
    }
    check_revert(json_array_size(val), means, kept);
    json_decref(file);
}

static void test_without_revert_dev_is_looked_at_once_more(void **state)
{
    static const double falling[] = {0.5, 0.4, 0.3, 0.2}, rising[] = {0.5, 0.4, 0.3, 0.9};
    (void)state;
    for (int rises = 0; rises < 2; rises++) {
        struct task *task = calloc(1, sizeof *task);
        struct pawl_host host;
        task->rules = 30;
        task->write = write_new;
        task->means = rises ? rising : falling;
        assert_int_equal(run_on(&host, task, "{'epochs':1,'epoch_steps':3,'revert':false}"),
                         PAWL_OK);
        assert_int_equal(host.n_candidates, 4);
        assert_int_equal(host.n_questions[PAWL_HOST_DEV], 2 * 12);
        assert_int_equal(host.n_nominated, rises);
        assert_int_equal(host.candidates[3].nominated, rises);
        fake_host_release(&host);
        free(task);
    }
}

/* Where nothing is better nothing is named, though texts move on ties. */
static void test_on_a_plain_nothing_is_named(void **state)
{
    static const double means[14] = {0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5,
                                     0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5};
    (void)state;
    struct task *task = calloc(1, sizeof *task);
    struct pawl_host host;
    task->rules = 30;
    task->write = write_new;
    task->means = means;
    assert_int_equal(run_on(&host, task, "{}"), PAWL_OK);
    assert_int_equal(host.n_candidates, 13); /* 3 epochs of 4 steps, and the start */
    assert_int_equal(host.n_nominated, 0);
    fake_host_release(&host);
    free(task);
}

/* --- memory --------------------------------------------------------------------------------------------- */

static void test_momentum_is_seen(void **state)
{
    static const double means[8] = {0.5, 0.25, 0.75, 0.75, 0.75, 0.75, 0.75, 0.75};
    (void)state;
    struct task *task = calloc(1, sizeof *task);
    struct pawl_host host;
    task->rules = 30;
    task->write = write_new;
    task->means = means;
    assert_int_equal(run_on(&host, task, "{'epochs':1,'epoch_steps':4,'momentum':2}"), PAWL_OK);
    const char *first = prompt_of(task, UPDATE, 0), *fourth = prompt_of(task, UPDATE, 3);
    assert_int_equal(count(first, "<PAST_VERSION"), 1);
    assert_non_null(strstr(first, "<PAST_VERSION step=\"0\" worth=\"0.500\">\nZ\n</PAST_VERSION>"));
    const char *second = strstr(fourth, "<PAST_VERSION step=\"2\" worth=\"0.750\">\nversion 2\n");
    const char *third = strstr(fourth, "<PAST_VERSION step=\"3\" worth=\"0.750\">\nversion 3\n");
    assert_true(second != NULL && third != NULL && second < third);
    assert_int_equal(count(fourth, "<PAST_VERSION"), 2);
    /* The one that was taken back is shown as what it was. */
    assert_non_null(strstr(prompt_of(task, UPDATE, 2), "worth=\"0.250\">\nversion 1\n"));
    fake_host_release(&host);
    memset(task, 0, sizeof *task);
    task->rules = 30;
    assert_int_equal(run_on(&host, task, "{'epochs':1}"), PAWL_OK);
    assert_null(strstr(prompt_of(task, UPDATE, 3), "PAST_VERSION"));
    assert_null(strstr(prompt_of(task, UPDATE, 3), "EARLIER_FEEDBACK"));
    fake_host_release(&host);
    free(task);
}

static void test_earlier_feedback_is_seen(void **state)
{
    (void)state;
    struct task *task = calloc(1, sizeof *task);
    struct pawl_host host;
    char said[3][8];
    task->rules = 30;
    assert_int_equal(run_on(&host, task, "{'epochs':1,'epoch_steps':3,'gradient_memory':1}"),
                     PAWL_OK);
    for (size_t i = 0; i < 3; i++)
        snprintf(said[i], sizeof said[i], "add:%c",
                 letter_after(prompt_of(task, LOSS, 3 * i), "letter: "));
    const char *third = prompt_of(task, UPDATE, 2), *earlier = strstr(third, "<EARLIER_FEEDBACK");
    assert_null(strstr(prompt_of(task, UPDATE, 0), "EARLIER_FEEDBACK"));
    assert_int_equal(count(third, "<EARLIER_FEEDBACK step=\"2\">"), 1);
    assert_int_equal(count(third, "<EARLIER_FEEDBACK"), 1);
    assert_non_null(strstr(earlier, said[1]));
    assert_null(strstr(third, said[0])); /* of the first step no more */
    assert_non_null(strstr(third, said[2]));
    assert_null(strstr(earlier, said[2])); /* its own feedback stands apart */
    fake_host_release(&host);
    free(task);
}

/* --- constraints ------------------------------------------------------------------------------------------ */

/* Three words too many at first; what is sent back comes better. */
static const char *write_long_first(struct pawl_host *host, const char *prompt,
                                    struct pawl_arena *step)
{
    if (strstr(prompt, "<REFUSED>") == NULL)
        return "<IMPROVED_VARIABLE>one two three four five six seven</IMPROVED_VARIABLE>";
    assert_non_null(strstr(prompt, "<REFUSED>\none two three four five six seven\n</REFUSED>"));
    assert_non_null(strstr(prompt, "What it breaks:\n- It has at most 4 words.\n"));
    assert_non_null(strstr(prompt, "You rewrite one text")); /* the whole request again */
    return pawl_arena_printf(step, "<IMPROVED_VARIABLE>short %u</IMPROVED_VARIABLE>",
                             host->n_candidates);
}

static void test_a_broken_constraint_is_repaired_or_refused(void **state)
{
    static const char *const options[] = {
        "{'epochs':1,'epoch_steps':1,'constraints':[{'max_words':4}]}",
        "{'epochs':1,'epoch_steps':1,'constraints':[{'max_words':4}],'repairs':0}"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct task *task = calloc(1, sizeof *task);
        struct pawl_host host;
        task->rules = 30;
        task->write = write_long_first;
        assert_int_equal(run_on(&host, task, options[i]), PAWL_OK);
        assert_non_null(strstr(prompt_of(task, UPDATE, 0), "2. It has at most 4 words."));
        assert_int_equal(task->n[UPDATE], i == 0 ? 2 : 1);
        assert_int_equal(host.n_candidates, i == 0 ? 2 : 1);
        if (i == 0) assert_true(pawl_str_is(last_candidate(&host)->texts[0], "short 1"));
        fake_host_release(&host);
        free(task);
    }
}

static const char *write_plain(struct pawl_host *host, const char *prompt, struct pawl_arena *step)
{
    (void)host;
    (void)prompt;
    (void)step;
    return "The new text is: be good.";
}

static void test_missing_tags_end_nothing(void **state)
{
    (void)state;
    struct task *task = calloc(1, sizeof *task);
    struct pawl_host host;
    task->rules = 30;
    task->write = write_plain;
    assert_int_equal(run_on(&host, task, "{'repairs':2}"), PAWL_OK);
    assert_int_equal(task->n[UPDATE], 12 * 3);
    assert_non_null(strstr(prompt_of(task, UPDATE, 1), "between <IMPROVED_VARIABLE> and"));
    assert_int_equal(host.n_candidates, 1);
    fake_host_release(&host);
    free(task);
}

static void test_a_judge_checks_what_code_cannot(void **state)
{
    static const struct {
        const char *verdict;
        size_t n_candidates;
    } cases[] = {{"Yes.", 2}, {"**yes**", 2}, {"No, it is not.", 1}, {"", 1}, {"Not yes", 1}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct task *task = calloc(1, sizeof *task);
        struct pawl_host host;
        task->rules = 30;
        task->verdict = cases[i].verdict;
        assert_int_equal(run_on(&host, task,
                                "{'epochs':1,'epoch_steps':1,'repairs':0,"
                                "'constraints':['Is polite.',{'max_words':50}]}"),
                         PAWL_OK);
        assert_int_equal(task->n[CHECK], 1);
        assert_non_null(
            strstr(prompt_of(task, CHECK, 0), "Does this hold for the text: Is polite."));
        assert_int_equal(host.n_candidates, cases[i].n_candidates);
        fake_host_release(&host);
        free(task);
    }
    /* What code refuses is not shown to the judge. */
    struct task *task = calloc(1, sizeof *task);
    struct pawl_host host;
    task->rules = 30;
    task->verdict = "yes";
    assert_int_equal(run_on(&host, task,
                            "{'epochs':1,'epoch_steps':1,"
                            "'constraints':['Is polite.',{'max_words':0}]}"),
                     PAWL_OK);
    assert_int_equal(task->n[CHECK], 0);
    assert_int_equal(host.n_candidates, 1);
    fake_host_release(&host);
    free(task);
}

static void test_a_constraint_nobody_understands(void **state)
{
    (void)state;
    struct task *task = calloc(1, sizeof *task);
    struct pawl_host host;
    task->rules = 3;
    assert_int_equal(run_on(&host, task, "{'constraints':[{'max_wrods':4}]}"), PAWL_ECONFIG);
    assert_int_equal(host.used, 0);
    fake_host_release(&host);
    free(task);
}

/* --- budgets and bad worlds -------------------------------------------------------------------------------- */

static void test_budget_is_never_overrun(void **state)
{
    (void)state;
    struct pawl_random random;
    pawl_crypto_init();
    pawl_random_init(&random, 5);
    for (int i = 0; i < 200; i++) {
        struct task *task = calloc(1, sizeof *task);
        struct pawl_host host;
        struct pawl_error err = {0};
        size_t n_dev = 1 + pawl_random_below(&random, 40);
        bool revert = pawl_random_below(&random, 2) == 1;
        task->rules = 9;
        fake_host_init(&host, &pawl_op_textgrad, (uint64_t)i);
        set_task(&host, task, 20, n_dev);
        host.budget = (int64_t)(n_dev + pawl_random_below(&random, 300));
        bool one_fits = host.budget >= 2 * (int64_t)n_dev + 3;
        enum pawl_status status =
            fake_host_run(&host, revert ? "{'epochs':0}" : "{'epochs':0,'revert':false}", &err);
        assert_int_equal(status, one_fits ? PAWL_OK : PAWL_EBUDGET);
        assert_true(host.used <= host.budget);
        assert_true(host.noted_short);
        fake_host_release(&host);
        free(task);
    }
}

static struct pawl_hash digest_of_run(uint64_t seed)
{
    struct task *task = calloc(1, sizeof *task);
    struct pawl_host host;
    struct pawl_error err = {0};
    task->rules = 5;
    fake_host_init(&host, &pawl_op_textgrad, seed);
    set_task(&host, task, 20, 20);
    assert_int_equal(fake_host_run(&host, "{'momentum':2,'gradient_memory':2}", &err), PAWL_OK);
    struct pawl_hash digest = fake_host_digest(&host);
    fake_host_release(&host);
    free(task);
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
        struct task *task = calloc(1, sizeof *task);
        struct pawl_host host;
        struct pawl_error err = {0};
        task->rules = 20;
        task->verdict = "no";
        fake_host_init(&host, &pawl_op_textgrad, 3);
        set_task(&host, task, 20, 20);
        host.fail_after = step;
        host.fail_with = PAWL_EPAUSED;
        assert_int_equal(
            fake_host_run(&host, step % 2 ? "{}" : "{'constraints':'Is polite.'}", &err),
            PAWL_EPAUSED);
        assert_int_equal(host.n_after_failure, 0);
        fake_host_release(&host);
        free(task);
    }
}

/* Money or time may end at any step: without `revert` nobody has looked at dev, and what there is is named. */
static void test_names_what_it_found(void **state)
{
    (void)state;
    bool has_named = false;
    for (size_t step = 2; step < 40; step++) {
        struct task *task = calloc(1, sizeof *task);
        struct pawl_host host;
        struct pawl_error err = {0};
        task->rules = 20;
        fake_host_init(&host, &pawl_op_textgrad, 3);
        set_task(&host, task, 20, 20);
        host.fail_after = step;
        host.fail_with = PAWL_EBUDGET;
        assert_int_equal(fake_host_run(&host, "{'revert':false,'epochs':0}", &err), PAWL_EBUDGET);
        assert_int_equal(host.n_nominated, host.n_candidates > 1);
        has_named = has_named || host.n_nominated > 0;
        fake_host_release(&host);
        free(task);
    }
    assert_true(has_named);
}

/* Some replies fail, some are empty: those cases are no feedback, and the others still are. */
static void reply_sometimes(struct pawl_host *host, const struct pawl_host_prompt *prompt,
                            struct pawl_host_reply *out, struct pawl_arena *step)
{
    reply(host, prompt, out, step);
    if (kind_of(prompt->user.ptr) == UPDATE) return;
    size_t k = host->n_prompts % 3;
    out->failed = k == 2;
    if (k != 1) out->text = PAWL_STR(" ");
}

static void test_lost_replies_are_no_feedback(void **state)
{
    (void)state;
    struct task *task = calloc(1, sizeof *task);
    struct pawl_host host;
    struct pawl_error err = {0};
    task->rules = 30;
    fake_host_init(&host, &pawl_op_textgrad, 3);
    set_task(&host, task, 30, 10);
    host.reply = reply_sometimes;
    assert_int_equal(fake_host_run(&host, "{'batch':9,'epochs':1,'epoch_steps':1}", &err), PAWL_OK);
    assert_int_equal(task->n[LOSS], 9);
    assert_int_equal(task->n[ROOT], 3);
    assert_int_equal(task->n[CHAIN], 1);
    assert_int_equal(count(prompt_of(task, UPDATE, 0), "<CASE "), 1);
    fake_host_release(&host);
    free(task);
}

static void test_a_lost_world(void **state)
{
    (void)state;
    for (int which = 0; which < 3; which++) {
        struct task *task = calloc(1, sizeof *task);
        struct pawl_host host;
        task->rules = 2;
        task->missing_train = which != 1;
        task->missing_dev = which != 0;
        assert_int_equal(run_on(&host, task, "{}"), PAWL_OK);
        if (task->missing_train) assert_int_equal(host.n_prompts, 0); /* nothing to reflect on */
        assert_int_equal(host.n_nominated, 0);
        fake_host_release(&host);
        free(task);
    }
}

static void test_a_perfect_batch_can_be_skipped(void **state)
{
    (void)state;
    for (int skips = 0; skips < 2; skips++) {
        struct task *task = calloc(1, sizeof *task);
        struct pawl_host host;
        task->rules = 1;
        assert_int_equal(run_on(&host, task, skips ? "{'skip_perfect':true}" : "{}"), PAWL_OK);
        /* The first batch lacks the only rule; no later one has a fault. */
        assert_int_equal(task->n[UPDATE], skips ? 1 : 12);
        assert_int_equal(host.n_candidates, 2); /* an unchanged text is none */
        fake_host_release(&host);
        free(task);
    }
}

static void test_refuses_what_it_cannot_improve(void **state)
{
    (void)state;
    struct task *task = calloc(1, sizeof *task);
    struct pawl_host host;
    struct pawl_error err = {0};
    task->rules = 2;
    fake_host_init(&host, &pawl_op_textgrad, 3);
    set_task(&host, task, 0, 10);
    assert_int_equal(fake_host_run(&host, "{}", &err), PAWL_ECONFIG);
    assert_non_null(strstr(err.message, "train"));
    fake_host_release(&host);

    fake_host_init(&host, &pawl_op_textgrad, 3);
    fake_host_add_component(&host, "demos", "demos", "[]");
    fake_host_set_train(&host, 1);
    assert_int_equal(fake_host_run(&host, "{}", &err), PAWL_ECONFIG);
    assert_non_null(strstr(err.message, "rewrites texts"));
    fake_host_release(&host);
    free(task);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_where_the_new_text_stands),
        cmocka_unit_test(test_calls_of_a_step),
        cmocka_unit_test(test_a_metric_needs_no_judge),
        cmocka_unit_test(test_feedback_arrives),
        cmocka_unit_test(test_learns_the_rules),
        cmocka_unit_test(test_the_whole_text_is_shown),
        cmocka_unit_test(test_judgements_can_be_withheld),
        cmocka_unit_test(test_two_modules),
        cmocka_unit_test(test_a_worse_step_is_taken_back),
        cmocka_unit_test(test_without_revert_dev_is_looked_at_once_more),
        cmocka_unit_test(test_on_a_plain_nothing_is_named),
        cmocka_unit_test(test_momentum_is_seen),
        cmocka_unit_test(test_earlier_feedback_is_seen),
        cmocka_unit_test(test_a_broken_constraint_is_repaired_or_refused),
        cmocka_unit_test(test_missing_tags_end_nothing),
        cmocka_unit_test(test_a_judge_checks_what_code_cannot),
        cmocka_unit_test(test_a_constraint_nobody_understands),
        cmocka_unit_test(test_budget_is_never_overrun),
        cmocka_unit_test(test_equal_seeds_equal_runs),
        cmocka_unit_test(test_stops_at_once),
        cmocka_unit_test(test_names_what_it_found),
        cmocka_unit_test(test_lost_replies_are_no_feedback),
        cmocka_unit_test(test_a_lost_world),
        cmocka_unit_test(test_a_perfect_batch_can_be_skipped),
        cmocka_unit_test(test_refuses_what_it_cannot_improve),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
