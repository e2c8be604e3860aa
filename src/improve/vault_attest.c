/* A verdict that was told, in the words of others (attest.h). */
#include "improve/vault.h"

#include "improve/attest.h"

#include <sodium.h>
#include <string.h>

static enum pawl_status check_told(const struct pawl_vault *vault, int64_t k,
                                   struct pawl_error *err)
{
    const char *verdict =
        k >= 1 && k <= pawl_vault_attempts(vault) ? pawl_vault_verdict(vault, k) : "";
    if (strcmp(verdict, "promote") == 0 || strcmp(verdict, "no") == 0) return PAWL_OK;
    pawl_fail(err, PAWL_ENOTFOUND, "Attempt %lld has no verdict.", (long long)k);
    pawl_hint(err, "`pawl lineage ID` shows what the gate said of an artifact.");
    return PAWL_ENOTFOUND;
}

static enum pawl_status sign(struct pawl_vault *vault, int64_t k, enum pawl_attest_format format,
                             json_t **done, struct pawl_error *err)
{
    struct pawl_str text;
    struct pawl_signer signer;
    json_t *row;
    PAWL_TRY(check_told(vault, k, err));
    PAWL_TRY(pawl_vault_read(vault, PAWL_VAULT_ROW_ATTEMPT, (uint64_t)k, &text, err));
    PAWL_TRY(pawl_json_parse(text, text.len, &row, err));
    pawl_signer_init(&signer, vault->keys.sign);
    *done = json_pack("{s:o}", "envelope",
                      pawl_attest_sign(&signer, json_object_get(row, "statement"), format));
    sodium_memzero(&signer, sizeof signer);
    json_decref(row);
    return PAWL_OK;
}

enum pawl_status pawl_vault_attest(struct pawl_worker *worker, const json_t *request, json_t **done,
                                   struct pawl_error *err)
{
    struct pawl_vault vault;
    enum pawl_attest_format format;
    if (!pawl_attest_find(pawl_json_get_text(request, "format", ""), &format))
        return pawl_fail(err, PAWL_EUSAGE, "A verdict is told as %s.", PAWL_ATTEST_FORMATS);
    enum pawl_status status = pawl_vault_open(worker, PAWL_VAULT_READ, &vault, err);
    if (status == PAWL_OK)
        status = sign(&vault, pawl_json_get_int(request, "attempt", 0), format, done, err);
    pawl_vault_release(&vault);
    return status;
}
