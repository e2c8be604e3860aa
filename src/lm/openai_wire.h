/*
 * openai_wire.h - chat completions on the wire: the body that is sent, the answer that is read.
 * Pure: no network, no key, no clock. The answer is untrusted.
 */
#ifndef PAWL_LM_OPENAI_WIRE_H
#define PAWL_LM_OPENAI_WIRE_H

#include "lm/lm.h"

struct pawl_openai_style {
    const char *model;
    bool reasoning; /* max_completion_tokens instead of max_tokens, no temperature, no top_p */
    bool send_seed;
};
void pawl_openai_write(const struct pawl_openai_style *style, const struct pawl_lm_request *request,
                       struct pawl_buf *out);

/*
 * Read the body of a 2xx answer: text, truncated, usage (estimated when absent, *counted false);
 * FAILED when the provider refused to answer. False if it is not a completion at all. Text lies in
 * `arena`.
 */
bool pawl_openai_read(struct pawl_str body, const struct pawl_lm_request *request,
                      struct pawl_arena *arena, struct pawl_lm_reply *reply, bool *counted);
/* The message of an error body, or the start of the body itself. Lies in `arena`. */
struct pawl_str pawl_openai_error(struct pawl_str body, struct pawl_arena *arena);

#endif
