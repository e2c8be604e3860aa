/*
 * schema.c - the tables, as a list of migrations: PRAGMA user_version says how many have run.
 *
 * How to change the schema: append a migration. One that has been released is never edited.
 */
#include "store/sql.h"

#include <inttypes.h>

static const char *const migrations[] = {
    /* 1 */
    "CREATE TABLE object(hash BLOB PRIMARY KEY, body BLOB);"
    "CREATE TABLE artifact(hash TEXT PRIMARY KEY, manifest TEXT NOT NULL, created_ms INTEGER);"
    "CREATE TABLE case_(ordinal INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, tier TEXT NOT NULL,"
    "                   cluster TEXT, body TEXT NOT NULL);"
    "CREATE TABLE run(ordinal INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, body TEXT NOT NULL);"
    "CREATE TABLE candidate(run TEXT NOT NULL, ordinal INTEGER NOT NULL, artifact TEXT NOT NULL,"
    "                       body TEXT NOT NULL, PRIMARY KEY(run, ordinal));"
    "CREATE INDEX candidate_artifact ON candidate(artifact);"
    "CREATE TABLE ledger(seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, ts_ms INTEGER NOT NULL,"
    "                    record TEXT NOT NULL, hash TEXT NOT NULL);"
    "CREATE TABLE pointer(name TEXT PRIMARY KEY, artifact TEXT NOT NULL);"
    "CREATE TABLE answer(key BLOB PRIMARY KEY, body BLOB NOT NULL);"
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL);",
};
enum { SCHEMA_VERSION = sizeof migrations / sizeof *migrations };

static int read_version(sqlite3 *db, int64_t *version)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &statement, NULL);
    if (code == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW)
        *version = sqlite3_column_int64(statement, 0);
    int ended = sqlite3_finalize(statement);
    return code == SQLITE_OK ? ended : code;
}

/* Inside a transaction: bring the schema from `version` to ours. */
static int apply_from(sqlite3 *db, int64_t version)
{
    int code = SQLITE_OK;
    for (; version < SCHEMA_VERSION && code == SQLITE_OK; version++)
        code = sqlite3_exec(db, migrations[version], NULL, NULL, NULL);
    char set_version[64];
    sqlite3_snprintf(sizeof set_version, set_version, "PRAGMA user_version = %d", SCHEMA_VERSION);
    return code == SQLITE_OK ? sqlite3_exec(db, set_version, NULL, NULL, NULL) : code;
}

enum pawl_status pawl_schema_migrate(struct pawl_sql *sql, struct pawl_error *err)
{
    int64_t version = 0;
    if (read_version(sql->db, &version) != SQLITE_OK) return pawl_sql_fail(sql, err);
    if (version == SCHEMA_VERSION) return PAWL_OK;
    PAWL_TRY(pawl_sql_each(sql, PAWL_SQL_BEGIN, NULL, 0, NULL, NULL, err));
    /* Again, now that nobody else can change it. */
    int code = read_version(sql->db, &version);
    enum pawl_status status = PAWL_OK;
    if (code == SQLITE_OK && (version < 0 || version > SCHEMA_VERSION)) {
        status = pawl_fail(err, PAWL_ECONFIG,
                           "%s has schema version %" PRId64 ", this pawl knows up to %d.",
                           sql->path, version, SCHEMA_VERSION);
        pawl_hint(err, "Use the newer pawl that wrote it.");
    } else if (code == SQLITE_OK && version < SCHEMA_VERSION) {
        code = apply_from(sql->db, version);
    }
    if (code != SQLITE_OK) status = pawl_sql_fail(sql, err);
    if (status == PAWL_OK) status = pawl_sql_each(sql, PAWL_SQL_COMMIT, NULL, 0, NULL, NULL, err);
    if (status == PAWL_OK) return pawl_sql_sync(sql, err);
    sqlite3_exec(sql->db, "ROLLBACK", NULL, NULL, NULL);
    return status;
}
