/* What is put is got, by every name it has; what is damaged or foreign is refused. */
#include "store/fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <sys/stat.h>

static struct pawl_str text_of(char c, size_t len)
{
    char *bytes = pawl_arena_alloc(&fixture_arena, len + 1, 1);
    memset(bytes, c, len);
    return (struct pawl_str){bytes, len};
}

/* Run SQL on the database behind the store's back. */
static void tamper(const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(in_folder("store/pawl.db"), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* ---- opening ---- */

static void test_a_missing_store_is_made_only_on_request(void **state)
{
    (void)state;
    struct pawl_store *store;
    struct pawl_error err;
    const char *dir = in_folder("deep/store");
    assert_int_equal(pawl_store_open(dir, false, &store, &err), PAWL_ENOTFOUND);
    assert_non_null(strstr(err.hint, "pawl init"));
    shell("mkdir -p", dir);
    assert_int_equal(pawl_store_open(dir, false, &store, &err), PAWL_ENOTFOUND);
    assert_ok(pawl_store_open(dir, true, &store, &err));
    assert_non_null(strstr(pawl_store_dir(store), "deep/store"));
    pawl_store_close(store);
    assert_ok(pawl_store_open(dir, false, &store, &err));
    pawl_store_close(store);
}

static void refuse(const char *dir, enum pawl_status status, const char *because)
{
    struct pawl_store *store;
    struct pawl_error err;
    assert_int_equal(pawl_store_open(dir, true, &store, &err), status);
    if (!strstr(err.message, because)) fail_msg("\"%s\" lacks \"%s\"", err.message, because);
}

static void test_a_store_that_somebody_else_controls_is_refused(void **state)
{
    (void)state;
    pawl_store_close(open_store());
    const char *store = in_folder("store"), *link = in_folder("link");
    assert_int_equal(symlink(store, link), 0);
    refuse(link, PAWL_ECONFIG, "symbolic link");
    assert_int_equal(chmod(store, 0707), 0);
    refuse(store, PAWL_ECONFIG, "Every user may write");
    assert_int_equal(chmod(store, 0700), 0);

    /* A link in place of the objects or of the database itself. */
    assert_int_equal(rmdir(in_folder("store/objects")), 0);
    assert_int_equal(symlink("/tmp", in_folder("store/objects")), 0);
    refuse(store, PAWL_ECONFIG, "symbolic link");
    assert_int_equal(unlink(in_folder("store/objects")), 0);
    assert_int_equal(rename(in_folder("store/pawl.db"), in_folder("elsewhere.db")), 0);
    assert_int_equal(symlink(in_folder("elsewhere.db"), in_folder("store/pawl.db")), 0);
    refuse(store, PAWL_EWORLD, "pawl.db");

    if (geteuid() != 0) {
        print_message("SKIPPED, NOT ROOT: a store owned by another user\n");
        return;
    }
    assert_int_equal(chown(store, 12345, 12345), 0);
    refuse(store, PAWL_ECONFIG, "belongs to user 12345");
}

static void test_a_link_above_the_store_is_nobodys_business(void **state)
{
    (void)state;
    struct pawl_error err;
    pawl_store_close(open_store());
    assert_int_equal(symlink(fixture_folder, in_folder("home")), 0);
    struct pawl_store *store;
    assert_ok(pawl_store_open(in_folder("home/store"), false, &store, &err));
    pawl_store_close(store);
}

static void test_a_newer_schema_and_a_foreign_file_are_refused(void **state)
{
    (void)state;
    pawl_store_close(open_store());
    tamper("PRAGMA user_version = 1000");
    refuse(in_folder("store"), PAWL_ECONFIG, "1000");
    shell("head -c 8192 /dev/urandom >", in_folder("store/pawl.db"));
    refuse(in_folder("store"), PAWL_EINTEGRITY, "damaged");
}

/* ---- objects ---- */

static void test_objects_small_and_large(void **state)
{
    (void)state;
    struct pawl_error err;
    struct pawl_store *store = open_store();
    const size_t sizes[] = {0, 1, 64 << 10, (64 << 10) + 1, 1 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (int durable = 0; durable < 2; durable++) {
            struct pawl_str in = text_of((char)('a' + durable), sizes[i]), out;
            struct pawl_hash hash, expected = pawl_hash_str(in);
            assert_ok(pawl_store_object_put(store, in, durable, &hash, &err));
            assert_ok(pawl_store_object_put(store, in, durable, &hash, &err)); /* again: the same */
            assert_true(pawl_hash_eq(&hash, &expected));
            assert_ok(pawl_store_object_get(store, &fixture_arena, &hash, &out, &err));
            assert_true(pawl_str_eq(in, out));
        }
    }
    struct pawl_hash absent = pawl_hash_str(PAWL_STR("absent"));
    struct pawl_str out;
    assert_int_equal(pawl_store_object_get(store, &fixture_arena, &absent, &out, &err),
                     PAWL_ENOTFOUND);
    pawl_store_close(store);
}

static void test_a_changed_object_is_found_out(void **state)
{
    (void)state;
    struct pawl_store *store = open_store();
    struct pawl_str small = PAWL_STR("small"), large = text_of('x', 100000), out;
    struct pawl_hash small_hash, large_hash;
    struct pawl_error err;
    assert_ok(pawl_store_object_put(store, small, true, &small_hash, &err));
    assert_ok(pawl_store_object_put(store, large, true, &large_hash, &err));
    tamper("UPDATE object SET body = x'00' WHERE body IS NOT NULL");
    assert_int_equal(pawl_store_object_get(store, &fixture_arena, &small_hash, &out, &err),
                     PAWL_EINTEGRITY);

    char hex[PAWL_HASH_HEX];
    pawl_hash_hex(&large_hash, hex);
    const char *path =
        pawl_arena_printf(&fixture_arena, "%s/store/objects/%.2s/%s", fixture_folder, hex, hex + 2);
    int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, "y", 1, 50000), 1);
    close(fd);
    assert_int_equal(pawl_store_object_get(store, &fixture_arena, &large_hash, &out, &err),
                     PAWL_EINTEGRITY);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(pawl_store_object_get(store, &fixture_arena, &large_hash, &out, &err),
                     PAWL_EINTEGRITY);
    assert_ok(pawl_store_object_put(store, large, true, &large_hash, &err)); /* heals */
    assert_ok(pawl_store_object_get(store, &fixture_arena, &large_hash, &out, &err));
    pawl_store_close(store);
}

