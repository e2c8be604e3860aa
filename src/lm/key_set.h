/*
 * key_set.h - numbers for keys: the first key added is 0, the next new one 1, ...
 */
#ifndef PAWL_LM_KEY_SET_H
#define PAWL_LM_KEY_SET_H

#include "base/hash.h"

struct pawl_key_set {
    struct pawl_hash *keys;
    size_t n, capacity;
    size_t *buckets; /* open addressing: number + 1, 0: empty; at most half of them used */
};
#define PAWL_KEY_NONE ((size_t)-1)

size_t pawl_key_set_find(const struct pawl_key_set *set, const struct pawl_hash *key);
/* The key's number, whether it was there or not. */
size_t pawl_key_set_add(struct pawl_key_set *set, const struct pawl_hash *key);
void pawl_key_set_release(struct pawl_key_set *set);

#endif
