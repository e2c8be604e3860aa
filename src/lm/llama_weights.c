#include "lm/llama_weights.h"

#include "io/file.h"
#include "lm/llama_cells.h"
#include "lm/llama_child.h"
#include "lm/llama_engine.h"
#include "lm/llama_kept.h"
#include "lm/model_file.h"

#include <fcntl.h>
#include <llama.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { REASON_BYTES = 400, MEASURED_PROMPT = 128, MEASURING_S = 4 };

/* libllama's state, not ours: one start per process, and what it last complained of. */
static pthread_once_t started = PTHREAD_ONCE_INIT;
static _Thread_local char last_error[REASON_BYTES];

/*
 * Threads that wait for each other spin for a millisecond before they sleep, by default: on a busy
 * machine most of the time is lost to that (measured: a tenth of the speed). The runtime reads its
 * settings before main, so ours must be earlier still; the user's own go before.
 */
__attribute__((constructor(101))) static void wait_politely(void)
{
    if (!getenv("OMP_WAIT_POLICY")) setenv("GOMP_SPINCOUNT", "1000", 0);
}

static void keep_error(enum ggml_log_level level, const char *text, void *unused)
{
    (void)unused;
    if (level != GGML_LOG_LEVEL_ERROR) return;
    size_t n = strcspn(text, "\n");
    if (n > 0) snprintf(last_error, sizeof last_error, "%.*s", (int)n, text);
}

static void start(void)
{
    llama_log_set(keep_error, NULL);
    llama_backend_init();
}

void pawl_llama_start(void)
{
    pthread_once(&started, start);
}

const char *pawl_llama_last_error(void)
{
    return last_error[0] ? last_error : "libllama gives no reason";
}

/* ---- Loading ----------------------------------------------------------------------------------- */

enum { ALL_LAYERS = -1, MANY_LAYERS = 128 };
static atomic_bool gpu_started; /* in this process, or in the one that it was forked from */

bool pawl_llama_offloads(void)
{
    if (pawl_llama_is_child() && atomic_load(&gpu_started)) return false;
    bool offloads = llama_supports_gpu_offload();
    if (!pawl_llama_is_child()) atomic_store(&gpu_started, offloads);
    return offloads;
}

static struct llama_model *load_with(const char *path, int n_gpu_layers)
{
    struct llama_model_params params = llama_model_default_params();
    static ggml_backend_dev_t none[1]; /* libllama keeps the pointer */
    params.n_gpu_layers = n_gpu_layers;
    if (n_gpu_layers == 0) params.devices = none;
    return llama_model_load_from_file(path, params);
}

/* What does not fit, libllama fails to load; then half as many layers are tried. */
struct llama_model *pawl_llama_load(const char *path)
{
    struct llama_model *model = NULL;
    if (pawl_llama_offloads()) {
        model = load_with(path, ALL_LAYERS);
        for (int n = MANY_LAYERS; !model && n > 0; n /= 2) model = load_with(path, n);
    }
    return model ? model : load_with(path, 0);
}

/* ---- Forms ------------------------------------------------------------------------------------ */

struct form {
    const char *name;
    enum llama_ftype type;
    bool rounds;
    double bits; /* of a weight, scales included */
};
static const struct form forms[] = {
    {"packaged", LLAMA_FTYPE_GUESSED, false, 0},  {"f32", LLAMA_FTYPE_ALL_F32, false, 32},
    {"f16", LLAMA_FTYPE_MOSTLY_F16, true, 16},    {"bf16", LLAMA_FTYPE_MOSTLY_BF16, true, 16},
    {"q8_0", LLAMA_FTYPE_MOSTLY_Q8_0, true, 8.5}, {"q4_0", LLAMA_FTYPE_MOSTLY_Q4_0, true, 4.5}};
enum { N_FORMS = sizeof forms / sizeof *forms, PACKAGED = 0, F32 = 1 };

