/*
 * llama_gain.h - whether guessing tokens pays here and now, from what decodes were measured to cost.
 *
 * A decode of m tokens takes about a + b m: the least-squares line through the mean times of late decodes
 * of each m. Where n answers are written together, a token of an answer therefore costs (a + b n) / n. A
 * guessed token costs b for sure. Where it is right its answer is a whole token further, which with
 * equally long answers, or others waiting for the place, is a token less to decode in the same company. So
 *
 *     gain of a guess = right (a + b n) / n - guessed b
 *
 * and guessing is worth it while the share of guesses that are right is above b n / (a + b n). With many
 * answers at once that is nearly 1, as they share a already; where a is nothing it never is. We ask
 * for a quarter more, as all of this is measured.
 *
 * The share is that of the last guesses of a role: a judge writes otherwise than who edits a text. A
 * role begins with a trial of PAWL_LLAMA_TRIAL guesses, during which the share counts as 1. Where
 * guesses do not pay, none is made for a pause of tokens; then comes another trial. Each trial in a row
 * that fails doubles the pause. So a role whose guesses are always wrong loses at most 32 b in a trial (four
 * tokens a guess, and two where the last one was wrong), in the long run less than a 500th of its time, and
 * one that begins to copy is found out.
 *
 * Invariants
 *   1. No more than PAWL_LLAMA_TRIAL guesses are made of a role without a share that pays.
 *   2. Nothing is taken for granted of the machine: before two sizes of decodes were measured a guess is made
 *      in a trial only, which measures the second.
 *   3. Used by the engine's thread alone.
 *
 *     pawl_llama_gain_decoded(&gain, n_writing + n_guessed, spent_us);
 *     if (pawl_llama_gain_is_worth(&gain, role, n_writing)) ... guess ...
 *     pawl_llama_gain_guessed(&gain, role, n_writing, n_guessed, n_right);
 *     pawl_llama_gain_wrote(&gain, role, n_writing);
 */
#ifndef PAWL_LM_LLAMA_GAIN_H
#define PAWL_LM_LLAMA_GAIN_H

#include "lm/lm.h"

enum {
    PAWL_LLAMA_TRIAL = 8,       /* guesses */
    PAWL_LLAMA_PAUSE_MIN = 128, /* tokens */
    PAWL_LLAMA_PAUSE_MAX = 16384,
    PAWL_LLAMA_GAIN_TOKENS_MAX = 64, /* of a decode; of larger ones nothing is learned */
};

struct pawl_llama_gain {
    struct pawl_llama_cost {
        double mean_us, weight; /* of late decodes of this many tokens; weight 0: none was seen */
    } costs[PAWL_LLAMA_GAIN_TOKENS_MAX];
    struct pawl_llama_record {
        double guessed, right; /* of late guesses, in tokens */
        unsigned trial;        /* guesses to make whatever they brought so far */
        uint64_t pause, wait;  /* tokens: after the next failure; until the next trial */
    } roles[PAWL_N_ROLES];
    double saved_us; /* the sum of gains as they were measured; negative: a loss */
};
void pawl_llama_gain_init(struct pawl_llama_gain *gain);
/* A decode that wrote answers was measured. */
void pawl_llama_gain_decoded(struct pawl_llama_gain *gain, size_t n_tokens, int64_t spent_us);
/* Whether a role's answer should guess, where n_writing answers are written together. */
bool pawl_llama_gain_is_worth(const struct pawl_llama_gain *gain, enum pawl_role role,
                              size_t n_writing);
/* What became of a guess. */
void pawl_llama_gain_guessed(struct pawl_llama_gain *gain, enum pawl_role role, size_t n_writing,
                             size_t n_guessed, size_t n_right);
/* A token was written, guessed or not: a pause goes by. */
void pawl_llama_gain_wrote(struct pawl_llama_gain *gain, enum pawl_role role, size_t n_writing);
/* Time of a decode of n tokens by the line; false while it is not known. */
bool pawl_llama_gain_line(const struct pawl_llama_gain *gain, double *a_us, double *b_us);

#endif
