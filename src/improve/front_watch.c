/*
 * watch: look at what came since, and act only where the evidence asks for it.
 *
 *     what is in force does harm on fresh cases      ► what it replaced is in force again
 *     drift, or enough failures, AND the gate could certify a plausible gain, AND the sealed set takes
 *     attempts, AND money and evaluations are left   ► one run of an operator
 *     otherwise                                      ► nothing, and the ledger says why
 *
 * A record `watch` is {"decision":"run"|"skip","reasons":[...],"figures":{...}}; a rollback is a `rollback`
 * whose "harm" holds the evidence. The same reasons for the same figures are recorded once, however often it looks.
 *
 * Invariants
 *   1. A run is begun only when no reason speaks against it, and its record stands before it.
 *   2. A look keeps nothing from one to the next.
 */
#include "improve/front_fresh.h"

#include "base/clock.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct watch_options {
    bool once;
    const char *every, *operator, * budget;
    int64_t failures, evaluations;
    double alarm, slack, gain, usd;
};
static const struct pawl_option watch_options[] = {
    PAWL_OPT_BOOL(struct watch_options, once, "false", "look once and end, as for cron"),
    PAWL_OPT_TEXT(struct watch_options, every, "10m", "time between looks: 30s, 10m, 2h"),
    PAWL_OPT_TEXT(struct watch_options, operator, NULL, "of a run; default: that of pawl.yaml"),
    PAWL_OPT_TEXT(struct watch_options, budget, NULL, "of a run: evaluations=N,usd=X,minutes=M"),
    PAWL_OPT_INT(struct watch_options, failures, "20", 1, 1e9,
                 "new cases that fail, which are enough for a run"),
    PAWL_OPT_REAL(struct watch_options, alarm, "5", 0.01, 1e6,
                  "sum of what new cases fall short by, which is a drift"),
    PAWL_OPT_REAL(struct watch_options, slack, "0.05", 0, 1,
                  "how far below the mean is no drift yet"),
    PAWL_OPT_REAL(struct watch_options, gain, "0.1", 0.001, 1,
                  "the gain that a run may plausibly bring"),
    PAWL_OPT_INT(
        struct watch_options, evaluations, "-1", -1, 9e15,
        "what all runs of this project may have spent before another begins (-1: no limit)"),
    PAWL_OPT_REAL(struct watch_options, usd, "-1", -1, 1e9, "the same in money"),
    {0}};

/* --- what speaks against a run -------------------------------------------------------------------------- */

struct view {
    const struct watch_options *options;
    struct pawl_fresh fresh;
    double certifiable, plausible; /* NAN: no gain at all can be certified */
    int64_t attempts_left, passable_left;
    bool takes_attempts;
    double evaluations, usd; /* of all runs, by their ends */
    json_t *reasons;
};

static void speak(struct view *view, const char *reason)
{
    json_array_append_new(view->reasons, json_string(reason));
}

static void weigh(struct pawl_call *call, struct view *view)
{
    const struct watch_options *options = view->options;
    const struct pawl_fresh *fresh = &view->fresh;
    struct pawl_arena *arena = &call->arena;
    if (!fresh->alarm && fresh->n_failures < options->failures)
        speak(view, pawl_arena_printf(
                        arena,
                        "%lld of %lld new cases fail and %lld would be enough; the drift is "
                        "%.2f of %.2f",
                        (long long)fresh->n_failures, (long long)fresh->n_new,
                        (long long)options->failures, fresh->cusum, options->alarm));
    if (isnan(view->certifiable) || view->certifiable > view->plausible)
        speak(view,
              isnan(view->certifiable)
                  ? "the gate can certify no gain"
                  : pawl_arena_printf(arena,
                                      "the gate certifies gains from %.1f points on, and %.1f are "
                                      "plausible",
                                      100 * view->certifiable, 100 * view->plausible));
    if (!view->takes_attempts)
        speak(view, "the sealed set takes no more attempts; `pawl rotate` draws fresh cases");
    else if (view->attempts_left <= 0 || view->passable_left <= 0)
        speak(view, "the sealed set is worn; `pawl rotate` draws fresh cases");
    if (options->evaluations >= 0 && view->evaluations >= (double)options->evaluations)
        speak(view, pawl_arena_printf(arena, "runs have spent %.0f of %lld evaluations",
                                      view->evaluations, (long long)options->evaluations));
    if (options->usd >= 0 && view->usd >= options->usd)
        speak(view, pawl_arena_printf(arena, "runs have spent %.2f of %.2f usd", view->usd,
                                      options->usd));
}

