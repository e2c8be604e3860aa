#include "lm/llama_weights.h"

#include "io/file.h"
#include "lm/llama_cells.h"
#include "lm/llama_engine.h"
#include "lm/model_file.h"

#include <errno.h>
#include <fcntl.h>
#include <llama.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TRIAL_LIMIT_S = 600, REASON_BYTES = 400 };

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

/* ---- In the child: nothing here may outlive it ------------------------------------------------ */

/* What the child tells, in one write. */
struct verdict {
    bool ok, converted;
    char reason[REASON_BYTES];
};
struct trial {
    const struct pawl_llama_weights_spec *spec;
    const char *existing; /* weights written out earlier, or NULL */
    const char *target;   /* where to write them out, or NULL: leave them */
    enum llama_ftype type;
    int report_fd;
};
static int abort_report_fd = -1; /* the child's copy only: ggml's abort hook has no argument */

static _Noreturn void tell(int fd, const struct verdict *verdict)
{
    ssize_t n = write(fd, verdict, sizeof *verdict);
    _exit(n == (ssize_t)sizeof *verdict ? 0 : 1);
}

static _Noreturn void refuse(int fd, const char *what, const char *detail)
{
    struct verdict verdict = {.ok = false};
    snprintf(verdict.reason, sizeof verdict.reason, "%s%s%s", what, *detail ? ": " : "", detail);
    tell(fd, &verdict);
}

static void on_ggml_abort(const char *message)
{
    refuse(abort_report_fd, "libllama aborted", message);
}

static struct llama_model *load(const char *path)
{
    struct llama_model_params params = llama_model_default_params();
    params.n_gpu_layers = 0;
    return llama_model_load_from_file(path, params);
}

static const struct {
    const char *name;
    enum llama_ftype type;
} forms[] = {{"packaged", LLAMA_FTYPE_GUESSED},
             {"f32", LLAMA_FTYPE_ALL_F32},
             {"f16", LLAMA_FTYPE_MOSTLY_F16},
             {"bf16", LLAMA_FTYPE_MOSTLY_BF16}};

static enum llama_ftype type_of(const char *form)
{
    size_t i = 0;
    while (strcmp(form, forms[i].name) != 0) i++;
    return forms[i].type;
}

static bool is_quantised(enum llama_ftype type)
{
    return type != LLAMA_FTYPE_ALL_F32 && type != LLAMA_FTYPE_MOSTLY_F16 &&
           type != LLAMA_FTYPE_MOSTLY_BF16;
}

static bool worth_writing_out(const struct llama_model *model, const char *form)
{
    if (strcmp(form, "auto") != 0) return true;
    uint64_t memory_bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    return is_quantised(llama_model_ftype(model)) &&
           llama_model_n_params(model) * sizeof(float) <= memory_bytes / 4;
}

