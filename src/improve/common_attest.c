#include "improve/attest.h"

#include "base/arena.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PAYLOAD_TYPE "application/vnd.in-toto+json"
enum { URI_MAX = 256, TIME_MAX = 40 };

bool pawl_attest_find(const char *name, enum pawl_attest_format *format)
{
    *format = strcmp(name, "slsa") == 0 ? PAWL_ATTEST_SLSA : PAWL_ATTEST_INTOTO;
    return *format == PAWL_ATTEST_SLSA || strcmp(name, "intoto") == 0;
}

/* --- parts --------------------------------------------------------------------------------------- */

static json_t *digest(const char *hex)
{
    return json_pack("{s:s}", "sha256", hex);
}

static json_t *digest_of(const json_t *value)
{
    char hex[PAWL_HASH_HEX];
    struct pawl_hash hash = pawl_hash_json(value);
    pawl_hash_hex(&hash, hex);
    return digest(hex);
}

static json_t *uri(const char *kind, const char *name)
{
    char text[URI_MAX];
    snprintf(text, sizeof text, "pawl:%s/%s", kind, name);
    return json_string(text);
}

static json_t *attempt_uri(const json_t *statement)
{
    char text[URI_MAX];
    snprintf(text, sizeof text, "pawl:vault/%s/attempt/%lld",
             pawl_json_get_text(statement, "vault", ""),
             (long long)pawl_json_get_int(statement, "attempt", 0));
    return json_string(text);
}

/* RFC 3339, in UTC. */
static json_t *instant(int64_t ms)
{
    char day[TIME_MAX], text[TIME_MAX];
    struct tm tm;
    time_t seconds = (time_t)(ms / 1000);
    gmtime_r(&seconds, &tm);
    strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text, sizeof text, "%.20s.%03dZ", day, (int)(ms % 1000));
    return json_string(text);
}

/* What was fixed before the first sealed case. */
static json_t *rule_of(const json_t *statement)
{
    static const char *const fields[] = {
        "alpha",  "clusters",      "guarantee", "guards",    "largest_cluster",
        "level",  "log_histories", "look",      "n_planned", "not_guaranteed",
        "policy", "samples",       "threshold", "unit"};
    json_t *rule = json_object();
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        json_t *value = json_object_get(statement, fields[i]);
        if (value != NULL) pawl_json_set(rule, fields[i], json_incref(value));
    }
    return rule;
}

static bool is_passed(const json_t *statement)
{
    return strcmp(pawl_json_get_text(statement, "verdict", ""), "promote") == 0;
}

/* --- the two predicates ---------------------------------------------------------------------------- */

/* A ResourceDescriptor. Takes `details`. */
static void add_resource(json_t *list, const char *name, json_t *details)
{
    pawl_json_set(details, "name", json_string(name));
    json_array_append_new(list, details);
}

static json_t *configuration_of(const json_t *statement)
{
    const json_t *commitment = json_object_get(statement, "commitment");
    const char *incumbent = pawl_json_get_text(statement, "incumbent", "");
    json_t *list = json_array(), *rule = rule_of(statement);
    add_resource(
        list, "incumbent",
        json_pack("{s:o, s:o}", "digest", digest(incumbent), "uri", uri("artifact", incumbent)));
    add_resource(list, "policy",
                 json_pack("{s:o, s:o, s:o}", "digest", digest_of(rule), "uri",
                           uri("policy", pawl_json_get_text(statement, "policy", "")),
                           "annotations", rule));
    add_resource(list, "sealed cases",
                 json_pack("{s:o, s:{s:I}}", "digest",
                           digest(pawl_json_get_text(commitment, "root", "")), "annotations",
                           "size", (json_int_t)pawl_json_get_int(commitment, "size", 0)));
    add_resource(list, "metric",
                 json_pack("{s:o, s:{s:s}}", "digest",
                           digest(pawl_json_get_text(statement, "metric_hash", "")), "annotations",
                           "metric", pawl_json_get_text(statement, "metric", "")));
    add_resource(
        list, "program",
        json_pack("{s:o}", "digest", digest(pawl_json_get_text(statement, "program", ""))));
    add_resource(
        list, "statement",
        json_pack("{s:o, s:o}", "digest", digest_of(statement), "uri", attempt_uri(statement)));
    return list;
}

static json_t *test_result_of(const json_t *statement)
{
    json_t *passed = json_array(), *failed = json_array();
    json_array_append_new(is_passed(statement) ? passed : failed, json_string("gate"));
    return json_pack("{s:o, s:o, s:o, s:o, s:s, s:o}", "configuration", configuration_of(statement),
                     "passedTests", passed, "warnedTests", json_array(), "failedTests", failed,
                     "result", is_passed(statement) ? "PASSED" : "FAILED", "url",
                     attempt_uri(statement));
}

