#include "io/http_pace.h"

static const double CUT = 0.5, LATENCY_CUT = 0.75, SLOW = 2, FORGET = 0.1;

void pawl_http_pace_init(struct pawl_http_pace *pace, int ceiling)
{
    *pace = (struct pawl_http_pace){
        .ceiling = ceiling,
        .window = ceiling < PAWL_PACE_START ? ceiling : PAWL_PACE_START,
        .starting = true,
        .cut_us = INT64_MIN,
        .last_start_us = INT64_MIN / 2,
    };
}

void pawl_http_pace_allow(struct pawl_http_pace *pace, int ceiling)
{
    if (ceiling <= pace->ceiling) return;
    pace->ceiling = ceiling;
    if (pace->starting && pace->window < PAWL_PACE_START)
        pace->window = ceiling < PAWL_PACE_START ? ceiling : PAWL_PACE_START;
}

bool pawl_http_pace_is_dead(const struct pawl_http_pace *pace, int64_t now_us)
{
    return pace->n_bad >= PAWL_PACE_DEAD_N &&
           now_us - pace->bad_since_us >= (int64_t)PAWL_PACE_DEAD_MS * 1000;
}

static int64_t probe_us(const struct pawl_http_pace *pace)
{
    return pace->last_start_us + (int64_t)PAWL_PACE_PROBE_MS * 1000;
}

bool pawl_http_pace_may_start(const struct pawl_http_pace *pace, int64_t now_us)
{
    if (pawl_http_pace_is_dead(pace, now_us))
        return pace->in_flight == 0 && now_us >= probe_us(pace);
    return now_us >= pace->closed_until_us && pace->in_flight + 1 <= (int)pace->window;
}

int64_t pawl_http_pace_opens_us(const struct pawl_http_pace *pace, int64_t now_us)
{
    if (pawl_http_pace_is_dead(pace, now_us)) return now_us;
    return pace->closed_until_us > now_us ? pace->closed_until_us : INT64_MAX;
}

void pawl_http_pace_start(struct pawl_http_pace *pace, int64_t now_us)
{
    pace->in_flight++;
    pace->last_start_us = now_us;
}

void pawl_http_pace_forget(struct pawl_http_pace *pace)
{
    pace->in_flight--;
}

static void cut(struct pawl_http_pace *pace, double factor, int64_t started_us, int64_t now_us)
{
    pace->starting = false;
    if (started_us < pace->cut_us) return;
    pace->cut_us = now_us;
    pace->window *= factor;
    if (pace->window < 1) pace->window = 1;
}

static void grow(struct pawl_http_pace *pace)
{
    pace->window += pace->starting ? 1 : 1 / pace->window;
    if (pace->window > pace->ceiling) pace->window = pace->ceiling;
}

/* A round is as many answers as may be in flight. */
static bool is_slow(struct pawl_http_pace *pace, int64_t latency_us)
{
    pace->round_sum_us += (double)latency_us;
    if (++pace->round_n < (int)pace->window) return false;
    double mean_us = pace->round_sum_us / pace->round_n, usual_us = pace->usual_us;
    pace->usual_us = usual_us > 0 ? usual_us + FORGET * (mean_us - usual_us) : mean_us;
    pace->round_sum_us = pace->round_n = 0;
    return usual_us > 0 && mean_us > SLOW * usual_us && mean_us > PAWL_PACE_LATENCY_MS * 1000.0;
}

static void close_until(struct pawl_http_pace *pace, int64_t retry_after_ms, int64_t now_us)
{
    if (retry_after_ms > PAWL_PACE_CLOSED_MAX_MS) retry_after_ms = PAWL_PACE_CLOSED_MAX_MS;
    int64_t until_us = now_us + retry_after_ms * 1000;
    if (until_us > pace->closed_until_us) pace->closed_until_us = until_us;
}

void pawl_http_pace_end(struct pawl_http_pace *pace, enum pawl_pace_answer answer,
                        int64_t started_us, int64_t retry_after_ms, int64_t now_us)
{
    pace->in_flight--;
    if (answer == PAWL_PACE_GOOD) {
        pace->n_bad = 0;
        if (is_slow(pace, now_us - started_us))
            cut(pace, LATENCY_CUT, started_us, now_us);
        else
            grow(pace);
        return;
    }
    if (pace->n_bad++ == 0) pace->bad_since_us = now_us;
    if (answer == PAWL_PACE_TOO_MUCH) {
        cut(pace, CUT, started_us, now_us);
        if (retry_after_ms > 0) close_until(pace, retry_after_ms, now_us);
    }
}
