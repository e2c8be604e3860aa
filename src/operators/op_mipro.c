/*
 * mipro - a search over instructions and demonstrations together (Opsahl-Ong et al. 2024, arXiv
 * 2406.11695: MIPROv2).
 *
 * Example
 *     pawl improve --operator mipro --set auto=medium --budget evaluations=3000
 *
 * How it works
 *     For every module of the program it makes sets of demonstrations (mipro_demos.h) and has the
 *     reflecting model propose instructions (mipro_propose.h). A combination takes one of each for
 *     every module. A trial scores one on a random minibatch of dev; after some by chance, a model of
 *     what was good so far says which to try (tpe.h). After every full_eval_every trials, and at the
 *     end, the combination with the highest mean over its minibatches is scored on all of dev; those
 *     that beat the start there are nominated.
 *
 * What is paid. A dev case is paid for once for each combination: a minibatch is part of the full
 * evaluation that may follow. So a trial and a full evaluation after it never cost more than dev does,
 * and a trial begins only when that fits the budget.
 *
 * What differs from the published code: the start and full evaluations use up no trial by chance, and
 * how many trials were guided is said; a combination that was scored in full is not drawn again;
 * sets and instructions that are equal are one; a missing case is no zero; seed 0 is a seed; the
 * teacher's answers are asked for once, and take half of what is left of the budget at most. Filling
 * with targets is even over choices.
 */
#include "operators/gain.h"
#include "operators/mipro_propose.h"
#include "operators/operator.h"
#include "operators/tpe.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

struct mipro_options {
    const char *preset, *minibatch;
    int64_t candidates, trials, max_dev_cases, max_bootstrapped, max_labeled;
    int64_t minibatch_size, full_eval_every, random_trials;
    int64_t view_batch, proposal_tokens, max_text_bytes;
    double threshold, proposal_temperature;
};
static const struct pawl_option mipro_options[] = {
    /* By hand, because no field may be called auto. */
    {"auto", PAWL_OPTION_CHOICE, offsetof(struct mipro_options, preset), "light", 0, 0,
     "light|medium|heavy",
     "how much is tried: 6, 12 or 18 candidates on 100, 300 or 1000 dev cases", false},
    PAWL_OPT_INT(struct mipro_options, candidates, "0", 0, 200,
                 "sets of demonstrations of a module; instructions are half as many (0: by auto)"),
    PAWL_OPT_INT(struct mipro_options, trials, "0", 0, 100000,
                 "combinations tried (0: as many as candidates and modules need)"),
    PAWL_OPT_INT(struct mipro_options, max_dev_cases, "0", 0, 1e6,
                 "dev cases that are looked at, drawn by chance (0: by auto)"),
    PAWL_OPT_INT(struct mipro_options, max_bootstrapped, "4", 0, 64,
                 "answers of the teacher in a set, at most"),
    PAWL_OPT_INT(struct mipro_options, max_labeled, "4", 0, 512,
                 "a set is filled up to this with train targets (both 0: instructions alone)"),
    PAWL_OPT_CHOICE(struct mipro_options, minibatch, "auto", "auto|on|off",
                    "try on minibatches of dev (auto: where there are more than 50 cases)"),
    PAWL_OPT_INT(struct mipro_options, minibatch_size, "35", 1, 10000, "dev cases of a trial"),
    PAWL_OPT_INT(struct mipro_options, full_eval_every, "5", 1, 10000,
                 "trials on minibatches from one full evaluation to the next"),
    PAWL_OPT_INT(struct mipro_options, random_trials, "-1", -1, 100000,
                 "trials by chance before the model guides (-1: a third, 10 at most)"),
    PAWL_OPT_REAL(struct mipro_options, threshold, "-1", -1, 1,
                  "lowest score of an answer to learn from (-1: any above 0)"),
    PAWL_OPT_INT(struct mipro_options, view_batch, "10", 0, 1000,
                 "train cases looked at together for the summary of the data (0: no summary)"),
    PAWL_OPT_REAL(struct mipro_options, proposal_temperature, "1", 0, 2,
                  "temperature of proposals"),
    PAWL_OPT_INT(struct mipro_options, proposal_tokens, "1024", 16, 100000,
                 "length limit of a proposal"),
    PAWL_OPT_INT(struct mipro_options, max_text_bytes, "16000", 16, 1e6,
                 "longer proposals are refused"),
    {0}};

