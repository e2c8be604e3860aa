/*
 * bench_machine - what one core of this machine could do at most: multiply-adds of 32-bit floats, and
 * bytes read from memory. What the embedded model reaches of both is told beside llama-server
 * (bench/peers.py). One JSON line.
 *
 *     bench_machine
 */
#include "base/clock.h"
#include "base/arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { ROUNDS = 20000000, CHAINS = 12 };

/* Enough independent chains to hide the latency of a multiply-add; nothing is read from memory. Each
 * gives the multiply-adds that it did; the sum is looked at, so that they are done. */
static volatile float seen;

#if defined(__x86_64__)
__attribute__((target("avx512f"))) static double fma_512(void)
{
    __m512 sum[CHAINS], factor = _mm512_set1_ps(0.999f), more = _mm512_set1_ps(0.001f);
    for (int i = 0; i < CHAINS; i++) sum[i] = _mm512_set1_ps((float)i);
    for (int r = 0; r < ROUNDS; r++)
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++) sum[i] = _mm512_fmadd_ps(sum[i], factor, more);
    for (int i = 0; i < CHAINS; i++) seen = _mm512_reduce_add_ps(sum[i]);
    return 16.0 * CHAINS * ROUNDS;
}

__attribute__((target("avx2,fma"))) static double fma_256(void)
{
    __m256 sum[CHAINS], factor = _mm256_set1_ps(0.999f), more = _mm256_set1_ps(0.001f);
    for (int i = 0; i < CHAINS; i++) sum[i] = _mm256_set1_ps((float)i);
    for (int r = 0; r < ROUNDS; r++)
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++) sum[i] = _mm256_fmadd_ps(sum[i], factor, more);
    for (int i = 0; i < CHAINS; i++) {
        float lane[8];
        _mm256_storeu_ps(lane, sum[i]);
        seen = lane[0];
    }
    return 8.0 * CHAINS * ROUNDS;
}
#endif

/* What the compiler makes of it for any CPU. */
static double fma_plain(void)
{
    float sum[CHAINS * 4];
    for (int i = 0; i < CHAINS * 4; i++) sum[i] = (float)i;
    for (int r = 0; r < ROUNDS; r++)
        for (int i = 0; i < CHAINS * 4; i++) sum[i] = sum[i] * 0.999f + 0.001f;
    for (int i = 0; i < CHAINS * 4; i++) seen = sum[i];
    return 4.0 * CHAINS * ROUNDS;
}

static double multiply_adds(const char **how)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) return *how = "avx512", fma_512();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return *how = "avx2", fma_256();
#endif
    return *how = "plain", fma_plain();
}

/* Bytes a second of a sum over more than any cache holds; the best of some rounds, as other work on the
 * machine only takes away. */
static double bytes_read_per_s(void)
{
    enum { N = (256 << 20) / sizeof(uint64_t), ROUNDS_READ = 5 };
    uint64_t *words = pawl_xcalloc(N, sizeof *words);
    memset(words, 1, N * sizeof *words);
    double best = 0;
    for (int r = 0; r < ROUNDS_READ; r++) {
        uint64_t sum[4] = {0};
        double cpu_s = pawl_clock_cpu_s();
        for (size_t i = 0; i < N; i += 4)
            for (size_t k = 0; k < 4; k++) sum[k] += words[i + k];
        cpu_s = pawl_clock_cpu_s() - cpu_s;
        seen = (float)(sum[0] + sum[1] + sum[2] + sum[3]);
        double rate = (double)(N * sizeof *words) / cpu_s;
        if (rate > best) best = rate;
    }
    free(words);
    return best;
}

int main(void)
{
    const char *how;
    double best = 0;
    for (int r = 0; r < 3; r++) {
        double cpu_s = pawl_clock_cpu_s(), n = multiply_adds(&how);
        double rate = n / (pawl_clock_cpu_s() - cpu_s);
        if (rate > best) best = rate;
    }
    printf("{\"bench\":\"machine\",\"multiply_adds\":\"%s\",\"gmac_per_cpu_s\":%.2f,"
           "\"gb_read_per_cpu_s\":%.2f}\n",
           how, best / 1e9, bytes_read_per_s() / 1e9);
    return 0;
}
