/* The reading verbs: validate, log, show, diff, lineage, status. They change nothing. */
#include "improve/front.h"

#include "improve/approval.h"
#include "improve/protocol.h"
#include "improve/quarantine.h"
#include "improve/state.h"

#include <string.h>

/* --- validate -------------------------------------------------------------------------------- */

static enum pawl_status run_validate(struct pawl_call *call, const void *values,
                                     struct pawl_error *err)
{
    json_t *done, *request;
    (void)values;
    PAWL_TRY(pawl_front_ask(call, PAWL_ROLE_ENGINE_NAME, json_pack("{s:s}", "op", "validate"),
                            &done, err));
    json_decref(done);
    PAWL_TRY(pawl_front_sealing(call, "check", &request, err));
    PAWL_TRY(pawl_front_ask(call, PAWL_ROLE_VAULT_NAME, request, &done, err));
    pawl_json_set(call->result, "fixed", json_incref(json_object_get(done, "fixed")));
    json_decref(done);
    pawl_json_set(call->result, "ok", json_true());
    pawl_json_set(call->result, "project", json_string(call->project->config.name));
    return PAWL_OK;
}

static const struct pawl_option no_options[] = {{0}};

const struct pawl_verb pawl_verb_validate = {
    .name = "validate",
    .summary = "check the configuration and the files it names",
    .positional = "",
    .example = "pawl validate",
    .needs_project = true,
    .options = no_options,
    .run = run_validate,
};

/* --- log -------------------------------------------------------------------------------------- */

struct log_options {
    int64_t limit;
};
static const struct pawl_option log_options[] = {
    PAWL_OPT_INT(struct log_options, limit, "20", 1, 100000, "newest runs to show"), {0}};

static json_t *run_line(const json_t *row)
{
    static const char *const shown[] = {"best", "verdict", "evaluations", "usd", "certificate"};
    const json_t *run = json_object_get(row, "run");
    const json_t *result = json_object_get(row, "result");
    json_t *line = json_object();
    pawl_json_set(line, "run", json_incref(json_object_get(row, "id")));
    pawl_json_set(line, "state", json_incref(json_object_get(row, "state")));
    pawl_json_set(line, "started_ms", json_incref(json_object_get(row, "started_ms")));
    pawl_json_set(line, "operator", json_incref(json_object_get(run, "operator")));
    pawl_json_set(line, "seed", json_incref(json_object_get(run, "seed")));
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        json_t *value = json_object_get(result, shown[i]);
        pawl_json_set(line, shown[i], value != NULL ? json_incref(value) : json_null());
    }
    return line;
}

static enum pawl_status run_log(struct pawl_call *call, const void *values, struct pawl_error *err)
{
    const struct log_options *options = values;
    json_t *rows, *lines = json_array();
    enum pawl_status status = pawl_store_runs(call->project->store, &rows, err);
    size_t n = status == PAWL_OK ? json_array_size(rows) : 0;
    for (size_t i = 0; i < n && i < (size_t)options->limit; i++)
        json_array_append_new(lines, run_line(json_array_get(rows, n - 1 - i)));
    pawl_json_set(call->result, "runs", lines);
    if (status == PAWL_OK) json_decref(rows);
    return status;
}

const struct pawl_verb pawl_verb_log = {
    .name = "log",
    .summary = "runs, newest first",
    .positional = "",
    .example = "pawl log --limit 5",
    .needs_project = true,
    .needs_store = true,
    .options = log_options,
    .options_bytes = sizeof(struct log_options),
    .run = run_log,
};

/* --- show, diff, lineage ------------------------------------------------------------------------ */

struct id_options {
    const char *id;
};
static const struct pawl_option id_options[] = {
    PAWL_OPT_TEXT(struct id_options, id, "incumbent", "an id, incumbent, anchor, seed or RUN/best"),
    {0}};

static enum pawl_status load(struct pawl_call *call, const char *id,
                             struct pawl_artifact **artifact, struct pawl_error *err)
{
    char hex[PAWL_HASH_HEX];
    PAWL_TRY(pawl_front_find(call->project, id, hex, err));
    return pawl_artifact_get(call->project->store, &call->arena, hex, artifact, err);
}

static enum pawl_status state_of(struct pawl_project *project, const char *hex,
                                 enum pawl_state *state, struct pawl_error *err)
{
    json_t *records;
    PAWL_TRY(pawl_ledger_records(project->store, &records, err));
    size_t n = json_array_size(records);
    const json_t *last = n > 0 ? json_array_get(records, n - 1) : NULL;
    struct pawl_ledger_head head = {.seq = (int64_t)n - 1,
                                    .ts_ms = pawl_json_get_int(last, "ts", 0)};
    enum pawl_status status =
        pawl_state_of(records, pawl_front_now_ms(project, &head), hex, state, err);
    json_decref(records);
    return status;
}

