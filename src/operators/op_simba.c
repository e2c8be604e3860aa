/*
 * simba - stochastic ascent over rules and demonstrations, after DSPy's SIMBA ("stochastic introspective
 * mini-batch ascent").
 *
 * Example
 *     pawl improve --operator simba --budget evaluations=4000
 *
 * How it works
 *     A step has a minibatch of train cases answered several times, each time by a program drawn from
 *     the best so far. The cases whose answers differ most teach most: for each of them a program is
 *     drawn, some of its demonstrations are dropped, and either the best answer becomes a
 *     demonstration, or the reflecting model contrasts the best with the worst and states a rule that
 *     is appended to the instruction. The new programs answer the same minibatch, and the best of
 *     them is the step's winner. At the end winners of all steps are scored on dev.
 *
 * Invariants
 *   1. A step costs minibatch * (samples + candidates + 1) evaluations at most. One that the budget
 *      does not hold beside the winners' dev is not begun; while there is no winner, it takes as many
 *      cases as fit.
 *   2. All answers of a step are one batch, so are its rules, so are its new programs.
 *   3. Nothing is named worth offering that is not strictly better on dev than the start; where money or
 *      time end the run before dev was asked, the last winners are named and dev-check decides.
 *
 * What differs from the published code: the winners are compared on dev, of which no step saw
 * anything, not on train; the start's mean is that of its answers, not 0; a demonstration has every
 * field or is none; a case that the world lost is no lesson; a rule without a contrast is not asked for.
 */
#include "operators/bootstrap_demos.h"
#include "operators/gain.h"
#include "operators/graph.h"
#include "operators/operator.h"
#include "operators/prompt.h"
#include "operators/simba_pool.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct simba_options {
    int64_t minibatch, samples, candidates, max_steps, max_demos, finalists, max_tokens,
        max_text_bytes;
    double temperature, draw_temperature, parent_temperature, rule_temperature;
    bool show_target;
};
static const struct pawl_option simba_options[] = {
    PAWL_OPT_INT(struct simba_options, minibatch, "32", 1, 1000, "train cases per step"),
    PAWL_OPT_INT(struct simba_options, samples, "6", 2, 64, "answers to each of them"),
    PAWL_OPT_INT(
        struct simba_options, candidates, "6", 1, 64,
        "new programs per step, one more at most; and how many of the best are drawn from"),
    PAWL_OPT_INT(struct simba_options, max_steps, "8", 0, 1e6, "0: until the budget ends"),
    PAWL_OPT_INT(struct simba_options, max_demos, "4", 0, 64,
                 "demonstrations, about; 0: rules alone"),
    PAWL_OPT_INT(struct simba_options, finalists, "6", 1, 64,
                 "winners of steps that are scored on dev, evenly spaced"),
    PAWL_OPT_REAL(struct simba_options, temperature, "1", 0, 2,
                  "of the answers; 0: the program's own"),
    PAWL_OPT_REAL(struct simba_options, draw_temperature, "0.2", 0.001, 1000,
                  "how evenly programs are drawn to answer"),
    PAWL_OPT_REAL(struct simba_options, parent_temperature, "0.2", 0.001, 1000,
                  "how evenly programs are drawn to be changed"),
    PAWL_OPT_REAL(struct simba_options, rule_temperature, "1", 0, 2, "of the rules"),
    PAWL_OPT_BOOL(struct simba_options, show_target, "true",
                  "let the reflecting model see how answers were judged, wanted answers included"),
    PAWL_OPT_INT(struct simba_options, max_tokens, "1024", 16, 100000, "length limit of a rule"),
    PAWL_OPT_INT(struct simba_options, max_text_bytes, "16000", 16, 1e6,
                 "an instruction that would be longer is not made"),
    {0}};

static const struct pawl_operator_text simba_texts[] = {
    {"rule", "what the reflecting model is asked",
     "A program answered the same task several times. Compare its best answer with its worst, and "
     "state a rule for one of its parts that makes answers like the best more likely.\n"
     "\n"
     "The part is {{role}}. Its instruction:\n"
     "<INSTRUCTION>\n{{current}}\n</INSTRUCTION>\n"
     "<TASK>\n{{input}}</TASK>\n"
     "<BETTER>\n{{better}}</BETTER>\n"
     "<WORSE>\n{{worse}}</WORSE>\n"
     "\n"
     "Write advice for this part that is short and can be followed: if the input is like this, "
     "then "
     "do that and not that. It is appended to the instruction, so do not repeat it, and do not "
     "give "
     "the answer to this task. Give only the advice, between the tags:\n"
     "<ADVICE>the advice</ADVICE>\n"},
    {"role", "which part of a program is meant",
     "{{module}}, which makes {{outputs}} from {{inputs}}"},
    {"nameless", "a part without a name", "an assistant"},
    {"trajectory", "one answer, how it came about and what it was worth",
     "{{calls}}Answer:\n{{output}}Score: {{score}}\n{{feedback}}\n"},
    {"call", "what a module was given and made of it, in a program of several",
     "{{module}} got:\n{{input}}and made of it:\n{{output}}"},
    {NULL, NULL, NULL}};

