/*
 * hash.h - names made of content.
 *
 * SHA-256 throughout; keyed hashing is HMAC-SHA-256; trees are RFC 6962. Everything that is hashed
 * as a structure is hashed in canonical JSON (json.h), so a third party can recompute it with
 * sha256sum. An id shown to people is a unique hex prefix of at least 6 characters.
 */
#ifndef PAWL_BASE_HASH_H
#define PAWL_BASE_HASH_H

#include "base/json.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum { PAWL_HASH_BYTES = 32, PAWL_HASH_HEX = 65 /* with its NUL */, PAWL_ID_MIN = 6 };
struct pawl_hash {
    unsigned char bytes[PAWL_HASH_BYTES];
};

/* Must run once per process before the functions below and random.h (libsodium's start). */
void pawl_crypto_init(void);

struct pawl_hash pawl_hash_bytes(const void *bytes, size_t n_bytes);
struct pawl_hash pawl_hash_str(struct pawl_str text);
struct pawl_hash pawl_hash_json(const json_t *value); /* of the canonical form */
struct pawl_hash pawl_hash_keyed(const unsigned char key[32], struct pawl_str text); /* HMAC */
/* A key for one purpose from a master key; `purpose` is a word, e.g. "order". */
void pawl_key_derive(const unsigned char master[32], const char *purpose, unsigned char out[32]);
bool pawl_hash_eq(const struct pawl_hash *a, const struct pawl_hash *b);
void pawl_hash_hex(const struct pawl_hash *hash, char out[PAWL_HASH_HEX]);
bool pawl_hash_from_hex(struct pawl_str hex, struct pawl_hash *out);
/* RFC 6962 2.1 over leaves (each is hashed with the 0x00 prefix here). */
struct pawl_hash pawl_merkle_root(const struct pawl_str *leaves, size_t n);

/* Streaming. */
struct pawl_hasher {
    _Alignas(16) unsigned char state[128];
};
void pawl_hasher_init(struct pawl_hasher *hasher);
void pawl_hasher_add(struct pawl_hasher *hasher, const void *bytes, size_t n_bytes);
struct pawl_hash pawl_hasher_final(struct pawl_hasher *hasher);

void pawl_hex(const void *bytes, size_t n_bytes, char *out); /* out holds 2n+1 */
bool pawl_unhex(struct pawl_str hex, unsigned char *out, size_t n_bytes);
uint32_t pawl_crc32(const void *bytes, size_t n_bytes);

#endif
