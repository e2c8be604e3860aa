/*
 * Multi-agent reflexion: as reflexion, but what went wrong is said by several critics. Each looks at the failed
 * answer on its own; they see what the others said and may answer, for some rounds; a judge makes one lesson of
 * it. One model that reflects alone repeats its own wrong diagnosis.
 *
 *     strategy: mar
 *     max_trials: 3, memory: 3, check: | ...         # as of reflexion
 *     debate: 1                                      # rounds after the one in which nobody sees the others
 *
 * Who the critics are is the component `personas`, a line for each, at most MAR_PERSONAS_MAX; what is more is not
 * asked.
 *
 * Calls: those of reflexion, where a reflection is personas * (1 + debate) + 1. A critic that is refused is silent;
 * where all are, there is no lesson. At an equal number of calls best_of_n and a single critic are the arms to
 * compare with: more samples alone may explain a gain.
 */
#include "program/trial.h"

enum { TEST, PERSONAS, CRITIQUE, DEBATE, JUDGE, RETRY };
enum { MAR_PERSONAS_MAX = 8, TURN_BYTES_MAX = 4 << 20 };

static const struct pawl_strategy_text texts[] = {
    {"test",
     "Before you answer, write a test that tells a right answer to this from a wrong one. Test "
     "only what you are sure of from the task itself; do not write the answer into it."},
    {"personas", "verifier: checks each step and each number against the task\n"
                 "sceptic: doubts what was taken for granted\n"
                 "logician: looks for steps that do not follow\n"
                 "planner: asks whether the whole way to the answer was the right one\n"},
    {"critique",
     "Say in a few sentences what is wrong with that answer. Name the mistake itself; do "
     "not give the answer."},
    {"debate",
     "Say where the others are right and where they are wrong, and then what is wrong with "
     "that answer, in a few sentences."},
    {"judge",
     "Make one lesson of what the critics say: in a few sentences, why the attempt failed and "
     "what to do differently. Leave out what is wrong or said twice; do not give the answer."},
    {"retry", "Answer again from the beginning. Do not repeat what failed."},
    {NULL, NULL}};

struct panel {
    struct pawl_strategy_call *call;
    const struct pawl_trial *trial;
    struct pawl_str personas[MAR_PERSONAS_MAX];
    struct pawl_str said[MAR_PERSONAS_MAX]; /* in the last round; ptr NULL: nothing yet */
    size_t n;
};

static void read_personas(struct panel *panel)
{
    struct pawl_str rest = panel->call->instance->texts[PERSONAS], line;
    while (panel->n < MAR_PERSONAS_MAX && pawl_str_split(&rest, '\n', &line)) {
        line = pawl_str_trim(line);
        if (line.len > 0) panel->personas[panel->n++] = line;
    }
}

/* The name before the colon, or the whole line. */
static struct pawl_str name_of(struct pawl_str persona)
{
    struct pawl_str rest = persona, name = persona;
    (void)pawl_str_split(&rest, ':', &name);
    return pawl_text_cut(name, 100);
}

/* --- what is said ----------------------------------------------------------------------------------- */

/* What the critics said, but for number `but`. */
static void add_critiques(const struct panel *panel, size_t but, struct pawl_buf *turn)
{
    pawl_buf_add(turn, "The critics say:\n");
    for (size_t i = 0; i < panel->n; i++) {
        if (i == but || !panel->said[i].ptr) continue;
        pawl_buf_add(turn, "- ");
        pawl_buf_add_str(turn, name_of(panel->personas[i]));
        pawl_buf_add(turn, ": ");
        pawl_buf_add_str(turn, panel->said[i]);
        pawl_buf_add(turn, "\n");
    }
    pawl_buf_add(turn, "\n");
}

/* The conversation, which ends in the failed answer, and a turn about it. */
static struct pawl_call_ask ask_with(const struct panel *panel, size_t text, struct pawl_buf *turn)
{
    const struct pawl_strategy_call *call = panel->call;
    size_t n = call->n_messages;
    struct pawl_message *messages = PAWL_NEW_N(call->arena, struct pawl_message, n + 1);
    pawl_buf_add_str(turn, call->instance->texts[text]);
    memcpy(messages, call->messages, n * sizeof *messages);
    messages[n] = (struct pawl_message){"user", pawl_arena_copy(call->arena, pawl_buf_str(turn))};
    pawl_buf_release(turn);
    return (struct pawl_call_ask){
        .messages = messages, .n_messages = n + 1, .part = call->module->text_names[text]};
}

