/*
 * vault.h - inside the vault process: what its files share. Nothing else includes this.
 *
 * The vault holds what nobody may see: sealed cases with their targets, the key, the state of the
 * gate. It is started for one question at a time and keeps everything on disk:
 *
 *     <project>/.pawl/sealed/vault.db   encrypted rows of fixed size (vault_rows.c)
 *     <vault_home>/<id>/key             32 secret bytes, mode 0600
 *     <vault_home>/<id>/counter         attempts and store version, MACed, never goes back
 *     <vault_home>/<id>/lock, busy      held while a state is read or written; during a change
 *
 * Invariants
 *   1. Every change of the store has a version, and the counter file names it before the store has
 *      it. A store that is older than the counter was put back by somebody: PAWL_EINTEGRITY.
 *   2. An attempt is durable before its first sealed case; from then on it is spent, whatever
 *      happens. The same attempt is measured again only while nothing about it could be learned.
 *   3. What an outsider can see (answers, their times, file sizes, moments of writing) follows from
 *      public figures and the one bit.
 *   4. A struct pawl_vault lives for one request; each request reads the state from disk.
 *
 * Reading order: vault_keys.c, vault_keyring.c, vault_rows.c, vault_open.c (the three together are the store),
 * vault_cases.c, vault_clusters.c, vault_place.c, vault_seal.c, vault_rotate.c, vault_draw.c, vault_plan.c,
 * vault_measure.c, vault_guards.c, vault_attempt.c, vault_evidence.c, vault_confirm.c, vault_overlap.c,
 * vault_past.c, vault_checkpoint.c, vault_attest.c, vault.c.
 */
#ifndef PAWL_IMPROVE_VAULT_H
#define PAWL_IMPROVE_VAULT_H

#include "improve/statement.h"
#include "improve/worker.h"

#include "evaluate/cases.h"
#include "gate/decide.h"
#include "gate/guard.h"
#include "gate/levels.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PAWL_VAULT_ID_HEX = 33,
    PAWL_VAULT_POINTS = 4,              /* release points of an attempt */
    PAWL_VAULT_CLUSTERS_MIN = 10,       /* fewer gate clusters are refused */
    PAWL_VAULT_SEQUENTIAL_FROM = 500,   /* cases in all tiers */
    PAWL_VAULT_PIECE_BYTES = 256 << 10, /* of the case list, per row */
    PAWL_VAULT_OVERLAPS_MAX = 16, /* case files with sealed cases, before it stops saying so */
    PAWL_VAULT_REASON_MAX = 1000, /* bytes of a rotation's reason */
};

/* --- keys and counter (vault_keys.c) ------------------------------------------------------------ */

struct pawl_vault_keys {
    unsigned char split[32], check[32]; /* where a cluster belongs; which dev clusters are hidden */
    unsigned char order[32];            /* order of cases and arms, opaque ids */
    unsigned char encrypt[32], nonce[32], salt[32], mac[32], sign[32];
};
struct pawl_vault_counter {
    uint64_t attempts; /* ever registered */
    uint64_t version;  /* of the store, or of the change that is under way */
    bool pending;      /* the store may still be at version - 1 */
};

/* Draw a master key and an id that no vault in vault_home has. Nothing is written. */
void pawl_vault_key_draw(const char *vault_home, unsigned char master[32],
                         char id[PAWL_VAULT_ID_HEX]);
void pawl_vault_keys_derive(const unsigned char master[32], struct pawl_vault_keys *keys);
PAWL_MUST_CHECK enum pawl_status
pawl_vault_key_save(const char *home, const unsigned char master[32], struct pawl_error *err);
/* Fails PAWL_EINTEGRITY without a key of 32 bytes. */
PAWL_MUST_CHECK enum pawl_status pawl_vault_key_load(const char *home, struct pawl_vault_keys *keys,
                                                     struct pawl_error *err);
/* Durable when it returns. */
PAWL_MUST_CHECK enum pawl_status pawl_vault_counter_save(const char *home, const char *id,
                                                         const struct pawl_vault_keys *keys,
                                                         const struct pawl_vault_counter *counter,
                                                         struct pawl_error *err);
/* Fails PAWL_EINTEGRITY when the file is missing, its MAC is wrong, or the kernel's keyring knows a later one. */
PAWL_MUST_CHECK enum pawl_status pawl_vault_counter_load(const char *home, const char *id,
                                                         const struct pawl_vault_keys *keys,
                                                         struct pawl_vault_counter *counter,
                                                         struct pawl_error *err);
/* The newest counter, as its file has it, in the kernel's memory (vault_keyring.c): fails silently, and then there is
 * none. With a virtual clock nothing is kept. */
void pawl_vault_keyring_put(const char *home, const void *bytes, size_t n_bytes);
bool pawl_vault_keyring_get(const char *home, void *bytes, size_t n_bytes);
/* Who could open the vault, in words. It is apart only when this process runs as another user than the
 * front that started it, and the front not as root: whose folder the project is says nothing, because
 * who drives pawl may be its reader or its owner. */
const char *pawl_vault_custody(const struct pawl_worker *worker);

/* --- encrypted rows (vault_rows.c) --------------------------------------------------------------- */

