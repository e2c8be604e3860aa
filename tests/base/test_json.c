/* json.h: strict reading, canonical writing (RFC 8785). */
#include "base/json.h"

#include <float.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { LIMIT = 1 << 20 };

static bool is_canonical(const char *text)
{
    struct pawl_buf scratch = PAWL_BUF(64);
    bool answer = pawl_json_is_canonical(pawl_str_of(text), &scratch);
    pawl_buf_release(&scratch);
    return answer;
}

static void assert_canonical(const char *text, const char *expected)
{
    json_t *value;
    struct pawl_error err;
    if (pawl_json_parse(pawl_str_of(text), LIMIT, &value, &err) != PAWL_OK)
        fail_msg("%s: %s", text, err.message);
    char *written = pawl_json_text(value);
    assert_string_equal(written, expected);
    assert_true(is_canonical(expected));
    assert_int_equal(is_canonical(text), strcmp(text, expected) == 0);
    free(written);
    json_decref(value);
}

static void assert_real(double value, const char *expected)
{
    struct pawl_buf out = PAWL_BUF(64);
    pawl_json_write_real(value, &out);
    assert_string_equal(pawl_buf_str(&out).ptr, expected);
    assert_true(is_canonical(expected));
    pawl_buf_release(&out);
}

static void assert_refused(struct pawl_str text, int line, int column)
{
    json_t *value = (json_t *)&value;
    struct pawl_error err;
    assert_int_equal(pawl_json_parse(text, LIMIT, &value, &err), PAWL_ECONFIG);
    assert_null(value);
    assert_int_equal(err.line, line);
    if (column) assert_int_equal(err.column, column);
    assert_true(err.message[0] && err.hint[0]);
    assert_int_equal(pawl_json_parse(text, LIMIT, &value, NULL), PAWL_ECONFIG);
    struct pawl_buf scratch = PAWL_BUF(64);
    assert_false(pawl_json_is_canonical(text, &scratch));
    pawl_buf_release(&scratch);
}

static void numbers_are_written_as_rfc_8785_says(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } vectors[] = {
        {0.0, "0"},
        {-0.0, "0"},
        {1, "1"},
        {-1.5, "-1.5"},
        {1e21, "1e+21"},
        {1e20, "100000000000000000000"},
        {123456789012345680000.0, "123456789012345680000"},
        {999999999999999900000.0, "999999999999999900000"},
        {295147905179352830000.0, "295147905179352830000"},
        {9007199254740992.0, "9007199254740992"},
        {9007199254740996.0, "9007199254740996"},
        {1e-6, "0.000001"},
        {1e-7, "1e-7"},
        {9.999999999999997e-7, "9.999999999999997e-7"},
        {0.002, "0.002"},
        {4.35, "4.35"},
        {4.50, "4.5"},
        {0.1, "0.1"},
        {0.30000000000000004, "0.30000000000000004"},
        {333333333.33333329, "333333333.3333333"},
        {333333333.3333332, "333333333.3333332"},
        {333333333.3333334, "333333333.3333334"},
        {1424953923781206.2, "1424953923781206.2"},
        {-0.0000033333333333333333, "-0.0000033333333333333333"},
        {5e-324, "5e-324"},
        {-5e-324, "-5e-324"},
        {DBL_MIN, "2.2250738585072014e-308"},
        {DBL_MAX, "1.7976931348623157e+308"},
        {0x1p-44, "5.684341886080802e-14"}, /* the nearest 16 digits end in 1 and read back wrong */
        {1e23, "1e+23"},
        {9.999999999999997e22, "9.999999999999997e+22"},
        {1.0000000000000001e23, "1.0000000000000001e+23"},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        assert_real(vectors[i].value, vectors[i].text);
}

/* Splitmix64: any generator will do to visit many bit patterns. */
static uint64_t mix(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

static void every_number_reads_back(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = mix(&seed);
        if (i % 4 == 1) bits &= 0xfff0000000000000; /* powers of two */
        if (i % 4 == 2) bits &= 0x800fffffffffffff; /* subnormal */
        double value;
        memcpy(&value, &bits, sizeof value);
        if (value - value != 0) continue;
        struct pawl_buf out = PAWL_BUF(64);
        pawl_json_write_real(value, &out);
        if (strtod(pawl_buf_str(&out).ptr, NULL) != value)
            fail_msg("%a became %s", value, pawl_buf_str(&out).ptr);
        pawl_buf_release(&out);
    }
}

