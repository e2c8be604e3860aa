/* The host: batches of many candidates, and looks at a part of dev. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/run_rig.h"

#include "improve/host_internal.h"

#include <stdio.h>

/* The file that prepares is included, so that what it prepares can be counted. */
static int n_prepared;
static enum pawl_status count_prepare(struct pawl_program *program,
                                      const struct pawl_artifact *artifact, uint32_t replicate,
                                      struct pawl_instance **instance, struct pawl_error *err)
{
    n_prepared++;
    return pawl_program_prepare(program, artifact, replicate, instance, err);
}
#define pawl_program_prepare count_prepare
#include "improve/host_instances.c"
#undef pawl_program_prepare

static struct rig rig;

static int open_rig(void **state)
{
    (void)state;
    rig_open(&rig);
    return 0;
}

static int close_rig(void **state)
{
    (void)state;
    rig_close(&rig);
    return 0;
}

static enum pawl_status draft_way(struct pawl_host *host, uint32_t parent, unsigned way,
                                  uint32_t *child, struct pawl_error *err)
{
    char text[64];
    snprintf(text, sizeof text, "Answer the question, way %u.", way);
    struct pawl_host_edit edit = {"instruction", pawl_str_of(text)};
    return pawl_host_draft(host, &parent, 1, &edit, 1, child, err);
}

/* --- many candidates, and a part of dev ------------------------------------------------------------------ */

enum { CROWD = PAWL_INSTANCES_KEPT + 8 };

/* As simba asks: each case by one of many candidates, so that every one of them comes again and again. */
static enum pawl_status run_crowd(struct pawl_host *host, const void *options,
                                  struct pawl_error *err)
{
    uint32_t crowd[CROWD], first = 0;
    struct pawl_host_evaluation batch[3 * CROWD];
    struct pawl_host_result results[3 * CROWD];
    (void)options;
    for (unsigned i = 0; i < CROWD; i++) PAWL_TRY(draft_way(host, 0, i, &crowd[i], err));
    for (size_t i = 0; i < 3 * CROWD; i++)
        batch[i] = (struct pawl_host_evaluation){.candidate = crowd[i % CROWD],
                                                 .tier = PAWL_HOST_TRAIN,
                                                 .cases = &first,
                                                 .n_cases = 1,
                                                 .sample = (uint32_t)(i / CROWD),
                                                 .results = &results[i]};
    return pawl_host_evaluate(host, pawl_host_arena(host), batch, 3 * CROWD, err);
}
static const struct pawl_operator crowded = {
    .api = PAWL_OPERATOR_API, .name = "crowded", .version = 1, .run = run_crowd};

static void test_a_candidate_is_prepared_once_a_batch(void **state)
{
    (void)state;
    n_prepared = 0;
    struct rig_summary summary = rig_run(&rig, "run", &crowded);
    assert_int_equal(summary.status, PAWL_OK);
    assert_int_equal(summary.result.evaluations, 3 * CROWD);
    assert_int_equal(n_prepared, CROWD);
    rig_summary_release(&summary);
}

enum { PART = 6 /* of dev */ };

static enum pawl_status look_at_part(struct pawl_host *host, uint32_t candidate, size_t n,
                                     struct pawl_host_result *results, struct pawl_error *err)
{
    uint32_t cases[PART];
    struct pawl_host_evaluation seen = {.candidate = candidate,
                                        .tier = PAWL_HOST_DEV,
                                        .cases = cases,
                                        .n_cases = n,
                                        .results = results};
    for (uint32_t i = 0; i < n; i++) cases[i] = i;
    return pawl_host_evaluate(host, pawl_host_arena(host), &seen, 1, err);
}

static enum pawl_status run_partial(struct pawl_host *host, const void *options,
                                    struct pawl_error *err)
{
    struct pawl_host_result results[PART];
    (void)options;
    return look_at_part(host, 0, PART, results, err);
}
static const struct pawl_operator partial = {
    .api = PAWL_OPERATOR_API, .name = "partial", .version = 1, .run = run_partial};

static void test_a_start_that_fails_on_a_part_of_dev_is_stopped(void **state)
{
    (void)state;
    rig_set_script(&rig, "function complete(request) return 'neither' end\n");
    struct rig_summary summary = rig_run(&rig, "run", &partial);
    assert_int_equal(summary.status, PAWL_ECONFIG);
    assert_non_null(strstr(summary.error.message, "failed on all 6 dev cases"));
    rig_summary_release(&summary);
    rig.force = true;
    summary = rig_run(&rig, "forced", &partial);
    assert_int_equal(summary.status, PAWL_OK);
    rig_summary_release(&summary);
}

/* Always yes: right on one case that it is asked, and not on all of dev. */
static const char yes_script[] = "function complete(request) return 'yes' end\n";

static enum pawl_status run_lucky(struct pawl_host *host, const void *options,
                                  struct pawl_error *err)
{
    double scores[RIG_DEV], mean;
    struct pawl_host_result result;
    uint32_t child;
    (void)options;
    PAWL_TRY(pawl_host_score_dev(host, 0, scores, &mean, err));
    PAWL_TRY(draft_way(host, 0, 1, &child, err));
    PAWL_TRY(look_at_part(host, child, 1, &result, err));
    assert_true(result.score == 1 && mean < 1);
    return PAWL_OK;
}
static const struct pawl_operator lucky = {
    .api = PAWL_OPERATOR_API, .name = "lucky", .version = 1, .run = run_lucky};

static void test_the_best_on_dev_was_measured_like_the_start(void **state)
{
    (void)state;
    rig_set_script(&rig, yes_script);
    struct rig_summary summary = rig_run(&rig, "run", &lucky);
    assert_int_equal(summary.status, PAWL_OK);
    assert_true(summary.result.dev_seed < 1 && summary.result.dev_best == summary.result.dev_seed);
    assert_string_equal(summary.result.best, rig.start->hex);
    rig_summary_release(&summary);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_rig, close_rig)
    const struct CMUnitTest tests[] = {
        TEST(test_a_candidate_is_prepared_once_a_batch),
        TEST(test_a_start_that_fails_on_a_part_of_dev_is_stopped),
        TEST(test_the_best_on_dev_was_measured_like_the_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
