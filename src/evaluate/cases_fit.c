#include "evaluate/cases_fit.h"

#include "evaluate/cases_format.h"
#include "evaluate/judge.h"
#include "program/answer.h"

enum { SHOWN_BYTES = 80, NAMES_BYTES = 300 };

struct fit {
    struct pawl_case_reader reader; /* for refusals */
    const struct pawl_program *program;
    struct pawl_metric *metric;
    const json_t *inputs, *outputs, *extra; /* as pawl_program_fields gives them */
    const char *answer;                     /* the field that a target without fields speaks of */
    struct pawl_arena arena;                /* of one case */
};

/* --- telling --------------------------------------------------------------------------------------- */

/* "a, b, c" of a list of texts, or of objects with a name; cut where it gets long. */
static const char *names_of(struct fit *fit, const json_t *list)
{
    struct pawl_buf text = PAWL_BUF(1 << 20);
    json_t *item;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)list, i, item)
    {
        const char *name =
            json_is_string(item) ? json_string_value(item) : pawl_json_get_text(item, "name", "");
        if (text.len + strlen(name) > NAMES_BYTES) {
            pawl_buf_add(&text, ", ...");
            break;
        }
        pawl_buf_printf(&text, "%s%s", i > 0 ? ", " : "", name);
    }
    const char *copy = pawl_arena_copy(&fit->arena, pawl_buf_str(&text)).ptr;
    pawl_buf_release(&text);
    return copy;
}

/* A value as it stands in the case, cut between characters. */
static const char *shown(struct fit *fit, const json_t *value)
{
    struct pawl_str text = pawl_judge_text(value, &fit->arena);
    size_t n = text.len < SHOWN_BYTES ? text.len : SHOWN_BYTES;
    while (n > 0 && n < text.len && ((unsigned char)text.ptr[n] & 0xC0) == 0x80) n--;
    return pawl_arena_printf(&fit->arena, "%.*s%s", (int)n, text.ptr, n < text.len ? "..." : "");
}

static enum pawl_status refuse_input(struct fit *fit, const struct pawl_case *item)
{
    const char *inputs = names_of(fit, fit->inputs);
    const char *remedy = pawl_arena_printf(
        &fit->arena,
        "The program's inputs are: %s. Name the fields of the cases so (data.columns does it for "
        "a .csv file), or change program.signature.",
        inputs);
    json_t *input;
    size_t i;
    if (!json_is_object(item->input))
        return pawl_case_refuse(&fit->reader, item->line, "input", remedy,
                                "The input of case \"%.100s\" is one text, \"%s\", and the "
                                "program takes several fields.",
                                item->id, shown(fit, item->input));
    const char *absent = "";
    json_array_foreach((json_t *)(uintptr_t)fit->inputs, i, input)
    {
        absent = json_string_value(input);
        if (json_object_get(item->input, absent) == NULL) break;
    }
    return pawl_case_refuse(&fit->reader, item->line, "input", remedy,
                            "The input of case \"%.100s\" has no field \"%s\": %s", item->id,
                            absent, shown(fit, item->input));
}

static enum pawl_status refuse_field(struct fit *fit, const struct pawl_case *item,
                                     const char *name, const json_t *expected)
{
    const char *remedy = pawl_arena_printf(&fit->arena,
                                           "The program's outputs are: %s. Rename the field of the "
                                           "target, or change program.signature.",
                                           names_of(fit, fit->outputs));
    return pawl_case_refuse(&fit->reader, item->line,
                            pawl_arena_printf(&fit->arena, "target.%s", name), remedy,
                            "The target of case \"%.100s\" is \"%s\" in a field \"%.60s\" that the "
                            "program does not answer.",
                            item->id, shown(fit, expected), name);
}

static enum pawl_status refuse_target(struct fit *fit, const struct pawl_case *item,
                                      const json_t *field, const json_t *expected)
{
    const json_t *choices = json_object_get(field, "choices");
    const char *name = pawl_json_get_text(field, "name", "");
    const char *type = pawl_json_get_text(field, "type", "");
    const char *remedy =
        choices != NULL
            ? pawl_arena_printf(&fit->arena,
                                "The choices are: %s. Correct the target, or the choices in "
                                "program.signature.",
                                names_of(fit, choices))
            : pawl_arena_printf(&fit->arena, "Write a %s, or change the type in program.signature.",
                                type);
    return pawl_case_refuse(&fit->reader, item->line,
                            pawl_arena_printf(&fit->arena, "target.%s", name), remedy,
                            "The target of case \"%.100s\" is \"%s\", and no answer in \"%s\" (%s) "
                            "can equal it.",
                            item->id, shown(fit, expected), name, type);
}

/* --- what can be answered ---------------------------------------------------------------------------- */

static const json_t *find_output(const struct fit *fit, const char *name)
{
    json_t *field;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)fit->outputs, i, field)
    {
        if (strcmp(pawl_json_get_text(field, "name", ""), name) == 0) return field;
    }
    return NULL;
}

static bool is_extra(const struct fit *fit, const char *name)
{
    json_t *extra;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)fit->extra, i, extra)
    {
        if (strcmp(json_string_value(extra), name) == 0) return true;
    }
    return false;
}

