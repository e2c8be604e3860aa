#include "io/http.h"

#include "base/clock.h"
#include "io/thread.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * A transfer is in one of three places: `waiting` (queued by a caller), `running` (added to curl's
 * multi handle, at most max_connections of them) or answered (its batch counts one less). Only the
 * thread moves it on. So a transfer's timeout starts when it runs, not while it queues.
 */
struct transfer {
    struct transfer *next; /* in waiting or running */
    const struct pawl_http_request *request;
    struct pawl_http_reply *reply;
    struct batch *batch;
    CURL *easy; /* while it runs */
    struct curl_slist *headers;
    struct pawl_buf body;
    char reason[CURL_ERROR_SIZE];
};

/* What one caller waits for. */
struct batch {
    size_t n_left;
    pthread_cond_t done;
};

struct pawl_http {
    CURLM *multi; /* the thread's own, save for curl_multi_wakeup */
    struct transfer *running;
    CURL **idle; /* easy handles to use again */
    int n_idle, n_running, max_connections;
    pthread_t thread;

    pthread_mutex_t lock; /* guards all below, and every batch */
    struct transfer *waiting, **waiting_end;
    bool canceled, closing;
};

/* ---- one transfer ---- */

static size_t take_body(char *bytes, size_t one, size_t n_bytes, void *context)
{
    struct transfer *transfer = context;
    pawl_buf_add_bytes(&transfer->body, bytes, one * n_bytes);
    return transfer->body.overflowed ? CURL_WRITEFUNC_ERROR : one * n_bytes;
}

/* A line break in a header would add a header of the sender's choice. The usual cause is a key that
 * was read with the newline at its end; the key itself must not appear in the message. */
static bool has_broken_header(const struct pawl_http_request *request)
{
    for (const char *const *header = request->headers; header && *header; header++)
        if (strpbrk(*header, "\r\n")) return true;
    return false;
}

static struct curl_slist *header_list(const struct pawl_http_request *request)
{
    /* No "Expect: 100-continue": it costs a round trip before every larger POST. */
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    for (const char *const *header = request->headers; header && *header; header++)
        list = curl_slist_append(list, *header);
    return list;
}

static void set_up(CURL *easy, struct transfer *transfer)
{
    const struct pawl_http_request *request = transfer->request;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(easy, CURLOPT_URL, request->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->reason);
    if (!request->body.ptr) return;
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body.ptr);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
}

/* RFC 9110 10.2.3: seconds, or a date. -1 when there is none that makes sense. */
static int64_t retry_after_ms(CURL *easy)
{
    struct curl_header *header;
    if (curl_easy_header(easy, "Retry-After", 0, CURLH_HEADER, -1, &header) != CURLHE_OK) return -1;
    const char *value = header->value;
    size_t n_digits = strspn(value, "0123456789");
    if (n_digits > 0 && value[n_digits] == '\0')
        return n_digits > 9 ? -1 : strtoll(value, NULL, 10) * 1000;
    time_t at_s = curl_getdate(value, NULL);
    if (at_s < 0) return -1;
    int64_t left_ms = (int64_t)at_s * 1000 - pawl_clock_now_ms();
    return left_ms > 0 ? left_ms : 0;
}

static void read_outcome(CURL *easy, CURLcode code, const struct transfer *transfer)
{
    struct pawl_http_reply *reply = transfer->reply;
    const struct pawl_http_request *request = transfer->request;
    if (code == CURLE_OK) {
        long status = 0;
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        reply->outcome = PAWL_HTTP_ANSWERED;
        reply->status = (int)status;
        reply->retry_after_ms = retry_after_ms(easy);
    } else if (transfer->body.overflowed) {
        reply->outcome = PAWL_HTTP_TOO_BIG;
        snprintf(reply->reason, sizeof reply->reason, "The answer is over %zu bytes.",
                 request->limit_bytes);
    } else if (code == CURLE_OPERATION_TIMEDOUT) {
        reply->outcome = PAWL_HTTP_TIMED_OUT;
        snprintf(reply->reason, sizeof reply->reason, "There was no whole answer in %.1f seconds.",
                 (double)request->timeout_ms / 1000);
    } else {
        reply->outcome = PAWL_HTTP_BROKEN;
        snprintf(reply->reason, sizeof reply->reason, "%.158s.",
                 transfer->reason[0] ? transfer->reason : curl_easy_strerror(code));
    }
}

