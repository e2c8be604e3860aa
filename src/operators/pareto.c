#include "operators/pareto.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void pawl_pareto_init(struct pawl_pareto *pareto, size_t n_cases, struct pawl_arena *arena)
{
    *pareto = (struct pawl_pareto){.arena = arena};
    pawl_pareto_widen(pareto, n_cases);
}

/* Arena memory is not given back before the run ends; whoever widens does it a few times. */
void pawl_pareto_widen(struct pawl_pareto *pareto, size_t n_cases)
{
    struct pawl_pareto wide = *pareto;
    PAWL_ASSERT(n_cases >= pareto->n_cases);
    wide.n_cases = n_cases;
    wide.n_words = (n_cases + 63) / 64;
    wide.fresh = false;
    wide.best = PAWL_NEW_N(pareto->arena, double, n_cases);
    wide.oldest = PAWL_NEW_N(pareto->arena, uint32_t, n_cases);
    wide.last = PAWL_NEW_N(pareto->arena, uint32_t, n_cases);
    wide.survivors = PAWL_NEW_N(pareto->arena, uint32_t, n_cases);
    wide.covered = PAWL_NEW_N(pareto->arena, uint64_t, wide.n_words);
    wide.members = PAWL_NEW_N(pareto->arena, uint64_t, wide.capacity * wide.n_words);
    for (size_t c = 0; c < n_cases; c++) {
        bool is_old = c < pareto->n_cases;
        wide.best[c] = is_old ? pareto->best[c] : -INFINITY;
        wide.oldest[c] = is_old ? pareto->oldest[c] : pareto->n_candidates;
        wide.last[c] = is_old ? pareto->last[c] : 0;
    }
    for (size_t i = 0; i < pareto->n_candidates && pareto->n_words > 0; i++)
        memcpy(wide.members + i * wide.n_words, pareto->members + i * pareto->n_words,
               pareto->n_words * sizeof *wide.members);
    *pareto = wide;
}

/* Arena memory is not given back before the run ends; doubling bounds the waste by the use. */
static void grow(struct pawl_pareto *pareto)
{
    uint32_t capacity = pareto->capacity == 0 ? 64 : 2 * pareto->capacity;
    size_t old_words = pareto->n_candidates * pareto->n_words;
    uint64_t *members = PAWL_NEW_N(pareto->arena, uint64_t, capacity * pareto->n_words);
    double *means = PAWL_NEW_N(pareto->arena, double, capacity);
    if (pareto->n_candidates > 0) {
        if (old_words > 0) memcpy(members, pareto->members, old_words * sizeof *members);
        memcpy(means, pareto->means, pareto->n_candidates * sizeof *means);
    }
    pareto->members = members;
    pareto->means = means;
    pareto->capacity = capacity;
}

/* The new best on case c empties its front. */
static void clear_front(struct pawl_pareto *pareto, size_t c)
{
    uint64_t keep = ~((uint64_t)1 << (c % 64));
    for (uint32_t i = pareto->oldest[c]; i < pareto->n_candidates; i++)
        pareto->members[i * pareto->n_words + c / 64] &= keep;
    pareto->oldest[c] = pareto->n_candidates;
}

uint32_t pawl_pareto_add(struct pawl_pareto *pareto, const double *scores, double mean)
{
    if (pareto->n_candidates == pareto->capacity) grow(pareto);
    uint32_t self = pareto->n_candidates;
    uint64_t *row = pareto->members + self * pareto->n_words;
    pareto->means[self] = mean;
    for (size_t c = 0; c < pareto->n_cases; c++) {
        if (isnan(scores[c]) || scores[c] < pareto->best[c]) continue;
        bool alone = scores[c] > pareto->best[c];
        if (alone) clear_front(pareto, c);
        pareto->best[c] = scores[c];
        row[c / 64] |= (uint64_t)1 << (c % 64);
        if (alone || mean >= pareto->means[pareto->last[c]]) pareto->last[c] = self;
    }
    pareto->n_candidates++;
    pareto->fresh = false;
    return self;
}

struct ranked {
    double mean;
    uint32_t candidate;
};

static int by_mean(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->mean != y->mean) return x->mean < y->mean ? -1 : 1;
    return (x->candidate > y->candidate) - (x->candidate < y->candidate);
}

/* The distinct last members, ascending. */
static size_t rank_last(const struct pawl_pareto *pareto, struct ranked *ranked)
{
    size_t n = 0, distinct = 0;
    for (size_t c = 0; c < pareto->n_cases; c++) {
        if (pareto->best[c] == -INFINITY) continue;
        uint32_t candidate = pareto->last[c];
        ranked[n++] = (struct ranked){pareto->means[candidate], candidate};
    }
    qsort(ranked, n, sizeof *ranked, by_mean);
    for (size_t i = 0; i < n; i++) {
        if (distinct == 0 || ranked[distinct - 1].candidate != ranked[i].candidate)
            ranked[distinct++] = ranked[i];
    }
    return distinct;
}