/* Where a candidate stands by the ledger: results "state" and "quarantine", what holds it, or null. Null
 * where the ledger is damaged, which keeps nobody from reading the rest. */
static void add_state(struct pawl_call *call, const char *hex)
{
    enum pawl_state state;
    bool is_known = state_of(call->project, hex, &state, NULL) == PAWL_OK;
    pawl_json_set(call->result, "state",
                  is_known ? json_string(pawl_state_name(state)) : json_null());
    json_t *held = NULL;
    bool is_held = pawl_quarantine_find(call->project->store, hex, &held, NULL) == PAWL_OK && held;
    pawl_json_set(call->result, "quarantine", is_held ? held : json_null());
}

static enum pawl_status run_show(struct pawl_call *call, const void *values, struct pawl_error *err)
{
    const struct id_options *options = values;
    struct pawl_artifact *artifact;
    PAWL_TRY(load(call, options->id, &artifact, err));
    json_t *components = json_array();
    for (size_t i = 0; i < artifact->n_components; i++) {
        const struct pawl_component *c = &artifact->components[i];
        char hex[PAWL_HASH_HEX];
        struct pawl_hash hash = pawl_hash_str(c->text);
        pawl_hash_hex(&hash, hex);
        json_t *shown = json_pack("{s:s, s:s, s:s, s:s}", "name", c->name, "kind", c->kind, "role",
                                  c->role, "hash", hex);
        pawl_json_set(shown, "text", pawl_json_string(c->text));
        json_array_append_new(components, shown);
    }
    pawl_json_set(call->result, "artifact", json_string(artifact->hex));
    pawl_json_set(call->result, "components", components);
    add_state(call, artifact->hex);
    return PAWL_OK;
}

const struct pawl_verb pawl_verb_show = {
    .name = "show",
    .summary = "the components of an artifact",
    .positional = "id",
    .example = "pawl show incumbent",
    .needs_project = true,
    .needs_store = true,
    .options = id_options,
    .options_bytes = sizeof(struct id_options),
    .run = run_show,
};

enum { DIFF_BYTES_MAX = 16 << 20 };

struct diff_options {
    const char *a, *b;
};
static const struct pawl_option diff_options[] = {
    PAWL_OPT_TEXT(struct diff_options, a, "seed", "before: an id"),
    PAWL_OPT_TEXT(struct diff_options, b, "incumbent", "after: an id"),
    {0}};

static enum pawl_status run_diff(struct pawl_call *call, const void *values, struct pawl_error *err)
{
    const struct diff_options *options = values;
    struct pawl_artifact *a, *b;
    PAWL_TRY(load(call, options->a, &a, err));
    PAWL_TRY(load(call, options->b, &b, err));
    struct pawl_buf diff = PAWL_BUF(DIFF_BYTES_MAX);
    pawl_artifact_diff(a, b, &diff);
    pawl_json_set(call->result, "a", json_string(a->hex));
    pawl_json_set(call->result, "b", json_string(b->hex));
    pawl_json_set(call->result, "equal", json_boolean(strcmp(a->hex, b->hex) == 0));
    pawl_json_set(call->result, "diff", pawl_json_string(pawl_buf_str(&diff)));
    pawl_buf_release(&diff);
    return PAWL_OK;
}

const struct pawl_verb pawl_verb_diff = {
    .name = "diff",
    .summary = "what changed between two artifacts, component by component",
    .positional = "a b",
    .example = "pawl diff seed incumbent",
    .needs_project = true,
    .needs_store = true,
    .options = diff_options,
    .options_bytes = sizeof(struct diff_options),
    .run = run_diff,
};

static enum pawl_status verdicts_on(struct pawl_project *project, const char *hex, json_t *out,
                                    struct pawl_error *err)
{
    json_t *records, *record;
    size_t i;
    PAWL_TRY(pawl_ledger_records(project->store, &records, err));
    json_array_foreach(records, i, record)
    {
        const json_t *statement = json_object_get(json_object_get(record, "body"), "statement");
        if (strcmp(pawl_json_get_text(record, "kind", ""), "verdict") != 0) continue;
        if (strcmp(pawl_json_get_text(statement, "candidate", ""), hex) != 0) continue;
        json_array_append_new(out, json_pack("{s:O, s:O, s:O, s:O}", "seq",
                                             json_object_get(record, "seq"), "attempt",
                                             json_object_get(statement, "attempt"), "verdict",
                                             json_object_get(statement, "verdict"), "incumbent",
                                             json_object_get(statement, "incumbent")));
    }
    json_decref(records);
    return PAWL_OK;
}

