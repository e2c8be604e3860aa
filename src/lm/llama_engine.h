/*
 * llama_engine.h - one thread that drives libllama for everybody who asks.
 *
 * Continuous batching: a decode carries one token of every answer being written, or the choices being
 * scored and as much of waiting prompts as fits; a request joins as soon as there is room and leaves
 * as soon as it is answered. What waiting or recent prompts have in common becomes a stem
 * (llama_cells.h) and is computed once.
 *
 * Greedy answers that copy are written several tokens a decode: guessed tokens (llama_lookup.h) are
 * decoded behind the next one, where that was found to pay (llama_gain.h), and as many of them count as
 * the model would have chosen one by one. The others leave the cache at once. So answers are the same, up
 * to what kernels of other shapes round, and no answer has more cells or tokens than without.
 *
 * Vectors of texts come from a second, smaller context (llama_embed.h) that the same thread drives.
 *
 * The two kinds of decode are kept apart because of what attention costs. ggml computes it in tiles of
 * 64 rows by 64 cells: right for prompts, whose rows see the same cells, and twice as slow as row by
 * row for answers, each of which sees its own (measured: 15.7 against 8.7 ms of CPU a token). Below 64
 * rows it goes row by row, so at most 63 answers are written at a time, guesses included.
 *
 * Invariants
 *   1. No request starves: within a role it is first come, first served, the roles take turns, and one
 *      that does not fit yet holds up all behind it. Each role that ever asked keeps a few slots
 *      free of the others, and where one role's answers and another's prompts compete, each kind of
 *      decode gets half of the time. Where vectors are wanted too, one batch of them is computed
 *      with every turn.
 *   2. A decode is of one set of adapters; sets take turns (llama_queue.h).
 *   3. A job belongs to the engine from run until run returns.
 */
#ifndef PAWL_LM_LLAMA_ENGINE_H
#define PAWL_LM_LLAMA_ENGINE_H

#include "base/error.h"
#include "lm/llama_adapters.h"
#include "lm/llama_hold.h"
#include "lm/llama_measure.h"
#include "lm/llama_sample.h"
#include "lm/llama_score.h"
#include "lm/lm.h"

/* A decode has at most BATCH tokens, and room for BATCH_MIN: libllama wants one output a sequence. */
enum { PAWL_LLAMA_SLOTS = 63, PAWL_LLAMA_HEIGHT_MAX = 64 };
enum { PAWL_LLAMA_BATCH = 512, PAWL_LLAMA_BATCH_MIN = 256, PAWL_LLAMA_UBATCH_MIN = 256 };

struct pawl_llama_job {
    enum pawl_role role;
    /* The question. Pointers stay valid until run returns. */
    const llama_token *prompt;
    size_t n_prompt;
    const struct pawl_llama_set *set;   /* of adapters, the model's own included; NULL: the base */
    size_t n_shared;                    /* hint: that many first tokens will come again */
    struct pawl_llama_choices *choices; /* scored; NULL: free text, by the fields below */
    struct pawl_llama_sampling sampling;
    float
        *vector; /* room for the prompt's vector, which is all that is wanted; NULL: an answer is */
    struct pawl_llama_hold *hold; /* free text held to a grammar; NULL: any */
    const struct pawl_str *stops;
    size_t n_stops, max_tokens; /* max_tokens >= 1 */
    /* The answer. */
    struct pawl_buf text; /* free text; may end inside a UTF-8 character; release it */
    size_t n_completion, n_cached;
    bool truncated;
    const char *failure; /* libllama failed: why; else NULL */
    /* Not OK: its adapters cannot be put on; text says why, in place of an answer. */
    enum pawl_reply_status refused;
    int64_t done_us; /* pawl_clock_monotonic_us */
    /* The engine's. */
    struct pawl_llama_job *next;
    uint64_t number; /* of all that were put */
    size_t *n_open;  /* jobs of the same run that are not done */
};

struct pawl_llama_engine_settings {
    struct llama_model *model;        /* outlives the engine */
    size_t context_tokens;            /* cells for all requests together */
    const struct pawl_llama_set *own; /* on the model always; outlives the engine; NULL: none */
    size_t text_tokens;               /* the longest text to make a vector of */
    struct pawl_llama_pace pace;
    bool speculate; /* guess where it pays */
};
/* What was done so far: to write free answers, and in all. */
struct pawl_llama_work {
    int64_t decodes, tokens; /* tokens: chosen for answers, in that many decodes */
    int64_t guessed, right;  /* tokens that were decoded on a guess; those that were right */
    int64_t saved_us;        /* by llama_gain.h; negative: lost */
    int64_t batches, computed, rows; /* decodes of any kind; tokens in them; logits read of these */
};
struct pawl_llama_engine;
PAWL_MUST_CHECK enum pawl_status
pawl_llama_engine_open(const struct pawl_llama_engine_settings *settings,
                       struct pawl_llama_engine **engine, struct pawl_error *err);
void pawl_llama_engine_close(struct pawl_llama_engine *engine);
/* Answer all; blocks. Every job fits: n_prompt + its longest answer <= context_tokens, or n_prompt
 * <= text_tokens where a vector is wanted. Any thread.
 * Fails PAWL_EPAUSED once the engine is cancelled. */
PAWL_MUST_CHECK enum pawl_status pawl_llama_engine_run(struct pawl_llama_engine *engine,
                                                       struct pawl_llama_job *jobs, size_t n,
                                                       struct pawl_error *err);
void pawl_llama_engine_cancel(struct pawl_llama_engine *engine);
/* Any thread; each number by itself. */
struct pawl_llama_work pawl_llama_engine_work(struct pawl_llama_engine *engine);

#endif
