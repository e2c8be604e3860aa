#include "sandbox/launch.h"
#include "sandbox/find.h"
#include "sandbox/landlock.h"
#include "sandbox/seccomp.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { UID_NOBODY = 65534 };
/* A range that no distribution and no container manager hands out. */
#define UID_FIRST 0x70000000u

/* --- the child's side: between fork and exec, async-signal-safe --------------------------------- */

struct launch {
    const char *path;
    const struct pawl_command *command;
    uid_t uid; /* 0: stay who we are */
    int ruleset;
    int64_t processes; /* RLIMIT_NPROC; -1: leave it */
    int stdio[3], report;
    pid_t parent, pid;
    int errnum; /* of fork */
};
enum step {
    STEP_STDIO,
    STEP_FOLDER,
    STEP_LIMITS,
    STEP_UID,
    STEP_LANDLOCK,
    STEP_SECCOMP,
    STEP_EXEC
};
static const char *const step_names[] = {"connect its input and output",
                                         "enter its folder",
                                         "set its limits",
                                         "change its user",
                                         "enforce Landlock",
                                         "enforce seccomp",
                                         "execute it"};
struct report {
    enum step step;
    int errnum;
};

static bool limit(unsigned resource, int64_t value)
{
    struct rlimit now, next = {(rlim_t)value, (rlim_t)value};
    if (getrlimit(resource, &now) == 0 && now.rlim_max < next.rlim_max)
        next.rlim_cur = next.rlim_max = now.rlim_max;
    return setrlimit(resource, &next) == 0;
}

static bool set_limits(const struct launch *l)
{
    const struct pawl_sandbox_limits *limits = &l->command->limits;
    return limit(RLIMIT_CPU, limits->cpu_s) && limit(RLIMIT_AS, limits->memory_bytes) &&
           limit(RLIMIT_FSIZE, limits->file_bytes) && limit(RLIMIT_NOFILE, 256) &&
           limit(RLIMIT_CORE, 0) && limit(RLIMIT_MEMLOCK, 0) && limit(RLIMIT_MSGQUEUE, 0) &&
           (l->processes < 0 || limit(RLIMIT_NPROC, l->processes));
}

/* Reading by any path stays possible, because Landlock says which: a project below root's own
 * folder could not be read by another user. Without Landlock the right goes too. */
bool pawl_drop_uid(uid_t uid, bool keep_reading)
{
    if (uid == 0) return true;
    prctl(PR_SET_KEEPCAPS, keep_reading ? 1 : 0, 0, 0, 0);
    if (setgroups(0, NULL) != 0 || setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0)
        return false;
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{0}, {0}};
    if (keep_reading) {
        uint32_t reading = 1u << CAP_DAC_READ_SEARCH;
        data[0] = (struct __user_cap_data_struct){reading, reading, reading};
    }
    if (syscall(SYS_capset, &header, data) != 0) return false;
    if (keep_reading) prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_READ_SEARCH, 0, 0);
    return true;
}

