/*
 * special.h - the handful of special functions that the statistics stand on.
 *
 * Invariants
 *   1. Pure and thread-safe: no errno, no signgam, no state.
 *   2. All logarithms are natural. A probability of 0 has the logarithm -INFINITY.
 *   3. Tails are summed from their largest term outwards and never taken as 1 - (almost 1), so that
 *      small probabilities keep their relative precision (about 1e-13).
 *
 *     double z = pawl_normal_quantile(0.975);            1.959963984540054
 *     double p = pawl_binomial_half_upper(9, 10);        11 / 1024
 */
#ifndef PAWL_GATE_SPECIAL_H
#define PAWL_GATE_SPECIAL_H

#include <stddef.h>
#include <stdint.h>

double pawl_log_gamma(double x); /* x > 0; lgamma without its global sign */
double pawl_log_choose(double n, double k);
double pawl_log_add(double a, double b);            /* ln(e^a + e^b) */
double pawl_log_sum(const double *terms, size_t n); /* ln(sum of e^terms); n = 0 gives -INFINITY */

/* P(Bin(n, p) = k). Costs three lgamma. */
double pawl_binomial_pmf(uint64_t k, uint64_t n, double p);
/* P(Bin(n, 1/2) = k) and P(Bin(n, 1/2) >= k). Exact integers for n <= 60, else from lgamma. */
double pawl_binomial_half_pmf(uint64_t k, uint64_t n);
double pawl_binomial_half_upper(uint64_t k, uint64_t n);

double pawl_normal_cdf(double z);
double pawl_normal_quantile(double p); /* p in (0,1); the ends give -INFINITY and INFINITY */

/* Regularised incomplete beta I_x(a, b), by Lentz's continued fraction, and its inverse in x. */
double pawl_beta_cdf(double x, double a, double b);
double pawl_beta_quantile(double p, double a, double b);

/* Student's t with df > 0 degrees of freedom: P(T <= t), P(T > t), and the quantile. */
double pawl_student_cdf(double t, double df);
double pawl_student_upper(double t, double df);
double pawl_student_quantile(double p, double df);
/* P(T > t) for the noncentral t, by Simpson's rule over the chi part. Precision about 1e-10. */
double pawl_student_noncentral_upper(double t, double df, double noncentrality);

#endif