/* ---- rows ---- */

static void test_manifests_are_found_by_prefix(void **state)
{
    (void)state;
    struct pawl_store *store = open_store();
    struct pawl_error err;
    const char *const ids[] = {"aaaaaa0000000000000000000000000000000000000000000000000000000000",
                               "aaaaaa1000000000000000000000000000000000000000000000000000000000",
                               "bbbbbb0000000000000000000000000000000000000000000000000000000000"};
    for (int i = 0; i < 3; i++) {
        json_t *manifest = json_pack("{s:i}", "n", i), *got;
        assert_ok(pawl_store_manifest_put(store, ids[i], manifest, &err));
        assert_ok(pawl_store_manifest_get(store, ids[i], &got, &err)); /* at once */
        assert_true(json_equal(manifest, got));
        json_decref(manifest);
        json_decref(got);
    }
    char hex[PAWL_HASH_HEX];
    assert_ok(pawl_store_artifact_find(store, "bbbbbb", hex, &err));
    assert_string_equal(hex, ids[2]);
    assert_ok(pawl_store_artifact_find(store, "aaaaaa1", hex, &err));
    assert_string_equal(hex, ids[1]);
    assert_ok(pawl_store_artifact_find(store, ids[0], hex, &err));
    assert_int_equal(pawl_store_artifact_find(store, "aaaaaa", hex, &err), PAWL_ENOTFOUND);
    assert_non_null(strstr(err.message, "Several"));
    const char *const bad[] = {"cccccc", "bbbbb", "", "incumbent", "'; DROP TABLE artifact",
                               "%",      "BBBBBB"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(pawl_store_artifact_find(store, bad[i], hex, &err), PAWL_ENOTFOUND);
    json_t *got;
    assert_int_equal(pawl_store_manifest_get(store, "cccccc", &got, &err), PAWL_ENOTFOUND);
    pawl_store_close(store);
}

static void test_cases_are_added_all_or_none(void **state)
{
    (void)state;
    struct pawl_store *store = open_store();
    struct pawl_error err;
    json_t *first = json_pack("[{s:s,s:s,s:s},{s:s,s:s,s:s}]", "id", "1", "tier", "train", "input",
                              "x", "id", "2", "tier", "dev", "input", "y");
    json_t *second =
        json_pack("[{s:s,s:s},{s:s,s:s}]", "id", "3", "tier", "train", "id", "1", "tier", "train");
    assert_ok(pawl_store_cases_add(store, first, &err));
    assert_int_equal(pawl_store_cases_add(store, second, &err), PAWL_ECONFIG);
    assert_non_null(strstr(err.message, "The case 1"));
    json_t *got;
    assert_ok(pawl_store_cases_get(store, "train", &got, &err));
    assert_int_equal(json_array_size(got), 1); /* case 3 is not there either */
    assert_true(json_equal(json_array_get(got, 0), json_array_get(first, 0)));
    json_decref(got);
    json_array_remove(second, 1);
    assert_ok(pawl_store_cases_add(store, second, &err));
    assert_ok(pawl_store_cases_get(store, "train", &got, &err));
    assert_int_equal(json_array_size(got), 2);
    assert_string_equal(pawl_json_get_text(json_array_get(got, 1), "id", ""), "3");
    json_decref(got);
    json_decref(first);
    json_decref(second);
    pawl_store_close(store);
}

static void put_run(struct pawl_store *store, const char *id, int n)
{
    struct pawl_error err;
    json_t *body = json_pack("{s:s,s:i}", "id", id, "n", n);
    assert_ok(pawl_store_run_put(store, id, body, &err));
    json_decref(body);
}

static void test_runs_are_listed_by_age_and_found(void **state)
{
    (void)state;
    struct pawl_store *store = open_store();
    struct pawl_error err;
    char id[PAWL_HASH_HEX];
    assert_int_equal(pawl_store_run_find(store, "last", id, &err), PAWL_ENOTFOUND);
    put_run(store, "r9", 1);
    put_run(store, "r1", 2);
    put_run(store, "r10", 3);
    put_run(store, "r9", 4); /* a new body does not make a run younger */
    json_t *runs, *run;
    assert_ok(pawl_store_runs(store, &runs, &err));
    assert_int_equal(json_array_size(runs), 3);
    assert_int_equal(pawl_json_get_int(json_array_get(runs, 0), "n", 0), 4);
    assert_int_equal(pawl_json_get_int(json_array_get(runs, 2), "n", 0), 3);
    json_decref(runs);
    assert_ok(pawl_store_run_find(store, "last", id, &err));
    assert_string_equal(id, "r10");
    assert_ok(pawl_store_run_find(store, "r1", id, &err)); /* r10 begins so too, r1 is r1 */
    assert_string_equal(id, "r1");
    assert_int_equal(pawl_store_run_find(store, "r", id, &err), PAWL_ENOTFOUND);
    assert_int_equal(pawl_store_run_find(store, "%", id, &err), PAWL_ENOTFOUND);
    assert_ok(pawl_store_run_get(store, "r1", &run, &err));
    json_decref(run);
    assert_int_equal(pawl_store_run_get(store, "r2", &run, &err), PAWL_ENOTFOUND);
    pawl_store_close(store);
}

static void test_candidates_are_visible_after_a_flush(void **state)
{
    (void)state;
    struct pawl_error err;
    struct pawl_store *store = open_store();
    for (int i = 0; i < 100; i++) {
        json_t *body = json_pack("{s:i}", "n", i);
        assert_ok(pawl_store_candidate_put(store, i % 2 ? "odd" : "even", i, i < 50 ? "a" : "b",
                                           body, &err));
        json_decref(body);
    }
    assert_ok(pawl_store_flush(store, &err));
    json_t *got;
    assert_ok(pawl_store_candidates(store, "odd", &got, &err));
    assert_int_equal(json_array_size(got), 50);
    assert_int_equal(pawl_json_get_int(json_array_get(got, 0), "n", 0), 1);
    json_decref(got);
    assert_ok(pawl_store_candidates_of(store, "a", &got, &err));
    assert_int_equal(json_array_size(got), 50);
    assert_int_equal(pawl_json_get_int(json_array_get(got, 0), "n", 0), 49);
    json_decref(got);
    pawl_store_close(store);
}

static void test_settings(void **state)
{
    (void)state;
    struct pawl_error err;
    struct pawl_store *store = open_store();
    json_t *value = json_pack("{s:[i,f]}", "a", 1, 0.5), *got;
    assert_ok(pawl_store_meta_get(store, "key", &got, &err));
    assert_null(got);
    assert_ok(pawl_store_meta_put(store, "key", json_null(), &err));
    assert_ok(pawl_store_meta_put(store, "key", value, &err));
    assert_ok(pawl_store_meta_get(store, "key", &got, &err));
    assert_true(json_equal(value, got));
    json_decref(value);
    json_decref(got);
    tamper("UPDATE meta SET value = '{'");
    assert_int_equal(pawl_store_meta_get(store, "key", &got, &err), PAWL_EINTEGRITY);
    pawl_store_close(store);
}

/* ---- the cache, from many threads ---- */

enum { N_THREADS = 8, N_ANSWERS = 500 };

static struct pawl_hash answer_key(size_t thread, int i)
{
    int64_t parts[2] = {(int64_t)thread, i};
    return pawl_hash_bytes(parts, sizeof parts);
}

struct worker {
    struct pawl_store *store;
    size_t number;
};

static void *use_cache(void *context)
{
    struct worker *worker = context;
    struct pawl_arena arena = {0};
    struct pawl_str body;
    for (int i = 0; i < N_ANSWERS; i++) {
        struct pawl_hash key = answer_key(worker->number, i);
        if (pawl_store_answer_get(worker->store, &arena, &key, &body, NULL) != PAWL_OK || body.ptr)
            return "found what nobody put";
        if (pawl_store_answer_put(worker->store, &key, PAWL_STR("an\0answer"), NULL) != PAWL_OK)
            return "put failed";
    }
    pawl_arena_release(&arena);
    return NULL;
}

static void test_the_cache_serves_many_threads(void **state)
{
    (void)state;
    struct pawl_error err;
    struct pawl_store *store = open_store();
    pthread_t threads[N_THREADS];
    struct worker workers[N_THREADS];
    for (size_t i = 0; i < N_THREADS; i++) {
        workers[i] = (struct worker){store, i};
        assert_int_equal(pthread_create(&threads[i], NULL, use_cache, &workers[i]), 0);
    }
    for (size_t i = 0; i < N_THREADS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        if (result) fail_msg("%s", (const char *)result);
    }
    pawl_store_close(store); /* closing keeps lazy writes */
    store = open_store();
    for (size_t t = 0; t < N_THREADS; t++)
        for (int i = 0; i < N_ANSWERS; i++) {
            struct pawl_str body;
            struct pawl_hash key = answer_key(t, i);
            assert_ok(pawl_store_answer_get(store, &fixture_arena, &key, &body, &err));
            assert_true(pawl_str_eq(body, PAWL_STR("an\0answer")));
        }
    pawl_store_close(store);
}

static void test_a_lazy_write_is_soon_seen_by_others(void **state)
{
    (void)state;
    struct pawl_error err;
    struct pawl_store *one = open_store(), *other = open_store();
    struct pawl_hash key = pawl_hash_str(PAWL_STR("k"));
    struct pawl_str body = {0};
    assert_ok(pawl_store_answer_put(one, &key, PAWL_STR(""), &err)); /* empty is not absent */
    for (int i = 0; i < 100 && !body.ptr; i++) {
        usleep(10000);
        assert_ok(pawl_store_answer_get(other, &fixture_arena, &key, &body, &err));
    }
    assert_non_null(body.ptr);
    assert_int_equal(body.len, 0);
    pawl_store_close(one);
    pawl_store_close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_a_missing_store_is_made_only_on_request),
        FIXTURE_TEST(test_a_store_that_somebody_else_controls_is_refused),
        FIXTURE_TEST(test_a_link_above_the_store_is_nobodys_business),
        FIXTURE_TEST(test_a_newer_schema_and_a_foreign_file_are_refused),
        FIXTURE_TEST(test_objects_small_and_large),
        FIXTURE_TEST(test_a_changed_object_is_found_out),
        FIXTURE_TEST(test_manifests_are_found_by_prefix),
        FIXTURE_TEST(test_cases_are_added_all_or_none),
        FIXTURE_TEST(test_runs_are_listed_by_age_and_found),
        FIXTURE_TEST(test_candidates_are_visible_after_a_flush),
        FIXTURE_TEST(test_settings),
        FIXTURE_TEST(test_the_cache_serves_many_threads),
        FIXTURE_TEST(test_a_lazy_write_is_soon_seen_by_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
