#include "lm/chat.h"

#include "base/clock.h"
#include "base/random.h"
#include "io/file.h"
#include "lm/chat_server.h"
#include "lm/chat_wire.h"
#include "lm/endpoint.h"
#include "lm/price_table.h"
#include "lm/request.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ANSWER_MAX = 8 << 20,
    BODY_MAX = 8 * PAWL_PROMPT_MAX,
    BACKOFF_MS = 500,
    BACKOFF_MAX_MS = 30 * 1000,
    RETRY_AFTER_MAX_MS = 60 * 1000,
};

struct pawl_chat {
    const struct pawl_chat_wire *wire;
    struct pawl_chat_options options;
    const void *style;
    struct pawl_arena arena;
    struct pawl_chat_server server;
    const char *identity;
    struct pawl_lm *lm;
    struct pawl_http *http; /* the lm's */
    atomic_bool canceled;
    pthread_mutex_t jitter_lock;
    struct pawl_random jitter;
};

/* A request on its way. */
struct
try {
    const struct pawl_lm_request *request;
    struct pawl_lm_reply *reply;
    struct pawl_str body;
    int n_tries;
    int64_t due_us;
    int64_t lost_microusd; /* charged for earlier tries */
};

/* --- one answer ------------------------------------------------------------------------------- */

enum verdict { ANSWERED, TRY_AGAIN, REFUSED_KEY, WRONG_PLACE, CANCELED };

/* What the provider may ask for one sending of the request; 0 without a price. */
static int64_t worst_of(const struct pawl_chat *chat, const struct pawl_lm_request *request)
{
    int64_t worst = pawl_lm_price_worst(&chat->options.price, request);
    return worst > 0 ? worst : 0;
}

static struct pawl_lm_reply no_answer(enum pawl_reply_status status, const char *reason,
                                      int64_t cost_microusd)
{
    return (struct pawl_lm_reply){
        .status = status, .reason = reason, .usage.cost_microusd = cost_microusd};
}

static bool is_page(struct pawl_str body)
{
    return pawl_str_starts(pawl_str_trim(body), "<");
}

/* 2xx, but no completion. An error object is no work that could be billed. */
static enum verdict read_oddity(const struct pawl_chat *chat, const struct try *one,
                                struct pawl_str body, struct pawl_arena *arena)
{
    bool is_error;
    const char *before = "The server's answer is not a completion: ";
    struct pawl_str text = pawl_chat_error(body, arena, &is_error);
    if (is_error) before = "The server answered with an error: ";
    if (is_page(body)) before = "The server's answer is a web page, is base_url right? ";
    *one->reply =
        no_answer(PAWL_REPLY_MISSING, pawl_chat_server_reason(&chat->server, arena, before, text),
                  is_error || is_page(body) ? 0 : worst_of(chat, one->request));
    return TRY_AGAIN;
}

static enum verdict read_completion(const struct pawl_chat *chat, const struct try *one,
                                    struct pawl_str body, struct pawl_arena *arena)
{
    struct pawl_chat_counts counts = {0};
    struct pawl_lm_reply *reply = one->reply;
    if (!chat->wire->read(body, one->request, arena, reply, &counts))
        return read_oddity(chat, one, body, arena);
    pawl_chat_server_scrub(&chat->server, reply->text);
    if (reply->reason) pawl_chat_server_scrub(&chat->server, pawl_str_of(reply->reason));
    reply->usage.cost_microusd =
        counts.counted
            ? pawl_lm_price_of(&chat->options.price, &reply->usage, counts.written_tokens)
            : worst_of(chat, one->request);
    return ANSWERED;
}

static bool is_passing(int status)
{
    return status == 408 || status == 409 || status == 425 || status == 429 || status >= 500;
}