/* True if y is the last member of a case that no earlier survivor covers. A case whose front holds y
 * and whose last member is another needs no look: that one is still there. */
static bool survives(const struct pawl_pareto *pareto, uint32_t y)
{
    const uint64_t *row = pareto->members + y * pareto->n_words;
    for (size_t w = 0; w < pareto->n_words; w++) {
        for (uint64_t open = row[w] & ~pareto->covered[w]; open != 0; open &= open - 1) {
            size_t c = w * 64 + (size_t)__builtin_ctzll(open);
            if (pareto->last[c] == y) return true;
        }
    }
    return false;
}

const uint32_t *pawl_pareto_survivors(struct pawl_pareto *pareto, size_t *n)
{
    if (!pareto->fresh) {
        struct ranked *ranked = pawl_xmalloc((pareto->n_cases + 1) * sizeof *ranked);
        size_t n_ranked = rank_last(pareto, ranked);
        pareto->n_survivors = 0;
        memset(pareto->covered, 0, pareto->n_words * sizeof *pareto->covered);
        for (size_t i = 0; i < n_ranked; i++) {
            uint32_t y = ranked[i].candidate;
            if (!survives(pareto, y)) continue;
            const uint64_t *row = pareto->members + y * pareto->n_words;
            for (size_t w = 0; w < pareto->n_words; w++) pareto->covered[w] |= row[w];
            pareto->survivors[pareto->n_survivors++] = y;
        }
        free(ranked);
        pareto->fresh = true;
    }
    *n = pareto->n_survivors;
    return pareto->survivors;
}

size_t pawl_pareto_weight(const struct pawl_pareto *pareto, uint32_t candidate)
{
    const uint64_t *row = pareto->members + candidate * pareto->n_words;
    size_t weight = 0;
    for (size_t w = 0; w < pareto->n_words; w++) weight += (size_t)__builtin_popcountll(row[w]);
    return weight;
}

uint32_t pawl_pareto_draw(struct pawl_pareto *pareto, struct pawl_random *random)
{
    size_t n, total = 0;
    const uint32_t *survivors = pawl_pareto_survivors(pareto, &n);
    for (size_t i = 0; i < n; i++) total += pawl_pareto_weight(pareto, survivors[i]);
    if (total == 0) return 0;
    size_t at = (size_t)pawl_random_below(random, total);
    for (size_t i = 0; i < n; i++) {
        size_t weight = pawl_pareto_weight(pareto, survivors[i]);
        if (at < weight) return survivors[i];
        at -= weight;
    }
    PAWL_BUG("the weights of the survivors do not sum to %zu", total);
}

/* --- among a few ------------------------------------------------------------------------------------- */

/* Is every front that holds y held by another one that is left? */
static bool is_covered(const struct pawl_pareto *pareto, const struct ranked *ranked, size_t n,
                       size_t y)
{
    const uint64_t *row = pareto->members + ranked[y].candidate * pareto->n_words;
    for (size_t w = 0; w < pareto->n_words; w++) {
        uint64_t others = 0;
        for (size_t i = 0; i < n; i++) {
            if (i == y || ranked[i].candidate == UINT32_MAX) continue;
            others |= pareto->members[ranked[i].candidate * pareto->n_words + w];
        }
        if (row[w] & ~others) return false;
    }
    return true;
}

bool pawl_pareto_draw_among(const struct pawl_pareto *pareto, const uint32_t *members,
                            size_t n_members, struct pawl_random *random, uint32_t *drawn)
{
    struct ranked *ranked = pawl_xmalloc((n_members + 1) * sizeof *ranked);
    size_t total = 0;
    for (size_t i = 0; i < n_members; i++)
        ranked[i] = (struct ranked){pareto->means[members[i]], members[i]};
    qsort(ranked, n_members, sizeof *ranked, by_mean);
    for (size_t i = 0; i < n_members; i++)
        if (is_covered(pareto, ranked, n_members, i)) ranked[i].candidate = UINT32_MAX;
    for (size_t i = 0; i < n_members; i++)
        if (ranked[i].candidate != UINT32_MAX)
            total += pawl_pareto_weight(pareto, ranked[i].candidate);
    size_t at = total > 0 ? (size_t)pawl_random_below(random, total) : 0;
    for (size_t i = 0; i < n_members && total > 0; i++) {
        if (ranked[i].candidate == UINT32_MAX) continue;
        size_t weight = pawl_pareto_weight(pareto, ranked[i].candidate);
        *drawn = ranked[i].candidate;
        if (at < weight) break;
        at -= weight;
    }
    free(ranked);
    return total > 0;
}
