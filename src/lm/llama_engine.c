#include "lm/llama_engine.h"

#include "base/arena.h"
#include "base/clock.h"
#include "lm/llama_cells.h"
#include "lm/llama_embed.h"
#include "lm/llama_gain.h"
#include "lm/llama_lookup.h"
#include "lm/llama_queue.h"
#include "lm/llama_weights.h"
#include "lm/lm.h"

#include <stdatomic.h>
#include <stdlib.h>

enum {
    ROWS_MAX = PAWL_LLAMA_SEQUENCES, /* answers read from one decode */
    STEM_MIN = 16,                   /* tokens that must be saved for a stem to be worth a decode */
    LOOK_AHEAD = 64,                 /* waiting requests compared with a new one */
    RECENT = 8,                      /* finished prompts compared with a new one */
    BRANCHES = 5,                    /* see branches_at_once */
    PIECE_BYTES = 256,               /* of one token; few are longer than 20 */
};

enum phase { WRITING, SCORING, READING };

/* A request that is being answered. */
struct slot {
    struct pawl_llama_job *job; /* NULL: free */
    struct pawl_llama_lease lease;
    enum phase phase;
    size_t n_past;    /* tokens in the cache */
    size_t n_unread;  /* SCORING: nodes in the batch whose logits were not read */
    llama_token next; /* WRITING: chosen, not decoded */
    bool copies;      /* may copy: guesses are looked up */
    struct pawl_llama_lookup lookup;
};

/* Who reads the logits of which batch entry; of those after it, too, where they are guesses. */
struct row {
    struct slot *slot;
    size_t node; /* SCORING */
    int32_t index;
};

/* pawl_llama_work */
struct work {
    _Atomic int64_t decodes, tokens, guessed, right, saved_us, batches, computed, rows;
};

struct recent {
    llama_token *tokens;
    size_t n;
};

struct pawl_llama_engine {
    struct pawl_llama_queue queue; /* the rest is the thread's own */
    pthread_t thread;
    const struct llama_vocab *vocab;
    int n_vocab;
    struct llama_context *context;
    struct pawl_llama_cells *cells;
    struct pawl_llama_embedder *embedder;
    struct pawl_llama_adapters *adapters;
    enum pawl_reply_status refused; /* not OK: the set whose turn it is cannot be put on */
    struct pawl_error refusal;      /* why */
    struct pawl_llama_urn *urn;
    struct llama_batch batch;
    size_t batch_tokens; /* of one decode */
    struct slot slots[PAWL_LLAMA_SLOTS];
    struct row rows[ROWS_MAX];
    size_t n_rows;
    llama_seq_id branches[ROWS_MAX];
    size_t n_branches;
    struct recent recents[RECENT];
    size_t next_recent;
    int64_t reading_lead_us; /* time that reading had before writing, while they compete */
    bool speculates;
    struct pawl_llama_gain gain;
    size_t n_writing; /* answers in this decode */
    struct work work;
};

/* ---- Answers ---------------------------------------------------------------------------------- */

static void remember(struct pawl_llama_engine *engine, const struct pawl_llama_job *job)
{
    struct recent *recent = &engine->recents[engine->next_recent++ % RECENT];
    recent->tokens = pawl_xrealloc(recent->tokens, job->n_prompt * sizeof *job->prompt);
    memcpy(recent->tokens, job->prompt, job->n_prompt * sizeof *job->prompt);
    recent->n = job->n_prompt;
}

static void finish(struct pawl_llama_engine *engine, struct slot *slot)
{
    struct pawl_llama_job *job = slot->job;
    remember(engine, job);
    pawl_llama_cells_return(engine->cells, &slot->lease);
    slot->job = NULL;
    pawl_llama_queue_announce(&engine->queue, job);
}

/* libllama failed: nothing in the cache can be trusted. */
static void fail_all(struct pawl_llama_engine *engine, const char *why)
{
    pawl_llama_cells_clear(engine->cells);
    for (size_t i = 0; i < PAWL_LLAMA_SLOTS; i++) {
        struct pawl_llama_job *job = engine->slots[i].job;
        if (!job) continue;
        job->failure = why;
        engine->slots[i].job = NULL;
        pawl_llama_queue_announce(&engine->queue, job);
    }
}

