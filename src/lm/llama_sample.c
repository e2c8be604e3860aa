#include "lm/llama_sample.h"

#include "base/arena.h"

#include <math.h>
#include <stdlib.h>

struct pawl_llama_urn {
    int n_vocab;
    struct ball {
        llama_token token;
        float weight; /* proportional to its probability; the likeliest has 1 */
    } balls[];
};

struct pawl_llama_urn *pawl_llama_urn_new(int n_vocab)
{
    struct pawl_llama_urn *urn = pawl_xmalloc(sizeof *urn + (size_t)n_vocab * sizeof urn->balls[0]);
    urn->n_vocab = n_vocab;
    return urn;
}

void pawl_llama_urn_free(struct pawl_llama_urn *urn)
{
    free(urn);
}

static llama_token likeliest(const float *logits, int n_vocab)
{
    llama_token best = 0;
    for (int i = 1; i < n_vocab; i++)
        if (logits[i] > logits[best]) best = i;
    return best;
}

static int heavier_first(const void *a, const void *b)
{
    const struct ball *x = a, *y = b;
    if (x->weight != y->weight) return x->weight < y->weight ? 1 : -1;
    return (x->token > y->token) - (x->token < y->token);
}

/* The tokens that share all but a billionth of the probability, heaviest first. */
static size_t fill(struct pawl_llama_urn *urn, const float *logits, double temperature)
{
    const float top = logits[likeliest(logits, urn->n_vocab)];
    const float scale = (float)(1 / temperature);
    const float lightest = 1e-9f / (float)urn->n_vocab;
    size_t n = 0;
    for (int i = 0; i < urn->n_vocab; i++) {
        float weight = expf((logits[i] - top) * scale);
        if (weight >= lightest) urn->balls[n++] = (struct ball){i, weight};
    }
    qsort(urn->balls, n, sizeof urn->balls[0], heavier_first);
    return n;
}

bool pawl_llama_is_greedy(const struct pawl_llama_sampling *sampling)
{
    return sampling->temperature < 1e-4;
}

llama_token pawl_llama_pick(struct pawl_llama_urn *urn, struct pawl_llama_sampling *sampling,
                            const float *logits)
{
    if (pawl_llama_is_greedy(sampling)) return likeliest(logits, urn->n_vocab);
    size_t n = fill(urn, logits, sampling->temperature);
    if (n == 0) return likeliest(logits, urn->n_vocab); /* not numbers: let decoding go on */
    double all = 0;
    for (size_t i = 0; i < n; i++) all += (double)urn->balls[i].weight;
    double top_p = sampling->top_p > 0 && sampling->top_p < 1 ? sampling->top_p : 1;
    double nucleus = 0;
    size_t n_nucleus = 0;
    while (n_nucleus < n && (n_nucleus == 0 || nucleus < top_p * all))
        nucleus += (double)urn->balls[n_nucleus++].weight;
    double draw = pawl_random_unit(&sampling->random) * nucleus;
    for (size_t i = 0; i < n_nucleus; i++) {
        draw -= (double)urn->balls[i].weight;
        if (draw < 0) return urn->balls[i].token;
    }
    return urn->balls[n_nucleus - 1].token;
}

size_t pawl_llama_find_stop(struct pawl_str text, size_t n_new, const struct pawl_str *stops,
                            size_t n_stops)
{
    size_t first = text.len;
    for (size_t i = 0; i < n_stops; i++) {
        struct pawl_str stop = stops[i];
        if (stop.len == 0 || stop.len > text.len) continue;
        size_t from = text.len - n_new;
        from = from > stop.len - 1 ? from - (stop.len - 1) : 0;
        const char *found = memmem(text.ptr + from, text.len - from, stop.ptr, stop.len);
        if (found && (size_t)(found - text.ptr) < first) first = (size_t)(found - text.ptr);
    }
    return first;
}
