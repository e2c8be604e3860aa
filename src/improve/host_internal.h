/*
 * host_internal.h - what the files of the host share. Nobody else includes this.
 *
 *     struct pawl_run     one per run: candidates, cases, instruments, limits; guarded by its lock
 *     struct pawl_host    one per branch: path, counter, random stream, memory; of one thread
 *
 * A step, in every file:
 *
 *     PAWL_TRY(pawl_host_begin(host, "kind", &args, &step, err));
 *     if (!step.is_recorded) { do the work; pawl_host_record(host, &step, err); }
 *     read the result out of step.result, the same way whether it is new or old
 *     pawl_host_end(&step);
 */
#ifndef PAWL_IMPROVE_HOST_INTERNAL_H
#define PAWL_IMPROVE_HOST_INTERNAL_H

#include "improve/budget.h"
#include "improve/engine.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    PAWL_NEST_MAX = 4,        /* branches within branches */
    PAWL_THREADS_MAX = 64,    /* running branches, all together */
    PAWL_BRANCHES_MAX = 4096, /* of one pawl_host_parallel */
    PAWL_PREFIX_MAX = 224,    /* of a branch */
    PAWL_PATH_MAX = 256,
    PAWL_INSTANCES_KEPT = 32,
    PAWL_FINALISTS = 3,
};
#define PAWL_PATH_END "end" /* steps of the end of the run lie below this path */

struct pawl_candidate {
    struct pawl_hash id;
    const struct pawl_artifact *artifact; /* NULL: its recorded draft has not been repeated yet */
    const char *path;                     /* of the first step, in path order, that drafted it */
    const uint32_t *parents;
    size_t n_parents;
    float *dev_scores;                /* one per dev case, NAN: not known; NULL: none is */
    struct pawl_behaviour *behaviour; /* likewise */
    double inherited_mean;            /* of the run this one was forked from; NAN */
    bool nominated;
};

struct pawl_cached_instance {
    struct pawl_instance *instance; /* NULL: free */
    uint32_t candidate;
    size_t n_users;
    uint64_t last_use;
};

struct pawl_kept_json; /* results that an operator may still look at */
struct pawl_retired {
    struct pawl_retired *next;
    struct pawl_arena arena;
    struct pawl_kept_json *kept;
};

struct pawl_run {
    struct pawl_run_settings settings;
    struct pawl_arena arena; /* run; under lock */
    pthread_mutex_t lock;
    pthread_mutex_t draft_lock; /* outside of lock */

    struct pawl_candidate *candidates; /* under lock */
    size_t n_candidates, capacity;     /* those that a resumed run is about to draft included */
    size_t n_seen;                     /* not included */
    size_t n_given;                    /* of those, the start and what was inherited */
    uint32_t *by_id;                   /* hash table: artifact id -> number + 1 */
    size_t n_by_id;

    struct pawl_host_component *components;
    struct pawl_host_case *train;
    json_t *train_objects;     /* owns what train points to */
    json_t *fields;            /* of the program */
    uint32_t *visible, *check; /* indices into settings.dev */
    size_t n_visible, n_check;

    struct pawl_pool pool, end_pool;
    struct pawl_money money;
    struct pawl_deadline deadline;

    pthread_mutex_t instances_lock;
    struct pawl_cached_instance instances[PAWL_INSTANCES_KEPT];
    uint64_t n_uses;

    struct pawl_retired *retired; /* memory of branches that have ended; under lock */
    pthread_cond_t branch_ended;  /* with lock */
    int n_threads;                /* under lock */

    atomic_bool canceled;
    atomic_size_t n_steps, n_resumed;
    atomic_int_fast64_t n_evaluations, evaluate_us;
    struct pawl_usage usage; /* under lock */
    double best_mean;        /* under lock */
    const char *short_of;    /* under lock; see pawl_run_result */
    bool failed;             /* under lock; the first failure that ends the run, kept in why */
    struct pawl_error why;
};

struct pawl_ticket;

struct pawl_host {
    struct pawl_run *run;
    char prefix[PAWL_PREFIX_MAX]; /* "" at the top */
    uint64_t n_steps;
    int depth;
    struct pawl_pool *pool, own_pool;
    struct pawl_random random;
    struct pawl_arena arena;
    struct pawl_kept_json *kept;
    struct pawl_ticket **tickets; /* submitted branches by ticket; taken ones NULL */
    size_t n_tickets, n_open;
    struct pawl_ticket *ended, **ended_last; /* not yet taken, in order; under the run's lock */
};

struct pawl_host_step {
    char path[PAWL_PATH_MAX];
    struct pawl_step record; /* to be written: fill cost, number, result before recording */
    struct pawl_recorded found;
    bool is_recorded;
    json_t *result; /* owned; NULL: none */
};

/* --- host.c ---------------------------------------------------------------------------------- */

