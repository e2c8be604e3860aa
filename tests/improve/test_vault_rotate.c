/* Rotation: what begins anew, what stays spent, what may be sealed, what opens; kills and files put back. */
#include "support/vault_rig.h"

#include "base/random.h"
#include "improve/statement.h"
#include "improve/vault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct vault_rig_cases few = {
    .n = 200, .hard_per_cent = 60, .cluster_size = 1, .flavour = "a"};
static const struct vault_rig_cases fresh = {
    .n = 120, .hard_per_cent = 60, .cluster_size = 1, .flavour = "b"};

static json_t *status_of(struct vault_rig *rig)
{
    return vault_rig_done(vault_rig_once(rig, RIG_NO_PEER, vault_rig_op("status")));
}

static json_t *ask(struct vault_rig *rig, const char *candidate)
{
    return vault_rig_done(
        vault_rig_once(rig, RIG_SEALED, vault_rig_attempt(candidate, "PLAIN", NULL)));
}

static json_t *rotate_op(const char *file)
{
    json_t *request = json_pack("{s:s, s:s}", "op", "rotate", "reason", "a test");
    if (file != NULL) pawl_json_set(request, "file", json_string(file));
    return request;
}

static json_t *rotate(struct vault_rig *rig, const char *file)
{
    return vault_rig_done(vault_rig_once(rig, RIG_NO_PEER, rotate_op(file)));
}

static void expect_refused(struct vault_rig *rig, const char *file, const char *code)
{
    json_t *before = status_of(rig);
    vault_rig_expect_error(vault_rig_once(rig, RIG_NO_PEER, rotate_op(file)), code);
    json_t *after = status_of(rig);
    assert_true(json_equal(before, after));
    json_decref(before);
    json_decref(after);
}

static int64_t attempt_in(const json_t *answer)
{
    return vault_rig_int(json_object_get(answer, "statement"), "attempt");
}

static void expect_status(struct vault_rig *rig, int64_t epoch, int64_t attempts, int64_t ever)
{
    json_t *status = status_of(rig);
    assert_int_equal(vault_rig_int(status, "epoch"), epoch);
    assert_int_equal(vault_rig_int(status, "attempts"), attempts);
    assert_int_equal(vault_rig_int(status, "attempts_ever"), ever);
    json_decref(status);
}

/* --- the new epoch ---------------------------------------------------------------------------------- */

static void levels_and_wear_begin_anew(void **state)
{
    (void)state;
    struct vault_rig rig;
    vault_rig_seal(&rig, &few, "{\"max_attempts\":3}");
    json_t *first = status_of(&rig);
    assert_true(pawl_json_get_real(json_object_get(first, "wear"), "eps", -1) == 0);
    json_decref(ask(&rig, "WORSE"));
    json_decref(ask(&rig, "WORSE 2"));
    json_t *old = ask(&rig, "GOOD");
    vault_rig_expect_error(
        vault_rig_once(&rig, RIG_SEALED, vault_rig_attempt("GOOD 3", "PLAIN", NULL)), "budget");
    json_t *worn = status_of(&rig);
    assert_true(pawl_json_get_real(json_object_get(worn, "wear"), "eps", 0) > 0.2);
    assert_int_equal(vault_rig_int(json_object_get(worn, "wear"), "passable_left"), 0);

    vault_rig_write_cases(&rig, "fresh.jsonl", &fresh, 1000);
    json_t *done = rotate(&rig, "fresh.jsonl");
    const json_t *said = json_object_get(done, "statement");
    struct pawl_error err;
    assert_int_equal(pawl_statement_verify(said, vault_rig_text(done, "signature"), &err), PAWL_OK);
    assert_int_equal(vault_rig_int(said, "epoch"), 2);
    assert_int_equal(vault_rig_int(said, "attempts"), 3);
    assert_int_equal(vault_rig_int(said, "added"), fresh.n);
    const json_t *was = json_object_get(first, "tiers"), *now = json_object_get(said, "tiers");
    int64_t gate = vault_rig_int(was, "gate");
    assert_int_equal(vault_rig_int(said, "retired"), gate);
    assert_int_equal(vault_rig_int(now, "dev"), vault_rig_int(was, "dev") + gate);
    assert_int_equal(vault_rig_int(now, "train"), vault_rig_int(was, "train"));
    assert_int_equal(vault_rig_int(now, "gate"), fresh.n);
    assert_true(
        json_equal(json_object_get(said, "previous"), json_object_get(first, "commitment")));

    expect_status(&rig, 2, 0, 3);
    json_t *status = status_of(&rig);
    assert_true(json_equal(json_object_get(status, "level"), json_object_get(first, "level")));
    assert_true(json_equal(json_object_get(status, "look"), json_object_get(first, "look")));
    assert_true(pawl_json_get_real(json_object_get(status, "wear"), "eps", -1) == 0);
    /* The old answer is one about the old cases. */
    json_t *anew = ask(&rig, "GOOD");
    assert_false(pawl_json_get_bool(anew, "stored", true));
    assert_int_equal(attempt_in(anew), 4);
    const json_t *statement = json_object_get(anew, "statement");
    assert_true(
        json_equal(json_object_get(statement, "commitment"), json_object_get(said, "commitment")));
    assert_int_equal(vault_rig_int(statement, "n_planned"), fresh.n);
    assert_string_equal(vault_rig_text(statement, "verdict"), "promote");
    json_decref(ask(&rig, "WORSE"));
    json_decref(ask(&rig, "WORSE 2"));
    vault_rig_expect_error(
        vault_rig_once(&rig, RIG_SEALED, vault_rig_attempt("GOOD 3", "PLAIN", NULL)), "budget");
    json_t *resealed = vault_rig_done(vault_rig_once(&rig, RIG_NO_PEER, vault_rig_op("seal")));
    assert_true(json_equal(json_object_get(resealed, "tiers"), now));
    assert_int_equal(json_array_size(json_object_get(resealed, "dev")), vault_rig_int(now, "dev"));
    json_decref(first);
    json_decref(old);
    json_decref(worn);
    json_decref(done);
    json_decref(status);
    json_decref(anew);
    json_decref(resealed);
    vault_rig_remove(&rig);
}

