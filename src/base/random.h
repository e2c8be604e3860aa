/*
 * random.h - seeded random numbers that can be split by name.
 *
 * A stream is determined by (seed, path of labels) alone, so two branches that run at the same
 * time draw the same numbers as when they run one after the other. xoshiro256** seeded from
 * SHA-256(parent key, label). Not for secrets: those come from pawl_secret_bytes.
 */
#ifndef PAWL_BASE_RANDOM_H
#define PAWL_BASE_RANDOM_H

#include "base/str.h"

#include <stdint.h>

struct pawl_random {
    unsigned char key[32]; /* names the stream; children are derived from it, not from the state */
    uint64_t state[4];
};

void pawl_random_init(struct pawl_random *random, uint64_t seed);
/* A child stream. Depends on the parent's name and the label, not on what the parent has drawn. */
struct pawl_random pawl_random_split(const struct pawl_random *parent, struct pawl_str label);
uint64_t pawl_random_u64(struct pawl_random *random);
uint64_t pawl_random_below(struct pawl_random *random, uint64_t n); /* unbiased; n > 0 */
double pawl_random_unit(struct pawl_random *random);                /* [0,1) with 53 bits */
void pawl_random_shuffle(struct pawl_random *random, size_t *items, size_t n);
/* A number in [0,1) that depends on the key and text alone. */
double pawl_random_of(struct pawl_str key, struct pawl_str text);

/* Secret bytes from the system; in test mode (pawl_secret_fix) from a fixed seed. */
void pawl_secret_bytes(void *out, size_t n_bytes);
void pawl_secret_fix(uint64_t seed);

#endif
