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
#include "program/module.h"
#include "program/pipeline.h"

#include <stdlib.h>

enum { NAME_BYTES_MAX = 32 };

struct section {
    json_t *modules, *inputs, *outputs;
};
static const struct pawl_option section_options[] = {
    PAWL_OPT_JSON(struct section, modules, "{name: {signature, instruction, strategy, ...}}"),
    PAWL_OPT_JSON(struct section, inputs,
                  "the fields that cases have (absent: those that no module gives)"),
    PAWL_OPT_JSON(struct section, outputs,
                  "the fields that the program gives (absent: those of the last module)"),
    {0}};

struct pipeline_program {
    size_t n;
    struct pawl_module *opened[PAWL_MODULES_MAX];        /* as they are written down */
    const struct pawl_module *modules[PAWL_MODULES_MAX]; /* in the order in which they run */
    struct pawl_signature signature;
};
struct pipeline_instance {
    const struct pipeline_program *program;
    struct pawl_module_instance *modules[PAWL_MODULES_MAX];
};

/* --- opening ---------------------------------------------------------------------------------- */

static enum pawl_status refuse(struct pawl_error *err, const char *field, const char *what,
                               const char *hint)
{
    pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, field, "%s", what);
    pawl_hint(err, "%s", hint);
    return PAWL_ECONFIG;
}

/* What a component's name may hold, without the dot that ends a module's. */
static bool is_module_name(const char *name)
{
    size_t len = strlen(name);
    return name[0] >= 'a' && name[0] <= 'z' && len <= NAME_BYTES_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == len;
}

static enum pawl_status check_modules(const json_t *modules, struct pawl_arena *arena,
                                      struct pawl_error *err)
{
    static const char hint[] = "Write `modules: {extract: {signature: \"review -> facts\"}, "
                               "classify: {signature: \"facts -> label\"}}`.";
    const char *name;
    json_t *module;
    size_t n = json_object_size(modules);
    if (n == 0 || n > PAWL_MODULES_MAX)
        return refuse(err, "program.modules", "The modules are no map of 1 to 16 names.", hint);
    json_object_foreach((json_t *)(uintptr_t)modules, name, module)
    {
        const char *field = pawl_arena_printf(arena, "program.modules.%.80s", name);
        if (!is_module_name(name))
            return refuse(err, field, "A module's name has other than up to 32 of a-z, 0-9 and _.",
                          "Begin with a letter, e.g. `extract_facts`.");
        if (!json_is_object(module)) return refuse(err, field, "A module is not a map.", hint);
    }
    return PAWL_OK;
}

static enum pawl_status open_modules(const struct pawl_program_settings *settings,
                                     const json_t *modules, struct pawl_arena *arena,
                                     struct pipeline_program *p, struct pawl_pipeline_module *shown,
                                     struct pawl_error *err)
{
    const char *name;
    json_t *section;
    json_object_foreach((json_t *)(uintptr_t)modules, name, section)
    {
        struct pawl_module *module;
        PAWL_TRY(pawl_module_open(settings, section, name, arena, &module, err));
        p->opened[p->n] = module;
        shown[p->n++] = (struct pawl_pipeline_module){.name = module->name,
                                                      .inputs = module->signature.inputs,
                                                      .n_inputs = module->signature.n_inputs,
                                                      .outputs = module->own,
                                                      .n_outputs = module->n_own};
    }
    return PAWL_OK;
}

/* Paths of wiring's errors start at the top of pawl.yaml. */
static enum pawl_status wire(const struct section *section,
                             const struct pawl_pipeline_module *shown, size_t n,
                             struct pawl_arena *arena, struct pawl_pipeline *pipeline,
                             struct pawl_error *err)
{
    struct pawl_error why = {0};
    enum pawl_status status =
        pawl_pipeline_wire(shown, n, section->inputs, section->outputs, arena, pipeline, &why);
    if (status == PAWL_OK || err == NULL) return status;
    refuse(err, pawl_arena_printf(arena, "program.%s", why.field), why.message, why.hint);
    return status;
}

/* *out is there to be closed, also by a failure half way. */
static bool is_input(const struct pipeline_program *p, const char *field)
{
    for (size_t i = 0; i < p->signature.n_inputs; i++)
        if (strcmp(p->signature.inputs[i].name, field) == 0) return true;
    return false;
}

static enum pawl_status open_program(const struct pawl_program_settings *settings,
                                     struct pawl_arena *arena, void **out, struct pawl_error *err)
{
    struct section section;
    struct pawl_pipeline_module shown[PAWL_MODULES_MAX];
    struct pawl_pipeline pipeline;
    struct pipeline_program *p = PAWL_NEW(arena, struct pipeline_program);
    *out = p;
    PAWL_TRY(
        pawl_options_read(section_options, settings->program, "program", arena, &section, err));
    PAWL_TRY(check_modules(section.modules, arena, err));
    PAWL_TRY(open_modules(settings, section.modules, arena, p, shown, err));
    PAWL_TRY(wire(&section, shown, p->n, arena, &pipeline, err));
    for (size_t i = 0; i < p->n; i++) p->modules[i] = p->opened[pipeline.order[i]];
    p->signature = pipeline.signature;
    for (size_t i = 0; i < p->n; i++)
        p->opened[i]->reads_answers = !is_input(p, p->opened[i]->signature.inputs->name);
    return PAWL_OK;
}

static void close_program(void *program)
{
    struct pipeline_program *p = program;
    for (size_t i = 0; i < p->n; i++) pawl_module_close(p->opened[i]);
}

