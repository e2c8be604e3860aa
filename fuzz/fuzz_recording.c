/* A recording to replay from. After an r the rest is the recorded reply to a known request, whose key the
 * target writes; otherwise the bytes are the file. What is refused names its line. */
#include "fuzz.h"

#include "lm/lm.h"
#include "lm/request.h"

static const struct pawl_message messages[] = {{"user", {"Is it good?", 11}}};
static const struct pawl_str choices[] = {{"yes", 3}, {"no", 2}};
static const struct pawl_lm_request request = {
    .messages = messages, .n_messages = 1, .choices = choices, .n_choices = 2, .max_tokens = 8};

static void record_reply(struct pawl_str reply, struct pawl_buf *out)
{
    char hex[PAWL_HASH_HEX];
    struct pawl_hash key = pawl_lm_request_key(NULL, &request);
    pawl_hash_hex(&key, hex);
    pawl_buf_printf(out, "{\"key\":\"%s\",\"reply\":", hex);
    pawl_buf_add_str(out, reply);
    pawl_buf_add(out, ",\"request\":");
    pawl_lm_request_write(&request, out);
    pawl_buf_add(out, "}\n");
}

static void check_reply(const struct pawl_lm_reply *reply)
{
    PAWL_ASSERT(reply->status != PAWL_REPLY_OK || pawl_utf8_is_valid(reply->text, NULL));
    PAWL_ASSERT(reply->usage.prompt_tokens >= 0 && reply->usage.completion_tokens >= 0);
    for (size_t i = 0; reply->choice_logprobs && i < request.n_choices; i++)
        PAWL_ASSERT(reply->choice_logprobs[i] <= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct pawl_arena arena = {0};
    struct pawl_str text = {(const char *)bytes, n_bytes};
    struct pawl_buf file = PAWL_BUF(8 << 20);
    pawl_crypto_init();
    if (pawl_str_starts(text, "r"))
        record_reply((struct pawl_str){text.ptr + 1, text.len - 1}, &file);
    else
        pawl_buf_add_str(&file, text);
    json_t *models = json_pack("{s:{s:s,s:s}}", "tape", "backend", "replay", "file",
                               pawl_fuzz_file("jsonl", pawl_buf_str(&file)));
    struct pawl_lm_settings settings = {.models = models, .project_dir = "/"};
    struct pawl_lm *lm;
    struct pawl_lm_reply reply = {0};
    struct pawl_error err = {0};
    PAWL_ASSERT(pawl_lm_open(&settings, &lm, &err) == PAWL_OK);
    if (pawl_lm_ask(lm, &arena, &request, 1, &reply, &err) == PAWL_OK)
        check_reply(&reply);
    else
        PAWL_ASSERT(err.message[0] && (err.status == PAWL_ENOTFOUND || err.line > 0));
    pawl_lm_close(lm);
    json_decref(models);
    pawl_buf_release(&file);
    pawl_arena_release(&arena);
    return 0;
}
