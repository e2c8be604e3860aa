/*
 * store.h - everything pawl remembers outside the vault: one SQLite file and a folder of objects.
 *
 *     .pawl/store/pawl.db          WAL; tables below; PRAGMA user_version is the schema version
 *     .pawl/store/objects/ab/cd..  objects over 64 KiB, named by SHA-256
 *     .pawl/store/runs/<run>/      one folder per run: its journal (improve/journal.h)
 *
 *     object(hash, body)                      texts and blobs by content; body NULL: in a file
 *     artifact(hash, manifest, created_ms)
 *     case_(ordinal, id, tier, cluster, body) train and dev only; body is the case as JSON
 *     run(id, ordinal, body)                  body: JSON with operator, state, result
 *     candidate(run, ordinal, artifact, body) parents, step, dev mean
 *     ledger(seq, kind, ts_ms, record, hash)  record: canonical JSON, chained (ledger in improve)
 *     pointer(name, artifact)                 incumbent, anchor, seed
 *     answer(key, body)                       the model cache
 *     meta(key, value)
 *
 * Invariants
 *   1. One writer thread holds the only writing connection and keeps the order of writes. A durable
 *      write returns when it is on the disk; a manifest when it survives kill -9; a lazy write
 *      (cache, candidates) at once. All are on the disk within 100 ms (candidates and their texts,
 *      which a resumed run makes again: 550 ms), or with the next durable one.
 *   2. A ledger record and the pointer it flips are one transaction that reads the head.
 *   3. Several processes may have one store open; nothing is lost by killing any of them.
 *   4. A database from a newer schema is refused; an older one is migrated in one transaction.
 *   5. SQLITE_FULL and I/O errors are PAWL_EWORLD with the path and what to do; nothing is half
 *      written.
 */
#ifndef PAWL_STORE_STORE_H
#define PAWL_STORE_STORE_H

#include "base/arena.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"

#include <stdint.h>

struct pawl_store;

/* Open `dir` (.../.pawl/store). create: make it when missing, else PAWL_ENOTFOUND with the hint
 * to run init. */
PAWL_MUST_CHECK enum pawl_status pawl_store_open(const char *dir, bool create,
                                                 struct pawl_store **store, struct pawl_error *err);
void pawl_store_close(struct pawl_store *store); /* everything durable first */
const char *pawl_store_dir(const struct pawl_store *store);
/* Wait until every write so far is durable. Fails if a lazy one was lost since the last flush. */
PAWL_MUST_CHECK enum pawl_status pawl_store_flush(struct pawl_store *store, struct pawl_error *err);

/* Objects. put waits only if `durable`; get finds it at once in any case. get fails
 * PAWL_ENOTFOUND, PAWL_EINTEGRITY. */
PAWL_MUST_CHECK enum pawl_status pawl_store_object_put(struct pawl_store *store,
                                                       struct pawl_str body, bool durable,
                                                       struct pawl_hash *hash,
                                                       struct pawl_error *err);
PAWL_MUST_CHECK enum pawl_status
pawl_store_object_get(struct pawl_store *store, struct pawl_arena *arena,
                      const struct pawl_hash *hash, struct pawl_str *body, struct pawl_error *err);

/* Manifests of artifacts. find resolves a hex prefix of >= 6 characters, or a pointer's name
 * (incumbent, anchor, seed), to the full hex; PAWL_ENOTFOUND says whether none or several fit. */
PAWL_MUST_CHECK enum pawl_status pawl_store_manifest_put(struct pawl_store *store, const char *hex,
                                                         const json_t *manifest,
                                                         struct pawl_error *err);
PAWL_MUST_CHECK enum pawl_status pawl_store_manifest_put_lazy(struct pawl_store *store,
                                                              const char *hex,
                                                              const json_t *manifest,
                                                              struct pawl_error *err);
PAWL_MUST_CHECK enum pawl_status pawl_store_manifest_get(struct pawl_store *store, const char *hex,
                                                         json_t **manifest, struct pawl_error *err);
PAWL_MUST_CHECK enum pawl_status pawl_store_artifact_find(struct pawl_store *store,
                                                          const char *name, char hex[PAWL_HASH_HEX],
                                                          struct pawl_error *err);

/* Cases of the visible tiers, appended in order, all or none; read back in order. Each is the JSON
 * {id,input,target,cluster,metadata,tier}. tier "train" or "dev". An id that is there already fails
 * PAWL_ECONFIG. */
PAWL_MUST_CHECK enum pawl_status pawl_store_cases_add(struct pawl_store *store, const json_t *cases,
                                                      struct pawl_error *err);
