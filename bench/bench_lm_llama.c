/*
 * bench_lm_llama - what the embedded model costs, and whether its answers depend on company.
 *
 * Cost in CPU: 64 cases after a shared prefix of about 400
 * tokens, each of about 60, with 32 tokens of answer or one of 2, 10 and 77 choices. One JSON line a
 * workload; the candidate of each repetition is new, as in a search.
 *
 *     bench_lm_llama [model] [repetitions] [options of the model as JSON members] [workloads ...]
 *     bench_lm_llama smollm2-135m 3 '"weights":"packaged"' 2
 *     bench_lm_llama smollm2-135m 1 '' copy        answers that repeat a text of their prompt, one by one and
 *                                                  together, with guesses (llama_lookup.h) and without
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

/* A count of what a model did so far; see pawl_lm_work. */
static int64_t work_of(struct pawl_lm *lm, const char *name, const char *what)
{
    json_t *work = pawl_lm_work(lm);
    int64_t n = pawl_json_get_int(json_object_get(work, name), what, 0);
    json_decref(work);
    return n;
}

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
    static const char *const names[] = {"batches", "computed", "rows"};
    int64_t work[3];
    for (size_t i = 0; i < 3; i++) work[i] = -work_of(lm, "m", names[i]);
    struct spent spent = run_once(lm, n_choices, 1000u * (unsigned)repetition + n_choices);
    for (size_t i = 0; i < 3; i++) work[i] += work_of(lm, "m", names[i]);
    printf("{\"bench\":\"lm_llama\",\"model\":\"%s\",\"settings\":{%s},\"choices\":%zu,"
           "\"cases\":%d,\"prompt_tokens\":%lld,\"cached_tokens\":%lld,"
           "\"completion_tokens\":%lld,\"batches\":%lld,\"computed\":%lld,\"rows\":%lld,"
           "\"cpu_s\":%.2f,\"wall_s\":%.2f,\"cases_per_cpu_s\":%.3f}\n",
           model, settings, n_choices, N_CASES, (long long)spent.usage.prompt_tokens,
           (long long)spent.usage.cached_tokens, (long long)spent.usage.completion_tokens,
           (long long)work[0], (long long)work[1], (long long)work[2], spent.cpu_s, spent.wall_s,
           N_CASES / spent.cpu_s);
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

/* ---- Answers that copy -------------------------------------------------------------------------- */

enum { N_COPIES = 8, COPIED_TOKENS = 64 };

static struct pawl_lm_request copy_request(struct pawl_arena *arena, enum pawl_role role,
                                           uint64_t salt)
{
    struct pawl_str list = text_of(arena, "Order", salt, 40);
    struct pawl_message *message = PAWL_NEW(arena, struct pawl_message);
    *message = (struct pawl_message){
        "user", pawl_str_of(pawl_arena_printf(
                    arena, "Repeat this text word for word, and nothing else.\n\n%.*s",
                    PAWL_STR_ARG(list)))};
    return (struct pawl_lm_request){
        .role = role, .messages = message, .n_messages = 1, .max_tokens = COPIED_TOKENS};
}

/* N_COPIES answers of a role's model, `together` at a time. Texts lie in `arena`. */
static struct spent copy_once(struct pawl_lm *lm, struct pawl_arena *arena, enum pawl_role role,
                              size_t together, uint64_t salt, struct pawl_lm_reply *replies)
{
    struct pawl_lm_request requests[N_COPIES];
    for (size_t i = 0; i < N_COPIES; i++) requests[i] = copy_request(arena, role, salt + i);
    double cpu_s = pawl_clock_cpu_s();
    int64_t start_us = pawl_clock_monotonic_us();
    for (size_t i = 0; i < N_COPIES; i += together)
        ask_or_exit(lm, arena, &requests[i], together, &replies[i]);
    struct spent spent = {.wall_s = 1e-6 * (double)(pawl_clock_monotonic_us() - start_us),
                          .cpu_s = pawl_clock_cpu_s() - cpu_s};
    for (size_t i = 0; i < N_COPIES; i++) pawl_usage_add(&spent.usage, &replies[i].usage);
    return spent;
}

