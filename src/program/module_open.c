/* A module's section of pawl.yaml, and what it is made of from there. */
#include "program/module.h"
#include "program/fields.h"
#include "program/lessons.h"
#include "program/project_file.h"
#include "program/recall.h"
#include "program/script.h"

#include <stdio.h>

enum { STOPS_MAX = 16 };

struct section {
    const char *signature, *strategy, *role, *demos, *reduce, *check, *environment;
    json_t *instruction, *fields, *stop, *tools;
    int64_t max_tokens, samples, max_steps, max_repairs, max_trials, max_expansions, max_trajectory;
    int64_t memory, debate, depth, at_once;
    double temperature, top_p, exploration, lambda;
    bool hold_choices, repair, lessons;
};
static const struct pawl_option section_options[] = {
    {"signature", PAWL_OPTION_TEXT, offsetof(struct section, signature), NULL, 0, 0, NULL,
     "inputs -> outputs, e.g. review -> sentiment: positive | negative", true},
    PAWL_OPT_JSON(struct section, instruction, "a file, or {text: ...}; what is improved"),
    PAWL_OPT_JSON(struct section, fields, "a sentence for each field that needs one"),
    PAWL_OPT_TEXT(struct section, demos, NULL, "a file with a JSON list of demonstrations"),
    PAWL_OPT_TEXT(
        struct section, strategy, "predict",
        "how to ask: predict, cot, self_consistency, best_of_n, react, program_of_thought, "
        "reflexion, mar or lats"),
    PAWL_OPT_INT(struct section, samples, "0", 0, PAWL_SAMPLES_MAX,
                 "answers to choose from, for a strategy that does (0: its own number)"),
    PAWL_OPT_TEXT(struct section, reduce, NULL, "of self_consistency: Lua that chooses"),
    PAWL_OPT_TEXT(struct section, check, NULL,
                  "of best_of_n, reflexion, mar and lats: Lua that scores an answer"),
    PAWL_OPT_TEXT(struct section, environment, NULL,
                  "in the place of a check: a task that says what an answer is worth, e.g. game24"),
    PAWL_OPT_JSON(struct section, tools, "of react: {name: what}, e.g. {calc: calculator}"),
    PAWL_OPT_INT(struct section, max_steps, "0", 0, PAWL_ROUNDS_MAX,
                 "of react: steps before the answer (0: its own number)"),
    PAWL_OPT_INT(struct section, max_repairs, "-1", -1, PAWL_ROUNDS_MAX,
                 "of program_of_thought: programs after a failed one (-1: its own number)"),
    PAWL_OPT_INT(struct section, max_trials, "0", 0, PAWL_ROUNDS_MAX,
                 "of reflexion and mar: answers until one is good (0: its own number)"),
    PAWL_OPT_INT(
        struct section, memory, "3", 0, PAWL_LESSONS_MAX,
        "of reflexion, mar and lats: lessons of failed answers that are shown, the latest"),
    PAWL_OPT_INT(struct section, debate, "1", 0, 8,
                 "of mar: rounds in which critics answer one another"),
    PAWL_OPT_INT(struct section, max_expansions, "0", 0, PAWL_ROUNDS_MAX,
                 "of lats: answers that others are drawn after (0: its own number)"),
    PAWL_OPT_INT(struct section, depth, "7", 1, PAWL_ROUNDS_MAX,
                 "of lats: answers after one another, at most"),
    PAWL_OPT_INT(struct section, at_once, "2", 1, PAWL_SAMPLES_MAX,
                 "of lats: leaves of the tree that are expanded at the same time"),
    PAWL_OPT_REAL(struct section, exploration, "1", 0, 100,
                  "of lats: how much a leaf that was seen seldom is worth"),
    PAWL_OPT_REAL(struct section, lambda, "0.5", 0, 1,
                  "of lats: share of the model's opinion in the value of an answer"),
    PAWL_OPT_INT(struct section, max_trajectory, "16000", 1000, 1000000,
                 "of react: bytes of its steps that it is shown, the latest"),
    PAWL_OPT_CHOICE(struct section, role, "task", "task|reflect|judge",
                    "the role whose model is asked"),
    PAWL_OPT_INT(struct section, max_tokens, "0", 0, 1000000,
                 "longest answer (0: by the types of the outputs)"),
    PAWL_OPT_REAL(struct section, temperature, "-1", -1, 2,
                  "randomness of answers (0: greedy; -1: as the strategy wants it)"),
    PAWL_OPT_REAL(struct section, top_p, "0", 0, 1, "nucleus sampling (0: unset)"),
    PAWL_OPT_BOOL(struct section, hold_choices, "true",
                  "hold the answer to the choices and score them where the model can"),
    PAWL_OPT_BOOL(struct section, lessons, "false",
                  "a component that holds lessons of failed cases (operator reflexion)"),
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

static struct pawl_str default_instruction(const struct pawl_module *module)
{
    const struct pawl_signature *s = &module->signature;
    struct pawl_buf text = PAWL_BUF(64 << 10);
    pawl_buf_add(&text, "Given");
    for (size_t i = 0; i < s->n_inputs; i++)
        pawl_buf_printf(&text, "%s %s", i ? "," : "", s->inputs[i].name);
    pawl_buf_add(&text, ", give");
    for (size_t i = 0; i < module->n_own; i++)
        pawl_buf_printf(&text, "%s %s", i ? "," : "", module->own[i].name);
    pawl_buf_add(&text, ".");
    struct pawl_str copy = pawl_arena_copy(module->arena, pawl_buf_str(&text));
    pawl_buf_release(&text);
    return copy;
}

static enum pawl_status read_instruction(struct pawl_module *module, const json_t *value,
                                         const char *project_dir, struct pawl_error *err)
{
    struct pawl_str *text = &module->instruction;
    if (!value) {
        *text = default_instruction(module);
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
                               PAWL_COMPONENT_MAX, module->arena, text, err));
    size_t offset;
    if (pawl_utf8_is_valid(*text, &offset)) return PAWL_OK;
    pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "instruction",
                 "The file \"%s\" is not valid UTF-8 at byte %zu.", json_string_value(value),
                 offset);
    pawl_hint(err, "Save it as UTF-8.");
    return PAWL_ECONFIG;
}

