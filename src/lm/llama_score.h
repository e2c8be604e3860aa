/*
 * llama_score.h - answers held to a list: the log-probability of each choice after a prompt.
 *
 * The choices form a trie of tokens. The prompt's own logits give every first token; each *node* is a
 * token that other tokens of a choice follow, and is decoded once for all choices that go through
 * it. The last token of a choice is read from the logits before it and never decoded, so choices of
 * one token each need no decode at all.
 *
 * Invariants
 *   1. Nodes lie in the order of a walk from the root downwards: a node's first child is the next
 *      node, and all that lies below node i is in [i, nodes[i].end).
 *   2. A choice's score is complete when the root's and every node's logits were added once.
 *
 *     sum    log P(choice), all its tokens. A choice that is the beginning of another also counts the
 *            end of the turn, else it would always win
 *     mean   the same divided by the number of tokens
 *     first  the tokens up to the one that tells a choice from all others: what a decoder held to
 *            the list would multiply
 *
 * Usage: build once per request; add the prompt's logits (PAWL_LLAMA_ROOT) and those after each node;
 * then finish, and read `score`.
 */
#ifndef PAWL_LM_LLAMA_SCORE_H
#define PAWL_LM_LLAMA_SCORE_H

#include "base/arena.h"

#include <llama.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pawl_llama_scoring { PAWL_LLAMA_SUM, PAWL_LLAMA_MEAN, PAWL_LLAMA_FIRST };

struct pawl_llama_choice {
    const llama_token *tokens;
    size_t n_tokens; /* that count, end of turn included */
    size_t node;     /* before its last token: an index into nodes, or PAWL_LLAMA_ROOT */
};
struct pawl_llama_node {
    llama_token token;
    size_t parent; /* PAWL_LLAMA_ROOT: it follows the prompt */
    size_t depth;  /* tokens between the prompt and it */
    size_t end;
    int32_t entry; /* the engine's: its place in the batch, or -1 */
};
#define PAWL_LLAMA_ROOT SIZE_MAX
struct pawl_llama_choices {
    enum pawl_llama_scoring scoring;
    struct pawl_llama_choice *choice;
    size_t n_choices;
    struct pawl_llama_node *nodes;
    size_t n_nodes;
    size_t height; /* nodes on the longest way down */
    double *score; /* natural log, one per choice */
};

/* choice[i].tokens and n_tokens are given. */
void pawl_llama_choices_build(struct pawl_llama_choices *choices, struct pawl_arena *arena,
                              struct pawl_llama_choice *choice, size_t n_choices,
                              llama_token end_of_turn, enum pawl_llama_scoring scoring);
/* Logits that follow a node, or the prompt (PAWL_LLAMA_ROOT). */
void pawl_llama_choices_add(struct pawl_llama_choices *choices, size_t node, const float *logits,
                            int n_vocab);
/* All logits are in: the index of the best choice. */
size_t pawl_llama_choices_finish(struct pawl_llama_choices *choices);

/* log of the sum of exp(logits). */
double pawl_llama_log_sum(const float *logits, int n_vocab);

#endif
