#include "lm/llama_schema.h"

#include <inttypes.h>
#include <string.h>

/* The leaves; a value of a schema becomes an expression in round brackets. */
static const char leaves[] =
    "char ::= [^\"\\\\\\x00-\\x1F\\x7F] | \"\\\\\" ([\"\\\\/bfnrt] | \"u\" unit)\n"
    "unit ::= [0-9a-ce-fA-CE-F] hex hex hex | [dD] [0-7] hex hex\n" /* no half of a pair */
    "hex ::= [0-9a-fA-F]\n"
    "integer ::= \"-\"? (\"0\" | [1-9] [0-9]{0,14})\n"
    "number ::= integer (\".\" [0-9]{1,15})? ([eE] [-+]? [0-9]{1,3})?\n"
    "boolean ::= \"true\" | \"false\"\n"
    "null ::= \"null\"\n"
    "comma ::= \",\" \" \"?\n"
    "colon ::= \":\" \" \"?\n";

struct writer {
    struct pawl_buf *out;
    struct pawl_error *err;
    const char *place[PAWL_LLAMA_SCHEMA_DEPTH]; /* property names on the way down */
    size_t depth;
};

static enum pawl_status write_value(struct writer *writer, const json_t *schema);

static enum pawl_status refuse(struct writer *writer, const char *what, const char *name)
{
    struct pawl_buf field = PAWL_BUF(200);
    pawl_buf_add(&field, "schema");
    for (size_t i = 0; i + 1 < writer->depth; i++)
        pawl_buf_printf(&field, ".%.30s", writer->place[i] ? writer->place[i] : "[]");
    pawl_fail_at(writer->err, PAWL_ECONFIG, NULL, 0, field.data, "The schema %s%s%.60s%s.", what,
                 name ? " \"" : "", name ? name : "", name ? "\"" : "");
    pawl_hint(writer->err, "See the table of what a schema may say in src/lm/llama_schema.h.");
    pawl_buf_release(&field);
    return PAWL_ECONFIG;
}

/* Every key is one that this kind of value knows, or an annotation. */
static enum pawl_status check_keys(struct writer *writer, const json_t *schema,
                                   const char *const *known)
{
    static const char *const annotations[] = {
        "title", "description", "default", "examples", "$schema", "$id", "$comment", "type", NULL};
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)schema, key, value)
    {
        bool good = false;
        for (size_t i = 0; annotations[i] && !good; i++) good = strcmp(key, annotations[i]) == 0;
        for (size_t i = 0; known && known[i] && !good; i++) good = strcmp(key, known[i]) == 0;
        if (!good) return refuse(writer, "says what cannot be held:", key);
    }
    return PAWL_OK;
}

static bool holds_text(const json_t *list, const char *text)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
    {
        if (json_is_string(item) && strcmp(json_string_value(item), text) == 0) return true;
    }
    return false;
}

/* `type` is a name, a list of names, or absent. */
static bool has_type(const json_t *value, const json_t *type)
{
    static const char *const names[] = {
        [JSON_STRING] = "string", [JSON_INTEGER] = "integer", [JSON_REAL] = "number",
        [JSON_TRUE] = "boolean",  [JSON_FALSE] = "boolean",   [JSON_NULL] = "null",
        [JSON_OBJECT] = "object", [JSON_ARRAY] = "array"};
    const char *name = names[json_typeof(value)];
    if (!type) return true;
    if (json_is_array(type))
        return holds_text(type, name) || (json_is_integer(value) && holds_text(type, "number"));
    const char *wanted = json_is_string(type) ? json_string_value(type) : "";
    return strcmp(wanted, name) == 0 || (json_is_integer(value) && strcmp(wanted, "number") == 0);
}

/* A literal of the grammar: the text between quotes, byte by byte where it must be. */
static void write_literal(struct writer *writer, struct pawl_str text)
{
    pawl_buf_add(writer->out, "\"");
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.ptr[i];
        if (byte == '"' || byte == '\\')
            pawl_buf_printf(writer->out, "\\%c", byte);
        else if (byte < 0x20 || byte == 0x7f)
            pawl_buf_printf(writer->out, "\\x%02X", byte);
        else
            pawl_buf_add_bytes(writer->out, &byte, 1);
    }
    pawl_buf_add(writer->out, "\"");
}