static void values_are_canonical(void **state)
{
    (void)state;
    assert_canonical(" { \"b\" : [ 1.0 , true , null ] , \"a\" : { } } ",
                     "{\"a\":{},\"b\":[1,true,null]}");
    assert_canonical("9223372036854775807", "9223372036854775807");
    assert_canonical("-9223372036854775808", "-9223372036854775808");
    assert_canonical("1E2", "100");
    /* past 64 bits a number is a real, as it is in JavaScript */
    assert_canonical("[3e19,\"99999999999999999999\"]",
                     "[30000000000000000000,\"99999999999999999999\"]");
    assert_canonical("[30000000000000000000,1]", "[30000000000000000000,1]");
    assert_canonical("[9223372036854775808,-9223372036854775809]",
                     "[9223372036854776000,-9223372036854776000]");
    assert_canonical("\"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\\u007f\"",
                     "\"\xE2\x82\xAC$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\x7F\"");
    assert_canonical("\"\\b\\t\\n\\f\\r\"", "\"\\b\\t\\n\\f\\r\"");
}

/* The example of RFC 8785 3.2.3: a smiley (surrogates D83D DE00) comes before U+FB33. */
static void keys_are_sorted_by_utf_16(void **state)
{
    (void)state;
    assert_canonical("{\"\\u20ac\":1,\"\\r\":2,\"\\ufb33\":3,\"1\":4,\"\\ud83d\\ude00\":5,"
                     "\"\\u0080\":6,\"\\u00f6\":7}",
                     "{\"\\r\":2,\"1\":4,\"\xC2\x80\":6,\"\xC3\xB6\":7,\"\xE2\x82\xAC\":1,"
                     "\"\xF0\x9F\x98\x80\":5,\"\xEF\xAC\xB3\":3}");
    assert_canonical("{\"aa\":1,\"a\":2,\"\":3}", "{\"\":3,\"a\":2,\"aa\":1}");
}

