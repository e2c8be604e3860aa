/*
 * gepa_reflect.h - what a reflecting model is shown of a minibatch, and the texts that it writes.
 *
 * A reflection is about one candidate on one minibatch, and rewrites some of its texts: each is one
 * prompt, and all prompts of all reflections of an iteration are asked as one batch. A reflection that
 * fails, or whose text is empty or over-long, gives no edit.
 */
#ifndef PAWL_OPERATORS_GEPA_REFLECT_H
#define PAWL_OPERATORS_GEPA_REFLECT_H

#include "operators/host.h"

struct pawl_reflect_how {
    bool show_target; /* how answers were judged, wanted answers included */
    int64_t tokens, max_text_bytes;
    double temperature;
};

struct pawl_reflection {
    uint32_t candidate;
    const struct pawl_host_component *texts; /* to be rewritten */
    size_t n_texts;
    const uint32_t *cases; /* of train */
    const struct pawl_host_result *results;
    size_t n_cases;
    struct pawl_host_edit *edits; /* [n_texts], filled; their text lies in `step` */
    size_t n_edits;
};

/* Step, unless there is nothing to ask about. A text whose module no case has reached is left alone. */
PAWL_MUST_CHECK enum pawl_status pawl_reflect(struct pawl_host *host, struct pawl_arena *step,
                                              const struct pawl_reflect_how *how,
                                              struct pawl_reflection *reflections, size_t n,
                                              struct pawl_error *err);

#endif
