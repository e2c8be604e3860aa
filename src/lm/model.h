/*
 * model.h - a configured model of an lm: its backend, loaded when first asked, and its slots.
 *
 * Where a cache may know all answers, a model is named without being loaded, if its backend can.
 *
 * Invariants
 *   1. One thread loads; the others wait for it, and fail as it does. A failed load is tried again by
 *      the next ask.
 *   2. in_use <= concurrency whenever concurrency is not 0.
 *   3. The identity never changes once it was said: a model that is loaded as another one fails.
 */
#ifndef PAWL_LM_MODEL_H
#define PAWL_LM_MODEL_H

#include "lm/backend.h"

#include <pthread.h>
#include <stdatomic.h>

struct pawl_lm_model {
    const char *name;
    const struct pawl_lm_backend *backend;
    json_t *given; /* the options as configured; text and JSON options point into it */
    void *options;

    pthread_mutex_t load_lock;
    atomic_uint n_failures; /* loads that failed, and why the last did (under load_lock) */
    struct pawl_error failure;
    _Atomic(void *) state;    /* the backend's; NULL until loaded */
    _Atomic(char *) identity; /* malloc'd; NULL until it was asked for */

    pthread_mutex_t slot_lock;
    pthread_cond_t slot_free;
    int64_t concurrency, in_use;
};

/* What pawl_lm_spent gives; each sum by itself. */
struct pawl_lm_meter {
    _Atomic int64_t prompt_tokens, completion_tokens, cached_tokens, cost_microusd, n_requests;
};

struct pawl_lm {
    struct pawl_arena arena;
    struct pawl_lm_model *models;
    size_t n_models;
    struct pawl_lm_model *roles[PAWL_N_ROLES];
    const char *project_dir;
    struct pawl_store *cache;
    struct pawl_lm_purse purse;
    pthread_mutex_t http_lock;
    struct pawl_http *http; /* NULL until a model wants it */
    bool metered, sealed;
    uint64_t seed;
    atomic_bool canceled;
    struct pawl_lm_meter meter;
};

PAWL_MUST_CHECK enum pawl_status pawl_lm_load(struct pawl_lm *lm, struct pawl_lm_model *model,
                                              void **state, struct pawl_error *err);
/* *identity lives as long as the lm. Loads only to know it. */
PAWL_MUST_CHECK enum pawl_status pawl_lm_name(struct pawl_lm *lm, struct pawl_lm_model *model,
                                              const char **identity, struct pawl_error *err);
/* Ask one model: cache, purse and slots. */
PAWL_MUST_CHECK enum pawl_status pawl_lm_model_ask(struct pawl_lm *lm, struct pawl_lm_model *model,
                                                   struct pawl_arena *arena,
                                                   const struct pawl_lm_request *requests, size_t n,
                                                   struct pawl_lm_reply *replies,
                                                   struct pawl_error *err);
/* Vectors of one model: texts made whole, the cache, rows of length 1. */
PAWL_MUST_CHECK enum pawl_status
pawl_lm_model_embed(struct pawl_lm *lm, struct pawl_lm_model *model, struct pawl_arena *arena,
                    const struct pawl_str *texts, size_t n, struct pawl_lm_vectors *vectors,
                    struct pawl_error *err);
enum pawl_status pawl_lm_fail_canceled(struct pawl_error *err);

#endif
