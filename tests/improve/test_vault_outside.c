/*
 * What can be seen from outside the vault: messages, their times, file sizes, and what the sealed
 * side is told. It follows from public figures and the one bit.
 */
#include "support/vault_rig.h"

#include "base/clock.h"
#include "improve/statement.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct vault_rig_cases cases = {
    .n = 600, .hard_per_cent = 60, .cluster_size = 1, .flavour = "a"};

/* --- two sealed sets that answer alike look alike -------------------------------------------------------- */

/* Names and sizes of everything in a folder. */
static json_t *listing(char *path)
{
    json_t *out = json_object();
    DIR *folder = opendir(path);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char *file;
        if (entry->d_name[0] == '.') continue;
        assert_true(asprintf(&file, "%s/%s", path, entry->d_name) > 0);
        pawl_json_set(out, entry->d_name, json_integer(vault_rig_size(file)));
        free(file);
    }
    closedir(folder);
    free(path);
    return out;
}

/* What depends on the content of the sealed set and may, as a salted hash, be seen. */
static void blind(json_t *value)
{
    static const char *const hashes[] = {"commitment", "evidence_root", "signature"};
    const char *key;
    size_t i;
    json_t *member;
    for (size_t h = 0; h < sizeof hashes / sizeof *hashes; h++) json_object_del(value, hashes[h]);
    json_object_foreach(value, key, member) blind(member);
    json_array_foreach(value, i, member) blind(member);
}

static json_t *life_of(const struct vault_rig_cases *of)
{
    struct vault_rig rig;
    const char *candidates[] = {"WORSE", "GOOD", "GOOD PATCHY", "BROKEN", "GOOD"};
    json_t *seen = json_array();
    vault_rig_seal(&rig, of, "{}");
    json_array_append_new(seen, listing(vault_rig_path(&rig, ".pawl/sealed")));
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++) {
        vault_rig_start(&rig, RIG_SEALED);
        json_array_append_new(
            seen, vault_rig_ask(&rig, vault_rig_attempt(candidates[i], "PLAIN", NULL), &seen));
        vault_rig_stop(&rig);
        json_array_append_new(seen, listing(vault_rig_path(&rig, ".pawl/sealed")));
    }
    json_array_append_new(seen, vault_rig_once(&rig, RIG_NO_PEER, vault_rig_op("status")));
    json_array_append_new(seen, listing(vault_rig_home(&rig, "")));
    vault_rig_remove(&rig);
    return seen;
}

static void two_sealed_sets_look_alike(void **state)
{
    (void)state;
    /* Other content, other shares of wins, another stop; equal numbers and verdicts. */
    struct vault_rig_cases other = {
        .n = 600, .hard_per_cent = 35, .cluster_size = 1, .flavour = "something else, and longer"};
    json_t *one = life_of(&cases), *two = life_of(&other);
    assert_false(json_equal(one, two)); /* the hashes do differ */
    blind(one);
    blind(two);
    char *first = pawl_json_text(one), *second = pawl_json_text(two);
    assert_string_equal(first, second);
    /* And within one life the files never change their sizes. */
    const json_t *sizes = json_array_get(one, 0);
    assert_int_equal(json_object_size(sizes), 1);
    size_t i;
    json_t *entry;
    json_array_foreach(one, i, entry) if (json_object_get(entry, "vault.db") != NULL)
        assert_true(json_equal(entry, sizes));
    free(first);
    free(second);
    json_decref(one);
    json_decref(two);
}

/* --- what the sealed side is told -------------------------------------------------------------------------- */

struct played {
    int n_cases, n_arm[2], most_under_way, first_arm[2];
    bool leaked;
};

static void note_case(struct played *played, const json_t *message)
{
    int64_t arm = vault_rig_int(json_object_get(message, "case"), "arm");
    char *shown = json_dumps(message, 0);
    if (strstr(shown, "target") != NULL || strstr(shown, "case-0") != NULL) played->leaked = true;
    free(shown);
    if (played->n_cases % 2 == 0) played->first_arm[arm]++;
    played->n_cases++;
    played->n_arm[arm]++;
}

static json_t *ready(int parallel)
{
    return json_pack("{s:{s:i, s:{}}}", "ready", "parallel", parallel, "models");
}

static json_t *reply_to(const json_t *message, const char *status)
{
    const json_t *item = json_object_get(message, "case");
    return json_pack("{s:O, s:O, s:O, s:s, s:{s:s}}", "n", json_object_get(item, "n"), "arm",
                     json_object_get(item, "arm"), "sample", json_object_get(item, "sample"),
                     "status", status, "output", "answer", "yes");
}

/* Play the sealed side for one attempt with `parallel` 3: hold answers back until no more cases
 * come, to see how many there are. */
