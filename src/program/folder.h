/*
 * folder.h - a private folder for one child process, filled with a candidate's files.
 */
#ifndef PAWL_PROGRAM_FOLDER_H
#define PAWL_PROGRAM_FOLDER_H

#include "base/error.h"
#include "base/str.h"

/* Below $TMPDIR or /tmp. Gives *path, to be removed with pawl_folder_remove. */
PAWL_MUST_CHECK enum pawl_status pawl_folder_make(char **path, struct pawl_error *err);
/* `name` is relative and leaves the folder nowhere (pawl_folder_name_is_safe). */
PAWL_MUST_CHECK enum pawl_status pawl_folder_write(const char *folder, const char *name,
                                                   struct pawl_str text, struct pawl_error *err);
bool pawl_folder_name_is_safe(const char *name);
/* With all that is in it, whatever rights it was given; follows no links. Frees path. */
void pawl_folder_remove(char *path);

#endif