/* ---- Writing and scoring ---------------------------------------------------------------------- */

static void add_piece(struct pawl_llama_engine *engine, struct pawl_llama_job *job,
                      llama_token token)
{
    char piece[PIECE_BYTES];
    int32_t n = llama_token_to_piece(engine->vocab, token, piece, PIECE_BYTES, 0, false);
    if (n >= 0) {
        pawl_buf_add_bytes(&job->text, piece, (size_t)n);
        return;
    }
    char *longer = pawl_xmalloc((size_t)-n);
    n = llama_token_to_piece(engine->vocab, token, longer, -n, 0, false);
    if (n > 0) pawl_buf_add_bytes(&job->text, longer, (size_t)n);
    free(longer);
}

/* Choose the next token; true when the answer ends with it. */
static bool write_token(struct pawl_llama_engine *engine, struct slot *slot, const float *logits)
{
    struct pawl_llama_job *job = slot->job;
    llama_token token = job->hold
                            ? pawl_llama_hold_pick(job->hold, engine->urn, &job->sampling, logits)
                            : pawl_llama_pick(engine->urn, &job->sampling, logits);
    job->n_completion++;
    if (token == LLAMA_TOKEN_NULL || llama_vocab_is_eog(engine->vocab, token)) return true;
    size_t before = job->text.len;
    add_piece(engine, job, token);
    size_t stop = pawl_llama_find_stop(pawl_buf_str(&job->text), job->text.len - before, job->stops,
                                       job->n_stops);
    if (stop < job->text.len) {
        job->text.len = stop;
        job->text.data[stop] = 0;
        return true;
    }
    if (job->hold && pawl_llama_hold_is_closed(job->hold, pawl_buf_str(&job->text))) return true;
    job->truncated = job->n_completion >= job->max_tokens || job->text.overflowed;
    slot->next = token;
    if (slot->copies) pawl_llama_lookup_add(&slot->lookup, token);
    return job->truncated;
}

static const float *logits_at(struct pawl_llama_engine *engine, int32_t index)
{
    const float *logits = llama_get_logits_ith(engine->context, index);
    if (!logits) PAWL_BUG("no logits for a token that asked for them");
    return logits;
}

static void learn(struct pawl_llama_engine *engine, struct slot *slot, size_t n_right)
{
    struct pawl_llama_lookup *lookup = &slot->lookup;
    pawl_llama_gain_guessed(&engine->gain, slot->job->role, engine->n_writing, lookup->n_guess,
                            n_right);
    pawl_llama_lookup_settle(lookup, n_right);
    atomic_fetch_add(&engine->work.guessed, (int64_t)lookup->n_guess);
    atomic_fetch_add(&engine->work.right, (int64_t)n_right);
    atomic_store(&engine->work.saved_us, (int64_t)engine->gain.saved_us);
}

/* Choose the token after `next`, and one after each guess that was right; the rest of them is forgotten. */
static bool write_tokens(struct pawl_llama_engine *engine, struct slot *slot, int32_t index)
{
    size_t n_guess = slot->lookup.n_guess, n_right = 0;
    bool done;
    for (;;) {
        done = write_token(engine, slot, logits_at(engine, index + (int32_t)n_right));
        if (slot->copies) pawl_llama_gain_wrote(&engine->gain, slot->job->role, engine->n_writing);
        if (done || n_right == n_guess || slot->next != slot->lookup.guess[n_right]) break;
        n_right++;
    }
    atomic_fetch_add(&engine->work.tokens, (int64_t)n_right + 1);
    slot->n_past += n_right;
    if (n_guess > 0) learn(engine, slot, n_right);
    if (!done && n_right < n_guess) pawl_llama_cells_cut(engine->cells, &slot->lease, slot->n_past);
    return done;
}

static bool is_scored(const struct pawl_llama_choices *choices)
{
    struct pawl_llama_branch branch;
    return !pawl_llama_choices_next(choices, &branch);
}

/* The prompt is read: begin to answer; true when that was all. */
static bool begin_answer(struct pawl_llama_engine *engine, struct slot *slot, const float *logits)
{
    struct pawl_llama_choices *choices = slot->job->choices;
    if (!choices) {
        slot->phase = WRITING;
        return write_token(engine, slot, logits);
    }
    pawl_llama_choices_add(choices, PAWL_LLAMA_ROOT, logits, engine->n_vocab);
    slot->phase = SCORING;
    return is_scored(choices);
}

