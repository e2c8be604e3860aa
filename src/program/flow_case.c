/*
 * One case of a flow. Lua asks by a function that only notes the question and waits; `serve` answers it,
 * off Lua's stack; then the function gives the answer, or raises what was wrong with it.
 */
#include "program/answer.h"
#include "program/fields.h"
#include "program/flow.h"
#include "program/query.h"
#include "program/script.h"

#include <stdlib.h>

enum { QUERY_BYTES_MAX = 64 << 10 };

struct flow_case {
    const struct pawl_flow_instance *instance;
    struct pawl_arena *arena;
    const struct pawl_program_case *item;
    const struct pawl_run_options *how;
    struct pawl_outcome *outcome;
    json_t *input, *output; /* as they come to Lua and from it */
    size_t n_asked;

    /* the question under way */
    enum { ASK, ASK_ALL, SEARCH, TOOL } what;
    size_t which; /* module, collection or tool */
    json_t *taken, *inputs;
    struct pawl_str query;
    size_t k;
    json_t *reply;
    const char *fault; /* instead of a reply: an error where it was asked */

    /* what ends the case whatever Lua does */
    enum pawl_status status;
    struct pawl_error *err;
    enum pawl_outcome_status end;
    const char *why; /* NULL: nothing has */
};

/* --- asking, in Lua ----------------------------------------------------------------------------- */

static struct flow_case *case_of(lua_State *L)
{
    struct flow_case *c = pawl_lua_context(L);
    if (!c) luaL_error(L, "nothing can be asked while the flow loads, only in flow(input)");
    return c;
}

static const json_t *take_argument(lua_State *L, struct flow_case *c, int index)
{
    const char *fault = "";
    json_decref(c->taken);
    c->taken = pawl_lua_take_json(L, index, &fault);
    if (!c->taken) luaL_error(L, "what is asked cannot be used: %s", fault);
    return c->taken;
}

/* Add what one question holds to c->inputs; NULL, or what is wrong with it. */
static const char *add_input(struct flow_case *c, const struct pawl_module *module,
                             const json_t *value)
{
    const struct pawl_signature *s = &module->signature;
    const char *name;
    json_t *field;
    if (!json_is_object(value) && !json_is_array(value) && !json_is_null(value) &&
        s->n_inputs == 1) {
        json_t *only = json_object();
        pawl_json_set(only, s->inputs->name, json_incref((json_t *)(uintptr_t)value));
        json_array_append_new(c->inputs, only);
        return NULL;
    }
    json_object_foreach((json_t *)(uintptr_t)value, name, field)
    {
        size_t i = 0;
        while (i < s->n_inputs && strcmp(s->inputs[i].name, name) != 0) i++;
        if (i == s->n_inputs)
            return pawl_flow_no_field(module, "input", s->inputs, s->n_inputs, pawl_str_of(name),
                                      c->arena);
    }
    for (size_t i = 0; i < s->n_inputs; i++)
        if (!json_object_get(value, s->inputs[i].name))
            return pawl_arena_printf(c->arena, "The module \"%s\" wants the input \"%s\".",
                                     module->name, s->inputs[i].name);
    json_array_append_new(c->inputs, pawl_modules_select(value, s->inputs, s->n_inputs));
    return NULL;
}

/* The module that the first argument names; no inputs yet. */
static const struct pawl_module *start_question(lua_State *L, struct flow_case *c)
{
    const struct pawl_flow *flow = c->instance->flow;
    struct pawl_str name;
    name.ptr = luaL_checklstring(L, 1, &name.len);
    c->which = pawl_flow_module(flow, name);
    if (c->which == flow->modules.n) luaL_error(L, "%s", pawl_flow_no_module(flow, name, c->arena));
    json_decref(c->inputs);
    c->inputs = json_array();
    return flow->modules.list[c->which];
}

static int give_reply(lua_State *L, int status, lua_KContext context)
{
    (void)status, (void)context;
    struct flow_case *c = case_of(L);
    const char *fault = c->fault;
    c->fault = NULL;
    if (fault) return luaL_error(L, "%s", fault);
    bool single = c->what == ASK || c->what == TOOL;
    pawl_lua_push_json(L, single ? json_array_get(c->reply, 0) : c->reply);
    return 1;
}

