/*
 * render.h - a signature as chat messages.
 *
 *     system     the instruction, then the fields and the wanted form of the answer
 *     user       } a demonstration: inputs, outputs;
 *     assistant  } repeated
 *     user       the case
 *
 * All but the last turn depends on the candidate alone and is rendered once, so that requests share
 * a prefix byte for byte. One input is shown bare, one output is answered bare: small models do
 * best with the least form. Several are lines `name: value`.
 */
#ifndef PAWL_PROGRAM_RENDER_H
#define PAWL_PROGRAM_RENDER_H

#include "program/signature.h"

/* The instruction, and the inputs that are described. */
void pawl_render_task(const struct pawl_signature *signature, struct pawl_str instruction,
                      struct pawl_buf *out);
void pawl_render_system(const struct pawl_signature *signature, struct pawl_str instruction,
                        struct pawl_buf *out);
/* Fields of `object` in order. A field that is not there is left out. */
void pawl_render_fields(const struct pawl_field *fields, size_t n, const json_t *object,
                        struct pawl_buf *out);
/* The wanted form of the answer in a sentence or a few lines, for asking again. */
void pawl_render_form(const struct pawl_field *outputs, size_t n, struct pawl_buf *out);

#endif