static void read_row(struct pawl_llama_engine *engine, const struct row *row)
{
    struct slot *slot = row->slot;
    bool done = false;
    switch (slot->phase) {
    case READING:
        done = begin_answer(engine, slot, logits_at(engine, row->index));
        break;
    case WRITING:
        done = write_tokens(engine, slot, row->index);
        break;
    case SCORING:
        pawl_llama_choices_add(slot->job->choices, row->node, logits_at(engine, row->index),
                               engine->n_vocab);
        done = --slot->n_unread == 0 && is_scored(slot->job->choices);
        break;
    }
    if (done) finish(engine, slot);
}

/* ---- Admission -------------------------------------------------------------------------------- */

static struct slot *free_slot(struct pawl_llama_engine *engine)
{
    for (size_t i = 0; i < PAWL_LLAMA_SLOTS; i++)
        if (!engine->slots[i].job) return &engine->slots[i];
    return NULL;
}

static void consider(const struct pawl_llama_job *job, const llama_token *tokens, size_t n,
                     size_t known, size_t *stem)
{
    size_t common = pawl_llama_common(job->prompt, job->n_prompt - 1, tokens, n);
    if (common >= known + STEM_MIN && common < *stem) *stem = common;
}

/*
 * How long a stem to make for this request, on top of the known tokens; 0: none. The shortest of
 * what it shares with any other, so that the stem serves the most; longer ones grow on top of it.
 */
static size_t wanted_stem(struct pawl_llama_engine *engine, const struct pawl_llama_job *job,
                          size_t known)
{
    size_t stem = SIZE_MAX;
    consider(job, job->prompt, job->n_shared, known, &stem);
    for (size_t i = 0; i < RECENT; i++)
        consider(job, engine->recents[i].tokens, engine->recents[i].n, known, &stem);
    const struct pawl_llama_job *others[LOOK_AHEAD];
    size_t n = pawl_llama_queue_look(&engine->queue, job->role, others, LOOK_AHEAD);
    for (size_t i = 0; i < n; i++)
        if (others[i] != job) consider(job, others[i]->prompt, others[i]->n_prompt, known, &stem);
    return stem == SIZE_MAX ? 0 : stem;
}

static bool grow_stems(struct pawl_llama_engine *engine, const struct pawl_llama_job *job)
{
    for (;;) {
        size_t known = pawl_llama_cells_known(engine->cells, job->prompt, job->n_prompt);
        size_t stem = wanted_stem(engine, job, known);
        int result;
        if (stem == 0) return true;
        if (pawl_llama_cells_grow(engine->cells, job->prompt, stem, &result)) continue;
        return result == 0; /* no room for it now: the prompt is read whole */
    }
}

/* Another set of adapters has its turn: put it on. */
static void change_set(struct pawl_llama_engine *engine)
{
    const struct pawl_llama_job *first = pawl_llama_queue_next_turn(&engine->queue);
    if (!first) return;
    enum pawl_status status =
        pawl_llama_adapters_use(engine->adapters, engine->context, first->set, &engine->refusal);
    engine->refused = status == PAWL_OK        ? PAWL_REPLY_OK
                      : status == PAWL_ECONFIG ? PAWL_REPLY_FAILED
                                               : PAWL_REPLY_MISSING;
    pawl_llama_cells_use(engine->cells, first->set ? &first->set->key : &(struct pawl_hash){{0}});
}

/* Its adapters cannot be put on. */
static void refuse(struct pawl_llama_engine *engine, struct pawl_llama_job *job)
{
    pawl_buf_reset(&job->text);
    pawl_buf_add(&job->text, engine->refusal.message);
    job->refused = engine->refused;
    pawl_llama_queue_announce(&engine->queue, job);
}

