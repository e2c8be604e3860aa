/* store.c - opening and closing the store, and reading from it on any thread. */
#include "store/store_private.h"

#include "io/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READERS_IDLE_MAX = 16 };

/* ---- opening ---- */

/* A call has just failed on it, and left errno. */
static enum pawl_status fail_absent(const char *dir, struct pawl_error *err)
{
    if (errno == EACCES) {
        pawl_fail_errno(err, PAWL_EWORLD, errno, "The store %s may not be read", dir);
        pawl_hint(err, "Run pawl as the user who made the project.");
        return PAWL_EWORLD;
    }
    pawl_fail(err, PAWL_ENOTFOUND, "There is no store at %s.", dir);
    pawl_hint(err, "Run `pawl init` in the project folder first.");
    return PAWL_ENOTFOUND;
}

/* Whoever can swap the folder under us can forge the ledger: it must be a real one, and ours. */
static enum pawl_status check_folder(const char *path, struct pawl_error *err)
{
    struct stat st;
    if (lstat(path, &st) != 0) return fail_absent(path, err);
    if (S_ISLNK(st.st_mode)) {
        pawl_fail(err, PAWL_ECONFIG, "%s is a symbolic link; the store must be a real folder.",
                  path);
        pawl_hint(err, "Move the folder itself to this place.");
    } else if (!S_ISDIR(st.st_mode)) {
        pawl_fail(err, PAWL_ECONFIG, "%s is not a folder.", path);
    } else if (st.st_uid != geteuid()) {
        pawl_fail(err, PAWL_ECONFIG, "%s belongs to user %u, and pawl runs as user %u.", path,
                  (unsigned)st.st_uid, (unsigned)geteuid());
        pawl_hint(err, "Run pawl as the user who made the store, or give the folder to this one.");
    } else if (st.st_mode & S_IWOTH) {
        pawl_fail(err, PAWL_ECONFIG, "Every user may write to %s.", path);
        pawl_hint(err, "Take that right away: chmod o-w %s", path);
    } else {
        return PAWL_OK;
    }
    return PAWL_ECONFIG;
}

/* The folders are there and ours, and their real path is known. */
static enum pawl_status open_folders(const char *dir, bool create, struct pawl_store *store,
                                     struct pawl_error *err)
{
    struct stat st;
    if (lstat(dir, &st) != 0) {
        if (errno != ENOENT || !create) return fail_absent(dir, err);
        PAWL_TRY(pawl_dir_make(dir, 0700, err));
    }
    PAWL_TRY(check_folder(dir, err));
    store->dir = realpath(dir, NULL);
    if (!store->dir) return pawl_fail_errno(err, PAWL_EWORLD, errno, "Could not open %s", dir);

    struct pawl_arena call = {0};
    char *objects = pawl_path_join(&call, store->dir, "objects");
    enum pawl_status status = create ? pawl_dir_make(objects, 0700, err) : PAWL_OK;
    if (status == PAWL_OK) status = check_folder(objects, err);
    if (status == PAWL_OK) store->path = pawl_xstrdup(pawl_path_join(&call, store->dir, "pawl.db"));
    pawl_arena_release(&call);
    if (status == PAWL_OK && !create && !pawl_path_exists(store->path))
        return fail_absent(dir, err);
    return status;
}

static enum pawl_status open_database(struct pawl_store *store, bool create, struct pawl_error *err)
{
    struct pawl_sql *sql;
    PAWL_TRY(pawl_sql_open(store->path, create ? PAWL_SQL_CREATE : PAWL_SQL_WRITE, &sql, err));
    enum pawl_status status = pawl_schema_migrate(sql, err);
    if (status == PAWL_OK) status = pawl_writer_open(sql, &store->writer, err);
    if (status != PAWL_OK) pawl_sql_close(sql);
    return status;
}

static void free_store(struct pawl_store *store)
{
    pthread_mutex_destroy(&store->lock);
    free(store->path);
    free(store->dir);
    free(store);
}

enum pawl_status pawl_store_open(const char *dir, bool create, struct pawl_store **out,
                                 struct pawl_error *err)
{
    struct pawl_store *store = pawl_xcalloc(1, sizeof *store);
    pthread_mutex_init(&store->lock, NULL);
    enum pawl_status status = open_folders(dir, create, store, err);
    if (status == PAWL_OK) status = open_database(store, create, err);
    if (status != PAWL_OK) {
        free_store(store);
        return status;
    }
    *out = store;
    return PAWL_OK;
}

