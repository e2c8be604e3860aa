/*
 * reflexion - lessons of failed train cases, kept in the program's memory for as long as they are worth it.
 *
 * Example
 *     pawl improve --operator reflexion --set rounds=3 --budget evaluations=2000     # program: lessons: on
 *
 * How it works
 *     A round answers a minibatch of train cases and has the reflecting model say, for each that failed, what
 *     is to be remembered. The new lessons join the old ones; the memory stays what it was where dev is not
 *     better with them. Then each lesson is left out once: without one that dev does not miss, the memory goes
 *     on. What is left is nominated, and the gate decides as about any other change.
 *
 * A lesson is an item of the component of role memory: {text, from, tried, helped, ttl}. It lives for `ttl` runs
 * whose memory comes into force, and anew each time that leaving it out made dev worse; so a memory that runs on
 * and on does not fill with what was once true. Published code keeps lessons for the case that failed, and asks the hidden answer whether
 * to try again; here they are for cases to come, and the sealed ones say whether they help.
 */
#include "operators/operator.h"
#include "operators/prompt.h"
#include "operators/reflexion_memory.h"

#include <string.h>

struct reflexion_options {
    int64_t rounds, minibatch, max_lessons, max_lesson_bytes, ttl, reflection_tokens;
    double reflection_temperature;
    bool show_target;
};
static const struct pawl_option reflexion_options[] = {
    PAWL_OPT_INT(struct reflexion_options, rounds, "3", 1, 100,
                 "times that a minibatch is answered and learned from"),
    PAWL_OPT_INT(struct reflexion_options, minibatch, "6", 1, 100, "train cases of a round"),
    PAWL_OPT_INT(struct reflexion_options, max_lessons, "8", 1, PAWL_MEMORY_ITEMS_MAX,
                 "lessons in the memory; those with the shortest life go first"),
    PAWL_OPT_INT(struct reflexion_options, max_lesson_bytes, "500", 16, PAWL_MEMORY_TEXT_MAX,
                 "longer ones are refused"),
    PAWL_OPT_INT(struct reflexion_options, ttl, "3", 1, 1000,
                 "runs that a lesson lives without being shown to help"),
    PAWL_OPT_INT(struct reflexion_options, reflection_tokens, "200", 16, 100000,
                 "length limit of a reflection"),
    PAWL_OPT_REAL(struct reflexion_options, reflection_temperature, "0.7", 0, 2,
                  "temperature of reflections"),
    PAWL_OPT_BOOL(struct reflexion_options, show_target, "true",
                  "show the reflecting model the metric's feedback, wanted answers included"),
    {0}};

/* {{memory}}, {{input}}, {{output}}, {{feedback}} are replaced. */
static const struct pawl_operator_text reflexion_texts[] = {
    {"lesson", "what the reflecting model is asked about a failed case",
     "A model failed at a task.\n\nThe task:\n{{input}}\nIts answer:\n{{output}}\n"
     "What is known of the answer:\n{{feedback}}\n\nLessons that it has already:\n{{memory}}\n"
     "Write one lesson that would have helped, in one or two sentences. It has to hold for other "
     "tasks of the kind too: name no detail of this one, and do not give its answer. Write the "
     "lesson alone, or the word NONE where there is nothing new to learn.\n"},
    {NULL, NULL, NULL}};

struct reflexion {
    struct pawl_host *host;
    const struct reflexion_options *opt;
    struct pawl_arena *arena, step;
    const char *component;
    struct pawl_memory memory; /* of the best candidate */
    uint32_t best;
    double best_mean;
    double *scores; /* [n_dev] */
    size_t *order;  /* [n_train] */
    size_t at;
};

/* An artifact may hold lessons that the program shows no longer: its owner turned them off. A program that names
 * no modules (a command) says nothing of what it reads. */
static bool is_shown(struct reflexion *r, const char *component)
{
    const json_t *modules = json_object_get(pawl_host_fields(r->host), "modules");
    bool shown = json_array_size(modules) == 0;
    for (size_t i = 0; i < json_array_size(modules); i++)
        shown = shown || strcmp(pawl_json_get_text(json_array_get(modules, i), "lessons", ""),
                                component) == 0;
    return shown;
}

