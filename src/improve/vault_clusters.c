/* How large the sealed clusters are, and how large they may be. */
#include "improve/vault.h"

#include <stdlib.h>
#include <string.h>

static bool is_sealed(enum pawl_tier tier)
{
    return tier == PAWL_TIER_GATE || tier == PAWL_TIER_VAULT;
}

/* --- at most so many of each --------------------------------------------------------------------- */

struct ranked {
    const char *cluster;
    struct pawl_hash hash; /* keyed, so that nobody chooses which cases stay */
    size_t at;
};

static int by_cluster_and_hash(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    int order = strcmp(x->cluster, y->cluster);
    return order != 0 ? order : memcmp(x->hash.bytes, y->hash.bytes, sizeof x->hash.bytes);
}

/* out[i]: whether case i is over its cluster's limit. */
static bool *mark_excess(struct pawl_vault *vault, const struct pawl_vault_set *set, size_t limit)
{
    struct ranked *ranked = PAWL_NEW_N(&vault->arena, struct ranked, set->cases.n + 1);
    bool *excess = PAWL_NEW_N(&vault->arena, bool, set->cases.n + 1);
    size_t n = 0, rank = 0;
    for (size_t i = 0; i < set->cases.n; i++) {
        const struct pawl_case *item = &set->cases.items[i];
        if (!is_sealed(set->tiers[i])) continue;
        struct pawl_str text = pawl_str_of(pawl_arena_printf(&vault->arena, "keep %s", item->id));
        ranked[n++] = (struct ranked){item->cluster, pawl_hash_keyed(vault->keys.split, text), i};
    }
    qsort(ranked, n, sizeof *ranked, by_cluster_and_hash);
    for (size_t i = 0; i < n; i++) {
        rank = i > 0 && strcmp(ranked[i].cluster, ranked[i - 1].cluster) == 0 ? rank + 1 : 0;
        excess[ranked[i].at] = rank >= limit;
    }
    return excess;
}

size_t pawl_vault_set_aside(struct pawl_vault *vault, struct pawl_vault_set *set, size_t limit)
{
    if (limit == 0) return 0;
    const bool *excess = mark_excess(vault, set, limit);
    size_t before = set->cases.n, kept = 0;
    for (size_t i = 0; i < before; i++) {
        if (excess[i]) continue;
        set->cases.items[kept] = set->cases.items[i];
        set->tiers[kept++] = set->tiers[i];
    }
    set->cases.n = kept;
    return before - kept;
}

/* --- sizes --------------------------------------------------------------------------------------- */

static int descending(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x < y) - (x > y);
}

size_t *pawl_vault_gate_sizes(struct pawl_vault *vault, const struct pawl_vault_set *set, size_t *n)
{
    json_t *by_cluster = json_object(), *size;
    const char *cluster;
    for (size_t i = 0; i < set->cases.n; i++) {
        cluster = set->cases.items[i].cluster;
        if (set->tiers[i] == PAWL_TIER_GATE)
            pawl_json_set(by_cluster, cluster,
                          json_integer(pawl_json_get_int(by_cluster, cluster, 0) + 1));
    }
    size_t *sizes = PAWL_NEW_N(&vault->arena, size_t, json_object_size(by_cluster) + 1);
    *n = 0;
    json_object_foreach(by_cluster, cluster, size) sizes[(*n)++] = (size_t)json_integer_value(size);
    qsort(sizes, *n, sizeof *sizes, descending);
    json_decref(by_cluster);
    return sizes;
}

size_t *pawl_vault_asked_sizes(struct pawl_vault *vault, const struct pawl_vault_set *set,
                               size_t *n)
{
    size_t whole, draw = (size_t)pawl_vault_draw(vault);
    size_t *sizes = pawl_vault_gate_sizes(vault, set, &whole);
    *n = draw > 0 && draw < whole ? draw : whole;
    for (size_t i = 0; i < *n; i++) sizes[i] = sizes[i * whole / *n]; /* of the whole as it is */
    return sizes;
}

/* In order of size, so that nothing is said of the order in which they are asked. */
static json_t *gate_sizes(struct pawl_vault *vault, const struct pawl_vault_set *set)
{
    size_t n;
    const size_t *sizes = pawl_vault_asked_sizes(vault, set, &n);
    json_t *out = json_array();
    for (size_t i = 0; i < n; i++) json_array_append_new(out, json_integer((json_int_t)sizes[i]));
    return out;
}

enum pawl_status pawl_vault_sizes(struct pawl_worker *worker, json_t **done, struct pawl_error *err)
{
    struct pawl_vault vault;
    struct pawl_vault_set set = {0};
    enum pawl_status status = pawl_vault_open(worker, PAWL_VAULT_READ, &vault, err);
    if (status == PAWL_OK) status = pawl_vault_set_load(&vault, &set, err);
    if (status == PAWL_OK) *done = json_pack("{s:o}", "sizes", gate_sizes(&vault, &set));
    pawl_vault_set_release(&set);
    pawl_vault_release(&vault);
    return status;
}
