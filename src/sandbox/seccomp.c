#include "sandbox/seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

bool pawl_seccomp_is_known(void)
{
#ifdef ARCHITECTURE
    return true;
#else
    return false;
#endif
}

#ifdef ARCHITECTURE

static const unsigned denied[] = {
    /* other processes */
    SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_kcmp, SYS_pidfd_send_signal,
    438 /* pidfd_getfd */, 440 /* process_madvise */, SYS_migrate_pages, SYS_move_pages,
    /* leaving the process group, which is how every descendant is found and ended */
    SYS_setsid, SYS_setpgid,
    /* name spaces and mounts */
    SYS_unshare, SYS_setns, SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, 428 /* open_tree */,
    429 /* move_mount */, 430 /* fsopen */, 431 /* fsconfig */, 432 /* fsmount */, 433 /* fspick */,
    442 /* mount_setattr */, SYS_open_by_handle_at, SYS_name_to_handle_at, SYS_fanotify_init,
    /* kernel surface */
    SYS_bpf, SYS_perf_event_open, SYS_userfaultfd, 425, 426, 427 /* io_uring */, SYS_keyctl,
    SYS_add_key, SYS_request_key, SYS_init_module, SYS_finit_module, SYS_delete_module,
    SYS_kexec_load, 447 /* memfd_secret */,
    /* the machine */
    SYS_reboot, SYS_swapon, SYS_swapoff, SYS_sethostname, SYS_setdomainname, SYS_acct, SYS_quotactl,
    SYS_syslog, SYS_vhangup, SYS_clock_settime, SYS_settimeofday, SYS_adjtimex, SYS_clock_adjtime,
    SYS_personality,
    /* what outlives a process, or reaches past the files it was given, and so would carry a sealed
     * input to a later process: System V memory, queues and semaphores, attributes of any file
     * that its user owns, what happens in folders that it may not list */
    SYS_shmget, SYS_shmat, SYS_shmctl, SYS_msgget, SYS_msgsnd, SYS_msgrcv, SYS_msgctl, SYS_semget,
    SYS_semop, SYS_semtimedop, SYS_semctl, SYS_mq_open, SYS_mq_unlink, SYS_setxattr, SYS_lsetxattr,
    SYS_fsetxattr, SYS_removexattr, SYS_lremovexattr, SYS_fremovexattr, 463 /* setxattrat */,
    466 /* removexattrat */, SYS_inotify_add_watch, SYS_ioprio_set,
#ifdef __x86_64__
    SYS_kexec_file_load, SYS_iopl, SYS_ioperm, SYS_modify_ldt, SYS_mknod,
#endif
    SYS_mknodat};

enum { N_DENIED = sizeof denied / sizeof *denied, CODE_MAX = 2 * N_DENIED + 128 };
enum {
    NAMESPACE_FLAGS = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
                      CLONE_NEWPID | CLONE_NEWNET
};
#define X32_BIT 0x40000000u

struct filter {
    struct sock_filter code[CODE_MAX];
    unsigned short n;
};

static void emit(struct filter *f, unsigned code, uint32_t k, unsigned yes, unsigned no)
{
    f->code[f->n++] = (struct sock_filter){(uint16_t)code, (uint8_t)yes, (uint8_t)no, k};
}

