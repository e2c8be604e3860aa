#include "program/answer.h"
#include "program/number.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <strings.h>

/* A label stands near the start; searching megabytes for it would be a way to keep us busy. */
enum { CHOICE_TEXT_MAX = 32 << 10 };

static bool same_start(struct pawl_str text, struct pawl_str word)
{
    return text.len >= word.len && strncasecmp(text.ptr, word.ptr, word.len) == 0;
}

/* Bytes above 127 belong to words: labels may be in any script. */
static bool is_word_byte(char c)
{
    return isalnum((unsigned char)c) || c == '_' || (unsigned char)c > 127;
}

static struct pawl_str from(struct pawl_str text, size_t at)
{
    return (struct pawl_str){text.ptr + at, text.len - at};
}

/* --- wrapping -------------------------------------------------------------------------------------- */

/* The inside of the reply's one code fence, or the reply itself. */
static struct pawl_str unfenced(struct pawl_str text)
{
    text = pawl_str_trim(text);
    if (!pawl_str_starts(text, "```") || text.len < 7) return text;
    const char *line_end = memchr(text.ptr, '\n', text.len);
    if (!line_end) return text;
    struct pawl_str inside = from(text, (size_t)(line_end - text.ptr) + 1);
    const char *close = memmem(inside.ptr, inside.len, "```", 3);
    if (close) inside.len = (size_t)(close - inside.ptr);
    return pawl_str_trim(inside);
}

static struct pawl_str strip(struct pawl_str text, const char *bytes)
{
    while (text.len > 0 && strchr(bytes, text.ptr[0])) text = from(text, 1);
    while (text.len > 0 && strchr(bytes, text.ptr[text.len - 1])) text.len--;
    return text;
}

/* Up to three bytes of Markdown or list marks, then the name, then a colon. Gives what follows. */
static bool is_labelled(struct pawl_str line, const char *name, struct pawl_str *value)
{
    while (line.len > 0 && strchr(" \t*_#->`\"", line.ptr[0])) line = from(line, 1);
    struct pawl_str label = pawl_str_of(name);
    if (!same_start(line, label)) return false;
    line = from(line, label.len);
    while (line.len > 0 && strchr(" *_`\"", line.ptr[0])) line = from(line, 1);
    if (line.len == 0 || line.ptr[0] != ':') return false;
    line = from(line, 1);
    while (line.len > 0 && strchr("*_", line.ptr[0])) line = from(line, 1);
    *value = line;
    return true;
}

/* --- one value ------------------------------------------------------------------------------------- */

size_t pawl_choice_find(struct pawl_str text, const struct pawl_str *choices, size_t n_choices)
{
    if (text.len > CHOICE_TEXT_MAX) text.len = CHOICE_TEXT_MAX;
    struct pawl_str bare = strip(text, " \t\r\n.,;:!?\"'`*_()[]");
    size_t best = n_choices;
    for (size_t i = 0; i < n_choices; i++)
        if (bare.len == choices[i].len && same_start(bare, choices[i])) return i;
    for (size_t at = 0; at < text.len && best == n_choices; at++) {
        if (at > 0 && is_word_byte(text.ptr[at - 1])) continue;
        struct pawl_str rest = from(text, at);
        for (size_t i = 0; i < n_choices; i++) {
            if (!same_start(rest, choices[i])) continue;
            if (rest.len > choices[i].len && is_word_byte(rest.ptr[choices[i].len])) continue;
            if (best == n_choices || choices[i].len > choices[best].len) best = i;
        }
    }
    return best;
}

static json_t *read_number(struct pawl_str text)
{
    double found = pawl_last_number(text);
    if (!isfinite(found)) return NULL;
    bool whole = found == floor(found) && fabs(found) < 9e15;
    return whole ? json_integer((json_int_t)found) : json_real(found);
}

static json_t *read_boolean(struct pawl_str text)
{
    static const struct pawl_str words[] = {{"true", 4}, {"yes", 3}, {"false", 5}, {"no", 2}};
    size_t found = pawl_choice_find(text, words, 4);
    return found == 4 ? NULL : json_boolean(found < 2);
}

