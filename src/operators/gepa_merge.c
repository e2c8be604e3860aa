#include "operators/gepa_merge.h"

#include <math.h>
#include <string.h>

enum { DRAWS = 100, STRATA = 3, PER_STRATUM = (PAWL_MERGE_CASES + STRATA - 1) / STRATA };

/* --- the pool ------------------------------------------------------------------------------------ */

/* Twice the room, with what is there. */
static void *more(struct pawl_arena *arena, const void *old, size_t n, size_t capacity,
                  size_t size_bytes)
{
    void *room = pawl_arena_alloc(arena, capacity, size_bytes);
    if (n > 0) memcpy(room, old, n * size_bytes);
    return room;
}

void pawl_merge_join(struct pawl_merger *merger, uint32_t first_parent, uint32_t second_parent,
                     double mean, const double *scores)
{
    uint32_t n = merger->n_members;
    struct pawl_arena *arena = merger->arena;
    if (n == merger->capacity) {
        merger->capacity = n == 0 ? 64 : 2 * n;
        merger->parents =
            more(arena, merger->parents, n, merger->capacity, sizeof *merger->parents);
        merger->means = more(arena, merger->means, n, merger->capacity, sizeof *merger->means);
        merger->scores = more(arena, merger->scores, n, merger->capacity, sizeof *merger->scores);
    }
    double *kept = PAWL_NEW_N(arena, double, merger->n_dev);
    if (merger->n_dev > 0) memcpy(kept, scores, merger->n_dev * sizeof *kept);
    merger->parents[n][0] = first_parent;
    merger->parents[n][1] = second_parent;
    merger->means[n] = mean;
    merger->scores[n] = kept;
    merger->n_members++;
}

/* --- ancestors ------------------------------------------------------------------------------------- */

/* Parents joined before their children, so one pass from the youngest down marks them all. */
static void mark_ancestors(const struct pawl_merger *merger, uint32_t member, uint8_t bit,
                           uint8_t *marks)
{
    marks[member] |= bit;
    for (uint32_t i = member + 1; i-- > 0;) {
        if (!(marks[i] & bit)) continue;
        for (size_t p = 0; p < 2; p++)
            if (merger->parents[i][p] != PAWL_MERGE_NONE) marks[merger->parents[i][p]] |= bit;
    }
    marks[member] &= (uint8_t)~bit; /* nobody is his own ancestor */
}

static bool was_tried(const struct pawl_merger *merger, uint32_t first, uint32_t second,
                      uint32_t ancestor)
{
    for (size_t i = 0; i < merger->n_tried; i++) {
        const struct pawl_merge *t = &merger->tried[i];
        if (t->first == first && t->second == second && t->ancestor == ancestor) return true;
    }
    return false;
}

/* In some component exactly one of the two has kept the ancestor's text. */
static bool complements(const struct pawl_merger *merger, uint32_t first, uint32_t second,
                        uint32_t ancestor)
{
    for (size_t c = 0; c < merger->n_components; c++) {
        bool kept_first = merger->same(merger->context, ancestor, first, c);
        bool kept_second = merger->same(merger->context, ancestor, second, c);
        if (kept_first != kept_second) return true;
    }
    return false;
}

static bool is_eligible(const struct pawl_merger *merger, uint32_t first, uint32_t second,
                        uint32_t ancestor)
{
    double mean = merger->means[ancestor];
    return mean <= merger->means[first] && mean <= merger->means[second] &&
           !was_tried(merger, first, second, ancestor) &&
           complements(merger, first, second, ancestor);
}

/* Draw one in proportion to its mean; any, where all means are 0. PAWL_MERGE_NONE when there is none. */
static uint32_t draw_ancestor(const struct pawl_merger *merger, uint32_t first, uint32_t second,
                              struct pawl_random *random)
{
    struct pawl_arena arena = {0};
    uint8_t *marks = PAWL_NEW_N(&arena, uint8_t, merger->n_members);
    uint32_t *eligible = PAWL_NEW_N(&arena, uint32_t, merger->n_members);
    uint32_t drawn = PAWL_MERGE_NONE;
    size_t n = 0;
    double total = 0;
    mark_ancestors(merger, first, 1, marks);
    mark_ancestors(merger, second, 2, marks);
    bool related =
        marks[first] & 2; /* the second joined later: only the first can be its ancestor */
    for (uint32_t i = 0; i < first && !related; i++) {
        if (marks[i] != 3 || !is_eligible(merger, first, second, i)) continue;
        eligible[n++] = i;
        total += merger->means[i];
    }
    if (n > 0) {
        double at = pawl_random_unit(random) * (total > 0 ? total : (double)n);
        size_t i = 0;
        for (; i + 1 < n; i++) {
            at -= total > 0 ? merger->means[eligible[i]] : 1;
            if (at < 0) break;
        }
        drawn = eligible[i];
    }
    pawl_arena_release(&arena);
    return drawn;
}

/* --- the child -------------------------------------------------------------------------------------- */

/* Whose text the child has in a component: the one's that has changed it; where both have, the better
 * one's, by the toss of a coin when they are equally good. */
