/*
 * json.h - JSON values (jansson's json_t), strict reading, canonical writing.
 *
 * Reading refuses duplicate keys, invalid UTF-8, trailing text, depth over 64 and anything over the
 * caller's maximum, and says line and column. Writing is RFC 8785 (keys sorted by UTF-16 code
 * units, shortest numbers), so that equal values are equal bytes and equal hashes.
 *
 * U+0000 has no place in our texts: reading refuses it, writing turns it into U+FFFD. Integers are
 * written digit for digit, also beyond 2^53, where RFC 8785 would round them to a double; reading
 * takes one that int64_t cannot hold as a real.
 *
 * Ownership: jansson's. A json_t * returned here is a new reference (json_decref it) unless the
 * name says get, which borrows. Values may be shared by threads once nobody changes them.
 */
#ifndef PAWL_BASE_JSON_H
#define PAWL_BASE_JSON_H

#include "base/error.h"
#include "base/str.h"

#include <jansson.h>
#include <stdint.h>

/* What cases and answers may have: they are wrapped when they are recorded and sent, and read again there. */
enum { PAWL_JSON_DEPTH_MAX = 64, PAWL_JSON_GIVEN_DEPTH_MAX = 32 };

/* Parse one value. Fails PAWL_ECONFIG with line and column; err->file is left to the caller. */
PAWL_MUST_CHECK enum pawl_status pawl_json_parse(struct pawl_str text, size_t limit_bytes,
                                                 json_t **out, struct pawl_error *err);
/* Whether lists and objects lie in each other more than `levels` deep. */
bool pawl_json_is_deeper(const json_t *value, int levels);
/* Append the canonical form. Non-finite numbers are a bug. */
void pawl_json_write(const json_t *value, struct pawl_buf *out);
/* Whether the text is the canonical form of a value that reading accepts. One pass, nothing allocated but
 * what `scratch` needs for a real number. */
bool pawl_json_is_canonical(struct pawl_str text, struct pawl_buf *scratch);
/* The canonical form as a malloc'd string; free() it. */
char *pawl_json_text(const json_t *value);
/* Append one JSON string literal with its quotes. Malformed UTF-8 and NUL become U+FFFD. */
void pawl_json_write_string(struct pawl_str text, struct pawl_buf *out);
/* Append a number in canonical form (RFC 8785 section 3.2.2.3). */
void pawl_json_write_real(double value, struct pawl_buf *out);

/* Borrowed members of an object, with a default where it is absent or of another type. */
struct pawl_str pawl_json_get_str(const json_t *object, const char *key); /* ptr NULL if absent */
const char *pawl_json_get_text(const json_t *object, const char *key, const char *otherwise);
int64_t pawl_json_get_int(const json_t *object, const char *key, int64_t otherwise);
double pawl_json_get_real(const json_t *object, const char *key, double otherwise);
bool pawl_json_get_bool(const json_t *object, const char *key, bool otherwise);

/* A JSON string from text that may hold malformed UTF-8 or NUL (repaired). New reference. */
json_t *pawl_json_string(struct pawl_str text);
/* Set a member; takes the reference `value`. NULL value is a bug. */
void pawl_json_set(json_t *object, const char *key, json_t *value);

#endif
