/* The policy fresh: whom no attempt asks twice, what goes on over all draws, what opens, and where it ends. */
#include "support/vault_rig.h"

#include "gate/levels.h"
#include "improve/vault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DRAW = 30 };
static const struct vault_rig_cases few = {
    .n = 200, .hard_per_cent = 60, .cluster_size = 1, .flavour = "a"};
static const struct vault_rig_cases pairs = {
    .n = 200, .hard_per_cent = 60, .cluster_size = 2, .flavour = "a"};
static const struct vault_rig_cases more = {
    .n = 80, .hard_per_cent = 60, .cluster_size = 1, .flavour = "b"};

static json_t *status_of(struct vault_rig *rig)
{
    return vault_rig_done(vault_rig_once(rig, RIG_NO_PEER, vault_rig_op("status")));
}

/* The statement of a new answer (new reference). */
static json_t *ask(struct vault_rig *rig, const char *candidate, const char *verdict)
{
    json_t *answer = vault_rig_done(
        vault_rig_once(rig, RIG_SEALED, vault_rig_attempt(candidate, "PLAIN", NULL)));
    json_t *statement = json_incref(json_object_get(answer, "statement"));
    assert_string_equal(vault_rig_text(statement, "verdict"), verdict);
    assert_false(pawl_json_get_bool(answer, "stored", true));
    json_decref(answer);
    return statement;
}

static void expect_no_more(struct vault_rig *rig, const char *candidate, const char *code)
{
    vault_rig_expect_error(
        vault_rig_once(rig, RIG_SEALED, vault_rig_attempt(candidate, "PLAIN", NULL)), code);
}

static int64_t in_tier(const json_t *status, const char *tier)
{
    return vault_rig_int(json_object_get(status, "tiers"), tier);
}

static json_t *opening_of(struct vault_rig *rig, int64_t attempt)
{
    return vault_rig_done(
        vault_rig_once(rig, RIG_NO_PEER,
                       json_pack("{s:s, s:I}", "op", "opening", "attempt", (json_int_t)attempt)));
}

/* Puts the ids that the attempt was asked of into `seen`; none may be there. */
static void expect_own_cases(struct vault_rig *rig, int64_t attempt, json_t *seen)
{
    json_t *open = opening_of(rig, attempt), *item;
    const json_t *evidence =
        json_object_get(json_array_get(json_object_get(open, "evidence"), 0), "evidence");
    size_t i;
    assert_true(json_array_size(json_object_get(evidence, "cases")) >= 7);
    json_array_foreach(json_object_get(evidence, "cases"), i, item)
    {
        assert_null(json_object_get(seen, vault_rig_text(item, "id")));
        pawl_json_set(seen, vault_rig_text(item, "id"), json_true());
    }
    json_decref(open);
}

/* Of what was sealed when the attempt was asked, so many cases are open by now. */
static void expect_open(struct vault_rig *rig, int64_t attempt, size_t size, size_t n_open)
{
    json_t *open = opening_of(rig, attempt), *entry;
    size_t i, n = 0;
    assert_int_equal(json_array_size(json_object_get(open, "sealed")), size);
    json_array_foreach(json_object_get(open, "sealed"), i, entry) n +=
        json_object_get(entry, "case") != NULL;
    assert_int_equal(n, n_open);
    json_decref(open);
}

/* --- a life ------------------------------------------------------------------------------------------ */

static void every_attempt_has_cases_of_its_own(void **state)
{
    (void)state;
    static const char *const asked[] = {"WORSE", "GOOD", "GOOD 2", "WORSE 2"};
    static const char *const verdicts[] = {"no", "promote", "promote", "no"};
    struct vault_rig rig;
    vault_rig_seal(&rig, &few, "{\"policy\":\"fresh\",\"draw\":30}");
    json_t *first = status_of(&rig), *seen = json_object();
    int64_t gate = in_tier(first, "gate"), dev = in_tier(first, "dev");
    assert_int_equal(gate / DRAW, 4);
    assert_int_equal(vault_rig_int(first, "attempts_left"), 4);
    assert_int_equal(vault_rig_int(first, "gate_clusters"), DRAW);
    assert_string_equal(vault_rig_text(first, "look"), "sequential");
    bool bits[4] = {false, true, true, false};
    for (int k = 0; k < 4; k++) {
        json_t *before = status_of(&rig), *said = ask(&rig, asked[k], verdicts[k]);
        struct pawl_history history = {bits, (size_t)k};
        double level = pawl_policy_level(pawl_policy_find(PAWL_POLICY_FRESH), &pawl_series_front,
                                         0.05, &history);
        assert_true(fabs(pawl_json_get_real(said, "level", 0) / level - 1) < 1e-12);
        assert_true(pawl_json_get_real(said, "log_histories", -1) == 0);
        assert_int_equal(vault_rig_int(said, "attempt"), k + 1);
        assert_int_equal(vault_rig_int(said, "clusters"), DRAW);
        assert_true(
            json_equal(json_object_get(said, "commitment"), json_object_get(before, "commitment")));
        json_t *after = status_of(&rig);
        assert_int_equal(in_tier(after, "gate"), gate - (k + 1) * DRAW);
        assert_int_equal(in_tier(after, "dev"), dev + (k + 1) * DRAW);
        assert_int_equal(vault_rig_int(after, "attempts_left"), 3 - k);
        assert_int_equal(vault_rig_int(after, "attempts"), k + 1);
        assert_true(pawl_json_get_real(json_object_get(after, "wear"), "eps", -1) == 0);
        expect_own_cases(&rig, k + 1, seen);
        expect_open(&rig, 1, (size_t)gate, (size_t)(k + 1) * DRAW);
        json_decref(before);
        json_decref(said);
        json_decref(after);
    }
    expect_no_more(&rig, "GOOD 3", "budget");
    /* What was asked has its answer, and costs no draw. */
    json_t *again =
        vault_rig_done(vault_rig_once(&rig, RIG_SEALED, vault_rig_attempt("GOOD", "PLAIN", NULL)));
    assert_true(pawl_json_get_bool(again, "stored", false));
    json_decref(again);
    json_decref(first);
    json_decref(seen);
    vault_rig_remove(&rig);
}