static const char *const mipro_tips[] = {"tip_creative",    "tip_simple",  "tip_description",
                                         "tip_high_stakes", "tip_persona", NULL};

static const struct pawl_operator_text mipro_texts[] = {
    {"observe", "the first look at the data; {{cases}}",
     "Here are some cases of a task, each an input and the answer that is wanted.\n"
     "\n{{cases}}\n"
     "Write down what you observe that holds for most or all of such cases: topics, form, length "
     "and language of the inputs, what the answers look like, what makes a case hard. Say nothing "
     "about single cases. Be brief.\n"},
    {"observe_more", "further looks; {{cases}}, {{observations}}",
     "Here are some cases of a task, each an input and the answer that is wanted.\n"
     "\n{{cases}}\n"
     "What was observed so far on other cases of the task:\n"
     "\n{{observations}}\n"
     "Add what these cases show that was not yet observed, and nothing about single cases. Be "
     "brief. If there is nothing to add, answer with the one word COMPLETE.\n"},
    {"summarise", "what the looks come to; {{observations}}",
     "Here are observations about the cases of a task:\n"
     "\n{{observations}}\n"
     "Summarise them in two or three sentences that say what matters for solving the task.\n"},
    {"describe_program", "what the program does; {{program}}, {{cases}}",
     "Here is a program made of calls of a language model, one for each module. A module's line "
     "names what it reads, an arrow, and what it writes.\n"
     "\n{{program}}\n"
     "A case that it is used for:\n"
     "\n{{cases}}\n"
     "Say in a few sentences what task the program is made to solve, and how it goes about it.\n"},
    {"describe_module", "what one module is for; {{program}}, {{description}}, {{module}}",
     "Here is a program made of calls of a language model, one for each module. A module's line "
     "names what it reads, an arrow, and what it writes.\n"
     "\n{{program}}\n"
     "What it is for:\n"
     "{{description}}\n"
     "\nSay in a few sentences what this module has to do in it:\n"
     "{{module}}\n"},
    {"propose",
     "asks for an instruction; {{summary}}, {{program}}, {{description}}, {{module}}, {{purpose}}, "
     "{{demos}}, {{current}}, {{tip}}",
     "You write the instruction that a language model follows in one module of a program.\n"
     "\nAbout the data:\n{{summary}}\n"
     "\nThe program:\n{{program}}\n"
     "\nWhat it is for:\n{{description}}\n"
     "\nThe module you write for:\n{{module}}\n"
     "\nWhat it has to do:\n{{purpose}}\n"
     "\nSome of its inputs with good answers:\n{{demos}}\n"
     "\nThe instruction in force:\n```\n{{current}}\n```\n"
     "\n{{tip}}\n"
     "Write a new instruction with which the model will solve new cases better. State what to do, "
     "not the answers to the cases above.\n"
     "\nGive only the new instruction, between two lines of three backticks.\n"},
    {"tip_creative", "a tip for a proposal", "Do not be afraid to be creative.\n"},
    {"tip_simple", "a tip for a proposal", "Keep the instruction clear and short.\n"},
    {"tip_description", "a tip for a proposal", "Make it informative and descriptive.\n"},
    {"tip_high_stakes", "a tip for a proposal",
     "Put the model in a situation where much depends on the right answer.\n"},
    {"tip_persona", "a tip for a proposal",
     "Give the model a role that suits the task: \"You are a ...\".\n"},
    {NULL, NULL, NULL}};

/* One thing that is chosen. Choice 0 is what the start has. */
struct variable {
    size_t module;
    bool is_demos;
};

