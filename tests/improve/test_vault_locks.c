/* Several processes at one vault: who reads sees one version of everything. */
#include "base/hash.h"
#include "improve/vault.h"
#include "support/vault_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

static const struct vault_rig_cases few = {
    .n = 200, .hard_per_cent = 60, .cluster_size = 1, .flavour = "a"};

/* --- reading ---------------------------------------------------------------------------------------- */

static struct pawl_worker reader_of(const struct vault_rig *rig)
{
    struct pawl_worker reader = {0};
    reader.sealed_dir = pawl_arena_printf(&reader.arena, "%s/project/.pawl/sealed", rig->dir);
    reader.vault_home = pawl_arena_printf(&reader.arena, "%s/home", rig->dir);
    return reader;
}

static void cases_added_meanwhile_wait_for_the_reader(void **state)
{
    (void)state;
    struct vault_rig rig;
    struct vault_rig_cases more = few;
    struct pawl_vault vault;
    struct pawl_vault_set set = {0};
    json_t *answer = NULL;
    more.n = 120;
    vault_rig_seal(&rig, &few, "{}");
    vault_rig_write_cases(&rig, "more.jsonl", &more, 200);
    struct pawl_worker reader = reader_of(&rig);
    vault_rig_start(&rig, RIG_NO_PEER); /* first: a fork would share the reader's lock */
    assert_int_equal(pawl_vault_open(&reader, PAWL_VAULT_READ, &vault, NULL), PAWL_OK);
    vault_rig_tell(rig.front, json_pack("{s:s, s:s}", "op", "add", "file", "more.jsonl"));
    assert_int_equal(pawl_channel_receive(rig.front, 500, &answer, NULL), PAWL_OK);
    assert_null(answer);
    assert_int_equal(pawl_vault_set_load(&vault, &set, NULL), PAWL_OK);
    assert_int_equal(set.cases.n, few.n);
    pawl_vault_set_release(&set);
    pawl_vault_release(&vault);

    assert_int_equal(pawl_channel_receive(rig.front, -1, &answer, NULL), PAWL_OK);
    json_t *added = vault_rig_done(answer);
    assert_int_equal(vault_rig_int(added, "added"), 120);
    json_decref(added);
    vault_rig_stop(&rig);
    pawl_arena_release(&reader.arena);
    vault_rig_remove(&rig);
}

int main(void)
{
    pawl_crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cases_added_meanwhile_wait_for_the_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
