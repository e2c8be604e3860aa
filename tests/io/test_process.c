/* A child gets the descriptors it was promised and nothing else, and it always ends. */
#include "io/process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *const no_env[] = {NULL};

/* Run a shell script with `fds`. Gives its wait status. */
static int run(const char *script, const struct pawl_process_fd *fds, size_t n_fds)
{
    const char *const argv[] = {"sh", "-c", script, NULL};
    struct pawl_process spec = {
        .path = "/bin/sh", .argv = argv, .env = no_env, .cwd = "/", .fds = fds, .n_fds = n_fds};
    struct pawl_error err;
    pid_t pid;
    assert_int_equal(pawl_process_start(&spec, &pid, &err), PAWL_OK);
    int status;
    pawl_process_end(pid, 10000, 1000, &status);
    return status;
}

/* What the script writes to `fd`. */
static void read_output(const char *script, int child_fd, char *out, size_t room)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    run(script, &(struct pawl_process_fd){ends[1], child_fd}, 1);
    close(ends[1]);
    ssize_t n = read(ends[0], out, room - 1);
    out[n < 0 ? 0 : n] = '\0';
    close(ends[0]);
}

static void test_the_child_has_its_descriptors_and_no_others(void **state)
{
    (void)state;
    int leaked = open("/dev/null", O_RDONLY); /* not close-on-exec, on purpose */
    char out[256];
    /* ls itself opens the folder, as 3; a shell with a pipeline would show its own pipes. */
    read_output("exec ls /proc/self/fd", 1, out, sizeof out);
    assert_string_equal(out, "0\n1\n2\n3\n");
    read_output("exec ls /proc/self/fd >&5", 5, out, sizeof out);
    assert_string_equal(out, "0\n1\n2\n3\n5\n");
    read_output("exec readlink /proc/self/fd/0 >&5", 5, out, sizeof out);
    assert_string_equal(out, "/dev/null\n");
    close(leaked);
}

static void test_descriptors_may_change_places(void **state)
{
    (void)state;
    int one[2], two[2];
    assert_int_equal(pipe2(one, O_CLOEXEC), 0);
    assert_int_equal(pipe2(two, O_CLOEXEC), 0);
    /* Each is put on the number that the other has here. */
    struct pawl_process_fd fds[] = {{one[1], two[1]}, {two[1], one[1]}};
    char script[64];
    snprintf(script, sizeof script, "echo first >&%d; echo second >&%d", two[1], one[1]);
    assert_int_equal(run(script, fds, 2), 0);
    char out[16] = "";
    assert_int_equal(read(one[0], out, sizeof out), 6);
    assert_memory_equal(out, "first\n", 6);
    assert_int_equal(read(two[0], out, sizeof out), 7);
    assert_memory_equal(out, "second\n", 7);
    for (int i = 0; i < 2; i++) {
        close(one[i]);
        close(two[i]);
    }
}

static void test_environment_folder_and_group_are_the_childs_own(void **state)
{
    (void)state;
    char out[256];
    read_output("pwd; env | grep -c -v -e ^PWD= -e ^_= -e ^OLDPWD=", 1, out, sizeof out);
    assert_string_equal(out, "/\n0\n");
    read_output("read -r pid name state parent group rest </proc/$$/stat; echo $((group - pid))", 1,
                out, sizeof out);
    assert_string_equal(out, "0\n");
}

static void test_no_signal_is_blocked_or_ignored(void **state)
{
    (void)state;
    sigset_t block;
    sigemptyset(&block);
    sigaddset(&block, SIGTERM);
    sigprocmask(SIG_BLOCK, &block, NULL);
    signal(SIGPIPE, SIG_IGN);
    int status = run("kill -TERM $$; exit 7", NULL, 0);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    status = run("kill -PIPE $$; exit 7", NULL, 0);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
    sigprocmask(SIG_UNBLOCK, &block, NULL);
}

static void test_a_program_that_is_not_there(void **state)
{
    (void)state;
    const char *const argv[] = {"nothing", NULL};
    struct pawl_process spec = {.path = "/no/such/program", .argv = argv, .env = no_env};
    struct pawl_error err;
    pid_t pid;
    assert_int_equal(pawl_process_start(&spec, &pid, &err), PAWL_EWORLD);
    assert_non_null(strstr(err.message, "/no/such/program"));
}

static void test_a_child_that_will_not_go_is_killed(void **state)
{
    (void)state;
    const char *const argv[] = {"sh", "-c", "trap '' TERM; while :; do sleep 0.01; done", NULL};
    struct pawl_process spec = {.path = "/bin/sh", .argv = argv, .env = no_env};
    struct pawl_error err;
    pid_t pid;
    assert_int_equal(pawl_process_start(&spec, &pid, &err), PAWL_OK);
    time_t start = time(NULL);
    int status;
    pawl_process_end(pid, 100, 100, &status);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_true(time(NULL) - start < 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_child_has_its_descriptors_and_no_others),
        cmocka_unit_test(test_descriptors_may_change_places),
        cmocka_unit_test(test_environment_folder_and_group_are_the_childs_own),
        cmocka_unit_test(test_no_signal_is_blocked_or_ignored),
        cmocka_unit_test(test_a_program_that_is_not_there),
        cmocka_unit_test(test_a_child_that_will_not_go_is_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