static void load(struct filter *f, size_t offset)
{
    emit(f, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void load_argument(struct filter *f, unsigned index)
{
    load(f, offsetof(struct seccomp_data, args) + 8 * index); /* low word: little-endian */
}

static void answer(struct filter *f, uint32_t action)
{
    emit(f, BPF_RET | BPF_K, action, 0, 0);
}

static uint32_t refuse_with(int errnum)
{
    return SECCOMP_RET_ERRNO | ((uint32_t)errnum & SECCOMP_RET_DATA);
}

/* Deny one call when its argument is `value`. The accumulator holds the number before and after. */
static void deny_argument(struct filter *f, unsigned call, unsigned index, uint32_t value)
{
    emit(f, BPF_JMP | BPF_JEQ | BPF_K, call, 0, 4);
    load_argument(f, index);
    emit(f, BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
    answer(f, refuse_with(EPERM));
    load(f, offsetof(struct seccomp_data, nr));
}

/* Deny one call unless its argument is `value`. The accumulator holds the number before and after. */
static void allow_argument(struct filter *f, unsigned call, unsigned index, uint32_t value)
{
    emit(f, BPF_JMP | BPF_JEQ | BPF_K, call, 0, 4);
    load_argument(f, index);
    emit(f, BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0);
    answer(f, refuse_with(EPERM));
    load(f, offsetof(struct seccomp_data, nr));
}

/* We end: it ends. It may ask to be killed with its parent, as its own children are not until they ask
 * themselves, and nothing else. */
static void keep_death_signal(struct filter *f)
{
    emit(f, BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 6);
    load_argument(f, 0);
    emit(f, BPF_JMP | BPF_JEQ | BPF_K, PR_SET_PDEATHSIG, 0, 3);
    load_argument(f, 1);
    emit(f, BPF_JMP | BPF_JEQ | BPF_K, SIGKILL, 1, 0);
    answer(f, refuse_with(EPERM));
    load(f, offsetof(struct seccomp_data, nr));
}

/* The calls that set limits and priorities of any process of the same user, ours among them: only
 * one's own, which is number 0. */
static void filter_scheduling(struct filter *f)
{
    allow_argument(f, SYS_prlimit64, 0, 0);
    allow_argument(f, SYS_sched_setscheduler, 0, 0);
    allow_argument(f, SYS_sched_setparam, 0, 0);
    allow_argument(f, SYS_sched_setattr, 0, 0);
    allow_argument(f, SYS_sched_setaffinity, 0, 0);
    allow_argument(f, SYS_setpriority, 0, PRIO_PROCESS);
    allow_argument(f, SYS_setpriority, 1, 0);
}

/* Without the network no socket can be made, only unnamed pairs; with it, internet sockets. */
static void filter_sockets(struct filter *f, bool network)
{
    emit(f, BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, network ? 5u : 1u);
    if (network) {
        load_argument(f, 0);
        emit(f, BPF_JMP | BPF_JEQ | BPF_K, AF_INET, 2, 0);
        emit(f, BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 1, 0);
        answer(f, refuse_with(EACCES));
        load(f, offsetof(struct seccomp_data, nr));
    } else {
        answer(f, refuse_with(EACCES));
    }
}

static void build(struct filter *f, bool network)
{
    f->n = 0;
    load(f, offsetof(struct seccomp_data, arch));
    emit(f, BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
    answer(f, SECCOMP_RET_KILL_PROCESS);
    load(f, offsetof(struct seccomp_data, nr));
#ifdef __x86_64__
    emit(f, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1);
    answer(f, SECCOMP_RET_KILL_PROCESS);
#endif
    for (unsigned i = 0; i < N_DENIED; i++) {
        emit(f, BPF_JMP | BPF_JEQ | BPF_K, denied[i], 0, 1);
        answer(f, refuse_with(EPERM));
    }
    /* clone3 hides its flags behind a pointer; without it libraries fall back to clone. */
    emit(f, BPF_JMP | BPF_JEQ | BPF_K, 435, 0, 1);
    answer(f, refuse_with(ENOSYS));
    emit(f, BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 4);
    load_argument(f, 0);
    emit(f, BPF_JMP | BPF_JSET | BPF_K, NAMESPACE_FLAGS, 0, 1);
    answer(f, refuse_with(EPERM));
    load(f, offsetof(struct seccomp_data, nr));
    keep_death_signal(f);
    deny_argument(f, SYS_ioctl, 1, TIOCSTI);
    deny_argument(f, SYS_ioctl, 1, 0x541c /* TIOCLINUX */);
    filter_scheduling(f);
    filter_sockets(f, network);
    answer(f, SECCOMP_RET_ALLOW);
}

bool pawl_seccomp_enforce(bool network)
{
    struct filter f;
    build(&f, network);
    struct sock_fprog program = {f.n, f.code};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

/* What a run (seccomp.h) may not do beside all that: be more than one process of one thread, reach another,
 * change a file in any way that Landlock does not know, hold memory that its limit does not count. */
static const unsigned denied_to_runs[] = {
    SYS_clone,
    SYS_execve,
    SYS_execveat,
    SYS_kill,
    SYS_tkill,
    SYS_tgkill,
    SYS_rt_sigqueueinfo,
    SYS_rt_tgsigqueueinfo,
    434 /* pidfd_open */,
    SYS_memfd_create,
    SYS_socketpair,
    SYS_fchmod,
    SYS_fchmodat,
    452 /* fchmodat2 */,
    SYS_fchown,
    SYS_fchownat,
    SYS_utimensat,
    SYS_flock,
#ifdef __x86_64__
    SYS_fork,
    SYS_vfork,
    SYS_chmod,
    SYS_chown,
    SYS_lchown,
    SYS_utime,
    SYS_utimes,
    SYS_futimesat,
#endif
};
/* Signals by way of a descriptor's owner, and notes and locks that others see. */
static const unsigned fcntl_denied_to_runs[] = {F_SETOWN,
                                                10 /* F_SETSIG */,
                                                15 /* F_SETOWN_EX */,
                                                F_SETLK,
                                                F_SETLKW,
                                                37 /* F_OFD_SETLK */,
                                                38,
                                                1024 /* F_SETLEASE */,
                                                1026 /* F_NOTIFY */};

void pawl_seccomp_run_hex(struct pawl_buf *hex)
{
    struct filter f = {.n = 0};
    load(&f, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < sizeof denied_to_runs / sizeof *denied_to_runs; i++) {
        emit(&f, BPF_JMP | BPF_JEQ | BPF_K, denied_to_runs[i], 0, 1);
        answer(&f, refuse_with(EPERM));
    }
    for (size_t i = 0; i < sizeof fcntl_denied_to_runs / sizeof *fcntl_denied_to_runs; i++)
        deny_argument(&f, SYS_fcntl, 1, fcntl_denied_to_runs[i]);
    answer(&f, SECCOMP_RET_ALLOW);
    const unsigned char *bytes = (const unsigned char *)f.code;
    for (size_t i = 0; i < f.n * sizeof *f.code; i++) pawl_buf_printf(hex, "%02x", bytes[i]);
}

#else

void pawl_seccomp_run_hex(struct pawl_buf *hex)
{
    (void)hex;
}

bool pawl_seccomp_enforce(bool network)
{
    (void)network;
    errno = ENOSYS;
    return false;
}

#endif
