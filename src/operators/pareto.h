/*
 * pareto.h - who is best on which case, and which candidates a near-minimal cover of that needs.
 *
 * For every case (or whatever else scores are of: gepa_front.h) the front is the set of candidates with
 * the highest score on it. GEPA's parent
 * selection prunes: candidates are taken in ascending order of mean (then of number), and one is
 * removed when every front that holds it also holds another candidate not yet removed. Survivors
 * are drawn in proportion to the fronts they are in. (Agrawal et al. 2025, arXiv 2507.19457.)
 *
 * The pruning needs no search. While y is looked at, all candidates after it in the order are still
 * there; so y can only survive through a case of which it is the *last* member in the order. Hence
 * survivors are found among at most one candidate per case, each kept iff one of "its" cases is not
 * in a front of an earlier survivor. `last` is kept up to date as candidates are added.
 *
 * Costs   add: cases, amortised (a front that a new best empties is looked at from its oldest member
 *         on, and nobody is older than the last emptying). Select: cases x log cases, and one row of
 *         cases/64 words per survivor. Memory: one bit per candidate and case.
 */
#ifndef PAWL_OPERATORS_PARETO_H
#define PAWL_OPERATORS_PARETO_H

#include "base/arena.h"
#include "base/random.h"

#include <stdint.h>

struct pawl_pareto {
    size_t n_cases, n_words;
    uint32_t n_candidates, capacity;
    double *best;      /* [n_cases], -INFINITY while nobody scored */
    uint32_t *oldest;  /* [n_cases], the front's first member by number */
    uint32_t *last;    /* [n_cases], the front's last member in the order */
    uint64_t *members; /* [n_candidates][n_words], bit c: in the front of case c */
    double *means;     /* [n_candidates] */
    struct pawl_arena *arena;
    /* scratch of select, kept to be reused */
    uint32_t *survivors; /* [n_cases] */
    uint64_t *covered;   /* [n_words] */
    size_t n_survivors;
    bool fresh; /* survivors are of the present fronts */
};

/* `arena` lives as long as the fronts. */
void pawl_pareto_init(struct pawl_pareto *pareto, size_t n_cases, struct pawl_arena *arena);
/* Have so many cases from now on, at least as many as before; nobody has a score on the new ones. Costs a
 * copy of all members' bits. */
void pawl_pareto_widen(struct pawl_pareto *pareto, size_t n_cases);
/* Add the next candidate; its number is the count before. scores[n_cases], NAN where missing. */
uint32_t pawl_pareto_add(struct pawl_pareto *pareto, const double *scores, double mean);
/* Survivors in the order of pruning; borrowed until the next add. */
const uint32_t *pawl_pareto_survivors(struct pawl_pareto *pareto, size_t *n);
/* The number of fronts that a candidate is in. */
size_t pawl_pareto_weight(const struct pawl_pareto *pareto, uint32_t candidate);
/* Draw a survivor in proportion to its weight; 0 when nobody has scored. */
uint32_t pawl_pareto_draw(struct pawl_pareto *pareto, struct pawl_random *random);
/* The same as if only `members` were in the fronts; false when none of them is in any. Costs
 * n_members x n_members x cases/64: for a few. */
bool pawl_pareto_draw_among(const struct pawl_pareto *pareto, const uint32_t *members,
                            size_t n_members, struct pawl_random *random, uint32_t *drawn);

#endif
