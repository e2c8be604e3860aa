#include "program/tool.h"
#include "base/hash.h"
#include "program/project_file.h"

#include <stdio.h>
#include <stdlib.h>

enum { NAME_BYTES_MAX = 32 };

/* What every tool has beside the options of its kind. */
struct common {
    const char *description;
    json_t *arguments;
    int64_t max_bytes;
};
static const struct pawl_option common_options[] = {
    PAWL_OPT_TEXT(struct common, description, NULL, "what it does, in a line"),
    PAWL_OPT_JSON(struct common, arguments, "{name: what it means}"),
    PAWL_OPT_INT(struct common, max_bytes, "4000", 100, 1000000, "the longest text that it gives"),
    {0}};

/* --- opening ------------------------------------------------------------------------------------ */

static enum pawl_status refuse(const char *name, struct pawl_arena *arena, const char *what,
                               struct pawl_error *err)
{
    pawl_fail_at(err, PAWL_ECONFIG, NULL, 0,
                 name ? pawl_arena_printf(arena, "tools.%.80s", name) : "tools", "%s", what);
    pawl_hint(err, "Write `tools: {calc: calculator, docs: {search: docs.db}, clock: {lua: "
                   "clock.lua}, run: {command: [python3, tool.py]}}`.");
    return PAWL_ECONFIG;
}

static bool is_name(const char *name)
{
    size_t len = strlen(name);
    return name[0] >= 'a' && name[0] <= 'z' && len <= NAME_BYTES_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == len;
}

/* The kind whose name is a key of `what`, or is `what`. */
static const struct pawl_tool_kind *kind_of(const json_t *what)
{
    for (size_t i = 0; pawl_tool_kinds[i]; i++) {
        const char *name = pawl_tool_kinds[i]->name;
        if (json_is_string(what) && strcmp(json_string_value(what), name) == 0 &&
            !pawl_tool_kinds[i]->options)
            return pawl_tool_kinds[i];
        if (json_is_object(what) && json_object_get(what, name)) return pawl_tool_kinds[i];
    }
    return NULL;
}

static bool is_common(const char *key)
{
    for (size_t i = 0; common_options[i].name; i++)
        if (strcmp(common_options[i].name, key) == 0) return true;
    return false;
}

/* The options of the kind and those of every tool lie in one map. Both are kept by `what` itself. */
static void part(const json_t *what, const struct pawl_tool_kind *kind, json_t *common, json_t *own)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)what, key, value)
    {
        if (!kind->options && strcmp(key, kind->name) == 0) continue; /* {calculator: ~} */
        json_object_set(is_common(key) ? common : own, key, value);
    }
}

static enum pawl_status read_arguments(struct pawl_tool *tool, const json_t *map,
                                       struct pawl_arena *arena, struct pawl_error *err)
{
    size_t n = json_object_size(map);
    if (tool->kind->arguments) {
        if (map)
            return refuse(tool->name, arena, "A tool of this kind has its own arguments.", err);
        tool->arguments = tool->kind->arguments;
        while (tool->arguments[tool->n_arguments].name) tool->n_arguments++;
        return PAWL_OK;
    }
    if (map && (!json_is_object(map) || n > PAWL_TOOL_ARGUMENTS_MAX))
        return refuse(tool->name, arena,
                      "The arguments of a tool are no map of up to 16 names to what they mean.",
                      err);
    struct pawl_tool_argument *list = PAWL_NEW_N(arena, struct pawl_tool_argument, n + 1);
    const char *name;
    json_t *meaning;
    json_object_foreach((json_t *)(uintptr_t)map, name, meaning)
    {
        if (!is_name(name) || !json_is_string(meaning))
            return refuse(
                tool->name, arena,
                "An argument is not a name of a-z, 0-9 and _ with a text that says what it "
                "means.",
                err);
        list[tool->n_arguments++] = (struct pawl_tool_argument){
            pawl_arena_strdup(arena, name), pawl_arena_strdup(arena, json_string_value(meaning))};
    }
    tool->arguments = list;
    return PAWL_OK;
}

