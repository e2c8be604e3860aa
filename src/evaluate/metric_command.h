/*
 * metric_command.h - the line that a metric's command writes. Private to metric_command.c and its
 * fuzz target.
 */
#ifndef PAWL_EVALUATE_METRIC_COMMAND_H
#define PAWL_EVALUATE_METRIC_COMMAND_H

#include "evaluate/metric.h"

/* Gives NULL when the line is an answer to `id` and result is filled, else what is wrong with it. */
const char *pawl_metric_read_answer(struct pawl_str text, const char *id, struct pawl_arena *arena,
                                    struct pawl_metric_result *result);

#endif
