/*
 * pipeline_program.c - the kind of program that is several modules, each fed by those before it.
 *
 *     program:
 *       modules:
 *         extract:  {signature: "review -> facts", instruction: prompts/extract.md}
 *         classify: {signature: "review, facts -> label: good | bad", strategy: cot}
 *
 * A module sees its own input fields and nothing else. The first that fails ends the case, and the
 * reason begins with its name.
 */
#include "program/fields.h"
#include "program/kind.h"
#include "program/pipeline.h"

#include <stdlib.h>

struct section {
    json_t *modules, *inputs, *outputs, *tools;
};
static const struct pawl_option section_options[] = {
    PAWL_OPT_JSON(struct section, modules, "{name: {signature, instruction, strategy, ...}}"),
    PAWL_OPT_JSON(struct section, inputs,
                  "the fields that cases have (absent: those that no module gives)"),
    PAWL_OPT_JSON(struct section, tools, "{name: what}, for modules that list names of tools"),
    PAWL_OPT_JSON(struct section, outputs,
                  "the fields that the program gives (absent: those of the last module)"),
    {0}};

struct pipeline_program {
    struct pawl_modules modules; /* in the order in which they run */
    struct pawl_signature signature;
};
struct pipeline_instance {
    const struct pipeline_program *program;
    struct pawl_modules_instance modules;
};

/* --- opening ---------------------------------------------------------------------------------- */

/* Paths of wiring's errors start at the top of pawl.yaml. */
static enum pawl_status wire(const struct section *section, const struct pawl_modules *modules,
                             struct pawl_arena *arena, struct pawl_pipeline *pipeline,
                             struct pawl_error *err)
{
    struct pawl_pipeline_module shown[PAWL_MODULES_MAX];
    struct pawl_error why = {0};
    for (size_t i = 0; i < modules->n; i++) {
        const struct pawl_module *module = modules->list[i];
        shown[i] = (struct pawl_pipeline_module){.name = module->name,
                                                 .inputs = module->signature.inputs,
                                                 .n_inputs = module->signature.n_inputs,
                                                 .outputs = module->own,
                                                 .n_outputs = module->n_own};
    }
    enum pawl_status status = pawl_pipeline_wire(shown, modules->n, section->inputs,
                                                 section->outputs, arena, pipeline, &why);
    if (status == PAWL_OK || err == NULL) return status;
    pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, pawl_arena_printf(arena, "program.%s", why.field),
                 "%s", why.message);
    pawl_hint(err, "%s", why.hint);
    return status;
}

static bool is_input(const struct pipeline_program *p, const char *field)
{
    for (size_t i = 0; i < p->signature.n_inputs; i++)
        if (strcmp(p->signature.inputs[i].name, field) == 0) return true;
    return false;
}

/* *out is there to be closed, also by a failure half way. */
static enum pawl_status open_program(const struct pawl_program_settings *settings,
                                     struct pawl_arena *arena, void **out, struct pawl_error *err)
{
    struct section section;
    struct pawl_pipeline pipeline;
    struct pipeline_program *p = PAWL_NEW(arena, struct pipeline_program);
    *out = p;
    PAWL_TRY(
        pawl_options_read(section_options, settings->program, "program", arena, &section, err));
    PAWL_TRY(pawl_modules_open(settings, section.modules, arena, &p->modules, err));
    PAWL_TRY(wire(&section, &p->modules, arena, &pipeline, err));
    const struct pawl_modules written = p->modules;
    for (size_t i = 0; i < written.n; i++) p->modules.list[i] = written.list[pipeline.order[i]];
    p->signature = pipeline.signature;
    for (size_t i = 0; i < written.n; i++) {
        struct pawl_module *module = p->modules.list[i];
        module->reads_answers = !is_input(p, module->signature.inputs->name);
    }
    return PAWL_OK;
}

static void close_program(void *program)
{
    struct pipeline_program *p = program;
    pawl_modules_close(&p->modules);
}

static enum pawl_status make_seed(void *program, struct pawl_arena *arena,
                                  struct pawl_artifact **seed, struct pawl_error *err)
{
    const struct pipeline_program *p = program;
    struct pawl_component components[PAWL_MODULES_MAX * PAWL_MODULE_COMPONENTS];
    size_t n = pawl_modules_add_components(&p->modules, components, 0);
    return pawl_artifact_make(arena, components, n, seed, err);
}

/* --- fields ------------------------------------------------------------------------------------- */

