#include "improve/front_bench_server.h"

#include "base/arena.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 256, REQUEST_MAX = 16 << 10 };

#define BODY                                                                                       \
    "{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":\"yes\"},"                     \
    "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":40,\"completion_tokens\":1}}"
#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "

struct connection {
    int fd;
    size_t n_bytes;
    char bytes[REQUEST_MAX + 1]; /* NUL after what was read */
};

/* The size of the request at the start of what was read; 0: not all of it is there. */
static size_t request_size(const struct connection *c)
{
    const char *end = strstr(c->bytes, "\r\n\r\n");
    if (end == NULL) return 0;
    size_t head = (size_t)(end - c->bytes) + 4;
    const char *length = strcasestr(c->bytes, "\r\nContent-Length:");
    size_t body = length != NULL && length < end ? strtoul(length + 17, NULL, 10) : 0;
    return body <= c->n_bytes - head ? head + body : 0;
}

static bool answer(int fd)
{
    char text[sizeof HEAD + sizeof BODY + 16];
    int n = snprintf(text, sizeof text, HEAD "%zu\r\n\r\n" BODY, sizeof BODY - 1);
    return send(fd, text, (size_t)n, MSG_NOSIGNAL) == n;
}

/* False when the connection is over: closed, broken, or more than we hold. */
static bool serve(struct connection *c)
{
    ssize_t n = recv(c->fd, c->bytes + c->n_bytes, REQUEST_MAX - c->n_bytes, 0);
    if (n <= 0) return false;
    c->n_bytes += (size_t)n;
    c->bytes[c->n_bytes] = '\0';
    for (size_t size; (size = request_size(c)) > 0;) {
        if (!answer(c->fd)) return false;
        c->n_bytes -= size;
        memmove(c->bytes, c->bytes + size, c->n_bytes + 1);
    }
    return c->n_bytes < REQUEST_MAX;
}

static struct connection *accept_one(int listener)
{
    int yes = 1, fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) return NULL;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    struct connection *c = pawl_xcalloc(1, sizeof *c);
    c->fd = fd;
    return c;
}

static void end(struct connection *c)
{
    close(c->fd);
    free(c);
}

static void *serve_all(void *context)
{
    struct pawl_bench_server *server = context;
    struct connection *open[CONNECTIONS_MAX];
    struct pollfd polled[CONNECTIONS_MAX + 2];
    size_t n = 0;
    for (;;) {
        polled[0] = (struct pollfd){.fd = server->stop[0], .events = POLLIN};
        polled[1] =
            (struct pollfd){.fd = n < CONNECTIONS_MAX ? server->listener : -1, .events = POLLIN};
        for (size_t i = 0; i < n; i++)
            polled[i + 2] = (struct pollfd){.fd = open[i]->fd, .events = POLLIN};
        if (poll(polled, n + 2, -1) < 0) continue;
        if (polled[0].revents != 0) break;
        for (size_t i = n; i-- > 0;) { /* from the end: the last one takes a free place */
            if (polled[i + 2].revents == 0 || serve(open[i])) continue;
            end(open[i]);
            open[i] = open[--n];
        }
        struct connection *fresh = polled[1].revents != 0 ? accept_one(server->listener) : NULL;
        if (fresh != NULL) open[n++] = fresh;
    }
    while (n > 0) end(open[--n]);
    return NULL;
}

static enum pawl_status listen_on_loopback(struct pawl_bench_server *server, struct pawl_error *err)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server->listener < 0 ||
        bind(server->listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(server->listener, CONNECTIONS_MAX) != 0 ||
        getsockname(server->listener, (struct sockaddr *)&address, &size) != 0)
        return pawl_fail(err, PAWL_EWORLD, "No server could be opened on 127.0.0.1.");
    server->port = ntohs(address.sin_port);
    return PAWL_OK;
}

static void release(struct pawl_bench_server *server)
{
    if (server->listener >= 0) close(server->listener);
    for (int i = 0; i < 2; i++)
        if (server->stop[i] >= 0) close(server->stop[i]);
    free(server);
}

enum pawl_status pawl_bench_server_open(struct pawl_bench_server **out, struct pawl_error *err)
{
    struct pawl_bench_server *server = pawl_xcalloc(1, sizeof *server);
    *server = (struct pawl_bench_server){.listener = -1, .stop = {-1, -1}};
    enum pawl_status status = listen_on_loopback(server, err);
    if (status == PAWL_OK && (pipe2(server->stop, O_CLOEXEC) != 0 ||
                              pthread_create(&server->thread, NULL, serve_all, server) != 0))
        status = pawl_fail(err, PAWL_EWORLD, "No server could be started.");
    if (status == PAWL_OK)
        *out = server;
    else
        release(server);
    return status;
}

void pawl_bench_server_close(struct pawl_bench_server *server)
{
    if (write(server->stop[1], "", 1) == 1) pthread_join(server->thread, NULL);
    release(server);
}
