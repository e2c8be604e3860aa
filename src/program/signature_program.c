/*
 * signature_program.c - the kind of program that is a signature: read from pawl.yaml, rendered once
 * per candidate, run once per case.
 */
#include "program/kind.h"
#include "program/project_file.h"
#include "program/render.h"
#include "program/signature_call.h"

#include <math.h>
#include <stdlib.h>

enum { PROMPT_BYTES_MAX = 16 << 20, DEMOS_MAX = 1024, STOPS_MAX = 16 };

struct section {
    const char *signature, *strategy;
    json_t *instruction, *fields, *stop;
    int64_t max_tokens;
    double temperature, top_p;
    bool hold_choices, repair;
};
static const struct pawl_option section_options[] = {
    {"signature", PAWL_OPTION_TEXT, offsetof(struct section, signature), NULL, 0, 0, NULL,
     "inputs -> outputs, e.g. review -> sentiment: positive | negative", true},
    PAWL_OPT_JSON(struct section, instruction, "a file, or {text: ...}; what is improved"),
    PAWL_OPT_JSON(struct section, fields, "a sentence for each field that needs one"),
    PAWL_OPT_TEXT(struct section, strategy, "predict", "how to ask: predict or cot"),
    PAWL_OPT_INT(struct section, max_tokens, "0", 0, 1000000,
                 "longest answer (0: by the types of the outputs)"),
    PAWL_OPT_REAL(struct section, temperature, "0", 0, 2, "randomness of answers (0: greedy)"),
    PAWL_OPT_REAL(struct section, top_p, "0", 0, 1, "nucleus sampling (0: unset)"),
    PAWL_OPT_BOOL(struct section, hold_choices, "true",
                  "hold the answer to the choices and score them where the model can"),
    PAWL_OPT_BOOL(struct section, repair, "true", "ask once more when an answer cannot be read"),
    PAWL_OPT_JSON(struct section, stop, "a text, or a list of texts, that ends an answer"),
    {0}};

/* --- opening ------------------------------------------------------------------------------------------ */

static enum pawl_status find_strategy(const char *name, const struct pawl_strategy **found,
                                      struct pawl_error *err)
{
    const char *names[64];
    size_t n = 0;
    for (; pawl_strategies[n] && n < 64; n++) {
        names[n] = pawl_strategies[n]->name;
        if (strcmp(name, names[n]) != 0) continue;
        *found = pawl_strategies[n];
        return PAWL_OK;
    }
    const char *near = pawl_nearest_word(name, names, n);
    pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "strategy", "There is no strategy \"%s\".", name);
    pawl_hint(err, "Did you mean \"%s\"?", near ? near : "predict");
    return PAWL_ECONFIG;
}

static struct pawl_str default_instruction(const struct pawl_signature_program *program)
{
    const struct pawl_signature *s = &program->signature;
    struct pawl_buf text = PAWL_BUF(64 << 10);
    pawl_buf_add(&text, "Given");
    for (size_t i = 0; i < s->n_inputs; i++)
        pawl_buf_printf(&text, "%s %s", i ? "," : "", s->inputs[i].name);
    pawl_buf_add(&text, ", give");
    for (size_t i = 0; i < program->n_own; i++)
        pawl_buf_printf(&text, "%s %s", i ? "," : "", program->own[i].name);
    pawl_buf_add(&text, ".");
    struct pawl_str copy = pawl_arena_copy(program->arena, pawl_buf_str(&text));
    pawl_buf_release(&text);
    return copy;
}

static enum pawl_status read_instruction(struct pawl_signature_program *program,
                                         const json_t *value, const char *project_dir,
                                         struct pawl_error *err)
{
    struct pawl_str *text = &program->instruction;
    if (!value) {
        *text = default_instruction(program);
        return PAWL_OK;
    }
    if (json_is_object(value) && json_object_size(value) == 1) {
        *text = pawl_json_get_str(value, "text");
        if (text->ptr) return PAWL_OK;
    }
    if (!json_is_string(value)) {
        pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "instruction",
                     "The instruction is neither a file name nor {text: ...}.");
        pawl_hint(err, "Write `instruction: prompts/task.md` or `instruction: {text: \"...\"}`.");
        return PAWL_ECONFIG;
    }
    PAWL_TRY(pawl_project_file(project_dir, json_string_value(value), "instruction",
                               PAWL_COMPONENT_MAX, program->arena, text, err));
    size_t offset;
    if (pawl_utf8_is_valid(*text, &offset)) return PAWL_OK;
    pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "instruction",
                 "The file \"%s\" is not valid UTF-8 at byte %zu.", json_string_value(value),
                 offset);
    pawl_hint(err, "Save it as UTF-8.");
    return PAWL_ECONFIG;
}

