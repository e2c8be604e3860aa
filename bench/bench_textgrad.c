/*
 * What a step of textgrad costs with everything on: journal, store, program, evaluator. A batch of 3
 * cases is answered, judged, criticised, and one text is rewritten: 13 requests, none from the cache.
 *
 *     bench_textgrad [steps [base_url]]
 *
 * Without base_url the model is a script in this process; with one it is whatever answers there, at
 * once and with an improved variable, as for the peer. Dev is one case, looked at before the first
 * step and after the last, and counted.
 */
#include "base/clock.h"
#include "improve/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BATCH = 3, CALLS = 4 * BATCH + 1 };

static const char script[] =
    "function complete(request)\n"
    "  return '<IMPROVED_VARIABLE>Answer step by step.</IMPROVED_VARIABLE>'\n"
    "end\n";

extern const struct pawl_operator pawl_op_textgrad;

static void must(enum pawl_status status, const struct pawl_error *err)
{
    if (status == PAWL_OK) return;
    fprintf(stderr, "%s %s\n", err->message, err->hint);
    exit(1);
}

struct place {
    char folder[64];
    struct pawl_arena arena;
    json_t *train_json, *dev_json;
    struct pawl_cases train, dev;
    struct pawl_store *store;
    struct pawl_lm *lm;
    struct pawl_program *program;
    struct pawl_metric *metric;
    struct pawl_evaluator *evaluator;
    struct pawl_artifact *start;
};

static json_t *make_cases(const char *tier, int n)
{
    json_t *list = json_array();
    for (int i = 0; i < n; i++) {
        char id[32], question[64];
        snprintf(id, sizeof id, "%s-%d", tier, i);
        snprintf(question, sizeof question, "Question %s: what is 6*7?", id);
        json_array_append_new(list, json_pack("{s:s, s:{s:s}, s:s}", "id", id, "input", "question",
                                              question, "target", "42"));
    }
    return list;
}

static json_t *describe_model(const struct place *place, const char *base_url)
{
    char path[128];
    if (base_url != NULL)
        return json_pack("{s:{s:s, s:s, s:s}}", "m", "backend", "openai", "model", "mock",
                         "base_url", base_url);
    snprintf(path, sizeof path, "%s/model.lua", place->folder);
    FILE *file = fopen(path, "w");
    if (file == NULL || fputs(script, file) < 0 || fclose(file) != 0) exit(1);
    return json_pack("{s:{s:s, s:s}}", "m", "backend", "script", "file", "model.lua");
}

static void open_place(struct place *place, int steps, const char *base_url)
{
    struct pawl_error err = {0};
    char store_dir[80];
    *place = (struct place){.folder = "/tmp/pawl-bench-XXXXXX"};
    if (mkdtemp(place->folder) == NULL) exit(1);
    snprintf(store_dir, sizeof store_dir, "%s/store", place->folder);
    must(pawl_store_open(store_dir, true, &place->store, &err), &err);
    json_t *models = describe_model(place, base_url), *metric = json_string("exact_match");
    json_t *section = json_pack("{s:s, s:{s:s}}", "signature", "question -> answer", "instruction",
                                "text", "You are a helpful assistant. Answer the question.");
    const struct pawl_lm_settings lm = {
        .models = models, .project_dir = place->folder, .cache = place->store};
    must(pawl_lm_open(&lm, &place->lm, &err), &err);
    const struct pawl_program_settings program = {
        .program = section, .project_dir = place->folder, .lm = place->lm};
    must(pawl_program_open(&program, &place->program, &err), &err);
    must(pawl_metric_open(metric, place->folder, &place->metric, &err), &err);
    const struct pawl_evaluator_settings evaluator = {.metric = place->metric};
    must(pawl_evaluator_open(&evaluator, place->program, &place->evaluator, &err), &err);
    place->train_json = make_cases("train", BATCH * steps);
    place->dev_json = make_cases("dev", 1);
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

static void run_textgrad(struct place *place, const void *options)
{
    char path[128];
    struct pawl_error err = {0};
    struct pawl_run *run;
    struct pawl_run_result result;
    snprintf(path, sizeof path, "%s/store/runs/r/journal", place->folder);
    struct pawl_run_settings settings = {.id = "r",
                                         .operator= & pawl_op_textgrad,
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
    must(pawl_journal_create(path, header, place->store, &settings.journal, &err), &err);
    json_decref(header);
    must(pawl_run_open(&settings, &run, &err), &err);
    must(pawl_run_go(run, &result, &err), &err);
    must(pawl_store_flush(place->store, &err), &err);
    pawl_run_close(run);
    pawl_journal_close(settings.journal);
}

int main(int argc, char **argv)
{
    int steps = argc > 1 ? atoi(argv[1]) : 20;
    const char *base_url = argc > 2 ? argv[2] : NULL;
    struct place place;
    struct pawl_error err = {0};
    struct pawl_usage usage = {0};
    if (steps < 1 || steps > 100000) return 2;
    pawl_crypto_init();
    open_place(&place, steps, base_url);
    json_t *given = json_pack("{s:i, s:i, s:i, s:b}", "batch", BATCH, "epochs", 1, "epoch_steps",
                              steps, "revert", false);
    void *options = pawl_arena_alloc(&place.arena, 1, pawl_op_textgrad.options_bytes);
    must(pawl_options_read(pawl_op_textgrad.options, given, "", &place.arena, options, &err), &err);
    double cpu_s = pawl_clock_cpu_s();
    int64_t started_us = pawl_clock_monotonic_us();
    run_textgrad(&place, options);
    cpu_s = pawl_clock_cpu_s() - cpu_s;
    double wall_s = (double)(pawl_clock_monotonic_us() - started_us) / 1e6;
    pawl_lm_spent(place.lm, &usage);
    int64_t n_asked = usage.n_requests - usage.n_cached, n_dev = 2;
    printf("{\"bench\":\"textgrad\",\"model\":\"%s\",\"steps\":%d,\"batch\":%d,\"calls_per_step\":"
           "%.2f,\"cpu_ms_per_step\":%.4f,\"wall_ms_per_step\":%.4f}\n",
           base_url != NULL ? "http" : "script", steps, BATCH, (double)(n_asked - n_dev) / steps,
           1e3 * cpu_s / steps, 1e3 * wall_s / steps);
    json_decref(given);
    close_place(&place);
    return n_asked == (int64_t)CALLS * steps + n_dev ? 0 : 1;
}
