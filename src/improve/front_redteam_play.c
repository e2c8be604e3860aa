/*
 * Playing an attack: its steps in order, each with what must be seen, then what holds after any attack.
 *
 *     - pawl: [eval, --artifact, "@CANDIDATE@"]   the command, as anybody types it
 *       exit: 0                                   or a list; 0 where nothing is said
 *       expect: {mean: {max: 0}, failed: 10}      must be so, or the attack has succeeded
 *       given: {n: 10}                            must be so, or it did not bite
 *       rows: {output: {answer: refused}}         each case, of an eval; a list: one of these
 *       lacks: [wins, losses]                     members that stand nowhere in the answer
 *       says: copy                                a word that stands somewhere in it
 *       repeat: 50
 *     - draft: {code: [tools.py, attack.py]}      files of the page, joined, as a candidate
 *     - text: {instruction: "..."}                the same, with the text itself
 *     - write: {pawl.yaml: "..."}                 files of the project
 *     - change: {file: ..., find: ..., put: ...}  bytes of a file
 *     - copy: {from: ..., to: ...}
 *     - same: [grader.py]                         files that must be as they were written
 */
#include "improve/redteam.h"

#include "improve/front.h"
#include "io/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 160, ROWS_MAX = 64 << 20, REPEAT_MAX = 1000, TEXT_MAX = 4 << 20 };

struct play {
    struct pawl_stage *stage;
    const struct pawl_attack *attack;
    json_t *seen; /* of twins: what everybody could see, without hashes; NULL otherwise */
    json_t *raw;  /* the same with them */
    const char *why;
};

/* --- comparing ---------------------------------------------------------------------------------------- */

static const char *shown(struct pawl_stage *stage, const json_t *value)
{
    if (value == NULL) return "nothing";
    char *text = pawl_json_text(value);
    struct pawl_buf cut = PAWL_BUF(8 * SHOWN);
    pawl_utf8_repair((struct pawl_str){text, strnlen(text, SHOWN)}, &cut);
    const char *kept = pawl_arena_copy(&stage->arena, pawl_buf_str(&cut)).ptr;
    pawl_buf_release(&cut);
    free(text);
    return kept;
}

static bool fits_range(const json_t *wanted, const json_t *seen)
{
    const json_t *min = json_object_get(wanted, "min"), *max = json_object_get(wanted, "max");
    if (!json_is_number(seen)) return false;
    return (min == NULL || json_number_value(seen) >= json_number_value(min)) &&
           (max == NULL || json_number_value(seen) <= json_number_value(max));
}

static bool fits_any(struct pawl_stage *stage, const json_t *list, const json_t *seen)
{
    const char *where;
    for (size_t i = 0; i < json_array_size(list); i++)
        if (pawl_attack_fits(stage, json_array_get(list, i), seen, &where)) return true;
    return false;
}

static bool fits_members(struct pawl_stage *stage, const json_t *wanted, const json_t *seen,
                         const char **where)
{
    const char *key, *below = "";
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)wanted, key, value)
    {
        if (pawl_attack_fits(stage, value, json_object_get(seen, key), &below)) continue;
        *where = below[0] != '\0' ? pawl_arena_printf(&stage->arena, "%s.%s", key, below) : key;
        return false;
    }
    return true;
}

bool pawl_attack_fits(struct pawl_stage *stage, const json_t *wanted, const json_t *seen,
                      const char **where)
{
    *where = "";
    if (json_object_get(wanted, "any") != NULL)
        return fits_any(stage, json_object_get(wanted, "any"), seen);
    if (json_object_get(wanted, "min") != NULL || json_object_get(wanted, "max") != NULL)
        return fits_range(wanted, seen);
    if (json_is_object(wanted))
        return json_is_object(seen) && fits_members(stage, wanted, seen, where);
    if (json_is_number(wanted))
        return json_is_number(seen) && json_number_value(wanted) == json_number_value(seen);
    if (json_is_string(wanted))
        return json_is_string(seen) && strcmp(pawl_stage_fill(stage, json_string_value(wanted)),
                                              json_string_value(seen)) == 0;
    return json_equal(wanted, seen) || (json_is_null(wanted) && seen == NULL);
}