static enum verdict read_status(const struct pawl_chat *chat, const struct try *one,
                                const struct pawl_http_reply *answer, struct pawl_arena *arena)
{
    int status = answer->status;
    bool is_error;
    char before[64];
    snprintf(before, sizeof before, "The server answered %d: ", status);
    struct pawl_str text = is_page(answer->body) ? PAWL_STR("a web page")
                                                 : pawl_chat_error(answer->body, arena, &is_error);
    *one->reply =
        no_answer(status < 400 || is_passing(status) ? PAWL_REPLY_MISSING : PAWL_REPLY_FAILED,
                  pawl_chat_server_reason(&chat->server, arena, before, text), 0);
    if (status == 401 || status == 403) return REFUSED_KEY;
    if (status == 404) return WRONG_PLACE;
    return is_passing(status) ? TRY_AGAIN : ANSWERED;
}

static enum verdict read_answer(const struct pawl_chat *chat, const struct try *one,
                                const struct pawl_http_reply *answer, struct pawl_arena *arena)
{
    int64_t worst = worst_of(chat, one->request);
    const char *reason = NULL;
    if (answer->outcome != PAWL_HTTP_ANSWERED)
        reason = pawl_chat_server_reason(&chat->server, arena, "", pawl_str_of(answer->reason));
    switch (answer->outcome) {
    case PAWL_HTTP_CANCELED:
        return CANCELED;
    case PAWL_HTTP_TOO_BIG:
        *one->reply = no_answer(PAWL_REPLY_FAILED, "The server's answer is over 8 MiB.", worst);
        return ANSWERED;
    case PAWL_HTTP_GIVEN_UP:
        *one->reply = no_answer(PAWL_REPLY_MISSING, reason, 0);
        return ANSWERED;
    case PAWL_HTTP_UNSENT:
        *one->reply = no_answer(PAWL_REPLY_MISSING, reason, 0);
        return TRY_AGAIN;
    case PAWL_HTTP_TIMED_OUT:
    case PAWL_HTTP_BROKEN:
        *one->reply = no_answer(PAWL_REPLY_MISSING, reason, worst);
        return TRY_AGAIN;
    case PAWL_HTTP_ANSWERED:
        break;
    }
    if (answer->status >= 200 && answer->status < 300)
        return read_completion(chat, one, answer->body, arena);
    return read_status(chat, one, answer, arena);
}

/* --- tries until all are answered ------------------------------------------------------------- */

static int64_t wait_ms(struct pawl_chat *chat, int n_tries, int64_t retry_after_ms)
{
    int64_t bound = n_tries < 7 ? (int64_t)BACKOFF_MS << n_tries : BACKOFF_MAX_MS;
    if (bound > BACKOFF_MAX_MS) bound = BACKOFF_MAX_MS;
    pthread_mutex_lock(&chat->jitter_lock);
    int64_t wait = (int64_t)(pawl_random_unit(&chat->jitter) * (double)bound);
    pthread_mutex_unlock(&chat->jitter_lock);
    if (retry_after_ms > RETRY_AFTER_MAX_MS) retry_after_ms = RETRY_AFTER_MAX_MS;
    return retry_after_ms > wait ? retry_after_ms : wait;
}

/* Move the tries that are due to the front; wait for the first one when none is. */
static size_t take_due(struct pawl_chat *chat, struct try *tries, size_t n)
{
    int64_t now_us = pawl_clock_monotonic_us(), first_us = INT64_MAX;
    for (size_t i = 0; i < n; i++)
        if (tries[i].due_us < first_us) first_us = tries[i].due_us;
    if (first_us > now_us) pawl_lm_sleep_ms((first_us - now_us + 999) / 1000, &chat->canceled);
    now_us = pawl_clock_monotonic_us();
    size_t n_due = 0;
    for (size_t i = 0; i < n; i++) {
        if (tries[i].due_us > now_us) continue;
        struct try due = tries[i];
        tries[i] = tries[n_due];
        tries[n_due++] = due;
    }
    return n_due;
}

/* Put the request off for a further try. False: there is none, the reply stays as it is. What this
 * try may have cost is charged now; the reservation of the request is then there for the next. */
