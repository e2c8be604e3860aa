/* One comparison of two score files: alignment, figures, and what it refuses. */
#include "check.h"

#include "gate/compare.h"
#include "gate/decide.h"
#include "gate/eprocess.h"
#include "gate/paired.h"

#include "base/hash.h"

#include <string.h>

enum { N = 60 };
struct files {
    struct pawl_arena arena;
    struct pawl_case_score a[N], b[N];
};
static const struct pawl_compare_plan plan = {.alpha = 0.05, .seed = 5};

static int set_up(void **state)
{
    pawl_crypto_init();
    struct files *f = calloc(1, sizeof *f);
    for (size_t i = 0; i < N; i++) {
        struct pawl_str id = pawl_str_of(pawl_arena_printf(&f->arena, "case-%zu", i));
        f->a[i] = (struct pawl_case_score){.id = id, .score = i < 30 || (i >= 48 && i < 54)};
        f->b[i] = (struct pawl_case_score){.id = id, .score = i < 48}; /* 18 wins, 6 losses */
    }
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct files *f = *state;
    pawl_arena_release(&f->arena);
    free(f);
    return 0;
}

static struct pawl_compare compare(struct files *f)
{
    struct pawl_compare out;
    struct pawl_error err = {0};
    if (pawl_compare(f->a, N, f->b, N, &plan, &f->arena, &out, &err)) fail_msg("%s", err.message);
    return out;
}

static void test_pass_fail(void **state)
{
    struct pawl_compare out = compare(*state);
    assert_int_equal(out.n, N);
    assert_int_equal(out.wins, 18);
    assert_int_equal(out.losses, 6);
    assert_int_equal(out.ties, 36);
    check_near(out.mean_a, 0.6, 1e-12);
    check_near(out.mean_b, 0.8, 1e-12);
    check_near(out.difference, 0.2, 1e-12);
    check_near(out.p_mcnemar, pawl_mcnemar(18, 6).p_two_sided, 0);
    check_near(out.p_signflip, out.p_mcnemar, 0);
    check_near(out.p_greater, 0.011327922344207764, 1e-15);
    check_near(out.log_e, pawl_sign_log_e(&(struct pawl_sign){18, 6, 36}), 0);
    assert_true(out.ci95.lo > 0 && out.ci95.lo < 0.2 && out.ci95.hi < 0.4);
    assert_true(out.promote);
}

/* Shuffled rows give the same bytes, also where signs are flipped at random. */
static void test_order_of_rows_changes_nothing(void **state)
{
    struct files *f = *state;
    for (size_t i = 0; i < N; i++) f->b[i].score = (double)(i * 37 % N) / N;
    struct pawl_compare out = compare(f);
    json_t *json = pawl_compare_json(&out);
    char *before = pawl_json_text(json);
    json_decref(json);
    assert_true(isnan(out.p_mcnemar));

    struct pawl_random random;
    pawl_random_init(&random, 8);
    for (size_t i = N; i > 1; i--) {
        size_t j = pawl_random_below(&random, i);
        struct pawl_case_score held = f->a[i - 1];
        f->a[i - 1] = f->a[j];
        f->a[j] = held;
    }
    out = compare(f);
    json = pawl_compare_json(&out);
    char *after = pawl_json_text(json);
    json_decref(json);
    assert_string_equal(before, after);
    free(before);
    free(after);
}

