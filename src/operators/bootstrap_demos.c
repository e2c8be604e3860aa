#include "operators/bootstrap_demos.h"

#include <strings.h>

/* --- fields ------------------------------------------------------------------------------------ */

/* A field is written as its name, or as an object with a name. */
static const char *field_name(const json_t *field)
{
    const char *name = json_string_value(field);
    return name != NULL ? name : pawl_json_get_text(field, "name", "");
}

static void add_names(const json_t *list, const char **names, size_t *n)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        names[(*n)++] = field_name(json_array_get(list, i));
}

/* Two fields with choices leave nothing to balance or calibrate by: then there is none. */
static void find_choices(const json_t *outputs, struct pawl_arena *arena,
                         struct pawl_demo_fields *fields)
{
    const json_t *found = NULL;
    for (size_t i = 0; i < json_array_size(outputs); i++) {
        const json_t *field = json_array_get(outputs, i);
        if (json_array_size(json_object_get(field, "choices")) == 0) continue;
        if (found != NULL) return;
        found = field;
    }
    if (found == NULL) return;
    const json_t *choices = json_object_get(found, "choices");
    fields->choices_field = field_name(found);
    fields->n_choices = json_array_size(choices);
    fields->choices = PAWL_NEW_N(arena, struct pawl_str, fields->n_choices);
    for (size_t i = 0; i < fields->n_choices; i++) {
        const json_t *choice = json_array_get(choices, i);
        fields->choices[i] =
            (struct pawl_str){json_string_value(choice), json_string_length(choice)};
    }
}

struct pawl_demo_fields pawl_demo_fields_read(const json_t *fields, struct pawl_arena *arena)
{
    struct pawl_demo_fields read = {0};
    const json_t *inputs = json_object_get(fields, "inputs");
    const json_t *outputs = json_object_get(fields, "outputs");
    const json_t *extra = json_object_get(fields, "extra");
    read.inputs = PAWL_NEW_N(arena, const char *, json_array_size(inputs));
    read.outputs =
        PAWL_NEW_N(arena, const char *, json_array_size(outputs) + json_array_size(extra));
    add_names(inputs, read.inputs, &read.n_inputs);
    add_names(extra, read.outputs, &read.n_outputs);
    add_names(outputs, read.outputs, &read.n_outputs);
    find_choices(outputs, arena, &read);
    return read;
}

/* --- one demonstration --------------------------------------------------------------------------- */

static bool copy_fields(json_t *demo, const json_t *from, const char **names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        json_t *value = json_object_get(from, names[i]);
        if (value == NULL || json_is_null(value)) return false;
        pawl_json_set(demo, names[i], json_incref(value));
    }
    return true;
}

static size_t choice_of(const struct pawl_demo_fields *fields, const json_t *answer)
{
    if (fields->choices_field == NULL) return 0;
    const json_t *value = json_object_get(answer, fields->choices_field);
    size_t len = json_string_length(value);
    for (size_t i = 0; json_is_string(value) && i < fields->n_choices; i++) {
        const struct pawl_str *choice = &fields->choices[i];
        if (choice->len == len && strncasecmp(choice->ptr, json_string_value(value), len) == 0)
            return i;
    }
    return fields->n_choices;
}

struct pawl_demo pawl_demo_make(const struct pawl_demo_fields *fields, uint32_t train_case,
                                const json_t *input, const json_t *answer, struct pawl_arena *arena)
{
    struct pawl_demo demo = {.train_case = train_case, .choice = choice_of(fields, answer)};
    json_t *object = json_object();
    struct pawl_buf text = PAWL_BUF(PAWL_DEMO_SET_BYTES_MAX);
    if (fields->n_inputs > 0 && copy_fields(object, input, fields->inputs, fields->n_inputs) &&
        copy_fields(object, answer, fields->outputs, fields->n_outputs)) {
        pawl_json_write(object, &text);
        if (!text.overflowed) demo.text = pawl_arena_copy(arena, pawl_buf_str(&text));
    }
    pawl_buf_release(&text);
    json_decref(object);
    return demo;
}

/* --- sets ---------------------------------------------------------------------------------------- */

struct pawl_demo_set pawl_demo_set_new(size_t capacity, size_t n_train, struct pawl_arena *arena)
{
    return (struct pawl_demo_set){.demos = PAWL_NEW_N(arena, const struct pawl_demo *, capacity),
                                  .capacity = capacity,
                                  .holds = PAWL_NEW_N(arena, bool, n_train)};
}

void pawl_demo_set_add(struct pawl_demo_set *set, const struct pawl_demo *demo)
{
    if (demo->text.ptr == NULL || set->n == set->capacity || set->holds[demo->train_case]) return;
    set->holds[demo->train_case] = true;
    set->demos[set->n++] = demo;
}

static size_t count_choice(const struct pawl_demo_set *set, size_t choice)
{
    size_t count = 0;
    for (size_t i = 0; i < set->n; i++) count += set->demos[i]->choice == choice;
    return count;
}

void pawl_demo_set_fill(struct pawl_demo_set *set, const struct pawl_demo *raw, const size_t *order,
                        size_t n_train, size_t n, bool balanced,
                        const struct pawl_demo_fields *fields)
{
    for (size_t added = 0; added < n && set->n < set->capacity; added++) {
        const struct pawl_demo *best = NULL;
        size_t best_count = 0;
        for (size_t i = 0; i < n_train; i++) {
            const struct pawl_demo *demo = &raw[order[i]];
            if (demo->text.ptr == NULL || set->holds[demo->train_case]) continue;
            size_t count = balanced && fields->n_choices > 0 ? count_choice(set, demo->choice) : 0;
            if (best != NULL && count >= best_count) continue;
            best = demo;
            best_count = count;
            if (count == 0) break;
        }
        if (best == NULL) return;
        pawl_demo_set_add(set, best);
    }
}

struct pawl_str pawl_demo_set_text(const struct pawl_demo_set *set, struct pawl_arena *arena)
{
    struct pawl_buf text = PAWL_BUF(PAWL_DEMO_SET_BYTES_MAX);
    const char *comma = "";
    pawl_buf_add(&text, "[");
    for (size_t i = 0; i < set->n; i++) {
        struct pawl_str demo = set->demos[i]->text;
        if (text.len + demo.len + 2 > PAWL_DEMO_SET_BYTES_MAX) continue;
        pawl_buf_add(&text, comma);
        pawl_buf_add_str(&text, demo);
        comma = ",";
    }
    pawl_buf_add(&text, "]");
    struct pawl_str copy = pawl_arena_copy(arena, pawl_buf_str(&text));
    pawl_buf_release(&text);
    return copy;
}
