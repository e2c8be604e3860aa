/* export: a verdict, which the vault signs, or a prompt, for other tools. */
#include "improve/export.h"

#include "improve/attest.h"
#include "improve/protocol.h"
#include "io/file.h"

#include <stdlib.h>
#include <string.h>

struct export_options {
    const char *format, *id, *file;
};
static const struct pawl_option export_options[] = {
    {"format", PAWL_OPTION_CHOICE, offsetof(struct export_options, format), NULL, 0, 0,
     PAWL_EXPORT_PROMPTS "|" PAWL_ATTEST_FORMATS,
     "the prompt as text, chat messages or DSPy's file; the verdict as in-toto test result or SLSA "
     "summary",
     true},
    PAWL_OPT_TEXT(struct export_options, id, "incumbent", "the artifact"),
    PAWL_OPT_TEXT(struct export_options, file, NULL, "where to write it (default: it is printed)"),
    {0}};

static bool is_about(void *context, const json_t *body)
{
    const json_t *statement = json_object_get(body, "statement");
    return strcmp(pawl_json_get_text(statement, "candidate", ""), context) == 0;
}

/* The newest verdict on this artifact; new reference to its statement. */
static enum pawl_status find_statement(struct pawl_call *call, char *hex, json_t **statement,
                                       struct pawl_error *err)
{
    json_t *body;
    PAWL_TRY(pawl_ledger_find_verdict(call->project->store, is_about, hex, &body, err));
    if (body == NULL) {
        pawl_fail(err, PAWL_ENOTFOUND, "The gate has not judged the artifact %.12s.", hex);
        pawl_hint(err, "`pawl gate %.12s` asks it; `pawl lineage %.12s` shows what is known.", hex,
                  hex);
        return PAWL_ENOTFOUND;
    }
    *statement = json_incref(json_object_get(body, "statement"));
    json_decref(body);
    return PAWL_OK;
}

static enum pawl_status ask_envelope(struct pawl_call *call, const json_t *statement,
                                     const char *format, json_t **envelope, struct pawl_error *err)
{
    enum pawl_attest_format known;
    json_t *done;
    PAWL_ASSERT(pawl_attest_find(format, &known));
    json_t *request = json_pack("{s:s, s:s, s:O}", "op", "attest", "format", format, "attempt",
                                json_object_get(statement, "attempt"));
    PAWL_TRY(pawl_front_ask(call, PAWL_ROLE_VAULT_NAME, request, &done, err));
    *envelope = json_incref(json_object_get(done, "envelope"));
    json_decref(done);
    enum pawl_status status = pawl_attest_verify(*envelope, statement, known, err);
    if (status != PAWL_OK) json_decref(*envelope);
    return status;
}

static enum pawl_status write_envelope(const json_t *envelope, const char *file,
                                       struct pawl_error *err)
{
    char *text = pawl_json_text(envelope);
    enum pawl_status status = pawl_file_write_atomic(file, pawl_str_of(text), 0644, err);
    free(text);
    return status;
}

static enum pawl_status export_verdict(struct pawl_call *call, const struct export_options *options,
                                       char *hex, struct pawl_error *err)
{
    json_t *statement, *envelope;
    PAWL_TRY(find_statement(call, hex, &statement, err));
    enum pawl_status status = ask_envelope(call, statement, options->format, &envelope, err);
    if (status == PAWL_OK) {
        if (options->file != NULL) status = write_envelope(envelope, options->file, err);
        pawl_json_set(call->result, "artifact", json_string(hex));
        pawl_json_set(call->result, "attempt", json_incref(json_object_get(statement, "attempt")));
        pawl_json_set(call->result, "verdict", json_incref(json_object_get(statement, "verdict")));
        pawl_json_set(call->result, "format", json_string(options->format));
        pawl_json_set(call->result, "file",
                      options->file != NULL ? json_string(options->file) : json_null());
        pawl_json_set(call->result, "envelope", envelope);
    }
    json_decref(statement);
    return status;
}

static enum pawl_status export_prompt(struct pawl_call *call, const struct export_options *options,
                                      struct pawl_error *err)
{
    char hex[PAWL_HASH_HEX];
    struct pawl_artifact *artifact;
    struct pawl_str document;
    PAWL_TRY(pawl_front_load_in_force(call, options->id, hex, &artifact, err));
    PAWL_TRY(pawl_export_prompt(call, artifact, options->format, &document, err));
    pawl_json_set(call->result, "artifact", json_string(hex));
    pawl_json_set(call->result, "file",
                  options->file != NULL ? json_string(options->file) : json_null());
    if (options->file != NULL) return pawl_file_write_atomic(options->file, document, 0644, err);
    pawl_json_set(call->result, "document", pawl_json_string(document));
    return PAWL_OK;
}

static enum pawl_status run_export(struct pawl_call *call, const void *values,
                                   struct pawl_error *err)
{
    const struct export_options *options = values;
    char hex[PAWL_HASH_HEX];
    enum pawl_attest_format known;
    if (options->file != NULL) PAWL_TRY(pawl_front_check_output(call->project, options->file, err));
    if (!pawl_attest_find(options->format, &known)) return export_prompt(call, options, err);
    PAWL_TRY(pawl_front_find(call->project, options->id, hex, err));
    return export_verdict(call, options, hex, err);
}

const struct pawl_verb pawl_verb_export = {
    .name = "export",
    .summary = "a prompt, or a signed verdict, for other tools",
    .positional = "format id file",
    .example = "pawl export slsa incumbent verdict.json",
    .needs_project = true,
    .needs_store = true,
    .options = export_options,
    .options_bytes = sizeof(struct export_options),
    .run = run_export,
};
