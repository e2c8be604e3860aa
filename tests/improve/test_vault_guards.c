/* Guards at the vault: frozen, enforced against incumbent and anchor, told, and added up. */
#include "support/vault_rig.h"

#include "improve/protocol.h"
#include "improve/statement.h"
#include "improve/vault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct vault_rig_cases few = {
    .n = 200, .hard_per_cent = 60, .cluster_size = 1, .flavour = "a"};
static const struct vault_rig_cases many = {
    .n = 600, .hard_per_cent = 60, .cluster_size = 1, .flavour = "a"};

enum { PACE_US = 5000 };
#define TOKENS "{\"metric\":\"tokens\",\"margin\":1}"
#define FAILED "{\"metric\":\"failed\",\"margin\":0.2}"
#define DOUBLE "{\"guards\":[" TOKENS "]}"

/* The incumbent takes 100 tokens on every case. */
static json_t *freeze_request(double tokens)
{
    return json_pack("{s:s, s:{s:f}}", "op", "freeze", "medians", "tokens", tokens);
}

static void seal(struct vault_rig *rig, const struct vault_rig_cases *cases, const char *gate)
{
    vault_rig_seal(rig, cases, gate);
    json_decref(vault_rig_done(vault_rig_once(rig, RIG_NO_PEER, freeze_request(100))));
}

static json_t *attempt(const char *candidate, const char *incumbent, const char *anchor)
{
    json_t *request = vault_rig_attempt(candidate, incumbent, NULL);
    json_t *other = vault_rig_attempt(candidate, anchor, NULL);
    pawl_json_set(request, "pace_us", json_integer(PACE_US));
    pawl_json_set(request, "anchor", json_incref(json_object_get(other, "incumbent")));
    json_decref(other);
    return request;
}

/* Gives {statement, signature, stored}. */
static json_t *ask(struct vault_rig *rig, const char *candidate, const char *incumbent,
                   const char *anchor)
{
    return vault_rig_done(vault_rig_once(rig, RIG_SEALED, attempt(candidate, incumbent, anchor)));
}

static void expect_verdict(struct vault_rig *rig, const char *candidate, const char *incumbent,
                           const char *anchor, const char *verdict)
{
    json_t *answer = ask(rig, candidate, incumbent, anchor);
    const json_t *statement = json_object_get(answer, "statement");
    struct pawl_error err;
    assert_int_equal(pawl_statement_verify(statement, vault_rig_text(answer, "signature"), &err),
                     PAWL_OK);
    assert_string_equal(vault_rig_text(statement, "verdict"), verdict);
    json_decref(answer);
}

static json_t *status_of(struct vault_rig *rig)
{
    return vault_rig_done(vault_rig_once(rig, RIG_NO_PEER, vault_rig_op("status")));
}

static json_t *evidence_of(struct vault_rig *rig, json_t **audit, int64_t attempt_k)
{
    json_t *request = vault_rig_op("audit");
    pawl_json_set(request, "attempt", json_integer(attempt_k));
    *audit = vault_rig_done(vault_rig_once(rig, RIG_NO_PEER, request));
    const json_t *entry = json_array_get(json_object_get(*audit, "evidence"), 0);
    return json_object_get(entry, "evidence");
}

static void set_config(struct vault_rig *rig, const char *old, const char *new)
{
    char *at = strstr(rig->config, old), *changed;
    assert_non_null(at);
    assert_true(asprintf(&changed, "%.*s%s%s", (int)(at - rig->config), rig->config, new,
                         at + strlen(old)) > 0);
    free(rig->config);
    rig->config = changed;
}

/* --- freezing --------------------------------------------------------------------------------------- */

static void a_configured_guard_is_never_passed_over(void **state)
{
    (void)state;
    struct vault_rig rig;
    vault_rig_seal(&rig, &few, DOUBLE);
    vault_rig_expect_error(
        vault_rig_once(&rig, RIG_SEALED, attempt("GOOD TOKENS 100", "PLAIN TOKENS 100", "PLAIN")),
        "config");
    vault_rig_expect_error(
        vault_rig_once(&rig, RIG_SEALED, vault_rig_attempt("GOOD", "PLAIN", NULL)), "usage");
    json_decref(vault_rig_done(vault_rig_once(&rig, RIG_NO_PEER, freeze_request(0))));
    vault_rig_expect_error(
        vault_rig_once(&rig, RIG_SEALED, attempt("GOOD TOKENS 100", "PLAIN TOKENS 100", "PLAIN")),
        "config"); /* a cap of nothing */
    json_t *status = status_of(&rig);
    assert_int_equal(vault_rig_int(status, "attempts"), 0);
    json_decref(status);
    vault_rig_remove(&rig);
}

