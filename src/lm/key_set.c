#include "lm/key_set.h"

#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

/* The bucket of the key, or the empty one where it belongs. SHA-256 needs no further mixing. */
static size_t *bucket_of(const struct pawl_key_set *set, const struct pawl_hash *key)
{
    size_t mask = 2 * set->capacity - 1, at;
    memcpy(&at, key->bytes, sizeof at);
    for (at &= mask; set->buckets[at] > 0; at = (at + 1) & mask)
        if (pawl_hash_eq(&set->keys[set->buckets[at] - 1], key)) break;
    return &set->buckets[at];
}

size_t pawl_key_set_find(const struct pawl_key_set *set, const struct pawl_hash *key)
{
    return set->n > 0 ? *bucket_of(set, key) - 1 : PAWL_KEY_NONE; /* empty: 0 - 1 */
}

static void grow(struct pawl_key_set *set)
{
    set->capacity = set->capacity ? 2 * set->capacity : 8;
    set->keys = pawl_xrealloc(set->keys, set->capacity * sizeof *set->keys);
    free(set->buckets);
    set->buckets = pawl_xcalloc(2 * set->capacity, sizeof *set->buckets);
    for (size_t i = 0; i < set->n; i++) *bucket_of(set, &set->keys[i]) = i + 1;
}

size_t pawl_key_set_add(struct pawl_key_set *set, const struct pawl_hash *key)
{
    if (set->n == set->capacity) grow(set);
    size_t *bucket = bucket_of(set, key);
    if (*bucket == 0) {
        set->keys[set->n++] = *key;
        *bucket = set->n;
    }
    return *bucket - 1;
}

void pawl_key_set_release(struct pawl_key_set *set)
{
    free(set->keys);
    free(set->buckets);
    *set = (struct pawl_key_set){0};
}
