/* Lessons over a host in memory: what is learned, what is left out, what ages, and what it may cost. */
#include "operators/vectors.h"
#include "support/fake_host.h"

#include "operators/op_reflexion.c"
#include "operators/prompt.c"
#include "operators/reflexion_memory.h"

enum { N_TRAIN = 12, N_DEV = 20, MINIBATCH = 6 };

/* Of 20 dev cases the first four are right without a lesson. "GOOD k" makes those right whose number is k modulo
 * 5, "BAD" makes four wrong, any other lesson does nothing. Train cases fail until there are two good lessons. */
static void answer(struct pawl_host *host, const struct fake_question *question,
                   struct pawl_host_result *result)
{
    struct pawl_memory memory =
        pawl_memory_read(host->candidates[question->candidate].texts[1], &host->arena);
    unsigned at = question->train_or_dev_case, n_good = 0;
    bool right = at < 4, spoilt = false;
    for (size_t i = 0; i < memory.n; i++) {
        unsigned k = 0;
        char text[64];
        snprintf(text, sizeof text, PAWL_STR_FMT, PAWL_STR_ARG(memory.items[i].text));
        spoilt = spoilt || strcmp(text, "BAD") == 0;
        if (sscanf(text, "GOOD %u", &k) != 1) continue;
        n_good++;
        right = right || at % 5 == k;
    }
    if (question->tier == PAWL_HOST_TRAIN) right = n_good >= 2;
    result->score = right && !(spoilt && at % 5 == 4) && !(spoilt && at < 4);
    if (question->tier == PAWL_HOST_TRAIN) result->feedback = "The wanted one is TARGET.";
}

static const char *const lessons[] = {"GOOD 1", "useless", "BAD",  "GOOD 2",
                                      "GOOD 1", "",        "NONE", "GOOD 3"};

static void reply(struct pawl_host *host, const struct pawl_host_prompt *prompt,
                  struct pawl_host_reply *out, struct pawl_arena *step)
{
    (void)step;
    const bool *shows = host->context;
    assert_string_equal(prompt->role, "reflect");
    assert_int_equal(strstr(prompt->user.ptr, "TARGET") != NULL, *shows);
    assert_null(strstr(prompt->user.ptr, "{{"));
    out->text = pawl_str_of(lessons[(host->n_prompts - 1) % (sizeof lessons / sizeof *lessons)]);
}

static bool shown = true, hidden = false;

static void open_host(struct pawl_host *host, const char *memory, bool *shows)
{
    fake_host_init(host, &pawl_op_reflexion, 1);
    fake_host_add_component(host, "instruction", "instruction", "Do it.");
    fake_host_add_component(host, "lessons", "memory", memory);
    fake_host_set_train(host, N_TRAIN);
    for (size_t i = 0; i < N_TRAIN; i++) fake_host_set_case(host, i, "{'q':'a'}", "{'a':'b'}");
    host->n_dev = N_DEV;
    host->answer = answer;
    host->reply = reply;
    host->context = shows;
}

static void improve(struct pawl_host *host, const char *options)
{
    struct pawl_error err = {0};
    if (fake_host_run(host, options, &err) != PAWL_OK) fail_msg("%s", err.message);
}

/* The nominated one; NULL: none. */
static const struct fake_candidate *nominated(const struct pawl_host *host)
{
    const struct fake_candidate *found = NULL;
    for (uint32_t i = 0; i < host->n_candidates; i++)
        if (host->candidates[i].nominated) found = &host->candidates[i];
    return found;
}

static void test_keeps_the_lessons_that_dev_misses(void **state)
{
    (void)state;
    struct pawl_host host;
    open_host(&host, "[]", &shown);
    improve(&host, "{'rounds': 4, 'minibatch': 2}");
    const struct fake_candidate *best = nominated(&host);
    assert_non_null(best);
    assert_int_equal(host.n_nominated, 1);
    struct pawl_memory memory = pawl_memory_read(best->texts[1], &host.arena);
    assert_int_equal(memory.n,
                     2); /* what does nothing is gone, what harms never came in with others */
    assert_true(pawl_str_is(memory.items[0].text, "GOOD 1"));
    for (size_t i = 0; i < memory.n; i++) {
        assert_memory_equal(memory.items[i].from, "case-", 5);
        assert_true(memory.items[i].helped == 1 && memory.items[i].ttl == 3);
    }
    assert_true(pawl_str_is(best->texts[0], "Do it.")); /* nothing else is touched */
    fake_host_release(&host);
}

static void test_what_nobody_misses_goes_and_what_is_old_dies(void **state)
{
    (void)state;
    struct pawl_host host;
    open_host(&host,
              "[{\"text\":\"GOOD 1\",\"from\":\"x\",\"ttl\":2},{\"text\":\"GOOD 2\",\"ttl\":2},"
              "{\"text\":\"useless\",\"ttl\":9},{\"text\":\"GOOD 3\",\"ttl\":1}]",
              &shown);
    improve(&host, "{'ttl': 5}");
    assert_int_equal(host.n_prompts, 0); /* train has nothing to teach */
    struct pawl_memory memory = pawl_memory_read(nominated(&host)->texts[1], &host.arena);
    assert_int_equal(memory.n,
                     2); /* GOOD 3 helps, but its life was over; nobody misses "useless" */
    assert_true(pawl_str_is(memory.items[0].text, "GOOD 1"));
    assert_string_equal(memory.items[0].from, "x");
    assert_true(memory.items[0].ttl == 5 && memory.items[1].ttl == 5);
    fake_host_release(&host);
}

