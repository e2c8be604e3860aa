#include "operators/gain.h"

#include <math.h>

double pawl_gain(const double *after, const double *before, size_t n)
{
    const double rounding = 1e-9;
    double sum = 0;
    size_t n_pairs = 0;
    for (size_t i = 0; i < n; i++) {
        if (isnan(after[i]) || isnan(before[i])) continue;
        sum += after[i] - before[i];
        n_pairs++;
    }
    if (n_pairs == 0) return NAN;
    return fabs(sum) < rounding ? 0 : sum / (double)n_pairs;
}