/* The text from the first opening mark to its partner, marks inside strings not counted. */
static struct pawl_str bracketed(struct pawl_str text, char open, char close)
{
    const char *start = text.len ? memchr(text.ptr, open, text.len) : NULL;
    if (!start) return (struct pawl_str){NULL, 0};
    text = from(text, (size_t)(start - text.ptr));
    bool quoted = false;
    int depth = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (quoted && c == '\\') i++;
        if (c == '"') quoted = !quoted;
        if (quoted) continue;
        depth += (c == open) - (c == close);
        if (depth == 0) return (struct pawl_str){text.ptr, i + 1};
    }
    return (struct pawl_str){NULL, 0};
}

static json_t *read_json(struct pawl_str text, char open, char close)
{
    struct pawl_str inside = bracketed(text, open, close);
    json_t *value = NULL;
    if (!inside.ptr || pawl_json_parse(inside, inside.len, &value, NULL) != PAWL_OK) return NULL;
    return value;
}

/* JSON, or one item a line with its bullet, or items joined by commas. */
static json_t *read_list(struct pawl_str text)
{
    json_t *list = read_json(text, '[', ']');
    if (list) return list;
    list = json_array();
    bool lines = memchr(text.ptr, '\n', text.len) != NULL;
    struct pawl_str item;
    while (pawl_str_split(&text, lines ? '\n' : ',', &item)) {
        item = strip(item, " \t\r-*\"");
        size_t digits = 0;
        while (digits < item.len && isdigit((unsigned char)item.ptr[digits])) digits++;
        if (lines && digits > 0 && digits + 1 < item.len && strchr(".)", item.ptr[digits]))
            item = pawl_str_trim(from(item, digits + 1));
        if (item.len > 0) json_array_append_new(list, pawl_json_string(item));
    }
    if (json_array_size(list) > 0) return list;
    json_decref(list);
    return NULL;
}

static json_t *read_value(struct pawl_str text, const struct pawl_field *field)
{
    text = pawl_str_trim(text);
    if (text.len == 0) return NULL;
    switch (field->type) {
    case PAWL_FIELD_TEXT:
        return pawl_json_string(text);
    case PAWL_FIELD_NUMBER:
        return read_number(text);
    case PAWL_FIELD_BOOLEAN:
        return read_boolean(text);
    case PAWL_FIELD_LIST:
        return read_list(text);
    case PAWL_FIELD_OBJECT:
        return read_json(text, '{', '}');
    case PAWL_FIELD_CHOICES: {
        size_t i = pawl_choice_find(text, field->choices, field->n_choices);
        return i == field->n_choices ? NULL : pawl_json_string(field->choices[i]);
    }
    }
    PAWL_BUG("field type %d", (int)field->type);
}

/* A member of a JSON answer: as it is when it has the type, else read from its text. */
static json_t *convert(const json_t *value, const struct pawl_field *field)
{
    json_t *borrowed = (json_t *)(uintptr_t)value;
    bool fits = (field->type == PAWL_FIELD_NUMBER && json_is_number(value)) ||
                (field->type == PAWL_FIELD_BOOLEAN && json_is_boolean(value)) ||
                (field->type == PAWL_FIELD_LIST && json_is_array(value)) ||
                (field->type == PAWL_FIELD_OBJECT && json_is_object(value));
    if (fits) return json_incref(borrowed);
    if (json_is_string(value))
        return read_value((struct pawl_str){json_string_value(value), json_string_length(value)},
                          field);
    if (json_is_null(value)) return NULL;
    char *text = pawl_json_text(value);
    json_t *read = read_value(pawl_str_of(text), field);
    free(text);
    return read;
}

/* --- the whole reply -------------------------------------------------------------------------------- */

static const char *fault_of(const struct pawl_field *field, bool found, struct pawl_arena *arena)
{
    if (!found) return pawl_arena_printf(arena, "The answer has no field \"%s\".", field->name);
    if (field->type != PAWL_FIELD_CHOICES)
        return pawl_arena_printf(arena, "The field \"%s\" holds no %s.", field->name,
                                 pawl_field_type_name(field->type));
    struct pawl_buf list = PAWL_BUF(2048);
    for (size_t i = 0; i < field->n_choices; i++)
        pawl_buf_printf(&list, "%s" PAWL_STR_FMT, i ? ", " : "", PAWL_STR_ARG(field->choices[i]));
    const char *fault = pawl_arena_printf(arena, "The field \"%s\" is none of: %s.", field->name,
                                          list.data ? list.data : "");
    pawl_buf_release(&list);
    return fault;
}

