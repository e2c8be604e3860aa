/* What a solution can do to seem right: every test fails if it is believed. */
#include "base/clock.h"
#include "sandbox/tests.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static struct pawl_tester *tester;
static struct pawl_arena arena;
static const char *last_text; /* what the last verdict said of the values */

static int open_tester(void **state)
{
    (void)state;
    struct pawl_error err = {0};
    const struct pawl_tester_limits limits = {.timeout_ms = 5000};
    if (pawl_tester_open(&limits, &tester, &err) != PAWL_OK) fail_msg("%s", err.message);
    return 0;
}

static int close_tester(void **state)
{
    (void)state;
    pawl_tester_close(tester);
    pawl_arena_release(&arena);
    return 0;
}

static struct pawl_verdict verdict_on(const char *solution, const char *tests)
{
    struct pawl_error err = {0};
    struct pawl_verdict verdict;
    const char *text;
    const struct pawl_solution s = {.sources = {pawl_str_of(solution)},
                                    .entry_point = PAWL_STR("f")};
    if (pawl_tests_run_visible(tester, &s, (struct pawl_visible_tests){pawl_str_of(tests)}, &arena,
                               &verdict, &text, &err) != PAWL_OK)
        fail_msg("%s %s", err.message, err.hint);
    last_text = text;
    return verdict;
}

struct row {
    const char *solution, *tests;
    enum pawl_tests_end end;
};

static void check_rows(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct pawl_verdict verdict = verdict_on(rows[i].solution, rows[i].tests);
        if (verdict.end != rows[i].end)
            fail_msg("\"%s\" on \"%s\": %s %s", rows[i].solution, rows[i].tests,
                     pawl_verdict_sentence(&verdict, &arena), last_text);
    }
}
#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof *(rows))

static void test_right_and_wrong(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"def f(a): return a + 1", "assert f(1) == 2", PAWL_TESTS_PASSED},
        {"def f(a): return a + 1", "def check(candidate):\n    assert candidate(1) == 2",
         PAWL_TESTS_PASSED},
        {"def f(a): return a + 2", "assert f(1) == 2", PAWL_TESTS_WRONG},
        {"def f(a): return a[5]", "assert f([1]) == 2", PAWL_TESTS_RAISED},
        {"def f(a) return a", "assert f([1]) == 2", PAWL_TESTS_RAISED},
        {"", "assert f([1]) == 2", PAWL_TESTS_RAISED},
        {"def g(): return 1", "assert f() == 1", PAWL_TESTS_RAISED},
        {"def f(a): raise ValueError('no')", /* the tests may ask for it */
         "try:\n    f(1)\n    assert False\nexcept ValueError:\n    assert True",
         PAWL_TESTS_PASSED},
        /* every kind of plain data, both ways */
        {"def f(*a, **k): return a, k",
         "v = ([1, (2, 'x\\u20ac')], {3, 4}, frozenset({5}), {(1, 2): None}, 1.5, 10**30, b'z', "
         "2j, True)\n"
         "assert f(*v, k=v) == (v, {'k': v})",
         PAWL_TESTS_PASSED},
        {"def f(): return float('nan')", "x = f()\nassert x != x", PAWL_TESTS_PASSED},
        {"def f(): return float('inf'), -0.0", "assert str(f()) == '(inf, -0.0)'",
         PAWL_TESTS_PASSED},
        {"def f(): return (1, 2)", "assert f() == [1, 2]", PAWL_TESTS_WRONG},
        {"class P:\n    def __init__(self, a): self.a = a\ndef f(p): return p.a", /* its objects */
         "p = P(3)\np.a = 4\nassert f(p) == 4 and p.a == 4", PAWL_TESTS_PASSED},
        {"def f(a): return a", "import random\nassert f(random.random()) is not None",
         PAWL_TESTS_PASSED},
        {"def f(a, k): return isinstance(a, k), k", "assert f(1, int) == (True, int)",
         PAWL_TESTS_PASSED},
        {"def f(a): return 1\ncheck = f", "assert check(2) == 1", PAWL_TESTS_PASSED},
        {"def f(a): return a", "assert f(lambda: 1)", PAWL_TESTS_UNFIT},
        {"def f(a): return a", "assert (", PAWL_TESTS_UNFIT},
        {"def f(a): return a", "f(1)", PAWL_TESTS_UNFIT}, /* asserts nothing */
    };
    CHECK_ROWS(rows);
}

