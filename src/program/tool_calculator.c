/* The calculator: one expression (calculate.h). */
#include "program/calculate.h"
#include "program/tool.h"

#include <stdlib.h>

static const struct pawl_tool_argument arguments[] = {{"expression", "e.g. 12 * (3 + 4.5)"}, {0}};

static enum pawl_status open_calculator(const void *options,
                                        const struct pawl_program_settings *settings,
                                        struct pawl_arena *arena, void **state,
                                        struct pawl_error *err)
{
    (void)options, (void)settings, (void)arena, (void)err;
    *state = NULL;
    return PAWL_OK;
}

static enum pawl_status calculate(void *state, const json_t *args, size_t max_bytes,
                                  struct pawl_arena *arena, struct pawl_tool_result *result,
                                  struct pawl_error *err)
{
    (void)state, (void)max_bytes, (void)err;
    char answer[PAWL_CALCULATE_BYTES];
    const json_t *given = json_object_get(args, arguments->name);
    char *number = json_is_number(given) ? pawl_json_text(given) : NULL;
    struct pawl_str expression =
        number ? pawl_str_of(number) : pawl_json_get_str(args, arguments->name);
    bool good = expression.ptr && pawl_calculate(expression, answer);
    const char *text =
        expression.ptr ? pawl_arena_strdup(arena, answer) : "The expression is no text.";
    free(number);
    if (good)
        pawl_tool_gives(result, pawl_str_of(text));
    else
        pawl_tool_fails(result, text);
    return PAWL_OK;
}

const struct pawl_tool_kind pawl_tool_calculator = {
    .api = PAWL_TOOL_API,
    .name = "calculator",
    .summary = "computes an arithmetic expression: + - * / % ^ ! sqrt round min max log sin ...",
    .arguments = arguments,
    .open = open_calculator,
    .call = calculate,
};
