/*
 * LATS: a tree of answers. The most promising leaf is expanded by several answers that are drawn after what
 * was wrong with it and with those above it; each is valued, and its value goes up the tree.
 *
 *     strategy: lats
 *     samples: 5, max_expansions: 4, depth: 7        # answers of an expansion; expansions; the longest path
 *     exploration: 1, lambda: 0.5, at_once: 2        # leaves that are expanded at the same time
 *     memory: 3                                      # lessons of failed answers, of any path
 *     check: | ...                                   # as of reflexion
 *
 * An answer's value is lambda * (what the model thinks of it) + (1 - lambda) * (what the check gives, or
 * without one the share of all answers that agree with it). A model's opinion that cannot be read has no part.
 * The search ends with an answer that the check is content with, or when its expansions are used; then the
 * answer with the best check, or without one of the best value, is taken. No target is asked: the published
 * code asks the hidden tests within the search.
 *
 * Calls: at most max_expansions * (2 * samples + 1 + memory). With a trace, the entry of each answer has a
 * `node`: its place in the tree.
 */
#include "program/render.h"
#include "program/tree.h"
#include "program/trial.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

#define TEMPERATURE 1.0
enum { VALUE, REFLECT, RETRY };
enum { TURN_BYTES_MAX = 4 << 20 };

static const struct pawl_strategy_text texts[] = {
    {"value",
     "Judge that answer: is it right, and does it keep to everything that the task says? Give "
     "reasons in a few sentences."},
    {"reflect", "Say in a few sentences what is wrong with that answer, and what you will do "
                "differently. Name the mistake itself; do not give the answer now."},
    {"retry", "Answer again from the beginning. Do not repeat what failed."},
    {NULL, NULL}};

struct node {
    struct pawl_trial trial;
    struct pawl_str turn; /* what its children were told of it; ptr NULL: it has none yet */
    char *vote;           /* its own outputs, to see who agrees; NULL without an answer */
    double opinion;       /* of the model; < 0: none */
    bool reflected;
};
struct search {
    struct pawl_strategy_call *call;
    struct pawl_outcome *outcome;
    struct pawl_evidence evidence;
    struct pawl_lessons lessons;
    struct pawl_tree tree;
    struct node *nodes; /* as in the tree */
    const char **votes; /* of every answer, repeated ones too */
    size_t n_votes;
    size_t n_before;
    uint32_t found; /* a node that the check is content with; 0: none */
};

/* --- what is said ----------------------------------------------------------------------------------- */

/* The case, and of each node from the root's child to this one its answer and the turn after it, where there
 * is one. */
static void tell_path(const struct search *s, uint32_t node, struct pawl_call_ask *ask)
{
    const struct pawl_strategy_call *call = s->call;
    size_t depth = s->tree.nodes[node].depth, n = s->n_before + 2 * depth;
    struct pawl_message *messages = PAWL_NEW_N(call->arena, struct pawl_message, n + 1);
    memcpy(messages, call->messages, s->n_before * sizeof *messages);
    ask->n_messages = n;
    for (; node != 0; node = s->tree.nodes[node].parent) {
        const struct node *at = &s->nodes[node];
        struct pawl_str said = at->trial.said;
        messages[--n] = (struct pawl_message){"user", at->turn};
        messages[--n] =
            (struct pawl_message){"assistant", said.len > 0 ? said : PAWL_STR("(nothing)")};
    }
    ask->messages = messages;
}

/* The path up to the node, and one of the strategy's texts about its answer. */
static void tell_about(const struct search *s, uint32_t node, size_t text, const char *form,
                       struct pawl_call_ask *ask)
{
    struct pawl_buf turn = PAWL_BUF(TURN_BYTES_MAX);
    if (text == REFLECT) pawl_trial_write(&s->nodes[node].trial, &turn);
    pawl_buf_add_str(&turn, s->call->instance->texts[text]);
    pawl_buf_add(&turn, form);
    *ask = (struct pawl_call_ask){.part = s->call->module->text_names[text]};
    tell_path(s, node, ask);
    ((struct pawl_message *)(uintptr_t)ask->messages)[ask->n_messages - 1] =
        (struct pawl_message){"user", pawl_arena_copy(s->call->arena, pawl_buf_str(&turn))};
    pawl_buf_release(&turn);
}

