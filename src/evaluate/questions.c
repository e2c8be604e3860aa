#include "evaluate/questions.h"

#include <ctype.h>

enum { REPLY_TOKENS = 16, CHOICES_MAX = 16 };

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

static bool has_word(struct pawl_str text, struct pawl_str word)
{
    for (size_t i = 0; word.len > 0 && i + word.len <= text.len; i++) {
        if (memcmp(text.ptr + i, word.ptr, word.len) != 0) continue;
        bool begins = i == 0 || !is_word(text.ptr[i - 1]);
        bool ends = i + word.len == text.len || !is_word(text.ptr[i + word.len]);
        if (begins && ends) return true;
    }
    return false;
}

static struct pawl_metric_reply reply_of(struct pawl_arena *arena,
                                         const struct pawl_metric_question *question,
                                         const struct pawl_lm_reply *said)
{
    struct pawl_metric_reply reply = {NULL};
    if (said->status != PAWL_REPLY_OK) return reply;
    for (size_t i = 0; i < question->n_choices; i++) {
        if (!has_word(said->text, question->choices[i])) continue;
        if (reply.text) return (struct pawl_metric_reply){NULL};
        reply.text = pawl_arena_copy(arena, question->choices[i]).ptr;
    }
    return reply;
}

enum pawl_status pawl_questions_ask(struct pawl_lm *lm, struct pawl_arena *arena,
                                    const struct pawl_metric_question *questions, size_t n,
                                    struct pawl_metric_reply *replies, struct pawl_usage *usage,
                                    bool *missing, struct pawl_error *err)
{
    struct pawl_message(*messages)[2] = pawl_arena_alloc(arena, n + 1, sizeof *messages);
    struct pawl_lm_request *requests = PAWL_NEW_N(arena, struct pawl_lm_request, n + 1);
    struct pawl_lm_reply *said = PAWL_NEW_N(arena, struct pawl_lm_reply, n + 1);
    *missing = false;
    for (size_t i = 0; i < n; i++) {
        messages[i][0] = (struct pawl_message){"system", questions[i].system};
        messages[i][1] = (struct pawl_message){"user", questions[i].user};
        requests[i] = (struct pawl_lm_request){.role = PAWL_ROLE_JUDGE,
                                               .messages = messages[i],
                                               .n_messages = 2,
                                               .n_shared = 1,
                                               .choices = questions[i].choices,
                                               .n_choices = questions[i].n_choices,
                                               .best_only = true,
                                               .max_tokens = REPLY_TOKENS};
    }
    PAWL_TRY(pawl_lm_ask(lm, arena, requests, n, said, err));
    for (size_t i = 0; i < n; i++) {
        pawl_usage_add(usage, &said[i].usage);
        *missing = *missing || said[i].status == PAWL_REPLY_MISSING;
        replies[i] = reply_of(arena, &questions[i], &said[i]);
    }
    return PAWL_OK;
}

/* --- between processes ---------------------------------------------------------------------------- */

json_t *pawl_questions_json(const struct pawl_metric_question *questions, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        json_t *choices = json_array();
        for (size_t k = 0; k < questions[i].n_choices; k++)
            json_array_append_new(choices, pawl_json_string(questions[i].choices[k]));
        json_array_append_new(
            list, json_pack("{s:o, s:o, s:o}", "system", pawl_json_string(questions[i].system),
                            "user", pawl_json_string(questions[i].user), "choices", choices));
    }
    return list;
}

static bool read_text(const json_t *value, struct pawl_str *text)
{
    if (!json_is_string(value)) return false;
    *text = (struct pawl_str){json_string_value(value), json_string_length(value)};
    return true;
}

static bool read_question(const json_t *entry, struct pawl_arena *arena,
                          struct pawl_metric_question *question)
{
    const json_t *list = json_object_get(entry, "choices");
    size_t n = json_array_size(list);
    if (n == 0 || n > CHOICES_MAX) return false;
    struct pawl_str *choices = PAWL_NEW_N(arena, struct pawl_str, n);
    for (size_t i = 0; i < n; i++)
        if (!read_text(json_array_get(list, i), &choices[i])) return false;
    *question = (struct pawl_metric_question){.choices = choices, .n_choices = n};
    return read_text(json_object_get(entry, "system"), &question->system) &&
           read_text(json_object_get(entry, "user"), &question->user);
}

bool pawl_questions_read(const json_t *list, struct pawl_arena *arena,
                         struct pawl_metric_question questions[PAWL_METRIC_QUESTIONS_MAX],
                         size_t *n)
{
    *n = json_array_size(list);
    if (*n == 0 || *n > PAWL_METRIC_QUESTIONS_MAX) return false;
    for (size_t i = 0; i < *n; i++)
        if (!read_question(json_array_get(list, i), arena, &questions[i])) return false;
    return true;
}

json_t *pawl_replies_json(const struct pawl_metric_reply *replies, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, replies[i].text ? json_string(replies[i].text) : json_null());
    return list;
}

bool pawl_replies_read(const json_t *list, size_t n, struct pawl_arena *arena,
                       struct pawl_metric_reply replies[PAWL_METRIC_QUESTIONS_MAX])
{
    if (json_array_size(list) != n || n > PAWL_METRIC_QUESTIONS_MAX) return false;
    for (size_t i = 0; i < n; i++) {
        const json_t *entry = json_array_get(list, i);
        if (!json_is_string(entry) && !json_is_null(entry)) return false;
        replies[i].text =
            json_is_string(entry) ? pawl_arena_strdup(arena, json_string_value(entry)) : NULL;
    }
    return true;
}
