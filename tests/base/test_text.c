/* str.h and arena.h: views, bounded buffers, UTF-8, nearest words, memory by lifetime. */
#include "base/arena.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static void views_are_compared_and_cut(void **state)
{
    (void)state;
    assert_true(pawl_str_eq(PAWL_STR("ab"), (struct pawl_str){"abc", 2}));
    assert_true(pawl_str_eq((struct pawl_str){0}, PAWL_STR("")));
    assert_false(pawl_str_eq(PAWL_STR("ab"), PAWL_STR("ac")));
    assert_true(pawl_str_is(PAWL_STR("ab"), "ab"));
    assert_false(pawl_str_is(PAWL_STR("ab"), "abc"));
    assert_true(pawl_str_starts(PAWL_STR("abc"), "ab"));
    assert_false(pawl_str_starts(PAWL_STR("a"), "ab"));
    assert_true(pawl_str_is(pawl_str_trim(PAWL_STR(" \t\r\n a b \v\f")), "a b"));
    assert_int_equal(pawl_str_trim(PAWL_STR(" \n ")).len, 0);
}

static void a_text_is_split(void **state)
{
    (void)state;
    struct pawl_str rest = PAWL_STR("a\n\nbc\n"), part;
    assert_true(pawl_str_split(&rest, '\n', &part) && pawl_str_is(part, "a"));
    assert_true(pawl_str_split(&rest, '\n', &part) && pawl_str_is(part, ""));
    assert_true(pawl_str_split(&rest, '\n', &part) && pawl_str_is(part, "bc"));
    assert_false(pawl_str_split(&rest, '\n', &part));
    rest = PAWL_STR("last");
    assert_true(pawl_str_split(&rest, '\n', &part) && pawl_str_is(part, "last"));
    assert_false(pawl_str_split(&rest, '\n', &part));
    rest = (struct pawl_str){0};
    assert_false(pawl_str_split(&rest, '\n', &part));
}

static void a_buffer_never_grows_past_its_limit(void **state)
{
    (void)state;
    struct pawl_buf b = PAWL_BUF(5);
    pawl_buf_add(&b, "abc");
    pawl_buf_printf(&b, "%s", "def");
    assert_true(b.overflowed);
    assert_string_equal(b.data, "abc");
    pawl_buf_add(&b, "d"); /* would fit, but what is held stays a prefix */
    assert_string_equal(b.data, "abc");
    pawl_buf_reset(&b);
    assert_false(b.overflowed);
    pawl_buf_printf(&b, "%d", 12345);
    assert_false(b.overflowed);
    assert_string_equal(b.data, "12345");
    char *taken = pawl_buf_take(&b);
    assert_string_equal(taken, "12345");
    assert_int_equal(b.len, 0);
    assert_int_equal(b.limit_bytes, 5);
    free(taken);
    taken = pawl_buf_take(&b);
    assert_string_equal(taken, "");
    free(taken);
    pawl_buf_release(&b);
}

static void a_buffer_grows_up_to_its_limit(void **state)
{
    (void)state;
    struct pawl_buf b = PAWL_BUF(10000);
    for (int i = 0; i < 10000; i++) pawl_buf_add_bytes(&b, "x", 1);
    assert_false(b.overflowed);
    assert_int_equal(b.len, 10000);
    assert_true(b.capacity <= 10001);
    assert_int_equal(b.data[b.len], '\0');
    pawl_buf_add_bytes(&b, "x", 1);
    assert_true(b.overflowed);
    pawl_buf_release(&b);
    struct pawl_buf none = {0};
    pawl_buf_add(&none, "");
    assert_false(none.overflowed);
    pawl_buf_add(&none, "x");
    assert_true(none.overflowed);
    assert_string_equal(pawl_buf_str(&none).ptr, "");
}

