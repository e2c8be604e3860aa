/*
 * textgrad - texts improved by feedback that flows back through the program (Yuksekgonul et al. 2024,
 * arXiv 2406.07496).
 *
 * Example
 *     pawl improve --operator textgrad --set batch=3 --budget evaluations=2000
 *
 * How it works
 *     A step answers a batch of train cases. A judge criticises each answer; the reflecting model says,
 *     case by case, what would have to change in the answer, then in what the module that wrote it was
 *     told and given, and so back through the modules (graph.h). Each text is rewritten once
 *     from all of its feedback, must keep to the constraints (textgrad_rules.h), and stays only if dev
 *     does not get worse.
 *
 * Invariants
 *   1. A step of batch B on one text is 4B+1 requests: B answers, B judgements, B criticisms of an
 *      answer, B of the text, one rewriting; loss=metric saves the judgements. Every layer of the
 *      graph is one batch of requests.
 *   2. Every model sees the whole text that it criticises or rewrites, and each criticism once, in the
 *      order of cases and modules.
 *   3. A text that breaks a constraint is never drafted: it is repaired, or refused.
 *   4. Nothing is named worth offering that is not strictly better on dev than the start.
 *
 * What differs from the published code: 1 to 3; momentum and gradient_memory are seen by the model; a
 * reply without tags is asked for again and ends nothing; a step whose worst case does not fit the
 * budget is not begun; a case that the world lost is no feedback; a text tried before is not scored again.
 */
#include "operators/gain.h"
#include "operators/operator.h"
#include "operators/roster.h"
#include "operators/textgrad.h"

#include <math.h>
#include <string.h>

static const struct pawl_option textgrad_options[] = {
    PAWL_OPT_INT(struct textgrad_options, batch, "3", 1, 1000, "train cases per step"),
    PAWL_OPT_INT(struct textgrad_options, epochs, "3", 0, 1e6,
                 "times through train (0: until the budget ends)"),
    PAWL_OPT_INT(struct textgrad_options, epoch_steps, "4", 0, 1e6,
                 "steps per time at most, then train is shuffled anew (0: all of train)"),
    PAWL_OPT_CHOICE(struct textgrad_options, loss, "judge", "judge|metric",
                    "who says what is wrong with an answer: the judge, or the metric's feedback"),
    PAWL_OPT_BOOL(struct textgrad_options, revert, "true",
                  "take a step back that is worse on dev; off: dev is looked at once, at the end"),
    PAWL_OPT_INT(struct textgrad_options, momentum, "0", 0, 64,
                 "earlier versions of a text that its rewriting is shown, with their worth on dev"),
    PAWL_OPT_INT(struct textgrad_options, gradient_memory, "0", 0, 64,
                 "earlier steps whose feedback its rewriting is shown"),
    PAWL_OPT_JSON(struct textgrad_options, constraints,
                  "what a text must keep to: [{max_words: 120}, {contains: TEXT}, \"a sentence\"]"),
    PAWL_OPT_INT(struct textgrad_options, repairs, "1", 0, 10,
                 "times a text that breaks a constraint is sent back before it is refused"),
    PAWL_OPT_BOOL(struct textgrad_options, skip_perfect, "false",
                  "do not reflect on a batch without a fault"),
    PAWL_OPT_BOOL(struct textgrad_options, show_target, "true",
                  "let the models see how train answers were judged, wanted answers included"),
    PAWL_OPT_INT(struct textgrad_options, max_tokens, "2000", 16, 100000,
                 "length limit of a reply"),
    PAWL_OPT_REAL(struct textgrad_options, temperature, "0", 0, 2, "temperature of all requests"),
    PAWL_OPT_INT(struct textgrad_options, max_text_bytes, "16000", 16, 1e6,
                 "a constraint that always holds"),
    {0}};

