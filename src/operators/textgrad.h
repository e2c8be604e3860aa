/*
 * textgrad.h - what the parts of textgrad share: a search, the step under way, and the requests that
 * a step sends out together. Only op_textgrad.c and textgrad_*.c include it.
 *
 *     textgrad_ask.c       asking many requests as one batch
 *     textgrad_backward.c  from answers to judgements to feedback on every text
 *     textgrad_write.c     from feedback to new texts that keep to the constraints; what is remembered
 *     op_textgrad.c        the search: batches, looking at dev, taking back
 *
 * Invariants
 *   1. Feedback is added to where it belongs in the order of the requests, and each once.
 *   2. A text whose ptr is NULL is not there: the case was lost, or the model gave nothing.
 *   3. What a step makes lies in the step arena; what outlives it is copied to the run's.
 *
 *     struct textgrad_asks asks = pawl_textgrad_asks_new(t, n);
 *     pawl_textgrad_ask(t, &asks, "judge", pawl_textgrad_text(t, "loss", PAWL_MARKS({"input", task})), &to);
 *     PAWL_TRY(pawl_textgrad_ask_all(t, &asks, err));
 */
#ifndef PAWL_OPERATORS_TEXTGRAD_H
#define PAWL_OPERATORS_TEXTGRAD_H

#include "operators/prompt.h"
#include "operators/graph.h"
#include "operators/textgrad_rules.h"
#include "operators/tried.h"

struct textgrad_options {
    int64_t batch, epochs, epoch_steps, momentum, gradient_memory, repairs, max_tokens,
        max_text_bytes;
    double temperature;
    bool revert, show_target, skip_perfect;
    const char *loss;
    json_t *constraints;
};

/* The last so many texts that were noted: versions, or feedback. */
struct textgrad_memory {
    struct textgrad_noted {
        int64_t step;
        struct pawl_str text;
        double worth;   /* mean on dev; NAN: not looked at */
    } * items;          /* [capacity]; the oldest is overwritten */
    size_t capacity, n; /* n: ever noted */
};
struct textgrad_variable {
    const char *component;
    size_t module;
    struct textgrad_memory past, earlier; /* versions tried; feedback of earlier steps */
};

struct textgrad {
    struct pawl_host *host;
    const struct textgrad_options *opt;
    struct pawl_arena *arena; /* run */
    struct pawl_arena step;   /* reset after each step */
    struct pawl_graph graph;
    struct pawl_textgrad_rules rules;
    struct textgrad_variable *variables;
    size_t n_variables;
    size_t *order; /* [n_train] of this epoch */
    size_t n_train, n_dev, at;
    int64_t number;       /* of the step, from 1 */
    uint32_t current;     /* candidate in force */
    double *kept, *fresh; /* [n_dev] scores of `current`, and of what is tried */
    double *start;        /* [n_dev] of the start */
    struct pawl_tried tried;
};

/* A step under way. */
struct textgrad_round {
    uint32_t *cases; /* [n] */
    size_t n;
    struct pawl_host_result *results; /* [n] */
    struct pawl_str *losses;          /* [n] what was said of the answer */
    struct pawl_str *felt;            /* [n * modules] feedback on what a module wrote */
    struct pawl_str *gradients;       /* [n * variables] feedback on a text */
};

/* --- texts and requests (textgrad_ask.c) ------------------------------------------------------------ */

static inline struct pawl_str pawl_textgrad_text(struct textgrad *t, const char *name,
                                                 const struct pawl_prompt_mark *marks)
{
    return pawl_prompt_text(t->host, &t->step, name, marks);
}
static inline struct pawl_str pawl_textgrad_fields(struct textgrad *t, const json_t *value,
                                                   const json_t *only)
{
    return pawl_prompt_fields(&t->step, value, only);
}

/* Requests that go out as one batch, and where each reply is to be put. */
struct textgrad_asks {
    struct pawl_host_prompt *prompts;
    struct pawl_str **to;
    size_t n, capacity;
};
struct textgrad_asks pawl_textgrad_asks_new(struct textgrad *t, size_t capacity);
/* A prompt that is too long (ptr NULL) is not asked. */
void pawl_textgrad_ask(struct textgrad *t, struct textgrad_asks *asks, const char *role,
                       struct pawl_str prompt, struct pawl_str *to);
/* Step. A reply is added below what stands in its place already; a failed or empty one is none. */
PAWL_MUST_CHECK enum pawl_status
pawl_textgrad_ask_all(struct textgrad *t, struct textgrad_asks *asks, struct pawl_error *err);

/* --- feedback (textgrad_backward.c) ------------------------------------------------------------------ */

/* Steps: from the results of a round to its gradients; a batch of requests per layer of the graph. */
PAWL_MUST_CHECK enum pawl_status
pawl_textgrad_backward(struct textgrad *t, struct textgrad_round *r, struct pawl_error *err);
/* What the module was given, and what it made of it, in case i of the round. */
const json_t *pawl_textgrad_input(const struct textgrad *t, const struct textgrad_round *r,
                                  size_t i, size_t module);
const json_t *pawl_textgrad_output(const struct textgrad *t, const struct textgrad_round *r,
                                   size_t i, size_t module);
struct pawl_str pawl_textgrad_task(struct textgrad *t, const struct textgrad_round *r, size_t i);
/* What a text is, in words. */
struct pawl_str pawl_textgrad_role(struct textgrad *t, const struct textgrad_variable *variable);

/* --- new texts (textgrad_write.c) --------------------------------------------------------------------- */

/* Steps: from gradients to edits; a text that breaks a constraint is sent back, then refused. */
PAWL_MUST_CHECK enum pawl_status pawl_textgrad_rewrite(struct textgrad *t,
                                                       const struct textgrad_round *r,
                                                       struct pawl_host_edit *edits,
                                                       size_t *n_edits, struct pawl_error *err);
struct textgrad_memory pawl_textgrad_memory_new(struct textgrad *t, int64_t capacity);
void pawl_textgrad_note(struct textgrad *t, struct textgrad_memory *memory, struct pawl_str text,
                        double worth);

#endif
