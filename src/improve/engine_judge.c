/*
 * judge: how far the judge's grades order labelled answers as people did, asked before cases are sealed.
 *
 * Of all pairs of answers to which people gave different scores, the share that the judge puts in the same
 * order, an equal grade counting half (Harrell's concordance; 0.5 is chance, 1 is every pair). It needs
 * no grade to mean what a person's score means: the gate, too, only compares. The interval is a bootstrap
 * over answers.
 */
#include "improve/engine_internal.h"

#include "evaluate/questions.h"
#include "gate/intervals.h"
#include "program/project_file.h"

#include <math.h>
#include <stdlib.h>

enum { LABELLED_MAX = 500, LABELLED_BYTES_MAX = 8 << 20, RESAMPLES = 1000 };

struct labelled {
    json_t *line;
    struct pawl_metric_call call;
    size_t first_reply;
    double label, grade;
    bool failed;
};
struct agreement {
    struct pawl_engine *engine;
    struct pawl_arena arena;
    struct labelled items[LABELLED_MAX];
    size_t n, n_replies;
};

static enum pawl_status refuse_line(const char *file, int line, const char *what,
                                    struct pawl_error *err)
{
    pawl_fail_at(err, PAWL_ECONFIG, file, line, NULL, "A labelled answer %s.", what);
    pawl_hint(err, "A line is {\"input\": ..., \"output\": {field: value} or text, \"score\": 0 to "
                   "1, \"target\": ...}.");
    return PAWL_ECONFIG;
}

/* Takes the line. */
static enum pawl_status add_labelled(struct agreement *a, const char *file, int number,
                                     json_t *line, struct pawl_error *err)
{
    struct labelled *item = &a->items[a->n];
    item->line = line;
    a->n++;
    json_t *output = json_object_get(line, "output");
    item->label = pawl_json_get_real(line, "score", NAN);
    if (json_object_get(line, "input") == NULL)
        return refuse_line(file, number, "has no input", err);
    if (!(item->label >= 0 && item->label <= 1))
        return refuse_line(file, number, "has no score from 0 to 1", err);
    if (json_is_string(output))
        pawl_json_set(line, "output", output = json_pack("{s:O}", "answer", output));
    if (!json_is_object(output)) return refuse_line(file, number, "has no output", err);
    item->call = (struct pawl_metric_call){.id = "labelled",
                                           .input = json_object_get(line, "input"),
                                           .target = json_object_get(line, "target"),
                                           .output = output};
    return PAWL_OK;
}

static enum pawl_status read_labelled(struct agreement *a, const char *file, struct pawl_error *err)
{
    struct pawl_str rest, line;
    PAWL_TRY(pawl_project_file(a->engine->worker->project_dir, file, "metric.labelled",
                               LABELLED_BYTES_MAX, &a->arena, &rest, err));
    for (int number = 1; pawl_str_split(&rest, '\n', &line); number++) {
        json_t *json;
        line = pawl_str_trim(line);
        if (line.len == 0) continue;
        if (a->n == LABELLED_MAX)
            return refuse_line(file, number, "is one too many: at most 500", err);
        if (pawl_json_parse(line, LABELLED_BYTES_MAX, &json, NULL) != PAWL_OK)
            return refuse_line(file, number, "is not JSON", err);
        PAWL_TRY(add_labelled(a, file, number, json, err));
    }
    return PAWL_OK;
}

static enum pawl_status ask_all(struct agreement *a, struct pawl_error *err)
{
    struct pawl_metric *metric = a->engine->metric;
    struct pawl_metric_question *all =
        PAWL_NEW_N(&a->arena, struct pawl_metric_question, a->n * PAWL_METRIC_QUESTIONS_MAX + 1);
    for (size_t i = 0; i < a->n; i++) {
        struct labelled *item = &a->items[i];
        item->first_reply = a->n_replies;
        a->n_replies += pawl_metric_questions(metric, &a->arena, &item->call, all + a->n_replies);
    }
    struct pawl_metric_reply *replies =
        PAWL_NEW_N(&a->arena, struct pawl_metric_reply, a->n_replies + 1);
    struct pawl_usage usage = {0};
    bool missing;
    PAWL_TRY(pawl_questions_ask(a->engine->lm, &a->arena, all, a->n_replies, replies, &usage,
                                &missing, err));
    if (missing) return pawl_fail(err, PAWL_EWORLD, "The judge could not be asked.");
    for (size_t i = 0; i < a->n; i++) {
        struct pawl_metric_result result;
        a->items[i].call.replies = replies + a->items[i].first_reply;
        PAWL_TRY(pawl_metric_score(metric, &a->arena, &a->items[i].call, &result, err));
        a->items[i].grade = result.score;
        a->items[i].failed = result.failed;
    }
    return PAWL_OK;
}

