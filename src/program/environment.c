#include "program/environment.h"

enum pawl_status pawl_environment_find(const char *name, const struct pawl_environment_kind **kind,
                                       struct pawl_error *err)
{
    const char *names[64];
    size_t n = 0;
    for (; pawl_environments[n] && n < 64; n++) {
        names[n] = pawl_environments[n]->name;
        if (strcmp(name, names[n]) != 0) continue;
        *kind = pawl_environments[n];
        return PAWL_OK;
    }
    const char *near = pawl_nearest_word(name, names, n);
    pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "environment", "There is no environment \"%.80s\".",
                 name);
    pawl_hint(err, "Did you mean \"%s\"?", near ? near : names[0]);
    return PAWL_ECONFIG;
}

struct pawl_str pawl_environment_text(const json_t *input)
{
    const char *key;
    json_t *value;
    if (json_is_string(input))
        return (struct pawl_str){json_string_value(input), json_string_length(input)};
    json_object_foreach((json_t *)(uintptr_t)input, key, value) if (json_is_string(value)) return (
        struct pawl_str){json_string_value(value), json_string_length(value)};
    return (struct pawl_str){NULL, 0};
}

const char *pawl_environment_judge(const struct pawl_environment_kind *kind, const json_t *input,
                                   const json_t *answer, const char *field,
                                   struct pawl_arena *arena, double *score,
                                   struct pawl_str *feedback)
{
    void *episode;
    *score = 0;
    *feedback = PAWL_STR("");
    const char *fault = kind->reset(input, arena, &episode);
    if (fault) return fault;
    struct pawl_str action = pawl_json_get_str(answer, field);
    if (!action.ptr || action.len > PAWL_ACTION_BYTES_MAX) {
        *feedback = PAWL_STR("The answer is no text of up to 500 bytes.");
        return NULL;
    }
    *feedback = kind->act(episode, action, arena);
    if (!kind->score(episode, score)) *score = 0;
    return NULL;
}
