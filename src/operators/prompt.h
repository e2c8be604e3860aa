/*
 * prompt.h - asking a model for a text: a pattern with marks, and the text taken out of the reply.
 *
 * A pattern is one of the operator's own texts and holds marks, {{current}} for instance. What is
 * filled in is text: a mark inside it stays as it is, so that no case and no model can write into the
 * rest of a prompt by naming one. A mark that nobody fills stays, too.
 *
 *     const struct pawl_prompt_mark marks[] = {{"{{current}}", text}, {"{{tip}}", tip}};
 *     pawl_prompt_fill(pawl_host_operator_text(host, "propose"), marks, 2, &out);
 *     ...
 *     struct pawl_str text = pawl_prompt_unfence(reply.text);
 */
#ifndef PAWL_OPERATORS_PROMPT_H
#define PAWL_OPERATORS_PROMPT_H

#include "base/json.h"
#include "base/str.h"

enum { PAWL_PROMPT_BYTES_MAX = 4 << 20 };

struct pawl_prompt_mark {
    const char *mark; /* with its braces */
    struct pawl_str value;
};
void pawl_prompt_fill(struct pawl_str pattern, const struct pawl_prompt_mark *marks, size_t n,
                      struct pawl_buf *out);

/* A heading, and below it an object's members as lines "- field: value"; else the value as it is. */
void pawl_prompt_add_json(struct pawl_buf *out, const char *heading, const json_t *value);

/* What stands between the first and the last fence, without a language tag. With one fence: what is
 * before it when it ends the reply, else what is after it (a reply that was cut off). Without: the
 * whole reply. Trimmed; borrowed from `reply`. */
struct pawl_str pawl_prompt_unfence(struct pawl_str reply);

#endif
