#include "lm/llama_score.h"

#include <math.h>
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

/* A path that begins with the same tokens serves both; the longer one is kept. */
static size_t path_for(struct pawl_llama_choices *choices, const llama_token *tokens, size_t n)
{
    for (size_t p = 0; p < choices->n_paths; p++) {
        struct pawl_llama_path *path = &choices->paths[p];
        size_t shorter = n < path->n_tokens ? n : path->n_tokens;
        if (memcmp(tokens, path->tokens, shorter * sizeof *tokens) != 0) continue;
        if (n > path->n_tokens) *path = (struct pawl_llama_path){tokens, n};
        return p;
    }
    choices->paths[choices->n_paths] = (struct pawl_llama_path){tokens, n};
    return choices->n_paths++;
}

void pawl_llama_choices_build(struct pawl_llama_choices *choices, struct pawl_arena *arena,
                              struct pawl_llama_choice *choice, size_t n_choices,
                              llama_token end_of_turn, enum pawl_llama_scoring scoring)
{
    *choices =
        (struct pawl_llama_choices){.scoring = scoring,
                                    .choice = choice,
                                    .n_choices = n_choices,
                                    .paths = PAWL_NEW_N(arena, struct pawl_llama_path, n_choices),
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
    for (size_t i = 0; i < n_choices; i++) {
        choice[i].n_tokens = counted[i];
        if (counted[i] < 2) continue;
        choice[i].path = path_for(choices, choice[i].tokens, counted[i] - 1);
        if (counted[i] - 1 > choices->longest_path) choices->longest_path = counted[i] - 1;
    }
}

void pawl_llama_choices_add(struct pawl_llama_choices *choices, const struct pawl_llama_path *path,
                            size_t depth, const float *logits, int n_vocab)
{
    double log_sum = pawl_llama_log_sum(logits, n_vocab);
    size_t next = path ? depth + 1 : 0;
    for (size_t i = 0; i < choices->n_choices; i++) {
        const struct pawl_llama_choice *choice = &choices->choice[i];
        if (next >= choice->n_tokens) continue;
        if (path && &choices->paths[choice->path] != path) continue;
        choices->score[i] += (double)logits[choice->tokens[next]] - log_sum;
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
