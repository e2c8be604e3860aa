#include "support/fake_host.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* --- for the test ------------------------------------------------------------------------------ */

void fake_host_init(struct pawl_host *host, const struct pawl_operator *operator, uint64_t seed)
{
    *host = (struct pawl_host){.operator= operator, .budget = INT64_MAX, .kept = json_array()};
    pawl_crypto_init();
    pawl_random_init(&host->random, seed);
    pawl_hasher_init(&host->digest);
    host->candidates = pawl_xcalloc(1, sizeof *host->candidates);
    host->n_candidates = host->capacity = 1;
}

void fake_host_add_component(struct pawl_host *host, const char *name, const char *role,
                             const char *text)
{
    PAWL_ASSERT(host->n_components < FAKE_COMPONENTS_MAX);
    const char *dot = strchr(name, '.');
    struct pawl_str module = {name, dot != NULL ? (size_t)(dot - name) : 0};
    host->components[host->n_components] = (struct pawl_host_component){
        name, "text", role, dot != NULL ? pawl_arena_copy(&host->arena, module).ptr : NULL};
    host->candidates[0].texts[host->n_components++] = pawl_str_of(text);
}

json_t *fake_host_json(struct pawl_host *host, const char *text)
{
    json_t *value;
    struct pawl_error err;
    char *quoted = pawl_xstrdup(text);
    for (char *p = quoted; *p != '\0'; p++)
        if (*p == '\'') *p = '"';
    if (pawl_json_parse(pawl_str_of(quoted), 1 << 20, &value, &err) != PAWL_OK)
        PAWL_BUG("a test's JSON is wrong: %s", err.message);
    free(quoted);
    json_array_append_new(host->kept, value);
    return value;
}

void fake_host_set_train(struct pawl_host *host, size_t n)
{
    host->n_train = n;
    host->train = PAWL_NEW_N(&host->arena, struct pawl_host_case, n);
}

void fake_host_set_case(struct pawl_host *host, size_t i, const char *input, const char *target)
{
    PAWL_ASSERT(i < host->n_train);
    host->train[i] = (struct pawl_host_case){
        .id = pawl_arena_printf(&host->arena, "case-%zu", i),
        .input = fake_host_json(host, input),
        .target = fake_host_json(host, target),
    };
}

enum pawl_status fake_host_run(struct pawl_host *host, const char *options, struct pawl_error *err)
{
    const struct pawl_operator *operator= host->operator;
    void *values = pawl_arena_alloc(&host->arena, 1, operator->options_bytes);
    enum pawl_status status = pawl_options_read(operator->options, fake_host_json(host, options),
                                                "", &host->arena, values, err);
    return status == PAWL_OK ? operator->run(host, values, err) : status;
}

struct pawl_hash fake_host_digest(struct pawl_host *host)
{
    return pawl_hasher_final(&host->digest);
}

void fake_host_release(struct pawl_host *host)
{
    json_decref(host->kept);
    free(host->candidates);
    pawl_arena_release(&host->arena);
}

/* --- steps --------------------------------------------------------------------------------------- */

static void note(struct pawl_host *host, const void *bytes, size_t n_bytes)
{
    pawl_hasher_add(&host->digest, bytes, n_bytes);
}

static void note_int(struct pawl_host *host, uint64_t value)
{
    note(host, &value, sizeof value);
}

static void note_text(struct pawl_host *host, struct pawl_str text)
{
    note_int(host, text.len);
    note(host, text.ptr, text.len);
}

static enum pawl_status begin(struct pawl_host *host, const char *kind, struct pawl_error *err)
{
    bool is_free = strcmp(kind, "draft") == 0 || strcmp(kind, "nominate") == 0;
    note_text(host, pawl_str_of(kind));
    if (host->fail_after == 0 || host->n_steps < host->fail_after ||
        (is_free && host->fail_with == PAWL_EBUDGET)) {
        host->n_steps++;
        return PAWL_OK;
    }
    if (host->n_steps++ > host->fail_after) host->n_after_failure++;
    return pawl_fail(err, host->fail_with, "The test stops here.");
}

static enum pawl_status spend(struct pawl_host *host, int64_t n, struct pawl_error *err)
{
    if (n > host->budget - host->used)
        return pawl_fail(err, PAWL_EBUDGET, "The budget does not hold %lld.", (long long)n);
    host->used += n;
    return PAWL_OK;
}

struct pawl_arena *pawl_host_arena(struct pawl_host *host)
{
    return &host->arena;
}

struct pawl_random *pawl_host_random(struct pawl_host *host)
{
    return &host->random;
}

/* --- candidates ------------------------------------------------------------------------------------ */

