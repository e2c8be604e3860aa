/*
 * Is a text the canonical form of some value (RFC 8785)? Answered in one pass over the bytes, without
 * making the value: keys that are sorted strictly cannot stand twice, so nothing has to be remembered but
 * the key before.
 */
#include "base/json.h"

#include "base/hash.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    const char *at, *end;
    struct pawl_buf *scratch;
    int depth;
};

static bool take_char(struct reader *r, char c)
{
    if (r->at == r->end || *r->at != c) return false;
    r->at++;
    return true;
}

static bool take_word(struct reader *r, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(r->end - r->at) < n || memcmp(r->at, word, n) != 0) return false;
    r->at += n;
    return true;
}

/* --- strings ---------------------------------------------------------------------------------------- */

/* The character that an escape stands for, 0 for one that is not written so; *n_bytes: its length. */
static unsigned char escaped(const char *at, const char *end, size_t *n_bytes)
{
    static const char letters[] = "\"\\bfnrt", meant[] = "\"\\\b\f\n\r\t";
    if (end - at < 2) return 0;
    const char *letter = at[1] != '\0' ? strchr(letters, at[1]) : NULL;
    *n_bytes = 2;
    if (letter != NULL) return (unsigned char)meant[letter - letters];
    *n_bytes = 6;
    if (end - at < 6 || memcmp(at, "\\u00", 4) != 0) return 0;
    unsigned char code;
    if (!pawl_unhex((struct pawl_str){at + 4, 2}, &code, 1)) return 0;
    return code < 0x20 && strchr("\b\f\n\r\t", code) == NULL ? code : 0;
}

/* *raw is what stands between the quotes. */
static bool take_string(struct reader *r, struct pawl_str *raw)
{
    if (!take_char(r, '"')) return false;
    const char *start = r->at;
    while (r->at < r->end && *r->at != '"') {
        size_t n_bytes = 1;
        if ((unsigned char)*r->at < 0x20) return false;
        if (*r->at == '\\' && escaped(r->at, r->end, &n_bytes) == 0) return false;
        r->at += n_bytes;
    }
    *raw = (struct pawl_str){start, (size_t)(r->at - start)};
    return take_char(r, '"');
}

static unsigned char next_byte(struct pawl_str *raw)
{
    size_t n_bytes = 1;
    unsigned char byte = (unsigned char)*raw->ptr;
    if (byte == '\\') byte = escaped(raw->ptr, raw->ptr + raw->len, &n_bytes);
    raw->ptr += n_bytes;
    raw->len -= n_bytes;
    return byte;
}

/* By UTF-16 code units: the order of bytes, but characters above U+FFFF (from F0 on) come before U+E000 to
 * U+FFFF (EE, EF). */
static bool is_before(struct pawl_str a, struct pawl_str b)
{
    while (a.len > 0 && b.len > 0) {
        unsigned char x = next_byte(&a), y = next_byte(&b);
        if (x == y) continue;
        if (x >= 0xEE && y >= 0xEE && (x >= 0xF0) != (y >= 0xF0)) return x >= 0xF0;
        return x < y;
    }
    return a.len == 0 && b.len > 0;
}

/* --- numbers ---------------------------------------------------------------------------------------- */

enum { NUMBER_MAX = 40, INTEGER_DIGITS = 18 /* any such integer fits 64 bits */ };

/*
 * A fraction of at most 15 digits is surely the shortest that reads back as its double: no two such decimals
 * give the same one. Written plainly it is canonical from 0.000001 on, without a zero at its end.
 */
static bool is_plain_fraction(const char *digits, size_t len)
{
    enum { SURE_DIGITS = 15, ZEROS_MAX = 5 };
    size_t whole = 0, zeros = 0;
    while (whole < len && digits[whole] >= '0' && digits[whole] <= '9') whole++;
    if (whole == 0 || len < whole + 2 || digits[whole] != '.' || len - 1 > SURE_DIGITS)
        return false;
    if (digits[0] == '0' && whole > 1) return false;
    for (size_t i = whole + 1; i < len; i++)
        if (digits[i] < '0' || digits[i] > '9') return false;
    while (zeros < len - whole - 1 && digits[whole + 1 + zeros] == '0') zeros++;
    return digits[len - 1] != '0' && (digits[0] != '0' || zeros <= ZEROS_MAX);
}

static bool take_number(struct reader *r)
{
    const char *start = r->at;
    while (r->at < r->end && memchr("+-.e0123456789", *r->at, 14) != NULL) r->at++;
    size_t len = (size_t)(r->at - start), sign = len > 0 && *start == '-';
    size_t digits = 0;
    while (sign + digits < len && start[sign + digits] >= '0' && start[sign + digits] <= '9')
        digits++;
    if (digits == 0 || len > NUMBER_MAX) return false;
    if (sign + digits == len && digits <= INTEGER_DIGITS)
        return start[sign] != '0' || (digits == 1 && sign == 0);
    if (is_plain_fraction(start + sign, len - sign)) return true;
    char text[NUMBER_MAX + 1], *end;
    memcpy(text, start, len);
    text[len] = '\0';
    if (sign + digits == len && digits == INTEGER_DIGITS + 1) {
        pawl_buf_reset(r->scratch); /* 19 digits: an integer while 64 bits hold it */
        pawl_buf_printf(r->scratch, "%lld", strtoll(text, &end, 10));
        if (pawl_str_is(pawl_buf_str(r->scratch), text)) return true;
    }
    double value = strtod(text, &end);
    if (*end != '\0' || !isfinite(value)) return false;
    pawl_buf_reset(r->scratch);
    pawl_json_write_real(value, r->scratch);
    return pawl_str_is(pawl_buf_str(r->scratch), text);
}

/* --- values ----------------------------------------------------------------------------------------- */

static bool take_value(struct reader *r);

static bool take_members(struct reader *r)
{
    struct pawl_str key, before = {NULL, 0};
    do {
        if (!take_string(r, &key) || !take_char(r, ':')) return false;
        if (before.ptr != NULL && !is_before(before, key)) return false;
        if (!take_value(r)) return false;
        before = key;
    } while (take_char(r, ','));
    return take_char(r, '}');
}

static bool take_items(struct reader *r)
{
    do {
        if (!take_value(r)) return false;
    } while (take_char(r, ','));
    return take_char(r, ']');
}

static bool take_nested(struct reader *r)
{
    if (++r->depth > PAWL_JSON_DEPTH_MAX) return false;
    bool object = *r->at == '{';
    r->at++;
    bool good = take_char(r, object ? '}' : ']') || (object ? take_members(r) : take_items(r));
    r->depth--;
    return good;
}

static bool take_value(struct reader *r)
{
    struct pawl_str raw;
    if (r->at == r->end) return false;
    switch (*r->at) {
    case '{':
    case '[':
        return take_nested(r);
    case '"':
        return take_string(r, &raw);
    case 't':
        return take_word(r, "true");
    case 'f':
        return take_word(r, "false");
    case 'n':
        return take_word(r, "null");
    default:
        return take_number(r);
    }
}

bool pawl_json_is_canonical(struct pawl_str text, struct pawl_buf *scratch)
{
    struct reader r = {.at = text.ptr, .end = text.ptr + text.len, .scratch = scratch};
    return text.len > 0 && take_value(&r) && r.at == r.end && pawl_utf8_is_valid(text, NULL);
}
