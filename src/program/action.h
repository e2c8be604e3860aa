/*
 * action.h - one step of a model that uses tools, as it writes it:
 *
 *     next_thought: I need the year.
 *     next_tool_name: wiki
 *     next_tool_args: {"query": "founded"}
 *
 * The same names as DSPy's. Read as tolerantly as answers (answer.h): lines, JSON, a fence, another order, no
 * thought; what follows an "observation:" that the model made up, and a second step, are left out.
 */
#ifndef PAWL_PROGRAM_ACTION_H
#define PAWL_PROGRAM_ACTION_H

#include "program/tool.h"

#define PAWL_TOOL_FINISH "finish"

struct pawl_action {
    struct pawl_str thought;
    size_t tool;  /* in the list; n: finish */
    json_t *args; /* an object, a bare value, or NULL; to be released */
};
/* NULL, or a sentence about what cannot be read. */
const char *pawl_action_parse(struct pawl_str reply, const struct pawl_tools *tools,
                              struct pawl_arena *arena, struct pawl_action *action);
/* The same action in the form above. */
void pawl_action_write(const struct pawl_action *action, const struct pawl_tools *tools,
                       struct pawl_buf *out);

#endif
