/*
 * Branches: hosts of their own, at the same time.
 *
 * parallel: the calling thread and as many helpers as are free take branches in order until none is
 * left, so nobody waits for a thread that waits for somebody else. submit: one thread per branch.
 * The lock is the run's.
 */
#include "improve/host_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { STACK_BYTES = 1 << 20 };

static int take_threads(struct pawl_run *run, int wanted)
{
    pthread_mutex_lock(&run->lock);
    int n = PAWL_THREADS_MAX - run->n_threads;
    if (n > wanted) n = wanted;
    run->n_threads += n;
    pthread_mutex_unlock(&run->lock);
    return n;
}

static void give_threads(struct pawl_run *run, int n)
{
    pthread_mutex_lock(&run->lock);
    run->n_threads -= n;
    pthread_mutex_unlock(&run->lock);
}

static bool start_thread(pthread_t *thread, void *(*body)(void *), void *context)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    bool started = pthread_create(thread, &attributes, body, context) == 0;
    pthread_attr_destroy(&attributes);
    return started;
}

static enum pawl_status check_depth(const struct pawl_host *host, struct pawl_error *err)
{
    if (host->depth < PAWL_NEST_MAX) return PAWL_OK;
    return pawl_fail(err, PAWL_EUSAGE, "Branches may lie at most %d deep in each other.",
                     PAWL_NEST_MAX);
}

/* --- parallel ---------------------------------------------------------------------------------- */

struct branch {
    struct pawl_host host;
    enum pawl_status status;
    struct pawl_error error;
};
struct fork {
    struct branch *branches;
    size_t n;
    pawl_host_branch fn;
    void *context;
    atomic_size_t next;
};

static void *run_branches(void *context)
{
    struct fork *fork = context;
    for (size_t i; (i = atomic_fetch_add(&fork->next, 1)) < fork->n;) {
        struct branch *branch = &fork->branches[i];
        branch->status = fork->fn(&branch->host, i, fork->context, &branch->error);
        branch->status = pawl_host_finish(&branch->host, branch->status, &branch->error);
    }
    return NULL;
}

/* The memory of a branch outlives it: its results may point into it. */
static void keep_memory(struct pawl_host *parent, struct pawl_host *branch)
{
    struct pawl_run *run = parent->run;
    if (branch->arena.blocks == NULL && branch->kept == NULL) {
        pawl_host_release(branch);
        return;
    }
    free(branch->tickets);
    pthread_mutex_lock(&run->lock);
    struct pawl_retired *retired = PAWL_NEW(&run->arena, struct pawl_retired);
    *retired = (struct pawl_retired){run->retired, branch->arena, branch->kept};
    run->retired = retired;
    pthread_mutex_unlock(&run->lock);
}

static void open_branches(struct pawl_host *host, const char *path, struct fork *fork)
{
    bool shared = pawl_pool_is_shared(host->pool);
    for (size_t i = 0; i < fork->n; i++) {
        char prefix[PAWL_PATH_MAX + 24];
        struct branch *branch = &fork->branches[i];
        snprintf(prefix, sizeof prefix, "%s/%zu", path, i);
        pawl_host_init(&branch->host, host->run, prefix, host->depth + 1, host->pool);
        if (shared) continue;
        pawl_pool_init_share(&branch->host.own_pool, host->pool, i, fork->n);
        branch->host.pool = &branch->host.own_pool;
    }
}

static enum pawl_status close_branches(struct pawl_host *host, struct fork *fork,
                                       struct pawl_error *err)
{
    enum pawl_status status = PAWL_OK;
    for (size_t i = 0; i < fork->n; i++) {
        struct branch *branch = &fork->branches[i];
        if (branch->host.pool == &branch->host.own_pool)
            pawl_pool_join(host->pool, &branch->host.own_pool);
        keep_memory(host, &branch->host);
        if (status != PAWL_OK || branch->status == PAWL_OK) continue;
        status = branch->status;
        if (err != NULL) *err = branch->error;
    }
    return status;
}

static enum pawl_status record_parallel(struct pawl_host *host, size_t n,
                                        struct pawl_host_step *step, struct pawl_error *err)
{
    struct pawl_hasher args;
    pawl_args_begin(&args, "parallel");
    pawl_args_int(&args, n);
    PAWL_TRY(pawl_host_begin(host, "parallel", &args, step, err));
    enum pawl_status status = step->is_recorded ? PAWL_OK : pawl_host_record(host, step, err);
    pawl_host_end(step);
    return status;
}

