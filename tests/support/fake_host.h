/*
 * fake_host.h - a host in memory, so that an operator can be tested alone.
 *
 * Include it *before* an operator's source file, and include that source file itself:
 *
 *     #include "support/fake_host.h"
 *     #include "operators/op_gepa.c"
 *
 * The calls of that operator then reach the functions below, whatever else is linked. The test
 * says how cases are answered and prompts replied to; the fake counts, and it aborts when the
 * operator breaks the host's rules (an unknown candidate, case or component, traces on dev).
 */
#ifndef TESTS_SUPPORT_FAKE_HOST_H
#define TESTS_SUPPORT_FAKE_HOST_H

#define pawl_host_arena         fake_host_arena
#define pawl_host_random        fake_host_random
#define pawl_host_components    fake_host_components
#define pawl_host_text          fake_host_text
#define pawl_host_draft         fake_host_draft
#define pawl_host_fields        fake_host_fields
#define pawl_host_n_train       fake_host_n_train
#define pawl_host_n_dev         fake_host_n_dev
#define pawl_host_train_case    fake_host_train_case
#define pawl_host_evaluate      fake_host_evaluate
#define pawl_host_score_dev     fake_host_score_dev
#define pawl_host_complete      fake_host_complete
#define pawl_host_operator_text fake_host_operator_text
#define pawl_host_budget_left   fake_host_budget_left
#define pawl_host_nominate      fake_host_nominate
#define pawl_host_offer         fake_host_offer
#define pawl_host_note_short    fake_host_note_short
#define pawl_host_say           fake_host_say
#define pawl_host_parallel      fake_host_parallel
#define pawl_host_submit        fake_host_submit
#define pawl_host_next_done     fake_host_next_done

#include "operators/operator.h"

#include "base/hash.h"

enum { FAKE_COMPONENTS_MAX = 8 };

struct fake_candidate {
    struct pawl_str texts[FAKE_COMPONENTS_MAX];
    bool nominated, scored; /* scored: on dev */
    double mean;
};

/* One case that an operator wants to have run. */
struct fake_question {
    uint32_t candidate, train_or_dev_case;
    enum pawl_host_tier tier;
    uint32_t sample;
    double temperature;
    bool trace, logprobs;
};

struct pawl_host {
    /* What the test sets. */
    const struct pawl_operator *operator;
    struct pawl_host_component components[FAKE_COMPONENTS_MAX];
    size_t n_components;
    json_t *fields;               /* owned by the host */
    struct pawl_host_case *train; /* [n_train] in the arena; the JSON is in `kept` */
    size_t n_train, n_dev;
    int64_t budget;
    size_t
        fail_after; /* steps; then every one gives fail_with, or PAWL_EBUDGET those that cost. 0: never */
    enum pawl_status fail_with;
    void (*answer)(struct pawl_host *host, const struct fake_question *question,
                   struct pawl_host_result *result);
    void (*reply)(struct pawl_host *host, const struct pawl_host_prompt *prompt,
                  struct pawl_host_reply *reply, struct pawl_arena *step);
    void *context;

    /* What happened. */
    bool noted_short;
    int64_t used;
    size_t n_steps, n_prompts, n_nominated, n_said, n_questions[2]; /* by tier */
    size_t n_after_failure; /* steps that the operator asked for after one had failed */
    struct fake_candidate *candidates;
    uint32_t n_candidates, capacity;
    uint32_t n_joined, last_joined; /* drafts of two parents that were new, and the last of them */
    uint32_t n_tickets, n_taken;
    struct pawl_hasher digest; /* of every step's arguments, in order */

    struct pawl_arena arena;
    struct pawl_random random;
    json_t *kept; /* answers, until the host is freed */
};

/* A host with one candidate, the start: texts of the components in order. */
void fake_host_init(struct pawl_host *host, const struct pawl_operator *operator, uint64_t seed);
/* A name MODULE.WORD makes it that module's. */
void fake_host_add_component(struct pawl_host *host, const char *name, const char *role,
                             const char *text);
/* Cases as JSON text with ' for ". */
void fake_host_set_train(struct pawl_host *host, size_t n);
void fake_host_set_case(struct pawl_host *host, size_t i, const char *input, const char *target);
json_t *fake_host_json(struct pawl_host *host, const char *text); /* kept */
/* Read options from JSON text and run the operator. */
enum pawl_status fake_host_run(struct pawl_host *host, const char *options, struct pawl_error *err);
struct pawl_hash fake_host_digest(struct pawl_host *host); /* once */
void fake_host_release(struct pawl_host *host);

#endif