static const json_t *member_at(const json_t *object, const char *path)
{
    struct pawl_str rest = pawl_str_of(path), part;
    while (pawl_str_split(&rest, '.', &part)) object = json_object_getn(object, part.ptr, part.len);
    return object;
}

static bool holds_key(const json_t *value, const char *wanted)
{
    const char *key;
    size_t i;
    json_t *member;
    json_object_foreach((json_t *)value, key, member)
    {
        if (strcmp(key, wanted) == 0 || holds_key(member, wanted)) return true;
    }
    json_array_foreach((json_t *)value, i, member)
    {
        if (holds_key(member, wanted)) return true;
    }
    return false;
}

/* --- one call ------------------------------------------------------------------------------------------- */

static enum pawl_attack_end end_with(struct play *play, enum pawl_attack_end end, const char *why)
{
    play->why = why;
    return end;
}
#define FAILED(play, ...)                                                                          \
    end_with(play, PAWL_ATTACK_FAILED, pawl_arena_printf(&(play)->stage->arena, __VA_ARGS__))
#define VOID(play, ...)                                                                            \
    end_with(play, PAWL_ATTACK_VOID, pawl_arena_printf(&(play)->stage->arena, __VA_ARGS__))

static const char *named(struct play *play, const json_t *step)
{
    return shown(play->stage, json_object_get(step, "pawl"));
}

static bool is_wanted_code(const json_t *wanted, int code)
{
    if (wanted == NULL) return code == 0;
    if (!json_is_array(wanted)) return json_integer_value(wanted) == code;
    for (size_t i = 0; i < json_array_size(wanted); i++)
        if (json_integer_value(json_array_get(wanted, i)) == code) return true;
    return false;
}

static enum pawl_attack_end check_code(struct play *play, const json_t *step, int code,
                                       const json_t *result)
{
    if (is_wanted_code(json_object_get(step, "exit"), code)) return PAWL_ATTACK_STOPPED;
    const json_t *error = json_object_get(result, "error");
    if (code < 0) return FAILED(play, "pawl %s did not end, or crashed", named(play, step));
    return FAILED(play, "pawl %s ended with %d: %s", named(play, step), code,
                  pawl_json_get_text(error, "message", shown(play->stage, result)));
}

static enum pawl_attack_end check_result(struct play *play, const json_t *step,
                                         const json_t *result)
{
    const char *where, *says = pawl_json_get_text(step, "says", NULL);
    const json_t *given = json_object_get(step, "given"), *expect = json_object_get(step, "expect");
    const json_t *lacks = json_object_get(step, "lacks");
    if (given != NULL && !pawl_attack_fits(play->stage, given, result, &where))
        return VOID(play, "pawl %s: %s is %s, so the attack did not bite", named(play, step), where,
                    shown(play->stage, member_at(result, where)));
    if (expect != NULL && !pawl_attack_fits(play->stage, expect, result, &where))
        return FAILED(play, "pawl %s: %s is %s", named(play, step), where,
                      shown(play->stage, member_at(result, where)));
    for (size_t i = 0; i < json_array_size(lacks); i++)
        if (holds_key(result, json_string_value(json_array_get(lacks, i))))
            return FAILED(play, "pawl %s tells %s", named(play, step),
                          json_string_value(json_array_get(lacks, i)));
    if (says == NULL) return PAWL_ATTACK_STOPPED;
    char *text = pawl_json_text(result);
    bool said = strstr(text, pawl_stage_fill(play->stage, says)) != NULL;
    free(text);
    return said ? PAWL_ATTACK_STOPPED
                : FAILED(play, "pawl %s does not say \"%s\"", named(play, step), says);
}

static enum pawl_attack_end check_row(struct play *play, const json_t *wanted, const json_t *row)
{
    const char *where;
    bool fits = json_is_array(wanted) ? fits_any(play->stage, wanted, row)
                                      : pawl_attack_fits(play->stage, wanted, row, &where);
    if (fits) return PAWL_ATTACK_STOPPED;
    return FAILED(play, "the case %s: %s, %s, %s", pawl_json_get_text(row, "id", "?"),
                  pawl_json_get_text(row, "status", "?"),
                  shown(play->stage, json_object_get(row, "output")),
                  pawl_json_get_text(row, "feedback", ""));
}