PAWL_MUST_CHECK enum pawl_status pawl_store_cases_get(struct pawl_store *store, const char *tier,
                                                      json_t **cases, struct pawl_error *err);

/* Runs: a row per run, its body replaced whole. find accepts a prefix or "last". */
PAWL_MUST_CHECK enum pawl_status pawl_store_run_put(struct pawl_store *store, const char *run,
                                                    const json_t *body, struct pawl_error *err);
PAWL_MUST_CHECK enum pawl_status pawl_store_run_get(struct pawl_store *store, const char *run,
                                                    json_t **body, struct pawl_error *err);
PAWL_MUST_CHECK enum pawl_status pawl_store_run_find(struct pawl_store *store, const char *prefix,
                                                     char run[PAWL_HASH_HEX],
                                                     struct pawl_error *err);
PAWL_MUST_CHECK enum pawl_status pawl_store_runs(struct pawl_store *store, json_t **bodies,
                                                 struct pawl_error *err); /* oldest first */
PAWL_MUST_CHECK enum pawl_status pawl_store_candidate_put(struct pawl_store *store, const char *run,
                                                          int64_t ordinal, const char *artifact,
                                                          const json_t *body,
                                                          struct pawl_error *err); /* lazy */
PAWL_MUST_CHECK enum pawl_status pawl_store_candidates(struct pawl_store *store, const char *run,
                                                       json_t **bodies, struct pawl_error *err);
/* Candidates of any run that have this artifact; newest first. */
PAWL_MUST_CHECK enum pawl_status pawl_store_candidates_of(struct pawl_store *store,
                                                          const char *artifact, json_t **bodies,
                                                          struct pawl_error *err);

/*
 * Append a ledger record in one transaction. `make` is called inside it, on the writer's thread,
 * with the head (seq -1 and 64 zeros when empty) and returns the record, its hash, and the pointers
 * to flip. It may read the store and must not write to it.
 */
struct pawl_ledger_head {
    int64_t seq;
    char hash[PAWL_HASH_HEX];
    int64_t ts_ms; /* of the last record */
};
struct pawl_ledger_append {
    char *record; /* canonical JSON, malloc'd; NULL: append nothing (already there) */
    char hash[PAWL_HASH_HEX];
    const char *kind;
    int64_t ts_ms; /* the record's time, for the next head */
    /* Compare-and-swap: pointer `name` from `expect` ("" = absent, NULL = anything) to `to`. */
    struct {
        const char *name, *expect, *to;
    } flips[3];
    size_t n_flips;
};
typedef enum pawl_status (*pawl_ledger_make)(void *context, const struct pawl_ledger_head *head,
                                             struct pawl_ledger_append *append,
                                             struct pawl_error *err);
/* Fails PAWL_EINTEGRITY when an `expect` does not hold (nothing is written). */
PAWL_MUST_CHECK enum pawl_status pawl_store_ledger_append(struct pawl_store *store,
                                                          pawl_ledger_make make, void *context,
                                                          struct pawl_error *err);
/* Call `each` for every record in order until it fails. */
typedef enum pawl_status (*pawl_ledger_each)(void *context, int64_t seq, const char *kind,
                                             struct pawl_str record, const char *hash,
                                             struct pawl_error *err);
PAWL_MUST_CHECK enum pawl_status pawl_store_ledger_each(struct pawl_store *store,
                                                        pawl_ledger_each each, void *context,
                                                        struct pawl_error *err);
/* hex "" when the pointer is not set. */
PAWL_MUST_CHECK enum pawl_status pawl_store_pointer_get(struct pawl_store *store, const char *name,
                                                        char hex[PAWL_HASH_HEX],
                                                        struct pawl_error *err);

/* The model cache. get gives ptr NULL on a miss; put is lazy. Hot: called from many threads. */
PAWL_MUST_CHECK enum pawl_status
pawl_store_answer_get(struct pawl_store *store, struct pawl_arena *arena,
                      const struct pawl_hash *key, struct pawl_str *body, struct pawl_error *err);
PAWL_MUST_CHECK enum pawl_status pawl_store_answer_put(struct pawl_store *store,
                                                       const struct pawl_hash *key,
                                                       struct pawl_str body,
                                                       struct pawl_error *err);

PAWL_MUST_CHECK enum pawl_status pawl_store_meta_put(struct pawl_store *store, const char *key,
                                                     const json_t *value, struct pawl_error *err);
/* *value NULL when absent. New reference. */
PAWL_MUST_CHECK enum pawl_status pawl_store_meta_get(struct pawl_store *store, const char *key,
                                                     json_t **value, struct pawl_error *err);

#endif
