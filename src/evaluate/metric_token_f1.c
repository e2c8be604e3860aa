/*
 * Token F1 of SQuAD (Rajpurkar et al. 2016, arXiv:1606.05250): the harmonic mean of precision and
 * recall over the words of both texts, as bags, after normalisation.
 */
#include "evaluate/judge.h"

#include <stdlib.h>

enum { WORDS_MAX = 20000 };

struct bag {
    struct pawl_str *words;
    size_t n;
};

static int compare_words(const void *a, const void *b)
{
    const struct pawl_str *x = a, *y = b;
    int order = memcmp(x->ptr, y->ptr, x->len < y->len ? x->len : y->len);
    return order ? order : (x->len > y->len) - (x->len < y->len);
}

static struct bag bag_of(struct pawl_str text, struct pawl_arena *arena)
{
    text = pawl_judge_normalise(text, arena);
    size_t n = text.len > 0;
    for (size_t i = 0; i < text.len; i++) n += text.ptr[i] == ' ';
    if (n > WORDS_MAX) n = WORDS_MAX;
    struct bag bag = {PAWL_NEW_N(arena, struct pawl_str, n + 1), 0};
    while (bag.n < n && pawl_str_split(&text, ' ', &bag.words[bag.n])) bag.n++;
    if (bag.n > 0) qsort(bag.words, bag.n, sizeof *bag.words, compare_words);
    return bag;
}

static double f1(const void *options, struct pawl_arena *arena, struct pawl_str expected,
                 struct pawl_str given)
{
    (void)options;
    struct bag a = bag_of(expected, arena), b = bag_of(given, arena);
    if (a.n == 0 || b.n == 0) return a.n == b.n;
    size_t common = 0;
    for (size_t i = 0, j = 0; i < a.n && j < b.n;) {
        int order = compare_words(&a.words[i], &b.words[j]);
        common += order == 0;
        i += order <= 0;
        j += order >= 0;
    }
    return 2.0 * (double)common / (double)(a.n + b.n);
}

static enum pawl_status score(void *state, const void *options, struct pawl_arena *arena,
                              const struct pawl_metric_call *call,
                              struct pawl_metric_result *result, struct pawl_error *err)
{
    (void)state, (void)err;
    pawl_judge_fields(&(struct pawl_judge){.score = f1, .mean = true}, options, arena, call,
                      result);
    return PAWL_OK;
}

const struct pawl_metric_kind pawl_metric_token_f1 = {
    .api = PAWL_METRIC_API,
    .name = "token_f1",
    .summary = "how many words target and output share, as in SQuAD",
    .flags = PAWL_METRIC_BY_FIELD,
    .score = score,
};