/* --- asking -------------------------------------------------------------------------------------------- */

/* False when the search is over: the outcome is set, or *status is not OK. */
static bool ask_all(struct search *s, const struct pawl_call_ask *asks, size_t n,
                    struct pawl_lm_reply *replies, enum pawl_status *status, struct pawl_error *err)
{
    *status = n > 0 ? pawl_call_ask_all(s->call, asks, n, replies, err) : PAWL_OK;
    if (*status != PAWL_OK) return false;
    for (size_t i = 0; i < n; i++) {
        if (replies[i].status != PAWL_REPLY_MISSING) continue;
        *status = pawl_call_unanswered(&replies[i], s->outcome);
        return false;
    }
    return true;
}

/* Failed answers that nobody will go on from, the latest few, are worth a lesson too. */
static size_t add_dead_ends(struct search *s, uint32_t *list, size_t n)
{
    size_t room = s->lessons.keep;
    for (uint32_t i = s->tree.n; i-- > 1 && room > 0 && pawl_evidence_exists(&s->evidence);) {
        bool is_dead = (int)s->tree.nodes[i].depth >= s->call->module->depth;
        if (!is_dead || s->nodes[i].reflected || !s->nodes[i].trial.answer) continue;
        list[n++] = i;
        room--;
    }
    return n;
}

/* Lessons of the leaves that are expanded next, and then the turns that end their answers. */
static bool learn(struct search *s, const uint32_t *leaves, size_t n_leaves,
                  enum pawl_status *status, struct pawl_error *err)
{
    struct pawl_arena *arena = s->call->arena;
    size_t room = n_leaves + s->lessons.keep, n = 0;
    uint32_t *list = PAWL_NEW_N(arena, uint32_t, room);
    struct pawl_call_ask *asks = PAWL_NEW_N(arena, struct pawl_call_ask, room);
    struct pawl_lm_reply *replies = PAWL_NEW_N(arena, struct pawl_lm_reply, room);
    for (size_t i = 0; i < n_leaves; i++)
        if (leaves[i] != 0) list[n++] = leaves[i];
    n = add_dead_ends(s, list, n);
    for (size_t i = 0; i < n; i++) tell_about(s, list[i], REFLECT, "", &asks[i]);
    if (!ask_all(s, asks, n, replies, status, err)) return false;
    /* The leaves' own come last, and are kept longest. */
    for (size_t i = n; i-- > 0;) {
        s->nodes[list[i]].reflected = true;
        if (replies[i].status == PAWL_REPLY_OK) pawl_lessons_add(&s->lessons, replies[i].text);
    }
    for (size_t i = 0; i < n_leaves; i++)
        if (leaves[i] != 0)
            s->nodes[leaves[i]].turn =
                pawl_trial_retry(s->call, RETRY, &s->nodes[leaves[i]].trial, &s->lessons);
    return true;
}

/* --- value ---------------------------------------------------------------------------------------------- */

/* The last line "score: N", N from 1 to 10, as a share; < 0 without one. A number elsewhere in the text is no
 * score. */
static double opinion_in(struct pawl_str text)
{
    double opinion = -1;
    struct pawl_str line;
    while (pawl_str_split(&text, '\n', &line)) {
        char number[8] = "", *end;
        line = pawl_str_trim(line);
        if (line.len < 7 || line.len > 13 || strncasecmp(line.ptr, "score:", 6) != 0) continue;
        memcpy(number, line.ptr + 6, line.len - 6);
        long score = strtol(number, &end, 10);
        if (end == number || (*end != '\0' && strcmp(end, "/10") != 0)) continue;
        opinion = score >= 1 && score <= 10 ? (double)score / 10 : -1;
    }
    return opinion;
}

static double agreement(const struct search *s, const struct node *node)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n_votes; i++) n += strcmp(s->votes[i], node->vote) == 0;
    return s->n_votes > 0 ? (double)n / (double)s->n_votes : 0;
}

static double clamp(double score)
{
    return score < 0 ? 0 : score > 1 ? 1 : score;
}

static double value_of(const struct search *s, const struct node *node)
{
    if (!node->trial.answer) return 0;
    double lambda = node->opinion < 0 ? 0 : s->call->module->lambda;
    double seen =
        pawl_evidence_exists(&s->evidence) ? clamp(node->trial.score) : agreement(s, node);
    return lambda * (node->opinion < 0 ? 0 : node->opinion) + (1 - lambda) * seen;
}

