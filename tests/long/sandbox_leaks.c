/*
 * After many tests of Python code, a good part of it hostile, nothing is left: no process below us, no
 * descriptor, no file in the temporary folders or shared memory, no mount, no cgroup of ours; and our own
 * memory does not grow.
 *
 *     long_sandbox_leaks [TESTS]        default 10000; exit 1 when something is left
 */
#include "base/clock.h"
#include "sandbox/tests.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { N_THREADS = 2 };

static const struct attempt {
    const char *solution;
    enum pawl_tests_end end;
} attempts[] = {
    {"def f(a): return a + 1", PAWL_TESTS_PASSED},
    {"def f(a): return a", PAWL_TESTS_WRONG},
    {"import os\nos._exit(0)", PAWL_TESTS_ENDED},
    {"def f(a): return f(a)", PAWL_TESTS_RAISED},
    {"import os\ndef f(a):\n    while True: os.fork()", PAWL_TESTS_RAISED},
    {"def f(a): return 'x' * (5 << 20)", PAWL_TESTS_ENDED},
    {"import os\ndef f(a):\n    for d in ('/tmp', '/var/tmp', '/dev/shm', '.'):\n        try: "
     "open(d + '/left', 'w')\n"
     "        except OSError: pass\n    return 0",
     PAWL_TESTS_WRONG},
    {"import os\nfds = [os.pipe() for i in range(20)]\ndef f(a): return a + 1", PAWL_TESTS_PASSED},
    {"def f(a): return bytes(1 << 40)", PAWL_TESTS_RAISED},
    {"def f(a): return bytearray(30 << 20) and a + 1", PAWL_TESTS_PASSED},
};
enum { N_ATTEMPTS = sizeof attempts / sizeof *attempts };

static struct pawl_tester *tester;
static atomic_int next_test;
static int n_tests;

static void *work(void *unused)
{
    for (int i; (i = atomic_fetch_add(&next_test, 1)) < n_tests;) {
        const struct attempt *one = &attempts[i % N_ATTEMPTS];
        struct pawl_error err = {0};
        struct pawl_verdict verdict;
        const struct pawl_solution s = {.sources = {pawl_str_of(one->solution)},
                                        .entry_point = PAWL_STR("f")};
        const struct pawl_hidden_tests tests = {PAWL_STR("assert f(1) == 2")};
        if (pawl_tests_run_hidden(tester, &s, tests, &verdict, &err) != PAWL_OK) {
            fprintf(stderr, "%s %s\n", err.message, err.hint);
            exit(1);
        }
        if (verdict.end != one->end) {
            fprintf(stderr, "\"%s\" ended otherwise: %d\n", one->solution, (int)verdict.end);
            exit(1);
        }
    }
    return unused;
}

static void run(int n)
{
    pthread_t threads[N_THREADS];
    struct pawl_error err = {0};
    const struct pawl_tester_limits limits = {.parallel = N_THREADS, .timeout_ms = 60000};
    if (pawl_tester_open(&limits, &tester, &err) != PAWL_OK) {
        fprintf(stderr, "%s %s\n", err.message, err.hint);
        exit(1);
    }
    n_tests = n;
    next_test = 0;
    for (int i = 0; i < N_THREADS; i++) pthread_create(&threads[i], NULL, work, NULL);
    for (int i = 0; i < N_THREADS; i++) pthread_join(threads[i], NULL);
    pawl_tester_close(tester);
}

/* --- what there is ------------------------------------------------------------------------------------- */

static int n_entries(const char *path)
{
    DIR *folder = opendir(path);
    int n = 0;
    while (folder && readdir(folder)) n++;
    if (folder) closedir(folder);
    return n;
}

static int n_lines(const char *path)
{
    int n = 0, c;
    FILE *file = fopen(path, "re");
    while (file && (c = fgetc(file)) != EOF) n += c == '\n';
    if (file) fclose(file);
    return n;
}

/* Below us; and we are who orphans come to. */
static int n_processes(void)
{
    DIR *folder = opendir("/proc");
    int n = 0;
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        char path[300], text[4096] = "";
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
        snprintf(path, sizeof path, "/proc/%s/status", entry->d_name);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0) continue;
        if (read(fd, text, sizeof text - 1) < 0) text[0] = '\0';
        close(fd);
        const char *parent = strstr(text, "PPid:");
        if (parent && atoi(parent + 5) == (int)getpid()) n++;
    }
    if (folder) closedir(folder);
    return n;
}

static int n_named_left(void)
{
    static const char *const places[] = {"/tmp/left", "/var/tmp/left", "/dev/shm/left", "/left",
                                         "left"};
    int n = 0;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) n += access(places[i], F_OK) == 0;
    return n;
}

static long resident_kib(void)
{
    long pages = 0, shared;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file && fscanf(file, "%ld %ld", &shared, &pages) != 2) pages = 0;
    if (file) fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

struct inventory {
    int processes, descriptors, shm, mounts, cgroups, left;
    long resident_kib;
};

static struct inventory look(void)
{
    return (struct inventory){n_processes(),
                              n_entries("/proc/self/fd"),
                              n_entries("/dev/shm"),
                              n_lines("/proc/self/mounts"),
                              n_lines("/proc/self/cgroup"),
                              n_named_left(),
                              resident_kib()};
}

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 10000;
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    run(20); /* what the first use of anything opens is open now */
    struct inventory before = look();
    int64_t start_ms = pawl_clock_real_ms();
    run(n);
    struct inventory after = look();
    printf("%d tests in %.0f s; processes %d -> %d, descriptors %d -> %d, shared memory %d -> %d, "
           "mounts "
           "%d -> %d, files %d, resident %ld -> %ld KiB\n",
           n, 1e-3 * (double)(pawl_clock_real_ms() - start_ms), before.processes, after.processes,
           before.descriptors, after.descriptors, before.shm, after.shm, before.mounts,
           after.mounts, after.left, before.resident_kib, after.resident_kib);
    bool same = before.processes == after.processes && before.descriptors == after.descriptors &&
                before.shm == after.shm && before.mounts == after.mounts &&
                before.cgroups == after.cgroups && after.left == 0 &&
                after.resident_kib < before.resident_kib + 8192;
    return same ? 0 : 1;
}
