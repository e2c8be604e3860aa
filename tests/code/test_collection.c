/* A collection: what is added is found, by words and by vectors; a query is words and nothing else; a file
 * that is no collection is neither opened nor written over. */
#include "code/collection.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

static struct pawl_arena arena;
static char folder[] = "/tmp/pawl-collection.XXXXXX", path[64];

static const struct {
    const char *id, *title, *text;
    float vector[2];
} texts[] = {
    {"cats", "Animals", "A cat sleeps for most of the day.", {1, 0}},
    {"dogs", "Animals", "A dog barks at the postman.", {0.8f, 0.6f}},
    {"tax", "Money", "The tax is due in March; the office sleeps until then.", {0, 1}},
    {"umlaut",
     "Sprache",
     "Das M\xc3\xa4"
     "dchen l\xc3\xa4uft.",
     {-1, 0}},
};
enum { N_TEXTS = sizeof texts / sizeof *texts };

static void build(bool vectors)
{
    struct pawl_collection_builder *builder;
    struct pawl_error err = {0};
    if (pawl_collection_begin(path, vectors ? "toy" : NULL, vectors ? 2 : 0, &builder, &err) !=
        PAWL_OK)
        fail_msg("%s", err.message);
    for (size_t i = 0; i < N_TEXTS; i++) {
        struct pawl_passage passage = {pawl_str_of(texts[i].id), pawl_str_of(texts[i].title),
                                       pawl_str_of(texts[i].text)};
        if (pawl_collection_add(builder, &passage, vectors ? texts[i].vector : NULL, &err) !=
            PAWL_OK)
            fail_msg("%s", err.message);
    }
    if (pawl_collection_finish(builder, &err) != PAWL_OK) fail_msg("%s", err.message);
}

static struct pawl_collection *reopen(void)
{
    struct pawl_collection *collection;
    struct pawl_error err = {0};
    if (pawl_collection_open(path, &collection, &err) != PAWL_OK) fail_msg("%s", err.message);
    return collection;
}

/* The ids that are found, in order, joined by blanks. */
static const char *ids(struct pawl_collection *collection, const char *query, const float *vector,
                       size_t k)
{
    struct pawl_passage found[PAWL_FOUND_MAX];
    size_t n;
    struct pawl_error err = {0};
    if (pawl_collection_search(collection, pawl_str_of(query), vector, k, &arena, found, &n,
                               &err) != PAWL_OK)
        fail_msg("%s: %s", query, err.message);
    struct pawl_buf all = PAWL_BUF(4096);
    for (size_t i = 0; i < n; i++)
        pawl_buf_printf(&all, "%s" PAWL_STR_FMT, i > 0 ? " " : "", PAWL_STR_ARG(found[i].id));
    const char *joined = pawl_arena_copy(&arena, pawl_buf_str(&all)).ptr;
    pawl_buf_release(&all);
    return joined ? joined : "";
}

static void test_words(void **state)
{
    (void)state;
    build(false);
    struct pawl_collection *c = reopen();
    assert_int_equal(pawl_collection_size(c), N_TEXTS);
    assert_int_equal(pawl_collection_dimension(c), 0);
    assert_null(pawl_collection_model(c));
    assert_string_equal(ids(c, "barking postman", NULL, 5), "dogs"); /* by its stem */
    assert_string_equal(ids(c, "sleeping cats", NULL, 5), "cats tax");
    assert_string_equal(ids(c, "sleeping cats", NULL, 1), "cats");
    assert_string_equal(ids(c, "money", NULL, 5), "tax"); /* by its title */
    assert_string_equal(ids(c,
                            "M\xc3\xa4"
                            "dchen",
                            NULL, 5),
                        "umlaut");
    assert_string_equal(ids(c, "zebra", NULL, 5), "");
    assert_string_equal(ids(c, "", NULL, 5), "");
    assert_string_equal(ids(c, " ?! \n", NULL, 5), "");
    pawl_collection_close(c);
}

static void test_query_is_only_words(void **state)
{
    (void)state;
    build(false);
    struct pawl_collection *c = reopen();
    static const char *const tricks[] = {
        "text: barks",       "\"dog",  "dog*",          "NEAR(dog postman)", "dog AND nothing",
        "NOT dog",           "^dog",   "{title} : dog", "dog\" OR \"zebra",  "dog -- ; drop table",
        "dog\xff\xfe\xc3(x", "(((dog)"};
    for (size_t i = 0; i < sizeof tricks / sizeof *tricks; i++) {
        const char *found = ids(c, tricks[i], NULL, 5);
        if (strcmp(found, "dogs") != 0) fail_msg("%s finds \"%s\"", tricks[i], found);
    }
    /* Far more words than are looked for. */
    struct pawl_buf many = PAWL_BUF(1 << 20);
    pawl_buf_add(&many, "postman ");
    for (int i = 0; i < 20000; i++) pawl_buf_printf(&many, "w%d ", i);
    assert_string_equal(ids(c, pawl_buf_str(&many).ptr, NULL, 5), "dogs");
    pawl_buf_release(&many);
    pawl_collection_close(c);
}

