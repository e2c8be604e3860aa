/*
 * answer.h - reading what a model answered, tolerantly and without guessing wildly.
 *
 * A reply may be the bare value, `Field: value` lines, a JSON object, any of it inside a code
 * fence or Markdown emphasis. Values are read by type: a choice is found as a whole word, a number
 * is the last one, commas and all. What cannot be read is a fault: a sentence for the candidate's
 * record and for one further ask.
 */
#ifndef PAWL_PROGRAM_ANSWER_H
#define PAWL_PROGRAM_ANSWER_H

#include "program/signature.h"

/* Gives {field: value}, or NULL and *fault (in `arena`). */
json_t *pawl_answer_parse(struct pawl_str reply, const struct pawl_field *fields, size_t n,
                          struct pawl_arena *arena, const char **fault);
/* The choice that a text names: alone, or else first as a whole word; n_choices when none. */
size_t pawl_choice_find(struct pawl_str text, const struct pawl_str *choices, size_t n_choices);

#endif
