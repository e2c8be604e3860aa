/*
 * clock.h - the one source of time.
 *
 * Real by default. In test mode the clock is virtual: it starts at a fixed instant, moves only by
 * pawl_clock_sleep_ms, and sleeping costs nothing. Everything that waits or reads time does it here.
 * Thread-safe.
 */
#ifndef PAWL_BASE_CLOCK_H
#define PAWL_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

void pawl_clock_fix(int64_t start_ms); /* make the clock virtual, at this instant (Unix ms) */
bool pawl_clock_is_virtual(void);
int64_t pawl_clock_now_ms(void);       /* wall clock, Unix milliseconds */
int64_t pawl_clock_monotonic_us(void); /* for durations */
/* Monotonic and never virtual: for deadlines of what does not live on our clock, such as other
 * processes, sockets and disks. */
int64_t pawl_clock_real_us(void);
int64_t pawl_clock_real_ms(void);
void pawl_clock_sleep_ms(int64_t ms);   /* virtual: moves the clock and returns at once */
double pawl_clock_cpu_s(void);          /* CPU seconds of this process; never virtual */
int64_t pawl_clock_thread_cpu_us(void); /* CPU time of this thread; never virtual */

#endif
