/*
 * writer.h - the one thread that writes, and the queue in front of it. Private to the store.
 *
 * Whatever is in the queue when the thread is free becomes one transaction: many waiting writers
 * share one sync. Order is kept, so a write is never durable before one that was queued earlier.
 *
 *     wait       returns when                     lost by kill -9   lost by power failure
 *     IDLE       it is queued                     the last 500 ms   the last 550 ms
 *     LAZY       it is queued                     the last 50 ms    the last 100 ms
 *     KERNEL     it is committed                  nothing           the last 100 ms
 *     DISK       it is committed and synced       nothing           nothing
 *
 * Invariants
 *   1. A write that fails leaves nothing behind. If the database itself fails, all of its batch
 *      does; a lazy write that is lost so is reported by the next flush. After a failed sync
 *      nothing more is written: every later write fails, until the store is opened again.
 *   2. The queue is bounded: a lazy write waits while QUEUE_MAX_BYTES are queued.
 */
#ifndef PAWL_STORE_WRITER_H
#define PAWL_STORE_WRITER_H

#include "store/sql.h"

enum pawl_wait { PAWL_WAIT_IDLE, PAWL_WAIT_LAZY, PAWL_WAIT_KERNEL, PAWL_WAIT_DISK };

struct pawl_writer;
/* Takes sql. */
PAWL_MUST_CHECK enum pawl_status pawl_writer_open(struct pawl_sql *sql, struct pawl_writer **writer,
                                                  struct pawl_error *err);
void pawl_writer_close(struct pawl_writer *writer); /* everything durable first */

/* Run one statement. */
PAWL_MUST_CHECK enum pawl_status pawl_writer_row(struct pawl_writer *writer, enum pawl_wait wait,
                                                 enum pawl_sql_id id,
                                                 const struct pawl_value *values, size_t n,
                                                 struct pawl_error *err);
/* Run `call` on the writer's thread inside the transaction; when it fails, what it wrote is undone
 * and nothing else. It must not wait for a write itself. Waits for the disk. */
typedef enum pawl_status (*pawl_write_call)(struct pawl_sql *sql, void *context,
                                            struct pawl_error *err);
PAWL_MUST_CHECK enum pawl_status pawl_writer_call(struct pawl_writer *writer, pawl_write_call call,
                                                  void *context, struct pawl_error *err);
/* Wait for every write that is queued. With DISK also reports lazy writes that were lost. */
PAWL_MUST_CHECK enum pawl_status pawl_writer_flush(struct pawl_writer *writer, enum pawl_wait wait,
                                                   struct pawl_error *err);

#endif
