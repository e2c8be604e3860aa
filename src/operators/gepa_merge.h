/*
 * gepa_merge.h - GEPA's crossover: two good candidates that come from a common ancestor, and in each
 * component the text of the one that has changed it since (Agrawal et al. 2025, arXiv 2507.19457,
 * algorithm 4).
 *
 * Invariants
 *   1. Neither of the two is an ancestor of the other; the ancestor is no better than either; and in at
 *      least one component exactly one of the two has kept the ancestor's text.
 *   2. The same two with the same ancestor are proposed once, and so is the same choice from the same two.
 *   3. What is proposed depends on the pool and the random stream alone.
 *
 * The pool is the operator's: members are numbers, and a text is asked for by `same`.
 *
 *     struct pawl_merge merge;
 *     if (pawl_merge_propose(&merger, survivors, n, random, &merge))
 *         for (size_t c = 0; c < merger.n_components; c++)
 *             take component c of (merge.from_second[c] ? merge.second : merge.first)
 */
#ifndef PAWL_OPERATORS_GEPA_MERGE_H
#define PAWL_OPERATORS_GEPA_MERGE_H

#include "base/arena.h"
#include "base/random.h"

#include <stdint.h>

enum { PAWL_MERGE_CASES = 5, PAWL_MERGE_NONE = UINT32_MAX };

struct pawl_merge {
    uint32_t first, second, ancestor; /* first < second */
    bool *from_second;                /* [n_components] */
};

struct pawl_merger {
    struct pawl_arena *arena; /* as long as the pool lives */
    size_t n_components;
    bool (*same)(const void *context, uint32_t a, uint32_t b, size_t component);
    const void *context;
    /* one entry per member, in the order in which they joined */
    uint32_t n_members, capacity;
    uint32_t (*parents)[2]; /* PAWL_MERGE_NONE where there is none */
    double *means;
    const double **scores; /* on dev, NAN where missing */
    size_t n_dev;
    /* what was proposed before */
    struct pawl_merge *tried;
    size_t n_tried, tried_capacity;
};

/* A member joins the pool; its parents joined before. scores[n_dev] are copied. */
void pawl_merge_join(struct pawl_merger *merger, uint32_t first_parent, uint32_t second_parent,
                     double mean, const double *scores);
/* Draw from the members that are worth it; false when nothing is found within a hundred draws. */
bool pawl_merge_propose(struct pawl_merger *merger, const uint32_t *worthy, size_t n_worthy,
                        struct pawl_random *random, struct pawl_merge *merge);
/*
 * Dev cases to try the child on: at most two on which the first is better, two on which the second is,
 * two on which they are equal, and any others up to PAWL_MERGE_CASES. All are cases that both have
 * answered; there are so many, or the merge was not proposed.
 */
void pawl_merge_cases(const struct pawl_merger *merger, const struct pawl_merge *merge,
                      struct pawl_random *random, uint32_t cases[PAWL_MERGE_CASES]);
/* The sum that the child must reach on them. */
double pawl_merge_bar(const struct pawl_merger *merger, const struct pawl_merge *merge,
                      const uint32_t cases[PAWL_MERGE_CASES]);

#endif