enum pawl_status pawl_host_parallel(struct pawl_host *host, size_t n, pawl_host_branch fn,
                                    void *context, struct pawl_error *err)
{
    struct pawl_host_step step;
    pthread_t threads[PAWL_THREADS_MAX];
    int n_started = 0;
    if (n == 0) return PAWL_OK;
    PAWL_TRY(check_depth(host, err));
    if (n > PAWL_BRANCHES_MAX)
        return pawl_fail(err, PAWL_EUSAGE, "%zu branches at once are more than %d.", n,
                         PAWL_BRANCHES_MAX);
    PAWL_TRY(record_parallel(host, n, &step, err));
    struct fork fork = {
        .branches = pawl_xcalloc(n, sizeof *fork.branches), .n = n, .fn = fn, .context = context};
    open_branches(host, step.path, &fork);
    int n_taken = take_threads(host->run, n < PAWL_THREADS_MAX ? (int)n - 1 : PAWL_THREADS_MAX);
    while (n_started < n_taken && start_thread(&threads[n_started], run_branches, &fork))
        n_started++;
    run_branches(&fork);
    for (int i = 0; i < n_started; i++) pthread_join(threads[i], NULL);
    give_threads(host->run, n_taken);
    enum pawl_status status = close_branches(host, &fork, err);
    free(fork.branches);
    return status;
}

/* --- submit and next_done ------------------------------------------------------------------------- */

struct pawl_ticket {
    struct branch branch;
    struct pawl_host *parent;
    pawl_host_branch fn;
    size_t index;
    void *context;
    uint32_t number;
    pthread_t thread;
    bool has_ended;
    struct pawl_ticket *next; /* among the ended ones */
};

static void *run_ticket(void *context)
{
    struct pawl_ticket *ticket = context;
    struct branch *branch = &ticket->branch;
    struct pawl_run *run = ticket->parent->run;
    branch->status = ticket->fn(&branch->host, ticket->index, ticket->context, &branch->error);
    branch->status = pawl_host_finish(&branch->host, branch->status, &branch->error);
    pthread_mutex_lock(&run->lock);
    ticket->has_ended = true;
    *ticket->parent->ended_last = ticket;
    ticket->parent->ended_last = &ticket->next;
    pthread_cond_broadcast(&run->branch_ended);
    pthread_mutex_unlock(&run->lock);
    return NULL;
}

/* The branches of a pool that several draw on must know all that was ever charged to it. */
static void share_pool(struct pawl_host *host)
{
    struct pawl_journal *journal = host->run->settings.journal;
    if (pawl_pool_is_shared(host->pool)) return;
    const struct pawl_host *owner = host->pool == &host->own_pool ? host : NULL;
    int64_t recorded = owner != NULL ? pawl_journal_cost_below(journal, owner->prefix)
                                     : pawl_journal_cost_below(journal, "") -
                                           pawl_journal_cost_below(journal, PAWL_PATH_END);
    pawl_pool_set_shared(host->pool, recorded);
}

static struct pawl_ticket *add_ticket(struct pawl_host *host, const char *path)
{
    char prefix[PAWL_PATH_MAX + 24];
    struct pawl_ticket *ticket = pawl_xcalloc(1, sizeof *ticket);
    host->tickets = pawl_xrealloc(host->tickets, (host->n_tickets + 1) * sizeof *host->tickets);
    host->tickets[host->n_tickets] = ticket;
    ticket->parent = host;
    ticket->number = (uint32_t)host->n_tickets++;
    snprintf(prefix, sizeof prefix, "%s/0", path);
    pawl_host_init(&ticket->branch.host, host->run, prefix, host->depth + 1, host->pool);
    return ticket;
}

