#include "base/str.h"

#include <stdint.h>

/*
 * The length of the well-formed sequence at the start of p (1 to 4), or 0. The second byte's range
 * depends on the first (Unicode, table 3-7): that is what keeps out overlong forms, surrogates and
 * code points over U+10FFFF.
 */
static size_t sequence_len(const unsigned char *p, size_t n)
{
    unsigned char first = p[0], low = 0x80, high = 0xBF;
    size_t len;
    if (first < 0x80) return 1;
    if (first < 0xC2 || first > 0xF4) return 0;
    len = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (first == 0xE0) low = 0xA0;
    if (first == 0xED) high = 0x9F;
    if (first == 0xF0) low = 0x90;
    if (first == 0xF4) high = 0x8F;
    if (n < len || p[1] < low || p[1] > high) return 0;
    for (size_t i = 2; i < len; i++)
        if ((p[i] & 0xC0) != 0x80) return 0;
    return len;
}

/* How many bytes from the start are surely ASCII: eight at a time. */
static size_t ascii_len(const unsigned char *p, size_t n)
{
    size_t i = 0;
    for (uint64_t eight; n - i >= sizeof eight; i += sizeof eight) {
        memcpy(&eight, p + i, sizeof eight);
        if (eight & UINT64_C(0x8080808080808080)) break;
    }
    return i;
}

bool pawl_utf8_is_valid(struct pawl_str text, size_t *bad_offset)
{
    const unsigned char *p = (const unsigned char *)text.ptr;
    for (size_t i = 0; i < text.len;) {
        if (p[i] < 0x80) i += ascii_len(p + i, text.len - i);
        if (i == text.len) break;
        size_t len = sequence_len(p + i, text.len - i);
        if (len == 0) {
            if (bad_offset) *bad_offset = i;
            return false;
        }
        i += len;
    }
    return true;
}

void pawl_utf8_repair(struct pawl_str text, struct pawl_buf *out)
{
    size_t bad;
    while (!pawl_utf8_is_valid(text, &bad)) {
        pawl_buf_add_bytes(out, text.ptr, bad);
        pawl_buf_add(out, "\xEF\xBF\xBD");
        text.ptr += bad + 1;
        text.len -= bad + 1;
    }
    pawl_buf_add_str(out, text);
}
