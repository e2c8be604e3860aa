/*
 * Any command, in the sandbox and without a network. A process for each call, so that nothing goes from
 * one case to another:
 *
 *     in   {"args":{...}}        out   {"text":"..."} or {"error":"..."}
 */
#include "program/command_line.h"
#include "program/folder.h"
#include "program/tool.h"

enum { ANSWER_BYTES_MAX = 4 << 20 };

struct options {
    json_t *command;
    int64_t timeout_ms, memory_mb;
};
static const struct pawl_option options_table[] = {
    {"command", PAWL_OPTION_JSON, offsetof(struct options, command), NULL, 0, 0, NULL,
     "the program and its arguments; it may read the files and folders they name", true},
    PAWL_OPT_INT(struct options, timeout_ms, "10000", 10, 600000, "time for one call"),
    PAWL_OPT_INT(struct options, memory_mb, "1024", 16, 1048576, "memory of each process"),
    {0}};

struct command {
    struct pawl_command_line line;
    int64_t timeout_ms, memory_bytes;
};

static enum pawl_status open_command(const void *options,
                                     const struct pawl_program_settings *settings,
                                     struct pawl_arena *arena, void **state, struct pawl_error *err)
{
    const struct options *o = options;
    struct command *c = PAWL_NEW(arena, struct command);
    *state = c;
    c->timeout_ms = o->timeout_ms;
    c->memory_bytes = o->memory_mb << 20;
    return pawl_command_line_read(o->command, settings->project_dir, NULL, "command", arena,
                                  &c->line, err);
}

/* In the order of the command's words: two files may have one name. */
static json_t *identity(const void *state)
{
    const struct command *c = state;
    json_t *files = json_array();
    for (size_t i = 0; i < c->line.n_read; i++)
        json_array_append_new(files, pawl_tool_hash_file(c->line.read[i]));
    return files;
}

/* NULL, or what it did wrong. */
static const char *read_answer(struct pawl_str line, struct pawl_arena *arena,
                               struct pawl_tool_result *result)
{
    json_t *answer;
    if (pawl_json_parse(line, ANSWER_BYTES_MAX, &answer, NULL) != PAWL_OK)
        return "wrote a line that is not JSON";
    struct pawl_str text = pawl_json_get_str(answer, "text");
    struct pawl_str error = pawl_json_get_str(answer, "error");
    if (text.ptr || error.ptr)
        *result = (struct pawl_tool_result){pawl_arena_copy(arena, error.ptr ? error : text),
                                            error.ptr != NULL};
    json_decref(answer);
    return text.ptr || error.ptr ? NULL : "gave neither a \"text\" nor an \"error\"";
}

static const char *ask_child(const struct command *c, struct pawl_child *child, const json_t *args,
                             struct pawl_arena *arena, struct pawl_tool_result *result)
{
    struct pawl_buf buf = PAWL_BUF(ANSWER_BYTES_MAX);
    struct pawl_str line;
    json_t *question = json_pack("{s:O}", "args", (json_t *)(uintptr_t)args);
    pawl_json_write(question, &buf);
    json_decref(question);
    bool written = !buf.overflowed && pawl_child_write(child, pawl_buf_str(&buf), c->timeout_ms);
    pawl_buf_release(&buf);
    if (!written) return "does not read its input";
    switch (pawl_child_read(child, c->timeout_ms, &line)) {
    case PAWL_CHILD_LINE:
        return read_answer(line, arena, result);
    case PAWL_CHILD_LATE:
        return "did not answer in time";
    case PAWL_CHILD_ENDED:
        return "ended without an answer";
    case PAWL_CHILD_TOO_LONG:
        return "wrote an over-long line";
    }
    PAWL_BUG("a new way of reading");
}

static enum pawl_status call_command(void *state, const json_t *args, size_t max_bytes,
                                     struct pawl_arena *arena, struct pawl_tool_result *result,
                                     struct pawl_error *err)
{
    (void)max_bytes;
    const struct command *c = state;
    struct pawl_child *child;
    char *folder;
    PAWL_TRY(pawl_folder_make(&folder, err));
    enum pawl_status status =
        pawl_command_line_start(&c->line, folder, false, c->memory_bytes, &child, err);
    if (status != PAWL_OK) {
        pawl_folder_remove(folder);
        return PAWL_EWORLD;
    }
    const char *wrong = ask_child(c, child, args, arena, result);
    if (wrong)
        pawl_tool_fails(result, pawl_arena_printf(arena, "The tool's command %s. %s", wrong,
                                                  pawl_child_complaint(child)));
    pawl_child_stop(child);
    pawl_folder_remove(folder);
    return PAWL_OK;
}

const struct pawl_tool_kind pawl_tool_command = {
    .api = PAWL_TOOL_API,
    .name = "command",
    .summary = "a program of this project",
    .options = options_table,
    .options_bytes = sizeof(struct options),
    .open = open_command,
    .identity = identity,
    .call = call_command,
};
