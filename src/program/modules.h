/*
 * modules.h - the modules of a program that has several: what a pipeline and a flow have in common.
 *
 *     program:
 *       modules:
 *         extract:  {signature: "review -> facts", instruction: prompts/extract.md}
 *         classify: {signature: "review, facts -> label: good | bad", strategy: cot}
 *
 * They are opened in the order in which they are written down; a program may put them into another.
 *
 *     PAWL_TRY(pawl_modules_open(settings, section.modules, arena, &p->modules, err));
 *     pawl_modules_prepare(&p->modules, artifact, &instance->modules);
 *     PAWL_TRY(pawl_modules_run(&instance->modules, i, arena, item->id, fields, how, &part, err));
 */
#ifndef PAWL_PROGRAM_MODULES_H
#define PAWL_PROGRAM_MODULES_H

#include "program/module.h"

enum { PAWL_MODULES_MAX = 16 };

struct pawl_modules {
    size_t n;
    struct pawl_module *list[PAWL_MODULES_MAX];
};
struct pawl_modules_instance {
    const struct pawl_modules *of;
    struct pawl_module_instance *list[PAWL_MODULES_MAX]; /* in the same order */
};

/* `section` as in pawl.yaml at "program.modules". Whatever it gives, pawl_modules_close what is there. */
PAWL_MUST_CHECK enum pawl_status pawl_modules_open(const struct pawl_program_settings *settings,
                                                   const json_t *section, struct pawl_arena *arena,
                                                   struct pawl_modules *modules,
                                                   struct pawl_error *err);
void pawl_modules_close(struct pawl_modules *modules);
/* Append all components to list[n]; gives how many there are then. */
size_t pawl_modules_add_components(const struct pawl_modules *modules, struct pawl_component *list,
                                   size_t n);
/* What pawl_program_fields says of a program with this signature. What a strategy adds is its module's
 * and not the program's. New reference. */
json_t *pawl_modules_fields(const struct pawl_modules *modules,
                            const struct pawl_signature *signature);
/* {module: pawl_module_files of it}, or NULL. */
json_t *pawl_modules_files(const struct pawl_modules *modules);
unsigned pawl_modules_roles(const struct pawl_modules *modules);
int pawl_modules_parallel(const struct pawl_modules *modules);

void pawl_modules_prepare(const struct pawl_modules *modules, const struct pawl_artifact *artifact,
                          struct pawl_modules_instance *instance);
void pawl_modules_release(struct pawl_modules_instance *instance);
/* pawl_module_run of module i; the reason of a failure begins with its name. */
PAWL_MUST_CHECK enum pawl_status
pawl_modules_run(const struct pawl_modules_instance *instance, size_t i, struct pawl_arena *arena,
                 const char *case_id, const json_t *input, const struct pawl_run_options *how,
                 struct pawl_outcome *outcome, struct pawl_error *err);
/* Add what a module did to the outcome of the case: usage and trace. */
void pawl_modules_add(struct pawl_outcome *sum, const struct pawl_outcome *part);
/* The slot `messages` of a kind of program. */
json_t *pawl_modules_messages(const struct pawl_modules_instance *instance, const char **fault);

/* Those of `fields` that are in `values`, which holds them all. New reference. */
json_t *pawl_modules_select(const json_t *values, const struct pawl_field *fields, size_t n);

#endif