static const json_t *member(const json_t *object, const char *name)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        if (strcasecmp(key, name) == 0) return value;
    }
    return NULL;
}

static json_t *from_object(const json_t *object, const struct pawl_field *fields, size_t n,
                           struct pawl_arena *arena, const char **fault)
{
    json_t *answer = json_object();
    for (size_t i = 0; i < n; i++) {
        const json_t *given = member(object, fields[i].name);
        json_t *value = given ? convert(given, &fields[i]) : NULL;
        if (!value) {
            *fault = fault_of(&fields[i], given != NULL, arena);
            json_decref(answer);
            return NULL;
        }
        pawl_json_set(answer, fields[i].name, value);
    }
    return answer;
}

/* Which field a line begins; n when none. Models write fields in any order. */
static size_t label_of(struct pawl_str line, const struct pawl_field *fields, size_t n,
                       struct pawl_str *value)
{
    for (size_t i = 0; i < n; i++)
        if (is_labelled(line, fields[i].name, value)) return i;
    return n;
}

/* A field's value runs to the next label. Text before the first label is the first field's, when
 * that has no label of its own: `I think ... \n Answer: 3`. */
static void split_by_labels(struct pawl_str text, const struct pawl_field *fields, size_t n,
                            struct pawl_str *values)
{
    size_t now = n;
    const char *start = text.ptr, *end = text.ptr + text.len;
    struct pawl_str line, value, rest = text;
    while (pawl_str_split(&rest, '\n', &line)) {
        size_t label = label_of(line, fields, n, &value);
        if (label == n) continue;
        if (now < n || !values[0].ptr)
            values[now < n ? now : 0] = (struct pawl_str){start, (size_t)(line.ptr - start)};
        now = label;
        start = value.ptr;
    }
    if (now < n) values[now] = (struct pawl_str){start, (size_t)(end - start)};
}

static json_t *from_lines(struct pawl_str text, const struct pawl_field *fields, size_t n,
                          struct pawl_arena *arena, const char **fault)
{
    struct pawl_str values[PAWL_FIELDS_MAX + 1] = {{NULL, 0}};
    split_by_labels(text, fields, n, values);
    if (n == 1 && pawl_str_trim(values[0]).len == 0) values[0] = text;
    json_t *answer = json_object();
    for (size_t i = 0; i < n; i++) {
        json_t *value = values[i].ptr ? read_value(values[i], &fields[i]) : NULL;
        if (!value) {
            *fault = fault_of(&fields[i], pawl_str_trim(values[i]).len > 0, arena);
            json_decref(answer);
            return NULL;
        }
        pawl_json_set(answer, fields[i].name, value);
    }
    return answer;
}

/* A JSON object that names at least one field; a single text field keeps its braces otherwise. */
static json_t *as_object(struct pawl_str text, const struct pawl_field *fields, size_t n)
{
    if (!memchr(text.ptr, '{', text.len)) return NULL;
    json_t *object = read_json(text, '{', '}');
    for (size_t i = 0; object && i < n; i++)
        if (member(object, fields[i].name)) return object;
    json_decref(object);
    return NULL;
}

static json_t *parse_answer(struct pawl_str reply, const struct pawl_field *fields, size_t n,
                            struct pawl_arena *arena, const char **fault)
{
    struct pawl_str text = unfenced(reply);
    if (text.len == 0) {
        *fault = "The answer is empty.";
        return NULL;
    }
    json_t *object = as_object(text, fields, n);
    if (!object) return from_lines(text, fields, n, arena, fault);
    json_t *answer = from_object(object, fields, n, arena, fault);
    json_decref(object);
    return answer;
}

json_t *pawl_answer_parse(struct pawl_str reply, const struct pawl_field *fields, size_t n,
                          struct pawl_arena *arena, const char **fault)
{
    PAWL_ASSERT(n > 0 && n <= PAWL_FIELDS_MAX + 1);
    json_t *answer = parse_answer(reply, fields, n, arena, fault);
    if (!answer || !pawl_json_is_deeper(answer, PAWL_JSON_GIVEN_DEPTH_MAX)) return answer;
    *fault = "The answer is nested too deeply.";
    json_decref(answer);
    return NULL;
}