/* --- what it holds ------------------------------------------------------------------------------ */

/* What of a module can be changed. */
struct part {
    const char *instruction, *demos, *calibration; /* components; NULL: it has none */
    struct pawl_demo_fields fields;
};
struct simba {
    struct pawl_host *host;
    const struct simba_options *opt;
    struct pawl_arena *arena; /* run */
    struct pawl_arena step;   /* reset after each step */
    struct pawl_graph graph;
    struct part *parts; /* [graph.n] */
    bool has_rules, has_demos;
    struct pawl_simba_pool pool;
    size_t *order; /* [n_train] */
    size_t n_train, n_dev, at;
    int64_t number;  /* of the step, from 1 */
    size_t *winners; /* [n_winners] members, one per step */
    size_t n_winners, winners_capacity, n_looked;
    double *scores, *start; /* [n_dev], of a candidate and of the start */
};

enum { FINALISTS_UNSEEN = 3 }; /* as many as the end of a run compares */

/* One answer to one case. */
struct shot {
    size_t member;
    struct pawl_host_result result;
};
/* The answers to one case, best first; those that the world lost are left out. */
struct bucket {
    uint32_t train_case;
    const struct shot **shots;
    size_t n;
    double spread, best, lead; /* best - worst, best, best - mean */
};
/* A program to be made: a parent, and one change. */
struct plan {
    const struct bucket *bucket;
    uint32_t parent;
    bool by_rule;
    struct pawl_str *demos;  /* [graph.n] texts after dropping */
    bool *dropped;           /* [graph.n] whether that is fewer */
    struct pawl_str *advice; /* [graph.n]; ptr NULL: none */
};

/* --- answers ---------------------------------------------------------------------------------------- */

static void shuffle_train(struct simba *s)
{
    for (size_t i = 0; i < s->n_train; i++) s->order[i] = i;
    pawl_random_shuffle(pawl_host_random(s->host), s->order, s->n_train);
    s->at = 0;
}

static uint32_t *next_minibatch(struct simba *s, size_t n)
{
    uint32_t *cases = PAWL_NEW_N(&s->step, uint32_t, n);
    if (s->number == 1 || s->at + n > s->n_train) shuffle_train(s);
    for (size_t i = 0; i < n; i++) cases[i] = (uint32_t)s->order[s->at++];
    return cases;
}

/* Every case `samples` times, each time by a program that is drawn: shots[samples * n], case by case. */
static enum pawl_status sample_answers(struct simba *s, const uint32_t *cases, size_t n,
                                       struct shot *shots, struct pawl_error *err)
{
    size_t k = (size_t)s->opt->samples;
    struct pawl_host_evaluation *batch = PAWL_NEW_N(&s->step, struct pawl_host_evaluation, n * k);
    struct pawl_simba_draw draw = pawl_simba_draw_of(&s->pool, (size_t)s->opt->candidates,
                                                     s->opt->draw_temperature, &s->step);
    for (size_t i = 0; i < n * k; i++) {
        shots[i].member = pawl_simba_draw(&draw, pawl_host_random(s->host));
        batch[i] = (struct pawl_host_evaluation){
            .candidate = s->pool.members[shots[i].member].candidate,
            .tier = PAWL_HOST_TRAIN,
            .cases = &cases[i / k],
            .n_cases = 1,
            .sample = (uint32_t)((size_t)(s->number - 1) * k + i % k + 1),
            .temperature = s->opt->temperature,
            .trace = true,
            .results = &shots[i].result};
    }
    return pawl_host_evaluate(s->host, &s->step, batch, n * k, err);
}

static void note_score(struct simba *s, size_t member, const struct pawl_host_result *result)
{
    if (result->missing) return;
    s->pool.members[member].sum += result->score;
    s->pool.members[member].n++;
}

/* Stable: of equal scores the earlier answer comes first. */
static void insert_shot(struct bucket *bucket, const struct shot *shot)
{
    size_t at = bucket->n++;
    for (; at > 0 && shot->result.score > bucket->shots[at - 1]->result.score; at--)
        bucket->shots[at] = bucket->shots[at - 1];
    bucket->shots[at] = shot;
}

