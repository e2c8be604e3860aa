/* state.h: the table is what it is drawn as, and states follow from records. */
#include "improve/state.h"

#include "base/hash.h"
#include "improve/approval.h"
#include "improve/statement.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

/* --- the table ------------------------------------------------------------------------------------- */

/* Rows are states, columns events; a blank is refused. Written by hand, apart from the code's table. */
static const char *const drawing[PAWL_N_STATES] = {
    /*                         propose offer promote no approve refuse ask shadow canary stable confirm settle replace roll-back hand */
    [PAWL_STATE_NONE] = "P . . . . . . . . . . . . . .",
    [PAWL_STATE_PROPOSED] = ". S . . . . . . . . . . . . A",
    [PAWL_STATE_SCREENED] = ". . G R . . . . . . . . . . A",
    [PAWL_STATE_GATED] = ". . . . A R . . . . . . . . .",
    [PAWL_STATE_APPROVED] = ". . . . . . . H . . T U R B .",
    [PAWL_STATE_SHADOW] = ". . . . . . . . C . H H R B .",
    [PAWL_STATE_CANARY] = ". . . . . . . . . T T U R B .",
    [PAWL_STATE_STABLE] = ". . . . . . . . . . . . R B .",
    [PAWL_STATE_UNCONFIRMED] = ". . . . . . . . . . . . R B .",
    [PAWL_STATE_ROLLED_BACK] = ". S . . . . G . . . . . . . A",
    [PAWL_STATE_RETIRED] = ". S . . . . G . . . . . . . A",
};
static const char letters[PAWL_N_STATES + 1] = "-PSGAHCTUBR"; /* of the states, in their order */

static void every_cell_is_as_drawn(void **state)
{
    (void)state;
    for (int s = 0; s < PAWL_N_STATES; s++) {
        assert_int_equal(strlen(drawing[s]), 2 * PAWL_N_EVENTS - 1);
        for (int e = 0; e < PAWL_N_EVENTS; e++) {
            enum pawl_state next = PAWL_STATE_NONE;
            char cell = drawing[s][2 * e];
            bool goes = pawl_state_next((enum pawl_state)s, (enum pawl_state_event)e, &next);
            assert_int_equal(goes, cell != '.');
            if (goes)
                assert_int_equal(letters[next], cell);
            else
                assert_int_equal(next, PAWL_STATE_NONE);
        }
    }
}

static void every_state_has_a_name(void **state)
{
    (void)state;
    for (int s = 0; s < PAWL_N_STATES; s++) assert_non_null(pawl_state_name((enum pawl_state)s));
    assert_string_equal(pawl_state_name(PAWL_STATE_ROLLED_BACK), "rolled_back");
}

/* --- states from records ----------------------------------------------------------------------------- */

static void add(json_t *records, const char *kind, json_t *body)
{
    json_int_t n = (json_int_t)json_array_size(records);
    json_array_append_new(records, json_pack("{s:s, s:I, s:I, s:o}", "kind", kind, "seq", n, "ts",
                                             1000 * (n + 1), "body", body));
}

static json_t *sealed(void)
{
    json_t *records = json_array();
    add(records, "seal", json_pack("{s:s}", "seed", "seed"));
    return records;
}

static void add_verdict(json_t *records, int attempt, const char *candidate, const char *incumbent,
                        const char *verdict)
{
    json_t *statement =
        json_pack("{s:i, s:s, s:s, s:s, s:s}", "attempt", attempt, "candidate", candidate,
                  "incumbent", incumbent, "verdict", verdict, "evidence_root", "root");
    add(records, "verdict",
        json_pack("{s:o, s:b}", "statement", statement, "promoted",
                  strcmp(verdict, "promote") == 0));
}

/* One person must approve; it waits for an hour. */
static void add_waiting(json_t *records, int attempt, const char *candidate, const char *incumbent,
                        const char *key)
{
    add_verdict(records, attempt, candidate, incumbent, "promote");
    json_t *body = json_object_get(json_array_get(records, json_array_size(records) - 1), "body");
    json_t *policy = json_pack("{s:f, s:s, s:{s:s}, s:i}", "expires_hours", 1.0, "from", "L0",
                               "keys", "ann", key, "people", 1);
    pawl_json_set(body, "promoted", json_false());
    pawl_json_set(body, "approval",
                  json_pack("{s:[s], s:s, s:i, s:o}", "changes", "text", "layer", "L0", "needed", 1,
                            "policy", policy));
}

static void add_move(json_t *records, const char *kind, const char *to)
{
    add(records, kind, json_pack("{s:s}", "incumbent", to));
}

