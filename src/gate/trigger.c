#include "gate/trigger.h"

#include "base/hash.h"

#include <math.h>
#include <stdint.h>

double pawl_cusum_step(double s, double x, double mu0, double slack)
{
    return fmax(0, s + (mu0 - x) - slack);
}

double pawl_canary_fraction(struct pawl_str salt, struct pawl_str unit)
{
    struct pawl_hasher hasher;
    pawl_hasher_init(&hasher);
    pawl_hasher_add(&hasher, salt.ptr, salt.len);
    pawl_hasher_add(&hasher, "|", 1);
    pawl_hasher_add(&hasher, unit.ptr, unit.len);
    struct pawl_hash hash = pawl_hasher_final(&hasher);
    uint64_t first = 0;
    for (int i = 0; i < 8; i++) first = first << 8 | hash.bytes[i];
    /* 53 bits: rounding the whole 64 could reach 1. */
    return ldexp((double)(first >> 11), -53);
}