static void close_others_on_exec(void)
{
    if (syscall(436 /* close_range */, 3u, ~0u, 4u /* on exec */) == 0) return;
    for (int fd = 3; fd < 1024; fd++) fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static void reset_signals(void)
{
    for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Gives the step that failed; does not come back when none does. */
static enum step become(const struct launch *l)
{
    setsid();
    reset_signals();
    for (int i = 0; i < 3; i++)
        if (dup2(l->stdio[i], i) < 0) return STEP_STDIO;
    close_others_on_exec();
    umask(077);
    if (l->command->cwd && chdir(l->command->cwd) != 0) return STEP_FOLDER;
    if (!set_limits(l)) return STEP_LIMITS;
    if (!pawl_drop_uid(l->uid, l->ruleset >= 0)) return STEP_UID;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return STEP_LANDLOCK;
    if (!pawl_landlock_enforce(l->ruleset)) return STEP_LANDLOCK;
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); /* a change of user resets it: not before */
    if (getppid() != l->parent) _exit(1);
    if (pawl_seccomp_is_known() && !pawl_seccomp_enforce(l->command->network)) return STEP_SECCOMP;
    execve(l->path, (char *const *)l->command->argv, (char *const *)l->command->env);
    return STEP_EXEC;
}

/* --- the thread that forks ---------------------------------------------------------------------- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t wake, done;
    struct launch *job;
    bool finished;
} forker = {.lock = PTHREAD_MUTEX_INITIALIZER,
            .wake = PTHREAD_COND_INITIALIZER,
            .done = PTHREAD_COND_INITIALIZER};
static pthread_mutex_t one_job = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t forker_once = PTHREAD_ONCE_INIT;

/* The time of a file's last access is a note that anybody can read with stat, also after the writer
 * has ended: mounts of the children's own do not keep it. Once for all of them, because it takes
 * 2 ms. Only root can; elsewhere it is a known limit. */
static void keep_no_access_times(void)
{
    struct {
        uint64_t set, clear, propagation, userns_fd;
    } attributes = {.set = 0x10 /* no atime */, .clear = 0x70 /* whatever it was */};
    if (geteuid() != 0 || unshare(CLONE_NEWNS) != 0) return;
    syscall(442 /* mount_setattr */, AT_FDCWD, "/", AT_RECURSIVE, &attributes, sizeof attributes);
}

static void *fork_on_request(void *unused)
{
    (void)unused;
    keep_no_access_times();
    pthread_mutex_lock(&forker.lock);
    for (;;) {
        while (!forker.job || forker.finished) pthread_cond_wait(&forker.wake, &forker.lock);
        struct launch *l = forker.job;
        l->pid = fork();
        l->errnum = errno;
        if (l->pid == 0) {
            struct report report = {.step = become(l), .errnum = errno};
            ssize_t n = write(l->report, &report, sizeof report);
            _exit(n == sizeof report ? 127 : 126);
        }
        forker.finished = true;
        pthread_cond_signal(&forker.done);
    }
    return NULL;
}

static void start_forker(void)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    if (pthread_create(&thread, NULL, fork_on_request, NULL) != 0)
        PAWL_BUG("no thread for starting children");
    pthread_detach(thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void fork_there(struct launch *l)
{
    pthread_once(&forker_once, start_forker);
    pthread_mutex_lock(&one_job);
    pthread_mutex_lock(&forker.lock);
    forker.job = l;
    forker.finished = false;
    pthread_cond_signal(&forker.wake);
    while (!forker.finished) pthread_cond_wait(&forker.done, &forker.lock);
    forker.job = NULL;
    pthread_mutex_unlock(&forker.lock);
    pthread_mutex_unlock(&one_job);
}

/* --- our side ------------------------------------------------------------------------------------ */

/* Outside the first user name space only some users exist. */
static bool uid_exists(uid_t uid)
{
    uid_t ours = (uid_t)setfsuid(uid); /* this thread only */
    bool exists = (uid_t)setfsuid((uid_t)-1) == uid;
    setfsuid(ours);
    return exists;
}

/* As root every child has a user of its own: limits count it alone, and it can reach no other. */
uid_t pawl_sandbox_uid(void)
{
    static atomic_uint counter;
    if (geteuid() != 0) return 0;
    unsigned place = (unsigned)getpid() % 4096 * 65536 + atomic_fetch_add(&counter, 1) % 65536;
    uid_t uid = UID_FIRST + place;
    return uid_exists(uid) ? uid : UID_NOBODY;
}

/* Tasks that our own user has now: without a user of its own a child is counted among them. */
static int64_t count_own_tasks(void)
{
    DIR *processes = opendir("/proc");
    if (!processes) return -1;
    int64_t n = 0;
    for (struct dirent *entry; (entry = readdir(processes));) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
        char path[300];
        struct stat info;
        snprintf(path, sizeof path, "/proc/%s/task", entry->d_name);
        /* A folder of tasks has two links of its own and one for each task. */
        if (stat(path, &info) == 0 && info.st_uid == geteuid()) n += (int64_t)info.st_nlink - 2;
    }
    closedir(processes);
    return n;
}

static int64_t process_limit(const struct pawl_command *command, uid_t uid)
{
    if (uid != 0) return command->limits.processes;
    int64_t own = count_own_tasks();
    return own < 0 ? -1 : own + command->limits.processes;
}

struct pipes {
    int ours[4], theirs[4]; /* stdin, stdout, stderr, report */
};

static void close_all(int *fds, int n)
{
    for (int i = 0; i < n; i++)
        if (fds[i] >= 0) close(fds[i]);
}

/* A pipe whose ends are not 0, 1 or 2, whatever the process had closed. */
static bool open_pipe(int *read_end, int *write_end)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return false;
    for (int i = 0; i < 2; i++) {
        if (ends[i] > 2) continue;
        int higher = fcntl(ends[i], F_DUPFD_CLOEXEC, 3);
        close(ends[i]);
        ends[i] = higher;
    }
    *read_end = ends[0];
    *write_end = ends[1];
    return ends[0] >= 0 && ends[1] >= 0;
}

