#include "io/http.h"

#include "io/deadline.h"
#include "io/http_leg.h"
#include "io/http_host.h"
#include "io/thread.h"

#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/*
 * A transfer is in one of four places: `arrived` (left by a caller), waiting (its host's queue),
 * running (one or two legs at libcurl) or answered (its batch counts one less). Only the thread moves
 * it on. So a transfer's timeout starts when it runs, not while it waits.
 *
 * The thread sleeps in epoll_wait. libcurl says which sockets it watches and when it wants to be
 * called, so a turn of the loop costs what has happened, not what is under way.
 */
struct pawl_http_transfer {
    struct pawl_http_transfer *next, *previous; /* previous: only while it runs */
    const struct pawl_http_request *request;
    struct pawl_http_reply *reply;
    struct batch *batch;
    struct pawl_http_host *host;
    struct pawl_http_leg legs[2]; /* the second is its hedge */
};
enum { N_LEGS = 2 };

/* What one caller waits for. The thread counts down and posts once. */
struct batch {
    size_t n_left;
    sem_t done;
};

struct pawl_http {
    CURLM *multi;
    struct pawl_http_hosts hosts;
    struct pawl_http_transfer *running;
    CURL **idle; /* handles to use again */
    int n_idle, idle_capacity;
    int n_hedging; /* running transfers that may yet be hedged */
    int n_kept;    /* connections that may stay open */
    int64_t curl_due_us;
    int epoll_fd, wake_fd;
    pthread_t thread;

    pthread_mutex_t lock; /* guards all below */
    struct pawl_http_list arrived;
    bool asleep, canceled, closing;
};

static void list_init(struct pawl_http_list *list)
{
    list->first = NULL;
    list->end = &list->first;
}

static void list_add(struct pawl_http_list *list, struct pawl_http_transfer *transfer)
{
    transfer->next = NULL;
    *list->end = transfer;
    list->end = &transfer->next;
}

static struct pawl_http_transfer *list_take(struct pawl_http_list *list)
{
    struct pawl_http_transfer *transfer = list->first;
    if (transfer && !(list->first = transfer->next)) list->end = &list->first;
    return transfer;
}

/* ---- the end of a transfer ---- */

/* The transfer has its reply. It is the caller's again from here on. */
static void finish(struct pawl_http_transfer *transfer)
{
    struct batch *batch = transfer->batch;
    if (--batch->n_left == 0) sem_post(&batch->done);
}

static void finish_with(struct pawl_http_transfer *transfer, enum pawl_http_outcome outcome,
                        const char *reason)
{
    transfer->reply->outcome = outcome;
    snprintf(transfer->reply->reason, sizeof transfer->reply->reason, "%s", reason);
    finish(transfer);
}

static void keep_handle(struct pawl_http *http, CURL *easy)
{
    if (http->n_idle == http->idle_capacity) {
        http->idle_capacity = http->idle_capacity ? 2 * http->idle_capacity : 16;
        http->idle = pawl_xrealloc(http->idle, (size_t)http->idle_capacity * sizeof(*http->idle));
    }
    http->idle[http->n_idle++] = easy;
}

/* Take the leg off curl; its handle is kept for another. */
static void stop_leg(struct pawl_http *http, struct pawl_http_leg *leg)
{
    curl_multi_remove_handle(http->multi, leg->easy);
    keep_handle(http, leg->easy);
    leg->easy = NULL;
}

static bool may_be_hedged(const struct pawl_http_transfer *transfer)
{
    return transfer->request->hedge_ms > 0 && transfer->reply->n_sent == 1;
}

static void leave_running(struct pawl_http *http, struct pawl_http_transfer *transfer)
{
    if (may_be_hedged(transfer)) http->n_hedging--;
    if (transfer->previous)
        transfer->previous->next = transfer->next;
    else
        http->running = transfer->next;
    if (transfer->next) transfer->next->previous = transfer->previous;
}

/* Legs that nobody waits for any more. */
static void drop_legs(struct pawl_http *http, struct pawl_http_transfer *transfer)
{
    for (int i = 0; i < N_LEGS; i++) {
        if (!transfer->legs[i].easy) continue;
        stop_leg(http, &transfer->legs[i]);
        pawl_http_pace_forget(&transfer->host->pace);
    }
}

static enum pawl_pace_answer judge(const struct pawl_http_reply *reply)
{
    int status = reply->status;
    if (reply->outcome == PAWL_HTTP_TOO_BIG) return PAWL_PACE_GOOD;
    if (reply->outcome != PAWL_HTTP_ANSWERED || status == 429 || status == 503 || status == 529)
        return PAWL_PACE_TOO_MUCH;
    return status >= 500 ? PAWL_PACE_BAD : PAWL_PACE_GOOD;
}

/* A leg that failed while the other is still on its way decides nothing. */
static void end_leg(struct pawl_http *http, struct pawl_http_leg *leg, CURLcode code)
{
    struct pawl_http_transfer *transfer = leg->transfer;
    struct pawl_http_reply *reply = transfer->reply, read = {.n_sent = reply->n_sent};
    int64_t now_us = pawl_clock_real_us();
    pawl_http_leg_read(leg, code, transfer->request, &read);
    read.latency_us = now_us - transfer->legs[0].started_us;
    enum pawl_pace_answer answer = judge(&read);
    stop_leg(http, leg);
    struct pawl_http_pace *pace = &transfer->host->pace;
    pawl_http_pace_end(pace, answer, leg->started_us, read.retry_after_ms, now_us);
    struct pawl_http_leg *other = &transfer->legs[leg == transfer->legs];
    if (other->easy && answer != PAWL_PACE_GOOD) return;
    leave_running(http, transfer);
    drop_legs(http, transfer);
    if (leg != transfer->legs) { /* the caller reads the first one's body */
        pawl_buf_release(&transfer->legs[0].body);
        transfer->legs[0].body = leg->body;
        leg->body = (struct pawl_buf){0};
    }
    *reply = read;
    finish(transfer);
}

static void end_legs(struct pawl_http *http)
{
    int n_left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(http->multi, &n_left))) {
        if (message->msg != CURLMSG_DONE) continue;
        struct pawl_http_leg *leg = NULL;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&leg);
        end_leg(http, leg, message->data.result);
    }
}

