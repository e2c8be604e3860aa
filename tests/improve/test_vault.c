/* The life of a sealed set: sealing, adding, attempts and their answers, the audit view. */
#include "support/vault_rig.h"

#include "improve/attest.h"
#include "improve/protocol.h"
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
#include <time.h>
#include <unistd.h>

static const struct vault_rig_cases few = {
    .n = 200, .hard_per_cent = 60, .cluster_size = 1, .flavour = "a"};
static const struct vault_rig_cases many = {
    .n = 600, .hard_per_cent = 60, .cluster_size = 1, .flavour = "a"};

static void expect_real(const json_t *object, const char *key, double expected)
{
    assert_true(fabs(pawl_json_get_real(object, key, NAN) / expected - 1) < 1e-9);
}

static void seal(struct vault_rig *rig)
{
    json_decref(vault_rig_done(vault_rig_once(rig, RIG_NO_PEER, vault_rig_op("seal"))));
}

/* Ask in a fresh vault; gives {statement, signature, stored}. */
static json_t *ask(struct vault_rig *rig, const char *candidate, const char *incumbent)
{
    return vault_rig_done(
        vault_rig_once(rig, RIG_SEALED, vault_rig_attempt(candidate, incumbent, NULL)));
}

static json_t *status_of(struct vault_rig *rig)
{
    return vault_rig_done(vault_rig_once(rig, RIG_NO_PEER, vault_rig_op("status")));
}

/* --- sealing --------------------------------------------------------------------------------------- */

static void sealing_places_every_case_once(void **state)
{
    (void)state;
    struct vault_rig rig;
    vault_rig_make(&rig, &many, "{}");
    json_t *sealed = vault_rig_done(vault_rig_once(&rig, RIG_NO_PEER, vault_rig_op("seal")));
    const json_t *tiers = json_object_get(sealed, "tiers");
    int64_t train = vault_rig_int(tiers, "train"), dev = vault_rig_int(tiers, "dev"),
            gate = vault_rig_int(tiers, "gate");
    assert_int_equal(train + dev + gate + vault_rig_int(tiers, "vault"), many.n);
    assert_int_equal((int64_t)json_array_size(json_object_get(sealed, "train")), train);
    assert_int_equal((int64_t)json_array_size(json_object_get(sealed, "dev")), dev);
    assert_in_range(gate, 300, 420);
    assert_int_equal(vault_rig_int(json_object_get(sealed, "commitment"), "size"), gate);
    assert_int_equal(vault_rig_int(sealed, "largest_cluster"), 1);
    assert_int_equal(strlen(vault_rig_text(sealed, "public_key")), 64);
    json_decref(sealed);
    vault_rig_remove(&rig);
}

static void sealing_again_changes_nothing(void **state)
{
    (void)state;
    struct vault_rig rig;
    vault_rig_make(&rig, &few, "{}");
    rig.virtual_seed = -1;
    json_t *first = vault_rig_done(vault_rig_once(&rig, RIG_NO_PEER, vault_rig_op("seal")));
    json_t *second = vault_rig_done(vault_rig_once(&rig, RIG_NO_PEER, vault_rig_op("seal")));
    assert_true(json_equal(first, second));
    char *cases = vault_rig_path(&rig, "cases.jsonl");
    assert_int_equal(unlink(cases), 0); /* moved out of the project */
    json_t *third = vault_rig_done(vault_rig_once(&rig, RIG_NO_PEER, vault_rig_op("seal")));
    assert_true(json_equal(first, third));
    struct vault_rig_cases changed = few;
    changed.flavour = "b";
    vault_rig_write_cases(&rig, "cases.jsonl", &changed, 0);
    vault_rig_expect_error(vault_rig_once(&rig, RIG_NO_PEER, vault_rig_op("seal")), "config");
    changed = few;
    changed.n = 150;
    vault_rig_write_cases(&rig, "cases.jsonl", &changed, 0);
    json_t *answer = vault_rig_once(&rig, RIG_NO_PEER, vault_rig_op("seal"));
    assert_non_null(
        strstr(vault_rig_text(json_object_get(answer, "error"), "hint"), "pawl data add"));
    vault_rig_expect_error(answer, "config");
    json_decref(first);
    json_decref(second);
    json_decref(third);
    free(cases);
    vault_rig_remove(&rig);
}

