/*
 * What a GEPA-like loop costs with everything on: journal, store, scripted model, evaluator. Each
 * iteration scores the parent on 3 train cases with traces, asks for a text, drafts a child and
 * scores it on the same cases; an accepted child is also scored on 50 dev cases.
 *
 *     bench_loop            992 rejected, 1,071 accepted, and ten times as many of each
 *     bench_loop N [accept] N rejected, or N accepted
 *
 * Goals: 0.5 s and 3 s; ten times the iterations in ten times the time; resume far below a run.
 */
#include "base/clock.h"
#include "improve/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { N_TRAIN = 100, N_DEV = 50, MINIBATCH = 3 };

static const char script[] = "function complete(request)\n"
                             "  if request.role ~= 'task' then return 'Say yes or no.' end\n"
                             "  return 'yes'\n"
                             "end\n";

struct loop_options {
    int64_t iterations;
    bool accept;
};

static void must(enum pawl_status status, const struct pawl_error *err)
{
    if (status == PAWL_OK) return;
    fprintf(stderr, "%s %s\n", err->message, err->hint);
    exit(1);
}

/* --- the operator --------------------------------------------------------------------------------- */

static enum pawl_status iterate(struct pawl_host *host, struct pawl_arena *step, uint32_t parent,
                                int64_t i, uint32_t *child, struct pawl_error *err)
{
    uint32_t cases[MINIBATCH];
    struct pawl_host_result results[MINIBATCH];
    struct pawl_host_reply reply;
    for (int k = 0; k < MINIBATCH; k++)
        cases[k] = (uint32_t)pawl_random_below(pawl_host_random(host), N_TRAIN);
    struct pawl_host_evaluation seen = {.candidate = parent,
                                        .tier = PAWL_HOST_TRAIN,
                                        .cases = cases,
                                        .n_cases = MINIBATCH,
                                        .trace = true,
                                        .results = results};
    PAWL_TRY(pawl_host_evaluate(host, step, &seen, 1, err));
    char *shown = json_dumps(results[0].trace, JSON_COMPACT);
    struct pawl_host_prompt prompt = {
        .role = "reflect", .user = pawl_str_of(shown), .max_tokens = 500, .sample = (uint32_t)i};
    enum pawl_status status = pawl_host_complete(host, step, &prompt, 1, &reply, err);
    free(shown);
    PAWL_TRY(status);
    struct pawl_host_edit edit = {
        "instruction", pawl_str_of(pawl_arena_printf(step, "%.*s Try %lld.", (int)reply.text.len,
                                                     reply.text.ptr, (long long)i))};
    PAWL_TRY(pawl_host_draft(host, &parent, 1, &edit, 1, child, err));
    seen.candidate = *child;
    seen.trace = false;
    return pawl_host_evaluate(host, step, &seen, 1, err);
}

static enum pawl_status run_loop(struct pawl_host *host, const void *values, struct pawl_error *err)
{
    const struct loop_options *options = values;
    double scores[N_DEV], mean;
    uint32_t parent = 0, child;
    PAWL_TRY(pawl_host_score_dev(host, 0, scores, &mean, err));
    for (int64_t i = 0; i < options->iterations; i++) {
        struct pawl_arena step = {0};
        enum pawl_status status = iterate(host, &step, parent, i, &child, err);
        pawl_arena_release(&step);
        PAWL_TRY(status);
        if (!options->accept) continue;
        PAWL_TRY(pawl_host_score_dev(host, child, scores, &mean, err));
        parent = child;
    }
    return PAWL_OK;
}
static const struct pawl_operator loop = {
    .api = PAWL_OPERATOR_API, .name = "loop", .version = 1, .run = run_loop};

/* --- the surroundings -------------------------------------------------------------------------------- */

static json_t *make_cases(const char *tier, int n)
{
    json_t *list = json_array();
    for (int i = 0; i < n; i++) {
        char id[32];
        snprintf(id, sizeof id, "%s-%d", tier, i);
        json_array_append_new(list, json_pack("{s:s, s:{s:s}, s:s}", "id", id, "input", "q",
                                              "Is this a question of the usual length, or not?",
                                              "target", i % 2 != 0 ? "yes" : "no"));
    }
    return list;
}

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0) exit(1);
}

struct place {
    char folder[64];
    json_t *train_json, *dev_json;
    struct pawl_arena arena;
    struct pawl_cases train, dev;
    struct pawl_store *store;
    struct pawl_lm *lm;
    struct pawl_program *program;
    struct pawl_metric *metric;
    struct pawl_evaluator *evaluator;
    struct pawl_artifact *start;
};

