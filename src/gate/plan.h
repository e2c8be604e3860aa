/*
 * plan.h - what a sealed set can certify, before any money is spent.
 *
 * Pass/fail on n independent units with discordance psi (the share of units on which candidate and
 * incumbent differ) and gain delta = P(win) - P(loss). The sequential figures are exact, not
 * simulated: the boundary depends on (wins, losses) alone, so the first passage is a walk over the
 * discordant units, and the number of those in n units is binomial.
 *
 * Invariants
 *   1. A gain needs discordance: delta > psi is planned with psi = delta (the candidate never loses).
 *   2. Power grows with the gain, so the smallest certifiable gain is found by bisection.
 *   3. For clusters or sample means (unit grid) the figures are a guide: they are those of as many
 *      pass/fail units. pawl_plan_grid_power simulates the grid mixture itself.
 *
 *     struct pawl_plan plan = {PAWL_LOOK_SEQUENTIAL, .level = 0.05, .n = 60, .discordance = 0.2};
 *     double gain = pawl_plan_smallest_gain(&plan, 0.80, &arena);                  about 0.18
 */
#ifndef PAWL_GATE_PLAN_H
#define PAWL_GATE_PLAN_H

#include "gate/decide.h"

#include "base/arena.h"
#include "base/random.h"

#include <stddef.h>
#include <stdint.h>

/* Larger sets are planned as this many units: gains below one point are certifiable there. */
enum { PAWL_PLAN_MAX = 100000 };
struct pawl_plan {
    enum pawl_gate_look look;
    double level;       /* sequential: promote at E >= 1/level; fixed: at p <= level */
    size_t n;           /* units: gate clusters */
    double discordance; /* psi in [0, 1]; measure it by an A/A run, 0.2 if not known */
};
/* P(promote) at a true gain in [0, 1]; at gain 0 the real size of the gate.
 * Costs about (n psi)^1.5 additions; an arena of 40 bytes per unit. */
double pawl_plan_power(const struct pawl_plan *plan, double gain, struct pawl_arena *arena);
/* The least gain with that power, to 1e-4; NAN when not even a gain of 1 has it. */
double pawl_plan_smallest_gain(const struct pawl_plan *plan, double power,
                               struct pawl_arena *arena);
/* The fewest units (plan->n is not used) with that power at this gain; 0 when more than
 * PAWL_PLAN_MAX. Exact for the sequential look; for the fixed one, whose power is a saw, a size
 * with the power below which bisection found one without. */
size_t pawl_plan_units(const struct pawl_plan *plan, double gain, double power,
                       struct pawl_arena *arena);
/* The fewest wins without a loss that promote: "12:0". 0 when there is no such number below 10^4. */
uint64_t pawl_plan_smallest_wins(enum pawl_gate_look look, double level);

/*
 * P(promote) of the grid mixture against m0 for differences of -1, 0 and 1, by simulation.
 * At gain 0 and m0 = -margin: the chance that an unchanged candidate passes a guard. Print it
 * before anybody relies on the guard; n = 300, psi = .2 gives .08 at margin .02.
 * Costs   at most runs * n * 64 multiplications.
 */
double pawl_plan_grid_power(const struct pawl_plan *plan, double gain, double m0, size_t runs,
                            struct pawl_random *random);

/* --- sample sizes in closed form; the ceiling is the number to run --------------------------- */

/* Scores of any kind, two-sided (Miller 2024, eq. 9): omega2 variance of the true difference over
 * cases, sigma2 sampling variance of a case in each arm, K samples per case. */
struct pawl_miller {
    double omega2, sigma2_a, sigma2_b, samples;
};
double pawl_plan_miller_n(const struct pawl_miller *noise, double gain, double alpha, double power);
/* Pass/fail, one planned McNemar test, one-sided (Connor 1987). gain <= discordance. */
double pawl_plan_connor_n(double discordance, double gain, double alpha, double power);
/* Paired t, one-sided; effect = mean difference / standard deviation. Solves the noncentral t. */
double pawl_plan_paired_t_n(double effect, double alpha, double power);

#endif
