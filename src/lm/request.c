#include "lm/request.h"

#include "base/clock.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <stdlib.h>

/* Of a request within PAWL_PROMPT_MAX; JSON writes a byte as up to six. */
static const size_t text_limit = (size_t)8 * PAWL_PROMPT_MAX;

static void write_list(const struct pawl_str *items, size_t n, struct pawl_buf *out)
{
    pawl_buf_add(out, "[");
    for (size_t i = 0; i < n; i++) {
        if (i > 0) pawl_buf_add(out, ",");
        pawl_json_write_string(items[i], out);
    }
    pawl_buf_add(out, "]");
}

void pawl_lm_request_write(const struct pawl_lm_request *request, struct pawl_buf *out)
{
    pawl_buf_add(out, "{");
    for (size_t i = 0; i < request->n_adapters; i++) {
        char hex[PAWL_HASH_HEX];
        pawl_hash_hex(&request->adapters[i].hash, hex);
        pawl_buf_printf(out, "%s{\"scale\":", i > 0 ? "," : "\"adapters\":[");
        pawl_json_write_real(request->adapters[i].scale, out);
        pawl_buf_printf(out, ",\"sha256\":\"%s\"}", hex);
    }
    if (request->n_adapters > 0) pawl_buf_add(out, "],");
    if (request->best_only && request->n_choices > 0) pawl_buf_add(out, "\"best_only\":true,");
    pawl_buf_add(out, "\"choices\":");
    write_list(request->choices, request->n_choices, out);
    pawl_buf_printf(out, ",\"max_tokens\":%d,\"messages\":[", request->max_tokens);
    for (size_t i = 0; i < request->n_messages; i++) {
        pawl_buf_add(out, i > 0 ? ",{\"content\":" : "{\"content\":");
        pawl_json_write_string(request->messages[i].content, out);
        pawl_buf_add(out, ",\"role\":");
        pawl_json_write_string(pawl_str_of(request->messages[i].role), out);
        pawl_buf_add(out, "}");
    }
    pawl_buf_printf(out, "],\"role\":\"%s\",\"sample\":%" PRId64, pawl_role_name(request->role),
                    request->sample);
    if (request->schema) { /* as it is given: the order of properties is that of the answer */
        char *schema = json_dumps(request->schema, JSON_COMPACT | JSON_ENCODE_ANY);
        if (!schema) abort();
        pawl_buf_printf(out, ",\"schema\":%s", schema);
        free(schema);
    }
    pawl_buf_printf(out, ",\"seed\":\"%" PRIu64 "\"", request->seed);
    pawl_buf_add(out, ",\"stops\":");
    write_list(request->stops, request->n_stops, out);
    pawl_buf_add(out, ",\"temperature\":");
    pawl_json_write_real(request->temperature, out);
    pawl_buf_add(out, ",\"top_p\":");
    pawl_json_write_real(request->top_p, out);
    pawl_buf_add(out, "}");
}

struct pawl_hash pawl_lm_request_key(const char *identity, const struct pawl_lm_request *request)
{
    struct pawl_buf text = PAWL_BUF(text_limit);
    if (identity) {
        pawl_buf_add(&text, "{\"identity\":");
        pawl_json_write_string(pawl_str_of(identity), &text);
        pawl_buf_add(&text, ",\"request\":");
    }
    pawl_lm_request_write(request, &text);
    if (identity) pawl_buf_add(&text, "}");
    PAWL_ASSERT(!text.overflowed);
    struct pawl_hash key = pawl_hash_str(pawl_buf_str(&text));
    pawl_buf_release(&text);
    return key;
}

size_t pawl_lm_request_bytes(const struct pawl_lm_request *request)
{
    size_t n_bytes = 0;
    for (size_t i = 0; i < request->n_messages; i++) n_bytes += request->messages[i].content.len;
    for (size_t i = 0; i < request->n_choices; i++) n_bytes += request->choices[i].len;
    for (size_t i = 0; i < request->n_stops; i++) n_bytes += request->stops[i].len;
    return n_bytes;
}

int64_t pawl_lm_token_estimate(size_t n_bytes)
{
    return (int64_t)((n_bytes + 3) / 4);
}

const char *pawl_lm_reason(struct pawl_arena *arena, const char *before, struct pawl_str text)
{
    enum { REASON_MAX = 240 };
    struct pawl_buf line = PAWL_BUF((size_t)4 * REASON_MAX);
    if (text.len > REASON_MAX) text.len = REASON_MAX;
    while (text.len > 0 && text.len == REASON_MAX && (text.ptr[text.len - 1] & 0x80))
        text.len--; /* not in the middle of a character */
    pawl_buf_add(&line, before);
    pawl_utf8_repair(pawl_str_trim(text), &line);
    for (size_t i = 0; i < line.len; i++)
        if ((unsigned char)line.data[i] < 0x20 || line.data[i] == 0x7f) line.data[i] = ' ';
    const char *reason = pawl_arena_copy(arena, pawl_buf_str(&line)).ptr;
    pawl_buf_release(&line);
    return reason;
}

