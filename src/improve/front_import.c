/*
 * import: what another tool has found, as an artifact of this project.
 *
 * A saved DSPy program is a JSON file of predictors, {"NAME":{"signature":{"instructions",...},
 * "demos":[{field: value}],...},...,"metadata"}; one that is a single predictor stands at the top itself.
 *
 * Invariants
 *   1. Nothing is put in force: the artifact is a candidate like any other, and the gate or a person
 *      decides about it.
 *   2. A demonstration comes over whole or not at all: one that lacks a field of the module is left out
 *      and counted. (DSPy keeps such ones, and fills the holes with a remark.)
 *   3. What the file says is text and nothing else; fields that the module does not have are dropped.
 */
#include "improve/front.h"

#include "improve/protocol.h"
#include "io/file.h"

#include <string.h>

enum { FILE_BYTES_MAX = 64 << 20, PREDICTORS_MAX = PAWL_COMPONENTS_MAX };

/* --- the file ---------------------------------------------------------------------------------- */

struct predictor {
    const char *name; /* "" when the file is one */
    const json_t *signature, *demos;
};
struct saved {
    json_t *file;
    struct predictor predictors[PREDICTORS_MAX];
    size_t n;
};

/* DSPy before 2.6 kept what a chain of thought really asks beside its signature. */
static bool read_predictor(const char *name, const json_t *state, struct predictor *out)
{
    const json_t *extended = json_object_get(state, "extended_signature");
    const json_t *signature =
        json_is_object(extended) ? extended : json_object_get(state, "signature");
    /* The top of a file may hold a predictor that is called signature. */
    bool named_so = json_is_object(json_object_get(signature, "signature"));
    if (!json_is_object(signature) || named_so) return false;
    *out = (struct predictor){name, signature, json_object_get(state, "demos")};
    return true;
}

static enum pawl_status find_predictors(struct saved *saved, struct pawl_error *err)
{
    const char *name;
    json_t *state;
    if (read_predictor("", saved->file, saved->predictors)) {
        saved->n = 1;
        return PAWL_OK;
    }
    json_object_foreach(saved->file, name, state)
    {
        struct predictor found;
        if (!read_predictor(name, state, &found)) continue;
        if (saved->n == PREDICTORS_MAX)
            return pawl_fail(err, PAWL_EUSAGE, "The file has more than %d predictors.",
                             PREDICTORS_MAX);
        saved->predictors[saved->n++] = found;
    }
    if (saved->n > 0) return PAWL_OK;
    pawl_fail(err, PAWL_EUSAGE,
              "This is no saved DSPy program: no predictor with a signature is "
              "in it.");
    pawl_hint(err, "In DSPy, program.save(\"program.json\") writes one.");
    return PAWL_EUSAGE;
}

static enum pawl_status read_saved(struct pawl_call *call, const char *path, struct saved *saved,
                                   struct pawl_error *err)
{
    struct pawl_str text;
    PAWL_TRY(pawl_file_read(path, FILE_BYTES_MAX, &call->arena, &text, err));
    enum pawl_status status = pawl_json_parse(text, FILE_BYTES_MAX, &saved->file, err);
    if (status == PAWL_OK) status = find_predictors(saved, err);
    if (status == PAWL_OK) return PAWL_OK;
    if (err != NULL) {
        snprintf(err->file, sizeof err->file, "%s", path);
        err->status = PAWL_EUSAGE;
    }
    json_decref(saved->file);
    return PAWL_EUSAGE;
}

/* --- whose it is -------------------------------------------------------------------------------- */

/* "self.classify.predict", as DSPy names the predictor within a chain of thought, is classify's. */
static struct pawl_str own_name(const char *name)
{
    static const char before[] = "self.", after[] = ".predict";
    size_t n = strlen(name);
    if (strncmp(name, before, sizeof before - 1) == 0) {
        name += sizeof before - 1;
        n -= sizeof before - 1;
    }
    if (n > sizeof after - 1 && strcmp(name + n - (sizeof after - 1), after) == 0)
        n -= sizeof after - 1;
    return (struct pawl_str){name, n};
}

