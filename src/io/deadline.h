/*
 * deadline.h - how long may this still take? In real time, also when the clock is virtual: other
 * processes do not live on our clock. For io alone.
 */
#ifndef PAWL_IO_DEADLINE_H
#define PAWL_IO_DEADLINE_H

#include <limits.h>
#include <stdint.h>
#include <time.h>

struct pawl_deadline {
    int64_t at_ms; /* -1: never */
};

static inline int64_t pawl_deadline_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static inline int64_t pawl_deadline_now_ms(void)
{
    return pawl_deadline_now_us() / 1000;
}

/* timeout_ms below 0: no limit. */
static inline struct pawl_deadline pawl_deadline_in(int timeout_ms)
{
    return (struct pawl_deadline){timeout_ms < 0 ? -1 : pawl_deadline_now_ms() + timeout_ms};
}

/* As poll(2) wants it: -1 for ever, 0 when it has passed. */
static inline int pawl_deadline_left_ms(struct pawl_deadline deadline)
{
    if (deadline.at_ms < 0) return -1;
    int64_t left_ms = deadline.at_ms - pawl_deadline_now_ms();
    return left_ms <= 0 ? 0 : left_ms > INT_MAX ? INT_MAX : (int)left_ms;
}

#endif
