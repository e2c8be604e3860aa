/*
 * llama_score.h - answers held to a list: the log-probability of each choice after a prompt.
 *
 * The choices form a trie of tokens. The prompt's own logits give every first token; what lies
 * deeper needs a *path* decoded after the prompt: the tokens of a choice but its last. Choices that
 * differ in their first token, each one token long, need none.
 *
 *     sum    log P(choice), all its tokens. A choice that is the beginning of another also counts the
 *            end of the turn, else it would always win
 *     mean   the same divided by the number of tokens
 *     first  the tokens up to the one that tells a choice from all others: what a decoder held to
 *            the list would multiply
 *
 * Usage: build once per request; scored_row for the prompt's logits (path NULL) and for each token of
 * each path; then read `score`.
 */
#ifndef PAWL_LM_LLAMA_SCORE_H
#define PAWL_LM_LLAMA_SCORE_H

#include "base/arena.h"

#include <llama.h>
#include <stdbool.h>
#include <stddef.h>

enum pawl_llama_scoring { PAWL_LLAMA_SUM, PAWL_LLAMA_MEAN, PAWL_LLAMA_FIRST };

struct pawl_llama_choice {
    const llama_token *tokens;
    size_t n_tokens; /* that count, end of turn included */
    size_t path;     /* index into paths; used when n_tokens > 1 */
};
struct pawl_llama_path {
    const llama_token *tokens;
    size_t n_tokens;
};
struct pawl_llama_choices {
    enum pawl_llama_scoring scoring;
    struct pawl_llama_choice *choice;
    size_t n_choices;
    struct pawl_llama_path *paths;
    size_t n_paths;
    size_t longest_path;
    double *score; /* natural log, one per choice */
};

/* choice[i].tokens and n_tokens are given. */
void pawl_llama_choices_build(struct pawl_llama_choices *choices, struct pawl_arena *arena,
                              struct pawl_llama_choice *choice, size_t n_choices,
                              llama_token end_of_turn, enum pawl_llama_scoring scoring);
/* Logits that follow the prompt (path NULL), or token `depth` of `path`. */
void pawl_llama_choices_add(struct pawl_llama_choices *choices, const struct pawl_llama_path *path,
                            size_t depth, const float *logits, int n_vocab);
/* All logits are in: the index of the best choice. */
size_t pawl_llama_choices_finish(struct pawl_llama_choices *choices);

/* log of the sum of exp(logits). */
double pawl_llama_log_sum(const float *logits, int n_vocab);

#endif
