/*
 * guard_plan.h - the chance that an *equal* candidate passes the guards, before anybody relies on them.
 *
 * A guard that blocks what is as good as the incumbent blocks everything. So every guard is tried on
 * candidates that are equal by construction: on a share `discordance` of the cases such a candidate
 * takes what the incumbent took on another dev case, drawn at random, and on all others what it took
 * on this one. Its means are the incumbent's; its cases are not. Time is never twice the same, so its
 * seconds are always those of another case. The attempts are simulated through
 * guard.h itself, with the same random numbers for every margin, so that the chance grows with it.
 *
 *     struct pawl_guard_sample dev = {.n = 80, .incumbent = values, .anchor = values};
 *     double chance = pawl_guards_chance(&plan, sizes, &dev, 0.2);
 *     if (chance < PAWL_GUARD_CHANCE_MIN) margin = pawl_guard_margin(&plan, i, sizes, &dev, 0.2);
 */
#ifndef PAWL_GATE_GUARD_PLAN_H
#define PAWL_GATE_GUARD_PLAN_H

#include "gate/guard.h"

#define PAWL_GUARD_CHANCE_MIN 0.8

/* What incumbent and anchor took on the dev cases; anchor is not looked at unless it is apart. */
struct pawl_guard_sample {
    size_t n; /* at least 1 */
    double (*incumbent)[PAWL_N_MEASURES], (*anchor)[PAWL_N_MEASURES];
};

/* P(all guards of the plan pass), by simulation; sizes[plan->n_planned] of the clusters, NULL: each
 * one case. The standard error is at most .025.
 * Costs   at most about a second, more where one attempt of 400 takes longer than that. */
double pawl_guards_chance(const struct pawl_guards_plan *plan, const size_t *sizes,
                          const struct pawl_guard_sample *dev, double discordance);
/* The same for guard i alone. */
double pawl_guard_chance(const struct pawl_guards_plan *plan, size_t i, const size_t *sizes,
                         const struct pawl_guard_sample *dev, double discordance);
/* The least margin, to .01, with which guard i alone has PAWL_GUARD_CHANCE_MIN; NAN when none has. For
 * a guard with zero tolerance, what would do in its place. */
double pawl_guard_margin(const struct pawl_guards_plan *plan, size_t i, const size_t *sizes,
                         const struct pawl_guard_sample *dev, double discordance);

#endif
