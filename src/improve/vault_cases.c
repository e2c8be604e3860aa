/* The list of all cases as the vault keeps it; its sealed part as a log, and as the gate's order. */
#include "improve/vault.h"

#include <stdlib.h>

enum { LIST_BYTES_MIN = 1 << 20 };

static enum pawl_tier tier_from_name(const char *name)
{
    for (int tier = 0; tier <= PAWL_TIER_TRAP; tier++)
        if (strcmp(name, pawl_tier_name((enum pawl_tier)tier)) == 0) return (enum pawl_tier)tier;
    return PAWL_TIER_TRAIN;
}

/* --- the list in the store ------------------------------------------------------------------------ */

/* The pieces joined. */
static enum pawl_status read_list(struct pawl_vault *vault, struct pawl_buf *text,
                                  struct pawl_error *err)
{
    int64_t chunks = pawl_json_get_int(vault->state, "chunks", 0);
    for (int64_t i = 0; i < chunks; i++) {
        struct pawl_str piece;
        PAWL_TRY(pawl_vault_read(vault, PAWL_VAULT_ROW_CASES, (uint64_t)i, &piece, err));
        pawl_buf_add_str(text, piece);
    }
    PAWL_ASSERT(!text->overflowed);
    return PAWL_OK;
}

/* A list is all there is until the first rotation; then {"cases","past"}. */
static void take_past(struct pawl_vault_set *set)
{
    json_t *whole = set->list;
    if (!json_is_object(whole)) return;
    set->list = json_incref(json_object_get(whole, "cases"));
    set->past = json_incref(json_object_get(whole, "past"));
    json_decref(whole);
}

static char *list_text(const struct pawl_vault_set *set)
{
    if (set->past == NULL) return pawl_json_text(set->list);
    json_t *whole = json_pack("{s:O, s:O}", "cases", set->list, "past", set->past);
    char *text = pawl_json_text(whole);
    json_decref(whole);
    return text;
}

enum pawl_status pawl_vault_set_load(struct pawl_vault *vault, struct pawl_vault_set *set,
                                     struct pawl_error *err)
{
    *set = (struct pawl_vault_set){0};
    size_t n_bytes = (size_t)pawl_json_get_int(vault->state, "case_bytes", 0);
    struct pawl_buf text = PAWL_BUF(n_bytes + 1);
    enum pawl_status status = read_list(vault, &text, err);
    if (status == PAWL_OK)
        status = pawl_json_parse(pawl_buf_str(&text), n_bytes + 1, &set->list, err);
    pawl_buf_release(&text);
    PAWL_TRY(status);
    take_past(set);
    PAWL_TRY(pawl_cases_from_json(set->list, &vault->arena, &set->cases, err));
    set->tiers = PAWL_NEW_N(&vault->arena, enum pawl_tier, set->cases.n);
    for (size_t i = 0; i < set->cases.n; i++)
        set->tiers[i] =
            tier_from_name(pawl_json_get_text(json_array_get(set->list, i), "tier", ""));
    return PAWL_OK;
}

void pawl_vault_set_release(struct pawl_vault_set *set)
{
    pawl_cases_release(&set->cases);
    json_decref(set->list);
    json_decref(set->past);
    *set = (struct pawl_vault_set){0};
}

size_t pawl_vault_set_writes(struct pawl_vault *vault, const struct pawl_vault_set *set,
                             struct pawl_vault_write **writes)
{
    char *text = list_text(set);
    struct pawl_str rest = pawl_arena_copy(&vault->arena, pawl_str_of(text));
    free(text);
    size_t bucket = LIST_BYTES_MIN;
    while (bucket < rest.len) bucket *= 2;
    size_t n = bucket / PAWL_VAULT_PIECE_BYTES;
    pawl_json_set(vault->state, "case_bytes", json_integer((json_int_t)rest.len));
    pawl_json_set(vault->state, "chunks", json_integer((json_int_t)n));
    *writes = PAWL_NEW_N(&vault->arena, struct pawl_vault_write, n);
    for (size_t i = 0; i < n; i++) {
        size_t len = rest.len < PAWL_VAULT_PIECE_BYTES ? rest.len : PAWL_VAULT_PIECE_BYTES;
        (*writes)[i] = (struct pawl_vault_write){PAWL_VAULT_ROW_CASES, i, {rest.ptr, len}};
        rest = (struct pawl_str){rest.ptr + len, rest.len - len};
    }
    return n;
}

json_t *pawl_vault_set_tier(const struct pawl_vault_set *set, enum pawl_tier tier, size_t from)
{
    json_t *out = json_array();
    for (size_t i = from; i < set->cases.n; i++)
        if (set->tiers[i] == tier) json_array_append(out, json_array_get(set->list, i));
    return out;
}

