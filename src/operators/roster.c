#include "operators/roster.h"

#include <stdlib.h>
#include <string.h>

/* --- reading the program ------------------------------------------------------------------------- */

bool pawl_roster_is_prose(const struct pawl_host_component *component)
{
    static const char *const others[] = {"demos", "calibration", "flow", "memory"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(component->role, others[i]) == 0) return false;
    return strcmp(component->kind, "text") == 0;
}

static const char *find_role(const struct pawl_host_component *components, size_t n,
                             const char *role)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(components[i].role, role) == 0) return components[i].name;
    return NULL;
}

/* The component's name as the host spells it; NULL where the module names none. */
static const char *find_name(const struct pawl_host_component *components, size_t n,
                             const json_t *module, const char *key)
{
    const char *name = json_string_value(json_object_get(module, key));
    for (size_t i = 0; name != NULL && i < n; i++)
        if (strcmp(components[i].name, name) == 0) return components[i].name;
    return NULL;
}

static bool is_taken(const struct pawl_roster *roster, const char *component)
{
    for (size_t m = 0; m < roster->n; m++) {
        const char *instruction = roster->modules[m].instruction;
        if (instruction != NULL && strcmp(instruction, component) == 0) return true;
    }
    return false;
}

/* A program whose fields name no modules, and that has demonstrations, is one. */
static void add_only_module(struct pawl_roster *roster,
                            const struct pawl_host_component *components, size_t n,
                            const json_t *fields, struct pawl_arena *arena)
{
    const char *demos = find_role(components, n, "demos");
    if (demos == NULL) return;
    roster->modules[roster->n++] =
        (struct pawl_roster_module){.name = "",
                                    .instruction = find_role(components, n, "instruction"),
                                    .demos = demos,
                                    .calibration = find_role(components, n, "calibration"),
                                    .fields = pawl_demo_fields_read(fields, arena)};
}

struct pawl_roster pawl_roster_read(struct pawl_host *host, struct pawl_arena *arena)
{
    size_t n;
    const struct pawl_host_component *components = pawl_host_components(host, &n);
    const json_t *fields = pawl_host_fields(host), *list = json_object_get(fields, "modules");
    struct pawl_roster roster = {
        .modules = PAWL_NEW_N(arena, struct pawl_roster_module, json_array_size(list) + n + 1)};
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *module = json_array_get(list, i);
        roster.modules[roster.n++] = (struct pawl_roster_module){
            .name = pawl_json_get_text(module, "name", ""),
            .instruction = find_name(components, n, module, "instruction"),
            .demos = find_name(components, n, module, "demos"),
            .calibration = find_name(components, n, module, "calibration"),
            .fields = pawl_demo_fields_read(module, arena)};
    }
    if (roster.n == 0) add_only_module(&roster, components, n, fields, arena);
    for (size_t i = 0; i < n; i++) {
        if (!pawl_roster_is_prose(&components[i]) || is_taken(&roster, components[i].name))
            continue;
        roster.modules[roster.n++] = (struct pawl_roster_module){.name = components[i].name,
                                                                 .instruction = components[i].name};
    }
    return roster;
}

/* --- saying what it is ----------------------------------------------------------------------------- */

static void add_names(const char **names, size_t n, struct pawl_buf *out)
{
    for (size_t i = 0; i < n; i++) pawl_buf_printf(out, "%s%s", i > 0 ? ", " : "", names[i]);
}

static void add_choices(const struct pawl_demo_fields *fields, struct pawl_buf *out)
{
    for (size_t i = 0; i < fields->n_choices; i++) {
        pawl_buf_add(out, i > 0 ? " | " : " (");
        pawl_buf_add_str(out, fields->choices[i]);
    }
    if (fields->n_choices > 0) pawl_buf_add(out, ")");
}

void pawl_roster_add_signature(const struct pawl_roster_module *module, struct pawl_buf *out)
{
    const struct pawl_demo_fields *fields = &module->fields;
    add_names(fields->inputs, fields->n_inputs, out);
    pawl_buf_add(out, " -> ");
    for (size_t i = 0; i < fields->n_outputs; i++) {
        const char *name = fields->outputs[i];
        pawl_buf_printf(out, "%s%s", i > 0 ? ", " : "", name);
        bool chooses = fields->choices_field != NULL && strcmp(fields->choices_field, name) == 0;
        if (chooses) add_choices(fields, out);
    }
}