const struct pawl_host_component *pawl_host_components(struct pawl_host *host, size_t *n)
{
    *n = host->n_components;
    return host->components;
}

static size_t component_index(const struct pawl_host *host, const char *name)
{
    for (size_t i = 0; i < host->n_components; i++)
        if (strcmp(host->components[i].name, name) == 0) return i;
    PAWL_BUG("no component is named %s", name);
}

struct pawl_str pawl_host_text(struct pawl_host *host, uint32_t candidate, const char *component)
{
    PAWL_ASSERT(candidate < host->n_candidates);
    return host->candidates[candidate].texts[component_index(host, component)];
}

static bool is_equal(const struct pawl_host *host, const struct fake_candidate *a,
                     const struct fake_candidate *b)
{
    for (size_t i = 0; i < host->n_components; i++)
        if (!pawl_str_eq(a->texts[i], b->texts[i])) return false;
    return true;
}

static uint32_t number_of(struct pawl_host *host, const struct fake_candidate *draft)
{
    for (uint32_t i = 0; i < host->n_candidates; i++)
        if (is_equal(host, &host->candidates[i], draft)) return i;
    if (host->n_candidates == host->capacity) {
        host->capacity *= 2;
        host->candidates =
            pawl_xrealloc(host->candidates, host->capacity * sizeof *host->candidates);
    }
    host->candidates[host->n_candidates] = *draft;
    return host->n_candidates++;
}

enum pawl_status pawl_host_draft(struct pawl_host *host, const uint32_t *parents, size_t n_parents,
                                 const struct pawl_host_edit *edits, size_t n_edits,
                                 uint32_t *candidate, struct pawl_error *err)
{
    PAWL_TRY(begin(host, "draft", err));
    PAWL_ASSERT(n_parents > 0 && parents[0] < host->n_candidates);
    struct fake_candidate draft = {0};
    memcpy(draft.texts, host->candidates[parents[0]].texts, sizeof draft.texts);
    note_int(host, parents[0]);
    for (size_t i = 0; i < n_edits; i++) {
        PAWL_ASSERT(pawl_utf8_is_valid(edits[i].text, NULL));
        draft.texts[component_index(host, edits[i].component)] =
            pawl_arena_copy(&host->arena, edits[i].text);
        note_text(host, edits[i].text);
    }
    uint32_t n_before = host->n_candidates;
    *candidate = number_of(host, &draft);
    if (n_parents > 1 && host->n_candidates > n_before) {
        host->n_joined++;
        host->last_joined = *candidate;
    }
    return PAWL_OK;
}

/* --- cases ----------------------------------------------------------------------------------------- */

const json_t *pawl_host_fields(struct pawl_host *host)
{
    return host->fields;
}

size_t pawl_host_n_train(struct pawl_host *host)
{
    return host->n_train;
}

size_t pawl_host_n_dev(struct pawl_host *host)
{
    return host->n_dev;
}

const struct pawl_host_case *pawl_host_train_case(struct pawl_host *host, uint32_t index)
{
    PAWL_ASSERT(index < host->n_train);
    return &host->train[index];
}

static void answer_case(struct pawl_host *host, const struct pawl_host_evaluation *evaluation,
                        size_t i)
{
    bool is_train = evaluation->tier == PAWL_HOST_TRAIN;
    struct fake_question question = {
        evaluation->candidate,   evaluation->cases[i], evaluation->tier,    evaluation->sample,
        evaluation->temperature, evaluation->trace,    evaluation->logprobs};
    struct pawl_host_result *result = &evaluation->results[i];
    PAWL_ASSERT(question.candidate < host->n_candidates);
    PAWL_ASSERT(question.train_or_dev_case < (is_train ? host->n_train : host->n_dev));
    note(host, &question.candidate, sizeof question.candidate);
    note(host, &question.train_or_dev_case, sizeof question.train_or_dev_case);
    note(host, &question.sample, sizeof question.sample);
    host->n_questions[evaluation->tier]++;
    *result = (struct pawl_host_result){0};
    host->answer(host, &question, result);
    if (is_train && evaluation->trace) return;
    result->output = result->trace = NULL;
    result->feedback = NULL;
}

enum pawl_status pawl_host_evaluate(struct pawl_host *host, struct pawl_arena *step,
                                    struct pawl_host_evaluation *batch, size_t n,
                                    struct pawl_error *err)
{
    int64_t cost = 0;
    (void)step;
    PAWL_TRY(begin(host, "evaluate", err));
    for (size_t i = 0; i < n; i++) cost += (int64_t)batch[i].n_cases;
    PAWL_TRY(spend(host, cost, err));
    for (size_t i = 0; i < n; i++) {
        PAWL_ASSERT(batch[i].n_cases > 0);
        PAWL_ASSERT(!batch[i].trace || batch[i].tier == PAWL_HOST_TRAIN);
        PAWL_ASSERT(!batch[i].logprobs || batch[i].trace);
        for (size_t k = 0; k < batch[i].n_cases; k++) answer_case(host, &batch[i], k);
    }
    return PAWL_OK;
}

