/*
 * intervals.h - how precisely a figure is known.
 *
 * For people and for safety claims; the gate decides on none of these.
 *
 *     struct pawl_interval ci = pawl_wilson(45, 50, 0.95);        0.786 .. 0.957
 *     double worst = pawl_zero_failures_upper(300, 0.95);         0.0099
 */
#ifndef PAWL_GATE_INTERVALS_H
#define PAWL_GATE_INTERVALS_H

#include "base/arena.h"
#include "base/random.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pawl_interval {
    double lo, hi;
};

/* One pass rate, k of n. Wilson 1927; n = 0 gives [0, 1]. */
struct pawl_interval pawl_wilson(uint64_t k, uint64_t n, double confidence);
/* The same with guaranteed coverage, wider. Clopper & Pearson 1934; n = 0 gives [0, 1]. */
struct pawl_interval pawl_clopper_pearson(uint64_t k, uint64_t n, double confidence);
/* No failure in n trials: the one-sided upper limit of the failure rate, 1 - alpha^(1/n). */
double pawl_zero_failures_upper(uint64_t n, double confidence);
/* A lower limit for the mean of n independent values in an interval of width `range` (2 for paired
 * differences). Certain, and loose. Hoeffding 1963. */
double pawl_hoeffding_lower(double mean, size_t n, double alpha, double range);

/*
 * The mean of values in [lo, hi] when all n independent ones that were seen are `value`: at most a
 * share pawl_zero_failures_upper(n) of them differs, and those may lie anywhere. Certain; a standard
 * error of 0 or a bootstrap would claim to know the mean exactly.
 */
struct pawl_interval pawl_mean_of_equal(double value, size_t n, double confidence, double lo,
                                        double hi);

/* Waudby-Smith et al., AoS 2024, Prop. 2.5: a band valid at all times, but only asymptotically.
 * For people to look at; never gate on it. */
struct pawl_asymptotic_cs {
    double rho, margin;
    struct pawl_interval ci;
};
struct pawl_asymptotic_cs pawl_asymptotic_cs(double mean, double variance, size_t n, double alpha);

struct pawl_bootstrap {
    struct pawl_interval percentile;
    struct pawl_interval bca; /* equal to percentile when bca_undefined */
    double acceleration;      /* from the jackknife; deterministic */
    bool bca_undefined;       /* all values equal, or all resampled means on one side: say so */
};
/*
 * Bootstrap intervals of a mean. Efron & Tibshirani 1993.
 * Takes   x[0..n), n >= 1; resamples >= 1. Costs n * resamples draws, 8 bytes per resample.
 */
struct pawl_bootstrap pawl_bootstrap_mean(const double *x, size_t n, double confidence,
                                          size_t resamples, struct pawl_random *random,
                                          struct pawl_arena *arena);

/*
 * The mean of scores in [0, 1], of which only clusters are independent, as `pawl eval` shows it:
 *
 *     0 and 1 alone, no shared cluster    Wilson
 *     the clusters' means all equal       pawl_mean_of_equal over clusters
 *     shared clusters, 10 or more         pawl_clustered
 *     otherwise                           the bootstrap of the clusters' means
 *
 * Takes   cluster[0..n) in 0..n_clusters, each used; n = 0 gives [0, 1]. Lies within [0, 1].
 */
struct pawl_interval pawl_score_interval(const double *scores, const size_t *cluster, size_t n,
                                         size_t n_clusters, double confidence, uint64_t seed);

#endif