/* --- the log of sealed cases ---------------------------------------------------------------------- */

static enum pawl_tier tier_then(const struct pawl_vault_set *set, size_t i)
{
    return set->then != NULL ? set->then[i] : set->tiers[i];
}

static bool in_log(const struct pawl_vault_set *set, size_t i)
{
    return tier_then(set, i) == PAWL_TIER_GATE || tier_then(set, i) == PAWL_TIER_VAULT;
}

/* Whether a look back sees what no attempt has asked yet: a draw to come (vault_draw.c). */
static bool is_sealed_still(const struct pawl_vault_set *set, size_t i)
{
    bool sealed = set->tiers[i] == PAWL_TIER_GATE || set->tiers[i] == PAWL_TIER_VAULT;
    return set->then != NULL && sealed;
}

static void mark(struct pawl_vault_set *set, const json_t *sealed, enum pawl_tier tier)
{
    size_t i;
    json_t *at;
    json_array_foreach(json_object_get(sealed, pawl_tier_name(tier)), i, at)
    {
        if ((size_t)json_integer_value(at) < set->cases.n) set->then[json_integer_value(at)] = tier;
    }
}

void pawl_vault_set_look_at(struct pawl_vault *vault, struct pawl_vault_set *set, int64_t epoch)
{
    set->then = NULL;
    if (epoch == pawl_vault_epoch(vault)) return;
    const json_t *sealed = json_array_get(set->past, (size_t)epoch - 1);
    set->then = PAWL_NEW_N(&vault->arena, enum pawl_tier, set->cases.n + 1);
    for (size_t i = 0; i < set->cases.n; i++) set->then[i] = PAWL_TIER_TRAIN;
    mark(set, sealed, PAWL_TIER_GATE);
    mark(set, sealed, PAWL_TIER_VAULT);
}

/* The case as it was sealed: what became of it since is not in its leaf. New reference. */
static json_t *sealed_case(const struct pawl_vault_set *set, size_t i)
{
    json_t *item = json_array_get(set->list, i);
    if (set->then == NULL) return json_incref(item);
    item = json_copy(item);
    json_object_del(item, "check");
    pawl_json_set(item, "tier", json_string(pawl_tier_name(tier_then(set, i))));
    return item;
}

static struct pawl_hash keyed_of(struct pawl_vault *vault, const unsigned char key[32],
                                 const char *purpose, const char *text)
{
    struct pawl_arena *arena = &vault->arena;
    return pawl_hash_keyed(key, pawl_str_of(pawl_arena_printf(arena, "%s %s", purpose, text)));
}

static struct pawl_hash salt_of(struct pawl_vault *vault, const struct pawl_vault_set *set,
                                size_t i)
{
    return keyed_of(vault, vault->keys.salt, "case", set->cases.items[i].id);
}

/* SHA-256(salt | canonical JSON of the case). The salt, told in the audit view, keeps guesses out. */
static struct pawl_hash leaf_of(struct pawl_vault *vault, const struct pawl_vault_set *set,
                                size_t i)
{
    struct pawl_hash salt = salt_of(vault, set, i);
    struct pawl_hasher hasher;
    json_t *item = sealed_case(set, i);
    char *text = pawl_json_text(item);
    json_decref(item);
    pawl_hasher_init(&hasher);
    pawl_hasher_add(&hasher, salt.bytes, sizeof salt.bytes);
    pawl_hasher_add(&hasher, text, strlen(text));
    free(text);
    return pawl_hasher_final(&hasher);
}

json_t *pawl_vault_set_commitment(struct pawl_vault *vault, const struct pawl_vault_set *set)
{
    struct pawl_arena *arena = &vault->arena;
    struct pawl_hash *hashes = PAWL_NEW_N(arena, struct pawl_hash, set->cases.n + 1);
    struct pawl_str *leaves = PAWL_NEW_N(arena, struct pawl_str, set->cases.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < set->cases.n; i++) {
        if (!in_log(set, i)) continue;
        hashes[n] = leaf_of(vault, set, i);
        leaves[n] = (struct pawl_str){(const char *)hashes[n].bytes, sizeof hashes[n].bytes};
        n++;
    }
    struct pawl_hash root = pawl_merkle_root(leaves, n);
    char hex[PAWL_HASH_HEX];
    pawl_hash_hex(&root, hex);
    return json_pack("{s:s, s:I}", "root", hex, "size", (json_int_t)n);
}

