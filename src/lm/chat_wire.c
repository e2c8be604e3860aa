#include "lm/chat_wire.h"

#include "lm/request.h"

enum { BODY_MAX = 16 << 20, COUNT_MAX = 1000000000 };

void pawl_chat_write_message(const struct pawl_message *message, struct pawl_buf *out)
{
    pawl_buf_add(out, "{\"content\":");
    pawl_json_write_string(message->content, out);
    pawl_buf_add(out, ",\"role\":");
    pawl_json_write_string(pawl_str_of(message->role), out);
    pawl_buf_add(out, "}");
}

void pawl_chat_write_list(const char *key, const struct pawl_str *items, size_t n,
                          struct pawl_buf *out)
{
    if (n == 0) return;
    pawl_buf_printf(out, ",\"%s\":[", key);
    for (size_t i = 0; i < n; i++) {
        if (i > 0) pawl_buf_add(out, ",");
        pawl_json_write_string(items[i], out);
    }
    pawl_buf_add(out, "]");
}

json_t *pawl_chat_parse(struct pawl_str body)
{
    json_t *object = NULL;
    struct pawl_buf repaired = PAWL_BUF((size_t)3 * BODY_MAX);
    if (!pawl_utf8_is_valid(body, NULL)) {
        pawl_utf8_repair(body, &repaired);
        body = pawl_buf_str(&repaired);
    }
    enum pawl_status status = pawl_json_parse(body, (size_t)3 * BODY_MAX, &object, NULL);
    pawl_buf_release(&repaired);
    return status == PAWL_OK ? object : NULL;
}

int64_t pawl_chat_count(const json_t *object, const char *key, int64_t otherwise)
{
    int64_t n = pawl_json_get_int(object, key, otherwise);
    return n < 0 ? 0 : n > COUNT_MAX ? COUNT_MAX : n;
}

bool pawl_chat_read_tokens(const json_t *usage, const char *prompt_key, const char *completion_key,
                           const struct pawl_lm_request *request, struct pawl_lm_reply *reply)
{
    int64_t prompt = pawl_json_get_int(usage, prompt_key, -1);
    int64_t completion = pawl_json_get_int(usage, completion_key, -1);
    /* An answer without a token, a negative count: who says so has not counted. */
    bool counted = prompt >= 0 && completion >= (reply->text.len > 0 ? 1 : 0);
    if (!counted) {
        prompt = pawl_lm_token_estimate(pawl_lm_request_bytes(request));
        completion = pawl_lm_token_estimate(reply->text.len);
    }
    reply->usage.prompt_tokens = prompt < COUNT_MAX ? prompt : COUNT_MAX;
    reply->usage.completion_tokens = completion < COUNT_MAX ? completion : COUNT_MAX;
    return counted;
}

struct pawl_str pawl_chat_error(struct pawl_str body, struct pawl_arena *arena, bool *is_error)
{
    enum { SHOWN_MAX = 4096 };
    json_t *object = pawl_chat_parse(body);
    const json_t *error = json_object_get(object, "error");
    struct pawl_str text = pawl_json_get_str(error, "message");
    if (!text.ptr) text = pawl_json_get_str(object, "error");
    *is_error = text.ptr != NULL || json_is_object(error);
    if (!text.ptr) text = pawl_json_get_str(object, "message");
    if (!text.ptr) text = pawl_json_get_str(object, "detail");
    if (!text.ptr) text = body;
    if (text.len > SHOWN_MAX) text.len = SHOWN_MAX;
    text = text.len > 0 ? pawl_arena_copy(arena, text) : PAWL_STR("no message");
    json_decref(object);
    return text;
}
