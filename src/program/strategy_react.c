/*
 * ReAct: the model thinks, uses a tool, sees what it gives, and so on until it says "finish" or has made
 * max_steps steps; then it is asked for the outputs, from the steps that it made.
 *
 *     strategy: react
 *     tools: {calc: calculator, docs: {search: docs.db, k: 3}}          # tool.h
 *     max_steps: 6
 *
 * A mistake of the model (a step that cannot be read, a tool that fails) is an observation. The steps are
 * turns, so that each request begins as the last one; where they are more than max_trajectory bytes, the
 * oldest are left out with a mark.
 */
#include "program/action.h"
#include "program/render.h"
#include "program/signature_call.h"

enum { TURN_BYTES_MAX = 4 << 20 };

struct step {
    struct pawl_str said, seen; /* seen.ptr NULL: the model finished */
};
struct walk {
    struct step steps[PAWL_ROUNDS_MAX];
    size_t n;
    size_t n_before; /* messages of the conversation before the first step */
};

/* --- what is said ------------------------------------------------------------------------------- */

static void render(const struct pawl_module *module, struct pawl_str instruction,
                   struct pawl_buf *out)
{
    const struct pawl_tools *tools = &module->tools;
    pawl_render_task(&module->signature, instruction, out);
    pawl_buf_add(out, "\n\nWork in steps. In each you may use one of these tools:\n");
    pawl_tools_describe(tools, out);
    pawl_buf_add(out, "- " PAWL_TOOL_FINISH "(): ends the steps, once you know");
    for (size_t i = 0; i < module->n_own; i++)
        pawl_buf_printf(out, "%s %s", i ? "," : "", module->own[i].name);
    pawl_buf_add(out, "\n\nWrite one step as these three lines and nothing else:\n"
                      "next_thought: what you know by now, and what you need next\n"
                      "next_tool_name: one of ");
    for (size_t i = 0; i < tools->n; i++) pawl_buf_printf(out, "%s, ", tools->list[i].name);
    pawl_buf_add(out, PAWL_TOOL_FINISH "\nnext_tool_args: its arguments as a JSON object, e.g. {");
    if (tools->list[0].n_arguments > 0)
        pawl_buf_printf(out, "\"%s\": \"...\"", tools->list[0].arguments->name);
    pawl_buf_add(out, "}\nYou are then shown its observation.");
}

/* The first step that is told: the last always is. */
static size_t first_told(const struct walk *walk, size_t max_bytes)
{
    size_t first = walk->n, n_bytes = 0;
    while (first > 0) {
        const struct step *step = &walk->steps[first - 1];
        n_bytes += step->said.len + step->seen.len;
        if (n_bytes > max_bytes && first < walk->n) break;
        first--;
    }
    return first;
}

/* The conversation again, up to the last step; `ending` (or NULL) is in its last turn. */
static void tell(struct pawl_strategy_call *call, const struct walk *walk, const char *ending)
{
    size_t first = first_told(walk, call->module->trajectory_bytes);
    call->n_messages = walk->n_before;
    for (size_t i = first; i < walk->n; i++) {
        const struct step *step = &walk->steps[i];
        struct pawl_buf turn = PAWL_BUF(TURN_BYTES_MAX);
        if (i == first && first > 0)
            pawl_buf_printf(&turn, "(The first %zu steps are left out.)\n", first);
        if (step->seen.ptr) {
            pawl_buf_add(&turn, "observation: ");
            pawl_buf_add_str(&turn, step->seen);
        }
        if (i + 1 == walk->n && ending)
            pawl_buf_printf(&turn, "%s%s", step->seen.ptr ? "\n\n" : "", ending);
        pawl_call_say(call, "assistant", step->said);
        pawl_call_say(call, "user", pawl_arena_copy(call->arena, pawl_buf_str(&turn)));
        pawl_buf_release(&turn);
    }
}