/* Pairs of identical cases hold half the evidence that they seem to. */
static void test_clusters_flip_whole(void **state)
{
    struct files *f = *state;
    struct pawl_compare apart = compare(f);
    for (size_t i = 0; i < N; i++)
        f->a[i].cluster = pawl_str_of(pawl_arena_printf(&f->arena, "doc %zu", i / 2));
    struct pawl_compare together = compare(f);
    assert_int_equal(together.n_clusters, N / 2);
    assert_true(isnan(together.p_mcnemar));
    check_near(together.p_greater, pawl_mcnemar(9, 3).p_greater, 1e-15);
    assert_true(together.p_greater > apart.p_greater && together.log_e < apart.log_e);
    assert_true(together.ci95.lo < apart.ci95.lo && together.ci95.hi > apart.ci95.hi);

    for (size_t i = 0; i < N; i++) f->a[i].cluster = pawl_str_of(i % 2 ? "odd" : "even");
    together = compare(f);
    assert_true(isnan(together.ci95.lo)); /* two clusters: no interval */
    json_t *json = pawl_compare_json(&together);
    assert_true(json_is_null(json_array_get(json_object_get(json, "ci95"), 0)));
    assert_true(json_is_null(json_object_get(json, "p_mcnemar")));
    json_decref(json);
}

/* The verdict is that of a gate with one planned look at the same scores. */
static void test_same_verdict_as_a_fixed_look(void **state)
{
    struct files *f = *state;
    for (size_t losses = 0; losses <= 18; losses++) {
        struct pawl_gate gate;
        struct pawl_gate_plan look = {.look = PAWL_LOOK_FIXED,
                                      .level = plan.alpha,
                                      .pass_fail = true,
                                      .samples = 1,
                                      .largest_cluster = 1,
                                      .n_planned = N};
        assert_int_equal(pawl_gate_init(&gate, &look, NULL, NULL), PAWL_OK);
        for (size_t i = 0; i < N; i++) {
            f->a[i].score = i < losses;
            f->b[i].score = i >= losses && i < losses + 12;
            assert_int_equal(pawl_gate_observe(&gate, &f->b[i].score, &f->a[i].score, 1, NULL),
                             PAWL_OK);
        }
        assert_int_equal(compare(f).promote, pawl_gate_promotes(&gate));
    }
}

static void check_refused(struct files *f, size_t n_a, size_t n_b, const char *word)
{
    struct pawl_compare out;
    struct pawl_error err = {0};
    assert_int_equal(pawl_compare(f->a, n_a, f->b, n_b, &plan, &f->arena, &out, &err),
                     PAWL_ECONFIG);
    if (!strstr(err.message, word)) fail_msg("\"%s\" does not say %s", err.message, word);
}

static void test_refusals(void **state)
{
    struct files *f = *state;
    check_refused(f, 0, N, "empty");
    check_refused(f, N, N - 1, "first file only");
    check_refused(f, N - 1, N, "second file only");
    struct pawl_str id = f->b[7].id;
    f->b[7].id = f->b[8].id;
    check_refused(f, N, N, "twice");
    f->b[7].id = id;
    const double bad[] = {-0.1, 1.1, NAN, INFINITY};
    for (size_t i = 0; i < 4; i++) {
        f->b[3].score = bad[i];
        check_refused(f, N, N, "between 0 and 1");
    }
    f->b[3].score = 1;
    f->a[2].cluster = PAWL_STR("x");
    f->b[2].cluster = PAWL_STR("y");
    check_refused(f, N, N, "another cluster");
    f->b[2].cluster = PAWL_STR("x");
    compare(f);

    char *long_id = pawl_arena_alloc(&f->arena, 100000, 1);
    memset(long_id, 'x', 99999);
    f->a[0].id = (struct pawl_str){long_id, 99999};
    check_refused(f, N, N, "only");
    struct pawl_compare out;
    struct pawl_compare_plan wrong = {.alpha = NAN};
    assert_int_equal(pawl_compare(f->a, N, f->b, N, &wrong, &f->arena, &out, NULL), PAWL_ECONFIG);
}

static void test_one_case(void **state)
{
    struct files *f = *state;
    struct pawl_compare out;
    assert_int_equal(pawl_compare(f->a, 1, f->b, 1, &plan, &f->arena, &out, NULL), PAWL_OK);
    assert_true(isnan(out.ci95.lo) && !out.promote && out.p_greater == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pass_fail, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_order_of_rows_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_clusters_flip_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_same_verdict_as_a_fixed_look, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_case, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
