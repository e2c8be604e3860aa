/*
 * project_file.h - texts that pawl.yaml names: a prompt, a metric's script, a component.
 */
#ifndef PAWL_PROGRAM_PROJECT_FILE_H
#define PAWL_PROGRAM_PROJECT_FILE_H

#include "base/arena.h"
#include "base/error.h"
#include "base/hash.h"

#include <stdint.h>

/* `path` itself when absolute, else below `project_dir`. */
const char *pawl_project_path(struct pawl_arena *arena, const char *project_dir, const char *path);
/* Of the bytes of a file that may be large. False when it cannot be read. */
bool pawl_project_file_hash(const char *path, struct pawl_hash *hash);
/* Read a regular file whole, as it is. Fails PAWL_ECONFIG with err->field = field. */
PAWL_MUST_CHECK enum pawl_status pawl_project_file(const char *project_dir, const char *path,
                                                   const char *field, size_t limit_bytes,
                                                   struct pawl_arena *arena, struct pawl_str *text,
                                                   struct pawl_error *err);

#endif
