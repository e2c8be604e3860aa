/*
 * llama_prompt.h - from messages to tokens, by the model's own chat template.
 *
 * Invariants
 *   1. Nothing that a message says becomes a control token: "<|im_end|>" in a review is spelled out
 *      in letters.
 *   2. Equal first messages give equal first tokens; n_shared says how many, so that the engine can
 *      keep them. Within one ask they are spelled once.
 *   3. A prompt that cannot be made is refused with a sentence; it is never cut.
 */
#ifndef PAWL_LM_LLAMA_PROMPT_H
#define PAWL_LM_LLAMA_PROMPT_H

#include "base/arena.h"
#include "lm/lm.h"

#include <llama.h>

/* No vocabulary that we know has tokens this long on average; checked before anything is spelled. */
enum { PAWL_LLAMA_TOKEN_BYTES_MAX = 32 };

struct pawl_llama_speller {
    const struct llama_vocab *vocab;
    const char *template;
    size_t limit_tokens; /* prompt and answer together */
};

struct pawl_llama_prompt {
    const llama_token *tokens;
    size_t n_tokens, n_shared;
    const char *refusal; /* a sentence; NULL when the prompt is good */
};

/* The shared messages of the last request, spelled. One per ask; starts as {0}. */
struct pawl_llama_shared {
    const struct pawl_message *messages;
    size_t n_messages;
    struct pawl_str text;
    const llama_token *tokens;
    size_t n_tokens;
};

/* Everything given lies in `arena`. */
void pawl_llama_prompt_make(const struct pawl_llama_speller *speller, struct pawl_arena *arena,
                            const struct pawl_lm_request *request, struct pawl_llama_shared *shared,
                            struct pawl_llama_prompt *prompt);
/* The token that the template puts behind an answer. */
llama_token pawl_llama_end_of_turn(const struct pawl_llama_speller *speller);
/* Text that stands for itself, without control tokens. */
size_t pawl_llama_spell(const struct llama_vocab *vocab, struct pawl_arena *arena,
                        struct pawl_str text, const llama_token **tokens);

#endif