static enum pawl_status write_constant(struct writer *writer, const json_t *schema,
                                       const json_t *value)
{
    if (!has_type(value, json_object_get(schema, "type")))
        return refuse(writer, "has a constant of another type", NULL);
    if (json_is_object(value) || json_is_array(value) || json_is_real(value))
        return refuse(writer, "has a constant that is no string, integer, boolean or null", NULL);
    struct pawl_buf text = PAWL_BUF(PAWL_LLAMA_GRAMMAR_MAX);
    pawl_json_write(value, &text);
    write_literal(writer, pawl_buf_str(&text));
    pawl_buf_release(&text);
    return PAWL_OK;
}

/* A bound; `otherwise` where it is absent. */
static enum pawl_status read_bound(struct writer *writer, const json_t *schema, const char *key,
                                   int64_t otherwise, int64_t *bound)
{
    const json_t *value = json_object_get(schema, key);
    *bound = value ? json_integer_value(value) : otherwise;
    if (value && (!json_is_integer(value) || *bound < 0 || *bound > PAWL_LLAMA_REPEAT_MAX))
        return refuse(writer, "has a bound that is no number from 0 to 1000:", key);
    return PAWL_OK;
}

static void write_repeat(struct writer *writer, int64_t least, int64_t most)
{
    if (most < 0)
        pawl_buf_printf(writer->out, "{%" PRId64 ",}", least);
    else
        pawl_buf_printf(writer->out, "{%" PRId64 ",%" PRId64 "}", least, most);
}

static enum pawl_status read_range(struct writer *writer, const json_t *schema, const char *low,
                                   const char *high, int64_t *least, int64_t *most)
{
    PAWL_TRY(read_bound(writer, schema, low, 0, least));
    PAWL_TRY(read_bound(writer, schema, high, -1, most));
    if (*most >= 0 && *most < *least) return refuse(writer, "has no value: see", high);
    return PAWL_OK;
}

static enum pawl_status write_string(struct writer *writer, const json_t *schema)
{
    static const char *const known[] = {"minLength", "maxLength", NULL};
    int64_t least, most;
    PAWL_TRY(check_keys(writer, schema, known));
    PAWL_TRY(read_range(writer, schema, known[0], known[1], &least, &most));
    pawl_buf_add(writer->out, "\"\\\"\" ");
    if (most != 0) {
        pawl_buf_add(writer->out, "char");
        write_repeat(writer, least, most);
    }
    pawl_buf_add(writer->out, " \"\\\"\"");
    return PAWL_OK;
}

static enum pawl_status write_array(struct writer *writer, const json_t *schema)
{
    static const char *const known[] = {"minItems", "maxItems", "items", NULL};
    int64_t least, most;
    PAWL_TRY(check_keys(writer, schema, known));
    PAWL_TRY(read_range(writer, schema, known[0], known[1], &least, &most));
    const json_t *items = json_object_get(schema, "items");
    if (most != 0 && !items) return refuse(writer, "has an array without items", NULL);
    pawl_buf_add(writer->out, "\"[\" ");
    if (most != 0) {
        pawl_buf_add(writer->out, "(");
        PAWL_TRY(write_value(writer, items));
        if (most != 1) {
            pawl_buf_add(writer->out, " (comma ");
            PAWL_TRY(write_value(writer, items));
            pawl_buf_add(writer->out, ")");
            write_repeat(writer, least > 1 ? least - 1 : 0, most > 0 ? most - 1 : -1);
        }
        pawl_buf_add(writer->out, least > 0 ? ") " : ")? ");
    }
    pawl_buf_add(writer->out, "\"]\"");
    return PAWL_OK;
}

static enum pawl_status check_object(struct writer *writer, const json_t *schema)
{
    static const char *const known[] = {"properties", "required", "additionalProperties", NULL};
    PAWL_TRY(check_keys(writer, schema, known));
    const json_t *properties = json_object_get(schema, "properties");
    const json_t *required = json_object_get(schema, "required");
    const json_t *more = json_object_get(schema, "additionalProperties");
    if (!json_is_object(properties))
        return refuse(writer, "has an object without properties", NULL);
    if (more && !json_is_false(more))
        return refuse(writer, "says what cannot be held:", "additionalProperties");
    if (required && !json_is_array(required)) return refuse(writer, "has a wrong", "required");
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)properties, name, value)
    {
        if (required && !holds_text(required, name))
            return refuse(writer, "does not require its property", name);
    }
    if (required && json_array_size(required) != json_object_size(properties))
        return refuse(writer, "requires more than its properties", NULL);
    return PAWL_OK;
}

