/*
 * What the engine costs per case that a model behind HTTP answers: 2,000 distinct cases, all in
 * (rendering, request, transfer, parsing, the answer kept in the cache, scoring). Goals: at most
 * 0.08 ms of CPU in this process, at least 12,000 evaluations a second. Then a server that takes 20
 * requests at a time and refuses the others: how near to what it can do the answers come, and how
 * many requests were refused on the way.
 *
 *     bench_http [rounds [base_url]]
 *
 * Without base_url the server is a child process of this program, whose CPU time is not counted; with
 * one it is whatever answers there, at once and with "42".
 */
#include "base/clock.h"
#include "evaluate/evaluate.h"
#include "store/store.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { N_CASES = 2000, CONCURRENCY = 64 };
static const double GOAL_MS = 0.08, GOAL_PER_S = 12000;

/* --- the server, in a process of its own ------------------------------------------------------- */

/* Shared with the child: what it should do, what it saw. */
struct server {
    atomic_int takes; /* more at a time are refused; 0: no bound */
    atomic_int work_us;
    atomic_int inside, n_refused;
};
static struct server *server;

static const char answer[] =
    "{\"id\":\"x\",\"object\":\"chat.completion\",\"created\":1700000000,\"model\":\"mock\","
    "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"42\"},"
    "\"finish_reason\":\"stop\"}],"
    "\"usage\":{\"prompt_tokens\":120,\"completion_tokens\":12,\"total_tokens\":132}}";

static bool take_request(int fd, char *text, size_t room)
{
    size_t len = 0;
    for (;;) {
        ssize_t n = recv(fd, text + len, room - 1 - len, 0);
        if (n <= 0) return false;
        len += (size_t)n;
        text[len] = '\0';
        const char *end = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "content-length:");
        if (end && length && len >= (size_t)(end + 4 - text) + (size_t)atoi(length + 15))
            return true;
    }
}

static void *serve_one(void *argument)
{
    int fd = (int)(intptr_t)argument;
    char text[16384], head[1024];
    while (take_request(fd, text, sizeof text)) {
        int takes = server->takes, n;
        bool refused = atomic_fetch_add(&server->inside, 1) >= takes && takes > 0;
        if (!refused && server->work_us > 0) usleep((useconds_t)server->work_us);
        if (refused) atomic_fetch_add(&server->n_refused, 1);
        atomic_fetch_sub(&server->inside, 1);
        if (refused)
            n = snprintf(head, sizeof head, "HTTP/1.1 429 X\r\nContent-Length: 0\r\n\r\n");
        else
            n = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
                         sizeof answer - 1, answer);
        if (send(fd, head, (size_t)n, MSG_NOSIGNAL) != n) break;
    }
    close(fd);
    return NULL;
}

static void serve(int listener)
{
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        pthread_t thread;
        if (fd < 0) _exit(1);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        if (pthread_create(&thread, NULL, serve_one, (void *)(intptr_t)fd) != 0) _exit(1);
        pthread_detach(thread);
    }
}

