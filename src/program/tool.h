/*
 * tool.h - what a model may use while it works on a case: one file tool_NAME.c per kind, ending in
 * `const struct pawl_tool_kind pawl_tool_NAME`.
 *
 *     tools:
 *       calc:  calculator
 *       wiki:  {search: wiki.db, k: 3, description: "passages of the handbook"}
 *       clock: {lua: clock.lua, arguments: {city: "its name in English"}}
 *       run:   {command: [python3, tool.py], timeout_ms: 5000}
 *
 * A call takes arguments by name and gives a text, or a text that says what was wrong: a model's mistake
 * is something that it reads. Only the world ends a case.
 *
 * Invariants
 *   1. A text is UTF-8 of at most `max_bytes`, with a mark where it was cut; every call has an end.
 *   2. A call leaves nothing behind for the next, in this case or another.
 *   3. What a tool is, it is for all candidates alike: its files belong to the identity of the program
 *      (pawl_program_identity), and its description is not an operator's to edit: a description that
 *      promises something else than the tool does would be a way to a score, and not to a better tool.
 *      How tools are used best is for the instruction to say.
 *
 *     PAWL_TRY(pawl_tools_open(section, NULL, settings, arena, &tools, err));
 *     size_t i = pawl_tools_find(&tools, PAWL_STR("calc"));
 *     PAWL_TRY(pawl_tool_call(&tools.list[i], args, arena, &result, err));
 *     pawl_tools_close(&tools);
 */
#ifndef PAWL_PROGRAM_TOOL_H
#define PAWL_PROGRAM_TOOL_H

#include "base/option.h"
#include "program/program.h"

enum { PAWL_TOOLS_MAX = 16, PAWL_TOOL_ARGUMENTS_MAX = 16 };

struct pawl_tool_argument {
    const char *name, *description; /* "" where nothing is said */
};
struct pawl_tool_result {
    struct pawl_str text; /* in the arena */
    bool failed;          /* the text says why */
};

struct pawl_tool_kind {
    int api; /* PAWL_TOOL_API */
    const char *name, *summary;
    const struct pawl_tool_argument *arguments; /* ends in {NULL}; NULL: pawl.yaml says which */
    const struct pawl_option *options; /* the one of the kind's name first; NULL: it has none */
    size_t options_bytes;
    /* `options` and *state live as long as `arena`. Fails PAWL_ECONFIG. */
    enum pawl_status (*open)(const void *options, const struct pawl_program_settings *settings,
                             struct pawl_arena *arena, void **state, struct pawl_error *err);
    void (*close)(void *state); /* NULL: nothing to close */
    /* The hashes of its files, new reference. NULL: it has none. */
    json_t *(*identity)(const void *state);
    /* `args` holds every argument that is named, else what the model gave. max_bytes: more will be
     * cut. Fails as pawl_lm_ask. Any thread, many at a time. */
    enum pawl_status (*call)(void *state, const json_t *args, size_t max_bytes,
                             struct pawl_arena *arena, struct pawl_tool_result *result,
                             struct pawl_error *err);
};
enum { PAWL_TOOL_API = 1 };
extern const struct pawl_tool_kind *const pawl_tool_kinds[]; /* NULL-terminated, generated */

struct pawl_tool {
    const char *name, *description; /* one line */
    const struct pawl_tool_kind *kind;
    const struct pawl_tool_argument *arguments;
    size_t n_arguments;
    size_t max_bytes;
    void *state;
};
struct pawl_tools {
    struct pawl_tool list[PAWL_TOOLS_MAX];
    size_t n;
};

/*
 * Takes   wanted: {name: what}; or [name ...], of those in `declared`, which may be NULL.
 * Gives   *tools, to be closed also after a failure.
 * Fails   PAWL_ECONFIG with err->field = "tools" or "tools.NAME".
 */
PAWL_MUST_CHECK enum pawl_status pawl_tools_open(const json_t *wanted, const json_t *declared,
                                                 const struct pawl_program_settings *settings,
                                                 struct pawl_arena *arena, struct pawl_tools *tools,
                                                 struct pawl_error *err);
void pawl_tools_close(struct pawl_tools *tools);
size_t pawl_tools_find(const struct pawl_tools *tools, struct pawl_str name); /* n: none */
/* A line for each: "- calc(expression: ...): what it does". */
void pawl_tools_describe(const struct pawl_tools *tools, struct pawl_buf *out);
/* {tool: the hashes of its files}, of those that have files; new reference. */
json_t *pawl_tools_identity(const struct pawl_tools *tools);

/* `args` is what a model wrote: an object, or the only argument bare, or NULL. */
PAWL_MUST_CHECK enum pawl_status pawl_tool_call(const struct pawl_tool *tool, const json_t *args,
                                                struct pawl_arena *arena,
                                                struct pawl_tool_result *result,
                                                struct pawl_error *err);

/* For kinds: the SHA-256 of a file, "" where it cannot be read, new reference; and a result in one line. */
json_t *pawl_tool_hash_file(const char *path);
void pawl_tool_gives(struct pawl_tool_result *result, struct pawl_str text);
void pawl_tool_fails(struct pawl_tool_result *result, const char *why);

#endif