/* What the model thinks of the new nodes, and then their values up the tree. */
static bool value_all(struct search *s, uint32_t first, enum pawl_status *status,
                      struct pawl_error *err)
{
    struct pawl_arena *arena = s->call->arena;
    size_t room = s->tree.n - first, n = 0;
    uint32_t *list = PAWL_NEW_N(arena, uint32_t, room + 1);
    struct pawl_call_ask *asks = PAWL_NEW_N(arena, struct pawl_call_ask, room + 1);
    struct pawl_lm_reply *replies = PAWL_NEW_N(arena, struct pawl_lm_reply, room + 1);
    for (uint32_t i = first; i < s->tree.n && s->call->module->lambda > 0; i++) {
        if (!s->nodes[i].trial.answer) continue;
        tell_about(s, i, VALUE,
                   "\nEnd with a line `score: N`, N from 1 (surely wrong) to 10 (surely right).",
                   &asks[n]);
        list[n++] = i;
    }
    if (!ask_all(s, asks, n, replies, status, err)) return false;
    for (size_t i = 0; i < n; i++)
        if (replies[i].status == PAWL_REPLY_OK)
            s->nodes[list[i]].opinion = opinion_in(replies[i].text);
    for (uint32_t i = first; i < s->tree.n; i++)
        pawl_tree_back_up(&s->tree, i, value_of(s, &s->nodes[i]));
    return true;
}

/* --- the tree ------------------------------------------------------------------------------------------- */

static bool has_sibling_with(const struct search *s, uint32_t parent, const char *vote)
{
    for (uint32_t i = parent + 1; i < s->tree.n; i++)
        if (s->tree.nodes[i].parent == parent && s->nodes[i].vote &&
            strcmp(s->nodes[i].vote, vote) == 0)
            return true;
    return false;
}

/* An answer that a sibling gave counts as a vote and is no node. NULL, or why the owner's check cannot judge. */
static const char *add_node(struct search *s, uint32_t parent, const struct pawl_lm_reply *reply,
                            size_t nth)
{
    const struct pawl_module *module = s->call->module;
    struct node node = {.opinion = -1};
    const char *fault = pawl_trial_read(s->call, &s->evidence, reply, nth, &node.trial);
    if (fault) return fault;
    if (node.trial.answer) {
        node.vote = pawl_module_vote(module, node.trial.answer, s->call->arena);
        s->votes[s->n_votes++] = node.vote;
        if (has_sibling_with(s, parent, node.vote)) {
            json_decref(node.trial.answer);
            return NULL;
        }
    }
    uint32_t child = pawl_tree_add(&s->tree, parent);
    s->nodes[child] = node;
    bool goes_on = node.trial.answer && (int)s->tree.nodes[child].depth < module->depth;
    if (!goes_on) pawl_tree_close(&s->tree, child);
    if (pawl_evidence_exists(&s->evidence) && pawl_trial_is_good(&node.trial) && s->found == 0)
        s->found = child;
    return NULL;
}

/* n samples below each leaf, as one batch. */
static bool expand(struct search *s, const uint32_t *leaves, size_t n_leaves,
                   enum pawl_status *status, struct pawl_error *err)
{
    size_t each = (size_t)s->call->module->n_samples, n = n_leaves * each;
    struct pawl_call_ask *asks = PAWL_NEW_N(s->call->arena, struct pawl_call_ask, n);
    struct pawl_lm_reply *replies = PAWL_NEW_N(s->call->arena, struct pawl_lm_reply, n);
    for (size_t i = 0; i < n; i++) {
        asks[i] = (struct pawl_call_ask){
            .temperature = TEMPERATURE, .nth = (int)(i % each), .of = (int)each};
        tell_path(s, leaves[i / each], &asks[i]);
    }
    size_t nth = s->call->n_asked;
    if (!ask_all(s, asks, n, replies, status, err)) return false;
    for (size_t i = 0; i < n; i++) {
        const char *fault = add_node(s, leaves[i / each], &replies[i], nth + i);
        if (!fault) continue;
        *status = pawl_outcome_fail(s->outcome, PAWL_OUTCOME_FAILED, fault);
        return false;
    }
    return true;
}