static struct bucket make_bucket(struct simba *s, uint32_t train_case, const struct shot *shots)
{
    size_t k = (size_t)s->opt->samples;
    struct bucket bucket = {.train_case = train_case,
                            .shots = PAWL_NEW_N(&s->step, const struct shot *, k)};
    double sum = 0;
    for (size_t i = 0; i < k; i++) {
        if (shots[i].result.missing) continue;
        insert_shot(&bucket, &shots[i]);
        sum += shots[i].result.score;
    }
    if (bucket.n == 0) return bucket;
    bucket.best = bucket.shots[0]->result.score;
    bucket.spread = bucket.best - bucket.shots[bucket.n - 1]->result.score;
    bucket.lead = bucket.best - sum / (double)bucket.n;
    return bucket;
}

/* Most to learn from first; of equals the one that the minibatch has first. */
static bool teaches_more(const struct bucket *a, const struct bucket *b)
{
    if (a->spread > b->spread || a->spread < b->spread) return a->spread > b->spread;
    if (a->best > b->best || a->best < b->best) return a->best > b->best;
    return a->lead > b->lead;
}

static struct bucket *make_buckets(struct simba *s, const uint32_t *cases, size_t n,
                                   const struct shot *shots)
{
    struct bucket *buckets = PAWL_NEW_N(&s->step, struct bucket, n);
    for (size_t i = 0; i < n; i++) {
        struct bucket bucket = make_bucket(s, cases[i], shots + i * (size_t)s->opt->samples);
        size_t at = i;
        for (; at > 0 && teaches_more(&bucket, &buckets[at - 1]); at--)
            buckets[at] = buckets[at - 1];
        buckets[at] = bucket;
    }
    return buckets;
}