static void promotions_wear_a_set_out(void **state)
{
    (void)state;
    struct vault_rig rig;
    vault_rig_seal(&rig, &few, "{\"max_promotions\":1}");
    json_decref(ask(&rig, "GOOD"));
    vault_rig_expect_error(
        vault_rig_once(&rig, RIG_SEALED, vault_rig_attempt("GOOD 2", "PLAIN", NULL)), "budget");
    json_t *stored = ask(&rig, "GOOD");
    assert_true(pawl_json_get_bool(stored, "stored", false));
    json_t *status = status_of(&rig);
    assert_int_equal(vault_rig_int(status, "attempts_left"), 0);
    vault_rig_write_cases(&rig, "fresh.jsonl", &fresh, 1000);
    json_decref(rotate(&rig, "fresh.jsonl"));
    json_t *anew = ask(&rig, "GOOD 2");
    assert_int_equal(attempt_in(anew), 2);
    json_decref(stored);
    json_decref(status);
    json_decref(anew);
    vault_rig_remove(&rig);
}

static void cases_can_be_added_to_the_new_set(void **state)
{
    (void)state;
    struct vault_rig rig;
    struct vault_rig_cases more = fresh;
    vault_rig_seal(&rig, &few, "{\"max_attempts\":4}");
    json_decref(ask(&rig, "WORSE"));
    vault_rig_write_cases(&rig, "fresh.jsonl", &fresh, 1000);
    json_decref(rotate(&rig, "fresh.jsonl"));
    more.n = 300;
    vault_rig_write_cases(&rig, "more.jsonl", &more, 2000);
    json_t *added = vault_rig_done(vault_rig_once(
        &rig, RIG_NO_PEER, json_pack("{s:s, s:s}", "op", "add", "file", "more.jsonl")));
    assert_int_equal(vault_rig_int(added, "added"), more.n);
    for (int k = 2; k <= 5; k++) {
        char name[16];
        snprintf(name, sizeof name, "WORSE %d", k);
        json_t *answer = ask(&rig, name);
        assert_int_equal(attempt_in(answer), k);
        assert_true(vault_rig_int(json_object_get(answer, "statement"), "n_planned") > fresh.n);
        json_decref(answer);
    }
    json_decref(added);
    vault_rig_remove(&rig);
}

/* --- what opens ------------------------------------------------------------------------------------- */

static struct pawl_hash salted(const char *salt_hex, const json_t *value)
{
    struct pawl_hash salt;
    struct pawl_hasher hasher;
    char *text = pawl_json_text(value);
    assert_true(pawl_hash_from_hex(pawl_str_of(salt_hex), &salt));
    pawl_hasher_init(&hasher);
    pawl_hasher_add(&hasher, salt.bytes, sizeof salt.bytes);
    pawl_hasher_add(&hasher, text, strlen(text));
    free(text);
    return pawl_hasher_final(&hasher);
}

