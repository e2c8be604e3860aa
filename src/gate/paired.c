#include "gate/paired.h"

#include "gate/special.h"

#include <math.h>

double pawl_mean(const double *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += x[i];
    return sum / (double)n;
}

double pawl_variance(const double *x, size_t n)
{
    double mean = pawl_mean(x, n), sum = 0;
    for (size_t i = 0; i < n; i++) sum += (x[i] - mean) * (x[i] - mean);
    return sum / (double)(n - 1);
}

struct pawl_mcnemar pawl_mcnemar(uint64_t wins, uint64_t losses)
{
    uint64_t m = wins + losses;
    double greater = pawl_binomial_half_upper(wins, m);
    double less = pawl_binomial_half_upper(losses, m);
    return (struct pawl_mcnemar){
        .p_greater = greater,
        .p_two_sided = fmin(1, 2 * fmin(greater, less)),
        .midp_greater = greater - pawl_binomial_half_pmf(wins, m) / 2,
    };
}

/* --- sign flips --------------------------------------------------------------------------- */

/* What counts as "at least as extreme as observed", and how often it happened. */
struct extremes {
    double at_least;     /* observed sum less the tolerance for float ties */
    double at_least_abs; /* the same for its absolute value */
    uint64_t greater, two_sided;
};

static void extremes_count(struct extremes *e, double sum)
{
    e->greater += sum >= e->at_least;
    e->two_sided += fabs(sum) >= e->at_least_abs;
}

/* All 2^n signed sums of a few differences. */
static void signed_sums(const double *d, size_t n, double *out)
{
    out[0] = 0;
    for (size_t i = 0, filled = 1; i < n; i++, filled *= 2)
        for (size_t j = 0; j < filled; j++) {
            out[filled + j] = out[j] - d[i];
            out[j] += d[i];
        }
}

/* Every sum is one of the first half plus one of the second: 2^n additions, tiny rounding error. */
static void flip_all(const double *d, size_t n, struct extremes *e)
{
    enum { HALF = PAWL_SIGNFLIP_EXACT_MAX / 2 };
    double first[1 << HALF], second[1 << HALF];
    size_t n_first = n / 2, n_second = n - n_first;
    signed_sums(d, n_first, first);
    signed_sums(d + n_first, n_second, second);
    for (size_t i = 0; i < (size_t)1 << n_first; i++)
        for (size_t j = 0; j < (size_t)1 << n_second; j++) extremes_count(e, first[i] + second[j]);
}

static double flip_once(const double *d, size_t n, struct pawl_random *random)
{
    double sum = 0;
    uint64_t bits = 0;
    for (size_t i = 0; i < n; i++, bits >>= 1) {
        if (i % 64 == 0) bits = pawl_random_u64(random);
        sum += bits & 1 ? d[i] : -d[i];
    }
    return sum;
}

static uint64_t flips_affordable(size_t n)
{
    double affordable = 1e9 / (double)n;
    return (uint64_t)fmax(999, fmin(PAWL_SIGNFLIP_FLIPS, affordable));
}

static size_t copy_nonzero(const double *d, size_t n, double *out)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (d[i] != 0) out[kept++] = d[i];
    return kept;
}

static bool one_size(const double *d, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (fabs(d[i]) != fabs(d[0])) return false;
    return true;
}

struct pawl_signflip pawl_signflip(const double *d, size_t n, struct pawl_random *random,
                                   struct pawl_arena *arena)
{
    struct pawl_signflip out = {.mean = n ? pawl_mean(d, n) : 0, .p_greater = 1, .p_two_sided = 1};
    double *nonzero = PAWL_NEW_N(arena, double, n + 1);
    n = copy_nonzero(d, n, nonzero); /* flipping a zero changes nothing */
    if (n == 0) return out;