void pawl_host_init(struct pawl_host *host, struct pawl_run *run, const char *prefix, int depth,
                    struct pawl_pool *pool);
/* Checks that the journal has no further step of this branch. */
enum pawl_status pawl_host_finish(struct pawl_host *host, enum pawl_status status,
                                  struct pawl_error *err);
void pawl_host_release(struct pawl_host *host);

/* Fails PAWL_EDIVERGED when the record is of another step, PAWL_EPAUSED after a cancel, and as the
 * step itself did when it was refused. On failure there is nothing to end. */
enum pawl_status pawl_host_begin(struct pawl_host *host, const char *kind, struct pawl_hasher *args,
                                 struct pawl_host_step *step, struct pawl_error *err);
enum pawl_status pawl_host_record(struct pawl_host *host, struct pawl_host_step *step,
                                  struct pawl_error *err);
/* What the step's requests took, recorded with it. */
void pawl_host_note_usage(struct pawl_host_step *step, const struct pawl_usage *usage);
void pawl_host_end(struct pawl_host_step *step);
/* Record that the step was refused for want of `what` (evaluations, usd, minutes); ends the step
 * and gives PAWL_EBUDGET. */
enum pawl_status pawl_host_refuse(struct pawl_host *host, struct pawl_host_step *step,
                                  const char *what, struct pawl_error *err);
bool pawl_host_is_late(struct pawl_host *host, struct pawl_host_step *step);
/* Every failure but a refusal ends the run: remember the first, give `status` back. */
enum pawl_status pawl_run_fail(struct pawl_run *run, enum pawl_status status,
                               const struct pawl_error *err);
void pawl_run_tell(struct pawl_run *run);
/* A recorded result that does not have the shape that its step writes. */
enum pawl_status pawl_host_bad_record(const struct pawl_host_step *step, struct pawl_error *err);

/* For the hash of arguments. */
void pawl_args_begin(struct pawl_hasher *args, const char *kind);
void pawl_args_int(struct pawl_hasher *args, uint64_t value);
void pawl_args_text(struct pawl_hasher *args, struct pawl_str text);

/* --- host_candidates.c ------------------------------------------------------------------------- */

uint32_t pawl_run_add_candidate(struct pawl_run *run, const struct pawl_artifact *artifact,
                                const char *path, const uint32_t *parents, size_t n_parents);
void pawl_run_expect_candidates(struct pawl_run *run); /* those of the journal, by number */
const struct pawl_artifact *pawl_run_artifact(struct pawl_run *run, uint32_t candidate);
/* Mean over the visible dev cases that have a score; NAN when none has. *n (may be NULL): how many. */
double pawl_run_dev_mean(struct pawl_run *run, uint32_t candidate, size_t *n);
/* On so many cases of dev a candidate must have a score for its mean to be compared with the start's: about
 * as many as the start, some lost to the world aside. */
size_t pawl_run_measured_min(struct pawl_run *run);
void pawl_run_note_dev(struct pawl_run *run, uint32_t candidate, uint32_t dev_index, double score,
                       const struct pawl_behaviour *behaviour);
void pawl_run_keep_candidate(struct pawl_run *run, uint32_t candidate);
/* Is `a` before `b`, as steps of an uninterrupted run without branches would be? */
bool pawl_path_before(const char *a, const char *b);

/* --- host_evaluate.c --------------------------------------------------------------------------- */

/* Beside the tiers of host.h: indices into run->check. */
enum { PAWL_TIER_CHECK_CASES = 100 };
enum pawl_status pawl_host_evaluate_cases(struct pawl_host *host, struct pawl_arena *step,
                                          struct pawl_host_evaluation *batch, size_t n,
                                          struct pawl_error *err);
void pawl_host_forget_json(struct pawl_kept_json **kept);

/* --- host_instances.c -------------------------------------------------------------------------- */

/* One candidate's instance for the time of a batch. */
struct pawl_borrowed {
    uint32_t candidate;
    struct pawl_instance *instance;
    struct pawl_cached_instance *place; /* NULL: not cached, released with the batch */
};
enum pawl_status pawl_run_borrow_instance(struct pawl_run *run, uint32_t candidate,
                                          struct pawl_borrowed *out, struct pawl_error *err);
void pawl_run_give_instance_back(struct pawl_run *run, struct pawl_borrowed *borrowed);
void pawl_run_release_instances(struct pawl_run *run);

/* --- host_branch.c ------------------------------------------------------------------------------ */

/* Wait for every submitted branch; a host ends only after its branches. */
void pawl_host_join(struct pawl_host *host);

/* --- finalist.c --------------------------------------------------------------------------------- */

int64_t pawl_finalists_cost(size_t n_check); /* evaluations kept back for the choice */
/* Choose, and offer the winner. */
enum pawl_status pawl_finalists(struct pawl_host *end, struct pawl_run_result *result,
                                struct pawl_error *err);

#endif
