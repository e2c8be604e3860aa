/* Kills, tampering and files put back: an attempt is never refunded and the state never torn. */
#include "support/vault_rig.h"

#include "base/random.h"
#include "improve/statement.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const struct vault_rig_cases cases = {
    .n = 200, .hard_per_cent = 60, .cluster_size = 1, .flavour = "a"};

static int64_t attempts_of(struct vault_rig *rig)
{
    json_t *status = vault_rig_done(vault_rig_once(rig, RIG_NO_PEER, vault_rig_op("status")));
    int64_t attempts = vault_rig_int(status, "attempts");
    json_decref(status);
    return attempts;
}

/* --- kills at random moments ------------------------------------------------------------------------- */

enum { KILLS = 100 };
static struct {
    char name[32];
    json_t *answer;
} answered[KILLS];
static int n_answered;

/* Ask, and listen until the answer or the moment. Gives the answer, or NULL; counts what the front
 * was told of release points. */
static json_t *listen_until(struct vault_rig *rig, double moment, int64_t *points)
{
    for (;;) {
        json_t *message = NULL;
        double left = moment - vault_rig_seconds();
        int left_ms = left > 0 ? (int)(left * 1000) : 0;
        if (pawl_channel_receive(rig->front, left_ms, &message, NULL) != PAWL_OK) return NULL;
        if (message == NULL) return NULL;
        const json_t *progress = json_object_get(message, "progress");
        if (progress == NULL) return message;
        *points = vault_rig_int(progress, "release_points_passed");
        json_decref(message);
    }
}

static const char *name_of(int i, char name[32])
{
    snprintf(name, 32, "%s %d", i % 2 == 0 ? "GOOD" : "WORSE", i);
    return name;
}

static void remember(const char *name, json_t *answer, int64_t at_least)
{
    const json_t *statement = json_object_get(answer, "statement");
    struct pawl_error err;
    assert_int_equal(pawl_statement_verify(statement, vault_rig_text(answer, "signature"), &err),
                     PAWL_OK);
    assert_string_equal(vault_rig_text(statement, "verdict"), name[0] == 'G' ? "promote" : "no");
    /* Stored: it had been released when the kill came, only nobody heard it. */
    if (!pawl_json_get_bool(answer, "stored", false))
        assert_true(vault_rig_int(statement, "attempt") >= at_least);
    for (int i = 0; i < n_answered; i++)
        assert_true(vault_rig_int(statement, "attempt") >
                    vault_rig_int(json_object_get(answered[i].answer, "statement"), "attempt"));
    snprintf(answered[n_answered].name, sizeof answered->name, "%s", name);
    answered[n_answered++].answer = answer;
}

static void killed_at_any_moment(void **state)
{
    (void)state;
    struct vault_rig rig;
    struct pawl_random random;
    char name[32];
    pawl_random_init(&random, 20260101);
    vault_rig_seal(&rig, &cases, "{\"max_attempts\":1000}");
    char *db = vault_rig_path(&rig, ".pawl/sealed/vault.db");
    int64_t size = vault_rig_size(db);
    double before = vault_rig_seconds();
    json_decref(vault_rig_done(
        vault_rig_once(&rig, RIG_SEALED, vault_rig_attempt("WORSE first", "PLAIN", NULL))));
    double whole_s = vault_rig_seconds() - before;
    int64_t attempts = 1, at_least = 2;
    for (int i = 0; i < KILLS; i++) {
        int64_t points = 0;
        json_t *request = vault_rig_attempt(name_of(n_answered, name), "PLAIN", NULL);
        vault_rig_start(&rig, RIG_SEALED);
        assert_int_equal(pawl_channel_send(rig.front, request, NULL), PAWL_OK);
        json_decref(request);
        double moment = vault_rig_seconds() + 1.2 * whole_s * pawl_random_unit(&random);
        json_t *answer = listen_until(&rig, moment, &points);
        bool sealed_only = answer == NULL && i % 3 == 2;
        vault_rig_kill(&rig, !sealed_only, true);
        int64_t now = attempts_of(&rig); /* opening checks every seal, MAC and version */
        assert_in_range(now, attempts, attempts + 1);
        assert_int_equal(vault_rig_size(db), size);
        attempts = now;
        if (points > 0) at_least = attempts + 1; /* somebody could have learned something */
        if (answer == NULL) continue;
        if (json_object_get(answer, "done") != NULL) {
            if (points > 0) at_least = attempts;
            remember(name, vault_rig_done(answer), at_least);
            at_least = attempts + 1;
        } else {
            json_decref(answer);
        }
    }
    print_message("answered %d of %d, %lld attempts\n", n_answered, KILLS, (long long)attempts);
    assert_true(n_answered >= 3 && n_answered <= KILLS - 10);
    for (int i = 0; i < n_answered; i++) {
        json_t *again = vault_rig_done(
            vault_rig_once(&rig, RIG_NO_PEER, vault_rig_attempt(answered[i].name, "PLAIN", NULL)));
        assert_true(json_equal(json_object_get(again, "statement"),
                               json_object_get(answered[i].answer, "statement")));
        json_decref(again);
        json_decref(answered[i].answer);
    }
    free(db);
    vault_rig_remove(&rig);
}

