/*
 * quarantine.h - evidence of cheating holds a whole lineage back, not one text.
 *
 * A text that cheated was made from others and others are made from it; they share what made it cheat. A
 * `quarantine` record of the ledger names the artifact, why, and its lineage: itself and its ancestors since
 * what was ever in force. What descends from any of these is held as well, when it is asked about, so that
 * a child which a later run makes is no way out. A `lift` record, by a person, ends it.
 *
 *     quarantine: {"artifact","lineage":[artifact, ancestors],"reason","evidence"}
 *                 evidence: null (a person's word), "canary" (vault_canaries.c), or what sprang a trap, as
 *                 the verdict's statement says: "impossible", "twins" (vault_traps.c)
 *     lift:       {"artifact","reason"}                 ends every quarantine that names this artifact
 *
 * Invariants
 *   1. What is held is neither put before the gate nor in force: not by gate, improve, approve, promote, rollback.
 *   2. What is in force is never held, and neither are its children for its sake: it is rolled back first.
 *   3. Everything follows from the ledger's records and the parents in the store.
 *
 *     PAWL_TRY(pawl_quarantine_admit(project->store, candidate, err));
 */
#ifndef PAWL_IMPROVE_QUARANTINE_H
#define PAWL_IMPROVE_QUARANTINE_H

#include "improve/front.h"

/* The record's body that holds the artifact (new reference); NULL: none does. */
PAWL_MUST_CHECK enum pawl_status pawl_quarantine_find(struct pawl_store *store, const char *hex,
                                                      json_t **body, struct pawl_error *err);
/* Fails PAWL_EINTEGRITY, naming which one and why, when the artifact is held. */
PAWL_MUST_CHECK enum pawl_status pawl_quarantine_admit(struct pawl_store *store, const char *hex,
                                                       struct pawl_error *err);
/* Append the record. Under the lock of those who ask the gate; `evidence` may be NULL. */
PAWL_MUST_CHECK enum pawl_status pawl_quarantine_record(struct pawl_project *project,
                                                        const char *hex, const char *reason,
                                                        const char *evidence,
                                                        struct pawl_error *err);
/* What a recorded verdict says of traps: record the quarantine of a candidate that sprang one, unless it is
 * recorded already (a person who lifted it is not contradicted), and fail as admit does while it is held.
 * Under that lock, too. */
PAWL_MUST_CHECK enum pawl_status
pawl_quarantine_heed(struct pawl_project *project, const json_t *statement, struct pawl_error *err);
/* Names of the artifacts whose quarantine is not lifted. New reference. */
PAWL_MUST_CHECK enum pawl_status pawl_quarantine_list(struct pawl_store *store, json_t **list,
                                                      struct pawl_error *err);

#endif
