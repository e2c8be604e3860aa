/*
 * Numbers that are near enough: the last number in each text, thousands separators left out.
 */
#include "evaluate/judge.h"
#include "program/number.h"

#include <math.h>

struct options {
    double tolerance, relative;
};
static const struct pawl_option options_table[] = {
    PAWL_OPT_REAL(struct options, tolerance, "1e-6", 0, 1e300, "largest difference that counts"),
    PAWL_OPT_REAL(struct options, relative, "0", 0, 1, "the same, as a share of the target"),
    {0}};

static double near_enough(const void *options, struct pawl_arena *arena, struct pawl_str expected,
                          struct pawl_str given)
{
    (void)arena;
    const struct options *o = options;
    double want = pawl_last_number(expected), got = pawl_last_number(given);
    if (!isfinite(want) || !isfinite(got)) return 0;
    return fabs(want - got) <= fmax(o->tolerance, o->relative * fabs(want));
}

static enum pawl_status score(void *state, const void *options, struct pawl_arena *arena,
                              const struct pawl_metric_call *call,
                              struct pawl_metric_result *result, struct pawl_error *err)
{
    (void)state, (void)err;
    pawl_judge_fields(&(struct pawl_judge){.score = near_enough}, options, arena, call, result);
    return PAWL_OK;
}

const struct pawl_metric_kind pawl_metric_numeric = {
    .api = PAWL_METRIC_API,
    .name = "numeric",
    .summary = "the last number is near enough to the target's",
    .flags = PAWL_METRIC_BINARY | PAWL_METRIC_BY_FIELD,
    .options = options_table,
    .options_bytes = sizeof(struct options),
    .score = score,
};
