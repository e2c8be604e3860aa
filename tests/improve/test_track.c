/* track.h: the figures of an operator follow from the records; evidence counts when it was committed to. */
#include "improve/track.h"

#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- a ledger, record by record -------------------------------------------------------------------- */

static void add(json_t *records, const char *kind, json_t *body)
{
    size_t n = json_array_size(records);
    json_array_append_new(records, json_pack("{s:s, s:I, s:o}", "kind", kind, "ts",
                                             (json_int_t)(1000 * (n + 1)), "body", body));
}

static json_t *sealed(void)
{
    json_t *records = json_array();
    add(records, "seal", json_pack("{s:s}", "seed", "A"));
    return records;
}

/* version -1: as it was before versions were recorded */
static void add_run(json_t *records, const char *run, const char *name, int version)
{
    json_t *body = json_pack("{s:s, s:s}", "run", run, "operator", name);
    if (version >= 0) pawl_json_set(body, "version", json_integer(version));
    add(records, "run", body);
}

static void add_end(json_t *records, const char *run, int evaluations, double usd)
{
    add(records, "end",
        json_pack("{s:s, s:s, s:i, s:f}", "run", run, "state", "finished", "evaluations",
                  evaluations, "usd", usd));
}

/* run NULL: asked by hand, for a candidate of `made_by` */
static json_t *add_verdict(json_t *records, int attempt, const char *run, const char *made_by,
                           const char *candidate, bool promoted)
{
    json_t *statement = json_pack("{s:i, s:s?, s:s, s:f, s:i, s:i, s:i}", "attempt", attempt, "run",
                                  run, "candidate", candidate, "level", 0.04, "samples", 1,
                                  "largest_cluster", 1, "clusters", 200);
    json_t *body = json_pack("{s:O, s:b, s:s?}", "statement", statement, "promoted", promoted,
                             "made_by", made_by);
    add(records, "verdict", body);
    json_decref(statement); /* still in the records */
    return statement;
}

static void add_move(json_t *records, const char *kind, const char *to)
{
    add(records, kind, json_pack("{s:s}", "incumbent", to));
}

