/*
 * llama_weights.h - a model file made ready to run: tried out safely, in the fastest exact form.
 *
 * libllama aborts on files that lie, and dies of SIGILL where the machine lies about its
 * instructions. So everything dangerous happens first in a forked child: load, check, decode one
 * token. Only a file that passed is opened in this process.
 *
 * Which form of the same weights is the fastest depends on the CPU (measured: F32 made from Q4_1 is 2.6
 * times as fast with AVX-512, 1.4 times without). So a model whose form is "auto" or "fast" is measured
 * when it is first opened, and the choice is kept (llama_kept.h). Another form is written out once per
 * model, in the same child, into $XDG_CACHE_HOME/pawl/weights/<sha256>-<form>.gguf, which every later
 * process maps read-only, the sealed side too, after its hash was found to be the one it was written
 * with; a process that may write nothing and finds none makes one in memory.
 *
 * Invariants
 *   1. "auto" never rounds: the file as it is, or the same numbers as F32.
 *   2. Who may write nothing never measures, and takes what is kept; who may takes what it kept only
 *      once it is in the file. So engine and sealed side choose alike, and where nothing can be kept
 *      both take the same rule: F32 when the weights are quantised and a quarter of the memory holds
 *      them.
 *   3. A choice that was kept stands until `pawl doctor --tune` finds another clearly faster.
 */
#ifndef PAWL_LM_LLAMA_WEIGHTS_H
#define PAWL_LM_LLAMA_WEIGHTS_H

#include "base/arena.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"
#include "lm/llama_measure.h"

#include <llama.h>

struct pawl_llama_weights_spec {
    const char *path;      /* the model file */
    struct pawl_hash hash; /* of its bytes */
    /* "packaged": as they are. "f32": written out, the same numbers. "f16", "bf16", "q8_0", "q4_0":
     * written out and rounded. "auto": the faster of the first two. "fast": the fastest of all. */
    const char *form;
    size_t context_tokens;       /* to be tried out with */
    struct pawl_llama_pace pace; /* of the engine: what is fastest depends on it */
    bool sealed;                 /* write no file */
};
struct pawl_llama_weights {
    char *path;       /* what to load; malloc'd */
    const char *form; /* what became of it, never "auto" or "fast" */
    int memory_fd;    /* keeps a file in memory alive, or -1 */
};

/* The form that opening gives, if that is known beforehand, else NULL. Costs the reading of a note. */
const char *pawl_llama_weights_form(const struct pawl_llama_weights_spec *spec);
/* Fails PAWL_ECONFIG with the reason when the model cannot run here. Blocks for seconds, once. */
PAWL_MUST_CHECK enum pawl_status pawl_llama_weights_open(const struct pawl_llama_weights_spec *spec,
                                                         struct pawl_llama_weights *weights,
                                                         struct pawl_error *err);
void pawl_llama_weights_release(struct pawl_llama_weights *weights);

/* Measure all forms again, with spec->form ignored, and keep the results in `entry` (llama_kept.h, whose
 * lock the caller holds). Takes about `seconds` and what writing out takes. */
PAWL_MUST_CHECK enum pawl_status
pawl_llama_weights_measure(const struct pawl_llama_weights_spec *spec, double seconds,
                           json_t *entry, struct pawl_error *err);

/* The form that spec->form stands for by this entry; NULL where none is kept. */
const char *pawl_llama_weights_kept(const struct pawl_llama_weights_spec *spec,
                                    const json_t *entry);

/* Load a model as the engine does, with as many layers on a GPU as it holds, where libllama was built
 * with one (cmake -DPAWL_GPU=ON); NULL when libllama cannot. A GPU in use does not survive a fork: a
 * model that is opened beside one that is there already is tried out and measured on the CPU. */
struct llama_model *pawl_llama_load(const char *path);
bool pawl_llama_offloads(void); /* a model loaded now would have layers on a GPU */
/* A context as the engine uses it. */
struct llama_context_params pawl_llama_context_params(size_t context_tokens,
                                                      const struct pawl_llama_pace *pace);

/* Start libllama once per process; its messages are kept back, the last error per thread. */
void pawl_llama_start(void);
const char *pawl_llama_last_error(void);

#endif
