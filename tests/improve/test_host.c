/* The host: steps, branches and budgets, with operators that exist for these tests only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/run_rig.h"

#include "improve/host_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

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

/* --- a plain operator: seed, then a few drafts, with every kind of step ------------------------------ */

static enum pawl_status run_plain(struct pawl_host *host, const void *options,
                                  struct pawl_error *err)
{
    double scores[RIG_DEV], mean, best;
    uint32_t parent = 0;
    (void)options;
    PAWL_TRY(pawl_host_score_dev(host, 0, scores, &best, err));
    for (int round = 0; pawl_host_budget_left(host) > 0; round++) {
        struct pawl_arena step = {0};
        uint32_t cases[3], child;
        struct pawl_host_result results[3];
        struct pawl_host_prompt prompt = {
            .role = "reflect", .max_tokens = 50, .sample = (uint32_t)round};
        struct pawl_host_reply reply;
        for (int i = 0; i < 3; i++)
            cases[i] = (uint32_t)pawl_random_below(pawl_host_random(host), RIG_TRAIN);
        struct pawl_host_evaluation seen = {.candidate = parent,
                                            .tier = PAWL_HOST_TRAIN,
                                            .cases = cases,
                                            .n_cases = 3,
                                            .trace = true,
                                            .results = results};
        enum pawl_status status = pawl_host_evaluate(host, &step, &seen, 1, err);
        if (status == PAWL_OK) {
            assert_non_null(results[0].trace);
            assert_non_null(results[0].output);
            char *shown = json_dumps(results[0].trace, JSON_COMPACT); /* in the order of members */
            prompt.user = pawl_str_of(shown);
            status = pawl_host_complete(host, &step, &prompt, 1, &reply, err);
            free(shown);
        }
        if (status == PAWL_OK) {
            assert_false(reply.failed);
            struct pawl_host_edit edit = {"instruction", reply.text};
            status = pawl_host_draft(host, &parent, 1, &edit, 1, &child, err);
        }
        pawl_arena_release(&step);
        PAWL_TRY(status);
        PAWL_TRY(pawl_host_score_dev(host, child, scores, &mean, err));
        if (mean <= best) continue;
        best = mean;
        parent = child;
        PAWL_TRY(pawl_host_nominate(host, child, err));
    }
    return PAWL_OK;
}
static const struct pawl_operator plain = {
    .api = PAWL_OPERATOR_API, .name = "plain", .version = 1, .run = run_plain};

/* --- one with branches ---------------------------------------------------------------------------------- */

static enum pawl_status score_way(struct pawl_host *host, unsigned way, struct pawl_error *err)
{
    double scores[RIG_DEV], mean;
    uint32_t child;
    PAWL_TRY(draft_way(host, 0, way, &child, err));
    PAWL_TRY(pawl_host_score_dev(host, child, scores, &mean, err));
    return pawl_host_nominate(host, child, err);
}

static enum pawl_status inner_branch(struct pawl_host *host, size_t index, void *context,
                                     struct pawl_error *err)
{
    (void)context;
    return score_way(host, (unsigned)(pawl_random_below(pawl_host_random(host), 4) + index), err);
}

static enum pawl_status outer_branch(struct pawl_host *host, size_t index, void *context,
                                     struct pawl_error *err)
{
    PAWL_TRY(score_way(host, 20 + (unsigned)index, err));
    return pawl_host_parallel(host, 2, inner_branch, context, err);
}

static enum pawl_status run_parallel(struct pawl_host *host, const void *options,
                                     struct pawl_error *err)
{
    (void)options;
    for (;;) PAWL_TRY(pawl_host_parallel(host, 3, outer_branch, NULL, err));
}
static const struct pawl_operator parallel = {
    .api = PAWL_OPERATOR_API, .name = "parallel", .version = 1, .run = run_parallel};

