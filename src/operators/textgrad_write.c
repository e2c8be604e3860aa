#include "operators/textgrad.h"

#include <math.h>
#include <string.h>

/* --- memory ----------------------------------------------------------------------------------- */

struct textgrad_memory pawl_textgrad_memory_new(struct textgrad *t, int64_t capacity)
{
    struct textgrad_memory memory = {.capacity = (size_t)capacity};
    memory.items = pawl_arena_alloc(t->arena, memory.capacity + 1, sizeof *memory.items);
    return memory;
}

void pawl_textgrad_note(struct textgrad *t, struct textgrad_memory *memory, struct pawl_str text,
                        double worth)
{
    if (memory->capacity == 0) return;
    size_t at = memory->n++ % memory->capacity;
    memory->items[at].step = t->number;
    memory->items[at].text = pawl_arena_copy(t->arena, text);
    memory->items[at].worth = worth;
}

static struct pawl_str number_text(struct textgrad *t, int64_t number)
{
    return pawl_str_of(pawl_arena_printf(&t->step, "%lld", (long long)number));
}

/* The section of the rewriting prompt that the memory fills, oldest first; empty without one. */
static struct pawl_str memory_text(struct textgrad *t, const struct textgrad_memory *memory,
                                   const char *section, const char *item, const char *mark)
{
    struct pawl_buf list = PAWL_BUF(PAWL_PROMPT_BYTES_MAX);
    size_t first = memory->n > memory->capacity ? memory->n - memory->capacity : 0;
    for (size_t i = first; i < memory->n; i++) {
        size_t at = i % memory->capacity;
        double worth = memory->items[at].worth;
        struct pawl_str number = number_text(t, memory->items[at].step), known = PAWL_STR("?");
        if (!isnan(worth)) known = pawl_str_of(pawl_arena_printf(&t->step, "%.3f", worth));
        pawl_prompt_fill(
            pawl_host_operator_text(t->host, item),
            PAWL_MARKS({"number", number}, {"worth", known}, {mark, memory->items[at].text}),
            &list);
    }
    struct pawl_str text = pawl_prompt_take(&t->step, &list);
    return memory->n == 0 ? PAWL_STR("")
                          : pawl_textgrad_text(t, section, PAWL_MARKS({"list", text}));
}

/* --- rewriting -------------------------------------------------------------------------------- */

struct proposal {
    struct textgrad_variable *variable;
    struct pawl_str prompt, reply;
    struct pawl_str text;   /* ptr NULL: the reply has none */
    struct pawl_buf broken; /* what the text breaks, a line each */
    bool is_sound;          /* breaks nothing that arithmetic can check */
    bool holds;             /* nor anything else */
};

static bool has_feedback(const struct textgrad *t, const struct textgrad_round *r, size_t v)
{
    for (size_t i = 0; i < r->n; i++) {
        if (r->gradients[i * t->n_variables + v].ptr != NULL) return true;
    }
    return false;
}

static struct pawl_str rules_text(struct textgrad *t)
{
    struct pawl_buf list = PAWL_BUF(PAWL_PROMPT_BYTES_MAX);
    for (size_t i = 0; i < t->rules.n; i++)
        pawl_buf_printf(&list, "%zu. " PAWL_STR_FMT "\n", i + 1,
                        PAWL_STR_ARG(t->rules.items[i].says));
    return pawl_textgrad_text(t, "constraints",
                              PAWL_MARKS({"list", pawl_prompt_take(&t->step, &list)}));
}

/* Each case's feedback with what it is about, in the order of the cases. */
static struct pawl_str feedback_text(struct textgrad *t, const struct textgrad_round *r, size_t v)
{
    struct pawl_buf list = PAWL_BUF(PAWL_PROMPT_BYTES_MAX);
    size_t module = t->variables[v].module;
    int64_t n = 0;
    for (size_t i = 0; i < r->n; i++) {
        struct pawl_str feedback = r->gradients[i * t->n_variables + v];
        if (feedback.ptr == NULL) continue;
        pawl_prompt_fill(
            pawl_host_operator_text(t->host, "item"),
            PAWL_MARKS(
                {"number", number_text(t, ++n)},
                {"input", pawl_textgrad_fields(t, pawl_textgrad_input(t, r, i, module), NULL)},
                {"output", pawl_textgrad_fields(t, pawl_textgrad_output(t, r, i, module), NULL)},
                {"feedback", feedback}),
            &list);
    }
    return pawl_prompt_take(&t->step, &list);
}

static struct pawl_str update_prompt(struct textgrad *t, struct textgrad_variable *variable,
                                     struct pawl_str feedback)
{
    return pawl_textgrad_text(
        t, "update",
        PAWL_MARKS(
            {"role", pawl_textgrad_role(t, variable)},
            {"value", pawl_host_text(t->host, t->current, variable->component)},
            {"feedback", feedback},
            {"earlier", memory_text(t, &variable->earlier, "earlier", "earlier_item", "feedback")},
            {"past", memory_text(t, &variable->past, "past", "past_item", "value")},
            {"constraints", rules_text(t)}));
}

