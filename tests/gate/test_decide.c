/* The production path: which unit, when it decides, what it refuses, what it writes down. */
#include "check.h"

#include "gate/decide.h"
#include "gate/paired.h"

#include "base/hash.h"

#include <string.h>

static const struct pawl_gate_plan single = {
    .level = 0.04, .pass_fail = true, .samples = 1, .largest_cluster = 1, .n_planned = 100};

static struct pawl_gate gate_of(struct pawl_gate_plan plan, struct pawl_arena *arena)
{
    struct pawl_gate gate;
    assert_int_equal(pawl_gate_init(&gate, &plan, arena, NULL), PAWL_OK);
    return gate;
}

static void feed(struct pawl_gate *gate, double candidate, double incumbent)
{
    assert_int_equal(pawl_gate_observe(gate, &candidate, &incumbent, 1, NULL), PAWL_OK);
}

/* The sign mixture only where one observation is one independent pass or fail. */
static void test_unit_rule(void **state)
{
    (void)state;
    struct pawl_gate_plan plan = single;
    assert_int_equal(pawl_gate_unit_of(&plan), PAWL_UNIT_SIGN);
    plan.samples = 2;
    assert_int_equal(pawl_gate_unit_of(&plan), PAWL_UNIT_GRID);
    plan = single;
    plan.largest_cluster = 2;
    assert_int_equal(pawl_gate_unit_of(&plan), PAWL_UNIT_GRID);
    plan = single;
    plan.pass_fail = false;
    assert_int_equal(pawl_gate_unit_of(&plan), PAWL_UNIT_GRID);
    plan = single;
    plan.m0 = -0.02;
    assert_int_equal(pawl_gate_unit_of(&plan), PAWL_UNIT_GRID);
}

/* At E >= 25 seven wins promote (255/8 = 31.9) and six do not (127/7 = 18.1). */
static void test_promotes_at_the_threshold(void **state)
{
    (void)state;
    struct pawl_gate gate = gate_of(single, NULL);
    check_near(pawl_gate_threshold(&gate), 25, 1e-12);
    for (int i = 0; i < 6; i++) feed(&gate, 1, 0);
    for (int i = 0; i < 20; i++) feed(&gate, i % 2, i % 2); /* ties of both kinds */
    assert_int_equal(gate.state, PAWL_GATE_OPEN);
    assert_false(pawl_gate_promotes(&gate));
    check_near(gate.log_e, log(127.0 / 7), 1e-12);
    feed(&gate, 1, 0);
    assert_int_equal(gate.state, PAWL_GATE_PROMOTE);
    assert_true(pawl_gate_promotes(&gate));
    check_near(gate.p, 8.0 / 255, 1e-12);

    struct pawl_gate_plan older = single;
    older.level = 0.05 * 6 / (M_PI * M_PI); /* 32.9: seven wins are not enough */
    gate = gate_of(older, NULL);
    for (int i = 0; i < 7; i++) feed(&gate, 1, 0);
    assert_int_equal(gate.state, PAWL_GATE_OPEN);
    feed(&gate, 1, 0);
    assert_int_equal(gate.state, PAWL_GATE_PROMOTE);
}

static void test_exhausted(void **state)
{
    (void)state;
    struct pawl_gate_plan plan = single;
    plan.n_planned = 6;
    struct pawl_gate gate = gate_of(plan, NULL);
    for (int i = 0; i < 6; i++) feed(&gate, 1, 0);
    assert_int_equal(gate.state, PAWL_GATE_EXHAUSTED);
    assert_false(pawl_gate_promotes(&gate));
}

/* 10 wins of 10 have p = 1/1024 long before the end; a fixed look does not look. */
static void test_fixed_look_waits(void **state)
{
    (void)state;
    struct pawl_gate_plan plan = single;
    plan.look = PAWL_LOOK_FIXED;
    plan.n_planned = 12;
    struct pawl_gate gate = gate_of(plan, NULL);
    for (int i = 0; i < 11; i++) {
        feed(&gate, i < 10, 0);
        assert_int_equal(gate.state, PAWL_GATE_OPEN);
        assert_true(isnan(gate.p));
    }
    feed(&gate, 0, 1);
    check_near(gate.p, 12.0 / 2048, 1e-15); /* 10 of 11 */
    assert_int_equal(gate.state, PAWL_GATE_PROMOTE);
}

/* The exact level of one planned McNemar look, by hand: with 5 cases only 5:0 has p <= 1/32. */
static void test_fixed_look_level(void **state)
{
    (void)state;
    struct pawl_gate_plan plan = single;
    plan.look = PAWL_LOOK_FIXED;
    plan.n_planned = 5;
    for (int pattern = 0; pattern < 32; pattern++)
        for (int strict = 0; strict < 2; strict++) {
            plan.level = strict ? 1.0 / 33 : 1.0 / 32;
            struct pawl_gate gate = gate_of(plan, NULL);
            for (int i = 0; i < 5; i++) feed(&gate, pattern >> i & 1, !(pattern >> i & 1));
            assert_int_equal(pawl_gate_promotes(&gate), pattern == 31 && !strict);
        }
}

