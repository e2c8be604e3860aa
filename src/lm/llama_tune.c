#include "lm/llama_tune.h"

#include "lm/llama_engine.h"

#include <stdio.h>
#include <unistd.h>

enum { VALUES_MAX = 8, QUANTITY_S = 5, SHORT_PROMPT = 128 };

enum quantity { THREADS, BATCH, UBATCH, N_QUANTITIES };
static const char *const names[N_QUANTITIES] = {"threads", "batch", "ubatch"};

static size_t cores(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (size_t)n : 1;
}

struct pawl_llama_pace pawl_llama_pace_in_use(const struct pawl_llama_pace *fixed,
                                              const json_t *entry)
{
    struct pawl_llama_pace pace = {(int)cores(), PAWL_LLAMA_BATCH, PAWL_LLAMA_BATCH};
    pawl_llama_kept_pace(entry, &pace);
    if (fixed->n_threads) pace.n_threads = fixed->n_threads;
    if (fixed->batch_tokens) pace.batch_tokens = fixed->batch_tokens;
    if (fixed->ubatch_tokens) pace.ubatch_tokens = fixed->ubatch_tokens;
    if (pace.ubatch_tokens > pace.batch_tokens) pace.ubatch_tokens = pace.batch_tokens;
    return pace;
}

/* ---- One quantity ------------------------------------------------------------------------------- */

static size_t get(const struct pawl_llama_pace *pace, enum quantity quantity)
{
    return quantity == THREADS ? (size_t)pace->n_threads
           : quantity == BATCH ? pace->batch_tokens
                               : pace->ubatch_tokens;
}

static struct pawl_llama_pace with(struct pawl_llama_pace pace, enum quantity quantity,
                                   size_t value)
{
    if (quantity == THREADS) pace.n_threads = (int)value;
    if (quantity == BATCH) pace.batch_tokens = value;
    if (quantity == UBATCH) pace.ubatch_tokens = value;
    if (pace.ubatch_tokens > pace.batch_tokens) pace.ubatch_tokens = pace.batch_tokens;
    return pace;
}

static void add_value(size_t *values, size_t *n, size_t value)
{
    for (size_t i = 0; i < *n; i++)
        if (values[i] == value) return;
    if (value > 0 && *n < VALUES_MAX) values[(*n)++] = value;
}

/* The value in use comes first, as it must be among those measured. */
static size_t list_values(const struct pawl_llama_pace *pace, enum quantity quantity,
                          size_t values[VALUES_MAX])
{
    size_t n = 0;
    add_value(values, &n, get(pace, quantity));
    if (quantity == THREADS) {
        const size_t some[] = {cores(), cores() * 3 / 4, cores() / 2, cores() / 4, 1};
        for (size_t i = 0; i < sizeof some / sizeof *some; i++) add_value(values, &n, some[i]);
        return n;
    }
    size_t most = quantity == BATCH ? PAWL_LLAMA_BATCH : pace->batch_tokens;
    size_t least = quantity == BATCH ? PAWL_LLAMA_BATCH_MIN : PAWL_LLAMA_UBATCH_MIN;
    for (size_t value = most; value >= least; value /= 2) add_value(values, &n, value);
    return n;
}

/* The value that was in use stays unless the fastest is clearly faster. */
static size_t pick(const struct pawl_llama_speed *speeds, size_t n)
{
    size_t fastest = 0;
    for (size_t i = 1; i < n; i++)
        if (pawl_llama_case_seconds(&speeds[i]) < pawl_llama_case_seconds(&speeds[fastest]))
            fastest = i;
    return pawl_llama_is_clearly_faster(&speeds[fastest], &speeds[0]) ? fastest : 0;
}

static void keep(json_t *entry, enum quantity quantity, const size_t *values,
                 const struct pawl_llama_speed *speeds, size_t n)
{
    json_t *measured = json_object();
    for (size_t i = 0; i < n; i++) {
        char value[24];
        snprintf(value, sizeof value, "%zu", values[i]);
        pawl_json_set(measured, value, pawl_llama_speed_json(&speeds[i]));
    }
    if (!json_is_object(json_object_get(entry, "measured")))
        pawl_json_set(entry, "measured", json_object());
    pawl_json_set(json_object_get(entry, "measured"), names[quantity], measured);
    pawl_json_set(entry, names[quantity], json_integer((json_int_t)values[pick(speeds, n)]));
}

static enum pawl_status tune_quantity(const char *path, const struct pawl_llama_pace *pace,
                                      enum quantity quantity, json_t *entry, struct pawl_error *err)
{
    size_t values[VALUES_MAX], n = list_values(pace, quantity, values);
    struct pawl_llama_pace paces[VALUES_MAX];
    struct pawl_llama_speed speeds[VALUES_MAX];
    for (size_t i = 0; i < n; i++) paces[i] = with(*pace, quantity, values[i]);
    struct pawl_llama_measuring measuring = {
        .paces = paces,
        .n = n,
        .prompt_tokens = quantity == THREADS ? SHORT_PROMPT : PAWL_LLAMA_BATCH,
        .by_wall = quantity == THREADS,
        .seconds = QUANTITY_S};
    PAWL_TRY(pawl_llama_measure(path, &measuring, speeds, err));
    keep(entry, quantity, values, speeds, n);
    return PAWL_OK;
}

/* ---- All of them -------------------------------------------------------------------------------- */

static enum pawl_status tune_pace(const struct pawl_llama_weights_spec *spec,
                                  const struct pawl_llama_pace *fixed, json_t *entry,
                                  struct pawl_error *err)
{
    struct pawl_llama_weights weights;
    struct pawl_llama_weights_spec chosen = *spec;
    const char *kept = pawl_llama_weights_kept(spec, entry);
    chosen.form = kept ? kept : "packaged";
    PAWL_TRY(pawl_llama_weights_open(&chosen, &weights, err));
    enum pawl_status status = PAWL_OK;
    for (enum quantity quantity = THREADS; quantity < N_QUANTITIES && status == PAWL_OK;
         quantity++) {
        struct pawl_llama_pace pace = pawl_llama_pace_in_use(fixed, entry);
        status = tune_quantity(weights.path, &pace, quantity, entry, err);
    }
    pawl_llama_weights_release(&weights);
    return status;
}

enum pawl_status pawl_llama_tune(const struct pawl_llama_weights_spec *spec,
                                 const struct pawl_llama_pace *fixed, json_t *entry,
                                 struct pawl_error *err)
{
    PAWL_TRY(pawl_llama_weights_measure(spec, QUANTITY_S, entry, err));
    PAWL_TRY(tune_pace(spec, fixed, entry, err));
    struct pawl_llama_weights_spec again = *spec;
    again.pace = pawl_llama_pace_in_use(fixed, entry);
    if (again.pace.n_threads == spec->pace.n_threads) return PAWL_OK;
    return pawl_llama_weights_measure(&again, QUANTITY_S, entry, err);
}
