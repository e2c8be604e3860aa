#include "lm/llama_hold.h"

#include "base/arena.h"

#include <math.h>
#include <stdlib.h>

/* In logits: tokens this far below the likeliest are looked at only when none above is allowed. */
static const float near_the_top = 8;

struct pawl_llama_hold {
    const struct llama_vocab *vocab;
    struct llama_sampler *grammar;
    int n_vocab;
    llama_token_data *candidates; /* room for all; made when first needed */
    float *masked;
};

static struct pawl_llama_hold *wrap(const struct llama_vocab *vocab, struct llama_sampler *grammar)
{
    if (!grammar) return NULL;
    struct pawl_llama_hold *hold = pawl_xcalloc(1, sizeof *hold);
    *hold = (struct pawl_llama_hold){
        .vocab = vocab, .grammar = grammar, .n_vocab = llama_vocab_n_tokens(vocab)};
    return hold;
}

struct pawl_llama_hold *pawl_llama_hold_new(const struct llama_vocab *vocab, const char *gbnf)
{
    return wrap(vocab, llama_sampler_init_grammar(vocab, gbnf, "root"));
}

struct pawl_llama_hold *pawl_llama_hold_copy(const struct pawl_llama_hold *hold)
{
    return wrap(hold->vocab, llama_sampler_clone(hold->grammar));
}

void pawl_llama_hold_free(struct pawl_llama_hold *hold)
{
    if (!hold) return;
    llama_sampler_free(hold->grammar);
    free(hold->candidates);
    free(hold->masked);
    free(hold);
}

static bool is_control(const struct pawl_llama_hold *hold, llama_token token)
{
    return llama_vocab_is_control(hold->vocab, token) && !llama_vocab_is_eog(hold->vocab, token);
}

static bool allows(const struct pawl_llama_hold *hold, llama_token token)
{
    llama_token_data one = {.id = token};
    llama_token_data_array array = {.data = &one, .size = 1, .selected = -1};
    llama_sampler_apply(hold->grammar, &array);
    return one.logit > -INFINITY && !is_control(hold, token);
}

/* Leave in `masked` the logits of allowed tokens, of those that are at least `lowest`. */
static size_t mask(struct pawl_llama_hold *hold, const float *logits, float lowest)
{
    size_t n = 0, n_allowed = 0;
    for (int i = 0; i < hold->n_vocab; i++) {
        hold->masked[i] = -INFINITY;
        if (logits[i] >= lowest && !is_control(hold, i))
            hold->candidates[n++] = (llama_token_data){.id = i, .logit = logits[i]};
    }
    llama_token_data_array array = {.data = hold->candidates, .size = n, .selected = -1};
    if (n > 0) llama_sampler_apply(hold->grammar, &array);
    for (size_t i = 0; i < array.size; i++) {
        hold->masked[array.data[i].id] = array.data[i].logit;
        n_allowed += array.data[i].logit > -INFINITY;
    }
    return n_allowed;
}

static llama_token pick_other(struct pawl_llama_hold *hold, struct pawl_llama_urn *urn,
                              struct pawl_llama_sampling *sampling, const float *logits)
{
    size_t n = (size_t)hold->n_vocab;
    if (!hold->masked) {
        hold->candidates = pawl_xmalloc(n * sizeof *hold->candidates);
        hold->masked = pawl_xmalloc(n * sizeof *hold->masked);
    }
    float top = -INFINITY;
    for (size_t i = 0; i < n; i++)
        if (logits[i] > top) top = logits[i];
    /* The likeliest allowed token is among the near ones, if any of them is; a draw needs them all. */
    bool greedy = pawl_llama_is_greedy(sampling);
    if (!(greedy && mask(hold, logits, top - near_the_top)) && !mask(hold, logits, -INFINITY))
        return LLAMA_TOKEN_NULL;
    return pawl_llama_pick(urn, sampling, hold->masked);
}

llama_token pawl_llama_hold_pick(struct pawl_llama_hold *hold, struct pawl_llama_urn *urn,
                                 struct pawl_llama_sampling *sampling, const float *logits)
{
    llama_token token = pawl_llama_pick(urn, sampling, logits);
    if (!allows(hold, token)) token = pick_other(hold, urn, sampling, logits);
    if (token != LLAMA_TOKEN_NULL) llama_sampler_accept(hold->grammar, token);
    return token;
}

bool pawl_llama_hold_is_closed(const struct pawl_llama_hold *hold, struct pawl_str text)
{
    if (text.len == 0 || (text.ptr[text.len - 1] >= '0' && text.ptr[text.len - 1] <= '9'))
        return false;
    return allows(hold, llama_vocab_eos(hold->vocab));
}
