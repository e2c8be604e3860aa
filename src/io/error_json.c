/* error_json.c - a struct pawl_error as JSON and back: one shape on channels and on the command's
 * standard output. */
#include "io/channel.h"

#include <stdio.h>

enum {
    N_STATUSES = 0
#define X(name, exit_code, word) +1
    PAWL_STATUS_LIST(X)
#undef X
};

static void set_text(json_t *object, const char *key, const char *text)
{
    pawl_json_set(object, key, pawl_json_string(pawl_str_of(text)));
}

json_t *pawl_error_json(const struct pawl_error *error)
{
    json_t *inner = json_object();
    set_text(inner, "code", pawl_status_name(error->status));
    set_text(inner, "message", error->message);
    set_text(inner, "file", error->file);
    pawl_json_set(inner, "line", json_integer(error->line));
    pawl_json_set(inner, "column", json_integer(error->column));
    set_text(inner, "field", error->field);
    set_text(inner, "hint", error->hint);
    return json_pack("{s:o}", "error", inner);
}

static enum pawl_status status_from_word(const char *word)
{
    for (int i = 1; i < N_STATUSES; i++)
        if (strcmp(word, pawl_status_name((enum pawl_status)i)) == 0) return (enum pawl_status)i;
    return PAWL_EWORLD; /* an error stays one, also under a name that we do not know */
}

static int get_place(const json_t *inner, const char *key)
{
    int64_t value = pawl_json_get_int(inner, key, 0);
    return value < 0 || value > INT32_MAX ? 0 : (int)value;
}

enum pawl_status pawl_error_from_json(const json_t *object, struct pawl_error *err)
{
    const json_t *inner = json_object_get(object, "error");
    if (!inner) return PAWL_OK;
    enum pawl_status status = status_from_word(pawl_json_get_text(inner, "code", ""));
    pawl_fail(err, status, "%s", pawl_json_get_text(inner, "message", "(no message)"));
    pawl_hint(err, "%s", pawl_json_get_text(inner, "hint", ""));
    if (!err) return status;
    err->line = get_place(inner, "line");
    err->column = get_place(inner, "column");
    snprintf(err->file, sizeof err->file, "%s", pawl_json_get_text(inner, "file", ""));
    snprintf(err->field, sizeof err->field, "%s", pawl_json_get_text(inner, "field", ""));
    return status;
}