/* --- the same attempt, or a new one -------------------------------------------------------------------- */

/* Answer cases as the sealed side would, with "no" for both arms. */
static void play(struct vault_rig *rig, int n_answers)
{
    json_t *message, *answer;
    while (n_answers-- > 0 && (message = vault_rig_listen(rig, 0, &answer, NULL)) != NULL) {
        const json_t *item = json_object_get(message, "case");
        json_t *reply =
            item == NULL
                ? json_pack("{s:{s:i, s:{}}}", "ready", "parallel", 4, "models")
                : json_pack("{s:O, s:O, s:O, s:s, s:{s:s}}", "n", json_object_get(item, "n"), "arm",
                            json_object_get(item, "arm"), "sample", json_object_get(item, "sample"),
                            "status", "done", "output", "answer", "no");
        vault_rig_tell(rig->peer, reply);
        json_decref(message);
    }
}

static void start_attempt(struct vault_rig *rig, const char *candidate)
{
    json_t *request = vault_rig_attempt(candidate, "PLAIN", NULL);
    pawl_json_set(request, "pace_us", json_integer(0)); /* D = 2 s */
    vault_rig_start(rig, RIG_PLAYED);
    assert_int_equal(pawl_channel_send(rig->front, request, NULL), PAWL_OK);
    json_decref(request);
}

static int64_t attempt_answered(struct vault_rig *rig, const char *candidate)
{
    json_t *answer = vault_rig_done(
        vault_rig_once(rig, RIG_SEALED, vault_rig_attempt(candidate, "PLAIN", NULL)));
    int64_t attempt = vault_rig_int(json_object_get(answer, "statement"), "attempt");
    json_decref(answer);
    return attempt;
}

static void killed_before_the_first_release_point(void **state)
{
    (void)state;
    struct vault_rig rig;
    vault_rig_seal(&rig, &cases, "{}");
    start_attempt(&rig, "GOOD");
    play(&rig, 20); /* it has seen cases; virtual time stands still */
    vault_rig_kill(&rig, true, true);
    assert_int_equal(attempts_of(&rig), 1);
    assert_int_equal(attempt_answered(&rig, "GOOD"), 1);
    assert_int_equal(attempts_of(&rig), 1);
    vault_rig_remove(&rig);
}

static void killed_after_the_first_release_point(void **state)
{
    (void)state;
    struct vault_rig rig;
    json_t *message = NULL;
    vault_rig_seal(&rig, &cases, "{}");
    rig.virtual_seed = -1;
    start_attempt(&rig, "GOOD");
    play(&rig, 20);
    assert_int_equal(pawl_channel_receive(rig.front, -1, &message, NULL), PAWL_OK);
    assert_int_equal(vault_rig_int(json_object_get(message, "progress"), "release_points_passed"),
                     1);
    json_decref(message);
    vault_rig_kill(&rig, true, true);
    rig.virtual_seed = 7;
    assert_int_equal(attempt_answered(&rig, "GOOD"), 2); /* not refunded */
    assert_int_equal(attempts_of(&rig), 2);
    vault_rig_remove(&rig);
}

static void another_question_closes_what_was_left(void **state)
{
    (void)state;
    struct vault_rig rig;
    vault_rig_seal(&rig, &cases, "{}");
    start_attempt(&rig, "GOOD");
    play(&rig, 20);
    vault_rig_kill(&rig, true, true);
    assert_int_equal(attempt_answered(&rig, "WORSE"), 2);
    assert_int_equal(attempt_answered(&rig, "GOOD"), 3);
    vault_rig_remove(&rig);
}

static void a_dead_sealed_side_decides_nothing(void **state)
{
    (void)state;
    struct vault_rig rig;
    vault_rig_seal(&rig, &cases, "{}");
    rig.virtual_seed = -1;
    double start = vault_rig_seconds();
    start_attempt(&rig, "GOOD");
    play(&rig, 20);
    pawl_channel_close(rig.peer);
    rig.peer = NULL;
    json_t *message = NULL;
    int64_t points = 0;
    message = listen_until(&rig, start + 200, &points);
    assert_non_null(message);
    assert_true(vault_rig_seconds() - start >= 0.5); /* at a release point, not when it happened */
    vault_rig_expect_error(message, "undecided");
    vault_rig_stop(&rig);
    rig.virtual_seed = 7;
    assert_int_equal(attempt_answered(&rig, "GOOD"), 2);
    vault_rig_remove(&rig);
}

static void a_sealed_side_that_cannot_load_costs_nothing(void **state)
{
    (void)state;
    struct vault_rig rig;
    vault_rig_seal(&rig, &cases, "{}");
    start_attempt(&rig, "GOOD");
    json_t *message, *error = json_pack("{s:{s:s, s:s}}", "error", "code", "world", "message",
                                        "The model file is not there.");
    assert_int_equal(pawl_channel_receive(rig.peer, -1, &message, NULL), PAWL_OK);
    assert_int_equal(pawl_channel_send(rig.peer, error, NULL), PAWL_OK);
    json_decref(error);
    json_decref(message);
    int64_t points = 0;
    vault_rig_expect_error(listen_until(&rig, vault_rig_seconds() + 5, &points), "world");
    vault_rig_stop(&rig);
    assert_int_equal(attempts_of(&rig), 0);
    vault_rig_remove(&rig);
}

