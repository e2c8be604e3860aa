#include "code/passages.h"

#include "base/json.h"

#include <stdio.h>

struct reading {
    const char *name;
    pawl_passages_take take;
    void *context;
    struct pawl_arena arena;
    size_t n, line; /* passages so far; the line that is read */
};

/* Point an error at the line that made it. */
static enum pawl_status at_line(const struct reading *reading, enum pawl_status status,
                                struct pawl_error *err)
{
    if (status == PAWL_OK || err == NULL || err->file[0] != '\0') return status;
    snprintf(err->file, sizeof err->file, "%s", reading->name);
    err->line = (int)reading->line;
    return status;
}

static enum pawl_status give(struct reading *reading, struct pawl_passage *passage,
                             struct pawl_error *err)
{
    reading->n++;
    if (passage->id.len == 0)
        passage->id =
            pawl_str_of(pawl_arena_printf(&reading->arena, "%s#%zu", reading->name, reading->n));
    enum pawl_status status = at_line(reading, reading->take(reading->context, passage, err), err);
    pawl_arena_reset(&reading->arena);
    return status;
}

/* --- JSON Lines ----------------------------------------------------------------------------------- */

static enum pawl_status read_member(const json_t *object, const char *key, struct pawl_str *out,
                                    struct pawl_error *err)
{
    json_t *value = json_object_get(object, key);
    *out = pawl_json_get_str(object, key);
    if (value == NULL || json_is_string(value)) return PAWL_OK;
    return pawl_fail(err, PAWL_EUSAGE, "\"%s\" of a passage is a text.", key);
}

static enum pawl_status give_object(struct reading *reading, const json_t *object,
                                    struct pawl_error *err)
{
    struct pawl_passage passage;
    PAWL_TRY(read_member(object, "id", &passage.id, err));
    PAWL_TRY(read_member(object, "title", &passage.title, err));
    PAWL_TRY(read_member(object, "text", &passage.text, err));
    if (passage.text.ptr == NULL) {
        pawl_fail(err, PAWL_EUSAGE, "This line has no \"text\".");
        pawl_hint(err,
                  "A passage is {\"text\": ..., \"id\": ..., \"title\": ...}; id and title may "
                  "be left out.");
        return PAWL_EUSAGE;
    }
    return give(reading, &passage, err);
}

static enum pawl_status read_lines(struct reading *reading, struct pawl_str content,
                                   struct pawl_error *err)
{
    struct pawl_str line;
    while (pawl_str_split(&content, '\n', &line)) {
        json_t *object;
        reading->line++;
        if (pawl_str_trim(line).len == 0) continue;
        if (pawl_json_parse(line, 2 * PAWL_PASSAGE_BYTES_MAX, &object, err) != PAWL_OK) {
            if (err != NULL) err->status = PAWL_EUSAGE;
            if (err != NULL) err->line = 0; /* it counts from this line */
            return at_line(reading, PAWL_EUSAGE, err);
        }
        enum pawl_status status = at_line(reading, give_object(reading, object, err), err);
        json_decref(object);
        PAWL_TRY(status);
    }
    return PAWL_OK;
}

/* --- prose ------------------------------------------------------------------------------------------ */

/* "## Title" gives the title. */
static bool is_heading(struct pawl_str line, struct pawl_str *title)
{
    size_t n = 0;
    while (n < line.len && line.ptr[n] == '#') n++;
    if (n == 0 || n > 6 || n == line.len || line.ptr[n] != ' ') return false;
    *title = pawl_str_trim((struct pawl_str){line.ptr + n, line.len - n});
    return true;
}

struct prose {
    struct reading *reading;
    struct pawl_str title;
    const char *start, *end; /* of the passage that grows; NULL: none */
};

static enum pawl_status flush(struct prose *prose, struct pawl_error *err)
{
    if (prose->start == NULL) return PAWL_OK;
    struct pawl_passage passage = {.title = prose->title,
                                   .text = pawl_str_trim((struct pawl_str){
                                       prose->start, (size_t)(prose->end - prose->start)})};
    prose->start = NULL;
    return passage.text.len > 0 ? give(prose->reading, &passage, err) : PAWL_OK;
}

/* A paragraph joins the passage that grows, if there is room. */
static enum pawl_status add_paragraph(struct prose *prose, const char *start, const char *end,
                                      struct pawl_error *err)
{
    if (prose->start != NULL && end - prose->start > PAWL_PROSE_BYTES) PAWL_TRY(flush(prose, err));
    if (prose->start == NULL) prose->start = start;
    prose->end = end;
    return PAWL_OK;
}

static enum pawl_status read_prose(struct reading *reading, struct pawl_str content,
                                   struct pawl_error *err)
{
    struct prose prose = {.reading = reading};
    const char *start = NULL;
    struct pawl_str line, title;
    while (pawl_str_split(&content, '\n', &line)) {
        reading->line++;
        bool heading = is_heading(line, &title), blank = pawl_str_trim(line).len == 0;
        if (start != NULL && (blank || heading)) {
            PAWL_TRY(add_paragraph(&prose, start, line.ptr, err));
            start = NULL;
        }
        if (heading) {
            PAWL_TRY(flush(&prose, err));
            prose.title = title;
        }
        if (!blank && start == NULL) start = line.ptr;
    }
    if (start != NULL) PAWL_TRY(add_paragraph(&prose, start, line.ptr + line.len, err));
    return flush(&prose, err);
}

/* ------------------------------------------------------------------------------------------------------ */

static bool is_json_lines(const char *name)
{
    static const char ending[] = ".jsonl";
    size_t n = strlen(name);
    return n >= sizeof ending - 1 && strcmp(name + n - (sizeof ending - 1), ending) == 0;
}

enum pawl_status pawl_passages_read(const char *name, struct pawl_str content,
                                    pawl_passages_take take, void *context, struct pawl_error *err)
{
    struct reading reading = {.name = name, .take = take, .context = context};
    size_t bad;
    if (!pawl_utf8_is_valid(content, &bad)) {
        for (size_t i = 0; i <= bad; i++) reading.line += i == 0 || content.ptr[i - 1] == '\n';
        return at_line(&reading, pawl_fail(err, PAWL_EUSAGE, "This is no UTF-8."), err);
    }
    if (memchr(content.ptr, '\0', content.len) != NULL)
        return at_line(&reading, pawl_fail(err, PAWL_EUSAGE, "A text has no NUL bytes."), err);
    enum pawl_status status = is_json_lines(name) ? read_lines(&reading, content, err)
                                                  : read_prose(&reading, content, err);
    pawl_arena_release(&reading.arena);
    return status;
}
