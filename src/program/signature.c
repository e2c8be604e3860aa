#include "program/signature.h"

#include <ctype.h>
#include <strings.h>

static const char *const type_names[] = {"text", "number", "boolean", "list", "object", "choices"};
enum { N_WRITABLE_TYPES = PAWL_FIELD_CHOICES, NAME_BYTES_MAX = 64 };

const char *pawl_field_type_name(enum pawl_field_type type)
{
    return type_names[type];
}

/* The text, how far we are, and where to complain. */
struct parser {
    struct pawl_str text;
    size_t at;
    struct pawl_arena *arena;
    struct pawl_error *err;
};

static enum pawl_status wrong(struct parser *p, size_t at, const char *what, const char *hint)
{
    pawl_fail_at(p->err, PAWL_ECONFIG, NULL, 0, "signature",
                 "The signature is wrong at column %zu: %s.", at + 1, what);
    pawl_hint(p->err, "%s", hint);
    return PAWL_ECONFIG;
}

static void skip_space(struct parser *p)
{
    while (p->at < p->text.len && isspace((unsigned char)p->text.ptr[p->at])) p->at++;
}

static bool looking_at(const struct parser *p, const char *token)
{
    size_t n = strlen(token);
    return p->text.len - p->at >= n && memcmp(p->text.ptr + p->at, token, n) == 0;
}

static bool skip_token(struct parser *p, const char *token)
{
    skip_space(p);
    if (!looking_at(p, token)) return false;
    p->at += strlen(token);
    return true;
}

static bool is_name_byte(char c, bool first)
{
    return c == '_' || isalpha((unsigned char)c) || (!first && isdigit((unsigned char)c));
}

static enum pawl_status parse_name(struct parser *p, const char **name)
{
    skip_space(p);
    size_t start = p->at;
    while (p->at < p->text.len && is_name_byte(p->text.ptr[p->at], p->at == start)) p->at++;
    size_t len = p->at - start;
    if (len == 0) {
        return wrong(p, start, "a field name is expected here",
                     "Write names of letters, digits and _, e.g. `question -> answer`.");
    }
    if (len > NAME_BYTES_MAX)
        return wrong(p, start, "the field name is too long", "Use at most 64 letters.");
    *name = pawl_arena_copy(p->arena, (struct pawl_str){p->text.ptr + start, len}).ptr;
    return PAWL_OK;
}

/* One alternative: everything up to | , -> or the end. */
static struct pawl_str parse_choice(struct parser *p)
{
    size_t start = p->at;
    while (p->at < p->text.len && p->text.ptr[p->at] != '|' && p->text.ptr[p->at] != ',' &&
           !looking_at(p, "->"))
        p->at++;
    return pawl_str_trim((struct pawl_str){p->text.ptr + start, p->at - start});
}

static bool same_word(struct pawl_str a, struct pawl_str b)
{
    return a.len == b.len && strncasecmp(a.ptr, b.ptr, a.len) == 0;
}

static enum pawl_status parse_named_type(struct parser *p, size_t start, struct pawl_str word,
                                         struct pawl_field *field)
{
    for (int type = 0; type < N_WRITABLE_TYPES; type++) {
        if (!pawl_str_is(word, type_names[type])) continue;
        field->type = (enum pawl_field_type)type;
        return PAWL_OK;
    }
    const char *written = pawl_arena_copy(p->arena, word).ptr;
    const char *near = pawl_nearest_word(written, type_names, N_WRITABLE_TYPES);
    enum pawl_status status =
        wrong(p, start, pawl_arena_printf(p->arena, "there is no type \"%s\"", written), "");
    if (near)
        pawl_hint(p->err, "Did you mean \"%s\"? Choices are joined by |: `label: yes | no`.", near);
    else
        pawl_hint(p->err, "Types: text, number, boolean, list, object, or choices joined by |.");
    return status;
}

static enum pawl_status parse_choices(struct parser *p, struct pawl_str first,
                                      struct pawl_field *field)
{
    struct pawl_str *choices = PAWL_NEW_N(p->arena, struct pawl_str, PAWL_CHOICES_MAX);
    size_t n = 0, at = p->at;
    for (struct pawl_str next = first;; next = parse_choice(p)) {
        if (next.len == 0) return wrong(p, at, "a choice is empty", "Write `label: yes | no`.");
        if (n == PAWL_CHOICES_MAX)
            return wrong(p, at, "there are too many choices", "Use at most 512, or type text.");
        for (size_t i = 0; i < n; i++)
            if (same_word(choices[i], next))
                return wrong(p, at, "a choice is there twice", "Remove one of the two.");
        choices[n++] = pawl_arena_copy(p->arena, next);
        at = p->at;
        if (!skip_token(p, "|")) break;
        skip_space(p);
        at = p->at;
    }
    field->type = PAWL_FIELD_CHOICES;
    field->choices = choices;
    field->n_choices = n;
    return PAWL_OK;
}

