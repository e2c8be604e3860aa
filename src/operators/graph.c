#include "operators/graph.h"

#include <stdlib.h>
#include <string.h>

const char *pawl_graph_field(const json_t *list, size_t i)
{
    const json_t *item = json_array_get(list, i);
    return json_is_string(item) ? json_string_value(item) : pawl_json_get_text(item, "name", "");
}

bool pawl_graph_has_field(const json_t *list, const char *name)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (strcmp(pawl_graph_field(list, i), name) == 0) return true;
    }
    return false;
}

/* The last module before `reader` that writes the field; `reader` itself when none does. */
static size_t writer_of(const struct pawl_graph *graph, size_t reader, const char *field)
{
    for (size_t i = reader; i-- > 0;) {
        if (pawl_graph_has_field(graph->modules[i].outputs, field)) return i;
    }
    return reader;
}

static bool is_fed_by(const struct pawl_graph_module *module, size_t writer)
{
    for (size_t i = 0; i < module->n_fed_by; i++) {
        if (module->fed_by[i] == writer) return true;
    }
    return false;
}

/* Does `reader` read anything that comes from `writer`? */
static bool reads_from(const struct pawl_graph *graph, size_t reader, size_t writer)
{
    const json_t *inputs = graph->modules[reader].inputs;
    if (graph->is_flow) return true;
    for (size_t i = 0; i < json_array_size(inputs); i++) {
        if (writer_of(graph, reader, pawl_graph_field(inputs, i)) == writer) return true;
    }
    return false;
}

static void find_edges(struct pawl_graph *graph, struct pawl_arena *arena)
{
    for (size_t reader = 0; reader < graph->n; reader++) {
        struct pawl_graph_module *module = &graph->modules[reader];
        module->fed_by = PAWL_NEW_N(arena, size_t, reader);
        for (size_t writer = 0; writer < reader; writer++) {
            if (reads_from(graph, reader, writer)) module->fed_by[module->n_fed_by++] = writer;
        }
    }
}

/* From the last module on: whoever it feeds has its layer already. */
static void find_layers(struct pawl_graph *graph)
{
    for (size_t i = graph->n; i-- > 0;) {
        struct pawl_graph_module *module = &graph->modules[i];
        for (size_t reader = i + 1; reader < graph->n; reader++) {
            size_t above = graph->modules[reader].layer + 1;
            if (is_fed_by(&graph->modules[reader], i) && above > module->layer)
                module->layer = above;
        }
        if (module->layer >= graph->n_layers) graph->n_layers = module->layer + 1;
    }
}

/* Of several modules that write the same field of the answer it is the last whose word counts. */
static void find_answers(struct pawl_graph *graph, const json_t *outputs)
{
    bool any = false;
    for (size_t i = 0; i < json_array_size(outputs); i++) {
        const char *field = pawl_graph_field(outputs, i);
        size_t writer = writer_of(graph, graph->n, field);
        if (writer == graph->n) continue;
        graph->modules[writer].answers = any = true;
        /* A flow may have left out the last of them. */
        for (size_t m = 0; graph->is_flow && m < writer; m++)
            graph->modules[m].answers |= pawl_graph_has_field(graph->modules[m].outputs, field);
    }
    graph->has_answers = any;
    for (size_t i = 0; !any && i < graph->n; i++)
        graph->modules[i].answers = graph->modules[i].layer == 0;
}

struct pawl_graph pawl_graph_read(const json_t *fields, struct pawl_arena *arena)
{
    const json_t *modules = json_object_get(fields, "modules");
    bool is_one = json_array_size(modules) == 0;
    struct pawl_graph graph = {.n = is_one ? 1 : json_array_size(modules),
                               .is_flow = pawl_json_get_bool(fields, "flow", false)};
    graph.modules = PAWL_NEW_N(arena, struct pawl_graph_module, graph.n);
    for (size_t i = 0; i < graph.n; i++) {
        const json_t *module = is_one ? fields : json_array_get(modules, i);
        const char *name = pawl_json_get_text(module, "name", "");
        graph.modules[i] = (struct pawl_graph_module){
            .name = name[0] != '\0' ? name : NULL,
            .instruction = pawl_json_get_text(module, "instruction", NULL),
            .demos = pawl_json_get_text(module, "demos", NULL),
            .calibration = pawl_json_get_text(module, "calibration", NULL),
            .inputs = json_object_get(module, "inputs"),
            .outputs = json_object_get(module, "outputs")};
    }
    find_edges(&graph, arena);
    find_layers(&graph);
    find_answers(&graph, json_object_get(fields, "outputs"));
    return graph;
}

