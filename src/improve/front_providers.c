/*
 * Who may be sent sealed prompts. A model of a remote provider sees every sealed case that it answers;
 * so a person agrees to each provider by name, the ledger says so, and an attempt with another one
 * is refused before it is counted.
 */
#include "improve/front.h"

#include "improve/protocol.h"
#include "improve/statement.h"

#include <string.h>

/* [{"provider","roles"}] as the configuration and the environment are now. */
static enum pawl_status current_providers(struct pawl_call *call, json_t **providers,
                                          struct pawl_error *err)
{
    json_t *done;
    *providers = NULL;
    PAWL_TRY(pawl_front_ask(call, PAWL_ROLE_ENGINE_NAME, json_pack("{s:s}", "op", "validate"),
                            &done, err));
    *providers = json_incref(json_object_get(done, "providers"));
    json_decref(done);
    return PAWL_OK;
}

/* {provider: true} of all that somebody agreed to, from the ledger alone. */
static enum pawl_status agreed_providers(struct pawl_project *project, json_t **agreed,
                                         struct pawl_error *err)
{
    json_t *records, *record, *item;
    size_t i, k;
    PAWL_TRY(pawl_ledger_records(project->store, &records, err));
    *agreed = json_object();
    json_array_foreach(records, i, record)
    {
        const char *kind = pawl_json_get_text(record, "kind", "");
        if (strcmp(kind, "seal") != 0 && strcmp(kind, "consent") != 0) continue;
        json_array_foreach(json_object_get(json_object_get(record, "body"), "providers"), k, item)
            pawl_json_set(*agreed, pawl_json_get_text(item, "provider", ""), json_true());
    }
    json_decref(records);
    return PAWL_OK;
}

/* Those of `providers` that are not agreed to. New reference. */
static json_t *not_agreed(const json_t *providers, const json_t *agreed)
{
    json_t *missing = json_array(), *item;
    size_t i;
    json_array_foreach((json_t *)providers, i, item)
    {
        if (json_object_get(agreed, pawl_json_get_text(item, "provider", "")) == NULL)
            json_array_append(missing, item);
    }
    return missing;
}

/* "api.openai.com (task, judge), ..." */
static const char *names_of(const json_t *providers, struct pawl_arena *arena)
{
    const char *text = "";
    json_t *item, *role;
    size_t i, k;
    json_array_foreach((json_t *)providers, i, item)
    {
        text = pawl_arena_printf(arena, "%s%s%s (", text, i > 0 ? ", " : "",
                                 pawl_json_get_text(item, "provider", ""));
        json_array_foreach(json_object_get(item, "roles"), k, role) text =
            pawl_arena_printf(arena, "%s%s%s", text, k > 0 ? ", " : "", json_string_value(role));
        text = pawl_arena_printf(arena, "%s)", text);
    }
    return text;
}

static enum pawl_status refuse(const char *names, struct pawl_error *err)
{
    pawl_fail(err, PAWL_EUSAGE,
              "Sealed prompts would leave this machine: %s. Nobody agreed to that.", names);
    pawl_hint(err, "Agree with `pawl init --allow-remote`, which is recorded and shown on "
                   "certificates, or use a local model.");
    return PAWL_EUSAGE;
}

enum pawl_status pawl_front_agree(struct pawl_call *call, const json_t *providers, bool allowed,
                                  struct pawl_error *err)
{
    if (json_array_size(providers) == 0 || allowed) return PAWL_OK;
    const char *names = names_of(providers, &call->arena);
    const struct pawl_watch *watch = call->watch;
    if (watch == NULL || watch->ask == NULL) return refuse(names, err);
    const char *question = pawl_arena_printf(&call->arena,
                                             "Sealed prompts will leave this machine: %s.\nThe "
                                             "provider sees the inputs of sealed cases, "
                                             "never their targets. Agree?",
                                             names);
    return watch->ask(watch->context, question) ? PAWL_OK : refuse(names, err);
}

enum pawl_status pawl_front_agree_again(struct pawl_call *call, bool allowed,
                                        struct pawl_error *err)
{
    json_t *providers, *agreed;
    if (pawl_config_all_scripted(&call->project->config)) return PAWL_OK;
    PAWL_TRY(current_providers(call, &providers, err));
    enum pawl_status status = agreed_providers(call->project, &agreed, err);
    if (status == PAWL_OK) {
        json_t *missing = not_agreed(providers, agreed);
        status = pawl_front_agree(call, missing, allowed, err);
        if (status == PAWL_OK && json_array_size(missing) > 0) {
            json_t *body = json_pack("{s:O}", "providers", missing);
            struct pawl_ledger_entry entry = {.kind = "consent", .body = body};
            status = pawl_ledger_append(call->project, &entry, err);
            json_decref(body);
        }
        json_decref(missing);
        json_decref(agreed);
    }
    json_decref(providers);
    return status;
}

enum pawl_status pawl_front_timing_channel(struct pawl_call *call, struct pawl_error *err)
{
    json_t *done;
    pawl_json_set(call->result, "timing_channel", json_null());
    if (pawl_config_all_scripted(&call->project->config)) return PAWL_OK;
    PAWL_TRY(pawl_front_ask(call, PAWL_ROLE_ENGINE_NAME, json_pack("{s:s}", "op", "validate"),
                            &done, err));
    const char *timing = pawl_statement_timing(json_object_get(done, "served_here"), &call->arena);
    if (timing != NULL) pawl_json_set(call->result, "timing_channel", json_string(timing));
    json_decref(done);
    return PAWL_OK;
}

enum pawl_status pawl_front_check_providers(struct pawl_call *call, json_t **providers,
                                            struct pawl_error *err)
{
    json_t *agreed;
    *providers = json_array();
    if (pawl_config_all_scripted(&call->project->config)) return PAWL_OK;
    json_decref(*providers);
    PAWL_TRY(current_providers(call, providers, err));
    enum pawl_status status = agreed_providers(call->project, &agreed, err);
    if (status == PAWL_OK) {
        json_t *missing = not_agreed(*providers, agreed);
        if (json_array_size(missing) > 0) status = refuse(names_of(missing, &call->arena), err);
        json_decref(missing);
        json_decref(agreed);
    }
    if (status != PAWL_OK) json_decref(*providers);
    return status;
}