/* Two cases of a cluster are asked by the same attempt; a file of new cases begins a new life. */
static void clusters_stay_together_and_a_rotation_begins_anew(void **state)
{
    (void)state;
    struct vault_rig rig;
    vault_rig_seal(&rig, &pairs, "{\"policy\":\"fresh\",\"draw\":25}");
    json_t *first = status_of(&rig), *said = ask(&rig, "WORSE", "no"), *seen = json_object();
    assert_int_equal(vault_rig_int(said, "n_planned"), 50);
    expect_own_cases(&rig, 1, seen);
    assert_int_equal(json_object_size(seen), 50);
    vault_rig_write_cases(&rig, "more.jsonl", &more, 1000);
    json_decref(vault_rig_done(vault_rig_once(
        &rig, RIG_NO_PEER,
        json_pack("{s:s, s:s, s:s}", "op", "rotate", "reason", "a test", "file", "more.jsonl"))));
    json_t *anew = status_of(&rig);
    assert_int_equal(in_tier(anew, "gate"), more.n);
    assert_int_equal(vault_rig_int(anew, "attempts"), 0);
    assert_int_equal(vault_rig_int(anew, "attempts_left"), more.n / 25);
    assert_true(json_equal(json_object_get(anew, "level"), json_object_get(first, "level")));
    json_t *next = ask(&rig, "WORSE", "no"); /* of other cases: another question */
    assert_int_equal(vault_rig_int(next, "attempt"), 2);
    json_decref(first);
    json_decref(said);
    json_decref(seen);
    json_decref(anew);
    json_decref(next);
    vault_rig_remove(&rig);
}

/* --- cut short ----------------------------------------------------------------------------------------- */

/* A world that fails and a vault that is killed cost a draw each: somebody has seen its cases. */
static void a_draw_is_spent_by_whatever_asked(void **state)
{
    (void)state;
    struct vault_rig rig;
    vault_rig_seal(&rig, &few, "{\"policy\":\"fresh\",\"draw\":30}");
    json_decref(ask(&rig, "WORSE 2", "no"));
    json_t *first = status_of(&rig);
    int64_t gate = in_tier(first, "gate");
    expect_no_more(&rig, "BROKEN", "undecided");
    json_t *undecided = status_of(&rig);
    assert_int_equal(in_tier(undecided, "gate"), gate - DRAW);
    assert_int_equal(vault_rig_int(undecided, "attempts_left"), 2);

    vault_rig_start(&rig, RIG_PLAYED);
    json_t *request = vault_rig_attempt("WORSE", "PLAIN", NULL), *answer = NULL;
    assert_int_equal(pawl_channel_send(rig.front, request, NULL), PAWL_OK);
    json_decref(request);
    json_decref(vault_rig_listen(&rig, 0, &answer, NULL)); /* the arms */
    vault_rig_tell(rig.peer, json_pack("{s:{s:i, s:{}, s:s}}", "ready", "parallel", 1, "models",
                                       "confinement", "S0"));
    json_t *asked = vault_rig_listen(&rig, 0, &answer, NULL);
    assert_non_null(json_object_get(asked, "case"));
    vault_rig_kill(&rig, true, false);
    json_decref(asked);
    json_decref(answer);
    /* It has not retired yet, and may be measured again: a stored answer leaves it alone. */
    json_decref(vault_rig_done(
        vault_rig_once(&rig, RIG_SEALED, vault_rig_attempt("WORSE 2", "PLAIN", NULL))));
    json_t *killed = status_of(&rig);
    assert_int_equal(vault_rig_int(killed, "attempts_left"), 1);
    assert_int_equal(in_tier(killed, "gate"), gate - DRAW);
    json_t *said = ask(&rig, "GOOD", "promote"), *last = status_of(&rig), *seen = json_object();
    assert_int_equal(vault_rig_int(said, "attempt"), 4);
    assert_int_equal(in_tier(last, "gate"), gate - 3 * DRAW);
    expect_own_cases(&rig, 1, seen);
    expect_own_cases(&rig, 4, seen);
    json_decref(first);
    json_decref(undecided);
    json_decref(killed);
    json_decref(said);
    json_decref(last);
    json_decref(seen);
    vault_rig_remove(&rig);
}

/* --- rules --------------------------------------------------------------------------------------------- */

static void expect_config_error(const char *gate)
{
    struct vault_rig rig;
    vault_rig_seal(&rig, &few, gate);
    vault_rig_expect_error(vault_rig_once(&rig, RIG_NO_PEER, vault_rig_op("status")), "config");
    vault_rig_remove(&rig);
}

static void rules_that_cannot_be(void **state)
{
    (void)state;
    expect_config_error("{\"policy\":\"fresh\",\"look\":\"fixed\"}"); /* a p-value, no e-value */
    expect_config_error("{\"policy\":\"fresh\",\"draw\":5}");
    expect_config_error("{\"policy\":\"strict\",\"draw\":30}");
}

int main(void)
{
    pawl_crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_attempt_has_cases_of_its_own),
        cmocka_unit_test(clusters_stay_together_and_a_rotation_begins_anew),
        cmocka_unit_test(a_draw_is_spent_by_whatever_asked),
        cmocka_unit_test(rules_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
