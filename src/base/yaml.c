#include "base/yaml.h"

#include "base/arena.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <yaml.h>

enum { LIMIT_BYTES = 1 << 20, DEPTH_MAX = 64 };

/* One field: its own name (a key, or an index as text), and the field it stands in. A parent comes
 * before its children. The root is field 0, without a name. */
struct field {
    const char *name;
    size_t parent;
    int line, column;
};

struct pawl_yaml_places {
    struct pawl_arena arena;
    char *file;
    struct field *fields;
    size_t n, capacity;
};

struct reader {
    yaml_parser_t yaml;
    struct pawl_str text;
    struct pawl_yaml_places *places;
    struct pawl_error *err;
    int depth;
};

static size_t add_field(struct pawl_yaml_places *places, const char *name, size_t parent,
                        yaml_mark_t mark)
{
    if (places->n == places->capacity) {
        places->capacity = places->capacity ? places->capacity * 2 : 64;
        places->fields = pawl_xrealloc(places->fields, places->capacity * sizeof *places->fields);
    }
    places->fields[places->n] =
        (struct field){name, parent, (int)mark.line + 1, (int)mark.column + 1};
    return places->n++;
}

/* The path of a field as far as it fits. */
static void write_path(const struct pawl_yaml_places *places, size_t at, struct pawl_buf *out)
{
    if (at == 0) return;
    write_path(places, places->fields[at].parent, out);
    if (out->len > 0) pawl_buf_add(out, ".");
    pawl_buf_add(out, places->fields[at].name);
}

static enum pawl_status fail(struct reader *r, yaml_mark_t mark, size_t field, const char *message,
                             const char *hint)
{
    struct pawl_buf path = PAWL_BUF(sizeof r->err->field - 1);
    if (field < r->places->n) write_path(r->places, field, &path);
    pawl_fail_at(r->err, PAWL_ECONFIG, r->places->file, (int)mark.line + 1, pawl_buf_str(&path).ptr,
                 "%s", message);
    if (r->err) r->err->column = (int)mark.column + 1;
    pawl_hint(r->err, "%s", hint);
    pawl_buf_release(&path);
    return PAWL_ECONFIG;
}

/* True when the line at `mark` is indented with a tab, the commonest reason for a syntax error. */
static bool has_tab_indent(struct pawl_str text, size_t line)
{
    struct pawl_str part;
    for (size_t i = 0; pawl_str_split(&text, '\n', &part); i++)
        if (i == line)
            for (size_t j = 0; j < part.len && isspace((unsigned char)part.ptr[j]); j++)
                if (part.ptr[j] == '\t') return true;
    return false;
}

static enum pawl_status fail_syntax(struct reader *r)
{
    char message[256];
    yaml_mark_t mark = r->yaml.problem_mark;
    const char *problem = r->yaml.problem ? r->yaml.problem : "out of memory";
    if (r->yaml.error == YAML_READER_ERROR) {
        for (size_t i = 0; i < r->yaml.problem_offset && i < r->text.len; i++)
            mark.line += r->text.ptr[i] == '\n';
        snprintf(message, sizeof message, "The file is not UTF-8 text: %s.", problem);
        return fail(r, mark, 0, message, "Save the file as UTF-8.");
    }
    if (has_tab_indent(r->text, mark.line))
        return fail(r, mark, 0, "The line is indented with a tab.",
                    "Indent with spaces: YAML does not allow tabs.");
    snprintf(message, sizeof message, "The YAML is not valid: %s%s%s.",
             r->yaml.context ? r->yaml.context : "", r->yaml.context ? ", " : "", problem);
    return fail(r, mark, 0, message, "Correct the text at this place.");
}

static enum pawl_status next(struct reader *r, yaml_event_t *event)
{
    return yaml_parser_parse(&r->yaml, event) ? PAWL_OK : fail_syntax(r);
}

static enum pawl_status refuse_extras(struct reader *r, const yaml_event_t *event, size_t field)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        anchor = event->data.alias.anchor;
        break;
    case YAML_SCALAR_EVENT:
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
        break;
    default:
        break;
    }
    if (anchor)
        return fail(r, event->start_mark, field, "Anchors (&) and aliases (*) are not allowed.",
                    "Write the value out, or quote a text that begins with & or *.");
    if (tag)
        return fail(r, event->start_mark, field, "Tags (!) are not allowed.",
                    "Leave the tag out, or quote a text that begins with !.");
    return PAWL_OK;
}

static bool is_one_of(const char *text, const char *const words[])
{
    for (; *words; words++)
        if (strcmp(text, *words) == 0) return true;
    return false;
}

