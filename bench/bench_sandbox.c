/*
 * What it costs to run a Python test that nobody trusts: a warm interpreter that forks two confined
 * processes (tests.h), beside a new python3 under the same walls for every test. Goal: at most 3 ms of CPU.
 * CPU is that of this process and of all it started, with the interpreter's own start. One JSON line.
 *
 *     bench_sandbox [tests]
 */
#include "base/clock.h"
#include "sandbox/sandbox.h"
#include "sandbox/tests.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { N_THREADS = 2 };
static const double GOAL_MS = 3.0;

struct cost {
    double cpu_ms, per_s; /* of one test; tests */
};

static double seconds_of(int who)
{
    struct rusage used;
    getrusage(who, &used);
    return (double)used.ru_utime.tv_sec + 1e-6 * (double)used.ru_utime.tv_usec +
           (double)used.ru_stime.tv_sec + 1e-6 * (double)used.ru_stime.tv_usec;
}

static double cpu_s(void)
{
    return seconds_of(RUSAGE_SELF) + seconds_of(RUSAGE_CHILDREN);
}

static void must(bool good, const char *what)
{
    if (good) return;
    fprintf(stderr, "bench_sandbox: %s\n", what);
    exit(1);
}

/* --- one warm interpreter -------------------------------------------------------------------------- */

static struct pawl_tester *tester;
static int n_each;

static void *run_tests(void *unused)
{
    const struct pawl_solution solution = {
        .sources = {PAWL_STR("def add(a, b):\n    return a + b\n")},
        .entry_point = PAWL_STR("add")};
    const struct pawl_hidden_tests tests = {
        PAWL_STR("assert add(1, 2) == 3\nassert add(2, 2) == 4\n")};
    for (int i = 0; i < n_each; i++) {
        struct pawl_verdict verdict;
        struct pawl_error err = {0};
        must(pawl_tests_run_hidden(tester, &solution, tests, &verdict, &err) == PAWL_OK,
             err.message);
        must(verdict.end == PAWL_TESTS_PASSED, "a right solution did not pass");
    }
    return unused;
}

static struct cost measure_warm(int n_threads, int n)
{
    pthread_t threads[N_THREADS];
    struct pawl_error err = {0};
    double cpu = cpu_s();
    int64_t start_ms = pawl_clock_real_ms();
    const struct pawl_tester_limits limits = {.parallel = n_threads};
    must(pawl_tester_open(&limits, &tester, &err) == PAWL_OK, err.message);
    n_each = n / n_threads;
    for (int i = 0; i < n_threads; i++) pthread_create(&threads[i], NULL, run_tests, NULL);
    for (int i = 0; i < n_threads; i++) pthread_join(threads[i], NULL);
    pawl_tester_close(tester);
    n = n_each * n_threads;
    return (struct cost){1e3 * (cpu_s() - cpu) / n,
                         1e3 * n / (double)(pawl_clock_real_ms() - start_ms)};
}

/* --- a new one for each ------------------------------------------------------------------------------ */

static struct cost measure_cold(int n)
{
    static const char *const argv[] = {"python3",
                                       "-I",
                                       "-S",
                                       "-c",
                                       "def add(a, b):\n    return a + b\nassert add(1, 2) == "
                                       "3\nassert add(2, 2) == 4\nprint('ok')",
                                       NULL};
    static const char *const env[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", NULL};
    const struct pawl_command command = {
        .argv = argv, .env = env, .cwd = "/", .limits = pawl_sandbox_default_limits()};
    double cpu = cpu_s();
    int64_t start_ms = pawl_clock_real_ms();
    for (int i = 0; i < n; i++) {
        struct pawl_error err = {0};
        struct pawl_child *child;
        struct pawl_str line;
        must(pawl_child_start(&command, &child, &err) == PAWL_OK, err.message);
        must(pawl_child_read(child, 10000, &line) == PAWL_CHILD_LINE, "python3 said nothing");
        pawl_child_stop(child);
    }
    return (struct cost){1e3 * (cpu_s() - cpu) / n,
                         1e3 * n / (double)(pawl_clock_real_ms() - start_ms)};
}

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 1000;
    must(n >= 10, "at least 10 tests");
    struct cost cold = measure_cold(n / 10), one = measure_warm(1, n),
                two = measure_warm(N_THREADS, n);
    printf("{\"bench\":\"sandbox\",\"tests\":%d,\"warm_cpu_ms\":%.3f,\"warm_per_s\":%.0f,"
           "\"warm_two_threads_cpu_ms\":%.3f,\"warm_two_threads_per_s\":%.0f,\"exec_cpu_ms\":%.3f,"
           "\"exec_per_s\":%.0f,\"times_cheaper\":%.1f,\"goal_cpu_ms\":%.1f,\"met\":%s}\n",
           n, one.cpu_ms, one.per_s, two.cpu_ms, two.per_s, cold.cpu_ms, cold.per_s,
           cold.cpu_ms / one.cpu_ms, GOAL_MS, one.cpu_ms <= GOAL_MS ? "true" : "false");
    return 0;
}
