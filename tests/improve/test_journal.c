/* The journal of a run: what is written is found again, whatever happens to the end of the file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "improve/journal.h"
#include "io/file.h"
#include "store/store.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[256], path[300];

static int make_dir(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(dir, sizeof dir, "%s/pawl-journal-XXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/runs/r1/journal", dir);
    return 0;
}

static int remove_dir(void **state)
{
    char command[300];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command);
}

static struct pawl_journal *create(struct pawl_store *store)
{
    struct pawl_journal *journal;
    struct pawl_error err;
    json_t *header = json_pack("{s:s, s:i}", "run", "r1", "seed", 7);
    enum pawl_status status = pawl_journal_create(path, header, store, &journal, &err);
    json_decref(header);
    if (status != PAWL_OK) fail_msg("%s", err.message);
    return journal;
}

static struct pawl_journal *reopen(struct pawl_store *store)
{
    struct pawl_journal *journal;
    struct pawl_error err;
    if (pawl_journal_open(path, store, &journal, &err) != PAWL_OK) fail_msg("%s", err.message);
    return journal;
}

static enum pawl_status put(struct pawl_journal *journal, const char *where, const json_t *result,
                            struct pawl_error *err)
{
    struct pawl_step step = {.path = where,
                             .kind = "evaluate",
                             .args = "0123456789abcdef",
                             .cost = 3,
                             .elapsed_ms = -1,
                             .number = -1,
                             .tokens = {70, 5, 2},
                             .result = result};
    return pawl_journal_append(journal, &step, err);
}

static void put_text(struct pawl_journal *journal, const char *where, const char *text)
{
    struct pawl_error err;
    json_t *result = json_string(text);
    if (put(journal, where, result, &err) != PAWL_OK) fail_msg("%s", err.message);
    json_decref(result);
}

static void expect_text(struct pawl_journal *journal, const char *where, const char *text)
{
    struct pawl_recorded step;
    struct pawl_error err;
    json_t *result;
    assert_true(pawl_journal_find(journal, where, &step));
    assert_true(pawl_str_is(step.kind, "evaluate"));
    assert_int_equal(step.cost, 3);
    assert_int_equal(step.tokens.prompt, 70);
    assert_int_equal(step.tokens.completion, 5);
    assert_int_equal(step.tokens.cached, 2);
    if (pawl_journal_result(journal, &step, &result, &err) != PAWL_OK) fail_msg("%s", err.message);
    assert_string_equal(json_string_value(result), text);
    json_decref(result);
}

static size_t file_size(void)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return (size_t)st.st_size;
}

static char *read_file(size_t *n)
{
    struct pawl_arena arena = {0};
    struct pawl_str content;
    struct pawl_error err;
    assert_int_equal(pawl_file_read(path, 1 << 30, &arena, &content, &err), PAWL_OK);
    char *copy = malloc(content.len + 1);
    memcpy(copy, content.ptr, content.len);
    *n = content.len;
    pawl_arena_release(&arena);
    return copy;
}

static void write_file(const char *bytes, size_t n)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

/* --- tests --------------------------------------------------------------------------------------- */

static void test_a_journal_is_never_replaced(void **state)
{
    (void)state;
    struct pawl_journal *journal = create(NULL), *second;
    struct pawl_error err;
    json_t *header = json_pack("{s:s, s:i}", "run", "r1", "seed", 7);
    put_text(journal, "1", "paid for");
    assert_int_equal(pawl_journal_create(path, header, NULL, &second, &err), PAWL_EWORLD);
    assert_non_null(strstr(err.message, path));
    pawl_journal_close(journal);
    assert_int_equal(pawl_journal_create(path, header, NULL, &second, &err), PAWL_EWORLD);
    json_decref(header);
    journal = reopen(NULL);
    expect_text(journal, "1", "paid for");
    pawl_journal_close(journal);
}

static void test_finds_what_was_written(void **state)
{
    (void)state;
    struct pawl_journal *journal = create(NULL);
    struct pawl_recorded step;
    put_text(journal, "1", "one");
    put_text(journal, "2/0/1", "a \"quoted\" line\nwith \xC3\xA4");
    assert_false(pawl_journal_find(journal, "1", &step)); /* the frontier is where it was at open */
    pawl_journal_close(journal);
    journal = reopen(NULL);
    assert_int_equal(pawl_json_get_int(pawl_journal_header(journal), "seed", 0), 7);
    assert_int_equal(pawl_journal_totals(journal).n_steps, 2);
    assert_int_equal(pawl_journal_cost_below(journal, "2/0"), 3);
    assert_int_equal(pawl_journal_cost_below(journal, "2"), 3);
    assert_int_equal(pawl_journal_cost_below(journal, "20"), 0);
    assert_int_equal(pawl_journal_cost_below(journal, ""), 6);
    expect_text(journal, "1", "one");
    expect_text(journal, "2/0/1", "a \"quoted\" line\nwith \xC3\xA4");
    assert_false(pawl_journal_find(journal, "2/0", &step));
    assert_false(pawl_journal_find(journal, "2/0/2", &step));
    pawl_journal_close(journal);
}

