/*
 * error.h - filling a struct pawl_error (see pawl/status.h for the law).
 *
 *     if (n > PAWL_CASES_MAX)
 *         return pawl_fail(err, PAWL_ETOOBIG, "The case file has %zu cases, more than %d.", n, MAX);
 *     ...
 *     return pawl_fail_at(err, PAWL_ECONFIG, path, line, "input", "...");
 */
#ifndef PAWL_BASE_ERROR_H
#define PAWL_BASE_ERROR_H

#include "pawl/status.h"

#include <stddef.h>

#define PAWL_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define PAWL_MUST_CHECK   __attribute__((warn_unused_result))

/* Write a sentence into err (may be NULL) and give back `status`, so that a caller can return it. */
enum pawl_status pawl_fail(struct pawl_error *err, enum pawl_status status, const char *format, ...)
    PAWL_PRINTF(3, 4);
/* The same with a place; file and field may be NULL, line 0. */
enum pawl_status pawl_fail_at(struct pawl_error *err, enum pawl_status status, const char *file,
                              int line, const char *field, const char *format, ...)
    PAWL_PRINTF(6, 7);
/* The same for a system call that failed: appends ": " and the text of `errnum`. */
enum pawl_status pawl_fail_errno(struct pawl_error *err, enum pawl_status status, int errnum,
                                 const char *format, ...) PAWL_PRINTF(4, 5);
/* Add what to do next to an error that is already filled. */
void pawl_hint(struct pawl_error *err, const char *format, ...) PAWL_PRINTF(2, 3);

/* Our own bug: print the sentence with its place and abort. Never reached by input. */
_Noreturn void pawl_bug(const char *file, int line, const char *format, ...) PAWL_PRINTF(3, 4);
#define PAWL_BUG(...) pawl_bug(__FILE__, __LINE__, __VA_ARGS__)
#define PAWL_ASSERT(cond)                                                                          \
    do {                                                                                           \
        if (!(cond)) PAWL_BUG("assertion failed: %s", #cond);                                      \
    } while (0)

/* Return early with whatever failed. */
#define PAWL_TRY(call)                                                                             \
    do {                                                                                           \
        enum pawl_status pawl_try_status = (call);                                                 \
        if (pawl_try_status != PAWL_OK) return pawl_try_status;                                    \
    } while (0)

#endif