static json_t *summary_of(const json_t *statement)
{
    json_t *rule = rule_of(statement);
    json_t *out = json_pack(
        "{s:{s:o}, s:o, s:o, s:{s:o, s:o}, s:[{s:o, s:o}], s:s, s:[s], s:s}", "verifier", "id",
        uri("vault", pawl_json_get_text(statement, "vault", "")), "timeVerified",
        instant(pawl_json_get_int(statement, "released_ms", 0)), "resourceUri",
        uri("artifact", pawl_json_get_text(statement, "candidate", "")), "policy", "digest",
        digest_of(rule), "uri", uri("policy", pawl_json_get_text(statement, "policy", "")),
        "inputAttestations", "digest", digest_of(statement), "uri", attempt_uri(statement),
        "verificationResult", is_passed(statement) ? "PASSED" : "FAILED", "verifiedLevels",
        is_passed(statement) ? "PAWL_GATE" : "FAILED", "slsaVersion", "1.0");
    json_decref(rule);
    return out;
}

json_t *pawl_attest_payload(const json_t *statement, enum pawl_attest_format format)
{
    bool slsa = format == PAWL_ATTEST_SLSA;
    const char *candidate = pawl_json_get_text(statement, "candidate", "");
    return json_pack("{s:s, s:[{s:o, s:o}], s:s, s:o}", "_type", "https://in-toto.io/Statement/v1",
                     "subject", "digest", digest(candidate), "name", uri("artifact", candidate),
                     "predicateType",
                     slsa ? "https://slsa.dev/verification_summary/v1"
                          : "https://in-toto.io/attestation/test-result/v0.1",
                     "predicate", slsa ? summary_of(statement) : test_result_of(statement));
}

/* --- the envelope ---------------------------------------------------------------------------------- */

static json_t *base64_of(const void *bytes, size_t n_bytes)
{
    size_t room = sodium_base64_encoded_len(n_bytes, sodium_base64_VARIANT_ORIGINAL);
    char *text = pawl_xmalloc(room);
    sodium_bin2base64(text, room, bytes, n_bytes, sodium_base64_VARIANT_ORIGINAL);
    json_t *out = json_string(text);
    free(text);
    return out;
}

/* The bytes that are signed (DSSE's pre-authentication encoding). */
static struct pawl_buf encode(const char *payload)
{
    struct pawl_buf out = PAWL_BUF(SIZE_MAX / 2);
    pawl_buf_printf(&out, "DSSEv1 %zu %s %zu %s", sizeof PAYLOAD_TYPE - 1, PAYLOAD_TYPE,
                    strlen(payload), payload);
    return out;
}

static json_t *envelope_of(const char *payload, const char *public_hex,
                           const unsigned char *signature)
{
    return json_pack("{s:o, s:s, s:[{s:s, s:o}]}", "payload", base64_of(payload, strlen(payload)),
                     "payloadType", PAYLOAD_TYPE, "signatures", "keyid", public_hex, "sig",
                     base64_of(signature, crypto_sign_BYTES));
}

static char *payload_text(const json_t *statement, enum pawl_attest_format format)
{
    json_t *payload = pawl_attest_payload(statement, format);
    char *text = pawl_json_text(payload);
    json_decref(payload);
    return text;
}

json_t *pawl_attest_sign(const struct pawl_signer *signer, const json_t *statement,
                         enum pawl_attest_format format)
{
    unsigned char signature[crypto_sign_BYTES];
    char *payload = payload_text(statement, format);
    struct pawl_buf encoded = encode(payload);
    crypto_sign_detached(signature, NULL, (const unsigned char *)encoded.data, encoded.len,
                         signer->secret);
    json_t *envelope = envelope_of(payload, signer->public_hex, signature);
    pawl_buf_release(&encoded);
    free(payload);
    return envelope;
}

/* The envelope is the one that this signature makes: nothing in it is left unread. */
enum pawl_status pawl_attest_verify(const json_t *envelope, const json_t *statement,
                                    enum pawl_attest_format format, struct pawl_error *err)
{
    unsigned char public_key[crypto_sign_PUBLICKEYBYTES], signature[crypto_sign_BYTES];
    const json_t *first = json_array_get(json_object_get(envelope, "signatures"), 0);
    struct pawl_str sig = pawl_json_get_str(first, "sig");
    size_t n_bytes = 0;
    bool good =
        pawl_unhex(pawl_json_get_str(statement, "public_key"), public_key, sizeof public_key) &&
        sig.ptr != NULL &&
        sodium_base642bin(signature, sizeof signature, sig.ptr, sig.len, NULL, &n_bytes, NULL,
                          sodium_base64_VARIANT_ORIGINAL) == 0 &&
        n_bytes == sizeof signature;
    if (good) {
        char *payload = payload_text(statement, format);
        struct pawl_buf encoded = encode(payload);
        json_t *expected =
            envelope_of(payload, pawl_json_get_text(statement, "public_key", ""), signature);
        good = json_equal(envelope, expected) == 1 &&
               crypto_sign_verify_detached(signature, (const unsigned char *)encoded.data,
                                           encoded.len, public_key) == 0;
        json_decref(expected);
        pawl_buf_release(&encoded);
        free(payload);
    }
    if (good) return PAWL_OK;
    pawl_fail(err, PAWL_EINTEGRITY,
              "The envelope is not the one that the vault signs for this verdict.");
    pawl_hint(err, "It was changed, or belongs to another verdict; `pawl export` makes it anew.");
    return PAWL_EINTEGRITY;
}