enum pawl_vault_row {
    PAWL_VAULT_ROW_ID, /* plain text: whose rows these are */
    PAWL_VAULT_ROW_STATE,
    PAWL_VAULT_ROW_CASES,               /* the case list, in pieces */
    PAWL_VAULT_ROW_ATTEMPT,             /* k = 1, 2, ... */
    PAWL_VAULT_ROW_EVIDENCE,            /* k = 1, 2, ... */
    PAWL_VAULT_ROW_ROTATION,            /* k = 2, 3, ...: the signed statement that began epoch k */
    PAWL_VAULT_ROW_CONFIRMATION,        /* k = 1, 2, ... */
    PAWL_VAULT_ROW_CONFIRMATION_SCORES, /* k = 1, 2, ... */
};
struct pawl_vault_rows;
PAWL_MUST_CHECK enum pawl_status pawl_vault_rows_open(const char *path, bool create,
                                                      struct pawl_vault_rows **rows,
                                                      struct pawl_error *err);
void pawl_vault_rows_close(struct pawl_vault_rows *rows);
PAWL_MUST_CHECK enum pawl_status pawl_vault_rows_set_id(struct pawl_vault_rows *rows,
                                                        const char *id, struct pawl_error *err);
PAWL_MUST_CHECK enum pawl_status pawl_vault_rows_get_id(struct pawl_vault_rows *rows,
                                                        char id[PAWL_VAULT_ID_HEX],
                                                        struct pawl_error *err);
/* From now on rows are encrypted for this vault. */
void pawl_vault_rows_use(struct pawl_vault_rows *rows, const char *id,
                         const struct pawl_vault_keys *keys);
PAWL_MUST_CHECK enum pawl_status pawl_vault_rows_begin(struct pawl_vault_rows *rows,
                                                       struct pawl_error *err);
PAWL_MUST_CHECK enum pawl_status pawl_vault_rows_commit(struct pawl_vault_rows *rows,
                                                        struct pawl_error *err);
/* Encrypt content, padded to capacity_bytes, into the row; its size on disk follows from
 * capacity_bytes alone. Fails PAWL_ETOOBIG when the content is larger. */
PAWL_MUST_CHECK enum pawl_status pawl_vault_rows_put(struct pawl_vault_rows *rows,
                                                     enum pawl_vault_row kind, uint64_t k,
                                                     uint64_t version, struct pawl_str content,
                                                     size_t capacity_bytes, struct pawl_error *err);
/* Fails PAWL_EINTEGRITY when the row is missing, changed, or another version. */
PAWL_MUST_CHECK enum pawl_status pawl_vault_rows_get(struct pawl_vault_rows *rows,
                                                     struct pawl_arena *arena,
                                                     enum pawl_vault_row kind, uint64_t k,
                                                     uint64_t version, struct pawl_str *content,
                                                     struct pawl_error *err);

/* --- the open vault (vault_open.c) ---------------------------------------------------------------- */

/*
 * The state is one JSON object, encrypted as one row:
 *
 *     version, created_ms, last_ms (of the last release)
 *     shares [train, dev, gate, vault], tiers {name: cases}, clusters {name: clusters},
 *     largest_cluster, sealed_n (cases that were there when it was sealed)
 *     max_per_cluster (0: no limit), set_aside (cases that it left out)
 *     max_attempts, evidence_bytes, case_bytes, chunks, cases_version    sizes of rows
 *     commitment {root, size}, epoch_open
 *     ended ("audit" or "burn": what ended the epoch; absent after an audit of an older pawl, which
 *       showed the vault tier, too)
 *     since (attempts of earlier sealed sets, where draws have retired; else it is `before`)
 *     epoch (1 at seal), before (attempts of earlier epochs), retired (cases of earlier gates)
 *     epochs [{last, largest_cluster, version}]: the earlier ones, each with its last attempt; the
 *       version is that of the rotation which ended it
 *     checkpoint {size, root} (the head of the ledger that was signed last)
 *     spent_before (attempts of earlier vaults that sealed some of these cases; absent: none)
 *     overlaps_asked, overlaps (case files asked about; those that held sealed cases)
 *     rule {alpha, policy, look, guards, draw}: fixed by the first attempt; before, null
 *     caps, drift, evidence_width: of guards (vault_guards.c)
 *     confirmed (entries of this epoch's log of which no vault-tier case is fresh any more)
 *     confirmations [{version, attempt, answer}]: "open", "stable", "unconfirmed", "harm" or
 *       "interrupted"; of the vault's whole life
 *     attempts [{version, verdict}]: "open", "promote", "no", "undecided" or "interrupted"; of all
 *       epochs, numbered through
 */
struct pawl_vault {
    struct pawl_worker *worker;
    struct pawl_arena arena; /* request */
    char id[PAWL_VAULT_ID_HEX];
    const char *home;
    struct pawl_vault_keys keys;
    struct pawl_vault_counter counter;
    struct pawl_vault_rows *rows;
    json_t *state;
    int busy_fd; /* held while changing; else -1 */
    int read_fd; /* held while only reading, so that all rows are of one version; else -1 */
};
enum pawl_vault_mode { PAWL_VAULT_READ, PAWL_VAULT_CHANGE };
/*
 * Open the project's vault. Fails PAWL_ENOTFOUND when nothing is sealed, PAWL_EINTEGRITY when
 * store, key and counter do not fit together, PAWL_EWORLD when another process changes it.
 * Release it also after a failure.
 */