/* ---- the thread ---- */

/* The transfer has its reply. It is the caller's again from here on. */
static void finish(struct pawl_http *http, struct transfer *transfer)
{
    curl_slist_free_all(transfer->headers);
    transfer->headers = NULL;
    pthread_mutex_lock(&http->lock);
    if (--transfer->batch->n_left == 0) pthread_cond_signal(&transfer->batch->done);
    pthread_mutex_unlock(&http->lock);
}

static void finish_canceled(struct pawl_http *http, struct transfer *transfer)
{
    transfer->reply->outcome = PAWL_HTTP_CANCELED;
    snprintf(transfer->reply->reason, sizeof transfer->reply->reason, "The request was canceled.");
    finish(http, transfer);
}

static void finish_broken(struct pawl_http *http, struct transfer *transfer, const char *reason)
{
    transfer->reply->outcome = PAWL_HTTP_BROKEN;
    snprintf(transfer->reply->reason, sizeof transfer->reply->reason, "%s", reason);
    finish(http, transfer);
}

static void start(struct pawl_http *http, struct transfer *transfer)
{
    if (has_broken_header(transfer->request)) {
        finish_broken(http, transfer,
                      "A request header holds a line break; does a key end in a newline?");
        return;
    }
    CURL *easy = http->n_idle > 0 ? http->idle[--http->n_idle] : curl_easy_init();
    if (!easy) PAWL_BUG("curl_easy_init: out of memory");
    transfer->headers = header_list(transfer->request);
    set_up(easy, transfer);
    CURLMcode code = curl_multi_add_handle(http->multi, easy);
    if (code != CURLM_OK) PAWL_BUG("curl_multi_add_handle: %s", curl_multi_strerror(code));
    transfer->easy = easy;
    transfer->next = http->running;
    http->running = transfer;
    http->n_running++;
}

/* Take the transfer off curl; its handle is kept for another. */
static void stop(struct pawl_http *http, struct transfer *transfer)
{
    CURL *easy = transfer->easy;
    curl_multi_remove_handle(http->multi, easy);
    curl_easy_reset(easy); /* options only: connections belong to the multi handle */
    http->idle[http->n_idle++] = easy;
    struct transfer **link = &http->running;
    while (*link != transfer) link = &(*link)->next;
    *link = transfer->next;
    http->n_running--;
}

static void finish_ended(struct pawl_http *http)
{
    int n_left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(http->multi, &n_left))) {
        if (message->msg != CURLMSG_DONE) continue;
        struct transfer *transfer = NULL;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
        read_outcome(message->easy_handle, message->data.result, transfer);
        stop(http, transfer);
        finish(http, transfer);
    }
}

/* The next waiting transfer; NULL when there is none, or no connection for it. */
static struct transfer *take_waiting(struct pawl_http *http)
{
    struct transfer *transfer = NULL;
    pthread_mutex_lock(&http->lock);
    if (http->waiting && (http->canceled || http->n_running < http->max_connections)) {
        transfer = http->waiting;
        http->waiting = transfer->next;
        if (!http->waiting) http->waiting_end = &http->waiting;
    }
    pthread_mutex_unlock(&http->lock);
    return transfer;
}

static void read_flags(struct pawl_http *http, bool *canceled, bool *closing)
{
    pthread_mutex_lock(&http->lock);
    *canceled = http->canceled;
    *closing = http->closing;
    pthread_mutex_unlock(&http->lock);
}

