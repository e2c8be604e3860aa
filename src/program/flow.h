/*
 * flow.h - a program whose modules are asked by Lua: loops, branches, searches.
 *
 *     program:
 *       flow: flow.lua
 *       signature: "question -> answer: yes | no"        # what cases have, and what flow(input) gives
 *       modules:
 *         plan:   {signature: "question -> queries: list", instruction: prompts/plan.md}
 *         answer: {signature: "question, passages -> answer: yes | no"}
 *       collections: {docs: handbook.db}                 # made by `pawl index`
 *
 *     function flow(input)                               -- flow.lua
 *       local queries, found = ask("plan", {question = input.question}).queries, {}
 *       for _, query in ipairs(queries) do found[#found + 1] = search("docs", query, 3) end
 *       return ask("answer", {question = input.question, passages = found})
 *     end
 *
 *     ask(module, {field = value})            one answer, by field; a bare text where there is one input
 *     ask_all(module, {{...}, {...}})         as many answers, asked side by side, in order
 *     search(collection, query [, k])         {{id =, title =, text =} ...}, best first; by meaning too
 *                                             where a role's model is the one that gave the vectors
 *     tool(name, {argument = value})          the text of one of program.tools (tool.h); what it says is wrong
 *                                             is an error
 *
 * Invariants
 *   1. The source is a component of the artifact, "flow": what was certified is what runs, a rollback
 *      brings it back, and an edit of the file is a change like any other. Operators leave it alone (role
 *      "flow") unless `edit: true` (role "source").
 *   2. A module, and a tool, fails as a Lua error with the line, which a flow may catch. What ends the case whatever
 *      Lua does: the world's fault, and more than max_asks questions (each answer of ask_all, each
 *      search and each tool is one).
 *   3. Equal inputs of a module get equal answers within a sample; nothing is kept from case to case.
 *   4. What modules are asked stands in the trace in the order of the questions, those of one ask_all in
 *      the order of its list, whichever answer comes first.
 *   5. Lua is not on the stack while a module is asked.
 *
 * A collection's content belongs to the identity of the program (pawl_program_identity): making it again is
 * another program under the same artifacts, as other models are.
 *
 * Only flow_*.c include this.
 */
#ifndef PAWL_PROGRAM_FLOW_H
#define PAWL_PROGRAM_FLOW_H

#include "base/lua_json.h"
#include "code/collection.h"
#include "program/modules.h"

enum { PAWL_COLLECTIONS_MAX = 16, PAWL_FLOW_SEARCH_K = 5 };
#define PAWL_FLOW_COMPONENT "flow"

struct pawl_flow_collection {
    const char *name, *path;
    struct pawl_collection *opened;
};
/* Opened from pawl.yaml; the same for all candidates. */
struct pawl_flow {
    struct pawl_modules modules; /* as they are written down */
    struct pawl_signature signature;
    struct pawl_flow_collection collections[PAWL_COLLECTIONS_MAX];
    size_t n_collections;
    struct pawl_tools tools; /* n 0: none */
    const char *file;        /* as in pawl.yaml; the name in messages */
    struct pawl_str source;  /* of the seed */
    struct pawl_lm *lm;      /* for vectors of queries */
    size_t max_asks;
    bool edit, sealed;
};
/* One candidate. */
struct pawl_flow_instance {
    const struct pawl_flow *flow;
    struct pawl_modules_instance modules;
    struct pawl_arena arena;
    struct pawl_str source;
    struct pawl_lua *lua; /* NULL when there is a fault */
    const char *fault;    /* why the source cannot be used */
};

/* --- the source (flow_check.c) ------------------------------------------------------------------ */

/* Load it: *lua to be closed. Fails PAWL_ECONFIG with file and line, also for what can be seen without
 * running it: a module or collection that is named by a text and is not there, a field that is none. */
PAWL_MUST_CHECK enum pawl_status pawl_flow_load(const struct pawl_flow *flow,
                                                struct pawl_str source, struct pawl_arena *arena,
                                                struct pawl_lua **lua, struct pawl_error *err);
/* Its place in the list; n of them when there is none. */
size_t pawl_flow_module(const struct pawl_flow *flow, struct pawl_str name);
size_t pawl_flow_collection(const struct pawl_flow *flow, struct pawl_str name);
/* A sentence, in `arena`, about a name that is not there: it names the nearest that is. */
const char *pawl_flow_no_module(const struct pawl_flow *flow, struct pawl_str name,
                                struct pawl_arena *arena);
const char *pawl_flow_no_collection(const struct pawl_flow *flow, struct pawl_str name,
                                    struct pawl_arena *arena);
const char *pawl_flow_no_tool(const struct pawl_flow *flow, struct pawl_str name,
                              struct pawl_arena *arena);
const char *pawl_flow_no_field(const struct pawl_module *module, const char *which,
                               const struct pawl_field *fields, size_t n, struct pawl_str name,
                               struct pawl_arena *arena);

/* --- a case (flow_case.c) ------------------------------------------------------------------------- */

extern const luaL_Reg pawl_flow_functions[];
/* The slot `run` of the kind of program. */
PAWL_MUST_CHECK enum pawl_status
pawl_flow_run(const struct pawl_flow_instance *instance, struct pawl_arena *arena,
              const struct pawl_program_case *item, const struct pawl_run_options *how,
              struct pawl_outcome *outcome, struct pawl_error *err);

/* --- asking (flow_ask.c) ---------------------------------------------------------------------------- */

struct pawl_flow_ask {
    const struct pawl_modules_instance *modules;
    size_t module;
    const json_t *inputs; /* a list of {field: value}, complete */
    const char *case_id;
    const struct pawl_run_options *how;
};
/*
 * Ask a module about all inputs, side by side as far as its model can. parts[i] is to be released. Fails
 * as the first that failed does, with usage in every part all the same.
 */
PAWL_MUST_CHECK enum pawl_status pawl_flow_ask_all(const struct pawl_flow_ask *ask,
                                                   struct pawl_arena *arena,
                                                   struct pawl_outcome *parts,
                                                   struct pawl_error *err);

#endif