static enum pawl_status parse_field(struct parser *p, struct pawl_field *field)
{
    *field = (struct pawl_field){0};
    PAWL_TRY(parse_name(p, &field->name));
    if (!skip_token(p, ":")) return PAWL_OK;
    skip_space(p);
    size_t start = p->at;
    struct pawl_str first = parse_choice(p);
    if (p->at < p->text.len && p->text.ptr[p->at] == '|') return parse_choices(p, first, field);
    if (first.len == 0)
        return wrong(p, start, "a type is expected after the colon",
                     "Types: text, number, boolean, list, object, or choices joined by |.");
    return parse_named_type(p, start, first, field);
}

static enum pawl_status parse_fields(struct parser *p, struct pawl_field **fields, size_t *n)
{
    *fields = PAWL_NEW_N(p->arena, struct pawl_field, PAWL_FIELDS_MAX);
    *n = 0;
    do {
        if (*n == PAWL_FIELDS_MAX)
            return wrong(p, p->at, "there are too many fields", "Use at most 32 on each side.");
        PAWL_TRY(parse_field(p, &(*fields)[(*n)++]));
    } while (skip_token(p, ","));
    return PAWL_OK;
}

static struct pawl_field *find_field(const struct pawl_signature *s, const char *name)
{
    for (size_t i = 0; i < s->n_inputs; i++)
        if (strcmp(s->inputs[i].name, name) == 0) return &s->inputs[i];
    for (size_t i = 0; i < s->n_outputs; i++)
        if (strcmp(s->outputs[i].name, name) == 0) return &s->outputs[i];
    return NULL;
}

/* Names differ without regard to case, because answers are read without regard to it. */
static enum pawl_status check_names(struct parser *p, const struct pawl_signature *s)
{
    for (size_t i = 0; i < s->n_inputs + s->n_outputs; i++) {
        for (size_t j = 0; j < i; j++) {
            const char *a = i < s->n_inputs ? s->inputs[i].name : s->outputs[i - s->n_inputs].name;
            const char *b = j < s->n_inputs ? s->inputs[j].name : s->outputs[j - s->n_inputs].name;
            if (strcasecmp(a, b) != 0) continue;
            return wrong(p, 0, pawl_arena_printf(p->arena, "the field \"%s\" is there twice", a),
                         "Give every field its own name.");
        }
    }
    return PAWL_OK;
}

enum pawl_status pawl_signature_parse(struct pawl_str text, struct pawl_arena *arena,
                                      struct pawl_signature *signature, struct pawl_error *err)
{
    struct parser p = {.text = text, .arena = arena, .err = err};
    if (text.len > PAWL_SIGNATURE_BYTES_MAX)
        return wrong(&p, 0, "it is longer than 16 KiB", "Put long texts into the instruction.");
    if (!pawl_utf8_is_valid(text, NULL))
        return wrong(&p, 0, "it is not valid UTF-8", "Save the file as UTF-8.");
    if (text.len > 0 && memchr(text.ptr, '\0', text.len))
        return wrong(&p, 0, "it holds a NUL byte", "Write it as text.");
    PAWL_TRY(parse_fields(&p, &signature->inputs, &signature->n_inputs));
    if (!skip_token(&p, "->")) {
        return wrong(&p, p.at, "`->` is expected between inputs and outputs",
                     "Write `question -> answer`.");
    }
    PAWL_TRY(parse_fields(&p, &signature->outputs, &signature->n_outputs));
    skip_space(&p);
    if (p.at < text.len)
        return wrong(&p, p.at, "this does not belong here", "Fields are separated by commas.");
    return check_names(&p, signature);
}

enum pawl_status pawl_signature_describe(struct pawl_signature *signature,
                                         const json_t *descriptions, struct pawl_arena *arena,
                                         struct pawl_error *err)
{
    const char *name;
    json_t *text;
    if (descriptions && !json_is_object(descriptions)) {
        pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "fields",
                     "The descriptions of fields are no map.");
        pawl_hint(err, "Write `fields: {review: \"a sentence from a customer\"}`.");
        return PAWL_ECONFIG;
    }
    json_object_foreach((json_t *)(uintptr_t)descriptions, name, text)
    {
        struct pawl_field *field = find_field(signature, name);
        if (field && json_is_string(text)) {
            field->description = pawl_arena_strdup(arena, json_string_value(text));
            continue;
        }
        const char *path = pawl_arena_printf(arena, "fields.%s", name);
        pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, path,
                     field ? "The description of \"%s\" is not a text."
                           : "The signature has no field \"%s\".",
                     name);
        pawl_hint(err, "Describe fields of the signature by a sentence each.");
        return PAWL_ECONFIG;
    }
    return PAWL_OK;
}

enum pawl_status pawl_signature_extend(struct pawl_signature *signature, const char *const *extra,
                                       struct pawl_arena *arena, struct pawl_error *err)
{
    size_t n = 0;
    while (extra && extra[n]) n++;
    if (n == 0) return PAWL_OK;
    struct pawl_field *outputs = PAWL_NEW_N(arena, struct pawl_field, n + signature->n_outputs);
    for (size_t i = 0; i < n; i++)
        outputs[i] =
            (struct pawl_field){.name = extra[i], .description = "step by step, before the answer"};
    memcpy(outputs + n, signature->outputs, signature->n_outputs * sizeof *outputs);
    signature->outputs = outputs;
    signature->n_outputs += n;
    struct parser p = {.arena = arena, .err = err};
    return check_names(&p, signature);
}