static void *http_main(void *context)
{
    struct pawl_http *http = context;
    for (;;) {
        bool canceled, closing;
        read_flags(http, &canceled, &closing);
        while (canceled && http->running) {
            struct transfer *transfer = http->running;
            stop(http, transfer);
            finish_canceled(http, transfer);
        }
        struct transfer *transfer;
        while ((transfer = take_waiting(http)))
            if (canceled)
                finish_canceled(http, transfer);
            else
                start(http, transfer);
        if (closing) return NULL;
        int n_running;
        CURLMcode code = curl_multi_perform(http->multi, &n_running);
        if (code != CURLM_OK) PAWL_BUG("curl_multi_perform: %s", curl_multi_strerror(code));
        int n_before = http->n_running;
        finish_ended(http);
        if (http->n_running == n_before) curl_multi_poll(http->multi, NULL, 0, 1000, NULL);
    }
}

/* ---- the callers ---- */

static void free_http(struct pawl_http *http)
{
    for (int i = 0; i < http->n_idle; i++) curl_easy_cleanup(http->idle[i]);
    curl_multi_cleanup(http->multi);
    curl_global_cleanup();
    pthread_mutex_destroy(&http->lock);
    free(http->idle);
    free(http);
}

enum pawl_status pawl_http_open(int max_connections, struct pawl_http **out, struct pawl_error *err)
{
    PAWL_ASSERT(max_connections > 0);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return pawl_fail(err, PAWL_EWORLD, "libcurl could not be started.");
    struct pawl_http *http = pawl_xcalloc(1, sizeof *http);
    http->multi = curl_multi_init();
    if (!http->multi) PAWL_BUG("curl_multi_init: out of memory");
    http->max_connections = max_connections;
    http->idle = pawl_xcalloc((size_t)max_connections, sizeof *http->idle);
    http->waiting_end = &http->waiting;
    curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, (long)max_connections);
    pthread_mutex_init(&http->lock, NULL);
    int errnum = pawl_thread_start(&http->thread, http_main, http);
    if (errnum != 0) {
        free_http(http);
        return pawl_fail_errno(err, PAWL_EWORLD, errnum, "Could not start the HTTP thread");
    }
    *out = http;
    return PAWL_OK;
}

static void tell_thread(struct pawl_http *http, bool close)
{
    pthread_mutex_lock(&http->lock);
    http->canceled = true;
    http->closing |= close;
    pthread_mutex_unlock(&http->lock);
    curl_multi_wakeup(http->multi);
}

void pawl_http_cancel(struct pawl_http *http)
{
    tell_thread(http, false);
}

void pawl_http_close(struct pawl_http *http)
{
    if (!http) return;
    tell_thread(http, true);
    pthread_join(http->thread, NULL);
    free_http(http);
}

static void enqueue(struct pawl_http *http, struct transfer *transfers, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        *http->waiting_end = &transfers[i];
        http->waiting_end = &transfers[i].next;
    }
}

void pawl_http_all(struct pawl_http *http, struct pawl_arena *arena,
                   const struct pawl_http_request *requests, size_t n,
                   struct pawl_http_reply *replies)
{
    if (n == 0) return;
    struct batch batch = {.n_left = n};
    pthread_cond_init(&batch.done, NULL);
    struct transfer *transfers = pawl_xcalloc(n, sizeof *transfers);
    for (size_t i = 0; i < n; i++) {
        PAWL_ASSERT(requests[i].timeout_ms > 0);
        replies[i] = (struct pawl_http_reply){.retry_after_ms = -1};
        transfers[i].request = &requests[i];
        transfers[i].reply = &replies[i];
        transfers[i].batch = &batch;
        transfers[i].body.limit_bytes = requests[i].limit_bytes;
    }
    pthread_mutex_lock(&http->lock);
    enqueue(http, transfers, n);
    curl_multi_wakeup(http->multi);
    while (batch.n_left > 0) pthread_cond_wait(&batch.done, &http->lock);
    pthread_mutex_unlock(&http->lock);
    for (size_t i = 0; i < n; i++) {
        if (replies[i].outcome == PAWL_HTTP_ANSWERED)
            replies[i].body = pawl_arena_copy(arena, pawl_buf_str(&transfers[i].body));
        pawl_buf_release(&transfers[i].body);
    }
    pthread_cond_destroy(&batch.done);
    free(transfers);
}