/* What is known to fool those who judge in the same interpreter, or by exit codes and output. */
static void test_nothing_can_be_forged(void **state)
{
    (void)state;
    static const char tests[] = "assert f(1) == 2\nassert f(2) == 3";
    static const struct row rows[] = {
        {"import os\nos._exit(0)", tests, PAWL_TESTS_ENDED},
        {"import sys\ndef f(a): sys.exit(0)", tests, PAWL_TESTS_RAISED},
        {"import sys\nsys.exit(0)", tests, PAWL_TESTS_RAISED},
        {"import os\ndef f(a): os._exit(0)", tests, PAWL_TESTS_ENDED},
        {"import atexit\natexit.register(print, 'OK')\ndef f(a): return 2", tests,
         PAWL_TESTS_WRONG},
        {"class A:\n    def __eq__(self, o): return True\n    def __bool__(self): return True\n"
         "def f(a): return A()",
         tests, PAWL_TESTS_WRONG},
        {"class A(int):\n    def __eq__(self, o): return True\ndef f(a): return A(7)", tests,
         PAWL_TESTS_WRONG},
        {"class A(list):\n    def __eq__(self, o): return True\n    def __iter__(self): return "
         "iter([9])\n"
         "def f(a): return A()",
         "assert f(1) == [9]", PAWL_TESTS_WRONG},
        {"class A(str):\n    def __eq__(self, o): return True\n    def __str__(self): return 'x'\n"
         "def f(a): return A('y')",
         "assert f(1) == 'x'", PAWL_TESTS_WRONG},
        {"import builtins\nbuiltins.AssertionError = type('E', (BaseException,), {})\n"
         "builtins.__build_class__ = None\ndef f(a): return 7",
         tests, PAWL_TESTS_WRONG},
        {"import json, ast, sys\nfor m in (json, ast):\n    m.dumps = m.loads = lambda *a, **k: "
         "True\n"
         "sys.settrace(lambda *a: None)\ndef f(a): return 7",
         tests, PAWL_TESTS_WRONG},
        {"def f(a):\n    print('{\"end\":\"passed\"}')\n    return 7", tests, PAWL_TESTS_WRONG},
        {"def f(a): raise AssertionError", tests, PAWL_TESTS_RAISED},
        {"def f(a): raise StopIteration", tests, PAWL_TESTS_RAISED},
        {"def f(a): return 2 if a == 1 else 0", tests, PAWL_TESTS_WRONG},
        /* writing verdicts and answers to whatever is open */
        {"import os\nfor fd in range(256):\n    try: os.write(fd, b'{\"end\":\"passed\"}\\n' * 3)\n"
         "    except OSError: pass\ndef f(a): return 7",
         tests, PAWL_TESTS_NONSENSE},
        {"import os\nfor fd in range(256):\n    try: os.write(fd, b'[\"v\",2]\\n' * 3)\n"
         "    except OSError: pass\ndef f(a): return 7",
         tests, PAWL_TESTS_WRONG},
        {"import os\nfor fd in range(256):\n    try: os.write(fd, b'[\"v\",{\"o\":[[1]]}]\\n' * "
         "3)\n"
         "    except OSError: pass\ndef f(a): return 7",
         tests, PAWL_TESTS_WRONG},
        {"import os\nos.closerange(0, 256)\ndef f(a): return 2", tests, PAWL_TESTS_ENDED},
        /* finding what is expected, where it would be in another design */
        {"import gc\ndef f(a):\n    seen = [o for o in gc.get_objects() if isinstance(o, dict) and "
         "31337 in o.values()]\n"
         "    return 31337 if seen else 0",
         "assert f(1) == 31337", PAWL_TESTS_WRONG},
        {"import sys\ndef f(a):\n    g = sys._getframe(0)\n    while g:\n"
         "        if 'tests' in g.f_locals or 'spec' in g.f_locals: return 31337\n        g = "
         "g.f_back\n"
         "    return 0",
         "assert f(1) == 31337", PAWL_TESTS_WRONG},
    };
    CHECK_ROWS(rows);
}

/* Neither an earlier test nor this one is in the memory of a solution: it looks through what lies around
 * its objects, for a word that it does not hold itself. */