/* YAML 1.2, 10.3.2: [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static bool is_number(const char *p, bool *whole)
{
    *whole = true;
    if (*p == '-' || *p == '+') p++;
    size_t before = strspn(p, "0123456789"), after = 0;
    p += before;
    if (*p == '.') {
        *whole = false;
        after = strspn(++p, "0123456789");
        p += after;
    }
    if (before + after == 0) return false;
    if (*p == 'e' || *p == 'E') {
        *whole = false;
        p++;
        if (*p == '-' || *p == '+') p++;
        if (!isdigit((unsigned char)*p)) return false;
        p += strspn(p, "0123456789");
    }
    return *p == '\0';
}

/* The base of 0x1F or 0o17, or 0. */
static int based(const char *text)
{
    if (text[0] != '0') return 0;
    if (text[1] == 'x' && text[2] && text[2 + strspn(text + 2, "0123456789abcdefABCDEF")] == '\0')
        return 16;
    if (text[1] == 'o' && text[2] && text[2 + strspn(text + 2, "01234567")] == '\0') return 8;
    return 0;
}

/* A plain scalar by the core schema: null, bool, int, float, or else a string. */
static enum pawl_status read_plain(struct reader *r, const yaml_event_t *event, size_t field,
                                   json_t **out)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const trues[] = {"true", "True", "TRUE", NULL};
    static const char *const falses[] = {"false", "False", "FALSE", NULL};
    static const char *const not_finite[] = {".inf",  ".Inf",  ".INF",  "+.inf", "+.Inf",
                                             "+.INF", "-.inf", "-.Inf", "-.INF", ".nan",
                                             ".NaN",  ".NAN",  NULL};
    const char *text = (const char *)event->data.scalar.value;
    bool whole = true;
    int base = based(text);
    if (is_one_of(text, nulls)) {
        *out = json_null();
    } else if (is_one_of(text, trues) || is_one_of(text, falses)) {
        *out = json_boolean(is_one_of(text, trues));
    } else if (is_one_of(text, not_finite)) {
        return fail(r, event->start_mark, field, "Infinity and not-a-number are not allowed.",
                    "Give a finite number.");
    } else if (base || is_number(text, &whole)) {
        errno = 0;
        long long integer = base ? strtoll(text + 2, NULL, base) : strtoll(text, NULL, 10);
        double real = strtod(text, NULL);
        if (whole ? errno == ERANGE : !isfinite(real))
            return fail(r, event->start_mark, field, "The number is too large.",
                        "Give a smaller number, or quote it if it is a text.");
        *out = whole ? json_integer(integer) : json_real(real);
    } else {
        *out = json_string(text);
    }
    return PAWL_OK;
}

static enum pawl_status read_scalar(struct reader *r, const yaml_event_t *event, size_t field,
                                    json_t **out)
{
    if (memchr(event->data.scalar.value, '\0', event->data.scalar.length))
        return fail(r, event->start_mark, field, "The text holds the character U+0000.",
                    "Leave it out.");
    if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
        return read_plain(r, event, field, out);
    *out = json_stringn((const char *)event->data.scalar.value, event->data.scalar.length);
    if (*out) return PAWL_OK;
    return fail(r, event->start_mark, field, "The text is not valid Unicode.",
                "Correct its escapes: \\u must name a character, not half of one.");
}

static enum pawl_status read_node(struct reader *r, const yaml_event_t *event, size_t field,
                                  json_t **out);

static enum pawl_status read_sequence(struct reader *r, size_t field, json_t *array)
{
    for (;;) {
        yaml_event_t event;
        PAWL_TRY(next(r, &event));
        enum pawl_status status = PAWL_OK;
        bool end = event.type == YAML_SEQUENCE_END_EVENT;
        if (!end) {
            json_t *item = NULL;
            const char *name = pawl_arena_printf(&r->places->arena, "%zu", json_array_size(array));
            size_t child = add_field(r->places, name, field, event.start_mark);
            status = read_node(r, &event, child, &item);
            if (status == PAWL_OK) json_array_append_new(array, item);
        }
        yaml_event_delete(&event);
        if (end || status != PAWL_OK) return status;
    }
}

/* The key of a member: refuses what is no plain name, and a name that is already there. */
static enum pawl_status read_key(struct reader *r, const yaml_event_t *event, size_t field,
                                 const json_t *object, size_t *child)
{
    PAWL_TRY(refuse_extras(r, event, field));
    const char *key = (const char *)event->data.scalar.value;
    if (event->type != YAML_SCALAR_EVENT || *key == '\0' ||
        strlen(key) != event->data.scalar.length || !pawl_utf8_is_valid(pawl_str_of(key), NULL))
        return fail(r, event->start_mark, field, "A key must be a plain, non-empty text.",
                    "Write `key: value`; quote a text that begins with { or [.");
    *child =
        add_field(r->places, pawl_arena_strdup(&r->places->arena, key), field, event->start_mark);
    if (json_object_get(object, key)) {
        char message[128];
        snprintf(message, sizeof message, "The key \"%.64s\" appears twice.", key);
        return fail(r, event->start_mark, *child, message, "Keep one of them.");
    }
    return PAWL_OK;
}

