#include "program/command_wire.h"

enum {
    MESSAGES_MAX = 512, /* of one ask */
    ASK_TOKENS = 512,   /* when an ask names no max_tokens */
    TOKENS_MAX = 1000000,
};

bool pawl_command_read_ready(struct pawl_str line, int *parallel)
{
    json_t *answer = NULL;
    if (pawl_json_parse(line, line.len, &answer, NULL) != PAWL_OK) return false;
    bool ready = pawl_json_get_bool(answer, "ready", false);
    int64_t wanted = pawl_json_get_int(answer, "parallel", 1);
    *parallel = wanted < 1                           ? 1
                : wanted > PAWL_COMMAND_PARALLEL_MAX ? PAWL_COMMAND_PARALLEL_MAX
                                                     : (int)wanted;
    json_decref(answer);
    return ready;
}

static const char *read_messages(struct pawl_arena *arena, const json_t *list,
                                 struct pawl_lm_request *request)
{
    size_t n = json_array_size(list);
    if (n == 0 || n > MESSAGES_MAX) return "An ask has no messages, or more than 512.";
    struct pawl_message *messages = PAWL_NEW_N(arena, struct pawl_message, n);
    for (size_t i = 0; i < n; i++) {
        const json_t *message = json_array_get(list, i);
        struct pawl_str role = pawl_json_get_str(message, "role");
        struct pawl_str content = pawl_json_get_str(message, "content");
        bool known = pawl_str_is(role, "system") || pawl_str_is(role, "user") ||
                     pawl_str_is(role, "assistant");
        if (!known || !content.ptr) return "A message of an ask lacks a known role or its content.";
        messages[i] = (struct pawl_message){role.ptr, content};
    }
    request->messages = messages;
    request->n_messages = n;
    return NULL;
}

const char *pawl_command_read_ask(const json_t *ask, struct pawl_arena *arena,
                                  struct pawl_lm_request *request)
{
    *request = (struct pawl_lm_request){.role = PAWL_ROLE_TASK};
    struct pawl_str role = pawl_json_get_str(ask, "role");
    if (role.ptr && !pawl_role_from_name(role, &request->role))
        return "An ask names no known role.";
    int64_t max_tokens = pawl_json_get_int(ask, "max_tokens", ASK_TOKENS);
    double temperature = pawl_json_get_real(ask, "temperature", 0);
    if (max_tokens < 1 || max_tokens > TOKENS_MAX || !(temperature >= 0 && temperature <= 2))
        return "An ask has a max_tokens or temperature out of range.";
    request->max_tokens = (int)max_tokens;
    request->temperature = temperature;
    return read_messages(arena, json_object_get(ask, "messages"), request);
}

static json_t *reply_json(const struct pawl_lm_reply *reply)
{
    json_t *object = json_object(), *tokens = json_object();
    if (reply->status == PAWL_REPLY_OK)
        pawl_json_set(object, "text", pawl_json_string(reply->text));
    else
        pawl_json_set(object, "error", json_string(reply->reason ? reply->reason : "no answer"));
    pawl_json_set(object, "truncated", json_boolean(reply->truncated));
    pawl_json_set(tokens, "prompt", json_integer(reply->usage.prompt_tokens));
    pawl_json_set(tokens, "completion", json_integer(reply->usage.completion_tokens));
    pawl_json_set(tokens, "cached", json_integer(reply->usage.cached_tokens));
    pawl_json_set(object, "tokens", tokens);
    return object;
}

json_t *pawl_command_reply_line(const char *id, const json_t *ask,
                                const struct pawl_lm_reply *reply)
{
    json_t *answer = json_object(), *name = json_object_get(ask, "call");
    pawl_json_set(answer, "id", json_string(id));
    if (name) pawl_json_set(answer, "call", json_incref(name));
    pawl_json_set(answer, "reply", reply_json(reply));
    return answer;
}

json_t *pawl_command_read_output(const json_t *line, struct pawl_arena *arena, const char **why)
{
    json_t *output = pawl_command_as_object(json_object_get(line, "output"), "answer");
    if (!output)
        *why = pawl_arena_strdup(
            arena, pawl_json_get_text(line, "error", "The line holds no output and no error."));
    return output;
}

json_t *pawl_command_as_object(const json_t *value, const char *name)
{
    if (!value || json_is_null(value)) return NULL;
    if (json_is_object(value)) return json_incref((json_t *)(uintptr_t)value);
    json_t *object = json_object();
    pawl_json_set(object, name, json_incref((json_t *)(uintptr_t)value));
    return object;
}
