/* The run, its steps, and the small questions of an operator. */
#include "improve/host_internal.h"

#include "base/clock.h"

#include <inttypes.h>
#include <math.h>
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

/* --- opening a run ---------------------------------------------------------------------------------- */

/* Is this dev case kept for the choice at the end? */
static bool is_check(const struct pawl_run_settings *settings, size_t i)
{
    return settings->dev_check && settings->dev->items[i].check;
}

static void split_dev(struct pawl_run *run)
{
    const struct pawl_cases *dev = run->settings.dev;
    run->visible = PAWL_NEW_N(&run->arena, uint32_t, dev->n + 1);
    run->check = PAWL_NEW_N(&run->arena, uint32_t, dev->n + 1);
    for (uint32_t i = 0; i < dev->n; i++) {
        if (is_check(&run->settings, i))
            run->check[run->n_check++] = i;
        else
            run->visible[run->n_visible++] = i;
    }
}

static const json_t *keep(struct pawl_run *run, json_t *object, const json_t *otherwise)
{
    if (object == NULL) return otherwise;
    json_array_append_new(run->train_objects, object);
    return object;
}

static void read_train(struct pawl_run *run)
{
    const struct pawl_cases *train = run->settings.train;
    struct pawl_program *program = run->settings.program;
    run->train = PAWL_NEW_N(&run->arena, struct pawl_host_case, train->n + 1);
    run->train_objects = json_array();
    for (size_t i = 0; i < train->n; i++) {
        const struct pawl_case *item = &train->items[i];
        json_t *input = pawl_program_input_object(program, item->input);
        json_t *target = pawl_program_target_object(program, item->target);
        run->train[i] = (struct pawl_host_case){.id = item->id,
                                                .input = keep(run, input, item->input),
                                                .target = keep(run, target, item->target)};
    }
}

static void read_components(struct pawl_run *run)
{
    const struct pawl_artifact *start = run->settings.start;
    run->components = PAWL_NEW_N(&run->arena, struct pawl_host_component, start->n_components + 1);
    for (size_t i = 0; i < start->n_components; i++) {
        const struct pawl_component *component = &start->components[i];
        run->components[i] =
            (struct pawl_host_component){component->name, component->kind, component->role};
    }
}

static void add_first_candidates(struct pawl_run *run)
{
    pawl_run_add_candidate(run, run->settings.start, "0", NULL, 0);
    for (size_t i = 0; i < run->settings.n_inherited; i++) {
        const struct pawl_inherited *old = &run->settings.inherited[i];
        uint32_t number = pawl_run_add_candidate(run, old->artifact, "0", NULL, 0);
        run->candidates[number].inherited_mean = old->dev_mean;
        if (old->nominated && number != 0) run->candidates[number].nominated = true;
        pawl_run_keep_candidate(run, number);
    }
}

/* Money for the choice at the end, in proportion to its evaluations. */
static int64_t money_kept_back(const struct pawl_run *run, int64_t planned)
{
    const struct pawl_config_budget *budget = &run->settings.budget;
    if (run->money.limit_microusd < 0) return 0;
    double share = budget->evaluations > 0 ? (double)planned / (double)budget->evaluations : 0.2;
    return (int64_t)((double)run->money.limit_microusd * (share < 0.5 ? share : 0.5));
}

static void open_budget(struct pawl_run *run)
{
    const struct pawl_config_budget *budget = &run->settings.budget;
    struct pawl_journal *journal = run->settings.journal;
    int64_t planned = pawl_finalists_cost(run->n_check);
    pawl_pool_init(&run->pool, budget->evaluations < 0 ? -1 : budget->evaluations - planned);
    pawl_pool_init(&run->end_pool, planned);
    pawl_money_init(&run->money, journal, budget->usd);
    pawl_money_hold(&run->money, money_kept_back(run, planned));
    pawl_deadline_init(&run->deadline, budget->minutes, pawl_journal_totals(journal).elapsed_ms);
}

static enum pawl_status check_budget(const struct pawl_run_settings *settings, size_t n_visible,
                                     size_t n_check, struct pawl_error *err)
{
    const struct pawl_operator *operator= settings->operator;
    int64_t end = pawl_finalists_cost(n_check), least = 1;
    if (operator->smallest != NULL)
        least = operator->smallest(settings->options, settings->train->n, n_visible);
    int64_t given = settings->budget.evaluations;
    if (given < 0 || given >= least + end) return PAWL_OK;
    pawl_fail(err, PAWL_EBUDGET,
              "The budget of %" PRId64 " evaluations is too small: %s takes at least %" PRId64
              ", and choosing what to offer %" PRId64 " more.",
              given, operator->name, least, end);
    pawl_hint(err, "Give at least --budget evaluations=%" PRId64 "%s.", least + end,
              end > 0 ? ", or set improve.dev_check: false" : "");
    return PAWL_EBUDGET;
}

enum pawl_status pawl_run_check(const struct pawl_run_settings *settings, struct pawl_error *err)
{
    size_t n_check = 0, n_dev = settings->dev->n;
    for (size_t i = 0; i < n_dev; i++) n_check += is_check(settings, i);
    if (n_check < n_dev) return check_budget(settings, n_dev - n_check, n_check, err);
    pawl_fail(err, PAWL_EUSAGE, "There is no dev case to compare candidates on.");
    pawl_hint(err, "Add cases with `pawl data add FILE`, or set improve.dev_check: false.");
    return PAWL_EUSAGE;
}

