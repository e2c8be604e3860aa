/* A step of a run, the memory of a branch, and the small questions of an operator. */
#include "improve/host_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* --- hashes of arguments ---------------------------------------------------------------------- */

void pawl_args_begin(struct pawl_hasher *args, const char *kind)
{
    pawl_hasher_init(args);
    pawl_args_text(args, pawl_str_of(kind));
}

void pawl_args_int(struct pawl_hasher *args, uint64_t value)
{
    unsigned char bytes[8];
    for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)(value >> (8 * i));
    pawl_hasher_add(args, bytes, sizeof bytes);
}

void pawl_args_text(struct pawl_hasher *args, struct pawl_str text)
{
    pawl_args_int(args, text.len);
    pawl_hasher_add(args, text.ptr, text.len);
}

/* --- steps ------------------------------------------------------------------------------------- */

enum pawl_status pawl_run_fail(struct pawl_run *run, enum pawl_status status,
                               const struct pawl_error *err)
{
    if (status == PAWL_OK || status == PAWL_EBUDGET) return status;
    pthread_mutex_lock(&run->lock);
    if (!run->failed) {
        run->failed = true;
        run->why = (struct pawl_error){.status = status};
        if (err != NULL) run->why = *err;
    }
    pthread_mutex_unlock(&run->lock);
    return status;
}

/* Once a step has failed for good, so does every later one: an operator cannot go on by mistake. */
static enum pawl_status check_running(struct pawl_run *run, struct pawl_error *err)
{
    pthread_mutex_lock(&run->lock);
    bool failed = run->failed;
    enum pawl_status status = failed ? run->why.status : PAWL_OK;
    if (failed && err != NULL) *err = run->why;
    pthread_mutex_unlock(&run->lock);
    return status;
}

static enum pawl_status check_not_stopped(struct pawl_run *run, struct pawl_error *err)
{
    size_t stop = run->settings.stop_after_steps;
    if (atomic_load(&run->canceled) || (stop != 0 && atomic_load(&run->n_steps) >= stop))
        return pawl_fail(err, PAWL_EPAUSED, "The run %s was paused.", run->settings.id);
    return PAWL_OK;
}

static enum pawl_status diverged(struct pawl_run *run, const struct pawl_host_step *step,
                                 const char *what, struct pawl_error *err)
{
    pawl_fail(err, PAWL_EDIVERGED,
              "Step %s of run %s %s: the operator or its surroundings changed.", step->path,
              run->settings.id, what);
    pawl_hint(err,
              "`pawl improve --fork %s` starts a new run with its candidates and paid answers.",
              run->settings.id);
    return PAWL_EDIVERGED;
}

enum pawl_status pawl_host_bad_record(const struct pawl_host_step *step, struct pawl_error *err)
{
    return pawl_fail(err, PAWL_EINTEGRITY, "The journal's record of step %s (%s) is malformed.",
                     step->path, step->record.kind);
}

/* `what` may lie in a record; what the run remembers must not. */
static enum pawl_status budget_error(struct pawl_run *run, const char *what, struct pawl_error *err)
{
    static const char *const names[] = {"evaluations", "usd", "minutes"};
    pthread_mutex_lock(&run->lock);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], what) == 0) run->short_of = names[i];
    pthread_mutex_unlock(&run->lock);
    pawl_fail(err, PAWL_EBUDGET, "The run's budget of %s is used up.", what);
    pawl_hint(err, "Give more with --budget %s=N.", what);
    return PAWL_EBUDGET;
}

static void write_path(const struct pawl_host *host, uint64_t number, char path[PAWL_PATH_MAX])
{
    const char *slash = host->prefix[0] != '\0' ? "/" : "";
    int n = snprintf(path, PAWL_PATH_MAX, "%s%s%" PRIu64, host->prefix, slash, number);
    PAWL_ASSERT(n > 0 && n < PAWL_PATH_MAX);
}

/* New or repeated, what a step took is counted once it is known to the journal; so the sum is that
 * of all sessions. */
static void add_tokens(struct pawl_run *run, const struct pawl_step_tokens *tokens)
{
    const struct pawl_usage usage = {.prompt_tokens = tokens->prompt,
                                     .completion_tokens = tokens->completion,
                                     .cached_tokens = tokens->cached};
    pthread_mutex_lock(&run->lock);
    pawl_usage_add(&run->usage, &usage);
    pthread_mutex_unlock(&run->lock);
}