static const struct form *form_named(const char *name)
{
    for (size_t i = 0; i < N_FORMS; i++)
        if (strcmp(name, forms[i].name) == 0) return &forms[i];
    return NULL;
}

static bool is_quantised(enum llama_ftype type)
{
    return type != LLAMA_FTYPE_ALL_F32 && type != LLAMA_FTYPE_MOSTLY_F16 &&
           type != LLAMA_FTYPE_MOSTLY_BF16;
}

/* A quarter of the memory holds the model in this form. The file as it is need not be written out. */
static bool fits(const struct form *form, uint64_t n_params)
{
    uint64_t memory_bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    return (double)n_params * form->bits / 8 <= (double)memory_bytes / 4;
}

/* What to take where nothing was measured. */
static const struct form *form_by_rule(enum llama_ftype packaged, uint64_t n_params)
{
    return &forms[is_quantised(packaged) && fits(&forms[F32], n_params) ? F32 : PACKAGED];
}

/* ---- In the child: nothing here may outlive it (llama_child.h) -------------------------------- */

struct trial {
    const struct pawl_llama_weights_spec *spec;
    const char *existing;    /* weights written out earlier, or NULL */
    const char *target;      /* where to write them out, or NULL: leave them */
    const struct form *form; /* of what is written out; NULL: as the rule says */
};
/* What the trial found. */
struct found {
    bool converted;
    enum llama_ftype type; /* of the file that was loaded first */
    uint64_t n_params;
};

static bool write_out(const char *from, const char *to, enum llama_ftype type)
{
    llama_model_quantize_params params = llama_model_quantize_default_params();
    params.ftype = type;
    params.allow_requantize = true;
    params.nthread = 1; /* others compute meanwhile */
    return llama_model_quantize(from, to, &params) == 0;
}

/* NULL when pawl can run the model, else why not. */
static const char *unfit(const struct llama_model *model)
{
    if (llama_model_has_encoder(model) || !llama_model_has_decoder(model))
        return "it is not a decoder-only language model";
    if (llama_model_is_recurrent(model) || llama_model_is_hybrid(model) ||
        llama_model_is_diffusion(model))
        return "its memory cannot be shared between requests";
    if (llama_vocab_eos(llama_model_get_vocab(model)) == LLAMA_TOKEN_NULL)
        return "it has no token that ends an answer";
    const char *template = llama_model_chat_template(model, NULL);
    if (!template) return "it has no chat template (an instruction-tuned model has one)";
    struct llama_chat_message hello = {"user", "hello"};
    if (llama_chat_apply_template(template, &hello, 1, true, NULL, 0) <= 0)
        return "libllama does not know its chat template";
    return NULL;
}

struct llama_context_params pawl_llama_context_params(size_t context_tokens,
                                                      const struct pawl_llama_pace *pace)
{
    struct llama_context_params params = llama_context_default_params();
    /* One batch more than requests may hold: the branches of one decode. */
    params.n_ctx = (uint32_t)(context_tokens + pace->batch_tokens);
    params.n_batch = (uint32_t)pace->batch_tokens;
    params.n_ubatch = (uint32_t)pace->ubatch_tokens;
    params.n_seq_max = PAWL_LLAMA_SEQUENCES;
    params.n_outputs_max = PAWL_LLAMA_SEQUENCES; /* libllama aborts on fewer than sequences */
    params.kv_unified =
        true;               /* else every sequence gets a share of the cells, and none is shared */
    params.swa_full = true; /* a stem must keep what a sliding window would forget */
    params.n_threads = params.n_threads_batch = pace->n_threads;
    return params;
}

