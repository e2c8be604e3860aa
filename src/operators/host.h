/*
 * host.h - all that an operator has.
 *
 * An operator is a plain function run(host). Every call below that is marked "step" is recorded in
 * the run's journal under a path (12, or 12/3/1 inside a branch) before the operator sees its
 * result. After a crash the function runs again from the top and the journal answers until the
 * frontier; so an operator has no save or load code. In return it
 *
 *   1. decides only by what the host gives it: no clock, environment, files, threads or static
 *      variables of its own (scripts/check-operators looks at the object files);
 *   2. draws random numbers only from pawl_host_random;
 *   3. returns at once, with the same status, when a call does not return PAWL_OK. PAWL_EBUDGET is
 *      the normal end of a run; PAWL_EPAUSED asks to unwind.
 *
 * Candidates are numbers: 0 is the artifact that the run started from. Train cases are 0..n-1 with
 * inputs, targets, feedback and traces; dev cases are 0..n-1 with scores only. Sealed cases do not
 * exist here.
 *
 *     static enum pawl_status run(struct pawl_host *host, const void *opt, struct pawl_error *err)
 *     {
 *         struct pawl_host_edit edit = {"instruction", text};
 *         uint32_t child, parent = 0;
 *         PAWL_TRY(pawl_host_draft(host, &parent, 1, &edit, 1, &child, err));
 *         PAWL_TRY(pawl_host_score_dev(host, child, scores, &mean, err));
 *         return pawl_host_nominate(host, child, err);
 *     }
 */
#ifndef PAWL_OPERATORS_HOST_H
#define PAWL_OPERATORS_HOST_H

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "base/random.h"

#include <stdint.h>

struct pawl_host;

/* Memory for the whole run (of this branch), and for one step: reset it when you like. */
struct pawl_arena *pawl_host_arena(struct pawl_host *host);
/* The random stream of this branch: determined by the run's seed and the branch's path. */
struct pawl_random *pawl_host_random(struct pawl_host *host);

/* --- what is improved --------------------------------------------------------------------- */

struct pawl_host_component {
    const char *name, *kind, *role;
    const char *module; /* whose it is; NULL: of the program, which has no named modules */
};
const struct pawl_host_component *pawl_host_components(struct pawl_host *host, size_t *n);
/* Borrowed until the run ends. An unknown candidate or component is a bug. */
struct pawl_str pawl_host_text(struct pawl_host *host, uint32_t candidate, const char *component);
/* Step. Make a candidate from a parent with some components replaced (further parents are lineage
 * only). A text that was drafted before gives that candidate's number again. */
struct pawl_host_edit {
    const char *component;
    struct pawl_str text;
};
PAWL_MUST_CHECK enum pawl_status pawl_host_draft(struct pawl_host *host, const uint32_t *parents,
                                                 size_t n_parents,
                                                 const struct pawl_host_edit *edits, size_t n_edits,
                                                 uint32_t *candidate, struct pawl_error *err);

/* --- cases --------------------------------------------------------------------------------- */

struct pawl_host_case {
    const char *id;
    const json_t *input;  /* {field: value} */
    const json_t *target; /* {field: value}, or as in the file when it fits no field */
};
/*
 * The program's fields: {"inputs":[name...],"outputs":[{name,type,choices?}...],"extra":[name...],
 * "modules":[...]}, extra being what the strategy adds (reasoning). Empty lists for a command program.
 *
 * "modules" are the program's calls of a model in the order in which they run: each one's inputs come
 * from the case or from the modules before it. An entry is {"name","inputs","outputs","extra"} as above
 * and the names of its components, "instruction", "demos", where its choices are held "calibration",
 * and where it remembers "lessons". A signature is one module whose name is "". Borrowed until the run ends.
 */
const json_t *pawl_host_fields(struct pawl_host *host);
size_t pawl_host_n_train(struct pawl_host *host);
size_t pawl_host_n_dev(struct pawl_host *host); /* without dev-check */
const struct pawl_host_case *pawl_host_train_case(struct pawl_host *host, uint32_t index);

/* --- evaluation ----------------------------------------------------------------------------- */

