/*
 * Steps that score candidates on cases.
 *
 * The record of such a step is {"s":[score|null...], "b":"<8 hex per case>", "x":[...]}: scores of all
 * cases of the batch in order (null: missing), on dev the behaviour of each answer, with `trace` what
 * an operator may see of each: {"f":true, "o":output, "t":trace, "c":feedback}. Where the metric named
 * scores, "n":[{name:score}|null...] has those of each case.
 */
#include "improve/host_internal.h"

#include "base/clock.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { TRIAL_CASES_MIN = 5 /* fewer may all fail by chance */ };

/* --- JSON that an operator looks at --------------------------------------------------------------- */

/* An operator may look at outputs and traces until it resets its step arena. An arena's used_bytes
 * only grows between resets, so one that holds less than it did then has been reset since. */
struct pawl_kept_json {
    struct pawl_kept_json *next;
    const struct pawl_arena *arena;
    size_t used_bytes;
    json_t *json;
};

static void keep_json(struct pawl_host *host, struct pawl_arena *arena, json_t *json)
{
    struct pawl_kept_json **link = &host->kept;
    while (*link != NULL) {
        struct pawl_kept_json *kept = *link;
        if (kept->arena != arena || arena->used_bytes >= kept->used_bytes) {
            link = &kept->next;
            continue;
        }
        *link = kept->next;
        json_decref(kept->json);
        free(kept);
    }
    (void)pawl_arena_alloc(arena, 1, 1);
    struct pawl_kept_json *kept = pawl_xcalloc(1, sizeof *kept);
    *kept = (struct pawl_kept_json){host->kept, arena, arena->used_bytes, json_incref(json)};
    host->kept = kept;
}

void pawl_host_forget_json(struct pawl_kept_json **list)
{
    while (*list != NULL) {
        struct pawl_kept_json *kept = *list;
        *list = kept->next;
        json_decref(kept->json);
        free(kept);
    }
}

/* --- fresh work ------------------------------------------------------------------------------------- */

static bool is_dev(const struct pawl_host_evaluation *evaluation)
{
    return evaluation->tier != PAWL_HOST_TRAIN;
}

/* Index into all of dev. */
static uint32_t dev_index(const struct pawl_run *run, const struct pawl_host_evaluation *evaluation,
                          size_t i)
{
    bool check = (int)evaluation->tier == PAWL_TIER_CHECK_CASES;
    return (check ? run->check : run->visible)[evaluation->cases[i]];
}

static const struct pawl_case *case_of(const struct pawl_run *run,
                                       const struct pawl_host_evaluation *evaluation, size_t i)
{
    if (is_dev(evaluation)) return &run->settings.dev->items[dev_index(run, evaluation, i)];
    return &run->settings.train->items[evaluation->cases[i]];
}

static size_t n_cases_of_tier(const struct pawl_run *run,
                              const struct pawl_host_evaluation *evaluation)
{
    if (evaluation->tier == PAWL_HOST_TRAIN) return run->settings.train->n;
    return evaluation->tier == PAWL_HOST_DEV ? run->n_visible : run->n_check;
}

static size_t check_batch(struct pawl_run *run, const struct pawl_host_evaluation *batch, size_t n)
{
    size_t total = 0;
    for (size_t i = 0; i < n; i++) {
        size_t limit = n_cases_of_tier(run, &batch[i]);
        PAWL_ASSERT(!batch[i].trace || batch[i].tier == PAWL_HOST_TRAIN);
        PAWL_ASSERT(!batch[i].logprobs || batch[i].trace);
        for (size_t k = 0; k < batch[i].n_cases; k++) PAWL_ASSERT(batch[i].cases[k] < limit);
        total += batch[i].n_cases;
    }
    return total;
}

static void hash_batch(struct pawl_hasher *args, const struct pawl_host_evaluation *batch, size_t n)
{
    pawl_args_begin(args, "evaluate");
    for (size_t i = 0; i < n; i++) {
        const struct pawl_host_evaluation *e = &batch[i];
        pawl_args_int(args, e->candidate);
        pawl_args_int(args, (uint64_t)e->tier);
        pawl_args_int(args, e->sample);
        pawl_args_int(args, (uint64_t)llround(e->temperature * 1e6));
        pawl_args_int(args, (uint64_t)e->trace | (uint64_t)e->logprobs << 1);
        pawl_args_int(args, e->n_cases);
        pawl_hasher_add(args, e->cases, e->n_cases * sizeof *e->cases);
    }
}

