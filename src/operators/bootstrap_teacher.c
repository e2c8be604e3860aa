#include "operators/bootstrap_teacher.h"
#include "operators/trace.h"

/* Asked together, so that a local model decodes them side by side. What one walk does not need the
 * next one finds answered. */
enum { BATCH = 16 };

bool pawl_teacher_is_good(const struct pawl_teacher *teacher, const struct pawl_host_result *result)
{
    if (result->missing || result->failed || result->output == NULL) return false;
    return teacher->threshold < 0 ? result->score > 0 : result->score >= teacher->threshold;
}

static bool may_ask(const struct pawl_teacher *teacher, size_t train_case)
{
    return !teacher->asked[train_case] && !(teacher->shown && teacher->shown[train_case]);
}

/* The next cases of the walk that nobody asked about, as many as the budget allows in the worst
 * case (no good answer in any round). */
static size_t choose_batch(struct pawl_teacher *teacher, struct pawl_host *host,
                           const size_t *order, size_t n_order, int64_t keep, uint32_t *cases)
{
    int64_t room = (pawl_host_budget_left(host) - keep) / teacher->max_rounds;
    size_t n = 0;
    for (size_t i = 0; i < n_order && n < BATCH && (int64_t)n < room; i++) {
        if (!may_ask(teacher, order[i])) continue;
        teacher->asked[order[i]] = true;
        cases[n++] = (uint32_t)order[i];
    }
    return n;
}

static size_t n_modules(const struct pawl_teacher *teacher)
{
    return teacher->modules != NULL ? teacher->n_modules : 1;
}

static void learn_case(struct pawl_teacher *teacher, struct pawl_host *host, uint32_t train_case,
                       const struct pawl_host_result *result)
{
    const json_t *input = pawl_host_train_case(host, train_case)->input, *output = result->output;
    for (size_t m = 0; m < n_modules(teacher); m++) {
        if (teacher->modules != NULL) {
            const json_t *entry = pawl_trace_find(result->trace, teacher->modules[m]);
            input = json_object_get(entry, "input");
            output = json_object_get(entry, "output");
        }
        teacher->learned[m * pawl_host_n_train(host) + train_case] =
            pawl_demo_make(&teacher->fields[m], train_case, input, output, pawl_host_arena(host));
    }
}

/* Gives the number of cases without a good answer, moved to the front. */
static size_t learn(struct pawl_teacher *teacher, struct pawl_host *host, uint32_t *cases, size_t n,
                    const struct pawl_host_result *results)
{
    size_t n_left = 0;
    for (size_t i = 0; i < n; i++) {
        if (pawl_teacher_is_good(teacher, &results[i]))
            learn_case(teacher, host, cases[i], &results[i]);
        else
            cases[n_left++] = cases[i];
    }
    return n_left;
}

static enum pawl_status ask_batch(struct pawl_teacher *teacher, struct pawl_host *host,
                                  struct pawl_arena *step, uint32_t *cases, size_t n,
                                  struct pawl_error *err)
{
    struct pawl_host_result results[BATCH];
    for (int64_t round = 0; round < teacher->max_rounds && n > 0; round++) {
        struct pawl_host_evaluation evaluation = {.candidate = teacher->candidate,
                                                  .tier = PAWL_HOST_TRAIN,
                                                  .cases = cases,
                                                  .n_cases = n,
                                                  .sample = (uint32_t)round,
                                                  .temperature = round > 0 ? 1.0 : 0,
                                                  .trace = true,
                                                  .results = results};
        PAWL_TRY(pawl_host_evaluate(host, step, &evaluation, 1, err));
        n = learn(teacher, host, cases, n, results);
    }
    return PAWL_OK;
}

static size_t n_most(const struct pawl_teacher *teacher, const struct pawl_demo_set *sets)
{
    size_t most = 0;
    for (size_t m = 0; m < n_modules(teacher); m++)
        if (sets[m].n > most) most = sets[m].n;
    return most;
}

enum pawl_status pawl_teacher_walk(struct pawl_teacher *teacher, struct pawl_host *host,
                                   struct pawl_arena *step, const size_t *order, size_t wanted,
                                   int64_t keep, struct pawl_demo_set *sets, struct pawl_error *err)
{
    uint32_t cases[BATCH];
    size_t n_train = pawl_host_n_train(host);
    for (size_t i = 0; i < n_train && n_most(teacher, sets) < wanted; i++) {
        if (may_ask(teacher, order[i])) {
            size_t n = choose_batch(teacher, host, order + i, n_train - i, keep, cases);
            if (n == 0) break;
            PAWL_TRY(ask_batch(teacher, host, step, cases, n, err));
        }
        for (size_t m = 0; m < n_modules(teacher); m++)
            pawl_demo_set_add(&sets[m], &teacher->learned[m * n_train + order[i]]);
    }
    for (size_t m = 0; m < n_modules(teacher); m++) sets[m].n_bootstrapped = sets[m].n;
    return PAWL_OK;
}