static enum pawl_status run_async(struct pawl_host *host, const void *options,
                                  struct pawl_error *err)
{
    uint32_t ticket;
    (void)options;
    for (size_t i = 0; i < 4; i++)
        PAWL_TRY(pawl_host_submit(host, outer_branch, i, NULL, &ticket, err));
    for (size_t i = 4; i < 100; i++) {
        PAWL_TRY(pawl_host_next_done(host, &ticket, err));
        if (pawl_host_budget_left(host) < 3 * RIG_DEV) break;
        PAWL_TRY(pawl_host_submit(host, outer_branch, i, NULL, &ticket, err));
    }
    return PAWL_OK; /* what is still under way is waited for */
}
static const struct pawl_operator async = {
    .api = PAWL_OPERATOR_API, .name = "async", .version = 1, .run = run_async};

/* --- resume equals an uninterrupted run ---------------------------------------------------------------------- */

static void expect_equal(const struct rig_summary *a, const struct rig_summary *b, bool journal)
{
    if (a->status != b->status) fail_msg("%d, not %d: %s", b->status, a->status, b->error.message);
    assert_int_equal(a->result.state, b->result.state);
    assert_string_equal(a->candidates, b->candidates);
    assert_string_equal(a->result.best, b->result.best);
    assert_string_equal(a->result.offered, b->result.offered);
    assert_int_equal(a->result.evaluations, b->result.evaluations);
    assert_int_equal(a->result.usage.prompt_tokens, b->result.usage.prompt_tokens);
    assert_int_equal(a->result.usage.completion_tokens, b->result.usage.completion_tokens);
    if (journal) assert_string_equal(a->journal, b->journal);
}

/* Stop after every step k, go on, compare with the run that nobody stopped. */
static void check_resume(const struct pawl_operator *operator, bool journal)
{
    struct rig_summary whole = rig_run(&rig, "whole", operator);
    assert_int_equal(whole.status, PAWL_OK);
    assert_true(whole.n_steps > 10);
    for (size_t k = 1; k < whole.n_steps; k++) {
        rig.stop_after_steps = k;
        struct rig_summary part = rig_run(&rig, "part", operator);
        assert_int_equal(part.status, PAWL_EPAUSED);
        assert_int_equal(part.result.state, PAWL_RUN_PAUSED);
        rig.stop_after_steps = 0;
        struct rig_summary resumed = rig_run(&rig, "part", operator);
        assert_int_equal(resumed.result.resumed_steps, part.n_steps);
        expect_equal(&whole, &resumed, journal);
        rig_summary_release(&part);
        rig_summary_release(&resumed);
        rig_remove(&rig, "part");
    }
    rig_summary_release(&whole);
}

static void test_resume_of_a_plain_operator(void **state)
{
    (void)state;
    rig.budget = 300;
    check_resume(&plain, true);
}

/* Numbers of candidates depend on which branch drafts first, so journals may differ in them; what was
 * found may not. */
static void test_resume_of_branches(void **state)
{
    (void)state;
    rig.budget = 32 + 350;
    check_resume(&parallel, false);
}

/* Branches that are submitted end in an order that the world decides; resumed runs keep the recorded
 * part of it, and never more than the budget is spent. */
static void test_resume_of_submitted_branches(void **state)
{
    (void)state;
    rig.budget = 32 + 600;
    for (size_t k = 1; k < 40; k += 3) {
        atomic_store(&rig.n_evaluated, 0);
        rig.stop_after_steps = k;
        struct rig_summary part = rig_run(&rig, "part", &async);
        rig.stop_after_steps = 0;
        struct rig_summary resumed = rig_run(&rig, "part", &async);
        assert_int_equal(part.status, PAWL_EPAUSED);
        assert_int_equal(resumed.status, PAWL_OK);
        struct rig_summary again = rig_run(&rig, "part", &async);
        expect_equal(&resumed, &again, true);
        assert_int_equal(again.result.resumed_steps, resumed.n_steps);
        assert_true(atomic_load(&rig.n_evaluated) <= rig.budget);
        rig_summary_release(&part);
        rig_summary_release(&resumed);
        rig_summary_release(&again);
        rig_remove(&rig, "part");
    }
}

