/*
 * eprocess.h - evidence that may be looked at after every observation.
 *
 * An e-process is the wealth of a gambler who bets against the null at fair odds: it starts at 1,
 * is never negative, and under the null has expectation at most 1 at every stopping time. So
 * P(it ever reaches 1/alpha) <= alpha (Ville), however often anybody looks.
 *
 *   sign mixture   pass/fail, one sample, independent cases. Null: P(win) <= P(loss).
 *                  Bets a share lambda of the wealth on each discordant case, mixed uniformly over
 *                  lambda in [0,1]; the integral is closed:  E(w,l) = sum_{k<=w} C(n+1,k) / ((n+1) C(n,w)).
 *   grid mixture   bounded differences (means of samples, sums over clusters). Null: E[d | past] <= m0.
 *                  64 gamblers with fixed stakes, averaged.
 *
 * Invariants
 *   1. The state is the whole truth: E is a function of it, and so a verifier recomputes E from
 *      counts (sign) or from the observations (grid). Neither depends on their order.
 *   2. A tie multiplies the sign mixture by 1.
 *   3. One observation is one independent unit. Samples of one case are not, cases of one cluster
 *      are not (gate-level rule: decide.h).
 *
 *     struct pawl_sign sign = {0};
 *     pawl_sign_step(&sign, candidate > incumbent ? 1 : candidate < incumbent ? -1 : 0);
 *     if (pawl_sign_log_e(&sign) >= -log(alpha)) ...
 *
 * Sources: Waudby-Smith & Ramdas, JRSS-B 2024; Ramdas, Gruenwald, Vovk & Shafer 2023.
 */
#ifndef PAWL_GATE_EPROCESS_H
#define PAWL_GATE_EPROCESS_H

#include <stddef.h>
#include <stdint.h>

struct pawl_sign {
    uint64_t wins, losses, ties;
};
/* Count one case: outcome > 0 is a win of the candidate, < 0 a loss, 0 a tie. */
void pawl_sign_step(struct pawl_sign *sign, int outcome);
/*
 * ln E(wins, losses).
 * Costs   at most `wins` multiplications; no cancellation, relative error of E below 1e-12.
 */
double pawl_sign_log_e(const struct pawl_sign *sign);

enum { PAWL_GRID_SIZE = 64 };
struct pawl_grid {
    double m0;
    double log_wealth[PAWL_GRID_SIZE];
};
/* m0 in (-1, 1): 0 tests superiority, a positive m0 a gain of at least that much, a negative one
 * non-inferiority with that margin. */
void pawl_grid_init(struct pawl_grid *grid, double m0);
/* One observation d in [-1, 1]. */
void pawl_grid_step(struct pawl_grid *grid, double d);
/* One observation given as its excess over the null, in [-(1+m0), 1-m0]: what a cluster of fewer
 * than the largest number of cases needs, whose share of m0 is smaller. */
void pawl_grid_step_excess(struct pawl_grid *grid, double excess);
double pawl_grid_log_e(const struct pawl_grid *grid);
/* The stake of gambler g in [0, PAWL_GRID_SIZE). */
double pawl_grid_stake(double m0, size_t g);

/* The log-wealth of one gambler with a fixed stake after one more x: adds ln(1 + stake (x - mean)).
 * -INFINITY is ruin, from which there is no return. */
double pawl_betting_step(double log_wealth, double x, double mean, double stake);

#endif
