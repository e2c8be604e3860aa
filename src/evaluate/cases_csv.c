/*
 * cases_csv.c - RFC 4180: quoted fields may hold separators, doubled quotes and line ends.
 */
#include "evaluate/cases_format.h"

#include <stdlib.h>

enum { COLUMNS_MAX = 1024 };

struct csv {
    struct pawl_case_reader *reader;
    struct pawl_arena *row; /* the texts of one row */
    struct pawl_str text;
    size_t at;
    int line;
    char separator;
};
struct row {
    struct pawl_str cells[COLUMNS_MAX];
    size_t n;
    int line;
};

static bool at_row_end(const struct csv *csv)
{
    return csv->at >= csv->text.len || csv->text.ptr[csv->at] == '\n' ||
           (csv->text.ptr[csv->at] == '\r' &&
            (csv->at + 1 == csv->text.len || csv->text.ptr[csv->at + 1] == '\n'));
}

static enum pawl_status read_quoted(struct csv *csv, struct pawl_str *cell)
{
    int start_line = csv->line;
    size_t start = ++csv->at, n = 0;
    for (; csv->at < csv->text.len; csv->at++) {
        char c = csv->text.ptr[csv->at];
        if (c == '"' && (csv->at + 1 == csv->text.len || csv->text.ptr[csv->at + 1] != '"')) break;
        if (c == '"') csv->at++;
        if (c == '\n') csv->line++;
    }
    if (csv->at >= csv->text.len)
        return pawl_case_refuse(csv->reader, start_line, NULL,
                                "Close it, or double a quote that belongs to the text.",
                                "A quoted field is never closed.");
    size_t len = csv->at - start;
    if (len > PAWL_CASE_BYTES_MAX)
        return pawl_case_refuse(csv->reader, start_line, NULL, "Shorten it.",
                                "A field is larger than %d bytes.", PAWL_CASE_BYTES_MAX);
    char *bytes = PAWL_NEW_N(csv->row, char, len + 1);
    for (size_t i = start; i < csv->at; i++) {
        bytes[n++] = csv->text.ptr[i];
        if (csv->text.ptr[i] == '"') i++;
    }
    csv->at++;
    *cell = (struct pawl_str){bytes, n};
    if (at_row_end(csv) || csv->text.ptr[csv->at] == csv->separator) return PAWL_OK;
    return pawl_case_refuse(csv->reader, csv->line, NULL,
                            "Double a quote that belongs to the text.",
                            "There is text after a closing quote.");
}

static enum pawl_status read_cell(struct csv *csv, struct pawl_str *cell)
{
    if (csv->at < csv->text.len && csv->text.ptr[csv->at] == '"') return read_quoted(csv, cell);
    size_t start = csv->at;
    while (!at_row_end(csv) && csv->text.ptr[csv->at] != csv->separator) csv->at++;
    *cell = (struct pawl_str){csv->text.ptr + start, csv->at - start};
    if (cell->len <= PAWL_CASE_BYTES_MAX) return PAWL_OK;
    return pawl_case_refuse(csv->reader, csv->line, NULL, "Shorten it.",
                            "A field is larger than %d bytes.", PAWL_CASE_BYTES_MAX);
}

static enum pawl_status read_row(struct csv *csv, struct row *row)
{
    row->n = 0;
    row->line = csv->line;
    for (;;) {
        if (row->n == COLUMNS_MAX)
            return pawl_case_refuse(csv->reader, row->line, NULL, "Drop some columns.",
                                    "The row has more than %d columns.", COLUMNS_MAX);
        PAWL_TRY(read_cell(csv, &row->cells[row->n++]));
        if (at_row_end(csv)) break;
        csv->at++;
    }
    if (csv->at < csv->text.len && csv->text.ptr[csv->at] == '\r') csv->at++;
    csv->at++;
    csv->line++;
    return PAWL_OK;
}

/* --- from columns to a case ----------------------------------------------------------------------------- */

static enum pawl_status unknown_column(const struct csv *csv, const struct row *header,
                                       const char *key, const char *name)
{
    struct pawl_buf list = PAWL_BUF(200);
    for (size_t i = 0; i < header->n; i++)
        pawl_buf_printf(&list, "%s" PAWL_STR_FMT, i ? ", " : "", PAWL_STR_ARG(header->cells[i]));
    const char *field = pawl_arena_printf(csv->reader->arena, "data.columns.%s", key);
    enum pawl_status status = pawl_case_refuse(
        csv->reader, 1, field, "Name columns of the file: `columns: {input: text, target: label}`.",
        "The file has no column \"%s\"; it has: %s.", name, list.data ? list.data : "");
    pawl_buf_release(&list);
    return status;
}

static size_t column_of(const struct row *header, const char *name)
{
    size_t i = 0;
    while (i < header->n && !pawl_str_is(pawl_str_trim(header->cells[i]), name)) i++;
    return i;
}

static enum pawl_status set_cell(const struct csv *csv, const struct row *header,
                                 const struct row *row, const char *key, const char *column,
                                 json_t *object, const char *member)
{
    size_t i = column_of(header, column);
    if (i == header->n) return unknown_column(csv, header, key, column);
    if (row->cells[i].len == 0)
        return pawl_case_refuse(csv->reader, row->line, column, "Fill it, or drop the row.",
                                "The column \"%s\" is empty here.", column);
    pawl_json_set(object, member, pawl_json_string(row->cells[i]));
    return PAWL_OK;
}

