/*
 * paired.h - tests for one planned look at paired scores.
 *
 * A difference is d = candidate - incumbent on one case; larger is better. Every test here is valid
 * once, at a size fixed before the scores were seen. To look as the scores arrive use eprocess.h.
 *
 * Invariants
 *   1. No evidence is never a discovery: no discordant case, or all differences 0, gives p = 1; a
 *      variance of 0 makes the t test undefined (`degenerate`, p = NAN), and nothing promotes on it.
 *   2. Cases of one cluster move together: a sign is flipped for the whole cluster.
 *   3. Clusters are numbered 0 .. n_clusters-1, each used at least once.
 *
 *     struct pawl_mcnemar m = pawl_mcnemar(18, 6);            m.p_greater = 0.0113
 *     struct pawl_signflip s = pawl_signflip(sums, n, &random, &step);
 */
#ifndef PAWL_GATE_PAIRED_H
#define PAWL_GATE_PAIRED_H

#include "base/arena.h"
#include "base/random.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pawl_mcnemar {
    double p_greater;    /* P(Bin(wins + losses, 1/2) >= wins): the candidate is better */
    double p_two_sided;  /* min(1, twice the smaller tail) */
    double midp_greater; /* less conservative; for reports only, never for a decision */
};
/* The exact McNemar test. Costs O(wins + losses). McNemar 1947; Fay 2010. */
struct pawl_mcnemar pawl_mcnemar(uint64_t wins, uint64_t losses);

struct pawl_signflip {
    double mean;
    double p_greater, p_two_sided;
    uint64_t flips; /* random flips drawn; 0 when p is exact */
};
enum { PAWL_SIGNFLIP_EXACT_MAX = 20, PAWL_SIGNFLIP_FLIPS = 99999 };
/*
 * The sign-flip permutation test of "d is symmetric about 0".
 *
 * Takes   d[0..n): independent observations; for clusters their sums (pawl_cluster_sums).
 * Gives   exact p-values when at most 20 differences are not 0, or all of those have one size
 *         (then the number of plus signs is binomial); else (1 + #extreme) / (1 + flips), valid
 *         for any number of flips. Sums within 1e-12 * sum |d| of the observed one count as ties.
 * Costs   at most 2^20 additions exact; else about n * 99,999, and fewer flips (at least 999)
 *         when that is over 10^9. Good 2005.
 */
struct pawl_signflip pawl_signflip(const double *d, size_t n, struct pawl_random *random,
                                   struct pawl_arena *arena);

/* out[g] = sum of x over cluster g. */
void pawl_cluster_sums(const double *x, const size_t *cluster, size_t n, double *out,
                       size_t n_clusters);

struct pawl_paired_t {
    double mean, se, t, df;
    double p_greater, p_two_sided;
    double lo, hi;   /* two-sided interval at the confidence asked for */
    bool degenerate; /* all differences equal: t and p are NAN, lo = hi = mean */
};
/* n >= 2. A quick interval for n >= 30 or so. */
struct pawl_paired_t pawl_paired_t(const double *d, size_t n, double confidence);

/* Non-inferiority by t: the candidate is not worse by `margin` or more. */
struct pawl_noninferiority {
    double lower_bound; /* one-sided, at level alpha */
    bool noninferior;   /* lower_bound > -margin */
};
struct pawl_noninferiority pawl_noninferiority_t(const double *d, size_t n, double margin,
                                                 double alpha);

struct pawl_clustered {
    double mean;
    double se_naive;     /* as if cases were independent; shown beside, never used */
    double se;           /* clustered */
    double se_corrected; /* times sqrt(G / (G-1)) */
    double lo, hi;       /* NAN below PAWL_CLUSTERS_MIN clusters */
};
enum { PAWL_CLUSTERS_MIN = 10, PAWL_CLUSTERS_MANY = 40 };
/*
 * The mean over cases and its standard error when only clusters are independent.
 *
 * Gives   an interval from the normal distribution, or below 40 clusters from se_corrected and t
 *         with G-1 degrees of freedom; none below 10 clusters: use pawl_signflip on the sums.
 * Source  Miller 2024, arXiv 2411.00640.
 */
struct pawl_clustered pawl_clustered(const double *x, const size_t *cluster, size_t n,
                                     size_t n_clusters, double confidence,
                                     struct pawl_arena *arena);

double pawl_mean(const double *x, size_t n);
/* The sample variance, divisor n - 1; n >= 2. */
double pawl_variance(const double *x, size_t n);

#endif
