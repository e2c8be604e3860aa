/* hash.h and random.h: published vectors, Merkle trees, a hash chain, streams that split by name. */
#include "base/arena.h"
#include "base/hash.h"
#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static void assert_hash(struct pawl_hash hash, const char *expected)
{
    char hex[PAWL_HASH_HEX];
    pawl_hash_hex(&hash, hex);
    assert_string_equal(hex, expected);
}

static void sha256_gives_the_published_values(void **state)
{
    (void)state;
    const char *abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_hash(pawl_hash_str(PAWL_STR("abc")), abc);
    assert_hash(pawl_hash_bytes(NULL, 0),
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    struct pawl_hasher hasher;
    pawl_hasher_init(&hasher);
    pawl_hasher_add(&hasher, "a", 1);
    pawl_hasher_add(&hasher, "bc", 2);
    assert_hash(pawl_hasher_final(&hasher), abc);
}

static void a_structure_is_hashed_in_its_canonical_form(void **state)
{
    (void)state;
    json_t *value;
    assert_int_equal(pawl_json_parse(PAWL_STR("{ \"b\": 1.0, \"a\": \"x\" }"), 100, &value, NULL),
                     PAWL_OK);
    struct pawl_hash a = pawl_hash_json(value);
    struct pawl_hash b = pawl_hash_str(PAWL_STR("{\"a\":\"x\",\"b\":1}"));
    assert_true(pawl_hash_eq(&a, &b));
    b.bytes[31] ^= 1;
    assert_false(pawl_hash_eq(&a, &b));
    json_decref(value);
}

/* HMAC-SHA-256 of RFC 4231 uses keys of other lengths than 32; this value is Python's hmac. */
static void keyed_hashes_and_derived_keys_differ_by_key_and_purpose(void **state)
{
    (void)state;
    unsigned char key[32] = {0}, order[32], seal[32];
    assert_hash(pawl_hash_keyed(key, PAWL_STR("")),
                "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
    pawl_key_derive(key, "order", order);
    pawl_key_derive(key, "seal", seal);
    assert_memory_not_equal(order, seal, 32);
    struct pawl_hash same = pawl_hash_keyed(key, PAWL_STR("order"));
    assert_memory_equal(order, same.bytes, 32);
}

static void hex_goes_both_ways_and_is_strict(void **state)
{
    (void)state;
    struct pawl_hash hash = pawl_hash_str(PAWL_STR("x")), back;
    char hex[PAWL_HASH_HEX];
    pawl_hash_hex(&hash, hex);
    assert_true(pawl_hash_from_hex(pawl_str_of(hex), &back));
    assert_true(pawl_hash_eq(&hash, &back));
    assert_false(pawl_hash_from_hex((struct pawl_str){hex, 63}, &back));
    hex[5] = 'G';
    assert_false(pawl_hash_from_hex(pawl_str_of(hex), &back));
    hex[5] = 'A';
    assert_false(pawl_hash_from_hex(pawl_str_of(hex), &back));
}

/* The leaves of the reference tests of certificate transparency. */
static void merkle_roots_are_those_of_rfc_6962(void **state)
{
    (void)state;
    static const struct pawl_str leaves[] = {
        {"", 0},
        {"\x00", 1},
        {"\x10", 1},
        {"\x20\x21", 2},
        {"\x30\x31", 2},
        {"\x40\x41\x42\x43", 4},
        {"\x50\x51\x52\x53\x54\x55\x56\x57", 8},
        {"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f", 16},
    };
    static const struct {
        size_t n;
        const char *root;
    } vectors[] = {
        {0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"},
        {2, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"},
        {3, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"},
        {7, "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"},
        {8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        assert_hash(pawl_merkle_root(leaves, vectors[i].n), vectors[i].root);
}

/* h_i = SHA-256(hex(h_{i-1}) LF canonical record): the ledger's chain. */
static void a_hash_chain_can_be_recomputed(void **state)
{
    (void)state;
    static const char *const records[] = {"{\"seq\":0,\"kind\":\"init\"}",
                                          "{\"seq\":1,\"kind\":\"eval\"}",
                                          "{\"seq\":2,\"kind\":\"promote\"}"};
    static const char *const hashes[] = {
        "79a0931083126d466d9e51c9f4929155b7799b1ef1ecd807f2ca3a41204beafd",
        "65348a4bbf409d97f6a781d0315d17f007256468d8c78c9c62f72cbf8f8f7f76",
        "da8d48ebc77439d26e04d50b6488a886350276178d9bcb79e3fe82b719693028"};
    struct pawl_hash hash = {{0}};
    for (size_t i = 0; i < 3; i++) {
        json_t *record;
        assert_int_equal(pawl_json_parse(pawl_str_of(records[i]), 100, &record, NULL), PAWL_OK);
        struct pawl_buf text = PAWL_BUF(1000);
        char hex[PAWL_HASH_HEX];
        pawl_hash_hex(&hash, hex);
        pawl_buf_printf(&text, "%s\n", hex);
        pawl_json_write(record, &text);
        hash = pawl_hash_str(pawl_buf_str(&text));
        assert_hash(hash, hashes[i]);
        pawl_buf_release(&text);
        json_decref(record);
    }
}

static void crc32_is_that_of_zlib(void **state)
{
    (void)state;
    assert_int_equal(pawl_crc32("123456789", 9), 0xcbf43926);
    assert_int_equal(pawl_crc32("", 0), 0);
}

/* First outputs of the authors' xoshiro256** from the state 1, 2, 3, 4. */
static void the_generator_is_xoshiro256_starstar(void **state)
{
    (void)state;
    struct pawl_random random = {.state = {1, 2, 3, 4}};
    static const uint64_t expected[] = {11520, 0, 1509978240, 1215971899390074240};
    for (size_t i = 0; i < 4; i++) assert_true(pawl_random_u64(&random) == expected[i]);
}

static void a_child_stream_depends_on_names_alone(void **state)
{
    (void)state;
    struct pawl_random parent, other;
    pawl_random_init(&parent, 7);
    struct pawl_random early = pawl_random_split(&parent, PAWL_STR("branch 1"));
    pawl_random_u64(&parent);
    struct pawl_random late = pawl_random_split(&parent, PAWL_STR("branch 1"));
    struct pawl_random sibling = pawl_random_split(&parent, PAWL_STR("branch 2"));
    pawl_random_init(&other, 8);
    struct pawl_random cousin = pawl_random_split(&other, PAWL_STR("branch 1"));
    uint64_t draw = pawl_random_u64(&early);
    assert_true(draw == pawl_random_u64(&late));
    assert_true(draw != pawl_random_u64(&sibling));
    assert_true(draw != pawl_random_u64(&cousin));
}

static void draws_are_in_range_and_even(void **state)
{
    (void)state;
    struct pawl_random random;
    pawl_random_init(&random, 1);
    int counts[6] = {0};
    for (int i = 0; i < 60000; i++) counts[pawl_random_below(&random, 6)]++;
    for (int i = 0; i < 6; i++) /* six standard deviations */
        assert_in_range(counts[i], 10000 - 548, 10000 + 548);
    double sum = 0;
    for (int i = 0; i < 10000; i++) {
        double u = pawl_random_unit(&random);
        assert_true(u >= 0 && u < 1);
        sum += u;
    }
    assert_true(sum > 4820 && sum < 5180);
    assert_true(pawl_random_below(&random, 1) == 0);
}

static void a_shuffle_is_a_permutation(void **state)
{
    (void)state;
    struct pawl_random random;
    pawl_random_init(&random, 3);
    size_t items[100], seen[100] = {0}, moved = 0;
    for (size_t i = 0; i < 100; i++) items[i] = i;
    pawl_random_shuffle(&random, items, 100);
    for (size_t i = 0; i < 100; i++) {
        seen[items[i]]++;
        moved += items[i] != i;
    }
    for (size_t i = 0; i < 100; i++) assert_int_equal(seen[i], 1);
    assert_true(moved > 80);
    pawl_random_shuffle(&random, items, 0);
}

static void a_number_of_a_text_is_stable_and_unambiguous(void **state)
{
    (void)state;
    double a = pawl_random_of(PAWL_STR("ab"), PAWL_STR("c"));
    assert_true(a >= 0 && a < 1);
    assert_true(a == pawl_random_of(PAWL_STR("ab"), PAWL_STR("c")));
    assert_true(a != pawl_random_of(PAWL_STR("a"), PAWL_STR("bc")));
}

static void secrets_repeat_only_in_test_mode(void **state)
{
    (void)state;
    unsigned char a[32], b[32];
    pawl_secret_bytes(a, sizeof a);
    pawl_secret_bytes(b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
    pawl_secret_fix(5);
    pawl_secret_bytes(a, sizeof a);
    pawl_secret_fix(5);
    pawl_secret_bytes(b, sizeof b);
    assert_memory_equal(a, b, sizeof a);
    pawl_secret_bytes(b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
}

int main(void)
{
    pawl_crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_gives_the_published_values),
        cmocka_unit_test(a_structure_is_hashed_in_its_canonical_form),
        cmocka_unit_test(keyed_hashes_and_derived_keys_differ_by_key_and_purpose),
        cmocka_unit_test(hex_goes_both_ways_and_is_strict),
        cmocka_unit_test(merkle_roots_are_those_of_rfc_6962),
        cmocka_unit_test(a_hash_chain_can_be_recomputed),
        cmocka_unit_test(crc32_is_that_of_zlib),
        cmocka_unit_test(the_generator_is_xoshiro256_starstar),
        cmocka_unit_test(a_child_stream_depends_on_names_alone),
        cmocka_unit_test(draws_are_in_range_and_even),
        cmocka_unit_test(a_shuffle_is_a_permutation),
        cmocka_unit_test(a_number_of_a_text_is_stable_and_unambiguous),
        cmocka_unit_test(secrets_repeat_only_in_test_mode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
