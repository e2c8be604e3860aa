/*
 * llama_schema.h - a JSON schema as a grammar that libllama can hold an answer to.
 *
 * Exact for a stated subset: every text of the grammar is valid JSON that the schema accepts, and every
 * value that the schema accepts has a text. What cannot be expressed is refused by name, never
 * ignored.
 *
 *     object    properties, written in the order given; all of them, so `required`, where it is
 *               present, names all. additionalProperties: false or absent
 *     array     items, minItems, maxItems
 *     string    minLength, maxLength (in characters)
 *     integer, number (at most 15 digits on either side), boolean, null
 *     enum and const of strings, integers, booleans and null; anyOf; type as a list of names
 *     title, description, default, examples, $schema, $id, $comment say nothing about the value
 *
 *     struct pawl_buf gbnf = PAWL_BUF(PAWL_LLAMA_GRAMMAR_MAX);
 *     PAWL_TRY(pawl_llama_schema_grammar(schema, &gbnf, err));   start symbol: root
 */
#ifndef PAWL_LM_LLAMA_SCHEMA_H
#define PAWL_LM_LLAMA_SCHEMA_H

#include "base/error.h"
#include "base/json.h"

enum {
    PAWL_LLAMA_GRAMMAR_MAX = 64 << 10, /* bytes */
    PAWL_LLAMA_SCHEMA_DEPTH = 16,
    PAWL_LLAMA_REPEAT_MAX = 1000 /* of minItems, maxItems, minLength, maxLength */
};

/* Fails PAWL_ECONFIG; err->field is the place in the schema. Releasing gbnf is the caller's. */
PAWL_MUST_CHECK enum pawl_status
pawl_llama_schema_grammar(const json_t *schema, struct pawl_buf *gbnf, struct pawl_error *err);

#endif