static void expect_nothing_written(struct vault_rig *rig)
{
    char *sealed = vault_rig_path(rig, ".pawl/sealed"), *home;
    assert_true(asprintf(&home, "%s/home", rig->dir) > 0);
    assert_int_equal(access(sealed, F_OK), -1);
    assert_int_equal(access(home, F_OK), -1);
    free(sealed);
    free(home);
}

static void bad_data_writes_nothing(void **state)
{
    (void)state;
    struct vault_rig rig;
    struct vault_rig_cases cases = few;
    cases.n = 12; /* too few for a gate of 10 clusters */
    vault_rig_make(&rig, &cases, "{}");
    vault_rig_expect_error(vault_rig_once(&rig, RIG_NO_PEER, vault_rig_op("seal")), "config");
    expect_nothing_written(&rig);
    cases.n = 200;
    cases.cluster_size = 50; /* 4 clusters */
    vault_rig_write_cases(&rig, "cases.jsonl", &cases, 0);
    vault_rig_expect_error(vault_rig_once(&rig, RIG_NO_PEER, vault_rig_op("seal")), "config");
    expect_nothing_written(&rig);
    char *path = vault_rig_path(&rig, "cases.jsonl");
    FILE *file = fopen(path, "w"); /* a duplicate id */
    for (int i = 0; i < 100; i++)
        fprintf(file, "{\"id\":\"%d\",\"input\":\"x%d\",\"target\":\"yes\"}\n", i == 99 ? 0 : i, i);
    fclose(file);
    vault_rig_expect_error(vault_rig_once(&rig, RIG_NO_PEER, vault_rig_op("seal")), "config");
    expect_nothing_written(&rig);
    vault_rig_expect_error(vault_rig_once(&rig, RIG_NO_PEER, vault_rig_op("status")), "not_found");
    free(path);
    vault_rig_remove(&rig);
}

static void adding_moves_no_case(void **state)
{
    (void)state;
    struct vault_rig rig;
    struct vault_rig_cases more = few;
    more.n = 120;
    vault_rig_make(&rig, &few, "{}");
    json_t *sealed = vault_rig_done(vault_rig_once(&rig, RIG_NO_PEER, vault_rig_op("seal")));
    vault_rig_write_cases(&rig, "more.jsonl", &more, 150); /* 50 known, 70 new */
    json_t *request = json_pack("{s:s, s:s}", "op", "add", "file", "more.jsonl");
    json_t *added = vault_rig_done(vault_rig_once(&rig, RIG_NO_PEER, json_incref(request)));
    assert_int_equal(vault_rig_int(added, "added"), 70);
    assert_int_equal(vault_rig_int(added, "refused"), 50);
    assert_int_equal(vault_rig_int(json_object_get(added, "tiers"), "train"),
                     (int64_t)(json_array_size(json_object_get(sealed, "train")) +
                               json_array_size(json_object_get(added, "train"))));
    assert_true(vault_rig_int(json_object_get(added, "commitment"), "size") >
                vault_rig_int(json_object_get(sealed, "commitment"), "size"));
    json_t *again = vault_rig_done(vault_rig_once(&rig, RIG_NO_PEER, request));
    assert_int_equal(vault_rig_int(again, "added"), 0);
    assert_true(
        json_equal(json_object_get(again, "commitment"), json_object_get(added, "commitment")));
    json_t *resealed = vault_rig_done(vault_rig_once(&rig, RIG_NO_PEER, vault_rig_op("seal")));
    assert_true(json_equal(json_object_get(resealed, "tiers"), json_object_get(added, "tiers")));
    json_decref(sealed);
    json_decref(added);
    json_decref(again);
    json_decref(resealed);
    vault_rig_remove(&rig);
}

static void other_content_under_a_known_id_is_refused_whole(void **state)
{
    (void)state;
    struct vault_rig rig;
    struct vault_rig_cases more = few;
    more.n = 20;
    more.flavour = "b";
    vault_rig_seal(&rig, &few, "{}");
    vault_rig_write_cases(&rig, "more.jsonl", &more, 190);
    vault_rig_expect_error(
        vault_rig_once(&rig, RIG_NO_PEER,
                       json_pack("{s:s, s:s}", "op", "add", "file", "more.jsonl")),
        "config");
    json_t *status = status_of(&rig);
    const json_t *tiers = json_object_get(status, "tiers");
    assert_int_equal(vault_rig_int(tiers, "train") + vault_rig_int(tiers, "dev") +
                         vault_rig_int(tiers, "gate"),
                     few.n);
    json_decref(status);
    vault_rig_remove(&rig);
}

