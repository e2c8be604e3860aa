/* The files of people's keys; their form is drawn in key.h. */
#include "improve/key.h"

#include "base/random.h"
#include "io/file.h"

#include <dirent.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/stat.h>

enum {
    SEED_BYTES = 32,
    BOX_BYTES = SEED_BYTES + crypto_secretbox_MACBYTES,
    FILE_BYTES_MAX = 4096,
    KEYS_MAX = 1024,
    /* More than any of ours: a file that somebody doctored neither hangs nor fills the memory. */
    OPERATIONS_MAX = 16,
    MEMORY_BYTES_MAX = 1 << 30,
};

char *pawl_key_home(struct pawl_arena *arena)
{
    const char *data = pawl_path_user(arena, "XDG_DATA_HOME", ".local/share");
    return pawl_path_join(arena, data != NULL ? data : "/var/lib", "pawl/keys");
}

void pawl_signer_wipe(struct pawl_signer *signer)
{
    sodium_memzero(signer, sizeof *signer);
}

/* --- checks -------------------------------------------------------------------------------------- */

static bool is_name(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");
    return len > 0 && len <= PAWL_KEY_NAME_MAX && name[len] == '\0' && name[0] != '-';
}

static enum pawl_status check_name(const char *name, struct pawl_error *err)
{
    if (is_name(name)) return PAWL_OK;
    pawl_fail(err, PAWL_EUSAGE, "\"%.64s\" is no name of a key.", name);
    pawl_hint(err, "Use 1 to %d of a-z, 0-9, _ and -, e.g. `pawl key make ann`.",
              PAWL_KEY_NAME_MAX);
    return PAWL_EUSAGE;
}

/* An operator may read what lies in its project, so no folder above the keys may be one. */
static enum pawl_status check_place(const char *home, struct pawl_error *err)
{
    struct pawl_arena arena = {0};
    enum pawl_status status = PAWL_OK;
    char *folder = pawl_arena_strdup(&arena, home);
    for (char *slash = strrchr(folder, '/'); slash != NULL && status == PAWL_OK;
         slash = strrchr(folder, '/')) {
        *slash = '\0';
        if (!pawl_path_exists(pawl_arena_printf(&arena, "%s/pawl.yaml", folder))) continue;
        status = pawl_fail(err, PAWL_EUSAGE,
                           "Keys would lie in %s, which is in the project %s: operators could read "
                           "them.",
                           home, folder[0] != '\0' ? folder : "/");
        pawl_hint(err, "Set XDG_DATA_HOME to a folder outside of it.");
    }
    pawl_arena_release(&arena);
    return status;
}

static enum pawl_status fail_damaged(const char *path, struct pawl_error *err)
{
    pawl_fail(err, PAWL_EINTEGRITY, "The key file %s is damaged.", path);
    pawl_hint(err, "Restore it from a backup, or make another key and have the policy name that.");
    return PAWL_EINTEGRITY;
}

static enum pawl_status check_mode(const char *path, struct pawl_error *err)
{
    struct stat info;
    if (stat(path, &info) != 0 || (info.st_mode & 077) == 0) return PAWL_OK;
    pawl_fail(err, PAWL_EUSAGE, "Others than you may read the key file %s.", path);
    pawl_hint(err, "chmod 600 it; if others did read it, make another key.");
    return PAWL_EUSAGE;
}

/* --- reading -------------------------------------------------------------------------------------- */

static enum pawl_status fail_absent(const char *home, const char *name, struct pawl_error *err)
{
    struct pawl_arena arena = {0};
    struct pawl_key *keys;
    size_t n = 0;
    const char *names[KEYS_MAX];
    if (pawl_key_list(home, &arena, &keys, &n, NULL) != PAWL_OK) n = 0;
    for (size_t i = 0; i < n; i++) names[i] = keys[i].name;
    const char *nearest = pawl_nearest_word(name, names, n);
    pawl_fail(err, PAWL_ENOTFOUND, "You have no key called \"%.64s\".", name);
    if (nearest != NULL)
        pawl_hint(err, "Did you mean %s? `pawl key list` shows yours.", nearest);
    else
        pawl_hint(err, "`pawl key list` shows yours; `pawl key make NAME` makes one.");
    pawl_arena_release(&arena);
    return PAWL_ENOTFOUND;
}

