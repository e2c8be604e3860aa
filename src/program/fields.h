/*
 * fields.h - values by field: what a case holds as {field: value}, and fields told in JSON.
 */
#ifndef PAWL_PROGRAM_FIELDS_H
#define PAWL_PROGRAM_FIELDS_H

#include "program/signature.h"

/* Every field as {field: value}, or NULL. What is no object is the only, or the first, field. New
 * references. */
json_t *pawl_fields_of(const json_t *value, const struct pawl_field *fields, size_t n);
/* The inputs of a case: a text is the only one, and so is the list of turns of a conversation. */
json_t *pawl_fields_of_input(const json_t *input, const struct pawl_signature *signature);

json_t *pawl_fields_names(const struct pawl_field *fields, size_t n); /* [name ...] */
json_t *pawl_fields_types(const struct pawl_field *fields,
                          size_t n); /* [{name, type, choices?} ...] */

#endif