/* --- attempts -------------------------------------------------------------------------------------- */

static void expect_statement(const json_t *answer, int64_t attempt, const char *verdict)
{
    const json_t *statement = json_object_get(answer, "statement");
    struct pawl_error err;
    assert_int_equal(pawl_statement_verify(statement, vault_rig_text(answer, "signature"), &err),
                     PAWL_OK);
    assert_int_equal(vault_rig_int(statement, "attempt"), attempt);
    assert_string_equal(vault_rig_text(statement, "verdict"), verdict);
}

static void the_gate_promotes_what_is_better(void **state)
{
    (void)state;
    const struct vault_rig_cases *sizes[] = {&few, &many};
    const char *policies[] = {"spending", "e-lond"}, *looks[] = {"fixed", "sequential"};
    for (int i = 0; i < 2; i++) {
        struct vault_rig rig;
        vault_rig_seal(&rig, sizes[i], "{}");
        json_t *worse = ask(&rig, "WORSE", "PLAIN"), *same = ask(&rig, "PLAIN too", "PLAIN");
        json_t *good = ask(&rig, "GOOD", "PLAIN");
        expect_statement(worse, 1, "no");
        expect_statement(same, 2, "no");
        expect_statement(good, 3, "promote");
        const json_t *statement = json_object_get(good, "statement");
        assert_string_equal(vault_rig_text(statement, "policy"), policies[i]);
        assert_string_equal(vault_rig_text(statement, "look"), looks[i]);
        assert_string_equal(vault_rig_text(statement, "unit"), "sign");
        json_decref(worse);
        json_decref(same);
        json_decref(good);
        vault_rig_remove(&rig);
    }
}

static json_t *ask_to_attest(struct vault_rig *rig, int64_t attempt, const char *format)
{
    return vault_rig_once(rig, RIG_NO_PEER,
                          json_pack("{s:s, s:I, s:s}", "op", "attest", "attempt",
                                    (json_int_t)attempt, "format", format));
}

/* What was told is told again in the words of others, and nothing else is signed. */
static void told_verdicts_alone_are_attested(void **state)
{
    (void)state;
    struct vault_rig rig;
    struct pawl_error err;
    vault_rig_seal(&rig, &few, "{}");
    vault_rig_expect_error(ask_to_attest(&rig, 1, "slsa"), "not_found");
    json_t *answers[] = {ask(&rig, "WORSE", "PLAIN"), ask(&rig, "GOOD", "PLAIN")};
    vault_rig_expect_error(
        vault_rig_once(&rig, RIG_SEALED, vault_rig_attempt("BROKEN", "PLAIN", NULL)), "undecided");
    for (int i = 0; i < 2; i++) {
        const json_t *statement = json_object_get(answers[i], "statement");
        json_t *slsa = vault_rig_done(ask_to_attest(&rig, i + 1, "slsa"));
        json_t *intoto = vault_rig_done(ask_to_attest(&rig, i + 1, "intoto"));
        assert_int_equal(pawl_attest_verify(json_object_get(slsa, "envelope"), statement,
                                            PAWL_ATTEST_SLSA, &err),
                         PAWL_OK);
        assert_int_equal(pawl_attest_verify(json_object_get(intoto, "envelope"), statement,
                                            PAWL_ATTEST_INTOTO, &err),
                         PAWL_OK);
        json_decref(slsa);
        json_decref(intoto);
        json_decref(answers[i]);
    }
    vault_rig_expect_error(ask_to_attest(&rig, 3, "slsa"), "not_found");
    vault_rig_expect_error(ask_to_attest(&rig, 4, "slsa"), "not_found");
    vault_rig_expect_error(ask_to_attest(&rig, 0, "slsa"), "not_found");
    vault_rig_expect_error(ask_to_attest(&rig, 1, "spdx"), "usage");
    vault_rig_remove(&rig);
}