/* The file as JSON; its text, which may hold the seed, does not stay in memory. */
static enum pawl_status load(const char *home, const char *name, json_t **file,
                             struct pawl_error *err)
{
    struct pawl_arena arena = {0};
    struct pawl_str text;
    PAWL_TRY(check_name(name, err));
    const char *path = pawl_path_join(&arena, home, name);
    enum pawl_status status = pawl_file_read(path, FILE_BYTES_MAX, &arena, &text, err);
    if (status == PAWL_ENOTFOUND) status = fail_absent(home, name, err);
    if (status == PAWL_OK) {
        status = check_mode(path, err);
        if (status == PAWL_OK && pawl_json_parse(text, FILE_BYTES_MAX, file, NULL) != PAWL_OK)
            status = fail_damaged(path, err);
        sodium_memzero((void *)(uintptr_t)text.ptr, text.len);
    }
    pawl_arena_release(&arena);
    return status;
}

static bool describes(const json_t *file, const char *name, struct pawl_key *key)
{
    unsigned char public_key[crypto_sign_PUBLICKEYBYTES];
    *key = (struct pawl_key){.is_locked = json_is_object(json_object_get(file, "locked"))};
    if (strcmp(pawl_json_get_text(file, "kind", ""), "pawl-key") != 0 ||
        pawl_json_get_int(file, "schema", 0) != 1 ||
        strcmp(pawl_json_get_text(file, "name", ""), name) != 0 ||
        !pawl_unhex(pawl_json_get_str(file, "public"), public_key, sizeof public_key))
        return false;
    snprintf(key->name, sizeof key->name, "%s", name);
    pawl_hex(public_key, sizeof public_key, key->public_hex);
    return true;
}

/* Overwrites the texts of a file that hold its seed, open or locked. */
static void forget(json_t *file)
{
    json_t *seed = json_object_get(file, "seed");
    if (seed != NULL)
        sodium_memzero((void *)(uintptr_t)json_string_value(seed), json_string_length(seed));
    json_decref(file);
}

enum pawl_status pawl_key_read(const char *home, const char *name, struct pawl_key *key,
                               struct pawl_error *err)
{
    json_t *file;
    PAWL_TRY(load(home, name, &file, err));
    bool whole = describes(file, name, key);
    forget(file);
    if (whole) return PAWL_OK;
    struct pawl_arena arena = {0};
    enum pawl_status status = fail_damaged(pawl_path_join(&arena, home, name), err);
    pawl_arena_release(&arena);
    return status;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct pawl_key *)a)->name, ((const struct pawl_key *)b)->name);
}

enum pawl_status pawl_key_list(const char *home, struct pawl_arena *arena, struct pawl_key **keys,
                               size_t *n, struct pawl_error *err)
{
    *keys = PAWL_NEW_N(arena, struct pawl_key, KEYS_MAX);
    *n = 0;
    DIR *folder = opendir(home);
    if (folder == NULL && errno == ENOENT) return PAWL_OK;
    if (folder == NULL)
        return pawl_fail_errno(err, PAWL_EWORLD, errno, "The folder of keys %s cannot be read",
                               home);
    for (struct dirent *entry = readdir(folder); entry != NULL && *n < KEYS_MAX;
         entry = readdir(folder)) {
        if (is_name(entry->d_name) &&
            pawl_key_read(home, entry->d_name, &(*keys)[*n], NULL) == PAWL_OK)
            ++*n;
    }
    closedir(folder);
    qsort(*keys, *n, sizeof **keys, by_name);
    return PAWL_OK;
}

