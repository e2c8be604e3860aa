#include "lm/anthropic_wire.h"

#include "lm/chat_wire.h"
#include "lm/request.h"

static bool is_system(const struct pawl_message *message)
{
    return strcmp(message->role, "system") == 0;
}

/* All system texts as one, an empty line between them. */
static void write_system(const struct pawl_lm_request *request, struct pawl_buf *out)
{
    struct pawl_buf text = PAWL_BUF((size_t)2 * PAWL_PROMPT_MAX);
    for (size_t i = 0; i < request->n_messages; i++) {
        if (!is_system(&request->messages[i])) continue;
        if (text.len > 0) pawl_buf_add(&text, "\n\n");
        pawl_buf_add_str(&text, request->messages[i].content);
    }
    if (text.len > 0) {
        pawl_buf_add(out, ",\"system\":");
        pawl_json_write_string(pawl_buf_str(&text), out);
    }
    pawl_buf_release(&text);
}

static void write_sampling(const struct pawl_lm_request *request, struct pawl_buf *out)
{
    /* From 0 to 1 here; elsewhere it goes to 2. */
    pawl_buf_add(out, ",\"temperature\":");
    pawl_json_write_real(request->temperature < 1 ? request->temperature : 1, out);
    if (request->top_p <= 0) return;
    pawl_buf_add(out, ",\"top_p\":");
    pawl_json_write_real(request->top_p, out);
}

void pawl_anthropic_write(const void *given, const struct pawl_lm_request *request,
                          struct pawl_buf *out)
{
    const struct pawl_anthropic_style *style = given;
    bool first = true;
    pawl_buf_printf(out, "{\"max_tokens\":%d,\"messages\":[", request->max_tokens);
    for (size_t i = 0; i < request->n_messages; i++) {
        if (is_system(&request->messages[i])) continue;
        if (!first) pawl_buf_add(out, ",");
        pawl_chat_write_message(&request->messages[i], out);
        first = false;
    }
    pawl_buf_add(out, "],\"model\":");
    pawl_json_write_string(pawl_str_of(style->model), out);
    pawl_chat_write_list("stop_sequences", request->stops, request->n_stops, out);
    write_system(request, out);
    if (style->send_sampling) write_sampling(request, out);
    pawl_buf_add(out, "}");
}

/* The text blocks of the content, one after the other; thinking is not part of the answer. False if
 * there is no content. */
static bool read_content(const json_t *object, struct pawl_arena *arena, struct pawl_str *text)
{
    const json_t *content = json_object_get(object, "content"), *block;
    size_t i;
    struct pawl_buf all = PAWL_BUF((size_t)16 << 20);
    if (!json_is_array(content)) return false;
    json_array_foreach(content, i, block)
    {
        if (strcmp(pawl_json_get_text(block, "type", ""), "text") == 0)
            pawl_buf_add_str(&all, pawl_json_get_str(block, "text"));
    }
    *text = all.len > 0 ? pawl_arena_copy(arena, pawl_buf_str(&all)) : PAWL_STR("");
    pawl_buf_release(&all);
    return true;
}

static void read_usage(const json_t *usage, const struct pawl_lm_request *request,
                       struct pawl_lm_reply *reply, struct pawl_chat_counts *counts)
{
    counts->counted = pawl_chat_read_tokens(usage, "input_tokens", "output_tokens", request, reply);
    counts->written_tokens = pawl_chat_count(usage, "cache_creation_input_tokens", 0);
    reply->usage.cached_tokens = pawl_chat_count(usage, "cache_read_input_tokens", 0);
    reply->usage.prompt_tokens += reply->usage.cached_tokens + counts->written_tokens;
}

bool pawl_anthropic_read(struct pawl_str body, const struct pawl_lm_request *request,
                         struct pawl_arena *arena, struct pawl_lm_reply *reply,
                         struct pawl_chat_counts *counts)
{
    json_t *object = pawl_chat_parse(body);
    struct pawl_str text;
    bool ok = read_content(object, arena, &text);
    if (ok) {
        const char *end = pawl_json_get_text(object, "stop_reason", "");
        *reply = (struct pawl_lm_reply){.text = text};
        reply->truncated =
            strcmp(end, "max_tokens") == 0 || strcmp(end, "model_context_window_exceeded") == 0;
        read_usage(json_object_get(object, "usage"), request, reply, counts);
        if (strcmp(end, "refusal") == 0) {
            reply->status = PAWL_REPLY_FAILED;
            reply->reason = "The model refused to answer.";
        }
    }
    json_decref(object);
    return ok;
}
