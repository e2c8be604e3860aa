/*
 * store_private.h - what the files of the store share: the writer, and readers for everybody.
 */
#ifndef PAWL_STORE_PRIVATE_H
#define PAWL_STORE_PRIVATE_H

#include "store/sql.h"
#include "store/store.h"
#include "store/writer.h"

#include <pthread.h>

enum { PAWL_STORE_JSON_MAX = 256 << 20 };

struct pawl_store {
    char *dir;
    char *path; /* of the database */
    struct pawl_writer *writer;
    pthread_mutex_t lock;  /* guards idle */
    struct pawl_sql *idle; /* readers that nobody uses */
    size_t n_idle;
};

/* Run a reading statement on a reader of our own; as pawl_sql_each. `each` may read the store. */
PAWL_MUST_CHECK enum pawl_status pawl_store_each(struct pawl_store *store, enum pawl_sql_id id,
                                                 const struct pawl_value *values, size_t n,
                                                 pawl_row_each each, void *context,
                                                 struct pawl_error *err);
/* Column 0 of the only row as JSON; *out NULL when there is no row. */
PAWL_MUST_CHECK enum pawl_status pawl_store_json_get(struct pawl_store *store, enum pawl_sql_id id,
                                                     const struct pawl_value *values, size_t n,
                                                     json_t **out, struct pawl_error *err);
/* Column 0 of all rows as a JSON array. */
PAWL_MUST_CHECK enum pawl_status pawl_store_json_list(struct pawl_store *store, enum pawl_sql_id id,
                                                      const struct pawl_value *values, size_t n,
                                                      json_t **out, struct pawl_error *err);
/* Column 0 of the first row as an id; "" when there is no row. A pawl_row_each. */
enum pawl_status pawl_row_id(void *hex /* char[PAWL_HASH_HEX] */, sqlite3_stmt *row,
                             struct pawl_error *err);

#endif