PAWL_MUST_CHECK enum pawl_status pawl_vault_open(struct pawl_worker *worker,
                                                 enum pawl_vault_mode mode,
                                                 struct pawl_vault *vault, struct pawl_error *err);
void pawl_vault_release(struct pawl_vault *vault);
bool pawl_vault_is_sealed(const struct pawl_worker *worker);

struct pawl_vault_write {
    enum pawl_vault_row kind;
    uint64_t k;
    struct pawl_str content;
};
/* Make the state and these rows durable as one change. After a failure release the vault. */
PAWL_MUST_CHECK enum pawl_status pawl_vault_commit(struct pawl_vault *vault,
                                                   const struct pawl_vault_write *writes, size_t n,
                                                   struct pawl_error *err);
/* Build a new vault's files: key, counter, then the store, whose rename makes it exist. */
PAWL_MUST_CHECK enum pawl_status pawl_vault_create(struct pawl_vault *vault,
                                                   const unsigned char master[32],
                                                   const struct pawl_vault_write *writes, size_t n,
                                                   struct pawl_error *err);
PAWL_MUST_CHECK enum pawl_status pawl_vault_read(struct pawl_vault *vault, enum pawl_vault_row kind,
                                                 uint64_t k, struct pawl_str *content,
                                                 struct pawl_error *err);
int64_t pawl_vault_attempts(const struct pawl_vault *vault); /* ever registered, in all epochs */
int64_t pawl_vault_before(const struct pawl_vault *vault);   /* of them, in earlier epochs */
int64_t pawl_vault_since(const struct pawl_vault *vault);    /* of them, in earlier sealed sets */
int64_t pawl_vault_last(const struct pawl_vault *vault);  /* the last attempt that there may be */
int64_t pawl_vault_epoch(const struct pawl_vault *vault); /* from 1 */
int64_t pawl_vault_epoch_of(const struct pawl_vault *vault, int64_t attempt);
/* Whether nobody has seen the gate's cases, and whether nobody has seen those of the vault tier. */
bool pawl_vault_gate_is_sealed(const struct pawl_vault *vault);
bool pawl_vault_reserve_is_sealed(const struct pawl_vault *vault);
const char *pawl_vault_verdict(const struct pawl_vault *vault, int64_t attempt);

/* The same, and how often earlier vaults were asked about these cases: what statements say. In the
 * vault's arena. */
const char *pawl_vault_custody_said(struct pawl_vault *vault);

/* --- sealed cases (vault_cases.c) ----------------------------------------------------------------- */

/* All cases of the project in the order in which they came; only ever appended to. */
struct pawl_vault_set {
    json_t *list; /* each is the JSON of cases.h with its tier */
    json_t
        *past; /* by earlier epoch, what was sealed then: {"gate":[i...],"vault":[i...]}; or NULL */
    struct pawl_cases cases;
    enum pawl_tier *tiers; /* [cases.n] */
    enum pawl_tier *then; /* [cases.n] in the epoch that is looked back at; NULL: as they are now */
    bool must_fit;        /* what is read is held against program and metric (cases_fit.h) */
};
PAWL_MUST_CHECK enum pawl_status
pawl_vault_set_load(struct pawl_vault *vault, struct pawl_vault_set *set, struct pawl_error *err);
void pawl_vault_set_release(struct pawl_vault_set *set);
/* From now on log, opening and order are those of this epoch. */
void pawl_vault_set_look_at(struct pawl_vault *vault, struct pawl_vault_set *set, int64_t epoch);
/* The rows that hold the list, in the vault's arena; sets case_bytes and chunks of the state. */
size_t pawl_vault_set_writes(struct pawl_vault *vault, const struct pawl_vault_set *set,
                             struct pawl_vault_write **writes);
/* {root, size} of the append-only log of sealed cases: RFC 6962 over salted hashes. New reference. */
json_t *pawl_vault_set_commitment(struct pawl_vault *vault, const struct pawl_vault_set *set);
/* What the commitment commits to, in its order: [{case, salt}], and [{leaf}] for the vault tier, which
 * stays sealed. For the audit view. New reference. */
json_t *pawl_vault_set_opening(struct pawl_vault *vault, const struct pawl_vault_set *set);
/* The cases of one visible tier, as the engine gets them. New reference. */
json_t *pawl_vault_set_tier(const struct pawl_vault_set *set, enum pawl_tier tier, size_t from);

/* The gate's cases in the order in which they are asked. */
struct pawl_vault_order {
    size_t *items; /* indices into the set, cluster by cluster */
    size_t n;
    size_t *ends; /* one past the last item of each cluster */
    size_t n_clusters;
};
/* Of the first log_size entries of the log: an attempt keeps its cases when others are added. */
void pawl_vault_order_make(struct pawl_vault *vault, const struct pawl_vault_set *set,
                           size_t log_size, struct pawl_vault_order *order);

/* The vault tier's clusters of the first log_size entries that have no case among the first `spent`. */
void pawl_vault_order_fresh(struct pawl_vault *vault, const struct pawl_vault_set *set,
                            size_t spent, size_t log_size, struct pawl_vault_order *order);
/* Move the vault tier's clusters that have a case among the first `spent` entries to dev. Gives how many cases. */
size_t pawl_vault_set_retire_spent(struct pawl_vault_set *set, size_t spent);