static enum pawl_status read_stops(struct pawl_signature_program *program, const json_t *value,
                                   struct pawl_error *err)
{
    size_t n = json_is_array(value) ? json_array_size(value) : value ? 1 : 0;
    struct pawl_str *stops = PAWL_NEW_N(program->arena, struct pawl_str, n ? n : 1);
    for (size_t i = 0; i < n && n <= STOPS_MAX; i++) {
        const json_t *text = json_is_array(value) ? json_array_get(value, i) : value;
        if (!json_is_string(text) || json_string_length(text) == 0) break;
        stops[program->n_stops++] =
            (struct pawl_str){json_string_value(text), json_string_length(text)};
    }
    program->stops = stops;
    if (program->n_stops == n) return PAWL_OK;
    pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "stop", "A stop is a text, or a list of up to 16.");
    pawl_hint(err, "Write `stop: \"\\n\"` or `stop: [\"\\n\", \"###\"]`.");
    return PAWL_ECONFIG;
}

/* Long enough for the types of the outputs, short enough that a rambling model costs little. */
static int default_max_tokens(const struct pawl_signature_program *program)
{
    int tokens = 0;
    for (size_t i = 0; i < program->signature.n_outputs; i++) {
        enum pawl_field_type type = program->signature.outputs[i].type;
        bool is_short =
            type == PAWL_FIELD_CHOICES || type == PAWL_FIELD_NUMBER || type == PAWL_FIELD_BOOLEAN;
        tokens += is_short ? 32 : 512;
    }
    return tokens;
}

static enum pawl_status open_signature(const struct pawl_program_settings *settings,
                                       struct pawl_arena *arena, void **out, struct pawl_error *err)
{
    struct section section;
    struct pawl_signature_program *p = PAWL_NEW(arena, struct pawl_signature_program);
    PAWL_TRY(
        pawl_options_read(section_options, settings->program, "program", arena, &section, err));
    p->arena = arena;
    p->lm = settings->lm;
    p->seed = settings->seed;
    p->temperature = section.temperature;
    p->top_p = section.top_p;
    p->repair = section.repair;
    PAWL_TRY(find_strategy(section.strategy, &p->strategy, err));
    PAWL_TRY(pawl_signature_parse(pawl_str_of(section.signature), arena, &p->signature, err));
    p->n_own = p->signature.n_outputs;
    PAWL_TRY(pawl_signature_describe(&p->signature, section.fields, arena, err));
    PAWL_TRY(pawl_signature_extend(&p->signature, p->strategy->extra_outputs, arena, err));
    p->own = p->signature.outputs + (p->signature.n_outputs - p->n_own);
    if (section.hold_choices && p->n_own == 1 && p->own->type == PAWL_FIELD_CHOICES)
        p->held = p->own;
    PAWL_TRY(read_instruction(p, section.instruction, settings->project_dir, err));
    PAWL_TRY(read_stops(p, section.stop, err));
    p->max_tokens = section.max_tokens ? (int)section.max_tokens : default_max_tokens(p);
    *out = p;
    return PAWL_OK;
}

static enum pawl_status open_program(const struct pawl_program_settings *settings,
                                     struct pawl_arena *arena, void **out, struct pawl_error *err)
{
    enum pawl_status status = open_signature(settings, arena, out, err);
    /* Paths of errors start at the top of pawl.yaml. */
    if (status != PAWL_OK && err && err->field[0] && strncmp(err->field, "program.", 8) != 0) {
        char path[sizeof err->field];
        memcpy(path, err->field, sizeof path);
        memcpy(err->field, "program.", 8);
        path[sizeof path - 9] = '\0';
        memcpy(err->field + 8, path, sizeof path - 8);
    }
    return status;
}

static void close_program(void *program)
{
    (void)program; /* all of it lies in the program's arena */
}

static enum pawl_status make_seed(void *program, struct pawl_arena *arena,
                                  struct pawl_artifact **seed, struct pawl_error *err)
{
    const struct pawl_signature_program *p = program;
    const struct pawl_component components[] = {
        {"instruction", "text", PAWL_ROLE_INSTRUCTION, p->instruction},
        {"demos", "text", PAWL_ROLE_DEMOS, PAWL_STR("[]")},
        {"calibration", "text", PAWL_ROLE_CALIBRATION, PAWL_STR("{}")}};
    return pawl_artifact_make(arena, components, p->held ? 3 : 2, seed, err);
}

/* --- fields ------------------------------------------------------------------------------------------- */