/* Guesses are for what is written greedily: a draw is another one after other draws. */
static void seat(struct pawl_llama_engine *engine, struct slot *slot, struct pawl_llama_job *job,
                 const struct pawl_llama_lease *lease)
{
    struct pawl_llama_lookup lookup = slot->lookup; /* its room serves the next answer */
    bool copies = engine->speculates && !job->choices && pawl_llama_is_greedy(&job->sampling);
    *slot = (struct slot){.job = job,
                          .lease = *lease,
                          .phase = READING,
                          .n_past = lease->n_ready,
                          .copies = copies,
                          .lookup = lookup};
    slot->lookup.n_guess = 0;
    if (copies) pawl_llama_lookup_begin(&slot->lookup, job->prompt, job->n_prompt);
    job->n_cached = lease->n_ready;
}

/* Take in waiting requests while their prompts have room in the next batch; false: libllama failed. */
static bool admit(struct pawl_llama_engine *engine)
{
    size_t planned = 0, n_at_work = 0, held[PAWL_N_ROLES] = {0};
    for (size_t i = 0; i < PAWL_LLAMA_SLOTS; i++) {
        const struct slot *slot = &engine->slots[i];
        if (!slot->job) continue;
        planned += slot->phase == READING ? slot->job->n_prompt - slot->n_past : 1;
        held[slot->job->role]++;
        n_at_work++;
    }
    if (n_at_work == 0) change_set(engine);
    while (planned < engine->batch_tokens) {
        struct slot *slot = free_slot(engine);
        struct pawl_llama_job *job = slot ? pawl_llama_queue_peek(&engine->queue, held) : NULL;
        if (!job) return true;
        if (engine->refused != PAWL_REPLY_OK) {
            pawl_llama_queue_pop(&engine->queue, job);
            refuse(engine, job);
            continue;
        }
        if (!grow_stems(engine, job)) return false;
        struct pawl_llama_lease lease;
        size_t n_more = job->choices ? 0 : job->max_tokens;
        if (!pawl_llama_cells_lease(engine->cells, job->prompt, job->n_prompt, n_more, &lease))
            return true;
        pawl_llama_queue_pop(&engine->queue, job);
        held[job->role]++;
        seat(engine, slot, job, &lease);
        planned += job->n_prompt - lease.n_ready;
    }
    return true;
}

/* ---- One decode ------------------------------------------------------------------------------- */

static bool has_room(const struct pawl_llama_engine *engine, size_t n_tokens, size_t n_rows)
{
    return (size_t)engine->batch.n_tokens + n_tokens <= engine->batch_tokens &&
           engine->n_rows + n_rows <= ROWS_MAX;
}

