/*
 * flow_program.c - the kind of program that is a Lua flow over modules: opened, described, prepared. What
 * it is: flow.h.
 */
#include "program/fields.h"
#include "program/flow.h"
#include "program/kind.h"
#include "program/project_file.h"

#include <stdio.h>
#include <stdlib.h>

struct section {
    const char *flow, *signature;
    json_t *modules, *collections, *tools;
    int64_t max_asks;
    bool edit;
};
static const struct pawl_option section_options[] = {
    {"flow", PAWL_OPTION_TEXT, offsetof(struct section, flow), NULL, 0, 0, NULL,
     "the Lua file that defines flow(input)", true},
    {"signature", PAWL_OPTION_TEXT, offsetof(struct section, signature), NULL, 0, 0, NULL,
     "what cases have and flow(input) gives, e.g. question -> answer: yes | no", true},
    PAWL_OPT_JSON(struct section, modules, "{name: {signature, instruction, strategy, ...}}"),
    PAWL_OPT_JSON(struct section, collections, "{name: file}, made by pawl index, for search()"),
    PAWL_OPT_JSON(struct section, tools, "{name: what}, for tool() and for modules that list them"),
    PAWL_OPT_INT(struct section, max_asks, "50", 1, 10000,
                 "questions to modules, collections and tools in one case"),
    PAWL_OPT_BOOL(struct section, edit, "false", "whether operators may rewrite the Lua"),
    {0}};

/* --- opening ---------------------------------------------------------------------------------- */

static enum pawl_status refuse(struct pawl_error *err, const char *field, const char *what,
                               const char *hint)
{
    pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, field, "%s", what);
    pawl_hint(err, "%s", hint);
    return PAWL_ECONFIG;
}

static enum pawl_status open_collection(struct pawl_flow *flow, const char *name,
                                        const json_t *file, const char *project_dir,
                                        struct pawl_arena *arena, struct pawl_error *err)
{
    const char *field = pawl_arena_printf(arena, "program.collections.%.80s", name);
    struct pawl_error why = {0};
    if (!json_is_string(file))
        return refuse(err, field, "A collection is not the name of a file.",
                      "Write `collections: {docs: handbook.db}`.");
    const char *path = pawl_project_path(arena, project_dir, json_string_value(file));
    struct pawl_flow_collection *collection = &flow->collections[flow->n_collections];
    collection->name = pawl_arena_strdup(arena, name);
    collection->path = path;
    if (pawl_collection_open(path, &collection->opened, &why) != PAWL_OK)
        return refuse(
            err, field,
            pawl_arena_printf(arena, "The collection cannot be opened. %s", why.message),
            "`pawl index FILE... --into handbook.db` makes one; paths start at the project's "
            "folder.");
    flow->n_collections++;
    return PAWL_OK;
}

static enum pawl_status open_collections(struct pawl_flow *flow, const json_t *section,
                                         const char *project_dir, struct pawl_arena *arena,
                                         struct pawl_error *err)
{
    const char *name;
    json_t *file;
    if (section && (!json_is_object(section) || json_object_size(section) > PAWL_COLLECTIONS_MAX))
        return refuse(err, "program.collections", "The collections are no map of up to 16 names.",
                      "Write `collections: {docs: handbook.db}`.");
    json_object_foreach((json_t *)(uintptr_t)section, name, file)
        PAWL_TRY(open_collection(flow, name, file, project_dir, arena, err));
    return PAWL_OK;
}

static enum pawl_status read_signature(struct pawl_flow *flow, const char *text,
                                       struct pawl_arena *arena, struct pawl_error *err)
{
    enum pawl_status status = pawl_signature_parse(pawl_str_of(text), arena, &flow->signature, err);
    if (status != PAWL_OK && err) snprintf(err->field, sizeof err->field, "program.signature");
    return status;
}

static enum pawl_status open_tools(struct pawl_flow *flow, const json_t *section,
                                   const struct pawl_program_settings *settings,
                                   struct pawl_arena *arena, struct pawl_error *err)
{
    struct pawl_error why = {0};
    if (!section) return PAWL_OK;
    enum pawl_status status = pawl_tools_open(section, NULL, settings, arena, &flow->tools, &why);
    if (status == PAWL_OK) return PAWL_OK;
    return refuse(err, pawl_arena_printf(arena, "program.%s", why.field), why.message, why.hint);
}

/* The file must be good now; what operators make of it may be bad. */
static enum pawl_status read_source(struct pawl_flow *flow, const char *project_dir,
                                    struct pawl_arena *arena, struct pawl_error *err)
{
    struct pawl_lua *lua;
    PAWL_TRY(pawl_project_file(project_dir, flow->file, "program.flow", PAWL_COMPONENT_MAX, arena,
                               &flow->source, err));
    if (!pawl_utf8_is_valid(flow->source, NULL))
        return refuse(err, "program.flow", "The flow's file is not valid UTF-8.",
                      "Save it as UTF-8.");
    PAWL_TRY(pawl_flow_load(flow, flow->source, arena, &lua, err));
    pawl_lua_close(lua);
    return PAWL_OK;
}