/* --- locking -------------------------------------------------------------------------------------- */

static bool stretch(const char *passphrase, const unsigned char *salt, int64_t operations,
                    int64_t memory_bytes, unsigned char key[crypto_secretbox_KEYBYTES])
{
    return crypto_pwhash(key, crypto_secretbox_KEYBYTES, passphrase, strlen(passphrase), salt,
                         (unsigned long long)operations, (size_t)memory_bytes,
                         crypto_pwhash_ALG_ARGON2ID13) == 0;
}

static json_t *hex_json(const unsigned char *bytes, size_t n_bytes)
{
    char hex[2 * BOX_BYTES + 1];
    PAWL_ASSERT(n_bytes <= BOX_BYTES);
    pawl_hex(bytes, n_bytes, hex);
    json_t *text = json_string(hex);
    sodium_memzero(hex, sizeof hex);
    return text;
}

static enum pawl_status lock(const unsigned char seed[SEED_BYTES], const char *passphrase,
                             json_t **locked, struct pawl_error *err)
{
    unsigned char salt[crypto_pwhash_SALTBYTES], nonce[crypto_secretbox_NONCEBYTES];
    unsigned char key[crypto_secretbox_KEYBYTES], box[BOX_BYTES];
    int64_t operations = (int64_t)crypto_pwhash_opslimit_moderate();
    int64_t memory_bytes = (int64_t)crypto_pwhash_memlimit_moderate();
    pawl_secret_bytes(salt, sizeof salt);
    pawl_secret_bytes(nonce, sizeof nonce);
    if (!stretch(passphrase, salt, operations, memory_bytes, key))
        return pawl_fail(err, PAWL_EWORLD, "Locking a key takes %lld MiB of memory.",
                         (long long)(memory_bytes >> 20));
    crypto_secretbox_easy(box, seed, SEED_BYTES, nonce, key);
    sodium_memzero(key, sizeof key);
    *locked =
        json_pack("{s:I, s:o, s:I, s:o, s:o}", "memory_bytes", (json_int_t)memory_bytes, "nonce",
                  hex_json(nonce, sizeof nonce), "operations", (json_int_t)operations, "salt",
                  hex_json(salt, sizeof salt), "seed", hex_json(box, sizeof box));
    return PAWL_OK;
}

static enum pawl_status open_lock(const json_t *locked, const char *name, const char *passphrase,
                                  unsigned char seed[SEED_BYTES], struct pawl_error *err)
{
    unsigned char salt[crypto_pwhash_SALTBYTES], nonce[crypto_secretbox_NONCEBYTES];
    unsigned char key[crypto_secretbox_KEYBYTES], box[BOX_BYTES];
    int64_t operations = pawl_json_get_int(locked, "operations", 0);
    int64_t memory_bytes = pawl_json_get_int(locked, "memory_bytes", 0);
    if (operations < 1 || operations > OPERATIONS_MAX || memory_bytes < 8192 ||
        memory_bytes > MEMORY_BYTES_MAX ||
        !pawl_unhex(pawl_json_get_str(locked, "salt"), salt, sizeof salt) ||
        !pawl_unhex(pawl_json_get_str(locked, "nonce"), nonce, sizeof nonce) ||
        !pawl_unhex(pawl_json_get_str(locked, "seed"), box, sizeof box))
        return fail_damaged(name, err);
    if (passphrase == NULL) {
        pawl_fail(err, PAWL_EUSAGE, "The key \"%s\" is locked with a passphrase.", name);
        pawl_hint(err, "Run it at a terminal, or name the environment variable that holds it with "
                       "--passphrase-env.");
        return PAWL_EUSAGE;
    }
    if (!stretch(passphrase, salt, operations, memory_bytes, key))
        return pawl_fail(err, PAWL_EWORLD, "Unlocking a key takes %lld MiB of memory.",
                         (long long)(memory_bytes >> 20));
    bool opens = crypto_secretbox_open_easy(seed, box, sizeof box, nonce, key) == 0;
    sodium_memzero(key, sizeof key);
    if (opens) return PAWL_OK;
    pawl_fail(err, PAWL_EUSAGE, "This passphrase does not open the key \"%s\".", name);
    pawl_hint(err, "Nothing was signed. Try again; a passphrase that is lost cannot be recovered.");
    return PAWL_EUSAGE;
}

