/*
 * backend_openai.c - any server that speaks OpenAI's chat completions: OpenAI, vLLM, Ollama,
 * llama-server, OpenRouter, Groq ...
 *
 * What becomes of an answer
 *     2xx with a completion      OK (empty text is an answer), or FAILED when it is a refusal
 *     2xx with anything else, 408, 409, 425, 429, 5xx, time-out, dropped connection
 *                                asked again up to `retries` times, then MISSING
 *     3xx                        MISSING: base_url is wrong, and not the candidate
 *     401, 403                   PAWL_EWORLD: no request will do better with this key
 *     other 4xx, body over 8 MiB FAILED, with the server's message
 *
 * Invariants
 *   1. The key is read from the environment when the model is opened, and lives only in its header
 *      line. Every text that comes back is searched for it before anybody sees it.
 *   2. Waiting before a new try is random between 0 and a bound that doubles (full jitter), and at
 *      least what Retry-After says, up to a minute.
 */
#include "base/clock.h"
#include "base/random.h"
#include "io/http.h"
#include "lm/backend.h"
#include "lm/openai_wire.h"
#include "lm/price.h"
#include "lm/provider.h"
#include "lm/request.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ANSWER_MAX = 8 << 20,
    BODY_MAX = 8 * PAWL_PROMPT_MAX,
    KEY_MAX = 4096,
    KEY_MIN = 8, /* a shorter one could be a word of an answer */
    BACKOFF_MS = 500,
    BACKOFF_MAX_MS = 30 * 1000,
    RETRY_AFTER_MAX_MS = 60 * 1000,
};
static const char default_base_url[] = "https://api.openai.com/v1";
static const char default_key_env[] = "OPENAI_API_KEY";

struct openai_options {
    const char *model, *base_url, *key_env, *reasoning;
    int64_t timeout_ms, retries, concurrency;
    bool seed;
    struct pawl_lm_price price;
};
static const struct pawl_option openai_options[] = {
    {.name = "model",
     .type = PAWL_OPTION_TEXT,
     .offset = offsetof(struct openai_options, model),
     .help = "the model's name at the provider",
     .required = true},
    PAWL_OPT_TEXT(struct openai_options, base_url, NULL,
                  "where the API is; default $OPENAI_BASE_URL, else OpenAI's"),
    PAWL_OPT_TEXT(struct openai_options, key_env, NULL,
                  "the environment variable that holds the key; default OPENAI_API_KEY"),
    PAWL_OPT_INT(struct openai_options, timeout_ms, "120000", 10, 3600000,
                 "time for one whole answer"),
    PAWL_OPT_INT(struct openai_options, retries, "5", 0, 20, "further tries after the first"),
    PAWL_OPT_INT(struct openai_options, concurrency, "16", 1, 10000, "requests at a time"),
    PAWL_OPT_BOOL(struct openai_options, seed, "true", "send a seed"),
    PAWL_OPT_CHOICE(struct openai_options, reasoning, "auto", "auto|yes|no",
                    "send max_completion_tokens and no temperature; auto: by the model's name"),
    PAWL_LM_PRICE_OPTIONS(struct openai_options),
    {0}};

struct openai_model {
    struct openai_options options;
    struct pawl_openai_style style;
    struct pawl_arena arena;
    const char *url, *identity, *key_env;
    char *authorization; /* the header line; NULL without a key */
    const char *key;     /* inside authorization */
    struct pawl_http *http;
    atomic_bool canceled;
    pthread_mutex_t jitter_lock;
    struct pawl_random jitter;
};

/* --- options ---------------------------------------------------------------------------------- */

static const char *base_url_of(const struct openai_options *options)
{
    const char *url = options->base_url;
    if (!url) url = getenv("OPENAI_BASE_URL");
    return url && *url ? url : default_base_url;
}

/* The part between "://" and the first slash; ptr NULL when there is none. */
static struct pawl_str host_of(const char *url)
{
    struct pawl_str host = {0};
    const char *start = strstr(url, "://");
    if (start) host = (struct pawl_str){start + 3, strcspn(start + 3, "/?#")};
    return host;
}

static enum pawl_status openai_check(const struct pawl_lm_open *context, const void *given,
                                     struct pawl_error *err)
{
    (void)context;
    const char *url = base_url_of(given);
    struct pawl_str host = host_of(url);
    bool http = strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0;
    if (http && host.len > 0 && !memchr(host.ptr, '@', host.len) && !strpbrk(url, " \t\r\n?#"))
        return PAWL_OK;
    /* The URL may hold a password: it is not shown. */
    pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "base_url",
                 "base_url must be http:// or https:// with a host, without a name, password or "
                 "query.");
    pawl_hint(err, "E.g. http://localhost:11434/v1; the key comes from the variable key_env.");
    return PAWL_ECONFIG;
}

