/* A worker that has confined itself cannot open what its role may not, whatever way it tries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "improve/confine.h"
#include "improve/protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 *     root/project/pawl.yaml
 *     root/project/prompts/p.md
 *     root/project/data/cases.jsonl      denied
 *     root/project/data/other.txt
 *     root/project/data/link             -> cases.jsonl
 *     root/project/data/up               -> ..
 *     root/project/hidden                -> .pawl/sealed
 *     root/project/near                  -> data/other.txt
 *     root/project/far                   -> ../outside
 *     root/project/folder                -> ../elsewhere
 *     root/project/.pawl/store/s, .pawl/sealed/v
 *     root/home/pawl/vaults/key, root/home/pawl/models/m.gguf
 *     root/elsewhere/own.jsonl           on the read list
 *     root/outside
 */
static char root[200];

static const char *at(const char *name)
{
    static char paths[8][600];
    static int next;
    char *path = paths[next = (next + 1) % 8];
    snprintf(path, sizeof paths[0], "%s/%s", root, name);
    return path;
}

static void make_file(const char *name)
{
    FILE *file = fopen(at(name), "w");
    assert_non_null(file);
    fputs("secret\n", file);
    fclose(file);
}

static int make_tree(void **state)
{
    static const char *const folders[] = {
        "project",   "project/prompts", "project/data",         "project/.pawl",
        "home",      "home/pawl",       "home/pawl/vaults",     "home/pawl/models",
        "elsewhere", "cache",           "project/.pawl/sealed", "project/.pawl/store",
        "tmp"};
    static const char *const files[] = {"project/pawl.yaml",
                                        "project/prompts/p.md",
                                        "project/data/cases.jsonl",
                                        "project/data/other.txt",
                                        "project/.pawl/store/s",
                                        "project/.pawl/sealed/v",
                                        "home/pawl/vaults/key",
                                        "home/pawl/models/m.gguf",
                                        "elsewhere/own.jsonl",
                                        "elsewhere/another.jsonl",
                                        "outside"};
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(root, sizeof root, "%s/pawl-confine-XXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(root));
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        assert_int_equal(mkdir(at(folders[i]), 0700), 0);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) make_file(files[i]);
    assert_int_equal(symlink("cases.jsonl", at("project/data/link")), 0);
    assert_int_equal(symlink("..", at("project/data/up")), 0);
    assert_int_equal(symlink(".pawl/sealed", at("project/hidden")), 0);
    assert_int_equal(symlink("data/other.txt", at("project/near")), 0);
    assert_int_equal(symlink("../outside", at("project/far")), 0);
    assert_int_equal(symlink("../elsewhere", at("project/folder")), 0);
    setenv("XDG_DATA_HOME", at("home"), 1);
    setenv("XDG_CACHE_HOME", at("cache"), 1);
    setenv("TMPDIR", at("tmp"), 1);
    unsetenv("PAWL_MODELS");
    return 0;
}

static int remove_tree(void **state)
{
    char command[300];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    unsetenv("TMPDIR");
    return system(command);
}

static bool has_landlock(void)
{
    json_t *sandbox = pawl_sandbox_describe();
    bool has = pawl_json_get_int(sandbox, "landlock_abi", 0) > 0;
    json_decref(sandbox);
    if (!has)
        fprintf(stderr, "SKIPPED: this kernel has no Landlock; nothing confines the engine\n");
    return has;
}

static struct pawl_worker worker_of(const char *role)
{
    struct pawl_worker worker = {0};
    worker.project_dir = strdup(at("project"));
    worker.store_dir = strdup(at("project/.pawl/store"));
    worker.deny = json_pack("[s]", at("project/data/cases.jsonl"));
    worker.read = json_pack("[s]", at("elsewhere/own.jsonl"));
    if (strcmp(role, PAWL_ROLE_VAULT_NAME) == 0) {
        worker.sealed_dir = strdup(at("project/.pawl/sealed"));
        worker.vault_home = strdup(at("home/pawl/vaults"));
    }
    return worker;
}

enum wish { CAN_READ, CANNOT_READ, CAN_WRITE, CANNOT_WRITE };
struct attempt {
    enum wish wish;
    const char *name;
};

static bool comes_true(const struct attempt *attempt)
{
    bool writes = attempt->wish == CAN_WRITE || attempt->wish == CANNOT_WRITE;
    int fd = open(at(attempt->name), writes ? O_WRONLY | O_CREAT : O_RDONLY, 0600);
    bool opened = fd >= 0, refused = fd < 0 && errno == EACCES;
    if (opened) close(fd);
    return attempt->wish == CAN_READ || attempt->wish == CAN_WRITE ? opened : refused;
}

/* In a child, because there is no way back. Its exit status is the first attempt that came out
 * otherwise than it should, counted from 1. */
static void check(const char *role, const struct attempt *attempts, size_t n)
{
    int exit_status;
    if (!has_landlock()) skip();
    pid_t child = fork();
    if (child == 0) {
        struct pawl_error err = {0};
        struct pawl_worker worker = worker_of(role);
        if (pawl_confine_role(&worker, role, &err) != PAWL_OK) _exit(100);
        for (size_t i = 0; i < n; i++)
            if (!comes_true(&attempts[i])) _exit((int)i + 1);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &exit_status, 0), child);
    assert_true(WIFEXITED(exit_status));
    if (WEXITSTATUS(exit_status) == 100) fail_msg("%s could not confine itself", role);
    if (WEXITSTATUS(exit_status) != 0)
        fail_msg("%s: %s", role, attempts[WEXITSTATUS(exit_status) - 1].name);
}

