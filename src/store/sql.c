#include "store/sql.h"

#include "base/arena.h"

#include <errno.h>
#include <stdlib.h>

enum {
    BUSY_MS = 30000,
    CACHE_KIB = 16 << 10,    /* of the writer's connection */
    CHECKPOINT_PAGES = 4096, /* the log is copied into the database when it is so long */
};

static const char *const texts[] = {
#define X(name, text) text,
    PAWL_SQL_LIST(X)
#undef X
};

static enum pawl_status fail_disk(const struct pawl_sql *sql, int code, struct pawl_error *err)
{
    int errnum = sqlite3_system_errno(sql->db);
    if (code == SQLITE_FULL || errnum == ENOSPC || errnum == EDQUOT) {
        pawl_fail(err, PAWL_EWORLD, "The disk that holds %s is full.", sql->path);
        pawl_hint(err, "Free some space there, then run the same command again; nothing was half "
                       "written.");
        return PAWL_EWORLD;
    }
    if (errnum != 0)
        pawl_fail_errno(err, PAWL_EWORLD, errnum, "Could not read or write %s", sql->path);
    else
        pawl_fail(err, PAWL_EWORLD, "Could not read or write %s: %s.", sql->path,
                  sqlite3_errmsg(sql->db));
    pawl_hint(err,
              "Check the disk and the rights on this folder, then run the same command again.");
    return PAWL_EWORLD;
}

enum pawl_status pawl_sql_fail(struct pawl_sql *sql, struct pawl_error *err)
{
    sql->broken = true;
    int code = sqlite3_errcode(sql->db);
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        pawl_fail(err, PAWL_EWORLD, "Another process has kept %s locked for %d seconds.", sql->path,
                  BUSY_MS / 1000);
        pawl_hint(err, "Wait for it or stop it, then run the same command again.");
        return PAWL_EWORLD;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        pawl_fail(err, PAWL_EINTEGRITY, "%s is damaged: %s.", sql->path, sqlite3_errmsg(sql->db));
        pawl_hint(err, "Restore the store from a copy.");
        return PAWL_EINTEGRITY;
    case SQLITE_TOOBIG:
        return pawl_fail(err, PAWL_ETOOBIG, "A value is too big for %s.", sql->path);
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
        PAWL_BUG("%s: %s", sql->path, sqlite3_errmsg(sql->db));
    default:
        return fail_disk(sql, code & 0xff, err);
    }
}

/* Turning the write-ahead log on needs the file alone for a moment and does not wait for it, so two
 * processes that open a new store at once must try again. */
static int use_wal(sqlite3 *db)
{
    int code = SQLITE_BUSY;
    for (int tries = 0; tries < BUSY_MS / 10 && code == SQLITE_BUSY; tries++) {
        if (tries > 0) sqlite3_sleep(10);
        code = sqlite3_exec(db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL) & 0xff;
    }
    return code;
}

/*
 * synchronous = NORMAL: a commit hands its pages to the kernel, and what must be on the disk is
 * synced explicitly (pawl_sql_sync), so that the writer decides when. The log is still synced by
 * SQLite before it is copied into the database.
 *
 * Rows have hashes for keys, so that each one changes a page of its own once the tables are large. A
 * log that is copied seldom holds such a page many times and copies it once; a cache that holds the
 * inner pages and many of the outer ones need not read them again.
 */