static json_t *describe_module(const struct pawl_signature_program *p)
{
    json_t *inputs = json_array(), *outputs = json_array(), *extra = json_array();
    for (size_t i = 0; i < p->signature.n_inputs; i++)
        json_array_append_new(inputs, json_string(p->signature.inputs[i].name));
    for (size_t i = 0; p->signature.outputs + i < p->own; i++)
        json_array_append_new(extra, json_string(p->signature.outputs[i].name));
    for (size_t i = 0; i < p->n_own; i++) {
        json_t *field = json_object();
        pawl_json_set(field, "name", json_string(p->own[i].name));
        pawl_json_set(field, "type", json_string(pawl_field_type_name(p->own[i].type)));
        if (p->own[i].n_choices) {
            json_t *choices = json_array();
            for (size_t j = 0; j < p->own[i].n_choices; j++)
                json_array_append_new(choices, pawl_json_string(p->own[i].choices[j]));
            pawl_json_set(field, "choices", choices);
        }
        json_array_append_new(outputs, field);
    }
    json_t *object = json_object();
    pawl_json_set(object, "inputs", inputs);
    pawl_json_set(object, "outputs", outputs);
    pawl_json_set(object, "extra", extra); /* of the strategy, e.g. "reasoning" */
    return object;
}

static json_t *describe_fields(const void *program)
{
    const struct pawl_signature_program *p = program;
    json_t *fields = describe_module(p), *module = json_deep_copy(fields);
    pawl_json_set(module, "name", json_string(""));
    pawl_json_set(module, "instruction", json_string("instruction"));
    pawl_json_set(module, "demos", json_string("demos"));
    if (p->held) pawl_json_set(module, "calibration", json_string("calibration"));
    pawl_json_set(fields, "modules", json_pack("[o]", module));
    return fields;
}

/* Every field, or NULL. What is no object is the only, or the first, field. */
static json_t *as_fields(const json_t *value, const struct pawl_field *fields, size_t n)
{
    json_t *borrowed = (json_t *)(uintptr_t)value;
    if (!value || json_is_null(value)) return NULL;
    json_t *object = json_object();
    bool whole = !json_is_object(value) || (n == 1 && fields->type == PAWL_FIELD_OBJECT &&
                                            !json_object_get(value, fields->name));
    if (whole) {
        pawl_json_set(object, fields->name, json_incref(borrowed));
        return object;
    }
    for (size_t i = 0; i < n; i++) {
        json_t *field = json_object_get(value, fields[i].name);
        if (!field) {
            json_decref(object);
            return NULL;
        }
        pawl_json_set(object, fields[i].name, json_incref(field));
    }
    return object;
}

static json_t *input_object(const void *program, const json_t *input)
{
    const struct pawl_signature_program *p = program;
    const json_t *messages = json_object_get(input, "messages");
    bool conversation = json_is_array(messages) && p->signature.n_inputs == 1 &&
                        !json_object_get(input, p->signature.inputs->name);
    const json_t *value = conversation ? messages : input;
    if (!json_is_object(value) && p->signature.n_inputs > 1) return NULL;
    return as_fields(value, p->signature.inputs, p->signature.n_inputs);
}

static json_t *target_object(const void *program, const json_t *target)
{
    const struct pawl_signature_program *p = program;
    return as_fields(target, p->own, p->n_own);
}

static int parallel(const void *program)
{
    const struct pawl_signature_program *p = program;
    return pawl_lm_parallel(p->lm, PAWL_ROLE_TASK);
}

/* --- a candidate --------------------------------------------------------------------------------------- */

static const struct pawl_component *find_role(const struct pawl_artifact *artifact,
                                              const char *role)
{
    for (size_t i = 0; i < artifact->n_components; i++)
        if (strcmp(artifact->components[i].role, role) == 0) return &artifact->components[i];
    return NULL;
}

static struct pawl_str rendered(struct pawl_signature_instance *instance, struct pawl_buf *text)
{
    if (text->overflowed) instance->fault = "The candidate's prompt is longer than 16 MiB.";
    struct pawl_str copy = pawl_arena_copy(&instance->arena, pawl_buf_str(text));
    pawl_buf_reset(text);
    return copy;
}

static void say_shared(struct pawl_signature_instance *instance, const char *role,
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

static void render_demos(struct pawl_signature_instance *instance, const json_t *demos,
                         struct pawl_buf *text)
{
    const struct pawl_signature_program *p = instance->program;
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
        pawl_render_fields(s->inputs, s->n_inputs, demo, text);
        say_shared(instance, "user", text);
        pawl_render_fields(s->outputs, s->n_outputs, demo, text);
        say_shared(instance, "assistant", text);
    }
}