static int compare_numbers(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* The tenth from below and from above of all scores of the minibatch; false when all were lost. */
static bool find_tails(struct simba *s, const struct shot *shots, size_t n, double *low,
                       double *high)
{
    double *scores = PAWL_NEW_N(&s->step, double, n);
    size_t m = 0;
    for (size_t i = 0; i < n; i++) {
        if (!shots[i].result.missing) scores[m++] = shots[i].result.score;
    }
    if (m == 0) return false;
    qsort(scores, m, sizeof *scores, compare_numbers);
    *low = pawl_simba_quantile(scores, m, 0.1);
    *high = pawl_simba_quantile(scores, m, 0.9);
    return true;
}

/* --- what was done in an answer ------------------------------------------------------------------------ */

static const json_t *call_of(const struct simba *s, const struct pawl_host_result *result,
                             size_t module)
{
    return pawl_graph_call(&s->graph, result->trace, module);
}

/* A module without a name is the whole program: what it is given and gives is the case's. One with a name may,
 * in a flow, be asked something else, even if it is the only one. */
static bool has_names(const struct simba *s)
{
    return s->graph.modules[0].name != NULL;
}

/* The answer as a demonstration of one module; text.ptr NULL: there is none. */
static struct pawl_demo demo_of(struct simba *s, const struct bucket *bucket, size_t module)
{
    const struct pawl_host_result *best = &bucket->shots[0]->result;
    const json_t *input = pawl_host_train_case(s->host, bucket->train_case)->input;
    const json_t *output = best->output;
    if (has_names(s)) {
        const json_t *call = call_of(s, best, module);
        input = json_object_get(call, "input");
        output = json_object_get(call, "output");
    }
    return pawl_demo_make(&s->parts[module].fields, bucket->train_case, input, output, &s->step);
}

static struct pawl_str module_name(struct simba *s, size_t module)
{
    const char *name = s->graph.modules[module].name;
    return name != NULL ? pawl_str_of(name) : pawl_host_operator_text(s->host, "nameless");
}

static struct pawl_str calls_text(struct simba *s, const struct pawl_host_result *result)
{
    struct pawl_buf buf = PAWL_BUF(PAWL_PROMPT_BYTES_MAX);
    for (size_t m = 0; has_names(s) && m < s->graph.n; m++) {
        const json_t *call = call_of(s, result, m), *output = json_object_get(call, "output");
        if (call == NULL) continue;
        if (output == NULL) output = json_object_get(call, "reply");
        pawl_prompt_fill(pawl_host_operator_text(s->host, "call"),
                         PAWL_MARKS({"module", module_name(s, m)},
                                    {"input", pawl_prompt_fields(
                                                  &s->step, json_object_get(call, "input"), NULL)},
                                    {"output", pawl_prompt_fields(&s->step, output, NULL)}),
                         &buf);
    }
    return pawl_prompt_take(&s->step, &buf);
}

static struct pawl_str trajectory_text(struct simba *s, const struct pawl_host_result *result)
{
    const char *feedback = s->opt->show_target && result->feedback ? result->feedback : "";
    const json_t *output = result->output;
    if (output == NULL)
        output = json_object_get(json_array_get(result->trace, json_array_size(result->trace) - 1),
                                 "reply");
    struct pawl_str score = pawl_str_of(pawl_arena_printf(&s->step, "%.2f", result->score));
    return pawl_prompt_text(s->host, &s->step, "trajectory",
                            PAWL_MARKS({"calls", calls_text(s, result)},
                                       {"output", pawl_prompt_fields(&s->step, output, NULL)},
                                       {"score", score}, {"feedback", pawl_str_of(feedback)}));
}

static struct pawl_str names_text(struct simba *s, const json_t *list)
{
    struct pawl_buf buf = PAWL_BUF(PAWL_PROMPT_BYTES_MAX);
    for (size_t i = 0; i < json_array_size(list); i++)
        pawl_buf_printf(&buf, "%s%s", i > 0 ? ", " : "", pawl_graph_field(list, i));
    return pawl_prompt_take(&s->step, &buf);
}

static struct pawl_str rule_prompt(struct simba *s, const struct plan *plan, size_t module)
{
    const struct bucket *bucket = plan->bucket;
    const struct pawl_graph_module *described = &s->graph.modules[module];
    const json_t *input = pawl_host_train_case(s->host, bucket->train_case)->input;
    struct pawl_str role =
        pawl_prompt_text(s->host, &s->step, "role",
                         PAWL_MARKS({"module", module_name(s, module)},
                                    {"outputs", names_text(s, described->outputs)},
                                    {"inputs", names_text(s, described->inputs)}));
    return pawl_prompt_text(
        s->host, &s->step, "rule",
        PAWL_MARKS({"role", role},
                   {"current", pawl_host_text(s->host, plan->parent, s->parts[module].instruction)},
                   {"input", pawl_prompt_fields(&s->step, input, NULL)},
                   {"better", trajectory_text(s, &bucket->shots[0]->result)},
                   {"worse", trajectory_text(s, &bucket->shots[bucket->n - 1]->result)}));
}

/* --- new programs ------------------------------------------------------------------------------------------ */

/* The parent's demonstrations of a module as a list (new reference). */
static json_t *demos_list(struct simba *s, uint32_t parent, const char *component)
{
    json_t *list = NULL;
    struct pawl_str text = pawl_host_text(s->host, parent, component);
    if (pawl_json_parse(text, PAWL_DEMO_SET_BYTES_MAX, &list, NULL) != PAWL_OK) return json_array();
    if (json_is_array(list)) return list;
    json_decref(list);
    return json_array();
}

/* How many of n demonstrations are dropped: about n / max_demos, and at least one when it is full. */
static size_t n_to_drop(struct simba *s, size_t n)
{
    size_t full = s->opt->max_demos > 0 ? (size_t)s->opt->max_demos : 3;
    double mean = fmin((double)n / (double)full, 100);
    size_t drop = pawl_simba_poisson(pawl_host_random(s->host), mean);
    if (drop == 0 && n >= full) drop = 1;
    return drop < n ? drop : n;
}

/* Draw which demonstrations go, the same places in every module, and keep the rest. */
static void drop_demos(struct simba *s, struct plan *plan)
{
    json_t **lists = PAWL_NEW_N(&s->step, json_t *, s->graph.n);
    size_t most = 0;
    for (size_t m = 0; m < s->graph.n; m++) {
        if (s->parts[m].demos == NULL) continue;
        lists[m] = demos_list(s, plan->parent, s->parts[m].demos);
        if (json_array_size(lists[m]) > most) most = json_array_size(lists[m]);
    }
    bool *goes = PAWL_NEW_N(&s->step, bool, most + 1);
    for (size_t k = n_to_drop(s, most); k > 0; k--)
        goes[pawl_random_below(pawl_host_random(s->host), most)] = true;
    for (size_t m = 0; m < s->graph.n; m++) {
        if (lists[m] == NULL) continue;
        struct pawl_buf text = PAWL_BUF(PAWL_DEMO_SET_BYTES_MAX);
        for (size_t i = json_array_size(lists[m]); i-- > 0;) {
            if (!goes[i]) continue;
            json_array_remove(lists[m], i);
            plan->dropped[m] = true;
        }
        pawl_json_write(lists[m], &text);
        plan->demos[m] = pawl_prompt_take(&s->step, &text);
        json_decref(lists[m]);
    }
}

/* May this case teach by a demonstration, or by a rule? Too bad a best answer shows nothing, and too
 * good a worst one leaves nothing to say. */
static bool can_show(const struct bucket *bucket, double low)
{
    const struct pawl_host_result *best = &bucket->shots[0]->result;
    return best->score > low && !best->failed && best->output != NULL;
}

static bool can_tell(const struct bucket *bucket, double low, double high)
{
    double worst = bucket->best - bucket->spread;
    return bucket->spread > 0 && bucket->best > low && worst < high;
}

/* Gives the number of plans, of the cases that teach most. */
static size_t make_plans(struct simba *s, const struct bucket *buckets, size_t n, double low,
                         double high, struct plan *plans, size_t most)
{
    struct pawl_random *random = pawl_host_random(s->host);
    struct pawl_simba_draw draw = pawl_simba_draw_of(&s->pool, (size_t)s->opt->candidates,
                                                     s->opt->parent_temperature, &s->step);
    size_t n_plans = 0;
    for (size_t i = 0; i < n && n_plans < most; i++) {
        if (buckets[i].n == 0) continue;
        struct plan plan = {.bucket = &buckets[i],
                            .demos = PAWL_NEW_N(&s->step, struct pawl_str, s->graph.n),
                            .dropped = PAWL_NEW_N(&s->step, bool, s->graph.n),
                            .advice = PAWL_NEW_N(&s->step, struct pawl_str, s->graph.n)};
        plan.parent = s->pool.members[pawl_simba_draw(&draw, random)].candidate;
        plan.by_rule = s->has_rules && (!s->has_demos || pawl_random_below(random, 2) == 1);
        drop_demos(s, &plan);
        bool teaches = plan.by_rule ? can_tell(&buckets[i], low, high) : can_show(&buckets[i], low);
        if (teaches) plans[n_plans++] = plan;
    }
    return n_plans;
}

/* What stands between the tags, or the whole reply when there are none. */
static struct pawl_str find_advice(struct pawl_str reply)
{
    static const char open[] = "<ADVICE>", close[] = "</ADVICE>";
    const char *start = memmem(reply.ptr, reply.len, open, sizeof open - 1);
    if (start == NULL) return pawl_str_trim(reply);
    start += sizeof open - 1;
    size_t left = (size_t)(reply.ptr + reply.len - start);
    const char *end = memmem(start, left, close, sizeof close - 1);
    return pawl_str_trim((struct pawl_str){start, end != NULL ? (size_t)(end - start) : left});
}

/* Step. All rules of all plans as one batch. */
static enum pawl_status ask_rules(struct simba *s, struct plan *plans, size_t n,
                                  struct pawl_error *err)
{
    size_t most = n * s->graph.n, n_asked = 0;
    struct pawl_host_prompt *prompts = PAWL_NEW_N(&s->step, struct pawl_host_prompt, most);
    struct pawl_host_reply *replies = PAWL_NEW_N(&s->step, struct pawl_host_reply, most);
    struct pawl_str **to = PAWL_NEW_N(&s->step, struct pawl_str *, most);
    for (size_t i = 0; i < most; i++) {
        struct plan *plan = &plans[i / s->graph.n];
        size_t module = i % s->graph.n;
        if (!plan->by_rule || s->parts[module].instruction == NULL) continue;
        struct pawl_str user = rule_prompt(s, plan, module);
        if (user.ptr == NULL) continue;
        to[n_asked] = &plan->advice[module];
        prompts[n_asked++] = (struct pawl_host_prompt){.role = "reflect",
                                                       .user = user,
                                                       .max_tokens = (int)s->opt->max_tokens,
                                                       .temperature = s->opt->rule_temperature,
                                                       .sample = (uint32_t)s->number};
    }
    if (n_asked == 0) return PAWL_OK;
    PAWL_TRY(pawl_host_complete(s->host, &s->step, prompts, n_asked, replies, err));
    for (size_t i = 0; i < n_asked; i++) {
        if (!replies[i].failed) *to[i] = find_advice(replies[i].text);
    }
    return PAWL_OK;
}

/* The demonstrations that were kept, and the new one; ptr NULL where that is none, there already, or
 * does not fit. */
static struct pawl_str appended_demo(struct simba *s, struct pawl_str kept, struct pawl_str demo)
{
    struct pawl_str none = {NULL, 0};
    if (demo.len == 0 || kept.len < 2 || memmem(kept.ptr, kept.len, demo.ptr, demo.len) != NULL)
        return none;
    struct pawl_buf text = PAWL_BUF(PAWL_DEMO_SET_BYTES_MAX);
    pawl_buf_add_str(&text, (struct pawl_str){kept.ptr, kept.len - 1});
    pawl_buf_add(&text, kept.len > 2 ? "," : "");
    pawl_buf_add_str(&text, demo);
    pawl_buf_add(&text, "]");
    return pawl_prompt_take(&s->step, &text);
}

/* ptr NULL where there is no advice, or it does not fit. */
static struct pawl_str appended_rule(struct simba *s, const struct plan *plan, size_t module)
{
    struct pawl_str advice = plan->advice[module];
    if (advice.len == 0) return (struct pawl_str){NULL, 0};
    struct pawl_buf text = PAWL_BUF((size_t)s->opt->max_text_bytes);
    pawl_buf_add_str(&text, pawl_host_text(s->host, plan->parent, s->parts[module].instruction));
    pawl_buf_add(&text, "\n\n");
    pawl_buf_add_str(&text, advice);
    return pawl_prompt_take(&s->step, &text);
}

/* Gives 0 when the case taught nothing after all. A calibration fits its own demonstrations only, so where
 * they change it goes. */
static size_t make_edits(struct simba *s, const struct plan *plan, struct pawl_host_edit *edits)
{
    size_t n = 0, n_lessons = 0;
    for (size_t m = 0; m < s->graph.n; m++) {
        const struct part *part = &s->parts[m];
        struct pawl_str demos = plan->demos[m], lesson = {NULL, 0};
        if (plan->by_rule && part->instruction != NULL)
            lesson = appended_rule(s, plan, m);
        else if (!plan->by_rule && part->demos != NULL)
            lesson = appended_demo(s, demos, demo_of(s, plan->bucket, m).text);
        if (lesson.ptr != NULL) n_lessons++;
        if (lesson.ptr != NULL && plan->by_rule)
            edits[n++] = (struct pawl_host_edit){part->instruction, lesson};
        if (lesson.ptr != NULL && !plan->by_rule) demos = lesson;
        if (demos.ptr == NULL || !(plan->dropped[m] || demos.ptr == lesson.ptr)) continue;
        edits[n++] = (struct pawl_host_edit){part->demos, demos};
        if (part->calibration != NULL)
            edits[n++] = (struct pawl_host_edit){part->calibration, PAWL_STR("{}")};
    }
    return n_lessons > 0 ? n : 0;
}

/* Steps. Draft the planned programs; gives the members that are new. */
static enum pawl_status draft_plans(struct simba *s, const struct plan *plans, size_t n,
                                    size_t *fresh, size_t *n_fresh, struct pawl_error *err)
{
    struct pawl_host_edit *edits = PAWL_NEW_N(&s->step, struct pawl_host_edit, 3 * s->graph.n);
    *n_fresh = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t candidate;
        bool is_new;
        size_t n_edits = make_edits(s, &plans[i], edits);
        if (n_edits == 0) continue;
        PAWL_TRY(pawl_host_draft(s->host, &plans[i].parent, 1, edits, n_edits, &candidate, err));
        size_t member = pawl_simba_pool_add(&s->pool, candidate, &is_new);
        if (is_new) fresh[(*n_fresh)++] = member;
    }
    return PAWL_OK;
}

