/*
 * cases_fit.h - whether cases are for this program and this metric, asked before they are sealed for
 * ever.
 *
 * A label in another language or a field of another name gives 0 for every case and no error: the
 * answers are right, only nothing equals them. So each case is held against the program's fields, and
 * its target against the answers that the program can give at all.
 *
 * Invariants
 *   1. A target is refused only when no answer of its field's type scores above 0, by the metric
 *      itself: what counts as equal is never decided here.
 *   2. Only what can be known is checked: fields of type choices, number and boolean, under a metric
 *      that compares by field. Lua, a command and a pattern may read targets as they like.
 *   3. A program without declared fields (a command) takes every case.
 *
 *     PAWL_TRY(pawl_cases_fit(&cases, "data/cases.csv", program, metric, err));
 */
#ifndef PAWL_EVALUATE_CASES_FIT_H
#define PAWL_EVALUATE_CASES_FIT_H

#include "evaluate/cases.h"
#include "evaluate/metric.h"
#include "program/program.h"

/* metric NULL: inputs only. Fails PAWL_ECONFIG with file, line, field, the value, and what there is. */
PAWL_MUST_CHECK enum pawl_status pawl_cases_fit(const struct pawl_cases *cases, const char *path,
                                                const struct pawl_program *program,
                                                struct pawl_metric *metric, struct pawl_error *err);

#endif
