/* Whether a case file holds sealed cases: what is found, how little is told, how often, and burning. */
#include "support/vault_rig.h"

#include "io/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

static const struct vault_rig_cases few = {
    .n = 200, .hard_per_cent = 60, .cluster_size = 1, .flavour = "Sand  and Salt"};

/* Whether the vault says so; the file is written first. */
static bool overlaps(struct vault_rig *rig, const char *lines, int64_t asked)
{
    char *path = vault_rig_path(rig, "own.jsonl");
    assert_int_equal(pawl_file_write_atomic(path, pawl_str_of(lines), 0644, NULL), PAWL_OK);
    json_t *request = vault_rig_op("overlap");
    pawl_json_set(request, "file", json_string(path));
    json_t *done = vault_rig_done(vault_rig_once(rig, RIG_NO_PEER, request));
    bool overlap = pawl_json_get_bool(done, "overlap", false);
    assert_int_equal(vault_rig_int(done, "asked"), asked);
    assert_int_equal(json_object_size(done), 3); /* and the file's hash; nothing else */
    json_decref(done);
    free(path);
    return overlap;
}

static void mark_visible(const json_t *list, bool sealed[])
{
    const json_t *item;
    size_t i;
    int number;
    json_array_foreach((json_t *)list, i, item)
    {
        assert_int_equal(sscanf(vault_rig_text(item, "id"), "case-%d", &number), 1);
        sealed[number] = false;
    }
}

/* Seal; gives the number of one case that is sealed, and of one that is not. */
static void seal(struct vault_rig *rig, int *hidden, int *visible)
{
    bool sealed[200];
    for (int i = 0; i < 200; i++) sealed[i] = true;
    vault_rig_make(rig, &few, "{}");
    json_t *done = vault_rig_done(vault_rig_once(rig, RIG_NO_PEER, vault_rig_op("seal")));
    mark_visible(json_object_get(done, "train"), sealed);
    mark_visible(json_object_get(done, "dev"), sealed);
    json_decref(done);
    for (int i = 0; i < 200; i++) *(sealed[i] ? hidden : visible) = i;
}

static const char *line(char out[256], int number, const char *text)
{
    const char *hardness = number * 37 % 100 < few.hard_per_cent ? "hard" : "easy";
    snprintf(out, 256,
             "{\"id\":\"mine\",\"input\":{\"q\":\"%05d %s %s\"},\"target\":\"another\"}\n", number,
             hardness, text);
    return out;
}

static void another_spelling_is_found_another_wording_is_not(void **state)
{
    (void)state;
    struct vault_rig rig;
    char own[256];
    int hidden, visible;
    seal(&rig, &hidden, &visible);
    assert_true(overlaps(&rig, line(own, hidden, "steady Sand  and Salt"), 1));
    assert_true(overlaps(&rig, line(own, hidden, " STEADY sand and\\n salt "), 2));
    assert_false(overlaps(&rig, line(own, hidden, "steady salt and sand"), 3));
    assert_false(overlaps(&rig, line(own, visible, "steady Sand  and Salt"), 4));
    vault_rig_remove(&rig);
}

/* The seventeenth file of sealed cases is told nothing, and neither is a clean one after it. */
static void the_vault_stops_answering(void **state)
{
    (void)state;
    struct vault_rig rig;
    char own[256];
    int hidden, visible;
    seal(&rig, &hidden, &visible);
    for (int i = 1; i <= 16; i++)
        assert_true(overlaps(&rig, line(own, hidden, "steady Sand  and Salt"), i));
    for (int i = 0; i < 2; i++) {
        json_t *request = vault_rig_op("overlap");
        char *path = vault_rig_path(&rig, i == 0 ? "own.jsonl" : "clean.jsonl");
        line(own, visible, "steady Sand  and Salt");
        if (i == 1) assert_int_equal(pawl_file_write_atomic(path, pawl_str_of(own), 0644, NULL), 0);
        pawl_json_set(request, "file", json_string(path));
        vault_rig_expect_error(vault_rig_once(&rig, RIG_NO_PEER, request), "usage");
        free(path);
    }
    vault_rig_remove(&rig);
}

/* Questions spend no attempt; burning ends them all. */
static void burning_ends_the_epoch(void **state)
{
    (void)state;
    struct vault_rig rig;
    char own[256];
    int hidden, visible;
    seal(&rig, &hidden, &visible);
    assert_true(overlaps(&rig, line(own, hidden, "steady Sand  and Salt"), 1));
    json_decref(
        vault_rig_done(vault_rig_once(&rig, RIG_SEALED, vault_rig_attempt("GOOD", "PLAIN", NULL))));
    json_decref(vault_rig_done(vault_rig_once(&rig, RIG_NO_PEER, vault_rig_op("burn"))));
    vault_rig_expect_error(
        vault_rig_once(&rig, RIG_SEALED, vault_rig_attempt("GOOD 2", "PLAIN", NULL)), "usage");
    json_t *status = vault_rig_done(vault_rig_once(&rig, RIG_NO_PEER, vault_rig_op("status")));
    assert_int_equal(vault_rig_int(status, "attempts"), 1);
    assert_int_equal(vault_rig_int(status, "attempts_left"), 0);
    json_decref(status);
    vault_rig_remove(&rig);
}

int main(void)
{
    pawl_crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_spelling_is_found_another_wording_is_not),
        cmocka_unit_test(the_vault_stops_answering),
        cmocka_unit_test(burning_ends_the_epoch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
