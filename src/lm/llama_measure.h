/*
 * llama_measure.h - how fast a model is here, measured as the engine would run it.
 *
 * One repetition is a batch of prompt tokens and one decode of as many answers as the engine writes
 * together. Machines are shared: of several repetitions the best of each counts, as others can only
 * make it slower. The two speeds are weighed by what an evaluation does: `case_seconds` is a case of
 * 64 tokens that nobody shares and 32 of answer.
 *
 * Only in a child (llama_child.h). It computes on a thread of its own: the OpenMP runtime keeps its
 * helpers by the thread that called them, and a fork leaves those behind.
 */
#ifndef PAWL_LM_LLAMA_MEASURE_H
#define PAWL_LM_LLAMA_MEASURE_H

#include <llama.h>
#include <stdbool.h>
#include <stddef.h>

/* How the engine computes; all of them >= 1. */
struct pawl_llama_pace {
    int n_threads;
    size_t batch_tokens;  /* of one decode, at most PAWL_LLAMA_BATCH */
    size_t ubatch_tokens; /* that libllama computes at once, at most batch_tokens */
};
struct pawl_llama_speed {
    double prompt, answer; /* tokens a second; 0: not measured */
};
double pawl_llama_case_seconds(const struct pawl_llama_speed *speed);
/* True where `speed` beats `kept` by more than noise does: a tenth of the time. */
bool pawl_llama_is_clearly_faster(const struct pawl_llama_speed *speed,
                                  const struct pawl_llama_speed *kept);

struct pawl_llama_measuring {
    const struct pawl_llama_pace *paces;
    size_t n;
    size_t prompt_tokens; /* of one repetition, at most PAWL_LLAMA_BATCH */
    double seconds;       /* for all paces together; each is measured twice in any case */
};
/* Measure the paces in turn: speeds[i] of paces[i]. What libllama cannot do is refused. */
void pawl_llama_measure(struct llama_model *model, const struct pawl_llama_measuring *measuring,
                        struct pawl_llama_speed *speeds);

#endif
