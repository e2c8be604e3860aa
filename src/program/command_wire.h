/*
 * command_wire.h - the lines of a command program, to and from bytes (CONTRACTS).
 *
 * Pure: no child, no model, no clock. What the command writes is untrusted; what is wrong with it is a
 * sentence for the case that it fails. Values are borrowed from the line unless it says otherwise.
 */
#ifndef PAWL_PROGRAM_COMMAND_WIRE_H
#define PAWL_PROGRAM_COMMAND_WIRE_H

#include "base/arena.h"
#include "base/json.h"
#include "lm/lm.h"

enum { PAWL_COMMAND_PARALLEL_MAX = 64 };

/* {"ready":true,"parallel":N}: the answer to `load`. False if it is none; *parallel is 1 to
 * PAWL_COMMAND_PARALLEL_MAX. */
bool pawl_command_read_ready(struct pawl_str line, int *parallel);
/* {"role","messages","max_tokens","temperature"} as a request; sample and seed are the caller's. NULL,
 * or what is wrong. */
const char *pawl_command_read_ask(const json_t *ask, struct pawl_arena *arena,
                                  struct pawl_lm_request *request);
/* The line that answers it: {"id","call","reply"}. New reference. */
json_t *pawl_command_reply_line(const char *id, const json_t *ask,
                                const struct pawl_lm_reply *reply);
/* {"id","output"}: the output as an object (new reference); or NULL and why, in `arena`. */
json_t *pawl_command_read_output(const json_t *line, struct pawl_arena *arena, const char **why);
/* An object is itself, null is NULL, and any other value becomes {name: value}. New reference. */
json_t *pawl_command_as_object(const json_t *value, const char *name);

#endif
