/* eval and run: score an artifact on visible cases; answer single inputs. */
#include "improve/front.h"

#include "improve/protocol.h"
#include "io/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct eval_options {
    const char *artifact, *tier, *cases, *per_case, *baseline;
    int64_t limit, samples;
    double fail_under;
    bool burn;
};
static const struct pawl_option eval_options[] = {
    PAWL_OPT_TEXT(struct eval_options, artifact, "incumbent", "what to score: an id"),
    PAWL_OPT_CHOICE(struct eval_options, tier, "dev", "train|dev", "which visible cases"),
    PAWL_OPT_TEXT(struct eval_options, cases, NULL, "a case file of your own instead of a tier"),
    PAWL_OPT_INT(struct eval_options, limit, "0", 0, 1e9, "only the first N cases (0: all)"),
    PAWL_OPT_INT(struct eval_options, samples, "1", 1, 100, "answers per case"),
    PAWL_OPT_TEXT(struct eval_options, per_case, NULL, "write one JSON line per case to this file"),
    PAWL_OPT_REAL(struct eval_options, fail_under, "-1", -1, 1, "exit 1 when the mean is below"),
    PAWL_OPT_TEXT(struct eval_options, baseline, NULL,
                  "exit 1 when the mean is below this artifact's"),
    PAWL_OPT_BOOL(struct eval_options, burn, "false",
                  "score --cases even if sealed ones are among them; recorded, and ends the life "
                  "of the sealed set"),
    {0}};

/* Rows go to a temporary sibling that takes the file's name only when all are there. */
struct rows {
    FILE *file;
    const char *path, *temporary;
};

static enum pawl_status write_row(void *context, struct pawl_front_worker *worker,
                                  const json_t *message, struct pawl_error *err)
{
    struct rows *rows = context;
    const json_t *row = json_object_get(message, "row");
    (void)worker;
    if (row == NULL) return pawl_fail(err, PAWL_EWORLD, "The engine said something unexpected.");
    if (rows->file == NULL) return PAWL_OK;
    char *text = pawl_json_text(row);
    int failed = fprintf(rows->file, "%s\n", text) < 0;
    pawl_free(text);
    return failed ? pawl_fail(err, PAWL_EWORLD, "%s cannot be written.", rows->temporary) : PAWL_OK;
}

static enum pawl_status close_rows(struct rows *rows, enum pawl_status status,
                                   struct pawl_error *err)
{
    if (rows->file == NULL) return status;
    if (fclose(rows->file) != 0 && status == PAWL_OK)
        status = pawl_fail(err, PAWL_EWORLD, "%s cannot be written.", rows->temporary);
    if (status == PAWL_OK && rename(rows->temporary, rows->path) != 0)
        status = pawl_fail(err, PAWL_EWORLD, "%s cannot be written.", rows->path);
    if (status != PAWL_OK) unlink(rows->temporary);
    return status;
}

static enum pawl_status evaluate(struct pawl_call *call, const char *hex,
                                 const struct eval_options *options, struct rows *rows,
                                 json_t **done, struct pawl_error *err)
{
    struct pawl_artifact *artifact;
    struct pawl_front_worker engine;
    PAWL_TRY(pawl_artifact_get(call->project->store, &call->arena, hex, &artifact, err));
    json_t *request = json_pack("{s:s, s:s, s:I, s:I, s:b}", "op", "evaluate", "tier",
                                options->tier, "limit", (json_int_t)options->limit, "samples",
                                (json_int_t)options->samples, "per_case", rows->file != NULL);
    pawl_json_set(request, "artifact", pawl_artifact_json(artifact));
    json_t *read = json_array();
    if (options->cases != NULL) {
        char *path = realpath(options->cases, NULL);
        pawl_json_set(request, "file", json_string(path));
        json_array_append_new(read, json_string(path));
        free(path);
    }
    enum pawl_status status = pawl_front_start(call->project, PAWL_ROLE_ENGINE_NAME,
                                               (struct pawl_front_fds){0}, read, &engine, err);
    json_decref(read);
    if (status != PAWL_OK) {
        json_decref(request);
        return status;
    }
    status = pawl_front_request(call, &engine, request, write_row, rows, done, err);
    pawl_front_end(&engine);
    return status;
}

/* Exit 1 under a bound; the result is given all the same. */
static enum pawl_status judge(struct pawl_call *call, const struct eval_options *options,
                              double mean, struct pawl_error *err)
{
    if (options->fail_under >= 0 && mean < options->fail_under)
        return pawl_fail(err, PAWL_ENOTPROMOTED, "The mean %.4f is below %.4f.", mean,
                         options->fail_under);
    if (options->baseline == NULL) return PAWL_OK;
    char hex[PAWL_HASH_HEX];
    json_t *done;
    struct rows none = {0};
    PAWL_TRY(pawl_front_find(call->project, options->baseline, hex, err));
    PAWL_TRY(evaluate(call, hex, options, &none, &done, err));
    double baseline = pawl_json_get_real(done, "mean", 0);
    json_t *shown = json_pack("{s:s, s:O}", "artifact", hex, "mean", json_object_get(done, "mean"));
    pawl_json_set(call->result, "baseline", shown);
    json_decref(done);
    if (mean >= baseline) return PAWL_OK;
    return pawl_fail(err, PAWL_ENOTPROMOTED, "The mean %.4f is below the baseline's %.4f.", mean,
                     baseline);
}

