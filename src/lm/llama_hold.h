/*
 * llama_hold.h - an answer held to a grammar while it is written, token by token.
 *
 * The likeliest (or drawn) token is asked about alone, as it is allowed nearly always; only when it is
 * not are the others looked at. The result has the distribution of the model given that the token is
 * allowed. A control token is never allowed inside an answer, whatever its text.
 *
 *     struct pawl_llama_hold *hold = pawl_llama_hold_new(vocab, gbnf);      NULL: no such grammar
 *     token = pawl_llama_hold_pick(hold, urn, &sampling, logits);           tells the grammar, too
 *     if (pawl_llama_hold_is_closed(hold, text)) ...                        nothing can follow
 */
#ifndef PAWL_LM_LLAMA_HOLD_H
#define PAWL_LM_LLAMA_HOLD_H

#include "lm/llama_sample.h"

struct pawl_llama_hold;
/* A grammar of ours with the start symbol `root`; text from outside never gets here. */
struct pawl_llama_hold *pawl_llama_hold_new(const struct llama_vocab *vocab, const char *gbnf);
/* One for each answer. `hold` stands at its beginning. */
struct pawl_llama_hold *pawl_llama_hold_copy(const struct pawl_llama_hold *hold);
void pawl_llama_hold_free(struct pawl_llama_hold *hold);

/* The next token, which ends the answer when it is one that does; LLAMA_TOKEN_NULL: none can follow. */
llama_token pawl_llama_hold_pick(struct pawl_llama_hold *hold, struct pawl_llama_urn *urn,
                                 struct pawl_llama_sampling *sampling, const float *logits);
/* The value is complete and cannot be continued (a number always can). */
bool pawl_llama_hold_is_closed(const struct pawl_llama_hold *hold, struct pawl_str text);

#endif