/* A crash leaves the journal torn anywhere. */
static void test_resume_after_a_crash_at_any_byte(void **state)
{
    (void)state;
    rig.budget = 200;
    struct rig_summary whole = rig_run(&rig, "whole", &plain);
    char *path = rig_path(&rig, "whole");
    FILE *file = fopen(path, "rb");
    char *bytes = malloc(1 << 20);
    size_t n = fread(bytes, 1, 1 << 20, file);
    fclose(file);
    size_t header = (size_t)(strchr(bytes, '\n') - bytes) + 1;
    for (int i = 0; i < 40; i++) {
        size_t cut = header + (n - header) * (size_t)i / 40;
        file = fopen(path, "wb");
        assert_int_equal(fwrite(bytes, 1, cut, file), cut);
        fclose(file);
        struct rig_summary resumed = rig_run(&rig, "whole", &plain);
        expect_equal(&whole, &resumed, true);
        rig_summary_release(&resumed);
    }
    rig_summary_release(&whole);
    free(bytes);
    free(path);
}

static void test_a_finished_run_repeats_without_work(void **state)
{
    (void)state;
    struct rig_summary first = rig_run(&rig, "run", &plain);
    int n_evaluated = atomic_load(&rig.n_evaluated), n_offers = atomic_load(&rig.n_offers);
    struct rig_summary second = rig_run(&rig, "run", &plain);
    expect_equal(&first, &second, true);
    assert_int_equal(atomic_load(&rig.n_evaluated), n_evaluated);
    assert_int_equal(atomic_load(&rig.n_offers), n_offers);
    rig_summary_release(&first);
    rig_summary_release(&second);
}

static void test_equal_runs_are_equal(void **state)
{
    (void)state;
    struct rig_summary a = rig_run(&rig, "a", &parallel);
    struct rig_summary b = rig_run(&rig, "b", &parallel);
    expect_equal(&a, &b, false);
    rig.seed = 2;
    struct rig_summary c = rig_run(&rig, "c", &parallel);
    assert_string_not_equal(a.candidates, c.candidates);
    rig_summary_release(&a);
    rig_summary_release(&b);
    rig_summary_release(&c);
}

/* --- budgets --------------------------------------------------------------------------------------------------- */

static void test_200_random_budgets_are_kept(void **state)
{
    static const struct pawl_operator *const operators[] = {&plain, &parallel, &async};
    struct pawl_random random;
    (void)state;
    pawl_random_init(&random, 77);
    for (int i = 0; i < 200; i++) {
        rig.budget = 33 + (int64_t)pawl_random_below(&random, 250);
        rig.stop_after_steps = 1 + pawl_random_below(&random, 20);
        rig.seed = (uint64_t)i;
        atomic_store(&rig.n_evaluated, 0);
        struct rig_summary part = rig_run(&rig, "part", operators[i % 3]);
        rig.stop_after_steps = 0;
        struct rig_summary resumed = rig_run(&rig, "part", operators[i % 3]);
        if (resumed.status != PAWL_OK) fail_msg("%s", resumed.error.message);
        assert_in_range(atomic_load(&rig.n_evaluated), 0, rig.budget);
        assert_in_range(resumed.result.evaluations, 0, rig.budget);
        rig_summary_release(&part);
        rig_summary_release(&resumed);
        rig_remove(&rig, "part");
    }
}

static void test_a_budget_too_small_to_choose_is_refused(void **state)
{
    (void)state;
    rig.budget = 4 * RIG_CHECK;
    struct rig_summary summary = rig_run(&rig, "run", &plain);
    assert_int_equal(summary.status, PAWL_EBUDGET);
    assert_non_null(strstr(summary.error.message, "too small"));
    rig_summary_release(&summary);
}

static int64_t five(const void *options, size_t n_train, size_t n_dev)
{
    (void)options;
    assert_int_equal(n_train, rig.train.n);
    assert_int_equal(n_dev, RIG_DEV - RIG_CHECK);
    return 5;
}

