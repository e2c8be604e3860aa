/* Making, finding and taking away the vault's own user. See vault_user.h. */
#include "improve/vault_user.h"

#include "io/file.h"
#include "io/process.h"

#include <dirent.h>
#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RUN_MS = 30000 };

/* --- who it is -------------------------------------------------------------------------------------- */

/* The owner of the state folder, where it is as it was made; else 0. */
static uid_t installed(void)
{
    struct stat info;
    bool good =
        lstat(PAWL_VAULT_STATE, &info) == 0 && S_ISDIR(info.st_mode) && (info.st_mode & 077) == 0;
    return good ? info.st_uid : 0;
}

uid_t pawl_vault_user_of(const struct pawl_project *project)
{
    struct pawl_arena arena = {0};
    struct stat store;
    uid_t user = geteuid() == 0 ? installed() : 0;
    if (user != 0 && project != NULL) {
        const char *path = pawl_path_join(&arena, project->dir, ".pawl/sealed/vault.db");
        if (lstat(path, &store) == 0 && store.st_uid != user) user = 0; /* sealed before */
    }
    pawl_arena_release(&arena);
    return user;
}

enum pawl_status pawl_vault_user_make_room(struct pawl_project *project, struct pawl_error *err)
{
    struct pawl_arena arena = {0};
    uid_t user = pawl_vault_user_of(project);
    const char *folder = pawl_front_sealed_dir(project, &arena);
    enum pawl_status status = PAWL_OK;
    if (user != 0) status = pawl_dir_make(folder, 0700, err);
    if (user != 0 && status == PAWL_OK && lchown(folder, user, user) != 0)
        status = pawl_fail_errno(err, PAWL_EWORLD, errno, "%s cannot be given to the user %u",
                                 folder, (unsigned)user);
    pawl_arena_release(&arena);
    return status;
}

json_t *pawl_vault_user_json(const struct pawl_project *project)
{
    uid_t user = pawl_vault_user_of(project);
    const char *say = user != 0 ? "the vault runs as " PAWL_VAULT_USER ", which root starts"
                      : geteuid() != 0
                          ? "none: only root can start a process as somebody else; who runs as you "
                            "can do what you can"
                      : installed() != 0 ? "none: this project was sealed before there was one"
                                         : "none: `pawl doctor --install-vault` makes one";
    json_t *out = json_pack("{s:s, s:s, s:s}", "user", PAWL_VAULT_USER, "state", PAWL_VAULT_STATE,
                            "say", say);
    pawl_json_set(out, "uid", user != 0 ? json_integer(user) : json_null());
    return out;
}

/* --- making and taking away ------------------------------------------------------------------------- */

static const char *const make_user[] = {"useradd",           "--system",       "--no-create-home",
                                        "--home-dir",        PAWL_VAULT_STATE, "--shell",
                                        "/usr/sbin/nologin", PAWL_VAULT_USER,  NULL};
static const char *const make_folder[] = {
    "install", "-d", "-m", "0700", "-o", PAWL_VAULT_USER, PAWL_VAULT_STATE, NULL};
static const char *const remove_user[] = {"userdel", PAWL_VAULT_USER, NULL};
static const char *const remove_folder[] = {"rmdir", PAWL_VAULT_STATE, NULL};

static json_t *line_of(const char *const *argv)
{
    struct pawl_arena arena = {0};
    const char *line = argv[0];
    for (size_t i = 1; argv[i] != NULL; i++)
        line = pawl_arena_printf(&arena, "%s %s", line, argv[i]);
    json_t *out = json_string(line);
    pawl_arena_release(&arena);
    return out;
}

