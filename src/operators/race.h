/*
 * race.h - stop scoring a candidate on dev as soon as it cannot get where it would have to.
 *
 * A race pairs a candidate with a rival on the same cases, drawn without replacement in random order,
 * and tests that the candidate's sum over *all* cases is at least the rival's. It may look after every
 * case: the test is a bet against that claim, sized by the cases that are left (Waudby-Smith and
 * Ramdas 2020, arXiv 2006.04347), mixed over five sizes of the stake so that nothing is to be tuned.
 *
 * What is guaranteed. Whoever would come out level or ahead on the whole of dev is stopped with
 * probability at most `error`, however often one looks, whatever the scores are (Ville's inequality);
 * the chance is in the order of the cases. It is a statement per race and about dev alone: never use
 * it for what decides about a promotion.
 *
 * It pays on a large dev tier only: in the test's 20 searches a quarter of the evaluations is saved on
 * 300 dev cases and a fortieth on 50; none of the best three was lost.
 *
 * The podium keeps the three best that were scored in full. The third of them is the rival, because
 * the host chooses among the best three at the end; before there are three it is the start, which a
 * candidate must beat to be named at all.
 *
 *     PAWL_TRY(pawl_race_score_dev(host, &podium, order, candidate, error, &scored, err));
 *     if (scored.stopped) ... else pawl_podium_add(&podium, scored.scores, scored.mean)
 */
#ifndef PAWL_OPERATORS_RACE_H
#define PAWL_OPERATORS_RACE_H

#include "operators/host.h"

/* --- the test ------------------------------------------------------------------------------------ */

enum { PAWL_RACE_STAKES = 5 };
struct pawl_race {
    size_t n_total, n_seen;
    double sum;                           /* of the differences seen, as shares of [0,1] */
    double log_capital[PAWL_RACE_STAKES]; /* of each bettor; each starts with 1 */
};
void pawl_race_init(struct pawl_race *race, size_t n_total);
/* difference: candidate's score minus the rival's, in [-1,1]; 0 where either is missing. */
void pawl_race_see(struct pawl_race *race, double difference);
/* 1/capital bounds the probability of being wrong; 0 when not even full marks would do. */
double pawl_race_p_value(const struct pawl_race *race);

/* --- the three best -------------------------------------------------------------------------------- */

enum { PAWL_PODIUM = 3 };
struct pawl_podium {
    size_t n_dev, n;
    double *start;                                   /* [n_dev]; NAN: missing */
    double *scores[PAWL_PODIUM], means[PAWL_PODIUM]; /* best first */
};
struct pawl_podium pawl_podium_new(const double *start, size_t n_dev, struct pawl_arena *arena);
/* For a candidate that beats the start; copied. Ties stay behind. */
void pawl_podium_add(struct pawl_podium *podium, const double *scores, double mean);
const double *pawl_podium_rival(const struct pawl_podium *podium);

/* --- scoring ----------------------------------------------------------------------------------------- */

struct pawl_race_scored {
    bool stopped;
    size_t n_used;  /* dev cases that were evaluated */
    double *scores; /* [n_dev], in the step arena; NAN: missing or not reached */
    double mean;    /* of those that have one */
};
/* Steps: a batch of dev cases at a time, in the order given (a random one, [n_dev]). */
PAWL_MUST_CHECK enum pawl_status
pawl_race_score_dev(struct pawl_host *host, struct pawl_arena *step,
                    const struct pawl_podium *podium, const size_t *order, uint32_t candidate,
                    double error, struct pawl_race_scored *scored, struct pawl_error *err);

#endif
