/*
 * passages.h - a person's files as passages of a collection.
 *
 * A file whose name ends in .jsonl has a passage a line, {"text", "id"?, "title"?}. Any other is prose:
 * it is parted where lines are blank, and what lies together is joined up to PAWL_PROSE_BYTES; a line of
 * Markdown that is a heading begins a passage and is the title of those below it. Nothing is left out and
 * nothing is read twice. What has no id gets FILE#1, FILE#2 ...
 */
#ifndef PAWL_CODE_PASSAGES_H
#define PAWL_CODE_PASSAGES_H

#include "code/collection.h"

enum { PAWL_PROSE_BYTES = 1200, PAWL_PASSAGES_FILE_BYTES_MAX = 512 << 20 };

/* `passage` lies until the call returns. */
typedef enum pawl_status (*pawl_passages_take)(void *context, const struct pawl_passage *passage,
                                               struct pawl_error *err);
/* Hand every passage of `content` to `take`, in order; `name` is the file's, as a person reads it. Fails
 * PAWL_EUSAGE with err->file and err->line, or as `take` does. */
PAWL_MUST_CHECK enum pawl_status pawl_passages_read(const char *name, struct pawl_str content,
                                                    pawl_passages_take take, void *context,
                                                    struct pawl_error *err);

#endif