enum pawl_status pawl_host_score_dev(struct pawl_host *host, uint32_t candidate, double *scores,
                                     double *mean, struct pawl_error *err)
{
    double sum = 0;
    size_t n = 0;
    PAWL_TRY(begin(host, "score_dev", err));
    PAWL_TRY(spend(host, (int64_t)host->n_dev, err));
    for (uint32_t i = 0; i < host->n_dev; i++) {
        struct pawl_host_result result;
        struct pawl_host_evaluation one = {.candidate = candidate,
                                           .tier = PAWL_HOST_DEV,
                                           .cases = &i,
                                           .n_cases = 1,
                                           .results = &result};
        answer_case(host, &one, 0);
        scores[i] = result.missing ? NAN : result.score;
        if (result.missing) continue;
        sum += result.score;
        n++;
    }
    *mean = n > 0 ? sum / (double)n : NAN;
    host->candidates[candidate].scored = true;
    host->candidates[candidate].mean = *mean;
    return PAWL_OK;
}

/* --- models ------------------------------------------------------------------------------------------ */

enum pawl_status pawl_host_complete(struct pawl_host *host, struct pawl_arena *step,
                                    const struct pawl_host_prompt *prompts, size_t n,
                                    struct pawl_host_reply *replies, struct pawl_error *err)
{
    PAWL_TRY(begin(host, "complete", err));
    for (size_t i = 0; i < n; i++) {
        note_text(host, prompts[i].user);
        note_int(host, prompts[i].sample);
        replies[i] = (struct pawl_host_reply){0};
        host->n_prompts++;
        host->reply(host, &prompts[i], &replies[i], step);
    }
    return PAWL_OK;
}

struct pawl_str pawl_host_operator_text(struct pawl_host *host, const char *name)
{
    const struct pawl_operator_text *text = host->operator->texts;
    for (; text != NULL && text->name != NULL; text++)
        if (strcmp(text->name, name) == 0) return pawl_str_of(text->text);
    PAWL_BUG("the operator has no text named %s", name);
}

/* --- budget and result -------------------------------------------------------------------------------- */

int64_t pawl_host_budget_left(struct pawl_host *host)
{
    return host->budget - host->used;
}

enum pawl_status pawl_host_nominate(struct pawl_host *host, uint32_t candidate,
                                    struct pawl_error *err)
{
    PAWL_TRY(begin(host, "nominate", err));
    PAWL_ASSERT(candidate < host->n_candidates);
    note_int(host, candidate);
    host->n_nominated += !host->candidates[candidate].nominated;
    host->candidates[candidate].nominated = true;
    return PAWL_OK;
}

enum pawl_status pawl_host_offer(struct pawl_host *host, uint32_t candidate, bool *promoted,
                                 struct pawl_error *err)
{
    PAWL_TRY(begin(host, "offer", err));
    PAWL_ASSERT(candidate < host->n_candidates);
    *promoted = false;
    return PAWL_OK;
}

void pawl_host_note_short(struct pawl_host *host)
{
    host->noted_short = true;
}

void pawl_host_say(struct pawl_host *host, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    host->n_said++;
}

/* --- branches: one after the other, on this same host ---------------------------------------------------- */

enum pawl_status pawl_host_parallel(struct pawl_host *host, size_t n, pawl_host_branch fn,
                                    void *context, struct pawl_error *err)
{
    PAWL_TRY(begin(host, "parallel", err));
    for (size_t i = 0; i < n; i++) PAWL_TRY(fn(host, i, context, err));
    return PAWL_OK;
}

enum pawl_status pawl_host_submit(struct pawl_host *host, pawl_host_branch fn, size_t index,
                                  void *context, uint32_t *ticket, struct pawl_error *err)
{
    PAWL_TRY(begin(host, "submit", err));
    *ticket = host->n_tickets++;
    return fn(host, index, context, err);
}

enum pawl_status pawl_host_next_done(struct pawl_host *host, uint32_t *ticket,
                                     struct pawl_error *err)
{
    PAWL_TRY(begin(host, "next_done", err));
    PAWL_ASSERT(host->n_taken < host->n_tickets);
    *ticket = host->n_taken++;
    return PAWL_OK;
}
