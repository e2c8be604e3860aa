#include "base/option.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

static const struct {
    const char *name, *in_words;
} types[] = {
    [PAWL_OPTION_INT] = {"int", "a whole number"},  [PAWL_OPTION_REAL] = {"real", "a number"},
    [PAWL_OPTION_BOOL] = {"bool", "true or false"}, [PAWL_OPTION_TEXT] = {"text", "a text"},
    [PAWL_OPTION_CHOICE] = {"choice", "one of"},    [PAWL_OPTION_JSON] = {"json", "any value"},
};

/* Where the option's value stands in the struct `values`. */
static void *slot(const struct pawl_option *option, void *values)
{
    return (char *)values + option->offset;
}

static const void *slot_of(const struct pawl_option *option, const void *values)
{
    return (const char *)values + option->offset;
}

static bool is_number(const struct pawl_option *option)
{
    return option->type == PAWL_OPTION_INT || option->type == PAWL_OPTION_REAL;
}

/* What the option accepts: "a whole number from 1 to 10". */
static void write_expected(const struct pawl_option *option, struct pawl_buf *out)
{
    pawl_buf_add(out, types[option->type].in_words);
    if (is_number(option)) pawl_buf_printf(out, " from %.15g to %.15g", option->min, option->max);
    if (option->type == PAWL_OPTION_CHOICE) pawl_buf_printf(out, " %s", option->choices);
}

static enum pawl_status fail(const struct pawl_option *option, const char *field,
                             const json_t *given, struct pawl_error *err)
{
    struct pawl_buf expected = PAWL_BUF(512);
    write_expected(option, &expected);
    char *text = pawl_json_text(given);
    pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, field, "%s must be %s, not %.80s.", field,
                 pawl_buf_str(&expected).ptr, text);
    pawl_hint(err, "%s: %s.", option->name, option->help);
    free(text);
    pawl_buf_release(&expected);
    return PAWL_ECONFIG;
}

/* A number that is written as JSON or as text. */
static bool read_real(const json_t *given, double *out)
{
    if (json_is_number(given)) {
        *out = json_number_value(given);
        return true;
    }
    const char *text = json_string_value(given);
    if (!text || strspn(text, "+-.eE0123456789") != strlen(text) || !*text) return false;
    char *end;
    *out = strtod(text, &end);
    return *end == '\0' && isfinite(*out);
}

/* Exact over the whole of int64_t; 1e3 and 3.0 are whole numbers too. */
static bool read_int(const json_t *given, int64_t *out)
{
    if (json_is_integer(given)) {
        *out = json_integer_value(given);
        return true;
    }
    const char *text = json_string_value(given);
    if (text && *text && text[strspn(text, "+-0123456789")] == '\0') {
        char *end;
        errno = 0;
        *out = strtoll(text, &end, 10);
        return *end == '\0' && errno == 0;
    }
    double real;
    if (!read_real(given, &real) || fabs(real) > 0x1p53 || real != floor(real)) return false;
    *out = (int64_t)real;
    return true;
}

static bool read_bool(const json_t *given, bool *out)
{
    static const char *const words[] = {"true", "on", "yes", "false", "off", "no"};
    if (json_is_boolean(given)) {
        *out = json_is_true(given);
        return true;
    }
    const char *text = json_string_value(given);
    for (size_t i = 0; text && i < 6; i++)
        if (strcmp(text, words[i]) == 0) {
            *out = i < 3;
            return true;
        }
    return false;
}

static bool is_choice(const struct pawl_option *option, struct pawl_str text)
{
    struct pawl_str rest = pawl_str_of(option->choices), choice;
    while (pawl_str_split(&rest, '|', &choice))
        if (pawl_str_eq(choice, text)) return true;
    return false;
}