static json_t *play_attempt(struct vault_rig *rig, const char *candidate, struct played *played)
{
    json_t *held[8], *answer, *message;
    int n_held = 0;
    *played = (struct played){0};
    vault_rig_start(rig, RIG_PLAYED);
    vault_rig_tell(rig->front, vault_rig_attempt(candidate, "PLAIN", NULL));
    for (;;) {
        message = vault_rig_listen(rig, n_held > 0 ? 30 : 0, &answer, NULL);
        if (answer != NULL) break;
        if (message != NULL && json_object_get(message, "case") == NULL) {
            vault_rig_tell(rig->peer, ready(3));
            json_decref(message);
        } else if (message != NULL) {
            note_case(played, message);
            assert_true(n_held < 8);
            held[n_held++] = message;
            if (n_held > played->most_under_way) played->most_under_way = n_held;
        }
        while (message == NULL && n_held > 0) { /* the newest first: any order is allowed */
            vault_rig_tell(rig->peer, reply_to(held[--n_held], "done"));
            json_decref(held[n_held]);
        }
    }
    assert_int_equal(n_held, 0);
    vault_rig_stop(rig);
    return vault_rig_done(answer);
}

static void the_sealed_side_sees_inputs_alone(void **state)
{
    (void)state;
    struct vault_rig rig;
    struct vault_rig_cases small = cases;
    struct played played;
    small.n = 60;
    vault_rig_seal(&rig, &small, "{}");
    for (int k = 1; k <= 2; k++) {
        char name[32];
        snprintf(name, sizeof name, "SAME %d", k);
        json_t *answer = play_attempt(&rig, name, &played);
        const json_t *statement = json_object_get(answer, "statement");
        int n = (int)vault_rig_int(statement, "n_planned");
        assert_string_equal(vault_rig_text(statement, "verdict"), "no");
        assert_int_equal(played.n_arm[1], n);
        assert_int_equal(played.n_arm[0], n); /* the incumbent is measured again every time */
        assert_true(played.first_arm[0] > n / 5 && played.first_arm[1] > n / 5);
        assert_int_equal(played.most_under_way, 3);
        assert_false(played.leaked);
        json_decref(answer);
    }
    vault_rig_remove(&rig);
}

static void an_answer_nobody_asked_for_decides_nothing(void **state)
{
    (void)state;
    static const char *const forged[] = {
        "{\"n\":0,\"arm\":0,\"sample\":7,\"status\":\"done\",\"output\":{\"answer\":\"yes\"}}",
        "{\"n\":99999,\"arm\":1,\"sample\":0,\"status\":\"done\"}",
        "{\"n\":-1,\"arm\":5}",
        "{}",
        "[1]",
        "{\"n\":3,\"arm\":1,\"sample\":0,\"status\":\"done\",\"output\":{\"answer\":\"yes\"}}"};
    for (size_t i = 0; i < sizeof forged / sizeof *forged; i++) {
        struct vault_rig rig;
        struct vault_rig_cases small = cases;
        json_t *answer;
        small.n = 60;
        vault_rig_seal(&rig, &small, "{}");
        vault_rig_start(&rig, RIG_PLAYED);
        vault_rig_tell(rig.front, vault_rig_attempt("GOOD", "PLAIN", NULL));
        json_decref(vault_rig_listen(&rig, 0, &answer, NULL));
        vault_rig_tell(rig.peer, ready(1));
        json_decref(vault_rig_listen(&rig, 0, &answer, NULL));
        vault_rig_tell(rig.peer, json_loads(forged[i], 0, NULL));
        while (answer == NULL) json_decref(vault_rig_listen(&rig, 0, &answer, NULL));
        vault_rig_expect_error(answer, "undecided");
        vault_rig_stop(&rig);
        vault_rig_remove(&rig);
    }
}

/* --- late work ------------------------------------------------------------------------------------------------ */

/* D is 2 s; the work takes until 2.1 s: the answer waits for 2.5 s. */
static void late_work_waits_for_the_next_point(void **state)
{
    (void)state;
    struct vault_rig rig;
    struct vault_rig_cases small = cases;
    json_t *message, *answer;
    int n_progress = 0;
    double start = 0;
    small.n = 60;
    vault_rig_seal(&rig, &small, "{}");
    rig.virtual_seed = -1;
    vault_rig_start(&rig, RIG_PLAYED);
    json_t *request = vault_rig_attempt("GOOD", "PLAIN", NULL);
    pawl_json_set(request, "pace_us", json_integer(0));
    vault_rig_tell(rig.front, request);
    while ((message = vault_rig_listen(&rig, 0, &answer, &n_progress)) != NULL) {
        bool is_case = json_object_get(message, "case") != NULL;
        if (is_case && start == 0) {
            start = vault_rig_seconds();
            while (vault_rig_seconds() - start < 2.1) pawl_clock_sleep_ms(10);
        }
        vault_rig_tell(rig.peer, is_case ? reply_to(message, "failed") : ready(1));
        json_decref(message);
    }
    json_decref(vault_rig_done(answer));
    assert_true(n_progress >= 4);
    assert_true(vault_rig_seconds() - start > 2.4);
    vault_rig_stop(&rig);
    vault_rig_remove(&rig);
}

int main(void)
{
    pawl_crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_sealed_sets_look_alike),
        cmocka_unit_test(the_sealed_side_sees_inputs_alone),
        cmocka_unit_test(an_answer_nobody_asked_for_decides_nothing),
        cmocka_unit_test(late_work_waits_for_the_next_point),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
