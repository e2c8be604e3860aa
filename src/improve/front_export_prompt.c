/* A prompt for other tools. */
#include "improve/export.h"

#include "improve/protocol.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { DOCUMENT_BYTES_MAX = 64 << 20 };

static enum pawl_status no_room(struct pawl_error *err)
{
    return pawl_fail(err, PAWL_ETOOBIG, "The prompt is longer than 64 MiB.");
}

/* The document that the buffer holds, moved to the call's arena. */
static enum pawl_status take(struct pawl_call *call, struct pawl_buf *text,
                             struct pawl_str *document, struct pawl_error *err)
{
    bool fits = !text->overflowed;
    if (fits) *document = pawl_arena_copy(&call->arena, pawl_buf_str(text));
    pawl_buf_release(text);
    return fits ? PAWL_OK : no_room(err);
}

/* JSON on lines, as people and DSPy write it. */
static enum pawl_status take_json(struct pawl_call *call, const json_t *value,
                                  struct pawl_str *document, struct pawl_error *err)
{
    char *text = json_dumps(value, JSON_INDENT(2) | JSON_ENSURE_ASCII);
    struct pawl_buf buf = PAWL_BUF(DOCUMENT_BYTES_MAX);
    pawl_buf_add(&buf, text);
    pawl_buf_add(&buf, "\n");
    free(text);
    return take(call, &buf, document, err);
}

/* --- what is said ---------------------------------------------------------------------------------- */

static enum pawl_status write_text(struct pawl_call *call, const json_t *modules,
                                   struct pawl_str *document, struct pawl_error *err)
{
    struct pawl_buf text = PAWL_BUF(DOCUMENT_BYTES_MAX);
    for (size_t i = 0; i < json_array_size(modules); i++) {
        const json_t *module = json_array_get(modules, i);
        const json_t *messages = json_object_get(module, "messages");
        const char *name = pawl_json_get_text(module, "module", "");
        if (*name != '\0') pawl_buf_printf(&text, "%s=== %s ===\n\n", i > 0 ? "\n" : "", name);
        for (size_t k = 0; k < json_array_size(messages); k++) {
            const json_t *message = json_array_get(messages, k);
            pawl_buf_printf(&text, "%s%s:\n", k > 0 ? "\n" : "",
                            pawl_json_get_text(message, "role", ""));
            pawl_buf_add_str(&text, pawl_json_get_str(message, "content"));
            pawl_buf_add(&text, "\n");
        }
    }
    return take(call, &text, document, err);
}

/* One module is a request's body; several stand under their names. */
static enum pawl_status write_openai(struct pawl_call *call, const json_t *modules,
                                     struct pawl_str *document, struct pawl_error *err)
{
    json_t *all = json_object();
    for (size_t i = 0; i < json_array_size(modules); i++) {
        const json_t *module = json_array_get(modules, i);
        const char *name = pawl_json_get_text(module, "module", "");
        json_t *messages = json_object_get(module, "messages");
        if (*name == '\0')
            pawl_json_set(all, "messages", json_incref(messages));
        else
            pawl_json_set(all, name, json_pack("{s:O}", "messages", messages));
    }
    enum pawl_status status = take_json(call, all, document, err);
    json_decref(all);
    return status;
}

static enum pawl_status write_messages(struct pawl_call *call, const struct pawl_artifact *artifact,
                                       const char *format, struct pawl_str *document,
                                       struct pawl_error *err)
{
    json_t *done, *request = json_pack("{s:s, s:o}", "op", "messages", "artifact",
                                       pawl_artifact_json(artifact));
    PAWL_TRY(pawl_front_ask(call, PAWL_ROLE_ENGINE_NAME, request, &done, err));
    const json_t *modules = json_object_get(done, "modules");
    enum pawl_status status = strcmp(format, "text") == 0
                                  ? write_text(call, modules, document, err)
                                  : write_openai(call, modules, document, err);
    json_decref(done);
    return status;
}

/* --- DSPy --------------------------------------------------------------------------------------------- */

/* As DSPy names a field to the model: "user_question" is "User Question:". */
static json_t *prefix_of(const char *name)
{
    struct pawl_buf text = PAWL_BUF(1024);
    bool first = true;
    for (const char *c = name; *c != '\0'; c++) {
        char shown = *c == '_' ? ' ' : first ? (char)toupper((unsigned char)*c) : *c;
        pawl_buf_add_bytes(&text, &shown, 1);
        first = *c == '_';
    }
    pawl_buf_add(&text, ":");
    json_t *prefix = pawl_json_string(pawl_buf_str(&text));
    pawl_buf_release(&text);
    return prefix;
}

static void add_fields(struct pawl_call *call, json_t *list, const json_t *fields)
{
    for (size_t i = 0; i < json_array_size(fields); i++) {
        const json_t *field = json_array_get(fields, i);
        const char *name = json_is_string(field) ? json_string_value(field)
                                                 : pawl_json_get_text(field, "name", "");
        json_array_append_new(list,
                              json_pack("{s:o, s:s}", "prefix", prefix_of(name), "description",
                                        pawl_arena_printf(&call->arena, "${%s}", name)));
    }
}

static struct pawl_str text_of(const struct pawl_artifact *artifact, const json_t *module,
                               const char *which)
{
    const char *name = pawl_json_get_text(module, which, NULL);
    const struct pawl_component *component =
        name != NULL ? pawl_artifact_find(artifact, name) : NULL;
    return component != NULL ? component->text : (struct pawl_str){NULL, 0};
}

