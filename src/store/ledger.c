/*
 * ledger.c - the append-only chain and the pointers that its records flip.
 *
 * Invariant: the head is read, the record made and the pointers compared and set inside one
 * transaction that holds the write lock, so two processes can neither fork the chain nor promote
 * over each other.
 */
#include "store/store_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct append {
    pawl_ledger_make make;
    void *context;
};

static enum pawl_status read_head(void *context, sqlite3_stmt *row, struct pawl_error *err)
{
    struct pawl_ledger_head *head = context;
    struct pawl_str hash = pawl_column(row, 1);
    if (hash.len != PAWL_HASH_HEX - 1)
        return pawl_fail(err, PAWL_EINTEGRITY, "The last record of the ledger has no proper hash.");
    head->seq = sqlite3_column_int64(row, 0);
    memcpy(head->hash, hash.ptr, hash.len);
    head->ts_ms = sqlite3_column_int64(row, 2);
    return PAWL_OK;
}

static enum pawl_status flip(struct pawl_sql *sql, const char *name, const char *expect,
                             const char *to, struct pawl_error *err)
{
    char now[PAWL_HASH_HEX] = "";
    struct pawl_value values[] = {pawl_value_text(name), pawl_value_text(to)};
    PAWL_TRY(pawl_sql_each(sql, PAWL_SQL_POINTER_GET, values, 1, pawl_row_id, now, err));
    if (expect && strcmp(expect, now) != 0) {
        pawl_fail(err, PAWL_EINTEGRITY, "The %s is %.12s by now, not %.12s.", name,
                  now[0] ? now : "(none)", expect[0] ? expect : "(none)");
        pawl_hint(err, "Another process was faster. Look at `pawl log`, then decide again.");
        return PAWL_EINTEGRITY;
    }
    return pawl_sql_each(sql, PAWL_SQL_POINTER_PUT, values, 2, NULL, NULL, err);
}

static enum pawl_status write_record(struct pawl_sql *sql, int64_t seq,
                                     const struct pawl_ledger_append *append,
                                     struct pawl_error *err)
{
    PAWL_ASSERT(strlen(append->hash) == PAWL_HASH_HEX - 1);
    for (size_t i = 0; i < append->n_flips; i++)
        PAWL_TRY(
            flip(sql, append->flips[i].name, append->flips[i].expect, append->flips[i].to, err));
    const struct pawl_value values[] = {
        pawl_value_int(seq), pawl_value_text(append->kind), pawl_value_int(append->ts_ms),
        pawl_value_text(append->record), pawl_value_text(append->hash)};
    return pawl_sql_each(sql, PAWL_SQL_LEDGER_PUT, values, 5, NULL, NULL, err);
}

static enum pawl_status append_record(struct pawl_sql *sql, void *context, struct pawl_error *err)
{
    const struct append *request = context;
    struct pawl_ledger_head head = {.seq = -1};
    memset(head.hash, '0', PAWL_HASH_HEX - 1);
    PAWL_TRY(pawl_sql_each(sql, PAWL_SQL_LEDGER_HEAD, NULL, 0, read_head, &head, err));
    struct pawl_ledger_append append = {0};
    enum pawl_status status = request->make(request->context, &head, &append, err);
    if (status == PAWL_OK && append.record) status = write_record(sql, head.seq + 1, &append, err);
    free(append.record);
    return status;
}

enum pawl_status pawl_store_ledger_append(struct pawl_store *store, pawl_ledger_make make,
                                          void *context, struct pawl_error *err)
{
    struct append request = {make, context};
    return pawl_writer_call(store->writer, append_record, &request, err);
}

struct walk {
    pawl_ledger_each each;
    void *context;
};

static enum pawl_status visit_record(void *context, sqlite3_stmt *row, struct pawl_error *err)
{
    const struct walk *walk = context;
    return walk->each(walk->context, sqlite3_column_int64(row, 0),
                      (const char *)sqlite3_column_text(row, 1), pawl_column(row, 2),
                      (const char *)sqlite3_column_text(row, 3), err);
}

enum pawl_status pawl_store_ledger_each(struct pawl_store *store, pawl_ledger_each each,
                                        void *context, struct pawl_error *err)
{
    struct walk walk = {each, context};
    return pawl_store_each(store, PAWL_SQL_LEDGER, NULL, 0, visit_record, &walk, err);
}

enum pawl_status pawl_store_pointer_get(struct pawl_store *store, const char *name,
                                        char hex[PAWL_HASH_HEX], struct pawl_error *err)
{
    hex[0] = '\0';
    struct pawl_value value = pawl_value_text(name);
    return pawl_store_each(store, PAWL_SQL_POINTER_GET, &value, 1, pawl_row_id, hex, err);
}
