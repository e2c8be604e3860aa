#include "improve/scores.h"

#include "io/file.h"

#include <stdlib.h>

enum { SCORE_FILE_MAX = 1 << 30, SCORE_LINE_MAX = 1 << 20 };

/* One line of the file. */
struct row {
    struct pawl_case_score score;
    int64_t sample;
    int line;
};

static enum pawl_status bad_line(const char *file, int line, const char *field, const char *what,
                                 struct pawl_error *err)
{
    pawl_fail_at(err, PAWL_ECONFIG, file, line, field, "%s", what);
    pawl_hint(err, "Write {\"id\":\"case 1\",\"score\":0.5} a line; leave out a case in both files "
                   "when one has no score.");
    return PAWL_ECONFIG;
}

/* A name is a text or a whole number, as tools write ids. {NULL} when it is neither. */
static struct pawl_str name_of(const json_t *object, const char *field, struct pawl_arena *arena)
{
    const json_t *value = json_object_get(object, field);
    if (json_is_integer(value))
        return pawl_str_of(pawl_arena_printf(arena, "%lld", (long long)json_integer_value(value)));
    struct pawl_str text = pawl_json_get_str(object, field);
    return text.ptr == NULL ? text : pawl_arena_copy(arena, text);
}

static enum pawl_status read_cluster(const char *file, int line, const json_t *object,
                                     const char *cluster, struct pawl_arena *arena,
                                     struct pawl_str *out, struct pawl_error *err)
{
    *out = (struct pawl_str){"", 0};
    if (cluster == NULL) return PAWL_OK;
    *out = name_of(object, cluster, arena);
    if (out->ptr != NULL) return PAWL_OK;
    pawl_fail_at(err, PAWL_ECONFIG, file, line, cluster,
                 "The row has no \"%s\" to name its cluster.", cluster);
    pawl_hint(err, "Every line of both files names its cluster, or leave --cluster out.");
    return PAWL_ECONFIG;
}

static enum pawl_status read_row(const char *file, const json_t *object, const char *cluster,
                                 struct pawl_arena *arena, struct row *row, struct pawl_error *err)
{
    struct pawl_case_score *out = &row->score;
    const json_t *score = json_object_get(object, "score");
    const json_t *sample = json_object_get(object, "sample");
    out->id = name_of(object, "id", arena);
    if (out->id.ptr == NULL) return bad_line(file, row->line, "id", "The row has no \"id\".", err);
    if (!json_is_number(score) && !json_is_boolean(score))
        return bad_line(file, row->line, "score", "The row has no number \"score\".", err);
    out->score = json_is_boolean(score) ? json_is_true(score) : json_number_value(score);
    if (!(out->score >= 0 && out->score <= 1))
        return bad_line(file, row->line, "score", "The score is not between 0 and 1.", err);
    if (sample != NULL && !json_is_null(sample) && !json_is_integer(sample))
        return bad_line(file, row->line, "sample", "The sample is not a whole number.", err);
    row->sample = json_integer_value(sample);
    return read_cluster(file, row->line, object, cluster, arena, &out->cluster, err);
}

static enum pawl_status read_rows(const char *file, const char *cluster, struct pawl_arena *arena,
                                  struct row **rows, size_t *n, struct pawl_error *err)
{
    struct pawl_str rest, text;
    size_t n_lines = 1;
    PAWL_TRY(pawl_file_read(file, SCORE_FILE_MAX, arena, &rest, err));
    for (size_t i = 0; i < rest.len; i++) n_lines += rest.ptr[i] == '\n';
    *rows = PAWL_NEW_N(arena, struct row, n_lines);
    *n = 0;
    for (int line = 1; pawl_str_split(&rest, '\n', &text); line++) {
        json_t *object;
        if (pawl_str_trim(text).len == 0) continue;
        if (pawl_json_parse(text, SCORE_LINE_MAX, &object, NULL) != PAWL_OK)
            return bad_line(file, line, NULL, "The line is not JSON.", err);
        struct row *row = &(*rows)[(*n)++];
        row->line = line;
        enum pawl_status status = read_row(file, object, cluster, arena, row, err);
        json_decref(object);
        PAWL_TRY(status);
    }
    return *n > 0 ? PAWL_OK : bad_line(file, 1, NULL, "The file has no scores.", err);
}

