/*
 * gepa - reflective evolution of texts (Agrawal et al. 2025, arXiv 2507.19457).
 *
 * Example
 *     pawl improve --operator gepa --set minibatch=3 --budget evaluations=3000
 *
 * How it works
 *     A parent is drawn from the candidates that are best at something (gepa_front.h, pareto.h). It answers a
 *     minibatch of train cases; a reflecting model reads its text and what it did right and wrong,
 *     and writes a new text for one component. The child is kept if it scores strictly more on the
 *     same minibatch; then it is scored on all of dev and joins the fronts. Of a pipeline the reflecting
 *     model reads what the one module was given and gave, and how the program's answer was judged.
 *
 *     Several children may be made at once (`proposals`): all reflections are one batch of requests, all
 *     minibatches one evaluation. With `merge`, two members with a common ancestor are joined after an
 *     iteration that found something (gepa_merge.h).
 *
 * What differs from the published code: an iteration starts only when its worst case fits the
 * budget (2 minibatches and dev), so the limit is never overrun; a child whose text was tried before
 * is not evaluated again; texts over a limit are refused; a case that the world lost is no zero.
 */
#include "operators/gepa_front.h"
#include "operators/gepa_merge.h"
#include "operators/gepa_reflect.h"
#include "operators/operator.h"
#include "operators/roster.h"
#include "operators/tried.h"

#include <string.h>

struct gepa_options {
    int64_t minibatch, max_iterations, reflection_tokens, max_text_bytes;
    int64_t proposals, top_k, max_merges;
    double perfect_score, reflection_temperature, epsilon;
    bool skip_perfect, show_target, merge;
    const char *parent, *frontier, *component, *accept, *parents, *keep;
};
static const struct pawl_option gepa_options[] = {
    PAWL_OPT_INT(struct gepa_options, minibatch, "3", 1, 1000, "train cases per reflection"),
    PAWL_OPT_INT(struct gepa_options, max_iterations, "0", 0, 1e9,
                 "stop after this many (0: when the budget ends)"),
    PAWL_OPT_CHOICE(struct gepa_options, parent, "pareto", "pareto|best|epsilon|top_k",
                    "how the parent is chosen"),
    PAWL_OPT_CHOICE(
        struct gepa_options, frontier, "instance", PAWL_FRONT_CHOICES,
        "best at what: a dev case, a score that the metric names, either, or both at once"),
    PAWL_OPT_REAL(struct gepa_options, epsilon, "0.1", 0, 1,
                  "parent epsilon: how often any member is taken instead of the best"),
    PAWL_OPT_INT(struct gepa_options, top_k, "5", 1, 1000,
                 "parent top_k: the fronts of so many, the best by mean"),
    PAWL_OPT_CHOICE(struct gepa_options, component, "round_robin", "round_robin|all",
                    "which components a reflection rewrites"),
    PAWL_OPT_CHOICE(struct gepa_options, accept, "strict", "strict|equal",
                    "child must score more, or at least as much, on the minibatch"),
    PAWL_OPT_INT(struct gepa_options, proposals, "1", 1, 64,
                 "children an iteration, reflected on and evaluated together"),
    PAWL_OPT_CHOICE(struct gepa_options, parents, "each", "each|one",
                    "several children: each of a parent of its own, or all of one"),
    PAWL_OPT_CHOICE(struct gepa_options, keep, "all", "all|best",
                    "of several children that are better: all, or the one that gained most"),
    PAWL_OPT_BOOL(struct gepa_options, merge, "false",
                  "join two members with a common ancestor, each text from who has changed it"),
    PAWL_OPT_INT(struct gepa_options, max_merges, "5", 0, 1000, "so many merged members at most"),
    PAWL_OPT_BOOL(struct gepa_options, skip_perfect, "true",
                  "do not reflect on a minibatch without a fault"),
    PAWL_OPT_REAL(struct gepa_options, perfect_score, "1", 0, 1, "a score without fault"),
    PAWL_OPT_BOOL(struct gepa_options, show_target, "true",
                  "let the reflection see how train answers were judged, wanted answers included"),
    PAWL_OPT_INT(struct gepa_options, reflection_tokens, "1024", 16, 100000,
                 "length limit of a reflection"),
    PAWL_OPT_REAL(struct gepa_options, reflection_temperature, "1", 0, 2,
                  "temperature of reflections"),
    PAWL_OPT_INT(struct gepa_options, max_text_bytes, "16000", 16, 1e6,
                 "longer proposals are refused"),
    {0}};

