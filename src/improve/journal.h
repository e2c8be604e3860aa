/*
 * journal.h - what a run has done, one line per step, so that it can be done again from memory.
 *
 * <store>/runs/<run>/journal is text. Byte by byte:
 *
 *     0        8 9                                                        n
 *     +--------+-+--------------------------------------------------------+--+
 *     |crc32   | | canonical JSON, one object                             |LF|
 *     |8 hex   | |                                                        |  |
 *     +--------+-+--------------------------------------------------------+--+
 *       of the bytes between the space and the line feed
 *
 *     line 0   {"header":{...}}                              who runs what, with which budget
 *     a step   {"a":"<16 hex>","c":3,"d":1500,"k":"evaluate","p":"12/3/1","r":{...}}
 *                a  hash of the arguments, its first 8 bytes    k  kind    p  path
 *                c  evaluations charged (absent: 0)             n  a number (a candidate, a ticket)
 *                q  tokens [prompt, completion, cached] (absent: none)
 *                d  milliseconds of the run so far, when it has a deadline
 *                r  result; o instead: SHA-256 of the result, which lies in the store's objects
 *     money    {"m":5000,"s":-1} a reservation of 5000 microusd
 *              {"m":5000,"s":1200} its end: 1200 were spent
 *
 * Invariants
 *   1. A line is handed to the kernel before the operator sees its result, and is on the disk
 *      within 100 ms, or when pawl_journal_sync returns.
 *   2. A torn tail is cut off at the last whole line; a wrong line before a right one is
 *      PAWL_EINTEGRITY. After a failed fsync nothing more is written: the kernel may have dropped
 *      what it could not write.
 *   3. One process at a time holds a journal (flock).
 *   4. Finding a step costs O(1); memory is at most 64 bytes per old line, plus pages of the file.
 */
#ifndef PAWL_IMPROVE_JOURNAL_H
#define PAWL_IMPROVE_JOURNAL_H

#include "base/arena.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"

#include <stdint.h>

enum {
    PAWL_JOURNAL_INLINE_MAX = 16 << 10, /* a longer result goes to the store's objects */
    PAWL_JOURNAL_RESULT_MAX = 256 << 20,
    PAWL_JOURNAL_ARGS_HEX = 17, /* with its NUL */
};

struct pawl_store;
struct pawl_journal;

/* What the requests of a step took. */
struct pawl_step_tokens {
    int64_t prompt, completion, cached;
};

struct pawl_step {
    const char *path, *kind; /* of what was found, only `number` to `result` are filled */
    char args[PAWL_JOURNAL_ARGS_HEX];
    int64_t cost;       /* evaluations */
    int64_t elapsed_ms; /* -1: not recorded */
    int64_t number;     /* -1: none */
    struct pawl_step_tokens tokens;
    const json_t *result; /* NULL: none */
};
/* A step as it was recorded. */
struct pawl_recorded {
    struct pawl_str kind, args;
    int64_t cost, elapsed_ms, number;
    struct pawl_step_tokens tokens;
    struct pawl_str result; /* JSON text; empty when there is none or it lies in the store */
    bool in_store;
    struct pawl_hash object;
};
/* Sums over all lines at the time of opening. */
struct pawl_journal_totals {
    size_t n_steps;
    int64_t last_number; /* largest n of a "draft"; -1: none */
    int64_t elapsed_ms;  /* largest d */
    int64_t reserved_microusd, settled_microusd, spent_microusd;
};

/* Make a new journal at `path` (its folder is made too). Borrows header. `store` holds long
 * results; NULL keeps all inline. One that is there stays as it is, and this fails PAWL_EWORLD. */
PAWL_MUST_CHECK enum pawl_status pawl_journal_create(const char *path, const json_t *header,
                                                     struct pawl_store *store,
                                                     struct pawl_journal **journal,
                                                     struct pawl_error *err);
/* Fails PAWL_ENOTFOUND, PAWL_EINTEGRITY, PAWL_EUSAGE when another process holds it. */
PAWL_MUST_CHECK enum pawl_status pawl_journal_open(const char *path, struct pawl_store *store,
                                                   struct pawl_journal **journal,
                                                   struct pawl_error *err);
void pawl_journal_close(struct pawl_journal *journal); /* everything durable first */

const json_t *pawl_journal_header(const struct pawl_journal *journal); /* borrowed */
struct pawl_journal_totals pawl_journal_totals(const struct pawl_journal *journal);
/* Every step there was at open, in the order of recording. */
typedef void (*pawl_journal_visit)(void *context, struct pawl_str path,
                                   const struct pawl_recorded *step);
void pawl_journal_each(const struct pawl_journal *journal, pawl_journal_visit visit, void *context);
/* Evaluations charged at open by the steps below `prefix` ("12/3"; "": all). O(n). */
int64_t pawl_journal_cost_below(const struct pawl_journal *journal, const char *prefix);

/* The step at `path` as it was when the journal was opened; false beyond the frontier. Borrowed
 * until close. Any thread. */
bool pawl_journal_find(const struct pawl_journal *journal, const char *path,
                       struct pawl_recorded *step);
/* Its result as JSON (new reference; NULL when it has none), also out of the store. */
PAWL_MUST_CHECK enum pawl_status pawl_journal_result(struct pawl_journal *journal,
                                                     const struct pawl_recorded *step,
                                                     json_t **result, struct pawl_error *err);

/* Any thread. Fails PAWL_EWORLD (disk full ...); then nothing of the line is in the file. */
PAWL_MUST_CHECK enum pawl_status pawl_journal_append(struct pawl_journal *journal,
                                                     const struct pawl_step *step,
                                                     struct pawl_error *err);
/* spent_microusd -1: a reservation, durable on return; else its end. */
PAWL_MUST_CHECK enum pawl_status pawl_journal_money(struct pawl_journal *journal,
                                                    int64_t reserved_microusd,
                                                    int64_t spent_microusd, struct pawl_error *err);
/* Wait until every line so far is on the disk. */
PAWL_MUST_CHECK enum pawl_status pawl_journal_sync(struct pawl_journal *journal,
                                                   struct pawl_error *err);

#endif
