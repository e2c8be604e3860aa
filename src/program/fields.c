#include "program/fields.h"

json_t *pawl_fields_of(const json_t *value, const struct pawl_field *fields, size_t n)
{
    json_t *borrowed = (json_t *)(uintptr_t)value;
    if (!value || json_is_null(value)) return NULL;
    json_t *object = json_object();
    bool whole = !json_is_object(value) || (n == 1 && fields->type == PAWL_FIELD_OBJECT &&
                                            !json_object_get(value, fields->name));
    if (whole) {
        pawl_json_set(object, fields->name, json_incref(borrowed));
        return object;
    }
    for (size_t i = 0; i < n; i++) {
        json_t *field = json_object_get(value, fields[i].name);
        if (!field) {
            json_decref(object);
            return NULL;
        }
        pawl_json_set(object, fields[i].name, json_incref(field));
    }
    return object;
}

json_t *pawl_fields_of_input(const json_t *input, const struct pawl_signature *signature)
{
    const json_t *messages = json_object_get(input, "messages");
    bool conversation = json_is_array(messages) && signature->n_inputs == 1 &&
                        !json_object_get(input, signature->inputs->name);
    const json_t *value = conversation ? messages : input;
    if (!json_is_object(value) && signature->n_inputs > 1) return NULL;
    return pawl_fields_of(value, signature->inputs, signature->n_inputs);
}

json_t *pawl_fields_names(const struct pawl_field *fields, size_t n)
{
    json_t *names = json_array();
    for (size_t i = 0; i < n; i++) json_array_append_new(names, json_string(fields[i].name));
    return names;
}

json_t *pawl_fields_types(const struct pawl_field *fields, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        json_t *field = json_object();
        pawl_json_set(field, "name", json_string(fields[i].name));
        pawl_json_set(field, "type", json_string(pawl_field_type_name(fields[i].type)));
        if (fields[i].n_choices) {
            json_t *choices = json_array();
            for (size_t k = 0; k < fields[i].n_choices; k++)
                json_array_append_new(choices, pawl_json_string(fields[i].choices[k]));
            pawl_json_set(field, "choices", choices);
        }
        json_array_append_new(list, field);
    }
    return list;
}