/* The log of sealed cases, from what was opened of it, has this root. Gives how many are still closed. */
static int64_t check_log(const json_t *sealed, const char *root)
{
    size_t n = json_array_size(sealed);
    struct pawl_hash *hashes = calloc(n, sizeof *hashes);
    struct pawl_str *leaves = calloc(n, sizeof *leaves);
    int64_t closed = 0;
    char hex[PAWL_HASH_HEX];
    for (size_t i = 0; i < n; i++) {
        const json_t *entry = json_array_get(sealed, i), *item = json_object_get(entry, "case");
        if (item == NULL) {
            closed++;
            assert_true(pawl_hash_from_hex(pawl_json_get_str(entry, "leaf"), &hashes[i]));
        } else {
            hashes[i] = salted(vault_rig_text(entry, "salt"), item);
        }
        leaves[i] = (struct pawl_str){(const char *)hashes[i].bytes, sizeof hashes[i].bytes};
    }
    struct pawl_hash hash = pawl_merkle_root(leaves, n);
    pawl_hash_hex(&hash, hex);
    assert_string_equal(hex, root);
    free(hashes);
    free(leaves);
    return closed;
}

static void check_opening(struct vault_rig *rig, const json_t *answer)
{
    const json_t *statement = json_object_get(answer, "statement");
    char hex[PAWL_HASH_HEX];
    json_t *opened =
        vault_rig_done(vault_rig_once(rig, RIG_NO_PEER,
                                      json_pack("{s:s, s:O}", "op", "opening", "attempt",
                                                json_object_get(statement, "attempt"))));
    const json_t *entry = json_array_get(json_object_get(opened, "evidence"), 0);
    struct pawl_hash root =
        salted(vault_rig_text(entry, "salt"), json_object_get(entry, "evidence"));
    pawl_hash_hex(&root, hex);
    assert_string_equal(hex, vault_rig_text(statement, "evidence_root"));
    check_log(json_object_get(opened, "sealed"),
              vault_rig_text(json_object_get(statement, "commitment"), "root"));
    json_decref(opened);
}

static void old_evidence_opens_and_new_does_not(void **state)
{
    (void)state;
    struct vault_rig rig;
    struct vault_rig_cases pairs = fresh;
    pairs.cluster_size = 2; /* another limit in each epoch */
    pairs.n = 240;
    vault_rig_seal(&rig, &few, "{\"look\":\"fixed\"}");
    json_t *one = ask(&rig, "GOOD");
    vault_rig_write_cases(&rig, "pairs.jsonl", &pairs, 1000);
    json_decref(rotate(&rig, "pairs.jsonl"));
    json_t *two = ask(&rig, "GOOD");
    check_opening(&rig, one);
    vault_rig_expect_error(
        vault_rig_once(&rig, RIG_NO_PEER, json_pack("{s:s, s:i}", "op", "opening", "attempt", 2)),
        "usage");
    vault_rig_write_cases(&rig, "fresh.jsonl", &fresh, 5000);
    json_decref(rotate(&rig, "fresh.jsonl"));
    check_opening(&rig, one);
    check_opening(&rig, two);
    assert_int_equal(vault_rig_int(json_object_get(two, "statement"), "largest_cluster"), 2);
    expect_status(&rig, 3, 0, 2);
    json_t *audit = vault_rig_op("audit"); /* the old attempts are none of this set's */
    pawl_json_set(audit, "attempt", json_integer(2));
    vault_rig_expect_error(vault_rig_once(&rig, RIG_NO_PEER, audit), "not_found");
    json_t *status = status_of(&rig);
    assert_true(pawl_json_get_bool(status, "epoch_open", false));
    json_decref(status);
    json_decref(one);
    json_decref(two);
    vault_rig_remove(&rig);
}

/* --- what is fresh ---------------------------------------------------------------------------------- */

