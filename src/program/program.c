#include "program/kind.h"

#include <stdlib.h>

struct pawl_program {
    const struct pawl_program_kind *kind;
    struct pawl_arena arena;
    json_t *section; /* kept: options point into it */
    void *state;
};
struct pawl_instance {
    const struct pawl_program_kind *kind;
    void *state;
};

static const struct pawl_program_kind *kind_of(const json_t *section)
{
    if (json_object_get(section, "command") != NULL) return &pawl_program_command;
    if (json_object_get(section, "flow") != NULL) return &pawl_program_flow;
    if (json_object_get(section, "modules") != NULL) return &pawl_program_pipeline;
    return &pawl_program_signature;
}

enum pawl_status pawl_program_open(const struct pawl_program_settings *settings,
                                   struct pawl_program **program, struct pawl_error *err)
{
    if (!json_is_object(settings->program)) {
        pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "program",
                     "The section \"program\" is not a map.");
        pawl_hint(err, "Write `program: {signature: \"question -> answer\"}`.");
        return PAWL_ECONFIG;
    }
    struct pawl_program *p = pawl_xcalloc(1, sizeof *p);
    p->kind = kind_of(settings->program);
    p->section = json_incref((json_t *)(uintptr_t)settings->program);
    enum pawl_status status = p->kind->open(settings, &p->arena, &p->state, err);
    if (status != PAWL_OK) {
        pawl_program_close(p);
        return status;
    }
    *program = p;
    return PAWL_OK;
}

void pawl_program_close(struct pawl_program *program)
{
    if (!program) return;
    if (program->state) program->kind->close(program->state);
    pawl_arena_release(&program->arena);
    json_decref(program->section);
    free(program);
}

enum pawl_status pawl_program_check(const struct pawl_program_settings *settings,
                                    struct pawl_error *err)
{
    struct pawl_program *program;
    PAWL_TRY(pawl_program_open(settings, &program, err));
    pawl_program_close(program);
    return PAWL_OK;
}

enum pawl_status pawl_program_identity(const struct pawl_program_settings *settings,
                                       json_t **identity, struct pawl_error *err)
{
    struct pawl_program *program;
    json_t *section = (json_t *)(uintptr_t)settings->program;
    *identity = NULL;
    if (kind_of(section)->files) {
        PAWL_TRY(pawl_program_open(settings, &program, err));
        json_t *files = program->kind->files(program->state);
        if (files) *identity = json_pack("{s:O, s:o}", "section", section, "files", files);
        pawl_program_close(program);
    }
    if (!*identity) *identity = json_incref(section);
    return PAWL_OK;
}

enum pawl_status pawl_program_seed(struct pawl_program *program, struct pawl_arena *arena,
                                   struct pawl_artifact **seed, struct pawl_error *err)
{
    return program->kind->seed(program->state, arena, seed, err);
}

json_t *pawl_program_fields(const struct pawl_program *program)
{
    return program->kind->fields(program->state);
}

json_t *pawl_program_input_object(const struct pawl_program *program, const json_t *input)
{
    return program->kind->input_object(program->state, input);
}

json_t *pawl_program_target_object(const struct pawl_program *program, const json_t *target)
{
    return program->kind->target_object(program->state, target);
}

int pawl_program_parallel(const struct pawl_program *program)
{
    return program->kind->parallel(program->state);
}

unsigned pawl_program_roles(const struct pawl_program *program)
{
    return program->kind->roles(program->state);
}

/* No kind compiles or trains anything yet, so replicates do not differ. */
enum pawl_status pawl_program_prepare(struct pawl_program *program,
                                      const struct pawl_artifact *artifact, uint32_t replicate,
                                      struct pawl_instance **instance, struct pawl_error *err)
{
    (void)replicate;
    void *state;
    PAWL_TRY(program->kind->prepare(program->state, artifact, &state, err));
    struct pawl_instance *made = pawl_xcalloc(1, sizeof *made);
    *made = (struct pawl_instance){program->kind, state};
    *instance = made;
    return PAWL_OK;
}

enum pawl_status pawl_program_run(struct pawl_instance *instance, struct pawl_arena *arena,
                                  const struct pawl_program_case *item,
                                  const struct pawl_run_options *how, struct pawl_outcome *outcome,
                                  struct pawl_error *err)
{
    *outcome = (struct pawl_outcome){0};
    enum pawl_status status = instance->kind->run(instance->state, arena, item, how, outcome, err);
    if (status != PAWL_OK) pawl_outcome_release(outcome);
    return status;
}

enum pawl_status pawl_program_messages(const struct pawl_instance *instance, json_t **messages,
                                       struct pawl_error *err)
{
    const char *fault = "The program is a command: its prompts are its own.";
    *messages = NULL;
    if (instance->kind->messages) *messages = instance->kind->messages(instance->state, &fault);
    return *messages ? PAWL_OK : pawl_fail(err, PAWL_EUSAGE, "%s", fault);
}

void pawl_program_release(struct pawl_instance *instance)
{
    if (!instance) return;
    instance->kind->release(instance->state);
    free(instance);
}

void pawl_outcome_release(struct pawl_outcome *outcome)
{
    json_decref(outcome->output);
    json_decref(outcome->trace);
    outcome->output = outcome->trace = NULL;
}

enum pawl_status pawl_outcome_fail(struct pawl_outcome *outcome, enum pawl_outcome_status status,
                                   const char *reason)
{
    outcome->status = status;
    outcome->reason = reason ? reason : "No reason was given.";
    outcome->behaviour = pawl_hash_str(PAWL_STR("failed"));
    return PAWL_OK;
}

uint64_t pawl_sampling_seed(uint64_t seed, const char *case_id, uint32_t sample)
{
    struct pawl_hasher hasher;
    pawl_hasher_init(&hasher);
    pawl_hasher_add(&hasher, &seed, sizeof seed);
    pawl_hasher_add(&hasher, &sample, sizeof sample);
    pawl_hasher_add(&hasher, case_id, strlen(case_id));
    struct pawl_hash hash = pawl_hasher_final(&hasher);
    uint64_t number;
    memcpy(&number, hash.bytes, sizeof number);
    return number & ((UINT64_C(1) << 53) - 1); /* exact in JSON everywhere */
}