static void is_in(const json_t *records, const char *candidate, enum pawl_state expected,
                  int64_t now_ms)
{
    enum pawl_state state = PAWL_STATE_NONE;
    struct pawl_error err = {0};
    if (pawl_state_of(records, now_ms, candidate, &state, &err) != PAWL_OK)
        fail_msg("%s", err.message);
    assert_string_equal(pawl_state_name(state), pawl_state_name(expected));
}

static void promotions_and_rollbacks(void **state)
{
    json_t *records = sealed();
    (void)state;
    is_in(records, "seed", PAWL_STATE_APPROVED, 0);
    is_in(records, "A", PAWL_STATE_PROPOSED, 0);
    add_verdict(records, 1, "A", "seed", "no");
    is_in(records, "A", PAWL_STATE_RETIRED, 0);
    add_verdict(records, 2, "B", "seed", "promote");
    is_in(records, "B", PAWL_STATE_APPROVED, 0);
    is_in(records, "seed", PAWL_STATE_RETIRED, 0);
    add_move(records, "rollback", "seed");
    is_in(records, "B", PAWL_STATE_ROLLED_BACK, 0);
    is_in(records, "seed", PAWL_STATE_APPROVED, 0);
    add_verdict(records, 3, "A", "seed", "promote"); /* asked again, of a fresh set */
    is_in(records, "A", PAWL_STATE_APPROVED, 0);
    add_move(records, "promotion", "B");
    is_in(records, "B", PAWL_STATE_APPROVED, 0);
    is_in(records, "A", PAWL_STATE_RETIRED, 0);
    is_in(records, "seed", PAWL_STATE_RETIRED, 0);
    json_decref(records);
}

static void waiting_ends_in_every_way(void **state)
{
    static const unsigned char seed[32] = {7};
    struct pawl_signer ann;
    char signature[PAWL_SIGNATURE_HEX];
    (void)state;
    pawl_signer_init(&ann, seed);
    json_t *records = sealed();
    add_waiting(records, 1, "A", "seed", ann.public_hex);
    is_in(records, "A", PAWL_STATE_GATED, 5000);
    is_in(records, "seed", PAWL_STATE_APPROVED, 5000);
    is_in(records, "A", PAWL_STATE_GATED, 2000 + 3600000);
    is_in(records, "A", PAWL_STATE_RETIRED, 2000 + 3600001); /* nobody said anything */

    json_t *moved = json_deep_copy(records); /* the incumbent went */
    add_move(moved, "promotion", "B");
    is_in(moved, "A", PAWL_STATE_RETIRED, 5000);
    json_decref(moved);
    json_t *by_hand = json_deep_copy(records); /* somebody did not wait */
    add_move(by_hand, "promotion", "A");
    is_in(by_hand, "A", PAWL_STATE_APPROVED, 5000);
    json_decref(by_hand);
    json_t *again = json_deep_copy(records); /* a fresh set says no */
    add_verdict(again, 2, "A", "seed", "no");
    is_in(again, "A", PAWL_STATE_RETIRED, 5000);
    json_decref(again);

    struct pawl_approvals all = {0};
    const json_t *verdict = json_array_get(records, 1);
    assert_null(pawl_approvals_fold(&all, "verdict", json_object_get(verdict, "body"), 2000));
    json_t *statement =
        pawl_approval_statement(pawl_approvals_find(&all, "A"), "approve", "", ann.public_hex);
    pawl_statement_sign(&ann, statement, signature);
    add(records, "approve",
        json_pack("{s:o, s:s, s:b}", "statement", statement, "signature", signature, "promoted",
                  1));
    is_in(records, "A", PAWL_STATE_APPROVED, 9999999999);
    is_in(records, "seed", PAWL_STATE_RETIRED, 5000);
    pawl_approvals_release(&all);
    json_decref(records);
}

static void what_has_no_row_is_refused(void **state)
{
    enum pawl_state found;
    struct pawl_error err = {0};
    json_t *records = sealed();
    (void)state;
    /* An approval that nobody asked for. */
    add(records, "approve",
        json_pack("{s:{s:i, s:s}, s:b}", "statement", "attempt", 1, "candidate", "A", "promoted",
                  1));
    assert_int_equal(pawl_state_of(records, 0, "A", &found, &err), PAWL_EINTEGRITY);
    assert_non_null(strstr(err.message, "Record 1"));
    json_decref(records);
}

int main(void)
{
    pawl_crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cell_is_as_drawn),     cmocka_unit_test(every_state_has_a_name),
        cmocka_unit_test(promotions_and_rollbacks),   cmocka_unit_test(waiting_ends_in_every_way),
        cmocka_unit_test(what_has_no_row_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