/* alpha gamma_1 = .04, alpha gamma_2 = .2 * 6/pi^2 * alpha: what the vault uses is what is told. */
static void levels_follow_all_attempts_ever(void **state)
{
    (void)state;
    struct vault_rig rig;
    vault_rig_seal(&rig, &few, "{}");
    double expected[] = {0.04, 0.05 * 0.2 * 0.6079271018540267,
                         0.05 * 0.2 * 0.6079271018540267 / 4};
    const char *candidates[] = {"WORSE 1", "WORSE 2", "WORSE 3"};
    for (int i = 0; i < 3; i++) {
        json_t *status = status_of(&rig);
        expect_real(status, "level", expected[i]);
        expect_real(status, "next_threshold", 1 / expected[i]);
        assert_int_equal(vault_rig_int(status, "attempts"), i);
        json_t *answer = ask(&rig, candidates[i], "PLAIN");
        expect_real(json_object_get(answer, "statement"), "level", expected[i]);
        json_decref(answer);
        json_decref(status);
    }
    vault_rig_remove(&rig);
}

/* Wins without a loss at the edge: with the gate's cases known, w wins promote iff 2^-w <= level. */
static void the_level_is_the_one_that_decides(void **state)
{
    (void)state;
    bool promoted_at[2] = {false, false};
    for (int i = 0; i < 2; i++) {
        struct vault_rig rig;
        struct vault_rig_cases cases = few;
        cases.n = 100;
        cases.hard_per_cent = 0;
        vault_rig_make(&rig, &cases,
                       "{\"policy\":\"per-decision\",\"look\":\"fixed\",\"alpha\":0.02}");
        /* The gate's cases are those that the seal does not show; the first 5 + i of them are hard. */
        json_t *sealed = vault_rig_done(vault_rig_once(&rig, RIG_NO_PEER, vault_rig_op("seal")));
        bool visible[100] = {false};
        const char *tiers[] = {"train", "dev"};
        size_t at;
        json_t *item;
        for (int t = 0; t < 2; t++)
            json_array_foreach(json_object_get(sealed, tiers[t]), at, item)
                visible[atoi(vault_rig_text(item, "id") + 5)] = true;
        json_decref(sealed);
        vault_rig_remove(&rig);
        vault_rig_make(&rig, &cases,
                       "{\"policy\":\"per-decision\",\"look\":\"fixed\",\"alpha\":0.02}");
        char *path = vault_rig_path(&rig, "cases.jsonl");
        FILE *file = fopen(path, "w");
        for (int k = 0, hard = 0; k < 100; k++) {
            bool is_hard = !visible[k] && hard < 5 + i;
            hard += is_hard;
            fprintf(file,
                    "{\"id\":\"case-%05d\",\"cluster\":\"cluster-%05d\",\"input\":\"%05d %s\","
                    "\"target\":\"yes\"}\n",
                    k, k, k, is_hard ? "hard" : "easy");
        }
        fclose(file);
        seal(&rig);
        json_t *answer = ask(&rig, "GOOD", "PLAIN");
        promoted_at[i] =
            strcmp(vault_rig_text(json_object_get(answer, "statement"), "verdict"), "promote") == 0;
        json_decref(answer);
        free(path);
        vault_rig_remove(&rig);
    }
    assert_false(promoted_at[0]); /* 5 wins: p = .031 */
    assert_true(promoted_at[1]);  /* 6 wins: p = .016 */
}

static void asking_again_gives_the_stored_answer(void **state)
{
    (void)state;
    struct vault_rig rig;
    char hex[65];
    vault_rig_seal(&rig, &few, "{}");
    json_t *first = ask(&rig, "GOOD", "PLAIN");
    assert_false(pawl_json_get_bool(first, "stored", true));
    json_t *again =
        vault_rig_done(vault_rig_once(&rig, RIG_NO_PEER, vault_rig_attempt("GOOD", "PLAIN", NULL)));
    assert_true(pawl_json_get_bool(again, "stored", false));
    assert_true(
        json_equal(json_object_get(first, "statement"), json_object_get(again, "statement")));
    /* Another text with the same dev outputs. */
    json_t *twin = vault_rig_done(
        vault_rig_once(&rig, RIG_NO_PEER,
                       vault_rig_attempt("GOOD twin", "PLAIN", vault_rig_behaviour("GOOD", hex))));
    assert_true(pawl_json_get_bool(twin, "stored", false));
    assert_true(
        json_equal(json_object_get(first, "statement"), json_object_get(twin, "statement")));
    /* Against another incumbent it is another question. */
    json_t *other = ask(&rig, "GOOD", "WORSE");
    assert_false(pawl_json_get_bool(other, "stored", true));
    expect_statement(other, 2, "promote");
    json_t *status = status_of(&rig);
    assert_int_equal(vault_rig_int(status, "attempts"), 2);
    assert_int_equal(vault_rig_int(status, "promotions"), 2);
    json_decref(first);
    json_decref(again);
    json_decref(twin);
    json_decref(other);
    json_decref(status);
    vault_rig_remove(&rig);
}

