#include "program/action.h"
#include "program/answer.h"

#include <strings.h>

#define THOUGHT "next_thought"
#define NAME    "next_tool_name"
#define ARGS    "next_tool_args"

static bool begins_with(struct pawl_str line, const char *label)
{
    size_t n = strlen(label);
    while (line.len > 0 && strchr(" \t*_#", line.ptr[0])) {
        line.ptr++;
        line.len--;
    }
    return line.len >= n && strncasecmp(line.ptr, label, n) == 0;
}

/* Up to a second thought, or an observation: nobody has seen one yet. */
static struct pawl_str first_step(struct pawl_str reply)
{
    struct pawl_str rest = reply, line;
    int n_thoughts = 0;
    while (pawl_str_split(&rest, '\n', &line)) {
        n_thoughts += begins_with(line, THOUGHT);
        if (n_thoughts > 1 || begins_with(line, "observation"))
            return (struct pawl_str){reply.ptr, (size_t)(line.ptr - reply.ptr)};
    }
    return reply;
}

/* An object wherever it stands in the text, a JSON text without its quotes, or the text itself. */
static json_t *read_args(struct pawl_str text, struct pawl_arena *arena)
{
    static const struct pawl_field object = {.name = ARGS, .type = PAWL_FIELD_OBJECT};
    const char *fault;
    json_t *value = NULL;
    text = pawl_str_trim(text);
    if (text.len == 0) return NULL;
    json_t *answer = pawl_answer_parse(text, &object, 1, arena, &fault);
    if (answer) {
        value = json_incref(json_object_get(answer, ARGS));
        json_decref(answer);
        return value;
    }
    if (text.ptr[0] == '"' && pawl_json_parse(text, text.len, &value, NULL) == PAWL_OK)
        return value;
    return pawl_json_string(text);
}

static void take(json_t *answer, const struct pawl_tools *tools, struct pawl_arena *arena,
                 struct pawl_action *action)
{
    struct pawl_str thought = pawl_json_get_str(answer, THOUGHT);
    action->thought = pawl_arena_copy(arena, thought.ptr ? thought : PAWL_STR(""));
    action->tool = pawl_tools_find(tools, pawl_json_get_str(answer, NAME));
    action->args = read_args(pawl_json_get_str(answer, ARGS), arena);
    json_decref(answer);
}

const char *pawl_action_parse(struct pawl_str reply, const struct pawl_tools *tools,
                              struct pawl_arena *arena, struct pawl_action *action)
{
    struct pawl_str names[PAWL_TOOLS_MAX + 1];
    const char *fault = NULL, *later;
    for (size_t i = 0; i < tools->n; i++) names[i] = pawl_str_of(tools->list[i].name);
    names[tools->n] = PAWL_STR(PAWL_TOOL_FINISH);
    const struct pawl_field thought = {.name = THOUGHT, .type = PAWL_FIELD_TEXT},
                            args = {.name = ARGS, .type = PAWL_FIELD_TEXT},
                            name = {.name = NAME,
                                    .type = PAWL_FIELD_CHOICES,
                                    .choices = names,
                                    .n_choices = tools->n + 1};
    const struct pawl_field whole[] = {thought, name, args}, no_args[] = {thought, name},
                            no_thought[] = {name, args};
    struct pawl_str step = first_step(reply);
    json_t *answer = pawl_answer_parse(step, whole, 3, arena, &fault);
    if (!answer) answer = pawl_answer_parse(step, no_thought, 2, arena, &later);
    if (!answer) answer = pawl_answer_parse(step, no_args, 2, arena, &later);
    if (!answer) return fault;
    take(answer, tools, arena, action);
    return NULL;
}

void pawl_action_write(const struct pawl_action *action, const struct pawl_tools *tools,
                       struct pawl_buf *out)
{
    const char *name = action->tool < tools->n ? tools->list[action->tool].name : PAWL_TOOL_FINISH;
    pawl_buf_printf(out, THOUGHT ": " PAWL_STR_FMT "\n" NAME ": %s\n" ARGS ": ",
                    PAWL_STR_ARG(action->thought), name);
    if (action->args)
        pawl_json_write(action->args, out);
    else
        pawl_buf_add(out, "{}");
}