void pawl_lm_sleep_ms(int64_t ms, const atomic_bool *canceled)
{
    enum { LOOK_EVERY_MS = 50 };
    for (; ms > 0 && !atomic_load(canceled); ms -= LOOK_EVERY_MS)
        pawl_clock_sleep_ms(ms < LOOK_EVERY_MS ? ms : LOOK_EVERY_MS);
}

/* --- replies ---------------------------------------------------------------------------------- */

static const char *const status_words[] = {
    [PAWL_REPLY_OK] = "ok", [PAWL_REPLY_FAILED] = "failed", [PAWL_REPLY_MISSING] = "missing"};

void pawl_lm_reply_write(const struct pawl_lm_reply *reply, size_t n_choices, struct pawl_buf *out)
{
    pawl_buf_add(out, "{");
    if (reply->choice_logprobs) {
        pawl_buf_add(out, "\"choice_logprobs\":[");
        for (size_t i = 0; i < n_choices; i++) {
            if (i > 0) pawl_buf_add(out, ",");
            if (isfinite(reply->choice_logprobs[i]))
                pawl_json_write_real(reply->choice_logprobs[i], out);
            else
                pawl_buf_add(out, "null"); /* probability 0 */
        }
        pawl_buf_add(out, "],");
    }
    if (reply->reason) {
        pawl_buf_add(out, "\"reason\":");
        pawl_json_write_string(pawl_str_of(reply->reason), out);
        pawl_buf_add(out, ",");
    }
    pawl_buf_printf(out, "\"status\":\"%s\",\"text\":", status_words[reply->status]);
    pawl_json_write_string(reply->text, out);
    const struct pawl_usage *usage = &reply->usage;
    pawl_buf_printf(
        out,
        ",\"truncated\":%s,\"usage\":{\"cached_tokens\":%" PRId64 ",\"completion_tokens\":%" PRId64
        ",\"cost_microusd\":%" PRId64 ",\"latency_us\":%" PRId64 ",\"prompt_tokens\":%" PRId64
        ",\"reasoning_tokens\":%" PRId64 "}}",
        reply->truncated ? "true" : "false", usage->cached_tokens, usage->completion_tokens,
        usage->cost_microusd, usage->latency_us, usage->prompt_tokens, usage->reasoning_tokens);
}

static bool read_logprobs(const json_t *list, size_t n_choices, struct pawl_arena *arena,
                          struct pawl_lm_reply *reply)
{
    if (!list) return true;
    if (json_array_size(list) != n_choices || n_choices == 0) return false;
    double *logprobs = PAWL_NEW_N(arena, double, n_choices);
    for (size_t i = 0; i < n_choices; i++) {
        const json_t *item = json_array_get(list, i);
        if (!json_is_null(item) && !json_is_number(item)) return false;
        logprobs[i] = json_is_null(item) ? -INFINITY : json_number_value(item);
    }
    reply->choice_logprobs = logprobs;
    return true;
}

/* Counts are summed: one out of a file that somebody changed must neither be negative nor overflow. */
static int64_t read_count(const json_t *usage, const char *key)
{
    int64_t n = pawl_json_get_int(usage, key, 0);
    return n < 0 ? 0 : n > INT64_C(1000000000000) ? INT64_C(1000000000000) : n;
}

bool pawl_lm_reply_read(const json_t *object, size_t n_choices, struct pawl_arena *arena,
                        struct pawl_lm_reply *reply)
{
    struct pawl_str status = pawl_json_get_str(object, "status");
    struct pawl_str text = pawl_json_get_str(object, "text");
    const json_t *usage = json_object_get(object, "usage");
    if (!status.ptr || !text.ptr || !json_is_object(usage)) return false;
    *reply = (struct pawl_lm_reply){0};
    if (pawl_str_is(status, "failed"))
        reply->status = PAWL_REPLY_FAILED;
    else if (!pawl_str_is(status, "ok"))
        return false;
    if (!read_logprobs(json_object_get(object, "choice_logprobs"), n_choices, arena, reply))
        return false;
    reply->text = pawl_arena_copy(arena, text);
    const char *reason = pawl_json_get_text(object, "reason", NULL);
    if (reason) reply->reason = pawl_arena_strdup(arena, reason);
    reply->truncated = pawl_json_get_bool(object, "truncated", false);
    reply->usage = (struct pawl_usage){
        .prompt_tokens = read_count(usage, "prompt_tokens"),
        .completion_tokens = read_count(usage, "completion_tokens"),
        .cached_tokens = read_count(usage, "cached_tokens"),
        .reasoning_tokens = read_count(usage, "reasoning_tokens"),
        .cost_microusd = read_count(usage, "cost_microusd"),
        .latency_us = read_count(usage, "latency_us"),
        .n_requests = 1,
    };
    return true;
}
