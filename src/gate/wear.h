/*
 * wear.h - how much a sealed set has told about itself.
 *
 * Every answer is a bit about the set. An operator that saw k bits with at most r promotions could
 * have arrived at one of N candidates, no more; so a union bound over those N histories limits how
 * far the best-looking candidate can be from the truth. Loose, but certain.
 *
 * Two counts, both exposed:
 *   pawl_wear_transcripts   N = sum_{j<=r} C(k,j), one bit per attempt, one-sided (the old count)
 *   pawl_wear_histories     N = sum_{t<k} sum_{j<=r} C(t,j) T^j: every attempt has its own history
 *                           of earlier answers, and a promotion also tells its release point (one
 *                           of T). This is the honest one; the bound is two-sided.
 *
 *     struct pawl_wear wear = pawl_wear_histories(300, 20, 3, 4, 0.05);   wear.eps
 */
#ifndef PAWL_GATE_WEAR_H
#define PAWL_GATE_WEAR_H

#include <stddef.h>
#include <stdint.h>

struct pawl_wear {
    double log_transcripts; /* ln N */
    double eps;             /* with probability 1 - beta no mean difference is off by more */
};
/* n: cases (clusters) of the set; beta: the chance that the bound fails. Differences in [-1, 1]. */
struct pawl_wear pawl_wear_transcripts(size_t n, uint64_t attempts, uint64_t max_promotions,
                                       double beta);
struct pawl_wear pawl_wear_histories(size_t n, uint64_t attempts, uint64_t max_promotions,
                                     unsigned release_points, double beta);
/* ln sum_{j<=r} C(t,j) T^j: the histories of exactly t answers with at most r promotions. */
double pawl_wear_log_histories_at(uint64_t t, uint64_t max_promotions, unsigned release_points);

/* The Ladder (Blum & Hardt 2015), for a public trend line: a new score is shown, rounded to eta,
 * only when it beats the last one shown by more than eta. Gives what is shown now; start with
 * -INFINITY. Not a gate: it leaks more than a bit. */
double pawl_ladder_step(double shown, double score, double eta);

#endif
