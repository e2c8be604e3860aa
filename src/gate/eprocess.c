#include "gate/eprocess.h"

#include "gate/special.h"

#include "base/error.h"

#include <math.h>

void pawl_sign_step(struct pawl_sign *sign, int outcome)
{
    if (outcome > 0)
        sign->wins++;
    else if (outcome < 0)
        sign->losses++;
    else
        sign->ties++;
}

/*
 * Divided through by its last term the exact fraction is a sum of positive terms,
 *     E(w,l) = 1/(l+1) * [1 + w/(l+2) + w(w-1)/((l+2)(l+3)) + ...],
 * which needs no lgamma. It can exceed any double (2^w/w), hence the exponent beside it.
 */
double pawl_sign_log_e(const struct pawl_sign *sign)
{
    double above = (double)sign->wins, below = (double)sign->losses + 2;
    double sum = 1, term = 1, log_scale = 0;
    for (; above > 0; above--, below++) {
        term *= above / below;
        sum += term;
        if (above < below && term < sum * 1e-19) break; /* terms only shrink from here */
        if (sum > 0x1p+512) {
            sum *= 0x1p-512;
            term *= 0x1p-512;
            log_scale += 512 * M_LN2;
        }
    }
    return log_scale + log(sum / ((double)sign->losses + 1));
}

double pawl_grid_stake(double m0, size_t g)
{
    return ((double)g + 0.5) / PAWL_GRID_SIZE * 0.99 / (1 + m0);
}

void pawl_grid_init(struct pawl_grid *grid, double m0)
{
    PAWL_ASSERT(m0 > -1 && m0 < 1);
    *grid = (struct pawl_grid){.m0 = m0};
}

void pawl_grid_step_excess(struct pawl_grid *grid, double excess)
{
    for (size_t g = 0; g < PAWL_GRID_SIZE; g++)
        grid->log_wealth[g] += log1p(pawl_grid_stake(grid->m0, g) * excess);
}

void pawl_grid_step(struct pawl_grid *grid, double d)
{
    pawl_grid_step_excess(grid, d - grid->m0);
}

double pawl_grid_log_e(const struct pawl_grid *grid)
{
    return pawl_log_sum(grid->log_wealth, PAWL_GRID_SIZE) - log(PAWL_GRID_SIZE);
}

double pawl_betting_step(double log_wealth, double x, double mean, double stake)
{
    double factor = 1 + stake * (x - mean);
    return factor > 0 ? log_wealth + log(factor) : -INFINITY;
}