static void caps_are_frozen_once(void **state)
{
    (void)state;
    struct vault_rig rig;
    vault_rig_seal(&rig, &few, DOUBLE);
    char *db = vault_rig_path(&rig, ".pawl/sealed/vault.db");
    int64_t before = vault_rig_size(db);
    for (int i = 0; i < 2; i++) {
        json_t *done = vault_rig_done(vault_rig_once(&rig, RIG_NO_PEER, freeze_request(100 + i)));
        const json_t *caps = json_object_get(done, "caps");
        assert_true(pawl_json_get_real(caps, "tokens", 0) == 400);
        json_decref(done);
    }
    int64_t frozen = vault_rig_size(db);
    assert_true(frozen > before); /* rows for all measures of three arms, from now on */
    expect_verdict(&rig, "GOOD TOKENS 100", "PLAIN TOKENS 100", "PLAIN TOKENS 100", "promote");
    assert_int_equal(vault_rig_size(db), frozen);
    free(db);
    vault_rig_remove(&rig);
}

static void the_first_attempt_fixes_the_guards(void **state)
{
    (void)state;
    struct vault_rig rig;
    seal(&rig, &few, DOUBLE);
    set_config(&rig, "\"margin\":1", "\"margin\":2"); /* before it they may change */
    expect_verdict(&rig, "WORSE TOKENS 100", "PLAIN TOKENS 100", "PLAIN TOKENS 100", "no");
    set_config(&rig, "\"margin\":2", "\"margin\":3");
    vault_rig_expect_error(
        vault_rig_once(&rig, RIG_SEALED,
                       attempt("GOOD TOKENS 100", "PLAIN TOKENS 100", "PLAIN TOKENS 100")),
        "config");
    vault_rig_remove(&rig);
    vault_rig_seal(&rig, &few, "{\"guards\":[]}");
    json_decref(vault_rig_done(
        vault_rig_once(&rig, RIG_SEALED, vault_rig_attempt("WORSE", "PLAIN", NULL))));
    set_config(&rig, "\"guards\":[]", "\"guards\":[{\"metric\":\"tokens\",\"margin\":1}]");
    vault_rig_expect_error(vault_rig_once(&rig, RIG_NO_PEER, freeze_request(100)), "config");
    vault_rig_remove(&rig);
}

/* --- the verdict ------------------------------------------------------------------------------------ */

static void a_gain_that_costs_too_much_is_withheld(void **state)
{
    (void)state;
    const struct vault_rig_cases *sizes[] = {&few, &many};
    for (int i = 0; i < 2; i++) { /* one planned look; sequential */
        struct vault_rig rig;
        seal(&rig, sizes[i], DOUBLE);
        expect_verdict(&rig, "GOOD TOKENS 200", "PLAIN TOKENS 100", "PLAIN TOKENS 100", "no");
        expect_verdict(&rig, "GOOD TOKENS 5000", "PLAIN TOKENS 100", "PLAIN TOKENS 100", "no");
        expect_verdict(&rig, "GOOD TOKENS 100", "PLAIN TOKENS 100", "PLAIN TOKENS 100", "promote");
        /* Not against the incumbent, but against the anchor it is too much, and the other way round. */
        expect_verdict(&rig, "GOOD TOKENS 201", "PLAIN TOKENS 200", "PLAIN TOKENS 100", "no");
        expect_verdict(&rig, "GOOD TOKENS 202", "PLAIN TOKENS 100", "PLAIN TOKENS 200", "no");
        /* The anchor comes back. */
        expect_verdict(&rig, "GOOD TOKENS 130", "PLAIN TOKENS 120", "GOOD TOKENS 130", "promote");
        vault_rig_remove(&rig);
    }
}