static void test_a_second_process_is_refused(void **state)
{
    (void)state;
    struct pawl_journal *journal = create(NULL), *second;
    struct pawl_error err;
    assert_int_equal(pawl_journal_open(path, NULL, &second, &err), PAWL_EUSAGE);
    assert_non_null(strstr(err.message, "running"));
    pawl_journal_close(journal);
}

static void test_a_missing_journal_is_not_found(void **state)
{
    (void)state;
    struct pawl_journal *journal;
    struct pawl_error err;
    assert_int_equal(pawl_journal_open("/nonexistent/journal", NULL, &journal, &err),
                     PAWL_ENOTFOUND);
}

/* Cut the file at every byte of its last record: the rest stays, and writing goes on. */
static void test_a_torn_tail_is_cut_at_every_byte(void **state)
{
    (void)state;
    struct pawl_journal *journal = create(NULL);
    put_text(journal, "1", "stays");
    pawl_journal_close(journal);
    size_t whole = file_size(), n;
    journal = reopen(NULL);
    put_text(journal, "2", "torn");
    pawl_journal_close(journal);
    char *bytes = read_file(&n);
    for (size_t cut = whole; cut < n; cut++) {
        struct pawl_recorded step;
        write_file(bytes, cut);
        journal = reopen(NULL);
        expect_text(journal, "1", "stays");
        assert_false(pawl_journal_find(journal, "2", &step));
        put_text(journal, "2", "again");
        pawl_journal_close(journal);
        journal = reopen(NULL);
        expect_text(journal, "2", "again");
        pawl_journal_close(journal);
    }
    free(bytes);
}

/* Flip every bit of the file, one after the other. From the line feed before the last record on it is
 * a torn tail; before that, a violation that is reported; nowhere a wrong answer. */
static void test_every_bit_flip_is_noticed(void **state)
{
    (void)state;
    size_t n, before_last;
    struct pawl_journal *journal = create(NULL);
    put_text(journal, "1", "one");
    put_text(journal, "2", "two");
    pawl_journal_close(journal);
    before_last = file_size();
    journal = reopen(NULL);
    put_text(journal, "3", "three");
    pawl_journal_close(journal);
    char *bytes = read_file(&n);
    for (size_t bit = 0; bit < n * 8; bit++) {
        struct pawl_error err;
        struct pawl_recorded step;
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ (1 << (bit % 8)));
        write_file(bytes, n);
        enum pawl_status status = pawl_journal_open(path, NULL, &journal, &err);
        if (bit / 8 < before_last - 1) {
            assert_int_equal(status, PAWL_EINTEGRITY);
            assert_non_null(strstr(err.message, "damaged"));
        } else {
            assert_int_equal(status, PAWL_OK);
            expect_text(journal, "1", "one");
            if (bit / 8 >= before_last) expect_text(journal, "2", "two");
            assert_false(pawl_journal_find(journal, "3", &step));
            pawl_journal_close(journal);
        }
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ (1 << (bit % 8)));
    }
    free(bytes);
}

static void test_garbage_after_the_end_is_cut(void **state)
{
    (void)state;
    size_t n;
    struct pawl_journal *journal = create(NULL);
    put_text(journal, "1", "one");
    pawl_journal_close(journal);
    char *bytes = read_file(&n);
    bytes = realloc(bytes, n + 5000);
    for (size_t i = 0; i < 5000; i++) bytes[n + i] = i % 97 == 0 ? '\n' : (char)(i * 7);
    write_file(bytes, n + 5000);
    journal = reopen(NULL);
    expect_text(journal, "1", "one");
    pawl_journal_close(journal);
    assert_int_equal(file_size(), n);
    free(bytes);
}

static void test_what_is_no_journal_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "\n", "hello\n", "00000000 {}\n"};
    pawl_journal_close(create(NULL));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct pawl_journal *journal;
        struct pawl_error err;
        write_file(texts[i], strlen(texts[i]));
        assert_int_equal(pawl_journal_open(path, NULL, &journal, &err), PAWL_EINTEGRITY);
    }
}

