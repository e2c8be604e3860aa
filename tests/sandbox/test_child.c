/* What an untrusted command can do to us, tried for real: every test fails if it is allowed. */
#include "sandbox/sandbox.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[] = "/tmp/pawl-sandbox-XXXXXX", scratch[64], secret[64];

static int make_folder(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    chmod(folder, 0755);
    snprintf(scratch, sizeof scratch, "%s/scratch", folder);
    snprintf(secret, sizeof secret, "%s/secret", folder);
    assert_int_equal(mkdir(scratch, 0755), 0);
    FILE *file = fopen(secret, "w");
    assert_non_null(file);
    fputs("the sealed answer\n", file);
    fclose(file);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static struct pawl_command command_of(const char *const *argv)
{
    static const char *const env[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", NULL};
    static const char *write[2];
    write[0] = scratch;
    return (struct pawl_command){.argv = argv,
                                 .env = env,
                                 .cwd = scratch,
                                 .paths = {.write = write},
                                 .limits = pawl_sandbox_default_limits()};
}

static struct pawl_child *start(const struct pawl_command *command)
{
    struct pawl_error err = {0};
    struct pawl_child *child = NULL;
    if (pawl_child_start(command, &child, &err) != PAWL_OK) fail_msg("%s", err.message);
    return child;
}

/* Run a shell or Python text and give its first line; "(...)" when there is none. */
static const char *first_line(const struct pawl_command *command, int64_t timeout_ms)
{
    static char answer[600];
    struct pawl_child *child = start(command);
    struct pawl_str line;
    switch (pawl_child_read(child, timeout_ms, &line)) {
    case PAWL_CHILD_LINE:
        snprintf(answer, sizeof answer, PAWL_STR_FMT, PAWL_STR_ARG(line));
        break;
    case PAWL_CHILD_LATE:
        snprintf(answer, sizeof answer, "(late)");
        break;
    case PAWL_CHILD_TOO_LONG:
        snprintf(answer, sizeof answer, "(too long)");
        break;
    case PAWL_CHILD_ENDED:
        snprintf(answer, sizeof answer, "(%.500s)", pawl_child_complaint(child));
        break;
    }
    pawl_child_stop(child);
    return answer;
}

static const char *shell(const char *text)
{
    const char *argv[] = {"sh", "-c", text, NULL};
    struct pawl_command command = command_of(argv);
    return first_line(&command, 10000);
}

static const char *python(const char *text)
{
    const char *argv[] = {"python3", "-I", "-S", "-c", text, NULL};
    struct pawl_command command = command_of(argv);
    return first_line(&command, 20000);
}

static bool no_landlock(void)
{
    json_t *described = pawl_sandbox_describe();
    bool none = pawl_json_get_int(described, "landlock_abi", 0) == 0;
    json_decref(described);
    return none;
}

static void test_speaks_lines_both_ways(void **state)
{
    (void)state;
    const char *argv[] = {"sh", "-c", "while read -r x; do echo \"got $x\"; done", NULL};
    struct pawl_command command = command_of(argv);
    struct pawl_child *child = start(&command);
    struct pawl_str line;
    for (int i = 0; i < 100; i++) {
        char text[32], want[32];
        snprintf(text, sizeof text, "line %d", i);
        snprintf(want, sizeof want, "got line %d", i);
        assert_true(pawl_child_write(child, pawl_str_of(text), 5000));
        assert_int_equal(pawl_child_read(child, 5000, &line), PAWL_CHILD_LINE);
        assert_true(pawl_str_is(line, want));
    }
    assert_int_equal(pawl_child_read(child, 20, &line), PAWL_CHILD_LATE);
    pawl_child_stop(child);
}

static void test_missing_program_is_an_error_with_a_hint(void **state)
{
    (void)state;
    const char *argv[] = {"no-such-program-here", NULL};
    struct pawl_command command = command_of(argv);
    struct pawl_child *child;
    struct pawl_error err = {0};
    assert_int_equal(pawl_child_start(&command, &child, &err), PAWL_ENOTFOUND);
    assert_non_null(strstr(err.message, "no-such-program-here"));
    assert_true(err.hint[0] != '\0');
}

static void test_missing_folder_is_an_error(void **state)
{
    (void)state;
    const char *argv[] = {"true", NULL};
    struct pawl_command command = command_of(argv);
    command.cwd = "/no/such/folder";
    struct pawl_child *child;
    struct pawl_error err = {0};
    assert_int_equal(pawl_child_start(&command, &child, &err), PAWL_EWORLD);
    assert_non_null(strstr(err.message, "folder"));
}

static void test_complaint_says_how_it_ended(void **state)
{
    (void)state;
    const char *answer = shell("echo 'cannot open the model' >&2; exit 3");
    assert_non_null(strstr(answer, "status 3"));
    assert_non_null(strstr(answer, "cannot open the model"));
    assert_non_null(strstr(shell("kill -SEGV $$"), "signal 11"));
}

static void test_cannot_read_outside(void **state)
{
    (void)state;
    if (no_landlock()) skip();
    char text[200];
    snprintf(text, sizeof text, "cat %s 2>/dev/null || echo refused", secret);
    assert_string_equal(shell(text), "refused");
    assert_string_equal(shell("cat /etc/passwd 2>/dev/null || echo refused"), "refused");
    assert_string_equal(shell("cat /etc/shadow 2>/dev/null || echo refused"), "refused");
    assert_string_equal(shell("ls / >/dev/null 2>&1 || echo refused"), "refused");
    assert_string_equal(shell("cat /proc/self/environ 2>/dev/null || echo refused"), "refused");
    snprintf(text, sizeof text, "ln -s %s link; cat link 2>/dev/null || echo refused", secret);
    assert_string_equal(shell(text), "refused");
}

static void test_writes_only_where_allowed(void **state)
{
    (void)state;
    if (no_landlock()) skip();
    char text[300];
    assert_string_equal(shell("echo mine > file && cat file"), "mine");
    snprintf(text, sizeof text, "(echo x > %s/new) 2>/dev/null || echo refused", folder);
    assert_string_equal(shell(text), "refused");
    snprintf(text, sizeof text, "(echo x >> %s) 2>/dev/null || echo refused", secret);
    assert_string_equal(shell(text), "refused");
    snprintf(text, sizeof text, "ln %s stolen 2>/dev/null || echo refused", secret);
    assert_string_equal(shell(text), "refused");
    snprintf(text, sizeof text, "mv %s . 2>/dev/null || echo refused", secret);
    assert_string_equal(shell(text), "refused");
    assert_string_equal(shell("(echo x > /tmp/pawl-escape) 2>/dev/null || echo refused"),
                        "refused");
}

static void test_environment_and_descriptors_do_not_leak(void **state)
{
    (void)state;
    setenv("SECRET_API_KEY", "sk-123", 1);
    assert_string_equal(shell("echo \"[$SECRET_API_KEY]\""), "[]");
    int open_fd = dup(1); /* without close-on-exec, on purpose */
    char text[100];
    snprintf(text, sizeof text, "(echo x >&%d) 2>/dev/null || echo closed", open_fd);
    if (open_fd > 9) snprintf(text, sizeof text, "echo closed"); /* sh knows one digit */
    assert_string_equal(shell(text), "closed");
    close(open_fd);
}

static int listen_on_loopback(struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    *address = (struct sockaddr_in){.sin_family = AF_INET};
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t len = sizeof *address;
    assert_int_equal(bind(fd, (struct sockaddr *)address, len), 0);
    assert_int_equal(listen(fd, 5), 0);
    getsockname(fd, (struct sockaddr *)address, &len);
    return fd;
}

static void test_network_is_off_unless_asked_for(void **state)
{
    (void)state;
    struct sockaddr_in address;
    int fd = listen_on_loopback(&address);
    char text[300];
    snprintf(text, sizeof text,
             "import socket\n"
             "try: socket.create_connection(('127.0.0.1', %d), 2); print('connected')\n"
             "except OSError: print('refused')\n",
             ntohs(address.sin_port));
    assert_string_equal(python(text), "refused");
    assert_string_equal(python("import socket\n"
                               "for f in (socket.AF_UNIX, socket.AF_NETLINK, socket.AF_INET6):\n"
                               "  try: socket.socket(f, socket.SOCK_DGRAM); print('made', f)\n"
                               "  except OSError: pass\n"
                               "print('none')"),
                        "none");
    const char *argv[] = {"python3", "-I", "-S", "-c", text, NULL};
    struct pawl_command command = command_of(argv);
    command.network = true;
    assert_string_equal(first_line(&command, 20000), "connected");
    close(fd);
}

static void test_dangerous_calls_are_refused(void **state)
{
    (void)state;
    assert_string_equal(
        python("import ctypes, os\n"
               "c = ctypes.CDLL(None, use_errno=True)\n"
               "bad = []\n"
               "if c.unshare(0x10000000) == 0: bad.append('unshare')\n"
               "if c.ptrace(0, 0, 0, 0) == 0: bad.append('ptrace')\n"
               "if c.prctl(1, 0, 0, 0, 0) == 0: bad.append('pdeathsig')\n"
               "if c.syscall(425, 1, 0) >= 0: bad.append('io_uring')\n"
               "if c.syscall(321, 0, 0, 0) >= 0: bad.append('bpf')\n"
               "if c.mount(b'x', b'/tmp', b'tmpfs', 0, 0) == 0: bad.append('mount')\n"
               "for f in (os.setsid, os.setpgrp):\n"
               "  try: f(); bad.append(f.__name__)\n"
               "  except OSError: pass\n"
               "try: os.setuid(0); bad.append('setuid')\n"
               "except OSError: pass\n"
               "try: os.kill(os.getppid(), 0); bad.append('kill')\n"
               "except OSError: pass\n"
               "print(bad)"),
        "[]");
}

/* What stays behind when a process ends: a sealed-side program could leave its input there. */
static void test_nothing_is_left_for_a_later_process(void **state)
{
    (void)state;
    assert_string_equal(
        python(
            "import ctypes, os\n"
            "c = ctypes.CDLL(None, use_errno=True)\n"
            "bad = []\n"
            "if c.shmget(0x70a71, 4096, 0o1666) >= 0: bad.append('shared memory')\n"
            "if c.msgget(0x70a71, 0o1666) >= 0: bad.append('message queue')\n"
            "if c.semget(0x70a71, 1, 0o1666) >= 0: bad.append('semaphore')\n"
            "if c.inotify_add_watch(c.inotify_init(), b'/tmp', 0xfff) >= 0: bad.append('watch')\n"
            "open('noted', 'w').close()\n"
            "try: os.setxattr('noted', 'user.note', b'x'); bad.append('attribute')\n"
            "except OSError: pass\n"
            "print(bad)"),
        "[]");
}

/* Nor in the access time of a file that everybody may read. */
static void test_reading_leaves_no_trace(void **state)
{
    (void)state;
    if (geteuid() != 0) skip(); /* a known limit */
    const char *read[] = {folder, NULL};
    char text[160];
    snprintf(text, sizeof text, "cat %s && echo done", secret);
    const char *argv[] = {"sh", "-c", text, NULL};
    struct pawl_command command = command_of(argv);
    command.paths.read = read;
    const struct timespec long_ago[2] = {{1000000000, 0}, {1000000000, 0}};
    struct stat info;
    assert_int_equal(utimensat(AT_FDCWD, secret, long_ago, 0), 0);
    assert_string_equal(first_line(&command, 10000), "the sealed answer");
    assert_int_equal(stat(secret, &info), 0);
    assert_int_equal(info.st_atime, 1000000000);
}

/* Landlock knows nothing of limits and priorities: as an ordinary user a child shares our uid. */
static void test_cannot_slow_or_limit_its_parent(void **state)
{
    (void)state;
    assert_string_equal(
        python("import os, resource\n"
               "parent, bad = os.getppid(), []\n"
               "def tries(name, call):\n"
               "  try: call(); bad.append(name)\n"
               "  except PermissionError: pass\n"
               "tries('read a limit', lambda: resource.prlimit(parent, resource.RLIMIT_FSIZE))\n"
               "tries('affinity', lambda: os.sched_setaffinity(parent, {0}))\n"
               "tries('batch', lambda: os.sched_setscheduler(parent, 3, os.sched_param(0)))\n"
               "tries('priority', lambda: os.setpriority(os.PRIO_PROCESS, parent, 19))\n"
               "tries('all of the user', lambda: os.setpriority(os.PRIO_USER, 0, 19))\n"
               "os.nice(1)\n"
               "os.sched_setaffinity(0, os.sched_getaffinity(0))\n"
               "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))\n"
               "print(bad)"),
        "[]");
}

static void test_fork_bomb_is_bounded(void **state)
{
    (void)state;
    const char *argv[] = {"python3",
                          "-I",
                          "-S",
                          "-c",
                          "import os, time\n"
                          "n = 0\n"
                          "try:\n"
                          "  while n < 500:\n"
                          "    if os.fork() == 0: time.sleep(60); os._exit(0)\n"
                          "    n += 1\n"
                          "except OSError: pass\n"
                          "print(n)",
                          NULL};
    struct pawl_command command = command_of(argv);
    command.limits.processes = 20;
    int n = atoi(first_line(&command, 20000));
    assert_in_range(n, 0, 20);
}

static void test_memory_and_files_are_bounded(void **state)
{
    (void)state;
    const char *argv[] = {"python3",
                          "-I",
                          "-S",
                          "-c",
                          "try: x = bytearray(1 << 30); print(len(x))\n"
                          "except MemoryError: print('refused')",
                          NULL};
    struct pawl_command command = command_of(argv);
    command.limits.memory_bytes = 256 << 20;
    assert_string_equal(first_line(&command, 20000), "refused");

    const char *fill[] = {"sh", "-c", "head -c 5000000 /dev/zero > big; wc -c < big", NULL};
    command = command_of(fill);
    command.limits.file_bytes = 1 << 20;
    assert_string_equal(first_line(&command, 20000), "1048576");
}

static void test_cpu_is_bounded(void **state)
{
    (void)state;
    const char *argv[] = {"sh", "-c", "while :; do :; done", NULL};
    struct pawl_command command = command_of(argv);
    command.limits.cpu_s = 1;
    assert_non_null(strstr(first_line(&command, 20000), "signal"));
}

static void test_endless_line_and_flood_are_bounded(void **state)
{
    (void)state;
    const char *argv[] = {"sh", "-c", "cat /dev/zero", NULL};
    struct pawl_command command = command_of(argv);
    command.limits.line_bytes = 1 << 20;
    assert_string_equal(first_line(&command, 20000), "(too long)");
    assert_string_equal(shell("head -c 50000000 /dev/zero >&2; echo done"), "done");
}

static void test_a_child_that_does_not_read_is_left(void **state)
{
    (void)state;
    const char *argv[] = {"sleep", "60", NULL};
    struct pawl_command command = command_of(argv);
    struct pawl_child *child = start(&command);
    static char big[1 << 20];
    memset(big, 'x', sizeof big);
    assert_false(pawl_child_write(child, (struct pawl_str){big, sizeof big}, 200));
    pawl_child_stop(child);

    const char *gone[] = {"true", NULL};
    command = command_of(gone);
    child = start(&command);
    struct pawl_str line;
    assert_int_equal(pawl_child_read(child, 5000, &line), PAWL_CHILD_ENDED);
    assert_non_null(strstr(pawl_child_complaint(child), "status 0")); /* waits for its end */
    assert_false(pawl_child_write(child, PAWL_STR("hello"), 200));    /* and no SIGPIPE */
    pawl_child_stop(child);
}

static void test_writes_while_the_child_writes(void **state)
{
    (void)state;
    /* It answers at length before it reads on: both pipes are full unless the writer drains. */
    const char *argv[] = {"sh", "-c", "head -c 300000 /dev/zero | tr '\\0' x; echo; wc -c", NULL};
    struct pawl_command command = command_of(argv);
    struct pawl_child *child = start(&command);
    static char big[300000];
    memset(big, 'y', sizeof big);
    struct pawl_str line;
    assert_true(pawl_child_write(child, (struct pawl_str){big, sizeof big}, 10000));
    assert_int_equal(pawl_child_read(child, 10000, &line), PAWL_CHILD_LINE);
    assert_int_equal(line.len, 300000);
    pawl_child_stop(child);
}

static bool is_running(pid_t pid)
{
    char path[64], line[256] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (!file) return false;
    bool read = fgets(line, sizeof line, file) != NULL;
    fclose(file);
    const char *after = strrchr(line, ')');
    return read && after && after[2] != 'Z';
}

static void test_stop_ends_everybody(void **state)
{
    (void)state;
    const char *argv[] = {"python3",
                          "-I",
                          "-S",
                          "-c",
                          "import os, signal, sys, time\n"
                          "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
                          "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
                          "if os.fork() == 0:\n"
                          "  try: os.setsid()\n"
                          "  except OSError: pass\n"
                          "  if os.fork() == 0:\n"
                          "    print(os.getpid(), flush=True); time.sleep(60)\n"
                          "  os._exit(0)\n"
                          "time.sleep(60)",
                          NULL};
    struct pawl_command command = command_of(argv);
    struct pawl_child *child = start(&command);
    struct pawl_str line;
    assert_int_equal(pawl_child_read(child, 20000, &line), PAWL_CHILD_LINE);
    pid_t daemon_pid = (pid_t)strtol(line.ptr, NULL, 10);
    assert_true(daemon_pid > 1);
    assert_true(is_running(daemon_pid));
    pawl_child_stop(child);
    for (int i = 0; i < 100 && is_running(daemon_pid); i++) usleep(10000);
    assert_false(is_running(daemon_pid));
}

static void test_python_is_an_interpreter_not_a_shim(void **state)
{
    (void)state;
    char shims[100], shim[120], path[300];
    snprintf(shims, sizeof shims, "%s/shims", folder);
    assert_int_equal(mkdir(shims, 0755), 0);
    snprintf(shim, sizeof shim, "%s/python3", shims);
    FILE *file = fopen(shim, "w");
    fputs("#!/bin/sh\necho shim\n", file);
    fclose(file);
    chmod(shim, 0755);
    const char *before = getenv("PATH");
    snprintf(path, sizeof path, "%s:/usr/local/bin:/usr/bin:/bin", shims);
    char *saved = strdup(before ? before : "");
    setenv("PATH", path, 1);
    assert_string_equal(python("print('interpreter')"), "interpreter");
    setenv("PATH", saved, 1);
    free(saved);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_speaks_lines_both_ways),
        cmocka_unit_test(test_missing_program_is_an_error_with_a_hint),
        cmocka_unit_test(test_missing_folder_is_an_error),
        cmocka_unit_test(test_complaint_says_how_it_ended),
        cmocka_unit_test(test_cannot_read_outside),
        cmocka_unit_test(test_writes_only_where_allowed),
        cmocka_unit_test(test_environment_and_descriptors_do_not_leak),
        cmocka_unit_test(test_network_is_off_unless_asked_for),
        cmocka_unit_test(test_dangerous_calls_are_refused),
        cmocka_unit_test(test_nothing_is_left_for_a_later_process),
        cmocka_unit_test(test_reading_leaves_no_trace),
        cmocka_unit_test(test_cannot_slow_or_limit_its_parent),
        cmocka_unit_test(test_fork_bomb_is_bounded),
        cmocka_unit_test(test_memory_and_files_are_bounded),
        cmocka_unit_test(test_cpu_is_bounded),
        cmocka_unit_test(test_endless_line_and_flood_are_bounded),
        cmocka_unit_test(test_a_child_that_does_not_read_is_left),
        cmocka_unit_test(test_writes_while_the_child_writes),
        cmocka_unit_test(test_stop_ends_everybody),
        cmocka_unit_test(test_python_is_an_interpreter_not_a_shim),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
