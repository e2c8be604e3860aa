/*
 * cases_read.c - which format a case file has, and the formats that are JSON or YAML.
 */
#include "base/yaml.h"
#include "evaluate/cases_format.h"
#include "program/project_file.h"

#include <stdio.h>

static bool ends_in(const char *path, const char *ending)
{
    size_t n = strlen(path), m = strlen(ending);
    return n >= m && strcmp(path + n - m, ending) == 0;
}

static enum pawl_status read_lines(struct pawl_case_reader *reader, struct pawl_str text)
{
    struct pawl_str line;
    for (int number = 1; pawl_str_split(&text, '\n', &line); number++) {
        json_t *object;
        if (pawl_str_trim(line).len == 0) continue;
        if (line.len > PAWL_CASE_BYTES_MAX)
            return pawl_case_refuse(reader, number, NULL, "Shorten the case.",
                                    "The case is larger than %d bytes.", PAWL_CASE_BYTES_MAX);
        struct pawl_error why = {0};
        if (pawl_json_parse(line, PAWL_CASE_BYTES_MAX, &object, &why) != PAWL_OK) {
            pawl_case_refuse(reader, number, NULL, "Every line is one JSON object.", "%s",
                             why.message);
            if (reader->err) reader->err->column = why.column;
            return PAWL_ECONFIG;
        }
        PAWL_TRY(pawl_case_add(reader, object, number));
    }
    return PAWL_OK;
}

static enum pawl_status add_list(struct pawl_case_reader *reader, const json_t *list)
{
    if (json_is_object(list)) list = json_object_get(list, "tests"); /* a promptfoo file */
    if (!json_is_array(list))
        return pawl_case_refuse(reader, 0, NULL, "Write a list of cases, or `tests: [...]`.",
                                "The file holds no list of cases.");
    for (size_t i = 0; i < json_array_size(list); i++) {
        enum pawl_status status = pawl_case_add(reader, json_incref(json_array_get(list, i)), 0);
        if (status == PAWL_OK) continue;
        if (reader->err) {
            char message[sizeof reader->err->message];
            memcpy(message, reader->err->message, sizeof message);
            snprintf(reader->err->message, sizeof reader->err->message, "Case %zu: %.480s", i + 1,
                     message);
        }
        return status;
    }
    return PAWL_OK;
}

static enum pawl_status read_json_list(struct pawl_case_reader *reader, struct pawl_str text)
{
    json_t *list;
    struct pawl_error why = {0};
    if (pawl_json_parse(text, text.len, &list, &why) != PAWL_OK)
        return pawl_case_refuse(reader, why.line, NULL, "Write a JSON list of cases.", "%s",
                                why.message);
    enum pawl_status status = add_list(reader, list);
    json_decref(list);
    return status;
}

static enum pawl_status read_yaml_list(struct pawl_case_reader *reader, struct pawl_str text)
{
    json_t *list;
    struct pawl_yaml_places *places;
    PAWL_TRY(pawl_yaml_parse(text, reader->path, &list, &places, reader->err));
    enum pawl_status status = add_list(reader, list);
    pawl_yaml_places_free(places);
    json_decref(list);
    return status;
}

static enum pawl_status read_text(struct pawl_case_reader *reader, struct pawl_str text,
                                  const json_t *columns)
{
    size_t offset;
    if (!pawl_utf8_is_valid(text, &offset)) {
        int line = 1;
        for (size_t i = 0; i < offset; i++) line += text.ptr[i] == '\n';
        return pawl_case_refuse(reader, line, NULL, "Save the file as UTF-8.",
                                "The file is not valid UTF-8 at byte %zu.", offset);
    }
    if (pawl_str_starts(text, "\xEF\xBB\xBF")) text = (struct pawl_str){text.ptr + 3, text.len - 3};
    if (pawl_str_trim(text).len == 0)
        return pawl_case_refuse(reader, 0, NULL, "Put one case on each line.",
                                "The file is empty.");
    if (ends_in(reader->path, ".csv")) return pawl_cases_read_csv(reader, text, ',', columns);
    if (ends_in(reader->path, ".tsv")) return pawl_cases_read_csv(reader, text, '\t', columns);
    if (ends_in(reader->path, ".yaml") || ends_in(reader->path, ".yml"))
        return read_yaml_list(reader, text);
    if (pawl_str_trim(text).ptr[0] == '[') return read_json_list(reader, text);
    return read_lines(reader, text);
}

enum pawl_status pawl_cases_read(const char *path, const json_t *columns, struct pawl_arena *arena,
                                 struct pawl_cases *cases, struct pawl_error *err)
{
    struct pawl_arena file = {0};
    struct pawl_str text;
    struct pawl_case_reader reader = {
        .path = pawl_arena_strdup(arena, path), .arena = arena, .cases = cases, .err = err};
    *cases = (struct pawl_cases){.keep = json_array()};
    enum pawl_status status =
        pawl_project_file(NULL, path, "data", PAWL_CASE_FILE_MAX, &file, &text, err);
    if (status == PAWL_OK) status = read_text(&reader, text, columns);
    if (status == PAWL_OK) status = pawl_cases_check(cases, reader.path, err);
    if (status == PAWL_OK && cases->n == 0)
        status = pawl_case_refuse(&reader, 0, NULL, "Put one case on each line.",
                                  "The file holds no case.");
    pawl_arena_release(&file);
    if (status != PAWL_OK) pawl_cases_release(cases);
    return status;
}