static void an_incumbent_is_no_candidate(void **state)
{
    (void)state;
    struct vault_rig rig;
    vault_rig_seal(&rig, &few, "{}");
    vault_rig_expect_error(
        vault_rig_once(&rig, RIG_SEALED, vault_rig_attempt("PLAIN", "PLAIN", NULL)), "usage");
    vault_rig_expect_error(
        vault_rig_once(&rig, RIG_SEALED, vault_rig_attempt("GOOD", "PLAIN", "no hash")), "usage");
    vault_rig_expect_error(
        vault_rig_once(&rig, RIG_NO_PEER, vault_rig_attempt("GOOD", "PLAIN", NULL)), "usage");
    vault_rig_expect_error(vault_rig_once(&rig, RIG_NO_PEER, vault_rig_op("nonsense")), "usage");
    json_t *status = status_of(&rig);
    assert_int_equal(vault_rig_int(status, "attempts"), 0);
    json_decref(status);
    vault_rig_remove(&rig);
}

static void attempts_run_out(void **state)
{
    (void)state;
    struct vault_rig rig;
    vault_rig_seal(&rig, &few, "{\"max_attempts\":2}");
    json_decref(ask(&rig, "WORSE 1", "PLAIN"));
    json_decref(ask(&rig, "WORSE 2", "PLAIN"));
    vault_rig_expect_error(
        vault_rig_once(&rig, RIG_SEALED, vault_rig_attempt("GOOD", "PLAIN", NULL)), "budget");
    json_t *stored = ask(&rig, "WORSE 1", "PLAIN");
    assert_true(pawl_json_get_bool(stored, "stored", false));
    /* A larger number in the configuration does not make the sealed set last longer. */
    char *larger = strdup(rig.config);
    strstr(larger, "\"max_attempts\":2")[15] = '9';
    free(rig.config);
    rig.config = larger;
    vault_rig_expect_error(
        vault_rig_once(&rig, RIG_SEALED, vault_rig_attempt("GOOD", "PLAIN", NULL)), "budget");
    json_decref(stored);
    vault_rig_remove(&rig);
}

static void the_rule_is_fixed_by_the_first_attempt(void **state)
{
    (void)state;
    struct vault_rig rig;
    vault_rig_seal(&rig, &few, "{\"alpha\":0.01}");
    json_decref(ask(&rig, "WORSE", "PLAIN"));
    char *other = strdup(rig.config);
    memcpy(strstr(other, "0.01"), "0.09", 4);
    free(rig.config);
    rig.config = other;
    vault_rig_expect_error(
        vault_rig_once(&rig, RIG_SEALED, vault_rig_attempt("GOOD", "PLAIN", NULL)), "config");
    vault_rig_remove(&rig);
    vault_rig_seal(&rig, &few, "{\"policy\":\"e-lond\",\"look\":\"fixed\"}");
    vault_rig_expect_error(
        vault_rig_once(&rig, RIG_SEALED, vault_rig_attempt("GOOD", "PLAIN", NULL)), "config");
    vault_rig_remove(&rig);
}

static void clusters_and_samples_make_a_grid(void **state)
{
    (void)state;
    struct vault_rig rig;
    struct vault_rig_cases cases = {
        .n = 900, .hard_per_cent = 60, .cluster_size = 3, .flavour = "a"};
    vault_rig_seal(&rig, &cases, "{\"samples\":2}");
    json_t *good = ask(&rig, "GOOD", "PLAIN"), *worse = ask(&rig, "WORSE", "PLAIN");
    const json_t *statement = json_object_get(good, "statement");
    expect_statement(good, 1, "promote");
    expect_statement(worse, 2, "no");
    assert_string_equal(vault_rig_text(statement, "unit"), "grid");
    assert_int_equal(vault_rig_int(statement, "largest_cluster"), 3);
    assert_int_equal(vault_rig_int(statement, "samples"), 2);
    assert_int_equal(vault_rig_int(statement, "n_planned"),
                     3 * vault_rig_int(statement, "clusters"));
    json_decref(good);
    json_decref(worse);
    vault_rig_remove(&rig);
}