static void test_a_budget_below_the_smallest_search_is_refused(void **state)
{
    (void)state;
    struct pawl_operator modest = plain;
    modest.smallest = five;
    rig.budget = 4 * RIG_CHECK + 4;
    struct rig_summary summary = rig_run(&rig, "run", &modest);
    assert_int_equal(summary.status, PAWL_EBUDGET);
    char least[32];
    snprintf(least, sizeof least, "evaluations=%d", 4 * RIG_CHECK + 5);
    assert_non_null(strstr(summary.error.hint, least));
    rig_summary_release(&summary);
    rig.budget++;
    summary = rig_run(&rig, "run", &modest);
    assert_int_equal(summary.status, PAWL_OK);
    rig_summary_release(&summary);
}

static void test_a_budget_too_small_to_find_anything_says_so(void **state)
{
    (void)state;
    rig.budget = 4 * RIG_CHECK + 3;
    struct rig_summary summary = rig_run(&rig, "run", &plain);
    assert_int_equal(summary.status, PAWL_OK);
    assert_int_equal(summary.result.state, PAWL_RUN_BUDGET);
    assert_string_equal(summary.result.short_of, "evaluations");
    assert_string_equal(summary.result.offered, "");
    rig_summary_release(&summary);
}

static const char slow_script[] = "function complete(request)\n"
                                  "  if request.role ~= 'task' then\n"
                                  "    return 'Way ' .. math.floor(random(request) * 1000)\n"
                                  "  end\n"
                                  "  return {text = 'yes', delay_ms = 500}\n"
                                  "end\n";

/* The clock is read once per step and the reading recorded, so a repetition ends where the run did,
 * however fast it is. What was kept back for the choice at the end is still spent. */
static void test_minutes_end_a_run_once(void **state)
{
    (void)state;
    rig.budget = 100000;
    rig.minutes = 1;
    rig_set_script(&rig, slow_script);
    struct rig_summary first = rig_run(&rig, "run", &plain);
    assert_int_equal(first.status, PAWL_OK);
    assert_in_range(first.result.evaluations, 100, 400);
    struct rig_summary second = rig_run(&rig, "run", &plain);
    expect_equal(&first, &second, true);
    assert_non_null(strstr(first.journal, "{\"refused\":\"minutes\"}"));
    assert_string_equal(first.result.short_of, "minutes");
    assert_string_equal(second.result.short_of, "minutes");
    rig_summary_release(&first);
    rig_summary_release(&second);
}

static void test_money_ends_a_run_and_is_never_overspent(void **state)
{
    (void)state;
    rig.budget = 100000;
    rig.usd = 0.02;
    rig.price = 1;
    rig_set_script(&rig, rig_script);
    struct rig_summary first = rig_run(&rig, "run", &plain);
    if (first.status != PAWL_OK) fail_msg("%s", first.error.message);
    assert_true(first.result.usd > 0.001 && first.result.usd <= 0.02);
    assert_non_null(strstr(first.journal, "{\"refused\":\"usd\"}"));
    assert_string_equal(first.result.short_of, "usd");
    struct rig_summary second = rig_run(&rig, "run", &plain);
    expect_equal(&first, &second, true);
    assert_true(second.result.usd == first.result.usd);
    rig_summary_release(&first);
    rig_summary_release(&second);
}

/* --- rules ---------------------------------------------------------------------------------------------------------- */

static unsigned diverging_way;
static enum pawl_status run_diverging(struct pawl_host *host, const void *options,
                                      struct pawl_error *err)
{
    (void)options;
    PAWL_TRY(score_way(host, diverging_way, err));
    return score_way(host, 4, err);
}
static const struct pawl_operator diverging = {
    .api = PAWL_OPERATOR_API, .name = "diverging", .version = 1, .run = run_diverging};