static bool mark_all(json_t *demos)
{
    size_t i;
    json_t *demo;
    if (!json_is_array(demos)) return false;
    json_array_foreach(demos, i, demo)
    {
        if (!json_is_object(demo)) return false;
        pawl_json_set(demo, "augmented", json_true());
    }
    return true;
}

/* Each marked as DSPy marks one that nobody has labelled; none where there is no text. */
static enum pawl_status demos_of(struct pawl_str text, json_t **demos, struct pawl_error *err)
{
    *demos = NULL;
    if (pawl_str_trim(text).len == 0) {
        *demos = json_array();
        return PAWL_OK;
    }
    if (pawl_json_parse(text, PAWL_COMPONENT_MAX, demos, NULL) == PAWL_OK) {
        if (mark_all(*demos)) return PAWL_OK;
        json_decref(*demos);
    }
    return pawl_fail(err, PAWL_EUSAGE, "The artifact's demonstrations are no list of objects.");
}

static enum pawl_status predictor_of(struct pawl_call *call, const struct pawl_artifact *artifact,
                                     const json_t *module, json_t **predictor,
                                     struct pawl_error *err)
{
    json_t *fields, *demos;
    PAWL_TRY(demos_of(text_of(artifact, module, "demos"), &demos, err));
    fields = json_array();
    add_fields(call, fields, json_object_get(module, "inputs"));
    add_fields(call, fields, json_object_get(module, "extra"));
    add_fields(call, fields, json_object_get(module, "outputs"));
    *predictor = json_pack("{s:[], s:[], s:o, s:{s:o, s:o}, s:n}", "traces", "train", "demos",
                           demos, "signature", "instructions",
                           pawl_json_string(text_of(artifact, module, "instruction")), "fields",
                           fields, "lm");
    return PAWL_OK;
}

/* Members of DSPy's file that are no predictors. */
static bool is_of_dspy(const char *key)
{
    return strcmp(key, "metadata") == 0 || strcmp(key, "signature") == 0 ||
           strcmp(key, "extended_signature") == 0;
}

/* A module that reasons is a ChainOfThought, whose predictor is called predict. */
static const char *key_of(struct pawl_call *call, const json_t *module)
{
    const char *name = pawl_json_get_text(module, "name", "");
    bool reasons = json_array_size(json_object_get(module, "extra")) > 0;
    if (!reasons) return name;
    return *name == '\0' ? "predict" : pawl_arena_printf(&call->arena, "%s.predict", name);
}

static enum pawl_status write_dspy(struct pawl_call *call, const struct pawl_artifact *artifact,
                                   const json_t *modules, struct pawl_str *document,
                                   struct pawl_error *err)
{
    json_t *program = json_object(), *predictor;
    enum pawl_status status = PAWL_OK;
    for (size_t i = 0; i < json_array_size(modules) && status == PAWL_OK; i++) {
        const json_t *module = json_array_get(modules, i);
        const char *key = key_of(call, module);
        if (is_of_dspy(key)) {
            status = pawl_fail(err, PAWL_EUSAGE, "DSPy's file has a meaning of its own for \"%s\".",
                               key);
            pawl_hint(err, "Give the module another name.");
            break;
        }
        status = predictor_of(call, artifact, module, &predictor, err);
        if (status != PAWL_OK) break;
        if (*key != '\0') {
            pawl_json_set(program, key, predictor);
        } else {
            json_object_update(program, predictor); /* a Predict by itself */
            json_decref(predictor);
        }
    }
    if (status == PAWL_OK) {
        pawl_json_set(program, "metadata", json_pack("{s:{}}", "dependency_versions"));
        status = take_json(call, program, document, err);
    }
    json_decref(program);
    return status;
}

/* --------------------------------------------------------------------------------------------------------- */

/* A text that a strategy says beside the instruction has a name of its own. */
static bool is_of_strategy(const struct pawl_component *c)
{
    const char *dot = strrchr(c->name, '.');
    return strcmp(c->role, "instruction") == 0 &&
           strcmp(dot != NULL ? dot + 1 : c->name, "instruction") != 0;
}

/* What does something and has no place in another tool: calibrations, lessons, the texts of a strategy. */
static json_t *find_left_out(const struct pawl_artifact *artifact)
{
    json_t *list = json_array();
    for (size_t i = 0; i < artifact->n_components; i++) {
        const struct pawl_component *c = &artifact->components[i];
        struct pawl_str text = pawl_str_trim(c->text);
        bool calibrates = strcmp(c->role, "calibration") == 0 && !pawl_str_is(text, "{}");
        bool remembers = strcmp(c->role, "memory") == 0 && !pawl_str_is(text, "[]");
        if (calibrates || remembers || is_of_strategy(c))
            json_array_append_new(list, json_string(c->name));
    }
    return list;
}

enum pawl_status pawl_export_prompt(struct pawl_call *call, const struct pawl_artifact *artifact,
                                    const char *format, struct pawl_str *document,
                                    struct pawl_error *err)
{
    json_t *fields;
    enum pawl_status status;
    if (strcmp(format, "dspy") != 0) {
        status = write_messages(call, artifact, format, document, err);
    } else {
        PAWL_TRY(pawl_front_ask(call, PAWL_ROLE_ENGINE_NAME, json_pack("{s:s}", "op", "fields"),
                                &fields, err));
        const json_t *modules = json_object_get(fields, "modules");
        status = json_array_size(modules) > 0
                     ? write_dspy(call, artifact, modules, document, err)
                     : pawl_fail(err, PAWL_EUSAGE,
                                 "The program is a command: DSPy has no predictor "
                                 "for it.");
        json_decref(fields);
    }
    pawl_json_set(call->result, "format", json_string(format));
    pawl_json_set(call->result, "left_out", find_left_out(artifact));
    return status;
}