/* Spelled otherwise than the writer would, or nothing at all. */
static void no_other_form_is_canonical(void **state)
{
    (void)state;
    static const char *const others[] = {
        "",
        " 1",
        "1 ",
        "-0",
        "01",
        "1.0",
        "1e2",
        "1E+21",
        "1e21",
        "0.10",
        "00.5",
        "0.0000001",
        "0.0000005",
        "-0.50",
        "1.5.2",
        "1.",
        ".5",
        "+1",
        "00",
        "-",
        "1.",
        "9007199254740993.0",
        "1e400",
        "[1, 2]",
        "[1,]",
        "{\"a\":1,\"a\":1}",
        "{\"b\":1,\"a\":1}",
        "{\"a\":1,}",
        "{\"\\\"\":1,\"!\":1}", /* U+0022 is after U+0021, though its backslash is not */
        "{\"\xEF\xAC\xB3\":1,\"\xF0\x9F\x98\x80\":1}", /* surrogates come first */
        "\"\\/\"",
        "\"\\u0041\"",
        "\"\\u000a\"",
        "\"\\u000F\"",
        "\"\\u0000\"",
        "\"\t\"",
        "\"\xC0\x80\"",
        "\"a",
        "tru",
        "nullx",
        "[",
        "{\"a\"}",
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (is_canonical(others[i])) fail_msg("%s passes for canonical", others[i]);
    assert_true(is_canonical("{\"!\":1,\"\\\"\":1}"));
    assert_true(is_canonical("\"\\u000f\""));
    assert_true(is_canonical("9007199254740993"));
    assert_true(is_canonical("0.000001") && is_canonical("-0.125") && is_canonical("123456.789"));
    assert_true(is_canonical("1e-7") && is_canonical("0.30000000000000004"));
    assert_false(is_canonical("0.300000000000000040"));
}

static void large_objects_are_sorted_too(void **state)
{
    (void)state;
    json_t *object = json_object();
    char key[8];
    for (int i = 99; i >= 10; i--) {
        snprintf(key, sizeof key, "k%d", i);
        pawl_json_set(object, key, json_integer(i));
    }
    char *text = pawl_json_text(object);
    assert_non_null(strstr(text, "{\"k10\":10,\"k11\":11,"));
    assert_non_null(strstr(text, "\"k98\":98,\"k99\":99}"));
    free(text);
    json_decref(object);
}

static void malformed_text_is_repaired_on_writing(void **state)
{
    (void)state;
    struct pawl_buf out = PAWL_BUF(256);
    pawl_json_write_string((struct pawl_str){"a\xFF\0\"\xE2\x82", 6}, &out);
    assert_string_equal(pawl_buf_str(&out).ptr, "\"a\xEF\xBF\xBD\xEF\xBF\xBD\\\""
                                                "\xEF\xBF\xBD\xEF\xBF\xBD\"");
    pawl_buf_release(&out);
    json_t *string = pawl_json_string((struct pawl_str){"a\xFF\0b", 4});
    assert_string_equal(json_string_value(string), "a\xEF\xBF\xBD\xEF\xBF\xBD"
                                                   "b");
    json_decref(string);
    string = pawl_json_string((struct pawl_str){0});
    assert_string_equal(json_string_value(string), "");
    json_decref(string);
}

static void bad_json_is_refused_with_its_place(void **state)
{
    (void)state;
    assert_refused(PAWL_STR(""), 1, 0);
    assert_refused(PAWL_STR("{\"a\":1,\n \"a\":2}"), 2, 0);
    assert_refused(PAWL_STR("{\"a\":1}\n{}"), 2, 0);
    assert_refused(PAWL_STR("[1,\n\n2,]"), 3, 0);
    assert_refused(PAWL_STR("\"\xFF\""), 1, 0);
    assert_refused(PAWL_STR("\"\xED\xA0\x80\""), 1, 0);
    assert_refused(PAWL_STR("\"a\0b\""), 1, 0);
    assert_refused(PAWL_STR("\"a\\u0000b\""), 1, 0);
    assert_refused(PAWL_STR("{\"\\u0000\":1}"), 1, 0);
    assert_refused(PAWL_STR("\"\\ud800\""), 1, 0);
    assert_refused(PAWL_STR("1e999"), 1, 0);
    assert_refused(PAWL_STR("-"), 1, 0);
    assert_refused(PAWL_STR("0099999999999999999999"), 1, 0);
    assert_refused(PAWL_STR("NaN"), 1, 0);
    assert_refused(PAWL_STR("01"), 1, 0);
    assert_refused((struct pawl_str){0}, 1, 0);
}

static void depth_has_a_limit(void **state)
{
    (void)state;
    char text[4 * PAWL_JSON_DEPTH_MAX];
    memset(text, '[', PAWL_JSON_DEPTH_MAX);
    memset(text + PAWL_JSON_DEPTH_MAX, ']', PAWL_JSON_DEPTH_MAX);
    json_t *value;
    assert_int_equal(
        pawl_json_parse((struct pawl_str){text, 2 * PAWL_JSON_DEPTH_MAX}, LIMIT, &value, NULL),
        PAWL_OK);
    json_decref(value);
    text[0] = '\n';
    memset(text + 1, '[', PAWL_JSON_DEPTH_MAX + 1);
    assert_refused((struct pawl_str){text, PAWL_JSON_DEPTH_MAX + 2}, 2, PAWL_JSON_DEPTH_MAX + 1);
    /* brackets in a string are text */
    memset(text, '[', sizeof text);
    text[0] = text[sizeof text - 1] = '"';
    assert_int_equal(pawl_json_parse((struct pawl_str){text, sizeof text}, LIMIT, &value, NULL),
                     PAWL_OK);
    json_decref(value);
}

static void size_has_a_limit(void **state)
{
    (void)state;
    json_t *value;
    struct pawl_error err;
    assert_int_equal(pawl_json_parse(PAWL_STR("[1,2]"), 4, &value, &err), PAWL_ETOOBIG);
    assert_int_equal(pawl_json_parse(PAWL_STR("[1,2]"), 5, &value, &err), PAWL_OK);
    json_decref(value);
}

static void members_are_read_with_a_default(void **state)
{
    (void)state;
    json_t *o;
    struct pawl_str text =
        PAWL_STR("{\"i\":7,\"r\":2.5,\"whole\":3.0,\"huge\":1e300,\"s\":\"x\",\"b\":true}");
    assert_int_equal(pawl_json_parse(text, LIMIT, &o, NULL), PAWL_OK);
    assert_int_equal(pawl_json_get_int(o, "i", -1), 7);
    assert_int_equal(pawl_json_get_int(o, "whole", -1), 3);
    assert_int_equal(pawl_json_get_int(o, "r", -1), -1);
    assert_int_equal(pawl_json_get_int(o, "huge", -1), -1);
    assert_int_equal(pawl_json_get_int(o, "s", -1), -1);
    assert_true(pawl_json_get_real(o, "i", -1) == 7.0);
    assert_true(pawl_json_get_real(o, "none", -1) == -1.0);
    assert_true(pawl_json_get_bool(o, "b", false));
    assert_false(pawl_json_get_bool(o, "i", false));
    assert_string_equal(pawl_json_get_text(o, "s", "d"), "x");
    assert_string_equal(pawl_json_get_text(o, "i", "d"), "d");
    assert_true(pawl_str_is(pawl_json_get_str(o, "s"), "x"));
    assert_null(pawl_json_get_str(o, "i").ptr);
    assert_null(pawl_json_get_str(NULL, "i").ptr);
    json_decref(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_written_as_rfc_8785_says),
        cmocka_unit_test(every_number_reads_back),
        cmocka_unit_test(values_are_canonical),
        cmocka_unit_test(keys_are_sorted_by_utf_16),
        cmocka_unit_test(no_other_form_is_canonical),
        cmocka_unit_test(large_objects_are_sorted_too),
        cmocka_unit_test(malformed_text_is_repaired_on_writing),
        cmocka_unit_test(bad_json_is_refused_with_its_place),
        cmocka_unit_test(depth_has_a_limit),
        cmocka_unit_test(size_has_a_limit),
        cmocka_unit_test(members_are_read_with_a_default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
