/*
 * prompt.h - asking a model for a text: a prompt from the operator's own texts, and what the reply gives.
 *
 * A text says {{name}} where something is to stand. What is filled in is text and is not read again: no
 * case and no model can write into the rest of a prompt by naming a mark. A mark that nobody fills stays.
 *
 * Invariant: nothing is cut. What would be longer than a prompt may be is not there (ptr NULL), or has
 * overflowed its buffer.
 *
 *     struct pawl_str input = pawl_prompt_fields(&step, item->input, NULL);
 *     prompt.user = pawl_prompt_text(host, &step, "loss", PAWL_MARKS({"input", input}));
 *     ...
 *     struct pawl_str text = pawl_prompt_unfence(reply.text);
 */
#ifndef PAWL_OPERATORS_PROMPT_H
#define PAWL_OPERATORS_PROMPT_H

#include "operators/host.h"

enum { PAWL_PROMPT_BYTES_MAX = 4 << 20 };

struct pawl_prompt_mark {
    const char *name; /* without its braces; NULL ends a list */
    struct pawl_str value;
};
#define PAWL_MARKS(...) ((const struct pawl_prompt_mark[]){__VA_ARGS__, {NULL, {NULL, 0}}})

/* Append the pattern with its marks replaced. A value that is not there (it was too long) overflows the
 * buffer: no model is asked about half of a thing. */
void pawl_prompt_fill(struct pawl_str pattern, const struct pawl_prompt_mark *marks,
                      struct pawl_buf *out);
/* One of the operator's texts, filled in, in `arena`. */
struct pawl_str pawl_prompt_text(struct pawl_host *host, struct pawl_arena *arena, const char *name,
                                 const struct pawl_prompt_mark *marks);
/* What the buffer holds, moved to `arena`; ptr NULL when it has overflowed. */
struct pawl_str pawl_prompt_take(struct pawl_arena *arena, struct pawl_buf *buf);

/* Fields as lines "- name: value", of an object only those in the list `only` (NULL: all); a text as it
 * is, else JSON, on a line. */
struct pawl_str pawl_prompt_fields(struct pawl_arena *arena, const json_t *value,
                                   const json_t *only);
/* A heading, and below it an object's members in the same way; what is no object as JSON. */
void pawl_prompt_add_json(struct pawl_buf *out, const char *heading, const json_t *value);

/* What stands between the first and the last fence, without a language tag. With one fence: what is
 * before it when it ends the reply, else what is after it (a reply that was cut off). Without: the
 * whole reply. Trimmed; borrowed from `reply`. */
struct pawl_str pawl_prompt_unfence(struct pawl_str reply);

#endif
