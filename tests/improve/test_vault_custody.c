/* What a certificate says of custody follows from who runs the vault and who started it; that the
 * project's folder belongs to somebody else is no wall. */
#include "improve/vault.h"
#include "support/vault_rig.h"

#include "io/process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FRONT = 65533, VAULT = 65532, ANYBODY = 65534 };
static const char convention[] = "same uid: custody by convention";

static void another_owner_of_the_project_is_no_wall(void **state)
{
    (void)state;
    if (geteuid() != 0) skip(); /* only root can give a folder away */
    static const struct vault_rig_cases few = {
        .n = 200, .hard_per_cent = 60, .cluster_size = 1, .flavour = "a"};
    struct vault_rig rig;
    vault_rig_seal(&rig, &few, "{}");
    char *project = vault_rig_path(&rig, "");
    assert_int_equal(chown(project, ANYBODY, ANYBODY), 0);
    json_t *status = vault_rig_done(vault_rig_once(&rig, RIG_NO_PEER, vault_rig_op("status")));
    assert_string_equal(vault_rig_text(status, "custody"), convention);
    json_decref(status);
    free(project);
    vault_rig_remove(&rig);
}

/* The vault's words where a front of one user started a vault of another. In a fork: 0 when they are
 * the expected ones. */
static int said_of(uid_t front, uid_t vault, const char *expected)
{
    pid_t pid = fork();
    if (pid == 0) {
        int ends[2];
        bool made = seteuid(front) == 0 && pawl_socket_pair(ends, NULL) == PAWL_OK;
        if (!made || seteuid(0) != 0 || seteuid(vault) != 0) _exit(2);
        struct pawl_worker worker = {.front = pawl_channel_open(ends[1])};
        _exit(strcmp(pawl_vault_custody(&worker), expected) == 0 ? 0 : 1);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 3;
}

static void another_user_of_the_vault_is_one_except_to_root(void **state)
{
    (void)state;
    if (geteuid() != 0) skip();
    assert_int_equal(said_of(FRONT, VAULT, "separate uid"), 0);
    assert_int_equal(said_of(FRONT, FRONT, convention), 0);
    assert_int_equal(
        said_of(0, VAULT, "own uid, below a root that opens everything: custody by convention"), 0);
    assert_int_equal(said_of(0, 0, convention), 0);
}

int main(void)
{
    pawl_crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_owner_of_the_project_is_no_wall),
        cmocka_unit_test(another_user_of_the_vault_is_one_except_to_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
