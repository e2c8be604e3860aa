/*
 * llama_weights.h - a model file made ready to run: tried out safely, in the fastest exact form.
 *
 * libllama aborts on files that lie, and dies of SIGILL where the machine lies about its
 * instructions. So everything dangerous happens first in a forked child: load, check, decode one
 * token. Only a file that passed is opened in this process.
 *
 * Prompts run twice as fast on two cores when 4-bit weights are written out as F32: the same numbers
 * without the unpacking. This is done once per model, in the same child, into
 * $XDG_CACHE_HOME/pawl/weights/<sha256>-f32.gguf, which every later process maps read-only, the
 * sealed side too, after its hash was found to be the one it was written with; a process that may
 * write nothing and finds none makes one in memory.
 */
#ifndef PAWL_LM_LLAMA_WEIGHTS_H
#define PAWL_LM_LLAMA_WEIGHTS_H

#include "base/arena.h"
#include "base/error.h"
#include "base/hash.h"

#include <llama.h>

struct pawl_llama_weights_spec {
    const char *path;      /* the model file */
    struct pawl_hash hash; /* of its bytes */
    /* "packaged": as they are. "f32": written out, the same numbers. "f16", "bf16": written out and
     * rounded, to 11 and 8 bits (which is the fastest depends on the CPU).
     * "auto": f32 when the weights are quantised and a quarter of the memory holds them. */
    const char *form;
    size_t context_tokens; /* to be tried out with */
    bool sealed;           /* write no file */
};
struct pawl_llama_weights {
    char *path;       /* what to load; malloc'd */
    const char *form; /* what became of it, never "auto" */
    int memory_fd;    /* keeps a file in memory alive, or -1 */
};

/* Fails PAWL_ECONFIG with the reason when the model cannot run here. Blocks for seconds, once. */
PAWL_MUST_CHECK enum pawl_status pawl_llama_weights_open(const struct pawl_llama_weights_spec *spec,
                                                         struct pawl_llama_weights *weights,
                                                         struct pawl_error *err);
void pawl_llama_weights_release(struct pawl_llama_weights *weights);

/* A context as the engine uses it. */
struct llama_context_params pawl_llama_context_params(size_t context_tokens, int n_threads);

/* Start libllama once per process; its messages are kept back, the last error per thread. */
void pawl_llama_start(void);
const char *pawl_llama_last_error(void);

#endif
