#include "operators/prompt.h"

/* --- asking ------------------------------------------------------------------------------------ */

void pawl_prompt_fill(struct pawl_str pattern, const struct pawl_prompt_mark *marks, size_t n,
                      struct pawl_buf *out)
{
    while (pattern.len > 0) {
        struct pawl_str piece = {pattern.ptr, 1};
        size_t used = 1;
        for (size_t i = 0; i < n; i++) {
            if (!pawl_str_starts(pattern, marks[i].mark)) continue;
            piece = marks[i].value;
            used = strlen(marks[i].mark);
        }
        pawl_buf_add_str(out, piece);
        pattern = (struct pawl_str){pattern.ptr + used, pattern.len - used};
    }
}

void pawl_prompt_add_json(struct pawl_buf *out, const char *heading, const json_t *value)
{
    const char *field;
    json_t *item;
    pawl_buf_printf(out, "%s:\n", heading);
    if (!json_is_object(value)) {
        if (value != NULL) pawl_json_write(value, out);
        pawl_buf_add(out, "\n");
        return;
    }
    json_object_foreach((json_t *)value, field, item)
    {
        pawl_buf_printf(out, "- %s: ", field);
        if (json_is_string(item))
            pawl_buf_add(out, json_string_value(item));
        else
            pawl_json_write(item, out);
        pawl_buf_add(out, "\n");
    }
}

/* --- the reply --------------------------------------------------------------------------------- */

static struct pawl_str between(const char *start, const char *end)
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
    if (last >= first + 3) return between(skip_language(first + 3, last), last);
    if (last == end - 3 && last > reply.ptr) return between(reply.ptr, first);
    return between(skip_language(first + 3, end), end);
}
