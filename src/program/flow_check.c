/*
 * What can be said of a flow's source without running it. Its words are read one after the other, which is
 * enough for what is written as ask("module", {field = ...}).field; whatever is not written so is left to
 * the run, where ask() itself looks. So nothing that could be right is refused.
 */
#include "program/flow.h"

#include <ctype.h>

enum { SHOWN_BYTES = 60 };

/* --- names that are not there ------------------------------------------------------------------- */

size_t pawl_flow_module(const struct pawl_flow *flow, struct pawl_str name)
{
    size_t i = 0;
    while (i < flow->modules.n && !pawl_str_is(name, flow->modules.list[i]->name)) i++;
    return i;
}

size_t pawl_flow_collection(const struct pawl_flow *flow, struct pawl_str name)
{
    size_t i = 0;
    while (i < flow->n_collections && !pawl_str_is(name, flow->collections[i].name)) i++;
    return i;
}

static const char *shown(struct pawl_str name, struct pawl_arena *arena)
{
    if (name.len > SHOWN_BYTES) {
        name.len = SHOWN_BYTES;
        while (name.len > 0 && ((unsigned char)name.ptr[name.len] & 0xC0) == 0x80) name.len--;
    }
    return pawl_arena_copy(arena, name).ptr;
}

static const char *not_there(const char *who, struct pawl_str name, const char *const *names,
                             size_t n, struct pawl_arena *arena)
{
    const char *word = shown(name, arena), *near = pawl_nearest_word(word, names, n);
    if (near) return pawl_arena_printf(arena, "%s \"%s\": did you mean \"%s\"?", who, word, near);
    const char *all = n > 0 ? "" : "none";
    for (size_t i = 0; i < n; i++)
        all = pawl_arena_printf(arena, "%s%s%s", all, i > 0 ? ", " : "", names[i]);
    return pawl_arena_printf(arena, "%s \"%s\"; there are: %s.", who, word, all);
}

const char *pawl_flow_no_module(const struct pawl_flow *flow, struct pawl_str name,
                                struct pawl_arena *arena)
{
    const char *names[PAWL_MODULES_MAX];
    for (size_t i = 0; i < flow->modules.n; i++) names[i] = flow->modules.list[i]->name;
    return not_there("There is no module", name, names, flow->modules.n, arena);
}

const char *pawl_flow_no_collection(const struct pawl_flow *flow, struct pawl_str name,
                                    struct pawl_arena *arena)
{
    const char *names[PAWL_COLLECTIONS_MAX];
    for (size_t i = 0; i < flow->n_collections; i++) names[i] = flow->collections[i].name;
    return not_there("There is no collection", name, names, flow->n_collections, arena);
}

const char *pawl_flow_no_tool(const struct pawl_flow *flow, struct pawl_str name,
                              struct pawl_arena *arena)
{
    const char *names[PAWL_TOOLS_MAX];
    for (size_t i = 0; i < flow->tools.n; i++) names[i] = flow->tools.list[i].name;
    return not_there("There is no tool", name, names, flow->tools.n, arena);
}

const char *pawl_flow_no_field(const struct pawl_module *module, const char *which,
                               const struct pawl_field *fields, size_t n, struct pawl_str name,
                               struct pawl_arena *arena)
{
    const char *names[PAWL_FIELDS_MAX];
    for (size_t i = 0; i < n; i++) names[i] = fields[i].name;
    return not_there(pawl_arena_printf(arena, "The module \"%s\" has no %s", module->name, which),
                     name, names, n, arena);
}

/* --- words ---------------------------------------------------------------------------------------- */

enum kind { WORD, TEXT, SIGN, OTHER };
struct token {
    enum kind kind;
    struct pawl_str text; /* of a TEXT without its quotes; ptr NULL: it has escapes */
    int line;
};
struct lexer {
    const char *at, *end;
    int line;
};

static bool starts(const struct lexer *lexer, const char *sign)
{
    size_t len = strlen(sign);
    return (size_t)(lexer->end - lexer->at) >= len && memcmp(lexer->at, sign, len) == 0;
}

static void step(struct lexer *lexer)
{
    if (*lexer->at++ == '\n') lexer->line++;
}

/* Past [==[ ... ]==], giving what is in it; false when there is none. */
static bool take_long(struct lexer *lexer, struct pawl_str *inside)
{
    struct lexer ahead = *lexer;
    size_t level = 0;
    if (!starts(&ahead, "[")) return false;
    for (ahead.at++; ahead.at < ahead.end && *ahead.at == '='; ahead.at++) level++;
    if (!starts(&ahead, "[")) return false;
    const char *begin = ++ahead.at;
    for (; ahead.at < ahead.end; step(&ahead)) {
        const char *close = ahead.at + 1;
        if (*ahead.at != ']') continue;
        while (close < ahead.end && *close == '=') close++;
        if (close == ahead.end || *close != ']' || (size_t)(close - ahead.at) != level + 1)
            continue;
        *inside = (struct pawl_str){begin, (size_t)(ahead.at - begin)};
        ahead.at = close + 1;
        break;
    }
    *lexer = ahead;
    return true;
}

