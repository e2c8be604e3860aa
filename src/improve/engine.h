/*
 * engine.h - a run: one execution of an operator, from its first step to the offer.
 *
 *     opened, run, closed                             host_run.c
 *     operator.run(host) -> steps -> journal          host.c, host_*.c
 *     the best three and the seed on dev-check        finalist.c
 *     an offer to the gate                            finalist.c, answered by the front
 *
 * Invariants
 *   1. A step's result is in the journal before the operator sees it.
 *   2. For equal answers of the world, a run that is stopped and opened again does the same as one
 *      that is not: same candidates, scores and offers.
 *   3. No score of a dev-check case reaches the operator.
 *
 *     PAWL_TRY(pawl_run_open(&settings, &run, err));
 *     status = pawl_run_go(run, &result, err);
 *     pawl_run_close(run);
 */
#ifndef PAWL_IMPROVE_ENGINE_H
#define PAWL_IMPROVE_ENGINE_H

#include "evaluate/evaluate.h"
#include "improve/config.h"
#include "improve/journal.h"
#include "operators/operator.h"
#include "store/store.h"

struct pawl_run;

/* What the run tells while it works; borrowed for the call. */
struct pawl_run_progress {
    int64_t evaluations, budget; /* budget -1: no limit */
    size_t n_candidates;
    double best; /* mean on visible dev; NAN: none yet */
    double usd;
};
struct pawl_offer_call {
    const char *candidate; /* hex */
    const char *behaviour; /* hex: equal for equal outputs on all of dev */
    int64_t pace_us;       /* wall time per evaluation */
};
/* A candidate of the run that this one was forked from. */
struct pawl_inherited {
    const struct pawl_artifact *artifact;
    double dev_mean; /* NAN: not known */
    bool nominated;
};

struct pawl_run_settings {
    const char *id;
    uint64_t seed, lm_seed;
    const struct pawl_operator *operator;
    const void *options; /* read by the operator's table */
    const json_t *texts; /* the operator's own texts, replaced; may be NULL */
    struct pawl_config_budget budget;
    bool dev_check;
    bool force; /* search although the start fails on every dev case */
    const struct pawl_artifact *start;
    const struct pawl_inherited *inherited;
    size_t n_inherited;

    struct pawl_store *store; /* NULL: candidates are not kept */
    struct pawl_journal *journal;
    struct pawl_program *program;
    struct pawl_evaluator *evaluator;
    struct pawl_lm *lm;
    const struct pawl_cases *train, *dev;

    /* Ask the gate. NULL: no offer is made. */
    enum pawl_status (*offer)(void *context, const struct pawl_offer_call *call, bool *promoted,
                              struct pawl_error *err);
    /* (optional) called often and from any thread; must be quick */
    void (*progress)(void *context, const struct pawl_run_progress *progress);
    void (*say)(void *context, const char *text);
    void *context;

    size_t stop_after_steps; /* for tests: pause when the journal has so many; 0: never */
};

enum pawl_run_state { PAWL_RUN_FINISHED, PAWL_RUN_BUDGET, PAWL_RUN_PAUSED };
/* How far the search came. */
enum pawl_run_end {
    PAWL_RUN_NO_CANDIDATE, /* nothing was tried */
    PAWL_RUN_NO_NOMINEE,   /* nothing that was tried was better on visible dev */
    PAWL_RUN_NO_BETTER,    /* what was, did not beat the start in the choice at the end */
    PAWL_RUN_OFFERED,
};
struct pawl_run_result {
    enum pawl_run_state state; /* BUDGET: too small to have anything to offer */
    enum pawl_run_end end;
    char best[PAWL_HASH_HEX], offered[PAWL_HASH_HEX]; /* offered "": nothing was */
    bool promoted;
    size_t n_candidates, resumed_steps;
    int64_t evaluations;
    double usd;
    double dev_seed, dev_best; /* means on visible dev; NAN: not known */
    struct pawl_usage usage;   /* tokens, of all sessions */
    /* evaluations, usd or minutes: what a step was refused for, or the search ended for; or NULL */
    const char *short_of;
};

/* Can the run begin? Fails PAWL_EBUDGET when the budget does not hold the smallest search of the
 * operator and the choice at the end, PAWL_EUSAGE without dev cases. Needs operator, options,
 * budget, dev_check, train and dev. */
PAWL_MUST_CHECK enum pawl_status pawl_run_check(const struct pawl_run_settings *settings,
                                                struct pawl_error *err);
/* Borrows everything in settings until close. Fails as pawl_run_check does. */
PAWL_MUST_CHECK enum pawl_status pawl_run_open(const struct pawl_run_settings *settings,
                                               struct pawl_run **run, struct pawl_error *err);
/* The purse of this run, for pawl_lm_open. */
struct pawl_lm_purse pawl_run_purse(struct pawl_run *run);
/* Gives *result also with PAWL_EPAUSED. Fails as the operator does, and PAWL_ECONFIG when the start
 * fails on every dev case; every failure but PAWL_EDIVERGED and PAWL_EINTEGRITY can be resumed.
 * Blocks. */
PAWL_MUST_CHECK enum pawl_status pawl_run_go(struct pawl_run *run, struct pawl_run_result *result,
                                             struct pawl_error *err);
void pawl_run_cancel(struct pawl_run *run); /* from any thread: steps give PAWL_EPAUSED */
void pawl_run_close(struct pawl_run *run);

/* What a candidate does, as one hash: of each dev case's id and the first bytes of the hash of what
 * was answered. */
enum { PAWL_BEHAVIOUR_HEX = 8 };
struct pawl_behaviour {
    uint32_t bits; /* the first 4 bytes of pawl_result.behaviour */
    bool known;
};
struct pawl_behaviour pawl_behaviour_of(const struct pawl_result *result);
/* False when an answer is not known. */
bool pawl_behaviour_hash(const struct pawl_cases *dev, const struct pawl_behaviour *answers,
                         struct pawl_hash *out);

#endif