static void zero_tolerance_wants_every_case(void **state)
{
    (void)state;
    struct vault_rig rig;
    seal(&rig, &many, "{\"guards\":[{\"metric\":\"score\",\"zero_tolerance\":true}]}");
    expect_verdict(&rig, "GOOD", "PLAIN", "PLAIN", "promote");
    /* PLAIN fails the hard cases, and so gains nothing on GOOD; but it is better than WORSE. */
    expect_verdict(&rig, "PLAIN too", "WORSE", "GOOD", "no");
    expect_verdict(&rig, "PLAIN three", "WORSE", "WORSE", "promote");
    vault_rig_remove(&rig);
}

/* --- what is told ----------------------------------------------------------------------------------- */

static void statement_and_evidence_tell_the_guards(void **state)
{
    (void)state;
    struct vault_rig rig;
    json_t *audit;
    seal(&rig, &many, DOUBLE);
    json_t *answer = ask(&rig, "GOOD TOKENS 120", "PLAIN TOKENS 110", "PLAIN TOKENS 100");
    const json_t *statement = json_object_get(answer, "statement");
    const json_t *said = json_object_get(statement, "guards");
    assert_string_equal(vault_rig_text(statement, "verdict"), "promote");
    assert_true(pawl_json_get_real(said, "level", 0) == 0.05);
    const json_t *rule = json_array_get(json_object_get(said, "rules"), 0);
    assert_string_equal(vault_rig_text(rule, "metric"), "tokens");
    assert_true(pawl_json_get_real(rule, "cap", 0) == 400);
    assert_null(json_object_get(said, "drift")); /* sealed */
    const json_t *evidence = evidence_of(&rig, &audit, 1);
    const json_t *guards = json_object_get(evidence, "guards");
    assert_true(pawl_json_get_bool(guards, "pass", false));
    const json_t *guard = json_array_get(json_object_get(guards, "guards"), 0);
    assert_int_equal(json_array_size(json_object_get(guard, "against")), 2);
    assert_true(fabs(pawl_json_get_real(guard, "used", 0) - 0.2) < 1e-12);
    const json_t *row = json_array_get(json_object_get(evidence, "cases"), 0);
    const json_t *measured = json_object_get(row, "measured");
    const double tokens[] = {110, 120, 100};
    assert_int_equal(json_array_size(measured), 3);
    for (size_t arm = 0; arm < 3; arm++)
        assert_true(json_number_value(json_array_get(json_array_get(measured, arm),
                                                     PAWL_MEASURE_TOKENS)) == tokens[arm]);
    json_decref(audit);
    json_decref(answer);
    vault_rig_remove(&rig);
}

/* What a guard withholds leaves at the end like every no, and a third arm moves the end for all. */
static void what_is_withheld_leaves_like_every_no(void **state)
{
    (void)state;
    struct vault_rig rig;
    seal(&rig, &many, DOUBLE);
    json_t *withheld = ask(&rig, "GOOD TOKENS 5000", "PLAIN TOKENS 100", "PLAIN TOKENS 100");
    json_t *worse = ask(&rig, "WORSE TOKENS 100", "PLAIN TOKENS 100", "PLAIN TOKENS 100");
    json_t *third = ask(&rig, "WORSE TOKENS 99", "PLAIN TOKENS 100", "PLAIN TOKENS 98");
    const json_t *first = json_object_get(withheld, "statement");
    int64_t n = vault_rig_int(first, "n_planned"), at[3];
    at[0] = vault_rig_int(first, "released_ms");
    at[1] = vault_rig_int(json_object_get(worse, "statement"), "released_ms");
    at[2] = vault_rig_int(json_object_get(third, "statement"), "released_ms");
    assert_int_equal(at[0] - PAWL_TEST_EPOCH_MS, pawl_vault_duration_ms(n, 2, 1, PACE_US));
    assert_int_equal(at[1] - at[0], pawl_vault_duration_ms(n, 2, 1, PACE_US));
    assert_int_equal(at[2] - at[1], pawl_vault_duration_ms(n, 3, 1, PACE_US));
    assert_true(pawl_vault_duration_ms(n, 3, 1, PACE_US) >
                pawl_vault_duration_ms(n, 2, 1, PACE_US));
    json_decref(withheld);
    json_decref(worse);
    json_decref(third);
    vault_rig_remove(&rig);
}

