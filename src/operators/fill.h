/*
 * fill.h - prompts from an operator's own texts.
 *
 * A text says {{name}} where something is to stand. What is filled in is never read again, so marks
 * inside of it are text; a mark that nobody fills stays as it is.
 *
 * Invariant: nothing is cut. What would be longer than a prompt may be is not there (ptr NULL).
 *
 *     struct pawl_str input = pawl_fill_fields(&step, item->input, NULL);
 *     prompt.user = pawl_fill_text(host, &step, "loss", PAWL_MARKS({"input", input}));
 */
#ifndef PAWL_OPERATORS_FILL_H
#define PAWL_OPERATORS_FILL_H

#include "operators/host.h"

enum { PAWL_FILL_BYTES_MAX = 4 << 20 };

struct pawl_fill_mark {
    const char *name;
    struct pawl_str value;
};
#define PAWL_MARKS(...) ((const struct pawl_fill_mark[]){__VA_ARGS__, {NULL, {NULL, 0}}})

/* Append the pattern with its marks replaced. */
void pawl_fill_pattern(struct pawl_str pattern, const struct pawl_fill_mark *marks,
                       struct pawl_buf *out);
/* One of the operator's texts, filled in, in `arena`. */
struct pawl_str pawl_fill_text(struct pawl_host *host, struct pawl_arena *arena, const char *name,
                               const struct pawl_fill_mark *marks);
/* Fields as lines "- name: value"; of an object only those in the list `only` (NULL: all). */
struct pawl_str pawl_fill_fields(struct pawl_arena *arena, const json_t *value, const json_t *only);
/* What the buffer holds, moved to `arena`; ptr NULL when it has overflowed. */
struct pawl_str pawl_fill_take(struct pawl_arena *arena, struct pawl_buf *buf);

#endif
