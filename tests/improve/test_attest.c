/* A verdict in the words of others: made of the statement alone, and any change shows. */
#include "improve/attest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static const unsigned char seed[32] = {7};
static const enum pawl_attest_format formats[] = {PAWL_ATTEST_INTOTO, PAWL_ATTEST_SLSA};

static json_t *statement_with(const struct pawl_signer *signer, const char *verdict)
{
    struct pawl_statement_facts facts = {.vault = "v1",
                                         .attempt = 3,
                                         .candidate = "cc",
                                         .incumbent = "ii",
                                         .verdict = verdict,
                                         .policy = "strict",
                                         .guarantee = "words",
                                         .not_guaranteed = "other words",
                                         .alpha = 0.05,
                                         .level = 0.02,
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
                                         .metric_hash = "mm",
                                         .program = "pp",
                                         .custody = "same uid",
                                         .confinement = "landlock",
                                         .released_ms = 1767225600007,
                                         .public_key = signer->public_hex};
    return pawl_statement_make(&facts);
}

/* The member that the path a.b.0.c leads to, as a text. */
static const char *text_at(const json_t *value, const char *path)
{
    struct pawl_str rest = pawl_str_of(path), part;
    while (pawl_str_split(&rest, '.', &part)) {
        char name[64];
        snprintf(name, sizeof name, PAWL_STR_FMT, PAWL_STR_ARG(part));
        value = json_is_array(value) ? json_array_get(value, (size_t)atoi(name))
                                     : json_object_get(value, name);
    }
    return json_is_string(value) ? json_string_value(value) : "(absent)";
}

static void predicates_say_what_the_statement_says(void **state)
{
    (void)state;
    struct pawl_signer signer;
    pawl_signer_init(&signer, seed);
    static const struct {
        const char *verdict, *result, *level;
        size_t passed, failed;
    } cases[] = {{"promote", "PASSED", "PAWL_GATE", 1, 0}, {"no", "FAILED", "FAILED", 0, 1}};
    for (size_t i = 0; i < 2; i++) {
        json_t *statement = statement_with(&signer, cases[i].verdict);
        char hex[PAWL_HASH_HEX];
        struct pawl_hash hash = pawl_hash_json(statement);
        pawl_hash_hex(&hash, hex);
        json_t *intoto = pawl_attest_payload(statement, PAWL_ATTEST_INTOTO);
        json_t *slsa = pawl_attest_payload(statement, PAWL_ATTEST_SLSA);
        const json_t *predicate = json_object_get(intoto, "predicate");
        assert_string_equal(text_at(intoto, "_type"), "https://in-toto.io/Statement/v1");
        assert_string_equal(text_at(intoto, "predicateType"),
                            "https://in-toto.io/attestation/test-result/v0.1");
        assert_string_equal(text_at(intoto, "subject.0.digest.sha256"), "cc");
        assert_string_equal(text_at(predicate, "result"), cases[i].result);
        assert_int_equal(json_array_size(json_object_get(predicate, "passedTests")),
                         cases[i].passed);
        assert_int_equal(json_array_size(json_object_get(predicate, "failedTests")),
                         cases[i].failed);
        assert_string_equal(text_at(predicate, "configuration.0.digest.sha256"), "ii");
        assert_string_equal(text_at(predicate, "configuration.5.digest.sha256"), hex);
        assert_string_equal(text_at(slsa, "predicateType"),
                            "https://slsa.dev/verification_summary/v1");
        assert_string_equal(text_at(slsa, "predicate.verificationResult"), cases[i].result);
        assert_string_equal(text_at(slsa, "predicate.verifiedLevels.0"), cases[i].level);
        assert_string_equal(text_at(slsa, "predicate.timeVerified"), "2026-01-01T00:00:00.007Z");
        assert_string_equal(text_at(slsa, "predicate.inputAttestations.0.uri"),
                            "pawl:vault/v1/attempt/3");
        assert_string_equal(text_at(slsa, "predicate.inputAttestations.0.digest.sha256"), hex);
        json_decref(intoto);
        json_decref(slsa);
        json_decref(statement);
    }
}

