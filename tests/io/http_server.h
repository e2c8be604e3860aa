/*
 * http_server.h - a small HTTP/1.1 server for tests: a thread per connection on 127.0.0.1, whose
 * answer depends on the path. It counts connections and requests.
 *
 *     /echo       200 and the value of X-Test, or else the body, or else "get"
 *     /wait       200 after 50 ms
 *     /hang       nothing, until the client gives up
 *     /drip       200, then a byte every 20 ms for ever
 *     /drop       closes without an answer
 *     /half       200, and closes after half of the body
 *     /big        200 and 10 MB
 *     /bad        something that is not HTTP
 *     /redirect   302 to /echo
 *     /retry/X    429 with "Retry-After: X"
 */
#ifndef PAWL_TESTS_IO_HTTP_SERVER_H
#define PAWL_TESTS_IO_HTTP_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HTTP_SERVER_CONNECTIONS_MAX = 1024, HTTP_SERVER_BUFFER = 65536 };

struct http_server {
    int fd, port;
    pthread_t thread;
    pthread_mutex_t lock;
    int fds[HTTP_SERVER_CONNECTIONS_MAX]; /* of every connection; -1 when closed */
    pthread_t threads[HTTP_SERVER_CONNECTIONS_MAX];
    atomic_int n_connections, n_requests;
};
struct http_connection {
    struct http_server *server;
    int index, fd;
};

static inline bool server_send(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n <= 0) return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

static inline bool server_answer(int fd, int status, const char *header, const char *body,
                                 size_t len)
{
    char head[512];
    int n = snprintf(head, sizeof head, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n%s\r\n", status,
                     len, header);
    return server_send(fd, head, (size_t)n) && server_send(fd, body, len);
}

/* Answer one request. False: the connection is over. */
static inline bool server_serve(int fd, const char *path, const char *head, const char *body,
                                size_t len)
{
    char header[512] = "";
    if (strcmp(path, "/echo") == 0) {
        const char *test = strcasestr(head, "\r\nX-Test: ");
        if (test) return server_answer(fd, 200, "", test + 10, strcspn(test + 10, "\r"));
        return len > 0 ? server_answer(fd, 200, "", body, len)
                       : server_answer(fd, 200, "", "get", 3);
    }
    if (strcmp(path, "/wait") == 0) {
        usleep(50000);
        return server_answer(fd, 200, "", "waited", 6);
    }
    if (strcmp(path, "/hang") == 0) return recv(fd, header, 1, 0) > 0;
    if (strcmp(path, "/drip") == 0) {
        server_send(fd, "HTTP/1.1 200 X\r\nContent-Length: 1000000\r\n\r\n", 43);
        while (server_send(fd, "x", 1)) usleep(20000);
        return false;
    }
    if (strcmp(path, "/half") == 0) {
        server_send(fd, "HTTP/1.1 200 X\r\nContent-Length: 10\r\n\r\nhalf!", 43);
        return false;
    }
    if (strcmp(path, "/big") == 0) {
        char *big = calloc(1, 10 << 20);
        bool sent = server_answer(fd, 200, "", big, 10 << 20);
        free(big);
        return sent;
    }
    if (strcmp(path, "/bad") == 0) {
        server_send(fd, "garbage\r\n\r\n", 11);
        return false;
    }
    if (strcmp(path, "/redirect") == 0)
        return server_answer(fd, 302, "Location: /echo\r\n", "moved", 5);
    if (strncmp(path, "/retry/", 7) == 0) {
        snprintf(header, sizeof header, "retry-after: %s\r\n", path + 7);
        for (char *c = header + 13; *c; c++)
            if (*c == '_') *c = ' ';
        return server_answer(fd, 429, header, "slow down", 9);
    }
    return false; /* /drop */
}

/* Read one request and answer it. */
static inline bool server_turn(struct http_server *server, int fd, char *buffer)
{
    size_t have = 0;
    char *end = NULL;
    while (!end) {
        ssize_t n = recv(fd, buffer + have, HTTP_SERVER_BUFFER - 1 - have, 0);
        if (n <= 0) return false;
        have += (size_t)n;
        buffer[have] = '\0';
        end = strstr(buffer, "\r\n\r\n");
    }
    *end = '\0';
    char *body = end + 4, path[256] = "";
    const char *length = strcasestr(buffer, "\r\nContent-Length: ");
    size_t len = length ? strtoul(length + 18, NULL, 10) : 0;
    while (have < (size_t)(body - buffer) + len) {
        ssize_t n = recv(fd, buffer + have, HTTP_SERVER_BUFFER - 1 - have, 0);
        if (n <= 0) return false;
        have += (size_t)n;
    }
    atomic_fetch_add(&server->n_requests, 1);
    sscanf(buffer, "%*s %255s", path);
    return server_serve(fd, path, buffer, body, len);
}

static inline void *server_connection(void *context)
{
    struct http_connection *connection = context;
    char *buffer = malloc(HTTP_SERVER_BUFFER);
    while (server_turn(connection->server, connection->fd, buffer)) {}
    pthread_mutex_lock(&connection->server->lock);
    connection->server->fds[connection->index] = -1;
    close(connection->fd);
    pthread_mutex_unlock(&connection->server->lock);
    free(buffer);
    free(connection);
    return NULL;
}

static inline void *server_main(void *context)
{
    struct http_server *server = context;
    for (;;) {
        int fd = accept(server->fd, NULL, NULL);
        if (fd < 0) return NULL;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        int i = atomic_load(&server->n_connections);
        if (i == HTTP_SERVER_CONNECTIONS_MAX) abort();
        struct http_connection *connection = malloc(sizeof *connection);
        *connection = (struct http_connection){server, i, fd};
        pthread_mutex_lock(&server->lock);
        server->fds[i] = fd;
        pthread_mutex_unlock(&server->lock);
        pthread_create(&server->threads[i], NULL, server_connection, connection);
        atomic_fetch_add(&server->n_connections, 1);
    }
}

static inline struct http_server *server_open(void)
{
    struct http_server *server = calloc(1, sizeof *server);
    pthread_mutex_init(&server->lock, NULL);
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    if (bind(server->fd, (struct sockaddr *)&address, len) != 0 || listen(server->fd, 512) != 0 ||
        getsockname(server->fd, (struct sockaddr *)&address, &len) != 0)
        abort();
    server->port = ntohs(address.sin_port);
    pthread_create(&server->thread, NULL, server_main, server);
    return server;
}

static inline void server_close(struct http_server *server)
{
    shutdown(server->fd, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->fd);
    pthread_mutex_lock(&server->lock);
    for (int i = 0; i < server->n_connections; i++)
        if (server->fds[i] >= 0) shutdown(server->fds[i], SHUT_RDWR);
    pthread_mutex_unlock(&server->lock);
    for (int i = 0; i < server->n_connections; i++) pthread_join(server->threads[i], NULL);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

#endif