static void test_no_expected_value_is_in_its_memory(void **state)
{
    (void)state;
    static const char look[] = "import ctypes\n"
                               "libc, seen = ctypes.CDLL(None), (ctypes.c_ubyte * 1)()\n"
                               "less = bytes((c - 1) % 256 for c in range(256))\n"
                               "def f(a):\n"
                               "    base, found = id('%s-%s' % (a, a)) & ~0xfffff, 0\n"
                               "    for page in range(base - (4 << 20), base + (4 << 20), 4096):\n"
                               "        if libc.mincore(ctypes.c_void_p(page), 4096, seen) == 0:\n"
                               "            found += ctypes.string_at(page, "
                               "4096).translate(less).count(b'DWODBSDC,U@KTD')\n"
                               "    return found\n";
    char *has = pawl_arena_printf(
        &arena, "held = ['EXPECTED-%%s' %% word for word in ['VALUE'] * 9999]\n%s", look);
    verdict_on("def f(a): return 'EXPECTED-VALUE'", "assert f(1) == 'EXPECTED-VALUE'");
    verdict_on("def f(a): return 'EXPECTED-VALUE'", "import re\nassert f(1) == 'EXPECTED-VALUE'");
    assert_int_equal(verdict_on(look, "assert f('EXPECTED-') == 0 != 'EXPECTED-VALUE'").end,
                     PAWL_TESTS_PASSED);
    assert_int_equal(verdict_on(has, "assert f(1) > 0").end,
                     PAWL_TESTS_PASSED); /* it can be found */
}

static void test_limits_end_it(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"def f(a): return 'x' * (1 << 32)", "assert f(1) == 2", PAWL_TESTS_RAISED},
        {"def f(a):\n    a = [bytes(1 << 25)]\n    while True: a.append(bytes(1 << 25))",
         "assert f(1) == 2", PAWL_TESTS_RAISED},
        {"def f(a): return 'x' * (5 << 20)", "assert f(1) == 2", PAWL_TESTS_ENDED}, /* a flood */
        {"def f(a):\n    a = []\n    for i in range(100000): a = [a]\n    return a",
         "assert f(1) == 2", PAWL_TESTS_RAISED},
        {"import ctypes\nctypes.string_at(0)", "assert f(1) == 2", PAWL_TESTS_ENDED}, /* a crash */
    };
    CHECK_ROWS(rows);
}

static void test_waits_have_an_end(void **state)
{
    (void)state;
    static const char *const waiting[] = {"while True: pass", "import time\ntime.sleep(1000)",
                                          "import signal\nsignal.pause()",
                                          "def f(a):\n    while True: pass"};
    struct pawl_tester *patient = tester;
    struct pawl_error err = {0};
    const struct pawl_tester_limits limits = {.timeout_ms = 300};
    assert_int_equal(pawl_tester_open(&limits, &tester, &err), PAWL_OK);
    verdict_on("def f(a): return 1", "assert f(1)"); /* it is warm */
    for (size_t i = 0; i < sizeof waiting / sizeof *waiting; i++) {
        int64_t start_ms = pawl_clock_real_ms();
        assert_int_equal(verdict_on(waiting[i], "assert f(1) == 2").end, PAWL_TESTS_LATE);
        assert_in_range(pawl_clock_real_ms() - start_ms, 290, 3000);
    }
    assert_int_equal(verdict_on("def f(a): return 1", "while True: pass\nassert f(1)").end,
                     PAWL_TESTS_LATE);
    assert_int_equal(verdict_on("def f(a): return 1", "assert f(1)").end, PAWL_TESTS_PASSED);
    pawl_tester_close(tester);
    tester = patient;
}

