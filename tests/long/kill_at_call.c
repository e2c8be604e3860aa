/*
 * kill_at_call: run a command and kill all of its processes at their n-th system call.
 *
 *     long_kill_at_call [--changes] REPORT N COMMAND ARGUMENT...
 *
 * A kill between two system calls leaves what a kill before the second leaves, so N = 1, 2, ... tries
 * every kill -9 that there is, to the last one of the command. N = 0 only counts.
 *
 * Invariants
 *   1. Every thread and child is traced from its first instruction, and its calls are counted in the
 *      order in which they begin, all together.
 *   2. The n-th call does not happen. Nothing of the tree runs on after it.
 *   3. Nothing outlives this program: who is traced dies with it.
 *
 * With --changes only calls are counted that others could see the effect of (writes, syncs, names,
 * locks, messages, processes, shared mappings): between two of them every kill leaves the same.
 *
 * REPORT gets one line, {"calls":COUNTED,"killed":BOOL,"call":NUMBER}. The exit status is the
 * command's, 137 when it was killed, 124 after DEADLINE_S, 125 when it could not be traced.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/ptrace.h> /* before sys/ptrace.h, which has another struct of the same name */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Of glibc's sys/ptrace.h, which cannot be included beside the kernel's. */
extern long ptrace(int request, ...);

enum { DEADLINE_S = 120, TASKS_MAX = 4096, EXIT_LATE = 124, EXIT_FAILED = 125, EXIT_KILLED = 137 };

struct tree {
    pid_t command;
    pid_t tasks[TASKS_MAX]; /* threads and processes */
    size_t n_tasks;
    bool only_changes;
    unsigned long long n, counted, killing_call;
    bool killed;
    int exit_status;
};

static volatile sig_atomic_t is_late;

static void note_late(int signal_number)
{
    (void)signal_number;
    is_late = 1;
}

static void fail(const char *what)
{
    fprintf(stderr, "kill_at_call: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILED);
}

/* --- which calls count ---------------------------------------------------------------------------- */

static const unsigned short changing[] = {
    SYS_write,     SYS_writev,   SYS_pwrite64,   SYS_pwritev,   SYS_pwritev2, SYS_fsync,
    SYS_fdatasync, SYS_msync,    SYS_ftruncate,  SYS_fallocate, SYS_renameat, SYS_renameat2,
    SYS_unlinkat,  SYS_mkdirat,  SYS_linkat,     SYS_symlinkat, SYS_fchmod,   SYS_fchmodat,
    SYS_utimensat, SYS_flock,    SYS_fcntl,      SYS_sendto,    SYS_sendmsg,  SYS_clone,
    SYS_execve,    SYS_shutdown, SYS_exit_group, SYS_kill,      SYS_close,
#ifdef SYS_clone3
    SYS_clone3,
#endif
#ifdef SYS_rename /* older machines have both forms */
    SYS_rename,    SYS_unlink,   SYS_rmdir,      SYS_mkdir,     SYS_link,     SYS_symlink,
    SYS_chmod,     SYS_vfork,    SYS_fork,
#endif
};

static bool is_change(const struct ptrace_syscall_info *info)
{
    const unsigned long long *args = (const unsigned long long *)info->entry.args;
#ifdef SYS_open
    if (info->entry.nr == SYS_open) return (args[1] & (O_CREAT | O_TRUNC)) != 0;
#endif
    if (info->entry.nr == SYS_openat) return (args[2] & (O_CREAT | O_TRUNC)) != 0;
    if (info->entry.nr == SYS_mmap)
        return (args[2] & PROT_WRITE) != 0 && (args[3] & MAP_TYPE) == MAP_SHARED;
    for (size_t i = 0; i < sizeof changing / sizeof *changing; i++)
        if (info->entry.nr == changing[i]) return true;
    return false;
}

/* --- the tree ------------------------------------------------------------------------------------- */

static void add_task(struct tree *tree, pid_t pid)
{
    for (size_t i = 0; i < tree->n_tasks; i++)
        if (tree->tasks[i] == pid) return;
    if (tree->n_tasks == TASKS_MAX) {
        errno = EAGAIN;
        fail("more threads than it can follow");
    }
    tree->tasks[tree->n_tasks++] = pid;
}

static void remove_task(struct tree *tree, pid_t pid)
{
    for (size_t i = 0; i < tree->n_tasks; i++)
        if (tree->tasks[i] == pid) tree->tasks[i] = tree->tasks[--tree->n_tasks];
}

static void kill_all(struct tree *tree)
{
    tree->killed = true;
    for (size_t i = 0; i < tree->n_tasks; i++) kill(tree->tasks[i], SIGKILL);
}

/* A call begins or ends. Gives whether everything was killed at it. */
static bool take_call(struct tree *tree, pid_t pid)
{
    struct ptrace_syscall_info info = {0};
    long got = ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info);
    if (got < 0 && errno == ESRCH) return false; /* it died meanwhile */
    if (got < 0) fail("the kernel does not say what a system call is");
    if (info.op != PTRACE_SYSCALL_INFO_ENTRY) return false;
    if (tree->only_changes && !is_change(&info)) return false;
    if (++tree->counted != tree->n) return false;
    tree->killing_call = info.entry.nr;
    kill_all(tree);
    return true;
}