/* --- reading and placing (vault_place.c) ----------------------------------------------------------- */

/* Make room for n more cases. */
void pawl_vault_set_grow(struct pawl_vault *vault, struct pawl_vault_set *set, size_t n);
/* Append the cases of one file (NULL: none), its path below the project; they stay in `tier` unless
 * they are placed later. */
PAWL_MUST_CHECK enum pawl_status pawl_vault_set_read(struct pawl_vault *vault, const char *file,
                                                     enum pawl_tier tier,
                                                     struct pawl_vault_set *set,
                                                     struct pawl_error *err);
/* All files that pawl.yaml names, checked as one list. */
PAWL_MUST_CHECK enum pawl_status pawl_vault_set_read_configured(struct pawl_vault *vault,
                                                                struct pawl_vault_set *set,
                                                                struct pawl_error *err);
/* Give every cluster its tier. Gives the shares by which later clusters are placed. Fails
 * PAWL_ECONFIG: a cluster in two tiers, shares that do not sum to 1. */
PAWL_MUST_CHECK enum pawl_status pawl_vault_set_place(struct pawl_vault *vault,
                                                      struct pawl_vault_set *set,
                                                      double shares[PAWL_N_TIERS],
                                                      struct pawl_error *err);
/* Choose among the dev cases from the given one on those whose scores no operator sees. */
void pawl_vault_set_mark_check(const struct pawl_vault *vault, struct pawl_vault_set *set,
                               size_t from);

/* The settings that sealing fixed and that pawl.yaml states otherwise now:
 * [{"field","sealed","configured","effect"}], effect being a clause. New reference. */
json_t *pawl_vault_fixed(const struct pawl_vault *vault);

/* --- sealing (vault_seal.c) ------------------------------------------------------------------------ */

/* What sealing gave, as it is now, whatever became of the files. */
PAWL_MUST_CHECK enum pawl_status pawl_vault_visible(struct pawl_worker *worker, json_t **done,
                                                    struct pawl_error *err);

struct pawl_vault_figures {
    int64_t cases[PAWL_N_TIERS], clusters[PAWL_N_TIERS];
    int64_t largest_gate;
};
void pawl_vault_set_count(const struct pawl_vault_set *set, struct pawl_vault_figures *figures);
/* Put into the state what changes when cases come or move. */
void pawl_vault_set_figures(struct pawl_vault *vault, const struct pawl_vault_set *set,
                            const struct pawl_vault_figures *figures);
/* The list's JSON of the cases from the given one on. */
void pawl_vault_set_list(struct pawl_vault_set *set, size_t from);

/* {"again":bool,"seed":{...}}: whether cases that an earlier vault of this folder was asked about may be sealed again,
 * and the program's texts, which no canary may stand in. */
PAWL_MUST_CHECK enum pawl_status pawl_vault_seal(struct pawl_worker *worker, const json_t *request,
                                                 json_t **done, struct pawl_error *err);
/* {"sealed":bool,"fixed":[...]}: whether sealing the configured files would do; writes nothing. What is sealed
 * already is not checked again: its values are told to nobody. */
PAWL_MUST_CHECK enum pawl_status pawl_vault_check(struct pawl_worker *worker, const json_t *request,
                                                  json_t **done, struct pawl_error *err);
PAWL_MUST_CHECK enum pawl_status pawl_vault_add(struct pawl_worker *worker, const char *file,
                                                json_t **done, struct pawl_error *err);

/* --- what was sealed before (vault_past.c) ----------------------------------------------------------- */

/* Remember outside the project which cases this vault sealed. Before its store says that it did. */
PAWL_MUST_CHECK enum pawl_status pawl_vault_past_note(struct pawl_vault *vault,
                                                      const struct pawl_vault_set *set,
                                                      struct pawl_error *err);
/* Put into a new state how often earlier vaults were asked about these cases. Fails PAWL_EINTEGRITY
 * when one of this folder was, unless `again`. */
PAWL_MUST_CHECK enum pawl_status pawl_vault_past_look(struct pawl_vault *vault,
                                                      const struct pawl_vault_set *set, bool again,
                                                      struct pawl_error *err);

/* --- clusters (vault_clusters.c) ------------------------------------------------------------------- */

/* Keep at most `limit` cases (0: all) of each sealed cluster, chosen by keyed hash. Gives how many
 * were taken out of the set. */
size_t pawl_vault_set_aside(struct pawl_vault *vault, struct pawl_vault_set *set, size_t limit);
/* {"sizes":[...]}: cases of each gate cluster, the largest first. */
PAWL_MUST_CHECK enum pawl_status pawl_vault_sizes(struct pawl_worker *worker, json_t **done,
                                                  struct pawl_error *err);

/* Cases of each gate cluster, the largest first; in the vault's arena. */
size_t *pawl_vault_gate_sizes(struct pawl_vault *vault, const struct pawl_vault_set *set,
                              size_t *n);
/* The same of what the next attempt is asked; of a draw, sizes like those of the whole. */
size_t *pawl_vault_asked_sizes(struct pawl_vault *vault, const struct pawl_vault_set *set,
                               size_t *n);

/* --- draws (vault_draw.c) ------------------------------------------------------------------------------ */

