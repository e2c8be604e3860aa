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
        counted[i] = scoring == PAWL_LLAMA_FIRST || scoring == PAWL_LLAMA_HELD
                         ? telling_tokens(choices, i)
                         : choice[i].n_tokens;
    for (size_t i = 0; i < n_choices; i++) {
        choice[i].n_tokens = counted[i];
        choice[i].n_known = 0;
    }
    plant(choices, arena);
}

/* ---- Searching -------------------------------------------------------------------------------- */

static bool is_complete(const struct pawl_llama_choice *choice)
{
    return choice->n_known == choice->n_tokens;
}

/* The node whose logits give a choice's next token; PAWL_LLAMA_ROOT before the prompt's are in. */
static size_t node_before_next(const struct pawl_llama_choices *choices,
                               const struct pawl_llama_choice *choice)
{
    size_t at = choice->node;
    for (size_t up = choice->n_tokens - 1 - choice->n_known; up > 0; up--)
        at = choices->nodes[at].parent;
    return at;
}

static bool goes_through(const struct pawl_llama_choices *choices,
                         const struct pawl_llama_choice *choice, size_t node)
{
    if (node == PAWL_LLAMA_ROOT) return true;
    return choice->node != PAWL_LLAMA_ROOT && choice->node >= node &&
           choice->node < choices->nodes[node].end;
}

/* True if a choice before i goes on with the same token. */
static bool is_repeated(const struct pawl_llama_choices *choices, size_t i, size_t node,
                        size_t next)
{
    for (size_t k = 0; k < i; k++)
        if (goes_through(choices, &choices->choice[k], node) &&
            choices->choice[k].tokens[next] == choices->choice[i].tokens[next])
            return true;
    return false;
}

/* log of the sum of exp(logit) over the tokens that go on with a choice, each once. */
static double log_sum_of_held(const struct pawl_llama_choices *choices, size_t node, size_t next,
                              const float *logits)
{
    double sum = 0, top = -INFINITY;
    for (size_t i = 0; i < choices->n_choices; i++) {
        if (!goes_through(choices, &choices->choice[i], node)) continue;
        double logit = (double)logits[choices->choice[i].tokens[next]];
        if (isnan(logit) || logit == -INFINITY || is_repeated(choices, i, node, next)) continue;
        if (logit > top) {
            sum *= exp(top - logit);
            top = logit;
        }
        sum += exp(logit - top);
    }
    return top + log(sum);
}

void pawl_llama_choices_add(struct pawl_llama_choices *choices, size_t node, const float *logits,
                            int n_vocab)
{
    size_t next = node == PAWL_LLAMA_ROOT ? 0 : choices->nodes[node].depth + 1;
    double log_sum = choices->scoring == PAWL_LLAMA_HELD
                         ? log_sum_of_held(choices, node, next, logits)
                         : pawl_llama_log_sum(logits, n_vocab);
    for (size_t i = 0; i < choices->n_choices; i++) {
        struct pawl_llama_choice *choice = &choices->choice[i];
        if (!goes_through(choices, choice, node)) continue;
        if (choice->n_known != next) PAWL_BUG("a node was added before those above it, or twice");
        double logprob = (double)logits[choice->tokens[next]] - log_sum;
        choices->score[i] += logprob <= 0 ? logprob : -INFINITY;
        choice->n_known++;
    }
    if (node != PAWL_LLAMA_ROOT) choices->n_added++;
}

/* What the choice has when it is complete, and until then no less than it can get. */
static double bound_of(const struct pawl_llama_choices *choices, size_t i)
{
    double score = choices->score[i];
    return choices->scoring == PAWL_LLAMA_MEAN ? score / (double)choices->choice[i].n_tokens
                                               : score;
}

/* Of two choices: the greater bound, and of equal ones the earlier. */
static bool is_before(const struct pawl_llama_choices *choices, size_t a, size_t b)
{
    double x = bound_of(choices, a), y = bound_of(choices, b);
    return x > y || (x == y && a < b);
}

/* The best of the complete choices; n_choices when there is none. */
static size_t best_complete(const struct pawl_llama_choices *choices)
{
    size_t best = choices->n_choices;
    for (size_t i = 0; i < choices->n_choices; i++)
        if (is_complete(&choices->choice[i]) &&
            (best == choices->n_choices || is_before(choices, i, best)))
            best = i;
    return best;
}

/* Down to the first leaf: the branches of a batch lie in the order of the walk, and share most. */
static bool next_of_all(const struct pawl_llama_choices *choices, struct pawl_llama_branch *branch)
{
    const struct pawl_llama_node *nodes = choices->nodes;
    size_t first = choices->n_added;
    while (first < choices->n_nodes && nodes[first].entry >= 0) first++;
    if (first == choices->n_nodes) return false;
    *branch = (struct pawl_llama_branch){first, first};
    while (nodes[branch->last].end > branch->last + 1) branch->last++;
    return true;
}

/*
 * The node that the open choice with the best bound waits for, and what follows while there is one way
 * to go on: stopping above that would save a token if the choice loses, and costs the computing of
 * everything above once more if it does not.
 */
static bool next_of_best(const struct pawl_llama_choices *choices, struct pawl_llama_branch *branch)
{
    const struct pawl_llama_node *nodes = choices->nodes;
    size_t complete = best_complete(choices), best = choices->n_choices, first = 0;
    for (size_t i = 0; i < choices->n_choices; i++) {
        if (is_complete(&choices->choice[i])) continue;
        if (complete < choices->n_choices && !is_before(choices, i, complete)) continue;
        if (best < choices->n_choices && !is_before(choices, i, best)) continue;
        size_t node = node_before_next(choices, &choices->choice[i]);
        if (nodes[node].entry >= 0) continue;
        best = i;
        first = node;
    }
    if (best == choices->n_choices) return false;
    *branch = (struct pawl_llama_branch){first, first};
    for (size_t at = first; nodes[at].end > at + 1 && nodes[at + 1].end == nodes[at].end; at++)
        branch->last = at + 1;
    return true;
}

bool pawl_llama_choices_next(const struct pawl_llama_choices *choices,
                             struct pawl_llama_branch *branch)
{
    return choices->best_only ? next_of_best(choices, branch) : next_of_all(choices, branch);
}

size_t pawl_llama_choices_finish(struct pawl_llama_choices *choices)
{
    size_t best = best_complete(choices);
    if (best == choices->n_choices) PAWL_BUG("no choice is complete");
    for (size_t i = 0; i < choices->n_choices; i++) choices->score[i] = bound_of(choices, i);
    return best;
}
