#include "gate/compare.h"

#include "gate/eprocess.h"
#include "gate/paired.h"

#include "base/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- alignment ---------------------------------------------------------------------------- */

/* The pairs, sorted by id. */
struct pairs {
    size_t n, n_clusters, largest_cluster;
    bool pass_fail;
    double *a, *b, *d;
    size_t *cluster; /* numbered in order of first use */
};

static int compare_str(struct pawl_str a, struct pawl_str b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter ? memcmp(a.ptr, b.ptr, shorter) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_ids(const void *a, const void *b)
{
    const struct pawl_case_score *x = a, *y = b;
    return compare_str(x->id, y->id);
}

static enum pawl_status fail_case(struct pawl_error *err, struct pawl_str id, const char *what)
{
    char shown[96];
    snprintf(shown, sizeof shown, PAWL_STR_FMT, id.len > 80 ? 80 : (int)id.len, id.ptr);
    return pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, shown, "Case \"%s\" %s.", shown, what);
}

static enum pawl_status sort_scores(const struct pawl_case_score *scores, size_t n,
                                    struct pawl_arena *arena, struct pawl_case_score **out,
                                    struct pawl_error *err)
{
    struct pawl_case_score *sorted = PAWL_NEW_N(arena, struct pawl_case_score, n);
    memcpy(sorted, scores, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, compare_ids);
    for (size_t i = 0; i < n; i++) {
        if (!(sorted[i].score >= 0 && sorted[i].score <= 1))
            return fail_case(err, sorted[i].id, "has a score that is not between 0 and 1");
        if (i > 0 && compare_ids(&sorted[i - 1], &sorted[i]) == 0)
            return fail_case(err, sorted[i].id, "appears twice in one file");
    }
    *out = sorted;
    return PAWL_OK;
}

static enum pawl_status check_same_cases(const struct pawl_case_score *a, size_t n_a,
                                         const struct pawl_case_score *b, size_t n_b,
                                         struct pawl_error *err)
{
    for (size_t i = 0; i < n_a || i < n_b; i++) {
        int order = i == n_a ? 1 : i == n_b ? -1 : compare_ids(&a[i], &b[i]);
        if (order < 0) return fail_case(err, a[i].id, "is in the first file only");
        if (order > 0) return fail_case(err, b[i].id, "is in the second file only");
        /* One file may leave the cluster out. */
        if (a[i].cluster.len && b[i].cluster.len && !pawl_str_eq(a[i].cluster, b[i].cluster))
            return fail_case(err, a[i].id, "has another cluster in each file");
    }
    return PAWL_OK;
}

struct member {
    struct pawl_str cluster;
    size_t row;
};

static int compare_members(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    int order = compare_str(x->cluster, y->cluster);
    return order ? order : (x->row > y->row) - (x->row < y->row);
}

/* Number the clusters and find the largest. A case without one is alone. */
static void number_clusters(const struct pawl_case_score *a, const struct pawl_case_score *b,
                            struct pairs *pairs, struct pawl_arena *arena)
{
    struct member *members = PAWL_NEW_N(arena, struct member, pairs->n);
    for (size_t i = 0; i < pairs->n; i++)
        members[i] = (struct member){a[i].cluster.len ? a[i].cluster : b[i].cluster, i};
    qsort(members, pairs->n, sizeof *members, compare_members);
    size_t size = 0;
    for (size_t i = 0; i < pairs->n; i++) {
        bool same = i > 0 && members[i].cluster.len &&
                    pawl_str_eq(members[i].cluster, members[i - 1].cluster);
        size = same ? size + 1 : 1;
        pairs->n_clusters += !same;
        if (size > pairs->largest_cluster) pairs->largest_cluster = size;
        pairs->cluster[members[i].row] = pairs->n_clusters - 1;
    }
}

