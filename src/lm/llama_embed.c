#include "lm/llama_embed.h"

#include "base/arena.h"
#include "lm/llama_cells.h"

#include <stdlib.h>

enum {
    BATCH = 128, /* libllama computes the logits of every token as well: room for all of them */
    TEXTS = 32,  /* at work at a time */
    CELLS_MIN = 256,
};

/* A text at work; its sequence is its place. */
struct text {
    struct pawl_llama_job *job; /* NULL: free */
    size_t n_past;              /* tokens computed */
    double *sum;                /* over them, of the last layer */
};

struct pawl_llama_embedder {
    struct llama_model *model;
    struct pawl_llama_adapters *adapters;
    const struct pawl_llama_set *set;
    size_t text_tokens, dimension;
    int n_threads;
    struct llama_context *context; /* NULL until a text comes */
    struct llama_batch batch;
    size_t n_cells, n_used;
    struct text texts[TEXTS];
    struct text *text_of[BATCH]; /* whose token it is */
};

struct pawl_llama_embedder *pawl_llama_embedder_new(struct llama_model *model, size_t text_tokens,
                                                    int n_threads)
{
    struct pawl_llama_embedder *embedder = pawl_xcalloc(1, sizeof *embedder);
    embedder->model = model;
    embedder->text_tokens = text_tokens;
    embedder->dimension = (size_t)llama_model_n_embd_out(model);
    embedder->n_threads = n_threads;
    embedder->batch = llama_batch_init(BATCH, 0, 1);
    return embedder;
}

void pawl_llama_embedder_wear(struct pawl_llama_embedder *embedder,
                              struct pawl_llama_adapters *adapters,
                              const struct pawl_llama_set *set)
{
    embedder->adapters = adapters;
    embedder->set = set;
}

void pawl_llama_embedder_free(struct pawl_llama_embedder *embedder)
{
    if (!embedder) return;
    for (size_t i = 0; i < TEXTS; i++) free(embedder->texts[i].sum);
    llama_batch_free(embedder->batch);
    llama_free(embedder->context);
    free(embedder);
}

bool pawl_llama_embedder_is_busy(const struct pawl_llama_embedder *embedder)
{
    return embedder->n_used > 0;
}

/* ---- Taking in -------------------------------------------------------------------------------- */

static size_t cells_for(const struct pawl_llama_embedder *embedder, size_t n_tokens)
{
    size_t n = CELLS_MIN;
    while (n < n_tokens) n *= 2;
    return n > embedder->text_tokens && n_tokens <= embedder->text_tokens ? embedder->text_tokens
                                                                          : n;
}

/* A context in which a text of n tokens fits; no text is at work. */
static bool open_context(struct pawl_llama_embedder *embedder, size_t n_tokens)
{
    llama_free(embedder->context);
    embedder->n_cells = cells_for(embedder, n_tokens);
    struct llama_context_params params = llama_context_default_params();
    params.n_ctx = (uint32_t)embedder->n_cells;
    params.n_threads = params.n_threads_batch = embedder->n_threads;
    params.kv_unified = true; /* else every text gets an equal share of the cells */
    params.swa_full = true;
    params.n_batch = params.n_ubatch = params.n_outputs_max = BATCH;
    params.n_seq_max = TEXTS;
    params.embeddings = true;
    params.pooling_type = LLAMA_POOLING_TYPE_NONE; /* its mean would be of a batch, not of a text */
    embedder->context = llama_init_from_model(embedder->model, params);
    if (embedder->context && pawl_llama_adapters_use(embedder->adapters, embedder->context,
                                                     embedder->set, NULL) != PAWL_OK) {
        llama_free(embedder->context);
        embedder->context = NULL;
    }
    if (!embedder->context) embedder->n_cells = 0;
    return embedder->context != NULL;
}

static void end(struct pawl_llama_embedder *embedder, struct text *text,
                struct pawl_llama_queue *queue, const char *failure)
{
    struct pawl_llama_job *job = text->job;
    job->failure = failure;
    embedder->n_used -= job->n_prompt;
    text->job = NULL;
    pawl_llama_queue_announce(queue, job);
}

