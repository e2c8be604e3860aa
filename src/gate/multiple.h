/*
 * multiple.h - several hypotheses at once.
 *
 * For claims of the kind "some metric improved" and for a batch of candidates judged together. A
 * stream of candidates over time is levels.h; several guards that must all pass need no correction.
 */
#ifndef PAWL_GATE_MULTIPLE_H
#define PAWL_GATE_MULTIPLE_H

#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>

/* Adjusted p-values in the order of p; reject where adjusted <= alpha.
 * Holm 1979 controls the chance of any false rejection under every dependence; Benjamini & Hochberg
 * 1995 the expected share of false ones when the tests are independent or positively dependent. */
void pawl_holm(const double *p, size_t n, double *adjusted, struct pawl_arena *arena);
void pawl_bh(const double *p, size_t n, double *adjusted, struct pawl_arena *arena);

/* e-BH (Wang & Ramdas 2022): rejects the k largest e-values for the greatest k with
 * e_(k) >= n / (alpha k). False discovery rate <= alpha under every dependence. Gives k. */
size_t pawl_ebh(const double *e, size_t n, double alpha, bool *rejected, struct pawl_arena *arena);

#endif
