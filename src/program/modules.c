#include "program/modules.h"
#include "program/fields.h"

enum { NAME_BYTES_MAX = 32 };

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

enum pawl_status pawl_modules_open(const struct pawl_program_settings *settings,
                                   const json_t *section, struct pawl_arena *arena,
                                   struct pawl_modules *modules, struct pawl_error *err)
{
    const char *name;
    json_t *one;
    modules->n = 0;
    PAWL_TRY(check_modules(section, arena, err));
    json_object_foreach((json_t *)(uintptr_t)section, name, one)
    {
        PAWL_TRY(pawl_module_open(settings, one, name, arena, &modules->list[modules->n], err));
        modules->n++;
    }
    return PAWL_OK;
}

void pawl_modules_close(struct pawl_modules *modules)
{
    for (size_t i = 0; i < modules->n; i++) pawl_module_close(modules->list[i]);
}

size_t pawl_modules_add_components(const struct pawl_modules *modules, struct pawl_component *list,
                                   size_t n)
{
    for (size_t i = 0; i < modules->n; i++)
        n = pawl_module_add_components(modules->list[i], list, n);
    return n;
}

/* --- what they are ------------------------------------------------------------------------------ */

json_t *pawl_modules_fields(const struct pawl_modules *modules,
                            const struct pawl_signature *signature)
{
    json_t *fields = json_object(), *list = json_array();
    for (size_t i = 0; i < modules->n; i++)
        json_array_append_new(list, pawl_module_json(modules->list[i]));
    pawl_json_set(fields, "inputs", pawl_fields_names(signature->inputs, signature->n_inputs));
    pawl_json_set(fields, "outputs", pawl_fields_types(signature->outputs, signature->n_outputs));
    pawl_json_set(fields, "extra", json_array());
    pawl_json_set(fields, "modules", list);
    return fields;
}

json_t *pawl_modules_files(const struct pawl_modules *modules)
{
    json_t *all = NULL;
    for (size_t i = 0; i < modules->n; i++) {
        json_t *files = pawl_module_files(modules->list[i]);
        if (!files) continue;
        if (!all) all = json_object();
        pawl_json_set(all, modules->list[i]->name, files);
    }
    return all;
}

unsigned pawl_modules_roles(const struct pawl_modules *modules)
{
    unsigned bits = 0;
    for (size_t i = 0; i < modules->n; i++) bits |= 1u << modules->list[i]->role;
    return bits;
}

/* Cases are in different modules at a time, so the model that can use most threads has them. */
int pawl_modules_parallel(const struct pawl_modules *modules)
{
    int most = 1;
    for (size_t i = 0; i < modules->n; i++) {
        int useful = pawl_lm_parallel(modules->list[i]->lm, modules->list[i]->role);
        if (useful > most) most = useful;
    }
    return most;
}

/* --- a candidate, and a case ---------------------------------------------------------------------- */

void pawl_modules_prepare(const struct pawl_modules *modules, const struct pawl_artifact *artifact,
                          struct pawl_modules_instance *instance)
{
    instance->of = modules;
    for (size_t i = 0; i < modules->n; i++)
        instance->list[i] = pawl_module_prepare(modules->list[i], artifact);
}

void pawl_modules_release(struct pawl_modules_instance *instance)
{
    for (size_t i = 0; i < instance->of->n; i++) pawl_module_release(instance->list[i]);
}

enum pawl_status pawl_modules_run(const struct pawl_modules_instance *instance, size_t i,
                                  struct pawl_arena *arena, const char *case_id,
                                  const json_t *input, const struct pawl_run_options *how,
                                  struct pawl_outcome *outcome, struct pawl_error *err)
{
    PAWL_TRY(pawl_module_run(instance->list[i], arena, case_id, input, how, outcome, err));
    if (outcome->status != PAWL_OUTCOME_DONE)
        outcome->reason = pawl_arena_printf(arena, "The module \"%s\": %s",
                                            instance->of->list[i]->name, outcome->reason);
    return PAWL_OK;
}

void pawl_modules_add(struct pawl_outcome *sum, const struct pawl_outcome *part)
{
    pawl_usage_add(&sum->usage, &part->usage);
    if (part->trace) json_array_extend(sum->trace, part->trace);
}

json_t *pawl_modules_messages(const struct pawl_modules_instance *instance, const char **fault)
{
    json_t *list = json_array();
    for (size_t i = 0; i < instance->of->n; i++) {
        json_t *said = pawl_module_messages(instance->list[i], fault);
        if (!said) {
            json_decref(list);
            return NULL;
        }
        json_array_append_new(
            list, json_pack("{s:s, s:o}", "module", instance->of->list[i]->name, "messages", said));
    }
    return list;
}

json_t *pawl_modules_select(const json_t *values, const struct pawl_field *fields, size_t n)
{
    json_t *selected = json_object();
    for (size_t i = 0; i < n; i++)
        pawl_json_set(selected, fields[i].name,
                      json_incref(json_object_get(values, fields[i].name)));
    return selected;
}