static struct text *free_text(struct pawl_llama_embedder *embedder)
{
    for (size_t i = 0; i < TEXTS; i++)
        if (!embedder->texts[i].job) return &embedder->texts[i];
    return NULL;
}

/* Take in waiting texts while the batch has room. */
static void take_in(struct pawl_llama_embedder *embedder, struct pawl_llama_queue *queue)
{
    size_t planned = 0;
    for (size_t i = 0; i < TEXTS; i++)
        if (embedder->texts[i].job)
            planned += embedder->texts[i].job->n_prompt - embedder->texts[i].n_past;
    while (planned < BATCH) {
        struct text *text = free_text(embedder);
        struct pawl_llama_job *job = text ? pawl_llama_queue_peek_vector(queue) : NULL;
        if (!job) return;
        bool fits = embedder->n_used + job->n_prompt <= embedder->n_cells;
        if (!fits && pawl_llama_embedder_is_busy(embedder)) return;
        pawl_llama_queue_pop_vector(queue);
        if (!text->sum) text->sum = pawl_xmalloc(embedder->dimension * sizeof *text->sum);
        memset(text->sum, 0, embedder->dimension * sizeof *text->sum);
        text->job = job;
        text->n_past = 0;
        embedder->n_used += job->n_prompt;
        planned += job->n_prompt;
        if (!fits && !open_context(embedder, job->n_prompt))
            end(embedder, text, queue, "There is no memory for a context to embed with.");
    }
}

/* ---- One batch -------------------------------------------------------------------------------- */

static void add_tokens(struct pawl_llama_embedder *embedder)
{
    struct llama_batch *batch = &embedder->batch;
    batch->n_tokens = 0;
    for (size_t i = 0; i < TEXTS; i++) {
        struct text *text = &embedder->texts[i];
        const struct pawl_llama_job *job = text->job;
        while (job && text->n_past < job->n_prompt && batch->n_tokens < BATCH) {
            embedder->text_of[batch->n_tokens] = text;
            pawl_llama_batch_add(batch, job->prompt[text->n_past], text->n_past, (llama_seq_id)i,
                                 true);
            text->n_past++;
        }
    }
}

static void add_states(struct pawl_llama_embedder *embedder)
{
    for (int32_t i = 0; i < embedder->batch.n_tokens; i++) {
        const float *state = llama_get_embeddings_ith(embedder->context, i);
        if (!state) PAWL_BUG("no hidden state of a token that asked for it");
        double *sum = embedder->text_of[i]->sum;
        for (size_t k = 0; k < embedder->dimension; k++) sum[k] += (double)state[k];
    }
}

static void end_finished(struct pawl_llama_embedder *embedder, struct pawl_llama_queue *queue)
{
    for (size_t i = 0; i < TEXTS; i++) {
        struct text *text = &embedder->texts[i];
        if (!text->job || text->n_past < text->job->n_prompt) continue;
        for (size_t k = 0; k < embedder->dimension; k++)
            text->job->vector[k] = (float)(text->sum[k] / (double)text->job->n_prompt);
        llama_memory_seq_rm(llama_get_memory(embedder->context), (llama_seq_id)i, -1, -1);
        end(embedder, text, queue, NULL);
    }
}

void pawl_llama_embedder_fail(struct pawl_llama_embedder *embedder, struct pawl_llama_queue *queue,
                              const char *why)
{
    if (embedder->context) llama_memory_clear(llama_get_memory(embedder->context), false);
    for (size_t i = 0; i < TEXTS; i++)
        if (embedder->texts[i].job) end(embedder, &embedder->texts[i], queue, why);
}

void pawl_llama_embedder_step(struct pawl_llama_embedder *embedder, struct pawl_llama_queue *queue)
{
    take_in(embedder, queue);
    add_tokens(embedder);
    if (embedder->batch.n_tokens == 0) return;
    if (llama_decode(embedder->context, embedder->batch) != 0) {
        pawl_llama_embedder_fail(embedder, queue, "libllama could not decode a text.");
        return;
    }
    add_states(embedder);
    end_finished(embedder, queue);
}