/* Step. The new programs on the minibatch, as one batch: scores[n_fresh][n], NAN where missing. */
static enum pawl_status score_fresh(struct simba *s, const uint32_t *cases, size_t n,
                                    const size_t *fresh, size_t n_fresh, double *scores,
                                    struct pawl_error *err)
{
    if (n_fresh == 0) return PAWL_OK;
    struct pawl_host_evaluation *batch = PAWL_NEW_N(&s->step, struct pawl_host_evaluation, n_fresh);
    for (size_t i = 0; i < n_fresh; i++)
        batch[i] = (struct pawl_host_evaluation){
            .candidate = s->pool.members[fresh[i]].candidate,
            .tier = PAWL_HOST_TRAIN,
            .cases = cases,
            .n_cases = n,
            .results = PAWL_NEW_N(&s->step, struct pawl_host_result, n)};
    PAWL_TRY(pawl_host_evaluate(s->host, &s->step, batch, n_fresh, err));
    for (size_t i = 0; i < n_fresh; i++) {
        for (size_t k = 0; k < n; k++) {
            const struct pawl_host_result *result = &batch[i].results[k];
            note_score(s, fresh[i], result);
            scores[i * n + k] = result->missing ? NAN : result->score;
        }
    }
    return PAWL_OK;
}