static int lua_ask(lua_State *L)
{
    struct flow_case *c = case_of(L);
    const struct pawl_module *module = start_question(L, c);
    const char *fault = add_input(c, module, take_argument(L, c, 2));
    if (fault) return luaL_error(L, "%s", fault);
    c->what = ASK;
    return pawl_lua_wait(L, give_reply);
}

static int lua_ask_all(lua_State *L)
{
    struct flow_case *c = case_of(L);
    const struct pawl_module *module = start_question(L, c);
    const json_t *list = take_argument(L, c, 2);
    if (!json_is_array(list)) return luaL_error(L, "ask_all() wants a list: {{...}, {...}}");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *fault = add_input(c, module, json_array_get(list, i));
        if (fault) return luaL_error(L, "Question %d: %s", (int)i + 1, fault);
    }
    c->what = ASK_ALL;
    return pawl_lua_wait(L, give_reply);
}

static int lua_search(lua_State *L)
{
    struct flow_case *c = case_of(L);
    const struct pawl_flow *flow = c->instance->flow;
    struct pawl_str name, query;
    name.ptr = luaL_checklstring(L, 1, &name.len);
    query.ptr = luaL_checklstring(L, 2, &query.len);
    lua_Integer k = luaL_optinteger(L, 3, PAWL_FLOW_SEARCH_K);
    luaL_argcheck(L, query.len <= QUERY_BYTES_MAX, 2, "a query is at most 64 KiB");
    luaL_argcheck(L, k >= 1 && k <= PAWL_FOUND_MAX, 3, "1 to 100 passages");
    c->which = pawl_flow_collection(flow, name);
    if (c->which == flow->n_collections)
        return luaL_error(L, "%s", pawl_flow_no_collection(flow, name, c->arena));
    c->query = pawl_arena_copy(c->arena, query);
    c->k = (size_t)k;
    c->what = SEARCH;
    return pawl_lua_wait(L, give_reply);
}

static int lua_tool(lua_State *L)
{
    struct flow_case *c = case_of(L);
    const struct pawl_flow *flow = c->instance->flow;
    struct pawl_str name;
    name.ptr = luaL_checklstring(L, 1, &name.len);
    c->which = pawl_tools_find(&flow->tools, name);
    if (c->which == flow->tools.n)
        return luaL_error(L, "%s", pawl_flow_no_tool(flow, name, c->arena));
    lua_settop(L, 2); /* without arguments: nil */
    take_argument(L, c, 2);
    c->what = TOOL;
    return pawl_lua_wait(L, give_reply);
}

const luaL_Reg pawl_flow_functions[] = {{"ask", lua_ask},
                                        {"ask_all", lua_ask_all},
                                        {"search", lua_search},
                                        {"tool", lua_tool},
                                        {NULL, NULL}};

/* --- answering, outside ---------------------------------------------------------------------------- */

static void end_case(struct flow_case *c, enum pawl_outcome_status status, const char *why)
{
    if (c->why) return;
    c->end = status;
    c->why = why;
}

static void take_part(struct flow_case *c, struct pawl_outcome *part)
{
    pawl_modules_add(c->outcome, part);
    if (part->status == PAWL_OUTCOME_MISSING)
        end_case(c, PAWL_OUTCOME_MISSING, part->reason);
    else if (part->status == PAWL_OUTCOME_FAILED && !c->fault)
        c->fault = part->reason;
    else if (part->output)
        json_array_append(c->reply, part->output);
    pawl_outcome_release(part);
}

static void serve_modules(struct flow_case *c)
{
    size_t n = json_array_size(c->inputs);
    struct pawl_outcome *parts = PAWL_NEW_N(c->arena, struct pawl_outcome, n + 1);
    const struct pawl_flow_ask ask = {.modules = &c->instance->modules,
                                      .module = c->which,
                                      .inputs = c->inputs,
                                      .case_id = c->item->id,
                                      .how = c->how};
    c->status = pawl_flow_ask_all(&ask, c->arena, parts, c->err);
    for (size_t i = 0; i < n; i++) take_part(c, &parts[i]);
}