/* Whose candidate each is; null where its run is not known here. */
static void name_operators(struct pawl_project *project, json_t *candidates)
{
    size_t i;
    json_t *candidate;
    json_array_foreach(candidates, i, candidate)
    {
        json_t *row = NULL;
        const char *run = pawl_json_get_text(candidate, "run", "");
        if (pawl_store_run_get(project->store, run, &row, NULL) != PAWL_OK) row = NULL;
        json_t *name = json_object_get(json_object_get(row, "run"), "operator");
        pawl_json_set(candidate, "operator", name != NULL ? json_incref(name) : json_null());
        json_decref(row);
    }
}

/* Who said what on its promotions: [{attempt,kind,name,reason,ts}], oldest first. */
static enum pawl_status words_on(struct pawl_project *project, const char *hex, json_t *out,
                                 struct pawl_error *err)
{
    struct pawl_approvals all;
    size_t i;
    json_t *word;
    PAWL_TRY(pawl_approvals_read(project, &all, NULL, err));
    for (size_t n = 0; n < all.n; n++) {
        if (strcmp(pawl_approval_text(&all.items[n], "candidate"), hex) != 0) continue;
        json_array_foreach(all.items[n].words, i, word)
        {
            pawl_json_set(word, "attempt", json_integer(all.items[n].attempt));
            json_array_append(out, word);
        }
    }
    pawl_approvals_release(&all);
    return PAWL_OK;
}

static enum pawl_status run_lineage(struct pawl_call *call, const void *values,
                                    struct pawl_error *err)
{
    const struct id_options *options = values;
    char hex[PAWL_HASH_HEX];
    json_t *candidates;
    PAWL_TRY(pawl_front_find(call->project, options->id, hex, err));
    PAWL_TRY(pawl_store_candidates_of(call->project->store, hex, &candidates, err));
    name_operators(call->project, candidates);
    pawl_json_set(call->result, "artifact", json_string(hex));
    pawl_json_set(call->result, "candidates", candidates);
    json_t *verdicts = json_array();
    enum pawl_status status = verdicts_on(call->project, hex, verdicts, err);
    pawl_json_set(call->result, "verdicts", verdicts);
    json_t *words = json_array();
    if (status == PAWL_OK) status = words_on(call->project, hex, words, err);
    pawl_json_set(call->result, "approvals", words);
    add_state(call, hex);
    return status;
}

const struct pawl_verb pawl_verb_lineage = {
    .name = "lineage",
    .summary = "where an artifact comes from, and what the gate said of it",
    .positional = "id",
    .example = "pawl lineage incumbent",
    .needs_project = true,
    .needs_store = true,
    .options = id_options,
    .options_bytes = sizeof(struct id_options),
    .run = run_lineage,
};

/* --- status --------------------------------------------------------------------------------------- */

static enum pawl_status run_status(struct pawl_call *call, const void *values,
                                   struct pawl_error *err)
{
    struct pawl_project *project = call->project;
    char incumbent[PAWL_HASH_HEX], anchor[PAWL_HASH_HEX];
    struct pawl_ledger_report report;
    json_t *rows, *vault;
    (void)values;
    PAWL_TRY(pawl_front_pointer(project, "incumbent", incumbent, err));
    PAWL_TRY(pawl_front_pointer(project, "anchor", anchor, err));
    PAWL_TRY(pawl_ledger_verify(project->store, &report, err));
    PAWL_TRY(pawl_front_vault_status(call, &vault, err));
    enum pawl_status status = pawl_store_runs(project->store, &rows, err);
    size_t n_runs = status == PAWL_OK ? json_array_size(rows) : 0;
    if (status == PAWL_OK) json_decref(rows);
    pawl_json_set(call->result, "incumbent", json_string(incumbent));
    pawl_json_set(call->result, "anchor", json_string(anchor));
    pawl_json_set(call->result, "runs", json_integer((json_int_t)n_runs));
    pawl_json_set(call->result, "attempts", json_incref(json_object_get(vault, "attempts")));
    pawl_json_set(call->result, "epoch", json_incref(json_object_get(vault, "epoch")));
    pawl_json_set(call->result, "wear", json_incref(json_object_get(vault, "wear")));
    pawl_json_set(
        call->result, "ledger",
        json_pack("{s:I, s:s}", "records", (json_int_t)report.records, "root", report.root));
    json_t *pending = NULL;
    if (status == PAWL_OK) status = pawl_approvals_pending(project, &pending, err);
    if (pending != NULL) pawl_json_set(call->result, "pending_approvals", pending);
    json_t *held = NULL;
    if (status == PAWL_OK) status = pawl_quarantine_list(project->store, &held, err);
    if (held != NULL) pawl_json_set(call->result, "quarantined", held);
    pawl_json_set(call->result, "fixed", json_incref(json_object_get(vault, "fixed")));
    json_decref(vault);
    add_state(call, incumbent);
    return status;
}

const struct pawl_verb pawl_verb_status = {
    .name = "status",
    .summary = "what is in force, and how worn the sealed set is",
    .positional = "",
    .example = "pawl status",
    .needs_project = true,
    .needs_store = true,
    .options = no_options,
    .run = run_status,
};
