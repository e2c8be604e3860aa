/*
 * graph.h - the modules of a program, and in which order feedback flows back through them.
 *
 * A module feeds another when that one reads a field that it wrote; where several write the same
 * field, it is the last of them before the reader. Feedback begins at the modules that write the
 * program's answer and goes the other way, layer by layer.
 *
 * Invariants
 *   1. layer 0 feeds nothing; every other module lies in a higher layer than all that it feeds. So
 *      when a layer's turn comes, all feedback on what its modules wrote is there, and none of them
 *      waits for another: one batch of requests serves the layer.
 *   2. There is no loop: a module reads only what stands before it in the program's list.
 *
 * Who feeds whom in a Lua flow is not in the names of its fields. There any module may feed those that
 * stand after it in pawl.yaml, so the layers hold, and the trace of a case says what was handed on in it.
 *
 *     struct pawl_graph graph = pawl_graph_read(pawl_host_fields(host), arena);
 *     for (size_t layer = 0; layer < graph.n_layers; layer++) ...
 */
#ifndef PAWL_OPERATORS_GRAPH_H
#define PAWL_OPERATORS_GRAPH_H

#include "base/arena.h"
#include "base/json.h"

struct pawl_graph_module {
    const char *name;                              /* NULL: it has none */
    const char *instruction, *demos, *calibration; /* its components; NULL: not said */
    const json_t *inputs, *outputs;                /* lists of names, or of objects with a name */
    size_t layer;
    bool answers;   /* writes a field of the program's answer */
    size_t *fed_by; /* modules whose output it reads, ascending */
    size_t n_fed_by;
};
struct pawl_graph {
    struct pawl_graph_module *modules; /* [n] in the program's order */
    size_t n, n_layers;
    bool is_flow, has_answers; /* of a flow: some module writes the answer by name */
};
/* From what pawl_host_fields gives; everything but the arrays is borrowed from it. A program that
 * names no modules is one. */
struct pawl_graph pawl_graph_read(const json_t *fields, struct pawl_arena *arena);
/* From the trace of a result: the call that made the module's answer, else its last; NULL: it was not
 * asked, or nothing is told of it. */
const json_t *pawl_graph_call(const struct pawl_graph *graph, const json_t *trace, size_t module);
/* Whether the module wrote the answer of this case: of a flow whose modules write none by name it is the last
 * that answered. */
bool pawl_graph_answers(const struct pawl_graph *graph, const json_t *trace, size_t module);
/* Which fields of what `to` was given come from `from`: a list of names, a new reference. In a flow those that
 * hold something which `from` said before, as it is or within a longer text. */
json_t *pawl_graph_handed(const struct pawl_graph *graph, const json_t *trace, size_t from,
                          size_t to);
/* Is `name` in a list of fields? */
bool pawl_graph_has_field(const json_t *list, const char *name);
/* The name of entry i of a list of fields. */
const char *pawl_graph_field(const json_t *list, size_t i);

#endif