/* {{current}} and {{examples}} are replaced. */
static const struct pawl_operator_text gepa_texts[] = {
    {"reflection", "what the reflecting model is asked",
     "You improve the instruction that an assistant follows.\n"
     "\n"
     "The instruction in force:\n"
     "```\n{{current}}\n```\n"
     "\n"
     "What the assistant did with it on some tasks, and how that was judged:\n"
     "\n{{examples}}\n"
     "\n"
     "Find out what the tasks have in common, what form of input and answer they need, which facts "
     "about the domain the judgements reveal, and what strategy would have avoided the faults. "
     "Then write a better instruction. It must help on new tasks of the same kind: state rules, "
     "not the answers to these examples. Keep what worked.\n"
     "\n"
     "Give only the new instruction, between two lines of three backticks.\n"},
    {NULL, NULL, NULL}};

struct gepa {
    struct pawl_host *host;
    const struct gepa_options *opt;
    struct pawl_fronts fronts;
    uint32_t best;            /* member with the largest mean, the oldest of equals */
    struct pawl_arena *arena; /* run */
    struct pawl_arena step;
    uint32_t *pool;   /* [capacity] host candidate of each pareto member */
    uint32_t *cursor; /* [capacity] next component of each member */
    uint32_t capacity;
    struct pawl_host_component *texts; /* that it may rewrite */
    size_t n_texts;
    uint32_t *order; /* epoch: a shuffle of the train cases, padded to whole minibatches */
    size_t n_order, at;
    size_t *use_count;       /* how often a train case was drawn, to pad fairly */
    double *scores;          /* [n_dev] */
    struct pawl_tried tried; /* was on a minibatch, or is the start */
    struct pawl_merger merger;
    int64_t n_merged, merges_due;
    bool has_new; /* the iteration before this admitted a child of a reflection */
};

/* --- set up ------------------------------------------------------------------------------------ */

static enum pawl_status find_texts(struct gepa *g, struct pawl_error *err)
{
    size_t n;
    const struct pawl_host_component *components = pawl_host_components(g->host, &n);
    g->texts = PAWL_NEW_N(g->arena, struct pawl_host_component, n);
    for (size_t i = 0; i < n; i++) {
        if (pawl_roster_is_prose(&components[i])) g->texts[g->n_texts++] = components[i];
    }
    if (g->n_texts > 0) return PAWL_OK;
    pawl_fail(err, PAWL_ECONFIG, "gepa rewrites texts, and this program has none to rewrite.");
    pawl_hint(err, "Give the program an instruction, or use another operator.");
    return PAWL_ECONFIG;
}

static void remember(struct gepa *g, uint32_t candidate, uint32_t cursor)
{
    uint32_t member = g->fronts.pareto.n_candidates - 1;
    if (member >= g->capacity) {
        uint32_t capacity = g->capacity == 0 ? 64 : 2 * g->capacity;
        uint32_t *pool = PAWL_NEW_N(g->arena, uint32_t, capacity);
        uint32_t *cursors = PAWL_NEW_N(g->arena, uint32_t, capacity);
        if (member > 0) {
            memcpy(pool, g->pool, member * sizeof *pool);
            memcpy(cursors, g->cursor, member * sizeof *cursors);
        }
        g->pool = pool;
        g->cursor = cursors;
        g->capacity = capacity;
    }
    g->pool[member] = candidate;
    g->cursor[member] = cursor;
}

