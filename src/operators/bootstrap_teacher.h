/*
 * bootstrap_teacher.h - which train cases the teacher answers well, found out as far as needed.
 *
 * The teacher (a candidate) is asked about a case at most once in a run, whoever walks over it;
 * what it answered well is a demonstration from then on: for each module of a pipeline what that
 * module was given and gave on the way. Cases that the teacher was shown the
 * answer of are never asked: it would copy.
 *
 * Invariants
 *   1. A walk leaves `keep` evaluations of the budget untouched; when they are all that is left, it
 *      ends with fewer demonstrations.
 *   2. Round 0 asks the teacher as it is; a later round asks again, at temperature 1 and as another
 *      sample, about what it has not answered well so far.
 */
#ifndef PAWL_OPERATORS_BOOTSTRAP_TEACHER_H
#define PAWL_OPERATORS_BOOTSTRAP_TEACHER_H

#include "operators/bootstrap_demos.h"
#include "operators/host.h"

struct pawl_teacher {
    uint32_t candidate;
    int64_t max_rounds;
    double threshold;          /* a score that is good enough; negative: any above 0 */
    const bool *shown;         /* [n_train] in the teacher's own demonstrations; NULL: none */
    bool *asked;               /* [n_train] */
    struct pawl_demo *learned; /* [n_modules][n_train] */
    const struct pawl_demo_fields *fields; /* [n_modules] */
    const char *const *modules;            /* names; NULL: there is one, the whole program */
    size_t n_modules;                      /* of `modules` */
};

bool pawl_teacher_is_good(const struct pawl_teacher *teacher,
                          const struct pawl_host_result *result);
/* Step. Walk over the cases in order until a set holds `wanted` bootstrapped demonstrations. `sets` is
 * one for each module; a case joins those of all modules that answered in it. */
PAWL_MUST_CHECK enum pawl_status pawl_teacher_walk(struct pawl_teacher *teacher,
                                                   struct pawl_host *host, struct pawl_arena *step,
                                                   const size_t *order, size_t wanted, int64_t keep,
                                                   struct pawl_demo_set *sets,
                                                   struct pawl_error *err);

#endif
