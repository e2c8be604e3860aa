/*
 * llama_cells.h - who holds which cells of the model's attention cache, and what is kept there.
 *
 * One cache, many sequences. A *stem* is a beginning that several prompts share: it is computed
 * once, and a prompt that begins so takes its cells over by name, without copying. Stems grow out of
 * stems (a tree). Every request leases its own cells on top of the longest stem that fits it.
 *
 * Invariants
 *   1. used = the own cells of all stems and leases <= capacity. A lease is given only when its
 *      prompt and its longest answer fit, so decoding never runs out of cells.
 *   2. A stem with users (leases or stems on top of it) is never dropped; an idle one is dropped when
 *      its cells are needed, least recently used first.
 *   3. Attention pays for every cell in use, so an idle stem goes once its stay has cost as much as
 *      its making, and idle stems hold at most a quarter of the capacity (the one used last aside).
 *   4. A stem serves prompts of the set of adapters that it was computed with, and no others.
 *   5. Used by the engine's thread alone.
 */
#ifndef PAWL_LM_LLAMA_CELLS_H
#define PAWL_LM_LLAMA_CELLS_H

#include "base/hash.h"

#include <llama.h>
#include <stdbool.h>
#include <stddef.h>

enum { PAWL_LLAMA_SEQUENCES = 256, PAWL_LLAMA_STEMS = 64 };

struct pawl_llama_stem;
struct pawl_llama_lease {
    llama_seq_id seq;
    size_t n_ready; /* tokens of the prompt that need not be computed */
    size_t own;
    struct pawl_llama_stem *stem;
};

struct pawl_llama_cells;
struct pawl_llama_cells *pawl_llama_cells_new(struct llama_context *context, size_t capacity,
                                              size_t batch_tokens);
void pawl_llama_cells_free(struct pawl_llama_cells *cells);

/* From now on the context works with this set of adapters; zero: with none. No lease is out. */
void pawl_llama_cells_use(struct pawl_llama_cells *cells, const struct pawl_hash *set);
/* How many of the first tokens are in a stem; at most n - 1, as the last one is to be answered. */
size_t pawl_llama_cells_known(const struct pawl_llama_cells *cells, const llama_token *tokens,
                              size_t n);
/* Make a stem of these tokens, computing what no stem knows. False when there is no room for it now.
 * *decode_result as of llama_decode; not 0: everything must be cleared. */
bool pawl_llama_cells_grow(struct pawl_llama_cells *cells, const llama_token *tokens, size_t n,
                           int *decode_result);
/* So many tokens were decoded by others than grow: time passes for idle stems. */
void pawl_llama_cells_decoded(struct pawl_llama_cells *cells, size_t n_tokens);
/* Cells for a prompt and n_more tokens after it. False when there is no room now; with nothing else
 * leased there always is for n + n_more <= capacity. */
bool pawl_llama_cells_lease(struct pawl_llama_cells *cells, const llama_token *tokens, size_t n,
                            size_t n_more, struct pawl_llama_lease *lease);
/* Forget what the lease has in the cache from its token n on: guesses that were wrong. Not for a model whose
 * memory can only be dropped whole (pawl_llama_cells_can_cut). */
void pawl_llama_cells_cut(struct pawl_llama_cells *cells, const struct pawl_llama_lease *lease,
                          size_t n);
bool pawl_llama_cells_can_cut(const struct llama_model *model);
void pawl_llama_cells_return(struct pawl_llama_cells *cells, struct pawl_llama_lease *lease);
/* A sequence for one batch that begins with the lease's first n tokens; -1 when all are taken. */
llama_seq_id pawl_llama_cells_branch(struct pawl_llama_cells *cells,
                                     const struct pawl_llama_lease *lease, size_t n);
void pawl_llama_cells_prune(struct pawl_llama_cells *cells, llama_seq_id branch);
/* Forget everything, leases too. */
void pawl_llama_cells_clear(struct pawl_llama_cells *cells);

/* Length of the common beginning. */
size_t pawl_llama_common(const llama_token *a, size_t n_a, const llama_token *b, size_t n_b);
/* Add a token to a batch. */
void pawl_llama_batch_add(struct llama_batch *batch, llama_token token, size_t position,
                          llama_seq_id seq, bool want_logits);
/* A token of the batch belongs to one more sequence. The batch has room for all. */
void pawl_llama_batch_join(struct llama_batch *batch, int32_t entry, llama_seq_id seq);

#endif
