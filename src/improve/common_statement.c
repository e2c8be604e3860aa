#include "improve/statement.h"

#include "base/str.h"

#include <math.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof((struct pawl_signer *)0)->secret == crypto_sign_SECRETKEYBYTES, "Ed25519");

void pawl_signer_init(struct pawl_signer *signer, const unsigned char seed[32])
{
    unsigned char public_key[crypto_sign_PUBLICKEYBYTES];
    crypto_sign_seed_keypair(public_key, signer->secret, seed);
    pawl_hex(public_key, sizeof public_key, signer->public_hex);
}

static json_t *text_or_null(const char *text)
{
    return text != NULL ? pawl_json_string(pawl_str_of(text)) : json_null();
}

static json_t *rule_json(const struct pawl_statement_facts *facts)
{
    json_t *rule = json_object();
    pawl_json_set(rule, "policy", text_or_null(facts->policy));
    pawl_json_set(rule, "guarantee", text_or_null(facts->guarantee));
    pawl_json_set(rule, "not_guaranteed", text_or_null(facts->not_guaranteed));
    pawl_json_set(rule, "alpha", json_real(facts->alpha));
    pawl_json_set(rule, "level", json_real(facts->level));
    pawl_json_set(rule, "threshold", json_real(1 / facts->level));
    pawl_json_set(rule, "log_histories", json_real(facts->log_histories));
    pawl_json_set(rule, "look", text_or_null(facts->look));
    pawl_json_set(rule, "unit", text_or_null(facts->unit));
    pawl_json_set(rule, "n_planned", json_integer(facts->n_planned));
    pawl_json_set(rule, "clusters", json_integer(facts->clusters));
    pawl_json_set(rule, "samples", json_integer(facts->samples));
    pawl_json_set(rule, "largest_cluster", json_integer(facts->largest_cluster));
    return rule;
}

/* The list comes from the sealed side: of it only known names are said. */
const char *pawl_statement_timing(const json_t *roles, struct pawl_arena *arena)
{
    static const char *const names[] = {"task", "judge"};
    const char *said = NULL;
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        size_t i;
        json_t *role;
        bool is_there = false;
        json_array_foreach((json_t *)roles, i, role)
        {
            is_there |= json_is_string(role) && strcmp(json_string_value(role), names[k]) == 0;
        }
        if (is_there)
            said = said == NULL ? names[k] : pawl_arena_printf(arena, "%s, %s", said, names[k]);
    }
    if (said == NULL) return NULL;
    return pawl_arena_printf(arena,
                             "open: the model server on this machine (%s) answers sealed cases and "
                             "operators, who may learn from how long it takes",
                             said);
}

json_t *pawl_statement_make(const struct pawl_statement_facts *facts)
{
    json_t *out = rule_json(facts);
    pawl_json_set(out, "schema", json_integer(PAWL_STATEMENT_SCHEMA));
    pawl_json_set(out, "vault", text_or_null(facts->vault));
    pawl_json_set(out, "attempt", json_integer(facts->attempt));
    pawl_json_set(out, "run", text_or_null(facts->run));
    pawl_json_set(out, "candidate", text_or_null(facts->candidate));
    pawl_json_set(out, "incumbent", text_or_null(facts->incumbent));
    pawl_json_set(out, "verdict", text_or_null(facts->verdict));
    pawl_json_set(out, "commitment",
                  json_pack("{s:s, s:I}", "root", facts->commitment_root, "size",
                            (json_int_t)facts->commitment_size));
    pawl_json_set(out, "evidence_root", text_or_null(facts->evidence_root));
    pawl_json_set(out, "metric", text_or_null(facts->metric));
    pawl_json_set(out, "metric_hash", text_or_null(facts->metric_hash));
    pawl_json_set(out, "program", text_or_null(facts->program));
    pawl_json_set(out, "models",
                  facts->models != NULL ? json_deep_copy(facts->models) : json_object());
    pawl_json_set(out, "custody", text_or_null(facts->custody));
    pawl_json_set(out, "confinement", text_or_null(facts->confinement));
    if (facts->timing_channel != NULL)
        pawl_json_set(out, "timing_channel", text_or_null(facts->timing_channel));
    if (facts->guards != NULL) pawl_json_set(out, "guards", json_deep_copy(facts->guards));
    if (facts->traps != NULL) pawl_json_set(out, "traps", json_deep_copy(facts->traps));
    pawl_json_set(out, "released_ms", json_integer(facts->released_ms));
    pawl_json_set(out, "public_key", text_or_null(facts->public_key));
    return out;
}

void pawl_statement_sign(const struct pawl_signer *signer, const json_t *statement,
                         char signature[PAWL_SIGNATURE_HEX])
{
    unsigned char bytes[crypto_sign_BYTES];
    char *text = pawl_json_text(statement);
    crypto_sign_detached(bytes, NULL, (const unsigned char *)text, strlen(text), signer->secret);
    pawl_hex(bytes, sizeof bytes, signature);
    free(text);
}

enum pawl_status pawl_statement_verify(const json_t *statement, const char *signature,
                                       struct pawl_error *err)
{
    unsigned char bytes[crypto_sign_BYTES], public_key[crypto_sign_PUBLICKEYBYTES];
    if (!json_is_object(statement) ||
        pawl_json_get_int(statement, "schema", 0) != PAWL_STATEMENT_SCHEMA)
        return pawl_fail(err, PAWL_EINTEGRITY, "This is not a statement of schema %d.",
                         PAWL_STATEMENT_SCHEMA);
    if (!pawl_unhex(pawl_json_get_str(statement, "public_key"), public_key, sizeof public_key) ||
        !pawl_unhex(pawl_str_of(signature), bytes, sizeof bytes))
        return pawl_fail(err, PAWL_EINTEGRITY,
                         "The statement's public key or signature is not hexadecimal text of the "
                         "right length.");
    char *text = pawl_json_text(statement);
    bool good = crypto_sign_verify_detached(bytes, (const unsigned char *)text, strlen(text),
                                            public_key) == 0;
    free(text);
    if (good) return PAWL_OK;
    pawl_fail(err, PAWL_EINTEGRITY, "The signature does not fit the statement.");
    pawl_hint(err, "One of them was changed after the vault signed; trust neither.");
    return PAWL_EINTEGRITY;
}
