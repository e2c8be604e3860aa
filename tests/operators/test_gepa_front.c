/* What the fronts of gepa are of: against a plain count over all candidates; and gepa on a real host with a
 * metric that names scores. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/run_rig.h"

#include "base/hash.h"
#include "operators/gepa_front.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const struct pawl_operator pawl_op_gepa;

/* --- against a plain count ---------------------------------------------------------------------------- */

enum { CANDIDATES = 9, CASES = 7, NAMES = 3 };
static const char *const names[NAMES] = {"content", "form", "tone"};
static const char *const frontiers[] = {"instance", "objective", "hybrid", "cartesian"};

struct table {
    double scores[CANDIDATES][CASES], named[CANDIDATES][CASES][NAMES], means[CANDIDATES];
    struct pawl_host_result results[CANDIDATES][CASES];
    json_t *kept;
};

static double draw_quarter(struct pawl_random *random)
{
    return (double)pawl_random_below(random, 5) / 4;
}

/* The last name is unknown to the candidates before `since`. */
static void fill_result(struct table *table, size_t i, size_t c, size_t since,
                        struct pawl_random *random)
{
    struct pawl_host_result *result = &table->results[i][c];
    json_t *named = json_object();
    json_array_append_new(table->kept, named);
    result->missing = pawl_random_below(random, 8) == 0;
    result->score = result->missing ? NAN : draw_quarter(random);
    table->scores[i][c] = result->score;
    for (size_t k = 0; k < NAMES; k++) {
        bool without =
            result->missing || pawl_random_below(random, 5) == 0 || (k == NAMES - 1 && i < since);
        table->named[i][c][k] = without ? NAN : draw_quarter(random);
        if (!without) pawl_json_set(named, names[k], json_real(table->named[i][c][k]));
    }
    result->named = json_object_size(named) > 0 ? named : NULL;
}

static void make_table(struct table *table, struct pawl_random *random)
{
    size_t since = (size_t)pawl_random_below(random, CANDIDATES);
    *table = (struct table){.kept = json_array()};
    for (size_t i = 0; i < CANDIDATES; i++) {
        double sum = 0, n = 0;
        for (size_t c = 0; c < CASES; c++) {
            fill_result(table, i, c, since, random);
            if (isnan(table->scores[i][c])) continue;
            sum += table->scores[i][c];
            n++;
        }
        table->means[i] = n > 0 ? sum / n : 0;
    }
}

/* What candidate i has in column `at` of all that could be: the cases, the names, and case by name. */
static double value_at(const struct table *table, size_t i, size_t at)
{
    double sum = 0, n = 0, n_named = 0;
    if (at < CASES) return table->scores[i][at];
    if (at >= CASES + NAMES)
        return table->named[i][(at - CASES - NAMES) / NAMES][(at - CASES - NAMES) % NAMES];
    for (size_t c = 0; c < CASES; c++) {
        double score = table->named[i][c][at - CASES];
        n += !isnan(table->scores[i][c]);
        if (isnan(score)) continue;
        sum += score;
        n_named++;
    }
    return n_named > 0 ? sum / n : NAN;
}

static size_t count_fronts(const struct table *table, const char *frontier, size_t i)
{
    bool hybrid = strcmp(frontier, "hybrid") == 0;
    size_t count = 0;
    for (size_t at = 0; at < CASES + NAMES + CASES * NAMES; at++) {
        const char *of = at < CASES ? "instance" : at < CASES + NAMES ? "objective" : "cartesian";
        double mine = value_at(table, i, at);
        bool best = !isnan(mine);
        if (strcmp(of, frontier) != 0 && !(hybrid && at < CASES + NAMES)) continue;
        for (size_t k = 0; k < CANDIDATES; k++) best = best && !(value_at(table, k, at) > mine);
        count += best;
    }
    return count;
}

