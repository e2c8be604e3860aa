/*
 * lm_server.h - a server of language models that misbehaves, in a thread of the test. What it does is
 * in the last message; on which wire it answers (chat completions or Anthropic's messages) is in the
 * path.
 *
 *     fine, wait ...    an answer: "yes", or the message itself after 20 ms
 *     passing           503, 429 (both "Retry-After: 1"), then an answer "at last"
 *     storm, mute, absurd, past   429 for ever, with Retry-After 1, none, 99999999, a date long ago
 *     500, 529          for ever
 *     half, short       closes after half of the answer; before its Content-Length is reached
 *     drip              a byte every 20 ms for ever
 *     slow, twice       an answer after 1.5 s; "twice" is at once when it is asked again
 *     chunks            a chunk whose length is no number
 *     json, shape, none wrong in three depths; error: 200 with an error object; nothing: 200, empty
 *     page              200 with a web page
 *     utf8, empty, null, filter, refuse, usage, cached, echo   odd completions
 *     big               10 MB
 *     400, 401, 404, 404 page, 302
 *
 * GET /v1/models lists "tiny" and "other".
 */
#ifndef PAWL_TESTS_SUPPORT_LM_SERVER_H
#define PAWL_TESTS_SUPPORT_LM_SERVER_H

#include <pthread.h>
#include <stdatomic.h>

enum { LM_SERVER_REQUEST_MAX = 1 << 16 };
#define LM_SERVER_KEY "sk-test-0123456789abcdef"

struct lm_server {
    int fd, port;
    atomic_int n_requests, n_inside, most_inside, n_passing, n_twice;
    atomic_int takes; /* more requests at a time are refused with 429; 0: no bound */
    atomic_int n_refused;
    pthread_mutex_t lock; /* of what follows */
    char last_head[LM_SERVER_REQUEST_MAX], last_body[LM_SERVER_REQUEST_MAX];
};

/* One per process; it ends with it. */
struct lm_server *lm_server_start(void);

#endif
