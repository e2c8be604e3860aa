#include "lm/llama_adapters.h"

#include "lm/llama_child.h"
#include "lm/llama_weights.h"
#include "lm/model_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { TRIAL_TOKENS = 256 };

struct loaded {
    struct pawl_hash hash;
    struct llama_adapter_lora *adapter; /* NULL: free */
    uint64_t last_used;
};

struct pawl_llama_adapters {
    struct llama_model *model;
    const struct pawl_llama_set *own;
    struct loaded loaded[PAWL_LLAMA_ADAPTERS_LOADED];
    uint64_t now;
};

/* ---- Sets ------------------------------------------------------------------------------------- */

/* Add an adapter to a list of distinct ones; the same one twice works with the sum of its scales. */
static size_t add(struct pawl_lm_adapter *list, size_t n, const struct pawl_lm_adapter *more)
{
    for (size_t i = 0; i < n; i++)
        if (pawl_hash_eq(&list[i].hash, &more->hash)) {
            list[i].scale += more->scale;
            return n;
        }
    list[n] = *more;
    return n + 1;
}

const struct pawl_llama_set *pawl_llama_set_of(struct pawl_arena *arena,
                                               const struct pawl_lm_adapter *first, size_t n_first,
                                               const struct pawl_lm_adapter *then, size_t n_then)
{
    struct pawl_lm_adapter *list = PAWL_NEW_N(arena, struct pawl_lm_adapter, n_first + n_then + 1);
    size_t n_all = 0, n = 0;
    for (size_t i = 0; i < n_first; i++) n_all = add(list, n_all, &first[i]);
    for (size_t i = 0; i < n_then; i++) n_all = add(list, n_all, &then[i]);
    for (size_t i = 0; i < n_all; i++)
        if (list[i].scale != 0) list[n++] = list[i];
    if (n == 0) return NULL;
    struct pawl_hasher hasher;
    pawl_hasher_init(&hasher);
    for (size_t i = 0; i < n; i++) {
        float scale = (float)list[i].scale;
        pawl_hasher_add(&hasher, list[i].hash.bytes, sizeof list[i].hash.bytes);
        pawl_hasher_add(&hasher, &scale, sizeof scale);
    }
    struct pawl_llama_set *set = PAWL_NEW(arena, struct pawl_llama_set);
    *set = (struct pawl_llama_set){.adapters = list, .n = n, .key = pawl_hasher_final(&hasher)};
    return set;
}

bool pawl_llama_set_eq(const struct pawl_llama_set *a, const struct pawl_llama_set *b)
{
    return a == b || (a && b && pawl_hash_eq(&a->key, &b->key));
}

/* ---- In the child: an adapter is tried out ---------------------------------------------------- */

struct candidate {
    struct llama_model *model;
    const char *path;
};

/* libllama begins its reason with the names of its functions. */
static const char *last_reason(void)
{
    static const char before[] = "lora adapter: ";
    const char *error = pawl_llama_last_error(), *at = strstr(error, before);
    return at ? at + strlen(before) : error;
}

static void decode_with(struct llama_model *model, struct llama_adapter_lora *adapter)
{
    float scale = 1;
    struct llama_context_params params = llama_context_default_params();
    params.n_ctx = params.n_batch = params.n_ubatch = TRIAL_TOKENS;
    params.n_threads = params.n_threads_batch = 1; /* a forked child starts no other */
    struct llama_context *context = llama_init_from_model(model, params);
    if (!context) pawl_llama_child_refuse("it does not run", pawl_llama_last_error());
    llama_set_adapters_lora(context, &adapter, 1, &scale);
    llama_token token = 0;
    if (llama_decode(context, llama_batch_get_one(&token, 1)) != 0)
        pawl_llama_child_refuse("it does not run", pawl_llama_last_error());
    const float *logits = llama_get_logits_ith(context, -1);
    int n_vocab = llama_vocab_n_tokens(llama_model_get_vocab(model));
    for (int i = 0; i < n_vocab; i++)
        if (!isfinite(logits[i])) pawl_llama_child_refuse("its answer is not a number", "");
}

static void try_adapter(const void *task, void *unused)
{
    (void)unused;
    const struct candidate *candidate = task;
    struct llama_adapter_lora *adapter = llama_adapter_lora_init(candidate->model, candidate->path);
    if (!adapter) pawl_llama_child_refuse(last_reason(), "");
    if (llama_adapter_get_alora_n_invocation_tokens(adapter) > 0)
        pawl_llama_child_refuse("it is an activated LoRA, which begins inside a prompt", "");
    decode_with(candidate->model, adapter);
}

