#include "program/lessons.h"

struct pawl_str pawl_text_cut(struct pawl_str text, size_t max_bytes)
{
    if (text.len <= max_bytes) return text;
    /* A byte 10xxxxxx goes on with the character before it. */
    while (max_bytes > 0 && ((unsigned char)text.ptr[max_bytes] & 0xC0) == 0x80) max_bytes--;
    return (struct pawl_str){text.ptr, max_bytes};
}

static void remove_at(struct pawl_lessons *lessons, size_t at)
{
    lessons->n--;
    memmove(lessons->list + at, lessons->list + at + 1, (lessons->n - at) * sizeof *lessons->list);
}

void pawl_lessons_add(struct pawl_lessons *lessons, struct pawl_str text)
{
    text = pawl_str_trim(pawl_text_cut(pawl_str_trim(text), PAWL_LESSON_BYTES));
    if (text.len == 0 || lessons->keep == 0) return;
    for (size_t i = 0; i < lessons->n; i++) {
        if (!pawl_str_eq(lessons->list[i], text)) continue;
        remove_at(lessons, i);
        break;
    }
    if (lessons->n == lessons->keep) remove_at(lessons, 0);
    lessons->list[lessons->n++] = text;
}

void pawl_lessons_write(const struct pawl_lessons *lessons, struct pawl_buf *out)
{
    for (size_t i = 0; i < lessons->n; i++) {
        pawl_buf_add(out, "- ");
        pawl_buf_add_str(out, lessons->list[i]);
        pawl_buf_add(out, "\n");
    }
}
