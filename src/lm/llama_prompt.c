#include "lm/llama_prompt.h"

#include <limits.h>
#include <stdint.h>

struct token_list {
    llama_token *tokens;
    size_t n;
};

static struct token_list tokenize(const struct llama_vocab *vocab, struct pawl_arena *arena,
                                  struct pawl_str text, bool control)
{
    if (text.len == 0) return (struct token_list){0};
    if (text.len > INT32_MAX) PAWL_BUG("a text of %zu bytes is over every limit", text.len);
    int32_t room = (int32_t)(text.len / 2 + 16), length = (int32_t)text.len;
    llama_token *tokens = PAWL_NEW_N(arena, llama_token, (size_t)room);
    int32_t n = llama_tokenize(vocab, text.ptr, length, tokens, room, false, control);
    if (n < 0) {
        room = -n;
        tokens = PAWL_NEW_N(arena, llama_token, (size_t)room);
        n = llama_tokenize(vocab, text.ptr, length, tokens, room, false, control);
        if (n < 0) PAWL_BUG("the tokenizer wants more room than it asked for");
    }
    return (struct token_list){tokens, (size_t)n};
}

size_t pawl_llama_spell(const struct llama_vocab *vocab, struct pawl_arena *arena,
                        struct pawl_str text, const llama_token **tokens)
{
    struct token_list list = tokenize(vocab, arena, text, false);
    *tokens = list.tokens;
    return list.n;
}

static void append(struct pawl_arena *arena, struct token_list *list, struct token_list more)
{
    if (list->n == 0) {
        *list = more;
        return;
    }
    llama_token *tokens = PAWL_NEW_N(arena, llama_token, list->n + more.n);
    memcpy(tokens, list->tokens, list->n * sizeof *tokens);
    if (more.n) memcpy(tokens + list->n, more.tokens, more.n * sizeof *tokens);
    *list = (struct token_list){tokens, list->n + more.n};
}

static bool holds_control(const struct llama_vocab *vocab, struct pawl_arena *arena,
                          struct pawl_str text)
{
    struct token_list list = tokenize(vocab, arena, text, true);
    for (size_t i = 0; i < list.n; i++)
        if (llama_vocab_is_control(vocab, list.tokens[i])) return true;
    return false;
}

/*
 * Spell rendered text. What the template wrote may be control tokens, what messages wrote may not:
 * a message that holds the text of one is found in the rendered text and spelled on its own. All
 * other text is spelled in one piece, as the model was trained on. False: it was not found.
 */
static bool spell_rendered(const struct llama_vocab *vocab, struct pawl_arena *arena,
                           struct pawl_str text, const struct llama_chat_message *messages,
                           size_t n_messages, struct token_list *out)
{
    *out = (struct token_list){0};
    size_t spelled = 0, seen = 0;
    for (size_t i = 0; i < n_messages; i++) {
        struct pawl_str content = pawl_str_trim(pawl_str_of(messages[i].content));
        if (content.len == 0) continue;
        const char *found = memmem(text.ptr + seen, text.len - seen, content.ptr, content.len);
        bool hostile = holds_control(vocab, arena, content);
        if (!found && hostile) return false;
        if (!found) continue;
        size_t at = (size_t)(found - text.ptr);
        seen = at + content.len;
        if (!hostile) continue;
        struct pawl_str before = {text.ptr + spelled, at - spelled};
        append(arena, out, tokenize(vocab, arena, before, true));
        append(arena, out, tokenize(vocab, arena, content, false));
        spelled = seen;
    }
    struct pawl_str rest = {text.ptr + spelled, text.len - spelled};
    append(arena, out, tokenize(vocab, arena, rest, true));
    return true;
}

static struct pawl_str render(const struct pawl_llama_speller *speller, struct pawl_arena *arena,
                              const struct llama_chat_message *messages, size_t n, bool answer)
{
    size_t room = 256;
    for (size_t i = 0; i < n; i++) room += strlen(messages[i].content) + 64;
    for (;;) {
        char *text = pawl_arena_alloc(arena, room + 1, 1);
        int32_t length =
            llama_chat_apply_template(speller->template, messages, n, answer, text, (int32_t)room);
        if (length < 0) PAWL_BUG("the chat template was good when the model was tried out");
        if ((size_t)length <= room) return (struct pawl_str){text, (size_t)length};
        room = (size_t)length;
    }
}

llama_token pawl_llama_end_of_turn(const struct pawl_llama_speller *speller)
{
    static const struct llama_chat_message turns[] = {{"user", "a"}, {"assistant", "b"}};
    struct pawl_arena call = {0};
    struct pawl_str text = render(speller, &call, turns, 2, false);
    struct token_list list = tokenize(speller->vocab, &call, text, true);
    llama_token end = llama_vocab_eos(speller->vocab);
    for (size_t i = 0; i < list.n; i++)
        if (llama_vocab_is_eog(speller->vocab, list.tokens[i])) end = list.tokens[i];
    pawl_arena_release(&call);
    return end;
}