static json_t *number_or_null(double value)
{
    return isfinite(value) ? json_real(pawl_front_rounded(value)) : json_null();
}

static json_t *figures_of(const struct view *view)
{
    const struct pawl_fresh *fresh = &view->fresh;
    json_t *out =
        json_pack("{s:I, s:I, s:o, s:o, s:o, s:o, s:I, s:I, s:o, s:o}", "new_cases",
                  (json_int_t)fresh->n_new, "failures", (json_int_t)fresh->n_failures,
                  "mean_before", number_or_null(fresh->mu0), "cusum", number_or_null(fresh->cusum),
                  "smallest_certifiable_gain", number_or_null(view->certifiable), "plausible_gain",
                  number_or_null(view->plausible), "attempts_left", (json_int_t)view->attempts_left,
                  "fresh_clusters", (json_int_t)fresh->n_clusters, "log_harm",
                  number_or_null(fresh->log_harm), "usd", number_or_null(view->usd));
    pawl_json_set(out, "evaluations", json_integer((json_int_t)view->evaluations));
    return out;
}

/* --- seeing --------------------------------------------------------------------------------------------- */

/* The newest end of each run holds what it spent as a whole. */
static enum pawl_status see_spending(struct pawl_call *call, struct view *view,
                                     struct pawl_error *err)
{
    json_t *records, *record, *end, *ends = json_object();
    size_t i;
    const char *run;
    PAWL_TRY(pawl_ledger_records(call->project->store, &records, err));
    json_array_foreach(records, i, record)
    {
        json_t *body = json_object_get(record, "body");
        if (strcmp(pawl_json_get_text(record, "kind", ""), "end") == 0)
            pawl_json_set(ends, pawl_json_get_text(body, "run", ""), json_incref(body));
    }
    json_object_foreach(ends, run, end)
    {
        view->evaluations += pawl_json_get_real(end, "evaluations", 0);
        view->usd += pawl_json_get_real(end, "usd", 0);
    }
    json_decref(ends);
    json_decref(records);
    return PAWL_OK;
}

static enum pawl_status see_gate(struct pawl_call *call, struct view *view, struct pawl_error *err)
{
    json_t *vault;
    struct pawl_prospect prospect;
    PAWL_TRY(pawl_front_vault_status(call, &vault, err));
    const json_t *wear = json_object_get(vault, "wear");
    view->takes_attempts = pawl_json_get_bool(vault, "epoch_open", true);
    view->attempts_left = pawl_json_get_int(vault, "attempts_left", 0);
    view->passable_left = pawl_json_get_int(wear, "passable_left", 0);
    enum pawl_status status = pawl_front_prospect(call, vault, 0.2, &prospect, err);
    json_decref(vault);
    PAWL_TRY(status);
    struct pawl_call aside = {.project = call->project, .result = json_object()};
    pawl_front_certifiable(&aside, &prospect);
    view->certifiable = pawl_json_get_real(aside.result, "smallest_certifiable_gain", NAN);
    json_decref(aside.result);
    pawl_arena_release(&aside.arena);
    /* Nothing gains more than there is to gain. */
    double room = isnan(view->fresh.mu0) ? 1 : 1 - view->fresh.mu0;
    view->plausible = fmin(view->options->gain, room);
    return PAWL_OK;
}

/* --- acting --------------------------------------------------------------------------------------------- */