static const char *openai_provider(const void *given, struct pawl_arena *arena)
{
    return pawl_provider_of_url(base_url_of(given), arena);
}

static bool is_reasoning(const struct openai_options *options)
{
    if (strcmp(options->reasoning, "auto") != 0) return strcmp(options->reasoning, "yes") == 0;
    static const char *const starts[] = {"gpt-5", "o1", "o3", "o4"};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (strncmp(options->model, starts[i], strlen(starts[i])) == 0) return true;
    return false;
}

/* --- the key ---------------------------------------------------------------------------------- */

/* A local server needs no key: one is wanted when it was named, or at OpenAI. */
static enum pawl_status read_key(struct openai_model *model, struct pawl_error *err)
{
    const char *key = getenv(model->key_env);
    bool wanted = model->options.key_env ||
                  strncmp(model->url, default_base_url, sizeof default_base_url - 1) == 0;
    if (!key || !*key) {
        if (!wanted) return PAWL_OK;
        pawl_fail(err, PAWL_EWORLD, "The environment variable %s, which holds the key, is not set.",
                  model->key_env);
        pawl_hint(err, "export %s=... in the shell that starts pawl.", model->key_env);
        return PAWL_EWORLD;
    }
    size_t len = strlen(key);
    bool clean = len >= KEY_MIN && len <= KEY_MAX;
    for (size_t i = 0; i < len && clean; i++) clean = key[i] > 0x20 && key[i] < 0x7f;
    if (!clean) {
        pawl_fail(err, PAWL_EWORLD, "The environment variable %s does not hold a key.",
                  model->key_env);
        pawl_hint(err, "A key is 8 to 4096 printable characters without spaces.");
        return PAWL_EWORLD;
    }
    static const char before[] = "Authorization: Bearer ";
    model->authorization = pawl_xmalloc(sizeof before + len);
    snprintf(model->authorization, sizeof before + len, "%s%s", before, key);
    model->key = model->authorization + sizeof before - 1;
    return PAWL_OK;
}

/* A server may echo what it was sent. Overwritten in place; the text is ours, in an arena. */
static void scrub(const struct openai_model *model, struct pawl_str text)
{
    if (!model->key || text.len == 0) return;
    size_t len = strlen(model->key);
    char *at = (char *)(uintptr_t)text.ptr;
    for (char *end = at + text.len; (at = memmem(at, (size_t)(end - at), model->key, len));)
        memset(at, '*', len);
}

static const char *reason_of(const struct openai_model *model, struct pawl_arena *arena,
                             const char *before, struct pawl_str text)
{
    struct pawl_str copy = pawl_arena_copy(arena, text);
    scrub(model, copy); /* before it is shortened: half a key is a secret too */
    return pawl_lm_reason(arena, before, copy);
}

/* --- one round -------------------------------------------------------------------------------- */

enum verdict { ANSWERED, TRY_AGAIN, REFUSED_KEY, CANCELED };

static void write_body(const struct openai_model *model, const struct pawl_lm_request *request,
                       struct pawl_arena *arena, struct pawl_str *body)
{
    struct pawl_buf out = PAWL_BUF(BODY_MAX);
    pawl_openai_write(&model->style, request, &out);
    PAWL_ASSERT(!out.overflowed); /* lm.c bounds the prompt */
    *body = pawl_arena_copy(arena, pawl_buf_str(&out));
    pawl_buf_release(&out);
}

static enum verdict read_completion(const struct openai_model *model,
                                    const struct pawl_lm_request *request,
                                    const struct pawl_http_reply *answer, struct pawl_arena *arena,
                                    struct pawl_lm_reply *reply)
{
    bool counted;
    if (!pawl_openai_read(answer->body, request, arena, reply, &counted)) {
        *reply = (struct pawl_lm_reply){.status = PAWL_REPLY_MISSING,
                                        .reason = "The server's answer is not a completion."};
        return TRY_AGAIN;
    }
    scrub(model, reply->text);
    if (reply->reason) scrub(model, pawl_str_of(reply->reason));
    const struct pawl_lm_price *price = &model->options.price;
    int64_t worst = pawl_lm_price_worst(price, request);
    reply->usage.cost_microusd =
        counted || worst < 0 ? pawl_lm_price_of(price, &reply->usage) : worst;
    return ANSWERED;
}

static bool is_passing(int status)
{
    return status == 408 || status == 409 || status == 425 || status == 429 || status >= 500;
}

static enum verdict read_status(const struct openai_model *model,
                                const struct pawl_http_reply *answer, struct pawl_arena *arena,
                                struct pawl_lm_reply *reply)
{
    int status = answer->status;
    char before[64];
    snprintf(before, sizeof before, "The server answered %d: ", status);
    *reply = (struct pawl_lm_reply){
        .status = status < 400 || is_passing(status) ? PAWL_REPLY_MISSING : PAWL_REPLY_FAILED,
        .reason = reason_of(model, arena, before, pawl_openai_error(answer->body, arena)),
    };
    if (status == 401 || status == 403) return REFUSED_KEY;
    return is_passing(status) ? TRY_AGAIN : ANSWERED;
}

