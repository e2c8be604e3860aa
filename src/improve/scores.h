/*
 * scores.h - a per-case score file of any tool, as `pawl compare` reads it.
 *
 *     {"id":"case 1","score":0.5}                  one answer per case, or
 *     {"id":"case 1","sample":0,"score":1}         several: the samples of a case are one score, their
 *     {"id":"case 1","sample":1,"score":0}         mean, as in the gate
 *
 * Invariants
 *   1. Each case is one item, however many samples it has; items are in the order of the file.
 *   2. A case twice with the same sample (0 when none is named), or in two clusters, is refused.
 *   3. Whatever is refused names file and line.
 */
#ifndef PAWL_IMPROVE_SCORES_H
#define PAWL_IMPROVE_SCORES_H

#include "base/arena.h"
#include "base/error.h"
#include "gate/compare.h"

struct pawl_scores {
    const char *file;
    struct pawl_case_score *items;
    int *lines; /* where each item was first met */
    size_t n;   /* > 0 */
};
/* `cluster` (may be NULL) is the field that names a case's cluster. All of it lies in `arena`. Fails
 * PAWL_ECONFIG, PAWL_ENOTFOUND, PAWL_ETOOBIG. */
PAWL_MUST_CHECK enum pawl_status pawl_scores_read(const char *file, const char *cluster,
                                                  struct pawl_arena *arena,
                                                  struct pawl_scores *scores,
                                                  struct pawl_error *err);

#endif