static bool find_memory(struct reflexion *r, struct pawl_error *err)
{
    size_t n;
    const struct pawl_host_component *components = pawl_host_components(r->host, &n);
    for (size_t i = 0; i < n && r->component == NULL; i++)
        if (strcmp(components[i].role, "memory") == 0 && is_shown(r, components[i].name))
            r->component = components[i].name;
    if (r->component != NULL) return true;
    pawl_fail(err, PAWL_ECONFIG, "reflexion keeps lessons, and this program has no memory.");
    pawl_hint(err, "Write `lessons: on` in the program, or in one of its modules.");
    return false;
}

static int64_t n_dev(const struct reflexion *r)
{
    return (int64_t)pawl_host_n_dev(r->host);
}

/* --- candidates ------------------------------------------------------------------------------------- */

/* The start with this memory, on dev. */
static enum pawl_status score(struct reflexion *r, const struct pawl_memory *memory,
                              uint32_t *candidate, double *mean, struct pawl_error *err)
{
    const uint32_t start = 0;
    const struct pawl_host_edit edit = {r->component, pawl_memory_text(memory, &r->step)};
    PAWL_TRY(pawl_host_draft(r->host, &start, 1, &edit, 1, candidate, err));
    return pawl_host_score_dev(r->host, *candidate, r->scores, mean, err);
}

static void take(struct reflexion *r, const struct pawl_memory *memory, uint32_t candidate,
                 double mean)
{
    r->memory = *memory;
    r->best = candidate;
    r->best_mean = mean;
}

/* --- learning --------------------------------------------------------------------------------------- */

static uint32_t *next_minibatch(struct reflexion *r, size_t *n)
{
    size_t n_train = pawl_host_n_train(r->host), wanted = (size_t)r->opt->minibatch;
    *n = wanted < n_train ? wanted : n_train;
    uint32_t *cases = PAWL_NEW_N(&r->step, uint32_t, *n + 1);
    if (r->at + *n > n_train) r->at = 0;
    for (size_t i = 0; i < *n; i++) {
        /* The rest of a shuffle, drawn as it is needed. */
        size_t k = r->at + i + pawl_random_below(pawl_host_random(r->host), n_train - r->at - i);
        size_t chosen = r->order[k];
        r->order[k] = r->order[r->at + i];
        r->order[r->at + i] = chosen;
        cases[i] = (uint32_t)chosen;
    }
    r->at += *n;
    return cases;
}

static struct pawl_str lesson_prompt(struct reflexion *r, uint32_t index,
                                     const struct pawl_host_result *result)
{
    const struct pawl_host_case *item = pawl_host_train_case(r->host, index);
    const char *feedback =
        r->opt->show_target && result->feedback != NULL ? result->feedback : "It is wrong.";
    return pawl_prompt_text(
        r->host, &r->step, "lesson",
        PAWL_MARKS({"memory", pawl_memory_lines(&r->memory, &r->step)},
                   {"input", pawl_prompt_fields(&r->step, item->input, NULL)},
                   {"output", result->output != NULL
                                  ? pawl_prompt_fields(&r->step, result->output, NULL)
                                  : PAWL_STR("(none that could be read)\n")},
                   {"feedback", pawl_str_of(feedback)}));
}

/* Gives how many failed and are asked about; ids of their cases in `from`. */
static size_t make_prompts(struct reflexion *r, const uint32_t *cases, size_t n,
                           const struct pawl_host_result *results, struct pawl_host_prompt *prompts,
                           const char **from)
{
    size_t n_failed = 0;
    for (size_t i = 0; i < n; i++) {
        if (results[i].missing || results[i].score >= 1) continue;
        struct pawl_str user = lesson_prompt(r, cases[i], &results[i]);
        if (user.ptr == NULL) continue; /* longer than a prompt may be */
        from[n_failed] = pawl_host_train_case(r->host, cases[i])->id;
        prompts[n_failed++] = (struct pawl_host_prompt){
            .role = "reflect",
            .user = user,
            .max_tokens = (int)r->opt->reflection_tokens,
            .temperature = r->opt->reflection_temperature,
            .sample = (uint32_t)pawl_random_below(pawl_host_random(r->host), UINT32_MAX)};
    }
    return n_failed;
}

