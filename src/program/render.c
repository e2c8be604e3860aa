#include "program/render.h"

static void add_choices(const struct pawl_field *field, struct pawl_buf *out)
{
    for (size_t i = 0; i < field->n_choices; i++) {
        if (i > 0) pawl_buf_add(out, ", ");
        pawl_buf_add_str(out, field->choices[i]);
    }
}

static const char *value_form(const struct pawl_field *field)
{
    switch (field->type) {
    case PAWL_FIELD_TEXT:
        return "text";
    case PAWL_FIELD_NUMBER:
        return "a number";
    case PAWL_FIELD_BOOLEAN:
        return "true or false";
    case PAWL_FIELD_LIST:
        return "a JSON list";
    case PAWL_FIELD_OBJECT:
        return "a JSON object";
    case PAWL_FIELD_CHOICES:
        return "one of ";
    }
    PAWL_BUG("field type %d", (int)field->type);
}

static void render_one_form(const struct pawl_field *field, struct pawl_buf *out)
{
    if (field->type == PAWL_FIELD_TEXT) {
        if (field->description)
            pawl_buf_printf(out, "Answer with the %s: %s.", field->name, field->description);
        return;
    }
    if (field->description) pawl_buf_printf(out, "%s: %s.\n", field->name, field->description);
    if (field->type == PAWL_FIELD_CHOICES) {
        pawl_buf_add(out, "Answer with exactly one of these and nothing else: ");
        add_choices(field, out);
    } else {
        pawl_buf_printf(out, "Answer with %s and nothing else", value_form(field));
    }
    pawl_buf_add(out, ".");
}

void pawl_render_form(const struct pawl_field *outputs, size_t n, struct pawl_buf *out)
{
    if (n == 1) {
        render_one_form(outputs, out);
        return;
    }
    pawl_buf_add(out, "Answer with these lines, in this order:");
    for (size_t i = 0; i < n; i++) {
        pawl_buf_printf(out, "\n%s: ", outputs[i].name);
        if (outputs[i].type != PAWL_FIELD_TEXT || !outputs[i].description)
            pawl_buf_add(out, value_form(&outputs[i]));
        if (outputs[i].type == PAWL_FIELD_CHOICES) add_choices(&outputs[i], out);
        if (outputs[i].description) {
            bool bare = outputs[i].type == PAWL_FIELD_TEXT;
            pawl_buf_printf(out, bare ? "%s" : " (%s)", outputs[i].description);
        }
    }
}

void pawl_render_task(const struct pawl_signature *signature, struct pawl_str instruction,
                      struct pawl_buf *out)
{
    pawl_buf_add_str(out, pawl_str_trim(instruction));
    bool described = false;
    for (size_t i = 0; i < signature->n_inputs; i++) {
        const struct pawl_field *field = &signature->inputs[i];
        if (!field->description) continue;
        if (!described && out->len > 0) pawl_buf_add(out, "\n");
        described = true;
        pawl_buf_printf(out, "%s%s: %s", out->len ? "\n" : "", field->name, field->description);
    }
}

void pawl_render_system(const struct pawl_signature *signature, struct pawl_str instruction,
                        struct pawl_buf *out)
{
    pawl_render_task(signature, instruction, out);
    struct pawl_buf form = PAWL_BUF(out->limit_bytes);
    pawl_render_form(signature->outputs, signature->n_outputs, &form);
    if (form.len > 0) {
        if (out->len > 0) pawl_buf_add(out, "\n\n");
        pawl_buf_add_str(out, pawl_buf_str(&form));
    }
    pawl_buf_release(&form);
}

static void render_value(const json_t *value, struct pawl_buf *out)
{
    if (json_is_string(value)) {
        pawl_buf_add_bytes(out, json_string_value(value), json_string_length(value));
    } else {
        pawl_json_write(value, out);
    }
}

void pawl_render_fields(const struct pawl_field *fields, size_t n, const json_t *object,
                        struct pawl_buf *out)
{
    bool first = true;
    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_object_get(object, fields[i].name);
        if (!value) continue;
        if (!first) pawl_buf_add(out, "\n");
        first = false;
        if (n > 1) pawl_buf_printf(out, "%s: ", fields[i].name);
        render_value(value, out);
    }
}