static json_int_t count(const json_t *record, const char *key)
{
    json_t *value = json_object_get(record, key);
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

static double real(const json_t *record, const char *section, const char *key)
{
    json_t *value = json_object_get(json_object_get(record, section), key);
    assert_true(json_is_number(value));
    return json_number_value(value);
}

/* The only version in the record of `name`. */
static json_t *only(const json_t *records, const char *name, const json_t *opened)
{
    json_t *list = pawl_track_record(records, name, opened);
    assert_int_equal(json_array_size(list), 1);
    json_t *record = json_incref(json_array_get(list, 0));
    json_decref(list);
    return record;
}

static void check_counts(const json_t *records, const char *name, int runs, int attempts,
                         int promotions, int rolled_back)
{
    json_t *record = only(records, name, NULL);
    assert_int_equal(count(record, "runs"), runs);
    assert_int_equal(count(record, "attempts"), attempts);
    assert_int_equal(count(record, "promotions"), promotions);
    assert_int_equal(count(record, "rolled_back"), rolled_back);
    json_decref(record);
}

/* --- counting ------------------------------------------------------------------------------------- */

static void operators_and_versions_are_kept_apart(void **state)
{
    json_t *records = sealed();
    (void)state;
    add_run(records, "r1", "gepa", -1);
    add_run(records, "r2", "gepa", 2);
    add_run(records, "r3", "bootstrap", 1);
    add_verdict(records, 1, "r2", NULL, "B", true);
    add_verdict(records, 2, "r3", NULL, "C", false);
    add_verdict(records, 3, NULL, "r3", "D", true);
    add_verdict(records, 4, NULL, NULL, "E", true); /* nobody's */
    json_t *list = pawl_track_record(records, "gepa", NULL), *none;
    assert_int_equal(json_array_size(list), 2);
    assert_true(json_is_null(json_object_get(json_array_get(list, 0), "version")));
    assert_int_equal(count(json_array_get(list, 0), "runs"), 1);
    assert_int_equal(count(json_array_get(list, 0), "attempts"), 0);
    assert_int_equal(count(json_array_get(list, 1), "version"), 2);
    assert_int_equal(count(json_array_get(list, 1), "promotions"), 1);
    assert_int_equal(count(json_array_get(list, 1), "first_ms"), 3000);
    assert_int_equal(count(json_array_get(list, 1), "last_ms"), 5000);
    json_decref(list);
    check_counts(records, "bootstrap", 1, 2, 1, 0);
    none = pawl_track_record(records, "absent", NULL);
    assert_int_equal(json_array_size(none), 0);
    json_decref(none);
    json_decref(records);
}

static void a_rollback_counts_what_it_undoes(void **state)
{
    json_t *records = sealed();
    (void)state;
    add_run(records, "g", "gepa", 1);
    add_run(records, "b", "bootstrap", 1);
    add_verdict(records, 1, "g", NULL, "B", true);
    add_verdict(records, 2, "b", NULL, "C", true);
    check_counts(records, "gepa", 1, 1, 1, 0);
    add_move(records, "rollback", "B"); /* takes C */
    check_counts(records, "gepa", 1, 1, 1, 0);
    check_counts(records, "bootstrap", 1, 1, 1, 1);
    add_move(records, "promotion", "C"); /* by hand: C is nobody's promotion now */
    add_move(records, "rollback", "B");
    check_counts(records, "bootstrap", 1, 1, 1, 1);
    add_verdict(records, 3, "b", NULL, "D", true);
    add_move(records, "rollback", "A"); /* takes D and B */
    check_counts(records, "gepa", 1, 1, 1, 1);
    check_counts(records, "bootstrap", 1, 2, 2, 2);
    add_verdict(records, 4, "g", NULL, "E", true);
    add_move(records, "rollback", "X"); /* was never in force: E goes */
    add_move(records, "rollback", "A");
    check_counts(records, "gepa", 1, 2, 2, 2);
    json_decref(records);
}

static void the_newest_end_of_a_run_is_its_cost(void **state)
{
    json_t *records = sealed();
    (void)state;
    add_run(records, "r1", "gepa", 1);
    add_end(records, "r1", 100, 0.25);
    add_run(records, "r2", "gepa", 1);
    add_end(records, "r1", 300, 0.5);
    json_t *record = only(records, "gepa", NULL);
    assert_true(real(record, "cost", "evaluations") == 300);
    assert_true(real(record, "cost", "usd") == 0.5);
    assert_true(real(record, "cost", "known_for") == 1);
    json_decref(record);
    json_decref(records);
}

/* --- certified gain ------------------------------------------------------------------------------- */

/* 200 cases: the incumbent right on every second, the candidate on four of five. */
static json_t *opened_entry(int attempt, char root[PAWL_HASH_HEX])
{
    unsigned char salt[32] = {7};
    char salt_hex[PAWL_HASH_HEX], id[16];
    json_t *cases = json_array();
    for (int i = 0; i < 200; i++) {
        snprintf(id, sizeof id, "c%d", i);
        json_array_append_new(cases, json_pack("{s:s, s:s, s:i, s:i}", "id", id, "cluster", id,
                                               "incumbent", i % 2, "candidate", i % 5 != 0));
    }
    json_t *evidence = json_pack("{s:i, s:o}", "attempt", attempt, "cases", cases);
    char *text = pawl_json_text(evidence);
    struct pawl_hasher hasher;
    pawl_hasher_init(&hasher);
    pawl_hasher_add(&hasher, salt, sizeof salt);
    pawl_hasher_add(&hasher, text, strlen(text));
    struct pawl_hash hash = pawl_hasher_final(&hasher);
    pawl_hash_hex(&hash, root);
    free(text);
    pawl_hex(salt, sizeof salt, salt_hex);
    return json_pack("{s:i, s:s, s:o}", "attempt", attempt, "salt", salt_hex, "evidence", evidence);
}

static enum pawl_status open_one(const json_t *records, json_t *entry, json_t *opened)
{
    json_t *certificate = json_pack("{s:[O]}", "evidence", entry);
    enum pawl_status status = pawl_track_open(records, certificate, opened, NULL);
    json_decref(certificate);
    return status;
}

static void what_is_sealed_counts_as_more_than_nothing(void **state)
{
    char root[PAWL_HASH_HEX];
    json_t *records = sealed(), *opened = json_object(), *entry = opened_entry(2, root);
    (void)state;
    add_run(records, "r", "gepa", 1);
    add_verdict(records, 1, "r", NULL, "B", true);
    json_t *statement = add_verdict(records, 2, "r", NULL, "C", true);
    pawl_json_set(statement, "evidence_root", json_string(root));
    add_end(records, "r", 1000, 2);

    json_t *record = only(records, "gepa", opened);
    assert_true(real(record, "certified_gain", "lower") == 0);
    assert_true(real(record, "certified_gain", "known_for") == 0);
    assert_true(
        json_is_null(json_object_get(json_object_get(record, "cost"), "evaluations_per_point")));
    json_decref(record);

    assert_int_equal(open_one(records, entry, opened), PAWL_OK);
    record = only(records, "gepa", opened);
    /* 0.162: computed apart, from the definition */
    assert_true(real(record, "certified_gain", "lower") == 0.162);
    assert_true(real(record, "certified_gain", "known_for") == 1);
    assert_true(real(record, "certified_gain", "error_at_most") == 0.08);
    assert_true(real(record, "cost", "evaluations_per_point") == 1000 / (100 * 0.162));
    assert_true(real(record, "cost", "usd_per_point") == 2 / (100 * 0.162));
    json_decref(record);

    add_run(records, "lost", "gepa", 1); /* never ended: what a point costs is not known */
    record = only(records, "gepa", opened);
    assert_true(json_is_null(json_object_get(json_object_get(record, "cost"), "usd_per_point")));
    json_decref(record);
    json_decref(entry);
    json_decref(opened);
    json_decref(records);
}

static void other_evidence_is_refused(void **state)
{
    char root[PAWL_HASH_HEX];
    json_t *records = sealed(), *opened = json_object(), *entry = opened_entry(1, root);
    (void)state;
    add_run(records, "r", "gepa", 1);
    json_t *statement = add_verdict(records, 1, "r", NULL, "B", true);
    pawl_json_set(statement, "evidence_root", json_string(root));
    json_t *evidence = json_object_get(entry, "evidence");
    json_t *first = json_array_get(json_object_get(evidence, "cases"), 0);
    pawl_json_set(first, "candidate", json_integer(1));
    assert_int_equal(open_one(records, entry, opened), PAWL_EINTEGRITY);
    pawl_json_set(first, "candidate", json_integer(0));
    pawl_json_set(entry, "attempt", json_integer(2));
    assert_int_equal(open_one(records, entry, opened), PAWL_EINTEGRITY);
    pawl_json_set(entry, "attempt", json_integer(1));
    pawl_json_set(entry, "salt", json_string("00"));
    assert_int_equal(open_one(records, entry, opened), PAWL_EINTEGRITY);
    json_t *committed = json_pack("{s:s}", "evidence_state", "committed");
    assert_int_equal(pawl_track_open(records, committed, opened, NULL), PAWL_ECONFIG);
    assert_int_equal(json_object_size(opened), 0);
    json_decref(committed);
    json_decref(entry);
    json_decref(opened);
    json_decref(records);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operators_and_versions_are_kept_apart),
        cmocka_unit_test(a_rollback_counts_what_it_undoes),
        cmocka_unit_test(the_newest_end_of_a_run_is_its_cost),
        cmocka_unit_test(what_is_sealed_counts_as_more_than_nothing),
        cmocka_unit_test(other_evidence_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