static const json_t *find_module(const json_t *modules, struct pawl_str name)
{
    for (size_t i = 0; i < json_array_size(modules); i++) {
        const json_t *module = json_array_get(modules, i);
        if (pawl_str_is(name, pawl_json_get_text(module, "name", ""))) return module;
    }
    return NULL;
}

static enum pawl_status no_such_module(struct pawl_call *call, const json_t *modules,
                                       const char *predictor, struct pawl_error *err)
{
    struct pawl_buf names = PAWL_BUF(4096);
    for (size_t i = 0; i < json_array_size(modules); i++)
        pawl_buf_printf(&names, "%s%s", i > 0 ? ", " : "",
                        pawl_json_get_text(json_array_get(modules, i), "name", ""));
    const char *known = pawl_arena_strdup(&call->arena, pawl_buf_str(&names).ptr);
    pawl_buf_release(&names);
    pawl_fail(err, PAWL_EUSAGE, "The file's predictor \"%s\" is no module of this program.",
              predictor);
    if (*known != '\0')
        pawl_hint(err, "Its modules are %s; give them the names of the predictors.", known);
    else
        pawl_hint(err, "It has one module; `program: {modules: ...}` in pawl.yaml makes more.");
    return PAWL_EUSAGE;
}

/* --- demonstrations -------------------------------------------------------------------------------- */

/* Fields are told by name, or as {name, type}. */
static const char *field_name(const json_t *field)
{
    return json_is_string(field) ? json_string_value(field) : pawl_json_get_text(field, "name", "");
}

static bool take_fields(const json_t *demo, const json_t *fields, bool needed, json_t *out)
{
    for (size_t i = 0; i < json_array_size(fields); i++) {
        const char *name = field_name(json_array_get(fields, i));
        json_t *value = json_object_get(demo, name);
        if (value == NULL || json_is_null(value)) {
            if (needed) return false;
            continue;
        }
        pawl_json_set(out, name, json_incref(value));
    }
    return true;
}

/* A list of those that have every field of the module; *left_out counts the others. New reference. */
static json_t *take_demos(const struct predictor *predictor, const json_t *module, size_t *left_out)
{
    json_t *taken = json_array();
    *left_out = 0;
    for (size_t i = 0; i < json_array_size(predictor->demos); i++) {
        const json_t *demo = json_array_get(predictor->demos, i);
        json_t *fields = json_object();
        bool whole = take_fields(demo, json_object_get(module, "inputs"), true, fields) &&
                     take_fields(demo, json_object_get(module, "extra"), true, fields) &&
                     take_fields(demo, json_object_get(module, "outputs"), true, fields);
        if (whole)
            json_array_append(taken, fields);
        else
            ++*left_out;
        json_decref(fields);
    }
    return taken;
}

/* --- one module ------------------------------------------------------------------------------------- */

struct importing {
    struct pawl_call *call;
    struct pawl_edit edits[2 * PREDICTORS_MAX];
    size_t n_edits;
    json_t *report;
};

static void edit(struct importing *importing, const char *component, struct pawl_str text)
{
    struct pawl_arena *arena = &importing->call->arena;
    importing->edits[importing->n_edits++] =
        (struct pawl_edit){pawl_arena_strdup(arena, component), pawl_arena_copy(arena, text)};
}

static enum pawl_status import_module(struct importing *importing,
                                      const struct predictor *predictor, const json_t *module,
                                      struct pawl_error *err)
{
    struct pawl_str instructions = pawl_json_get_str(predictor->signature, "instructions");
    const char *instruction = pawl_json_get_text(module, "instruction", NULL);
    const char *demonstrations = pawl_json_get_text(module, "demos", NULL);
    size_t left_out;
    if (instructions.ptr == NULL)
        return pawl_fail(err, PAWL_EUSAGE, "The file's predictor \"%s\" has no instructions.",
                         predictor->name);
    json_t *demos = take_demos(predictor, module, &left_out);
    char *text = pawl_json_text(demos);
    edit(importing, instruction, instructions);
    edit(importing, demonstrations, (struct pawl_str){text, strlen(text)});
    json_array_append_new(importing->report,
                          json_pack("{s:s, s:s, s:I, s:I}", "module",
                                    pawl_json_get_text(module, "name", ""), "predictor",
                                    predictor->name, "demos", (json_int_t)json_array_size(demos),
                                    "left_out", (json_int_t)left_out));
    free(text);
    json_decref(demos);
    return PAWL_OK;
}

