/*
 * pass.h - pass@k: how likely it is that at least one of k answers passes.
 *
 * From n >= k answers to a case of which c passed, 1 - C(n-c, k) / C(n, k) is the unbiased estimate; the
 * share of cases where one of the first k passed has more variance, and 1 - (1 - c/n)^k is biased. Of a set
 * it is the mean over the cases. (Chen et al. 2021, "Evaluating large language models trained on code",
 * equation 1; there computed by the same product.)
 *
 *     pawl_pass_at_k(10, 1, 5) is 0.5
 */
#ifndef PAWL_EVALUATE_PASS_H
#define PAWL_EVALUATE_PASS_H

#include "base/json.h"

#include <stddef.h>

/* Of n answers c passed; 1 <= k <= n, c <= n. */
double pawl_pass_at_k(size_t n, size_t c, size_t k);

/* Means over cases, for k = 1, 2, 5, 10, 20, 50, 100 up to the number of answers that a case has. */
enum { PAWL_PASS_KS = 7 };
struct pawl_passes {
    double sums[PAWL_PASS_KS];
    size_t n_cases[PAWL_PASS_KS]; /* a case with fewer than k answers says nothing about k */
};
void pawl_passes_add(struct pawl_passes *passes, size_t n, size_t c);
/* {"1": mean, "2": mean, ...}. New reference. */
json_t *pawl_passes_json(const struct pawl_passes *passes);

#endif