/* Marks in braces are replaced; what a text does not mention is left out. */
static const struct pawl_operator_text textgrad_texts[] = {
    {"role_text", "what a text of the program is, in the requests below",
     "the instruction of {{module}}, which makes {{outputs}} from {{inputs}}"},
    {"role_component", "the same, of a program that does not say what it reads and writes",
     "the text {{component}} of a program"},
    {"role_between", "what one module hands to another", "what {{module}} hands to {{reader}}"},
    {"role_answer", "what the program answered", "the program's answer"},
    {"nameless", "a module without a name", "an assistant"},
    {"metric", "what the metric said of an answer", "Score: {{score}} of 1\n{{feedback}}"},
    {"loss", "what the judge is asked",
     "You judge the answer that a program gave to a task.\n"
     "\n"
     "<TASK>\n{{input}}</TASK>\n"
     "<ANSWER>\n{{output}}</ANSWER>\n"
     "<MEASURED>\n{{measured}}\n</MEASURED>\n"
     "\n"
     "Say in a few sentences what is wrong with the answer and what a right one would have "
     "needed. If nothing is wrong, say what made it right. Do not answer the task yourself.\n"},
    {"gradient_answer", "feedback to the answer, from its judgement",
     "You are part of a system that improves texts by feedback, as gradients improve numbers. You "
     "give the feedback: strategies, criticism and explanations. You never write a new version.\n"
     "\n"
     "The variable is {{role}}:\n"
     "<VARIABLE>\n{{value}}</VARIABLE>\n"
     "It was given to this task:\n"
     "<INPUT>\n{{input}}</INPUT>\n"
     "It was evaluated like this:\n"
     "<EVALUATION>\n{{evaluation}}\n</EVALUATION>\n"
     "\n"
     "The objective is a variable that this evaluation would find no fault with. Give feedback on "
     "how to get there: what to change, why, and what to keep. Be concise and concrete.\n"},
    {"gradient", "feedback to a text or a value, from the feedback on what came of it",
     "You are part of a system that improves texts by feedback, as gradients improve numbers. You "
     "give the feedback: strategies, criticism and explanations. You never write a new version.\n"
     "\n"
     "The variable is {{role}}:\n"
     "<VARIABLE>\n{{value}}\n</VARIABLE>\n"
     "It was used to make an output from an input:\n"
     "<INPUT>\n{{input}}</INPUT>\n"
     "<OUTPUT>\n{{output}}</OUTPUT>\n"
     "The output got this feedback:\n"
     "<FEEDBACK>\n{{feedback}}\n</FEEDBACK>\n"
     "\n"
     "The objective is an output that meets this feedback. Say how the variable should change so "
     "that it would: what is missing, what misleads, what to keep. The variable must serve other "
     "inputs of the same kind too, so speak of the kind, not of this input alone. Be concise.\n"},
    {"update", "the rewriting of a text",
     "You are part of a system that improves texts by feedback. You rewrite one text.\n"
     "\n"
     "The variable is {{role}}:\n"
     "<VARIABLE>\n{{value}}\n</VARIABLE>\n"
     "\n"
     "What it led to, and the feedback on that:\n"
     "{{feedback}}"
     "{{earlier}}{{past}}{{constraints}}"
     "\n"
     "Write the improved variable. Use the feedback where it helps on new inputs of the same kind; "
     "state rules, not the answers to these examples; keep what worked. Give the whole new text, "
     "and nothing else, between the tags:\n"
     "<IMPROVED_VARIABLE>the new text</IMPROVED_VARIABLE>\n"},
    {"item", "one case, in the rewriting of a text",
     "<CASE number=\"{{number}}\">\nInput:\n{{input}}Output:\n{{output}}Feedback:\n{{feedback}}\n"
     "</CASE>\n"},
    {"earlier", "feedback of earlier steps (gradient_memory)",
     "\nFeedback on earlier versions, oldest first:\n{{list}}"},
    {"earlier_item", "that of one step",
     "<EARLIER_FEEDBACK step=\"{{number}}\">\n{{feedback}}\n</EARLIER_FEEDBACK>\n"},
    {"past", "earlier versions (momentum)",
     "\nEarlier versions, oldest first; where they were worse, do not go back to them:\n{{list}}"},
    {"past_item", "one of them",
     "<PAST_VERSION step=\"{{number}}\" worth=\"{{worth}}\">\n{{value}}\n</PAST_VERSION>\n"},
    {"constraints", "constraints, in the rewriting of a text",
     "\nThe new text must keep to all of these:\n{{list}}"},
    {"repair", "a text that broke a constraint is sent back",
     "{{update}}\n"
     "You wrote this before, and it cannot be used:\n"
     "<REFUSED>\n{{text}}\n</REFUSED>\n"
     "What it breaks:\n{{broken}}"
     "Write it again so that it keeps to everything, between the tags.\n"},
    {"no_tags", "what a reply without a text breaks",
     "The text stands between <IMPROVED_VARIABLE> and </IMPROVED_VARIABLE>."},
    {"check", "a constraint in words is judged",
     "<TEXT>\n{{text}}\n</TEXT>\n"
     "\n"
     "Does this hold for the text: {{constraint}}\n"
     "Answer with one word, yes or no.\n"},
    {NULL, NULL, NULL}};