static void test_other_arguments_than_recorded_diverge(void **state)
{
    (void)state;
    diverging_way = 1;
    struct rig_summary first = rig_run(&rig, "run", &diverging);
    diverging_way = 2;
    struct rig_summary second = rig_run(&rig, "run", &diverging);
    assert_int_equal(first.status, PAWL_OK);
    assert_int_equal(second.status, PAWL_EDIVERGED);
    assert_non_null(strstr(second.error.message, "Step 1"));
    assert_non_null(strstr(second.error.hint, "pawl improve --fork run"));
    rig_summary_release(&first);
    rig_summary_release(&second);
}

static bool stops_early;
static enum pawl_status run_shorter(struct pawl_host *host, const void *options,
                                    struct pawl_error *err)
{
    (void)options;
    PAWL_TRY(score_way(host, 1, err));
    return stops_early ? PAWL_OK : score_way(host, 4, err);
}
static const struct pawl_operator shorter = {
    .api = PAWL_OPERATOR_API, .name = "shorter", .version = 1, .run = run_shorter};

static void test_fewer_steps_than_recorded_diverge(void **state)
{
    (void)state;
    stops_early = false;
    struct rig_summary first = rig_run(&rig, "run", &shorter);
    stops_early = true;
    struct rig_summary second = rig_run(&rig, "run", &shorter);
    assert_int_equal(second.status, PAWL_EDIVERGED);
    rig_summary_release(&first);
    rig_summary_release(&second);
}

static enum pawl_status nest(struct pawl_host *host, size_t index, void *context,
                             struct pawl_error *err)
{
    (void)index;
    return pawl_host_parallel(host, 2, nest, context, err);
}
static enum pawl_status run_nesting(struct pawl_host *host, const void *options,
                                    struct pawl_error *err)
{
    (void)options;
    return nest(host, 0, NULL, err);
}
static const struct pawl_operator nesting = {
    .api = PAWL_OPERATOR_API, .name = "nesting", .version = 1, .run = run_nesting};

static void test_deep_nesting_is_refused(void **state)
{
    (void)state;
    struct rig_summary summary = rig_run(&rig, "run", &nesting);
    assert_int_equal(summary.status, PAWL_EUSAGE);
    assert_non_null(strstr(summary.error.message, "4 deep"));
    rig_summary_release(&summary);
}

static enum pawl_status run_careless(struct pawl_host *host, const void *options,
                                     struct pawl_error *err)
{
    (void)options;
    for (unsigned i = 0; i < 10; i++) {
        enum pawl_status ignored = score_way(host, i, err);
        (void)ignored;
    }
    return PAWL_OK;
}
static const struct pawl_operator careless = {
    .api = PAWL_OPERATOR_API, .name = "careless", .version = 1, .run = run_careless};

/* An operator that goes on after a failure does nothing more, and the failure is not lost. */
static void test_a_failure_cannot_be_ignored(void **state)
{
    (void)state;
    rig.stop_after_steps = 3;
    struct rig_summary summary = rig_run(&rig, "run", &careless);
    assert_int_equal(summary.status, PAWL_EPAUSED);
    assert_int_equal(summary.n_steps, 3);
    rig_summary_release(&summary);
}

/* --- the world ------------------------------------------------------------------------------------------------------ */

static const char dead_script[] = "function complete(request)\n"
                                  "  return {error = 'missing: 429 too many requests'}\n"
                                  "end\n";

static void test_a_dead_model_pauses_and_is_asked_again(void **state)
{
    (void)state;
    struct rig_summary whole = rig_run(&rig, "whole", &plain);
    rig.stop_after_steps = 7;
    struct rig_summary part = rig_run(&rig, "part", &plain);
    rig.stop_after_steps = 0;
    rig_set_script(&rig, dead_script);
    struct rig_summary dead = rig_run(&rig, "part", &plain);
    assert_int_equal(dead.status, PAWL_EPAUSED);
    assert_in_range(dead.n_steps, part.n_steps, whole.n_steps - 1);
    assert_true(dead.error.message[0] != '\0');
    rig_set_script(&rig, rig_script);
    struct rig_summary resumed = rig_run(&rig, "part", &plain);
    expect_equal(&whole, &resumed, true);
    rig_summary_release(&whole);
    rig_summary_release(&part);
    rig_summary_release(&dead);
    rig_summary_release(&resumed);
}