/* The signature, checked from the envelope alone as any DSSE library does. */
static void envelope_is_dsse(void **state)
{
    (void)state;
    struct pawl_signer signer;
    pawl_signer_init(&signer, seed);
    json_t *statement = statement_with(&signer, "promote");
    for (size_t i = 0; i < 2; i++) {
        json_t *envelope = pawl_attest_sign(&signer, statement, formats[i]);
        unsigned char payload[8192], signature[64], key[32];
        size_t n_payload, n_signature;
        char encoded[9000];
        const char *text = text_at(envelope, "payload"),
                   *sig = text_at(envelope, "signatures.0.sig");
        assert_int_equal(sodium_base642bin(payload, sizeof payload, text, strlen(text), NULL,
                                           &n_payload, NULL, sodium_base64_VARIANT_ORIGINAL),
                         0);
        assert_int_equal(sodium_base642bin(signature, sizeof signature, sig, strlen(sig), NULL,
                                           &n_signature, NULL, sodium_base64_VARIANT_ORIGINAL),
                         0);
        assert_true(pawl_unhex(pawl_str_of(text_at(envelope, "signatures.0.keyid")), key, 32));
        assert_string_equal(text_at(envelope, "payloadType"), "application/vnd.in-toto+json");
        int n = snprintf(encoded, sizeof encoded, "DSSEv1 28 application/vnd.in-toto+json %zu %.*s",
                         n_payload, (int)n_payload, (const char *)payload);
        assert_int_equal(crypto_sign_verify_detached(signature, (unsigned char *)encoded,
                                                     (unsigned long long)n, key),
                         0);
        json_decref(envelope);
    }
    json_decref(statement);
}

static void expect_refused(const json_t *envelope, const json_t *statement,
                           enum pawl_attest_format format)
{
    struct pawl_error err = {0};
    assert_int_equal(pawl_attest_verify(envelope, statement, format, &err), PAWL_EINTEGRITY);
    assert_true(err.message[0] && err.hint[0]);
}

static void every_change_shows(void **state)
{
    (void)state;
    struct pawl_signer signer, other;
    static const unsigned char other_seed[32] = {8};
    struct pawl_error err;
    const char *key;
    json_t *value;
    pawl_signer_init(&signer, seed);
    pawl_signer_init(&other, other_seed);
    json_t *statement = statement_with(&signer, "promote");
    for (size_t i = 0; i < 2; i++) {
        json_t *envelope = pawl_attest_sign(&signer, statement, formats[i]);
        assert_int_equal(pawl_attest_verify(envelope, statement, formats[i], &err), PAWL_OK);
        expect_refused(envelope, statement, formats[1 - i]);
        expect_refused(NULL, statement, formats[i]);
        expect_refused(envelope, NULL, formats[i]);
        json_object_foreach(envelope, key, value)
        {
            json_t *changed = json_deep_copy(envelope);
            pawl_json_set(changed, key, json_string("e30="));
            expect_refused(changed, statement, formats[i]);
            json_object_del(changed, key);
            expect_refused(changed, statement, formats[i]);
            json_decref(changed);
        }
        json_t *more = json_deep_copy(envelope);
        pawl_json_set(more, "also", json_true());
        expect_refused(more, statement, formats[i]);
        json_decref(more);
        /* What the payload takes from the statement, and what it takes by its hash. */
        json_object_foreach(statement, key, value)
        {
            json_t *changed = json_copy(statement);
            if (strcmp(key, "public_key") == 0)
                pawl_json_set(changed, key, json_string(other.public_hex));
            else
                pawl_json_set(changed, key, json_string("another"));
            expect_refused(envelope, changed, formats[i]);
            json_decref(changed);
        }
        json_decref(envelope);
        envelope = pawl_attest_sign(&other, statement, formats[i]);
        expect_refused(envelope, statement, formats[i]);
        json_decref(envelope);
    }
    json_decref(statement);
}

static void formats_have_names(void **state)
{
    (void)state;
    enum pawl_attest_format format;
    assert_true(pawl_attest_find("intoto", &format) && format == PAWL_ATTEST_INTOTO);
    assert_true(pawl_attest_find("slsa", &format) && format == PAWL_ATTEST_SLSA);
    assert_false(pawl_attest_find("", &format));
}

int main(void)
{
    pawl_crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(predicates_say_what_the_statement_says),
        cmocka_unit_test(envelope_is_dsse),
        cmocka_unit_test(every_change_shows),
        cmocka_unit_test(formats_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
