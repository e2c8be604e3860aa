#include "program/module.h"
#include "program/recall.h"
#include "program/render.h"

#include <stdlib.h>

enum { PROMPT_BYTES_MAX = 16 << 20, DEMOS_MAX = 1024, CONVERSATION_TURNS_MAX = 32 };

/* --- a candidate --------------------------------------------------------------------------------------- */

static struct pawl_str rendered(struct pawl_module_instance *instance, struct pawl_buf *text)
{
    if (text->overflowed) instance->fault = "The candidate's prompt is longer than 16 MiB.";
    struct pawl_str copy = pawl_arena_copy(&instance->arena, pawl_buf_str(text));
    pawl_buf_reset(text);
    return copy;
}

static void say_shared(struct pawl_module_instance *instance, const char *role,
                       struct pawl_buf *text)
{
    struct pawl_str content = rendered(instance, text);
    instance->shared[instance->n_shared++] = (struct pawl_message){role, content};
}

static bool has_fields(const json_t *demo, const struct pawl_field *fields, size_t n,
                       const char **absent)
{
    for (size_t i = 0; i < n; i++) {
        *absent = fields[i].name;
        if (!json_object_get(demo, fields[i].name)) return false;
    }
    return true;
}

static void render_demos(struct pawl_module_instance *instance, const json_t *demos,
                         struct pawl_buf *text)
{
    const struct pawl_module *p = instance->module;
    const struct pawl_signature *s = &p->signature;
    for (size_t i = 0; i < json_array_size(demos) && !instance->fault; i++) {
        const json_t *demo = json_array_get(demos, i);
        const char *absent;
        if (!has_fields(demo, s->inputs, s->n_inputs, &absent) ||
            !has_fields(demo, p->own, p->n_own, &absent)) {
            instance->fault = pawl_arena_printf(
                &instance->arena, "Demonstration %zu has no field \"%s\".", i + 1, absent);
            return;
        }
        if (p->strategy->render) pawl_buf_add(text, "\n\nAn example:\n");
        pawl_render_fields(s->inputs, s->n_inputs, demo, text);
        if (p->strategy->render)
            pawl_buf_add(text, "\nIts answer in the end:\n");
        else
            say_shared(instance, "user", text);
        pawl_render_fields(s->outputs, s->n_outputs, demo, text);
        if (!p->strategy->render) say_shared(instance, "assistant", text);
    }
}

/* Parse a component's text; absent or blank is NULL without a fault. */
static json_t *parse_component(struct pawl_module_instance *instance,
                               const struct pawl_component *component)
{
    json_t *value = NULL;
    struct pawl_error why = {0};
    if (!component || pawl_str_trim(component->text).len == 0) return NULL;
    if (pawl_json_parse(component->text, PAWL_COMPONENT_MAX, &value, &why) != PAWL_OK)
        instance->fault = pawl_arena_printf(&instance->arena, "The component \"%s\" is no JSON: %s",
                                            component->name, why.message);
    return value;
}

static void read_calibration(struct pawl_module_instance *instance, const json_t *object)
{
    const struct pawl_field *held = instance->module->held;
    if (!object || instance->fault || json_object_size(object) == 0) {
        if (object && !json_is_object(object))
            instance->fault = "The calibration is not a map of choices to offsets.";
        return;
    }
    if (!held) {
        instance->fault = "There is a calibration, but no choices that are held.";
        return;
    }
    double *offsets = PAWL_NEW_N(&instance->arena, double, held->n_choices);
    size_t n_used = 0;
    for (size_t i = 0; i < held->n_choices; i++) {
        const json_t *offset = json_object_getn(object, held->choices[i].ptr, held->choices[i].len);
        if (!json_is_number(offset)) continue;
        offsets[i] = json_number_value(offset);
        n_used++;
    }
    if (n_used != json_object_size(object))
        instance->fault = "The calibration names something that is no choice, or no number.";
    instance->offsets = offsets;
}

static void read_texts(struct pawl_module_instance *instance, const struct pawl_artifact *artifact)
{
    const struct pawl_module *module = instance->module;
    for (size_t i = 0; i < PAWL_STRATEGY_TEXTS_MAX && module->text_names[i]; i++) {
        const struct pawl_component *own = pawl_artifact_find(artifact, module->text_names[i]);
        instance->texts[i] = own ? pawl_arena_copy(&instance->arena, own->text)
                                 : pawl_str_of(module->strategy->texts[i].text);
    }
}

/* The instruction, and below it the lessons where there are some. */
static struct pawl_str instruct(struct pawl_module_instance *instance,
                                const struct pawl_artifact *artifact,
                                const struct pawl_component *instruction)
{
    const char *name = instance->module->lessons_name;
    const struct pawl_component *lessons = name ? pawl_artifact_find(artifact, name) : NULL;
    struct pawl_str told = instruction ? instruction->text : PAWL_STR("");
    if (!lessons) return told;
    const char *fault = pawl_recall_tell(told, lessons->text, &instance->arena, &told);
    if (fault) instance->fault = fault;
    return told;
}

