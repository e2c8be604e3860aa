#include "operators/gepa_front.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_of(const struct pawl_fronts *fronts, const char *frontier)
{
    return strcmp(fronts->frontier, frontier) == 0;
}

static bool has_cases(const struct pawl_fronts *fronts)
{
    return is_of(fronts, "instance") || is_of(fronts, "hybrid");
}

void pawl_fronts_init(struct pawl_fronts *fronts, const char *frontier, size_t n_dev,
                      struct pawl_arena *arena)
{
    *fronts = (struct pawl_fronts){.frontier = frontier, .n_dev = n_dev, .arena = arena};
    pawl_pareto_init(&fronts->pareto, has_cases(fronts) ? n_dev : 0, arena);
}

/* Columns of one name, and where those of the name i begin. */
static size_t name_width(const struct pawl_fronts *fronts)
{
    return is_of(fronts, "cartesian") ? fronts->n_dev : 1;
}

static size_t name_start(const struct pawl_fronts *fronts, size_t i)
{
    return (has_cases(fronts) ? fronts->n_dev : 0) + i * name_width(fronts);
}

/* The number of a name, n_names when it is a new one. */
static size_t find_name(const struct pawl_fronts *fronts, const char *name)
{
    size_t i = 0;
    while (i < fronts->n_names && strcmp(fronts->names[i], name) != 0) i++;
    return i;
}

static void learn_names(struct pawl_fronts *fronts, const struct pawl_host_result *results)
{
    size_t known = fronts->n_names;
    for (size_t c = 0; c < fronts->n_dev; c++) {
        const char *name;
        json_t *score;
        json_object_foreach((json_t *)(uintptr_t)results[c].named, name, score)
        {
            if (find_name(fronts, name) < fronts->n_names) continue;
            if (fronts->n_names == PAWL_FRONT_NAMES_MAX) continue;
            fronts->names[fronts->n_names++] = pawl_arena_strdup(fronts->arena, name);
        }
    }
    if (fronts->n_names > known)
        pawl_pareto_widen(&fronts->pareto, name_start(fronts, fronts->n_names));
}

/* What an answer was given by a name; NAN when it was not. */
static double named_score(const struct pawl_host_result *result, const char *name)
{
    const json_t *score = json_object_get(result->named, name);
    return json_is_number(score) ? json_number_value(score) : NAN;
}

static double named_mean(const struct pawl_fronts *fronts, const struct pawl_host_result *results,
                         const char *name)
{
    double sum = 0;
    size_t n = 0, n_named = 0;
    for (size_t c = 0; c < fronts->n_dev; c++) {
        double score = named_score(&results[c], name);
        n += !results[c].missing;
        if (isnan(score)) continue;
        sum += score;
        n_named++;
    }
    return n_named > 0 ? sum / (double)n : NAN;
}

static void fill_name(const struct pawl_fronts *fronts, const struct pawl_host_result *results,
                      size_t i, double *columns)
{
    if (name_width(fronts) == 1) {
        columns[0] = named_mean(fronts, results, fronts->names[i]);
        return;
    }
    for (size_t c = 0; c < fronts->n_dev; c++)
        columns[c] = named_score(&results[c], fronts->names[i]);
}

void pawl_fronts_add(struct pawl_fronts *fronts, const struct pawl_host_result *results,
                     double mean)
{
    if (!is_of(fronts, "instance")) learn_names(fronts, results);
    double *columns = pawl_xcalloc(fronts->pareto.n_cases + 1, sizeof *columns);
    for (size_t c = 0; has_cases(fronts) && c < fronts->n_dev; c++)
        columns[c] = results[c].missing ? NAN : results[c].score;
    for (size_t i = 0; i < fronts->n_names; i++)
        fill_name(fronts, results, i, columns + name_start(fronts, i));
    pawl_pareto_add(&fronts->pareto, columns, mean);
    free(columns);
}

static enum pawl_status refuse_no_names(const struct pawl_fronts *fronts, struct pawl_error *err)
{
    pawl_fail(
        err, PAWL_ECONFIG,
        "The fronts are to be of named scores (frontier=%s), and the metric gave none on dev.",
        fronts->frontier);
    pawl_hint(err, "Give them in a metric of Lua or a command, {score = ..., scores = {form = 1, "
                   "...}}, or leave frontier=instance.");
    return PAWL_ECONFIG;
}

enum pawl_status pawl_fronts_admit(struct pawl_fronts *fronts, struct pawl_host *host,
                                   struct pawl_arena *step, uint32_t candidate, double *scores,
                                   double *mean, struct pawl_error *err)
{
    if (is_of(fronts, "instance")) {
        PAWL_TRY(pawl_host_score_dev(host, candidate, scores, mean, err));
        pawl_pareto_add(&fronts->pareto, scores, *mean);
        return PAWL_OK;
    }
    double sum = 0;
    size_t n = 0;
    uint32_t *cases = PAWL_NEW_N(step, uint32_t, fronts->n_dev);
    struct pawl_host_evaluation all = {
        .candidate = candidate,
        .tier = PAWL_HOST_DEV,
        .cases = cases,
        .n_cases = fronts->n_dev,
        .results = PAWL_NEW_N(step, struct pawl_host_result, fronts->n_dev)};
    for (uint32_t i = 0; i < fronts->n_dev; i++) cases[i] = i;
    PAWL_TRY(pawl_host_evaluate(host, step, &all, 1, err));
    for (size_t c = 0; c < fronts->n_dev; c++) {
        scores[c] = all.results[c].missing ? NAN : all.results[c].score;
        if (all.results[c].missing) continue;
        sum += scores[c];
        n++;
    }
    *mean = n > 0 ? sum / (double)n : NAN;
    pawl_fronts_add(fronts, all.results, *mean);
    bool is_first = fronts->pareto.n_candidates == 1;
    return is_first && n > 0 && fronts->n_names == 0 ? refuse_no_names(fronts, err) : PAWL_OK;
}
