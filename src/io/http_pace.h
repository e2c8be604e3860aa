/*
 * http_pace.h - how many requests a host is given at a time. Pure: times are arguments.
 *
 * A host that answers gets more, one that refuses gets less: each good answer adds a share of one to
 * the window, a refusal (429, 503, 529), a time-out or a dropped connection halves it. Until the
 * first of these the window grows by one per answer, i.e. it doubles per round. Answers that take
 * twice as long as they used to are a queue at the host: the window shrinks by a quarter.
 *
 * Invariants
 *   1. 1 <= window <= ceiling.
 *   2. One round of trouble is one cut: a request that started before the last cut causes no other.
 *   3. After Retry-After nothing starts until then, or for PAWL_PACE_CLOSED_MAX_MS.
 *   4. A host without a good answer for PAWL_PACE_DEAD_MS, and at least PAWL_PACE_DEAD_N bad ones in
 *      that time, is dead: it gets one request every PAWL_PACE_PROBE_MS, and what waits is given up.
 *      So nobody waits for ever, however many wait.
 *
 * Source: AIMD after Chiu and Jain 1989; slow start after Jacobson 1988.
 */
#ifndef PAWL_IO_HTTP_PACE_H
#define PAWL_IO_HTTP_PACE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    PAWL_PACE_START = 16,
    PAWL_PACE_CLOSED_MAX_MS = 60 * 1000,
    PAWL_PACE_DEAD_MS = 5 * 60 * 1000,
    PAWL_PACE_DEAD_N = 8,
    PAWL_PACE_PROBE_MS = 5 * 1000,
    PAWL_PACE_LATENCY_MS = 100, /* below it a rise of latency means nothing */
};

enum pawl_pace_answer {
    PAWL_PACE_GOOD,
    PAWL_PACE_BAD,     /* e.g. a 500: no news about how much the host can take */
    PAWL_PACE_TOO_MUCH /* refused, timed out, dropped */
};

struct pawl_http_pace {
    int ceiling, in_flight;
    double window;
    bool starting;           /* no trouble yet */
    int64_t cut_us;          /* of the last cut; INT64_MIN before it */
    int64_t closed_until_us; /* from Retry-After */
    int64_t bad_since_us, last_start_us;
    int n_bad;           /* since the last good answer */
    double usual_us;     /* latency, a mean that forgets slowly; 0 before the first round */
    double round_sum_us; /* of the round under way */
    int round_n;
};

void pawl_http_pace_init(struct pawl_http_pace *pace, int ceiling);
/* The ceiling becomes at least this. */
void pawl_http_pace_allow(struct pawl_http_pace *pace, int ceiling);
bool pawl_http_pace_may_start(const struct pawl_http_pace *pace, int64_t now_us);
void pawl_http_pace_start(struct pawl_http_pace *pace, int64_t now_us);
/* retry_after_ms is -1 when there was none. */
void pawl_http_pace_end(struct pawl_http_pace *pace, enum pawl_pace_answer answer,
                        int64_t started_us, int64_t retry_after_ms, int64_t now_us);
/* A request was taken back: it tells nothing. */
void pawl_http_pace_forget(struct pawl_http_pace *pace);
bool pawl_http_pace_is_dead(const struct pawl_http_pace *pace, int64_t now_us);
/* When may_start can turn true without a request ending; INT64_MAX: never. */
int64_t pawl_http_pace_opens_us(const struct pawl_http_pace *pace, int64_t now_us);

#endif
