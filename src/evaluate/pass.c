#include "evaluate/pass.h"

#include <stdio.h>

static const size_t ks[PAWL_PASS_KS] = {1, 2, 5, 10, 20, 50, 100};

/* C(n-c, k) / C(n, k) as a product of c factors: nothing overflows. */
double pawl_pass_at_k(size_t n, size_t c, size_t k)
{
    double none = 1;
    if (n - c < k) return 1;
    for (size_t i = n - c + 1; i <= n; i++) none *= 1 - (double)k / (double)i;
    return 1 - none;
}

void pawl_passes_add(struct pawl_passes *passes, size_t n, size_t c)
{
    for (int i = 0; i < PAWL_PASS_KS && ks[i] <= n; i++) {
        passes->sums[i] += pawl_pass_at_k(n, c, ks[i]);
        passes->n_cases[i]++;
    }
}

json_t *pawl_passes_json(const struct pawl_passes *passes)
{
    json_t *means = json_object();
    for (int i = 0; i < PAWL_PASS_KS && passes->n_cases[i] > 0; i++) {
        char name[8];
        snprintf(name, sizeof name, "%zu", ks[i]);
        pawl_json_set(means, name, json_real(passes->sums[i] / (double)passes->n_cases[i]));
    }
    return means;
}
