/*
 * front_bench_server.h - a server that answers every chat completion at once, for `pawl bench http`.
 *
 * It listens on loopback in a thread of its own and speaks as much HTTP as our client does: requests
 * with a Content-Length, over connections that stay open. What it costs is not separated from what
 * the caller costs.
 *
 *     PAWL_TRY(pawl_bench_server_open(&server, err));
 *     ... http://127.0.0.1:<server->port>/v1 ...
 *     pawl_bench_server_close(server);
 */
#ifndef PAWL_IMPROVE_FRONT_BENCH_SERVER_H
#define PAWL_IMPROVE_FRONT_BENCH_SERVER_H

#include "base/error.h"

#include <pthread.h>

struct pawl_bench_server {
    int port;
    int listener, stop[2]; /* stop: a byte ends the thread */
    pthread_t thread;
};
PAWL_MUST_CHECK enum pawl_status pawl_bench_server_open(struct pawl_bench_server **server,
                                                        struct pawl_error *err);
void pawl_bench_server_close(struct pawl_bench_server *server);

#endif