/* Of the answers whose numbers are in `of`; NAN when people told no two of them apart. */
static double concordance(const struct agreement *a, const size_t *of)
{
    double agreed = 0, pairs = 0;
    for (size_t i = 0; i < a->n; i++)
        for (size_t j = 0; j < i; j++) {
            const struct labelled *x = &a->items[of[i]], *y = &a->items[of[j]];
            double people = x->label - y->label, judge = x->grade - y->grade;
            if (people == 0) continue;
            pairs++;
            agreed += judge == 0 ? 0.5 : (people > 0) == (judge > 0);
        }
    return pairs > 0 ? agreed / pairs : NAN;
}

static int compare_reals(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static struct pawl_interval interval_of(const struct agreement *a, uint64_t seed)
{
    double values[RESAMPLES];
    size_t n = 0, *of = pawl_xcalloc(a->n, sizeof *of);
    struct pawl_random random;
    pawl_random_init(&random, seed);
    for (size_t k = 0; k < RESAMPLES; k++) {
        for (size_t i = 0; i < a->n; i++) of[i] = (size_t)pawl_random_below(&random, a->n);
        values[n] = concordance(a, of);
        if (!isnan(values[n])) n++;
    }
    free(of);
    qsort(values, n, sizeof *values, compare_reals);
    if (n == 0) return (struct pawl_interval){0, 1};
    return (struct pawl_interval){values[n * 25 / 1000], values[(n - 1) * 975 / 1000]};
}

static enum pawl_status agreement_of(struct agreement *a, const json_t *options, json_t **done,
                                     struct pawl_error *err)
{
    const char *model, *file = pawl_json_get_text(options, "labelled", NULL);
    if (file == NULL) return pawl_fail(err, PAWL_EUSAGE, "No labelled answers are configured.");
    PAWL_TRY(read_labelled(a, file, err));
    size_t *all = PAWL_NEW_N(&a->arena, size_t, a->n + 1), n_failed = 0;
    for (size_t i = 0; i < a->n; i++) all[i] = i;
    for (size_t i = 0; i < a->n; i++) a->items[i].grade = 0;
    if (isnan(concordance(a, all))) {
        pawl_fail_at(err, PAWL_ECONFIG, file, 0, "metric.labelled",
                     "No two of its %zu answers have different scores.", a->n);
        pawl_hint(err, "Give good and bad answers, each with the score that a person gave it.");
        return PAWL_ECONFIG;
    }
    PAWL_TRY(ask_all(a, err));
    PAWL_TRY(pawl_lm_identity(a->engine->lm, PAWL_ROLE_JUDGE, &model, err));
    for (size_t i = 0; i < a->n; i++) n_failed += a->items[i].failed;
    struct pawl_interval ci = interval_of(a, a->engine->worker->config.seed);
    *done = json_pack("{s:f, s:f, s:[f, f], s:I, s:I, s:s}", "agreement", concordance(a, all),
                      "least", pawl_json_get_real(options, "agreement", 1), "ci95", ci.lo, ci.hi,
                      "n", (json_int_t)a->n, "failed", (json_int_t)n_failed, "model", model);
    return PAWL_OK;
}

enum pawl_status pawl_engine_judge(struct pawl_engine *engine, json_t **done,
                                   struct pawl_error *err)
{
    PAWL_TRY(pawl_engine_open(engine, false, err));
    struct agreement *a = pawl_xcalloc(1, sizeof *a);
    a->engine = engine;
    json_t *options = pawl_metric_options(engine->metric);
    enum pawl_status status = agreement_of(a, options, done, err);
    json_decref(options);
    for (size_t i = 0; i < a->n; i++) json_decref(a->items[i].line);
    pawl_arena_release(&a->arena);
    free(a);
    return status;
}
