#include "base/json.h"

#include "base/arena.h"

#include <stdlib.h>

/* A place in a text, for errors: 1-based line, and column in bytes. */
struct place {
    int line, column;
};

static struct place place_of(struct pawl_str text, size_t offset)
{
    struct place place = {1, 1};
    for (size_t i = 0; i < offset && i < text.len; i++) {
        place.column++;
        if (text.ptr[i] == '\n') place = (struct place){place.line + 1, 1};
    }
    return place;
}

/* The offset of the bracket that nests too deep, or text.len. Runs before the parser, which
 * recurses. Brackets inside strings do not count. */
static size_t find_too_deep(struct pawl_str text)
{
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (quoted) {
            if (c == '\\')
                i++;
            else if (c == '"')
                quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '[' || c == '{') {
            if (++depth > PAWL_JSON_DEPTH_MAX) return i;
        } else if (c == ']' || c == '}') {
            depth--;
        }
    }
    return text.len;
}

static enum pawl_status fail_syntax(const json_error_t *why, struct pawl_error *err)
{
    enum pawl_status status;
    if (json_error_code(why) == json_error_null_character)
        status = pawl_fail(err, PAWL_ECONFIG, "The JSON holds the character U+0000.");
    else if (json_error_code(why) == json_error_duplicate_key)
        status = pawl_fail(err, PAWL_ECONFIG, "The JSON is ambiguous: %s.", why->text);
    else
        status = pawl_fail(err, PAWL_ECONFIG, "The JSON is not valid: %s.", why->text);
    if (err) {
        err->line = why->line > 0 ? why->line : 1;
        err->column = why->column > 0 ? why->column : 1;
    }
    pawl_hint(err, json_error_code(why) == json_error_duplicate_key
                       ? "Keep one of the keys with this name."
                       : "Correct the text at this place.");
    return status;
}

enum pawl_status pawl_json_parse(struct pawl_str text, size_t limit_bytes, json_t **out,
                                 struct pawl_error *err)
{
    *out = NULL;
    if (text.len > limit_bytes) {
        pawl_fail(err, PAWL_ETOOBIG, "The JSON has %zu bytes, more than %zu.", text.len,
                  limit_bytes);
        pawl_hint(err, "Make it smaller, or split it.");
        return PAWL_ETOOBIG;
    }
    size_t deep = find_too_deep(text);
    if (deep < text.len) {
        struct place place = place_of(text, deep);
        pawl_fail_at(err, PAWL_ECONFIG, NULL, place.line, NULL,
                     "The JSON is nested more than %d levels deep.", PAWL_JSON_DEPTH_MAX);
        pawl_hint(err, "Make it flatter.");
        if (err) err->column = place.column;
        return PAWL_ECONFIG;
    }
    json_error_t why;
    *out = json_loadb(text.ptr ? text.ptr : "", text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY,
                      &why);
    return *out ? PAWL_OK : fail_syntax(&why, err);
}

struct pawl_str pawl_json_get_str(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_string(value)) return (struct pawl_str){0};
    return (struct pawl_str){json_string_value(value), json_string_length(value)};
}

const char *pawl_json_get_text(const json_t *object, const char *key, const char *otherwise)
{
    const json_t *value = json_object_get(object, key);
    return json_is_string(value) ? json_string_value(value) : otherwise;
}

/* 3.0 is the integer 3: both have the same canonical form. */
int64_t pawl_json_get_int(const json_t *object, const char *key, int64_t otherwise)
{
    const json_t *value = json_object_get(object, key);
    if (json_is_integer(value)) return json_integer_value(value);
    double real = json_is_real(value) ? json_real_value(value) : 0.5;
    bool whole = real >= -0x1p53 && real <= 0x1p53 && real == (double)(int64_t)real;
    return whole ? (int64_t)real : otherwise;
}

double pawl_json_get_real(const json_t *object, const char *key, double otherwise)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : otherwise;
}

bool pawl_json_get_bool(const json_t *object, const char *key, bool otherwise)
{
    const json_t *value = json_object_get(object, key);
    return json_is_boolean(value) ? json_is_true(value) : otherwise;
}

/* The text without what JSON of ours cannot hold; *owned is to be freed when it was changed. */
static struct pawl_str without_nul(struct pawl_str text, struct pawl_buf *owned)
{
    struct pawl_str part;
    while (text.len > 0 && memchr(text.ptr, '\0', text.len)) {
        pawl_str_split(&text, '\0', &part);
        pawl_buf_add_str(owned, part);
        pawl_buf_add(owned, "\xEF\xBF\xBD");
    }
    pawl_buf_add_str(owned, text);
    return pawl_buf_str(owned);
}

json_t *pawl_json_string(struct pawl_str text)
{
    json_t *string = NULL;
    if (text.len == 0 || !memchr(text.ptr, '\0', text.len))
        string = json_stringn(text.ptr ? text.ptr : "", text.len);
    if (string) return string;

    struct pawl_buf valid = PAWL_BUF(SIZE_MAX / 2), repaired = PAWL_BUF(SIZE_MAX / 2);
    pawl_utf8_repair(without_nul(text, &valid), &repaired);
    string = json_stringn(pawl_buf_str(&repaired).ptr, repaired.len);
    PAWL_ASSERT(string);
    pawl_buf_release(&valid);
    pawl_buf_release(&repaired);
    return string;
}

void pawl_json_set(json_t *object, const char *key, json_t *value)
{
    if (!value || json_object_set_new(object, key, value) != 0)
        PAWL_BUG("the JSON member %s cannot be set", key);
}
