/*
 * llama_tune.h - the machine's choice of threads, batch and weights for a model, measured at leisure.
 *
 * What the engine measures by itself is the form of the weights. Here a person asks for more: five
 * seconds for every quantity, one after another, each with the others as they are by then. What was
 * kept stays unless another value is clearly faster, so that tuning twice gives the same.
 */
#ifndef PAWL_LM_LLAMA_TUNE_H
#define PAWL_LM_LLAMA_TUNE_H

#include "lm/llama_kept.h"
#include "lm/llama_weights.h"

/*
 * Takes   spec: its form is the one of pawl.yaml, its pace the one in use; fixed: what pawl.yaml sets of
 *         the pace, 0 where it sets nothing. The lock of llama_kept.h is held.
 * Gives   the results in *entry, to be put.
 * Fails   PAWL_ECONFIG when the model cannot be used.
 * Blocks  about half a minute, and what writing out takes.
 */
PAWL_MUST_CHECK enum pawl_status pawl_llama_tune(const struct pawl_llama_weights_spec *spec,
                                                 const struct pawl_llama_pace *fixed, json_t *entry,
                                                 struct pawl_error *err);
/* The pace in force: `fixed` where it is set, else what is kept, else one thread per core and the
 * largest batch. */
struct pawl_llama_pace pawl_llama_pace_in_use(const struct pawl_llama_pace *fixed,
                                              const json_t *entry);

#endif
