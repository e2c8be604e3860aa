/* Prices from a table that its user keeps, in both forms; what is wrong with it is said. */
#include "lm/price_table.h"
#include "lm_fixture.h"

static const struct pawl_lm_price none = {-1, -1, -1, -1};

static enum pawl_status read_prices(const char *file, const char *text, struct pawl_lm_price *price,
                                    struct pawl_error *err)
{
    write_text(file, text);
    return pawl_price_table_read(path_of(file), "openai", "small", price, err);
}

static void test_our_form(void **unused)
{
    (void)unused;
    struct pawl_lm_price price = none;
    assert_int_equal(read_prices("p.yaml",
                                 "# mine\n"
                                 "small: {prompt: 0.25, completion: 2, cached: 0.025,\n"
                                 "        as_of: 2026-11-22, source: a page}\n",
                                 &price, NULL),
                     PAWL_OK);
    assert_true(price.price_prompt == 0.25 && price.price_completion == 2);
    assert_true(price.price_cached == 0.025 && price.price_cache_write == -1);
    price.price_prompt = 7; /* an option goes before the table */
    assert_int_equal(read_prices("p.yaml", "small: {prompt: 1}", &price, NULL), PAWL_OK);
    assert_true(price.price_prompt == 7);
}

static void test_litellms_form(void **unused)
{
    (void)unused;
    struct pawl_lm_price price = none;
    assert_int_equal(read_prices("p.json",
                                 "{\"openai/small\":{\"input_cost_per_token\":2.5e-7,"
                                 "\"output_cost_per_token\":2e-6,\"mode\":\"chat\","
                                 "\"cache_creation_input_token_cost\":3e-7}}",
                                 &price, NULL),
                     PAWL_OK);
    assert_true(price.price_prompt > 0.2499 && price.price_prompt < 0.2501);
    assert_true(price.price_completion > 1.999 && price.price_completion < 2.001);
    assert_true(price.price_cache_write > 0.299 && price.price_cache_write < 0.301);
}

static void test_what_is_wrong_is_said(void **unused)
{
    (void)unused;
    static const struct {
        const char *text, *message, *hint;
    } cases[] = {
        {"smal: {prompt: 1}", "no price for the model \"small\"", "Did you mean smal?"},
        {"{}", "no price for the model", "Add a line"},
        {"small: {promt: 1}", "no part \"promt\"", "prompt"},
        {"small: {prompt: free}", "not a number", ""},
        {"small: {prompt: -1}", "not a number", ""},
        {"small: {prompt: 1}", "not both", ""},
        {"- 1", "map", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pawl_lm_price price = none;
        struct pawl_error err = {0};
        assert_int_equal(read_prices("p.yaml", cases[i].text, &price, &err), PAWL_ECONFIG);
        assert_string_equal(err.field, "prices");
        if (!strstr(err.message, cases[i].message)) fail_msg("%s", err.message);
        if (!strstr(err.hint, cases[i].hint)) fail_msg("%s", err.hint);
    }
}

static void test_a_model_takes_them(void **unused)
{
    (void)unused;
    write_text("p.yaml", "small: {prompt: 1, completion: 10}");
    struct pawl_lm *lm = must_open((struct pawl_lm_settings){0},
                                   "{\"m\":{\"backend\":\"openai\",\"model\":\"small\","
                                   "\"base_url\":\"http://127.0.0.1:1\",\"prices\":\"p.yaml\"}}");
    const struct pawl_lm_request r = request_of("hello");
    assert_int_equal(pawl_lm_worst_cost(lm, &r), 5 + 32 + 64 * 10);
    pawl_lm_close(lm);
    struct pawl_error err = {0};
    assert_int_equal(open_lm((struct pawl_lm_settings){0},
                             "{\"m\":{\"backend\":\"openai\",\"model\":\"large\","
                             "\"base_url\":\"http://127.0.0.1:1\",\"prices\":\"p.yaml\"}}",
                             NULL, &lm, &err),
                     PAWL_ECONFIG);
    assert_string_equal(err.field, "models.m.prices");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_our_form),
        TEST(test_litellms_form),
        TEST(test_what_is_wrong_is_said),
        TEST(test_a_model_takes_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