enum pawl_status pawl_run_open(const struct pawl_run_settings *settings, struct pawl_run **out,
                               struct pawl_error *err)
{
    PAWL_TRY(pawl_run_check(settings, err));
    struct pawl_run *run = pawl_xcalloc(1, sizeof *run);
    run->settings = *settings;
    run->best_mean = NAN;
    pthread_mutex_init(&run->lock, NULL);
    pthread_mutex_init(&run->draft_lock, NULL);
    pthread_mutex_init(&run->instances_lock, NULL);
    pthread_cond_init(&run->branch_ended, NULL);
    atomic_store(&run->n_steps, pawl_journal_totals(settings->journal).n_steps);
    split_dev(run);
    open_budget(run);
    read_train(run);
    run->fields = pawl_program_fields(settings->program);
    read_components(run);
    add_first_candidates(run);
    pawl_run_expect_candidates(run);
    *out = run;
    return PAWL_OK;
}

struct pawl_lm_purse pawl_run_purse(struct pawl_run *run)
{
    return (struct pawl_lm_purse){pawl_money_reserve, pawl_money_settle, &run->money};
}

void pawl_run_cancel(struct pawl_run *run)
{
    atomic_store(&run->canceled, true);
}

void pawl_run_close(struct pawl_run *run)
{
    if (run == NULL) return;
    pawl_run_release_instances(run);
    for (struct pawl_retired *retired = run->retired; retired != NULL; retired = retired->next) {
        pawl_host_forget_json(&retired->kept);
        pawl_arena_release(&retired->arena);
    }
    for (size_t i = 0; i < run->n_candidates; i++) {
        free(run->candidates[i].dev_scores);
        free(run->candidates[i].behaviour);
    }
    free(run->candidates);
    free(run->by_id);
    json_decref(run->train_objects);
    json_decref(run->fields);
    pawl_pool_release(&run->pool);
    pawl_pool_release(&run->end_pool);
    pawl_money_release(&run->money);
    pthread_mutex_destroy(&run->lock);
    pthread_mutex_destroy(&run->draft_lock);
    pthread_mutex_destroy(&run->instances_lock);
    pthread_cond_destroy(&run->branch_ended);
    pawl_arena_release(&run->arena);
    free(run);
}

/* --- going ------------------------------------------------------------------------------------------- */

static bool has_nominee(struct pawl_run *run)
{
    for (size_t i = 0; i < run->n_candidates; i++)
        if (run->candidates[i].nominated) return true;
    return false;
}

static void fill_result(struct pawl_run *run, struct pawl_run_result *result)
{
    double best = pawl_run_dev_mean(run, 0, NULL);
    uint32_t chosen = 0;
    for (uint32_t i = 1; i < run->n_candidates; i++) {
        double mean = pawl_run_dev_mean(run, i, NULL);
        if (mean > best || (isnan(best) && !isnan(mean))) {
            best = mean;
            chosen = i;
        }
    }
    if (result->best[0] == '\0')
        memcpy(result->best, pawl_run_artifact(run, chosen)->hex, PAWL_HASH_HEX);
    result->dev_seed = pawl_run_dev_mean(run, 0, NULL);
    result->dev_best = best;
    result->n_candidates = run->n_seen;
    result->resumed_steps = atomic_load(&run->n_resumed);
    result->evaluations = atomic_load(&run->n_evaluations);
    result->usd = pawl_money_usd(&run->money);
    result->usage = run->usage;
    result->short_of = run->short_of;
}

static enum pawl_status run_operator(struct pawl_run *run, struct pawl_error *err)
{
    struct pawl_host host;
    pawl_host_init(&host, run, "", 0, &run->pool);
    enum pawl_status status = run->settings.operator->run(&host, run->settings.options, err);
    status = pawl_host_finish(&host, status, err);
    pawl_host_release(&host);
    return status;
}

static enum pawl_status run_end(struct pawl_run *run, struct pawl_run_result *result,
                                struct pawl_error *err)
{
    struct pawl_host host;
    pawl_money_hold(&run->money, 0);
    pawl_host_init(&host, run, PAWL_PATH_END, 0, &run->end_pool);
    enum pawl_status status = pawl_finalists(&host, result, err);
    pawl_host_release(&host);
    return status;
}

enum pawl_status pawl_run_go(struct pawl_run *run, struct pawl_run_result *result,
                             struct pawl_error *err)
{
    *result = (struct pawl_run_result){.state = PAWL_RUN_FINISHED};
    enum pawl_status status = run_operator(run, err);
    bool ran_out = status == PAWL_EBUDGET;
    if (status == PAWL_OK || ran_out) status = run_end(run, result, err);
    if (status == PAWL_EBUDGET || (ran_out && !has_nominee(run))) {
        result->state = PAWL_RUN_BUDGET;
        status = PAWL_OK;
    }
    if (status != PAWL_OK) result->state = PAWL_RUN_PAUSED;
    fill_result(run, result);
    struct pawl_error late;
    enum pawl_status synced = pawl_journal_sync(run->settings.journal, &late);
    if (status != PAWL_OK || synced == PAWL_OK) return status;
    if (err != NULL) *err = late;
    return synced;
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
