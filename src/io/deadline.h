/*
 * deadline.h - how long may this still take? In real time, also when the clock is virtual: other
 * processes do not live on our clock. For io alone.
 */
#ifndef PAWL_IO_DEADLINE_H
#define PAWL_IO_DEADLINE_H

#include "base/clock.h"

#include <limits.h>
#include <stdint.h>

struct pawl_deadline {
    int64_t at_ms; /* -1: never */
};

/* timeout_ms below 0: no limit. */
static inline struct pawl_deadline pawl_deadline_in(int timeout_ms)
{
    return (struct pawl_deadline){timeout_ms < 0 ? -1 : pawl_clock_real_ms() + timeout_ms};
}

/* As poll(2) wants it: -1 for ever, 0 when it has passed. */
static inline int pawl_deadline_left_ms(struct pawl_deadline deadline)
{
    if (deadline.at_ms < 0) return -1;
    int64_t left_ms = deadline.at_ms - pawl_clock_real_ms();
    return left_ms <= 0 ? 0 : left_ms > INT_MAX ? INT_MAX : (int)left_ms;
}

#endif
