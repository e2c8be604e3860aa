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

/* True for an integer, written as these `len` characters, that int64_t cannot hold. */
static bool is_wide_integer(const char *token, size_t len)
{
    const char *most = *token == '-' ? "9223372036854775808" : "9223372036854775807";
    if (*token == '-') token++, len--;
    for (size_t i = 0; i < len; i++)
        if (token[i] < '0' || token[i] > '9') return false;
    return len > 19 || (len == 19 && memcmp(token, most, 19) > 0);
}

static size_t number_len(struct pawl_str text)
{
    size_t len = 0;
    while (len < text.len && text.ptr[len] && strchr("+-.eE0123456789", text.ptr[len])) len++;
    return len;
}

/*
 * What must be known before the parser runs, which recurses, and refuses integers over 64 bits
 * though 3e19 is written without an exponent: `too_deep` is the offset of the bracket that nests
 * too deep, or text.len; `widened` is empty, or the text with an e0 after each such integer, which
 * makes it a real. Nothing inside a string counts.
 */
struct scan {
    size_t too_deep;
    struct pawl_buf widened;
};

static struct scan scan_text(struct pawl_str text)
{
    struct scan scan = {text.len, PAWL_BUF(SIZE_MAX / 2)};
    size_t depth = 0, copied = 0;
    bool quoted = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (quoted) {
            if (c == '\\') i++;
            if (c == '"') quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '[' || c == '{') {
            if (++depth > PAWL_JSON_DEPTH_MAX) {
                scan.too_deep = i;
                return scan;
            }
        } else if (c == ']' || c == '}') {
            if (depth > 0) depth--;
        } else if (c == '-' || (c >= '0' && c <= '9')) {
            size_t len = number_len((struct pawl_str){text.ptr + i, text.len - i});
            if (is_wide_integer(text.ptr + i, len)) {
                pawl_buf_add_bytes(&scan.widened, text.ptr + copied, i + len - copied);
                pawl_buf_add(&scan.widened, "e0");
                copied = i + len;
            }
            i += len - 1;
        }
    }
    if (copied > 0) pawl_buf_add_bytes(&scan.widened, text.ptr + copied, text.len - copied);
    return scan;
}

static enum pawl_status fail_too_deep(struct place place, struct pawl_error *err)
{
    pawl_fail_at(err, PAWL_ECONFIG, NULL, place.line, NULL,
                 "The JSON is nested more than %d levels deep.", PAWL_JSON_DEPTH_MAX);
    pawl_hint(err, "Make it flatter.");
    if (err) err->column = place.column;
    return PAWL_ECONFIG;
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
    struct scan scan = scan_text(text);
    json_error_t why;
    if (scan.too_deep == text.len) {
        struct pawl_str input = scan.widened.len > 0 ? pawl_buf_str(&scan.widened) : text;
        *out = json_loadb(input.ptr ? input.ptr : "", input.len,
                          JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    }
    pawl_buf_release(&scan.widened);
    if (scan.too_deep < text.len) return fail_too_deep(place_of(text, scan.too_deep), err);
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

bool pawl_json_is_deeper(const json_t *value, int levels)
{
    if (!json_is_array(value) && !json_is_object(value)) return false;
    if (levels == 0) return true;
    const char *key;
    json_t *member;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)value, i, member)
    {
        if (pawl_json_is_deeper(member, levels - 1)) return true;
    }
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        if (pawl_json_is_deeper(member, levels - 1)) return true;
    }
    return false;
}
