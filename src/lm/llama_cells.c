#include "lm/llama_cells.h"

#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>

struct pawl_llama_stem {
    struct pawl_hash set; /* of adapters, that it was computed with */
    llama_token *tokens;
    size_t n_tokens, own;
    struct pawl_llama_stem *parent;
    size_t n_users;     /* leases and stems on top of it */
    uint64_t last_used; /* `now` of then */
    llama_seq_id seq;
};

struct pawl_llama_cells {
    struct llama_context *context;
    llama_memory_t memory;
    struct llama_batch batch;
    size_t capacity, batch_tokens, used;
    uint64_t now;                                   /* tokens decoded so far, and uses */
    struct pawl_llama_stem stems[PAWL_LLAMA_STEMS]; /* tokens NULL: free */
    llama_seq_id free_seqs[PAWL_LLAMA_SEQUENCES];
    size_t n_free_seqs;
    struct pawl_hash set; /* of adapters, in use */
};

size_t pawl_llama_common(const llama_token *a, size_t n_a, const llama_token *b, size_t n_b)
{
    size_t n = 0, shorter = n_a < n_b ? n_a : n_b;
    while (n < shorter && a[n] == b[n]) n++;
    return n;
}

void pawl_llama_batch_add(struct llama_batch *batch, llama_token token, size_t position,
                          llama_seq_id seq, bool want_logits)
{
    int32_t i = batch->n_tokens++;
    batch->token[i] = token;
    batch->pos[i] = (llama_pos)position;
    batch->n_seq_id[i] = 1;
    batch->seq_id[i][0] = seq;
    batch->logits[i] = want_logits;
}

void pawl_llama_batch_join(struct llama_batch *batch, int32_t entry, llama_seq_id seq)
{
    batch->seq_id[entry][batch->n_seq_id[entry]++] = seq;
}

static void free_all_sequences(struct pawl_llama_cells *cells)
{
    cells->n_free_seqs = 0;
    for (llama_seq_id seq = PAWL_LLAMA_SEQUENCES; seq-- > 0;)
        cells->free_seqs[cells->n_free_seqs++] = seq;
}

struct pawl_llama_cells *pawl_llama_cells_new(struct llama_context *context, size_t capacity,
                                              size_t batch_tokens)
{
    struct pawl_llama_cells *cells = pawl_xcalloc(1, sizeof *cells);
    cells->context = context;
    cells->memory = llama_get_memory(context);
    cells->batch = llama_batch_init((int32_t)batch_tokens, 0, 1);
    cells->capacity = capacity;
    cells->batch_tokens = batch_tokens;
    free_all_sequences(cells);
    return cells;
}

static void forget_stems(struct pawl_llama_cells *cells)
{
    for (size_t i = 0; i < PAWL_LLAMA_STEMS; i++) free(cells->stems[i].tokens);
    memset(cells->stems, 0, sizeof cells->stems);
}

void pawl_llama_cells_free(struct pawl_llama_cells *cells)
{
    if (!cells) return;
    forget_stems(cells);
    llama_batch_free(cells->batch);
    free(cells);
}

void pawl_llama_cells_clear(struct pawl_llama_cells *cells)
{
    llama_memory_clear(cells->memory, false);
    forget_stems(cells);
    free_all_sequences(cells);
    cells->used = 0;
}

static llama_seq_id take_sequence(struct pawl_llama_cells *cells)
{
    return cells->n_free_seqs ? cells->free_seqs[--cells->n_free_seqs] : -1;
}

static void give_sequence(struct pawl_llama_cells *cells, llama_seq_id seq)
{
    llama_memory_seq_rm(cells->memory, seq, -1, -1);
    cells->free_seqs[cells->n_free_seqs++] = seq;
}

/* ---- Stems ------------------------------------------------------------------------------------ */

void pawl_llama_cells_use(struct pawl_llama_cells *cells, const struct pawl_hash *set)
{
    cells->set = *set;
}

static bool is_of_use(const struct pawl_llama_cells *cells, const struct pawl_llama_stem *stem)
{
    return stem->tokens && pawl_hash_eq(&stem->set, &cells->set);
}