    double sum = 0, size = 0;
    uint64_t plus = 0;
    for (size_t i = 0; i < n; i++) {
        sum += nonzero[i];
        size += fabs(nonzero[i]);
        plus += nonzero[i] > 0;
    }
    struct extremes e = {.at_least = sum - 1e-12 * size, .at_least_abs = fabs(sum) - 1e-12 * size};
    if (one_size(nonzero, n)) {
        struct pawl_mcnemar exact = pawl_mcnemar(plus, n - plus);
        out.p_greater = exact.p_greater;
        out.p_two_sided = exact.p_two_sided;
    } else if (n <= PAWL_SIGNFLIP_EXACT_MAX) {
        flip_all(nonzero, n, &e);
        out.p_greater = ldexp((double)e.greater, -(int)n);
        out.p_two_sided = ldexp((double)e.two_sided, -(int)n);
    } else {
        out.flips = flips_affordable(n);
        for (uint64_t i = 0; i < out.flips; i++) extremes_count(&e, flip_once(nonzero, n, random));
        out.p_greater = (double)(1 + e.greater) / (double)(1 + out.flips);
        out.p_two_sided = (double)(1 + e.two_sided) / (double)(1 + out.flips);
    }
    return out;
}

/* --- t ------------------------------------------------------------------------------------ */

/* No spread beyond rounding. */
static bool all_equal(const double *x, size_t n)
{
    double lo = x[0], hi = x[0];
    for (size_t i = 1; i < n; i++) {
        lo = fmin(lo, x[i]);
        hi = fmax(hi, x[i]);
    }
    return hi - lo <= 1e-12 * fmax(fabs(lo), fabs(hi));
}

struct pawl_paired_t pawl_paired_t(const double *d, size_t n, double confidence)
{
    PAWL_ASSERT(n >= 2);
    struct pawl_paired_t out = {.mean = pawl_mean(d, n), .df = (double)(n - 1)};
    if (all_equal(d, n)) {
        out.degenerate = true;
        out.t = out.p_greater = out.p_two_sided = NAN;
        out.lo = out.hi = out.mean;
        return out;
    }
    out.se = sqrt(pawl_variance(d, n) / (double)n);
    out.t = out.mean / out.se;
    out.p_greater = pawl_student_upper(out.t, out.df);
    out.p_two_sided = 2 * pawl_student_upper(fabs(out.t), out.df);
    double reach = out.se * pawl_student_quantile((1 + confidence) / 2, out.df);
    out.lo = out.mean - reach;
    out.hi = out.mean + reach;
    return out;
}

struct pawl_noninferiority pawl_noninferiority_t(const double *d, size_t n, double margin,
                                                 double alpha)
{
    struct pawl_paired_t t = pawl_paired_t(d, n, 1 - 2 * alpha);
    return (struct pawl_noninferiority){t.lo, !t.degenerate && t.lo > -margin};
}

/* --- clusters ----------------------------------------------------------------------------- */

void pawl_cluster_sums(const double *x, const size_t *cluster, size_t n, double *out,
                       size_t n_clusters)
{
    for (size_t g = 0; g < n_clusters; g++) out[g] = 0;
    for (size_t i = 0; i < n; i++) {
        PAWL_ASSERT(cluster[i] < n_clusters);
        out[cluster[i]] += x[i];
    }
}

struct pawl_clustered pawl_clustered(const double *x, const size_t *cluster, size_t n,
                                     size_t n_clusters, double confidence, struct pawl_arena *arena)
{
    PAWL_ASSERT(n >= 2 && n_clusters >= 2);
    double n_real = (double)n, g_real = (double)n_clusters, sum = 0;
    struct pawl_clustered out = {.mean = pawl_mean(x, n), .lo = NAN, .hi = NAN};
    double *deviation = PAWL_NEW_N(arena, double, n), *sums = PAWL_NEW_N(arena, double, n_clusters);
    for (size_t i = 0; i < n; i++) deviation[i] = x[i] - out.mean;
    pawl_cluster_sums(deviation, cluster, n, sums, n_clusters);
    for (size_t g = 0; g < n_clusters; g++) sum += sums[g] * sums[g];

    out.se_naive = sqrt(pawl_variance(x, n) / n_real);
    out.se = sqrt(sum) / n_real;
    out.se_corrected = out.se * sqrt(g_real / (g_real - 1));
    if (n_clusters >= PAWL_CLUSTERS_MIN) {
        double upper = (1 + confidence) / 2;
        double reach = n_clusters >= PAWL_CLUSTERS_MANY
                           ? out.se * pawl_normal_quantile(upper)
                           : out.se_corrected * pawl_student_quantile(upper, g_real - 1);
        out.lo = out.mean - reach;
        out.hi = out.mean + reach;
    }
    return out;
}