static void test_fronts_of_every_kind(void **state)
{
    (void)state;
    struct pawl_random random;
    pawl_crypto_init();
    pawl_random_init(&random, 3);
    for (int round = 0; round < 400; round++) {
        struct table table;
        struct pawl_arena arena = {0};
        make_table(&table, &random);
        for (size_t f = 0; f < sizeof frontiers / sizeof *frontiers; f++) {
            struct pawl_fronts fronts;
            pawl_fronts_init(&fronts, frontiers[f], CASES, &arena);
            for (size_t i = 0; i < CANDIDATES; i++)
                pawl_fronts_add(&fronts, table.results[i], table.means[i]);
            for (uint32_t i = 0; i < CANDIDATES; i++)
                assert_int_equal(pawl_pareto_weight(&fronts.pareto, i),
                                 count_fronts(&table, frontiers[f], i));
        }
        json_decref(table.kept);
        pawl_arena_release(&arena);
    }
}

/* A candidate that fails where it would be named badly is not better for it. */
static void test_a_failure_is_no_gain(void **state)
{
    (void)state;
    struct pawl_fronts fronts;
    struct pawl_arena arena = {0};
    json_t *good = json_pack("{s:f}", "form", 1.0), *bad = json_pack("{s:f}", "form", 0.5);
    const struct pawl_host_result honest[2] = {{.score = 1, .named = good},
                                               {.score = 0.5, .named = bad}};
    const struct pawl_host_result failing[2] = {{.score = 1, .named = good}, {.score = 0}};
    pawl_fronts_init(&fronts, "objective", 2, &arena);
    pawl_fronts_add(&fronts, honest, 0.75);
    pawl_fronts_add(&fronts, failing, 0.5);
    assert_int_equal(pawl_pareto_weight(&fronts.pareto, 0), 1);
    assert_int_equal(pawl_pareto_weight(&fronts.pareto, 1), 0);
    json_decref(good);
    json_decref(bad);
    pawl_arena_release(&arena);
}

/* Names that a metric makes up without end make no fronts without end. */
static void test_names_have_an_end(void **state)
{
    (void)state;
    struct pawl_fronts fronts;
    struct pawl_arena arena = {0};
    pawl_fronts_init(&fronts, "objective", 1, &arena);
    for (int i = 0; i < 3 * PAWL_FRONT_NAMES_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%d", i);
        json_t *named = json_pack("{s:f}", name, 1.0);
        const struct pawl_host_result result = {.score = 1, .named = named};
        pawl_fronts_add(&fronts, &result, 1);
        json_decref(named);
    }
    assert_int_equal(fronts.n_names, PAWL_FRONT_NAMES_MAX);
    assert_int_equal(fronts.pareto.n_cases, PAWL_FRONT_NAMES_MAX);
    assert_int_equal(pawl_pareto_weight(&fronts.pareto, PAWL_FRONT_NAMES_MAX - 1), 1);
    assert_int_equal(pawl_pareto_weight(&fronts.pareto, PAWL_FRONT_NAMES_MAX), 0);
    pawl_arena_release(&arena);
}

/* --- on a real host ------------------------------------------------------------------------------------- */

static struct rig rig;

static int open_rig(void **state)
{
    (void)state;
    rig_open(&rig);
    rig.budget = 4 * RIG_CHECK + 160;
    return 0;
}

static int close_rig(void **state)
{
    (void)state;
    rig_close(&rig);
    return 0;
}

static const char naming_metric[] =
    "function score(call)\n"
    "  local right = call.output.a == call.target.a\n"
    "  return {score = right, scores = {right = right, bold = call.output.a == 'yes'}}\n"
    "end\n";

static void set_options(const char *text)
{
    json_decref((json_t *)(uintptr_t)rig.options);
    rig.options = text != NULL ? json_loads(text, 0, NULL) : NULL;
    assert_true(text == NULL || rig.options != NULL);
}

/* Random state, fronts, cursors and epochs after a kill are those of a run that nobody killed; what the metric
 * named is read from the journal. */