/* A choice for every variable, and what is known of it. Cases are positions in mipro.cases. */
struct combination {
    uint32_t *x; /* [n_variables] */
    uint32_t candidate;
    bool *known;    /* [n_cases] was asked */
    double *scores; /* [n_cases] NAN: missing, or not asked */
    double trial_sum;
    size_t n_trials;
    bool is_full;
    double mean; /* where it is full; NAN: everything was missing */
};

struct mipro {
    struct pawl_host *host;
    const struct mipro_options *opt;
    struct pawl_arena *arena; /* run */
    struct pawl_arena step;   /* reset after each trial */
    struct pawl_roster roster;
    size_t n_candidates, n_instructions, n_trials, n_random;
    bool instructions_only;
    uint32_t *cases; /* [n_cases] dev cases that are looked at */
    size_t n_cases;
    size_t n_minibatch; /* n_cases: every trial is a full evaluation */
    struct pawl_mipro_demos demos;
    struct pawl_mipro_instructions *instructions; /* [roster.n] */
    struct variable *variables;                   /* [n_variables] */
    size_t n_variables, *n_choices;
    struct pawl_tpe tpe;
    struct combination *tried; /* [n_tried] in the order of their first trial; [0] is the start */
    size_t n_tried;
    size_t n_guided, n_full;
};

/* --- how much is done ------------------------------------------------------------------------------ */

struct preset {
    const char *name;
    int64_t candidates, max_dev_cases;
};
static const struct preset presets[] = {
    {"light", 6, 100}, {"medium", 12, 300}, {"heavy", 18, 1000}};
enum { MINIBATCH_ABOVE = 50, RANDOM_MAX = 10, DEMOS_FOR_PROPOSALS = 3 };

static const struct preset *preset_of(const struct mipro_options *opt)
{
    size_t i = 0;
    while (strcmp(presets[i].name, opt->preset) != 0) i++;
    return &presets[i];
}

static size_t n_cases_of(const struct mipro_options *opt, size_t n_dev)
{
    int64_t most = opt->max_dev_cases > 0 ? opt->max_dev_cases : preset_of(opt)->max_dev_cases;
    return (int64_t)n_dev < most ? n_dev : (size_t)most;
}

/* As published: twice the binary digits of what is to be chosen, at least half as much again as there
 * are candidates. */
static size_t n_trials_of(size_t n_candidates, size_t n_variables)
{
    double n = (double)n_candidates;
    return (size_t)fmax(2 * (double)n_variables * log2(n), 1.5 * n);
}

static size_t minibatch_of(const struct mipro_options *opt, size_t n_cases)
{
    bool on = strcmp(opt->minibatch, "on") == 0 ||
              (strcmp(opt->minibatch, "auto") == 0 && n_cases > MINIBATCH_ABOVE);
    return on && (size_t)opt->minibatch_size < n_cases ? (size_t)opt->minibatch_size : n_cases;
}

static void plan(struct mipro *m)
{
    const struct mipro_options *opt = m->opt;
    size_t n_variables = 0;
    m->instructions_only = opt->max_bootstrapped == 0 && opt->max_labeled == 0;
    for (size_t k = 0; k < m->roster.n; k++) {
        n_variables += m->roster.modules[k].instruction != NULL;
        n_variables += m->roster.modules[k].demos != NULL && !m->instructions_only;
    }
    m->n_candidates = (size_t)(opt->candidates > 0 ? opt->candidates : preset_of(opt)->candidates);
    m->n_instructions = m->instructions_only ? m->n_candidates : m->n_candidates / 2;
    m->n_trials = opt->trials > 0 ? (size_t)opt->trials : n_trials_of(m->n_candidates, n_variables);
    m->n_random = (m->n_trials + 2) / 3 < RANDOM_MAX ? (m->n_trials + 2) / 3 : RANDOM_MAX;
    if (opt->random_trials >= 0) m->n_random = (size_t)opt->random_trials;
}

static struct pawl_random stream_of(const struct mipro *m, const char *name, size_t number)
{
    char label[64];
    snprintf(label, sizeof label, "%s %zu", name, number);
    return pawl_random_split(pawl_host_random(m->host), pawl_str_of(label));
}

