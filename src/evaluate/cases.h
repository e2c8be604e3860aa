/*
 * cases.h - examples: reading them from files, and placing them in tiers.
 *
 * Invariants
 *   1. A file is read whole or refused whole: a wrong line is PAWL_ECONFIG with file, line, field
 *      and remedy.
 *   2. The tier of a case depends on its cluster and a key alone, so siblings stay together and a
 *      case never moves when others are added.
 */
#ifndef PAWL_EVALUATE_CASES_H
#define PAWL_EVALUATE_CASES_H

#include "base/arena.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"

enum {
    PAWL_CASE_BYTES_MAX = 1 << 20, /* one case */
    PAWL_CASES_MAX = 1000000,
    PAWL_CASE_FILE_MAX = 1 << 30,
};

struct pawl_case {
    const char *id;
    const char *cluster; /* the id when none was given */
    const json_t *input; /* text, object, or {messages:[...]} */
    const json_t *target;
    const json_t *metadata;   /* NULL when absent */
    struct pawl_hash content; /* of input and target */
    bool check;               /* dev only: belongs to dev-check, hidden from operators */
    int line;                 /* where it starts in its file; 0: not known */
};
struct pawl_cases {
    struct pawl_case *items;
    size_t n;
    json_t *keep; /* owns the JSON values */
};

/*
 * JSON Lines; a JSON or YAML list; CSV (.csv, .tsv) with a header and a column mapping
 * {input: column | {field: column}, target: ..., id?: column, cluster?: column}, which the other
 * formats do not heed: a project of one format takes files of another. Also understood:
 * inspect_ai samples (input as a list of messages, choices, a list of targets that all count) and
 * promptfoo tests (vars, assert equals; __expected in CSV). A case without an id is named by its
 * content; keys that are not ours go to its metadata. What was read has passed pawl_cases_check.
 */
PAWL_MUST_CHECK enum pawl_status pawl_cases_read(const char *path, const json_t *columns,
                                                 struct pawl_arena *arena, struct pawl_cases *cases,
                                                 struct pawl_error *err);
/* From and to a JSON list of {id,input,target,cluster,metadata,check}. */
PAWL_MUST_CHECK enum pawl_status pawl_cases_from_json(const json_t *list, struct pawl_arena *arena,
                                                      struct pawl_cases *cases,
                                                      struct pawl_error *err);
json_t *pawl_case_json(const struct pawl_case *item, const char *tier); /* new reference */
void pawl_cases_release(struct pawl_cases *cases);
/* Equal ids, and equal inputs in different clusters (which could land on both sides of a tier's
 * wall), fail PAWL_ECONFIG with both lines. */
PAWL_MUST_CHECK enum pawl_status pawl_cases_check(const struct pawl_cases *cases, const char *path,
                                                  struct pawl_error *err);

enum pawl_tier {
    PAWL_TIER_TRAIN,
    PAWL_TIER_DEV,
    PAWL_TIER_GATE,
    PAWL_TIER_VAULT,
    PAWL_N_TIERS,
    PAWL_TIER_TRAP = PAWL_N_TIERS /* sealed, in no share and no score (improve/vault_traps.c) */
};
const char *pawl_tier_name(enum pawl_tier tier);
/* Where a cluster belongs; shares sum to 1. */
enum pawl_tier pawl_tier_of(const unsigned char key[32], const char *cluster,
                            const double shares[PAWL_N_TIERS]);
/* Whether a dev cluster belongs to dev-check (a keyed third). */
bool pawl_tier_is_check(const unsigned char key[32], const char *cluster);

#endif
