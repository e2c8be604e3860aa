/*
 * plan_clusters.h - what a sealed set with clusters can certify under a sequential look.
 *
 * The gate divides every cluster's sum by the largest size M (decide.h), so the bets on all others
 * are small when one cluster is large: N cases move the evidence like N / M full units at most. How
 * much that costs is found by simulation, with the cases of a cluster taken as independent and the
 * same random numbers for every gain, so that power grows with the gain.
 *
 *     size_t sizes[] = {46, 3, 1, 2, ...};
 *     struct pawl_plan plan = {PAWL_LOOK_SEQUENTIAL, .level = 0.04, .n = n, .discordance = 0.2};
 *     double gain = pawl_plan_clusters_smallest_gain(&plan, sizes, 0.80, &arena);
 */
#ifndef PAWL_GATE_PLAN_CLUSTERS_H
#define PAWL_GATE_PLAN_CLUSTERS_H

#include "gate/plan.h"

/* P(promote) at a true gain in [0, 1]. sizes[plan->n], each at least 1.
 * Costs   up to 16 million multiplications. The standard error is .0125 up to 10,000 of them a run, and
 *         at most .05. */
double pawl_plan_clusters_power(const struct pawl_plan *plan, const size_t *sizes, double gain,
                                struct pawl_arena *arena);
/* The least gain with that power, to .0025; NAN when not even a gain of 1 has it. */
double pawl_plan_clusters_smallest_gain(const struct pawl_plan *plan, const size_t *sizes,
                                        double power, struct pawl_arena *arena);
/* The limit on a cluster's size, among halves of halves of the largest, with the least certifiable
 * gain if what exceeds it stays out, and that gain; the largest itself when nothing is won. */
size_t pawl_plan_clusters_best_cap(const struct pawl_plan *plan, const size_t *sizes, double power,
                                   double *gain, struct pawl_arena *arena);
/* sizes[n] with what exceeds the cap cut off, in the arena. */
size_t *pawl_plan_clusters_capped(const size_t *sizes, size_t n, size_t cap,
                                  struct pawl_arena *arena);

#endif
