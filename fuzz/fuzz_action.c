/* A model's step: an action of one of the tools, or a fault; written down, it is read as the same tool. */
#include "fuzz.h"

#include "program/action.h"

static const struct pawl_tools tools = {
    .list = {{.name = "calc", .description = ""}, {.name = "wiki_2", .description = ""}}, .n = 2};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct pawl_arena arena = {0};
    struct pawl_action action = {.args = NULL}, again = {.args = NULL};
    struct pawl_str reply = {(const char *)bytes, n_bytes};
    /* A reply is valid UTF-8 before it is parsed: lm.h. */
    if (!pawl_utf8_is_valid(reply, NULL)) return 0;
    const char *fault = pawl_action_parse(reply, &tools, &arena, &action);
    if (fault) {
        PAWL_ASSERT(fault[0] && !action.args);
    } else {
        struct pawl_buf text = PAWL_BUF(4 * n_bytes + 4096);
        PAWL_ASSERT(action.tool <= tools.n && pawl_utf8_is_valid(action.thought, NULL));
        pawl_action_write(&action, &tools, &text);
        /* A thought may hold labels of its own: then the text is another one. */
        action.thought.len = 0;
        pawl_buf_reset(&text);
        pawl_action_write(&action, &tools, &text);
        PAWL_ASSERT(!pawl_action_parse(pawl_buf_str(&text), &tools, &arena, &again));
        PAWL_ASSERT(again.tool == action.tool);
        pawl_buf_release(&text);
    }
    json_decref(action.args);
    json_decref(again.args);
    pawl_arena_release(&arena);
    return 0;
}
