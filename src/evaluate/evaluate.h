/*
 * evaluate.h - score prepared candidates on cases, in parallel.
 *
 * Invariants
 *   1. Results come back in the order of the items, whatever order they finish in.
 *   2. A result is small: score and status. Outputs, feedback and traces are kept only when asked
 *      for, in the evaluation's own memory, so a large evaluation costs no memory beyond its cases.
 *   3. One failing case never stops the others; a world that fails more than 2 % of the cases
 *      (and more than 2 of them) does: PAWL_EWORLD after the batch, finished results kept.
 */
#ifndef PAWL_EVALUATE_EVALUATE_H
#define PAWL_EVALUATE_EVALUATE_H

#include "evaluate/cases.h"
#include "evaluate/metric.h"
#include "program/program.h"

struct pawl_evaluation_item {
    struct pawl_instance *instance;
    const struct pawl_case *item;
    uint32_t sample;
    double temperature; /* 0: the program's own */
};
struct pawl_result {
    enum pawl_outcome_status status;
    double score;                              /* NAN when missing, 0 when failed */
    int64_t tokens, latency_us, cost_microusd; /* of its requests; a cached answer's are kept */
    struct pawl_hash behaviour;
    const json_t *output; /* below: only with PAWL_EVALUATE_OUTPUT / _TRACE; owned by the batch */
    const json_t *trace;
    const char *feedback, *reason;
    const struct pawl_named_score *named; /* [n_named]: only with PAWL_EVALUATE_NAMED */
    size_t n_named;
};
/* {name: score}, or NULL when there are none. New reference. */
json_t *pawl_result_named_json(const struct pawl_result *result);
enum pawl_evaluate_flags {
    PAWL_EVALUATE_OUTPUT = 1u << 0,   /* keep outputs, feedback, reasons */
    PAWL_EVALUATE_TRACE = 1u << 1,    /* keep traces too */
    PAWL_EVALUATE_LOGPROBS = 1u << 2, /* with the log-probabilities of all choices */
    PAWL_EVALUATE_NAMED = 1u << 3, /* keep named scores; costs nothing where a metric gives none */
};
struct pawl_batch; /* the memory behind a set of results */

struct pawl_evaluator;
struct pawl_evaluator_settings {
    struct pawl_metric *metric; /* NULL: outcomes only, no scores (sealed side) */
    struct pawl_lm *lm;         /* who answers the metric's questions; NULL where it has none */
    int threads;                /* 0: what the program can use, at most 256 */
    /* (optional) called from any thread after each case; must be quick */
    void (*progress)(void *context, size_t n_done, size_t n_total);
    void *context;
};
PAWL_MUST_CHECK enum pawl_status pawl_evaluator_open(const struct pawl_evaluator_settings *settings,
                                                     struct pawl_program *program,
                                                     struct pawl_evaluator **evaluator,
                                                     struct pawl_error *err);
void pawl_evaluator_close(struct pawl_evaluator *evaluator);
void pawl_evaluator_cancel(struct pawl_evaluator *evaluator); /* running calls give PAWL_EPAUSED */

/* Gives results[0..n) and *batch (pawl_batch_free; may be NULL to keep nothing). usage is added to. */
PAWL_MUST_CHECK enum pawl_status
pawl_evaluator_run(struct pawl_evaluator *evaluator, const struct pawl_evaluation_item *items,
                   size_t n, unsigned flags, struct pawl_result *results, struct pawl_usage *usage,
                   struct pawl_batch **batch, struct pawl_error *err);
void pawl_batch_free(struct pawl_batch *batch);

#endif
