#include "improve/pace.h"

#include <math.h>

enum { READING_US = 1000000 };

void pawl_pace_see(struct pawl_pace *pace, int64_t now_us, int64_t n_done, int64_t n_tokens)
{
    struct pawl_pace_reading reading = {now_us, n_done, n_tokens};
    if (pace->n == 0) pace->started_us = now_us;
    size_t newest = (pace->n + PAWL_PACE_READINGS - 1) % PAWL_PACE_READINGS;
    if (pace->n == 0 || now_us - pace->ring[newest].at_us >= READING_US)
        pace->ring[pace->n++ % PAWL_PACE_READINGS] = reading;
    pace->last = reading;
}

static const struct pawl_pace_reading *oldest(const struct pawl_pace *pace)
{
    return &pace->ring[pace->n > PAWL_PACE_READINGS ? pace->n % PAWL_PACE_READINGS : 0];
}

static double window_s(const struct pawl_pace *pace)
{
    return (double)(pace->last.at_us - oldest(pace)->at_us) / 1e6;
}

double pawl_pace_elapsed_s(const struct pawl_pace *pace)
{
    return (double)(pace->last.at_us - pace->started_us) / 1e6;
}

double pawl_pace_tokens_per_s(const struct pawl_pace *pace)
{
    double seconds = window_s(pace);
    return seconds > 0 ? (double)(pace->last.n_tokens - oldest(pace)->n_tokens) / seconds : 0;
}

double pawl_pace_eta_s(const struct pawl_pace *pace, int64_t n_total)
{
    int64_t n_lately = pace->last.n_done - oldest(pace)->n_done;
    int64_t n_left = n_total - pace->last.n_done;
    if (n_total <= 0 || n_lately <= 0) return NAN;
    return n_left > 0 ? (double)n_left * window_s(pace) / (double)n_lately : 0;
}
