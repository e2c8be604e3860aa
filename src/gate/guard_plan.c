#include "gate/guard_plan.h"

#include "base/random.h"

#include <math.h>
#include <string.h>

/* Logarithms that one figure may cost, and runs that sharpen it: .8 comes with an error of .02. */
enum { WORK_MAX = 100000000, RUNS_MIN = 100, RUNS_MAX = 400 };

static size_t runs_of(const struct pawl_guards_plan *plan)
{
    size_t tests = plan->n * (plan->anchor == PAWL_ANCHOR_APART ? 2 : 1) + 1;
    size_t runs = WORK_MAX / (plan->n_planned * tests * PAWL_GRID_SIZE + 1);
    return runs < RUNS_MIN ? RUNS_MIN : runs > RUNS_MAX ? RUNS_MAX : runs;
}

/* A sealed case is like a dev case; an equal candidate may take there what was taken on another. */
static void draw_case(const struct pawl_guard_sample *dev, enum pawl_guard_anchor anchor,
                      double discordance, struct pawl_random *random, struct pawl_guard_case *out)
{
    size_t at = pawl_random_below(random, dev->n), other = pawl_random_below(random, dev->n);
    size_t taken = pawl_random_unit(random) < discordance ? other : at;
    out->missing = false;
    memcpy(out->values[PAWL_ARM_INCUMBENT], dev->incumbent[at], sizeof dev->incumbent[at]);
    memcpy(out->values[PAWL_ARM_CANDIDATE], dev->incumbent[taken], sizeof dev->incumbent[taken]);
    out->values[PAWL_ARM_CANDIDATE][PAWL_MEASURE_SECONDS] =
        dev->incumbent[other][PAWL_MEASURE_SECONDS];
    if (anchor == PAWL_ANCHOR_APART)
        memcpy(out->values[PAWL_ARM_ANCHOR], dev->anchor[at], sizeof dev->anchor[at]);
}

static bool run_passes(struct pawl_guards guards, const size_t *sizes,
                       const struct pawl_guard_sample *dev, double discordance,
                       struct pawl_guard_case *cases, uint64_t seed)
{
    struct pawl_random random;
    pawl_random_init(&random, seed);
    for (size_t g = 0; g < guards.n_planned; g++) {
        size_t size = sizes != NULL ? sizes[g] : 1;
        for (size_t i = 0; i < size; i++)
            draw_case(dev, guards.anchor, discordance, &random, &cases[i]);
        pawl_guards_observe(&guards, cases, size);
        if (guards.look == PAWL_LOOK_SEQUENTIAL && pawl_guards_pass(&guards)) return true;
    }
    return pawl_guards_pass(&guards);
}

double pawl_guards_chance(const struct pawl_guards_plan *plan, const size_t *sizes,
                          const struct pawl_guard_sample *dev, double discordance)
{
    struct pawl_guards guards;
    size_t passed = 0, runs = runs_of(plan);
    PAWL_ASSERT(dev->n > 0);
    if (pawl_guards_init(&guards, plan, NULL) != PAWL_OK) return 0;
    struct pawl_arena arena = {0};
    struct pawl_guard_case *cases =
        PAWL_NEW_N(&arena, struct pawl_guard_case, plan->largest_cluster);
    for (size_t k = 0; k < runs; k++)
        passed += run_passes(guards, sizes, dev, discordance, cases, k);
    pawl_arena_release(&arena);
    return (double)passed / (double)runs;
}

static double chance_of_rule(const struct pawl_guards_plan *plan,
                             const struct pawl_guard_rule *rule, const size_t *sizes,
                             const struct pawl_guard_sample *dev, double discordance)
{
    struct pawl_guards_plan alone = *plan;
    alone.rules = rule;
    alone.n = 1;
    alone.drift = NULL;
    return pawl_guards_chance(&alone, sizes, dev, discordance);
}

double pawl_guard_chance(const struct pawl_guards_plan *plan, size_t i, const size_t *sizes,
                         const struct pawl_guard_sample *dev, double discordance)
{
    return chance_of_rule(plan, &plan->rules[i], sizes, dev, discordance);
}

double pawl_guard_margin(const struct pawl_guards_plan *plan, size_t i, const size_t *sizes,
                         const struct pawl_guard_sample *dev, double discordance)
{
    struct pawl_guard_rule rule = plan->rules[i];
    int lo = 0, hi = pawl_measure_is_cost(rule.measure) ? (int)(100 * PAWL_GUARD_MARGIN_MAX) : 99;
    rule.zero_tolerance = false;
    rule.margin = hi / 100.0;
    if (chance_of_rule(plan, &rule, sizes, dev, discordance) < PAWL_GUARD_CHANCE_MIN) return NAN;
    while (hi - lo > 1) {
        int mid = (lo + hi) / 2;
        rule.margin = mid / 100.0;
        double chance = chance_of_rule(plan, &rule, sizes, dev, discordance);
        *(chance < PAWL_GUARD_CHANCE_MIN ? &lo : &hi) = mid;
    }
    return hi / 100.0;
}
