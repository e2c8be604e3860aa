#include "evaluate/judge.h"

#include <ctype.h>
#include <stdlib.h>

enum { SHOWN_BYTES = 200 };

struct pawl_str pawl_judge_text(const json_t *value, struct pawl_arena *arena)
{
    if (json_is_string(value))
        return (struct pawl_str){json_string_value(value), json_string_length(value)};
    char *text = pawl_json_text(value);
    struct pawl_str copy = pawl_arena_copy(arena, pawl_str_of(text));
    free(text);
    return copy;
}

const json_t *pawl_judge_answer(const json_t *output)
{
    const char *key, *first = NULL;
    json_t *value, *found = NULL;
    json_object_foreach((json_t *)(uintptr_t)output, key, value)
    {
        if (strcmp(key, "reasoning") == 0 && json_object_size(output) > 1) continue;
        if (first && strcmp(key, first) > 0) continue;
        first = key;
        found = value;
    }
    return found;
}

static bool is_article(struct pawl_str word)
{
    return pawl_str_is(word, "a") || pawl_str_is(word, "an") || pawl_str_is(word, "the");
}

struct pawl_str pawl_judge_normalise(struct pawl_str text, struct pawl_arena *arena)
{
    char *plain = PAWL_NEW_N(arena, char, text.len + 1), *out = plain;
    size_t n = 0, end = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < 128 && ispunct(c)) continue;
        plain[n++] = (char)(c < 128 && isspace(c) ? ' ' : c < 128 ? tolower(c) : c);
    }
    struct pawl_str rest = {plain, n}, word;
    while (pawl_str_split(&rest, ' ', &word)) {
        if (word.len == 0 || is_article(word)) continue;
        if (end > 0) out[end++] = ' ';
        memmove(out + end, word.ptr, word.len); /* never past what was read */
        end += word.len;
    }
    return (struct pawl_str){out, end};
}

/* How much of a text a message shows, cut between characters. */
static int shown(struct pawl_str text)
{
    size_t n = text.len < SHOWN_BYTES ? text.len : SHOWN_BYTES;
    while (n > 0 && n < text.len && ((unsigned char)text.ptr[n] & 0xC0) == 0x80) n--;
    return (int)n;
}

static double best_of(const struct pawl_judge *judge, const void *options, struct pawl_arena *arena,
                      const json_t *expected, const json_t *given)
{
    struct pawl_str came = pawl_judge_text(given, arena);
    if (!json_is_array(expected) || json_is_array(given))
        return judge->score(options, arena, pawl_judge_text(expected, arena), came);
    double best = 0;
    for (size_t i = 0; i < json_array_size(expected) && best < 1; i++) {
        struct pawl_str one = pawl_judge_text(json_array_get(expected, i), arena);
        double score = judge->score(options, arena, one, came);
        if (score > best) best = score;
    }
    return best;
}

static const char *tell(struct pawl_arena *arena, const char *before, const char *field,
                        const json_t *expected, const json_t *given)
{
    struct pawl_str want = pawl_judge_text(expected, arena);
    const char *of = field ? field : "answer";
    if (!given)
        return pawl_arena_printf(arena, "%s%sExpected %s \"%.*s\", but there is no such field.",
                                 before, before[0] ? " " : "", of, shown(want), want.ptr);
    struct pawl_str came = pawl_judge_text(given, arena);
    return pawl_arena_printf(arena, "%s%sExpected %s \"%.*s\", got \"%.*s\".", before,
                             before[0] ? " " : "", of, shown(want), want.ptr, shown(came),
                             came.ptr);
}

void pawl_judge_fields(const struct pawl_judge *judge, const void *options,
                       struct pawl_arena *arena, const struct pawl_metric_call *call,
                       struct pawl_metric_result *result)
{
    double sum = 0, worst = 1;
    size_t n = 0;
    const char *field, *feedback = "";
    json_t *expected;
    *result = (struct pawl_metric_result){0};
    if (!json_is_object(call->target) || json_object_size(call->target) == 0) {
        const json_t *given = pawl_judge_answer(call->output);
        sum = worst = given ? best_of(judge, options, arena, call->target, given) : 0;
        n = 1;
        if (worst < 1) feedback = tell(arena, feedback, NULL, call->target, given);
    } else {
        json_object_foreach((json_t *)(uintptr_t)call->target, field, expected)
        {
            const json_t *given = json_object_get(call->output, field);
            double score = given ? best_of(judge, options, arena, expected, given) : 0;
            if (score < 1) feedback = tell(arena, feedback, field, expected, given);
            if (score < worst) worst = score;
            sum += score;
            n++;
        }
    }
    result->score = judge->mean ? sum / (double)n : worst;
    result->feedback = feedback[0] ? feedback : "Correct.";
}
