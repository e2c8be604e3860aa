/*
 * gain.h - how much better one candidate did than another, on the cases that both have answered: what the
 * world lost for one of them favours neither.
 */
#ifndef PAWL_OPERATORS_GAIN_H
#define PAWL_OPERATORS_GAIN_H

#include <stddef.h>

/* The mean of after - before over n cases, those aside where either is NAN; NAN when none is left. A
 * difference that is rounding alone is 0. */
double pawl_gain(const double *after, const double *before, size_t n);

#endif