/* --- the end -------------------------------------------------------------------------------------------------------- */

static enum pawl_status run_naming(struct pawl_host *host, const void *options,
                                   struct pawl_error *err)
{
    (void)options;
    static const unsigned ways[] = {0, 10, 21, 32, 3}; /* skill .3, .8, .8, .8, .45 */
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) PAWL_TRY(score_way(host, ways[i], err));
    return PAWL_OK;
}
static const struct pawl_operator naming = {
    .api = PAWL_OPERATOR_API, .name = "naming", .version = 1, .run = run_naming};

static void test_the_winner_on_dev_check_is_offered_once(void **state)
{
    (void)state;
    rig.gate_says = true;
    struct rig_summary summary = rig_run(&rig, "run", &naming);
    assert_int_equal(summary.status, PAWL_OK);
    assert_int_equal(atomic_load(&rig.n_offers), 1);
    assert_true(summary.result.promoted);
    assert_string_equal(summary.result.offered, rig.offered);
    assert_string_equal(summary.result.best, rig.offered);
    /* 5 on the visible cases, 3 and the seed on the others */
    assert_int_equal(summary.result.evaluations, 5 * (RIG_DEV - RIG_CHECK) + 4 * RIG_CHECK);
    assert_string_not_equal(rig.behaviour, rig.offered); /* all of dev is known */
    rig_summary_release(&summary);
}

static void test_without_dev_check_all_of_dev_is_visible(void **state)
{
    (void)state;
    rig.dev_check = false;
    struct rig_summary summary = rig_run(&rig, "run", &naming);
    assert_int_equal(summary.result.evaluations, 5 * RIG_DEV);
    assert_int_equal(atomic_load(&rig.n_offers), 1);
    rig_summary_release(&summary);
}

static enum pawl_status run_naming_worse(struct pawl_host *host, const void *options,
                                         struct pawl_error *err)
{
    (void)options;
    return score_way(host, 0, err); /* the seed's skill is .55, this one's .3 */
}
static const struct pawl_operator naming_worse = {
    .api = PAWL_OPERATOR_API, .name = "naming_worse", .version = 1, .run = run_naming_worse};

static void test_nothing_worse_than_the_seed_is_offered(void **state)
{
    (void)state;
    struct rig_summary summary = rig_run(&rig, "run", &naming_worse);
    assert_int_equal(summary.status, PAWL_OK);
    assert_int_equal(atomic_load(&rig.n_offers), 0);
    assert_string_equal(summary.result.best, rig.start->hex);
    rig_summary_release(&summary);
}

/* --- modules ---------------------------------------------------------------------------------------------- */

static const struct pawl_host_component *find_component(struct pawl_host *host, const char *name)
{
    size_t n;
    const struct pawl_host_component *components = pawl_host_components(host, &n);
    for (size_t i = 0; i < n; i++)
        if (strcmp(components[i].name, name) == 0) return &components[i];
    fail_msg("no component %s", name);
    return NULL;
}