static enum pawl_status roll_back(struct pawl_call *call, const struct pawl_fresh *fresh,
                                  struct pawl_error *err)
{
    struct pawl_artifact *whole; /* there must be something to go back to */
    PAWL_TRY(pawl_artifact_get(call->project->store, &call->arena, fresh->baseline, &whole, err));
    const char *reason = pawl_arena_printf(
        &call->arena, "%lld fresh cases say that it does harm: E = %.4g, and %.4g is enough",
        (long long)fresh->n_fresh, exp(fmin(fresh->log_harm, 700)), 1 / fresh->level);
    json_t *body =
        json_pack("{s:s, s:s, s:s, s:b, s:{s:f, s:f, s:I, s:I}}", "incumbent", fresh->baseline,
                  "previous", fresh->incumbent, "reason", reason, "gated", 0, "harm", "level",
                  fresh->level, "log_e", fresh->log_harm, "clusters", (json_int_t)fresh->n_clusters,
                  "cases", (json_int_t)fresh->n_fresh);
    struct pawl_ledger_entry entry = {.kind = "rollback", .body = body, .n_flips = 1};
    entry.flips[0].pointer = "incumbent";
    entry.flips[0].expect = fresh->incumbent;
    entry.flips[0].to = fresh->baseline;
    enum pawl_status status = pawl_ledger_append(call->project, &entry, err);
    json_decref(body);
    json_t *reasons = json_pack("[s]", reason);
    pawl_json_set(call->result, "reasons", reasons);
    pawl_json_set(call->result, "incumbent", json_string(fresh->baseline));
    return status;
}

/* The newest record of a look; NULL: none. New reference. */
static enum pawl_status last_look(struct pawl_project *project, json_t **body,
                                  struct pawl_error *err)
{
    json_t *records, *record;
    size_t i;
    *body = NULL;
    PAWL_TRY(pawl_ledger_records(project->store, &records, err));
    json_array_foreach(records, i, record)
    {
        if (strcmp(pawl_json_get_text(record, "kind", ""), "watch") != 0) continue;
        json_decref(*body);
        *body = json_incref(json_object_get(record, "body"));
    }
    json_decref(records);
    return PAWL_OK;
}

static enum pawl_status record_look(struct pawl_call *call, const struct view *view,
                                    const char *decision, struct pawl_error *err)
{
    json_t *last;
    PAWL_TRY(last_look(call->project, &last, err));
    json_t *body = json_pack("{s:s, s:O, s:o}", "decision", decision, "reasons", view->reasons,
                             "figures", figures_of(view));
    char *said = last != NULL ? pawl_json_text(last) : NULL, *says = pawl_json_text(body);
    bool again = strcmp(decision, "skip") == 0 && said != NULL && strcmp(said, says) == 0;
    free(said);
    free(says);
    json_decref(last);
    pawl_json_set(call->result, "reasons", json_incref(view->reasons));
    pawl_json_set(call->result, "figures", json_incref(json_object_get(body, "figures")));
    struct pawl_ledger_entry entry = {.kind = "watch", .body = body};
    enum pawl_status status = again ? PAWL_OK : pawl_ledger_append(call->project, &entry, err);
    json_decref(body);
    return status;
}

/* A run that found nothing, or too little for the gate, is an answer and no failure. */
static enum pawl_status run_operator(struct pawl_call *call, const struct watch_options *options,
                                     struct pawl_error *err)
{
    json_t *args = json_object(), *result = NULL;
    char *text = NULL;
    if (options->operator!= NULL) pawl_json_set(args, "operator", json_string(options->operator));
    if (options->budget != NULL) pawl_json_set(args, "budget", json_string(options->budget));
    char *args_text = pawl_json_text(args);
    enum pawl_status status =
        pawl_call(call->project, "improve", args_text, call->watch, &text, err);
    free(args_text);
    json_decref(args);
    if (text != NULL && pawl_json_parse(pawl_str_of(text), strlen(text), &result, NULL) == PAWL_OK)
        pawl_json_set(call->result, "improve", result);
    pawl_free(text);
    if (status != PAWL_ENOTPROMOTED && status != PAWL_EBUDGET) return status;
    if (err != NULL) *err = (struct pawl_error){0};
    return PAWL_OK;
}

/* --- a look --------------------------------------------------------------------------------------------- */

static enum pawl_status decide(struct pawl_call *call, struct view *view, struct pawl_error *err)
{
    const struct watch_options *options = view->options;
    const struct pawl_fresh_settings settings = {.slack = options->slack, .alarm = options->alarm};
    PAWL_TRY(pawl_fresh_look(call, &settings, &view->fresh, err));
    if (view->fresh.harm) {
        pawl_json_set(call->result, "decision", json_string("rollback"));
        return roll_back(call, &view->fresh, err);
    }
    PAWL_TRY(see_spending(call, view, err));
    PAWL_TRY(see_gate(call, view, err));
    weigh(call, view);
    bool runs = json_array_size(view->reasons) == 0;
    pawl_json_set(call->result, "decision", json_string(runs ? "run" : "skip"));
    PAWL_TRY(record_look(call, view, runs ? "run" : "skip", err));
    return runs ? run_operator(call, options, err) : PAWL_OK;
}