static enum pawl_status read_stops(struct pawl_module *module, const json_t *value,
                                   struct pawl_error *err)
{
    size_t n = json_is_array(value) ? json_array_size(value) : value ? 1 : 0;
    struct pawl_str *stops = PAWL_NEW_N(module->arena, struct pawl_str, n ? n : 1);
    for (size_t i = 0; i < n && n <= STOPS_MAX; i++) {
        const json_t *text = json_is_array(value) ? json_array_get(value, i) : value;
        if (!json_is_string(text) || json_string_length(text) == 0) break;
        stops[module->n_stops++] =
            (struct pawl_str){json_string_value(text), json_string_length(text)};
    }
    module->stops = stops;
    if (module->n_stops == n) return PAWL_OK;
    pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "stop", "A stop is a text, or a list of up to 16.");
    pawl_hint(err, "Write `stop: \"\\n\"` or `stop: [\"\\n\", \"###\"]`.");
    return PAWL_ECONFIG;
}

/* Long enough for the types of the outputs, short enough that a rambling model costs little. */
static int default_max_tokens(const struct pawl_module *module)
{
    int tokens = 0;
    for (size_t i = 0; i < module->signature.n_outputs; i++) {
        enum pawl_field_type type = module->signature.outputs[i].type;
        bool is_short =
            type == PAWL_FIELD_CHOICES || type == PAWL_FIELD_NUMBER || type == PAWL_FIELD_BOOLEAN;
        tokens += is_short ? 32 : 512;
    }
    int least = module->strategy->min_tokens;
    return tokens < least ? least : tokens;
}

/* Whether the file's demonstrations have all fields is seen where they are rendered. */
static enum pawl_status read_demos(struct pawl_module *module, const char *path,
                                   const char *project_dir, struct pawl_error *err)
{
    json_t *list;
    module->demos = PAWL_STR("[]");
    if (path == NULL) return PAWL_OK;
    PAWL_TRY(pawl_project_file(project_dir, path, "demos", PAWL_COMPONENT_MAX, module->arena,
                               &module->demos, err));
    struct pawl_error why = {0};
    bool parsed = pawl_json_parse(module->demos, PAWL_COMPONENT_MAX, &list, &why) == PAWL_OK;
    bool good = parsed && json_is_array(list);
    if (parsed) json_decref(list);
    if (good) return PAWL_OK;
    pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "demos", "The file \"%.100s\" is no JSON list. %s",
                 path, why.message);
    pawl_hint(err, "Write a list of {field: value}, with all fields of the signature in each.");
    return PAWL_ECONFIG;
}

static enum pawl_status refuse_option(const struct pawl_module *module, const char *name,
                                      struct pawl_error *err)
{
    pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, name, "The strategy \"%s\" has no use for \"%s\".",
                 module->strategy->name, name);
    pawl_hint(err,
              "Remove it, or choose a strategy that has one: samples are of self_consistency and "
              "best_of_n, a check or an environment of those that try again, tools of react, "
              "repairs of program_of_thought, trials of reflexion and mar, "
              "expansions of lats.");
    return PAWL_ECONFIG;
}

