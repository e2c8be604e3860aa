/*
 * Does the code of an answer pass the tests of the case? (sandbox/tests.h says why it cannot seem to.)
 *
 *     input   {"prompt": ..., "entry_point": "add"}       as in HumanEval and MBPP
 *     target  {"tests": "assert add(1, 2) == 3"}          or "test", "test_list", or the text itself
 *
 * The tests are hidden ones: neither score nor feedback holds anything of them but numbers. What stands
 * between fences is the code; where the prompt is the beginning of a function, the answer may go on with it.
 */
#include "evaluate/judge.h"
#include "sandbox/tests.h"

#include <stdlib.h>

struct options {
    const char *tests, *field;
    int64_t timeout_ms, memory_mb, parallel;
};
static const struct pawl_option options_table[] = {
    PAWL_OPT_TEXT(struct options, tests, "",
                  "the target's field with the tests (else: tests, test or test_list)"),
    PAWL_OPT_TEXT(struct options, field, "", "the output's field with the code (else: the answer)"),
    PAWL_OPT_INT(struct options, timeout_ms, "10000", 10, 3600000, "time for one solution"),
    PAWL_OPT_INT(struct options, memory_mb, "512", 64, 65536, "memory of one solution"),
    PAWL_OPT_INT(struct options, parallel, "0", 0, 32, "solutions at once (0: one for each core)"),
    {0}};

static enum pawl_status open_tester(const void *options, const char *project_dir, void **state,
                                    struct pawl_error *err)
{
    (void)project_dir;
    const struct options *o = options;
    const struct pawl_tester_limits limits = {.timeout_ms = o->timeout_ms,
                                              .memory_bytes = o->memory_mb << 20,
                                              .parallel = (int)o->parallel};
    return pawl_tester_open(&limits, (struct pawl_tester **)state, err);
}

static void close_tester(void *state)
{
    pawl_tester_close(state);
}

/* --- the code of an answer ---------------------------------------------------------------------------- */

static const char *find(struct pawl_str text, const char *word)
{
    return text.len ? memmem(text.ptr, text.len, word, strlen(word)) : NULL;
}

/* Does it define the function? */
static bool defines(struct pawl_str text, struct pawl_str name, struct pawl_arena *arena)
{
    return name.len > 0 &&
           find(text, pawl_arena_printf(arena, "def " PAWL_STR_FMT, PAWL_STR_ARG(name)));
}

/* The fenced text that defines the function, else the first one, else all. */
static struct pawl_str code_of(struct pawl_str answer, struct pawl_str name,
                               struct pawl_arena *arena)
{
    struct pawl_str rest = answer, first = {NULL, 0};
    for (const char *open; (open = find(rest, "```"));) {
        const char *line = memchr(open, '\n', (size_t)(rest.ptr + rest.len - open));
        if (!line) break;
        struct pawl_str inner = {line + 1, (size_t)(rest.ptr + rest.len - line - 1)};
        const char *end = find(inner, "```");
        rest = (struct pawl_str){inner.ptr + inner.len, 0};
        if (end) {
            rest = (struct pawl_str){end + 3, (size_t)(inner.ptr + inner.len - end - 3)};
            inner.len = (size_t)(end - inner.ptr);
        }
        if (defines(inner, name, arena)) return inner;
        if (!first.ptr) first = inner;
    }
    return first.ptr ? first : answer;
}

static struct pawl_str join(struct pawl_arena *arena, struct pawl_str a, const char *between,
                            struct pawl_str b)
{
    char *text = pawl_arena_printf(arena, PAWL_STR_FMT "%s" PAWL_STR_FMT, PAWL_STR_ARG(a), between,
                                   PAWL_STR_ARG(b));
    return pawl_str_of(text);
}

/* After a prompt that is code: what follows it, as it came or with the indentation that a model's trimmed
 * answer lost, and the answer alone. The first that is Python counts. */