/* --- one step --------------------------------------------------------------------------------- */

static void note_versions(struct textgrad *t, const struct pawl_host_edit *edits, size_t n,
                          double worth)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t v = 0; v < t->n_variables; v++) {
            if (strcmp(t->variables[v].component, edits[i].component) == 0)
                pawl_textgrad_note(t, &t->variables[v].past, edits[i].text, worth);
        }
    }
}

static enum pawl_status name_if_better(struct textgrad *t, const double *scores,
                                       struct pawl_error *err)
{
    return pawl_gain(scores, t->start, t->n_dev) > 0 ? pawl_host_nominate(t->host, t->current, err)
                                                     : PAWL_OK;
}

/* Look at the child on dev; it stays unless it is worse, or nobody could look. */
static enum pawl_status look_at(struct textgrad *t, uint32_t child,
                                const struct pawl_host_edit *edits, size_t n_edits,
                                struct pawl_error *err)
{
    double mean;
    PAWL_TRY(pawl_host_score_dev(t->host, child, t->fresh, &mean, err));
    bool worse = !(pawl_gain(t->fresh, t->kept, t->n_dev) >= 0);
    pawl_host_say(t->host, "step %lld: %.3f on dev%s", (long long)t->number, mean,
                  worse ? ", taken back" : "");
    note_versions(t, edits, n_edits, mean);
    if (worse) return PAWL_OK;
    double *scores = t->kept;
    t->kept = t->fresh;
    t->fresh = scores;
    t->current = child;
    return name_if_better(t, t->kept, err);
}

static enum pawl_status try_edits(struct textgrad *t, const struct pawl_host_edit *edits,
                                  size_t n_edits, struct pawl_error *err)
{
    uint32_t child;
    PAWL_TRY(pawl_host_draft(t->host, &t->current, 1, edits, n_edits, &child, err));
    if (!t->opt->revert) {
        note_versions(t, edits, n_edits, NAN);
        t->current = child;
        return PAWL_OK;
    }
    return pawl_tried_note(&t->tried, child) ? look_at(t, child, edits, n_edits, err) : PAWL_OK;
}

static struct textgrad_round round_new(struct textgrad *t)
{
    size_t n = t->n_train - t->at, most = (size_t)t->opt->batch;
    if (n > most) n = most;
    struct textgrad_round r = {.n = n,
                               .cases = PAWL_NEW_N(&t->step, uint32_t, n),
                               .results = PAWL_NEW_N(&t->step, struct pawl_host_result, n),
                               .losses = PAWL_NEW_N(&t->step, struct pawl_str, n),
                               .felt = PAWL_NEW_N(&t->step, struct pawl_str, n * t->graph.n),
                               .gradients =
                                   PAWL_NEW_N(&t->step, struct pawl_str, n * t->n_variables)};
    for (size_t i = 0; i < n; i++) r.cases[i] = (uint32_t)t->order[t->at++];
    return r;
}

static bool is_perfect(const struct textgrad_round *r)
{
    for (size_t i = 0; i < r->n; i++) {
        if (r->results[i].missing || r->results[i].score < 1) return false;
    }
    return true;
}