static enum pawl_status fail_choice(const struct pawl_option *option, const char *field,
                                    const json_t *given, struct pawl_error *err)
{
    enum { CHOICES_MAX = 64 };
    struct pawl_arena arena = {0};
    const char *choices[CHOICES_MAX];
    size_t n = 0;
    struct pawl_str rest = pawl_str_of(option->choices), choice;
    while (n < CHOICES_MAX && pawl_str_split(&rest, '|', &choice))
        choices[n++] = pawl_arena_copy(&arena, choice).ptr;
    const char *text = json_string_value(given);
    const char *nearest = text ? pawl_nearest_word(text, choices, n) : NULL;
    enum pawl_status status = fail(option, field, given, err);
    if (nearest) pawl_hint(err, "Did you mean %s?", nearest);
    pawl_arena_release(&arena);
    return status;
}

static enum pawl_status read_value(const struct pawl_option *option, const char *field,
                                   json_t *given, struct pawl_arena *arena, void *values,
                                   struct pawl_error *err)
{
    void *to = slot(option, values);
    struct pawl_str text = {json_string_value(given), json_string_length(given)};
    bool fits = false;
    switch (option->type) {
    case PAWL_OPTION_INT: {
        int64_t value;
        fits =
            read_int(given, &value) && (double)value >= option->min && (double)value <= option->max;
        if (fits) *(int64_t *)to = value;
        break;
    }
    case PAWL_OPTION_REAL: {
        double value;
        fits = read_real(given, &value) && value >= option->min && value <= option->max;
        if (fits) *(double *)to = value;
        break;
    }
    case PAWL_OPTION_BOOL:
        fits = read_bool(given, to);
        break;
    case PAWL_OPTION_TEXT:
        fits = text.ptr != NULL;
        if (fits) *(const char **)to = pawl_arena_copy(arena, text).ptr;
        break;
    case PAWL_OPTION_CHOICE:
        if (!text.ptr || !is_choice(option, text)) return fail_choice(option, field, given, err);
        fits = true;
        *(const char **)to = pawl_arena_copy(arena, text).ptr;
        break;
    case PAWL_OPTION_JSON:
        fits = true;
        *(json_t **)to = given;
        break;
    case PAWL_OPTION_END:
        break;
    }
    return fits ? PAWL_OK : fail(option, field, given, err);
}

/* The default goes the way of a user's value; one that is not accepted is our own bug. */
static void read_fallback(const struct pawl_option *option, struct pawl_arena *arena, void *values)
{
    struct pawl_error err;
    json_t *text = pawl_json_string(pawl_str_of(option->fallback));
    if (read_value(option, option->name, text, arena, values, &err) != PAWL_OK)
        PAWL_BUG("bad default: %s", err.message);
    json_decref(text);
}

static void clear(const struct pawl_option *option, void *values)
{
    static const size_t sizes[] = {
        [PAWL_OPTION_INT] = sizeof(int64_t),         [PAWL_OPTION_REAL] = sizeof(double),
        [PAWL_OPTION_BOOL] = sizeof(bool),           [PAWL_OPTION_TEXT] = sizeof(const char *),
        [PAWL_OPTION_CHOICE] = sizeof(const char *), [PAWL_OPTION_JSON] = sizeof(json_t *),
    };
    memset(slot(option, values), 0, sizes[option->type]);
}

static const char *join_path(struct pawl_arena *arena, const char *prefix, const char *key)
{
    return prefix && *prefix ? pawl_arena_printf(arena, "%s.%s", prefix, key)
                             : pawl_arena_strdup(arena, key);
}

static const char *join_words(struct pawl_arena *arena, const char *const *words, size_t n)
{
    const char *joined = "";
    for (size_t i = 0; i < n; i++)
        joined = pawl_arena_printf(arena, "%s%s%s", joined, i > 0 ? ", " : "", words[i]);
    return joined;
}