/* The best of them on the minibatch, the oldest of equals. */
static void note_winner(struct simba *s, const size_t *fresh, size_t n_fresh, const double *scores,
                        size_t n)
{
    if (n_fresh == 0) return;
    size_t at = 0;
    for (size_t i = 1; i < n_fresh; i++) {
        if (pawl_gain(scores + i * n, scores + at * n, n) > 0) at = i;
    }
    size_t best = fresh[at];
    if (s->n_winners == s->winners_capacity) {
        size_t capacity = s->winners_capacity == 0 ? 16 : 2 * s->winners_capacity;
        size_t *winners = PAWL_NEW_N(s->arena, size_t, capacity);
        if (s->n_winners > 0) memcpy(winners, s->winners, s->n_winners * sizeof *winners);
        s->winners = winners;
        s->winners_capacity = capacity;
    }
    s->winners[s->n_winners++] = best;
    pawl_host_say(s->host, "step %lld: %.3f on its minibatch", (long long)s->number,
                  pawl_simba_pool_mean(&s->pool, best));
}

/* --- the search --------------------------------------------------------------------------------------------- */

static enum pawl_status do_step(struct simba *s, size_t n, struct pawl_error *err)
{
    size_t n_shots = n * (size_t)s->opt->samples, most = (size_t)s->opt->candidates + 1, n_fresh;
    const uint32_t *cases = next_minibatch(s, n);
    struct shot *shots = PAWL_NEW_N(&s->step, struct shot, n_shots);
    struct plan *plans = PAWL_NEW_N(&s->step, struct plan, most);
    size_t *fresh = PAWL_NEW_N(&s->step, size_t, most);
    double *scores = PAWL_NEW_N(&s->step, double, most *n), low, high;
    PAWL_TRY(sample_answers(s, cases, n, shots, err));
    for (size_t i = 0; i < n_shots; i++) {
        if (shots[i].member == 0) note_score(s, 0, &shots[i].result);
    }
    if (!find_tails(s, shots, n_shots, &low, &high)) return PAWL_OK;
    const struct bucket *buckets = make_buckets(s, cases, n, shots);
    size_t n_plans = make_plans(s, buckets, n, low, high, plans, most);
    PAWL_TRY(ask_rules(s, plans, n_plans, err));
    PAWL_TRY(draft_plans(s, plans, n_plans, fresh, &n_fresh, err));
    PAWL_TRY(score_fresh(s, cases, n, fresh, n_fresh, scores, err));
    note_winner(s, fresh, n_fresh, scores, n);
    return PAWL_OK;
}

