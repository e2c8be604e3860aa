/*
 * gepa_front.h - what the fronts of gepa are of: dev cases, named scores of the metric, or both.
 *
 *     frontier     a front for every             the number that makes a candidate a member
 *     instance     dev case                      its score
 *     objective    name                          the mean over dev of what the metric gave by it
 *     hybrid       dev case, and name            both of these
 *     cartesian    dev case and name             what the metric gave by it on the case
 *
 * Invariants
 *   1. A front is a column of pareto.h. Columns are only ever appended: a name that the metric gives for
 *      the first time gets fronts of its own, in which the candidates before it are not.
 *   2. What a candidate is worth as a whole (pruning, best, the gate) is the mean of its scores, whatever
 *      the fronts are of.
 *   3. An answer that was not given a name counts 0 in the name's mean, and the world's losses count in none.
 *      So a candidate gains nothing by failing where it would have been named badly. (The published code
 *      divides by the answers that have the name; the same where all have.)
 *   4. At most PAWL_FRONT_NAMES_MAX names; later ones are in no front.
 *
 *     pawl_fronts_init(&fronts, "hybrid", n_dev, arena);
 *     PAWL_TRY(pawl_fronts_admit(&fronts, host, step, candidate, scores, &mean, err));
 *     uint32_t parent = pawl_pareto_draw(&fronts.pareto, random);
 *
 * Costs   as pareto.h; with cartesian, its cases are cases x names.
 */
#ifndef PAWL_OPERATORS_GEPA_FRONT_H
#define PAWL_OPERATORS_GEPA_FRONT_H

#include "operators/host.h"
#include "operators/pareto.h"

enum { PAWL_FRONT_NAMES_MAX = 64 };
#define PAWL_FRONT_CHOICES "instance|objective|hybrid|cartesian"

struct pawl_fronts {
    struct pawl_pareto pareto;
    const char *frontier;
    size_t n_dev, n_names;
    const char *names[PAWL_FRONT_NAMES_MAX]; /* in the order of their columns */
    struct pawl_arena *arena;
};

/* `frontier` is one of PAWL_FRONT_CHOICES; it and `arena` live as long as the fronts. */
void pawl_fronts_init(struct pawl_fronts *fronts, const char *frontier, size_t n_dev,
                      struct pawl_arena *arena);
/* Step. Score a candidate on dev and let it join the fronts; its number there is the count before. Gives
 * scores[n_dev], NAN where missing, and their mean. Fails as pawl_host_evaluate does, and PAWL_ECONFIG when
 * the first candidate shows that the metric names no scores although the fronts are of names. */
PAWL_MUST_CHECK enum pawl_status pawl_fronts_admit(struct pawl_fronts *fronts,
                                                   struct pawl_host *host, struct pawl_arena *step,
                                                   uint32_t candidate, double *scores, double *mean,
                                                   struct pawl_error *err);
/* The second half of that, for results that are there: results[n_dev]. */
void pawl_fronts_add(struct pawl_fronts *fronts, const struct pawl_host_result *results,
                     double mean);

#endif
