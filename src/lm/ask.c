/*
 * How one model is asked: equal requests once, the cache first, money aside, then the backend.
 *
 * Equal requests are looked for only where answers are worth keeping (PAWL_BACKEND_CACHED): a
 * scripted model answers faster than a hash is computed.
 */
#include "base/clock.h"
#include "lm/key_set.h"
#include "lm/model.h"
#include "lm/request.h"
#include "store/store.h"

#include <string.h>

void pawl_usage_add(struct pawl_usage *sum, const struct pawl_usage *more)
{
    sum->prompt_tokens += more->prompt_tokens;
    sum->completion_tokens += more->completion_tokens;
    sum->cached_tokens += more->cached_tokens;
    sum->reasoning_tokens += more->reasoning_tokens;
    sum->cost_microusd += more->cost_microusd;
    sum->latency_us += more->latency_us;
    sum->n_requests += more->n_requests;
    sum->n_cached += more->n_cached;
}

static struct pawl_lm_reply failed(const char *reason)
{
    return (struct pawl_lm_reply){
        .status = PAWL_REPLY_FAILED, .reason = reason, .usage.n_requests = 1};
}

/* --- the backend, bounded and paid ------------------------------------------------------------ */

/* Wait for a free slot; take up to `want` of them. */
static enum pawl_status take_slots(struct pawl_lm *lm, struct pawl_lm_model *model, size_t want,
                                   size_t *taken, struct pawl_error *err)
{
    *taken = want;
    if (model->concurrency == 0) return PAWL_OK;
    pthread_mutex_lock(&model->slot_lock);
    while (model->in_use >= model->concurrency && !atomic_load(&lm->canceled))
        pthread_cond_wait(&model->slot_free, &model->slot_lock);
    bool canceled = atomic_load(&lm->canceled);
    if (!canceled) {
        size_t free_slots = (size_t)(model->concurrency - model->in_use);
        if (*taken > free_slots) *taken = free_slots;
        model->in_use += (int64_t)*taken;
    }
    pthread_mutex_unlock(&model->slot_lock);
    return canceled ? pawl_lm_fail_canceled(err) : PAWL_OK;
}

static void give_slots(struct pawl_lm_model *model, size_t n)
{
    if (model->concurrency == 0) return;
    pthread_mutex_lock(&model->slot_lock);
    model->in_use -= (int64_t)n;
    pthread_cond_broadcast(&model->slot_free);
    pthread_mutex_unlock(&model->slot_lock);
}

/* Hold every backend to what lm.h says about a reply. */
static void clean_reply(struct pawl_lm_reply *reply, struct pawl_arena *arena, int64_t elapsed_us)
{
    reply->usage.n_requests = 1;
    if (reply->usage.latency_us == 0) reply->usage.latency_us = elapsed_us;
    struct pawl_str text = reply->text;
    if (reply->status != PAWL_REPLY_OK) return;
    if (text.len > PAWL_REPLY_MAX) {
        struct pawl_usage usage = reply->usage;
        *reply = failed("The model's answer is over 4 MiB.");
        reply->usage = usage;
    } else if (text.len == 0) {
        reply->text = PAWL_STR("");
    } else if (!pawl_utf8_is_valid(text, NULL) || memchr(text.ptr, '\0', text.len)) {
        struct pawl_buf repaired = PAWL_BUF((size_t)3 * PAWL_REPLY_MAX);
        struct pawl_str part;
        while (pawl_str_split(&text, '\0', &part)) {
            pawl_utf8_repair(part, &repaired);
            if (text.len > 0) pawl_buf_add(&repaired, "\xEF\xBF\xBD");
        }
        struct pawl_str all = pawl_buf_str(&repaired);
        reply->text = pawl_arena_copy(arena, all);
        pawl_buf_release(&repaired);
        clean_reply(reply, arena, elapsed_us);
    }
}

static enum pawl_status ask_in_slots(struct pawl_lm *lm, struct pawl_lm_model *model, void *state,
                                     struct pawl_arena *arena,
                                     const struct pawl_lm_request *requests, size_t n,
                                     struct pawl_lm_reply *replies, struct pawl_error *err)
{
    for (size_t done = 0, taken; done < n; done += taken) {
        PAWL_TRY(take_slots(lm, model, n - done, &taken, err));
        int64_t start_us = pawl_clock_monotonic_us();
        enum pawl_status status =
            model->backend->ask(state, arena, requests + done, taken, replies + done, err);
        int64_t elapsed_us = pawl_clock_monotonic_us() - start_us;
        give_slots(model, taken);
        if (status != PAWL_OK) return status;
        for (size_t i = 0; i < taken; i++) clean_reply(&replies[done + i], arena, elapsed_us);
    }
    return PAWL_OK;
}

static int64_t worst_cost(const struct pawl_lm_model *model, void *state,
                          const struct pawl_lm_request *requests, size_t n)
{
    if (!model->backend->worst_cost) return 0;
    int64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t one = model->backend->worst_cost(state, &requests[i]);
        if (one > 0 && __builtin_add_overflow(sum, one, &sum)) return INT64_MAX;
    }
    return sum;
}