/* --- tampering ------------------------------------------------------------------------------------------- */

static void copy_file(const char *from, const char *to)
{
    char command[512];
    snprintf(command, sizeof command, "cp '%s' '%s'", from, to);
    assert_int_equal(system(command), 0);
}

static void flip_byte(const char *path, off_t at)
{
    char byte;
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

static void expect_integrity(struct vault_rig *rig)
{
    vault_rig_expect_error(vault_rig_once(rig, RIG_NO_PEER, vault_rig_op("status")), "integrity");
    vault_rig_expect_error(
        vault_rig_once(rig, RIG_SEALED, vault_rig_attempt("GOOD", "PLAIN", NULL)), "integrity");
}

static void files_put_back_are_refused(void **state)
{
    (void)state;
    struct vault_rig rig;
    vault_rig_seal(&rig, &cases, "{}");
    char *db = vault_rig_path(&rig, ".pawl/sealed/vault.db"), *old = vault_rig_path(&rig, "old.db");
    char *counter = vault_rig_home(&rig, "counter"),
         *old_counter = vault_rig_path(&rig, "old.counter");
    char *new_db = vault_rig_path(&rig, "new.db");
    copy_file(db, old);
    copy_file(counter, old_counter);
    assert_int_equal(attempt_answered(&rig, "WORSE"), 1);
    copy_file(db, new_db);
    copy_file(old, db); /* the attempt would be forgotten */
    expect_integrity(&rig);
    copy_file(new_db, db);
    assert_int_equal(attempts_of(&rig), 1);
    copy_file(counter, old);
    copy_file(old_counter, counter); /* the counter alone */
    expect_integrity(&rig);
    copy_file(old, counter);
    assert_int_equal(attempts_of(&rig), 1);
    free(db);
    free(old);
    free(counter);
    free(old_counter);
    free(new_db);
    vault_rig_remove(&rig);
}

static void a_changed_counter_or_key_is_refused(void **state)
{
    (void)state;
    struct vault_rig rig;
    vault_rig_seal(&rig, &cases, "{}");
    assert_int_equal(attempt_answered(&rig, "WORSE"), 1);
    char *counter = vault_rig_home(&rig, "counter"), *key = vault_rig_home(&rig, "key");
    for (off_t at = 0; at < 64; at += 7) {
        flip_byte(counter, at);
        vault_rig_expect_error(vault_rig_once(&rig, RIG_NO_PEER, vault_rig_op("status")),
                               "integrity");
        flip_byte(counter, at);
    }
    flip_byte(key, 5);
    expect_integrity(&rig);
    flip_byte(key, 5);
    assert_int_equal(attempts_of(&rig), 1);
    assert_int_equal(unlink(counter), 0);
    expect_integrity(&rig);
    free(counter);
    free(key);
    vault_rig_remove(&rig);
}

/* Put the row of the attempt, as it was when it was registered, back into the newest store: the
 * question would be open again. */
static void a_row_put_back_is_refused(void **state)
{
    (void)state;
    struct vault_rig rig;
    sqlite3 *handle;
    vault_rig_seal(&rig, &cases, "{}");
    char *db = vault_rig_path(&rig, ".pawl/sealed/vault.db"), *old = vault_rig_path(&rig, "old.db"),
         *sql;
    start_attempt(&rig, "WORSE");
    play(&rig, 20);
    vault_rig_kill(&rig, true, true);
    copy_file(db, old);
    assert_int_equal(attempt_answered(&rig, "WORSE"), 1);
    assert_true(asprintf(&sql,
                         "ATTACH '%s' AS old; UPDATE row SET body = (SELECT body FROM old.row o "
                         "WHERE o.id = row.id) WHERE id >> 32 = 3 AND id & 4294967295 = 1",
                         old) > 0);
    assert_int_equal(sqlite3_open(db, &handle), SQLITE_OK);
    assert_int_equal(sqlite3_exec(handle, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_changes(handle), 1);
    sqlite3_close(handle);
    vault_rig_expect_error(
        vault_rig_once(&rig, RIG_SEALED, vault_rig_attempt("WORSE", "PLAIN", NULL)), "integrity");
    free(db);
    free(old);
    free(sql);
    vault_rig_remove(&rig);
}

int main(void)
{
    pawl_crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_before_the_first_release_point),
        cmocka_unit_test(killed_after_the_first_release_point),
        cmocka_unit_test(another_question_closes_what_was_left),
        cmocka_unit_test(a_dead_sealed_side_decides_nothing),
        cmocka_unit_test(a_sealed_side_that_cannot_load_costs_nothing),
        cmocka_unit_test(files_put_back_are_refused),
        cmocka_unit_test(a_changed_counter_or_key_is_refused),
        cmocka_unit_test(a_row_put_back_is_refused),
        cmocka_unit_test(killed_at_any_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
