/*
 * operator.h - what an operator is: one file op_NAME.c ending in one const struct.
 *
 * How to add one: write op_NAME.c including only this header, host.h and base; end it in
 * `const struct pawl_operator pawl_op_NAME`. Help, documentation, cards and the contract tests
 * (resume at every step, budgets, cancel) follow from the table.
 */
#ifndef PAWL_OPERATORS_OPERATOR_H
#define PAWL_OPERATORS_OPERATOR_H

#include "base/option.h"
#include "operators/host.h"

/* A text of the operator itself, e.g. its reflection prompt; a component of the operator's own
 * artifact, so that it can be improved like any other. */
struct pawl_operator_text {
    const char *name, *help, *text;
};

struct pawl_operator {
    int api; /* PAWL_OPERATOR_API */
    const char *name;
    int version; /* raised when its decisions change: an older journal then asks for --fork */
    const char *summary;
    const char *paper;
    const char *const *roles; /* component roles it can change, NULL-terminated; NULL: any text */
    const struct pawl_option *options;
    size_t options_bytes;
    const struct pawl_operator_text *texts; /* ends with a NULL name; may be NULL */
    const char *risks; /* known ways to fail, for its card (improve/card.h), joined by ; */
    /* Evaluations without which it cannot find anything; a smaller budget is refused before a run is
     * begun. NULL: it can do with any. */
    int64_t (*smallest)(const void *options, size_t n_train, size_t n_dev);
    enum pawl_status (*run)(struct pawl_host *host, const void *options, struct pawl_error *err);
};
enum { PAWL_OPERATOR_API = 1 };
extern const struct pawl_operator *const pawl_operators[]; /* NULL-terminated, generated */

#endif