/* One report of one task: count, and let it go on. */
static void take_stop(struct tree *tree, pid_t pid, int status)
{
    int signal_number = WSTOPSIG(status), event = status >> 16;
    add_task(tree, pid);
    if (tree->killed) {
        kill(pid, SIGKILL);
        return;
    }
    if (signal_number == (SIGTRAP | 0x80)) {
        if (take_call(tree, pid)) return;
        signal_number = 0;
    }
    if (event != 0) signal_number = 0;
    ptrace(PTRACE_SYSCALL, pid, NULL, (long)signal_number); /* ESRCH: it died meanwhile */
}

static void follow(struct tree *tree)
{
    while (!is_late) {
        int status;
        pid_t pid = waitpid(-1, &status, __WALL);
        if (pid < 0 && errno == EINTR) continue;
        if (pid < 0) return; /* nobody is left */
        if (WIFSTOPPED(status)) {
            take_stop(tree, pid, status);
            continue;
        }
        remove_task(tree, pid);
        if (pid != tree->command) continue;
        tree->exit_status =
            WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_KILLED - SIGKILL + WTERMSIG(status);
    }
    tree->exit_status = EXIT_LATE; /* the kernel kills who is still traced when we end */
}

static pid_t start(char **argv)
{
    const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL | PTRACE_O_TRACEFORK |
                         PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;
    int status;
    pid_t pid = fork();
    if (pid < 0) fail("fork");
    if (pid == 0) {
        raise(SIGSTOP); /* until it is traced */
        execvp(argv[0], argv);
        fail(argv[0]);
    }
    if (waitpid(pid, &status, WUNTRACED) != pid) fail("wait");
    if (ptrace(PTRACE_SEIZE, pid, NULL, options) != 0) {
        kill(pid, SIGKILL);
        fail("the command cannot be traced");
    }
    kill(pid, SIGCONT);
    return pid;
}

static void report(const struct tree *tree, const char *path)
{
    FILE *file = fopen(path, "we");
    if (file == NULL) fail(path);
    fprintf(file, "{\"calls\":%llu,\"killed\":%s,\"call\":%llu}\n", tree->counted,
            tree->killed ? "true" : "false", tree->killing_call);
    if (fclose(file) != 0) fail(path);
}

int main(int argc, char **argv)
{
    static struct tree tree;
    struct sigaction late = {.sa_handler = note_late}; /* without SA_RESTART: it ends the wait */
    tree.only_changes = argc > 1 && strcmp(argv[1], "--changes") == 0;
    if (tree.only_changes) argc--, argv++;
    if (argc < 4) {
        fprintf(stderr, "usage: kill_at_call [--changes] REPORT N COMMAND ARGUMENT...\n");
        return EXIT_FAILED;
    }
    tree.n = strtoull(argv[2], NULL, 10);
    sigaction(SIGALRM, &late, NULL);
    tree.command = start(argv + 3);
    add_task(&tree, tree.command);
    alarm(DEADLINE_S);
    follow(&tree);
    report(&tree, argv[1]);
    return tree.exit_status;
}
