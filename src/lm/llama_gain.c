#include "lm/llama_gain.h"

static const double late = 16;     /* decodes of a size, and guesses of a role, that count */
static const double margin = 1.25; /* a gain is one when it is that much above its cost */

void pawl_llama_gain_init(struct pawl_llama_gain *gain)
{
    *gain = (struct pawl_llama_gain){.saved_us = 0};
    for (size_t i = 0; i < PAWL_N_ROLES; i++)
        gain->roles[i] =
            (struct pawl_llama_record){.trial = PAWL_LLAMA_TRIAL, .pause = PAWL_LLAMA_PAUSE_MIN};
}

void pawl_llama_gain_decoded(struct pawl_llama_gain *gain, size_t n_tokens, int64_t spent_us)
{
    if (n_tokens == 0 || n_tokens >= PAWL_LLAMA_GAIN_TOKENS_MAX) return;
    struct pawl_llama_cost *cost = &gain->costs[n_tokens];
    if (cost->weight < late) cost->weight++;
    cost->mean_us += ((double)spent_us - cost->mean_us) / cost->weight;
}

bool pawl_llama_gain_line(const struct pawl_llama_gain *gain, double *a_us, double *b_us)
{
    double weight = 0, m = 0, t = 0, covariance = 0, variance = 0;
    for (size_t i = 0; i < PAWL_LLAMA_GAIN_TOKENS_MAX; i++) {
        const struct pawl_llama_cost *cost = &gain->costs[i];
        weight += cost->weight;
        m += cost->weight * (double)i;
        t += cost->weight * cost->mean_us;
    }
    if (weight == 0) return false;
    m /= weight;
    t /= weight;
    for (size_t i = 0; i < PAWL_LLAMA_GAIN_TOKENS_MAX; i++) {
        const struct pawl_llama_cost *cost = &gain->costs[i];
        covariance += cost->weight * ((double)i - m) * (cost->mean_us - t);
        variance += cost->weight * ((double)i - m) * ((double)i - m);
    }
    if (variance <= 0) return false;
    /* More tokens never take less time, and no decode takes less than its tokens. */
    double b = covariance / variance;
    if (b < 0) b = 0;
    if (b * m > t) b = t / m;
    *a_us = t - b * m;
    *b_us = b;
    return true;
}

/* The share of this record is enough, or the trial that it is in could be. */
static bool share_pays(const struct pawl_llama_gain *gain, const struct pawl_llama_record *record,
                       bool in_trial, size_t n_writing)
{
    double a, b, n = (double)n_writing;
    if (!pawl_llama_gain_line(gain, &a, &b)) return in_trial;
    double share = in_trial ? 1 : record->guessed > 0 ? record->right / record->guessed : 0;
    return share * (a + b * n) / n > margin * b;
}

bool pawl_llama_gain_is_worth(const struct pawl_llama_gain *gain, enum pawl_role role,
                              size_t n_writing)
{
    const struct pawl_llama_record *record = &gain->roles[role];
    return share_pays(gain, record, record->trial > 0, n_writing);
}

void pawl_llama_gain_guessed(struct pawl_llama_gain *gain, enum pawl_role role, size_t n_writing,
                             size_t n_guessed, size_t n_right)
{
    struct pawl_llama_record *record = &gain->roles[role];
    double a, b, n = (double)n_writing;
    record->guessed += (double)n_guessed - record->guessed / late;
    record->right += (double)n_right - record->right / late;
    if (pawl_llama_gain_line(gain, &a, &b))
        gain->saved_us += (double)n_right * (a + b * n) / n - (double)n_guessed * b;
    if (record->trial > 0 && --record->trial > 0) return;
    if (share_pays(gain, record, false, n_writing)) {
        record->pause = PAWL_LLAMA_PAUSE_MIN;
        return;
    }
    record->wait = record->pause;
    if (record->pause < PAWL_LLAMA_PAUSE_MAX) record->pause *= 2;
}

void pawl_llama_gain_wrote(struct pawl_llama_gain *gain, enum pawl_role role, size_t n_writing)
{
    struct pawl_llama_record *record = &gain->roles[role];
    if (record->trial > 0 || share_pays(gain, record, false, n_writing)) return;
    if (record->wait > 0)
        record->wait--;
    else
        record->trial = PAWL_LLAMA_TRIAL;
}
