#include "store/writer.h"

#include "base/arena.h"
#include "base/clock.h"
#include "io/thread.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

enum {
    SYNC_AFTER_MS = 50,          /* a lazy write waits so long for company */
    IDLE_AFTER_MS = 500,         /* an idle one so long */
    QUEUE_EAGER_BYTES = 4 << 20, /* more than this is written at once */
    QUEUE_MAX_BYTES = 64 << 20,  /* more than this makes lazy writers wait */
};

/* A queued write. A waiting one lies on its caller's stack, a lazy one is malloc'd with its bytes
 * behind it. */
struct write {
    struct write *next;
    enum pawl_wait wait;
    enum pawl_sql_id id; /* PAWL_SQL_NONE: `call`, or nothing at all for a flush */
    struct pawl_value values[PAWL_VALUES_MAX];
    size_t n_values;
    pawl_write_call call;
    void *context;
    size_t bytes;
    bool done;
    enum pawl_status status;
    struct pawl_error *err;
};

struct pawl_writer {
    pthread_t thread;

    /* the thread's own: */
    struct pawl_sql *sql;
    bool broken; /* a sync failed: never write again, because of: */
    struct pawl_error why;

    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t work, done;
    struct write *first, **last;
    size_t queued_bytes;
    size_t n_waiting; /* writes in the queue that somebody waits for */
    int64_t due_ms;   /* when what is not yet on the disk must go there; 0: nothing is */
    bool stopping;
    bool lost; /* a lazy write was lost since the last flush, because of: */
    struct pawl_error lost_error;
};

static bool is_waited_for(enum pawl_wait wait)
{
    return wait == PAWL_WAIT_KERNEL || wait == PAWL_WAIT_DISK;
}

/* ---- the thread ---- */

struct batch {
    struct write *first;
    int64_t due_ms;
    bool sync; /* must be on the disk before its writers are told */
};

static bool is_due(const struct pawl_writer *writer)
{
    return writer->n_waiting > 0 || writer->stopping || writer->queued_bytes > QUEUE_EAGER_BYTES ||
           (writer->due_ms != 0 && pawl_clock_real_ms() >= writer->due_ms);
}

static void wait_until_due(struct pawl_writer *writer)
{
    while (!is_due(writer)) {
        if (writer->due_ms == 0) {
            pthread_cond_wait(&writer->work, &writer->lock);
        } else {
            struct timespec until = {.tv_sec = writer->due_ms / 1000,
                                     .tv_nsec = writer->due_ms % 1000 * 1000000};
            pthread_cond_timedwait(&writer->work, &writer->lock, &until);
        }
    }
}

static struct batch take_batch(struct pawl_writer *writer)
{
    struct batch batch = {.first = writer->first, .due_ms = writer->due_ms};
    batch.sync = writer->stopping || (batch.due_ms != 0 && pawl_clock_real_ms() >= batch.due_ms);
    for (const struct write *write = batch.first; write; write = write->next)
        if (write->wait == PAWL_WAIT_DISK) batch.sync = true;
    writer->first = NULL;
    writer->last = &writer->first;
    writer->queued_bytes = 0;
    writer->n_waiting = 0;
    writer->due_ms = 0;
    return batch;
}

static enum pawl_status run(struct pawl_sql *sql, enum pawl_sql_id id, struct pawl_error *err)
{
    return pawl_sql_each(sql, id, NULL, 0, NULL, NULL, err);
}

/* A call may fail for reasons of its own, and then only its own writes are undone. */
static enum pawl_status apply_call(struct pawl_sql *sql, const struct write *write,
                                   struct pawl_error *err)
{
    PAWL_TRY(run(sql, PAWL_SQL_SAVEPOINT, err));
    enum pawl_status status = write->call(sql, write->context, err);
    if (sql->broken) return status;
    if (status == PAWL_OK) return run(sql, PAWL_SQL_RELEASE, err);
    PAWL_TRY(run(sql, PAWL_SQL_ROLLBACK_TO, err));
    PAWL_TRY(run(sql, PAWL_SQL_RELEASE, err));
    return status;
}

static enum pawl_status apply(struct pawl_sql *sql, const struct write *write,
                              struct pawl_error *err)
{
    if (write->call) return apply_call(sql, write, err);
    if (write->id == PAWL_SQL_NONE) return PAWL_OK;
    return pawl_sql_each(sql, write->id, write->values, write->n_values, NULL, NULL, err);
}