/* ---- the start ---- */

static void start_leg(struct pawl_http *http, struct pawl_http_transfer *transfer, int64_t now_us)
{
    int64_t timeout_ms = transfer->request->timeout_ms;
    struct pawl_http_leg *leg = &transfer->legs[transfer->reply->n_sent++];
    if (leg != transfer->legs) /* the whole answer, whichever leg brings it */
        timeout_ms -= (now_us - transfer->legs[0].started_us) / 1000;
    leg->easy = http->n_idle > 0 ? http->idle[--http->n_idle] : pawl_http_easy_new();
    leg->transfer = transfer;
    leg->started_us = now_us;
    pawl_http_leg_set_up(leg, transfer->request, timeout_ms > 1 ? timeout_ms : 1);
    CURLMcode code = curl_multi_add_handle(http->multi, leg->easy);
    if (code != CURLM_OK) PAWL_BUG("curl_multi_add_handle: %s", curl_multi_strerror(code));
    pawl_http_pace_start(&transfer->host->pace, now_us);
}

static void start(struct pawl_http *http, struct pawl_http_transfer *transfer, int64_t now_us)
{
    start_leg(http, transfer, now_us);
    transfer->previous = NULL;
    transfer->next = http->running;
    if (http->running) http->running->previous = transfer;
    http->running = transfer;
    if (may_be_hedged(transfer)) http->n_hedging++;
}

static int64_t hedge_due_us(const struct pawl_http_transfer *transfer)
{
    return transfer->legs[0].started_us + transfer->request->hedge_ms * 1000;
}

/* A hedge takes a place in the window like any other request; while there is none it waits. */
static void start_hedges(struct pawl_http *http, int64_t now_us)
{
    for (struct pawl_http_transfer *t = http->running; t && http->n_hedging > 0; t = t->next) {
        if (!may_be_hedged(t) || hedge_due_us(t) > now_us ||
            !pawl_http_pace_may_start(&t->host->pace, now_us))
            continue;
        start_leg(http, t, now_us);
        http->n_hedging--;
    }
}

static void give_up(struct pawl_http_host *host)
{
    char reason[160];
    snprintf(reason, sizeof reason, "%.80s has given no good answer for over %d minutes.",
             host->key, PAWL_PACE_DEAD_MS / 60000);
    for (struct pawl_http_transfer *transfer; (transfer = list_take(&host->waiting));)
        finish_with(transfer, PAWL_HTTP_GIVEN_UP, reason);
}

static void start_waiting(struct pawl_http *http, int64_t now_us)
{
    for (struct pawl_http_host *host = http->hosts.first; host; host = host->next) {
        while (host->waiting.first && pawl_http_pace_may_start(&host->pace, now_us))
            start(http, list_take(&host->waiting), now_us);
        if (host->pace.in_flight == 0 && pawl_http_pace_is_dead(&host->pace, now_us)) give_up(host);
    }
}