/* Score a candidate on dev and let it join the fronts. Parents are members. */
static enum pawl_status admit(struct gepa *g, uint32_t candidate, uint32_t cursor,
                              const uint32_t parents[2], double *mean, struct pawl_error *err)
{
    uint32_t member = g->fronts.pareto.n_candidates;
    PAWL_TRY(pawl_fronts_admit(&g->fronts, g->host, &g->step, candidate, g->scores, mean, err));
    if (*mean > g->fronts.pareto.means[g->best]) g->best = member;
    remember(g, candidate, cursor);
    if (g->opt->merge) pawl_merge_join(&g->merger, parents[0], parents[1], *mean, g->scores);
    return PAWL_OK;
}

/* --- minibatches ---------------------------------------------------------------------------------- */

/* A new epoch: all train cases in random order, padded with those used least. */
static void start_epoch(struct gepa *g)
{
    size_t n = pawl_host_n_train(g->host), b = (size_t)g->opt->minibatch;
    size_t *shuffled = PAWL_NEW_N(&g->step, size_t, n);
    for (size_t i = 0; i < n; i++) shuffled[i] = i;
    pawl_random_shuffle(pawl_host_random(g->host), shuffled, n);
    for (size_t i = 0; i < n; i++) {
        g->order[i] = (uint32_t)shuffled[i];
        g->use_count[shuffled[i]]++;
    }
    g->n_order = n;
    while (g->n_order % b != 0) {
        size_t least = 0;
        for (size_t i = 1; i < n; i++) {
            if (g->use_count[i] < g->use_count[least]) least = i;
        }
        g->order[g->n_order++] = (uint32_t)least;
        g->use_count[least]++;
    }
    g->at = 0;
}

static const uint32_t *next_minibatch(struct gepa *g)
{
    if (g->at == g->n_order) start_epoch(g);
    const uint32_t *cases = g->order + g->at;
    g->at += (size_t)g->opt->minibatch;
    return cases;
}

/* --- minibatches answered ----------------------------------------------------------------------------- */

/* A child in the making: whose, on which cases, and what came of it. */
struct attempt {
    uint32_t member, cursor; /* the parent, and its next component after this */
    const uint32_t *cases;
    struct pawl_host_result *before, *after; /* the parent's and the child's, [minibatch] */
    struct pawl_reflection reflection;
    uint32_t child;
    double gain;
};

static bool is_lost(const struct gepa *g, const struct pawl_host_result *results)
{
    for (size_t i = 0; i < (size_t)g->opt->minibatch; i++) {
        if (!results[i].missing) return false;
    }
    return true;
}

static bool is_perfect(const struct gepa *g, const struct pawl_host_result *results)
{
    for (size_t i = 0; i < (size_t)g->opt->minibatch; i++) {
        if (results[i].missing || results[i].score < g->opt->perfect_score) return false;
    }
    return true;
}

/* On the cases that both answered; a case the world lost counts for neither. False: on none. */
static bool compare(const struct gepa *g, const struct pawl_host_result *parent,
                    const struct pawl_host_result *child, double *gain)
{
    size_t n = 0;
    *gain = 0;
    for (size_t i = 0; i < (size_t)g->opt->minibatch; i++) {
        if (parent[i].missing || child[i].missing) continue;
        *gain += child[i].score - parent[i].score;
        n++;
    }
    return n > 0;
}

static bool is_accepted(const struct gepa *g, const struct pawl_host_result *parent,
                        const struct pawl_host_result *child, double *gain)
{
    if (!compare(g, parent, child, gain)) return false;
    return strcmp(g->opt->accept, "equal") == 0 ? *gain >= 0 : *gain > 0;
}

