#include "program/pipeline.h"

#include <strings.h>

/* The modules, and where to complain. */
struct wiring {
    const struct pawl_pipeline_module *modules;
    size_t n;
    struct pawl_pipeline *pipeline;
    struct pawl_arena *arena;
    struct pawl_error *err;
};

static enum pawl_status refuse_module(struct wiring *w, size_t module, const char *what,
                                      const char *hint)
{
    const char *field =
        pawl_arena_printf(w->arena, "modules.%s.signature", w->modules[module].name);
    pawl_fail_at(w->err, PAWL_ECONFIG, NULL, 0, field, "%s", what);
    pawl_hint(w->err, "%s", hint);
    return PAWL_ECONFIG;
}

static enum pawl_status refuse_list(struct wiring *w, const char *list, const char *what,
                                    const char *hint)
{
    pawl_fail_at(w->err, PAWL_ECONFIG, NULL, 0, list, "%s", what);
    pawl_hint(w->err, "%s", hint);
    return PAWL_ECONFIG;
}

/* --- who gives what --------------------------------------------------------------------------- */

/* The output of that name and its module; NULL when no module gives it. */
static const struct pawl_field *find_given(const struct wiring *w, const char *name, size_t *giver)
{
    for (size_t i = 0; i < w->n; i++) {
        for (size_t k = 0; k < w->modules[i].n_outputs; k++) {
            if (strcmp(w->modules[i].outputs[k].name, name) != 0) continue;
            if (giver != NULL) *giver = i;
            return &w->modules[i].outputs[k];
        }
    }
    return NULL;
}

static bool feeds(const struct wiring *w, size_t from, size_t to)
{
    const struct pawl_pipeline_module *taker = &w->modules[to];
    for (size_t k = 0; k < taker->n_inputs; k++) {
        size_t giver;
        if (find_given(w, taker->inputs[k].name, &giver) != NULL && giver == from) return true;
    }
    return false;
}

static enum pawl_status check_givers(struct wiring *w)
{
    for (size_t i = 0; i < w->n; i++) {
        for (size_t k = 0; k < w->modules[i].n_outputs; k++) {
            size_t giver;
            const char *name = w->modules[i].outputs[k].name;
            find_given(w, name, &giver);
            if (giver == i) continue;
            return refuse_module(
                w, i,
                pawl_arena_printf(w->arena, "The modules \"%s\" and \"%s\" both give \"%s\".",
                                  w->modules[giver].name, w->modules[i].name, name),
                "Give one of the two fields another name.");
        }
    }
    return PAWL_OK;
}

/* --- order -------------------------------------------------------------------------------------- */

static bool may_run(const struct wiring *w, size_t module, const bool *ran)
{
    for (size_t from = 0; from < w->n; from++)
        if (!ran[from] && feeds(w, from, module)) return false;
    return true;
}

/* A module that has not run and that this one, which has not run either, takes something from. */
static size_t waits_for(const struct wiring *w, size_t module, const bool *ran)
{
    size_t from = 0;
    while (ran[from] || !feeds(w, from, module)) from++;
    return from;
}

static enum pawl_status refuse_cycle(struct wiring *w, const bool *ran)
{
    size_t at = 0;
    while (ran[at]) at++;
    for (size_t i = 0; i < w->n; i++) at = waits_for(w, at, ran); /* so far leads into the cycle */
    const char *chain = w->modules[at].name;
    size_t next = at;
    do {
        next = waits_for(w, next, ran);
        chain = pawl_arena_printf(w->arena, "%s needs %s", chain, w->modules[next].name);
    } while (next != at);
    return refuse_module(
        w, at, pawl_arena_printf(w->arena, "The modules wait for each other: %s.", chain),
        "Let one of them do without what the other gives; a pipeline has no loops.");
}

