/*
 * pipeline.h - which module runs after which, from the names of their fields alone.
 *
 *     extract:  review -> facts                          the program: review -> label
 *     classify: review, facts -> label: good | bad       in the order extract, classify
 *
 * A field that a module gives feeds every module that takes one of its name. What no module gives is
 * an input of the program. Its outputs are those of the one module that feeds no other, or those that
 * `outputs` names.
 *
 * Invariants
 *   1. A field is given by at most one module, and what a module takes is there when it runs.
 *   2. The order depends on the modules, not on how they were written down: of those that could run
 *      next, the first by name does.
 *   3. Every module is needed for some output of the program.
 */
#ifndef PAWL_PROGRAM_PIPELINE_H
#define PAWL_PROGRAM_PIPELINE_H

#include "program/modules.h"

struct pawl_pipeline_module {
    const char *name;
    const struct pawl_field *inputs, *outputs; /* its own: nothing that a strategy adds */
    size_t n_inputs, n_outputs;
};
struct pawl_pipeline {
    size_t order[PAWL_MODULES_MAX];  /* indices into the modules, in the order in which they run */
    struct pawl_signature signature; /* of the program */
};

/*
 * Takes   1 to PAWL_MODULES_MAX modules of different names; `inputs` and `outputs` as in pawl.yaml:
 *         lists of names, or NULL. Inputs that are listed are all that there may be.
 * Gives   *pipeline, whose fields are borrowed from the modules and whose lists lie in `arena`.
 * Fails   PAWL_ECONFIG with err->field = "modules.NAME.signature", "inputs" or "outputs".
 */
PAWL_MUST_CHECK enum pawl_status pawl_pipeline_wire(const struct pawl_pipeline_module *modules,
                                                    size_t n, const json_t *inputs,
                                                    const json_t *outputs, struct pawl_arena *arena,
                                                    struct pawl_pipeline *pipeline,
                                                    struct pawl_error *err);

#endif
