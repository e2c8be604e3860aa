/* A person's files as passages: nothing is left out, nothing is read twice, and an error has its line. */
#include "code/passages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct pawl_buf seen = {.limit_bytes = 1 << 20};

static enum pawl_status note(void *context, const struct pawl_passage *passage,
                             struct pawl_error *err)
{
    (void)err;
    (void)context;
    pawl_buf_printf(&seen, "[" PAWL_STR_FMT "|" PAWL_STR_FMT "|" PAWL_STR_FMT "]",
                    PAWL_STR_ARG(passage->id), PAWL_STR_ARG(passage->title),
                    PAWL_STR_ARG(passage->text));
    return PAWL_OK;
}

static const char *passages(const char *name, const char *content)
{
    struct pawl_error err = {0};
    pawl_buf_reset(&seen);
    if (pawl_passages_read(name, pawl_str_of(content), note, NULL, &err) != PAWL_OK)
        fail_msg("%s:%d: %s", err.file, err.line, err.message);
    return seen.len ? pawl_buf_str(&seen).ptr : "";
}

static void refused(struct pawl_str content, const char *name, int line, const char *what)
{
    struct pawl_error err = {0};
    pawl_buf_reset(&seen);
    assert_int_equal(pawl_passages_read(name, content, note, NULL, &err), PAWL_EUSAGE);
    assert_string_equal(err.file, name);
    assert_int_equal(err.line, line);
    if (!strstr(err.message, what)) fail_msg("%s", err.message);
}

static void test_prose(void **state)
{
    (void)state;
    assert_string_equal(passages("a.md", ""), "");
    assert_string_equal(passages("a.md", "\n \n"), "");
    assert_string_equal(passages("a.md", "One\ntwo"), "[a.md#1||One\ntwo]");
    assert_string_equal(passages("a.txt", "One.\n\nTwo.\n\n\n"), "[a.txt#1||One.\n\nTwo.]");
    assert_string_equal(passages("a.md", "Before\n# First\n\nA\n## Second\nB\n\n# Third\n"),
                        "[a.md#1||Before][a.md#2|First|# First\n\nA][a.md#3|Second|## Second\nB]"
                        "[a.md#4|Third|# Third]");
    assert_string_equal(passages("a.md", "#hash\n####### seven\n"),
                        "[a.md#1||#hash\n####### seven]");
}

/* Paragraphs are joined while there is room, and a long one stays whole. */
static void test_prose_is_parted(void **state)
{
    (void)state;
    static char text[4 * PAWL_PROSE_BYTES + 64];
    size_t n = 0;
    for (size_t i = 0; i < 3; i++) {
        memset(text + n, 'a' + (int)i, PAWL_PROSE_BYTES / 2);
        n += PAWL_PROSE_BYTES / 2;
        text[n++] = '\n';
        text[n++] = '\n';
    }
    memset(text + n, 'z', 2 * PAWL_PROSE_BYTES);
    const char *found = passages("a.txt", text);
    size_t n_passages = 0;
    for (const char *c = found; *c; c++) n_passages += *c == '[';
    assert_int_equal(n_passages, 4);
    for (const char *letter = "abcz"; *letter; letter++) {
        size_t in = 0, out = 0;
        for (const char *c = text; *c; c++) in += *c == *letter;
        for (const char *c = found; *c; c++) out += *c == *letter;
        /* The name has an a each time. */
        assert_int_equal(out, in + (*letter == 'a' ? n_passages : 0));
    }
}

static void test_json_lines(void **state)
{
    (void)state;
    assert_string_equal(
        passages("d.jsonl", "{\"text\": \"One\"}\n\n{\"id\": \"x\", \"title\": \"T\", \"text\": "
                            "\"Two\", \"more\": 3}"),
        "[d.jsonl#1||One][x|T|Two]");
    refused(PAWL_STR("{\"text\": \"One\"}\n{\"txt\": 1}\n"), "d.jsonl", 2, "no \"text\"");
    refused(PAWL_STR("{\"text\": \"One\"}\n\n{\"text\": 1}\n"), "d.jsonl", 3, "is a text");
    refused(PAWL_STR("[]"), "d.jsonl", 1, "no \"text\"");
    refused(PAWL_STR("{\"text\": \"One\"}\n{"), "d.jsonl", 2, "");
}

static void test_bytes(void **state)
{
    (void)state;
    refused(PAWL_STR("One\ntwo\xff\n"), "a.md", 2, "UTF-8");
    refused(PAWL_STR("One\0two"), "a.md", 0, "NUL");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prose),
        cmocka_unit_test(test_prose_is_parted),
        cmocka_unit_test(test_json_lines),
        cmocka_unit_test(test_bytes),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pawl_buf_release(&seen);
    return failed;
}
