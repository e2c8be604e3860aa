#include "sandbox/landlock.h"
#include "sandbox/launch.h"
#include "sandbox/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum pawl_status pawl_confine_self(const struct pawl_confinement *what, struct pawl_error *err)
{
    struct pawl_landlock_spec spec = {
        .paths = what->paths, .execute = what->children, .network = what->network, .devices = true};
    int ruleset;
    PAWL_TRY(pawl_landlock_make(&spec, &ruleset, err));
    bool bound = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && pawl_landlock_enforce(ruleset);
    int cause = errno;
    if (ruleset >= 0) close(ruleset);
    if (bound) return PAWL_OK;
    pawl_fail_errno(err, PAWL_EWORLD, cause, "This process could not confine itself");
    pawl_hint(err, "`pawl doctor` says what the sandbox can do on this machine.");
    return PAWL_EWORLD;
}

void pawl_harden_self(void)
{
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    /* What is in memory stays there; what never was is not fetched for it (40 libraries, 6 ms). Fails
     * where little memory may be locked: then keys may be swapped. */
    mlockall(MCL_CURRENT | MCL_ONFAULT);
}

/* --- what it is worth here ------------------------------------------------------------------------ */

struct proof {
    bool ran, other_user, no_files, no_sockets, no_signals, no_leaving;
};

/* In a forked child: take the steps of an untrusted program, then try what it must not do. */
static struct proof try_to_escape(uid_t uid, int ruleset)
{
    struct proof proof = {.ran = true};
    bool dropped = pawl_drop_uid(uid, ruleset >= 0);
    proof.other_user = dropped && geteuid() != 0;
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    bool files = ruleset >= 0 && pawl_landlock_enforce(ruleset);
    bool calls = pawl_seccomp_is_known() && pawl_seccomp_enforce(false);
    proof.no_files = files && open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 && errno == EACCES;
    proof.no_sockets = calls && socket(AF_INET, SOCK_STREAM, 0) < 0 &&
                       socket(AF_UNIX, SOCK_STREAM, 0) < 0 && errno == EACCES;
    proof.no_leaving = calls && prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0) < 0 && setsid() < 0;
    proof.no_signals = kill(getppid(), 0) < 0 && errno == EPERM;
    return proof;
}

static struct proof prove(void)
{
    struct proof proof = {0};
    struct pawl_landlock_spec spec = {.execute = true};
    int ruleset = -1, ends[2];
    if (pawl_landlock_make(&spec, &ruleset, NULL) != PAWL_OK) ruleset = -1;
    uid_t uid = pawl_sandbox_uid();
    if (pipe2(ends, O_CLOEXEC) == 0) {
        pid_t pid = fork();
        if (pid == 0) {
            struct proof found = try_to_escape(uid, ruleset);
            ssize_t n = write(ends[1], &found, sizeof found);
            _exit(n == sizeof found ? 0 : 1);
        }
        close(ends[1]);
        if (pid < 0 || read(ends[0], &proof, sizeof proof) != sizeof proof)
            proof = (struct proof){0};
        close(ends[0]);
        if (pid > 0) waitpid(pid, NULL, 0);
    }
    if (ruleset >= 0) close(ruleset);
    return proof;
}

static void note(json_t *notes, bool needed, const char *text)
{
    if (needed) json_array_append_new(notes, json_string(text));
}

static json_t *notes_on(const struct proof *proof, int abi)
{
    json_t *notes = json_array();
    note(notes, abi == 0, "The kernel has no Landlock: untrusted commands may read files.");
    note(notes, abi > 0 && !proof->no_files, "Landlock is there, but did not stop a read.");
    note(notes, abi > 0 && abi < 4,
         "Landlock has no network rules here: with network: true a command may use any port.");
    note(notes, !proof->no_signals, "Untrusted commands may signal processes of the same user.");
    note(notes, !proof->no_sockets, "No seccomp filter: untrusted commands may use the network.");
    note(notes, geteuid() != 0,
         "Untrusted commands run as your own user; limits on processes count all of yours.");
    note(notes, true, "Memory is limited per process, not per command.");
    return notes;
}

json_t *pawl_sandbox_describe(void)
{
    struct proof proof = prove();
    int abi = pawl_landlock_abi();
    bool calls = proof.no_sockets && proof.no_leaving && proof.other_user;
    json_t *tested = json_object();
    pawl_json_set(tested, "files", json_boolean(proof.no_files));
    pawl_json_set(tested, "sockets", json_boolean(proof.no_sockets));
    pawl_json_set(tested, "signals", json_boolean(proof.no_signals));
    pawl_json_set(tested, "process_group", json_boolean(proof.no_leaving));
    pawl_json_set(tested, "not_root", json_boolean(proof.other_user));
    json_t *object = json_object();
    pawl_json_set(object, "level",
                  json_string(calls && proof.no_files ? "S2"
                              : calls                 ? "S1"
                                                      : "S0"));
    pawl_json_set(object, "landlock_abi", json_integer(abi));
    pawl_json_set(object, "seccomp", json_boolean(proof.no_sockets));
    pawl_json_set(object, "uid_drop", json_boolean(geteuid() == 0 && proof.other_user));
    pawl_json_set(object, "tested", tested);
    pawl_json_set(object, "notes", notes_on(&proof, abi));
    return object;
}
