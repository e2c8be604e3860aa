/*
 * chat.h - a model behind HTTP that answers one chat request per call. What all providers share is
 * here: the address, the key, retries, money. How a request is written and an answer read is a wire.
 *
 * What becomes of an answer
 *     2xx with a completion      OK (empty text is an answer), or FAILED when it is a refusal
 *     2xx with anything else, 408, 409, 425, 429, 5xx, time-out, dropped connection
 *                                asked again up to `retries` times, then MISSING
 *     3xx                        MISSING: base_url is wrong, and not the candidate
 *     401, 403, 404              PAWL_EWORLD: no request will do better with this key, address, model
 *     other 4xx, body over 8 MiB FAILED, with the server's message
 *     the host is given up       MISSING at once (io/http_pace.h)
 *
 * Invariants
 *   1. The key is read from the environment when the model is opened, and lives only in its header
 *      line. Every text that comes back is searched for it before anybody sees it.
 *   2. Waiting before a new try is random between 0 and a bound that doubles (full jitter), and at
 *      least what Retry-After says, up to a minute.
 *   3. A try that may have been billed without a usable answer is charged its worst cost, and the
 *      next one is sent only when the purse has as much again. So is the loser of two hedged ones.
 */
#ifndef PAWL_LM_CHAT_H
#define PAWL_LM_CHAT_H

#include "lm/backend.h"
#include "lm/price.h"

struct pawl_chat_counts {
    bool counted;           /* the server said how many tokens; else they are estimates */
    int64_t written_tokens; /* of the prompt, written to the provider's cache */
};

struct pawl_chat_wire {
    const char *name; /* of the backend */
    const char *path; /* of the call, after the base */
    const char *default_base;
    const char *const *base_variables; /* environment, in order, NULL-terminated */
    const char *default_key_variable;
    const char *key_header;     /* up to the key */
    const char *further_header; /* NULL: none */
    void (*write)(const void *style, const struct pawl_lm_request *request, struct pawl_buf *out);
    /* Read the body of a 2xx answer: text, truncated, usage (estimated when absent); FAILED when the
     * provider refused to answer. False if it is not a completion at all. Text lies in `arena`. */
    bool (*read)(struct pawl_str body, const struct pawl_lm_request *request,
                 struct pawl_arena *arena, struct pawl_lm_reply *reply,
                 struct pawl_chat_counts *counts);
};

struct pawl_chat_options {
    const char *model, *base_url, *key_env, *prices;
    int64_t timeout_ms, retries, concurrency, host_concurrency, hedge_ms;
    struct pawl_lm_price price;
};
/* The option rows of a backend whose option struct S has a member `struct pawl_chat_options chat`. */
#define PAWL_CHAT_OPTION(S, field, kind, default_text, lo, hi, about)                              \
    {                                                                                              \
        .name = #field, .type = kind, .offset = offsetof(S, chat.field), .fallback = default_text, \
        .min = lo, .max = hi, .help = about                                                        \
    }
#define PAWL_CHAT_OPTIONS(S)                                                                       \
    {.name = "model",                                                                              \
     .type = PAWL_OPTION_TEXT,                                                                     \
     .offset = offsetof(S, chat.model),                                                            \
     .help = "the model's name at the provider",                                                   \
     .required = true},                                                                            \
        PAWL_CHAT_OPTION(S, base_url, PAWL_OPTION_TEXT, NULL, 0, 0,                                \
                         "where the API is, with or without /v1; default: see the README of lm"),  \
        PAWL_CHAT_OPTION(S, key_env, PAWL_OPTION_TEXT, NULL, 0, 0,                                 \
                         "the environment variable that holds the key; default: the provider's"),  \
        PAWL_CHAT_OPTION(S, timeout_ms, PAWL_OPTION_INT, "120000", 10, 3600000,                    \
                         "time for one whole answer"),                                             \
        PAWL_CHAT_OPTION(S, retries, PAWL_OPTION_INT, "5", 0, 20,                                  \
                         "further tries after the first"),                                         \
        PAWL_CHAT_OPTION(S, concurrency, PAWL_OPTION_INT, "16", 1, 10000,                          \
                         "requests at a time, at most; it adapts to what the host takes"),         \
        PAWL_CHAT_OPTION(S, host_concurrency, PAWL_OPTION_INT, "0", 0, 10000,                      \
                         "requests at a time of all models at this host; 0: the largest "          \
                         "concurrency of theirs"),                                                 \
        PAWL_CHAT_OPTION(S, hedge_ms, PAWL_OPTION_INT, "0", 0, 3600000,                            \
                         "ask a second time when an answer takes longer, and take the first that " \
                         "comes; both are paid; 0: never"),                                        \
        PAWL_CHAT_OPTION(S, prices, PAWL_OPTION_TEXT, NULL, 0, 0,                                  \
                         "a table of prices (YAML, or LiteLLM's JSON) to take the model's from"),  \
        PAWL_LM_PRICE_OPTIONS(S, chat.price)

struct pawl_chat;
/* Address and prices, without the network. */
enum pawl_status pawl_chat_check(const struct pawl_lm_open *context,
                                 const struct pawl_chat_wire *wire,
                                 const struct pawl_chat_options *options, struct pawl_error *err);
/* `style` is what wire->write gets; it is copied. `variant` is what else changes answers; it ends
 * the identity. *state is a struct pawl_chat; the functions below are slots of a backend. */
enum pawl_status pawl_chat_open(const struct pawl_lm_open *context,
                                const struct pawl_chat_wire *wire,
                                const struct pawl_chat_options *options, const void *style,
                                size_t style_bytes, const char *variant, void **state,
                                struct pawl_error *err);
void pawl_chat_close(void *state);
const char *pawl_chat_identity(void *state);
enum pawl_status pawl_chat_ask(void *state, struct pawl_arena *arena,
                               const struct pawl_lm_request *requests, size_t n,
                               struct pawl_lm_reply *replies, struct pawl_error *err);
void pawl_chat_cancel(void *state);
int pawl_chat_parallel(const struct pawl_chat_options *options);
int64_t pawl_chat_worst_cost(void *state, const struct pawl_lm_request *request);

#endif
