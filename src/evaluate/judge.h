/*
 * judge.h - what most metrics share: comparing the fields of a target with those of an output.
 *
 * A target that is an object names the fields that count. Any other target is compared with the
 * answer: the only field of the output that is not "reasoning", or the first such by name. A target
 * that is a list, where the output is none, holds several right answers: the best one counts.
 */
#ifndef PAWL_EVALUATE_JUDGE_H
#define PAWL_EVALUATE_JUDGE_H

#include "evaluate/metric.h"

struct pawl_judge {
    /* [0,1] for one expected and one given text. */
    double (*score)(const void *options, struct pawl_arena *arena, struct pawl_str expected,
                    struct pawl_str given);
    bool mean; /* of the fields; false: the worst field decides */
};
/* Fill result with score and feedback. */
void pawl_judge_fields(const struct pawl_judge *judge, const void *options,
                       struct pawl_arena *arena, const struct pawl_metric_call *call,
                       struct pawl_metric_result *result);
/* The field of an output that a target without fields speaks of; NULL when there is none. */
const json_t *pawl_judge_answer(const json_t *output);
/* A text as it is, anything else as canonical JSON. */
struct pawl_str pawl_judge_text(const json_t *value, struct pawl_arena *arena);
/* SQuAD's: lower case, no ASCII punctuation, no articles, single spaces (Rajpurkar et al. 2016). */
struct pawl_str pawl_judge_normalise(struct pawl_str text, struct pawl_arena *arena);

#endif
