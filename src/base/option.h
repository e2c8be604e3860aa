/*
 * option.h - settings as data: one table gives parsing, defaults, help and the recorded values.
 *
 * An option table describes the fields of a struct. Defaults are text, parsed like a user's value,
 * so a default is always within its own range (checked by a test over all tables).
 *
 *     struct gepa_options { int64_t minibatch; double x; const char *front; bool merge; };
 *     static const struct pawl_option options[] = {
 *         PAWL_OPT_INT(struct gepa_options, minibatch, "3", 1, 1000, "cases per reflection"),
 *         PAWL_OPT_CHOICE(struct gepa_options, front, "instance", "instance|objective", "..."),
 *         {0}};
 */
#ifndef PAWL_BASE_OPTION_H
#define PAWL_BASE_OPTION_H

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pawl_option_type {
    PAWL_OPTION_END,
    PAWL_OPTION_INT,    /* int64_t */
    PAWL_OPTION_REAL,   /* double */
    PAWL_OPTION_BOOL,   /* bool; text true|false|on|off|yes|no */
    PAWL_OPTION_TEXT,   /* const char * */
    PAWL_OPTION_CHOICE, /* const char *, one of `choices` (joined by |) */
    PAWL_OPTION_JSON,   /* json_t * borrowed from the object that was read; any shape */
};
struct pawl_option {
    const char *name;
    enum pawl_option_type type;
    size_t offset;
    const char *fallback; /* default as text; NULL: absent (0, NULL) unless `required` */
    double min, max;      /* for numbers */
    const char *choices;
    const char *help; /* one line, no full stop */
    bool required;
};
#define PAWL_OPT_INT(S, field, fallback, lo, hi, help)                                             \
    PAWL_OPT_OF_(S, field, PAWL_OPTION_INT, fallback, lo, hi, NULL, help)
#define PAWL_OPT_REAL(S, field, fallback, lo, hi, help)                                            \
    PAWL_OPT_OF_(S, field, PAWL_OPTION_REAL, fallback, lo, hi, NULL, help)
#define PAWL_OPT_BOOL(S, field, fallback, help)                                                    \
    PAWL_OPT_OF_(S, field, PAWL_OPTION_BOOL, fallback, 0, 0, NULL, help)
#define PAWL_OPT_TEXT(S, field, fallback, help)                                                    \
    PAWL_OPT_OF_(S, field, PAWL_OPTION_TEXT, fallback, 0, 0, NULL, help)
#define PAWL_OPT_CHOICE(S, field, fallback, choices, help)                                         \
    PAWL_OPT_OF_(S, field, PAWL_OPTION_CHOICE, fallback, 0, 0, choices, help)
#define PAWL_OPT_JSON(S, field, help)                                                              \
    PAWL_OPT_OF_(S, field, PAWL_OPTION_JSON, NULL, 0, 0, NULL, help)
/* clang-format off */
#define PAWL_OPT_OF_(S, field, type, fallback, lo, hi, choices, help)                              \
    {#field, type, offsetof(S, field), fallback, lo, hi, choices, help, false}
/* clang-format on */

/*
 * Fill `out` from defaults and from `object` (may be NULL). An unknown key, a wrong type or a value
 * out of range fails PAWL_ECONFIG with err->field = prefix.key and a hint (nearest key, range).
 * Numbers and booleans are also accepted as text (from --set). Text lives in `arena`.
 */
PAWL_MUST_CHECK enum pawl_status pawl_options_read(const struct pawl_option *table,
                                                   const json_t *object, const char *prefix,
                                                   struct pawl_arena *arena, void *out,
                                                   struct pawl_error *err);
/* The values in force as a JSON object (new reference), for journals and cards. */
json_t *pawl_options_json(const struct pawl_option *table, const void *values);
/* One line per option: name, type, range, default, help. */
void pawl_options_help(const struct pawl_option *table, struct pawl_buf *out);
/* The table itself as JSON: [{name,type,default,min,max,choices,help}], new reference. */
json_t *pawl_options_describe(const struct pawl_option *table);

#endif