/* Each attempt's parent, or each one's child, on its minibatch: one step. */
static enum pawl_status run_minibatches(struct gepa *g, struct attempt *attempts, size_t n,
                                        bool children, struct pawl_error *err)
{
    size_t b = (size_t)g->opt->minibatch;
    struct pawl_host_evaluation *batch = PAWL_NEW_N(&g->step, struct pawl_host_evaluation, n);
    for (size_t i = 0; i < n; i++) {
        struct attempt *attempt = &attempts[i];
        struct pawl_host_result **results = children ? &attempt->after : &attempt->before;
        *results = PAWL_NEW_N(&g->step, struct pawl_host_result, b);
        batch[i] = (struct pawl_host_evaluation){.candidate = children ? attempt->child
                                                                       : g->pool[attempt->member],
                                                 .tier = PAWL_HOST_TRAIN,
                                                 .cases = attempt->cases,
                                                 .n_cases = b,
                                                 .trace = !children,
                                                 .results = *results};
    }
    return n > 0 ? pawl_host_evaluate(g->host, &g->step, batch, n, err) : PAWL_OK;
}

/* --- choosing ------------------------------------------------------------------------------------------- */

/* The best members by mean, the older of equals first. */
static size_t find_top(struct gepa *g, uint32_t *top)
{
    size_t n = 0, most = (size_t)g->opt->top_k;
    for (uint32_t i = 0; i < g->fronts.pareto.n_candidates; i++) {
        size_t at = n;
        while (at > 0 && g->fronts.pareto.means[top[at - 1]] < g->fronts.pareto.means[i]) at--;
        if (at == most) continue;
        if (n < most) n++;
        memmove(top + at + 1, top + at, (n - 1 - at) * sizeof *top);
        top[at] = i;
    }
    return n;
}

static uint32_t draw_among_top(struct gepa *g, struct pawl_random *random)
{
    uint32_t *top = PAWL_NEW_N(&g->step, uint32_t, (size_t)g->opt->top_k), drawn;
    size_t n = find_top(g, top);
    return pawl_pareto_draw_among(&g->fronts.pareto, top, n, random, &drawn) ? drawn : g->best;
}

static uint32_t choose_parent(struct gepa *g)
{
    struct pawl_random *random = pawl_host_random(g->host);
    if (strcmp(g->opt->parent, "pareto") == 0) return pawl_pareto_draw(&g->fronts.pareto, random);
    if (strcmp(g->opt->parent, "top_k") == 0) return draw_among_top(g, random);
    if (strcmp(g->opt->parent, "epsilon") == 0 && pawl_random_unit(random) < g->opt->epsilon)
        return (uint32_t)pawl_random_below(random, g->fronts.pareto.n_candidates);
    return g->best;
}

/* Parents and their minibatches. Several children have one parent, or each its own. */
static void plan_attempts(struct gepa *g, struct attempt *attempts, size_t n)
{
    bool one_parent = strcmp(g->opt->parents, "one") == 0;
    size_t b = (size_t)g->opt->minibatch;
    for (size_t i = 0; i < n; i++) {
        uint32_t member = i > 0 && one_parent ? attempts[0].member : choose_parent(g);
        uint32_t *cases = PAWL_NEW_N(&g->step, uint32_t, b);
        memcpy(cases, next_minibatch(g), b * sizeof *cases); /* the next may begin an epoch */
        attempts[i] = (struct attempt){.member = member, .cases = cases};
    }
}

/* --- reflection ----------------------------------------------------------------------------------------- */

/* The parent's next component, or all. */
static void plan_reflection(struct gepa *g, struct attempt *attempt)
{
    bool all = strcmp(g->opt->component, "all") == 0;
    uint32_t first = all ? 0 : g->cursor[attempt->member];
    size_t n = all ? g->n_texts : 1;
    g->cursor[attempt->member] = (uint32_t)((first + n) % g->n_texts);
    attempt->cursor = g->cursor[attempt->member];
    attempt->reflection =
        (struct pawl_reflection){.candidate = g->pool[attempt->member],
                                 .texts = g->texts + first,
                                 .n_texts = n,
                                 .cases = attempt->cases,
                                 .results = attempt->before,
                                 .n_cases = (size_t)g->opt->minibatch,
                                 .edits = PAWL_NEW_N(&g->step, struct pawl_host_edit, n)};
}

