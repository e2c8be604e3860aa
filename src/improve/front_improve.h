/*
 * front_improve.h - what was asked of `improve`, read and compared (front_improve_args.c), for the verb
 * that does it (front_improve.c). Nobody else includes this.
 *
 * Invariant: a run is what it was recorded as. What is given beside --resume either says the same or is
 * refused; nothing that a person asked for is passed over.
 */
#ifndef PAWL_IMPROVE_FRONT_IMPROVE_H
#define PAWL_IMPROVE_FRONT_IMPROVE_H

#include "improve/front.h"

struct pawl_improve_options {
    const char *operator, * budget, *resume, *fork;
    json_t *set;
    int64_t seed; /* -1: not given */
    int64_t wait; /* minutes; how long, not what: no part of the run */
    bool force;
    bool confirm;
};

/* "evaluations=N,usd=X,minutes=M" over *budget. */
PAWL_MUST_CHECK enum pawl_status pawl_improve_read_budget(const char *text,
                                                          struct pawl_config_budget *budget,
                                                          struct pawl_error *err);
/* As it is recorded with a run. New reference. */
json_t *pawl_improve_budget_json(const struct pawl_config_budget *budget);
/* `set`, "key=value" items or an object taken as it is, over `options`. */
PAWL_MUST_CHECK enum pawl_status pawl_improve_read_settings(json_t *options, const json_t *set,
                                                            struct pawl_error *err);
/*
 * PAWL_EUSAGE when an option differs from that of the recorded `run`: steps in its journal depend on
 * all of them (an operator may ask how much of its budget is left), so no other value can be given
 * half-way. The hint names the --fork that takes it.
 */
PAWL_MUST_CHECK enum pawl_status
pawl_improve_check_resumed(const struct pawl_improve_options *options, const json_t *run,
                           struct pawl_error *err);

/* --- one run, and several in a row (front_chain.c) --------------------------------------------------- */

/* What a new run is, beside its options. */
struct pawl_improve_link {
    const char *operator; /* or auto */
    struct pawl_config_budget budget;
    const json_t *chain; /* that it is a link of, recorded with it; NULL: none */
};
/* Begin a run, or go on with that of `row` (which names its own link), to its end and through the gate. The
 * call's result is filled. */
PAWL_MUST_CHECK enum pawl_status pawl_improve_one(struct pawl_call *call,
                                                  struct pawl_improve_options *options,
                                                  const struct pawl_improve_link *link,
                                                  struct pawl_error *err);
/*
 * Several operators, one after another: each is a run of its own with an attempt of its own, and starts from
 * what is in force then. A link gets an equal share of what the links before it have left of the budget. A run
 * that is paused, or that the world stopped, stops the chain; resuming it goes on with the chain.
 *
 * Invariant: the chain as it stood when a link began is recorded with that link: {"operators":[name...],
 * "seed","at","budget","spent","links":[{"run","operator","verdict","evaluations"}...]}, spent and links being of the
 * links before it. A row that has ended names the one after it in "next", so that none is begun twice.
 */
PAWL_MUST_CHECK enum pawl_status pawl_improve_chain(struct pawl_call *call,
                                                    struct pawl_improve_options *options,
                                                    struct pawl_error *err);
/* The chain of a recorded run whose next link has not begun; NULL: it has, or there is none. Borrowed. */
const json_t *pawl_improve_chain_of(const json_t *row);

/* --- --operator auto (front_choose.c) -------------------------------------------------------------- */

/* What is known before a run. */
struct pawl_improve_facts {
    bool shows_demos;    /* the program's modules can show demonstrations */
    bool has_writer;     /* another model than the one that answers plays reflect */
    bool samples;        /* several answers to a case are drawn, and one is taken */
    int64_t n_dev;       /* as the operator sees it */
    int64_t evaluations; /* -1: no limit */
};
struct pawl_improve_choice {
    const char *operator;
    char because[240]; /* recorded with the run, as "because" */
};
struct pawl_improve_choice pawl_improve_choose(const struct pawl_improve_facts *facts);
PAWL_MUST_CHECK enum pawl_status pawl_improve_read_facts(struct pawl_project *project,
                                                         const struct pawl_config_budget *budget,
                                                         struct pawl_improve_facts *facts,
                                                         struct pawl_error *err);

#endif