static enum pawl_status try_out(const struct candidate *candidate, struct pawl_error *err)
{
    struct pawl_arena scratch = {0};
    char nothing;
    struct pawl_llama_child child = {
        .work = try_adapter,
        .task = candidate,
        .answer = &nothing,
        .model = pawl_arena_printf(&scratch, "with the adapter %s", candidate->path)};
    enum pawl_status status = pawl_llama_child_run(&child, err);
    pawl_arena_release(&scratch);
    return status;
}

/* ---- In this process -------------------------------------------------------------------------- */

struct pawl_llama_adapters *pawl_llama_adapters_new(struct llama_model *model,
                                                    const struct pawl_llama_set *own)
{
    struct pawl_llama_adapters *adapters = pawl_xcalloc(1, sizeof *adapters);
    adapters->model = model;
    adapters->own = own;
    return adapters;
}

void pawl_llama_adapters_free(struct pawl_llama_adapters *adapters)
{
    if (!adapters) return;
    for (size_t i = 0; i < PAWL_LLAMA_ADAPTERS_LOADED; i++)
        llama_adapter_lora_free(adapters->loaded[i].adapter);
    free(adapters);
}

static bool holds(const struct pawl_llama_set *set, const struct pawl_hash *hash)
{
    for (size_t i = 0; set && i < set->n; i++)
        if (pawl_hash_eq(&set->adapters[i].hash, hash)) return true;
    return false;
}

/* A free place, or that of the adapter used longest ago; what is being put on now stays. */
static struct loaded *make_place(struct pawl_llama_adapters *adapters)
{
    struct loaded *oldest = NULL;
    for (size_t i = 0; i < PAWL_LLAMA_ADAPTERS_LOADED; i++) {
        struct loaded *place = &adapters->loaded[i];
        if (!place->adapter) return place;
        if (place->last_used == adapters->now || holds(adapters->own, &place->hash)) continue;
        if (!oldest || place->last_used < oldest->last_used) oldest = place;
    }
    PAWL_ASSERT(oldest);
    llama_adapter_lora_free(oldest->adapter);
    *oldest = (struct loaded){.adapter = NULL};
    return oldest;
}

static enum pawl_status load(struct pawl_llama_adapters *adapters,
                             const struct pawl_lm_adapter *wanted, struct loaded **place,
                             struct pawl_error *err)
{
    struct pawl_hash hash;
    PAWL_TRY(pawl_model_hash(wanted->path, false, &hash, err));
    if (!pawl_hash_eq(&hash, &wanted->hash))
        return pawl_fail(err, PAWL_EWORLD, "The adapter %s is another file by now.", wanted->path);
    struct candidate candidate = {adapters->model, wanted->path};
    PAWL_TRY(try_out(&candidate, err));
    struct llama_adapter_lora *adapter = llama_adapter_lora_init(adapters->model, wanted->path);
    if (!adapter)
        return pawl_fail(err, PAWL_EWORLD, "Cannot load the adapter %s: %s.", wanted->path,
                         last_reason());
    *place = make_place(adapters);
    **place = (struct loaded){.hash = hash, .adapter = adapter};
    return PAWL_OK;
}

static struct loaded *find(struct pawl_llama_adapters *adapters, const struct pawl_hash *hash)
{
    for (size_t i = 0; i < PAWL_LLAMA_ADAPTERS_LOADED; i++)
        if (adapters->loaded[i].adapter && pawl_hash_eq(&adapters->loaded[i].hash, hash))
            return &adapters->loaded[i];
    return NULL;
}

enum pawl_status pawl_llama_adapters_use(struct pawl_llama_adapters *adapters,
                                         struct llama_context *context,
                                         const struct pawl_llama_set *set, struct pawl_error *err)
{
    struct llama_adapter_lora *list[PAWL_LLAMA_ADAPTERS_MAX];
    float scales[PAWL_LLAMA_ADAPTERS_MAX];
    size_t n = set ? set->n : 0;
    PAWL_ASSERT(n <= PAWL_LLAMA_ADAPTERS_MAX);
    adapters->now++;
    llama_set_adapters_lora(context, NULL, 0, NULL); /* so that what it had may be freed */
    for (size_t i = 0; i < n; i++) {
        struct loaded *place = find(adapters, &set->adapters[i].hash);
        if (!place) PAWL_TRY(load(adapters, &set->adapters[i], &place, err));
        place->last_used = adapters->now;
        list[i] = place->adapter;
        scales[i] = (float)set->adapters[i].scale;
    }
    llama_set_adapters_lora(context, n ? list : NULL, n, n ? scales : NULL);
    return PAWL_OK;
}
