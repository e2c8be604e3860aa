/*
 * str.h - text: a borrowed view, and a growing buffer that is born with its maximum.
 *
 * Invariants
 *   1. A view owns nothing. Its bytes need not end in NUL.
 *   2. A buffer never grows past limit_bytes: an append that would do so keeps what fits out,
 *      marks the buffer `overflowed` and changes nothing else; so does every later append until
 *      the buffer is reset: what it holds is a prefix of what was meant. Check once, at the end.
 *   3. buf.data is NUL-terminated whenever it is not NULL.
 *
 *     struct pawl_buf b = PAWL_BUF(1 << 20);
 *     pawl_buf_add(&b, "{\"a\":");
 *     pawl_buf_printf(&b, "%d}", 1);
 *     if (b.overflowed) ...
 *     pawl_buf_release(&b);
 */
#ifndef PAWL_BASE_STR_H
#define PAWL_BASE_STR_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct pawl_str {
    const char *ptr;
    size_t len;
};
#define PAWL_STR(literal) ((struct pawl_str){"" literal, sizeof(literal) - 1})
#define PAWL_STR_FMT      "%.*s"
#define PAWL_STR_ARG(s)   (int)(s).len, (s).ptr

static inline struct pawl_str pawl_str_of(const char *text)
{
    return (struct pawl_str){text, text ? strlen(text) : 0};
}
bool pawl_str_eq(struct pawl_str a, struct pawl_str b);
bool pawl_str_is(struct pawl_str a, const char *literal);
bool pawl_str_starts(struct pawl_str text, const char *prefix);
struct pawl_str pawl_str_trim(struct pawl_str text); /* ASCII white space at both ends */
/* The part of *rest before the first `delimiter`; *rest moves past it. False when *rest is used up,
 * so a delimiter at the end closes the last part and opens no other. */
bool pawl_str_split(struct pawl_str *rest, char delimiter, struct pawl_str *part);

struct pawl_buf {
    char *data;
    size_t len, capacity, limit_bytes;
    bool overflowed;
};
#define PAWL_BUF(limit) ((struct pawl_buf){.limit_bytes = (limit)})
void pawl_buf_add(struct pawl_buf *buf, const char *text);
void pawl_buf_add_str(struct pawl_buf *buf, struct pawl_str text);
void pawl_buf_add_bytes(struct pawl_buf *buf, const void *bytes, size_t n_bytes);
void pawl_buf_printf(struct pawl_buf *buf, const char *format, ...) PAWL_PRINTF(2, 3);
struct pawl_str pawl_buf_str(const struct pawl_buf *buf); /* borrowed until the next append */
char *pawl_buf_take(struct pawl_buf *buf);                /* yours to free(); buf is empty again */
void pawl_buf_reset(struct pawl_buf *buf);
void pawl_buf_release(struct pawl_buf *buf);

/* True if the bytes are well-formed UTF-8 (no surrogates, no overlong forms). On false,
 * *bad_offset (may be NULL) is the first wrong byte. */
bool pawl_utf8_is_valid(struct pawl_str text, size_t *bad_offset);
/* Replace each malformed byte by U+FFFD, appended to out. */
void pawl_utf8_repair(struct pawl_str text, struct pawl_buf *out);
/* The candidate nearest to `word` by edit distance, or NULL when none is near enough to suggest. */
const char *pawl_nearest_word(const char *word, const char *const *candidates, size_t n);
/* A unified diff with 3 lines of context, appended to out; nothing when equal. */
void pawl_text_diff(struct pawl_str before, struct pawl_str after, const char *label_before,
                    const char *label_after, struct pawl_buf *out);

#endif