static const char *rows_path(struct play *play)
{
    return pawl_path_join(&play->stage->arena, play->stage->top, "rows.jsonl");
}

static enum pawl_attack_end check_rows(struct play *play, const json_t *wanted)
{
    struct pawl_str text, line;
    size_t n = 0;
    if (pawl_file_read(rows_path(play), ROWS_MAX, &play->stage->arena, &text, NULL) != PAWL_OK)
        return VOID(play, "no rows were written");
    while (pawl_str_split(&text, '\n', &line)) {
        json_t *row = NULL;
        if (line.len == 0) continue;
        if (pawl_json_parse(line, ROWS_MAX, &row, NULL) != PAWL_OK)
            return FAILED(play, "row %zu is no JSON", n);
        enum pawl_attack_end end = check_row(play, wanted, row);
        json_decref(row);
        if (end != PAWL_ATTACK_STOPPED) return end;
        n++;
    }
    return n > 0 ? PAWL_ATTACK_STOPPED : VOID(play, "no row was written");
}

static bool is_hash(const json_t *value)
{
    size_t n = json_string_length(value);
    return json_is_string(value) && n >= PAWL_HASH_HEX - 1 &&
           strspn(json_string_value(value), "0123456789abcdef") == n;
}

/* Without times that were measured, and without hashes, which are salted (`blind`). New reference. */
static json_t *as_seen(const json_t *value, bool blind)
{
    static const char *const measured[] = {"wall_s", "cpu_s"};
    if (blind && is_hash(value)) return json_string("#");
    json_t *copy = json_copy((json_t *)(uintptr_t)value), *member;
    const char *key;
    size_t i;
    for (i = 0; i < sizeof measured / sizeof *measured; i++) json_object_del(copy, measured[i]);
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        if (json_object_get(copy, key) != NULL)
            json_object_set_new(copy, key, as_seen(member, blind));
    }
    json_array_foreach((json_t *)(uintptr_t)value, i, member)
        json_array_set_new(copy, i, as_seen(member, blind));
    return copy;
}

static void note_seen(struct play *play, const json_t *value)
{
    if (play->seen == NULL || value == NULL) return;
    json_array_append_new(play->seen, as_seen(value, true));
    json_array_append_new(play->raw, as_seen(value, false));
}

/* What a step says, with rows written where it looks at them. */
static json_t *words_of(struct play *play, const json_t *step)
{
    json_t *words = json_copy(json_object_get(step, "pawl"));
    if (json_object_get(step, "rows") == NULL) return words;
    json_array_append_new(words, json_string("--per-case"));
    json_array_append_new(words, json_string(rows_path(play)));
    return words;
}

static enum pawl_attack_end call_once(struct play *play, const json_t *step)
{
    struct pawl_error error = {0};
    json_t *result, *words = words_of(play, step);
    const json_t *rows = json_object_get(step, "rows");
    int code;
    enum pawl_status status = pawl_stage_run(play->stage, words, &code, &result, &error);
    json_decref(words);
    if (status != PAWL_OK) return VOID(play, "%s", error.message);
    enum pawl_attack_end end = check_code(play, step, code, result);
    if (end == PAWL_ATTACK_STOPPED) end = check_result(play, step, result);
    if (end == PAWL_ATTACK_STOPPED && rows != NULL) end = check_rows(play, rows);
    note_seen(play, result);
    json_decref(result);
    return end;
}

static enum pawl_attack_end call_pawl(struct play *play, const json_t *step)
{
    int64_t times = pawl_json_get_int(step, "repeat", 1);
    enum pawl_attack_end end = PAWL_ATTACK_STOPPED;
    PAWL_ASSERT(times >= 1 && times <= REPEAT_MAX); /* our own page */
    for (int64_t i = 0; i < times && end == PAWL_ATTACK_STOPPED; i++) end = call_once(play, step);
    return end;
}

/* --- the other steps --------------------------------------------------------------------------------------- */

static const char *file_text(struct play *play, const char *name)
{
    return pawl_json_get_text(play->attack->files, name, "");
}