/* The first n of 0..n_all-1 in random order; all of them in theirs. */
static size_t *draw_some(struct pawl_arena *arena, struct pawl_random random, size_t n_all,
                         size_t n)
{
    size_t *order = PAWL_NEW_N(arena, size_t, n_all);
    for (size_t i = 0; i < n_all; i++) order[i] = i;
    if (n < n_all) pawl_random_shuffle(&random, order, n_all);
    return order;
}

static void choose_cases(struct mipro *m)
{
    size_t n_dev = pawl_host_n_dev(m->host);
    m->n_cases = n_cases_of(m->opt, n_dev);
    m->n_minibatch = minibatch_of(m->opt, m->n_cases);
    m->cases = PAWL_NEW_N(m->arena, uint32_t, m->n_cases);
    const size_t *order = draw_some(&m->step, stream_of(m, "dev", 0), n_dev, m->n_cases);
    for (size_t i = 0; i < m->n_cases; i++) m->cases[i] = (uint32_t)order[i];
}

/* --- combinations ------------------------------------------------------------------------------------ */

static struct combination *find(struct mipro *m, const uint32_t *x)
{
    for (size_t i = 0; i < m->n_tried; i++)
        if (memcmp(m->tried[i].x, x, m->n_variables * sizeof *x) == 0) return &m->tried[i];
    return NULL;
}

static enum pawl_status draft(struct mipro *m, const uint32_t *x, uint32_t *candidate,
                              struct pawl_error *err)
{
    struct pawl_roster_texts *texts = PAWL_NEW_N(&m->step, struct pawl_roster_texts, m->roster.n);
    for (size_t v = 0; v < m->n_variables; v++) {
        size_t k = m->variables[v].module;
        if (x[v] == 0) continue;
        if (m->variables[v].is_demos)
            texts[k].demos = m->demos.modules[k].texts[x[v]];
        else
            texts[k].instruction = m->instructions[k].texts[x[v]];
    }
    return pawl_roster_draft(m->host, &m->roster, texts, candidate, err);
}

static enum pawl_status find_or_add(struct mipro *m, const uint32_t *x, struct combination **out,
                                    struct pawl_error *err)
{
    *out = find(m, x);
    if (*out != NULL) return PAWL_OK;
    struct combination *c = &m->tried[m->n_tried];
    PAWL_TRY(draft(m, x, &c->candidate, err));
    c->x = PAWL_NEW_N(m->arena, uint32_t, m->n_variables);
    if (m->n_variables > 0) memcpy(c->x, x, m->n_variables * sizeof *x);
    c->known = PAWL_NEW_N(m->arena, bool, m->n_cases);
    c->scores = PAWL_NEW_N(m->arena, double, m->n_cases);
    for (size_t i = 0; i < m->n_cases; i++) c->scores[i] = NAN;
    m->n_tried++;
    *out = c;
    return PAWL_OK;
}

/* Is it worth a trial? Of one that was scored in full there is nothing to learn. */
static bool is_open(void *context, const uint32_t *x)
{
    const struct combination *c = find(context, x);
    return c == NULL || !c->is_full;
}

/* --- scoring ------------------------------------------------------------------------------------------ */

/* Score those of n positions that were never asked. */
static enum pawl_status ask_cases(struct mipro *m, struct combination *c, const size_t *positions,
                                  size_t n, struct pawl_error *err)
{
    size_t *at = PAWL_NEW_N(&m->step, size_t, n);
    uint32_t *cases = PAWL_NEW_N(&m->step, uint32_t, n);
    struct pawl_host_evaluation evaluation = {.candidate = c->candidate,
                                              .tier = PAWL_HOST_DEV,
                                              .cases = cases,
                                              .results =
                                                  PAWL_NEW_N(&m->step, struct pawl_host_result, n)};
    for (size_t i = 0; i < n; i++) {
        if (c->known[positions[i]]) continue;
        at[evaluation.n_cases] = positions[i];
        cases[evaluation.n_cases++] = m->cases[positions[i]];
    }
    if (evaluation.n_cases == 0) return PAWL_OK;
    PAWL_TRY(pawl_host_evaluate(m->host, &m->step, &evaluation, 1, err));
    for (size_t i = 0; i < evaluation.n_cases; i++) {
        c->known[at[i]] = true;
        if (!evaluation.results[i].missing) c->scores[at[i]] = evaluation.results[i].score;
    }
    return PAWL_OK;
}