static enum pawl_status write_object(struct writer *writer, const json_t *schema)
{
    PAWL_TRY(check_object(writer, schema));
    const json_t *properties = json_object_get(schema, "properties");
    pawl_buf_add(writer->out, "\"{\"");
    const char *name;
    json_t *value;
    bool first = true;
    json_object_foreach((json_t *)(uintptr_t)properties, name, value)
    {
        if (!first) pawl_buf_add(writer->out, " comma");
        first = false;
        struct pawl_buf key = PAWL_BUF(PAWL_LLAMA_GRAMMAR_MAX);
        pawl_json_write_string(pawl_str_of(name), &key);
        pawl_buf_add(writer->out, " ");
        write_literal(writer, pawl_buf_str(&key));
        pawl_buf_release(&key);
        pawl_buf_add(writer->out, " colon ");
        writer->place[writer->depth - 1] = name;
        PAWL_TRY(write_value(writer, value));
    }
    writer->place[writer->depth - 1] = NULL;
    pawl_buf_add(writer->out, " \"}\"");
    return PAWL_OK;
}

static enum pawl_status write_typed(struct writer *writer, const json_t *schema, const char *type)
{
    static const char *const leaf[] = {"integer", "number", "boolean", "null"};
    if (strcmp(type, "object") == 0) return write_object(writer, schema);
    if (strcmp(type, "array") == 0) return write_array(writer, schema);
    if (strcmp(type, "string") == 0) return write_string(writer, schema);
    for (size_t i = 0; i < sizeof leaf / sizeof *leaf; i++) {
        if (strcmp(type, leaf[i]) != 0) continue;
        pawl_buf_add(writer->out, leaf[i]);
        return check_keys(writer, schema, NULL);
    }
    return refuse(writer, "has an unknown type", type);
}

/* One of several: constants, schemas, or types that say nothing more. */
static enum pawl_status write_one_of(struct writer *writer, const json_t *schema, const char *key,
                                     const json_t *list)
{
    const char *const known[] = {key, NULL};
    PAWL_TRY(check_keys(writer, schema, known));
    if (json_array_size(list) == 0) return refuse(writer, "needs a list that is not empty:", key);
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
    {
        if (i > 0) pawl_buf_add(writer->out, " | ");
        if (strcmp(key, "enum") == 0)
            PAWL_TRY(write_constant(writer, schema, item));
        else if (strcmp(key, "anyOf") == 0)
            PAWL_TRY(write_value(writer, item));
        else if (json_is_string(item))
            PAWL_TRY(write_typed(writer, schema, json_string_value(item)));
        else
            return refuse(writer, "has a type that is no name", NULL);
    }
    return PAWL_OK;
}

static enum pawl_status write_alternatives(struct writer *writer, const json_t *schema)
{
    static const char *const lists[] = {"enum", "anyOf"};
    for (size_t i = 0; i < 2; i++) {
        const json_t *list = json_object_get(schema, lists[i]);
        if (list) return write_one_of(writer, schema, lists[i], list);
    }
    const json_t *constant = json_object_get(schema, "const");
    const json_t *type = json_object_get(schema, "type");
    if (constant) {
        static const char *const known[] = {"const", NULL};
        PAWL_TRY(check_keys(writer, schema, known));
        return write_constant(writer, schema, constant);
    }
    if (json_is_array(type)) return write_one_of(writer, schema, "type", type);
    if (!json_is_string(type)) return refuse(writer, "does not say its type", NULL);
    return write_typed(writer, schema, json_string_value(type));
}

static enum pawl_status write_value(struct writer *writer, const json_t *schema)
{
    if (!json_is_object(schema)) return refuse(writer, "is no object", NULL);
    if (writer->depth == PAWL_LLAMA_SCHEMA_DEPTH) return refuse(writer, "is too deep", NULL);
    writer->place[writer->depth++] = NULL;
    pawl_buf_add(writer->out, "(");
    enum pawl_status status = write_alternatives(writer, schema);
    pawl_buf_add(writer->out, ")");
    if (status == PAWL_OK) writer->depth--; /* else the place is in the error */
    return status;
}

enum pawl_status pawl_llama_schema_grammar(const json_t *schema, struct pawl_buf *gbnf,
                                           struct pawl_error *err)
{
    struct writer writer = {.out = gbnf, .err = err};
    pawl_buf_add(gbnf, "root ::= ");
    PAWL_TRY(write_value(&writer, schema));
    pawl_buf_add(gbnf, "\n");
    pawl_buf_add(gbnf, leaves);
    if (gbnf->overflowed) {
        writer.depth = 0;
        return refuse(&writer, "is too large", NULL);
    }
    return PAWL_OK;
}
