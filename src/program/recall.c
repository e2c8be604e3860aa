#include "program/recall.h"

enum { COMPONENT_BYTES_MAX = 1 << 20, TOLD_BYTES_MAX = 4 << 20 };

static const char *add_items(const json_t *items, struct pawl_buf *out)
{
    if (!json_is_array(items)) return "The lessons are not a list.";
    if (json_array_size(items) > PAWL_RECALL_ITEMS_MAX) return "There are more than 64 lessons.";
    for (size_t i = 0; i < json_array_size(items); i++) {
        struct pawl_str text = pawl_json_get_str(json_array_get(items, i), "text");
        if (!text.ptr) return "A lesson has no text.";
        if (text.len > PAWL_RECALL_TEXT_MAX) return "A lesson is longer than 2000 bytes.";
        pawl_buf_add(out, i == 0 ? "\n\nLessons of earlier tasks:\n- " : "\n- ");
        pawl_buf_add_str(out, text);
    }
    return NULL;
}

const char *pawl_recall_tell(struct pawl_str instruction, struct pawl_str component,
                             struct pawl_arena *arena, struct pawl_str *told)
{
    json_t *items;
    *told = instruction;
    if (pawl_str_trim(component).len == 0) return NULL;
    if (pawl_json_parse(component, COMPONENT_BYTES_MAX, &items, NULL) != PAWL_OK)
        return "The lessons are no JSON.";
    struct pawl_buf text = PAWL_BUF(TOLD_BYTES_MAX);
    pawl_buf_add_str(&text, instruction);
    const char *fault = add_items(items, &text);
    if (!fault && text.len > instruction.len) *told = pawl_arena_copy(arena, pawl_buf_str(&text));
    pawl_buf_release(&text);
    json_decref(items);
    return fault;
}