/* Whether every attempt draws its own cases (policy fresh), how many clusters (else 0), for how many more
 * attempts there are enough (else INT64_MAX), and whether the newest draw was asked and has not retired. */
bool pawl_vault_draws(const struct pawl_vault *vault);
int64_t pawl_vault_draw(const struct pawl_vault *vault);
int64_t pawl_vault_draws_left(const struct pawl_vault *vault);
bool pawl_vault_draw_is_spent(const struct pawl_vault *vault);
/* PAWL_EBUDGET when too few clusters are left for one more. */
PAWL_MUST_CHECK enum pawl_status pawl_vault_check_draw(const struct pawl_vault *vault,
                                                       struct pawl_error *err);
/* The first `draw` clusters of the order (0: all); and those that an attempt's row names. */
void pawl_vault_order_draw(struct pawl_vault *vault, const struct pawl_vault_set *set,
                           size_t log_size, int64_t draw, struct pawl_vault_order *order);
void pawl_vault_order_of(struct pawl_vault *vault, const struct pawl_vault_set *set,
                         const json_t *row, struct pawl_vault_order *order);
/* Move a draw that was asked to dev, as one change (vault_rotate.c). Nothing where there is none, where its
 * attempt may still be measured again, and where the gate was seen. */
PAWL_MUST_CHECK enum pawl_status pawl_vault_retire_draw(struct pawl_vault *vault,
                                                        struct pawl_error *err);

/* --- rotation (vault_rotate.c) ------------------------------------------------------------------------- */

/*
 * {"file":path or absent,"reason":text}: a fresh gate of the file's new clusters, or of the vault tier
 * where there is no file; the gate's cases retire to dev. Gives {"statement","signature","added",
 * "refused"}; the statement, signed like an attempt's, is what began the epoch:
 *
 *     schema, kind "rotation", vault, public_key, reason
 *     epoch (the new one), attempts (ever registered before it), retired, added
 *     drawn (the attempt whose draw retired, where the gate keeps the rest; without it all of the gate did)
 *     spent (cases of the vault tier that went to dev, because confirmations used them), where there are any
 *     previous, commitment {root, size}, tiers, gate_clusters, largest_cluster
 *
 * Fails PAWL_EUSAGE without fresh cases, PAWL_ECONFIG when they are too few to certify anything.
 */
PAWL_MUST_CHECK enum pawl_status pawl_vault_rotate(struct pawl_worker *worker,
                                                   const json_t *request, json_t **done,
                                                   struct pawl_error *err);
/* {"epoch":E}: gives {"epoch"}, the one now, and if E was begun by a rotation its statement and
 * signature. PAWL_EINTEGRITY when "known", the ledger's epoch, is later than ours. */
PAWL_MUST_CHECK enum pawl_status pawl_vault_rotation(struct pawl_worker *worker,
                                                     const json_t *request, json_t **done,
                                                     struct pawl_error *err);

/* --- the rule of the next attempt (vault_plan.c) ----------------------------------------------------- */

struct pawl_vault_plan {
    const struct pawl_policy *policy;
    enum pawl_gate_look look;
    double alpha, level;
    double log_histories;
    int64_t draw; /* clusters that the attempt draws; 0: it asks all */
};
/*
 * Look and policy are decided together, because they fit only in pairs: e-LOND needs an e-value,
 * which only a sequential look gives; one planned look gives a p-value, whose level comes from the
 * spending schedule (the levels of all attempts sum to alpha). So `look: auto` takes, below
 * PAWL_VAULT_SEQUENTIAL_FROM cases, one planned look and `spending`, whatever e-lond or strict the
 * configuration names; an explicit `look: fixed` with an explicit `policy: e-lond` or `strict` is
 * PAWL_ECONFIG. The first attempt fixes alpha, policy and look for the life of the sealed set.
 */
PAWL_MUST_CHECK enum pawl_status pawl_vault_plan_next(struct pawl_vault *vault,
                                                      struct pawl_vault_plan *plan,
                                                      struct pawl_error *err);
PAWL_MUST_CHECK enum pawl_status pawl_vault_status(struct pawl_worker *worker, json_t **done,
                                                   struct pawl_error *err);
int64_t pawl_vault_attempts_left(const struct pawl_vault *vault);   /* in this epoch */
int64_t pawl_vault_promotions_left(const struct pawl_vault *vault); /* in this epoch */

/* --- measuring (vault_measure.c) ----------------------------------------------------------------------- */

/* What an attempt has seen, case by case in the gate's order. */
enum {
    PAWL_VAULT_WIDTH = 2, /* incumbent's and candidate's score */
    PAWL_VAULT_WIDTH_GUARDED = PAWL_N_ARMS * PAWL_N_MEASURES, /* every measure of every arm */
};
struct pawl_vault_scores {
    size_t n;       /* cases fed to the gate */
    size_t width;   /* values of a case, by whether there are guards */
    double *values; /* [n * width]: means over the samples; all NAN: missing */
    double *traps;  /* [n_traps * PAWL_VAULT_WIDTH], likewise */
    size_t n_traps;
};
struct pawl_vault_measure {
    struct pawl_worker *worker;
    const struct pawl_vault_keys *keys;
    const struct pawl_vault_set *set;
    const struct pawl_vault_order *order;
    struct pawl_metric *metric;
    struct pawl_gate
        *gate; /* NULL: nothing is decided, all is seen, and what is missing is left out */
    struct pawl_guards *guards; /* of n = 0: none */
    size_t n_arms;              /* 3: the anchor is one of its own */
    struct pawl_arena *arena;
    int64_t attempt, samples;
    int parallel;                    /* requests that may be under way in the sealed side */
    struct pawl_vault_scores scores; /* the width is given */
    const char *undecided;           /* a sentence when the world failed; else NULL */
};
/* Called while the measurement waits: pass the release points that are due. Gives how long, in
 * real milliseconds, it may wait before the next call (-1: no limit). */