/* Does it say whether what the run starts from works at all? An operator may look at a part of dev. */
static bool is_trial(const struct pawl_run *run, const struct pawl_host_evaluation *evaluation)
{
    return evaluation->candidate == 0 && evaluation->tier == PAWL_HOST_DEV &&
           evaluation->n_cases >= TRIAL_CASES_MIN && !run->settings.force;
}

/* The work of one batch. */
struct work {
    struct pawl_borrowed *borrowed; /* [n_borrowed] one per candidate */
    size_t n_borrowed;
    struct pawl_evaluation_item *items;
    struct pawl_result *results;
    size_t n_items;
    unsigned flags;
    struct pawl_usage usage;
    struct pawl_batch *kept;
};

/* Once for the whole batch: it may have more candidates than are kept prepared, and evaluations of one case
 * each. The last are looked at first, because neighbours often share one. */
static enum pawl_status borrow_once(struct pawl_run *run, struct work *work, uint32_t candidate,
                                    struct pawl_instance **instance, struct pawl_error *err)
{
    for (size_t i = work->n_borrowed; i-- > 0;) {
        if (work->borrowed[i].candidate != candidate) continue;
        *instance = work->borrowed[i].instance;
        return PAWL_OK;
    }
    struct pawl_borrowed *borrowed = &work->borrowed[work->n_borrowed];
    PAWL_TRY(pawl_run_borrow_instance(run, candidate, borrowed, err));
    work->n_borrowed++;
    *instance = borrowed->instance;
    return PAWL_OK;
}

static enum pawl_status plan_work(struct pawl_run *run, const struct pawl_host_evaluation *batch,
                                  size_t n, size_t total, struct work *work, struct pawl_error *err)
{
    *work = (struct work){.flags = PAWL_EVALUATE_NAMED,
                          .borrowed = pawl_xcalloc(n, sizeof *work->borrowed),
                          .items = pawl_xcalloc(total, sizeof *work->items),
                          .results = pawl_xcalloc(total, sizeof *work->results)};
    for (size_t i = 0; i < n; i++) {
        struct pawl_instance *instance;
        PAWL_TRY(borrow_once(run, work, batch[i].candidate, &instance, err));
        if (batch[i].trace) work->flags |= PAWL_EVALUATE_OUTPUT | PAWL_EVALUATE_TRACE;
        if (batch[i].logprobs) work->flags |= PAWL_EVALUATE_LOGPROBS;
        if (is_trial(run, &batch[i])) work->flags |= PAWL_EVALUATE_OUTPUT; /* for the reasons */
        for (size_t k = 0; k < batch[i].n_cases; k++)
            work->items[work->n_items++] =
                (struct pawl_evaluation_item){.instance = instance,
                                              .item = case_of(run, &batch[i], k),
                                              .sample = batch[i].sample,
                                              .temperature = batch[i].temperature};
    }
    return PAWL_OK;
}

static void end_work(struct pawl_run *run, struct work *work)
{
    for (size_t i = 0; i < work->n_borrowed; i++)
        pawl_run_give_instance_back(run, &work->borrowed[i]);
    pawl_batch_free(work->kept);
    free(work->borrowed);
    free(work->items);
    free(work->results);
}

/* The world failed: the step is not recorded, and is asked again on resume. */
static enum pawl_status pause_for_world(const struct pawl_error *why, struct pawl_error *err)
{
    pawl_fail(err, PAWL_EPAUSED, "%s", why->message);
    pawl_hint(err, "%s", why->hint);
    return PAWL_EPAUSED;
}

static enum pawl_status do_work(struct pawl_run *run, struct work *work, struct pawl_error *err)
{
    struct pawl_error why = {0};
    int64_t started_us = pawl_clock_monotonic_us();
    enum pawl_status status =
        pawl_evaluator_run(run->settings.evaluator, work->items, work->n_items, work->flags,
                           work->results, &work->usage, &work->kept, &why);
    atomic_fetch_add(&run->evaluate_us, pawl_clock_monotonic_us() - started_us);
    if (status == PAWL_EWORLD) return pause_for_world(&why, err);
    if (status != PAWL_OK && err != NULL) *err = why;
    return status;
}