/* Each gives the exception that it met; "" is what must not be. */
static void test_walls(void **state)
{
    (void)state;
    static const char *const tries[] = {
        "open('/etc/passwd')",
        "open('/proc/self/environ')",
        "open('/tmp/pawl-x', 'w')",
        "open('/dev/shm/pawl-x', 'w')",
        "os.fork()",
        "os.execv('/bin/true', ['true'])",
        "os.posix_spawn('/bin/true', ['true'], {})",
        "os.kill(os.getppid(), 0)",
        "os.kill(0, 9)",
        "os.killpg(0, 9)",
        "os.pidfd_open(os.getppid())",
        "os.memfd_create('x')",
        "os.setsid()",
        "os.utime('/usr')",
        "os.chmod('/usr', 0o755)",
        "os.mkfifo('/tmp/pawl-fifo')",
        "os.symlink('/etc', '/tmp/pawl-link')",
        "open('/etc/shadow')",
        "os.listdir('/proc')",
        "os.listdir('/root')",
        "os.listdir('/tmp')",
        "open('/dev/mem', 'rb')",
        "os.environ['HOME']",
        "os.open('/tmp', os.O_TMPFILE | os.O_RDWR)",
        "os.link('/usr/bin/env', '/tmp/pawl-link')",
        "os.rename('/usr/bin/env', '/usr/bin/pawl-env')",
        "os.truncate('/usr/bin/env', 0)",
        "os.mkdir('/var/tmp/pawl-folder')",
        "os.chdir('/root') or os.listdir('.')",
        "os.setuid(0) or os.getuid() or fail()",
        "signal.raise_signal(signal.SIGSTOP)",
        "socket.socket(socket.AF_PACKET)",
        "socket.socket(socket.AF_VSOCK)",
        "socket.socket(socket.AF_INET6)",
        "socket.getaddrinfo('localhost', 80)[0].nothing",
        "socket.socket()",
        "socket.socketpair()",
        "socket.socket(socket.AF_UNIX)",
        "socket.socket(socket.AF_NETLINK)",
        "threading.Thread(target=print).start()",
        "fcntl.fcntl(3, fcntl.F_SETOWN, os.getppid())",
        "fcntl.flock(0, fcntl.LOCK_EX)",
        "resource.setrlimit(resource.RLIMIT_CPU, (9999, 9999))",
        "resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (1, 1))",
        "os.setpriority(os.PRIO_PROCESS, os.getppid(), 19)",
        "ctypes.CDLL(None, use_errno=True).prctl(1, 0) == 0 or fail()", /* stays bound to us */
        "ctypes.CDLL(None, use_errno=True).ptrace(16, os.getppid(), 0, 0) == 0 or fail()",
        "ctypes.CDLL(None, use_errno=True).unshare(0x10000000) == 0 or fail()",
        "ctypes.CDLL(None, use_errno=True).syscall(425, 1, 0) >= 0 or fail()", /* io_uring */
        "ctypes.CDLL(None, use_errno=True).mount(b'', b'/tmp', b'tmpfs', 0, 0) == 0 or fail()",
        "ctypes.CDLL(None, use_errno=True).chroot(b'/usr') == 0 or fail()",
        "ctypes.CDLL(None, use_errno=True).setns(0, 0) == 0 or fail()",
        "ctypes.CDLL(None, use_errno=True).process_vm_readv(os.getppid(), 0, 0, 0, 0, 0) >= 0 or "
        "fail()",
        "ctypes.CDLL(None, use_errno=True).shmget(1, 4096, 0o1777) >= 0 or fail()",
        "ctypes.CDLL(None, use_errno=True).clone(0, 0, 0x10000000, 0) >= 0 or fail()",
#ifdef __x86_64__
        "ctypes.CDLL(None, use_errno=True).syscall(155, b'/', b'/') >= 0 or fail()", /* pivot_root */
        "ctypes.CDLL(None, use_errno=True).syscall(250, 0, -3, 1) >= 0 or fail()",   /* keyctl */
        "ctypes.CDLL(None, use_errno=True).syscall(298, 0, 0, -1, -1, 0) >= 0 or fail()", /* perf */
        "ctypes.CDLL(None, use_errno=True).syscall(304, -100, 0, 0) >= 0 or fail()", /* handles */
        "ctypes.CDLL(None, use_errno=True).syscall(321, 0, 0, 0) >= 0 or fail()",    /* bpf */
        "ctypes.CDLL(None, use_errno=True).syscall(323, 0) >= 0 or fail()", /* userfaultfd */
        "ctypes.CDLL(None, use_errno=True).syscall(430, b'tmpfs', 0) >= 0 or fail()", /* fsopen */
        "ctypes.CDLL(None, use_errno=True).syscall(435, 0, 0) >= 0 or fail()",        /* clone3 */
#endif
    };
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        const char *solution = pawl_arena_printf(
            &arena,
            "import ctypes, fcntl, os, resource, signal, socket, threading\n"
            "def fail(): raise PermissionError\n"
            "def f():\n"
            "    try:\n        %s\n"
            "    except (OSError, ValueError, RuntimeError, KeyError) as e:\n        "
            "return type(e).__name__\n"
            "    return ''\n",
            tries[i]);
        if (verdict_on(solution, "assert f() != ''").end != PAWL_TESTS_PASSED)
            fail_msg("allowed: %s (%s)", tries[i], last_text);
    }
}

#ifdef __x86_64__
/* The calls of other machines that this kernel speaks have other numbers: who makes one is killed. */
static void test_foreign_calls_kill(void **state)
{
    (void)state;
    assert_int_equal(
        verdict_on("import ctypes\ndef f(a): return ctypes.CDLL(None).syscall(0x40000000 + 39)",
                   "assert f(1) > 0")
            .end,
        PAWL_TESTS_ENDED);
}
#endif

