/*
 * kind.h - the four kinds of programs behind program.h. Only program.c calls the slots.
 */
#ifndef PAWL_PROGRAM_KIND_H
#define PAWL_PROGRAM_KIND_H

#include "base/option.h"
#include "program/program.h"

struct pawl_program_kind {
    /* `arena` lives as long as the program. settings->lm may be NULL as long as nothing runs. */
    enum pawl_status (*open)(const struct pawl_program_settings *settings, struct pawl_arena *arena,
                             void **program, struct pawl_error *err);
    void (*close)(void *program);
    enum pawl_status (*seed)(void *program, struct pawl_arena *arena, struct pawl_artifact **seed,
                             struct pawl_error *err);
    json_t *(*fields)(const void *program);
    json_t *(*input_object)(const void *program, const json_t *input);
    json_t *(*target_object)(const void *program, const json_t *target);
    unsigned (*roles)(const void *program);
    int (*parallel)(const void *program);
    enum pawl_status (*prepare)(void *program, const struct pawl_artifact *artifact,
                                void **instance, struct pawl_error *err);
    enum pawl_status (*run)(void *instance, struct pawl_arena *arena,
                            const struct pawl_program_case *item,
                            const struct pawl_run_options *how, struct pawl_outcome *outcome,
                            struct pawl_error *err);
    void (*release)(void *instance);
    /* What of the project's files answers depend on and no artifact holds, as hashes; a new reference, NULL
     * for nothing. No slot: nothing, whatever the section says. */
    json_t *(*files)(const void *program);
    /* [{module, messages}...], a new reference; NULL with *fault. No slot: it has no messages of ours. */
    json_t *(*messages)(const void *instance, const char **fault);
};
extern const struct pawl_program_kind pawl_program_signature, pawl_program_pipeline,
    pawl_program_flow, pawl_program_command;

/* Fill a failed outcome: status, reason, behaviour. Always PAWL_OK, so that run can return it. */
enum pawl_status pawl_outcome_fail(struct pawl_outcome *outcome, enum pawl_outcome_status status,
                                   const char *reason);
/* The number in a request's seed field: the project's seed, the case and the sample decide. */
uint64_t pawl_sampling_seed(uint64_t seed, const char *case_id, uint32_t sample);

#endif
