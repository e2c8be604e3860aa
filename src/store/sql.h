/*
 * sql.h - one connection to the store's database, and every statement that is ever run on it.
 * Private to the store.
 *
 * Invariants
 *   1. A connection belongs to one thread at a time.
 *   2. A statement is prepared once per connection and is reset before pawl_sql_each returns, so no
 *      connection keeps a read transaction open.
 */
#ifndef PAWL_STORE_SQL_H
#define PAWL_STORE_SQL_H

#include "base/error.h"
#include "base/str.h"

#include <sqlite3.h>
#include <stdint.h>

#define PAWL_SQL_LIST(X)                                                                           \
    X(BEGIN, "BEGIN IMMEDIATE")                                                                    \
    X(COMMIT, "COMMIT")                                                                            \
    X(ROLLBACK, "ROLLBACK")                                                                        \
    X(SAVEPOINT, "SAVEPOINT one")                                                                  \
    X(ROLLBACK_TO, "ROLLBACK TO one")                                                              \
    X(RELEASE, "RELEASE one")                                                                      \
    X(OBJECT_PUT, "INSERT OR IGNORE INTO object(hash, body) VALUES(?1, ?2)")                       \
    X(OBJECT_GET, "SELECT body FROM object WHERE hash = ?1")                                       \
    X(ARTIFACT_PUT, "INSERT OR IGNORE INTO artifact(hash, created_ms, manifest)"                   \
                    " VALUES(?1, ?2, ?3)")                                                         \
    X(ARTIFACT_GET, "SELECT manifest FROM artifact WHERE hash = ?1")                               \
    X(ARTIFACT_FIND, "SELECT hash FROM artifact WHERE hash >= ?1 AND hash < ?1 || 'g'"             \
                     " ORDER BY hash LIMIT 2")                                                     \
    X(CASE_PUT, "INSERT INTO case_(id, tier, cluster, body) VALUES(?1, ?2, ?3, ?4)")               \
    X(CASE_FIND, "SELECT 1 FROM case_ WHERE id = ?1")                                              \
    X(CASES_GET, "SELECT body FROM case_ WHERE tier = ?1 ORDER BY ordinal")                        \
    X(RUN_PUT, "INSERT INTO run(id, body) VALUES(?1, ?2)"                                          \
               " ON CONFLICT(id) DO UPDATE SET body = excluded.body")                              \
    X(RUN_GET, "SELECT body FROM run WHERE id = ?1")                                               \
    X(RUN_FIND, "SELECT id FROM run WHERE substr(id, 1, length(?1)) = ?1 ORDER BY id LIMIT 2")     \
    X(RUN_LAST, "SELECT id FROM run ORDER BY ordinal DESC LIMIT 1")                                \
    X(RUNS, "SELECT body FROM run ORDER BY ordinal")                                               \
    X(CANDIDATE_PUT, "INSERT INTO candidate(run, ordinal, artifact, body) VALUES(?1, ?2, ?3, ?4)"  \
                     " ON CONFLICT(run, ordinal) DO UPDATE SET artifact = excluded.artifact, "     \
                     "body = excluded.body")                                                       \
    X(CANDIDATES, "SELECT body FROM candidate WHERE run = ?1 ORDER BY ordinal")                    \
    X(CANDIDATES_OF, "SELECT body FROM candidate WHERE artifact = ?1 ORDER BY rowid DESC")         \
    X(LEDGER_HEAD, "SELECT seq, hash, ts_ms FROM ledger ORDER BY seq DESC LIMIT 1")                \
    X(LEDGER_PUT, "INSERT INTO ledger(seq, kind, ts_ms, record, hash) VALUES(?1, ?2, ?3, ?4, ?5)") \
    X(LEDGER, "SELECT seq, kind, record, hash FROM ledger ORDER BY seq")                           \
    X(POINTER_GET, "SELECT artifact FROM pointer WHERE name = ?1")                                 \
    X(POINTER_PUT, "INSERT OR REPLACE INTO pointer(name, artifact) VALUES(?1, ?2)")                \
    X(ANSWER_GET, "SELECT body FROM answer WHERE key = ?1")                                        \
    X(ANSWER_PUT, "INSERT OR REPLACE INTO answer(key, body) VALUES(?1, ?2)")                       \
    X(META_GET, "SELECT value FROM meta WHERE key = ?1")                                           \
    X(META_PUT, "INSERT OR REPLACE INTO meta(key, value) VALUES(?1, ?2)")