/* An ask that was cut off is charged in full: nobody knows what the provider has counted. */
static int64_t spent_of(enum pawl_status status, int64_t reserved,
                        const struct pawl_lm_reply *replies, size_t n)
{
    if (status == PAWL_EPAUSED) return reserved;
    int64_t spent = 0;
    for (size_t i = 0; i < n; i++)
        spent += replies[i].usage.cost_microusd - replies[i].lost_microusd;
    return spent < reserved ? spent : reserved;
}

enum pawl_status pawl_lm_pay_lost(struct pawl_lm *lm, int64_t microusd)
{
    if (!lm->metered) return PAWL_OK;
    PAWL_TRY(lm->purse.reserve(lm->purse.context, microusd, NULL));
    lm->purse.settle(lm->purse.context, microusd, microusd);
    return PAWL_OK;
}

static enum pawl_status ask_paid(struct pawl_lm *lm, struct pawl_lm_model *model,
                                 struct pawl_arena *arena, const struct pawl_lm_request *requests,
                                 size_t n, struct pawl_lm_reply *replies, struct pawl_error *err)
{
    void *state;
    if (atomic_load(&lm->canceled)) return pawl_lm_fail_canceled(err);
    PAWL_TRY(pawl_lm_load(lm, model, &state, err));
    memset(replies, 0, n * sizeof *replies);
    int64_t reserved = lm->metered ? worst_cost(model, state, requests, n) : 0;
    if (reserved > 0) PAWL_TRY(lm->purse.reserve(lm->purse.context, reserved, err));
    enum pawl_status status = ask_in_slots(lm, model, state, arena, requests, n, replies, err);
    if (reserved > 0)
        lm->purse.settle(lm->purse.context, reserved, spent_of(status, reserved, replies, n));
    return status;
}

/* --- the cache, and equal requests in a batch ------------------------------------------------- */

struct batch {
    struct pawl_arena scratch;
    const struct pawl_lm_request *requests;
    struct pawl_lm_reply *replies;
    size_t n;
    struct pawl_key_set keys;
    size_t *first_of; /* by the key's number: the first request that has it */
    size_t *first;    /* by request: the first that equals it; itself for most */
    size_t *asked;    /* requests that go to the backend */
    size_t n_asked;
};

static void open_batch(struct batch *b)
{
    b->first_of = PAWL_NEW_N(&b->scratch, size_t, b->n);
    b->first = PAWL_NEW_N(&b->scratch, size_t, b->n);
    b->asked = PAWL_NEW_N(&b->scratch, size_t, b->n);
}

/* A cached answer costs the same as a fresh one in the logical budget: its usage is kept. */
static bool read_cache(struct pawl_lm *lm, struct batch *b, size_t i, const struct pawl_hash *key,
                       struct pawl_arena *arena)
{
    struct pawl_str body;
    json_t *object;
    if (!lm->cache || pawl_store_answer_get(lm->cache, &b->scratch, key, &body, NULL) != PAWL_OK ||
        !body.ptr || pawl_json_parse(body, (size_t)8 * PAWL_REPLY_MAX, &object, NULL) != PAWL_OK)
        return false;
    bool ok = pawl_lm_reply_read(object, b->requests[i].n_choices, arena, &b->replies[i]) &&
              b->replies[i].status == PAWL_REPLY_OK;
    b->replies[i].usage.n_cached = 1;
    json_decref(object);
    return ok;
}

/* An answer with all log-probabilities serves one that wants the best choice alone. */
static bool read_cache_for_best(struct pawl_lm *lm, struct batch *b, size_t i, const char *identity,
                                struct pawl_arena *arena)
{
    struct pawl_lm_request all = b->requests[i];
    if (!lm->cache || !all.best_only) return false;
    all.best_only = false;
    struct pawl_hash key = pawl_lm_request_key(identity, &all);
    return read_cache(lm, b, i, &key, arena);
}

/* A cache that cannot be written is no reason to lose an answer that is paid. */
static void write_cache(struct pawl_lm *lm, const struct batch *b)
{
    for (size_t k = 0; lm->cache && k < b->keys.n; k++) {
        size_t i = b->first_of[k];
        if (b->replies[i].status != PAWL_REPLY_OK || b->replies[i].usage.n_cached) continue;
        struct pawl_buf body = PAWL_BUF((size_t)8 * PAWL_REPLY_MAX);
        pawl_lm_reply_write(&b->replies[i], b->requests[i].n_choices, &body);
        enum pawl_status status = PAWL_OK;
        if (!body.overflowed)
            status = pawl_store_answer_put(lm->cache, &b->keys.keys[k], pawl_buf_str(&body), NULL);
        (void)status;
        pawl_buf_release(&body);
    }
}

