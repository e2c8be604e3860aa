#include "gate/intervals.h"

#include "gate/paired.h"
#include "gate/special.h"

#include <math.h>
#include <stdlib.h>

struct pawl_interval pawl_wilson(uint64_t k, uint64_t n, double confidence)
{
    if (n == 0) return (struct pawl_interval){0, 1};
    double n_real = (double)n, p = (double)k / n_real;
    double z = pawl_normal_quantile((1 + confidence) / 2), z2 = z * z;
    double centre = p + z2 / (2 * n_real);
    double reach = z * sqrt(p * (1 - p) / n_real + z2 / (4 * n_real * n_real));
    double scale = 1 + z2 / n_real;
    return (struct pawl_interval){
        .lo = k == 0 ? 0 : fmax(0, (centre - reach) / scale),
        .hi = k == n ? 1 : fmin(1, (centre + reach) / scale),
    };
}

struct pawl_interval pawl_clopper_pearson(uint64_t k, uint64_t n, double confidence)
{
    if (n == 0) return (struct pawl_interval){0, 1};
    double tail = (1 - confidence) / 2, wins = (double)k, losses = (double)(n - k);
    return (struct pawl_interval){
        .lo = k == 0 ? 0 : pawl_beta_quantile(tail, wins, losses + 1),
        .hi = k == n ? 1 : pawl_beta_quantile(1 - tail, wins + 1, losses),
    };
}

double pawl_zero_failures_upper(uint64_t n, double confidence)
{
    return n == 0 ? 1 : -expm1(log1p(-confidence) / (double)n);
}

double pawl_hoeffding_lower(double mean, size_t n, double alpha, double range)
{
    return mean - range * sqrt(-log(alpha) / (2 * (double)n));
}

struct pawl_interval pawl_mean_of_equal(double value, size_t n, double confidence, double lo,
                                        double hi)
{
    double others = pawl_zero_failures_upper(n, confidence);
    return (struct pawl_interval){value - others * (value - lo), value + others * (hi - value)};
}

struct pawl_asymptotic_cs pawl_asymptotic_cs(double mean, double variance, size_t n, double alpha)
{
    double spent = -2 * log(alpha), n_real = (double)n;
    struct pawl_asymptotic_cs out = {.rho = sqrt(spent + log(spent) + 1) / 10};
    double rho2 = out.rho * out.rho, grown = n_real * variance * rho2 + 1;
    out.margin = sqrt(grown / (n_real * n_real * rho2) * log(grown / (alpha * alpha)));
    out.ci = (struct pawl_interval){mean - out.margin, mean + out.margin};
    return out;
}

/* --- bootstrap ---------------------------------------------------------------------------- */

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double *resampled_means(const double *x, size_t n, size_t resamples,
                               struct pawl_random *random, struct pawl_arena *arena)
{
    double *means = PAWL_NEW_N(arena, double, resamples);
    for (size_t r = 0; r < resamples; r++) {
        for (size_t i = 0; i < n; i++) means[r] += x[pawl_random_below(random, n)];
        means[r] /= (double)n;
    }
    qsort(means, resamples, sizeof *means, compare_doubles);
    return means;
}

/* Linear interpolation between order statistics. */
static double quantile(const double *sorted, size_t n, double p)
{
    double place = p * (double)(n - 1);
    size_t low = (size_t)place, high = low + 1 < n ? low + 1 : low;
    return sorted[low] + (place - (double)low) * (sorted[high] - sorted[low]);
}

/* a = sum u^3 / (6 (sum u^2)^(3/2)), u_i = how much leaving out i lowers the mean. */
static double jackknife_acceleration(const double *x, size_t n)
{
    double mean = pawl_mean(x, n), squares = 0, cubes = 0;
    for (size_t i = 0; i < n; i++) {
        double u = (x[i] - mean) / (double)(n - 1);
        squares += u * u;
        cubes += u * u * u;
    }
    return squares > 0 ? cubes / (6 * pow(squares, 1.5)) : 0;
}