static struct pawl_llama_stem *longest_stem(struct pawl_llama_cells *cells,
                                            const llama_token *tokens, size_t n, size_t *known)
{
    struct pawl_llama_stem *longest = NULL;
    *known = 0;
    for (size_t i = 0; i < PAWL_LLAMA_STEMS; i++) {
        struct pawl_llama_stem *stem = &cells->stems[i];
        if (!is_of_use(cells, stem)) continue;
        size_t common = pawl_llama_common(stem->tokens, stem->n_tokens, tokens, n);
        if (common <= *known) continue;
        longest = stem;
        *known = common;
    }
    return longest;
}

size_t pawl_llama_cells_known(const struct pawl_llama_cells *cells, const llama_token *tokens,
                              size_t n)
{
    size_t known = 0;
    for (size_t i = 0; i < PAWL_LLAMA_STEMS; i++) {
        const struct pawl_llama_stem *stem = &cells->stems[i];
        if (!is_of_use(cells, stem)) continue;
        size_t common = pawl_llama_common(stem->tokens, stem->n_tokens, tokens, n - 1);
        if (common > known) known = common;
    }
    return known;
}

static struct pawl_llama_stem *oldest_idle(struct pawl_llama_cells *cells,
                                           const struct pawl_llama_stem *keep)
{
    struct pawl_llama_stem *oldest = NULL;
    for (size_t i = 0; i < PAWL_LLAMA_STEMS; i++) {
        struct pawl_llama_stem *stem = &cells->stems[i];
        if (!stem->tokens || stem->n_users > 0 || stem == keep) continue;
        if (!oldest || stem->last_used < oldest->last_used) oldest = stem;
    }
    return oldest;
}

static void drop(struct pawl_llama_cells *cells, struct pawl_llama_stem *stem)
{
    if (stem->parent) stem->parent->n_users--;
    cells->used -= stem->own;
    give_sequence(cells, stem->seq);
    free(stem->tokens);
    *stem = (struct pawl_llama_stem){0};
}

/*
 * A stem that lies idle is paid for by every decode, in proportion to its cells and to the tokens
 * decoded; so is computing it. Where the two sums meet it goes: whoever comes back to it later has paid
 * at most twice what foresight would have cost. The figure is that of SmolLM2-135M on two cores, where
 * some hundred idle cells made every token a seventh dearer.
 */
enum { RENT_TOKENS = 2048 };

static void drop_stale(struct pawl_llama_cells *cells)
{
    for (size_t i = 0; i < PAWL_LLAMA_STEMS; i++) {
        struct pawl_llama_stem *stem = &cells->stems[i];
        if (stem->tokens && stem->n_users == 0 && cells->now - stem->last_used > RENT_TOKENS)
            drop(cells, stem);
    }
}

void pawl_llama_cells_decoded(struct pawl_llama_cells *cells, size_t n_tokens)
{
    cells->now += n_tokens;
    drop_stale(cells);
}

/* Drop idle stems over their share; the one used last stays, whatever its size. */
static void trim(struct pawl_llama_cells *cells)
{
    size_t idle_cells = 0;
    const struct pawl_llama_stem *newest = NULL;
    for (size_t i = 0; i < PAWL_LLAMA_STEMS; i++) {
        const struct pawl_llama_stem *stem = &cells->stems[i];
        if (!stem->tokens || stem->n_users > 0) continue;
        idle_cells += stem->own;
        if (!newest || stem->last_used > newest->last_used) newest = stem;
    }
    while (idle_cells > cells->capacity / 4) {
        struct pawl_llama_stem *oldest = oldest_idle(cells, newest);
        if (!oldest) return;
        idle_cells -= oldest->own;
        drop(cells, oldest);
    }
}

static bool make_room(struct pawl_llama_cells *cells, size_t need,
                      const struct pawl_llama_stem *keep)
{
    while (cells->used + need > cells->capacity) {
        struct pawl_llama_stem *victim = oldest_idle(cells, keep);
        if (!victim) return false;
        drop(cells, victim);
    }
    return true;
}

static struct pawl_llama_stem *free_stem(struct pawl_llama_cells *cells,
                                         const struct pawl_llama_stem *keep)
{
    for (size_t i = 0; i < PAWL_LLAMA_STEMS; i++)
        if (!cells->stems[i].tokens) return &cells->stems[i];
    struct pawl_llama_stem *victim = oldest_idle(cells, keep);
    if (victim) drop(cells, victim);
    return victim;
}

