/*
 * guard.h - what a promotion must not cost: non-inferiority on any measurement, beside the gain.
 *
 * A guard's null is "the candidate is worse by the margin or more"; a promotion needs the evidence
 * against it of every guard, against the incumbent *and* against the anchor. Since all are required,
 * each is tested at the full level without a correction (intersection-union), and since each is an
 * e-process (eprocess.h), it may be looked at after every cluster; once passed it stays passed.
 *
 *   measure       better   what a case says (its excess over the null, >= -1)
 *   score         more     c - b + margin
 *   failed        less     b - c + margin                     (share of samples without an answer)
 *   tokens,       less     ((1 + margin) min(b, cap) - min(c, cap)) / ((1 + margin) cap)
 *   seconds, cost          no bound of their own: cap = 4 x the incumbent's dev median, frozen
 *
 * Why the planned look uses the e-process, too, at its end: flips of signs assume that differences
 * are symmetric about the margin, and costs are not. A candidate that answers nine cases in ten alike
 * and fails the tenth is on the null with a margin of .1; on ten cases it shows nothing but ties in
 * 35 of 100 attempts, which flips take for p = 2^-10.
 *
 * A guard with zero tolerance wants no case on which the candidate is worse, and so all planned cases;
 * what n clean cases show is that the chance of a worse one is below 1 - level^(1/n).
 *
 * Drift: many small losses, each within the margin, add up. `used` is the share of the margin that a
 * candidate has lost against the anchor; the sum S of what each promotion used above a half (CUSUM,
 * trigger.h) may not reach 1. S changes with a certified promotion alone, so that a candidate that is withheld
 * leaves no trace, and belongs to what is in force: of a promotion that people turned away or took back the
 * incumbent has lost nothing. In units of the margin it outlives the cases that it was measured on, and guards
 * that come and go.
 *
 * Invariants
 *   1. Margins, caps, level and size are fixed before the first observation.
 *   2. Worse by the margin or more against either arm: P(the guards pass) <= level, per attempt.
 *   3. One observation is a cluster: the sum over its cases divided by the largest size M.
 *   4. A missing case is no evidence: its excess is 0, and it is not worse.
 *   5. A guard withholds; it never archives or rolls back. What does that needs data that were not
 *      used for the promotion.
 *
 *     struct pawl_guards guards;
 *     PAWL_TRY(pawl_guards_init(&guards, &plan, err));
 *     pawl_guards_observe(&guards, cases, n_cases);         cluster by cluster, beside the gate
 *     bool promote = pawl_gate_promotes(&gate) && pawl_guards_pass(&guards);
 *
 * Sources: Berger 1982 (intersection-union); Page 1954 (CUSUM); D'Agostino, Massaro & Sullivan 2003
 * (why the anchor: "bio-creep").
 */
#ifndef PAWL_GATE_GUARD_H
#define PAWL_GATE_GUARD_H

#include "gate/decide.h"

enum pawl_measure {
    PAWL_MEASURE_SCORE,
    PAWL_MEASURE_FAILED,
    PAWL_MEASURE_TOKENS,
    PAWL_MEASURE_SECONDS,
    PAWL_MEASURE_COST,
    PAWL_N_MEASURES,
};
#define PAWL_MEASURE_NAMES "score|failed|tokens|seconds|cost"
const char *pawl_measure_name(enum pawl_measure measure);
/* PAWL_N_MEASURES when there is none of this name. */
enum pawl_measure pawl_measure_find(const char *name);
/* Without a bound of its own: its margin is relative, and it has a cap. */
bool pawl_measure_is_cost(enum pawl_measure measure);

enum { PAWL_GUARDS_MAX = 5 }; /* each measure once */
#define PAWL_GUARD_CAP_MEDIANS 4.0
#define PAWL_GUARD_MARGIN_MAX  10.0 /* of a cost; below 1 of others */

struct pawl_guard_rule {
    enum pawl_measure measure;
    bool zero_tolerance; /* no margin; score and failed only */
    double margin;       /* > 0; of a cost a share of it, else in points of 1 */
    double cap;          /* of a cost; else not used */
};

