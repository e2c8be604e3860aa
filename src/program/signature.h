/*
 * signature.h - what goes in and what comes out, in one line.
 *
 *     review -> sentiment: positive | negative
 *     question, context -> answer, sure: boolean
 *
 * A field is a name and, after a colon, a type: text (the default), number, boolean, list, object,
 * or the choices themselves, joined by |. Inputs may have types too; they only inform.
 *
 * Invariants
 *   1. At least one input and one output; all names differ.
 *   2. Choices of one field differ without regard to case, and none is empty.
 */
#ifndef PAWL_PROGRAM_SIGNATURE_H
#define PAWL_PROGRAM_SIGNATURE_H

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"

enum { PAWL_SIGNATURE_BYTES_MAX = 16 << 10, PAWL_FIELDS_MAX = 32, PAWL_CHOICES_MAX = 512 };

enum pawl_field_type {
    PAWL_FIELD_TEXT,
    PAWL_FIELD_NUMBER,
    PAWL_FIELD_BOOLEAN,
    PAWL_FIELD_LIST,
    PAWL_FIELD_OBJECT,
    PAWL_FIELD_CHOICES,
};
struct pawl_field {
    const char *name;
    enum pawl_field_type type;
    const struct pawl_str *choices; /* of CHOICES */
    size_t n_choices;
    const char *description; /* NULL: none */
};
struct pawl_signature {
    struct pawl_field *inputs, *outputs;
    size_t n_inputs, n_outputs;
};

/* Everything lies in `arena`. Fails PAWL_ECONFIG with the column in the message. */
PAWL_MUST_CHECK enum pawl_status pawl_signature_parse(struct pawl_str text,
                                                      struct pawl_arena *arena,
                                                      struct pawl_signature *signature,
                                                      struct pawl_error *err);
/* Descriptions: {name: text}. Fails PAWL_ECONFIG for a field that is not there. */
PAWL_MUST_CHECK enum pawl_status pawl_signature_describe(struct pawl_signature *signature,
                                                         const json_t *descriptions,
                                                         struct pawl_arena *arena,
                                                         struct pawl_error *err);
/* Put outputs of a strategy ("reasoning") before the signature's own; NULL-terminated. */
PAWL_MUST_CHECK enum pawl_status pawl_signature_extend(struct pawl_signature *signature,
                                                       const char *const *extra,
                                                       struct pawl_arena *arena,
                                                       struct pawl_error *err);
const char *pawl_field_type_name(enum pawl_field_type type);

#endif
