/*
 * A Lua function of the project's owner, in the sandboxed state: `function tool(args) ... end` in a file.
 * What it returns is what the model reads; its error("...") is an error that the model reads.
 */
#include "program/lua_text.h"
#include "program/project_file.h"
#include "program/tool.h"

enum { SOURCE_BYTES_MAX = 1 << 20 };

struct options {
    const char *lua;
};
static const struct pawl_option options_table[] = {
    {"lua", PAWL_OPTION_TEXT, offsetof(struct options, lua), NULL, 0, 0, NULL,
     "the file, which defines function tool(args)", true},
    {0}};

struct script {
    struct pawl_lua *lua;
    const char *path;
};

static enum pawl_status open_script(const void *options,
                                    const struct pawl_program_settings *settings,
                                    struct pawl_arena *arena, void **state, struct pawl_error *err)
{
    const struct options *o = options;
    struct script *script = PAWL_NEW(arena, struct script);
    struct pawl_str source;
    struct pawl_error why = {0};
    *state = script;
    script->path = pawl_project_path(arena, settings->project_dir, o->lua);
    PAWL_TRY(pawl_project_file(settings->project_dir, o->lua, "", SOURCE_BYTES_MAX, arena, &source,
                               err));
    const struct pawl_lua_script open = {
        .name = o->lua, .source = source, .entry = "tool", .limits = PAWL_LUA_LIMITS};
    if (pawl_lua_open(&open, &script->lua, &why) == PAWL_OK) return PAWL_OK;
    pawl_fail(err, PAWL_ECONFIG, "The Lua of the tool cannot be used: %.100s:%d: %.300s", o->lua,
              why.line, why.message);
    pawl_hint(err, "Write `function tool(args) return \"...\" end`.");
    return PAWL_ECONFIG;
}

static void close_script(void *state)
{
    pawl_lua_close(((struct script *)state)->lua);
}

static json_t *identity(const void *state)
{
    return pawl_tool_hash_file(((const struct script *)state)->path);
}

static enum pawl_status call_script(void *state, const json_t *args, size_t max_bytes,
                                    struct pawl_arena *arena, struct pawl_tool_result *result,
                                    struct pawl_error *err)
{
    (void)max_bytes, (void)err;
    result->failed = !pawl_lua_text(((struct script *)state)->lua, args, arena, &result->text);
    return PAWL_OK;
}

const struct pawl_tool_kind pawl_tool_lua = {
    .api = PAWL_TOOL_API,
    .name = "lua",
    .summary = "a function of this project",
    .options = options_table,
    .options_bytes = sizeof(struct options),
    .open = open_script,
    .close = close_script,
    .identity = identity,
    .call = call_script,
};
