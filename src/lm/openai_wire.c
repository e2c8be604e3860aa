#include "lm/openai_wire.h"

#include "lm/request.h"

#include <inttypes.h>

enum { BODY_MAX = 16 << 20, COUNT_MAX = 1000000000 };

/* Samples of one prompt must not all draw the same numbers. Not every server takes over 31 bits. */
static int32_t seed_of(const struct pawl_lm_request *request)
{
    uint64_t mixed = request->seed + (uint64_t)request->sample * 0x9e3779b97f4a7c15u;
    return (int32_t)((mixed ^ (mixed >> 31)) & INT32_MAX);
}

void pawl_openai_write(const struct pawl_openai_style *style, const struct pawl_lm_request *request,
                       struct pawl_buf *out)
{
    pawl_buf_printf(out, "{\"%s\":%d,\"messages\":[",
                    style->reasoning ? "max_completion_tokens" : "max_tokens", request->max_tokens);
    for (size_t i = 0; i < request->n_messages; i++) {
        pawl_buf_add(out, i > 0 ? ",{\"content\":" : "{\"content\":");
        pawl_json_write_string(request->messages[i].content, out);
        pawl_buf_add(out, ",\"role\":");
        pawl_json_write_string(pawl_str_of(request->messages[i].role), out);
        pawl_buf_add(out, "}");
    }
    pawl_buf_add(out, "],\"model\":");
    pawl_json_write_string(pawl_str_of(style->model), out);
    pawl_buf_add(out, ",\"n\":1");
    if (style->send_seed) pawl_buf_printf(out, ",\"seed\":%" PRId32, seed_of(request));
    for (size_t i = 0; i < request->n_stops; i++) {
        pawl_buf_add(out, i > 0 ? "," : ",\"stop\":[");
        pawl_json_write_string(request->stops[i], out);
    }
    if (request->n_stops > 0) pawl_buf_add(out, "]");
    if (!style->reasoning) {
        pawl_buf_add(out, ",\"temperature\":");
        pawl_json_write_real(request->temperature, out);
        if (request->top_p > 0) {
            pawl_buf_add(out, ",\"top_p\":");
            pawl_json_write_real(request->top_p, out);
        }
    }
    pawl_buf_add(out, "}");
}

/* --- answers ---------------------------------------------------------------------------------- */

/* A provider may cut a character in two; that is no reason to lose the answer. NULL: no JSON. */
static json_t *parse(struct pawl_str body)
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

static int64_t count_of(const json_t *object, const char *key, int64_t otherwise)
{
    int64_t n = pawl_json_get_int(object, key, otherwise);
    return n < 0 ? 0 : n > COUNT_MAX ? COUNT_MAX : n;
}

static void read_usage(const json_t *object, const struct pawl_lm_request *request,
                       struct pawl_lm_reply *reply, bool *counted)
{
    const json_t *usage = json_object_get(object, "usage");
    struct pawl_usage *out = &reply->usage;
    *counted = json_is_integer(json_object_get(usage, "prompt_tokens")) &&
               json_is_integer(json_object_get(usage, "completion_tokens"));
    out->prompt_tokens =
        count_of(usage, "prompt_tokens", pawl_lm_token_estimate(pawl_lm_request_bytes(request)));
    out->completion_tokens =
        count_of(usage, "completion_tokens", pawl_lm_token_estimate(reply->text.len));
    out->cached_tokens =
        count_of(json_object_get(usage, "prompt_tokens_details"), "cached_tokens", 0);
    if (out->cached_tokens > out->prompt_tokens) out->cached_tokens = out->prompt_tokens;
}

bool pawl_openai_read(struct pawl_str body, const struct pawl_lm_request *request,
                      struct pawl_arena *arena, struct pawl_lm_reply *reply, bool *counted)
{
    json_t *object = parse(body);
    const json_t *choice = json_array_get(json_object_get(object, "choices"), 0);
    const json_t *message = json_object_get(choice, "message");
    const json_t *content = json_object_get(message, "content");
    bool ok =
        json_is_object(message) && (!content || json_is_null(content) || json_is_string(content));
    if (ok) {
        struct pawl_str text = pawl_json_get_str(message, "content");
        struct pawl_str refusal = pawl_json_get_str(message, "refusal");
        const char *end = pawl_json_get_text(choice, "finish_reason", "");
        *reply = (struct pawl_lm_reply){.text = PAWL_STR("")};
        if (text.len > 0) reply->text = pawl_arena_copy(arena, text);
        reply->truncated = strcmp(end, "length") == 0;
        read_usage(object, request, reply, counted);
        if (text.len == 0 && refusal.len > 0) {
            reply->status = PAWL_REPLY_FAILED;
            reply->reason = pawl_lm_reason(arena, "The model refused: ", refusal);
        } else if (strcmp(end, "content_filter") == 0) {
            reply->status = PAWL_REPLY_FAILED;
            reply->reason = "The provider's content filter held the answer back.";
        }
    }
    json_decref(object);
    return ok;
}

struct pawl_str pawl_openai_error(struct pawl_str body, struct pawl_arena *arena)
{
    enum { SHOWN_MAX = 4096 };
    json_t *object = parse(body);
    const json_t *error = json_object_get(object, "error");
    struct pawl_str text = pawl_json_get_str(error, "message");
    if (!text.ptr) text = pawl_json_get_str(object, "error");
    if (!text.ptr) text = pawl_json_get_str(object, "message");
    if (!text.ptr) text = body;
    if (text.len > SHOWN_MAX) text.len = SHOWN_MAX;
    text = text.len > 0 ? pawl_arena_copy(arena, text) : PAWL_STR("no message");
    json_decref(object);
    return text;
}
