#include "evaluate/judge.h"

#include <strings.h>

struct options {
    bool ignore_case;
};
static const struct pawl_option options_table[] = {
    PAWL_OPT_BOOL(struct options, ignore_case, "true", "a and A are equal"), {0}};

static double contains(const void *options, struct pawl_arena *arena, struct pawl_str expected,
                       struct pawl_str given)
{
    (void)arena;
    const struct options *o = options;
    expected = pawl_str_trim(expected);
    if (expected.len == 0) return 1;
    if (!o->ignore_case) return memmem(given.ptr, given.len, expected.ptr, expected.len) != NULL;
    for (size_t i = 0; i + expected.len <= given.len; i++)
        if (strncasecmp(given.ptr + i, expected.ptr, expected.len) == 0) return 1;
    return 0;
}

static enum pawl_status score(void *state, const void *options, struct pawl_arena *arena,
                              const struct pawl_metric_call *call,
                              struct pawl_metric_result *result, struct pawl_error *err)
{
    (void)state, (void)err;
    pawl_judge_fields(&(struct pawl_judge){.score = contains}, options, arena, call, result);
    return PAWL_OK;
}

const struct pawl_metric_kind pawl_metric_contains = {
    .api = PAWL_METRIC_API,
    .name = "contains",
    .summary = "the output holds the target's text",
    .flags = PAWL_METRIC_BINARY | PAWL_METRIC_BY_FIELD,
    .options = options_table,
    .options_bytes = sizeof(struct options),
    .score = score,
};