static bool is_lesson(const struct reflexion *r, struct pawl_str text)
{
    return text.len > 0 && text.len <= (size_t)r->opt->max_lesson_bytes &&
           memchr(text.ptr, '\0', text.len) == NULL && !pawl_str_is(text, "NONE") &&
           !pawl_str_is(text, "NONE.");
}

/* The memory with what the failures of a minibatch teach; *n_new: how many lessons that is. */
static enum pawl_status learn(struct reflexion *r, struct pawl_memory *memory, size_t *n_new,
                              struct pawl_error *err)
{
    size_t n;
    uint32_t *cases = next_minibatch(r, &n);
    struct pawl_host_result *results = PAWL_NEW_N(&r->step, struct pawl_host_result, n + 1);
    struct pawl_host_prompt *prompts = PAWL_NEW_N(&r->step, struct pawl_host_prompt, n + 1);
    struct pawl_host_reply *replies = PAWL_NEW_N(&r->step, struct pawl_host_reply, n + 1);
    const char **from = PAWL_NEW_N(&r->step, const char *, n + 1);
    struct pawl_host_evaluation batch = {.candidate = r->best,
                                         .tier = PAWL_HOST_TRAIN,
                                         .cases = cases,
                                         .n_cases = n,
                                         .trace = true,
                                         .results = results};
    *memory = r->memory;
    *n_new = 0;
    PAWL_TRY(pawl_host_evaluate(r->host, &r->step, &batch, 1, err));
    n = make_prompts(r, cases, n, results, prompts, from);
    if (n == 0) return PAWL_OK;
    PAWL_TRY(pawl_host_complete(r->host, &r->step, prompts, n, replies, err));
    for (size_t i = 0; i < n; i++) {
        struct pawl_str text = pawl_str_trim(replies[i].text);
        if (replies[i].failed || !is_lesson(r, text)) continue;
        *n_new += pawl_memory_add(memory, text, from[i], (int)r->opt->ttl,
                                  (size_t)r->opt->max_lessons, r->arena);
    }
    return PAWL_OK;
}

static enum pawl_status learn_in_rounds(struct reflexion *r, struct pawl_error *err)
{
    for (int64_t round = 1; round <= r->opt->rounds; round++) {
        struct pawl_memory memory;
        uint32_t candidate;
        size_t n_new;
        double mean;
        /* A round, and at least one lesson left out. */
        if (pawl_host_budget_left(r->host) < r->opt->minibatch + 2 * n_dev(r)) {
            pawl_host_note_short(r->host);
            return PAWL_OK;
        }
        pawl_arena_reset(&r->step);
        PAWL_TRY(learn(r, &memory, &n_new, err));
        if (n_new == 0) continue;
        PAWL_TRY(score(r, &memory, &candidate, &mean, err));
        pawl_host_say(r->host, "round %d: %zu new lessons, %.3f on dev", (int)round, n_new, mean);
        if (mean > r->best_mean) take(r, &memory, candidate, mean);
    }
    return PAWL_OK;
}

/* --- leaving out -------------------------------------------------------------------------------------- */

/* Each lesson once, the last first. One that dev does not miss goes; one that it misses lives anew. */
static enum pawl_status leave_out_each(struct reflexion *r, struct pawl_error *err)
{
    for (size_t i = r->memory.n; i-- > 0;) {
        struct pawl_memory without = r->memory;
        uint32_t candidate;
        double mean;
        /* And what is nominated in the end, with its counters. */
        if (pawl_host_budget_left(r->host) < 2 * n_dev(r)) {
            pawl_host_note_short(r->host);
            return PAWL_OK;
        }
        pawl_arena_reset(&r->step);
        pawl_memory_remove(&without, i);
        PAWL_TRY(score(r, &without, &candidate, &mean, err));
        if (mean >= r->best_mean) {
            take(r, &without, candidate, mean);
            continue;
        }
        r->memory.items[i].tried++;
        r->memory.items[i].helped++;
        r->memory.items[i].ttl = (int)r->opt->ttl;
    }
    return PAWL_OK;
}