enum pawl_host_tier { PAWL_HOST_TRAIN, PAWL_HOST_DEV };
struct pawl_host_result {
    bool missing; /* no score: leave it out of every mean and pair */
    double score; /* [0,1]; 0 for a failed case */
    /* {name: score in [0,1]}, what the metric thinks of single aspects, members in order of their names;
     * NULL where it named none, as for a failed case. Borrowed until the step arena is reset. */
    const json_t *named;
    /* the rest only on train with `trace`; borrowed until the step arena is reset */
    bool failed;
    const json_t *output; /* {field: value}, reasoning included */
    /* One entry for each request to the model, in order: {"module","messages","reply","input",
     * "output"?,"choice_logprobs"?}. Input and output are the module's own fields; output stands in
     * the entry that completed the module's answer, and nowhere when none did. The requests of a
     * command program have messages and reply alone. */
    const json_t *trace;
    const char *feedback;
};
struct pawl_host_evaluation {
    uint32_t candidate;
    enum pawl_host_tier tier;
    const uint32_t *cases;
    size_t n_cases;
    uint32_t sample;    /* 0; k > 0 asks for another answer to the same prompts */
    double temperature; /* 0: the program's own; else overrides it (bootstrap's later rounds) */
    bool trace;         /* train only */
    bool logprobs;      /* with trace: of all choices, where the model has them; costs time */
    struct pawl_host_result *results; /* n_cases, filled */
};
/*
 * Step. Score a batch of evaluations at once.
 *
 * Fails   PAWL_EBUDGET before any work when the sum of n_cases is more than what is left.
 *         PAWL_EPAUSED on Ctrl-C, or when the world failed for more than 2 % of the cases.
 * Costs   the sum of n_cases, the same for a cached answer as for a fresh one.
 */
PAWL_MUST_CHECK enum pawl_status pawl_host_evaluate(struct pawl_host *host, struct pawl_arena *step,
                                                    struct pawl_host_evaluation *batch, size_t n,
                                                    struct pawl_error *err);
/* Step. One candidate on all dev cases: scores[pawl_host_n_dev], NAN where missing, and their mean. */
PAWL_MUST_CHECK enum pawl_status pawl_host_score_dev(struct pawl_host *host, uint32_t candidate,
                                                     double *scores, double *mean,
                                                     struct pawl_error *err);

/* --- language models ------------------------------------------------------------------------- */

struct pawl_host_prompt {
    const char *role;             /* "task", "reflect", "judge": which model */
    struct pawl_str system, user; /* system may be empty */
    int max_tokens;
    double temperature;
    uint32_t sample;
};
struct pawl_host_reply {
    bool failed; /* refused, over-long or missing: text is empty */
    struct pawl_str text;
};
/* Step. Ask n prompts as one batch. Text lies in `step`. */
PAWL_MUST_CHECK enum pawl_status pawl_host_complete(struct pawl_host *host, struct pawl_arena *step,
                                                    const struct pawl_host_prompt *prompts,
                                                    size_t n, struct pawl_host_reply *replies,
                                                    struct pawl_error *err);
/* One of the operator's own texts (its components), by name; the user or a parent run may have
 * replaced it. */
struct pawl_str pawl_host_operator_text(struct pawl_host *host, const char *name);

/* --- budget and result ------------------------------------------------------------------------ */

/* Evaluations left, by the logical budget. */
int64_t pawl_host_budget_left(struct pawl_host *host);
/* Step. Name a candidate as worth offering. At the end of the run the host takes the best three of
 * those named (by their mean on dev) and the seed, scores them on dev-check, and offers the
 * winner to the gate, or nothing. */
PAWL_MUST_CHECK enum pawl_status pawl_host_nominate(struct pawl_host *host, uint32_t candidate,
                                                    struct pawl_error *err);
/* Step. Ask the gate now: one attempt, one bit. Costs an attempt of the sealed set's life. */
PAWL_MUST_CHECK enum pawl_status pawl_host_offer(struct pawl_host *host, uint32_t candidate,
                                                 bool *promoted, struct pawl_error *err);
/* The search ends here, or leaves something out, because pawl_host_budget_left does not hold it: for the
 * report (not a step; nothing is recorded). */
void pawl_host_note_short(struct pawl_host *host);
/* Tell the person watching (not a step; nothing is recorded). */
void pawl_host_say(struct pawl_host *host, const char *format, ...) PAWL_PRINTF(2, 3);

/* --- branches ----------------------------------------------------------------------------------- */

/* Step. Run fn(branch, 0..n-1) at the same time, each on a host of its own whose paths lie below
 * this step's. Fails with the first failing branch in order. */
typedef enum pawl_status (*pawl_host_branch)(struct pawl_host *branch, size_t index, void *context,
                                             struct pawl_error *err);
PAWL_MUST_CHECK enum pawl_status pawl_host_parallel(struct pawl_host *host, size_t n,
                                                    pawl_host_branch fn, void *context,
                                                    struct pawl_error *err);
/* Asynchronous form: submit gives a ticket (0,1,2...), next_done the ticket of a branch that has
 * ended; the order of endings is recorded and repeated on resume. */
PAWL_MUST_CHECK enum pawl_status pawl_host_submit(struct pawl_host *host, pawl_host_branch fn,
                                                  size_t index, void *context, uint32_t *ticket,
                                                  struct pawl_error *err);
PAWL_MUST_CHECK enum pawl_status pawl_host_next_done(struct pawl_host *host, uint32_t *ticket,
                                                     struct pawl_error *err);

#endif