/* --- a step --------------------------------------------------------------------------------------- */

static struct pawl_str written(const struct pawl_strategy_call *call,
                               const struct pawl_action *action)
{
    struct pawl_buf text = PAWL_BUF(TURN_BYTES_MAX);
    pawl_action_write(action, &call->module->tools, &text);
    struct pawl_str copy = pawl_arena_copy(call->arena, pawl_buf_str(&text));
    pawl_buf_release(&text);
    return copy;
}

static enum pawl_status use_tool(const struct pawl_strategy_call *call,
                                 const struct pawl_action *action, struct step *step,
                                 struct pawl_error *err)
{
    struct pawl_tool_result result;
    const struct pawl_tools *tools = &call->module->tools;
    if (action->tool == tools->n) return PAWL_OK;
    PAWL_TRY(pawl_tool_call(&tools->list[action->tool], action->args, call->arena, &result, err));
    step->seen = result.text;
    if (result.failed)
        step->seen = pawl_str_of(
            pawl_arena_printf(call->arena, "Error: " PAWL_STR_FMT, PAWL_STR_ARG(result.text)));
    return PAWL_OK;
}

static enum pawl_status make_step(struct pawl_strategy_call *call, struct pawl_str reply,
                                  struct step *step, struct pawl_error *err)
{
    struct pawl_action action = {.args = NULL};
    const char *fault = pawl_action_parse(reply, &call->module->tools, call->arena, &action);
    if (fault) {
        step->said = reply.len > 0 ? reply : PAWL_STR("next_thought:");
        step->seen = pawl_str_of(pawl_arena_printf(
            call->arena, "Error: That step cannot be read. %s Write the three lines.", fault));
        return PAWL_OK;
    }
    step->said = written(call, &action);
    enum pawl_status status = use_tool(call, &action, step, err);
    json_decref(action.args);
    return status;
}

/* --- a case ---------------------------------------------------------------------------------------- */

static const char *ending_of(const struct pawl_strategy_call *call, bool finished)
{
    const struct pawl_signature *s = &call->module->signature;
    struct pawl_buf form = PAWL_BUF(64 << 10);
    pawl_render_form(s->outputs, s->n_outputs, &form);
    const char *text =
        pawl_arena_printf(call->arena, "%sGive the answer now, from what you found. %s",
                          finished ? "" : "There are no more steps. ", form.data ? form.data : "");
    pawl_buf_release(&form);
    return text;
}

static enum pawl_status run(struct pawl_strategy_call *call, struct pawl_outcome *outcome,
                            struct pawl_error *err)
{
    static const struct pawl_str stops[] = {{"\nobservation:", 13}, {"\nObservation:", 13}};
    const struct pawl_call_ask ask = {.stops = stops, .n_stops = 2};
    struct walk walk = {.n = 0, .n_before = call->n_messages};
    bool finished = false;
    while (!finished && walk.n < (size_t)call->module->n_rounds) {
        struct pawl_lm_reply reply;
        struct step *step = &walk.steps[walk.n];
        tell(call, &walk, NULL);
        PAWL_TRY(pawl_call_ask(call, &ask, &reply, err));
        if (reply.status != PAWL_REPLY_OK) return pawl_call_unanswered(&reply, outcome);
        PAWL_TRY(make_step(call, reply.text, step, err));
        finished = step->seen.ptr == NULL;
        walk.n++;
    }
    tell(call, &walk, ending_of(call, finished));
    return pawl_call_answer(call, call->module->held, outcome, err);
}

const struct pawl_strategy pawl_strategy_react = {
    .api = PAWL_STRATEGY_API,
    .name = "react",
    .summary = "thinks and uses tools, step by step, then answers",
    .paper = "Yao et al. 2022, arXiv:2210.03629",
    .rounds = "max_steps",
    .n_rounds = 6,
    .min_tokens = 512,
    .takes_tools = true,
    .render = render,
    .run = run,
};