static json_t *describe_fields(const void *program)
{
    const struct pipeline_program *p = program;
    return pawl_modules_fields(&p->modules, &p->signature);
}

static json_t *input_object(const void *program, const json_t *input)
{
    const struct pipeline_program *p = program;
    return pawl_fields_of_input(input, &p->signature);
}

static json_t *target_object(const void *program, const json_t *target)
{
    const struct pipeline_program *p = program;
    return pawl_fields_of(target, p->signature.outputs, p->signature.n_outputs);
}

static json_t *files_of(const void *program)
{
    return pawl_modules_files(&((const struct pipeline_program *)program)->modules);
}

static unsigned roles(const void *program)
{
    return pawl_modules_roles(&((const struct pipeline_program *)program)->modules);
}

static int parallel(const void *program)
{
    return pawl_modules_parallel(&((const struct pipeline_program *)program)->modules);
}

/* --- a candidate ---------------------------------------------------------------------------------- */

static enum pawl_status prepare(void *program, const struct pawl_artifact *artifact, void **out,
                                struct pawl_error *err)
{
    (void)err;
    const struct pipeline_program *p = program;
    struct pipeline_instance *instance = pawl_xcalloc(1, sizeof *instance);
    instance->program = p;
    pawl_modules_prepare(&p->modules, artifact, &instance->modules);
    *out = instance;
    return PAWL_OK;
}

static void release(void *state)
{
    struct pipeline_instance *instance = state;
    pawl_modules_release(&instance->modules);
    free(instance);
}

/* --- a case ----------------------------------------------------------------------------------------- */

/* Run one module on `values` and add what it gives. */
static enum pawl_status run_module(const struct pawl_modules_instance *modules, size_t i,
                                   struct pawl_arena *arena, const char *case_id, json_t *values,
                                   const struct pawl_run_options *how, struct pawl_outcome *outcome,
                                   struct pawl_error *err)
{
    const struct pawl_module *module = modules->of->list[i];
    struct pawl_outcome part = {0};
    json_t *input =
        pawl_modules_select(values, module->signature.inputs, module->signature.n_inputs);
    enum pawl_status status = pawl_modules_run(modules, i, arena, case_id, input, how, &part, err);
    pawl_modules_add(outcome, &part);
    if (status == PAWL_OK && part.status != PAWL_OUTCOME_DONE)
        pawl_outcome_fail(outcome, part.status, part.reason);
    if (status == PAWL_OK && part.status == PAWL_OUTCOME_DONE) {
        for (size_t k = 0; k < module->n_own; k++)
            pawl_json_set(values, module->own[k].name,
                          json_incref(json_object_get(part.output, module->own[k].name)));
    }
    pawl_outcome_release(&part);
    json_decref(input);
    return status;
}

static enum pawl_status run(void *state, struct pawl_arena *arena,
                            const struct pawl_program_case *item,
                            const struct pawl_run_options *how, struct pawl_outcome *outcome,
                            struct pawl_error *err)
{
    const struct pipeline_instance *instance = state;
    const struct pipeline_program *p = instance->program;
    enum pawl_status status = PAWL_OK;
    json_t *values = pawl_fields_of_input(item->input, &p->signature);
    if (!values)
        return pawl_outcome_fail(outcome, PAWL_OUTCOME_FAILED,
                                 "The case lacks an input field of the program.");
    outcome->status = PAWL_OUTCOME_DONE;
    if (how->flags & PAWL_RUN_TRACE) outcome->trace = json_array();
    for (size_t i = 0;
         i < p->modules.n && status == PAWL_OK && outcome->status == PAWL_OUTCOME_DONE; i++)
        status = run_module(&instance->modules, i, arena, item->id, values, how, outcome, err);
    if (status == PAWL_OK && outcome->status == PAWL_OUTCOME_DONE) {
        outcome->output = pawl_modules_select(values, p->signature.outputs, p->signature.n_outputs);
        outcome->behaviour = pawl_hash_json(outcome->output);
    }
    json_decref(values);
    return status;
}

static json_t *messages_of(const void *state, const char **fault)
{
    return pawl_modules_messages(&((const struct pipeline_instance *)state)->modules, fault);
}

const struct pawl_program_kind pawl_program_pipeline = {
    open_program, close_program, make_seed, describe_fields, input_object, target_object, roles,
    parallel,     prepare,       run,       release,         files_of,     messages_of,
};
