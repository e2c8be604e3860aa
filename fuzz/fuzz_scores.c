/* A score file of another tool: what is read can be compared with itself, and is a tie; what is refused
 * names its line. */
#include "fuzz.h"

#include "improve/scores.h"

static void check_scores(const struct pawl_scores *scores, struct pawl_arena *arena)
{
    struct pawl_compare_plan plan = {.alpha = 0.05, .seed = 1};
    struct pawl_compare compared;
    struct pawl_error err = {0};
    PAWL_ASSERT(scores->n > 0);
    for (size_t i = 0; i < scores->n; i++) PAWL_ASSERT(scores->lines[i] > 0);
    PAWL_ASSERT(pawl_compare(scores->items, scores->n, scores->items, scores->n, &plan, arena,
                             &compared, &err) == PAWL_OK);
    PAWL_ASSERT(compared.n == scores->n && compared.ties == scores->n && !compared.promote);
    json_decref(pawl_compare_json(&compared));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct pawl_arena arena = {0};
    struct pawl_scores scores;
    struct pawl_error err = {0};
    struct pawl_str text = {(const char *)bytes, n_bytes};
    const char *path = pawl_fuzz_file("jsonl", text);
    const char *cluster = pawl_str_starts(text, "\n") ? "cluster" : NULL; /* an empty first line */
    if (pawl_scores_read(path, cluster, &arena, &scores, &err) == PAWL_OK)
        check_scores(&scores, &arena);
    else
        PAWL_ASSERT(err.line > 0 && err.message[0] && err.hint[0]);
    pawl_arena_release(&arena);
    return 0;
}