static enum pawl_status open_kind(struct pawl_tool *tool, const json_t *common, const json_t *own,
                                  const struct pawl_program_settings *settings,
                                  struct pawl_arena *arena, struct pawl_error *err)
{
    struct common shared;
    const struct pawl_tool_kind *kind = tool->kind;
    static const struct pawl_option none[] = {{0}};
    const char *path = pawl_arena_printf(arena, "tools.%s", tool->name);
    PAWL_TRY(pawl_options_read(common_options, common, path, arena, &shared, err));
    tool->description = shared.description ? shared.description : kind->summary;
    tool->max_bytes = (size_t)shared.max_bytes;
    if (strchr(tool->description, '\n'))
        return refuse(tool->name, arena, "The description of a tool is more than a line.", err);
    PAWL_TRY(read_arguments(tool, shared.arguments, arena, err));
    void *options = pawl_arena_alloc(arena, 1, kind->options_bytes + 1);
    PAWL_TRY(
        pawl_options_read(kind->options ? kind->options : none, own, path, arena, options, err));
    enum pawl_status status = kind->open(options, settings, arena, &tool->state, err);
    if (status == PAWL_ECONFIG && err) snprintf(err->field, sizeof err->field, "%s", path);
    return status;
}

static enum pawl_status open_tool(const char *name, const json_t *what,
                                  const struct pawl_program_settings *settings,
                                  struct pawl_arena *arena, struct pawl_tools *tools,
                                  struct pawl_error *err)
{
    struct pawl_tool *tool = &tools->list[tools->n];
    if (!is_name(name) || strcmp(name, "finish") == 0)
        return refuse(name, arena,
                      "A tool's name has other than up to 32 of a-z, 0-9 and _, or is \"finish\".",
                      err);
    *tool = (struct pawl_tool){.name = pawl_arena_strdup(arena, name), .kind = kind_of(what)};
    if (!tool->kind)
        return refuse(name, arena,
                      "This is no tool: it is none of calculator, search, lua and command.", err);
    json_t *common = json_object(), *own = json_object();
    part(what, tool->kind, common, own);
    enum pawl_status status = open_kind(tool, common, own, settings, arena, err);
    json_decref(common);
    json_decref(own);
    tools->n += status == PAWL_OK;
    return status;
}

static enum pawl_status open_listed(const json_t *names, const json_t *declared,
                                    const struct pawl_program_settings *settings,
                                    struct pawl_arena *arena, struct pawl_tools *tools,
                                    struct pawl_error *err)
{
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        const json_t *what = name ? json_object_get(declared, name) : NULL;
        if (!what)
            return refuse(NULL, arena,
                          pawl_arena_printf(arena,
                                            "The tool \"%.80s\" is not declared in "
                                            "program.tools.",
                                            name ? name : "?"),
                          err);
        PAWL_TRY(open_tool(name, what, settings, arena, tools, err));
    }
    return PAWL_OK;
}

enum pawl_status pawl_tools_open(const json_t *wanted, const json_t *declared,
                                 const struct pawl_program_settings *settings,
                                 struct pawl_arena *arena, struct pawl_tools *tools,
                                 struct pawl_error *err)
{
    const char *name;
    json_t *what;
    *tools = (struct pawl_tools){.n = 0};
    size_t n = json_is_array(wanted) ? json_array_size(wanted) : json_object_size(wanted);
    if (n == 0 || n > PAWL_TOOLS_MAX)
        return refuse(NULL, arena, "The tools are no map and no list of 1 to 16 names.", err);
    if (json_is_array(wanted)) return open_listed(wanted, declared, settings, arena, tools, err);
    json_object_foreach((json_t *)(uintptr_t)wanted, name, what)
        PAWL_TRY(open_tool(name, what, settings, arena, tools, err));
    return PAWL_OK;
}

void pawl_tools_close(struct pawl_tools *tools)
{
    while (tools->n > 0) {
        struct pawl_tool *tool = &tools->list[--tools->n];
        if (tool->kind->close) tool->kind->close(tool->state);
    }
}

/* --- what they are -------------------------------------------------------------------------------- */

size_t pawl_tools_find(const struct pawl_tools *tools, struct pawl_str name)
{
    size_t i = 0;
    while (i < tools->n && !pawl_str_is(name, tools->list[i].name)) i++;
    return i;
}

