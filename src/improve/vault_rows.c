/*
 * Rows of fixed size in one SQLite file, encrypted before SQLite sees them.
 *
 *     row(id INTEGER PRIMARY KEY, body BLOB)      id = kind << 32 | k
 *     body = nonce (24) | XChaCha20-Poly1305( length (8) | content | zeros )     AD = vault, id, version
 *
 * A row is made once with its full size and later overwritten in place (incremental blob I/O), so
 * the file neither grows nor shrinks, and its size follows from the capacities alone.
 *
 * Journal: mode DELETE. It survives SIGKILL and power loss (MEMORY would not) and leaves no file
 * between changes (PERSIST and WAL would, of a size and time that tell what was last written).
 * While a change is under way, vault.db-journal holds old pages, which are ciphertext, and as many
 * as the rows being written, which depends on the kind of change and never on what is in it.
 *
 * The nonce is a keyed hash of row, version and content: no random source to fail or repeat, and
 * two contents never share a nonce.
 */
#include "improve/vault.h"

#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum {
    NONCE_BYTES = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    TAG_BYTES = crypto_aead_xchacha20poly1305_ietf_ABYTES,
    LENGTH_BYTES = 8,
    OVERHEAD_BYTES = NONCE_BYTES + TAG_BYTES + LENGTH_BYTES,
    AD_MAX = 128,
    BUSY_MS = 10000,
};

/* On pages of its own that are locked where little memory may be: mlockall() was before it, and may have failed. */
struct pawl_vault_rows {
    sqlite3 *db;
    char id[PAWL_VAULT_ID_HEX];
    unsigned char encrypt[32], nonce[32];
};

static enum pawl_status fail_db(struct pawl_vault_rows *rows, const char *doing,
                                struct pawl_error *err)
{
    int code = sqlite3_errcode(rows->db) & 0xff;
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB) {
        pawl_fail(err, PAWL_EINTEGRITY, "The sealed store is damaged (%s).",
                  sqlite3_errmsg(rows->db));
        pawl_hint(err, "Restore .pawl/sealed/vault.db from a backup that is as new as the vault's "
                       "counter, or start over with fresh cases.");
        return PAWL_EINTEGRITY;
    }
    pawl_fail(err, PAWL_EWORLD, "Could not %s the sealed store: %s.", doing,
              sqlite3_errmsg(rows->db));
    if (code == SQLITE_FULL) pawl_hint(err, "Free some space on that disk, then try again.");
    return PAWL_EWORLD;
}

static enum pawl_status execute(struct pawl_vault_rows *rows, const char *sql, const char *doing,
                                struct pawl_error *err)
{
    if (sqlite3_exec(rows->db, sql, NULL, NULL, NULL) == SQLITE_OK) return PAWL_OK;
    return fail_db(rows, doing, err);
}

enum pawl_status pawl_vault_rows_open(const char *path, bool create, struct pawl_vault_rows **out,
                                      struct pawl_error *err)
{
    struct pawl_vault_rows *rows = sodium_malloc(sizeof *rows);
    if (rows == NULL)
        return pawl_fail(err, PAWL_EWORLD, "There is no memory for the vault's keys.");
    *rows = (struct pawl_vault_rows){0};
    int flags = SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0);
    enum pawl_status status = PAWL_OK;
    if (sqlite3_open_v2(path, &rows->db, flags, NULL) != SQLITE_OK)
        status = fail_db(rows, "open", err);
    if (status == PAWL_OK) {
        sqlite3_busy_timeout(rows->db, BUSY_MS);
        status = execute(rows,
                         "PRAGMA journal_mode=DELETE; PRAGMA synchronous=EXTRA;"
                         "PRAGMA temp_store=MEMORY;",
                         "open", err);
    }
    if (status == PAWL_OK && create)
        status = execute(rows, "CREATE TABLE row(id INTEGER PRIMARY KEY, body BLOB NOT NULL)",
                         "make", err);
    if (status == PAWL_OK && create && chmod(path, 0600) != 0)
        status = pawl_fail(err, PAWL_EWORLD, "Could not protect %s.", path);
    if (status == PAWL_OK)
        *out = rows;
    else
        pawl_vault_rows_close(rows);
    return status;
}

void pawl_vault_rows_close(struct pawl_vault_rows *rows)
{
    if (rows == NULL) return;
    sqlite3_close(rows->db);
    sodium_free(rows);
}

enum pawl_status pawl_vault_rows_begin(struct pawl_vault_rows *rows, struct pawl_error *err)
{
    return execute(rows, "BEGIN IMMEDIATE", "write", err);
}