/* A sentence about messages that no template should see, or NULL. */
static const char *unfit_messages(const struct pawl_llama_speller *speller,
                                  struct pawl_arena *arena, const struct pawl_lm_request *request)
{
    if (request->n_messages == 0) return "The request has no message.";
    size_t n_bytes = 0;
    for (size_t i = 0; i < request->n_messages; i++) {
        struct pawl_str content = request->messages[i].content;
        if (content.len && memchr(content.ptr, 0, content.len))
            return "A message holds a NUL byte.";
        n_bytes += content.len;
    }
    if (n_bytes / PAWL_LLAMA_TOKEN_BYTES_MAX > speller->limit_tokens)
        return pawl_arena_printf(arena, "The prompt has %zu bytes; the model reads %zu tokens.",
                                 n_bytes, speller->limit_tokens);
    return NULL;
}

static struct llama_chat_message *chat_messages(struct pawl_arena *arena,
                                                const struct pawl_lm_request *request)
{
    struct llama_chat_message *chat =
        PAWL_NEW_N(arena, struct llama_chat_message, request->n_messages);
    for (size_t i = 0; i < request->n_messages; i++) {
        const struct pawl_message *message = &request->messages[i];
        chat[i].role = message->role;
        if (pawl_utf8_is_valid(message->content, NULL)) {
            chat[i].content = pawl_arena_copy(arena, message->content).ptr;
            continue;
        }
        struct pawl_buf repaired = PAWL_BUF(3 * message->content.len);
        pawl_utf8_repair(message->content, &repaired);
        chat[i].content = pawl_arena_copy(arena, pawl_buf_str(&repaired)).ptr;
        pawl_buf_release(&repaired);
    }
    return chat;
}

static bool same_messages(const struct pawl_message *a, const struct pawl_message *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(a[i].role, b[i].role) != 0 || !pawl_str_eq(a[i].content, b[i].content))
            return false;
    return true;
}

/* Make *shared hold the request's first messages; false when they cannot be spelled on their own. */
static bool share(const struct pawl_llama_speller *speller, struct pawl_arena *arena,
                  const struct pawl_lm_request *request, const struct llama_chat_message *chat,
                  struct pawl_llama_shared *shared)
{
    size_t n = request->n_shared;
    if (n == 0 || n >= request->n_messages) return false;
    if (shared->n_messages == n && same_messages(shared->messages, request->messages, n))
        return shared->n_tokens > 0;
    *shared = (struct pawl_llama_shared){.messages = request->messages, .n_messages = n};
    shared->text = render(speller, arena, chat, n, false);
    struct token_list list;
    if (!spell_rendered(speller->vocab, arena, shared->text, chat, n, &list)) return false;
    shared->tokens = list.tokens;
    shared->n_tokens = list.n;
    return list.n > 0;
}

/*
 * The tokens of the whole prompt. Where the text goes on with a control token, nothing merges across
 * the end of the shared messages, so their tokens and those of the rest are the tokens of the whole.
 */
static bool spell_prompt(const struct pawl_llama_speller *speller, struct pawl_arena *arena,
                         const struct pawl_lm_request *request,
                         const struct llama_chat_message *chat, struct pawl_llama_shared *shared,
                         struct token_list *out, size_t *n_shared)
{
    struct pawl_str text = render(speller, arena, chat, request->n_messages, true);
    *n_shared = 0;
    if (share(speller, arena, request, chat, shared) && text.len > shared->text.len &&
        memcmp(text.ptr, shared->text.ptr, shared->text.len) == 0) {
        struct pawl_str rest = {text.ptr + shared->text.len, text.len - shared->text.len};
        struct token_list more;
        size_t n = request->n_shared;
        if (!spell_rendered(speller->vocab, arena, rest, chat + n, request->n_messages - n, &more))
            return false;
        if (more.n && llama_vocab_is_control(speller->vocab, more.tokens[0])) {
            *out = (struct token_list){0};
            llama_token *tokens = PAWL_NEW_N(arena, llama_token, shared->n_tokens + more.n);
            memcpy(tokens, shared->tokens, shared->n_tokens * sizeof *tokens);
            memcpy(tokens + shared->n_tokens, more.tokens, more.n * sizeof *tokens);
            *out = (struct token_list){tokens, shared->n_tokens + more.n};
            *n_shared = shared->n_tokens;
            return true;
        }
    }
    return spell_rendered(speller->vocab, arena, text, chat, request->n_messages, out);
}

void pawl_llama_prompt_make(const struct pawl_llama_speller *speller, struct pawl_arena *arena,
                            const struct pawl_lm_request *request, struct pawl_llama_shared *shared,
                            struct pawl_llama_prompt *prompt)
{
    *prompt = (struct pawl_llama_prompt){0};
    prompt->refusal = unfit_messages(speller, arena, request);
    if (prompt->refusal) return;
    struct token_list list;
    const struct llama_chat_message *chat = chat_messages(arena, request);
    if (!spell_prompt(speller, arena, request, chat, shared, &list, &prompt->n_shared)) {
        prompt->refusal = "A message holds control tokens of the model.";
        return;
    }
    llama_token begin = llama_vocab_bos(speller->vocab);
    if (llama_vocab_get_add_bos(speller->vocab) && begin != LLAMA_TOKEN_NULL &&
        (list.n == 0 || list.tokens[0] != begin)) {
        struct token_list with_begin = {PAWL_NEW_N(arena, llama_token, 1), 1};
        with_begin.tokens[0] = begin;
        append(arena, &with_begin, list);
        list = with_begin;
        if (prompt->n_shared) prompt->n_shared++;
    }
    prompt->tokens = list.tokens;
    prompt->n_tokens = list.n;
    if (list.n == 0) prompt->refusal = "The prompt is empty.";
}