static enum pawl_status find_order(struct wiring *w)
{
    bool ran[PAWL_MODULES_MAX] = {false};
    for (size_t done = 0; done < w->n; done++) {
        size_t next = w->n;
        for (size_t i = 0; i < w->n; i++) {
            if (ran[i] || !may_run(w, i, ran)) continue;
            if (next == w->n || strcmp(w->modules[i].name, w->modules[next].name) < 0) next = i;
        }
        if (next == w->n) return refuse_cycle(w, ran);
        ran[next] = true;
        w->pipeline->order[done] = next;
    }
    return PAWL_OK;
}

/* --- the program's own fields -------------------------------------------------------------------- */

static bool is_listed(const json_t *list, const char *name)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(json_string_value(json_array_get(list, i)), name) == 0) return true;
    return false;
}

static enum pawl_status check_list(struct wiring *w, const json_t *list, const char *which)
{
    bool good = !list || (json_is_array(list) && json_array_size(list) > 0 &&
                          json_array_size(list) <= PAWL_FIELDS_MAX);
    for (size_t i = 0; good && i < json_array_size(list); i++) {
        const json_t *name = json_array_get(list, i);
        good = json_is_string(name);
        for (size_t k = 0; good && k < i; k++)
            good = strcasecmp(json_string_value(json_array_get(list, k)),
                              json_string_value(name)) != 0;
    }
    if (good) return PAWL_OK;
    return refuse_list(
        w, which, pawl_arena_printf(w->arena, "The %s are not a list of up to 32 names.", which),
        pawl_arena_printf(w->arena, "Write `%s: [question, context]`.", which));
}

static const struct pawl_field *find_in(const struct pawl_field *fields, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(fields[i].name, name) == 0) return &fields[i];
    return NULL;
}

/* The field of all that modules give that is spelled nearly so. */
static const char *near_given(struct wiring *w, const char *name)
{
    const char **names = PAWL_NEW_N(w->arena, const char *, w->n *PAWL_FIELDS_MAX);
    size_t n = 0;
    for (size_t i = 0; i < w->n; i++)
        for (size_t k = 0; k < w->modules[i].n_outputs; k++)
            names[n++] = w->modules[i].outputs[k].name;
    return pawl_nearest_word(name, names, n);
}

static enum pawl_status refuse_input(struct wiring *w, size_t module, const char *name,
                                     const char *near, bool is_closed)
{
    const char *what = pawl_arena_printf(
        w->arena, "The module \"%s\" takes \"%s\", which no module gives%s.",
        w->modules[module].name, name, is_closed ? " and `inputs` does not list" : "");
    if (near == NULL)
        return refuse_module(w, module, what, "Correct the name, or add it to program.inputs.");
    return refuse_module(
        w, module, what,
        pawl_arena_printf(w->arena,
                          "Did you mean \"%s\"? If the cases have a field \"%s\", list all that "
                          "they have: `inputs: [%s, ...]`.",
                          near, name, name));
}

/* A misspelled input would become one of the program's; where it is like what a module gives, only
 * `inputs` can say that it is meant. */
static enum pawl_status add_input(struct wiring *w, size_t module, const struct pawl_field *field,
                                  const json_t *listed)
{
    struct pawl_signature *s = &w->pipeline->signature;
    if (find_given(w, field->name, NULL) || find_in(s->inputs, s->n_inputs, field->name))
        return PAWL_OK;
    const char *near = near_given(w, field->name);
    if (listed ? !is_listed(listed, field->name) : near != NULL)
        return refuse_input(w, module, field->name, near, listed != NULL);
    if (s->n_inputs == PAWL_FIELDS_MAX)
        return refuse_module(w, module, "The program has more than 32 inputs.",
                             "Put some of them together into one.");
    s->inputs[s->n_inputs++] = *field;
    return PAWL_OK;
}

static enum pawl_status find_inputs(struct wiring *w, const json_t *listed)
{
    struct pawl_signature *s = &w->pipeline->signature;
    s->inputs = PAWL_NEW_N(w->arena, struct pawl_field, PAWL_FIELDS_MAX);
    PAWL_TRY(check_list(w, listed, "inputs"));
    for (size_t at = 0; at < w->n; at++) {
        size_t i = w->pipeline->order[at];
        for (size_t k = 0; k < w->modules[i].n_inputs; k++)
            PAWL_TRY(add_input(w, i, &w->modules[i].inputs[k], listed));
    }
    for (size_t i = 0; i < json_array_size(listed); i++) {
        const char *name = json_string_value(json_array_get(listed, i));
        if (find_in(s->inputs, s->n_inputs, name)) continue;
        return refuse_list(
            w, "inputs",
            pawl_arena_printf(w->arena, "No module takes \"%s\" from the cases.", name),
            "Remove it, or let a module take it.");
    }
    return PAWL_OK;
}

