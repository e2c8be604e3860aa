/* After a sync that failed nothing more is acknowledged: the kernel reports such a failure once, and what
 * it dropped would take everything that was written later with it. */
#include "store/fixture.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/syscall.h>

/* In place of libc's, for SQLite too. */
static atomic_bool disk_fails;

int fdatasync(int fd)
{
    if (!atomic_load(&disk_fails)) return (int)syscall(SYS_fdatasync, fd);
    errno = EIO;
    return -1;
}

int fsync(int fd)
{
    return fdatasync(fd);
}

static enum pawl_status put_run(struct pawl_store *store, const char *id, struct pawl_error *err)
{
    json_t *body = json_pack("{s:s}", "id", id);
    enum pawl_status status = pawl_store_run_put(store, id, body, err);
    json_decref(body);
    return status;
}

static void test_a_failed_sync_is_never_forgotten(void **state)
{
    (void)state;
    struct pawl_store *store = open_store();
    struct pawl_error err;
    struct pawl_hash key = {0};
    assert_ok(put_run(store, "before", &err));

    /* Nobody waits for this write: the thread syncs it by itself, and fails. */
    atomic_store(&disk_fails, true);
    assert_ok(pawl_store_answer_put(store, &key, PAWL_STR("answer"), &err));
    usleep(300000);
    atomic_store(&disk_fails, false);

    for (int i = 0; i < 2; i++) {
        assert_int_equal(put_run(store, "after", &err), PAWL_EWORLD);
        assert_non_null(strstr(err.message, "to the disk"));
        assert_int_equal(pawl_store_flush(store, &err), PAWL_EWORLD);
    }
    pawl_store_close(store);

    json_t *body = NULL;
    store = open_store();
    assert_ok(pawl_store_run_get(store, "before", &body, &err));
    json_decref(body);
    assert_ok(put_run(store, "after", &err));
    pawl_store_close(store);
}

/* Whoever wrote the file may have been killed before its folder was on the disk. */
static void test_a_file_that_is_there_is_not_taken_for_durable(void **state)
{
    (void)state;
    static char bytes[100000]; /* too many for a row */
    struct pawl_store *store = open_store();
    struct pawl_str body = {bytes, sizeof bytes};
    struct pawl_hash hash;
    struct pawl_error err;
    assert_ok(pawl_store_object_put(store, body, true, &hash, &err));

    atomic_store(&disk_fails, true);
    assert_int_equal(pawl_store_object_put(store, body, false, &hash, &err), PAWL_EWORLD);
    atomic_store(&disk_fails, false);
    assert_non_null(strstr(err.message, "objects/"));
    assert_ok(pawl_store_object_put(store, body, false, &hash, &err));
    pawl_store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_a_failed_sync_is_never_forgotten),
        FIXTURE_TEST(test_a_file_that_is_there_is_not_taken_for_durable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