static enum pawl_status open_seed(const json_t *file, const char *name, const char *passphrase,
                                  unsigned char seed[SEED_BYTES], struct pawl_error *err)
{
    const json_t *locked = json_object_get(file, "locked");
    if (locked != NULL) return open_lock(locked, name, passphrase, seed, err);
    if (pawl_unhex(pawl_json_get_str(file, "seed"), seed, SEED_BYTES)) return PAWL_OK;
    return fail_damaged(name, err);
}

enum pawl_status pawl_key_unlock(const char *home, const char *name, const char *passphrase,
                                 struct pawl_signer *signer, struct pawl_error *err)
{
    unsigned char seed[SEED_BYTES];
    struct pawl_key key;
    json_t *file;
    PAWL_TRY(load(home, name, &file, err));
    enum pawl_status status = PAWL_OK;
    if (!describes(file, name, &key)) status = fail_damaged(name, err);
    if (status == PAWL_OK) status = open_seed(file, name, passphrase, seed, err);
    forget(file);
    PAWL_TRY(status);
    pawl_signer_init(signer, seed);
    sodium_memzero(seed, sizeof seed);
    if (strcmp(signer->public_hex, key.public_hex) == 0) return PAWL_OK;
    pawl_signer_wipe(signer);
    return fail_damaged(name, err);
}

/* --- making ---------------------------------------------------------------------------------------- */

static enum pawl_status write_key(const char *home, const struct pawl_key *key, json_t *file,
                                  struct pawl_error *err)
{
    struct pawl_arena arena = {0};
    const char *path = pawl_path_join(&arena, home, key->name);
    enum pawl_status status = pawl_dir_make(home, 0700, err);
    if (status == PAWL_OK && pawl_path_exists(path)) {
        status = pawl_fail(err, PAWL_EUSAGE, "There is a key called \"%s\" already.", key->name);
        pawl_hint(err, "Choose another name; a key is never replaced.");
    }
    if (status == PAWL_OK) {
        char *text = pawl_json_text(file);
        status = pawl_file_write_new(path, pawl_str_of(text), 0600, err);
        sodium_memzero(text, strlen(text));
        free(text);
    }
    pawl_arena_release(&arena);
    return status;
}

enum pawl_status pawl_key_make(const char *home, const char *name, const char *passphrase,
                               struct pawl_key *key, struct pawl_error *err)
{
    unsigned char seed[SEED_BYTES];
    struct pawl_signer signer;
    json_t *locked = NULL;
    PAWL_TRY(check_name(name, err));
    PAWL_TRY(check_place(home, err));
    pawl_secret_bytes(seed, sizeof seed);
    pawl_signer_init(&signer, seed);
    *key = (struct pawl_key){.is_locked = passphrase != NULL};
    snprintf(key->name, sizeof key->name, "%s", name);
    snprintf(key->public_hex, sizeof key->public_hex, "%s", signer.public_hex);
    pawl_signer_wipe(&signer);
    enum pawl_status status = passphrase != NULL ? lock(seed, passphrase, &locked, err) : PAWL_OK;
    json_t *file = json_pack("{s:s, s:s, s:s, s:i}", "kind", "pawl-key", "name", key->name,
                             "public", key->public_hex, "schema", 1);
    if (locked != NULL)
        pawl_json_set(file, "locked", locked);
    else
        pawl_json_set(file, "seed", hex_json(seed, sizeof seed));
    sodium_memzero(seed, sizeof seed);
    if (status == PAWL_OK) status = write_key(home, key, file, err);
    forget(file);
    return status;
}
