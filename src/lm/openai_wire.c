#include "lm/openai_wire.h"

#include "lm/chat_wire.h"
#include "lm/request.h"

#include <inttypes.h>

/* Samples of one prompt must not all draw the same numbers. Not every server takes over 31 bits. */
static int32_t seed_of(const struct pawl_lm_request *request)
{
    uint64_t mixed = request->seed + (uint64_t)request->sample * 0x9e3779b97f4a7c15u;
    return (int32_t)((mixed ^ (mixed >> 31)) & INT32_MAX);
}

void pawl_openai_write(const void *given, const struct pawl_lm_request *request,
                       struct pawl_buf *out)
{
    const struct pawl_openai_style *style = given;
    pawl_buf_printf(out, "{\"%s\":%d,\"messages\":[",
                    style->reasoning ? "max_completion_tokens" : "max_tokens", request->max_tokens);
    for (size_t i = 0; i < request->n_messages; i++) {
        if (i > 0) pawl_buf_add(out, ",");
        pawl_chat_write_message(&request->messages[i], out);
    }
    pawl_buf_add(out, "],\"model\":");
    pawl_json_write_string(pawl_str_of(style->model), out);
    pawl_buf_add(out, ",\"n\":1");
    if (style->send_seed) pawl_buf_printf(out, ",\"seed\":%" PRId32, seed_of(request));
    pawl_chat_write_list("stop", request->stops, request->n_stops, out);
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

static void read_usage(const json_t *usage, const struct pawl_lm_request *request,
                       struct pawl_lm_reply *reply, struct pawl_chat_counts *counts)
{
    struct pawl_usage *out = &reply->usage;
    counts->counted =
        pawl_chat_read_tokens(usage, "prompt_tokens", "completion_tokens", request, reply) &&
        out->prompt_tokens > 0; /* here it counts what came from a cache, too: never none */
    out->cached_tokens =
        pawl_chat_count(json_object_get(usage, "prompt_tokens_details"), "cached_tokens", 0);
    if (out->cached_tokens > out->prompt_tokens) out->cached_tokens = out->prompt_tokens;
    out->reasoning_tokens =
        pawl_chat_count(json_object_get(usage, "completion_tokens_details"), "reasoning_tokens", 0);
    if (out->reasoning_tokens > out->completion_tokens)
        out->reasoning_tokens = out->completion_tokens;
}

bool pawl_openai_read(struct pawl_str body, const struct pawl_lm_request *request,
                      struct pawl_arena *arena, struct pawl_lm_reply *reply,
                      struct pawl_chat_counts *counts)
{
    json_t *object = pawl_chat_parse(body);
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
        read_usage(json_object_get(object, "usage"), request, reply, counts);
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
