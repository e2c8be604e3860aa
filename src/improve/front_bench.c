/*
 * bench: what this machine does, by the code paths that work uses, on a project of its own in a
 * temporary folder.
 *
 * Each part gives {"what","figures":{name:number}} or, where it cannot be measured here,
 * {"what","missing":sentence}. Times of work with a scripted model are of pawl alone.
 */
#include "improve/front.h"
#include "improve/front_bench_server.h"

#include "base/clock.h"
#include "io/file.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    LM_CASES = 24,
    HTTP_SAMPLES = 50,
    STORE_ANSWERS = 20000,
    STORE_FLUSHES = 20,
    DESCRIPTORS = 16,
    CONFIG_MAX = 1 << 20
};
#define LOOP_BUDGET "evaluations=20000"
#define LM_MODEL    "smollm2-135m"

struct bench_options {
    const char *what;
};
static const struct pawl_option bench_options[] = {
    PAWL_OPT_CHOICE(struct bench_options, what, "all", "all|lm|http|loop|gate|store", "which part"),
    {0}};

/* --- a project of its own ---------------------------------------------------------------------- */

struct bench {
    struct pawl_call *call;
    const char *dir; /* the temporary folder; "": not made yet */
    struct pawl_project *project;
};

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info;
    (void)kind;
    (void)where;
    return remove(path);
}

static void remove_folder(const char *path)
{
    nftw(path, remove_entry, DESCRIPTORS, FTW_DEPTH | FTW_PHYS);
}

/* A verb of the library, on our project. Takes args; gives its result. */
static enum pawl_status call_verb(struct bench *bench, const char *verb, json_t *args,
                                  json_t **result, struct pawl_error *err)
{
    char *text = NULL, *args_text = pawl_json_text(args);
    *result = NULL;
    enum pawl_status status =
        pawl_call(bench->project, verb, args_text, bench->call->watch, &text, err);
    if (text != NULL) (void)!pawl_json_parse(pawl_str_of(text), strlen(text), result, NULL);
    pawl_free(text);
    free(args_text);
    json_decref(args);
    return status;
}

/* Opened anew, as the command would; a scripted one on a virtual clock, so that the gate's deadline
 * is not waited for. */
static enum pawl_status open_project(struct bench *bench, bool scripted, struct pawl_error *err)
{
    pawl_project_close(bench->project);
    bench->project = NULL;
    PAWL_TRY(pawl_project_open(bench->dir, NULL, &bench->project, err));
    bench->project->test_mode = scripted;
    bench->project->test_seed = 1;
    return PAWL_OK;
}

