#include "gate/plan.h"

#include "gate/special.h"

#include <math.h>

/* --- the boundary ------------------------------------------------------------------------- */

static bool promotes(enum pawl_gate_look look, double level, uint64_t wins, uint64_t losses)
{
    if (look == PAWL_LOOK_FIXED) return pawl_binomial_half_upper(wins, wins + losses) <= level;
    return pawl_sign_log_e(&(struct pawl_sign){.wins = wins, .losses = losses}) >= -log(level);
}

/* needed[m]: the fewest wins among m discordant units that promote; m + 1 when none do. One more
 * unit raises it by at most one, so each entry costs one or two evaluations. */
static size_t *boundary(const struct pawl_plan *plan, size_t n, struct pawl_arena *arena)
{
    size_t *needed = PAWL_NEW_N(arena, size_t, n + 1);
    needed[0] = 1;
    for (size_t m = 1; m <= n; m++) {
        size_t w = needed[m - 1];
        needed[m] = w <= m && promotes(plan->look, plan->level, w, m - w) ? w : w + 1;
    }
    return needed;
}

/* What a search over gains or sizes keeps. */
struct search {
    const struct pawl_plan *plan;
    size_t n_max;
    size_t *needed;
    double *mass;    /* [n_max + 2] the walk: P(w wins, not promoted before) */
    double *promote; /* [n_max + 1] P(promote at, or by, m discordant units) */
};

static struct search search_new(const struct pawl_plan *plan, size_t n, struct pawl_arena *arena)
{
    n = n < PAWL_PLAN_MAX ? n : PAWL_PLAN_MAX;
    struct search search = {plan, n, boundary(plan, n, arena), NULL, NULL};
    search.mass = PAWL_NEW_N(arena, double, n + 2);
    search.promote = PAWL_NEW_N(arena, double, n + 1);
    return search;
}

/* --- power -------------------------------------------------------------------------------- */

/* A discordant unit is a win with chance q. promote[m] = P(promoted by the m-th of them). States
 * with a mass below 1e-18 are dropped, which leaves a band around the mean. */
static void walk_sequential(struct search *search, double q, size_t m_max)
{
    double *mass = search->mass, promoted = 0;
    size_t low = 0, high = 0; /* mass lives in low..high wins */
    mass[0] = 1;
    search->promote[0] = 0;
    for (size_t m = 1; m <= m_max; m++) {
        mass[high + 1] = 0;
        for (size_t w = high + 1; w > low; w--) mass[w] = mass[w] * (1 - q) + mass[w - 1] * q;
        mass[low] *= 1 - q;
        high++;
        while (high > low && high >= search->needed[m]) promoted += mass[high--];
        if (high >= search->needed[m]) { /* the last state promotes too */
            promoted += mass[low];
            mass[low] = 0;
        }
        while (low < high && mass[low] < 1e-18) low++;
        while (high > low && mass[high] < 1e-18) high--;
        search->promote[m] = promoted;
    }
}

static double binomial_upper(uint64_t k, uint64_t n, double p)
{
    if (k == 0) return 1;
    return k > n ? 0 : pawl_beta_cdf(p, (double)k, (double)(n - k) + 1);
}

static void look_fixed(struct search *search, double q, size_t m_min, size_t m_max)
{
    for (size_t m = m_min; m <= m_max; m++)
        search->promote[m] = binomial_upper(search->needed[m], m, q);
}

/* Discordant units of n, ten standard deviations around their mean. */
static void discordant_range(size_t n, double psi, size_t *m_min, size_t *m_max)
{
    double mean = (double)n * psi, reach = 10 * sqrt(mean * (1 - psi)) + 10;
    *m_min = (size_t)fmax(0, floor(mean - reach));
    *m_max = (size_t)fmin((double)n, ceil(mean + reach));
}

static double power_of(struct search *search, size_t n, double gain)
{
    double psi = fmax(search->plan->discordance, gain), power = 0;
    if (psi <= 0) return 0;
    double q = (1 + gain / psi) / 2;
    size_t m_min, m_max;
    discordant_range(n, psi, &m_min, &m_max);
    if (search->plan->look == PAWL_LOOK_FIXED)
        look_fixed(search, q, m_min, m_max);
    else
        walk_sequential(search, q, m_max);
    for (size_t m = m_min; m <= m_max; m++)
        power += pawl_binomial_pmf(m, n, psi) * search->promote[m];
    return power;
}

double pawl_plan_power(const struct pawl_plan *plan, double gain, struct pawl_arena *arena)
{
    struct search search = search_new(plan, plan->n, arena);
    return power_of(&search, search.n_max, gain);
}

