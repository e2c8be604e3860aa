/*
 * Prepared instances of a run's candidates: the newest few are kept, because operators come back to them.
 *
 * Invariant: an instance that somebody uses is not released; where all places are in use, one more is
 * prepared for a batch alone.
 */
#include "improve/host_internal.h"

static struct pawl_cached_instance *find_instance_locked(struct pawl_run *run, uint32_t candidate)
{
    for (size_t i = 0; i < PAWL_INSTANCES_KEPT; i++) {
        struct pawl_cached_instance *cached = &run->instances[i];
        if (cached->instance != NULL && cached->candidate == candidate) return cached;
    }
    return NULL;
}

/* A free place, else the least recently used one that nobody uses; NULL when all are in use. */
static struct pawl_cached_instance *oldest_instance_locked(struct pawl_run *run)
{
    struct pawl_cached_instance *oldest = NULL;
    for (size_t i = 0; i < PAWL_INSTANCES_KEPT; i++) {
        struct pawl_cached_instance *cached = &run->instances[i];
        if (cached->instance == NULL) return cached;
        if (cached->n_users > 0) continue;
        if (oldest == NULL || cached->last_use < oldest->last_use) oldest = cached;
    }
    return oldest;
}

static bool borrow_prepared(struct pawl_run *run, uint32_t candidate, struct pawl_borrowed *out)
{
    pthread_mutex_lock(&run->instances_lock);
    struct pawl_cached_instance *place = find_instance_locked(run, candidate);
    if (place != NULL) {
        place->n_users++;
        place->last_use = ++run->n_uses;
        *out = (struct pawl_borrowed){candidate, place->instance, place};
    }
    pthread_mutex_unlock(&run->instances_lock);
    return place != NULL;
}

/* Preparing may take minutes and is done without the lock; two branches may prepare the same. */
static void keep_prepared(struct pawl_run *run, uint32_t candidate, struct pawl_borrowed *borrowed)
{
    struct pawl_instance *old = NULL;
    pthread_mutex_lock(&run->instances_lock);
    struct pawl_cached_instance *place = oldest_instance_locked(run);
    if (place != NULL && find_instance_locked(run, candidate) == NULL) {
        old = place->instance;
        *place = (struct pawl_cached_instance){borrowed->instance, candidate, 1, ++run->n_uses};
        borrowed->place = place;
    }
    pthread_mutex_unlock(&run->instances_lock);
    if (old != NULL) pawl_program_release(old);
}

enum pawl_status pawl_run_borrow_instance(struct pawl_run *run, uint32_t candidate,
                                          struct pawl_borrowed *out, struct pawl_error *err)
{
    if (borrow_prepared(run, candidate, out)) return PAWL_OK;
    const struct pawl_artifact *artifact = pawl_run_artifact(run, candidate);
    *out = (struct pawl_borrowed){.candidate = candidate};
    PAWL_TRY(pawl_program_prepare(run->settings.program, artifact, 0, &out->instance, err));
    keep_prepared(run, candidate, out);
    return PAWL_OK;
}

void pawl_run_give_instance_back(struct pawl_run *run, struct pawl_borrowed *borrowed)
{
    if (borrowed->instance == NULL) return;
    if (borrowed->place == NULL) {
        pawl_program_release(borrowed->instance);
        return;
    }
    pthread_mutex_lock(&run->instances_lock);
    borrowed->place->n_users--;
    pthread_mutex_unlock(&run->instances_lock);
}

void pawl_run_release_instances(struct pawl_run *run)
{
    for (size_t i = 0; i < PAWL_INSTANCES_KEPT; i++) {
        PAWL_ASSERT(run->instances[i].n_users == 0);
        if (run->instances[i].instance != NULL) pawl_program_release(run->instances[i].instance);
        run->instances[i].instance = NULL;
    }
}