/* One thread: this one may have left helpers behind in the fork. */
static const char *decode_one_token(struct llama_model *model,
                                    const struct pawl_llama_weights_spec *spec)
{
    struct pawl_llama_pace pace = spec->pace;
    pace.n_threads = 1;
    struct llama_context *context =
        llama_init_from_model(model, pawl_llama_context_params(spec->context_tokens, &pace));
    if (!context) return pawl_llama_last_error();
    llama_token token = 0;
    if (llama_decode(context, llama_batch_get_one(&token, 1)) != 0) return pawl_llama_last_error();
    const float *logits = llama_get_logits_ith(context, -1);
    if (!logits || !isfinite(logits[0])) return "its first answer is not a number";
    return NULL;
}

static struct llama_model *load_or_refuse(const char *path, const char *what)
{
    struct llama_model *model = pawl_llama_load(path);
    if (!model) pawl_llama_child_refuse(what, pawl_llama_last_error());
    return model;
}

static void run_trial(const void *task, void *answer)
{
    const struct trial *trial = task;
    struct found *found = answer;
    const char *first = trial->existing ? trial->existing : trial->spec->path;
    struct llama_model *model = load_or_refuse(first, "libllama cannot load it");
    const char *why = unfit(model);
    if (why) pawl_llama_child_refuse(why, "");
    *found = (struct found){.converted = trial->existing != NULL,
                            .type = llama_model_ftype(model),
                            .n_params = llama_model_n_params(model)};
    const struct form *form =
        trial->form ? trial->form : form_by_rule(found->type, found->n_params);
    if (trial->target && form != &forms[PACKAGED]) {
        if (!write_out(trial->spec->path, trial->target, form->type))
            pawl_llama_child_refuse("its weights cannot be written out", pawl_llama_last_error());
        llama_model_free(model);
        model = load_or_refuse(trial->target, "libllama cannot load what it wrote");
        found->converted = true;
    }
    why = decode_one_token(model, trial->spec);
    if (why) pawl_llama_child_refuse("it does not run", why);
}

/* ---- In this process -------------------------------------------------------------------------- */

static enum pawl_status try_out(const struct trial *trial, struct found *found,
                                struct pawl_error *err)
{
    struct pawl_llama_child child = {.work = run_trial,
                                     .task = trial,
                                     .answer = found,
                                     .answer_bytes = sizeof *found,
                                     .model = trial->spec->path};
    return pawl_llama_child_run(&child, err);
}

/* The file of weights written out earlier or to be written now; NULL without a cache folder. */
static char *cache_file(struct pawl_arena *arena, const struct pawl_llama_weights_spec *spec,
                        const char *form)
{
    const char *dir = pawl_model_cache_dir(arena);
    if (!dir) return NULL;
    char hex[PAWL_HASH_HEX];
    pawl_hash_hex(&spec->hash, hex);
    return pawl_arena_printf(arena, "%s/%s-%s.gguf", dir, hex, form);
}

/* Make an empty file to write to: beside its final place, or in memory. Gives a path and fd. */
static bool open_target(struct pawl_arena *arena, const char *final, bool sealed, char **target,
                        int *memory_fd)
{
    *memory_fd = -1;
    if (final && !sealed) {
        char *dir = pawl_arena_strdup(arena, final);
        *strrchr(dir, '/') = 0;
        char *partial = pawl_arena_printf(arena, "%s.XXXXXX", final);
        if (pawl_dir_make(dir, 0755, NULL) == PAWL_OK) {
            int fd = mkostemp(partial, O_CLOEXEC);
            if (fd >= 0) {
                fchmod(fd, 0644);
                close(fd);
                *target = partial;
                return true;
            }
        }
    }
    *memory_fd = memfd_create("pawl-weights", MFD_CLOEXEC);
    if (*memory_fd < 0) return false;
    *target = pawl_arena_printf(arena, "/proc/self/fd/%d", *memory_fd);
    return true;
}