double pawl_plan_smallest_gain(const struct pawl_plan *plan, double power, struct pawl_arena *arena)
{
    struct search search = search_new(plan, plan->n, arena);
    double lo = 0, hi = 1;
    if (power_of(&search, search.n_max, hi) < power) return NAN;
    while (hi - lo > 1e-4) {
        double mid = (lo + hi) / 2;
        *(power_of(&search, search.n_max, mid) < power ? &lo : &hi) = mid;
    }
    return hi;
}

size_t pawl_plan_units(const struct pawl_plan *plan, double gain, double power,
                       struct pawl_arena *arena)
{
    size_t lo = 0, hi = 64; /* lo has not the power, hi is tried next */
    struct search search = search_new(plan, hi, arena);
    while (power_of(&search, hi, gain) < power) {
        if (hi == PAWL_PLAN_MAX) return 0;
        lo = hi;
        hi = 2 * hi < PAWL_PLAN_MAX ? 2 * hi : PAWL_PLAN_MAX;
        search = search_new(plan, hi, arena);
    }
    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        *(power_of(&search, mid, gain) < power ? &lo : &hi) = mid;
    }
    return hi;
}

uint64_t pawl_plan_smallest_wins(enum pawl_gate_look look, double level)
{
    for (uint64_t wins = 1; wins < 10000; wins++)
        if (promotes(look, level, wins, 0)) return wins;
    return 0;
}

/* --- the grid mixture, simulated ---------------------------------------------------------- */

/* Three outcomes only, so each gambler's wealth changes by one of three factors. */
struct grid_factors {
    double win[PAWL_GRID_SIZE], loss[PAWL_GRID_SIZE], tie[PAWL_GRID_SIZE];
};

static void grid_factors_init(struct grid_factors *factors, double m0)
{
    for (size_t g = 0; g < PAWL_GRID_SIZE; g++) {
        double stake = pawl_grid_stake(m0, g);
        factors->win[g] = 1 + stake * (1 - m0);
        factors->loss[g] = 1 + stake * (-1 - m0);
        factors->tie[g] = 1 - stake * m0;
    }
}

static bool grid_run_promotes(const struct grid_factors *factors, const struct pawl_plan *plan,
                              double p_win, double p_loss, struct pawl_random *random)
{
    double wealth[PAWL_GRID_SIZE], goal = PAWL_GRID_SIZE / plan->level;
    for (size_t g = 0; g < PAWL_GRID_SIZE; g++) wealth[g] = 1;
    for (size_t i = 0; i < plan->n; i++) {
        double u = pawl_random_unit(random), total = 0;
        const double *factor = u < p_win            ? factors->win
                               : u < p_win + p_loss ? factors->loss
                                                    : factors->tie;
        for (size_t g = 0; g < PAWL_GRID_SIZE; g++) total += wealth[g] *= factor[g];
        if (total >= goal) return true;
    }
    return false;
}

double pawl_plan_grid_power(const struct pawl_plan *plan, double gain, double m0, size_t runs,
                            struct pawl_random *random)
{
    struct grid_factors factors;
    grid_factors_init(&factors, m0);
    double psi = fmax(plan->discordance, fabs(gain)), promoted = 0;
    for (size_t i = 0; i < runs; i++)
        promoted += grid_run_promotes(&factors, plan, (psi + gain) / 2, (psi - gain) / 2, random);
    return promoted / (double)runs;
}

/* --- sample sizes ------------------------------------------------------------------------- */

double pawl_plan_miller_n(const struct pawl_miller *noise, double gain, double alpha, double power)
{
    double z = pawl_normal_quantile(1 - alpha / 2) + pawl_normal_quantile(power);
    double variance = noise->omega2 + (noise->sigma2_a + noise->sigma2_b) / noise->samples;
    return z * z * variance / (gain * gain);
}

double pawl_plan_connor_n(double discordance, double gain, double alpha, double power)
{
    double z = pawl_normal_quantile(1 - alpha) * sqrt(discordance) +
               pawl_normal_quantile(power) * sqrt(fmax(0, discordance - gain * gain));
    return z * z / (gain * gain);
}

static double paired_t_power(double n, double effect, double alpha)
{
    double critical = pawl_student_quantile(1 - alpha, n - 1);
    return pawl_student_noncentral_upper(critical, n - 1, effect * sqrt(n));
}

double pawl_plan_paired_t_n(double effect, double alpha, double power)
{
    double lo = 2, hi = 4;
    if (paired_t_power(lo, effect, alpha) >= power) return lo;
    while (paired_t_power(hi, effect, alpha) < power && hi < 1e9) hi *= 2;
    while (hi - lo > 1e-6 * hi) {
        double mid = (lo + hi) / 2;
        *(paired_t_power(mid, effect, alpha) < power ? &lo : &hi) = mid;
    }
    return hi;
}
