/*
 * confirm.h - one confirmation: is what was promoted better on cases that no promotion has used, or worse?
 *
 *     gain   E(candidate better)      at least 1/level: stable
 *     harm   E(candidate worse)       at least 1/level: it goes
 *     neither                         unconfirmed: nothing speaks against it, too little for it
 *
 * Both are e-processes over the same clusters (eprocess.h), harm with the signs turned, each looked at once,
 * when all planned clusters are seen. So neither depends on the order of cases, and both are functions of
 * what a verifier can count.
 *
 * Confirmation k of a vault gets the level alpha / (k (k+1)). Over its whole life what is not better is called
 * stable with probability at most alpha, and what is not worse is rolled back with probability at most alpha;
 * that holds however candidates were chosen, because no confirmation shares a case with anything that
 * chose them.
 *
 * Invariants
 *   1. At most one of the two reaches its threshold.
 *   2. The plan is fixed before the first observation.
 *   3. A missing case is a tie.
 *
 *     struct pawl_confirm confirm;
 *     PAWL_TRY(pawl_confirm_init(&confirm, &plan, err));
 *     for each cluster: PAWL_TRY(pawl_confirm_observe(&confirm, candidate, incumbent, n_cases, err));
 *     enum pawl_confirm_answer answer = pawl_confirm_answer_of(&confirm);
 *
 * Source: two-stage confirmation, the valid form of "confirm-triggered harmonic spending" (SGM, 2510.10232).
 */
#ifndef PAWL_GATE_CONFIRM_H
#define PAWL_GATE_CONFIRM_H

#include "gate/decide.h"

enum pawl_confirm_answer { PAWL_CONFIRM_UNCONFIRMED, PAWL_CONFIRM_STABLE, PAWL_CONFIRM_HARM };
const char *pawl_confirm_answer_name(enum pawl_confirm_answer answer); /* "unconfirmed", ... */

struct pawl_confirm {
    struct pawl_gate_plan plan; /* look sequential, m0 = 0; its state is never asked */
    enum pawl_gate_unit unit;
    size_t n_clusters, n_cases;
    struct pawl_sign sign;       /* clusters above, below and equal */
    struct pawl_grid gain, harm; /* under unit grid */
};

/* The level of confirmation k = 1, 2, ... of a vault. */
double pawl_confirm_level(double alpha, uint64_t k);
/* Whether so many clusters could give any answer but `unconfirmed`. */
bool pawl_confirm_can_answer(double level, size_t n_clusters);
/* Fails PAWL_ECONFIG as pawl_gate_init does. */
PAWL_MUST_CHECK enum pawl_status pawl_confirm_init(struct pawl_confirm *confirm,
                                                   const struct pawl_gate_plan *plan,
                                                   struct pawl_error *err);
/* One cluster: scores in [0, 1] of its n_cases cases. Fails PAWL_ECONFIG on any other, and on a cluster too
 * many or too large. */
PAWL_MUST_CHECK enum pawl_status pawl_confirm_observe(struct pawl_confirm *confirm,
                                                      const double *candidate,
                                                      const double *incumbent, size_t n_cases,
                                                      struct pawl_error *err);
double pawl_confirm_log_gain(const struct pawl_confirm *confirm);
double pawl_confirm_log_harm(const struct pawl_confirm *confirm);
/* Unconfirmed until all planned clusters are there. */
enum pawl_confirm_answer pawl_confirm_answer_of(const struct pawl_confirm *confirm);
/* {answer, n_clusters, n_cases, wins, losses, ties, log_gain, log_harm}. New reference. */
json_t *pawl_confirm_evidence_json(const struct pawl_confirm *confirm);

#endif
