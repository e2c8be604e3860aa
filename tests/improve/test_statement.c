/* The signed statement: anybody can check it, and any change shows. */
#include "improve/statement.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static const unsigned char seed[32] = {1, 2, 3};

static struct pawl_statement_facts facts(const struct pawl_signer *signer)
{
    return (struct pawl_statement_facts){.vault = "v",
                                         .attempt = 1,
                                         .candidate = "c",
                                         .incumbent = "i",
                                         .verdict = "promote",
                                         .policy = "e-lond",
                                         .guarantee = "words",
                                         .not_guaranteed = "other words",
                                         .alpha = 0.05,
                                         .level = 0.04,
                                         .look = "sequential",
                                         .unit = "sign",
                                         .n_planned = 300,
                                         .clusters = 300,
                                         .samples = 1,
                                         .largest_cluster = 1,
                                         .commitment_root = "root",
                                         .commitment_size = 300,
                                         .evidence_root = "evidence",
                                         .metric = "exact_match",
                                         .metric_hash = "m",
                                         .program = "p",
                                         .custody = "same uid",
                                         .confinement = "landlock",
                                         .released_ms = 1000,
                                         .public_key = signer->public_hex};
}

static void signed_and_verified(void **state)
{
    (void)state;
    struct pawl_signer signer;
    struct pawl_error err;
    char signature[PAWL_SIGNATURE_HEX];
    pawl_signer_init(&signer, seed);
    struct pawl_statement_facts given = facts(&signer);
    json_t *statement = pawl_statement_make(&given);
    pawl_statement_sign(&signer, statement, signature);
    assert_int_equal(pawl_statement_verify(statement, signature, &err), PAWL_OK);
    assert_int_equal(json_integer_value(json_object_get(statement, "schema")), 1);
    assert_true(json_number_value(json_object_get(statement, "threshold")) == 25);
    json_decref(statement);
}

/* Every member, one after the other, is covered by the signature. */
static void every_change_shows(void **state)
{
    (void)state;
    struct pawl_signer signer;
    struct pawl_error err;
    char signature[PAWL_SIGNATURE_HEX];
    const char *key;
    json_t *value;
    pawl_signer_init(&signer, seed);
    struct pawl_statement_facts given = facts(&signer);
    json_t *statement = pawl_statement_make(&given);
    pawl_statement_sign(&signer, statement, signature);
    json_object_foreach(statement, key, value)
    {
        json_t *forged = json_copy(statement);
        pawl_json_set(forged, key, json_string("forged"));
        assert_int_equal(pawl_statement_verify(forged, signature, &err), PAWL_EINTEGRITY);
        json_object_del(forged, key);
        assert_int_equal(pawl_statement_verify(forged, signature, &err), PAWL_EINTEGRITY);
        json_decref(forged);
    }
    json_decref(statement);
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    struct pawl_signer signer;
    struct pawl_error err;
    char signature[PAWL_SIGNATURE_HEX];
    pawl_signer_init(&signer, seed);
    struct pawl_statement_facts given = facts(&signer);
    json_t *statement = pawl_statement_make(&given);
    pawl_statement_sign(&signer, statement, signature);
    assert_int_equal(pawl_statement_verify(NULL, signature, &err), PAWL_EINTEGRITY);
    assert_int_equal(pawl_statement_verify(statement, "", &err), PAWL_EINTEGRITY);
    assert_int_equal(pawl_statement_verify(statement, "zz", &err), PAWL_EINTEGRITY);
    signature[0] = signature[0] == '0' ? '1' : '0';
    assert_int_equal(pawl_statement_verify(statement, signature, &err), PAWL_EINTEGRITY);
    json_t *list = json_array();
    assert_int_equal(pawl_statement_verify(list, signature, &err), PAWL_EINTEGRITY);
    json_decref(list);
    json_decref(statement);
}

int main(void)
{
    pawl_crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signed_and_verified),
        cmocka_unit_test(every_change_shows),
        cmocka_unit_test(nonsense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