/* What a case of a minibatch costs: its answers, and those of the new programs. */
static int64_t case_cost(const struct simba_options *opt)
{
    return opt->samples + opt->candidates + 1;
}

/* How many cases the next step has: a minibatch, when the budget holds that beside dev for its winner
 * and those before it. While there is no winner, as many as fit. */
static size_t cases_that_fit(struct simba *s)
{
    int64_t n = s->opt->minibatch, looks = (int64_t)s->n_winners + 1;
    if (n > (int64_t)s->n_train) n = (int64_t)s->n_train;
    if (looks > s->opt->finalists) looks = s->opt->finalists;
    int64_t left = pawl_host_budget_left(s->host) - looks * (int64_t)s->n_dev;
    int64_t fit = left < 0 ? 0 : left / case_cost(s->opt);
    if (fit >= n) return (size_t)n;
    return s->n_winners > 0 ? 0 : (size_t)fit;
}

static enum pawl_status look_at(struct simba *s, size_t member, struct pawl_error *err)
{
    double mean;
    uint32_t candidate = s->pool.members[member].candidate;
    PAWL_TRY(pawl_host_score_dev(s->host, candidate, s->scores, &mean, err));
    s->n_looked++;
    pawl_host_say(s->host, "candidate %u: %.3f on dev", candidate, mean);
    return pawl_gain(s->scores, s->start, s->n_dev) > 0
               ? pawl_host_nominate(s->host, candidate, err)
               : PAWL_OK;
}

/* Evenly spaced winners, the last step's first, as many as the budget holds. */
static enum pawl_status look_at_winners(struct simba *s, struct pawl_error *err)
{
    size_t n = (size_t)s->opt->finalists, last = s->n_winners;
    for (size_t i = 0; i < n && i < s->n_winners; i++) {
        size_t at = s->n_winners - 1;
        if (s->n_winners <= n) at -= i;
        if (s->n_winners > n && n > 1)
            at = (size_t)lround((double)(n - 1 - i) * (double)at / (double)(n - 1));
        if (at == last) continue;
        last = at;
        if (pawl_host_budget_left(s->host) < (int64_t)s->n_dev) {
            pawl_host_note_short(s->host);
            return PAWL_OK;
        }
        PAWL_TRY(look_at(s, s->winners[at], err));
    }
    return PAWL_OK;
}

/* Steps. The last winners, unseen. */
static enum pawl_status name_unseen(struct simba *s, struct pawl_error *err)
{
    for (size_t i = 0; s->n_looked == 0 && i < FINALISTS_UNSEEN && i < s->n_winners; i++) {
        size_t member = s->winners[s->n_winners - 1 - i];
        PAWL_TRY(pawl_host_nominate(s->host, s->pool.members[member].candidate, err));
    }
    return PAWL_OK;
}

