/* Confining this very process; each case in a fork, because it cannot be undone. */
#include "sandbox/sandbox.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[] = "/tmp/pawl-confine-XXXXXX";

static bool can_open(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);
    if (fd >= 0) close(fd);
    return fd >= 0;
}

static int in_a_fork(int (*body)(void))
{
    pid_t pid = fork();
    if (pid == 0) _exit(body());
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 200;
}

static struct pawl_confinement folder_only(void)
{
    static const char *read[] = {"/usr", "/lib", "/lib64", "/no/such/path", NULL};
    static const char *write[2];
    write[0] = folder;
    return (struct pawl_confinement){.paths = {read, write}, .children = true};
}

static void *open_secret(void *result)
{
    *(bool *)result = can_open("/etc/passwd", O_RDONLY);
    return NULL;
}

static int confined_body(void)
{
    struct pawl_confinement what = folder_only();
    struct pawl_error err = {0};
    char path[100];
    if (pawl_confine_self(&what, &err) != PAWL_OK) return 1;
    snprintf(path, sizeof path, "%s/file", folder);
    if (!can_open(path, O_WRONLY | O_CREAT)) return 2;
    if (can_open("/etc/passwd", O_RDONLY)) return 3;
    if (can_open("/tmp/pawl-confine-escape", O_WRONLY | O_CREAT)) return 4;
    bool opened = true;
    pthread_t thread;
    pthread_create(&thread, NULL, open_secret, &opened);
    pthread_join(thread, NULL);
    return opened ? 5 : 0; /* later threads are bound too */
}

static int connect_body(void)
{
    int server = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t len = sizeof address;
    if (bind(server, (struct sockaddr *)&address, len) != 0 || listen(server, 1) != 0) return 1;
    getsockname(server, (struct sockaddr *)&address, &len);
    struct pawl_confinement what = folder_only();
    if (pawl_confine_self(&what, NULL) != PAWL_OK) return 2;
    int client = socket(AF_INET, SOCK_STREAM, 0);
    return connect(client, (struct sockaddr *)&address, len) == 0 ? 3 : 0;
}

static int child_body(void)
{
    struct pawl_confinement what = folder_only();
    struct pawl_error err = {0};
    if (pawl_confine_self(&what, &err) != PAWL_OK) return 1;
    const char *argv[] = {"/usr/bin/env", "sh", "-c", "echo alive; sleep 60", NULL};
    const char *env[] = {"PATH=/usr/bin:/bin", NULL};
    struct pawl_command command = {
        .argv = argv, .env = env, .cwd = folder, .limits = pawl_sandbox_default_limits()};
    struct pawl_child *child;
    if (pawl_child_start(&command, &child, &err) != PAWL_OK) return 2;
    struct pawl_str line;
    if (pawl_child_read(child, 10000, &line) != PAWL_CHILD_LINE) return 3;
    pawl_child_stop(child); /* hangs unless a confined parent may end its child */
    return 0;
}

static int abi(void)
{
    json_t *described = pawl_sandbox_describe();
    int version = (int)pawl_json_get_int(described, "landlock_abi", 0);
    json_decref(described);
    return version;
}

static void test_confined_process_sees_only_its_paths(void **state)
{
    (void)state;
    if (abi() == 0) skip();
    assert_int_equal(in_a_fork(confined_body), 0);
}

static void test_confined_process_connects_nowhere(void **state)
{
    (void)state;
    if (abi() < 4) skip();
    assert_int_equal(in_a_fork(connect_body), 0);
}

static void test_confined_process_starts_and_ends_children(void **state)
{
    (void)state;
    assert_int_equal(in_a_fork(child_body), 0);
}

static void test_description_is_proved_not_assumed(void **state)
{
    (void)state;
    json_t *described = pawl_sandbox_describe();
    json_t *tested = json_object_get(described, "tested");
    const char *level = pawl_json_get_text(described, "level", "");
    assert_true(level[0] == 'S');
    if (level[1] == '2') {
        assert_true(pawl_json_get_bool(tested, "files", false));
        assert_true(pawl_json_get_bool(tested, "sockets", false));
        assert_true(pawl_json_get_bool(tested, "not_root", false));
    } else {
        assert_true(json_array_size(json_object_get(described, "notes")) > 1);
    }
    json_decref(described);
}

static int hardened_body(void)
{
    pawl_harden_self();
    struct stat info;
    /* An undumpable process belongs to root in /proc, whoever runs it; and dumps no core. */
    if (stat("/proc/self/environ", &info) != 0 || info.st_uid != 0) return 1;
    signal(SIGABRT, SIG_DFL);
    pid_t pid = fork();
    if (pid == 0) abort();
    int status;
    waitpid(pid, &status, 0);
    return WCOREDUMP(status) ? 2 : 0;
}

static void test_hardened_process_leaves_no_core(void **state)
{
    (void)state;
    assert_int_equal(in_a_fork(hardened_body), 0);
}

static long faults(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return used.ru_minflt;
}

static long locked_kib(void)
{
    char line[256];
    long kib = -1;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && kib < 0 && fgets(line, sizeof line, status))
        if (strncmp(line, "VmLck:", 6) == 0) kib = strtol(line + 6, NULL, 10);
    if (status) fclose(status);
    return kib;
}

/* 1: some of what is in memory may be swapped; 2: memory that nobody used was fetched. */
static int locked_body(void)
{
    enum { BYTES = 64 << 20 };
    char *unused = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (unused == MAP_FAILED) return 3;
    long before = faults();
    pawl_harden_self();
    if (locked_kib() < BYTES >> 10) return 1;
    return faults() - before > 2000 ? 2 : 0;
}

static void test_hardened_memory_is_locked_and_not_fetched(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    fputs("SKIPPED: the sanitizers make mlockall do nothing\n", stderr);
    skip();
#endif
    struct rlimit limit;
    getrlimit(RLIMIT_MEMLOCK, &limit);
    if (limit.rlim_cur != RLIM_INFINITY && geteuid() != 0) {
        fputs("SKIPPED: this user may lock little memory\n", stderr);
        skip();
    }
    assert_int_equal(in_a_fork(locked_body), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_confined_process_sees_only_its_paths),
        cmocka_unit_test(test_confined_process_connects_nowhere),
        cmocka_unit_test(test_confined_process_starts_and_ends_children),
        cmocka_unit_test(test_description_is_proved_not_assumed),
        cmocka_unit_test(test_hardened_process_leaves_no_core),
        cmocka_unit_test(test_hardened_memory_is_locked_and_not_fetched),
    };
    if (!mkdtemp(folder)) return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) != 0 || failed;
}
