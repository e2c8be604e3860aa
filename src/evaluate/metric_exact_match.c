#include "evaluate/judge.h"

#include <strings.h>

struct options {
    bool ignore_case, normalise;
};
static const struct pawl_option options_table[] = {
    PAWL_OPT_BOOL(struct options, ignore_case, "true", "a and A are equal"),
    PAWL_OPT_BOOL(struct options, normalise, "false",
                  "drop punctuation, articles and double spaces first"),
    {0}};

static double equal(const void *options, struct pawl_arena *arena, struct pawl_str expected,
                    struct pawl_str given)
{
    const struct options *o = options;
    if (o->normalise) {
        expected = pawl_judge_normalise(expected, arena);
        given = pawl_judge_normalise(given, arena);
    }
    expected = pawl_str_trim(expected);
    given = pawl_str_trim(given);
    if (expected.len != given.len) return 0;
    if (expected.len == 0) return 1;
    return (o->ignore_case ? strncasecmp(expected.ptr, given.ptr, given.len)
                           : memcmp(expected.ptr, given.ptr, given.len)) == 0;
}

static enum pawl_status score(void *state, const void *options, struct pawl_arena *arena,
                              const struct pawl_metric_call *call,
                              struct pawl_metric_result *result, struct pawl_error *err)
{
    (void)state, (void)err;
    pawl_judge_fields(&(struct pawl_judge){.score = equal}, options, arena, call, result);
    return PAWL_OK;
}

const struct pawl_metric_kind pawl_metric_exact_match = {
    .api = PAWL_METRIC_API,
    .name = "exact_match",
    .summary = "every field of the target equals the output's",
    .flags = PAWL_METRIC_BINARY | PAWL_METRIC_BY_FIELD,
    .options = options_table,
    .options_bytes = sizeof(struct options),
    .score = score,
};
