/*
 * choices.h - probabilities of choices among themselves.
 *
 * A reply's choice_logprobs are about all answers that the model could give; most of the probability may
 * lie elsewhere. Held to the list, the probabilities sum to one. A model also prefers some words
 * whatever it reads: `prior`, the log-probabilities of the same choices after an input without
 * content ("N/A"), takes that out (Zhao et al. 2021, "Calibrate Before Use": divide and normalise).
 *
 *     pawl_choice_probabilities(reply.choice_logprobs, NULL, n_choices, probabilities);
 */
#ifndef PAWL_LM_CHOICES_H
#define PAWL_LM_CHOICES_H

#include <stddef.h>

/* Gives n probabilities that sum to 1; equal ones where every choice is impossible. `prior` may be
 * NULL; a choice whose prior is impossible (-INFINITY) keeps its own probability. */
void pawl_choice_probabilities(const double *logprobs, const double *prior, size_t n,
                               double *probabilities);

#endif
