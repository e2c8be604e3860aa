#include "operators/prompt.h"

#include "operators/graph.h"

/* --- asking ------------------------------------------------------------------------------------ */

/* The mark whose {{name}} the text starts with, and how long that is; NULL: none. */
static const struct pawl_prompt_mark *mark_at(struct pawl_str text,
                                              const struct pawl_prompt_mark *marks, size_t *len)
{
    for (const struct pawl_prompt_mark *mark = marks; mark->name != NULL; mark++) {
        size_t n = strlen(mark->name);
        *len = n + 4;
        if (text.len >= *len && memcmp(text.ptr + 2, mark->name, n) == 0 &&
            memcmp(text.ptr + 2 + n, "}}", 2) == 0)
            return mark;
    }
    return NULL;
}

void pawl_prompt_fill(struct pawl_str pattern, const struct pawl_prompt_mark *marks,
                      struct pawl_buf *out)
{
    const char *at = pattern.ptr, *end = at + pattern.len, *open;
    while (at < end && (open = memmem(at, (size_t)(end - at), "{{", 2)) != NULL) {
        size_t used = 0;
        const struct pawl_prompt_mark *mark =
            mark_at((struct pawl_str){open, (size_t)(end - open)}, marks, &used);
        if (mark == NULL) used = 1; /* "{{{name}}" has a mark one further on */
        pawl_buf_add_bytes(out, at, (size_t)(open - at) + (mark == NULL));
        if (mark != NULL) pawl_buf_add_str(out, mark->value);
        if (mark != NULL && mark->value.ptr == NULL) out->overflowed = true;
        at = open + used;
    }
    pawl_buf_add_bytes(out, at, (size_t)(end - at));
}

struct pawl_str pawl_prompt_take(struct pawl_arena *arena, struct pawl_buf *buf)
{
    struct pawl_str text = {NULL, 0};
    if (!buf->overflowed) text = pawl_arena_copy(arena, pawl_buf_str(buf));
    pawl_buf_release(buf);
    return text;
}

struct pawl_str pawl_prompt_text(struct pawl_host *host, struct pawl_arena *arena, const char *name,
                                 const struct pawl_prompt_mark *marks)
{
    struct pawl_buf buf = PAWL_BUF(PAWL_PROMPT_BYTES_MAX);
    pawl_prompt_fill(pawl_host_operator_text(host, name), marks, &buf);
    return pawl_prompt_take(arena, &buf);
}

/* An object's members as lines; of those in the list `only`, where it is given. */
static void add_members(struct pawl_buf *out, const json_t *object, const json_t *only)
{
    const char *field;
    json_t *item;
    json_object_foreach((json_t *)(uintptr_t)object, field, item)
    {
        if (only != NULL && !pawl_graph_has_field(only, field)) continue;
        pawl_buf_printf(out, "- %s: ", field);
        if (json_is_string(item))
            pawl_buf_add(out, json_string_value(item));
        else
            pawl_json_write(item, out);
        pawl_buf_add(out, "\n");
    }
}

struct pawl_str pawl_prompt_fields(struct pawl_arena *arena, const json_t *value,
                                   const json_t *only)
{
    struct pawl_buf buf = PAWL_BUF(PAWL_PROMPT_BYTES_MAX);
    if (json_is_object(value)) {
        add_members(&buf, value, only);
        return pawl_prompt_take(arena, &buf);
    }
    if (json_is_string(value))
        pawl_buf_add(&buf, json_string_value(value));
    else if (value != NULL)
        pawl_json_write(value, &buf);
    pawl_buf_add(&buf, "\n");
    return pawl_prompt_take(arena, &buf);
}

void pawl_prompt_add_json(struct pawl_buf *out, const char *heading, const json_t *value)
{
    pawl_buf_printf(out, "%s:\n", heading);
    if (json_is_object(value)) {
        add_members(out, value, NULL);
        return;
    }
    if (value != NULL) pawl_json_write(value, out);
    pawl_buf_add(out, "\n");
}

/* --- the reply --------------------------------------------------------------------------------- */

static struct pawl_str trimmed(const char *start, const char *end)
{
    return pawl_str_trim((struct pawl_str){start, (size_t)(end - start)});
}

/* A word that directly follows the opening fence and fills its line is a language tag. */
static const char *skip_language(const char *start, const char *end)
{
    const char *at = start;
    while (at < end && *at != '\n' && *at != ' ') at++;
    return at < end && *at == '\n' ? at : start;
}

struct pawl_str pawl_prompt_unfence(struct pawl_str reply)
{
    reply = pawl_str_trim(reply);
    if (reply.len < 3) return reply;
    const char *end = reply.ptr + reply.len, *first = memmem(reply.ptr, reply.len, "```", 3);
    if (first == NULL) return reply;
    const char *last = end - 3;
    while (memcmp(last, "```", 3) != 0) last--;
    if (last >= first + 3) return trimmed(skip_language(first + 3, last), last);
    if (last == end - 3 && last > reply.ptr) return trimmed(reply.ptr, first);
    return trimmed(skip_language(first + 3, end), end);
}
