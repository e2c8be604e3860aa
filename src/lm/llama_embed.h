/*
 * llama_embed.h - vectors of texts: the mean of the last layer over a text's tokens.
 *
 * A context of its own, because one that gives out hidden states must give them for every token of a
 * batch, which the context that answers has no room for. It is made when the first text comes, as
 * small as the text allows, and made again, larger, for a longer one; the weights are the model's.
 *
 * Invariants
 *   1. A text's tokens see only each other: every text at work has a sequence of its own.
 *   2. First come, first served; one that does not fit yet holds up those behind it.
 *   3. Used by the engine's thread alone.
 */
#ifndef PAWL_LM_LLAMA_EMBED_H
#define PAWL_LM_LLAMA_EMBED_H

#include "lm/llama_queue.h"

struct pawl_llama_embedder;
/* text_tokens: of the longest text. The model and the queue outlive it. */
struct pawl_llama_embedder *pawl_llama_embedder_new(struct llama_model *model, size_t text_tokens,
                                                    int n_threads);
/* All texts are read with this set of adapters, which is loaded already. */
void pawl_llama_embedder_wear(struct pawl_llama_embedder *embedder,
                              struct pawl_llama_adapters *adapters,
                              const struct pawl_llama_set *set);
void pawl_llama_embedder_free(struct pawl_llama_embedder *embedder);

/* Take in texts that wait and compute one batch; those that are done are announced, with a failure
 * where libllama failed. Costs nothing when there is none. */
void pawl_llama_embedder_step(struct pawl_llama_embedder *embedder, struct pawl_llama_queue *queue);
/* True while texts are at work. */
bool pawl_llama_embedder_is_busy(const struct pawl_llama_embedder *embedder);
/* Announce all that are at work, with a failure. */
void pawl_llama_embedder_fail(struct pawl_llama_embedder *embedder, struct pawl_llama_queue *queue,
                              const char *why);

#endif
