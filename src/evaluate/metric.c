#include "evaluate/metric.h"
#include "base/hash.h"

#include <stdlib.h>

enum { KINDS_MAX = 64 };

struct pawl_metric {
    const struct pawl_metric_kind *kind;
    struct pawl_arena arena;
    json_t *section; /* options point into it */
    void *options, *state;
};

static const struct pawl_metric_kind *find_kind(const char *name)
{
    for (size_t i = 0; pawl_metrics[i]; i++)
        if (strcmp(pawl_metrics[i]->name, name) == 0) return pawl_metrics[i];
    return NULL;
}

static enum pawl_status unknown(const char *name, struct pawl_error *err)
{
    const char *names[KINDS_MAX];
    size_t n = 0;
    for (; pawl_metrics[n] && n < KINDS_MAX; n++) names[n] = pawl_metrics[n]->name;
    const char *near = pawl_nearest_word(name, names, n);
    pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "metric", "There is no metric \"%s\".", name);
    pawl_hint(err, near ? "Did you mean \"%s\"?" : "Try \"%s\", or write one in Lua.",
              near ? near : "exact_match");
    return PAWL_ECONFIG;
}

/* `exact_match`, {name: ..., options}, or by its first option: {lua: FILE}, {command: [...]}, {judge: FILE}. */
static enum pawl_status choose_kind(const json_t *section, const struct pawl_metric_kind **kind,
                                    struct pawl_error *err)
{
    const char *name = json_is_string(section) ? json_string_value(section)
                                               : pawl_json_get_text(section, "name", NULL);
    static const char *const by_option[] = {"lua", "command", "judge"};
    for (size_t i = 0; !name && i < sizeof by_option / sizeof *by_option; i++)
        if (json_object_get(section, by_option[i])) name = by_option[i];
    if (!name) {
        pawl_fail_at(
            err, PAWL_ECONFIG, NULL, 0, "metric",
            "The section \"metric\" names none: it has no key name, lua, command or judge.");
        pawl_hint(err,
                  "Write `metric: exact_match`, or with options `{name: regex, pattern: ...}`, or "
                  "`{lua: file.lua}`, `{command: [python3, score.py]}` or `{judge: rubric.md}`.");
        return PAWL_ECONFIG;
    }
    *kind = find_kind(name);
    return *kind ? PAWL_OK : unknown(name, err);
}

static enum pawl_status read_options(struct pawl_metric *metric, const json_t *section,
                                     struct pawl_error *err)
{
    static const struct pawl_option none[] = {{0}};
    const struct pawl_option *table = metric->kind->options ? metric->kind->options : none;
    metric->options = pawl_arena_alloc(&metric->arena, 1, metric->kind->options_bytes + 1);
    metric->section =
        json_is_object(section) ? json_copy((json_t *)(uintptr_t)section) : json_object();
    json_object_del(metric->section, "name");
    return pawl_options_read(table, metric->section, "metric", &metric->arena, metric->options,
                             err);
}

enum pawl_status pawl_metric_open(const json_t *section, const char *project_dir,
                                  struct pawl_metric **metric, struct pawl_error *err)
{
    const struct pawl_metric_kind *kind;
    PAWL_TRY(choose_kind(section, &kind, err));
    struct pawl_metric *m = pawl_xcalloc(1, sizeof *m);
    m->kind = kind;
    enum pawl_status status = read_options(m, section, err);
    if (status == PAWL_OK && kind->open)
        status = kind->open(m->options, project_dir, &m->state, err);
    if (status != PAWL_OK) {
        pawl_metric_close(m);
        return status;
    }
    *metric = m;
    return PAWL_OK;
}

void pawl_metric_close(struct pawl_metric *metric)
{
    if (!metric) return;
    if (metric->kind->close && metric->state) metric->kind->close(metric->state);
    pawl_arena_release(&metric->arena);
    json_decref(metric->section);
    free(metric);
}

const char *pawl_metric_name(const struct pawl_metric *metric)
{
    return metric->kind->name;
}

bool pawl_metric_is_by_field(const json_t *section)
{
    const struct pawl_metric_kind *kind;
    return choose_kind(section, &kind, NULL) == PAWL_OK && (kind->flags & PAWL_METRIC_BY_FIELD);
}