typedef enum pawl_status (*pawl_vault_tick)(void *context, int *wait_ms, struct pawl_error *err);
/*
 * Ask the sealed side for every answer and feed gate and guards, in keyed order, until they promote or
 * all is seen: a guard that is broken for good ends nothing early; nothing is under way in the sealed side when it returns.
 * Fails as tick does, and PAWL_EPAUSED when the front has gone. A world that fails is no failure:
 * see undecided.
 */
PAWL_MUST_CHECK enum pawl_status pawl_vault_measure(struct pawl_vault_measure *measure,
                                                    pawl_vault_tick tick, void *context,
                                                    struct pawl_error *err);
/* Load the arms in the sealed side; anchor may be NULL. Gives *ready (new reference). */
PAWL_MUST_CHECK enum pawl_status pawl_vault_load_arms(struct pawl_worker *worker,
                                                      const json_t *incumbent,
                                                      const json_t *candidate, const json_t *anchor,
                                                      json_t **ready, struct pawl_error *err);
/* Let the time pass. PAWL_EPAUSED when the front has gone. */
PAWL_MUST_CHECK enum pawl_status pawl_vault_wait(struct pawl_worker *worker, int wait_ms,
                                                 struct pawl_error *err);

/* --- guards (vault_guards.c) ---------------------------------------------------------------------------- */

/* {"medians":{measure: value}} of the incumbent on dev: gives {"caps"}, which are frozen once. Fails
 * PAWL_ECONFIG after the first attempt of a set without guards. */
PAWL_MUST_CHECK enum pawl_status pawl_vault_freeze(struct pawl_worker *worker,
                                                   const json_t *request, json_t **done,
                                                   struct pawl_error *err);
/* The rules of pawl.yaml, without caps: part of the set's rule. New reference. */
json_t *pawl_vault_guards_configured(const struct pawl_vault *vault);
/* An attempt's guards, from its registered row; without guards, n = 0. */
PAWL_MUST_CHECK enum pawl_status pawl_vault_guards_init(const struct pawl_vault *vault,
                                                        const json_t *row,
                                                        struct pawl_guards *guards,
                                                        struct pawl_error *err);
bool pawl_vault_is_guarded(const json_t *row);
enum pawl_guard_anchor pawl_vault_anchor(const json_t *row);
size_t pawl_vault_arms(const json_t *row);  /* that are run: 2, or 3 */
size_t pawl_vault_width(const json_t *row); /* of its evidence */
/* {"anchor","level","rules","guarantee"} for the statement (new reference); NULL without guards. */
json_t *pawl_vault_guards_said(const json_t *row);
/* The losses of a candidate that is promoted are remembered in the state. */
void pawl_vault_guards_promoted(struct pawl_vault *vault, const json_t *row,
                                const struct pawl_guards *guards);
void pawl_vault_scores_case(const struct pawl_vault_scores *scores, size_t i,
                            struct pawl_guard_case *out);
void pawl_vault_scores_put(struct pawl_vault_scores *scores, size_t i,
                           const struct pawl_guard_case *item);
/* One cluster, for the gate while it is open and for the guards; a missing case is a tie. */
PAWL_MUST_CHECK enum pawl_status pawl_vault_judge(struct pawl_gate *gate,
                                                  struct pawl_guards *guards,
                                                  const struct pawl_guard_case *cases, size_t n,
                                                  struct pawl_arena *arena, struct pawl_error *err);
/* The one bit: enough gain, and every guard passed. */
bool pawl_vault_promotes(const struct pawl_gate *gate, const struct pawl_guards *guards);

/* --- evidence (vault_evidence.c) ------------------------------------------------------------------------ */

/* The plan of an attempt's gate, from its registered row. */
struct pawl_gate_plan pawl_vault_gate_plan(const struct pawl_vault *vault, const json_t *row);
/* Scores as the bytes of an evidence row, and back, in the vault's arena. */
struct pawl_str pawl_vault_scores_pack(struct pawl_vault *vault,
                                       const struct pawl_vault_scores *scores);
/* Everything about an attempt that a verifier recomputes the verdict from. New reference. */
PAWL_MUST_CHECK enum pawl_status pawl_vault_evidence(struct pawl_vault *vault,
                                                     const struct pawl_vault_set *set,
                                                     const json_t *row,
                                                     const struct pawl_vault_scores *scores,
                                                     json_t **evidence, struct pawl_error *err);
/* [{id, cluster, incumbent, candidate, measured}] in the order; new reference. */
json_t *pawl_vault_evidence_cases(const struct pawl_vault_set *set,
                                  const struct pawl_vault_order *order,
                                  const struct pawl_vault_scores *scores, const json_t *row);