static enum pawl_status reflect(struct gepa *g, struct attempt *attempts, size_t n,
                                struct pawl_error *err)
{
    const struct pawl_reflect_how how = {.show_target = g->opt->show_target,
                                         .tokens = g->opt->reflection_tokens,
                                         .max_text_bytes = g->opt->max_text_bytes,
                                         .temperature = g->opt->reflection_temperature};
    struct pawl_reflection *reflections = PAWL_NEW_N(&g->step, struct pawl_reflection, n);
    for (size_t i = 0; i < n; i++) {
        plan_reflection(g, &attempts[i]);
        reflections[i] = attempts[i].reflection;
    }
    PAWL_TRY(pawl_reflect(g->host, &g->step, &how, reflections, n, err));
    for (size_t i = 0; i < n; i++) attempts[i].reflection.n_edits = reflections[i].n_edits;
    return PAWL_OK;
}

/* --- children --------------------------------------------------------------------------------------------- */

/* Draft what the reflections wrote. Only attempts with a child that is new stay; gives how many. */
static enum pawl_status draft_children(struct gepa *g, struct attempt *attempts, size_t n,
                                       size_t *n_left, struct pawl_error *err)
{
    *n_left = 0;
    for (size_t i = 0; i < n; i++) {
        struct attempt *attempt = &attempts[i];
        if (attempt->reflection.n_edits == 0) continue;
        PAWL_TRY(pawl_host_draft(g->host, &g->pool[attempt->member], 1, attempt->reflection.edits,
                                 attempt->reflection.n_edits, &attempt->child, err));
        if (pawl_tried_note(&g->tried, attempt->child)) attempts[(*n_left)++] = *attempt;
    }
    return PAWL_OK;
}

static enum pawl_status welcome(struct gepa *g, uint32_t child, uint32_t cursor,
                                const uint32_t parents[2], struct pawl_error *err)
{
    double mean;
    PAWL_TRY(admit(g, child, cursor, parents, &mean, err));
    pawl_host_say(g->host, "candidate %u: %.3f on dev", child, mean);
    return pawl_host_nominate(g->host, child, err);
}

/* Those that are better than their parents join the pool, in order; or only the one that gained most. */
static enum pawl_status admit_children(struct gepa *g, const struct attempt *attempts, size_t n,
                                       struct pawl_error *err)
{
    bool all = strcmp(g->opt->keep, "all") == 0;
    const struct attempt *most = NULL;
    for (size_t i = 0; i < n; i++)
        if (most == NULL || attempts[i].gain > most->gain) most = &attempts[i];
    for (size_t i = 0; i < n; i++) {
        const struct attempt *attempt = &attempts[i];
        if (!all && attempt != most) continue;
        const uint32_t parents[2] = {attempt->member, PAWL_MERGE_NONE};
        PAWL_TRY(welcome(g, attempt->child, attempt->cursor, parents, err));
        g->has_new = true;
        g->merges_due++;
    }
    return PAWL_OK;
}

/* --- merging ------------------------------------------------------------------------------------------------ */

static bool same_text(const void *context, uint32_t a, uint32_t b, size_t component)
{
    const struct gepa *g = context;
    const char *name = g->texts[component].name;
    return g->pool[a] == g->pool[b] || pawl_str_eq(pawl_host_text(g->host, g->pool[a], name),
                                                   pawl_host_text(g->host, g->pool[b], name));
}

static enum pawl_status draft_merged(struct gepa *g, const struct pawl_merge *merge,
                                     uint32_t *child, struct pawl_error *err)
{
    const uint32_t parents[] = {g->pool[merge->first], g->pool[merge->second]};
    struct pawl_host_edit *edits = PAWL_NEW_N(&g->step, struct pawl_host_edit, g->n_texts);
    size_t n = 0;
    for (size_t c = 0; c < g->n_texts; c++) {
        const char *name = g->texts[c].name;
        if (!merge->from_second[c]) continue;
        edits[n++] = (struct pawl_host_edit){name, pawl_host_text(g->host, parents[1], name)};
    }
    return pawl_host_draft(g->host, parents, 2, edits, n, child, err);
}