static void want_row(struct pawl_llama_engine *engine, struct slot *slot, size_t node)
{
    engine->rows[engine->n_rows++] = (struct row){slot, node, engine->batch.n_tokens - 1};
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How many tokens this answer may guess: its share of the rows, and none that it could not use. */
static size_t room_for_guesses(const struct pawl_llama_engine *engine, const struct slot *slot)
{
    const struct pawl_llama_job *job = slot->job;
    if (!slot->copies || !pawl_llama_gain_is_worth(&engine->gain, job->role, engine->n_writing))
        return 0;
    return least((PAWL_LLAMA_SLOTS - engine->n_writing) / engine->n_writing,
                 job->max_tokens - job->n_completion - 1);
}

/* Look up what may come next. Nothing is guessed beyond the end of an answer. */
static size_t guess(struct pawl_llama_engine *engine, struct slot *slot)
{
    struct pawl_llama_lookup *lookup = &slot->lookup;
    size_t room = room_for_guesses(engine, slot), n = 0;
    lookup->n_guess = 0;
    if (room > 0) room = pawl_llama_lookup_guess(lookup, room);
    while (n < room && !llama_vocab_is_eog(engine->vocab, lookup->guess[n])) n++;
    return lookup->n_guess = n;
}

/* The answer's next token and guesses of what follows it, all of which want logits. */
static void add_next_token(struct pawl_llama_engine *engine, struct slot *slot)
{
    pawl_llama_batch_add(&engine->batch, slot->next, slot->n_past++, slot->lease.seq, true);
    want_row(engine, slot, 0);
    for (size_t i = 0, n = guess(engine, slot); i < n; i++)
        pawl_llama_batch_add(&engine->batch, slot->lookup.guess[i], slot->n_past + i,
                             slot->lease.seq, true);
}

/*
 * Add a branch of nodes. The nodes above belong to it as well: those that are in this batch join it,
 * the others are computed again.
 */
static bool add_branch(struct pawl_llama_engine *engine, struct slot *slot,
                       const struct pawl_llama_branch *wanted)
{
    struct pawl_llama_node *nodes = slot->job->choices->nodes;
    size_t way[PAWL_LLAMA_HEIGHT_MAX], n_new = 0, n_wanted = 1 + wanted->last - wanted->first;
    for (size_t at = wanted->last; at != PAWL_LLAMA_ROOT; at = nodes[at].parent) {
        way[nodes[at].depth] = at;
        n_new += nodes[at].entry < 0;
    }
    if (!has_room(engine, n_new, n_wanted)) return false;
    llama_seq_id branch = pawl_llama_cells_branch(engine->cells, &slot->lease, slot->job->n_prompt);
    if (branch < 0) return false;
    engine->branches[engine->n_branches++] = branch;
    slot->n_unread += n_wanted;
    for (size_t depth = 0; depth <= nodes[wanted->last].depth; depth++) {
        struct pawl_llama_node *node = &nodes[way[depth]];
        if (node->entry >= 0) {
            pawl_llama_batch_join(&engine->batch, node->entry, branch);
            continue;
        }
        bool read = way[depth] >= wanted->first;
        node->entry = engine->batch.n_tokens;
        pawl_llama_batch_add(&engine->batch, node->token, slot->job->n_prompt + depth, branch,
                             read);
        if (read) want_row(engine, slot, way[depth]);
    }
    return true;
}

/*
 * How many branches a search for the best choice alone adds to a decode. One is the fewest tokens; but a
 * decode costs as much as BRANCHES tokens before its first (SmolLM2-135M in F32: 44 ms of CPU, and 9.3 ms
 * a token), so where few requests share it they look further ahead.
 */
static size_t branches_at_once(const struct pawl_llama_engine *engine)
{
    size_t n_busy = 0;
    for (size_t i = 0; i < PAWL_LLAMA_SLOTS; i++)
        n_busy += engine->slots[i].job && engine->slots[i].phase != WRITING;
    return n_busy < BRANCHES ? BRANCHES / n_busy : 1;
}

static void add_nodes(struct pawl_llama_engine *engine, struct slot *slot)
{
    struct pawl_llama_choices *choices = slot->job->choices;
    struct pawl_llama_branch branch;
    size_t n_more = choices->best_only ? branches_at_once(engine) : SIZE_MAX;
    for (size_t i = 0; i < choices->n_nodes; i++) choices->nodes[i].entry = -1;
    while (n_more-- > 0 && pawl_llama_choices_next(choices, &branch))
        if (!add_branch(engine, slot, &branch)) return;
}

static void add_prompt(struct pawl_llama_engine *engine, struct slot *slot)
{
    const struct pawl_llama_job *job = slot->job;
    while (slot->n_past < job->n_prompt) {
        bool last = slot->n_past + 1 == job->n_prompt;
        if (!has_room(engine, 1, last)) return;
        pawl_llama_batch_add(&engine->batch, job->prompt[slot->n_past], slot->n_past,
                             slot->lease.seq, last);
        slot->n_past++;
        if (last) want_row(engine, slot, 0);
    }
}

static size_t count(const struct pawl_llama_engine *engine, enum phase phase)
{
    size_t n = 0;
    for (size_t i = 0; i < PAWL_LLAMA_SLOTS; i++)
        n += engine->slots[i].job && engine->slots[i].phase == phase;
    return n;
}

/* Time of this thread alone where it computes: what else runs on the machine does not count. */
static int64_t compute_clock_us(void)
{
    return pawl_llama_offloads() ? pawl_clock_real_us() : pawl_clock_thread_cpu_us();
}

/* A decode that writes answers is measured. */
static bool decode_measured(struct pawl_llama_engine *engine)
{
    int64_t start_us = compute_clock_us();
    if (llama_decode(engine->context, engine->batch) != 0) return false;
    llama_synchronize(engine->context);
    pawl_llama_gain_decoded(&engine->gain, (size_t)engine->batch.n_tokens,
                            compute_clock_us() - start_us);
    atomic_fetch_add(&engine->work.decodes, 1);
    return true;
}

/* Decode what the slots of this phase, and then of the next, have to add. */
static bool decode(struct pawl_llama_engine *engine, enum phase from, enum phase to)
{
    static void (*const add[])(struct pawl_llama_engine *, struct slot *) = {
        [WRITING] = add_next_token, [SCORING] = add_nodes, [READING] = add_prompt};
    engine->batch.n_tokens = 0;
    engine->n_rows = engine->n_branches = 0;
    engine->n_writing = count(engine, WRITING);
    for (enum phase phase = from; phase <= to; phase++)
        for (size_t i = 0; i < PAWL_LLAMA_SLOTS; i++) {
            struct slot *slot = &engine->slots[i];
            if (slot->job && slot->phase == phase) add[phase](engine, slot);
        }
    if (engine->batch.n_tokens == 0) return true;
    bool good = from == WRITING ? decode_measured(engine)
                                : llama_decode(engine->context, engine->batch) == 0;
    if (!good) return false;
    atomic_fetch_add(&engine->work.batches, 1);
    atomic_fetch_add(&engine->work.computed, engine->batch.n_tokens);
    atomic_fetch_add(&engine->work.rows, (int64_t)engine->n_rows);
    pawl_llama_cells_decoded(engine->cells, (size_t)engine->batch.n_tokens);
    for (size_t i = 0; i < engine->n_branches; i++)
        pawl_llama_cells_prune(engine->cells, engine->branches[i]);
    for (size_t i = 0; i < engine->n_rows; i++) read_row(engine, &engine->rows[i]);
    return true;
}

/* A set of the roles whose slots are in one of these phases. */
static unsigned roles_in(const struct pawl_llama_engine *engine, enum phase from, enum phase to)
{
    unsigned roles = 0;
    for (size_t i = 0; i < PAWL_LLAMA_SLOTS; i++) {
        const struct slot *slot = &engine->slots[i];
        if (slot->job && slot->phase >= from && slot->phase <= to) roles |= 1u << slot->job->role;
    }
    return roles;
}

/*
 * One decode of each kind, which serves a role alone best: its prompts are soon read, and its answers
 * are written together. Where the two kinds are of different roles, a decode full of prompts takes as
 * long as many tokens of answers: then the kind that had less time goes on.
 */
static bool decode_next(struct pawl_llama_engine *engine)
{
    unsigned writing = roles_in(engine, WRITING, WRITING);
    unsigned reading = roles_in(engine, SCORING, READING);
    bool compete = writing && reading && !(writing & reading);
    if (!compete) {
        engine->reading_lead_us = 0;
        return decode(engine, WRITING, WRITING) && decode(engine, SCORING, READING);
    }
    bool read = engine->reading_lead_us <= 0;
    int64_t start_us = pawl_clock_monotonic_us();
    bool good = read ? decode(engine, SCORING, READING) : decode(engine, WRITING, WRITING);
    int64_t spent_us = pawl_clock_monotonic_us() - start_us;
    engine->reading_lead_us += read ? spent_us : -spent_us;
    return good;
}

static void step(struct pawl_llama_engine *engine)
{
    if (!admit(engine))
        fail_all(engine, "libllama could not decode a prompt.");
    else if (!decode_next(engine))
        fail_all(engine, "libllama could not decode a batch.");
    pawl_llama_embedder_step(engine->embedder, &engine->queue);
}

/* ---- The thread ------------------------------------------------------------------------------- */

static bool is_busy(const struct pawl_llama_engine *engine)
{
    for (size_t i = 0; i < PAWL_LLAMA_SLOTS; i++)
        if (engine->slots[i].job) return true;
    return pawl_llama_embedder_is_busy(engine->embedder);
}

static void *drive(void *argument)
{
    struct pawl_llama_engine *engine = argument;
    for (;;) {
        switch (pawl_llama_queue_wait(&engine->queue, is_busy(engine))) {
        case PAWL_LLAMA_WORK:
            step(engine);
            break;
        case PAWL_LLAMA_SEND_HOME:
            fail_all(engine, "cancelled"); /* run says so */
            pawl_llama_embedder_fail(engine->embedder, &engine->queue, "cancelled");
            pawl_llama_queue_send_home(&engine->queue);
            break;
        case PAWL_LLAMA_CLOSE:
            return NULL;
        }
    }
}

enum pawl_status pawl_llama_engine_run(struct pawl_llama_engine *engine,
                                       struct pawl_llama_job *jobs, size_t n,
                                       struct pawl_error *err)
{
    return pawl_llama_queue_ask(&engine->queue, jobs, n, err);
}

void pawl_llama_engine_cancel(struct pawl_llama_engine *engine)
{
    pawl_llama_queue_cancel(&engine->queue);
}

struct pawl_llama_work pawl_llama_engine_work(struct pawl_llama_engine *engine)
{
    const struct work *work = &engine->work;
    return (struct pawl_llama_work){.decodes = atomic_load(&work->decodes),
                                    .tokens = atomic_load(&work->tokens),
                                    .guessed = atomic_load(&work->guessed),
                                    .right = atomic_load(&work->right),
                                    .saved_us = atomic_load(&work->saved_us),
                                    .batches = atomic_load(&work->batches),
                                    .computed = atomic_load(&work->computed),
                                    .rows = atomic_load(&work->rows)};
}

static void release(struct pawl_llama_engine *engine)
{
    for (size_t i = 0; i < PAWL_LLAMA_SLOTS; i++)
        pawl_llama_lookup_release(&engine->slots[i].lookup);
    for (size_t i = 0; i < RECENT; i++) free(engine->recents[i].tokens);
    pawl_llama_cells_free(engine->cells);
    pawl_llama_embedder_free(engine->embedder);
    pawl_llama_urn_free(engine->urn);
    llama_batch_free(engine->batch);
    llama_free(engine->context);
    pawl_llama_adapters_free(engine->adapters);
    pawl_llama_queue_release(&engine->queue);
    free(engine);
}

enum pawl_status pawl_llama_engine_open(const struct pawl_llama_engine_settings *settings,
                                        struct pawl_llama_engine **out, struct pawl_error *err)
{
    struct llama_context *context = llama_init_from_model(
        settings->model, pawl_llama_context_params(settings->context_tokens, &settings->pace));
    if (!context) {
        pawl_fail(err, PAWL_EWORLD, "No room for a context of %zu tokens: %s.",
                  settings->context_tokens, pawl_llama_last_error());
        pawl_hint(err, "Set a smaller `context` for the model in pawl.yaml.");
        return PAWL_EWORLD;
    }
    struct pawl_llama_engine *engine = pawl_xcalloc(1, sizeof *engine);
    engine->context = context;
    engine->vocab = llama_model_get_vocab(settings->model);
    engine->n_vocab = llama_vocab_n_tokens(engine->vocab);
    engine->batch_tokens = settings->pace.batch_tokens;
    engine->speculates = settings->speculate && pawl_llama_cells_can_cut(settings->model);
    pawl_llama_gain_init(&engine->gain);
    engine->cells = pawl_llama_cells_new(context, settings->context_tokens, engine->batch_tokens);
    engine->embedder =
        pawl_llama_embedder_new(settings->model, settings->text_tokens, settings->pace.n_threads);
    engine->adapters = pawl_llama_adapters_new(settings->model, settings->own);
    pawl_llama_embedder_wear(engine->embedder, engine->adapters, settings->own);
    engine->urn = pawl_llama_urn_new(engine->n_vocab);
    engine->batch = llama_batch_init((int32_t)engine->batch_tokens, 0, PAWL_LLAMA_SEQUENCES);
    pawl_llama_queue_init(&engine->queue);
    /* Once here, so that a model is refused for its own adapter when it is opened. */
    enum pawl_status status =
        pawl_llama_adapters_use(engine->adapters, engine->context, settings->own, err);
    if (status == PAWL_OK)
        status = pawl_llama_adapters_use(engine->adapters, engine->context, NULL, err);
    if (status != PAWL_OK) {
        release(engine);
        return status;
    }
    int errnum = pthread_create(&engine->thread, NULL, drive, engine);
    if (errnum == 0) {
        *out = engine;
        return PAWL_OK;
    }
    release(engine);
    return pawl_fail_errno(err, PAWL_EWORLD, errnum, "Cannot start the model's thread");
}

void pawl_llama_engine_close(struct pawl_llama_engine *engine)
{
    if (!engine) return;
    pawl_llama_queue_close(&engine->queue);
    pthread_join(engine->thread, NULL);
    release(engine);
}