/* The roles' models differ in `speculation` alone. */
static void copy(struct pawl_lm *lm, const char *model, const char *settings, int repetition)
{
    static const char *const names[] = {"m", "plain"};
    static const enum pawl_role roles[] = {PAWL_ROLE_TASK, PAWL_ROLE_JUDGE};
    for (size_t together = 1; together <= N_COPIES; together *= N_COPIES) {
        struct pawl_arena arena = {0};
        struct pawl_lm_reply replies[2][N_COPIES];
        struct spent spent[2];
        int64_t decodes[2], guessed = -work_of(lm, "m", "guessed"),
                            right = -work_of(lm, "m", "right");
        for (size_t k = 0; k < 2; k++) {
            decodes[k] = -work_of(lm, names[k], "decodes");
            spent[k] = copy_once(lm, &arena, roles[k], together,
                                 1000u * (unsigned)repetition + 100 * together, replies[k]);
            decodes[k] += work_of(lm, names[k], "decodes");
        }
        size_t equal = 0;
        for (size_t i = 0; i < N_COPIES; i++)
            equal += pawl_str_eq(replies[0][i].text, replies[1][i].text);
        printf("{\"bench\":\"lm_llama\",\"what\":\"copy\",\"model\":\"%s\",\"settings\":{%s},"
               "\"answers\":%d,\"together\":%zu,\"completion_tokens\":%lld,\"guessed\":%lld,"
               "\"right\":%lld,\"decodes\":%lld,\"decodes_without\":%lld,\"cpu_s\":%.2f,"
               "\"cpu_s_without\":%.2f,\"wall_s\":%.2f,\"wall_s_without\":%.2f,"
               "\"equal_share\":%.4f}\n",
               model, settings, N_COPIES, together, (long long)spent[0].usage.completion_tokens,
               (long long)(guessed + work_of(lm, "m", "guessed")),
               (long long)(right + work_of(lm, "m", "right")), (long long)decodes[0],
               (long long)decodes[1], spent[0].cpu_s, spent[1].cpu_s, spent[0].wall_s,
               spent[1].wall_s, (double)equal / N_COPIES);
        fflush(stdout);
        pawl_arena_release(&arena);
    }
}

int main(int argc, char **argv)
{
    const char *model = argc > 1 ? argv[1] : "smollm2-135m";
    int repetitions = argc > 2 ? atoi(argv[2]) : 1;
    const char *settings = argc > 3 ? argv[3] : "";
    struct pawl_arena arena = {0};
    const char *entry = pawl_arena_printf(&arena, "\"backend\":\"llama\",\"model\":\"%s\"%s%s",
                                          model, *settings ? "," : "", settings);
    struct pawl_str text = pawl_str_of(pawl_arena_printf(
        &arena, "{\"m\":{%s},\"plain\":{%s,\"speculation\":\"off\"}}", entry, entry));
    json_t *models, *roles = json_pack("{s:s, s:s}", "task", "m", "judge", "plain");
    struct pawl_lm *lm;
    struct pawl_error err = {0};
    const char *identity;
    if (pawl_json_parse(text, 1 << 16, &models, &err) != PAWL_OK ||
        pawl_lm_open(&(struct pawl_lm_settings){.models = models, .roles = roles}, &lm, &err) !=
            PAWL_OK ||
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
            else if (strcmp(workloads[i], "copy") == 0)
                copy(lm, model, settings, r);
            else
                measure(lm, model, settings, strtoul(workloads[i], NULL, 10), r);
        }
    pawl_lm_close(lm);
    json_decref(models);
    json_decref(roles);
    pawl_arena_release(&arena);
    return 0;
}
