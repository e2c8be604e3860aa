/*
 * bench_lm_llama - what the embedded model costs, and whether its answers depend on company.
 *
 * Cost in CPU: 64 cases after a shared prefix of about 400
 * tokens, each of about 60, with 32 tokens of answer or one of 2, 10 and 77 choices. One JSON line a
 * workload; the candidate of each repetition is new, as in a search.
 *
 *     bench_lm_llama [model] [repetitions] [options of the model as JSON members] [workloads ...]
 *     bench_lm_llama smollm2-135m 3 '"weights":"packaged"' 2
 *     bench_lm_llama smollm2-135m 1 '' agree       200 greedy answers, one by one and together: the share
 *                                                  that is equal (kernels of other shapes round otherwise)
 */
#include "base/clock.h"
#include "lm/lm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_CASES = 64, ANSWER_TOKENS = 32 };

static const char *const words[] = {"rain",  "bread",  "trains", "bees",   "salt",  "maps",
                                    "glass", "owls",   "tea",    "snow",   "ropes", "paint",
                                    "river", "market", "engine", "window", "paper", "garden",
                                    "stone", "music",  "winter", "ship",   "coal",  "harbour"};
enum { N_WORDS = sizeof words / sizeof *words };

/* `n` words that depend on `salt`; a word is about a token and a bit. */
static struct pawl_str text_of(struct pawl_arena *arena, const char *before, uint64_t salt,
                               size_t n)
{
    struct pawl_buf text = PAWL_BUF(1 << 16);
    pawl_buf_printf(&text, "%s %llu:", before, (unsigned long long)salt);
    for (size_t i = 0; i < n; i++) {
        salt = salt * 6364136223846793005u + 1442695040888963407u;
        pawl_buf_printf(&text, " %s%s", words[(salt >> 33) % N_WORDS], i % 9 == 8 ? "." : "");
    }
    struct pawl_str copy = pawl_arena_copy(arena, pawl_buf_str(&text));
    pawl_buf_release(&text);
    return copy;
}

/* Two labels are one token each, as in most classifications; more are names of two to five tokens. */
static const struct pawl_str *choices_of(struct pawl_arena *arena, size_t n)
{
    static const struct pawl_str two[] = {{"positive", 8}, {"negative", 8}};
    if (n <= 2) return two;
    struct pawl_str *choices = PAWL_NEW_N(arena, struct pawl_str, n);
    for (size_t i = 0; i < n; i++)
        choices[i] = pawl_str_of(pawl_arena_printf(arena, "%s_%s", words[i % N_WORDS],
                                                   words[(i / N_WORDS * 5 + i + 7) % N_WORDS]));
    return choices;
}

struct spent {
    double cpu_s, wall_s;
    struct pawl_usage usage;
};

static void ask_or_exit(struct pawl_lm *lm, struct pawl_arena *arena,
                        const struct pawl_lm_request *requests, size_t n,
                        struct pawl_lm_reply *replies)
{
    struct pawl_error err = {0};
    if (pawl_lm_ask(lm, arena, requests, n, replies, &err) == PAWL_OK) return;
    fprintf(stderr, "%s\n", err.message);
    exit(pawl_status_exit_code(err.status));
}

static struct spent run_once(struct pawl_lm *lm, size_t n_choices, uint64_t candidate)
{
    struct pawl_arena arena = {0};
    struct pawl_str system = text_of(&arena, "Candidate", candidate, 330);
    const struct pawl_str *choices = n_choices ? choices_of(&arena, n_choices) : NULL;
    struct pawl_lm_request requests[N_CASES];
    struct pawl_lm_reply replies[N_CASES];
    for (size_t i = 0; i < N_CASES; i++) {
        struct pawl_message *messages = PAWL_NEW_N(&arena, struct pawl_message, 2);
        messages[0] = (struct pawl_message){"system", system};
        messages[1] = (struct pawl_message){"user", text_of(&arena, "Describe case", i + 1, 40)};
        requests[i] = (struct pawl_lm_request){.messages = messages,
                                               .n_messages = 2,
                                               .n_shared = 1,
                                               .choices = choices,
                                               .n_choices = n_choices,
                                               .best_only = true,
                                               .max_tokens = ANSWER_TOKENS};
    }
    double cpu_s = pawl_clock_cpu_s();
    int64_t start_us = pawl_clock_monotonic_us();
    ask_or_exit(lm, &arena, requests, N_CASES, replies);
    struct spent spent = {.wall_s = 1e-6 * (double)(pawl_clock_monotonic_us() - start_us),
                          .cpu_s = pawl_clock_cpu_s() - cpu_s};
    for (size_t i = 0; i < N_CASES; i++) pawl_usage_add(&spent.usage, &replies[i].usage);
    pawl_arena_release(&arena);
    return spent;
}