static enum pawl_status repeat_step(struct pawl_run *run, struct pawl_host_step *step,
                                    struct pawl_error *err)
{
    if (!pawl_str_is(step->found.kind, step->record.kind))
        return diverged(run, step, "is of another kind in the journal", err);
    if (!pawl_str_is(step->found.args, step->record.args))
        return diverged(run, step, "has other arguments in the journal", err);
    PAWL_TRY(pawl_journal_result(run->settings.journal, &step->found, &step->result, err));
    step->is_recorded = true;
    atomic_fetch_add(&run->n_resumed, 1);
    add_tokens(run, &step->found.tokens);
    const char *refused = pawl_json_get_text(step->result, "refused", NULL);
    if (refused == NULL) return PAWL_OK;
    enum pawl_status status = budget_error(run, refused, err);
    pawl_host_end(step);
    return status;
}

enum pawl_status pawl_host_begin(struct pawl_host *host, const char *kind, struct pawl_hasher *args,
                                 struct pawl_host_step *step, struct pawl_error *err)
{
    struct pawl_run *run = host->run;
    struct pawl_hash hash = pawl_hasher_final(args);
    PAWL_TRY(check_running(run, err));
    *step = (struct pawl_host_step){
        .record = {.kind = kind, .elapsed_ms = -1, .number = -1},
        .found = {.elapsed_ms = -1, .number = -1},
    };
    step->record.path = step->path;
    write_path(host, ++host->n_steps, step->path);
    pawl_hex(hash.bytes, (PAWL_JOURNAL_ARGS_HEX - 1) / 2, step->record.args);
    enum pawl_status status = pawl_journal_find(run->settings.journal, step->path, &step->found)
                                  ? repeat_step(run, step, err)
                                  : check_not_stopped(run, err);
    return pawl_run_fail(run, status, err);
}

enum pawl_status pawl_host_record(struct pawl_host *host, struct pawl_host_step *step,
                                  struct pawl_error *err)
{
    struct pawl_run *run = host->run;
    step->record.result = step->result;
    enum pawl_status status = pawl_journal_append(run->settings.journal, &step->record, err);
    if (status == PAWL_OK) {
        atomic_fetch_add(&run->n_steps, 1);
        add_tokens(run, &step->record.tokens);
    }
    return pawl_run_fail(run, status, err);
}

void pawl_host_note_usage(struct pawl_host_step *step, const struct pawl_usage *usage)
{
    step->record.tokens.prompt += usage->prompt_tokens;
    step->record.tokens.completion += usage->completion_tokens;
    step->record.tokens.cached += usage->cached_tokens;
}

void pawl_host_end(struct pawl_host_step *step)
{
    json_decref(step->result);
    step->result = NULL;
}

enum pawl_status pawl_host_refuse(struct pawl_host *host, struct pawl_host_step *step,
                                  const char *what, struct pawl_error *err)
{
    json_decref(step->result);
    step->result = json_object();
    pawl_json_set(step->result, "refused", json_string(what));
    step->record.cost = 0;
    enum pawl_status status = pawl_host_record(host, step, err);
    pawl_host_end(step);
    return status == PAWL_OK ? budget_error(host->run, what, err) : status;
}

/* The one reading of the clock in a step; what is kept back for the end is free of it. */
bool pawl_host_is_late(struct pawl_host *host, struct pawl_host_step *step)
{
    const struct pawl_deadline *deadline = &host->run->deadline;
    step->record.elapsed_ms = pawl_deadline_elapsed_ms(deadline);
    return deadline->limit_ms >= 0 && step->record.elapsed_ms >= deadline->limit_ms &&
           host->pool != &host->run->end_pool;
}

void pawl_run_tell(struct pawl_run *run)
{
    if (run->settings.progress == NULL) return;
    pthread_mutex_lock(&run->lock);
    struct pawl_run_progress progress = {
        .evaluations = atomic_load(&run->n_evaluations),
        .budget = run->settings.budget.evaluations,
        .n_candidates = run->n_seen,
        .best = run->best_mean,
    };
    pthread_mutex_unlock(&run->lock);
    progress.usd = pawl_money_usd(&run->money);
    run->settings.progress(run->settings.context, &progress);
}