/* Parse a component's text; absent or blank is NULL without a fault. */
static json_t *parse_component(struct pawl_signature_instance *instance,
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

static void read_calibration(struct pawl_signature_instance *instance, const json_t *object)
{
    const struct pawl_field *held = instance->program->held;
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

static enum pawl_status prepare(void *program, const struct pawl_artifact *artifact, void **out,
                                struct pawl_error *err)
{
    (void)err;
    struct pawl_signature_program *p = program;
    struct pawl_signature_instance *instance = pawl_xcalloc(1, sizeof *instance);
    instance->program = p;
    const struct pawl_component *instruction = find_role(artifact, PAWL_ROLE_INSTRUCTION);
    json_t *demos = parse_component(instance, find_role(artifact, PAWL_ROLE_DEMOS));
    json_t *calibration = parse_component(instance, find_role(artifact, PAWL_ROLE_CALIBRATION));
    if (demos && (!json_is_array(demos) || json_array_size(demos) > DEMOS_MAX)) {
        instance->fault = "The demonstrations are not a list of at most 1024.";
        json_decref(demos);
        demos = NULL;
    }
    instance->shared =
        PAWL_NEW_N(&instance->arena, struct pawl_message, 1 + 2 * json_array_size(demos));
    struct pawl_buf text = PAWL_BUF(PROMPT_BYTES_MAX);
    pawl_render_system(&p->signature, instruction ? instruction->text : PAWL_STR(""), &text);
    if (text.len > 0) say_shared(instance, "system", &text);
    render_demos(instance, demos, &text);
    pawl_buf_release(&text);
    read_calibration(instance, calibration);
    json_decref(demos);
    json_decref(calibration);
    *out = instance;
    return PAWL_OK;
}

static void release(void *state)
{
    struct pawl_signature_instance *instance = state;
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
    const struct pawl_signature *s = &call->program->signature;
    const json_t *only = s->n_inputs == 1 ? json_object_get(object, s->inputs->name) : NULL;
    bool conversation = json_is_array(only) && is_turn(json_array_get(only, 0));
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
    if (json_array_size(only) > PAWL_TURNS_MAX / 2) return "The conversation has too many turns.";
    for (size_t i = 0; i < json_array_size(only); i++) {
        const json_t *turn = json_array_get(only, i);
        if (!is_turn(turn)) return "A turn of the conversation has no role or no text content.";
        pawl_call_say(call, json_string_value(json_object_get(turn, "role")),
                      pawl_json_get_str(turn, "content"));
    }
    return NULL;
}

static enum pawl_status run_case(const struct pawl_signature_instance *instance,
                                 struct pawl_arena *arena, const struct pawl_program_case *item,
                                 const json_t *object, const struct pawl_run_options *how,
                                 struct pawl_outcome *outcome, struct pawl_error *err)
{
    const struct pawl_signature_program *p = instance->program;
    struct pawl_strategy_call call = {
        .instance = instance,
        .program = p,
        .arena = arena,
        .how = how,
        .input = object,
        .messages = PAWL_NEW_N(arena, struct pawl_message, instance->n_shared + PAWL_TURNS_MAX),
        .n_messages = instance->n_shared,
        .seed = pawl_sampling_seed(p->seed, item->id, how->sample),
        .usage = &outcome->usage,
        .trace = how->flags & PAWL_RUN_TRACE ? json_array() : NULL};
    memcpy(call.messages, instance->shared, instance->n_shared * sizeof *call.messages);
    const char *fault = say_case(&call, object);
    outcome->trace = call.trace;
    if (fault) return pawl_outcome_fail(outcome, PAWL_OUTCOME_FAILED, fault);
    return p->strategy->run(&call, outcome, err);
}

static enum pawl_status run(void *state, struct pawl_arena *arena,
                            const struct pawl_program_case *item,
                            const struct pawl_run_options *how, struct pawl_outcome *outcome,
                            struct pawl_error *err)
{
    const struct pawl_signature_instance *instance = state;
    if (instance->fault) return pawl_outcome_fail(outcome, PAWL_OUTCOME_FAILED, instance->fault);
    json_t *object = input_object(instance->program, item->input);
    if (!object)
        return pawl_outcome_fail(outcome, PAWL_OUTCOME_FAILED,
                                 "The case lacks an input field of the signature.");
    enum pawl_status status = run_case(instance, arena, item, object, how, outcome, err);
    json_decref(object);
    return status;
}

const struct pawl_program_kind pawl_program_signature = {
    open_program, close_program, make_seed, describe_fields, input_object, target_object,
    parallel,     prepare,       run,       release,
};