static enum pawl_status make_seed(void *program, struct pawl_arena *arena,
                                  struct pawl_artifact **seed, struct pawl_error *err)
{
    const struct pipeline_program *p = program;
    struct pawl_component components[PAWL_MODULES_MAX * PAWL_MODULE_COMPONENTS];
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++) n = pawl_module_add_components(p->modules[i], components, n);
    return pawl_artifact_make(arena, components, n, seed, err);
}

/* --- fields ------------------------------------------------------------------------------------- */

/* What a strategy adds is its module's and not the program's. */
static json_t *describe_fields(const void *program)
{
    const struct pipeline_program *p = program;
    const struct pawl_signature *s = &p->signature;
    json_t *fields = json_object(), *modules = json_array();
    for (size_t i = 0; i < p->n; i++)
        json_array_append_new(modules, pawl_module_json(p->modules[i]));
    pawl_json_set(fields, "inputs", pawl_fields_names(s->inputs, s->n_inputs));
    pawl_json_set(fields, "outputs", pawl_fields_types(s->outputs, s->n_outputs));
    pawl_json_set(fields, "extra", json_array());
    pawl_json_set(fields, "modules", modules);
    return fields;
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

static unsigned roles(const void *program)
{
    const struct pipeline_program *p = program;
    unsigned bits = 0;
    for (size_t i = 0; i < p->n; i++) bits |= 1u << p->modules[i]->role;
    return bits;
}

/* Cases are in different modules at a time, so the model that can use most threads has them. */
static int parallel(const void *program)
{
    const struct pipeline_program *p = program;
    int most = 1;
    for (size_t i = 0; i < p->n; i++) {
        int useful = pawl_lm_parallel(p->modules[i]->lm, p->modules[i]->role);
        if (useful > most) most = useful;
    }
    return most;
}

/* --- a candidate ---------------------------------------------------------------------------------- */

static enum pawl_status prepare(void *program, const struct pawl_artifact *artifact, void **out,
                                struct pawl_error *err)
{
    (void)err;
    const struct pipeline_program *p = program;
    struct pipeline_instance *instance = pawl_xcalloc(1, sizeof *instance);
    instance->program = p;
    for (size_t i = 0; i < p->n; i++)
        instance->modules[i] = pawl_module_prepare(p->modules[i], artifact);
    *out = instance;
    return PAWL_OK;
}

static void release(void *state)
{
    struct pipeline_instance *instance = state;
    for (size_t i = 0; i < instance->program->n; i++) pawl_module_release(instance->modules[i]);
    free(instance);
}

/* --- a case ----------------------------------------------------------------------------------------- */

/* Those of `fields` that are in `values`, which holds them all. New reference. */
static json_t *select_fields(const json_t *values, const struct pawl_field *fields, size_t n)
{
    json_t *selected = json_object();
    for (size_t i = 0; i < n; i++)
        pawl_json_set(selected, fields[i].name,
                      json_incref(json_object_get(values, fields[i].name)));
    return selected;
}

/* Run one module on `values` and add what it gives. */
static enum pawl_status run_module(const struct pawl_module_instance *instance,
                                   struct pawl_arena *arena, const char *case_id, json_t *values,
                                   const struct pawl_run_options *how, struct pawl_outcome *outcome,
                                   struct pawl_error *err)
{
    const struct pawl_module *module = instance->module;
    struct pawl_outcome part = {0};
    json_t *input = select_fields(values, module->signature.inputs, module->signature.n_inputs);
    enum pawl_status status = pawl_module_run(instance, arena, case_id, input, how, &part, err);
    pawl_usage_add(&outcome->usage, &part.usage);
    if (part.trace) json_array_extend(outcome->trace, part.trace);
    if (status == PAWL_OK && part.status != PAWL_OUTCOME_DONE)
        pawl_outcome_fail(
            outcome, part.status,
            pawl_arena_printf(arena, "The module \"%s\": %s", module->name, part.reason));
    if (status == PAWL_OK && part.status == PAWL_OUTCOME_DONE) {
        for (size_t i = 0; i < module->n_own; i++)
            pawl_json_set(values, module->own[i].name,
                          json_incref(json_object_get(part.output, module->own[i].name)));
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
    for (size_t i = 0; i < p->n && status == PAWL_OK && outcome->status == PAWL_OUTCOME_DONE; i++)
        status = run_module(instance->modules[i], arena, item->id, values, how, outcome, err);
    if (status == PAWL_OK && outcome->status == PAWL_OUTCOME_DONE) {
        outcome->output = select_fields(values, p->signature.outputs, p->signature.n_outputs);
        outcome->behaviour = pawl_hash_json(outcome->output);
    }
    json_decref(values);
    return status;
}

static json_t *messages_of(const void *state, const char **fault)
{
    const struct pipeline_instance *instance = state;
    json_t *list = json_array();
    for (size_t i = 0; i < instance->program->n; i++) {
        json_t *said = pawl_module_messages(instance->modules[i], fault);
        if (!said) {
            json_decref(list);
            return NULL;
        }
        json_array_append_new(list,
                              json_pack("{s:s, s:o}", "module", instance->program->modules[i]->name,
                                        "messages", said));
    }
    return list;
}

const struct pawl_program_kind pawl_program_pipeline = {
    open_program, close_program, make_seed, describe_fields, input_object, target_object, roles,
    parallel,     prepare,       run,       release,         messages_of,
};