enum pawl_status pawl_vault_rows_commit(struct pawl_vault_rows *rows, struct pawl_error *err)
{
    return execute(rows, "COMMIT", "write", err);
}

/* --- bodies ------------------------------------------------------------------------------------ */

static sqlite3_int64 row_id(enum pawl_vault_row kind, uint64_t k)
{
    return (sqlite3_int64)((uint64_t)kind << 32 | k);
}

/* A row of zeros of that size, unless there is one. */
static enum pawl_status make_room(struct pawl_vault_rows *rows, sqlite3_int64 id, size_t n_bytes,
                                  struct pawl_error *err)
{
    sqlite3_stmt *statement;
    const char *sql = "INSERT INTO row(id, body) VALUES(?1, zeroblob(?2)) "
                      "ON CONFLICT(id) DO UPDATE SET body = excluded.body "
                      "WHERE length(body) <> ?2";
    if (sqlite3_prepare_v2(rows->db, sql, -1, &statement, NULL) != SQLITE_OK)
        return fail_db(rows, "write", err);
    sqlite3_bind_int64(statement, 1, id);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)n_bytes);
    sqlite3_step(statement);
    return sqlite3_finalize(statement) == SQLITE_OK ? PAWL_OK : fail_db(rows, "write", err);
}

static enum pawl_status write_body(struct pawl_vault_rows *rows, sqlite3_int64 id,
                                   const unsigned char *body, size_t n_bytes,
                                   struct pawl_error *err)
{
    sqlite3_blob *blob = NULL;
    PAWL_TRY(make_room(rows, id, n_bytes, err));
    enum pawl_status status = PAWL_OK;
    if (sqlite3_blob_open(rows->db, "main", "row", "body", id, 1, &blob) != SQLITE_OK ||
        sqlite3_blob_write(blob, body, (int)n_bytes, 0) != SQLITE_OK)
        status = fail_db(rows, "write", err);
    sqlite3_blob_close(blob);
    return status;
}

/* Gives *body NULL when there is no such row; else n_bytes of it, to be freed. */
static enum pawl_status read_body(struct pawl_vault_rows *rows, sqlite3_int64 id,
                                  unsigned char **body, size_t *n_bytes, struct pawl_error *err)
{
    sqlite3_stmt *statement;
    *body = NULL;
    if (sqlite3_prepare_v2(rows->db, "SELECT body FROM row WHERE id = ?1", -1, &statement, NULL) !=
        SQLITE_OK)
        return fail_db(rows, "read", err);
    sqlite3_bind_int64(statement, 1, id);
    if (sqlite3_step(statement) == SQLITE_ROW) {
        *n_bytes = (size_t)sqlite3_column_bytes(statement, 0);
        *body = pawl_xmalloc(*n_bytes + 1);
        if (*n_bytes > 0) memcpy(*body, sqlite3_column_blob(statement, 0), *n_bytes);
    }
    return sqlite3_finalize(statement) == SQLITE_OK ? PAWL_OK : fail_db(rows, "read", err);
}

enum pawl_status pawl_vault_rows_set_id(struct pawl_vault_rows *rows, const char *id,
                                        struct pawl_error *err)
{
    return write_body(rows, row_id(PAWL_VAULT_ROW_ID, 0), (const unsigned char *)id,
                      PAWL_VAULT_ID_HEX - 1, err);
}

enum pawl_status pawl_vault_rows_get_id(struct pawl_vault_rows *rows, char id[PAWL_VAULT_ID_HEX],
                                        struct pawl_error *err)
{
    unsigned char *body, check[(PAWL_VAULT_ID_HEX - 1) / 2];
    size_t n_bytes = 0;
    PAWL_TRY(read_body(rows, row_id(PAWL_VAULT_ROW_ID, 0), &body, &n_bytes, err));
    struct pawl_str text = {(const char *)body, body != NULL ? n_bytes : 0};
    bool good = text.len == PAWL_VAULT_ID_HEX - 1 && pawl_unhex(text, check, sizeof check);
    if (good) snprintf(id, PAWL_VAULT_ID_HEX, PAWL_STR_FMT, PAWL_STR_ARG(text));
    free(body);
    if (good) return PAWL_OK;
    return pawl_fail(err, PAWL_EINTEGRITY, "The sealed store does not say whose it is.");
}

void pawl_vault_rows_use(struct pawl_vault_rows *rows, const char *id,
                         const struct pawl_vault_keys *keys)
{
    snprintf(rows->id, sizeof rows->id, "%s", id);
    memcpy(rows->encrypt, keys->encrypt, sizeof rows->encrypt);
    memcpy(rows->nonce, keys->nonce, sizeof rows->nonce);
}

/* --- encryption -------------------------------------------------------------------------------- */

