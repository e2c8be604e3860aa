#include "gate/special.h"

#include "base/error.h"

#include <math.h>

double pawl_log_gamma(double x)
{
    int sign;
    return lgamma_r(x, &sign);
}

double pawl_log_choose(double n, double k)
{
    return pawl_log_gamma(n + 1) - pawl_log_gamma(k + 1) - pawl_log_gamma(n - k + 1);
}

double pawl_log_add(double a, double b)
{
    double high = fmax(a, b), low = fmin(a, b);
    return isinf(high) ? high : high + log1p(exp(low - high));
}

double pawl_log_sum(const double *terms, size_t n)
{
    double high = -INFINITY, sum = 0;
    for (size_t i = 0; i < n; i++) high = fmax(high, terms[i]);
    if (isinf(high)) return high;
    for (size_t i = 0; i < n; i++) sum += exp(terms[i] - high);
    return high + log(sum);
}

/* --- binomial ----------------------------------------------------------------------------- */

double pawl_binomial_pmf(uint64_t k, uint64_t n, double p)
{
    if (k > n) return 0;
    if (p <= 0) return k == 0;
    if (p >= 1) return k == n;
    double kd = (double)k, nd = (double)n;
    return exp(pawl_log_choose(nd, kd) + kd * log(p) + (nd - kd) * log1p(-p));
}

enum { EXACT_MAX = 60 }; /* 2^60 and every C(60, k) fit in 64 bits, as does each step of choose() */

static uint64_t choose(uint64_t n, uint64_t k)
{
    uint64_t c = 1;
    for (uint64_t i = 1; i <= k; i++) c = c * (n - k + i) / i;
    return c;
}

double pawl_binomial_half_pmf(uint64_t k, uint64_t n)
{
    if (k > n) return 0;
    if (n <= EXACT_MAX) return ldexp((double)choose(n, k), -(int)n);
    return pawl_binomial_pmf(k, n, 0.5);
}

static double half_upper_exact(uint64_t k, uint64_t n)
{
    uint64_t sum = 0;
    for (uint64_t i = k; i <= n; i++) sum += choose(n, i);
    return ldexp((double)sum, -(int)n);
}

/* From its largest term: pmf(k) * (1 + (n-k)/(k+1) + ...), for k in the upper half. */
static double half_upper_series(uint64_t k, uint64_t n)
{
    double sum = 1, term = 1;
    for (uint64_t i = k; i < n && term > sum * 1e-18; i++) {
        term *= (double)(n - i) / (double)(i + 1);
        sum += term;
    }
    return sum * pawl_binomial_half_pmf(k, n);
}

double pawl_binomial_half_upper(uint64_t k, uint64_t n)
{
    if (k > n) return 0;
    if (k == 0) return 1;
    if (n <= EXACT_MAX) return half_upper_exact(k, n);
    if (k > n / 2) return half_upper_series(k, n);
    return 1 - half_upper_series(n - k + 1, n); /* by symmetry */
}

/* --- normal ------------------------------------------------------------------------------- */

double pawl_normal_cdf(double z)
{
    return 0.5 * erfc(-z * M_SQRT1_2);
}

/* Abramowitz and Stegun 26.2.23 to three digits, then Halley's method on erfc, lower tail. */
static double normal_quantile_lower(double p)
{
    double t = sqrt(-2 * log(p));
    double z = -(t - (2.515517 + t * (0.802853 + t * 0.010328)) /
                         (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))));
    for (int i = 0; i < 3; i++) {
        double step = (pawl_normal_cdf(z) - p) * sqrt(2 * M_PI) * exp(z * z / 2);
        z -= step / (1 + z * step / 2);
    }
    return z;
}

double pawl_normal_quantile(double p)
{
    if (p <= 0) return -INFINITY;
    if (p >= 1) return INFINITY;
    return p <= 0.5 ? normal_quantile_lower(p) : -normal_quantile_lower(1 - p);
}

/* --- beta --------------------------------------------------------------------------------- */

/* The continued fraction of I_x(a,b) (DLMF 8.17.22); converges fast for x < (a+1)/(a+b+2). */
static double beta_fraction(double x, double a, double b)
{
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double h = d;
    for (int m = 1; m < 100000; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        for (int half = 0; half < 2; half++) {
            double numerator = half ? odd : even;
            d = 1 + numerator * d;
            d = 1 / (fabs(d) < tiny ? tiny : d);
            c = 1 + numerator / c;
            if (fabs(c) < tiny) c = tiny;
            h *= d * c;
        }
        if (fabs(d * c - 1) < 1e-15) break;
    }
    return h;
}

double pawl_beta_cdf(double x, double a, double b)
{
    if (x <= 0) return 0;
    if (x >= 1) return 1;
    double log_front =
        pawl_log_gamma(a + b) - pawl_log_gamma(a) - pawl_log_gamma(b) + a * log(x) + b * log1p(-x);
    if (x < (a + 1) / (a + b + 2)) return exp(log_front) * beta_fraction(x, a, b) / a;
    return 1 - exp(log_front) * beta_fraction(1 - x, b, a) / b;
}

/* Bisection to the last bit: slow, and never wrong. */
double pawl_beta_quantile(double p, double a, double b)
{
    if (p <= 0) return 0;
    if (p >= 1) return 1;
    double lo = 0, hi = 1;
    for (;;) {
        double mid = lo + (hi - lo) / 2;
        if (mid <= lo || mid >= hi) return mid;
        *(pawl_beta_cdf(mid, a, b) < p ? &lo : &hi) = mid;
    }
}

/* --- Student's t -------------------------------------------------------------------------- */

double pawl_student_upper(double t, double df)
{
    double tail = 0.5 * pawl_beta_cdf(df / (df + t * t), df / 2, 0.5);
    return t >= 0 ? tail : 1 - tail;
}

double pawl_student_cdf(double t, double df)
{
    return pawl_student_upper(-t, df);
}

double pawl_student_quantile(double p, double df)
{
    if (p < 0.5) return -pawl_student_quantile(1 - p, df);
    if (p >= 1) return INFINITY;
    double tail = 2 * (1 - p);
    if (tail > 0.5) { /* near the middle t*t is the small number: invert that end */
        double y = pawl_beta_quantile(1 - tail, 0.5, df / 2);
        return sqrt(df * y / (1 - y));
    }
    double x = pawl_beta_quantile(tail, df / 2, 0.5);
    return sqrt(df * (1 - x) / x);
}

/* T = (Z + nc) / S with S = sqrt(chi2/df):  P(T > t) = integral of Phi(nc - t s) f_S(s) ds. */
double pawl_student_noncentral_upper(double t, double df, double noncentrality)
{
    enum { STEPS = 2000 };
    double log_front = log(2) + df / 2 * log(df / 2) - pawl_log_gamma(df / 2);
    double spread = 10 / sqrt(2 * df), lo = fmax(0, 1 - spread), width = 1 + spread - lo;
    double sum = 0;
    for (int i = 0; i <= STEPS; i++) {
        double s = lo + width * i / STEPS;
        if (s <= 0) continue;
        double density = exp(log_front + (df - 1) * log(s) - df * s * s / 2);
        int weight = i == 0 || i == STEPS ? 1 : i % 2 ? 4 : 2;
        sum += weight * density * pawl_normal_cdf(noncentrality - t * s);
    }
    return sum * width / STEPS / 3;
}