static void sort_arrived(struct pawl_http *http, struct pawl_http_list *arrived)
{
    for (struct pawl_http_transfer *transfer; (transfer = list_take(arrived));) {
        if (!pawl_http_headers_are_clean(transfer->request)) {
            finish_with(transfer, PAWL_HTTP_UNSENT,
                        "A request header holds a line break; does a key end in a newline?");
            continue;
        }
        const struct pawl_http_request *request = transfer->request;
        transfer->host = pawl_http_hosts_get(&http->hosts, request->url, request->in_flight_max);
        list_add(&transfer->host->waiting, transfer);
    }
    if (http->hosts.ceiling == http->n_kept) return;
    http->n_kept = http->hosts.ceiling;
    curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, (long)http->n_kept);
}

static void cancel_all(struct pawl_http *http)
{
    static const char reason[] = "The request was canceled.";
    struct pawl_http_transfer *transfer;
    while ((transfer = http->running)) {
        leave_running(http, transfer);
        drop_legs(http, transfer);
        finish_with(transfer, PAWL_HTTP_CANCELED, reason);
    }
    for (struct pawl_http_host *host = http->hosts.first; host; host = host->next)
        while ((transfer = list_take(&host->waiting)))
            finish_with(transfer, PAWL_HTTP_CANCELED, reason);
}

/* ---- the thread ---- */

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *known)
{
    struct pawl_http *http = context;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(http->epoll_fd, EPOLL_CTL_DEL, fd, NULL); /* it may be closed already */
        return 0;
    }
    struct epoll_event event = {.data.fd = fd};
    if (what & CURL_POLL_IN) event.events |= EPOLLIN;
    if (what & CURL_POLL_OUT) event.events |= EPOLLOUT;
    if (epoll_ctl(http->epoll_fd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) != 0 &&
        epoll_ctl(http->epoll_fd, known ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event) != 0)
        PAWL_BUG("epoll_ctl: %s", strerror(errno));
    curl_multi_assign(http->multi, fd, http);
    return 0;
}

static int note_due(CURLM *multi, long timeout_ms, void *context)
{
    struct pawl_http *http = context;
    (void)multi;
    http->curl_due_us = timeout_ms < 0 ? INT64_MAX : pawl_clock_real_us() + timeout_ms * 1000;
    return 0;
}

/* When something happens even if nobody calls and no socket moves. */
static int64_t next_due_us(const struct pawl_http *http, int64_t now_us)
{
    int64_t due_us = http->curl_due_us;
    for (const struct pawl_http_host *host = http->hosts.first; host; host = host->next) {
        int64_t opens_us =
            host->waiting.first ? pawl_http_pace_opens_us(&host->pace, now_us) : INT64_MAX;
        if (opens_us < due_us) due_us = opens_us;
    }
    for (const struct pawl_http_transfer *t = http->running; t && http->n_hedging > 0; t = t->next)
        if (may_be_hedged(t) && hedge_due_us(t) > now_us && hedge_due_us(t) < due_us)
            due_us = hedge_due_us(t);
    return due_us;
}

/* Take what has arrived; when there is nothing, say that a wake-up is wanted. */
static void take_arrived(struct pawl_http *http, struct pawl_http_list *arrived, bool *canceled,
                         bool *closing)
{
    list_init(arrived);
    pthread_mutex_lock(&http->lock);
    if (http->arrived.first) {
        *arrived = http->arrived;
        list_init(&http->arrived);
    }
    http->asleep = !arrived->first;
    *canceled = http->canceled;
    *closing = http->closing;
    pthread_mutex_unlock(&http->lock);
}

static void act(struct pawl_http *http, curl_socket_t fd, int events)
{
    int n_running;
    CURLMcode code = curl_multi_socket_action(http->multi, fd, events, &n_running);
    if (code != CURLM_OK) PAWL_BUG("curl_multi_socket_action: %s", curl_multi_strerror(code));
}

static void wait_for_events(struct pawl_http *http, bool at_once)
{
    enum { N_EVENTS = 64, LONGEST_MS = 1000 };
    struct epoll_event events[N_EVENTS];
    int64_t now_us = pawl_clock_real_us(), left_ms = 0;
    if (!at_once) left_ms = (next_due_us(http, now_us) - now_us + 999) / 1000;
    if (left_ms < 0) left_ms = 0;
    int n = epoll_wait(http->epoll_fd, events, N_EVENTS,
                       (int)(left_ms > LONGEST_MS ? LONGEST_MS : left_ms));
    for (int i = 0; i < n; i++) {
        uint32_t e = events[i].events;
        uint64_t count;
        if (events[i].data.fd == http->wake_fd)
            (void)!read(http->wake_fd, &count, sizeof count);
        else
            act(http, events[i].data.fd,
                (e & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0) |
                    (e & EPOLLOUT ? CURL_CSELECT_OUT : 0) | (e & EPOLLERR ? CURL_CSELECT_ERR : 0));
    }
    if (http->curl_due_us > pawl_clock_real_us()) return;
    act(http, CURL_SOCKET_TIMEOUT, 0);
    /* libcurl calls note_due only when its next time has changed; a call that came a moment too
     * early has changed nothing, and must be made again. */
    long timeout_ms = -1;
    curl_multi_timeout(http->multi, &timeout_ms);
    note_due(http->multi, timeout_ms == 0 ? 1 : timeout_ms, http);
}

