/* bench_pareto - choosing a parent among many candidates on many cases, right after one was added
 * (nothing to reuse). Prints one JSON line per kind of pool. Usage: bench_pareto */
#include "base/clock.h"
#include "base/hash.h"
#include "operators/pareto.h"

#include <stdio.h>

enum { N_CANDIDATES = 10000, N_CASES = 1000, N_TIMED = 200 };
#define GOAL_MS 1.0

enum pool { BINARY, REAL, RISING };
static const char *const pool_names[] = {"binary scores", "real scores", "each best everywhere"};

static double now_ms(void)
{
    return (double)pawl_clock_monotonic_us() / 1000;
}

static double draw_score(enum pool pool, uint32_t candidate, struct pawl_random *random)
{
    if (pool == BINARY) return (double)pawl_random_below(random, 2);
    if (pool == REAL) return pawl_random_unit(random);
    return (double)candidate / N_CANDIDATES;
}

static void measure(enum pool pool)
{
    struct pawl_arena arena = {0};
    struct pawl_pareto pareto;
    struct pawl_random random;
    double *scores = PAWL_NEW_N(&arena, double, N_CASES), add_ms = 0, draw_ms = 0, worst_ms = 0;
    pawl_random_init(&random, 1);
    pawl_pareto_init(&pareto, N_CASES, &arena);
    for (uint32_t i = 0; i < N_CANDIDATES; i++) {
        double mean = 0;
        for (size_t c = 0; c < N_CASES; c++) {
            scores[c] = draw_score(pool, i, &random);
            mean += scores[c] / N_CASES;
        }
        double start = now_ms();
        pawl_pareto_add(&pareto, scores, mean);
        double added = now_ms();
        add_ms += added - start;
        if (i < N_CANDIDATES - N_TIMED) continue;
        pawl_pareto_draw(&pareto, &random);
        double took = now_ms() - added;
        draw_ms += took / N_TIMED;
        if (took > worst_ms) worst_ms = took;
    }
    printf("{\"bench\":\"pareto\",\"pool\":\"%s\",\"candidates\":%d,\"cases\":%d,\"survivors\":%zu,"
           "\"add_ms\":%.4f,\"select_ms\":%.4f,\"select_worst_ms\":%.4f,\"goal_ms\":%.1f}\n",
           pool_names[pool], N_CANDIDATES, N_CASES, pareto.n_survivors, add_ms / N_CANDIDATES,
           draw_ms, worst_ms, GOAL_MS);
    pawl_arena_release(&arena);
}

int main(void)
{
    pawl_crypto_init();
    for (enum pool pool = BINARY; pool <= RISING; pool++) measure(pool);
    return 0;
}
