/* card.h: what is accepted is whole; what is wrong is found at its place, with the nearest word. */
#include "improve/card.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

/* Lines are counted in the tests below: one field each. */
static const char good[] = "operator: toy\n"
                           "surface:\n"
                           "  edits: [text]\n"
                           "  reads: [train cases]\n"
                           "  never_touches: [gate cases]\n"
                           "  reversible: true\n"
                           "signal:\n"
                           "  tiers: [train, dev]\n"
                           "  feedback: text\n"
                           "  asks: [task]\n"
                           "budget:\n"
                           "  round: one evaluation\n"
                           "  stops: when it is spent\n"
                           "risk:\n"
                           "  level: L0\n"
                           "  mitigations: [the gate]\n"
                           "gate:\n"
                           "  attempts: 1\n"
                           "  dev_check: needed\n"
                           "fallback:\n"
                           "  baseline: incumbent\n"
                           "  rollback: manual\n"
                           "  degraded: nothing happens\n";

static json_t *operators(void)
{
    return json_pack("[{s:s, s:i, s:s, s:s, s:s, s:[s], s:[], s:{}}, {s:s, s:s, s:s, s:s}]", "name",
                     "toy", "version", 3, "summary", "does it", "paper", "Nobody 2026", "risks",
                     "one thing; another", "roles", "demos", "options", "texts", "name", "other",
                     "summary", "s", "paper", "", "risks", "r");
}

static enum pawl_status read_text(const char *text, json_t **card, struct pawl_error *err)
{
    json_t *known = operators();
    enum pawl_status status = pawl_card_read(pawl_str_of(text), "toy.yaml", known, card, err);
    json_decref(known);
    return status;
}

static void card_and_table_are_joined(void **state)
{
    json_t *card, *known = operators();
    (void)state;
    assert_int_equal(read_text(good, &card, NULL), PAWL_OK);
    json_t *whole = pawl_card_join(card, pawl_card_operator(known, "toy"));
    json_t *risk = json_object_get(whole, "risk");
    assert_int_equal(pawl_json_get_int(whole, "version", 0), 3);
    assert_string_equal(pawl_json_get_text(whole, "paper", ""), "Nobody 2026");
    assert_string_equal(pawl_json_get_text(risk, "level", ""), "L0");
    char *modes = pawl_json_text(json_object_get(risk, "failure_modes"));
    assert_string_equal(modes, "[\"one thing\",\"another\"]");
    assert_null(json_object_get(json_object_get(card, "risk"), "failure_modes"));
    free(modes);
    json_decref(whole);
    json_decref(card);
    json_decref(known);
}

/* `good` with its first `old` replaced. */
static char *with(const char *old, const char *new)
{
    const char *at = strstr(good, old);
    assert_non_null(at);
    struct pawl_buf out = PAWL_BUF(1 << 16);
    pawl_buf_add_bytes(&out, good, (size_t)(at - good));
    pawl_buf_add(&out, new);
    pawl_buf_add(&out, at + strlen(old));
    return pawl_buf_take(&out);
}

static void what_is_wrong_is_found(void **state)
{
    static const struct {
        const char *old, *new, *field, *hint;
        int line, column;
    } cases[] = {
        {"  attempts", "  atempts", "gate.atempts", "attempts", 18, 3},
        {"\ngate:", "\ngaet:", "gaet", "gate", 17, 1},
        {"  attempts: 1\n", "", "gate.attempts", "attempts", 17, 1},
        {"fallback:", "fallback: 3\nx:", "x", "Known here", 21, 1},
        {"level: L0", "level: L5", "risk.level", "L0", 15, 3},
        {"level: L0", "level: high", "risk.level", "approval", 15, 3},
        {"edits: [text]", "edits: [text, cod]", "surface.edits.1", "code", 3, 17},
        {"edits: [text]", "edits: [code]", "risk.level", "Raise", 15, 3},
        {"level: L0", "level: L1\n  levle: L0", "risk.levle", "level", 16, 3},
        {"edits: [text]", "edits: []", "surface.edits", "one", 3, 3},
        {"reads: [train cases]", "reads: train cases", "surface.reads", "one", 4, 3},
        {"reads: [train cases]", "reads: [1]", "surface.reads.0", "quotes", 4, 11},
        {"tiers: [train, dev]", "tiers: [train, gate]", "signal.tiers.1", "train", 8, 18},
        {"attempts: 1", "attempts: -1", "gate.attempts", "attempts", 18, 3},
        {"attempts: 1", "attempts: many", "gate.attempts", "attempts", 18, 3},
        {"reversible: true", "reversible: perhaps", "surface.reversible", "undoes", 6, 3},
        {"operator: toy", "operator: tyo", "operator", "toy", 1, 1},
        {"operator: toy", "operator: other", "operator", ".paper", 1, 1},
        {"operator: toy", "operator: toy\noperator: toy", "operator", "", 2, 1},
        {"budget:\n", "budget:\n  evaluations: 3\n", "budget.evaluations", "Known here", 12, 3},
        {"operator: toy\n", "operator: toy\ntrack_record: {promotions: 9}\n", "track_record",
         "Known", 2, 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pawl_error err = {0};
        char *text = with(cases[i].old, cases[i].new);
        json_t *card;
        assert_int_equal(read_text(text, &card, &err), PAWL_ECONFIG);
        assert_null(card);
        assert_string_equal(err.file, "toy.yaml");
        assert_string_equal(err.field, cases[i].field);
        assert_int_equal(err.line, cases[i].line);
        assert_int_equal(err.column, cases[i].column);
        if (strstr(err.hint, cases[i].hint) == NULL)
            fail_msg("%s: the hint is \"%s\"", cases[i].field, err.hint);
        free(text);
    }
}

static struct pawl_card_source source(const char *name, const char *text)
{
    return (struct pawl_card_source){name, name, (const unsigned char *)text, strlen(text)};
}

static void every_operator_has_its_own_card(void **state)
{
    struct pawl_error err = {0};
    json_t *cards, *both = operators(), *one = json_pack("[O]", json_array_get(both, 0));
    struct pawl_card_source none[] = {{0}}, toy[] = {source("toy", good), {0}},
                            wrong[] = {source("other", good), {0}};
    (void)state;
    assert_int_equal(pawl_cards_read(toy, one, &cards, &err), PAWL_OK);
    assert_int_equal(json_array_size(cards), 1);
    json_decref(cards);
    assert_int_equal(pawl_cards_read(none, one, &cards, &err), PAWL_ECONFIG);
    assert_string_equal(err.message, "The operator toy has no card.");
    assert_int_equal(pawl_cards_read(toy, both, &cards, &err), PAWL_ECONFIG);
    assert_string_equal(err.message, "The operator other has no card.");
    assert_int_equal(pawl_cards_read(wrong, one, &cards, &err), PAWL_ECONFIG);
    assert_non_null(strstr(err.message, "stands in the file of other"));
    json_t *nobody = json_array();
    assert_int_equal(pawl_cards_read(toy, nobody, &cards, &err), PAWL_ECONFIG);
    assert_string_equal(err.message, "There is no operator \"toy\".");
    json_decref(nobody);
    json_decref(one);
    json_decref(both);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(card_and_table_are_joined),
        cmocka_unit_test(what_is_wrong_is_found),
        cmocka_unit_test(every_operator_has_its_own_card),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