/* What is known of the lessons by now is part of the memory. */
static enum pawl_status nominate(struct reflexion *r, struct pawl_error *err)
{
    uint32_t candidate;
    double mean;
    pawl_arena_reset(&r->step);
    if (r->best == 0 || pawl_host_budget_left(r->host) < n_dev(r)) {
        if (r->best == 0) return PAWL_OK;
        return pawl_host_nominate(r->host, r->best, err);
    }
    PAWL_TRY(score(r, &r->memory, &candidate, &mean, err));
    return pawl_host_nominate(r->host, candidate, err);
}

/* --------------------------------------------------------------------------------------------------------- */

/* The lessons that the start brings are a run older; those whose life ends are gone before the first round. */
static enum pawl_status begin(struct reflexion *r, struct pawl_error *err)
{
    uint32_t candidate;
    double mean;
    size_t n_before, n_train = pawl_host_n_train(r->host);
    r->scores = PAWL_NEW_N(r->arena, double, pawl_host_n_dev(r->host) + 1);
    r->order = PAWL_NEW_N(r->arena, size_t, n_train + 1);
    for (size_t i = 0; i < n_train; i++) r->order[i] = i;
    r->memory = pawl_memory_read(pawl_host_text(r->host, 0, r->component), r->arena);
    PAWL_TRY(pawl_host_score_dev(r->host, 0, r->scores, &r->best_mean, err));
    pawl_host_say(r->host, "start: %.3f on dev, %zu lessons", r->best_mean, r->memory.n);
    n_before = r->memory.n;
    struct pawl_memory older = r->memory;
    pawl_memory_age(&older);
    if (older.n == n_before || pawl_host_budget_left(r->host) < n_dev(r)) {
        r->memory = older.n == n_before ? older : r->memory;
        return PAWL_OK;
    }
    PAWL_TRY(score(r, &older, &candidate, &mean, err));
    take(r, &older, candidate, mean);
    return PAWL_OK;
}

static enum pawl_status search(struct reflexion *r, struct pawl_error *err)
{
    PAWL_TRY(begin(r, err));
    if (pawl_host_n_train(r->host) > 0) PAWL_TRY(learn_in_rounds(r, err));
    PAWL_TRY(leave_out_each(r, err));
    return nominate(r, err);
}

static enum pawl_status run(struct pawl_host *host, const void *options, struct pawl_error *err)
{
    struct reflexion r = {.host = host, .opt = options, .arena = pawl_host_arena(host)};
    if (!find_memory(&r, err)) return PAWL_ECONFIG;
    enum pawl_status status = search(&r, err);
    pawl_arena_release(&r.step);
    return status;
}

/* The start, a round, one lesson left out. */
static int64_t smallest(const void *options, size_t n_train, size_t n_dev)
{
    const struct reflexion_options *opt = options;
    (void)n_train;
    return 3 * (int64_t)n_dev + opt->minibatch;
}

static const char *const reflexion_roles[] = {"memory", NULL};

const struct pawl_operator pawl_op_reflexion = {
    .api = PAWL_OPERATOR_API,
    .name = "reflexion",
    .version = 1,
    .summary = "learns lessons from failed cases, keeps those that dev misses, and lets them age",
    .paper = "Shinn et al. 2023, arXiv:2303.11366",
    .roles = reflexion_roles,
    .options = reflexion_options,
    .options_bytes = sizeof(struct reflexion_options),
    .texts = reflexion_texts,
    .risks =
        "a lesson may hold for the cases that it was learned from alone, or repeat their wanted "
        "answers; with few dev cases the luck of one decides whether a lesson stays",
    .smallest = smallest,
    .run = run,
};
