/* A scripted model's reply: the bytes are the Lua expression that complete() returns. Asked twice, it
 * answers the same twice. */
#include "fuzz.h"

#include "base/clock.h"
#include "base/hash.h"
#include "lm/lm.h"

static void check_pair(const struct pawl_lm_reply *a, const struct pawl_lm_reply *b)
{
    PAWL_ASSERT(a->status == b->status);
    PAWL_ASSERT(a->status == PAWL_REPLY_OK ||
                (a->reason && pawl_utf8_is_valid(pawl_str_of(a->reason), NULL)));
    PAWL_ASSERT(a->status != PAWL_REPLY_OK || pawl_str_eq(a->text, b->text));
    PAWL_ASSERT(a->text.len == 0 || pawl_utf8_is_valid(a->text, NULL));
    PAWL_ASSERT(a->usage.prompt_tokens >= 0 && a->usage.completion_tokens >= 0);
    PAWL_ASSERT(a->usage.prompt_tokens == b->usage.prompt_tokens);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    static const struct pawl_str choices[] = {{"yes", 3}, {"no", 2}};
    static const struct pawl_message message = {"user", {"Is it good?", 11}};
    struct pawl_lm_request request = {
        .messages = &message, .n_messages = 1, .max_tokens = 8, .choices = choices, .n_choices = 2};
    struct pawl_arena arena = {0};
    struct pawl_buf file = PAWL_BUF(1 << 20);
    pawl_buf_add(&file, "function complete(request) return ");
    pawl_buf_add_str(&file, (struct pawl_str){(const char *)bytes, n_bytes});
    pawl_buf_add(&file, "\nend\n");
    json_t *models = json_pack("{s:{s:s,s:s}}", "m", "backend", "script", "file",
                               pawl_fuzz_file("lua", pawl_buf_str(&file)));
    struct pawl_lm_settings settings = {.models = models, .project_dir = "/"};
    struct pawl_lm *lm;
    struct pawl_lm_reply replies[2] = {0};
    struct pawl_error err = {0};
    pawl_crypto_init();
    pawl_clock_fix(0); /* a delay of an hour must not take one */
    if (pawl_lm_open(&settings, &lm, &err) == PAWL_OK) {
        PAWL_ASSERT(pawl_lm_ask(lm, &arena, &request, 1, &replies[0], &err) == PAWL_OK);
        PAWL_ASSERT(pawl_lm_ask(lm, &arena, &request, 1, &replies[1], &err) == PAWL_OK);
        check_pair(&replies[0], &replies[1]);
        pawl_lm_close(lm);
    } else {
        PAWL_ASSERT(err.message[0] && err.hint[0]);
    }
    json_decref(models);
    pawl_buf_release(&file);
    pawl_arena_release(&arena);
    return 0;
}