static void test_words_and_vectors(void **state)
{
    (void)state;
    build(true);
    struct pawl_collection *c = reopen();
    assert_int_equal(pawl_collection_dimension(c), 2);
    assert_string_equal(pawl_collection_model(c), "toy");
    const float like_cats[2] = {1, 0}, like_tax[2] = {0, 1};
    /* No word fits: the order is that of the vectors. */
    assert_string_equal(ids(c, "zebra", like_cats, 3), "cats dogs tax");
    assert_string_equal(ids(c, "zebra", like_tax, 2), "tax dogs");
    /* 1/61 + 1/62 for dogs, 1/61 for cats: what both lists know is before what one puts first. */
    assert_string_equal(ids(c, "postman", like_cats, 2), "dogs cats");
    assert_string_equal(ids(c, "sleeping cats", NULL, 5), "cats tax");
    pawl_collection_close(c);
}

static void test_equal_ranks_keep_the_order(void **state)
{
    (void)state;
    build(true);
    struct pawl_collection *c = reopen();
    const float across[2] = {0, -1}; /* cats and umlaut are equally near: 0 */
    assert_string_equal(ids(c, "zebra", across, 4), "cats umlaut dogs tax");
    pawl_collection_close(c);
}

static void test_refusals(void **state)
{
    (void)state;
    struct pawl_collection_builder *builder;
    struct pawl_collection *c;
    struct pawl_error err = {0};
    build(false);
    assert_int_equal(pawl_collection_begin(path, NULL, 0, &builder, &err), PAWL_OK);
    struct pawl_passage passage = {PAWL_STR("a"), PAWL_STR(""), PAWL_STR("one")};
    assert_int_equal(pawl_collection_add(builder, &passage, NULL, &err), PAWL_OK);
    assert_int_equal(pawl_collection_add(builder, &passage, NULL, &err), PAWL_EUSAGE);
    assert_non_null(strstr(err.message, "the id a"));
    passage.id = PAWL_STR("b");
    passage.text = PAWL_STR(" \n ");
    assert_int_equal(pawl_collection_add(builder, &passage, NULL, &err), PAWL_EUSAGE);
    passage.text = PAWL_STR("two");
    assert_int_equal(pawl_collection_add(builder, &passage, NULL, &err), PAWL_OK);
    /* Until it is finished, what was there is there; given up, it stays. */
    c = reopen();
    assert_int_equal(pawl_collection_size(c), N_TEXTS);
    pawl_collection_close(c);
    pawl_collection_abandon(builder);
    c = reopen();
    assert_int_equal(pawl_collection_size(c), N_TEXTS);
    pawl_collection_close(c);
    /* After a refusal the rest is whole. */
    assert_int_equal(pawl_collection_begin(path, NULL, 0, &builder, &err), PAWL_OK);
    passage.id = PAWL_STR("a");
    assert_int_equal(pawl_collection_add(builder, &passage, NULL, &err), PAWL_OK);
    assert_int_equal(pawl_collection_add(builder, &passage, NULL, &err), PAWL_EUSAGE);
    assert_int_equal(pawl_collection_finish(builder, &err), PAWL_OK);
    c = reopen();
    assert_string_equal(ids(c, "two", NULL, 5), "a");
    pawl_collection_close(c);

    char other[96];
    snprintf(other, sizeof other, "%s/letter.txt", folder);
    FILE *letter = fopen(other, "w");
    fputs("Dear Sir,", letter);
    fclose(letter);
    assert_int_equal(pawl_collection_begin(other, NULL, 0, &builder, &err), PAWL_EUSAGE);
    assert_int_equal(pawl_collection_open(other, &c, &err), PAWL_ECONFIG);
    assert_non_null(strstr(err.hint, "pawl index"));
    (void)unlink(other);
    assert_int_equal(pawl_collection_open(other, &c, &err), PAWL_ENOTFOUND);
    snprintf(other, sizeof other, "%s/none/docs.db", folder);
    assert_int_equal(pawl_collection_begin(other, NULL, 0, &builder, &err), PAWL_EWORLD);
}

static int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL) return -1;
    snprintf(path, sizeof path, "%s/docs.db", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    (void)unlink(path);
    pawl_arena_release(&arena);
    return rmdir(folder); /* nothing else was left in it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_query_is_only_words),
        cmocka_unit_test(test_words_and_vectors),
        cmocka_unit_test(test_equal_ranks_keep_the_order),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