static enum pawl_status read_mapping(struct reader *r, size_t field, json_t *object)
{
    for (;;) {
        yaml_event_t event;
        PAWL_TRY(next(r, &event));
        size_t child = 0;
        enum pawl_status status = PAWL_OK;
        bool end = event.type == YAML_MAPPING_END_EVENT;
        if (!end) status = read_key(r, &event, field, object, &child);
        yaml_event_delete(&event);
        if (end || status != PAWL_OK) return status;

        json_t *value = NULL;
        PAWL_TRY(next(r, &event));
        status = read_node(r, &event, child, &value);
        yaml_event_delete(&event);
        PAWL_TRY(status);
        pawl_json_set(object, r->places->fields[child].name, value);
    }
}

static enum pawl_status read_node(struct reader *r, const yaml_event_t *event, size_t field,
                                  json_t **out)
{
    PAWL_TRY(refuse_extras(r, event, field));
    if (event->type == YAML_SCALAR_EVENT) return read_scalar(r, event, field, out);
    if (r->depth == DEPTH_MAX)
        return fail(r, event->start_mark, field, "The YAML is nested more than 64 levels deep.",
                    "Make it flatter.");
    bool mapping = event->type == YAML_MAPPING_START_EVENT;
    json_t *collection = mapping ? json_object() : json_array();
    r->depth++;
    enum pawl_status status =
        mapping ? read_mapping(r, field, collection) : read_sequence(r, field, collection);
    r->depth--;
    if (status == PAWL_OK)
        *out = collection;
    else
        json_decref(collection);
    return status;
}

/* The stream: exactly one document. */
static enum pawl_status read_stream(struct reader *r, json_t **out)
{
    enum pawl_status status = PAWL_OK;
    bool ended = false;
    while (status == PAWL_OK && !ended) {
        yaml_event_t event;
        PAWL_TRY(next(r, &event));
        switch (event.type) {
        case YAML_STREAM_START_EVENT:
        case YAML_DOCUMENT_END_EVENT:
            break;
        case YAML_DOCUMENT_START_EVENT:
            if (*out)
                status = fail(r, event.start_mark, 0, "The file holds more than one document.",
                              "Keep one; remove the line `---` and what follows.");
            break;
        case YAML_STREAM_END_EVENT:
            ended = true;
            if (!*out)
                status = fail(r, event.start_mark, 0, "The file is empty.",
                              "Write at least one `key: value`.");
            break;
        default:
            add_field(r->places, "", 0, event.start_mark);
            status = read_node(r, &event, 0, out);
        }
        yaml_event_delete(&event);
    }
    return status;
}

enum pawl_status pawl_yaml_parse(struct pawl_str text, const char *file, json_t **out,
                                 struct pawl_yaml_places **places, struct pawl_error *err)
{
    *out = NULL;
    *places = NULL;
    if (text.len > LIMIT_BYTES)
        return pawl_fail_at(err, PAWL_ETOOBIG, file, 0, NULL,
                            "The file has %zu bytes, more than %d.", text.len, LIMIT_BYTES);
    struct reader r = {.text = text, .err = err};
    r.places = pawl_xcalloc(1, sizeof *r.places);
    r.places->file = pawl_xstrdup(file ? file : "");
    if (!yaml_parser_initialize(&r.yaml)) PAWL_BUG("libyaml does not start");
    yaml_parser_set_encoding(&r.yaml, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.yaml, (const unsigned char *)(text.ptr ? text.ptr : ""),
                                 text.len);
    enum pawl_status status = read_stream(&r, out);
    yaml_parser_delete(&r.yaml);
    if (status == PAWL_OK) {
        *places = r.places;
    } else {
        pawl_yaml_places_free(r.places);
        json_decref(*out);
        *out = NULL;
    }
    return status;
}

/* How much of `path` the field's own name uses after `from`, with its dot; 0 when it differs. */
static size_t match_name(const char *path, size_t from, const char *name)
{
    size_t len = strlen(name), dot = from > 0;
    if (dot && path[from] != '.') return 0;
    if (strncmp(path + from + dot, name, len) != 0) return 0;
    char after = path[from + dot + len];
    return after == '.' || after == '\0' ? dot + len : 0;
}

void pawl_yaml_locate(const struct pawl_yaml_places *places, struct pawl_error *err)
{
    if (!places || !err) return;
    snprintf(err->file, sizeof err->file, "%s", places->file);
    /* matched[i]: how much of the path field i covers; NONE when it is not on the way. */
    const size_t none = SIZE_MAX;
    size_t *matched = pawl_xcalloc(places->n, sizeof *matched), best = 0;
    for (size_t i = 1; i < places->n; i++) {
        size_t parent = matched[places->fields[i].parent];
        size_t used = parent == none ? 0 : match_name(err->field, parent, places->fields[i].name);
        matched[i] = used ? parent + used : none;
        if (used && matched[i] > matched[best]) best = i;
    }
    err->line = places->fields[best].line;
    err->column = places->fields[best].column;
    free(matched);
}

void pawl_yaml_places_free(struct pawl_yaml_places *places)
{
    if (!places) return;
    pawl_arena_release(&places->arena);
    free(places->fields);
    free(places->file);
    free(places);
}
