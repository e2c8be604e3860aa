/*
 * http.h - HTTP requests through one curl_multi thread; callers block.
 *
 * Invariants
 *   1. One thread talks to libcurl; connections are kept and shared by all callers. A host gets as
 *      many requests at a time as it takes (http_pace.h), never more than the largest
 *      in_flight_max that was asked of it; the others wait their turn.
 *   2. A body over limit_bytes ends the transfer (PAWL_HTTP_TOO_BIG); a transfer over timeout_ms,
 *      counted from its turn over the whole answer, ends too. A host that has been without a good
 *      answer for minutes is given up. No request waits for ever.
 *   3. Header values given as secret never appear in an error text or a log.
 */
#ifndef PAWL_IO_HTTP_H
#define PAWL_IO_HTTP_H

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"

#include <stdint.h>

struct pawl_http;
PAWL_MUST_CHECK enum pawl_status pawl_http_open(struct pawl_http **http, struct pawl_error *err);
void pawl_http_close(struct pawl_http *http);

enum pawl_http_outcome {
    PAWL_HTTP_ANSWERED, /* status holds the HTTP status */
    PAWL_HTTP_TIMED_OUT,
    PAWL_HTTP_UNSENT, /* could not connect in time or at all, TLS failed: nothing has left */
    PAWL_HTTP_BROKEN, /* connection dropped, bad protocol */
    PAWL_HTTP_TOO_BIG,
    PAWL_HTTP_GIVEN_UP, /* the host has given no good answer for minutes; nothing was sent */
    PAWL_HTTP_CANCELED, /* pawl_http_cancel */
};
enum { PAWL_HTTP_HEADERS_MAX = 8 };
struct pawl_http_request {
    const char *url;
    const char *const *headers; /* "Name: value" lines, NULL-terminated, at most HEADERS_MAX */
    struct pawl_str body;       /* POST when ptr is not NULL, else GET */
    int64_t timeout_ms;         /* more than 0 */
    int64_t hedge_ms;           /* send it once more when it takes longer; 0: never */
    size_t limit_bytes;
    int in_flight_max; /* at its host, whoever asks; more than 0 */
};
struct pawl_http_reply {
    enum pawl_http_outcome outcome;
    int status;
    int n_sent;             /* 2 when it was hedged; the server may have worked on both */
    int64_t latency_us;     /* from its turn to its end */
    int64_t retry_after_ms; /* from Retry-After (seconds or date), -1 when absent */
    struct pawl_str body;   /* in the caller's arena */
    char reason[160];       /* a sentence when not ANSWERED */
};
/* Perform n requests at once and wait for all. replies[i] answers requests[i]. */
void pawl_http_all(struct pawl_http *http, struct pawl_arena *arena,
                   const struct pawl_http_request *requests, size_t n,
                   struct pawl_http_reply *replies);
/* Make every request that is under way, and every later one, answer PAWL_HTTP_CANCELED. */
void pawl_http_cancel(struct pawl_http *http);

#endif
