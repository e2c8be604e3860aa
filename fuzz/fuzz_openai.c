/* A provider's answer on either wire: a completion with text in UTF-8 and sane counts, or none; and as
 * the body of an error it always has a message. */
#include "fuzz.h"

#include "lm/anthropic_wire.h"
#include "lm/chat_wire.h"
#include "lm/openai_wire.h"

static void check_reply(const struct pawl_lm_reply *reply)
{
    const struct pawl_usage *usage = &reply->usage;
    PAWL_ASSERT(pawl_utf8_is_valid(reply->text, NULL));
    PAWL_ASSERT(reply->status == PAWL_REPLY_OK || (reply->reason && reply->reason[0]));
    PAWL_ASSERT(usage->prompt_tokens >= 0 && usage->completion_tokens >= 0);
    PAWL_ASSERT(usage->cached_tokens >= 0 && usage->cached_tokens <= usage->prompt_tokens);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct pawl_arena arena = {0};
    struct pawl_message message = {"user", PAWL_STR("What is it?")};
    struct pawl_lm_request request = {.messages = &message, .n_messages = 1, .max_tokens = 64};
    struct pawl_lm_reply reply;
    struct pawl_str body = {(const char *)bytes, n_bytes};
    struct pawl_chat_counts counts = {0};
    bool is_error;
    if (pawl_openai_read(body, &request, &arena, &reply, &counts)) check_reply(&reply);
    if (pawl_anthropic_read(body, &request, &arena, &reply, &counts)) check_reply(&reply);
    PAWL_ASSERT(pawl_chat_error(body, &arena, &is_error).len > 0);
    pawl_arena_release(&arena);
    return 0;
}