static enum pawl_status refuse_unknown(const struct pawl_option *table, const json_t *object,
                                       const char *prefix, struct pawl_arena *arena,
                                       struct pawl_error *err)
{
    size_t n = 0;
    for (const struct pawl_option *option = table; option->name; option++) n++;
    const char **names = PAWL_NEW_N(arena, const char *, n);
    for (size_t i = 0; i < n; i++) names[i] = table[i].name;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        bool known = false;
        for (size_t i = 0; i < n; i++) known = known || strcmp(names[i], key) == 0;
        if (known) continue;
        const char *nearest = pawl_nearest_word(key, names, n);
        pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, join_path(arena, prefix, key),
                     "There is no option %.80s here.", key);
        if (nearest)
            pawl_hint(err, "Did you mean %s?", nearest);
        else
            pawl_hint(err, n ? "Known here: %s." : "It takes no options%s.",
                      join_words(arena, names, n));
        return PAWL_ECONFIG;
    }
    return PAWL_OK;
}

enum pawl_status pawl_options_read(const struct pawl_option *table, const json_t *object,
                                   const char *prefix, struct pawl_arena *arena, void *out,
                                   struct pawl_error *err)
{
    if (object && !json_is_object(object))
        return pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, prefix, "%s must hold options by name.",
                            prefix && *prefix ? prefix : "This");
    PAWL_TRY(refuse_unknown(table, object, prefix, arena, err));
    for (const struct pawl_option *option = table; option->name; option++) {
        json_t *given = json_object_get(object, option->name);
        const char *field = join_path(arena, prefix, option->name);
        clear(option, out);
        if (given) {
            PAWL_TRY(read_value(option, field, given, arena, out, err));
        } else if (option->fallback) {
            read_fallback(option, arena, out);
        } else if (option->required) {
            pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, field, "%s is missing.", field);
            pawl_hint(err, "%s: %s.", option->name, option->help);
            return PAWL_ECONFIG;
        }
    }
    return PAWL_OK;
}

static json_t *text_or_null(const char *text)
{
    return text ? pawl_json_string(pawl_str_of(text)) : json_null();
}

static json_t *value_json(const struct pawl_option *option, const void *values)
{
    const void *from = slot_of(option, values);
    switch (option->type) {
    case PAWL_OPTION_INT:
        return json_integer(*(const int64_t *)from);
    case PAWL_OPTION_REAL:
        return json_real(*(const double *)from);
    case PAWL_OPTION_BOOL:
        return json_boolean(*(const bool *)from);
    case PAWL_OPTION_TEXT:
    case PAWL_OPTION_CHOICE:
        return text_or_null(*(const char *const *)from);
    case PAWL_OPTION_JSON: {
        json_t *value = *(json_t *const *)from;
        return value ? json_incref(value) : json_null();
    }
    case PAWL_OPTION_END:
        break;
    }
    PAWL_BUG("option %s has no type", option->name);
}

json_t *pawl_options_json(const struct pawl_option *table, const void *values)
{
    json_t *object = json_object();
    for (const struct pawl_option *option = table; option->name; option++)
        pawl_json_set(object, option->name, value_json(option, values));
    return object;
}

void pawl_options_help(const struct pawl_option *table, struct pawl_buf *out)
{
    for (const struct pawl_option *option = table; option->name; option++) {
        pawl_buf_printf(out, "  %-20s ", option->name);
        write_expected(option, out);
        if (option->fallback) pawl_buf_printf(out, " (default %s)", option->fallback);
        if (option->required) pawl_buf_add(out, " (required)");
        pawl_buf_printf(out, ": %s\n", option->help);
    }
}

json_t *pawl_options_describe(const struct pawl_option *table)
{
    json_t *array = json_array();
    for (const struct pawl_option *option = table; option->name; option++) {
        json_t *object = json_object();
        pawl_json_set(object, "name", text_or_null(option->name));
        pawl_json_set(object, "type", text_or_null(types[option->type].name));
        pawl_json_set(object, "default", text_or_null(option->fallback));
        if (is_number(option)) {
            pawl_json_set(object, "min", json_real(option->min));
            pawl_json_set(object, "max", json_real(option->max));
        }
        if (option->choices) pawl_json_set(object, "choices", text_or_null(option->choices));
        pawl_json_set(object, "required", json_boolean(option->required));
        pawl_json_set(object, "help", text_or_null(option->help));
        json_array_append_new(array, object);
    }
    return array;
}
