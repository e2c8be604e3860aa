/*
 * llama_sample.h - which token comes next, and when to stop.
 */
#ifndef PAWL_LM_LLAMA_SAMPLE_H
#define PAWL_LM_LLAMA_SAMPLE_H

#include "base/random.h"
#include "base/str.h"

#include <llama.h>

struct pawl_llama_sampling {
    double temperature; /* under 1e-4: the likeliest token, the lowest id among equals */
    double top_p;       /* 0 or 1: all tokens */
    struct pawl_random random;
};

bool pawl_llama_is_greedy(const struct pawl_llama_sampling *sampling);

/* Room for sampling from a vocabulary; one per thread. */
struct pawl_llama_urn;
struct pawl_llama_urn *pawl_llama_urn_new(int n_vocab);
void pawl_llama_urn_free(struct pawl_llama_urn *urn);
llama_token pawl_llama_pick(struct pawl_llama_urn *urn, struct pawl_llama_sampling *sampling,
                            const float *logits);

/* Where the first of `stops` begins in text, looking only where the last n_new bytes can complete
 * one; text.len when there is none. */
size_t pawl_llama_find_stop(struct pawl_str text, size_t n_new, const struct pawl_str *stops,
                            size_t n_stops);

#endif