/* NAN where nothing has a score. */
static double mean_of(const struct combination *c, const size_t *positions, size_t n)
{
    double sum = 0;
    size_t n_scored = 0;
    for (size_t i = 0; i < n; i++) {
        if (isnan(c->scores[positions[i]])) continue;
        sum += c->scores[positions[i]];
        n_scored++;
    }
    return n_scored > 0 ? sum / (double)n_scored : NAN;
}

static void tell_model(struct mipro *m, const struct combination *c, double value)
{
    if (!isnan(value)) pawl_tpe_add(&m->tpe, c->x, value);
}

static enum pawl_status try_on_minibatch(struct mipro *m, struct combination *c, size_t trial,
                                         struct pawl_error *err)
{
    const size_t *positions =
        draw_some(&m->step, stream_of(m, "minibatch", trial), m->n_cases, m->n_minibatch);
    PAWL_TRY(ask_cases(m, c, positions, m->n_minibatch, err));
    double mean = mean_of(c, positions, m->n_minibatch);
    if (isnan(mean)) return PAWL_OK;
    c->trial_sum += mean;
    c->n_trials++;
    tell_model(m, c, mean);
    pawl_host_say(m->host, "trial %zu: %.3f on %zu of dev", trial + 1, mean, m->n_minibatch);
    return PAWL_OK;
}

static enum pawl_status score_in_full(struct mipro *m, struct combination *c,
                                      struct pawl_error *err)
{
    const size_t *positions = draw_some(&m->step, stream_of(m, "all", 0), m->n_cases, m->n_cases);
    PAWL_TRY(ask_cases(m, c, positions, m->n_cases, err));
    c->is_full = true;
    c->mean = mean_of(c, positions, m->n_cases);
    m->n_full++;
    if (c == m->tried) {
        pawl_host_say(m->host, "start: %.3f on %zu of dev", c->mean, m->n_cases);
        return PAWL_OK;
    }
    tell_model(m, c, c->mean);
    pawl_host_say(m->host, "candidate %u: %.3f on %zu of dev", c->candidate, c->mean, m->n_cases);
    return pawl_gain(c->scores, m->tried->scores, m->n_cases) > 0
               ? pawl_host_nominate(m->host, c->candidate, err)
               : PAWL_OK;
}

/* Of those not scored in full the one with the highest mean over its minibatches, the oldest of
 * equals; NULL: there is none. */
static struct combination *most_promising(struct combination *tried, size_t n)
{
    struct combination *best = NULL;
    for (size_t i = 0; i < n; i++) {
        struct combination *c = &tried[i];
        if (c->is_full || c->n_trials == 0) continue;
        if (best == NULL ||
            c->trial_sum / (double)c->n_trials > best->trial_sum / (double)best->n_trials)
            best = c;
    }
    return best;
}

static enum pawl_status promote_one(struct mipro *m, struct pawl_error *err)
{
    struct combination *c = most_promising(m->tried, m->n_tried);
    return c != NULL ? score_in_full(m, c, err) : PAWL_OK;
}

/* --- the search ---------------------------------------------------------------------------------------- */

static void add_variable(struct mipro *m, size_t module, bool is_demos, size_t n_choices)
{
    if (n_choices < 2) return;
    m->variables[m->n_variables] = (struct variable){module, is_demos};
    m->n_choices[m->n_variables++] = n_choices;
}

