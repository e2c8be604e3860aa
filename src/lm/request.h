/*
 * request.h - requests and replies as canonical JSON: what is hashed, cached and recorded.
 */
#ifndef PAWL_LM_REQUEST_H
#define PAWL_LM_REQUEST_H

#include "base/hash.h"
#include "lm/lm.h"

#include <stdatomic.h>

/* Append {"adapters"?,"best_only"?,"choices","max_tokens","messages","role","sample","schema"?,"seed",
 * "stops","temperature","top_p"}. best_only is there when it is set and there are choices. The seed is
 * a text of digits: not every reader of JSON has 64 bits. */
void pawl_lm_request_write(const struct pawl_lm_request *request, struct pawl_buf *out);
/* SHA-256 of {"identity":...,"request":...}; of the request alone when identity is NULL. */
struct pawl_hash pawl_lm_request_key(const char *identity, const struct pawl_lm_request *request);
/* Bytes of all messages, choices and stops. */
size_t pawl_lm_request_bytes(const struct pawl_lm_request *request);

/* Append {"choice_logprobs"?,"reason"?,"status","text","truncated","usage"}. */
void pawl_lm_reply_write(const struct pawl_lm_reply *reply, size_t n_choices, struct pawl_buf *out);
/* False if it is not such a reply. What it points to lies in `arena`; usage counts one request. */
bool pawl_lm_reply_read(const json_t *object, size_t n_choices, struct pawl_arena *arena,
                        struct pawl_lm_reply *reply);

/* An estimate for models that do not count: a token is about four bytes. */
int64_t pawl_lm_token_estimate(size_t n_bytes);

/* A text from outside as a reply's reason: one line of valid UTF-8, at most 240 bytes. */
const char *pawl_lm_reason(struct pawl_arena *arena, const char *before, struct pawl_str text);

/* Sleep, unless *canceled is or becomes true. */
void pawl_lm_sleep_ms(int64_t ms, const atomic_bool *canceled);

#endif