enum pawl_sql_id {
#define X(name, text) PAWL_SQL_##name,
    PAWL_SQL_LIST(X)
#undef X
        PAWL_SQL_NONE
};

struct pawl_sql {
    sqlite3 *db;
    sqlite3_stmt *statements[PAWL_SQL_NONE];
    const char *path;      /* borrowed from the store, for error texts */
    bool broken;           /* a statement failed since this was last set to false */
    struct pawl_sql *next; /* in the store's list of idle readers */
};

/* A value to bind. Its bytes are borrowed until the statement has run. */
struct pawl_value {
    int type; /* SQLITE_INTEGER, SQLITE_TEXT, SQLITE_BLOB, SQLITE_NULL */
    int64_t number;
    struct pawl_str bytes;
};
static inline struct pawl_value pawl_value_int(int64_t number)
{
    return (struct pawl_value){.type = SQLITE_INTEGER, .number = number};
}
static inline struct pawl_value pawl_value_text(const char *text) /* NULL: SQL's NULL */
{
    return (struct pawl_value){.type = text ? SQLITE_TEXT : SQLITE_NULL,
                               .bytes = pawl_str_of(text)};
}
static inline struct pawl_value pawl_value_blob(const void *bytes, size_t n_bytes)
{
    return (struct pawl_value){.type = SQLITE_BLOB, .bytes = {bytes, n_bytes}};
}
enum { PAWL_VALUES_MAX = 5 };

enum pawl_sql_mode { PAWL_SQL_READ, PAWL_SQL_WRITE, PAWL_SQL_CREATE };
PAWL_MUST_CHECK enum pawl_status pawl_sql_open(const char *path, enum pawl_sql_mode mode,
                                               struct pawl_sql **sql, struct pawl_error *err);
void pawl_sql_close(struct pawl_sql *sql);

/* Run a statement; `each` (may be NULL) sees every row until it fails. */
typedef enum pawl_status (*pawl_row_each)(void *context, sqlite3_stmt *row, struct pawl_error *err);
PAWL_MUST_CHECK enum pawl_status pawl_sql_each(struct pawl_sql *sql, enum pawl_sql_id id,
                                               const struct pawl_value *values, size_t n,
                                               pawl_row_each each, void *context,
                                               struct pawl_error *err);
/* Say why the last call on this connection failed. */
enum pawl_status pawl_sql_fail(struct pawl_sql *sql, struct pawl_error *err);
/* Everything committed so far is on the disk, not only with the kernel. */
PAWL_MUST_CHECK enum pawl_status pawl_sql_sync(struct pawl_sql *sql, struct pawl_error *err);

/* Bring the schema to this version (schema.c). */
PAWL_MUST_CHECK enum pawl_status pawl_schema_migrate(struct pawl_sql *sql, struct pawl_error *err);

/* A column as a view, valid inside `each`. NULL gives ptr NULL. */
static inline struct pawl_str pawl_column(sqlite3_stmt *row, int column)
{
    const char *bytes = sqlite3_column_blob(row, column);
    size_t len = (size_t)sqlite3_column_bytes(row, column);
    /* SQLite gives NULL for an empty value; only SQL's NULL is absent. */
    if (!bytes && sqlite3_column_type(row, column) != SQLITE_NULL) bytes = "";
    return (struct pawl_str){bytes, len};
}

#endif