/* What only some strategies have a use for. */
static enum pawl_status read_sampling(struct pawl_module *module, const struct section *section,
                                      struct pawl_error *err)
{
    const struct pawl_strategy *strategy = module->strategy;
    const struct {
        const char *name, *source;
    } scripts[] = {{"reduce", section->reduce}, {"check", section->check}};
    if (section->samples > 0 && strategy->n_samples == 0)
        return refuse_option(module, "samples", err);
    module->n_samples = section->samples > 0 ? (int)section->samples : strategy->n_samples;
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        if (scripts[i].source == NULL) continue;
        if (strategy->script == NULL || strcmp(strategy->script, scripts[i].name) != 0)
            return refuse_option(module, scripts[i].name, err);
        PAWL_TRY(pawl_script_open(scripts[i].source, scripts[i].name, &module->script, err));
    }
    if (section->environment == NULL) return PAWL_OK;
    if (module->script || strategy->script == NULL || strcmp(strategy->script, "check") != 0)
        return refuse_option(module, "environment", err);
    return pawl_environment_find(section->environment, &module->environment, err);
}

/* What only strategies that ask in rounds have a use for. */
static enum pawl_status read_rounds(struct pawl_module *module, const struct section *section,
                                    const struct pawl_program_settings *settings,
                                    struct pawl_error *err)
{
    const struct pawl_strategy *strategy = module->strategy;
    const struct {
        const char *name;
        int64_t n;
    } rounds[] = {{"max_steps", section->max_steps > 0 ? section->max_steps : -1},
                  {"max_repairs", section->max_repairs},
                  {"max_trials", section->max_trials > 0 ? section->max_trials : -1},
                  {"max_expansions", section->max_expansions > 0 ? section->max_expansions : -1}};
    module->n_rounds = strategy->n_rounds;
    module->trajectory_bytes = (size_t)section->max_trajectory;
    for (size_t i = 0; i < sizeof rounds / sizeof *rounds; i++) {
        if (rounds[i].n < 0) continue;
        if (strategy->rounds == NULL || strcmp(strategy->rounds, rounds[i].name) != 0)
            return refuse_option(module, rounds[i].name, err);
        module->n_rounds = (int)rounds[i].n;
    }
    if (strategy->takes_tools)
        return pawl_tools_open(section->tools, json_object_get(settings->program, "tools"),
                               settings, module->arena, &module->tools, err);
    return section->tools ? refuse_option(module, "tools", err) : PAWL_OK;
}

static bool takes(const struct pawl_strategy *strategy, const char *option)
{
    for (size_t i = 0; strategy->takes && strategy->takes[i]; i++)
        if (strcmp(strategy->takes[i], option) == 0) return true;
    return false;
}