static void *http_main(void *context)
{
    struct pawl_http *http = context;
    for (;;) {
        struct pawl_http_list arrived;
        bool canceled, closing;
        take_arrived(http, &arrived, &canceled, &closing);
        bool news = arrived.first;
        sort_arrived(http, &arrived);
        if (canceled) cancel_all(http);
        if (closing) return NULL;
        int64_t now_us = pawl_clock_real_us();
        start_waiting(http, now_us);
        if (http->n_hedging > 0) start_hedges(http, now_us);
        wait_for_events(http, news);
        end_legs(http);
    }
}

/* ---- the callers ---- */

static void free_http(struct pawl_http *http)
{
    for (int i = 0; i < http->n_idle; i++) curl_easy_cleanup(http->idle[i]);
    curl_multi_cleanup(http->multi);
    curl_global_cleanup();
    pawl_http_hosts_release(&http->hosts);
    if (http->epoll_fd >= 0) close(http->epoll_fd);
    if (http->wake_fd >= 0) close(http->wake_fd);
    pthread_mutex_destroy(&http->lock);
    free(http->idle);
    free(http);
}

enum pawl_status pawl_http_open(struct pawl_http **out, struct pawl_error *err)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return pawl_fail(err, PAWL_EWORLD, "libcurl could not be started.");
    struct pawl_http *http = pawl_xcalloc(1, sizeof *http);
    http->multi = curl_multi_init();
    if (!http->multi) PAWL_BUG("curl_multi_init: out of memory");
    list_init(&http->arrived);
    http->curl_due_us = INT64_MAX;
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, note_due);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
    pthread_mutex_init(&http->lock, NULL);
    http->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    http->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = http->wake_fd};
    int errnum = 0;
    if (http->epoll_fd < 0 || http->wake_fd < 0 ||
        epoll_ctl(http->epoll_fd, EPOLL_CTL_ADD, http->wake_fd, &event) != 0)
        errnum = errno;
    if (errnum == 0) errnum = pawl_thread_start(&http->thread, http_main, http);
    if (errnum != 0) {
        free_http(http);
        return pawl_fail_errno(err, PAWL_EWORLD, errnum, "Could not start the HTTP thread");
    }
    *out = http;
    return PAWL_OK;
}

/* Under the lock. One write per sleep, however many callers come. */
static void wake(struct pawl_http *http)
{
    uint64_t one = 1;
    if (!http->asleep) return;
    http->asleep = false;
    (void)!write(http->wake_fd, &one, sizeof one);
}

static void tell_thread(struct pawl_http *http, bool close)
{
    pthread_mutex_lock(&http->lock);
    http->canceled = true;
    http->closing |= close;
    wake(http);
    pthread_mutex_unlock(&http->lock);
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

void pawl_http_all(struct pawl_http *http, struct pawl_arena *arena,
                   const struct pawl_http_request *requests, size_t n,
                   struct pawl_http_reply *replies)
{
    if (n == 0) return;
    struct batch batch = {.n_left = n};
    sem_init(&batch.done, 0, 0);
    struct pawl_http_transfer *transfers = pawl_xcalloc(n, sizeof *transfers);
    for (size_t i = 0; i < n; i++) {
        PAWL_ASSERT(requests[i].timeout_ms > 0 && requests[i].in_flight_max > 0);
        replies[i] = (struct pawl_http_reply){.retry_after_ms = -1};
        transfers[i].request = &requests[i];
        transfers[i].reply = &replies[i];
        transfers[i].batch = &batch;
    }
    pthread_mutex_lock(&http->lock);
    for (size_t i = 0; i < n; i++) list_add(&http->arrived, &transfers[i]);
    wake(http);
    pthread_mutex_unlock(&http->lock);
    while (sem_wait(&batch.done) != 0) {} /* EINTR */
    for (size_t i = 0; i < n; i++) {
        if (replies[i].outcome == PAWL_HTTP_ANSWERED)
            replies[i].body = pawl_arena_copy(arena, pawl_buf_str(&transfers[i].legs[0].body));
        for (int k = 0; k < N_LEGS; k++) pawl_buf_release(&transfers[i].legs[k].body);
    }
    sem_destroy(&batch.done);
    free(transfers);
}