void pawl_store_close(struct pawl_store *store)
{
    if (!store) return;
    while (store->idle) {
        struct pawl_sql *reader = store->idle;
        store->idle = reader->next;
        pawl_sql_close(reader);
    }
    pawl_writer_close(store->writer);
    free_store(store);
}

const char *pawl_store_dir(const struct pawl_store *store)
{
    return store->dir;
}

enum pawl_status pawl_store_flush(struct pawl_store *store, struct pawl_error *err)
{
    return pawl_writer_flush(store->writer, PAWL_WAIT_DISK, err);
}

/* ---- reading ---- */

/*
 * A reader is opened when all others are busy and kept for the next one who needs it. Nobody waits
 * for a reader, so a reader's callback may read again without a deadlock.
 */
static enum pawl_status take_reader(struct pawl_store *store, struct pawl_sql **reader,
                                    struct pawl_error *err)
{
    pthread_mutex_lock(&store->lock);
    *reader = store->idle;
    if (*reader) {
        store->idle = (*reader)->next;
        store->n_idle--;
    }
    pthread_mutex_unlock(&store->lock);
    return *reader ? PAWL_OK : pawl_sql_open(store->path, PAWL_SQL_READ, reader, err);
}

static void give_reader(struct pawl_store *store, struct pawl_sql *reader)
{
    pthread_mutex_lock(&store->lock);
    bool keep = store->n_idle < READERS_IDLE_MAX;
    if (keep) {
        reader->next = store->idle;
        store->idle = reader;
        store->n_idle++;
    }
    pthread_mutex_unlock(&store->lock);
    if (!keep) pawl_sql_close(reader);
}

enum pawl_status pawl_store_each(struct pawl_store *store, enum pawl_sql_id id,
                                 const struct pawl_value *values, size_t n, pawl_row_each each,
                                 void *context, struct pawl_error *err)
{
    struct pawl_sql *reader;
    PAWL_TRY(take_reader(store, &reader, err));
    enum pawl_status status = pawl_sql_each(reader, id, values, n, each, context, err);
    give_reader(store, reader);
    return status;
}

static enum pawl_status parse_column(sqlite3_stmt *row, json_t **out, struct pawl_error *err)
{
    struct pawl_error why;
    struct pawl_str text = pawl_column(row, 0);
    if (pawl_json_parse(text, PAWL_STORE_JSON_MAX, out, &why) == PAWL_OK) return PAWL_OK;
    return pawl_fail(err, PAWL_EINTEGRITY, "The store holds a broken record: %s", why.message);
}

static enum pawl_status get_json(void *context, sqlite3_stmt *row, struct pawl_error *err)
{
    return parse_column(row, context, err);
}

static enum pawl_status append_json(void *context, sqlite3_stmt *row, struct pawl_error *err)
{
    json_t *value;
    PAWL_TRY(parse_column(row, &value, err));
    json_array_append_new(context, value);
    return PAWL_OK;
}

enum pawl_status pawl_store_json_get(struct pawl_store *store, enum pawl_sql_id id,
                                     const struct pawl_value *values, size_t n, json_t **out,
                                     struct pawl_error *err)
{
    *out = NULL;
    return pawl_store_each(store, id, values, n, get_json, out, err);
}

enum pawl_status pawl_store_json_list(struct pawl_store *store, enum pawl_sql_id id,
                                      const struct pawl_value *values, size_t n, json_t **out,
                                      struct pawl_error *err)
{
    *out = json_array();
    enum pawl_status status = pawl_store_each(store, id, values, n, append_json, *out, err);
    if (status == PAWL_OK) return PAWL_OK;
    json_decref(*out);
    *out = NULL;
    return status;
}

enum pawl_status pawl_row_id(void *hex, sqlite3_stmt *row, struct pawl_error *err)
{
    struct pawl_str id = pawl_column(row, 0);
    if (id.len >= PAWL_HASH_HEX)
        return pawl_fail(err, PAWL_EINTEGRITY, "The store holds an id of %zu characters.", id.len);
    snprintf(hex, PAWL_HASH_HEX, PAWL_STR_FMT, PAWL_STR_ARG(id));
    return PAWL_OK;
}
