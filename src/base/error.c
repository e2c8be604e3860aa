#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *word;
    int exit_code;
} statuses[] = {
#define X(name, exit_code, word) [name] = {word, exit_code},
    PAWL_STATUS_LIST(X)
#undef X
};

const char *pawl_status_name(enum pawl_status status)
{
    PAWL_ASSERT((size_t)status < sizeof statuses / sizeof *statuses);
    return statuses[status].word;
}

int pawl_status_exit_code(enum pawl_status status)
{
    PAWL_ASSERT((size_t)status < sizeof statuses / sizeof *statuses);
    return statuses[status].exit_code;
}

/* The message ends in "..." when it does not fit, so that a cut is never taken for the whole. */
PAWL_PRINTF(3, 0)
static void write_text(char *out, size_t room, const char *format, va_list args)
{
    int n = vsnprintf(out, room, format, args);
    if (n < 0) *out = '\0';
    if (n >= (int)room) memcpy(out + room - 4, "...", 4);
}

PAWL_PRINTF(3, 0)
static void write_message(struct pawl_error *err, enum pawl_status status, const char *format,
                          va_list args)
{
    /* The arguments may point into the old content of err, e.g. when it is wrapped. */
    char message[sizeof err->message];
    write_text(message, sizeof message, format, args);
    *err = (struct pawl_error){.status = status};
    memcpy(err->message, message, sizeof message);
}

enum pawl_status pawl_fail(struct pawl_error *err, enum pawl_status status, const char *format, ...)
{
    if (!err) return status;
    va_list args;
    va_start(args, format);
    write_message(err, status, format, args);
    va_end(args);
    return status;
}

enum pawl_status pawl_fail_at(struct pawl_error *err, enum pawl_status status, const char *file,
                              int line, const char *field, const char *format, ...)
{
    if (!err) return status;
    char place[sizeof err->file], path[sizeof err->field];
    snprintf(place, sizeof place, "%s", file ? file : "");
    snprintf(path, sizeof path, "%s", field ? field : "");
    va_list args;
    va_start(args, format);
    write_message(err, status, format, args);
    va_end(args);
    memcpy(err->file, place, sizeof place);
    memcpy(err->field, path, sizeof path);
    err->line = line;
    return status;
}

enum pawl_status pawl_fail_errno(struct pawl_error *err, enum pawl_status status, int errnum,
                                 const char *format, ...)
{
    if (!err) return status;
    va_list args;
    va_start(args, format);
    write_message(err, status, format, args);
    va_end(args);
    char text[96];
    size_t len = strlen(err->message);
    snprintf(err->message + len, sizeof err->message - len, ": %s",
             strerror_r(errnum, text, sizeof text));
    return status;
}

void pawl_hint(struct pawl_error *err, const char *format, ...)
{
    if (!err) return;
    va_list args;
    va_start(args, format);
    write_text(err->hint, sizeof err->hint, format, args);
    va_end(args);
}

void pawl_bug(const char *file, int line, const char *format, ...)
{
    fprintf(stderr, "pawl: bug at %s:%d: ", file, line);
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    abort();
}