json_t *pawl_vault_set_opening(struct pawl_vault *vault, const struct pawl_vault_set *set)
{
    json_t *out = json_array();
    for (size_t i = 0; i < set->cases.n; i++) {
        char hex[PAWL_HASH_HEX];
        if (!in_log(set, i)) continue;
        bool opens = tier_then(set, i) == PAWL_TIER_GATE && !is_sealed_still(set, i);
        struct pawl_hash hash = opens ? salt_of(vault, set, i) : leaf_of(vault, set, i);
        pawl_hash_hex(&hash, hex);
        json_array_append_new(
            out, opens ? json_pack("{s:o, s:s}", "case", sealed_case(set, i), "salt", hex)
                       : json_pack("{s:s}", "leaf", hex));
    }
    return out;
}

/* --- the gate's order ------------------------------------------------------------------------------ */

struct ordered {
    struct pawl_hash cluster, item;
    size_t index;
};

static int compare_ordered(const void *a, const void *b)
{
    const struct ordered *left = a, *right = b;
    int order = memcmp(left->cluster.bytes, right->cluster.bytes, sizeof left->cluster.bytes);
    return order != 0 ? order
                      : memcmp(left->item.bytes, right->item.bytes, sizeof left->item.bytes);
}

/* Vault-tier clusters that have a case among the first `spent` entries of the log. New reference. */
static json_t *spent_clusters(const struct pawl_vault_set *set, size_t spent)
{
    json_t *clusters = json_object();
    size_t entry = 0;
    for (size_t i = 0; i < set->cases.n && entry < spent; i++) {
        if (!in_log(set, i)) continue;
        entry++;
        if (tier_then(set, i) == PAWL_TIER_VAULT)
            pawl_json_set(clusters, set->cases.items[i].cluster, json_true());
    }
    return clusters;
}

/* Which sealed cases are asked: the gate's, or of the vault tier those of no cluster that was asked before. */
struct wanted {
    enum pawl_tier tier;
    size_t log_size;
    const json_t *but; /* clusters; NULL: none */
};

/* Of the first log_size entries, with the keys they are sorted by. */
static size_t gather(struct pawl_vault *vault, const struct pawl_vault_set *set,
                     const struct wanted *wanted, struct ordered *out)
{
    size_t n = 0, entry = 0;
    for (size_t i = 0; i < set->cases.n && entry < wanted->log_size; i++) {
        if (!in_log(set, i)) continue;
        entry++;
        const struct pawl_case *item = &set->cases.items[i];
        if (tier_then(set, i) != wanted->tier) continue;
        if (json_object_get(wanted->but, item->cluster) != NULL) continue;
        out[n].cluster = keyed_of(vault, vault->keys.order, "cluster", item->cluster);
        out[n].item = keyed_of(vault, vault->keys.order, "case", item->id);
        out[n++].index = i;
    }
    return n;
}

static void order_wanted(struct pawl_vault *vault, const struct pawl_vault_set *set,
                         const struct wanted *wanted, struct pawl_vault_order *order)
{
    struct ordered *sorted = PAWL_NEW_N(&vault->arena, struct ordered, set->cases.n + 1);
    *order = (struct pawl_vault_order){.n = gather(vault, set, wanted, sorted)};
    qsort(sorted, order->n, sizeof *sorted, compare_ordered);
    order->items = PAWL_NEW_N(&vault->arena, size_t, order->n + 1);
    order->ends = PAWL_NEW_N(&vault->arena, size_t, order->n + 1);
    for (size_t i = 0; i < order->n; i++) {
        bool opens = i == 0 || !pawl_hash_eq(&sorted[i].cluster, &sorted[i - 1].cluster);
        if (opens) order->n_clusters++;
        order->items[i] = sorted[i].index;
        order->ends[order->n_clusters - 1] = i + 1;
    }
}

void pawl_vault_order_make(struct pawl_vault *vault, const struct pawl_vault_set *set,
                           size_t log_size, struct pawl_vault_order *order)
{
    struct wanted wanted = {.tier = PAWL_TIER_GATE, .log_size = log_size};
    order_wanted(vault, set, &wanted, order);
}

/* --- the vault tier's ------------------------------------------------------------------------------- */

void pawl_vault_order_fresh(struct pawl_vault *vault, const struct pawl_vault_set *set,
                            size_t spent, size_t log_size, struct pawl_vault_order *order)
{
    json_t *but = spent_clusters(set, spent);
    struct wanted wanted = {.tier = PAWL_TIER_VAULT, .log_size = log_size, .but = but};
    order_wanted(vault, set, &wanted, order);
    json_decref(but);
}

size_t pawl_vault_set_retire_spent(struct pawl_vault_set *set, size_t spent)
{
    json_t *clusters = spent_clusters(set, spent);
    size_t n = 0;
    for (size_t i = 0; i < set->cases.n; i++) {
        if (set->tiers[i] != PAWL_TIER_VAULT ||
            json_object_get(clusters, set->cases.items[i].cluster) == NULL)
            continue;
        set->tiers[i] = PAWL_TIER_DEV;
        n++;
    }
    json_decref(clusters);
    return n;
}
