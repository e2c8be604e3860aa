/*
 * journal_line.h - one line of a journal, to and from bytes. Private to journal.c and its tests.
 *
 * The members of a line have a fixed order and all before "r" are short and plain, so a line is read
 * without a JSON parser and the result is left as text until somebody asks for it.
 */
#ifndef PAWL_IMPROVE_JOURNAL_LINE_H
#define PAWL_IMPROVE_JOURNAL_LINE_H

#include "improve/journal.h"

enum { PAWL_LINE_PREFIX = 9 /* crc and space */ };
enum pawl_line_kind { PAWL_LINE_BAD, PAWL_LINE_HEADER, PAWL_LINE_STEP, PAWL_LINE_MONEY };
struct pawl_line {
    enum pawl_line_kind kind;
    size_t n_bytes; /* with its LF; of a bad line, up to and with the next LF or the end */
    struct pawl_str json;
    struct pawl_str path;
    struct pawl_recorded step;
    int64_t reserved_microusd, spent_microusd; /* -1: not yet */
};

/* Read the line at the start of `text` (not empty). */
struct pawl_line pawl_line_read(struct pawl_str text);

/* Append a line. `result` is JSON text or empty; `object` (may be NULL) names it in the store. */
void pawl_line_write_step(struct pawl_buf *out, const struct pawl_step *step,
                          struct pawl_str result, const struct pawl_hash *object);
void pawl_line_write_money(struct pawl_buf *out, int64_t reserved_microusd, int64_t spent_microusd);
void pawl_line_write_header(struct pawl_buf *out, const json_t *header);

#endif
