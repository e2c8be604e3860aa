#include "gate/wear.h"

#include "gate/special.h"

#include <math.h>

double pawl_wear_log_histories_at(uint64_t t, uint64_t max_promotions, unsigned release_points)
{
    double log_n = -INFINITY, log_points = log((double)release_points);
    for (uint64_t j = 0; j <= max_promotions && j <= t; j++) {
        double log_ways = pawl_log_choose((double)t, (double)j) + (double)j * log_points;
        log_n = pawl_log_add(log_n, log_ways);
    }
    return log_n;
}

/* Hoeffding for one history, differences in [-1, 1], times N histories and one or two sides. */
static struct pawl_wear wear_of(double log_transcripts, double sides, size_t n, double beta)
{
    double log_failures = log_transcripts + log(sides / beta);
    return (struct pawl_wear){log_transcripts, sqrt(2 * log_failures / (double)n)};
}

struct pawl_wear pawl_wear_transcripts(size_t n, uint64_t attempts, uint64_t max_promotions,
                                       double beta)
{
    return wear_of(pawl_wear_log_histories_at(attempts, max_promotions, 1), 1, n, beta);
}

struct pawl_wear pawl_wear_histories(size_t n, uint64_t attempts, uint64_t max_promotions,
                                     unsigned release_points, double beta)
{
    double log_n = -INFINITY;
    for (uint64_t t = 0; t < attempts; t++)
        log_n = pawl_log_add(log_n, pawl_wear_log_histories_at(t, max_promotions, release_points));
    return attempts == 0 ? (struct pawl_wear){-INFINITY, 0} : wear_of(log_n, 2, n, beta);
}

double pawl_ladder_step(double shown, double score, double eta)
{
    return score > shown + eta ? nearbyint(score / eta) * eta : shown;
}
