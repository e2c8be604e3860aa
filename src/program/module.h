/*
 * module.h - one call of a model within a program: a signature, a strategy, a role of model, and the
 * components that are its own.
 *
 * A program that is a signature is one module without a name, whose components are `instruction`,
 * `demos` and `calibration`. Those of a module `extract` of a pipeline are `extract.instruction` ...
 *
 *     PAWL_TRY(pawl_module_open(settings, section, "", arena, &module, err));
 *     instance = pawl_module_prepare(module, artifact);
 *     PAWL_TRY(pawl_module_run(instance, arena, item->id, fields, how, &outcome, err));
 */
#ifndef PAWL_PROGRAM_MODULE_H
#define PAWL_PROGRAM_MODULE_H

#include "program/signature_call.h"

/* `section` as in pawl.yaml at "program", or at "program.modules.NAME". Lies in `arena`, with its name;
 * err->field is the path from the top of pawl.yaml. */
PAWL_MUST_CHECK enum pawl_status pawl_module_open(const struct pawl_program_settings *settings,
                                                  const json_t *section, const char *name,
                                                  struct pawl_arena *arena,
                                                  struct pawl_module **module,
                                                  struct pawl_error *err);
/* The rest goes with the arena. */
void pawl_module_close(struct pawl_module *module);
enum { PAWL_MODULE_COMPONENTS = 4 + PAWL_STRATEGY_TEXTS_MAX };
/* Append its components to list[n]; gives how many there are then. */
size_t pawl_module_add_components(const struct pawl_module *module, struct pawl_component *list,
                                  size_t n);
/* The hashes of what its tools are made of, as the slot `files` of kind.h. */
json_t *pawl_module_files(const struct pawl_module *module);
/* Its fields and the names of its components, as in "modules" of pawl_program_fields. New reference. */
json_t *pawl_module_json(const struct pawl_module *module);

struct pawl_module_instance *pawl_module_prepare(const struct pawl_module *module,
                                                 const struct pawl_artifact *artifact);
/* `input` holds every input field. Any outcome's reason is about this module, whose name it lacks. */
PAWL_MUST_CHECK enum pawl_status
pawl_module_run(const struct pawl_module_instance *instance, struct pawl_arena *arena,
                const char *case_id, const json_t *input, const struct pawl_run_options *how,
                struct pawl_outcome *outcome, struct pawl_error *err);
/* What it would say of a case, each input being {{its name}}: [{role, content}...], a new reference; or NULL,
 * and why the candidate cannot be used, which lives as long as the instance. */
json_t *pawl_module_messages(const struct pawl_module_instance *instance, const char **fault);
void pawl_module_release(struct pawl_module_instance *instance);

#endif
