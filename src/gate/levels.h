/*
 * levels.h - what level the next attempt gets, over the life of a sealed set.
 *
 * Attempts belong to the set, not to a run: every question ever asked of it counts, whoever asked.
 * A policy is a function from the history of answers (one bit per attempt) to the level alpha_k of
 * the next attempt; the gate promotes when E >= 1/alpha_k, or p <= alpha_k at a planned look.
 *
 * Invariants
 *   1. A level depends on alpha, the series and earlier bits alone: a verifier recomputes it.
 *   2. The weights of a series are positive and sum to 1 (at most).
 *   3. The level of attempt k is fixed before its first sealed case.
 *
 *     struct pawl_history history = {bits, n};
 *     double level = pawl_policy_level(pawl_policy_find("e-lond"), &pawl_series_front, 0.05,
 *                                      &history);                    first attempt: 0.04
 */
#ifndef PAWL_GATE_LEVELS_H
#define PAWL_GATE_LEVELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Earlier answers of this sealed set, oldest first: true is `promote`. */
struct pawl_history {
    const bool *promoted;
    size_t n;
};
size_t pawl_history_promotions(const struct pawl_history *history);
/* ln of how many histories of this length with at most as many promotions there could have been;
 * a promotion also tells one of `release_points`. 0 (one history) until the first promotion. */
double pawl_history_log_count(const struct pawl_history *history, unsigned release_points);

/* How a level is spread over attempts t = 1, 2, ... */
struct pawl_series {
    const char *name;
    double (*weight)(uint64_t t);
};
extern const struct pawl_series pawl_series_front;     /* 0.8, then 0.2 * 6/(pi^2 (t-1)^2) */
extern const struct pawl_series pawl_series_quadratic; /* 6/(pi^2 t^2) */
extern const struct pawl_series pawl_series_harmonic;  /* 1/(t (t+1)) */

/* A rule for levels. The registry is fixed; names are those of pawl.yaml `gate.policy`. */
struct pawl_policy {
    const char *name;
    const char *guarantee;     /* what it promises; printed on certificates */
    const char *not_guarantee; /* and what it does not */
    double (*level)(const struct pawl_series *series, double alpha,
                    const struct pawl_history *history);
};
/*
 *   e-lond        alpha gamma_t (R+1), R promotions so far. Xu & Ramdas, AISTATS 2024
 *   fresh         the same levels, where each attempt draws cases that no other one asks
 *   strict        alpha 2^-(r+1) gamma(g_1) ... gamma(g_r) gamma(s): r promotions so far, g_i the
 *                 attempts that promotion i took since the one before, s attempts since the last
 *                 one, counting this
 *   spending      alpha gamma_t, whatever the answers were: for planned looks
 *   per-decision  alpha, every time
 */
#define PAWL_POLICY_FRESH "fresh"
const struct pawl_policy *pawl_policy_find(const char *name); /* NULL if there is none */
const struct pawl_policy *pawl_policy_at(size_t i);           /* NULL past the last */
/* The level of the next attempt, in (0, alpha], or up to 1 under e-lond after many promotions. */
double pawl_policy_level(const struct pawl_policy *policy, const struct pawl_series *series,
                         double alpha, const struct pawl_history *history);

#endif
