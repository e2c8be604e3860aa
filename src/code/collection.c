#include "code/collection.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    APPLICATION_ID = 0x7061776c, /* "pawl" */
    SCHEMA = 1,
    RANK_OFFSET = 60, /* of reciprocal rank fusion */
    DEPTH = 100, /* how far down each list is read: one far down both lists is found by neither */
    QUERY_WORDS_MAX = 64,
    QUERY_BYTES_MAX = 16 << 10,
    DIMENSION_MAX = 1 << 16,
};

static const char schema[] =
    "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;"
    "BEGIN;"
    "CREATE TABLE about(key TEXT PRIMARY KEY, value);"
    "CREATE TABLE passage(n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, title TEXT NOT NULL,"
    " text TEXT NOT NULL, vector BLOB);"
    "CREATE VIRTUAL TABLE words USING fts5(title, text, content='passage', content_rowid='n',"
    " tokenize='porter unicode61');";

/* --- errors ------------------------------------------------------------------------------------ */

static enum pawl_status fail_sql(sqlite3 *db, const char *path, const char *what,
                                 struct pawl_error *err)
{
    return pawl_fail(err, PAWL_EWORLD, "Cannot %s the collection %s: %s.", what, path,
                     db != NULL ? sqlite3_errmsg(db) : "no memory");
}

/* --- making one ---------------------------------------------------------------------------------- */

struct pawl_collection_builder {
    char *path, *beside; /* where it will be, and where it is until then */
    sqlite3 *db;
    sqlite3_stmt *add, *index;
    size_t dimension, n;
};

static bool is_collection(sqlite3 *db)
{
    sqlite3_stmt *ask;
    if (sqlite3_prepare_v2(db, "PRAGMA application_id", -1, &ask, NULL) != SQLITE_OK) return false;
    bool is = sqlite3_step(ask) == SQLITE_ROW && sqlite3_column_int(ask, 0) == APPLICATION_ID;
    sqlite3_finalize(ask);
    return is;
}

/* Somebody's other file is not written over. */
static enum pawl_status check_place(const char *path, struct pawl_error *err)
{
    struct stat there;
    sqlite3 *db = NULL;
    if (stat(path, &there) != 0) return PAWL_OK;
    bool ours = S_ISREG(there.st_mode) &&
                sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
                is_collection(db);
    sqlite3_close(db);
    if (ours) return PAWL_OK;
    pawl_fail(err, PAWL_EUSAGE, "%s is there and is no collection.", path);
    pawl_hint(err, "Name another file.");
    return PAWL_EUSAGE;
}

static void free_builder(struct pawl_collection_builder *builder)
{
    sqlite3_finalize(builder->add);
    sqlite3_finalize(builder->index);
    sqlite3_close(builder->db);
    free(builder->path);
    free(builder->beside);
    free(builder);
}

void pawl_collection_abandon(struct pawl_collection_builder *builder)
{
    if (builder == NULL) return;
    (void)unlink(builder->beside);
    free_builder(builder);
}

static bool set_about(sqlite3 *db, const char *key, const char *text, int64_t number)
{
    sqlite3_stmt *put;
    if (sqlite3_prepare_v2(db, "INSERT INTO about VALUES(?1, ?2)", -1, &put, NULL) != SQLITE_OK)
        return false;
    sqlite3_bind_text(put, 1, key, -1, SQLITE_STATIC);
    if (text != NULL)
        sqlite3_bind_text(put, 2, text, -1, SQLITE_STATIC);
    else
        sqlite3_bind_int64(put, 2, number);
    bool done = sqlite3_step(put) == SQLITE_DONE;
    sqlite3_finalize(put);
    return done;
}