struct pawl_module_instance *pawl_module_prepare(const struct pawl_module *module,
                                                 const struct pawl_artifact *artifact)
{
    struct pawl_module_instance *instance = pawl_xcalloc(1, sizeof *instance);
    instance->module = module;
    const struct pawl_component *instruction =
        pawl_artifact_find(artifact, module->instruction_name);
    if (!instruction)
        instance->fault = pawl_arena_printf(
            &instance->arena, "The artifact has no component \"%s\": it is of another program.",
            module->instruction_name);
    json_t *demos = parse_component(instance, pawl_artifact_find(artifact, module->demos_name));
    json_t *calibration =
        parse_component(instance, pawl_artifact_find(artifact, module->calibration_name));
    if (demos && (!json_is_array(demos) || json_array_size(demos) > DEMOS_MAX)) {
        instance->fault = "The demonstrations are not a list of at most 1024.";
        json_decref(demos);
        demos = NULL;
    }
    instance->shared =
        PAWL_NEW_N(&instance->arena, struct pawl_message, 1 + 2 * json_array_size(demos));
    struct pawl_buf text = PAWL_BUF(PROMPT_BYTES_MAX);
    struct pawl_str told = instruct(instance, artifact, instruction);
    if (module->strategy->render) {
        module->strategy->render(module, told, &text);
        render_demos(instance, demos, &text);
    } else {
        pawl_render_system(&module->signature, told, &text);
    }
    if (text.len > 0) say_shared(instance, "system", &text);
    if (!module->strategy->render) render_demos(instance, demos, &text);
    pawl_buf_release(&text);
    read_calibration(instance, calibration);
    read_texts(instance, artifact);
    json_decref(demos);
    json_decref(calibration);
    return instance;
}

void pawl_module_release(struct pawl_module_instance *instance)
{
    if (!instance) return;
    pawl_arena_release(&instance->arena);
    free(instance);
}

/* --- a case ----------------------------------------------------------------------------------------------- */

static bool is_turn(const json_t *message)
{
    const char *role = pawl_json_get_text(message, "role", "");
    bool known =
        strcmp(role, "user") == 0 || strcmp(role, "assistant") == 0 || strcmp(role, "system") == 0;
    return known && json_is_string(json_object_get(message, "content"));
}

/* A case that is a conversation is its turns; any other is one user turn. */
static const char *say_case(struct pawl_strategy_call *call, const json_t *object)
{
    const struct pawl_signature *s = &call->module->signature;
    const json_t *only = s->n_inputs == 1 ? json_object_get(object, s->inputs->name) : NULL;
    bool conversation =
        json_is_array(only) && is_turn(json_array_get(only, 0)) && !call->module->reads_answers;
    if (!conversation) {
        if (json_is_string(only)) {
            /* The value lives as long as the case: no copy. */
            pawl_call_say(call, "user",
                          (struct pawl_str){json_string_value(only), json_string_length(only)});
            return NULL;
        }
        struct pawl_buf text = PAWL_BUF(PROMPT_BYTES_MAX);
        pawl_render_fields(s->inputs, s->n_inputs, object, &text);
        bool too_long = text.overflowed;
        pawl_call_say(call, "user", pawl_arena_copy(call->arena, pawl_buf_str(&text)));
        pawl_buf_release(&text);
        return too_long ? "The case is too long for a prompt." : NULL;
    }
    if (json_array_size(only) > CONVERSATION_TURNS_MAX)
        return "The conversation has too many turns.";
    for (size_t i = 0; i < json_array_size(only); i++) {
        const json_t *turn = json_array_get(only, i);
        if (!is_turn(turn)) return "A turn of the conversation has no role or no text content.";
        pawl_call_say(call, json_string_value(json_object_get(turn, "role")),
                      pawl_json_get_str(turn, "content"));
    }
    return NULL;
}

enum pawl_status pawl_module_run(const struct pawl_module_instance *instance,
                                 struct pawl_arena *arena, const char *case_id, const json_t *input,
                                 const struct pawl_run_options *how, struct pawl_outcome *outcome,
                                 struct pawl_error *err)
{
    const struct pawl_module *module = instance->module;
    if (instance->fault) return pawl_outcome_fail(outcome, PAWL_OUTCOME_FAILED, instance->fault);
    struct pawl_strategy_call call = {
        .instance = instance,
        .module = module,
        .arena = arena,
        .how = how,
        .input = input,
        .messages = PAWL_NEW_N(arena, struct pawl_message, instance->n_shared + PAWL_TURNS_MAX),
        .n_messages = instance->n_shared,
        .case_id = case_id,
        .usage = &outcome->usage,
        .trace = how->flags & PAWL_RUN_TRACE ? json_array() : NULL};
    memcpy(call.messages, instance->shared, instance->n_shared * sizeof *call.messages);
    const char *fault = say_case(&call, input);
    outcome->trace = call.trace;
    if (fault) return pawl_outcome_fail(outcome, PAWL_OUTCOME_FAILED, fault);
    return module->strategy->run(&call, outcome, err);
}

json_t *pawl_module_messages(const struct pawl_module_instance *instance, const char **fault)
{
    const struct pawl_signature *s = &instance->module->signature;
    struct pawl_arena arena = {0};
    json_t *marks = json_object(), *list = json_array();
    for (size_t i = 0; i < s->n_inputs; i++)
        pawl_json_set(marks, s->inputs[i].name,
                      json_string(pawl_arena_printf(&arena, "{{%s}}", s->inputs[i].name)));
    struct pawl_strategy_call call = {
        .instance = instance,
        .module = instance->module,
        .arena = &arena,
        .messages = PAWL_NEW_N(&arena, struct pawl_message, instance->n_shared + PAWL_TURNS_MAX),
        .n_messages = instance->n_shared};
    memcpy(call.messages, instance->shared, instance->n_shared * sizeof *call.messages);
    *fault = instance->fault ? instance->fault : say_case(&call, marks);
    for (size_t i = 0; i < call.n_messages; i++) {
        json_t *message = json_object();
        pawl_json_set(message, "role", json_string(call.messages[i].role));
        pawl_json_set(message, "content", pawl_json_string(call.messages[i].content));
        json_array_append_new(list, message);
    }
    pawl_arena_release(&arena);
    json_decref(marks);
    if (!*fault) return list;
    json_decref(list);
    return NULL;
}