static enum pawl_status configure(struct pawl_sql *sql, enum pawl_sql_mode mode,
                                  struct pawl_error *err)
{
    sqlite3_extended_result_codes(sql->db, 1);
    sqlite3_busy_timeout(sql->db, BUSY_MS);
    sqlite3_db_config(sql->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(sql->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    int code = SQLITE_OK;
    if (mode == PAWL_SQL_READ) {
        code = sqlite3_exec(sql->db, "PRAGMA query_only = 1", NULL, NULL, NULL);
    } else {
        code = use_wal(sql->db);
        char settings[128];
        sqlite3_snprintf(sizeof settings, settings,
                         "PRAGMA synchronous = NORMAL; PRAGMA cache_size = -%d;"
                         "PRAGMA wal_autocheckpoint = %d",
                         CACHE_KIB, CHECKPOINT_PAGES);
        if (code == SQLITE_OK) code = sqlite3_exec(sql->db, settings, NULL, NULL, NULL);
        sqlite3_limit(sql->db, SQLITE_LIMIT_ATTACHED, 0);
    }
    return code == SQLITE_OK ? PAWL_OK : pawl_sql_fail(sql, err);
}

enum pawl_status pawl_sql_open(const char *path, enum pawl_sql_mode mode, struct pawl_sql **out,
                               struct pawl_error *err)
{
    struct pawl_sql *sql = pawl_xcalloc(1, sizeof *sql);
    sql->path = path;
    /* A reader too opens for writing: it must be able to recover the log after a crash. */
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
    if (mode == PAWL_SQL_CREATE) flags |= SQLITE_OPEN_CREATE;
    enum pawl_status status = PAWL_OK;
    if (sqlite3_open_v2(path, &sql->db, flags, NULL) != SQLITE_OK) status = pawl_sql_fail(sql, err);
    if (status == PAWL_OK) status = configure(sql, mode, err);
    if (status != PAWL_OK) {
        pawl_sql_close(sql);
        return status;
    }
    *out = sql;
    return PAWL_OK;
}

void pawl_sql_close(struct pawl_sql *sql)
{
    if (!sql) return;
    for (int i = 0; i < PAWL_SQL_NONE; i++) sqlite3_finalize(sql->statements[i]);
    sqlite3_close(sql->db);
    free(sql);
}

static int bind(sqlite3_stmt *statement, int i, const struct pawl_value *value)
{
    switch (value->type) {
    case SQLITE_INTEGER:
        return sqlite3_bind_int64(statement, i, value->number);
    case SQLITE_TEXT:
        return sqlite3_bind_text64(statement, i, value->bytes.ptr, value->bytes.len, SQLITE_STATIC,
                                   SQLITE_UTF8);
    case SQLITE_BLOB:
        /* A NULL pointer would bind SQL's NULL instead of an empty blob. */
        return sqlite3_bind_blob64(statement, i, value->bytes.len > 0 ? value->bytes.ptr : "",
                                   value->bytes.len, SQLITE_STATIC);
    default:
        return sqlite3_bind_null(statement, i);
    }
}

static sqlite3_stmt *prepared(struct pawl_sql *sql, enum pawl_sql_id id)
{
    if (!sql->statements[id])
        sqlite3_prepare_v3(sql->db, texts[id], -1, SQLITE_PREPARE_PERSISTENT, &sql->statements[id],
                           NULL);
    return sql->statements[id];
}

enum pawl_status pawl_sql_each(struct pawl_sql *sql, enum pawl_sql_id id,
                               const struct pawl_value *values, size_t n, pawl_row_each each,
                               void *context, struct pawl_error *err)
{
    sqlite3_stmt *statement = prepared(sql, id);
    if (!statement) return pawl_sql_fail(sql, err);
    enum pawl_status status = PAWL_OK;
    int code = SQLITE_OK;
    for (size_t i = 0; i < n && code == SQLITE_OK; i++)
        code = bind(statement, (int)i + 1, &values[i]);
    if (code == SQLITE_OK) {
        while ((code = sqlite3_step(statement)) == SQLITE_ROW && status == PAWL_OK)
            if (each) status = each(context, statement, err);
        if (code == SQLITE_DONE || code == SQLITE_ROW) code = SQLITE_OK;
    }
    if (code != SQLITE_OK && status == PAWL_OK) status = pawl_sql_fail(sql, err);
    sqlite3_reset(statement);
    return status;
}

enum pawl_status pawl_sql_sync(struct pawl_sql *sql, struct pawl_error *err)
{
    sqlite3_file *log = NULL;
    int code = sqlite3_file_control(sql->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    if (code == SQLITE_OK && log && log->pMethods)
        code = log->pMethods->xSync(log, SQLITE_SYNC_NORMAL);
    if (code == SQLITE_OK) return PAWL_OK;
    sql->broken = true;
    return pawl_fail_errno(err, PAWL_EWORLD, errno, "Could not bring %s to the disk", sql->path);
}
