/* An artifact is its content: equal content, equal id; nothing broken gets in, nothing changed gets
 * out. */
#include "artifact/artifact.h"
#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct pawl_arena arena;
static struct pawl_error err;

static const struct pawl_component two[] = {
    {"instruction", "text", "instruction", {"Say yes or no.\n", 15}},
    {"demos", "text", "demos", {"none", 4}},
};

static struct pawl_artifact *make(const struct pawl_component *components, size_t n)
{
    struct pawl_artifact *artifact = NULL;
    if (pawl_artifact_make(&arena, components, n, &artifact, &err) != PAWL_OK)
        fail_msg("%s", err.message);
    return artifact;
}

static int release_arena(void **state)
{
    (void)state;
    pawl_arena_release(&arena);
    return 0;
}

static void test_the_id_is_the_hash_of_the_documented_manifest(void **state)
{
    (void)state;
    struct pawl_artifact *artifact = make(two, 2);
    char demos[PAWL_HASH_HEX], instruction[PAWL_HASH_HEX], expected[PAWL_HASH_HEX];
    struct pawl_hash hash = pawl_hash_str(PAWL_STR("none"));
    pawl_hash_hex(&hash, demos);
    hash = pawl_hash_str(PAWL_STR("Say yes or no.\n"));
    pawl_hash_hex(&hash, instruction);
    char *manifest = pawl_arena_printf(
        &arena,
        "{\"components\":{\"demos\":{\"hash\":\"%s\",\"kind\":\"text\",\"role\":\"demos\"},"
        "\"instruction\":{\"hash\":\"%s\",\"kind\":\"text\",\"role\":\"instruction\"}},"
        "\"schema\":1}",
        demos, instruction);
    hash = pawl_hash_str(pawl_str_of(manifest));
    pawl_hash_hex(&hash, expected);
    assert_string_equal(artifact->hex, expected);
    assert_true(pawl_hash_eq(&artifact->id, &hash));
}

static void test_order_does_not_matter_and_content_does(void **state)
{
    (void)state;
    const struct pawl_component swapped[] = {two[1], two[0]};
    struct pawl_artifact *artifact = make(two, 2), *same = make(swapped, 2);
    assert_string_equal(artifact->hex, same->hex);
    assert_string_equal(artifact->components[0].name, "demos");
    assert_string_equal(same->components[0].name, "demos");
    assert_int_equal(pawl_artifact_bytes(artifact), 19);

    struct pawl_component other[] = {two[0], two[1]};
    other[1].role = "calibration";
    assert_string_not_equal(make(other, 2)->hex, artifact->hex);
    other[1] = two[1];
    other[1].text = PAWL_STR("None");
    assert_string_not_equal(make(other, 2)->hex, artifact->hex);
}

static void test_an_artifact_keeps_its_own_copy(void **state)
{
    (void)state;
    char name[] = "a", role[] = "b", text[] = "c";
    struct pawl_component component = {name, "text", role, {text, 1}};
    struct pawl_artifact *artifact = make(&component, 1);
    name[0] = role[0] = text[0] = '?';
    assert_string_equal(artifact->components[0].name, "a");
    assert_string_equal(artifact->components[0].role, "b");
    assert_true(pawl_str_is(artifact->components[0].text, "c"));
}

static void refuse(struct pawl_component component, const char *because)
{
    struct pawl_artifact *artifact;
    assert_int_equal(pawl_artifact_make(&arena, &component, 1, &artifact, &err), PAWL_ECONFIG);
    if (!strstr(err.message, because)) fail_msg("\"%s\" lacks \"%s\"", err.message, because);
}

