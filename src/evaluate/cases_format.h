/*
 * cases_format.h - shared by the readers of case files.
 */
#ifndef PAWL_EVALUATE_CASES_FORMAT_H
#define PAWL_EVALUATE_CASES_FORMAT_H

#include "evaluate/cases.h"

struct pawl_case_reader {
    const char *path; /* for messages; NULL: not a file */
    struct pawl_arena *arena;
    struct pawl_cases *cases;
    size_t room;
    struct pawl_error *err;
};

/* A wrong field of the case at `line`, with the remedy. Gives PAWL_ECONFIG. */
enum pawl_status pawl_case_refuse(const struct pawl_case_reader *reader, int line,
                                  const char *field, const char *remedy, const char *format, ...)
    PAWL_PRINTF(5, 6);
/* Add one case; `object` as in a JSON Lines file. Takes the reference. */
PAWL_MUST_CHECK enum pawl_status pawl_case_add(struct pawl_case_reader *reader, json_t *object,
                                               int line);
/* A CSV text with its header; separator , or tab. */
PAWL_MUST_CHECK enum pawl_status pawl_cases_read_csv(struct pawl_case_reader *reader,
                                                     struct pawl_str text, char separator,
                                                     const json_t *columns);

#endif