enum pawl_guard_arm { PAWL_ARM_INCUMBENT, PAWL_ARM_CANDIDATE, PAWL_ARM_ANCHOR, PAWL_N_ARMS };
/* Where the anchor is one of the two arms it needs no calls of its own. */
enum pawl_guard_anchor { PAWL_ANCHOR_IS_INCUMBENT, PAWL_ANCHOR_IS_CANDIDATE, PAWL_ANCHOR_APART };

/* One case: the means over its samples. */
struct pawl_guard_case {
    bool missing;
    double values[PAWL_N_ARMS][PAWL_N_MEASURES]; /* the anchor's only where it is apart */
};

/* Evidence that the candidate is not worse than one arm on one measure. */
struct pawl_guard_test {
    struct pawl_grid grid;
    double log_e, max_log_e;
    uint64_t worse; /* cases */
};
struct pawl_guard {
    struct pawl_guard_rule rule;
    struct pawl_guard_test
        tests[2];      /* against the incumbent; against the anchor where it is apart */
    double lost, base; /* sums against the anchor, what `used` is made of */
    double drift_before;
};
struct pawl_guards_plan {
    const struct pawl_guard_rule *rules;
    const double *drift; /* [n] S before this attempt; NULL: 0 */
    size_t n;            /* guards; 0: nothing is guarded */
    enum pawl_gate_look look;
    enum pawl_guard_anchor anchor;
    double level; /* of each guard in each attempt */
    size_t largest_cluster, n_planned;
};
struct pawl_guards {
    enum pawl_gate_look look;
    enum pawl_guard_anchor anchor;
    double level;
    size_t largest_cluster, n_planned;
    size_t n, n_tests; /* n_tests: 1, or 2 where the anchor is apart */
    size_t n_clusters, n_cases;
    struct pawl_guard items[PAWL_GUARDS_MAX];
};

/* Whether a rule can be tested; err->field is "metric", "margin" or "zero_tolerance". The cap is not
 * looked at. */
PAWL_MUST_CHECK enum pawl_status pawl_guard_rule_check(const struct pawl_guard_rule *rule,
                                                       struct pawl_error *err);
/*
 * Fails   PAWL_ECONFIG  a rule, a cap, the level or a size out of range, or a measure twice.
 */
PAWL_MUST_CHECK enum pawl_status pawl_guards_init(struct pawl_guards *guards,
                                                  const struct pawl_guards_plan *plan,
                                                  struct pawl_error *err);
/* What one case says against the null, at least -1: b is the arm compared with, c the candidate. */
double pawl_guard_excess(const struct pawl_guard_rule *rule, double b, double c);
/* One cluster of at most M cases, not more than planned. Costs 64 log1p a guard and arm. */
void pawl_guards_observe(struct pawl_guards *guards, const struct pawl_guard_case *cases,
                         size_t n_cases);
/* Whether guard i, or every guard, lets the candidate pass by what has been seen; a planned look sees
 * nothing before its end. Without guards: true. */
bool pawl_guard_passes(const struct pawl_guards *guards, size_t i);
bool pawl_guards_pass(const struct pawl_guards *guards);

/* The share of guard i's margin that the candidate has lost against the anchor; below 0: it gained.
 * Zero tolerance: 0. And S after a promotion with that; an alarm at 1. */
double pawl_guard_used(const struct pawl_guards *guards, size_t i);
double pawl_guard_drift(double before, double used);
bool pawl_guard_drift_alarms(double drift);

/* {"metric","margin"|"zero_tolerance","cap" if there is one}: may be told to anybody. New reference. */
json_t *pawl_guard_rule_json(const struct pawl_guard_rule *rule);
/* The reverse, of what pawl_guard_rule_json gave; false when it is not that. */
bool pawl_guard_rule_read(const json_t *object, struct pawl_guard_rule *rule);
/*
 * For the vault's store and the audit view only: {"pass", "guards":[{rule, "passes", "used",
 * "drift_before", "drift_after", "against":[{"arm","log_e","max_log_e","worse"}], "clean_bound"}]}.
 * New reference.
 */
json_t *pawl_guards_evidence_json(const struct pawl_guards *guards);

#endif