static bool prepare_builder(struct pawl_collection_builder *builder, const char *model)
{
    char marks[80];
    sqlite3 *db = builder->db;
    snprintf(marks, sizeof marks, "PRAGMA application_id = %d; PRAGMA user_version = %d",
             APPLICATION_ID, SCHEMA);
    return sqlite3_exec(db, schema, NULL, NULL, NULL) == SQLITE_OK &&
           sqlite3_exec(db, marks, NULL, NULL, NULL) == SQLITE_OK &&
           set_about(db, "dimension", NULL, (int64_t)builder->dimension) &&
           (model == NULL || set_about(db, "model", model, 0)) &&
           sqlite3_prepare_v2(db, "INSERT INTO passage VALUES(?1, ?2, ?3, ?4, ?5)", -1,
                              &builder->add, NULL) == SQLITE_OK &&
           sqlite3_prepare_v2(db, "INSERT INTO words(rowid, title, text) VALUES(?1, ?2, ?3)", -1,
                              &builder->index, NULL) == SQLITE_OK;
}

enum pawl_status pawl_collection_begin(const char *path, const char *model, size_t dimension,
                                       struct pawl_collection_builder **out, struct pawl_error *err)
{
    PAWL_ASSERT((model != NULL) == (dimension > 0));
    if (dimension > DIMENSION_MAX)
        return pawl_fail(err, PAWL_ETOOBIG, "Vectors of more than %d numbers are not kept.",
                         DIMENSION_MAX);
    PAWL_TRY(check_place(path, err));
    struct pawl_arena arena = {0};
    struct pawl_collection_builder *builder = pawl_xcalloc(1, sizeof *builder);
    builder->path = pawl_xstrdup(path);
    builder->beside = pawl_xstrdup(pawl_arena_printf(&arena, "%s.%ld.new", path, (long)getpid()));
    builder->dimension = dimension;
    pawl_arena_release(&arena);
    (void)unlink(builder->beside);
    if (sqlite3_open_v2(builder->beside, &builder->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                        NULL) != SQLITE_OK ||
        !prepare_builder(builder, model)) {
        enum pawl_status status = fail_sql(builder->db, path, "write", err);
        pawl_collection_abandon(builder);
        return status;
    }
    *out = builder;
    return PAWL_OK;
}

static void bind_str(sqlite3_stmt *statement, int at, struct pawl_str text)
{
    sqlite3_bind_text(statement, at, text.ptr != NULL ? text.ptr : "", (int)text.len,
                      SQLITE_STATIC);
}

static enum pawl_status check_passage(const struct pawl_passage *passage, struct pawl_error *err)
{
    if (pawl_str_trim(passage->text).len == 0)
        return pawl_fail(err, PAWL_EUSAGE, "The passage " PAWL_STR_FMT " is empty.",
                         PAWL_STR_ARG(passage->id));
    if (passage->text.len + passage->title.len + passage->id.len > PAWL_PASSAGE_BYTES_MAX)
        return pawl_fail(err, PAWL_EUSAGE, "The passage %.*s is longer than 1 MiB.",
                         passage->id.len < 200 ? (int)passage->id.len : 200, passage->id.ptr);
    return PAWL_OK;
}

enum pawl_status pawl_collection_add(struct pawl_collection_builder *builder,
                                     const struct pawl_passage *passage, const float *vector,
                                     struct pawl_error *err)
{
    PAWL_ASSERT((vector != NULL) == (builder->dimension > 0));
    PAWL_TRY(check_passage(passage, err));
    if (builder->n == PAWL_PASSAGES_MAX)
        return pawl_fail(err, PAWL_EUSAGE, "A collection holds at most %d passages.",
                         PAWL_PASSAGES_MAX);
    sqlite3_stmt *add = builder->add, *index = builder->index;
    sqlite3_bind_int64(add, 1, (int64_t)builder->n + 1);
    bind_str(add, 2, passage->id);
    bind_str(add, 3, passage->title);
    bind_str(add, 4, passage->text);
    if (vector != NULL)
        sqlite3_bind_blob(add, 5, vector, (int)(builder->dimension * sizeof *vector),
                          SQLITE_STATIC);
    sqlite3_step(add);
    int code = sqlite3_reset(add);
    if (code == SQLITE_CONSTRAINT)
        return pawl_fail(err, PAWL_EUSAGE, "Two passages have the id " PAWL_STR_FMT ".",
                         PAWL_STR_ARG(passage->id));
    if (code == SQLITE_OK) {
        sqlite3_bind_int64(index, 1, (int64_t)builder->n + 1);
        bind_str(index, 2, passage->title);
        bind_str(index, 3, passage->text);
        sqlite3_step(index);
        code = sqlite3_reset(index);
    }
    if (code != SQLITE_OK) return fail_sql(builder->db, builder->path, "write", err);
    builder->n++;
    return PAWL_OK;
}