/* One key of the mapping: a column, or (for input and target) columns by field. */
static enum pawl_status set_mapped(const struct csv *csv, const struct row *header,
                                   const struct row *row, const json_t *columns, const char *key,
                                   json_t *object)
{
    const json_t *mapped = json_object_get(columns, key);
    const char *field, *name = json_string_value(mapped);
    json_t *column, *fields;
    if (name) return set_cell(csv, header, row, key, name, object, key);
    if (!mapped) return PAWL_OK;
    fields = json_object();
    pawl_json_set(object, key, fields);
    json_object_foreach((json_t *)(uintptr_t)mapped, field, column)
    {
        const char *text = json_string_value(column);
        if (!text) return unknown_column(csv, header, key, field);
        PAWL_TRY(set_cell(csv, header, row, key, text, fields, field));
    }
    return PAWL_OK;
}

/* promptfoo: every column is a variable, but for those that start with __. */
static enum pawl_status set_promptfoo(const struct csv *csv, const struct row *header,
                                      const struct row *row, json_t *object)
{
    json_t *vars = json_object();
    pawl_json_set(object, "input", vars);
    for (size_t i = 0; i < header->n; i++) {
        struct pawl_str name = pawl_str_trim(header->cells[i]), cell = row->cells[i];
        if (pawl_str_is(name, "__expected")) {
            struct pawl_str prefix = PAWL_STR("equals:");
            if (pawl_str_starts(cell, "equals:"))
                cell = (struct pawl_str){cell.ptr + prefix.len, cell.len - prefix.len};
            pawl_json_set(object, "target", pawl_json_string(pawl_str_trim(cell)));
        } else if (!pawl_str_starts(name, "__")) {
            pawl_json_set(vars, pawl_arena_copy(csv->row, name).ptr, pawl_json_string(cell));
        }
    }
    return PAWL_OK;
}

static enum pawl_status fill(const struct csv *csv, const struct row *header, const struct row *row,
                             const json_t *columns, json_t *object)
{
    static const char *const keys[] = {"input", "target", "id", "cluster"};
    if (!columns && column_of(header, "__expected") < header->n)
        return set_promptfoo(csv, header, row, object);
    for (size_t i = 0; i < 4; i++) {
        if (columns) {
            PAWL_TRY(set_mapped(csv, header, row, columns, keys[i], object));
        } else if (i < 2 || column_of(header, keys[i]) < header->n) {
            PAWL_TRY(set_cell(csv, header, row, keys[i], keys[i], object, keys[i]));
        }
    }
    return PAWL_OK;
}

static enum pawl_status check_columns(const struct csv *csv, const json_t *columns)
{
    const char *key;
    json_t *value;
    if (columns && !json_is_object(columns))
        return pawl_case_refuse(csv->reader, 0, "data.columns",
                                "Write `columns: {input: text, target: label}`.",
                                "The columns are not a map.");
    json_object_foreach((json_t *)(uintptr_t)columns, key, value)
    {
        bool two = strcmp(key, "input") == 0 || strcmp(key, "target") == 0;
        bool one = strcmp(key, "id") == 0 || strcmp(key, "cluster") == 0;
        if ((two && json_is_object(value)) || ((one || two) && json_is_string(value))) continue;
        return pawl_case_refuse(csv->reader, 0,
                                pawl_arena_printf(csv->reader->arena, "data.columns.%s", key),
                                "Map input, target, id and cluster to columns.",
                                "The mapping of \"%s\" is not understood.", key);
    }
    return PAWL_OK;
}

static enum pawl_status read_rows(struct csv *csv, const struct row *header, struct row *row,
                                  const json_t *columns)
{
    while (csv->at < csv->text.len) {
        pawl_arena_reset(csv->row);
        PAWL_TRY(read_row(csv, row));
        if (row->n == 1 && row->cells[0].len == 0) continue; /* an empty line */
        if (row->n != header->n)
            return pawl_case_refuse(csv->reader, row->line, NULL,
                                    "Quote fields that hold the separator or a line end.",
                                    "The row has %zu fields, the header %zu.", row->n, header->n);
        json_t *object = json_object();
        enum pawl_status status = fill(csv, header, row, columns, object);
        if (status != PAWL_OK) {
            json_decref(object);
            return status;
        }
        PAWL_TRY(pawl_case_add(csv->reader, object, row->line));
    }
    return PAWL_OK;
}

enum pawl_status pawl_cases_read_csv(struct pawl_case_reader *reader, struct pawl_str text,
                                     char separator, const json_t *columns)
{
    struct pawl_arena header_texts = {0}, row_texts = {0};
    struct csv csv = {
        .reader = reader, .row = &header_texts, .text = text, .line = 1, .separator = separator};
    struct row *rows = pawl_xcalloc(2, sizeof *rows); /* the header, and the row at hand */
    enum pawl_status status = check_columns(&csv, columns);
    if (status == PAWL_OK) status = read_row(&csv, &rows[0]);
    csv.row = &row_texts;
    if (status == PAWL_OK) status = read_rows(&csv, &rows[0], &rows[1], columns);
    free(rows);
    pawl_arena_release(&header_texts);
    pawl_arena_release(&row_texts);
    return status;
}
