/* Canonical JSON: RFC 8785. */
#include "base/json.h"

#include "base/arena.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Values are at most PAWL_JSON_DEPTH_MAX deep when they come in, and wrapped a few times by us. */
enum { WRITE_DEPTH_MAX = 4 * PAWL_JSON_DEPTH_MAX };

static void write_escape(unsigned char c, struct pawl_buf *out)
{
    static const char letters[] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f',
                                   ['\r'] = 'r', ['"'] = '"',  ['\\'] = '\\'};
    if (c < sizeof letters && letters[c])
        pawl_buf_add_bytes(out, (char[]){'\\', letters[c]}, 2);
    else
        pawl_buf_printf(out, "\\u%04x", c);
}

static void write_valid(struct pawl_str text, struct pawl_buf *out)
{
    size_t start = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        pawl_buf_add_bytes(out, text.ptr + start, i - start);
        if (c == '\0')
            pawl_buf_add(out, "\xEF\xBF\xBD");
        else
            write_escape(c, out);
        start = i + 1;
    }
    pawl_buf_add_bytes(out, text.ptr + start, text.len - start);
}

void pawl_json_write_string(struct pawl_str text, struct pawl_buf *out)
{
    pawl_buf_add(out, "\"");
    size_t bad;
    while (!pawl_utf8_is_valid(text, &bad)) {
        write_valid((struct pawl_str){text.ptr, bad}, out);
        pawl_buf_add(out, "\xEF\xBF\xBD");
        text.ptr += bad + 1;
        text.len -= bad + 1;
    }
    if (text.len > 0) write_valid(text, out);
    pawl_buf_add(out, "\"");
}

/* The number 0.DIGITS x 10^point, DIGITS without a zero at either end. */
struct decimal {
    char digits[24];
    int n_digits, point;
};

static double read_decimal(const struct decimal *d)
{
    char text[48];
    snprintf(text, sizeof text, "0.%se%d", d->digits, d->point);
    return strtod(text, NULL);
}

/* `value` > 0 rounded to n significant digits. */
static struct decimal round_decimal(double value, int n)
{
    char text[48];
    struct decimal d = {0};
    snprintf(text, sizeof text, "%.*e", n - 1, value);
    const char *p = text;
    for (; *p != 'e'; p++)
        if (*p >= '0' && *p <= '9') d.digits[d.n_digits++] = *p;
    d.point = atoi(p + 1) + 1;
    while (d.n_digits > 1 && d.digits[d.n_digits - 1] == '0') d.digits[--d.n_digits] = '\0';
    return d;
}

/* One more in the last of n digits. Only for a number that stands at n digits without a carry. */
static bool step_up(struct decimal *d, int n)
{
    if (d->n_digits != n || d->digits[n - 1] == '9') return false;
    d->digits[n - 1]++;
    return true;
}

/*
 * The fewest digits that read back as `value`. Rounding to n digits finds them, with one exception:
 * below a power of two doubles lie twice as close as above it, so there the nearest decimal of n
 * digits may lie below and read back as the neighbour while the next one up reads back right.
 */
static struct decimal shortest_decimal(double value)
{
    int exponent;
    bool power_of_two = frexp(value, &exponent) == 0.5;
    /* A normal double holds any 15 digits, so fewer need no trying. */
    for (int n = value < 0x1p-1022 ? 1 : 15; n < 17; n++) {
        struct decimal d = round_decimal(value, n);
        if (read_decimal(&d) == value) return d;
        if (power_of_two && step_up(&d, n) && read_decimal(&d) == value) return d;
    }
    return round_decimal(value, 17);
}

static void add_zeros(struct pawl_buf *out, int n)
{
    for (int i = 0; i < n; i++) pawl_buf_add(out, "0");
}

