#include "support/lm_server.h"

#include <jansson.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define KEY LM_SERVER_KEY

static struct lm_server server = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* One connection: where to answer, and in which form. */
struct peer {
    int fd;
    bool messages; /* Anthropic's */
};

/* --- answers ---------------------------------------------------------------------------------- */

static bool send_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n <= 0) return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

static void send_text(int fd, const char *text)
{
    send_all(fd, text, strlen(text));
}

static bool respond(int fd, int status, const char *headers, const char *body, size_t len)
{
    char head[512];
    int n = snprintf(head, sizeof head, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n%s\r\n", status,
                     len, headers);
    return send_all(fd, head, (size_t)n) && send_all(fd, body, len);
}

static bool respond_text(int fd, int status, const char *headers, const char *body)
{
    return respond(fd, status, headers, body, strlen(body));
}

static bool respond_completion(const struct peer *peer, const char *text, const char *end)
{
    char body[1024];
    if (peer->messages)
        snprintf(body, sizeof body,
                 "{\"type\":\"message\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"hm\"},"
                 "{\"type\":\"text\",\"text\":\"%s\"}],\"stop_reason\":\"%s\",\"usage\":{"
                 "\"input_tokens\":6,\"output_tokens\":3,\"cache_read_input_tokens\":4,"
                 "\"cache_creation_input_tokens\":2}}",
                 text, strcmp(end, "length") == 0 ? "max_tokens" : "end_turn");
    else
        snprintf(body, sizeof body,
                 "{\"choices\":[{\"message\":{\"content\":\"%s\"},\"finish_reason\":\"%s\"}],"
                 "\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":3,"
                 "\"prompt_tokens_details\":{\"cached_tokens\":4},"
                 "\"completion_tokens_details\":{\"reasoning_tokens\":2}}}",
                 text, end);
    return respond_text(peer->fd, 200, "", body);
}

static bool respond_big(int fd)
{
    size_t len = 10 << 20;
    char *body = malloc(len);
    memset(body, 'x', len);
    bool sent = respond(fd, 200, "", body, len);
    free(body);
    return sent;
}

static bool drip(int fd)
{
    send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
    while (send_all(fd, " ", 1)) usleep(20 * 1000);
    return false;
}

/* Work for 20 ms, and note how many requests are worked on at a time. */
static void be_inside(void)
{
    int inside = atomic_fetch_add(&server.n_inside, 1) + 1, most = server.most_inside;
    while (inside > most && !atomic_compare_exchange_weak(&server.most_inside, &most, inside)) {}
    usleep(20 * 1000);
    atomic_fetch_sub(&server.n_inside, 1);
}

static bool wait_inside(const struct peer *peer, const char *prompt)
{
    if (server.takes > 0 && server.n_inside >= server.takes) {
        atomic_fetch_add(&server.n_refused, 1);
        return respond_text(peer->fd, 429, "", "{\"error\":{\"message\":\"too many\"}}");
    }
    be_inside();
    return respond_completion(peer, prompt, "stop");
}

/* Answers that are the same however often they are asked for. */
static const struct {
    const char *prompt;
    int status;
    const char *headers, *body;
} fixed[] = {
    {"storm", 429, "Retry-After: 1\r\n", "{\"error\":{\"message\":\"slow down\"}}"},
    {"mute", 429, "", "{\"error\":{\"message\":\"slow down\"}}"},
    {"absurd", 429, "Retry-After: 99999999999999\r\n", "never"},
    {"past", 429, "Retry-After: Thu, 01 Jan 1970 00:00:01 GMT\r\n", "slow down"},
    {"500", 500, "", "oops"},
    {"529", 529, "", "{\"type\":\"error\",\"error\":{\"message\":\"Overloaded\"}}"},
    {"json", 200, "", "{\"choices\":["},
    {"shape", 200, "", "{\"content\":7,\"choices\":[{\"message\":{\"content\":[1]}}]}"},
    {"none", 200, "", "{\"choices\":[]}"},
    {"nothing", 200, "", ""},
    {"error", 200, "", "{\"error\":{\"code\":429,\"message\":\"upstream is busy\"}}"},
    {"page", 200, "Content-Type: text/html\r\n", "<!DOCTYPE html><html>hello</html>"},
    {"null", 200, "", "{\"choices\":[{\"message\":{\"content\":null}}]}"},
    {"refuse", 200, "",
     "{\"choices\":[{\"message\":{\"content\":null,\"refusal\":\"I will not\"}}],"
     "\"content\":[],\"stop_reason\":\"refusal\"}"},
    {"usage", 200, "",
     "{\"choices\":[{\"message\":{\"content\":\"x\"}}],\"usage\":{\"prompt_tokens\":-5,"
     "\"completion_tokens\":99999999999,\"prompt_tokens_details\":{\"cached_tokens\":7}}}"},
    {"free", 200, "",
     "{\"choices\":[{\"message\":{\"content\":\"x\"}}],\"usage\":{\"prompt_tokens\":0,"
     "\"completion_tokens\":0}}"},
    {"less", 200, "",
     "{\"choices\":[{\"message\":{\"content\":\"x\"}}],\"usage\":{\"prompt_tokens\":-9,"
     "\"completion_tokens\":-9}}"},
    {"400", 400, "", "{\"error\":{\"message\":\"bad\\n key " KEY " given\"}}"},
    {"401", 401, "", "{\"error\":{\"message\":\"wrong key " KEY "\"}}"},
    {"404", 404, "", "{\"error\":\"no such model\"}"},
    {"404 page", 404, "Content-Type: text/html\r\n", "<html>Not Found</html>"},
    {"302", 302, "Location: http://localhost:1/\r\n", ""},
};

