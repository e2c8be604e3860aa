/*
 * Signing the head of the ledger's tree, as a note (C2SP tlog-checkpoint, signed-note):
 *
 *     pawl/<vault>
 *     <records>
 *     <root in base64>
 *
 *     — pawl/<vault> <base64 of the key's 4-byte name and the Ed25519 signature of the three lines>
 *
 * A statement begins with a brace and a note does not, so one cannot pass for the other.
 *
 * Invariant: the vault remembers the last head that it signed, and signs no shorter ledger and no other
 * root for the same length: a ledger that was cut back is found out here.
 */
#include "improve/vault.h"

#include <sodium.h>

enum {
    KEY_NAME_BYTES = 4,
    ED25519 = 1, /* the algorithm's number in a key's name */
    BASE64_MAX = 128,
    TEXT_MAX = 256,
    NOTE_MAX = TEXT_MAX + 2 * BASE64_MAX,
};

static void to_base64(const unsigned char *bytes, size_t n_bytes, char out[BASE64_MAX])
{
    sodium_bin2base64(out, BASE64_MAX, bytes, n_bytes, sodium_base64_VARIANT_ORIGINAL);
}

/* The first bytes of SHA-256(name | newline | algorithm | public key). */
static void key_name(const struct pawl_signer *signer, const char *name,
                     unsigned char out[KEY_NAME_BYTES])
{
    unsigned char key[crypto_sign_PUBLICKEYBYTES];
    const char between[] = {'\n', ED25519};
    struct pawl_hasher hasher;
    crypto_sign_ed25519_sk_to_pk(key, signer->secret);
    pawl_hasher_init(&hasher);
    pawl_hasher_add(&hasher, name, strlen(name));
    pawl_hasher_add(&hasher, between, sizeof between);
    pawl_hasher_add(&hasher, key, sizeof key);
    struct pawl_hash hash = pawl_hasher_final(&hasher);
    memcpy(out, hash.bytes, KEY_NAME_BYTES);
}

static json_t *note_of(const struct pawl_vault *vault, int64_t size, const struct pawl_hash *root)
{
    struct pawl_signer signer;
    unsigned char named[KEY_NAME_BYTES + crypto_sign_BYTES];
    char name[64], text[TEXT_MAX], note[NOTE_MAX + sizeof name], base64[BASE64_MAX];
    pawl_signer_init(&signer, vault->keys.sign);
    snprintf(name, sizeof name, "pawl/%s", vault->id);
    to_base64(root->bytes, sizeof root->bytes, base64);
    snprintf(text, sizeof text, "%s\n%lld\n%s\n", name, (long long)size, base64);
    key_name(&signer, name, named);
    crypto_sign_detached(named + KEY_NAME_BYTES, NULL, (const unsigned char *)text, strlen(text),
                         signer.secret);
    sodium_memzero(&signer, sizeof signer);
    to_base64(named, sizeof named, base64);
    snprintf(note, sizeof note, "%s\n\xe2\x80\x94 %s %s\n", text, name, base64);
    return json_string(note);
}

static enum pawl_status remember(struct pawl_vault *vault, int64_t size, const char *root,
                                 struct pawl_error *err)
{
    const json_t *last = json_object_get(vault->state, "checkpoint");
    int64_t last_size = pawl_json_get_int(last, "size", 0);
    bool same = size == last_size && strcmp(pawl_json_get_text(last, "root", ""), root) == 0;
    if (same) return PAWL_OK;
    if (size <= last_size) {
        pawl_fail(err, PAWL_EINTEGRITY,
                  "The vault has signed a ledger of %lld records; this one is shorter or another.",
                  (long long)last_size);
        pawl_hint(err, "Records were cut off or rewritten. Restore .pawl/store from a backup.");
        return PAWL_EINTEGRITY;
    }
    pawl_json_set(vault->state, "checkpoint",
                  json_pack("{s:I, s:s}", "size", (json_int_t)size, "root", root));
    return pawl_vault_commit(vault, NULL, 0, err);
}

enum pawl_status pawl_vault_checkpoint(struct pawl_worker *worker, const json_t *request,
                                       json_t **done, struct pawl_error *err)
{
    struct pawl_vault vault;
    struct pawl_hash root;
    int64_t size = pawl_json_get_int(request, "size", 0);
    if (size < 1 || !pawl_hash_from_hex(pawl_json_get_str(request, "tree_root"), &root))
        return pawl_fail(err, PAWL_EUSAGE, "A checkpoint is a number of records and a root.");
    enum pawl_status status = pawl_vault_open(worker, PAWL_VAULT_CHANGE, &vault, err);
    if (status == PAWL_OK)
        status = remember(&vault, size, pawl_json_get_text(request, "tree_root", ""), err);
    if (status == PAWL_OK) *done = json_pack("{s:o}", "note", note_of(&vault, size, &root));
    pawl_vault_release(&vault);
    return status;
}