static enum pawl_status import_all(struct importing *importing, const struct saved *saved,
                                   const json_t *modules, struct pawl_error *err)
{
    if (json_array_size(modules) == 0)
        return pawl_fail(err, PAWL_EUSAGE,
                         "This project's program has no instruction and no "
                         "demonstrations of ours: it is a command.");
    bool alone = saved->n == 1 && json_array_size(modules) == 1;
    for (size_t i = 0; i < saved->n; i++) {
        const struct predictor *predictor = &saved->predictors[i];
        const json_t *module =
            alone ? json_array_get(modules, 0) : find_module(modules, own_name(predictor->name));
        if (module == NULL) return no_such_module(importing->call, modules, predictor->name, err);
        PAWL_TRY(import_module(importing, predictor, module, err));
    }
    return PAWL_OK;
}

/* --- the verb ----------------------------------------------------------------------------------------- */

struct import_options {
    const char *format, *file, *onto;
};
static const struct pawl_option import_options[] = {
    {"format", PAWL_OPTION_CHOICE, offsetof(struct import_options, format), NULL, 0, 0, "dspy",
     "whose file it is", true},
    {"file", PAWL_OPTION_TEXT, offsetof(struct import_options, file), NULL, 0, 0, NULL,
     "a program saved as JSON", true},
    PAWL_OPT_TEXT(struct import_options, onto, "seed",
                  "the artifact that keeps what the file does not have"),
    {0}};

static enum pawl_status make_artifact(struct pawl_call *call, const char *onto,
                                      const struct importing *importing, struct pawl_error *err)
{
    char hex[PAWL_HASH_HEX];
    struct pawl_artifact *base, *made;
    PAWL_TRY(pawl_front_find(call->project, onto, hex, err));
    PAWL_TRY(pawl_artifact_get(call->project->store, &call->arena, hex, &base, err));
    PAWL_TRY(
        pawl_artifact_apply(&call->arena, base, importing->edits, importing->n_edits, &made, err));
    PAWL_TRY(pawl_artifact_put(call->project->store, made, err));
    pawl_json_set(call->result, "artifact", json_string(made->hex));
    pawl_json_set(call->result, "onto", json_string(base->hex));
    return PAWL_OK;
}

static enum pawl_status import_saved(struct pawl_call *call, const struct import_options *options,
                                     const struct saved *saved, struct pawl_error *err)
{
    json_t *fields;
    PAWL_TRY(pawl_front_ask(call, PAWL_ROLE_ENGINE_NAME, json_pack("{s:s}", "op", "fields"),
                            &fields, err));
    struct importing importing = {.call = call, .report = json_array()};
    enum pawl_status status =
        import_all(&importing, saved, json_object_get(fields, "modules"), err);
    json_decref(fields);
    if (status == PAWL_OK) status = make_artifact(call, options->onto, &importing, err);
    pawl_json_set(call->result, "modules", importing.report);
    return status;
}

static enum pawl_status run_import(struct pawl_call *call, const void *values,
                                   struct pawl_error *err)
{
    const struct import_options *options = values;
    struct saved saved = {0};
    PAWL_TRY(read_saved(call, options->file, &saved, err));
    enum pawl_status status = import_saved(call, options, &saved, err);
    json_decref(saved.file);
    return status;
}

const struct pawl_verb pawl_verb_import = {
    .name = "import",
    .summary = "make an artifact of what another tool has found; puts nothing in force",
    .positional = "format file",
    .example = "pawl import dspy program.json",
    .needs_project = true,
    .needs_store = true,
    .options = import_options,
    .options_bytes = sizeof(struct import_options),
    .run = run_import,
};