/* Clusters go into the fixed look as sums, all signs of a cluster flipping together. */
static void test_fixed_look_of_clusters(void **state)
{
    (void)state;
    pawl_crypto_init();
    struct pawl_arena arena = {0};
    struct pawl_gate gate = gate_of((struct pawl_gate_plan){.look = PAWL_LOOK_FIXED,
                                                            .level = 0.04,
                                                            .samples = 3,
                                                            .largest_cluster = 4,
                                                            .n_planned = 8,
                                                            .seed = 9},
                                    &arena);
    double sums[8];
    for (size_t g = 0; g < 8; g++) {
        double candidate[4], incumbent[4];
        size_t n_cases = 1 + g % 4;
        sums[g] = 0;
        for (size_t i = 0; i < n_cases; i++) {
            candidate[i] = g == 5 ? 0.25 : 1 - 0.0625 * (double)g;
            incumbent[i] = 0.375;
            sums[g] += candidate[i] - incumbent[i];
        }
        assert_int_equal(gate.state, PAWL_GATE_OPEN);
        assert_int_equal(pawl_gate_observe(&gate, candidate, incumbent, n_cases, NULL), PAWL_OK);
    }
    struct pawl_random random;
    pawl_random_init(&random, 1);
    double want = pawl_signflip(sums, 8, &random, &arena).p_greater;
    check_near(gate.p, want, 0);
    assert_true(want < 0.04 && pawl_gate_promotes(&gate));
    pawl_arena_release(&arena);
}

static void check_refused_plan(struct pawl_gate_plan plan)
{
    struct pawl_gate gate;
    struct pawl_error err = {0};
    assert_int_equal(pawl_gate_init(&gate, &plan, NULL, &err), PAWL_ECONFIG);
    assert_true(strlen(err.message) > 10);
}

static void test_refuses_impossible_plans(void **state)
{
    (void)state;
    struct pawl_gate_plan plan = single;
    const double bad_levels[] = {0, -1, 1, 2, NAN, INFINITY};
    for (size_t i = 0; i < sizeof bad_levels / sizeof *bad_levels; i++) {
        plan.level = bad_levels[i];
        check_refused_plan(plan);
    }
    plan = single, plan.m0 = 1, check_refused_plan(plan);
    plan = single, plan.m0 = NAN, check_refused_plan(plan);
    plan = single, plan.n_planned = 0, check_refused_plan(plan);
    plan = single, plan.n_planned = SIZE_MAX, check_refused_plan(plan);
    plan = single, plan.samples = 0, check_refused_plan(plan);
    plan = single, plan.largest_cluster = 0, check_refused_plan(plan);
}

/* A refused cluster leaves no trace. */
static void check_refused(struct pawl_gate_plan plan, double candidate, double incumbent,
                          size_t n_cases)
{
    struct pawl_gate gate = gate_of(plan, NULL), before;
    memcpy(&before, &gate, sizeof before);
    struct pawl_error err = {0};
    double c[4] = {candidate, 0, 0, 0}, b[4] = {incumbent, 0, 0, 0};
    assert_int_equal(pawl_gate_observe(&gate, c, b, n_cases, &err), PAWL_ECONFIG);
    assert_true(strlen(err.message) > 10);
    assert_memory_equal(&gate, &before, sizeof gate);
}

static void test_refuses_impossible_scores(void **state)
{
    (void)state;
    struct pawl_gate_plan graded = single;
    graded.pass_fail = false;
    graded.largest_cluster = 2;
    check_refused(single, 0.5, 0, 1); /* sealed as pass/fail */
    check_refused(single, 0, 0.5, 1);
    const double bad[] = {-0.001, 1.001, NAN, INFINITY, -INFINITY, 1e300};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        check_refused(single, bad[i], 0, 1);
        check_refused(graded, bad[i], 0, 1);
        check_refused(graded, 0, bad[i], 2);
    }
    check_refused(single, 1, 0, 0);
    check_refused(single, 1, 0, 2);
    check_refused(graded, 1, 0, 3); /* larger than any cluster at seal */
}

static void test_evidence(void **state)
{
    (void)state;
    struct pawl_gate gate = gate_of(single, NULL);
    for (int i = 0; i < 7; i++) feed(&gate, 1, 0);
    json_t *e = pawl_gate_evidence_json(&gate);
    assert_string_equal(pawl_json_get_text(e, "verdict", ""), "promote");
    assert_string_equal(pawl_json_get_text(e, "unit", ""), "sign");
    assert_int_equal(pawl_json_get_int(e, "wins", -1), 7);
    assert_int_equal(pawl_json_get_int(e, "stopped_at", -1), 7);
    check_near(pawl_json_get_real(e, "log_e", 0), log(255.0 / 8), 1e-12);
    char *text = pawl_json_text(e);
    assert_non_null(text);
    free(text);
    json_decref(e);

    struct pawl_gate_plan fixed = single;
    fixed.look = PAWL_LOOK_FIXED;
    gate = gate_of(fixed, NULL);
    e = pawl_gate_evidence_json(&gate); /* nothing observed: no p and no E yet */
    assert_string_equal(pawl_json_get_text(e, "verdict", ""), "no");
    assert_null(json_object_get(e, "p"));
    assert_null(json_object_get(e, "log_e"));
    json_decref(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unit_rule),
        cmocka_unit_test(test_promotes_at_the_threshold),
        cmocka_unit_test(test_exhausted),
        cmocka_unit_test(test_fixed_look_waits),
        cmocka_unit_test(test_fixed_look_level),
        cmocka_unit_test(test_fixed_look_of_clusters),
        cmocka_unit_test(test_refuses_impossible_plans),
        cmocka_unit_test(test_refuses_impossible_scores),
        cmocka_unit_test(test_evidence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
