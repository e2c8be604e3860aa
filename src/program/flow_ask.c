/*
 * Several questions to one module at once. Strategies are code that blocks, so each question has a thread
 * while it waits: the caller's and as many more as the model can use. Each takes the next question until
 * there is none.
 */
#include "program/flow.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

enum { HELPERS_MAX = 15, STACK_BYTES = 1 << 20 /* a Lua call wants half of it */ };

struct asking {
    const struct pawl_flow_ask *ask;
    size_t n;
    atomic_size_t next;
    struct pawl_outcome *parts;
    enum pawl_status *status; /* of each; PAWL_OK where nobody asked, after one that failed */
    struct pawl_error *errors;
    atomic_bool stopped;
};
struct helper {
    struct asking *asking;
    struct pawl_arena arena; /* of its questions: reasons lie there until all are done */
    pthread_t thread;
};

static void work_on(struct asking *asking, struct pawl_arena *arena)
{
    const struct pawl_flow_ask *ask = asking->ask;
    size_t i;
    while (!atomic_load(&asking->stopped) && (i = atomic_fetch_add(&asking->next, 1)) < asking->n) {
        asking->status[i] = pawl_modules_run(ask->modules, ask->module, arena, ask->case_id,
                                             json_array_get(ask->inputs, i), ask->how,
                                             &asking->parts[i], &asking->errors[i]);
        if (asking->status[i] != PAWL_OK) atomic_store(&asking->stopped, true);
    }
}

static void *help(void *context)
{
    struct helper *helper = context;
    work_on(helper->asking, &helper->arena);
    return NULL;
}

/* As many as can be started; what they do not do the caller does. */
static size_t start_helpers(struct asking *asking, struct helper *helpers, size_t wanted)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    size_t n = 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    for (; n < wanted; n++) {
        helpers[n] = (struct helper){.asking = asking};
        if (pthread_create(&helpers[n].thread, &attributes, help, &helpers[n]) != 0) break;
    }
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return n;
}

static void end_helpers(struct helper *helpers, size_t n)
{
    for (size_t i = 0; i < n; i++) pthread_join(helpers[i].thread, NULL);
}

/* Reasons move to where they live as long as the case. */
static void keep_reasons(const struct asking *asking, struct pawl_arena *arena)
{
    for (size_t i = 0; i < asking->n; i++) {
        struct pawl_outcome *part = &asking->parts[i];
        if (part->reason) part->reason = pawl_arena_strdup(arena, part->reason);
    }
}

static size_t useful_helpers(const struct pawl_flow_ask *ask, size_t n)
{
    const struct pawl_module *module = ask->modules->of->list[ask->module];
    int parallel = n > 1 ? pawl_lm_parallel(module->lm, module->role) : 1;
    size_t useful = parallel > 1 ? (size_t)parallel - 1 : 0;
    if (useful > n - 1) useful = n - 1;
    return useful < HELPERS_MAX ? useful : HELPERS_MAX;
}

enum pawl_status pawl_flow_ask_all(const struct pawl_flow_ask *ask, struct pawl_arena *arena,
                                   struct pawl_outcome *parts, struct pawl_error *err)
{
    size_t n = json_array_size(ask->inputs);
    struct asking asking = {.ask = ask, .n = n, .parts = parts};
    struct helper helpers[HELPERS_MAX];
    if (n == 0) return PAWL_OK;
    asking.status = PAWL_NEW_N(arena, enum pawl_status, n);
    asking.errors = PAWL_NEW_N(arena, struct pawl_error, n);
    atomic_init(&asking.next, 0);
    atomic_init(&asking.stopped, false);
    size_t n_helpers = start_helpers(&asking, helpers, useful_helpers(ask, n));
    work_on(&asking, arena);
    end_helpers(helpers, n_helpers);
    keep_reasons(&asking, arena);
    for (size_t i = 0; i < n_helpers; i++) pawl_arena_release(&helpers[i].arena);
    for (size_t i = 0; i < n; i++) {
        if (asking.status[i] == PAWL_OK) continue;
        if (err) *err = asking.errors[i];
        return asking.status[i];
    }
    return PAWL_OK;
}