static struct pawl_str take_quoted(struct lexer *lexer)
{
    char quote = *lexer->at++;
    struct pawl_str text = {lexer->at, 0};
    bool escapes = false;
    while (lexer->at < lexer->end && *lexer->at != quote) {
        if (*lexer->at == '\\' && lexer->at + 1 < lexer->end) {
            escapes = true;
            step(lexer);
        }
        step(lexer);
    }
    text.len = (size_t)(lexer->at - text.ptr);
    if (lexer->at < lexer->end) lexer->at++;
    return escapes ? (struct pawl_str){NULL, 0} : text;
}

static void skip_space(struct lexer *lexer)
{
    struct pawl_str inside;
    while (lexer->at < lexer->end) {
        if (isspace((unsigned char)*lexer->at)) {
            step(lexer);
        } else if (starts(lexer, "--")) {
            lexer->at += 2;
            if (take_long(lexer, &inside)) continue;
            while (lexer->at < lexer->end && *lexer->at != '\n') lexer->at++;
        } else {
            return;
        }
    }
}

static bool is_word_byte(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static size_t sign_length(const struct lexer *lexer)
{
    static const char *const signs[] = {"...", "..", "==", "~=", "<=", ">=", "::"};
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (starts(lexer, signs[i])) return strlen(signs[i]);
    return 1;
}

/* False at the end. */
static bool take_token(struct lexer *lexer, struct token *token)
{
    skip_space(lexer);
    if (lexer->at >= lexer->end) return false;
    *token = (struct token){.line = lexer->line, .text = {lexer->at, 1}};
    if (*lexer->at == '"' || *lexer->at == '\'') {
        token->kind = TEXT;
        token->text = take_quoted(lexer);
    } else if (take_long(lexer, &token->text)) {
        token->kind = TEXT;
    } else if (is_word_byte(*lexer->at)) {
        token->kind = isdigit((unsigned char)*lexer->at) ? OTHER : WORD;
        while (lexer->at < lexer->end && is_word_byte(*lexer->at)) lexer->at++;
        token->text.len = (size_t)(lexer->at - token->text.ptr);
    } else {
        token->kind = SIGN;
        token->text.len = sign_length(lexer);
        lexer->at += token->text.len;
    }
    return true;
}

/* --- calls ------------------------------------------------------------------------------------------ */

struct check {
    const struct pawl_flow *flow;
    struct pawl_arena *arena; /* where the sentence is to lie */
    const struct token *tokens;
    size_t n;
    const char *wrong; /* the first that is */
    int line;
};

static bool is(const struct check *c, size_t i, const char *text)
{
    return i < c->n && c->tokens[i].kind != TEXT && pawl_str_is(c->tokens[i].text, text);
}

static bool opens(const struct check *c, size_t i)
{
    return is(c, i, "(") || is(c, i, "{") || is(c, i, "[");
}

/* Past the bracket that closes the one at i. */
static size_t skip_bracket(const struct check *c, size_t i)
{
    size_t depth = 0;
    for (; i < c->n; i++) {
        if (opens(c, i)) depth++;
        if ((is(c, i, ")") || is(c, i, "}") || is(c, i, "]")) && --depth == 0) return i + 1;
    }
    return i;
}

static void refuse(struct check *c, size_t i, const char *why)
{
    if (c->wrong) return;
    c->wrong = why;
    c->line = c->tokens[i].line;
}

static size_t find_field(const struct pawl_field *fields, size_t n, struct pawl_str name)
{
    size_t i = 0;
    while (i < n && !pawl_str_is(name, fields[i].name)) i++;
    return i;
}

/* {field = ...} at i, unless it holds a function, whose words look the same. */
static void check_fields(struct check *c, size_t i, const struct pawl_module *module)
{
    const struct pawl_signature *s = &module->signature;
    bool given[PAWL_FIELDS_MAX] = {false}, begins = true, all_named = true;
    size_t open = i++;
    while (i < c->n && !is(c, i, "}")) {
        if (is(c, i, "function")) return;
        if (begins && c->tokens[i].kind == WORD && is(c, i + 1, "=")) {
            size_t k = find_field(s->inputs, s->n_inputs, c->tokens[i].text);
            if (k < s->n_inputs)
                given[k] = true;
            else
                refuse(c, i,
                       pawl_flow_no_field(module, "input", s->inputs, s->n_inputs,
                                          c->tokens[i].text, c->arena));
        } else if (begins) {
            all_named = false;
        }
        begins = is(c, i, ",") || is(c, i, ";");
        i = opens(c, i) ? skip_bracket(c, i) : i + 1;
    }
    for (size_t k = 0; all_named && k < s->n_inputs; k++)
        if (!given[k])
            refuse(c, open,
                   pawl_arena_printf(c->arena, "The module \"%s\" wants the input \"%s\" as well.",
                                     module->name, s->inputs[k].name));
}

/* {{...}, {...}} at i. */
static void check_list(struct check *c, size_t i, const struct pawl_module *module)
{
    bool begins = true;
    for (i++; i < c->n && !is(c, i, "}");) {
        if (is(c, i, "function")) return;
        if (begins && is(c, i, "{")) check_fields(c, i, module);
        begins = is(c, i, ",") || is(c, i, ";");
        i = opens(c, i) ? skip_bracket(c, i) : i + 1;
    }
}

/* ask( at i, with the name of a module. */
static void check_ask(struct check *c, size_t i, bool many)
{
    const struct token *name = &c->tokens[i + 2];
    size_t which = pawl_flow_module(c->flow, name->text);
    if (which == c->flow->modules.n) {
        refuse(c, i + 2, pawl_flow_no_module(c->flow, name->text, c->arena));
        return;
    }
    const struct pawl_module *module = c->flow->modules.list[which];
    if (is(c, i + 3, ",") && is(c, i + 4, "{")) {
        if (many)
            check_list(c, i + 4, module);
        else
            check_fields(c, i + 4, module);
    }
    size_t after = skip_bracket(c, i + 1);
    if (many || !is(c, after, ".") || after + 1 >= c->n) return;
    const struct pawl_signature *s = &module->signature;
    struct pawl_str field = c->tokens[after + 1].text;
    if (find_field(s->outputs, s->n_outputs, field) == s->n_outputs)
        refuse(c, after + 1,
               pawl_flow_no_field(module, "output", s->outputs, s->n_outputs, field, c->arena));
}

/* Whether the script makes something of its own of the name. */
static bool is_own(const struct check *c, const char *name)
{
    for (size_t i = 0; i < c->n; i++) {
        if (!is(c, i, name)) continue;
        if (is(c, i + 1, "=") || (i > 0 && (is(c, i - 1, "function") || is(c, i - 1, "local"))))
            return true;
    }
    return false;
}

static void check_calls(struct check *c, const char *function)
{
    if (is_own(c, function)) return;
    for (size_t i = 0; i + 3 < c->n; i++) {
        if (!is(c, i, function) || !is(c, i + 1, "(") || c->tokens[i + 2].kind != TEXT) continue;
        if (i > 0 && (is(c, i - 1, ".") || is(c, i - 1, ":"))) continue;
        if (!c->tokens[i + 2].text.ptr || !(is(c, i + 3, ",") || is(c, i + 3, ")"))) continue;
        if (strcmp(function, "tool") == 0) {
            if (pawl_tools_find(&c->flow->tools, c->tokens[i + 2].text) == c->flow->tools.n)
                refuse(c, i + 2, pawl_flow_no_tool(c->flow, c->tokens[i + 2].text, c->arena));
        } else if (strcmp(function, "search") != 0)
            check_ask(c, i, strcmp(function, "ask_all") == 0);
        else if (pawl_flow_collection(c->flow, c->tokens[i + 2].text) == c->flow->n_collections)
            refuse(c, i + 2, pawl_flow_no_collection(c->flow, c->tokens[i + 2].text, c->arena));
    }
}

/* --- loading ------------------------------------------------------------------------------------------ */

static enum pawl_status check_source(const struct pawl_flow *flow, struct pawl_str source,
                                     struct pawl_arena *arena, struct pawl_error *err)
{
    struct pawl_arena scratch = {0};
    struct lexer lexer = {source.ptr, source.ptr + source.len, 1};
    struct token *tokens = PAWL_NEW_N(&scratch, struct token, source.len + 1);
    struct check c = {.flow = flow, .arena = arena, .tokens = tokens};
    while (take_token(&lexer, &tokens[c.n])) c.n++;
    check_calls(&c, "ask");
    check_calls(&c, "ask_all");
    check_calls(&c, "search");
    check_calls(&c, "tool");
    pawl_arena_release(&scratch);
    if (!c.wrong) return PAWL_OK;
    pawl_fail_at(err, PAWL_ECONFIG, flow->file, c.line, NULL, "%s", c.wrong);
    pawl_hint(err, "Modules and their signatures stand in pawl.yaml under program.modules, "
                   "collections under program.collections, tools under program.tools.");
    return PAWL_ECONFIG;
}

enum pawl_status pawl_flow_load(const struct pawl_flow *flow, struct pawl_str source,
                                struct pawl_arena *arena, struct pawl_lua **lua,
                                struct pawl_error *err)
{
    const struct pawl_lua_script script = {.name = flow->file,
                                           .source = source,
                                           .entry = "flow",
                                           .functions = pawl_flow_functions,
                                           .limits = PAWL_LUA_LIMITS};
    PAWL_TRY(pawl_lua_open(&script, lua, err));
    enum pawl_status status = check_source(flow, source, arena, err);
    if (status != PAWL_OK) {
        pawl_lua_close(*lua);
        *lua = NULL;
    }
    return status;
}