static enum pawl_status write_out_new(struct pawl_arena *arena, struct trial *trial,
                                      const char *final, struct pawl_llama_weights *weights,
                                      struct pawl_error *err)
{
    char *target = NULL;
    int memory_fd;
    bool has_target = open_target(arena, final, trial->spec->sealed, &target, &memory_fd);
    trial->target = target;
    struct found found = {0};
    enum pawl_status status = try_out(trial, &found, err);
    bool in_file = has_target && memory_fd < 0;
    if (status == PAWL_OK && found.converted && in_file)
        status = pawl_file_publish(target, final, err);
    if (in_file && (status != PAWL_OK || !found.converted)) unlink(target);
    if (status != PAWL_OK || !found.converted) {
        if (memory_fd >= 0) close(memory_fd);
        return status;
    }
    struct pawl_hash hash; /* noted for whoever maps the file next: of bytes that are on the disk */
    if (in_file) PAWL_TRY(pawl_model_hash(final, true, &hash, err));
    weights->path = pawl_xstrdup(in_file ? final : target);
    weights->memory_fd = memory_fd;
    weights->form = trial->form ? trial->form->name : forms[F32].name;
    return PAWL_OK;
}

/* form NULL: as the rule says. */
static enum pawl_status open_form(const struct pawl_llama_weights_spec *spec,
                                  const struct form *form, struct pawl_llama_weights *weights,
                                  struct pawl_error *err)
{
    *weights = (struct pawl_llama_weights){.memory_fd = -1};
    struct pawl_arena arena = {0};
    struct trial trial = {.spec = spec, .form = form};
    struct found found;
    enum pawl_status status = PAWL_OK;
    if (form == &forms[PACKAGED]) {
        status = try_out(&trial, &found, err);
    } else {
        const char *final = cache_file(&arena, spec, form ? form->name : forms[F32].name);
        if (final && pawl_model_is_intact(final)) trial.existing = final;
        if (trial.existing && try_out(&trial, &found, NULL) == PAWL_OK) {
            weights->path = pawl_xstrdup(final);
            weights->form = form ? form->name : forms[F32].name;
        } else {
            trial.existing = NULL; /* a file that does not run is written again */
            status = write_out_new(&arena, &trial, final, weights, err);
        }
    }
    if (status == PAWL_OK && !weights->path) {
        weights->path = pawl_xstrdup(spec->path);
        weights->form = forms[PACKAGED].name;
    }
    pawl_arena_release(&arena);
    return status;
}

/* ---- The fastest form ------------------------------------------------------------------------- */

static const char *threads_text(struct pawl_arena *arena,
                                const struct pawl_llama_weights_spec *spec)
{
    return pawl_arena_printf(arena, "%d", spec->pace.n_threads);
}

/* What is kept for "auto" or "fast", if it may be taken; else NULL. */
static const struct form *kept_form(const json_t *entry, const char *threads, const char *wanted)
{
    const json_t *kept = json_object_get(json_object_get(entry, "weights"), threads);
    const struct form *form = form_named(pawl_json_get_text(kept, wanted, ""));
    int64_t n_params = pawl_json_get_int(kept, "parameters", -1);
    if (!form || n_params < 0 || !fits(form, (uint64_t)n_params)) return NULL;
    return form->rounds && strcmp(wanted, "auto") == 0 ? NULL : form;
}

/* Of one form. Speeds of forms that cannot be written out, or do not run, stay 0. */
struct candidate {
    const struct form *form;
    struct pawl_llama_speed speed;
    char *made; /* the file, if it was not there before */
};

static void measure_form(const struct pawl_llama_weights_spec *spec, double seconds,
                         struct candidate *candidate)
{
    struct pawl_arena arena = {0};
    struct pawl_llama_weights weights;
    const char *file = cache_file(&arena, spec, candidate->form->name);
    bool existed = file && pawl_path_exists(file);
    if (open_form(spec, candidate->form, &weights, NULL) == PAWL_OK) {
        struct pawl_llama_measuring measuring = {
            .paces = &spec->pace, .n = 1, .prompt_tokens = MEASURED_PROMPT, .seconds = seconds};
        (void)!pawl_llama_measure(weights.path, &measuring, &candidate->speed, NULL);
        if (!existed && file && strcmp(weights.path, file) == 0)
            candidate->made = pawl_xstrdup(file);
    }
    pawl_llama_weights_release(&weights);
    pawl_arena_release(&arena);
}

