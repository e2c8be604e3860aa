/* The control arm over a host in memory; its source is included, so that it asks the fake one. */
#include "operators/vectors.h"
#include "support/fake_host.h"

#include "operators/roster.c"
#include "operators/op_placebo.c"

enum { N_DEV = 20 };

/* Every candidate is equally good, in other cases. */
static void answer(struct pawl_host *host, const struct fake_question *question,
                   struct pawl_host_result *result)
{
    char text[64];
    (void)host;
    assert_int_equal(question->tier, PAWL_HOST_DEV);
    snprintf(text, sizeof text, "%u %u", question->candidate, question->train_or_dev_case);
    result->score = pawl_random_of(PAWL_STR("noise"), pawl_str_of(text)) < 0.6;
}

static void reply(struct pawl_host *host, const struct pawl_host_prompt *prompt,
                  struct pawl_host_reply *out, struct pawl_arena *step)
{
    size_t n = host->n_prompts;
    const bool *useless = host->context;
    assert_string_equal(prompt->role, "reflect");
    bool first = strstr(prompt->user.ptr, "```\nOne.\n```") != NULL;
    assert_true(first != (strstr(prompt->user.ptr, "```\nTwo.\n```") != NULL));
    if (!*useless || n > 4) {
        out->text = pawl_str_of(pawl_arena_printf(step, "```\n%zu in other words\n```", n));
        return;
    }
    out->failed = n == 1;
    if (n == 2) out->text = PAWL_STR("``````");
    if (n == 3) out->text = first ? PAWL_STR("One.") : PAWL_STR("Two."); /* nothing new */
    if (n == 4) out->text = pawl_str_of(pawl_arena_printf(step, "%0500d", 1));
}

static void open_host(struct pawl_host *host, bool *useless, uint64_t seed)
{
    fake_host_init(host, &pawl_op_placebo, seed);
    fake_host_add_component(host, "demos", "demos", "[]");
    fake_host_add_component(host, "one", "source", "One.");
    fake_host_add_component(host, "two", "source", "Two.");
    host->n_dev = N_DEV;
    host->answer = answer;
    host->reply = reply;
    host->context = useless;
}

/* Nothing is screened by its score: all that were made are named, and each differs from the start in
 * one text. */
static void test_names_them_all(void **state)
{
    (void)state;
    bool useless = false;
    struct pawl_host host;
    struct pawl_error err = {0};
    size_t n_worse = 0;
    open_host(&host, &useless, 1);
    assert_int_equal(fake_host_run(&host, "{}", &err), PAWL_OK);
    assert_int_equal(host.n_candidates, 17);
    assert_int_equal(host.n_nominated, 16);
    for (uint32_t i = 1; i < host.n_candidates; i++) {
        const struct fake_candidate *c = &host.candidates[i];
        assert_true(c->nominated && c->scored);
        assert_true(pawl_str_is(c->texts[0], "[]"));
        assert_int_equal(pawl_str_is(c->texts[1], "One."), i % 2 == 0);
        assert_int_equal(pawl_str_is(c->texts[2], "Two."), i % 2 == 1);
        n_worse += c->mean < host.candidates[0].mean;
    }
    assert_true(n_worse > 0);
    assert_int_equal(host.used, 17 * N_DEV);
    fake_host_release(&host);
}

static void test_only_what_is_a_text(void **state)
{
    (void)state;
    bool useless = true;
    struct pawl_host host;
    struct pawl_error err = {0};
    open_host(&host, &useless, 1);
    assert_int_equal(fake_host_run(&host, "{'max_text_bytes':400}", &err), PAWL_OK);
    assert_int_equal(host.n_nominated, 12);
    fake_host_release(&host);
}

static void test_budget_is_never_overrun(void **state)
{
    (void)state;
    for (int64_t budget = 2 * N_DEV; budget < 20 * N_DEV; budget += 7) {
        bool useless = false;
        struct pawl_host host;
        struct pawl_error err = {0};
        open_host(&host, &useless, 1);
        host.budget = budget;
        assert_int_equal(fake_host_run(&host, "{}", &err), PAWL_OK);
        int64_t fit = budget / N_DEV < 17 ? budget / N_DEV : 17;
        assert_int_equal(host.used, fit * N_DEV);
        assert_int_equal(host.noted_short, fit < 17);
        assert_int_equal(host.n_prompts, fit - 1);
        fake_host_release(&host);
    }
}

static void test_stops_at_once(void **state)
{
    (void)state;
    for (size_t step = 1; step < 40; step++) {
        bool useless = false;
        struct pawl_host host;
        struct pawl_error err = {0};
        open_host(&host, &useless, 1);
        host.fail_after = step;
        host.fail_with = PAWL_EPAUSED;
        assert_int_equal(fake_host_run(&host, "{}", &err), PAWL_EPAUSED);
        assert_int_equal(host.n_after_failure, 0);
        fake_host_release(&host);
    }
}

static void test_refuses_what_it_cannot_reword(void **state)
{
    (void)state;
    bool useless = false;
    struct pawl_host host;
    struct pawl_error err = {0};
    open_host(&host, &useless, 1);
    host.n_components = 1;
    assert_int_equal(fake_host_run(&host, "{}", &err), PAWL_ECONFIG);
    fake_host_release(&host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_them_all),
        cmocka_unit_test(test_only_what_is_a_text),
        cmocka_unit_test(test_budget_is_never_overrun),
        cmocka_unit_test(test_stops_at_once),
        cmocka_unit_test(test_refuses_what_it_cannot_reword),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