/* As many guards as there can be: what an attempt keeps of them fits the row that was made for it. */
static void five_guards_fit_an_attempt(void **state)
{
    (void)state;
    struct vault_rig rig;
    vault_rig_seal(&rig, &few,
                   "{\"guards\":[" TOKENS "," FAILED
                   ",{\"metric\":\"score\",\"margin\":0.123456789012345},"
                   "{\"metric\":\"seconds\",\"margin\":1.23456789012345},"
                   "{\"metric\":\"cost\",\"margin\":1.23456789012345}]}");
    json_decref(vault_rig_done(
        vault_rig_once(&rig, RIG_NO_PEER,
                       json_pack("{s:s, s:{s:f, s:f, s:f}}", "op", "freeze", "medians", "tokens",
                                 100 / 3.0, "seconds", 1e9 / 3, "cost", 1e9 / 7))));
    json_t *answer = ask(&rig, "GOOD TOKENS 100", "PLAIN TOKENS 100", "PLAIN TOKENS 99");
    assert_int_equal(json_array_size(json_object_get(
                         json_object_get(json_object_get(answer, "statement"), "guards"), "rules")),
                     5);
    json_decref(answer);
    vault_rig_remove(&rig);
}

/* --- drift ------------------------------------------------------------------------------------------ */

/* Each uses .8 of the margin, within it: S = .3, .6, .9, and the fourth would make 1.2. What is withheld
 * leaves no trace, and what costs nothing passes still. */
static void many_small_losses_are_stopped(void **state)
{
    (void)state;
    struct vault_rig rig;
    json_t *audit;
    const char *anchor = "PLAIN TOKENS 100";
    seal(&rig, &many, DOUBLE);
    expect_verdict(&rig, "GOOD TOKENS 180", anchor, anchor, "promote");
    expect_verdict(&rig, "GOOD TOKENS 180 b", "PLAIN TOKENS 100 b", anchor, "promote");
    expect_verdict(&rig, "GOOD TOKENS 180 c", "PLAIN TOKENS 100 c", anchor, "promote");
    expect_verdict(&rig, "GOOD TOKENS 180 d", "PLAIN TOKENS 100 d", anchor, "no");
    expect_verdict(&rig, "GOOD TOKENS 180 e", "PLAIN TOKENS 100 d", anchor, "no");
    expect_verdict(&rig, "GOOD TOKENS 100", "PLAIN TOKENS 100 d", anchor, "promote");
    const json_t *evidence = evidence_of(&rig, &audit, 5);
    const json_t *guard =
        json_array_get(json_object_get(json_object_get(evidence, "guards"), "guards"), 0);
    assert_true(fabs(pawl_json_get_real(guard, "drift_before", 0) - 0.9) < 1e-9);
    assert_true(fabs(pawl_json_get_real(guard, "drift_after", 0) - 1.2) < 1e-9);
    assert_false(pawl_json_get_bool(guard, "passes", true));
    json_decref(audit);
    vault_rig_remove(&rig);
}

/* People turn it away, or take it back: the incumbent is the one before, which has lost nothing by it. */
static void what_is_not_in_force_has_lost_nothing(void **state)
{
    (void)state;
    struct vault_rig rig;
    json_t *audit;
    const char *anchor = "PLAIN TOKENS 100", *second = "PLAIN TOKENS 100 b";
    seal(&rig, &many, DOUBLE);
    expect_verdict(&rig, "GOOD TOKENS 180", anchor, anchor, "promote");
    expect_verdict(&rig, "GOOD TOKENS 180 b", second, anchor, "promote");
    for (char name[] = "GOOD TOKENS 180 c"; name[16] <= 'f'; name[16]++)
        expect_verdict(&rig, name, second, anchor, "promote");
    const json_t *evidence = evidence_of(&rig, &audit, 6);
    const json_t *guard =
        json_array_get(json_object_get(json_object_get(evidence, "guards"), "guards"), 0);
    assert_true(fabs(pawl_json_get_real(guard, "drift_before", 0) - 0.3) < 1e-9);
    json_decref(audit);
    vault_rig_remove(&rig);
}

