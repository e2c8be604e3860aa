/*
 * openai_wire.h - chat completions on the wire: the body that is sent, the answer that is read.
 * Pure: no network, no key, no clock. The answer is untrusted.
 */
#ifndef PAWL_LM_OPENAI_WIRE_H
#define PAWL_LM_OPENAI_WIRE_H

#include "lm/chat.h"

struct pawl_openai_style {
    const char *model;
    bool reasoning; /* max_completion_tokens instead of max_tokens, no temperature, no top_p */
    bool send_seed;
};
/* struct pawl_chat_wire; `style` is a struct pawl_openai_style. */
void pawl_openai_write(const void *style, const struct pawl_lm_request *request,
                       struct pawl_buf *out);
bool pawl_openai_read(struct pawl_str body, const struct pawl_lm_request *request,
                      struct pawl_arena *arena, struct pawl_lm_reply *reply,
                      struct pawl_chat_counts *counts);

#endif