static enum pawl_status put_in_place(const struct pawl_collection_builder *builder,
                                     struct pawl_error *err)
{
    int fd = open(builder->beside, O_RDONLY | O_CLOEXEC);
    bool safe = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0) close(fd);
    if (safe && rename(builder->beside, builder->path) == 0) return PAWL_OK;
    return pawl_fail_errno(err, PAWL_EWORLD, errno, "Cannot write the collection %s",
                           builder->path);
}

enum pawl_status pawl_collection_finish(struct pawl_collection_builder *builder,
                                        struct pawl_error *err)
{
    enum pawl_status status = PAWL_OK;
    sqlite3_finalize(builder->add);
    sqlite3_finalize(builder->index);
    builder->add = builder->index = NULL;
    /* One b-tree of words is searched faster than many. */
    if (sqlite3_exec(builder->db, "INSERT INTO words(words) VALUES('optimize'); COMMIT", NULL, NULL,
                     NULL) != SQLITE_OK)
        status = fail_sql(builder->db, builder->path, "write", err);
    sqlite3_close(builder->db);
    builder->db = NULL;
    if (status == PAWL_OK) status = put_in_place(builder, err);
    if (status == PAWL_OK)
        free_builder(builder);
    else
        pawl_collection_abandon(builder);
    return status;
}

/* --- searching one ------------------------------------------------------------------------------- */

struct pawl_collection {
    pthread_mutex_t lock; /* of all below that changes: the statements */
    char *path, *model;
    sqlite3 *db;
    sqlite3_stmt *by_words, *get;
    size_t n, dimension;
    float *vectors; /* n rows, or NULL */
};

static bool ask_number(sqlite3 *db, const char *sql, int64_t *number)
{
    sqlite3_stmt *ask;
    if (sqlite3_prepare_v2(db, sql, -1, &ask, NULL) != SQLITE_OK) return false;
    bool found = sqlite3_step(ask) == SQLITE_ROW;
    if (found) *number = sqlite3_column_int64(ask, 0);
    sqlite3_finalize(ask);
    return found;
}

static bool read_model(struct pawl_collection *collection)
{
    sqlite3_stmt *ask;
    if (sqlite3_prepare_v2(collection->db, "SELECT value FROM about WHERE key = 'model'", -1, &ask,
                           NULL) != SQLITE_OK)
        return false;
    if (sqlite3_step(ask) == SQLITE_ROW && sqlite3_column_text(ask, 0) != NULL)
        collection->model = pawl_xstrdup((const char *)sqlite3_column_text(ask, 0));
    sqlite3_finalize(ask);
    return collection->model != NULL;
}

static bool read_vectors(struct pawl_collection *collection)
{
    size_t row_bytes = collection->dimension * sizeof(float), n = 0;
    sqlite3_stmt *ask;
    if (sqlite3_prepare_v2(collection->db, "SELECT vector FROM passage ORDER BY n", -1, &ask,
                           NULL) != SQLITE_OK)
        return false;
    collection->vectors = pawl_xcalloc(collection->n + 1, row_bytes);
    while (sqlite3_step(ask) == SQLITE_ROW && n < collection->n &&
           (size_t)sqlite3_column_bytes(ask, 0) == row_bytes)
        memcpy(collection->vectors + collection->dimension * n++, sqlite3_column_blob(ask, 0),
               row_bytes);
    sqlite3_finalize(ask);
    return n == collection->n;
}

static bool read_shape(struct pawl_collection *collection)
{
    sqlite3 *db = collection->db;
    int64_t schema_version, n, dimension;
    if (!is_collection(db) || !ask_number(db, "PRAGMA user_version", &schema_version) ||
        schema_version != SCHEMA || !ask_number(db, "SELECT count(*) FROM passage", &n) ||
        !ask_number(db, "SELECT value FROM about WHERE key = 'dimension'", &dimension))
        return false;
    if (n < 0 || n > PAWL_PASSAGES_MAX || dimension < 0 || dimension > DIMENSION_MAX) return false;
    collection->n = (size_t)n;
    collection->dimension = (size_t)dimension;
    return dimension == 0 || (read_model(collection) && read_vectors(collection));
}