static void list_variables(struct mipro *m)
{
    m->variables = PAWL_NEW_N(m->arena, struct variable, 2 * m->roster.n);
    m->n_choices = PAWL_NEW_N(m->arena, size_t, 2 * m->roster.n);
    for (size_t k = 0; k < m->roster.n; k++) {
        size_t n_instructions = m->instructions[k].n_texts, n_sets = m->demos.modules[k].n_texts;
        add_variable(m, k, false, n_instructions);
        add_variable(m, k, true, n_sets);
        pawl_host_say(m->host, "module %zu: %zu instructions, %zu sets of demonstrations", k + 1,
                      n_instructions, n_sets);
    }
    m->tpe = pawl_tpe_new(m->n_choices, m->n_variables, m->arena);
}

static bool draw(struct mipro *m, size_t trial, uint32_t *x)
{
    struct pawl_random random = stream_of(m, "trial", trial);
    if (trial < m->n_random) return pawl_tpe_draw_uniform(&m->tpe, &random, is_open, m, x);
    bool found = pawl_tpe_draw(&m->tpe, &random, is_open, m, x);
    m->n_guided += found;
    return found;
}

/* After so many trials, is it time for a full evaluation? */
static bool is_due(const struct mipro *m, size_t n_done)
{
    return n_done % (size_t)m->opt->full_eval_every == 0 || n_done == m->n_trials;
}

static enum pawl_status run_trial(struct mipro *m, size_t trial, const uint32_t *x,
                                  struct pawl_error *err)
{
    struct combination *c;
    PAWL_TRY(find_or_add(m, x, &c, err));
    if (m->n_minibatch == m->n_cases) return score_in_full(m, c, err);
    PAWL_TRY(try_on_minibatch(m, c, trial, err));
    return is_due(m, trial + 1) ? promote_one(m, err) : PAWL_OK;
}

/* Whoever waits for a full evaluation has a minibatch behind it, so n_cases pay for a trial and for the
 * full evaluation after it, whichever that is of. Where the budget ends the search between two full
 * evaluations, the last trial has left enough for one more. */
static enum pawl_status search(struct mipro *m, struct pawl_error *err)
{
    uint32_t *x = PAWL_NEW_N(m->arena, uint32_t, m->n_variables + 1);
    size_t trial = 0;
    for (; trial < m->n_trials; trial++) {
        if (pawl_host_budget_left(m->host) < (int64_t)m->n_cases) {
            pawl_host_note_short(m->host);
            break;
        }
        if (!draw(m, trial, x)) break;
        PAWL_TRY(run_trial(m, trial, x, err));
        pawl_arena_reset(&m->step);
    }
    pawl_host_say(m->host, "%zu trials, %zu of them guided; %zu of %zu combinations in full", trial,
                  m->n_guided, m->n_full, m->n_tried);
    return is_due(m, trial) ? PAWL_OK : promote_one(m, err);
}

/* --- the whole ------------------------------------------------------------------------------------------ */

static enum pawl_status check_program(struct mipro *m, struct pawl_error *err)
{
    if (m->roster.n == 0) {
        pawl_fail(err, PAWL_ECONFIG,
                  "mipro chooses instructions and demonstrations, and this "
                  "program has neither.");
        pawl_hint(err, "Give the program a signature or an instruction.");
        return PAWL_ECONFIG;
    }
    if (pawl_host_n_train(m->host) > 0) return PAWL_OK;
    pawl_fail(err, PAWL_ECONFIG, "mipro learns from train cases, and there are none.");
    pawl_hint(err, "Add cases with `pawl data add`.");
    return PAWL_ECONFIG;
}

/* The start is scored first, before anything is known of what there is to choose. */
static enum pawl_status score_start(struct mipro *m, struct pawl_error *err)
{
    struct combination *start;
    m->tried = PAWL_NEW_N(m->arena, struct combination, m->n_trials + 1);
    PAWL_TRY(find_or_add(m, NULL, &start, err));
    return score_in_full(m, start, err);
}