static bool put_off(struct pawl_chat *chat, struct try *one, int64_t retry_after_ms)
{
    int64_t cost_microusd = one->reply->usage.cost_microusd;
    if (one->n_tries >= chat->options.retries) return false;
    if (cost_microusd > 0 && pawl_lm_pay_lost(chat->lm, cost_microusd) != PAWL_OK) return false;
    one->lost_microusd += cost_microusd;
    one->due_us = pawl_clock_monotonic_us() + 1000 * wait_ms(chat, one->n_tries, retry_after_ms);
    one->n_tries++;
    return true;
}

static enum pawl_status fail_canceled(struct pawl_error *err)
{
    return pawl_fail(err, PAWL_EPAUSED, "Asking the model was stopped on request.");
}

/* What the answer means for this try; *again when it is to be sent once more. */
static enum pawl_status settle(struct pawl_chat *chat, struct try *one,
                               const struct pawl_http_reply *answer, struct pawl_arena *arena,
                               bool *again, struct pawl_error *err)
{
    struct pawl_lm_reply *reply = one->reply;
    enum verdict verdict = read_answer(chat, one, answer, arena);
    if (verdict == CANCELED) return fail_canceled(err);
    if (verdict == REFUSED_KEY) return pawl_chat_server_fail_key(&chat->server, reply->reason, err);
    if (verdict == WRONG_PLACE)
        return pawl_chat_server_fail_place(&chat->server, chat->http, reply->reason, err);
    /* The loser of two may be billed as well; what it did nobody knows. */
    if (answer->n_sent > 1) reply->usage.cost_microusd += worst_of(chat, one->request);
    *again = verdict == TRY_AGAIN && put_off(chat, one, answer->retry_after_ms);
    reply->usage.latency_us = answer->latency_us;
    reply->lost_microusd = one->lost_microusd;
    reply->usage.cost_microusd += one->lost_microusd;
    return PAWL_OK;
}

/* Send the first n_due tries; those that must be tried again stay in tries[0..*n). */
static enum pawl_status send_round(struct pawl_chat *chat, struct pawl_arena *arena,
                                   struct pawl_arena *scratch, struct try *tries, size_t n_due,
                                   size_t *n, struct pawl_error *err)
{
    const struct pawl_chat_options *options = &chat->options;
    struct pawl_http_request *sent = PAWL_NEW_N(scratch, struct pawl_http_request, n_due);
    struct pawl_http_reply *answers = PAWL_NEW_N(scratch, struct pawl_http_reply, n_due);
    for (size_t i = 0; i < n_due; i++)
        sent[i] = (struct pawl_http_request){.url = chat->server.url,
                                             .headers = chat->server.headers,
                                             .body = tries[i].body,
                                             .timeout_ms = options->timeout_ms,
                                             .hedge_ms = options->hedge_ms,
                                             .in_flight_max = (int)(options->host_concurrency > 0
                                                                        ? options->host_concurrency
                                                                        : options->concurrency),
                                             .limit_bytes = ANSWER_MAX};
    pawl_http_all(chat->http, scratch, sent, n_due, answers);

    enum pawl_status status = PAWL_OK;
    size_t kept = 0;
    for (size_t i = 0; i < n_due && status == PAWL_OK; i++) {
        bool again = false;
        status = settle(chat, &tries[i], &answers[i], arena, &again, err);
        if (again) tries[kept++] = tries[i];
    }
    for (size_t i = n_due; i < *n; i++) tries[kept++] = tries[i];
    *n = kept;
    return status;
}

static struct pawl_str write_body(const struct pawl_chat *chat,
                                  const struct pawl_lm_request *request, struct pawl_arena *arena)
{
    struct pawl_buf out = PAWL_BUF(BODY_MAX);
    chat->wire->write(chat->style, request, &out);
    PAWL_ASSERT(!out.overflowed); /* ask.c bounds the prompt */
    struct pawl_str body = pawl_arena_copy(arena, pawl_buf_str(&out));
    pawl_buf_release(&out);
    return body;
}