/* Decode tokens[from..n) into the sequence, wanting no answer. */
static int compute(struct pawl_llama_cells *cells, const llama_token *tokens, size_t from, size_t n,
                   llama_seq_id seq)
{
    int result = 0;
    while (from < n && result == 0) {
        cells->batch.n_tokens = 0;
        for (size_t i = 0; i < cells->batch_tokens && from < n; i++, from++)
            pawl_llama_batch_add(&cells->batch, tokens[from], from, seq, false);
        result = llama_decode(cells->context, cells->batch);
        pawl_llama_cells_decoded(cells, (size_t)cells->batch.n_tokens);
    }
    return result;
}

bool pawl_llama_cells_grow(struct pawl_llama_cells *cells, const llama_token *tokens, size_t n,
                           int *decode_result)
{
    *decode_result = 0;
    size_t known;
    struct pawl_llama_stem *parent = longest_stem(cells, tokens, n, &known);
    if (!make_room(cells, n - known, parent)) return false;
    struct pawl_llama_stem *stem = free_stem(cells, parent);
    llama_seq_id seq = stem ? take_sequence(cells) : -1;
    if (seq < 0) return false;

    *stem = (struct pawl_llama_stem){.set = cells->set,
                                     .tokens = pawl_xmalloc(n * sizeof *tokens),
                                     .n_tokens = n,
                                     .own = n - known,
                                     .parent = parent,
                                     .last_used = ++cells->now,
                                     .seq = seq};
    memcpy(stem->tokens, tokens, n * sizeof *tokens);
    cells->used += stem->own;
    if (parent) {
        parent->n_users++;
        llama_memory_seq_cp(cells->memory, parent->seq, seq, 0, (llama_pos)known);
    }
    *decode_result = compute(cells, tokens, known, n, seq);
    return *decode_result == 0;
}

/* ---- Leases and branches ---------------------------------------------------------------------- */

bool pawl_llama_cells_lease(struct pawl_llama_cells *cells, const llama_token *tokens, size_t n,
                            size_t n_more, struct pawl_llama_lease *lease)
{
    size_t known;
    struct pawl_llama_stem *stem = longest_stem(cells, tokens, n - 1, &known);
    if (!make_room(cells, n - known + n_more, stem)) {
        /* The stem itself may be in the way (it can go on beyond what is shared). */
        if (!stem || stem->n_users > 0) return false;
        stem = NULL;
        known = 0;
        if (!make_room(cells, n + n_more, NULL)) return false;
    }
    llama_seq_id seq = take_sequence(cells);
    if (seq < 0) return false;
    *lease = (struct pawl_llama_lease){
        .seq = seq, .n_ready = known, .own = n - known + n_more, .stem = stem};
    cells->used += lease->own;
    if (stem) {
        stem->n_users++;
        stem->last_used = ++cells->now;
        llama_memory_seq_cp(cells->memory, stem->seq, seq, 0, (llama_pos)known);
    }
    return true;
}

/* A recurrent state is of all its tokens at once. */
bool pawl_llama_cells_can_cut(const struct llama_model *model)
{
    return !llama_model_is_recurrent(model) && !llama_model_is_hybrid(model);
}

void pawl_llama_cells_cut(struct pawl_llama_cells *cells, const struct pawl_llama_lease *lease,
                          size_t n)
{
    if (!llama_memory_seq_rm(cells->memory, lease->seq, (llama_pos)n, -1))
        PAWL_BUG("a model whose memory cannot be cut");
}

void pawl_llama_cells_return(struct pawl_llama_cells *cells, struct pawl_llama_lease *lease)
{
    give_sequence(cells, lease->seq);
    cells->used -= lease->own;
    if (lease->stem) lease->stem->n_users--;
    *lease = (struct pawl_llama_lease){.seq = -1};
    trim(cells);
}

llama_seq_id pawl_llama_cells_branch(struct pawl_llama_cells *cells,
                                     const struct pawl_llama_lease *lease, size_t n)
{
    llama_seq_id seq = take_sequence(cells);
    if (seq >= 0) llama_memory_seq_cp(cells->memory, lease->seq, seq, 0, (llama_pos)n);
    return seq;
}

void pawl_llama_cells_prune(struct pawl_llama_cells *cells, llama_seq_id branch)
{
    give_sequence(cells, branch);
}
