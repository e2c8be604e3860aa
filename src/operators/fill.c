#include "operators/fill.h"

#include "operators/graph.h"

/* The mark whose {{name}} the text starts with, and how long that is; NULL: none. */
static const struct pawl_fill_mark *mark_at(struct pawl_str text,
                                            const struct pawl_fill_mark *marks, size_t *len)
{
    for (const struct pawl_fill_mark *mark = marks; mark->name != NULL; mark++) {
        size_t n = strlen(mark->name);
        *len = n + 4;
        if (text.len >= *len && memcmp(text.ptr + 2, mark->name, n) == 0 &&
            memcmp(text.ptr + 2 + n, "}}", 2) == 0)
            return mark;
    }
    return NULL;
}

void pawl_fill_pattern(struct pawl_str pattern, const struct pawl_fill_mark *marks,
                       struct pawl_buf *out)
{
    const char *at = pattern.ptr, *end = at + pattern.len, *open;
    while (at < end && (open = memmem(at, (size_t)(end - at), "{{", 2)) != NULL) {
        size_t used = 0;
        const struct pawl_fill_mark *mark =
            mark_at((struct pawl_str){open, (size_t)(end - open)}, marks, &used);
        if (mark == NULL) used = 1; /* "{{{name}}" has a mark one further on */
        pawl_buf_add_bytes(out, at, (size_t)(open - at) + (mark == NULL));
        if (mark != NULL) pawl_buf_add_str(out, mark->value);
        at = open + used;
    }
    pawl_buf_add_bytes(out, at, (size_t)(end - at));
}

struct pawl_str pawl_fill_take(struct pawl_arena *arena, struct pawl_buf *buf)
{
    struct pawl_str text = {NULL, 0};
    if (!buf->overflowed) text = pawl_arena_copy(arena, pawl_buf_str(buf));
    pawl_buf_release(buf);
    return text;
}

struct pawl_str pawl_fill_text(struct pawl_host *host, struct pawl_arena *arena, const char *name,
                               const struct pawl_fill_mark *marks)
{
    struct pawl_buf buf = PAWL_BUF(PAWL_FILL_BYTES_MAX);
    pawl_fill_pattern(pawl_host_operator_text(host, name), marks, &buf);
    return pawl_fill_take(arena, &buf);
}

struct pawl_str pawl_fill_fields(struct pawl_arena *arena, const json_t *value, const json_t *only)
{
    struct pawl_buf buf = PAWL_BUF(PAWL_FILL_BYTES_MAX);
    const char *field;
    json_t *item;
    if (json_is_string(value)) pawl_buf_add(&buf, json_string_value(value));
    if (value != NULL && !json_is_string(value) && !json_is_object(value))
        pawl_json_write(value, &buf);
    if (!json_is_object(value)) pawl_buf_add(&buf, "\n");
    json_object_foreach((json_t *)(uintptr_t)value, field, item)
    {
        if (only != NULL && !pawl_graph_has_field(only, field)) continue;
        pawl_buf_printf(&buf, "- %s: ", field);
        if (json_is_string(item))
            pawl_buf_add(&buf, json_string_value(item));
        else
            pawl_json_write(item, &buf);
        pawl_buf_add(&buf, "\n");
    }
    return pawl_fill_take(arena, &buf);
}