/* The one module that feeds no other gives what the program gives. */
static enum pawl_status take_last(struct wiring *w)
{
    struct pawl_signature *s = &w->pipeline->signature;
    size_t last = w->n;
    for (size_t i = 0; i < w->n; i++) {
        bool is_last = true;
        for (size_t to = 0; to < w->n; to++) is_last = is_last && !feeds(w, i, to);
        if (!is_last) continue;
        if (last < w->n)
            return refuse_list(
                w, "modules",
                pawl_arena_printf(w->arena, "The modules \"%s\" and \"%s\" both feed no other.",
                                  w->modules[last].name, w->modules[i].name),
                "Say what the program gives: `outputs: [answer]`.");
        last = i;
    }
    s->n_outputs = w->modules[last].n_outputs;
    memcpy(s->outputs, w->modules[last].outputs, s->n_outputs * sizeof *s->outputs);
    return PAWL_OK;
}

static enum pawl_status take_listed(struct wiring *w, const json_t *listed)
{
    struct pawl_signature *s = &w->pipeline->signature;
    for (size_t i = 0; i < json_array_size(listed); i++) {
        const char *name = json_string_value(json_array_get(listed, i));
        const struct pawl_field *field = find_given(w, name, NULL);
        if (field == NULL) {
            const char *near = near_given(w, name);
            return refuse_list(w, "outputs",
                               pawl_arena_printf(w->arena, "No module gives \"%s\".", name),
                               near ? pawl_arena_printf(w->arena, "Did you mean \"%s\"?", near)
                                    : "List fields that modules give.");
        }
        s->outputs[s->n_outputs++] = *field;
    }
    return PAWL_OK;
}

/* From the last to the first: what is needed needs what feeds it. */
static enum pawl_status check_needed(struct wiring *w)
{
    const struct pawl_signature *s = &w->pipeline->signature;
    bool needed[PAWL_MODULES_MAX] = {false};
    for (size_t at = w->n; at > 0; at--) {
        size_t i = w->pipeline->order[at - 1];
        for (size_t k = 0; k < w->modules[i].n_outputs; k++)
            needed[i] |= find_in(s->outputs, s->n_outputs, w->modules[i].outputs[k].name) != NULL;
        for (size_t to = 0; to < w->n; to++) needed[i] |= needed[to] && feeds(w, i, to);
        if (needed[i]) continue;
        return refuse_module(w, i,
                             pawl_arena_printf(w->arena,
                                               "Nothing comes of what the module \"%s\" gives.",
                                               w->modules[i].name),
                             "Remove it, or list what it gives in `outputs`.");
    }
    return PAWL_OK;
}

enum pawl_status pawl_pipeline_wire(const struct pawl_pipeline_module *modules, size_t n,
                                    const json_t *inputs, const json_t *outputs,
                                    struct pawl_arena *arena, struct pawl_pipeline *pipeline,
                                    struct pawl_error *err)
{
    struct wiring w = {modules, n, pipeline, arena, err};
    PAWL_ASSERT(n > 0 && n <= PAWL_MODULES_MAX);
    *pipeline = (struct pawl_pipeline){0};
    pipeline->signature.outputs = PAWL_NEW_N(arena, struct pawl_field, PAWL_FIELDS_MAX);
    PAWL_TRY(check_givers(&w));
    PAWL_TRY(find_order(&w));
    PAWL_TRY(find_inputs(&w, inputs));
    PAWL_TRY(check_list(&w, outputs, "outputs"));
    PAWL_TRY(outputs ? take_listed(&w, outputs) : take_last(&w));
    return check_needed(&w);
}