enum pawl_status pawl_host_submit(struct pawl_host *host, pawl_host_branch fn, size_t index,
                                  void *context, uint32_t *number, struct pawl_error *err)
{
    struct pawl_hasher args;
    struct pawl_host_step step;
    PAWL_TRY(check_depth(host, err));
    if (take_threads(host->run, 1) == 0) {
        pawl_fail(err, PAWL_EUSAGE, "More than %d branches are under way.", PAWL_THREADS_MAX);
        pawl_hint(err, "Take some with next_done before submitting more.");
        return PAWL_EUSAGE;
    }
    pawl_args_begin(&args, "submit");
    pawl_args_int(&args, index);
    enum pawl_status status = pawl_host_begin(host, "submit", &args, &step, err);
    if (status == PAWL_OK && !step.is_recorded) status = pawl_host_record(host, &step, err);
    if (status != PAWL_OK) {
        give_threads(host->run, 1);
        return status;
    }
    pawl_host_end(&step);
    share_pool(host);
    struct pawl_ticket *ticket = add_ticket(host, step.path);
    ticket->fn = fn;
    ticket->index = index;
    ticket->context = context;
    if (!start_thread(&ticket->thread, run_ticket, ticket))
        PAWL_BUG("a thread could not be started");
    host->n_open++;
    *number = ticket->number;
    return PAWL_OK;
}

/* Wait until `wanted` has ended (NULL: any), and take it off the list. Lock held. */
static struct pawl_ticket *wait_locked(struct pawl_host *host, const struct pawl_ticket *wanted)
{
    struct pawl_ticket **link;
    for (;;) {
        for (link = &host->ended; *link != NULL; link = &(*link)->next)
            if (wanted == NULL || *link == wanted) break;
        if (*link != NULL) break;
        pthread_cond_wait(&host->run->branch_ended, &host->run->lock);
    }
    struct pawl_ticket *ticket = *link;
    *link = ticket->next;
    if (host->ended_last == &ticket->next) host->ended_last = link;
    return ticket;
}

static struct pawl_ticket *wait_for(struct pawl_host *host, const struct pawl_ticket *wanted)
{
    pthread_mutex_lock(&host->run->lock);
    struct pawl_ticket *ticket = wait_locked(host, wanted);
    pthread_mutex_unlock(&host->run->lock);
    return ticket;
}

static enum pawl_status close_ticket(struct pawl_host *host, struct pawl_ticket *ticket,
                                     struct pawl_error *err)
{
    enum pawl_status status = ticket->branch.status;
    if (status != PAWL_OK && err != NULL) *err = ticket->branch.error;
    pthread_join(ticket->thread, NULL);
    give_threads(host->run, 1);
    keep_memory(host, &ticket->branch.host);
    host->tickets[ticket->number] = NULL;
    host->n_open--;
    free(ticket);
    return status;
}

static enum pawl_status take_recorded(struct pawl_host *host, const struct pawl_host_step *step,
                                      struct pawl_ticket **ticket, struct pawl_error *err)
{
    int64_t number = step->found.number;
    if (number < 0 || (uint64_t)number >= host->n_tickets || host->tickets[number] == NULL)
        return pawl_host_bad_record(step, err);
    *ticket = wait_for(host, host->tickets[number]);
    return PAWL_OK;
}

/* A branch that stopped for a pause or the world has not ended; its end is not recorded. */
static enum pawl_status take_any(struct pawl_host *host, struct pawl_host_step *step,
                                 struct pawl_ticket **ticket, struct pawl_error *err)
{
    *ticket = wait_for(host, NULL);
    enum pawl_status status = (*ticket)->branch.status;
    if (status != PAWL_OK && status != PAWL_EBUDGET) return PAWL_OK;
    step->record.number = (*ticket)->number;
    return pawl_host_record(host, step, err);
}

enum pawl_status pawl_host_next_done(struct pawl_host *host, uint32_t *number,
                                     struct pawl_error *err)
{
    struct pawl_hasher args;
    struct pawl_host_step step;
    struct pawl_ticket *ticket = NULL;
    if (host->n_open == 0)
        return pawl_fail(err, PAWL_EUSAGE, "next_done was called, but no branch is under way.");
    pawl_args_begin(&args, "next_done");
    PAWL_TRY(pawl_host_begin(host, "next_done", &args, &step, err));
    enum pawl_status status = step.is_recorded ? take_recorded(host, &step, &ticket, err)
                                               : take_any(host, &step, &ticket, err);
    pawl_host_end(&step);
    if (ticket == NULL) return pawl_run_fail(host->run, status, err);
    *number = ticket->number;
    enum pawl_status ended = close_ticket(host, ticket, status == PAWL_OK ? err : NULL);
    return status != PAWL_OK ? status : ended;
}

void pawl_host_join(struct pawl_host *host)
{
    while (host->n_open > 0) (void)close_ticket(host, wait_for(host, NULL), NULL);
}
