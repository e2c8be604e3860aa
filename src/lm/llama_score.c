#include "lm/llama_score.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

double pawl_llama_log_sum(const float *logits, int n_vocab)
{
    float top = logits[0];
    for (int i = 1; i < n_vocab; i++)
        if (logits[i] > top) top = logits[i];
    double sum = 0;
    for (int i = 0; i < n_vocab; i++) sum += (double)expf(logits[i] - top);
    return (double)top + log(sum);
}

static size_t common_tokens(const struct pawl_llama_choice *a, const struct pawl_llama_choice *b)
{
    size_t n = 0;
    while (n < a->n_tokens && n < b->n_tokens && a->tokens[n] == b->tokens[n]) n++;
    return n;
}

/* How many of its tokens tell choice i from every other; all of them for a beginning of another. */
static size_t telling_tokens(const struct pawl_llama_choices *choices, size_t i)
{
    const struct pawl_llama_choice *mine = &choices->choice[i];
    size_t telling = 1;
    for (size_t k = 0; k < choices->n_choices; k++) {
        if (k == i) continue;
        size_t common = common_tokens(mine, &choices->choice[k]);
        if (common + 1 > telling) telling = common + 1;
    }
    return telling < mine->n_tokens ? telling : mine->n_tokens;
}

static bool begins_another(const struct pawl_llama_choices *choices, size_t i)
{
    const struct pawl_llama_choice *mine = &choices->choice[i];
    for (size_t k = 0; k < choices->n_choices; k++) {
        const struct pawl_llama_choice *other = &choices->choice[k];
        if (other->n_tokens > mine->n_tokens && common_tokens(mine, other) == mine->n_tokens)
            return true;
    }
    return false;
}

static int by_tokens(const void *a, const void *b)
{
    const struct pawl_llama_choice *x = *(struct pawl_llama_choice *const *)a;
    const struct pawl_llama_choice *y = *(struct pawl_llama_choice *const *)b;
    size_t n = common_tokens(x, y);
    if (n == x->n_tokens || n == y->n_tokens)
        return (x->n_tokens > y->n_tokens) - (x->n_tokens < y->n_tokens);
    return x->tokens[n] < y->tokens[n] ? -1 : 1;
}

/* The way down to the node that was added last. */
struct way {
    size_t *nodes;
    size_t n;
};

/* Choices in the order of their tokens walk the trie from left to right: one leaves the way of the
 * one before it where they part, and what it passes first is new. */
static void walk(struct pawl_llama_choices *choices, struct way *way,
                 struct pawl_llama_choice *choice)
{
    size_t depth = 0, last = choice->n_tokens - 1;
    while (depth < way->n && depth < last &&
           choices->nodes[way->nodes[depth]].token == choice->tokens[depth])
        depth++;
    for (; depth < last; depth++) {
        while (way->n > depth) choices->nodes[way->nodes[--way->n]].end = choices->n_nodes;
        choices->nodes[choices->n_nodes] = (struct pawl_llama_node){
            .token = choice->tokens[depth],
            .parent = depth ? way->nodes[depth - 1] : PAWL_LLAMA_ROOT,
            .depth = depth,
            .entry = -1,
        };
        way->nodes[way->n++] = choices->n_nodes++;
        if (way->n > choices->height) choices->height = way->n;
    }
    choice->node = last ? way->nodes[last - 1] : PAWL_LLAMA_ROOT;
}

static void plant(struct pawl_llama_choices *choices, struct pawl_arena *arena)
{
    size_t n_tokens = 0, longest = 0;
    struct pawl_llama_choice **sorted =
        PAWL_NEW_N(arena, struct pawl_llama_choice *, choices->n_choices);
    for (size_t i = 0; i < choices->n_choices; i++) {
        sorted[i] = &choices->choice[i];
        n_tokens += sorted[i]->n_tokens;
        if (sorted[i]->n_tokens > longest) longest = sorted[i]->n_tokens;
    }
    qsort(sorted, choices->n_choices, sizeof *sorted, by_tokens);
    choices->nodes = PAWL_NEW_N(arena, struct pawl_llama_node, n_tokens);
    struct way way = {.nodes = PAWL_NEW_N(arena, size_t, longest)};
    for (size_t i = 0; i < choices->n_choices; i++) walk(choices, &way, sorted[i]);
    while (way.n > 0) choices->nodes[way.nodes[--way.n]].end = choices->n_nodes;
}

void pawl_llama_choices_build(struct pawl_llama_choices *choices, struct pawl_arena *arena,
                              struct pawl_llama_choice *choice, size_t n_choices,
                              llama_token end_of_turn, enum pawl_llama_scoring scoring)
{
    *choices = (struct pawl_llama_choices){.scoring = scoring,
                                           .choice = choice,
                                           .n_choices = n_choices,
                                           .score = PAWL_NEW_N(arena, double, n_choices)};
    bool *ends = PAWL_NEW_N(arena, bool, n_choices);
    for (size_t i = 0; i < n_choices; i++) ends[i] = begins_another(choices, i);
    for (size_t i = 0; i < n_choices; i++) {
        if (!ends[i] && choice[i].n_tokens > 0) continue;
        llama_token *longer = PAWL_NEW_N(arena, llama_token, choice[i].n_tokens + 1);
        if (choice[i].n_tokens)
            memcpy(longer, choice[i].tokens, choice[i].n_tokens * sizeof *longer);
        longer[choice[i].n_tokens++] = end_of_turn;
        choice[i].tokens = longer;
    }
    size_t *counted = PAWL_NEW_N(arena, size_t, n_choices);
    for (size_t i = 0; i < n_choices; i++)
        counted[i] = scoring == PAWL_LLAMA_FIRST ? telling_tokens(choices, i) : choice[i].n_tokens;
    for (size_t i = 0; i < n_choices; i++) choice[i].n_tokens = counted[i];
    plant(choices, arena);
}

void pawl_llama_choices_add(struct pawl_llama_choices *choices, size_t node, const float *logits,
                            int n_vocab)
{
    double log_sum = pawl_llama_log_sum(logits, n_vocab);
    bool root = node == PAWL_LLAMA_ROOT;
    size_t next = root ? 0 : choices->nodes[node].depth + 1;
    size_t end = root ? 0 : choices->nodes[node].end;
    for (size_t i = 0; i < choices->n_choices; i++) {
        const struct pawl_llama_choice *choice = &choices->choice[i];
        bool through =
            root || (choice->node != PAWL_LLAMA_ROOT && choice->node >= node && choice->node < end);
        if (through) choices->score[i] += (double)logits[choice->tokens[next]] - log_sum;
    }
}

size_t pawl_llama_choices_finish(struct pawl_llama_choices *choices)
{
    size_t best = 0;
    for (size_t i = 0; i < choices->n_choices; i++) {
        if (choices->scoring == PAWL_LLAMA_MEAN)
            choices->score[i] /= (double)choices->choice[i].n_tokens;
        if (choices->score[i] > choices->score[best]) best = i;
    }
    return best;
}