/* The first choice stays unless another one is clearly faster: noise must not choose. */
static const struct form *pick(const struct candidate *candidates, size_t n, bool may_round,
                               const struct form *first_choice)
{
    const struct candidate *first = NULL, *fastest = NULL;
    for (size_t i = 0; i < n; i++) {
        const struct candidate *one = &candidates[i];
        if (one->speed.answer <= 0 || (one->form->rounds && !may_round)) continue;
        if (one->form == first_choice) first = one;
        if (!fastest ||
            pawl_llama_case_seconds(&one->speed) < pawl_llama_case_seconds(&fastest->speed))
            fastest = one;
    }
    if (!fastest) return first_choice;
    return first && !pawl_llama_is_clearly_faster(&fastest->speed, &first->speed) ? first->form
                                                                                  : fastest->form;
}

/* The forms that are worth a measurement. */
static size_t list_candidates(const struct found *found, bool may_round,
                              struct candidate candidates[N_FORMS])
{
    size_t n = 0;
    for (size_t i = 0; i < N_FORMS; i++)
        if ((may_round || !forms[i].rounds) && forms[i].type != found->type &&
            fits(&forms[i], found->n_params))
            candidates[n++] = (struct candidate){.form = &forms[i]};
    return n;
}

static void keep_choice(json_t *entry, const char *threads, const struct found *found,
                        const struct candidate *candidates, size_t n, bool may_round)
{
    const struct form *lossless = kept_form(entry, threads, "auto");
    const struct form *any = kept_form(entry, threads, "fast");
    if (!lossless) lossless = form_by_rule(found->type, found->n_params);
    lossless = pick(candidates, n, false, lossless);
    any = pick(candidates, n, true, any ? any : lossless);

    json_t *measured = json_object(), *kept = json_object();
    for (size_t i = 0; i < n; i++)
        if (candidates[i].speed.answer > 0)
            pawl_json_set(measured, candidates[i].form->name,
                          pawl_llama_speed_json(&candidates[i].speed));
    pawl_json_set(kept, "parameters", json_integer((json_int_t)found->n_params));
    pawl_json_set(kept, "measured", measured);
    pawl_json_set(kept, "auto", json_string(lossless->name));
    if (may_round) pawl_json_set(kept, "fast", json_string(any->name));
    if (!json_is_object(json_object_get(entry, "weights")))
        pawl_json_set(entry, "weights", json_object());
    pawl_json_set(json_object_get(entry, "weights"), threads, kept);
}

/* Files that were made to be measured and are not chosen go again. */
static void tidy(const json_t *entry, const char *threads, struct candidate *candidates, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool chosen = kept_form(entry, threads, "auto") == candidates[i].form ||
                      kept_form(entry, threads, "fast") == candidates[i].form;
        if (candidates[i].made && !chosen) unlink(candidates[i].made);
        free(candidates[i].made);
    }
}

static enum pawl_status measure_forms(const struct pawl_llama_weights_spec *spec, bool may_round,
                                      double seconds, json_t *entry, struct pawl_error *err)
{
    struct trial trial = {.spec = spec, .form = &forms[PACKAGED]};
    struct found found;
    struct candidate candidates[N_FORMS];
    struct pawl_arena arena = {0};
    PAWL_TRY(try_out(&trial, &found, err));
    size_t n = list_candidates(&found, may_round, candidates);
    for (size_t i = 0; i < n; i++) measure_form(spec, seconds / (double)n, &candidates[i]);
    const char *threads = threads_text(&arena, spec);
    keep_choice(entry, threads, &found, candidates, n, may_round);
    tidy(entry, threads, candidates, n);
    pawl_arena_release(&arena);
    return PAWL_OK;
}

