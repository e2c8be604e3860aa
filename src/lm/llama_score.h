/*
 * llama_score.h - answers held to a list: the log-probability of each choice after a prompt, or the
 * best choice alone.
 *
 * The choices form a trie of tokens. The prompt's own logits give every first token; each *node* is a
 * token that other tokens of a choice follow, and is decoded once for all choices that go through
 * it. The last token of a choice is read from the logits before it and never decoded, so choices of
 * one token each need no decode at all.
 *
 * The best choice alone costs less, for a way down only falls: what a choice has so far bounds from
 * above what it can get (a sum as it stands; a mean is at most that sum over the choice's number of
 * tokens). Nodes are decoded in the order of the best bound below them, until no choice that is not
 * complete could still win.
 *
 * Invariants
 *   1. Nodes lie in the order of a walk from the root downwards: a node's first child is the next
 *      node, and all that lies below node i is in [i, nodes[i].end).
 *   2. A node's logits are added at most once, and after those of all nodes above it. So `score` holds
 *      the first n_known tokens of each choice, summed in the same order whoever searches, and falls
 *      with every one of them (what is not a number counts as impossible).
 *   3. Both searches find the same choice: the first of those whose score is the greatest.
 *
 *     sum    log P(choice), all its tokens. A choice that is the beginning of another also counts the
 *            end of the turn, else it would always win
 *     mean   the same divided by the number of tokens
 *     first  the tokens up to the one that tells a choice from all others, after which a decoder held to
 *            the list has no choice left
 *     held   what such a decoder draws with: the same tokens, each against those alone that go on with a
 *            choice. Costs least, as what nothing else could follow loses nothing. A choice may win by
 *            how common its beginning is
 *
 * Usage: build once per request and add the prompt's logits. Then, until there is nothing next:
 *
 *     for (i...) choices.nodes[i].entry = -1;
 *     while (room && pawl_llama_choices_next(&choices, &branch)) plan the branch: set `entry`;
 *     decode; pawl_llama_choices_add the logits after each node that was planned, from above;
 *
 * and finish.
 */
#ifndef PAWL_LM_LLAMA_SCORE_H
#define PAWL_LM_LLAMA_SCORE_H

#include "base/arena.h"

#include <llama.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pawl_llama_scoring { PAWL_LLAMA_SUM, PAWL_LLAMA_MEAN, PAWL_LLAMA_FIRST, PAWL_LLAMA_HELD };

struct pawl_llama_choice {
    const llama_token *tokens;
    size_t n_tokens; /* that count, end of turn included */
    size_t node;     /* before its last token: an index into nodes, or PAWL_LLAMA_ROOT */
    size_t n_known;  /* of its tokens, in score */
};
struct pawl_llama_node {
    llama_token token;
    size_t parent; /* PAWL_LLAMA_ROOT: it follows the prompt */
    size_t depth;  /* tokens between the prompt and it */
    size_t end;
    int32_t entry; /* the engine's: its place in the batch that is put together, or -1 */
};
#define PAWL_LLAMA_ROOT SIZE_MAX
struct pawl_llama_choices {
    enum pawl_llama_scoring scoring;
    bool best_only; /* set it after build: the score of the best choice alone is wanted */
    struct pawl_llama_choice *choice;
    size_t n_choices;
    struct pawl_llama_node *nodes;
    size_t n_nodes;
    size_t height;  /* nodes on the longest way down */
    double *score;  /* natural log, one per choice */
    size_t n_added; /* nodes */
};
/* Nodes that are decoded together, each the parent of the next. */
struct pawl_llama_branch {
    size_t first, last;
};

/* choice[i].tokens and n_tokens are given. */
void pawl_llama_choices_build(struct pawl_llama_choices *choices, struct pawl_arena *arena,
                              struct pawl_llama_choice *choice, size_t n_choices,
                              llama_token end_of_turn, enum pawl_llama_scoring scoring);
/* Logits that follow a node, or the prompt (PAWL_LLAMA_ROOT). */
void pawl_llama_choices_add(struct pawl_llama_choices *choices, size_t node, const float *logits,
                            int n_vocab);
/* What to decode next; false when all that is wanted was added, or is in the batch. */
bool pawl_llama_choices_next(const struct pawl_llama_choices *choices,
                             struct pawl_llama_branch *branch);
/* Nothing is next and no batch is out: the index of the best choice. Every score is complete then, or
 * with best_only the best one. */
size_t pawl_llama_choices_finish(struct pawl_llama_choices *choices);

/* log of the sum of exp(logits). */
double pawl_llama_log_sum(const float *logits, int n_vocab);

#endif
