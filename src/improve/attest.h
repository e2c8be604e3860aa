/*
 * attest.h - a verdict in the words that other tools read: in-toto statements in a DSSE envelope.
 *
 *     intoto   predicate https://in-toto.io/attestation/test-result/v0.1
 *     slsa     predicate https://slsa.dev/verification_summary/v1
 *
 *     envelope = {"payload":base64,"payloadType":"application/vnd.in-toto+json",
 *                 "signatures":[{"keyid":public key in hex,"sig":base64}]}
 *     signed   = "DSSEv1 28 application/vnd.in-toto+json " <length of the payload> " " <payload>
 *
 * The subject is the candidate; its sha256 is the artifact's id, the hash of its manifest (artifact.h).
 * PASSED is `promote`, FAILED is `no`. Our names are URIs: pawl:artifact/<id>, pawl:policy/<name>,
 * pawl:vault/<id> and pawl:vault/<id>/attempt/<k>, whose digest is that of the statement.
 *
 * Invariants
 *   1. The payload, in canonical JSON, is a function of the statement (statement.h) and tells nothing that
 *      it does not: whoever has the ledger makes it again and compares bytes. tools/pawl-verify does.
 *   2. What is signed begins with a D, a statement with a brace, a checkpoint with a p: none of them passes
 *      for another.
 *   3. No level of SLSA is claimed: a passed verdict has the level PAWL_GATE, which is ours.
 *
 *     json_t *envelope = pawl_attest_sign(&signer, statement, PAWL_ATTEST_SLSA);
 *     PAWL_TRY(pawl_attest_verify(envelope, statement, PAWL_ATTEST_SLSA, err));
 */
#ifndef PAWL_IMPROVE_ATTEST_H
#define PAWL_IMPROVE_ATTEST_H

#include "improve/statement.h"

enum pawl_attest_format { PAWL_ATTEST_INTOTO, PAWL_ATTEST_SLSA };
#define PAWL_ATTEST_FORMATS "intoto|slsa"
/* false: there is no such format. */
bool pawl_attest_find(const char *name, enum pawl_attest_format *format);

/* The in-toto statement of a verdict. New reference. */
json_t *pawl_attest_payload(const json_t *statement, enum pawl_attest_format format);
/* The same in an envelope, signed. New reference. */
json_t *pawl_attest_sign(const struct pawl_signer *signer, const json_t *statement,
                         enum pawl_attest_format format);
/* Whether the envelope holds this statement's payload and the key that the statement names signed it; whose
 * key that is, the caller has to know. Fails PAWL_EINTEGRITY. */
PAWL_MUST_CHECK enum pawl_status pawl_attest_verify(const json_t *envelope, const json_t *statement,
                                                    enum pawl_attest_format format,
                                                    struct pawl_error *err);

#endif