static json_t *joined(struct play *play, const json_t *names)
{
    struct pawl_buf text = PAWL_BUF(TEXT_MAX);
    for (size_t i = 0; i < json_array_size(names); i++)
        pawl_buf_add(&text, file_text(play, json_string_value(json_array_get(names, i))));
    json_t *value = pawl_json_string(pawl_buf_str(&text));
    pawl_buf_release(&text);
    return value;
}

static enum pawl_status draft(struct play *play, const json_t *components, struct pawl_error *err)
{
    const char *name;
    json_t *files, *texts = json_object();
    json_object_foreach((json_t *)components, name, files)
        pawl_json_set(texts, name, joined(play, files));
    enum pawl_status status = pawl_stage_draft(play->stage, texts, err);
    json_decref(texts);
    return status;
}

static enum pawl_status copy_file(struct play *play, const json_t *copy, struct pawl_error *err)
{
    struct pawl_arena *arena = &play->stage->arena;
    const char *dir = play->stage->dir;
    struct pawl_hash hash;
    const char *from = pawl_path_join(arena, dir, pawl_json_get_text(copy, "from", ""));
    const char *to = pawl_path_join(arena, dir, pawl_json_get_text(copy, "to", ""));
    return pawl_file_copy(from, to, 0644, &hash, err);
}

static enum pawl_attack_end check_same(struct play *play, const json_t *names)
{
    for (size_t i = 0; i < json_array_size(names); i++) {
        struct pawl_str text;
        const char *name = json_string_value(json_array_get(names, i));
        const char *path = pawl_path_join(&play->stage->arena, play->stage->dir, name);
        const char *wanted = pawl_stage_fill(play->stage, file_text(play, name));
        if (pawl_file_read(path, TEXT_MAX, &play->stage->arena, &text, NULL) != PAWL_OK)
            return FAILED(play, "the file %s is gone", name);
        if (!pawl_str_is(text, wanted)) return FAILED(play, "the file %s was changed", name);
    }
    return PAWL_ATTACK_STOPPED;
}

/* A step that prepares: where it cannot be done there is no attack. */
static enum pawl_attack_end prepare(struct play *play, const json_t *step)
{
    struct pawl_error error = {0};
    enum pawl_status status;
    struct pawl_stage *stage = play->stage;
    const json_t *value;
    if ((value = json_object_get(step, "draft")) != NULL)
        status = draft(play, value, &error);
    else if ((value = json_object_get(step, "text")) != NULL)
        status = pawl_stage_draft(stage, value, &error);
    else if ((value = json_object_get(step, "write")) != NULL)
        status = pawl_stage_write(stage, stage->dir, value, NULL, &error);
    else if ((value = json_object_get(step, "change")) != NULL)
        status =
            pawl_stage_change(stage, pawl_json_get_text(value, "file", ""),
                              pawl_stage_fill(stage, pawl_json_get_text(value, "find", "")),
                              pawl_stage_fill(stage, pawl_json_get_text(value, "put", "")), &error);
    else if ((value = json_object_get(step, "copy")) != NULL)
        status = copy_file(play, value, &error);
    else
        return VOID(play, "nobody knows the step %s", shown(stage, step));
    return status == PAWL_OK ? PAWL_ATTACK_STOPPED : VOID(play, "%s", error.message);
}

static enum pawl_attack_end play_step(struct play *play, const json_t *step)
{
    const json_t *same = json_object_get(step, "same");
    if (json_object_get(step, "pawl") != NULL) return call_pawl(play, step);
    return same != NULL ? check_same(play, same) : prepare(play, step);
}

/* --- before and after --------------------------------------------------------------------------------------- */

static enum pawl_attack_end play_text(struct play *play, const char *step_json)
{
    json_t *step = json_loads(step_json, 0, NULL);
    PAWL_ASSERT(step != NULL);
    enum pawl_attack_end end = play_step(play, step);
    json_decref(step);
    return end;
}

/* Sealed by a command that does as it is told, or there is nothing to attack. */
static enum pawl_attack_end seal(struct play *play)
{
    enum pawl_attack_end end = play_text(play, "{\"pawl\":[\"init\"]}");
    return end == PAWL_ATTACK_STOPPED ? end : end_with(play, PAWL_ATTACK_VOID, play->why);
}

