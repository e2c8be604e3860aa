/* approval.h: who is asked, what is signed, and every word that is not taken. */
#include "improve/approval.h"

#include "base/hash.h"
#include "improve/card.h"
#include "improve/statement.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

/* --- layers ------------------------------------------------------------------------------------------ */

static struct pawl_artifact *artifact(struct pawl_arena *arena, const char *role, const char *text)
{
    struct pawl_component components[] = {
        {"kept", "text", "source", PAWL_STR("the same")},
        {"other", "text", role, pawl_str_of(text)},
    };
    struct pawl_artifact *out;
    struct pawl_error err = {0};
    if (pawl_artifact_make(arena, components, 2, &out, &err) != PAWL_OK)
        fail_msg("%s", err.message);
    return out;
}

static void check_layer(const char *role, int card_level, int expected, const char *change)
{
    struct pawl_arena arena = {0};
    json_t *changes = json_array();
    int layer = pawl_approval_layer(artifact(&arena, role, "a"), artifact(&arena, role, "b"),
                                    card_level, changes);
    assert_int_equal(layer, expected);
    assert_int_equal(json_array_size(changes), 1);
    assert_string_equal(json_string_value(json_array_get(changes, 0)), change);
    json_decref(changes);
    pawl_arena_release(&arena);
}

static void a_layer_is_the_highest_of_card_and_change(void **state)
{
    (void)state;
    check_layer("instruction", -1, 0, "text");
    check_layer("demos", 0, 0, "text");
    check_layer("calibration", 2, 2, "text");
    check_layer("adapter", 0, 1, "weights");
    check_layer("source", 0, 3, "code");
    check_layer("memory", 4, 4, "memory");
    check_layer("something_new", -1, 3, "code"); /* may be anything */
    assert_int_equal(pawl_card_lowest_level("grader"), 4);
}

static void a_component_that_comes_or_goes_is_a_change(void **state)
{
    struct pawl_arena arena = {0};
    struct pawl_component one[] = {{"instruction", "text", "instruction", PAWL_STR("x")},
                                   {"tool", "text", "tool", PAWL_STR("y")}};
    struct pawl_artifact *with, *without;
    json_t *changes = json_array();
    (void)state;
    assert_int_equal(pawl_artifact_make(&arena, one, 2, &with, NULL), PAWL_OK);
    assert_int_equal(pawl_artifact_make(&arena, one, 1, &without, NULL), PAWL_OK);
    assert_int_equal(pawl_approval_layer(with, without, -1, changes), 3);
    assert_int_equal(pawl_approval_layer(without, with, -1, changes), 3);
    assert_int_equal(pawl_approval_layer(with, with, -1, changes), 0);
    assert_int_equal(json_array_size(changes), 1);
    json_decref(changes);
    pawl_arena_release(&arena);
}

static void cards_state_their_level(void **state)
{
    (void)state;
    assert_int_equal(pawl_card_level(pawl_card_sources, "gepa"), 0);
    assert_int_equal(pawl_card_level(pawl_card_sources, "nobody"), -1);
}

static void how_many_are_asked(void **state)
{
    json_t *policy = json_pack("{s:s, s:i}", "from", "L1", "people", 0);
    (void)state;
    const int64_t by_layer[] = {0, 1, 1, 2};
    for (int layer = 0; layer < 4; layer++)
        assert_int_equal(pawl_approval_people(policy, layer), by_layer[layer]);
    pawl_json_set(policy, "people", json_integer(3));
    assert_int_equal(pawl_approval_people(policy, 0), 0);
    assert_int_equal(pawl_approval_people(policy, 1), 3);
    json_decref(policy);
}

/* --- the fold ----------------------------------------------------------------------------------------- */

enum { ASKED_MS = 1000000, HOUR_MS = 3600000 };
static struct pawl_signer ann, bob, eve;
static struct pawl_approvals all;

/* Ann and Bob may, two must. */
static json_t *waiting_body(int attempt, const char *candidate, int people)
{
    json_t *policy =
        json_pack("{s:f, s:s, s:{s:s, s:s}, s:i}", "expires_hours", 1.0, "from", "L0", "keys",
                  "ann", ann.public_hex, "bob", bob.public_hex, "people", people);
    json_t *statement =
        json_pack("{s:i, s:s, s:s, s:s, s:s}", "attempt", attempt, "candidate", candidate,
                  "incumbent", "seed", "verdict", "promote", "evidence_root", "root");
    return json_pack("{s:o, s:b, s:{s:[s], s:s, s:i, s:o}}", "statement", statement, "promoted", 0,
                     "approval", "changes", "text", "layer", "L0", "needed", people, "policy",
                     policy);
}

static const char *fold(const char *kind, json_t *body, int64_t ts_ms)
{
    const char *why = pawl_approvals_fold(&all, kind, body, ts_ms);
    json_decref(body);
    return why;
}