static enum pawl_status open_pipes(struct pipes *p, struct pawl_error *err)
{
    for (int i = 0; i < 4; i++) p->ours[i] = p->theirs[i] = -1;
    bool ok = open_pipe(&p->theirs[0], &p->ours[0]);
    for (int i = 1; ok && i < 4; i++) ok = open_pipe(&p->ours[i], &p->theirs[i]);
    for (int i = 0; ok && i < 3; i++) fcntl(p->ours[i], F_SETFL, O_NONBLOCK);
    if (ok) return PAWL_OK;
    int cause = errno;
    close_all(p->ours, 4);
    close_all(p->theirs, 4);
    return pawl_fail_errno(err, PAWL_EWORLD, cause, "No pipe for a child process could be made");
}

/* The write folders are the child's own. */
static enum pawl_status give_folders(const struct pawl_command *command, uid_t uid,
                                     struct pawl_error *err)
{
    const char *const *folder = command->paths.write;
    for (; uid != 0 && folder && *folder; folder++) {
        if (chown(*folder, uid, uid) != 0)
            return pawl_fail_errno(err, PAWL_EWORLD, errno,
                                   "The folder \"%s\" could not be given to a child", *folder);
    }
    return PAWL_OK;
}

static void hint_exec(const struct launch *l, struct pawl_error *err)
{
    struct pawl_arena call = {0};
    const char *hidden = pawl_hidden_program(&call, l->path);
    if (hidden)
        pawl_hint(err,
                  "It lies at %s, which the sandbox hides: a program may come from the system or "
                  "the project. Name one of these, e.g. command: [/usr/bin/python3, ...], or copy "
                  "it into the project and list what it needs under `read:`.",
                  hidden);
    else
        pawl_hint(err, "The program, its interpreter and its libraries must be readable.");
    pawl_arena_release(&call);
}

static enum pawl_status await_exec(struct launch *l, int report_fd, struct pawl_error *err)
{
    if (l->pid < 0)
        return pawl_fail_errno(err, PAWL_EWORLD, l->errnum, "No child process could be started");
    struct report report;
    ssize_t n;
    do n = read(report_fd, &report, sizeof report);
    while (n < 0 && errno == EINTR);
    if (n == 0) return PAWL_OK;
    if (n != sizeof report || (unsigned)report.step > STEP_EXEC)
        report = (struct report){STEP_EXEC, EIO};
    pawl_fail_errno(err, PAWL_EWORLD, report.errnum, "A child process for \"%s\" could not %s",
                    l->path, step_names[report.step]);
    if (report.step == STEP_EXEC) hint_exec(l, err);
    return PAWL_EWORLD;
}

static enum pawl_status launch_found(struct launch *l, struct pawl_launched *launched,
                                     struct pawl_error *err)
{
    struct pipes p;
    PAWL_TRY(open_pipes(&p, err));
    memcpy(l->stdio, p.theirs, sizeof l->stdio);
    if (l->command->input > 0) l->stdio[0] = l->command->input;
    l->report = p.theirs[3];
    l->parent = getpid();
    fork_there(l);
    close_all(p.theirs, 4);
    enum pawl_status status = await_exec(l, p.ours[3], err);
    close(p.ours[3]);
    if (status != PAWL_OK) {
        close_all(p.ours, 3);
        while (l->pid > 0 && waitpid(l->pid, NULL, 0) < 0 && errno == EINTR) continue;
        return status;
    }
    *launched = (struct pawl_launched){l->pid, p.ours[0], p.ours[1], p.ours[2]};
    return PAWL_OK;
}

enum pawl_status pawl_launch(const struct pawl_command *command, struct pawl_launched *launched,
                             struct pawl_error *err)
{
    struct pawl_arena call = {0};
    struct launch l = {.command = command, .ruleset = -1, .uid = pawl_sandbox_uid()};
    l.processes = process_limit(command, l.uid);
    enum pawl_status status = pawl_find_program(&call, command->argv[0], &l.path, err);
    if (status == PAWL_OK) {
        struct pawl_landlock_spec spec = {.paths = command->paths,
                                          .more_read =
                                              pawl_runtime_paths(&call, l.path, command->network),
                                          .execute = true,
                                          .network = command->network};
        status = pawl_landlock_make(&spec, &l.ruleset, err);
    }
    if (status == PAWL_OK) status = give_folders(command, l.uid, err);
    if (status == PAWL_OK) status = launch_found(&l, launched, err);
    if (l.ruleset >= 0) close(l.ruleset);
    pawl_arena_release(&call);
    return status;
}
