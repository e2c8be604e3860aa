/*
 * find.h - which file a command name means, and what of the system a child may read.
 */
#ifndef PAWL_SANDBOX_FIND_H
#define PAWL_SANDBOX_FIND_H

#include "sandbox/sandbox.h"

/* An executable file for argv[0] below PATH. `python...` passes over wrapper scripts that stand for
 * an interpreter elsewhere, and over one that we may not look into as long as there is another. */
PAWL_MUST_CHECK enum pawl_status pawl_find_program(struct pawl_arena *arena, const char *name,
                                                   const char **path, struct pawl_error *err);
/* Where a program really lies, when it is we who may not read it there, its modes notwithstanding: the
 * sandbox hides that place from us. NULL when it does not. */
const char *pawl_hidden_program(struct pawl_arena *arena, const char *path);
/* Programs and libraries of the system, and what this one program needs beside them. */
const char *const *pawl_runtime_paths(struct pawl_arena *arena, const char *program, bool network);

#endif