static int ask(void **state)
{
    const unsigned char seeds[3][32] = {{1}, {2}, {3}};
    (void)state;
    pawl_signer_init(&ann, seeds[0]);
    pawl_signer_init(&bob, seeds[1]);
    pawl_signer_init(&eve, seeds[2]);
    assert_null(fold("verdict", waiting_body(1, "A", 2), ASKED_MS));
    return 0;
}

static int forget(void **state)
{
    (void)state;
    pawl_approvals_release(&all);
    return 0;
}

static json_t *word_of(const struct pawl_signer *signer, json_t *statement, bool promoted)
{
    char signature[PAWL_SIGNATURE_HEX];
    pawl_statement_sign(signer, statement, signature);
    return json_pack("{s:o, s:s, s:b}", "statement", statement, "signature", signature, "promoted",
                     promoted);
}

static json_t *word(const struct pawl_signer *signer, const char *kind, bool promoted)
{
    const struct pawl_approval *asked = pawl_approvals_of_attempt(&all, 1);
    return word_of(signer, pawl_approval_statement(asked, kind, "why", signer->public_hex),
                   promoted);
}

static enum pawl_approval_state now_in(int64_t ts_ms)
{
    return pawl_approval_state_at(pawl_approvals_find(&all, "A"), ts_ms);
}

static void refused(const char *why, const char *part)
{
    if (why == NULL || strstr(why, part) == NULL)
        fail_msg("\"%s\" instead of \"%s\"", why != NULL ? why : "taken", part);
    assert_int_equal(now_in(ASKED_MS), PAWL_APPROVAL_WAITS); /* and nothing was taken */
}

static void two_people_grant(void **state)
{
    (void)state;
    assert_null(fold("approve", word(&ann, "approve", false), ASKED_MS + 1));
    assert_int_equal(now_in(ASKED_MS + 1), PAWL_APPROVAL_WAITS);
    refused(fold("approve", word(&ann, "approve", true), ASKED_MS + 2), "approves twice");
    refused(fold("approve", word(&bob, "approve", false), ASKED_MS + 2), "put nothing in force");
    assert_null(fold("approve", word(&bob, "approve", true), ASKED_MS + HOUR_MS));
    assert_int_equal(now_in(ASKED_MS + 9 * HOUR_MS), PAWL_APPROVAL_GRANTED);
    json_t *shown = pawl_approval_json(pawl_approvals_find(&all, "A"));
    char *names = pawl_json_text(json_object_get(shown, "approved_by"));
    assert_string_equal(names, "[\"ann\",\"bob\"]");
    free(names);
    json_decref(shown);
    assert_non_null(fold("approve", word(&bob, "approve", true), ASKED_MS + 3));
}

static void one_rejects_though_another_approved(void **state)
{
    (void)state;
    assert_null(fold("approve", word(&ann, "approve", false), ASKED_MS));
    assert_null(fold("reject", word(&ann, "reject", false), ASKED_MS)); /* minds change */
    assert_int_equal(now_in(ASKED_MS), PAWL_APPROVAL_REJECTED);
    assert_non_null(fold("approve", word(&bob, "approve", true), ASKED_MS));
    assert_int_equal(now_in(ASKED_MS), PAWL_APPROVAL_REJECTED);
}

static void silence_rejects(void **state)
{
    (void)state;
    assert_int_equal(now_in(ASKED_MS + HOUR_MS), PAWL_APPROVAL_WAITS);
    assert_int_equal(now_in(ASKED_MS + HOUR_MS + 1), PAWL_APPROVAL_EXPIRED);
    refused(fold("approve", word(&ann, "approve", false), ASKED_MS + HOUR_MS + 1),
            "after its time");
}

static void whatever_moves_the_incumbent_ends_it(void **state)
{
    (void)state;
    assert_null(fold("rollback", json_object(), ASKED_MS));
    assert_int_equal(now_in(ASKED_MS), PAWL_APPROVAL_SUPERSEDED);
    assert_non_null(fold("approve", word(&ann, "approve", false), ASKED_MS));
}

static void another_promotion_ends_it(void **state)
{
    (void)state;
    assert_null(fold("verdict", waiting_body(2, "B", 1), ASKED_MS));
    const struct pawl_approval *other = pawl_approvals_of_attempt(&all, 2);
    json_t *statement = pawl_approval_statement(other, "approve", "", ann.public_hex);
    assert_null(fold("approve", word_of(&ann, statement, true), ASKED_MS));
    assert_int_equal(now_in(ASKED_MS), PAWL_APPROVAL_SUPERSEDED);
}

