/*
 * command_line.h - `command: [argv...]` of pawl.yaml, and starting it in the sandbox.
 */
#ifndef PAWL_PROGRAM_COMMAND_LINE_H
#define PAWL_PROGRAM_COMMAND_LINE_H

#include "base/json.h"
#include "sandbox/sandbox.h"

enum { PAWL_ARGV_MAX = 64, PAWL_COMMAND_READ_MAX = 128 };

struct pawl_command_line {
    const char *argv[PAWL_ARGV_MAX + 1];
    const char *read[PAWL_COMMAND_READ_MAX + 1]; /* what it may read beside the system */
    size_t n_read;
};
/* A word that names a file of the project becomes its path and may be read, except those in `own`
 * ({name: path}, may be NULL): the folder it starts in holds these. Fails PAWL_ECONFIG. */
PAWL_MUST_CHECK enum pawl_status pawl_command_line_read(const json_t *words,
                                                        const char *project_dir, const json_t *own,
                                                        const char *field, struct pawl_arena *arena,
                                                        struct pawl_command_line *line,
                                                        struct pawl_error *err);
/* Start it in `folder`, the only place where it may write, with an environment of its own. */
PAWL_MUST_CHECK enum pawl_status
pawl_command_line_start(const struct pawl_command_line *line, const char *folder, bool network,
                        int64_t memory_bytes, struct pawl_child **child, struct pawl_error *err);
/* SHA-256 of each file that it may read, by name: {path: hash}; new reference. */
json_t *pawl_command_line_identity(const struct pawl_command_line *line);

#endif