/* The incumbent is the seed still and answers, and the ledger verifies. */
static enum pawl_attack_end check_aftermath(struct play *play)
{
    enum pawl_attack_end end = play_text(play, "{\"pawl\":[\"ledger\",\"verify\"]}");
    if (end == PAWL_ATTACK_STOPPED)
        end = play_text(play, "{\"pawl\":[\"diff\",\"seed\",\"incumbent\"],\"expect\":"
                              "{\"diff\":\"\"}}");
    if (end == PAWL_ATTACK_STOPPED)
        end = play_text(play, "{\"pawl\":[\"run\",\"{\\\"question\\\":\\\"Is 12 even?\\\"}\"]}");
    if (end == PAWL_ATTACK_STOPPED && pawl_stage_remains(play->stage) != NULL)
        end = FAILED(play, "%s", pawl_stage_remains(play->stage));
    return end;
}

static enum pawl_attack_end play_through(struct play *play)
{
    const struct pawl_attack *attack = play->attack;
    enum pawl_attack_end end = attack->unsealed ? PAWL_ATTACK_STOPPED : seal(play);
    for (size_t i = 0; i < json_array_size(attack->steps) && end == PAWL_ATTACK_STOPPED; i++)
        end = play_step(play, json_array_get(attack->steps, i));
    json_t *listing = pawl_stage_listing(play->stage);
    note_seen(play, listing);
    json_decref(listing);
    return end == PAWL_ATTACK_STOPPED ? check_aftermath(play) : end;
}

/* The first difference of two lives, or NULL. */
static const char *first_difference(struct pawl_stage *stage, const json_t *one, const json_t *two)
{
    for (size_t i = 0; i < json_array_size(one) || i < json_array_size(two); i++) {
        const json_t *a = json_array_get(one, i), *b = json_array_get(two, i);
        const char *where;
        if (json_equal(a, b)) continue;
        pawl_attack_fits(stage, a, b, &where);
        return pawl_arena_printf(&stage->arena, "answer %zu, %s: %s or %s", i, where,
                                 shown(stage, member_at(a, where)),
                                 shown(stage, member_at(b, where)));
    }
    return NULL;
}

/* The same life with other sealed questions, in a new stage; what is seen of both must be equal. */
static enum pawl_attack_end play_twin(struct play *play)
{
    struct pawl_error error = {0};
    struct pawl_stage *stage = play->stage;
    struct play twin = {.stage = stage,
                        .attack = play->attack,
                        .seen = json_array(),
                        .raw = json_array(),
                        .why = play->why};
    pawl_stage_close(stage);
    stage->real_time = play->attack->real_time;
    stage->noun = "an even number";
    enum pawl_attack_end end =
        pawl_stage_open(stage, play->attack->files, play->attack->cases, &error) == PAWL_OK
            ? play_through(&twin)
            : VOID(&twin, "%s", error.message);
    const char *differs = first_difference(stage, play->seen, twin.seen);
    if (end == PAWL_ATTACK_STOPPED && json_equal(play->raw, twin.raw))
        end = VOID(&twin, "the two sealed sets are one and the same");
    if (end == PAWL_ATTACK_STOPPED && differs != NULL)
        end = FAILED(&twin, "two sealed sets can be told apart: %s", differs);
    play->why = twin.why;
    json_decref(twin.seen);
    json_decref(twin.raw);
    return end;
}

enum pawl_attack_end pawl_attack_play(struct pawl_stage *stage, const struct pawl_attack *attack,
                                      const char **why)
{
    struct play play = {.stage = stage,
                        .attack = attack,
                        .seen = attack->twins ? json_array() : NULL,
                        .raw = attack->twins ? json_array() : NULL,
                        .why = attack->held_by};
    stage->real_time = attack->real_time;
    enum pawl_attack_end end = play_through(&play);
    if (end == PAWL_ATTACK_STOPPED && attack->twins) end = play_twin(&play);
    json_decref(play.seen);
    json_decref(play.raw);
    *why = play.why;
    return end;
}
