/*
 * tpe.h - where to look next among combinations of choices (Bergstra et al. 2011: the tree-structured
 * Parzen estimator; categorical and multivariate, with the defaults of Optuna 5).
 *
 * A point picks one choice in each of n_dims dimensions and has a value, the larger the better. The
 * observed points are split into the good (a tenth) and the rest; a mixture l is built over the good,
 * a mixture g over the rest, and the next point is that of some draws from l whose ratio l/g is the
 * largest: what looks like the good and unlike the rest.
 *
 * Invariants
 *   1. What is drawn is determined by the points added, in their order, and the random stream.
 *   2. A mixture has one component per observation and a uniform prior, so that every point has a
 *      density above 0, also when nothing was observed yet.
 *   3. A point that `accepts` refuses is never drawn. False: there is none left that it accepts.
 *
 *     struct pawl_tpe tpe = pawl_tpe_new(n_choices, n_dims, arena);
 *     pawl_tpe_add(&tpe, x, value);
 *     if (!pawl_tpe_draw(&tpe, &random, is_open, context, x)) ... every point was tried
 */
#ifndef PAWL_OPERATORS_TPE_H
#define PAWL_OPERATORS_TPE_H

#include "base/arena.h"
#include "base/random.h"

#include <stdint.h>

enum { PAWL_TPE_DRAWS = 24 };

struct pawl_tpe {
    size_t n_dims;
    const size_t *n_choices; /* [n_dims], each > 0; borrowed */
    uint32_t *points;        /* [n][n_dims], the oldest first */
    double *values;          /* [n] */
    size_t n, capacity;
    struct pawl_arena *arena;
};
typedef bool (*pawl_tpe_accepts)(void *context, const uint32_t *x);

struct pawl_tpe pawl_tpe_new(const size_t *n_choices, size_t n_dims, struct pawl_arena *arena);
void pawl_tpe_add(struct pawl_tpe *tpe, const uint32_t *x, double value); /* a NAN is a bug */
/* The next point by the model. Costs PAWL_TPE_DRAWS * n exponentials. */
bool pawl_tpe_draw(const struct pawl_tpe *tpe, struct pawl_random *random, pawl_tpe_accepts accepts,
                   void *context, uint32_t *x);
/* A point by chance alone: how a search begins. */
bool pawl_tpe_draw_uniform(const struct pawl_tpe *tpe, struct pawl_random *random,
                           pawl_tpe_accepts accepts, void *context, uint32_t *x);

/* Its parts, for tests and for showing why. How many of n observations are good: */
size_t pawl_tpe_n_good(size_t n);
/* Of n observations, the oldest first: all count 1 below 25; above, all but the newest 25 fade. */
void pawl_tpe_weights(size_t n, double *weights);
/* log l(x) - log g(x) */
double pawl_tpe_log_ratio(const struct pawl_tpe *tpe, const uint32_t *x);

#endif