/* --- branches' memory ----------------------------------------------------------------------------- */

void pawl_host_init(struct pawl_host *host, struct pawl_run *run, const char *prefix, int depth,
                    struct pawl_pool *pool)
{
    struct pawl_random root;
    *host = (struct pawl_host){.run = run, .depth = depth, .pool = pool};
    host->ended_last = &host->ended;
    int n = snprintf(host->prefix, sizeof host->prefix, "%s", prefix);
    PAWL_ASSERT(n >= 0 && (size_t)n < sizeof host->prefix);
    pawl_random_init(&root, run->settings.seed);
    host->random = pawl_random_split(&root, pawl_str_of(prefix));
}

enum pawl_status pawl_host_finish(struct pawl_host *host, enum pawl_status status,
                                  struct pawl_error *err)
{
    struct pawl_host_step step = {.record = {.kind = "end"}};
    pawl_host_join(host);
    PAWL_TRY(check_running(host->run, err));
    if (status != PAWL_OK && status != PAWL_EBUDGET) return pawl_run_fail(host->run, status, err);
    write_path(host, host->n_steps + 1, step.path);
    if (pawl_journal_find(host->run->settings.journal, step.path, &step.found))
        status =
            diverged(host->run, &step, "is in the journal, but the operator ended before it", err);
    return pawl_run_fail(host->run, status, err);
}

void pawl_host_release(struct pawl_host *host)
{
    pawl_host_forget_json(&host->kept);
    pawl_arena_release(&host->arena);
    free(host->tickets);
}

/* --- what an operator may ask ------------------------------------------------------------------------- */

struct pawl_arena *pawl_host_arena(struct pawl_host *host)
{
    return &host->arena;
}

struct pawl_random *pawl_host_random(struct pawl_host *host)
{
    return &host->random;
}

const struct pawl_host_component *pawl_host_components(struct pawl_host *host, size_t *n)
{
    *n = host->run->settings.start->n_components;
    return host->run->components;
}

size_t pawl_host_n_train(struct pawl_host *host)
{
    return host->run->settings.train->n;
}

size_t pawl_host_n_dev(struct pawl_host *host)
{
    return host->run->n_visible;
}

const struct pawl_host_case *pawl_host_train_case(struct pawl_host *host, uint32_t index)
{
    PAWL_ASSERT(index < host->run->settings.train->n);
    return &host->run->train[index];
}

struct pawl_str pawl_host_operator_text(struct pawl_host *host, const char *name)
{
    struct pawl_str replaced = pawl_json_get_str(host->run->settings.texts, name);
    if (replaced.ptr != NULL) return replaced;
    const struct pawl_operator_text *text = host->run->settings.operator->texts;
    for (; text != NULL && text->name != NULL; text++)
        if (strcmp(text->name, name) == 0) return pawl_str_of(text->text);
    PAWL_BUG("the operator has no text named %s", name);
}

/* What a host reads of a pool that several branches draw on has no value of its own at a step; so
 * the reading is a step. */
int64_t pawl_host_budget_left(struct pawl_host *host)
{
    struct pawl_hasher args;
    struct pawl_host_step step;
    struct pawl_error err; /* a failure is kept by the run and told by the next step */
    if (!pawl_pool_is_shared(host->pool)) return pawl_pool_left(host->pool);
    pawl_args_begin(&args, "budget_left");
    if (pawl_host_begin(host, "budget_left", &args, &step, &err) != PAWL_OK) return 0;
    int64_t left = step.is_recorded ? step.found.number : pawl_pool_left_now(host->pool);
    step.record.number = left = left > 0 ? left : 0;
    if (!step.is_recorded && pawl_host_record(host, &step, &err) != PAWL_OK) left = 0;
    pawl_host_end(&step);
    return left;
}

void pawl_host_note_short(struct pawl_host *host)
{
    struct pawl_run *run = host->run;
    pthread_mutex_lock(&run->lock);
    if (run->short_of == NULL) run->short_of = "evaluations";
    pthread_mutex_unlock(&run->lock);
}

const json_t *pawl_host_fields(struct pawl_host *host)
{
    return host->run->fields;
}

void pawl_host_say(struct pawl_host *host, const char *format, ...)
{
    char text[1024];
    va_list args;
    if (host->run->settings.say == NULL) return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    host->run->settings.say(host->run->settings.context, text);
}