static enum pawl_status align(const struct pawl_case_score *a, size_t n_a,
                              const struct pawl_case_score *b, size_t n_b, struct pawl_arena *arena,
                              struct pairs *pairs, struct pawl_error *err)
{
    struct pawl_case_score *sorted_a = NULL, *sorted_b = NULL;
    PAWL_TRY(sort_scores(a, n_a, arena, &sorted_a, err));
    PAWL_TRY(sort_scores(b, n_b, arena, &sorted_b, err));
    PAWL_TRY(check_same_cases(sorted_a, n_a, sorted_b, n_b, err));
    *pairs = (struct pairs){.n = n_a, .pass_fail = true};
    pairs->a = PAWL_NEW_N(arena, double, n_a);
    pairs->b = PAWL_NEW_N(arena, double, n_a);
    pairs->d = PAWL_NEW_N(arena, double, n_a);
    pairs->cluster = PAWL_NEW_N(arena, size_t, n_a);
    for (size_t i = 0; i < n_a; i++) {
        double x = pairs->a[i] = sorted_a[i].score, y = pairs->b[i] = sorted_b[i].score;
        pairs->d[i] = y - x;
        pairs->pass_fail = pairs->pass_fail && (x == 0 || x == 1) && (y == 0 || y == 1);
    }
    number_clusters(sorted_a, sorted_b, pairs, arena);
    return PAWL_OK;
}

/* --- figures ------------------------------------------------------------------------------ */

static struct pawl_interval interval95(const struct pairs *pairs, struct pawl_arena *arena)
{
    if (pairs->n < 2 || pairs->n_clusters < 2) return (struct pawl_interval){NAN, NAN};
    struct pawl_interval ci;
    if (pairs->largest_cluster == 1) {
        struct pawl_paired_t t = pawl_paired_t(pairs->d, pairs->n, 0.95);
        ci = (struct pawl_interval){t.lo, t.hi};
    } else {
        struct pawl_clustered c =
            pawl_clustered(pairs->d, pairs->cluster, pairs->n, pairs->n_clusters, 0.95, arena);
        ci = (struct pawl_interval){c.lo, c.hi};
    }
    if (ci.lo < ci.hi || isnan(ci.lo)) return ci;
    return pawl_mean_of_equal(ci.lo, pairs->n_clusters, 0.95, -1, 1); /* no variance at all */
}

static double grid_log_e(const double *sums, const struct pairs *pairs)
{
    struct pawl_grid grid;
    pawl_grid_init(&grid, 0);
    for (size_t g = 0; g < pairs->n_clusters; g++)
        pawl_grid_step(&grid, sums[g] / (double)pairs->largest_cluster);
    return pawl_grid_log_e(&grid);
}

static void count_cases(const struct pairs *pairs, struct pawl_compare *out)
{
    for (size_t i = 0; i < pairs->n; i++) {
        out->wins += pairs->d[i] > 0;
        out->losses += pairs->d[i] < 0;
        out->ties += pairs->d[i] == 0;
    }
}

static void judge(const struct pairs *pairs, const struct pawl_compare_plan *plan,
                  struct pawl_arena *arena, struct pawl_compare *out)
{
    double *sums = PAWL_NEW_N(arena, double, pairs->n_clusters);
    pawl_cluster_sums(pairs->d, pairs->cluster, pairs->n, sums, pairs->n_clusters);
    struct pawl_random random;
    pawl_random_init(&random, plan->seed);
    struct pawl_signflip flip = pawl_signflip(sums, pairs->n_clusters, &random, arena);
    out->p_signflip = flip.p_two_sided;
    if (pairs->pass_fail && pairs->largest_cluster == 1) {
        struct pawl_mcnemar mcnemar = pawl_mcnemar(out->wins, out->losses);
        struct pawl_sign counts = {out->wins, out->losses, out->ties};
        out->p_mcnemar = mcnemar.p_two_sided;
        out->p_greater = mcnemar.p_greater;
        out->log_e = pawl_sign_log_e(&counts);
        out->e_value_of = "sign mixture of the final counts of wins and losses (order-free)";
        out->guarantee =
            "If B wins no more often than it loses, the verdict is promote with chance "
            "at most alpha (exact McNemar, one-sided), for one comparison planned "
            "before the scores were seen. Not a gate: both files are visible.";
    } else {
        out->p_mcnemar = NAN;
        out->p_greater = flip.p_greater;
        out->log_e = grid_log_e(sums, pairs);
        out->e_value_of = "grid mixture over all cluster sums, divided by the largest cluster, at "
                          "its final value (order-free)";
        out->guarantee = "If the differences of independent clusters are as likely to be turned "
                         "round, the verdict is promote with chance at most alpha (sign flips, "
                         "one-sided), for one comparison planned before the scores were seen. "
                         "Not a gate: both files are visible.";
    }
}