/* Where the estimate stands among the resampled means, in standard normal units; ties count half. */
static double median_bias(const double *sorted, size_t n, double estimate)
{
    double tolerance = 1e-12 * fmax(1, fabs(estimate)), below = 0;
    for (size_t i = 0; i < n; i++)
        below += sorted[i] < estimate - tolerance ? 1 : sorted[i] <= estimate + tolerance ? 0.5 : 0;
    return pawl_normal_quantile(below / (double)n);
}

static double bca_point(double bias, double acceleration, double p)
{
    double z = bias + pawl_normal_quantile(p);
    return pawl_normal_cdf(bias + z / (1 - acceleration * z));
}

struct pawl_bootstrap pawl_bootstrap_mean(const double *x, size_t n, double confidence,
                                          size_t resamples, struct pawl_random *random,
                                          struct pawl_arena *arena)
{
    PAWL_ASSERT(n >= 1 && resamples >= 1);
    double *means = resampled_means(x, n, resamples, random, arena);
    double tail = (1 - confidence) / 2, bias = median_bias(means, resamples, pawl_mean(x, n));
    struct pawl_bootstrap out = {
        .percentile = {quantile(means, resamples, tail), quantile(means, resamples, 1 - tail)},
        .acceleration = jackknife_acceleration(x, n),
        .bca_undefined = isinf(bias) || means[0] == means[resamples - 1],
    };
    out.bca = out.percentile;
    if (!out.bca_undefined) {
        out.bca.lo = quantile(means, resamples, bca_point(bias, out.acceleration, tail));
        out.bca.hi = quantile(means, resamples, bca_point(bias, out.acceleration, 1 - tail));
    }
    return out;
}

/* --- scores ------------------------------------------------------------------------------- */

static bool all_pass_or_fail(const double *scores, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (scores[i] != 0 && scores[i] != 1) return false;
    return true;
}

static bool all_equal(const double *x, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (x[i] != x[0]) return false;
    return true;
}

static double *cluster_means(const double *scores, const size_t *cluster, size_t n,
                             size_t n_clusters, struct pawl_arena *arena)
{
    double *means = PAWL_NEW_N(arena, double, n_clusters);
    double *sizes = PAWL_NEW_N(arena, double, n_clusters);
    pawl_cluster_sums(scores, cluster, n, means, n_clusters);
    for (size_t i = 0; i < n; i++) sizes[cluster[i]] += 1;
    for (size_t g = 0; g < n_clusters; g++) means[g] /= sizes[g];
    return means;
}

static struct pawl_interval resampled(const double *x, size_t n, double confidence, uint64_t seed,
                                      struct pawl_arena *arena)
{
    enum { RESAMPLES = 2000 };
    struct pawl_random random;
    pawl_random_init(&random, seed);
    random = pawl_random_split(&random, PAWL_STR("ci95"));
    return pawl_bootstrap_mean(x, n, confidence, RESAMPLES, &random, arena).bca;
}

static struct pawl_interval mean_interval(const double *scores, const size_t *cluster, size_t n,
                                          size_t n_clusters, double confidence, uint64_t seed,
                                          struct pawl_arena *arena)
{
    const double *means = cluster_means(scores, cluster, n, n_clusters, arena);
    if (n_clusters == n && all_pass_or_fail(scores, n))
        return pawl_wilson((uint64_t)llround(pawl_mean(scores, n) * (double)n), n, confidence);
    if (all_equal(means, n_clusters))
        return pawl_mean_of_equal(means[0], n_clusters, confidence, 0, 1);
    if (n_clusters < n) {
        struct pawl_clustered c = pawl_clustered(scores, cluster, n, n_clusters, confidence, arena);
        if (!isnan(c.lo)) return (struct pawl_interval){c.lo, c.hi};
    }
    return resampled(means, n_clusters, confidence, seed, arena);
}

struct pawl_interval pawl_score_interval(const double *scores, const size_t *cluster, size_t n,
                                         size_t n_clusters, double confidence, uint64_t seed)
{
    if (n == 0) return (struct pawl_interval){0, 1};
    struct pawl_arena arena = {0};
    struct pawl_interval ci =
        mean_interval(scores, cluster, n, n_clusters, confidence, seed, &arena);
    pawl_arena_release(&arena);
    return (struct pawl_interval){fmax(0, ci.lo), fmin(1, ci.hi)};
}