static enum pawl_status climb(struct simba *s, struct pawl_error *err)
{
    bool is_new;
    double mean;
    pawl_simba_pool_add(&s->pool, 0, &is_new);
    PAWL_TRY(pawl_host_score_dev(s->host, 0, s->start, &mean, err));
    pawl_host_say(s->host, "start: %.3f on dev", mean);
    while (s->opt->max_steps == 0 || s->number < s->opt->max_steps) {
        size_t n = cases_that_fit(s);
        if (n < s->n_train && n < (size_t)s->opt->minibatch) pawl_host_note_short(s->host);
        if (n == 0 && s->number == 0)
            return pawl_fail(err, PAWL_EBUDGET,
                             "No step of simba fits the budget: one takes at least %lld "
                             "evaluations, and dev %zu more.",
                             (long long)case_cost(s->opt), s->n_dev);
        if (n == 0) break;
        s->number++;
        PAWL_TRY(do_step(s, n, err));
        pawl_arena_reset(&s->step);
    }
    return look_at_winners(s, err);
}

/* A run that runs out of money or time on its way has found what it has found. */
static enum pawl_status search(struct simba *s, struct pawl_error *err)
{
    enum pawl_status status = climb(s, err);
    if (status == PAWL_EBUDGET) PAWL_TRY(name_unseen(s, err));
    return status;
}

/* The start, a step with one case, and its winner. */
static int64_t smallest(const void *options, size_t n_train, size_t n_dev)
{
    (void)n_train;
    return 2 * (int64_t)n_dev + case_cost(options);
}

/* --- set up ---------------------------------------------------------------------------------------------------- */

/* A component by its name, or where the program names none by its role; NULL: there is none. An
 * artifact made for another program may lack what this one names. */
static const char *find_component(struct simba *s, const char *name, const char *role)
{
    size_t n;
    const struct pawl_host_component *components = pawl_host_components(s->host, &n);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(components[i].kind, "text") != 0) continue;
        if (name != NULL ? strcmp(components[i].name, name) == 0
                         : s->graph.n == 1 && strcmp(components[i].role, role) == 0)
            return components[i].name;
    }
    return NULL;
}

static void find_parts(struct simba *s)
{
    const json_t *fields = pawl_host_fields(s->host), *modules = json_object_get(fields, "modules");
    s->graph = pawl_graph_read(fields, s->arena);
    s->parts = PAWL_NEW_N(s->arena, struct part, s->graph.n);
    for (size_t m = 0; m < s->graph.n; m++) {
        const struct pawl_graph_module *module = &s->graph.modules[m];
        const json_t *described = has_names(s) ? json_array_get(modules, m) : fields;
        s->parts[m] =
            (struct part){.instruction = find_component(s, module->instruction, "instruction"),
                          .demos = find_component(s, module->demos, "demos"),
                          .calibration = find_component(s, module->calibration, "calibration"),
                          .fields = pawl_demo_fields_read(described, s->arena)};
        s->has_rules |= s->parts[m].instruction != NULL;
        s->has_demos |= s->parts[m].demos != NULL && s->opt->max_demos > 0;
    }
}

static enum pawl_status set_up(struct simba *s, struct pawl_error *err)
{
    find_parts(s);
    if (!s->has_rules && !s->has_demos) {
        pawl_fail(err, PAWL_ECONFIG,
                  "simba adds rules and demonstrations, and this program has "
                  "neither an instruction nor demonstrations.");
        pawl_hint(err, "Give the program a signature, or use another operator.");
        return PAWL_ECONFIG;
    }
    if (s->n_train == 0) {
        pawl_fail(err, PAWL_ECONFIG, "simba learns from train cases, and there are none.");
        pawl_hint(err, "Add cases with `pawl data add`.");
        return PAWL_ECONFIG;
    }
    s->pool.arena = s->arena;
    s->order = PAWL_NEW_N(s->arena, size_t, s->n_train);
    s->scores = PAWL_NEW_N(s->arena, double, s->n_dev);
    s->start = PAWL_NEW_N(s->arena, double, s->n_dev);
    return PAWL_OK;
}

static enum pawl_status run(struct pawl_host *host, const void *options, struct pawl_error *err)
{
    struct simba s = {.host = host,
                      .opt = options,
                      .arena = pawl_host_arena(host),
                      .n_train = pawl_host_n_train(host),
                      .n_dev = pawl_host_n_dev(host)};
    PAWL_TRY(set_up(&s, err));
    enum pawl_status status = search(&s, err);
    pawl_arena_release(&s.step);
    return status;
}

const struct pawl_operator pawl_op_simba = {
    .api = PAWL_OPERATOR_API,
    .name = "simba",
    .version = 1,
    .summary = "adds rules and demonstrations learned from cases whose answers differ most",
    .paper = "DSPy's SIMBA, Stochastic Introspective Mini-Batch Ascent, without a paper; "
             "Khattab et al. 2023, arXiv 2310.03714",
    .options = simba_options,
    .options_bytes = sizeof(struct simba_options),
    .texts = simba_texts,
    .risks = "instructions grow by a rule at a time; shows train cases to the model at every call; "
             "needs answers that differ, so a model that always answers alike teaches nothing",
    .smallest = smallest,
    .run = run,
};
