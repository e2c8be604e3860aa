/* Files are read whole or refused, and replaced whole or not at all. */
#include "io/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* In place of libc's: what was synced, in order. */
static ino_t synced[32];
static size_t n_synced;

int fsync(int fd)
{
    struct stat st;
    if (n_synced < sizeof synced / sizeof *synced && fstat(fd, &st) == 0)
        synced[n_synced++] = st.st_ino;
    return (int)syscall(SYS_fsync, fd);
}

static char folder[64];
static struct pawl_arena arena;

static char *in_folder(const char *name)
{
    return pawl_path_join(&arena, folder, name);
}

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/pawl-test-file-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    char *command = pawl_arena_printf(&arena, "rm -rf %s", folder);
    int rc = system(command);
    pawl_arena_release(&arena);
    return rc;
}

static size_t count_entries(void)
{
    FILE *list = popen(pawl_arena_printf(&arena, "ls -A %s | wc -l", folder), "r");
    size_t n = 0;
    assert_int_equal(fscanf(list, "%zu", &n), 1);
    pclose(list);
    return n;
}

static void test_what_is_written_is_read(void **state)
{
    (void)state;
    struct pawl_error err;
    struct pawl_str out;
    char *path = in_folder("a");
    assert_int_equal(pawl_file_write_atomic(path, PAWL_STR("one\0two"), 0640, &err), PAWL_OK);
    assert_int_equal(pawl_file_write_atomic(path, PAWL_STR("three\0four"), 0640, &err), PAWL_OK);
    assert_int_equal(pawl_file_read(path, 10, &arena, &out, &err), PAWL_OK);
    assert_true(pawl_str_eq(out, PAWL_STR("three\0four")));
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    assert_int_equal(count_entries(), 1); /* no temporary file is left */
}

static void test_a_file_over_the_limit_is_refused(void **state)
{
    (void)state;
    struct pawl_error err;
    struct pawl_str out;
    char *path = in_folder("a");
    assert_int_equal(pawl_file_write_atomic(path, PAWL_STR("12345"), 0600, &err), PAWL_OK);
    assert_int_equal(pawl_file_read(path, 5, &arena, &out, &err), PAWL_OK);
    assert_int_equal(pawl_file_read(path, 4, &arena, &out, &err), PAWL_ETOOBIG);
    assert_non_null(strstr(err.message, "5 bytes"));
}

static void test_what_is_no_file_is_refused_and_does_not_hang(void **state)
{
    (void)state;
    struct pawl_error err;
    struct pawl_str out;
    char *fifo = in_folder("fifo");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(pawl_file_read(fifo, 10, &arena, &out, &err), PAWL_EWORLD);
    assert_int_equal(pawl_file_read(folder, 10, &arena, &out, &err), PAWL_EWORLD);
    assert_int_equal(pawl_file_read(in_folder("none"), 10, &arena, &out, &err), PAWL_ENOTFOUND);
}

static void test_a_failed_write_leaves_the_old_file(void **state)
{
    (void)state;
    struct pawl_error err;
    /* A folder cannot be replaced by a file, whoever asks. */
    char *path = in_folder("taken");
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(pawl_file_write_atomic(path, PAWL_STR("x"), 0600, &err), PAWL_EWORLD);
    assert_int_equal(count_entries(), 1);
    assert_int_equal(pawl_file_write_atomic(in_folder("no/such/folder"), PAWL_STR("x"), 0600, &err),
                     PAWL_ENOTFOUND);
}

static void test_a_full_device_is_the_world_failing(void **state)
{
    (void)state;
    struct pawl_error err;
    FILE *full = fopen("/dev/full", "w");
    assert_non_null(full);
    assert_int_equal(pawl_fd_write(fileno(full), "x", 1, "the report", &err), PAWL_EWORLD);
    assert_non_null(strstr(err.message, "the report"));
    assert_non_null(strstr(err.hint, "space"));
    fclose(full);
}