/* Gives how many leaves were expanded; 0: the search is over. */
static size_t go_on(struct search *s, size_t most, enum pawl_status *status, struct pawl_error *err)
{
    uint32_t leaves[PAWL_SAMPLES_MAX], first = s->tree.n;
    size_t n = 0;
    while (n < most && pawl_tree_pick(&s->tree, &leaves[n])) n++;
    if (n == 0) return 0;
    bool good = learn(s, leaves, n, status, err) && expand(s, leaves, n, status, err);
    if (good && s->found == 0) good = value_all(s, first, status, err);
    for (size_t i = 0; i < n; i++) pawl_tree_return(&s->tree, leaves[i]);
    return good && s->found == 0 ? n : 0;
}

/* --- the end ---------------------------------------------------------------------------------------------- */

static void note_tree(const struct search *s)
{
    for (uint32_t i = 1; i < s->tree.n; i++) {
        const struct pawl_tree_node *node = &s->tree.nodes[i];
        json_t *step = json_array_get(s->call->trace, s->nodes[i].trial.nth), *place;
        if (!step) continue;
        place =
            json_pack("{s:i, s:i, s:i, s:i, s:f}", "id", (int)i, "parent", (int)node->parent,
                      "depth", (int)node->depth, "visits", (int)node->visits, "value", node->value);
        if (pawl_evidence_exists(&s->evidence))
            pawl_json_set(place, "score", json_real(s->nodes[i].trial.score));
        if (s->nodes[i].trial.answer)
            pawl_json_set(place, "answer", json_incref(s->nodes[i].trial.answer));
        pawl_json_set(step, "node", place);
    }
}

static uint32_t best_node(const struct search *s)
{
    uint32_t best = s->found;
    double highest = -1;
    for (uint32_t i = 1; i < s->tree.n && s->found == 0; i++) {
        const struct node *node = &s->nodes[i];
        double worth = pawl_evidence_exists(&s->evidence) ? node->trial.score : value_of(s, node);
        if (!node->trial.answer || (best != 0 && !(worth > highest))) continue;
        highest = worth;
        best = i;
    }
    return best;
}

static enum pawl_status run(struct pawl_strategy_call *call, struct pawl_outcome *outcome,
                            struct pawl_error *err)
{
    const struct pawl_module *module = call->module;
    size_t room = (size_t)module->n_rounds * (size_t)module->n_samples + 1, n_left;
    struct search s = {.call = call,
                       .outcome = outcome,
                       .evidence = pawl_evidence_of_owner(call),
                       .lessons.keep = (size_t)module->memory,
                       .nodes = PAWL_NEW_N(call->arena, struct node, room),
                       .votes = PAWL_NEW_N(call->arena, const char *, room),
                       .n_before = call->n_messages};
    enum pawl_status status = PAWL_OK;
    outcome->status = PAWL_OUTCOME_DONE;
    pawl_tree_init(&s.tree, call->arena, (uint32_t)room, module->exploration);
    n_left = (size_t)module->n_rounds;
    for (size_t n = 1; n > 0 && n_left > 0; n_left -= n)
        n = go_on(&s, n_left < (size_t)module->at_once ? n_left : (size_t)module->at_once, &status,
                  err);
    if (call->trace) note_tree(&s);
    uint32_t best = best_node(&s);
    if (status == PAWL_OK && outcome->status == PAWL_OUTCOME_DONE) {
        struct pawl_trial *chosen = best ? &s.nodes[best].trial : &s.nodes[s.tree.n - 1].trial;
        status = pawl_trial_finish(call, chosen, outcome);
    }
    for (uint32_t i = 1; i < s.tree.n; i++) json_decref(s.nodes[i].trial.answer);
    return status;
}

static const char *const takes[] = {"memory", "depth", "exploration", "lambda", "at_once", NULL};

const struct pawl_strategy pawl_strategy_lats = {
    .api = PAWL_STRATEGY_API,
    .name = "lats",
    .summary = "searches a tree of answers, from what is wrong with each to better ones",
    .paper = "Zhou et al. 2023, arXiv:2310.04406",
    .n_samples = 5,
    .script = "check",
    .rounds = "max_expansions",
    .n_rounds = 4,
    .min_tokens = 512,
    .texts = texts,
    .takes = takes,
    .run = run,
};