/* Another guard for a time, by a rotation: what the first one lost is kept for it. */
static void a_guard_that_was_away_finds_its_losses(void **state)
{
    (void)state;
    struct vault_rig rig;
    json_t *audit;
    const char *anchor = "PLAIN TOKENS 100";
    seal(&rig, &many, DOUBLE);
    expect_verdict(&rig, "GOOD TOKENS 180", anchor, anchor, "promote");
    for (int round = 0; round < 2; round++) {
        const char *file = round ? "fresh2.jsonl" : "fresh.jsonl";
        vault_rig_write_cases(&rig, file, &many, round ? 20000 : 10000);
        json_decref(vault_rig_done(vault_rig_once(
            &rig, RIG_NO_PEER,
            json_pack("{s:s, s:s, s:s}", "op", "rotate", "reason", "a test", "file", file))));
        set_config(&rig, round ? FAILED : TOKENS, round ? TOKENS : FAILED);
        json_decref(vault_rig_done(vault_rig_once(&rig, RIG_NO_PEER, freeze_request(100))));
        expect_verdict(&rig, round ? "GOOD TOKENS 180 c" : "GOOD TOKENS 180 b",
                       round ? "PLAIN TOKENS 100 c" : "PLAIN TOKENS 100 b", anchor, "promote");
    }
    const json_t *evidence = evidence_of(&rig, &audit, 3);
    const json_t *guard =
        json_array_get(json_object_get(json_object_get(evidence, "guards"), "guards"), 0);
    assert_true(fabs(pawl_json_get_real(guard, "drift_before", 0) - 0.3) < 1e-9);
    json_decref(audit);
    vault_rig_remove(&rig);
}

/* Fresh cases: other caps, of the incumbent of then, and perhaps other guards; what was lost stays lost. */
static void a_rotation_thaws_the_caps_and_keeps_the_losses(void **state)
{
    (void)state;
    struct vault_rig rig;
    const char *anchor = "PLAIN TOKENS 100";
    seal(&rig, &many, DOUBLE);
    expect_verdict(&rig, "GOOD TOKENS 180", anchor, anchor, "promote");
    expect_verdict(&rig, "GOOD TOKENS 180 b", "PLAIN TOKENS 100 b", anchor, "promote");
    vault_rig_write_cases(&rig, "fresh.jsonl", &many, 10000);
    json_decref(vault_rig_done(vault_rig_once(
        &rig, RIG_NO_PEER,
        json_pack("{s:s, s:s, s:s}", "op", "rotate", "reason", "a test", "file", "fresh.jsonl"))));
    vault_rig_expect_error(
        vault_rig_once(&rig, RIG_SEALED, attempt("GOOD TOKENS 180 c", anchor, anchor)), "config");
    json_t *done = vault_rig_done(vault_rig_once(&rig, RIG_NO_PEER, freeze_request(110)));
    assert_true(pawl_json_get_real(json_object_get(done, "caps"), "tokens", 0) == 440);
    json_decref(done);
    expect_verdict(&rig, "GOOD TOKENS 180 c", "PLAIN TOKENS 100 c", anchor, "promote");
    expect_verdict(&rig, "GOOD TOKENS 180 d", "PLAIN TOKENS 100 d", anchor, "no");
    expect_verdict(&rig, "GOOD TOKENS 180", anchor, "PLAIN TOKENS 99",
                   "promote"); /* another anchor */
    vault_rig_remove(&rig);
}

int main(void)
{
    pawl_crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_configured_guard_is_never_passed_over),
        cmocka_unit_test(caps_are_frozen_once),
        cmocka_unit_test(the_first_attempt_fixes_the_guards),
        cmocka_unit_test(a_gain_that_costs_too_much_is_withheld),
        cmocka_unit_test(zero_tolerance_wants_every_case),
        cmocka_unit_test(statement_and_evidence_tell_the_guards),
        cmocka_unit_test(what_is_withheld_leaves_like_every_no),
        cmocka_unit_test(five_guards_fit_an_attempt),
        cmocka_unit_test(many_small_losses_are_stopped),
        cmocka_unit_test(what_is_not_in_force_has_lost_nothing),
        cmocka_unit_test(a_guard_that_was_away_finds_its_losses),
        cmocka_unit_test(a_rotation_thaws_the_caps_and_keeps_the_losses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
