/* The vault's secret and its counter: two small files outside the project. */
#include "improve/vault.h"

#include "base/clock.h"
#include "base/random.h"
#include "io/channel.h"
#include "io/file.h"

#include <sodium.h>
#include <string.h>
#include <unistd.h>

enum { ID_BYTES = 16, COUNTER_BYTES = 64, COUNTER_PLAIN = 32 };
static const char counter_magic[8] = "pawlctr1";

void pawl_vault_key_draw(const char *vault_home, unsigned char master[32],
                         char id[PAWL_VAULT_ID_HEX])
{
    struct pawl_arena arena = {0};
    unsigned char id_bytes[ID_BYTES];
    do {
        pawl_secret_bytes(master, 32);
        pawl_secret_bytes(id_bytes, sizeof id_bytes);
        pawl_hex(id_bytes, sizeof id_bytes, id);
    } while (pawl_path_exists(pawl_path_join(&arena, vault_home, id)));
    pawl_arena_release(&arena);
}

void pawl_vault_keys_derive(const unsigned char master[32], struct pawl_vault_keys *keys)
{
    sodium_mlock(
        keys, sizeof *keys); /* a page or two, which everybody may lock; all else may be too much */
    pawl_key_derive(master, "split", keys->split);
    pawl_key_derive(master, "check", keys->check);
    pawl_key_derive(master, "order", keys->order);
    pawl_key_derive(master, "encrypt", keys->encrypt);
    pawl_key_derive(master, "nonce", keys->nonce);
    pawl_key_derive(master, "salt", keys->salt);
    pawl_key_derive(master, "mac", keys->mac);
    pawl_key_derive(master, "sign", keys->sign);
}

enum pawl_status pawl_vault_key_save(const char *home, const unsigned char master[32],
                                     struct pawl_error *err)
{
    struct pawl_arena arena = {0};
    enum pawl_status status = pawl_dir_make(home, 0700, err);
    if (status == PAWL_OK)
        status = pawl_file_write_atomic(pawl_path_join(&arena, home, "key"),
                                        (struct pawl_str){(const char *)master, 32}, 0600, err);
    pawl_arena_release(&arena);
    return status;
}

/* A file of the vault that must be there, whole. */
static enum pawl_status read_exactly(const char *home, const char *name, size_t n_bytes,
                                     unsigned char *out, struct pawl_error *err)
{
    struct pawl_arena arena = {0};
    struct pawl_str content;
    char *path = pawl_path_join(&arena, home, name);
    enum pawl_status status = pawl_file_read(path, 4096, &arena, &content, err);
    if (status == PAWL_OK && content.len == n_bytes) {
        memcpy(out, content.ptr, n_bytes);
        sodium_memzero((void *)content.ptr, content.len);
    } else if (status != PAWL_EWORLD) {
        status =
            pawl_fail(err, PAWL_EINTEGRITY, "The vault's file %s is missing or damaged.", path);
        pawl_hint(err, "Restore it from a backup; without it nothing sealed can be read. "
                       "A new vault starts with a fresh folder and fresh cases.");
    }
    pawl_arena_release(&arena);
    return status;
}

enum pawl_status pawl_vault_key_load(const char *home, struct pawl_vault_keys *keys,
                                     struct pawl_error *err)
{
    unsigned char master[32];
    PAWL_TRY(read_exactly(home, "key", sizeof master, master, err));
    pawl_vault_keys_derive(master, keys);
    sodium_memzero(master, sizeof master);
    return PAWL_OK;
}

/*
 * 0        8           16         24        32    64
 * | magic | attempts | version | pending | HMAC |      numbers little-endian
 */
static void put_u64(unsigned char *out, uint64_t value)
{
    for (int i = 0; i < 8; i++) out[i] = (unsigned char)(value >> 8 * i);
}

static uint64_t get_u64(const unsigned char *in)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) value |= (uint64_t)in[i] << 8 * i;
    return value;
}

static struct pawl_hash counter_mac(const char *id, const struct pawl_vault_keys *keys,
                                    const unsigned char plain[COUNTER_PLAIN])
{
    char text[PAWL_VAULT_ID_HEX - 1 + COUNTER_PLAIN];
    memcpy(text, id, PAWL_VAULT_ID_HEX - 1);
    memcpy(text + PAWL_VAULT_ID_HEX - 1, plain, COUNTER_PLAIN);
    return pawl_hash_keyed(keys->mac, (struct pawl_str){text, sizeof text});
}

