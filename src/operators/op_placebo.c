/*
 * placebo - paraphrases, with no intent to improve: the control arm of every comparison.
 *
 * Example
 *     pawl improve --operator placebo --set proposals=16 --budget evaluations=3000
 *
 * How it works
 *     The reflecting model says each text of the program in other words. Every paraphrase that is a
 *     text, is new and is not too long is scored on all of dev and nominated, whatever its score is:
 *     what another operator gains over this one is what its ideas are worth, and what this one seems to
 *     gain on dev is the luck of the best of many.
 *
 * There is no published code. Texts take turns, and all paraphrases are of the start, so that they do not
 * drift away from it.
 */
#include "operators/operator.h"
#include "operators/prompt.h"
#include "operators/roster.h"

#include <string.h>

struct placebo_options {
    int64_t proposals, reflection_tokens, max_text_bytes;
    double reflection_temperature;
};
static const struct pawl_option placebo_options[] = {
    PAWL_OPT_INT(struct placebo_options, proposals, "16", 1, 1000,
                 "paraphrases that are asked for, at most"),
    PAWL_OPT_INT(struct placebo_options, reflection_tokens, "1024", 16, 100000,
                 "length limit of a paraphrase"),
    PAWL_OPT_REAL(struct placebo_options, reflection_temperature, "1", 0, 2,
                  "temperature of paraphrases"),
    PAWL_OPT_INT(struct placebo_options, max_text_bytes, "16000", 16, 1e6,
                 "longer ones are refused"),
    {0}};

/* {{current}} is replaced. */
static const struct pawl_operator_text placebo_texts[] = {
    {"paraphrase", "what the reflecting model is asked",
     "Say the following text in other words. Keep its meaning exactly: add nothing, leave nothing "
     "out, "
     "and do not try to make it better.\n"
     "\n```\n{{current}}\n```\n"
     "\nGive only the text in other words, between two lines of three backticks.\n"},
    {NULL, NULL, NULL}};

struct placebo {
    struct pawl_host *host;
    const struct placebo_options *opt;
    struct pawl_arena *arena;
    const char **texts; /* [n_texts] components */
    size_t n_texts;
    uint32_t *made; /* [n_made] candidates, the start among them */
    size_t n_made;
    double *scores; /* [n_dev] */
};

static enum pawl_status find_texts(struct placebo *p, struct pawl_error *err)
{
    struct pawl_roster roster = pawl_roster_read(p->host, p->arena);
    p->texts = PAWL_NEW_N(p->arena, const char *, roster.n);
    for (size_t m = 0; m < roster.n; m++)
        if (roster.modules[m].instruction != NULL)
            p->texts[p->n_texts++] = roster.modules[m].instruction;
    if (p->n_texts > 0) return PAWL_OK;
    pawl_fail(err, PAWL_ECONFIG, "placebo rewords texts, and this program has none.");
    pawl_hint(err, "Give the program an instruction, or use another operator.");
    return PAWL_ECONFIG;
}

/* As many as can be scored. */
static size_t n_proposals(struct placebo *p)
{
    int64_t n_dev = (int64_t)pawl_host_n_dev(p->host), wanted = p->opt->proposals;
    int64_t room = n_dev > 0 ? pawl_host_budget_left(p->host) / n_dev : wanted;
    if (room >= wanted) return (size_t)wanted;
    pawl_host_note_short(p->host);
    return (size_t)room;
}

static struct pawl_host_prompt make_prompt(struct placebo *p, const char *component)
{
    struct pawl_buf text = PAWL_BUF(PAWL_PROMPT_BYTES_MAX);
    pawl_prompt_fill(pawl_host_operator_text(p->host, "paraphrase"),
                     PAWL_MARKS({"current", pawl_host_text(p->host, 0, component)}), &text);
    struct pawl_host_prompt prompt = {
        .role = "reflect",
        .user = pawl_arena_copy(p->arena, pawl_buf_str(&text)),
        .max_tokens = (int)p->opt->reflection_tokens,
        .temperature = p->opt->reflection_temperature,
        .sample = (uint32_t)pawl_random_below(pawl_host_random(p->host), UINT32_MAX)};
    pawl_buf_release(&text);
    return prompt;
}

/* True the first time. */
static bool note_made(struct placebo *p, uint32_t candidate)
{
    for (size_t i = 0; i < p->n_made; i++)
        if (p->made[i] == candidate) return false;
    p->made[p->n_made++] = candidate;
    return true;
}

static enum pawl_status try_text(struct placebo *p, const char *component, struct pawl_str text,
                                 struct pawl_error *err)
{
    const struct pawl_host_edit edit = {component, text};
    const uint32_t start = 0;
    uint32_t child;
    double mean;
    if (text.len == 0 || text.len > (size_t)p->opt->max_text_bytes) return PAWL_OK;
    PAWL_TRY(pawl_host_draft(p->host, &start, 1, &edit, 1, &child, err));
    if (!note_made(p, child)) return PAWL_OK;
    PAWL_TRY(pawl_host_score_dev(p->host, child, p->scores, &mean, err));
    pawl_host_say(p->host, "paraphrase %u: %.3f on dev", child, mean);
    return pawl_host_nominate(p->host, child, err);
}

static enum pawl_status search(struct placebo *p, struct pawl_error *err)
{
    size_t n = n_proposals(p);
    struct pawl_host_prompt *prompts = PAWL_NEW_N(p->arena, struct pawl_host_prompt, n);
    struct pawl_host_reply *replies = PAWL_NEW_N(p->arena, struct pawl_host_reply, n);
    p->made = PAWL_NEW_N(p->arena, uint32_t, n + 1);
    note_made(p, 0);
    for (size_t i = 0; i < n; i++) prompts[i] = make_prompt(p, p->texts[i % p->n_texts]);
    PAWL_TRY(pawl_host_complete(p->host, p->arena, prompts, n, replies, err));
    for (size_t i = 0; i < n; i++) {
        if (replies[i].failed) continue;
        PAWL_TRY(try_text(p, p->texts[i % p->n_texts], pawl_prompt_unfence(replies[i].text), err));
    }
    return PAWL_OK;
}

/* The start and one paraphrase on dev. */
static int64_t smallest(const void *options, size_t n_train, size_t n_dev)
{
    (void)options;
    (void)n_train;
    return 2 * (int64_t)n_dev;
}

static enum pawl_status run(struct pawl_host *host, const void *options, struct pawl_error *err)
{
    struct placebo p = {.host = host, .opt = options, .arena = pawl_host_arena(host)};
    double mean;
    PAWL_TRY(find_texts(&p, err));
    p.scores = PAWL_NEW_N(p.arena, double, pawl_host_n_dev(host));
    PAWL_TRY(pawl_host_score_dev(host, 0, p.scores, &mean, err));
    pawl_host_say(host, "start: %.3f on dev", mean);
    return search(&p, err);
}

const struct pawl_operator pawl_op_placebo = {
    .api = PAWL_OPERATOR_API,
    .name = "placebo",
    .version = 1,
    .summary = "says texts in other words and means no improvement: the control of a comparison",
    .paper = "none; after the control arm of a trial, Fisher 1935, The Design of Experiments",
    .options = placebo_options,
    .options_bytes = sizeof(struct placebo_options),
    .texts = placebo_texts,
    .risks =
        "a paraphrase may lose a rule; the best of many looks better on dev than it is, which is "
        "what it is there to show",
    .smallest = smallest,
    .run = run,
};
