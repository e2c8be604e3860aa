#include "operators/textgrad.h"

#include <string.h>

/* --- what happened in a case ------------------------------------------------------------------ */

static const json_t *call_of(const struct textgrad *t, const struct textgrad_round *r, size_t i,
                             size_t module)
{
    return pawl_graph_call(&t->graph, r->results[i].trace, module);
}

static bool has_run(const struct textgrad *t, const struct textgrad_round *r, size_t i,
                    size_t module)
{
    return t->graph.n == 1 || call_of(t, r, i, module) != NULL;
}

const json_t *pawl_textgrad_input(const struct textgrad *t, const struct textgrad_round *r,
                                  size_t i, size_t module)
{
    const json_t *input = json_object_get(call_of(t, r, i, module), "input");
    return input != NULL ? input : pawl_host_train_case(t->host, r->cases[i])->input;
}

/* Where nothing could be read from what the model said, that itself. */
const json_t *pawl_textgrad_output(const struct textgrad *t, const struct textgrad_round *r,
                                   size_t i, size_t module)
{
    const json_t *call = call_of(t, r, i, module), *output = json_object_get(call, "output");
    if (output == NULL && t->graph.n == 1) output = r->results[i].output;
    return output != NULL ? output : json_object_get(call, "reply");
}

static const json_t *answer_of(const struct textgrad *t, const struct textgrad_round *r, size_t i)
{
    if (r->results[i].output != NULL) return r->results[i].output;
    for (size_t m = t->graph.n; m-- > 0;) {
        if (pawl_graph_answers(&t->graph, r->results[i].trace, m) && has_run(t, r, i, m))
            return pawl_textgrad_output(t, r, i, m);
    }
    return NULL;
}

struct pawl_str pawl_textgrad_task(struct textgrad *t, const struct textgrad_round *r, size_t i)
{
    return pawl_textgrad_fields(t, pawl_host_train_case(t->host, r->cases[i])->input, NULL);
}

static struct pawl_str measured_text(struct textgrad *t, const struct textgrad_round *r, size_t i)
{
    const struct pawl_host_result *result = &r->results[i];
    const char *feedback = t->opt->show_target && result->feedback ? result->feedback : "";
    struct pawl_str score = pawl_str_of(pawl_arena_printf(&t->step, "%.2f", result->score));
    return pawl_str_trim(pawl_textgrad_text(
        t, "metric", PAWL_MARKS({"score", score}, {"feedback", pawl_str_of(feedback)})));
}

static struct pawl_str module_name(struct textgrad *t, size_t module)
{
    const char *name = t->graph.modules[module].name;
    return name != NULL ? pawl_str_of(name) : pawl_host_operator_text(t->host, "nameless");
}

static struct pawl_str names_text(struct textgrad *t, const json_t *list)
{
    struct pawl_buf buf = PAWL_BUF(PAWL_PROMPT_BYTES_MAX);
    for (size_t i = 0; i < json_array_size(list); i++)
        pawl_buf_printf(&buf, "%s%s", i > 0 ? ", " : "", pawl_graph_field(list, i));
    return pawl_prompt_take(&t->step, &buf);
}

struct pawl_str pawl_textgrad_role(struct textgrad *t, const struct textgrad_variable *variable)
{
    const struct pawl_graph_module *module = &t->graph.modules[variable->module];
    const char *kind = json_array_size(module->outputs) > 0 ? "role_text" : "role_component";
    return pawl_textgrad_text(t, kind,
                              PAWL_MARKS({"module", module_name(t, variable->module)},
                                         {"component", pawl_str_of(variable->component)},
                                         {"outputs", names_text(t, module->outputs)},
                                         {"inputs", names_text(t, module->inputs)}));
}

/* --- backward --------------------------------------------------------------------------------- */

/* What is wrong with each answer. */
static enum pawl_status judge_answers(struct textgrad *t, struct textgrad_round *r,
                                      struct pawl_error *err)
{
    bool asks_judge = strcmp(t->opt->loss, "judge") == 0;
    struct textgrad_asks asks = pawl_textgrad_asks_new(t, r->n);
    for (size_t i = 0; i < r->n; i++) {
        if (r->results[i].missing) continue;
        struct pawl_str measured = measured_text(t, r, i);
        if (!asks_judge) r->losses[i] = measured;
        if (asks_judge)
            pawl_textgrad_ask(
                t, &asks, "judge",
                pawl_textgrad_text(
                    t, "loss",
                    PAWL_MARKS({"input", pawl_textgrad_task(t, r, i)},
                               {"output", pawl_textgrad_fields(t, answer_of(t, r, i), NULL)},
                               {"measured", measured})),
                &r->losses[i]);
    }
    return pawl_textgrad_ask_all(t, &asks, err);
}