void pawl_roster_add_program(struct pawl_host *host, const struct pawl_roster *roster,
                             uint32_t candidate, struct pawl_buf *out)
{
    for (size_t m = 0; m < roster->n; m++) {
        const struct pawl_roster_module *module = &roster->modules[m];
        pawl_buf_printf(out, "Module %zu", m + 1);
        if (module->name[0] != '\0') pawl_buf_printf(out, ", %s", module->name);
        if (module->fields.n_outputs > 0) {
            pawl_buf_add(out, ": ");
            pawl_roster_add_signature(module, out);
        }
        pawl_buf_add(out, "\n");
        if (module->instruction == NULL) continue;
        pawl_buf_add(out, "Its instruction:\n");
        pawl_buf_add_str(out, pawl_host_text(host, candidate, module->instruction));
        pawl_buf_add(out, "\n");
    }
}

/* --- what a module did ------------------------------------------------------------------------------- */

/* Only an entry with an answer is a call that can be shown. */
static bool is_call_of(const json_t *entry, const char *name)
{
    const char *module = json_string_value(json_object_get(entry, "module"));
    return module != NULL && strcmp(module, name) == 0 &&
           json_is_object(json_object_get(entry, "output"));
}

static size_t count_calls(const json_t *trace, const char *name)
{
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(trace); i++)
        n += is_call_of(json_array_get(trace, i), name);
    return n;
}

static const json_t *call_number(const json_t *trace, const char *name, size_t number)
{
    for (size_t i = 0; i < json_array_size(trace); i++) {
        const json_t *entry = json_array_get(trace, i);
        if (is_call_of(entry, name) && number-- == 0) return entry;
    }
    return NULL;
}

/* A program of one module without a name answers with what that module said; no trace is needed to tell. A
 * flow may ask its only module of something else. */
bool pawl_roster_find_call(const struct pawl_roster *roster, size_t module,
                           const json_t *case_input, const struct pawl_host_result *result,
                           struct pawl_random *random, const json_t **input, const json_t **answer)
{
    const char *name = roster->modules[module].name;
    if (roster->n == 1 && (name[0] == '\0' || roster->modules[module].demos == NULL)) {
        *input = case_input;
        *answer = result->output;
        return result->output != NULL;
    }
    size_t n = count_calls(result->trace, name), chosen = n - 1;
    if (n == 0) return false;
    if (n > 1 && pawl_random_below(random, 2) == 0) chosen = pawl_random_below(random, n - 1);
    const json_t *entry = call_number(result->trace, name, chosen);
    *input = json_object_get(entry, "input");
    *answer = json_object_get(entry, "output");
    return true;
}

/* --- candidates ---------------------------------------------------------------------------------------- */

enum { EDITS_PER_MODULE = 3 };

static void add_edit(struct pawl_host_edit *edits, size_t *n, const char *component,
                     struct pawl_str text)
{
    if (component != NULL && text.ptr != NULL)
        edits[(*n)++] = (struct pawl_host_edit){component, text};
}

static bool shows_others(struct pawl_host *host, const struct pawl_roster_module *module,
                         struct pawl_str demos)
{
    return module->demos != NULL && demos.ptr != NULL &&
           !pawl_str_eq(demos, pawl_host_text(host, 0, module->demos));
}

enum pawl_status pawl_roster_draft(struct pawl_host *host, const struct pawl_roster *roster,
                                   const struct pawl_roster_texts *texts, uint32_t *candidate,
                                   struct pawl_error *err)
{
    const uint32_t start = 0;
    size_t n = 0;
    struct pawl_host_edit *edits = pawl_xcalloc(EDITS_PER_MODULE * roster->n + 1, sizeof *edits);
    for (size_t m = 0; m < roster->n; m++) {
        const struct pawl_roster_module *module = &roster->modules[m];
        add_edit(edits, &n, module->instruction, texts[m].instruction);
        add_edit(edits, &n, module->demos, texts[m].demos);
        if (shows_others(host, module, texts[m].demos))
            add_edit(edits, &n, module->calibration, PAWL_STR("{}"));
    }
    enum pawl_status status = PAWL_OK;
    *candidate = start;
    if (n > 0) status = pawl_host_draft(host, &start, 1, edits, n, candidate, err);
    free(edits);
    return status;
}