/* --- release ---------------------------------------------------------------------------------------- */

static void answers_leave_at_release_points(void **state)
{
    (void)state;
    struct vault_rig rig;
    vault_rig_seal(&rig, &many, "{}");
    json_t *good = ask(&rig, "GOOD", "PLAIN"), *worse = ask(&rig, "WORSE", "PLAIN");
    const json_t *promoted = json_object_get(good, "statement");
    /* 1 ms a case, two arms, half as much again, 2 s, rounded up. */
    int64_t n = vault_rig_int(promoted, "n_planned");
    int64_t duration_ms = (n * 2 * 1500 + 2000000 + 999999) / 1000000 * 1000;
    int64_t first = vault_rig_int(promoted, "released_ms");
    int64_t second = vault_rig_int(json_object_get(worse, "statement"), "released_ms");
    assert_int_equal(first, PAWL_TEST_EPOCH_MS + duration_ms / 4);
    assert_int_equal(second, first + duration_ms);
    json_decref(good);
    json_decref(worse);
    vault_rig_remove(&rig);
}

/* Who is late by k quarters must not be able to say k. */
static void late_points_lie_twice_as_far(void **state)
{
    (void)state;
    static const int64_t points_ms[] = {1000, 2000, 3000, 4000, 8000, 16000, 32000};
    for (size_t i = 0; i < sizeof points_ms / sizeof *points_ms; i++)
        assert_int_equal(pawl_vault_point_ms(4000, (int64_t)i + 1), points_ms[i]);
    assert_true(pawl_vault_point_ms(4000, 1000) > 0);
}

/* With the real clock: D is 3 s for 1 to 333 cases at 1 ms. */
static void real_time_is_kept(void **state)
{
    (void)state;
    struct vault_rig rig;
    vault_rig_make(&rig, &few, "{}");
    rig.virtual_seed = -1;
    seal(&rig);
    vault_rig_start(&rig, RIG_SEALED);
    json_t *said = json_array();
    double start = vault_rig_seconds();
    json_t *good =
        vault_rig_done(vault_rig_ask(&rig, vault_rig_attempt("GOOD", "PLAIN", NULL), &said));
    double promoted = vault_rig_seconds();
    size_t before = json_array_size(said); /* 0, unless the machine is slow */
    json_t *worse =
        vault_rig_done(vault_rig_ask(&rig, vault_rig_attempt("WORSE", "PLAIN", NULL), &said));
    double refused = vault_rig_seconds();
    assert_true(json_array_size(said) >= before + 3);
    assert_true(promoted - start >= 0.75 * (double)(before + 1));
    assert_true(refused - promoted >= 3.0);
    vault_rig_stop(&rig);
    json_decref(said);
    json_decref(good);
    json_decref(worse);
    vault_rig_remove(&rig);
}

/* --- the world fails ---------------------------------------------------------------------------------- */

static void a_failing_world_decides_nothing(void **state)
{
    (void)state;
    struct vault_rig rig;
    vault_rig_seal(&rig, &few, "{}");
    for (int k = 1; k <= 2; k++) {
        vault_rig_expect_error(
            vault_rig_once(&rig, RIG_SEALED, vault_rig_attempt("BROKEN", "PLAIN", NULL)),
            "undecided");
        json_t *status = status_of(&rig);
        assert_int_equal(vault_rig_int(status, "attempts"), k); /* asked again: a new attempt */
        json_decref(status);
    }
    vault_rig_remove(&rig);
}

static void a_few_missing_cases_are_ties(void **state)
{
    (void)state;
    struct vault_rig rig;
    struct vault_rig_cases cases = many;
    cases.patchy_per_cent = 1;
    vault_rig_seal(&rig, &cases, "{}");
    json_t *good = ask(&rig, "GOOD PATCHY", "PLAIN");
    expect_statement(good, 1, "promote");
    json_decref(good);
    vault_rig_remove(&rig);
    cases.patchy_per_cent = 5;
    vault_rig_seal(&rig, &cases, "{}");
    vault_rig_expect_error(
        vault_rig_once(&rig, RIG_SEALED, vault_rig_attempt("WORSE PATCHY", "PLAIN", NULL)),
        "undecided");
    vault_rig_remove(&rig);
}