/* *out is there to be closed, also by a failure half way. */
static enum pawl_status open_program(const struct pawl_program_settings *settings,
                                     struct pawl_arena *arena, void **out, struct pawl_error *err)
{
    struct section section;
    struct pawl_flow *flow = PAWL_NEW(arena, struct pawl_flow);
    *out = flow;
    PAWL_TRY(
        pawl_options_read(section_options, settings->program, "program", arena, &section, err));
    flow->file = section.flow;
    flow->lm = settings->lm;
    flow->max_asks = (size_t)section.max_asks;
    flow->edit = section.edit;
    flow->sealed = settings->sealed;
    PAWL_TRY(read_signature(flow, section.signature, arena, err));
    PAWL_TRY(pawl_modules_open(settings, section.modules, arena, &flow->modules, err));
    /* What a flow hands on may come from a model: a list is data, never turns of a talk. */
    for (size_t i = 0; i < flow->modules.n; i++) flow->modules.list[i]->reads_answers = true;
    PAWL_TRY(open_collections(flow, section.collections, settings->project_dir, arena, err));
    PAWL_TRY(open_tools(flow, section.tools, settings, arena, err));
    return read_source(flow, settings->project_dir, arena, err);
}

static void close_program(void *program)
{
    struct pawl_flow *flow = program;
    pawl_modules_close(&flow->modules);
    for (size_t i = 0; i < flow->n_collections; i++)
        pawl_collection_close(flow->collections[i].opened);
    pawl_tools_close(&flow->tools);
}

static enum pawl_status make_seed(void *program, struct pawl_arena *arena,
                                  struct pawl_artifact **seed, struct pawl_error *err)
{
    const struct pawl_flow *flow = program;
    struct pawl_component components[PAWL_MODULES_MAX * PAWL_MODULE_COMPONENTS + 1];
    size_t n = pawl_modules_add_components(&flow->modules, components, 0);
    components[n++] = (struct pawl_component){PAWL_FLOW_COMPONENT, "text",
                                              flow->edit ? "source" : "flow", flow->source};
    return pawl_artifact_make(arena, components, n, seed, err);
}

/* --- fields ------------------------------------------------------------------------------------- */

/* "flow": who feeds whom is not in the names of the fields; a trace tells it. */
static json_t *describe_fields(const void *program)
{
    const struct pawl_flow *flow = program;
    json_t *fields = pawl_modules_fields(&flow->modules, &flow->signature);
    pawl_json_set(fields, "flow", json_true());
    return fields;
}

static json_t *collection_files(const struct pawl_flow *flow)
{
    json_t *files = json_object();
    for (size_t i = 0; i < flow->n_collections; i++)
        pawl_json_set(files, flow->collections[i].name,
                      pawl_tool_hash_file(flow->collections[i].path));
    return files;
}

static json_t *files_of(const void *program)
{
    const struct pawl_flow *flow = program;
    json_t *modules = pawl_modules_files(&flow->modules);
    if (flow->n_collections + flow->tools.n == 0 && !modules) return NULL;
    return json_pack("{s:o, s:o, s:o}", "collections", collection_files(flow), "tools",
                     pawl_tools_identity(&flow->tools), "modules",
                     modules ? modules : json_object());
}

static json_t *input_object(const void *program, const json_t *input)
{
    return pawl_fields_of_input(input, &((const struct pawl_flow *)program)->signature);
}

static json_t *target_object(const void *program, const json_t *target)
{
    const struct pawl_flow *flow = program;
    return pawl_fields_of(target, flow->signature.outputs, flow->signature.n_outputs);
}

static unsigned roles(const void *program)
{
    return pawl_modules_roles(&((const struct pawl_flow *)program)->modules);
}

static int parallel(const void *program)
{
    return pawl_modules_parallel(&((const struct pawl_flow *)program)->modules);
}

/* --- a candidate ---------------------------------------------------------------------------------- */

static void load_source(struct pawl_flow_instance *instance, const struct pawl_artifact *artifact)
{
    const struct pawl_component *source = pawl_artifact_find(artifact, PAWL_FLOW_COMPONENT);
    struct pawl_error why = {0};
    if (!source) {
        instance->fault = "The artifact has no component \"flow\": it is of another program.";
        return;
    }
    instance->source = pawl_arena_copy(&instance->arena, source->text);
    if (pawl_flow_load(instance->flow, instance->source, &instance->arena, &instance->lua, &why) ==
        PAWL_OK)
        return;
    instance->fault = pawl_arena_printf(&instance->arena, "%s:%d: %s", instance->flow->file,
                                        why.line, why.message);
}

static enum pawl_status prepare(void *program, const struct pawl_artifact *artifact, void **out,
                                struct pawl_error *err)
{
    (void)err;
    struct pawl_flow_instance *instance = pawl_xcalloc(1, sizeof *instance);
    instance->flow = program;
    pawl_modules_prepare(&instance->flow->modules, artifact, &instance->modules);
    load_source(instance, artifact);
    *out = instance;
    return PAWL_OK;
}

static void release(void *state)
{
    struct pawl_flow_instance *instance = state;
    pawl_lua_close(instance->lua);
    pawl_modules_release(&instance->modules);
    pawl_arena_release(&instance->arena);
    free(instance);
}

static enum pawl_status run(void *state, struct pawl_arena *arena,
                            const struct pawl_program_case *item,
                            const struct pawl_run_options *how, struct pawl_outcome *outcome,
                            struct pawl_error *err)
{
    return pawl_flow_run(state, arena, item, how, outcome, err);
}

static json_t *messages_of(const void *state, const char **fault)
{
    return pawl_modules_messages(&((const struct pawl_flow_instance *)state)->modules, fault);
}

const struct pawl_program_kind pawl_program_flow = {
    open_program, close_program, make_seed, describe_fields, input_object, target_object, roles,
    parallel,     prepare,       run,       release,         files_of,     messages_of,
};
