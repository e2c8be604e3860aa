#include "operators/race.h"

#include <math.h>
#include <string.h>

/* --- the test ------------------------------------------------------------------------------------ */

/* Shares of the largest stake that can never lose more than everything. */
static const double stakes[PAWL_RACE_STAKES] = {1. / 16, 1. / 8, 1. / 4, 1. / 2, 1};
static const double EDGE = 1e-12;

void pawl_race_init(struct pawl_race *race, size_t n_total)
{
    *race = (struct pawl_race){.n_total = n_total};
}

/* What the cases that are left must have on average for the whole to come out level, as x in [0,1]. */
static double needed(const struct pawl_race *race)
{
    return (0.5 * (double)race->n_total - race->sum) / (double)(race->n_total - race->n_seen);
}

/* Under the claim the expectation of x given the past is at least `needed`, so a stake on less never
 * gains on average. Where the claim cannot fail or hangs by a thread, nobody bets. */
void pawl_race_see(struct pawl_race *race, double difference)
{
    PAWL_ASSERT(race->n_seen < race->n_total && fabs(difference) <= 1);
    double x = 0.5 + difference / 2, mean = needed(race);
    race->sum += x;
    race->n_seen++;
    if (mean <= EDGE || mean >= 1 - EDGE) return;
    for (int i = 0; i < PAWL_RACE_STAKES; i++)
        race->log_capital[i] += log1p(-stakes[i] * (x - mean) / (1 - mean));
}

double pawl_race_p_value(const struct pawl_race *race)
{
    double capital = 0;
    if (race->n_seen < race->n_total && needed(race) > 1 + EDGE) return 0;
    for (int i = 0; i < PAWL_RACE_STAKES; i++) capital += exp(race->log_capital[i]);
    return fmin(1, PAWL_RACE_STAKES / capital);
}

/* --- the three best -------------------------------------------------------------------------------- */

struct pawl_podium pawl_podium_new(const double *start, size_t n_dev, struct pawl_arena *arena)
{
    struct pawl_podium podium = {.n_dev = n_dev, .start = PAWL_NEW_N(arena, double, n_dev)};
    memcpy(podium.start, start, n_dev * sizeof *start);
    for (int i = 0; i < PAWL_PODIUM; i++) podium.scores[i] = PAWL_NEW_N(arena, double, n_dev);
    return podium;
}

void pawl_podium_add(struct pawl_podium *podium, const double *scores, double mean)
{
    bool full = podium->n == PAWL_PODIUM;
    if (full && mean <= podium->means[PAWL_PODIUM - 1]) return;
    size_t i = full ? PAWL_PODIUM - 1 : podium->n++;
    double *place = podium->scores[i];
    for (; i > 0 && mean > podium->means[i - 1]; i--) {
        podium->scores[i] = podium->scores[i - 1];
        podium->means[i] = podium->means[i - 1];
    }
    memcpy(place, scores, podium->n_dev * sizeof *scores);
    podium->scores[i] = place;
    podium->means[i] = mean;
}

const double *pawl_podium_rival(const struct pawl_podium *podium)
{
    return podium->n == PAWL_PODIUM ? podium->scores[PAWL_PODIUM - 1] : podium->start;
}

/* --- scoring ----------------------------------------------------------------------------------------- */

/* A batch is large enough for a model that works on many at once, and an eighth of a large dev. */
enum { BATCH_MIN = 16, BATCHES = 8 };

static double difference(double score, double rival)
{
    return isnan(score) || isnan(rival) ? 0 : score - rival;
}

static double mean_of(const double *scores, size_t n)
{
    double sum = 0;
    size_t n_scored = 0;
    for (size_t i = 0; i < n; i++) {
        if (isnan(scores[i])) continue;
        sum += scores[i];
        n_scored++;
    }
    return n_scored > 0 ? sum / (double)n_scored : NAN;
}

/* The next n cases of the order, into scores and the race. */
static enum pawl_status score_batch(struct pawl_host *host, struct pawl_arena *step,
                                    const double *rival, const size_t *order, size_t n,
                                    uint32_t candidate, double *scores, struct pawl_race *race,
                                    struct pawl_error *err)
{
    uint32_t *cases = PAWL_NEW_N(step, uint32_t, n);
    struct pawl_host_result *results = PAWL_NEW_N(step, struct pawl_host_result, n);
    for (size_t i = 0; i < n; i++) cases[i] = (uint32_t)order[i];
    struct pawl_host_evaluation evaluation = {.candidate = candidate,
                                              .tier = PAWL_HOST_DEV,
                                              .cases = cases,
                                              .n_cases = n,
                                              .results = results};
    PAWL_TRY(pawl_host_evaluate(host, step, &evaluation, 1, err));
    for (size_t i = 0; i < n; i++) {
        scores[order[i]] = results[i].missing ? NAN : results[i].score;
        pawl_race_see(race, difference(scores[order[i]], rival[order[i]]));
    }
    return PAWL_OK;
}

enum pawl_status pawl_race_score_dev(struct pawl_host *host, struct pawl_arena *step,
                                     const struct pawl_podium *podium, const size_t *order,
                                     uint32_t candidate, double error,
                                     struct pawl_race_scored *scored, struct pawl_error *err)
{
    size_t n_dev = podium->n_dev, n_batch = n_dev / BATCHES;
    struct pawl_race race;
    if (n_batch < BATCH_MIN) n_batch = BATCH_MIN;
    *scored = (struct pawl_race_scored){.scores = PAWL_NEW_N(step, double, n_dev)};
    for (size_t i = 0; i < n_dev; i++) scored->scores[i] = NAN;
    pawl_race_init(&race, n_dev);
    while (scored->n_used < n_dev && !scored->stopped) {
        size_t n = n_dev - scored->n_used < n_batch ? n_dev - scored->n_used : n_batch;
        PAWL_TRY(score_batch(host, step, pawl_podium_rival(podium), order + scored->n_used, n,
                             candidate, scored->scores, &race, err));
        scored->n_used += n;
        scored->stopped = scored->n_used < n_dev && pawl_race_p_value(&race) <= error;
    }
    scored->mean = mean_of(scored->scores, n_dev);
    return PAWL_OK;
}