static enum pawl_status do_step(struct textgrad *t, struct pawl_error *err)
{
    struct textgrad_round r = round_new(t);
    struct pawl_host_evaluation forward = {.candidate = t->current,
                                           .tier = PAWL_HOST_TRAIN,
                                           .cases = r.cases,
                                           .n_cases = r.n,
                                           .trace = true,
                                           .results = r.results};
    struct pawl_host_edit *edits = PAWL_NEW_N(&t->step, struct pawl_host_edit, t->n_variables);
    size_t n_edits;
    PAWL_TRY(pawl_host_evaluate(t->host, &t->step, &forward, 1, err));
    if (t->opt->skip_perfect && is_perfect(&r)) return PAWL_OK;
    PAWL_TRY(pawl_textgrad_backward(t, &r, err));
    PAWL_TRY(pawl_textgrad_rewrite(t, &r, edits, &n_edits, err));
    return n_edits > 0 ? try_edits(t, edits, n_edits, err) : PAWL_OK;
}

/* --- the search ------------------------------------------------------------------------------- */

/* A step: a batch of train cases, and all of dev; what the last look at dev costs without `revert` is
 * held back by this too. */
static int64_t step_cost(const struct textgrad_options *opt, size_t n_train, size_t n_dev)
{
    int64_t n = (int64_t)n_train;
    return (opt->batch < n ? opt->batch : n) + (int64_t)n_dev;
}

/* The start, and a step. */
static int64_t smallest(const void *options, size_t n_train, size_t n_dev)
{
    return (int64_t)n_dev + step_cost(options, n_train, n_dev);
}

static enum pawl_status do_epoch(struct textgrad *t, bool *ended, struct pawl_error *err)
{
    int64_t worst_case = step_cost(t->opt, t->n_train, t->n_dev), most = t->opt->epoch_steps;
    for (size_t i = 0; i < t->n_train; i++) t->order[i] = i;
    pawl_random_shuffle(pawl_host_random(t->host), t->order, t->n_train);
    t->at = 0;
    for (int64_t i = 0; t->at < t->n_train && (most == 0 || i < most); i++) {
        if (pawl_host_budget_left(t->host) < worst_case) {
            pawl_host_note_short(t->host);
            *ended = true;
            if (t->number > 0) return PAWL_OK;
            return pawl_fail(err, PAWL_EBUDGET,
                             "No step of textgrad fits the budget: one may take %lld evaluations.",
                             (long long)worst_case);
        }
        t->number++;
        PAWL_TRY(do_step(t, err));
        pawl_arena_reset(&t->step);
    }
    return PAWL_OK;
}

/* Without `revert` nobody has looked at dev since the start. */
static enum pawl_status look_at_the_end(struct textgrad *t, struct pawl_error *err)
{
    double mean;
    if (t->opt->revert || t->current == 0) return PAWL_OK;
    PAWL_TRY(pawl_host_score_dev(t->host, t->current, t->fresh, &mean, err));
    pawl_host_say(t->host, "after %lld steps: %.3f on dev", (long long)t->number, mean);
    return name_if_better(t, t->fresh, err);
}

static enum pawl_status descend(struct textgrad *t, struct pawl_error *err)
{
    bool ended = false;
    double mean;
    PAWL_TRY(pawl_host_score_dev(t->host, 0, t->start, &mean, err));
    for (size_t i = 0; i < t->n_dev; i++) t->kept[i] = t->start[i];
    pawl_tried_note(&t->tried, 0);
    pawl_host_say(t->host, "start: %.3f on dev", mean);
    for (size_t v = 0; v < t->n_variables; v++)
        pawl_textgrad_note(t, &t->variables[v].past,
                           pawl_host_text(t->host, 0, t->variables[v].component), mean);
    for (int64_t epoch = 0; !ended && (t->opt->epochs == 0 || epoch < t->opt->epochs); epoch++)
        PAWL_TRY(do_epoch(t, &ended, err));
    return look_at_the_end(t, err);
}

/* A run that runs out of money or time on its way has found what it has found: what nobody has looked at
 * is named, and dev-check decides. */