static struct pawl_str between(const char *start, const char *end)
{
    struct pawl_str text = pawl_str_trim((struct pawl_str){start, (size_t)(end - start)});
    return text.len > 0 ? text : (struct pawl_str){NULL, 0};
}

static const char *find_last(struct pawl_str text, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = text.len < n ? 0 : text.len - n + 1; i-- > 0;) {
        if (memcmp(text.ptr + i, word, n) == 0) return text.ptr + i;
    }
    return NULL;
}

/* Without tags a text between fences will do; the word that directly follows the first is none of it. */
static struct pawl_str find_fenced(struct pawl_str reply)
{
    const char *first = memmem(reply.ptr, reply.len, "```", 3), *last = find_last(reply, "```");
    if (first == NULL || last < first + 3) return (struct pawl_str){NULL, 0};
    const char *line = memchr(first, '\n', (size_t)(last - first));
    return between(line != NULL ? line : first + 3, last);
}

/* The text between the last closing tag and the opening one before it; a model may speak of the tags
 * first. ptr NULL: there is none, or it was cut off. */
static struct pawl_str find_improved(struct pawl_str reply)
{
    static const char open[] = "<IMPROVED_VARIABLE>", close[] = "</IMPROVED_VARIABLE>";
    if (reply.ptr == NULL) return reply;
    const char *end = find_last(reply, close);
    if (end == NULL && find_last(reply, open) == NULL) return find_fenced(reply);
    if (end == NULL) return (struct pawl_str){NULL, 0};
    const char *start = find_last((struct pawl_str){reply.ptr, (size_t)(end - reply.ptr)}, open);
    return start == NULL ? (struct pawl_str){NULL, 0} : between(start + sizeof open - 1, end);
}

static void add_broken(struct proposal *proposal, struct pawl_str says)
{
    pawl_buf_printf(&proposal->broken, "- " PAWL_STR_FMT "\n", PAWL_STR_ARG(says));
}

/* By arithmetic: everything that the new text breaks. */
static void check_by_code(struct textgrad *t, struct proposal *proposal,
                          const struct pawl_str *seen, size_t n_seen)
{
    pawl_buf_reset(&proposal->broken);
    proposal->text = find_improved(proposal->reply);
    if (proposal->text.ptr == NULL)
        add_broken(proposal, pawl_host_operator_text(t->host, "no_tags"));
    for (size_t i = 0; proposal->text.ptr != NULL && i < t->rules.n; i++) {
        const struct pawl_textgrad_rule *rule = &t->rules.items[i];
        if (rule->kind == PAWL_RULE_JUDGED) continue;
        if (!pawl_textgrad_rule_holds(rule, proposal->text, seen, n_seen))
            add_broken(proposal, rule->says);
    }
    proposal->is_sound = proposal->broken.len == 0;
}

/* verdicts[rules.n] */
static void ask_judge(struct textgrad *t, const struct proposal *proposal,
                      struct textgrad_asks *asks, struct pawl_str *verdicts)
{
    for (size_t i = 0; i < t->rules.n; i++) {
        const struct pawl_textgrad_rule *rule = &t->rules.items[i];
        if (rule->kind != PAWL_RULE_JUDGED) continue;
        pawl_textgrad_ask(
            t, asks, "judge",
            pawl_textgrad_text(t, "check",
                               PAWL_MARKS({"text", proposal->text}, {"constraint", rule->says})),
            &verdicts[i]);
    }
}

static bool says_yes(struct pawl_str reply)
{
    while (reply.len > 0 && strchr("*\"'`_ ", *reply.ptr) != NULL) reply.ptr++, reply.len--;
    return reply.len >= 3 && strncasecmp(reply.ptr, "yes", 3) == 0;
}

static void hear_judge(struct textgrad *t, struct proposal *proposal,
                       const struct pawl_str *verdicts)
{
    for (size_t i = 0; i < t->rules.n; i++) {
        const struct pawl_textgrad_rule *rule = &t->rules.items[i];
        if (rule->kind == PAWL_RULE_JUDGED && !says_yes(verdicts[i]))
            add_broken(proposal, rule->says);
    }
}

/* Every text that does not hold yet: by code, then what is sound by the judge, as one batch. */
static enum pawl_status check(struct textgrad *t, struct proposal *proposals, size_t n,
                              const struct pawl_str *seen, size_t n_seen, struct pawl_error *err)
{
    struct textgrad_asks asks = pawl_textgrad_asks_new(t, n * t->rules.n);
    struct pawl_str *verdicts = PAWL_NEW_N(&t->step, struct pawl_str, n * t->rules.n);
    for (size_t i = 0; i < n; i++) {
        if (proposals[i].holds) continue;
        check_by_code(t, &proposals[i], seen, n_seen);
        if (proposals[i].is_sound) ask_judge(t, &proposals[i], &asks, &verdicts[i * t->rules.n]);
    }
    PAWL_TRY(pawl_textgrad_ask_all(t, &asks, err));
    for (size_t i = 0; i < n; i++) {
        if (proposals[i].holds) continue;
        if (proposals[i].is_sound) hear_judge(t, &proposals[i], &verdicts[i * t->rules.n]);
        proposals[i].holds = proposals[i].broken.len == 0;
    }
    return PAWL_OK;
}