static void test_money_adds_up(void **state)
{
    (void)state;
    struct pawl_journal *journal = create(NULL);
    struct pawl_error err;
    assert_int_equal(pawl_journal_money(journal, 5000, -1, &err), PAWL_OK);
    assert_int_equal(pawl_journal_money(journal, 3000, -1, &err), PAWL_OK);
    assert_int_equal(pawl_journal_money(journal, 5000, 1200, &err), PAWL_OK);
    pawl_journal_close(journal);
    journal = reopen(NULL);
    struct pawl_journal_totals totals = pawl_journal_totals(journal);
    assert_int_equal(totals.reserved_microusd, 8000);
    assert_int_equal(totals.settled_microusd, 5000);
    assert_int_equal(totals.spent_microusd, 1200);
    assert_int_equal(totals.n_steps, 0);
    pawl_journal_close(journal);
}

static void test_a_long_result_lies_in_the_store(void **state)
{
    (void)state;
    char store_dir[300];
    struct pawl_store *store;
    struct pawl_error err;
    snprintf(store_dir, sizeof store_dir, "%s/store", dir);
    if (pawl_store_open(store_dir, true, &store, &err) != PAWL_OK) fail_msg("%s", err.message);
    char *text = malloc(50001);
    memset(text, 'x', 50000);
    text[50000] = '\0';
    struct pawl_journal *journal = create(store);
    put_text(journal, "1", text);
    pawl_journal_close(journal);
    assert_true(file_size() < 1000);
    journal = reopen(store);
    expect_text(journal, "1", text);
    pawl_journal_close(journal);
    pawl_store_close(store);
    free(text);
}

/* A full disk, played by a limit on the size of files: a sentence, and nothing half written. */
static void write_until_full(void)
{
    struct rlimit limit = {4096, 4096};
    struct pawl_error err = {0};
    struct pawl_journal *journal = create(NULL);
    json_t *result = json_string("some result that takes its place");
    enum pawl_status status = PAWL_OK;
    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(2);
    for (int i = 1; status == PAWL_OK && i < 1000; i++) {
        char where[16];
        snprintf(where, sizeof where, "%d", i);
        status = put(journal, where, result, &err);
    }
    json_decref(result);
    bool said = strstr(err.message, "journal") != NULL && strstr(err.hint, "space") != NULL;
    pawl_journal_close(journal);
    _exit(status == PAWL_EWORLD && said ? 0 : 1);
}

static void test_a_full_disk_leaves_whole_lines(void **state)
{
    (void)state;
    int exit_status;
    size_t n;
    pid_t child = fork();
    if (child == 0) write_until_full();
    assert_int_equal(waitpid(child, &exit_status, 0), child);
    assert_int_equal(exit_status, 0);
    char *bytes = read_file(&n);
    assert_true(n > 3000 && n <= 4096);
    assert_int_equal(bytes[n - 1], '\n');
    free(bytes);
    struct pawl_journal *journal = reopen(NULL);
    assert_int_equal(file_size(), n);
    expect_text(journal, "1", "some result that takes its place");
    pawl_journal_close(journal);
}

static void test_100000_records(void **state)
{
    (void)state;
    enum { N = 100000 };
    char where[16];
    struct pawl_journal *journal = create(NULL);
    for (int i = 1; i <= N; i++) {
        snprintf(where, sizeof where, "%d", i);
        put_text(journal, where, where);
    }
    pawl_journal_close(journal);
    journal = reopen(NULL);
    assert_int_equal(pawl_journal_totals(journal).n_steps, N);
    for (int i = 1; i <= N; i += 997) {
        snprintf(where, sizeof where, "%d", i);
        expect_text(journal, where, where);
    }
    pawl_journal_close(journal);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_dir, remove_dir)
    const struct CMUnitTest tests[] = {
        TEST(test_a_journal_is_never_replaced),
        TEST(test_finds_what_was_written),
        TEST(test_a_second_process_is_refused),
        TEST(test_a_missing_journal_is_not_found),
        TEST(test_a_torn_tail_is_cut_at_every_byte),
        TEST(test_every_bit_flip_is_noticed),
        TEST(test_garbage_after_the_end_is_cut),
        TEST(test_what_is_no_journal_is_refused),
        TEST(test_money_adds_up),
        TEST(test_a_long_result_lies_in_the_store),
        TEST(test_a_full_disk_leaves_whole_lines),
        TEST(test_100000_records),
    };
    pawl_crypto_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