static enum pawl_status ask_rest(struct pawl_lm *lm, struct pawl_lm_model *model, struct batch *b,
                                 struct pawl_arena *arena, struct pawl_error *err)
{
    struct pawl_lm_request *requests = PAWL_NEW_N(&b->scratch, struct pawl_lm_request, b->n_asked);
    struct pawl_lm_reply *replies = PAWL_NEW_N(&b->scratch, struct pawl_lm_reply, b->n_asked);
    for (size_t i = 0; i < b->n_asked; i++) requests[i] = b->requests[b->asked[i]];
    PAWL_TRY(ask_paid(lm, model, arena, requests, b->n_asked, replies, err));
    for (size_t i = 0; i < b->n_asked; i++) b->replies[b->asked[i]] = replies[i];
    return PAWL_OK;
}

/* The request's list overheads count too, so that a million empty messages do not fit. */
static bool fits(const struct pawl_lm_request *request)
{
    size_t n_items = request->n_messages + request->n_choices + request->n_stops;
    return n_items < PAWL_PROMPT_MAX / 32 &&
           pawl_lm_request_bytes(request) + 32 * n_items <= PAWL_PROMPT_MAX;
}

/* Answer request i from the batch, the cache or a refusal, or put it on the list to ask. */
static void sort_request(struct pawl_lm *lm, struct batch *b, size_t i, const char *identity,
                         struct pawl_arena *arena)
{
    b->first[i] = i;
    if (!fits(&b->requests[i])) {
        b->replies[i] = failed("The prompt is over 16 MiB.");
        return;
    }
    if (identity) {
        struct pawl_hash key = pawl_lm_request_key(identity, &b->requests[i]);
        size_t n_before = b->keys.n, number = pawl_key_set_add(&b->keys, &key);
        if (number < n_before) {
            b->first[i] = b->first_of[number];
            return;
        }
        b->first_of[number] = i;
        if (read_cache(lm, b, i, &key, arena) || read_cache_for_best(lm, b, i, identity, arena))
            return;
    }
    b->asked[b->n_asked++] = i;
}

static enum pawl_status ask_batch(struct pawl_lm *lm, struct pawl_lm_model *model, struct batch *b,
                                  struct pawl_arena *arena, struct pawl_error *err)
{
    const char *identity = NULL;
    if (model->backend->flags & PAWL_BACKEND_CACHED)
        PAWL_TRY(pawl_lm_name(lm, model, &identity, err));
    open_batch(b);
    for (size_t i = 0; i < b->n; i++) sort_request(lm, b, i, identity, arena);
    if (b->n_asked > 0) PAWL_TRY(ask_rest(lm, model, b, arena, err));
    write_cache(lm, b);
    for (size_t i = 0; i < b->n; i++) {
        if (b->first[i] == i) continue;
        b->replies[i] = b->replies[b->first[i]];
        b->replies[i].usage.n_cached = 1;
    }
    return PAWL_OK;
}

/* An adapter that is left out would be another model. */
static enum pawl_status check_adapters(const struct pawl_lm_model *model,
                                       const struct pawl_lm_request *requests, size_t n,
                                       struct pawl_error *err)
{
    if (model->backend->flags & PAWL_BACKEND_ADAPTERS) return PAWL_OK;
    for (size_t i = 0; i < n; i++) {
        if (requests[i].n_adapters == 0) continue;
        pawl_fail(err, PAWL_ECONFIG, "The model %s takes no adapters: its backend is %s.",
                  model->name, model->backend->name);
        pawl_hint(err, "Adapters work on models of the backend llama.");
        return PAWL_ECONFIG;
    }
    return PAWL_OK;
}

static bool all_fit(const struct pawl_lm_request *requests, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!fits(&requests[i])) return false;
    return true;
}

/* The requests as the backend may see them: best_only is for those that save work by it. */
static const struct pawl_lm_request *as_seen(const struct pawl_lm_model *model,
                                             struct pawl_arena *arena,
                                             const struct pawl_lm_request *requests, size_t n)
{
    size_t n_best_only = 0;
    for (size_t i = 0; i < n; i++) n_best_only += requests[i].best_only;
    if (n_best_only == 0 || model->backend->flags & PAWL_BACKEND_BEST_ONLY) return requests;
    struct pawl_lm_request *seen = PAWL_NEW_N(arena, struct pawl_lm_request, n);
    memcpy(seen, requests, n * sizeof *seen);
    for (size_t i = 0; i < n; i++) seen[i].best_only = false;
    return seen;
}

enum pawl_status pawl_lm_model_ask(struct pawl_lm *lm, struct pawl_lm_model *model,
                                   struct pawl_arena *arena, const struct pawl_lm_request *requests,
                                   size_t n, struct pawl_lm_reply *replies, struct pawl_error *err)
{
    if (atomic_load(&lm->canceled)) return pawl_lm_fail_canceled(err);
    PAWL_TRY(check_adapters(model, requests, n, err));
    requests = as_seen(model, arena, requests, n);
    if (!(model->backend->flags & PAWL_BACKEND_CACHED) && all_fit(requests, n))
        return ask_paid(lm, model, arena, requests, n, replies, err);
    struct batch b = {.requests = requests, .replies = replies, .n = n};
    enum pawl_status status = ask_batch(lm, model, &b, arena, err);
    pawl_key_set_release(&b.keys);
    pawl_arena_release(&b.scratch);
    return status;
}