/* Copies of the first n sealed or visible cases, other ids and clusters, other spelling; then fresh ones. */
static void write_copies(struct vault_rig *rig, const char *name, int n, int n_fresh)
{
    char *path = vault_rig_path(rig, name);
    FILE *file = fopen(path, "w");
    for (int i = 0; i < n; i++)
        fprintf(file,
                "{\"id\":\"copy-%d\",\"cluster\":\"k%d\",\"input\":\"%05d  %s STEADY A \","
                "\"target\":\"yes\"}\n",
                i, i, i, i * 37 % 100 < 60 ? "HARD" : "EASY");
    for (int i = 0; i < n_fresh; i++)
        fprintf(file,
                "{\"id\":\"new-%d\",\"cluster\":\"k%d\",\"input\":\"n%05d hard\","
                "\"target\":\"yes\"}\n",
                i, i, i);
    fclose(file);
    free(path);
}

static void what_was_seen_is_not_sealed_again(void **state)
{
    (void)state;
    struct vault_rig rig;
    vault_rig_seal(&rig, &few, "{}");
    json_decref(ask(&rig, "WORSE"));
    expect_refused(&rig, "cases.jsonl", "usage");
    write_copies(&rig, "copies.jsonl", 200, 0);
    expect_refused(&rig, "copies.jsonl", "usage");
    /* A new case in a cluster with a copy is as good as seen. */
    write_copies(&rig, "spoilt.jsonl", 150, 150);
    expect_refused(&rig, "spoilt.jsonl", "usage");
    write_copies(&rig, "mixed.jsonl", 20, 150);
    json_t *done = rotate(&rig, "mixed.jsonl");
    assert_int_equal(vault_rig_int(done, "added"), 130);
    assert_int_equal(vault_rig_int(done, "refused"), 40);
    expect_refused(&rig, "mixed.jsonl", "usage"); /* the same cases again */
    vault_rig_write_cases(&rig, "fresh.jsonl", &fresh, 1000);
    json_decref(rotate(&rig, "fresh.jsonl"));
    expect_refused(&rig, "fresh.jsonl", "usage");
    expect_refused(&rig, "mixed.jsonl", "usage");
    expect_refused(&rig, "cases.jsonl", "usage");
    expect_status(&rig, 3, 0, 1);
    json_decref(done);
    vault_rig_remove(&rig);
}

static void too_few_certify_nothing(void **state)
{
    (void)state;
    struct vault_rig rig;
    struct vault_rig_cases tiny = fresh;
    /* Fewer than ten clusters; or fewer than the wins that the level asks for. */
    vault_rig_seal(&rig, &few, "{\"alpha\":0.00001}");
    for (tiny.n = 5; tiny.n <= 15; tiny.n += 10) {
        vault_rig_write_cases(&rig, "tiny.jsonl", &tiny, 1000);
        expect_refused(&rig, "tiny.jsonl", "config");
    }
    expect_refused(&rig, NULL, "usage"); /* no reserve */
    json_t *nameless = rotate_op("tiny.jsonl");
    pawl_json_set(nameless, "reason", json_string(""));
    vault_rig_expect_error(vault_rig_once(&rig, RIG_NO_PEER, nameless), "usage");
    vault_rig_remove(&rig);
}

static void with_a_reserve(struct vault_rig *rig)
{
    char *config;
    vault_rig_make(rig, &few, "{}");
    const char *data = strstr(rig->config, "\"cases.jsonl\"") + strlen("\"cases.jsonl\"");
    assert_true(asprintf(&config,
                         "%.*s,\"tiers\":{\"train\":0.1,\"dev\":0.1,\"gate\":0.4,\"vault\":0.4}%s",
                         (int)(data - rig->config), rig->config, data) > 0);
    free(rig->config);
    rig->config = config;
    json_decref(vault_rig_done(vault_rig_once(rig, RIG_NO_PEER, vault_rig_op("seal"))));
}

static void the_reserve_outlives_an_audit(void **state)
{
    (void)state;
    struct vault_rig rig;
    with_a_reserve(&rig);
    json_t *first = status_of(&rig);
    int64_t reserve = vault_rig_int(json_object_get(first, "tiers"), "vault");
    assert_true(reserve > 40);
    json_t *good = ask(&rig, "GOOD");
    json_t *request = vault_rig_op("audit");
    pawl_json_set(request, "attempt", json_integer(1));
    json_t *audit = vault_rig_done(vault_rig_once(&rig, RIG_NO_PEER, request));
    const char *root = vault_rig_text(json_object_get(first, "commitment"), "root");
    assert_int_equal(check_log(json_object_get(audit, "sealed"), root), reserve);
    json_t *done = rotate(&rig, NULL);
    const json_t *tiers = json_object_get(json_object_get(done, "statement"), "tiers");
    assert_int_equal(vault_rig_int(tiers, "gate"), reserve);
    assert_int_equal(vault_rig_int(tiers, "vault"), 0);
    check_opening(&rig, good);
    json_t *anew = ask(&rig, "GOOD");
    assert_int_equal(attempt_in(anew), 2);
    assert_int_equal(vault_rig_int(json_object_get(anew, "statement"), "n_planned"), reserve);
    expect_refused(&rig, NULL, "usage"); /* it is used up */
    json_decref(first);
    json_decref(good);
    json_decref(audit);
    json_decref(done);
    json_decref(anew);
    vault_rig_remove(&rig);
}