/* Each member of the statement, changed and signed again by somebody who may: it is not what was asked. */
static void a_word_on_something_else_is_refused(void **state)
{
    const struct pawl_approval *asked = pawl_approvals_of_attempt(&all, 1);
    json_t *good = pawl_approval_statement(asked, "approve", "why", ann.public_hex), *value;
    const char *key;
    (void)state;
    json_object_foreach(good, key, value)
    {
        if (strcmp(key, "reason") == 0) continue; /* a person's own */
        json_t *forged = json_copy(good);
        pawl_json_set(forged, key,
                      json_is_integer(value) ? json_integer(json_integer_value(value) + 1)
                                             : json_string("other"));
        refused(fold("approve", word_of(&ann, forged, false), ASKED_MS), "");
        forged = json_copy(good);
        json_object_del(forged, key);
        refused(fold("approve", word_of(&ann, forged, false), ASKED_MS), "");
    }
    json_t *more = json_copy(good);
    pawl_json_set(more, "also", json_true());
    refused(fold("approve", word_of(&ann, more, false), ASKED_MS), "something else");
    json_decref(good);
}

/* Ann's approval of A, shown again for B: the same words, another question. */
static void a_replay_is_refused(void **state)
{
    (void)state;
    json_t *first = word(&ann, "approve", false);
    assert_null(fold("verdict", waiting_body(2, "B", 2), ASKED_MS));
    pawl_json_set(json_object_get(first, "statement"), "attempt", json_integer(2));
    assert_non_null(fold("approve", first, ASKED_MS));
    assert_int_equal(json_array_size(pawl_approvals_of_attempt(&all, 2)->by), 0);
}

static void forgeries_are_refused(void **state)
{
    (void)state;
    refused(fold("approve", word(&eve, "approve", false), ASKED_MS), "does not name");
    json_t *body = word(&ann, "approve", false);
    const struct pawl_approval *asked = pawl_approvals_of_attempt(&all, 1);
    json_t *statement = pawl_approval_statement(asked, "approve", "why", ann.public_hex);
    refused(fold("approve", word_of(&eve, statement, false), ASKED_MS), "signature is wrong");
    pawl_json_set(json_object_get(body, "statement"), "reason", json_string("another"));
    refused(fold("approve", body, ASKED_MS), "signature is wrong");
    refused(fold("reject", word(&ann, "approve", false), ASKED_MS), "something else");
    refused(fold("approve", word(&ann, "approve", true), ASKED_MS), "without all its approvals");
    refused(fold("reject", word(&ann, "reject", true), ASKED_MS), "without all its approvals");
}

/* A verdict must ask what its own policy says. */
static void a_policy_that_is_bent_is_refused(void **state)
{
    static const struct {
        const char *section, *field, *json;
    } bent[] = {
        {"approval", "needed", "[1]"},
        {"approval", "needed", "[3]"},
        {"approval", "layer", "[\"L4\"]"},
        {"approval", "layer", "[\"none\"]"},
        {"approval", "changes", "[[\"code\"]]"},
        {"approval", "changes", "[null]"},
        {"policy", "people", "[1]"},
        {"policy", "from", "[\"L1\"]"},
        {"policy", "keys", "[{}]"},
        {"policy", "expires_hours", "[0]"},
        {"policy", "expires_hours", "[1e300]"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bent / sizeof *bent; i++) {
        json_t *value, *body = waiting_body(2, "B", 2);
        json_t *place = json_object_get(body, "approval");
        if (strcmp(bent[i].section, "policy") == 0) place = json_object_get(place, "policy");
        assert_int_equal(pawl_json_parse(pawl_str_of(bent[i].json), 100, &value, NULL), PAWL_OK);
        json_object_set(place, bent[i].field, json_array_get(value, 0));
        json_decref(value);
        if (fold("verdict", body, ASKED_MS) == NULL) fail_msg("row %zu was taken", i);
    }
    json_t *body = waiting_body(2, "B", 2);
    pawl_json_set(body, "promoted", json_true());
    assert_non_null(fold("verdict", body, ASKED_MS));
    body = waiting_body(2, "B", 2);
    pawl_json_set(json_object_get(body, "statement"), "verdict", json_string("no"));
    assert_non_null(fold("verdict", body, ASKED_MS));
    assert_null(pawl_approvals_of_attempt(&all, 2));
}

#define FOLD_TEST(f) cmocka_unit_test_setup_teardown(f, ask, forget)

int main(void)
{
    pawl_crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_layer_is_the_highest_of_card_and_change),
        cmocka_unit_test(a_component_that_comes_or_goes_is_a_change),
        cmocka_unit_test(cards_state_their_level),
        cmocka_unit_test(how_many_are_asked),
        FOLD_TEST(two_people_grant),
        FOLD_TEST(one_rejects_though_another_approved),
        FOLD_TEST(silence_rejects),
        FOLD_TEST(whatever_moves_the_incumbent_ends_it),
        FOLD_TEST(another_promotion_ends_it),
        FOLD_TEST(a_word_on_something_else_is_refused),
        FOLD_TEST(a_replay_is_refused),
        FOLD_TEST(forgeries_are_refused),
        FOLD_TEST(a_policy_that_is_bent_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