static bool prepare_search(struct pawl_collection *collection)
{
    sqlite3 *db = collection->db;
    return sqlite3_prepare_v2(db,
                              "SELECT rowid FROM words WHERE words MATCH ?1"
                              " ORDER BY bm25(words), rowid LIMIT ?2",
                              -1, &collection->by_words, NULL) == SQLITE_OK &&
           sqlite3_prepare_v2(db, "SELECT id, title, text FROM passage WHERE n = ?1", -1,
                              &collection->get, NULL) == SQLITE_OK;
}

enum pawl_status pawl_collection_open(const char *path, struct pawl_collection **out,
                                      struct pawl_error *err)
{
    if (access(path, F_OK) != 0)
        return pawl_fail_errno(err, PAWL_ENOTFOUND, errno, "Cannot open the collection %s", path);
    struct pawl_collection *collection = pawl_xcalloc(1, sizeof *collection);
    pthread_mutex_init(&collection->lock, NULL);
    collection->path = pawl_xstrdup(path);
    if (sqlite3_open_v2(path, &collection->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) !=
            SQLITE_OK ||
        !read_shape(collection) || !prepare_search(collection)) {
        pawl_fail(err, PAWL_ECONFIG, "%s is no collection of texts that this pawl can read.", path);
        pawl_hint(err, "`pawl index FILE... --into %s` makes one.", path);
        pawl_collection_close(collection);
        return PAWL_ECONFIG;
    }
    *out = collection;
    return PAWL_OK;
}

void pawl_collection_close(struct pawl_collection *collection)
{
    if (collection == NULL) return;
    sqlite3_finalize(collection->by_words);
    sqlite3_finalize(collection->get);
    sqlite3_close(collection->db);
    pthread_mutex_destroy(&collection->lock);
    free(collection->path);
    free(collection->model);
    free(collection->vectors);
    free(collection);
}

size_t pawl_collection_size(const struct pawl_collection *collection)
{
    return collection->n;
}

size_t pawl_collection_dimension(const struct pawl_collection *collection)
{
    return collection->dimension;
}

const char *pawl_collection_model(const struct pawl_collection *collection)
{
    return collection->model;
}

/* A list of passages by number, best first. */
struct ranking {
    int64_t numbers[DEPTH];
    size_t n;
};

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || (unsigned char)c >= 0x80;
}

/* The query's words in quotes, any of which may occur; false when it has none. */
static bool match_expression(struct pawl_str query, struct pawl_buf *out)
{
    size_t n_words = 0;
    for (size_t i = 0; i < query.len && n_words < QUERY_WORDS_MAX; n_words++) {
        while (i < query.len && !is_word(query.ptr[i])) i++;
        size_t start = i;
        while (i < query.len && is_word(query.ptr[i])) i++;
        if (i == start) break;
        pawl_buf_add(out, n_words > 0 ? " OR \"" : "\"");
        pawl_buf_add_bytes(out, query.ptr + start, i - start);
        pawl_buf_add(out, "\"");
    }
    return out->len > 0;
}

static enum pawl_status rank_by_words(struct pawl_collection *collection, struct pawl_str query,
                                      struct ranking *ranking, struct pawl_error *err)
{
    struct pawl_buf repaired = PAWL_BUF(4 * QUERY_BYTES_MAX), words = PAWL_BUF(8 * QUERY_BYTES_MAX);
    if (query.len > QUERY_BYTES_MAX) query.len = QUERY_BYTES_MAX;
    pawl_utf8_repair(query, &repaired);
    enum pawl_status status = PAWL_OK;
    if (match_expression(pawl_buf_str(&repaired), &words)) {
        sqlite3_stmt *ask = collection->by_words;
        bind_str(ask, 1, pawl_buf_str(&words));
        sqlite3_bind_int(ask, 2, DEPTH);
        while (sqlite3_step(ask) == SQLITE_ROW && ranking->n < DEPTH)
            ranking->numbers[ranking->n++] = sqlite3_column_int64(ask, 0);
        if (sqlite3_reset(ask) != SQLITE_OK)
            status = fail_sql(collection->db, collection->path, "search", err);
    }
    pawl_buf_release(&words);
    pawl_buf_release(&repaired);
    return status;
}