/* --- the audit view ------------------------------------------------------------------------------------ */

static void the_audit_shows_all_and_ends_the_epoch(void **state)
{
    (void)state;
    struct vault_rig rig;
    vault_rig_seal(&rig, &few, "{}");
    json_t *good = ask(&rig, "GOOD", "PLAIN"), *worse = ask(&rig, "WORSE", "PLAIN");
    json_t *request = vault_rig_op("audit");
    pawl_json_set(request, "attempt", json_null());
    json_t *audit = vault_rig_done(vault_rig_once(&rig, RIG_NO_PEER, request));
    const json_t *evidence = json_object_get(audit, "evidence");
    assert_int_equal(json_array_size(evidence), 2);
    for (size_t i = 0; i < 2; i++) {
        /* The statement committed to exactly this. */
        const json_t *entry = json_array_get(evidence, i);
        const json_t *statement = json_object_get(i == 0 ? good : worse, "statement");
        struct pawl_hash salt;
        assert_true(pawl_hash_from_hex(pawl_json_get_str(entry, "salt"), &salt));
        char *shown = pawl_json_text(json_object_get(entry, "evidence"));
        struct pawl_hasher hasher;
        pawl_hasher_init(&hasher);
        pawl_hasher_add(&hasher, salt.bytes, sizeof salt.bytes);
        pawl_hasher_add(&hasher, shown, strlen(shown));
        struct pawl_hash root = pawl_hasher_final(&hasher);
        char hex[PAWL_HASH_HEX];
        pawl_hash_hex(&root, hex);
        assert_string_equal(vault_rig_text(statement, "evidence_root"), hex);
        assert_int_equal(
            (int64_t)json_array_size(json_object_get(json_object_get(entry, "evidence"), "cases")),
            vault_rig_int(statement, "n_planned"));
        free(shown);
    }
    vault_rig_expect_error(
        vault_rig_once(&rig, RIG_SEALED, vault_rig_attempt("GOOD 2", "PLAIN", NULL)), "usage");
    json_t *status = status_of(&rig);
    assert_false(pawl_json_get_bool(status, "epoch_open", true));
    json_t *stored = ask(&rig, "GOOD", "PLAIN");
    assert_true(pawl_json_get_bool(stored, "stored", false));
    json_t *wrong = vault_rig_op("audit");
    pawl_json_set(wrong, "attempt", json_integer(3));
    vault_rig_expect_error(vault_rig_once(&rig, RIG_NO_PEER, wrong), "not_found");
    json_decref(good);
    json_decref(worse);
    json_decref(audit);
    json_decref(status);
    json_decref(stored);
    vault_rig_remove(&rig);
}

int main(void)
{
    pawl_crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sealing_places_every_case_once),
        cmocka_unit_test(sealing_again_changes_nothing),
        cmocka_unit_test(bad_data_writes_nothing),
        cmocka_unit_test(adding_moves_no_case),
        cmocka_unit_test(other_content_under_a_known_id_is_refused_whole),
        cmocka_unit_test(the_gate_promotes_what_is_better),
        cmocka_unit_test(told_verdicts_alone_are_attested),
        cmocka_unit_test(levels_follow_all_attempts_ever),
        cmocka_unit_test(the_level_is_the_one_that_decides),
        cmocka_unit_test(asking_again_gives_the_stored_answer),
        cmocka_unit_test(an_incumbent_is_no_candidate),
        cmocka_unit_test(attempts_run_out),
        cmocka_unit_test(the_rule_is_fixed_by_the_first_attempt),
        cmocka_unit_test(clusters_and_samples_make_a_grid),
        cmocka_unit_test(answers_leave_at_release_points),
        cmocka_unit_test(late_points_lie_twice_as_far),
        cmocka_unit_test(real_time_is_kept),
        cmocka_unit_test(a_failing_world_decides_nothing),
        cmocka_unit_test(a_few_missing_cases_are_ties),
        cmocka_unit_test(the_audit_shows_all_and_ends_the_epoch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