enum pawl_status pawl_vault_counter_save(const char *home, const char *id,
                                         const struct pawl_vault_keys *keys,
                                         const struct pawl_vault_counter *counter,
                                         struct pawl_error *err)
{
    struct pawl_arena arena = {0};
    unsigned char bytes[COUNTER_BYTES];
    memcpy(bytes, counter_magic, sizeof counter_magic);
    put_u64(bytes + 8, counter->attempts);
    put_u64(bytes + 16, counter->version);
    put_u64(bytes + 24, counter->pending);
    struct pawl_hash mac = counter_mac(id, keys, bytes);
    memcpy(bytes + COUNTER_PLAIN, mac.bytes, sizeof mac.bytes);
    enum pawl_status status =
        pawl_file_write_atomic(pawl_path_join(&arena, home, "counter"),
                               (struct pawl_str){(const char *)bytes, sizeof bytes}, 0600, err);
    if (status == PAWL_OK && !pawl_clock_is_virtual())
        pawl_vault_keyring_put(home, bytes, sizeof bytes);
    pawl_arena_release(&arena);
    return status;
}

static bool decode(const char *id, const struct pawl_vault_keys *keys,
                   const unsigned char bytes[COUNTER_BYTES], struct pawl_vault_counter *counter)
{
    struct pawl_hash mac = counter_mac(id, keys, bytes);
    if (memcmp(bytes, counter_magic, sizeof counter_magic) != 0 ||
        sodium_memcmp(bytes + COUNTER_PLAIN, mac.bytes, sizeof mac.bytes) != 0)
        return false;
    counter->attempts = get_u64(bytes + 8);
    counter->version = get_u64(bytes + 16);
    counter->pending = get_u64(bytes + 24) != 0;
    return true;
}

/* The counter that the kernel's keyring has; false where it has none that is ours. */
static bool witness(const char *home, const char *id, const struct pawl_vault_keys *keys,
                    struct pawl_vault_counter *counter)
{
    unsigned char bytes[COUNTER_BYTES];
    return !pawl_clock_is_virtual() && pawl_vault_keyring_get(home, bytes, sizeof bytes) &&
           decode(id, keys, bytes, counter);
}

enum pawl_status pawl_vault_counter_load(const char *home, const char *id,
                                         const struct pawl_vault_keys *keys,
                                         struct pawl_vault_counter *counter, struct pawl_error *err)
{
    unsigned char bytes[COUNTER_BYTES];
    struct pawl_vault_counter newest;
    PAWL_TRY(read_exactly(home, "counter", sizeof bytes, bytes, err));
    if (!decode(id, keys, bytes, counter)) {
        pawl_fail(err, PAWL_EINTEGRITY, "The attempt counter %s/counter was changed.", home);
        pawl_hint(err, "Attempts are counted over the life of the sealed set; restore the file, or "
                       "start over with fresh cases.");
        return PAWL_EINTEGRITY;
    }
    if (!witness(home, id, keys, &newest) || newest.version <= counter->version) return PAWL_OK;
    pawl_fail(err, PAWL_EINTEGRITY,
              "The vault's counter says %llu attempts, and the kernel's keyring a later state with "
              "%llu: project and counter were put back.",
              (unsigned long long)counter->attempts, (unsigned long long)newest.attempts);
    pawl_hint(err,
              "An attempt cannot be taken back. Restore the newest copy of both, or start over "
              "with fresh cases.");
    return PAWL_EINTEGRITY;
}

const char *pawl_vault_custody(const struct pawl_worker *worker)
{
    uid_t front;
    if (!pawl_channel_maker(worker->front, &front) || front == geteuid())
        return "same uid: custody by convention";
    return front == 0 ? "own uid, below a root that opens everything: custody by convention"
                      : "separate uid";
}

const char *pawl_vault_custody_said(struct pawl_vault *vault)
{
    struct pawl_vault_counter newest;
    const char *held = pawl_vault_custody(vault->worker);
    if (!pawl_clock_is_virtual() && strcmp(held, "separate uid") != 0)
        held = pawl_arena_printf(&vault->arena, "%s; %s", held,
                                 witness(vault->home, vault->id, &vault->keys, &newest)
                                     ? "the kernel's keyring knows the newest count"
                                     : "no kernel keyring, so an older copy of all at once is "
                                       "not noticed here");
    int64_t spent = pawl_json_get_int(vault->state, "spent_before", 0);
    if (spent == 0) return held;
    return pawl_arena_printf(&vault->arena,
                             "%s; these cases were sealed before, by vaults that counted %lld "
                             "attempts",
                             held, (long long)spent);
}
