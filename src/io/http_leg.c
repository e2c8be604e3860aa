#include "io/http_leg.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>

static size_t take_body(char *bytes, size_t one, size_t n_bytes, void *context)
{
    struct pawl_http_leg *leg = context;
    pawl_buf_add_bytes(&leg->body, bytes, one * n_bytes);
    return leg->body.overflowed ? CURL_WRITEFUNC_ERROR : one * n_bytes;
}

/* The variables that curl's command and OpenSSL read for certificates of one's own; libcurl reads
 * none of them. */
static void trust_own_certificates(CURL *easy)
{
    const char *file = getenv("CURL_CA_BUNDLE"), *dir = getenv("SSL_CERT_DIR");
    if (!file || !*file) file = getenv("SSL_CERT_FILE");
    if (file && *file) curl_easy_setopt(easy, CURLOPT_CAINFO, file);
    if (dir && *dir) curl_easy_setopt(easy, CURLOPT_CAPATH, dir);
}

CURL *pawl_http_easy_new(void)
{
    CURL *easy = curl_easy_init();
    if (!easy) PAWL_BUG("curl_easy_init: out of memory");
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    trust_own_certificates(easy);
    return easy;
}

bool pawl_http_headers_are_clean(const struct pawl_http_request *request)
{
    for (const char *const *header = request->headers; header && *header; header++)
        if (strpbrk(*header, "\r\n")) return false;
    return true;
}

/* libcurl reads the list and changes nothing in it. */
static struct curl_slist *list_headers(struct pawl_http_leg *leg,
                                       const struct pawl_http_request *request)
{
    /* No "Expect: 100-continue": it costs a round trip before every larger POST. */
    leg->headers[0] = (struct curl_slist){(char *)(uintptr_t) "Expect:", NULL};
    int n = 1;
    for (const char *const *header = request->headers; header && *header; header++) {
        PAWL_ASSERT(n <= PAWL_HTTP_HEADERS_MAX);
        leg->headers[n] = (struct curl_slist){(char *)(uintptr_t)*header, NULL};
        leg->headers[n - 1].next = &leg->headers[n];
        n++;
    }
    return leg->headers;
}

void pawl_http_leg_set_up(struct pawl_http_leg *leg, const struct pawl_http_request *request,
                          int64_t timeout_ms)
{
    CURL *easy = leg->easy;
    leg->body.limit_bytes = request->limit_bytes;
    leg->reason[0] = '\0';
    curl_easy_setopt(easy, CURLOPT_PRIVATE, leg);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, leg);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, leg->reason);
    curl_easy_setopt(easy, CURLOPT_URL, request->url);
    /* HTTP/2 where TLS offers it, and there rather a stream of a connection that is being opened
     * than one more connection. */
    bool tls = strncmp(request->url, "https:", 6) == 0;
    long version = tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1;
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, version);
    curl_easy_setopt(easy, CURLOPT_PIPEWAIT, (long)tls);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, list_headers(leg, request));
    if (!request->body.ptr) {
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
        return;
    }
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

/* Did anything of the request leave? A new connection that came to nothing carried none. */
static bool is_unsent(CURL *easy)
{
    curl_off_t n_bytes = 0;
    long n_header_bytes = 0;
    curl_easy_getinfo(easy, CURLINFO_SIZE_UPLOAD_T, &n_bytes);
    curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &n_header_bytes);
    return n_bytes == 0 && n_header_bytes == 0;
}

void pawl_http_leg_read(const struct pawl_http_leg *leg, CURLcode code,
                        const struct pawl_http_request *request, struct pawl_http_reply *reply)
{
    reply->retry_after_ms = -1;
    if (code == CURLE_OK) {
        long status = 0;
        curl_easy_getinfo(leg->easy, CURLINFO_RESPONSE_CODE, &status);
        reply->outcome = PAWL_HTTP_ANSWERED;
        reply->status = (int)status;
        if (status >= 400) reply->retry_after_ms = retry_after_ms(leg->easy);
    } else if (leg->body.overflowed) {
        reply->outcome = PAWL_HTTP_TOO_BIG;
        snprintf(reply->reason, sizeof reply->reason, "The answer is over %zu bytes.",
                 request->limit_bytes);
    } else if (code == CURLE_OPERATION_TIMEDOUT) {
        reply->outcome = is_unsent(leg->easy) ? PAWL_HTTP_UNSENT : PAWL_HTTP_TIMED_OUT;
        snprintf(reply->reason, sizeof reply->reason, "There was no whole answer in %.1f seconds.",
                 (double)request->timeout_ms / 1000);
    } else {
        reply->outcome = is_unsent(leg->easy) ? PAWL_HTTP_UNSENT : PAWL_HTTP_BROKEN;
        snprintf(reply->reason, sizeof reply->reason, "%.158s.",
                 leg->reason[0] ? leg->reason : curl_easy_strerror(code));
    }
}