enum pawl_status pawl_chat_ask(void *state, struct pawl_arena *arena,
                               const struct pawl_lm_request *requests, size_t n,
                               struct pawl_lm_reply *replies, struct pawl_error *err)
{
    struct pawl_chat *chat = state;
    struct pawl_arena scratch = {0};
    struct try *tries = PAWL_NEW_N(&scratch, struct try, n);
    for (size_t i = 0; i < n; i++)
        tries[i] = (struct try){.request = &requests[i],
                                .reply = &replies[i],
                                .body = write_body(chat, &requests[i], &scratch)};
    enum pawl_status status = PAWL_OK;
    while (n > 0 && status == PAWL_OK) {
        size_t n_due = take_due(chat, tries, n);
        if (atomic_load(&chat->canceled))
            status = fail_canceled(err);
        else
            status = send_round(chat, arena, &scratch, tries, n_due, &n, err);
    }
    pawl_arena_release(&scratch);
    return status;
}

/* --- opening ---------------------------------------------------------------------------------- */

static enum pawl_status read_prices(const struct pawl_lm_open *context,
                                    const struct pawl_chat_wire *wire,
                                    const struct pawl_chat_options *options,
                                    struct pawl_lm_price *price, struct pawl_error *err)
{
    struct pawl_arena scratch = {0};
    enum pawl_status status = PAWL_OK;
    if (options->prices) {
        const char *path = pawl_path_join(&scratch, context->project_dir, options->prices);
        status = pawl_price_table_read(path, wire->name, options->model, price, err);
    }
    pawl_arena_release(&scratch);
    return status;
}

enum pawl_status pawl_chat_check(const struct pawl_lm_open *context,
                                 const struct pawl_chat_wire *wire,
                                 const struct pawl_chat_options *options, struct pawl_error *err)
{
    struct pawl_lm_price price = options->price;
    PAWL_TRY(pawl_endpoint_check(pawl_chat_server_given(wire, options), err));
    return read_prices(context, wire, options, &price, err);
}

void pawl_chat_close(void *state)
{
    struct pawl_chat *chat = state;
    pawl_chat_server_close(&chat->server);
    pthread_mutex_destroy(&chat->jitter_lock);
    pawl_arena_release(&chat->arena);
    free(chat);
}

enum pawl_status pawl_chat_open(const struct pawl_lm_open *context,
                                const struct pawl_chat_wire *wire,
                                const struct pawl_chat_options *options, const void *style,
                                size_t style_bytes, const char *variant, void **state,
                                struct pawl_error *err)
{
    struct pawl_chat *chat = pawl_xcalloc(1, sizeof *chat);
    chat->wire = wire;
    chat->options = *options;
    chat->lm = context->lm;
    chat->style = memcpy(pawl_arena_alloc(&chat->arena, 1, style_bytes), style, style_bytes);
    pthread_mutex_init(&chat->jitter_lock, NULL);
    pawl_random_init(&chat->jitter, context->seed);
    enum pawl_status status = read_prices(context, wire, options, &chat->options.price, err);
    if (status == PAWL_OK)
        status = pawl_chat_server_open(&chat->server, wire, options, &chat->arena, err);
    if (status == PAWL_OK) status = pawl_lm_http(context->lm, &chat->http, err);
    if (status != PAWL_OK) {
        pawl_chat_close(chat);
        return status;
    }
    /* Everything that changes an answer besides the request itself. */
    chat->identity =
        pawl_arena_printf(&chat->arena, "%s:%s/%s%s", wire->name,
                          pawl_endpoint_place(chat->server.base), options->model, variant);
    *state = chat;
    return PAWL_OK;
}

const char *pawl_chat_identity(void *state)
{
    return ((struct pawl_chat *)state)->identity;
}

void pawl_chat_cancel(void *state)
{
    struct pawl_chat *chat = state;
    atomic_store(&chat->canceled, true);
    pawl_http_cancel(chat->http);
}

int pawl_chat_parallel(const struct pawl_chat_options *options)
{
    return (int)options->concurrency;
}

int64_t pawl_chat_worst_cost(void *state, const struct pawl_lm_request *request)
{
    const struct pawl_chat *chat = state;
    int64_t worst = pawl_lm_price_worst(&chat->options.price, request);
    return worst > 0 && chat->options.hedge_ms > 0 ? 2 * worst : worst;
}
