/*
 * script.h - a Lua function of the project's owner that looks at answers: which one to take
 * (self_consistency's reduce), or how good one is (best_of_n's check). It sees what a case shows, never
 * a target. Its text stands in pawl.yaml itself, so that whoever names the program by its section names
 * the script too.
 */
#ifndef PAWL_PROGRAM_SCRIPT_H
#define PAWL_PROGRAM_SCRIPT_H

#include "base/arena.h"
#include "base/lua_json.h"

/* `source` is Lua that defines the function `entry`, which is also the option of pawl.yaml it stands in
 * and the field that a failure names. pawl_lua_close it. */
PAWL_MUST_CHECK enum pawl_status pawl_script_open(const char *source, const char *entry,
                                                  struct pawl_lua **script, struct pawl_error *err);
/* "WHO failed: ..." of a Lua call's reason, which may hold any bytes. In `arena`. */
const char *pawl_script_fault(const char *who, const char *reason, struct pawl_arena *arena);
/* Call it with one object; true and false are 1 and 0. NULL, or why there is no number, in `arena`. */
const char *pawl_script_number(struct pawl_lua *script, const json_t *argument,
                               struct pawl_arena *arena, double *number);
/* The same of a check, which may also give {score = number, feedback = text}: *feedback is then what it
 * says, UTF-8 in `arena`, else empty. */
const char *pawl_script_check(struct pawl_lua *script, const json_t *argument,
                              struct pawl_arena *arena, double *number, struct pawl_str *feedback);

#endif