static void test_wanted_answers_may_be_withheld(void **state)
{
    (void)state;
    struct pawl_host host;
    open_host(&host, "[]", &hidden);
    improve(&host, "{'show_target': 'off'}");
    assert_true(host.n_prompts > 0);
    fake_host_release(&host);
}

static void test_budget_is_never_overrun(void **state)
{
    (void)state;
    for (int64_t budget = N_DEV; budget < 20 * N_DEV; budget += 7) {
        struct pawl_host host;
        struct pawl_error err = {0};
        open_host(&host, "[]", &shown);
        host.budget = budget;
        assert_int_equal(fake_host_run(&host, "{}", &err), PAWL_OK);
        assert_true(host.used <= budget);
        if (budget < 3 * N_DEV) assert_true(host.noted_short);
        fake_host_release(&host);
    }
}

static void test_stops_at_once(void **state)
{
    (void)state;
    for (size_t step = 1; step < 30; step++) {
        struct pawl_host host;
        struct pawl_error err = {0};
        open_host(&host, "[]", &shown);
        host.fail_after = step;
        host.fail_with = PAWL_EPAUSED;
        enum pawl_status status = fake_host_run(&host, "{}", &err);
        assert_true(status == PAWL_EPAUSED || host.n_steps <= step);
        assert_int_equal(host.n_after_failure, 0);
        fake_host_release(&host);
    }
}

static void test_needs_a_memory(void **state)
{
    (void)state;
    struct pawl_host host;
    struct pawl_error err = {0};
    open_host(&host, "[]", &shown);
    host.n_components = 1;
    assert_int_equal(fake_host_run(&host, "{}", &err), PAWL_ECONFIG);
    assert_non_null(strstr(err.hint, "lessons: on"));
    fake_host_release(&host);
}

static void test_a_memory_is_bounded(void **state)
{
    (void)state;
    struct pawl_arena arena = {0};
    struct pawl_memory memory = {.n = 0};
    for (int i = 0; i < 3; i++)
        assert_true(pawl_memory_add(&memory, pawl_str_of(pawl_arena_printf(&arena, "lesson %d", i)),
                                    "c", 5 - i, 3, &arena));
    assert_false(pawl_memory_add(&memory, PAWL_STR("lesson 1"), "c", 1, 3, &arena));
    assert_true(pawl_memory_add(&memory, PAWL_STR("new"), "c", 1, 3, &arena));
    assert_int_equal(memory.n, 3);
    assert_true(pawl_str_is(memory.items[0].text, "lesson 0")); /* the shortest life went */
    assert_true(pawl_str_is(memory.items[1].text, "lesson 1"));
    struct pawl_str text = pawl_memory_text(&memory, &arena);
    struct pawl_memory again = pawl_memory_read(text, &arena);
    assert_true(pawl_str_eq(text, pawl_memory_text(&again, &arena)));
    pawl_memory_age(&again);
    assert_int_equal(again.n, 2);
    /* What others wrote: no JSON, no list, no texts, texts twice, numbers that are none. */
    static const char *const odd[] = {
        "", "{", "7", "{\"text\":\"a\"}", "[1,{\"text\":2},[]]", "[{\"text\":\"\"}]"};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        assert_int_equal(pawl_memory_read(pawl_str_of(odd[i]), &arena).n, 0);
    memory = pawl_memory_read(
        PAWL_STR("[{\"text\":\"a\",\"ttl\":-3},{\"text\":\"a\"},{\"text\":\"b\",\"ttl\":1e99}]"),
        &arena);
    assert_int_equal(memory.n, 2);
    assert_int_equal(memory.items[0].ttl, 0);
    struct pawl_buf many = PAWL_BUF(1 << 16);
    for (int i = 0; i < 100; i++) pawl_buf_printf(&many, "%c{\"text\":\"t%d\"}", i ? ',' : '[', i);
    pawl_buf_add(&many, "]");
    assert_int_equal(pawl_memory_read(pawl_buf_str(&many), &arena).n, PAWL_MEMORY_ITEMS_MAX);
    pawl_buf_release(&many);
    pawl_arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keeps_the_lessons_that_dev_misses),
        cmocka_unit_test(test_what_nobody_misses_goes_and_what_is_old_dies),
        cmocka_unit_test(test_wanted_answers_may_be_withheld),
        cmocka_unit_test(test_budget_is_never_overrun),
        cmocka_unit_test(test_stops_at_once),
        cmocka_unit_test(test_needs_a_memory),
        cmocka_unit_test(test_a_memory_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