/* What to do for this prompt. False: the connection is over. */
static bool misbehave(const struct peer *peer, const char *prompt)
{
    int fd = peer->fd;
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        if (strcmp(prompt, fixed[i].prompt) == 0)
            return respond_text(fd, fixed[i].status, fixed[i].headers, fixed[i].body);
    if (strcmp(prompt, "fine") == 0) return respond_completion(peer, "yes", "stop");
    if (strcmp(prompt, "echo") == 0)
        return respond_completion(peer, "your key is " KEY "!", "stop");
    if (strcmp(prompt, "utf8") == 0) return respond_completion(peer, "a\xff\xc3z", "stop");
    if (strcmp(prompt, "empty") == 0) return respond_completion(peer, "", "length");
    if (strcmp(prompt, "filter") == 0) return respond_completion(peer, "", "content_filter");
    if (strcmp(prompt, "big") == 0) return respond_big(fd);
    if (strcmp(prompt, "drip") == 0) return drip(fd);
    if (strcmp(prompt, "passing") == 0) {
        int n = atomic_fetch_add(&server.n_passing, 1);
        if (n < 2) return respond_text(fd, n ? 429 : 503, "Retry-After: 1\r\n", "busy");
        return respond_completion(peer, "at last", "stop");
    }
    if (strcmp(prompt, "half") == 0)
        send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"cho");
    else if (strcmp(prompt, "short") == 0)
        send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"choices\":[]}");
    else if (strcmp(prompt, "chunks") == 0)
        send_text(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n{}\r\n");
    else if (strcmp(prompt, "slow") == 0 ||
             (strcmp(prompt, "twice") == 0 && atomic_fetch_add(&server.n_twice, 1) == 0)) {
        usleep(1500 * 1000);
        return respond_completion(peer, "slow", "stop");
    } else if (strcmp(prompt, "twice") == 0)
        return respond_completion(peer, "quick", "stop");
    else
        return wait_inside(peer, prompt);
    return false;
}

/* --- connections ------------------------------------------------------------------------------ */

/* A request with its head ended by NUL; NULL when the connection is over. Gives the body. */
static char *read_request(int fd, char *text, size_t room)
{
    size_t len = 0;
    for (;;) {
        ssize_t n = recv(fd, text + len, room - 1 - len, 0);
        if (n <= 0) return NULL;
        len += (size_t)n;
        text[len] = '\0';
        char *end = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "content-length:");
        if (!end || (!length && strncmp(text, "GET ", 4) != 0)) continue;
        size_t body_len = length ? (size_t)atoi(length + 15) : 0;
        if (strlen(end + 4) < body_len) continue;
        *end = '\0';
        return end + 4;
    }
}

static bool serve_request(struct peer *peer, const char *head, const char *body)
{
    if (strncmp(head, "GET ", 4) == 0) {
        bool models = strncmp(head, "GET /v1/models ", 15) == 0;
        return respond_text(peer->fd, models ? 200 : 404, "",
                            models ? "{\"data\":[{\"id\":\"tiny\"},{\"id\":\"other\"}]}" : "");
    }
    atomic_fetch_add(&server.n_requests, 1);
    pthread_mutex_lock(&server.lock);
    snprintf(server.last_head, sizeof server.last_head, "%s", head);
    snprintf(server.last_body, sizeof server.last_body, "%s", body);
    pthread_mutex_unlock(&server.lock);
    peer->messages = strncmp(head, "POST /v1/messages ", 18) == 0;
    if (!peer->messages && strncmp(head, "POST /v1/chat/completions ", 26) != 0)
        return respond_text(peer->fd, 404, "", "<html>404</html>");
    json_t *request = json_loads(body, 0, NULL);
    const json_t *messages = json_object_get(request, "messages");
    const json_t *message = json_array_get(messages, json_array_size(messages) - 1);
    const char *prompt = json_string_value(json_object_get(message, "content"));
    bool open = misbehave(peer, prompt ? prompt : "500");
    json_decref(request);
    return open;
}

static void *serve_one(void *argument)
{
    struct peer peer = {.fd = (int)(intptr_t)argument};
    char *text = malloc(LM_SERVER_REQUEST_MAX), *body, rest[256];
    while ((body = read_request(peer.fd, text, LM_SERVER_REQUEST_MAX)) &&
           serve_request(&peer, text, body)) {}
    shutdown(peer.fd, SHUT_WR);
    while (recv(peer.fd, rest, sizeof rest, 0) > 0) {}
    close(peer.fd);
    free(text);
    return NULL;
}

static void *serve(void *unused)
{
    (void)unused;
    for (;;) {
        int fd = accept(server.fd, NULL, NULL);
        pthread_t thread;
        if (fd < 0) return NULL;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        if (pthread_create(&thread, NULL, serve_one, (void *)(intptr_t)fd) == 0)
            pthread_detach(thread);
    }
}

struct lm_server *lm_server_start(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    pthread_t thread;
    server.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(server.fd, (struct sockaddr *)&address, len) != 0 || listen(server.fd, 256) != 0 ||
        getsockname(server.fd, (struct sockaddr *)&address, &len) != 0 ||
        pthread_create(&thread, NULL, serve, NULL) != 0)
        abort();
    server.port = ntohs(address.sin_port);
    pthread_detach(thread);
    return &server;
}
