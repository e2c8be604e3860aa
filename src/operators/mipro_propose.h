/*
 * mipro_propose.h - instructions that are grounded in the data, the program and its demonstrations.
 *
 * The reflecting model first looks at the train cases, a batch at a time, and notes what they have in
 * common; it says what the program does and what each module is for; then it is asked for new
 * instructions, each time with all of that, a module's instruction in force, up to three of its good
 * answers (from another set each time) and a tip drawn by chance.
 *
 * Invariants
 *   1. Instruction 0 of a module is the start's; nobody is asked for it.
 *   2. What is taken is new, not empty and not too long; a reply that is none of it makes no
 *      proposal, so there may be fewer than were asked for.
 *   3. Every prompt is a text of the operator, named in its table: observe, observe_more, summarise,
 *      describe_program, describe_module, propose, and the tips.
 */
#ifndef PAWL_OPERATORS_MIPRO_PROPOSE_H
#define PAWL_OPERATORS_MIPRO_PROPOSE_H

#include "operators/mipro_demos.h"

struct pawl_mipro_proposals_settings {
    const struct pawl_roster *roster;
    const struct pawl_mipro_demos *demos;
    size_t n;          /* instructions of a module, the start's included */
    size_t view_batch; /* train cases looked at together; 0: no summary of the data */
    size_t max_text_bytes;
    int max_tokens; /* of a reply */
    double temperature;
    const char *const *tips; /* names of texts, NULL-terminated; one draw in n + 1 gives none */
};
struct pawl_mipro_instructions {
    struct pawl_str *texts; /* [n_texts], [0] is the start's; none where the module has none */
    size_t n_texts;
};
/* Steps. *instructions[roster->n] lives in the run's arena. Costs at most 12 requests and n a
 * module; no evaluations. */
PAWL_MUST_CHECK enum pawl_status
pawl_mipro_propose(struct pawl_host *host, struct pawl_arena *step,
                   const struct pawl_mipro_proposals_settings *settings,
                   struct pawl_mipro_instructions **instructions, struct pawl_error *err);

#endif