static void test_folders_are_made_with_their_parents(void **state)
{
    (void)state;
    struct pawl_error err;
    char *deep = in_folder("a/b//c/");
    assert_int_equal(pawl_dir_make(deep, 0700, &err), PAWL_OK);
    assert_int_equal(pawl_dir_make(deep, 0700, &err), PAWL_OK);
    assert_true(pawl_path_exists(in_folder("a/b/c")));
    assert_int_equal(pawl_file_write_atomic(in_folder("f"), PAWL_STR(""), 0600, &err), PAWL_OK);
    assert_int_equal(pawl_dir_make(in_folder("f"), 0700, &err), PAWL_EWORLD);
    assert_int_equal(pawl_dir_make(in_folder("f/g"), 0700, &err), PAWL_EWORLD);
}

static void test_a_new_file_replaces_nothing(void **state)
{
    (void)state;
    struct pawl_error err;
    struct pawl_str out;
    char *path = in_folder("a");
    assert_int_equal(pawl_file_write_new(path, PAWL_STR("first"), 0600, &err), PAWL_OK);
    assert_int_equal(pawl_file_write_new(path, PAWL_STR("second"), 0600, &err), PAWL_EWORLD);
    assert_int_equal(pawl_file_read(path, 10, &arena, &out, &err), PAWL_OK);
    assert_true(pawl_str_is(out, "first"));
    assert_int_equal(count_entries(), 1);
}

static ino_t inode_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_ino;
}

static void test_a_new_folder_is_on_disk(void **state)
{
    (void)state;
    struct pawl_error err;
    n_synced = 0;
    assert_int_equal(pawl_dir_make(in_folder("a/b"), 0700, &err), PAWL_OK);
    assert_int_equal(n_synced, 2);
    assert_int_equal(synced[0], inode_of(folder));
    assert_int_equal(synced[1], inode_of(in_folder("a")));
    assert_int_equal(pawl_dir_make(in_folder("a/b"), 0700, &err), PAWL_OK);
    assert_int_equal(n_synced, 2); /* there already */
    assert_int_equal(pawl_dir_sync(in_folder("none"), &err), PAWL_ENOTFOUND);
}

/* A folder that may be written and not listed cannot be synced; that is not held against it. */
static void test_a_parent_that_cannot_be_opened_is_left_alone(void **state)
{
    (void)state;
    struct pawl_error err;
    if (geteuid() == 0) skip(); /* root opens everything */
    char *closed = in_folder("closed");
    assert_int_equal(pawl_dir_make(closed, 0300, &err), PAWL_OK);
    assert_int_equal(pawl_dir_make(in_folder("closed/a"), 0700, &err), PAWL_OK);
    assert_int_equal(pawl_dir_sync(closed, &err), PAWL_EWORLD);
    assert_int_equal(chmod(closed, 0700), 0);
}

static void test_a_published_file_is_on_disk_before_its_name_is(void **state)
{
    (void)state;
    struct pawl_error err;
    struct pawl_str out;
    char *from = in_folder("new"), *to = in_folder("f");
    assert_int_equal(pawl_file_write_atomic(to, PAWL_STR("old"), 0600, &err), PAWL_OK);
    FILE *file = fopen(from, "w");
    assert_true(file != NULL && fputs("new", file) >= 0 && fclose(file) == 0);
    ino_t inode = inode_of(from);
    n_synced = 0;
    assert_int_equal(pawl_file_publish(from, to, &err), PAWL_OK);
    assert_int_equal(n_synced, 2);
    assert_int_equal(synced[0], inode);
    assert_int_equal(synced[1], inode_of(folder));
    assert_int_equal(pawl_file_read(to, 10, &arena, &out, &err), PAWL_OK);
    assert_true(pawl_str_is(out, "new"));
    assert_int_equal(pawl_file_publish(from, to, &err), PAWL_ENOTFOUND);
    assert_int_equal(count_entries(), 1);
}

