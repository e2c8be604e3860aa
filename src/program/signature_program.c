/*
 * signature_program.c - the kind of program that is a signature: one module without a name.
 */
#include "program/fields.h"
#include "program/kind.h"
#include "program/module.h"

static enum pawl_status open_program(const struct pawl_program_settings *settings,
                                     struct pawl_arena *arena, void **out, struct pawl_error *err)
{
    struct pawl_module *module;
    PAWL_TRY(pawl_module_open(settings, settings->program, "", arena, &module, err));
    *out = module;
    return PAWL_OK;
}

static void close_program(void *program)
{
    pawl_module_close(program);
}

static enum pawl_status make_seed(void *program, struct pawl_arena *arena,
                                  struct pawl_artifact **seed, struct pawl_error *err)
{
    struct pawl_component components[PAWL_MODULE_COMPONENTS];
    size_t n = pawl_module_add_components(program, components, 0);
    return pawl_artifact_make(arena, components, n, seed, err);
}

static json_t *describe_fields(const void *program)
{
    json_t *module = pawl_module_json(program), *fields = json_object();
    pawl_json_set(fields, "inputs", json_deep_copy(json_object_get(module, "inputs")));
    pawl_json_set(fields, "outputs", json_deep_copy(json_object_get(module, "outputs")));
    pawl_json_set(fields, "extra", json_deep_copy(json_object_get(module, "extra")));
    pawl_json_set(fields, "modules", json_pack("[o]", module));
    return fields;
}

static json_t *input_object(const void *program, const json_t *input)
{
    const struct pawl_module *module = program;
    return pawl_fields_of_input(input, &module->signature);
}

static json_t *target_object(const void *program, const json_t *target)
{
    const struct pawl_module *module = program;
    return pawl_fields_of(target, module->own, module->n_own);
}

static json_t *files_of(const void *program)
{
    return pawl_module_files(program);
}

static unsigned roles(const void *program)
{
    const struct pawl_module *module = program;
    return 1u << module->role;
}

static int parallel(const void *program)
{
    const struct pawl_module *module = program;
    return pawl_lm_parallel(module->lm, module->role);
}

static enum pawl_status prepare(void *program, const struct pawl_artifact *artifact, void **out,
                                struct pawl_error *err)
{
    (void)err;
    *out = pawl_module_prepare(program, artifact);
    return PAWL_OK;
}

static void release(void *instance)
{
    pawl_module_release(instance);
}

static enum pawl_status run(void *state, struct pawl_arena *arena,
                            const struct pawl_program_case *item,
                            const struct pawl_run_options *how, struct pawl_outcome *outcome,
                            struct pawl_error *err)
{
    const struct pawl_module_instance *instance = state;
    json_t *fields = pawl_fields_of_input(item->input, &instance->module->signature);
    if (!fields)
        return pawl_outcome_fail(outcome, PAWL_OUTCOME_FAILED,
                                 "The case lacks an input field of the signature.");
    enum pawl_status status = pawl_module_run(instance, arena, item->id, fields, how, outcome, err);
    json_decref(fields);
    return status;
}

static json_t *messages_of(const void *instance, const char **fault)
{
    json_t *said = pawl_module_messages(instance, fault);
    return said ? json_pack("[{s:s, s:o}]", "module", "", "messages", said) : NULL;
}

const struct pawl_program_kind pawl_program_signature = {
    open_program, close_program, make_seed, describe_fields, input_object, target_object, roles,
    parallel,     prepare,       run,       release,         files_of,     messages_of,
};