static enum verdict read_answer(const struct openai_model *model,
                                const struct pawl_lm_request *request,
                                const struct pawl_http_reply *answer, struct pawl_arena *arena,
                                struct pawl_lm_reply *reply)
{
    switch (answer->outcome) {
    case PAWL_HTTP_CANCELED:
        return CANCELED;
    case PAWL_HTTP_TOO_BIG:
        *reply = (struct pawl_lm_reply){.status = PAWL_REPLY_FAILED,
                                        .reason = "The server's answer is over 8 MiB."};
        return ANSWERED;
    case PAWL_HTTP_TIMED_OUT:
    case PAWL_HTTP_BROKEN:
        *reply = (struct pawl_lm_reply){
            .status = PAWL_REPLY_MISSING,
            .reason = reason_of(model, arena, "", pawl_str_of(answer->reason))};
        return TRY_AGAIN;
    case PAWL_HTTP_ANSWERED:
        break;
    }
    if (answer->status >= 200 && answer->status < 300)
        return read_completion(model, request, answer, arena, reply);
    return read_status(model, answer, arena, reply);
}

/* --- rounds until all are answered ------------------------------------------------------------ */

struct
try {
    size_t request;
    int n_tries;
    int64_t due_us;
    struct pawl_str body;
};

static int64_t wait_ms(struct openai_model *model, int n_tries, int64_t retry_after_ms)
{
    int64_t bound = n_tries < 7 ? (int64_t)BACKOFF_MS << n_tries : BACKOFF_MAX_MS;
    if (bound > BACKOFF_MAX_MS) bound = BACKOFF_MAX_MS;
    pthread_mutex_lock(&model->jitter_lock);
    int64_t wait = (int64_t)(pawl_random_unit(&model->jitter) * (double)bound);
    pthread_mutex_unlock(&model->jitter_lock);
    if (retry_after_ms > RETRY_AFTER_MAX_MS) retry_after_ms = RETRY_AFTER_MAX_MS;
    return retry_after_ms > wait ? retry_after_ms : wait;
}