static enum pawl_status look(struct pawl_call *call, const struct watch_options *options,
                             struct pawl_error *err)
{
    struct view view = {.options = options, .reasons = json_array()};
    enum pawl_status status = decide(call, &view, err);
    json_decref(view.reasons);
    return status;
}

/* --- again and again ------------------------------------------------------------------------------------ */

static enum pawl_status read_every(const char *text, int64_t *ms, struct pawl_error *err)
{
    static const struct {
        char unit;
        int64_t ms;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}};
    enum { DAYS_MAX = 30 };
    char *end;
    double n = strtod(text, &end);
    *ms = 0;
    for (size_t i = 0; i < 3; i++)
        if (end[0] == units[i].unit && end[1] == '\0' && n > 0 && n <= 1e6)
            *ms = (int64_t)(n * (double)units[i].ms);
    if (*ms >= 1000 && *ms <= (int64_t)DAYS_MAX * 24 * 3600000) return PAWL_OK;
    pawl_fail(err, PAWL_EUSAGE, "\"%.20s\" is no time from 1s to %d days.", text, DAYS_MAX);
    pawl_hint(err, "Write --every 30s, 10m or 2h; --once looks once.");
    return PAWL_EUSAGE;
}

static void tell(struct pawl_call *one, enum pawl_status status, const struct pawl_error *err)
{
    const json_t *reasons = json_object_get(one->result, "reasons");
    const char *why = json_string_value(json_array_get(reasons, 0));
    const char *said = status != PAWL_OK
                           ? pawl_arena_printf(&one->arena, "watch: %s", err->message)
                           : pawl_arena_printf(&one->arena, "watch: %s%s%s",
                                               pawl_json_get_text(one->result, "decision", ""),
                                               why != NULL ? ": " : "", why != NULL ? why : "");
    json_t *message =
        json_pack("{s:s, s:o}", "phase", "watch", "say", pawl_json_string(pawl_str_of(said)));
    pawl_front_progress(one, message);
    json_decref(message);
}

/* One look with memory of its own; what the world did to it, the next one may not meet. */
static enum pawl_status look_once_more(struct pawl_call *call, const struct watch_options *options,
                                       struct pawl_error *err)
{
    struct pawl_call one = {
        .project = call->project, .watch = call->watch, .result = json_object()};
    struct pawl_error why = {0};
    enum pawl_status status = look(&one, options, &why);
    tell(&one, status, &why);
    json_decref(one.result);
    pawl_arena_release(&one.arena);
    bool passes = status == PAWL_EWORLD || status == PAWL_EUNDECIDED;
    if (status == PAWL_OK || passes) return PAWL_OK;
    if (err != NULL) *err = why;
    return status;
}

static enum pawl_status watch_on(struct pawl_call *call, const struct watch_options *options,
                                 int64_t every_ms, struct pawl_error *err)
{
    enum { SLICE_MS = 100 };
    int64_t looks = 0;
    enum pawl_status status = PAWL_OK;
    while (status == PAWL_OK && !call->project->canceled) {
        int64_t next_ms = pawl_clock_real_ms() + every_ms;
        status = look_once_more(call, options, err);
        pawl_json_set(call->result, "looks", json_integer(++looks));
        while (status == PAWL_OK && !call->project->canceled && pawl_clock_real_ms() < next_ms)
            pawl_clock_sleep_ms(SLICE_MS);
    }
    if (status != PAWL_OK) return status;
    return pawl_fail(err, PAWL_EPAUSED, "Stopped on request.");
}

static enum pawl_status run_watch(struct pawl_call *call, const void *values,
                                  struct pawl_error *err)
{
    const struct watch_options options = *(const struct watch_options *)values;
    int64_t every_ms;
    PAWL_TRY(read_every(options.every, &every_ms, err));
    return options.once ? look(call, &options, err) : watch_on(call, &options, every_ms, err);
}

const struct pawl_verb pawl_verb_watch = {
    .name = "watch",
    .summary = "run an operator only when new cases ask for it; roll back what does harm",
    .positional = "",
    .example = "pawl watch --once --failures 10",
    .needs_project = true,
    .needs_store = true,
    .options = watch_options,
    .options_bytes = sizeof(struct watch_options),
    .run = run_watch,
};