/* Scored cases may have been the reserve's. */
static void burning_takes_the_reserve(void **state)
{
    (void)state;
    struct vault_rig rig;
    with_a_reserve(&rig);
    json_t *audit = vault_rig_op("audit");
    pawl_json_set(audit, "attempt", json_null());
    json_decref(vault_rig_done(vault_rig_once(&rig, RIG_NO_PEER, audit)));
    json_decref(vault_rig_done(vault_rig_once(&rig, RIG_NO_PEER, vault_rig_op("burn"))));
    expect_refused(&rig, NULL, "usage");
    vault_rig_write_cases(&rig, "fresh.jsonl", &fresh, 1000);
    json_decref(rotate(&rig, "fresh.jsonl"));
    json_t *good = ask(&rig, "GOOD");
    assert_int_equal(attempt_in(good), 1);
    json_decref(good);
    vault_rig_remove(&rig);
}

/* --- attempts stay spent ---------------------------------------------------------------------------- */

static void start_attempt(struct vault_rig *rig, const char *candidate)
{
    json_t *request = vault_rig_attempt(candidate, "PLAIN", NULL), *message, *answer;
    vault_rig_start(rig, RIG_PLAYED);
    assert_int_equal(pawl_channel_send(rig->front, request, NULL), PAWL_OK);
    json_decref(request);
    message = vault_rig_listen(rig, 0, &answer, NULL);
    assert_non_null(message); /* load */
    vault_rig_tell(rig->peer, json_pack("{s:{s:i, s:{}}}", "ready", "parallel", 1, "models"));
    json_decref(message);
    message = vault_rig_listen(rig, 0, &answer, NULL);
    assert_non_null(message); /* a case: it is registered */
    json_decref(message);
}

static void an_open_attempt_is_closed(void **state)
{
    (void)state;
    struct vault_rig rig;
    vault_rig_seal(&rig, &few, "{}");
    vault_rig_write_cases(&rig, "fresh.jsonl", &fresh, 1000);
    start_attempt(&rig, "GOOD");
    /* While it runs the vault is not to be had. */
    struct vault_rig other = rig;
    other.vault = other.sealed = -1;
    other.front = other.peer = NULL;
    vault_rig_expect_error(vault_rig_once(&other, RIG_NO_PEER, rotate_op("fresh.jsonl")), "world");
    vault_rig_kill(&rig, true, true);
    expect_status(&rig, 1, 1, 1);
    json_decref(rotate(&rig, "fresh.jsonl"));
    expect_status(&rig, 2, 0, 1);
    json_t *good = ask(&rig, "GOOD");
    assert_int_equal(attempt_in(good), 2);
    json_decref(good);
    vault_rig_remove(&rig);
}

static void copy_file(const char *from, const char *to)
{
    char command[512];
    snprintf(command, sizeof command, "cp '%s' '%s'", from, to);
    assert_int_equal(system(command), 0);
}

static json_t *rotation_op(int epoch, int known)
{
    return json_pack("{s:s, s:i, s:i}", "op", "rotation", "epoch", epoch, "known", known);
}

