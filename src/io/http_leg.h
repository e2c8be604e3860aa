/*
 * http_leg.h - one copy of a request on its way through libcurl. For http.c alone.
 *
 * A leg belongs to the HTTP thread from pawl_http_leg_set_up until its end. Handles are used again, so every
 * option that one request sets the next one sets too.
 */
#ifndef PAWL_IO_HTTP_LEG_H
#define PAWL_IO_HTTP_LEG_H

#include "io/http.h"

#include <curl/curl.h>

struct pawl_http_leg {
    CURL *easy;     /* NULL: not under way */
    void *transfer; /* whose leg it is */
    int64_t started_us;
    struct pawl_buf body;
    struct curl_slist headers[PAWL_HTTP_HEADERS_MAX + 1]; /* a list without allocations */
    char reason[CURL_ERROR_SIZE];
};

/* A handle with the options that are the same for every request. */
CURL *pawl_http_easy_new(void);
/* CURLOPT_PRIVATE becomes the leg. */
void pawl_http_leg_set_up(struct pawl_http_leg *leg, const struct pawl_http_request *request,
                          int64_t timeout_ms);
/* Fill the reply, save for its body, n_sent and latency. */
void pawl_http_leg_read(const struct pawl_http_leg *leg, CURLcode code,
                        const struct pawl_http_request *request, struct pawl_http_reply *reply);
/* A line break in a header would add a header of the sender's choice. */
bool pawl_http_headers_are_clean(const struct pawl_http_request *request);

#endif
