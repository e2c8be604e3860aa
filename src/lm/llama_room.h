/*
 * llama_room.h - does memory hold one more context?
 *
 * A context is written to when it is made, so those of the models that are open are gone from what the
 * machine has left: asking before each is asking about the sum of all, in this process and beside it.
 *
 * Linux gives out more memory than it has and kills when it is used; so the question comes first.
 */
#ifndef PAWL_LM_LLAMA_ROOM_H
#define PAWL_LM_LLAMA_ROOM_H

#include "base/error.h"

#include <llama.h>
#include <stdint.h>

/* Bytes that the machine can give away without swapping; UINT64_MAX where it does not say. */
uint64_t pawl_llama_room_left(void);
/* Bytes of a context for so many tokens: keys and values of every layer, and what a batch needs. */
uint64_t pawl_llama_room_of(const struct llama_model *model, size_t context_tokens);
/* Fails PAWL_EWORLD with the two sizes when it does not fit. */
PAWL_MUST_CHECK enum pawl_status pawl_llama_room_check(const struct llama_model *model,
                                                       size_t context_tokens, uint64_t left_bytes,
                                                       struct pawl_error *err);

#endif