/* Gives the port; 0 when there is no server to be had. */
static int start_server(pid_t *pid)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    server = mmap(NULL, sizeof *server, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (server == MAP_FAILED || bind(fd, (struct sockaddr *)&address, len) != 0 ||
        listen(fd, 512) != 0 || getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        return 0;
    *pid = fork();
    if (*pid == 0) serve(fd);
    close(fd);
    return *pid > 0 ? ntohs(address.sin_port) : 0;
}

/* --- what is measured -------------------------------------------------------------------------- */

static void must(enum pawl_status status, const struct pawl_error *err)
{
    if (status == PAWL_OK) return;
    fprintf(stderr, "%s %s\n", err->message, err->hint);
    exit(1);
}

struct rig {
    char folder[64];
    struct pawl_arena arena;
    struct pawl_store *store;
    struct pawl_lm *lm;
    struct pawl_program *program;
    struct pawl_instance *instance;
    struct pawl_metric *metric;
    struct pawl_evaluator *evaluator;
};

static void open_rig(struct rig *rig, const char *base_url, int concurrency)
{
    struct pawl_error err = {0};
    struct pawl_artifact *seed;
    *rig = (struct rig){.folder = "/tmp/pawl-bench-XXXXXX"};
    if (!mkdtemp(rig->folder)) exit(1);
    char *store_dir = pawl_arena_printf(&rig->arena, "%s/store", rig->folder);
    json_t *models =
        json_pack("{s:{s:s, s:s, s:s, s:i, s:i}}", "m", "backend", "openai", "model", "mock",
                  "base_url", base_url, "concurrency", concurrency, "retries", 20);
    json_t *section = json_pack("{s:s, s:{s:s}}", "signature", "question -> answer", "instruction",
                                "text", "Answer with one number.");
    json_t *metric = json_string("exact_match");
    must(pawl_store_open(store_dir, true, &rig->store, &err), &err);
    const struct pawl_lm_settings lm_settings = {
        .models = models, .project_dir = rig->folder, .cache = rig->store};
    must(pawl_lm_open(&lm_settings, &rig->lm, &err), &err);
    const struct pawl_program_settings program_settings = {
        .program = section, .project_dir = rig->folder, .lm = rig->lm};
    must(pawl_program_open(&program_settings, &rig->program, &err), &err);
    must(pawl_program_seed(rig->program, &rig->arena, &seed, &err), &err);
    must(pawl_program_prepare(rig->program, seed, 0, &rig->instance, &err), &err);
    must(pawl_metric_open(metric, rig->folder, &rig->metric, &err), &err);
    const struct pawl_evaluator_settings settings = {.metric = rig->metric};
    must(pawl_evaluator_open(&settings, rig->program, &rig->evaluator, &err), &err);
    json_decref(models);
    json_decref(section);
    json_decref(metric);
}

static void close_rig(struct rig *rig)
{
    pawl_evaluator_close(rig->evaluator);
    pawl_metric_close(rig->metric);
    pawl_program_release(rig->instance);
    pawl_program_close(rig->program);
    pawl_lm_close(rig->lm);
    pawl_store_close(rig->store);
    char *command = pawl_arena_printf(&rig->arena, "rm -r '%s'", rig->folder);
    if (system(command) != 0) exit(1);
    pawl_arena_release(&rig->arena);
}

/* One round: N_CASES that nobody has asked yet. Gives the share that was answered. */
static double evaluate(struct rig *rig, int round)
{
    static struct pawl_evaluation_item items[N_CASES];
    static struct pawl_result results[N_CASES];
    struct pawl_arena arena = {0};
    struct pawl_error err = {0};
    struct pawl_usage usage = {0};
    struct pawl_cases cases;
    json_t *list = json_array();
    for (int i = 0; i < N_CASES; i++)
        json_array_append_new(
            list, json_pack("{s:s, s:{s:s}, s:{s:s}}", "id",
                            pawl_arena_printf(&arena, "%d-%d", round, i), "input", "question",
                            pawl_arena_printf(&arena, "What is %d plus %d?", round, i), "target",
                            "answer", "42"));
    must(pawl_cases_from_json(list, &arena, &cases, &err), &err);
    for (size_t i = 0; i < N_CASES; i++)
        items[i] =
            (struct pawl_evaluation_item){.instance = rig->instance, .item = &cases.items[i]};
    must(pawl_evaluator_run(rig->evaluator, items, N_CASES, 0, results, &usage, NULL, &err), &err);
    double right = 0;
    for (size_t i = 0; i < N_CASES; i++) right += results[i].score > 0;
    pawl_cases_release(&cases);
    pawl_arena_release(&arena);
    json_decref(list);
    return right / N_CASES;
}

static bool measure_speed(const char *base_url, int rounds)
{
    struct rig rig;
    double best_ms = 1e9, best_per_s = 0, answered = 1;
    open_rig(&rig, base_url, CONCURRENCY);
    evaluate(&rig, 0);
    for (int round = 1; round <= rounds; round++) {
        double cpu_s = pawl_clock_cpu_s();
        int64_t start_us = pawl_clock_monotonic_us();
        answered *= evaluate(&rig, round);
        double wall_s = (double)(pawl_clock_monotonic_us() - start_us) / 1e6;
        double ms = 1000 * (pawl_clock_cpu_s() - cpu_s) / N_CASES;
        if (ms < best_ms) best_ms = ms;
        if (N_CASES / wall_s > best_per_s) best_per_s = N_CASES / wall_s;
    }
    close_rig(&rig);
    printf("{\"bench\":\"http\",\"cases\":%d,\"concurrency\":%d,\"cpu_ms_per_case\":%.5f,"
           "\"goal_ms\":%.2f,\"per_s\":%.1f,\"goal_per_s\":%.1f}\n",
           N_CASES, CONCURRENCY, best_ms, GOAL_MS, best_per_s, GOAL_PER_S);
    return answered == 1 && best_ms <= GOAL_MS && best_per_s >= GOAL_PER_S;
}

/* The server can answer TAKES requests per WORK_US. A refused request waits up to half a second and more
 * before its next try, so the share stays below 1. */
static void measure_storm(const char *base_url)
{
    enum { TAKES = 20, WORK_US = 20000 };
    struct rig rig;
    open_rig(&rig, base_url, 200);
    server->takes = TAKES;
    server->work_us = WORK_US;
    server->n_refused = 0;
    int64_t start_us = pawl_clock_monotonic_us();
    double answered = evaluate(&rig, 0);
    double wall_s = (double)(pawl_clock_monotonic_us() - start_us) / 1e6;
    close_rig(&rig);
    printf("{\"bench\":\"http_storm\",\"cases\":%d,\"answered\":%.4f,\"share_of_capacity\":%.3f,"
           "\"refused_per_case\":%.3f}\n",
           N_CASES, answered, N_CASES / wall_s / (TAKES * 1e6 / WORK_US),
           (double)server->n_refused / N_CASES);
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 5;
    const char *base_url = argc > 2 ? argv[2] : NULL;
    struct pawl_arena arena = {0};
    pid_t pid = -1;
    pawl_crypto_init();
    int port = start_server(&pid);
    if (port == 0) return 1;
    const char *own = pawl_arena_printf(&arena, "http://127.0.0.1:%d/v1", port);
    bool good = measure_speed(base_url ? base_url : own, rounds);
    measure_storm(own);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    pawl_arena_release(&arena);
    return good ? 0 : 1;
}