static enum pawl_status search(struct textgrad *t, struct pawl_error *err)
{
    enum pawl_status status = descend(t, err);
    if (status == PAWL_EBUDGET && !t->opt->revert && t->current != 0)
        PAWL_TRY(pawl_host_nominate(t->host, t->current, err));
    return status;
}

/* --- set up ----------------------------------------------------------------------------------- */

/* The module that a text belongs to; n when none. In a program of one module every text is its. */
static size_t module_of(const struct textgrad *t, const char *component)
{
    if (t->graph.n == 1) return 0;
    for (size_t m = 0; m < t->graph.n; m++) {
        const char *instruction = t->graph.modules[m].instruction;
        if (instruction != NULL && strcmp(instruction, component) == 0) return m;
    }
    return t->graph.n;
}

static enum pawl_status find_variables(struct textgrad *t, struct pawl_error *err)
{
    size_t n;
    const struct pawl_host_component *components = pawl_host_components(t->host, &n);
    t->variables = PAWL_NEW_N(t->arena, struct textgrad_variable, n);
    for (size_t i = 0; i < n; i++) {
        size_t module = module_of(t, components[i].name);
        if (!pawl_roster_is_prose(&components[i]) || module == t->graph.n) continue;
        t->variables[t->n_variables++] = (struct textgrad_variable){
            .component = components[i].name,
            .module = module,
            .past = pawl_textgrad_memory_new(t, t->opt->momentum),
            .earlier = pawl_textgrad_memory_new(t, t->opt->gradient_memory)};
    }
    if (t->n_variables > 0) return PAWL_OK;
    pawl_fail(err, PAWL_ECONFIG, "textgrad rewrites texts, and this program has none to rewrite.");
    pawl_hint(err, "Give the program an instruction, or use another operator.");
    return PAWL_ECONFIG;
}

static enum pawl_status set_up(struct textgrad *t, struct pawl_error *err)
{
    t->graph = pawl_graph_read(pawl_host_fields(t->host), t->arena);
    PAWL_TRY(find_variables(t, err));
    PAWL_TRY(pawl_textgrad_rules_read(t->opt->constraints, (size_t)t->opt->max_text_bytes, t->arena,
                                      &t->rules, err));
    if (t->n_train == 0) {
        pawl_fail(err, PAWL_ECONFIG, "textgrad learns from train cases, and there are none.");
        pawl_hint(err, "Add cases with `pawl data add`.");
        return PAWL_ECONFIG;
    }
    t->order = PAWL_NEW_N(t->arena, size_t, t->n_train);
    t->start = PAWL_NEW_N(t->arena, double, t->n_dev);
    t->kept = PAWL_NEW_N(t->arena, double, t->n_dev);
    t->fresh = PAWL_NEW_N(t->arena, double, t->n_dev);
    return PAWL_OK;
}

static enum pawl_status run(struct pawl_host *host, const void *options, struct pawl_error *err)
{
    struct textgrad t = {.host = host,
                         .opt = options,
                         .arena = pawl_host_arena(host),
                         .tried = {.arena = pawl_host_arena(host)},
                         .n_train = pawl_host_n_train(host),
                         .n_dev = pawl_host_n_dev(host)};
    PAWL_TRY(set_up(&t, err));
    enum pawl_status status = search(&t, err);
    pawl_arena_release(&t.step);
    return status;
}

const struct pawl_operator pawl_op_textgrad = {
    .api = PAWL_OPERATOR_API,
    .name = "textgrad",
    .version = 1,
    .summary = "rewrites texts by feedback that flows back from the answers through the modules",
    .paper = "Yuksekgonul et al. 2024, TextGrad, arXiv 2406.07496",
    .options = textgrad_options,
    .options_bytes = sizeof(struct textgrad_options),
    .texts = textgrad_texts,
    .risks =
        "copies train answers into the text; four requests to a model per case, most of them to "
        "the reflecting one; goes one way only, so a bad turn that dev does not show stays; no "
        "benefit is known with small models",
    .smallest = smallest,
    .run = run,
};
