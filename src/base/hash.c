#include "base/hash.h"

#include <sodium.h>
#include <stdlib.h>

_Static_assert(sizeof(crypto_hash_sha256_state) <= sizeof(struct pawl_hasher), "hasher room");
_Static_assert(crypto_hash_sha256_BYTES == PAWL_HASH_BYTES, "hash size");
_Static_assert(crypto_auth_hmacsha256_BYTES == PAWL_HASH_BYTES, "keyed hash size");

void pawl_crypto_init(void)
{
    if (sodium_init() < 0) PAWL_BUG("libsodium does not start");
}

/* libsodium reads nothing from a NULL pointer, but its prototypes forbid one. */
static const unsigned char *bytes_of(const void *bytes)
{
    return bytes ? bytes : (const unsigned char *)"";
}

void pawl_hasher_init(struct pawl_hasher *hasher)
{
    crypto_hash_sha256_init((crypto_hash_sha256_state *)(void *)hasher->state);
}

void pawl_hasher_add(struct pawl_hasher *hasher, const void *bytes, size_t n_bytes)
{
    crypto_hash_sha256_update((crypto_hash_sha256_state *)(void *)hasher->state, bytes_of(bytes),
                              n_bytes);
}

struct pawl_hash pawl_hasher_final(struct pawl_hasher *hasher)
{
    struct pawl_hash hash;
    crypto_hash_sha256_final((crypto_hash_sha256_state *)(void *)hasher->state, hash.bytes);
    return hash;
}

struct pawl_hash pawl_hash_bytes(const void *bytes, size_t n_bytes)
{
    struct pawl_hash hash;
    crypto_hash_sha256(hash.bytes, bytes_of(bytes), n_bytes);
    return hash;
}

struct pawl_hash pawl_hash_str(struct pawl_str text)
{
    return pawl_hash_bytes(text.ptr, text.len);
}

struct pawl_hash pawl_hash_json(const json_t *value)
{
    struct pawl_buf text = PAWL_BUF(SIZE_MAX / 2);
    pawl_json_write(value, &text);
    struct pawl_hash hash = pawl_hash_str(pawl_buf_str(&text));
    pawl_buf_release(&text);
    return hash;
}

struct pawl_hash pawl_hash_keyed(const unsigned char key[32], struct pawl_str text)
{
    struct pawl_hash hash;
    crypto_auth_hmacsha256(hash.bytes, bytes_of(text.ptr), text.len, key);
    return hash;
}

void pawl_key_derive(const unsigned char master[32], const char *purpose, unsigned char out[32])
{
    struct pawl_hash key = pawl_hash_keyed(master, pawl_str_of(purpose));
    memcpy(out, key.bytes, sizeof key.bytes);
}

/* In constant time, because hashes are also message authentication codes. */
bool pawl_hash_eq(const struct pawl_hash *a, const struct pawl_hash *b)
{
    return sodium_memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

void pawl_hash_hex(const struct pawl_hash *hash, char out[PAWL_HASH_HEX])
{
    pawl_hex(hash->bytes, sizeof hash->bytes, out);
}

bool pawl_hash_from_hex(struct pawl_str hex, struct pawl_hash *out)
{
    return pawl_unhex(hex, out->bytes, sizeof out->bytes);
}

/* RFC 6962 2.1: a leaf is hashed after a 0x00, an inner node after a 0x01, so that neither can be
 * passed off as the other; a tree of n leaves splits at the largest power of two below n. */
struct pawl_hash pawl_merkle_root(const struct pawl_str *leaves, size_t n)
{
    struct pawl_hasher hasher;
    pawl_hasher_init(&hasher);
    if (n == 1) {
        pawl_hasher_add(&hasher, "\x00", 1);
        pawl_hasher_add(&hasher, leaves->ptr, leaves->len);
    } else if (n > 1) {
        size_t split = 1;
        while (split < n - split) split *= 2;
        struct pawl_hash left = pawl_merkle_root(leaves, split);
        struct pawl_hash right = pawl_merkle_root(leaves + split, n - split);
        pawl_hasher_add(&hasher, "\x01", 1);
        pawl_hasher_add(&hasher, left.bytes, sizeof left.bytes);
        pawl_hasher_add(&hasher, right.bytes, sizeof right.bytes);
    }
    return pawl_hasher_final(&hasher);
}

void pawl_hex(const void *bytes, size_t n_bytes, char *out)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < n_bytes; i++) {
        *out++ = "0123456789abcdef"[p[i] >> 4];
        *out++ = "0123456789abcdef"[p[i] & 15];
    }
    *out = '\0';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

/* Lower case only: one value has one name. */
bool pawl_unhex(struct pawl_str hex, unsigned char *out, size_t n_bytes)
{
    if (hex.len != n_bytes * 2) return false;
    for (size_t i = 0; i < n_bytes; i++) {
        int high = hex_digit(hex.ptr[2 * i]), low = hex_digit(hex.ptr[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        out[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

/* CRC-32 of zlib and PNG, four bits at a time. */
uint32_t pawl_crc32(const void *bytes, size_t n_bytes)
{
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    const unsigned char *p = bytes;
    uint32_t crc = ~UINT32_C(0);
    for (size_t i = 0; i < n_bytes; i++) {
        crc ^= p[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}