static void test_engine(void **state)
{
    static const struct attempt attempts[] = {
        {CAN_READ, "project/pawl.yaml"},
        {CAN_READ, "project/prompts/p.md"},
        {CAN_READ, "project/data/other.txt"},
        {CAN_READ, "project/.pawl/store/s"},
        {CAN_READ, "home/pawl/models/m.gguf"},
        {CAN_READ, "elsewhere/own.jsonl"},
        {CAN_READ, "project/near"},
        {CANNOT_READ, "project/far"},
        {CANNOT_READ, "project/folder/another.jsonl"},
        {CAN_WRITE, "project/.pawl/store/new"},
        {CAN_WRITE, "cache/pawl/new"},
        {CANNOT_READ, "project/data/cases.jsonl"},
        {CANNOT_READ, "project/data/link"},
        {CANNOT_READ, "project/data/up/data/cases.jsonl"},
        {CANNOT_READ, "project/.pawl/sealed/v"},
        {CANNOT_READ, "project/hidden/v"},
        {CANNOT_READ, "project/.pawl/store/../sealed/v"},
        {CANNOT_READ, "home/pawl/vaults/key"},
        {CANNOT_READ, "home/pawl/models/../vaults/key"},
        {CANNOT_READ, "outside"},
        {CANNOT_WRITE, "project/pawl.yaml"},
        {CANNOT_WRITE, "project/new"},
        {CANNOT_WRITE, "elsewhere/own.jsonl"},
        {CANNOT_WRITE, "outside"},
    };
    (void)state;
    check(PAWL_ROLE_ENGINE_NAME, attempts, sizeof attempts / sizeof *attempts);
}

static void test_sealed(void **state)
{
    static const struct attempt attempts[] = {
        {CAN_READ, "project/pawl.yaml"},
        {CAN_READ, "home/pawl/models/m.gguf"},
        {CANNOT_READ, "project/data/cases.jsonl"},
        {CANNOT_READ, "project/.pawl/store/s"},
        {CANNOT_READ, "project/.pawl/sealed/v"},
        {CANNOT_READ, "home/pawl/vaults/key"},
        {CANNOT_WRITE, "project/.pawl/store/new"},
        {CANNOT_WRITE, "cache/new"},
        {CANNOT_WRITE, "tmp/new"},
        {CANNOT_WRITE, "project/new"},
    };
    (void)state;
    check(PAWL_ROLE_SEALED_NAME, attempts, sizeof attempts / sizeof *attempts);
}

static void test_vault(void **state)
{
    static const struct attempt attempts[] = {
        {CAN_READ, "project/data/cases.jsonl"},
        {CAN_READ, "home/pawl/vaults/key"},
        {CAN_WRITE, "home/pawl/vaults/new"},
        {CAN_WRITE, "project/.pawl/sealed/new"},
        {CANNOT_WRITE, "project/pawl.yaml"},
        {CANNOT_WRITE, "project/.pawl/store/new"},
        {CANNOT_READ, "outside"},
    };
    (void)state;
    check(PAWL_ROLE_VAULT_NAME, attempts, sizeof attempts / sizeof *attempts);
}

/* The private folder is writable, another one's is not; ended processes' folders are swept. */
static void test_the_temporary_folder_is_private(void **state)
{
    int exit_status;
    (void)state;
    if (!has_landlock()) skip();
    assert_int_equal(mkdir(at("tmp/pawl-sealed-other0"), 0700), 0);
    pid_t child = fork();
    if (child == 0) {
        struct pawl_error err = {0};
        struct pawl_worker worker = worker_of(PAWL_ROLE_SEALED_NAME);
        if (pawl_confine_role(&worker, PAWL_ROLE_SEALED_NAME, &err) != PAWL_OK) _exit(100);
        char path[700];
        snprintf(path, sizeof path, "%s/own", getenv("TMPDIR"));
        if (open(path, O_WRONLY | O_CREAT, 0600) < 0) _exit(1);
        if (open(at("tmp/pawl-sealed-other0/x"), O_WRONLY | O_CREAT, 0600) >= 0) _exit(2);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &exit_status, 0), child);
    assert_int_equal(exit_status, 0);
}

static void test_a_network_is_only_for_models_elsewhere(void **state)
{
    struct pawl_arena arena = {0};
    struct pawl_confinement plan;
    struct pawl_error err;
    (void)state;
    struct pawl_worker worker = worker_of(PAWL_ROLE_ENGINE_NAME);
    worker.config.models = json_pack("{s:{s:s}}", "m", "backend", "llama");
    assert_int_equal(pawl_confine_plan(&worker, PAWL_ROLE_ENGINE_NAME, &arena, &plan, &err),
                     PAWL_OK);
    assert_false(plan.network);
    json_decref((json_t *)worker.config.models);
    worker.config.models = json_pack("{s:{s:s}}", "m", "backend", "openai");
    setenv("TMPDIR", at("tmp"), 1);
    assert_int_equal(pawl_confine_plan(&worker, PAWL_ROLE_ENGINE_NAME, &arena, &plan, &err),
                     PAWL_OK);
    assert_true(plan.network);
    json_decref((json_t *)worker.config.models);
    json_decref((json_t *)worker.deny);
    json_decref((json_t *)worker.read);
    free((char *)worker.project_dir);
    free((char *)worker.store_dir);
    pawl_arena_release(&arena);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_tree, remove_tree)
    const struct CMUnitTest tests[] = {
        TEST(test_engine),
        TEST(test_sealed),
        TEST(test_vault),
        TEST(test_the_temporary_folder_is_private),
        TEST(test_a_network_is_only_for_models_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