/* A start that fails on every case is no start: what is wrong is in the project, and every candidate
 * would meet it. Nothing of that is recorded, so that a mended world is asked again on resume. */
static enum pawl_status check_trial(const struct pawl_run *run,
                                    const struct pawl_host_evaluation *batch, size_t n,
                                    const struct work *work, struct pawl_error *err)
{
    const struct pawl_result *result = work->results;
    for (size_t i = 0; i < n; result += batch[i++].n_cases) {
        size_t n_failed = 0;
        if (!is_trial(run, &batch[i])) continue;
        for (size_t k = 0; k < batch[i].n_cases; k++)
            n_failed += result[k].status == PAWL_OUTCOME_FAILED;
        if (n_failed < batch[i].n_cases) continue;
        const char *why = result->feedback != NULL ? result->feedback : result->reason;
        pawl_fail(
            err, PAWL_ECONFIG,
            "What the run starts from failed on all %zu dev cases, on the first because: %.300s",
            n_failed, why != NULL ? why : "no reason was given");
        pawl_hint(err,
                  "Mend program, model or metric (`pawl eval --per-case FILE` has every case); "
                  "--force searches all the same.");
        return PAWL_ECONFIG;
    }
    return PAWL_OK;
}

/* --- the record ---------------------------------------------------------------------------------------- */

static json_t *seen_json(const struct pawl_result *result)
{
    json_t *seen = json_object();
    if (result->status == PAWL_OUTCOME_FAILED) pawl_json_set(seen, "f", json_true());
    if (result->output != NULL) pawl_json_set(seen, "o", json_incref((json_t *)result->output));
    if (result->trace != NULL) pawl_json_set(seen, "t", json_incref((json_t *)result->trace));
    const char *comment = result->feedback != NULL ? result->feedback : result->reason;
    if (comment != NULL) pawl_json_set(seen, "c", pawl_json_string(pawl_str_of(comment)));
    return seen;
}

/* What each answer was given by name; NULL when the metric named nothing. */
static json_t *named_json(const struct work *work)
{
    bool any = false;
    for (size_t i = 0; i < work->n_items; i++) any = any || work->results[i].n_named > 0;
    if (!any) return NULL;
    json_t *all = json_array();
    for (size_t i = 0; i < work->n_items; i++) {
        json_t *named = pawl_result_named_json(&work->results[i]);
        json_array_append_new(all, named != NULL ? named : json_null());
    }
    return all;
}

static json_t *record_json(const struct pawl_host_evaluation *batch, size_t n,
                           const struct work *work)
{
    struct pawl_buf behaviour = PAWL_BUF(SIZE_MAX);
    json_t *scores = json_array(), *seen = json_array();
    const struct pawl_result *result = work->results;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < batch[i].n_cases; k++, result++) {
            bool missing = result->status == PAWL_OUTCOME_MISSING;
            json_array_append_new(scores, missing ? json_null() : json_real(result->score));
            if (batch[i].trace) json_array_append_new(seen, seen_json(result));
            if (!is_dev(&batch[i])) continue;
            pawl_buf_printf(&behaviour, "%08" PRIx32, pawl_behaviour_of(result).bits);
        }
    }
    json_t *record = json_object();
    pawl_json_set(record, "s", scores);
    if (behaviour.len > 0) pawl_json_set(record, "b", json_stringn(behaviour.data, behaviour.len));
    json_t *named = named_json(work);
    if (named != NULL) pawl_json_set(record, "n", named);
    if (json_array_size(seen) > 0)
        pawl_json_set(record, "x", seen);
    else
        json_decref(seen);
    pawl_buf_release(&behaviour);
    return record;
}

/* What an operator sees must be the same when it is read from the journal again, the order of members
 * included; so it is read from the canonical text the first time too. */
