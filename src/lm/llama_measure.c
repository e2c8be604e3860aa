#include "lm/llama_measure.h"

#include "base/clock.h"
#include "lm/llama_cells.h"
#include "lm/llama_child.h"
#include "lm/llama_engine.h"
#include "lm/llama_weights.h"

#include <pthread.h>

enum { CASE_PROMPT = 64, CASE_ANSWER = 32, VISIT_REPETITIONS = 2 };

double pawl_llama_case_seconds(const struct pawl_llama_speed *speed)
{
    return CASE_PROMPT / speed->prompt + CASE_ANSWER / speed->answer;
}

bool pawl_llama_is_clearly_faster(const struct pawl_llama_speed *speed,
                                  const struct pawl_llama_speed *kept)
{
    return pawl_llama_case_seconds(speed) < 0.9 * pawl_llama_case_seconds(kept);
}

static void keep_best(double *best, size_t n_tokens, int64_t spent_us)
{
    double speed = (double)n_tokens * 1e6 / (double)(spent_us > 0 ? spent_us : 1);
    if (speed > *best) *best = speed;
}

/* A clock for one pace. */
static int64_t now_us(const struct pawl_llama_measuring *measuring,
                      const struct pawl_llama_pace *pace)
{
    if (measuring->by_wall || pawl_llama_offloads()) return pawl_clock_real_us();
    return (int64_t)(pawl_clock_cpu_s() * 1e6) / pace->n_threads;
}

/* What the tokens are does not matter to the time. */
static llama_token token_of(const struct llama_vocab *vocab, size_t i)
{
    return (llama_token)(i * 7919 % (size_t)llama_vocab_n_tokens(vocab));
}

static bool read_prompt(struct llama_context *context, const struct llama_vocab *vocab,
                        struct llama_batch *batch, size_t n_tokens, size_t batch_tokens)
{
    for (size_t at = 0; at < n_tokens;) {
        batch->n_tokens = 0;
        for (; at < n_tokens && (size_t)batch->n_tokens < batch_tokens; at++)
            pawl_llama_batch_add(batch, token_of(vocab, at), at, 0, at + 1 == n_tokens);
        if (llama_decode(context, *batch) != 0) return false;
    }
    llama_synchronize(context);
    return true;
}

/* A token of every answer, all of which follow the same prompt. */
static bool write_answers(struct llama_context *context, const struct llama_vocab *vocab,
                          struct llama_batch *batch, size_t n_prompt)
{
    batch->n_tokens = 0;
    for (llama_seq_id seq = 0; seq < PAWL_LLAMA_SLOTS; seq++)
        pawl_llama_batch_add(batch, token_of(vocab, (size_t)seq), n_prompt, seq, true);
    if (llama_decode(context, *batch) != 0) return false;
    llama_synchronize(context);
    return true;
}

static bool repeat(struct llama_context *context, struct llama_batch *batch,
                   const struct pawl_llama_measuring *measuring, const struct pawl_llama_pace *pace,
                   struct pawl_llama_speed *best)
{
    const struct llama_vocab *vocab = llama_model_get_vocab(llama_get_model(context));
    llama_memory_t memory = llama_get_memory(context);
    size_t n_prompt = measuring->prompt_tokens;
    llama_memory_clear(memory, false);
    int64_t start_us = now_us(measuring, pace);
    if (!read_prompt(context, vocab, batch, n_prompt, pace->batch_tokens)) return false;
    keep_best(&best->prompt, n_prompt, now_us(measuring, pace) - start_us);
    for (llama_seq_id seq = 1; seq < PAWL_LLAMA_SLOTS; seq++)
        llama_memory_seq_cp(memory, 0, seq, -1, -1);
    start_us = now_us(measuring, pace);
    if (!write_answers(context, vocab, batch, n_prompt)) return false;
    keep_best(&best->answer, PAWL_LLAMA_SLOTS, now_us(measuring, pace) - start_us);
    return true;
}

static void visit(struct llama_model *model, const struct pawl_llama_measuring *measuring,
                  const struct pawl_llama_pace *pace, struct pawl_llama_speed *best)
{
    struct llama_context *context =
        llama_init_from_model(model, pawl_llama_context_params(PAWL_LLAMA_BATCH, pace));
    if (!context) pawl_llama_child_refuse("it does not run", pawl_llama_last_error());
    struct llama_batch batch = llama_batch_init(PAWL_LLAMA_BATCH, 0, PAWL_LLAMA_SEQUENCES);
    for (int i = 0; i < VISIT_REPETITIONS; i++)
        if (!repeat(context, &batch, measuring, pace, best))
            pawl_llama_child_refuse("it does not run", pawl_llama_last_error());
    llama_batch_free(batch);
    llama_free(context);
}

struct task {
    const char *path;
    const struct pawl_llama_measuring *measuring;
    struct llama_model *model;       /* in the child */
    struct pawl_llama_speed *speeds; /* in the child */
};

static void *measure_all(void *argument)
{
    const struct task *task = argument;
    const struct pawl_llama_measuring *measuring = task->measuring;
    int64_t until_us = pawl_clock_real_us() + (int64_t)(measuring->seconds * 1e6);
    do {
        for (size_t i = 0; i < measuring->n; i++)
            visit(task->model, measuring, &measuring->paces[i], &task->speeds[i]);
    } while (pawl_clock_real_us() < until_us);
    return NULL;
}

/* One thread alone needs no helpers, and a checker of threads allows none after a fork. */
static bool needs_helpers(const struct pawl_llama_measuring *measuring)
{
    for (size_t i = 0; i < measuring->n; i++)
        if (measuring->paces[i].n_threads > 1) return true;
    return false;
}

static void measure_in_child(const void *argument, void *answer)
{
    struct task task = *(const struct task *)argument;
    task.speeds = answer;
    task.model = pawl_llama_load(task.path);
    if (!task.model) pawl_llama_child_refuse("libllama cannot load it", pawl_llama_last_error());
    pthread_t thread;
    if (!needs_helpers(task.measuring))
        measure_all(&task);
    else if (pthread_create(&thread, NULL, measure_all, &task) == 0)
        pthread_join(thread, NULL);
    else
        pawl_llama_child_refuse("no thread could be started to measure it", "");
}

enum pawl_status pawl_llama_measure(const char *path, const struct pawl_llama_measuring *measuring,
                                    struct pawl_llama_speed *speeds, struct pawl_error *err)
{
    struct task task = {.path = path, .measuring = measuring};
    struct pawl_llama_child child = {.work = measure_in_child,
                                     .task = &task,
                                     .answer = speeds,
                                     .answer_bytes = measuring->n * sizeof *speeds,
                                     .model = path};
    return pawl_llama_child_run(&child, err);
}
