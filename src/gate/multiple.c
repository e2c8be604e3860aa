#include "gate/multiple.h"

#include <math.h>
#include <stdlib.h>

struct ranked {
    double value;
    size_t index;
};

static int compare_ranked(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->value != y->value) return x->value < y->value ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

/* Ascending, with where each came from. */
static struct ranked *rank(const double *x, size_t n, struct pawl_arena *arena)
{
    struct ranked *order = PAWL_NEW_N(arena, struct ranked, n + 1);
    for (size_t i = 0; i < n; i++) order[i] = (struct ranked){x[i], i};
    qsort(order, n, sizeof *order, compare_ranked);
    return order;
}

void pawl_holm(const double *p, size_t n, double *adjusted, struct pawl_arena *arena)
{
    struct ranked *order = rank(p, n, arena);
    double running = 0; /* a larger p is never adjusted below a smaller one */
    for (size_t i = 0; i < n; i++) {
        running = fmax(running, fmin(1, order[i].value * (double)(n - i)));
        adjusted[order[i].index] = running;
    }
}

void pawl_bh(const double *p, size_t n, double *adjusted, struct pawl_arena *arena)
{
    struct ranked *order = rank(p, n, arena);
    double running = 1;
    for (size_t i = n; i-- > 0;) {
        running = fmin(running, order[i].value * (double)n / (double)(i + 1));
        adjusted[order[i].index] = running;
    }
}

size_t pawl_ebh(const double *e, size_t n, double alpha, bool *rejected, struct pawl_arena *arena)
{
    struct ranked *order = rank(e, n, arena);
    size_t k = n;
    while (k > 0 && order[n - k].value < (double)n / (alpha * (double)k)) k--;
    for (size_t i = 0; i < n; i++) rejected[order[i].index] = i >= n - k;
    return k;
}