enum pawl_status pawl_compare(const struct pawl_case_score *a, size_t n_a,
                              const struct pawl_case_score *b, size_t n_b,
                              const struct pawl_compare_plan *plan, struct pawl_arena *arena,
                              struct pawl_compare *out, struct pawl_error *err)
{
    if (!(plan->alpha > 0 && plan->alpha < 1))
        return pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "alpha",
                            "The level is %g, not between 0 and 1.", plan->alpha);
    if (n_a == 0 || n_b == 0)
        return pawl_fail(err, PAWL_ECONFIG, "A score file is empty; there is nothing to compare.");
    if (n_a > PAWL_COMPARE_CASES_MAX || n_b > PAWL_COMPARE_CASES_MAX)
        return pawl_fail(err, PAWL_ETOOBIG, "A score file has more than %d cases.",
                         (int)PAWL_COMPARE_CASES_MAX);
    struct pairs pairs;
    PAWL_TRY(align(a, n_a, b, n_b, arena, &pairs, err));
    *out = (struct pawl_compare){
        .n = pairs.n,
        .n_clusters = pairs.n_clusters,
        .mean_a = pawl_mean(pairs.a, pairs.n),
        .mean_b = pawl_mean(pairs.b, pairs.n),
        .difference = pawl_mean(pairs.d, pairs.n),
        .ci95 = interval95(&pairs, arena),
        .alpha = plan->alpha,
    };
    count_cases(&pairs, out);
    judge(&pairs, plan, arena, out);
    out->e_value = exp(out->log_e);
    out->promote = out->p_greater <= plan->alpha;
    return PAWL_OK;
}

/* --- report ------------------------------------------------------------------------------- */

static json_t *real_or_null(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

json_t *pawl_compare_json(const struct pawl_compare *result)
{
    json_t *out = json_object(), *ci = json_array();
    json_array_append_new(ci, real_or_null(result->ci95.lo));
    json_array_append_new(ci, real_or_null(result->ci95.hi));
    pawl_json_set(out, "n", json_integer((json_int_t)result->n));
    pawl_json_set(out, "clusters", json_integer((json_int_t)result->n_clusters));
    pawl_json_set(out, "wins", json_integer((json_int_t)result->wins));
    pawl_json_set(out, "losses", json_integer((json_int_t)result->losses));
    pawl_json_set(out, "ties", json_integer((json_int_t)result->ties));
    pawl_json_set(out, "mean_a", json_real(result->mean_a));
    pawl_json_set(out, "mean_b", json_real(result->mean_b));
    pawl_json_set(out, "difference", json_real(result->difference));
    pawl_json_set(out, "ci95", ci);
    pawl_json_set(out, "p_mcnemar", real_or_null(result->p_mcnemar));
    pawl_json_set(out, "p_signflip", real_or_null(result->p_signflip));
    pawl_json_set(out, "p_greater", real_or_null(result->p_greater));
    pawl_json_set(out, "e_value", real_or_null(result->e_value));
    pawl_json_set(out, "log_e", real_or_null(result->log_e));
    pawl_json_set(out, "e_value_of", json_string(result->e_value_of));
    pawl_json_set(out, "alpha", json_real(result->alpha));
    pawl_json_set(out, "verdict", json_string(result->promote ? "promote" : "no"));
    pawl_json_set(out, "guarantee", json_string(result->guarantee));
    return out;
}
