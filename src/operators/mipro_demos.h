/*
 * mipro_demos.h - for every module of a program, sets of demonstrations to choose from.
 *
 * Set 0 is what the start shows. Then come the empty one (where the start shows some), one of train
 * targets alone, one of the teacher's good answers on the first train cases, and random ones: shuffled
 * cases, a random number of good answers, filled up with targets. The teacher is the start with the
 * targets on show; a case that it answers well gives every module a demonstration, from the trace.
 *
 * Invariants
 *   1. The texts of a module differ from each other: a search never tries one set under two numbers.
 *   2. The teacher is asked about a case once at most, and never about one whose answer it is shown;
 *      `keep` evaluations stay untouched.
 *   3. A module gets a demonstration only if all its fields are known (bootstrap_demos.h): a target
 *      that says nothing of a middle module is none of its demonstrations.
 *
 *     struct pawl_mipro_demos_settings settings = {&roster, 6, 4, 4, false, -1, keep};
 *     PAWL_TRY(pawl_mipro_make_demos(host, &step, &settings, &demos, err));
 *     ... demos.modules[m].texts[choice]
 */
#ifndef PAWL_OPERATORS_MIPRO_DEMOS_H
#define PAWL_OPERATORS_MIPRO_DEMOS_H

#include "operators/roster.h"

struct pawl_mipro_demos_settings {
    const struct pawl_roster *roster;
    size_t n_sets;                        /* a module, set 0 included */
    size_t max_bootstrapped, max_labeled; /* in a set */
    bool only_for_proposals;              /* the program will show none of them */
    double threshold;                     /* of a good answer; negative: any score above 0 */
    int64_t keep;
};
struct pawl_mipro_module_demos {
    struct pawl_str *texts; /* [n_texts], [0] is the start's; none where nothing can be shown */
    size_t n_texts;
    struct pawl_demo_set *sets; /* [n_sets] by number, the start's and equal ones included */
    size_t n_sets;
};
struct pawl_mipro_demos {
    struct pawl_mipro_module_demos *modules; /* [roster->n] */
    size_t n_asked, n_good;                  /* of the teacher */
};
/* Steps. Everything lives in the run's arena. Costs a train case for each that the teacher is asked
 * about. */
PAWL_MUST_CHECK enum pawl_status
pawl_mipro_make_demos(struct pawl_host *host, struct pawl_arena *step,
                      const struct pawl_mipro_demos_settings *settings,
                      struct pawl_mipro_demos *demos, struct pawl_error *err);

#endif