static enum pawl_status make_demos(struct mipro *m, struct pawl_error *err)
{
    int64_t left = pawl_host_budget_left(m->host), keep = left / 2;
    struct pawl_mipro_demos_settings settings = {
        .roster = &m->roster,
        .n_sets = m->n_candidates,
        .max_bootstrapped =
            m->instructions_only ? DEMOS_FOR_PROPOSALS : (size_t)m->opt->max_bootstrapped,
        .max_labeled = (size_t)m->opt->max_labeled,
        .only_for_proposals = m->instructions_only,
        .threshold = m->opt->threshold,
        .keep = keep > (int64_t)m->n_cases ? keep : (int64_t)m->n_cases};
    PAWL_TRY(pawl_mipro_make_demos(m->host, &m->step, &settings, &m->demos, err));
    pawl_host_say(m->host, "%zu of %zu answers of the teacher are good", m->demos.n_good,
                  m->demos.n_asked);
    pawl_arena_reset(&m->step);
    return PAWL_OK;
}

static enum pawl_status make_instructions(struct mipro *m, struct pawl_error *err)
{
    const struct pawl_mipro_proposals_settings settings = {
        .roster = &m->roster,
        .demos = &m->demos,
        .n = m->n_instructions > 0 ? m->n_instructions : 1,
        .view_batch = (size_t)m->opt->view_batch,
        .max_text_bytes = (size_t)m->opt->max_text_bytes,
        .max_tokens = (int)m->opt->proposal_tokens,
        .temperature = m->opt->proposal_temperature,
        .tips = mipro_tips};
    PAWL_TRY(pawl_mipro_propose(m->host, &m->step, &settings, &m->instructions, err));
    pawl_arena_reset(&m->step);
    return PAWL_OK;
}

/* The start's choices are all 0, and now there are that many of them. */
static void tell_start(struct mipro *m)
{
    m->tried->x = PAWL_NEW_N(m->arena, uint32_t, m->n_variables);
    tell_model(m, m->tried, m->tried->mean);
}

static enum pawl_status choose_and_search(struct mipro *m, struct pawl_error *err)
{
    plan(m);
    choose_cases(m);
    PAWL_TRY(score_start(m, err));
    PAWL_TRY(make_demos(m, err));
    PAWL_TRY(make_instructions(m, err));
    list_variables(m);
    tell_start(m);
    return search(m, err);
}

/* A run that runs out of money or time on its way has found what it has found: when none was scored in
 * full, the most promising one is named, and dev-check decides. */
static enum pawl_status improve(struct mipro *m, struct pawl_error *err)
{
    enum pawl_status status = choose_and_search(m, err);
    const struct combination *c = most_promising(m->tried, m->n_tried);
    if (status == PAWL_EBUDGET && m->n_full == 1 && c != NULL)
        PAWL_TRY(pawl_host_nominate(m->host, c->candidate, err));
    return status;
}

/* The start in full, and one trial that is scored in full. */
static int64_t smallest(const void *options, size_t n_train, size_t n_dev)
{
    (void)n_train;
    return 2 * (int64_t)n_cases_of(options, n_dev);
}

static enum pawl_status run(struct pawl_host *host, const void *options, struct pawl_error *err)
{
    struct mipro m = {.host = host, .opt = options, .arena = pawl_host_arena(host)};
    m.roster = pawl_roster_read(host, m.arena);
    PAWL_TRY(check_program(&m, err));
    enum pawl_status status = improve(&m, err);
    pawl_arena_release(&m.step);
    return status;
}

const struct pawl_operator pawl_op_mipro = {
    .api = PAWL_OPERATOR_API,
    .name = "mipro",
    .version = 1,
    .summary =
        "chooses instructions and demonstrations together, guided by a model of what was good",
    .paper = "Opsahl-Ong et al. 2024, MIPROv2, arXiv 2406.11695; Bergstra et al. 2011 (TPE)",
    .options = mipro_options,
    .options_bytes = sizeof(struct mipro_options),
    .texts = mipro_texts,
    .risks =
        "shows train cases to the model at every call, which costs tokens and may show what is "
        "private; the best of many combinations looks better on dev than it is; needs a "
        "reflecting model that can write; with few trials the guide has little to go by",
    .smallest = smallest,
    .run = run,
};
