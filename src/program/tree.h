/*
 * tree.h - a search tree: which leaf to look at next, and what was learned of the nodes above it.
 *
 * Upper confidence bounds on the mean of what was found below a node (UCT). The published code of LATS divides
 * the running mean once more by the visits, and gives what was never visited its raw value; here the mean is
 * the mean, and what was never visited comes first.
 *
 * Invariants
 *   1. A leaf is picked once. It gets children, or it has none for ever; so a search ends.
 *   2. visits and value of a node are the count and the mean of what was backed up through it.
 *   3. Several leaves may be picked before anything comes back: each picked one counts, along its path, as a
 *      visit that found nothing (virtual loss), until it is returned. So the next pick looks elsewhere.
 *
 *     pawl_tree_init(&tree, arena, room, 1.0);          # node 0 is the root
 *     while (pawl_tree_pick(&tree, &leaf)) {
 *         child = pawl_tree_add(&tree, leaf);
 *         pawl_tree_back_up(&tree, child, reward);
 *         pawl_tree_return(&tree, leaf);
 *     }
 */
#ifndef PAWL_PROGRAM_TREE_H
#define PAWL_PROGRAM_TREE_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

struct pawl_tree_node {
    uint32_t parent, depth; /* the root is its own parent */
    uint32_t n_children;
    uint32_t visits, pending; /* pending: picked below and not returned */
    uint32_t n_free;          /* leaves below, itself included, that may be picked */
    double value;
};
struct pawl_tree {
    struct pawl_tree_node *nodes;
    uint32_t n, room;
    double weight; /* of exploration */
};
/* value + weight * sqrt(ln(parent_visits) / visits); infinite without a visit. */
double pawl_tree_uct(double value, double visits, double parent_visits, double weight);

/* A root without children, and room for so many nodes in all. */
void pawl_tree_init(struct pawl_tree *tree, struct pawl_arena *arena, uint32_t room, double weight);
/* The leaf that the bounds lead to, the first of equals; false when there is none. */
bool pawl_tree_pick(struct pawl_tree *tree, uint32_t *leaf);
void pawl_tree_return(struct pawl_tree *tree, uint32_t leaf);
/* A new leaf below a node that was picked. There has to be room. */
uint32_t pawl_tree_add(struct pawl_tree *tree, uint32_t parent);
/* Never pick this leaf. */
void pawl_tree_close(struct pawl_tree *tree, uint32_t leaf);
void pawl_tree_back_up(struct pawl_tree *tree, uint32_t node, double reward);

#endif