static enum pawl_status make_project(struct bench *bench, struct pawl_error *err)
{
    char *folder = pawl_arena_printf(&bench->call->arena, "%s/pawl-bench.XXXXXX",
                                     getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
    json_t *result;
    if (mkdtemp(folder) == NULL)
        return pawl_fail(err, PAWL_EWORLD, "The temporary folder %s cannot be made.", folder);
    bench->dir = folder;
    json_t *args = json_pack("{s:s, s:s}", "dir", folder, "template", "scripted");
    PAWL_TRY(call_verb(bench, "init", args, &result, err));
    json_decref(result);
    return open_project(bench, true, err);
}

/* The project, and what its vault keeps outside of it. */
static void remove_project(struct bench *bench)
{
    json_t *seal;
    if (bench->project != NULL && pawl_front_store(bench->project, false, NULL) == PAWL_OK &&
        pawl_front_seal(bench->project, &seal, NULL) == PAWL_OK) {
        const char *id = pawl_json_get_text(seal, "vault", "");
        if (id[0] != '\0' && strchr(id, '/') == NULL)
            remove_folder(pawl_path_join(&bench->call->arena,
                                         pawl_front_vault_home(bench->project, &bench->call->arena),
                                         id));
        json_decref(seal);
    }
    pawl_project_close(bench->project);
    if (bench->dir[0] != '\0') remove_folder(bench->dir);
}

/* --- what something cost ------------------------------------------------------------------------- */

struct cost {
    int64_t wall_us;
    double cpu_s; /* of this process and the workers that have ended */
};

static double cpu_s(int who)
{
    struct rusage usage;
    getrusage(who, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static struct cost now(void)
{
    return (struct cost){pawl_clock_monotonic_us(), cpu_s(RUSAGE_SELF) + cpu_s(RUSAGE_CHILDREN)};
}

static struct cost since(struct cost then)
{
    struct cost cost = now();
    return (struct cost){cost.wall_us - then.wall_us, cost.cpu_s - then.cpu_s};
}

static double per_s(double n, struct cost cost)
{
    return n * 1e6 / (double)(cost.wall_us > 0 ? cost.wall_us : 1);
}

/* --- the parts --------------------------------------------------------------------------------------- */

static json_t *search_args(const char *budget)
{
    return json_pack("{s:s, s:s, s:i}", "operator", "gepa", "budget", budget, "seed", 1);
}

/* A search by gepa with a scripted model: journal, store, drafts, evaluations. */
static enum pawl_status bench_loop(struct bench *bench, json_t **figures, struct pawl_error *err)
{
    json_t *result;
    struct cost start = now();
    json_t *args = search_args(LOOP_BUDGET);
    enum pawl_status status = call_verb(bench, "improve", args, &result, err);
    if (status != PAWL_OK && status != PAWL_ENOTPROMOTED) {
        json_decref(result);
        return status;
    }
    struct cost cost = since(start);
    double n = pawl_json_get_real(result, "evaluations", 0);
    *figures = json_pack("{s:f, s:f, s:f}", "evaluations", n, "evaluations_per_s", per_s(n, cost),
                         "cpu_ms_per_evaluation", 1e3 * cost.cpu_s / n);
    json_decref(result);
    return PAWL_OK;
}

/* One attempt, from the dev tier to the verdict: every sealed case is answered by both sides. The
 * seed answers as the incumbent does, or worse, so the attempt looks at all of them. */
static enum pawl_status bench_gate(struct bench *bench, json_t **figures, struct pawl_error *err)
{
    json_t *result, *plan;
    json_t *args = search_args("evaluations=2000");
    enum pawl_status status = call_verb(bench, "improve", args, &result, err);
    json_decref(result);
    if (status != PAWL_OK) return status;
    PAWL_TRY(call_verb(bench, "plan", json_object(), &plan, err));
    double n_cases = pawl_json_get_real(plan, "gate_cases", 0);
    json_decref(plan);
    struct cost start = now();
    status = call_verb(bench, "gate", json_pack("{s:s}", "artifact", "seed"), &result, err);
    json_decref(result);
    if (status != PAWL_OK && status != PAWL_ENOTPROMOTED) return status;
    struct cost cost = since(start);
    *figures = json_pack("{s:f, s:f, s:f}", "sealed_cases", n_cases, "attempt_s",
                         (double)cost.wall_us / 1e6, "cpu_ms_per_sealed_evaluation",
                         1e3 * cost.cpu_s / (2 * n_cases));
    return PAWL_OK;
}

static struct pawl_hash answer_key(int i)
{
    return pawl_hash_bytes(&i, sizeof i);
}

static enum pawl_status use_store(struct pawl_store *store, struct pawl_arena *arena,
                                  json_t **figures, struct pawl_error *err)
{
    struct cost start = now();
    for (int i = 0; i < STORE_ANSWERS; i++) {
        struct pawl_hash key = answer_key(i);
        PAWL_TRY(pawl_store_answer_put(store, &key, PAWL_STR("{\"text\":\"an answer\"}"), err));
    }
    PAWL_TRY(pawl_store_flush(store, err));
    double puts = per_s(STORE_ANSWERS, since(start));
    start = now();
    for (int i = 0; i < STORE_ANSWERS; i++) {
        struct pawl_hash key = answer_key(i);
        struct pawl_str body;
        PAWL_TRY(pawl_store_answer_get(store, arena, &key, &body, err));
        pawl_arena_reset(arena);
    }
    double gets = per_s(STORE_ANSWERS, since(start));
    start = now();
    for (int i = 0; i < STORE_FLUSHES; i++) {
        struct pawl_hash key = answer_key(STORE_ANSWERS + i);
        PAWL_TRY(pawl_store_answer_put(store, &key, PAWL_STR("{}"), err));
        PAWL_TRY(pawl_store_flush(store, err));
    }
    *figures = json_pack("{s:f, s:f, s:f}", "answers_kept_per_s", puts, "answers_found_per_s", gets,
                         "durable_write_ms", (double)since(start).wall_us / 1e3 / STORE_FLUSHES);
    return PAWL_OK;
}

/* The model cache: writes, reads, and how long it takes until a single one is on the disk. */
static enum pawl_status bench_store(struct bench *bench, json_t **figures, struct pawl_error *err)
{
    struct pawl_arena arena = {0};
    struct pawl_store *store;
    const char *dir = pawl_path_join(&bench->call->arena, bench->dir, "store");
    PAWL_TRY(pawl_store_open(dir, true, &store, err));
    enum pawl_status status = use_store(store, &arena, figures, err);
    pawl_store_close(store);
    pawl_arena_release(&arena);
    return status;
}

/* The same project with a real model in place of the script. */
static enum pawl_status put_model(struct bench *bench, const char *model, struct pawl_error *err)
{
    static const char script[] = "{backend: script, file: model.lua}";
    struct pawl_arena *arena = &bench->call->arena;
    struct pawl_str text;
    const char *path = pawl_path_join(arena, bench->dir, "pawl.yaml");
    PAWL_TRY(pawl_file_read(path, CONFIG_MAX, arena, &text, err));
    const char *at = memmem(text.ptr, text.len, script, sizeof script - 1);
    PAWL_ASSERT(at != NULL); /* our own template */
    const char *after = at + sizeof script - 1;
    const char *changed = pawl_arena_printf(arena, "%.*s%s%.*s", (int)(at - text.ptr), text.ptr,
                                            model, (int)(text.ptr + text.len - after), after);
    PAWL_TRY(pawl_file_write_atomic(path, pawl_str_of(changed), 0600, err));
    return open_project(bench, false, err);
}

/* A model behind HTTP that answers at once: what is left is ours, and the server's thread. */
static enum pawl_status ask_server(struct bench *bench, int port, json_t **figures,
                                   struct pawl_error *err)
{
    json_t *result;
    const char *model = pawl_arena_printf(
        &bench->call->arena,
        "{backend: openai, model: bench, base_url: \"http://127.0.0.1:%d/v1\"}", port);
    PAWL_TRY(put_model(bench, model, err));
    struct cost start = now();
    PAWL_TRY(call_verb(bench, "eval", json_pack("{s:i}", "samples", HTTP_SAMPLES), &result, err));
    struct cost cost = since(start);
    double n = pawl_json_get_real(result, "evaluations", 1);
    double wall_s = pawl_json_get_real(result, "wall_s", 0);
    *figures = json_pack("{s:f, s:f, s:f}", "evaluations", n, "evaluations_per_s",
                         wall_s > 0 ? n / wall_s : 0, "cpu_ms_per_evaluation_with_server",
                         1e3 * cost.cpu_s / n);
    json_decref(result);
    return PAWL_OK;
}

static enum pawl_status bench_http(struct bench *bench, json_t **figures, struct pawl_error *err)
{
    struct pawl_bench_server *server;
    PAWL_TRY(pawl_bench_server_open(&server, err));
    enum pawl_status status = ask_server(bench, server->port, figures, err);
    pawl_bench_server_close(server);
    return status;
}

static bool has_model(struct pawl_arena *arena)
{
    size_t i;
    json_t *model, *models = pawl_front_models(arena);
    bool found = false;
    json_array_foreach(models, i, model) found =
        found || strcmp(pawl_json_get_text(model, "name", ""), LM_MODEL) == 0;
    json_decref(models);
    return found;
}

/* Short answers to short questions after a shared instruction; loading the model is not counted. */
static enum pawl_status bench_lm(struct bench *bench, json_t **figures, struct pawl_error *err)
{
    json_t *result;
    if (!has_model(&bench->call->arena)) {
        pawl_fail(err, PAWL_ENOTFOUND, "The model " LM_MODEL " is not here.");
        pawl_hint(err, "`pawl model pull " LM_MODEL "` fetches it (98 MB).");
        return PAWL_ENOTFOUND;
    }
    PAWL_TRY(put_model(bench, "{backend: llama, model: " LM_MODEL "}", err));
    PAWL_TRY(call_verb(bench, "eval", json_pack("{s:i}", "limit", LM_CASES), &result, err));
    const json_t *tokens = json_object_get(result, "tokens");
    double wall_s = pawl_json_get_real(result, "wall_s", 0);
    double n =
        pawl_json_get_real(tokens, "prompt", 0) + pawl_json_get_real(tokens, "completion", 0);
    *figures = json_pack("{s:f, s:f, s:f}", "tokens_per_s", wall_s > 0 ? n / wall_s : 0,
                         "cases_per_s", wall_s > 0 ? LM_CASES / wall_s : 0, "cpu_s_per_case",
                         pawl_json_get_real(result, "cpu_s", 0) / LM_CASES);
    json_decref(result);
    return PAWL_OK;
}

/* --- the verb ------------------------------------------------------------------------------------------ */

static const struct part {
    const char *name;
    enum pawl_status (*run)(struct bench *bench, json_t **figures, struct pawl_error *err);
} parts[] = {{"store", bench_store},
             {"loop", bench_loop},
             {"gate", bench_gate},
             {"http", bench_http},
             {"lm", bench_lm}};

/* Each part has a project of its own, so that none depends on what another left. */
static enum pawl_status run_part(struct pawl_call *call, const struct part *part, json_t *list,
                                 struct pawl_error *err)
{
    struct bench bench = {.call = call, .dir = ""};
    json_t *figures = NULL;
    enum pawl_status status = make_project(&bench, err);
    if (status == PAWL_OK) status = part->run(&bench, &figures, err);
    remove_project(&bench);
    if (status != PAWL_OK && status != PAWL_ENOTFOUND) return status;
    json_t *row = json_pack("{s:s}", "what", part->name);
    if (status == PAWL_OK)
        pawl_json_set(row, "figures", figures);
    else
        pawl_json_set(row, "missing", pawl_json_string(pawl_str_of(err->message)));
    json_array_append_new(list, row);
    return status;
}

static enum pawl_status run_bench(struct pawl_call *call, const void *values,
                                  struct pawl_error *err)
{
    const struct bench_options *options = values;
    bool all = strcmp(options->what, "all") == 0;
    json_t *list = json_array();
    pawl_json_set(call->result, "parts", list);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (!all && strcmp(options->what, parts[i].name) != 0) continue;
        enum pawl_status status = run_part(call, &parts[i], list, err);
        if (status == PAWL_OK) continue;
        if (!all || status != PAWL_ENOTFOUND) return status;
        *err = (struct pawl_error){0}; /* said in its row */
    }
    return PAWL_OK;
}

const struct pawl_verb pawl_verb_bench = {
    .name = "bench",
    .summary = "measure what this machine does: store, loop, gate, HTTP, local model",
    .positional = "what",
    .example = "pawl bench loop",
    .options = bench_options,
    .options_bytes = sizeof(struct bench_options),
    .run = run_bench,
};