/* True if the batch changes the database; one of flushes alone does not. */
static bool has_content(const struct batch *batch)
{
    for (const struct write *write = batch->first; write; write = write->next)
        if (write->call || write->id != PAWL_SQL_NONE) return true;
    return false;
}

/* Fails only when the database does; then nothing of the batch has happened. */
static enum pawl_status commit_batch(struct pawl_sql *sql, const struct batch *batch,
                                     struct pawl_error *err)
{
    if (!has_content(batch)) return PAWL_OK;
    sql->broken = false;
    PAWL_TRY(run(sql, PAWL_SQL_BEGIN, err));
    for (struct write *write = batch->first; write; write = write->next) {
        write->status = apply(sql, write, err);
        if (write->status == PAWL_OK) continue;
        if (sql->broken) return write->status;
        if (write->err) *write->err = *err;
    }
    return run(sql, PAWL_SQL_COMMIT, err);
}

/* After a failed sync the kernel may have dropped what it could not write, and says so only once. The
 * log is a chain: all that comes after the gap would be lost with it. */
static enum pawl_status sync_batch(struct pawl_writer *writer, const struct batch *batch,
                                   struct pawl_error *err)
{
    if (!batch->sync) return PAWL_OK;
    enum pawl_status status = pawl_sql_sync(writer->sql, err);
    if (status != PAWL_OK) {
        writer->broken = true;
        writer->why = *err;
    }
    return status;
}

static enum pawl_status run_batch(struct pawl_writer *writer, const struct batch *batch,
                                  struct pawl_error *err)
{
    struct pawl_sql *sql = writer->sql;
    if (writer->broken) {
        *err = writer->why;
        return writer->why.status;
    }
    enum pawl_status status = commit_batch(sql, batch, err);
    if (status == PAWL_OK) status = sync_batch(writer, batch, err);
    /* SQLite has undone the transaction itself after some errors, not after all. */
    if (status != PAWL_OK && !sqlite3_get_autocommit(sql->db)) {
        if (run(sql, PAWL_SQL_ROLLBACK, NULL) != PAWL_OK)
            PAWL_BUG("%s: could not roll back: %s", sql->path, sqlite3_errmsg(sql->db));
    }
    return status;
}

/* A flush answers for the lazy writes before it. */
static void finish_flush(struct pawl_writer *writer, struct write *flush)
{
    if (flush->wait != PAWL_WAIT_DISK || !writer->lost) return;
    writer->lost = false;
    flush->status = writer->lost_error.status;
    if (flush->err) *flush->err = writer->lost_error;
}

/* Tell the writers of a batch what became of it. */
static void finish_batch(struct pawl_writer *writer, const struct batch *batch,
                         enum pawl_status status, const struct pawl_error *err)
{
    struct write *next;
    for (struct write *write = batch->first; write; write = next) {
        next = write->next;
        if (status != PAWL_OK) {
            write->status = status;
            if (write->err) *write->err = *err;
        }
        if (!is_waited_for(write->wait)) {
            if (status != PAWL_OK) {
                writer->lost = true;
                writer->lost_error = *err;
            }
            free(write);
            continue;
        }
        if (!write->call && write->id == PAWL_SQL_NONE) finish_flush(writer, write);
        write->done = true; /* from here on its memory is the caller's again */
    }
    pthread_cond_broadcast(&writer->done);
}

static void *writer_main(void *context)
{
    struct pawl_writer *writer = context;
    pthread_mutex_lock(&writer->lock);
    for (;;) {
        wait_until_due(writer);
        struct batch batch = take_batch(writer);
        pthread_mutex_unlock(&writer->lock);
        struct pawl_error err = {0};
        enum pawl_status status = run_batch(writer, &batch, &err);
        pthread_mutex_lock(&writer->lock);
        finish_batch(writer, &batch, status, &err);
        bool is_synced = batch.sync && status == PAWL_OK;
        if (!is_synced &&
            !writer->broken) { /* something may be committed and not yet on the disk */
            int64_t due_ms =
                batch.due_ms != 0 ? batch.due_ms : pawl_clock_real_ms() + SYNC_AFTER_MS;
            if (writer->due_ms == 0 || due_ms < writer->due_ms) writer->due_ms = due_ms;
        }
        if (writer->stopping && !writer->first && batch.sync) break;
    }
    pthread_mutex_unlock(&writer->lock);
    return NULL;
}

/* ---- the callers ---- */

