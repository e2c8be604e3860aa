#include "base/clock.h"

#include "base/error.h"

#include <errno.h>
#include <stdatomic.h>
#include <time.h>

/* The instant of the virtual clock in microseconds; REAL when there is none. */
enum { US_PER_MS = 1000 };
#define REAL INT64_MIN
static _Atomic int64_t virtual_us = REAL;

static int64_t read_us(clockid_t clock)
{
    struct timespec t;
    if (clock_gettime(clock, &t) != 0) PAWL_BUG("clock %d cannot be read", (int)clock);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void pawl_clock_fix(int64_t start_ms)
{
    atomic_store(&virtual_us, start_ms * US_PER_MS);
}

bool pawl_clock_is_virtual(void)
{
    return atomic_load(&virtual_us) != REAL;
}

int64_t pawl_clock_now_ms(void)
{
    int64_t fixed = atomic_load(&virtual_us);
    return (fixed != REAL ? fixed : read_us(CLOCK_REALTIME)) / US_PER_MS;
}

int64_t pawl_clock_monotonic_us(void)
{
    int64_t fixed = atomic_load(&virtual_us);
    return fixed != REAL ? fixed : read_us(CLOCK_MONOTONIC);
}

int64_t pawl_clock_real_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int64_t pawl_clock_real_ms(void)
{
    return pawl_clock_real_us() / US_PER_MS;
}

void pawl_clock_sleep_ms(int64_t ms)
{
    if (ms <= 0) return;
    if (pawl_clock_is_virtual()) {
        atomic_fetch_add(&virtual_us, ms * US_PER_MS);
        return;
    }
    struct timespec left = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
        ;
}

double pawl_clock_cpu_s(void)
{
    return (double)read_us(CLOCK_PROCESS_CPUTIME_ID) / 1e6;
}

int64_t pawl_clock_thread_cpu_us(void)
{
    return read_us(CLOCK_THREAD_CPUTIME_ID);
}