/* An operator that looks at the modules of a pipeline, and at what each did in a case. */
static enum pawl_status run_modular(struct pawl_host *host, const void *options,
                                    struct pawl_error *err)
{
    static const char *const names[] = {"read", "say"}, *const fields[] = {"right", "a"};
    const json_t *modules = json_object_get(pawl_host_fields(host), "modules");
    struct pawl_host_result result;
    uint32_t first = 0;
    struct pawl_host_evaluation seen = {
        .tier = PAWL_HOST_TRAIN, .cases = &first, .n_cases = 1, .trace = true, .results = &result};
    (void)options;
    PAWL_TRY(pawl_host_evaluate(host, pawl_host_arena(host), &seen, 1, err));
    assert_int_equal(json_array_size(modules), 2);
    assert_int_equal(json_array_size(result.trace), 2);
    for (size_t i = 0; i < 2; i++) {
        const json_t *module = json_array_get(modules, i), *entry = json_array_get(result.trace, i);
        assert_string_equal(pawl_json_get_text(module, "name", ""), names[i]);
        assert_string_equal(pawl_json_get_text(entry, "module", ""), names[i]);
        assert_non_null(json_object_get(json_object_get(entry, "output"), fields[i]));
        const char *keys[] = {"instruction", "demos", "calibration"};
        for (size_t k = 0; k < 3; k++) {
            const char *component = pawl_json_get_text(module, keys[k], "");
            assert_string_equal(find_component(host, component)->module, names[i]);
            assert_string_equal(find_component(host, component)->role, keys[k]);
        }
    }
    /* What the first gave, the second was given. */
    const json_t *given = json_object_get(json_array_get(result.trace, 1), "input");
    const json_t *gave = json_object_get(json_array_get(result.trace, 0), "output");
    assert_true(json_equal(given, gave));
    return PAWL_OK;
}
static const struct pawl_operator modular = {
    .api = PAWL_OPERATOR_API, .name = "modular", .version = 1, .run = run_modular};

static void test_modules_are_shown(void **state)
{
    (void)state;
    rig_set_pipeline(&rig);
    struct rig_summary summary = rig_run(&rig, "run", &modular);
    if (summary.status != PAWL_OK) fail_msg("%s", summary.error.message);
    rig_summary_release(&summary);
}

static enum pawl_status run_unnamed(struct pawl_host *host, const void *options,
                                    struct pawl_error *err)
{
    (void)options, (void)err;
    assert_null(find_component(host, "instruction")->module);
    return PAWL_OK;
}
static const struct pawl_operator unnamed = {
    .api = PAWL_OPERATOR_API, .name = "unnamed", .version = 1, .run = run_unnamed};

static void test_a_signature_has_no_named_module(void **state)
{
    (void)state;
    struct rig_summary summary = rig_run(&rig, "run", &unnamed);
    assert_int_equal(summary.status, PAWL_OK);
    rig_summary_release(&summary);
}

static void test_paths_are_ordered_as_numbers(void **state)
{
    (void)state;
    assert_true(pawl_path_before("2", "10"));
    assert_false(pawl_path_before("10", "2"));
    assert_true(pawl_path_before("3/1/2", "3/2/1"));
    assert_true(pawl_path_before("3", "3/1"));
    assert_false(pawl_path_before("3", "3"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_rig, close_rig)
    const struct CMUnitTest tests[] = {
        TEST(test_resume_of_a_plain_operator),
        TEST(test_resume_of_branches),
        TEST(test_resume_of_submitted_branches),
        TEST(test_resume_after_a_crash_at_any_byte),
        TEST(test_a_finished_run_repeats_without_work),
        TEST(test_equal_runs_are_equal),
        TEST(test_200_random_budgets_are_kept),
        TEST(test_a_budget_too_small_to_choose_is_refused),
        TEST(test_a_budget_below_the_smallest_search_is_refused),
        TEST(test_a_budget_too_small_to_find_anything_says_so),
        TEST(test_minutes_end_a_run_once),
        TEST(test_money_ends_a_run_and_is_never_overspent),
        TEST(test_other_arguments_than_recorded_diverge),
        TEST(test_fewer_steps_than_recorded_diverge),
        TEST(test_deep_nesting_is_refused),
        TEST(test_a_failure_cannot_be_ignored),
        TEST(test_a_dead_model_pauses_and_is_asked_again),
        TEST(test_the_winner_on_dev_check_is_offered_once),
        TEST(test_without_dev_check_all_of_dev_is_visible),
        TEST(test_nothing_worse_than_the_seed_is_offered),
        TEST(test_modules_are_shown),
        TEST(test_a_signature_has_no_named_module),
        TEST(test_paths_are_ordered_as_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