static void open_place(struct place *place)
{
    struct pawl_error err = {0};
    *place = (struct place){.folder = "/tmp/pawl-bench-XXXXXX"};
    char store_dir[80];
    if (mkdtemp(place->folder) == NULL) exit(1);
    write_file(place->folder, "model.lua", script);
    snprintf(store_dir, sizeof store_dir, "%s/store", place->folder);
    must(pawl_store_open(store_dir, true, &place->store, &err), &err);
    json_t *models = json_pack("{s:{s:s, s:s}}", "m", "backend", "script", "file", "model.lua");
    json_t *section = json_pack("{s:s, s:{s:s}}", "signature", "q -> a: yes | no", "instruction",
                                "text", "Answer the question.");
    json_t *metric = json_string("exact_match");
    const struct pawl_lm_settings lm = {
        .models = models, .project_dir = place->folder, .cache = place->store};
    must(pawl_lm_open(&lm, &place->lm, &err), &err);
    const struct pawl_program_settings program = {
        .program = section, .project_dir = place->folder, .lm = place->lm};
    must(pawl_program_open(&program, &place->program, &err), &err);
    must(pawl_metric_open(metric, place->folder, &place->metric, &err), &err);
    const struct pawl_evaluator_settings evaluator = {.metric = place->metric};
    must(pawl_evaluator_open(&evaluator, place->program, &place->evaluator, &err), &err);
    place->train_json = make_cases("train", N_TRAIN);
    place->dev_json = make_cases("dev", N_DEV);
    must(pawl_cases_from_json(place->train_json, &place->arena, &place->train, &err), &err);
    must(pawl_cases_from_json(place->dev_json, &place->arena, &place->dev, &err), &err);
    must(pawl_program_seed(place->program, &place->arena, &place->start, &err), &err);
    json_decref(models);
    json_decref(section);
    json_decref(metric);
}

static void close_place(struct place *place)
{
    char command[100];
    pawl_evaluator_close(place->evaluator);
    pawl_metric_close(place->metric);
    pawl_program_close(place->program);
    pawl_lm_close(place->lm);
    pawl_store_close(place->store);
    pawl_cases_release(&place->train);
    pawl_cases_release(&place->dev);
    json_decref(place->train_json);
    json_decref(place->dev_json);
    pawl_arena_release(&place->arena);
    snprintf(command, sizeof command, "rm -rf '%s'", place->folder);
    if (system(command) != 0) exit(1);
}

/* --- measuring ------------------------------------------------------------------------------------------ */

/* From opening the journal to everything being on the disk. */
static void measure(struct place *place, const char *what, struct loop_options *options)
{
    char path[128];
    struct pawl_error err = {0};
    struct pawl_run *run;
    struct pawl_run_result result;
    struct rusage usage;
    snprintf(path, sizeof path, "%s/store/runs/r/journal", place->folder);
    double cpu_s = pawl_clock_cpu_s();
    int64_t started_us = pawl_clock_monotonic_us();
    struct pawl_run_settings settings = {.id = "r",
                                         .operator= & loop,
                                         .options = options,
                                         .budget = {-1, -1, -1},
                                         .start = place->start,
                                         .store = place->store,
                                         .program = place->program,
                                         .evaluator = place->evaluator,
                                         .lm = place->lm,
                                         .train = &place->train,
                                         .dev = &place->dev};
    json_t *header = json_object();
    enum pawl_status status =
        access(path, F_OK) == 0
            ? pawl_journal_open(path, place->store, &settings.journal, &err)
            : pawl_journal_create(path, header, place->store, &settings.journal, &err);
    must(status, &err);
    json_decref(header);
    must(pawl_run_open(&settings, &run, &err), &err);
    must(pawl_run_go(run, &result, &err), &err);
    must(pawl_store_flush(place->store, &err), &err);
    pawl_run_close(run);
    pawl_journal_close(settings.journal);
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"bench\":\"loop\",\"what\":\"%s\",\"accepted\":%s,\"iterations\":%lld,"
           "\"evaluations\":%lld,\"candidates\":%zu,\"wall_s\":%.3f,\"cpu_s\":%.3f,"
           "\"peak_mib\":%.1f}\n",
           what, options->accept ? "true" : "false", (long long)options->iterations,
           (long long)result.evaluations, result.n_candidates,
           (double)(pawl_clock_monotonic_us() - started_us) / 1e6, pawl_clock_cpu_s() - cpu_s,
           (double)usage.ru_maxrss / 1024);
    fflush(stdout);
}

static void run_and_resume(int64_t iterations, bool accept)
{
    struct place place;
    struct loop_options options = {iterations, accept};
    open_place(&place);
    measure(&place, "run", &options);
    measure(&place, "resume", &options);
    close_place(&place);
}

int main(int argc, char **argv)
{
    pawl_crypto_init();
    if (argc > 1) {
        run_and_resume(atoll(argv[1]), argc > 2 && strcmp(argv[2], "accept") == 0);
        return 0;
    }
    run_and_resume(992, false);
    run_and_resume(1071, true);
    run_and_resume(9920, false);
    run_and_resume(10710, true);
    return 0;
}
