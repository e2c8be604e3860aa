/*
 * llama_adapters.h - LoRA adapters on one model: what is loaded, and what a context works with.
 *
 * An adapter is known by the hash of its bytes. A *set* is a list of them with their scales; requests
 * of one set are answered together, requests of two never. The base is the empty set, NULL.
 * What a set changes is all that comes after a token: cells of one set say nothing about another.
 *
 * Invariants
 *   1. libllama aborts on files that lie, so an adapter is first put on the model and decoded with in a
 *      forked child. Only one that passed is loaded here.
 *   2. What is loaded has the bytes that its hash names. At most PAWL_LLAMA_ADAPTERS_LOADED are, those
 *      used last; those on a context stay.
 *   3. Used by one thread at a time: by the engine's once it runs.
 */
#ifndef PAWL_LM_LLAMA_ADAPTERS_H
#define PAWL_LM_LLAMA_ADAPTERS_H

#include "base/arena.h"
#include "lm/lm.h"

#include <llama.h>

enum { PAWL_LLAMA_ADAPTERS_MAX = 8, PAWL_LLAMA_ADAPTERS_LOADED = 16 };

struct pawl_llama_set {
    const struct pawl_lm_adapter *adapters;
    size_t n;             /* 1 to PAWL_LLAMA_ADAPTERS_MAX */
    struct pawl_hash key; /* of hashes and scales, in order */
};
/* The set of two lists, one after the other, in the arena. Scales of 0 leave it; NULL when nothing
 * stays. The caller sees to it that there are not too many. */
const struct pawl_llama_set *pawl_llama_set_of(struct pawl_arena *arena,
                                               const struct pawl_lm_adapter *first, size_t n_first,
                                               const struct pawl_lm_adapter *then, size_t n_then);
bool pawl_llama_set_eq(const struct pawl_llama_set *a, const struct pawl_llama_set *b);

struct pawl_llama_adapters;
/* `own`: the set that the model always has; outlives it, as the model does. */
struct pawl_llama_adapters *pawl_llama_adapters_new(struct llama_model *model,
                                                    const struct pawl_llama_set *own);
void pawl_llama_adapters_free(struct pawl_llama_adapters *adapters);
/*
 * Load what the set lacks and put it on the context. Of all contexts one has sets of requests, the
 * others NULL or `own`. Fails PAWL_ECONFIG for a file that is damaged or does not fit, PAWL_EWORLD or
 * PAWL_ENOTFOUND for one that cannot be read or is another by now; the context then has no adapter.
 */
PAWL_MUST_CHECK enum pawl_status pawl_llama_adapters_use(struct pawl_llama_adapters *adapters,
                                                         struct llama_context *context,
                                                         const struct pawl_llama_set *set,
                                                         struct pawl_error *err);

#endif