static enum pawl_status open_rows(struct pawl_call *call, const char *path, struct rows *rows,
                                  struct pawl_error *err)
{
    if (path == NULL) return PAWL_OK;
    PAWL_TRY(pawl_front_check_output(call->project, path, err));
    rows->path = path;
    rows->temporary = pawl_arena_printf(&call->arena, "%s.part", path);
    rows->file = fopen(rows->temporary, "wxe");
    if (rows->file == NULL)
        return pawl_fail(err, PAWL_EWORLD, "The file %s cannot be made.", rows->temporary);
    return PAWL_OK;
}

static enum pawl_status run_eval(struct pawl_call *call, const void *values, struct pawl_error *err)
{
    const struct eval_options *options = values;
    char hex[PAWL_HASH_HEX];
    struct rows rows = {0};
    json_t *done = NULL;
    PAWL_TRY(pawl_front_find(call->project, options->artifact, hex, err));
    if (options->cases != NULL)
        PAWL_TRY(pawl_front_admit_cases(call, options->cases, options->burn, err));
    PAWL_TRY(open_rows(call, options->per_case, &rows, err));
    enum pawl_status status =
        close_rows(&rows, evaluate(call, hex, options, &rows, &done, err), err);
    if (status != PAWL_OK) {
        json_decref(done);
        return status;
    }
    json_object_update(call->result, done);
    json_object_del(call->result, "behaviour");
    json_object_del(call->result, "pace_us");
    pawl_json_set(call->result, "artifact", json_string(hex));
    pawl_json_set(call->result, "tier",
                  json_string(options->cases != NULL ? "file" : options->tier));
    double mean = pawl_json_get_real(done, "mean", 0);
    json_decref(done);
    return judge(call, options, mean, err);
}

const struct pawl_verb pawl_verb_eval = {
    .name = "eval",
    .summary = "score an artifact on train, dev, or your own cases",
    .positional = "",
    .example = "pawl eval --artifact incumbent --tier dev --per-case scores.jsonl",
    .needs_project = true,
    .needs_store = true,
    .options = eval_options,
    .options_bytes = sizeof(struct eval_options),
    .run = run_eval,
};

/* --- run --------------------------------------------------------------------------------------- */

struct run_options {
    const char *artifact;
    json_t *input;
    bool trace;
};
static const struct pawl_option run_options[] = {
    PAWL_OPT_TEXT(struct run_options, artifact, "incumbent", "what answers: an id"),
    {"input", PAWL_OPTION_JSON, offsetof(struct run_options, input), NULL, 0, 0, NULL,
     "a text, an object by field, or a list of them", true},
    PAWL_OPT_BOOL(struct run_options, trace, "false",
                  "also show every request to the model, and a search as its tree"),
    {0}};

/* A text that is a JSON object counts as one. */
static json_t *input_value(json_t *input)
{
    json_t *parsed;
    struct pawl_str text = {json_string_value(input), json_string_length(input)};
    if (!json_is_string(input) || !pawl_str_starts(pawl_str_trim(text), "{"))
        return json_incref(input);
    if (pawl_json_parse(text, text.len, &parsed, NULL) != PAWL_OK) return json_incref(input);
    return parsed;
}

static enum pawl_status run_run(struct pawl_call *call, const void *values, struct pawl_error *err)
{
    const struct run_options *options = values;
    char hex[PAWL_HASH_HEX];
    struct pawl_artifact *artifact;
    json_t *done, *inputs = json_array(), *item;
    size_t i;
    if (json_is_array(options->input)) {
        json_array_foreach(options->input, i, item)
            json_array_append_new(inputs, input_value(item));
    } else {
        json_array_append_new(inputs, input_value(options->input));
    }
    enum pawl_status status =
        pawl_front_load_in_force(call, options->artifact, hex, &artifact, err);
    if (status != PAWL_OK) {
        json_decref(inputs);
        return status;
    }
    json_t *request =
        json_pack("{s:s, s:o, s:o, s:b}", "op", "run", "artifact", pawl_artifact_json(artifact),
                  "inputs", inputs, "trace", options->trace);
    PAWL_TRY(pawl_front_ask(call, PAWL_ROLE_ENGINE_NAME, request, &done, err));
    pawl_json_set(call->result, "artifact", json_string(hex));
    pawl_json_set(call->result, "model", json_incref(json_object_get(done, "model")));
    json_t *outputs = json_object_get(done, "outputs");
    if (json_is_array(options->input))
        pawl_json_set(call->result, "outputs", json_incref(outputs));
    else
        json_object_update(call->result, json_array_get(outputs, 0));
    json_decref(done);
    /* One input without an answer is a result that a script must notice. */
    const json_t *output = json_object_get(call->result, "output");
    if (json_is_array(options->input) || (output != NULL && !json_is_null(output))) return PAWL_OK;
    return pawl_fail(err, PAWL_ENOTPROMOTED, "There is no answer: %s",
                     pawl_json_get_text(call->result, "reason", "the model gave none."));
}

const struct pawl_verb pawl_verb_run = {
    .name = "run",
    .summary = "answer an input with the artifact in force",
    .positional = "input",
    .example = "pawl run 'Works as described, and fast.'",
    .needs_project = true,
    .needs_store = true,
    .options = run_options,
    .options_bytes = sizeof(struct run_options),
    .run = run_run,
};
