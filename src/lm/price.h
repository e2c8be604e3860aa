/*
 * price.h - what a request may cost and what it did cost. Usd per million tokens is microusd per
 * token. A model without a price has -1 in both of the first two fields.
 */
#ifndef PAWL_LM_PRICE_H
#define PAWL_LM_PRICE_H

#include "base/option.h"
#include "lm/lm.h"

struct pawl_lm_price {
    double price_prompt, price_completion;
    double price_cached;      /* -1: as the other prompt tokens */
    double price_cache_write; /* -1: as the other prompt tokens */
};
/* The option rows of a backend whose option struct S has the prices at `member`. */
#define PAWL_LM_PRICE_OPTION(S, member, field, about)                                              \
    {                                                                                              \
        .name = #field, .type = PAWL_OPTION_REAL, .offset = offsetof(S, member.field),             \
        .fallback = "-1", .min = -1, .max = 1e6, .help = about                                     \
    }
#define PAWL_LM_PRICE_OPTIONS(S, member)                                                           \
    PAWL_LM_PRICE_OPTION(S, member, price_prompt, "usd per million prompt tokens; -1: no price"),  \
        PAWL_LM_PRICE_OPTION(S, member, price_completion, "usd per million completion tokens"),    \
        PAWL_LM_PRICE_OPTION(S, member, price_cached,                                              \
                             "usd per million prompt tokens of the provider's "                    \
                             "cache; -1: as other prompt tokens"),                                 \
        PAWL_LM_PRICE_OPTION(S, member, price_cache_write,                                         \
                             "usd per million prompt tokens written to the provider's "            \
                             "cache; -1: as other prompt tokens")

/* Does it say what anything costs? */
bool pawl_lm_price_is_known(const struct pawl_lm_price *price);
/* Microusd, rounded up; -1 without a price. A token is at least one byte, and each message adds a
 * few of its own. */
int64_t pawl_lm_price_worst(const struct pawl_lm_price *price,
                            const struct pawl_lm_request *request);
/* Microusd, rounded up; 0 without a price. `written_tokens` of the prompt went into the provider's
 * cache; reasoning is part of the completion. */
int64_t pawl_lm_price_of(const struct pawl_lm_price *price, const struct pawl_usage *usage,
                         int64_t written_tokens);

#endif