static struct pawl_solution solution_of(const struct pawl_metric_call *call, struct pawl_str answer,
                                        struct pawl_arena *arena)
{
    struct pawl_str prompt = pawl_json_get_str(call->input, "prompt");
    struct pawl_solution s = {.entry_point = pawl_json_get_str(call->input, "entry_point")};
    struct pawl_str code = code_of(answer, s.entry_point, arena);
    int n = 0;
    if (defines(prompt, s.entry_point, arena)) {
        s.sources[n++] = join(arena, prompt, "\n", code);
        if (!defines(code, s.entry_point, arena))
            s.sources[n++] = join(arena, prompt, "\n    ", code);
    }
    s.sources[n] = code;
    return s;
}

/* --- the tests of a case ------------------------------------------------------------------------------ */

static struct pawl_str text_of(const json_t *value, struct pawl_arena *arena)
{
    if (!json_is_array(value))
        return json_is_string(value) ? pawl_judge_text(value, arena) : PAWL_STR("");
    struct pawl_str all = PAWL_STR("");
    for (size_t i = 0; i < json_array_size(value); i++)
        if (json_is_string(json_array_get(value, i)))
            all = join(arena, all, "\n", pawl_judge_text(json_array_get(value, i), arena));
    return all;
}

static struct pawl_hidden_tests tests_of(const struct options *o, const json_t *target,
                                         struct pawl_arena *arena)
{
    static const char *const names[] = {"tests", "test", "test_list"};
    if (!json_is_object(target)) return (struct pawl_hidden_tests){text_of(target, arena)};
    struct pawl_str text = {NULL, 0};
    if (o->tests[0]) text = text_of(json_object_get(target, o->tests), arena);
    for (size_t i = 0; !o->tests[0] && i < sizeof names / sizeof *names && text.len == 0; i++)
        text = text_of(json_object_get(target, names[i]), arena);
    struct pawl_str setup = pawl_json_get_str(target, "test_setup_code"); /* of MBPP */
    if (text.len > 0 && setup.len > 0) text = join(arena, setup, "\n", text);
    return (struct pawl_hidden_tests){text};
}

static enum pawl_status score(void *state, const void *options, struct pawl_arena *arena,
                              const struct pawl_metric_call *call,
                              struct pawl_metric_result *result, struct pawl_error *err)
{
    const struct options *o = options;
    const json_t *given =
        o->field[0] ? json_object_get(call->output, o->field) : pawl_judge_answer(call->output);
    struct pawl_hidden_tests tests = tests_of(o, call->target, arena);
    if (tests.text.len == 0) {
        result->failed = true;
        result->feedback =
            "The case has no tests: its target has no text, and no field tests, test or "
            "test_list.";
        return PAWL_OK;
    }
    if (!given) {
        result->feedback = "There is no code in the output.";
        return PAWL_OK;
    }
    struct pawl_verdict verdict;
    struct pawl_solution solution = solution_of(call, pawl_judge_text(given, arena), arena);
    enum pawl_status status = pawl_tests_run_hidden(state, &solution, tests, &verdict, err);
    if (status == PAWL_ETOOBIG) {
        result->feedback = "The code is too long to be run.";
        return PAWL_OK;
    }
    if (status != PAWL_OK) return status;
    result->score = verdict.end == PAWL_TESTS_PASSED;
    result->failed = verdict.end == PAWL_TESTS_UNFIT;
    result->feedback = pawl_verdict_sentence(&verdict, arena);
    return PAWL_OK;
}

const struct pawl_metric_kind pawl_metric_code_tests = {
    .api = PAWL_METRIC_API,
    .name = "code_tests",
    .summary = "the code passes the tests of the target, in processes apart",
    .flags = PAWL_METRIC_BINARY,
    .options = options_table,
    .options_bytes = sizeof(struct options),
    .open = open_tester,
    .close = close_tester,
    .score = score,
};