static void test_what_breaks_an_invariant_is_refused(void **state)
{
    (void)state;
    const char *const names[] = {"", "A", "1a", "a b", "a/b", "\xc3\xa9", NULL, "../a", "a-b"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        refuse((struct pawl_component){names[i], "text", "r", PAWL_STR("t")}, "name");
    char longest[66] = {0};
    memset(longest, 'a', 64);
    make(&(struct pawl_component){longest, "text", "r", PAWL_STR("t")}, 1);
    longest[64] = 'a';
    refuse((struct pawl_component){longest, "text", "r", PAWL_STR("t")}, "name");

    refuse((struct pawl_component){"a", "blob", "r", PAWL_STR("t")}, "kind");
    refuse((struct pawl_component){"a", NULL, "r", PAWL_STR("t")}, "kind");
    refuse((struct pawl_component){"a", "text", "Not a word", PAWL_STR("t")}, "role");
    refuse((struct pawl_component){"a", "text", NULL, PAWL_STR("t")}, "role");
    refuse((struct pawl_component){"a", "text", "r", PAWL_STR("ab\xff")}, "byte 2");
    refuse((struct pawl_component){"a", "text", "r", PAWL_STR("\xed\xa0\x80")}, "UTF-8");
    refuse((struct pawl_component){"a", "text", "r", PAWL_STR("a\0b")}, "NUL");

    char *text = pawl_arena_alloc(&arena, PAWL_COMPONENT_MAX + 2, 1);
    memset(text, 'x', PAWL_COMPONENT_MAX + 1);
    make(&(struct pawl_component){"a", "text", "r", {text, PAWL_COMPONENT_MAX}}, 1);
    refuse((struct pawl_component){"a", "text", "r", {text, PAWL_COMPONENT_MAX + 1}}, "bytes");
    make(&(struct pawl_component){"a", "text", "r", {"", 0}}, 1); /* empty is a text too */
}

static void test_the_number_of_components(void **state)
{
    (void)state;
    struct pawl_component many[PAWL_COMPONENTS_MAX + 1];
    struct pawl_artifact *artifact;
    for (int i = 0; i <= PAWL_COMPONENTS_MAX; i++)
        many[i] = (struct pawl_component){pawl_arena_printf(&arena, "c%d", i), "text", "r",
                                          PAWL_STR("t")};
    make(many, PAWL_COMPONENTS_MAX);
    assert_int_equal(pawl_artifact_make(&arena, many, PAWL_COMPONENTS_MAX + 1, &artifact, &err),
                     PAWL_ECONFIG);
    assert_int_equal(pawl_artifact_make(&arena, many, 0, &artifact, &err), PAWL_ECONFIG);
    many[1].name = "c0";
    assert_int_equal(pawl_artifact_make(&arena, many, 2, &artifact, &err), PAWL_ECONFIG);
    assert_non_null(strstr(err.message, "Two components"));
}

static void test_an_edit_makes_another_artifact(void **state)
{
    (void)state;
    struct pawl_artifact *base = make(two, 2), *child;
    struct pawl_edit edit = {"demos", PAWL_STR("one")};
    assert_int_equal(pawl_artifact_apply(&arena, base, &edit, 1, &child, &err), PAWL_OK);
    assert_true(pawl_str_is(pawl_artifact_find(base, "demos")->text, "none"));
    assert_true(pawl_str_is(pawl_artifact_find(child, "demos")->text, "one"));
    assert_true(pawl_str_is(pawl_artifact_find(child, "instruction")->text, "Say yes or no.\n"));
    assert_null(pawl_artifact_find(child, "demo"));
    assert_string_not_equal(base->hex, child->hex);

    edit.text = PAWL_STR("none"); /* back again: the same artifact */
    assert_int_equal(pawl_artifact_apply(&arena, child, &edit, 1, &child, &err), PAWL_OK);
    assert_string_equal(base->hex, child->hex);

    edit.component = "nothing";
    assert_int_equal(pawl_artifact_apply(&arena, base, &edit, 1, &child, &err), PAWL_EUSAGE);
    edit = (struct pawl_edit){"demos", PAWL_STR("\xff")};
    assert_int_equal(pawl_artifact_apply(&arena, base, &edit, 1, &child, &err), PAWL_ECONFIG);
}

static void test_the_journey_through_json(void **state)
{
    (void)state;
    const struct pawl_component component = {"a.b_1", "text", "r", PAWL_STR("x\n\"\xe2\x82\xac")};
    struct pawl_artifact *artifact = make(&component, 1), *copy;
    json_t *json = pawl_artifact_json(artifact);
    assert_int_equal(pawl_artifact_from_json(&arena, json, &copy, &err), PAWL_OK);
    assert_string_equal(copy->hex, artifact->hex);
    json_decref(json);
}

static void test_hostile_json(void **state)
{
    (void)state;
    const char *const texts[] = {
        "[]",
        "1",
        "{}",
        "{\"components\":{}}",
        "{\"components\":[1]}",
        "{\"components\":{\"a\":1}}",
        "{\"components\":{\"a\":{\"kind\":\"text\",\"role\":\"r\"}}}",
        "{\"components\":{\"a\":{\"kind\":\"text\",\"role\":\"r\",\"text\":1}}}",
        "{\"components\":{\"a\":{\"kind\":\"text\",\"text\":\"t\"}}}",
        "{\"components\":{\"A\":{\"kind\":\"text\",\"role\":\"r\",\"text\":\"t\"}}}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        json_t *json;
        struct pawl_artifact *artifact;
        assert_int_equal(pawl_json_parse(pawl_str_of(texts[i]), 1000, &json, &err), PAWL_OK);
        assert_int_equal(pawl_artifact_from_json(&arena, json, &artifact, &err), PAWL_ECONFIG);
        json_decref(json);
    }
}

static void test_the_difference(void **state)
{
    (void)state;
    struct pawl_artifact *base = make(two, 2), *child, *grown;
    struct pawl_buf out = PAWL_BUF(1 << 20);
    pawl_artifact_diff(base, base, &out);
    assert_int_equal(out.len, 0);

    struct pawl_edit edit = {"instruction", PAWL_STR("Say no.\n")};
    assert_int_equal(pawl_artifact_apply(&arena, base, &edit, 1, &child, &err), PAWL_OK);
    pawl_artifact_diff(base, child, &out);
    assert_non_null(strstr(out.data, "-Say yes or no.\n+Say no.\n"));
    assert_null(strstr(out.data, "demos"));

    pawl_buf_reset(&out);
    const struct pawl_component more[] = {
        two[0], two[1], {"zeal", "text", "r", PAWL_STR("new\n")}, {"a", "text", "r", {"a\n", 2}}};
    grown = make(more, 4);
    pawl_artifact_diff(base, grown, &out);
    assert_non_null(strstr(out.data, "+new\n"));
    assert_non_null(strstr(out.data, "+a\n"));
    pawl_buf_reset(&out);
    pawl_artifact_diff(grown, base, &out);
    assert_non_null(strstr(out.data, "-new\n"));
    pawl_buf_release(&out);
}

static void tamper(const char *folder, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(pawl_arena_printf(&arena, "%s/pawl.db", folder), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void test_what_is_stored_is_loaded_or_known_to_be_damaged(void **state)
{
    (void)state;
    char folder[] = "/tmp/pawl-test-artifact-XXXXXX";
    assert_non_null(mkdtemp(folder));
    struct pawl_store *store;
    assert_int_equal(pawl_store_open(folder, true, &store, &err), PAWL_OK);
    char *large = pawl_arena_alloc(&arena, 100001, 1); /* one that becomes a file */
    memset(large, 'x', 100000);
    const struct pawl_component three[] = {two[0], two[1], {"z", "text", "r", {large, 100000}}};
    struct pawl_artifact *artifact = make(three, 3), *got;

    assert_int_equal(pawl_artifact_get(store, &arena, artifact->hex, &got, &err), PAWL_ENOTFOUND);
    assert_int_equal(pawl_artifact_put(store, artifact, &err), PAWL_OK);
    assert_int_equal(pawl_artifact_put(store, artifact, &err), PAWL_OK);
    assert_int_equal(pawl_artifact_get(store, &arena, artifact->hex, &got, &err), PAWL_OK);
    assert_string_equal(got->hex, artifact->hex);
    assert_int_equal(got->n_components, 3);
    for (size_t i = 0; i < 3; i++)
        assert_true(pawl_str_eq(got->components[i].text, artifact->components[i].text));

    /* The text of a component, the manifest, or its shape: each change is found. */
    const char *const changes[] = {
        "UPDATE object SET body = 'some' WHERE body = CAST('none' AS BLOB)",
        "UPDATE artifact SET manifest = replace(manifest, '\"role\":\"r\"', '\"role\":\"s\"')",
        "UPDATE artifact SET manifest = '{\"components\":{\"a\":{\"hash\":\"zz\"}},\"schema\":1}'",
        "UPDATE artifact SET manifest = '{}'",
        "UPDATE artifact SET manifest = 'x'",
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        tamper(folder, changes[i]);
        assert_int_equal(pawl_artifact_get(store, &arena, artifact->hex, &got, &err),
                         PAWL_EINTEGRITY);
        tamper(folder, "DELETE FROM artifact; DELETE FROM object");
        assert_int_equal(pawl_artifact_put(store, artifact, &err), PAWL_OK);
        assert_int_equal(pawl_artifact_get(store, &arena, artifact->hex, &got, &err), PAWL_OK);
    }
    pawl_store_close(store);
    assert_int_equal(system(pawl_arena_printf(&arena, "rm -rf %s", folder)), 0);
}

int main(void)
{
    pawl_crypto_init();
#define TEST(f) cmocka_unit_test_teardown(f, release_arena)
    const struct CMUnitTest tests[] = {
        TEST(test_the_id_is_the_hash_of_the_documented_manifest),
        TEST(test_order_does_not_matter_and_content_does),
        TEST(test_an_artifact_keeps_its_own_copy),
        TEST(test_what_breaks_an_invariant_is_refused),
        TEST(test_the_number_of_components),
        TEST(test_an_edit_makes_another_artifact),
        TEST(test_the_journey_through_json),
        TEST(test_hostile_json),
        TEST(test_the_difference),
        TEST(test_what_is_stored_is_loaded_or_known_to_be_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