/* SHA-256(salt | canonical JSON of the evidence). */
void pawl_vault_evidence_root(struct pawl_vault *vault, int64_t attempt, const json_t *evidence,
                              char hex[PAWL_HASH_HEX]);
/* {"evidence":[...], "sealed":[{case, salt}] or null where that is over SEALED_SHOWN_MAX}: evidence of
 * one attempt (an integer) or of all (null), and the sealed cases; ends the epoch. */
PAWL_MUST_CHECK enum pawl_status pawl_vault_audit(struct pawl_worker *worker, const json_t *attempt,
                                                  json_t **done, struct pawl_error *err);

/* {"attempt":K} of an earlier epoch: as audit; nothing ends. PAWL_EUSAGE for one of this epoch. */
PAWL_MUST_CHECK enum pawl_status pawl_vault_opening(struct pawl_worker *worker,
                                                    const json_t *request, json_t **done,
                                                    struct pawl_error *err);

/* The set takes no more attempts, because of an "audit" or a "burn"; one that was still open will not be
 * answered. */
PAWL_MUST_CHECK enum pawl_status pawl_vault_end_epoch(struct pawl_vault *vault, const char *why,
                                                      struct pawl_error *err);
/* An attempt that is still open is not to be answered. */
void pawl_vault_interrupt(struct pawl_vault *vault);

/* --- confirmation (vault_confirm.c) --------------------------------------------------------------------- */

/*
 * {"attempt":K,"candidate":{...},"incumbent":{...},"pace_us":N,"recorded":R}: whether what attempt K promoted
 * holds on the vault tier's fresh cases (gate/confirm.h). All of them are spent by it, before the first is
 * asked; asking again gives the stored answer. Gives {"statement","signature","stored"}; the statement:
 *
 *     schema, kind "confirmation", vault, public_key, confirmation (k of the vault's life), attempt, epoch
 *     candidate, incumbent, answer "stable" | "unconfirmed" | "harm", guarantee
 *     alpha, level, threshold, unit, samples, largest_cluster, clusters, n_planned
 *     spent (entries of the log that were not fresh), commitment {root, size}, evidence_root
 *     metric, metric_hash, program, models, custody, confinement, released_ms
 *     timing_channel, where one is open
 *
 * It is released at D, 2D, 4D ... after its registration, D as of an attempt. Killed before, it is measured
 * again under its own number; so is one that the world kept from its end.
 *
 * Fails   PAWL_EUSAGE when attempt K promoted nothing of the kind, the tier may have been seen, or too few
 *         fresh clusters are left to answer anything; PAWL_EUNDECIDED when the world failed;
 *         PAWL_EINTEGRITY when the ledger knows more confirmations (R) than we do.
 */
PAWL_MUST_CHECK enum pawl_status pawl_vault_confirm(struct pawl_worker *worker,
                                                    const json_t *request, json_t **done,
                                                    struct pawl_error *err);

/* --- somebody's own cases (vault_overlap.c) ------------------------------------------------------------- */

/* Whether cases of the tier are still a secret: after an audit the gate's are none. */
bool pawl_vault_hides(const struct pawl_vault *vault, enum pawl_tier tier);
/* HMAC of the words of a case's input. */
PAWL_MUST_CHECK enum pawl_status pawl_vault_fingerprint(const struct pawl_vault *vault,
                                                        const struct pawl_case *item,
                                                        struct pawl_hash *out,
                                                        struct pawl_error *err);
/* {"overlap":bool,"file":sha256,"asked":N}: whether the file holds any sealed case. */
PAWL_MUST_CHECK enum pawl_status pawl_vault_overlap(struct pawl_worker *worker, const char *file,
                                                    json_t **done, struct pawl_error *err);
/* Sealed cases are about to be scored in the open: ends the epoch. */
PAWL_MUST_CHECK enum pawl_status pawl_vault_burn(struct pawl_worker *worker, json_t **done,
                                                 struct pawl_error *err);

/* --- canaries (vault_canaries.c) -------------------------------------------------------------------------- */

/* The canaries of the cases from the given one on, and those that are sealed: of a form that can be looked for, and in
 * no visible case and no text of the seed (artifact JSON, or NULL). Fails PAWL_ECONFIG. */
PAWL_MUST_CHECK enum pawl_status pawl_vault_canaries_check(struct pawl_vault *vault,
                                                           const struct pawl_vault_set *set,
                                                           size_t from, const json_t *seed,
                                                           struct pawl_error *err);
/* {"found":bool}: whether a text of the request's candidate, or one of its "texts", holds the canary of a
 * sealed case. */
PAWL_MUST_CHECK enum pawl_status pawl_vault_canaries(struct pawl_worker *worker,
                                                     const json_t *request, json_t **done,
                                                     struct pawl_error *err);

/* --- traps (vault_traps.c) -------------------------------------------------------------------------------- */

enum { PAWL_VAULT_TRAPS_MAX = 200 };
/* Whether the case is declared as one, rightly or not. */
bool pawl_vault_is_trap(const struct pawl_case *item);
/* Declared rightly: known kinds, whole pairs, enough of them. Fails PAWL_ECONFIG. */
PAWL_MUST_CHECK enum pawl_status pawl_vault_traps_check(const struct pawl_vault_set *set,
                                                        struct pawl_error *err);
