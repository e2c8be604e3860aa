#include "operators/bootstrap_calibrate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool pawl_calibrate_read(const json_t *trace, const char *module, size_t n_choices,
                         double *logprobs)
{
    for (size_t i = json_array_size(trace); i > 0; i--) {
        const json_t *entry = json_array_get(trace, i - 1);
        const json_t *list = json_object_get(entry, "choice_logprobs");
        size_t n = 0;
        if (strcmp(pawl_json_get_text(entry, "module", ""), module) != 0) continue;
        if (json_array_size(list) != n_choices) continue;
        for (; n < n_choices && json_is_number(json_array_get(list, n)); n++)
            logprobs[n] = json_number_value(json_array_get(list, n));
        if (n == n_choices && n > 0) return true;
    }
    return false;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t n)
{
    qsort(values, n, sizeof *values, by_value);
    return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static void centre(double *logprobs, size_t n_choices)
{
    double mean = 0;
    for (size_t k = 0; k < n_choices; k++) mean += logprobs[k] / (double)n_choices;
    for (size_t k = 0; k < n_choices; k++) logprobs[k] -= mean;
}

void pawl_calibrate_offsets(double *logprobs, size_t n_cases, size_t n_choices, double *offsets)
{
    double *column = pawl_xmalloc((n_cases + 1) * sizeof *column);
    for (size_t i = 0; i < n_cases; i++) centre(logprobs + i * n_choices, n_choices);
    for (size_t k = 0; k < n_choices; k++) {
        for (size_t i = 0; i < n_cases; i++) column[i] = logprobs[i * n_choices + k];
        offsets[k] = n_cases > 0 ? -median(column, n_cases) : 0;
    }
    free(column);
}

/* Four decimals: more than the median of some dozen cases is worth. Adding 0 makes -0 a 0. */
static struct pawl_str write_offsets(const struct pawl_demo_fields *fields, const double *offsets,
                                     struct pawl_arena *arena)
{
    json_t *object = json_object();
    struct pawl_buf text = PAWL_BUF(PAWL_DEMO_SET_BYTES_MAX);
    for (size_t k = 0; k < fields->n_choices; k++)
        json_object_setn_new(object, fields->choices[k].ptr, fields->choices[k].len,
                             json_real(round(offsets[k] * 1e4) / 1e4 + 0.0));
    pawl_json_write(object, &text);
    struct pawl_str copy = pawl_arena_copy(arena, pawl_buf_str(&text));
    pawl_buf_release(&text);
    json_decref(object);
    return copy;
}

/* From the cases that came with log-probabilities of the module's choices. */
static void calibrate_module(struct pawl_arena *step, const struct pawl_host_evaluation *evaluation,
                             struct pawl_calibrated *module)
{
    size_t n_choices = module->fields->n_choices, n = 0;
    double *logprobs = PAWL_NEW_N(step, double, evaluation->n_cases *n_choices);
    double *offsets = PAWL_NEW_N(step, double, n_choices);
    for (size_t i = 0; i < evaluation->n_cases; i++)
        n += pawl_calibrate_read(evaluation->results[i].trace, module->module, n_choices,
                                 logprobs + n * n_choices);
    if (n == 0) return;
    pawl_calibrate_offsets(logprobs, n, n_choices, offsets);
    module->text = write_offsets(module->fields, offsets, step);
}

enum pawl_status pawl_calibrate(struct pawl_host *host, struct pawl_arena *step, uint32_t candidate,
                                const uint32_t *cases, size_t n_cases,
                                struct pawl_calibrated *modules, size_t n_modules,
                                struct pawl_error *err)
{
    struct pawl_host_evaluation evaluation = {
        .candidate = candidate,
        .tier = PAWL_HOST_TRAIN,
        .cases = cases,
        .n_cases = n_cases,
        .trace = true,
        .logprobs = true,
        .results = PAWL_NEW_N(step, struct pawl_host_result, n_cases)};
    for (size_t m = 0; m < n_modules; m++) modules[m].text = (struct pawl_str){NULL, 0};
    if (n_cases == 0) return PAWL_OK;
    PAWL_TRY(pawl_host_evaluate(host, step, &evaluation, 1, err));
    for (size_t m = 0; m < n_modules; m++) calibrate_module(step, &evaluation, &modules[m]);
    return PAWL_OK;
}
