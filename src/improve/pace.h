/*
 * pace.h - how fast work goes and when it will be done, from what was seen of it lately.
 *
 * A ring of readings (when, how much was done), one a second at most; a rate is what happened since
 * the oldest of them, about half a minute ago. So a start that was slow (a model that loads) or fast
 * (a journal that answers) is soon forgotten.
 *
 *     struct pawl_pace pace = {0};
 *     pawl_pace_see(&pace, now_us, n_done, n_tokens);
 *     double left_s = pawl_pace_eta_s(&pace, n_total);        -- NAN: cannot be told yet
 */
#ifndef PAWL_IMPROVE_PACE_H
#define PAWL_IMPROVE_PACE_H

#include <stddef.h>
#include <stdint.h>

enum { PAWL_PACE_READINGS = 32 };
struct pawl_pace_reading {
    int64_t at_us, n_done, n_tokens;
};
struct pawl_pace {
    struct pawl_pace_reading ring[PAWL_PACE_READINGS]; /* of reading i: ring[i % READINGS] */
    struct pawl_pace_reading last;
    size_t n; /* readings ever */
    int64_t started_us;
};

/* Times do not go back, counts do not fall. */
void pawl_pace_see(struct pawl_pace *pace, int64_t now_us, int64_t n_done, int64_t n_tokens);
double pawl_pace_elapsed_s(const struct pawl_pace *pace); /* between first and last reading */
double pawl_pace_tokens_per_s(const struct pawl_pace *pace);
/* Until n_total are done. NAN without a total, and while nothing was seen to get done. */
double pawl_pace_eta_s(const struct pawl_pace *pace, int64_t n_total);

#endif
