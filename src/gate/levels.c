#include "gate/levels.h"

#include "gate/wear.h"

#include "base/error.h"

#include <math.h>
#include <string.h>

size_t pawl_history_promotions(const struct pawl_history *history)
{
    size_t promotions = 0;
    for (size_t i = 0; i < history->n; i++) promotions += history->promoted[i];
    return promotions;
}

double pawl_history_log_count(const struct pawl_history *history, unsigned release_points)
{
    return pawl_wear_log_histories_at(history->n, pawl_history_promotions(history), release_points);
}

/* --- series ------------------------------------------------------------------------------- */

static double quadratic_weight(uint64_t t)
{
    double real = (double)t;
    return 6 / (M_PI * M_PI * real * real);
}

static double front_weight(uint64_t t)
{
    return t == 1 ? 0.8 : 0.2 * quadratic_weight(t - 1);
}

static double harmonic_weight(uint64_t t)
{
    double real = (double)t;
    return 1 / (real * (real + 1));
}

const struct pawl_series pawl_series_front = {"front", front_weight};
const struct pawl_series pawl_series_quadratic = {"quadratic", quadratic_weight};
const struct pawl_series pawl_series_harmonic = {"harmonic", harmonic_weight};

/* --- policies ----------------------------------------------------------------------------- */

static double elond_level(const struct pawl_series *series, double alpha,
                          const struct pawl_history *history)
{
    double promotions = (double)pawl_history_promotions(history);
    return fmin(1, alpha * series->weight(history->n + 1) * (promotions + 1));
}

/* The sum over all histories is alpha: each promotion halves, and starts the series again. */
static double strict_level(const struct pawl_series *series, double alpha,
                           const struct pawl_history *history)
{
    double level = alpha / 2;
    uint64_t gap = 1;
    for (size_t i = 0; i < history->n; i++, gap++) {
        if (!history->promoted[i]) continue;
        level *= series->weight(gap) / 2;
        gap = 0;
    }
    return level * series->weight(gap);
}

static double spending_level(const struct pawl_series *series, double alpha,
                             const struct pawl_history *history)
{
    return alpha * series->weight(history->n + 1);
}

static double per_decision_level(const struct pawl_series *series, double alpha,
                                 const struct pawl_history *history)
{
    (void)series;
    (void)history;
    return alpha;
}

static const struct pawl_policy policies[] = {
    {"e-lond",
     "The expected share of false promotions among all promotions of this sealed set is at most "
     "alpha; up to and including the first promotion so is the chance of any false one.",
     "After the first promotion this holds only for sequential looks and for candidates that do "
     "not depend on the earlier answers: an operator that steers the answers can exceed it.",
     elond_level},
    {PAWL_POLICY_FRESH,
     "The expected share of false promotions among all promotions of this sealed set is at most "
     "alpha, however candidates are chosen from the answers: each attempt was asked of cases of "
     "its own, which no attempt had asked before.",
     "It is not the chance that one given promotion is false, and it says nothing about the size "
     "of a gain.",
     elond_level},
    {"strict",
     "The chance that this sealed set ever promotes a candidate that is not better is at most "
     "alpha, however candidates are chosen from the answers.",
     "It says nothing about the size of a gain, and real gains are promoted later or not at all.",
     strict_level},
    {"spending",
     "The chance of any false promotion by this sealed set is at most alpha when its candidates "
     "were chosen without looking at its answers.",
     "Candidates that are chosen from earlier promotions are not covered.", spending_level},
    {"per-decision",
     "Each single decision promotes a candidate that is not better with chance at most alpha.",
     "This is not a run-level guarantee: with many attempts false promotions are to be expected.",
     per_decision_level},
};

const struct pawl_policy *pawl_policy_at(size_t i)
{
    return i < sizeof policies / sizeof *policies ? &policies[i] : NULL;
}

const struct pawl_policy *pawl_policy_find(const char *name)
{
    const struct pawl_policy *policy;
    for (size_t i = 0; (policy = pawl_policy_at(i)) != NULL; i++)
        if (strcmp(policy->name, name) == 0) return policy;
    return NULL;
}

double pawl_policy_level(const struct pawl_policy *policy, const struct pawl_series *series,
                         double alpha, const struct pawl_history *history)
{
    PAWL_ASSERT(alpha > 0 && alpha < 1);
    return policy->level(series, alpha, history);
}
