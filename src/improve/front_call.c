/* The one door: a verb by name, its arguments checked by its table. */
#include "improve/front.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

/* In the order in which completion lists them. */
/* clang-format off */
#define VERBS(X) \
    X(init) \
    X(validate) \
    X(doctor) \
    X(plan) \
    X(data) \
    X(import) \
    X(index) \
    X(run) \
    X(eval) \
    X(improve) \
    X(gate) \
    X(confirm) \
    X(watch) \
    X(approve) \
    X(reject) \
    X(compare) \
    X(status) \
    X(log) \
    X(show) \
    X(diff) \
    X(lineage) \
    X(promote) \
    X(rollback) \
    X(quarantine) \
    X(rotate) \
    X(key) \
    X(card) \
    X(redteam) \
    X(certificate) \
    X(export) \
    X(ledger) \
    X(model) \
    X(bench)
/* clang-format on */
#define DECLARE(name) extern const struct pawl_verb pawl_verb_##name;
#define ADDRESS(name) &pawl_verb_##name,
VERBS(DECLARE)

const struct pawl_verb *const pawl_verbs[] = {VERBS(ADDRESS) NULL};

enum { ARGS_BYTES_MAX = 64 << 20, VERBS_MAX = 64 };

void pawl_front_progress(const struct pawl_call *call, const json_t *message)
{
    if (call->watch == NULL || call->watch->progress == NULL) return;
    char *text = pawl_json_text(message);
    call->watch->progress(call->watch->context, text);
    free(text);
}

/* All verbs with their options, for help and completion. */
static json_t *describe_verbs(void)
{
    json_t *verbs = json_array();
    for (size_t i = 0; pawl_verbs[i] != NULL; i++) {
        const struct pawl_verb *verb = pawl_verbs[i];
        json_array_append_new(
            verbs, json_pack("{s:s, s:s, s:s, s:s, s:b, s:b, s:o}", "name", verb->name, "summary",
                             verb->summary, "positional", verb->positional, "example",
                             verb->example, "needs_project", verb->needs_project, "takes_project",
                             verb->takes_project, "options", pawl_options_describe(verb->options)));
    }
    return verbs;
}

static enum pawl_status find_verb(const char *name, const struct pawl_verb **verb,
                                  struct pawl_error *err)
{
    const char *names[VERBS_MAX];
    size_t n = 0;
    for (; pawl_verbs[n] != NULL; n++) {
        names[n] = pawl_verbs[n]->name;
        if (strcmp(names[n], name) == 0) {
            *verb = pawl_verbs[n];
            return PAWL_OK;
        }
    }
    const char *near = pawl_nearest_word(name, names, n);
    pawl_fail(err, PAWL_EUSAGE, "There is no command called \"%s\".", name);
    if (near != NULL) pawl_hint(err, "Did you mean `pawl %s`?", near);
    return PAWL_EUSAGE;
}

static enum pawl_status run_verb(struct pawl_call *call, const struct pawl_verb *verb,
                                 const json_t *args, struct pawl_error *err)
{
    void *values = pawl_arena_alloc(&call->arena, 1, verb->options_bytes + 1);
    enum pawl_status status = pawl_options_read(verb->options, args, "", &call->arena, values, err);
    if (status == PAWL_ECONFIG) {
        if (err != NULL) err->status = PAWL_EUSAGE;
        return PAWL_EUSAGE;
    }
    PAWL_TRY(status);
    if (verb->needs_project && call->project == NULL)
        return pawl_fail(err, PAWL_EUSAGE, "`%s` needs an open project.", verb->name);
    if (verb->needs_store) PAWL_TRY(pawl_front_store(call->project, false, err));
    return verb->run(call, values, err);
}

static enum pawl_status parse_args(const char *text, json_t **args, struct pawl_error *err)
{
    *args = NULL;
    if (text == NULL) return PAWL_OK;
    enum pawl_status status = pawl_json_parse(pawl_str_of(text), ARGS_BYTES_MAX, args, err);
    if (status == PAWL_OK && json_is_object(*args)) return PAWL_OK;
    json_decref(*args);
    *args = NULL;
    return pawl_fail(err, PAWL_EUSAGE, "The arguments are not a JSON object.");
}

enum pawl_status pawl_call(struct pawl_project *project, const char *name, const char *args_json,
                           const struct pawl_watch *watch, char **result_json,
                           struct pawl_error *err)
{
    const struct pawl_verb *verb = NULL;
    json_t *args = NULL;
    struct pawl_error own = {0};
    struct pawl_call call = {.project = project, .watch = watch};
    *result_json = NULL;
    if (err == NULL) err = &own;
    pawl_crypto_init();
    call.result = json_pack("{s:i}", "schema", 1);
    enum pawl_status status = PAWL_OK;
    if (strcmp(name, "verbs") == 0) {
        pawl_json_set(call.result, "verbs", describe_verbs());
    } else {
        status = find_verb(name, &verb, err);
        if (status == PAWL_OK) status = parse_args(args_json, &args, err);
        if (status == PAWL_OK) status = run_verb(&call, verb, args, err);
    }
    if (status != PAWL_OK) err->status = status;
    /* What a pause or a "no" leaves is a result too; a bare error has none. */
    if (status == PAWL_OK || json_object_size(call.result) > 1)
        *result_json = pawl_json_text(call.result);
    json_decref(args);
    json_decref(call.result);
    pawl_arena_release(&call.arena);
    /* At the end, not at the start: a cancel that comes just before the work begins is meant for it. */
    if (project != NULL) project->canceled = 0;
    return status;
}

enum pawl_status pawl_improve(struct pawl_project *project, const char *args_json,
                              const struct pawl_watch *watch, char **result_json,
                              struct pawl_error *err)
{
    return pawl_call(project, "improve", args_json, watch, result_json, err);
}

enum pawl_status pawl_evaluate(struct pawl_project *project, const char *args_json,
                               const struct pawl_watch *watch, char **result_json,
                               struct pawl_error *err)
{
    return pawl_call(project, "eval", args_json, watch, result_json, err);
}
