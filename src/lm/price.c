#include "lm/price.h"

#include "lm/request.h"

#include <math.h>

enum { MESSAGE_TOKENS = 16 }; /* role, separators; once more for the start of the answer */

bool pawl_lm_price_is_known(const struct pawl_lm_price *price)
{
    return price->price_prompt >= 0 || price->price_completion >= 0;
}

static double at_least_0(double price)
{
    return price > 0 ? price : 0;
}

static int64_t round_up(double microusd)
{
    return microusd < 9e15 ? (int64_t)ceil(microusd) : (int64_t)9e15;
}

int64_t pawl_lm_price_worst(const struct pawl_lm_price *price,
                            const struct pawl_lm_request *request)
{
    if (!pawl_lm_price_is_known(price)) return -1;
    double prompt =
        (double)pawl_lm_request_bytes(request) + (double)(request->n_messages + 1) * MESSAGE_TOKENS;
    double dearest =
        fmax(fmax(at_least_0(price->price_prompt), price->price_cached), price->price_cache_write);
    return round_up(prompt * dearest + request->max_tokens * at_least_0(price->price_completion));
}

int64_t pawl_lm_price_of(const struct pawl_lm_price *price, const struct pawl_usage *usage,
                         int64_t written_tokens)
{
    if (!pawl_lm_price_is_known(price)) return 0;
    double prompt = at_least_0(price->price_prompt);
    double cached = price->price_cached >= 0 ? price->price_cached : prompt;
    double written = price->price_cache_write >= 0 ? price->price_cache_write : prompt;
    int64_t fresh = usage->prompt_tokens - usage->cached_tokens - written_tokens;
    return round_up((double)fresh * prompt + (double)usage->cached_tokens * cached +
                    (double)written_tokens * written +
                    (double)usage->completion_tokens * at_least_0(price->price_completion));
}
