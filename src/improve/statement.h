/*
 * statement.h - what the vault says about one attempt, signed.
 *
 * A statement is an object in canonical JSON; its signature is Ed25519 over those bytes, so a third
 * party checks it with any library from the object, the signature and the public key in it.
 *
 * Invariants
 *   1. It shows what was asked, under which rule, and one bit. Of the sealed content nothing enters
 *      it but the verdict, the commitment and the salted hash of the evidence: two sealed sets that
 *      answer alike get statements that differ in these hashes (and the signature) alone.
 *   2. released_ms is the release point, never the time at which the work was done.
 *   3. A statement with a wrong signature, key or schema is PAWL_EINTEGRITY.
 *
 *     struct pawl_signer signer;
 *     pawl_signer_init(&signer, seed);
 *     json_t *statement = pawl_statement_make(&facts);
 *     char signature[PAWL_SIGNATURE_HEX];
 *     pawl_statement_sign(&signer, statement, signature);
 *     PAWL_TRY(pawl_statement_verify(statement, signature, err));
 */
#ifndef PAWL_IMPROVE_STATEMENT_H
#define PAWL_IMPROVE_STATEMENT_H

#include "base/arena.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"

#include <stdint.h>

enum { PAWL_SIGNATURE_HEX = 129, PAWL_STATEMENT_SCHEMA = 1 };

struct pawl_signer {
    unsigned char secret[64];
    char public_hex[PAWL_HASH_HEX];
};
/* The key pair of a 32-byte seed. */
void pawl_signer_init(struct pawl_signer *signer, const unsigned char seed[32]);

struct pawl_statement_facts {
    const char *vault;                 /* id of the vault */
    int64_t attempt;                   /* over the life of the sealed set, from 1 */
    const char *run;                   /* or NULL */
    const char *candidate, *incumbent; /* hex */
    const char *verdict;               /* "promote" | "no" */

    /* The rule, fixed before the first sealed case. */
    const char *policy, *guarantee, *not_guaranteed;
    double alpha, level;
    double log_histories; /* ln of how many histories of answers there could have been */
    const char *look, *unit;
    int64_t n_planned, clusters, samples, largest_cluster;

    /* What it was asked of. */
    const char *commitment_root;
    int64_t commitment_size;
    const char *evidence_root;
    const char *metric, *metric_hash, *program;
    const json_t *models; /* identities by role */
    const char *custody, *confinement;
    const char *timing_channel; /* NULL: none is known, and no such field */
    const json_t *guards; /* {anchor, level, rules, guarantee}; NULL: none, and no such field */
    const json_t *traps;  /* {impossible, pairs, root, evidence}; NULL: none, and no such field */

    int64_t released_ms;
    const char *public_key;
};
/* In words, that these roles' models are served to others, too; NULL where there are none. In the arena. */
const char *pawl_statement_timing(const json_t *roles, struct pawl_arena *arena);
json_t *pawl_statement_make(const struct pawl_statement_facts *facts); /* new reference */
void pawl_statement_sign(const struct pawl_signer *signer, const json_t *statement,
                         char signature[PAWL_SIGNATURE_HEX]);
/* By the public key that the statement names; whose key that is, the caller has to know. */
PAWL_MUST_CHECK enum pawl_status
pawl_statement_verify(const json_t *statement, const char *signature, struct pawl_error *err);

#endif
