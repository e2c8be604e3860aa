#include "operators/simba_pool.h"

#include <math.h>
#include <string.h>

size_t pawl_simba_pool_add(struct pawl_simba_pool *pool, uint32_t candidate, bool *is_new)
{
    *is_new = false;
    for (size_t i = 0; i < pool->n; i++) {
        if (pool->members[i].candidate == candidate) return i;
    }
    if (pool->n == pool->capacity) {
        size_t capacity = pool->capacity == 0 ? 64 : 2 * pool->capacity;
        struct pawl_simba_member *members =
            PAWL_NEW_N(pool->arena, struct pawl_simba_member, capacity);
        if (pool->n > 0) memcpy(members, pool->members, pool->n * sizeof *members);
        pool->members = members;
        pool->capacity = capacity;
    }
    *is_new = true;
    pool->members[pool->n] = (struct pawl_simba_member){.candidate = candidate};
    return pool->n++;
}

double pawl_simba_pool_mean(const struct pawl_simba_pool *pool, size_t member)
{
    const struct pawl_simba_member *m = &pool->members[member];
    return m->n > 0 ? m->sum / (double)m->n : 0;
}

/* The largest is taken out, so that exp does not overflow. */
void pawl_simba_softmax(const double *x, size_t n, double temperature, double *probability)
{
    double most = -INFINITY, sum = 0;
    for (size_t i = 0; i < n; i++) most = fmax(most, x[i]);
    for (size_t i = 0; i < n; i++) sum += probability[i] = exp((x[i] - most) / temperature);
    for (size_t i = 0; i < n; i++) probability[i] /= sum;
}

/* Put a member where it belongs among the best k so far. */
static void place(const struct pawl_simba_pool *pool, size_t member, size_t k,
                  struct pawl_simba_draw *draw)
{
    size_t at = draw->n;
    double mean = pawl_simba_pool_mean(pool, member);
    while (at > 0 && mean > pawl_simba_pool_mean(pool, draw->members[at - 1])) at--;
    if (at == k) return;
    if (draw->n < k) draw->n++;
    memmove(draw->members + at + 1, draw->members + at, (draw->n - 1 - at) * sizeof *draw->members);
    draw->members[at] = member;
}

struct pawl_simba_draw pawl_simba_draw_of(const struct pawl_simba_pool *pool, size_t k,
                                          double temperature, struct pawl_arena *arena)
{
    struct pawl_simba_draw draw = {.members = PAWL_NEW_N(arena, size_t, k),
                                   .probability = PAWL_NEW_N(arena, double, k)};
    double *means = PAWL_NEW_N(arena, double, k);
    bool has_start = false;
    for (size_t i = 0; i < pool->n; i++) place(pool, i, k, &draw);
    for (size_t i = 0; i < draw.n; i++) has_start |= draw.members[i] == 0;
    if (!has_start) draw.members[draw.n - 1] = 0;
    for (size_t i = 0; i < draw.n; i++) means[i] = pawl_simba_pool_mean(pool, draw.members[i]);
    pawl_simba_softmax(means, draw.n, temperature, draw.probability);
    return draw;
}

size_t pawl_simba_draw(const struct pawl_simba_draw *draw, struct pawl_random *random)
{
    double at = pawl_random_unit(random);
    for (size_t i = 0; i + 1 < draw->n; i++) {
        if (at < draw->probability[i]) return draw->members[i];
        at -= draw->probability[i];
    }
    return draw->members[draw->n - 1];
}

double pawl_simba_quantile(const double *sorted, size_t n, double share)
{
    double at = share * (double)(n - 1);
    size_t below = (size_t)at, above = below + 1 < n ? below + 1 : below;
    return sorted[below] + (at - (double)below) * (sorted[above] - sorted[below]);
}

/* Knuth's: how many uniform numbers can be multiplied before the product is at most e^-mean. */
size_t pawl_simba_poisson(struct pawl_random *random, double mean)
{
    double limit = exp(-mean), product = pawl_random_unit(random);
    size_t n = 0;
    for (; product > limit; n++) product *= pawl_random_unit(random);
    return n;
}