/* Every answer of the field's type that could match; NULL where that is open. New reference. */
static json_t *answers_of(struct fit *fit, const json_t *field, const json_t *expected)
{
    const json_t *choices = json_object_get(field, "choices");
    const char *type = pawl_json_get_text(field, "type", "");
    if (choices != NULL) return json_incref((json_t *)(uintptr_t)choices);
    if (strcmp(type, "boolean") == 0) return json_pack("[b, b]", 1, 0);
    if (strcmp(type, "number") != 0) return NULL;
    /* The number that a model's answer with this text would be read as. */
    const struct pawl_field number = {.name = "number", .type = PAWL_FIELD_NUMBER};
    const json_t *one = json_is_array(expected) ? json_array_get(expected, 0) : expected;
    const char *fault;
    json_t *read =
        pawl_answer_parse(pawl_judge_text(one, &fit->arena), &number, 1, &fit->arena, &fault);
    json_t *answers = json_array();
    json_array_append(answers, json_object_get(read, "number"));
    json_decref(read);
    return answers;
}

static enum pawl_status can_score(struct fit *fit, const struct pawl_case *item,
                                  const json_t *field, const json_t *target, const json_t *answers,
                                  bool *can)
{
    json_t *answer;
    size_t i;
    *can = false;
    json_array_foreach((json_t *)(uintptr_t)answers, i, answer)
    {
        struct pawl_metric_result result;
        json_t *output = json_object();
        pawl_json_set(output, pawl_json_get_text(field, "name", ""), json_incref(answer));
        const struct pawl_metric_call call = {.id = item->id,
                                              .input = item->input,
                                              .target = target,
                                              .output = output,
                                              .metadata = item->metadata};
        enum pawl_status status =
            pawl_metric_score(fit->metric, &fit->arena, &call, &result, fit->reader.err);
        json_decref(output);
        PAWL_TRY(status);
        *can = result.score > 0;
        if (*can) break;
    }
    return PAWL_OK;
}

static enum pawl_status check_field(struct fit *fit, const struct pawl_case *item, const char *name,
                                    const json_t *expected, const json_t *target)
{
    const json_t *field = find_output(fit, name);
    if (field == NULL)
        return is_extra(fit, name) ? PAWL_OK : refuse_field(fit, item, name, expected);
    json_t *answers = answers_of(fit, field, expected);
    if (answers == NULL) return PAWL_OK;
    bool can;
    enum pawl_status status = can_score(fit, item, field, target, answers, &can);
    json_decref(answers);
    if (status != PAWL_OK || can) return status;
    return refuse_target(fit, item, field, expected);
}

static enum pawl_status check_target(struct fit *fit, const struct pawl_case *item)
{
    const char *name;
    json_t *expected;
    if (!json_is_object(item->target) || json_object_size(item->target) == 0)
        return check_field(fit, item, fit->answer, item->target, item->target);
    json_object_foreach((json_t *)(uintptr_t)item->target, name, expected)
    {
        json_t *alone = json_object();
        pawl_json_set(alone, name, json_incref(expected));
        enum pawl_status status = check_field(fit, item, name, expected, alone);
        json_decref(alone);
        PAWL_TRY(status);
    }
    return PAWL_OK;
}

static enum pawl_status check_case(struct fit *fit, const struct pawl_case *item)
{
    json_t *input = pawl_program_input_object(fit->program, item->input);
    if (input == NULL) return refuse_input(fit, item);
    json_decref(input);
    return fit->metric != NULL ? check_target(fit, item) : PAWL_OK;
}

/* Which output pawl_judge_answer takes: asked of it, with each field holding its own name. */
static const char *answer_field(const json_t *outputs, struct pawl_arena *arena)
{
    json_t *field, *all = json_object();
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)outputs, i, field)
    {
        json_t *name = json_object_get(field, "name");
        pawl_json_set(all, json_string_value(name), json_incref(name));
    }
    const char *found = json_string_value(pawl_judge_answer(all));
    const char *copy = pawl_arena_strdup(arena, found != NULL ? found : "");
    json_decref(all);
    return copy;
}

enum pawl_status pawl_cases_fit(const struct pawl_cases *cases, const char *path,
                                const struct pawl_program *program, struct pawl_metric *metric,
                                struct pawl_error *err)
{
    struct pawl_arena names = {0};
    json_t *fields = pawl_program_fields(program);
    struct fit fit = {.reader = {.path = path, .err = err},
                      .program = program,
                      .metric = metric,
                      .inputs = json_object_get(fields, "inputs"),
                      .outputs = json_object_get(fields, "outputs"),
                      .extra = json_object_get(fields, "extra")};
    fit.answer = answer_field(fit.outputs, &names);
    bool declared = json_array_size(fit.inputs) > 0;
    enum pawl_status status = PAWL_OK;
    for (size_t i = 0; declared && i < cases->n && status == PAWL_OK; i++) {
        status = check_case(&fit, &cases->items[i]);
        pawl_arena_reset(&fit.arena);
    }
    json_decref(fields);
    pawl_arena_release(&fit.arena);
    pawl_arena_release(&names);
    return status;
}
