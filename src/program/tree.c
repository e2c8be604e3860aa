#include "program/tree.h"

#include <math.h>

double pawl_tree_uct(double value, double visits, double parent_visits, double weight)
{
    if (!(visits > 0)) return INFINITY;
    double seen = parent_visits > 1 ? log(parent_visits) : 0;
    return value + weight * sqrt(seen / visits);
}

void pawl_tree_init(struct pawl_tree *tree, struct pawl_arena *arena, uint32_t room, double weight)
{
    *tree = (struct pawl_tree){.nodes = PAWL_NEW_N(arena, struct pawl_tree_node, room),
                               .n = 1,
                               .room = room,
                               .weight = weight};
    tree->nodes[0].n_free = 1;
}

/* The node, its parent, and so on to the root. False when `*at` was the root. */
static bool go_up(const struct pawl_tree *tree, uint32_t *at)
{
    if (*at == 0) return false;
    *at = tree->nodes[*at].parent;
    return true;
}

static double bound_of(const struct pawl_tree *tree, uint32_t child)
{
    const struct pawl_tree_node *node = &tree->nodes[child], *parent = &tree->nodes[node->parent];
    double visits = (double)node->visits + node->pending;
    double value = visits > 0 ? node->value * node->visits / visits : 0;
    return pawl_tree_uct(value, visits, (double)parent->visits + parent->pending, tree->weight);
}

/* The child with the highest bound of those with a leaf to pick. A node's children come after it. */
static uint32_t best_child(const struct pawl_tree *tree, uint32_t parent)
{
    uint32_t best = 0;
    double highest = -INFINITY;
    for (uint32_t i = parent + 1; i < tree->n; i++) {
        if (tree->nodes[i].parent != parent || tree->nodes[i].n_free == 0) continue;
        double bound = bound_of(tree, i);
        if (best != 0 && !(bound > highest)) continue;
        highest = bound;
        best = i;
    }
    return best;
}

static void take_from_free(struct pawl_tree *tree, uint32_t leaf)
{
    uint32_t at = leaf;
    do tree->nodes[at].n_free--;
    while (go_up(tree, &at));
}

bool pawl_tree_pick(struct pawl_tree *tree, uint32_t *leaf)
{
    uint32_t at = 0;
    if (tree->nodes[0].n_free == 0) return false;
    while (tree->nodes[at].n_children > 0) at = best_child(tree, at);
    *leaf = at;
    take_from_free(tree, at);
    do tree->nodes[at].pending++;
    while (go_up(tree, &at));
    return true;
}

void pawl_tree_return(struct pawl_tree *tree, uint32_t leaf)
{
    do {
        PAWL_ASSERT(tree->nodes[leaf].pending > 0);
        tree->nodes[leaf].pending--;
    } while (go_up(tree, &leaf));
}

uint32_t pawl_tree_add(struct pawl_tree *tree, uint32_t parent)
{
    PAWL_ASSERT(tree->n < tree->room);
    uint32_t child = tree->n++, at = child;
    tree->nodes[child] =
        (struct pawl_tree_node){.parent = parent, .depth = tree->nodes[parent].depth + 1};
    tree->nodes[parent].n_children++;
    do tree->nodes[at].n_free++;
    while (go_up(tree, &at));
    return child;
}

void pawl_tree_close(struct pawl_tree *tree, uint32_t leaf)
{
    if (tree->nodes[leaf].n_children == 0 && tree->nodes[leaf].n_free > 0)
        take_from_free(tree, leaf);
}

void pawl_tree_back_up(struct pawl_tree *tree, uint32_t node, double reward)
{
    do {
        struct pawl_tree_node *at = &tree->nodes[node];
        at->visits++;
        at->value += (reward - at->value) / at->visits;
    } while (go_up(tree, &node));
}