/* The root: how each answer should change, felt by the modules that wrote it. */
static enum pawl_status criticise_answers(struct textgrad *t, struct textgrad_round *r,
                                          struct pawl_error *err)
{
    struct textgrad_asks asks = pawl_textgrad_asks_new(t, r->n);
    struct pawl_str *criticisms = PAWL_NEW_N(&t->step, struct pawl_str, r->n);
    struct pawl_str role = pawl_host_operator_text(t->host, "role_answer");
    for (size_t i = 0; i < r->n; i++) {
        if (r->losses[i].ptr == NULL) continue;
        pawl_textgrad_ask(
            t, &asks, "reflect",
            pawl_textgrad_text(
                t, "gradient_answer",
                PAWL_MARKS({"role", role},
                           {"value", pawl_textgrad_fields(t, answer_of(t, r, i), NULL)},
                           {"input", pawl_textgrad_task(t, r, i)}, {"evaluation", r->losses[i]})),
            &criticisms[i]);
    }
    PAWL_TRY(pawl_textgrad_ask_all(t, &asks, err));
    for (size_t i = 0; i < r->n; i++) {
        for (size_t m = 0; m < t->graph.n; m++) {
            if (pawl_graph_answers(&t->graph, r->results[i].trace, m) && has_run(t, r, i, m))
                r->felt[i * t->graph.n + m] = criticisms[i];
        }
    }
    return PAWL_OK;
}

/* One request: how `value` should change, for the output of `module` in case i to please. */
static void ask_gradient(struct textgrad *t, const struct textgrad_round *r, size_t i,
                         size_t module, struct pawl_str role, struct pawl_str value,
                         struct textgrad_asks *asks, struct pawl_str *to)
{
    pawl_textgrad_ask(
        t, asks, "reflect",
        pawl_textgrad_text(
            t, "gradient",
            PAWL_MARKS(
                {"role", role}, {"value", value},
                {"input", pawl_textgrad_fields(t, pawl_textgrad_input(t, r, i, module), NULL)},
                {"output", pawl_textgrad_fields(t, pawl_textgrad_output(t, r, i, module), NULL)},
                {"feedback", r->felt[i * t->graph.n + module]})),
        to);
}

/* From the output of a module to its texts, and to what other modules handed it. */
static void ask_gradients_of(struct textgrad *t, struct textgrad_round *r, size_t i, size_t m,
                             struct textgrad_asks *asks)
{
    const struct pawl_graph_module *module = &t->graph.modules[m];
    if (r->felt[i * t->graph.n + m].ptr == NULL) return;
    for (size_t v = 0; v < t->n_variables; v++) {
        if (t->variables[v].module != m) continue;
        ask_gradient(t, r, i, m, pawl_textgrad_role(t, &t->variables[v]),
                     pawl_host_text(t->host, t->current, t->variables[v].component), asks,
                     &r->gradients[i * t->n_variables + v]);
    }
    for (size_t k = 0; k < module->n_fed_by; k++) {
        size_t from = module->fed_by[k];
        if (!has_run(t, r, i, from)) continue;
        struct pawl_str role = pawl_textgrad_text(
            t, "role_between",
            PAWL_MARKS({"module", module_name(t, from)}, {"reader", module_name(t, m)}));
        json_t *handed = pawl_graph_handed(&t->graph, r->results[i].trace, from, m);
        bool any = json_array_size(handed) > 0;
        struct pawl_str value = pawl_textgrad_fields(t, pawl_textgrad_input(t, r, i, m), handed);
        json_decref(handed);
        if (!any) continue;
        ask_gradient(t, r, i, m, role, value, asks, &r->felt[i * t->graph.n + from]);
    }
}

/* One batch of requests per layer. */
static enum pawl_status go_backward(struct textgrad *t, struct textgrad_round *r,
                                    struct pawl_error *err)
{
    for (size_t layer = 0; layer < t->graph.n_layers; layer++) {
        struct textgrad_asks asks =
            pawl_textgrad_asks_new(t, r->n * (t->n_variables + t->graph.n * t->graph.n));
        for (size_t m = 0; m < t->graph.n; m++) {
            if (t->graph.modules[m].layer != layer) continue;
            for (size_t i = 0; i < r->n; i++) ask_gradients_of(t, r, i, m, &asks);
        }
        PAWL_TRY(pawl_textgrad_ask_all(t, &asks, err));
    }
    return PAWL_OK;
}

enum pawl_status pawl_textgrad_backward(struct textgrad *t, struct textgrad_round *r,
                                        struct pawl_error *err)
{
    PAWL_TRY(judge_answers(t, r, err));
    PAWL_TRY(criticise_answers(t, r, err));
    return go_backward(t, r, err);
}
