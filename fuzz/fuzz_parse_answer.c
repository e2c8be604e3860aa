/* The first line is a signature, the rest a model's reply: every field with its type, or a fault. */
#include "fuzz.h"

#include "program/answer.h"

static void check_field(const struct pawl_field *field, const json_t *value)
{
    PAWL_ASSERT(value);
    if (field->type == PAWL_FIELD_NUMBER) PAWL_ASSERT(json_is_number(value));
    if (field->type == PAWL_FIELD_BOOLEAN) PAWL_ASSERT(json_is_boolean(value));
    if (field->type == PAWL_FIELD_LIST) PAWL_ASSERT(json_is_array(value));
    if (field->type == PAWL_FIELD_OBJECT) PAWL_ASSERT(json_is_object(value));
    if (field->type != PAWL_FIELD_CHOICES) return;
    bool found = false;
    for (size_t i = 0; i < field->n_choices; i++)
        found = found || pawl_str_eq(field->choices[i], pawl_str_of(json_string_value(value)));
    PAWL_ASSERT(found);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct pawl_arena arena = {0};
    struct pawl_signature s;
    struct pawl_str reply = {(const char *)bytes, n_bytes}, line;
    /* A reply is valid UTF-8 before it is parsed: lm.h. */
    if (pawl_utf8_is_valid(reply, NULL) && pawl_str_split(&reply, '\n', &line) &&
        pawl_signature_parse(line, &arena, &s, NULL) == PAWL_OK) {
        const char *fault = NULL;
        json_t *answer = pawl_answer_parse(reply, s.outputs, s.n_outputs, &arena, &fault);
        PAWL_ASSERT(answer || fault);
        for (size_t i = 0; answer && i < s.n_outputs; i++)
            check_field(&s.outputs[i], json_object_get(answer, s.outputs[i].name));
        json_decref(answer);
    }
    pawl_arena_release(&arena);
    return 0;
}
