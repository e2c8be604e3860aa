/*
 * What the engine itself costs per evaluated case: a scripted model, 2,000 cases, all in (rendering,
 * asking, parsing, scoring). Goal: at most 0.03 ms of CPU, and memory that does not grow.
 *
 *     bench_evaluate [rounds]
 */
#include "base/clock.h"
#include "evaluate/evaluate.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { N_CASES = 2000, N_DEMOS = 8 };
static const double GOAL_MS = 0.03;

static const char script[] = "function complete(request)\n"
                             "  local text = request.messages[#request.messages].content\n"
                             "  if text:find('good', 1, true) then return 'positive' end\n"
                             "  return 'negative'\n"
                             "end\n";

static void must(enum pawl_status status, const struct pawl_error *err)
{
    if (status == PAWL_OK) return;
    fprintf(stderr, "%s %s\n", err->message, err->hint);
    exit(1);
}

static json_t *make_list(void)
{
    json_t *list = json_array();
    for (int i = 0; i < N_CASES; i++) {
        char text[120];
        snprintf(text, sizeof text, "Bought number %d of these and it is %s, as everybody said.", i,
                 i % 2 ? "good" : "bad");
        json_array_append_new(list, json_pack("{s:s, s:{s:s}, s:{s:s}}", "id", text + 14, "input",
                                              "review", text, "target", "sentiment",
                                              i % 2 ? "positive" : "negative"));
    }
    return list;
}

static struct pawl_artifact *with_demos(struct pawl_program *program, struct pawl_arena *arena)
{
    struct pawl_error err = {0};
    struct pawl_artifact *seed, *candidate;
    json_t *demos = json_array();
    for (int i = 0; i < N_DEMOS; i++)
        json_array_append_new(demos, json_pack("{s:s, s:s}", "review",
                                               "It stopped working after a week of normal use.",
                                               "sentiment", i % 2 ? "positive" : "negative"));
    char *text = pawl_json_text(demos);
    must(pawl_program_seed(program, arena, &seed, &err), &err);
    const struct pawl_edit edit = {"demos", pawl_str_of(text)};
    must(pawl_artifact_apply(arena, seed, &edit, 1, &candidate, &err), &err);
    free(text);
    json_decref(demos);
    return candidate;
}

static long resident_kib(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/* Gives the CPU milliseconds per case of the best round. */
static double measure(struct pawl_evaluator *evaluator, struct pawl_instance *instance,
                      const struct pawl_cases *cases, int rounds)
{
    static struct pawl_evaluation_item items[N_CASES];
    static struct pawl_result results[N_CASES];
    double best = 1e9;
    for (int round = 0; round < rounds; round++) {
        struct pawl_error err = {0};
        struct pawl_usage usage = {0};
        double right = 0, start = pawl_clock_cpu_s();
        for (size_t i = 0; i < N_CASES; i++)
            items[i] =
                (struct pawl_evaluation_item){.instance = instance, .item = &cases->items[i]};
        must(pawl_evaluator_run(evaluator, items, N_CASES, 0, results, &usage, NULL, &err), &err);
        double ms = (pawl_clock_cpu_s() - start) * 1000 / N_CASES;
        for (size_t i = 0; i < N_CASES; i++) right += results[i].score;
        if (right != N_CASES) fprintf(stderr, "only %.0f of %d right\n", right, N_CASES);
        if (ms < best) best = ms;
    }
    return best;
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 20;
    char folder[] = "/tmp/pawl-bench-XXXXXX", path[64];
    struct pawl_error err = {0};
    struct pawl_arena arena = {0};
    pawl_crypto_init();
    if (!mkdtemp(folder)) return 1;
    snprintf(path, sizeof path, "%s/model.lua", folder);
    FILE *file = fopen(path, "w");
    if (!file) return 1;
    fputs(script, file);
    fclose(file);

    json_t *models = json_pack("{s:{s:s, s:s}}", "m", "backend", "script", "file", "model.lua");
    json_t *roles = json_pack("{s:s}", "task", "m");
    json_t *section =
        json_pack("{s:s, s:{s:s}}", "signature", "review -> sentiment: positive | negative",
                  "instruction", "text", "Say what the customer thinks of the product.");
    json_t *metric_section = json_string("exact_match"), *list = make_list();
    const struct pawl_lm_settings lm_settings = {
        .models = models, .roles = roles, .project_dir = folder};
    struct pawl_lm *lm;
    must(pawl_lm_open(&lm_settings, &lm, &err), &err);
    const struct pawl_program_settings program_settings = {
        .program = section, .project_dir = folder, .lm = lm};
    struct pawl_program *program;
    struct pawl_instance *instance;
    struct pawl_cases cases;
    must(pawl_program_open(&program_settings, &program, &err), &err);
    must(pawl_program_prepare(program, with_demos(program, &arena), 0, &instance, &err), &err);
    must(pawl_cases_from_json(list, &arena, &cases, &err), &err);
    struct pawl_evaluator_settings settings = {0};
    must(pawl_metric_open(metric_section, folder, &settings.metric, &err), &err);
    struct pawl_evaluator *evaluator;
    must(pawl_evaluator_open(&settings, program, &evaluator, &err), &err);

    measure(evaluator, instance, &cases, 2);
    long before_kib = resident_kib();
    double ms = measure(evaluator, instance, &cases, rounds);
    long grown_kib = resident_kib() - before_kib;
    printf("{\"bench\":\"evaluate\",\"cases\":%d,\"cpu_ms_per_case\":%.5f,\"goal_ms\":%.2f,"
           "\"grown_kib\":%ld}\n",
           N_CASES, ms, GOAL_MS, grown_kib);

    pawl_evaluator_close(evaluator);
    pawl_metric_close(settings.metric);
    pawl_program_release(instance);
    pawl_program_close(program);
    pawl_lm_close(lm);
    pawl_cases_release(&cases);
    pawl_arena_release(&arena);
    json_decref(models);
    json_decref(roles);
    json_decref(section);
    json_decref(metric_section);
    json_decref(list);
    unlink(path);
    rmdir(folder);
    return ms <= GOAL_MS ? 0 : 1;
}