static bool is_call_of(const struct pawl_graph *graph, const json_t *call, size_t module)
{
    const char *name = graph->modules[module].name;
    if (graph->n == 1) return true;
    return name != NULL && strcmp(pawl_json_get_text(call, "module", ""), name) == 0;
}

const json_t *pawl_graph_call(const struct pawl_graph *graph, const json_t *trace, size_t module)
{
    const json_t *last = NULL;
    for (size_t i = json_array_size(trace); i-- > 0;) {
        const json_t *call = json_array_get(trace, i);
        if (!is_call_of(graph, call, module)) continue;
        if (json_object_get(call, "output") != NULL) return call;
        if (last == NULL) last = call;
    }
    return last;
}

/* --- what happened in a case ------------------------------------------------------------------ */

bool pawl_graph_answers(const struct pawl_graph *graph, const json_t *trace, size_t module)
{
    if (!graph->is_flow || graph->has_answers) return graph->modules[module].answers;
    for (size_t i = json_array_size(trace); i-- > 0;) {
        const json_t *call = json_array_get(trace, i);
        if (json_object_get(call, "output") != NULL) return is_call_of(graph, call, module);
    }
    return false;
}

enum { TELLING_BYTES = 4 /* shorter texts stand in longer ones by chance */ };

/* As it would stand within a longer text or, in quotes and escaped, within a list. */
static bool is_within(const json_t *value, const json_t *said)
{
    bool in_text = json_is_string(value) && json_is_string(said);
    char *whole = in_text ? NULL : pawl_json_text(value);
    char *part = in_text ? NULL : pawl_json_text(said);
    const char *look_in = in_text ? json_string_value(value) : whole;
    const char *for_this = in_text ? json_string_value(said) : part;
    bool found = strlen(for_this) >= TELLING_BYTES && strstr(look_in, for_this) != NULL;
    free(whole);
    free(part);
    return found;
}

static bool holds(const json_t *value, const json_t *said)
{
    return json_equal((json_t *)(uintptr_t)value, (json_t *)(uintptr_t)said) ||
           is_within(value, said);
}

/* Does the value hold anything that the module said before the call? */
static bool comes_from(const struct pawl_graph *graph, const json_t *trace, size_t from,
                       const json_t *before, const json_t *value)
{
    const json_t *outputs = graph->modules[from].outputs;
    for (size_t i = 0; json_array_get(trace, i) != before; i++) {
        const json_t *call = json_array_get(trace, i), *output = json_object_get(call, "output");
        if (output == NULL || !is_call_of(graph, call, from)) continue;
        for (size_t k = 0; k < json_array_size(outputs); k++) {
            const json_t *said = json_object_get(output, pawl_graph_field(outputs, k));
            if (said != NULL && holds(value, said)) return true;
        }
    }
    return false;
}

json_t *pawl_graph_handed(const struct pawl_graph *graph, const json_t *trace, size_t from,
                          size_t to)
{
    json_t *names = json_array();
    const json_t *outputs = graph->modules[from].outputs;
    const json_t *reader = pawl_graph_call(graph, trace, to);
    const char *name;
    json_t *value;
    for (size_t k = 0; !graph->is_flow && k < json_array_size(outputs); k++)
        json_array_append_new(names, json_string(pawl_graph_field(outputs, k)));
    if (!graph->is_flow || reader == NULL) return names;
    json_object_foreach(json_object_get(reader, "input"), name, value)
    {
        if (comes_from(graph, trace, from, reader, value))
            json_array_append_new(names, json_string(name));
    }
    return names;
}
