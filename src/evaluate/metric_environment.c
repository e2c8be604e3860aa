/* A task that answers back (program/environment.h): the answer is the action, the episode knows how good it was. */
#include "evaluate/metric.h"

#include "program/environment.h"

struct options {
    const char *task, *field;
};
static const struct pawl_option options_table[] = {
    {"task", PAWL_OPTION_TEXT, offsetof(struct options, task), NULL, 0, 0, NULL,
     "the environment, e.g. game24", true},
    PAWL_OPT_TEXT(struct options, field, "answer", "the output field that is the action"),
    {0}};

static enum pawl_status open_environment(const void *options, const char *project_dir, void **state,
                                         struct pawl_error *err)
{
    const struct pawl_environment_kind *kind = NULL;
    (void)project_dir;
    PAWL_TRY(pawl_environment_find(((const struct options *)options)->task, &kind, err));
    *state = (void *)(uintptr_t)kind;
    return PAWL_OK;
}

static enum pawl_status score(void *state, const void *options, struct pawl_arena *arena,
                              const struct pawl_metric_call *call,
                              struct pawl_metric_result *result, struct pawl_error *err)
{
    const struct options *o = options;
    struct pawl_str feedback;
    (void)err;
    const char *fault = pawl_environment_judge(state, call->input, call->output, o->field, arena,
                                               &result->score, &feedback);
    result->failed = fault != NULL;
    result->feedback =
        fault ? fault : pawl_arena_printf(arena, PAWL_STR_FMT, PAWL_STR_ARG(feedback));
    return PAWL_OK;
}

const struct pawl_metric_kind pawl_metric_environment = {
    .api = PAWL_METRIC_API,
    .name = "environment",
    .summary = "the score of an episode whose action is the answer",
    .flags = PAWL_METRIC_BINARY,
    .options = options_table,
    .options_bytes = sizeof(struct options),
    .open = open_environment,
    .score = score,
};