static enum pawl_status search(struct flow_case *c)
{
    struct pawl_collection *collection = c->instance->flow->collections[c->which].opened;
    struct pawl_passage *found = PAWL_NEW_N(c->arena, struct pawl_passage, c->k);
    const float *vector;
    size_t n = 0;
    PAWL_TRY(
        pawl_query_embed(c->instance->flow->lm, collection, c->query, c->arena, &vector, c->err));
    PAWL_TRY(
        pawl_collection_search(collection, c->query, vector, c->k, c->arena, found, &n, c->err));
    for (size_t i = 0; i < n; i++) {
        json_t *passage = json_object();
        pawl_json_set(passage, "id", pawl_json_string(found[i].id));
        pawl_json_set(passage, "title", pawl_json_string(found[i].title));
        pawl_json_set(passage, "text", pawl_json_string(found[i].text));
        json_array_append_new(c->reply, passage);
    }
    return PAWL_OK;
}

static enum pawl_status use_tool(struct flow_case *c)
{
    const struct pawl_tool *tool = &c->instance->flow->tools.list[c->which];
    const json_t *args = json_is_null(c->taken) ? NULL : c->taken;
    struct pawl_tool_result result;
    PAWL_TRY(pawl_tool_call(tool, args, c->arena, &result, c->err));
    if (result.failed)
        c->fault = pawl_arena_copy(c->arena, result.text).ptr;
    else
        json_array_append_new(c->reply, pawl_json_string(result.text));
    return PAWL_OK;
}

static bool serve(void *context)
{
    struct flow_case *c = context;
    size_t n = c->what == SEARCH || c->what == TOOL ? 1 : json_array_size(c->inputs);
    size_t most = c->instance->flow->max_asks;
    if (n > most - c->n_asked) {
        end_case(c, PAWL_OUTCOME_FAILED,
                 pawl_arena_printf(c->arena,
                                   "The flow asks more than %zu questions in one case "
                                   "(program.max_asks).",
                                   most));
        return false;
    }
    c->n_asked += n;
    json_decref(c->reply);
    c->reply = json_array();
    if (c->what == SEARCH)
        c->status = search(c);
    else if (c->what == TOOL)
        c->status = use_tool(c);
    else
        serve_modules(c);
    return c->status == PAWL_OK && !c->why;
}

/* --- what comes out --------------------------------------------------------------------------------- */

static bool is_of_type(const struct pawl_field *field, const json_t *value)
{
    switch (field->type) {
    case PAWL_FIELD_TEXT:
        return json_is_string(value);
    case PAWL_FIELD_NUMBER:
        return json_is_number(value);
    case PAWL_FIELD_BOOLEAN:
        return json_is_boolean(value);
    case PAWL_FIELD_LIST:
        return json_is_array(value);
    case PAWL_FIELD_OBJECT:
        return json_is_object(value);
    case PAWL_FIELD_CHOICES:
        return false; /* read as text, so that it is one of them */
    }
    return false;
}

/* A text, or a number or boolean as one; ptr NULL for what is neither. */
static struct pawl_str as_text(const json_t *value, struct pawl_arena *arena)
{
    if (json_is_string(value))
        return (struct pawl_str){json_string_value(value), json_string_length(value)};
    if (!json_is_number(value) && !json_is_boolean(value)) return (struct pawl_str){NULL, 0};
    char *written = pawl_json_text(value);
    struct pawl_str copy = pawl_arena_copy(arena, pawl_str_of(written));
    free(written);
    return copy;
}

/* The value as the field's type wants it, a new reference, or NULL and *fault. */
static json_t *read_field(const struct pawl_field *field, json_t *value, struct pawl_arena *arena,
                          const char **fault)
{
    if (!value || json_is_null(value)) {
        *fault = pawl_arena_printf(arena, "The flow gave no \"%s\".", field->name);
        return NULL;
    }
    if (is_of_type(field, value)) return json_incref(value);
    if (field->type == PAWL_FIELD_OBJECT && json_is_array(value) && json_array_size(value) == 0)
        return json_object();
    struct pawl_str text = as_text(value, arena);
    const char *why = "";
    if (text.ptr && field->type == PAWL_FIELD_TEXT) return pawl_json_string(text);
    json_t *read = text.ptr ? pawl_answer_parse(text, field, 1, arena, &why) : NULL;
    json_t *taken = json_incref(json_object_get(read, field->name));
    json_decref(read);
    if (!taken)
        *fault = pawl_arena_printf(arena, "The flow gave a \"%s\" that is no %s. %s", field->name,
                                   pawl_field_type_name(field->type), why);
    return taken;
}