/* Take traps out of the tiers. Fails PAWL_ECONFIG for one in a file that operators see. */
PAWL_MUST_CHECK enum pawl_status pawl_vault_traps_place(struct pawl_vault *vault,
                                                        struct pawl_vault_set *set,
                                                        struct pawl_error *err);
/* {"impossible","pairs","root"} (new reference); NULL: there are none. */
json_t *pawl_vault_traps_figures(struct pawl_vault *vault, const struct pawl_vault_set *set);

/* --- the ledger's head (vault_checkpoint.c) -------------------------------------------------------------- */

/* {"note":text}: the head {"size","tree_root"} of the ledger's tree, signed. PAWL_EINTEGRITY when a
 * longer ledger, or another of this length, was signed before. */
PAWL_MUST_CHECK enum pawl_status pawl_vault_checkpoint(struct pawl_worker *worker,
                                                       const json_t *request, json_t **done,
                                                       struct pawl_error *err);

/* {"envelope":{...}} of an attempt whose verdict was told; "format" as in attest.h (vault_attest.c). */
PAWL_MUST_CHECK enum pawl_status pawl_vault_attest(struct pawl_worker *worker,
                                                   const json_t *request, json_t **done,
                                                   struct pawl_error *err);

/* --- attempts (vault_attempt.c, vault_release.c) ------------------------------------------------------------ */

PAWL_MUST_CHECK enum pawl_status pawl_vault_attempt(struct pawl_worker *worker,
                                                    const json_t *request, json_t **done,
                                                    struct pawl_error *err);

/*
 * An attempt from its registration on. Its row, encrypted, is one JSON object:
 *
 *     attempt, candidate, incumbent, behaviour, context (hash of metric, program and models)
 *     policy, look, alpha, level, log_histories, samples, binary, log_size, root, n_planned, clusters
 *     guards {anchor, level, rules, drift}, where there are any
 *     traps {impossible, pairs, root, n, evidence: null | "impossible" | "twins"}, where there are any
 *     run, metric, metric_hash, program, models, confinement
 *     pace_us, duration_ms, started_ms, points (release points passed)
 *     statement, signature, why (it was undecided)
 */
struct pawl_vault_asked {
    struct pawl_vault *vault;
    struct pawl_vault_set set;
    struct pawl_vault_order order;
    struct pawl_metric *metric;
    char program[PAWL_HASH_HEX];
    json_t *row;
    struct pawl_vault_scores scores;
};
/* Write the guards into the row. Fails PAWL_ECONFIG when nothing is frozen for them. */
PAWL_MUST_CHECK enum pawl_status pawl_vault_guards_register(struct pawl_vault_asked *asked,
                                                            const char *anchor,
                                                            struct pawl_error *err);
/* Write into the row which traps there are. */
void pawl_vault_traps_register(struct pawl_vault_asked *asked);
/* Ask them, as `measure` asked the gate's cases; an undecided end is told there. Blocks as that. */
PAWL_MUST_CHECK enum pawl_status pawl_vault_traps_measure(struct pawl_vault_asked *asked,
                                                          struct pawl_vault_measure *measure,
                                                          pawl_vault_tick tick, void *context,
                                                          struct pawl_error *err);
int64_t pawl_vault_traps_planned(const json_t *row);    /* how many are asked */
const char *pawl_vault_traps_sprung(const json_t *row); /* the evidence, or NULL */
json_t *pawl_vault_traps_said(const json_t *row);       /* for the statement; new reference */
/* [{id, trap, pair?, incumbent, candidate}] (new reference); NULL without traps. */
json_t *pawl_vault_traps_evidence(struct pawl_vault *vault, const struct pawl_vault_set *set,
                                  const json_t *row, const struct pawl_vault_scores *scores);
/* Make the row and the scores so far durable, as one change of always the same size. */
PAWL_MUST_CHECK enum pawl_status pawl_vault_asked_save(struct pawl_vault_asked *asked,
                                                       struct pawl_error *err);
/* What the configured program is made of (new reference); its hash goes to asked->program. */
PAWL_MUST_CHECK enum pawl_status pawl_vault_identify_program(struct pawl_vault_asked *asked,
                                                             json_t **identity,
                                                             struct pawl_error *err);
/* Metric, program, models and confinement of what is asked, into the row; the program was identified. */
void pawl_vault_put_subject(json_t *row, struct pawl_vault_asked *asked, const json_t *ready);
/* PAWL_EPAUSED when the front has gone meanwhile. */
PAWL_MUST_CHECK enum pawl_status pawl_vault_sleep_until(struct pawl_vault_asked *asked,
                                                        int64_t then_ms, struct pawl_error *err);
/* Measure, and release the answer at its moment. Fails PAWL_EUNDECIDED when the world failed. */
PAWL_MUST_CHECK enum pawl_status pawl_vault_asked_answer(struct pawl_vault_asked *asked,
                                                         int parallel, struct pawl_error *err);
/* The time from registration to `no`, from public figures alone, in whole seconds. */
int64_t pawl_vault_duration_ms(int64_t n_cases, size_t arms, int64_t samples, int64_t pace_us);
/* When the points lie, after the registration: 1..PAWL_VAULT_POINTS evenly up to the end, later ones
 * at twice the one before. */
int64_t pawl_vault_point_ms(int64_t duration_ms, int64_t point);

#endif
