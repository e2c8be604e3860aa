/*
 * simba_pool.h - the programs of a stochastic ascent: what each was worth, and drawing one by that.
 *
 * Invariants
 *   1. Member 0 is the start; it is always among those that may be drawn.
 *   2. A missing score is in no mean; a member without scores has the mean 0.
 *   3. Ties go to the older member.
 *
 *     struct pawl_simba_draw draw = pawl_simba_draw_of(&pool, 6, 0.2, &step);
 *     size_t member = pawl_simba_draw(&draw, pawl_host_random(host));
 */
#ifndef PAWL_OPERATORS_SIMBA_POOL_H
#define PAWL_OPERATORS_SIMBA_POOL_H

#include "base/arena.h"
#include "base/random.h"

struct pawl_simba_member {
    uint32_t candidate;
    double sum;
    size_t n; /* scores in the sum */
};
struct pawl_simba_pool {
    struct pawl_simba_member *members; /* [n], in `arena` */
    size_t n, capacity;
    struct pawl_arena *arena;
};
/* Gives the member's number; one that is there already is found again. */
size_t pawl_simba_pool_add(struct pawl_simba_pool *pool, uint32_t candidate, bool *is_new);
double pawl_simba_pool_mean(const struct pawl_simba_pool *pool, size_t member);

/* Who may be drawn, and how likely: a softmax of the means at a temperature. */
struct pawl_simba_draw {
    size_t *members;     /* [n] best first */
    double *probability; /* [n] */
    size_t n;
};
/* The best k, the start in place of the last of them when it is none. */
struct pawl_simba_draw pawl_simba_draw_of(const struct pawl_simba_pool *pool, size_t k,
                                          double temperature, struct pawl_arena *arena);
size_t pawl_simba_draw(const struct pawl_simba_draw *draw, struct pawl_random *random);

/* exp(x[i] / temperature), normalised. */
void pawl_simba_softmax(const double *x, size_t n, double temperature, double *probability);
/* The share-th part of sorted[n], ascending, between neighbours by proportion; n > 0. */
double pawl_simba_quantile(const double *sorted, size_t n, double share);
/* A number with the Poisson distribution; mean at most 100. */
size_t pawl_simba_poisson(struct pawl_random *random, double mean);

#endif