static enum pawl_status run(const char *const *argv, struct pawl_error *err)
{
    static const char *const folders[] = {"/usr/sbin", "/usr/bin", "/sbin", "/bin"};
    static const char *const env[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL};
    struct pawl_arena arena = {0};
    const char *path = NULL;
    pid_t pid;
    int exit_status = -1;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        const char *here = pawl_path_join(&arena, folders[i], argv[0]);
        if (path == NULL && access(here, X_OK) == 0) path = here;
    }
    const struct pawl_process_fd complaints = {STDERR_FILENO, STDERR_FILENO};
    struct pawl_process spec = {
        .path = path, .argv = argv, .env = env, .cwd = "/", .fds = &complaints, .n_fds = 1};
    enum pawl_status status = path != NULL
                                  ? pawl_process_start(&spec, &pid, err)
                                  : pawl_fail(err, PAWL_EWORLD, "This system has no %s.", argv[0]);
    if (path != NULL && status == PAWL_OK) pawl_process_end(pid, RUN_MS, RUN_MS, &exit_status);
    if (status == PAWL_OK && exit_status != 0) {
        json_t *line = line_of(argv);
        status = pawl_fail(err, PAWL_EWORLD, "`%s` failed.", json_string_value(line));
        pawl_hint(err, "Run it by hand to see why, then the command again.");
        json_decref(line);
    }
    pawl_arena_release(&arena);
    return status;
}

/* Run both as root; else say what root would run. */
static enum pawl_status run_or_say(struct pawl_call *call, const char *const *const commands[2],
                                   const bool needed[2], struct pawl_error *err)
{
    json_t *said = json_array();
    bool root = geteuid() == 0;
    pawl_json_set(call->result, "commands", said);
    for (size_t i = 0; i < 2; i++) {
        if (!needed[i]) continue;
        if (root) PAWL_TRY(run(commands[i], err));
        json_array_append_new(said, line_of(commands[i]));
    }
    pawl_json_set(call->result, "installed", json_boolean(installed() != 0));
    return PAWL_OK;
}

enum pawl_status pawl_vault_user_install(struct pawl_call *call, struct pawl_error *err)
{
    const char *const *const commands[2] = {make_user, make_folder};
    const bool needed[2] = {getpwnam(PAWL_VAULT_USER) == NULL, installed() == 0};
    struct stat info;
    if (needed[1] && lstat(PAWL_VAULT_STATE, &info) == 0 && geteuid() == 0) {
        pawl_fail(err, PAWL_EWORLD, "%s is there and is not the vault's.", PAWL_VAULT_STATE);
        pawl_hint(err, "It has to be a folder of the user %s, with mode 0700; move what is there.",
                  PAWL_VAULT_USER);
        return PAWL_EWORLD;
    }
    PAWL_TRY(run_or_say(call, commands, needed, err));
    const char *say =
        geteuid() == 0
            ? "A vault that root's pawl seals from now on is kept by the user " PAWL_VAULT_USER
              "; what is sealed already stays where it is."
        : !needed[0] && !needed[1]
            ? "The vault's user is there. It serves projects that root seals."
            : "Root has to run this; the vault's user then serves projects that root "
              "seals. For yours nothing changes: who runs as you can do what you can.";
    pawl_json_set(call->result, "say", json_string(say));
    return PAWL_OK;
}

/* How many vaults are kept there, and where. */
static size_t count_vaults(void)
{
    size_t n = 0;
    struct dirent *entry;
    DIR *folder = opendir(PAWL_VAULT_STATE "/vaults");
    while (folder != NULL && (entry = readdir(folder)) != NULL) n += entry->d_name[0] != '.';
    if (folder != NULL) closedir(folder);
    return n;
}

enum pawl_status pawl_vault_user_uninstall(struct pawl_call *call, struct pawl_error *err)
{
    const char *const *const commands[2] = {remove_folder, remove_user};
    struct stat info;
    const bool needed[2] = {lstat(PAWL_VAULT_STATE, &info) == 0, getpwnam(PAWL_VAULT_USER) != NULL};
    size_t n = count_vaults();
    if (n > 0) {
        pawl_fail(err, PAWL_EUSAGE,
                  "The user %s keeps %zu vaults: their sealed cases could be "
                  "asked no more.",
                  PAWL_VAULT_USER, n);
        pawl_hint(err, "Remove %s/vaults first, if none of their projects is needed.",
                  PAWL_VAULT_STATE);
        return PAWL_EUSAGE;
    }
    if (geteuid() == 0) rmdir(PAWL_VAULT_STATE "/vaults");
    PAWL_TRY(run_or_say(call, commands, needed, err));
    pawl_json_set(call->result, "say",
                  json_string(geteuid() == 0 ? "The vault has no user of its own any more."
                                             : "Root has to run this."));
    return PAWL_OK;
}
