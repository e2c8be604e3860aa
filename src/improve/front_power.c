/* What the gate can certify, and what one large cluster takes from it. */
#include "improve/front.h"

#include "gate/plan_clusters.h"
#include "improve/protocol.h"

#include <math.h>
#include <string.h>

static const double wanted_power = 0.8;
/* An advice is given when it brings the smallest gain down by this share or more. */
static const double worth_saying = 0.85;

double pawl_front_rounded(double value)
{
    return round(value * 1e4) / 1e4;
}

static json_t *gain_json(double gain)
{
    return isnan(gain) ? json_null() : json_real(pawl_front_rounded(gain));
}

/* The largest cluster, how many of its size all cases weigh, and what a limit would give. */
static void describe_clusters(struct pawl_call *call, const struct pawl_prospect *prospect,
                              double gain)
{
    const struct pawl_plan *plan = &prospect->plan;
    const size_t *sizes = prospect->sizes; /* the largest first */
    size_t cases = 0, same_size = 0;
    double better;
    for (size_t i = 0; i < plan->n; i++) {
        cases += sizes[i];
        same_size += sizes[i] == sizes[0];
    }
    size_t cap = pawl_plan_clusters_best_cap(plan, sizes, wanted_power, &better, &call->arena);
    bool say = cap < sizes[0] && (isnan(gain) || better <= worth_saying * gain);
    json_t *about = json_pack("{s:I, s:I, s:f}", "largest", (json_int_t)sizes[0], "of_that_size",
                              (json_int_t)same_size, "effective_cases",
                              pawl_front_rounded((double)cases / (double)sizes[0]));
    pawl_json_set(about, "max_per_cluster", say ? json_integer((json_int_t)cap) : json_null());
    pawl_json_set(about, "gain_with_it", say ? gain_json(better) : json_null());
    pawl_json_set(call->result, "clusters", about);
}

/* --- from the vault -------------------------------------------------------------------------------- */

enum pawl_status pawl_front_sizes(struct pawl_call *call, size_t n, size_t **sizes,
                                  struct pawl_error *err)
{
    json_t *done;
    PAWL_TRY(
        pawl_front_ask(call, PAWL_ROLE_VAULT_NAME, json_pack("{s:s}", "op", "sizes"), &done, err));
    const json_t *list = json_object_get(done, "sizes");
    *sizes = PAWL_NEW_N(&call->arena, size_t, n + 1);
    for (size_t i = 0; i < n; i++) {
        json_int_t size = json_integer_value(json_array_get(list, i));
        (*sizes)[i] = size > 0 ? (size_t)size : 1;
    }
    json_decref(done);
    return PAWL_OK;
}

enum pawl_status pawl_front_prospect(struct pawl_call *call, const json_t *vault,
                                     double discordance, struct pawl_prospect *prospect,
                                     struct pawl_error *err)
{
    int64_t n = pawl_json_get_int(vault, "gate_clusters", 0);
    bool fixed = strcmp(pawl_json_get_text(vault, "look", "sequential"), "fixed") == 0;
    *prospect =
        (struct pawl_prospect){.plan = {.look = fixed ? PAWL_LOOK_FIXED : PAWL_LOOK_SEQUENTIAL,
                                        .level = pawl_json_get_real(vault, "level", 0.05),
                                        .n = n < PAWL_PLAN_MAX ? (size_t)n : PAWL_PLAN_MAX,
                                        .discordance = discordance}};
    /* A planned look weighs by what it sees, so that a large cluster costs it little. */
    if (fixed || pawl_json_get_int(vault, "largest_cluster", 1) <= 1) return PAWL_OK;
    return pawl_front_sizes(call, prospect->plan.n, &prospect->sizes, err);
}

/* --- figures --------------------------------------------------------------------------------------- */

double pawl_front_power(struct pawl_call *call, const struct pawl_prospect *prospect, double gain)
{
    const struct pawl_plan *plan = &prospect->plan;
    return prospect->sizes == NULL
               ? pawl_plan_power(plan, gain, &call->arena)
               : pawl_plan_clusters_power(plan, prospect->sizes, gain, &call->arena);
}

double pawl_front_smallest_gain(struct pawl_call *call, const struct pawl_prospect *prospect)
{
    const struct pawl_plan *plan = &prospect->plan;
    const size_t *sizes = prospect->sizes;
    return sizes == NULL
               ? pawl_plan_smallest_gain(plan, wanted_power, &call->arena)
               : pawl_plan_clusters_smallest_gain(plan, sizes, wanted_power, &call->arena);
}

void pawl_front_certifiable(struct pawl_call *call, const struct pawl_prospect *prospect)
{
    double gain = pawl_front_smallest_gain(call, prospect);
    if (prospect->sizes != NULL) describe_clusters(call, prospect, gain);
    pawl_json_set(call->result, "smallest_certifiable_gain", gain_json(gain));
}