enum pawl_status pawl_llama_weights_measure(const struct pawl_llama_weights_spec *spec,
                                            double seconds, json_t *entry, struct pawl_error *err)
{
    pawl_llama_start();
    return measure_forms(spec, true, seconds, entry, err);
}

/* The lock is held. Written first, so that nothing is measured that cannot be kept. */
static enum pawl_status measure_and_keep(const struct pawl_llama_weights_spec *spec, json_t *entry,
                                         struct pawl_error *err)
{
    if (!pawl_llama_kept_put(entry)) return PAWL_OK;
    PAWL_TRY(measure_forms(spec, strcmp(spec->form, "fast") == 0, MEASURING_S, entry, err));
    (void)pawl_llama_kept_put(entry);
    return PAWL_OK;
}

/* Gives NULL in *form where the rule decides. */
static enum pawl_status choose(struct pawl_arena *arena, const struct pawl_llama_weights_spec *spec,
                               const struct form **form, struct pawl_error *err)
{
    const char *threads = threads_text(arena, spec);
    json_t *entry = pawl_llama_kept_get(&spec->hash);
    *form = kept_form(entry, threads, spec->form);
    json_decref(entry);
    int lock = *form || spec->sealed ? -1 : pawl_llama_kept_lock();
    if (lock < 0) return PAWL_OK;
    entry = pawl_llama_kept_get(&spec->hash); /* another process may have measured meanwhile */
    enum pawl_status status = PAWL_OK;
    if (!kept_form(entry, threads, spec->form)) status = measure_and_keep(spec, entry, err);
    json_decref(entry);
    entry = pawl_llama_kept_get(&spec->hash); /* what the sealed side will find */
    *form = kept_form(entry, threads, spec->form);
    json_decref(entry);
    pawl_llama_kept_unlock(lock);
    return status;
}

const char *pawl_llama_weights_kept(const struct pawl_llama_weights_spec *spec, const json_t *entry)
{
    struct pawl_arena arena = {0};
    const struct form *form = form_named(spec->form);
    if (!form) form = kept_form(entry, threads_text(&arena, spec), spec->form);
    pawl_arena_release(&arena);
    return form ? form->name : NULL;
}

const char *pawl_llama_weights_form(const struct pawl_llama_weights_spec *spec)
{
    json_t *entry = pawl_llama_kept_get(&spec->hash);
    const char *form = pawl_llama_weights_kept(spec, entry);
    json_decref(entry);
    return form;
}

/* The form is part of the model's name: another one in its place would be another model. */
static enum pawl_status fail_form(const struct pawl_llama_weights_spec *spec,
                                  const struct form *form, struct pawl_error *err)
{
    pawl_fail(err, PAWL_EWORLD, "There is no room to write the weights of %s out as %s.",
              spec->path, form->name);
    pawl_hint(err, "Make room in $XDG_CACHE_HOME, or set `weights: packaged` for the model.");
    return PAWL_EWORLD;
}

enum pawl_status pawl_llama_weights_open(const struct pawl_llama_weights_spec *spec,
                                         struct pawl_llama_weights *weights, struct pawl_error *err)
{
    pawl_llama_start();
    struct pawl_arena arena = {0};
    *weights = (struct pawl_llama_weights){.memory_fd = -1};
    const struct form *form = form_named(spec->form);
    enum pawl_status status = form ? PAWL_OK : choose(&arena, spec, &form, err);
    if (status == PAWL_OK) status = open_form(spec, form, weights, err);
    if (status == PAWL_OK && form && strcmp(weights->form, form->name) != 0)
        status = fail_form(spec, form, err);
    pawl_arena_release(&arena);
    return status;
}

void pawl_llama_weights_release(struct pawl_llama_weights *weights)
{
    free(weights->path);
    if (weights->memory_fd >= 0) close(weights->memory_fd);
    *weights = (struct pawl_llama_weights){.memory_fd = -1};
}
