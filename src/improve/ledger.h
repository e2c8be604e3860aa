/*
 * ledger.h - the record of what was decided: append-only and hash-chained.
 *
 *     record_i = {"actor","body","kind","prev","seq","ts","v":1}   canonical JSON
 *     hash_i   = SHA-256( hash_{i-1} as 64 hex digits || 0x0A || record_i )      hash_-1 = 64 zeros
 *
 * kinds: seal, data, run (with its operator and that one's version), end (what a run had spent when it
 * was paused or finished; the newest counts), verdict (a gate attempt, with the vault's signed statement
 * and, when no run asked, `made_by`: the run that made the candidate), promotion
 * (by a person, ungated), rollback, audit, consent (to providers that seal did not name), overlap
 * (whether a case file holds sealed cases), burn (it was scored all the same), rotate (a fresh sealed
 * set, with the vault's signed statement, vault.h), approve and reject (a person's signed word on a
 * promotion that waits, approval.h), ask (people are asked once more, approval.h), quarantine and lift (what
 * is held back, quarantine.h), confirm (what a promotion is worth on fresh cases, with the vault's signed
 * statement, front_confirm.c), watch (why an operator was run or not, front_watch.c). The root of the ledger
 * is the hash of its last
 * record. A new kind is also made known to tools/pawl-verify.
 *
 * Invariants
 *   1. Only the front appends. A record and the pointer it flips are one transaction.
 *   2. The incumbent at any time follows from the ledger alone; verify recomputes both.
 *   3. A verdict is appended once, however often it is asked for.
 */
#ifndef PAWL_IMPROVE_LEDGER_H
#define PAWL_IMPROVE_LEDGER_H

#include "base/error.h"
#include "base/json.h"
#include "store/store.h"

struct pawl_project;
struct pawl_call;

struct pawl_ledger_entry {
    const char *kind;
    json_t *body; /* borrowed */
    /* Move `pointer` from `expect` (NULL: anything, "": unset) to `to`; pointer NULL: no flip. */
    struct {
        const char *pointer, *expect, *to;
    } flips[3];
    size_t n_flips;
};
PAWL_MUST_CHECK enum pawl_status pawl_ledger_append(struct pawl_project *project,
                                                    const struct pawl_ledger_entry *entry,
                                                    struct pawl_error *err);

/*
 * The same, but what is appended is decided inside the transaction that appends it, when no other process
 * can append: `decide` reads the store and fills the entry for a record of the time `now_ms`, or fails and
 * nothing is written. What the entry points to must outlive it.
 */
typedef enum pawl_status (*pawl_ledger_decide)(void *context, int64_t now_ms,
                                               struct pawl_ledger_entry *entry,
                                               struct pawl_error *err);
PAWL_MUST_CHECK enum pawl_status pawl_ledger_append_decided(struct pawl_project *project,
                                                            pawl_ledger_decide decide,
                                                            void *context, struct pawl_error *err);

struct pawl_ledger_report {
    int64_t records;
    int64_t first_bad; /* -1: none */
    char root[PAWL_HASH_HEX];
    char incumbent[PAWL_HASH_HEX]; /* as the records say */
    char reason[256];
};
/* Recompute chain, signatures and incumbent. PAWL_OK also when something is bad: see first_bad. */
PAWL_MUST_CHECK enum pawl_status pawl_ledger_verify(struct pawl_store *store,
                                                    struct pawl_ledger_report *report,
                                                    struct pawl_error *err);
/* One line per record, canonical, with its "hash" added; `file` NULL is PAWL_EUSAGE. What tools/pawl-verify
 * reads. */
PAWL_MUST_CHECK enum pawl_status pawl_ledger_export(struct pawl_project *project, const char *file,
                                                    struct pawl_error *err);
/* result "proof": {seq,size,tree_root,path,record}, an inclusion proof (RFC 6962 2.1.1) of record `number`,
 * a decimal text. PAWL_EUSAGE when there is no such record. Costs 32 bytes of memory a record. */
PAWL_MUST_CHECK enum pawl_status pawl_ledger_prove(struct pawl_call *call, const char *number,
                                                   struct pawl_error *err);
/* result "consistency": {from,from_root,size,tree_root,path}, a proof (RFC 6962 2.1.2) that the ledger only
 * grew since it had `number` records, 1 to all. */
PAWL_MUST_CHECK enum pawl_status pawl_ledger_consistency(struct pawl_call *call, const char *number,
                                                         struct pawl_error *err);
/* result "checkpoint": the tree's head, signed by the vault (vault_checkpoint.c); also in `file` unless
 * NULL. */
PAWL_MUST_CHECK enum pawl_status pawl_ledger_checkpoint(struct pawl_call *call, const char *file,
                                                        struct pawl_error *err);
/* The newest verdict record for which `fits` holds, as its body (new reference), or NULL. */
PAWL_MUST_CHECK enum pawl_status
pawl_ledger_find_verdict(struct pawl_store *store, bool (*fits)(void *context, const json_t *body),
                         void *context, json_t **body, struct pawl_error *err);
struct pawl_ledger_epoch {
    int64_t number; /* from 1; a rotation begins one, and a draw that retires (vault_draw.c) */
    int64_t before; /* attempts that were registered in earlier ones */
    int64_t since;  /* in earlier sealed sets: draws of one set share its answers */
};
PAWL_MUST_CHECK enum pawl_status pawl_ledger_epoch(struct pawl_store *store,
                                                   struct pawl_ledger_epoch *epoch,
                                                   struct pawl_error *err);
/* All records, parsed: [{seq,kind,ts,body,hash}]. New reference. */
PAWL_MUST_CHECK enum pawl_status pawl_ledger_records(struct pawl_store *store, json_t **records,
                                                     struct pawl_error *err);

#endif