/* Options of one strategy or a few, which are refused where another is told them. */
static enum pawl_status read_taken(struct pawl_module *module, const struct section *section,
                                   const json_t *json, struct pawl_error *err)
{
    static const char *const names[] = {"memory",  "debate",      "depth",
                                        "at_once", "exploration", "lambda"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (json_object_get(json, names[i]) && !takes(module->strategy, names[i]))
            return refuse_option(module, names[i], err);
    module->memory = (int)section->memory;
    module->debate = (int)section->debate;
    module->depth = (int)section->depth;
    module->at_once = (int)section->at_once;
    module->exploration = section->exploration;
    module->lambda = section->lambda;
    return PAWL_OK;
}

static void name_texts(struct pawl_module *module)
{
    const struct pawl_strategy_text *texts = module->strategy->texts;
    const char *dot = module->name[0] != '\0' ? "." : "";
    for (size_t i = 0; texts && texts[i].name; i++) {
        PAWL_ASSERT(i < PAWL_STRATEGY_TEXTS_MAX);
        module->text_names[i] =
            pawl_arena_printf(module->arena, "%s%s%s", module->name, dot, texts[i].name);
    }
}

static void name_components(struct pawl_module *module, const char *name)
{
    const char *dot = name[0] != '\0' ? "." : "";
    struct pawl_arena *arena = module->arena;
    module->name = pawl_arena_strdup(arena, name);
    module->instruction_name = pawl_arena_printf(arena, "%s%sinstruction", name, dot);
    module->demos_name = pawl_arena_printf(arena, "%s%sdemos", name, dot);
    module->calibration_name = pawl_arena_printf(arena, "%s%scalibration", name, dot);
}

static enum pawl_status open_section(const struct pawl_program_settings *settings,
                                     const json_t *json, const char *path, struct pawl_module *m,
                                     struct pawl_error *err)
{
    struct section section;
    PAWL_TRY(pawl_options_read(section_options, json, path, m->arena, &section, err));
    m->lm = settings->lm;
    m->seed = settings->seed;
    m->temperature = section.temperature;
    m->top_p = section.top_p;
    m->repair = section.repair;
    if (section.lessons)
        m->lessons_name =
            pawl_arena_printf(m->arena, "%s%slessons", m->name, m->name[0] ? "." : "");
    pawl_role_from_name(pawl_str_of(section.role), &m->role);
    PAWL_TRY(find_strategy(section.strategy, &m->strategy, err));
    name_texts(m);
    PAWL_TRY(pawl_signature_parse(pawl_str_of(section.signature), m->arena, &m->signature, err));
    m->n_own = m->signature.n_outputs;
    PAWL_TRY(pawl_signature_describe(&m->signature, section.fields, m->arena, err));
    PAWL_TRY(pawl_signature_extend(&m->signature, m->strategy->extra_outputs, m->arena, err));
    m->own = m->signature.outputs + (m->signature.n_outputs - m->n_own);
    /* Samples and trials are drawn as text: the best choice is the same each time. */
    if (section.hold_choices && m->n_own == 1 && m->own->type == PAWL_FIELD_CHOICES &&
        m->strategy->n_samples == 0 && !m->strategy->texts)
        m->held = m->own;
    PAWL_TRY(read_instruction(m, section.instruction, settings->project_dir, err));
    PAWL_TRY(read_demos(m, section.demos, settings->project_dir, err));
    PAWL_TRY(read_stops(m, section.stop, err));
    m->max_tokens = section.max_tokens ? (int)section.max_tokens : default_max_tokens(m);
    PAWL_TRY(read_sampling(m, &section, err));
    PAWL_TRY(read_taken(m, &section, json, err));
    return read_rounds(m, &section, settings, err);
}

enum pawl_status pawl_module_open(const struct pawl_program_settings *settings,
                                  const json_t *section, const char *name, struct pawl_arena *arena,
                                  struct pawl_module **module, struct pawl_error *err)
{
    struct pawl_module *m = PAWL_NEW(arena, struct pawl_module);
    struct pawl_error local = {0};
    if (!err) err = &local;
    m->arena = arena;
    name_components(m, name);
    const char *path =
        name[0] != '\0' ? pawl_arena_printf(arena, "program.modules.%s", name) : "program";
    enum pawl_status status = open_section(settings, section, path, m, err);
    /* Paths of errors start at the top of pawl.yaml. */
    if (status != PAWL_OK && err->field[0] && strncmp(err->field, "program.", 8) != 0) {
        const char *full = pawl_arena_printf(arena, "%s.%s", path, err->field);
        snprintf(err->field, sizeof err->field, "%s", full);
    }
    if (status != PAWL_OK) pawl_module_close(m);
    *module = m;
    return status;
}

void pawl_module_close(struct pawl_module *module)
{
    pawl_lua_close(module->script);
    module->script = NULL;
    pawl_tools_close(&module->tools);
}

size_t pawl_module_add_components(const struct pawl_module *module, struct pawl_component *list,
                                  size_t n)
{
    list[n++] = (struct pawl_component){module->instruction_name, "text", PAWL_ROLE_INSTRUCTION,
                                        module->instruction};
    list[n++] = (struct pawl_component){module->demos_name, "text", PAWL_ROLE_DEMOS, module->demos};
    if (module->held)
        list[n++] = (struct pawl_component){module->calibration_name, "text", PAWL_ROLE_CALIBRATION,
                                            PAWL_STR("{}")};
    if (module->lessons_name)
        list[n++] =
            (struct pawl_component){module->lessons_name, "text", PAWL_ROLE_MEMORY, PAWL_STR("[]")};
    for (size_t i = 0; i < PAWL_STRATEGY_TEXTS_MAX && module->text_names[i]; i++)
        list[n++] = (struct pawl_component){module->text_names[i], "text", PAWL_ROLE_INSTRUCTION,
                                            pawl_str_of(module->strategy->texts[i].text)};
    return n;
}

json_t *pawl_module_files(const struct pawl_module *module)
{
    json_t *files = pawl_tools_identity(&module->tools);
    if (json_object_size(files) > 0) return files;
    json_decref(files);
    return NULL;
}

json_t *pawl_module_json(const struct pawl_module *module)
{
    const struct pawl_signature *s = &module->signature;
    json_t *object = json_object();
    pawl_json_set(object, "name", json_string(module->name));
    pawl_json_set(object, "inputs", pawl_fields_names(s->inputs, s->n_inputs));
    pawl_json_set(object, "outputs", pawl_fields_types(module->own, module->n_own));
    pawl_json_set(object, "extra", pawl_fields_names(s->outputs, s->n_outputs - module->n_own));
    pawl_json_set(object, "instruction", json_string(module->instruction_name));
    pawl_json_set(object, "demos", json_string(module->demos_name));
    if (module->held) pawl_json_set(object, "calibration", json_string(module->calibration_name));
    if (module->lessons_name) pawl_json_set(object, "lessons", json_string(module->lessons_name));
    return object;
}