static enum pawl_status make_canonical(json_t **value, struct pawl_error *err)
{
    char *text = pawl_json_text(*value);
    json_decref(*value);
    *value = NULL;
    enum pawl_status status =
        pawl_json_parse(pawl_str_of(text), PAWL_JOURNAL_RESULT_MAX, value, err);
    free(text);
    return status;
}

/* A charge is reserved before anything is done, and given back when nothing came of it. */
static enum pawl_status evaluate_now(struct pawl_host *host, struct pawl_host_step *step,
                                     const struct pawl_host_evaluation *batch, size_t n,
                                     size_t total, struct pawl_error *err)
{
    struct work work;
    struct pawl_run *run = host->run;
    if (pawl_host_is_late(host, step)) return pawl_host_refuse(host, step, "minutes", err);
    if (!pawl_pool_reserve(host->pool, (int64_t)total))
        return pawl_host_refuse(host, step, "evaluations", err);
    enum pawl_status status = plan_work(run, batch, n, total, &work, err);
    if (status == PAWL_OK) status = do_work(run, &work, err);
    if (status == PAWL_OK) status = check_trial(run, batch, n, &work, err);
    pawl_host_note_usage(step, &work.usage);
    if (status == PAWL_OK) {
        step->result = record_json(batch, n, &work);
        step->record.cost = (int64_t)total;
        bool is_seen = json_object_get(step->result, "x") || json_object_get(step->result, "n");
        if (is_seen) status = make_canonical(&step->result, err);
    }
    if (status == PAWL_OK) status = pawl_host_record(host, step, err);
    end_work(run, &work);
    if (status != PAWL_OK) pawl_pool_refund(host->pool, (int64_t)total);
    if (status == PAWL_EBUDGET) return pawl_host_refuse(host, step, "usd", err);
    return status;
}

/* --- reading the record, new or old ------------------------------------------------------------------------ */

struct reader {
    const json_t *scores, *seen, *named;
    struct pawl_str behaviour;
    size_t i_score, i_seen;
};

static bool open_reader(struct reader *reader, const json_t *record, size_t total)
{
    *reader = (struct reader){.scores = json_object_get(record, "s"),
                              .seen = json_object_get(record, "x"),
                              .named = json_object_get(record, "n"),
                              .behaviour = pawl_json_get_str(record, "b")};
    return json_array_size(reader->scores) == total;
}

static void read_seen(struct reader *reader, struct pawl_host_result *result)
{
    const json_t *seen = json_array_get(reader->seen, reader->i_seen++);
    result->failed = pawl_json_get_bool(seen, "f", false);
    result->output = json_object_get(seen, "o");
    result->trace = json_object_get(seen, "t");
    result->feedback = pawl_json_get_text(seen, "c", NULL);
}

static struct pawl_behaviour read_behaviour(struct reader *reader)
{
    unsigned char b[PAWL_BEHAVIOUR_HEX / 2];
    if (reader->behaviour.len < PAWL_BEHAVIOUR_HEX) return (struct pawl_behaviour){0};
    struct pawl_str hex = {reader->behaviour.ptr, PAWL_BEHAVIOUR_HEX};
    reader->behaviour.ptr += PAWL_BEHAVIOUR_HEX;
    reader->behaviour.len -= PAWL_BEHAVIOUR_HEX;
    if (!pawl_unhex(hex, b, sizeof b)) return (struct pawl_behaviour){0};
    uint32_t bits = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
    return (struct pawl_behaviour){bits, true};
}

static void read_evaluation(struct pawl_run *run, struct reader *reader,
                            const struct pawl_host_evaluation *evaluation)
{
    bool plain = evaluation->sample == 0 && evaluation->temperature == 0;
    for (size_t k = 0; k < evaluation->n_cases; k++) {
        const json_t *named = json_array_get(reader->named, reader->i_score);
        const json_t *score = json_array_get(reader->scores, reader->i_score++);
        struct pawl_host_result *result = &evaluation->results[k];
        *result = (struct pawl_host_result){.missing = !json_is_number(score)};
        result->score = result->missing ? NAN : json_number_value(score);
        result->named = json_is_object(named) ? named : NULL;
        if (evaluation->trace) read_seen(reader, result);
        if (!is_dev(evaluation)) continue;
        struct pawl_behaviour behaviour = read_behaviour(reader);
        if (plain && !result->missing)
            pawl_run_note_dev(run, evaluation->candidate, dev_index(run, evaluation, k),
                              result->score, &behaviour);
    }
}