/* By field; what is no map is the only field, and so is a map where the only field is an object. */
static json_t *read_output(const struct pawl_signature *s, json_t *value, struct pawl_arena *arena,
                           const char **fault)
{
    json_t *output = json_object();
    bool whole = s->n_outputs == 1 &&
                 (!json_is_object(value) || (s->outputs->type == PAWL_FIELD_OBJECT &&
                                             !json_object_get(value, s->outputs->name)));
    for (size_t i = 0; i < s->n_outputs; i++) {
        const struct pawl_field *field = &s->outputs[i];
        json_t *read =
            read_field(field, whole ? value : json_object_get(value, field->name), arena, fault);
        if (read) {
            pawl_json_set(output, field->name, read);
            continue;
        }
        json_decref(output);
        return NULL;
    }
    return output;
}

/* --- running ------------------------------------------------------------------------------------------ */

static int push_input(lua_State *L, void *context)
{
    pawl_lua_push_json(L, ((struct flow_case *)context)->input);
    return 1;
}

static void take_output(lua_State *L, void *context)
{
    struct flow_case *c = context;
    const char *fault = "";
    c->output = pawl_lua_take_json(L, -1, &fault);
    if (!c->output) luaL_error(L, "what flow(input) gives cannot be used: %s", fault);
}

static enum pawl_status conclude(struct flow_case *c, bool ran, const char *reason)
{
    const struct pawl_signature *s = &c->instance->flow->signature;
    const char *fault = NULL;
    if (c->status != PAWL_OK) return c->status;
    if (c->why) return pawl_outcome_fail(c->outcome, c->end, c->why);
    if (!ran)
        return pawl_outcome_fail(c->outcome, PAWL_OUTCOME_FAILED,
                                 pawl_script_fault("The flow", reason, c->arena));
    c->outcome->output = read_output(s, c->output, c->arena, &fault);
    if (!c->outcome->output) return pawl_outcome_fail(c->outcome, PAWL_OUTCOME_FAILED, fault);
    c->outcome->status = PAWL_OUTCOME_DONE;
    c->outcome->behaviour = pawl_hash_json(c->outcome->output);
    return PAWL_OK;
}

static enum pawl_status run_in(struct pawl_lua *lua, struct flow_case *c)
{
    struct pawl_lua_call call = {
        .push = push_input, .take = take_output, .serve = serve, .context = c};
    if (c->how->flags & PAWL_RUN_TRACE) c->outcome->trace = json_array();
    bool ran = pawl_lua_call(lua, &call);
    enum pawl_status status = conclude(c, ran, call.reason);
    json_decref(c->output);
    json_decref(c->taken);
    json_decref(c->inputs);
    json_decref(c->reply);
    return status;
}

enum pawl_status pawl_flow_run(const struct pawl_flow_instance *instance, struct pawl_arena *arena,
                               const struct pawl_program_case *item,
                               const struct pawl_run_options *how, struct pawl_outcome *outcome,
                               struct pawl_error *err)
{
    const struct pawl_flow *flow = instance->flow;
    struct pawl_lua *fresh = NULL;
    if (instance->fault) return pawl_outcome_fail(outcome, PAWL_OUTCOME_FAILED, instance->fault);
    struct flow_case c = {.instance = instance,
                          .arena = arena,
                          .item = item,
                          .how = how,
                          .outcome = outcome,
                          .err = err,
                          .input = pawl_fields_of_input(item->input, &flow->signature)};
    if (!c.input)
        return pawl_outcome_fail(outcome, PAWL_OUTCOME_FAILED,
                                 "The case lacks an input field of the program.");
    enum pawl_status status = PAWL_OK;
    if (flow->sealed) status = pawl_flow_load(flow, instance->source, arena, &fresh, err);
    if (status == PAWL_OK) status = run_in(fresh ? fresh : instance->lua, &c);
    pawl_lua_close(fresh);
    json_decref(c.input);
    return status;
}
