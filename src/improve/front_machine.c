/* doctor: what this machine has, and what should be mended. */
#include "improve/front.h"

#include "improve/protocol.h"
#include "improve/vault_user.h"
#include "io/file.h"

#include <string.h>
#include <unistd.h>

struct doctor_options {
    bool tune, install_vault, uninstall_vault;
    const char *model;
};
static const struct pawl_option doctor_options[] = {
    PAWL_OPT_BOOL(struct doctor_options, tune, "false",
                  "measure threads, batches and weights of the models that run here, and keep what "
                  "is fastest (half a minute a model)"),
    PAWL_OPT_BOOL(struct doctor_options, install_vault, "false",
                  "give the vault a user of its own, as root; else print what root would run"),
    PAWL_OPT_BOOL(struct doctor_options, uninstall_vault, "false",
                  "take that user away again, where no vault is kept with it"),
    PAWL_OPT_TEXT(struct doctor_options, model, NULL, "with --tune: the one model to measure"),
    {0}};

/* --- doctor -------------------------------------------------------------------------------------- */

static void add_problem(json_t *problems, const char *what, const char *remedy)
{
    json_array_append_new(problems, json_pack("{s:s, s:s}", "problem", what, "remedy", remedy));
}

/* The kernel keeps the engine from the configured case files; it cannot know of other copies. */
static void find_problems(struct pawl_call *call, const json_t *described, json_t *problems)
{
    const char *level = pawl_json_get_text(json_object_get(described, "sandbox"), "level", "S0");
    size_t i;
    json_t *file;
    if (strcmp(level, "S2") < 0)
        add_problem(problems, "The kernel does not confine the engine (no Landlock or seccomp).",
                    "Use a kernel with Landlock (5.13 or newer); certificates name the level.");
    json_t *files = pawl_front_movable_cases(call);
    json_array_foreach(files, i, file)
    {
        char *what =
            pawl_arena_printf(&call->arena, "%s holds sealed cases and lies inside the project.",
                              json_string_value(file));
        add_problem(problems, what,
                    "`pawl init --move-cases` moves it out; until then only the kernel keeps the "
                    "engine from it.");
    }
    json_decref(files);
}

/* Copies are looked for by hash: one that was changed is not found. */
static enum pawl_status find_copies(struct pawl_call *call, json_t *problems,
                                    struct pawl_error *err)
{
    json_t *copies, *path;
    size_t i;
    PAWL_TRY(pawl_front_case_copies(call, &copies, err));
    json_array_foreach(json_object_get(copies, "found"), i, path)
    {
        add_problem(problems,
                    pawl_arena_printf(&call->arena, "%s is a copy of sealed cases.",
                                      json_string_value(path)),
                    "Remove it: operators can read what lies in the project, and certificates "
                    "name it.");
    }
    if (!pawl_json_get_bool(copies, "complete", false))
        add_problem(problems, "The search for copies of the sealed cases is not complete.",
                    "It stops after 50,000 entries or 1 GiB, and knows files sealed by this "
                    "version: run `pawl init` again, or move big folders out of the project.");
    pawl_json_set(call->result, "case_copies", copies);
    return PAWL_OK;
}

static bool uses_gpu(const json_t *tuned)
{
    const char *name;
    json_t *one;
    json_object_foreach(json_object_get(tuned, "tuning"), name, one)
    {
        if (pawl_json_get_bool(json_object_get(one, "in_use"), "gpu", false)) return true;
    }
    return false;
}

/* What the engine keeps of this machine. A model that cannot be read is only a problem of it, unless
 * somebody wanted it measured. */
static enum pawl_status look_at_tuning(struct pawl_call *call, const struct doctor_options *options,
                                       json_t *problems, struct pawl_error *err)
{
    if (options->model && !options->tune) {
        pawl_fail(err, PAWL_EUSAGE, "--model names the model that --tune measures.");
        pawl_hint(err, "E.g. `pawl doctor --tune --model %s`.", options->model);
        return PAWL_EUSAGE;
    }
    json_t *tuned, *request = json_object();
    pawl_json_set(request, "op", json_string("tune"));
    pawl_json_set(request, "measure", json_boolean(options->tune));
    if (options->model) pawl_json_set(request, "model", json_string(options->model));
    struct pawl_error why = {0};
    enum pawl_status status = pawl_front_ask(call, PAWL_ROLE_ENGINE_NAME, request, &tuned, &why);
    if (status == PAWL_OK) {
        json_object_update(call->result, tuned);
        pawl_json_set(call->result, "gpu", json_string(uses_gpu(tuned) ? "in use" : "none"));
        json_decref(tuned);
    } else if (options->tune || status == PAWL_EPAUSED) {
        *err = why;
        return status;
    } else {
        pawl_json_set(call->result, "tuning", json_object());
        add_problem(problems, why.message, why.hint);
    }
    return PAWL_OK;
}

static enum pawl_status run_doctor(struct pawl_call *call, const void *values,
                                   struct pawl_error *err)
{
    const struct doctor_options *options = values;
    if (options->install_vault) return pawl_vault_user_install(call, err);
    if (options->uninstall_vault) return pawl_vault_user_uninstall(call, err);
    json_t *described, *problems = json_array();
    pawl_json_set(call->result, "version", json_string(PAWL_VERSION));
    pawl_json_set(call->result, "models", pawl_front_models(&call->arena));
    pawl_json_set(call->result, "threads", json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
    pawl_json_set(call->result, "problems", problems);
    PAWL_TRY(pawl_front_ask(call, PAWL_ROLE_ENGINE_NAME, json_pack("{s:s}", "op", "describe"),
                            &described, err));
    const json_t *sandbox = json_object_get(described, "sandbox");
    pawl_json_set(call->result, "sandbox_level",
                  json_string(pawl_json_get_text(sandbox, "level", "S0")));
    pawl_json_set(call->result, "gpu", json_string("none"));
    find_problems(call, described, problems);
    json_object_update_missing(call->result, described);
    json_decref(described);
    PAWL_TRY(look_at_tuning(call, options, problems, err));
    json_t *seal = NULL;
    if (pawl_front_store(call->project, false, NULL) == PAWL_OK)
        PAWL_TRY(pawl_store_meta_get(call->project->store, "seal", &seal, err));
    pawl_json_set(call->result, "custody",
                  json_string(pawl_json_get_text(seal, "custody", "nothing is sealed yet")));
    pawl_json_set(call->result, "vault_user", pawl_vault_user_json(call->project));
    bool sealed = seal != NULL;
    json_decref(seal);
    return sealed ? find_copies(call, problems, err) : PAWL_OK;
}

const struct pawl_verb pawl_verb_doctor = {
    .name = "doctor",
    .summary = "what works here, and what should be mended",
    .positional = "",
    .example = "pawl doctor --tune",
    .needs_project = true,
    .options = doctor_options,
    .options_bytes = sizeof(struct doctor_options),
    .run = run_doctor,
};