void pawl_tools_describe(const struct pawl_tools *tools, struct pawl_buf *out)
{
    for (size_t i = 0; i < tools->n; i++) {
        const struct pawl_tool *tool = &tools->list[i];
        pawl_buf_printf(out, "- %s(", tool->name);
        for (size_t k = 0; k < tool->n_arguments; k++) {
            const struct pawl_tool_argument *argument = &tool->arguments[k];
            pawl_buf_printf(out, "%s%s%s%s", k ? ", " : "", argument->name,
                            argument->description[0] ? ": " : "", argument->description);
        }
        pawl_buf_printf(out, "): %s\n", tool->description);
    }
}

json_t *pawl_tool_hash_file(const char *path)
{
    char hex[PAWL_HASH_HEX] = "";
    struct pawl_hash hash;
    if (pawl_project_file_hash(path, &hash)) pawl_hash_hex(&hash, hex);
    return json_string(hex);
}

json_t *pawl_tools_identity(const struct pawl_tools *tools)
{
    json_t *files = json_object();
    for (size_t i = 0; i < tools->n; i++)
        if (tools->list[i].kind->identity)
            pawl_json_set(files, tools->list[i].name,
                          tools->list[i].kind->identity(tools->list[i].state));
    return files;
}

/* --- a call ----------------------------------------------------------------------------------------- */

void pawl_tool_gives(struct pawl_tool_result *result, struct pawl_str text)
{
    *result = (struct pawl_tool_result){.text = text};
}

void pawl_tool_fails(struct pawl_tool_result *result, const char *why)
{
    *result = (struct pawl_tool_result){.text = pawl_str_of(why), .failed = true};
}

/* The arguments by name; NULL and why not. What is no object is the only argument. */
static json_t *fit(const struct pawl_tool *tool, const json_t *args, struct pawl_arena *arena,
                   const char **why)
{
    json_t *given = args ? json_incref((json_t *)(uintptr_t)args) : json_object();
    if (!json_is_object(given)) {
        json_t *bare = given;
        given = json_object();
        if (tool->n_arguments == 1) pawl_json_set(given, tool->arguments->name, json_incref(bare));
        json_decref(bare);
    }
    for (size_t i = 0; i < tool->n_arguments; i++) {
        if (json_object_get(given, tool->arguments[i].name)) continue;
        *why = pawl_arena_printf(arena, "The tool \"%s\" needs the argument \"%s\".", tool->name,
                                 tool->arguments[i].name);
        json_decref(given);
        return NULL;
    }
    return given;
}

/* Invariant 1 of the header. */
static void bound(struct pawl_str *text, size_t max_bytes, struct pawl_arena *arena)
{
    static const char mark[] = " ... (cut)";
    size_t n = text->len;
    struct pawl_buf good = PAWL_BUF(4 * max_bytes + 64);
    if (n > max_bytes) {
        n = max_bytes - (sizeof mark - 1);
        while (n > 0 && ((unsigned char)text->ptr[n] & 0xc0) == 0x80) n--;
    }
    struct pawl_str kept = {text->ptr, n};
    if (pawl_utf8_is_valid(kept, NULL))
        pawl_buf_add_str(&good, kept);
    else
        pawl_utf8_repair(kept, &good);
    if (n < text->len) pawl_buf_add(&good, mark);
    *text = pawl_arena_copy(arena, pawl_buf_str(&good));
    pawl_buf_release(&good);
}

enum pawl_status pawl_tool_call(const struct pawl_tool *tool, const json_t *args,
                                struct pawl_arena *arena, struct pawl_tool_result *result,
                                struct pawl_error *err)
{
    const char *why = NULL;
    json_t *fitting = fit(tool, args, arena, &why);
    enum pawl_status status = PAWL_OK;
    if (fitting)
        status = tool->kind->call(tool->state, fitting, tool->max_bytes, arena, result, err);
    else
        pawl_tool_fails(result, why);
    json_decref(fitting);
    if (status == PAWL_OK) bound(&result->text, tool->max_bytes, arena);
    return status;
}