static void files_put_back_are_refused(void **state)
{
    (void)state;
    struct vault_rig rig;
    vault_rig_seal(&rig, &few, "{}");
    char *db = vault_rig_path(&rig, ".pawl/sealed/vault.db"), *old = vault_rig_path(&rig, "old.db"),
         *new = vault_rig_path(&rig, "new.db");
    char *counter = vault_rig_home(&rig, "counter"), *kept = vault_rig_path(&rig, "kept");
    json_decref(ask(&rig, "WORSE"));
    copy_file(db, old);
    copy_file(counter, kept);
    vault_rig_write_cases(&rig, "fresh.jsonl", &fresh, 1000);
    json_t *done = rotate(&rig, "fresh.jsonl");
    json_t *told = vault_rig_done(vault_rig_once(&rig, RIG_NO_PEER, rotation_op(2, 2)));
    assert_true(json_equal(json_object_get(told, "statement"), json_object_get(done, "statement")));
    assert_int_equal(vault_rig_int(told, "epoch"), 2);
    copy_file(db, new);
    copy_file(old, db);
    vault_rig_expect_error(vault_rig_once(&rig, RIG_NO_PEER, vault_rig_op("status")), "integrity");
    vault_rig_expect_error(vault_rig_once(&rig, RIG_NO_PEER, rotate_op("fresh.jsonl")),
                           "integrity");
    copy_file(kept, counter); /* both: only the ledger knows */
    vault_rig_expect_error(vault_rig_once(&rig, RIG_NO_PEER, rotation_op(2, 2)), "integrity");
    json_t *attempt = vault_rig_attempt("GOOD", "PLAIN", NULL);
    pawl_json_set(attempt, "epoch", json_integer(2));
    vault_rig_expect_error(vault_rig_once(&rig, RIG_SEALED, attempt), "world");
    free(db);
    free(old);
    free(new);
    free(counter);
    free(kept);
    json_decref(done);
    json_decref(told);
    vault_rig_remove(&rig);
}

/* --- kills ------------------------------------------------------------------------------------------ */

enum { KILLS = 40 };

/* Either the old epoch or the new one, whole: every case in one tier, the old evidence, the attempts. */
static void killed_at_any_moment(void **state)
{
    (void)state;
    struct vault_rig rig;
    struct pawl_random random;
    pawl_random_init(&random, 7);
    vault_rig_seal(&rig, &few, "{\"max_attempts\":5}");
    json_t *good = ask(&rig, "GOOD");
    vault_rig_write_cases(&rig, "fresh.jsonl", &fresh, 1000);
    double before = vault_rig_seconds();
    json_decref(rotate(&rig, "fresh.jsonl"));
    double whole_s = vault_rig_seconds() - before;
    int64_t epoch = 2, rotated = 0, n_cases = few.n + fresh.n;
    for (int i = 0; i < KILLS; i++) {
        if (epoch == 2 + rotated) /* the file is used up by each rotation */
            vault_rig_write_cases(&rig, "fresh.jsonl", &fresh, 2000 + 200 * (int)rotated);
        json_t *request = rotate_op("fresh.jsonl");
        vault_rig_start(&rig, RIG_NO_PEER);
        assert_int_equal(pawl_channel_send(rig.front, request, NULL), PAWL_OK);
        json_decref(request);
        usleep((useconds_t)(1.6e6 * whole_s * pawl_random_unit(&random)));
        vault_rig_kill(&rig, true, false);
        json_t *status = status_of(&rig);
        int64_t now = vault_rig_int(status, "epoch");
        assert_in_range(now, epoch, epoch + 1);
        if (now > epoch) {
            n_cases += fresh.n;
            rotated++;
        }
        epoch = now;
        const json_t *tiers = json_object_get(status, "tiers");
        assert_int_equal(vault_rig_int(tiers, "gate"), fresh.n);
        assert_int_equal(vault_rig_int(tiers, "train") + vault_rig_int(tiers, "dev") +
                             vault_rig_int(tiers, "gate"),
                         n_cases);
        assert_int_equal(vault_rig_int(status, "attempts_ever"), 1);
        json_decref(status);
        if (i % 10 == 9) check_opening(&rig, good);
    }
    print_message("rotated in %lld of %d\n", (long long)rotated, KILLS);
    assert_true(rotated >= 1 && rotated <= KILLS - 5);
    json_t *anew = ask(&rig, "GOOD");
    assert_int_equal(attempt_in(anew), 2);
    json_decref(anew);
    json_decref(good);
    vault_rig_remove(&rig);
}

int main(void)
{
    pawl_crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_and_wear_begin_anew),
        cmocka_unit_test(promotions_wear_a_set_out),
        cmocka_unit_test(cases_can_be_added_to_the_new_set),
        cmocka_unit_test(old_evidence_opens_and_new_does_not),
        cmocka_unit_test(what_was_seen_is_not_sealed_again),
        cmocka_unit_test(too_few_certify_nothing),
        cmocka_unit_test(the_reserve_outlives_an_audit),
        cmocka_unit_test(burning_takes_the_reserve),
        cmocka_unit_test(an_open_attempt_is_closed),
        cmocka_unit_test(files_put_back_are_refused),
        cmocka_unit_test(killed_at_any_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
