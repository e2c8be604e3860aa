/* A run from its opening to its end: what it is made of, the operator, the choice, the result. */
#include "improve/host_internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

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

/* The module that names a component as its own; NULL: none, or one without a name. */
static const char *module_of(const struct pawl_run *run, const char *component)
{
    static const char *const kinds[] = {"instruction", "demos", "calibration", "lessons"};
    const json_t *modules = json_object_get(run->fields, "modules");
    for (size_t i = 0; i < json_array_size(modules); i++) {
        const json_t *module = json_array_get(modules, i);
        const char *name = pawl_json_get_text(module, "name", "");
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds && name[0] != '\0'; k++)
            if (strcmp(pawl_json_get_text(module, kinds[k], ""), component) == 0) return name;
    }
    return NULL;
}

static void read_components(struct pawl_run *run)
{
    const struct pawl_artifact *start = run->settings.start;
    run->components = PAWL_NEW_N(&run->arena, struct pawl_host_component, start->n_components + 1);
    for (size_t i = 0; i < start->n_components; i++) {
        const struct pawl_component *component = &start->components[i];
        run->components[i] = (struct pawl_host_component){
            component->name, component->kind, component->role, module_of(run, component->name)};
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
    run->n_given = run->n_seen;
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

static enum pawl_run_end end_of(struct pawl_run *run, const struct pawl_run_result *result)
{
    if (result->offered[0] != '\0') return PAWL_RUN_OFFERED;
    if (has_nominee(run)) return PAWL_RUN_NO_BETTER;
    return run->n_seen > run->n_given ? PAWL_RUN_NO_NOMINEE : PAWL_RUN_NO_CANDIDATE;
}

static void fill_result(struct pawl_run *run, struct pawl_run_result *result)
{
    double best = pawl_run_dev_mean(run, 0, NULL);
    size_t least = pawl_run_measured_min(run);
    uint32_t chosen = 0;
    for (uint32_t i = 1; i < run->n_candidates; i++) {
        size_t n_scored;
        double mean = pawl_run_dev_mean(run, i, &n_scored);
        if (n_scored < least) continue;
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
    result->end = end_of(run, result);
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