/* Move the tries that are due to the front; wait for the first one when none is. */
static size_t take_due(struct openai_model *model, struct try *tries, size_t n)
{
    int64_t now_us = pawl_clock_monotonic_us(), first_us = INT64_MAX;
    for (size_t i = 0; i < n; i++)
        if (tries[i].due_us < first_us) first_us = tries[i].due_us;
    if (first_us > now_us) pawl_lm_sleep_ms((first_us - now_us + 999) / 1000, &model->canceled);
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

static enum pawl_status fail_key(const struct openai_model *model, const char *reason,
                                 struct pawl_error *err)
{
    pawl_fail(err, PAWL_EWORLD, "%s", reason);
    if (model->key)
        pawl_hint(err, "The key in the environment variable %s is refused: check it.",
                  model->key_env);
    else
        pawl_hint(err, "Set the environment variable %s to the key.", model->key_env);
    return PAWL_EWORLD;
}

/* Send the first n_due tries; those that must be tried again stay in tries[0..*n). */
static enum pawl_status send_round(struct openai_model *model, struct pawl_arena *arena,
                                   const struct pawl_lm_request *requests,
                                   struct pawl_lm_reply *replies, struct try *tries, size_t n_due,
                                   size_t *n, struct pawl_error *err)
{
    struct pawl_arena scratch = {0};
    struct pawl_http_request *sent = PAWL_NEW_N(&scratch, struct pawl_http_request, n_due);
    struct pawl_http_reply *answers = PAWL_NEW_N(&scratch, struct pawl_http_reply, n_due);
    const char *const headers[] = {"Content-Type: application/json", model->authorization, NULL};
    for (size_t i = 0; i < n_due; i++)
        sent[i] = (struct pawl_http_request){.url = model->url,
                                             .headers = headers,
                                             .body = tries[i].body,
                                             .timeout_ms = model->options.timeout_ms,
                                             .limit_bytes = ANSWER_MAX};
    pawl_http_all(model->http, &scratch, sent, n_due, answers);

    enum pawl_status status = PAWL_OK;
    size_t kept = 0;
    for (size_t i = 0; i < n_due && status == PAWL_OK; i++) {
        struct try *one = &tries[i];
        struct pawl_lm_reply *reply = &replies[one->request];
        enum verdict verdict =
            read_answer(model, &requests[one->request], &answers[i], arena, reply);
        if (verdict == CANCELED)
            status = pawl_fail(err, PAWL_EPAUSED, "Asking the model was stopped on request.");
        else if (verdict == REFUSED_KEY)
            status = fail_key(model, reply->reason, err);
        else if (verdict == TRY_AGAIN && one->n_tries < model->options.retries) {
            one->due_us = pawl_clock_monotonic_us() +
                          1000 * wait_ms(model, one->n_tries, answers[i].retry_after_ms);
            one->n_tries++;
            tries[kept++] = *one;
        }
    }
    for (size_t i = n_due; i < *n; i++) tries[kept++] = tries[i];
    *n = kept;
    pawl_arena_release(&scratch);
    return status;
}

static enum pawl_status openai_ask(void *state, struct pawl_arena *arena,
                                   const struct pawl_lm_request *requests, size_t n,
                                   struct pawl_lm_reply *replies, struct pawl_error *err)
{
    struct openai_model *model = state;
    struct pawl_arena scratch = {0};
    struct try *tries = PAWL_NEW_N(&scratch, struct try, n);
    for (size_t i = 0; i < n; i++) {
        tries[i].request = i;
        write_body(model, &requests[i], &scratch, &tries[i].body);
    }
    enum pawl_status status = PAWL_OK;
    while (n > 0 && status == PAWL_OK) {
        size_t n_due = take_due(model, tries, n);
        if (atomic_load(&model->canceled))
            status = pawl_fail(err, PAWL_EPAUSED, "Asking the model was stopped on request.");
        else
            status = send_round(model, arena, requests, replies, tries, n_due, &n, err);
    }
    pawl_arena_release(&scratch);
    return status;
}

/* --- opening ---------------------------------------------------------------------------------- */

static void openai_close(void *state)
{
    struct openai_model *model = state;
    if (model->http) pawl_http_close(model->http);
    if (model->authorization) {
        explicit_bzero(model->authorization, strlen(model->authorization));
        free(model->authorization);
    }
    pthread_mutex_destroy(&model->jitter_lock);
    pawl_arena_release(&model->arena);
    free(model);
}

static enum pawl_status openai_open(const struct pawl_lm_open *context, const void *given,
                                    void **state, struct pawl_error *err)
{
    PAWL_TRY(openai_check(context, given, err));
    struct openai_model *model = pawl_xcalloc(1, sizeof *model);
    struct pawl_arena *arena = &model->arena;
    model->options = *(const struct openai_options *)given;
    const struct openai_options *options = &model->options;
    const char *base = base_url_of(options);
    const char *place = host_of(base).ptr;
    size_t base_len = strlen(base);
    while (base[base_len - 1] == '/') base_len--;
    model->url = pawl_arena_printf(arena, "%.*s/chat/completions", (int)base_len, base);
    /* Everything that changes an answer besides the request itself. */
    model->identity = pawl_arena_printf(arena, "openai:%.*s/%s%s%s", (int)(base + base_len - place),
                                        place, options->model, options->seed ? "" : "?seed=off",
                                        is_reasoning(options) ? "?reasoning" : "");
    model->key_env = options->key_env ? options->key_env : default_key_env;
    model->style = (struct pawl_openai_style){
        .model = options->model, .reasoning = is_reasoning(options), .send_seed = options->seed};
    pthread_mutex_init(&model->jitter_lock, NULL);
    pawl_random_init(&model->jitter, context->seed);
    enum pawl_status status = read_key(model, err);
    if (status == PAWL_OK) status = pawl_http_open((int)options->concurrency, &model->http, err);
    if (status != PAWL_OK) {
        openai_close(model);
        return status;
    }
    *state = model;
    return PAWL_OK;
}

static const char *openai_identity(void *state)
{
    return ((struct openai_model *)state)->identity;
}

static void openai_cancel(void *state)
{
    struct openai_model *model = state;
    atomic_store(&model->canceled, true);
    pawl_http_cancel(model->http);
}

static int openai_parallel(void *state)
{
    return (int)((struct openai_model *)state)->options.concurrency;
}

static int64_t openai_worst_cost(void *state, const struct pawl_lm_request *request)
{
    return pawl_lm_price_worst(&((struct openai_model *)state)->options.price, request);
}

const struct pawl_lm_backend pawl_backend_openai = {
    .api = PAWL_LM_BACKEND_API,
    .name = "openai",
    .summary = "a server that speaks OpenAI's chat completions",
    .flags = PAWL_BACKEND_CACHED | PAWL_BACKEND_NETWORK,
    .options = openai_options,
    .options_bytes = sizeof(struct openai_options),
    .check = openai_check,
    .open = openai_open,
    .close = openai_close,
    .identity = openai_identity,
    .provider = openai_provider,
    .ask = openai_ask,
    .cancel = openai_cancel,
    .parallel = openai_parallel,
    .worst_cost = openai_worst_cost,
};
