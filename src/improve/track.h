/*
 * track.h - what an operator has done, computed from the ledger and from nothing else.
 *
 *     verify the ledger  ->  records  ->  pawl_track_record(records, "gepa", opened)
 *
 * Nobody writes a track record: cards have no field for it, and a ledger that does not verify gives
 * none. Per version of the operator (null: recorded before versions were):
 *
 *     runs, attempts, promotions      of the gate; what a person put in force is not counted
 *     rolled_back                     promotions that a later rollback undid, be it in one step with
 *                                     others
 *     certified_gain                  {lower, known_for, error_at_most}, see below
 *     cost                            {evaluations, usd, known_for, evaluations_per_point,
 *                                     usd_per_point}: what its runs spent, sealed work apart; a run
 *                                     that never came to an end (killed, and not resumed) has none
 *     first_ms, last_ms               of its runs and attempts
 *
 * An attempt is its run's, or, asked by `pawl gate`, the run's that made the candidate.
 *
 * Certified gain. A statement says one bit: the gain is more than 0. How much more is in the evidence,
 * which is sealed until it is opened. `lower` therefore sums what the opened promotions certify and
 * counts each of the others as 0; known_for says of how many it knows. The bound of one promotion is
 * the largest gain m (in thousandths) such that "the case-weighted mean gain is at most m" is refuted
 * by the grid mixture (gate/eprocess.h) at the level of the attempt, and so is every smaller m. It
 * is wrong with probability at most that level whatever the look was; all of them at once with
 * probability at most error_at_most, the sum over the promotions.
 *
 * Invariants
 *   1. Equal records and evidence give equal figures, in whatever store they lie.
 *   2. Evidence counts only when its salted hash is the one that the ledger's statement commits to.
 */
#ifndef PAWL_IMPROVE_TRACK_H
#define PAWL_IMPROVE_TRACK_H

#include "base/error.h"
#include "base/json.h"

/*
 * Add what a certificate opens (`pawl certificate --audit --json`) to `opened`, an object: attempt ->
 * bound in [0, 1].
 *
 * Takes   records: as pawl_ledger_records gives them.
 * Fails   PAWL_ECONFIG when nothing is opened in it, PAWL_EINTEGRITY when it is not what was committed to.
 */
PAWL_MUST_CHECK enum pawl_status pawl_track_open(const json_t *records, const json_t *certificate,
                                                 json_t *opened, struct pawl_error *err);
/* A list, one object per version, in the order in which they first ran (new reference). `opened` may
 * be NULL. */
json_t *pawl_track_record(const json_t *records, const char *operator_name, const json_t *opened);

#endif