/* The caller holds the lock. */
static void enqueue(struct pawl_writer *writer, struct write *write)
{
    PAWL_ASSERT(!writer->stopping);
    *writer->last = write;
    writer->last = &write->next;
    writer->queued_bytes += write->bytes;
    if (is_waited_for(write->wait)) writer->n_waiting++;
    int64_t due_ms =
        pawl_clock_real_ms() + (write->wait == PAWL_WAIT_IDLE ? IDLE_AFTER_MS : SYNC_AFTER_MS);
    bool is_sooner = writer->due_ms == 0 || due_ms < writer->due_ms;
    if (is_sooner) writer->due_ms = due_ms;
    if (is_sooner || is_waited_for(write->wait) || writer->queued_bytes > QUEUE_EAGER_BYTES)
        pthread_cond_signal(&writer->work);
}

static enum pawl_status write_and_wait(struct pawl_writer *writer, struct write *write)
{
    PAWL_ASSERT(!pthread_equal(pthread_self(), writer->thread));
    pthread_mutex_lock(&writer->lock);
    enqueue(writer, write);
    while (!write->done) pthread_cond_wait(&writer->done, &writer->lock);
    pthread_mutex_unlock(&writer->lock);
    return write->status;
}

/* A malloc'd write with copies of all bytes. */
static struct write *copy_write(const struct write *write)
{
    struct write *copy = pawl_xmalloc(sizeof *copy + write->bytes);
    *copy = *write;
    char *bytes = (char *)(copy + 1);
    for (size_t i = 0; i < write->n_values; i++) {
        struct pawl_str *value = &copy->values[i].bytes;
        if (value->len == 0) continue;
        memcpy(bytes, value->ptr, value->len);
        value->ptr = bytes;
        bytes += value->len;
    }
    return copy;
}

static void write_lazily(struct pawl_writer *writer, const struct write *write)
{
    struct write *copy = copy_write(write);
    pthread_mutex_lock(&writer->lock);
    while (writer->queued_bytes > QUEUE_MAX_BYTES) pthread_cond_wait(&writer->done, &writer->lock);
    enqueue(writer, copy);
    pthread_mutex_unlock(&writer->lock);
}

enum pawl_status pawl_writer_row(struct pawl_writer *writer, enum pawl_wait wait,
                                 enum pawl_sql_id id, const struct pawl_value *values, size_t n,
                                 struct pawl_error *err)
{
    PAWL_ASSERT(n <= PAWL_VALUES_MAX);
    struct write write = {.wait = wait, .id = id, .n_values = n, .err = err};
    for (size_t i = 0; i < n; i++) {
        write.values[i] = values[i];
        write.bytes += values[i].bytes.len;
    }
    if (is_waited_for(wait)) return write_and_wait(writer, &write);
    write.err = NULL;
    write_lazily(writer, &write);
    return PAWL_OK;
}

enum pawl_status pawl_writer_call(struct pawl_writer *writer, pawl_write_call call, void *context,
                                  struct pawl_error *err)
{
    struct write write = {
        .wait = PAWL_WAIT_DISK, .id = PAWL_SQL_NONE, .call = call, .context = context, .err = err};
    return write_and_wait(writer, &write);
}

enum pawl_status pawl_writer_flush(struct pawl_writer *writer, enum pawl_wait wait,
                                   struct pawl_error *err)
{
    struct write write = {.wait = wait, .id = PAWL_SQL_NONE, .err = err};
    return write_and_wait(writer, &write);
}

/* ---- opening and closing ---- */

enum pawl_status pawl_writer_open(struct pawl_sql *sql, struct pawl_writer **out,
                                  struct pawl_error *err)
{
    struct pawl_writer *writer = pawl_xcalloc(1, sizeof *writer);
    writer->sql = sql;
    writer->last = &writer->first;
    pthread_mutex_init(&writer->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&writer->work, &monotonic);
    pthread_cond_init(&writer->done, NULL);
    pthread_condattr_destroy(&monotonic);
    int errnum = pawl_thread_start(&writer->thread, writer_main, writer);
    if (errnum != 0) {
        free(writer);
        return pawl_fail_errno(err, PAWL_EWORLD, errnum, "Could not start the store's writer");
    }
    *out = writer;
    return PAWL_OK;
}

void pawl_writer_close(struct pawl_writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    writer->stopping = true;
    pthread_cond_signal(&writer->work);
    pthread_mutex_unlock(&writer->lock);
    pthread_join(writer->thread, NULL);
    pawl_sql_close(writer->sql);
    pthread_mutex_destroy(&writer->lock);
    pthread_cond_destroy(&writer->work);
    pthread_cond_destroy(&writer->done);
    free(writer);
}