static void test_paths(void **state)
{
    (void)state;
    assert_string_equal(pawl_path_join(&arena, "/a", "b"), "/a/b");
    assert_string_equal(pawl_path_join(&arena, "/a/", "b"), "/a/b");
    assert_string_equal(pawl_path_join(&arena, "/a", "/b"), "/b");
    assert_true(pawl_path_is_at_or_below("/a", "/a"));
    assert_true(pawl_path_is_at_or_below("/a/b", "/a"));
    assert_true(pawl_path_is_at_or_below("/a", "/"));
    assert_false(pawl_path_is_at_or_below("/ab", "/a"));
    assert_false(pawl_path_is_at_or_below("/", "/a"));

    setenv("HOME", "/home/me", 1);
    unsetenv("PAWL_TEST_FOLDER");
    assert_string_equal(pawl_path_user(&arena, "PAWL_TEST_FOLDER", ".x"), "/home/me/.x");
    setenv("PAWL_TEST_FOLDER", "/else", 1);
    assert_string_equal(pawl_path_user(&arena, "PAWL_TEST_FOLDER", ".x"), "/else");
    setenv("PAWL_TEST_FOLDER", "relative", 1);
    assert_string_equal(pawl_path_user(&arena, "PAWL_TEST_FOLDER", ".x"), "/home/me/.x");
    unsetenv("HOME");
    assert_null(pawl_path_user(&arena, "PAWL_TEST_FOLDER", ".x"));
}

static void test_a_copy_is_whole_and_gives_its_hash(void **state)
{
    (void)state;
    struct pawl_error err;
    struct pawl_hash copied, hashed;
    struct pawl_str out;
    size_t n = 200000; /* several pieces */
    char *bytes = pawl_arena_alloc(&arena, 1, n);
    for (size_t i = 0; i < n; i++) bytes[i] = (char)(i * 31 % 251);
    struct pawl_str content = {bytes, n};
    char *from = in_folder("a"), *to = in_folder("b");
    assert_int_equal(pawl_file_write_atomic(from, content, 0644, &err), PAWL_OK);
    assert_int_equal(pawl_file_copy(from, to, 0600, &copied, &err), PAWL_OK);
    assert_int_equal(pawl_file_hash(to, &hashed, &err), PAWL_OK);
    assert_int_equal(pawl_file_read(to, n, &arena, &out, &err), PAWL_OK);
    assert_true(pawl_str_eq(out, content));
    struct pawl_hash expected = pawl_hash_str(content);
    assert_true(pawl_hash_eq(&copied, &expected) && pawl_hash_eq(&hashed, &expected));
    struct stat st;
    assert_int_equal(stat(to, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    /* A source that is not there leaves the target as it was. */
    assert_int_equal(pawl_file_copy(in_folder("none"), to, 0600, &copied, &err), PAWL_ENOTFOUND);
    assert_int_equal(pawl_file_read(to, n, &arena, &out, &err), PAWL_OK);
    assert_int_equal(out.len, n);
    /* Nor does one without an end. */
    assert_int_equal(pawl_file_copy("/dev/zero", to, 0600, &copied, &err), PAWL_EWORLD);
    assert_int_equal(pawl_file_read(to, n, &arena, &out, &err), PAWL_OK);
    assert_int_equal(count_entries(), 2);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_written_is_read),
        TEST(test_a_file_over_the_limit_is_refused),
        TEST(test_what_is_no_file_is_refused_and_does_not_hang),
        TEST(test_a_failed_write_leaves_the_old_file),
        TEST(test_a_full_device_is_the_world_failing),
        TEST(test_a_copy_is_whole_and_gives_its_hash),
        TEST(test_folders_are_made_with_their_parents),
        TEST(test_a_new_file_replaces_nothing),
        TEST(test_a_new_folder_is_on_disk),
        TEST(test_a_parent_that_cannot_be_opened_is_left_alone),
        TEST(test_a_published_file_is_on_disk_before_its_name_is),
        TEST(test_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