/* One solution changes all that it can reach; the next finds it as ever. */
static void test_a_run_leaves_nothing_to_the_next(void **state)
{
    (void)state;
    verdict_on(
        "import builtins, json, math, random, sys\nbuiltins.len = lambda x: 7\nmath.pi = 3\n"
        "json.loads = None\nrandom.seed(7)\nsys.modules['re'] = None\n__builtins__['abs'] = None\n",
        "assert f(1)");
    assert_int_equal(
        verdict_on(
            "import json, math, random, re\n"
            "def f(): return len([]), math.pi > 3, json.loads('1'), abs(-1), random.random()",
            "a = f()\nassert a[:4] == (0, True, 1, 1)")
            .end,
        PAWL_TESTS_PASSED);
    /* nor do tests to other tests */
    verdict_on("def f(): return 1", "import math\nmath.pi = 4\nassert f() == 1");
    assert_int_equal(verdict_on("def f(): return 1", "assert math.pi < 3.2 and f()").end,
                     PAWL_TESTS_PASSED);
}

/* We are killed in the middle of a test: the interpreter dies, and with it all that it forked. Here they
 * would come to us as orphans, who are waited for. */
static void test_nothing_outlives_a_killed_engine(void **state)
{
    (void)state;
    int ready[2], status, n_gone = 0;
    char byte;
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
    assert_int_equal(pipe(ready), 0);
    pid_t engine = fork();
    if (engine == 0) {
        struct pawl_error err = {0};
        const struct pawl_tester_limits limits = {.timeout_ms = 100000};
        if (pawl_tester_open(&limits, &tester, &err) != PAWL_OK) _exit(1);
        verdict_on("def f(a): return 1", "assert f(1)");
        if (write(ready[1], "", 1) != 1) _exit(1);
        verdict_on("while True: pass", "import time\nassert f(1)");
        _exit(0);
    }
    struct pollfd is_ready = {.fd = ready[0], .events = POLLIN};
    assert_int_equal(poll(&is_ready, 1, 30000), 1);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    poll(NULL, 0, 200);
    kill(engine, SIGKILL);
    assert_int_equal(waitpid(engine, &status, 0), engine);
    int64_t deadline_ms = pawl_clock_real_ms() + 5000;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) >= 0 && pawl_clock_real_ms() < deadline_ms) {
        n_gone += pid > 0;
        if (pid == 0) poll(NULL, 0, 10);
    }
    assert_int_equal(pid, -1); /* nobody is left */
    assert_true(n_gone >= 1);  /* the interpreter; it may have buried its own first */
    close(ready[0]);
    close(ready[1]);
    prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
}

/* A hidden test says how it ended in numbers and in words of Python's; the solution chooses none of them. */
static void test_a_hidden_verdict_has_no_text(void **state)
{
    (void)state;
    struct pawl_error err = {0};
    struct pawl_verdict verdict;
    const struct pawl_solution s = {
        .sources = {PAWL_STR("def f(a): raise type(a, (Exception,), {})(a)")},
        .entry_point = PAWL_STR("f")};
    const struct pawl_hidden_tests tests = {PAWL_STR("assert True\nassert f('SECRET') == 2")};
    assert_int_equal(pawl_tests_run_hidden(tester, &s, tests, &verdict, &err), PAWL_OK);
    assert_int_equal(verdict.end, PAWL_TESTS_RAISED);
    assert_string_equal(verdict.raised, "");
    assert_int_equal(verdict.failed_at, 2);
    assert_string_equal(pawl_verdict_sentence(&verdict, &arena),
                        "The solution raised an exception of its own at assertion 2 of 2.");
}

static int run_all(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_right_and_wrong),
        cmocka_unit_test(test_nothing_can_be_forged),
        cmocka_unit_test(test_no_expected_value_is_in_its_memory),
        cmocka_unit_test(test_limits_end_it),
        cmocka_unit_test(test_waits_have_an_end),
        cmocka_unit_test(test_walls),
#ifdef __x86_64__
        cmocka_unit_test(test_foreign_calls_kill),
#endif
        cmocka_unit_test(test_a_run_leaves_nothing_to_the_next),
        cmocka_unit_test(test_a_hidden_verdict_has_no_text),
    };
    return cmocka_run_group_tests(tests, open_tester, close_tester);
}

/* A process of its own can be made as long as nothing here has a thread. */
static int run_first(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_nothing_outlives_a_killed_engine)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* As whoever we are and, where that is root, as an ordinary user: other walls hold then. */
int main(void)
{
    int failed = run_first(), status = 0;
    pid_t pid = geteuid() == 0 ? fork() : 0;
    if (pid == 0 && geteuid() == 0) {
        if (setgid(4711) != 0 || setuid(4711) != 0) return 1;
        failed += run_first();
    }
    failed += run_all();
    if (pid > 0 && (waitpid(pid, &status, 0) != pid || status != 0)) failed++;
    return failed;
}
