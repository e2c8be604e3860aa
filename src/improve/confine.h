/*
 * confine.h - what each worker may touch: one table of paths per role, given up for good at start.
 *
 *     role     reads                                        writes
 *     engine   project (but .pawl and denied files), the    store, cache folder, private temp folder
 *              `read` list, models, system
 *     sealed   the same                                     private temp folder
 *     vault    project, models, system                      sealed folder, vault's home, temp folder
 *
 * Landlock grants and cannot subtract: where a denied file lies in a folder, the folder's other
 * entries are granted one by one.
 */
#ifndef PAWL_IMPROVE_CONFINE_H
#define PAWL_IMPROVE_CONFINE_H

#include "improve/worker.h"
#include "sandbox/sandbox.h"

enum { PAWL_CONFINE_PATHS_MAX = 10000 };

/* The paths of a role, in `arena`; makes the folders that the role needs to write. */
PAWL_MUST_CHECK enum pawl_status pawl_confine_plan(const struct pawl_worker *worker,
                                                   const char *role, struct pawl_arena *arena,
                                                   struct pawl_confinement *plan,
                                                   struct pawl_error *err);
/* Make the plan and obey it; the vault is also hardened. Before the process has threads. */
PAWL_MUST_CHECK enum pawl_status pawl_confine_role(const struct pawl_worker *worker,
                                                   const char *role, struct pawl_error *err);

/* A model of pawl.yaml that runs on this machine, for nothing. */
bool pawl_confine_is_local(const json_t *model);

#endif
