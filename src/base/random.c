#include "base/random.h"

#include "base/hash.h"

#include <pthread.h>
#include <sodium.h>

static uint64_t load_le(const unsigned char *p)
{
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--) value = value << 8 | p[i];
    return value;
}

static void store_le(uint64_t value, unsigned char out[8])
{
    for (int i = 0; i < 8; i++) out[i] = (unsigned char)(value >> (8 * i));
}

static double unit_of(uint64_t bits)
{
    return (double)(bits >> 11) * 0x1p-53;
}

static struct pawl_random stream_of(struct pawl_hash name)
{
    struct pawl_random random;
    memcpy(random.key, name.bytes, sizeof random.key);
    for (int i = 0; i < 4; i++) random.state[i] = load_le(random.key + 8 * i);
    return random;
}

void pawl_random_init(struct pawl_random *random, uint64_t seed)
{
    unsigned char bytes[8];
    store_le(seed, bytes);
    *random = stream_of(pawl_hash_bytes(bytes, sizeof bytes));
}

struct pawl_random pawl_random_split(const struct pawl_random *parent, struct pawl_str label)
{
    struct pawl_hasher hasher;
    pawl_hasher_init(&hasher);
    pawl_hasher_add(&hasher, parent->key, sizeof parent->key);
    pawl_hasher_add(&hasher, label.ptr, label.len);
    return stream_of(pawl_hasher_final(&hasher));
}

static uint64_t rotate(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

/* xoshiro256** 1.0 (Blackman and Vigna, "Scrambled linear pseudorandom number generators"). */
uint64_t pawl_random_u64(struct pawl_random *random)
{
    uint64_t *s = random->state;
    uint64_t result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

/* Draws under 2^64 mod n are thrown away; what is left is a whole number of rounds of n. */
uint64_t pawl_random_below(struct pawl_random *random, uint64_t n)
{
    PAWL_ASSERT(n > 0);
    uint64_t surplus = -n % n, draw;
    do draw = pawl_random_u64(random);
    while (draw < surplus);
    return draw % n;
}

double pawl_random_unit(struct pawl_random *random)
{
    return unit_of(pawl_random_u64(random));
}

void pawl_random_shuffle(struct pawl_random *random, size_t *items, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t j = (size_t)pawl_random_below(random, i), item = items[i - 1];
        items[i - 1] = items[j];
        items[j] = item;
    }
}

/* The key's length goes first, so that ("ab","c") and ("a","bc") differ. */
double pawl_random_of(struct pawl_str key, struct pawl_str text)
{
    unsigned char len[8];
    struct pawl_hasher hasher;
    store_le(key.len, len);
    pawl_hasher_init(&hasher);
    pawl_hasher_add(&hasher, len, sizeof len);
    pawl_hasher_add(&hasher, key.ptr, key.len);
    pawl_hasher_add(&hasher, text.ptr, text.len);
    return unit_of(load_le(pawl_hasher_final(&hasher).bytes));
}

/* Test mode: where secrets come from when they must repeat. */
static struct {
    pthread_mutex_t mutex;
    bool fixed;
    struct pawl_random random;
} secret = {.mutex = PTHREAD_MUTEX_INITIALIZER};

void pawl_secret_fix(uint64_t seed)
{
    pthread_mutex_lock(&secret.mutex);
    pawl_random_init(&secret.random, seed);
    secret.fixed = true;
    pthread_mutex_unlock(&secret.mutex);
}

void pawl_secret_bytes(void *out, size_t n_bytes)
{
    pthread_mutex_lock(&secret.mutex);
    if (secret.fixed) {
        unsigned char *p = out;
        for (size_t i = 0; i < n_bytes; i++)
            p[i] = (unsigned char)(pawl_random_u64(&secret.random) >> 56);
    } else if (n_bytes > 0) {
        randombytes_buf(out, n_bytes);
    }
    pthread_mutex_unlock(&secret.mutex);
}