static struct pawl_str identity(const struct pawl_vault_rows *rows, enum pawl_vault_row kind,
                                uint64_t k, uint64_t version, char out[AD_MAX])
{
    int len = snprintf(out, AD_MAX, "pawl vault %s row %d %llu version %llu", rows->id, (int)kind,
                       (unsigned long long)k, (unsigned long long)version);
    return (struct pawl_str){out, (size_t)len};
}

static void make_nonce(const struct pawl_vault_rows *rows, struct pawl_str ad,
                       const unsigned char *plain, size_t n_bytes, unsigned char *nonce)
{
    struct pawl_hash content = pawl_hash_bytes(plain, n_bytes);
    char text[AD_MAX + PAWL_HASH_BYTES];
    memcpy(text, ad.ptr, ad.len);
    memcpy(text + ad.len, content.bytes, sizeof content.bytes);
    struct pawl_hash keyed =
        pawl_hash_keyed(rows->nonce, (struct pawl_str){text, ad.len + sizeof content.bytes});
    memcpy(nonce, keyed.bytes, NONCE_BYTES);
}

enum pawl_status pawl_vault_rows_put(struct pawl_vault_rows *rows, enum pawl_vault_row kind,
                                     uint64_t k, uint64_t version, struct pawl_str content,
                                     size_t capacity_bytes, struct pawl_error *err)
{
    if (content.len > capacity_bytes)
        return pawl_fail(err, PAWL_ETOOBIG, "A sealed row would have %zu bytes, more than %zu.",
                         content.len, capacity_bytes);
    char ad_text[AD_MAX];
    struct pawl_str ad = identity(rows, kind, k, version, ad_text);
    size_t plain_bytes = LENGTH_BYTES + capacity_bytes;
    unsigned char *plain = pawl_xcalloc(1, plain_bytes);
    unsigned char *body = pawl_xmalloc(capacity_bytes + OVERHEAD_BYTES);
    for (int i = 0; i < LENGTH_BYTES; i++) plain[i] = (unsigned char)(content.len >> 8 * i);
    if (content.len > 0) memcpy(plain + LENGTH_BYTES, content.ptr, content.len);
    make_nonce(rows, ad, plain, plain_bytes, body);
    crypto_aead_xchacha20poly1305_ietf_encrypt(body + NONCE_BYTES, NULL, plain, plain_bytes,
                                               (const unsigned char *)ad.ptr, ad.len, NULL, body,
                                               rows->encrypt);
    enum pawl_status status =
        write_body(rows, row_id(kind, k), body, capacity_bytes + OVERHEAD_BYTES, err);
    sodium_memzero(plain, plain_bytes);
    free(plain);
    free(body);
    return status;
}

/* Decrypt body into plain; false when it is not what was written there. */
static bool open_body(const struct pawl_vault_rows *rows, struct pawl_str ad,
                      const unsigned char *body, size_t n_bytes, unsigned char *plain,
                      size_t *content_bytes)
{
    if (n_bytes < OVERHEAD_BYTES) return false;
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(
            plain, NULL, NULL, body + NONCE_BYTES, n_bytes - NONCE_BYTES,
            (const unsigned char *)ad.ptr, ad.len, body, rows->encrypt) != 0)
        return false;
    *content_bytes = 0;
    for (int i = 0; i < LENGTH_BYTES; i++) *content_bytes |= (size_t)plain[i] << 8 * i;
    return *content_bytes <= n_bytes - OVERHEAD_BYTES;
}

enum pawl_status pawl_vault_rows_get(struct pawl_vault_rows *rows, struct pawl_arena *arena,
                                     enum pawl_vault_row kind, uint64_t k, uint64_t version,
                                     struct pawl_str *content, struct pawl_error *err)
{
    char ad_text[AD_MAX];
    unsigned char *body;
    size_t n_bytes = 0, content_bytes = 0;
    PAWL_TRY(read_body(rows, row_id(kind, k), &body, &n_bytes, err));
    struct pawl_str ad = identity(rows, kind, k, version, ad_text);
    unsigned char *plain = pawl_arena_alloc(arena, n_bytes + 1, 1);
    bool good = body != NULL && open_body(rows, ad, body, n_bytes, plain, &content_bytes);
    free(body);
    if (!good) {
        pawl_fail(err, PAWL_EINTEGRITY, "A row of the sealed store was changed or put back.");
        pawl_hint(err, "Somebody other than the vault wrote to .pawl/sealed/vault.db; restore it, "
                       "or start over with fresh cases.");
        return PAWL_EINTEGRITY;
    }
    *content = (struct pawl_str){(const char *)plain + LENGTH_BYTES, content_bytes};
    return PAWL_OK;
}
