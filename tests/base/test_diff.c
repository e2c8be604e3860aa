/* pawl_text_diff: known diffs, and the property that a diff applied to `before` gives `after`. */
#include "base/random.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { LIMIT = 1 << 22 };

static void assert_diff(const char *before, const char *after, const char *expected)
{
    struct pawl_buf out = PAWL_BUF(LIMIT);
    pawl_text_diff(pawl_str_of(before), pawl_str_of(after), "a", "b", &out);
    assert_string_equal(pawl_buf_str(&out).ptr, expected);
    pawl_buf_release(&out);
}

static void equal_texts_have_no_diff(void **state)
{
    (void)state;
    assert_diff("", "", "");
    assert_diff("a\nb\n", "a\nb\n", "");
}

/* Bodies as diff -u prints them. */
static void small_changes_are_shown_in_context(void **state)
{
    (void)state;
    assert_diff("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n",
                "--- a\n+++ b\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n");
    assert_diff("", "x\ny\n", "--- a\n+++ b\n@@ -0,0 +1,2 @@\n+x\n+y\n");
    assert_diff("x\n", "", "--- a\n+++ b\n@@ -1 +0,0 @@\n-x\n");
    assert_diff("x\n", "x\ny\n", "--- a\n+++ b\n@@ -1 +1,2 @@\n x\n+y\n");
}

static void a_missing_final_newline_is_shown(void **state)
{
    (void)state;
    assert_diff("a\nb", "a\nb\n",
                "--- a\n+++ b\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+b\n");
    assert_diff("a\nb", "c\nb",
                "--- a\n+++ b\n@@ -1,2 +1,2 @@\n-a\n+c\n b\n\\ No newline at end of file\n");
}

static void near_changes_share_a_hunk_and_far_ones_do_not(void **state)
{
    (void)state;
    assert_diff("a\n1\n2\n3\n4\n5\n6\nb\n", "A\n1\n2\n3\n4\n5\n6\nB\n",
                "--- a\n+++ b\n@@ -1,8 +1,8 @@\n-a\n+A\n 1\n 2\n 3\n 4\n 5\n 6\n-b\n+B\n");
    assert_diff("a\n1\n2\n3\n4\n5\n6\n7\nb\n", "A\n1\n2\n3\n4\n5\n6\n7\nB\n",
                "--- a\n+++ b\n@@ -1,4 +1,4 @@\n-a\n+A\n 1\n 2\n 3\n"
                "@@ -6,4 +6,4 @@\n 5\n 6\n 7\n-b\n+B\n");
}

static struct pawl_str next_line(struct pawl_str *rest)
{
    struct pawl_str line = {0};
    pawl_str_split(rest, '\n', &line);
    return line;
}

/* Copy lines of `before` to `out` until line `upto` (1-based) is the next one. */
static void copy_until(struct pawl_str *before, int *at, int upto, struct pawl_buf *out)
{
    for (; *at < upto && before->len > 0; (*at)++) {
        const char *start = before->ptr;
        next_line(before);
        pawl_buf_add_bytes(out, start, (size_t)(before->ptr - start));
    }
}

/* A patch program in the small: fails the test when context or deletions do not match. */
static void apply(struct pawl_str before, struct pawl_str diff, struct pawl_buf *out)
{
    int at = 1;
    next_line(&diff), next_line(&diff);
    while (diff.len > 0) {
        struct pawl_str line = next_line(&diff);
        int from, count = 1;
        if (sscanf(line.ptr, "@@ -%d,%d", &from, &count) >= 1) {
            copy_until(&before, &at, count == 0 ? from + 1 : from, out);
            continue;
        }
        struct pawl_str text = {line.ptr + 1, line.len - 1};
        if (*line.ptr == '\\') continue;
        if (*line.ptr != '+') {
            assert_true(pawl_str_eq(next_line(&before), text));
            at++;
        }
        if (*line.ptr == '-') continue;
        pawl_buf_add_str(out, text);
        if (!pawl_str_starts(diff, "\\ No newline")) pawl_buf_add(out, "\n");
    }
    copy_until(&before, &at, INT32_MAX, out);
}

