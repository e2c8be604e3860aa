/*
 * worker.h - the helper process in its roles. worker/main.c reads argv, opens the channels,
 * receives `hello`, and calls one of these; each returns the exit status of the process.
 */
#ifndef PAWL_IMPROVE_WORKER_H
#define PAWL_IMPROVE_WORKER_H

#include "improve/config.h"
#include "io/channel.h"

#include <sys/types.h>

struct pawl_worker {
    struct pawl_channel *front;
    struct pawl_channel *peer;  /* vault and sealed: each other; else NULL */
    struct pawl_channel *judge; /* vault: the sealed side that grades; NULL where no model does */
    struct pawl_config config;
    struct pawl_arena arena; /* process */
    const char *project_dir, *store_dir;
    const char *sealed_dir, *vault_home; /* vault only */
    uid_t vault_uid;                     /* vault only: whose process it becomes; 0: it stays */
    const json_t *read, *deny;
    bool test_mode;
    uint64_t test_seed;
    json_t *hello; /* owns the values above */
};
int pawl_engine_main(struct pawl_worker *worker);
int pawl_vault_main(struct pawl_worker *worker);
int pawl_sealed_main(struct pawl_worker *worker);
int pawl_tables_main(struct pawl_worker *worker); /* without a project: `hello` alone is set */

#endif