static struct pawl_str refused_text(const struct proposal *proposal)
{
    if (proposal->text.ptr != NULL) return proposal->text;
    return proposal->reply.ptr != NULL ? proposal->reply : PAWL_STR("");
}

/* Ask for every text that does not hold yet: the first time, or once more with what was wrong. */
static enum pawl_status write_texts(struct textgrad *t, struct proposal *proposals, size_t n,
                                    bool again, struct pawl_error *err)
{
    struct textgrad_asks asks = pawl_textgrad_asks_new(t, n);
    for (size_t i = 0; i < n; i++) {
        struct proposal *proposal = &proposals[i];
        if (proposal->holds) continue;
        struct pawl_str prompt = proposal->prompt;
        if (again)
            prompt =
                pawl_textgrad_text(t, "repair",
                                   PAWL_MARKS({"update", prompt}, {"text", refused_text(proposal)},
                                              {"broken", pawl_buf_str(&proposal->broken)}));
        proposal->reply = (struct pawl_str){NULL, 0};
        pawl_textgrad_ask(t, &asks, "reflect", prompt, &proposal->reply);
    }
    return pawl_textgrad_ask_all(t, &asks, err);
}

static bool all_hold(const struct proposal *proposals, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!proposals[i].holds) return false;
    }
    return true;
}

/* The texts of the batch's cases, which the writing model has seen. */
static struct pawl_str *seen_texts(struct textgrad *t, const struct textgrad_round *r)
{
    struct pawl_str *seen = PAWL_NEW_N(&t->step, struct pawl_str, 2 * r->n);
    for (size_t i = 0; i < r->n; i++) {
        seen[2 * i] = pawl_textgrad_task(t, r, i);
        seen[2 * i + 1] =
            pawl_textgrad_fields(t, pawl_host_train_case(t->host, r->cases[i])->target, NULL);
    }
    return seen;
}

static enum pawl_status write_and_check(struct textgrad *t, const struct textgrad_round *r,
                                        struct proposal *proposals, size_t n,
                                        struct pawl_error *err)
{
    const struct pawl_str *seen = seen_texts(t, r);
    for (int64_t attempt = 0; attempt <= t->opt->repairs && !all_hold(proposals, n); attempt++) {
        PAWL_TRY(write_texts(t, proposals, n, attempt > 0, err));
        PAWL_TRY(check(t, proposals, n, seen, 2 * r->n, err));
    }
    return PAWL_OK;
}

/* The texts that hold and are new. */
static size_t choose_edits(struct textgrad *t, const struct proposal *proposals, size_t n,
                           struct pawl_host_edit *edits)
{
    size_t n_edits = 0;
    for (size_t i = 0; i < n; i++) {
        const struct proposal *proposal = &proposals[i];
        const char *component = proposal->variable->component;
        if (!proposal->holds)
            pawl_host_say(t->host, "a new text of %s is refused: " PAWL_STR_FMT, component,
                          PAWL_STR_ARG(pawl_str_trim(pawl_buf_str(&proposal->broken))));
        else if (!pawl_str_eq(proposal->text, pawl_host_text(t->host, t->current, component)))
            edits[n_edits++] = (struct pawl_host_edit){component, proposal->text};
    }
    return n_edits;
}

/* Every text that got feedback is to be written anew. */
static size_t make_proposals(struct textgrad *t, const struct textgrad_round *r,
                             struct proposal *proposals)
{
    size_t n = 0;
    for (size_t v = 0; v < t->n_variables; v++) {
        if (!has_feedback(t, r, v)) continue;
        struct textgrad_variable *variable = &t->variables[v];
        struct pawl_str feedback = feedback_text(t, r, v);
        struct pawl_str prompt = update_prompt(t, variable, feedback);
        pawl_textgrad_note(t, &variable->earlier, feedback, NAN);
        if (prompt.ptr == NULL) continue;
        proposals[n++] = (struct proposal){
            .variable = variable, .prompt = prompt, .broken = PAWL_BUF(PAWL_PROMPT_BYTES_MAX)};
    }
    return n;
}

enum pawl_status pawl_textgrad_rewrite(struct textgrad *t, const struct textgrad_round *r,
                                       struct pawl_host_edit *edits, size_t *n_edits,
                                       struct pawl_error *err)
{
    struct proposal *proposals = PAWL_NEW_N(&t->step, struct proposal, t->n_variables);
    size_t n = make_proposals(t, r, proposals);
    enum pawl_status status = write_and_check(t, r, proposals, n, err);
    *n_edits = status == PAWL_OK ? choose_edits(t, proposals, n, edits) : 0;
    for (size_t i = 0; i < n; i++) pawl_buf_release(&proposals[i].broken);
    return status;
}
