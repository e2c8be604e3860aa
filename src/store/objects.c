/*
 * objects.c - bytes by their hash: small ones as rows, large ones as files that a row points to.
 *
 * Invariant: a file is whole on the disk before its row exists, so every row can be read.
 */
#include "store/store_private.h"

#include "io/file.h"

#include <sys/stat.h>

enum { INLINE_MAX_BYTES = 64 << 10, OBJECT_MAX_BYTES = 1 << 30 };

static char *object_path(const struct pawl_store *store, struct pawl_arena *arena,
                         const struct pawl_hash *hash)
{
    char hex[PAWL_HASH_HEX];
    pawl_hash_hex(hash, hex);
    return pawl_arena_printf(arena, "%s/objects/%.2s/%s", store->dir, hex, hex + 2);
}

static enum pawl_status write_file(const struct pawl_store *store, const struct pawl_hash *hash,
                                   struct pawl_str body, struct pawl_error *err)
{
    struct pawl_arena call = {0};
    char *path = object_path(store, &call, hash);
    char *folder = pawl_arena_printf(&call, "%.*s", (int)(strrchr(path, '/') - path), path);
    struct stat st;
    enum pawl_status status;
    if (stat(path, &st) == 0 && (size_t)st.st_size == body.len) {
        status = pawl_dir_sync(folder, err); /* whoever wrote it may have been killed before that */
    } else {
        status = pawl_dir_make(folder, 0700, err);
        if (status == PAWL_OK) status = pawl_file_write_atomic(path, body, 0600, err);
    }
    pawl_arena_release(&call);
    return status;
}

enum pawl_status pawl_store_object_put(struct pawl_store *store, struct pawl_str body, bool durable,
                                       struct pawl_hash *hash, struct pawl_error *err)
{
    if (body.len > OBJECT_MAX_BYTES)
        return pawl_fail(err, PAWL_ETOOBIG, "An object of %zu bytes is over %d MiB.", body.len,
                         OBJECT_MAX_BYTES >> 20);
    *hash = pawl_hash_str(body);
    struct pawl_value values[] = {pawl_value_blob(hash->bytes, sizeof hash->bytes),
                                  pawl_value_blob(body.ptr, body.len)};
    if (body.len > INLINE_MAX_BYTES) {
        PAWL_TRY(write_file(store, hash, body, err));
        values[1] = pawl_value_text(NULL);
    }
    return pawl_writer_row(store->writer, durable ? PAWL_WAIT_DISK : PAWL_WAIT_IDLE,
                           PAWL_SQL_OBJECT_PUT, values, 2, err);
}

struct found {
    struct pawl_arena *arena;
    struct pawl_str body;
    bool found;
};

static enum pawl_status copy_body(void *context, sqlite3_stmt *row, struct pawl_error *err)
{
    (void)err;
    struct found *found = context;
    struct pawl_str body = pawl_column(row, 0);
    found->found = true;
    if (body.ptr) found->body = pawl_arena_copy(found->arena, body);
    return PAWL_OK;
}

static enum pawl_status find_object(struct pawl_store *store, const struct pawl_hash *hash,
                                    struct found *found, struct pawl_error *err)
{
    struct pawl_value key = pawl_value_blob(hash->bytes, sizeof hash->bytes);
    PAWL_TRY(pawl_store_each(store, PAWL_SQL_OBJECT_GET, &key, 1, copy_body, found, err));
    if (!found->found || found->body.ptr) return PAWL_OK;
    struct pawl_arena call = {0};
    char *path = object_path(store, &call, hash);
    enum pawl_status status =
        pawl_file_read(path, OBJECT_MAX_BYTES, found->arena, &found->body, err);
    pawl_arena_release(&call);
    if (status != PAWL_ENOTFOUND) return status;
    return pawl_fail(err, PAWL_EINTEGRITY, "An object's file is missing in %s/objects.",
                     store->dir);
}

enum pawl_status pawl_store_object_get(struct pawl_store *store, struct pawl_arena *arena,
                                       const struct pawl_hash *hash, struct pawl_str *body,
                                       struct pawl_error *err)
{
    char hex[PAWL_HASH_HEX];
    pawl_hash_hex(hash, hex);
    struct found found = {.arena = arena};
    PAWL_TRY(find_object(store, hash, &found, err));
    if (!found.found) { /* perhaps it is still in the queue */
        PAWL_TRY(pawl_writer_flush(store->writer, PAWL_WAIT_KERNEL, err));
        PAWL_TRY(find_object(store, hash, &found, err));
    }
    if (!found.found) return pawl_fail(err, PAWL_ENOTFOUND, "The store has no object %.12s.", hex);
    struct pawl_hash actual = pawl_hash_str(found.body);
    if (!pawl_hash_eq(&actual, hash))
        return pawl_fail(err, PAWL_EINTEGRITY, "The object %.12s in %s has been changed.", hex,
                         store->dir);
    *body = found.body;
    return PAWL_OK;
}

enum pawl_status pawl_store_answer_get(struct pawl_store *store, struct pawl_arena *arena,
                                       const struct pawl_hash *key, struct pawl_str *body,
                                       struct pawl_error *err)
{
    struct found found = {.arena = arena};
    struct pawl_value value = pawl_value_blob(key->bytes, sizeof key->bytes);
    PAWL_TRY(pawl_store_each(store, PAWL_SQL_ANSWER_GET, &value, 1, copy_body, &found, err));
    *body = found.body;
    return PAWL_OK;
}

enum pawl_status pawl_store_answer_put(struct pawl_store *store, const struct pawl_hash *key,
                                       struct pawl_str body, struct pawl_error *err)
{
    struct pawl_value values[] = {pawl_value_blob(key->bytes, sizeof key->bytes),
                                  pawl_value_blob(body.ptr, body.len)};
    return pawl_writer_row(store->writer, PAWL_WAIT_LAZY, PAWL_SQL_ANSWER_PUT, values, 2, err);
}
