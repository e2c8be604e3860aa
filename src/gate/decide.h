/*
 * decide.h - one attempt: scores in, one bit out. The path that the vault uses.
 *
 * A gate is fed the clusters of a sealed set in keyed order, both arms of each, and says after each
 * one whether it is still open. It decides only between `promote` and `no`; all else that it knows
 * is evidence for the audit view.
 *
 *   look         sequential: promote as soon as E >= 1/level (eprocess.h)
 *                fixed:      nothing before the planned number of clusters; then p <= level once
 *                            (exact one-sided McNemar, or sign flips of cluster sums)
 *   unit         what one observation is follows from the plan, before any score is seen:
 *                sign        pass/fail metric, K = 1, every cluster one case, m0 = 0
 *                grid        otherwise: one observation per cluster, sum over its cases of
 *                            (d_i - m0), divided by the largest cluster size M fixed at seal
 *
 * Why M and not the cluster's own size: dividing by one constant tests the case-weighted mean; the
 * mean of a cluster would test another quantity, which can be positive when every case counts alike
 * and the candidate is worse.
 *
 * Invariants
 *   1. Once the state is not open it never changes.
 *   2. The plan is fixed before the first observation; scores cannot change unit, level or size.
 *   3. Under the null P(promote) <= level. The null: sequential sign, P(win) <= P(loss); sequential
 *      grid, case-weighted mean difference <= m0; fixed, differences symmetric about m0 (or worse).
 *   4. A tie leaves the sign evidence as it is.
 *   5. A gate with a sequential look is a plain value: it may be copied.
 *
 *     struct pawl_gate gate;
 *     PAWL_TRY(pawl_gate_init(&gate, &plan, &arena, err));
 *     while (gate.state == PAWL_GATE_OPEN && next(...))
 *         PAWL_TRY(pawl_gate_observe(&gate, candidate, incumbent, n_cases, err));
 *     bool promote = pawl_gate_promotes(&gate);
 */
#ifndef PAWL_GATE_DECIDE_H
#define PAWL_GATE_DECIDE_H

#include "gate/eprocess.h"

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pawl_gate_look { PAWL_LOOK_SEQUENTIAL, PAWL_LOOK_FIXED };
enum pawl_gate_unit { PAWL_UNIT_SIGN, PAWL_UNIT_GRID };
enum pawl_gate_state {
    PAWL_GATE_OPEN,      /* wants the next cluster */
    PAWL_GATE_PROMOTE,   /* enough evidence */
    PAWL_GATE_EXHAUSTED, /* all planned clusters seen, not enough */
};

struct pawl_gate_plan {
    enum pawl_gate_look look;
    double level;           /* alpha_k of this attempt (levels.h), in (0, 1) */
    bool pass_fail;         /* the metric is 0 or 1 on every sample */
    size_t samples;         /* K samples per case; scores are their means */
    size_t largest_cluster; /* M cases, fixed at seal */
    size_t n_planned;       /* clusters */
    double m0;              /* 0 superiority; > 0 a gain; < 0 non-inferiority (a guard) */
    uint64_t seed;          /* of random sign flips, where they are needed */
};
enum { PAWL_GATE_CLUSTERS_MAX = 10000000 };

struct pawl_gate {
    struct pawl_gate_plan plan;
    enum pawl_gate_unit unit;
    enum pawl_gate_state state;
    size_t n_clusters, n_cases; /* observed */
    struct pawl_sign sign;      /* observations above, below and equal to the null */
    struct pawl_grid grid;      /* sequential grid */
    double *excess;             /* fixed grid: [n_planned], in the arena */
    struct pawl_arena *arena;   /* NULL unless fixed grid */
    double log_e, max_log_e;    /* sequential; NAN under a fixed look */
    double p;                   /* fixed: NAN before the look; sequential: anytime, 1/max E */
};

/* Which unit a plan means. */
enum pawl_gate_unit pawl_gate_unit_of(const struct pawl_gate_plan *plan);

/*
 * Takes   arena: lives as long as the gate (used under a fixed look with unit grid only).
 * Fails   PAWL_ECONFIG  a level, size or m0 out of range.
 */
PAWL_MUST_CHECK enum pawl_status pawl_gate_init(struct pawl_gate *gate,
                                                const struct pawl_gate_plan *plan,
                                                struct pawl_arena *arena, struct pawl_error *err);
/*
 * One cluster. The gate must be open.
 *
 * Takes   candidate, incumbent: n_cases scores each in [0, 1], means over the K samples, the same
 *         cases in the same order.
 * Fails   PAWL_ECONFIG  a score outside [0, 1] or not a number, one that is not 0 or 1 under unit
 *         sign, or a cluster that is empty or larger than M. The gate is unchanged.
 * Costs   sign: one series of at most `wins` terms; grid: 64 log1p; the fixed look, at its end,
 *         one pawl_signflip.
 */
PAWL_MUST_CHECK enum pawl_status pawl_gate_observe(struct pawl_gate *gate, const double *candidate,
                                                   const double *incumbent, size_t n_cases,
                                                   struct pawl_error *err);
/* The answer: true is `promote`, false is `no` (also while the gate is open). */
bool pawl_gate_promotes(const struct pawl_gate *gate);
/* E must reach this; the reciprocal of the level. */
double pawl_gate_threshold(const struct pawl_gate *gate);

/* Everything the gate knows, for the vault's store and the audit view only. New reference. */
json_t *pawl_gate_evidence_json(const struct pawl_gate *gate);

const char *pawl_gate_look_name(enum pawl_gate_look look); /* "sequential", "fixed" */
const char *pawl_gate_unit_name(enum pawl_gate_unit unit); /* "sign", "grid" */

#endif