static void note_best(struct pawl_run *run, const struct pawl_host_evaluation *batch, size_t n)
{
    size_t least = 0; /* known from the first look at dev on */
    for (size_t i = 0; i < n; i++) {
        size_t n_scored;
        if (!is_dev(&batch[i])) continue;
        double mean = pawl_run_dev_mean(run, batch[i].candidate, &n_scored);
        pawl_run_keep_candidate(run, batch[i].candidate);
        if (least == 0) least = pawl_run_measured_min(run);
        if (n_scored < least) continue;
        pthread_mutex_lock(&run->lock);
        if (isnan(run->best_mean) || mean > run->best_mean) run->best_mean = mean;
        pthread_mutex_unlock(&run->lock);
    }
}

enum pawl_status pawl_host_evaluate_cases(struct pawl_host *host, struct pawl_arena *arena,
                                          struct pawl_host_evaluation *batch, size_t n,
                                          struct pawl_error *err)
{
    struct pawl_run *run = host->run;
    struct pawl_hasher args;
    struct pawl_host_step step;
    struct reader reader;
    size_t total = check_batch(run, batch, n);
    if (total == 0) return PAWL_OK;
    hash_batch(&args, batch, n);
    PAWL_TRY(pawl_host_begin(host, "evaluate", &args, &step, err));
    enum pawl_status status = PAWL_OK;
    if (step.is_recorded)
        pawl_pool_repeat(host->pool, step.found.cost);
    else
        status = evaluate_now(host, &step, batch, n, total, err);
    if (status == PAWL_OK && !open_reader(&reader, step.result, total))
        status = pawl_host_bad_record(&step, err);
    if (status != PAWL_OK) {
        pawl_host_end(&step);
        return pawl_run_fail(run, status, err);
    }
    for (size_t i = 0; i < n; i++) read_evaluation(run, &reader, &batch[i]);
    if (reader.i_seen > 0 || reader.named != NULL) keep_json(host, arena, step.result);
    pawl_host_end(&step);
    atomic_fetch_add(&run->n_evaluations, (int64_t)total);
    note_best(run, batch, n);
    pawl_run_tell(run);
    return PAWL_OK;
}

/* --- what an operator calls ---------------------------------------------------------------------------------- */

enum pawl_status pawl_host_evaluate(struct pawl_host *host, struct pawl_arena *step,
                                    struct pawl_host_evaluation *batch, size_t n,
                                    struct pawl_error *err)
{
    for (size_t i = 0; i < n; i++)
        PAWL_ASSERT(batch[i].tier == PAWL_HOST_TRAIN || batch[i].tier == PAWL_HOST_DEV);
    return pawl_host_evaluate_cases(host, step, batch, n, err);
}

enum pawl_status pawl_host_score_dev(struct pawl_host *host, uint32_t candidate, double *scores,
                                     double *mean, struct pawl_error *err)
{
    size_t n = host->run->n_visible, n_scored = 0;
    double sum = 0;
    struct pawl_arena scratch = {0};
    uint32_t *cases = PAWL_NEW_N(&scratch, uint32_t, n);
    struct pawl_host_result *results = PAWL_NEW_N(&scratch, struct pawl_host_result, n);
    for (uint32_t i = 0; i < n; i++) cases[i] = i;
    struct pawl_host_evaluation evaluation = {.candidate = candidate,
                                              .tier = PAWL_HOST_DEV,
                                              .cases = cases,
                                              .n_cases = n,
                                              .results = results};
    enum pawl_status status = pawl_host_evaluate(host, &scratch, &evaluation, 1, err);
    for (size_t i = 0; status == PAWL_OK && i < n; i++) {
        scores[i] = results[i].score;
        if (results[i].missing) continue;
        sum += results[i].score;
        n_scored++;
    }
    if (status == PAWL_OK) *mean = n_scored > 0 ? sum / (double)n_scored : NAN;
    pawl_arena_release(&scratch);
    return status;
}
