/*
 * A POSIX extended regular expression over the answer: the option's, or else each case's target.
 *
 * Only the owner writes patterns, but a model writes what they run over: its length is bounded and
 * back-references, whose matching may take exponential time, are refused.
 */
#include "evaluate/judge.h"

#include <ctype.h>
#include <regex.h>
#include <stdlib.h>

enum { TEXT_BYTES_MAX = 64 << 10, PATTERN_BYTES_MAX = 4096 };

struct options {
    const char *pattern;
    bool ignore_case;
};
static const struct pawl_option options_table[] = {
    PAWL_OPT_TEXT(struct options, pattern, NULL, "the expression (absent: the target is it)"),
    PAWL_OPT_BOOL(struct options, ignore_case, "false", "a and A are equal"),
    {0}};

static const char *compile(const struct options *o, const char *pattern, regex_t *regex)
{
    if (strlen(pattern) > PATTERN_BYTES_MAX) return "it is longer than 4096 bytes";
    for (const char *p = pattern; *p; p++) {
        if (*p != '\\') continue;
        if (isdigit((unsigned char)p[1])) return "back-references are not allowed";
        if (*++p == '\0') break;
    }
    int flags = REG_EXTENDED | REG_NOSUB | (o->ignore_case ? REG_ICASE : 0);
    return regcomp(regex, pattern, flags) == 0 ? NULL : "it is no POSIX extended expression";
}

static enum pawl_status open_regex(const void *options, const char *project_dir, void **state,
                                   struct pawl_error *err)
{
    (void)project_dir;
    const struct options *o = options;
    if (!o->pattern) return PAWL_OK;
    regex_t *regex = pawl_xcalloc(1, sizeof *regex);
    const char *wrong = compile(o, o->pattern, regex);
    *state = regex;
    if (!wrong) return PAWL_OK;
    free(regex);
    *state = NULL;
    pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "metric.pattern", "The pattern cannot be used: %s.",
                 wrong);
    pawl_hint(err, "Write one like \"^(yes|no)$\".");
    return PAWL_ECONFIG;
}

static void close_regex(void *state)
{
    if (!state) return;
    regfree(state);
    free(state);
}

static bool matches(const regex_t *regex, const json_t *answer, struct pawl_arena *arena)
{
    struct pawl_str text = pawl_judge_text(answer, arena);
    if (text.len > TEXT_BYTES_MAX) text.len = TEXT_BYTES_MAX;
    return regexec(regex, pawl_arena_copy(arena, text).ptr, 0, NULL, 0) == 0;
}

static enum pawl_status score(void *state, const void *options, struct pawl_arena *arena,
                              const struct pawl_metric_call *call,
                              struct pawl_metric_result *result, struct pawl_error *err)
{
    (void)err;
    const struct options *o = options;
    const json_t *answer = pawl_judge_answer(call->output), *target = call->target;
    if (json_is_object(target)) target = pawl_judge_answer(target);
    const char *pattern = o->pattern ? o->pattern : json_string_value(target), *wrong;
    regex_t own;
    *result = (struct pawl_metric_result){0};
    if (!answer || !pattern) {
        result->failed = !pattern;
        result->feedback = pattern ? "There is no answer." : "The target is no pattern.";
        return PAWL_OK;
    }
    if (!state && (wrong = compile(o, pattern, &own))) {
        result->failed = true;
        result->feedback =
            pawl_arena_printf(arena, "The target cannot be used as a pattern: %s.", wrong);
        return PAWL_OK;
    }
    result->score = matches(state ? state : &own, answer, arena) ? 1 : 0;
    result->feedback =
        result->score > 0
            ? "Correct."
            : pawl_arena_printf(arena, "Expected a match of \"%.200s\", got \"%.*s\".", pattern,
                                200, pawl_arena_copy(arena, pawl_judge_text(answer, arena)).ptr);
    if (!state) regfree(&own);
    return PAWL_OK;
}

const struct pawl_metric_kind pawl_metric_regex = {
    .api = PAWL_METRIC_API,
    .name = "regex",
    .summary = "a regular expression matches the answer",
    .flags = PAWL_METRIC_BINARY,
    .options = options_table,
    .options_bytes = sizeof(struct options),
    .open = open_regex,
    .close = close_regex,
    .score = score,
};
