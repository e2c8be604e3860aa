/*
 * compare.h - one planned comparison of two score files that anybody can see. Not a gate.
 *
 * Scores of A (the old one) and B (the new one) are aligned by case id; the difference is B - A.
 * The order of the rows changes nothing: rows are sorted by id first, and every figure is a function
 * of the set of pairs.
 *
 *   verdict    `promote` iff p_greater <= alpha: the exact one-sided McNemar test when all scores are
 *              0 or 1 and no two cases share a cluster, otherwise sign flips of cluster sums. The
 *              same rule as a gate with a fixed look.
 *   e_value    the sign mixture of the counts, or the grid mixture over clusters at its end; both are
 *              products, so order-free. For people who combine evidence: multiply those of
 *              independent sets.
 *
 *     struct pawl_compare_plan plan = {.alpha = 0.05, .seed = 1};
 *     PAWL_TRY(pawl_compare(a, n_a, b, n_b, &plan, &arena, &out, err));
 */
#ifndef PAWL_GATE_COMPARE_H
#define PAWL_GATE_COMPARE_H

#include "gate/intervals.h"

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pawl_case_score {
    struct pawl_str id;
    double score;            /* in [0, 1] */
    struct pawl_str cluster; /* empty: the case is its own cluster */
};
struct pawl_compare_plan {
    double alpha;  /* in (0, 1) */
    uint64_t seed; /* of random sign flips, where they are needed */
};
enum { PAWL_COMPARE_CASES_MAX = 1000000 };

struct pawl_compare {
    size_t n, n_clusters;
    size_t wins, losses, ties; /* cases on which B is better, worse, equal */
    double mean_a, mean_b, difference;
    struct pawl_interval ci95; /* of the difference; NAN below 2 cases or 10 clusters */
    double p_mcnemar;          /* two-sided; NAN unless 0/1 scores without shared clusters */
    double p_signflip;         /* two-sided, clusters flip whole */
    double p_greater;          /* one-sided: B is better; decides */
    double e_value;            /* may be INFINITY where it exceeds a double */
    double log_e;
    bool promote;
    double alpha;
    const char *e_value_of; /* which e-value, in words */
    const char *guarantee;  /* what the verdict promises, in words */
};

/*
 * Fails   PAWL_ECONFIG  no cases, an id twice in one file or only in one of them, a score outside
 *         [0, 1], two different clusters for one case, alpha out of range; err->field is the id.
 *         PAWL_ETOOBIG  more than PAWL_COMPARE_CASES_MAX cases.
 * Costs   sorting, and one pawl_signflip.
 */
PAWL_MUST_CHECK enum pawl_status pawl_compare(const struct pawl_case_score *a, size_t n_a,
                                              const struct pawl_case_score *b, size_t n_b,
                                              const struct pawl_compare_plan *plan,
                                              struct pawl_arena *arena, struct pawl_compare *out,
                                              struct pawl_error *err);
/* The fields of `pawl compare`; what is not defined is null. New reference. */
json_t *pawl_compare_json(const struct pawl_compare *result);

#endif
