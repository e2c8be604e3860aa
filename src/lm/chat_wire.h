/*
 * chat_wire.h - what the wires share: writing messages, reading untrusted JSON and counts. Pure: no
 * network, no key, no clock.
 */
#ifndef PAWL_LM_CHAT_WIRE_H
#define PAWL_LM_CHAT_WIRE_H

#include "lm/chat.h"

/* Append {"content","role"}. */
void pawl_chat_write_message(const struct pawl_message *message, struct pawl_buf *out);
/* Append ,"key":[...]; nothing when there are none. */
void pawl_chat_write_list(const char *key, const struct pawl_str *items, size_t n,
                          struct pawl_buf *out);

/* The value of a body; a provider may cut a character in two, and that is no reason to lose the
 * answer. NULL: no JSON. New reference. */
json_t *pawl_chat_parse(struct pawl_str body);
/* The message of an error body, or the start of the body itself; never empty. *is_error: the body is
 * an error object. Lies in `arena`. */
struct pawl_str pawl_chat_error(struct pawl_str body, struct pawl_arena *arena, bool *is_error);
/* A count of tokens, held to what can be. */
int64_t pawl_chat_count(const json_t *object, const char *key, int64_t otherwise);
/* Prompt and completion from these members of `usage`; estimates where they are absent. False: absent. */
bool pawl_chat_read_tokens(const json_t *usage, const char *prompt_key, const char *completion_key,
                           const struct pawl_lm_request *request, struct pawl_lm_reply *reply);

#endif