/* ECMAScript's Number::toString, which RFC 8785 prescribes. */
static void write_decimal(const struct decimal *d, struct pawl_buf *out)
{
    int n = d->n_digits, point = d->point;
    if (n <= point && point <= 21) {
        pawl_buf_add(out, d->digits);
        add_zeros(out, point - n);
    } else if (point > 0 && point <= 21) {
        pawl_buf_printf(out, "%.*s.%s", point, d->digits, d->digits + point);
    } else if (point > -6 && point <= 0) {
        pawl_buf_add(out, "0.");
        add_zeros(out, -point);
        pawl_buf_add(out, d->digits);
    } else {
        pawl_buf_printf(out, "%.1s%s%se%+d", d->digits, n > 1 ? "." : "", d->digits + 1, point - 1);
    }
}

void pawl_json_write_real(double value, struct pawl_buf *out)
{
    if (!isfinite(value)) PAWL_BUG("JSON has no number %f", value);
    if (fabs(value) < 1e15 && value == (double)(int64_t)value) {
        pawl_buf_printf(out, "%lld", (long long)value); /* also turns -0 into 0 */
        return;
    }
    if (value < 0) pawl_buf_add(out, "-");
    struct decimal d = shortest_decimal(fabs(value));
    write_decimal(&d, out);
}

/*
 * The order of UTF-16 code units. It is the order of bytes but for one thing: characters above
 * U+FFFF (first byte F0 to F4) are surrogates there (D800 to DFFF), and so come before U+E000 to
 * U+FFFF (first byte EE or EF).
 */
static int compare_keys(const void *left, const void *right)
{
    const unsigned char *a = *(const unsigned char *const *)left;
    const unsigned char *b = *(const unsigned char *const *)right;
    while (*a && *a == *b) a++, b++;
    if (*a >= 0xEE && *b >= 0xEE && (*a >= 0xF0) != (*b >= 0xF0)) return *a >= 0xF0 ? -1 : 1;
    return *a - *b;
}

static void write_value(const json_t *value, struct pawl_buf *out, int depth);

static void write_object(const json_t *object, struct pawl_buf *out, int depth)
{
    const char *few[16], *key;
    size_t n = json_object_size(object), i = 0;
    const char **keys = n <= 16 ? few : pawl_xmalloc(n * sizeof *keys);
    json_t *member;
    json_object_foreach((json_t *)(uintptr_t)object, key, member) keys[i++] = key;
    qsort(keys, n, sizeof *keys, compare_keys);
    pawl_buf_add(out, "{");
    for (i = 0; i < n; i++) {
        if (i > 0) pawl_buf_add(out, ",");
        pawl_json_write_string(pawl_str_of(keys[i]), out);
        pawl_buf_add(out, ":");
        write_value(json_object_get(object, keys[i]), out, depth);
    }
    pawl_buf_add(out, "}");
    if (keys != few) free(keys);
}

static void write_array(const json_t *array, struct pawl_buf *out, int depth)
{
    pawl_buf_add(out, "[");
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (i > 0) pawl_buf_add(out, ",");
        write_value(json_array_get(array, i), out, depth);
    }
    pawl_buf_add(out, "]");
}

static void write_value(const json_t *value, struct pawl_buf *out, int depth)
{
    PAWL_ASSERT(value && depth < WRITE_DEPTH_MAX);
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        write_object(value, out, depth + 1);
        break;
    case JSON_ARRAY:
        write_array(value, out, depth + 1);
        break;
    case JSON_STRING:
        pawl_json_write_string(
            (struct pawl_str){json_string_value(value), json_string_length(value)}, out);
        break;
    case JSON_INTEGER:
        pawl_buf_printf(out, "%lld", (long long)json_integer_value(value));
        break;
    case JSON_REAL:
        pawl_json_write_real(json_real_value(value), out);
        break;
    case JSON_TRUE:
        pawl_buf_add(out, "true");
        break;
    case JSON_FALSE:
        pawl_buf_add(out, "false");
        break;
    case JSON_NULL:
        pawl_buf_add(out, "null");
        break;
    }
}

void pawl_json_write(const json_t *value, struct pawl_buf *out)
{
    write_value(value, out, 0);
}

char *pawl_json_text(const json_t *value)
{
    struct pawl_buf text = PAWL_BUF(SIZE_MAX / 2);
    pawl_json_write(value, &text);
    return pawl_buf_take(&text);
}