/* On a few dev cases, no worse than the better of the two; whose scores there are known. */
static enum pawl_status passes(struct gepa *g, const struct pawl_merge *merge, uint32_t child,
                               bool *passed, struct pawl_error *err)
{
    uint32_t cases[PAWL_MERGE_CASES];
    struct pawl_host_result results[PAWL_MERGE_CASES] = {{0}};
    double sum = 0;
    pawl_merge_cases(&g->merger, merge, pawl_host_random(g->host), cases);
    struct pawl_host_evaluation evaluation = {.candidate = child,
                                              .tier = PAWL_HOST_DEV,
                                              .cases = cases,
                                              .n_cases = PAWL_MERGE_CASES,
                                              .results = results};
    PAWL_TRY(pawl_host_evaluate(g->host, &g->step, &evaluation, 1, err));
    *passed = true;
    for (size_t i = 0; i < PAWL_MERGE_CASES; i++) {
        if (results[i].missing) *passed = false;
        sum += results[i].score;
    }
    if (sum < pawl_merge_bar(&g->merger, merge, cases)) *passed = false;
    return PAWL_OK;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* Join two members into a child, if one is due and there are two that fit. *proposed: there were, and that
 * was the iteration. */
static enum pawl_status merge_two(struct gepa *g, bool *proposed, struct pawl_error *err)
{
    struct pawl_merge merge;
    uint32_t child;
    size_t n;
    bool due = g->opt->merge && g->n_texts > 1 && g->has_new && g->merges_due > 0 &&
               g->n_merged < g->opt->max_merges;
    bool passed;
    g->has_new = *proposed = false;
    if (!due) return PAWL_OK;
    const uint32_t *worthy = pawl_pareto_survivors(&g->fronts.pareto, &n);
    if (!pawl_merge_propose(&g->merger, worthy, n, pawl_host_random(g->host), &merge))
        return PAWL_OK;
    PAWL_TRY(draft_merged(g, &merge, &child, err));
    if (!pawl_tried_note(&g->tried, child)) return PAWL_OK;
    *proposed = true;
    PAWL_TRY(passes(g, &merge, child, &passed, err));
    if (!passed) return PAWL_OK;
    g->merges_due--;
    g->n_merged++;
    const uint32_t parents[2] = {merge.first, merge.second};
    return welcome(g, child, larger(g->cursor[merge.first], g->cursor[merge.second]), parents, err);
}

/* --- one iteration ----------------------------------------------------------------------------------- */

/* Keep the attempts whose parents leave something to be wished. */
static size_t keep_faulty(const struct gepa *g, struct attempt *attempts, size_t n)
{
    size_t n_left = 0;
    for (size_t i = 0; i < n; i++) {
        if (is_lost(g, attempts[i].before)) continue;
        if (g->opt->skip_perfect && is_perfect(g, attempts[i].before)) continue;
        attempts[n_left++] = attempts[i];
    }
    return n_left;
}

static size_t keep_accepted(const struct gepa *g, struct attempt *attempts, size_t n)
{
    size_t n_left = 0;
    for (size_t i = 0; i < n; i++) {
        if (is_accepted(g, attempts[i].before, attempts[i].after, &attempts[i].gain))
            attempts[n_left++] = attempts[i];
    }
    return n_left;
}

static enum pawl_status reflect_and_try(struct gepa *g, struct pawl_error *err)
{
    size_t n = (size_t)g->opt->proposals;
    struct attempt *attempts = PAWL_NEW_N(&g->step, struct attempt, n);
    plan_attempts(g, attempts, n);
    PAWL_TRY(run_minibatches(g, attempts, n, false, err));
    n = keep_faulty(g, attempts, n);
    PAWL_TRY(reflect(g, attempts, n, err));
    PAWL_TRY(draft_children(g, attempts, n, &n, err));
    PAWL_TRY(run_minibatches(g, attempts, n, true, err));
    return admit_children(g, attempts, keep_accepted(g, attempts, n), err);
}

static enum pawl_status iterate(struct gepa *g, struct pawl_error *err)
{
    bool merged;
    PAWL_TRY(merge_two(g, &merged, err));
    return merged ? PAWL_OK : reflect_and_try(g, err);
}

/* An iteration at its worst: parents and children on their minibatches, and on dev each child that may be
 * kept; or a merged child on its few cases and on dev. */
static int64_t iteration_cost(const struct gepa_options *opt, size_t n_dev)
{
    int64_t kept = strcmp(opt->keep, "all") == 0 ? opt->proposals : 1;
    int64_t reflecting = 2 * opt->minibatch * opt->proposals + kept * (int64_t)n_dev;
    int64_t merging = opt->merge ? PAWL_MERGE_CASES + (int64_t)n_dev : 0;
    return reflecting > merging ? reflecting : merging;
}

static int64_t smallest(const void *options, size_t n_train, size_t n_dev)
{
    (void)n_train;
    return (int64_t)n_dev + iteration_cost(options, n_dev);
}

static enum pawl_status search(struct gepa *g, struct pawl_error *err)
{
    double mean;
    const uint32_t nobody[2] = {PAWL_MERGE_NONE, PAWL_MERGE_NONE};
    int64_t worst_case = iteration_cost(g->opt, pawl_host_n_dev(g->host));
    PAWL_TRY(admit(g, 0, 0, nobody, &mean, err));
    pawl_tried_note(&g->tried, 0);
    pawl_host_say(g->host, "start: %.3f on dev", mean);
    for (int64_t i = 0; g->opt->max_iterations == 0 || i < g->opt->max_iterations; i++) {
        if (pawl_host_budget_left(g->host) < worst_case) {
            pawl_host_note_short(g->host);
            if (i > 0) return PAWL_OK;
            return pawl_fail(err, PAWL_EBUDGET,
                             "No iteration of gepa fits the budget: one may take %lld evaluations.",
                             (long long)worst_case);
        }
        PAWL_TRY(iterate(g, err));
        pawl_arena_reset(&g->step);
    }
    return PAWL_OK;
}

static void open_merger(struct gepa *g)
{
    g->merger = (struct pawl_merger){.arena = g->arena,
                                     .n_components = g->n_texts,
                                     .same = same_text,
                                     .context = g,
                                     .n_dev = pawl_host_n_dev(g->host)};
}

static enum pawl_status run(struct pawl_host *host, const void *options, struct pawl_error *err)
{
    struct gepa g = {.host = host,
                     .opt = options,
                     .arena = pawl_host_arena(host),
                     .tried = {.arena = pawl_host_arena(host)}};
    size_t n_train = pawl_host_n_train(host), n_dev = pawl_host_n_dev(host);
    PAWL_TRY(find_texts(&g, err));
    if (n_train == 0) {
        pawl_fail(err, PAWL_ECONFIG, "gepa reflects on train cases, and there are none.");
        pawl_hint(err, "Add cases with `pawl data add`.");
        return PAWL_ECONFIG;
    }
    g.order = PAWL_NEW_N(g.arena, uint32_t, n_train + (size_t)g.opt->minibatch);
    g.use_count = PAWL_NEW_N(g.arena, size_t, n_train);
    g.scores = PAWL_NEW_N(g.arena, double, n_dev);
    pawl_fronts_init(&g.fronts, g.opt->frontier, n_dev, g.arena);
    open_merger(&g);
    enum pawl_status status = search(&g, err);
    pawl_arena_release(&g.step);
    return status;
}

const struct pawl_operator pawl_op_gepa = {
    .api = PAWL_OPERATOR_API,
    .name = "gepa",
    .version = 1,
    .summary = "rewrites texts by reflection on train cases, keeps what is best somewhere on dev",
    .paper = "Agrawal et al. 2025, GEPA: Reflective Prompt Evolution, arXiv 2507.19457",
    .options = gepa_options,
    .options_bytes = sizeof(struct gepa_options),
    .texts = gepa_texts,
    .risks = "copies train answers into the text; overfits dev when dev is small; needs a "
             "reflecting model that can write",
    .smallest = smallest,
    .run = run,
};