static struct pawl_call_ask ask_critic(const struct panel *panel, size_t critic, bool debates)
{
    struct pawl_buf turn = PAWL_BUF(TURN_BYTES_MAX);
    pawl_trial_write(panel->trial, &turn);
    if (debates) add_critiques(panel, critic, &turn);
    pawl_buf_add(&turn, "You are a critic of that answer, the ");
    pawl_buf_add_str(&turn, panel->personas[critic]);
    pawl_buf_add(&turn, "\n");
    return ask_with(panel, debates ? DEBATE : CRITIQUE, &turn);
}

/* --- the panel --------------------------------------------------------------------------------------- */

/* One round of all critics as one batch. */
static enum pawl_status hear(struct panel *panel, bool debates, struct pawl_outcome *outcome,
                             struct pawl_error *err)
{
    struct pawl_call_ask asks[MAR_PERSONAS_MAX];
    struct pawl_lm_reply replies[MAR_PERSONAS_MAX];
    if (panel->n == 0) return PAWL_OK;
    for (size_t i = 0; i < panel->n; i++) asks[i] = ask_critic(panel, i, debates);
    PAWL_TRY(pawl_call_ask_all(panel->call, asks, panel->n, replies, err));
    for (size_t i = 0; i < panel->n; i++) {
        if (replies[i].status == PAWL_REPLY_MISSING)
            return pawl_call_unanswered(&replies[i], outcome);
        /* Who is refused in a debate stands by what it said before. */
        struct pawl_str said = pawl_str_trim(replies[i].text);
        if (replies[i].status == PAWL_REPLY_OK && said.len > 0)
            panel->said[i] = pawl_text_cut(said, PAWL_LESSON_BYTES);
    }
    return PAWL_OK;
}

static size_t n_heard(const struct panel *panel)
{
    size_t n = 0;
    for (size_t i = 0; i < panel->n; i++) n += panel->said[i].ptr != NULL;
    return n;
}

static enum pawl_status judge(struct panel *panel, struct pawl_str *lesson,
                              struct pawl_outcome *outcome, struct pawl_error *err)
{
    struct pawl_lm_reply reply;
    struct pawl_buf turn = PAWL_BUF(TURN_BYTES_MAX);
    pawl_trial_write(panel->trial, &turn);
    add_critiques(panel, panel->n, &turn);
    const struct pawl_call_ask ask = ask_with(panel, JUDGE, &turn);
    PAWL_TRY(pawl_call_ask(panel->call, &ask, &reply, err));
    if (reply.status == PAWL_REPLY_MISSING) return pawl_call_unanswered(&reply, outcome);
    if (reply.status == PAWL_REPLY_OK) *lesson = reply.text;
    return PAWL_OK;
}

/* Where only one critic speaks there is nothing to debate. */
static enum pawl_status reflect(struct pawl_strategy_call *call, const struct pawl_trial *trial,
                                struct pawl_str *lesson, struct pawl_outcome *outcome,
                                struct pawl_error *err)
{
    struct panel panel = {.call = call, .trial = trial};
    read_personas(&panel);
    PAWL_TRY(hear(&panel, false, outcome, err));
    for (int i = 0; i < call->module->debate && n_heard(&panel) > 1; i++) {
        if (outcome->status != PAWL_OUTCOME_DONE) return PAWL_OK;
        PAWL_TRY(hear(&panel, true, outcome, err));
    }
    if (outcome->status != PAWL_OUTCOME_DONE || n_heard(&panel) == 0) return PAWL_OK;
    return judge(&panel, lesson, outcome, err);
}

static enum pawl_status run(struct pawl_strategy_call *call, struct pawl_outcome *outcome,
                            struct pawl_error *err)
{
    static const struct pawl_trials how = {.test = TEST, .retry = RETRY, .reflect = reflect};
    return pawl_trials_run(call, &how, outcome, err);
}

static const char *const takes[] = {"memory", "debate", NULL};

const struct pawl_strategy pawl_strategy_mar = {
    .api = PAWL_STRATEGY_API,
    .name = "mar",
    .summary =
        "as reflexion, but critics say what went wrong, debate it, and a judge makes one lesson",
    .paper = "Multi-Agent Reflexion 2025, arXiv:2512.20845",
    .script = "check",
    .rounds = "max_trials",
    .n_rounds = 3,
    .min_tokens = 512,
    .texts = texts,
    .takes = takes,
    .run = run,
};
