/*
 * The metric code_tests on published sets: every reference solution passes, and none of these wrong ones: a
 * value in a list, an object that equals everything, an exit, an exception, right once and then wrong,
 * a printed verdict. Two threads; one line for each set, and one for whatever should not be.
 *
 *     long_code_tests FILE.jsonl...     lines {"id", "input": {"prompt", "entry_point"},
 *                                              "target": {"tests", "reference"}}
 *     PAWL_CODE_DATA                    where no file is named: a folder with humaneval/ and mbpp/
 */
#include "base/clock.h"
#include "evaluate/metric.h"
#include "io/file.h"

#include <glob.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { N_THREADS = 2, FILE_BYTES_MAX = 64 << 20, CASES_MAX = 10000 };

static const char *const wrong[] = {
    "    return [right(*a, **k)]",
    "    class Any:\n        def __eq__(self, other): return True\n        def __getattr__(self, "
    "n): return self\n"
    "        def __call__(self, *a): return self\n        __hash__ = None\n    return Any()",
    "    import os\n    os._exit(0)",
    "    raise SystemExit(0)",
    "    global times\n    times += 1\n    value = right(*a, **k)\n    return value if times == 1 "
    "else [value]",
    "    print('{\"end\": \"passed\"}')\n    return 'pawl'",
};
enum { N_WRONG = sizeof wrong / sizeof *wrong };

static struct {
    struct pawl_metric *metric;
    json_t *cases[CASES_MAX];
    size_t n;
    atomic_size_t next;
    atomic_int passed, fooled, tried, failed;
} set;

static struct pawl_metric_result score(const json_t *one, const char *code,
                                       struct pawl_arena *arena)
{
    struct pawl_metric_result result;
    struct pawl_error err = {0};
    json_t *output = json_pack("{s:s}", "code", code);
    const struct pawl_metric_call call = {.id = pawl_json_get_text(one, "id", "?"),
                                          .input = json_object_get(one, "input"),
                                          .target = json_object_get(one, "target"),
                                          .output = output};
    if (pawl_metric_score(set.metric, arena, &call, &result, &err) != PAWL_OK) {
        fprintf(stderr, "%s %s\n", err.message, err.hint);
        exit(1);
    }
    json_decref(output);
    return result;
}

/* Wrong from the second answer on is not wrong where only one is asked for. */
static bool asks_once(const json_t *one)
{
    const char *tests = pawl_json_get_text(json_object_get(one, "target"), "tests", "");
    const char *first = strstr(tests, "assert");
    return !first || !strstr(first + 1, "assert");
}

static void try_case(const json_t *one)
{
    struct pawl_arena arena = {0};
    const char *reference = pawl_json_get_text(json_object_get(one, "target"), "reference", "");
    const char *name = pawl_json_get_text(json_object_get(one, "input"), "entry_point", "");
    struct pawl_metric_result got = score(one, reference, &arena);
    if (got.score == 1)
        set.passed++;
    else
        printf("%s: the reference fails: %s\n", pawl_json_get_text(one, "id", "?"), got.feedback);
    for (int i = 0; i < N_WRONG; i++) {
        if (i == 4 && asks_once(one)) continue;
        const char *code =
            pawl_arena_printf(&arena, "%s\n\nright, times = %s, 0\ndef %s(*a, **k):\n%s\n",
                              reference, name, name, wrong[i]);
        got = score(one, code, &arena);
        set.tried++;
        if (got.score != 0) {
            set.fooled++;
            printf("%s: wrong solution %d passes\n", pawl_json_get_text(one, "id", "?"), i);
        }
    }
    pawl_arena_release(&arena);
}

static void *work(void *unused)
{
    for (size_t i; (i = atomic_fetch_add(&set.next, 1)) < set.n;) try_case(set.cases[i]);
    return unused;
}

static void read_file(const char *path)
{
    struct pawl_error err = {0};
    struct pawl_arena arena = {0};
    struct pawl_str rest, line;
    if (pawl_file_read(path, FILE_BYTES_MAX, &arena, &rest, &err) != PAWL_OK) {
        fprintf(stderr, "%s\n", err.message);
        exit(1);
    }
    while (set.n < CASES_MAX && pawl_str_split(&rest, '\n', &line))
        if (line.len > 0 &&
            pawl_json_parse(line, FILE_BYTES_MAX, &set.cases[set.n], NULL) == PAWL_OK)
            set.n++;
    pawl_arena_release(&arena);
}

static int run_set(void)
{
    pthread_t threads[N_THREADS];
    int64_t start_ms = pawl_clock_real_ms();
    for (int i = 0; i < N_THREADS; i++) pthread_create(&threads[i], NULL, work, NULL);
    for (int i = 0; i < N_THREADS; i++) pthread_join(threads[i], NULL);
    printf("%d of %zu references pass, %d of %d wrong solutions pass, %.1f s\n", set.passed, set.n,
           set.fooled, set.tried, 1e-3 * (double)(pawl_clock_real_ms() - start_ms));
    for (size_t i = 0; i < set.n; i++) json_decref(set.cases[i]);
    return (size_t)set.passed == set.n && set.n > 0 && set.fooled == 0 ? 0 : 1;
}

static int find_files(glob_t *files)
{
    const char *folder = getenv("PAWL_CODE_DATA");
    char pattern[1000];
    if (!folder) return 0;
    snprintf(pattern, sizeof pattern, "%s/humaneval/*.jsonl", folder);
    glob(pattern, 0, NULL, files);
    snprintf(pattern, sizeof pattern, "%s/mbpp/*.jsonl", folder);
    glob(pattern, GLOB_APPEND, NULL, files);
    return (int)files->gl_pathc;
}

int main(int argc, char **argv)
{
    struct pawl_error err = {0};
    glob_t found = {0};
    json_t *section = json_pack("{s:s, s:i, s:i}", "name", "code_tests", "parallel", N_THREADS,
                                "timeout_ms", 120000); /* one reference computes for long */
    char **files = argv + 1;
    int n = argc - 1, failed = 0;
    if (n == 0) {
        n = find_files(&found);
        files = found.gl_pathv;
    }
    if (n == 0) {
        fprintf(stderr,
                "SKIPPED: there are no cases. Name JSONL files, or set PAWL_CODE_DATA to a folder "
                "with humaneval/ and mbpp/.\n");
        return 77;
    }
    if (pawl_metric_open(section, "/", &set.metric, &err) != PAWL_OK) {
        fprintf(stderr, "%s %s\n", err.message, err.hint);
        return 1;
    }
    for (int i = 0; i < n; i++) read_file(files[i]);
    failed = run_set();
    pawl_metric_close(set.metric);
    json_decref(section);
    globfree(&found);
    return failed;
}