static void utf8_is_checked(void **state)
{
    (void)state;
    static const char *const good[] = {"",
                                       "a",
                                       "\xC2\x80",
                                       "\xDF\xBF",
                                       "\xE0\xA0\x80",
                                       "\xED\x9F\xBF",
                                       "\xEE\x80\x80",
                                       "\xEF\xBF\xBF",
                                       "\xF0\x90\x80\x80",
                                       "\xF4\x8F\xBF\xBF"};
    static const struct {
        const char *text;
        size_t offset;
    } bad[] = {
        {"\x80", 0},
        {"a\xC0\x80", 1},
        {"\xC1\xBF", 0},
        {"\xE0\x9F\xBF", 0},
        {"ab\xED\xA0\x80", 2},
        {"\xF0\x8F\xBF\xBF", 0},
        {"\xF4\x90\x80\x80", 0},
        {"\xF5\x80\x80\x80", 0},
        {"x\xE2\x82", 1},
        {"\xC3", 0},
        {"\xE2\x28\xA1", 0},
        {"\xF0\x9F\x98", 0},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(pawl_utf8_is_valid(pawl_str_of(good[i]), NULL));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        size_t offset = 99;
        assert_false(pawl_utf8_is_valid(pawl_str_of(bad[i].text), &offset));
        assert_int_equal(offset, bad[i].offset);
    }
}

static void utf8_is_repaired_byte_by_byte(void **state)
{
    (void)state;
    struct pawl_buf b = PAWL_BUF(100);
    pawl_utf8_repair(PAWL_STR("a\xFF\xE2\x82z\xC3\xA9"), &b);
    assert_string_equal(b.data, "a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDz\xC3\xA9");
    assert_true(pawl_utf8_is_valid(pawl_buf_str(&b), NULL));
    pawl_buf_release(&b);
}

static void the_nearest_word_is_suggested(void **state)
{
    (void)state;
    static const char *const words[] = {"minibatch", "front", "merge", "key_env"};
    assert_string_equal(pawl_nearest_word("minibtach", words, 4), "minibatch");
    assert_string_equal(pawl_nearest_word("mini_batch", words, 4), "minibatch");
    assert_string_equal(pawl_nearest_word("Front", words, 4), "front");
    assert_string_equal(pawl_nearest_word("key-env", words, 4), "key_env");
    assert_string_equal(pawl_nearest_word("frnt", words, 4), "front");
    assert_null(pawl_nearest_word("temperature", words, 4));
    assert_null(pawl_nearest_word("", words, 4));
    assert_null(pawl_nearest_word("front", words, 0));
    char huge[4096];
    memset(huge, 'f', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    assert_null(pawl_nearest_word(huge, words, 4));
}

static void an_arena_hands_out_zeroed_aligned_memory(void **state)
{
    (void)state;
    struct pawl_arena arena = {0};
    for (int round = 0; round < 3; round++) {
        for (size_t n = 0; n < 3000; n += 7) {
            unsigned char *p = pawl_arena_alloc(&arena, n, 3);
            assert_int_equal((uintptr_t)p % 16, 0);
            for (size_t i = 0; i < 3 * n; i++) assert_int_equal(p[i], 0);
            memset(p, 0xAA, 3 * n);
        }
        assert_true(arena.used_bytes > 0);
        pawl_arena_reset(&arena);
        assert_int_equal(arena.used_bytes, 0);
    }
    pawl_arena_release(&arena);
    assert_null(arena.blocks);
}

static void an_arena_copies_text(void **state)
{
    (void)state;
    struct pawl_arena arena = {0};
    char *a = pawl_arena_strdup(&arena, "one");
    struct pawl_str b = pawl_arena_copy(&arena, (struct pawl_str){"x\0y", 3});
    struct pawl_str empty = pawl_arena_copy(&arena, (struct pawl_str){0});
    char *c = pawl_arena_printf(&arena, "%s-%0200d", a, 7);
    assert_string_equal(a, "one");
    assert_memory_equal(b.ptr, "x\0y", 4);
    assert_string_equal(empty.ptr, "");
    assert_int_equal(strlen(c), 204);
    pawl_arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views_are_compared_and_cut),
        cmocka_unit_test(a_text_is_split),
        cmocka_unit_test(a_buffer_never_grows_past_its_limit),
        cmocka_unit_test(a_buffer_grows_up_to_its_limit),
        cmocka_unit_test(utf8_is_checked),
        cmocka_unit_test(utf8_is_repaired_byte_by_byte),
        cmocka_unit_test(the_nearest_word_is_suggested),
        cmocka_unit_test(an_arena_hands_out_zeroed_aligned_memory),
        cmocka_unit_test(an_arena_copies_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
