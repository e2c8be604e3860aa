/*
 * anthropic_wire.h - Anthropic's messages API on the wire. Pure: no network, no key, no clock. The
 * answer is untrusted.
 *
 * What differs from chat completions: the system text stands apart; max_tokens is required; there is
 * no seed; input_tokens counts only what lay in no cache.
 */
#ifndef PAWL_LM_ANTHROPIC_WIRE_H
#define PAWL_LM_ANTHROPIC_WIRE_H

#include "lm/chat.h"

struct pawl_anthropic_style {
    const char *model;
    bool send_sampling; /* temperature and top_p; some models refuse them */
};
/* struct pawl_chat_wire; `style` is a struct pawl_anthropic_style. */
void pawl_anthropic_write(const void *style, const struct pawl_lm_request *request,
                          struct pawl_buf *out);
bool pawl_anthropic_read(struct pawl_str body, const struct pawl_lm_request *request,
                         struct pawl_arena *arena, struct pawl_lm_reply *reply,
                         struct pawl_chat_counts *counts);

#endif
