#include "base/str.h"

#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

bool pawl_str_eq(struct pawl_str a, struct pawl_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool pawl_str_is(struct pawl_str a, const char *literal)
{
    return pawl_str_eq(a, pawl_str_of(literal));
}

bool pawl_str_starts(struct pawl_str text, const char *prefix)
{
    size_t n = strlen(prefix);
    return text.len >= n && (n == 0 || memcmp(text.ptr, prefix, n) == 0);
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct pawl_str pawl_str_trim(struct pawl_str text)
{
    while (text.len > 0 && is_space(text.ptr[text.len - 1])) text.len--;
    while (text.len > 0 && is_space(*text.ptr)) text.ptr++, text.len--;
    return text;
}

bool pawl_str_split(struct pawl_str *rest, char delimiter, struct pawl_str *part)
{
    if (rest->len == 0) return false;
    const char *end = memchr(rest->ptr, delimiter, rest->len);
    size_t len = end ? (size_t)(end - rest->ptr) : rest->len;
    size_t used = end ? len + 1 : len;
    *part = (struct pawl_str){rest->ptr, len};
    *rest = (struct pawl_str){rest->ptr + used, rest->len - used};
    return true;
}

/* Room for n more bytes and a NUL, or the mark that there is none. */
static bool reserve(struct pawl_buf *buf, size_t n)
{
    if (buf->overflowed || n > buf->limit_bytes - buf->len) {
        buf->overflowed = true;
        return false;
    }
    size_t needed = buf->len + n + 1;
    if (needed > buf->capacity) {
        size_t capacity = buf->capacity < 32 ? 64 : buf->capacity * 2;
        if (capacity > buf->limit_bytes + 1) capacity = buf->limit_bytes + 1;
        if (capacity < needed) capacity = needed;
        buf->data = pawl_xrealloc(buf->data, capacity);
        buf->capacity = capacity;
    }
    return true;
}

void pawl_buf_add_bytes(struct pawl_buf *buf, const void *bytes, size_t n_bytes)
{
    if (n_bytes == 0 || !reserve(buf, n_bytes)) return;
    memcpy(buf->data + buf->len, bytes, n_bytes);
    buf->len += n_bytes;
    buf->data[buf->len] = '\0';
}

void pawl_buf_add(struct pawl_buf *buf, const char *text)
{
    pawl_buf_add_bytes(buf, text, strlen(text));
}

void pawl_buf_add_str(struct pawl_buf *buf, struct pawl_str text)
{
    pawl_buf_add_bytes(buf, text.ptr, text.len);
}

void pawl_buf_printf(struct pawl_buf *buf, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    PAWL_ASSERT(len >= 0);
    if (reserve(buf, (size_t)len)) {
        vsnprintf(buf->data + buf->len, (size_t)len + 1, format, again);
        buf->len += (size_t)len;
    }
    va_end(again);
}

struct pawl_str pawl_buf_str(const struct pawl_buf *buf)
{
    return (struct pawl_str){buf->data ? buf->data : "", buf->len};
}

char *pawl_buf_take(struct pawl_buf *buf)
{
    char *data = buf->data ? buf->data : pawl_xstrdup("");
    *buf = PAWL_BUF(buf->limit_bytes);
    return data;
}

void pawl_buf_reset(struct pawl_buf *buf)
{
    buf->len = 0;
    buf->overflowed = false;
    if (buf->data) *buf->data = '\0';
}

void pawl_buf_release(struct pawl_buf *buf)
{
    free(buf->data);
    *buf = PAWL_BUF(buf->limit_bytes);
}
