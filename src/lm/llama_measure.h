/*
 * llama_measure.h - how fast a model is here, measured as the engine would run it.
 *
 * One repetition is a batch of prompt tokens and one decode of as many answers as the engine writes
 * together. Machines are shared: what counts is the CPU time, divided by the threads, and of several
 * repetitions the best of each, as others can only make it slower. Only how many threads are best, and
 * what a GPU does, is seen on the wall's clock. The two speeds are weighed by what an evaluation does: `case_seconds` is a case of
 * 64 tokens that nobody shares and 32 of answer.
 *
 * It is done in a child (llama_child.h), on a thread of its own there: the OpenMP runtime keeps its
 * helpers by the thread that called them, and a fork leaves those behind.
 */
#ifndef PAWL_LM_LLAMA_MEASURE_H
#define PAWL_LM_LLAMA_MEASURE_H

#include "base/error.h"

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
    bool by_wall;         /* else by CPU time */
    double seconds;       /* for all paces together; each is measured twice in any case */
};
/* Measure the paces in turn: speeds[i] of paces[i]. Fails as pawl_llama_child_run. */
PAWL_MUST_CHECK enum pawl_status pawl_llama_measure(const char *path,
                                                    const struct pawl_llama_measuring *measuring,
                                                    struct pawl_llama_speed *speeds,
                                                    struct pawl_error *err);

#endif