bool pawl_metric_is_binary(const struct pawl_metric *metric)
{
    return metric->kind->flags & PAWL_METRIC_BINARY;
}

bool pawl_metric_may_name(const struct pawl_metric *metric)
{
    return metric->kind->flags & PAWL_METRIC_NAMED;
}

bool pawl_metric_asks(const struct pawl_metric *metric)
{
    return metric->kind->questions != NULL;
}

size_t pawl_metric_questions(struct pawl_metric *metric, struct pawl_arena *arena,
                             const struct pawl_metric_call *call,
                             struct pawl_metric_question questions[PAWL_METRIC_QUESTIONS_MAX])
{
    if (!metric->kind->questions) return 0;
    return metric->kind->questions(metric->state, metric->options, arena, call, questions);
}

/* By name, so that equal scores are written equally. */
static const char *add_named(struct pawl_metric_result *result, struct pawl_arena *arena,
                             struct pawl_str name, double score)
{
    if (!(score >= 0 && score <= 1)) return "gave a named score that is not from 0 to 1";
    if (name.len == 0 || name.len > PAWL_NAMED_BYTES_MAX || memchr(name.ptr, '\0', name.len) ||
        !pawl_utf8_is_valid(name, NULL))
        return "gave a score a name that is not 1 to 64 bytes of text";
    if (result->n_named == PAWL_NAMED_MAX) return "gave more than 16 named scores";
    if (!result->named) result->named = PAWL_NEW_N(arena, struct pawl_named_score, PAWL_NAMED_MAX);
    const char *copy = pawl_arena_copy(arena, name).ptr;
    size_t at = result->n_named;
    for (; at > 0; at--) {
        if (strcmp(result->named[at - 1].name, copy) < 0) break;
        result->named[at] = result->named[at - 1];
    }
    result->named[at] = (struct pawl_named_score){copy, score};
    result->n_named++;
    return NULL;
}

const char *pawl_metric_take_named(struct pawl_metric_result *result, struct pawl_arena *arena,
                                   const json_t *named)
{
    const char *name, *wrong = NULL;
    json_t *score;
    bool is_none = !named || json_is_null(named) ||
                   (json_is_array(named) && json_array_size(named) == 0); /* {} of Lua */
    if (is_none) return NULL;
    if (!json_is_object(named)) return "gave scores that are no {name: score}";
    json_object_foreach((json_t *)(uintptr_t)named, name, score)
    {
        double number = json_is_true(score) ? 1 : json_number_value(score);
        if (!json_is_number(score) && !json_is_boolean(score))
            return "gave a named score that is no number";
        wrong = add_named(result, arena, pawl_str_of(name), number);
        if (wrong) break;
    }
    return wrong;
}

json_t *pawl_metric_options(const struct pawl_metric *metric)
{
    return metric->kind->options ? pawl_options_json(metric->kind->options, metric->options)
                                 : json_object();
}

void pawl_metric_identity(const struct pawl_metric *metric, struct pawl_hash *out)
{
    json_t *rule = json_object();
    pawl_json_set(rule, "name", json_string(metric->kind->name));
    if (metric->kind->options) pawl_json_set(rule, "options", pawl_metric_options(metric));
    if (metric->kind->identity)
        pawl_json_set(rule, "content", metric->kind->identity(metric->state));
    *out = pawl_hash_json(rule);
    json_decref(rule);
}

enum pawl_status pawl_metric_score(struct pawl_metric *metric, struct pawl_arena *arena,
                                   const struct pawl_metric_call *call,
                                   struct pawl_metric_result *result, struct pawl_error *err)
{
    *result = (struct pawl_metric_result){0};
    PAWL_TRY(metric->kind->score(metric->state, metric->options, arena, call, result, err));
    if (!result->failed && !(result->score >= 0 && result->score <= 1)) {
        result->failed = true;
        result->feedback = "The metric gave a score outside 0 to 1.";
    }
    if (result->failed) {
        result->score = 0;
        result->n_named = 0;
    }
    return PAWL_OK;
}