static void check_resume(const char *options)
{
    set_options(options);
    struct rig_summary whole = rig_run(&rig, "whole", &pawl_op_gepa);
    if (whole.status != PAWL_OK) fail_msg("%s: %s", options, whole.error.message);
    assert_non_null(strstr(whole.journal, "\"bold\""));
    assert_true(whole.n_steps > 10);
    for (size_t k = 1; k < whole.n_steps; k += 3) {
        rig.stop_after_steps = k;
        struct rig_summary part = rig_run(&rig, "part", &pawl_op_gepa);
        rig.stop_after_steps = 0;
        struct rig_summary resumed = rig_run(&rig, "part", &pawl_op_gepa);
        assert_int_equal(part.status, PAWL_EPAUSED);
        assert_int_equal(resumed.status, PAWL_OK);
        assert_string_equal(resumed.journal, whole.journal);
        assert_string_equal(resumed.candidates, whole.candidates);
        rig_summary_release(&part);
        rig_summary_release(&resumed);
        rig_remove(&rig, "part");
    }
    rig_summary_release(&whole);
    rig_remove(&rig, "whole");
    set_options(NULL);
}

static void test_resume_with_every_kind(void **state)
{
    (void)state;
    rig_set_metric(&rig, naming_metric);
    check_resume("{\"frontier\":\"objective\"}");
    check_resume("{\"frontier\":\"hybrid\",\"parent\":\"top_k\",\"component\":\"all\"}");
    check_resume("{\"frontier\":\"cartesian\",\"parent\":\"epsilon\",\"accept\":\"equal\"}");
    rig_set_pipeline(&rig);
    check_resume("{\"frontier\":\"hybrid\",\"merge\":\"on\",\"proposals\":2,\"minibatch\":2}");
}

static void test_a_metric_without_names_is_refused(void **state)
{
    (void)state;
    set_options("{\"frontier\":\"hybrid\"}");
    struct rig_summary summary = rig_run(&rig, "run", &pawl_op_gepa);
    assert_int_equal(summary.status, PAWL_ECONFIG);
    assert_non_null(strstr(summary.error.message, "named scores"));
    rig_summary_release(&summary);
    set_options(NULL);
}

/* Case 0 of train is not case 0 of dev (gepa's cache took one for the other): a child that is right on all of
 * train is worth on dev what dev says, and a start that is right on all of dev is wrong on train. */
static void test_train_is_never_taken_for_dev(void **state)
{
    (void)state;
    rig_set_script(&rig,
                   "function complete(request)\n"
                   "  if request.role ~= 'task' then\n"
                   "    return '```\\nway ' .. math.floor(random(request) * 1e6) .. '\\n```'\n"
                   "  end\n"
                   "  return request.messages[1].content:match('way') and 'yes' or 'no'\n"
                   "end\n");
    rig_set_metric(&rig, "function score(call)\n"
                         "  local changed = call.output.a == 'yes'\n"
                         "  if call.id:match('^dev') then return changed and 0.25 or 1 end\n"
                         "  return changed\n"
                         "end\n");
    struct rig_summary summary = rig_run(&rig, "run", &pawl_op_gepa);
    size_t n_start = 0, n_children = 0;
    if (summary.status != PAWL_OK) fail_msg("%s", summary.error.message);
    for (const char *line = summary.candidates; *line != '\0'; line = strchr(line, '\n') + 1) {
        double mean = strtod(strchr(line, ' '), NULL);
        if (mean == 1)
            n_start++;
        else if (mean == 0.25)
            n_children++;
        else
            fail_msg("a mean of %g on dev", mean);
    }
    assert_int_equal(n_start, 1);
    assert_true(n_children > 3);
    rig_summary_release(&summary);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fronts_of_every_kind),
        cmocka_unit_test(test_a_failure_is_no_gain),
        cmocka_unit_test(test_names_have_an_end),
        cmocka_unit_test_setup_teardown(test_resume_with_every_kind, open_rig, close_rig),
        cmocka_unit_test_setup_teardown(test_a_metric_without_names_is_refused, open_rig,
                                        close_rig),
        cmocka_unit_test_setup_teardown(test_train_is_never_taken_for_dev, open_rig, close_rig),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