static bool write_out(const char *from, const char *to, enum llama_ftype type)
{
    llama_model_quantize_params params = llama_model_quantize_default_params();
    params.ftype = type;
    params.allow_requantize = true;
    params.nthread = 1; /* a forked child starts no thread */
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

struct llama_context_params pawl_llama_context_params(size_t context_tokens, int n_threads)
{
    struct llama_context_params params = llama_context_default_params();
    /* One batch more than requests may hold: the branches of one decode. */
    params.n_ctx = (uint32_t)(context_tokens + PAWL_LLAMA_BATCH);
    params.n_batch = params.n_ubatch = PAWL_LLAMA_BATCH;
    params.n_seq_max = params.n_outputs_max = PAWL_LLAMA_SEQUENCES;
    params.kv_unified =
        true;               /* else every sequence gets a share of the cells, and none is shared */
    params.swa_full = true; /* a stem must keep what a sliding window would forget */
    params.n_threads = params.n_threads_batch = n_threads;
    return params;
}

static const char *decode_one_token(struct llama_model *model, size_t context_tokens)
{
    /* One thread: a forked child starts no other. */
    struct llama_context *context =
        llama_init_from_model(model, pawl_llama_context_params(context_tokens, 1));
    if (!context) return pawl_llama_last_error();
    llama_token token = 0;
    if (llama_decode(context, llama_batch_get_one(&token, 1)) != 0) return pawl_llama_last_error();
    const float *logits = llama_get_logits_ith(context, -1);
    if (!logits || !isfinite(logits[0])) return "its first answer is not a number";
    return NULL;
}

static _Noreturn void run_trial(const struct trial *trial)
{
    int fd = trial->report_fd;
    struct verdict verdict = {.ok = true, .converted = trial->existing != NULL};
    setenv("GGML_NO_BACKTRACE", "1", 1);
    abort_report_fd = fd;
    ggml_set_abort_callback(on_ggml_abort);

    struct llama_model *model = load(trial->existing ? trial->existing : trial->spec->path);
    if (!model) refuse(fd, "libllama cannot load it", pawl_llama_last_error());
    const char *why = unfit(model);
    if (why) refuse(fd, why, "");
    if (trial->target && worth_writing_out(model, trial->spec->form)) {
        if (!write_out(trial->spec->path, trial->target, trial->type))
            refuse(fd, "its weights cannot be written out", pawl_llama_last_error());
        llama_model_free(model);
        model = load(trial->target);
        if (!model) refuse(fd, "libllama cannot load what it wrote", pawl_llama_last_error());
        verdict.converted = true;
    }
    why = decode_one_token(model, trial->spec->context_tokens);
    if (why) refuse(fd, "it does not run", why);
    tell(fd, &verdict);
}

/* ---- In this process -------------------------------------------------------------------------- */

static bool read_verdict(int fd, struct verdict *verdict)
{
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    int n;
    do n = poll(&waiting, 1, TRIAL_LIMIT_S * 1000);
    while (n < 0 && errno == EINTR);
    if (n <= 0) {
        snprintf(verdict->reason, sizeof verdict->reason, "it did not run within %d seconds",
                 TRIAL_LIMIT_S);
        return false;
    }
    ssize_t got;
    do got = read(fd, verdict, sizeof *verdict);
    while (got < 0 && errno == EINTR);
    verdict->reason[REASON_BYTES - 1] = 0;
    if (got == (ssize_t)sizeof *verdict) return true;
    verdict->ok = false;
    verdict->reason[0] = 0;
    return false;
}

static void say_how_it_died(int status, struct verdict *verdict)
{
    if (!WIFSIGNALED(status)) {
        snprintf(verdict->reason, sizeof verdict->reason, "libllama ended without an answer");
        return;
    }
    int sig = WTERMSIG(status);
    snprintf(verdict->reason, sizeof verdict->reason, "libllama died of %s%s", strsignal(sig),
             sig == SIGILL ? " (built for another CPU: run scripts/build-llama again)" : "");
}

/* Fork and try. PAWL_EWORLD: no child; PAWL_ECONFIG: the model does not run here. */
static enum pawl_status try_out(struct trial *trial, bool *converted, struct pawl_error *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return pawl_fail_errno(err, PAWL_EWORLD, errno, "Cannot make a pipe");
    pid_t pid = fork();
    if (pid == 0) {
        trial->report_fd = ends[1];
        run_trial(trial);
    }
    int errnum = errno;
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return pawl_fail_errno(err, PAWL_EWORLD, errnum, "Cannot fork to try out the model");
    }
    struct verdict verdict = {0};
    bool answered = read_verdict(ends[0], &verdict);
    close(ends[0]);
    if (!answered && verdict.reason[0]) kill(pid, SIGKILL);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    if (!answered && !verdict.reason[0]) say_how_it_died(status, &verdict);
    if (!verdict.ok)
        return pawl_fail(err, PAWL_ECONFIG, "The model %s cannot be used: %s.", trial->spec->path,
                         verdict.reason);
    *converted = verdict.converted;
    return PAWL_OK;
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
                                      const char *final, const char *form,
                                      struct pawl_llama_weights *weights, struct pawl_error *err)
{
    char *target = NULL;
    int memory_fd;
    bool has_target = open_target(arena, final, trial->spec->sealed, &target, &memory_fd);
    trial->target = target;
    bool converted = false;
    enum pawl_status status = try_out(trial, &converted, err);
    bool in_file = has_target && memory_fd < 0;
    if (status == PAWL_OK && converted && in_file) status = pawl_file_publish(target, final, err);
    if (in_file && (status != PAWL_OK || !converted)) unlink(target);
    if (status != PAWL_OK || !converted) {
        if (memory_fd >= 0) close(memory_fd);
        return status;
    }
    struct pawl_hash hash; /* noted for whoever maps the file next: of bytes that are on the disk */
    if (in_file) PAWL_TRY(pawl_model_hash(final, true, &hash, err));
    weights->path = pawl_xstrdup(in_file ? final : target);
    weights->memory_fd = memory_fd;
    weights->form = form;
    return PAWL_OK;
}

static enum pawl_status open_form(struct pawl_arena *arena,
                                  const struct pawl_llama_weights_spec *spec, const char *form,
                                  struct pawl_llama_weights *weights, struct pawl_error *err)
{
    struct trial trial = {.spec = spec};
    bool converted;
    if (strcmp(form, "packaged") == 0) return try_out(&trial, &converted, err);
    trial.type = type_of(form);
    const char *final = cache_file(arena, spec, form);
    if (final && pawl_model_is_intact(final)) {
        trial.existing = final;
        if (try_out(&trial, &converted, NULL) == PAWL_OK) {
            weights->path = pawl_xstrdup(final);
            weights->form = form;
            return PAWL_OK;
        }
        trial.existing = NULL; /* a file that does not run is written again */
    }
    return write_out_new(arena, &trial, final, form, weights, err);
}

enum pawl_status pawl_llama_weights_open(const struct pawl_llama_weights_spec *spec,
                                         struct pawl_llama_weights *weights, struct pawl_error *err)
{
    const char *form = "f32"; /* of auto */
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (strcmp(spec->form, forms[i].name) == 0) form = forms[i].name;
    pawl_llama_start();
    struct pawl_arena arena = {0};
    *weights = (struct pawl_llama_weights){.memory_fd = -1};
    enum pawl_status status = open_form(&arena, spec, form, weights, err);
    if (status == PAWL_OK && !weights->path) {
        weights->path = pawl_xstrdup(spec->path);
        weights->form = "packaged";
    }
    pawl_arena_release(&arena);
    return status;
}

void pawl_llama_weights_release(struct pawl_llama_weights *weights)
{
    free(weights->path);
    if (weights->memory_fd >= 0) close(weights->memory_fd);
    *weights = (struct pawl_llama_weights){.memory_fd = -1};
}