/* --- samples ---------------------------------------------------------------------------------- */

static int compare_rows(const void *a, const void *b)
{
    const struct row *x = *(const struct row *const *)a, *y = *(const struct row *const *)b;
    size_t shorter = x->score.id.len < y->score.id.len ? x->score.id.len : y->score.id.len;
    int order = shorter > 0 ? memcmp(x->score.id.ptr, y->score.id.ptr, shorter) : 0;
    if (order != 0) return order;
    if (x->score.id.len != y->score.id.len) return x->score.id.len < y->score.id.len ? -1 : 1;
    if (x->sample != y->sample) return x->sample < y->sample ? -1 : 1;
    return x->line - y->line;
}

/* Two rows of one case, next to each other in order. */
static enum pawl_status check_samples(const char *file, const struct row *before,
                                      const struct row *row, struct pawl_error *err)
{
    int line = before->line > row->line ? before->line : row->line;
    int first = before->line > row->line ? row->line : before->line;
    if (before->sample == row->sample) {
        pawl_fail_at(err, PAWL_ECONFIG, file, line, "id",
                     "The case \"" PAWL_STR_FMT "\" appears twice, first in line %d.",
                     row->score.id.len > 80 ? 80 : (int)row->score.id.len, row->score.id.ptr,
                     first);
        pawl_hint(err, "Several answers to a case are told apart by \"sample\": 0, 1, ...");
        return PAWL_ECONFIG;
    }
    if (pawl_str_eq(before->score.cluster, row->score.cluster)) return PAWL_OK;
    pawl_fail_at(err, PAWL_ECONFIG, file, line, "id",
                 "The case \"" PAWL_STR_FMT "\" has another cluster in line %d.",
                 row->score.id.len > 80 ? 80 : (int)row->score.id.len, row->score.id.ptr, first);
    pawl_hint(err, "All samples of a case belong to its one cluster.");
    return PAWL_ECONFIG;
}

/* The samples sorted[0..n) of one case, as one item at the row that came first in the file: its
 * score becomes their mean, the others' lines become 0. */
static void merge(struct row **sorted, size_t n)
{
    struct row *first = sorted[0];
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += sorted[i]->score.score;
        if (sorted[i]->line < first->line) first = sorted[i];
    }
    int line = first->line;
    for (size_t i = 0; i < n; i++) sorted[i]->line = 0;
    first->line = line;
    first->score.score = sum / (double)n;
}

static enum pawl_status merge_samples(const char *file, struct row *rows, size_t n,
                                      struct pawl_arena *arena, struct pawl_error *err)
{
    struct row **sorted = PAWL_NEW_N(arena, struct row *, n);
    for (size_t i = 0; i < n; i++) sorted[i] = &rows[i];
    qsort(sorted, n, sizeof(struct row *), compare_rows);
    for (size_t start = 0, end; start < n; start = end) {
        for (end = start + 1;
             end < n && pawl_str_eq(sorted[start]->score.id, sorted[end]->score.id); end++)
            PAWL_TRY(check_samples(file, sorted[end - 1], sorted[end], err));
        merge(sorted + start, end - start);
    }
    return PAWL_OK;
}

enum pawl_status pawl_scores_read(const char *file, const char *cluster, struct pawl_arena *arena,
                                  struct pawl_scores *scores, struct pawl_error *err)
{
    struct row *rows;
    size_t n;
    PAWL_TRY(read_rows(file, cluster, arena, &rows, &n, err));
    PAWL_TRY(merge_samples(file, rows, n, arena, err));
    *scores = (struct pawl_scores){.file = file,
                                   .items = PAWL_NEW_N(arena, struct pawl_case_score, n),
                                   .lines = PAWL_NEW_N(arena, int, n)};
    for (size_t i = 0; i < n; i++) {
        if (rows[i].line == 0) continue;
        scores->items[scores->n] = rows[i].score;
        scores->lines[scores->n++] = rows[i].line;
    }
    return PAWL_OK;
}