static void assert_applies(struct pawl_str before, struct pawl_str after)
{
    struct pawl_buf diff = PAWL_BUF(LIMIT), patched = PAWL_BUF(LIMIT);
    pawl_text_diff(before, after, "a", "b", &diff);
    if (diff.len > 0)
        apply(before, pawl_buf_str(&diff), &patched);
    else
        pawl_buf_add_str(&patched, before);
    if (!pawl_str_eq(pawl_buf_str(&patched), after))
        fail_msg("before:\n" PAWL_STR_FMT "\nafter:\n" PAWL_STR_FMT "\ndiff:\n%s",
                 PAWL_STR_ARG(before), PAWL_STR_ARG(after), pawl_buf_str(&diff).ptr);
    pawl_buf_release(&diff);
    pawl_buf_release(&patched);
}

/* Lines from a small alphabet, so that texts share much and repeat themselves. */
static void write_text(struct pawl_random *random, uint64_t n, uint64_t letters,
                       struct pawl_buf *out)
{
    for (uint64_t i = 0; i < n; i++)
        pawl_buf_printf(out, "%llx\n", (unsigned long long)pawl_random_below(random, letters));
    if (pawl_random_below(random, 3) == 0) pawl_buf_add(out, "end");
}

static void a_diff_applied_gives_the_new_text(void **state)
{
    (void)state;
    struct pawl_random random;
    pawl_random_init(&random, 11);
    for (int i = 0; i < 3000; i++) {
        struct pawl_buf a = PAWL_BUF(LIMIT), b = PAWL_BUF(LIMIT);
        write_text(&random, pawl_random_below(&random, 30), 1 + pawl_random_below(&random, 6), &a);
        write_text(&random, pawl_random_below(&random, 30), 1 + pawl_random_below(&random, 6), &b);
        assert_applies(pawl_buf_str(&a), pawl_buf_str(&b));
        pawl_buf_release(&a);
        pawl_buf_release(&b);
    }
}

/* Past the cost limit the diff may be longer than need be, but it is still right, and not slow. */
static void large_unlike_texts_are_compared_in_bounded_time(void **state)
{
    (void)state;
    struct pawl_random random;
    pawl_random_init(&random, 12);
    struct pawl_buf a = PAWL_BUF(LIMIT), b = PAWL_BUF(LIMIT);
    write_text(&random, 5000, 3000, &a);
    write_text(&random, 5000, 3000, &b);
    assert_applies(pawl_buf_str(&a), pawl_buf_str(&b));
    pawl_buf_release(&a);
    pawl_buf_release(&b);
}

/* Length of a longest common subsequence of two texts of one-letter lines, by the book. */
static int common(const char *a, const char *b)
{
    if (!*a || !*b) return 0;
    if (*a == *b) return 2 + common(a + 2, b + 2);
    int skip_a = common(a + 2, b), skip_b = common(a, b + 2);
    return skip_a > skip_b ? skip_a : skip_b;
}

static void small_diffs_are_shortest(void **state)
{
    (void)state;
    struct pawl_random random;
    pawl_random_init(&random, 13);
    for (int i = 0; i < 300; i++) {
        char a[17] = "", b[17] = "";
        for (int j = 0; j < 8; j++) {
            snprintf(a + 2 * j, 3, "%c\n", 'a' + (int)pawl_random_below(&random, 3));
            snprintf(b + 2 * j, 3, "%c\n", 'a' + (int)pawl_random_below(&random, 3));
        }
        struct pawl_buf out = PAWL_BUF(LIMIT);
        pawl_text_diff(pawl_str_of(a), pawl_str_of(b), "", "", &out);
        int edits = 0;
        struct pawl_str rest = pawl_buf_str(&out), line;
        next_line(&rest), next_line(&rest);
        while (pawl_str_split(&rest, '\n', &line)) edits += *line.ptr == '+' || *line.ptr == '-';
        assert_int_equal(edits, 16 - common(a, b));
        pawl_buf_release(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_texts_have_no_diff),
        cmocka_unit_test(small_changes_are_shown_in_context),
        cmocka_unit_test(a_missing_final_newline_is_shown),
        cmocka_unit_test(near_changes_share_a_hunk_and_far_ones_do_not),
        cmocka_unit_test(a_diff_applied_gives_the_new_text),
        cmocka_unit_test(large_unlike_texts_are_compared_in_bounded_time),
        cmocka_unit_test(small_diffs_are_shortest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