struct near {
    double product;
    int64_t number;
};

/* Nearest first; equal ones in the order of the passages. */
static int compare_near(const void *a, const void *b)
{
    const struct near *x = a, *y = b;
    if (x->product != y->product) return x->product < y->product ? 1 : -1;
    return x->number < y->number ? -1 : 1;
}

static void rank_by_vector(const struct pawl_collection *collection, const float *vector,
                           struct ranking *ranking)
{
    size_t dimension = collection->dimension;
    struct near *all = pawl_xcalloc(collection->n + 1, sizeof *all);
    for (size_t i = 0; i < collection->n; i++) {
        const float *row = collection->vectors + i * dimension;
        all[i].number = (int64_t)i + 1;
        for (size_t j = 0; j < dimension; j++) all[i].product += (double)row[j] * (double)vector[j];
    }
    qsort(all, collection->n, sizeof *all, compare_near);
    while (ranking->n < collection->n && ranking->n < DEPTH) {
        ranking->numbers[ranking->n] = all[ranking->n].number;
        ranking->n++;
    }
    free(all);
}

struct scored {
    int64_t number;
    double score;
};

static int compare_scored(const void *a, const void *b)
{
    const struct scored *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? 1 : -1;
    return x->number < y->number ? -1 : 1;
}

/* Sum the reciprocal ranks; gives how many passages are in any list. */
static size_t fuse(const struct ranking *rankings, size_t n_rankings, struct scored *fused)
{
    size_t n = 0;
    for (size_t i = 0; i < n_rankings; i++) {
        for (size_t rank = 0; rank < rankings[i].n; rank++) {
            size_t at = 0;
            while (at < n && fused[at].number != rankings[i].numbers[rank]) at++;
            if (at == n) fused[n++] = (struct scored){rankings[i].numbers[rank], 0};
            fused[at].score += 1.0 / (double)(RANK_OFFSET + rank + 1);
        }
    }
    qsort(fused, n, sizeof *fused, compare_scored);
    return n;
}

static struct pawl_str column(sqlite3_stmt *statement, int at, struct pawl_arena *arena)
{
    const char *text = (const char *)sqlite3_column_text(statement, at);
    return pawl_arena_copy(arena,
                           (struct pawl_str){text, (size_t)sqlite3_column_bytes(statement, at)});
}

static enum pawl_status get_passage(struct pawl_collection *collection, int64_t number,
                                    struct pawl_arena *arena, struct pawl_passage *passage,
                                    struct pawl_error *err)
{
    sqlite3_stmt *get = collection->get;
    sqlite3_bind_int64(get, 1, number);
    bool found = sqlite3_step(get) == SQLITE_ROW;
    if (found)
        *passage = (struct pawl_passage){column(get, 0, arena), column(get, 1, arena),
                                         column(get, 2, arena)};
    sqlite3_reset(get);
    return found ? PAWL_OK : fail_sql(collection->db, collection->path, "read", err);
}

enum pawl_status pawl_collection_search(struct pawl_collection *collection, struct pawl_str query,
                                        const float *vector, size_t k, struct pawl_arena *arena,
                                        struct pawl_passage *found, size_t *n,
                                        struct pawl_error *err)
{
    PAWL_ASSERT(k >= 1 && k <= PAWL_FOUND_MAX && (vector == NULL || collection->dimension > 0));
    struct ranking rankings[2] = {0};
    struct scored fused[2 * DEPTH];
    *n = 0;
    pthread_mutex_lock(&collection->lock);
    enum pawl_status status = rank_by_words(collection, query, &rankings[0], err);
    if (status == PAWL_OK && vector != NULL) rank_by_vector(collection, vector, &rankings[1]);
    size_t n_fused = fuse(rankings, 2, fused);
    for (; status == PAWL_OK && *n < k && *n < n_fused; ++*n)
        status = get_passage(collection, fused[*n].number, arena, &found[*n], err);
    pthread_mutex_unlock(&collection->lock);
    return status;
}
