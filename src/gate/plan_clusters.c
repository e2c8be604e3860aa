#include "gate/plan_clusters.h"

#include <math.h>
#include <string.h>

/* Multiplications that a figure may cost: one that is printed, and one of a search, which asks for a
 * dozen. Runs beyond RUNS_MAX would only sharpen a standard error of .0125. */
enum { WORK_PRINTED = 16000000, WORK_SEARCH = 1000000, RUNS_MIN = 100, RUNS_MAX = 1600 };

static size_t largest_of(const size_t *sizes, size_t n)
{
    size_t largest = 1;
    for (size_t i = 0; i < n; i++)
        if (sizes[i] > largest) largest = sizes[i];
    return largest;
}

/* The sum over a cluster's cases of +1, -1 and 0. */
static double cluster_sum(size_t size, double p_win, double p_loss, struct pawl_random *random)
{
    double sum = 0;
    for (size_t i = 0; i < size; i++) {
        double u = pawl_random_unit(random);
        sum += (u < p_win) - (u >= p_win && u < p_win + p_loss);
    }
    return sum;
}

struct odds {
    double p_win, p_loss, goal, largest;
    double stakes[PAWL_GRID_SIZE];
};

static bool run_promotes(const struct odds *odds, const size_t *sizes, size_t n,
                         struct pawl_random *random)
{
    double wealth[PAWL_GRID_SIZE];
    for (size_t g = 0; g < PAWL_GRID_SIZE; g++) wealth[g] = 1;
    for (size_t i = 0; i < n; i++) {
        double excess = cluster_sum(sizes[i], odds->p_win, odds->p_loss, random) / odds->largest;
        double total = 0;
        if (excess == 0) continue;
        for (size_t g = 0; g < PAWL_GRID_SIZE; g++)
            total += wealth[g] *= 1 + odds->stakes[g] * excess;
        if (total >= odds->goal) return true;
    }
    return false;
}

static double simulated_power(const struct pawl_plan *plan, const size_t *sizes, double gain,
                              size_t work, struct pawl_arena *arena)
{
    double psi = fmax(plan->discordance, gain);
    struct odds odds = {.p_win = (psi + gain) / 2,
                        .p_loss = (psi - gain) / 2,
                        .goal = PAWL_GRID_SIZE / plan->level,
                        .largest = (double)largest_of(sizes, plan->n)};
    size_t cases = 0, promoted = 0;
    for (size_t g = 0; g < PAWL_GRID_SIZE; g++) odds.stakes[g] = pawl_grid_stake(0, g);
    size_t *order = PAWL_NEW_N(arena, size_t, plan->n + 1);
    memcpy(order, sizes, plan->n * sizeof *order);
    for (size_t i = 0; i < plan->n; i++) cases += sizes[i];
    size_t runs = work / (cases + PAWL_GRID_SIZE * plan->n + 1);
    runs = runs < RUNS_MIN ? RUNS_MIN : runs > RUNS_MAX ? RUNS_MAX : runs;
    for (size_t i = 0; i < runs; i++) {
        struct pawl_random random; /* the same for every gain */
        pawl_random_init(&random, i);
        pawl_random_shuffle(&random, order, plan->n);
        promoted += run_promotes(&odds, order, plan->n, &random);
    }
    return (double)promoted / (double)runs;
}

double pawl_plan_clusters_power(const struct pawl_plan *plan, const size_t *sizes, double gain,
                                struct pawl_arena *arena)
{
    return simulated_power(plan, sizes, gain, WORK_PRINTED, arena);
}

double pawl_plan_clusters_smallest_gain(const struct pawl_plan *plan, const size_t *sizes,
                                        double power, struct pawl_arena *arena)
{
    double lo = 0, hi = 1;
    if (simulated_power(plan, sizes, hi, WORK_SEARCH, arena) < power) return NAN;
    while (hi - lo > 0.0025) {
        double mid = (lo + hi) / 2;
        *(simulated_power(plan, sizes, mid, WORK_SEARCH, arena) < power ? &lo : &hi) = mid;
    }
    return hi;
}

size_t *pawl_plan_clusters_capped(const size_t *sizes, size_t n, size_t cap,
                                  struct pawl_arena *arena)
{
    size_t *capped = PAWL_NEW_N(arena, size_t, n + 1);
    for (size_t i = 0; i < n; i++) capped[i] = sizes[i] < cap ? sizes[i] : cap;
    return capped;
}

size_t pawl_plan_clusters_best_cap(const struct pawl_plan *plan, const size_t *sizes, double power,
                                   double *gain, struct pawl_arena *arena)
{
    size_t best = largest_of(sizes, plan->n);
    *gain = pawl_plan_clusters_smallest_gain(plan, sizes, power, arena);
    for (size_t cap = best; cap > 1;) {
        cap = (cap + 1) / 2;
        const size_t *capped = pawl_plan_clusters_capped(sizes, plan->n, cap, arena);
        double with_it = pawl_plan_clusters_smallest_gain(plan, capped, power, arena);
        if (isnan(with_it) || with_it >= *gain) continue;
        *gain = with_it;
        best = cap;
    }
    return best;
}