static bool takes_second(const struct pawl_merger *merger, const struct pawl_merge *merge, size_t c,
                         struct pawl_random *random)
{
    uint32_t first = merge->first, second = merge->second;
    if (merger->same(merger->context, first, second, c)) return false;
    if (merger->same(merger->context, merge->ancestor, first, c)) return true;
    if (merger->same(merger->context, merge->ancestor, second, c)) return false;
    double a = merger->means[first], b = merger->means[second];
    return a == b ? pawl_random_below(random, 2) == 1 : b > a;
}

static bool was_made(const struct pawl_merger *merger, const struct pawl_merge *merge)
{
    for (size_t i = 0; i < merger->n_tried; i++) {
        const struct pawl_merge *t = &merger->tried[i];
        if (t->first == merge->first && t->second == merge->second && t->from_second != NULL &&
            memcmp(t->from_second, merge->from_second,
                   merger->n_components * sizeof *t->from_second) == 0)
            return true;
    }
    return false;
}

static void remember(struct pawl_merger *merger, const struct pawl_merge *merge)
{
    if (merger->n_tried == merger->tried_capacity) {
        merger->tried_capacity = merger->n_tried == 0 ? 32 : 2 * merger->n_tried;
        merger->tried = more(merger->arena, merger->tried, merger->n_tried, merger->tried_capacity,
                             sizeof *merger->tried);
    }
    merger->tried[merger->n_tried++] = *merge;
}

static size_t count_shared(const struct pawl_merger *merger, uint32_t first, uint32_t second)
{
    size_t n = 0;
    for (size_t i = 0; i < merger->n_dev; i++)
        n += !isnan(merger->scores[first][i]) && !isnan(merger->scores[second][i]);
    return n;
}

bool pawl_merge_propose(struct pawl_merger *merger, const uint32_t *worthy, size_t n_worthy,
                        struct pawl_random *random, struct pawl_merge *merge)
{
    if (n_worthy < 2) return false;
    for (int draw = 0; draw < DRAWS; draw++) {
        size_t a = (size_t)pawl_random_below(random, n_worthy);
        size_t b = (size_t)pawl_random_below(random, n_worthy - 1);
        if (b >= a) b++;
        *merge = (struct pawl_merge){.first = worthy[a] < worthy[b] ? worthy[a] : worthy[b],
                                     .second = worthy[a] < worthy[b] ? worthy[b] : worthy[a]};
        if (count_shared(merger, merge->first, merge->second) < PAWL_MERGE_CASES) continue;
        merge->ancestor = draw_ancestor(merger, merge->first, merge->second, random);
        if (merge->ancestor == PAWL_MERGE_NONE) continue;
        merge->from_second = PAWL_NEW_N(merger->arena, bool, merger->n_components);
        for (size_t c = 0; c < merger->n_components; c++)
            merge->from_second[c] = takes_second(merger, merge, c, random);
        bool is_new = !was_made(merger, merge);
        remember(merger, merge);
        if (is_new) return true;
    }
    return false;
}

/* --- trying it ----------------------------------------------------------------------------------------- */

/* 0: the first is better on the case, 1: the second, 2: neither. */
static size_t stratum_of(double first, double second)
{
    return first > second ? 0 : second > first ? 1 : 2;
}

void pawl_merge_cases(const struct pawl_merger *merger, const struct pawl_merge *merge,
                      struct pawl_random *random, uint32_t cases[PAWL_MERGE_CASES])
{
    const double *first = merger->scores[merge->first], *second = merger->scores[merge->second];
    struct pawl_arena arena = {0};
    size_t *shared = PAWL_NEW_N(&arena, size_t, merger->n_dev), n = 0, n_taken = 0;
    size_t in_stratum[STRATA] = {0}, n_left = 0;
    for (size_t i = 0; i < merger->n_dev; i++)
        if (!isnan(first[i]) && !isnan(second[i])) shared[n++] = i;
    PAWL_ASSERT(n >= PAWL_MERGE_CASES);
    pawl_random_shuffle(random, shared, n);
    for (size_t i = 0; i < n; i++) {
        size_t stratum = stratum_of(first[shared[i]], second[shared[i]]);
        if (n_taken < PAWL_MERGE_CASES && in_stratum[stratum] < PER_STRATUM) {
            in_stratum[stratum]++;
            cases[n_taken++] = (uint32_t)shared[i];
        } else {
            shared[n_left++] = shared[i];
        }
    }
    for (size_t i = 0; n_taken < PAWL_MERGE_CASES; i++) cases[n_taken++] = (uint32_t)shared[i];
    pawl_arena_release(&arena);
}

double pawl_merge_bar(const struct pawl_merger *merger, const struct pawl_merge *merge,
                      const uint32_t cases[PAWL_MERGE_CASES])
{
    double first = 0, second = 0;
    for (size_t i = 0; i < PAWL_MERGE_CASES; i++) {
        first += merger->scores[merge->first][cases[i]];
        second += merger->scores[merge->second][cases[i]];
    }
    return first > second ? first : second;
}