static void measure(struct pawl_lm *lm, const char *model, const char *settings, size_t n_choices,
                    int repetition)
{
    struct spent spent = run_once(lm, n_choices, 1000u * (unsigned)repetition + n_choices);
    printf("{\"bench\":\"lm_llama\",\"model\":\"%s\",\"settings\":{%s},\"choices\":%zu,"
           "\"cases\":%d,\"prompt_tokens\":%lld,\"cached_tokens\":%lld,"
           "\"completion_tokens\":%lld,\"cpu_s\":%.2f,\"wall_s\":%.2f,"
           "\"cases_per_cpu_s\":%.3f}\n",
           model, settings, n_choices, N_CASES, (long long)spent.usage.prompt_tokens,
           (long long)spent.usage.cached_tokens, (long long)spent.usage.completion_tokens,
           spent.cpu_s, spent.wall_s, N_CASES / spent.cpu_s);
    fflush(stdout);
}

/* Half of the answers are written, half are chosen. */
static void compare(struct pawl_lm *lm, const char *model, const char *settings)
{
    enum { N = 200, WRITTEN_TOKENS = 8 };
    struct pawl_arena arena = {0};
    const struct pawl_str *choices = choices_of(&arena, 10);
    struct pawl_lm_request requests[N];
    struct pawl_lm_reply together[N], alone;
    size_t equal = 0;
    for (size_t i = 0; i < N; i++) {
        struct pawl_message *message = PAWL_NEW(&arena, struct pawl_message);
        *message = (struct pawl_message){"user", text_of(&arena, "Describe case", 7000 + i, 12)};
        requests[i] = (struct pawl_lm_request){
            .messages = message, .n_messages = 1, .max_tokens = WRITTEN_TOKENS};
        if (i % 2) requests[i].choices = choices;
        if (i % 2) requests[i].n_choices = 10;
    }
    ask_or_exit(lm, &arena, requests, N, together);
    for (size_t i = 0; i < N; i++) {
        ask_or_exit(lm, &arena, &requests[i], 1, &alone);
        equal += pawl_str_eq(alone.text, together[i].text);
    }
    printf("{\"bench\":\"lm_llama\",\"what\":\"agree\",\"model\":\"%s\",\"settings\":{%s},"
           "\"cases\":%d,\"equal_share\":%.4f}\n",
           model, settings, N, (double)equal / N);
    pawl_arena_release(&arena);
}

int main(int argc, char **argv)
{
    const char *model = argc > 1 ? argv[1] : "smollm2-135m";
    int repetitions = argc > 2 ? atoi(argv[2]) : 1;
    const char *settings = argc > 3 ? argv[3] : "";
    struct pawl_arena arena = {0};
    struct pawl_str text = pawl_str_of(
        pawl_arena_printf(&arena, "{\"m\":{\"backend\":\"llama\",\"model\":\"%s\"%s%s}}", model,
                          *settings ? "," : "", settings));
    json_t *models;
    struct pawl_lm *lm;
    struct pawl_error err = {0};
    const char *identity;
    if (pawl_json_parse(text, 1 << 16, &models, &err) != PAWL_OK ||
        pawl_lm_open(&(struct pawl_lm_settings){.models = models}, &lm, &err) != PAWL_OK ||
        pawl_lm_identity(lm, PAWL_ROLE_TASK, &identity, &err) != PAWL_OK) {
        fprintf(stderr, "%s\n", err.message);
        return pawl_status_exit_code(err.status);
    }
    static const char *const all[] = {"0", "2", "10", "77"};
    const char *const *workloads = argc > 4 ? (const char *const *)argv + 4 : all;
    int n = argc > 4 ? argc - 4 : (int)(sizeof all / sizeof *all);
    for (int r = 1; r <= repetitions; r++)
        for (int i = 0; i < n; i++) {
            if (strcmp(workloads[i], "agree") == 0)
                compare(lm, model, settings);
            else
                measure(lm, model, settings, strtoul(workloads[i], NULL, 10), r);
        }
    pawl_lm_close(lm);
    json_decref(models);
    pawl_arena_release(&arena);
    return 0;
}
