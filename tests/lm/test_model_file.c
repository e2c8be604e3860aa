/* Model files: where a name leads, and a hash that is believed only while the file stays as it was. */
#include "lm/model_file.h"
#include "lm_fixture.h"

#include <fcntl.h>
#include <dirent.h>
#include <sys/stat.h>

static const char abc_sha256[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

static void assert_hash(const char *path, bool keep, const char *hex)
{
    struct pawl_hash hash;
    struct pawl_error err = {0};
    char text[PAWL_HASH_HEX];
    assert_int_equal(pawl_model_hash(path, keep, &hash, &err), PAWL_OK);
    pawl_hash_hex(&hash, text);
    assert_string_equal(text, hex);
}

static const char *find(const char *model, enum pawl_status expected)
{
    const char *path = NULL;
    struct pawl_error err = {0};
    assert_int_equal(pawl_model_find(&arena, model, dir, &path, &err), expected);
    if (expected != PAWL_OK) assert_true(err.message[0] != 0);
    if (expected == PAWL_ENOTFOUND) assert_true(err.hint[0] != 0);
    return path;
}

static void test_a_name_is_a_file_of_the_models_folder(void **unused)
{
    (void)unused;
    setenv("PAWL_MODELS", dir, 1);
    write_text("tiny.gguf", "abc");
    assert_string_equal(find("tiny", PAWL_OK), path_of("tiny.gguf"));
    assert_string_equal(find("tiny.gguf", PAWL_OK), path_of("tiny.gguf"));
    find("tinier", PAWL_ENOTFOUND);
    find("", PAWL_ENOTFOUND);
    find("..", PAWL_ENOTFOUND);
}

static void test_a_path_starts_at_the_project(void **unused)
{
    (void)unused;
    assert_int_equal(mkdir(path_of("models"), 0700), 0);
    write_text("models/tiny.gguf", "abc");
    assert_string_equal(find("models/tiny.gguf", PAWL_OK), path_of("models/tiny.gguf"));
    assert_string_equal(find(path_of("models/tiny.gguf"), PAWL_OK), path_of("models/tiny.gguf"));
    find("./models", PAWL_ECONFIG);
}

static void test_no_folder_is_known_without_a_home(void **unused)
{
    (void)unused;
    const char *home = pawl_arena_strdup(&arena, getenv("HOME") ? getenv("HOME") : "/");
    unsetenv("PAWL_MODELS");
    unsetenv("XDG_DATA_HOME");
    unsetenv("HOME");
    find("tiny", PAWL_EWORLD);
    setenv("HOME", home, 1);
}

/* The only file in the cache, or NULL. */
static const char *kept_note(void)
{
    const char *folder = path_of("cache/pawl/weights");
    const char *found = NULL;
    DIR *dir_of_notes = opendir(folder);
    struct dirent *entry;
    while (dir_of_notes && (entry = readdir(dir_of_notes)))
        if (strstr(entry->d_name, ".sha256"))
            found = pawl_arena_printf(&arena, "%s/%s", folder, entry->d_name);
    if (dir_of_notes) closedir(dir_of_notes);
    return found;
}

static void test_the_hash_is_that_of_the_bytes(void **unused)
{
    (void)unused;
    setenv("XDG_CACHE_HOME", path_of("cache"), 1);
    write_text("m.gguf", "abc");
    assert_hash(path_of("m.gguf"), false, abc_sha256);
    assert_null(kept_note());
    struct pawl_error err = {0};
    struct pawl_hash hash;
    assert_int_equal(pawl_model_hash(path_of("none.gguf"), true, &hash, &err), PAWL_EWORLD);
}

static void test_a_kept_hash_is_used_until_the_file_changes(void **unused)
{
    (void)unused;
    setenv("XDG_CACHE_HOME", path_of("cache"), 1);
    static const char xyz[] = "3608bca1e44ea6c4d268eb6db02260269892c0b42b86bbf1e77a6fa16c3c9282";
    write_text("m.gguf", "abc");
    assert_hash(path_of("m.gguf"), true, abc_sha256);
    /* A note that says something else is believed, which shows that it is read. */
    char looks[200];
    FILE *note = fopen(kept_note(), "r+");
    assert_int_equal(fscanf(note, "%199s", looks), 1);
    fprintf(note, " %s\n", xyz);
    fclose(note);
    assert_hash(path_of("m.gguf"), true, xyz);
    /* The same size and the same time of change, set by hand: the bytes are read. */
    struct stat st;
    assert_int_equal(stat(path_of("m.gguf"), &st), 0);
    write_text("m.gguf", "xyz");
    struct timespec times[2] = {st.st_atim, st.st_mtim};
    assert_int_equal(utimensat(AT_FDCWD, path_of("m.gguf"), times, 0), 0);
    write_text("m.gguf", "abc");
    assert_int_equal(utimensat(AT_FDCWD, path_of("m.gguf"), times, 0), 0);
    assert_hash(path_of("m.gguf"), true, abc_sha256);
    /* A note that is none. */
    note = fopen(kept_note(), "w");
    fputs("not a note", note);
    fclose(note);
    assert_hash(path_of("m.gguf"), true, abc_sha256);
}

static void test_a_file_is_intact_while_its_bytes_are_those_that_were_hashed(void **unused)
{
    (void)unused;
    setenv("XDG_CACHE_HOME", path_of("cache"), 1);
    write_text("m.gguf", "abc");
    assert_false(pawl_model_is_intact(path_of("m.gguf"))); /* nobody knows */
    assert_hash(path_of("m.gguf"), true, abc_sha256);
    assert_true(pawl_model_is_intact(path_of("m.gguf")));
    write_text("m.gguf", "xbc");
    assert_false(pawl_model_is_intact(path_of("m.gguf")));
    write_text("m.gguf", "abc"); /* looks different, is the same */
    assert_true(pawl_model_is_intact(path_of("m.gguf")));
    unlink(path_of("m.gguf"));
    assert_false(pawl_model_is_intact(path_of("m.gguf")));
}

int main(void)
{
    pawl_crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_name_is_a_file_of_the_models_folder, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_path_starts_at_the_project, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_folder_is_known_without_a_home, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_hash_is_that_of_the_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_kept_hash_is_used_until_the_file_changes, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_file_is_intact_while_its_bytes_are_those_that_were_hashed, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
