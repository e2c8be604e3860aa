#include "operators/textgrad.h"

struct textgrad_asks pawl_textgrad_asks_new(struct textgrad *t, size_t capacity)
{
    return (struct textgrad_asks){.prompts =
                                      PAWL_NEW_N(&t->step, struct pawl_host_prompt, capacity),
                                  .to = PAWL_NEW_N(&t->step, struct pawl_str *, capacity),
                                  .capacity = capacity};
}

/* At temperature 0 the same question has the same answer; else each step asks for another. */
static uint32_t sample_of(const struct textgrad *t)
{
    return t->opt->temperature > 0 ? (uint32_t)t->number : 0;
}

void pawl_textgrad_ask(struct textgrad *t, struct textgrad_asks *asks, const char *role,
                       struct pawl_str prompt, struct pawl_str *to)
{
    if (prompt.ptr == NULL) {
        pawl_host_say(t->host, "a request is too long to be asked; left out");
        return;
    }
    PAWL_ASSERT(asks->n < asks->capacity);
    asks->to[asks->n] = to;
    asks->prompts[asks->n++] = (struct pawl_host_prompt){.role = role,
                                                         .user = prompt,
                                                         .max_tokens = (int)t->opt->max_tokens,
                                                         .temperature = t->opt->temperature,
                                                         .sample = sample_of(t)};
}

/* Feedback that comes from several sides stands one below the other. */
static void add_reply(struct textgrad *t, struct pawl_str reply, struct pawl_str *to)
{
    if (to->ptr == NULL)
        *to = reply;
    else
        *to = pawl_str_of(pawl_arena_printf(&t->step, PAWL_STR_FMT "\n\n" PAWL_STR_FMT,
                                            PAWL_STR_ARG(*to), PAWL_STR_ARG(reply)));
}

enum pawl_status pawl_textgrad_ask_all(struct textgrad *t, struct textgrad_asks *asks,
                                       struct pawl_error *err)
{
    if (asks->n == 0) return PAWL_OK;
    struct pawl_host_reply *replies = PAWL_NEW_N(&t->step, struct pawl_host_reply, asks->n);
    PAWL_TRY(pawl_host_complete(t->host, &t->step, asks->prompts, asks->n, replies, err));
    for (size_t i = 0; i < asks->n; i++) {
        struct pawl_str text = pawl_str_trim(replies[i].text);
        if (!replies[i].failed && text.len > 0) add_reply(t, text, asks->to[i]);
    }
    return PAWL_OK;
}
