/* A full disk is said clearly, nothing is half written, and the store works again when there is
 * room. Needs root, for a small tmpfs. */
#include "store/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>

/* Of the whole disk; and what finds no room on it, however the log is reused. */
enum { DISK_MIB = 2, LARGE_BYTES = 1600000 };

static void fill_disk(const char *path)
{
    char block[4096] = {1};
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    assert_true(fd >= 0);
    while (write(fd, block, sizeof block) > 0) {}
    assert_int_equal(errno, ENOSPC);
    close(fd);
}

static void assert_full(enum pawl_status status, const struct pawl_error *err)
{
    assert_int_equal(status, PAWL_EWORLD);
    if (!strstr(err->message, "full") && !strstr(err->message, "No space"))
        fail_msg("unclear: %s", err->message);
    assert_non_null(strstr(err->hint, "space"));
}

static enum pawl_status put_numbered(struct pawl_store *store, int n, size_t len,
                                     struct pawl_hash *hash, struct pawl_error *err)
{
    char *bytes = pawl_xcalloc(1, len);
    memcpy(bytes, &n, sizeof n);
    enum pawl_status status =
        pawl_store_object_put(store, (struct pawl_str){bytes, len}, true, hash, err);
    free(bytes);
    return status;
}

static void test_a_full_disk(void **state)
{
    (void)state;
    struct pawl_store *store = open_store();
    struct pawl_error err;
    struct pawl_hash hashes[1000], hash;
    int n = 0;
    enum pawl_status status = PAWL_OK;
    const char *filler = in_folder("filler"), *ballast = in_folder("ballast");
    shell("head -c 500000 /dev/zero >", ballast); /* the room that somebody will free */
    while (n < 1000 && (status = put_numbered(store, n, 20000, &hashes[n], &err)) == PAWL_OK) n++;
    assert_in_range(n, 5, 999);
    assert_full(status, &err);
    fill_disk(filler);

    /* Every kind of write fails, and says why. */
    assert_full(put_numbered(store, 5000, 100000, &hash, &err), &err); /* a file */
    struct pawl_str large = {pawl_arena_alloc(&fixture_arena, LARGE_BYTES, 1), LARGE_BYTES};
    memset((char *)large.ptr, 'x', LARGE_BYTES);
    json_t *body = json_pack("{s:o}", "a", json_stringn(large.ptr, large.len));
    assert_full(pawl_store_run_put(store, "run", body, &err), &err);
    json_object_clear(body);

    /* A lazy write cannot say it at once: the next flush does, and only that one. */
    assert_ok(pawl_store_answer_put(store, &hashes[0], large, &err));
    assert_full(pawl_store_flush(store, &err), &err);
    assert_ok(pawl_store_answer_put(store, &hashes[0], large, &err));
    usleep(300000);
    assert_full(pawl_store_flush(store, &err), &err);
    assert_ok(pawl_store_flush(store, &err));

    /* What was acknowledged can be read, and with room all works again. */
    struct pawl_str out;
    for (int i = 0; i < n; i++)
        assert_ok(pawl_store_object_get(store, &fixture_arena, &hashes[i], &out, &err));
    assert_int_equal(unlink(ballast), 0);
    assert_ok(pawl_store_run_put(store, "run", body, &err));
    assert_ok(put_numbered(store, 5000, 100000, &hash, &err));
    assert_ok(pawl_store_object_get(store, &fixture_arena, &hash, &out, &err));
    pawl_store_close(store);

    store = open_store();
    for (int i = 0; i < n; i++)
        assert_ok(pawl_store_object_get(store, &fixture_arena, &hashes[i], &out, &err));
    pawl_store_close(store);
    json_decref(body);
}

static void test_a_store_cannot_be_made_on_a_full_disk(void **state)
{
    (void)state;
    fill_disk(in_folder("filler"));
    struct pawl_store *store;
    struct pawl_error err;
    assert_full(pawl_store_open(in_folder("store"), true, &store, &err), &err);
    assert_int_equal(unlink(in_folder("filler")), 0);
    pawl_store_close(open_store());
}

static int setup_small_disk(void **state)
{
    if (fixture_setup(state) != 0) return -1;
    char options[32];
    snprintf(options, sizeof options, "size=%dm", DISK_MIB);
    return mount("pawl-test", fixture_folder, "tmpfs", 0, options);
}

static int teardown_small_disk(void **state)
{
    umount2(fixture_folder, MNT_DETACH);
    return fixture_teardown(state);
}

int main(void)
{
    /* A mount namespace of our own: whatever happens here, the machine keeps no mount of ours. */
    bool have_mount =
        unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
    if (!have_mount) {
        print_message("SKIPPED, NO RIGHT TO MOUNT: the store on a full disk is NOT TESTED here\n");
        return 0;
    }
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup_small_disk, teardown_small_disk)
    const struct CMUnitTest tests[] = {
        TEST(test_a_full_disk),
        TEST(test_a_store_cannot_be_made_on_a_full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
